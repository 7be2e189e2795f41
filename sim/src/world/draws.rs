//! Everything left to chance, as a function of the seed and of what it is for: leaving one event out of a
//! schedule changes no draw of the others.

/// A source of numbers for one run.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    key: [u8; 32],
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: blake3::derive_key("syncline simulator 1", &seed.to_le_bytes()) }
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
        if bound == 0 {
            return 0;
        }
        let bytes = self.bytes(purpose, entity, count);
        let number = u64::from_le_bytes(bytes[..8].try_into().expect("eight of 32 bytes"));
        number % bound
    }
}
