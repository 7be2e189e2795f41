//! Carrying out what engines decide, and waking them.

use syncline_engine::{ConnectionId, Input, StoreError};

use super::World;
use super::happened::NodeIndex;
use super::network::framed;
use super::node::{Decision, Excuse};
use super::tasks::Task;
use super::tell::Fact;
use crate::disk::Survival;
use crate::schedule::Point;
use crate::trace::What;

impl World {
    /// Gives a fact to a node's engine and carries out what follows.
    pub(super) fn engine_handles(&mut self, node: NodeIndex, input: Input) {
        let now = self.nodes[node].now(self.now_ms);
        self.nodes[node].handle(now, input);
        self.carry_out(node);
    }

    /// Carries out everything that a node's engine has decided.
    pub(super) fn carry_out(&mut self, node: NodeIndex) {
        while let Some(decision) = self.nodes[node].poll() {
            let went_on = match decision {
                Decision::Send { connection, lane, kind, body } => {
                    self.send(node, connection, lane as usize, kind, body);
                    self.survives(node, Point::AfterSend)
                }
                Decision::Bytes { connection, lane, bytes } => {
                    self.send_bytes(node, connection, lane as usize, bytes);
                    true
                }
                Decision::Close { connection, code, reason } => {
                    self.close_connection(node, connection, code, reason);
                    true
                }
                Decision::Sync(seq, namespace) => self.begin_sync(node, namespace, seq),
                Decision::Commit(commit) => {
                    self.teller.mark(b'c', [node as u64, commit.seq, commit.changes.len() as u64], b"");
                    self.tell_commit(node, &commit);
                    self.fact(Fact::Committed { node, commit });
                    self.survives(node, Point::AfterCommit)
                }
                Decision::Session(connection, news) => {
                    self.session_news(node, connection, news);
                    true
                }
            };
            if !went_on {
                return;
            }
        }
        self.notice_cut(node);
        self.notice_failed_store(node);
        self.plan_tick(node);
    }

    fn tell_commit(&mut self, node: NodeIndex, commit: &syncline_engine::Commit) {
        self.tell(node, || What::Committed {
            seq: commit.seq,
            origin: match commit.changes.first().map(|change| change.origin) {
                Some(syncline_engine::Origin::Local) => "local",
                Some(syncline_engine::Origin::Process) => "process",
                Some(syncline_engine::Origin::Peer) | None => "peer",
            }
            .to_owned(),
            records: commit
                .changes
                .iter()
                .map(|change| format!("{} {}", change.model, uuid_text(&change.record.0)))
                .collect(),
        });
    }

    fn send(&mut self, node: NodeIndex, connection: ConnectionId, lane: usize, kind: u8, body: Vec<u8>) {
        self.teller.mark(b's', [node as u64, connection, u64::from(kind)], &body);
        let Some(end) = self.end_of(connection, node) else { return };
        let Some(state) = self.network.connections.get(&connection) else { return };
        let to = state.ends[1 - end];
        let message = self.network.number_message();
        let bytes = framed(kind, &body);
        let is_torn = |node: NodeIndex| self.nodes[node].excuses.contains(&Excuse::DiskLied);
        self.settling.messages += u64::from(!is_torn(node) && !is_torn(to));
        let to_name = &self.nodes[to].spec.name;
        self.teller.tell((self.steps, self.now_ms), &self.nodes[node].spec.name, || What::Sent {
            message,
            connection,
            to: to_name.clone(),
            lane: ["control", "live", "bulk"][lane].to_owned(),
            name: message_name(kind, &body),
            bytes: bytes.len(),
        });
        self.network.send((connection, end), lane, Some(message), bytes, (self.now_ms, &mut self.tasks));
        self.fact(Fact::Sent { node, to, connection, kind, body });
    }

    fn send_bytes(&mut self, node: NodeIndex, connection: ConnectionId, lane: usize, bytes: Vec<u8>) {
        self.teller.mark(b'x', [node as u64, connection, lane as u64], &bytes);
        let Some(end) = self.end_of(connection, node) else { return };
        self.network.send((connection, end), lane, None, bytes, (self.now_ms, &mut self.tasks));
    }

    fn begin_sync(&mut self, node: NodeIndex, namespace: Option<String>, seq: u64) -> bool {
        if !self.survives(node, Point::BeforeSync) {
            return false;
        }
        let (boot, takes) = (self.nodes[node].boots, self.nodes[node].disk_sync_ms);
        self.tasks.plan(self.now_ms + takes, Task::Synced { node, boot, namespace, seq });
        true
    }

    /// The time that a sync takes is over.
    pub(super) fn synced(&mut self, node: NodeIndex, boot: u64, namespace: Option<&str>, seq: u64) {
        if !self.runs(node, boot) {
            return;
        }
        let outcome = self.nodes[node].sync_disk(namespace);
        if !self.survives(node, Point::AfterSync) {
            return;
        }
        let went_well = outcome.is_ok();
        let now = self.nodes[node].now(self.now_ms);
        self.nodes[node].synced(now, namespace, seq, outcome);
        if went_well {
            self.tell(node, || What::Durable { seq });
            self.fact(Fact::Durable { node, seq });
        } else {
            self.fact(Fact::SyncFailed { node, boot });
        }
        self.carry_out(node);
    }

    /// Wakes an engine if it is time.
    pub(super) fn tick(&mut self, node: NodeIndex, boot: u64) {
        if !self.runs(node, boot) {
            return;
        }
        self.nodes[node].tick_at = None;
        let mono_ms = self.nodes[node].now(self.now_ms).mono_ms;
        if self.nodes[node].next_deadline().is_some_and(|at| at <= mono_ms) {
            self.engine_handles(node, Input::Tick);
        } else {
            self.plan_tick(node);
        }
    }

    fn plan_tick(&mut self, node: NodeIndex) {
        let Some(deadline) = self.nodes[node].next_deadline() else { return };
        // Monotonic clocks show one more than the virtual time.
        let at_ms = deadline.saturating_sub(1).max(self.now_ms);
        if self.nodes[node].tick_at.is_none_or(|planned| planned > at_ms) {
            self.nodes[node].tick_at = Some(at_ms);
            let boot = self.nodes[node].boots;
            self.tasks.plan(at_ms, Task::Tick(node, boot));
        }
    }

    /// Whether a node's process is that of this boot.
    pub(super) fn runs(&self, node: NodeIndex, boot: u64) -> bool {
        self.nodes[node].running.is_some() && self.nodes[node].boots == boot
    }

    /// False if an event has the process end here.
    pub(super) fn survives(&mut self, node: NodeIndex, point: Point) -> bool {
        match self.nodes[node].armed {
            Some((armed, _, down_ms)) if armed == point => {
                self.kill(node, Survival::Everything, down_ms, &format!("killed at {point:?}"));
                false
            }
            Some(_) | None => self.nodes[node].running.is_some(),
        }
    }

    /// The power may have gone in the middle of what was just done.
    pub(super) fn notice_cut(&mut self, node: NodeIndex) {
        if self.nodes[node].running.is_some() && !self.nodes[node].disk().is_on() {
            let (survival, _, down_ms) = self.nodes[node].cut_pending.unwrap_or((Survival::Everything, 0, 1_000));
            self.kill(node, survival, down_ms, "ended at a disk operation");
        }
    }

    /// An app whose store failed opens it again.
    fn notice_failed_store(&mut self, node: NodeIndex) {
        let failed = self.nodes[node].engine().and_then(|engine| engine.health().err());
        if let Some(error) = failed.filter(|error| !matches!(error, StoreError::Closed)) {
            self.kill(
                node,
                Survival::Everything,
                REOPEN_MS,
                &format!("its store failed ({error}), so it is started anew"),
            );
        }
    }
}

/// How long an app takes to open a store that failed again.
const REOPEN_MS: u64 = 1_000;

/// What a message is called.
pub(super) fn message_name(kind: u8, body: &[u8]) -> String {
    syncline_core::wire::Message::decode(kind, body)
        .map_or_else(|_| "bytes".to_owned(), |message| message.name().to_owned())
}

/// A record's id as apps see generated ones.
pub(super) fn uuid_text(id: &[u8; 16]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
