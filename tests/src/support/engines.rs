//! Engines in one process, joined by wires that the test moves frame by frame: no sockets, no threads, no
//! clock but the test's.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};
use syncline_core::session::Config;
use syncline_core::wire::{Lane, Role};
use syncline_engine::query::Query;
use syncline_engine::{ConnectionId, Engine, Input, Now, OnDisk, Options, Output, Result, Store, Tx};
use tempfile::TempDir;

const LANES: [Lane; 3] = [Lane::Control, Lane::Live, Lane::Bulk];

/// How long two ends may be silent before everything is said: longer than news may be gathered, shorter than
/// any wait of a handshake.
const QUIET_MS: u64 = 2_000;

/// A frame on its way.
#[derive(Debug)]
struct Frame {
    /// Its place among all frames ever sent.
    number: u64,
    kind: u8,
    body: Vec<u8>,
}

/// One direction of a wire: its lanes do not wait for each other.
#[derive(Debug, Default)]
struct Direction {
    lanes: [VecDeque<Frame>; 3],
    /// The sender closes after what is in the lanes.
    closing: bool,
}

impl Direction {
    fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }
}

/// A connection between two engines.
#[derive(Debug)]
struct Wire {
    ends: [usize; 2],
    /// Towards the end of that index.
    towards: [Direction; 2],
}

/// Engines and the wires between them.
pub(crate) struct Engines {
    folder: TempDir,
    sdl: &'static str,
    seed: u64,
    opened: u64,
    now: Now,
    engines: Vec<Option<Engine>>,
    roles: Vec<Role>,
    wires: BTreeMap<ConnectionId, Wire>,
    next_wire: ConnectionId,
    frames: u64,
    /// Whether commits are reported durable at once.
    pub(crate) sync_at_once: bool,
}

impl Engines {
    pub(crate) fn new(sdl: &'static str, seed: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            sdl,
            seed,
            opened: 0,
            now: Now { mono_ms: 1, wall_ms: 1_800_000_000_000 },
            engines: Vec::new(),
            roles: Vec::new(),
            wires: BTreeMap::new(),
            next_wire: 1,
            frames: 0,
            sync_at_once: true,
        }
    }

    /// Adds an engine; a relay has no schema.
    pub(crate) fn add(&mut self, role: Role) -> usize {
        let at = self.engines.len();
        self.engines.push(None);
        self.roles.push(role);
        self.open(at);
        at
    }

    fn open(&mut self, at: usize) {
        self.opened += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&self.opened.to_le_bytes());
        let schema = match self.roles[at] {
            Role::Relay => None,
            Role::Peer => {
                Some((syncline_schema::parse("schema.graphql", self.sdl).unwrap().schema, self.sdl.to_owned()))
            }
        };
        let options = Options { schema, ..Options::new(seed) };
        let host = OnDisk::new(self.folder.path().join(format!("{at}.db")));
        let store = Store::open(Box::new(host), options).unwrap();
        self.engines[at] = Some(Engine::new(store, self.roles[at]));
    }

    /// Cuts an engine's wires, closes its store in good order and opens it again.
    pub(crate) fn restart(&mut self, at: usize) {
        for wire in self.wires_of(at) {
            self.cut(wire);
        }
        let mut engine = self.engines[at].take().unwrap();
        engine.close(self.now).unwrap();
        drop(engine);
        self.open(at);
    }

    pub(crate) fn engine(&self, at: usize) -> &Engine {
        self.engines[at].as_ref().unwrap()
    }

    fn engine_mut(&mut self, at: usize) -> &mut Engine {
        self.engines[at].as_mut().unwrap()
    }

    pub(crate) fn store(&self, at: usize) -> &Store {
        self.engine(at).store()
    }

    /// A write that may share its transaction with nobody.
    pub(crate) fn write<T>(&mut self, at: usize, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.pass(1);
        let now = self.now;
        let outcome = self.engine_mut(at).write(now, |tx| tx.single(act));
        self.collect(at);
        outcome
    }

    /// Several changes that stay together.
    pub(crate) fn write_together<T>(&mut self, at: usize, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.pass(1);
        let now = self.now;
        let outcome = self.engine_mut(at).write(now, |tx| tx.together(act));
        self.collect(at);
        outcome
    }

    /// Lets time pass, and wakes who wants to be woken.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = Now { mono_ms: self.now.mono_ms + ms, wall_ms: self.now.wall_ms + ms };
        let now = self.now;
        for at in 0..self.engines.len() {
            if self.engine(at).next_deadline().is_some_and(|due| due <= now.mono_ms) {
                self.engine_mut(at).handle(now, Input::Tick);
                self.collect(at);
            }
        }
    }

    /// Reports everything that is committed as durable.
    pub(crate) fn sync(&mut self, at: usize) {
        let now = self.now;
        let committed = self.store(at).committed();
        self.engine_mut(at).handle(now, Input::Synced(committed, Ok(())));
        self.collect(at);
    }

    pub(crate) fn connect(&mut self, dialer: usize, acceptor: usize) -> ConnectionId {
        let wire = self.next_wire;
        self.next_wire += 1;
        self.wires
            .insert(wire, Wire { ends: [dialer, acceptor], towards: [Direction::default(), Direction::default()] });
        let now = self.now;
        for (at, dialed) in [(acceptor, false), (dialer, true)] {
            let mut config = Config::new(self.roles[at]);
            if dialed {
                config.address = format!("engine {acceptor}");
            }
            self.engine_mut(at).open_session(now, wire, dialed, config).unwrap();
            self.collect(at);
        }
        wire
    }

    /// The connection dies; what is on its way is lost.
    pub(crate) fn cut(&mut self, wire: ConnectionId) {
        let Some(cut) = self.wires.remove(&wire) else { return };
        let now = self.now;
        for at in cut.ends {
            self.engine_mut(at).handle(now, Input::Closed(wire));
            self.collect(at);
        }
    }

    pub(crate) fn wires(&self) -> Vec<ConnectionId> {
        self.wires.keys().copied().collect()
    }

    fn wires_of(&self, at: usize) -> Vec<ConnectionId> {
        self.wires.iter().filter(|(_, wire)| wire.ends.contains(&at)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn are_joined(&self, one: usize, other: usize) -> bool {
        self.wires.values().any(|wire| wire.ends == [one, other] || wire.ends == [other, one])
    }

    /// Puts what an engine has decided onto its wires.
    fn collect(&mut self, at: usize) {
        while let Some(output) = self.engine_mut(at).poll_output() {
            match output {
                Output::Send { connection, lane, kind, body } => {
                    self.frames += 1;
                    let number = self.frames;
                    if let Some((wire, to)) = self.outward(connection, at) {
                        wire.towards[to].lanes[lane as usize].push_back(Frame { number, kind, body });
                    }
                }
                Output::Close { connection, .. } => {
                    if let Some((wire, to)) = self.outward(connection, at) {
                        wire.towards[to].closing = true;
                    }
                }
                Output::Sync(seq) => {
                    if self.sync_at_once {
                        let now = self.now;
                        self.engine_mut(at).handle(now, Input::Synced(seq, Ok(())));
                    }
                }
                Output::Commit(_) | Output::Session(..) => {}
            }
        }
    }

    fn outward(&mut self, connection: ConnectionId, from: usize) -> Option<(&mut Wire, usize)> {
        let wire = self.wires.get_mut(&connection)?;
        let to = usize::from(wire.ends[0] == from);
        Some((wire, to))
    }

    /// Delivers the oldest frame of a lane towards an engine. False if there is none.
    fn deliver(&mut self, connection: ConnectionId, at: usize, lane: Lane) -> bool {
        self.deliver_bytes(connection, at, lane).is_some()
    }

    /// Delivers the frame towards an engine that was sent first, whatever its lane. False if there is none.
    pub(crate) fn deliver_oldest(&mut self, connection: ConnectionId, at: usize) -> bool {
        let Some(wire) = self.wires.get(&connection) else { return false };
        let lanes = &wire.towards[usize::from(wire.ends[1] == at)].lanes;
        let first = LANES.iter().filter_map(|lane| lanes[*lane as usize].front().map(|frame| (frame.number, *lane)));
        first.min().is_some_and(|(_, lane)| self.deliver(connection, at, lane))
    }

    /// As [`Self::deliver`], saying how many bytes it was.
    fn deliver_bytes(&mut self, connection: ConnectionId, at: usize, lane: Lane) -> Option<usize> {
        let wire = self.wires.get_mut(&connection)?;
        let end = usize::from(wire.ends[1] == at);
        let frame = wire.towards[end].lanes[lane as usize].pop_front()?;
        let bytes = frame.body.len() + 5;
        let now = self.now;
        let input = Input::Frame { connection, lane, kind: frame.kind, body: frame.body };
        self.engine_mut(at).handle(now, input);
        self.collect(at);
        Some(bytes)
    }

    /// One turn of a line that carries so many bytes: control first, then live, then bulk, as QUIC sends them.
    /// The last frame may begin below the limit. False if nothing was under way.
    pub(crate) fn carry(&mut self, bytes_max: usize) -> bool {
        let mut moved = false;
        for connection in self.wires() {
            for end in 0..2 {
                let Some(wire) = self.wires.get(&connection) else { break };
                let at = wire.ends[end];
                let mut carried = 0;
                while carried < bytes_max {
                    let next = LANES.iter().find_map(|lane| self.deliver_bytes(connection, at, *lane));
                    let Some(bytes) = next else { break };
                    carried += bytes;
                    moved = true;
                }
                self.hang_up(connection, end);
            }
        }
        moved
    }

    /// Ends a connection whose sender closed it, once everything it sent has arrived.
    fn hang_up(&mut self, connection: ConnectionId, end: usize) {
        let Some(wire) = self.wires.get(&connection) else { return };
        if wire.towards[end].closing && wire.towards[end].is_empty() {
            self.cut(connection);
        }
    }

    /// Delivers everything until nobody has anything to say.
    pub(crate) fn settle(&mut self) {
        let mut quiet_ms = 0;
        for _ in 0..1_000_000 {
            if self.carry(usize::MAX) {
                quiet_ms = 0;
            } else if quiet_ms >= QUIET_MS {
                return;
            } else {
                self.pass(100);
                quiet_ms += 100;
            }
        }
        panic!("the engines never stop talking");
    }

    /// Everything an engine's store shows.
    pub(crate) fn export(&self, at: usize) -> Vec<Map<String, Value>> {
        let reader = self.store(at).reader().unwrap();
        let models = &reader.schema().models;
        models.iter().flat_map(|model| reader.query(&Query::new(&model.name)).unwrap().records).collect()
    }
}
