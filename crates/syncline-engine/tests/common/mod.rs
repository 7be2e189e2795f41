//! Stores in temporary folders, and changes carried between them without sessions.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]

use serde_json::{Map, Value};
use syncline_core::ids::{Dot, RecordId, ReplicaId, StoreId};
use syncline_core::session::{Applied, IncomingRow, SessionStore as _};
use syncline_engine::{OnDisk, Options, Source, Store};

pub const SDL: &str = r#"
type Todo @model {
  id: ID!
  title: String
  done: Boolean
  priority: Int
  votes: Int @counter
  tags: [String] @set
  steps: [String]
  body: String @text
}
type Place @model { name: String! @primaryKey note: String @text rank: Int }
type Plain @model { id: ID! title: String count: Int }
"#;

/// One store's folder.
pub struct Bed {
    pub folder: tempfile::TempDir,
    seed: u8,
    opened: u8,
    now: i64,
}

impl Bed {
    /// Beds of one test differ by their seed.
    pub fn new(seed: u8) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), seed, opened: 0, now: 1_800_000_000_000 }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    pub fn options(&mut self, sdl: Option<&str>) -> Options {
        self.opened += 1;
        let mut seed = [self.opened; 32];
        seed[0] = self.seed;
        Options {
            schema: sdl.map(|sdl| (syncline_schema::parse("schema.graphql", sdl).unwrap().schema, sdl.to_owned())),
            ..Options::new(seed)
        }
    }

    pub fn open(&mut self) -> Store {
        self.open_with(Some(SDL))
    }

    pub fn open_with(&mut self, sdl: Option<&str>) -> Store {
        let options = self.options(sdl);
        Store::open(Box::new(OnDisk::new(self.path())), options).unwrap()
    }

    pub fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    /// The file behind the engine's back.
    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub use syncline_engine::rusqlite;

pub fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub fn save(store: &mut Store, now: i64, model: &str, record: Value) -> Map<String, Value> {
    store.write(now, |tx| tx.single(|tx| tx.save(model, &map(record), Source::App))).unwrap().record
}

pub fn get(store: &mut Store, model: &str, id: &str) -> Option<Map<String, Value>> {
    store.write(1_900_000_000_000, |tx| tx.get(model, id)).unwrap()
}

pub fn id(record: &Map<String, Value>) -> String {
    record["id"].as_str().unwrap().to_owned()
}

/// Everything after a position of the log, as a peer would get it.
pub fn rows(store: &mut Store, after: u64) -> Vec<IncomingRow> {
    let rows = store.read_log(after, 100_000, 1 << 30).unwrap();
    rows.into_iter()
        .map(|row| IncomingRow { dot: row.dot, txn: row.txn, model: row.model, record: row.record, bytes: row.bytes })
        .collect()
}

pub fn learn(to: &mut Store, from: &mut Store) {
    let known = from.genesis_for(&["Todo", "Place", "Plain"]).unwrap();
    to.learn_genesis(&known).unwrap();
}

pub fn apply(to: &mut Store, rows: &[IncomingRow]) -> Applied {
    to.apply(StoreId([9; 16]), rows, None).unwrap()
}

/// All that `from` has and `to` lacks.
pub fn pull(to: &mut Store, from: &mut Store) -> Applied {
    learn(to, from);
    let rows = rows(from, 0);
    apply(to, &rows)
}

pub fn assert_verified(store: &Store) {
    let report = store.verify().unwrap();
    assert!(report.is_ok(), "{:#?}", report.faults);
}

/// A change that a stranger made.
pub fn row(
    replica: u8,
    counter: u64,
    model: &str,
    record: RecordId,
    change: &syncline_core::change::Change,
) -> IncomingRow {
    IncomingRow {
        dot: Dot { replica: ReplicaId([replica; 16]), counter },
        txn: 0,
        model: model.to_owned(),
        record,
        bytes: change.bytes().to_vec(),
    }
}
