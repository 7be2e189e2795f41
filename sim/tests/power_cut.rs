//! Power cuts at any moment of a store's life: no dot is ever given to two changes, and what left
//! the device is still there.
//!
//! The store and SQLite are the real ones, on a disk that loses what was not synced. Two planted
//! faults and a lying disk show that the checks can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use syncline_core::ids::Dot;
use syncline_core::session::SessionStore as _;
use syncline_core::wire::change_hash;
use syncline_engine::rusqlite::{self, Connection};
use syncline_engine::{Host, Options, Result, Seed, Source, Store, Tx, WalSync};
use syncline_schema::Schema;
use syncline_sim::vfs::{self, Registered};
use syncline_sim::{Disk, SimHost, Survival};

const SEEDS: u64 = 200;
const LIVES: u64 = 6;
const STEPS_MAX: u64 = 40;

const SDL: &str = r#"
type Note @model {
  title: String!
  stars: Int @counter
  body: String @text
  tags: [String] @set
}
"#;

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| syncline_schema::parse("note.graphql", SDL).expect("the schema is right").schema);

/// What a run is to break.
#[derive(Clone, Copy, Default)]
struct Faults {
    /// Changes leave when they are committed, not when they are durable.
    sends_committed: bool,
    /// The side file that proves continuity stays where it should be destroyed.
    keeps_side_file: bool,
    /// The disk reports syncs that it does not do.
    disk_lies: bool,
}

/// What must never be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Violation {
    /// A dot left the device with two different changes.
    Reissued,
    /// A change that had left is no longer held, or is another one.
    Lost,
    /// SQLite finds the file damaged, or it cannot be opened.
    Damaged,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Story {
    violations: BTreeSet<Violation>,
    sent: BTreeMap<Dot, [u8; 32]>,
    cuts: u64,
    operations: u64,
}

#[test]
fn power_cuts_neither_reissue_a_dot_nor_lose_what_has_left() {
    let mut cuts = 0;
    let mut sent = 0;
    for seed in 0..SEEDS {
        let story = World::new(seed, Faults::default()).run();
        assert_eq!(story.violations, BTreeSet::new(), "seed {seed}");
        cuts += story.cuts;
        sent += story.sent.len();
    }
    // Otherwise the runs have shown nothing.
    assert!(cuts > SEEDS && sent > 10 * SEEDS as usize, "{cuts} cuts, {sent} changes sent");
}

#[test]
fn a_store_that_sends_what_is_only_committed_is_caught() {
    let faults = Faults { sends_committed: true, ..Faults::default() };
    assert!(is_seen(Violation::Lost, faults));
}

#[test]
fn a_store_that_sends_too_early_still_uses_no_dot_twice_because_it_takes_a_new_name() {
    let faults = Faults { sends_committed: true, ..Faults::default() };
    for seed in 0..20 {
        let story = World::new(seed, faults).run();
        assert!(!story.violations.contains(&Violation::Reissued), "seed {seed}");
    }
}

#[test]
fn a_store_that_also_keeps_its_name_without_proof_reissues_dots() {
    let faults = Faults { sends_committed: true, keeps_side_file: true, ..Faults::default() };
    assert!(is_seen(Violation::Reissued, faults));
}

#[test]
fn a_disk_that_lies_about_syncs_is_caught() {
    let faults = Faults { disk_lies: true, ..Faults::default() };
    assert!(is_seen(Violation::Lost, faults));
}

#[test]
fn equal_seeds_tell_equal_stories() {
    for seed in 0..10 {
        let story = || World::new(seed, Faults::default()).run();
        assert_eq!(story(), story(), "seed {seed}");
    }
}

/// Whether any of the seeds shows it.
fn is_seen(violation: Violation, faults: Faults) -> bool {
    (0..SEEDS).any(|seed| World::new(seed, faults).run().violations.contains(&violation))
}

/// One device, and everybody who ever got a change from it.
struct World {
    faults: Faults,
    disk: Disk,
    place: Arc<Registered>,
    dice: Seed,
    story: Story,
    now_ms: i64,
    process: u64,
}

/// The power is gone, or the process ended.
struct Over;

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let key = |purpose: u8| {
            let mut key = [purpose; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            key
        };
        let disk = Disk::new(key(1));
        let place = Arc::new(vfs::register(&disk));
        Self {
            faults,
            disk,
            place,
            dice: Seed::new(key(2)),
            story: Story::default(),
            now_ms: 1_800_000_000_000,
            process: 0,
        }
    }

    fn run(mut self) -> Story {
        for _ in 0..LIVES {
            self.disk.lie_about_syncs(self.faults.disk_lies && self.story.cuts > 0);
            if self.dice.below("when", 4) > 0 {
                self.disk.cut_power_after(1 + self.dice.below("cut", 300));
            }
            // The power may be gone before the store is open, or the process may end by itself.
            let _ = self.live();
            self.story.cuts += u64::from(!self.disk.is_on());
            let survival = match self.disk.is_on() {
                true => Survival::Everything,
                false => Survival::ALL[self.dice.below("survival", 4) as usize],
            };
            self.disk.restore_power(survival);
            self.check();
        }
        self.story.operations = self.disk.operations();
        self.story
    }

    /// From one start of the app to its end.
    fn live(&mut self) -> std::result::Result<(), Over> {
        let mut store = self.open()?;
        let mut position = 0;
        let mut syncing = None;
        let mut syncer = store.syncer();
        for _ in 0..self.dice.below("steps", STEPS_MAX) {
            self.now_ms += 1;
            match self.dice.below("step", 10) {
                0..=5 => self.write(&mut store)?,
                6 => syncing = syncing.or_else(|| Some(Store::committed(&store))),
                7 => {
                    if let Some(seq) = syncing.take() {
                        store.synced(seq, syncer.sync());
                        self.fail_only_without_power(store.health())?;
                    }
                }
                _ => self.send(&mut store, &mut position)?,
            }
        }
        if self.dice.below("end", 3) > 0 {
            let closed = store.close();
            return self.fail_only_without_power(closed);
        }
        // The process is killed: its end must not do what a close does.
        self.disk.cut_power();
        drop(store);
        self.disk.restore_power(Survival::Everything);
        Ok(())
    }

    fn open(&mut self) -> std::result::Result<Store, Over> {
        self.process += 1;
        let host = SimHost::new(&self.place, "app.db", self.process);
        let host: Box<dyn Host> =
            if self.faults.keeps_side_file { Box::new(KeepsSideFile(host)) } else { Box::new(host) };
        let options = Options { schema: Some((SCHEMA.clone(), SDL.to_owned())), ..Options::new(self.dice_key()) };
        let opened = Store::open(host, options);
        self.fail_only_without_power(opened)
    }

    fn dice_key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&self.dice.id16("store"));
        key
    }

    fn fail_only_without_power<T>(&mut self, outcome: Result<T>) -> std::result::Result<T, Over> {
        outcome.map_err(|error| {
            if self.disk.is_on() {
                assert!(self.faults.disk_lies, "a store failed although the disk did not: {error}");
                self.story.violations.insert(Violation::Damaged);
            }
            Over
        })
    }

    fn write(&mut self, store: &mut Store) -> std::result::Result<(), Over> {
        let count = 1 + self.dice.below("writes", 3);
        let draws: Vec<(u64, u64)> =
            (0..count).map(|_| (self.dice.below("what", 5), self.dice.below("which", 6))).collect();
        let now_ms = self.now_ms;
        let written = store.write(now_ms, |tx| draws.iter().try_for_each(|draw| edit(tx, *draw, now_ms)));
        self.fail_only_without_power(written)
    }

    /// Sends what may leave to somebody who never forgets.
    fn send(&mut self, store: &mut Store, position: &mut u64) -> std::result::Result<(), Over> {
        let limit = if self.faults.sends_committed { Store::committed(store) } else { Store::durable(store) };
        let rows = store.read_log(*position, 50, 1 << 20);
        for row in self.fail_only_without_power(rows)? {
            if row.seq > limit {
                break;
            }
            let hash = change_hash(&row.bytes).expect("a row of the log holds a change");
            if *self.story.sent.entry(row.dot).or_insert(hash) != hash {
                self.story.violations.insert(Violation::Reissued);
            }
            *position = row.seq;
        }
        Ok(())
    }

    /// Opens the store as any process would and looks whether it keeps what it promised.
    fn check(&mut self) {
        let Ok(mut store) = self.open() else { return };
        let host = SimHost::new(&self.place, "app.db", u64::MAX);
        let db = host.connect(true).expect("the disk has power");
        let verdict: rusqlite::Result<String> = db.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        if verdict.as_deref() != Ok("ok") {
            self.story.violations.insert(Violation::Damaged);
        }
        let rows = store.read_log(0, usize::MAX, usize::MAX);
        let Ok(rows) = self.fail_only_without_power(rows) else { return };
        let held: BTreeMap<Dot, [u8; 32]> = rows
            .iter()
            .map(|row| (row.dot, change_hash(&row.bytes).expect("a row of the log holds a change")))
            .collect();
        assert_eq!(held.len(), rows.len(), "a dot stands in the log twice");
        if self.story.sent.iter().any(|(dot, hash)| held.get(dot) != Some(hash)) {
            self.story.violations.insert(Violation::Lost);
        }
        // This look leaves nothing behind that the next process could tell from its absence.
        drop(db);
        self.disk.cut_power();
        drop(store);
        self.disk.restore_power(Survival::Everything);
    }
}

/// One edit of one of a few records.
fn edit(tx: &mut Tx<'_>, (what, which): (u64, u64), now_ms: i64) -> Result<()> {
    let id = format!("note-{which}");
    if tx.get("Note", &id)?.is_none() {
        let record = json!({ "id": id, "title": format!("{now_ms}"), "stars": 1, "body": "once", "tags": ["a"] });
        let Value::Object(record) = record else { unreachable!("it is an object") };
        return tx.save("Note", &record, Source::App).map(drop);
    }
    match what {
        0 => tx.increment("Note", &id, "stars", now_ms % 7 + 1),
        1 => tx.splice("Note", &id, "body", 0, 0, &format!("{} ", now_ms % 1000)),
        2 => tx.add("Note", &id, "tags", &json!(format!("t{}", now_ms % 9))),
        3 => tx.delete("Note", &id),
        _ => {
            let Value::Object(patch) = json!({ "title": format!("{now_ms}") }) else { unreachable!("it is an object") };
            tx.update("Note", &id, &patch)
        }
    }
    .map(drop)
}

/// A host that does not destroy the proof of continuity before the first write.
struct KeepsSideFile(SimHost);

impl Host for KeepsSideFile {
    fn remove_side(&self) -> io::Result<()> {
        Ok(())
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn exists(&self) -> bool {
        self.0.exists()
    }
    fn connect(&self, write: bool) -> rusqlite::Result<Connection> {
        self.0.connect(write)
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
    fn enter(&mut self) -> io::Result<bool> {
        self.0.enter()
    }
    fn leave(&mut self) -> io::Result<bool> {
        self.0.leave()
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
        self.0.syncer()
    }
}
