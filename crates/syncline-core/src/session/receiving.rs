//! The peer's log on its way to us, and our acknowledgements.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::error::Stop;
use super::filter::Filter;
use super::io::Io;
use super::{IncomingRow, PeerMisbehaved, SessionStore};
use crate::ids::{Chain, Dot, LogId, ReplicaId, StoreId};
use crate::mutant::{self, Mutant};
use crate::wire::{
    Ack, BATCH_BYTES, BATCH_ROWS_MAX, BadBatch, Batch, BatchContent, BatchReplica, CHANGE_BYTES_MAX, Covered, Cursor,
    FRAME_BYTES_MAX, Lane, LargeRow, PART_BYTES, Part, Unpacked, change_hash,
};

/// Numbers that may be missing before one that came.
const AHEAD_MAX: u64 = 4_096;

/// Positions and counters fit SQLite's integers.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// Payloads of which parts are held at once.
const STAGED_MAX: usize = 32;

/// Who the peer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) store: StoreId,
    pub(super) replica: ReplicaId,
    pub(super) log: LogId,
    pub(super) epoch: u32,
    pub(super) relay: bool,
    /// How often it has renewed its replica id in this session.
    pub(super) renewals: u32,
}

/// One direction, at the end that receives.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) position: u64,
    chain: Chain,
    /// Where the session began, and the end of the peer's log as last told.
    pub(super) start: u64,
    pub(super) head: u64,
    /// The next number, and what came before its turn.
    next: u64,
    waiting: BTreeMap<u64, Numbered>,
    credit: u64,
    received: u64,
    consumed: u64,
    /// A batch that was sent from here before the peer knew our position is of no use.
    wrong_guess: Option<u64>,
    /// A part of another session's payload was ignored.
    interrupted: bool,
    /// What may be acknowledged once the disk has it.
    pending: VecDeque<Owed>,
    ready: Held,
    said: Held,
    urgent: bool,
    looked_at: u64,
}

/// A message with a number: the lanes it may take are independent of each other.
#[derive(Debug)]
pub(super) enum Numbered {
    /// Rows.
    Batch(Batch),
    /// A position.
    Covered(Covered),
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) position: u64,
    pub(super) chain: Chain,
    pub(super) consumed: u64,
    pub(super) your_counter: u64,
    pub(super) your_chain: Chain,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    /// Safe to say when our log is durable up to here.
    committed: u64,
    held: Held,
    /// Somebody may wait for it.
    urgent: bool,
}

/// A batch whose rows are complete, before their chains were checked.
pub(super) struct Incoming {
    replicas: Vec<BatchReplica>,
    pub(super) rows: Vec<IncomingRow>,
    hashes: Vec<[u8; 32]>,
    cursor: Option<Cursor>,
}

impl Receiving {
    pub(super) fn new(cursor: Option<Cursor>, head: u64, credit: u32, wrong_guess: Option<u64>, said: Held) -> Self {
        let position = cursor.map_or(0, |cursor| cursor.seq);
        Self {
            position,
            chain: cursor.map_or(Chain::EMPTY, |cursor| cursor.chain),
            start: position,
            head: head.max(position),
            next: 1,
            waiting: BTreeMap::new(),
            credit: credit.into(),
            received: 0,
            consumed: 0,
            wrong_guess,
            interrupted: false,
            pending: VecDeque::new(),
            ready: said,
            said,
            urgent: false,
            looked_at: 0,
        }
    }

    /// Everything that the peer has told of is here.
    pub(super) fn is_caught_up(&self) -> bool {
        self.position >= self.head && self.waiting.is_empty()
    }

    /// Everything up to this number was taken in.
    pub(super) fn has_taken(&self, number: u64) -> bool {
        self.next > number
    }

    /// Nothing waits for the disk.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes a message that may come before its turn.
    pub(super) fn enqueue(&mut self, message: Numbered) -> Result<(), PeerMisbehaved> {
        let (number, bytes) = match &message {
            Numbered::Batch(batch) => (batch.number, batch.content.len() as u64),
            Numbered::Covered(covered) => (covered.number, 0),
        };
        if number < self.next || number - self.next > AHEAD_MAX || self.waiting.contains_key(&number) {
            let expected = self.next;
            return Err(PeerMisbehaved::Number { found: number, expected });
        }
        self.count(bytes)?;
        self.waiting.insert(number, message);
        Ok(())
    }

    /// The message whose turn it is.
    pub(super) fn dequeue(&mut self) -> Option<Numbered> {
        let message = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(message)
    }

    fn count(&mut self, bytes: u64) -> Result<(), PeerMisbehaved> {
        self.received += bytes;
        let in_flight = self.received - self.consumed;
        let allowed = self.credit + FRAME_BYTES_MAX as u64;
        match in_flight > allowed {
            true => Err(PeerMisbehaved::TooMuch { what: "not yet taken in", bytes: in_flight, allowed }),
            false => Ok(()),
        }
    }

    /// Unpacks a batch and fetches its large changes; `None` if it is of no use here.
    pub(super) fn unpack<S: SessionStore>(
        &mut self,
        batch: &Batch,
        peer: &Peer,
        store: &mut S,
    ) -> Result<Option<Incoming>, Stop> {
        let taken = if mutant::is_planted(Mutant::CreditNotReturned) { 0 } else { batch.content.len() as u64 };
        self.consumed += taken;
        if !self.continues(batch)? {
            self.owe_credit();
            return Ok(None);
        }
        let Unpacked { content, mut hashes } = BatchContent::unpack(batch).map_err(PeerMisbehaved::from)?;
        let BatchContent { replicas, models, genesis, rows, large } = content;
        self.head = self.head.max(batch.head).max(batch.upto);
        if !genesis.is_empty() {
            store.learn_genesis(&genesis).map_err(Stop::store)?;
        }
        let mut rows: Vec<IncomingRow> = rows
            .into_iter()
            .map(|row| IncomingRow {
                dot: Dot { replica: replicas[row.replica as usize].replica, counter: row.counter },
                txn: row.txn,
                model: models[row.model as usize].clone(),
                record: row.record,
                bytes: row.bytes,
            })
            .collect();
        for large in &large {
            let (bytes, hash) = self.take_payload(large, store)?;
            rows[large.row as usize].bytes = bytes;
            hashes[large.row as usize] = hash;
        }
        let cursor = (batch.upto > self.position).then_some(Cursor {
            log: peer.log,
            epoch: peer.epoch,
            seq: batch.upto,
            chain: batch.upto_chain,
        });
        Ok(Some(Incoming { replicas, rows, hashes, cursor }))
    }

    /// Whether the batch carries on from our position. One that was sent on a guess need not.
    fn continues(&self, batch: &Batch) -> Result<bool, PeerMisbehaved> {
        if batch.number == 1 && self.wrong_guess == Some(batch.after) {
            return Ok(false);
        }
        let in_range = batch.upto >= batch.after && batch.upto <= NUMBER_MAX && batch.head <= NUMBER_MAX;
        match in_range && batch.after == self.position {
            true => Ok(true),
            false => Err(PeerMisbehaved::Position { after: batch.after, position: self.position }),
        }
    }

    fn take_payload<S: SessionStore>(&self, large: &LargeRow, store: &mut S) -> Result<(Vec<u8>, [u8; 32]), Stop> {
        let held = store.staged(&large.payload).map_err(Stop::store)?;
        if held != u64::from(large.len) {
            return Err(match self.interrupted {
                true => Stop::Again,
                false => PeerMisbehaved::Part("a batch names a payload that has not arrived").into(),
            });
        }
        let bytes = store.take_staged(&large.payload).map_err(Stop::store)?;
        if *blake3::hash(&bytes).as_bytes() != large.payload {
            return Err(PeerMisbehaved::Part("a payload is not what its name says").into());
        }
        match change_hash(&bytes) {
            Some(hash) => Ok((bytes, hash)),
            None => Err(PeerMisbehaved::Batch(BadBatch::NotPlain(large.row as usize)).into()),
        }
    }

    /// Applies rows whose chains hold.
    pub(super) fn apply<S: SessionStore>(
        &mut self,
        incoming: &Incoming,
        peer: &Peer,
        filter: &mut Filter,
        store: &mut S,
        io: &mut Io,
    ) -> Result<(), Stop> {
        let applied = store.apply(peer.store, &incoming.rows, incoming.cursor).map_err(Stop::store)?;
        io.counters.changes_received += incoming.rows.len() as u64;
        io.counters.changes_duplicate += applied.duplicate;
        io.counters.changes_quarantined += applied.quarantined;
        for row in &incoming.rows {
            filter.raise(row.dot.replica, row.dot.counter);
        }
        if let Some(cursor) = incoming.cursor {
            (self.position, self.chain) = (cursor.seq, cursor.chain);
        }
        self.owe(applied.committed, !incoming.rows.is_empty(), peer, store)
    }

    /// The peer has nothing for us up to a position.
    pub(super) fn cover<S: SessionStore>(&mut self, covered: &Covered, peer: &Peer, store: &mut S) -> Result<(), Stop> {
        if covered.upto > NUMBER_MAX || covered.head > NUMBER_MAX {
            let (after, position) = (covered.upto, self.position);
            return Err(PeerMisbehaved::Position { after, position }.into());
        }
        self.head = self.head.max(covered.head).max(covered.upto);
        if covered.upto <= self.position {
            return Ok(());
        }
        let cursor = Cursor { log: peer.log, epoch: peer.epoch, seq: covered.upto, chain: covered.upto_chain };
        let applied = store.apply(peer.store, &[], Some(cursor)).map_err(Stop::store)?;
        (self.position, self.chain) = (cursor.seq, cursor.chain);
        self.owe(applied.committed, false, peer, store)
    }

    /// Takes a part of a large change.
    pub(super) fn part<S: SessionStore>(&mut self, part: &Part, store: &mut S) -> Result<(), Stop> {
        let len = part.bytes.len() as u64;
        let end = part.offset.saturating_add(len);
        if part.bytes.is_empty() || part.bytes.len() > PART_BYTES {
            return Err(PeerMisbehaved::Part("its length is not allowed").into());
        }
        if part.total > CHANGE_BYTES_MAX as u64 || end > part.total {
            return Err(PeerMisbehaved::Part("it ends behind its payload, or the payload is too long").into());
        }
        self.count(len)?;
        self.consumed += len;
        let held = store.staged(&part.payload).map_err(Stop::store)?;
        if held == 0 && store.staged_payloads().map_err(Stop::store)?.len() >= STAGED_MAX {
            return Err(PeerMisbehaved::Part("too many payloads are unfinished").into());
        }
        if part.offset > held {
            // Another session has completed this payload, or the peer is wrong; the batch will tell.
            self.interrupted = true;
        } else if end > held {
            let new = &part.bytes[(held - part.offset) as usize..];
            store.stage(&part.payload, held, new).map_err(Stop::store)?;
        }
        self.owe_credit();
        Ok(())
    }

    /// Notices changes of the peer's replica that came by another way.
    pub(super) fn look<S: SessionStore>(&mut self, peer: &Peer, store: &mut S) -> Result<(), Stop> {
        let committed = store.committed().map_err(Stop::store)?;
        if committed == self.looked_at {
            return Ok(());
        }
        self.looked_at = committed;
        let last = self.pending.back().map_or(self.ready, |owed| owed.held);
        if peer_tip(peer, store)?.0 != last.your_counter {
            self.owe(committed, true, peer, store)?;
        }
        Ok(())
    }

    /// Something can be acknowledged once our log is durable up to `committed`.
    fn owe<S: SessionStore>(&mut self, committed: u64, urgent: bool, peer: &Peer, store: &mut S) -> Result<(), Stop> {
        let (your_counter, your_chain) = peer_tip(peer, store)?;
        let (position, chain, consumed) = (self.position, self.chain, self.consumed);
        let held = Held { position, chain, consumed, your_counter, your_chain };
        self.pending.push_back(Owed { committed, held, urgent });
        Ok(())
    }

    /// Bytes were taken in and nothing else changed.
    fn owe_credit(&mut self) {
        let (committed, last) = self.pending.back().map_or((0, self.ready), |owed| (owed.committed, owed.held));
        let held = Held { consumed: self.consumed, ..last };
        self.pending.push_back(Owed { committed, held, urgent: false });
    }

    /// Says what is durable by now. `true` if there is something left that nobody waits for.
    pub(super) fn acknowledge(&mut self, force: bool, durable: u64, peer: &Peer, io: &mut Io) -> bool {
        let durable = if mutant::is_planted(Mutant::AckedBeforeDurable) { u64::MAX } else { durable };
        while let Some(owed) = self.pending.front().filter(|owed| owed.committed <= durable) {
            self.ready = owed.held;
            self.urgent |= owed.urgent;
            self.pending.pop_front();
        }
        if self.ready == self.said {
            self.urgent = false;
            return false;
        }
        let hungry = self.ready.consumed - self.said.consumed >= self.credit / 8;
        if !(force || self.urgent || hungry) {
            return true;
        }
        self.urgent = false;
        self.said = self.ready;
        let Held { position, chain, consumed, your_counter, your_chain } = self.ready;
        let renewals = peer.renewals;
        io.send(Lane::Control, Ack { position, chain, consumed, renewals, your_counter, your_chain });
        false
    }

    /// The peer has a new replica id; what is held of it is to be said anew.
    pub(super) fn peer_renewed(&mut self) {
        self.looked_at = 0;
        for held in [&mut self.said, &mut self.ready] {
            (held.your_counter, held.your_chain) = (0, Chain::EMPTY);
        }
        for owed in &mut self.pending {
            (owed.held.your_counter, owed.held.your_chain) = (0, Chain::EMPTY);
        }
    }
}

/// What is held of the peer's replica; nothing can be said of a retired one.
fn peer_tip<S: SessionStore>(peer: &Peer, store: &mut S) -> Result<(u64, Chain), Stop> {
    let tip = store.tip(peer.replica).map_err(Stop::store)?.unwrap_or_default();
    Ok(match tip.forked {
        true => (0, Chain::EMPTY),
        false => (tip.counter, tip.chain),
    })
}

/// One replica's part of a batch.
struct Run {
    counter: u64,
    chain: Chain,
    tip_counter: u64,
}

impl Incoming {
    /// Follows each replica's chain through the batch and compares it with ours. Returns replicas that must be
    /// retired: because the sender says so, or because the chains differ.
    pub(super) fn check<S: SessionStore>(&self, filter: &Filter, store: &mut S) -> Result<Vec<ReplicaId>, Stop> {
        let mut found = Vec::new();
        let mut befores: BTreeMap<ReplicaId, Chain> = BTreeMap::new();
        let mut loose: BTreeSet<ReplicaId> = BTreeSet::new();
        for listed in &self.replicas {
            if befores.insert(listed.replica, listed.before).is_some() {
                return Err(PeerMisbehaved::Batch(BadBatch::Inconsistent("a replica is listed twice")).into());
            }
            let held = store.tip(listed.replica).map_err(Stop::store)?;
            let known = filter.is_forked(listed.replica) || held.is_some_and(|tip| tip.forked);
            if listed.forked && !known {
                found.push(listed.replica);
            }
            if listed.forked || known {
                loose.insert(listed.replica);
            }
        }
        self.check_transactions(&loose)?;
        let mut runs: BTreeMap<ReplicaId, Run> = BTreeMap::new();
        for (row, hash) in self.rows.iter().zip(&self.hashes) {
            let Dot { replica, counter } = row.dot;
            if counter == 0 || counter > NUMBER_MAX {
                return Err(PeerMisbehaved::Gap { replica, found: counter, expected: 1 }.into());
            }
            if loose.contains(&replica) {
                continue;
            }
            let run = match runs.remove(&replica) {
                Some(run) => run,
                None => match self.begin(row.dot, befores[&replica], store)? {
                    Some(run) => run,
                    None => {
                        found.push(replica);
                        loose.insert(replica);
                        continue;
                    }
                },
            };
            if counter != run.counter + 1 {
                return Err(PeerMisbehaved::Gap { replica, found: counter, expected: run.counter + 1 }.into());
            }
            let chain = run.chain.after_change(row.dot, row.record, hash);
            runs.insert(replica, Run { counter, chain, tip_counter: run.tip_counter });
            if counter == run.tip_counter && differs(replica, &runs[&replica], store)? {
                runs.remove(&replica);
                found.push(replica);
                loose.insert(replica);
            }
        }
        // Runs that end below our tip repeat what we hold, or tell another story.
        for (replica, run) in &runs {
            if run.counter < run.tip_counter && differs(*replica, run, store)? {
                found.push(*replica);
            }
        }
        Ok(found)
    }

    /// Transactions come whole and within their limits: whoever passes them on must be able to, and all must judge
    /// the same changes together. Only those of a retired id may have lost some that were held already.
    fn check_transactions(&self, loose: &BTreeSet<ReplicaId>) -> Result<(), PeerMisbehaved> {
        let (mut rows, mut bytes) = (0, 0);
        for (index, row) in self.rows.iter().enumerate() {
            let begins = index == 0 || !row.continues(&self.rows[index - 1]);
            (rows, bytes) = if begins { (1, row.bytes.len()) } else { (rows + 1, bytes + row.bytes.len()) };
            let is_last = self.rows.get(index + 1).is_none_or(|next| !next.continues(row));
            let is_cut = is_last && row.txn > 0 && !loose.contains(&row.dot.replica);
            if is_cut || usize::from(row.txn) >= BATCH_ROWS_MAX {
                return Err(BadBatch::Inconsistent("a transaction that is not whole").into());
            }
            if rows > 1 && bytes > BATCH_BYTES {
                return Err(BadBatch::Inconsistent("a transaction of too many bytes").into());
            }
        }
        Ok(())
    }

    /// The chain before a replica's first change here; `None` if ours differs.
    fn begin<S: SessionStore>(&self, dot: Dot, before: Chain, store: &mut S) -> Result<Option<Run>, Stop> {
        let tip_counter = store.tip(dot.replica).map_err(Stop::store)?.unwrap_or_default().counter;
        let counter = dot.counter - 1;
        if counter > tip_counter {
            let expected = tip_counter + 1;
            return Err(PeerMisbehaved::Gap { replica: dot.replica, found: dot.counter, expected }.into());
        }
        let ours = match counter {
            0 => Chain::EMPTY,
            counter => store
                .chain_at(dot.replica, counter)
                .map_err(Stop::store)?
                .ok_or_else(|| Stop::Store(format!("the chain of replica {} at {counter} is missing", dot.replica)))?,
        };
        Ok((ours == before).then_some(Run { counter, chain: ours, tip_counter }))
    }
}

fn differs<S: SessionStore>(replica: ReplicaId, run: &Run, store: &mut S) -> Result<bool, Stop> {
    Ok(store.chain_at(replica, run.counter).map_err(Stop::store)? != Some(run.chain))
}
