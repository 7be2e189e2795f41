//! What a committed transaction changed, for everything that follows the store.

use syncline_core::ids::RecordId;

/// One record that a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The model.
    pub model: String,
    /// The record.
    pub record: RecordId,
    /// The record's row in the model's table, as `syncline_record`.
    pub row: i64,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Who did it.
    pub origin: Origin,
    /// Whether it has other conflicts than before; true also where another process did it, which does not say.
    pub conflicts: bool,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came into being, or back.
    Inserted,
    /// It was there and is.
    Updated,
    /// It was there.
    Deleted,
}

/// Who changed a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process.
    Local,
    /// A peer.
    Peer,
    /// Another process on the same file.
    Process,
}

/// One committed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Position of the log after it.
    pub seq: u64,
    /// The records it changed, each once.
    pub changes: Vec<RecordChange>,
}
