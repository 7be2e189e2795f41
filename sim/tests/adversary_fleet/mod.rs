//! Engines and adversaries in one process, joined by lines that carry bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};
use syncline_core::session::{CloseCode, Config, Event};
use syncline_core::wire::{Lane, Role};
use syncline_engine::query::Query;
use syncline_engine::{ConnectionId, Engine, Input, Now, Options, Output, Result, Seed, Store, Tx};
use syncline_schema::Schema;
use syncline_sim::adversary::{Hostile, HostileOutput, Lies};
use syncline_sim::schedule::Adversary;
use syncline_sim::vfs::{self, Registered};
use syncline_sim::{Disk, SimHost};

const LANES: [Lane; 3] = [Lane::Control, Lane::Live, Lane::Bulk];

/// How long a link waits before it is dialed again.
const REDIAL_MS: u64 = 400;

/// What a node is.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Honest,
    /// Honest, without a schema.
    Relay,
    Hostile(Adversary),
    /// Hostile, under one actor too.
    Twins(Adversary),
}

enum Node {
    Honest(Box<Engine>),
    Hostile(Box<Hostile>),
}

/// One direction of a line: bytes per lane, and whether the sender closes after them.
#[derive(Default)]
struct Direction {
    lanes: [VecDeque<u8>; 3],
    closing: bool,
}

struct Line {
    ends: [usize; 2],
    towards: [Direction; 2],
}

/// Who dials whom again and again; when next, if not connected.
struct Link {
    from: usize,
    to: usize,
    line: Option<ConnectionId>,
    dial_at: u64,
}

pub(crate) struct Fleet {
    schema: (Schema, String),
    seed: u64,
    now: Now,
    places: Vec<Arc<Registered>>,
    nodes: Vec<Node>,
    lines: BTreeMap<ConnectionId, Line>,
    links: Vec<Link>,
    next: ConnectionId,
    events: BTreeMap<usize, Vec<Event>>,
    written: BTreeMap<usize, BTreeSet<[u8; 32]>>,
}

impl Fleet {
    pub(crate) fn new(sdl: &str, seed: u64) -> Self {
        vfs::seed_sqlite(seed as u32);
        let schema = (syncline_schema::parse("schema.graphql", sdl).unwrap().schema, sdl.to_owned());
        Self {
            schema,
            seed,
            now: Now { mono_ms: 1, wall_ms: 1_800_000_000_000 },
            places: Vec::new(),
            nodes: Vec::new(),
            lines: BTreeMap::new(),
            links: Vec::new(),
            next: 1,
            events: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, peer: Peer) -> usize {
        let at = self.nodes.len();
        let mut seed = [at as u8; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let place = Arc::new(vfs::register(&Disk::new(seed)));
        let (role, schema) = match peer {
            Peer::Relay => (Role::Relay, None),
            Peer::Honest | Peer::Hostile(_) | Peer::Twins(_) => (Role::Peer, Some(self.schema.clone())),
        };
        let options = Options { schema, ..Options::new(seed) };
        let store = Store::open(Box::new(SimHost::new(&place, "app.db", 1)), options).unwrap();
        self.places.push(place);
        let engine = Box::new(Engine::new(store, role));
        seed[31] ^= 0xff;
        let hostile = |kind, engine| Hostile::new(kind, "default", engine, Seed::new(seed));
        self.nodes.push(match peer {
            Peer::Honest | Peer::Relay => Node::Honest(engine),
            Peer::Hostile(kind) => Node::Hostile(Box::new(hostile(kind, engine))),
            Peer::Twins(kind) => Node::Hostile(Box::new(hostile(kind, engine).with_twins())),
        });
        at
    }

    /// It is left alone: its lines are cut for good.
    pub(crate) fn remove(&mut self, at: usize) {
        self.links.retain(|link| link.from != at && link.to != at);
        let lines: Vec<_> = self.lines.iter().filter(|(_, line)| line.ends.contains(&at)).map(|(id, _)| *id).collect();
        for line in lines {
            self.cut(line);
        }
        if let Node::Hostile(hostile) = &mut self.nodes[at] {
            hostile.calm();
        }
    }

    pub(crate) fn link(&mut self, from: usize, to: usize) {
        self.links.push(Link { from, to, line: None, dial_at: self.now.mono_ms });
    }

    fn engine(&self, at: usize) -> &Engine {
        match &self.nodes[at] {
            Node::Honest(engine) => engine,
            Node::Hostile(hostile) => hostile.engine(),
        }
    }

    pub(crate) fn store(&self, at: usize) -> &Store {
        self.engine(at).store()
    }

    pub(crate) fn lies(&self, at: usize) -> &Lies {
        match &self.nodes[at] {
            Node::Hostile(hostile) => hostile.lies(),
            Node::Honest(_) => panic!("{at} is honest"),
        }
    }

    pub(crate) fn events(&self, at: usize) -> &[Event] {
        self.events.get(&at).map_or(&[], Vec::as_slice)
    }

    /// Hashes of the changes that a node's app made.
    pub(crate) fn written(&self, at: usize) -> BTreeSet<[u8; 32]> {
        self.written.get(&at).cloned().unwrap_or_default()
    }

    pub(crate) fn write<T>(&mut self, at: usize, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let before = self.store(at).committed();
        let now = self.now;
        let outcome = match &mut self.nodes[at] {
            Node::Honest(engine) => engine.write(now, |tx| tx.single(act)),
            Node::Hostile(hostile) => hostile.write(now, |tx| tx.single(act)),
        };
        let hashes: Vec<_> = self.store(at).log_after(before).unwrap().into_iter().map(|row| row.hash).collect();
        self.written.entry(at).or_default().extend(hashes);
        self.collect(at);
        outcome
    }

    /// Everything shown by a node, in the order of models and keys.
    pub(crate) fn export(&self, at: usize) -> Vec<Map<String, Value>> {
        let reader = self.store(at).reader().unwrap();
        let models = &reader.schema().models;
        models.iter().flat_map(|model| reader.query(&Query::new(&model.name)).unwrap().records).collect()
    }

    pub(crate) fn run_for(&mut self, ms: u64) {
        let until = self.now.mono_ms + ms;
        while self.now.mono_ms < until {
            self.dial();
            let mut turns = 0;
            while self.carry() {
                turns += 1;
                assert!(turns < 100_000, "the nodes never stop talking");
            }
            self.pass(until);
        }
    }

    fn dial(&mut self) {
        for at in 0..self.links.len() {
            let Link { from, to, line, dial_at } = self.links[at];
            if line.is_some() || dial_at > self.now.mono_ms {
                continue;
            }
            let id = self.next;
            self.next += 1;
            self.links[at].line = Some(id);
            self.lines.insert(id, Line { ends: [from, to], towards: [Direction::default(), Direction::default()] });
            self.open(to, id, false, String::new());
            self.open(from, id, true, format!("node {to}"));
        }
    }

    fn open(&mut self, at: usize, id: ConnectionId, dialed: bool, address: String) {
        let now = self.now;
        match &mut self.nodes[at] {
            Node::Honest(engine) => {
                let config = Config { address, ..Config::new(Role::Peer) };
                engine.open_session(now, id, dialed, config).unwrap();
            }
            Node::Hostile(hostile) => hostile.open(now, id, dialed),
        }
        self.collect(at);
    }

    fn handle(&mut self, at: usize, input: Input) {
        let now = self.now;
        match &mut self.nodes[at] {
            Node::Honest(engine) => engine.handle(now, input),
            Node::Hostile(hostile) => hostile.handle(now, input),
        }
        self.collect(at);
    }

    fn next_deadline(&self, at: usize) -> Option<u64> {
        match &self.nodes[at] {
            Node::Honest(engine) => engine.next_deadline(),
            Node::Hostile(hostile) => hostile.next_deadline(),
        }
    }

    fn pass(&mut self, until: u64) {
        let dials = self.links.iter().filter(|link| link.line.is_none()).map(|link| link.dial_at);
        let due = (0..self.nodes.len()).filter_map(|at| self.next_deadline(at)).chain(dials).min();
        let next = due.unwrap_or(until).clamp(self.now.mono_ms + 1, until.max(self.now.mono_ms + 1));
        let step = next - self.now.mono_ms;
        self.now = Now { mono_ms: next, wall_ms: self.now.wall_ms + step };
        for at in 0..self.nodes.len() {
            if self.next_deadline(at).is_some_and(|at| at <= next) {
                self.handle(at, Input::Tick);
            }
        }
    }

    /// Delivers one frame per lane and direction. False if nothing moved.
    fn carry(&mut self) -> bool {
        let mut moved = false;
        for id in self.lines.keys().copied().collect::<Vec<_>>() {
            for end in 0..2 {
                for lane in LANES {
                    moved |= self.deliver(id, end, lane);
                }
                let over = self.lines.get(&id).is_some_and(|line| {
                    let towards = &line.towards[end];
                    towards.closing && LANES.iter().all(|lane| self.frame(line, end, *lane).is_none())
                });
                if over {
                    self.cut(id);
                    moved = true;
                }
            }
        }
        moved
    }

    /// The length of the next frame of a lane, if it is whole; an error if it can never be.
    fn frame(&self, line: &Line, end: usize, lane: Lane) -> Option<std::result::Result<usize, ()>> {
        let bytes = &line.towards[end].lanes[lane as usize];
        let head: Vec<u8> = bytes.iter().take(4).copied().collect();
        let length = u32::from_le_bytes(head.try_into().ok()?) as usize;
        // As the drivers' readers do: no more than the session takes now.
        let id = self.lines.iter().find(|(_, other)| std::ptr::eq(*other, line)).map(|(id, _)| *id)?;
        let session = self.engine(line.ends[end]).session(id);
        let most = session.map_or(1 << 20, |session| session.frame_bytes_max());
        if length == 0 || length > most {
            return Some(Err(()));
        }
        (bytes.len() >= 4 + length).then_some(Ok(length))
    }

    fn deliver(&mut self, id: ConnectionId, end: usize, lane: Lane) -> bool {
        let Some(line) = self.lines.get(&id) else { return false };
        let at = line.ends[end];
        match self.frame(line, end, lane) {
            None => false,
            Some(Err(())) => {
                if let Node::Honest(_) = &self.nodes[at] {
                    let what =
                        syncline_core::session::PeerMisbehaved::Malformed(syncline_core::wire::BadFrame::Length(0));
                    self.events.entry(at).or_default().push(Event::Misbehaved(what));
                }
                self.cut(id);
                true
            }
            Some(Ok(length)) => {
                let line = self.lines.get_mut(&id).unwrap();
                let bytes: Vec<u8> = line.towards[end].lanes[lane as usize].drain(..4 + length).collect();
                self.handle(at, Input::Frame { connection: id, lane, kind: bytes[4], body: bytes[5..].to_vec() });
                true
            }
        }
    }

    fn cut(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.remove(&id) else { return };
        for link in self.links.iter_mut().filter(|link| link.line == Some(id)) {
            (link.line, link.dial_at) = (None, self.now.mono_ms + REDIAL_MS);
        }
        for at in line.ends {
            self.handle(at, Input::Closed(id));
        }
    }

    fn collect(&mut self, at: usize) {
        loop {
            let output = match &mut self.nodes[at] {
                Node::Honest(engine) => engine.poll_output().map(hostile_output),
                Node::Hostile(hostile) => hostile.poll_output(),
            };
            let Some(output) = output else { return };
            match output {
                HostileOutput::Frame { connection, lane, kind, body } => {
                    let mut bytes = (body.len() as u32 + 1).to_le_bytes().to_vec();
                    bytes.push(kind);
                    bytes.extend(body);
                    self.put(at, connection, lane, bytes);
                }
                HostileOutput::Bytes { connection, lane, bytes } => self.put(at, connection, lane, bytes),
                HostileOutput::Close { connection, code, reason } => {
                    if matches!(self.nodes[at], Node::Honest(_)) {
                        assert_ne!(code, CloseCode::Internal.number(), "{at} closed a connection: {reason}");
                    }
                    if let Some(line) = self.lines.get_mut(&connection) {
                        line.towards[usize::from(line.ends[0] == at)].closing = true;
                    }
                }
                HostileOutput::Sync(seq) => self.handle(at, Input::Synced(seq, Ok(()))),
                HostileOutput::Commit(_) => {}
                HostileOutput::Session(_, event) => self.events.entry(at).or_default().push(event),
            }
        }
    }

    fn put(&mut self, from: usize, connection: ConnectionId, lane: Lane, bytes: Vec<u8>) {
        if let Some(line) = self.lines.get_mut(&connection) {
            line.towards[usize::from(line.ends[0] == from)].lanes[lane as usize].extend(bytes);
        }
    }
}

fn hostile_output(output: Output) -> HostileOutput {
    match output {
        Output::Send { connection, lane, kind, body } => HostileOutput::Frame { connection, lane, kind, body },
        Output::Close { connection, code, reason } => HostileOutput::Close { connection, code, reason },
        Output::Sync(seq) => HostileOutput::Sync(seq),
        Output::Commit(commit) => HostileOutput::Commit(commit),
        Output::Session(connection, event) => HostileOutput::Session(connection, event),
    }
}
