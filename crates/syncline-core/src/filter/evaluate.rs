//! The reference evaluation: what a filter means, in plain Rust.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

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
            Self::Compare { field, op, value } => compares(value_at(record, field), *op, value),
            Self::Between { field, low, high } => {
                let value = value_at(record, field);
                compares(value, Comparison::Ge, low) && compares(value, Comparison::Le, high)
            }
            Self::In { field, values } => values.iter().any(|value| equal(value_at(record, field), value)),
            Self::Contains { field, value } => match (value_at(record, field), value) {
                (Value::String(text), Value::String(part)) => text.contains(part),
                (Value::Array(items), value) => items.iter().any(|item| equal(item, value)),
                _ => false,
            },
            Self::BeginsWith { field, prefix } => {
                value_at(record, field).as_str().is_some_and(|text| text.starts_with(prefix))
            }
        }
    }
}

/// What stands at a field or path of a record in JSON; null where nothing does.
pub fn value_at<'a>(record: &'a Map<String, Value>, path: &str) -> &'a Value {
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

/// A number that is the same for values that filters take to be equal, and another for most others. It may be another
/// in the next build.
pub fn equality_key(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(truth) => (1_u8, truth).hash(&mut hasher),
        // There are two zeros, which are equal.
        Value::Number(number) => (2_u8, (number.as_f64().unwrap_or_default() + 0.0).to_bits()).hash(&mut hasher),
        Value::String(text) => (3_u8, text).hash(&mut hasher),
        Value::Array(_) | Value::Object(_) => 4_u8.hash(&mut hasher),
    }
    hasher.finish()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2_i64..3).prop_map(Value::from),
            (-2_i8..3).prop_map(|number| Value::from(f64::from(number))),
            prop_oneof![Just(-0.0), Just(1e300), Just(9_007_199_254_740_992.0)].prop_map(Value::from),
            prop_oneof![Just(i64::MAX), Just(i64::MIN), Just((1 << 53) + 1)].prop_map(Value::from),
            Just(Value::from(u64::MAX)),
            "[a-c]{0,2}".prop_map(Value::from),
            Just(json!([1])),
            Just(json!({"a": 1})),
        ]
    }

    proptest! {
        #[test]
        fn equal_values_have_one_key(a in values(), b in values()) {
            prop_assert!(!equal(&a, &b) || equality_key(&a) == equality_key(&b));
        }
    }

    #[test]
    fn values_of_different_types_or_contents_have_different_keys() {
        let values = [json!(null), json!(false), json!(true), json!(0), json!(1), json!("0"), json!(""), json!([])];
        let keys: std::collections::BTreeSet<u64> = values.iter().map(equality_key).collect();
        assert_eq!(keys.len(), values.len());
    }
}
