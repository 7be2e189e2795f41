//! Apps that work without a network and lose nothing.
//!
//! A [`Store`] is one SQLite file. An app saves typed records into it, at once and offline; replicas
//! exchange changes over QUIC, through a relay or with each other, and converge by themselves, because every
//! record is an Automerge document.
//!
//! - [`Store::open`] with a schema in the language of Amplify's schema files.
//! - Typed: [`models!`] gives a struct and fields for each model; [`Store::save`], [`Store::update`],
//!   [`Store::get`], [`Store::query`], [`Store::observe`].
//! - Relations: [`Store::related`], [`TypedQuery::include`], [`Store::link`]; references may come before the record that
//!   they lead to.
//! - Under a condition, of many, by other fields than the key: [`Store::update_if`], [`Store::save_all`],
//!   [`Store::upsert`], [`Store::delete_where`]; several writes as one: [`Store::transaction`].
//! - Without generics: the same with JSON, [`Store::save_json`] and its neighbours.
//! - Texts: [`Store::text`] opens one for typing; [`Store::mark`] and [`Store::spans`] for rich texts,
//!   [`Store::cursor`] for positions that survive edits.
//! - Concurrent values: [`Store::conflicted_json`] lists them, [`Store::observe_conflicts`] tells of them,
//!   [`Store::resolve`] settles them.
//! - The past: [`Store::history`] tells what each change of a record did, field by field; [`Store::get_at`] reads a
//!   record as it was; [`Store::undo`] takes own edits back.
//! - Peers (feature `net`): [`Store::connect`], [`Store::listen`], [`Store::sync_once`].
//! - Positions: every save returns a [`Token`]; [`Store::wait_for`] waits for it on any replica.
//!
//! What it does not do: conflict handlers (records converge), last-writer-wins by clocks, encryption at rest.

mod ahead;
mod check;
mod conflicts;
mod driver;
mod error;
mod event;
mod followers;
mod history;
mod import;
#[cfg(feature = "net")]
mod link;
mod live;
mod observe;
mod options;
mod outbox;
mod readers;
mod register;
mod related;
mod rich;
mod sorter;
mod status;
mod steps;
mod store;
mod syncer;
mod text;
mod transaction;
pub mod typed;
mod typed_aggregate;
mod typed_conflicts;
mod typed_related;
mod typed_search;
mod typed_store;
mod typed_writes;
mod writes;

pub use conflicts::ConflictObserver;
pub use error::{Error, Result};
pub use event::{Event, Events, Lagged, Progress};
pub use import::ImportRecord;
#[cfg(feature = "net")]
pub use link::{ConnectOptions, Link, LinkUp, Listener, SyncReport};
pub use live::{LiveQuery, Snapshot};
pub use observe::{Observed, Observer};
pub use options::Options;
pub use related::{Along, Deleted, Effect};
pub use status::{Carried, LinkStatus, Status};
pub use steps::Diff;
pub use store::{AckState, Audience, Record, Saved, Store};
pub use text::Text;
pub use transaction::Transaction;
pub use typed_aggregate::GroupedQuery;
pub use typed_related::Including;
pub use typed_search::Hit;
pub use typed_store::{Live, LiveSnapshot, TypedPage, TypedQuery};
pub use writes::{DeletedCount, DeletedWhere};

pub use syncline_core::filter::{Filter, Function, Include, Measure, Nulls, Order};
pub use syncline_core::record::{At, BadMoment, ChangeEffect, ChangeName, ListEdited, MarkPut, TextEdited};
pub use syncline_core::rich::{BadMark, BadSpans, Expand, ExpandRules, Mark, Marks, Span};
pub use syncline_core::text_cursor::{CursorError, Side};
pub use syncline_core::vector::{Causal, Token, TokenError, VersionVector};
pub use syncline_engine::query::{
    Aggregation, Condition as QueryCondition, Page, Query, QueryError, SCORE, SNIPPET, Search, Snippet,
};
pub use syncline_engine::{
    BadRecord, ChangeKind, Commit, Concurrent, Conflict, ConflictPage, Conflicted, Create, Durability, HistoryEntry,
    ImportEffect, Imported, Migration, Origin, PendingChange, RecordChange, RichText, StoreError, Turn, VerifyReport,
    rusqlite,
};
/// The schema as data, and its parser.
pub use syncline_schema as schema;

#[cfg(feature = "macros")]
pub use syncline_macros::models;
pub use typed::*;

// What code made by `models!` refers to.
#[doc(hidden)]
pub use serde;
#[doc(hidden)]
pub use serde_json;
