//! Syncline's pure rules: what a change is, how records merge, what peers say to each other.
//!
//! - [`ids`]: replica, store, log and record ids, dots.
//! - [`vector`]: version vectors with chains, tokens, causal comparison.
//! - [`change`], [`state`], [`edit`]: one record's changes and rule G, the merge without a document.
//! - [`lineage`], [`guard`]: a record's history, and what a change from outside must satisfy.
//! - [`document`], [`genesis`]: texts and lists, which need a real Automerge document.
//! - [`rich`], [`text_cursor`]: marks and spans of texts, and positions that survive edits.
//! - [`record`]: typed values of a model to edits, and a record's state back to values.
//! - [`filter`]: the one filter tree, and its evaluation in plain Rust.
//! - [`auth`]: whether an identity may do something to a record.
//! - [`wire`]: frames, messages, batches.
//! - [`session`]: the replication state machine over one connection.
//! - [`mutant`]: defects that the simulator plants to see whether it finds them.
//!
//! No clock, randomness, sockets, SQL or threads: time and seed are arguments.

#[cfg(all(panic = "abort", not(feature = "trusted-peers")))]
compile_error!(
    "syncline-core turns panics on hostile bytes into refusals, which `panic = \"abort\"` makes impossible; \
     build with unwinding, or enable the feature `trusted-peers` if every peer is yours"
);

pub mod auth;
pub mod change;
pub mod document;
pub mod edit;
pub mod filter;
pub mod genesis;
pub mod guard;
pub mod ids;
pub mod lineage;
pub mod mutant;
pub mod record;
pub mod rich;
pub mod session;
pub mod state;
pub mod text_cursor;
pub mod vector;
pub mod wire;
