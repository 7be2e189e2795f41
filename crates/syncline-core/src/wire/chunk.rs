//! The header of an Automerge change, which is not sent: it follows from the body.
//!
//! A plain change is `85 6f 4a 83`, 4 bytes of checksum, the type 1, the body's length as LEB128,
//! and the body. The change's hash is SHA-256 over type, length and body, and the checksum is its
//! beginning, so that a receiver needs one hash for both, and a compressed chunk cannot even be
//! written down.

use sha2::{Digest, Sha256};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const PLAIN_CHANGE: u8 = 1;

/// The hash that names a plain change in Automerge, from its bytes; `None` for anything else.
pub fn change_hash(bytes: &[u8]) -> Option<[u8; 32]> {
    body(bytes).map(hash_of_body)
}

/// What follows a plain change's header, if the header is as Automerge writes it.
pub(super) fn body(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(&MAGIC)?.get(4..)?;
    let rest = rest.strip_prefix(&[PLAIN_CHANGE])?;
    let digits = leb_len(rest)?;
    let body = &rest[digits..];
    (leb(body.len()).as_slice() == &rest[..digits]).then_some(body)
}

/// A change's bytes and hash from its body.
pub(super) fn with_header(body: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let hash = hash_of_body(body);
    let length = leb(body.len());
    let mut bytes = Vec::with_capacity(9 + length.as_slice().len() + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&hash[..4]);
    bytes.push(PLAIN_CHANGE);
    bytes.extend_from_slice(length.as_slice());
    bytes.extend_from_slice(body);
    (bytes, hash)
}

fn hash_of_body(body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([PLAIN_CHANGE]);
    hasher.update(leb(body.len()).as_slice());
    hasher.update(body);
    hasher.finalize().into()
}

struct Leb {
    digits: [u8; 10],
    len: usize,
}

impl Leb {
    fn as_slice(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

fn leb(mut value: usize) -> Leb {
    let mut digits = [0; 10];
    let mut len = 0;
    loop {
        let more = value >= 0x80;
        digits[len] = (value & 0x7f) as u8 | u8::from(more) << 7;
        len += 1;
        value >>= 7;
        if !more {
            return Leb { digits, len };
        }
    }
}

fn leb_len(bytes: &[u8]) -> Option<usize> {
    let last = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    Some(last + 1)
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{ActorId, AutoCommit, ROOT};

    use super::*;

    fn change(text: &str) -> (Vec<u8>, [u8; 32]) {
        let mut document = AutoCommit::new().with_actor(ActorId::from([3; 16]));
        document.put(ROOT, "title", text).unwrap();
        let change = document.get_last_local_change().unwrap();
        (change.raw_bytes().to_vec(), change.hash().0)
    }

    #[test]
    fn a_change_without_its_header_comes_back_whole_and_named_as_automerge_names_it() {
        for length in [0, 1, 50, 127, 128, 5_000, 70_000] {
            let (bytes, hash) = change(&"x".repeat(length));
            assert_eq!(change_hash(&bytes), Some(hash));
            assert_eq!(with_header(body(&bytes).unwrap()), (bytes, hash));
        }
    }

    #[test]
    fn other_chunks_and_other_headers_have_no_body() {
        let (bytes, _) = change("hello");
        for at in [0, 3, 8, 9] {
            let mut changed = bytes.clone();
            changed[at] ^= 2;
            assert_eq!(body(&changed), None, "byte {at}");
        }
        assert_eq!(body(&bytes[..bytes.len() - 1]), None);
        assert_eq!(body(&[]), None);
        let mut padded = bytes[..9].to_vec();
        padded.extend_from_slice(&[bytes[9] | 0x80, 0]);
        padded.extend_from_slice(&bytes[10..]);
        assert_eq!(body(&padded), None, "a length with a superfluous digit");
    }
}
