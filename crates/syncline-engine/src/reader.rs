//! Queries on a connection of their own, beside the thread that writes.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde_json::{Map, Value};
use syncline_core::filter::Include;
use syncline_core::ids::RecordId;
use syncline_schema::Schema;

use crate::error::{Doing, Result, StoreError};
use crate::local::parse_key;
use crate::naming;
use crate::query::{Aggregation, Page, Query};
use crate::reading::Reading;
use crate::related;
use crate::store::Store;

/// A read-only connection to a store. Each call sees one state of the file, and holds it no longer than the
/// call takes: long readers would keep the write-ahead log from being checkpointed.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    schema: Arc<Schema>,
}

impl Store {
    /// A reader of this store; it may be used on another thread.
    pub fn reader(&self) -> Result<Reader> {
        let schema = self.schema().cloned().ok_or(StoreError::NoSchema)?;
        let db = self.host.connect(false).doing("opening a reader")?;
        db.busy_timeout(BUSY).doing("opening a reader")?;
        db.set_prepared_statement_cache_capacity(128);
        crate::query::register_functions(&db).doing("opening a reader")?;
        // Else SQLite may compile a cached statement anew whenever a parameter gets another value.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing("opening a reader")?;
        // Else a column that another process has renamed would be read as a string of its name.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).doing("opening a reader")?;
        Ok(Reader { db, schema })
    }
}

/// Steps of SQLite's between two questions whether to go on: some ten microseconds.
const STEPS: i32 = 500;

/// How long a read waits for a file that another connection holds for itself, as it does for moments only.
const BUSY: Duration = Duration::from_secs(10);

impl Reader {
    /// Runs `act` as long as `go_on` says so, and without waiting for anybody. `None` if it was stopped: nothing came
    /// of it, and it can be run again.
    pub fn briefly<T>(
        &mut self,
        go_on: impl Fn() -> bool + Send + 'static,
        act: impl FnOnce(&Self) -> Result<T>,
    ) -> Option<Result<T>> {
        let hurry =
            self.db.busy_timeout(Duration::ZERO).and_then(|()| self.db.progress_handler(STEPS, Some(move || !go_on())));
        let outcome = match hurry {
            Ok(()) => act(self),
            Err(source) => Err(StoreError::sqlite("hurrying a reader", source)),
        };
        let calm = self.db.progress_handler(0, None::<fn() -> bool>).and_then(|()| self.db.busy_timeout(BUSY));
        match (outcome, calm) {
            (Err(error), Ok(())) if error.is_stopped() => None,
            (outcome, Ok(())) => Some(outcome),
            (_, Err(source)) => Some(Err(StoreError::sqlite("calming a reader", source))),
        }
    }

    /// The record of that id; `None` if there is none or it is deleted.
    pub fn get(&self, model: &str, id: &str) -> Result<Option<Map<String, Value>>> {
        let of = self.schema.model(model).ok_or_else(|| crate::no_model(&self.schema, model))?;
        let row = naming::living(&self.db, of, &parse_key(&self.schema, of, id)?)?;
        row.map_or(Ok(None), |row| self.at(model, row))
    }

    /// The records that a relation of a record leads to, in the order of their key unless the include says another: one
    /// at most of a `belongsTo` or `hasOne`.
    pub fn related(&self, model: &str, id: &str, relation: impl Into<Include>) -> Result<Vec<Map<String, Value>>> {
        related::of(&self.db, &self.schema, model, id, relation.into())
    }

    /// The records that the query finds.
    pub fn query(&self, query: &Query) -> Result<Page> {
        Ok(query.run(&self.db, &self.schema)?)
    }

    /// The records that the query finds, as values of a type; `None` if one of them is no `T`.
    pub fn query_as<T: serde::de::DeserializeOwned>(&self, query: &Query) -> Result<Option<Vec<T>>> {
        Ok(query.run_as(&self.db, &self.schema)?)
    }

    /// How many records the query finds.
    pub fn count(&self, query: &Query) -> Result<u64> {
        Ok(query.count(&self.db, &self.schema)?)
    }

    /// Computes of the records that a query finds.
    pub fn aggregate(&self, aggregation: &Aggregation) -> Result<Vec<Map<String, Value>>> {
        Ok(aggregation.run(&self.db, &self.schema)?)
    }

    /// How SQLite computes of the records that a query finds, for people.
    pub fn explain_aggregate(&self, aggregation: &Aggregation) -> Result<String> {
        Ok(aggregation.explain(&self.db, &self.schema)?)
    }

    /// How SQLite runs the query, for people.
    pub fn explain(&self, query: &Query) -> Result<String> {
        Ok(query.explain(&self.db, &self.schema)?)
    }

    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }

    /// The schema that the reader was opened with.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }
}

impl Reader {
    /// Id of the record that a key names in a model, deleted or not.
    pub fn record_id(&self, model: &str, id: &str) -> Result<Option<RecordId>> {
        let of = self.schema.model(model).ok_or_else(|| crate::no_model(&self.schema, model))?;
        Ok(naming::row(&self.db, of, &parse_key(&self.schema, of, id)?)?.map(|row| row.id))
    }

    /// The key of the record of a row, deleted or not, as calls take it; `None` if the schema lacks its model.
    pub fn key_at(&self, row: i64) -> Result<Option<String>> {
        let reading = Reading { db: &self.db, schema: &self.schema };
        Ok(reading.at(row)?.map(|found| found.id(&self.schema)))
    }

    /// The record of a model's row; `None` if it is deleted.
    pub fn at(&self, model: &str, row: i64) -> Result<Option<Map<String, Value>>> {
        let model = self.schema.model(model).ok_or_else(|| crate::no_model(&self.schema, model))?;
        Ok(crate::query::record_at(&self.db, model, row)?)
    }
}
