//! What is remembered of peers, and payloads that arrive in parts.

use rusqlite::{Connection, OptionalExtension, Row, params};
use syncline_core::ids::{Chain, Dot, LogId, ReplicaId, StoreId};
use syncline_core::session::PeerState;
use syncline_core::wire::Cursor;

use crate::error::{Doing, Result, StoreError};

/// A row of `syncline_peers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its store.
    pub(crate) store: StoreId,
    /// Whether it is a relay.
    pub(crate) relay: bool,
    /// Where it was last met, empty if it called.
    pub(crate) address: String,
    /// Position in its log up to which this store holds everything.
    pub(crate) cursor: Option<Cursor>,
    /// Position in this store's log that it acknowledged.
    pub(crate) acked: Option<Cursor>,
    /// Of which replica id of this store the frontier speaks.
    pub(crate) frontier_replica: ReplicaId,
    /// That replica's highest counter that it holds durably.
    pub(crate) frontier: u64,
}

/// What a peer acknowledged, not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// Position in this store's log.
    pub(crate) acked: Cursor,
    /// A replica id of this store, and the highest counter of it that the peer holds durably.
    pub(crate) frontier: Dot,
}

const COLUMNS: &str = "store, relay, address, cursor_log, cursor_epoch, cursor_seq, cursor_chain,
    acked_log, acked_epoch, acked_seq, acked_chain, frontier_replica, frontier";

/// The peer of that store.
pub(crate) fn find(db: &Connection, store: StoreId) -> Result<Option<Peer>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_peers WHERE store = ?1"))
        .and_then(|mut s| s.query_row([store.0], peer).optional())
        .doing("reading a peer")
}

/// All peers.
pub(crate) fn all(db: &Connection) -> Result<Vec<Peer>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_peers ORDER BY store"))
        .and_then(|mut s| s.query_map([], peer)?.collect())
        .doing("reading the peers")
}

/// The peer last met at that address.
pub(crate) fn at_address(db: &Connection, address: &str) -> Result<Option<StoreId>> {
    db.prepare_cached("SELECT store FROM syncline_peers WHERE address = ?1 ORDER BY store LIMIT 1")
        .and_then(|mut s| s.query_row([address], |row| row.get(0).map(StoreId)).optional())
        .doing("reading a peer")
}

/// Writes a peer. An address belongs to the peer met there last; an empty one leaves the one that stands.
pub(crate) fn save(db: &Connection, peer: &Peer) -> Result<()> {
    if !peer.address.is_empty() {
        db.prepare_cached("UPDATE syncline_peers SET address = '' WHERE address = ?1 AND store <> ?2")
            .and_then(|mut s| s.execute(params![peer.address, peer.store.0]))
            .doing("writing a peer")?;
    }
    let sql = format!(
        "INSERT OR REPLACE INTO syncline_peers({COLUMNS}) VALUES(?1, ?2,
         CASE WHEN ?3 = '' THEN coalesce((SELECT address FROM syncline_peers WHERE store = ?1), '') ELSE ?3 END,
         ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    let (cursor, acked) = (peer.cursor, peer.acked);
    db.prepare_cached(&sql)
        .and_then(|mut s| {
            s.execute(params![
                peer.store.0,
                peer.relay,
                peer.address,
                cursor.map(|c| c.log.0),
                cursor.map(|c| c.epoch),
                cursor.map(|c| c.seq as i64),
                cursor.map(|c| c.chain.0 as i64),
                acked.map(|c| c.log.0),
                acked.map(|c| c.epoch),
                acked.map(|c| c.seq as i64),
                acked.map(|c| c.chain.0 as i64),
                peer.frontier_replica.0,
                peer.frontier as i64,
            ])
        })
        .doing("writing a peer")?;
    Ok(())
}

/// Writes what a peer acknowledged.
pub(crate) fn acknowledge(db: &Connection, peer: StoreId, ack: &Acknowledged) -> Result<()> {
    db.prepare_cached(
        "UPDATE syncline_peers SET acked_log = ?2, acked_epoch = ?3, acked_seq = ?4, acked_chain = ?5,
         frontier_replica = ?6, frontier = ?7 WHERE store = ?1",
    )
    .and_then(|mut s| {
        s.execute(params![
            peer.0,
            ack.acked.log.0,
            ack.acked.epoch,
            ack.acked.seq as i64,
            ack.acked.chain.0 as i64,
            ack.frontier.replica.0,
            ack.frontier.counter as i64,
        ])
    })
    .doing("writing a peer")?;
    Ok(())
}

impl Peer {
    /// As it is once this is written.
    pub(crate) fn with(mut self, ack: Option<&Acknowledged>) -> Self {
        if let Some(ack) = ack {
            (self.acked, self.frontier_replica, self.frontier) =
                (Some(ack.acked), ack.frontier.replica, ack.frontier.counter);
        }
        self
    }

    /// What a session needs of it, if the frontier speaks of `replica`.
    pub(crate) fn state(&self, replica: ReplicaId) -> PeerState {
        PeerState {
            cursor: self.cursor,
            acked: self.acked,
            frontier: if self.frontier_replica == replica { self.frontier } else { 0 },
        }
    }
}

fn peer(row: &Row<'_>) -> rusqlite::Result<Peer> {
    Ok(Peer {
        store: StoreId(row.get(0)?),
        relay: row.get(1)?,
        address: row.get(2)?,
        cursor: cursor(row, 3)?,
        acked: cursor(row, 7)?,
        frontier_replica: ReplicaId(row.get::<_, Option<[u8; 16]>>(11)?.unwrap_or_default()),
        frontier: row.get::<_, i64>(12)? as u64,
    })
}

fn cursor(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Cursor>> {
    let Some(log) = row.get::<_, Option<[u8; 16]>>(first)? else { return Ok(None) };
    Ok(Some(Cursor {
        log: LogId(log),
        epoch: row.get(first + 1)?,
        seq: row.get::<_, i64>(first + 2)? as u64,
        chain: Chain(row.get::<_, i64>(first + 3)? as u64),
    }))
}

/// Payloads in parts and how many bytes of each are held.
pub(crate) fn staged(db: &Connection) -> Result<Vec<([u8; 32], u64)>> {
    db.prepare_cached("SELECT payload, sum(length(bytes)) FROM syncline_parts GROUP BY payload ORDER BY payload")
        .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?.collect())
        .doing("reading staged parts")
}

/// Bytes held of one payload.
pub(crate) fn staged_of(db: &Connection, payload: &[u8; 32]) -> Result<u64> {
    db.prepare_cached("SELECT coalesce(sum(length(bytes)), 0) FROM syncline_parts WHERE payload = ?1")
        .and_then(|mut s| s.query_row([payload], |row| row.get::<_, i64>(0).map(|n| n as u64)))
        .doing("reading staged parts")
}

/// Appends a part.
pub(crate) fn stage(db: &Connection, payload: &[u8; 32], offset: u64, bytes: &[u8]) -> Result<()> {
    if staged_of(db, payload)? != offset {
        return Err(StoreError::Damaged(format!("a part at {offset} does not continue what is staged")));
    }
    db.prepare_cached("INSERT INTO syncline_parts(payload, at, bytes) VALUES(?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![payload, offset as i64, bytes]))
        .doing("staging a part")?;
    Ok(())
}

/// Takes a whole payload out.
pub(crate) fn take_staged(db: &Connection, payload: &[u8; 32]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    let mut statement = db
        .prepare_cached("SELECT bytes FROM syncline_parts WHERE payload = ?1 ORDER BY at")
        .doing("reading staged parts")?;
    let parts = statement.query_map([payload], |row| row.get::<_, Vec<u8>>(0)).doing("reading staged parts")?;
    for part in parts {
        whole.extend(part.doing("reading staged parts")?);
    }
    db.prepare_cached("DELETE FROM syncline_parts WHERE payload = ?1")
        .and_then(|mut s| s.execute([payload]))
        .doing("dropping staged parts")?;
    Ok(whole)
}

/// Moves the cursor in a peer's log; a peer not met before is remembered.
pub(crate) fn move_cursor(db: &Connection, store: StoreId, cursor: Cursor) -> Result<()> {
    let values = params![store.0, cursor.log.0, cursor.epoch, cursor.seq as i64, cursor.chain.0 as i64];
    db.prepare_cached(
        "INSERT INTO syncline_peers(store, relay, address, cursor_log, cursor_epoch, cursor_seq, cursor_chain)
         VALUES(?1, 0, '', ?2, ?3, ?4, ?5)
         ON CONFLICT(store) DO UPDATE SET cursor_log = ?2, cursor_epoch = ?3, cursor_seq = ?4, cursor_chain = ?5",
    )
    .and_then(|mut s| s.execute(values))
    .doing("moving a cursor")?;
    Ok(())
}
