//! A dot names one change, for ever and everywhere.

use std::collections::BTreeMap;

use syncline_core::ids::{Dot, ReplicaId};

use super::content::is_torn;
use super::view::{ChangeId, Row, Shared, View, dot_text, short};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::Role;
use crate::world::{Excuse, Happened, NodeIndex, World};

/// What may bring two histories into being under one replica id.
const FORKS: [Excuse; 3] = [Excuse::Cloned, Excuse::DiskLied, Excuse::BitsFlipped];

/// A dot is one record and one hash in the whole fleet.
pub(super) struct OneChangePerDot {
    view: Shared,
    names: Names,
    decided: u64,
}

impl OneChangePerDot {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, names: Names::default(), decided: 0 }
    }
}

impl Check for OneChangePerDot {
    about!(
        "one-change-per-dot",
        "A dot names one change of one record in the whole fleet, unless its writer's disk lied, its file lives twice, \
         a torn file gave it out, or somebody forged it."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let node = view.news.node;
        if is_torn(world, node) {
            return Ok(());
        }
        for row in &view.news.rows {
            let Some(dot) = row.dot else { continue };
            self.decided += 1;
            if let Some((other, by)) = self.names.take(dot, row.change, node)
                && !view.is_doubtful(other)
                && !view.is_doubtful(row.change)
                && !view.is_excused(world, dot.replica, &FORKS)
            {
                let (one, two) = (view.changes.get(other), view.changes.get(row.change));
                let message = format!(
                    "{} is {} of record {} on {} and {} of record {} on {}",
                    dot_text(dot),
                    short(&one.hash),
                    short(&one.record.0),
                    view.name(by),
                    short(&two.hash),
                    short(&two.record.0),
                    view.name(node)
                );
                return Err(Broken::new([by, node], message).at(world, self.name()));
            }
        }
        Ok(())
    }
}

/// What each dot was first seen to name, and where.
#[derive(Default)]
struct Names(BTreeMap<ReplicaId, BTreeMap<u64, (ChangeId, NodeIndex)>>);

impl Names {
    /// What the dot named before, if that was something else.
    fn take(&mut self, dot: Dot, change: ChangeId, node: NodeIndex) -> Option<(ChangeId, NodeIndex)> {
        let (first, by) = *self.0.entry(dot.replica).or_default().entry(dot.counter).or_insert((change, node));
        (first != change).then_some((first, by))
    }
}

/// Own counters only rise.
pub(super) struct NeverReissued {
    view: Shared,
    issued: Issued,
    decided: u64,
}

impl NeverReissued {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, issued: Issued::default(), decided: 0 }
    }
}

impl Check for NeverReissued {
    about!(
        "dots-never-reissued",
        "No write is given a counter that its replica id gave out before, whatever was lost, killed or restored in \
         between; only a disk that lied about the removed proof, or a file that lives twice, excuses that."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        let Some(replica) = write.replica else { return Ok(()) };
        self.decided += 1;
        let Some(last) = self.issued.take(replica, write.counters) else { return Ok(()) };
        let view = self.view.borrow();
        if view.is_excused(world, replica, &FORKS) {
            return Ok(());
        }
        let message = format!(
            "event {} wrote change {} of replica {}, which had given out {last} already",
            write.event,
            write.counters.0,
            short(&replica.0)
        );
        Err(Broken::new([*node], message).at(world, self.name()))
    }
}

#[derive(Default)]
struct Issued(BTreeMap<ReplicaId, u64>);

impl Issued {
    /// The last counter given out, if the new ones do not follow it.
    fn take(&mut self, replica: ReplicaId, (first, last): (u64, u64)) -> Option<u64> {
        let issued = self.0.entry(replica).or_default();
        let before = *issued;
        *issued = last.max(before);
        (first <= before).then_some(before)
    }
}

/// No record takes a change in twice.
pub(super) struct AppliedOnce {
    view: Shared,
    decided: u64,
}

impl AppliedOnce {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for AppliedOnce {
    about!(
        "applied-once",
        "A change becomes part of its record once, however often and under however many dots it comes; relays, which \
         do not look into records, are left out."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let node = view.news.node;
        let state = &world.nodes()[node];
        // Records of models that an older schema lacks are kept unread.
        if view.news.rows.is_empty() || state.role() != Role::Device || state.has_own_schema() || is_torn(world, node) {
            return Ok(());
        }
        self.decided += view.news.rows.len() as u64;
        twice(&view).map_or(Ok(()), |broken| Err(broken.at(world, self.name())))
    }
}

fn twice(view: &View) -> Option<Broken> {
    let row = view.news.rows.iter().find(|row| row.again && row.kind == "applied")?;
    let known = view.changes.get(row.change);
    let message = format!(
        "row {} of its log applies {} once more to record {}",
        row.seq,
        short(&known.hash),
        short(&known.record.0)
    );
    Some(Broken::new([view.news.node], message))
}

/// Honest writers lose their replica ids for a reason only.
pub(super) struct RetiredForAReason {
    view: Shared,
    decided: u64,
}

impl RetiredForAReason {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for RetiredForAReason {
    about!(
        "retired-for-a-reason",
        "A replica id is retired only if its writer's file lives twice, or if a hostile peer spoke falsely of that very \
         id: changes are not signed, so a liar may retire an id by name, and nothing more. Fleets in which a disk lied \
         are left out, since a torn store may tell anything."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let Some(before) = &view.news.version_before else { return Ok(()) };
        let node = view.news.node;
        if (0..view.nodes.len()).any(|node| is_torn(world, node)) {
            // A store that is in pieces may tell two histories of anybody.
            return Ok(());
        }
        let new = retired(&view, node, before, &view.news.rows);
        self.decided += 1;
        match new.iter().find(|replica| !view.is_excused(world, **replica, &FORKS)) {
            None => Ok(()),
            Some(replica) => {
                let owners: Vec<&str> = view.owners(*replica).map(|owner| view.name(owner)).collect();
                let message =
                    format!("replica {} of {} was retired for no reason", short(&replica.0), owners.join(" and "));
                Err(Broken::new([node], message).at(world, self.name()))
            }
        }
    }
}

/// Nobody writes under a retired id.
pub(super) struct RetiredAreLeft {
    view: Shared,
    decided: u64,
}

impl RetiredAreLeft {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for RetiredAreLeft {
    about!("retired-ids-are-left", "A store that knows that its replica id is retired writes under another one.");

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        let Some(replica) = write.replica else { return Ok(()) };
        self.decided += 1;
        let view = self.view.borrow();
        if !world.nodes()[*node].is_honest() || !writes_retired(&view, *node, replica) {
            return Ok(());
        }
        let message =
            format!("event {} wrote under replica {}, which it knows is retired", write.event, short(&replica.0));
        Err(Broken::new([*node], message).at(world, self.name()))
    }
}

fn writes_retired(view: &View, node: NodeIndex, replica: ReplicaId) -> bool {
    view.nodes[node].has_retired(replica)
}

/// Replica ids that a node has retired just now.
fn retired(
    view: &View,
    node: NodeIndex,
    before: &syncline_core::vector::VersionVector,
    rows: &[Row],
) -> Vec<ReplicaId> {
    let held = &view.nodes[node];
    let new = rows.iter().filter_map(|row| Some(row.dot?.replica));
    let mut all: Vec<ReplicaId> = before.iter().map(|(replica, _)| replica).chain(new).collect();
    all.retain(|replica| held.has_retired(*replica));
    all
}

#[cfg(test)]
mod tests {
    use syncline_core::vector::VersionVector;

    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    #[test]
    fn a_dot_with_two_changes_is_noticed_wherever_they_are() {
        let mut names = Names::default();
        assert_eq!(names.take(dot(1, 1), 7, 0), None);
        assert_eq!(names.take(dot(1, 1), 7, 1), None);
        assert_eq!(names.take(dot(1, 2), 7, 1), None);
        assert_eq!(names.take(dot(1, 1), 8, 2), Some((7, 0)));
    }

    #[test]
    fn a_counter_that_is_given_out_again_is_noticed() {
        let mut issued = Issued::default();
        assert_eq!(issued.take(replica(1), (1, 3)), None);
        assert_eq!(issued.take(replica(1), (4, 4)), None);
        assert_eq!(issued.take(replica(1), (4, 5)), Some(4));
        assert_eq!(issued.take(replica(2), (1, 1)), None);
    }

    #[test]
    fn a_change_that_is_applied_again_is_noticed_and_one_that_is_kept_beside_is_not() {
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 9);
        row(&mut view, 0, dot(2, 1), 9);
        assert!(twice(&view).is_some());
        view.news.rows[1].kind = "repeated";
        assert!(twice(&view).is_none());
    }

    #[test]
    fn a_retired_id_is_one_that_has_rows_and_no_entry() {
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 0, dot(2, 1), 2);
        let before = view.nodes[0].version.clone();
        view.nodes[0].version = VersionVector::from_iter([(replica(2), 1)]);
        assert_eq!(retired(&view, 0, &before, &[]), vec![replica(1)]);
        assert!(writes_retired(&view, 0, replica(1)) && !writes_retired(&view, 0, replica(2)));
    }
}
