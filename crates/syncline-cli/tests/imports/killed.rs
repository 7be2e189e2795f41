//! Imports that are killed (SIGKILL) and run again.

use serde_json::{Value, json};
use syncline::{Create, Options, Query, Store};

use crate::support::{Bed, ok, run, start};

const SDL: &str = "type Note @model { id: ID! text: String! number: Int }";
const ROWS: u64 = 12_000;

fn lines(rows: u64, text: impl Fn(u64) -> String) -> String {
    (0..rows).map(|n| format!("{}\n", json!({"text": text(n), "number": n}))).collect()
}

async fn count(db: &str) -> u64 {
    let store = Store::open(db, Options::default().create(Create::Never)).await.unwrap();
    let count = store.count_json(Query::new("Note")).await.unwrap();
    store.close().await.unwrap();
    count
}

/// Kills an import as soon as there are more than so many records. True if it was killed in the middle.
async fn kill_beyond(args: &[&str], db: &str, beyond: u64) -> bool {
    let mut child = start(args);
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if count(db).await > beyond {
            child.kill().unwrap();
            child.wait().unwrap();
            return count(db).await < ROWS;
        }
    }
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_where_it_was() {
    let bed = Bed::new();
    for name in ["notes.ndjson", "notes.json", "notes.csv"] {
        let db = bed.store(&format!("{name}.db"), SDL);
        let content = match name {
            "notes.ndjson" => lines(ROWS, |n| format!("note {n}")),
            "notes.json" => {
                let rows: Vec<Value> = (0..ROWS).map(|n| json!({"text": format!("note {n}"), "number": n})).collect();
                json!({"data": {"listNotes": {"items": rows, "nextToken": null}}}).to_string()
            }
            _ => std::iter::once("text,number\n".to_owned())
                .chain((0..ROWS).map(|n| format!("note {n},{n}\n")))
                .collect(),
        };
        let file = bed.file(name, content);
        let import = ["import", &db, "Note", &file, "--json"];
        assert!(kill_beyond(&import, &db, 0).await, "the import was faster");
        // What the user writes meanwhile is not overwritten by rows that were taken already.
        let first = ok(&["query", &db, "Note", "--limit", "1"]).lines()[0]["id"].as_str().unwrap().to_owned();
        ok(&["update", &db, "Note", &first, r#"{"text":"mine"}"#]);
        let held = count(&db).await;
        kill_beyond(&import, &db, held).await;
        let held = count(&db).await;
        let said = ok(&import);
        let counts = said.json();
        assert_eq!(counts["rows"], json!(ROWS), "{name}: {counts}");
        if held < ROWS {
            assert_eq!(counts["resumed"], json!(held), "{name}: {counts}");
            assert_eq!((&counts["imported"], &counts["unchanged"]), (&json!(ROWS), &json!(0)), "{name}: {counts}");
            assert!(said.err.contains("going on behind row"), "{}", said.err);
            assert_eq!(ok(&["get", &db, "Note", &first]).json()["text"], json!("mine"));
        }
        assert_eq!(count(&db).await, ROWS);
        let again = ok(&import).json();
        assert_eq!((&again["resumed"], &again["rows"]), (&json!(0), &json!(ROWS)), "a finished import begins anew");
        ok(&["verify", &db]);
    }
}

#[tokio::test]
async fn another_file_or_other_options_do_not_go_on_where_this_one_was() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let file = bed.file("notes.ndjson", lines(ROWS, |n| format!("note {n}")));
    assert!(kill_beyond(&["import", &db, "Note", &file], &db, 0).await, "the import was faster");
    let moved = bed.text("moved.ndjson");
    std::fs::rename(&file, &moved).unwrap();
    // The same name and the same first rows, and another one early on.
    let other = |n| if n == 7 { "another".to_owned() } else { format!("note {n}") };
    let small = lines(60, other);
    let counts = ok(&["import", &db, "Note", &bed.file("notes.ndjson", small), "--json"]).json();
    assert_eq!((&counts["resumed"], &counts["rows"]), (&json!(0), &json!(60)));
    assert_eq!((&counts["imported"], &counts["unchanged"]), (&json!(1), &json!(59)));
    let with_key = ok(&["import", &db, "Note", &moved, "--key", "text", "--json"]);
    assert_eq!(with_key.json()["resumed"], json!(0), "{with_key:?}");
}

#[tokio::test]
async fn a_file_under_another_name_goes_on_and_restart_begins_at_the_first_row() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let file = bed.file("notes.ndjson", lines(ROWS, |n| format!("note {n}")));
    assert!(kill_beyond(&["import", &db, "Note", &file], &db, 0).await, "the import was faster");
    let held = count(&db).await;
    let moved = bed.text("moved.ndjson");
    std::fs::rename(&file, &moved).unwrap();
    let copy = bed.text("copy.db");
    for end in ["", "-wal"] {
        if bed.path(&format!("app.db{end}")).exists() {
            std::fs::copy(bed.path(&format!("app.db{end}")), format!("{copy}{end}")).unwrap();
        }
    }
    let counts = ok(&["import", &db, "Note", &moved, "--restart", "--json"]).json();
    assert_eq!((&counts["resumed"], &counts["unchanged"]), (&json!(0), &json!(held)));
    // How far the import had come stands in the store, so a copy of it knows.
    let counts = ok(&["import", &copy, "Note", &moved, "--json"]).json();
    assert_eq!((&counts["resumed"], &counts["imported"]), (&json!(held), &json!(ROWS)));
}

#[tokio::test]
async fn rejected_rows_stand_in_their_file_once_whenever_the_import_was_killed() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let rows = (0..ROWS).map(|n| {
        let text = if n % 100 == 7 { Value::Null } else { json!(format!("note {n}")) };
        format!("{}\n", json!({"text": text, "number": n}))
    });
    let file = bed.file("notes.ndjson", rows.collect::<String>());
    let rejected = bed.text("rejected.ndjson");
    let import = ["import", &db, "Note", &file, "--skip-invalid", "--rejected", &rejected, "--json"];
    assert!(kill_beyond(&import, &db, 0).await, "the import was faster");
    let held = count(&db).await;
    // One that was over before it could be killed has nothing to go on with.
    if kill_beyond(&import, &db, held).await {
        let counts = ok(&import).json();
        assert_eq!((&counts["skipped"], &counts["imported"]), (&json!(ROWS / 100), &json!(ROWS - ROWS / 100)));
    }
    let lines = std::fs::read_to_string(&rejected).unwrap();
    let numbers: Vec<u64> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq((0..ROWS).filter(|n| n % 100 == 7)), "{numbers:?}");
}

/// An import that went on once cut any file under the name of its rejected rows to the length that its own had had.
#[tokio::test]
async fn an_import_that_goes_on_adds_rejected_rows_to_no_file_but_its_own() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let rows = (0..ROWS).map(|n| if n % 100 == 7 { "{}\n".to_owned() } else { format!("{{\"text\":\"{n}\"}}\n") });
    let file = bed.file("notes.ndjson", rows.collect::<String>());
    let rejected = bed.text("rejected.ndjson");
    let import = ["import", &db, "Note", &file, "--skip-invalid", "--rejected", &rejected, "--json"];
    assert!(kill_beyond(&import, &db, 0).await, "the import was faster");
    let own = std::fs::read(&rejected).unwrap();
    let mine = "mine\n".repeat(own.len());
    std::fs::write(&rejected, &mine).unwrap();
    let held = count(&db).await;
    let said = run(&import);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("holds something already"), "{}", said.err);
    assert_eq!((std::fs::read_to_string(&rejected).unwrap(), count(&db).await), (mine, held));
    // With its own file back it goes on.
    std::fs::write(&rejected, own).unwrap();
    assert_eq!(ok(&import).json()["skipped"], json!(ROWS / 100));
    assert_eq!(std::fs::read_to_string(&rejected).unwrap().lines().count() as u64, ROWS / 100);
}
