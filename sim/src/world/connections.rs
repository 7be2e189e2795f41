//! Connections from the first dial to the moment each end learns that it is over.

use syncline_core::session::{CloseCode, Event as SessionEvent};
use syncline_engine::{ConnectionId, Input};

use super::World;
use super::happened::NodeIndex;
use super::network::{Arrived, HANDSHAKE_MS};
use super::tasks::Task;
use super::tell::Fact;
use crate::schedule::Point;
use crate::trace::What;

impl World {
    /// A link dials, if it is wanted and its node runs.
    pub(super) fn dial(&mut self, link: usize) {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        if self.nodes[from].running.is_none() {
            return;
        }
        if self.network.begin_dial(link, self.now_ms, &mut self.tasks) {
            let to = self.nodes[to].spec.name.clone();
            self.tell(from, || What::Dialing { to });
        }
    }

    /// A handshake had the time it takes.
    pub(super) fn reached(&mut self, link: usize, dial: u64) {
        let state = &self.network.links[link];
        if state.dialing != Some(dial) {
            return;
        }
        let (from, to) = (state.from, state.to);
        let why = if self.network.cuts.blocks_dial(from, to) {
            "the network does not carry it"
        } else if self.nodes[to].running.is_none() || self.nodes[to].paused_until.is_some() {
            "nobody answers"
        } else {
            return self.connect(link);
        };
        self.tasks.plan(self.now_ms + HANDSHAKE_MS, Task::NotReached(link, dial, why));
    }

    /// Nobody has answered for too long.
    pub(super) fn not_reached(&mut self, link: usize, dial: u64, why: &'static str) {
        if self.network.links[link].dialing != Some(dial) {
            return;
        }
        let (from, to) = (self.network.links[link].from, self.nodes[self.network.links[link].to].spec.name.clone());
        self.tell(from, || What::DialFailed { to, why: why.to_owned() });
        self.network.dial_again(link, self.now_ms, false, &mut self.tasks);
    }

    fn connect(&mut self, link: usize) {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        let boots = [self.nodes[from].boots, self.nodes[to].boots];
        let connection = self.network.connect(link, self.now_ms, boots);
        self.teller.mark(b'+', [connection, from as u64, to as u64], b"");
        for (end, node, with) in [(1, to, from), (0, from, to)] {
            let other = self.nodes[with].spec.name.clone();
            self.tell(node, || What::Connected { connection, to: other.clone() });
            let now = self.nodes[node].now(self.now_ms);
            let address = (end == 0).then_some(other.as_str());
            match self.nodes[node].open_session(now, connection, address) {
                Ok(()) => self.fact(Fact::Connected { node, with, connection }),
                Err(error) => {
                    let code = CloseCode::Internal.number();
                    self.network.close(connection, end, code, error, (self.now_ms, &mut self.tasks));
                }
            }
            self.carry_out(node);
        }
    }

    /// Which end of a connection a node is, while it holds it.
    pub(super) fn end_of(&self, connection: ConnectionId, node: NodeIndex) -> Option<usize> {
        let state = self.network.connections.get(&connection)?;
        (0..2).find(|end| state.ends[*end] == node && state.open[*end] && state.boots[*end] == self.nodes[node].boots)
    }

    /// An engine closes a connection.
    pub(super) fn close_connection(&mut self, node: NodeIndex, connection: ConnectionId, code: u32, reason: String) {
        if let Some(end) = self.end_of(connection, node) {
            self.network.close(connection, end, code, reason, (self.now_ms, &mut self.tasks));
        }
    }

    /// Bytes arrive.
    pub(super) fn arrive(&mut self, id: u64, end: usize, lane: usize) {
        let Some(state) = self.network.connections.get(&id) else { return };
        let (node, from) = (state.ends[end], state.ends[1 - end]);
        let (arrived, dies) = self.network.arrive(id, end, lane, self.now_ms);
        // Bytes for an end that has gone vanish.
        if self.end_of(id, node).is_some() {
            for piece in arrived {
                if !self.take_in(node, from, id, lane, piece) {
                    break;
                }
            }
        }
        if dies {
            self.network.break_now(id, "reset in the middle of what was said", self.now_ms, &mut self.tasks);
        }
        self.network.hang_up_if_done(id, self.now_ms, &mut self.tasks);
    }

    /// False if the node cannot take in more.
    fn take_in(&mut self, node: NodeIndex, from: NodeIndex, id: u64, lane: usize, piece: Arrived) -> bool {
        match piece {
            Arrived::NoFrame(length) => {
                let why = format!("bytes that are no message (a length of {length})");
                self.network.break_now(id, &why, self.now_ms, &mut self.tasks);
                false
            }
            Arrived::Frame { message, kind, body } => {
                self.teller.mark(b'r', [node as u64, id, message], b"");
                let from = self.nodes[from].spec.name.clone();
                self.tell(node, || What::Received {
                    message,
                    connection: id,
                    from,
                    name: super::engines::message_name(kind, &body),
                });
                let lane = [
                    syncline_core::wire::Lane::Control,
                    syncline_core::wire::Lane::Live,
                    syncline_core::wire::Lane::Bulk,
                ][lane];
                let now = self.nodes[node].now(self.now_ms);
                self.nodes[node].handle(now, Input::Frame { connection: id, lane, kind, body });
                if !self.survives(node, Point::AfterReceive) {
                    return false;
                }
                self.carry_out(node);
                self.end_of(id, node).is_some()
            }
        }
    }

    /// News of a session.
    pub(super) fn session_news(&mut self, node: NodeIndex, connection: ConnectionId, news: SessionEvent) {
        let Some(state) = self.network.connections.get(&connection) else { return };
        let with = if state.ends[0] == node { state.ends[1] } else { state.ends[0] };
        let name = self.nodes[with].spec.name.clone();
        if !matches!(news, SessionEvent::Progress(_)) {
            self.tell(node, || What::Session { connection, with: name, news: format!("{news:?}") });
        }
        self.fact(Fact::Session { node, with, connection, news });
    }

    /// One end notices that a connection is over.
    pub(super) fn lost(&mut self, id: u64, end: usize, why: &str) {
        let Some(state) = self.network.connections.get_mut(&id) else { return };
        if !state.open[end] {
            return;
        }
        state.open[end] = false;
        let (node, with, link) = (state.ends[end], state.ends[1 - end], state.link);
        let lives = state.boots[end] == self.nodes[node].boots && self.nodes[node].running.is_some();
        let codes = [CloseCode::Renewed.number(), CloseCode::Again.number()];
        let at_once = state.closing.iter().flatten().any(|(code, _)| codes.contains(code));
        if lives {
            let counters =
                self.nodes[node].engine().and_then(|engine| engine.session(id)).map(|session| session.counters());
            if let Some(counters) = &counters {
                self.count(counters);
            }
            self.teller.mark(b'-', [id, end as u64, node as u64], b"");
            let to = self.nodes[with].spec.name.clone();
            self.tell(node, || What::Disconnected { connection: id, to, why: why.to_owned() });
            self.fact(Fact::Disconnected { node, with, connection: id, counters });
            self.engine_handles(node, Input::Closed(id));
            if end == 0 && self.network.links[link].up == Some(id) && self.nodes[node].running.is_some() {
                self.network.dial_again(link, self.now_ms, at_once, &mut self.tasks);
            }
        }
        self.network.sweep();
    }

    /// A connection was watched for silence, and if it is still silent, it is over.
    pub(super) fn silence(&mut self, id: u64) {
        let Some(state) = self.network.connections.get(&id) else { return };
        let [from, to] = state.ends;
        let asleep = |node: NodeIndex| self.nodes[node].paused_until.is_some_and(|until| until > self.now_ms);
        if self.network.cuts.blocks(from, to) || self.network.cuts.blocks(to, from) || asleep(from) || asleep(to) {
            self.network.break_now(id, "silence", self.now_ms, &mut self.tasks);
        }
    }
}
