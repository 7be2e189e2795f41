//! A session that says it is caught up, is.

use std::collections::BTreeMap;

use syncline_core::session::{Event, PeerMisbehaved};

use super::acknowledged::{durable_at, holds_durably, is_plain};
use super::content::is_torn;
use super::view::{Held, Shared, dot_text};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Happened, NodeIndex, World};

/// Caught up: what the peer had durably when the session began is here. Synced: and the other way round.
pub(super) struct SyncedTellsTheTruth {
    view: Shared,
    /// What peer and node had durably when the session of that end began.
    began: BTreeMap<(u64, NodeIndex), (u64, u64)>,
    /// Rows of a log, by its node and by who was compared, that were found there.
    compared: BTreeMap<(NodeIndex, NodeIndex), u64>,
    decided: u64,
}

impl SyncedTellsTheTruth {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, began: BTreeMap::new(), compared: BTreeMap::new(), decided: 0 }
    }

    fn told(
        &mut self,
        world: &World,
        (node, with): (NodeIndex, NodeIndex),
        connection: u64,
        both: bool,
    ) -> Result<(), Broken> {
        let Some((theirs, ours)) = self.began.get(&(connection, node)).copied() else { return Ok(()) };
        // Who died in the same step has rows that nobody has read yet.
        if !is_plain(world, node) || !is_plain(world, with) || world.nodes()[node].store().is_none() {
            return Ok(());
        }
        let view = self.view.borrow();
        self.decided += 1;
        let from = self.compared.get(&(with, node)).copied().unwrap_or(0);
        if let Some(lacks) = lacks(&view.nodes[node], &view.nodes[with], from, theirs) {
            let message = format!(
                "it says that it is caught up with {}, and lacks {lacks}, which was durable there when the session began",
                view.name(with)
            );
            return Err(Broken::new([node, with], message));
        }
        self.compared.insert((with, node), from.max(theirs));
        // Who died right after it answered has rows that nobody has read yet.
        if both && world.nodes()[with].store().is_some() {
            let (own, peer) = (&view.nodes[node], &view.nodes[with]);
            let dots = own.rows(0, ours).iter().rev().take(SYNCED_ROWS).filter_map(|place| place.dot);
            let dots = dots.filter(|dot| !own.has_retired(dot.replica));
            if let Some(message) = holds_durably(peer, durable_at(world, &view, with), dots) {
                let message = format!("it says that it is synced with {}, but {message}", view.name(with));
                return Err(Broken::new([node, with], message));
            }
        }
        Ok(())
    }
}

/// How many of its newest rows are looked for at a peer that it is synced with; older ones were before.
const SYNCED_ROWS: usize = 200;

impl Check for SyncedTellsTheTruth {
    about!(
        "synced-tells-the-truth",
        "Who says that it is caught up holds everything that the peer had durably when the session began; who says \
         that both are synced is right in both directions."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        if let Happened::Connected { node, with, connection } = happened {
            let view = self.view.borrow();
            let durable = |node| durable_at(world, &view, node).min(view.nodes[node].len());
            self.began.insert((*connection, *node), (durable(*with), durable(*node)));
        }
        if let Happened::Disconnected { node, connection, .. } = happened {
            self.began.remove(&(*connection, *node));
        }
        let reopened = {
            let view = self.view.borrow();
            view.news.reopened.is_some().then_some(view.news.node)
        };
        if let Some(node) = reopened {
            self.compared.retain(|(of, at), _| *of != node && *at != node);
            self.began.retain(|(_, at), _| *at != node);
        }
        if let Happened::Session { node, with, connection, news } = happened {
            let both = matches!(news, Event::Synced);
            if both || matches!(news, Event::CaughtUp) {
                self.told(world, (*node, *with), *connection, both).map_err(|broken| broken.at(world, self.name()))?;
            }
        }
        Ok(())
    }
}

/// A row of a peer's log that is not held, in words.
fn lacks(held: &Held, peer: &Held, from: u64, upto: u64) -> Option<String> {
    let dots = peer.rows(from, upto).iter().filter_map(|place| place.dot);
    let mut open = dots.filter(|dot| !peer.has_retired(dot.replica) && !held.has_retired(dot.replica));
    open.find(|dot| held.position(*dot).is_none()).map(dot_text)
}

/// Honest peers keep to the protocol, whatever befell them.
#[derive(Default)]
pub(super) struct HonestKeepToProtocol {
    decided: u64,
}

impl Check for HonestKeepToProtocol {
    about!(
        "honest-keep-to-protocol",
        "No session ends because an honest peer did what the protocol forbids, unless it was too slow; not decided in \
         fleets with hostile peers, or in which a disk lied or bits flipped."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Session { node, with, news, .. } = happened else { return Ok(()) };
        let nodes = 0..world.nodes().len();
        if nodes.into_iter().any(|node| !world.nodes()[node].is_honest() || is_torn(world, node)) {
            return Ok(());
        }
        self.decided += 1;
        if let Event::Misbehaved(what) = news
            && !matches!(what, PeerMisbehaved::TooSlow(_))
        {
            let message = format!("it turned {} away: the peer {what}", world.nodes()[*with].name());
            return Err(Broken::new([*node, *with], message).at(world, self.name()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, row, view};
    use super::*;

    #[test]
    fn a_row_of_the_peer_that_is_not_there_is_noticed() {
        let mut view = view(2);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 1, dot(1, 1), 1);
        row(&mut view, 1, dot(1, 2), 2);
        assert_eq!(lacks(&view.nodes[0], &view.nodes[1], 0, 1), None);
        assert!(lacks(&view.nodes[0], &view.nodes[1], 0, 2).is_some());
        assert_eq!(lacks(&view.nodes[1], &view.nodes[0], 0, 1), None);
    }
}
