//! The store: a log in memory, with what is committed and what a power cut leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use syncline_core::ids::{Chain, Dot, LogId, RecordId, ReplicaId, StoreId};
use syncline_core::session::{Applied, Identity, IncomingRow, LogRow, PeerState, SessionStore, Tip};
use syncline_core::wire::{Cursor, Entry, GenesisSpec, change_hash};

#[derive(Clone, Debug)]
struct Row {
    dot: Dot,
    chain: Chain,
    txn: u16,
    record: RecordId,
    /// `None` for a row that never leaves.
    bytes: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Writer {
    /// Chains by counter, from 0.
    chains: Vec<Chain>,
    last_row: u64,
    /// The log's end when the id was retired.
    forked_at: Option<u64>,
}

#[derive(Clone, Debug)]
struct Saved {
    state: PeerState,
    frontier_of: ReplicaId,
    relay: bool,
}

#[derive(Clone, Debug)]
struct Data {
    store: StoreId,
    replica: ReplicaId,
    log: LogId,
    rows: Vec<Row>,
    chains: Vec<Chain>,
    writers: BTreeMap<ReplicaId, Writer>,
    mine: BTreeSet<ReplicaId>,
    held: BTreeSet<(RecordId, [u8; 32])>,
    peers: BTreeMap<StoreId, Saved>,
    addresses: BTreeMap<String, StoreId>,
    staged: BTreeMap<[u8; 32], Vec<u8>>,
    genesis: BTreeSet<GenesisSpec>,
}

/// See the module. Cloning it copies the file.
#[derive(Clone, Debug)]
pub struct MemStore {
    now: Data,
    safe: Data,
    name: String,
    fresh: u64,
    /// Rows that came from peers and were held already.
    pub duplicates: u64,
    pub renewals: u32,
    /// Retired replica ids in the order in which they were noticed.
    retired: Vec<ReplicaId>,
}

/// What a change is known by everywhere.
pub type Name = (RecordId, [u8; 32]);

impl MemStore {
    pub fn new(name: &str) -> Self {
        let mut data = Data {
            store: StoreId::default(),
            replica: ReplicaId::default(),
            log: LogId::default(),
            rows: Vec::new(),
            chains: vec![Chain::EMPTY],
            writers: BTreeMap::new(),
            mine: BTreeSet::new(),
            held: BTreeSet::new(),
            peers: BTreeMap::new(),
            addresses: BTreeMap::new(),
            staged: BTreeMap::new(),
            genesis: BTreeSet::new(),
        };
        data.store = StoreId(digest(name, 0));
        data.log = LogId(digest(name, 1));
        data.replica = ReplicaId(digest(name, 2));
        data.mine.insert(data.replica);
        Self {
            now: data.clone(),
            safe: data,
            name: name.to_owned(),
            fresh: 3,
            duplicates: 0,
            renewals: 0,
            retired: Vec::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts a copy of another file, or an older one of this, in this one's place, unnoticed.
    pub fn become_copy_of(&mut self, other: &Self) {
        self.now = other.now.clone();
        self.safe = other.now.clone();
        self.retired = self.forked().into_iter().collect();
    }

    /// A change of `size` bytes to a new record, not durable yet.
    pub fn write(&mut self, size: usize) -> Name {
        self.write_transaction(&[size])[0]
    }

    /// A row of a model that stays on the device.
    pub fn write_local(&mut self) {
        let dot = Dot { replica: ReplicaId::default(), counter: 0 };
        let record = RecordId(self.fresh_id());
        let chain = self.now.chains.last().unwrap().after_row(dot, Chain::EMPTY);
        self.now.chains.push(chain);
        self.now.rows.push(Row { dot, chain: Chain::EMPTY, txn: 0, record, bytes: None });
    }

    pub fn write_transaction(&mut self, sizes: &[usize]) -> Vec<Name> {
        let names = sizes.iter().enumerate().map(|(index, size)| {
            let record = RecordId(self.fresh_id());
            let mut body = self.fresh_id().to_vec();
            while body.len() < *size {
                body.extend_from_slice(&self.fresh_id());
            }
            let bytes = plain_change(&body);
            let hash = change_hash(&bytes).unwrap();
            let replica = self.now.replica;
            let counter = self.now.writers.get(&replica).map_or(1, |writer| writer.chains.len() as u64);
            let txn = (sizes.len() - index - 1) as u16;
            self.append(Dot { replica, counter }, txn, record, bytes, hash);
            (record, hash)
        });
        names.collect()
    }

    pub fn sync(&mut self) {
        self.safe = self.now.clone();
    }

    pub fn is_durable(&self) -> bool {
        self.safe.rows.len() == self.now.rows.len()
    }

    /// What was not synced is gone; the next writer has another name.
    pub fn power_cut(&mut self) {
        self.now = self.safe.clone();
        self.new_replica();
        self.sync();
    }

    /// A power cut that loses nothing but the writer's name.
    pub fn power_cut_after_sync(&mut self) {
        self.sync();
        self.power_cut();
    }

    pub fn names(&self) -> BTreeSet<Name> {
        self.now.held.clone()
    }

    pub fn durable_names(&self) -> BTreeSet<Name> {
        self.safe.held.clone()
    }

    pub fn rows(&self) -> usize {
        self.now.rows.len()
    }

    pub fn replica(&self) -> ReplicaId {
        self.now.replica
    }

    pub fn store_id(&self) -> StoreId {
        self.now.store
    }

    pub fn forked(&self) -> BTreeSet<ReplicaId> {
        let forked = self.now.writers.iter().filter(|(_, writer)| writer.forked_at.is_some());
        forked.map(|(replica, _)| *replica).collect()
    }

    pub fn saved(&self, peer: StoreId) -> PeerState {
        self.now.peers.get(&peer).map(|saved| saved.state.clone()).unwrap_or_default()
    }

    pub fn forget_peer(&mut self, peer: StoreId) {
        self.now.peers.remove(&peer);
    }

    pub fn add_genesis(&mut self, spec: GenesisSpec) {
        self.now.genesis.insert(spec);
    }

    pub fn genesis(&self) -> Vec<GenesisSpec> {
        self.now.genesis.iter().cloned().collect()
    }

    pub fn staged_bytes(&self) -> usize {
        self.now.staged.values().map(Vec::len).sum()
    }

    /// Own changes that no relay has acknowledged.
    pub fn pending(&self) -> u64 {
        let own = self.now.writers.get(&self.now.replica).map_or(0, |writer| writer.chains.len() as u64 - 1);
        let relays = self.now.peers.values().filter(|saved| saved.relay && saved.frontier_of == self.now.replica);
        own - relays.map(|saved| saved.state.frontier).max().unwrap_or(0)
    }

    /// Rows of this log up to `position`, if its chain is the one given.
    pub fn names_up_to(&self, cursor: &Cursor) -> Option<BTreeSet<Name>> {
        let seq = cursor.seq as usize;
        if cursor.log != self.now.log || self.now.chains.get(seq) != Some(&cursor.chain) {
            return None;
        }
        let rows = self.now.rows[..seq].iter();
        Some(rows.filter_map(|row| Some((row.record, change_hash(row.bytes.as_ref()?)?))).collect())
    }

    fn append(&mut self, dot: Dot, txn: u16, record: RecordId, bytes: Vec<u8>, hash: [u8; 32]) {
        let seq = self.now.rows.len() as u64 + 1;
        let writer = self.now.writers.entry(dot.replica).or_default();
        if writer.chains.is_empty() {
            writer.chains.push(Chain::EMPTY);
        }
        writer.last_row = seq;
        let before = *writer.chains.last().unwrap();
        let chain = before.after_change(dot, record, &hash);
        if writer.forked_at.is_none() {
            assert_eq!(dot.counter, writer.chains.len() as u64, "a gap reached the store");
            writer.chains.push(chain);
        }
        let log_chain = self.now.chains.last().unwrap().after_row(dot, chain);
        self.now.chains.push(log_chain);
        self.now.held.insert((record, hash));
        self.now.rows.push(Row { dot, chain, txn, record, bytes: Some(bytes) });
    }

    fn fresh_id(&mut self) -> [u8; 16] {
        self.fresh += 1;
        digest(&self.name, self.fresh)
    }

    fn new_replica(&mut self) {
        self.now.replica = ReplicaId(self.fresh_id());
        let replica = self.now.replica;
        self.now.mine.insert(replica);
        self.renewals += 1;
        for saved in self.now.peers.values_mut() {
            saved.state.frontier = 0;
        }
    }
}

impl SessionStore for MemStore {
    type Error = Infallible;

    fn identity(&mut self) -> Result<Identity, Infallible> {
        let replica = self.now.replica;
        Ok(Identity {
            store: self.now.store,
            replica,
            tip: self.tip(replica)?.unwrap_or_default(),
            log: self.now.log,
            epoch: 1,
            namespace: "default".to_owned(),
        })
    }

    fn committed(&mut self) -> Result<u64, Infallible> {
        Ok(self.now.rows.len() as u64)
    }

    fn durable(&self) -> u64 {
        self.safe.rows.len() as u64
    }

    fn log_chain(&mut self, seq: u64) -> Result<Option<Chain>, Infallible> {
        Ok(self.now.chains.get(seq as usize).copied())
    }

    fn tip(&mut self, replica: ReplicaId) -> Result<Option<Tip>, Infallible> {
        Ok(self.now.writers.get(&replica).map(|writer| Tip {
            counter: writer.chains.len().saturating_sub(1) as u64,
            chain: writer.chains.last().copied().unwrap_or_default(),
            forked: writer.forked_at.is_some(),
        }))
    }

    fn chain_at(&mut self, replica: ReplicaId, counter: u64) -> Result<Option<Chain>, Infallible> {
        let writer = self.now.writers.get(&replica).filter(|writer| writer.forked_at.is_none());
        Ok(writer.and_then(|writer| writer.chains.get(counter as usize).copied()))
    }

    fn grown_since(&mut self, seq: u64) -> Result<Vec<Entry>, Infallible> {
        let grown = self.now.writers.iter().filter(|(_, writer)| match writer.forked_at {
            Some(at) => at >= seq,
            None => writer.last_row > seq,
        });
        Ok(grown
            .map(|(replica, writer)| Entry {
                replica: *replica,
                counter: writer.chains.len().saturating_sub(1) as u64,
                chain: writer.chains.last().copied().unwrap_or_default(),
                forked: writer.forked_at.is_some(),
            })
            .collect())
    }

    fn peer(&mut self, peer: StoreId) -> Result<PeerState, Infallible> {
        Ok(self.saved(peer))
    }

    fn peer_at(&mut self, address: &str) -> Result<Option<StoreId>, Infallible> {
        Ok(self.now.addresses.get(address).copied())
    }

    fn save_peer(&mut self, peer: StoreId, relay: bool, address: &str, state: &PeerState) -> Result<(), Infallible> {
        let saved = Saved { state: state.clone(), frontier_of: self.now.replica, relay };
        self.now.peers.insert(peer, saved);
        if !address.is_empty() {
            self.now.addresses.insert(address.to_owned(), peer);
        }
        Ok(())
    }

    fn acknowledge(&mut self, peer: StoreId, acked: Cursor, frontier: Dot) -> Result<(), Infallible> {
        if let Some(saved) = self.now.peers.get_mut(&peer) {
            (saved.state.acked, saved.state.frontier) = (Some(acked), frontier.counter);
            saved.frontier_of = frontier.replica;
        }
        Ok(())
    }

    fn read_log(&mut self, after: u64, max_rows: usize, max_bytes: usize) -> Result<Vec<LogRow>, Infallible> {
        let mut rows: Vec<LogRow> = Vec::new();
        let mut bytes = 0;
        let mut whole = 0;
        for (index, row) in self.now.rows.iter().enumerate().skip(after as usize) {
            let Some(change) = &row.bytes else { continue };
            let next = LogRow {
                seq: index as u64 + 1,
                log_chain: self.now.chains[index + 1],
                dot: row.dot,
                chain: row.chain,
                mine: self.now.mine.contains(&row.dot.replica),
                txn: row.txn,
                model: "Todo".to_owned(),
                record: row.record,
                bytes: change.clone(),
            };
            if rows.last().is_some_and(|last| next.continues(last)) {
                if rows.len() >= max_rows && whole > 0 {
                    rows.truncate(whole);
                    break;
                }
            } else {
                whole = rows.len();
                if whole > 0 && (whole >= max_rows || bytes + change.len() > max_bytes) {
                    break;
                }
            }
            bytes += change.len();
            rows.push(next);
        }
        Ok(rows)
    }

    fn apply(&mut self, peer: StoreId, rows: &[IncomingRow], cursor: Option<Cursor>) -> Result<Applied, Infallible> {
        let mut applied = Applied::default();
        for row in rows {
            let hash = change_hash(&row.bytes).unwrap();
            let tip = self.tip(row.dot.replica)?.unwrap_or_default();
            let is_held = match tip.forked {
                true => self.now.held.contains(&(row.record, hash)),
                false => row.dot.counter <= tip.counter,
            };
            if is_held {
                assert!(self.now.held.contains(&(row.record, hash)), "a dot names two changes");
                applied.duplicate += 1;
                continue;
            }
            applied.new += 1;
            self.append(row.dot, row.txn, row.record, row.bytes.clone(), hash);
        }
        self.duplicates += applied.duplicate;
        if let Some(cursor) = cursor {
            let replica = self.now.replica;
            let saved = self.now.peers.entry(peer).or_insert_with(|| Saved {
                state: PeerState::default(),
                frontier_of: replica,
                relay: false,
            });
            saved.state.cursor = Some(cursor);
        }
        applied.committed = self.now.rows.len() as u64;
        Ok(applied)
    }

    fn genesis_for(&mut self, models: &[&str]) -> Result<Vec<GenesisSpec>, Infallible> {
        let known = self.now.genesis.iter().filter(|(model, _, _)| models.contains(&model.as_str()));
        Ok(known.cloned().collect())
    }

    fn learn_genesis(&mut self, specs: &[GenesisSpec]) -> Result<(), Infallible> {
        self.now.genesis.extend(specs.iter().cloned());
        Ok(())
    }

    fn retire(&mut self, replicas: &[ReplicaId]) -> Result<(), Infallible> {
        let at = self.now.rows.len() as u64;
        for replica in replicas {
            let writer = self.now.writers.entry(*replica).or_default();
            if writer.forked_at.is_none() {
                writer.forked_at = Some(at);
                self.retired.push(*replica);
            }
        }
        if replicas.contains(&self.now.replica) {
            self.new_replica();
        }
        Ok(())
    }

    fn retired_since(&mut self, known: usize) -> Result<Vec<ReplicaId>, Infallible> {
        Ok(self.retired.get(known..).unwrap_or_default().to_vec())
    }

    fn renew_identity(&mut self, new_log: bool) -> Result<(), Infallible> {
        self.new_replica();
        if new_log {
            self.now.store = StoreId(self.fresh_id());
            self.now.log = LogId(self.fresh_id());
        }
        Ok(())
    }

    fn staged(&mut self, payload: &[u8; 32]) -> Result<u64, Infallible> {
        Ok(self.now.staged.get(payload).map_or(0, Vec::len) as u64)
    }

    fn staged_payloads(&mut self) -> Result<Vec<([u8; 32], u64)>, Infallible> {
        Ok(self.now.staged.iter().map(|(payload, bytes)| (*payload, bytes.len() as u64)).collect())
    }

    fn stage(&mut self, payload: &[u8; 32], offset: u64, bytes: &[u8]) -> Result<(), Infallible> {
        let held = self.now.staged.entry(*payload).or_default();
        assert_eq!(held.len() as u64, offset);
        held.extend_from_slice(bytes);
        Ok(())
    }

    fn take_staged(&mut self, payload: &[u8; 32]) -> Result<Vec<u8>, Infallible> {
        Ok(self.now.staged.remove(payload).unwrap_or_default())
    }
}

/// A chunk with the header of a plain Automerge change.
pub fn plain_change(body: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    let mut rest = body.len();
    loop {
        let digit = (rest & 0x7f) as u8;
        rest >>= 7;
        length.push(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            break;
        }
    }
    let chunk = |checksum: &[u8]| {
        let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83];
        bytes.extend_from_slice(checksum);
        bytes.push(1);
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(body);
        bytes
    };
    let hash = change_hash(&chunk(&[0; 4])).unwrap();
    chunk(&hash[..4])
}

fn digest(name: &str, number: u64) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(&number.to_le_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes
}
