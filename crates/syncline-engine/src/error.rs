//! What can go wrong with a store, and what to do about it.

use std::borrow::Cow;
use std::path::PathBuf;

use syncline_core::record::InvalidRecord;
use syncline_core::text_cursor::CursorError;

use crate::query::QueryError;

/// Bad records of a batch that a message tells of; the error holds all.
const LISTED_MAX: usize = 10;

/// Characters of a condition that a message shows; the error holds all.
const CONDITION_MAX: usize = 300;

/// Result of the store's operations.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store refused or failed. Unless a variant says otherwise the store is as it was before the call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused or failed.
    #[error("SQLite failed while {doing}: {source}")]
    Sqlite {
        /// What the store was doing.
        doing: &'static str,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// The disk is full.
    #[error("no space left on the disk that holds the store; nothing was saved: free some space and repeat")]
    DiskFull,
    /// Another process holds the write lock for too long.
    #[error("another process is writing to the store and did not finish in time: repeat, or end that process")]
    Busy,
    /// A file operation beside SQLite failed.
    #[error("cannot {doing} {}: {source}", .path.display())]
    File {
        /// What the store was doing.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file does not exist and was not to be created.
    #[error("there is no store at {}: create one with `syncline init {} --schema FILE`", .0.display(), .0.display())]
    Missing(PathBuf),
    /// A store is to be created where something stands already.
    #[error("{} exists already: open it, or choose another name", .0.display())]
    Exists(PathBuf),
    /// The file is an SQLite database without content, as one is that was about to become a store.
    #[error("{} is not a Syncline store: it is empty; `syncline init` makes it one", .0.display())]
    Empty(PathBuf),
    /// The file is something else.
    #[error("{} is not a Syncline store: {found}; it was left as it is", .path.display())]
    NotAStore {
        /// Which file.
        path: PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// The file was written by a newer version.
    #[error("{} has store format {found}, this program knows up to {known}: update the program; the file was left as it is", .path.display())]
    NewerFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// A store that was opened to be read only cannot do this.
    #[error("the store is open to be read only, and nothing was written: open it without `read_only` to write")]
    ReadOnly,
    /// The store must be written to before it can be read, and was opened to be read only.
    #[error(
        "{} cannot be read only yet: {reason}; open it once to write, as its app or `syncline status` does",
        .path.display()
    )]
    Outdated {
        /// Which file.
        path: PathBuf,
        /// What is to be done.
        reason: String,
    },
    /// A store that is opened to be read only has another schema than was given.
    #[error(
        "the store has another schema than the one given, and keeps it when it is opened to be read only: open it without \
         a schema, or to write"
    )]
    OtherSchema,
    /// A store that is opened to be read only lies where SQLite cannot make the files that reading takes.
    #[error(
        "{} cannot be read where it lies: SQLite makes files beside it (-wal, -shm), which its folder does not allow; copy \
         it into another folder",
        .0.display()
    )]
    NothingBeside(PathBuf),
    /// The store holds another namespace than asked for.
    #[error("the store holds namespace `{held}`, not `{asked}`: one store holds one namespace")]
    OtherNamespace {
        /// What it holds.
        held: String,
        /// What was asked.
        asked: String,
    },
    /// The new schema cannot replace the old one.
    #[error("the store cannot take this schema; it was left as it was:\n{0}")]
    IncompatibleSchema(String),
    /// The schema has no such model.
    #[error("the schema has no model `{name}`{}", .suggestion.as_ref().map(|s| format!("; {s}")).unwrap_or_default())]
    NoModel {
        /// What was asked.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// The store has no schema: a relay's.
    #[error("this store has no schema; it keeps and forwards changes only")]
    NoSchema,
    /// The record's values do not fit its model.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    /// Records of a batch do not fit their model; none was saved.
    #[error("nothing was saved, for {} of the batch {} not fit: {}", count(.0.len()), if .0.len() == 1 { "does" } else { "do" }, listed(.0))]
    InvalidBatch(Vec<BadRecord>),
    /// A cursor of a text that says nothing about a place in it.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// There is no such record.
    #[error("{model} has no record {id}{}", if *.deleted { ": it is deleted; `undelete` brings it back" } else { "" })]
    NotFound {
        /// The model.
        model: String,
        /// The id as asked.
        id: String,
        /// It existed.
        deleted: bool,
    },
    /// The id is that of a record of another model, so no record of this model can have it.
    #[error("{model} cannot have a record {id}: a record of {other} has this id; save it under another one")]
    IdOfOtherModel {
        /// The model of the write.
        model: String,
        /// The id inside.
        id: uuid::Uuid,
        /// The model of the record that has the id, as its log names it.
        other: String,
    },
    /// The record was changed here as late as the one that comes, or later: it stays as it is.
    #[error("{model} {id} was changed or deleted here since, so it stays as it is")]
    NotNewer {
        /// The model.
        model: String,
        /// The key, as callers write it.
        id: String,
    },
    /// The record is not as the write asks for; nothing of the write was done.
    #[error(
        "nothing was written: {model} {id} {} {}; read it again and decide anew",
        if *.exists { "does not match" } else { "is not there (or deleted), so it does not match" },
        shortened(condition)
    )]
    ConditionNotMet {
        /// The model.
        model: String,
        /// The record, as asked.
        id: String,
        /// The condition: filter JSON or WHERE text.
        condition: String,
        /// The record is there, but does not match.
        exists: bool,
    },
    /// Fields that should tell which record is meant do not tell of one.
    #[error("nothing was saved: {}", which(model, condition, ids, *more, given.as_deref()))]
    Ambiguous {
        /// The model.
        model: String,
        /// What holds of the records that may be meant, as filter JSON.
        condition: String,
        /// Ids, or JSON objects of key fields, of some of them.
        ids: Vec<String>,
        /// There are more.
        more: bool,
        /// The key that the record to save brings, where it is another than that of the one found.
        given: Option<String>,
    },
    /// A field that is to be settled holds one value.
    #[error("`{field}` of {model} {id} has no conflict to settle: it holds one value; to change it, update the record")]
    NoConflict {
        /// The model.
        model: String,
        /// The record, as asked.
        id: String,
        /// The field, as asked.
        field: String,
    },
    /// No own edit of the record can be undone, or redone.
    #[error(
        "there is nothing to {} in {model} {id}: {}",
        if *.again { "redo" } else { "undo" },
        if *.again { "nothing was undone since the last own edit" } else { "no own edit of it stands any more" }
    )]
    NothingToUndo {
        /// The model.
        model: String,
        /// The record, as asked.
        id: String,
        /// Redo was asked for.
        again: bool,
    },
    /// The edit to undo, or to redo, changed marks that divide a text into more runs than are looked for. The edits before
    /// it are not undone in its place.
    #[error(
        "the next edit of {model} {id} cannot be {}: the marks of `{field}` that it changed divide the text into more than \
         256 runs; set these marks by hand, with unmark or set-spans",
        if *.again { "redone" } else { "undone" }
    )]
    TooManyRuns {
        /// The model.
        model: String,
        /// The record, as asked.
        id: String,
        /// The field.
        field: String,
        /// Redo was asked for.
        again: bool,
    },
    /// The store cannot say what a record was then.
    #[error("{0}")]
    UnknownMoment(String),
    /// The id cannot name a record of the model.
    #[error("`{id}` cannot be an id of {model}: {reason}")]
    BadId {
        /// The model.
        model: String,
        /// The id as given.
        id: String,
        /// What is wrong and how a good one looks.
        reason: String,
    },
    /// An edit does not fit the record as it stands.
    #[error("cannot edit this {model}: {reason}")]
    BadEdit {
        /// The model.
        model: String,
        /// What is wrong.
        reason: String,
    },
    /// A transaction is larger than a peer accepts.
    #[error(
        "the transaction has {changes} changes and {bytes} bytes; at most {} changes and {} bytes stay together: split it",
        crate::MAX_TRANSACTION_CHANGES,
        crate::MAX_TRANSACTION_BYTES
    )]
    TransactionTooLarge {
        /// Its changes.
        changes: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// A delete takes more along than stays together as one transaction.
    #[error(
        "deleting this {model} takes more than {} related records along, and one transaction holds {} changes: delete it \
         in parts (`--in-parts`, `delete_in_parts`), or its related records first",
        crate::MAX_TRANSACTION_CHANGES - 1,
        crate::MAX_TRANSACTION_CHANGES
    )]
    CascadeTooLarge {
        /// Model of the record that was to be deleted.
        model: String,
    },
    /// A delete by condition is more than stays together as one transaction.
    #[error(
        "{} finds {model} records that are, with what they take along, more than the {} of one transaction: delete them in parts (`--in-parts`, `delete_where_in_parts`), or narrow the condition",
        shortened(condition),
        crate::MAX_TRANSACTION_CHANGES
    )]
    TooManyDeletes {
        /// Model of the records that were to be deleted.
        model: String,
        /// The condition: filter JSON or WHERE text.
        condition: String,
    },
    /// One change is larger than a peer accepts.
    #[error("the change has {0} bytes, a peer accepts at most {max}: save the value in several steps", max = syncline_core::change::MAX_CHANGE_BYTES)]
    ChangeTooLarge(usize),
    /// The query does not fit the model.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What was read does not match its hash or its form.
    #[error("the store is damaged: {0}; run `syncline verify` for all of it")]
    Damaged(String),
    /// A row of the log is not what was written.
    #[error(
        "row {seq} of the store's log is damaged: {reason}; its record cannot be edited and no later change is sent, the rest works: restore a backup, and run `syncline verify` for all of it"
    )]
    DamagedRow {
        /// Position in the log.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// An earlier sync to disk failed; nothing more is written.
    #[error(
        "the store is closed because the disk did not confirm a write ({0}): check the disk, then open the store again"
    )]
    SyncFailed(String),
    /// Another process has the sessions of this store.
    #[error("another process syncs {} already: one does it for all", .0.display())]
    SessionsElsewhere(PathBuf),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The caller's transaction ended itself.
    #[error("{0}")]
    Aborted(String),
}

/// A record of a batch that does not fit its model.
#[derive(Clone, Debug, PartialEq)]
pub struct BadRecord {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub fault: InvalidRecord,
}

fn which(model: &str, condition: &str, ids: &[String], more: bool, given: Option<&str>) -> String {
    let (condition, ids) = (shortened(condition), ids.join(", "));
    match given {
        Some(given) => format!(
            "{condition} finds {model} {ids}, and the record to save is {given}: leave its key out, or save it by its key"
        ),
        None => format!(
            "{condition} finds several {model}, {ids}{}: name fields that tell them apart, or save by the key",
            if more { " and more" } else { "" }
        ),
    }
}

fn count(records: usize) -> String {
    if records == 1 { "a record".to_owned() } else { format!("{records} records") }
}

fn listed(records: &[BadRecord]) -> String {
    let each = records.iter().take(LISTED_MAX).map(|bad| format!("[{}]: {}", bad.index, bad.fault));
    let more = records.len().checked_sub(LISTED_MAX).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    each.chain(more).collect::<Vec<_>>().join("; ")
}

/// The beginning of a condition, as far as a message has room for it.
fn shortened(condition: &str) -> Cow<'_, str> {
    match condition.char_indices().nth(CONDITION_MAX) {
        Some((end, _)) => format!("{}…", &condition[..end]).into(),
        None => condition.into(),
    }
}

impl StoreError {
    /// Whether what was read is not what was written: of one record, while the file as such works.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::DamagedRow { .. })
    }

    /// Whether SQLite may have ended the transaction in which this happened.
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Sqlite { .. } | Self::DiskFull | Self::Busy | Self::File { .. })
    }

    /// Whether a read was told to stop, or would have had to wait.
    pub(crate) fn is_stopped(&self) -> bool {
        let (Self::Sqlite { source, .. } | Self::Query(QueryError::Sqlite(source))) = self else {
            return matches!(self, Self::Busy);
        };
        matches!(
            source.sqlite_error_code(),
            Some(
                rusqlite::ErrorCode::OperationInterrupted
                    | rusqlite::ErrorCode::DatabaseBusy
                    | rusqlite::ErrorCode::DatabaseLocked
            )
        )
    }

    /// Wraps SQLite's error, telling apart the causes a user can do something about.
    pub(crate) fn sqlite(doing: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Damaged(format!("SQLite found it malformed while {doing}"))
            }
            None if is_wrong_type(&source) => {
                Self::Damaged(format!("a value of the wrong type while {doing}: {source}"))
            }
            Some(_) | None => Self::Sqlite { doing, source },
        }
    }
}

/// Whether SQLite gave a value that the store never writes there.
fn is_wrong_type(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

/// Names what the store was doing when SQLite failed.
pub(crate) trait Doing<T> {
    /// `doing` completes "SQLite failed while …".
    fn doing(self, doing: &'static str) -> Result<T>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| StoreError::sqlite(doing, source))
    }
}
