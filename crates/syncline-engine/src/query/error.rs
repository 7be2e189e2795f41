//! What can be wrong with a query.

use syncline_core::filter::InvalidFilter;

/// A query was refused, or SQLite failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The schema has no such model.
    #[error("the schema has no model `{name}`; {cure}")]
    NoModel {
        /// What was asked for.
        name: String,
        /// The nearest name, or all of them.
        cure: String,
    },
    /// The filter or order does not fit the model.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The WHERE text is no expression over the model's columns.
    #[error("where, line {line}, column {column}: {message}")]
    Where {
        /// Line of the text, from 1.
        line: u64,
        /// Column in the line, in characters from 1.
        column: u64,
        /// What is wrong there, and what to write.
        message: String,
    },
    /// A page token that this query did not give out.
    #[error(
        "this token is not from a page of the same model in the same order: leave it out to start from the first page"
    )]
    WrongToken,
    /// The condition has more values than one statement takes.
    #[error("the condition has {found} values, and a query takes at most {most}: split it")]
    TooManyValues {
        /// How many.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// SQLite failed.
    #[error("SQLite failed while running the query: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
