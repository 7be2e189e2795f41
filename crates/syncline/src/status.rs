//! The state of the store and of its links.

use std::collections::BTreeMap;

use serde::Serialize;
use syncline_core::session;
use syncline_core::wire::Role;
use syncline_engine::{ConnectionId, Engine, StoreStatus};

use crate::error::Result;
use crate::event::{Event, Progress};

/// What the store holds, and what its links do.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The store.
    #[serde(flatten)]
    pub store: StoreStatus,
    /// Links that stand now.
    pub links: Vec<LinkStatus>,
    /// What links have carried since the store was opened.
    pub carried: Carried,
}

/// What the sessions of an open store have carried, those that are over included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Sessions begun.
    pub sessions: u64,
    /// Changes sent.
    pub sent_changes: u64,
    /// Changes received.
    pub received_changes: u64,
    /// Of them, held already: sent again after a lost connection, or come by two ways.
    pub repeated_changes: u64,
}

impl Carried {
    /// With a session more.
    #[must_use]
    pub(crate) fn and(self, session: &session::Session) -> Self {
        let counters = session.counters();
        Self {
            sessions: self.sessions + 1,
            sent_changes: self.sent_changes + counters.changes_sent,
            received_changes: self.received_changes + counters.changes_received,
            repeated_changes: self.repeated_changes + counters.changes_duplicate,
        }
    }
}

/// A link that stands.
#[derive(Clone, Debug, Serialize)]
pub struct LinkStatus {
    /// The peer's store, once it is known.
    pub peer: Option<String>,
    /// Whether it is a relay.
    pub relay: bool,
    /// Whether both ends have what the other has.
    pub synced: bool,
    /// How far it is.
    pub progress: Progress,
}

/// What is known of one link.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) is_synced: bool,
    /// The session ended in good order.
    pub(crate) finished: bool,
    /// What went wrong last.
    pub(crate) trouble: Option<String>,
    peer: Option<(String, bool)>,
    progress: Progress,
}

impl Status {
    pub(crate) fn of(engine: &Engine, links: &BTreeMap<ConnectionId, LinkState>, past: Carried) -> Result<Self> {
        let carried = engine.sessions().fold(past, |carried, (_, session)| carried.and(session));
        let links = links.values().map(|link| LinkStatus {
            peer: link.peer.as_ref().map(|(store, _)| store.clone()),
            relay: link.peer.as_ref().is_some_and(|(_, relay)| *relay),
            synced: link.is_synced,
            progress: link.progress,
        });
        Ok(Self { store: engine.store().status()?, links: links.collect(), carried })
    }
}

impl LinkState {
    /// Takes in a session's news; returns what followers are told.
    pub(crate) fn take(&mut self, event: &session::Event) -> Vec<Event> {
        let told = self.told(event);
        for event in &told {
            if let Event::Trouble { what } = event {
                self.trouble = Some(what.clone());
            }
        }
        self.finished |= *event == session::Event::Finished;
        told
    }

    fn told(&mut self, event: &session::Event) -> Vec<Event> {
        match event {
            session::Event::PeerKnown { store, role, .. } => {
                let relay = *role == Role::Relay;
                self.peer = Some((store.to_string(), relay));
                vec![Event::SubscriptionsEstablished { peer: store.to_string(), relay }, Event::SyncQueriesStarted]
            }
            session::Event::Progress(progress) => {
                self.progress = Progress {
                    received: progress.received,
                    received_total: progress.to_receive,
                    sent: progress.sent,
                    sent_total: progress.to_send,
                };
                vec![Event::Progress(self.progress)]
            }
            session::Event::CaughtUp => vec![Event::SyncQueriesReady],
            session::Event::Synced => {
                self.is_synced = true;
                vec![Event::Ready]
            }
            session::Event::Acknowledged { frontier, .. } => {
                vec![Event::OutboxMutationProcessed {
                    replica: frontier.replica.to_string(),
                    counter: frontier.counter,
                }]
            }
            session::Event::ForkFound(replicas) => {
                vec![Event::Forked { replicas: replicas.iter().map(ToString::to_string).collect() }]
            }
            session::Event::IdentityRenewed { why, .. } => {
                vec![Event::IdentityRenewed { why: renewed(*why).to_owned() }]
            }
            session::Event::Refused { detail, .. } => vec![Event::Trouble { what: detail.clone() }],
            session::Event::StoreFailed(what) => vec![Event::Trouble { what: what.clone() }],
            session::Event::Misbehaved(what) => vec![Event::Trouble { what: format!("the peer {what}") }],
            session::Event::Asked { .. } | session::Event::CursorRefused { .. } | session::Event::Finished => {
                Vec::new()
            }
        }
    }
}

fn renewed(why: session::RenewedWhy) -> &'static str {
    match why {
        session::RenewedWhy::Restored => "a peer knows newer changes of this store: its file is an older one",
        session::RenewedWhy::Forked => "a peer knows other changes under the same replica id: the file was copied",
        session::RenewedWhy::SameStore => "the peer is a copy of this store's file",
    }
}
