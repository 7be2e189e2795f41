//! What checks are told, and the ledger of what apps did.

use serde_json::{Map, Value};
use syncline_core::ids::{Dot, RecordId, ReplicaId};
use syncline_core::session::{Counters, Event as SessionEvent};
use syncline_core::vector::VersionVector;
use syncline_engine::Commit;

use crate::disk::Survival;
use crate::schedule::{Action, EventId};

/// The place of a node in [`crate::world::World::nodes`].
pub type NodeIndex = usize;

/// Something that happened to a node.
#[derive(Debug)]
pub enum Happened<'a> {
    /// Its store was opened.
    Opened {
        /// Whose.
        node: NodeIndex,
    },
    /// Its store could not be opened.
    NotOpened {
        /// Whose.
        node: NodeIndex,
        /// Why.
        error: &'a str,
    },
    /// It closed its store in good order.
    Closed {
        /// Whose.
        node: NodeIndex,
    },
    /// Its process ended without a word.
    Died {
        /// Whose.
        node: NodeIndex,
        /// What the disk keeps.
        survival: Survival,
        /// The log's end that was durable by the engine's own word.
        durable: u64,
        /// The log's end.
        committed: u64,
    },
    /// An app's write returned.
    Wrote {
        /// What is kept of it; `None` if it was refused.
        write: Option<&'a Written>,
        /// Where.
        node: NodeIndex,
        /// Which event.
        event: EventId,
        /// Why it was refused.
        error: Option<&'a str>,
    },
    /// A transaction was committed, own or a peer's.
    Committed {
        /// Where.
        node: NodeIndex,
        /// What it changed.
        commit: &'a Commit,
    },
    /// A sync has ended well.
    Durable {
        /// Where.
        node: NodeIndex,
        /// Up to here.
        seq: u64,
    },
    /// A sync has failed.
    SyncFailed {
        /// Where.
        node: NodeIndex,
        /// In which life of its process.
        boot: u64,
    },
    /// A message was handed to the network.
    Sent {
        /// By whom.
        node: NodeIndex,
        /// To whom.
        to: NodeIndex,
        /// On which connection.
        connection: u64,
        /// Its kind and body, as they travel.
        kind: u8,
        /// As the kind says.
        body: &'a [u8],
    },
    /// A connection came about, and this end has begun its session.
    Connected {
        /// Where.
        node: NodeIndex,
        /// With whom.
        with: NodeIndex,
        /// On which connection.
        connection: u64,
    },
    /// News of a session.
    Session {
        /// Where.
        node: NodeIndex,
        /// With whom.
        with: NodeIndex,
        /// On which connection.
        connection: u64,
        /// What.
        news: &'a SessionEvent,
    },
    /// A connection ended, as this end sees it.
    Disconnected {
        /// Where.
        node: NodeIndex,
        /// With whom.
        with: NodeIndex,
        /// On which connection.
        connection: u64,
        /// What its session had carried, if it had begun.
        counters: Option<Counters>,
    },
    /// Everything that was broken is whole again, and nobody writes any more.
    Healed,
}

/// A write of an app that returned without an error.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which event; in a transaction, the place in it is in `place`.
    pub event: EventId,
    /// The place among the writes of a transaction; what a delete takes along comes before it.
    pub place: usize,
    /// Where.
    pub node: NodeIndex,
    /// The how-manieth life of the node's process.
    pub boot: u64,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// What was asked for; of a record that a delete took along, that delete, or an update that empties its reference.
    pub action: Action,
    /// The model.
    pub model: String,
    /// The record's id, as apps see it: as text, or the JSON of its key.
    pub id: String,
    /// The record's id inside.
    pub record: RecordId,
    /// Who wrote; `None` if the write had nothing to change.
    pub replica: Option<ReplicaId>,
    /// The first and the last counter of the changes it made, both included; both 0 for none.
    pub counters: (u64, u64),
    /// The version vector before it.
    pub seen: VersionVector,
    /// The log's end after it.
    pub seq: u64,
    /// The record before it, as the node showed it.
    pub before: Option<Map<String, Value>>,
    /// The record after it, as the node showed it.
    pub after: Option<Map<String, Value>>,
}

impl Written {
    /// The dots of its changes.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        let (first, last) = self.counters;
        self.replica
            .into_iter()
            .filter(move |_| first > 0)
            .flat_map(move |replica| (first..=last).map(move |counter| Dot { replica, counter }))
    }
}
