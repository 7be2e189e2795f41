//! The `syncline` program on the past: `history`, and `get --at`.

use serde_json::{Value, json};

use crate::support::program::{assert_sound, init, listen, ok, run};
use crate::support::{Bed, SDL};

#[test]
fn history_tells_what_each_change_did_field_by_field() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let saved = ok(["save", &db, "Todo", r#"{"title":"Milk","body":"one two"}"#]).json();
    let id = saved["id"].as_str().unwrap();
    ok(["update", &db, "Todo", id, r#"{"title":"Bread","priority":3}"#]);
    ok(["edit", &db, "Todo", id, "body", "--at", "4", "--delete", "3", "--insert", "zwei"]);
    ok(["update", &db, "Todo", id, r#"{"title":"Butter"}"#]);
    let history = ok(["history", &db, "Todo", id]).lines();
    assert_eq!(history.len(), 4);
    let set =
        |field, before: Value, after: Value| json!({"did": "set", "field": field, "before": before, "after": after});
    assert_eq!(history[0]["did"][0], json!({"did": "created"}));
    assert_eq!(
        history[1]["did"],
        json!([set("title", json!("Milk"), json!("Bread")), set("priority", json!(null), json!(3))])
    );
    let edits = json!([{"at": 4, "removed": "two", "inserted": "zwei"}]);
    assert_eq!(history[2]["did"], json!([{"did": "text", "field": "body", "edits": edits}]));
    let replica = ok(["status", &db, "--json"]).json()["replica"].clone();
    for (at, entry) in history.iter().enumerate() {
        assert_eq!((&entry["replica"], &entry["counter"], &entry["mine"]), (&replica, &json!(at + 1), &json!(true)));
    }
    let titles = ok(["history", &db, "Todo", id, "--field", "title"]).lines();
    let after: Vec<&Value> = titles.iter().map(|entry| &entry["did"][0]["after"]).collect();
    assert_eq!(after, ["Milk", "Bread", "Butter"]);
    let newest = ok(["history", &db, "Todo", id, "--field", "title", "--limit", "1"]).json();
    assert_eq!(newest["did"], json!([set("title", json!("Bread"), json!("Butter"))]));
    // Of all records.
    ok(["save", &db, "Place", r#"{"name":"here"}"#]);
    let recent = ok(["history", &db, "--limit", "2"]).lines();
    assert_eq!((&recent[0]["model"], &recent[0]["id"]), (&json!("Todo"), &json!(id)));
    assert_eq!((&recent[1]["model"], &recent[1]["id"]), (&json!("Place"), &json!(r#"{"name":"here"}"#)));
    assert_eq!(ok(["history", &db]).lines().len(), 5);
}

#[test]
fn undo_takes_back_own_edits_one_by_one_and_redo_does_them_again() {
    let bed = Bed::new();
    let (db, other) = (init(&bed, "a.db", SDL), init(&bed, "b.db", SDL));
    let first = ok(["save", &db, "Todo", r#"{"title":"Milk","body":"one two"}"#]).json();
    let id = first["id"].as_str().unwrap();
    let meet = || {
        let served = listen(["serve", &db, "--listen", "127.0.0.1:0"]);
        ok(["sync", &other, &served.url]);
    };
    meet();
    ok(["update", &db, "Todo", id, r#"{"title":"Bread"}"#]);
    ok(["edit", &db, "Todo", id, "body", "--at", "0", "--delete", "4"]);
    ok(["edit", &other, "Todo", id, "body", "--at", "7", "--insert", "!"]);
    meet();
    // Each in a process of its own; the other's edit stays.
    assert_eq!(ok(["undo", &db, "Todo", id]).json()["body"], "one two!");
    assert_eq!(ok(["undo", &db, "Todo", id]).json()["title"], "Milk");
    assert_eq!(ok(["redo", &db, "Todo", id]).json()["title"], "Bread");
    meet();
    let shown = ok(["get", &other, "Todo", id]).json();
    assert_eq!((&shown["title"], &shown["body"]), (&json!("Bread"), &json!("one two!")));
    let turns: Vec<Value> =
        ok(["history", &db, "Todo", id]).lines().iter().map(|entry| entry["turn"].clone()).collect();
    assert_eq!(turns[turns.len() - 3..], [json!("undo"), json!("undo"), json!("redo")]);
    assert_eq!(ok(["undo", &db, "Todo", id]).json()["title"], "Milk");
    ok(["undo", &db, "Todo", id]);
    assert_eq!(run(["get", &db, "Todo", id]).code, 1, "its creation is taken back");
    let nothing = run(["undo", &db, "Todo", id]);
    assert!(nothing.code == 1 && nothing.err.contains("nothing to undo"), "{nothing:?}");
    let nothing = run(["redo", &other, "Todo", id]);
    assert!(nothing.code == 1 && nothing.err.contains("nothing to redo"), "{nothing:?}");
    assert_sound(&bed.path("a.db"));
    assert_sound(&bed.path("b.db"));
}

#[test]
fn a_record_is_printed_as_it_was_at_a_token_a_time_and_a_change() {
    let bed = Bed::new();
    let (db, other) = (init(&bed, "a.db", SDL), init(&bed, "b.db", SDL));
    let first = ok(["save", &db, "Todo", r#"{"title":"Milk","steps":["a"]}"#]).json();
    let id = first["id"].as_str().unwrap();
    let token = ok(["vector", &db]).text().trim().to_owned();
    let second = ok(["update", &db, "Todo", id, r#"{"title":"Bread","steps":["a","b"]}"#]).json();
    ok(["delete", &db, "Todo", id]);
    let history = ok(["history", &db, "Todo", id]).lines();
    let at = |db: &str, moment: &str| run(["get", db, "Todo", id, "--at", moment]);
    assert_eq!(at(&db, &token).json(), first);
    let name = |entry: &Value| format!("{}:{}", &entry["replica"].as_str().unwrap()[..8], entry["counter"]);
    assert_eq!(at(&db, &name(&history[1])).json(), second);
    assert_eq!(at(&db, history[1]["hash"].as_str().unwrap()).json(), second);
    assert_eq!(at(&db, &history[0]["time_ms"].to_string()).json()["title"], "Milk");
    let gone = at(&db, &name(&history[2]));
    assert!(gone.code == 1 && gone.err.contains("was deleted"), "{gone:?}");
    // Another replica that holds the same says the same, and one that does not says so.
    let early = at(&other, &token);
    assert!(early.code == 1 && early.out.is_empty(), "{early:?}");
    let served = listen(["serve", &db, "--listen", "127.0.0.1:0"]);
    ok(["sync", &other, &served.url]);
    assert_eq!(at(&other, &token).json(), first);
    let cases = [
        ("yesterday", 2, "2026-01-31"),
        ("sl1.rubbish", 2, "token"),
        ("abcdef01:9", 1, "abcdef01:9"),
        ("1", 1, "was not there then"),
    ];
    for (moment, code, named) in cases {
        let said = at(&db, moment);
        assert!(said.code == code && said.err.contains(named) && said.out.is_empty(), "{moment}: {said:?}");
    }
    let unknown = run(["history", &db, "Todo", id, "--field", "titel"]);
    assert!(unknown.code == 1 && unknown.err.contains("`title`"), "{unknown:?}");
    assert_eq!(run(["history", &db, "Todo"]).code, 2);
}
