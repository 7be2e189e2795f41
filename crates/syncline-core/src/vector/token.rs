//! A causal position as text: what `save` returns and `wait_for` takes.
//!
//! `sl1.` and, in base64url without padding: the namespace's hash (8 bytes), the entries in the
//! order of their replica ids (id 16, counter as LEB128, chain 8), and the first 4 bytes of the
//! blake3 hash of all of that.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::VersionVector;
use crate::ids::{Chain, ReplicaId};

const PREFIX: &str = "sl1.";
const CHECKSUM_BYTES: usize = 4;
const TEXT_BYTES_MAX: usize = 4 << 20;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where one replica stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenEntry {
    /// All changes up to this one.
    pub counter: u64,
    /// The replica's chain there: the same counter on another branch is another position.
    pub chain: Chain,
}

/// A causal position of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    namespace: [u8; 8],
    entries: BTreeMap<ReplicaId, TokenEntry>,
}

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not start as tokens do.
    #[error("a token starts with `{PREFIX}`; this text does not")]
    Prefix,
    /// More than any vector needs.
    #[error("a token of {0} bytes is longer than {TEXT_BYTES_MAX}")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("`{character}` at byte {at} cannot stand in a token")]
    Character {
        /// The byte offset in the text.
        at: usize,
        /// What stands there.
        character: char,
    },
    /// It ends in the middle of an entry or before its checksum.
    #[error("the token is cut off; copy it whole")]
    CutOff,
    /// The bytes are not those that were written.
    #[error("the token's checksum does not match: a character was changed or lost")]
    Checksum,
    /// The checksum holds, but no Syncline wrote this.
    #[error("the token's entry {0} is not one that a store writes")]
    Entry(usize),
}

impl Token {
    /// The position `entries` in `namespace`. Entries with counter 0 say nothing and are left out.
    pub fn new(namespace: &str, entries: impl IntoIterator<Item = (ReplicaId, TokenEntry)>) -> Self {
        Self { namespace: namespace_hash(namespace), entries: BTreeMap::new() }.moved_to(entries)
    }

    /// The position `entries` in the namespace of this token, as [`Token::new`]. The name is not hashed once more.
    #[must_use]
    pub fn moved_to(&self, entries: impl IntoIterator<Item = (ReplicaId, TokenEntry)>) -> Self {
        let entries = entries.into_iter().filter(|(_, entry)| entry.counter > 0).collect();
        Self { namespace: self.namespace, entries }
    }

    /// Whether the token is of `namespace`.
    pub fn is_of(&self, namespace: &str) -> bool {
        self.namespace == namespace_hash(namespace)
    }

    /// Whether both tokens are of one namespace; comparing others has no meaning.
    pub fn is_comparable(&self, other: &Self) -> bool {
        self.namespace == other.namespace
    }

    /// The position, replica by replica.
    pub fn entries(&self) -> impl Iterator<Item = (ReplicaId, TokenEntry)> + '_ {
        self.entries.iter().map(|(replica, entry)| (*replica, *entry))
    }

    /// Where `replica` stood.
    pub fn entry(&self, replica: ReplicaId) -> Option<TokenEntry> {
        self.entries.get(&replica).copied()
    }

    /// The position without its chains.
    pub fn version(&self) -> VersionVector {
        self.entries().map(|(replica, entry)| (replica, entry.counter)).collect()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.namespace.to_vec();
        for (replica, entry) in self.entries() {
            bytes.extend_from_slice(&replica.0);
            push_leb(&mut bytes, entry.counter);
            bytes.extend_from_slice(&entry.chain.0.to_le_bytes());
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let at = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(TokenError::CutOff)?;
        let (content, found) = bytes.split_at(at);
        if checksum(content) != found {
            return Err(TokenError::Checksum);
        }
        let mut rest = content;
        let namespace = take(&mut rest).ok_or(TokenError::CutOff)?;
        let mut entries = BTreeMap::new();
        while !rest.is_empty() {
            let (replica, entry) = take_entry(&mut rest).ok_or(TokenError::CutOff)?;
            let ascending = entries.last_key_value().is_none_or(|(last, _)| *last < replica);
            if !ascending || entry.counter == 0 {
                return Err(TokenError::Entry(entries.len()));
            }
            entries.insert(replica, entry);
        }
        Ok(Self { namespace, entries })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&to_base64(&self.to_bytes()))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TokenError::TooLong(text.len()));
        }
        let digits = text.strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        Self::from_bytes(&from_base64(digits)?)
    }
}

fn namespace_hash(namespace: &str) -> [u8; 8] {
    let hash = blake3::derive_key("syncline token namespace 1", namespace.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    first
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::derive_key("syncline token checksum 1", content);
    [hash[0], hash[1], hash[2], hash[3]]
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, later) = rest.split_first_chunk::<N>()?;
    *rest = later;
    Some(*first)
}

fn take_entry(rest: &mut &[u8]) -> Option<(ReplicaId, TokenEntry)> {
    let replica = ReplicaId(take(rest)?);
    let counter = take_leb(rest)?;
    let chain = Chain(u64::from_le_bytes(take(rest)?));
    Some((replica, TokenEntry { counter, chain }))
}

pub(crate) fn push_leb(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn take_leb(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        let part = u64::from(byte & 0x7f);
        value |= part.checked_shl(shift).filter(|shifted| shifted >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for digit in 0..=group.len() {
            let index = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, TokenError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0u32, 0u32);
    for (at, character) in text.char_indices() {
        let digit = ALPHABET.iter().position(|known| char::from(*known) == character);
        let bad = TokenError::Character { at: PREFIX.len() + at, character };
        bits = bits << 6 | digit.ok_or(bad)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    // Whole bytes leave at most 4 unused bits, all of them zero.
    match held < 6 && bits & ((1 << held) - 1) == 0 {
        true => Ok(bytes),
        false => Err(TokenError::CutOff),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> impl Strategy<Value = Token> {
        let entry = (any::<[u8; 16]>(), any::<u64>(), any::<u64>());
        prop::collection::vec(entry, 0..5).prop_map(|entries| {
            Token::new(
                "default",
                entries.into_iter().map(|(id, counter, chain)| {
                    let chain = Chain(chain);
                    (ReplicaId(id), TokenEntry { counter, chain })
                }),
            )
        })
    }

    proptest! {
        #[test]
        fn a_token_comes_back_from_its_text(token in tokens()) {
            prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token));
        }

        #[test]
        fn a_changed_or_lost_character_is_noticed(token in tokens(), at in any::<prop::sample::Index>(), digit in 0usize..64) {
            let text = token.to_string();
            let at = PREFIX.len() + at.index(text.len() - PREFIX.len());
            let mut changed = text.clone().into_bytes();
            changed[at] = ALPHABET[digit];
            let changed = String::from_utf8(changed).unwrap();
            if changed != text {
                prop_assert!(changed.parse::<Token>().is_err());
            }
            let mut shorter = text.clone();
            shorter.remove(at);
            if shorter != text {
                prop_assert!(shorter.parse::<Token>().is_err());
            }
        }

        #[test]
        fn any_text_is_answered_without_a_panic(text in "(sl1\\.)?[ -~]{0,80}") {
            let _ = text.parse::<Token>();
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let token = Token::new("default", [(ReplicaId([7; 16]), TokenEntry { counter: 3, chain: Chain(9) })]);
        let text = token.to_string();
        assert_eq!("hello".parse::<Token>(), Err(TokenError::Prefix));
        assert_eq!("sl1.".parse::<Token>(), Err(TokenError::CutOff));
        let spoiled = text.replacen('B', "!", 1);
        let at = spoiled.find('!').unwrap();
        assert_eq!(spoiled.parse::<Token>(), Err(TokenError::Character { at, character: '!' }));
        assert_eq!(text.replacen('B', "C", 1).parse::<Token>(), Err(TokenError::Checksum));
        assert_eq!(text[..text.len() - 1].parse::<Token>(), Err(TokenError::CutOff));
    }

    #[test]
    fn a_token_of_one_writer_is_short() {
        let entry = TokenEntry { counter: 300, chain: Chain(u64::MAX) };
        let text = Token::new("default", [(ReplicaId([7; 16]), entry)]).to_string();
        assert!(text.len() <= 56, "{} characters", text.len());
    }

    #[test]
    fn a_token_knows_its_namespace() {
        let token = Token::new("default", []);
        assert!(token.is_of("default"));
        assert!(!token.is_of("other"));
    }
}
