//! Statements that a loop over many records runs for each: looked up in the connection's cache once.

use rusqlite::{CachedStatement, Connection};

/// Statements, from their first use on.
pub(crate) struct Kept<'c> {
    db: &'c Connection,
    statements: Vec<(&'c str, CachedStatement<'c>)>,
}

impl<'c> Kept<'c> {
    /// None yet.
    pub(crate) fn new(db: &'c Connection) -> Self {
        Self { db, statements: Vec::new() }
    }

    /// The connection.
    pub(crate) fn db(&self) -> &'c Connection {
        self.db
    }

    /// The statement of this text. Texts are the same if they stand at the same place in memory.
    pub(crate) fn get(&mut self, sql: &'c str) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let at = match self.statements.iter().position(|(text, _)| std::ptr::eq(*text, sql)) {
            Some(at) => at,
            None => {
                self.statements.push((sql, self.db.prepare_cached(sql)?));
                self.statements.len() - 1
            }
        };
        Ok(&mut self.statements[at].1)
    }
}
