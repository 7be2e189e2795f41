//! Which record a key names: records of one model alone, whatever else has the same id.

use rusqlite::Connection;
use syncline_core::ids::RecordId;
use syncline_core::record::RecordKey;
use syncline_schema::Model;

use crate::commit::Origin;
use crate::error::{Doing, Result, StoreError};
use crate::projection::quoted;
use crate::storage::records;
use crate::tx::{Tx, Working};

/// The row in the file of the record that a key names in a model: a living one before those that are deleted or that
/// nobody may show.
pub(crate) fn row(db: &Connection, model: &Model, key: &RecordKey) -> Result<Option<records::Row>> {
    let mut dead = None;
    for id in key.candidates(model) {
        let Some((number, name)) = records::number_of(db, id)? else { continue };
        if !model.names().any(|of| of == name) {
            continue;
        }
        if lives(db, model, number)? {
            return records::find(db, id);
        }
        dead.get_or_insert(id);
    }
    dead.map_or(Ok(None), |id| records::find(db, id))
}

/// Number of the row of the living record that a key names in a model.
pub(crate) fn living(db: &Connection, model: &Model, key: &RecordKey) -> Result<Option<i64>> {
    for id in key.candidates(model) {
        if let Some((number, name)) = records::number_of(db, id)?
            && model.names().any(|of| of == name)
            && lives(db, model, number)?
        {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Whether a record of the model stands in its table.
fn lives(db: &Connection, model: &Model, number: i64) -> Result<bool> {
    let sql = format!("SELECT EXISTS(SELECT 1 FROM {} WHERE syncline_record = ?1)", quoted(&model.name));
    db.prepare_cached(&sql).and_then(|mut s| s.query_row([number], |row| row.get(0))).doing("finding a record")
}

impl Tx<'_> {
    /// The record that a key names in a model, if it is in the file or in work: a living one before others, as
    /// [`row`].
    pub(crate) fn find(&mut self, model: &Model, key: &RecordKey) -> Result<Option<RecordId>> {
        let mut dead = None;
        for id in key.candidates(model) {
            let lives = match self.in_work(id) {
                Some((number, lives)) => self.is_of(number, model).then_some(lives),
                None => match records::number_of(self.db, id)? {
                    Some((number, name)) if model.names().any(|of| of == name) => Some(lives(self.db, model, number)?),
                    Some(_) | None => None,
                },
            };
            match lives {
                Some(true) => return Ok(Some(id)),
                Some(false) => dead = dead.or(Some(id)),
                None => {}
            }
        }
        Ok(dead)
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
