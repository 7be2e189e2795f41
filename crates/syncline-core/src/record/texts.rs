//! What an editor does to a text: edits of its characters and marks, spans, and cursors.

use std::ops::Range;

use syncline_schema::{Field, FieldKind};

use super::check::{InvalidRecord, RECORD_BYTES_MAX};
use super::null_key;
use super::patch::Patch;
use super::view::RecordView;
use crate::edit::{Edits, ObjectEdit};
use crate::rich::{
    Expand, ExpandRules, Mark, SPANS_BYTES_MAX, Span, SpansTooLarge, check_name, joined, mark_bytes, mark_value,
};
use crate::text_cursor::{CursorError, Side, TextCursor};

/// One edit of a text. Positions in code points.
#[derive(Clone, Debug, PartialEq)]
pub enum TextEdit {
    /// Deletes characters, then inserts.
    Splice {
        /// First character concerned.
        at: usize,
        /// How many characters go.
        delete: usize,
        /// What comes.
        insert: String,
    },
    /// Puts a mark on characters of a rich text.
    Mark {
        /// The characters.
        range: Range<usize>,
        /// The mark.
        mark: Mark,
    },
    /// Takes the marks of a name from characters of a rich text.
    Unmark {
        /// The characters.
        range: Range<usize>,
        /// The marks' name.
        name: String,
        /// Whether text typed at the ends belongs to what has no such mark.
        expand: Expand,
    },
}

impl<'a> RecordView<'a> {
    /// Deletes `delete` characters of a text at `at`, then inserts. Positions in code points.
    pub fn splice(&self, field: &str, at: usize, delete: usize, insert: &str) -> Result<Edits, InvalidRecord> {
        self.edit_text(field, &[TextEdit::Splice { at, delete, insert: insert.to_owned() }])
    }

    /// Several edits of one text, each on what the one before left.
    pub fn edit_text(&self, field: &str, edits: &[TextEdit]) -> Result<Edits, InvalidRecord> {
        let field = self.text_field(field)?;
        let key = field.document_key.as_str();
        let mut length = self.length(key);
        let mut patch = Patch::new(*self);
        for edit in edits {
            patch.edits.objects.extend(self.plan(field, edit, &mut length)?);
        }
        if patch.edits.objects.is_empty() {
            return Ok(Edits::default());
        }
        patch.delete_if_visible(null_key(key));
        Ok(patch.finish())
    }

    fn plan(&self, field: &Field, edit: &TextEdit, length: &mut usize) -> Result<Option<ObjectEdit>, InvalidRecord> {
        let key = field.document_key.clone();
        match edit {
            TextEdit::Splice { at, delete, insert } => {
                let (at, delete, insert) = (*at, *delete, insert.clone());
                if at.checked_add(delete).is_none_or(|end| end > *length) {
                    let message = format!("it has {length} characters: {delete} cannot go at position {at}");
                    return Err(self.invalid(&field.name, &message));
                }
                *length = *length - delete + insert.chars().count();
                let is_edit = delete > 0 || !insert.is_empty();
                Ok(is_edit.then_some(ObjectEdit::Splice { key, at, delete, insert }))
            }
            TextEdit::Mark { range, mark: Mark { name, value, expand } } => {
                self.check_range(field, range, *length)?;
                let value = mark_value(name, value).map_err(|bad| self.invalid(&field.name, &bad.to_string()))?;
                let (from, to, name, expand) = (range.start, range.end, name.clone(), *expand);
                Ok(Some(ObjectEdit::Mark { key, from, to, name, value, expand }))
            }
            TextEdit::Unmark { range, name, expand } => {
                self.check_range(field, range, *length)?;
                check_name(name).map_err(|bad| self.invalid(&field.name, &bad.to_string()))?;
                let (from, to, name, expand) = (range.start, range.end, name.clone(), *expand);
                Ok(Some(ObjectEdit::Unmark { key, from, to, name, expand }))
            }
        }
    }

    fn check_range(&self, field: &Field, range: &Range<usize>, length: usize) -> Result<(), InvalidRecord> {
        self.demand_rich(field)?;
        let Range { start, end } = range;
        let message = if *end > length {
            format!("it has {length} characters: no mark can end at position {end}")
        } else if start >= end {
            format!("no character stands between the positions {start} and {end}")
        } else {
            return Ok(());
        };
        Err(self.invalid(&field.name, &message))
    }

    /// The edits that give a rich text these characters and marks; empty if it has them. Concurrent
    /// edits of other characters survive. Marks that are put or taken away expand as the rules say.
    pub fn set_spans(&self, field: &str, spans: &[Span], rules: &ExpandRules) -> Result<Edits, InvalidRecord> {
        let field = self.rich_field(field)?;
        let key = field.document_key.as_str();
        self.check_spans(field, spans)?;
        let wanted = joined(spans.iter().cloned());
        let empty = wanted.is_empty();
        let mut patch = Patch::new(*self);
        let differs = self.known_spans(field)?.is_none_or(|known| known != wanted);
        if differs && (!empty || self.has_object(key)) {
            patch.edits.objects.push(ObjectEdit::SetSpans(key.to_owned(), wanted, rules.clone()));
        }
        patch.object_is_some(field, key, empty);
        Ok(patch.finish())
    }

    fn check_spans(&self, field: &Field, spans: &[Span]) -> Result<(), InvalidRecord> {
        for (at, span) in spans.iter().enumerate() {
            for (name, value) in span.marks.iter().filter(|(_, value)| !value.is_null()) {
                let place = || format!("{}[{at}].marks.{name}", field.name);
                mark_value(name, value).map_err(|bad| self.invalid(&place(), &bad.to_string()))?;
            }
        }
        let marks = spans.iter().flat_map(|span| &span.marks);
        if marks.map(|(name, value)| mark_bytes(name, value)).sum::<usize>() > SPANS_BYTES_MAX {
            return Err(self.invalid(&field.name, &SpansTooLarge.to_string()));
        }
        let bytes: usize = spans.iter().map(|span| span.text.len()).sum();
        if bytes > RECORD_BYTES_MAX {
            let message = format!("its text has {bytes} bytes, and one save holds at most {RECORD_BYTES_MAX}");
            return Err(self.invalid(&field.name, &message));
        }
        Ok(())
    }

    /// A rich text as spans, neighbours differing in their marks; `None` for null.
    pub fn spans(&self, field: &str) -> Result<Option<Vec<Span>>, InvalidRecord> {
        let field = self.rich_field(field)?;
        let key = field.document_key.as_str();
        let spans = self.known_spans(field)?.unwrap_or_default();
        Ok((!spans.is_empty() || self.text(field, key).is_some()).then_some(spans))
    }

    fn known_spans(&self, field: &Field) -> Result<Option<Vec<Span>>, InvalidRecord> {
        let spans = self.document.map_or(Ok(None), |document| document.spans(&field.document_key));
        spans.map_err(|too_large| self.invalid(&field.name, &too_large.to_string()))
    }

    /// A cursor at a position of a text, in code points, that holds on to the character on one side.
    pub fn cursor(&self, field: &str, position: usize, side: Side) -> Result<TextCursor, InvalidRecord> {
        let field = self.text_field(field)?;
        let key = field.document_key.as_str();
        let character = match self.document {
            Some(document) => document.character_at(key, position, side),
            None if position == 0 => Ok(None),
            None => Err(0),
        };
        let character = character.map_err(|length| {
            self.invalid(&field.name, &format!("it has {length} characters: there is no position {position}"))
        })?;
        Ok(TextCursor::new(self.record, key, side, character))
    }

    /// Where a cursor of a text stands now, in code points. The outer error says that the field is no
    /// text.
    pub fn position_of(&self, field: &str, cursor: &TextCursor) -> Result<Result<usize, CursorError>, InvalidRecord> {
        let field = self.text_field(field)?;
        let key = field.document_key.as_str();
        if !cursor.is_of(self.record, key) {
            return Ok(Err(CursorError::OtherText(format!("`{}` of this {}", field.name, self.model.name))));
        }
        let position = match self.document {
            Some(document) => document.position_of(key, cursor.character(), cursor.side()),
            None => cursor.character().is_none().then_some(0),
        };
        Ok(position.ok_or(CursorError::NotHere))
    }

    fn length(&self, key: &str) -> usize {
        self.document.and_then(|document| document.text_len(key)).unwrap_or(0)
    }

    fn text_field(&self, name: &str) -> Result<&'a Field, InvalidRecord> {
        let field = self.model.field(name).filter(|field| matches!(field.kind, FieldKind::Text { .. }));
        field.ok_or_else(|| self.wrong_kind(name, "a text (`String @text`)"))
    }

    fn rich_field(&self, name: &str) -> Result<&'a Field, InvalidRecord> {
        let field = self.text_field(name)?;
        self.demand_rich(field).map(|()| field)
    }

    fn demand_rich(&self, field: &Field) -> Result<(), InvalidRecord> {
        if field.kind == (FieldKind::Text { rich: true }) {
            return Ok(());
        }
        Err(self.wrong_kind(&field.name, "a rich text (`String @text(rich: true)`), which alone has marks"))
    }
}
