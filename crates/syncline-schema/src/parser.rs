//! SDL in, schema and diagnostics out.

use crate::Schema;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The schema is used; something in it is not carried over.
    Warning,
    /// The schema is refused.
    Error,
}

/// One finding, with its place in the file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Warning or error.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Byte range in the source.
    pub span: std::ops::Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A refused schema: every finding, errors and warnings, with the source they point into.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// Findings in file order.
    pub findings: Vec<Diagnostic>,
    /// Name of the file, as given.
    pub file: String,
    /// The source text.
    pub source: String,
}

/// An accepted schema.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The schema.
    pub schema: Schema,
    /// Warnings, in file order, with the source they point into.
    pub warnings: Diagnostics,
}

/// Parses and checks SDL.
pub fn parse(_file: &str, _source: &str) -> Result<Parsed, Diagnostics> {
    unimplemented!()
}
