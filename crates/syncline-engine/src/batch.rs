//! Saves of many records as one, and saves that find their record by other fields than its key.

use serde_json::{Map, Value};
use syncline_core::filter::{Filter, value_at};
use syncline_core::record::{FieldError, InvalidRecord, RecordKey};
use syncline_schema::Model;

use crate::error::{BadRecord, Result, StoreError};
use crate::local::{Saved, Source};
use crate::query::Query;
use crate::reading::key_text;
use crate::tx::Tx;

/// Records that an error names when fields are equal in several.
const NAMED_MAX: usize = 5;

/// What became of the records of a batch, which is saved whole or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    saved: Vec<Saved>,
    bad: Vec<BadRecord>,
}

impl Batch {
    /// The next record: saved, or one that does not fit its model.
    ///
    /// # Errors
    ///
    /// Any other, which ends the batch.
    pub fn add(&mut self, outcome: Result<Saved>) -> Result<()> {
        match outcome {
            Ok(one) => self.saved.push(one),
            Err(StoreError::Invalid(fault)) => {
                self.bad.push(BadRecord { index: self.saved.len() + self.bad.len(), fault });
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    /// Whether all of it fits so far, and so many changes may be one transaction.
    pub fn may_be_saved(&self) -> bool {
        self.bad.is_empty() && self.saved.len() <= crate::MAX_TRANSACTION_CHANGES
    }

    /// All of them, or every bad field of every record.
    pub fn end(self) -> Result<Vec<Saved>> {
        if self.bad.is_empty() { Ok(self.saved) } else { Err(StoreError::InvalidBatch(self.bad)) }
    }
}

impl Tx<'_> {
    /// Saves all records, each as [`Tx::save`] does, as one transaction, or none. Of two with the same key the second
    /// updates the first.
    ///
    /// If any does not fit the model, [`StoreError::InvalidBatch`] tells every bad field of every record.
    pub fn save_all(&mut self, model: &str, records: &[Map<String, Value>]) -> Result<Vec<Saved>> {
        self.together(|tx| {
            let mut batch = Batch::default();
            records.iter().try_for_each(|record| batch.add(tx.save(model, record, Source::App)))?;
            batch.end()
        })
    }

    /// Saves over the one record that is equal in these fields, or creates one if none is. The record must have a value
    /// in each of them; its key is needed only to create it. Without any this is [`Tx::save`].
    ///
    /// Several records that are equal there, or another than the one whose key is given, are
    /// [`StoreError::Ambiguous`]. Replicas that do not know of each other's records may each create one: where that must
    /// not be, make the fields the model's key.
    pub fn upsert(&mut self, model: &str, record: &Map<String, Value>, by: &[String]) -> Result<Saved> {
        let (schema, found) = (self.schema()?, self.model(model)?);
        if by.is_empty() {
            return self.save(model, record, Source::App);
        }
        let filter = equal_in(found, record, by)?;
        let limit = Some(NAMED_MAX as u64);
        let query = Query { condition: filter.clone().into(), limit, ..Query::new(model) };
        let page = self.query(&query)?;
        let names_key = found.key_fields().iter().any(|field| record.contains_key(*field));
        let mut given = if names_key { RecordKey::in_record(schema, found, record)? } else { None };
        match page.records.as_slice() {
            [] => return self.save(model, record, Source::App),
            [one] if given.is_none() || given == RecordKey::in_record(schema, found, one)? => {
                let mut merged = record.clone();
                merged.extend(key_fields(found, one));
                return self.save(model, &merged, Source::App);
            }
            [_] => {}
            _ => given = None,
        }
        Err(StoreError::Ambiguous {
            model: found.name.clone(),
            condition: filter.to_json().to_string(),
            ids: page.records.iter().map(|record| key_text(found, record)).collect(),
            more: page.next.is_some(),
            given: given.map(|key| key.text(found)),
        })
    }
}

fn key_fields(model: &Model, record: &Map<String, Value>) -> Map<String, Value> {
    let held = |name: &str| Some((name.to_owned(), record.get(name)?.clone()));
    model.key_fields().into_iter().filter_map(held).collect()
}

/// What a record must hold to be meant by this one.
fn equal_in(model: &Model, record: &Map<String, Value>, by: &[String]) -> Result<Filter> {
    let missing = by.iter().filter(|field| value_at(record, field).is_null()).map(|field| FieldError {
        field: field.clone(),
        message: "it tells which record is meant, and must have a value".to_owned(),
    });
    let fields: Vec<FieldError> = missing.collect();
    if !fields.is_empty() {
        return Err(InvalidRecord { model: model.name.clone(), fields }.into());
    }
    let each = by.iter().map(|field| Filter::eq(field, value_at(record, field).clone()));
    Ok(each.fold(Filter::All, |all, one| all & one))
}
