//! Sets: additions win over removals that did not see them.

use std::collections::BTreeSet;

use serde_json::Value;
use syncline_schema::FieldKind;

use super::{History, Judged, after, before, names};
use crate::schedule::Action;
use crate::world::Written;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let Some(shown) = history.shown else { return Ok(0) };
    if !history.is_whole() {
        return Ok(0);
    }
    let mut decided = 0;
    for field in history.fields().filter(|field| matches!(field.kind, FieldKind::Set(_))) {
        let expected = expected(history, &field.name);
        let is = texts(shown.get(&field.name));
        if let Some(element) = expected.symmetric_difference(&is).next() {
            let (is, not) = if is.contains(element) { ("is", "should not be") } else { ("is not", "should be") };
            return Err(format!("{element} {is} in {} and {not}", field.name));
        }
        decided += 1;
    }
    Ok(decided)
}

fn expected(history: &History<'_>, field: &str) -> BTreeSet<String> {
    let writes = || history.writes.iter().filter(|write| names(write, field));
    let mut expected = BTreeSet::new();
    for write in writes() {
        for element in added(write, field) {
            let gone = writes().any(|later| History::sees(later, write) && removed(later, field).contains(&element));
            if !gone {
                expected.insert(element);
            }
        }
    }
    expected
}

fn added(write: &Written, field: &str) -> BTreeSet<String> {
    if let Action::Add { element, .. } = &write.action {
        // Adding what is there is an addition too.
        return BTreeSet::from([element.to_string()]);
    }
    &texts(after(write, field)) - &texts(before(write, field))
}

fn removed(write: &Written, field: &str) -> BTreeSet<String> {
    &texts(before(write, field)) - &texts(after(write, field))
}

fn texts(elements: Option<&Value>) -> BTreeSet<String> {
    elements.and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Story, create};
    use super::*;

    fn add() -> Action {
        Action::Add { node: String::new(), record: 1, field: "tags".to_owned(), element: json!("a") }
    }

    fn remove() -> Action {
        Action::Remove { node: String::new(), record: 1, field: "tags".to_owned(), element: json!("a") }
    }

    #[test]
    fn an_addition_that_was_not_seen_wins() {
        let there = json!({"tags": ["a"]});
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, there.clone())
            .write(1, [1, 0], remove(), there.clone(), json!({"tags": []}))
            .write(2, [1, 0], add(), there.clone(), there.clone());
        assert_eq!(story.judge(judge, there.clone()), Ok(1));
        assert!(story.judge(judge, json!({"tags": []})).is_err());
    }

    #[test]
    fn a_removal_takes_what_it_saw() {
        let there = json!({"tags": ["a"]});
        let story = Story::new("Todo").write(1, [0, 0], create(), Value::Null, there.clone()).write(
            2,
            [1, 0],
            remove(),
            there.clone(),
            json!({"tags": []}),
        );
        assert_eq!(story.judge(judge, json!({"tags": []})), Ok(1));
        assert!(story.judge(judge, there).is_err());
    }
}
