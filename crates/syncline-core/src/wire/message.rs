//! The messages of protocol `syncline/1`.

use crate::ids::{Chain, LogId, RecordId, ReplicaId, StoreId};

/// A position in a store's log, as a peer keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which log.
    pub log: LogId,
    /// Which incarnation of it.
    pub epoch: u32,
    /// Last row covered.
    pub seq: u64,
    /// The log's chain after that row.
    pub chain: Chain,
}

/// One entry of a version vector as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose changes.
    pub replica: ReplicaId,
    /// All up to this one are held.
    pub counter: u64,
    /// The replica's chain there.
    pub chain: Chain,
    /// The replica id is retired; counter and chain mean nothing.
    pub forked: bool,
}

/// One change inside a batch, before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Index into the batch's replicas.
    pub replica: u32,
    /// Counter of the dot.
    pub counter: u64,
    /// How many rows of the same transaction follow.
    pub txn: u16,
    /// Index into the batch's models.
    pub model: u32,
    /// The record.
    pub record: RecordId,
    /// Raw change bytes.
    pub bytes: Vec<u8>,
}

/// Who is speaking: a device that writes, or a relay that keeps and forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A replica.
    Peer,
    /// A relay.
    Relay,
}

/// The first words of either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The speaker's role.
    pub role: Role,
    /// The speaker's store.
    pub store: StoreId,
    /// The speaker's present replica id.
    pub replica: ReplicaId,
    /// Its last counter.
    pub counter: u64,
    /// Its chain there.
    pub chain: Chain,
    /// The speaker's log.
    pub log: LogId,
    /// Its incarnation.
    pub epoch: u32,
}
