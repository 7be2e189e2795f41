//! A store's life: operations that fail among others, full disks, failed syncs, several processes, names.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::io;
use std::path::Path;

use common::*;
use serde_json::json;
use syncline_core::ids::StoreId;
use syncline_core::session::{PeerState, SessionStore as _};
use syncline_core::wire::Cursor;
use syncline_engine::{AckedBy, ChangeKind, Host, OnDisk, Origin, RenewalCause, Source, Store, StoreError, WalSync};

#[test]
fn an_operation_that_fails_leaves_nothing_of_itself_in_a_transaction_that_goes_on() {
    // Saves that arrive together share a transaction; the first half of a failed one was committed with them.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "hello"})));
    let now = bed.tick();
    store
        .write(now, |tx| {
            tx.single(|tx| tx.splice("Todo", &todo, "body", 5, 0, "!"))?;
            let failed: Result<(), StoreError> = tx.single(|tx| {
                tx.splice("Todo", &todo, "body", 0, 0, "gone ")?;
                tx.update("Todo", &todo, &map(json!({"title": "gone"})))?;
                tx.save("Place", &map(json!({"name": "gone", "note": "gone"})), Source::App)?;
                Err(StoreError::Aborted("half way".to_owned()))
            });
            assert!(failed.is_err());
            tx.single(|tx| tx.splice("Todo", &todo, "body", 6, 0, "?"))?;
            tx.single(|tx| tx.save("Place", &map(json!({"name": "kept"})), Source::App))
        })
        .unwrap();
    let shown = get(&mut store, "Todo", &todo).unwrap();
    assert_eq!((&shown["title"], &shown["body"]), (&json!("milk"), &json!("hello!?")));
    assert_eq!(get(&mut store, "Place", "gone"), None);
    assert!(get(&mut store, "Place", "kept").is_some());
    assert_eq!(store.committed(), 4);
    assert_verified(&store);
}

#[test]
fn a_commit_names_each_record_once_with_what_became_of_it() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    store.take_commits();
    let now = bed.tick();
    store
        .write(now, |tx| {
            let saved = tx.save("Todo", &map(json!({"title": "a"})), Source::App)?;
            tx.query(&syncline_engine::query::Query::new("Todo"))?;
            tx.update("Todo", saved.record["id"].as_str().unwrap(), &map(json!({"done": true})))?;
            let gone = tx.save("Todo", &map(json!({"title": "b"})), Source::App)?;
            tx.query(&syncline_engine::query::Query::new("Todo"))?;
            tx.delete("Todo", gone.record["id"].as_str().unwrap())
        })
        .unwrap();
    let commits = store.take_commits();
    let kinds: Vec<ChangeKind> = commits.iter().flat_map(|commit| &commit.changes).map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Inserted]);
}

#[test]
fn what_another_process_committed_is_told_even_if_this_one_writes_first() {
    // A write read the log's end anew, and the commits of others before it were never told to anybody.
    let mut bed = Bed::new(1);
    let (mut one, mut two) = (bed.open(), bed.open());
    save(&mut one, bed.tick(), "Todo", json!({"title": "from one"}));
    save(&mut two, bed.tick(), "Todo", json!({"title": "from two"}));
    let origins: Vec<Origin> = two.take_commits().iter().flat_map(|commit| &commit.changes).map(|c| c.origin).collect();
    assert_eq!(origins, [Origin::Process, Origin::Local]);
    save(&mut two, bed.tick(), "Todo", json!({"title": "again"}));
    one.take_commits();
    let failed: Result<(), _> = one.write(bed.tick(), |_| Err(StoreError::Aborted("no".to_owned())));
    assert!(failed.is_err());
    one.refresh().unwrap();
    assert_eq!(one.take_commits().iter().flat_map(|commit| &commit.changes).count(), 2);
}

/// A disk with little room.
struct Small(OnDisk, u32);

struct NoSync;

impl WalSync for NoSync {
    fn sync(&mut self) -> io::Result<()> {
        Err(io::Error::other("the disk is gone"))
    }
}

impl Host for Small {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn exists(&self) -> bool {
        self.0.exists()
    }
    fn connect(&self, write: bool) -> rusqlite::Result<rusqlite::Connection> {
        let db = self.0.connect(write)?;
        db.query_row(&format!("PRAGMA max_page_count = {}", self.1), [], |_| Ok(()))?;
        Ok(db)
    }
    fn file_id(&self) -> io::Result<String> {
        self.0.file_id()
    }
    fn read_side(&self) -> io::Result<Option<String>> {
        self.0.read_side()
    }
    fn write_side(&self, text: &str) -> io::Result<()> {
        self.0.write_side(text)
    }
    fn remove_side(&self) -> io::Result<()> {
        self.0.remove_side()
    }
    fn enter(&mut self) -> io::Result<bool> {
        self.0.enter()
    }
    fn leave(&mut self) -> io::Result<bool> {
        self.0.leave()
    }
    fn release(&mut self) {
        self.0.release();
    }
    fn agreed(&mut self) -> io::Result<String> {
        self.0.agreed()
    }
    fn set_agreed(&mut self, text: &str) -> io::Result<()> {
        self.0.set_agreed(text)
    }
    fn claim_sessions(&mut self) -> io::Result<bool> {
        self.0.claim_sessions()
    }
    fn syncer(&self) -> Box<dyn WalSync> {
        Box::new(NoSync)
    }
}

#[test]
fn a_full_disk_leaves_the_store_as_it_was_and_says_so() {
    let mut bed = Bed::new(1);
    let options = bed.options(Some(SDL));
    let mut store = Store::open(Box::new(Small(OnDisk::new(bed.path()), 120)), options).unwrap();
    let todo = save(&mut store, bed.tick(), "Todo", json!({"title": "small", "body": "text"}));
    let before = store.committed();
    let big = map(json!({"title": "x".repeat(900_000)}));
    // As the group commit does: one operation's error does not end the others by itself.
    let refused = store.write(bed.tick(), |tx| {
        let _ = tx.single(|tx| tx.save("Todo", &map(json!({"title": "beside"})), Source::App));
        let _ = tx.single(|tx| tx.save("Todo", &big, Source::App));
        Ok(())
    });
    assert!(matches!(refused, Err(StoreError::DiskFull)), "{refused:?}");
    assert_eq!(store.committed(), before);
    assert_eq!(get(&mut store, "Todo", &id(&todo)), Some(todo));
    save(&mut store, bed.tick(), "Todo", json!({"title": "fits"}));
    assert_verified(&store);
}

#[test]
fn a_failed_sync_closes_the_store_and_opening_it_again_works() {
    let mut bed = Bed::new(1);
    let options = bed.options(Some(SDL));
    let mut store = Store::open(Box::new(Small(OnDisk::new(bed.path()), 100_000)), options).unwrap();
    let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "a"})));
    assert!(matches!(store.sync_now(), Err(StoreError::SyncFailed(_))));
    assert_eq!(store.durable(), 0);
    let refused = store.write(bed.tick(), |tx| tx.get("Todo", &todo));
    assert!(matches!(refused, Err(StoreError::SyncFailed(_))));
    drop(store);
    let mut store = bed.open();
    assert!(get(&mut store, "Todo", &todo).is_some());
    assert_eq!(store.renewals().unwrap().len(), 1);
    store.sync_now().unwrap();
    assert_eq!(store.durable(), store.committed());
}

#[test]
fn a_reader_that_leaves_last_proves_what_others_wrote_while_it_was_there() {
    let mut bed = Bed::new(1);
    let (mut writer, mut watcher) = (bed.open(), bed.open());
    save(&mut writer, bed.tick(), "Todo", json!({"title": "a"}));
    let replica = writer.replica();
    writer.close().unwrap();
    watcher.close().unwrap();
    drop((writer, watcher));
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
    assert_eq!(store.replica(), replica);
}

#[test]
fn a_process_that_dies_while_another_lives_changes_no_name() {
    let mut bed = Bed::new(1);
    let (mut dies, mut lives) = (bed.open(), bed.open());
    save(&mut dies, bed.tick(), "Todo", json!({"title": "a"}));
    let replica = dies.replica();
    // The kernel lets go of a dead process's locks; a forgotten store of this process keeps them.
    std::mem::forget(dies);
    save(&mut lives, bed.tick(), "Todo", json!({"title": "b"}));
    assert_eq!(lives.replica(), replica);
    assert_verified(&lives);
}

#[test]
fn a_nonce_in_the_side_file_alone_proves_nothing() {
    // Between writing the side file and committing its nonce the process may end.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
    let first = store.replica();
    store.close().unwrap();
    drop(store);
    let old = std::fs::read(bed.path()).unwrap();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
    assert_eq!(store.replica(), first);
    store.close().unwrap();
    drop(store);
    // The file of before, with the side file of now: a restored backup.
    std::fs::write(bed.path(), old).unwrap();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "c"}));
    assert_ne!(store.replica(), first);
    assert_eq!(store.renewals().unwrap().last().unwrap().why, RenewalCause::ContinuityNotProven);
}

#[test]
fn a_retired_name_is_not_taken_up_again_after_a_crash() {
    // The flag was committed, the new name not yet: the next process proved continuity and wrote on under it.
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
    let first = store.replica().unwrap();
    store.close().unwrap();
    drop(store);
    bed.sql().execute("UPDATE syncline_replicas SET forked = 1", []).unwrap();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
    assert_ne!(store.replica(), Some(first));
    assert_eq!(store.renewals().unwrap()[0].why, RenewalCause::Forked);
    assert_verified(&store);
}

#[test]
fn a_new_log_comes_with_a_new_store_id() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "a"}));
    let before = (store.id(), store.replica(), store.identity().unwrap().log);
    store.renew_identity(true).unwrap();
    assert_ne!(store.id(), before.0);
    assert_ne!(store.replica(), before.1);
    assert_ne!(store.identity().unwrap().log, before.2);
    save(&mut store, bed.tick(), "Todo", json!({"title": "b"}));
    assert_verified(&store);
}

#[test]
fn the_outbox_follows_what_relays_acknowledge_even_backwards() {
    let mut bed = Bed::new(1);
    let mut store = bed.open();
    let mut dots = Vec::new();
    for title in ["a", "b", "c"] {
        let now = bed.tick();
        let saved = store.write(now, |tx| tx.single(|tx| tx.save("Todo", &map(json!({"title": title})), Source::App)));
        dots.push(saved.unwrap().dot.unwrap().0);
    }
    let me = store.identity().unwrap();
    let relay = StoreId([5; 16]);
    let acked = |store: &mut Store, seq: u64, address: &str| {
        let chain = store.log_chain(seq).unwrap().unwrap();
        let acked = Some(Cursor { log: me.log, epoch: me.epoch, seq, chain });
        store.save_peer(relay, true, address, &PeerState { acked, ..PeerState::default() }).unwrap();
        let outbox = store.outbox().unwrap();
        assert_eq!(store.has_pending().unwrap(), outbox.pending > 0);
        (outbox.pending, outbox.acknowledged, store.unacknowledged(&dots, AckedBy::AnyRelay).unwrap())
    };
    assert_eq!(acked(&mut store, 0, "syncline://relay"), (3, 0, 3));
    assert_eq!(acked(&mut store, 2, ""), (1, 2, 1));
    assert_eq!(store.peer_at("syncline://relay").unwrap(), Some(relay), "an empty address changes nothing");
    assert_eq!(acked(&mut store, 3, ""), (0, 3, 0));
    assert_eq!(acked(&mut store, 1, ""), (2, 1, 2), "the relay was restored from an older state");
    // An acknowledgement that waited for a transaction was once written over what the relay said after it.
    let last = store.log_chain(3).unwrap().unwrap();
    let cursor = Cursor { log: me.log, epoch: me.epoch, seq: 3, chain: last };
    store.acknowledge(relay, cursor, dots[2]).unwrap();
    assert_eq!(store.outbox().unwrap().pending, 0);
    assert_eq!(acked(&mut store, 1, ""), (2, 1, 2), "what it says last counts");
    let replica = store.replica().unwrap();
    store.retire(&[replica]).unwrap();
    assert_eq!(acked(&mut store, 3, ""), (0, 3, 0), "of a retired id the position speaks");
}

#[test]
fn an_interrupted_projection_goes_on_where_it_ended() {
    // How far it came was read from the table itself, where another process may have put a later record already.
    let mut bed = Bed::new(1);
    let old = "type Plain @model { id: ID! title: String }";
    let new = "type Plain @model { id: ID! title: String count: Int }";
    let mut store = bed.open_with(Some(old));
    let now = bed.tick();
    store
        .write(now, |tx| {
            (0..5).try_for_each(|n| tx.save("Plain", &map(json!({"title": n.to_string()})), Source::App).map(|_| ()))
        })
        .unwrap();
    store.close().unwrap();
    drop(store);
    drop(bed.open_with(Some(new)));
    let db = bed.sql();
    db.execute("DELETE FROM Plain WHERE syncline_record IN (3, 4)", []).unwrap();
    db.execute("INSERT INTO syncline_meta VALUES('stale', 'Plain 2')", []).unwrap();
    drop(db);
    let store = bed.open_with(Some(new));
    assert_eq!(store.status().unwrap().records["Plain"], 5);
    assert_verified(&store);
}

#[test]
fn a_sync_that_failed_is_not_asked_for_again() {
    // It might succeed without what the first one lost, and the store would call that durable.
    use syncline_core::wire::Role;
    use syncline_engine::{Engine, Input, Now, Output};
    let mut bed = Bed::new(1);
    let mut engine = Engine::new(bed.open(), Role::Peer);
    let now = Now { mono_ms: 0, wall_ms: 1_800_000_000_000 };
    engine.write(now, |tx| tx.save("Todo", &map(json!({"title": "a"})), Source::App)).unwrap();
    engine.want_durable(now);
    let syncs = |engine: &mut Engine| {
        std::iter::from_fn(|| engine.poll_output()).filter(|output| matches!(output, Output::Sync(_))).count()
    };
    assert_eq!(syncs(&mut engine), 1);
    engine.handle(now, Input::Synced(1, Err(io::Error::other("gone"))));
    engine.want_durable(now);
    assert_eq!(syncs(&mut engine), 0);
    assert!(matches!(engine.health(), Err(StoreError::SyncFailed(_))));
}
