//! Hostile peers, as state machines: a real engine with its own store, and somebody between it and the lines.
//!
//! A [`Hostile`] speaks the protocol as well as anybody, because an honest engine speaks for it most of the time;
//! every few frames it changes what that engine says, adds to it, or says something of its own. So sessions get
//! far before they meet the lie. It acts a bounded number of times, and never once [`Hostile::calm`] was called.
//!
//! # What Syncline promises against each, and what not
//!
//! Always: no panic; no memory or disk beyond the limits of `docs/protocol.md`; the store stays whole
//! (`Store::verify`), and nothing that it had accepted changes but by changes; other sessions go on; honest
//! stores that hold the same changes show the same records.
//!
//! | kind | promised | not promised |
//! |---|---|---|
//! | [`Garbage`](Adversary::Garbage) | the connection ends with code 1 (violation), or is ended by a deadline where bytes stop in the middle of the handshake | that a peer which stalls in the middle of a frame later on is thrown out; what becomes of a garbled change that is still a change, for that is a twin of the true one (see equivocation) |
//! | [`WrongState`](Adversary::WrongState) | code 1, or the message means nothing; a goodbye ends the session in good order | – |
//! | [`Equivocation`](Adversary::Equivocation) | once two honest stores compare, the *adversary's* replica id is retired everywhere, both changes are kept, and records converge | which of the two is seen first. Two changes of one *actor* with one sequence number exclude each other in an Automerge document: each store keeps what came first, so such a record of the adversary's may differ for good ([`Hostile::with_twins`]). The same where one of two *transactions* under the same dots is refused whole and they share a change: neither the transaction nor the model is part of hash and chain |
//! | [`InflatedVector`](Adversary::InflatedVector) | an impossible acknowledgement ends the session (code 1); nothing is acknowledged on its word but its own position; cursors that do not stand are refused | that the liar gets what it says it has. A device that is told of changes of its own that it does not have must think that its file is older, and takes new ids: a liar can make it do so at will. A relay keeps its log |
//! | [`Withholding`](Adversary::Withholding) | the first change that builds on a gap in its writer's counters ends the session (code 1); what is withheld arrives from anybody else | that it arrives from the liar; that a store whose only peer lies notices while nothing follows the gap |
//! | [`ForgedWriter`](Adversary::ForgedWriter) | chains show a forgery as soon as the real writer, or anybody who holds its change, is met: the id is retired, its writer takes a new one, nothing of it is lost; actors stay with the replica that used them first | that a forgery is refused. Changes are not signed: between equals anybody can write under any id, and only a relay that knows who may write under which id can prevent it |
//! | [`Bomb`](Adversary::Bomb) | nothing unpacks beyond 1 MiB, no change beyond 8 MiB, no operation count beyond the limit is read; what may be kept of it is quarantined | that sending many *allowed* bytes is cheap for the receiver: records and rows within the limits are stored |
//! | [`Poison`](Adversary::Poison) | a change that does not fit its record is quarantined by every store alike and passed on with its dot; the writer's others flow | that a change which fits is refused because its author meant ill |
//!
//! Checks that compare with what apps wrote need [`Hostile::lies`]: what it sent that is false.

mod bomb;
mod branches;
mod dice;
mod ghost;
mod inflate;
mod lies;
mod noise;
mod poison;
mod wrong_state;

pub use lies::Lies;

use std::collections::{BTreeMap, VecDeque};

use syncline_core::ids::{Chain, Dot, RecordId, ReplicaId, StoreId};
use syncline_core::session::{Config, Event, SessionStore as _};
use syncline_core::wire::{
    Batch, BatchContent, BatchReplica, BatchRow, Covered, Hello, Introduction, LARGE_BYTES, Lane, Message, Role,
};
use syncline_engine::{Commit, ConnectionId, Engine, Input, Now, Output, Result, Seed, Tx};

use self::branches::Branches;
use self::dice::Dice;
use self::ghost::{Forgery, GHOST, Ghost};
use crate::schedule::Adversary;

/// How often a node misbehaves in its life, at least and at most.
const ACTS: (u64, u64) = (20, 60);

/// Frames of a session between two acts, at most.
const FRAMES_BETWEEN: u64 = 12;

/// Milliseconds between two acts that nothing gives rise to, at most.
const MS_BETWEEN: u64 = 8_000;

/// Records remembered with their models, to have something to lie about.
const RECORDS_KNOWN: usize = 4_096;

/// Rows of the log that a lie may be made from.
const TEMPLATES: u64 = 64;

/// A hostile node: lives as long as the node, over as many processes' engines as that has.
///
/// Facts go in by [`open`](Self::open), [`handle`](Self::handle) and [`write`](Self::write); after each of them
/// [`poll_output`](Self::poll_output) until it is empty. [`Input::Tick`] is due at
/// [`next_deadline`](Self::next_deadline).
#[derive(Debug)]
pub struct Hostile {
    kind: Adversary,
    namespace: String,
    engine: Box<Engine>,
    dice: Dice,
    lines: BTreeMap<ConnectionId, Line>,
    outputs: VecDeque<HostileOutput>,
    ghost: Ghost,
    branches: Branches,
    models: BTreeMap<RecordId, String>,
    lies: Lies,
    acts_left: u64,
    act_at: Option<u64>,
    twins: bool,
}

/// Something to do.
#[derive(Debug)]
pub enum HostileOutput {
    /// Send a frame.
    Frame {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// Its type.
        kind: u8,
        /// What follows the type.
        body: Vec<u8>,
    },
    /// Write bytes to a lane, which may be no frame, or the beginning of one.
    Bytes {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// Raw.
        bytes: Vec<u8>,
    },
    /// Close a connection after what was sent before.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, for programs.
        code: u32,
        /// Why, for people.
        reason: String,
    },
    /// Make durable what is committed; answer with [`Input::Synced`].
    Sync(u64),
    /// A transaction was committed.
    Commit(Commit),
    /// News of a session, as the engine underneath sees it.
    Session(ConnectionId, Event),
}

/// What an adversary says on a line.
#[expect(clippy::large_enum_variant, reason = "it is made, said and dropped")]
enum Said {
    Message(Lane, Message),
    Frame(Lane, u8, Vec<u8>),
    Bytes(Lane, Vec<u8>),
}

/// One connection, as the adversary keeps it.
#[derive(Debug)]
struct Line {
    /// Whether this session is left alone.
    honest: bool,
    /// Frames until the next act.
    patience: u64,
    /// The hello that was said here, or the last one known.
    greeting: Option<Hello>,
    intro: Option<Introduction>,
    peer: Option<StoreId>,
    /// The replica ids that the peer has had.
    replicas: Vec<ReplicaId>,
    /// The position that was told last, and its number.
    told: u64,
    number: u64,
    /// Batches that were put in beside the engine's.
    added: u64,
    /// Bytes that the engine believes to have launched.
    launched: u64,
}

impl Hostile {
    /// A hostile node over an engine with a store of its own, opened with the fleet's schema.
    pub fn new(kind: Adversary, namespace: &str, engine: Box<Engine>, seed: Seed) -> Self {
        let mut dice = Dice::new(seed);
        Self {
            kind,
            namespace: namespace.to_owned(),
            engine,
            lines: BTreeMap::new(),
            outputs: VecDeque::new(),
            ghost: Ghost::new(&mut dice),
            branches: Branches::default(),
            models: BTreeMap::new(),
            lies: Lies::default(),
            acts_left: ACTS.0 + dice.below(ACTS.1 - ACTS.0),
            act_at: None,
            twins: false,
            dice,
        }
    }

    /// Equivocates and forges under one *actor* too. Records that [`Lies::records`] names may then differ for
    /// good between honest stores.
    pub fn with_twins(mut self) -> Self {
        self.twins = true;
        self
    }

    /// From here on it behaves.
    pub fn calm(&mut self) {
        self.acts_left = 0;
        self.act_at = None;
    }

    /// A connection stands.
    pub fn open(&mut self, now: Now, connection: ConnectionId, dialed: bool) {
        let line = Line {
            honest: self.dice.one_in(4),
            patience: self.dice.below(FRAMES_BETWEEN),
            greeting: None,
            intro: None,
            peer: None,
            replicas: Vec::new(),
            told: 0,
            number: 0,
            added: 0,
            launched: 0,
        };
        let speaks_first = !line.honest && self.dice.one_in(6);
        self.lines.insert(connection, line);
        if speaks_first {
            self.act(now, connection);
        }
        let mut config = Config::new(Role::Peer);
        if dialed {
            "somewhere".clone_into(&mut config.address);
        }
        if let Err(error) = self.engine.open_session(now, connection, dialed, config) {
            let reason = error.to_string();
            self.outputs.push_back(HostileOutput::Close { connection, code: 7, reason });
        }
        self.plan(now);
        self.collect(now);
    }

    /// Takes in a fact.
    pub fn handle(&mut self, now: Now, input: Input) {
        let mut heard_on = None;
        let input = match input {
            Input::Frame { connection, lane, kind, body } => {
                heard_on = Some(connection);
                self.hear(connection, lane, kind, body)
            }
            Input::Closed(connection) => {
                self.lines.remove(&connection);
                Input::Closed(connection)
            }
            Input::Finish(_) | Input::Synced(..) | Input::Tick => input,
        };
        self.engine.handle(now, input);
        self.collect(now);
        if let Some(connection) = heard_on
            && self.is_due(connection)
        {
            self.act(now, connection);
        }
        if self.act_at.is_some_and(|at| at <= now.mono_ms) {
            self.act_at = None;
            let open: Vec<ConnectionId> =
                self.lines.iter().filter(|(_, line)| !line.honest).map(|(connection, _)| *connection).collect();
            if let Some(connection) = self.dice.pick(&open).copied() {
                self.act(now, connection);
            }
            self.plan(now);
        }
        self.collect(now);
    }

    /// Writes honestly, as an app does.
    pub fn write<T>(&mut self, now: Now, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.engine.write(now, act);
        self.collect(now);
        outcome
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<HostileOutput> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<u64> {
        [self.engine.next_deadline(), self.act_at].into_iter().flatten().min()
    }

    /// The engine underneath.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine underneath, to read and to close.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Gives it another process's engine over the same store, after a restart. Lines of the old one are gone.
    pub fn restarted(&mut self, engine: Box<Engine>) {
        self.engine = engine;
        self.lines.clear();
        self.outputs.clear();
        self.ghost = Ghost::new(&mut self.dice);
        self.act_at = None;
    }

    /// What it has said and written that is not so.
    pub fn lies(&self) -> &Lies {
        &self.lies
    }

    /// Which kind it is.
    pub fn kind(&self) -> Adversary {
        self.kind
    }

    // What comes out of the engine.

    fn collect(&mut self, now: Now) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { connection: GHOST, kind, body, .. } => self.answer_ghost(now, kind, &body),
                Output::Close { connection: GHOST, .. } => self.ghost.leave(now, &mut self.engine),
                Output::Session(GHOST, _) => {}
                Output::Send { connection, lane, kind, body } => self.send(now, connection, lane, kind, body),
                Output::Close { connection, code, reason } => {
                    self.outputs.push_back(HostileOutput::Close { connection, code, reason });
                }
                Output::Sync(seq) => self.outputs.push_back(HostileOutput::Sync(seq)),
                Output::Session(connection, event) => {
                    self.outputs.push_back(HostileOutput::Session(connection, event));
                }
                Output::Commit(commit) => {
                    for change in &commit.changes {
                        if self.models.len() < RECORDS_KNOWN {
                            self.models.insert(change.record, change.model.clone());
                        }
                    }
                    self.outputs.push_back(HostileOutput::Commit(commit));
                }
            }
        }
    }

    fn answer_ghost(&mut self, now: Now, kind: u8, body: &[u8]) {
        let Ok(Message::Welcome(welcome)) = Message::decode(kind, body) else {
            return;
        };
        for smuggled in self.ghost.welcomed(now, &mut self.engine, &welcome) {
            if self.kind == Adversary::ForgedWriter {
                self.lies.forged.insert(smuggled.dot);
                self.lies.accused.insert(smuggled.dot.replica);
                self.lies.records.insert(smuggled.record);
            } else {
                self.lies.poisoned.insert(smuggled.dot);
                self.lies.poison.insert((smuggled.record, smuggled.hash));
            }
        }
    }

    /// Passes on what the engine says, more or less.
    fn send(&mut self, now: Now, connection: ConnectionId, lane: Lane, kind: u8, body: Vec<u8>) {
        let Ok(mut message) = Message::decode(kind, &body) else {
            self.outputs.push_back(HostileOutput::Frame { connection, lane, kind, body });
            return;
        };
        self.note_said(connection, &mut message);
        let due = self.is_due(connection);
        match self.kind {
            Adversary::Garbage if due && self.dice.one_in(2) => {
                let (kind, mut body) = message.encode();
                noise::garble(&mut self.dice, &mut body);
                if noise::makes_twins(&message, kind, &body) {
                    body.truncate(body.len() / 2);
                }
                // A bit of a chain or a counter is enough.
                self.accuse_everybody();
                self.lies.acts += 1;
                self.say(connection, Said::Frame(lane, kind, body));
                return;
            }
            Adversary::WrongState if due && self.dice.one_in(3) => {
                let lane = noise::any_lane(&mut self.dice);
                self.lies.acts += 1;
                self.say(connection, Said::Message(lane, message));
                return;
            }
            Adversary::Equivocation => self.equivocate(connection, &mut message, due),
            Adversary::InflatedVector if due => {
                let known = self.known();
                let done = inflate::inflate(&mut self.dice, &mut message, &known, &mut self.lies);
                self.lies.acts += u64::from(done);
                if matches!(message, Message::Welcome(_) | Message::Ack(_)) {
                    // These say what it holds of the peer's own changes.
                    let line = self.lines.get(&connection);
                    self.lies.accused.extend(line.into_iter().flat_map(|line| &line.replicas));
                }
            }
            Adversary::Withholding if due => self.withhold(&mut message),
            Adversary::ForgedWriter if due => self.forge_in(&mut message),
            Adversary::Poison if due && self.dice.one_in(4) => self.cut_transaction(&mut message),
            Adversary::Garbage
            | Adversary::WrongState
            | Adversary::InflatedVector
            | Adversary::Withholding
            | Adversary::ForgedWriter
            | Adversary::Bomb
            | Adversary::Poison => {
                self.say(connection, Said::Message(lane, message));
                if due {
                    self.act(now, connection);
                }
                return;
            }
        }
        let lane = if matches!(message, Message::Covered(_)) { Lane::Control } else { lane };
        self.say(connection, Said::Message(lane, message));
    }

    /// Remembers what was said, and numbers what follows an added batch.
    fn note_said(&mut self, connection: ConnectionId, message: &mut Message) {
        let Some(line) = self.lines.get_mut(&connection) else { return };
        line.launched += message.credit_len();
        match message {
            Message::Hello(hello) => {
                line.intro = Some(hello.intro.clone());
                line.greeting = Some(hello.clone());
            }
            Message::Welcome(welcome) => line.intro = Some(welcome.intro.clone()),
            Message::Batch(batch) => {
                batch.number += line.added;
                (line.number, line.told) = (batch.number, batch.upto);
            }
            Message::Covered(covered) => {
                covered.number += line.added;
                (line.number, line.told) = (covered.number, covered.upto);
            }
            Message::Goodbye(goodbye) => goodbye.last += line.added,
            Message::Refused(_)
            | Message::VectorPart(_)
            | Message::Verified(_)
            | Message::Forked(_)
            | Message::Part(_)
            | Message::Ack(_)
            | Message::Renewed(_) => {}
        }
    }

    fn say(&mut self, connection: ConnectionId, said: Said) {
        self.outputs.push_back(match said {
            Said::Message(lane, message) => {
                let (kind, body) = message.encode();
                HostileOutput::Frame { connection, lane, kind, body }
            }
            Said::Frame(lane, kind, body) => HostileOutput::Frame { connection, lane, kind, body },
            Said::Bytes(lane, bytes) => HostileOutput::Bytes { connection, lane, bytes },
        });
    }

    // What comes from peers.

    /// What the engine is told of a frame: nothing that would give the lies away to it.
    fn hear(&mut self, connection: ConnectionId, lane: Lane, kind: u8, body: Vec<u8>) -> Input {
        let Ok(mut message) = Message::decode(kind, &body) else {
            return Input::Frame { connection, lane, kind, body };
        };
        let own = self.own();
        let Some(line) = self.lines.get_mut(&connection) else {
            return Input::Frame { connection, lane, kind, body };
        };
        match &mut message {
            Message::Hello(hello) => {
                line.peer = Some(hello.intro.store);
                line.replicas.push(hello.intro.replica);
                line.told = hello.cursor.map_or(0, |cursor| cursor.seq);
                line.greeting.get_or_insert_with(|| hello.clone());
            }
            Message::Welcome(welcome) => {
                line.peer = Some(welcome.intro.store);
                line.replicas.push(welcome.intro.replica);
                if line.number == 0 {
                    line.told = welcome.cursor.map_or(0, |cursor| cursor.seq);
                }
            }
            Message::Ack(ack) => ack.consumed = ack.consumed.min(line.launched),
            Message::Renewed(renewed) => line.replicas.push(renewed.replica),
            Message::Refused(_)
            | Message::VectorPart(_)
            | Message::Verified(_)
            | Message::Forked(_)
            | Message::Batch(_)
            | Message::Part(_)
            | Message::Covered(_)
            | Message::Goodbye(_) => {}
        }
        if let Some(own) = own {
            self.branches.put_right(&mut message, line.peer, own, &mut self.engine);
        }
        let (kind, body) = message.encode();
        Input::Frame { connection, lane, kind, body }
    }

    // When it acts.

    fn plan(&mut self, now: Now) {
        if self.acts_left > 0 && self.act_at.is_none() && !self.lines.is_empty() {
            self.act_at = Some(now.mono_ms + 50 + self.dice.below(MS_BETWEEN));
        }
    }

    /// Counts a frame of a session down. True if something is to be done on it now.
    fn is_due(&mut self, connection: ConnectionId) -> bool {
        let Some(line) = self.lines.get_mut(&connection).filter(|line| !line.honest) else {
            return false;
        };
        if self.acts_left == 0 {
            return false;
        }
        if line.patience > 0 {
            line.patience -= 1;
            return false;
        }
        line.patience = 1 + self.dice.below(FRAMES_BETWEEN);
        true
    }

    /// Does something of its own accord.
    fn act(&mut self, now: Now, connection: ConnectionId) {
        if self.acts_left == 0 {
            return;
        }
        self.acts_left -= 1;
        let Some(line) = self.lines.get(&connection) else { return };
        let said = match self.kind {
            Adversary::Garbage => noise::rubbish(&mut self.dice, line.greeting.as_ref()),
            Adversary::WrongState => {
                let known: Vec<ReplicaId> =
                    self.engine.store().version().iter().map(|(replica, _)| replica).take(20).collect();
                self.lies.accused.extend(known.iter().copied());
                wrong_state::out_of_place(&mut self.dice, line, &known)
            }
            Adversary::Bomb if self.dice.one_in(2) => {
                self.plant_bomb(now);
                return;
            }
            Adversary::Bomb => bomb::on_the_line(&mut self.dice, line),
            Adversary::Poison => return self.plant_poison(now),
            Adversary::ForgedWriter => return self.plant_forgery(now),
            // These lie in what they are asked to say anyway.
            Adversary::Equivocation | Adversary::InflatedVector | Adversary::Withholding => return,
        };
        self.lies.acts += 1;
        for said in said {
            if let Said::Message(_, Message::Batch(batch)) = &said
                && let Some(line) = self.lines.get_mut(&connection)
                && batch.number == line.number + 1
            {
                line.added += 1;
                line.number += 1;
            }
            self.say(connection, said);
        }
    }

    // What it does.

    fn equivocate(&mut self, connection: ConnectionId, message: &mut Message, due: bool) {
        let (Some(own), Message::Batch(batch)) = (self.own(), &*message) else { return };
        let Some(peer) = self.lines.get(&connection).and_then(|line| line.peer) else { return };
        let same_actor = self.twins && self.dice.one_in(2);
        // Few batches have own changes: no chance is missed for long.
        let honest = self.lines.get(&connection).is_none_or(|line| line.honest);
        let lie = due || (self.acts_left > 0 && !honest && self.dice.one_in(2));
        let told = self.branches.tell(&mut self.dice, batch, (peer, own), same_actor, lie, &mut self.lies);
        if let Some(told) = told {
            if lie {
                self.lies.acts += 1;
                self.acts_left = self.acts_left.saturating_sub(1);
            }
            *message = told.into();
        }
    }

    fn withhold(&mut self, message: &mut Message) {
        let Message::Batch(batch) = &*message else { return };
        let Ok(unpacked) = BatchContent::unpack(batch) else { return };
        let mut content = unpacked.content;
        self.acts_left = self.acts_left.saturating_sub(1);
        self.lies.acts += 1;
        let victim = if self.dice.one_in(2) { None } else { Some(self.dice.index(content.replicas.len()) as u32) };
        for row in content.rows.iter().filter(|row| victim.is_none_or(|victim| row.replica == victim)) {
            let replica = content.replicas[row.replica as usize].replica;
            self.lies.withheld.insert(Dot { replica, counter: row.counter });
        }
        let Batch { number, upto, upto_chain, head, .. } = *batch;
        content.rows.retain(|row| victim.is_some_and(|victim| row.replica != victim));
        if content.rows.is_empty() || !content.large.is_empty() {
            *message = Covered { number, upto, upto_chain, head }.into();
        } else if let Ok((packing, unpacked_len, content)) = content.pack() {
            *message = Batch { packing, unpacked_len, content, ..batch.clone() }.into();
        }
    }

    /// Adds a change under somebody's id to a batch, without that id's chain.
    fn forge_in(&mut self, message: &mut Message) {
        let Message::Batch(batch) = &*message else { return };
        let Ok(unpacked) = BatchContent::unpack(batch) else { return };
        let mut content = unpacked.content;
        let Some((replica, counter, chain)) = self.victim() else { return };
        let Some((record, bytes)) = self.template() else { return };
        let Some(model) = self.models.get(&record).cloned() else { return };
        let Some(bytes) = poison::twin(&mut self.dice, &bytes, true) else { return };
        if content.replicas.iter().any(|listed| listed.replica == replica) {
            return;
        }
        let (before, counter) = match self.dice.below(3) {
            0 => (chain, counter + 1),
            1 => (Chain(self.dice.number()), counter + 1),
            _ => (Chain(self.dice.number()), 1 + self.dice.below(counter + 3)),
        };
        content.replicas.push(BatchReplica { replica, before, forked: false });
        content.models.push(model);
        let place = content.replicas.len() as u32 - 1;
        let model = content.models.len() as u32 - 1;
        content.rows.push(BatchRow { replica: place, counter, txn: 0, model, record, bytes });
        let Ok((packing, unpacked_len, packed)) = content.pack() else { return };
        self.acts_left = self.acts_left.saturating_sub(1);
        self.lies.acts += 1;
        self.lies.forged.insert(Dot { replica, counter });
        self.lies.accused.insert(replica);
        self.lies.records.insert(record);
        *message = Batch { packing, unpacked_len, content: packed, ..batch.clone() }.into();
    }

    /// Puts a change under somebody's id into its own log, with that id's chain: everybody gets it in good order.
    fn plant_forgery(&mut self, now: Now) {
        let Some((replica, ..)) = self.victim() else { return };
        let mut rows = Vec::new();
        for _ in 0..=self.dice.below(2) {
            let Some((record, bytes)) = self.template() else { return };
            let Some(model) = self.models.get(&record).cloned() else { return };
            let other_actor = !(self.twins && self.dice.one_in(2));
            let Some(bytes) = poison::twin(&mut self.dice, &bytes, other_actor) else { return };
            rows.push(Forgery { replica, model, record, txn: 0, bytes });
        }
        self.smuggle(now, rows, Vec::new());
    }

    fn plant_poison(&mut self, now: Now) {
        let Some(own) = self.own() else { return };
        let mut rows = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let Some((mut record, bytes)) = self.template() else { return };
            let Some(mut model) = self.models.get(&record).cloned() else { return };
            let bytes = match self.dice.below(8) {
                0 => poison::twin(&mut self.dice, &bytes, true),
                1 => Some(bytes),
                _ => poison::mutant(&mut self.dice, &bytes),
            };
            let Some(bytes) = bytes.filter(|bytes| bytes.len() <= LARGE_BYTES) else { continue };
            if self.dice.one_in(6) {
                record = RecordId(self.dice.id());
            }
            if self.dice.one_in(8) {
                model = self.odd_model();
            }
            rows.push(Forgery { replica: own, model, record, txn: 0, bytes });
        }
        if self.dice.one_in(3) {
            // All or nothing.
            let last = rows.len().saturating_sub(1);
            rows.iter_mut().enumerate().for_each(|(place, row)| row.txn = (last - place) as u16);
        }
        self.smuggle(now, rows, Vec::new());
    }

    /// Announces changes of a transaction that do not follow.
    fn cut_transaction(&mut self, message: &mut Message) {
        let Message::Batch(batch) = &*message else { return };
        let Ok(unpacked) = BatchContent::unpack(batch) else { return };
        let mut content = unpacked.content;
        let Some(row) = content.rows.last_mut() else { return };
        row.txn = 1 + self.dice.below(700) as u16;
        if let Ok((packing, unpacked_len, content)) = content.pack() {
            self.lies.acts += 1;
            *message = Batch { packing, unpacked_len, content, ..batch.clone() }.into();
        }
    }

    fn plant_bomb(&mut self, now: Now) {
        let Some(own) = self.own() else { return };
        let Some((record, bytes)) = self.template() else { return };
        let Some(model) = self.models.get(&record).cloned() else { return };
        let changes = bomb::in_the_log(&mut self.dice, &bytes, record);
        let genesis = if self.dice.one_in(3) { bomb::geneses(&mut self.dice, &model) } else { Vec::new() };
        let row = |(record, bytes)| Forgery { replica: own, model: model.clone(), record, txn: 0, bytes };
        let rows = changes.into_iter().map(row).collect();
        self.smuggle(now, rows, genesis);
    }

    fn smuggle(&mut self, now: Now, rows: Vec<Forgery>, genesis: Vec<(String, String, u8)>) {
        if self.ghost.go(now, &mut self.engine, &self.namespace, rows, genesis) {
            self.lies.acts += 1;
            self.collect(now);
        }
    }

    // What it knows.

    fn accuse_everybody(&mut self) {
        let known = self.known();
        self.lies.accused.extend(known.into_iter().map(|(replica, ..)| replica));
    }

    fn own(&mut self) -> Option<ReplicaId> {
        let own = self.engine.store_mut().identity().ok()?;
        (own.tip.counter > 0 && !own.tip.forked).then_some(own.replica)
    }

    fn known(&self) -> Vec<inflate::Known> {
        let token = self.engine.store().token();
        token.entries().map(|(replica, entry)| (replica, entry.counter, entry.chain)).collect()
    }

    /// Somebody else's replica id.
    fn victim(&mut self) -> Option<inflate::Known> {
        let own = self.own();
        let mut known = self.known();
        known.retain(|(replica, counter, _)| Some(*replica) != own && *counter > 0);
        self.dice.pick(&known).copied()
    }

    /// A change from the end of the log.
    fn template(&mut self) -> Option<(RecordId, Vec<u8>)> {
        let store = self.engine.store();
        let after = store.committed().saturating_sub(1 + self.dice.below(TEMPLATES));
        let mut rows = store.log_after(after).ok()?;
        rows.retain(|row| self.models.contains_key(&row.record) && row.kind == "applied");
        let row = self.dice.pick(&rows)?;
        Some((row.record, row.bytes.clone()))
    }

    fn odd_model(&mut self) -> String {
        let some: Vec<&String> = self.models.values().collect();
        let other = self.dice.pick(&some).map(|model| (*model).clone()).unwrap_or_default();
        match self.dice.below(6) {
            0 => String::new(),
            1 => "Nothing".to_owned(),
            2 => "syncline_log".to_owned(),
            3 => "M".repeat(20_000),
            4 => "a\u{0}\"; DROP TABLE syncline_log; --".to_owned(),
            _ => other,
        }
    }
}
