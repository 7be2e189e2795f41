//! The outbox is what no relay has, and nothing else.

use syncline_core::ids::{Dot, ReplicaId};
use syncline_core::session::Event;

use super::acknowledged::{durable_at, is_plain};
use super::view::{Held, Shared, View};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::Role;
use crate::world::{Happened, NodeIndex, World};

/// Status never calls acknowledged what no relay holds durably, and at the end nothing is pending.
pub(super) struct Outbox {
    view: Shared,
    decided: u64,
}

impl Outbox {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }

    fn look(&mut self, world: &World, settled: bool, only: Option<NodeIndex>) -> Result<(), Broken> {
        let view = self.view.borrow();
        let relays: Vec<NodeIndex> =
            (0..view.nodes.len()).filter(|node| world.nodes()[*node].role() == Role::Relay).collect();
        // Of a relay that died right after it answered, the last rows were never read.
        let is_read = |relay: NodeIndex| {
            let store = world.nodes()[relay].store();
            store.is_some_and(|store| store.committed() == view.nodes[relay].len())
        };
        if relays.iter().any(|relay| !is_plain(world, *relay) || !is_read(*relay)) {
            return Ok(());
        }
        let all_plain = (0..view.nodes.len()).all(|node| is_plain(world, node));
        for node in (0..view.nodes.len()).filter(|node| is_plain(world, *node)) {
            if only.is_some_and(|only| only != node) {
                continue;
            }
            let state = &world.nodes()[node];
            let Some(store) = state.store().filter(|_| state.role() == Role::Device) else { continue };
            let Ok(outbox) = store.outbox() else { continue };
            if view.nodes[node].len() != store.committed() {
                continue;
            }
            self.decided += 1;
            if store.has_pending().is_ok_and(|has_pending| has_pending != (outbox.pending > 0)) {
                let message =
                    format!("it counts {} pending changes, and asked for any it says otherwise", outbox.pending);
                return Err(Broken::new([node], message));
            }
            let reached = reached(world, &view, node, &relays);
            if outbox.acknowledged > reached {
                let message = format!(
                    "its status calls {} own changes acknowledged, and relays hold {reached} durably",
                    outbox.acknowledged
                );
                return Err(Broken::new([node], message));
            }
            let syncs = world
                .schedule()
                .fleet
                .links
                .iter()
                .any(|link| link.from == state.name() && relays.iter().any(|relay| view.name(*relay) == link.to));
            if settled && all_plain && syncs && outbox.pending > 0 {
                let message = format!("{} of its changes are still pending at the end", outbox.pending);
                return Err(Broken::new([node], message));
            }
        }
        Ok(())
    }
}

impl Check for Outbox {
    about!(
        "outbox-is-what-is-unacknowledged",
        "A device's status never calls acknowledged what no relay holds durably; at the end nothing is pending at who \
         syncs with a relay."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        // What is remembered of a relay changes when it says where it stands.
        let Happened::Session { node, news: Event::PeerKnown { .. }, .. } = happened else { return Ok(()) };
        self.look(world, false, Some(*node)).map_err(|broken| broken.at(world, self.name()))
    }

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, false, None).map_err(|broken| broken.at(world, self.name()))
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, true, None).map_err(|broken| broken.at(world, self.name()))
    }
}

/// How many of a node's own changes some relay holds durably.
fn reached(world: &World, view: &View, node: NodeIndex, relays: &[NodeIndex]) -> u64 {
    let at_best = |replica: ReplicaId| {
        let at = |relay: &NodeIndex| durably(&view.nodes[*relay], durable_at(world, view, *relay), replica);
        relays.iter().map(at).max().unwrap_or(0)
    };
    // Commits of a process that died before it could tell are own changes too, of ids that nobody wrote under.
    let own: u64 = view.owned_by(node).map(at_best).sum();
    let unowned = view.nodes[node].counters().filter(|(replica, _)| view.owners(*replica).next().is_none());
    own + unowned.map(|(_, count)| count).sum::<u64>()
}

/// How many changes of a replica are durable, from the first on.
fn durably(held: &Held, durable: u64, replica: ReplicaId) -> u64 {
    let (mut low, mut high) = (0, held.counter(replica));
    while low < high {
        let middle = (low + high).div_ceil(2);
        match held.position(Dot { replica, counter: middle }) {
            Some(seq) if seq > durable => high = middle - 1,
            Some(_) | None => low = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    #[test]
    fn only_what_is_durable_counts() {
        let mut view = view(1);
        for counter in 1..=5 {
            row(&mut view, 0, dot(1, counter), counter as u8);
            row(&mut view, 0, dot(2, counter), 100 + counter as u8);
        }
        assert_eq!(durably(&view.nodes[0], 0, replica(1)), 0);
        assert_eq!(durably(&view.nodes[0], 5, replica(1)), 3);
        assert_eq!(durably(&view.nodes[0], 10, replica(1)), 5);
    }
}
