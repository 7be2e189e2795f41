//! Order: what a change builds on, and what its writer had seen, comes before it everywhere.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::ids::ReplicaId;
use syncline_core::vector::VersionVector;

use super::content::is_torn;
use super::view::{Held, Row, Shared, dot_text, short};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::{Action, EventId, Role};
use crate::world::{Happened, NodeIndex, World};

/// What a change builds on stands before it in the log.
pub(super) struct CausalOrder {
    view: Shared,
    decided: u64,
}

impl CausalOrder {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for CausalOrder {
    about!(
        "causal-order",
        "What a change builds on stands before it in every log, or is a genesis; changes that wait for others are left \
         out, and those that a torn file gave out, or passed on to a relay, which does not look into changes, \
         without what they build on. Where there are hostile peers, relays are left out, too, and what came in one \
         batch may stand in any order."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let node = view.news.node;
        let state = &world.nodes()[node];
        let unread = state.role() == Role::Relay || state.has_own_schema();
        let excused = is_torn(world, node) || (unread && view.has_hostile);
        if view.news.rows.is_empty() || excused {
            return Ok(());
        }
        // Hostile writers may bring geneses that nobody else knows, and torn files changes of no record.
        let honest = |row: &&Row| {
            !view.is_doubtful(row.change) && row.dot.is_none_or(|dot| !view.is_excused(world, dot.replica, &[]))
        };
        // They also bring changes in any order, and what came in one batch is judged together.
        let came_along = |row: &&Row| {
            let missing = row.missing.and_then(|hash| view.changes.find(view.changes.get(row.change).record, hash));
            view.has_hostile && missing.is_some_and(|change| view.nodes[node].has(change))
        };
        // A device waits with what it cannot build on, and passes it on all the same; that the rest was sent to it, its
        // file says, of which a part is gone.
        let torn: Vec<NodeIndex> = (0..view.nodes.len()).filter(|node| unread && is_torn(world, *node)).collect();
        let without = |row: &&Row| {
            let missing = row.missing.map(|hash| view.changes.find(view.changes.get(row.change).record, hash));
            missing.is_some_and(|missing| {
                let lacks = |held: &Held| held.has(row.change) && missing.is_none_or(|change| !held.has(change));
                torn.iter().any(|node| lacks(&view.nodes[*node]))
            })
        };
        let rows = view.news.rows.iter().filter(honest).filter(|row| !came_along(row) && !without(row));
        let rows: Vec<&Row> = rows.collect();
        self.decided += rows.len() as u64;
        in_order(node, &rows).map_err(|broken| broken.at(world, self.name()))
    }
}

fn in_order(node: NodeIndex, rows: &[&Row]) -> Result<(), Broken> {
    for row in rows.iter().filter(|row| matches!(row.kind, "applied" | "repeated")) {
        if let Some(missing) = row.missing {
            let name = row.dot.map(dot_text).unwrap_or_default();
            let message =
                format!("row {} of its log, {name}, builds on {}, which it does not hold", row.seq, short(&missing));
            return Err(Broken::new([node], message));
        }
    }
    Ok(())
}

/// Whoever holds a write holds what its writer had seen.
pub(super) struct WritesFollowReads {
    view: Shared,
    seen: BTreeMap<ReplicaId, BTreeMap<u64, VersionVector>>,
    decided: u64,
}

/// Of fleets larger than this one write in so many is followed: vectors grow with the fleet.
const SMALL_FLEET: usize = 32;
const SAMPLE: u64 = 16;

impl WritesFollowReads {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, seen: BTreeMap::new(), decided: 0 }
    }
}

impl Check for WritesFollowReads {
    about!(
        "writes-follow-reads",
        "Whoever holds a write holds everything that its writer held when it wrote, across all records: logs are \
         causal. Not decided where hostile peers withhold changes or files were put back."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        if view.has_hostile {
            return Ok(());
        }
        if let Happened::Wrote { write: Some(write), .. } = happened
            && let Some(replica) = write.replica
            && (view.nodes.len() <= SMALL_FLEET || write.counters.1.is_multiple_of(SAMPLE))
        {
            self.seen.entry(replica).or_default().insert(write.counters.1, write.seen.clone());
        }
        if view.news.rows.is_empty() || world.nodes().iter().any(|node| !node.excuses().is_empty()) {
            return Ok(());
        }
        let node = view.news.node;
        for row in &view.news.rows {
            let Some(dot) = row.dot else { continue };
            let Some(seen) = self.seen.get(&dot.replica).and_then(|writes| writes.get(&dot.counter)) else { continue };
            self.decided += 1;
            if let Some(lacks) = lacks(&view.nodes[node], seen) {
                let message =
                    format!("it holds {}, whose writer had seen {lacks}, which it does not hold", dot_text(dot));
                return Err(Broken::new([node], message).at(world, self.name()));
            }
        }
        Ok(())
    }
}

/// What belongs together is seen together.
pub(super) struct TransactionsWhole {
    view: Shared,
    transactions: Transactions,
    decided: u64,
}

impl TransactionsWhole {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, transactions: Transactions::default(), decided: 0 }
    }
}

impl Check for TransactionsWhole {
    about!(
        "transactions-whole",
        "A transaction that an app made of several writes, or a delete with what it takes along, is held whole or not at \
         all, at every node and moment."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        if let Happened::Wrote { write: Some(write), .. } = happened
            && matches!(world_action(world, write.event), Some(Action::Together { .. } | Action::Delete { .. }))
            && let Some(replica) = write.replica
        {
            self.transactions.add(replica, write.event, write.counters);
        }
        let view = self.view.borrow();
        let node = view.news.node;
        if view.has_hostile || is_torn(world, node) {
            return Ok(());
        }
        let touched: BTreeSet<ReplicaId> = view.news.rows.iter().filter_map(|row| Some(row.dot?.replica)).collect();
        for replica in touched.into_iter().filter(|replica| !view.nodes[node].has_retired(*replica)) {
            self.decided += u64::from(self.transactions.0.contains_key(&replica));
            if let Some((event, first, last)) = self.transactions.cut(replica, view.nodes[node].counter(replica)) {
                let message = format!(
                    "it holds the transaction of event {event}, changes {first} to {last} of replica {}, only up to {}",
                    short(&replica.0),
                    view.nodes[node].counter(replica)
                );
                return Err(Broken::new([node], message).at(world, self.name()));
            }
        }
        Ok(())
    }
}

fn world_action(world: &World, event: EventId) -> Option<&Action> {
    world.schedule().events.iter().find(|scheduled| scheduled.id == event).map(|scheduled| &scheduled.action)
}

/// Transactions of several writes, by their last counter.
#[derive(Default)]
struct Transactions(BTreeMap<ReplicaId, BTreeMap<u64, (EventId, u64)>>);

impl Transactions {
    fn add(&mut self, replica: ReplicaId, event: EventId, (first, last): (u64, u64)) {
        let of = self.0.entry(replica).or_default();
        let begun = of.last_key_value().filter(|(before, (known, _))| *known == event && **before + 1 == first);
        match begun.map(|(before, (_, first))| (*before, *first)) {
            Some((before, first)) => {
                of.remove(&before);
                of.insert(last, (event, first));
            }
            None => {
                of.insert(last, (event, first));
            }
        }
    }

    /// The transaction that a log which ends at this counter cuts.
    fn cut(&self, replica: ReplicaId, counter: u64) -> Option<(EventId, u64, u64)> {
        let (last, (event, first)) = self.0.get(&replica)?.range(counter + 1..).next()?;
        (*first <= counter).then_some((*event, *first, *last))
    }
}

fn lacks(held: &Held, seen: &VersionVector) -> Option<String> {
    let (replica, counter) = seen.iter().find(|(replica, counter)| held.counter(*replica) < *counter)?;
    Some(format!("change {counter} of replica {}", short(&replica.0)))
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    #[test]
    fn a_change_before_what_it_builds_on_is_noticed_unless_it_waits() {
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 1);
        view.news.rows[0].missing = Some([3; 32]);
        assert!(in_order(0, &[&view.news.rows[0]]).is_err());
        view.news.rows[0].kind = "pending";
        assert!(in_order(0, &[&view.news.rows[0]]).is_ok());
    }

    #[test]
    fn half_a_transaction_is_noticed() {
        let mut transactions = Transactions::default();
        transactions.add(replica(1), 1, (1, 1));
        transactions.add(replica(1), 2, (2, 3));
        transactions.add(replica(1), 2, (4, 4));
        assert_eq!([0, 1, 4].map(|counter| transactions.cut(replica(1), counter)), [None; 3]);
        assert_eq!(transactions.cut(replica(1), 3), Some((2, 2, 4)));
    }

    #[test]
    fn a_store_that_lacks_what_a_writer_had_seen_is_noticed() {
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 1);
        assert_eq!(lacks(&view.nodes[0], &VersionVector::from_iter([(replica(1), 1)])), None);
        assert!(lacks(&view.nodes[0], &VersionVector::from_iter([(replica(1), 2)])).is_some());
    }
}
