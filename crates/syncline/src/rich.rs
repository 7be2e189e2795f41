//! Rich texts and positions in texts: marks, spans and cursors, on the store.

use std::ops::Range;

use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::text_cursor::Side;

use crate::error::Result;
use crate::store::{Record, Saved, Store};
use crate::transaction::Transaction;
use crate::typed::{Model, RecordKey, TextField};
use crate::typed_store::typed;

impl Store {
    /// Puts a mark on characters of a rich text (`String @text(rich: true)`). Positions in code points.
    ///
    /// Where replicas mark the same characters at the same time, marks of different names stand together; of
    /// one name, one value wins, the same on every replica.
    pub async fn mark_json(
        &self,
        model: &str,
        id: &str,
        field: &str,
        range: Range<usize>,
        mark: Mark,
    ) -> Result<Saved<Record>> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.write(move |tx| tx.mark(&model, &id, &field, range, mark)).await
    }

    /// Takes the marks of a name from characters of a rich text. Positions in code points. `expand` says
    /// whether text typed at the ends belongs to what has no such mark: [`Expand::After`] where the mark
    /// itself goes on behind its end.
    pub async fn unmark_json(
        &self,
        model: &str,
        id: &str,
        field: &str,
        range: Range<usize>,
        name: &str,
        expand: Expand,
    ) -> Result<Saved<Record>> {
        let (model, id, field, name) = (model.to_owned(), id.to_owned(), field.to_owned(), name.to_owned());
        self.write(move |tx| tx.unmark(&model, &id, &field, range, &name, expand)).await
    }

    /// A rich text as spans, neighbours differing in their marks; `None` if it is null.
    pub async fn spans_json(&self, model: &str, id: &str, field: &str) -> Result<Option<Vec<Span>>> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.inner.driver.look(move |tx| tx.spans(&model, &id, &field)).await
    }

    /// How the marks of a rich text expand, which its spans do not say: those of a name as the newest that was put under
    /// it. Reads the record's past.
    pub async fn expand_rules_json(&self, model: &str, id: &str, field: &str) -> Result<ExpandRules> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.inner.driver.look(move |tx| tx.expand_rules(&model, &id, &field)).await
    }

    /// Gives a rich text these characters and marks, with few edits, so that concurrent edits elsewhere in it
    /// survive. Makes no change if it has them. A span does not say how its marks expand: the rules do, for
    /// the marks that are put or taken away.
    pub async fn set_spans_json(
        &self,
        model: &str,
        id: &str,
        field: &str,
        spans: Vec<Span>,
        rules: ExpandRules,
    ) -> Result<Saved<Record>> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.write(move |tx| tx.set_spans(&model, &id, &field, &spans, &rules)).await
    }

    /// A cursor at a position of a text, in code points: a short string that every replica resolves with
    /// [`Store::position_of_json`], after whatever edits.
    ///
    /// It holds on to the character on one side of the position. Text typed right at it comes behind it with
    /// [`Side::Before`] and before it with [`Side::After`]. Where the character is deleted, it stands where
    /// that was. At the beginning of a text with [`Side::Before`] it stays at the beginning, at the end with
    /// [`Side::After`] at the end.
    pub async fn cursor_json(&self, model: &str, id: &str, field: &str, position: usize, side: Side) -> Result<String> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.inner.driver.look(move |tx| Ok(tx.cursor(&model, &id, &field, position, side)?.to_string())).await
    }

    /// Where a cursor stands now, in code points. Refuses cursors of other texts, and those of characters that
    /// have not arrived here yet.
    pub async fn position_of_json(&self, model: &str, id: &str, field: &str, cursor: &str) -> Result<usize> {
        let (model, id, field, cursor) = (model.to_owned(), id.to_owned(), field.to_owned(), cursor.to_owned());
        self.inner.driver.look(move |tx| tx.position_of(&model, &id, &field, &cursor)).await
    }

    /// As [`Store::mark_json`].
    pub async fn mark<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        range: Range<usize>,
        mark: Mark,
    ) -> Result<Saved<M>> {
        typed(self.mark_json(M::NAME, id.as_key(), field.name(), range, mark).await?)
    }

    /// As [`Store::unmark_json`].
    pub async fn unmark<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        range: Range<usize>,
        name: &str,
        expand: Expand,
    ) -> Result<Saved<M>> {
        typed(self.unmark_json(M::NAME, id.as_key(), field.name(), range, name, expand).await?)
    }

    /// As [`Store::spans_json`].
    pub async fn spans<M: Model>(&self, id: impl RecordKey<M>, field: TextField<M>) -> Result<Option<Vec<Span>>> {
        self.spans_json(M::NAME, id.as_key(), field.name()).await
    }

    /// As [`Store::set_spans_json`].
    pub async fn set_spans<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        spans: Vec<Span>,
        rules: ExpandRules,
    ) -> Result<Saved<M>> {
        typed(self.set_spans_json(M::NAME, id.as_key(), field.name(), spans, rules).await?)
    }

    /// As [`Store::cursor_json`].
    pub async fn cursor<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        position: usize,
        side: Side,
    ) -> Result<String> {
        self.cursor_json(M::NAME, id.as_key(), field.name(), position, side).await
    }

    /// As [`Store::position_of_json`].
    pub async fn position_of<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        cursor: &str,
    ) -> Result<usize> {
        self.position_of_json(M::NAME, id.as_key(), field.name(), cursor).await
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::cursor_json`].
    pub fn cursor<M: Model>(
        &mut self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        position: usize,
        side: Side,
    ) -> Result<String> {
        self.cursor_json(M::NAME, id.as_key(), field.name(), position, side)
    }

    /// As [`Store::position_of_json`].
    pub fn position_of<M: Model>(&mut self, id: impl RecordKey<M>, field: TextField<M>, cursor: &str) -> Result<usize> {
        self.position_of_json(M::NAME, id.as_key(), field.name(), cursor)
    }
}
