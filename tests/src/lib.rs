//! Programs in the documentation, compiled and run as they stand there.
//!
//! The tests themselves are in `main.rs`, one binary of their own.

/// The README's examples.
#[doc = include_str!("../../README.md")]
#[doc(hidden)]
pub const README: () = ();
