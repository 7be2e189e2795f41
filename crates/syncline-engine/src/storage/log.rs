//! Rows of the log: appended, walked back by record and by replica, read forward for a peer.

use automerge::ChangeHash;
use rusqlite::{Connection, OptionalExtension, Row, params};
use syncline_core::ids::Chain;

use super::kept::Kept;
use crate::error::{Doing, Result, StoreError};

/// What the log holds in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A change that is part of its record.
    Applied = 0,
    /// A change that was refused; kept and passed on, so that counters stay dense.
    Quarantined = 1,
    /// A change that waits for others it depends on.
    Pending = 2,
    /// A change whose (record, hash) was held already under another dot.
    Repeated = 3,
    /// A change of a `@local` model: it has no dot and never leaves.
    Local = 4,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Position.
    pub(crate) seq: u64,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Row of the record.
    pub(crate) record: i64,
    /// The record's previous row, 0 for none.
    pub(crate) prev: u64,
    /// Row of the replica, 0 for a local change.
    pub(crate) replica: i64,
    /// The replica's previous row, 0 for none.
    pub(crate) rprev: u64,
    /// The replica's counter.
    pub(crate) counter: u64,
    /// How many rows of the same transaction follow.
    pub(crate) txn: u16,
    /// The replica's chain after the change.
    pub(crate) chain: Chain,
    /// The log's chain after the row.
    pub(crate) log_chain: Chain,
    /// Hash of the change.
    pub(crate) hash: ChangeHash,
    /// Raw change bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Kind {
    fn from_sql(kind: i64) -> Result<Self> {
        match kind {
            0 => Ok(Self::Applied),
            1 => Ok(Self::Quarantined),
            2 => Ok(Self::Pending),
            3 => Ok(Self::Repeated),
            4 => Ok(Self::Local),
            other => Err(StoreError::Damaged(format!("a row of the log has kind {other}"))),
        }
    }

    /// Whether the change is part of its record.
    pub(crate) fn in_record(self) -> bool {
        matches!(self, Self::Applied | Self::Local)
    }
}

const COLUMNS: &str = "seq, kind, record, prev, replica, rprev, counter, txn, chain, log_chain, hash, bytes";

const APPEND: &str =
    "INSERT INTO syncline_log(seq, kind, record, prev, replica, rprev, counter, txn, chain, log_chain, hash, bytes)
     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Appends a row.
pub(crate) fn append(kept: &mut Kept<'_>, entry: &Entry) -> Result<()> {
    kept.get(APPEND)
        .and_then(|statement| {
            statement.execute(params![
                entry.seq as i64,
                entry.kind as i64,
                entry.record,
                entry.prev as i64,
                entry.replica,
                entry.rprev as i64,
                entry.counter as i64,
                entry.txn,
                entry.chain.0 as i64,
                entry.log_chain.0 as i64,
                entry.hash.as_ref(),
                entry.bytes,
            ])
        })
        .doing("appending to the log")?;
    Ok(())
}

/// Position and chain of the last row; (0, empty) for an empty log.
pub(crate) fn head(db: &Connection) -> Result<(u64, Chain)> {
    db.prepare_cached("SELECT seq, log_chain FROM syncline_log ORDER BY seq DESC LIMIT 1")
        .and_then(|mut s| {
            s.query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, Chain(row.get::<_, i64>(1)? as u64)))).optional()
        })
        .doing("reading the end of the log")
        .map(Option::unwrap_or_default)
}

/// The log's chain after row `seq`.
pub(crate) fn chain_at(db: &Connection, seq: u64) -> Result<Option<Chain>> {
    if seq == 0 {
        return Ok(Some(Chain::EMPTY));
    }
    db.prepare_cached("SELECT log_chain FROM syncline_log WHERE seq = ?1")
        .and_then(|mut s| s.query_row([seq as i64], |row| Ok(Chain(row.get::<_, i64>(0)? as u64))).optional())
        .doing("reading the log")
}

/// Positions and records of the newest rows, newest first.
pub(crate) fn newest(db: &Connection, limit: u64) -> Result<Vec<(u64, i64)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached("SELECT seq, record FROM syncline_log ORDER BY seq DESC LIMIT ?1")
        .and_then(|mut s| s.query_map([limit], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?.collect())
        .doing("reading the log")
}

/// One row.
pub(crate) fn read(db: &Connection, seq: u64) -> Result<Option<Entry>> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_log WHERE seq = ?1")).doing("reading the log")?;
    let mut rows = statement.query([seq as i64]).doing("reading the log")?;
    match rows.next().doing("reading the log")? {
        Some(row) => entry(row).map(Some),
        None => Ok(None),
    }
}

/// Record of a row, without reading the rest of it.
pub(crate) fn record_of(db: &Connection, seq: u64) -> Result<Option<i64>> {
    db.prepare_cached("SELECT record FROM syncline_log WHERE seq = ?1")
        .and_then(|mut s| s.query_row([seq as i64], |row| row.get(0)).optional())
        .doing("reading the log")
}

/// The waiting rows of the transaction to which row `seq` belongs, oldest first; none if it does not wait.
pub(crate) fn transaction_around(db: &Connection, seq: u64) -> Result<Vec<Entry>> {
    let Some(middle) = read(db, seq)?.filter(|entry| entry.kind == Kind::Pending) else { return Ok(Vec::new()) };
    let belongs = |entry: &Entry| {
        entry.kind == Kind::Pending
            && entry.replica == middle.replica
            && entry.counter + u64::from(entry.txn) == middle.counter + u64::from(middle.txn)
    };
    // Of a retired replica id, two changes under one dot may stand side by side: they are two transactions.
    let (mut first, mut before) = (seq, middle.txn);
    let mut rows = Vec::new();
    while let Some(entry) = read(db, first - 1)?.filter(|entry| belongs(entry) && entry.txn > before) {
        (first, before) = (entry.seq, entry.txn);
        rows.push(entry);
    }
    rows.reverse();
    let (mut last, mut after) = (seq, middle.txn);
    rows.push(middle.clone());
    while let Some(entry) = read(db, last + 1)?.filter(|entry| belongs(entry) && entry.txn < after) {
        (last, after) = (entry.seq, entry.txn);
        rows.push(entry);
    }
    Ok(rows)
}

/// Calls `each` with every row after `after`, in order, until it returns false.
pub(crate) fn scan(db: &Connection, after: u64, mut each: impl FnMut(Entry) -> Result<bool>) -> Result<()> {
    scan_each(db, after, |_, entry| each(entry?))
}

/// As [`scan`], also past rows that cannot be read.
pub(crate) fn scan_each(
    db: &Connection,
    after: u64,
    mut each: impl FnMut(u64, Result<Entry>) -> Result<bool>,
) -> Result<()> {
    let mut statement = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_log WHERE seq > ?1 ORDER BY seq"))
        .doing("reading the log")?;
    let mut rows = statement.query([after as i64]).doing("reading the log")?;
    while let Some(row) = rows.next().doing("reading the log")? {
        let seq: i64 = row.get(0).doing("reading the log")?;
        if !each(seq as u64, entry(row))? {
            break;
        }
    }
    Ok(())
}

/// A record's rows, newest first, from row `last` back to row `after`, exclusive.
pub(crate) fn of_record_after(db: &Connection, last: u64, after: u64) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut next = last;
    while next > after {
        let Some(entry) = read(db, next)? else {
            return Err(StoreError::Damaged(format!("row {next} of the log is missing")));
        };
        if entry.prev >= next {
            return Err(StoreError::Damaged(format!("row {next} of the log points forward")));
        }
        next = entry.prev;
        entries.push(entry);
    }
    Ok(entries)
}

/// How far apart the marks of a replica stand.
const MARK_EVERY: u64 = 256;

/// Marks a row of a replica if one is due, so that walks along the replica stay short.
pub(crate) fn mark(db: &Connection, replica: i64, counter: u64, seq: u64) -> Result<()> {
    if counter.is_multiple_of(MARK_EVERY) {
        db.prepare_cached("INSERT OR REPLACE INTO syncline_marks(replica, counter, seq) VALUES(?1, ?2, ?3)")
            .and_then(|mut s| s.execute(params![replica, counter as i64, seq as i64]))
            .doing("marking a row of the log")?;
    }
    Ok(())
}

/// A replica's chain after its row `seq`, 0 for before the first; `None` if that is no row of it.
pub(crate) fn replica_chain_after(db: &Connection, replica: i64, seq: u64) -> Result<Option<Chain>> {
    if seq == 0 {
        return Ok(Some(Chain::EMPTY));
    }
    db.prepare_cached("SELECT chain FROM syncline_log WHERE seq = ?1 AND replica = ?2")
        .and_then(|mut s| {
            s.query_row(params![seq as i64, replica], |row| Ok(Chain(row.get::<_, i64>(0)? as u64))).optional()
        })
        .doing("reading the log")
}

/// A replica's chain at `counter`.
pub(crate) fn replica_chain_at(db: &Connection, replica: i64, tip: u64, counter: u64) -> Result<Option<Chain>> {
    Ok(walk_to(db, replica, tip, counter)?.map(|(_, chain)| chain))
}

/// Position of a replica's change.
pub(crate) fn seq_of(db: &Connection, replica: i64, tip: u64, counter: u64) -> Result<Option<u64>> {
    Ok(walk_to(db, replica, tip, counter)?.map(|(seq, _)| seq))
}

/// Walks back from the next mark, or from the replica's newest row, to the change of that counter.
fn walk_to(db: &Connection, replica: i64, tip: u64, counter: u64) -> Result<Option<(u64, Chain)>> {
    let marked: Option<i64> = db
        .prepare_cached("SELECT seq FROM syncline_marks WHERE replica = ?1 AND counter >= ?2 ORDER BY counter LIMIT 1")
        .and_then(|mut s| s.query_row(params![replica, counter as i64], |row| row.get(0)).optional())
        .doing("walking a replica's changes")?;
    let mut next = marked.map_or(tip, |seq| seq as u64);
    while next != 0 {
        let step = db
            .prepare_cached("SELECT counter, chain, rprev FROM syncline_log WHERE seq = ?1")
            .and_then(|mut s| {
                s.query_row([next as i64], |row| {
                    Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
                })
                .optional()
            })
            .doing("walking a replica's changes")?;
        let Some((at, chain, previous)) = step else { return Ok(None) };
        if at == counter {
            return Ok(Some((next, Chain(chain))));
        }
        if at < counter || previous >= next {
            return Ok(None);
        }
        next = previous;
    }
    Ok(None)
}

/// Changes what a row is.
pub(crate) fn set_kind(db: &Connection, seq: u64, kind: Kind) -> Result<()> {
    db.prepare_cached("UPDATE syncline_log SET kind = ?2 WHERE seq = ?1")
        .and_then(|mut s| s.execute(params![seq as i64, kind as i64]))
        .doing("changing a row of the log")?;
    Ok(())
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let kind = Kind::from_sql(row.get(1).doing("reading the log")?)?;
    read_entry(row, kind).doing("reading the log")
}

fn read_entry(row: &Row<'_>, kind: Kind) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: row.get::<_, i64>(0)? as u64,
        kind,
        record: row.get(2)?,
        prev: row.get::<_, i64>(3)? as u64,
        replica: row.get(4)?,
        rprev: row.get::<_, i64>(5)? as u64,
        counter: row.get::<_, i64>(6)? as u64,
        txn: row.get(7)?,
        chain: Chain(row.get::<_, i64>(8)? as u64),
        log_chain: Chain(row.get::<_, i64>(9)? as u64),
        hash: ChangeHash(row.get(10)?),
        bytes: row.get(11)?,
    })
}

/// The newest row of a replica's change, where several may have its counter.
pub(crate) fn newest_of(db: &Connection, tip: u64, counter: u64) -> Result<Option<u64>> {
    let mut next = tip;
    while next != 0 {
        let step = db
            .prepare_cached("SELECT counter, rprev FROM syncline_log WHERE seq = ?1")
            .and_then(|mut s| {
                s.query_row([next as i64], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)))
                    .optional()
            })
            .doing("walking a replica's changes")?;
        match step {
            Some((at, _)) if at == counter => return Ok(Some(next)),
            Some((_, previous)) if previous < next => next = previous,
            Some(_) | None => return Ok(None),
        }
    }
    Ok(None)
}

/// How many changes the log holds.
pub(crate) fn count(db: &Connection) -> Result<u64> {
    db.prepare_cached("SELECT count(*) FROM syncline_log")
        .and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)))
        .map(|n| n as u64)
        .doing("counting changes")
}

/// How many changes this store wrote, under any of its replica ids.
pub(crate) fn count_mine(db: &Connection) -> Result<u64> {
    db.prepare_cached(
        "SELECT count(*) FROM syncline_log WHERE replica IN (SELECT replica FROM syncline_replicas WHERE mine)",
    )
    .and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)))
    .map(|n| n as u64)
    .doing("counting changes")
}
