//! The reference evaluation: what a filter means, in plain Rust.

use serde_json::{Map, Value};
use std::cmp::Ordering;

use super::related::{Nobody, Related};
use super::{Comparison, Filter};

impl Filter {
    /// Whether a record in JSON matches, all by itself: relations lead nowhere. The filter should be resolved against
    /// the record's model.
    pub fn matches(&self, record: &Map<String, Value>) -> bool {
        self.matches_with(record, &Nobody)
    }

    /// Whether a record in JSON matches; `related` knows where its relations lead. The filter should be resolved
    /// against the record's model.
    pub fn matches_with(&self, record: &Map<String, Value>, related: &dyn Related) -> bool {
        match self {
            Self::All => true,
            Self::And(all) => all.iter().all(|filter| filter.matches_with(record, related)),
            Self::Or(any) => any.iter().any(|filter| filter.matches_with(record, related)),
            Self::Not(filter) => !filter.matches_with(record, related),
            Self::Related { relation, filter } => {
                related.any(record, relation, &mut |record, related| filter.matches_with(record, related))
            }
            Self::Compare { field, op, value } => compares(at(record, field), *op, value),
            Self::Between { field, low, high } => {
                let value = at(record, field);
                compares(value, Comparison::Ge, low) && compares(value, Comparison::Le, high)
            }
            Self::In { field, values } => values.iter().any(|value| equal(at(record, field), value)),
            Self::Contains { field, value } => match (at(record, field), value) {
                (Value::String(text), Value::String(part)) => text.contains(part),
                (Value::Array(items), value) => items.iter().any(|item| equal(item, value)),
                _ => false,
            },
            Self::BeginsWith { field, prefix } => {
                at(record, field).as_str().is_some_and(|text| text.starts_with(prefix))
            }
        }
    }
}

/// What stands at a field or path; null where nothing does.
pub(super) fn at<'a>(record: &'a Map<String, Value>, path: &str) -> &'a Value {
    let mut steps = path.split('.');
    let first = steps.next().and_then(|name| record.get(name));
    steps.fold(first, |value, name| value?.get(name)).unwrap_or(&Value::Null)
}

fn compares(value: &Value, op: Comparison, with: &Value) -> bool {
    match op {
        Comparison::Eq => equal(value, with),
        Comparison::Ne => !equal(value, with),
        Comparison::Lt => order(value, with).is_some_and(Ordering::is_lt),
        Comparison::Le => order(value, with).is_some_and(Ordering::is_le),
        Comparison::Gt => order(value, with).is_some_and(Ordering::is_gt),
        Comparison::Ge => order(value, with).is_some_and(Ordering::is_ge),
    }
}

pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => order(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

/// Order of two values of one type; `None` for null and for types that have none.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        _ => None,
    }
}
