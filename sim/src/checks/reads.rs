//! What a reader sees of what it wrote and read before, on one node.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::ids::RecordId;

use super::content::is_torn;
use super::view::Shared;
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::Action;
use crate::world::{Happened, Node, NodeIndex, World, Written};

/// One write in so many is read back: opening a reader costs more than most writes.
const SAMPLE: u64 = 8;

/// The first writes of a run are all read back.
const ALL_OF_FIRST: u64 = 16;

/// Records remembered per node.
const KEPT: usize = 4;

/// A write is seen at once.
#[derive(Default)]
pub(super) struct ReadYourWrites {
    writes: u64,
    decided: u64,
}

impl Check for ReadYourWrites {
    about!(
        "read-your-writes",
        "What a write returned is what a reader gets right after it: some of the writes, the first ones of a run always."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        self.writes += 1;
        if self.writes > ALL_OF_FIRST && !self.writes.is_multiple_of(SAMPLE) {
            return Ok(());
        }
        let state = &world.nodes()[*node];
        if state.store().is_none_or(|store| store.committed() != write.seq) {
            return Ok(());
        }
        if is_overwritten(world.written(), write) || is_torn(world, *node) {
            return Ok(());
        }
        let Some(shown) = read(state, &write.model, &write.id) else { return Ok(()) };
        self.decided += 1;
        equal(write, shown.as_ref()).map_or(Ok(()), |broken| Err(broken.at(world, self.name())))
    }
}

/// Whether a later write of the same transaction, or of the same moment, is of the same record.
fn is_overwritten(all: &[Written], write: &Written) -> bool {
    let later = all.iter().rev().take_while(|later| later.node == write.node && later.seq == write.seq);
    later
        .take_while(|later| (later.event, later.place) != (write.event, write.place))
        .any(|later| later.record == write.record)
}

/// A record of the ledger as a node shows it, in the ledger's words; `None` if it cannot be read.
fn read(node: &Node, model: &str, id: &str) -> Option<Option<Map<String, Value>>> {
    let (here, id_here) = node.here(model, id);
    let record = node.store()?.reader().ok()?.get(&here, &id_here).ok()?;
    Some(record.map(|record| node.told(&here, &id_here, record).2))
}

fn equal(write: &Written, shown: Option<&Map<String, Value>>) -> Option<Broken> {
    let expected = write.after.as_ref().filter(|_| !matches!(write.action, Action::Delete { .. }));
    if shown == expected {
        return None;
    }
    let text = |record: Option<&Map<String, Value>>| {
        record.map_or_else(|| "nothing".to_owned(), |record| Value::Object(record.clone()).to_string())
    };
    let message = format!(
        "event {} left {} {} as {}, and a reader sees {}",
        write.event,
        write.model,
        write.id,
        text(expected),
        text(shown)
    );
    Some(Broken::new([write.node], message))
}

/// A record's past stays as it was read.
#[derive(Default)]
pub(super) struct MonotonicReads {
    nodes: BTreeMap<NodeIndex, (u64, Read)>,
    turn: usize,
    decided: u64,
}

/// The hashes of a record's changes as they were read, by model and id.
type Read = BTreeMap<(String, String), Vec<String>>;

impl Check for MonotonicReads {
    about!(
        "monotonic-reads",
        "While a node lives, what was read of a record's history is there at every later read, in the same order."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        let boot = world.nodes()[*node].boots();
        let known = self.nodes.entry(*node).or_default();
        if known.0 != boot {
            *known = (boot, BTreeMap::new());
        }
        if known.1.len() < KEPT {
            known.1.entry((write.model.clone(), write.id.clone())).or_default();
        }
        Ok(())
    }

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        let count = self.nodes.len().max(1);
        self.turn += 1;
        self.look(world, self.turn % count, 1)
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, 0, usize::MAX)
    }
}

impl MonotonicReads {
    /// Looks at some of the nodes: reading a history costs as much as it is long.
    fn look(&mut self, world: &World, first: usize, most: usize) -> Result<(), Violation> {
        for (node, (boot, records)) in self.nodes.iter_mut().skip(first).take(most) {
            let state = &world.nodes()[*node];
            let Some(store) = state.store().filter(|_| state.boots() == *boot) else { continue };
            if is_torn(world, *node) {
                continue;
            }
            for ((model, id), before) in records {
                let (model, id) = state.here(model, id);
                let Ok(now) = store.change_hashes(&model, &id) else { continue };
                self.decided += u64::from(!before.is_empty());
                if !now.starts_with(before) {
                    let message = format!("the history of {model} {id} is not what was read of it before");
                    return Err(Broken::new([*node], message).at(world, "monotonic-reads"));
                }
                *before = now;
            }
        }
        Ok(())
    }
}

/// What memory showed, the file shows after it was opened again.
pub(super) struct ReopenedEqualsMemory {
    view: Shared,
    nodes: BTreeMap<NodeIndex, BTreeMap<RecordId, Written>>,
    decided: u64,
}

impl ReopenedEqualsMemory {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, nodes: BTreeMap::new(), decided: 0 }
    }
}

impl Check for ReopenedEqualsMemory {
    about!(
        "reopened-equals-memory",
        "What a node showed of the records it wrote last, it shows again after it was closed or killed and opened, if \
         no other change of them came and a power cut has not taken the write."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        if let Happened::Wrote { write: Some(write), node, .. } = happened
            && write.replica.is_some()
        {
            let last = self.nodes.entry(*node).or_default();
            last.insert(write.record, (*write).clone());
            if last.len() > KEPT
                && let Some(oldest) = last.values().min_by_key(|write| write.seq).map(|write| write.record)
            {
                last.remove(&oldest);
            }
        }
        let view = self.view.borrow();
        let node = view.news.node;
        let Some(reopened) = &view.news.reopened else { return Ok(()) };
        let last = self.nodes.remove(&node).unwrap_or_default();
        let state = &world.nodes()[node];
        if reopened.mislaid {
            return Ok(());
        }
        for write in last.values().filter(|write| write.seq <= reopened.kept) {
            let later = view.nodes[node].rows(write.seq, u64::MAX);
            if later.iter().any(|place| view.changes.get(place.change).record == write.record) {
                continue;
            }
            let Some(mut shown) = read(state, &write.model, &write.id) else { continue };
            if let (Some(shown), Some(after), true) = (&mut shown, &write.after, state.has_own_schema()) {
                // The app that wrote may have known less.
                shown.retain(|name, _| after.contains_key(name));
            }
            self.decided += 1;
            if let Some(broken) = equal(write, shown.as_ref()) {
                return Err(broken.at(world, self.name()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;
    use syncline_core::vector::VersionVector;

    use super::*;

    /// A write of node 0 to one record.
    pub(in super::super) fn written(event: u32, action: Action, before: Value, after: Value) -> Written {
        let map = |value: Value| value.as_object().cloned();
        Written {
            event,
            place: 0,
            node: 0,
            boot: 1,
            at_ms: 0,
            action,
            model: "Todo".to_owned(),
            id: "a".to_owned(),
            record: RecordId([1; 16]),
            replica: Some(super::super::view::tests::replica(1)),
            counters: (u64::from(event), u64::from(event)),
            seen: VersionVector::new(),
            seq: u64::from(event),
            before: map(before),
            after: map(after),
        }
    }

    fn delete() -> Action {
        Action::Delete { node: "n0".to_owned(), record: 1 }
    }

    fn update() -> Action {
        Action::Update { node: "n0".to_owned(), record: 1, values: Map::new() }
    }

    #[test]
    fn what_reads_otherwise_than_it_was_written_is_noticed() {
        let gone = written(1, delete(), json!({"title": "a"}), json!({"title": "a"}));
        assert!(equal(&gone, None).is_none() && equal(&gone, gone.after.as_ref()).is_some());
        let write = written(1, update(), Value::Null, json!({"title": "a"}));
        assert!(equal(&write, write.after.as_ref()).is_none());
        assert!(equal(&write, None).is_some());
        assert!(equal(&write, json!({"title": "b"}).as_object()).is_some());
    }

    #[test]
    fn of_two_writes_in_one_transaction_the_later_counts() {
        let first = written(1, delete(), Value::Null, Value::Null);
        let second = Written { place: 1, ..first.clone() };
        let all = [first.clone(), second.clone()];
        assert!(is_overwritten(&all, &first) && !is_overwritten(&all, &second));
    }
}
