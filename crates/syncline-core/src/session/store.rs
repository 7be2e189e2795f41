//! What a session needs of the store it speaks for.

use crate::ids::{Chain, Dot, LogId, RecordId, ReplicaId, StoreId};
use crate::wire::{Cursor, Entry, GenesisSpec};

/// A position in this store's own log, with the log's chain there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Sequence number of the last row covered; 0 before the first.
    pub seq: u64,
    /// The log's chain after that row.
    pub chain: Chain,
}

/// Who this store is, at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file.
    pub store: StoreId,
    /// The writer.
    pub replica: ReplicaId,
    /// The writer's last counter and chain.
    pub tip: Tip,
    /// The log.
    pub log: LogId,
    /// Rises when the log is rebuilt.
    pub epoch: u32,
    /// What the store holds.
    pub namespace: String,
}

/// A replica's last change as this store holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// All changes of the replica up to this counter are held.
    pub counter: u64,
    /// The replica's chain there.
    pub chain: Chain,
    /// Two histories of this replica id were found; the other fields mean nothing then.
    pub forked: bool,
}

/// What this store remembers of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Position in the peer's log up to which this store holds everything.
    pub cursor: Option<Cursor>,
    /// Position in this store's log up to which the peer has acknowledged everything as durable.
    pub acked: Option<Cursor>,
    /// The highest counter of this store's present replica id that the peer holds durably.
    pub frontier: u64,
}

/// One row of the log, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Position.
    pub seq: u64,
    /// The log's chain after this row.
    pub log_chain: Chain,
    /// Name of the change.
    pub dot: Dot,
    /// The replica's chain after this change.
    pub chain: Chain,
    /// Whether this store wrote the change, under its present or an earlier replica id.
    pub mine: bool,
    /// How many rows of the same transaction follow.
    pub txn: u16,
    /// Model of the record.
    pub model: String,
    /// The record.
    pub record: RecordId,
    /// Raw change bytes.
    pub bytes: Vec<u8>,
}

/// One change that a peer sent, its chain already checked against its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingRow {
    /// Name of the change.
    pub dot: Dot,
    /// How many rows of the same transaction follow.
    pub txn: u16,
    /// Model of the record.
    pub model: String,
    /// The record.
    pub record: RecordId,
    /// Raw change bytes, with the header that belongs to them.
    pub bytes: Vec<u8>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Position of this store's log after the batch: what depends on the batch may leave when this is durable.
    pub committed: u64,
    /// Changes that were new.
    pub new: u64,
    /// Changes that were held already.
    pub duplicate: u64,
    /// Changes that were put in quarantine; they are kept and passed on.
    pub quarantined: u64,
}

/// The store behind a session. Calls are synchronous; every method that writes has committed when it
/// returns, and what it wrote is durable once [`SessionStore::durable`] has reached [`Applied::committed`].
pub trait SessionStore {
    /// Why the store could not answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Who this store is. Changes when the store takes a new replica id or log id.
    fn identity(&mut self) -> Result<Identity, Self::Error>;
    /// Last committed log position.
    fn committed(&mut self) -> Result<u64, Self::Error>;
    /// Last log position that is safe against power loss.
    fn durable(&self) -> u64;
    /// The log's chain at `seq`, `None` beyond its end.
    fn log_chain(&mut self, seq: u64) -> Result<Option<Chain>, Self::Error>;
    /// A replica's tip; `None` if no change of it is held.
    fn tip(&mut self, replica: ReplicaId) -> Result<Option<Tip>, Self::Error>;
    /// A replica's chain at `counter`; `None` if not held or forked.
    fn chain_at(&mut self, replica: ReplicaId, counter: u64) -> Result<Option<Chain>, Self::Error>;
    /// Vector entries of all replicas that have a row after `seq`; forked ones whenever the flag was set.
    fn grown_since(&mut self, seq: u64) -> Result<Vec<Entry>, Self::Error>;
    /// What is remembered of a peer.
    fn peer(&mut self, peer: StoreId) -> Result<PeerState, Self::Error>;
    /// The peer last met at this address.
    fn peer_at(&mut self, address: &str) -> Result<Option<StoreId>, Self::Error>;
    /// Remembers a peer's role, address, acknowledgement and frontier; `state.cursor` is stored too. An empty
    /// address leaves the one that is stored as it is.
    fn save_peer(&mut self, peer: StoreId, relay: bool, address: &str, state: &PeerState) -> Result<(), Self::Error>;
    /// Remembers what a peer that was saved acknowledged of this store's log, and its frontier: a replica id that
    /// is or was this store's, and the highest counter of it that the peer holds. May be written some moments
    /// later: what a crash takes of it the peer says again.
    fn acknowledge(&mut self, peer: StoreId, acked: Cursor, frontier: Dot) -> Result<(), Self::Error>;
    /// Rows after `after`, in order, at most `max_rows` and about `max_bytes` of change bytes, never ending inside
    /// a transaction. If there are any, the first transaction at least, however long it is.
    fn read_log(&mut self, after: u64, max_rows: usize, max_bytes: usize) -> Result<Vec<LogRow>, Self::Error>;
    /// Applies rows of a peer and moves the cursor in that peer's log, in one transaction. `cursor` is `None`
    /// when the sender withheld its position.
    fn apply(&mut self, peer: StoreId, rows: &[IncomingRow], cursor: Option<Cursor>) -> Result<Applied, Self::Error>;
    /// Genesis changes of these models that a peer may need to know, as model, document key and kind.
    fn genesis_for(&mut self, models: &[&str]) -> Result<Vec<GenesisSpec>, Self::Error>;
    /// Takes note of genesis changes that a peer's rows may depend on.
    fn learn_genesis(&mut self, specs: &[GenesisSpec]) -> Result<(), Self::Error>;
    /// Retires replica ids. If the own id is among them the store takes a new one.
    fn retire(&mut self, replicas: &[ReplicaId]) -> Result<(), Self::Error>;
    /// Replica ids that this process knows to be retired, in the order in which it came to know, without the
    /// first `known`. What one session finds the others pass on.
    fn retired_since(&mut self, known: usize) -> Result<Vec<ReplicaId>, Self::Error>;
    /// Takes a new replica id, actor and, if `new_log`, store id and log id before the next write. A new log
    /// comes with a new store id because the reason is a restored or copied file, and two files of one store
    /// id would overwrite each other's cursors at every peer.
    fn renew_identity(&mut self, new_log: bool) -> Result<(), Self::Error>;
    /// Bytes staged of a payload that travels in parts, named by its blake3 hash.
    fn staged(&mut self, payload: &[u8; 32]) -> Result<u64, Self::Error>;
    /// Everything staged: payload hash and bytes held.
    fn staged_payloads(&mut self) -> Result<Vec<([u8; 32], u64)>, Self::Error>;
    /// Appends a part at `offset`, which equals the bytes staged so far.
    fn stage(&mut self, payload: &[u8; 32], offset: u64, bytes: &[u8]) -> Result<(), Self::Error>;
    /// Takes a complete staged payload out.
    fn take_staged(&mut self, payload: &[u8; 32]) -> Result<Vec<u8>, Self::Error>;
}

impl LogRow {
    /// Whether this row carries on the transaction of the row before it.
    pub fn continues(&self, before: &Self) -> bool {
        is_continued((before.dot, before.txn), (self.dot, self.txn))
    }
}

impl IncomingRow {
    /// As [`LogRow::continues`].
    pub fn continues(&self, before: &Self) -> bool {
        is_continued((before.dot, before.txn), (self.dot, self.txn))
    }
}

/// A transaction is of one writer and ends at one counter. What a peer says of it is no more than that: a row may
/// announce others that never come.
fn is_continued((before, before_txn): (Dot, u16), (dot, txn): (Dot, u16)) -> bool {
    let end = |dot: Dot, txn: u16| dot.counter.saturating_add(txn.into());
    txn < before_txn && before.replica == dot.replica && end(before, before_txn) == end(dot, txn)
}

impl Position {
    /// This position as a cursor of the log it belongs to.
    pub fn cursor(self, log: LogId, epoch: u32) -> Cursor {
        Cursor { log, epoch, seq: self.seq, chain: self.chain }
    }
}
