//! Which records hold concurrent values: one row each, so that nobody has to look at all records to find them.

use rusqlite::{Connection, OptionalExtension, params};
use syncline_schema::Model;

use crate::error::{Doing, Result};
use crate::storage::names;

/// A record with conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its row in `syncline_records`.
    pub(crate) record: i64,
    /// Number of its model.
    pub(crate) model: i64,
    /// Says which operations stand in conflict: another one for other conflicts.
    pub(crate) mark: u64,
}

/// Notes a record's conflicts, or that it has none.
pub(crate) fn set(db: &Connection, record: i64, model: i64, mark: Option<u64>) -> Result<()> {
    match mark {
        Some(mark) => db
            .prepare_cached("INSERT OR REPLACE INTO syncline_conflicts(record, model, mark) VALUES(?1, ?2, ?3)")
            .and_then(|mut s| s.execute(params![record, model, mark as i64])),
        None => {
            db.prepare_cached("DELETE FROM syncline_conflicts WHERE record = ?1").and_then(|mut s| s.execute([record]))
        }
    }
    .doing("noting conflicts")?;
    Ok(())
}

/// Forgets the conflicts of a model's records.
pub(crate) fn forget_model(db: &Connection, model: &Model) -> Result<()> {
    for number in names::numbers_of(db, model)? {
        db.execute("DELETE FROM syncline_conflicts WHERE model = ?1", [number]).doing("noting conflicts")?;
    }
    Ok(())
}

/// The mark of a record.
pub(crate) fn mark_of(db: &Connection, record: i64) -> Result<Option<u64>> {
    db.prepare_cached("SELECT mark FROM syncline_conflicts WHERE record = ?1")
        .and_then(|mut s| s.query_row([record], |row| row.get::<_, i64>(0).map(|mark| mark as u64)).optional())
        .doing("listing conflicts")
}

/// Records with conflicts in the order of their rows, behind row `after`; of the models of these numbers, or of all.
pub(crate) fn page(db: &Connection, models: Option<&[i64]>, after: i64, limit: u64) -> Result<Vec<Row>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let of_models = models.map_or_else(String::new, |numbers| {
        let list = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        format!("AND model IN ({list})")
    });
    db.prepare_cached(&format!(
        "SELECT record, model, mark FROM syncline_conflicts WHERE record > ?1 {of_models} ORDER BY record LIMIT ?2"
    ))
    .and_then(|mut s| {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Row { record: row.get(0)?, model: row.get(1)?, mark: row.get::<_, i64>(2)? as u64 })
        };
        s.query_map(params![after, limit], read)?.collect()
    })
    .doing("listing conflicts")
}

/// Rows that belong to no record.
pub(crate) fn strays(db: &Connection) -> Result<Vec<i64>> {
    db.prepare_cached(
        "SELECT c.record FROM syncline_conflicts c LEFT JOIN syncline_records r ON r.record = c.record
         WHERE r.record IS NULL OR r.model <> c.model ORDER BY c.record",
    )
    .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
    .doing("listing conflicts")
}
