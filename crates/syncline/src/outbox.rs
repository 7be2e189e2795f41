//! When the outbox becomes empty, and when it no longer is.

use syncline_core::session;
use syncline_engine::{Commit, Engine, Origin, Store};

use crate::event::Event;

/// Tells each edge once.
#[derive(Debug, Default)]
pub(crate) struct OutboxTeller {
    /// What was told last.
    is_empty: Option<bool>,
}

impl OutboxTeller {
    /// After a commit: own changes that leave the device wait in the outbox.
    pub(crate) fn committed(&mut self, engine: &Engine, commit: &Commit) -> Option<Event> {
        if self.is_empty == Some(false) {
            return None;
        }
        let leaves = |model: &str| {
            let schema = engine.store().schema();
            schema.and_then(|schema| schema.model(model)).is_none_or(|model| !model.local)
        };
        // What another process committed may be its own or came to it from peers.
        let mine = commit.changes.iter().any(|change| change.origin != Origin::Peer && leaves(&change.model));
        // An edit may concern fields alone that never leave the device.
        if mine && !is_empty(engine.store()) { self.turn(false) } else { None }
    }

    /// After an acknowledgement: the last one empties the outbox.
    pub(crate) fn heard(&mut self, engine: &Engine, event: &session::Event) -> Option<Event> {
        let session::Event::Acknowledged { frontier, .. } = event else { return None };
        let store = engine.store();
        let last = store.replica().map_or(0, |replica| store.version().counter(replica));
        if self.is_empty != Some(true) && frontier.counter >= last && is_empty(store) { self.turn(true) } else { None }
    }

    fn turn(&mut self, is_empty: bool) -> Option<Event> {
        self.is_empty = Some(is_empty);
        Some(Event::OutboxStatus { is_empty })
    }
}

fn is_empty(store: &Store) -> bool {
    store.has_pending().is_ok_and(|has_pending| !has_pending)
}
