//! A running hash of what a disk was made to do: equal runs have equal ones.
//!
//! It is good at telling runs apart and no protection against anybody who wants equal ones; in return it costs
//! a fraction of what copying the bytes does.

/// The hash so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digest(u64);

const KEYS: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7, 0x2545_f491_4f6c_dd1d];

impl Digest {
    /// The hash.
    pub(super) fn value(self) -> u64 {
        self.0
    }

    /// Takes in an operation.
    pub(super) fn take(&mut self, kind: u8, inode: u64, at: u64, bytes: &[u8]) {
        let head = fold(inode ^ KEYS[0], at ^ KEYS[1]) ^ u64::from(kind);
        let content = hash(bytes);
        self.0 = fold(self.0 ^ head ^ KEYS[2], content ^ KEYS[3]);
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let (mut even, mut odd) = (KEYS[0] ^ bytes.len() as u64, KEYS[1]);
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        even = absorb(even, &block[..16]);
        odd = absorb(odd, &block[16..]);
    }
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    fold(absorb(even, &last[..16]) ^ KEYS[2], absorb(odd, &last[16..]) ^ KEYS[3])
}

fn absorb(state: u64, bytes: &[u8]) -> u64 {
    fold(state ^ word(&bytes[..8]), word(&bytes[8..]) ^ KEYS[2])
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Both halves of a product: every bit of the factors moves many bits of it.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_flipped_bit_anywhere_or_another_order_gives_another_hash() {
        let page: Vec<u8> = (0..100).collect();
        let of = |operations: &[(u8, u64, u64, &[u8])]| {
            let mut digest = Digest::default();
            operations.iter().for_each(|(kind, inode, at, bytes)| digest.take(*kind, *inode, *at, bytes));
            digest.value()
        };
        let mut seen = BTreeSet::from([of(&[(1, 2, 3, &page)]), of(&[(2, 2, 3, &page)]), of(&[(1, 3, 3, &page)])]);
        seen.extend([of(&[(1, 2, 4, &page)]), of(&[(1, 2, 3, &page[..99])])]);
        for bit in 0..800 {
            let mut other = page.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            seen.insert(of(&[(1, 2, 3, &other)]));
        }
        seen.extend([of(&[(1, 1, 0, b"a"), (1, 1, 0, b"b")]), of(&[(1, 1, 0, b"b"), (1, 1, 0, b"a")])]);
        assert_eq!(seen.len(), 807);
    }
}
