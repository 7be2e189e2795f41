//! Wrong input of every kind: a message that names it, an exit code that tells whose fault it is, and a store
//! that is as it was, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::support::program::{Said, init, ok, relay, run, run_with_input, text};
use crate::support::{Bed, SDL};

/// Every file of the folder with its bytes; locks and SQLite's shared memory say nothing.
fn files(bed: &Bed) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(bed.path("")).unwrap().map(|entry| entry.unwrap());
    let named = entries.filter(|entry| entry.file_type().unwrap().is_file());
    named
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| !["-lock", "-sync", "-shm"].iter().any(|suffix| name.ends_with(suffix)))
        .filter(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty()))
        .collect()
}

/// Runs the program and expects it to refuse with this code, to name all of `says`, and to change nothing.
#[track_caller]
fn refused(bed: &Bed, args: &[&str], code: i32, says: &[&str]) -> Said {
    let before = files(bed);
    let said = said_no(args, code, says);
    let after = files(bed);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{args:?}");
    for (name, bytes) in &before {
        assert!(after[name] == *bytes, "{args:?} changed {name}");
    }
    said
}

/// Runs the program and expects it to refuse with this code, and to name all of `says`.
#[track_caller]
fn said_no(args: &[&str], code: i32, says: &[&str]) -> Said {
    let said = run(args);
    assert_eq!(said.code, code, "{args:?}: {said:?}");
    for part in says {
        assert!(said.err.contains(part), "{args:?} does not say {part:?}: {}", said.err);
    }
    assert!(said.out.is_empty(), "data on stdout: {said:?}");
    said
}

#[test]
fn wrong_usage_is_told_and_exits_with_two() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let db = db.as_str();
    let cases: &[(&[&str], &[&str])] = &[
        (&["frobnicate"], &["frobnicate"]),
        (&["save", db], &["MODEL"]),
        (&["query", db, "Todo", "--limit", "many"], &["many"]),
        (&["query", db, "Todo", "--frob"], &["--frob"]),
        (&["query", db, "Todo", "--where", "done", "--filter", "{}"], &["--filter"]),
        (&["sync", db, "syncline://127.0.0.1:1", "--timeout", "soon"], &["soon", "30s"]),
        (&["sync", db, "http://127.0.0.1:1"], &["syncline://"]),
        (&["relay", "run", "--data", "x", "--listen", "nowhere"], &["nowhere", "127.0.0.1:4433"]),
        (&["compare", "rubbish", "rubbish"], &["token"]),
        (&["save", db, "Todo", "{\"title\": \"a\" \"b\"}"], &["not valid JSON", "line 1", "^"]),
        (&["save", db, "Todo", "[1]"], &["JSON object", "[0]", "a number"]),
        (&["update", db, "Todo", "x", "nonsense"], &["not valid JSON"]),
        (&["query", db, "Todo", "--filter", "{"], &["not valid JSON"]),
    ];
    for (args, says) in cases {
        refused(&bed, args, 2, says);
    }
}

#[test]
fn a_record_that_does_not_fit_is_refused_with_every_field_named() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let saved = ok(["save", &db, "Todo", r#"{"title":"Milk","body":"abc"}"#]).json();
    let (db, id) = (db.as_str(), saved["id"].as_str().unwrap());
    let content = || [ok(["export", db]).out, ok(["vector", db]).out, ok(["history", db, "Todo", id]).out];
    let cases: &[(&[&str], &[&str])] = &[
        (&["save", db, "Todo", r#"{"title":7,"done":"yes","nope":1}"#], &["title", "done", "nope"]),
        (&["save", db, "Todo", r#"{"done":true}"#], &["title"]),
        (&["save", db, "Tood", "{}"], &["Tood", "Todo"]),
        (&["update", db, "Todo", id, r#"{"priority":1.5}"#], &["priority"]),
        (&["update", db, "Todo", id, r#"{"titel":"x"}"#], &["titel", "title"]),
        (&["get", db, "Todo", "no-id"], &["no-id"]),
        (&["get", db, "Todo", "00000000-0000-7000-8000-000000000000"], &["00000000-0000-7000-8000-000000000000"]),
        (&["delete", db, "Place", "nowhere"], &["Place", "nowhere"]),
        (&["undelete", db, "Place", "nowhere"], &["Place", "nowhere"]),
        (&["edit", db, "Todo", id, "body", "--at", "9", "--insert", "x"], &["body", "3"]),
        (&["edit", db, "Todo", id, "title", "--at", "0", "--insert", "x"], &["title"]),
        (&["increment", db, "Todo", id, "priority", "1"], &["priority"]),
        (&["document", db, "Todo", "00000000-0000-7000-8000-000000000000"], &["00000000"]),
        (&["history", db, "Nothing", id], &["Nothing"]),
        (&["query", db, "Todo", "--where", "colour = 1"], &["colour"]),
        (&["query", db, "Todo", "--where", "title = 'a'; DROP TABLE Todo"], &["column 12", ";"]),
        (&["query", db, "Todo", "--filter", r#"{"title":{"like":"x"}}"#], &["like"]),
        (&["query", db, "Todo", "--order", "title:up"], &["up"]),
        (&["query", db, "Todo", "--after", "rubbish"], &["token"]),
        (&["export", db, "Tood"], &["Tood", "Todo"]),
    ];
    let before = content();
    for (args, says) in cases {
        // Who tries to write takes a name first, so the file's bytes may differ; what it holds does not.
        said_no(args, 1, says);
        assert!(content() == before, "{args:?} changed the store");
    }
}

#[test]
fn a_file_to_import_that_does_not_fit_is_refused_as_a_whole() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    ok(["save", &db, "Todo", r#"{"title":"before"}"#]);
    let file = bed.path("rows.ndjson");
    let path = text(&file);
    let cases = [
        ("{\"title\":\"a\"}\n{\"title\":7}\n", "ndjson", vec!["row 2", "line 2", "title"]),
        ("{\"title\":\"a\"}\n{\"title\":\n", "ndjson", vec!["row 2"]),
        ("[{\"title\":\"a\"},{\"titel\":\"b\"}]", "json", vec!["row 2", "titel"]),
        ("title,prio\na,1\n", "csv", vec!["prio"]),
        ("title,priority\na,one\n", "csv", vec!["row 1", "priority"]),
    ];
    for (content, format, says) in cases {
        std::fs::write(&file, content).unwrap();
        refused(&bed, &["import", &db, "Todo", &path, "--format", format], 1, &says);
    }
    refused(&bed, &["import", &db, "Todo", &text(&bed.path("missing.csv"))], 1, &["missing.csv"]);
    refused(&bed, &["import", &db, "Todo", &text(&bed.path(""))], 1, &["folder"]);
    refused(&bed, &["import", &db, "Tood", &path], 1, &["Tood"]);
    refused(&bed, &["import", &db, "Todo", &path, "--key", "nope"], 2, &["nope"]);
    // What fits is imported if that is asked for.
    let said =
        run_with_input(["import", &db, "Todo", "-", "--skip-invalid", "--json"], "{\"title\":\"a\"}\n{\"title\":7}\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((&said.json()["imported"], &said.json()["skipped"]), (&json!(1), &json!(1)));
}

#[test]
fn a_schema_that_is_wrong_is_shown_with_its_place_and_makes_nothing() {
    let bed = Bed::new();
    let schema = bed.path("bad.graphql");
    std::fs::write(&schema, "type Todo @model {\n  title: Strin!\n}\n").unwrap();
    let (schema, db) = (text(&schema), text(&bed.path("app.db")));
    refused(&bed, &["schema", "check", &schema], 1, &["bad.graphql", ":2:", "Strin", "String"]);
    refused(&bed, &["init", &db, "--schema", &schema], 1, &[":2:", "Strin", "String"]);
    refused(&bed, &["init", &db, "--schema", &text(&bed.path("none.graphql"))], 1, &["none.graphql"]);
    refused(&bed, &["schema", "check", &text(&bed.path("none.graphql"))], 1, &["none.graphql"]);
    assert!(!Path::new(&db).exists());
}

#[test]
fn a_schema_that_the_records_cannot_follow_is_refused() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    ok(["save", &db, "Todo", r#"{"title":"a","priority":1}"#]);
    let schema = bed.path("other.graphql");
    std::fs::write(&schema, SDL.replace("priority: Int @index(name: \"byPriority\")", "priority: [String]")).unwrap();
    refused(&bed, &["init", &db, "--schema", &text(&schema)], 1, &["priority"]);
    std::fs::write(&schema, SDL).unwrap();
    refused(&bed, &["init", &db, "--schema", &text(&schema), "--namespace", "other"], 1, &["default", "other"]);
}

#[test]
fn what_is_no_store_is_told_apart_and_left_alone() {
    let bed = Bed::new();
    std::fs::write(bed.path("notes.txt"), "just text, longer than a header of a database would be").unwrap();
    let other = rusqlite::Connection::open(bed.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1);").unwrap();
    drop(other);
    let newer = init(&bed, "newer.db", SDL);
    let sqlite = rusqlite::Connection::open(&newer).unwrap();
    sqlite.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    drop(sqlite);
    let commands: [&[&str]; 4] =
        [&["get", "DB", "Todo", "x"], &["status", "DB"], &["save", "DB", "Todo", "{}"], &["verify", "DB"]];
    let stores = [
        ("missing.db", vec!["missing.db", "syncline init"]),
        ("notes.txt", vec!["notes.txt", "not a Syncline store"]),
        ("other.db", vec!["other.db", "another program"]),
        ("newer.db", vec!["newer.db", "99", "update the program"]),
    ];
    for (name, says) in stores {
        let path = text(&bed.path(name));
        for command in commands {
            let args: Vec<&str> = command.iter().map(|arg| if *arg == "DB" { path.as_str() } else { arg }).collect();
            refused(&bed, &args, 1, &says);
        }
    }
}

#[test]
fn a_database_of_another_program_is_not_taken_over_by_init() {
    let bed = Bed::new();
    let other = rusqlite::Connection::open(bed.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE mine (a);").unwrap();
    drop(other);
    let schema = bed.path("s.graphql");
    std::fs::write(&schema, SDL).unwrap();
    refused(&bed, &["init", &text(&bed.path("other.db")), "--schema", &text(&schema)], 1, &["another program"]);
    let nowhere = text(&bed.path("no folder/app.db"));
    let said = refused(&bed, &["init", &nowhere, "--schema", &text(&schema)], 1, &[]);
    assert!(!said.err.is_empty());
}

/// Every command made a store without a schema of an empty file.
#[test]
fn an_empty_file_is_no_store_but_init_makes_it_one() {
    let bed = Bed::new();
    let (db, schema) = (text(&bed.path("empty.db")), bed.path("s.graphql"));
    std::fs::write(&db, "").unwrap();
    std::fs::write(&schema, SDL).unwrap();
    refused(&bed, &["status", &db], 1, &["it is empty", "init"]);
    assert_eq!(std::fs::metadata(&db).unwrap().len(), 0);
    ok(["init", &db, "--schema", &text(&schema)]);
    ok(["save", &db, "Todo", r#"{"title":"a"}"#]);
    // What an init leaves that is killed before it made the tables.
    let db = text(&bed.path("begun.db"));
    rusqlite::Connection::open(&db).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    assert_ne!(std::fs::metadata(&db).unwrap().len(), 0);
    refused(&bed, &["status", &db], 1, &["it is empty", "init"]);
    ok(["init", &db, "--schema", &text(&schema)]);
    ok(["save", &db, "Todo", r#"{"title":"a"}"#]);
}

#[test]
fn a_sync_that_cannot_be_says_why_and_leaves_the_store_as_it_was() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    ok(["save", &db, "Todo", r#"{"title":"a"}"#]);
    let relay = relay(&bed.path("relay"));
    let (place, pin) = relay.url.split_once("?pin=").unwrap();
    let wrong: String = pin.chars().rev().collect();
    refused(&bed, &["sync", &db, &format!("{place}?pin={wrong}")], 1, &[]);
    refused(&bed, &["sync", &db, &relay.url, "--ca", &text(&bed.path("none.pem"))], 1, &["none.pem"]);
    // Nobody answers: the time is over.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("syncline://{}?pin={pin}", silent.local_addr().unwrap());
    refused(&bed, &["sync", &db, &url, "--timeout", "300ms"], 3, &["300ms"]);
}

#[test]
fn a_relay_does_not_start_without_authentication_or_on_a_folder_in_use() {
    let bed = Bed::new();
    let data = text(&bed.path("relay"));
    let said = run(["relay", "run", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("--dev"), "{said:?}");
    let _running = relay(&bed.path("relay"));
    let said = run(["relay", "run", "--data", &data, "--listen", "127.0.0.1:0", "--dev"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("another relay"), "{said:?}");
}

#[test]
fn a_damaged_store_is_found_by_verify_and_named() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    for n in 0..5 {
        ok(["save", &db, "Todo", &json!({"title": format!("t{n}")}).to_string()]);
    }
    let sqlite = rusqlite::Connection::open(&db).unwrap();
    sqlite.execute_batch("UPDATE Todo SET title = 'forged' WHERE title = 't3'").unwrap();
    drop(sqlite);
    let said = run(["verify", &db]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.text().contains("Todo") && said.text().contains("table row"), "{said:?}");
    // A flipped bit in the log.
    let db = init(&bed, "bits.db", SDL);
    ok(["save", &db, "Todo", r#"{"title":"abcdef"}"#]);
    let sqlite = rusqlite::Connection::open(&db).unwrap();
    let bytes: Vec<u8> =
        sqlite.query_row("SELECT bytes FROM syncline_log WHERE seq = 1", [], |row| row.get(0)).unwrap();
    let mut flipped = bytes;
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    sqlite.execute("UPDATE syncline_log SET bytes = ?1 WHERE seq = 1", [flipped]).unwrap();
    drop(sqlite);
    let said = run(["verify", &db, "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.json()["ok"], false);
    assert!(said.text().contains("log row 1"), "{said:?}");
}
