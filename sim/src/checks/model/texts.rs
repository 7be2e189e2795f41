//! Texts: what was typed and not deleted by who saw it, in its order.

use std::collections::BTreeMap;

use serde_json::Value;
use syncline_schema::FieldKind;

use super::super::effects::place_of;
use super::{History, Judged, after, before, names};
use crate::schedule::Action;
use crate::world::Written;

/// How often characters occur.
type Counts = BTreeMap<char, i64>;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let Some(shown) = history.shown else { return Ok(0) };
    if !history.is_whole() {
        return Ok(0);
    }
    let mut decided = 0;
    for field in history.fields().filter(|field| matches!(field.kind, FieldKind::Text { .. })) {
        let is = text(shown.get(&field.name));
        let edits: Vec<Edit> = edits(history, &field.name);
        if edits.iter().any(|edit| !edit.is_plain) {
            continue;
        }
        let (mut typed, mut deleted) = (Counts::new(), Counts::new());
        for edit in &edits {
            count(&mut typed, &edit.typed, 1);
            count(&mut deleted, &edit.deleted, 1);
        }
        within(&field.name, &is, &typed, &deleted)?;
        if typed.values().all(|times| *times == 1) {
            exact(&field.name, &is, &edits)?;
        }
        decided += 1;
    }
    Ok(decided)
}

/// What one write did to the text.
struct Edit {
    typed: String,
    deleted: String,
    /// The text that its writer saw then.
    after: String,
    /// Whether what it typed and deleted is certain.
    is_plain: bool,
}

fn edits(history: &History<'_>, field: &str) -> Vec<Edit> {
    let creates = history.creates();
    let mut first_texts: Vec<String> = Vec::new();
    let mut edits = Vec::new();
    for write in history.writes.iter().filter(|write| names(write, field)) {
        let mut edit = edit(write, field);
        if creates.iter().any(|create| std::ptr::eq(*create, *write)) {
            // Equal first texts under one key are one text.
            if first_texts.contains(&edit.typed) {
                edit.typed.clear();
            } else {
                first_texts.push(edit.typed.clone());
            }
        }
        edits.push(edit);
    }
    edits
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are known by what they left")]
fn edit(write: &Written, field: &str) -> Edit {
    let (was, is) = (text(before(write, field)), text(after(write, field)));
    let (typed, deleted, is_plain) = match &write.action {
        Action::Splice { place, delete, insert, .. } => {
            let characters: Vec<char> = was.chars().collect();
            let (at, count) = place_of(characters.len(), *place, *delete);
            (insert.clone(), characters[at..at + count].iter().collect(), true)
        }
        _ if was.is_empty() => (is.clone(), String::new(), true),
        _ if is.is_empty() => (String::new(), was.clone(), true),
        // A diff: what stays, and in what order, must be plain.
        _ => {
            let typed: String = is.chars().filter(|character| !was.contains(*character)).collect();
            let deleted: String = was.chars().filter(|character| !is.contains(*character)).collect();
            let once = |text: &str| text.chars().all(|character| text.matches(character).count() == 1);
            let stays = |text: &str, other: &str| -> String {
                text.chars().filter(|character| other.contains(*character)).collect()
            };
            let is_plain = once(&was) && once(&is) && stays(&was, &is) == stays(&is, &was);
            (typed, deleted, is_plain)
        }
    };
    Edit { typed, deleted, after: is, is_plain }
}

/// No character oftener than it was typed, none rarer than if each deletion had taken another one.
fn within(field: &str, is: &str, typed: &Counts, deleted: &Counts) -> Result<(), String> {
    let mut stands = Counts::new();
    count(&mut stands, is, 1);
    for character in typed.keys().chain(stands.keys()) {
        let of = |counts: &Counts| counts.get(character).copied().unwrap_or(0);
        let (most, least) = (of(typed), of(typed) - of(deleted));
        let times = of(&stands);
        if times > most || times < least {
            return Err(format!(
                "{field} has {character:?} {times} times; it was typed {most} times and deleted {} times",
                of(deleted)
            ));
        }
    }
    Ok(())
}

/// Where each character was typed once: it stands unless it was deleted, and where two stood in some order once, they
/// stand in that order.
fn exact(field: &str, is: &str, edits: &[Edit]) -> Result<(), String> {
    let deleted = |character: &char| edits.iter().any(|edit| edit.deleted.contains(*character));
    for character in is.chars() {
        if deleted(&character) {
            return Err(format!("{field} has {character:?}, which was deleted"));
        }
    }
    for edit in edits {
        let here: Vec<char> = edit.after.chars().filter(|character| is.contains(*character)).collect();
        let there: Vec<char> = is.chars().filter(|character| edit.after.contains(*character)).collect();
        if here != there {
            return Err(format!(
                "{field} has characters in another order than a writer saw: {here:?} became {there:?}"
            ));
        }
    }
    Ok(())
}

fn count(counts: &mut Counts, text: &str, by: i64) {
    for character in text.chars() {
        *counts.entry(character).or_default() += by;
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Story, create};
    use super::*;

    fn splice(place: u32, delete: u32, insert: &str) -> Action {
        let (field, insert) = ("notes".to_owned(), insert.to_owned());
        Action::Splice { node: String::new(), record: 1, field, place, delete, insert }
    }

    fn notes(text: &str) -> Value {
        json!({ "notes": text })
    }

    /// `abcd`; one types `xy` behind it, another one takes `a` out.
    fn story() -> Story {
        Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, notes("abcd"))
            .write(1, [1, 0], splice(1_000, 0, "xy"), notes("abcd"), notes("abcdxy"))
            .write(2, [1, 0], splice(0, 1, ""), notes("abcd"), notes("bcd"))
    }

    #[test]
    fn typed_and_not_deleted_in_order_is_right_and_all_else_is_noticed() {
        assert_eq!(story().judge(judge, notes("bcdxy")), Ok(1));
        for wrong in ["abcdxy", "bcdyx", "bcd", "cdxy", "bcdxyz", "bcdxxy", "xybcd"] {
            assert!(story().judge(judge, notes(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn where_characters_repeat_they_are_counted() {
        let story = Story::new("Todo").write(1, [0, 0], create(), Value::Null, notes("aa")).write(
            2,
            [1, 0],
            splice(0, 1, ""),
            notes("aa"),
            notes("a"),
        );
        assert_eq!(story.judge(judge, notes("a")), Ok(1));
        assert!(story.judge(judge, notes("")).is_err());
        assert!(story.judge(judge, notes("aaa")).is_err());
    }
}
