//! What an app was told is saved stays saved.

use std::collections::BTreeMap;

use syncline_core::ids::ReplicaId;

use super::acknowledged::is_plain;
use super::content::{cores, wrecked};
use super::view::{Shared, View, short};
use super::{Broken, Check, about};
use crate::disk::Survival;
use crate::outcome::Violation;
use crate::schedule::{Durability, EventId};
use crate::world::{Happened, NodeIndex, World};

/// What a write returned for survives what its durability promises, and is everywhere at the end.
pub(super) struct SavedIsKept {
    view: Shared,
    nodes: BTreeMap<NodeIndex, Saves>,
    decided: u64,
}

impl SavedIsKept {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, nodes: BTreeMap::new(), decided: 0 }
    }
}

impl Check for SavedIsKept {
    about!(
        "saved-is-kept",
        "What an app was told is saved survives the end of its process, and a power cut if it was durable or the store \
         is `full`; at the end every honest node holds it."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        if let Happened::Wrote { write: Some(write), node, .. } = happened
            && let Some(replica) = write.replica
        {
            let full = world.nodes()[*node].spec().durability == Durability::Full;
            let saves = self.nodes.entry(*node).or_default();
            saves.add(Save { event: write.event, seq: write.seq, replica, last: write.counters.1, full });
        }
        if let Happened::Died { node, survival, durable, .. } = happened
            && *survival != Survival::Everything
        {
            let durable = view.nodes[*node].durable.max(*durable);
            self.nodes.entry(*node).or_default().cut(durable);
        }
        let node = view.news.node;
        if let (Some(reopened), Some(saves)) = (&view.news.reopened, self.nodes.get_mut(&node)) {
            self.decided += saves.all.len() as u64;
            if reopened.mislaid {
                saves.all.clear();
            }
            if let Some(gone) = saves.reopened(reopened.kept) {
                let message = format!(
                    "event {} was saved as row {} of its log, and after it was opened again the log has {} rows",
                    gone.event, gone.seq, reopened.kept
                );
                return Err(Broken::new([node], message).at(world, self.name()));
            }
        }
        Ok(())
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        let view = self.view.borrow();
        for core in cores(world, &wrecked(world)) {
            let needs = needs(&self.nodes, core.iter().filter(|node| is_plain(world, **node)));
            for node in &core {
                self.decided += needs.len() as u64;
                if world.nodes()[*node].store().is_some()
                    && let Some(broken) = lacks(&view, *node, &needs)
                {
                    return Err(broken.at(world, self.name()));
                }
            }
        }
        Ok(())
    }
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Save {
    event: EventId,
    seq: u64,
    replica: ReplicaId,
    last: u64,
    full: bool,
}

/// What one node's app was told is saved.
#[derive(Default)]
struct Saves {
    all: Vec<Save>,
    /// What was durable at the power cut since it was opened last, if there was one.
    cut_at: Option<u64>,
}

impl Saves {
    fn add(&mut self, save: Save) {
        self.all.push(save);
    }

    fn cut(&mut self, durable: u64) {
        self.cut_at = Some(self.cut_at.map_or(durable, |before| before.min(durable)));
    }

    /// The first write that is gone and must not be. Others that are gone are no longer expected.
    fn reopened(&mut self, kept: u64) -> Option<Save> {
        let cut_at = self.cut_at.take();
        let must = |save: &Save| save.full || cut_at.is_none_or(|durable| save.seq <= durable);
        let gone = self.all.iter().find(|save| save.seq > kept && must(save)).copied();
        self.all.retain(|save| save.seq <= kept);
        gone
    }
}

/// The last counter of each replica that everybody must hold, with a writer and an event.
fn needs<'n>(
    nodes: &BTreeMap<NodeIndex, Saves>,
    of: impl Iterator<Item = &'n NodeIndex>,
) -> BTreeMap<ReplicaId, (u64, NodeIndex, EventId)> {
    let mut needs = BTreeMap::new();
    for node in of {
        for save in nodes.get(node).map(|saves| saves.all.as_slice()).unwrap_or_default() {
            let need = needs.entry(save.replica).or_insert((0, *node, save.event));
            *need = (*need).max((save.last, *node, save.event));
        }
    }
    needs
}

fn lacks(view: &View, node: NodeIndex, needs: &BTreeMap<ReplicaId, (u64, NodeIndex, EventId)>) -> Option<Broken> {
    let held = &view.nodes[node];
    for (replica, (last, writer, event)) in needs {
        let has = match held.has_retired(*replica) || view.nodes[*writer].has_retired(*replica) {
            // Dots of a retired id are not counted on; its writer's rows are what must be there.
            true => {
                let rows = view.nodes[*writer].rows(0, u64::MAX);
                let mut own = rows.iter().filter(|row| row.dot.is_some_and(|dot| dot.replica == *replica));
                own.all(|row| held.has(row.change))
            }
            false => held.counter(*replica) >= *last,
        };
        if !has {
            let message = format!(
                "at the end it lacks what {} was told is saved: change {last} of replica {}, event {event}",
                view.name(*writer),
                short(&replica.0)
            );
            return Some(Broken::new([node, *writer], message));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    fn save(seq: u64, full: bool) -> Save {
        Save { event: seq as EventId, seq, replica: replica(1), last: seq, full }
    }

    #[test]
    fn a_kill_takes_nothing_and_a_power_cut_what_was_not_durable() {
        let mut saves = Saves::default();
        [1, 2, 3].iter().for_each(|seq| saves.add(save(*seq, false)));
        assert_eq!(saves.reopened(3), None);
        saves.cut(2);
        assert_eq!(saves.reopened(2), None);
        saves.add(save(3, false));
        assert_eq!(saves.reopened(2), Some(save(3, false)));
        saves.add(save(3, true));
        saves.cut(1);
        assert_eq!(saves.reopened(2), Some(save(3, true)));
        saves.cut(2);
        assert_eq!(saves.reopened(1), Some(save(2, false)));
    }

    #[test]
    fn a_node_that_lacks_a_saved_change_at_the_end_is_noticed() {
        let mut view = view(2);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 0, dot(1, 2), 2);
        row(&mut view, 1, dot(1, 1), 1);
        let mut saves = Saves::default();
        saves.add(save(2, false));
        let needs = needs(&BTreeMap::from([(0, saves)]), [0].iter());
        assert!(lacks(&view, 0, &needs).is_none());
        assert!(lacks(&view, 1, &needs).is_some());
    }
}
