//! Rule G: a record's merged root keys, kept without a document.

use automerge::{ActorId, ChangeHash, ScalarValue};
use std::collections::{BTreeMap, BTreeSet};

use crate::edit::ObjectKind;

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
