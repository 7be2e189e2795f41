//! The `syncline` program on rich texts: marks, spans and cursors, their output and their exit codes.

use serde_json::{Value, json};

use crate::support::program::{assert_sound, init, ok, run, run_with_input};
use crate::support::{Bed, SDL};

fn rich() -> String {
    let sdl = SDL.replacen("body: String @text", "body: String @text(rich: true)", 1);
    assert_ne!(sdl, SDL);
    sdl
}

/// A store with one record whose text is rich; the store's file and the record's id.
fn page(bed: &Bed, body: &str) -> (String, String) {
    let db = init(bed, "app.db", &rich());
    let saved = ok(["save", &db, "Todo", &json!({"title": "t", "body": body}).to_string()]).json();
    (db, saved["id"].as_str().unwrap().to_owned())
}

#[test]
fn mark_unmark_spans_and_set_spans_print_the_spans() {
    let bed = Bed::new();
    let (db, id) = page(&bed, "the quick fox");
    let quick = ["--from", "4", "--to", "9"];
    let at = |command, more: &[&str]| {
        ok([&[command, db.as_str(), "Todo", id.as_str(), "body"][..], &quick, more].concat()).json()
    };
    let marked = at("mark", &["bold"]);
    let expected = json!([
        {"from": 0, "to": 4, "text": "the ", "marks": {}},
        {"from": 4, "to": 9, "text": "quick", "marks": {"bold": true}},
        {"from": 9, "to": 13, "text": " fox", "marks": {}},
    ]);
    assert_eq!(marked, expected);
    assert_eq!(ok(["spans", &db, "Todo", &id, "body"]).json(), expected);
    let linked = at("mark", &["link", r#""https://example.org""#, "--expand", "none"]);
    assert_eq!(linked[1]["marks"], json!({"bold": true, "link": "https://example.org"}));
    // Bold goes on behind its end, the link does not.
    ok(["edit", &db, "Todo", &id, "body", "--at", "9", "--insert", "est"]);
    let typed = ok(["spans", &db, "Todo", &id, "body"]).json();
    assert_eq!((&typed[2]["text"], &typed[2]["marks"]), (&json!("est"), &json!({"bold": true})));
    assert_eq!(at("unmark", &["bold"])[1]["marks"], json!({"link": "https://example.org"}));
    let saved = run_with_input(["set-spans", &db, "Todo", &id, "body", "-"], &expected.to_string());
    assert_eq!((saved.code, saved.json()), (0, expected.clone()));
    let changes = || ok(["status", &db, "--json"]).json()["changes"].clone();
    let before = changes();
    let again = ok(["set-spans", &db, "Todo", &id, "body", &expected.to_string(), "--expand", "link=none,after"]);
    assert_eq!((again.json(), changes()), (expected, before), "equal spans are no change");
    assert_eq!(ok(["get", &db, "Todo", &id]).json()["body"], "the quick fox");
    assert_sound(&bed.path("app.db"));
}

/// Behind a link that ended where it ended, typed text became part of it once the record had been exported and imported.
#[test]
fn how_marks_expand_comes_through_an_export() {
    let bed = Bed::new();
    let (db, id) = page(&bed, "see here now");
    let mark = |range: [&str; 2], more: &[&str]| {
        let range = ["--from", range[0], "--to", range[1]];
        ok([&["mark", db.as_str(), "Todo", id.as_str(), "body"][..], &range, more].concat())
    };
    mark(["4", "8"], &["link", r#""https://example.org""#, "--expand", "none"]);
    mark(["9", "12"], &["bold"]);
    let exported = ok(["export", &db]).out;
    let other = init(&bed, "other.db", &rich());
    let file = bed.path("export.ndjson");
    std::fs::write(&file, &exported).unwrap();
    ok(["import", &other, "Todo", file.to_str().unwrap()]);
    assert_eq!(ok(["export", &other]).out, exported);
    ok(["edit", &other, "Todo", &id, "body", "--at", "12", "--insert", "!"]);
    ok(["edit", &other, "Todo", &id, "body", "--at", "8", "--insert", "s"]);
    let spans = ok(["spans", &other, "Todo", &id, "body"]).json();
    let names = |span: &Value| span["marks"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(",");
    let shown =
        spans.as_array().unwrap().iter().map(|span| format!("{}[{}]", span["text"].as_str().unwrap(), names(span)));
    assert_eq!(shown.collect::<String>(), "see []here[link]s []now![bold]");
}

#[test]
fn a_cursor_is_one_line_and_is_found_again_after_edits() {
    let bed = Bed::new();
    let (db, id) = page(&bed, "one two");
    let cursor = ok(["cursor", &db, "Todo", &id, "body", "--at", "4"]).text().trim().to_owned();
    let after = ok(["cursor", &db, "Todo", &id, "body", "--at", "4", "--side", "after"]).text().trim().to_owned();
    ok(["edit", &db, "Todo", &id, "body", "--at", "0", "--insert", "<ö>"]);
    ok(["edit", &db, "Todo", &id, "body", "--at", "7", "--insert", "&"]);
    assert_eq!(ok(["cursor", &db, "Todo", &id, "body", &cursor]).text(), "7\n");
    assert_eq!(ok(["cursor", &db, "Todo", &id, "body", &after]).text(), "8\n");
}

#[test]
fn what_cannot_be_marked_is_named_and_nothing_is_written() {
    let bed = Bed::new();
    let (db, id) = page(&bed, "abc");
    let plain = init(&bed, "plain.db", SDL);
    let saved = ok(["save", &plain, "Todo", r#"{"title":"t","body":"abc"}"#]).json();
    let plain_id = saved["id"].as_str().unwrap();
    let (db, id, plain) = (db.as_str(), id.as_str(), plain.as_str());
    let content = || [ok(["export", db]).out, ok(["vector", db]).out, ok(["vector", plain]).out];
    let before = content();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["mark", db, "Todo", id, "body", "--from", "1", "--to", "4", "bold"], 1, "it has 3 characters"),
        (&["mark", db, "Todo", id, "body", "--from", "1", "--to", "1", "bold"], 1, "no character stands between"),
        (&["mark", db, "Todo", id, "body", "--from", "0", "--to", "1", "bold", "null"], 1, "cannot be null"),
        (&["mark", db, "Todo", id, "body", "--from", "0", "--to", "1", "bold", "yes"], 2, "the mark's value"),
        (&["mark", db, "Todo", id, "title", "--from", "0", "--to", "1", "bold"], 1, "not a text"),
        (&["mark", plain, "Todo", plain_id, "body", "--from", "0", "--to", "1", "bold"], 1, "not a rich text"),
        (&["spans", plain, "Todo", plain_id, "body"], 1, "not a rich text"),
        (&["set-spans", db, "Todo", id, "body", r#"[{"txt":"a"}]"#], 2, "`[0].txt`"),
        (&["set-spans", db, "Todo", id, "body", "[]", "--expand", "link=never"], 2, "link=none"),
        (&["cursor", db, "Todo", id, "body", "--at", "4"], 1, "there is no position 4"),
        (&["cursor", db, "Todo", id, "body", "slc1.rubbish"], 1, "copy it whole"),
        (&["cursor", db, "Todo", id, "body"], 2, "<CURSOR>"),
    ];
    for (arguments, code, named) in cases {
        let said = run(*arguments);
        assert_eq!(said.code, *code, "{arguments:?}: {said:?}");
        assert!(said.out.is_empty() && said.err.contains(named), "{arguments:?}: {said:?}");
    }
    assert_eq!(content(), before);
}
