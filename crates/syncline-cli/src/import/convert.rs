//! Values of a file as values of a field, where the field's type leaves no doubt and nothing is lost.
//!
//! What cannot be converted stays as it is: the check that follows says what is wrong with it.

use serde_json::{Number, Value};
use syncline_schema::{Element, ElementKind, FieldKind, Scalar, Schema};

use super::dates;
use crate::export::MODEL_COLUMN;

/// A value that came with a type of its own, from JSON.
pub(super) fn typed(schema: &Schema, kind: &FieldKind, value: Value) -> Value {
    match (kind, value) {
        (FieldKind::Scalar(scalar), value) => scalar_value(*scalar, value),
        (FieldKind::Counter, value) => scalar_value(Scalar::Int, value),
        (FieldKind::List(element) | FieldKind::Set(element), Value::Array(items)) => {
            Value::Array(items.into_iter().map(|item| element_value(schema, element, item)).collect())
        }
        (FieldKind::Embedded(name), Value::Object(mut fields)) => {
            if fields.get(MODEL_COLUMN).and_then(Value::as_str) == Some(name) {
                fields.shift_remove(MODEL_COLUMN);
            }
            let embedded = schema.embedded_type(name);
            let convert = |(name, value): (String, Value)| {
                let field = embedded.and_then(|embedded| embedded.fields.iter().find(|field| field.name == name));
                let value = match field {
                    Some(field) => typed(schema, &field.kind, value),
                    None => value,
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(convert).collect())
        }
        (
            FieldKind::Enum(_)
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_)
            | FieldKind::Embedded(_),
            value,
        ) => value,
    }
}

/// A cell of a CSV file: all of them are text, and an empty one is null. See [`text_cell`] for empty texts.
pub(super) fn cell(schema: &Schema, kind: &FieldKind, text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let unchanged = || Value::String(text.to_owned());
    match kind {
        FieldKind::Scalar(Scalar::Int | Scalar::Timestamp) | FieldKind::Counter => {
            text.trim().parse::<i64>().map_or_else(|_| unchanged(), Value::from)
        }
        FieldKind::Scalar(Scalar::Float) => float(text.trim()).unwrap_or_else(unchanged),
        FieldKind::Scalar(Scalar::Boolean) => boolean(text.trim()).map_or_else(unchanged, Value::Bool),
        FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => {
            serde_json::from_str(text).map_or_else(|_| unchanged(), |value| typed(schema, kind, value))
        }
        FieldKind::Scalar(Scalar::String | Scalar::Id) | FieldKind::Text { .. } => Value::String(cell_text(text)),
        FieldKind::Scalar(_) | FieldKind::Enum(_) => typed(schema, kind, unchanged()),
    }
}

/// What a cell says of a text. An empty cell is null, so the empty text is written as two quotation marks, and a
/// text of two or more such marks and nothing else with two more.
fn cell_text(cell: &str) -> String {
    if is_marks(cell) { cell[2..].to_owned() } else { cell.to_owned() }
}

/// A text as a cell that [`cell`] reads as this text.
pub(crate) fn text_cell(text: &str) -> String {
    if text.is_empty() || is_marks(text) { format!("\"\"{text}") } else { text.to_owned() }
}

fn is_marks(text: &str) -> bool {
    text.len() >= 2 && text.bytes().all(|byte| byte == b'"')
}

/// A text that stands in a DynamoDB table for an AWSJSON value: AppSync keeps such values taken apart, so it is the
/// JSON of a string unless somebody has put JSON text there.
pub(super) fn json_of_table(text: String) -> Value {
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Value::String(text),
        Err(_) => Value::String(Value::String(text).to_string()),
    }
}

fn element_value(schema: &Schema, element: &Element, value: Value) -> Value {
    match &element.kind {
        ElementKind::Scalar(scalar) => scalar_value(*scalar, value),
        ElementKind::Enum(_) => value,
        ElementKind::Embedded(name) => typed(schema, &FieldKind::Embedded(name.clone()), value),
    }
}

fn scalar_value(scalar: Scalar, value: Value) -> Value {
    match (scalar, value) {
        (Scalar::Date, Value::String(text)) => Value::String(dates::to_iso(&text).unwrap_or(text)),
        (Scalar::Int | Scalar::Timestamp, Value::Number(number)) => Value::Number(whole(number)),
        (_, value) => value,
    }
}

/// 7.0 as 7, where a float holds every whole number exactly.
fn whole(number: Number) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => Number::from(float as i64),
        Some(_) | None => number,
    }
}

/// Only what JSON calls a number too: no `inf`, no `NaN`, no thousands separators.
fn float(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    Number::from_f64(number).map(Value::Number)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scalar(scalar: Scalar) -> FieldKind {
        FieldKind::Scalar(scalar)
    }

    #[test]
    fn cells_become_what_their_field_holds() {
        let schema = Schema::default();
        let cell = |kind, text| cell(&schema, &kind, text);
        assert_eq!(cell(scalar(Scalar::Int), " 12 "), json!(12));
        assert_eq!(cell(scalar(Scalar::Float), "6.5"), json!(6.5));
        assert_eq!(cell(scalar(Scalar::Float), "7"), json!(7.0));
        assert_eq!(cell(scalar(Scalar::Boolean), "TRUE"), json!(true));
        assert_eq!(cell(scalar(Scalar::Boolean), "0"), json!(false));
        assert_eq!(cell(scalar(Scalar::Date), "Jun 12 1998"), json!("1998-06-12"));
        assert_eq!(cell(scalar(Scalar::String), "12"), json!("12"));
        assert_eq!(cell(scalar(Scalar::String), ""), Value::Null);
        let list = FieldKind::List(Element { kind: ElementKind::Scalar(Scalar::Int), required: true });
        assert_eq!(cell(list, "[1, 2.0]"), json!([1, 2]));
    }

    #[test]
    fn cells_that_do_not_fit_stay_text_for_the_check_to_name() {
        let schema = Schema::default();
        for (kind, text) in [
            (Scalar::Int, "1,234"),
            (Scalar::Int, "1.5"),
            (Scalar::Float, "inf"),
            (Scalar::Float, "NaN"),
            (Scalar::Boolean, "maybe"),
            (Scalar::Date, "06/12/1998"),
        ] {
            assert_eq!(cell(&schema, &scalar(kind), text), json!(text));
        }
    }

    #[test]
    fn every_text_has_a_cell_and_the_cell_that_text() {
        for text in ["", "\"", "\"\"", "\"\"\"", "\"\"a", " ", "null"] {
            let back = cell(&Schema::default(), &scalar(Scalar::String), &text_cell(text));
            assert_eq!(back, json!(text));
        }
    }

    #[test]
    fn a_number_never_becomes_a_text_nor_a_text_a_number() {
        let schema = Schema::default();
        assert_eq!(typed(&schema, &scalar(Scalar::String), json!(1776)), json!(1776));
        assert_eq!(typed(&schema, &scalar(Scalar::Int), json!("12")), json!("12"));
    }

    #[test]
    fn whole_numbers_written_as_fractions_are_whole() {
        let schema = Schema::default();
        assert_eq!(typed(&schema, &scalar(Scalar::Int), json!(7.0)), json!(7));
        assert_eq!(typed(&schema, &scalar(Scalar::Int), json!(7.5)), json!(7.5));
        assert_eq!(typed(&schema, &scalar(Scalar::Int), json!(1e300)), json!(1e300));
        assert_eq!(typed(&schema, &FieldKind::Counter, json!(-3.0)), json!(-3));
    }
}
