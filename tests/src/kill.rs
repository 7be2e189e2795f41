//! Processes that end without a word (kill -9), in the middle of their work: nothing is lost, nothing is there
//! twice, and every file is sound after every kill.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::program::{
    Running, assert_relay_sound, assert_sound, changes_in, init, ok, relay, run, start, text,
};
use crate::support::{Bed, SDL, relay_file};

/// Kills in a row, at least.
const ROUNDS: u64 = 4;

const RECORDS: u64 = 6_000;

/// An import file with so many to-dos.
fn todos(bed: &Bed, count: u64) -> PathBuf {
    let path = bed.path("todos.ndjson");
    let lines: String = (0..count)
        .map(|n| format!("{}\n", json!({"title": format!("todo {n}"), "priority": n, "tags": ["a", format!("t{n}")]})))
        .collect();
    std::fs::write(&path, lines).unwrap();
    path
}

fn replica_with_todos(bed: &Bed, name: &str) -> String {
    let db = init(bed, name, SDL);
    ok(["import", &db, "Todo", &text(&todos(bed, RECORDS))]);
    db
}

/// Kills a process as soon as a store holds more changes than `beyond`, or when the process is over.
/// True if it was killed in the middle.
fn kill_beyond(running: &mut Running, store: &Path, beyond: u64) -> bool {
    loop {
        if running.is_over() {
            return false;
        }
        if changes_in(store) > beyond {
            running.kill();
            return true;
        }
        std::thread::yield_now();
    }
}

/// Both replicas show the same, and each to-do once.
fn assert_all_there_once(one: &str, other: &str) {
    let exported = ok(["export", one]);
    assert!(exported.out == ok(["export", other]).out, "the replicas' exports differ");
    let mut titles: Vec<u64> = exported
        .lines()
        .iter()
        .filter(|record| record["__typename"] == "Todo")
        .map(|record| record["priority"].as_u64().unwrap())
        .collect();
    titles.sort_unstable();
    assert!(titles.iter().copied().eq(0..RECORDS), "{} of {RECORDS} are there", titles.len());
    let status = ok(["status", other, "--json"]).json();
    assert_eq!(status["changes"].as_u64(), Some(RECORDS), "a change is there twice");
    assert_eq!(status["forked"], json!([]));
}

#[test]
fn a_replica_that_is_killed_while_it_receives_goes_on_where_it_was() {
    let bed = Bed::new();
    let full = replica_with_todos(&bed, "full.db");
    let relay = relay(&bed.path("relay"));
    ok(["sync", &full, &relay.url]);
    let fresh = init(&bed, "fresh.db", SDL);
    let file = bed.path("fresh.db");
    let mut kills = 0;
    for round in 0..ROUNDS {
        let mut syncing = start(["sync", &fresh, &relay.url]);
        let before = changes_in(&file);
        kills += u64::from(kill_beyond(&mut syncing, &file, before.max(RECORDS * round / (2 * ROUNDS))));
        assert_sound(&file);
        assert!(changes_in(&file) >= before, "what was committed is gone");
    }
    assert!(kills > 0, "the sync was always faster");
    let received = ok(["sync", &fresh, &relay.url, "--json"]).json();
    assert!(received["received_changes"].as_u64().unwrap() <= RECORDS, "{received}");
    assert_all_there_once(&full, &fresh);
}

#[test]
fn a_replica_that_is_killed_while_it_sends_sends_the_rest_later() {
    let bed = Bed::new();
    let full = replica_with_todos(&bed, "full.db");
    let data = bed.path("relay");
    let relay = relay(&data);
    let mut kills = 0;
    for round in 0..ROUNDS {
        let mut syncing = start(["sync", &full, &relay.url]);
        kills += u64::from(kill_beyond(&mut syncing, &relay_file(&data), RECORDS * round / (2 * ROUNDS)));
        assert_sound(&bed.path("full.db"));
    }
    assert!(kills > 0, "the sync was always faster");
    ok(["sync", &full, &relay.url]);
    let fresh = init(&bed, "fresh.db", SDL);
    ok(["sync", &fresh, &relay.url]);
    assert_all_there_once(&full, &fresh);
    let status = ok(["status", &full, "--json"]).json();
    assert_eq!(status["outbox"], json!({"pending": 0, "acknowledged": RECORDS, "rejected": 0}));
}

#[test]
fn a_relay_that_is_killed_while_it_receives_keeps_what_it_acknowledged() {
    let bed = Bed::new();
    let full = replica_with_todos(&bed, "full.db");
    let data = bed.path("relay");
    let mut kills = 0;
    for round in 0..ROUNDS {
        let mut relay = relay(&data);
        let mut syncing = start(["sync", &full, &relay.url]);
        loop {
            if syncing.is_over() {
                break;
            }
            if changes_in(&relay_file(&data)) > RECORDS * round / (2 * ROUNDS) {
                kills += 1;
                break;
            }
            std::thread::yield_now();
        }
        relay.running.kill();
        syncing.kill();
        assert_relay_sound(&data);
        assert_sound(&bed.path("full.db"));
        let acknowledged = ok(["status", &full, "--json"]).json()["outbox"]["acknowledged"].as_u64().unwrap();
        assert!(changes_in(&relay_file(&data)) >= acknowledged, "the relay acknowledged what it does not have");
    }
    assert!(kills > 0, "the sync was always faster");
    let relay = relay(&data);
    let fresh = init(&bed, "fresh.db", SDL);
    ok(["sync", &full, &relay.url]);
    ok(["sync", &fresh, &relay.url]);
    assert_all_there_once(&full, &fresh);
}

#[test]
fn a_relay_that_is_killed_while_it_sends_is_asked_for_the_rest_later() {
    let bed = Bed::new();
    let full = replica_with_todos(&bed, "full.db");
    let data = bed.path("relay");
    let first = relay(&data);
    ok(["sync", &full, &first.url]);
    drop(first);
    assert_relay_sound(&data);
    let fresh = init(&bed, "fresh.db", SDL);
    let file = bed.path("fresh.db");
    for round in 0..ROUNDS {
        let mut relay = relay(&data);
        let mut syncing = start(["sync", &fresh, &relay.url]);
        let beyond = changes_in(&file).max(RECORDS * round / (2 * ROUNDS));
        while !syncing.is_over() && changes_in(&file) <= beyond {
            std::thread::yield_now();
        }
        relay.running.kill();
        syncing.kill();
        assert_relay_sound(&data);
        assert_sound(&file);
    }
    let relay = relay(&data);
    ok(["sync", &fresh, &relay.url]);
    assert_all_there_once(&full, &fresh);
}

#[test]
fn an_import_that_is_killed_is_simply_run_again_and_goes_on() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let file = bed.path("app.db");
    let source = text(&todos(&bed, RECORDS));
    let mut kills = 0;
    for round in 0..ROUNDS {
        let mut importing = start(["import", &db, "Todo", &source]);
        let beyond = changes_in(&file).max(RECORDS * round / (2 * ROUNDS));
        kills += u64::from(kill_beyond(&mut importing, &file, beyond));
        assert_sound(&file);
    }
    assert!(kills > 0, "the import was always faster");
    let held = changes_in(&file);
    let counts = ok(["import", &db, "Todo", &source, "--json"]).json();
    let resumed = counts["resumed"].as_u64();
    assert!(resumed == Some(held) || (held == RECORDS && resumed == Some(0)), "{held} were there: {counts}");
    let unchanged = if resumed == Some(0) { held } else { 0 };
    assert_eq!(counts["unchanged"].as_u64(), Some(unchanged), "{counts}");
    assert_eq!(counts["imported"].as_u64(), Some(RECORDS - unchanged), "{counts}");
    assert_eq!(ok(["query", &db, "Todo", "--count"]).text().trim(), RECORDS.to_string());
    assert_eq!(changes_in(&file), RECORDS, "no row was imported twice");
    assert_sound(&file);
}

#[test]
fn a_large_record_that_is_cut_off_goes_on_from_the_parts_that_arrived() {
    let bed = Bed::new();
    let full = init(&bed, "full.db", SDL);
    // Does not compress to nothing.
    let long: String = (0..3_000_000_u64)
        .map(|n| char::from(b'!' + (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as u8 % 90))
        .collect();
    let file = bed.path("long.ndjson");
    std::fs::write(&file, json!({"title": long, "priority": 1}).to_string()).unwrap();
    ok(["import", &full, "Todo", &text(&file)]);
    let data = bed.path("relay");
    let relay = relay(&data);
    let staged = || {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let count = rusqlite::Connection::open_with_flags(relay_file(&data), flags)
            .and_then(|db| db.query_row("SELECT count(*) FROM syncline_parts", [], |row| row.get::<_, i64>(0)));
        count.unwrap_or(0)
    };
    let mut syncing = start(["sync", &full, &relay.url]);
    while !syncing.is_over() && staged() == 0 && changes_in(&relay_file(&data)) == 0 {
        std::thread::yield_now();
    }
    syncing.kill();
    let before = bytes_of_change(&bed.path("full.db"));
    let rest = ok(["sync", &full, &relay.url, "--json"]).json();
    assert!(rest["bytes_sent"].as_u64().unwrap() <= before + 100_000, "{rest}");
    let fresh = init(&bed, "fresh.db", SDL);
    ok(["sync", &fresh, &relay.url]);
    assert_eq!(ok(["export", &full]).out, ok(["export", &fresh]).out);
    assert_eq!(staged(), 0, "parts of what is whole are still there");
    assert_sound(&bed.path("fresh.db"));
}

fn bytes_of_change(file: &Path) -> u64 {
    let db = rusqlite::Connection::open(file).unwrap();
    let bytes: i64 = db.query_row("SELECT sum(length(bytes)) FROM syncline_log", [], |row| row.get(0)).unwrap();
    u64::try_from(bytes).unwrap()
}

#[test]
fn what_a_killed_process_saved_is_there_and_the_next_one_writes_under_a_new_name() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let saved = ok(["save", &db, "Todo", r#"{"title":"before"}"#]).json();
    let before = ok(["status", &db, "--json"]).json();
    let source = text(&todos(&bed, RECORDS));
    let mut importing = start(["import", &db, "Todo", &source]);
    assert!(kill_beyond(&mut importing, &bed.path("app.db"), 1), "the import was faster");
    ok(["save", &db, "Todo", r#"{"title":"after"}"#]);
    let after = ok(["status", &db, "--json"]).json();
    assert_ne!(before["replica"], after["replica"]);
    let renewals = after["renewals"].as_array().unwrap();
    assert_eq!(renewals.last().unwrap()["why"], "continuity-not-proven", "{renewals:?}");
    let shown: Value = ok(["get", &db, "Todo", saved["id"].as_str().unwrap()]).json();
    assert_eq!(shown, saved);
    assert_eq!(run(["verify", &db]).code, 0);
}
