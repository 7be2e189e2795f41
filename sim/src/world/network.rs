//! Links, connections and the bytes on their way.
//!
//! A connection is what QUIC gives an engine: three lanes of ordered bytes in each direction, which do not wait
//! for each other, until it dies at any byte. Lost and doubled packets are seen as delay alone, so none are made.

use std::collections::{BTreeMap, VecDeque};

use super::cuts::Cuts;
use super::draws::Draws;
use super::happened::NodeIndex;
use super::tasks::{Task, Tasks};
use crate::schedule::Line;

/// Silence after which a connection counts as lost, as the network layer has it.
pub(super) const IDLE_MS: u64 = 60_000;
/// How long a handshake may take.
pub(super) const HANDSHAKE_MS: u64 = 5_000;
/// How long a closing end waits for what it sent to arrive.
const FAREWELL_MS: u64 = 2_000;
/// How often a dialer makes itself heard.
const KEEP_ALIVE_MS: u64 = 20_000;
/// The longest first wait before dialing again.
const REDIAL_BASE_MS: u64 = 250;
/// The longest wait at all.
const REDIAL_CAP_MS: u64 = 60_000;
/// A connection that lasted so long starts the backoff anew.
const STABLE_MS: u64 = 10_000;
/// One message in so many is cut in pieces that travel by themselves.
const SPLIT_ONE_IN: u64 = 8;

/// A link that one node keeps to another.
#[derive(Debug)]
pub(super) struct LinkState {
    /// What is left to chance on it depends on this.
    key: u64,
    pub(super) from: NodeIndex,
    pub(super) to: NodeIndex,
    pub(super) line: Line,
    /// Whether it is dialed at all.
    pub(super) wanted: bool,
    /// The connection that stands, as the dialer sees it.
    pub(super) up: Option<u64>,
    /// The number of the dial under way.
    pub(super) dialing: Option<u64>,
    dials: u64,
    failures: u32,
    connected_at: u64,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) link: usize,
    /// The dialer and the acceptor.
    pub(super) ends: [NodeIndex; 2],
    /// Which life of each process it belongs to.
    pub(super) boots: [u64; 2],
    /// Whether each end still holds it.
    pub(super) open: [bool; 2],
    /// An end that has said its last word, and what it was.
    pub(super) closing: [Option<(u32, String)>; 2],
    line: Line,
    /// Towards each end, the three lanes.
    lanes: [[LaneState; 3]; 2],
    /// When the line in each direction is free for each lane: a lane waits for those before it alone.
    free_at: [[u64; 3]; 2],
    pub(super) under_way: u64,
    draws: u64,
    /// The connection dies after so many more bytes.
    pub(super) dies_after: Option<u64>,
}

#[derive(Debug, Default)]
struct LaneState {
    segments: VecDeque<Segment>,
    last_at: u64,
    /// Bytes that have arrived and are not yet a whole message.
    held: Vec<u8>,
    /// Numbers of the messages on their way, with the bytes of each.
    messages: VecDeque<u64>,
    waiting: bool,
}

#[derive(Debug)]
struct Segment {
    at: u64,
    bytes: Vec<u8>,
}

/// What has arrived at an end.
#[derive(Debug)]
pub(super) enum Arrived {
    /// A whole message.
    Frame { message: u64, kind: u8, body: Vec<u8> },
    /// Bytes that can be no message: the network layer closes the connection.
    NoFrame(usize),
}

/// Everything between nodes.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) links: Vec<LinkState>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) cuts: Cuts,
    pub(super) made: u64,
    messages: u64,
    pub(super) under_way_max: u64,
    draws: Draws,
}

impl LinkState {
    /// The key is the link's own, whichever others there are.
    pub(super) fn new(key: u64, from: NodeIndex, to: NodeIndex, line: Line) -> Self {
        let (up, dialing) = (None, None);
        Self { key, from, to, line, wanted: true, up, dialing, dials: 0, failures: 0, connected_at: 0 }
    }
}

impl Network {
    pub(super) fn new(draws: Draws) -> Self {
        Self {
            links: Vec::new(),
            connections: BTreeMap::new(),
            cuts: Cuts::default(),
            made: 0,
            messages: 0,
            under_way_max: 0,
            draws,
        }
    }

    /// Begins a dial; says whom, if there is one to begin.
    pub(super) fn begin_dial(&mut self, link: usize, now_ms: u64, tasks: &mut Tasks) -> bool {
        let state = &mut self.links[link];
        if !state.wanted || state.up.is_some() || state.dialing.is_some() {
            return false;
        }
        state.dials += 1;
        state.dialing = Some(state.dials);
        let (dial, from, to, line) = (state.dials, state.from, state.to, state.line);
        let line = self.cuts.line(from, to, line);
        let (by_count, by_moment) = ((link as u64, dial), (state.key, now_ms));
        let jitter = self.draws.either_below("handshake", by_count, by_moment, line.jitter_ms + 1);
        let wait = 3 * line.latency_ms + jitter;
        tasks.plan(now_ms + wait.min(HANDSHAKE_MS), Task::Reached(link, dial));
        true
    }

    /// The dial did not get through, or its connection is over: plans the next.
    pub(super) fn dial_again(&mut self, link: usize, now_ms: u64, at_once: bool, tasks: &mut Tasks) {
        let state = &mut self.links[link];
        state.dialing = None;
        if state.up.take().is_some() && now_ms.saturating_sub(state.connected_at) >= STABLE_MS {
            state.failures = 0;
        }
        let bound = REDIAL_BASE_MS.saturating_mul(1 << state.failures.min(20)).min(REDIAL_CAP_MS);
        state.failures += 1;
        let (by_count, by_moment) = ((link as u64, state.dials), (state.key, now_ms));
        let wait = if at_once { 0 } else { self.draws.either_below("redial", by_count, by_moment, bound + 1) };
        tasks.plan(now_ms + wait, Task::Dial(link));
    }

    /// Forgets what the dialing process knew.
    pub(super) fn forget_dials_of(&mut self, node: NodeIndex) {
        for link in self.links.iter_mut().filter(|link| link.from == node) {
            (link.up, link.dialing, link.failures) = (None, None, 0);
        }
    }

    /// A dial got through.
    pub(super) fn connect(&mut self, link: usize, now_ms: u64, boots: [u64; 2]) -> u64 {
        self.made += 1;
        let state = &mut self.links[link];
        state.dialing = None;
        state.up = Some(self.made);
        state.connected_at = now_ms;
        let connection = Connection {
            link,
            ends: [state.from, state.to],
            boots,
            open: [true; 2],
            closing: [None, None],
            line: state.line,
            lanes: Default::default(),
            free_at: [[0; 3]; 2],
            under_way: 0,
            draws: 0,
            dies_after: None,
        };
        self.connections.insert(self.made, connection);
        self.made
    }

    /// The number of the next message.
    pub(super) fn number_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    /// Puts bytes on their way; `message` is their number if they are one message.
    pub(super) fn send(
        &mut self,
        (id, from): (u64, usize),
        lane: usize,
        message: Option<u64>,
        bytes: Vec<u8>,
        (now_ms, tasks): (u64, &mut Tasks),
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let to = 1 - from;
        let line = self.cuts.line(connection.ends[from], connection.ends[to], connection.line);
        connection.under_way += bytes.len() as u64;
        self.under_way_max = self.under_way_max.max(connection.under_way);
        connection.lanes[to][lane].messages.extend(message);
        connection.draws += 1;
        let key = self.links[connection.link].key;
        let draw = self.draws.either("segment", (id, connection.draws), (lane_key(key, to, lane), now_ms));
        for bytes in pieces(bytes, &draw) {
            let jitter = u64::from(draw[bytes.len() % 16]) * line.jitter_ms / 255;
            let at = connection.schedule(to, lane, bytes.len() as u64, now_ms, line) + jitter;
            let lane_state = &mut connection.lanes[to][lane];
            let at = at.max(lane_state.last_at);
            lane_state.last_at = at;
            lane_state.segments.push_back(Segment { at, bytes });
            tasks.plan(at, Task::Arrive { connection: id, end: to, lane });
        }
    }

    /// What has arrived by now on a lane towards an end. `true` if the connection dies of it.
    pub(super) fn arrive(&mut self, id: u64, end: usize, lane: usize, now_ms: u64) -> (Vec<Arrived>, bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return (Vec::new(), false) };
        let (from, to) = (connection.ends[1 - end], connection.ends[end]);
        if self.cuts.blocks_bytes(from, to, lane) {
            connection.lanes[end][lane].waiting = true;
            return (Vec::new(), false);
        }
        let mut dies = false;
        while let Some(segment) = connection.lanes[end][lane].segments.front() {
            if segment.at > now_ms || dies {
                break;
            }
            let Some(mut segment) = connection.lanes[end][lane].segments.pop_front() else { break };
            connection.under_way = connection.under_way.saturating_sub(segment.bytes.len() as u64);
            if let Some(left) = &mut connection.dies_after {
                if *left <= segment.bytes.len() as u64 {
                    segment.bytes.truncate(*left as usize);
                    dies = true;
                }
                *left -= (segment.bytes.len() as u64).min(*left);
            }
            connection.lanes[end][lane].held.extend_from_slice(&segment.bytes);
        }
        (connection.lanes[end][lane].take_frames(), dies)
    }

    /// Bytes that a cut held up go on.
    pub(super) fn release(&mut self, now_ms: u64, tasks: &mut Tasks) {
        for (id, connection) in &mut self.connections {
            for end in 0..2 {
                for lane in 0..3 {
                    let (from, to) = (connection.ends[1 - end], connection.ends[end]);
                    if connection.lanes[end][lane].waiting && !self.cuts.blocks_bytes(from, to, lane) {
                        connection.lanes[end][lane].waiting = false;
                        // Whoever sends again what was lost does so within a moment.
                        connection.draws += 1;
                        let key = lane_key(self.links[connection.link].key, end, lane);
                        let (by_count, by_moment) = ((*id, connection.draws), (key, now_ms));
                        let wait = 1 + self.draws.either_below("resend", by_count, by_moment, 500);
                        tasks.plan(now_ms + wait, Task::Arrive { connection: *id, end, lane });
                    }
                }
            }
        }
    }

    /// Says the last word of an end: the connection ends when everything before it has arrived.
    pub(super) fn close(
        &mut self,
        id: u64,
        from: usize,
        code: u32,
        reason: String,
        (now_ms, tasks): (u64, &mut Tasks),
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.closing[from].is_some() {
            return;
        }
        connection.closing[from] = Some((code, reason));
        if connection.is_delivered(1 - from) {
            self.hang_up(id, from, now_ms, tasks);
        } else {
            let why = "its peer did not answer the goodbye".to_owned();
            tasks.plan(now_ms + FAREWELL_MS, Task::Lost { connection: id, end: from, why });
        }
    }

    /// Ends a connection whose end has closed it, if everything before that has arrived.
    pub(super) fn hang_up_if_done(&mut self, id: u64, now_ms: u64, tasks: &mut Tasks) {
        for from in 0..2 {
            let Some(connection) = self.connections.get(&id) else { return };
            if connection.closing[from].is_some() && connection.is_delivered(1 - from) {
                self.hang_up(id, from, now_ms, tasks);
                return;
            }
        }
    }

    fn hang_up(&mut self, id: u64, from: usize, now_ms: u64, tasks: &mut Tasks) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (code, reason) = connection.closing[from].clone().unwrap_or_default();
        let line = self.cuts.line(connection.ends[from], connection.ends[1 - from], connection.line);
        let told = format!("closed by its peer ({code}): {reason}");
        if !self.cuts.blocks(connection.ends[from], connection.ends[1 - from]) {
            tasks.plan(now_ms + line.latency_ms, Task::Lost { connection: id, end: 1 - from, why: told });
        } else {
            tasks.plan(now_ms + IDLE_MS, Task::Lost { connection: id, end: 1 - from, why: "silence".to_owned() });
        }
        tasks
            .plan(now_ms + line.latency_ms, Task::Lost { connection: id, end: from, why: format!("closed: {reason}") });
    }

    /// Both ends lose it now.
    pub(super) fn break_now(&mut self, id: u64, why: &str, now_ms: u64, tasks: &mut Tasks) {
        for end in 0..2 {
            tasks.plan(now_ms, Task::Lost { connection: id, end, why: why.to_owned() });
        }
    }

    /// Connections between nodes that no longer hear each other are watched.
    pub(super) fn watch_silence(&mut self, now_ms: u64, tasks: &mut Tasks) {
        for (id, connection) in &self.connections {
            let [from, to] = connection.ends;
            if self.cuts.blocks(from, to) || self.cuts.blocks(to, from) {
                let key = self.links[connection.link].key;
                let early = self.draws.either_below("idle", (*id, now_ms), (key, now_ms), KEEP_ALIVE_MS);
                tasks.plan(now_ms + IDLE_MS - early, Task::Silence { connection: *id });
            }
        }
    }

    /// A process ended without a word: its ends are gone, and the others learn it when nobody answers.
    pub(super) fn drop_ends_of(&mut self, node: NodeIndex, now_ms: u64, tasks: &mut Tasks) {
        for (id, connection) in &mut self.connections {
            for end in 0..2 {
                if connection.ends[end] == node && connection.open[end] {
                    connection.open[end] = false;
                    let key = self.links[connection.link].key;
                    let early = self.draws.either_below("idle", (*id, now_ms), (key, now_ms), KEEP_ALIVE_MS);
                    let why = "its peer did not answer".to_owned();
                    tasks.plan(now_ms + IDLE_MS - early, Task::Lost { connection: *id, end: 1 - end, why });
                }
            }
        }
        self.sweep();
    }

    /// A process is back and does not know the connections of its last life: whoever makes itself heard learns it.
    pub(super) fn answer_with_resets(&mut self, node: NodeIndex, now_ms: u64, tasks: &mut Tasks) {
        for (id, connection) in &self.connections {
            if connection.ends[1] == node && !connection.open[1] && connection.open[0] {
                let key = self.links[connection.link].key;
                let wait = self.draws.either_below("keep alive", (*id, now_ms), (key, now_ms), KEEP_ALIVE_MS);
                let why = "its peer does not know the connection".to_owned();
                tasks.plan(now_ms + wait, Task::Lost { connection: *id, end: 0, why });
            }
        }
    }

    /// Forgets connections that nobody holds.
    pub(super) fn sweep(&mut self) {
        self.connections.retain(|_, connection| connection.open != [false, false]);
    }

    /// Whether no bytes are on their way that could still arrive.
    pub(super) fn is_quiet(&self) -> bool {
        self.connections.values().filter(|c| c.open == [true, true]).all(|c| c.is_delivered(0) && c.is_delivered(1))
    }

    /// Connections of a node, with the index of its end.
    pub(super) fn of(&self, node: NodeIndex) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        for (id, connection) in &self.connections {
            found.extend((0..2).filter(|end| connection.ends[*end] == node).map(|end| (*id, end)));
        }
        found
    }
}

impl Connection {
    /// When bytes sent now have arrived, without jitter.
    fn schedule(&mut self, to: usize, lane: usize, bytes: u64, now_ms: u64, line: Line) -> u64 {
        if line.bytes_per_s == 0 {
            return now_ms + line.latency_ms;
        }
        let takes = (bytes * 1000).div_ceil(line.bytes_per_s);
        for waiting in &mut self.free_at[to][lane..] {
            *waiting = (*waiting).max(now_ms) + takes;
        }
        self.free_at[to][lane] + line.latency_ms
    }

    fn is_delivered(&self, end: usize) -> bool {
        self.lanes[end].iter().all(|lane| lane.segments.is_empty())
    }
}

impl LaneState {
    /// Takes out the messages that are complete.
    fn take_frames(&mut self) -> Vec<Arrived> {
        let mut frames = Vec::new();
        let mut read = 0;
        while let Some(length) = self.held.get(read..read + 4) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
            if length == 0 || length > syncline_core::wire::FRAME_BYTES_MAX {
                frames.push(Arrived::NoFrame(length));
                break;
            }
            let Some(content) = self.held.get(read + 4..read + 4 + length) else { break };
            let message = self.messages.pop_front().unwrap_or_default();
            frames.push(Arrived::Frame { message, kind: content[0], body: content[1..].to_vec() });
            read += 4 + length;
        }
        self.held.drain(..read);
        frames
    }
}

/// A lane's own number, towards an end of a link of that key.
fn lane_key(link: u64, end: usize, lane: usize) -> u64 {
    link.wrapping_add((1 + end * 3 + lane) as u64)
}

/// Most messages travel whole; some in pieces.
fn pieces(mut bytes: Vec<u8>, draw: &[u8; 32]) -> Vec<Vec<u8>> {
    let number = u64::from_le_bytes(draw[16..24].try_into().expect("eight bytes"));
    if !number.is_multiple_of(SPLIT_ONE_IN) || bytes.len() < 2 {
        return vec![bytes];
    }
    let mut pieces = Vec::new();
    for byte in &draw[24..27] {
        if bytes.len() > 1 {
            let rest = bytes.split_off(1 + usize::from(*byte) * (bytes.len() - 1) / 256);
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
    }
    pieces.push(bytes);
    pieces
}

/// A message as it lies on a stream.
pub(super) fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 5);
    bytes.extend_from_slice(&(body.len() as u32 + 1).to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(body);
    bytes
}
