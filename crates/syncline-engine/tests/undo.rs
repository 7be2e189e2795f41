//! Undoing own edits and redoing them, alone and among others' edits.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::session::SessionStore as _;
use syncline_engine::{Result, Source, Store, StoreError, Tx};

const SDL: &str = r#"
type Note @model {
  id: ID!
  title: String
  level: Int
  best: Int @merge(with: max)
  votes: Int @counter
  tags: [String] @set
  steps: [Step]
  words: [String]
  body: String @text
  place: Place
}
type Sticky @model(deletes: "update-wins") { id: ID! title: String level: Int }
type Page @model { name: String! @primaryKey title: String body: String @text votes: Int @counter }
type Draft @model @local { id: ID! title: String body: String @text }
type Rich @model { id: ID! body: String @text(rich: true) }
type Step { name: String done: Boolean }
type Place { city: String zip: Int }
"#;

struct Desk {
    bed: Bed,
    store: Store,
    now: i64,
}

impl Desk {
    fn new(seed: u8) -> Self {
        let mut bed = Bed::new(seed);
        let store = bed.open_with(Some(SDL));
        Self { bed, store, now: 1_800_000_000_000 }
    }

    fn write<T>(&mut self, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.now += 1;
        self.store.write(self.now, |tx| tx.single(act))
    }

    fn save(&mut self, model: &str, record: Value) -> String {
        id_of(&self.write(|tx| tx.save(model, &map(record), Source::App)).unwrap().record)
    }

    fn update(&mut self, model: &str, id: &str, patch: Value) {
        self.write(|tx| tx.update(model, id, &map(patch))).unwrap();
    }

    fn undo(&mut self, model: &str, id: &str) -> Result<Map<String, Value>> {
        Ok(self.write(|tx| tx.undo(model, id))?.record)
    }

    fn redo(&mut self, model: &str, id: &str) -> Result<Map<String, Value>> {
        Ok(self.write(|tx| tx.redo(model, id))?.record)
    }

    fn shows(&mut self, model: &str, id: &str) -> Option<Map<String, Value>> {
        let shown = self.write(|tx| tx.get(model, id)).unwrap();
        shown.map(without_times)
    }
}

fn id_of(record: &Map<String, Value>) -> String {
    record.get("id").or_else(|| record.get("name")).unwrap().as_str().unwrap().to_owned()
}

fn without_times(mut record: Map<String, Value>) -> Map<String, Value> {
    record.shift_remove("updatedAt");
    record
}

fn exchange(to: &mut Desk, from: &mut Desk) {
    let known = from.store.genesis_for(&["Note", "Sticky", "Page", "Rich"]).unwrap();
    to.store.learn_genesis(&known).unwrap();
    let rows = rows(&mut from.store, 0);
    let applied = apply(&mut to.store, &rows);
    assert_eq!(applied.quarantined, 0, "peers take every undo");
}

/// Two stores with the same note.
fn two(record: Value) -> (Desk, Desk, String) {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let id = a.save("Note", record);
    exchange(&mut b, &mut a);
    (a, b, id)
}

fn meet(a: &mut Desk, b: &mut Desk, id: &str) -> Map<String, Value> {
    exchange(a, b);
    exchange(b, a);
    let shown = a.shows("Note", id).unwrap();
    assert_eq!(Some(&shown), b.shows("Note", id).as_ref());
    assert_verified(&a.store);
    assert_verified(&b.store);
    shown
}

const FULL: &str = r#"{"title":"t","level":1,"best":3,"votes":2,"tags":["a","b"],"steps":[{"name":"x","done":true}],
  "words":["one","two"],"body":"hello world","place":{"city":"Bern","zip":3000}}"#;

fn full() -> Value {
    serde_json::from_str(FULL).unwrap()
}

#[test]
fn each_kind_of_edit_is_undone_and_redone() {
    let mut desk = Desk::new(1);
    let id = desk.save("Note", full());
    type Edit = fn(&mut Tx<'_>, &str) -> Result<syncline_engine::Saved>;
    let patch = |tx: &mut Tx<'_>, id: &str, patch: Value| tx.update("Note", id, &map(patch));
    let edits: Vec<Edit> = vec![
        |tx, id| tx.update("Note", id, &map(json!({"title": "new", "level": null}))),
        |tx, id| tx.update("Note", id, &map(json!({"best": 1}))),
        |tx, id| tx.increment("Note", id, "votes", 7),
        |tx, id| tx.add("Note", id, "tags", &json!("c")),
        |tx, id| tx.remove("Note", id, "tags", &json!("a")),
        |tx, id| tx.splice("Note", id, "body", 5, 6, ", wörld 😀"),
        |tx, id| tx.update("Note", id, &map(json!({"words": ["two", "three", "one"]}))),
        |tx, id| tx.update("Note", id, &map(json!({"steps": [{"name": "y"}, {"name": "x", "done": true}]}))),
        |tx, id| tx.update("Note", id, &map(json!({"steps": [], "words": null, "body": null}))),
        |tx, id| tx.update("Note", id, &map(json!({"place": {"city": "Ulm"}}))),
        |tx, id| tx.update("Note", id, &map(json!({"place": null}))),
        |tx, id| tx.delete("Note", id),
    ];
    let mut seen = vec![desk.shows("Note", &id)];
    for edit in &edits {
        desk.write(|tx| edit(tx, &id)).unwrap();
        seen.push(desk.shows("Note", &id));
        assert_ne!(seen[seen.len() - 2], seen[seen.len() - 1]);
    }
    for before in seen.iter().rev().skip(1) {
        desk.undo("Note", &id).unwrap();
        assert_eq!(desk.shows("Note", &id), *before);
    }
    for after in &seen[1..] {
        desk.redo("Note", &id).unwrap();
        assert_eq!(desk.shows("Note", &id), *after);
    }
    assert!(matches!(desk.redo("Note", &id), Err(StoreError::NothingToUndo { again: true, .. })));
    desk.undo("Note", &id).unwrap();
    desk.write(|tx| patch(tx, &id, json!({"title": "since"}))).unwrap();
    let nothing = desk.redo("Note", &id).unwrap_err();
    assert!(matches!(nothing, StoreError::NothingToUndo { again: true, .. }), "an edit since: {nothing}");
    assert_verified(&desk.store);
}

/// An edit that put marks was refused, and with it everything older: nothing was undone any more in a text with bold words.
#[test]
fn marks_are_undone_and_redone_among_what_others_do() {
    let mut desk = Desk::new(1);
    let id = desk.save("Rich", json!({"body": "one two and three"}));
    let spans = |desk: &mut Desk| {
        let spans = desk.write(|tx| tx.spans("Rich", &id, "body")).unwrap().unwrap_or_default();
        let one = |span: &Span| {
            let marks: Vec<String> = span.marks.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}[{}]", span.text, marks.join(" "))
        };
        spans.iter().map(one).collect::<String>()
    };
    let mark = |desk: &mut Desk, range: std::ops::Range<usize>, name: &str, value: Value| {
        desk.write(|tx| tx.mark("Rich", &id, "body", range, Mark::new(name, value))).unwrap();
    };
    let mut seen = vec![spans(&mut desk)];
    mark(&mut desk, 0..7, "bold", json!(true));
    seen.push(spans(&mut desk));
    mark(&mut desk, 4..13, "size", json!(3));
    seen.push(spans(&mut desk));
    mark(&mut desk, 4..9, "size", json!(4));
    seen.push(spans(&mut desk));
    desk.write(|tx| tx.unmark("Rich", &id, "body", 2..5, "bold", Expand::After)).unwrap();
    seen.push(spans(&mut desk));
    let both = [Span::plain("one "), Span::plain("two").with("bold", true).with("link", "x"), Span::plain(" three")];
    desk.write(|tx| tx.set_spans("Rich", &id, "body", &both, &ExpandRules::default())).unwrap();
    seen.push(spans(&mut desk));
    for before in seen.iter().rev().skip(1) {
        desk.undo("Rich", &id).unwrap();
        assert_eq!(spans(&mut desk), *before);
    }
    for after in &seen[1..] {
        desk.redo("Rich", &id).unwrap();
        assert_eq!(spans(&mut desk), *after);
    }
    assert_verified(&desk.store);
}

/// Such an edit was passed over without a word, and the one before it undone instead.
#[test]
fn an_edit_with_more_marks_than_can_be_put_back_is_refused_and_no_other_undone() {
    let mut desk = Desk::new(1);
    let id = desk.save("Rich", json!({"body": "first"}));
    desk.update("Rich", &id, json!({"body": "ab".repeat(200)}));
    // As many runs as can be put back are: 128 marked ones, and those between.
    let spans = |marked: usize| {
        let pairs = (0..200).map(|at| [Span::plain("a"), Span::plain("b")].map(|span| (at, span)));
        let mark =
            |(at, span): (usize, Span)| if at < marked && span.text == "a" { span.with("bold", true) } else { span };
        pairs.flatten().map(mark).collect::<Vec<_>>()
    };
    let set = |desk: &mut Desk, marked: usize| {
        let (spans, rules) = (spans(marked), ExpandRules::default());
        desk.write(|tx| tx.set_spans("Rich", &id, "body", &spans, &rules)).unwrap();
    };
    let marked = |desk: &mut Desk| {
        let spans = desk.write(|tx| tx.spans("Rich", &id, "body")).unwrap().unwrap();
        spans.iter().filter(|span| !span.marks.is_empty()).count()
    };
    set(&mut desk, 128);
    desk.undo("Rich", &id).unwrap();
    assert_eq!(marked(&mut desk), 0);
    desk.redo("Rich", &id).unwrap();
    assert_eq!(marked(&mut desk), 128);
    set(&mut desk, 129);
    let before = (desk.store.committed(), desk.shows("Rich", &id));
    for _ in 0..2 {
        let refused = desk.undo("Rich", &id).unwrap_err();
        let StoreError::TooManyRuns { model, field, again: false, .. } = &refused else { panic!("{refused}") };
        assert_eq!((model.as_str(), field.as_str()), ("Rich", "body"));
        for said in [&id, "256 runs", "set-spans"] {
            assert!(refused.to_string().contains(said), "{refused}");
        }
    }
    assert_eq!((desk.store.committed(), desk.shows("Rich", &id)), before);
    assert_eq!(marked(&mut desk), 129);
    // What comes later is undone as ever.
    desk.write(|tx| tx.splice("Rich", &id, "body", 0, 0, "x")).unwrap();
    desk.undo("Rich", &id).unwrap();
    assert_eq!(desk.shows("Rich", &id), before.1);
    assert_verified(&desk.store);
}

#[test]
fn what_was_marked_or_typed_since_keeps_what_it_was_given() {
    let mut desk = Desk::new(1);
    let id = desk.save("Rich", json!({"body": "one two three"}));
    let mark = |desk: &mut Desk, range: std::ops::Range<usize>, value: i64| {
        desk.write(|tx| tx.mark("Rich", &id, "body", range, Mark::new("size", value))).unwrap();
    };
    mark(&mut desk, 0..13, 1);
    desk.write(|tx| tx.mark("Rich", &id, "body", 4..7, Mark::new("bold", true))).unwrap();
    let mut other = Desk::new(2);
    exchange(&mut other, &mut desk);
    mark(&mut other, 0..3, 2);
    other.write(|tx| tx.splice("Rich", &id, "body", 0, 0, ">> ")).unwrap();
    exchange(&mut desk, &mut other);
    desk.undo("Rich", &id).unwrap();
    desk.undo("Rich", &id).unwrap();
    let spans = desk.write(|tx| tx.spans("Rich", &id, "body")).unwrap().unwrap();
    let shown = [Span::plain(">> "), Span::plain("one").with("size", 2), Span::plain(" two three")];
    assert_eq!(spans, shown);
    assert_verified(&desk.store);
}

#[test]
fn undoing_everything_ends_with_the_record_gone_and_an_error() {
    let mut desk = Desk::new(1);
    let id = desk.save("Note", full());
    desk.update("Note", &id, json!({"title": "two"}));
    desk.undo("Note", &id).unwrap();
    desk.undo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id), None);
    let before = desk.store.committed();
    let nothing = desk.undo("Note", &id).unwrap_err();
    assert!(nothing.to_string().contains("nothing to undo in Note"), "{nothing}");
    assert_eq!(desk.store.committed(), before);
    desk.redo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id).unwrap()["title"], "t");
    let unknown = desk.undo("Note", "0198c0de-0000-7000-8000-000000000000").unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { .. }));
}

#[test]
fn undo_survives_the_end_of_the_process() {
    let mut desk = Desk::new(1);
    let id = desk.save("Note", full());
    desk.update("Note", &id, json!({"title": "two", "body": "hello there"}));
    desk.update("Note", &id, json!({"title": "three"}));
    desk.undo("Note", &id).unwrap();
    desk.store.close().unwrap();
    desk.store = desk.bed.open_with(Some(SDL));
    let back = desk.undo("Note", &id).unwrap();
    assert_eq!((&back["title"], &back["body"]), (&json!("t"), &json!("hello world")));
    desk.store.close().unwrap();
    desk.store = desk.bed.open_with(Some(SDL));
    desk.redo("Note", &id).unwrap();
    assert_eq!(desk.redo("Note", &id).unwrap()["title"], "three");
}

#[test]
fn what_others_wrote_elsewhere_stays() {
    let (mut a, mut b, id) = two(full());
    a.update(
        "Note",
        &id,
        json!({"title": "mine", "votes": 10, "tags": ["a", "mine"], "words": ["one", "mine", "two"]}),
    );
    b.update("Note", &id, json!({"level": 7, "votes": 3, "tags": ["a", "b", "theirs"], "words": ["theirs", "one"]}));
    b.write(|tx| tx.splice("Note", &id, "body", 11, 0, "!")).unwrap();
    exchange(&mut a, &mut b);
    a.undo("Note", &id).unwrap();
    let shown = meet(&mut a, &mut b, &id);
    assert_eq!((&shown["title"], &shown["level"], &shown["votes"]), (&json!("t"), &json!(7), &json!(3)));
    assert_eq!((&shown["tags"], &shown["body"]), (&json!(["a", "b", "theirs"]), &json!("hello world!")));
    assert_eq!(shown["words"], json!(["theirs", "one"]));
}

#[test]
fn a_value_that_others_have_written_over_is_left_alone() {
    let (mut a, mut b, id) = two(full());
    a.update("Note", &id, json!({"level": 5}));
    a.update("Note", &id, json!({"title": "mine"}));
    exchange(&mut b, &mut a);
    b.update("Note", &id, json!({"title": "theirs"}));
    exchange(&mut a, &mut b);
    // Nothing of the last edit stands, so the one before it is undone.
    let back = a.undo("Note", &id).unwrap();
    assert_eq!((&back["title"], &back["level"]), (&json!("theirs"), &json!(1)));
    let shown = meet(&mut a, &mut b, &id);
    assert_eq!(shown["title"], "theirs");
}

#[test]
fn of_two_concurrent_values_only_the_own_one_goes() {
    for ours_first in [true, false] {
        let (mut a, mut b, id) = two(full());
        let (first, second) = if ours_first { (&mut a, &mut b) } else { (&mut b, &mut a) };
        first.update("Note", &id, json!({"title": "x", "best": 1}));
        second.update("Note", &id, json!({"title": "y", "best": 9}));
        exchange(&mut a, &mut b);
        let theirs = b.shows("Note", &id).unwrap();
        a.undo("Note", &id).unwrap();
        let shown = meet(&mut a, &mut b, &id);
        assert_eq!((&shown["title"], &shown["best"]), (&theirs["title"], &theirs["best"]));
        assert_eq!(a.store.conflicts("Note", &id).unwrap(), []);
    }
}

#[test]
fn an_earlier_own_value_does_not_come_up_over_a_concurrent_one() {
    let shown = |second: bool| {
        let (mut a, mut b, id) = two(full());
        a.update("Note", &id, json!({"title": "first"}));
        if second {
            a.update("Note", &id, json!({"title": "second"}));
        }
        b.update("Note", &id, json!({"title": "theirs"}));
        exchange(&mut a, &mut b);
        if second {
            a.undo("Note", &id).unwrap();
        }
        meet(&mut a, &mut b, &id)["title"].clone()
    };
    assert_eq!(shown(true), shown(false));
}

/// Each took away his own value and left the other's, as that is what the field should show then; together they left
/// none, and the title of a record that must have one was null.
#[test]
fn two_who_take_back_their_concurrent_values_at_the_same_time_leave_one() {
    for value in [json!("x"), json!(null)] {
        let (mut a, mut b, id) = two(full());
        a.update("Note", &id, json!({"title": "ours", "best": 5}));
        b.update("Note", &id, json!({"title": "theirs", "best": 4}));
        if value.is_null() {
            // Another operation is the newest.
            b.update("Note", &id, json!({"title": "theirs again", "best": 9}));
        }
        exchange(&mut a, &mut b);
        exchange(&mut b, &mut a);
        a.undo("Note", &id).unwrap();
        b.undo("Note", &id).unwrap();
        let shown = meet(&mut a, &mut b, &id);
        assert_ne!((&shown["title"], &shown["best"]), (&json!(null), &json!(null)));
        assert!(shown["title"].is_string() && shown["best"].is_i64(), "{shown:?}");
    }
}

/// An undone creation counted as if nothing of it had been written, so that an undo after the record was brought back
/// took the fields for empty ones.
#[test]
fn what_an_undone_creation_wrote_is_there_again_once_the_record_is_brought_back() {
    let mut desk = Desk::new(1);
    let id = desk.save("Note", full());
    let made = desk.shows("Note", &id);
    desk.undo("Note", &id).unwrap();
    desk.write(|tx| tx.undelete("Note", &id)).unwrap();
    desk.update(
        "Note",
        &id,
        json!({"title": "x", "votes": 9, "tags": ["c"], "body": "bye", "words": [], "place": {"city": "Ulm"}}),
    );
    desk.undo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id), made);
    // The undeletion goes, and comes back with the edit made since.
    desk.redo("Note", &id).unwrap();
    let edited = desk.shows("Note", &id);
    desk.undo("Note", &id).unwrap();
    desk.undo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id), None);
    desk.redo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id), made);
    desk.redo("Note", &id).unwrap();
    assert_eq!(desk.shows("Note", &id), edited);
    assert_verified(&desk.store);
}

#[test]
fn a_settled_conflict_comes_back() {
    let (mut a, mut b, id) = two(full());
    a.update("Note", &id, json!({"title": "ours"}));
    b.update("Note", &id, json!({"title": "theirs"}));
    exchange(&mut a, &mut b);
    let shown = a.shows("Note", &id).unwrap()["title"].clone();
    for value in [shown.clone(), json!("new")] {
        a.write(|tx| tx.resolve("Note", &id, "title", &value)).unwrap();
        assert_eq!(a.store.conflicts("Note", &id).unwrap(), []);
        assert_eq!(a.undo("Note", &id).unwrap()["title"], shown);
        let back = a.store.conflicts("Note", &id).unwrap();
        let mut values: Vec<&str> = back[0].values.iter().map(|one| one.value.as_str().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, ["ours", "theirs"]);
    }
    meet(&mut a, &mut b, &id);
}

#[test]
fn deleted_text_comes_back_where_it_stood_whatever_was_written_around_it() {
    let (mut a, mut b, id) = two(json!({"body": "The quick brown fox"}));
    a.write(|tx| tx.splice("Note", &id, "body", 3, 12, "")).unwrap();
    b.write(|tx| tx.splice("Note", &id, "body", 9, 0, ", sly")).unwrap();
    b.write(|tx| tx.splice("Note", &id, "body", 0, 3, "A")).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(a.shows("Note", &id).unwrap()["body"], "A, sly fox");
    assert_eq!(a.undo("Note", &id).unwrap()["body"], "A quick, sly brown fox");
    assert_eq!(meet(&mut a, &mut b, &id)["body"], "A quick, sly brown fox");
    assert_eq!(a.redo("Note", &id).unwrap()["body"], "A, sly fox");
    meet(&mut a, &mut b, &id);
}

#[test]
fn what_was_put_back_goes_again_when_its_insertion_is_undone() {
    let (mut a, mut b, id) = two(json!({"body": "ab"}));
    a.write(|tx| tx.splice("Note", &id, "body", 1, 0, "hello")).unwrap();
    a.write(|tx| tx.splice("Note", &id, "body", 2, 3, "")).unwrap();
    assert_eq!(a.undo("Note", &id).unwrap()["body"], "ahellob");
    b.write(|tx| tx.splice("Note", &id, "body", 2, 0, "!")).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(a.undo("Note", &id).unwrap()["body"], "ab!");
    assert_eq!(a.redo("Note", &id).unwrap()["body"], "ahellob!");
    assert_eq!(a.redo("Note", &id).unwrap()["body"], "ahob!");
    assert_eq!(meet(&mut a, &mut b, &id)["body"], "ahob!");
}

#[test]
fn what_another_deleted_too_does_not_come_back() {
    let (mut a, mut b, id) = two(json!({"body": "one two three", "words": ["one", "two"]}));
    a.update("Note", &id, json!({"body": "one", "words": ["one"]}));
    b.update("Note", &id, json!({"body": "one three", "words": []}));
    exchange(&mut a, &mut b);
    let back = a.undo("Note", &id).unwrap();
    assert_eq!((&back["body"], &back["words"]), (&json!("one three"), &json!([])));
    meet(&mut a, &mut b, &id);
}

#[test]
fn an_undone_creation_with_others_edits_deletes_and_keeps_them() {
    let (mut a, mut b, id) = two(full());
    b.update("Note", &id, json!({"title": "theirs"}));
    exchange(&mut a, &mut b);
    a.undo("Note", &id).unwrap();
    exchange(&mut b, &mut a);
    assert_eq!(b.shows("Note", &id), None);
    let back = b.write(|tx| tx.undelete("Note", &id)).unwrap();
    assert_eq!((&back.record["title"], &back.record["level"]), (&json!("theirs"), &json!(1)));
    // What another has deleted is not edited by an undo.
    exchange(&mut a, &mut b);
    a.update("Note", &id, json!({"level": 3}));
    exchange(&mut b, &mut a);
    b.write(|tx| tx.delete("Note", &id)).unwrap();
    exchange(&mut a, &mut b);
    let deleted = a.undo("Note", &id).unwrap_err();
    assert!(matches!(deleted, StoreError::NotFound { deleted: true, .. }), "{deleted}");
}

#[test]
fn with_update_wins_an_undo_is_an_edit_and_keeps_the_record() {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let id = a.save("Sticky", json!({"title": "one", "level": 1}));
    a.update("Sticky", &id, json!({"title": "two"}));
    exchange(&mut b, &mut a);
    b.write(|tx| tx.delete("Sticky", &id)).unwrap();
    a.undo("Sticky", &id).unwrap();
    exchange(&mut a, &mut b);
    exchange(&mut b, &mut a);
    assert_eq!(b.shows("Sticky", &id).unwrap()["title"], "one");
    assert_eq!(a.shows("Sticky", &id), b.shows("Sticky", &id));
}

#[test]
fn a_record_with_a_custom_key_and_a_local_one_are_undone_too() {
    let mut desk = Desk::new(1);
    let page = desk.save("Page", json!({"name": "p", "title": "one", "body": "text", "votes": 2}));
    desk.update("Page", &page, json!({"title": "two", "body": "next", "votes": 5}));
    let back = desk.undo("Page", &page).unwrap();
    assert_eq!((&back["title"], &back["body"], &back["votes"]), (&json!("one"), &json!("text"), &json!(2)));
    desk.undo("Page", &page).unwrap();
    assert_eq!(desk.shows("Page", &page), None);
    let draft = desk.save("Draft", json!({"title": "one", "body": "a"}));
    desk.update("Draft", &draft, json!({"title": "two"}));
    desk.update("Draft", &draft, json!({"body": "abc"}));
    assert_eq!(desk.undo("Draft", &draft).unwrap()["body"], "a");
    assert_eq!(desk.undo("Draft", &draft).unwrap()["title"], "one");
    assert_eq!(desk.redo("Draft", &draft).unwrap()["title"], "two");
    assert_verified(&desk.store);
}

#[test]
fn an_undo_in_a_transaction_that_fails_leaves_nothing_behind() {
    let mut desk = Desk::new(1);
    let id = desk.save("Note", full());
    desk.update("Note", &id, json!({"title": "two"}));
    let failed: Result<()> = desk.write(|tx| {
        tx.undo("Note", &id)?;
        Err(StoreError::Aborted("no".to_owned()))
    });
    assert!(failed.is_err());
    desk.update("Note", &id, json!({"level": 9}));
    // The row that the failed undo had is this edit's, and it counts as an edit.
    let back = desk.undo("Note", &id).unwrap();
    assert_eq!((&back["title"], &back["level"]), (&json!("two"), &json!(1)));
    let within = desk.write(|tx| {
        tx.update("Note", &id, &map(json!({"title": "three"})))?;
        tx.undo("Note", &id)
    });
    assert_eq!(within.unwrap().record["title"], "two");
    assert_verified(&desk.store);
}

#[test]
fn a_long_paste_is_undone_in_pieces_that_peers_take() {
    let (mut a, mut b, id) = two(json!({"body": "<>"}));
    let paste: String = (0..30_000).map(|n| format!("{n} ")).collect();
    a.write(|tx| tx.splice("Note", &id, "body", 1, 0, &paste)).unwrap();
    exchange(&mut b, &mut a);
    assert_eq!(a.undo("Note", &id).unwrap()["body"], "<>");
    exchange(&mut b, &mut a);
    assert_eq!(b.shows("Note", &id).unwrap()["body"], "<>");
}

/// An edit of a random kind.
#[derive(Clone, Debug)]
enum Edit {
    Title(u8),
    Best(u8),
    City(Option<u8>),
    NoPlace,
    Votes(i8),
    Tag(u8, bool),
    Body(u8, u8, u8),
    NoBody,
    Words(Vec<u8>),
    Steps(Vec<u8>),
    Delete,
    Undelete,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (0..4_u8).prop_map(Edit::Title),
        1 => (0..4_u8).prop_map(Edit::Best),
        2 => any::<Option<u8>>().prop_map(Edit::City),
        1 => Just(Edit::NoPlace),
        2 => any::<i8>().prop_map(Edit::Votes),
        2 => (0..3_u8, any::<bool>()).prop_map(|(tag, add)| Edit::Tag(tag, add)),
        5 => (any::<u8>(), 0..4_u8, 0..4_u8).prop_map(|(at, delete, insert)| Edit::Body(at, delete, insert)),
        1 => Just(Edit::NoBody),
        2 => prop::collection::vec(0..4_u8, 0..4).prop_map(Edit::Words),
        1 => prop::collection::vec(0..3_u8, 0..3).prop_map(Edit::Steps),
        1 => Just(Edit::Delete),
        1 => Just(Edit::Undelete),
    ]
}

/// Does an edit; what does not apply does nothing.
fn perform(desk: &mut Desk, id: &str, edit: &Edit) {
    let Some(shown) = desk.shows("Note", id) else {
        if matches!(edit, Edit::Undelete) {
            desk.write(|tx| tx.undelete("Note", id)).unwrap();
        }
        return;
    };
    let length = shown["body"].as_str().unwrap_or_default().chars().count();
    let done = desk.write(|tx| {
        let mut patch = |patch: Value| tx.update("Note", id, &map(patch));
        match edit {
            Edit::Title(n) => patch(json!({"title": n.to_string()})),
            Edit::Best(n) => patch(json!({"best": n})),
            Edit::City(city) => patch(json!({"place": {"city": city.map(|n| n.to_string())}})),
            Edit::NoPlace => patch(json!({"place": null})),
            Edit::NoBody => patch(json!({"body": null})),
            Edit::Words(words) => patch(json!({"words": words.iter().map(u8::to_string).collect::<Vec<_>>()})),
            Edit::Steps(steps) => {
                let step = |n: &u8| json!({"name": n.to_string(), "done": n.is_multiple_of(2)});
                patch(json!({"steps": steps.iter().map(step).collect::<Vec<_>>()}))
            }
            Edit::Votes(by) => tx.increment("Note", id, "votes", i64::from(*by)),
            Edit::Tag(tag, true) => tx.add("Note", id, "tags", &json!(tag.to_string())),
            Edit::Tag(tag, false) => tx.remove("Note", id, "tags", &json!(tag.to_string())),
            Edit::Body(at, delete, insert) => {
                let at = usize::from(*at) % (length + 1);
                let text = &"añ😀z"[..[0, 1, 3, 7][usize::from(*insert)]];
                tx.splice("Note", id, "body", at, usize::from(*delete).min(length - at), text)
            }
            Edit::Delete => tx.delete("Note", id),
            Edit::Undelete => tx.undelete("Note", id),
        }
    });
    done.unwrap();
}

fn starting_point() -> (Desk, Desk, String) {
    two(json!({"title": "t", "body": "start", "words": ["w"], "place": {"city": "c", "zip": 1}}))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_undo_right_after_an_edit_shows_the_record_as_before_and_a_redo_as_after(
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let (mut desk, _, id) = starting_point();
        let mut seen = vec![desk.shows("Note", &id)];
        for one in &edits {
            let held = desk.store.committed();
            perform(&mut desk, &id, one);
            let after = desk.shows("Note", &id);
            if desk.store.committed() == held || after == *seen.last().unwrap() {
                // No edit, or one that shows nothing: there is nothing to compare.
                return Ok(());
            }
            desk.undo("Note", &id).unwrap();
            prop_assert_eq!(&desk.shows("Note", &id), seen.last().unwrap(), "after {:?}", one);
            desk.redo("Note", &id).unwrap();
            prop_assert_eq!(&desk.shows("Note", &id), &after, "after {:?}", one);
            seen.push(after);
        }
        for (before, undone) in seen.iter().rev().skip(1).zip(edits.iter().rev()) {
            desk.undo("Note", &id).unwrap();
            prop_assert_eq!(&desk.shows("Note", &id), before, "without {:?}", undone);
        }
        for after in &seen[1..] {
            desk.redo("Note", &id).unwrap();
            prop_assert_eq!(&desk.shows("Note", &id), after);
        }
        assert_verified(&desk.store);
    }

    #[test]
    fn undoing_beside_a_foreign_edit_is_as_if_the_own_edit_had_never_been(
        own in edit(), foreign in prop::collection::vec(edit(), 1..4), known in any::<bool>(),
    ) {
        // What shows without the own edit.
        let (mut plain, mut writer, id) = starting_point();
        foreign.iter().for_each(|one| perform(&mut writer, &id, one));
        exchange(&mut plain, &mut writer);
        let expected = plain.shows("Note", &id);
        // The same with it, and undone.
        let (mut a, mut b, id) = starting_point();
        let (before, held) = (a.shows("Note", &id), a.store.committed());
        perform(&mut a, &id, &own);
        let is_edit = a.store.committed() > held && a.shows("Note", &id) != before;
        foreign.iter().for_each(|one| perform(&mut b, &id, one));
        if known {
            exchange(&mut a, &mut b);
            exchange(&mut b, &mut a);
        }
        let undone = a.undo("Note", &id);
        if !known {
            exchange(&mut a, &mut b);
        }
        exchange(&mut b, &mut a);
        prop_assert_eq!(a.shows("Note", &id), b.shows("Note", &id));
        // The winner of values is decided by the operations' names, which an undo adds to: so where both wrote
        // one field the own former value may show. Everything else is as without the edit.
        let same_field = foreign.iter().any(|one| std::mem::discriminant(one) == std::mem::discriminant(&own));
        let existence = |one: &Edit| matches!(one, Edit::Delete | Edit::Undelete | Edit::NoPlace | Edit::NoBody);
        if is_edit && undone.is_ok() && !same_field && !existence(&own) && !foreign.iter().any(existence) {
            prop_assert_eq!(a.shows("Note", &id).map(without_id), expected.map(without_id));
        }
        assert_verified(&a.store);
        assert_verified(&b.store);
    }

    #[test]
    fn two_replicas_that_edit_undo_and_redo_stay_equal(
        steps in prop::collection::vec((any::<bool>(), 0..6_u8, edit()), 1..24),
    ) {
        let (mut a, mut b, id) = starting_point();
        for (ours, what, one) in &steps {
            let desk = if *ours { &mut a } else { &mut b };
            match what {
                0 | 1 => drop(desk.undo("Note", &id)),
                2 => drop(desk.redo("Note", &id)),
                3 if *ours => exchange(&mut a, &mut b),
                3 => exchange(&mut b, &mut a),
                _ => perform(desk, &id, one),
            }
        }
        exchange(&mut a, &mut b);
        exchange(&mut b, &mut a);
        let shown = a.shows("Note", &id);
        prop_assert_eq!(&shown, &b.shows("Note", &id));
        // Nobody ever emptied it.
        prop_assert!(shown.is_none_or(|shown| shown["title"].is_string()));
        assert_verified(&a.store);
        assert_verified(&b.store);
    }
}

fn without_id(mut record: Map<String, Value>) -> Map<String, Value> {
    record.shift_remove("id");
    record.shift_remove("createdAt");
    record
}
