//! What nodes show: equal for equal vectors, and the same everywhere once the fleet agrees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use syncline_core::ids::ReplicaId;
use syncline_core::vector::VersionVector;
use syncline_engine::Store;
use syncline_engine::query::Query;
use syncline_schema::{Model, Schema};

use super::view::{Shared, short};
use super::{Broken, Check, about};
use crate::outcome::{Differing, Violation};
use crate::world::{Excuse, NodeIndex, World};

/// Records that a message names at most.
const DIFFERING_MAX: usize = 5;

/// Nodes whose records one look compares.
const NODES_PER_LOOK: usize = 8;

/// A record for people: its model and its id or key.
type Name = (String, String);

/// Whether all honest nodes that can reach each other by honest links hold and show the same.
pub fn agreement(world: &World) -> Result<(), Violation> {
    agree(world).map_err(|broken| broken.at(world, "converges"))
}

fn agree(world: &World) -> Result<(), Broken> {
    agree_all(world, cores(world, &BTreeSet::new())).or_else(|broken| {
        // A file that was torn is asked only now: verifying costs more than comparing.
        let wrecked = wrecked(world);
        if wrecked.is_empty() { Err(broken) } else { agree_all(world, cores(world, &wrecked)) }
    })
}

fn agree_all(world: &World, cores: Vec<Vec<NodeIndex>>) -> Result<(), Broken> {
    for core in cores {
        let mut versions = Vec::with_capacity(core.len());
        for node in &core {
            match world.nodes()[*node].store() {
                Some(store) => versions.push((*node, store.version())),
                None if is_torn(world, *node) => {}
                None if core.len() == 1 => {}
                None => return Err(Broken::new([*node], "it does not run, or nobody has reached its store")),
            }
        }
        let retired = retired(world, &versions);
        same_vectors(world, &versions, &retired)?;
        let nodes: Vec<NodeIndex> = versions.into_iter().map(|(node, _)| node).collect();
        if !retired.is_empty() {
            same_rows(world, &nodes, &retired)?;
        }
        same_records(world, &nodes, usize::MAX)?;
    }
    Ok(())
}

/// Whether a lying disk or flipped bits have left a store in pieces: it may talk for ever without getting anywhere.
pub fn has_wreck(world: &World) -> bool {
    !wrecked(world).is_empty()
}

/// Nodes whose disk lied or whose bits flipped, and whose file is in pieces: no store can survive that alone.
pub(super) fn wrecked(world: &World) -> BTreeSet<NodeIndex> {
    let damaged = |node: &NodeIndex| {
        let store = world.nodes()[*node].store();
        is_torn(world, *node) && store.is_none_or(|store| store.verify().map_or(true, |report| !report.is_ok()))
    };
    (0..world.nodes().len()).filter(damaged).collect()
}

/// Whether a node's file may be in pieces.
pub(super) fn is_torn(world: &World, node: NodeIndex) -> bool {
    let had = world.nodes()[node].excuses();
    had.contains(&Excuse::BitsFlipped) || had.contains(&Excuse::DiskLied)
}

/// Honest nodes that were ever started and are not wrecked, in groups that links between them join.
pub(super) fn cores(world: &World, wrecked: &BTreeSet<NodeIndex>) -> Vec<Vec<NodeIndex>> {
    let nodes = world.nodes();
    let mut group: Vec<NodeIndex> = (0..nodes.len()).collect();
    let index: BTreeMap<&str, NodeIndex> = nodes.iter().enumerate().map(|(index, node)| (node.name(), index)).collect();
    let is_core = |node: NodeIndex| nodes[node].is_honest() && nodes[node].is_born() && !wrecked.contains(&node);
    for link in &world.schedule().fleet.links {
        let ends = (index.get(link.from.as_str()), index.get(link.to.as_str()));
        if let (Some(from), Some(to)) = ends
            && is_core(*from)
            && is_core(*to)
        {
            let (from, to) = (root(&mut group, *from), root(&mut group, *to));
            group[from.max(to)] = from.min(to);
        }
    }
    let mut cores: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
    for node in (0..nodes.len()).filter(|node| is_core(*node)) {
        cores.entry(root(&mut group, node)).or_default().push(node);
    }
    cores.into_values().collect()
}

fn root(group: &mut [NodeIndex], mut node: NodeIndex) -> NodeIndex {
    while group[node] != node {
        group[node] = group[group[node]];
        node = group[node];
    }
    node
}

/// Replica ids that any of the nodes has retired. Only such fleets are asked, for it costs much.
fn retired(world: &World, versions: &[(NodeIndex, VersionVector)]) -> BTreeSet<ReplicaId> {
    if world.nodes().iter().all(|node| node.excuses().is_empty()) {
        return BTreeSet::new();
    }
    let stores = versions.iter().filter_map(|(node, _)| world.nodes()[*node].store());
    let statuses = stores.filter_map(|store| store.status().ok());
    statuses.flat_map(|status| status.forked).filter_map(|id| ReplicaId::from_hex(&id)).collect()
}

fn same_vectors(
    world: &World,
    versions: &[(NodeIndex, VersionVector)],
    retired: &BTreeSet<ReplicaId>,
) -> Result<(), Broken> {
    let Some(((first, one), others)) = versions.split_first() else { return Ok(()) };
    for (node, other) in others {
        let replicas: BTreeSet<ReplicaId> = one.iter().chain(other.iter()).map(|(replica, _)| replica).collect();
        for replica in replicas.difference(retired) {
            let (here, there) = (one.counter(*replica), other.counter(*replica));
            if here != there {
                let (name, other) = (world.nodes()[*first].name(), world.nodes()[*node].name());
                let replica = short(&replica.0);
                let message = format!("of replica {replica} {name} holds {here} changes and {other} {there}");
                return Err(Broken::new([*first, *node], message));
            }
        }
    }
    Ok(())
}

/// Changes of retired replica ids, which vectors do not count, are the same too.
fn same_rows(world: &World, nodes: &[NodeIndex], retired: &BTreeSet<ReplicaId>) -> Result<(), Broken> {
    let of = |node: NodeIndex| {
        let rows = world.nodes()[node].store().and_then(|store| store.log_after(0).ok())?;
        let rows = rows.into_iter().filter(|row| row.dot.is_some_and(|dot| retired.contains(&dot.replica)));
        Some(rows.map(|row| (row.record, row.hash)).collect::<BTreeSet<_>>())
    };
    let mut all = nodes.iter().filter_map(|node| Some((*node, of(*node)?)));
    let Some((first, one)) = all.next() else { return Ok(()) };
    for (node, other) in all {
        if let Some((record, hash)) = one.symmetric_difference(&other).next() {
            let message =
                format!("one of them lacks {} of record {}, of a retired replica", short(hash), short(&record.0));
            return Err(Broken::new([first, node], message));
        }
    }
    Ok(())
}

/// Nodes with one schema show the same records.
fn same_records(world: &World, nodes: &[NodeIndex], most: usize) -> Result<(), Broken> {
    let mut by_schema: BTreeMap<Option<&str>, Vec<NodeIndex>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| world.nodes()[**node].schema().is_some()) {
        by_schema.entry(world.nodes()[*node].sdl()).or_default().push(*node);
    }
    for group in by_schema.values().filter(|group| group.len() > 1) {
        let mut shown = group.iter().take(most).filter_map(|node| Some((*node, digest(world, *node)?)));
        let Some((first, one)) = shown.next() else { continue };
        if let Some((node, _)) = shown.find(|(_, other)| *other != one) {
            return differ(world, group, (first, node));
        }
    }
    Ok(())
}

/// Hash over everything that a node shows.
fn digest(world: &World, node: NodeIndex) -> Option<[u8; 32]> {
    let state = &world.nodes()[node];
    let mut hasher = blake3::Hasher::new();
    shown(state.store()?, state.schema()?, |model, record| {
        hasher.update(model.name.as_bytes());
        hasher.update(Value::Object(record).to_string().as_bytes());
        hasher.update(b"\n");
    })?;
    Some(*hasher.finalize().as_bytes())
}

/// Every record that may travel, without fields that may not; `None` if the store cannot be read.
fn shown(store: &Store, schema: &Schema, mut each: impl FnMut(&Model, Map<String, Value>)) -> Option<()> {
    let reader = store.reader().ok()?;
    for model in schema.models.iter().filter(|model| !model.local) {
        for mut record in reader.query(&Query::new(&model.name)).ok()?.records {
            for field in model.fields.iter().filter(|field| field.local) {
                record.remove(&field.name);
            }
            each(model, record);
        }
    }
    Some(())
}

/// All records of a node by name.
pub(super) fn records(store: &Store, schema: &Schema) -> Option<BTreeMap<Name, Map<String, Value>>> {
    let mut all = BTreeMap::new();
    shown(store, schema, |model, record| {
        all.insert((model.name.clone(), id_of(model, &record)), record);
    })?;
    Some(all)
}

/// A record's id as apps see it.
pub(super) fn id_of(model: &Model, record: &Map<String, Value>) -> String {
    match record.get("id").filter(|_| model.is_key_field("id")) {
        Some(Value::String(id)) => id.clone(),
        Some(_) | None => {
            let fields =
                model.key_fields().into_iter().filter_map(|name| Some((name.to_owned(), record.get(name)?.clone())));
            Value::Object(fields.collect()).to_string()
        }
    }
}

fn differ(world: &World, group: &[NodeIndex], (one, other): (NodeIndex, NodeIndex)) -> Result<(), Broken> {
    let of = |node: NodeIndex| {
        let state = &world.nodes()[node];
        records(state.store()?, state.schema()?)
    };
    let (Some(left), Some(right)) = (of(one), of(other)) else { return Ok(()) };
    let names: BTreeSet<&Name> = left.keys().chain(right.keys()).collect();
    let names: Vec<&Name> = names.into_iter().filter(|name| left.get(*name) != right.get(*name)).collect();
    let all: Vec<_> = group.iter().take(NODES_PER_LOOK).filter_map(|node| Some((*node, of(*node)?))).collect();
    let differing = names.iter().take(DIFFERING_MAX).map(|name| Differing {
        model: name.0.clone(),
        id: name.1.clone(),
        shown: all
            .iter()
            .map(|(node, records)| (world.nodes()[*node].name().to_owned(), records.get(*name).cloned()))
            .collect(),
    });
    let message = format!(
        "{} and {} hold the same changes and show {} of their records differently",
        world.nodes()[one].name(),
        world.nodes()[other].name(),
        names.len()
    );
    Err(Broken { nodes: vec![one, other], message, differing: differing.collect() })
}

/// Nodes that hold the same hold the same changes and show the same records.
pub(super) struct EqualVectors {
    view: Shared,
    decided: u64,
}

impl EqualVectors {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }

    fn look(&mut self, world: &World, most: usize) -> Result<(), Broken> {
        let view = self.view.borrow();
        let mut groups: BTreeMap<Vec<(ReplicaId, u64)>, Vec<NodeIndex>> = BTreeMap::new();
        for (node, held) in view.nodes.iter().enumerate() {
            let followed = world.nodes()[node].store().is_some_and(|store| store.committed() == held.len());
            let is_whole = !is_torn(world, node) && held.readable;
            if followed && is_whole && world.nodes()[node].is_honest() {
                groups.entry(held.counters().collect()).or_default().push(node);
            }
        }
        for group in groups.values().filter(|group| group.len() > 1) {
            let held = |node: &NodeIndex| &view.nodes[*node];
            if group.iter().any(|node| held(node).counters().any(|(replica, _)| held(node).has_retired(replica))) {
                continue;
            }
            self.decided += group.len() as u64;
            if let Some(node) = group[1..].iter().find(|node| held(node).digest != held(&group[0]).digest) {
                let message = "their vectors are equal, and the changes that they hold are not";
                return Err(Broken::new([group[0], *node], message));
            }
            same_records(world, group, most)?;
        }
        Ok(())
    }
}

impl Check for EqualVectors {
    about!(
        "equal-vectors-equal-content",
        "Nodes with equal version vectors hold the same changes and show the same records."
    );

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, NODES_PER_LOOK).map_err(|broken| broken.at(world, self.name()))
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world, usize::MAX).map_err(|broken| broken.at(world, self.name()))
    }
}
