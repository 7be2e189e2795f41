//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncline_engine::StoreError;

/// Result of the library's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. Unless a variant says otherwise the store is as it was before the call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transaction that carried the write, maybe with others, could not be committed.
    #[error(transparent)]
    Commit(Arc<StoreError>),
    /// The schema is wrong; the text points at the place.
    #[error("{0}")]
    Schema(String),
    /// Another process has opened the store with another schema, and what was asked is not there any more.
    #[error(
        "another process has opened the store with another schema, which this call does not fit ({reason}): \
             open the store again with that schema"
    )]
    SchemaChanged {
        /// What is not there.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed: open it again")]
    Closed,
    /// The store cannot be deleted.
    #[error("{} is open in another process, so it is not deleted: end that, then delete it again", .0.display())]
    InUse(PathBuf),
    /// The store cannot be cleared: no relay has these changes.
    #[error(
        "{changes} own changes are on no relay, and clearing would lose them: sync first, or call `clear_with_unsent`"
    )]
    Unsent {
        /// How many.
        changes: u64,
    },
    /// A record does not fit the type it is read into.
    #[error("a {model} does not fit its Rust type: {reason}; generate the type from the schema that the store has")]
    Type {
        /// The model.
        model: String,
        /// What does not fit.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {within:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
    },
    /// A token of another namespace.
    #[error("the token is of another namespace: it says nothing about this store")]
    OtherNamespace,
    /// An address is no address.
    #[error("{0}")]
    Address(String),
    /// A peer cannot be reached, or is not who it should be.
    #[error("{0}")]
    Connect(String),
    /// A socket cannot be bound, or an identity not be kept.
    #[error("{0}")]
    Listen(String),
    /// The peer turned this store away, or the session ended before it was done.
    #[error("{0}")]
    Session(String),
    /// The app's transaction ended itself.
    #[error("{0}")]
    Aborted(String),
}

impl Error {
    /// Ends a transaction from within: nothing of it is kept.
    pub fn abort(reason: impl Into<String>) -> Self {
        Self::Aborted(reason.into())
    }
}
