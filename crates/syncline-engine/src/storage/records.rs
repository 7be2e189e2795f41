//! Records: their names, states, snapshots; and the genesis, pending and quarantine tables.

use automerge::ChangeHash;
use rusqlite::{Connection, OptionalExtension, params};
use syncline_core::ids::RecordId;

use super::kept::Kept;
use crate::error::{Doing, Result, StoreError};

/// A row of `syncline_records`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its row.
    pub(crate) record: i64,
    /// Its id.
    pub(crate) id: RecordId,
    /// Number of its model.
    pub(crate) model: i64,
    /// Its newest row of the log.
    pub(crate) last: u64,
    /// Its encoded state; `None` where no schema ever looked at it.
    pub(crate) state: Option<Vec<u8>>,
}

/// The record of that id.
pub(crate) fn find(db: &Connection, id: RecordId) -> Result<Option<Row>> {
    db.prepare_cached("SELECT record, model, last, state FROM syncline_records WHERE id = ?1")
        .and_then(|mut s| {
            s.query_row([id.0], |row| {
                Ok(Row {
                    record: row.get(0)?,
                    id,
                    model: row.get(1)?,
                    last: row.get::<_, i64>(2)? as u64,
                    state: row.get(3)?,
                })
            })
            .optional()
        })
        .doing("finding a record")
}

/// Row of the record of that id, and the name of its model.
pub(crate) fn number_of(db: &Connection, id: RecordId) -> Result<Option<(i64, String)>> {
    db.prepare_cached("SELECT record, name FROM syncline_records JOIN syncline_models USING (model) WHERE id = ?1")
        .and_then(|mut s| s.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .doing("finding a record")
}

/// The record of that row.
pub(crate) fn at(db: &Connection, record: i64) -> Result<Option<Row>> {
    db.prepare_cached("SELECT id, model, last, state FROM syncline_records WHERE record = ?1")
        .and_then(|mut s| {
            s.query_row([record], |row| {
                Ok(Row {
                    record,
                    id: RecordId(row.get(0)?),
                    model: row.get(1)?,
                    last: row.get::<_, i64>(2)? as u64,
                    state: row.get(3)?,
                })
            })
            .optional()
        })
        .doing("finding a record")
}

/// Rows of records of a model, given by its numbers: ascending, after one. A table whose rows are not in order is
/// damaged: who asks for the next ones after the last would never come to an end.
pub(crate) fn of_model(db: &Connection, numbers: &[i64], after: i64, limit: usize) -> Result<Vec<i64>> {
    let list = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let sql =
        format!("SELECT record FROM syncline_records WHERE record > ?1 AND model IN ({list}) ORDER BY record LIMIT ?2");
    let rows: Vec<i64> = db
        .prepare_cached(&sql)
        .and_then(|mut s| s.query_map(params![after, limit as i64], |row| row.get(0))?.collect())
        .doing("listing records")?;
    match std::iter::once(&after).chain(&rows).is_sorted_by(|one, next| one < next) {
        true => Ok(rows),
        false => Err(StoreError::Damaged(format!("the records after row {after} are not in order"))),
    }
}

/// How many records of a model stand up to this row, and how many there are.
pub(crate) fn counts_of_model(db: &Connection, numbers: &[i64], upto: i64) -> Result<(u64, u64)> {
    let list = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let sql =
        format!("SELECT count(*) FILTER (WHERE record <= ?1), count(*) FROM syncline_records WHERE model IN ({list})");
    let counts = db.query_row(&sql, [upto], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    counts.map(|(upto, all)| (upto as u64, all as u64)).doing("counting records")
}

/// Calls `each` with every record's row and its newest row of the log.
pub(crate) fn each_end(db: &Connection, mut each: impl FnMut(i64, u64)) -> Result<()> {
    let mut statement = db.prepare_cached("SELECT record, last FROM syncline_records").doing("listing records")?;
    let mut rows = statement.query([]).doing("listing records")?;
    while let Some(row) = rows.next().doing("listing records")? {
        let end = row.get(0).and_then(|record| Ok((record, row.get::<_, i64>(1)?))).doing("listing records")?;
        each(end.0, end.1 as u64);
    }
    Ok(())
}

/// Calls `each` with every record that a schema has looked at.
pub(crate) fn each_judged(db: &Connection, mut each: impl FnMut(Row) -> Result<()>) -> Result<()> {
    let mut statement = db
        .prepare_cached("SELECT record, id, model, last, state FROM syncline_records WHERE state IS NOT NULL")
        .doing("listing records")?;
    let mut rows = statement.query([]).doing("listing records")?;
    while let Some(row) = rows.next().doing("listing records")? {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Row {
                record: row.get(0)?,
                id: RecordId(row.get(1)?),
                model: row.get(2)?,
                last: row.get::<_, i64>(3)? as u64,
                state: row.get(4)?,
            })
        };
        each(read(row).doing("listing records")?)?;
    }
    Ok(())
}

/// Greatest row in use.
pub(crate) fn greatest(db: &Connection) -> Result<i64> {
    db.prepare_cached("SELECT coalesce(max(record), 0) FROM syncline_records")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .doing("reading the records")
}

const INSERT: &str = "INSERT INTO syncline_records(record, id, model, last, state) VALUES(?1, ?2, ?3, ?4, ?5)";

/// Writes a new record.
pub(crate) fn insert(
    kept: &mut Kept<'_>,
    record: i64,
    id: RecordId,
    model: i64,
    last: u64,
    state: Option<&[u8]>,
) -> Result<()> {
    kept.get(INSERT)
        .and_then(|s| s.execute(params![record, id.0, model, last as i64, state]))
        .doing("writing a record")?;
    Ok(())
}

/// Writes a record's newest row and state.
pub(crate) fn update(db: &Connection, record: i64, model: i64, last: u64, state: Option<&[u8]>) -> Result<()> {
    db.prepare_cached("UPDATE syncline_records SET model = ?2, last = ?3, state = ?4 WHERE record = ?1")
        .and_then(|mut s| s.execute(params![record, model, last as i64, state]))
        .doing("writing a record")?;
    Ok(())
}

/// Writes a record's newest row alone.
pub(crate) fn set_last(db: &Connection, record: i64, last: u64) -> Result<()> {
    db.prepare_cached("UPDATE syncline_records SET last = ?2 WHERE record = ?1")
        .and_then(|mut s| s.execute(params![record, last as i64]))
        .doing("writing a record")?;
    Ok(())
}

/// Drops a record's snapshot.
pub(crate) fn drop_snapshot(db: &Connection, record: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM syncline_snapshots WHERE record = ?1")
        .and_then(|mut s| s.execute([record]))
        .doing("dropping a snapshot")?;
    Ok(())
}

/// A record's snapshot: the document's bytes, and the log row up to which it reaches.
pub(crate) fn snapshot(db: &Connection, record: i64) -> Result<Option<(u64, Vec<u8>)>> {
    db.prepare_cached("SELECT upto, bytes FROM syncline_snapshots WHERE record = ?1")
        .and_then(|mut s| s.query_row([record], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))).optional())
        .doing("reading a snapshot")
}

/// Writes a record's snapshot.
pub(crate) fn set_snapshot(db: &Connection, record: i64, upto: u64, bytes: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO syncline_snapshots(record, upto, bytes) VALUES(?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![record, upto as i64, bytes]))
        .doing("writing a snapshot")?;
    Ok(())
}

/// A genesis as it stands in its table: model, document key, kind of object.
pub(crate) type GenesisRow = (String, String, u8);

/// The genesis of that hash.
pub(crate) fn genesis(db: &Connection, hash: &ChangeHash) -> Result<Option<GenesisRow>> {
    db.prepare_cached("SELECT model, key, kind FROM syncline_genesis WHERE hash = ?1")
        .and_then(|mut s| s.query_row([hash.as_ref()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional())
        .doing("reading the genesis table")
}

/// All of a model's genesis.
pub(crate) fn genesis_of(db: &Connection, model: &str) -> Result<Vec<GenesisRow>> {
    db.prepare_cached("SELECT model, key, kind FROM syncline_genesis WHERE model = ?1 ORDER BY key, kind")
        .and_then(|mut s| s.query_map([model], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
        .doing("reading the genesis table")
}

/// All genesis of all models.
pub(crate) fn all_genesis(db: &Connection) -> Result<Vec<GenesisRow>> {
    db.prepare_cached("SELECT model, key, kind FROM syncline_genesis ORDER BY model, key, kind")
        .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
        .doing("reading the genesis table")
}

/// Remembers a genesis.
pub(crate) fn add_genesis(db: &Connection, hash: &ChangeHash, row: &GenesisRow) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO syncline_genesis(hash, model, key, kind) VALUES(?1, ?2, ?3, ?4)")
        .and_then(|mut s| s.execute(params![hash.as_ref(), row.0, row.1, row.2]))
        .doing("writing the genesis table")?;
    Ok(())
}

/// Puts a row of the log in quarantine.
pub(crate) fn quarantine(db: &Connection, seq: u64, record: i64, reason: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO syncline_quarantine(seq, record, reason) VALUES(?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![seq as i64, record, reason]))
        .doing("putting a change in quarantine")?;
    Ok(())
}

/// Begins the reason of a row in quarantine whose bytes are damaged in this file.
pub(crate) const DAMAGED: &str = "damaged: ";

/// Rows of the log that were found to be damaged, oldest first.
pub(crate) fn damaged(db: &Connection) -> Result<Vec<u64>> {
    db.prepare_cached("SELECT seq FROM syncline_quarantine WHERE reason LIKE ?1 || '%' ORDER BY seq")
        .and_then(|mut s| s.query_map([DAMAGED], |row| row.get::<_, i64>(0).map(|n| n as u64))?.collect())
        .doing("reading the quarantine")
}

/// Takes a row of the log out of quarantine.
pub(crate) fn release(db: &Connection, seq: u64) -> Result<()> {
    db.prepare_cached("DELETE FROM syncline_quarantine WHERE seq = ?1")
        .and_then(|mut s| s.execute([seq as i64]))
        .doing("reading the quarantine")?;
    Ok(())
}

/// Remembers that a row of the log waits for these changes.
pub(crate) fn wait_for(db: &Connection, seq: u64, record: i64, missing: &[ChangeHash]) -> Result<()> {
    let bytes: Vec<u8> = missing.iter().flat_map(|hash| hash.0).collect();
    db.prepare_cached("INSERT OR REPLACE INTO syncline_pending(seq, record, missing) VALUES(?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![seq as i64, record, bytes]))
        .doing("setting a change aside")?;
    Ok(())
}

/// Rows of the log that wait for other changes of the record, oldest first, and for which; for none if the record
/// cannot be read.
pub(crate) fn waiting(db: &Connection, record: i64) -> Result<Vec<(u64, Vec<ChangeHash>)>> {
    let read = |row: &rusqlite::Row<'_>| {
        let missing: Vec<u8> = row.get(1)?;
        let hashes = missing.as_chunks().0.iter().map(|hash| ChangeHash(*hash)).collect();
        Ok((row.get::<_, i64>(0)? as u64, hashes))
    };
    db.prepare_cached("SELECT seq, missing FROM syncline_pending WHERE record = ?1 ORDER BY seq")
        .and_then(|mut s| s.query_map([record], read)?.collect())
        .doing("reading what waits")
}

/// Whether any row waits.
pub(crate) fn any_waiting(db: &Connection) -> Result<bool> {
    db.prepare_cached("SELECT EXISTS(SELECT 1 FROM syncline_pending)")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .doing("reading what waits")
}

/// A row no longer waits.
pub(crate) fn no_longer_waits(db: &Connection, seq: u64) -> Result<()> {
    db.prepare_cached("DELETE FROM syncline_pending WHERE seq = ?1")
        .and_then(|mut s| s.execute([seq as i64]))
        .doing("taking a change that waited")?;
    Ok(())
}

/// Id and model of a record's row.
pub(crate) fn name_of(db: &Connection, record: i64) -> Result<Option<(RecordId, i64)>> {
    db.prepare_cached("SELECT id, model FROM syncline_records WHERE record = ?1")
        .and_then(|mut s| s.query_row([record], |row| Ok((RecordId(row.get(0)?), row.get(1)?))).optional())
        .doing("finding a record")
}

/// Why a row of the log is in quarantine.
pub(crate) fn reason(db: &Connection, seq: u64) -> Result<Option<String>> {
    db.prepare_cached("SELECT reason FROM syncline_quarantine WHERE seq = ?1")
        .and_then(|mut s| s.query_row([seq as i64], |row| row.get(0)).optional())
        .doing("reading the quarantine")
}

/// Rows in quarantine with their reasons, oldest first.
pub(crate) fn quarantined(db: &Connection) -> Result<Vec<(u64, i64, String)>> {
    db.prepare_cached("SELECT seq, record, reason FROM syncline_quarantine ORDER BY seq")
        .and_then(|mut s| {
            s.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)))?.collect()
        })
        .doing("reading the quarantine")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A disk that lied left a table whose rows were not in order. `verify` asked for those after the last of each
    /// batch, got earlier ones again, and never came to an end.
    #[test]
    fn records_that_are_not_in_order_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "CREATE TABLE syncline_records(record INTEGER PRIMARY KEY, model INTEGER);
             INSERT INTO syncline_records VALUES(84, 7), (85, 7), (86, 7);",
        )
        .unwrap();
        assert_eq!(of_model(&db, &[7], 0, 500).unwrap(), [84, 85, 86]);
        drop(db);
        // A cell: the length of what it holds, its row, then a header of three bytes and the model.
        let (cell, rows_differ) = ([4, 85, 3, 0, 1, 7], [4, 112, 3, 0, 1, 7]);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(6).position(|window| window == cell).unwrap();
        bytes[at..at + 6].copy_from_slice(&rows_differ);
        std::fs::write(&path, bytes).unwrap();
        let db = Connection::open(&path).unwrap();
        let error = of_model(&db, &[7], 0, 500).unwrap_err();
        assert!(error.is_damage(), "{error}");
    }
}
