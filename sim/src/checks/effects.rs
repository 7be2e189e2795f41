//! A write does what it says, and nothing else, where it was made.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_schema::{FieldKind, Managed, Model, Scalar};

use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::Action;
use crate::world::{Happened, World, Written};

/// What a write returned is what was there before with what was asked for.
#[derive(Default)]
pub(super) struct DoesWhatItSays {
    decided: u64,
}

impl Check for DoesWhatItSays {
    about!(
        "write-does-what-it-says",
        "What a write returned is the record as it was, with what was asked for and nothing else: positions in texts \
         are code points, an increment adds, an added element is there, no other field changes; and what others may undo at the same \
         time makes a change even if it seems to be so already."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        let schema = world.nodes()[*node].told_schema();
        let Some(model) = schema.and_then(|schema| schema.model(&write.model)) else { return Ok(()) };
        self.decided += 1;
        makes_a_change(model, write)
            .and_then(|()| says(model, write))
            .map_err(|message| Broken::new([*node], message).at(world, self.name()))
    }
}

/// Some edits make a change whatever stands there: without one, who does the opposite at the same time would win.
#[expect(clippy::wildcard_enum_match_arm, reason = "other edits may find that there is nothing to do")]
fn makes_a_change(model: &Model, write: &Written) -> Result<(), String> {
    let must = match &write.action {
        Action::Add { .. } | Action::Undelete { .. } | Action::Delete { .. } => true,
        Action::Increment { by, .. } => *by != 0,
        Action::Splice { insert, .. } => !insert.is_empty(),
        _ => false,
    };
    if !must || model.local || write.counters.0 > 0 {
        return Ok(());
    }
    let (event, name) = (write.event, write.action.name());
    Err(format!("event {event} ({name}) on {} {} made no change", write.model, write.id))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other actions are no edits of a record that is there")]
fn says(model: &Model, write: &Written) -> Result<(), String> {
    let (Some(before), Some(after)) = (&write.before, &write.after) else { return Ok(()) };
    let expected: BTreeMap<&str, Value> = match &write.action {
        Action::Increment { field, by, .. } => {
            BTreeMap::from([(field.as_str(), Value::from(number(before, field) + by))])
        }
        Action::Splice { field, place, delete, insert, .. } => {
            BTreeMap::from([(field.as_str(), Value::from(spliced(&text(before, field), *place, *delete, insert)))])
        }
        Action::Add { field, element, .. } if !has(after, field, element) => {
            return Err(format!("event {} added {element} to {field}, and it is not there", write.event));
        }
        Action::Add { field, element, .. } if write.counters == (0, 0) => {
            return Err(format!("event {} added {element} to {field} and made no change of it", write.event));
        }
        Action::Remove { field, element, .. } if has(after, field, element) => {
            return Err(format!("event {} removed {element} from {field}, and it is there", write.event));
        }
        Action::Add { field, .. } | Action::Remove { field, .. } => BTreeMap::from([(field.as_str(), Value::Null)]),
        Action::Update { values, .. } => values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
        _ => return Ok(()),
    };
    for field in model.fields.iter().filter(|field| field.managed == Managed::No) {
        let (was, is) = (before.get(&field.name), after.get(&field.name));
        let asked = expected.get(field.name.as_str());
        let right = match (asked, &field.kind) {
            (None, _) => was == is,
            (Some(asked), FieldKind::Counter | FieldKind::Text { .. } | FieldKind::Enum(_)) => {
                is == Some(asked) || is_empty(asked) && is.is_none_or(is_empty)
            }
            (Some(asked), FieldKind::Scalar(Scalar::Int | Scalar::Boolean | Scalar::String)) => {
                is.unwrap_or(&Value::Null) == asked
            }
            // Other kinds have several spellings of one value.
            (Some(_), FieldKind::Scalar(_) | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_)) => true,
        };
        if !right {
            let of = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            return Err(format!(
                "event {} ({}) turned {} of {} {} from {} into {}, and {} was asked for",
                write.event,
                write.action.name(),
                field.name,
                write.model,
                write.id,
                of(was),
                of(is),
                asked.map_or_else(|| "no change of it".to_owned(), Value::to_string)
            ));
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("") || value.as_i64() == Some(0)
}

fn number(record: &Map<String, Value>, field: &str) -> i64 {
    record.get(field).and_then(Value::as_i64).unwrap_or(0)
}

fn text(record: &Map<String, Value>, field: &str) -> String {
    record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn has(record: &Map<String, Value>, field: &str, element: &Value) -> bool {
    record.get(field).and_then(Value::as_array).is_some_and(|elements| elements.contains(element))
}

/// Where a splice begins, and how many code points it takes out.
pub(super) fn place_of(length: usize, place: u32, delete: u32) -> (usize, usize) {
    let at = length * (place as usize).min(1_000) / 1_000;
    (at, (delete as usize).min(length - at))
}

fn spliced(before: &str, place: u32, delete: u32, insert: &str) -> String {
    let characters: Vec<char> = before.chars().collect();
    let (at, delete) = place_of(characters.len(), place, delete);
    characters[..at].iter().copied().chain(insert.chars()).chain(characters[at + delete..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::reads::tests::written;
    use super::*;

    const SDL: &str = "type Todo @model { title: String notes: String @text likes: Int @counter tags: [String] @set }";

    fn judge(action: Action, before: Value, after: Value) -> Result<(), String> {
        let schema = syncline_schema::parse("a.graphql", SDL).unwrap().schema;
        says(schema.model("Todo").unwrap(), &written(1, action, before, after))
    }

    fn splice(insert: &str) -> Action {
        let (node, field, insert) = ("n0".to_owned(), "notes".to_owned(), insert.to_owned());
        Action::Splice { node, record: 1, field, place: 500, delete: 1, insert }
    }

    #[test]
    fn positions_are_code_points() {
        let record = |notes: &str| json!({"title": "t", "notes": notes, "likes": 1});
        assert!(judge(splice("x"), record("äöüß"), record("äöxß")).is_ok());
        assert!(judge(splice("x"), record("äöüß"), record("äxüß")).is_err());
    }

    #[test]
    fn an_addition_of_what_is_there_makes_a_change() {
        let schema = syncline_schema::parse("a.graphql", SDL).unwrap().schema;
        let action = Action::Add { node: String::new(), record: 1, field: "tags".to_owned(), element: json!("a") };
        let mut write = written(1, action, json!({"tags": ["a"]}), json!({"tags": ["a"]}));
        assert!(makes_a_change(schema.model("Todo").unwrap(), &write).is_ok());
        write.counters = (0, 0);
        assert!(makes_a_change(schema.model("Todo").unwrap(), &write).is_err());
    }

    #[test]
    fn an_edit_of_one_field_that_changes_another_is_noticed() {
        let (node, field) = ("n0".to_owned(), "likes".to_owned());
        let action = || Action::Increment { node: node.clone(), record: 1, field: field.clone(), by: 2 };
        let record = |title: &str, likes: i64| json!({"title": title, "likes": likes});
        assert!(judge(action(), record("t", 1), record("t", 3)).is_ok());
        assert!(judge(action(), record("t", 1), record("t", 2)).is_err());
        assert!(judge(action(), record("t", 1), record("u", 3)).is_err());
    }

    #[test]
    fn an_added_element_must_be_there_and_a_removed_one_not() {
        let (node, field, element) = ("n0".to_owned(), "tags".to_owned(), json!("a"));
        let add = Action::Add { node: node.clone(), record: 1, field: field.clone(), element: element.clone() };
        let remove = Action::Remove { node, record: 1, field, element };
        let record = |tags: Value| json!({"tags": tags});
        assert!(judge(add.clone(), record(json!([])), record(json!(["a"]))).is_ok());
        assert!(judge(add, record(json!([])), record(json!([]))).is_err());
        assert!(judge(remove.clone(), record(json!(["a"])), record(json!([]))).is_ok());
        assert!(judge(remove, record(json!(["a"])), record(json!(["a"]))).is_err());
    }
}
