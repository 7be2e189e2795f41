//! Scalars: one of the writes that no other write had seen.

use serde_json::Value;
use syncline_schema::{FieldKind, Merge};

use super::{History, Judged, after, before, names};
use crate::schedule::Action;
use crate::world::Written;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let Some(shown) = history.shown else { return Ok(0) };
    if !history.is_whole() {
        return Ok(0);
    }
    let scalars = history.fields().filter(|field| matches!(field.kind, FieldKind::Scalar(_) | FieldKind::Enum(_)));
    let mut decided = 0;
    for field in scalars {
        let is = shown.get(&field.name).filter(|value| !value.is_null());
        let newest = newest(history, &field.name);
        let values: Vec<Option<&Value>> = newest.iter().map(|write| after(write, &field.name)).collect();
        if values.is_empty() {
            continue;
        }
        if !values.contains(&is) {
            let (is, values) = (text(is), values.into_iter().map(text).collect::<Vec<_>>().join(" and "));
            return Err(format!("{} is {is}, and its newest writes say {values}", field.name));
        }
        // A write of what stood there already may have made no change.
        let certain = newest.iter().all(|write| {
            matches!(write.action, Action::Create { .. }) || before(write, &field.name) != after(write, &field.name)
        });
        let chosen = match field.merge {
            Merge::Max if certain => extreme(&values, 1),
            Merge::Min if certain => extreme(&values, -1),
            Merge::Max | Merge::Min | Merge::Winner | Merge::Latest => None,
        };
        if let Some(chosen) = chosen
            && is != Some(chosen)
        {
            let of = values.iter().map(|value| text(*value)).collect::<Vec<_>>().join(" and ");
            return Err(format!("{} is {}, and of {of} it should be {chosen}", field.name, text(is)));
        }
        decided += 1;
    }
    Ok(decided)
}

/// Writes of the field that no other write of it had seen.
fn newest<'a>(history: &History<'a>, field: &str) -> Vec<&'a Written> {
    let writes: Vec<&Written> = history.writes.iter().filter(|write| names(write, field)).copied().collect();
    writes.iter().filter(|write| !writes.iter().any(|later| History::sees(later, write))).copied().collect()
}

/// The greatest (1) or smallest (-1) number or text; `None` where that is not plain.
fn extreme<'v>(values: &[Option<&'v Value>], sign: i64) -> Option<&'v Value> {
    let given: Vec<&Value> = values.iter().flatten().copied().collect();
    if let Some(numbers) = given.iter().map(|value| value.as_i64()).collect::<Option<Vec<i64>>>() {
        let at = numbers.iter().enumerate().max_by_key(|(_, number)| **number * sign)?.0;
        return Some(given[at]);
    }
    let texts = given.iter().map(|value| value.as_str()).collect::<Option<Vec<&str>>>()?;
    let all = texts.iter().enumerate();
    let at = if sign > 0 { all.max_by_key(|(_, text)| **text)? } else { all.min_by_key(|(_, text)| **text)? }.0;
    Some(given[at])
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "null".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Story, create, update};
    use super::*;

    fn story(field: &str, first: Value, [one, other]: [Value; 2], seen: u64) -> Story {
        let record = |value: &Value| json!({field: value});
        Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, record(&first))
            .write(1, [1, 0], update(record(&one)), record(&first), record(&one))
            .write(2, [seen, 0], update(record(&other)), record(&first), record(&other))
    }

    #[test]
    fn one_of_the_newest_writes_shows() {
        let apart = story("title", json!("a"), [json!("b"), json!("c")], 1);
        assert!(apart.judge(judge, json!({"title": "b"})).is_ok());
        assert!(apart.judge(judge, json!({"title": "c"})).is_ok());
        assert!(apart.judge(judge, json!({"title": "a"})).is_err());
        assert!(apart.judge(judge, json!({})).is_err());
        let after = story("title", json!("a"), [json!("b"), json!("c")], 2);
        assert!(after.judge(judge, json!({"title": "b"})).is_err());
    }

    #[test]
    fn of_concurrent_values_the_greatest_shows_where_the_schema_says_so() {
        let apart = story("best", json!(1), [json!(7), json!(5)], 1);
        assert_eq!(apart.judge(judge, json!({"best": 7})), Ok(2));
        assert!(apart.judge(judge, json!({"best": 5})).is_err());
        let after = story("best", json!(1), [json!(7), json!(5)], 2);
        assert_eq!(after.judge(judge, json!({"best": 5})), Ok(2));
    }
}
