//! Looking at records without writing: one state of the file, read through any connection to it.

use rusqlite::Connection;
use serde_json::{Map, Value};
use syncline_core::record::RecordView;
use syncline_core::state::{ActorTable, RecordState};
use syncline_schema::{Model, Schema};

use crate::error::{Doing, Result, StoreError};
use crate::history;
use crate::local::parse_key;
use crate::naming;
use crate::reader::Reader;
use crate::storage::names::{self, StoredActors};
use crate::storage::records;
use crate::store::Store;

/// A connection, and what its tables mean.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) schema: &'a Schema,
}

/// A record with all that its row says.
pub(crate) struct Found<'a> {
    pub(crate) model: &'a Model,
    pub(crate) row: records::Row,
    pub(crate) state: RecordState,
}

impl Reader {
    /// Runs `look` on one state of the file.
    pub(crate) fn reading<T>(&self, look: impl FnOnce(Reading<'_>) -> Result<T>) -> Result<T> {
        on_one_state(self.db(), || look(Reading { db: self.db(), schema: self.schema() }))
    }
}

impl Store {
    /// Runs `look` on one state of the file.
    pub(crate) fn reading<T>(&self, look: impl FnOnce(Reading<'_>) -> Result<T>) -> Result<T> {
        let schema = self.schema.as_deref().ok_or(StoreError::NoSchema)?;
        on_one_state(&self.db, || look(Reading { db: &self.db, schema }))
    }
}

fn on_one_state<T>(db: &Connection, look: impl FnOnce() -> Result<T>) -> Result<T> {
    if !db.is_autocommit() {
        return look();
    }
    db.execute_batch("BEGIN").doing("reading the store")?;
    let outcome = look();
    db.execute_batch("ROLLBACK").doing("reading the store")?;
    outcome
}

impl<'a> Reading<'a> {
    /// The model of that name.
    pub(crate) fn model(&self, name: &str) -> Result<&'a Model> {
        self.schema.model(name).ok_or_else(|| crate::no_model(self.schema, name))
    }

    /// The record of that id, deleted or not.
    pub(crate) fn find(&self, model: &str, id: &str) -> Result<Found<'a>> {
        let model = self.model(model)?;
        match naming::row(self.db, model, &parse_key(self.schema, model, id)?)? {
            Some(row) => self.found(model, row, &StoredActors(self.db)),
            None => Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: false }),
        }
    }

    /// The record of that row, if the schema has its model.
    pub(crate) fn at(&self, record: i64) -> Result<Option<Found<'a>>> {
        let Some(row) = records::at(self.db, record)? else { return Ok(None) };
        let Some(name) = names::model_name(self.db, row.model)? else { return Ok(None) };
        self.schema.model_known_as(&name).map(|model| self.found(model, row, &StoredActors(self.db))).transpose()
    }

    /// As [`at`](Self::at), for lists of many records: a damaged one, of which nobody can tell what it holds, is left
    /// out; `verify` names it.
    pub(crate) fn readable_at(&self, record: i64) -> Result<Option<Found<'a>>> {
        match self.at(record) {
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, record, "a damaged record is left out of a list");
                Ok(None)
            }
            other => other,
        }
    }

    /// A row with its state.
    pub(crate) fn found(&self, model: &'a Model, row: records::Row, actors: &dyn ActorTable) -> Result<Found<'a>> {
        let state = match &row.state {
            // A damaged one is as good as none: the log is the truth.
            Some(bytes) => match RecordState::decode(bytes, actors) {
                Ok(state) => state,
                Err(_) => history::fold(self.db, row.last)?,
            },
            None => RecordState::default(),
        };
        Ok(Found { model, row, state })
    }
}

impl<'a> Found<'a> {
    /// How the record reads, its texts and lists left out.
    pub(crate) fn view<'v>(&'v self, schema: &'v Schema) -> RecordView<'v>
    where
        'a: 'v,
    {
        RecordView { schema, model: self.model, record: self.row.id, state: &self.state, document: None }
    }

    /// The record's id as calls take it: the id, or a JSON object of its key fields.
    pub(crate) fn id(&self, schema: &Schema) -> String {
        key_text(self.model, &self.view(schema).project_deleted())
    }
}

/// The id of a record in JSON, as calls take it: what `RecordKey::text` says of its key.
pub(crate) fn key_text(model: &Model, record: &Map<String, Value>) -> String {
    match model.key_fields().as_slice() {
        ["id"] => record["id"].as_str().unwrap_or_default().to_owned(),
        keys => {
            let fields = keys.iter().map(|key| ((*key).to_owned(), record[*key].clone()));
            Value::Object(fields.collect()).to_string()
        }
    }
}
