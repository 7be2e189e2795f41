//! Rich texts and positions in texts: marks, spans, cursors.

use std::ops::Range;

use syncline_core::record::{RecordView, TextEdit};
use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::text_cursor::{CursorError, Side, TextCursor};

use crate::error::Result;
use crate::local::{Saved, check_alive};
use crate::tx::Tx;

impl Tx<'_> {
    /// Puts a mark on characters of a rich text. Positions in code points.
    pub fn mark(&mut self, model: &str, id: &str, field: &str, range: Range<usize>, mark: Mark) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.edit_text(field, &[TextEdit::Mark { range, mark }])?))
    }

    /// Takes the marks of a name from characters of a rich text. Positions in code points.
    pub fn unmark(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        range: Range<usize>,
        name: &str,
        expand: Expand,
    ) -> Result<Saved> {
        let unmark = TextEdit::Unmark { range, name: name.to_owned(), expand };
        self.edit(model, id, |view| Ok(view.edit_text(field, &[unmark])?))
    }

    /// Gives a rich text these characters and marks with few edits, so that concurrent edits elsewhere in it
    /// survive; makes no change if it has them.
    pub fn set_spans(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        spans: &[Span],
        rules: &ExpandRules,
    ) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.set_spans(field, spans, rules)?))
    }

    /// A rich text as spans, neighbours differing in their marks; `None` if it is null.
    pub fn spans(&mut self, model: &str, id: &str, field: &str) -> Result<Option<Vec<Span>>> {
        self.look_at(model, id, |view| Ok(view.spans(field)?))
    }

    /// How the marks of a rich text expand, which its spans do not say; reads all changes of the record.
    pub fn expand_rules(&mut self, model: &str, id: &str, field: &str) -> Result<ExpandRules> {
        // Refuses what has no spans.
        self.spans(model, id, field)?;
        let (schema, model) = (self.schema()?, self.model(model)?);
        let working = self.existing(schema, model, id)?;
        let key = model.field(field).map_or(field, |field| field.document_key.as_str());
        let rules = match working.state.object(key) {
            Some((text, _)) => self.past_of(&working).map(|past| ExpandRules::of_text(&past.changes, text)),
            None => Ok(ExpandRules::default()),
        };
        self.give_back(working);
        rules
    }

    /// A cursor at a position of a text, in code points, that holds on to the character on one side.
    pub fn cursor(&mut self, model: &str, id: &str, field: &str, position: usize, side: Side) -> Result<TextCursor> {
        self.look_at(model, id, |view| Ok(view.cursor(field, position, side)?))
    }

    /// Where a cursor stands now, in code points.
    pub fn position_of(&mut self, model: &str, id: &str, field: &str, cursor: &str) -> Result<usize> {
        let cursor: Result<TextCursor, CursorError> = cursor.parse();
        self.look_at(model, id, |view| Ok(view.position_of(field, &cursor?)??))
    }

    /// Reads from a living record, its document included.
    fn look_at<T>(&mut self, model: &str, id: &str, read: impl FnOnce(&RecordView<'_>) -> Result<T>) -> Result<T> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut working = self.existing(schema, model, id)?;
        let alive = check_alive(model, id, &working);
        let value = alive.and_then(|()| self.view(model, &mut working)).and_then(|view| read(&view));
        self.give_back(working);
        value
    }
}
