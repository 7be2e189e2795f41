//! Imports: records that bring their times and marks along, and how far a file has been taken in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::record::{NewRecord, RecordKey};
use syncline_core::rich::{ExpandRules, Span};

use crate::commit::Origin;
use crate::draft::Draft;
use crate::error::{Result, StoreError};
use crate::local::Source;
use crate::reading::key_text;
use crate::storage::meta;
use crate::tx::Tx;

/// A rich text that comes with a record, whose JSON shows its characters only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RichText {
    /// Its characters and marks.
    pub spans: Vec<Span>,
    /// How the marks expand.
    pub expand: ExpandRules,
}

/// An imported record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id, or a JSON object of its key fields.
    pub id: String,
    /// What became of it.
    pub effect: ImportEffect,
}

/// What an import does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportEffect {
    /// It was not here, or deleted.
    Created,
    /// It was here, and some of it changed.
    Updated,
    /// It was here as it came.
    Unchanged,
}

impl<'a> Tx<'a> {
    /// Saves a record as [`Source::Import`], and gives its rich texts what stands here, by field.
    ///
    /// What the marks of a new record cost is a change of its own with the time of the first, so that its
    /// `updatedAt` stays what it was.
    pub fn import(
        &mut self,
        model: &str,
        record: &Map<String, Value>,
        texts: &BTreeMap<String, RichText>,
    ) -> Result<Imported> {
        let (before, now_ms) = (self.head.0, self.now_ms);
        let time = if texts.is_empty() { now_ms } else { self.time_of_marks(model, record)? };
        let saved = self.save(model, record, Source::Import)?;
        let id = key_text(self.model(model)?, &saved.record);
        self.now_ms = time;
        let marked = texts
            .iter()
            .try_for_each(|(field, text)| self.set_spans(model, &id, field, &text.spans, &text.expand).map(|_| ()));
        self.now_ms = now_ms;
        marked?;
        let effect = match saved.existed {
            false => ImportEffect::Created,
            true if self.head.0 > before => ImportEffect::Updated,
            true => ImportEffect::Unchanged,
        };
        Ok(Imported { id, effect })
    }

    /// As [`Tx::import`], of a record that was drafted in this transaction.
    pub fn import_draft(&mut self, draft: Draft<'a>) -> Result<Imported> {
        let (model, id) = (draft.model(), draft.id_text());
        match self.create_if_new(draft)? {
            None => Ok(Imported { id, effect: ImportEffect::Created }),
            Some(given) => self.import(&model.name, &given, &BTreeMap::new()),
        }
    }

    /// As [`Tx::import`], unless the record is here, and its last change (a delete is one) is not earlier than the
    /// `updatedAt` of the one that comes: then [`StoreError::NotNewer`]. One that says no time yields to what is here.
    /// The change gets that time.
    pub fn import_newer(
        &mut self,
        model: &str,
        record: &Map<String, Value>,
        texts: &BTreeMap<String, RichText>,
    ) -> Result<Imported> {
        let (schema, of) = (self.schema()?, self.model(model)?);
        let Some(key) = RecordKey::in_record(schema, of, record)? else { return self.import(model, record, texts) };
        let Some(id) = self.find(of, &key)? else { return self.import(model, record, texts) };
        let working = self.take(id, of.first_name(), Origin::Local)?;
        let last = working.state.times.map(|(_, last)| last);
        self.give_back(working);
        let Some(last) = last else { return self.import(model, record, texts) };
        let comes = NewRecord::check(schema, of, record)?.updated_at_ms.filter(|comes| *comes > last);
        let Some(comes) = comes else {
            return Err(StoreError::NotNewer { model: of.name.clone(), id: key.text(of) });
        };
        // The change is as late as the record that comes, so that a later one may come after it.
        let now_ms = std::mem::replace(&mut self.now_ms, comes);
        let imported = self.import(model, record, texts);
        self.now_ms = now_ms;
        imported
    }

    /// When the marks of an imported record were made: with the record if it is new, else now.
    fn time_of_marks(&mut self, model: &str, record: &Map<String, Value>) -> Result<i64> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        if let Some(key) = RecordKey::in_record(schema, model, record)?
            && self.find(model, &key)?.is_some()
        {
            return Ok(self.now_ms);
        }
        Ok(NewRecord::check(schema, model, record)?.updated_at_ms.unwrap_or(self.now_ms))
    }

    /// The text that was kept under this name by [`Tx::put_bookmark`].
    pub fn bookmark(&self, name: &str) -> Result<Option<String>> {
        meta::read(self.db, &bookmark_key(name))
    }

    /// Keeps a text under a name, or none any more, in the same transaction as everything else that is written
    /// here: how far an import has come is exactly as true as what it saved. It stays in this file and is never
    /// sent.
    pub fn put_bookmark(&mut self, name: &str, text: Option<&str>) -> Result<()> {
        match text {
            Some(text) => meta::write(self.db, &bookmark_key(name), &text),
            None => meta::remove(self.db, &bookmark_key(name)),
        }
    }
}

fn bookmark_key(name: &str) -> String {
    format!("bookmark:{name}")
}
