//! Syncline's engine: one store, its merge, queries and sessions. Synchronous; time and seed are inputs.
//!
//! - [`Store`] owns one SQLite file. [`Store::write`] runs a transaction ([`Tx`]): saves, edits, deletes.
//! - [`Reader`] answers queries on a connection of its own.
//! - [`Engine`] adds sessions with peers: facts go in by `handle_*`, decisions come out by `poll_output`.
//! - [`Host`] is the place a store lives in; the simulator brings its own.
//!
//! The engine knows no sockets and no clock. It starts no thread: making commits durable is a handle
//! ([`WalSync`]) that its driver runs where it likes.

mod adopt;
mod apply;
mod audit;
mod batch;
mod cascade;
mod checkpoint;
mod commit;
mod condition;
mod conflicts;
mod delete_where;
mod documents;
mod draft;
mod engine;
mod error;
mod history;
mod host;
mod identity;
mod import;
mod inspect;
mod live;
mod local;
mod naming;
mod no_store;
mod open;
mod past;
mod projection;
pub mod query;
mod reader;
mod reading;
mod related;
mod relay;
mod rich;
mod seed;
mod session_store;
mod storage;
mod store;
mod timeline;
mod tx;
mod undo;
mod verify;

pub use audit::LogRow;
pub use batch::Batch;
pub use cascade::{Along, Deleted, Effect};
pub use checkpoint::Checkpointer;
pub use commit::{ChangeKind, Commit, Origin, RecordChange};
pub use conflicts::{Concurrent, Conflict, ConflictPage, Conflicted};
pub use delete_where::{DeletedWhere, Sweep};
pub use draft::{Draft, Drafted, Drafting};
pub use engine::{ConnectionId, Engine, Input, Now, Output};
pub use error::{BadRecord, Result, StoreError};
pub use host::{Host, OnDisk, WalSync};
pub use identity::{Renewal, RenewalCause};
pub use import::{ImportEffect, Imported, RichText};
pub use inspect::{AckedBy, Outbox, PeerStatus, PendingChange, Quarantined, StoreStatus};
pub use live::{Changed, Item, LiveResult, News, Signs};
pub use local::{Saved, Source};
pub use reader::Reader;
pub use relay::{Relay, RelayOutput, Shelf};
pub use rusqlite;
pub use seed::Seed;
pub use store::{Create, Durability, Migration, OnMigration, Options, Store};
pub use timeline::{HistoryEntry, Turn};
pub use tx::Tx;
pub use verify::VerifyReport;

use syncline_schema::Schema;

/// Most changes that stay together as one transaction.
pub const MAX_TRANSACTION_CHANGES: usize = 500;

/// Most bytes of changes that stay together as one transaction of several.
pub const MAX_TRANSACTION_BYTES: usize = 256 << 10;

/// The schema lacks a model.
fn no_model(schema: &Schema, name: &str) -> StoreError {
    let names = schema.models.iter().map(|model| model.name.as_str());
    StoreError::NoModel { name: name.to_owned(), suggestion: syncline_schema::did_you_mean(name, names) }
}
