//! What a change from outside must satisfy before it is merged.
//!
//! [`Change::parse`] has judged the bytes; here the change is judged against the record. Every
//! condition but two is a function of the change and its causal past alone, so replicas that
//! receive the same changes in other orders decide alike. The exceptions are [`Refusal::Forked`]:
//! of two histories under one actor, each replica keeps the one it saw first; and a second bound
//! on marks, of what concurrent changes add up to, which lies as far beyond honest use as the
//! sandbox's budget.
//!
//! Leave one condition out, and changes exist that make Automerge panic, lose data, or save
//! documents that never load again; the tests produce a refusal by each of them.
//!
//! # Objects
//!
//! Automerge trusts what an operation inside an object refers to. With the conditions for root
//! keys alone, mutants made it panic, save documents that never load, show other content after
//! a load, or panic at a later edit. A sandbox catches most of that, but not all, and what it says
//! may depend on what else has arrived. So the guard refuses: elements and objects that no
//! operation made, or that are concurrent; elements of another object, map keys in lists and
//! elements in maps; inserts with predecessors; predecessors that stand at another element, are
//! deletes, marks, or come twice; deletes and overwrites without predecessors; increments in lists;
//! blocks and long strings inside texts; tables; nesting that would exhaust the stack of whoever
//! reads it. Random mutants that pass all this were taken by every sandbox, in every order.
//!
//! A mark is two elements of a text, which must be made one right after the other: Automerge knows
//! the end by its number, and neither loads a document in which it stands before the beginning
//! nor one in which it stands alone. Which of two elements stands first is settled by what they were
//! inserted behind, so it is a function of the past too. Whether a field's marks are *shown* is
//! the schema's business; that they are taken is not, for a text may become rich in a newer schema,
//! and go back. How many there may be is bounded, as what a text costs can grow with their square.

mod objects;
mod order;

use std::collections::BTreeMap;
use std::convert::Infallible;

use automerge::legacy::{self, Op, OpType};
use automerge::{ActorId, ChangeHash, ObjType, ScalarValue};

use crate::change::Change;
use crate::lineage::{Lineage, Past};
use crate::rich::{BadMark, TooManyMarks};
use crate::state::{OpId, RecordState, Visible, VisibleOp, root_key};

/// Deepest nesting of objects inside a list.
pub const MAX_DEPTH: u8 = 16;

/// A record's history, fetched only when the state alone cannot decide: for changes concurrent
/// with what is held, and for changes inside objects.
pub trait History {
    /// Why it could not be fetched.
    type Error;
    /// All held changes of the record.
    fn lineage(&mut self) -> Result<&mut Lineage, Self::Error>;
}

impl History for Lineage {
    type Error = Infallible;
    fn lineage(&mut self) -> Result<&mut Lineage, Infallible> {
        Ok(self)
    }
}

/// Why a change is not merged into a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not bad, but early: these have not arrived. Ask again when they have.
    #[error("the change waits for {} others", .0.len())]
    MissingDeps(Vec<ChangeHash>),
    /// The very change is merged already.
    #[error("the change is held already")]
    Held,
    /// Its sequence number does not follow its actor's last change in its past.
    #[error("sequence number {found} where {expected} follows")]
    Seq {
        /// What follows.
        expected: u64,
        /// What the change says.
        found: u64,
    },
    /// It follows a change of its actor that is not in its past.
    #[error("the change does not build on its actor's previous change")]
    OwnChangeUnseen,
    /// A held change of the same actor has the same sequence number: two histories under one
    /// actor.
    #[error("another change of the same actor has its sequence number {0}")]
    Forked(u64),
    /// Its first operation counter is not one more than the greatest in its past.
    #[error("operations start at {found} where {expected} follows")]
    StartOp {
        /// What follows.
        expected: u64,
        /// What the change says.
        found: u64,
    },
    /// An operation of a kind that Syncline does not take there.
    #[error("operation {op} is of a kind that may not stand there")]
    Action {
        /// Position in the change.
        op: usize,
    },
    /// Predecessors that repeat or do not ascend.
    #[error("operation {op} names its predecessors twice or out of order")]
    PredOrder {
        /// Position in the change.
        op: usize,
    },
    /// A predecessor that did not stand at that key in the change's past.
    #[error("operation {op} replaces an operation that it cannot have seen there")]
    PredUnseen {
        /// Position in the change.
        op: usize,
    },
    /// A delete that names nothing to delete.
    #[error("operation {op} deletes nothing")]
    DeletesNothing {
        /// Position in the change.
        op: usize,
    },
    /// An increment that names no counter.
    #[error("operation {op} increments nothing")]
    IncrementsNothing {
        /// Position in the change.
        op: usize,
    },
    /// An operation at a root key where an object stands.
    #[error("operation {op} writes over a text, list or map")]
    OverObject {
        /// Position in the change.
        op: usize,
    },
    /// An object made at a root key where something stands.
    #[error("operation {op} makes an object where something else stands")]
    MakeOver {
        /// Position in the change.
        op: usize,
    },
    /// An operation in an object that is not in the change's past.
    #[error("operation {op} edits an object that it cannot have seen")]
    ObjectUnseen {
        /// Position in the change.
        op: usize,
    },
    /// An operation at an element that is not in the change's past, or not of that object.
    #[error("operation {op} names an element that it cannot have seen in its object")]
    ElementUnseen {
        /// Position in the change.
        op: usize,
    },
    /// A map key in a list or text, an element in a map, or an insert into a map.
    #[error("operation {op} addresses its object as one of another type")]
    WrongAddress {
        /// Position in the change.
        op: usize,
    },
    /// An insert that replaces, or an overwrite of an element that names nothing to replace.
    #[error("operation {op} both inserts and replaces, or does neither")]
    InsertOrReplace {
        /// Position in the change.
        op: usize,
    },
    /// Anything but one character in a text.
    #[error("operation {op} puts something into a text that is not one character")]
    NotACharacter {
        /// Position in the change.
        op: usize,
    },
    /// The beginning or the end of a mark, without the other right after or before it.
    #[error("operation {op} is one end of a mark without the other")]
    UnpairedMark {
        /// Position in the change.
        op: usize,
    },
    /// A mark that ends before it begins.
    #[error("operation {op} ends a mark before the place where it begins")]
    MarkOrder {
        /// Position in the change.
        op: usize,
    },
    /// A mark whose name or value may not stand.
    #[error("operation {op} makes no proper mark: {reason}")]
    BadMark {
        /// Position in the change.
        op: usize,
        /// What is wrong.
        reason: BadMark,
    },
    /// More marks than a record takes in its life: in the change's past, or twice as many with
    /// what is concurrent.
    #[error("the change has marks: {0}")]
    TooManyMarks(TooManyMarks),
    /// Objects nested deeper than [`MAX_DEPTH`].
    #[error("operation {op} nests objects deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// Position in the change.
        op: usize,
    },
}

/// Whether `change` may be merged into the record of `state` and `history`. The outer error is
/// the history's: nothing was decided.
pub fn check<H: History>(
    change: &Change,
    state: &RecordState,
    history: &mut H,
) -> Result<Result<(), Refusal>, H::Error> {
    let builds_on_all = change.deps().iter().eq(&state.heads);
    if builds_on_all && !change.touches_objects() {
        return Ok(check_against_whole(change, state));
    }
    Ok(check_against_past(change, state, history.lineage()?))
}

/// The past is everything held: the state knows all that is asked.
fn check_against_whole(change: &Change, state: &RecordState) -> Result<(), Refusal> {
    let last_seq = state.seqs.get(change.actor()).copied().unwrap_or(0);
    check_frame(change, last_seq, last_seq, state.max_op)?;
    check_root_ops(change, state)
}

fn check_against_past(change: &Change, state: &RecordState, lineage: &mut Lineage) -> Result<(), Refusal> {
    if lineage.contains(&change.hash()) {
        return Err(Refusal::Held);
    }
    let Some(past) = lineage.past(change.deps()) else {
        return Err(Refusal::MissingDeps(lineage.missing(change.deps())));
    };
    let held_seq = state.seqs.get(change.actor()).copied().unwrap_or(0);
    check_frame(change, lineage.last_seq(&past, change.actor()), held_seq, past.max_op)?;
    if change.touches_objects() {
        objects::check(change, lineage, &past)?;
    }
    check_root_against_past(change, state, lineage)
}

fn check_root_against_past(change: &Change, state: &RecordState, lineage: &mut Lineage) -> Result<(), Refusal> {
    if !change.ops().iter().any(|op| root_key(op).is_some()) {
        return Ok(());
    }
    if state.heads.iter().all(|head| change.deps().binary_search(head).is_ok()) {
        return check_root_ops(change, state);
    }
    match lineage.fold(change.deps()) {
        Some(then) => check_root_ops(change, then),
        None => Err(Refusal::MissingDeps(lineage.missing(change.deps()))),
    }
}

/// The change's place among its actor's changes and among operation counters.
fn check_frame(change: &Change, past_seq: u64, held_seq: u64, past_max_op: u64) -> Result<(), Refusal> {
    let (expected, found) = (past_seq + 1, change.seq());
    if found <= held_seq && found == expected {
        return Err(Refusal::Forked(found));
    }
    if found == held_seq + 1 && found != expected {
        return Err(Refusal::OwnChangeUnseen);
    }
    if found != expected {
        return Err(Refusal::Seq { expected, found });
    }
    let (expected, found) = (past_max_op + 1, change.start_op());
    if found != expected {
        return Err(Refusal::StartOp { expected, found });
    }
    Ok(())
}

/// What stands at a key, without the values.
struct Standing {
    id: OpId,
    class: Class,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Counter,
    Object,
}

/// The operations at root keys, each against what stood there in the past and after the
/// operations before it.
fn check_root_ops(change: &Change, past: &RecordState) -> Result<(), Refusal> {
    let mut now: BTreeMap<&str, Vec<Standing>> = BTreeMap::new();
    for (at, op) in change.ops().iter().enumerate() {
        let Some(key) = root_key(op) else { continue };
        let standing = now.entry(key).or_insert_with(|| standing(past.visible(key)));
        check_root_op(at, op, standing)?;
        advance(standing, change.actor(), change.start_op() + at as u64, op);
    }
    Ok(())
}

fn standing(ops: &[VisibleOp]) -> Vec<Standing> {
    let one = |op: &VisibleOp| Standing {
        id: op.id.clone(),
        class: match &op.value {
            Visible::Scalar(ScalarValue::Counter(_)) => Class::Counter,
            Visible::Scalar(_) => Class::Plain,
            Visible::Object(_) | Visible::Foreign => Class::Object,
        },
    };
    ops.iter().map(one).collect()
}

fn check_root_op(op: usize, operation: &Op, standing: &[Standing]) -> Result<(), Refusal> {
    if standing.iter().any(|other| other.class == Class::Object) {
        return Err(Refusal::OverObject { op });
    }
    check_pred_order(op, operation)?;
    let find = |pred: &legacy::OpId| standing.iter().find(|other| is(&other.id, pred));
    if operation.pred.iter().any(|pred| find(pred).is_none()) {
        return Err(Refusal::PredUnseen { op });
    }
    let mut named = operation.pred.iter().filter_map(find);
    match &operation.action {
        OpType::Put(_) => Ok(()),
        OpType::Delete if operation.pred.is_empty() => Err(Refusal::DeletesNothing { op }),
        OpType::Delete => Ok(()),
        OpType::Increment(_) if named.any(|other| other.class == Class::Counter) => Ok(()),
        OpType::Increment(_) => Err(Refusal::IncrementsNothing { op }),
        OpType::Make(ObjType::Map | ObjType::List | ObjType::Text) if standing.is_empty() => Ok(()),
        OpType::Make(ObjType::Map | ObjType::List | ObjType::Text) => Err(Refusal::MakeOver { op }),
        OpType::Make(ObjType::Table) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => Err(Refusal::Action { op }),
    }
}

fn check_pred_order(op: usize, operation: &Op) -> Result<(), Refusal> {
    let following = operation.pred.iter().skip(1);
    if operation.pred.iter().zip(following).any(|(before, after)| before >= after) {
        return Err(Refusal::PredOrder { op });
    }
    Ok(())
}

fn is(id: &OpId, named: &legacy::OpId) -> bool {
    id.counter == named.0 && id.actor == named.1
}

/// Rule G without values.
fn advance(standing: &mut Vec<Standing>, actor: &ActorId, counter: u64, op: &Op) {
    let named = |other: &Standing| op.pred.iter().any(|pred| is(&other.id, pred));
    let class = match &op.action {
        OpType::Increment(_) => {
            standing.retain(|other| !named(other) || other.class == Class::Counter);
            return;
        }
        OpType::Put(ScalarValue::Counter(_)) => Some(Class::Counter),
        OpType::Put(_) => Some(Class::Plain),
        OpType::Make(_) => Some(Class::Object),
        OpType::Delete | OpType::MarkBegin(_) | OpType::MarkEnd(_) => None,
    };
    standing.retain(|other| !named(other));
    if let Some(class) = class {
        let id = OpId { counter, actor: actor.clone() };
        standing.push(Standing { id, class });
    }
}

/// Everything an object check needs of the past.
struct View<'a> {
    lineage: &'a Lineage,
    past: &'a Past,
}
