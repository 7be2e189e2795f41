//! In which order records come.

use serde_json::{Map, Value};
use std::cmp::Ordering;
use syncline_schema::{FieldKind, Model, Scalar, Schema};

use super::evaluate::{at, order};
use super::resolve::{InvalidFilter, field_at};

/// One key of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Field, or path into an embedded value.
    pub field: String,
    /// Greatest first.
    pub descending: bool,
}

impl Order {
    /// Smallest first.
    pub fn ascending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: false }
    }

    /// Greatest first.
    pub fn descending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: true }
    }

    /// Reads `priority:desc,title`.
    pub fn parse(text: &str) -> Result<Vec<Self>, InvalidFilter> {
        text.split(',').map(|key| Self::parse_key(key.trim())).collect()
    }

    fn parse_key(key: &str) -> Result<Self, InvalidFilter> {
        match key.split_once(':') {
            None if key.is_empty() => Err(InvalidFilter::new("order", "an order names fields: `priority:desc,title`")),
            None | Some((_, "asc")) => Ok(Self::ascending(key.trim_end_matches(":asc"))),
            Some((field, "desc")) => Ok(Self::descending(field)),
            Some((_, other)) => Err(InvalidFilter::new(
                &format!("order {key}"),
                &format!("`{other}` is no direction: write `asc` or `desc`"),
            )),
        }
    }
}

/// Checks that every field of an order exists and has an order.
pub fn resolve_order(schema: &Schema, model: &Model, orders: &[Order]) -> Result<(), InvalidFilter> {
    for key in orders {
        let place = format!("order {}", key.field);
        let field = field_at(schema, model, &key.field).map_err(|message| InvalidFilter::new(&place, &message))?;
        let ordered = match &field.kind {
            FieldKind::Scalar(Scalar::Json) | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => false,
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Counter | FieldKind::Text { .. } => true,
        };
        if !ordered {
            let message = "AWSJSON, lists, sets and embedded values have no order: name a scalar";
            return Err(InvalidFilter::new(&place, message));
        }
    }
    Ok(())
}

/// The order with the key fields behind it that it lacks, so that no two records are equal in it:
/// without any key, the order of the primary key.
pub fn complete_order(model: &Model, orders: &[Order]) -> Vec<Order> {
    let mut complete = orders.to_vec();
    for name in model.key_fields() {
        if orders.iter().all(|order| order.field != name) {
            complete.push(Order::ascending(name));
        }
    }
    complete
}

/// Order of two records; null stands before everything, strings by code point.
pub fn compare_records(orders: &[Order], a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    orders.iter().fold(Ordering::Equal, |so_far, key| {
        so_far.then_with(|| {
            let (a, b) = (at(a, &key.field), at(b, &key.field));
            let ordering = order(a, b).unwrap_or_else(|| rank(a).cmp(&rank(b)));
            if key.descending { ordering.reverse() } else { ordering }
        })
    })
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 1,
        Value::String(_) | Value::Array(_) | Value::Object(_) => 2,
    }
}
