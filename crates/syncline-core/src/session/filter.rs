//! What the peer is proven to hold, so that it is not sent.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Stop;
use super::{PeerMisbehaved, SessionStore, Tip};
use crate::ids::{Chain, Dot, ReplicaId};
use crate::mutant::{self, Mutant};
use crate::wire::Entry;

/// Most vector entries that a session takes in.
const CLAIMS_MAX: usize = 500_000;

/// The peer's vector, as far as our chains bear it out.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Our rows of the replica up to this counter are held by the peer.
    held: BTreeMap<ReplicaId, u64>,
    /// The peer is ahead of us; whether on our branch is not known.
    claims: BTreeMap<ReplicaId, (u64, Chain)>,
    /// Retired: everything of it is sent.
    forked: BTreeSet<ReplicaId>,
    taken: usize,
}

impl Filter {
    /// Takes an entry that the peer does not call forked. `true` if its replica must be retired.
    pub(super) fn claim<S: SessionStore>(&mut self, entry: &Entry, store: &mut S) -> Result<bool, Stop> {
        self.taken += 1;
        if self.taken > CLAIMS_MAX {
            return Err(too_many(self.taken).into());
        }
        if self.forked.contains(&entry.replica) || entry.counter == 0 {
            return Ok(false);
        }
        let tip = store.tip(entry.replica).map_err(Stop::store)?.unwrap_or_default();
        if tip.forked {
            return Ok(true);
        }
        if tip.counter < entry.counter {
            self.claims.insert(entry.replica, (entry.counter, entry.chain));
            return Ok(false);
        }
        let ours = store.chain_at(entry.replica, entry.counter).map_err(Stop::store)?;
        match ours {
            Some(chain) if chain == entry.chain || mutant::is_planted(Mutant::VectorChainIgnored) => {
                self.raise(entry.replica, entry.counter);
                Ok(false)
            }
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    /// The peer has looked up our counters `told` on its own chains: where it is ahead of us, it
    /// holds what we hold.
    pub(super) fn confirm(&mut self, told: &BTreeMap<ReplicaId, u64>) {
        let ahead = self.claims.iter().filter_map(|(replica, (claimed, _))| {
            let ours = told.get(replica)?;
            (ours < claimed).then_some((*replica, *ours))
        });
        for (replica, ours) in ahead.collect::<Vec<_>>() {
            self.raise(replica, ours);
        }
    }

    /// The peer holds our rows of an unforked replica up to `counter`.
    pub(super) fn raise(&mut self, replica: ReplicaId, counter: u64) {
        if !self.forked.contains(&replica) {
            let held = self.held.entry(replica).or_insert(0);
            *held = counter.max(*held);
        }
    }

    /// Our log is behind us: what the peer holds of it decides nothing any more.
    pub(super) fn pass(&mut self) {
        self.held.clear();
    }

    /// Nothing is known of a retired replica. `false` if that was so already.
    pub(super) fn forget(&mut self, replica: ReplicaId) -> bool {
        self.held.remove(&replica);
        self.claims.remove(&replica);
        self.forked.insert(replica)
    }

    pub(super) fn is_forked(&self, replica: ReplicaId) -> bool {
        self.forked.contains(&replica)
    }

    /// Whether the peer holds the row `dot` of a replica with this tip.
    pub(super) fn holds<S: SessionStore>(&mut self, dot: Dot, tip: Tip, store: &mut S) -> Result<Holds, Stop> {
        if tip.forked || self.is_forked(dot.replica) {
            return Ok(Holds::Forked);
        }
        if self.held.get(&dot.replica).is_some_and(|held| *held >= dot.counter) {
            return Ok(Holds::Yes);
        }
        let Some((claimed, chain)) = self.claims.get(&dot.replica).copied() else {
            return Ok(Holds::No);
        };
        if claimed < dot.counter || claimed > tip.counter {
            return Ok(Holds::No);
        }
        // We have caught up with the peer's claim since it was made.
        match store.chain_at(dot.replica, claimed).map_err(Stop::store)? {
            Some(ours) if ours == chain => {
                self.raise(dot.replica, claimed);
                Ok(Holds::Yes)
            }
            Some(_) => Ok(Holds::ForkFound),
            None => Ok(Holds::No),
        }
    }
}

/// Whether the peer holds a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Proven.
    Yes,
    /// Not proven.
    No,
    /// Its replica is retired.
    Forked,
    /// Its replica must be retired.
    ForkFound,
}

fn too_many(entries: usize) -> PeerMisbehaved {
    PeerMisbehaved::TooMuch { what: "vector entries", bytes: entries as u64, allowed: CLAIMS_MAX as u64 }
}
