//! Several writes as one.

use std::ops::Range;

use serde_json::Value;
use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::text_cursor::Side;
use syncline_engine::query::{Aggregation, Page, Query};
use syncline_engine::{Source, Tx};

use crate::error::Result;
use crate::store::{Record, Saved, with_token};

/// The inside of [`Store::transaction`](crate::Store::transaction). Reads see what was written before.
pub struct Transaction<'t, 's> {
    pub(crate) tx: &'t mut Tx<'s>,
    pub(crate) namespace: &'t str,
}

impl<'t, 's> Transaction<'t, 's> {
    pub(crate) fn new(tx: &'t mut Tx<'s>, namespace: &'t str) -> Self {
        Self { tx, namespace }
    }

    /// As [`Store::save_json`](crate::Store::save_json).
    pub fn save_json(&mut self, model: &str, record: &Record) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.save(model, record, Source::App)?))
    }

    /// As [`Store::update_json`](crate::Store::update_json).
    pub fn update_json(&mut self, model: &str, id: &str, patch: &Record) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.update(model, id, patch)?))
    }

    /// As [`Store::delete_json`](crate::Store::delete_json).
    pub fn delete_json(&mut self, model: &str, id: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.delete(model, id)?))
    }

    /// As [`Store::undelete_json`](crate::Store::undelete_json).
    pub fn undelete_json(&mut self, model: &str, id: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.undelete(model, id)?))
    }

    /// As [`Store::splice`](crate::Store::splice).
    pub fn splice(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.splice(model, id, field, at, delete, insert)?))
    }

    /// As [`Store::mark_json`](crate::Store::mark_json).
    pub fn mark_json(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        range: Range<usize>,
        mark: Mark,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.mark(model, id, field, range, mark)?))
    }

    /// As [`Store::unmark_json`](crate::Store::unmark_json).
    pub fn unmark_json(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        range: Range<usize>,
        name: &str,
        expand: Expand,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.unmark(model, id, field, range, name, expand)?))
    }

    /// As [`Store::set_spans_json`](crate::Store::set_spans_json).
    pub fn set_spans_json(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        spans: &[Span],
        rules: &ExpandRules,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.set_spans(model, id, field, spans, rules)?))
    }

    /// As [`Store::spans_json`](crate::Store::spans_json).
    pub fn spans_json(&mut self, model: &str, id: &str, field: &str) -> Result<Option<Vec<Span>>> {
        Ok(self.tx.spans(model, id, field)?)
    }

    /// As [`Store::cursor_json`](crate::Store::cursor_json).
    pub fn cursor_json(&mut self, model: &str, id: &str, field: &str, position: usize, side: Side) -> Result<String> {
        Ok(self.tx.cursor(model, id, field, position, side)?.to_string())
    }

    /// As [`Store::position_of_json`](crate::Store::position_of_json).
    pub fn position_of_json(&mut self, model: &str, id: &str, field: &str, cursor: &str) -> Result<usize> {
        Ok(self.tx.position_of(model, id, field, cursor)?)
    }

    /// As [`Store::increment_json`](crate::Store::increment_json).
    pub fn increment_json(&mut self, model: &str, id: &str, field: &str, by: i64) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.increment(model, id, field, by)?))
    }

    /// As [`Store::add_json`](crate::Store::add_json).
    pub fn add_json(&mut self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.add(model, id, field, element)?))
    }

    /// As [`Store::remove_json`](crate::Store::remove_json).
    pub fn remove_json(&mut self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.remove(model, id, field, element)?))
    }

    /// The record of that id; `None` if there is none or it is deleted.
    pub fn get_json(&mut self, model: &str, id: &str) -> Result<Option<Record>> {
        Ok(self.tx.get(model, id)?)
    }

    /// The records that the query finds.
    pub fn query_json(&mut self, query: &Query) -> Result<Page> {
        Ok(self.tx.query(query)?)
    }

    /// As [`Store::aggregate_json`](crate::Store::aggregate_json).
    pub fn aggregate_json(&mut self, aggregation: &Aggregation) -> Result<Vec<Record>> {
        Ok(self.tx.aggregate(aggregation)?)
    }
}

impl std::fmt::Debug for Transaction<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transaction")
    }
}
