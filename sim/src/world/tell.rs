//! What a run tells: the trace, the hash over everything, and the facts that checks are given.

use syncline_core::session::{Counters, Event as SessionEvent};
use syncline_engine::Commit;

use super::happened::{Happened, NodeIndex, Written};
use crate::disk::Survival;
use crate::schedule::EventId;
use crate::trace::{Entry, What};

/// How many steps lie between two checkpoints.
const CHECKPOINT_STEPS: u64 = 1_000;

/// A fact that checks have not been told yet; see [`Happened`].
#[derive(Debug)]
pub(super) enum Fact {
    Opened { node: NodeIndex },
    NotOpened { node: NodeIndex, error: String },
    Closed { node: NodeIndex },
    Died { node: NodeIndex, survival: Survival, durable: u64, committed: u64 },
    Wrote { node: NodeIndex, event: EventId, write: Option<usize>, error: Option<String> },
    Committed { node: NodeIndex, commit: Commit },
    Durable { node: NodeIndex, seq: u64 },
    SyncFailed { node: NodeIndex, boot: u64 },
    Sent { node: NodeIndex, to: NodeIndex, connection: u64, kind: u8, body: Vec<u8> },
    Connected { node: NodeIndex, with: NodeIndex, connection: u64 },
    Session { node: NodeIndex, with: NodeIndex, connection: u64, news: SessionEvent },
    Disconnected { node: NodeIndex, with: NodeIndex, connection: u64, counters: Option<Counters> },
    Healed,
}

impl Fact {
    /// As checks see it.
    pub(super) fn happened<'a>(&'a self, written: &'a [Written]) -> Happened<'a> {
        match self {
            Self::Opened { node } => Happened::Opened { node: *node },
            Self::NotOpened { node, error } => Happened::NotOpened { node: *node, error },
            Self::Closed { node } => Happened::Closed { node: *node },
            Self::Died { node, survival, durable, committed } => {
                Happened::Died { node: *node, survival: *survival, durable: *durable, committed: *committed }
            }
            Self::Wrote { node, event, write, error } => Happened::Wrote {
                write: write.and_then(|at| written.get(at)),
                node: *node,
                event: *event,
                error: error.as_deref(),
            },
            Self::Committed { node, commit } => Happened::Committed { node: *node, commit },
            Self::Durable { node, seq } => Happened::Durable { node: *node, seq: *seq },
            Self::SyncFailed { node, boot } => Happened::SyncFailed { node: *node, boot: *boot },
            Self::Sent { node, to, connection, kind, body } => {
                Happened::Sent { node: *node, to: *to, connection: *connection, kind: *kind, body }
            }
            Self::Connected { node, with, connection } => {
                Happened::Connected { node: *node, with: *with, connection: *connection }
            }
            Self::Session { node, with, connection, news } => {
                Happened::Session { node: *node, with: *with, connection: *connection, news }
            }
            Self::Disconnected { node, with, connection, counters } => {
                Happened::Disconnected { node: *node, with: *with, connection: *connection, counters: *counters }
            }
            Self::Healed => Happened::Healed,
        }
    }
}

/// Takes down what happens.
pub(super) struct Teller {
    /// Entries that nobody has taken yet; `None` if nobody wants any.
    entries: Option<Vec<Entry>>,
    hash: blake3::Hasher,
    pub(super) checkpoints: Vec<String>,
    pub(super) facts: Vec<Fact>,
}

impl Teller {
    pub(super) fn new(is_traced: bool) -> Self {
        Self {
            entries: is_traced.then(Vec::new),
            hash: blake3::Hasher::new(),
            checkpoints: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Into the hash: what kind of thing it is, numbers, bytes.
    pub(super) fn mark(&mut self, kind: u8, numbers: [u64; 3], bytes: &[u8]) {
        let mut head = [0; 33];
        head[0] = kind;
        for (at, number) in numbers.iter().enumerate() {
            head[1 + at * 8..9 + at * 8].copy_from_slice(&number.to_le_bytes());
        }
        head[25..33].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(&head);
        self.hash.update(bytes);
    }

    /// Into the trace, if somebody wants it.
    pub(super) fn tell(&mut self, (n, t): (u64, u64), node: &str, what: impl FnOnce() -> What) {
        if let Some(entries) = &mut self.entries {
            entries.push(Entry { n, t, node: node.to_owned(), what: what() });
        }
    }

    /// The entries since the last call.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        self.entries.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A step is done.
    pub(super) fn step_done(&mut self, step: u64) {
        if step.is_multiple_of(CHECKPOINT_STEPS) {
            self.checkpoints.push(self.hash.finalize().to_hex()[..16].to_owned());
        }
    }

    pub(super) fn hash(&self) -> String {
        self.hash.finalize().to_hex()[..32].to_owned()
    }
}
