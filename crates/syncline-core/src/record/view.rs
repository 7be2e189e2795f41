//! A record as its merged state and, where it has texts or lists, its document show it.

use automerge::ScalarValue;
use serde_json::Value;
use std::cmp::Ordering;
use syncline_schema::{Element, ElementKind, EmbeddedType, Field, FieldKind, Merge, Model, Scalar, Schema};

use super::encode;
use super::items;
use super::{LIVE, null_key, some_key};
use crate::document::Document;
use crate::ids::RecordId;
use crate::state::{self, RecordState, Visible, VisibleOp};

/// Everything that says what a record holds.
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    /// The schema, for enums and embedded types.
    pub schema: &'a Schema,
    /// The record's model.
    pub model: &'a Model,
    /// The record.
    pub record: RecordId,
    /// Its merged root keys.
    pub state: &'a RecordState,
    /// Its texts and lists; without it they read as empty.
    pub document: Option<&'a Document>,
}

impl<'a> RecordView<'a> {
    /// Whether the record exists: it was created, and not deleted since.
    pub fn is_live(&self) -> bool {
        self.is_visible(LIVE)
    }

    pub(super) fn ops(&self, key: &str) -> &'a [VisibleOp] {
        self.state.keys.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_visible(&self, key: &str) -> bool {
        !self.ops(key).is_empty()
    }

    pub(super) fn has_object(&self, key: &str) -> bool {
        matches!(self.ops(key).last(), Some(VisibleOp { value: Visible::Object(_), .. }))
    }

    /// The scalar that a field shows, of all that stand at its key.
    pub(super) fn scalar(&self, merge: Merge, key: &str) -> Option<&'a ScalarValue> {
        self.shown(merge, key)?.value.scalar()
    }

    /// The operation whose value a field shows, of all that stand at its key.
    pub(super) fn shown(&self, merge: Merge, key: &str) -> Option<&'a VisibleOp> {
        shown(merge, self.ops(key))
    }

    /// What a counter shows; 0 where nobody has made it yet.
    pub(super) fn counter(&self, key: &str) -> i64 {
        self.existing_counter(key).unwrap_or(0)
    }

    /// The sum of the counters at a key, out of the range of counters if counts that were made apart pushed it there.
    pub(super) fn counter_sum(&self, key: &str) -> i64 {
        state::counters_sum(self.state.visible(key)).unwrap_or(0)
    }

    pub(super) fn existing_counter(&self, key: &str) -> Option<i64> {
        self.state.counter(key)
    }

    /// Canonical texts of the elements that stand in a set, ascending.
    pub(super) fn element_texts(&self, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let prefix = format!("{key}/");
        let length = prefix.len();
        let keys = &self.state.keys;
        keys.range(prefix.clone()..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .filter(|(_, ops)| !ops.is_empty())
            .map(move |(key, _)| &key[length..])
    }

    /// The elements of a set in value order.
    pub(super) fn elements(&self, element: &Element, key: &str) -> Vec<Value> {
        let mut values: Vec<Value> =
            self.element_texts(key).map(|text| encode::element_value(&element.kind, text)).collect();
        // Texts already stand in the order of code points.
        if let ElementKind::Scalar(Scalar::Int | Scalar::Timestamp | Scalar::Float) = element.kind {
            values.sort_by(by_number);
        }
        values
    }

    /// A text, or `None` for null.
    pub(super) fn text(&self, field: &Field, key: &str) -> Option<String> {
        let content = self.document.and_then(|document| document.text(key)).unwrap_or_default();
        (!content.is_empty() || self.is_empty_not_null(field, key)).then_some(content)
    }

    /// A list, or `None` for null.
    pub(super) fn list(&self, element: &Element, field: &Field, key: &str) -> Option<Vec<Value>> {
        let stored = self.document.and_then(|document| document.list(key)).unwrap_or_default();
        let shown: Vec<Value> = stored.iter().map(|item| items::shown_item(self.schema, &element.kind, item)).collect();
        (!shown.is_empty() || self.is_empty_not_null(field, key)).then_some(shown)
    }

    /// Whether a text or list without content is empty, and not null.
    fn is_empty_not_null(&self, field: &Field, key: &str) -> bool {
        if self.is_visible(&null_key(key)) {
            return false;
        }
        field.required || self.has_object(key) || self.is_visible(&some_key(key))
    }

    /// Whether an embedded value is not null: its presence key stands, or any of its fields has a
    /// value.
    pub(super) fn has_embedded(&self, embedded: &EmbeddedType, key: &str) -> bool {
        if self.is_visible(&some_key(key)) {
            return true;
        }
        embedded.fields.iter().any(|inner| {
            let inner_key = super::nested_key(key, &inner.document_key);
            match self.embedded_type(&inner.kind) {
                Some(nested) => self.has_embedded(nested, &inner_key),
                None => !matches!(self.scalar(inner.merge, &inner_key), None | Some(ScalarValue::Null)),
            }
        })
    }

    pub(super) fn embedded_type(&self, kind: &FieldKind) -> Option<&'a EmbeddedType> {
        embedded_type(self.schema, kind)
    }
}

pub(super) fn embedded_type<'a>(schema: &'a Schema, kind: &FieldKind) -> Option<&'a EmbeddedType> {
    match kind {
        FieldKind::Embedded(name) => schema.embedded_type(name),
        FieldKind::Scalar(_)
        | FieldKind::Enum(_)
        | FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_) => None,
    }
}

/// The operation whose value shows, of those that stand side by side, ascending.
pub(crate) fn shown(merge: Merge, ops: &[VisibleOp]) -> Option<&VisibleOp> {
    let scalars = ops.iter().filter_map(|op| Some((op, op.value.scalar()?)));
    let values = || scalars.clone().filter(|(_, value)| !matches!(value, ScalarValue::Null));
    let chosen = match (merge, ops) {
        (_, []) => None,
        (Merge::Winner, [.., last]) | (_, [last]) => return Some(last),
        (Merge::Max, _) => values().max_by(|a, b| compare(a.1, b.1)),
        (Merge::Min, _) => values().min_by(|a, b| compare(a.1, b.1)),
        // Of equal times the later operation: `max_by_key` keeps the last.
        (Merge::Latest, _) => scalars.clone().max_by_key(|(op, _)| op.time),
    };
    chosen.map(|(op, _)| op)
}

fn by_number(a: &Value, b: &Value) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
    }
}

/// Order of concurrent values for `@merge(with: max | min)`; values of different types, which only
/// another schema can have written, stand in the order of their types.
fn compare(a: &ScalarValue, b: &ScalarValue) -> Ordering {
    match (a, b) {
        (ScalarValue::Int(a), ScalarValue::Int(b)) => a.cmp(b),
        (ScalarValue::F64(a), ScalarValue::F64(b)) => a.total_cmp(b),
        (ScalarValue::Str(a), ScalarValue::Str(b)) => a.as_str().cmp(b.as_str()),
        (ScalarValue::Boolean(a), ScalarValue::Boolean(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &ScalarValue) -> u8 {
    match value {
        ScalarValue::Null => 0,
        ScalarValue::Boolean(_) => 1,
        ScalarValue::Int(_) => 2,
        ScalarValue::F64(_) => 3,
        ScalarValue::Str(_) => 4,
        ScalarValue::Uint(_) => 5,
        ScalarValue::Timestamp(_) => 6,
        ScalarValue::Counter(_) => 7,
        ScalarValue::Bytes(_) => 8,
        ScalarValue::Unknown { .. } => 9,
    }
}
