//! Lists: what was put in, and not more often.

use std::collections::BTreeMap;

use serde_json::Value;
use syncline_schema::FieldKind;

use super::{History, Judged, after, before, names};
use crate::world::Written;

/// How often elements occur, by their JSON.
type Counts = BTreeMap<String, i64>;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let Some(shown) = history.shown else { return Ok(0) };
    if !history.is_whole() {
        return Ok(0);
    }
    let mut decided = 0;
    for field in history.fields().filter(|field| matches!(field.kind, FieldKind::List(_))) {
        let is = counts(shown.get(&field.name));
        let edits = edits(history, &field.name);
        let mut most = Counts::new();
        for (_, edit) in &edits {
            for (element, times) in &edit.put_in {
                *most.entry(element.clone()).or_default() += times;
            }
        }
        for (element, times) in &is {
            let most = most.get(element).copied().unwrap_or(0);
            if *times > most {
                return Err(format!("{} has {element} {times} times, and it was put in {most} times", field.name));
            }
        }
        for (write, edit) in &edits {
            for element in edit.new.iter().filter(|element| !is.contains_key(*element)) {
                let taken = edits.iter().any(|(later, other)| History::sees(later, write) && other.took(element));
                if !taken {
                    return Err(format!("{} lacks {element}, which nobody took out", field.name));
                }
            }
        }
        decided += 1;
    }
    Ok(decided)
}

/// What one write did to the list.
struct Edit {
    /// Elements that came in, or may have been taken out and put in elsewhere.
    put_in: Counts,
    /// Elements that were not there before.
    new: Vec<String>,
    taken: Counts,
    /// The order of what stayed is another.
    moved: bool,
}

impl Edit {
    fn took(&self, element: &str) -> bool {
        self.moved || self.taken.contains_key(element)
    }
}

fn edits<'a>(history: &History<'a>, field: &str) -> Vec<(&'a Written, Edit)> {
    let creates = history.creates();
    let mut first_lists: Vec<Counts> = Vec::new();
    let mut edits = Vec::new();
    for write in history.writes.iter().filter(|write| names(write, field)) {
        let mut edit = edit(write, field);
        if creates.iter().any(|create| std::ptr::eq(*create, *write)) {
            // Equal first lists under one key are one list.
            if first_lists.contains(&edit.put_in) {
                edit.put_in.clear();
                edit.new.clear();
            } else {
                first_lists.push(edit.put_in.clone());
            }
        }
        edits.push((*write, edit));
    }
    edits
}

fn edit(write: &Written, field: &str) -> Edit {
    let (was, is) = (counts(before(write, field)), counts(after(write, field)));
    let (old, new) = (texts(before(write, field)), texts(after(write, field)));
    let stays = |list: &[String], other: &Counts| -> Vec<String> {
        list.iter().filter(|element| other.contains_key(*element)).cloned().collect()
    };
    // Repeated elements make it uncertain which of them a diff keeps.
    let repeats = was.values().chain(is.values()).any(|times| *times > 1);
    let moved = repeats || stays(&old, &is) != stays(&new, &was);
    let more = |left: &Counts, right: &Counts| -> Counts {
        let more = left.iter().map(|(element, times)| (element.clone(), times - right.get(element).unwrap_or(&0)));
        more.filter(|(_, times)| *times > 0).collect()
    };
    let put_in = if moved { is.clone() } else { more(&is, &was) };
    let new = is.keys().filter(|element| !was.contains_key(*element)).cloned().collect();
    Edit { put_in, new, taken: more(&was, &is), moved }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

fn counts(list: Option<&Value>) -> Counts {
    let mut counts = Counts::new();
    for element in texts(list) {
        *counts.entry(element).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Story, create, update};
    use super::*;

    fn steps(list: &[&str]) -> Value {
        json!({ "steps": list })
    }

    #[test]
    fn concurrent_insertions_are_all_there_once() {
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, steps(&["a", "b"]))
            .write(1, [1, 0], update(steps(&["a", "b", "c"])), steps(&["a", "b"]), steps(&["a", "b", "c"]))
            .write(2, [1, 0], update(steps(&["b", "d"])), steps(&["a", "b"]), steps(&["b", "d"]));
        assert_eq!(story.judge(judge, steps(&["b", "c", "d"])), Ok(1));
        for wrong in [&["b", "b", "c", "d"][..], &["b", "c"], &["b", "c", "d", "e"]] {
            assert!(story.judge(judge, steps(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_repeated_element_that_two_edits_keep_in_part_may_go() {
        // One keeps the first `a`, the other the second: each diff takes out the other's, and neither says so.
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, steps(&["a", "a"]))
            .write(1, [1, 0], update(steps(&["a"])), steps(&["a", "a"]), steps(&["a"]))
            .write(2, [1, 0], update(steps(&["a", "b"])), steps(&["a", "a"]), steps(&["a", "b"]));
        assert_eq!(story.judge(judge, steps(&["b"])), Ok(1));
    }

    #[test]
    fn what_two_move_may_be_there_twice() {
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, steps(&["a", "b"]))
            .write(1, [1, 0], update(steps(&["b", "a"])), steps(&["a", "b"]), steps(&["b", "a"]))
            .write(2, [1, 0], update(steps(&["b", "a"])), steps(&["a", "b"]), steps(&["b", "a"]));
        assert_eq!(story.judge(judge, steps(&["b", "a", "a"])), Ok(1));
    }
}
