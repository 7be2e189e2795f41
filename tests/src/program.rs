//! The `syncline` program does what it says: each command, its output and its exit code.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use automerge::{AutoCommit, ReadDoc as _};
use serde_json::{Value, json};

use crate::support::program::{assert_sound, init, listen, ok, program, relay, run, run_with_input, start, text};
use crate::support::{Bed, SDL};

const FULL: &str =
    r#"{"title":"Milk","done":true,"priority":3,"votes":2,"tags":["b","a"],"steps":["x","y"],"body":"one two"}"#;

fn id(record: &Value) -> String {
    record["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_record_prints_every_field_id_first_and_absent_ones_null() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let saved = ok(["save", &db, "Todo", r#"{"title":"Milk"}"#]);
    assert_eq!(saved.text().lines().count(), 1);
    let record = saved.json();
    let names: Vec<&String> = record.as_object().unwrap().keys().collect();
    let expected = ["id", "title", "done", "priority", "votes", "tags", "steps", "body", "createdAt", "updatedAt"];
    assert_eq!(names, expected);
    let shown = json!([record["title"], record["done"], record["priority"], record["body"]]);
    assert_eq!(shown, json!(["Milk", false, null, null]));
    assert_eq!(ok(["get", &db, "Todo", &id(&record)]).json(), record);
}

#[test]
fn save_creates_and_with_a_known_key_updates_and_reads_from_stdin() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let record = run_with_input(["save", &db, "Todo", "-"], FULL);
    assert_eq!(record.code, 0, "{record:?}");
    let record = record.json();
    assert_eq!(record["tags"], json!(["a", "b"]), "sets are listed in the order of their values");
    let patch = json!({"id": record["id"], "title": "Bread"}).to_string();
    let updated = ok(["save", &db, "Todo", &patch]).json();
    assert_eq!((&updated["title"], &updated["priority"]), (&json!("Bread"), &json!(3)));
    // A custom key, given as it is or as a JSON object.
    ok(["save", &db, "Place", r#"{"name":"here","rank":1}"#]);
    ok(["save", &db, "Place", r#"{"name":"here","rank":2}"#]);
    assert_eq!(ok(["get", &db, "Place", r#"{"name":"here"}"#]).json()["rank"], 2);
    assert_eq!(ok(["get", &db, "Place", "here"]).json()["rank"], 2);
    assert_eq!(ok(["query", &db, "Place", "--count"]).text(), "1\n");
}

#[test]
fn update_edit_increment_delete_and_undelete_do_one_thing_each() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let record = ok(["save", &db, "Todo", FULL]).json();
    let id = id(&record);
    let updated = ok(["update", &db, "Todo", &id, r#"{"steps":["x","new","y"],"priority":null}"#]).json();
    assert_eq!((&updated["steps"], &updated["priority"]), (&json!(["x", "new", "y"]), &Value::Null));
    let edited = ok(["edit", &db, "Todo", &id, "body", "--at", "4", "--delete", "3", "--insert", "drei ß"]).json();
    assert_eq!(edited["body"], "one drei ß");
    assert_eq!(ok(["increment", &db, "Todo", &id, "votes", "-5"]).json()["votes"], -3);
    let deleted = ok(["delete", &db, "Todo", &id]).json();
    assert_eq!(deleted["body"], "one drei ß");
    let gone = run(["get", &db, "Todo", &id]);
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains(&id), "{gone:?}");
    assert_eq!(ok(["query", &db, "Todo", "--count"]).text(), "0\n");
    let back = ok(["undelete", &db, "Todo", &id]).json();
    assert_eq!(back["votes"], -3);
    let history = ok(["history", &db, "Todo", &id]).lines();
    assert_eq!(history.len(), 6, "{history:?}");
    assert_sound(&bed.path("app.db"));
}

#[test]
fn queries_filter_order_page_count_and_explain() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let rows: String = (0..20)
        .map(|n| format!("{}\n", json!({"title": format!("t{:02}", n), "priority": n % 5, "done": n % 2 == 0})))
        .collect();
    assert_eq!(run_with_input(["import", &db, "Todo", "-", "--format", "ndjson"], &rows).code, 0);
    let titles = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["query", &db, "Todo"];
        all.extend(args);
        ok(all).lines().iter().map(|record| record["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&["--where", "priority = 4 AND NOT done", "--order", "title"]), ["t09", "t19"]);
    let filter = r#"{"and":[{"priority":{"eq":4}},{"done":{"eq":false}}]}"#;
    assert_eq!(titles(&["--filter", filter, "--order", "title:desc"]), ["t19", "t09"]);
    assert_eq!(titles(&["--order", "priority:desc,title", "--limit", "2", "--offset", "1"]), ["t09", "t14"]);
    assert_eq!(ok(["query", &db, "Todo", "--where", "priority >= 3", "--count"]).text(), "8\n");
    let plan = ok(["query", &db, "Todo", "--where", "priority = 3", "--explain"]);
    assert!(plan.text().contains("byPriority"), "{plan:?}");
    // Pages behind each other are the whole.
    let mut paged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["query", &db, "Todo", "--order", "priority,title", "--limit", "7"];
        if let Some(token) = &after {
            args.extend(["--after", token]);
        }
        let page = ok(args);
        paged.extend(page.lines());
        let Some((_, token)) = page.err.split_once("--after ") else { break };
        after = Some(token.trim().to_owned());
    }
    assert_eq!(paged, ok(["query", &db, "Todo", "--order", "priority,title"]).lines());
    assert_eq!(paged.len(), 20);
}

#[test]
fn a_document_loads_in_stock_automerge_and_shows_the_same_values() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let record = ok(["save", &db, "Todo", FULL]).json();
    ok(["increment", &db, "Todo", &id(&record), "votes", "5"]);
    let record = ok(["edit", &db, "Todo", &id(&record), "body", "--at", "0", "--insert", "zero "]).json();
    let bytes = ok(["document", &db, "Todo", &id(&record)]).out;
    let document = AutoCommit::load(&bytes).unwrap();
    let root = |key: &str| document.get(automerge::ROOT, key).unwrap();
    let value = |key: &str| root(key).unwrap().0;
    assert_eq!(value("title").as_str(), record["title"].as_str());
    assert_eq!(value("done").as_bool(), record["done"].as_bool());
    assert_eq!(value("priority").as_i64(), record["priority"].as_i64());
    assert_eq!(value("votes").as_i64(), record["votes"].as_i64());
    let (_, body) = root("body").unwrap();
    assert_eq!(document.text(&body).unwrap(), record["body"].as_str().unwrap());
    let (_, steps) = root("steps").unwrap();
    let steps: Vec<String> = (0..document.length(&steps))
        .map(|at| document.get(&steps, at).unwrap().unwrap().0.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(json!(steps), record["steps"]);
    let tags: Vec<String> = document.keys(automerge::ROOT).filter(|key| key.starts_with("tags/")).collect();
    assert_eq!(tags.len(), record["tags"].as_array().unwrap().len(), "{tags:?}");
    // And from another replica the same heads.
    let mut document = document;
    let relay = relay(&bed.path("relay"));
    let other = init(&bed, "other.db", SDL);
    ok(["sync", &db, &relay.url]);
    ok(["sync", &other, &relay.url]);
    let mut copy = AutoCommit::load(&ok(["document", &other, "Todo", &id(&record)]).out).unwrap();
    assert_eq!(document.get_heads(), copy.get_heads());
}

#[test]
fn any_sqlite_library_reads_the_tables() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let record = ok(["save", &db, "Todo", FULL]).json();
    let sqlite = rusqlite::Connection::open(bed.path("app.db")).unwrap();
    let row: (String, String, i64, i64, String, String) = sqlite
        .query_row("SELECT id, title, done, votes, tags, body FROM Todo", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .unwrap();
    let tags = r#"["a","b"]"#;
    assert_eq!(row, (id(&record), "Milk".into(), 1, 2, tags.into(), "one two".into()));
    let engine: Vec<String> = sqlite
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'syncline\\_%' ESCAPE '\\'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(engine, ["Todo", "Place"], "the engine's tables are told by their names");
}

#[test]
fn export_and_import_are_each_others_inverse_for_several_models_and_formats() {
    let bed = Bed::new();
    let [one, other] = ["one.db", "other.db"].map(|name| init(&bed, name, SDL));
    ok(["save", &one, "Todo", FULL]);
    ok(["save", &one, "Todo", r#"{"title":"\"quoted\", with ü"}"#]);
    ok(["save", &one, "Place", r#"{"name":"here","rank":4}"#]);
    let exported = ok(["export", &one]);
    let file = text(&bed.path("all.ndjson"));
    std::fs::write(&file, &exported.out).unwrap();
    for model in ["Todo", "Place"] {
        ok(["import", &other, model, &file]);
    }
    assert_eq!(ok(["export", &other]).text(), exported.text());
    // CSV and JSON.
    let csv = text(&bed.path("todos.csv"));
    std::fs::write(&csv, "Title,PRIORITY,done,tags\n\"a, b\",7,yes,\"[\"\"x\"\"]\"\nplain,,no,\n").unwrap();
    let third = init(&bed, "third.db", SDL);
    let counts = ok(["import", &third, "Todo", &csv, "--json"]).json();
    assert_eq!((&counts["rows"], &counts["imported"]), (&json!(2), &json!(2)));
    let shown = ok(["query", &third, "Todo", "--order", "title"]).lines();
    assert_eq!(
        (&shown[0]["title"], &shown[0]["priority"], &shown[0]["tags"]),
        (&json!("a, b"), &json!(7), &json!(["x"]))
    );
    assert_eq!((&shown[1]["priority"], &shown[1]["done"]), (&Value::Null, &json!(false)));
    let array = text(&bed.path("places.json"));
    std::fs::write(&array, r#"[{"name":"a","rank":1},{"name":"b"}]"#).unwrap();
    ok(["import", &third, "Place", &array]);
    assert_eq!(ok(["query", &third, "Place", "--count"]).text(), "2\n");
    // A key that the file has makes a second import an update.
    std::fs::write(&csv, "title,priority\nplain,9\n").unwrap();
    let counts = ok(["import", &third, "Todo", &csv, "--key", "title", "--json"]).json();
    assert_eq!((&counts["updated"], &counts["imported"]), (&json!(1), &json!(0)));
}

#[test]
fn sync_and_status_report_in_the_shapes_that_are_promised() {
    let bed = Bed::new();
    let [one, other] = ["one.db", "other.db"].map(|name| init(&bed, name, SDL));
    ok(["save", &one, "Todo", FULL]);
    let before = ok(["status", &one, "--json"]).json();
    for member in ["replica", "namespace", "version_vector", "records", "changes", "outbox", "peers", "file_bytes"] {
        assert!(before.get(member).is_some(), "{member} is missing in {before}");
    }
    assert_eq!(before["outbox"], json!({"pending": 1, "acknowledged": 0, "rejected": 0}));
    assert_eq!(before["records"], json!({"Todo": 1, "Place": 0}));
    let relay = relay(&bed.path("relay"));
    let report = ok(["sync", &one, &relay.url, "--json"]).json();
    let names: Vec<&String> = report.as_object().unwrap().keys().collect();
    let expected = ["sent_changes", "received_changes", "bytes_sent", "bytes_received", "round_trips", "millis"];
    assert_eq!(names, expected);
    let after = ok(["status", &one, "--json"]).json();
    assert_eq!(after["outbox"], json!({"pending": 0, "acknowledged": 1, "rejected": 0}));
    assert_eq!(after["peers"].as_array().unwrap().len(), 1);
    assert_eq!(after["peers"][0]["relay"], true);
    // A replica serves, too.
    let serving = listen(["serve", &one, "--listen", "127.0.0.1:0"]);
    ok(["sync", &other, &serving.url]);
    drop(serving);
    assert_eq!(ok(["export", &other]).out, ok(["export", &one]).out);
    assert!(!ok(["status", &one]).text().is_empty());
}

#[test]
fn vectors_are_tokens_that_compare() {
    let bed = Bed::new();
    let [one, other] = ["one.db", "other.db"].map(|name| init(&bed, name, SDL));
    let vector = |db: &str| ok(["vector", db]).text().trim().to_owned();
    let compare = |left: &str, right: &str| ok(["compare", left, right]).text().trim().to_owned();
    let record = ok(["save", &one, "Todo", FULL]).json();
    let first = vector(&one);
    ok(["update", &one, "Todo", &id(&record), r#"{"done":false}"#]);
    let second = vector(&one);
    ok(["save", &other, "Todo", FULL]);
    let elsewhere = vector(&other);
    assert_eq!(compare(&first, &first), "equal");
    assert_eq!(compare(&first, &second), "before");
    assert_eq!(compare(&second, &first), "after");
    assert_eq!(compare(&first, &elsewhere), "concurrent");
    let own = ok(["vector", &one, "Todo", &id(&record)]).text().trim().to_owned();
    assert_eq!(compare(&own, &second), "equal", "it is the only record");
}

#[test]
fn watch_prints_the_result_and_then_what_another_process_does() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    ok(["save", &db, "Todo", FULL]);
    let mut watching = std::process::Command::new(program())
        .args(["watch", &db, "Todo", "--where", "done", "--order", "title"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["record"]["title"], "Milk");
    assert_eq!(next()["records"], 1);
    let added = ok(["save", &db, "Todo", r#"{"title":"Apple","done":true}"#]).json();
    let seen = next();
    assert_eq!((&seen["change"], &seen["index"]), (&json!("inserted"), &json!(0)));
    assert_eq!(seen["record"], added);
    ok(["delete", &db, "Todo", &id(&added)]);
    assert_eq!(next()["change"], "removed");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn two_processes_on_one_file_write_and_read_side_by_side() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let rows: String = (0..2_000).map(|n| format!("{}\n", json!({"title": format!("i{n}")}))).collect();
    let file = text(&bed.path("rows.ndjson"));
    std::fs::write(&file, rows).unwrap();
    let mut importing = start(["import", &db, "Todo", &file]);
    let mut saved = 0;
    while !importing.is_over() || saved < 10 {
        ok(["save", &db, "Todo", &json!({"title": format!("s{saved}")}).to_string()]);
        saved += 1;
    }
    assert_eq!(ok(["query", &db, "Todo", "--count"]).text().trim(), (2_000 + saved).to_string());
    let status = ok(["status", &db, "--json"]).json();
    assert_eq!(status["changes"].as_u64(), Some(2_000 + saved), "no dot was given twice");
    assert_sound(&bed.path("app.db"));
}

#[test]
fn a_followed_link_carries_what_other_processes_save_on_the_same_file() {
    let bed = Bed::new();
    let [one, other] = ["one.db", "other.db"].map(|name| init(&bed, name, SDL));
    let relay = relay(&bed.path("relay"));
    let _following = [start(["sync", &one, &relay.url, "--follow"]), start(["sync", &other, &relay.url, "--follow"])];
    let saved = ok(["save", &one, "Todo", FULL]).json();
    while run(["get", &other, "Todo", &id(&saved)]).code != 0 {}
    assert_eq!(ok(["get", &other, "Todo", &id(&saved)]).json(), saved);
}

#[test]
fn a_schema_check_prints_what_a_file_holds_and_an_init_takes_a_newer_schema() {
    let bed = Bed::new();
    let schema = text(&bed.path("s.graphql"));
    std::fs::write(&schema, SDL).unwrap();
    assert!(ok(["schema", "check", &schema]).text().contains("2 models"));
    let db = init(&bed, "app.db", SDL);
    let record = ok(["save", &db, "Todo", FULL]).json();
    let grown = SDL.replace("body: String @text", "body: String @text\n  color: String @default(value: \"red\")");
    std::fs::write(&schema, grown).unwrap();
    ok(["init", &db, "--schema", &schema]);
    let shown = ok(["get", &db, "Todo", &id(&record)]).json();
    assert_eq!(shown["title"], record["title"]);
    assert!(shown.get("color").is_some(), "{shown}");
    assert_sound(&bed.path("app.db"));
}

#[test]
fn the_demo_needs_nothing_and_ends_well() {
    let said = ok(["demo"]);
    assert!(said.text().lines().count() > 10, "it says what it shows: {said:?}");
}
