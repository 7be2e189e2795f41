//! Elements of lists, as they are stored and as they are shown.
//!
//! AWSJSON is stored as text, so that nobody merges into it. An embedded element is stored under its
//! fields' document keys and without those that are null, so that a field that a newer schema adds
//! changes no element; it is shown with every field.

use serde_json::{Map, Value};
use syncline_schema::{ElementKind, EmbeddedType, Field, FieldKind, Scalar, Schema};

use super::check::element_kind;
use super::encode;

/// A list as it is stored.
pub(super) fn stored_list(schema: &Schema, kind: &ElementKind, items: &[Value]) -> Vec<Value> {
    let kind = element_kind(kind);
    items.iter().map(|item| stored(schema, &kind, item)).collect()
}

/// An element as it is shown.
pub(super) fn shown_item(schema: &Schema, kind: &ElementKind, item: &Value) -> Value {
    shown(schema, &element_kind(kind), item)
}

pub(super) fn stored(schema: &Schema, kind: &FieldKind, value: &Value) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (FieldKind::Scalar(Scalar::Json), value) => Value::String(encode::json_text(value)),
        (FieldKind::List(element) | FieldKind::Set(element), Value::Array(items)) => {
            Value::Array(stored_list(schema, &element.kind, items))
        }
        (FieldKind::Embedded(name), Value::Object(fields)) => match schema.embedded_type(name) {
            Some(embedded) => Value::Object(stored_fields(schema, embedded, fields)),
            None => value.clone(),
        },
        (_, value) => value.clone(),
    }
}

fn stored_fields(schema: &Schema, embedded: &EmbeddedType, fields: &Map<String, Value>) -> Map<String, Value> {
    let stored_field = |field: &Field| {
        let value = fields.get(&field.name).filter(|value| !value.is_null())?;
        Some((field.document_key.clone(), stored(schema, &field.kind, value)))
    };
    embedded.fields.iter().filter_map(stored_field).collect()
}

pub(super) fn shown(schema: &Schema, kind: &FieldKind, value: &Value) -> Value {
    match (kind, value) {
        (FieldKind::Scalar(Scalar::Json), Value::String(text)) => encode::json_shown(text),
        (FieldKind::List(element) | FieldKind::Set(element), Value::Array(items)) => {
            let shown = items.iter().map(|item| shown_item(schema, &element.kind, item));
            Value::Array(shown.collect())
        }
        (FieldKind::Embedded(name), Value::Object(fields)) => match schema.embedded_type(name) {
            Some(embedded) => Value::Object(shown_fields(schema, embedded, fields)),
            None => value.clone(),
        },
        (_, value) => value.clone(),
    }
}

fn shown_fields(schema: &Schema, embedded: &EmbeddedType, fields: &Map<String, Value>) -> Map<String, Value> {
    let shown_field = |field: &Field| {
        let value = fields.get(&field.document_key).unwrap_or(&Value::Null);
        (field.name.clone(), shown(schema, &field.kind, value))
    };
    embedded.fields.iter().map(shown_field).collect()
}
