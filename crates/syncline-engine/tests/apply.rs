//! Changes of peers: refused, waiting, repeated, unknown; each told from the others and none lost.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use automerge::legacy::{Key, ObjectId, Op, OpType, SortedVec};
use automerge::{ActorId, ExpandedChange, ScalarValue};
use common::*;
use serde_json::json;
use syncline_core::change::Change;
use syncline_core::edit::ObjectKind;
use syncline_core::genesis::Genesis;
use syncline_core::ids::{RecordId, ReplicaId};
use syncline_core::session::{IncomingRow, SessionStore as _};
use syncline_engine::{LiveResult, OnMigration, Source, StoreError};

/// A first change by `actor` that puts a value at a key.
fn put(actor: &[u8], key: &str, value: impl Into<ScalarValue>) -> Change {
    Change::from_expanded(ExpandedChange {
        operations: vec![Op {
            action: OpType::Put(value.into()),
            obj: ObjectId::Root,
            key: Key::Map(key.into()),
            pred: SortedVec::new(),
            insert: false,
        }],
        actor_id: ActorId::from(actor),
        hash: None,
        seq: 1,
        start_op: std::num::NonZeroU64::MIN,
        time: 5,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn record_of(rows: &[IncomingRow], model: &str) -> RecordId {
    rows.iter().find(|row| row.model == model).unwrap().record
}

#[test]
fn a_hostile_change_is_set_aside_and_passed_on_while_its_writers_others_flow() {
    let (mut a, mut b, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3));
    let (mut one, mut two, mut three) = (a.open(), b.open(), c.open());
    let todo = save(&mut one, a.tick(), "Todo", json!({"title": "milk", "body": "hi"}));
    let honest = rows(&mut one, 0);
    let record = honest[0].record;
    let bad = row(7, 1, "Todo", record, &put(&[7; 16], "priority", "not a number"));
    let good = row(7, 2, "Todo", record, &put(&[8; 16], "priority", 4_i64));
    apply(&mut two, &[honest.clone(), vec![bad.clone(), good.clone()]].concat());
    for row in [&bad, &good, &honest[0]] {
        apply(&mut three, std::slice::from_ref(row));
    }
    for store in [&mut two, &mut three] {
        assert_eq!(get(store, "Todo", &id(&todo)).unwrap()["priority"], 4);
        let status = store.status().unwrap();
        assert_eq!(status.quarantined.len(), 1);
        assert_eq!(status.quarantined[0].record, record.to_string());
        assert!(rows(store, 0).contains(&bad), "it is passed on");
        assert_verified(store);
    }
    assert_eq!(get(&mut two, "Todo", &id(&todo)), get(&mut three, "Todo", &id(&todo)));
}

/// Peers may make a record whose bytes are the id of another that the app named: no change of theirs was taken any more.
#[test]
fn two_records_that_show_one_id_stand_in_the_table_beside_each_other() {
    for is_first in [true, false] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        let given = uuid::Uuid::try_parse("b1d1d5b6-5f4e-4b54-9a8c-0d6d62ac5e7a").unwrap();
        let raw = RecordId::from_uuid(given);
        let theirs = [
            row(7, 1, "Plain", raw, &put(&[7; 16], "~live", 1_i64)),
            row(7, 2, "Plain", raw, &put(&[8; 16], "count", 3_i64)),
        ];
        let name = given.to_string();
        if is_first {
            save(&mut store, bed.tick(), "Plain", json!({"id": name, "title": "ours"}));
        }
        assert_eq!(apply(&mut store, &theirs).new, 2);
        save(&mut store, bed.tick(), "Plain", json!({"id": name, "title": "again"}));
        let query = syncline_engine::query::Query::new("Plain");
        let all = store.reader().unwrap().query(&query).unwrap().records;
        assert!(all.iter().all(|record| record["id"] == json!(name)), "{all:?}");
        assert_eq!(all.len(), if is_first { 2 } else { 1 });
        let shown = store.reader().unwrap().get("Plain", &name).unwrap();
        assert_eq!(shown.as_ref().unwrap()["title"], "again");
        assert_eq!(get(&mut store, "Plain", &name), shown);
        assert!(store.status().unwrap().quarantined.is_empty());
        // A follower tells them apart, and who deletes one sees the other.
        let mut live = LiveResult::new(query.clone(), store.schema().unwrap()).unwrap();
        live.take(store.reader().unwrap().news(&live, |_| None).unwrap());
        for left in (0..all.len()).rev() {
            store.take_commits();
            let now = bed.tick();
            store.write(now, |tx| tx.delete("Plain", &name)).unwrap();
            let rows: BTreeSet<(String, i64)> = store
                .take_commits()
                .iter()
                .flat_map(|commit| &commit.changes)
                .map(|one| (one.model.clone(), one.row))
                .collect();
            live.take(store.reader().unwrap().news(&live, |_| Some(rows.clone())).unwrap());
            assert_eq!((live.shown().len(), store.reader().unwrap().count(&query).unwrap()), (left, left as u64));
            assert_eq!(store.reader().unwrap().get("Plain", &name).unwrap().is_some(), left > 0);
        }
        assert_verified(&store);
    }
}

#[test]
fn a_transaction_with_one_bad_change_is_refused_whole_and_binds_no_actor() {
    // A refused transaction bound the actors of its good half: the actor's true owner was refused from then on.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let (first, second) = (RecordId([1; 16]), RecordId([2; 16]));
    let mut stolen = row(7, 1, "Plain", first, &put(&[5; 16], "~live", 1_i64));
    stolen.txn = 1;
    let bad = row(7, 2, "Plain", second, &put(&[6; 16], "count", "text"));
    let applied = apply(&mut store, &[stolen, bad]);
    assert_eq!((applied.new, applied.quarantined), (0, 2));
    let mine = row(8, 1, "Plain", first, &put(&[5; 16], "~live", 1_i64));
    assert_eq!(apply(&mut store, &[mine]).new, 1);
    assert_eq!(store.status().unwrap().records["Plain"], 1);
    assert_verified(&store);
}

#[test]
fn changes_that_come_before_what_they_build_on_wait_for_it_wherever_it_comes() {
    // In the same batch a waiting change was never asked again: its row was not in the file yet.
    for split in [0, 1, 2] {
        let (mut a, mut w, mut b) = (Bed::new(1), Bed::new(2), Bed::new(3));
        let (mut one, mut writer, mut two) = (a.open(), w.open(), b.open());
        let todo = id(&save(&mut one, a.tick(), "Todo", json!({"title": "milk", "body": "hello"})));
        pull(&mut writer, &mut one);
        let now = w.tick();
        writer.write(now, |tx| tx.single(|tx| tx.splice("Todo", &todo, "body", 5, 0, "!"))).unwrap();
        let mut sent = rows(&mut writer, 0);
        sent.swap(0, 1);
        match split {
            0 => assert_eq!(apply(&mut two, &sent).new, 2),
            1 => sent.iter().for_each(|row| assert_eq!(apply(&mut two, std::slice::from_ref(row)).new, 1)),
            _ => {
                apply(&mut two, &sent[..1]);
                assert!(get(&mut two, "Todo", &todo).is_none());
                two.close().unwrap();
                drop(two);
                two = b.open();
                apply(&mut two, &sent[1..]);
            }
        }
        assert_eq!(get(&mut two, "Todo", &todo).unwrap()["body"], "hello!");
        assert!(two.status().unwrap().quarantined.is_empty());
        assert_verified(&two);
    }
}

#[test]
fn a_waiting_transaction_over_two_records_becomes_visible_whole() {
    // Only the half whose record moved was asked again, and alone: the other half waited for ever.
    let (mut a, mut b, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3));
    let (mut one, mut two, mut three) = (a.open(), b.open(), c.open());
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"title": "milk"})));
    pull(&mut two, &mut one);
    let seen = two.committed();
    let now = b.tick();
    two.write(now, |tx| {
        tx.together(|tx| {
            tx.save("Plain", &map(json!({"title": "beside"})), Source::App)?;
            tx.update("Todo", &todo, &map(json!({"done": true})))
        })
    })
    .unwrap();
    let both = rows(&mut two, seen);
    assert_eq!(both[0].txn, 1);
    apply(&mut three, &both);
    assert_eq!(three.status().unwrap().records["Plain"], 0);
    three.close().unwrap();
    drop(three);
    let mut three = c.open();
    pull(&mut three, &mut one);
    assert_eq!(three.status().unwrap().records["Plain"], 1);
    assert_eq!(get(&mut three, "Todo", &todo).unwrap()["done"], true);
    assert_verified(&three);
}

#[test]
fn a_change_by_another_replicas_actor_is_refused() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let (first, second) = (RecordId([1; 16]), RecordId([2; 16]));
    apply(&mut store, &[row(7, 1, "Plain", first, &put(&[5; 16], "~live", 1_i64))]);
    let forged = row(8, 1, "Plain", second, &put(&[5; 16], "~live", 1_i64));
    assert_eq!(apply(&mut store, &[forged]).quarantined, 1);
    let status = store.status().unwrap();
    assert!(status.quarantined[0].reason.contains("another replica"), "{status:?}");
}

#[test]
fn a_forged_genesis_is_refused_and_the_true_one_still_works() {
    // The forger first used the genesis actor in a model without texts, where nobody looked; it was his then.
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut one, mut two) = (a.open(), b.open());
    let note = Genesis { model: "Place".to_owned(), key: "note".to_owned(), kind: ObjectKind::Text };
    save(&mut one, a.tick(), "Place", json!({"name": "here", "note": "hello"}));
    let honest = rows(&mut one, 0);
    let actor = note.actor().to_bytes().to_vec();
    let plain = row(7, 1, "Plain", RecordId([1; 16]), &put(&actor, "~live", 1_i64));
    let place = row(7, 2, "Place", record_of(&honest, "Place"), &put(&actor, "rank", 3_i64));
    assert_eq!(apply(&mut two, &[plain, place]).quarantined, 2);
    pull(&mut two, &mut one);
    assert_eq!(get(&mut two, "Place", "here").unwrap()["note"], "hello");
    assert_verified(&two);
}

#[test]
fn a_genesis_that_does_not_fit_the_schema_takes_no_fields_place() {
    // Whoever may send genesis could make a list where a string belongs, and nobody could write the field again.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let todo = id(&save(&mut store, bed.tick(), "Plain", json!({"title": "mine"})));
    let record = rows(&mut store, 0)[0].record;
    store.learn_genesis(&[("Plain".to_owned(), "count".to_owned(), 1)]).unwrap();
    let genesis = Genesis { model: "Plain".to_owned(), key: "count".to_owned(), kind: ObjectKind::List };
    let mut expanded = put(&[7; 16], "title", "theirs").expanded().clone();
    expanded.deps = vec![genesis.hash()];
    expanded.start_op = std::num::NonZeroU64::new(2).unwrap();
    let applied = apply(&mut store, &[row(7, 1, "Plain", record, &Change::from_expanded(expanded))]);
    assert_eq!(applied.quarantined, 1);
    let now = bed.tick();
    store.write(now, |tx| tx.update("Plain", &todo, &map(json!({"count": 3})))).unwrap();
    assert_eq!(get(&mut store, "Plain", &todo).unwrap()["count"], 3);
    assert_verified(&store);
}

#[test]
fn refused_changes_do_not_decide_what_a_record_is() {
    // Rubbish under a wrong model came first, and the honest create was refused: "the record is no Plain".
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let record = RecordId([4; 16]);
    let mut late = put(&[7; 16], "x", 1_i64).expanded().clone();
    late.time = i64::MAX;
    let rubbish = row(7, 1, "Nothing", record, &Change::from_expanded(late));
    assert_eq!(apply(&mut store, &[rubbish]).quarantined, 1);
    assert_eq!(apply(&mut store, &[row(8, 1, "Plain", record, &put(&[8; 16], "~live", 1_i64))]).new, 1);
    assert_eq!(store.status().unwrap().records["Plain"], 1);
    assert_verified(&store);
}

#[test]
fn equal_creates_of_one_key_coincide_and_different_ones_stand_side_by_side() {
    for (theirs, lengths) in [("hello", [5, 5]), ("world", [10, 10])] {
        let (mut a, mut b) = (Bed::new(1), Bed::new(2));
        let (mut one, mut two) = (a.open(), b.open());
        save(&mut one, a.tick(), "Place", json!({"name": "here", "note": "hello", "rank": 1}));
        save(&mut two, b.tick(), "Place", json!({"name": "here", "note": theirs, "rank": 1}));
        pull(&mut one, &mut two);
        pull(&mut two, &mut one);
        let (left, right) = (get(&mut one, "Place", "here").unwrap(), get(&mut two, "Place", "here").unwrap());
        assert_eq!(left["note"], right["note"]);
        assert_eq!([left["note"].as_str().unwrap().len(), right["note"].as_str().unwrap().len()], lengths);
        assert_verified(&one);
        assert_verified(&two);
    }
}

#[test]
fn the_save_of_a_keyed_record_says_which_change_it_was() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let now = bed.tick();
    let place = map(json!({"name": "here", "note": "hello"}));
    let saved = store.write(now, |tx| tx.single(|tx| tx.save("Place", &place, Source::App))).unwrap();
    assert_eq!(saved.dot.unwrap().0.counter, store.committed());
}

#[test]
fn repeated_changes_under_a_retired_id_collapse() {
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut one, mut two) = (a.open(), b.open());
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"title": "milk"})));
    let sent = rows(&mut one, 0);
    two.retire(&[sent[0].dot.replica, ReplicaId([3; 16])]).unwrap();
    let twice = [sent[0].clone(), sent[0].clone()];
    let applied = apply(&mut two, &twice);
    assert_eq!((applied.new, applied.duplicate), (1, 1));
    assert_eq!(apply(&mut two, &twice).duplicate, 2);
    assert_eq!(get(&mut two, "Todo", &todo).unwrap()["title"], "milk");
    assert_eq!(two.committed(), 1);
    assert!(two.version().is_empty());
    assert_verified(&two);
}

#[test]
fn a_relays_store_keeps_everything_unread_and_shows_it_once_it_has_a_schema() {
    // Its records got an empty state, as if somebody had looked at them; a schema then found nothing to judge.
    let (mut a, mut r) = (Bed::new(1), Bed::new(2));
    let (mut one, mut relay) = (a.open(), r.open_with(None));
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"title": "milk", "body": "hello", "steps": ["a"]})));
    save(&mut one, a.tick(), "Place", json!({"name": "here", "note": "hi"}));
    for n in 0..3 {
        let now = a.tick();
        one.write(now, |tx| tx.single(|tx| tx.splice("Todo", &todo, "body", n, 0, "x"))).unwrap();
    }
    pull(&mut relay, &mut one);
    let record = rows(&mut one, 0)[0].record;
    apply(&mut relay, &[row(7, 1, "Todo", record, &put(&[7; 16], "priority", "no number"))]);
    assert!(relay.status().unwrap().quarantined.is_empty());
    let mut d = Bed::new(3);
    let mut device = d.open();
    pull(&mut device, &mut relay);
    assert_eq!(device.status().unwrap().quarantined.len(), 1);
    relay.close().unwrap();
    drop(relay);
    let mut relay = r.open();
    for store in [&mut relay, &mut device] {
        assert_eq!(get(store, "Todo", &todo), get(&mut one, "Todo", &todo));
        assert_eq!(get(store, "Place", "here").unwrap()["note"], "hi");
        assert_verified(store);
    }
    assert_eq!(relay.status().unwrap().quarantined.len(), 1);
}

#[test]
fn a_store_with_an_older_schema_keeps_what_it_does_not_know_for_the_newer_one() {
    let old = "type Plain @model { id: ID! title: String }";
    let new = "type Plain @model { id: ID! heading: String @renamed(from: \"title\") text: String @text items: [Int] }
               type Extra @model { id: ID! body: String @text }";
    let (mut a, mut b, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3));
    let mut newer = a.open_with(Some(new));
    let mut older = b.open_with(Some(old));
    let plain = id(&save(&mut newer, a.tick(), "Plain", json!({"heading": "h", "text": "hello", "items": [1, 2]})));
    let extra = id(&save(&mut newer, a.tick(), "Extra", json!({"body": "unknown"})));
    let now = a.tick();
    newer.write(now, |tx| tx.single(|tx| tx.splice("Extra", &extra, "body", 0, 2, "K"))).unwrap();
    let known = newer.genesis_for(&["Plain", "Extra"]).unwrap();
    older.learn_genesis(&known).unwrap();
    apply(&mut older, &rows(&mut newer, 0));
    assert_eq!(rows(&mut older, 0), rows(&mut newer, 0), "it is passed on");
    assert_verified(&older);
    older.close().unwrap();
    drop(older);
    let mut third = c.open_with(Some(new));
    let mut older = b.open_with(Some(new));
    apply(&mut third, &rows(&mut older, 0));
    for store in [&mut older, &mut third] {
        for (model, id) in [("Plain", &plain), ("Extra", &extra)] {
            assert_eq!(get(store, model, id), get(&mut newer, model, id));
        }
        assert_verified(store);
    }
}

#[test]
fn a_newer_schema_tells_how_far_it_is_and_goes_on_where_it_was_ended() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some("type Plain @model { id: ID! title: String } type Same @model { id: ID! }"));
    let now = bed.tick();
    store
        .write(now, |tx| {
            (0..1_200).try_for_each(|n| tx.save("Plain", &map(json!({"title": n.to_string()})), Source::App).map(drop))
        })
        .unwrap();
    save(&mut store, bed.tick(), "Same", json!({}));
    store.close().unwrap();
    drop(store);
    let new = "type Plain @model { id: ID! title: String more: Int } type Same @model { id: ID! }";
    let open = |bed: &mut Bed, ends_at: u64| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let progress = OnMigration::new(move |migration| {
            hear.lock().unwrap().push((migration.model.clone(), migration.done, migration.total));
            assert!(migration.done < ends_at, "the app ends here");
        });
        let options = syncline_engine::Options { progress: Some(progress), ..bed.options(Some(new)) };
        let host = Box::new(syncline_engine::OnDisk::new(bed.path()));
        let opened = catch_unwind(AssertUnwindSafe(|| syncline_engine::Store::open(host, options).unwrap()));
        let told = told.lock().unwrap().clone();
        (opened.ok(), told)
    };
    let at = |done: u64| ("Plain".to_owned(), done, 1_200);
    let (ended, told) = open(&mut bed, 1_000);
    assert_eq!((ended.is_none(), told), (true, vec![at(500), at(1_000)]));
    let (opened, told) = open(&mut bed, u64::MAX);
    assert_eq!(told, [at(1_200)], "it goes on where it was");
    assert_verified(&opened.unwrap());
    let (opened, told) = open(&mut bed, u64::MAX);
    assert_eq!((opened.is_some(), told), (true, Vec::new()));
}

#[test]
fn a_kind_change_is_refused_and_the_file_stays_byte_for_byte() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Plain", json!({"title": "x"}));
    store.close().unwrap();
    drop(store);
    let before = std::fs::read(bed.path()).unwrap();
    let options = bed.options(Some("type Plain @model { id: ID! title: Int count: Int } type Todo @model { id: ID! }"));
    let refused = syncline_engine::Store::open(Box::new(syncline_engine::OnDisk::new(bed.path())), options);
    assert!(matches!(refused, Err(StoreError::IncompatibleSchema(_))), "{refused:?}");
    drop(refused);
    assert_eq!(std::fs::read(bed.path()).unwrap(), before);
}

#[test]
fn a_change_that_waited_behind_a_snapshot_is_part_of_the_text() {
    // The snapshot reached beyond the waiting row; the document made from it lacked the change for ever.
    let (mut a, mut b, mut d, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3), Bed::new(4));
    let (mut one, mut two, mut other, mut three) = (a.open(), b.open(), d.open(), c.open());
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"body": "base "})));
    pull(&mut three, &mut one);
    pull(&mut two, &mut one);
    let mut edits = Vec::new();
    for (bed, store, from, text) in [(&mut b, &mut two, None, "p"), (&mut d, &mut other, Some(()), "q")] {
        if from.is_some() {
            apply(store, &[rows(&mut one, 0), edits.clone()].concat());
        }
        let (now, seen) = (bed.tick(), syncline_engine::Store::committed(store));
        store.write(now, |tx| tx.single(|tx| tx.splice("Todo", &todo, "body", 0, 0, text))).unwrap();
        edits.extend(rows(store, seen));
    }
    apply(&mut three, &edits[1..]);
    for n in 0..80 {
        let now = c.tick();
        three.write(now, |tx| tx.single(|tx| tx.splice("Todo", &todo, "body", n, 0, "x"))).unwrap();
    }
    let snapshots: i64 = c.sql().query_row("SELECT count(*) FROM syncline_snapshots", [], |row| row.get(0)).unwrap();
    assert_eq!(snapshots, 1);
    apply(&mut three, &edits[..1]);
    assert_eq!(get(&mut three, "Todo", &todo).unwrap()["body"].as_str().unwrap().matches(['p', 'q']).count(), 2);
    assert_verified(&three);
    three.close().unwrap();
    drop(three);
    let mut three = c.open();
    let now = c.tick();
    three.write(now, |tx| tx.single(|tx| tx.splice("Todo", &todo, "body", 0, 1, ""))).unwrap();
    assert_verified(&three);
}

#[test]
fn two_changes_under_one_dot_are_two_transactions() {
    // Under a retired id a good change and an unreadable one stood side by side in a log. A store that got both in
    // one batch took them for one transaction and refused both; a store that got them apart kept the good one.
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut apart, mut at_once) = (a.open(), b.open());
    let record = RecordId([1; 16]);
    let good = row(7, 1, "Plain", record, &put(&[5; 16], "~live", 1_i64));
    let bad = row(7, 1, "Plain", record, &put(&[6; 16], "count", "text"));
    for store in [&mut apart, &mut at_once] {
        store.retire(&[ReplicaId([7; 16])]).unwrap();
    }
    for row in [&good, &bad] {
        apply(&mut apart, std::slice::from_ref(row));
    }
    assert_eq!(apply(&mut at_once, &[good, bad]).quarantined, 1);
    assert_eq!(apart.status().unwrap().records, at_once.status().unwrap().records);
    assert_eq!(at_once.status().unwrap().records["Plain"], 1);
}

#[test]
fn what_is_read_for_a_peer_never_exceeds_a_batch() {
    // A transaction that began below a batch's limit was read to its end: 300 single changes and then 300 that
    // belong together made a batch of 600, which cannot be packed, and no session got past it.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    for _ in 0..300 {
        save(&mut store, bed.tick(), "Plain", json!({"title": "single"}));
    }
    let together = |tx: &mut syncline_engine::Tx<'_>| {
        for _ in 0..300 {
            tx.save("Plain", &map(json!({"title": "together"})), Source::App)?;
        }
        Ok(())
    };
    store.write(bed.tick(), |tx| tx.together(together)).unwrap();
    let first = store.read_log(0, 500, 1 << 20).unwrap();
    assert_eq!(first.len(), 300, "what does not fit waits as a whole");
    let second = store.read_log(300, 500, 1 << 20).unwrap();
    assert_eq!((second.len(), second.last().unwrap().txn), (300, 0));
}

#[test]
fn a_transaction_that_was_announced_and_never_came_holds_up_nothing() {
    // A row that announced more of its transaction than ever came kept everything after it from being passed on,
    // until a change of another came; and a log full of such rows was read as one transaction.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let rows: Vec<IncomingRow> = (1..=20_u64)
        .map(|counter| {
            let record = RecordId([counter as u8; 16]);
            IncomingRow { txn: 3, ..row(7, counter, "Plain", record, &put(&[counter as u8; 16], "~live", 1_i64)) }
        })
        .collect();
    apply(&mut store, &rows);
    assert_eq!(store.read_log(0, 5, 1 << 20).unwrap().len(), 5);
    let [before, after] = &store.read_log(18, 5, 1 << 20).unwrap()[..] else { panic!("there are two rows left") };
    assert!(!after.continues(before));
}

#[test]
fn peers_cannot_fill_a_store_with_geneses() {
    // Every genesis that a peer told of was kept and passed on with the first change of its model: when they were
    // too many for a batch, no session got past that change.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    for batch in 0..20 {
        let flood: Vec<_> =
            (0..300).map(|n| ("Todo".to_owned(), format!("{}{batch}-{n}", "k".repeat(300)), 0)).collect();
        store.learn_genesis(&flood).unwrap();
    }
    store.learn_genesis(&[("Todo".to_owned(), "k".repeat(100_000), 0)]).unwrap();
    let ours: Vec<_> = (0..3).map(|kind| ("Todo".to_owned(), "body".to_owned(), kind)).collect();
    store.learn_genesis(&ours).unwrap();
    let known = store.genesis_for(&["Todo"]).unwrap();
    let bytes: usize = known.iter().map(|(model, key, _)| model.len() + key.len()).sum();
    assert!(bytes < 500_000, "{bytes} bytes of geneses");
    assert!(known.iter().any(|(_, key, _)| key == "body"), "that of the own schema is taken all the same");
}

/// A record's history by one actor, one put per change.
fn long_history(len: u64) -> Vec<Change> {
    let mut changes: Vec<Change> = vec![put(&[5; 16], "~live", 1_i64)];
    for seq in 2..=len {
        let last = changes.last().unwrap();
        let mut next = put(&[5; 16], "count", seq as i64).expanded().clone();
        next.seq = seq;
        next.start_op = (last.max_op() + 1).try_into().unwrap();
        next.deps = vec![last.hash()];
        if seq > 2 {
            next.operations[0].pred = vec![automerge::legacy::OpId(last.max_op(), last.actor().clone())].into();
        }
        changes.push(Change::from_expanded(next));
    }
    changes
}

#[test]
fn a_history_that_arrives_backwards_is_taken_whole() {
    // All that waited was judged again with each change that came: 400 changes took a second, and a peer decides
    // how much waits. Now only that is judged again whose missing changes are there.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let record = RecordId([1; 16]);
    let changes = long_history(400);
    let backwards = changes.iter().rev().zip(1..);
    let rows: Vec<IncomingRow> = backwards.map(|(change, counter)| row(7, counter, "Plain", record, change)).collect();
    apply(&mut store, &rows[..399]);
    assert_eq!(store.log_after(0).unwrap().iter().filter(|row| row.kind == "pending").count(), 399);
    apply(&mut store, &rows[399..]);
    assert!(store.log_after(0).unwrap().iter().all(|row| row.kind == "applied"));
    assert_verified(&store);
}

#[test]
fn a_transaction_waits_for_every_record_of_its() {
    let records = [RecordId([1; 16]), RecordId([2; 16])];
    let changes = long_history(2);
    for first in [0, 1] {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        let mut waiting = [0, 1].map(|at| row(7, 1 + at as u64, "Plain", records[at], &changes[1]));
        waiting[0].txn = 1;
        apply(&mut store, &waiting);
        apply(&mut store, &[row(7, 3, "Plain", records[first], &changes[0])]);
        assert_eq!(store.log_after(0).unwrap().iter().filter(|row| row.kind == "pending").count(), 2);
        apply(&mut store, &[row(7, 4, "Plain", records[1 - first], &changes[0])]);
        assert!(store.log_after(0).unwrap().iter().all(|row| row.kind == "applied"));
        assert_verified(&store);
    }
}
