//! The SQL row of a record: one column per field, and values both ways.

use serde_json::{Map, Value};
use syncline_schema::{Field, FieldKind, Model, Scalar};

use super::encode;

/// A column of a model's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<'a> {
    /// The field it shows; the column has its name.
    pub field: &'a Field,
    /// Type of its values.
    pub sql_type: SqlType,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// Int, AWSTimestamp, Boolean (0 or 1), counters.
    Integer,
    /// Float.
    Real,
    /// Everything else; lists, sets, embedded values and AWSJSON as JSON.
    Text,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL
    Null,
    /// INTEGER
    Integer(i64),
    /// REAL
    Real(f64),
    /// TEXT
    Text(String),
}

impl SqlType {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
        }
    }

    /// The type of a field's column.
    pub fn of(kind: &FieldKind) -> Self {
        match kind {
            FieldKind::Scalar(Scalar::Int | Scalar::Timestamp | Scalar::Boolean) | FieldKind::Counter => Self::Integer,
            FieldKind::Scalar(Scalar::Float) => Self::Real,
            FieldKind::Scalar(_)
            | FieldKind::Enum(_)
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_)
            | FieldKind::Embedded(_) => Self::Text,
        }
    }
}

/// The columns of a model's table, in the order of its fields.
pub fn columns(model: &Model) -> Vec<Column<'_>> {
    model.fields.iter().map(|field| Column { field, sql_type: SqlType::of(&field.kind) }).collect()
}

/// The row of a record in JSON.
pub fn column_values(model: &Model, record: &Map<String, Value>) -> Vec<SqlValue> {
    let value = |field: &Field| record.get(&field.name).cloned().unwrap_or(Value::Null);
    model.fields.iter().map(|field| column_value(&field.kind, value(field))).collect()
}

/// A value as its column holds it.
pub fn column_value(kind: &FieldKind, value: Value) -> SqlValue {
    if *kind == FieldKind::Scalar(Scalar::Json) && !value.is_null() {
        return SqlValue::Text(text_of_json(value));
    }
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(truth) => SqlValue::Integer(i64::from(truth)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if *kind != FieldKind::Scalar(Scalar::Float) => SqlValue::Integer(integer),
            Some(_) | None => number.as_f64().map_or(SqlValue::Null, SqlValue::Real),
        },
        Value::String(text) => SqlValue::Text(text),
        Value::Array(_) | Value::Object(_) => SqlValue::Text(value.to_string()),
    }
}

/// A column's value as the field shows it.
pub fn json_value(kind: &FieldKind, value: SqlValue) -> Value {
    match (kind, value) {
        (_, SqlValue::Null) => Value::Null,
        (FieldKind::Scalar(Scalar::Boolean), SqlValue::Integer(truth @ (0 | 1))) => Value::Bool(truth == 1),
        (FieldKind::Scalar(Scalar::Float), SqlValue::Integer(number)) => float(number as f64),
        (_, SqlValue::Integer(number)) => Value::from(number),
        (_, SqlValue::Real(number)) => float(number),
        (FieldKind::Scalar(Scalar::Json), SqlValue::Text(text)) => encode::json_shown(&text),
        (FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_), SqlValue::Text(text)) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        (_, SqlValue::Text(text)) => Value::String(text),
    }
}

/// The record that a row shows: the inverse of [`column_values`].
pub fn record_from_columns(model: &Model, values: impl IntoIterator<Item = SqlValue>) -> Map<String, Value> {
    let fields = model.fields.iter().zip(values);
    fields.map(|(field, value)| (field.name.clone(), json_value(&field.kind, value))).collect()
}

/// Compact JSON; a string shown for AWSJSON is JSON text itself.
pub(super) fn text_of_json(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn float(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}
