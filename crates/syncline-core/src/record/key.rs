//! How a record is named: by a generated or supplied id, or by the fields of a custom key.

use serde_json::{Map, Value};
use syncline_schema::{FieldKind, Key, Model, Schema};

use super::check::{Checker, InvalidRecord};
use super::encode;
use crate::ids::RecordId;

/// Longest id, and longest value of a key field, in bytes.
const KEY_BYTES_MAX: usize = 1024;

/// Bytes at the end of a generated id that say of which model it is.
const MARK_BYTES: usize = 3;

/// The key of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordKey {
    /// An id that was generated for the model: the record id is its bytes, and the document does not
    /// repeat it.
    Generated(RecordId),
    /// Any other id that the app supplied. Stands in the document.
    Text(String),
    /// Values of a custom key's fields, in the key's order. Stand in the document.
    Fields(Vec<Value>),
}

impl RecordKey {
    /// The key of a model in the form of an id.
    pub fn from_id(model: &Model, id: &str) -> Self {
        match canonical_uuid(id).map(RecordId::from_uuid) {
            Some(record) if model.names().any(|name| record.0.ends_with(&mark(name))) => Self::Generated(record),
            Some(_) | None => Self::Text(id.to_owned()),
        }
    }

    /// The record of an id that is generated for a model out of a UUID v7: its last bytes become the model's mark.
    ///
    /// So an id says by itself whether it was generated for a model. An app may give it to a record of another
    /// model, too, a profile that has the id of its user: there it is a text as any other, and names another record.
    pub fn generate(model: &Model, uuid: uuid::Uuid) -> RecordId {
        let mut record = RecordId::from_uuid(uuid);
        record.0[16 - MARK_BYTES..].copy_from_slice(&mark(model.first_name()));
        record
    }

    /// Reads the key as a user writes it: the id, or a JSON object of the key fields. A custom key
    /// of one field may be given as the plain value.
    pub fn parse(schema: &Schema, model: &Model, text: &str) -> Result<Self, InvalidRecord> {
        let mut record = Map::new();
        match (&model.key, serde_json::from_str(text)) {
            (Key::Custom(_), Ok(Value::Object(fields))) => record = fields,
            (Key::Id, _) => {
                record.insert("id".to_owned(), Value::String(text.to_owned()));
            }
            (Key::Custom(fields), parsed) => {
                if let [field] = fields.as_slice() {
                    record.insert(field.clone(), plain(model, field, text, parsed.ok()));
                }
            }
        }
        let mut checker = Checker::new(schema, model);
        for name in record.keys().filter(|name| !model.is_key_field(name)) {
            checker.fault(name, "it is not part of the key");
        }
        let key = Self::required(&mut checker, model, &record);
        checker.finish()?;
        key.ok_or_else(|| InvalidRecord { model: model.name.clone(), fields: Vec::new() })
    }

    /// The key that a record in JSON carries: `None` if its id is to be generated.
    pub fn in_record(
        schema: &Schema,
        model: &Model,
        record: &Map<String, Value>,
    ) -> Result<Option<Self>, InvalidRecord> {
        let mut checker = Checker::new(schema, model);
        let record = &*checker.with_references(record);
        // What is wrong with a reference is told by the check of the whole record.
        checker.forget();
        let key = Self::checked(&mut checker, model, record);
        checker.finish()?;
        Ok(key)
    }

    /// The record that the key names.
    pub fn record_id(&self, model: &Model) -> RecordId {
        match self {
            Self::Generated(id) => *id,
            Self::Text(_) | Self::Fields(_) => self.hashed(model.first_name()),
        }
    }

    /// The records that may have this key, the likeliest first: that of [`record_id`](Self::record_id); those that
    /// peers name who take another name of the model for its first; and one whose bytes are the id itself without the
    /// model's mark, made by such a peer, by another writer of changes, or before ids were marked.
    pub fn candidates<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = RecordId> + 'a {
        let named = model.names().map(|name| self.hashed(name));
        let unmarked = match self {
            Self::Text(id) => canonical_uuid(id).map(RecordId::from_uuid),
            Self::Generated(_) | Self::Fields(_) => None,
        };
        let first = self.record_id(model);
        std::iter::once(first).chain(named.chain(unmarked).filter(move |record| *record != first))
    }

    /// The record that a key in the document names in a model of that name.
    pub(super) fn hashed(&self, model: &str) -> RecordId {
        let key = match self {
            Self::Generated(id) => vec![Value::String(id_text(*id))],
            Self::Text(id) => vec![Value::String(id.clone())],
            Self::Fields(values) => values.clone(),
        };
        RecordId::from_key(model, &Value::Array(key))
    }

    /// The key as callers write it: the id, or a JSON object of the key fields. [`parse`](Self::parse) reads it.
    pub fn text(&self, model: &Model) -> String {
        match self {
            Self::Generated(id) => id_text(*id),
            Self::Text(id) => id.clone(),
            Self::Fields(_) => Value::Object(self.fields(model).into_iter().collect()).to_string(),
        }
    }

    /// Name and value of every key field.
    pub fn fields(&self, model: &Model) -> Vec<(String, Value)> {
        let values = match self {
            Self::Generated(id) => vec![Value::String(id_text(*id))],
            Self::Text(id) => vec![Value::String(id.clone())],
            Self::Fields(values) => values.clone(),
        };
        model.key_fields().into_iter().map(str::to_owned).zip(values).collect()
    }

    /// Faults go to the checker; a missing id is none.
    pub(super) fn checked(checker: &mut Checker<'_>, model: &Model, record: &Map<String, Value>) -> Option<Self> {
        match (&model.key, record.get("id")) {
            (Key::Id, None | Some(Value::Null)) => None,
            (Key::Id | Key::Custom(_), _) => Self::required(checker, model, record),
        }
    }

    fn required(checker: &mut Checker<'_>, model: &Model, record: &Map<String, Value>) -> Option<Self> {
        let mut values = Vec::new();
        for name in model.key_fields() {
            let value = key_value(checker, model, name, record.get(name));
            values.extend(value);
        }
        if values.len() < model.key_fields().len() {
            return None;
        }
        match (&model.key, values.first()) {
            (Key::Id, Some(Value::String(id))) => Some(Self::from_id(model, id)),
            (Key::Id | Key::Custom(_), _) => Some(Self::Fields(values)),
        }
    }
}

/// The UUID in canonical form (lower case, with hyphens) that an id is.
fn canonical_uuid(id: &str) -> Option<uuid::Uuid> {
    uuid::Uuid::try_parse(id).ok().filter(|uuid| uuid.hyphenated().to_string() == id)
}

/// What ids end in that are generated for a model of that name.
fn mark(model: &str) -> [u8; MARK_BYTES] {
    let hash = *blake3::Hasher::new_derive_key("syncline id mark 1").update(model.as_bytes()).finalize().as_bytes();
    std::array::from_fn(|place| hash[place])
}

/// Text of a generated id.
pub(super) fn id_text(record: RecordId) -> String {
    uuid::Uuid::from_bytes(record.0).hyphenated().to_string()
}

fn key_value(checker: &mut Checker<'_>, model: &Model, name: &str, value: Option<&Value>) -> Option<Value> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        checker.fault(name, "it is part of the key and must be given");
        return None;
    };
    let kind = model.field(name).map(|field| &field.kind);
    let normal = match kind {
        Some(kind) => checker.value(kind, name, value)?,
        None => value.clone(),
    };
    match normal.as_str().map(str::len) {
        Some(0) => {
            checker.fault(name, "it is part of the key and may not be empty");
            None
        }
        Some(bytes) if bytes > KEY_BYTES_MAX => {
            checker.fault(name, &format!("it has {bytes} bytes, and a key at most {KEY_BYTES_MAX}"));
            None
        }
        Some(_) | None => Some(normal),
    }
}

/// A single key value from the command line: as JSON where the type is no string.
fn plain(model: &Model, field: &str, text: &str, parsed: Option<Value>) -> Value {
    let kind = model.field(field).map(|field| &field.kind);
    let is_text = kind
        .and_then(encode::scalar_of)
        .is_some_and(|scalar| encode::encode_scalar(scalar, &Value::String(String::new())).is_some());
    match (kind, parsed) {
        (Some(FieldKind::Scalar(_)), Some(value)) if !is_text => value,
        _ => Value::String(text.to_owned()),
    }
}
