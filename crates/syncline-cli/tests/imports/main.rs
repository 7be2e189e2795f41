//! `import`, `export` and `migrate` as users run them: files of DataStore's cloud, imports and exports that are killed, and
//! what comes back of an export.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cloud;
mod counts;
mod exports;
mod killed;
mod lossless;
mod migrate;
mod rejected;
mod support;
