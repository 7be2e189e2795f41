//! What an adversary has said that is not so: checks need it to tell damage from what was to be expected.

use std::collections::BTreeSet;

use syncline_core::ids::{Dot, RecordId, ReplicaId};

/// Everything false that left an adversary, or that it put into its own log to be passed on.
#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// Changes that it wrote under the id of somebody else. The genuine change of that dot differs.
    pub forged: BTreeSet<Dot>,
    /// Its own dots under which it sent two changes.
    pub equivocated: BTreeSet<Dot>,
    /// Changes that must not become part of any record, or harm nobody if they do: record and hash.
    pub poison: BTreeSet<(RecordId, [u8; 32])>,
    /// Dots of poison: of its own replica ids.
    pub poisoned: BTreeSet<Dot>,
    /// Replica ids that nobody has, of which it claimed to hold changes.
    pub invented: BTreeSet<ReplicaId>,
    /// Replica ids of others that its lies may have retired: forged, or called forked.
    pub accused: BTreeSet<ReplicaId>,
    /// Records of others that its lies touch.
    pub records: BTreeSet<RecordId>,
    /// Changes that it kept back from a peer while it said that the peer had them.
    pub withheld: BTreeSet<Dot>,
    /// How often it lied or broke the protocol.
    pub acts: u64,
}

impl Lies {
    /// Whether a replica id may have been retired or given up because of this adversary, though its writer is
    /// honest.
    pub fn may_have_retired(&self, replica: ReplicaId) -> bool {
        self.accused.contains(&replica)
    }
}
