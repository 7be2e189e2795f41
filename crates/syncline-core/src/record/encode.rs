//! One encoding per schema type: JSON values to scalars of the document, and back.

use automerge::ScalarValue;
use serde_json::{Number, Value};
use syncline_schema::{ElementKind, FieldKind, Scalar};

/// The scalar that stands for `value` in a document, or `None` if the value is not of the type.
/// Null is null for every type.
pub fn encode_scalar(scalar: Scalar, value: &Value) -> Option<ScalarValue> {
    if value.is_null() {
        return Some(ScalarValue::Null);
    }
    match scalar {
        Scalar::Int | Scalar::Timestamp => value.as_i64().map(ScalarValue::Int),
        Scalar::Float => value.as_f64().filter(|number| number.is_finite()).map(ScalarValue::F64),
        Scalar::Boolean => value.as_bool().map(ScalarValue::Boolean),
        Scalar::Json => Some(ScalarValue::from(json_text(value))),
        Scalar::Id
        | Scalar::String
        | Scalar::Date
        | Scalar::Time
        | Scalar::DateTime
        | Scalar::Email
        | Scalar::Url
        | Scalar::Phone
        | Scalar::IpAddress => value.as_str().map(ScalarValue::from),
    }
}

/// What a scalar of a document shows as. A value of another type than the schema's, written by a
/// store with another schema, shows as what it is.
pub fn decode_scalar(scalar: Scalar, value: &ScalarValue) -> Value {
    match value {
        ScalarValue::Str(text) if scalar == Scalar::Json => json_shown(text.as_str()),
        ScalarValue::Str(text) => Value::String(text.to_string()),
        ScalarValue::Int(number) | ScalarValue::Timestamp(number) => Value::from(*number),
        ScalarValue::Uint(number) => Value::from(*number),
        ScalarValue::F64(number) => float(*number),
        ScalarValue::Counter(counter) => Value::from(i64::from(counter)),
        ScalarValue::Boolean(truth) => Value::Bool(*truth),
        ScalarValue::Bytes(bytes) => Value::String(hex(bytes)),
        ScalarValue::Unknown { .. } | ScalarValue::Null => Value::Null,
    }
}

/// Whether a scalar has the one encoding of its type; null has it for every type.
pub(super) fn well_encoded(scalar: Scalar, value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Null => true,
        ScalarValue::Int(_) => matches!(scalar, Scalar::Int | Scalar::Timestamp),
        ScalarValue::F64(number) => scalar == Scalar::Float && number.is_finite(),
        ScalarValue::Boolean(_) => scalar == Scalar::Boolean,
        ScalarValue::Str(text) if scalar == Scalar::Json => is_json(text.as_str()),
        ScalarValue::Str(_) => !matches!(scalar, Scalar::Int | Scalar::Timestamp | Scalar::Float | Scalar::Boolean),
        ScalarValue::Bytes(_)
        | ScalarValue::Uint(_)
        | ScalarValue::Counter(_)
        | ScalarValue::Timestamp(_)
        | ScalarValue::Unknown { .. } => false,
    }
}

/// Whether a text is one JSON value.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// A value of a type as it is kept: a Float given as an integer becomes a Float, AWSJSON given as
/// text becomes what the text says.
pub(super) fn normal(scalar: Scalar, value: &Value) -> Value {
    match (scalar, value) {
        (Scalar::Float, Value::Number(number)) => number.as_f64().map_or(Value::Null, float),
        (Scalar::Json, Value::String(text)) => json_shown(text),
        (
            Scalar::Id
            | Scalar::String
            | Scalar::Int
            | Scalar::Float
            | Scalar::Boolean
            | Scalar::Date
            | Scalar::Time
            | Scalar::DateTime
            | Scalar::Timestamp
            | Scalar::Email
            | Scalar::Json
            | Scalar::Url
            | Scalar::Phone
            | Scalar::IpAddress,
            _,
        ) => value.clone(),
    }
}

/// Compact JSON of an AWSJSON value. A string is JSON text itself.
pub(super) fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// What an AWSJSON text shows as: its value; a JSON string stays JSON text, quotes included, so
/// that every value shown can be saved again.
pub(super) fn json_shown(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::String(_) | Value::Null) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    }
}

/// The canonical text of a set's element, which is part of its document key.
pub(super) fn element_text(kind: &ElementKind, value: &Value) -> Option<String> {
    match kind {
        ElementKind::Enum(_) => value.as_str().map(str::to_owned),
        ElementKind::Embedded(_) => None,
        ElementKind::Scalar(scalar) => match encode_scalar(*scalar, value)? {
            ScalarValue::Str(text) => Some(text.to_string()),
            ScalarValue::Int(number) => Some(number.to_string()),
            // 0.0 and -0.0 are equal, so they are one element.
            ScalarValue::F64(number) => Number::from_f64(number + 0.0).map(|number| number.to_string()),
            ScalarValue::Boolean(truth) => Some(truth.to_string()),
            ScalarValue::Bytes(_)
            | ScalarValue::Uint(_)
            | ScalarValue::Counter(_)
            | ScalarValue::Timestamp(_)
            | ScalarValue::Unknown { .. }
            | ScalarValue::Null => None,
        },
    }
}

/// The element that a canonical text stands for; a text that is none of the type shows as it is.
pub(super) fn element_value(kind: &ElementKind, text: &str) -> Value {
    let value = match kind {
        ElementKind::Scalar(Scalar::Int | Scalar::Timestamp) => text.parse::<i64>().ok().map(Value::from),
        ElementKind::Scalar(Scalar::Float) => text.parse().ok().map(float),
        ElementKind::Scalar(Scalar::Boolean) => text.parse::<bool>().ok().map(Value::Bool),
        ElementKind::Scalar(Scalar::Json) => Some(json_shown(text)),
        ElementKind::Scalar(_) | ElementKind::Enum(_) | ElementKind::Embedded(_) => None,
    };
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The scalar type that a field's value is encoded as: strings for enums, integers for counters;
/// none for kinds that are more than one value.
pub(super) fn scalar_of(kind: &FieldKind) -> Option<Scalar> {
    match kind {
        FieldKind::Scalar(scalar) => Some(*scalar),
        FieldKind::Enum(_) | FieldKind::Text { .. } => Some(Scalar::String),
        FieldKind::Counter => Some(Scalar::Int),
        FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => None,
    }
}

fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
