//! What stores remember of their peers' logs is so.

use std::collections::BTreeMap;

use super::acknowledged::{durable_at, holds_durably, is_plain};
use super::view::{Held, Shared, dot_text};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Happened, NodeIndex, World};

/// A position in a peer's log: everything up to it is held here. And the other way round, durably.
pub(super) struct AreHeld {
    view: Shared,
    decided: u64,
}

impl AreHeld {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }

    fn look(&mut self, world: &World, only: Option<NodeIndex>) -> Result<(), Broken> {
        let view = self.view.borrow();
        let is_read = |node: NodeIndex| {
            let store = world.nodes()[node].store().filter(|_| is_plain(world, node));
            store.filter(|store| store.committed() == view.nodes[node].len())
        };
        let by_store: BTreeMap<String, NodeIndex> =
            (0..view.nodes.len()).filter_map(|node| Some((is_read(node)?.id().to_string(), node))).collect();
        for node in by_store.values().copied().filter(|node| only.is_none_or(|only| only == *node)) {
            let Some(status) = is_read(node).and_then(|store| store.status().ok()) else { continue };
            for peer in status.peers {
                let Some(with) = by_store.get(&peer.store).copied() else { continue };
                self.decided += 1;
                let (own, theirs) = (&view.nodes[node], &view.nodes[with]);
                let name = view.name(with);
                if let Some(wrong) = not_held(own, theirs, peer.received) {
                    let message =
                        format!("it remembers to hold the log of {name} up to {}, but {wrong}", peer.received);
                    return Err(Broken::new([node, with], message));
                }
                let dots = own.rows(0, peer.acknowledged).iter().filter_map(|place| place.dot);
                let dots = dots.filter(|dot| !own.has_retired(dot.replica));
                if let Some(wrong) = holds_durably(theirs, durable_at(world, &view, with), dots) {
                    let message =
                        format!("it remembers that {name} has its log up to {}, but {wrong}", peer.acknowledged);
                    return Err(Broken::new([node, with], message));
                }
            }
        }
        Ok(())
    }
}

impl Check for AreHeld {
    about!(
        "positions-are-held",
        "Who remembers a position in a peer's log holds everything up to it, and what it remembers that a peer has of \
         its own log, the peer has durably."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let reopened = {
            let view = self.view.borrow();
            view.news.reopened.is_some().then_some(view.news.node)
        };
        let Some(node) = reopened else { return Ok(()) };
        self.look(world, Some(node)).map_err(|broken| broken.at(world, self.name()))
    }

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, None).map_err(|broken| broken.at(world, self.name()))
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, None).map_err(|broken| broken.at(world, self.name()))
    }
}

/// What is not as a position says, in words.
fn not_held(own: &Held, theirs: &Held, position: u64) -> Option<String> {
    if position > theirs.len() {
        return Some(format!("that log has {} rows", theirs.len()));
    }
    let dots = theirs.rows(0, position).iter().filter_map(|place| place.dot);
    let mut open = dots.filter(|dot| !own.has_retired(dot.replica) && !theirs.has_retired(dot.replica));
    open.find(|dot| own.position(*dot).is_none()).map(|dot| format!("it lacks {}", dot_text(dot)))
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, row, view};
    use super::*;

    #[test]
    fn a_position_that_says_too_much_is_noticed() {
        let mut view = view(2);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 1, dot(1, 1), 1);
        row(&mut view, 1, dot(1, 2), 2);
        let [own, theirs] = &view.nodes[..] else { panic!("there are two") };
        assert_eq!(not_held(own, theirs, 1), None);
        assert!(not_held(own, theirs, 2).is_some());
        assert!(not_held(theirs, own, 2).is_some());
    }
}
