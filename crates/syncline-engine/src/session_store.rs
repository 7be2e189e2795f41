//! The store as a session sees it.

use syncline_core::ids::{Chain, Dot, ReplicaId, StoreId};
use syncline_core::mutant::{self, Mutant};
use syncline_core::session::{Applied, Identity, IncomingRow, LogRow, PeerState, SessionStore, Tip};
use syncline_core::wire::{Cursor, Entry};

use crate::apply::geneses_of;
use crate::error::{Result, StoreError};
use crate::history;
use crate::identity::RenewalCause;
use crate::storage::chains::{self, Chains};
use crate::storage::log;
use crate::storage::names::Replica;
use crate::storage::peers::{self, Acknowledged, Peer};
use crate::storage::records;
use crate::store::Store;

/// Geneses that are kept on peers' word, beside those of the own schema. All of them must fit a batch together with
/// the changes that depend on them, or nothing could be passed on any more.
const GENESES_MAX: usize = 1_000;

/// Longest names of a genesis that is kept on a peer's word, model and key together.
const GENESIS_BYTES_MAX: usize = 400;

impl SessionStore for Store {
    type Error = StoreError;

    fn identity(&mut self) -> Result<Identity> {
        let replica = match self.replica() {
            Some(replica) => replica,
            None => self.stored_replica()?.unwrap_or_default(),
        };
        Ok(Identity {
            store: self.ids.store,
            replica,
            tip: self.names.replica(replica).map(tip).unwrap_or_default(),
            log: self.ids.log,
            epoch: self.ids.epoch,
            namespace: self.ids.namespace.clone(),
        })
    }

    /// Without what stands after a damaged row: the log ends there for peers until it is repaired.
    fn committed(&mut self) -> Result<u64> {
        Ok(self.readable())
    }

    fn durable(&self) -> u64 {
        Self::durable(self)
    }

    fn log_chain(&mut self, seq: u64) -> Result<Option<Chain>> {
        let (head, chain) = self.head();
        match seq.cmp(&head) {
            std::cmp::Ordering::Equal => Ok(Some(chain)),
            std::cmp::Ordering::Less => log::chain_at(&self.db, seq),
            std::cmp::Ordering::Greater => Ok(None),
        }
    }

    fn tip(&mut self, replica: ReplicaId) -> Result<Option<Tip>> {
        Ok(self.names.replica(replica).map(tip))
    }

    fn chain_at(&mut self, replica: ReplicaId, counter: u64) -> Result<Option<Chain>> {
        match self.names.replica(replica) {
            None | Some(Replica { forked: true, .. }) => Ok((counter == 0).then_some(Chain::EMPTY)),
            Some(_) if counter == 0 => Ok(Some(Chain::EMPTY)),
            Some(held) if held.counter == counter => Ok(Some(held.chain)),
            Some(held) if held.counter < counter => Ok(None),
            Some(held) => log::replica_chain_at(&self.db, held.row, held.tip, counter),
        }
    }

    fn grown_since(&mut self, seq: u64) -> Result<Vec<Entry>> {
        let grown = self.names.replicas().filter(|replica| match replica.forked {
            true => replica.forked_at >= seq,
            false => replica.tip > seq,
        });
        Ok(grown
            .map(|replica| Entry {
                replica: replica.id,
                counter: replica.counter,
                chain: replica.chain,
                forked: replica.forked && !mutant::is_planted(Mutant::ForkNotPassedOn),
            })
            .collect())
    }

    fn peer(&mut self, peer: StoreId) -> Result<PeerState> {
        let replica = self.identity()?.replica;
        Ok(self.peer_row(peer)?.map(|peer| peer.state(replica)).unwrap_or_default())
    }

    fn peer_at(&mut self, address: &str) -> Result<Option<StoreId>> {
        peers::at_address(&self.db, address)
    }

    fn save_peer(&mut self, peer: StoreId, relay: bool, address: &str, state: &PeerState) -> Result<()> {
        let frontier_replica = self.identity()?.replica;
        let row = Peer {
            store: peer,
            relay,
            address: address.to_owned(),
            cursor: state.cursor,
            acked: state.acked,
            frontier_replica,
            frontier: state.frontier,
        };
        // The row has it, or takes it back: the commit must not write it again over the row.
        self.acks.remove(&peer);
        self.write_unnamed(|tx| peers::save(tx.db, &row))
    }

    fn acknowledge(&mut self, peer: StoreId, acked: Cursor, frontier: Dot) -> Result<()> {
        self.acks.insert(peer, Acknowledged { acked, frontier });
        Ok(())
    }

    fn read_log(&mut self, after: u64, max_rows: usize, max_bytes: usize) -> Result<Vec<LogRow>> {
        let mut rows: Vec<LogRow> = Vec::new();
        let mut bytes = 0;
        // Rows before the transaction at hand.
        let mut whole = 0;
        let last = self.readable();
        let mut damage = None;
        let names = &self.names;
        let mut chains = Chains::default();
        let db = &self.db;
        log::scan_each(db, after, |seq, entry| {
            if seq > last {
                return Ok(false);
            }
            let read = entry.and_then(|entry| {
                history::check(&entry)?;
                let place = chains::place(db, names, &entry)?;
                chains.follow(db, &entry, &place)?;
                Ok((entry, place))
            });
            let (entry, place) = match read {
                Ok(read) => read,
                Err(error) if error.is_damage() => {
                    damage = Some((seq, error));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let Some(dot) = place.dot else { return Ok(true) };
            let row = LogRow {
                seq: entry.seq,
                log_chain: entry.log_chain,
                dot,
                chain: entry.chain,
                mine: names.replica_at(entry.replica).is_some_and(|replica| replica.mine),
                txn: entry.txn,
                model: names.model_name(place.model).unwrap_or_default().to_owned(),
                record: place.record,
                bytes: entry.bytes,
            };
            let inside = rows.last().is_some_and(|last| row.continues(last));
            if inside && !mutant::is_planted(Mutant::TransactionCut) {
                if rows.len() >= max_rows && whole > 0 {
                    // It does not fit behind what is there.
                    rows.truncate(whole);
                    return Ok(false);
                }
            } else {
                whole = rows.len();
                if whole > 0 && (whole >= max_rows || bytes + row.bytes.len() > max_bytes) {
                    return Ok(false);
                }
            }
            bytes += row.bytes.len();
            rows.push(row);
            Ok(true)
        })?;
        let Some((seq, error)) = damage else { return Ok(rows) };
        self.note_damage(seq, &error.to_string())?;
        // Half a transaction must not travel.
        if rows.last().is_some_and(|last| last.txn > 0) {
            rows.truncate(whole);
        }
        if rows.is_empty() { Err(error) } else { Ok(rows) }
    }

    fn apply(&mut self, peer: StoreId, rows: &[IncomingRow], cursor: Option<Cursor>) -> Result<Applied> {
        if let Some(cursor) = cursor.filter(|_| mutant::is_planted(Mutant::CursorBeforeData)) {
            self.write_unnamed(|tx| peers::move_cursor(tx.db, peer, cursor))?;
        }
        let mut applied = self.write_unnamed(|tx| {
            let applied = tx.apply_rows(rows)?;
            if let Some(cursor) = cursor {
                peers::move_cursor(tx.db, peer, cursor)?;
            }
            Ok(applied)
        })?;
        applied.committed = self.head().0;
        Ok(applied)
    }

    fn retire(&mut self, replicas: &[ReplicaId]) -> Result<()> {
        let own = self.identity()?.replica;
        let new = self.write_unnamed(|tx| {
            let mut new = Vec::new();
            for replica in replicas {
                let head = tx.head.0;
                let retired = tx.names.replica_mut(*replica);
                if !retired.forked {
                    (retired.forked, retired.forked_at) = (true, head);
                    new.push(*replica);
                }
            }
            Ok(new)
        })?;
        self.retired.extend(new);
        if replicas.contains(&own) && !mutant::is_planted(Mutant::ForkedWriterGoesOn) {
            let now = self.clock_ms;
            self.renew(RenewalCause::Forked, false, now)?;
        }
        Ok(())
    }

    fn retired_since(&mut self, known: usize) -> Result<Vec<ReplicaId>> {
        Ok(self.retired.get(known..).unwrap_or_default().to_vec())
    }

    fn renew_identity(&mut self, new_log: bool) -> Result<()> {
        let now = self.clock_ms;
        self.renew(RenewalCause::PeerKnowsMore, new_log, now)
    }

    fn staged(&mut self, payload: &[u8; 32]) -> Result<u64> {
        peers::staged_of(&self.db, payload)
    }

    fn staged_payloads(&mut self) -> Result<Vec<([u8; 32], u64)>> {
        peers::staged(&self.db)
    }

    fn stage(&mut self, payload: &[u8; 32], offset: u64, bytes: &[u8]) -> Result<()> {
        self.write_unnamed(|tx| peers::stage(tx.db, payload, offset, bytes))
    }

    fn take_staged(&mut self, payload: &[u8; 32]) -> Result<Vec<u8>> {
        self.write_unnamed(|tx| peers::take_staged(tx.db, payload))
    }

    fn genesis_for(&mut self, models: &[&str]) -> Result<Vec<(String, String, u8)>> {
        let mut all = Vec::new();
        for model in models {
            all.extend(records::genesis_of(&self.db, model)?);
        }
        Ok(all)
    }

    fn learn_genesis(&mut self, specs: &[(String, String, u8)]) -> Result<()> {
        self.write_unnamed(|tx| {
            let mut held = records::all_genesis(tx.db)?.len();
            for spec in specs {
                // A kind of object that a newer version may have: what depends on it waits.
                let Ok(genesis) = history::genesis_of_row(spec) else { continue };
                if records::genesis(tx.db, &genesis.hash())?.is_some() {
                    continue;
                }
                let of_our_schema = tx.schema.is_some_and(|schema| geneses_of(schema).any(|ours| ours == genesis));
                let fits = held < GENESES_MAX && genesis.model.len() + genesis.key.len() <= GENESIS_BYTES_MAX;
                if of_our_schema || fits {
                    tx.remember_genesis(&genesis)?;
                    held += 1;
                }
            }
            Ok(())
        })
    }
}

fn tip(replica: &Replica) -> Tip {
    Tip { counter: replica.counter, chain: replica.chain, forked: replica.forked }
}
