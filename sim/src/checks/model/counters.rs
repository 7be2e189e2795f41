//! Counters: the sum of what survived.

use serde_json::Value;
use syncline_schema::FieldKind;

use super::{History, Judged, after, before, names};
use crate::world::Written;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let Some(shown) = history.shown else { return Ok(0) };
    if !history.is_whole() {
        return Ok(0);
    }
    let mut decided = 0;
    for field in history.fields().filter(|field| field.kind == FieldKind::Counter) {
        let sum: i64 = history.writes.iter().map(|write| effect(write, &field.name)).sum();
        let is = shown.get(&field.name).and_then(Value::as_i64).unwrap_or(0);
        if is != sum {
            return Err(format!("{} is {is}, and what survived of its increments makes {sum}", field.name));
        }
        decided += 1;
    }
    Ok(decided)
}

fn effect(write: &Written, field: &str) -> i64 {
    if !names(write, field) {
        return 0;
    }
    let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
    number(after(write, field)) - number(before(write, field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Story, create};
    use super::*;
    use crate::schedule::Action;

    fn increment(by: i64) -> Action {
        Action::Increment { node: String::new(), record: 1, field: "points".to_owned(), by }
    }

    #[test]
    fn concurrent_increments_add_up_and_anything_else_is_noticed() {
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, json!({"points": 2}))
            .write(1, [1, 0], increment(3), json!({"points": 2}), json!({"points": 5}))
            .write(2, [1, 0], increment(4), json!({"points": 2}), json!({"points": 6}));
        assert_eq!(story.judge(judge, json!({"points": 9})), Ok(1));
        assert!(story.judge(judge, json!({"points": 6})).is_err());
        assert_eq!(story.judge(judge, Value::Null), Ok(0));
    }
}
