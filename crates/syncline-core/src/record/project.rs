//! What a record shows: as JSON, and straight as the values of its SQL row.

use automerge::ScalarValue;
use serde_json::{Map, Value};
use syncline_schema::{EmbeddedType, Field, FieldKind, Managed, Scalar};

use super::columns::{SqlValue, column_value, text_of_json};
use super::encode::{self, decode_scalar};
use super::items;
use super::key::id_text;
use super::nested_key;
use super::time::rfc3339;
use super::view::RecordView;

impl RecordView<'_> {
    /// The record in JSON: every field of the schema in its order, key fields first, absent ones
    /// null. `None` if the record is deleted.
    pub fn project(&self) -> Option<Map<String, Value>> {
        self.is_live().then(|| self.project_deleted())
    }

    /// What the record holds, deleted or not.
    pub fn project_deleted(&self) -> Map<String, Value> {
        self.model.fields.iter().map(|field| (field.name.clone(), self.field(field))).collect()
    }

    /// The values of the record's SQL row, in the order of the columns: the same as
    /// [`column_values`](super::column_values) of the projection, without making it. `None` if the
    /// record is deleted.
    pub fn column_values(&self) -> Option<Vec<SqlValue>> {
        self.is_live().then(|| self.model.fields.iter().map(|field| self.column(field)).collect())
    }

    /// The value in one field's column, deleted or not.
    pub fn column_value(&self, field: &Field) -> SqlValue {
        self.column(field)
    }

    /// What one field shows.
    pub fn field(&self, field: &Field) -> Value {
        let key = field.document_key.as_str();
        match &field.kind {
            FieldKind::Counter => Value::from(self.counter(key)),
            FieldKind::Text { .. } => self.text(field, key).map_or(Value::Null, Value::String),
            FieldKind::List(element) => self.list(element, field, key).map_or(Value::Null, Value::Array),
            FieldKind::Set(element) => Value::Array(self.elements(element, key)),
            FieldKind::Embedded(_) => {
                self.embedded_type(&field.kind).map_or(Value::Null, |embedded| self.embedded(embedded, key))
            }
            FieldKind::Scalar(_) | FieldKind::Enum(_) => self.single(field, key),
        }
    }

    fn column(&self, field: &Field) -> SqlValue {
        let key = field.document_key.as_str();
        match &field.kind {
            FieldKind::Counter => SqlValue::Integer(self.counter(key)),
            FieldKind::Text { .. } => self.text(field, key).map_or(SqlValue::Null, SqlValue::Text),
            FieldKind::Scalar(_) | FieldKind::Enum(_) => match self.scalar(field.merge, key) {
                Some(_) if field.managed == Managed::UpdatedAt => column_value(&field.kind, self.derived(field)),
                None | Some(ScalarValue::Null) => column_value(&field.kind, self.derived(field)),
                Some(value) => scalar_column(&field.kind, value),
            },
            FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => {
                column_value(&field.kind, self.field(field))
            }
        }
    }

    fn single(&self, field: &Field, key: &str) -> Value {
        let scalar = encode::scalar_of(&field.kind).unwrap_or(Scalar::String);
        match self.scalar(field.merge, key) {
            None | Some(ScalarValue::Null) => self.derived(field),
            // Nobody writes it; a store that did all the same must not decide.
            Some(_) if field.managed == Managed::UpdatedAt => self.derived(field),
            Some(value) => decode_scalar(scalar, value),
        }
    }

    /// What a managed field shows that does not stand in the document.
    fn derived(&self, field: &Field) -> Value {
        match (field.managed, self.state.times) {
            (Managed::Id, _) => Value::String(id_text(self.record)),
            (Managed::CreatedAt, Some((first, _))) => moment(&field.kind, first),
            (Managed::UpdatedAt, Some((_, last))) => moment(&field.kind, last),
            (Managed::CreatedAt | Managed::UpdatedAt, None) | (Managed::No | Managed::Owner, _) => Value::Null,
        }
    }

    fn embedded(&self, embedded: &EmbeddedType, key: &str) -> Value {
        if !self.has_embedded(embedded, key) {
            return Value::Null;
        }
        let fields = embedded.fields.iter().map(|inner| {
            let inner_key = nested_key(key, &inner.document_key);
            let value = match &inner.kind {
                FieldKind::Embedded(_) => {
                    self.embedded_type(&inner.kind).map_or(Value::Null, |nested| self.embedded(nested, &inner_key))
                }
                FieldKind::List(_) | FieldKind::Set(_) => self.inner_list(inner, &inner_key),
                FieldKind::Counter => Value::from(self.counter(&inner_key)),
                FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Text { .. } => self.single(inner, &inner_key),
            };
            (inner.name.clone(), value)
        });
        Value::Object(fields.collect())
    }

    fn inner_list(&self, inner: &Field, key: &str) -> Value {
        match self.scalar(inner.merge, key) {
            Some(ScalarValue::Str(text)) => match serde_json::from_str(text.as_str()) {
                Ok(list) => items::shown(self.schema, &inner.kind, &list),
                Err(_) => Value::String(text.to_string()),
            },
            Some(value) => decode_scalar(Scalar::String, value),
            None => Value::Null,
        }
    }
}

/// A time in the form of its field: seconds for AWSTimestamp, milliseconds for Int, else text.
fn moment(kind: &FieldKind, ms: i64) -> Value {
    match kind {
        FieldKind::Scalar(Scalar::Timestamp) => Value::from(ms.div_euclid(1000)),
        FieldKind::Scalar(Scalar::Int) => Value::from(ms),
        FieldKind::Scalar(_)
        | FieldKind::Enum(_)
        | FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => Value::String(rfc3339(ms)),
    }
}

fn scalar_column(kind: &FieldKind, value: &ScalarValue) -> SqlValue {
    match value {
        ScalarValue::Str(text) if *kind == FieldKind::Scalar(Scalar::Json) => {
            SqlValue::Text(text_of_json(encode::json_shown(text.as_str())))
        }
        ScalarValue::Str(text) => SqlValue::Text(text.to_string()),
        ScalarValue::Int(number) if !matches!(kind, FieldKind::Scalar(Scalar::Float | Scalar::Json)) => {
            SqlValue::Integer(*number)
        }
        ScalarValue::F64(number) if *kind != FieldKind::Scalar(Scalar::Json) && number.is_finite() => {
            SqlValue::Real(*number)
        }
        ScalarValue::Boolean(truth) if *kind != FieldKind::Scalar(Scalar::Json) => SqlValue::Integer(i64::from(*truth)),
        ScalarValue::Int(_)
        | ScalarValue::F64(_)
        | ScalarValue::Boolean(_)
        | ScalarValue::Timestamp(_)
        | ScalarValue::Uint(_)
        | ScalarValue::Counter(_)
        | ScalarValue::Bytes(_)
        | ScalarValue::Unknown { .. }
        | ScalarValue::Null => {
            let scalar = encode::scalar_of(kind).unwrap_or(Scalar::String);
            column_value(kind, decode_scalar(scalar, value))
        }
    }
}
