//! Undoing an own edit, and redoing it, as a new change that leaves everybody else's edits alone.
//!
//! The target is the record as if the edit had never been made: every change is told again in its
//! order, without the edits that are undone and without the changes that undid or redid something.
//! What stands otherwise at the places that the edit touched is then put right. So undoing may be
//! repeated, mixed with redoing and with edits of others, and never drifts; an edit that somebody
//! has since written over leaves nothing to undo.
//!
//! - One value: the former one comes back if the edit's own still stands. If others wrote at the same
//!   time, only the own value goes. Where it is that of the newest operation, what shows instead is
//!   written again: of two writers who undo at the same time both would else take the value of the other
//!   for the one that stays, and none would.
//!   A conflict that was settled stands again, with the value that showed.
//! - Counters: what was added is subtracted.
//! - Sets, presence and existence: the mark is set or removed.
//! - Texts and lists: what was inserted and still stands goes; what was deleted, and by nobody else,
//!   comes back behind its tombstone, whatever has been inserted around it since.
//! - Marks: where what the edit made of them still shows, they become again what they were.
//!
//! An edit that made or revived the record is undone by deleting the record, with its fields as they are.

mod marks;
mod sequence;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{self, ElementId, Key, ObjectId, Op, OpType, SortedVec};
use automerge::{ActorId, ChangeHash, ObjType, ScalarValue};
use serde_json::Value;
use syncline_schema::{Deletes, Merge};

use super::LIVE;
use super::place::Place;
use super::view::RecordView;
use crate::change::Change;
use crate::document::{SPLIT_OPS, json_scalar, json_sorted};
use crate::lineage::Lineage;
use crate::state::{self, EditError, OpId, RecordState, VisibleOp, Writer, toggled};
pub(crate) use marks::Run;
pub use marks::TooManyRuns;
use sequence::Sequence;

/// All changes of a record, laid out for undoing.
#[derive(Debug)]
pub struct Story<'a> {
    changes: &'a [Change],
    lineage: Lineage,
    /// Operations at root keys, in the order of the changes.
    at_keys: BTreeMap<&'a str, Vec<AtKey<'a>>>,
}

/// An operation at a root key, with the place of its change.
#[derive(Debug)]
struct AtKey<'a> {
    told: usize,
    id: OpId,
    op: &'a Op,
}

/// What a change has to do with undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An edit that counts: of others, or an own one that is not undone.
    Edit,
    /// An own edit that is undone, or about to be.
    Undone,
    /// As `Undone`, of an edit that made or revived the record: what else it wrote counts.
    Unmade,
    /// It undid an edit, or redid one.
    Turn,
}

/// What turns a record to its target; empty if it is there already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inverse {
    root: Vec<Op>,
    objects: Vec<Step>,
}

/// One step inside a text or list.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A character or element comes behind this one.
    Insert { object: OpId, after: OpId, value: Restored },
    /// An element goes, by the names of its values.
    Remove { object: OpId, element: OpId, values: Vec<OpId> },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
enum Restored {
    Character(ScalarValue),
    Element(Value),
}

impl<'a> Story<'a> {
    /// Of all changes of a record, each after what it depends on. The error names what is missing.
    pub fn of(changes: &'a [Change]) -> Result<Self, Vec<ChangeHash>> {
        let mut at_keys: BTreeMap<&str, Vec<AtKey<'_>>> = BTreeMap::new();
        for (told, change) in changes.iter().enumerate() {
            for (counter, op) in (change.start_op()..).zip(change.ops()) {
                let Some(key) = state::root_key(op) else { continue };
                let id = OpId { counter, actor: change.actor().clone() };
                at_keys.entry(key).or_default().push(AtKey { told, id, op });
            }
        }
        Ok(Self { changes, lineage: Lineage::of(changes)?, at_keys })
    }

    /// Whether a change makes or revives the record.
    pub fn gives_life(change: &Change) -> bool {
        let mut at_life = change.ops().iter().filter(|op| state::root_key(op) == Some(LIVE));
        at_life.any(|op| matches!(op.action, OpType::Put(_)) && op.pred.is_empty())
    }

    /// Whether one change was known to the writer of another, or is the same.
    fn precedes(&self, before: usize, after: usize) -> bool {
        let hash = |told: usize| self.changes[told].hash();
        before == after || self.lineage.is_ancestor(&hash(before), &hash(after))
    }
}

impl RecordView<'_> {
    /// What undoes the changes at these places of a story, if their parts say that they are undone, or redoes
    /// them, if they say that they are edits. `parts` has one for each change; the view shows the record as it
    /// stands, its document included where the changes touch lists.
    pub fn turn(&self, story: &Story<'_>, parts: &[Part], edit: &[usize]) -> Inverse {
        let turn = Turn { view: *self, story, parts, edit: edit.iter().copied().collect() };
        let mut inverse = Inverse::default();
        if turn.edit_changes().any(Story::gives_life) {
            inverse.root.extend(turn.at_key(LIVE));
            return inverse;
        }
        for key in turn.keys() {
            inverse.root.extend(turn.at_key(&key));
        }
        for (object, key) in turn.objects() {
            inverse.objects.extend(turn.in_object(&object, &key));
        }
        turn.stay_alive(&mut inverse);
        inverse
    }
}

struct Turn<'a> {
    view: RecordView<'a>,
    story: &'a Story<'a>,
    parts: &'a [Part],
    edit: BTreeSet<usize>,
}

impl Turn<'_> {
    fn edit_changes(&self) -> impl Iterator<Item = &Change> {
        self.edit.iter().filter_map(|at| self.story.changes.get(*at))
    }

    fn edit_ops(&self) -> impl Iterator<Item = &Op> {
        self.edit_changes().flat_map(Change::ops)
    }

    /// What the change at a place has to do with undoing.
    fn part(&self, told: usize) -> Part {
        self.parts.get(told).copied().unwrap_or(Part::Edit)
    }

    /// Whether what a change wrote at fields counts.
    fn counts(&self, told: usize) -> bool {
        matches!(self.part(told), Part::Edit | Part::Unmade)
    }

    fn keys(&self) -> BTreeSet<String> {
        self.edit_ops().filter_map(state::root_key).map(str::to_owned).collect()
    }

    /// Texts and lists that the edit touched and that show, with their root keys.
    fn objects(&self) -> Vec<(OpId, String)> {
        let touched: BTreeSet<(u64, &ActorId)> = self
            .edit_ops()
            .filter_map(|op| match &op.obj {
                ObjectId::Id(id) => Some((id.0, &id.1)),
                ObjectId::Root => None,
            })
            .collect();
        let keys = self.view.state.keys.keys();
        let shown = keys.filter_map(|key| Some((self.view.state.object(key)?.0.clone(), key.clone())));
        shown.filter(|(id, _)| touched.contains(&(id.counter, &id.actor))).collect()
    }

    fn at_key(&self, key: &str) -> Vec<Op> {
        let now = self.view.state.visible(key);
        match Place::of(self.view.schema, self.view.model, key) {
            Place::Live | Place::Presence(_) | Place::Element(..) => self.presence(key, now),
            Place::Counter(_) => self.counter(key, now),
            Place::Single(slot) => self.single(key, now, slot.field.merge),
            Place::Object(_) => Vec::new(),
            Place::Unknown if key.starts_with('~') || key.contains('/') => self.presence(key, now),
            Place::Unknown if now.iter().any(|op| op.value.counter().is_some()) => self.counter(key, now),
            Place::Unknown if now.iter().all(|op| op.value.scalar().is_some()) => self.single(key, now, Merge::Winner),
            Place::Unknown => Vec::new(),
        }
    }

    fn presence(&self, key: &str, now: &[VisibleOp]) -> Vec<Op> {
        let wanted = !self.target(key).is_empty();
        match (wanted, now.is_empty()) {
            (true, true) => vec![put(key, toggled(now), &[])],
            (false, false) => vec![delete(key, now)],
            (true, false) | (false, true) => Vec::new(),
        }
    }

    /// Only counters that the edit counted on: what it added to one that is gone went with it. All is taken from the
    /// newest of them, as a counter shows the sum of those that stand.
    fn counter(&self, key: &str, now: &[VisibleOp]) -> Vec<Op> {
        let mut by: i64 = 0;
        let mut newest = None;
        for op in self.edit_ops().filter(|op| state::root_key(op) == Some(key)) {
            let OpType::Increment(more) = op.action else { continue };
            let names = |id: &OpId| op.pred.iter().any(|pred| (pred.0, &pred.1) == (id.counter, &id.actor));
            for (at, _) in now.iter().enumerate().filter(|(_, standing)| names(&standing.id)) {
                by = by.saturating_add(more);
                newest = newest.max(Some(at));
            }
        }
        let Some(newest) = newest.filter(|_| by != 0) else { return Vec::new() };
        let undone = self.edit.iter().any(|at| self.part(*at) == Part::Undone);
        let by = if undone { by.saturating_neg() } else { by };
        vec![op(key, OpType::Increment(by), vec![&now[newest].id])]
    }

    fn single(&self, key: &str, now: &[VisibleOp], rule: Merge) -> Vec<Op> {
        let mut at_key = self.edit_ops().filter(|op| state::root_key(op) == Some(key));
        let settled = at_key.any(|op| matches!(op.action, OpType::Delete));
        values::steps(key, now, &self.target(key), rule, settled)
    }

    /// With update-wins every edit says again that the record exists.
    fn stay_alive(&self, inverse: &mut Inverse) {
        let now = self.view.state.visible(LIVE);
        let settled = inverse.root.iter().any(|op| state::root_key(op) == Some(LIVE));
        if self.view.model.deletes == Deletes::UpdateWins && !inverse.is_empty() && !settled && !now.is_empty() {
            inverse.root.insert(0, put(LIVE, toggled(now), &now.iter().map(|op| &op.id).collect::<Vec<_>>()));
        }
    }

    fn in_object(&self, object: &OpId, key: &str) -> Vec<Step> {
        let sequence = Sequence::of(self, object);
        let is_text = matches!(self.view.state.object(key), Some((_, crate::edit::ObjectKind::Text)));
        let mut kept: BTreeMap<Vec<ChangeHash>, Vec<(OpId, Value)>> = BTreeMap::new();
        let mut value = |told: usize, element: &sequence::Element| {
            if is_text {
                return element.character().map(Restored::Character);
            }
            let deps = self.story.changes[told].deps().to_vec();
            let elements = kept.entry(deps).or_insert_with_key(|deps| {
                self.view.document.map(|document| document.elements_at(key, deps)).unwrap_or_default()
            });
            let found = elements.iter().find(|(id, _)| element.has_value(id));
            found.map(|(_, value)| Restored::Element(value.clone()))
        };
        sequence.steps(self, object, &mut value)
    }
}

impl Inverse {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty() && self.objects.is_empty()
    }

    /// Whether it says that the record exists, or that it does not.
    pub fn decides_existence(&self) -> bool {
        self.root.iter().any(|op| state::root_key(op) == Some(LIVE))
    }

    /// The changes that do it, each building on the one before: usually one.
    pub fn changes(self, state: &RecordState, writer: &Writer<'_>, time: i64) -> Result<Vec<Change>, EditError> {
        state::check_time(time)?;
        let actor = writer.actor;
        self.check_counters(state)?;
        let mut ops = self.root;
        for step in self.objects {
            push_step(&mut ops, step, state.max_op + 1, actor);
        }
        if state.max_op + 1 + ops.len() as u64 >= u64::from(u32::MAX) {
            return Err(EditError::Exhausted);
        }
        let mut deps = state.next_deps(writer);
        let mut seq = state.seqs.get(actor).copied().unwrap_or(0);
        let mut start = state.max_op + 1;
        let mut changes = Vec::new();
        while !ops.is_empty() {
            let later = ops.split_off(room(&ops));
            let count = ops.len() as u64;
            seq += 1;
            let change = state::checked(state::signed(actor, seq, start, deps, time, ops))?;
            deps = vec![change.hash()];
            start += count;
            changes.push(change);
            ops = later;
        }
        Ok(changes)
    }

    /// Others may have counted since, so that turning back leaves the range.
    fn check_counters(&self, state: &RecordState) -> Result<(), EditError> {
        for op in &self.root {
            let (Some(key), OpType::Increment(by)) = (state::root_key(op), &op.action) else { continue };
            state::check_count(key, state.visible(key), *by)?;
        }
        Ok(())
    }
}

/// Bytes of values of one change.
const ROOM_BYTES: usize = 1 << 20;

/// How many of the operations one change takes; at least one.
fn room(ops: &[Op]) -> usize {
    let mut bytes = 0;
    let fits = ops.iter().take(SPLIT_OPS).take_while(|op| {
        if let OpType::Put(ScalarValue::Str(text)) = &op.action {
            bytes += text.len();
        }
        bytes <= ROOM_BYTES
    });
    fits.count().max(1)
}

fn push_step(ops: &mut Vec<Op>, step: Step, start: u64, actor: &ActorId) {
    match step {
        Step::Remove { object, element, values } => ops.push(Op {
            action: OpType::Delete,
            obj: ObjectId::Id(named(&object)),
            key: Key::Seq(ElementId::Id(named(&element))),
            pred: values.iter().map(named).collect(),
            insert: false,
        }),
        Step::Insert { object, after, value: Restored::Character(character) } => {
            ops.push(insert(&named(&object), ElementId::Id(named(&after)), OpType::Put(character)));
        }
        Step::Insert { object, after, value: Restored::Element(value) } => {
            push_element(ops, &named(&object), ElementId::Id(named(&after)), &value, start, actor);
        }
    }
}

/// An element with all that is in it. Returns its name.
fn push_element(
    ops: &mut Vec<Op>,
    object: &legacy::OpId,
    after: ElementId,
    value: &Value,
    start: u64,
    actor: &ActorId,
) -> legacy::OpId {
    let own = legacy::OpId(start + ops.len() as u64, actor.clone());
    ops.push(insert(object, after, made_of(value)));
    push_content(ops, &own, value, start, actor);
    own
}

fn push_content(ops: &mut Vec<Op>, own: &legacy::OpId, value: &Value, start: u64, actor: &ActorId) {
    match value {
        Value::Array(items) => {
            let mut after = ElementId::Head;
            for item in items {
                after = ElementId::Id(push_element(ops, own, after, item, start, actor));
            }
        }
        Value::Object(entries) => {
            for (key, value) in json_sorted(entries) {
                let entry = legacy::OpId(start + ops.len() as u64, actor.clone());
                ops.push(Op {
                    action: made_of(value),
                    obj: ObjectId::Id(own.clone()),
                    key: Key::Map(key.into()),
                    pred: SortedVec::new(),
                    insert: false,
                });
                push_content(ops, &entry, value, start, actor);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn made_of(value: &Value) -> OpType {
    match value {
        Value::Array(_) => OpType::Make(ObjType::List),
        Value::Object(_) => OpType::Make(ObjType::Map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => OpType::Put(json_scalar(value)),
    }
}

fn insert(object: &legacy::OpId, after: ElementId, action: OpType) -> Op {
    let key = Key::Seq(after);
    Op { action, obj: ObjectId::Id(object.clone()), key, pred: SortedVec::new(), insert: true }
}

fn op<'i>(key: &str, action: OpType, pred: impl IntoIterator<Item = &'i OpId>) -> Op {
    let pred = pred.into_iter().map(named).collect();
    Op { action, obj: ObjectId::Root, key: Key::Map(key.into()), pred, insert: false }
}

fn put(key: &str, value: ScalarValue, pred: &[&OpId]) -> Op {
    op(key, OpType::Put(value), pred.iter().copied())
}

fn delete(key: &str, standing: &[VisibleOp]) -> Op {
    op(key, OpType::Delete, standing.iter().map(|op| &op.id))
}

fn named(id: &OpId) -> legacy::OpId {
    legacy::OpId(id.counter, id.actor.clone())
}
