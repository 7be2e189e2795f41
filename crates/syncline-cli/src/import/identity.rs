//! Ids for rows that bring none: the same row of the same file means the same record, however often and
//! wherever it is imported.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The id of a row that nothing else names: made from the model, the row's number and its values. Ids of one
/// file follow its order.
pub(super) fn of_row(model: &str, number: u64, record: &Map<String, Value>) -> String {
    // In the order of names, so that the order of columns does not matter.
    let sorted: BTreeMap<&String, &Value> = record.iter().filter(|(_, value)| !value.is_null()).collect();
    let mut hash = hasher("row", model);
    hash.update(&number.to_be_bytes());
    hash.update(serde_json::to_string(&sorted).unwrap_or_default().as_bytes());
    let mut bytes = first_16(&hash);
    bytes[..6].copy_from_slice(&number.to_be_bytes()[2..]);
    uuid::Uuid::new_v8(bytes).to_string()
}

/// The id of the record that a value of a field tells apart.
pub(super) fn of_key(model: &str, field: &str, value: &Value) -> String {
    let mut hash = hasher("key", model);
    hash.update(field.as_bytes());
    hash.update(&[0]);
    hash.update(text_of(value).as_bytes());
    uuid::Uuid::new_v8(first_16(&hash)).to_string()
}

/// A value as text, equal for equal values: 7 and 7.0 are one number.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => (float as i64).to_string(),
            (None, _) => number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn hasher(what: &str, model: &str) -> blake3::Hasher {
    let mut hash = blake3::Hasher::new();
    for part in ["syncline import 1", what, model] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash
}

fn first_16(hash: &blake3::Hasher) -> [u8; 16] {
    let mut bytes = [0; 16];
    hash.finalize_xof().fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_same_row_of_the_same_file_is_the_same_record() {
        let a = record(&json!({"title": "Big", "year": 1988, "genre": null}));
        let b = record(&json!({"year": 1988, "title": "Big"}));
        assert_eq!(of_row("Movie", 7, &a), of_row("Movie", 7, &b));
    }

    #[test]
    fn equal_rows_at_different_places_are_different_records() {
        let row = record(&json!({"title": "Big"}));
        assert_ne!(of_row("Movie", 7, &row), of_row("Movie", 8, &row));
        assert_ne!(of_row("Movie", 7, &row), of_row("Film", 7, &row));
    }

    #[test]
    fn ids_of_a_file_follow_its_order() {
        let row = record(&json!({"title": "Big"}));
        let ids: Vec<String> = [1, 2, 255, 256, 70_000].map(|number| of_row("Movie", number, &row)).to_vec();
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn equal_numbers_are_one_key_however_written() {
        assert_eq!(of_key("Item", "sku", &json!(7)), of_key("Item", "sku", &json!(7.0)));
        assert_ne!(of_key("Item", "sku", &json!(7)), of_key("Item", "sku", &json!("7")));
    }
}
