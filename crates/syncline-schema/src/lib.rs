//! Syncline's schema: the models of an app, as data.
//!
//! [`Schema`] is what every other crate works with: the dynamic schema is the truth at run
//! time. [`parse`] (feature `parser`, on by default) turns GraphQL SDL, the language of Amplify's
//! schema files, into a [`Schema`] plus warnings, or into [`Diagnostics`] that point at the exact token.
//!
//! [`check_scalar`] and [`check_enum`] say whether a JSON value fits a field; defaults and saves go
//! through the same checks. [`changes`] says what opening a store with another schema means.
//!
//! `generate` (feature `generate`) writes a schema in other languages: Rust, TypeScript, JSON Schema.
//!
//! This crate does no I/O and knows nothing of documents, SQL or replication.

mod compare;
#[cfg(feature = "generate")]
pub mod generate;
mod model;
#[cfg(feature = "parser")]
mod parser;
mod suggest;
mod values;

pub use compare::{ChangeKind, SchemaChange, changes, continue_names};
pub use model::*;
#[cfg(feature = "parser")]
pub use parser::{Diagnostic, Diagnostics, Parsed, Severity, parse};
pub use suggest::did_you_mean;
pub use values::{check_enum, check_scalar};
