//! What a store knows, as counters per replica, and how two such states relate.
//!
//! A [`VersionVector`] is a set of dots in closed form: counters are dense, so one number per
//! replica says everything. Vectors form a lattice under [`VersionVector::merge`]. A [`Token`]
//! is a vector that an app hands around, as text.

mod token;

use std::collections::BTreeMap;

use crate::ids::{Dot, ReplicaId};

pub use token::{Token, TokenEntry, TokenError};
pub(crate) use token::{from_base64, push_leb, take_leb, to_base64};

/// How one causal state relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causal {
    /// The same changes are held.
    Equal,
    /// The other side holds everything of this one, and more.
    Before,
    /// This side holds everything of the other, and more.
    After,
    /// Each side holds something that the other lacks.
    Concurrent,
}

/// Consecutive changes of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DotRange {
    /// Who wrote them.
    pub replica: ReplicaId,
    /// First counter.
    pub first: u64,
    /// Last counter, at least `first`.
    pub last: u64,
}

impl DotRange {
    /// How many changes these are.
    pub fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// Replica id → highest counter such that all changes up to it are held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionVector {
    /// Never holds a zero, so that equal states are equal maps.
    counters: BTreeMap<ReplicaId, u64>,
}

impl VersionVector {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The highest counter of `replica`; 0 if none of its changes is held.
    pub fn counter(&self, replica: ReplicaId) -> u64 {
        self.counters.get(&replica).copied().unwrap_or(0)
    }

    /// Holds all changes of `replica` up to `counter`, and at least what was held before.
    pub fn raise(&mut self, replica: ReplicaId, counter: u64) {
        if counter > 0 {
            let held = self.counters.entry(replica).or_insert(0);
            *held = counter.max(*held);
        }
    }

    /// Whether the change is held.
    pub fn contains(&self, dot: Dot) -> bool {
        dot.counter > 0 && dot.counter <= self.counter(dot.replica)
    }

    /// Whether everything that `other` holds is held here.
    pub fn covers(&self, other: &Self) -> bool {
        other.counters.iter().all(|(replica, counter)| self.counter(*replica) >= *counter)
    }

    /// How this state relates to `other`.
    pub fn compare(&self, other: &Self) -> Causal {
        match (self.covers(other), other.covers(self)) {
            (true, true) => Causal::Equal,
            (true, false) => Causal::After,
            (false, true) => Causal::Before,
            (false, false) => Causal::Concurrent,
        }
    }

    /// Holds what either side held.
    pub fn merge(&mut self, other: &Self) {
        for (replica, counter) in other.iter() {
            self.raise(replica, counter);
        }
    }

    /// What is held here and is missing from `other`, at most one range per replica.
    pub fn missing_from(&self, other: &Self) -> Vec<DotRange> {
        self.iter()
            .filter_map(|(replica, last)| {
                let first = other.counter(replica) + 1;
                (first <= last).then_some(DotRange { replica, first, last })
            })
            .collect()
    }

    /// Replicas and their counters, in the order of their ids; no counter is 0.
    pub fn iter(&self) -> impl Iterator<Item = (ReplicaId, u64)> + '_ {
        self.counters.iter().map(|(replica, counter)| (*replica, *counter))
    }

    /// How many replicas have a change here.
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether no change is held.
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }
}

impl FromIterator<(ReplicaId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ReplicaId, u64)>>(entries: I) -> Self {
        let mut vector = Self::new();
        vector.extend(entries);
        vector
    }
}

impl Extend<(ReplicaId, u64)> for VersionVector {
    fn extend<I: IntoIterator<Item = (ReplicaId, u64)>>(&mut self, entries: I) {
        for (replica, counter) in entries {
            self.raise(replica, counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replica(n: u8) -> ReplicaId {
        ReplicaId([n; 16])
    }

    fn vectors() -> impl Strategy<Value = VersionVector> {
        prop::collection::vec((0u8..4, 0u64..4), 0..6)
            .prop_map(|entries| entries.into_iter().map(|(r, counter)| (replica(r), counter)).collect())
    }

    fn merged(left: &VersionVector, right: &VersionVector) -> VersionVector {
        let mut both = left.clone();
        both.merge(right);
        both
    }

    proptest! {
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in vectors(), b in vectors(), c in vectors()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a);
        }

        #[test]
        fn a_merge_is_the_least_state_that_covers_both(a in vectors(), b in vectors(), c in vectors()) {
            let both = merged(&a, &b);
            prop_assert!(both.covers(&a) && both.covers(&b));
            if c.covers(&a) && c.covers(&b) {
                prop_assert!(c.covers(&both));
            }
        }

        #[test]
        fn comparing_is_a_partial_order_that_agrees_with_covering(a in vectors(), b in vectors(), c in vectors()) {
            let mirrored = match a.compare(&b) {
                Causal::Equal => Causal::Equal,
                Causal::Before => Causal::After,
                Causal::After => Causal::Before,
                Causal::Concurrent => Causal::Concurrent,
            };
            prop_assert_eq!(b.compare(&a), mirrored);
            prop_assert_eq!(a.compare(&b) == Causal::Equal, a == b);
            if a.covers(&b) && b.covers(&c) {
                prop_assert!(a.covers(&c));
            }
        }

        #[test]
        fn what_is_missing_is_exactly_what_the_other_does_not_contain(a in vectors(), b in vectors()) {
            let missing = a.missing_from(&b);
            prop_assert_eq!(missing.is_empty(), b.covers(&a));
            for r in 0..4 {
                for counter in 1..5 {
                    let dot = Dot { replica: replica(r), counter };
                    let listed = missing.iter().any(|range| {
                        range.replica == dot.replica && (range.first..=range.last).contains(&counter)
                    });
                    prop_assert_eq!(listed, a.contains(dot) && !b.contains(dot));
                }
            }
            let filled: VersionVector = missing.iter().map(|range| (range.replica, range.last)).collect();
            prop_assert!(merged(&b, &filled).covers(&a));
        }
    }

    #[test]
    fn counters_never_fall_and_zero_is_no_entry() {
        let mut vector = VersionVector::new();
        vector.raise(replica(1), 0);
        assert!(vector.is_empty());
        vector.raise(replica(1), 5);
        vector.raise(replica(1), 3);
        assert_eq!(vector.counter(replica(1)), 5);
        assert!(!vector.contains(Dot { replica: replica(1), counter: 0 }));
        assert_eq!(vector.len(), 1);
    }
}
