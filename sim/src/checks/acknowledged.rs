//! Acknowledged means durable at whoever acknowledges.

use std::collections::BTreeMap;

use syncline_core::ids::Dot;
use syncline_core::session::Event;

use super::view::{Held, Shared, View, dot_text};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Happened, NodeIndex, World};

/// What an acknowledgement says is so, at that moment. That it stays so is the peer's log's business.
pub(super) struct MeansDurable {
    view: Shared,
    /// Positions that were compared already, by who was told and by whom.
    compared: BTreeMap<(NodeIndex, NodeIndex), u64>,
    /// What was said by who died right after: it must be there when that opens again.
    last_words: BTreeMap<NodeIndex, Vec<(NodeIndex, Dot)>>,
    decided: u64,
}

impl MeansDurable {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, compared: BTreeMap::new(), last_words: BTreeMap::new(), decided: 0 }
    }

    fn reopened(&mut self, world: &World, node: NodeIndex) -> Result<(), Broken> {
        self.compared.retain(|(told, by), _| *told != node && *by != node);
        let view = self.view.borrow();
        for (told, dot) in self.last_words.remove(&node).unwrap_or_default() {
            let open = is_plain(world, told) && is_plain(world, node) && !view.nodes[told].has_retired(dot.replica);
            let dots = [dot].into_iter().filter(|_| open);
            if let Some(message) = holds_durably(&view.nodes[node], u64::MAX, dots) {
                let message = format!("it acknowledged changes to {} and died, and now {message}", view.name(told));
                return Err(Broken::new([node, told], message));
            }
        }
        Ok(())
    }

    fn acknowledged(
        &mut self,
        world: &World,
        (node, by): (NodeIndex, NodeIndex),
        position: u64,
        frontier: Dot,
    ) -> Result<(), Broken> {
        let view = self.view.borrow();
        if !is_plain(world, node) || !is_plain(world, by) {
            return Ok(());
        }
        let durable = durable_at(world, &view, by);
        let told = &view.nodes[node];
        let from = self.compared.get(&(node, by)).copied().unwrap_or(0);
        self.decided += 1;
        let rows = told.rows(from, position).iter().filter_map(|place| place.dot);
        let own = Some(frontier).filter(|dot| dot.counter > 0);
        let dots = rows.chain(own).filter(|dot| !told.has_retired(dot.replica));
        if world.nodes()[by].store().is_none() {
            self.last_words.entry(by).or_default().extend(dots.map(|dot| (node, dot)));
            return Ok(());
        }
        if let Some(message) = holds_durably(&view.nodes[by], durable, dots) {
            let message = format!(
                "{} acknowledged rows up to {position} and its changes up to {}, but {message}",
                view.name(by),
                frontier.counter
            );
            return Err(Broken::new([node, by], message));
        }
        self.compared.insert((node, by), from.max(position));
        Ok(())
    }
}

impl Check for MeansDurable {
    about!(
        "acknowledged-means-durable",
        "Who acknowledges changes holds them durably at that moment; what is durable then survives its power cuts \
         (see log-grows). Peers whose disk lied, or that got another file, are left out."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let reopened = {
            let view = self.view.borrow();
            view.news.reopened.is_some().then_some(view.news.node)
        };
        if let Some(node) = reopened {
            self.reopened(world, node).map_err(|broken| broken.at(world, self.name()))?;
        }
        if let Happened::Session { node, with, news: Event::Acknowledged { position, frontier }, .. } = happened {
            self.acknowledged(world, (*node, *with), *position, *frontier)
                .map_err(|broken| broken.at(world, self.name()))?;
        }
        Ok(())
    }
}

/// Whether nothing was done to a node that lets its word be worth less.
pub(super) fn is_plain(world: &World, node: NodeIndex) -> bool {
    world.nodes()[node].excuses().is_empty()
}

/// Rows of a node's log that are durable, by its engine's word.
pub(super) fn durable_at(world: &World, view: &View, node: NodeIndex) -> u64 {
    let now = world.nodes()[node].store().map_or(0, |store| store.durable());
    view.nodes[node].durable.max(now)
}

/// What is not held durably, in words.
pub(super) fn holds_durably(peer: &Held, durable: u64, dots: impl Iterator<Item = Dot>) -> Option<String> {
    for dot in dots.filter(|dot| !peer.has_retired(dot.replica)) {
        match peer.position(dot) {
            None => return Some(format!("it does not hold {}", dot_text(dot))),
            Some(seq) if seq > durable => {
                return Some(format!("{} is row {seq} of its log, durable up to {durable}", dot_text(dot)));
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, row, view};
    use super::*;

    #[test]
    fn what_is_not_there_or_not_durable_is_noticed() {
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 0, dot(1, 2), 2);
        let held = &view.nodes[0];
        assert_eq!(holds_durably(held, 2, [dot(1, 1), dot(1, 2)].into_iter()), None);
        assert!(holds_durably(held, 1, [dot(1, 2)].into_iter()).is_some());
        assert!(holds_durably(held, 2, [dot(1, 3)].into_iter()).is_some());
        assert!(holds_durably(held, 2, [dot(2, 1)].into_iter()).is_some());
    }
}
