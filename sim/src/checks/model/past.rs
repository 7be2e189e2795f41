//! What apps did to each record and is still there, gathered once for all judges.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value};
use syncline_core::ids::{RecordId, ReplicaId};

use super::super::content::{cores, is_torn, records, wrecked};
use super::super::view::{Held, Shared, View};
use super::History;
use crate::world::{NodeIndex, World, Written};

/// One record's surviving writes, by their places in the ledger, and what a node shows of it.
pub(in super::super) struct Past {
    pub(super) node: NodeIndex,
    pub(super) model: String,
    pub(super) id: String,
    writes: Vec<usize>,
    pub(super) shown: Option<Map<String, Value>>,
}

impl Past {
    pub(super) fn history<'a>(&'a self, world: &'a World) -> Option<History<'a>> {
        let model = world.nodes()[self.node].told_schema()?.model(&self.model)?;
        let writes = self.writes.iter().map(|at| &world.written()[*at]).collect();
        Some(History { model, writes, shown: self.shown.as_ref() })
    }
}

/// The past of every record that can be known.
pub(super) fn of(view: &Shared, world: &World) -> Rc<Vec<Past>> {
    if let Some(past) = &view.borrow().past {
        return Rc::clone(past);
    }
    let mut all = Vec::new();
    for core in cores(world, &wrecked(world)) {
        all.extend(of_core(&view.borrow(), world, &core));
    }
    let past = Rc::new(all);
    view.borrow_mut().past = Some(Rc::clone(&past));
    past
}

/// Of each version of the app, one node speaks.
fn of_core(view: &View, world: &World, core: &[NodeIndex]) -> Vec<Past> {
    let speaks = |node: &NodeIndex| {
        let state = &world.nodes()[*node];
        let is_whole = state.schema().is_some() && !is_torn(world, *node);
        is_whole && state.store().is_some_and(|store| store.committed() == view.nodes[*node].len())
    };
    let mut versions = BTreeSet::new();
    let speakers = core.iter().copied().filter(|node| speaks(node) && versions.insert(world.nodes()[*node].sdl()));
    speakers.filter_map(|node| of_speaker(view, world, node)).flatten().collect()
}

fn of_speaker(view: &View, world: &World, node: NodeIndex) -> Option<Vec<Past>> {
    let state = &world.nodes()[node];
    let shown = records(state.store()?, state.schema()?)?.into_iter();
    let told = shown.map(|((model, id), record)| state.told(&model, &id, record));
    let mut shown: BTreeMap<(String, String), Map<String, Value>> =
        told.map(|(model, id, record)| ((model, id), record)).collect();
    let left_out = left_out(view, world, node);
    let mut by_record: BTreeMap<RecordId, Vec<usize>> = BTreeMap::new();
    for (at, write) in world.written().iter().enumerate() {
        let survived = write.replica.is_some_and(|replica| view.nodes[node].counter(replica) >= write.counters.1);
        if survived && write.counters.0 > 0 && !left_out.contains(&write.record) {
            by_record.entry(write.record).or_default().push(at);
        }
    }
    let past = by_record.into_values().map(|writes| {
        let first = &world.written()[writes[0]];
        let name = (first.model.clone(), first.id.clone());
        let shown = shown.remove(&name);
        Past { node, model: name.0, id: name.1, writes, shown }
    });
    Some(past.collect())
}

/// Records of whose changes some are not in the ledger, wait, are refused or have two meanings, that a
/// hostile peer had its hands on, or that a writer changed whose disk lied: it may give a lost dot out again.
fn left_out(view: &View, world: &World, node: NodeIndex) -> BTreeSet<RecordId> {
    let held = &view.nodes[node];
    let mut left_out = view.held_up.clone();
    let mut told: BTreeMap<ReplicaId, BTreeMap<u64, u64>> = BTreeMap::new();
    for write in world.written() {
        if is_odd(view, world, held, write) {
            left_out.insert(write.record);
        }
        if let Some(replica) = write.replica {
            told.entry(replica).or_default().insert(write.counters.1, write.counters.0);
        }
    }
    for place in held.rows(0, u64::MAX) {
        let Some(dot) = place.dot else { continue };
        let of = told.get(&dot.replica).and_then(|writes| writes.range(dot.counter..).next());
        if of.is_none_or(|(_, first)| *first > dot.counter) {
            left_out.insert(view.changes.get(place.change).record);
        }
    }
    for lies in world.nodes().iter().filter_map(|node| node.lies()) {
        left_out.extend(&lies.records);
    }
    left_out
}

fn is_odd(view: &View, world: &World, held: &Held, write: &Written) -> bool {
    let Some(replica) = write.replica else { return false };
    let writer = &world.nodes()[write.node];
    let counter = held.counter(replica);
    let cut = counter >= write.counters.0 && counter < write.counters.1;
    let retired = view.nodes.iter().any(|held| held.has_retired(replica));
    let lied_to = is_torn(world, write.node);
    cut || retired || lied_to || !writer.is_honest()
}
