//! A change: one committed batch of edits to one record, as bytes and as operations.
//!
//! [`Change::parse`] is the only way in for bytes from outside, and accepts exactly one encoding
//! of every change: what it lets through is a function of the bytes alone, so a relay without a
//! schema may stop there. Whether a change fits a record is the guard's business
//! ([`crate::guard`]).

mod chunk;

use std::fmt;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ExpandedChange, ScalarValue};

/// Longest change in bytes.
pub const MAX_CHANGE_BYTES: usize = 8 << 20;

/// Most operations of one change, and most predecessors of all of them together. A few bytes can
/// stand for millions of operations (a run of deletes), so bytes alone bound nothing; a
/// [`Document`](crate::document::Document) splits bigger edits into several changes.
pub const MAX_CHANGE_OPS: u64 = 1 << 18;

/// Times are milliseconds since 1970, at least 0 and below this.
pub const MAX_TIME_MS: i64 = 1 << 48;

/// Counters stay within ± this (integers that every JSON reader keeps exact).
pub const MAX_COUNTER: i64 = (1 << 53) - 1;

/// Longest actor id in bytes; Syncline's own have 16.
pub const MAX_ACTOR_BYTES: usize = 64;

/// A canonical change with its operations; cheap to clone.
#[derive(Clone)]
pub struct Change(Arc<Inner>);

struct Inner {
    stored: automerge::Change,
    expanded: ExpandedChange,
    touches_objects: bool,
    is_typing: bool,
}

/// Why bytes are not a change that Syncline takes, whatever the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// The bytes do not begin as Automerge chunks do.
    #[error("these bytes are not an Automerge chunk")]
    NotAChunk,
    /// A document, a bundle, or a change compressed as a whole: only plain changes travel.
    #[error("chunk type {0} where an uncompressed change (type 1) is needed")]
    ChunkType(u8),
    /// The header names another length than the bytes have.
    #[error("the chunk's stated length is not the length of its bytes")]
    Length,
    /// Longer than [`MAX_CHANGE_BYTES`].
    #[error("a change of {0} bytes is over the limit of {MAX_CHANGE_BYTES}; split the edit")]
    TooLarge(usize),
    /// A column is compressed, unknown, empty, or out of order.
    #[error("operation column {0:#x} is compressed, unknown or out of order")]
    Column(u64),
    /// More than [`MAX_CHANGE_OPS`] operations or predecessors.
    #[error("the change has more than {MAX_CHANGE_OPS} operations; split the edit")]
    TooManyOps,
    /// Automerge cannot read the change.
    #[error("the change cannot be read: {0}")]
    Malformed(String),
    /// Another encoding of a change whose canonical bytes differ.
    #[error("the change is not in its canonical encoding")]
    NotCanonical,
    /// Bytes after the operations.
    #[error("the change carries bytes after its operations")]
    ExtraBytes,
    /// A commit message, which Syncline never writes.
    #[error("the change carries a message")]
    Message,
    /// No operation at all.
    #[error("the change has no operations")]
    Empty,
    /// Time before 1970 or beyond [`MAX_TIME_MS`].
    #[error("the change's time {0} is outside 0..2^48 ms")]
    Time(i64),
    /// A dependency stands twice.
    #[error("the change names a dependency twice")]
    RepeatedDeps,
    /// An operation counter or the sequence number leaves 32 bits.
    #[error("an operation counter or sequence number is outside 32 bits")]
    CounterWidth,
    /// An empty or very long actor id.
    #[error("an actor id of {0} bytes; 1 to {MAX_ACTOR_BYTES} are taken")]
    Actor(usize),
    /// A value of a type that this Automerge does not know.
    #[error("a value has the unknown type {0}")]
    UnknownValue(u8),
    /// A counter set or moved by more than any honest edit does.
    #[error("a counter moves by {0}, beyond what counters may hold")]
    CounterRange(i64),
}

impl Change {
    /// Reads a change from outside. Never panics, whatever the bytes are.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadChange> {
        chunk::inspect(bytes)?;
        // Automerge panics on some malformed columns; nothing of ours is half changed by that.
        catch_unwind(AssertUnwindSafe(|| Self::decode_canonical(bytes)))
            .unwrap_or_else(|_| Err(BadChange::Malformed("reading it failed inside Automerge".into())))
    }

    fn decode_canonical(bytes: &[u8]) -> Result<Self, BadChange> {
        let stored = automerge::Change::try_from(bytes).map_err(|error| BadChange::Malformed(error.to_string()))?;
        if !stored.extra_bytes().is_empty() {
            return Err(BadChange::ExtraBytes);
        }
        let expanded = stored.decode();
        check_values(&expanded)?;
        if automerge::Change::from(expanded.clone()).raw_bytes() != bytes {
            return Err(BadChange::NotCanonical);
        }
        Ok(Self::from_parts(stored, expanded))
    }

    /// A change built here from its operations, in its canonical encoding.
    pub fn from_expanded(expanded: ExpandedChange) -> Self {
        let stored = automerge::Change::from(expanded.clone());
        Self::from_parts(stored, expanded)
    }

    /// A change that Automerge made here.
    pub(crate) fn from_automerge(stored: automerge::Change) -> Self {
        let expanded = stored.decode();
        Self::from_parts(stored, expanded)
    }

    fn from_parts(stored: automerge::Change, expanded: ExpandedChange) -> Self {
        let touches_objects = expanded.operations.iter().any(touches_object);
        let is_typing = expanded.operations.iter().all(|op| !touches_object(op) || is_keystroke(op));
        Self(Arc::new(Inner { stored, expanded, touches_objects, is_typing }))
    }

    /// Name of the change within its record. It does not cover the record's id.
    pub fn hash(&self) -> ChangeHash {
        self.0.stored.hash()
    }

    /// The canonical, uncompressed bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.stored.raw_bytes()
    }

    /// Who wrote it.
    pub fn actor(&self) -> &ActorId {
        self.0.stored.actor_id()
    }

    /// The how-manieth change of its actor to this record, from 1.
    pub fn seq(&self) -> u64 {
        self.0.stored.seq()
    }

    /// Counter of its first operation.
    pub fn start_op(&self) -> u64 {
        self.0.stored.start_op().get()
    }

    /// Counter of its last operation.
    pub fn max_op(&self) -> u64 {
        self.0.stored.max_op()
    }

    /// The changes it directly builds on, ascending.
    pub fn deps(&self) -> &[ChangeHash] {
        self.0.stored.deps()
    }

    /// The writer's clock, in milliseconds since 1970.
    pub fn time(&self) -> i64 {
        self.0.stored.timestamp()
    }

    /// Everything in it, decoded.
    pub fn expanded(&self) -> &ExpandedChange {
        &self.0.expanded
    }

    /// Its operations, in order of their counters.
    pub fn ops(&self) -> &[Op] {
        &self.0.expanded.operations
    }

    /// Whether an operation makes an object or stands anywhere but at a root key: such a change
    /// needs a document, all others only rule G.
    pub fn touches_objects(&self) -> bool {
        self.0.touches_objects
    }

    /// Whether all it does inside objects is to insert single characters and to delete elements.
    pub fn is_typing(&self) -> bool {
        self.0.is_typing
    }

    /// As Automerge wants it.
    pub fn as_automerge(&self) -> &automerge::Change {
        &self.0.stored
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Change {}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("hash", &self.hash())
            .field("actor", self.actor())
            .field("seq", &self.seq())
            .field("start_op", &self.start_op())
            .field("deps", &self.deps())
            .field("time", &self.time())
            .field("ops", &self.ops())
            .finish()
    }
}

fn touches_object(op: &Op) -> bool {
    op.insert
        || op.obj != ObjectId::Root
        || !matches!(op.key, Key::Map(_))
        || !matches!(op.action, OpType::Put(_) | OpType::Delete | OpType::Increment(_))
}

fn is_keystroke(op: &Op) -> bool {
    let in_sequence = op.obj != ObjectId::Root && matches!(op.key, Key::Seq(_));
    in_sequence
        && match &op.action {
            OpType::Put(ScalarValue::Str(text)) => op.insert && text.chars().count() == 1,
            OpType::Delete => !op.insert,
            OpType::Put(_) | OpType::Make(_) | OpType::Increment(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => {
                false
            }
        }
}

fn check_values(change: &ExpandedChange) -> Result<(), BadChange> {
    if change.message.is_some() {
        return Err(BadChange::Message);
    }
    if change.operations.is_empty() {
        return Err(BadChange::Empty);
    }
    if !(0..MAX_TIME_MS).contains(&change.time) {
        return Err(BadChange::Time(change.time));
    }
    if change.deps.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(BadChange::RepeatedDeps);
    }
    check_widths(change)?;
    change.operations.iter().try_for_each(check_op)
}

fn check_widths(change: &ExpandedChange) -> Result<(), BadChange> {
    let below_max = |counter: u64| counter < u64::from(u32::MAX);
    let after_last = change.start_op.get().checked_add(change.operations.len() as u64);
    if !below_max(change.seq) || change.seq == 0 || !after_last.is_some_and(below_max) {
        return Err(BadChange::CounterWidth);
    }
    check_actor(&change.actor_id)
}

fn check_op(op: &Op) -> Result<(), BadChange> {
    op.pred.iter().try_for_each(|pred| check_actor(&pred.1))?;
    match &op.action {
        OpType::Put(ScalarValue::Unknown { type_code, .. }) => Err(BadChange::UnknownValue(*type_code)),
        OpType::Put(ScalarValue::Counter(counter)) => check_counter(counter.into(), MAX_COUNTER),
        // From one end of the range to the other in one step.
        OpType::Increment(by) => check_counter(*by, 2 * MAX_COUNTER),
        OpType::Put(_) | OpType::Make(_) | OpType::Delete | OpType::MarkBegin(_) | OpType::MarkEnd(_) => Ok(()),
    }
}

fn check_counter(value: i64, limit: i64) -> Result<(), BadChange> {
    if (-limit..=limit).contains(&value) { Ok(()) } else { Err(BadChange::CounterRange(value)) }
}

fn check_actor(actor: &ActorId) -> Result<(), BadChange> {
    match actor.to_bytes().len() {
        1..=MAX_ACTOR_BYTES => Ok(()),
        len => Err(BadChange::Actor(len)),
    }
}

/// Operation counters as Automerge wants them: never 0.
pub(crate) fn start_op(counter: u64) -> NonZeroU64 {
    NonZeroU64::new(counter).unwrap_or(NonZeroU64::MIN)
}
