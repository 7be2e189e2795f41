//! Our log on its way to the peer.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Stop;
use super::filter::{Filter, Holds};
use super::io::Io;
use super::{CREDIT_BYTES, LogRow, SessionStore, Tip};
use crate::ids::{Chain, ReplicaId};
use crate::mutant::{self, Mutant};
use crate::session::PeerMisbehaved;
use crate::wire::{
    Ack, BATCH_BYTES, BATCH_ROWS_MAX, Batch, BatchContent, BatchReplica, BatchRow, Covered, GenesisSpec, LARGE_BYTES,
    Lane, LargeRow, PART_BYTES, Part, StagedPart,
};

/// A batch at the end of the log with at most this much goes on the live lane.
const LIVE_ROWS_MAX: usize = 64;
const LIVE_BYTES_MAX: usize = 16 << 10;

/// What an acceptor takes before it has answered: one batch that a dialer sends on a guess.
pub(super) const OPTIMISTIC_BYTES_MAX: u64 = 320 << 10;

/// Rows that may be left out before the peer is told so, although it is caught up.
const UNTOLD_ROWS_MAX: u64 = 2_048;

/// One direction, at the end that sends.
#[derive(Debug)]
pub(super) struct Sending {
    /// The last batch or cover.
    pub(super) number: u64,
    /// Where a batch began that was sent before the peer said where it stands.
    optimistic_after: Option<u64>,
    /// Rows up to here were sent or left out.
    pub(super) sent: u64,
    /// The position that the peer was told, and the end of the log that it was told with it.
    pub(super) told: u64,
    told_head: u64,
    /// Where the session began.
    pub(super) start: u64,
    /// The last row that was sent.
    pub(super) last_row: u64,
    /// The peer's durable position.
    pub(super) acked: u64,
    credit: u64,
    launched: u64,
    consumed: u64,
    /// Large rows whose parts are being sent, by their position.
    underway: BTreeMap<u64, Underway>,
    peer_staged: BTreeMap<[u8; 32], u64>,
    /// Genesis changes that were explained. A model may get more of them while the session lasts.
    explained: BTreeSet<GenesisSpec>,
    /// Where the last batch left each of its replicas.
    tail: BTreeMap<ReplicaId, (u64, Chain)>,
}

#[derive(Debug)]
struct Underway {
    payload: [u8; 32],
    offset: usize,
}

/// What one step of sending came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to send.
    Moved,
    /// There is nothing, or it must wait for the disk.
    Idle,
    /// The peer must first take in what it has been sent.
    Starved,
}

/// Rows read from the log, and which of them are sent.
struct Chosen {
    rows: Vec<LogRow>,
    /// Index into `replicas`, for rows that are sent.
    sent_as: Vec<Option<u32>>,
    replicas: Vec<BatchReplica>,
}

impl Sending {
    pub(super) fn new(start: u64, head: u64, credit: u64) -> Self {
        Self {
            number: 0,
            optimistic_after: None,
            sent: start + u64::from(start > 0 && start < head && mutant::is_planted(Mutant::ResumesOneLate)),
            told: start,
            told_head: head,
            start,
            last_row: 0,
            acked: start,
            credit: credit.min(CREDIT_BYTES.into()),
            launched: 0,
            consumed: 0,
            underway: BTreeMap::new(),
            peer_staged: BTreeMap::new(),
            explained: BTreeSet::new(),
            tail: BTreeMap::new(),
        }
    }

    /// The peer's large payloads in part.
    pub(super) fn peer_holds_parts(&mut self, staged: &[StagedPart]) {
        self.peer_staged = staged.iter().map(|part| (part.payload, part.bytes)).collect();
    }

    /// The peer has said where it stands. What was sent on a guess counts if it begins there.
    pub(super) fn resume(&mut self, position: u64, credit: u64) {
        self.credit = credit.min(CREDIT_BYTES.into());
        self.acked = position;
        self.start = position;
        if self.optimistic_after != Some(position) {
            self.sent = position;
            self.told = position;
            self.last_row = 0;
            // What the peer passed over it was not told.
            self.explained.clear();
        }
    }

    /// Sends own changes on the guess that the peer stands where it last said. One batch at most.
    pub(super) fn guess<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let durable = store.durable();
        let rows = store.read_log(self.sent, BATCH_ROWS_MAX, BATCH_BYTES).map_err(Stop::store)?;
        let bytes: usize = rows.iter().map(|row| row.bytes.len()).sum();
        let ours = |row: &LogRow| row.mine && row.seq <= durable;
        if rows.is_empty() || bytes > BATCH_BYTES || !rows.iter().all(ours) {
            return Ok(());
        }
        self.optimistic_after = Some(self.sent);
        let mut nothing_known = Filter::default();
        let (chosen, _) = self.choose(rows, &mut nothing_known, store)?;
        self.send_batch(chosen, durable, true, store, io)
    }

    /// Sends at most one batch. Replicas that turn out to be forked are added to `found`.
    pub(super) fn step<S: SessionStore>(
        &mut self,
        filter: &mut Filter,
        found: &mut Vec<ReplicaId>,
        store: &mut S,
        io: &mut Io,
    ) -> Result<Step, Stop> {
        let committed = store.committed().map_err(Stop::store)?;
        if committed <= self.sent {
            return Ok(Step::Idle);
        }
        if self.is_starved() {
            return Ok(Step::Starved);
        }
        let durable = store.durable();
        let mut rows = store.read_log(self.sent, BATCH_ROWS_MAX, BATCH_BYTES).map_err(Stop::store)?;
        if rows.is_empty() {
            // What is left are rows that never leave.
            self.sent = committed;
            return Ok(Step::Idle);
        }
        rows.truncate(may_leave(&rows, durable));
        if rows.is_empty() {
            return Ok(Step::Idle);
        }
        let (mut chosen, forks) = self.choose(rows, filter, store)?;
        found.extend(forks);
        chosen.stop_before_large();
        if !self.send_parts(&chosen, io) {
            return Ok(Step::Starved);
        }
        self.send_batch(chosen, durable, false, store, io)?;
        Ok(Step::Moved)
    }

    /// Tells the position if the peer waits for it, if it is far behind, or if `urgent`. `true` if there is
    /// something left to tell.
    pub(super) fn tell<S: SessionStore>(&mut self, urgent: bool, store: &mut S, io: &mut Io) -> Result<bool, Stop> {
        let durable = if mutant::is_planted(Mutant::ToldBeforeDurable) { u64::MAX } else { store.durable() };
        let upto = self.sent.min(durable);
        if upto <= self.told {
            return Ok(false);
        }
        let awaited = self.told < self.told_head;
        if !(urgent || awaited || upto - self.told >= UNTOLD_ROWS_MAX) {
            return Ok(true);
        }
        let head = store.committed().map_err(Stop::store)?;
        self.number += 1;
        let covered = Covered { number: self.number, upto, upto_chain: chain_of_log(upto, store)?, head };
        self.told = upto;
        self.told_head = head;
        io.send(Lane::Control, covered);
        Ok(false)
    }

    /// Takes an acknowledgement in. `true` if the peer's position moved.
    pub(super) fn acknowledged<S: SessionStore>(&mut self, ack: &Ack, store: &mut S) -> Result<bool, Stop> {
        if ack.consumed > self.launched {
            return Err(beyond("bytes", ack.consumed, self.launched).into());
        }
        if ack.position > self.told {
            return Err(beyond("position", ack.position, self.told).into());
        }
        self.consumed = self.consumed.max(ack.consumed);
        if ack.position <= self.acked {
            return Ok(false);
        }
        if chain_of_log(ack.position, store)? != ack.chain {
            return Err(PeerMisbehaved::AckChain(ack.position).into());
        }
        self.acked = ack.position;
        Ok(true)
    }

    fn is_starved(&self) -> bool {
        self.launched - self.consumed >= self.credit
    }

    /// Looks up, row by row, whether the peer holds it, and for each replica the chain before its first row.
    fn choose<S: SessionStore>(
        &mut self,
        rows: Vec<LogRow>,
        filter: &mut Filter,
        store: &mut S,
    ) -> Result<(Chosen, Vec<ReplicaId>), Stop> {
        let mut tips: BTreeMap<ReplicaId, Tip> = BTreeMap::new();
        let mut index: BTreeMap<ReplicaId, u32> = BTreeMap::new();
        let mut last = std::mem::take(&mut self.tail);
        let mut replicas = Vec::new();
        let mut sent_as = Vec::with_capacity(rows.len());
        let mut found = Vec::new();
        for row in &rows {
            let replica = row.dot.replica;
            let tip = match tips.get(&replica) {
                Some(tip) => *tip,
                None => store.tip(replica).map_err(Stop::store)?.unwrap_or_default(),
            };
            tips.insert(replica, tip);
            let holds = filter.holds(row.dot, tip, store)?;
            if holds == Holds::ForkFound {
                filter.forget(replica);
                found.push(replica);
            }
            let forked = matches!(holds, Holds::Forked | Holds::ForkFound);
            let before = last.insert(replica, (row.dot.counter, row.chain));
            if holds == Holds::Yes {
                sent_as.push(None);
                continue;
            }
            if let Some(known) = index.get(&replica) {
                sent_as.push(Some(*known));
                continue;
            }
            let before = match before {
                _ if forked => Chain::EMPTY,
                Some((counter, chain)) if counter + 1 == row.dot.counter => chain,
                Some(_) | None => chain_before(row, store)?,
            };
            let position = u32::try_from(replicas.len()).expect("a batch has at most 500 rows");
            index.insert(replica, position);
            let forked = forked && !mutant::is_planted(Mutant::ForkNotPassedOn);
            replicas.push(BatchReplica { replica, before, forked });
            sent_as.push(Some(position));
        }
        Ok((Chosen { rows, sent_as, replicas }, found))
    }

    /// Sends what the peer lacks of the large changes among the rows. `false` if it must take in more first.
    fn send_parts(&mut self, chosen: &Chosen, io: &mut Io) -> bool {
        for (row, sent_as) in chosen.rows.iter().zip(&chosen.sent_as) {
            if sent_as.is_some() && row.bytes.len() > LARGE_BYTES && !self.send_parts_of(row, io) {
                return false;
            }
        }
        true
    }

    fn send_parts_of(&mut self, row: &LogRow, io: &mut Io) -> bool {
        let total = row.bytes.len();
        let held = &mut self.peer_staged;
        let underway = self.underway.entry(row.seq).or_insert_with(|| {
            let payload = *blake3::hash(&row.bytes).as_bytes();
            let offset = held.remove(&payload).unwrap_or(0).min(total as u64) as usize;
            Underway { payload, offset }
        });
        while underway.offset < total {
            if self.launched - self.consumed >= self.credit {
                return false;
            }
            let end = total.min(underway.offset + PART_BYTES);
            let part = Part {
                payload: underway.payload,
                offset: underway.offset as u64,
                total: total as u64,
                bytes: row.bytes[underway.offset..end].to_vec(),
            };
            self.launched += part.bytes.len() as u64;
            underway.offset = end;
            if !(mutant::is_planted(Mutant::PartDropped) && end == total) {
                io.send(Lane::Bulk, part);
            }
        }
        true
    }

    fn send_batch<S: SessionStore>(
        &mut self,
        chosen: Chosen,
        durable: u64,
        on_a_guess: bool,
        store: &mut S,
        io: &mut Io,
    ) -> Result<(), Stop> {
        let Some(last) = chosen.rows.last() else {
            return Ok(());
        };
        let head = store.committed().map_err(Stop::store)?;
        let (mut reached, mut chain) = (last.seq, last.log_chain);
        // Rows that never leave may stand at the end; the position covers them at once.
        let any = mutant::is_planted(Mutant::BacklogSkipped);
        if reached < head && (any || store.read_log(reached, 1, 1).map_err(Stop::store)?.is_empty()) {
            reached = head.min(durable).max(reached);
            chain = chain_of_log(reached, store)?;
        }
        let after = self.told;
        self.sent = reached;
        if chosen.replicas.is_empty() {
            return Ok(());
        }
        self.last_row = last.seq;
        // A position is told only when it cannot be taken back by a power cut.
        let (upto, upto_chain) = match reached <= durable {
            true => (reached, chain),
            false => (after, chain_of_log(after, store)?),
        };
        let (content, bytes) = self.content(chosen, store)?;
        let rows = content.rows.len();
        let live = reached == head && rows <= LIVE_ROWS_MAX && bytes <= LIVE_BYTES_MAX && content.large.is_empty();
        let (packing, unpacked_len, packed) = content.pack().map_err(Stop::store)?;
        self.number += 1;
        self.launched += packed.len() as u64;
        self.told = upto;
        self.told_head = head;
        io.counters.changes_sent += rows as u64;
        let lane = match (on_a_guess, live) {
            (true, _) => Lane::Control,
            (false, true) => Lane::Live,
            (false, false) => Lane::Bulk,
        };
        let batch =
            Batch { number: self.number, after, upto, upto_chain, head, packing, unpacked_len, content: packed };
        io.send(lane, batch);
        Ok(())
    }

    /// The rows that are sent, as a batch has them, and how many change bytes they are.
    fn content<S: SessionStore>(&mut self, chosen: Chosen, store: &mut S) -> Result<(BatchContent, usize), Stop> {
        let mut content = BatchContent { replicas: chosen.replicas, ..BatchContent::default() };
        let mut models: BTreeMap<String, u32> = BTreeMap::new();
        let mut bytes = 0;
        for (row, sent_as) in chosen.rows.into_iter().zip(chosen.sent_as) {
            let Some(replica) = sent_as else { continue };
            self.tail.insert(row.dot.replica, (row.dot.counter, row.chain));
            let model = match models.get(&row.model) {
                Some(known) => *known,
                None => {
                    let next = u32::try_from(models.len()).expect("a batch has at most 500 rows");
                    models.insert(row.model.clone(), next);
                    content.models.push(row.model);
                    next
                }
            };
            let mut sent = BatchRow {
                replica,
                counter: row.dot.counter,
                txn: row.txn,
                model,
                record: row.record,
                bytes: row.bytes,
            };
            bytes += sent.bytes.len();
            if let Some(underway) = self.underway.remove(&row.seq) {
                content.large.push(LargeRow {
                    row: u32::try_from(content.rows.len()).expect("a batch has at most 500 rows"),
                    payload: underway.payload,
                    len: u32::try_from(sent.bytes.len()).map_err(Stop::store)?,
                });
                sent.bytes = Vec::new();
            }
            content.rows.push(sent);
        }
        let models: Vec<&str> = content.models.iter().map(String::as_str).collect();
        content.genesis = store.genesis_for(&models).map_err(Stop::store)?;
        content
            .genesis
            .retain(|spec| self.explained.insert(spec.clone()) && !mutant::is_planted(Mutant::GenesisNotSent));
        Ok((content, bytes))
    }
}

impl Chosen {
    /// A large change travels with its own transaction alone, so that its parts come right before it.
    fn stop_before_large(&mut self) {
        let is_large = |(row, sent_as): (&LogRow, &Option<u32>)| sent_as.is_some() && row.bytes.len() > LARGE_BYTES;
        let Some(first) = self.rows.iter().zip(&self.sent_as).position(is_large) else {
            return;
        };
        let ends_at = |index: &usize| ends_transaction(&self.rows, *index);
        let begins = (0..first).rev().find(ends_at).map_or(0, |index| index + 1);
        let ends = (first..self.rows.len()).find(ends_at).map_or(self.rows.len(), |index| index + 1);
        self.keep(if begins > 0 { begins } else { ends });
    }

    fn keep(&mut self, rows: usize) {
        self.rows.truncate(rows);
        self.sent_as.truncate(rows);
        // Replicas are listed in the order of their first rows.
        let used = self.sent_as.iter().flatten().max().map_or(0, |last| *last as usize + 1);
        self.replicas.truncate(used);
    }
}

/// How many of the rows may leave together: the durable ones, or, if there is none, those of others. Own rows
/// wait for the disk. Transactions stay whole.
fn may_leave(rows: &[LogRow], durable: u64) -> usize {
    let safe =
        rows.iter().take_while(|row| row.seq <= durable || mutant::is_planted(Mutant::SentBeforeDurable)).count();
    let count = match safe {
        0 => rows.iter().take_while(|row| !row.mine).count(),
        safe => safe,
    };
    let ends = |index: &usize| ends_transaction(rows, *index) || mutant::is_planted(Mutant::TransactionCut);
    (0..count).rev().find(ends).map_or(0, |index| index + 1)
}

/// Whether the row is its transaction's last. What was read ends with one.
fn ends_transaction(rows: &[LogRow], index: usize) -> bool {
    rows.get(index + 1).is_none_or(|next| !next.continues(&rows[index]))
}

fn chain_before<S: SessionStore>(row: &LogRow, store: &mut S) -> Result<Chain, Stop> {
    let dot = row.dot;
    if dot.counter <= 1 {
        return Ok(Chain::EMPTY);
    }
    let chain = store.chain_at(dot.replica, dot.counter - 1).map_err(Stop::store)?;
    chain.ok_or_else(|| {
        Stop::Store(format!("the chain of replica {} before change {} is missing", dot.replica, dot.counter))
    })
}

pub(super) fn chain_of_log<S: SessionStore>(seq: u64, store: &mut S) -> Result<Chain, Stop> {
    if seq == 0 {
        return Ok(Chain::EMPTY);
    }
    let chain = store.log_chain(seq).map_err(Stop::store)?;
    chain.ok_or_else(|| Stop::Store(format!("the log's chain at {seq} is missing")))
}

fn beyond(what: &'static str, found: u64, sent: u64) -> PeerMisbehaved {
    PeerMisbehaved::Ack { what, found, sent }
}
