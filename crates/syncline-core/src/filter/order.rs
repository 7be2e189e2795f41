//! In which order records come.

use serde_json::{Map, Value};
use std::cmp::Ordering;
use syncline_schema::{FieldKind, Model, Scalar, Schema, did_you_mean};

use super::evaluate::{order, value_at};
use super::resolve::{InvalidFilter, field_at};

/// One key of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Field, or path into an embedded value.
    pub field: String,
    /// Greatest first.
    pub descending: bool,
    /// Where the records stand that have null there.
    pub nulls: Nulls,
}

/// Where null stands in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before every value.
    First,
    /// Behind every value.
    Last,
}

/// What may follow a field in an order's text.
const WORDS: [&str; 4] = ["asc", "desc", "nulls-first", "nulls-last"];

/// Names of a key's parts in an order's JSON.
const JSON_NAMES: [&str; 3] = ["field", "sortDirection", "nulls"];

impl Order {
    /// Smallest first, and null before everything unless placed otherwise.
    pub fn ascending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: false, nulls: Nulls::First }
    }

    /// Greatest first, and null behind everything unless placed otherwise.
    pub fn descending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: true, nulls: Nulls::Last }
    }

    /// The same key with null before every value.
    pub fn nulls_first(self) -> Self {
        Self { nulls: Nulls::First, ..self }
    }

    /// The same key with null behind every value.
    pub fn nulls_last(self) -> Self {
        Self { nulls: Nulls::Last, ..self }
    }

    /// Reads `priority:desc,due:nulls-last,title`. Behind a field may stand `asc` (unless told otherwise) or `desc`,
    /// and `nulls-first` or `nulls-last`; unless told otherwise null counts as smaller than every value.
    pub fn parse(text: &str) -> Result<Vec<Self>, InvalidFilter> {
        text.split(',').map(|key| Self::parse_key(key.trim())).collect()
    }

    fn parse_key(key: &str) -> Result<Self, InvalidFilter> {
        let refused = |message: &str| Err(InvalidFilter::new(&format!("order {key}"), message));
        let (mut field, mut direction, mut nulls) = (key, None, None);
        while let Some((rest, word)) = field.rsplit_once(':').filter(|(_, word)| WORDS.contains(word)) {
            let twice = match word {
                "asc" | "desc" => direction.replace(word == "desc").is_some(),
                _ => nulls.replace(if word == "nulls-first" { Nulls::First } else { Nulls::Last }).is_some(),
            };
            if twice {
                return refused("write one direction, and one place for null");
            }
            field = rest;
        }
        if field.is_empty() {
            return Err(InvalidFilter::new("order", "an order names fields: `priority:desc,title`"));
        }
        Ok(Self::key(field, direction.unwrap_or(false), nulls))
    }

    /// Reads the JSON of DataStore's sort: `[{"field": "priority", "sortDirection": "DESCENDING"}, …]`. A key may also
    /// say `"nulls": "first"` or `"last"`; one key may stand without the list.
    pub fn parse_json(json: &Value) -> Result<Vec<Self>, InvalidFilter> {
        let Some(keys) = json.as_array() else { return Ok(vec![Self::parse_json_key(json, "order")?]) };
        let keys = keys.iter().enumerate();
        keys.map(|(index, key)| Self::parse_json_key(key, &format!("order[{index}]"))).collect()
    }

    fn parse_json_key(json: &Value, place: &str) -> Result<Self, InvalidFilter> {
        let refused = |name: &str, message: &str| InvalidFilter::new(&format!("{place}{name}"), message);
        let Some(field) = json.get("field").and_then(Value::as_str) else {
            let message = "a key is an object like {\"field\": \"priority\", \"sortDirection\": \"DESCENDING\"}";
            return Err(refused("", &format!("{message}, found {json}")));
        };
        let unknown = json.as_object().and_then(|key| key.keys().find(|name| !JSON_NAMES.contains(&name.as_str())));
        if let Some(name) = unknown {
            let cure = did_you_mean(name, JSON_NAMES).unwrap_or_else(|| format!("there are {}", JSON_NAMES.join(", ")));
            return Err(refused("", &format!("a key has no `{name}`; {cure}")));
        }
        let descending = match json.get("sortDirection").map(|word| word.as_str().unwrap_or_default()) {
            None | Some("ASCENDING" | "ASC") => false,
            Some("DESCENDING" | "DESC") => true,
            Some(_) => return Err(refused(".sortDirection", "write \"ASCENDING\" or \"DESCENDING\"")),
        };
        let nulls = match json.get("nulls").map(|word| word.as_str().unwrap_or_default()) {
            None => None,
            Some("first") => Some(Nulls::First),
            Some("last") => Some(Nulls::Last),
            Some(_) => return Err(refused(".nulls", "write \"first\" or \"last\"")),
        };
        Ok(Self::key(field, descending, nulls))
    }

    fn key(field: &str, descending: bool, nulls: Option<Nulls>) -> Self {
        let key = if descending { Self::descending(field) } else { Self::ascending(field) };
        Self { nulls: nulls.unwrap_or(key.nulls), ..key }
    }
}

/// Checks that every field of an order exists and has an order.
pub fn resolve_order(schema: &Schema, model: &Model, orders: &[Order]) -> Result<(), InvalidFilter> {
    for key in orders {
        let place = format!("order {}", key.field);
        let field = field_at(schema, model, &key.field).map_err(|message| match key.field.rsplit_once(':') {
            Some((field, word)) if field_at(schema, model, field).is_ok() => no_direction(&place, word),
            Some(_) | None => InvalidFilter::new(&place, &message),
        })?;
        if !is_ordered(&field.kind) {
            let message = "AWSJSON, lists, sets and embedded values have no order: name a scalar";
            return Err(InvalidFilter::new(&place, message));
        }
    }
    Ok(())
}

/// Whether values of this kind have an order.
pub(super) fn is_ordered(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Scalar(Scalar::Json) | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => false,
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Counter | FieldKind::Text { .. } => true,
    }
}

/// A word that stands behind a field, where the colon is part of no name.
fn no_direction(place: &str, word: &str) -> InvalidFilter {
    InvalidFilter::new(place, &format!("`{word}` is no direction: write {}", WORDS.join(", ")))
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

/// Order of two records, strings by code point.
pub fn compare_records(orders: &[Order], a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    orders.iter().fold(Ordering::Equal, |so_far, key| {
        so_far.then_with(|| compare_values(key, value_at(a, &key.field), value_at(b, &key.field)))
    })
}

/// Order of two values of one key.
pub fn compare_values(key: &Order, a: &Value, b: &Value) -> Ordering {
    if a.is_null() != b.is_null() {
        let first = if key.nulls == Nulls::First { a } else { b };
        return if first.is_null() { Ordering::Less } else { Ordering::Greater };
    }
    let ordering = order(a, b).unwrap_or_else(|| rank(a).cmp(&rank(b)));
    if key.descending { ordering.reverse() } else { ordering }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 1,
        Value::String(_) | Value::Array(_) | Value::Object(_) => 2,
    }
}
