//! Writes under a condition: on the record as it stands when the write is done, not as the app saw it last.

use serde_json::{Map, Value};
use syncline_core::record::{FieldError, InvalidRecord, RecordKey};
use syncline_schema::Model;

use crate::error::{Result, StoreError};
use crate::local::{Saved, Source, parse_key};
use crate::query::{Condition, holds_of};
use crate::storage::records;
use crate::tx::Tx;

impl Tx<'_> {
    /// Goes on only if the record matches, this transaction's writes included; else
    /// [`StoreError::ConditionNotMet`]. No condition holds of a record that is not here or deleted.
    pub fn require(&mut self, model: &str, id: &str, condition: &Condition) -> Result<()> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let key = parse_key(schema, model, id)?;
        self.require_of(model, &key, id, condition)
    }

    /// As [`Tx::save`], if the stored record with the same key matches: so nothing is created, and no deleted record
    /// comes back.
    pub fn save_if(&mut self, model: &str, record: &Map<String, Value>, condition: &Condition) -> Result<Saved> {
        let (schema, found) = (self.schema()?, self.model(model)?);
        let Some(key) = RecordKey::in_record(schema, found, record)? else {
            let message = "it must be given: a condition is asked of a record that is there already".to_owned();
            let fault = FieldError { field: "id".to_owned(), message };
            return Err(InvalidRecord { model: found.name.clone(), fields: vec![fault] }.into());
        };
        let id = key.text(found);
        self.require_of(found, &key, &id, condition)?;
        self.save(model, record, Source::App)
    }

    /// As [`Tx::update`], if the record matches before.
    pub fn update_if(
        &mut self,
        model: &str,
        id: &str,
        patch: &Map<String, Value>,
        condition: &Condition,
    ) -> Result<Saved> {
        self.require(model, id, condition)?;
        self.update(model, id, patch)
    }

    /// As [`Tx::delete`], if the record matches before.
    pub fn delete_if(&mut self, model: &str, id: &str, condition: &Condition) -> Result<Saved> {
        self.require(model, id, condition)?;
        self.delete(model, id)
    }

    fn require_of(&mut self, model: &Model, key: &RecordKey, id: &str, condition: &Condition) -> Result<()> {
        let schema = self.schema()?;
        // Nothing of the record may be in work yet: what is written here cannot be taken back by itself.
        self.flush()?;
        let row = match self.find(model, key)? {
            Some(record) => records::find(self.db, record)?.map(|row| row.record),
            None => None,
        };
        // A condition that cannot be asked is told even where there is nobody to ask.
        let holds = holds_of(self.db, schema, &model.name, condition, row.unwrap_or_default())?;
        if holds == Some(true) {
            return Ok(());
        }
        Err(StoreError::ConditionNotMet {
            model: model.name.clone(),
            id: id.to_owned(),
            condition: condition.to_string(),
            exists: holds.is_some(),
        })
    }
}
