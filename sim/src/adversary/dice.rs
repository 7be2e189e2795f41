//! What an adversary decides by: its seed, asked in one way.

use syncline_engine::Seed;

/// A seed with the questions that adversaries ask.
#[derive(Clone, Debug)]
pub(super) struct Dice(Seed);

impl Dice {
    pub(super) fn new(seed: Seed) -> Self {
        Self(seed)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below("adversary", bound.max(1))
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(super) fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.index(among.len()))
    }

    pub(super) fn number(&mut self) -> u64 {
        let id = self.id();
        u64::from_le_bytes([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]])
    }

    pub(super) fn id(&mut self) -> [u8; 16] {
        self.0.id16("adversary")
    }

    pub(super) fn hash(&mut self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(&self.id());
        hash[16..].copy_from_slice(&self.id());
        hash
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 16);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.id());
        }
        bytes.truncate(len);
        bytes
    }
}
