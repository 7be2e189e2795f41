//! Bits that flip in the file: what can be made anew is, what cannot is named and harms only its record.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::*;
use serde_json::json;
use syncline_core::session::SessionStore;
use syncline_engine::{OnDisk, Store, StoreError};

/// Flips a bit in the middle of a blob.
fn flip(bed: &Bed, table: &str, column: &str, condition: &str) {
    let db = bed.sql();
    let found = format!("SELECT rowid, {column} FROM {table} WHERE {condition} LIMIT 1");
    let (row, mut bytes): (i64, Vec<u8>) = db.query_row(&found, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    db.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2"), rusqlite::params![bytes, row]).unwrap();
}

fn splice(bed: &mut Bed, store: &mut Store, id: &str) -> Result<(), StoreError> {
    let now = bed.tick();
    store.write(now, |tx| tx.single(|tx| tx.splice("Todo", id, "body", 0, 0, "x"))).map(|_| ())
}

#[test]
fn a_damaged_state_is_folded_again_from_the_log() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let todo = save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "hello", "votes": 3}));
    store.close().unwrap();
    drop(store);
    flip(&bed, "syncline_records", "state", "1");
    let mut store = bed.open();
    assert!(!store.verify().unwrap().is_ok());
    assert_eq!(get(&mut store, "Todo", &id(&todo)), Some(todo));
    assert_verified(&store);
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    for (column, value) in [("bytes", None), ("upto", Some(70))] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"body": "hello"})));
        for _ in 0..60 {
            splice(&mut bed, &mut store, &todo).unwrap();
        }
        store.close().unwrap();
        drop(store);
        match value {
            None => flip(&bed, "syncline_snapshots", column, "1"),
            // A position too far on hides changes; nothing in the snapshot's own bytes tells.
            Some(upto) => {
                bed.sql().execute("UPDATE syncline_snapshots SET upto = ?1", [upto]).unwrap();
            }
        }
        let mut store = bed.open();
        splice(&mut bed, &mut store, &todo).unwrap();
        assert_eq!(get(&mut store, "Todo", &todo).unwrap()["body"].as_str().unwrap().len(), 66);
        assert_verified(&store);
    }
}

#[test]
fn a_damaged_change_is_named_and_the_other_records_go_on() {
    // One flipped bit in the log made every batch for the record fail, and with it every session, for ever.
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut one, mut two) = (a.open(), b.open());
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"title": "milk", "body": "hello"})));
    let other = id(&save(&mut one, a.tick(), "Todo", json!({"title": "bread", "body": "hello"})));
    pull(&mut two, &mut one);
    one.close().unwrap();
    drop(one);
    flip(&a, "syncline_log", "bytes", "seq = 1");
    let mut one = a.open();
    let report = one.verify().unwrap();
    let of_log: Vec<&String> = report.faults.iter().filter(|fault| fault.starts_with("log row")).collect();
    assert_eq!(of_log, ["log row 1: its bytes do not match its hash"], "the rows behind it are whole");

    splice(&mut a, &mut one, &other).unwrap();
    let refused = splice(&mut a, &mut one, &todo);
    assert!(matches!(refused, Err(StoreError::DamagedRow { seq: 1, .. })), "{refused:?}");
    let shown = one.reader().unwrap().get("Todo", &todo).unwrap().unwrap();
    assert_eq!(shown["body"], "hello", "queries do not read the log");

    let seen = two.committed();
    for record in [&todo, &other] {
        splice(&mut b, &mut two, record).unwrap();
    }
    let applied = apply(&mut one, &rows(&mut two, seen));
    assert_eq!(applied.new, 2);
    assert_eq!(get(&mut one, "Todo", &other).unwrap()["body"], "xxhello");
    let status = one.status().unwrap();
    assert!(status.quarantined.iter().any(|row| row.seq == 1 && row.reason.starts_with("damaged")), "{status:?}");
}

#[test]
fn nothing_is_sent_from_a_damaged_row_on_and_all_of_it_once_it_is_repaired() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    for title in ["a", "b", "c"] {
        save(&mut store, bed.tick(), "Todo", json!({"title": title}));
    }
    let whole = rows(&mut store, 0);
    store.close().unwrap();
    drop(store);
    flip(&bed, "syncline_log", "bytes", "seq = 2");
    let mut store = bed.open();
    assert_eq!(rows(&mut store, 0), whole[..1]);
    assert_eq!(SessionStore::committed(&mut store).unwrap(), 1, "for peers the log ends before the damage");
    assert_eq!(store.committed(), 3);
    assert_eq!(store.outbox().unwrap().pending, 3);
    assert!(rows(&mut store, 1).is_empty());
    assert_eq!(store.status().unwrap().quarantined.len(), 1);
    drop(store);
    flip(&bed, "syncline_log", "bytes", "seq = 2");
    let mut store = bed.open();
    assert_eq!(rows(&mut store, 0), whole);
    assert!(store.status().unwrap().quarantined.is_empty());
    assert_verified(&store);
}

#[test]
fn a_damaged_row_at_the_beginning_of_a_batch_is_an_error_that_names_it() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
    flip(&bed, "syncline_log", "bytes", "seq = 1");
    let refused = store.read_log(0, 10, 1 << 20);
    assert!(matches!(refused, Err(StoreError::DamagedRow { seq: 1, .. })), "{refused:?}");
}

#[test]
fn wherever_a_value_of_the_log_has_another_type_verification_says_so() {
    for column in ["kind", "record", "prev", "replica", "counter", "chain", "log_chain", "hash", "bytes"] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        save(&mut store, bed.tick(), "Todo", json!({"title": "a", "body": "x"}));
        save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
        bed.sql().execute(&format!("UPDATE syncline_log SET {column} = 'rubbish' WHERE seq = 1"), []).unwrap();
        let report = store.verify().unwrap();
        assert!(!report.is_ok(), "{column}");
    }
}

#[test]
fn a_row_that_was_moved_to_another_record_is_not_passed_on() {
    // A disk that lied about a sync left pages of two ages: a relay gave out a change as one of another record. Its
    // bytes and their hash were right, and whoever got it kept it, waiting for what it builds on.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    for title in ["a", "b", "c"] {
        save(&mut store, bed.tick(), "Todo", json!({"title": title}));
    }
    let whole = rows(&mut store, 0);
    for moved in ["record = 3", "counter = 1", "log_chain = 1", "replica = 7"] {
        bed.sql().execute_batch(&format!("CREATE TABLE kept AS SELECT * FROM syncline_log WHERE seq = 2; UPDATE syncline_log SET {moved} WHERE seq = 2")).unwrap();
        store.refresh().unwrap();
        assert_eq!(rows(&mut store, 0), whole[..1], "{moved}");
        assert!(matches!(store.read_log(1, 10, 1 << 20), Ok(rows) if rows.is_empty()), "{moved}");
        assert!(!store.verify().unwrap().is_ok(), "{moved}");
        bed.sql()
            .execute_batch(
                "DELETE FROM syncline_log WHERE seq = 2; INSERT INTO syncline_log SELECT * FROM kept; DROP TABLE kept",
            )
            .unwrap();
        store.close().unwrap();
        store = bed.open();
        assert_eq!(rows(&mut store, 0), whole, "{moved}");
        assert_verified(&store);
    }
}

#[test]
fn what_is_noted_of_replicas_and_records_is_verified_too() {
    for (table, change) in [
        ("syncline_replicas", "counter = counter + 1"),
        ("syncline_replicas", "chain = 5"),
        ("syncline_replicas", "tip = 1"),
        ("syncline_records", "last = 1"),
        ("syncline_log", "prev = 1"),
        ("syncline_log", "rprev = 1"),
    ] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
        let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "b"})));
        splice(&mut bed, &mut store, &todo).unwrap();
        assert_verified(&store);
        store.close().unwrap();
        drop(store);
        bed.sql()
            .execute(&format!("UPDATE {table} SET {change} WHERE rowid = (SELECT max(rowid) FROM {table})"), [])
            .unwrap();
        let store = bed.open();
        let report = store.verify();
        assert!(!report.as_ref().is_ok_and(|report| report.is_ok()), "{table} {change}: {report:?}");
    }
}

#[test]
fn a_relay_that_lost_the_name_of_a_model_passes_its_records_on_under_no_other() {
    // A disk that lied about a sync left a relay's file without the name of a model whose records it held. It passed
    // them on as records of a model without a name, and every device refused the honest change that it had waited for
    // (seed 700004918 of the swarm). The next new model would have got the number of the lost one, and its records.
    let (mut a, mut b, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3));
    let (mut device, mut relay, mut other) = (a.open(), b.open_with(None), c.open());
    save(&mut device, a.tick(), "Place", json!({"name": "x"}));
    let todo = save(&mut device, a.tick(), "Todo", json!({"title": "milk"}));
    pull(&mut relay, &mut device);
    relay.close().unwrap();
    drop(relay);
    b.sql().execute("DELETE FROM syncline_models WHERE name = 'Todo'", []).unwrap();

    let mut relay = b.open_with(None);
    assert_eq!(rows(&mut relay, 0).len(), 1, "what stands behind the damage waits");
    assert!(relay.read_log(1, 10, 1 << 20).unwrap().is_empty());
    assert!(relay.status().unwrap().quarantined[0].reason.contains("model"), "{:?}", relay.status());
    assert!(!relay.verify().unwrap().is_ok());

    let seen = device.committed();
    save(&mut device, a.tick(), "Plain", json!({"title": "y"}));
    let now = a.tick();
    device.write(now, |tx| tx.single(|tx| tx.update("Todo", &id(&todo), &map(json!({"title": "bread"}))))).unwrap();
    assert_eq!(apply(&mut relay, &rows(&mut device, seen)).new, 2);
    relay.close().unwrap();
    drop(relay);

    let mut relay = b.open_with(None);
    assert_eq!(rows(&mut relay, 0).len(), 4, "a change of the record brought the name back");
    pull(&mut other, &mut relay);
    assert_eq!(get(&mut other, "Todo", &id(&todo)).unwrap()["title"], "bread");
    assert_eq!(get(&mut other, "Place", "x").unwrap()["name"], "x");
    assert!(other.status().unwrap().quarantined.is_empty());
    for store in [&relay, &other] {
        assert_verified(store);
    }
}

#[test]
fn a_setting_that_is_no_text_any_more_is_damage_and_verification_says_so() {
    // Power was cut after a disk had lied, and the pages of a long setting, the list of renewals, were of two ages. The
    // store failed in every session, with an error of SQLite's that called nothing damaged, and `verify` found nothing
    // wrong (seed 900003154 of the swarm).
    for key in ["schema", "sdl", "renewals"] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
        let torn = "INSERT OR REPLACE INTO syncline_meta VALUES(?1, CAST(x'7bff7d' AS TEXT))";
        assert_eq!(bed.sql().execute(torn, [key]).unwrap(), 1);
        assert_eq!(store.verify().unwrap().faults, [format!("the setting `{key}` is no text")]);
        store.renew_identity(false).unwrap();
        save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
        store.close().unwrap();
        drop(store);
        let options = bed.options(None);
        let opened = Store::open(Box::new(OnDisk::new(bed.path())), options);
        match key {
            "schema" => assert!(opened.err().as_ref().is_some_and(StoreError::is_damage)),
            _ => drop(opened.unwrap()),
        }
    }
}
