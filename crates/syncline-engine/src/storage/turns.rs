//! Which own changes undid an edit, or redid one. Of this store alone: peers see plain edits.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Doing, Result};

/// What a change of the log turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turned {
    /// First row of the edit.
    pub(crate) edit: u64,
    /// Undone, or redone.
    pub(crate) undone: bool,
}

/// Notes what the change in row `seq` of the log turned.
pub(crate) fn note(db: &Connection, seq: u64, turned: Turned) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO syncline_undo(seq, edit, undone) VALUES(?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![seq as i64, turned.edit as i64, turned.undone]))
        .doing("noting what was undone")?;
    Ok(())
}

/// What these rows of the log turned; those that turned nothing are left out.
pub(crate) fn of(db: &Connection, rows: impl Iterator<Item = u64>) -> Result<BTreeMap<u64, Turned>> {
    let mut statement =
        db.prepare_cached("SELECT edit, undone FROM syncline_undo WHERE seq = ?1").doing("reading what was undone")?;
    let mut turns = BTreeMap::new();
    for seq in rows {
        let turned = statement
            .query_row([seq as i64], |row| Ok(Turned { edit: row.get::<_, i64>(0)? as u64, undone: row.get(1)? }))
            .optional()
            .doing("reading what was undone")?;
        turns.extend(turned.map(|turned| (seq, turned)));
    }
    Ok(turns)
}

/// Rows that speak of no change of this store, or of none before.
pub(crate) fn strays(db: &Connection) -> Result<Vec<u64>> {
    db.prepare_cached(
        "SELECT u.seq FROM syncline_undo u LEFT JOIN syncline_log l ON l.seq = u.seq
         WHERE l.seq IS NULL OR u.edit >= u.seq ORDER BY u.seq",
    )
    .and_then(|mut s| s.query_map([], |row| row.get::<_, i64>(0).map(|seq| seq as u64))?.collect())
    .doing("reading what was undone")
}
