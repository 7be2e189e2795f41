//! Everything left to chance, as a function of the seed, of what it is for, and of when: leaving one event out of a
//! schedule changes few draws of the others.

use crate::schedule::Chance;

/// A source of numbers for one run.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    key: [u8; 32],
    chance: Chance,
}

/// A number of its own for what has this name, whatever else there is.
pub(crate) fn name_key(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight of 32 bytes"))
}

/// For whom a number is drawn, and the how-manieth or the moment.
pub(crate) type Drawn = (u64, u64);

impl Draws {
    pub(crate) fn new(seed: u64, chance: Chance) -> Self {
        Self { key: blake3::derive_key("syncline simulator 1", &seed.to_le_bytes()), chance }
    }

    /// 32 bytes, by whichever of the two the schedule says.
    pub(crate) fn either(&self, purpose: &str, by_count: Drawn, by_moment: Drawn) -> [u8; 32] {
        let (entity, which) = match self.chance {
            Chance::Count => by_count,
            Chance::Moment => by_moment,
        };
        self.bytes(purpose, entity, which)
    }

    /// Whether the moment decides.
    pub(crate) fn are_of_the_moment(&self) -> bool {
        self.chance == Chance::Moment
    }

    /// 32 bytes for a purpose, an entity and the how-manieth draw for it.
    pub(crate) fn bytes(&self, purpose: &str, entity: u64, count: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&entity.to_le_bytes());
        hasher.update(&count.to_le_bytes());
        hasher.update(purpose.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&self, purpose: &str, entity: u64, count: u64, bound: u64) -> u64 {
        below(self.bytes(purpose, entity, count), bound)
    }

    /// A number below `bound`, by whichever of the two the schedule says; 0 for a bound of 0.
    pub(crate) fn either_below(&self, purpose: &str, by_count: Drawn, by_moment: Drawn, bound: u64) -> u64 {
        below(self.either(purpose, by_count, by_moment), bound)
    }
}

fn below(bytes: [u8; 32], bound: u64) -> u64 {
    let number = u64::from_le_bytes(bytes[..8].try_into().expect("eight of 32 bytes"));
    number.checked_rem(bound).unwrap_or(0)
}
