//! Whether a change from a peer keeps to the schema: types, encodings, keys.

use automerge::legacy::{Key as OpKey, ObjectId, Op, OpType};
use automerge::{ExpandedChange, ObjType, ScalarValue};
use serde_json::{Map, Value};
use syncline_schema::{Field, FieldKind, Key, Model, Scalar, Schema};

use super::encode::{self, decode_scalar, well_encoded};
use super::key::RecordKey;
use super::view::embedded_type;
use super::{LIVE, NULL, SOME};
use crate::ids::RecordId;

/// A change from a peer that its schema cannot have produced. The peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignChange {
    /// An operation does not fit the field that stands at its key.
    #[error("the change writes {found} at `{key}` of a {model}, where {expected} belongs")]
    WrongKind {
        /// The model.
        model: String,
        /// The root key.
        key: String,
        /// What the change does there.
        found: &'static str,
        /// What the schema has there.
        expected: &'static str,
    },
    /// The key fields that the change writes name another record.
    #[error("the change writes key fields of another {model} than the record it belongs to")]
    WrongRecord {
        /// The model.
        model: String,
    },
}

/// Checks the root keys that the schema knows: scalars must have the encoding of their type,
/// objects the kind of their field, and key fields must name the record. Keys that the schema does
/// not know, and what stands inside objects, pass: a newer schema may have them.
///
/// So do marks in a text that is plain here: it may be rich in a newer schema, or in the one before.
/// A change refused for them would be refused for good, with all that was typed after it; taken, they
/// show once the field is rich. That marks are well-formed, and in texts only, is the guard's business.
pub fn check_foreign(
    schema: &Schema,
    model: &Model,
    record: RecordId,
    change: &ExpandedChange,
) -> Result<(), ForeignChange> {
    let mut key_fields = Map::new();
    for op in &change.operations {
        let (ObjectId::Root, OpKey::Map(key)) = (&op.obj, &op.key) else {
            continue;
        };
        let key = key.as_str();
        let slot = Slot::at(schema, model, key);
        if let Err(expected) = slot.accepts(op) {
            return Err(ForeignChange::WrongKind {
                model: model.name.clone(),
                key: key.to_owned(),
                found: action_name(op),
                expected,
            });
        }
        if let (Slot::KeyField(field, scalar), OpType::Put(value)) = (slot, &op.action) {
            key_fields.insert(field.name.clone(), decode_scalar(scalar, value));
        }
    }
    if key_fields.is_empty() || names_record(model, record, &key_fields) {
        return Ok(());
    }
    Err(ForeignChange::WrongRecord { model: model.name.clone() })
}

fn names_record(model: &Model, record: RecordId, key_fields: &Map<String, Value>) -> bool {
    let values: Option<Vec<Value>> = model.key_fields().into_iter().map(|name| key_fields.get(name).cloned()).collect();
    let key = match (&model.key, values) {
        (_, None) => return false,
        // What an id is by its mark says nothing here: a peer that knows other names of the model takes it for a text.
        (Key::Id, Some(values)) => match values.first().and_then(Value::as_str) {
            Some(id) => RecordKey::Text(id.to_owned()),
            None => return false,
        },
        (Key::Custom(_), Some(values)) => RecordKey::Fields(values),
    };
    // A peer that knows fewer of the model's former names takes another for the first.
    model.names().any(|name| key.hashed(name) == record)
}

/// What the schema has at a root key.
#[derive(Clone, Copy)]
enum Slot<'a> {
    /// A key whose presence means something.
    Presence,
    /// One scalar.
    Scalar(Scalar),
    /// A field of the record's key.
    KeyField(&'a Field, Scalar),
    /// A list inside an embedded value, as JSON text.
    JsonList,
    Counter,
    Text,
    List,
    /// A key that can hold nothing: the set or embedded value itself, or an element that is not
    /// written as its type is.
    Nothing,
    /// Not in this schema.
    Unknown,
}

impl<'a> Slot<'a> {
    fn at(schema: &'a Schema, model: &'a Model, key: &str) -> Self {
        if key.starts_with('~') {
            let known = key == LIVE || key.starts_with(SOME) || key.starts_with(NULL);
            return if known { Self::Presence } else { Self::Unknown };
        }
        let name = key.split(['.', '/']).next().unwrap_or(key);
        let Some(field) = model.fields.iter().find(|field| field.document_key == name) else {
            return Self::Unknown;
        };
        match (&field.kind, &key[name.len()..]) {
            (FieldKind::Set(element), rest) => match rest.strip_prefix('/') {
                Some(text) if is_canonical(&element.kind, text) => Self::Presence,
                Some(_) | None => Self::Nothing,
            },
            (FieldKind::Embedded(_), rest) => match rest.strip_prefix('.') {
                Some(path) => Self::inside(schema, field, path),
                None => Self::Nothing,
            },
            (_, "") => Self::of(field, model.is_key_field(&field.name)),
            (_, _) => Self::Unknown,
        }
    }

    fn inside(schema: &'a Schema, field: &'a Field, path: &str) -> Self {
        let Some(embedded) = embedded_type(schema, &field.kind) else {
            return Self::Unknown;
        };
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let Some(inner) = embedded.fields.iter().find(|inner| inner.document_key == name) else {
            return Self::Unknown;
        };
        match (&inner.kind, rest) {
            (FieldKind::Embedded(_), Some(rest)) => Self::inside(schema, inner, rest),
            (FieldKind::Embedded(_), None) => Self::Nothing,
            (FieldKind::List(_) | FieldKind::Set(_), None) => Self::JsonList,
            (_, None) => Self::of(inner, false),
            (_, Some(_)) => Self::Unknown,
        }
    }

    fn of(field: &'a Field, is_key: bool) -> Self {
        match &field.kind {
            FieldKind::Counter => Self::Counter,
            FieldKind::Text { .. } => Self::Text,
            FieldKind::List(_) => Self::List,
            FieldKind::Set(_) | FieldKind::Embedded(_) => Self::Nothing,
            FieldKind::Scalar(_) | FieldKind::Enum(_) => {
                let scalar = encode::scalar_of(&field.kind).unwrap_or(Scalar::String);
                if is_key { Self::KeyField(field, scalar) } else { Self::Scalar(scalar) }
            }
        }
    }

    /// `Err` with what belongs there.
    fn accepts(self, op: &Op) -> Result<(), &'static str> {
        let (fits, expected) = match (self, &op.action) {
            (Self::Unknown, _) => (true, ""),
            (Self::Nothing, _) => (false, "nothing"),
            (Self::Presence, OpType::Put(ScalarValue::Int(_)) | OpType::Delete) => (true, ""),
            (Self::Presence, _) => (false, "a presence mark"),
            (Self::Scalar(_) | Self::JsonList, OpType::Delete) => (true, ""),
            (Self::Scalar(scalar), OpType::Put(value)) => (well_encoded(scalar, value), scalar.name()),
            (Self::Scalar(scalar), _) => (false, scalar.name()),
            (Self::KeyField(_, scalar), OpType::Put(value)) => {
                (*value != ScalarValue::Null && well_encoded(scalar, value), "the key's value, once")
            }
            (Self::KeyField(..), _) => (false, "the key's value, once"),
            (Self::JsonList, OpType::Put(ScalarValue::Str(text))) => (is_list(text.as_str()), "a list as JSON text"),
            (Self::JsonList, action) => (matches!(action, OpType::Put(ScalarValue::Null)), "a list as JSON text"),
            (Self::Counter, action) => (
                matches!(action, OpType::Put(ScalarValue::Counter(_)) | OpType::Increment(_) | OpType::Delete),
                "a counter",
            ),
            (Self::Text, action) => (matches!(action, OpType::Make(ObjType::Text)), "a text"),
            (Self::List, action) => (matches!(action, OpType::Make(ObjType::List)), "a list"),
        };
        if fits { Ok(()) } else { Err(expected) }
    }
}

fn is_canonical(kind: &syncline_schema::ElementKind, text: &str) -> bool {
    encode::element_text(kind, &encode::element_value(kind, text)).as_deref() == Some(text)
}

fn is_list(text: &str) -> bool {
    text.starts_with('[') && encode::is_json(text)
}

fn action_name(op: &Op) -> &'static str {
    match &op.action {
        OpType::Make(ObjType::Text) => "a text",
        OpType::Make(ObjType::List) => "a list",
        OpType::Make(ObjType::Map | ObjType::Table) => "a map",
        OpType::Delete => "a deletion",
        OpType::Increment(_) => "an increment",
        OpType::Put(ScalarValue::Null) => "null",
        OpType::Put(ScalarValue::Counter(_)) => "a counter",
        OpType::Put(ScalarValue::Str(_)) => "a string",
        OpType::Put(ScalarValue::Int(_)) => "an integer",
        OpType::Put(ScalarValue::F64(_)) => "a float",
        OpType::Put(ScalarValue::Boolean(_)) => "a boolean",
        OpType::Put(_) => "a value",
        OpType::MarkBegin(_) | OpType::MarkEnd(_) => "a mark",
    }
}
