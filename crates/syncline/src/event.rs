//! News of the store and of its peers, under the names that DataStore's Hub gave them.

use std::sync::Arc;

use serde::Serialize;
use syncline_engine::Commit;
use tokio::sync::broadcast;

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A transaction was committed: here, by a peer, or by another process on the file.
    Commit(Arc<Commit>),
    /// A link came up or went down (Hub: `networkStatus`).
    NetworkStatus {
        /// Whether any link stands.
        active: bool,
    },
    /// A peer is known and live changes flow (Hub: `subscriptionsEstablished`).
    SubscriptionsEstablished {
        /// The peer's store.
        peer: String,
        /// Whether it is a relay.
        relay: bool,
    },
    /// Catching up began (Hub: `syncQueriesStarted`).
    SyncQueriesStarted,
    /// How far catching up is.
    Progress(Progress),
    /// Everything that the peer had is here (Hub: `syncQueriesReady`).
    SyncQueriesReady,
    /// Both ends have what the other has (Hub: `ready`).
    Ready,
    /// A relay acknowledged own changes (Hub: `outboxMutationProcessed`).
    OutboxMutationProcessed {
        /// Under which replica id they were made.
        replica: String,
        /// The highest counter of that id that it holds durably.
        counter: u64,
    },
    /// The outbox became empty, or is no longer (Hub: `outboxStatus`). What it is at first, [`Status`] says. Of several
    /// processes that have a file open, only the one that holds the sessions hears of acknowledgements, and so tells
    /// that it became empty.
    ///
    /// [`Status`]: crate::Status
    OutboxStatus {
        /// Whether a relay holds every own change durably.
        is_empty: bool,
    },
    /// Another process opened the store with another schema. Calls that do not fit it fail with
    /// [`Error::SchemaChanged`](crate::Error::SchemaChanged) or as calls of an unknown name do; all others go on.
    SchemaChanged {
        /// Models that it lacks, by the names that this process knows them by.
        gone: Vec<String>,
    },
    /// The store took a new replica id.
    IdentityRenewed {
        /// Why, in words.
        why: String,
    },
    /// Replica ids were found to have two histories and are retired.
    Forked {
        /// The ids.
        replicas: Vec<String>,
    },
    /// A peer turned this store away, broke the protocol, or the store failed under it.
    Trouble {
        /// What, in words.
        what: String,
    },
    /// The store was closed; nothing comes after it.
    #[doc(hidden)]
    Closed,
}

/// Rows done and to be done, in both directions, since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Rows of the peer's log that are dealt with.
    pub received: u64,
    /// Rows of the peer's log to deal with.
    pub received_total: u64,
    /// Rows of this store's log that the peer has.
    pub sent: u64,
    /// Rows of this store's log to deal with.
    pub sent_total: u64,
}

/// A follower of events. Each sees every event from the moment it was made.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

/// A follower fell so far behind that events were dropped for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed: read again what you need")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// The next event; `None` once the store is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        match self.receiver.recv().await {
            Ok(Event::Closed) | Err(broadcast::error::RecvError::Closed) => None,
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Err(Lagged { missed })),
        }
    }
}
