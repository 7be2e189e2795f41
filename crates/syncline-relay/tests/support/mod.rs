//! Clients of a relay: whole ones with a store, and bare connections that say what a test wants.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_core::ids::{Chain, LogId, ReplicaId, StoreId};
use syncline_core::session::{Config, Event};
use syncline_core::wire::{self, Hello, Introduction, Message, Role, VERSION};
use syncline_engine::rusqlite::Connection as Sqlite;
use syncline_engine::{Engine, Input, Now, OnDisk, Options, Output, Source, Store, WalSync};
use syncline_net::{Address, ClientConfig, CloseCode, CloseReason, Connection, Endpoint, Frame, Lane, Limits};
use syncline_relay::{Relay, RelayConfig};

/// No test waits longer for anything: a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(60);

const SDL: &str = "type Note @model { title: String! }";

/// A relay in development mode on a free port.
pub(crate) async fn start(folder: &Path, adjust: impl FnOnce(&mut RelayConfig)) -> Relay {
    let mut config = config(folder);
    adjust(&mut config);
    Relay::start(config).await.unwrap()
}

pub(crate) fn config(folder: &Path) -> RelayConfig {
    let listen = "127.0.0.1:0".parse().unwrap();
    RelayConfig { data: folder.to_owned(), listen, dev: true, ..RelayConfig::default() }
}

/// A connection without a store behind it.
pub(crate) async fn dial(relay: &Relay, limits: Limits) -> Connection {
    let address: Address = relay.url().parse().unwrap();
    let endpoint = Endpoint::client(ClientConfig { limits, ..ClientConfig::default() }).unwrap();
    endpoint.dial(&address, address.trust(None)).await.unwrap()
}

/// The first words of somebody with an empty store.
pub(crate) fn hello(namespace: &str) -> Frame {
    let intro = Introduction {
        role: Role::Peer,
        store: StoreId([1; 16]),
        replica: ReplicaId([2; 16]),
        counter: 0,
        chain: Chain::EMPTY,
        log: LogId([3; 16]),
        epoch: 1,
    };
    let hello = Hello {
        version_min: VERSION,
        version_max: VERSION,
        features: 0,
        intro,
        namespace: namespace.to_owned(),
        token: None,
        head: 0,
        cursor: None,
        base: 0,
        base_chain: Chain::EMPTY,
        complete: true,
        delta: Vec::new(),
        staged: Vec::new(),
        credit: 4 << 20,
    };
    let (kind, body) = Message::from(hello).encode();
    Frame { kind, body }
}

/// Why the relay closed this connection.
pub(crate) async fn closed_by_relay(connection: &Connection) -> (CloseCode, String) {
    match tokio::time::timeout(PATIENCE, connection.closed()).await.expect("it is closed in time") {
        CloseReason::Peer { code, reason } => (code, reason),
        other => panic!("not closed by the relay: {other}"),
    }
}

/// The next message that the relay says.
pub(crate) async fn next_message(connection: &Connection) -> Message {
    let (_, frame) = tokio::time::timeout(PATIENCE, connection.recv()).await.unwrap().expect("it says something");
    Message::decode(frame.kind, &frame.body).unwrap()
}

/// A device: a store in a file, and a session over a connection.
pub(crate) struct Client {
    engine: Engine,
    disk: Box<dyn WalSync>,
    connection: Connection,
    path: PathBuf,
    started: Instant,
    pub(crate) events: Vec<Event>,
}

impl Client {
    /// A new device of the namespace, connected.
    pub(crate) async fn connect(relay: &Relay, folder: &Path, name: &str, namespace: &str) -> Self {
        let path = folder.join(format!("{name}.db"));
        let schema = syncline_schema::parse("note.graphql", SDL).unwrap().schema;
        let options = Options {
            schema: Some((schema, SDL.to_owned())),
            namespace: Some(namespace.to_owned()),
            ..Options::new(*blake3::hash(path.as_os_str().as_encoded_bytes()).as_bytes())
        };
        let store = Store::open(Box::new(OnDisk::new(&path)), options).unwrap();
        let disk = store.syncer();
        let connection = dial(relay, Limits::default()).await;
        let engine = Engine::new(store, Role::Peer);
        let mut client = Self { engine, disk, connection, path, started: Instant::now(), events: Vec::new() };
        let config = Config { address: relay.url(), ..Config::new(Role::Peer) };
        client.engine.open_session(client.now(), 1, true, config).unwrap();
        client
    }

    fn now(&self) -> Now {
        Now { mono_ms: self.started.elapsed().as_millis() as u64, wall_ms: 1_800_000_000_000 }
    }

    /// Saves a note.
    pub(crate) fn save(&mut self, title: &str) {
        let now = self.now();
        let Value::Object(note) = json!({ "title": title }) else { unreachable!("it is an object") };
        self.engine.write(now, |tx| tx.save("Note", &note, Source::App)).unwrap();
    }

    /// What the store holds.
    pub(crate) fn titles(&self) -> Vec<String> {
        let db = Sqlite::open(&self.path).unwrap();
        let mut rows = db.prepare("SELECT title FROM Note ORDER BY title").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Goes on until it is so.
    pub(crate) async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let going = tokio::time::timeout(PATIENCE, async {
            self.deliver().await;
            while !done(self) {
                self.step().await;
            }
        });
        assert!(going.await.is_ok(), "waited in vain until {what}; events: {:?}", self.events);
    }

    /// Goes on until the store holds so many notes.
    pub(crate) async fn until_held(&mut self, count: usize) {
        self.until("the notes are here", |client| client.titles().len() == count).await;
    }

    /// Goes on until the relay holds all of this device's changes, durably.
    pub(crate) async fn until_acknowledged(&mut self) {
        let own = self.engine.store().version().iter().map(|(_, counter)| counter).max().unwrap_or(0);
        self.until("the relay has it", |client| {
            client
                .events
                .iter()
                .any(|event| matches!(event, Event::Acknowledged { frontier, .. } if frontier.counter >= own))
        })
        .await;
    }

    /// Goes on until the relay ends the connection.
    pub(crate) async fn until_closed(mut self) -> (CloseCode, String) {
        self.until("the connection ends", |client| client.connection.close_reason().is_some()).await;
        closed_by_relay(&self.connection).await
    }

    /// Takes in one fact and does what follows.
    async fn step(&mut self) {
        let now = self.now().mono_ms;
        let wait = self.engine.next_deadline().map_or(PATIENCE, |at| Duration::from_millis(at.saturating_sub(now)));
        match tokio::time::timeout(wait, self.connection.recv()).await {
            Ok(Some((lane, Frame { kind, body }))) => {
                let lane = match lane {
                    Lane::Control => wire::Lane::Control,
                    Lane::Live => wire::Lane::Live,
                    Lane::Bulk => wire::Lane::Bulk,
                };
                let now = self.now();
                self.engine.handle(now, Input::Frame { connection: 1, lane, kind, body });
            }
            Ok(None) => {
                self.connection.closed().await;
            }
            Err(_) => {
                let now = self.now();
                self.engine.handle(now, Input::Tick);
            }
        }
        self.deliver().await;
    }

    async fn deliver(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { lane, kind, body, .. } => {
                    let lane = match lane {
                        wire::Lane::Control => Lane::Control,
                        wire::Lane::Live => Lane::Live,
                        wire::Lane::Bulk => Lane::Bulk,
                    };
                    // If the connection is over, the test will see that.
                    let _ = self.connection.send(lane, Frame { kind, body }).await;
                }
                Output::Close { code, reason, .. } => {
                    self.connection.finish(CloseCode(code), &reason, PATIENCE).await;
                }
                Output::Sync(seq) => {
                    let outcome = self.disk.sync();
                    let now = self.now();
                    self.engine.handle(now, Input::Synced(seq, outcome));
                }
                Output::Session(_, event) => self.events.push(event),
                Output::Commit(_) => {}
            }
        }
    }
}
