//! `history`: how records came to be, for programs and for people.

use std::fmt::Display;
use std::io::IsTerminal;

use serde_json::Value;
use syncline::{ChangeEffect, HistoryEntry, Turn};

use crate::args::HistoryArgs;
use crate::failure::Outcome;
use crate::output::{Out, moment, stdout_is_colored, styled};
use crate::store;

/// Changes of all records that are shown unless more are asked for.
const RECENT: u64 = 100;

pub(crate) async fn run(args: HistoryArgs, out: &mut Out) -> Outcome {
    let mut entries = store::with(&args.db, async |store| {
        Ok(match (&args.model, &args.id, &args.field) {
            (Some(model), Some(id), Some(field)) => store.field_history(model, id, field).await?,
            (Some(model), Some(id), None) => store.history(model, id).await?,
            _ => store.recent_changes(args.limit.unwrap_or(RECENT)).await?,
        })
    })
    .await?;
    if let Some(limit) = args.limit {
        let skipped = entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        entries.drain(..skipped);
    }
    if args.json || !std::io::stdout().is_terminal() {
        return entries.iter().try_for_each(|entry| out.json(entry));
    }
    let text = Text { colored: stdout_is_colored(), names_record: args.id.is_none() };
    entries.iter().flat_map(|entry| text.of(entry)).try_for_each(|line| out.line(line))
}

/// One change in plain lines, the first of which says whose it is and when it was made.
pub(crate) fn lines(entry: &HistoryEntry) -> Vec<String> {
    Text { colored: false, names_record: false }.of(entry)
}

/// When a change was made. The initial text or list of a record with a key of its own has no time.
pub(crate) fn time(ms: i64) -> String {
    if ms == 0 { "–".to_owned() } else { moment(ms) }
}

/// `REPLICA:COUNTER` with the beginning of the replica id, as the lines of the list begin.
pub(crate) fn name(replica: &str, counter: u64) -> String {
    format!("{}:{counter}", replica.get(..8).unwrap_or(replica))
}

/// Changes as people read them.
struct Text {
    colored: bool,
    names_record: bool,
}

impl Text {
    /// A line that says whose change it is and when it was made, and one for each thing that it did.
    fn of(&self, entry: &HistoryEntry) -> Vec<String> {
        let mut head = self.styled(time(entry.time_ms), "2");
        head.push_str(&format!("  {}", self.styled(writer(entry), "36")));
        if self.names_record {
            head.push_str(&format!("  {} {}", entry.model, entry.id));
        }
        match entry.turn {
            Some(Turn::Undo) => head.push_str("  undo"),
            Some(Turn::Redo) => head.push_str("  redo"),
            None => {}
        }
        if !matches!(entry.kind, "applied" | "local") {
            head.push_str(&format!("  {}", self.styled(format_args!("[{}]", entry.kind), "33")));
        }
        for (what, names) in [("not knowing of", &entry.concurrent_with), ("joining", &entry.joins)] {
            // What has no time is the same from every writer, who knew of nothing when it was made.
            if !names.is_empty() && entry.time_ms != 0 {
                let names: Vec<String> = names.iter().map(|name| shortened(name)).collect();
                head.push_str(&self.styled(format_args!("  {what} {}", names.join(", ")), "2"));
            }
        }
        let mut lines = vec![head];
        lines.extend(entry.note.iter().map(|note| format!("  {note}")));
        lines.extend(entry.did.iter().flat_map(|effect| self.effect(effect)));
        lines
    }

    fn effect(&self, effect: &ChangeEffect) -> Vec<String> {
        let of = |field: &str, what: String| format!("  {}: {what}", self.styled(field, "1"));
        match effect {
            ChangeEffect::Created => vec!["  created".to_owned()],
            ChangeEffect::Deleted => vec!["  deleted".to_owned()],
            ChangeEffect::Undeleted => vec!["  brought back".to_owned()],
            ChangeEffect::Set { field, before, after } => vec![of(field, format!("{before} → {after}"))],
            ChangeEffect::Settled { field, kept, dropped } => {
                vec![of(field, format!("{kept}, settled against {}", listed(dropped)))]
            }
            ChangeEffect::Counted { field, by } => vec![of(field, format!("{by:+}"))],
            ChangeEffect::Added { field, elements } => vec![of(field, format!("with {}", listed(elements)))],
            ChangeEffect::Removed { field, elements } => vec![of(field, format!("without {}", listed(elements)))],
            ChangeEffect::Text { field, edits } => edits
                .iter()
                .map(|edit| of(field, replaced(edit.at, &quoted(&edit.removed), &quoted(&edit.inserted))))
                .collect(),
            ChangeEffect::Marked { field, marks } => marks
                .iter()
                .map(|mark| match &mark.value {
                    Value::Null => of(field, format!("unmarked {}", mark.name)),
                    Value::Bool(true) => of(field, format!("marked {}", mark.name)),
                    value => of(field, format!("marked {} {value}", mark.name)),
                })
                .collect(),
            ChangeEffect::List { field, edits } => edits
                .iter()
                .map(|edit| of(field, replaced(edit.at, &listed(&edit.removed), &listed(&edit.inserted))))
                .collect(),
            ChangeEffect::Unknown { key } => vec![format!("  wrote `{key}`, which this schema does not have")],
        }
    }

    fn styled(&self, text: impl Display, code: &str) -> String {
        styled(text, code, self.colored)
    }
}

fn writer(entry: &HistoryEntry) -> String {
    // A change of a `@local` model has no name.
    match (entry.replica.is_empty(), entry.mine) {
        (false, true) => format!("{} (this store)", name(&entry.replica, entry.counter)),
        (false, false) => name(&entry.replica, entry.counter),
        (true, _) => "(this store)".to_owned(),
    }
}

/// A change's whole name with the beginning of the replica id.
fn shortened(name: &str) -> String {
    match name.split_once(':') {
        Some((replica, counter)) => format!("{}:{counter}", replica.get(..8).unwrap_or(replica)),
        None => name.to_owned(),
    }
}

/// What went from a place of a text or list, and what came; either may be empty.
fn replaced(at: usize, gone: &str, come: &str) -> String {
    match (gone, come) {
        (gone, "") => format!("at {at} −{gone}"),
        ("", come) => format!("at {at} +{come}"),
        (gone, come) => format!("at {at} {gone} → {come}"),
    }
}

/// A text as JSON has it, or nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { Value::from(text).to_string() }
}

fn listed(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syncline::{ListEdited, MarkPut, TextEdited};

    use super::*;

    /// A change of this store, beside one of another.
    fn entry(time_ms: i64, did: Vec<ChangeEffect>, turn: Option<Turn>) -> HistoryEntry {
        HistoryEntry {
            seq: 1,
            model: "Todo".to_owned(),
            id: "id".to_owned(),
            replica: "3f2a1b2c000000000000000000000000".to_owned(),
            counter: 7,
            mine: true,
            hash: String::new(),
            time_ms,
            kind: "applied",
            did,
            concurrent_with: vec!["9f03aa1100000000:3".to_owned()],
            joins: Vec::new(),
            turn,
            note: None,
            deps: Vec::new(),
        }
    }

    #[test]
    fn a_change_is_told_as_people_read_it() {
        let entry = entry(
            951_782_400_000,
            vec![
                ChangeEffect::Undeleted,
                ChangeEffect::Set { field: "title".to_owned(), before: json!("a"), after: json!(null) },
                ChangeEffect::Settled { field: "room".to_owned(), kept: json!(1), dropped: vec![json!(2)] },
                ChangeEffect::Counted { field: "votes".to_owned(), by: 2 },
                ChangeEffect::Removed { field: "tags".to_owned(), elements: vec![json!("x"), json!("y")] },
                ChangeEffect::Text {
                    field: "body".to_owned(),
                    edits: vec![
                        TextEdited { at: 4, removed: "two".to_owned(), inserted: "2".to_owned() },
                        TextEdited { at: 9, removed: String::new(), inserted: "\"".to_owned() },
                    ],
                },
                ChangeEffect::Marked {
                    field: "body".to_owned(),
                    marks: vec![MarkPut { name: "bold".to_owned(), value: json!(true) }],
                },
                ChangeEffect::List {
                    field: "steps".to_owned(),
                    edits: vec![ListEdited { at: 0, removed: vec![json!("x")], inserted: vec![] }],
                },
            ],
            Some(Turn::Undo),
        );
        let lines = Text { colored: false, names_record: true }.of(&entry);
        let expected = [
            "2000-02-29 00:00:00  3f2a1b2c:7 (this store)  Todo id  undo  not knowing of 9f03aa11:3",
            "  brought back",
            "  title: \"a\" → null",
            "  room: 1, settled against 2",
            "  votes: +2",
            "  tags: without \"x\", \"y\"",
            "  body: at 4 \"two\" → \"2\"",
            "  body: at 9 +\"\\\"\"",
            "  body: marked bold",
            "  steps: at 0 −\"x\"",
        ];
        assert_eq!(lines, expected);
    }

    /// A record's own first text was told as if it came from 1970 and from somebody who did not know of the record.
    #[test]
    fn the_initial_text_of_a_record_has_no_time_and_is_concurrent_with_nothing() {
        let edits = vec![TextEdited { at: 0, removed: String::new(), inserted: "hey".to_owned() }];
        let told = lines(&entry(0, vec![ChangeEffect::Text { field: "body".to_owned(), edits }], None));
        assert_eq!(told, ["–  3f2a1b2c:7 (this store)", "  body: at 0 +\"hey\""]);
    }
}
