//! A record's whole history as a graph: who saw what, and what the record was then.
//!
//! It holds no change bytes: about 200 bytes per change and 12 per operation, plus the operations
//! at root keys. A record whose remote changes always build on everything it has never needs one.
//!
//! Each change keeps the clock of what it builds on (last sequence number per actor), shared
//! along a run of one actor's changes; as one actor's changes follow each other, "is in the
//! causal past of" is one comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use automerge::legacy::{self, ElementId, Key, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ObjType};

use crate::change::Change;
use crate::rich::{MarkCount, names_of};
use crate::state::{OpId, RecordState, root_key};

/// How many branch states [`Lineage::fold`] keeps.
const BRANCH_STATES: usize = 8;

/// Every held change of one record, genesis included.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    nodes: Vec<Node>,
    by_hash: BTreeMap<ChangeHash, u32>,
    actors: Vec<ActorId>,
    actor_numbers: BTreeMap<ActorId, u32>,
    /// (actor, first counter) → change, to find the change of an operation.
    starts: BTreeMap<(u32, u64), u32>,
    ops: Vec<OpInfo>,
    key_numbers: BTreeMap<String, u32>,
    /// The change and the number of the name of every mark that was put or taken away.
    marks: Vec<(u32, u32)>,
    mark_names: BTreeMap<String, u32>,
    branches: Vec<(Vec<ChangeHash>, RecordState)>,
}

#[derive(Clone, Debug)]
struct Node {
    hash: ChangeHash,
    deps: Box<[u32]>,
    actor: u32,
    seq: u64,
    start_op: u64,
    max_op: u64,
    time: i64,
    first_op: u32,
    /// Last sequence number per actor number in the change's causal past; its own actor's, which
    /// are all those before it, are left out.
    past: Arc<[u64]>,
    root_ops: Box<[(u64, Op)]>,
}

/// The causal past of a set of dependencies.
#[derive(Clone, Debug)]
pub struct Past {
    clock: Vec<u64>,
    /// Greatest operation counter in it.
    pub max_op: u64,
}

/// What an operation is, as far as later operations may refer to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpInfo {
    pub(crate) kind: OpKind,
    /// Nesting of the object that this operation makes.
    pub(crate) depth: u8,
    /// Whether it begins a list element or character.
    pub(crate) insert: bool,
    /// The operation that made the object it stands in, or [`ROOT`].
    pub(crate) obj: u32,
    /// Number of its map key, or the operation that began its element; of an operation that begins
    /// one, the element before it, or [`HEAD`].
    pub(crate) slot: u32,
}

impl OpInfo {
    /// Where the operation of this number stands: its map key, or its element.
    pub(crate) fn place(&self, number: u32) -> u32 {
        if self.insert { number } else { self.slot }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpKind {
    Map,
    List,
    Text,
    Scalar,
    Delete,
    MarkBegin,
    MarkEnd,
    Other,
}

pub(crate) const ROOT: u32 = u32::MAX;
/// Stands before the first element of a text or list.
pub(crate) const HEAD: u32 = u32::MAX;
/// Stands for an operation that is not there; no accepted change refers to one.
const NOWHERE: u32 = u32::MAX - 1;

impl Lineage {
    /// The history of these changes, each after what it depends on.
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Result<Self, Vec<ChangeHash>> {
        let mut lineage = Self::default();
        changes.into_iter().try_for_each(|change| lineage.insert(change))?;
        Ok(lineage)
    }

    /// Adds an accepted change; one that is held stays as it is. The error names what is missing.
    pub fn insert(&mut self, change: &Change) -> Result<(), Vec<ChangeHash>> {
        if self.contains(&change.hash()) {
            return Ok(());
        }
        let missing = self.missing(change.deps());
        if !missing.is_empty() {
            return Err(missing);
        }
        let actor = self.actor_number(change.actor());
        let number = self.nodes.len() as u32;
        let deps: Box<[u32]> = change.deps().iter().filter_map(|dep| self.by_hash.get(dep).copied()).collect();
        let past = self.past_of_insert(&deps, actor);
        let first_op = self.ops.len() as u32;
        for op in change.ops() {
            let info = self.describe(change, first_op, op);
            self.ops.push(info);
        }
        for name in names_of(change) {
            let name = intern(&mut self.mark_names, name);
            self.marks.push((number, name));
        }
        self.by_hash.insert(change.hash(), number);
        self.starts.insert((actor, change.start_op()), number);
        self.nodes.push(Node {
            hash: change.hash(),
            deps,
            actor,
            seq: change.seq(),
            start_op: change.start_op(),
            max_op: change.max_op(),
            time: change.time(),
            first_op,
            past,
            root_ops: root_ops(change),
        });
        Ok(())
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.nodes.len() * 250 + self.ops.len() * size_of::<OpInfo>() + self.marks.len() * size_of::<(u32, u32)>()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether this change is held.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// Which of these are not held.
    pub fn missing(&self, deps: &[ChangeHash]) -> Vec<ChangeHash> {
        deps.iter().filter(|dep| !self.contains(dep)).copied().collect()
    }

    /// Counter of a held change's last operation.
    pub fn max_op(&self, hash: &ChangeHash) -> Option<u64> {
        Some(self.node(hash)?.max_op)
    }

    /// The direct dependencies of a held change.
    pub fn deps(&self, hash: &ChangeHash) -> Option<Vec<ChangeHash>> {
        let node = self.node(hash)?;
        Some(node.deps.iter().map(|dep| self.nodes[*dep as usize].hash).collect())
    }

    /// Whether the first change is in the causal past of the second.
    pub fn is_ancestor(&self, ancestor: &ChangeHash, of: &ChangeHash) -> bool {
        match (self.node(ancestor), self.node(of)) {
            (Some(ancestor), Some(of)) if ancestor.actor == of.actor => ancestor.seq < of.seq,
            (Some(ancestor), Some(of)) => ancestor.seq <= at(&of.past, ancestor.actor),
            (None, _) | (_, None) => false,
        }
    }

    /// These changes and all they build on, in the order they came; held ones only.
    pub fn closure(&self, deps: &[ChangeHash]) -> Vec<ChangeHash> {
        let past = self.held_past(deps);
        let within = self.nodes.iter().filter(|node| past.covers(node));
        within.map(|node| node.hash).collect()
    }

    /// The causal past of `deps`, or `None` if one of them is not held.
    pub fn past(&self, deps: &[ChangeHash]) -> Option<Past> {
        deps.iter().all(|dep| self.contains(dep)).then(|| self.held_past(deps))
    }

    /// The record as it was when exactly `deps` and what they build on had been merged, or `None`
    /// if one is not held. The state of the next change on the same branch costs one step.
    pub fn fold(&mut self, deps: &[ChangeHash]) -> Option<&RecordState> {
        if !deps.iter().all(|dep| self.contains(dep)) {
            return None;
        }
        let mut key = deps.to_vec();
        key.sort_unstable();
        key.dedup();
        match self.branches.iter().position(|(branch, _)| *branch == key) {
            Some(found) => {
                let branch = self.branches.remove(found);
                self.branches.push(branch);
            }
            None => {
                let state = self.fold_anew(&key);
                if self.branches.len() == BRANCH_STATES {
                    self.branches.remove(0);
                }
                self.branches.push((key, state));
            }
        }
        self.branches.last().map(|(_, state)| state)
    }

    /// Walks back from a single head to a state that is known, then forward again.
    fn fold_anew(&self, deps: &[ChangeHash]) -> RecordState {
        let mut run = Vec::new();
        let mut at = deps.to_vec();
        let mut state = loop {
            if let Some((_, state)) = self.branches.iter().find(|(branch, _)| *branch == at) {
                break state.clone();
            }
            match at.as_slice() {
                [] => break RecordState::default(),
                [only] => match self.node(only) {
                    Some(node) => {
                        run.push(node);
                        at = node.deps.iter().map(|dep| self.nodes[*dep as usize].hash).collect();
                        at.sort_unstable();
                    }
                    None => break RecordState::default(),
                },
                [_, _, ..] => break self.fold_all(&at),
            }
        };
        for node in run.iter().rev() {
            self.apply(&mut state, node);
        }
        state
    }

    fn fold_all(&self, deps: &[ChangeHash]) -> RecordState {
        let past = self.held_past(deps);
        let mut state = RecordState::default();
        for node in self.nodes.iter().filter(|node| past.covers(node)) {
            self.apply(&mut state, node);
        }
        state
    }

    fn apply(&self, state: &mut RecordState, node: &Node) {
        let actor = &self.actors[node.actor as usize];
        for (counter, op) in &node.root_ops {
            let id = OpId { counter: *counter, actor: actor.clone() };
            state.apply_op(id, op, node.time);
        }
        let deps = node.deps.iter().map(|dep| &self.nodes[*dep as usize].hash);
        state.apply_frame(node.hash, deps, actor, node.seq);
        state.max_op = state.max_op.max(node.max_op);
        state.apply_time(node.time);
    }

    /// Last sequence number of an actor in a causal past.
    pub(crate) fn last_seq(&self, past: &Past, actor: &ActorId) -> u64 {
        let number = self.actor_numbers.get(actor);
        number.map_or(0, |number| at(&past.clock, *number))
    }

    /// The operation of this name, if it is in the causal past.
    pub(crate) fn find(&self, past: &Past, id: &legacy::OpId) -> Option<u32> {
        let actor = *self.actor_numbers.get(&id.1)?;
        let (_, number) = self.starts.range((actor, 0)..=(actor, id.0)).next_back()?;
        let node = &self.nodes[*number as usize];
        let within = id.0 <= node.max_op && node.seq <= at(&past.clock, actor);
        within.then(|| node.first_op + (id.0 - node.start_op) as u32)
    }

    pub(crate) fn op(&self, number: u32) -> Option<OpInfo> {
        self.ops.get(number as usize).copied()
    }

    /// The name of an operation.
    pub(crate) fn name(&self, number: u32) -> Option<(u64, &ActorId)> {
        let after = self.nodes.partition_point(|node| node.first_op <= number);
        let node = self.nodes.get(after.checked_sub(1)?)?;
        Some((node.start_op + u64::from(number - node.first_op), &self.actors[node.actor as usize]))
    }

    pub(crate) fn op_count(&self) -> u32 {
        self.ops.len() as u32
    }

    pub(crate) fn key_number(&self, key: &str) -> Option<u32> {
        self.key_numbers.get(key).copied()
    }

    /// The marks of a causal past.
    pub(crate) fn marks_in(&self, past: &Past) -> MarkCount {
        self.count_marks(|node| past.covers(&self.nodes[node as usize]))
    }

    /// All marks.
    pub(crate) fn marks(&self) -> MarkCount {
        self.count_marks(|_| true)
    }

    fn count_marks(&self, counts: impl Fn(u32) -> bool) -> MarkCount {
        let mut marks = 0;
        let mut is_used = vec![false; self.mark_names.len()];
        for (_, name) in self.marks.iter().filter(|(node, _)| counts(*node)) {
            marks += 1;
            is_used[*name as usize] = true;
        }
        let used = self.mark_names.iter().filter(|(_, number)| is_used[**number as usize]);
        MarkCount::new(marks, used.map(|(name, _)| name.clone()).collect::<BTreeSet<_>>())
    }

    fn node(&self, hash: &ChangeHash) -> Option<&Node> {
        self.by_hash.get(hash).map(|number| &self.nodes[*number as usize])
    }

    fn held_past(&self, deps: &[ChangeHash]) -> Past {
        let mut past = Past { clock: vec![0; self.actors.len()], max_op: 0 };
        for node in deps.iter().filter_map(|dep| self.node(dep)) {
            past.add(node);
        }
        past
    }

    /// Shared with the previous change where the actor just went on.
    fn past_of_insert(&self, deps: &[u32], actor: u32) -> Arc<[u64]> {
        if let [only] = deps {
            let node = &self.nodes[*only as usize];
            if node.actor == actor {
                return Arc::clone(&node.past);
            }
        }
        let mut past = Past { clock: vec![0; self.actors.len()], max_op: 0 };
        for dep in deps {
            past.add(&self.nodes[*dep as usize]);
        }
        // Left out, so that a run of one actor's changes has one clock.
        past.clock[actor as usize] = 0;
        past.clock.into()
    }

    fn actor_number(&mut self, actor: &ActorId) -> u32 {
        if let Some(number) = self.actor_numbers.get(actor) {
            return *number;
        }
        let number = self.actors.len() as u32;
        self.actors.push(actor.clone());
        self.actor_numbers.insert(actor.clone(), number);
        number
    }

    fn describe(&mut self, change: &Change, first_op: u32, op: &Op) -> OpInfo {
        let find = |id: &legacy::OpId| {
            if id.1 == *change.actor() && (change.start_op()..=change.max_op()).contains(&id.0) {
                return first_op + (id.0 - change.start_op()) as u32;
            }
            let actor = self.actor_numbers.get(&id.1);
            let change = actor.and_then(|actor| self.starts.range((*actor, 0)..=(*actor, id.0)).next_back());
            change.map_or(NOWHERE, |(_, number)| {
                let node = &self.nodes[*number as usize];
                node.first_op + (id.0 - node.start_op) as u32
            })
        };
        let obj = match &op.obj {
            ObjectId::Root => ROOT,
            ObjectId::Id(id) => find(id),
        };
        let element = match &op.key {
            Key::Seq(ElementId::Id(id)) => find(id),
            Key::Seq(ElementId::Head) | Key::Map(_) => HEAD,
        };
        let depth = self.op(obj).map_or(0, |object| object.depth.saturating_add(1));
        let slot = match &op.key {
            Key::Map(key) => intern(&mut self.key_numbers, key),
            Key::Seq(_) => element,
        };
        OpInfo { kind: OpKind::of(&op.action), depth, insert: op.insert, obj, slot }
    }
}

/// The number of a name, a new one if it has none.
fn intern(numbers: &mut BTreeMap<String, u32>, name: &str) -> u32 {
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    let number = numbers.len() as u32;
    numbers.insert(name.to_owned(), number);
    number
}

impl Past {
    fn add(&mut self, node: &Node) {
        for (mine, theirs) in self.clock.iter_mut().zip(node.past.iter()) {
            *mine = (*mine).max(*theirs);
        }
        let own = &mut self.clock[node.actor as usize];
        *own = (*own).max(node.seq);
        self.max_op = self.max_op.max(node.max_op);
    }

    fn covers(&self, node: &Node) -> bool {
        node.seq <= at(&self.clock, node.actor)
    }
}

impl OpKind {
    pub(crate) fn of(action: &OpType) -> Self {
        match action {
            OpType::Make(ObjType::Map) => Self::Map,
            OpType::Make(ObjType::List) => Self::List,
            OpType::Make(ObjType::Text) => Self::Text,
            OpType::Put(_) => Self::Scalar,
            OpType::Delete => Self::Delete,
            OpType::MarkBegin(_) => Self::MarkBegin,
            OpType::MarkEnd(_) => Self::MarkEnd,
            OpType::Make(ObjType::Table) | OpType::Increment(_) => Self::Other,
        }
    }
}

/// Actors that came later are in no earlier past.
fn at(clock: &[u64], actor: u32) -> u64 {
    clock.get(actor as usize).copied().unwrap_or(0)
}

fn root_ops(change: &Change) -> Box<[(u64, Op)]> {
    (change.start_op()..)
        .zip(change.ops())
        .filter(|(_, op)| root_key(op).is_some())
        .map(|(counter, op)| (counter, op.clone()))
        .collect()
}
