//! Every kind of store transaction, with the disk failing at its first operation, its second, and so on until
//! there is none left to fail: as SQLite tests itself.
//!
//! Whatever fails and whenever, the call says so or has succeeded; what was promised to last is there
//! afterwards, whole transactions only, `verify` finds nothing, and the store can be written again.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use syncline_core::ids::Dot;
use syncline_core::session::{IncomingRow, SessionStore as _};
use syncline_core::wire::GenesisSpec;
use syncline_engine::{Durability, Host as _, Options, RenewalCause, Result, Source, Store, StoreError};
use syncline_schema::Schema;
use syncline_sim::schedule::OperationKind;
use syncline_sim::vfs::{self, Registered};
use syncline_sim::{Disk, SimHost, Survival};

const SDL: &str = r#"
type Note @model {
  title: String!
  stars: Int @counter
  body: String @text
  tags: [String] @set
}
type Draft @model @local { id: ID! title: String }
"#;

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| syncline_schema::parse("note.graphql", SDL).expect("the schema is right").schema);

/// What a store does while its disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Update,
    Delete,
    Splice,
    Local,
    Import,
    /// Takes in what another replica wrote.
    Receive,
    Sync,
    /// By another connection, as a reader of the same app may cause it.
    Checkpoint,
    /// As the store's driver has it copied beside commits.
    CheckpointBeside,
    Close,
    /// Opens the closed store and writes.
    Reopen,
    /// Opens the store that was not closed and writes.
    Recover,
    /// Makes the file.
    Make,
}

impl Step {
    const ALL: [Self; 14] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Splice,
        Self::Local,
        Self::Import,
        Self::Receive,
        Self::Sync,
        Self::Checkpoint,
        Self::CheckpointBeside,
        Self::Close,
        Self::Reopen,
        Self::Recover,
        Self::Make,
    ];
}

/// What the disk does.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The power goes at the n-th operation.
    Cut(Survival),
    /// The n-th operation of the kind fails.
    Io(OperationKind),
    /// There is room for n − 1 more half pages.
    Full,
}

#[test]
fn the_end_of_the_process_at_any_operation_leaves_whole_transactions_and_all_that_was_committed() {
    each_step(Fault::Cut(Survival::Everything));
}

#[test]
fn a_power_cut_that_takes_all_that_was_under_way_leaves_what_was_durable() {
    each_step(Fault::Cut(Survival::Nothing));
}

#[test]
fn a_power_cut_on_a_disk_that_keeps_the_order_leaves_what_was_durable() {
    each_step(Fault::Cut(Survival::Prefix));
}

#[test]
fn a_power_cut_on_a_disk_that_keeps_any_sectors_leaves_what_was_durable() {
    each_step(Fault::Cut(Survival::Subset));
}

#[test]
fn a_failed_read_at_any_operation_is_reported_or_has_no_effect() {
    each_step(Fault::Io(OperationKind::Read));
}

#[test]
fn a_failed_write_at_any_operation_is_reported_or_has_no_effect() {
    each_step(Fault::Io(OperationKind::Write));
}

#[test]
fn a_failed_sync_at_any_operation_is_reported_or_has_no_effect() {
    each_step(Fault::Io(OperationKind::Sync));
}

#[test]
fn a_full_disk_at_any_size_is_reported_and_written_again_when_there_is_room() {
    each_step(Fault::Full);
}

/// A write failed, and so did the reading of the store that follows its rollback. The store went on saying that
/// the write's rows were committed; a sync then declared durable whatever came to stand in their place later.
#[test]
fn a_write_that_failed_is_not_committed_even_if_the_disk_can_no_longer_be_read() {
    let mut trial = Trial::new(Step::Create, Durability::Normal, Fault::Cut(Survival::Nothing), 1);
    let mut store = trial.prepare().expect("it is open");
    let committed = store.committed();
    trial.disk.cut_power();
    assert!(store.write(NOW, |tx| save(tx, "new")).is_err());
    assert_eq!(store.committed(), committed);
}

/// A sync failed in the middle of a commit, which the app was told. The write-ahead log held it all the same, and a
/// copy of the files showed it, while the store gave its number to another change.
#[test]
fn the_number_of_a_commit_that_failed_names_no_other_change() {
    let mut trial = Trial::new(Step::Create, Durability::Full, Fault::Io(OperationKind::Sync), 1);
    let mut store = trial.prepare().expect("it is open");
    let before = store.replica();
    trial.disk.fail(OperationKind::Sync, 1);
    assert!(store.write(NOW, |tx| save(tx, "failed")).is_err());
    let copy = trial.disk.copy();
    store.write(NOW, |tx| save(tx, "after")).expect("the disk works again");
    assert_ne!(store.replica(), before);
    let why = store.renewals().expect("the disk works").last().map(|renewal| renewal.why);
    assert_eq!(why, Some(RenewalCause::CommitFailed));
    let dots = |store: &Store| -> BTreeMap<Dot, [u8; 32]> {
        let rows = store.log_after(0).expect("the disk works").into_iter();
        rows.filter_map(|row| Some((row.dot?, row.hash))).collect()
    };
    let ours = dots(&store);
    trial.disk.cut_power();
    drop(store);
    trial.disk.restore_power(Survival::Everything);
    trial.disk.install(&copy, false);
    let mut copied = trial.open().expect("a copy opens");
    assert!(is_there(&mut copied, "failed"), "otherwise this shows nothing");
    for (dot, hash) in dots(&copied) {
        assert!(ours.get(&dot).is_none_or(|ours| *ours == hash), "{dot:?} names two changes");
    }
}

/// A store heard that its replica id was retired, and the disk failed when it took another. It went on under the old
/// one: peers keep such changes, and nobody believes their numbers.
#[test]
fn a_replica_id_that_could_not_be_given_up_at_once_is_given_up_before_the_next_write() {
    let mut n = 1;
    let mut late = 0;
    loop {
        let mut trial = Trial::new(Step::Create, Durability::Full, Fault::Io(OperationKind::Sync), n);
        let mut store = trial.prepare().expect("it is open");
        let old = store.replica().expect("it has written");
        trial.arm();
        let outcome = store.retire(&[old]);
        if trial.disk.faults_fired() == 0 {
            assert!(outcome.is_ok(), "{outcome:?}");
            break;
        }
        trial.disk.clear_faults();
        let knows = store.status().expect("the disk works").forked.contains(&old.to_string());
        late += u64::from(knows && outcome.is_err());
        store.write(NOW, |tx| save(tx, "later")).expect("the disk works again");
        assert!(!knows || store.replica() != Some(old), "the sync number {n} failed");
        n += 1;
    }
    assert!(late > 0, "no renewal failed once the store knew that its id was retired");
}

fn each_step(fault: Fault) {
    for step in Step::ALL {
        for durability in durabilities(fault) {
            let mut n = 1;
            while Trial::new(step, *durability, fault, n).run() {
                n += 1;
                assert!(n < 2000, "{step:?} never ends under {fault:?}");
            }
            // Otherwise the loop has shown nothing: only a delete may need no room.
            assert!(n > 1 || matches!(fault, Fault::Full | Fault::Io(_)), "{step:?} {fault:?}");
        }
    }
}

/// Those that make a difference: they promise the same where nothing that was written is lost.
fn durabilities(fault: Fault) -> &'static [Durability] {
    match fault {
        Fault::Cut(Survival::Everything) | Fault::Io(OperationKind::Read) | Fault::Full => &[Durability::Normal],
        Fault::Cut(_) | Fault::Io(_) => &[Durability::Normal, Durability::Full],
    }
}

/// One step under one fault.
struct Trial {
    step: Step,
    durability: Durability,
    fault: Fault,
    n: u64,
    disk: Disk,
    place: Arc<Registered>,
    process: u64,
    /// The log by position, as it was when somebody could last read it.
    log: BTreeMap<u64, (Option<Dot>, [u8; 32])>,
    /// Last positions that are promised to outlast the process, and the power.
    committed: u64,
    durable: u64,
}

impl Trial {
    fn new(step: Step, durability: Durability, fault: Fault, n: u64) -> Self {
        let disk = Disk::new([n as u8; 32]);
        let place = Arc::new(vfs::register(&disk));
        Self { step, durability, fault, n, disk, place, process: 0, log: BTreeMap::new(), committed: 0, durable: 0 }
    }

    fn what(&self) -> String {
        format!("{:?} under {:?}, {:?} at {}", self.step, self.durability, self.fault, self.n)
    }

    /// Whether the fault came about.
    fn run(mut self) -> bool {
        let mut store = self.prepare();
        self.arm();
        let outcome = self.act(&mut store);
        let came_about = self.came_about(&outcome);
        let (is_lost, calm) = (!self.disk.is_on(), outcome.is_ok());
        assert!(came_about || calm, "{}: {:?} although the disk did not fail", self.what(), outcome.err());
        self.disk.clear_cuts();
        self.disk.clear_faults();
        self.disk.limit(None);
        if !is_lost && let Some(store) = &mut store {
            self.go_on(store);
        }
        let survival = self.end(store, is_lost);
        self.check(survival);
        came_about
    }

    fn options(&mut self) -> Options {
        self.process += 1;
        let mut seed = [self.process as u8; 32];
        seed[1] = self.n as u8;
        Options { schema: Some((SCHEMA.clone(), SDL.to_owned())), durability: self.durability, ..Options::new(seed) }
    }

    fn open(&mut self) -> Result<Store> {
        let options = self.options();
        Store::open(Box::new(SimHost::new(&self.place, "app.db", self.process)), options)
    }

    /// A store with a past: closed and opened once, some of it synced, some not.
    fn prepare(&mut self) -> Option<Store> {
        if self.step == Step::Make {
            return None;
        }
        let mut store = self.open().expect("the disk works");
        store.write(NOW, |tx| (0..3).try_for_each(|n| save(tx, &format!("old-{n}")))).expect("the disk works");
        store.close().expect("the disk works");
        let mut store = self.open().expect("the disk works");
        store.write(NOW, |tx| save(tx, "synced")).expect("the disk works");
        store.sync_now().expect("the disk works");
        for n in 0..2 {
            store.write(NOW, |tx| save(tx, &format!("committed-{n}"))).expect("the disk works");
        }
        self.look(&store);
        match self.step {
            Step::Reopen => {
                store.close().expect("the disk works");
                (self.committed, self.durable) = (store.committed(), store.durable());
                None
            }
            Step::Recover => {
                self.disk.cut_power();
                drop(store);
                self.disk.restore_power(Survival::Everything);
                None
            }
            Step::Create
            | Step::Update
            | Step::Delete
            | Step::Splice
            | Step::Local
            | Step::Import
            | Step::Receive
            | Step::Sync
            | Step::Checkpoint
            | Step::CheckpointBeside
            | Step::Close
            | Step::Make => Some(store),
        }
    }

    fn arm(&self) {
        match self.fault {
            Fault::Cut(_) => self.disk.cut_power_after(self.n),
            Fault::Io(kind) => self.disk.fail(kind, self.n),
            Fault::Full => self.disk.limit(Some((self.n - 1) * 2048)),
        }
    }

    fn came_about(&self, outcome: &Result<()>) -> bool {
        match self.fault {
            Fault::Cut(_) => !self.disk.is_on(),
            Fault::Io(_) => self.disk.faults_fired() > 0,
            Fault::Full => outcome.is_err(),
        }
    }

    fn act(&mut self, store: &mut Option<Store>) -> Result<()> {
        if store.is_none() {
            let opened = store.insert(self.open()?);
            let written = opened.write(NOW, |tx| save(tx, "new"));
            self.promise(opened);
            return written;
        }
        let Some(store) = store else { unreachable!("it was opened") };
        let done = self.act_on(store);
        self.promise(store);
        done
    }

    fn act_on(&self, store: &mut Store) -> Result<()> {
        let id = "synced";
        match self.step {
            Step::Create => store.write(NOW, |tx| save(tx, "new")),
            Step::Update => store.write(NOW, |tx| tx.update("Note", id, &map(json!({"title": "b"}))).map(drop)),
            Step::Delete => store.write(NOW, |tx| tx.delete("Note", id).map(drop)),
            Step::Splice => store.write(NOW, |tx| tx.splice("Note", id, "body", 2, 1, "some words").map(drop)),
            Step::Local => {
                store.write(NOW, |tx| tx.save("Draft", &map(json!({"id": "d", "title": "x"})), Source::App).map(drop))
            }
            Step::Import => store.write(NOW, |tx| (0..50).try_for_each(|n| save(tx, &format!("import-{n}")))),
            Step::Receive => {
                store.learn_genesis(&OTHERS.0).map_err(|error| StoreError::Aborted(error.to_string()))?;
                let applied = store.apply(syncline_core::ids::StoreId([9; 16]), &OTHERS.1, None);
                applied.map(drop).map_err(|error| StoreError::Aborted(error.to_string()))
            }
            Step::Sync => store.sync_now(),
            Step::Checkpoint => {
                let checkpointed = SimHost::new(&self.place, "app.db", u64::MAX).connect(true).and_then(|db| {
                    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).map(drop)
                });
                checkpointed.map_err(|error| StoreError::Aborted(error.to_string()))
            }
            Step::CheckpointBeside => {
                let run = store.checkpointer()?.run();
                if let Fault::Io(OperationKind::Sync) = self.fault {
                    assert_eq!(run.is_err(), self.disk.faults_fired() > 0, "{}: a failed sync is told", self.what());
                }
                if let Err(error) = run {
                    store.synced(0, Err(error));
                }
                store.health()
            }
            Step::Close => store.close(),
            Step::Reopen | Step::Recover | Step::Make => unreachable!("they have no open store"),
        }
    }

    /// What the store says without looking at the disk.
    fn promise(&mut self, store: &Store) {
        self.committed = self.committed.max(store.committed());
        self.durable = self.durable.max(store.durable());
    }

    /// Remembers what is in the log.
    fn look(&mut self, store: &Store) {
        let rows = store.log_after(0).expect("the disk works");
        self.log = rows.into_iter().map(|row| (row.seq, (row.dot, row.hash))).collect();
        self.promise(store);
    }

    /// The disk works again; the process lives on. The store does, or says that it does not.
    fn go_on(&mut self, store: &mut Store) {
        if store.health().is_err() {
            return;
        }
        let what = self.what();
        store.write(NOW, |tx| save(tx, "later")).unwrap_or_else(|error| panic!("{what}, then writing: {error}"));
        self.look(store);
        let report = store.verify().unwrap_or_else(|error| panic!("{what}, then verifying: {error}"));
        assert!(report.is_ok(), "{what}: {:?}", report.faults);
    }

    /// The process ends one way or another.
    fn end(&self, store: Option<Store>, is_lost: bool) -> Option<Survival> {
        let survival = match self.fault {
            Fault::Cut(survival) => Some(survival),
            Fault::Io(_) | Fault::Full => [None, Some(Survival::Nothing), Some(Survival::Subset)][self.n as usize % 3],
        };
        if survival.is_some() || is_lost {
            self.disk.cut_power();
        }
        drop(store);
        if let Some(survival) = survival {
            self.disk.restore_power(survival);
        }
        survival
    }

    /// The next process finds what was promised, nothing that is half done, and can write.
    fn check(mut self, survival: Option<Survival>) {
        let what = self.what();
        let (log, committed, durable) = (std::mem::take(&mut self.log), self.committed, self.durable);
        let mut store = self.open().unwrap_or_else(|error| panic!("{what}, then opening: {error}"));
        let report = store.verify().unwrap_or_else(|error| panic!("{what}, then verifying: {error}"));
        assert!(report.is_ok(), "{what}: {:?}", report.faults);
        self.look(&store);
        let loses = !matches!(survival, None | Some(Survival::Everything));
        let promised = if loses { durable } else { committed };
        let last = self.log.keys().next_back().copied().unwrap_or(0);
        assert!(last >= promised, "{what}: {promised} promised, {last} there");
        for (seq, row) in log.range(..=promised) {
            assert_eq!(self.log.get(seq), Some(row), "{what}: row {seq}");
        }
        let imported = (0..50).filter(|n| is_there(&mut store, &format!("import-{n}"))).count();
        assert!(imported == 0 || imported == 50, "{what}: {imported} of a transaction of 50");
        store.write(NOW, |tx| save(tx, "last")).unwrap_or_else(|error| panic!("{what}, then writing: {error}"));
        if !self.n.is_multiple_of(4) {
            // Every fourth time shows it as well.
            return;
        }
        store.close().unwrap_or_else(|error| panic!("{what}, then closing: {error}"));
        let mut store = self.open().unwrap_or_else(|error| panic!("{what}, then opening again: {error}"));
        assert!(is_there(&mut store, "last"), "{what}");
        assert!(store.verify().is_ok_and(|report| report.is_ok()), "{what}");
    }
}

const NOW: i64 = 1_800_000_000_000;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().expect("it is an object").clone()
}

fn save(tx: &mut syncline_engine::Tx<'_>, id: &str) -> Result<()> {
    let record = map(json!({"id": id, "title": id, "stars": 1, "body": "once upon", "tags": ["a"]}));
    tx.save("Note", &record, Source::App).map(drop)
}

fn is_there(store: &mut Store, id: &str) -> bool {
    store.write(NOW, |tx| tx.get("Note", id)).expect("the disk works").is_some()
}

/// What another replica wrote: its genesis and its rows.
static OTHERS: LazyLock<(Vec<GenesisSpec>, Vec<IncomingRow>)> = LazyLock::new(|| {
    let mut other = Trial::new(Step::Make, Durability::Normal, Fault::Full, 77);
    let mut store = other.open().expect("the disk works");
    store.write(NOW, |tx| (0..10).try_for_each(|n| save(tx, &format!("theirs-{n}")))).expect("the disk works");
    let genesis = store.genesis_for(&["Note"]).expect("the disk works");
    let rows = store.read_log(0, usize::MAX, usize::MAX).expect("the disk works");
    let rows = rows.into_iter().map(|row| IncomingRow {
        dot: row.dot,
        txn: row.txn,
        model: row.model,
        record: row.record,
        bytes: row.bytes,
    });
    (genesis, rows.collect())
});
