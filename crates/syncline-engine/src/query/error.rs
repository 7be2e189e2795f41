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
    /// A page token, where the best of a search come first.
    #[error(
        "records that stand in the order of a search's scores have no page tokens, for scores move with every write: \
         go on with an offset, or name an order"
    )]
    RankedToken,
    /// A page token, where a result of aggregates was asked for.
    #[error("a result of aggregates has no page tokens: go on with an offset")]
    AggregateToken,
    /// A sum, or the sum behind an average, is beyond what its type holds.
    #[error(
        "the result of `{measure}` is beyond what its type holds (integers have 64 bits): \
         compute it of fewer records, or in groups"
    )]
    TooGreat {
        /// The measure.
        measure: String,
    },
    /// No field of the model is marked `@fulltext`.
    #[error("{model} has no full-text index: mark the fields to search in the schema, as in `{example}`")]
    NoFulltext {
        /// The model.
        model: String,
        /// A field of it that could be marked.
        example: String,
    },
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
