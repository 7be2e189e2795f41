//! Looking into a store: status, history of a record, its document, verification.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value};
use syncline_core::document::Document;
use syncline_core::ids::{Dot, ReplicaId, StoreId};
use syncline_core::vector::{Token, TokenEntry};
use syncline_schema::Model;

use crate::error::{Doing, Result, StoreError};
use crate::history;
use crate::identity::Renewal;
use crate::local::parse_key;
use crate::naming;
use crate::projection::quoted;
use crate::storage::log::{self, Kind};
use crate::storage::names::Replica;
use crate::storage::{peers, records};
use crate::store::Store;

/// What a store holds, and what its peers do.
#[derive(Clone, Debug, Serialize)]
pub struct StoreStatus {
    /// The replica id under which the store writes next, unless it must take another.
    pub replica: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// Replica id → highest counter held.
    pub version_vector: BTreeMap<String, u64>,
    /// Living records by model.
    pub records: Map<String, Value>,
    /// Changes held.
    pub changes: u64,
    /// Own changes by what relays said of them.
    pub outbox: Outbox,
    /// Peers met so far.
    pub peers: Vec<PeerStatus>,
    /// Size of the SQLite file with its write-ahead log.
    pub file_bytes: u64,
    /// Changes that were refused; they are kept and passed on.
    pub quarantined: Vec<Quarantined>,
    /// Retired replica ids.
    pub forked: Vec<String>,
    /// Changes of the store's replica id, oldest first, with their causes.
    pub renewals: Vec<Renewal>,
}

/// Own changes by what relays said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outbox {
    /// No relay has acknowledged them yet.
    pub pending: u64,
    /// A relay holds them durably.
    pub acknowledged: u64,
    /// A relay refused them.
    pub rejected: u64,
}

/// An own change that no relay has acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingChange {
    /// Position in the log.
    pub seq: u64,
    /// The record's model.
    pub model: String,
    /// The record's id, or a JSON object of its key fields; `None` where the schema lacks the model, or the record is
    /// damaged.
    pub id: Option<String>,
    /// The replica id under which it was written.
    pub replica: String,
    /// The how-manieth of that replica's changes.
    pub counter: u64,
    /// Time that the clock showed, in milliseconds since 1970; 0 for the initial text or list of a record with a custom
    /// key, which has none.
    pub time_ms: i64,
}

/// Whose acknowledgement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckedBy {
    /// Any relay's.
    AnyRelay,
    /// This peer's.
    Peer(StoreId),
    /// That of every peer ever met, of which there is at least one.
    All,
}

/// What is remembered of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerStatus {
    /// Its store.
    pub store: String,
    /// Whether it is a relay.
    pub relay: bool,
    /// Where it was met, empty if it called.
    pub address: String,
    /// Rows of its log that this store holds.
    pub received: u64,
    /// Rows of this store's log that it has acknowledged as durable.
    pub acknowledged: u64,
}

/// A change in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Position in the log.
    pub seq: u64,
    /// The record's id, in hexadecimal.
    pub record: String,
    /// Its model.
    pub model: String,
    /// Why.
    pub reason: String,
}

impl Store {
    /// What the store holds, and what its peers do.
    pub fn status(&self) -> Result<StoreStatus> {
        let forked = self.names.replicas().filter(|replica| replica.forked).map(|replica| replica.id.to_string());
        let quarantined = records::quarantined(&self.db)?.into_iter().map(|row| self.quarantined(row));
        let replica = match self.replica() {
            Some(replica) => Some(replica),
            None => self.stored_replica()?,
        };
        Ok(StoreStatus {
            replica: replica.map(|id| id.to_string()),
            namespace: self.namespace().to_owned(),
            version_vector: self.version().iter().map(|(id, counter)| (id.to_string(), counter)).collect(),
            records: self.model_counts()?,
            changes: log::count(&self.db)?,
            outbox: self.outbox()?,
            peers: self.peer_rows()?.into_iter().map(peer_status).collect(),
            file_bytes: self.file_bytes(),
            quarantined: quarantined.collect::<Result<_>>()?,
            forked: forked.collect(),
            renewals: self.renewals()?,
        })
    }

    fn quarantined(&self, (seq, row, reason): (u64, i64, String)) -> Result<Quarantined> {
        let (model, record) = self.record_name(row)?;
        Ok(Quarantined { seq, record, model, reason })
    }

    /// A record's model and its id, in hexadecimal.
    fn record_name(&self, row: i64) -> Result<(String, String)> {
        let name = records::name_of(&self.db, row)?;
        let first = name.and_then(|(_, model)| self.names.model_name(model)).unwrap_or_default();
        let known = self.schema().and_then(|schema| schema.model_known_as(first));
        let model = known.map_or(first, |model| &model.name).to_owned();
        Ok((model, name.map(|(id, _)| id.to_string()).unwrap_or_default()))
    }

    fn model_counts(&self) -> Result<Map<String, Value>> {
        let mut counts = Map::new();
        for model in self.schema.iter().flat_map(|schema| &schema.models) {
            let sql = format!("SELECT count(*) FROM {}", quoted(&model.name));
            let count: i64 = self.db.query_row(&sql, [], |row| row.get(0)).doing("counting records")?;
            counts.insert(model.name.clone(), count.into());
        }
        Ok(counts)
    }

    fn file_bytes(&self) -> u64 {
        let mut wal = self.path().as_os_str().to_owned();
        wal.push("-wal");
        let size = |path: &std::path::Path| std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0);
        size(self.path()) + size(std::path::Path::new(&wal))
    }

    /// Own changes by what relays said of them: derived from the peers' frontiers and positions, not a queue.
    pub fn outbox(&self) -> Result<Outbox> {
        let known = self.known_of_own()?;
        let mine: u64 = log::count_mine(&self.db)?;
        let mut pending = 0;
        log::scan(&self.db, known.acked, |entry| {
            pending += u64::from(self.waits(&entry, &known));
            Ok(true)
        })?;
        Ok(Outbox { pending, acknowledged: mine.saturating_sub(pending), rejected: 0 })
    }

    /// The newest of the own changes that wait, as [`Store::outbox`] counts them: at most so many, newest first.
    pub fn pending_changes(&self, limit: usize) -> Result<Vec<PendingChange>> {
        let known = self.known_of_own()?;
        let mut newest = VecDeque::new();
        log::scan(&self.db, known.acked, |entry| {
            if self.waits(&entry, &known) {
                newest.push_front(entry);
                newest.truncate(limit);
            }
            Ok(true)
        })?;
        newest.iter().map(|entry| self.pending_change(entry)).collect()
    }

    fn pending_change(&self, entry: &log::Entry) -> Result<PendingChange> {
        let id = match &self.schema {
            Some(_) => {
                self.reading(|reading| Ok(reading.readable_at(entry.record)?.map(|found| found.id(reading.schema))))?
            }
            None => None,
        };
        Ok(PendingChange {
            seq: entry.seq,
            model: self.record_name(entry.record)?.0,
            id,
            replica: self.names.replica_at(entry.replica).map(|replica| replica.id.to_string()).unwrap_or_default(),
            counter: entry.counter,
            // What cannot be read has no time either.
            time_ms: history::change_of(entry).map_or(0, |change| change.time()),
        })
    }

    /// Whether any own change waits, as [`Store::outbox`] counts them, for the price of the first one that does.
    pub fn has_pending(&self) -> Result<bool> {
        let known = self.known_of_own()?;
        let may_wait = |replica: &Replica| {
            replica.mine && replica.tip > known.acked && (replica.forked || replica.counter > known.of(replica.id))
        };
        if !self.names.replicas().any(may_wait) {
            return Ok(false);
        }
        let mut found = !known.has_relay;
        if !found {
            log::scan(&self.db, known.acked, |entry| {
                found = self.waits(&entry, &known);
                Ok(!found)
            })?;
        }
        Ok(found)
    }

    fn waits(&self, entry: &log::Entry, known: &KnownOfOwn) -> bool {
        let of_mine = self.names.replica_at(entry.replica).filter(|replica| replica.mine && entry.kind != Kind::Local);
        of_mine.is_some_and(|replica| replica.forked || entry.counter > known.of(replica.id))
    }

    fn known_of_own(&self) -> Result<KnownOfOwn> {
        let mut known = KnownOfOwn::default();
        for peer in self.peer_rows()?.into_iter().filter(|peer| peer.relay) {
            known.has_relay = true;
            if let Some(acked) = peer.acked
                && (acked.log, acked.epoch) == (self.ids.log, self.ids.epoch)
            {
                known.acked = known.acked.max(acked.seq);
            }
            let held = known.frontiers.entry(peer.frontier_replica).or_insert(0);
            *held = peer.frontier.max(*held);
        }
        Ok(known)
    }

    /// How many of these positions are not yet durable where they should be.
    pub fn unacknowledged(&self, dots: &[Dot], by: AckedBy) -> Result<u64> {
        let all = self.peer_rows()?;
        let has = |peer: &peers::Peer, seq: Option<u64>, dot: &Dot| {
            let by_position = peer.acked.is_some_and(|acked| {
                acked.log == self.ids.log && acked.epoch == self.ids.epoch && seq.is_some_and(|seq| seq <= acked.seq)
            });
            by_position || (peer.frontier_replica == dot.replica && dot.counter <= peer.frontier)
        };
        let mut missing = 0;
        for dot in dots {
            let seq = match self.names.replica(dot.replica) {
                Some(replica) if replica.forked => log::newest_of(&self.db, replica.tip, dot.counter)?,
                Some(replica) => log::seq_of(&self.db, replica.row, replica.tip, dot.counter)?,
                None => None,
            };
            let reached = match by {
                AckedBy::AnyRelay => all.iter().any(|peer| peer.relay && has(peer, seq, dot)),
                AckedBy::Peer(store) => all.iter().any(|peer| peer.store == store && has(peer, seq, dot)),
                AckedBy::All => !all.is_empty() && all.iter().all(|peer| has(peer, seq, dot)),
            };
            missing += u64::from(!reached);
        }
        Ok(missing)
    }

    /// Everything held, as a token.
    pub fn token(&self) -> Token {
        let held = self.names.replicas().filter(|replica| !replica.forked);
        let entries = held.map(|r| (r.id, TokenEntry { counter: r.counter, chain: r.chain }));
        Token::new(self.namespace(), entries)
    }

    /// The changes of one record that this store holds, as a token.
    pub fn record_token(&self, model: &str, id: &str) -> Result<Token> {
        let (_, row) = self.find(model, id)?;
        let mut newest: BTreeMap<ReplicaId, TokenEntry> = BTreeMap::new();
        for entry in log::of_record_after(&self.db, row.last, 0)? {
            if let Some(replica) = self.names.replica_at(entry.replica) {
                // Newest first: the first of a replica is its last.
                newest.entry(replica.id).or_insert(TokenEntry { counter: entry.counter, chain: entry.chain });
            }
        }
        Ok(Token::new(self.namespace(), newest))
    }

    /// A record as a file that any Automerge loads. The caller makes sure that it is durable before it leaves.
    pub fn document(&self, model: &str, id: &str) -> Result<Vec<u8>> {
        let (_, row) = self.find(model, id)?;
        let changes = history::changes(&self.db, row.last, 0)?;
        let document = Document::rebuild(&changes).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(document.export())
    }

    pub(crate) fn find(&self, model: &str, id: &str) -> Result<(&Model, records::Row)> {
        let schema = self.schema.as_deref().ok_or(StoreError::NoSchema)?;
        let model = schema.model(model).ok_or_else(|| crate::no_model(schema, model))?;
        let row = naming::row(&self.db, model, &parse_key(schema, model, id)?)?;
        let row =
            row.ok_or_else(|| StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: false })?;
        Ok((model, row))
    }
}

/// What relays said of this store's own changes.
#[derive(Default)]
struct KnownOfOwn {
    has_relay: bool,
    /// Position of the log up to which one has all.
    acked: u64,
    frontiers: BTreeMap<ReplicaId, u64>,
}

impl KnownOfOwn {
    /// Number of the replica's last change that one has.
    fn of(&self, replica: ReplicaId) -> u64 {
        self.frontiers.get(&replica).copied().unwrap_or(0)
    }
}

fn peer_status(peer: peers::Peer) -> PeerStatus {
    PeerStatus {
        store: peer.store.to_string(),
        relay: peer.relay,
        address: peer.address,
        received: peer.cursor.map_or(0, |cursor| cursor.seq),
        acknowledged: peer.acked.map_or(0, |acked| acked.seq),
    }
}

pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Applied => "applied",
        Kind::Quarantined => "quarantined",
        Kind::Pending => "pending",
        Kind::Repeated => "repeated",
        Kind::Local => "local",
    }
}
