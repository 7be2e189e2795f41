//! One machine: a disk, clocks, and a process that runs an engine while it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use syncline_core::session::{Config, Event};
use syncline_core::wire;
use syncline_engine::{
    Commit, ConnectionId, Engine, Input, Now, Options, Output, Relay, RelayOutput, Seed, Shelf, Store,
};
use syncline_schema::Schema;

use super::apps::{App, Dialect};
use super::draws::{Draws, name_key};
use super::tasks::Task;
use crate::adversary::{Hostile, HostileOutput, Lies};
use crate::disk::{Disk, Survival};
use crate::host::SimHost;
use crate::schedule::{self, EventId, Point, Role};
use crate::vfs::Registered;

/// The one namespace that fleets share.
pub const NAMESPACE: &str = "default";

/// A store's file on its disk.
pub(super) const FILE: &str = "app.db";

/// What honest wall clocks show at the beginning: 2026-01-01.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;

/// One machine of the fleet.
pub struct Node {
    pub(super) spec: schedule::Node,
    /// Its app; `None` on a relay.
    pub(super) app: Option<App>,
    pub(super) place: Arc<Registered>,
    pub(super) running: Option<Running>,
    /// A hostile program between two lives of its process.
    resting: Option<Box<Hostile>>,
    pub(super) boots: u64,
    /// When its last process began, and which of that moment it was.
    booted_at: Option<(u64, u64)>,
    pub(super) power: Power,
    pub(super) clock_off_ms: i64,
    pub(super) frozen_at: Option<u64>,
    pub(super) disk_sync_ms: u64,
    pub(super) paused_until: Option<u64>,
    /// What comes to pass while its process stands still, and is noticed when it goes on.
    pub(super) parked: Vec<Task>,
    cache_bytes: usize,
    /// When its engine is woken next.
    pub(super) tick_at: Option<u64>,
    /// Where its process ends next, by which event, and for how long.
    pub(super) armed: Option<(Point, EventId, u64)>,
    /// A cut at a disk operation is pending: survival, event, and for how long.
    pub(super) cut_pending: Option<(Survival, EventId, u64)>,
    pub(super) excuses: BTreeSet<Excuse>,
    pub(super) observed: BTreeMap<EventId, String>,
}

/// What a living process runs.
pub(super) enum Running {
    Device(Box<Engine>),
    Relay(Box<Relay>),
    Hostile(Box<Hostile>),
}

/// What a process wants done.
pub(super) enum Decision {
    Send {
        connection: ConnectionId,
        lane: wire::Lane,
        kind: u8,
        body: Vec<u8>,
    },
    /// Bytes that may be no message.
    Bytes {
        connection: ConnectionId,
        lane: wire::Lane,
        bytes: Vec<u8>,
    },
    Close {
        connection: ConnectionId,
        code: u32,
        reason: String,
    },
    /// Of a relay, the store of this namespace.
    Sync(u64, Option<String>),
    Commit(Commit),
    Session(ConnectionId, Event),
}

/// Whether a node's process runs, and if not, what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// It has never run and waits for an event.
    Unborn,
    /// It runs.
    On,
    /// The app is closed and will be started.
    Closed,
    /// It died; the disk comes back like this.
    Died(Survival),
}

/// What a node was put through that the engine does not promise to survive alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Its disk lied about syncs: what it called durable may be gone.
    DiskLied,
    /// Bits of its file flipped.
    BitsFlipped,
    /// An older state of its file came back: what it acknowledged since may be gone from it.
    Restored,
    /// Its file lives on another node too.
    Cloned,
    /// It is hostile.
    Hostile,
}

impl Node {
    pub(super) fn new(spec: schedule::Node, app: Option<App>, draws: &Draws, index: u64, cache_bytes: usize) -> Self {
        let disk = Disk::new(draws.bytes("disk", index, 0));
        Self {
            app,
            cache_bytes,
            place: Arc::new(crate::vfs::register(&disk)),
            running: None,
            resting: None,
            boots: 0,
            booted_at: None,
            power: Power::Unborn,
            clock_off_ms: spec.clock_off_ms,
            frozen_at: None,
            disk_sync_ms: spec.disk_sync_ms,
            paused_until: None,
            parked: Vec::new(),
            tick_at: None,
            armed: None,
            cut_pending: None,
            excuses: match spec.role {
                Role::Adversary(_) => BTreeSet::from([Excuse::Hostile]),
                Role::Device | Role::Relay => BTreeSet::new(),
            },
            observed: BTreeMap::new(),
            spec,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it was made as.
    pub fn spec(&self) -> &schedule::Node {
        &self.spec
    }

    /// What it is.
    pub fn role(&self) -> Role {
        self.spec.role
    }

    /// Whether it is a device with an honest app, or a relay.
    pub fn is_honest(&self) -> bool {
        !matches!(self.spec.role, Role::Adversary(_))
    }

    /// The schema of its app; `None` on a relay.
    pub fn schema(&self) -> Option<&Schema> {
        self.app.as_ref().map(|app| &*app.schema)
    }

    /// Its text.
    pub(crate) fn sdl(&self) -> Option<&str> {
        self.app.as_ref().map(|app| &*app.sdl)
    }

    /// Whether its app has another schema than the schedule's.
    pub(crate) fn has_own_schema(&self) -> bool {
        self.dialect().is_some()
    }

    /// The schema of its app in the words of the ledger.
    pub(crate) fn told_schema(&self) -> Option<&Schema> {
        self.app.as_ref().map(App::told_schema)
    }

    /// A record that its app shows, and the model it is of, in the words of the ledger.
    pub(crate) fn told(
        &self,
        model: &str,
        id: &str,
        record: Map<String, Value>,
    ) -> (String, String, Map<String, Value>) {
        let Some(dialect) = self.dialect() else { return (model.to_owned(), id.to_owned(), record) };
        let told = dialect.told_model(model);
        let (id, record) = (dialect.told_id(&told, id), dialect.told_record(&told, record));
        (told, id, record)
    }

    /// What its app calls a record that the ledger has under that model and id.
    pub(crate) fn here(&self, model: &str, id: &str) -> (String, String) {
        match self.dialect() {
            Some(dialect) => (dialect.model(model).to_owned(), dialect.id(model, id)),
            None => (model.to_owned(), id.to_owned()),
        }
    }

    pub(super) fn dialect(&self) -> Option<&Dialect> {
        self.app.as_ref()?.dialect.as_deref()
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        self.place.disk()
    }

    /// How often its process was started.
    pub fn boots(&self) -> u64 {
        self.boots
    }

    /// Whether its process was ever started.
    pub fn is_born(&self) -> bool {
        self.power != Power::Unborn
    }

    /// The engine of its store, while it runs; a relay's is that of the one namespace, once somebody asked for it.
    pub fn engine(&self) -> Option<&Engine> {
        match self.running.as_ref()? {
            Running::Device(engine) => Some(engine),
            Running::Relay(relay) => relay.engine(NAMESPACE),
            Running::Hostile(hostile) => Some(hostile.engine()),
        }
    }

    /// What a hostile node has said and written that is not so.
    pub fn lies(&self) -> Option<&Lies> {
        match (&self.running, &self.resting) {
            (Some(Running::Hostile(hostile)), _) | (None, Some(hostile)) => Some(hostile.lies()),
            (Some(Running::Device(_) | Running::Relay(_)), _) | (None, None) => None,
        }
    }

    /// Its store, while it runs.
    pub fn store(&self) -> Option<&Store> {
        self.engine().map(Engine::store)
    }

    /// What it was put through so far that no store can survive alone.
    pub fn excuses(&self) -> &BTreeSet<Excuse> {
        &self.excuses
    }

    /// The models that an app follows here, by the observe event.
    pub fn observed(&self) -> &BTreeMap<EventId, String> {
        &self.observed
    }

    /// The time as its clocks show it.
    pub(super) fn now(&self, at_ms: u64) -> Now {
        let wall_ms = (EPOCH_MS + self.frozen_at.unwrap_or(at_ms)).saturating_add_signed(self.clock_off_ms);
        Now { mono_ms: at_ms + 1, wall_ms }
    }

    /// Opens its store.
    pub(super) fn start(&mut self, draws: &Draws, index: u64, now_ms: u64) -> Result<(), String> {
        if draws.are_of_the_moment() {
            self.disk().reseed(draws.bytes("disk", name_key(&self.spec.name), now_ms));
        }
        if let Power::Died(survival) = self.power {
            self.disk().restore_power(survival);
        }
        self.boots += 1;
        // No two processes may have the same randomness.
        let again = self.booted_at.filter(|(at, _)| *at == now_ms).map_or(0, |(_, again)| again + 1);
        self.booted_at = Some((now_ms, again));
        self.power = Power::On;
        (self.tick_at, self.paused_until, self.armed) = (None, None, None);
        let by_moment = (name_key(&self.spec.name).wrapping_add(again), now_ms);
        let seed = draws.either("process", (index, self.boots), by_moment);
        let host = SimHost::new(&self.place, FILE, self.boots);
        self.running = Some(match self.spec.role {
            Role::Device => Running::Device(self.open_engine(host, seed)?),
            Role::Adversary(kind) => {
                let engine = self.open_engine(host, seed)?;
                Running::Hostile(match self.resting.take() {
                    Some(mut hostile) => {
                        hostile.restarted(engine);
                        hostile
                    }
                    None => {
                        let by_name = (name_key(&self.spec.name), 0);
                        let seed = Seed::new(draws.either("hostile", (index, 0), by_name));
                        Box::new(Hostile::new(kind, NAMESPACE, engine, seed))
                    }
                })
            }
            Role::Relay => {
                let shelf =
                    SimShelf { place: Arc::clone(&self.place), process: self.boots, options: self.options(seed) };
                Running::Relay(Box::new(Relay::new(Box::new(shelf))))
            }
        });
        Ok(())
    }

    fn open_engine(&self, host: SimHost, seed: [u8; 32]) -> Result<Box<Engine>, String> {
        let store = Store::open(Box::new(host), self.options(seed)).map_err(|error| error.to_string())?;
        Ok(Box::new(Engine::new(store, wire::Role::Peer)))
    }

    fn options(&self, seed: [u8; 32]) -> Options {
        Options {
            schema: self.app.as_ref().map(|app| (app.schema.as_ref().clone(), app.sdl.clone())),
            namespace: Some(NAMESPACE.to_owned()),
            durability: match self.spec.durability {
                schedule::Durability::Normal => syncline_engine::Durability::Normal,
                schedule::Durability::Full => syncline_engine::Durability::Full,
            },
            cache_bytes: self.cache_bytes,
            ..Options::new(seed)
        }
    }

    /// Ends its process without a word. Connections are dropped after the power: SQLite would tidy up on close.
    pub(super) fn die(&mut self, survival: Survival) {
        self.disk().cut_power();
        self.stop();
        self.power = Power::Died(survival);
        (self.armed, self.cut_pending, self.paused_until) = (None, None, None);
    }

    /// Drops what runs; a hostile program keeps its plans.
    pub(super) fn stop(&mut self) {
        if let Some(Running::Hostile(hostile)) = self.running.take() {
            self.resting = Some(hostile);
        }
        self.observed.clear();
    }

    /// A hostile program behaves from here on.
    pub(super) fn calm(&mut self) {
        if let Some(Running::Hostile(hostile)) = &mut self.running {
            hostile.calm();
        }
    }

    pub(super) fn open_session(
        &mut self,
        now: Now,
        connection: ConnectionId,
        address: Option<&str>,
    ) -> Result<(), String> {
        let mut config = Config::new(wire::Role::Peer);
        config.features = self.spec.features.unwrap_or(config.features);
        match self.running.as_mut() {
            Some(Running::Device(engine)) => {
                config.address = address.unwrap_or_default().to_owned();
                engine.open_session(now, connection, address.is_some(), config).map_err(|error| error.to_string())
            }
            Some(Running::Relay(relay)) => {
                relay.accept(now, connection);
                Ok(())
            }
            Some(Running::Hostile(hostile)) => {
                hostile.open(now, connection, address.is_some());
                Ok(())
            }
            None => Err("it does not run".to_owned()),
        }
    }

    pub(super) fn handle(&mut self, now: Now, input: Input) {
        match self.running.as_mut() {
            Some(Running::Device(engine)) => engine.handle(now, input),
            Some(Running::Relay(relay)) => relay.handle(now, input),
            Some(Running::Hostile(hostile)) => hostile.handle(now, input),
            None => {}
        }
    }

    /// The next thing that it wants done.
    pub(super) fn poll(&mut self) -> Option<Decision> {
        match self.running.as_mut()? {
            Running::Device(engine) => engine.poll_output().map(decision),
            Running::Relay(relay) => loop {
                match relay.poll_output()? {
                    RelayOutput::Engine(output) => return Some(decision(output)),
                    RelayOutput::Sync { namespace, seq } => return Some(Decision::Sync(seq, Some(namespace))),
                    RelayOutput::Opened { .. } => {}
                }
            },
            Running::Hostile(hostile) => hostile.poll_output().map(hostile_decision),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        match self.running.as_ref()? {
            Running::Device(engine) => engine.next_deadline(),
            Running::Relay(relay) => relay.next_deadline(),
            Running::Hostile(hostile) => hostile.next_deadline(),
        }
    }

    /// Does what a sync does on its disk.
    pub(super) fn sync_disk(&self, namespace: Option<&str>) -> std::io::Result<()> {
        let engine = match self.running.as_ref() {
            Some(Running::Device(engine)) => Some(engine.as_ref()),
            Some(Running::Relay(relay)) => relay.engine(namespace.unwrap_or(NAMESPACE)),
            Some(Running::Hostile(hostile)) => Some(hostile.engine()),
            None => None,
        };
        engine.map_or_else(|| Err(std::io::Error::other("it does not run")), |engine| engine.store().syncer().sync())
    }

    pub(super) fn synced(&mut self, now: Now, namespace: Option<&str>, seq: u64, outcome: std::io::Result<()>) {
        match self.running.as_mut() {
            Some(Running::Device(engine)) => engine.handle(now, Input::Synced(seq, outcome)),
            Some(Running::Relay(relay)) => relay.synced(now, namespace.unwrap_or(NAMESPACE), seq, outcome),
            Some(Running::Hostile(hostile)) => hostile.handle(now, Input::Synced(seq, outcome)),
            None => {}
        }
    }

    /// Closes its store in good order.
    pub(super) fn close(&mut self, now: Now) -> Result<(), String> {
        let outcome = match self.running.as_mut() {
            Some(Running::Device(engine)) => engine.close(now),
            Some(Running::Relay(relay)) => relay.close(now),
            Some(Running::Hostile(hostile)) => hostile.engine_mut().close(now),
            None => Ok(()),
        };
        outcome.map_err(|error| error.to_string())
    }
}

fn decision(output: Output) -> Decision {
    match output {
        Output::Send { connection, lane, kind, body } => Decision::Send { connection, lane, kind, body },
        Output::Close { connection, code, reason } => Decision::Close { connection, code, reason },
        Output::Sync(seq) => Decision::Sync(seq, None),
        Output::Commit(commit) => Decision::Commit(commit),
        Output::Session(connection, event) => Decision::Session(connection, event),
    }
}

fn hostile_decision(output: HostileOutput) -> Decision {
    match output {
        HostileOutput::Frame { connection, lane, kind, body } => Decision::Send { connection, lane, kind, body },
        HostileOutput::Bytes { connection, lane, bytes } => Decision::Bytes { connection, lane, bytes },
        HostileOutput::Close { connection, code, reason } => Decision::Close { connection, code, reason },
        HostileOutput::Sync(seq) => Decision::Sync(seq, None),
        HostileOutput::Commit(commit) => Decision::Commit(commit),
        HostileOutput::Session(connection, event) => Decision::Session(connection, event),
    }
}

/// A relay's stores on its disk.
struct SimShelf {
    place: Arc<Registered>,
    process: u64,
    options: Options,
}

impl Shelf for SimShelf {
    fn open(&mut self, namespace: &str, _token: Option<&str>) -> Result<Store, wire::Refused> {
        let host = SimHost::new(&self.place, FILE, self.process);
        let unknown = wire::Refused {
            code: wire::RefusedCode::Namespace,
            detail: format!("there is no namespace {namespace} here"),
            retry_after_ms: 0,
        };
        if namespace != NAMESPACE {
            return Err(unknown);
        }
        Store::open(Box::new(host), self.options.clone()).map_err(|error| wire::Refused {
            code: wire::RefusedCode::Busy,
            detail: error.to_string(),
            retry_after_ms: 1_000,
        })
    }
}
