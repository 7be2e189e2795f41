//! From a position to the character beside it, and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Cursor, ObjId, ObjType, ReadDoc};

use super::Document;
use crate::state::OpId;
use crate::text_cursor::Side;

impl Document {
    /// The character on that side of a position; none at the end of the text. `Err` with the text's
    /// length if it has no such position.
    pub(crate) fn character_at(&self, key: &str, position: usize, side: Side) -> Result<Option<OpId>, usize> {
        let Some(text) = self.object(key, ObjType::Text) else {
            return if position == 0 { Ok(None) } else { Err(0) };
        };
        let length = self.doc.length(&text);
        if position > length {
            return Err(length);
        }
        let index = match side {
            Side::Before => position.checked_sub(1),
            Side::After => (position < length).then_some(position),
        };
        Ok(index.and_then(|index| self.character(&text, index)))
    }

    /// The position of which that character stands, or stood, on that side; no character stands for
    /// an end of the text. `None` if the text has never had the character.
    pub(crate) fn position_of(&self, key: &str, character: Option<&OpId>, side: Side) -> Option<usize> {
        let Some(character) = character else {
            return match side {
                Side::Before => Some(0),
                Side::After => Some(self.text_len(key).unwrap_or(0)),
            };
        };
        let text = self.object(key, ObjType::Text)?;
        let cursor = Cursor::try_from(format!("{}@{}", character.counter, character.actor)).ok()?;
        let found = catch_unwind(AssertUnwindSafe(|| self.doc.get_cursor_position(&text, &cursor, None)));
        let index = match found {
            Ok(index) => index.ok()?,
            // Built with debug assertions Automerge panics where the character and all behind it are deleted:
            // there it says the end of the text otherwise. And in any build at what stands in another object,
            // which only a forged cursor names. Nothing is changed by either.
            Err(_) => self.is_held(character).then(|| self.doc.length(&text))?,
        };
        let is_there = self.character(&text, index).as_ref() == Some(character);
        match side {
            Side::Before if is_there => Some(index + 1),
            Side::Before | Side::After => Some(index),
        }
    }

    fn is_held(&self, operation: &OpId) -> bool {
        self.doc.hash_for_opid(&ObjId::Id(operation.counter, operation.actor.clone(), 0)).is_some()
    }

    fn character(&self, text: &ObjId, index: usize) -> Option<OpId> {
        match self.doc.get(text, index).ok()?? {
            (_, ObjId::Id(counter, actor, _)) => Some(OpId { counter, actor }),
            (_, ObjId::Root) => None,
        }
    }
}
