//! The next change of a record, built from its state: byte for byte what Automerge would make.

use std::borrow::Cow;
use std::collections::BTreeMap;

use automerge::legacy::{self, Key, ObjectId, Op, OpType, SortedVec};
use automerge::{ActorId, ChangeHash, ExpandedChange, ScalarValue};

use super::{OpId, RecordState, Visible, VisibleOp, apply_to_key, counters_sum};
use crate::change::{self, Change, MAX_CHANGE_BYTES, MAX_CHANGE_OPS, MAX_COUNTER, MAX_TIME_MS};
use crate::edit::{ObjectKind, RootEdit};
use crate::mutant::{self, Mutant};
use crate::rich::{BadMark, SpansTooLarge, TooManyMarks};

/// Who writes a change.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The writer in this record.
    pub actor: &'a ActorId,
    /// The actor's last change of this record: Automerge names it as a dependency even when it is
    /// no head. `None` only if the actor has no change here.
    pub own_last: Option<ChangeHash>,
}

/// Why an edit makes no change. The record is as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EditError {
    /// A counter would leave ±[`MAX_COUNTER`].
    #[error("`{key}` is {current}; adding {by} leaves the range of counters (±{MAX_COUNTER})")]
    CounterOverflow {
        /// Where.
        key: String,
        /// What stands there.
        current: i64,
        /// What was to be added.
        by: i64,
    },
    /// An increment where no counter stands.
    #[error("`{key}` holds no counter to increment; put one first")]
    NotACounter {
        /// Where.
        key: String,
    },
    /// A put or delete of a key at which a text or list stands.
    #[error("`{key}` holds a text or list, which is edited but never replaced")]
    OverObject {
        /// Where.
        key: String,
    },
    /// A text or list edit of a key at which something else stands.
    #[error("`{key}` does not hold a {expected:?} to edit")]
    WrongObject {
        /// Where.
        key: String,
        /// What the edit is for.
        expected: ObjectKind,
    },
    /// A splice beyond the end of its text.
    #[error("`{key}` has {len} characters; cannot delete {delete} at {at}")]
    OutOfBounds {
        /// Where.
        key: String,
        /// First character of the splice.
        at: usize,
        /// How many characters were to go.
        delete: usize,
        /// How many there are.
        len: usize,
    },
    /// A mark over no character, or over some that the text does not have.
    #[error("`{key}` has {len} characters; no mark can stand on those from {from} to {to}")]
    NoCharacters {
        /// Where.
        key: String,
        /// First character of the mark.
        from: usize,
        /// First character behind it.
        to: usize,
        /// How many there are.
        len: usize,
    },
    /// A mark's name or value.
    #[error("`{key}` cannot be marked so: {reason}")]
    BadMark {
        /// Where.
        key: String,
        /// What is wrong.
        reason: BadMark,
    },
    /// Marks on a text that does not show as spans.
    #[error("the spans of `{key}` cannot be saved: {SpansTooLarge}")]
    SpansTooLarge {
        /// Where.
        key: String,
    },
    /// More marks than a record takes.
    #[error(transparent)]
    TooManyMarks(TooManyMarks),
    /// List elements nested deeper than [`crate::guard::MAX_DEPTH`].
    #[error("an element of `{key}` is nested deeper than {} levels", crate::guard::MAX_DEPTH)]
    TooDeep {
        /// Where.
        key: String,
    },
    /// More operations than one change may have.
    #[error("one change takes at most {MAX_CHANGE_OPS} operations; split the edit")]
    TooManyOps,
    /// More bytes than one change may have.
    #[error("the change would have {bytes} bytes, over the limit of {MAX_CHANGE_BYTES}; split the edit")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The record has used up its operation counters (4 thousand million).
    #[error("the record has used up its operation counters; copy it to a new record")]
    Exhausted,
    /// The clock shows a time outside 1970..10889.
    #[error("the clock shows {0} ms since 1970, outside what a change can carry")]
    Time(i64),
    /// Automerge refused an edit that was checked: a bug, here or there.
    #[error("the document refused a valid edit: {0}")]
    Document(String),
}

impl RecordState {
    /// The change that does `edits`, or `None` if they change nothing. The state stays as it is:
    /// apply the change when it is stored.
    pub fn build(&self, edits: &[RootEdit], writer: &Writer<'_>, time: i64) -> Result<Option<Change>, EditError> {
        check_time(time)?;
        let ops = plan(edits, self.max_op + 1, writer.actor, |key| Cow::Borrowed(self.visible(key)))?;
        if ops.is_empty() {
            return Ok(None);
        }
        let seq = self.seqs.get(writer.actor).copied().unwrap_or(0) + 1;
        checked(signed(writer.actor, seq, self.max_op + 1, self.next_deps(writer), time, ops)).map(Some)
    }

    /// What the next change of a writer builds on, ascending.
    pub(crate) fn next_deps(&self, writer: &Writer<'_>) -> Vec<ChangeHash> {
        let mut deps: Vec<_> = self.heads.iter().copied().collect();
        if let Some(own) = writer.own_last
            && let Err(at) = deps.binary_search(&own)
        {
            deps.insert(at, own);
        }
        deps
    }
}

/// A change from its parts.
pub(crate) fn signed(
    actor: &ActorId,
    seq: u64,
    start_op: u64,
    deps: Vec<ChangeHash>,
    time: i64,
    operations: Vec<Op>,
) -> Change {
    Change::from_expanded(ExpandedChange {
        operations,
        actor_id: actor.clone(),
        hash: None,
        seq,
        start_op: change::start_op(start_op),
        time,
        message: None,
        deps,
        extra_bytes: Vec::new(),
        author: None,
    })
}

/// A change that a peer would take too.
pub(crate) fn checked(change: Change) -> Result<Change, EditError> {
    match change.bytes().len() {
        bytes if bytes > MAX_CHANGE_BYTES => Err(EditError::TooLarge { bytes }),
        _ => Ok(change),
    }
}

pub(crate) fn check_time(time: i64) -> Result<(), EditError> {
    if (0..MAX_TIME_MS).contains(&time) { Ok(()) } else { Err(EditError::Time(time)) }
}

/// The operations that do `edits`, where `visible` tells what stands at a key before them.
pub(crate) fn plan<'s>(
    edits: &[RootEdit],
    start_op: u64,
    actor: &ActorId,
    visible: impl Fn(&str) -> Cow<'s, [VisibleOp]>,
) -> Result<Vec<Op>, EditError> {
    let again = met_again(edits);
    let mut left: BTreeMap<&str, Vec<VisibleOp>> = BTreeMap::new();
    let mut ops = Vec::with_capacity(edits.len());
    for edit in edits {
        let key = key_of(edit);
        let standing = left.remove(key).map_or_else(|| visible(key), Cow::Owned);
        let planned = plan_one(edit, &standing)?;
        let op = planned.map(|(action, pred)| Op {
            action,
            obj: ObjectId::Root,
            key: Key::Map(key.into()),
            pred,
            insert: false,
        });
        if again.binary_search(&key).is_ok() {
            let mut standing = standing.into_owned();
            if let Some(op) = &op {
                let id = OpId { counter: start_op + ops.len() as u64, actor: actor.clone() };
                apply_to_key(&mut standing, id, op, 0);
            }
            left.insert(key, standing);
        }
        ops.extend(op);
    }
    check_counters(start_op, ops.len() as u64)?;
    Ok(ops)
}

/// The keys that more than one of the edits is for, ascending: a new counter with a count, hardly more.
fn met_again(edits: &[RootEdit]) -> Vec<&str> {
    let mut keys: Vec<&str> = edits.iter().map(key_of).collect();
    keys.sort_unstable();
    keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

pub(crate) fn check_counters(start_op: u64, count: u64) -> Result<(), EditError> {
    if count > MAX_CHANGE_OPS {
        return Err(EditError::TooManyOps);
    }
    if start_op + count >= u64::from(u32::MAX) {
        return Err(EditError::Exhausted);
    }
    Ok(())
}

fn key_of(edit: &RootEdit) -> &str {
    match edit {
        RootEdit::Put(key, _)
        | RootEdit::Force(key, _)
        | RootEdit::Toggle(key)
        | RootEdit::Delete(key)
        | RootEdit::Increment(key, _) => key,
    }
}

type Planned = Option<(OpType, SortedVec<legacy::OpId>)>;

fn plan_one(edit: &RootEdit, standing: &[VisibleOp]) -> Result<Planned, EditError> {
    if standing.iter().any(|op| op.value.scalar().is_none()) {
        let key = key_of(edit).to_owned();
        return Err(EditError::OverObject { key });
    }
    match edit {
        RootEdit::Put(_, value) => Ok(plan_put(value, standing)),
        RootEdit::Force(_, value) => Ok(Some((OpType::Put(value.clone()), preds(standing)))),
        RootEdit::Toggle(_) => Ok(Some((OpType::Put(toggled(standing)), preds(standing)))),
        RootEdit::Delete(_) if standing.is_empty() => Ok(None),
        RootEdit::Delete(_) if mutant::is_planted(Mutant::DeleteOfOne) => {
            Ok(Some((OpType::Delete, preds(&standing[standing.len() - 1..]))))
        }
        RootEdit::Delete(_) => Ok(Some((OpType::Delete, preds(standing)))),
        RootEdit::Increment(key, by) => plan_increment(key, *by, standing).map(Some),
    }
}

/// As Automerge: the same value alone is no operation; the winner's value on a conflicted key
/// deletes the losers and leaves the winner's operation. `==` is Automerge's here, by which NaN
/// is always written and -0.0 over 0.0 never.
fn plan_put(value: &ScalarValue, standing: &[VisibleOp]) -> Planned {
    match standing {
        [losers @ .., winner] if winner.value.scalar() == Some(value) => {
            let is_change = !losers.is_empty() && !mutant::is_planted(Mutant::ConflictIgnored);
            is_change.then(|| (OpType::Delete, preds(losers)))
        }
        _ => Some((OpType::Put(value.clone()), preds(standing))),
    }
}

/// Counts on the newest counter alone, unlike Automerge, which adds to each that stands at the key: as a counter
/// shows their sum, nothing may be counted twice.
fn plan_increment(key: &str, by: i64, standing: &[VisibleOp]) -> Result<(OpType, SortedVec<legacy::OpId>), EditError> {
    let Some(newest) = newest_counter(standing) else {
        return Err(EditError::NotACounter { key: key.to_owned() });
    };
    check_count(key, standing, by)?;
    let counted = if mutant::is_planted(Mutant::IncrementOfAll) { standing } else { std::slice::from_ref(newest) };
    Ok((OpType::Increment(by), preds(counted)))
}

/// The counter at a key that counts go to.
pub(crate) fn newest_counter(standing: &[VisibleOp]) -> Option<&VisibleOp> {
    standing.iter().rfind(|op| op.value.counter().is_some())
}

/// Whether the counters at a key may grow by so much.
pub(crate) fn check_count(key: &str, standing: &[VisibleOp], by: i64) -> Result<(), EditError> {
    let current = counters_sum(standing).unwrap_or(0);
    if may_count(current, by) {
        return Ok(());
    }
    Err(EditError::CounterOverflow { key: key.to_owned(), current, by })
}

/// Whether a sum may grow by so much: it ends in the range of counters or, where counts that were made apart have pushed
/// it out, nearer to it.
pub(crate) fn may_count(sum: i64, by: i64) -> bool {
    let grown = i128::from(sum) + i128::from(by);
    let limit = i128::from(MAX_COUNTER).max(i128::from(sum).abs() - i128::from(by != 0));
    grown.abs() <= limit
}

/// 1 minus the winner, 1 where nothing or anything else stands: never the winner's value, so
/// Automerge always makes an operation of it.
pub(crate) fn toggled(standing: &[VisibleOp]) -> ScalarValue {
    match standing.last().map(|op| &op.value) {
        Some(Visible::Scalar(ScalarValue::Int(1))) => ScalarValue::Int(0),
        Some(Visible::Scalar(_) | Visible::Object(_) | Visible::Foreign) | None => ScalarValue::Int(1),
    }
}

pub(crate) fn preds(standing: &[VisibleOp]) -> SortedVec<legacy::OpId> {
    standing.iter().map(|op| legacy::OpId(op.id.counter, op.id.actor.clone())).collect()
}
