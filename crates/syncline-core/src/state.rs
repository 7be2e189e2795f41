//! Rule G: a record's merged root keys, kept without a document.
//!
//! For each operation at a root key, with V the operations that stand there:
//!
//! - put, make: V' = (V \ pred) ∪ {op}
//! - delete: V' = V \ pred
//! - increment: counters in V ∩ pred grow, other values in V ∩ pred go
//!
//! and for the change: heads' = (heads \ deps) ∪ {hash}. The winner is the operation with the
//! greatest (counter, actor bytes). That is all of Automerge's merge at root keys, conflicts
//! included; tests compare it with a document after every step of random histories.
//!
//! It holds only for changes that [`crate::guard`] accepted.

mod build;
mod encode;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ObjType, ScalarValue};

use crate::change::{Change, MAX_COUNTER};
use crate::edit::ObjectKind;
use crate::mutant::{self, Mutant};

pub use build::{EditError, Writer};
pub(crate) use build::{
    check_count, check_counters, check_time, checked, may_count, newest_counter, plan, preds, signed, toggled,
};
pub use encode::{ActorTable, DamagedState};

/// The merged state of one record: enough to read its root keys, to build its next change and to
/// apply any causally ready one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordState {
    /// Newest changes.
    pub heads: BTreeSet<ChangeHash>,
    /// Greatest operation counter.
    pub max_op: u64,
    /// Last sequence number of every actor.
    pub seqs: BTreeMap<ActorId, u64>,
    /// Visible operations per root key, ascending by id: the last is Automerge's winner.
    pub keys: BTreeMap<String, Vec<VisibleOp>>,
    /// Smallest and greatest time of the record's changes, in milliseconds since 1970 (genesis, which has time 0, excluded).
    pub times: Option<(i64, i64)>,
}

/// Name of an operation; ordered as Automerge orders them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpId {
    /// Operation counter.
    pub counter: u64,
    /// Who made it.
    pub actor: ActorId,
}

/// One operation that stands at a root key.
#[derive(Clone, Debug, PartialEq)]
pub struct VisibleOp {
    /// Its name.
    pub id: OpId,
    /// What it put there.
    pub value: Visible,
    /// Time of its change, in milliseconds since 1970.
    pub time: i64,
}

/// What stands at a root key.
#[derive(Clone, Debug)]
pub enum Visible {
    /// A scalar or counter. Compared bit by bit: NaN equals NaN, 0.0 differs from -0.0.
    Scalar(ScalarValue),
    /// An object; its content is in the document.
    Object(ObjectKind),
    /// An object of a type that Syncline does not make (a map, a table): kept, never shown.
    Foreign,
}

impl PartialEq for Visible {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(ScalarValue::F64(a)), Self::Scalar(ScalarValue::F64(b))) => a.to_bits() == b.to_bits(),
            (Self::Scalar(a), Self::Scalar(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Foreign, Self::Foreign) => true,
            (Self::Scalar(_) | Self::Object(_) | Self::Foreign, _) => false,
        }
    }
}

impl Visible {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&ScalarValue> {
        match self {
            Self::Scalar(value) => Some(value),
            Self::Object(_) | Self::Foreign => None,
        }
    }

    /// The counter's value, if it is one.
    pub fn counter(&self) -> Option<i64> {
        match self {
            Self::Scalar(ScalarValue::Counter(counter)) => Some(counter.into()),
            Self::Scalar(_) | Self::Object(_) | Self::Foreign => None,
        }
    }

    /// What making an object of this type puts at a key.
    pub(crate) fn object(kind: ObjType) -> Self {
        match kind {
            ObjType::Text => Self::Object(ObjectKind::Text),
            ObjType::List => Self::Object(ObjectKind::List),
            ObjType::Map | ObjType::Table => Self::Foreign,
        }
    }
}

impl RecordState {
    /// Everything visible at a key, ascending: more than one operation is a conflict.
    pub fn visible(&self, key: &str) -> &[VisibleOp] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// What Automerge shows at a key.
    pub fn winner(&self, key: &str) -> Option<&VisibleOp> {
        self.visible(key).last()
    }

    /// The winner's scalar.
    pub fn scalar(&self, key: &str) -> Option<&ScalarValue> {
        self.winner(key)?.value.scalar()
    }

    /// The sum of the counters at a key, held within ±[`MAX_COUNTER`]: concurrent increments may push it beyond
    /// what each of them checked. `None` if none stands there.
    ///
    /// Each replica that makes the counter before it has met the others makes one of its own, and every increment
    /// names one of them, so that the sum is what was counted everywhere.
    pub fn counter(&self, key: &str) -> Option<i64> {
        Some(counters_sum(self.visible(key))?.clamp(-MAX_COUNTER, MAX_COUNTER))
    }

    /// The object to show at a key, and its type: the newest, whatever else stands there.
    pub fn object(&self, key: &str) -> Option<(&OpId, ObjectKind)> {
        self.visible(key).iter().rev().find_map(|op| match op.value {
            Visible::Object(kind) => Some((&op.id, kind)),
            Visible::Scalar(_) | Visible::Foreign => None,
        })
    }

    /// The keys that begin with `prefix` and what is visible there, in order of the keys.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [VisibleOp])> {
        self.keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, ops)| (key.as_str(), ops.as_slice()))
    }

    /// Merges a change whose dependencies are all merged and that the guard accepted.
    pub fn apply(&mut self, change: &Change) {
        let (start, time) = (change.start_op(), change.time());
        for (counter, op) in (start..).zip(change.ops()) {
            let id = OpId { counter, actor: change.actor().clone() };
            self.apply_op(id, op, time);
        }
        self.apply_frame(change.hash(), change.deps(), change.actor(), change.seq());
        self.max_op = self.max_op.max(change.max_op());
        self.apply_time(time);
    }

    /// A change's place in the history.
    pub(crate) fn apply_frame<'a>(
        &mut self,
        hash: ChangeHash,
        deps: impl IntoIterator<Item = &'a ChangeHash>,
        actor: &ActorId,
        seq: u64,
    ) {
        for dep in deps {
            self.heads.remove(dep);
        }
        self.heads.insert(hash);
        match self.seqs.get_mut(actor) {
            Some(last) => *last = seq.max(*last),
            None => {
                self.seqs.insert(actor.clone(), seq);
            }
        }
    }

    /// Genesis has time 0, which is no time.
    pub(crate) fn apply_time(&mut self, time: i64) {
        if time != 0 {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }

    /// One operation; those inside objects leave the root keys alone.
    pub(crate) fn apply_op(&mut self, id: OpId, op: &Op, time: i64) {
        let Some(key) = root_key(op) else { return };
        if let Some(ops) = self.keys.get_mut(key) {
            apply_to_key(ops, id, op, time);
            if ops.is_empty() {
                self.keys.remove(key);
            }
            return;
        }
        // One operation stands at most keys of most records.
        let mut ops = Vec::with_capacity(1);
        apply_to_key(&mut ops, id, op, time);
        if !ops.is_empty() {
            self.keys.insert(key.to_owned(), ops);
        }
    }
}

/// The root key that an operation writes.
pub(crate) fn root_key(op: &Op) -> Option<&str> {
    match &op.key {
        Key::Map(key) if op.obj == ObjectId::Root && !op.insert => Some(key),
        Key::Map(_) | Key::Seq(_) => None,
    }
}

/// Rule G at one key.
fn apply_to_key(ops: &mut Vec<VisibleOp>, id: OpId, op: &Op, time: i64) {
    let named = |id: &OpId| op.pred.iter().any(|pred| pred.0 == id.counter && pred.1 == id.actor);
    let value = match &op.action {
        OpType::Increment(by) => {
            ops.retain_mut(|visible| !named(&visible.id) || increment(&mut visible.value, *by));
            return;
        }
        OpType::Put(value) => Some(Visible::Scalar(value.clone())),
        OpType::Make(kind) => Some(Visible::object(*kind)),
        OpType::Delete => None,
        OpType::MarkBegin(_) | OpType::MarkEnd(_) => return,
    };
    ops.retain(|visible| !named(&visible.id) && !mutant::is_planted(Mutant::PutClearsKey));
    if let Some(value) = value {
        let at = ops.partition_point(|visible| visible.id < id || mutant::is_planted(Mutant::WinnerByArrival));
        ops.insert(at, VisibleOp { id, value, time });
    }
}

/// What the counters among these operations come to; `None` if there is none.
pub(crate) fn counters_sum(standing: &[VisibleOp]) -> Option<i64> {
    let counters = standing.iter().filter_map(|op| op.value.counter());
    // In 128 bits, as the order of the addends must not matter.
    let sum = counters.map(i128::from).reduce(|sum, more| sum + more)?;
    Some(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

/// Grows a counter; false says that the value is none and goes. Wraps as Automerge does.
fn increment(value: &mut Visible, by: i64) -> bool {
    match value.counter() {
        Some(current) => {
            *value = Visible::Scalar(ScalarValue::counter(current.wrapping_add(by)));
            true
        }
        None => false,
    }
}
