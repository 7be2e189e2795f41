//! What Syncline promises across its crates, as tests: one binary, one module per subject.
//!
//! Stores, relays and the `syncline` program are the real ones, over real files and loopback QUIC. Nothing
//! sleeps to let something happen: a test waits for the event it needs, and [`support::PATIENCE`] only turns a
//! hang into a failure.
#![cfg(test)]

mod support;

mod architecture;
mod convergence;
mod datastore;
mod datastore_observe;
mod datastore_observe_query;
mod fairness;
mod hostile;
mod identity;
mod kill;
mod large;
mod lifecycle;
mod live;
mod live_related;
mod parity;
mod program;
mod program_conflicts;
mod program_history;
mod program_refusals;
mod program_texts;
mod queries;
mod read_only;
mod real_input;
mod relations;
mod schema_types;
mod sim_program;
mod sync;
mod trace;
mod typed;
mod writes;
