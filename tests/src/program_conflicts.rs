//! The `syncline` program on concurrent values: `conflicts` and `resolve`, their output and their exit codes.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Bed;
use crate::support::program::{assert_sound, init, listen, ok, program, run, run_with_input};

const SDL: &str = r#"
type Event @model {
  title: String!
  room: String
  last: String @merge(with: latest)
  best: Int @merge(with: max)
  place: Place
  tags: [String!] @set
}
type Seat @model { row: Int! place: Int! @primaryKey(sortKeyFields: ["row"]) guest: String }
type Place { city: String }
"#;

/// Two stores in which the same event was changed at the same time; the earlier clock is the first's.
struct Two {
    bed: Bed,
    a: String,
    b: String,
    id: String,
}

impl Two {
    fn new(ours: Value, theirs: Value) -> Self {
        let bed = Bed::new();
        let (a, b) = (init(&bed, "a.db", SDL), init(&bed, "b.db", SDL));
        let saved = ok(["save", &a, "Event", r#"{"title":"t"}"#]).json();
        let two = Self { bed, a, b, id: saved["id"].as_str().unwrap().to_owned() };
        two.meet();
        ok(["update", &two.a, "Event", &two.id, &ours.to_string()]);
        ok(["update", &two.b, "Event", &two.id, &theirs.to_string()]);
        two.meet();
        two
    }

    fn meet(&self) {
        let served = listen(["serve", &self.a, "--listen", "127.0.0.1:0"]);
        ok(["sync", &self.b, &served.url]);
    }

    fn get(&self, db: &str) -> Value {
        ok(["get", db, "Event", &self.id]).json()
    }

    fn conflicts(&self, db: &str) -> Vec<Value> {
        ok(["conflicts", db]).lines()
    }
}

#[test]
fn conflicts_lists_records_with_writers_and_times_and_resolve_settles_them_everywhere() {
    let two = Two::new(json!({"title": "ours", "tags": ["a"]}), json!({"title": "theirs", "tags": ["b"]}));
    let listed = two.conflicts(&two.a);
    let [record] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&record["model"], &record["id"]), (&json!("Event"), &json!(two.id)));
    let conflicts = record["conflicts"].as_array().unwrap();
    assert_eq!(
        (conflicts.len(), &conflicts[0]["field"], &conflicts[0]["rule"]),
        (1, &json!("title"), &json!("winner"))
    );
    let values = conflicts[0]["values"].as_array().unwrap();
    assert_eq!(values[0]["value"], two.get(&two.b)["title"], "the one that shows comes first");
    assert_eq!((&values[0]["shows"], &values[1]["shows"]), (&json!(true), &json!(false)));
    let replica_a = ok(["status", &two.a, "--json"]).json()["replica"].clone();
    for value in values {
        assert_eq!(value["mine"], value["value"] == "ours", "{value}");
        assert_eq!(value["replica"] == replica_a, value["value"] == "ours", "{value}");
        assert!(value["time_ms"].as_i64().unwrap() > 1_600_000_000_000, "{value}");
    }
    // One model, one record.
    assert_eq!(ok(["conflicts", &two.a, "Event"]).lines(), listed);
    assert_eq!(ok(["conflicts", &two.a, "Seat"]).text(), "");
    assert_eq!(ok(["conflicts", &two.a, "Event", &two.id]).json(), listed[0]);
    let settled = ok(["resolve", &two.b, "Event", &two.id, "title", r#""both""#]).json();
    assert_eq!(settled["title"], "both");
    two.meet();
    assert_eq!((two.get(&two.a), two.conflicts(&two.a), two.conflicts(&two.b)), (two.get(&two.b), vec![], vec![]));
    assert_eq!(ok(["conflicts", &two.a, "Event", &two.id]).json()["conflicts"], json!([]));
    assert_sound(&two.bed.path("a.db"));
    assert_sound(&two.bed.path("b.db"));
}

#[test]
fn the_latest_of_concurrent_values_shows_everywhere_and_in_the_table() {
    let two = Two::new(json!({"last": "earlier", "best": 9}), json!({"last": "later", "best": 4}));
    for db in [&two.a, &two.b] {
        let record = two.get(db);
        assert_eq!((&record["last"], &record["best"]), (&json!("later"), &json!(9)));
        assert_eq!(ok(["query", db, "Event", "--where", "last = 'later' AND best = 9", "--count"]).text(), "1\n");
        let listed = two.conflicts(db);
        let rules: Vec<&Value> =
            listed[0]["conflicts"].as_array().unwrap().iter().map(|conflict| &conflict["rule"]).collect();
        assert_eq!(rules, ["latest", "max"]);
    }
    // Who has seen both writes what he likes, whatever the rule.
    assert_eq!(run_with_input(["resolve", &two.a, "Event", &two.id, "best", "-"], "4").json()["best"], 4);
    ok(["update", &two.a, "Event", &two.id, r#"{"last":"settled"}"#]);
    two.meet();
    let record = two.get(&two.b);
    assert_eq!((&record["last"], &record["best"], two.conflicts(&two.b)), (&json!("settled"), &json!(4), vec![]));
}

#[test]
fn records_with_composite_keys_and_embedded_values_are_settled_by_key_and_path() {
    let two = Two::new(json!({"place": {"city": "Rome"}}), json!({"place": {"city": "Oslo"}}));
    ok(["save", &two.a, "Seat", r#"{"row":1,"place":2,"guest":"Ada"}"#]);
    ok(["save", &two.b, "Seat", r#"{"row":1,"place":2,"guest":"Bob"}"#]);
    two.meet();
    let listed = ok(["conflicts", &two.b, "Seat"]).json();
    let id = listed["id"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(id).unwrap(), json!({"place": 2, "row": 1}));
    assert_eq!(ok(["resolve", &two.b, "Seat", id, "guest", "null"]).json()["guest"], Value::Null);
    ok(["resolve", &two.b, "Event", &two.id, "place.city", r#""Bern""#]);
    two.meet();
    assert_eq!((two.get(&two.a)["place"].clone(), two.conflicts(&two.a)), (json!({"city": "Bern"}), vec![]));
}

#[test]
fn conflicts_can_be_followed_while_they_come_and_go() {
    let two = Two::new(json!({"room": "r1"}), json!({"room": "r2"}));
    let mut following = std::process::Command::new(program())
        .args(["conflicts", &two.a, "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["conflicts"][0]["field"], "room");
    // By another process.
    ok(["resolve", &two.a, "Event", &two.id, "room", r#""r3""#]);
    assert_eq!(next(), json!({"model": "Event", "id": two.id, "conflicts": []}));
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn what_cannot_be_settled_is_named_and_nothing_is_written() {
    let two = Two::new(json!({"title": "ours"}), json!({"title": "theirs"}));
    let (db, id) = (two.a.as_str(), two.id.as_str());
    let content = || [ok(["export", db]).out, ok(["vector", db]).out, ok(["conflicts", db]).out];
    let before = content();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["resolve", db, "Event", id, "room", "\"x\""], 1, "no conflict"),
        (&["resolve", db, "Event", id, "titel", "\"x\""], 1, "`title`"),
        (&["resolve", db, "Event", id, "tags", "[]"], 1, "never in conflict"),
        (&["resolve", db, "Event", id, "place", "{}"], 1, "place.city"),
        (&["resolve", db, "Event", id, "title", "3"], 1, "title"),
        (&["resolve", db, "Event", id, "title", "null"], 1, "required"),
        (&["resolve", db, "Event", id, "title", "both"], 2, "the value is not valid JSON"),
        (&["resolve", db, "Event", "nobody", "title", "\"x\""], 1, "nobody"),
        (&["resolve", db, "Evant", id, "title", "\"x\""], 1, "Event"),
        (&["resolve", db, "Event", id, "title"], 2, "<JSON>"),
        (&["conflicts", db, "Evant"], 1, "Event"),
        (&["conflicts", db, "Event", "0198c0de-0000-7000-8000-000000000000"], 1, "0198c0de"),
        (&["conflicts", db, "Event", id, "--follow"], 2, "--follow"),
        (&["conflicts", "nowhere.db"], 1, "nowhere.db"),
    ];
    for (arguments, code, named) in cases {
        let said = run(*arguments);
        assert_eq!(said.code, *code, "{arguments:?}: {said:?}");
        assert!(said.out.is_empty() && said.err.contains(named), "{arguments:?}: {said:?}");
    }
    assert_eq!(content(), before);
}
