//! A position in a text that stays where it is whatever is typed elsewhere: for the cursors and
//! selections of an editor, and for what refers to a place in a text.
//!
//! It holds on to the character before or behind the position, and can be resolved on every replica
//! that has that character. Where the character was deleted, the cursor stands where it was: between
//! those that are left on either side. At the beginning of a text there is no character before, at
//! its end none behind: such a cursor stays at the beginning, or at the end.
//!
//! As text: `slc1.` and, in base64url without padding: a hash of record and field (8 bytes), the
//! side with whether there is a character (1 byte), the character's operation counter as LEB128 and
//! actor (the rest), and the first 4 bytes of the blake3 hash of all of that.

use std::fmt;
use std::str::FromStr;

use automerge::ActorId;

use crate::change::MAX_ACTOR_BYTES;
use crate::ids::RecordId;
use crate::state::OpId;
use crate::vector::{from_base64, push_leb, take_leb, to_base64};

const PREFIX: &str = "slc1.";
const PLACE_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;
/// Longer than any cursor.
const TEXT_BYTES_MAX: usize = 256;

const BEFORE: u8 = 0;
const AFTER: u8 = 1;
const CHARACTER: u8 = 2;

/// The neighbour that a cursor holds on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The character before it: what is typed at the cursor comes to stand behind it.
    #[default]
    Before,
    /// The character behind it: what is typed at the cursor pushes it along.
    After,
}

/// A position in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCursor {
    place: [u8; PLACE_BYTES],
    side: Side,
    /// The character; none at the beginning or the end.
    character: Option<OpId>,
}

/// Why a text is no cursor, or says nothing about a place in this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It does not start as cursors do, or is cut off or changed.
    #[error("this is no cursor: {0}; copy it whole, as `cursor` gave it")]
    Malformed(&'static str),
    /// It is of another record or field.
    #[error("the cursor belongs to another text than {0}")]
    OtherText(String),
    /// The character that it holds on to is not here.
    #[error("the cursor holds on to a character that has not arrived here yet: sync, and try again")]
    NotHere,
}

impl TextCursor {
    /// A cursor of a record's text that holds on to a character, or to an end.
    pub(crate) fn new(record: RecordId, key: &str, side: Side, character: Option<OpId>) -> Self {
        Self { place: place_hash(record, key), side, character }
    }

    /// Whether it is a cursor of this text.
    pub(crate) fn is_of(&self, record: RecordId, key: &str) -> bool {
        self.place == place_hash(record, key)
    }

    /// The neighbour that it holds on to.
    pub fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn character(&self) -> Option<&OpId> {
        self.character.as_ref()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let side = match self.side {
            Side::Before => BEFORE,
            Side::After => AFTER,
        };
        let mut bytes = self.place.to_vec();
        match &self.character {
            None => bytes.push(side),
            Some(character) => {
                bytes.push(side | CHARACTER);
                push_leb(&mut bytes, character.counter);
                bytes.extend_from_slice(character.actor.to_bytes());
            }
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CursorError> {
        const CUT_OFF: CursorError = CursorError::Malformed("it is cut off");
        const UNKNOWN: CursorError = CursorError::Malformed("it says what no cursor says");
        let at = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(CUT_OFF)?;
        let (content, found) = bytes.split_at(at);
        if checksum(content) != found {
            return Err(CursorError::Malformed("a character of it was changed or lost"));
        }
        let (place, rest) = content.split_first_chunk().ok_or(CUT_OFF)?;
        let (flags, mut rest) = rest.split_first().ok_or(CUT_OFF)?;
        let side = if flags & AFTER == 0 { Side::Before } else { Side::After };
        let character = match flags & !AFTER {
            0 if rest.is_empty() => None,
            CHARACTER => {
                let counter = take_leb(&mut rest).filter(|counter| *counter <= u64::from(u32::MAX)).ok_or(UNKNOWN)?;
                let actor = Some(rest).filter(|actor| (1..=MAX_ACTOR_BYTES).contains(&actor.len())).ok_or(UNKNOWN)?;
                Some(OpId { counter, actor: ActorId::from(actor) })
            }
            _ => return Err(UNKNOWN),
        };
        Ok(Self { place: *place, side, character })
    }
}

impl fmt::Display for TextCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&to_base64(&self.to_bytes()))
    }
}

impl FromStr for TextCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let digits = text.strip_prefix(PREFIX).ok_or(CursorError::Malformed("cursors start with `slc1.`"))?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError::Malformed("it is longer than any cursor"));
        }
        let bytes = from_base64(digits).map_err(|_| CursorError::Malformed("it holds what is not base64url"))?;
        Self::from_bytes(&bytes)
    }
}

fn place_hash(record: RecordId, key: &str) -> [u8; PLACE_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("syncline text cursor place 1");
    hasher.update(&record.0);
    hasher.update(key.as_bytes());
    let mut first = [0; PLACE_BYTES];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..PLACE_BYTES]);
    first
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::derive_key("syncline text cursor checksum 1", content);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> RecordId {
        RecordId([7; 16])
    }

    fn cursors() -> impl Strategy<Value = TextCursor> {
        let character = (any::<u32>(), prop::collection::vec(any::<u8>(), 1..=MAX_ACTOR_BYTES));
        (any::<bool>(), prop::option::of(character)).prop_map(|(behind, character)| {
            let side = if behind { Side::After } else { Side::Before };
            let character =
                character.map(|(counter, actor)| OpId { counter: counter.into(), actor: ActorId::from(actor) });
            TextCursor::new(record(), "body", side, character)
        })
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_from_its_text(cursor in cursors()) {
            let text = cursor.to_string();
            prop_assert!(text.len() <= TEXT_BYTES_MAX);
            prop_assert_eq!(text.parse(), Ok(cursor));
        }

        #[test]
        fn a_changed_or_lost_character_is_noticed(cursor in cursors(), at in any::<prop::sample::Index>()) {
            let text = cursor.to_string();
            let at = at.index(text.len());
            let mut changed = text.clone();
            changed.replace_range(at..=at, if &text[at..=at] == "x" { "y" } else { "x" });
            prop_assert!(changed.parse::<TextCursor>().is_err());
            let mut shorter = text.clone();
            shorter.remove(at);
            if shorter != text {
                prop_assert!(shorter.parse::<TextCursor>().is_err());
            }
        }

        #[test]
        fn any_text_is_answered_without_a_panic(text in "(slc1\\.)?[ -~]{0,80}") {
            let _ = text.parse::<TextCursor>();
        }
    }

    #[test]
    fn a_cursor_knows_its_text() {
        let cursor = TextCursor::new(record(), "body", Side::Before, None);
        assert!(cursor.is_of(record(), "body"));
        assert!(!cursor.is_of(record(), "notes"));
        assert!(!cursor.is_of(RecordId([8; 16]), "body"));
    }
}
