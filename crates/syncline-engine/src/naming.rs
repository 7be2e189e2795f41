//! Which record a key names: records of one model alone, whatever else has the same id.

use rusqlite::Connection;
use syncline_core::ids::RecordId;
use syncline_core::record::RecordKey;
use syncline_schema::Model;

use crate::commit::Origin;
use crate::error::{Result, StoreError};
use crate::storage::{names, records};
use crate::tx::{Tx, Working};

/// The row in the file of the record that a key names in a model.
pub(crate) fn row(db: &Connection, model: &Model, key: &RecordKey) -> Result<Option<records::Row>> {
    for id in key.candidates(model) {
        if let Some(row) = records::find(db, id)?
            && names::model_name(db, row.model)?.is_some_and(|name| model.names().any(|of| of == name))
        {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// As [`row`], its number alone.
pub(crate) fn number(db: &Connection, model: &Model, key: &RecordKey) -> Result<Option<i64>> {
    for id in key.candidates(model) {
        if let Some((number, name)) = records::number_of(db, id)?
            && model.names().any(|of| of == name)
        {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

impl Tx<'_> {
    /// The record that a key names in a model, if it is in the file or in work.
    pub(crate) fn find(&mut self, model: &Model, key: &RecordKey) -> Result<Option<RecordId>> {
        for id in key.candidates(model) {
            let number = match self.model_in_work(id) {
                Some(number) => Some(number),
                None => records::model_of(self.db, id)?,
            };
            if number.is_some_and(|number| self.is_of(number, model)) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn is_of(&self, number: i64, model: &Model) -> bool {
        self.names.model_name(number).is_some_and(|name| model.names().any(|of| of == name))
    }

    /// Takes a record to create it, which is none of another model.
    pub(crate) fn take_new(&mut self, id: RecordId, model: &Model) -> Result<Box<Working>> {
        let mut working = self.take(id, model.first_name(), Origin::Local)?;
        if self.is_of(working.model, model) {
            return Ok(working);
        }
        if self.is_bare(&working)? {
            // Only refused changes stand there, and they do not decide what the record is.
            working.model = self.names.model(self.db, model.first_name())?;
            working.touch();
            return Ok(working);
        }
        let other = self.names.model_name(working.model).unwrap_or_default().to_owned();
        self.give_back(working);
        Err(StoreError::IdOfOtherModel { model: model.name.clone(), id: uuid::Uuid::from_bytes(id.0), other })
    }
}
