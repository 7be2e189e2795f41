//! Whether a record would be accepted, without saving it.

use syncline_core::record::NewRecord;
use syncline_engine::StoreError;
use syncline_schema::did_you_mean;

use crate::error::Result;
use crate::store::{Record, Store};

impl Store {
    /// Whether `record` is a whole record of the model: known fields, required ones present, types, formats,
    /// key. The error is the one that [`Store::save_json`] would give for a new record; nothing is read or
    /// written.
    pub fn check_json(&self, model: &str, record: &Record) -> Result<()> {
        let schema = self.schema().ok_or(StoreError::NoSchema)?;
        let found = schema.model(model).ok_or_else(|| StoreError::NoModel {
            name: model.to_owned(),
            suggestion: did_you_mean(model, schema.models.iter().map(|model| model.name.as_str())),
        })?;
        NewRecord::check(schema, found, record).map_err(StoreError::from)?;
        Ok(())
    }
}
