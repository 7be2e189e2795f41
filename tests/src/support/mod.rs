//! What the tests are written in: stores and relays in a folder, records, and the wait for a common state.

pub(crate) mod engines;
pub(crate) mod live;
pub(crate) mod program;
pub(crate) mod udp_proxy;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use syncline::{Options, Record, Store, SyncReport, Token};
use syncline_relay::{Relay, RelayConfig};
use tempfile::TempDir;

/// Turns a hang into a failure; no test depends on how long it is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// One field of each kind.
pub(crate) const SDL: &str = r#"
type Todo @model {
  title: String!
  done: Boolean @default(value: "false")
  priority: Int @index(name: "byPriority")
  votes: Int @counter
  tags: [String!] @set
  steps: [String!]
  body: String @text
}

type Place @model {
  name: String! @primaryKey
  rank: Int
}
"#;

/// A folder with stores and relays that goes with the test.
pub(crate) struct Bed {
    folder: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A store with [`SDL`], made at the first call.
    pub(crate) async fn store(&self, name: &str) -> Store {
        Store::open(self.path(name), Options::new(SDL)).await.unwrap()
    }

    /// A relay whose data is in a folder of that name, on a free port.
    pub(crate) async fn relay(&self, name: &str) -> Relay {
        self.relay_at(name, loopback()).await
    }

    pub(crate) async fn relay_at(&self, name: &str, listen: SocketAddr) -> Relay {
        let config = RelayConfig { data: self.path(name), listen, dev: true, ..RelayConfig::default() };
        Relay::start(config).await.unwrap()
    }
}

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// The file of the only namespace of a relay.
pub(crate) fn relay_file(data: &Path) -> PathBuf {
    data.join("namespaces").join("default.db")
}

pub(crate) fn record(value: Value) -> Record {
    let Value::Object(record) = value else { panic!("{value} is no object") };
    record
}

pub(crate) fn id(record: &Record) -> String {
    record["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the test hangs")
}

/// Saves so many plain records in one go.
pub(crate) async fn save_many(store: &Store, prefix: &str, count: usize) -> Vec<Record> {
    let records = (0..count)
        .map(|n| record(serde_json::json!({"title": format!("{prefix} {n}"), "priority": n, "done": n % 2 == 0})))
        .collect();
    let mut saved = Vec::with_capacity(count);
    for imported in store.import_json("Todo", records).await.unwrap() {
        saved.push(store.get_json("Todo", &imported.unwrap().id).await.unwrap().unwrap());
    }
    saved
}

pub(crate) async fn sync(store: &Store, url: &str) -> SyncReport {
    store.sync_once(url, PATIENCE).await.unwrap()
}

/// Everything a store shows, one record per line.
pub(crate) async fn export(store: &Store) -> String {
    let mut lines = String::new();
    for model in &store.schema().unwrap().models {
        let mut after = None;
        loop {
            let page = store.export_page(&model.name, after, 500).await.unwrap();
            for record in page.records {
                lines.push_str(&format!("{} {}\n", model.name, Value::Object(record)));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    lines
}

/// Waits until every store holds what each of them holds now.
pub(crate) async fn all_have_all(stores: &[&Store]) {
    let mut tokens = Vec::new();
    for store in stores {
        tokens.push(store.version().await.unwrap());
    }
    for store in stores {
        for token in &tokens {
            store.wait_for(token, PATIENCE).await.unwrap();
        }
    }
}

/// Equal exports, equal versions, nothing damaged.
pub(crate) async fn assert_converged(stores: &[&Store]) {
    let first = export(stores[0]).await;
    let version = held(stores[0]).await;
    for store in stores {
        assert_eq!(export(store).await, first, "{}", store.path().display());
        assert_eq!(held(store).await, version, "{}", store.path().display());
        let report = store.verify().await.unwrap();
        assert!(report.is_ok(), "{}: {:?}", store.path().display(), report.faults);
    }
}

async fn held(store: &Store) -> syncline::VersionVector {
    store.version().await.unwrap().version()
}

/// Waits until a relay has acknowledged everything of the store's own.
pub(crate) async fn nothing_pending(store: &Store) {
    let mut events = store.events();
    in_time(async {
        while store.status().await.unwrap().store.outbox.pending > 0 {
            // Any event may be the acknowledgement; a lag is one too.
            let _ = events.next().await.unwrap();
        }
    })
    .await;
}

pub(crate) async fn wait(store: &Store, token: Option<&Token>) {
    store.wait_for(token.unwrap(), PATIENCE).await.unwrap();
}

/// Copies a closed store's file, and its side file if asked, over what stands at the other place.
pub(crate) fn copy_store(from: &Path, to: &Path, with_side_file: bool) {
    for suffix in ["-wal", "-shm", "-replica", "-lock", "-sync"] {
        let _ = std::fs::remove_file(beside(to, suffix));
    }
    std::fs::copy(from, to).unwrap();
    if with_side_file {
        std::fs::copy(beside(from, "-replica"), beside(to, "-replica")).unwrap();
    }
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
