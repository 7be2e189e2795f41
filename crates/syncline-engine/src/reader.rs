//! Queries on a connection of their own, beside the thread that writes.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde_json::{Map, Value};
use syncline_core::filter::{Filter, Include};
use syncline_schema::Schema;

use crate::error::{Doing, Result, StoreError};
use crate::local::parse_key;
use crate::query::{Page, Query};
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
        db.busy_timeout(std::time::Duration::from_secs(10)).doing("opening a reader")?;
        db.set_prepared_statement_cache_capacity(128);
        // Else SQLite may compile a cached statement anew whenever a parameter gets another value.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing("opening a reader")?;
        Ok(Reader { db, schema })
    }
}

impl Reader {
    /// The record of that id; `None` if there is none or it is deleted.
    pub fn get(&self, model: &str, id: &str) -> Result<Option<Map<String, Value>>> {
        Ok(by_key(&self.schema, model, id)?.run(&self.db, &self.schema)?.records.pop())
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

    /// How SQLite runs the query, for people.
    pub fn explain(&self, query: &Query) -> Result<String> {
        Ok(query.explain(&self.db, &self.schema)?)
    }

    /// The schema that the reader was opened with.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }
}

/// The query of the record with that id.
pub(crate) fn by_key(schema: &Schema, model: &str, id: &str) -> Result<Query> {
    let found = schema.model(model).ok_or_else(|| crate::no_model(schema, model))?;
    let key = parse_key(schema, found, id)?;
    let fields = key.fields(found).into_iter().map(|(field, value)| Filter::eq(field, value));
    Ok(Query { limit: Some(1), condition: Filter::And(fields.collect()).into(), ..Query::new(model) })
}

impl Reader {
    /// The record of a model's row; `None` if it is deleted.
    pub fn at(&self, model: &str, row: i64) -> Result<Option<Map<String, Value>>> {
        let model = self.schema.model(model).ok_or_else(|| crate::no_model(&self.schema, model))?;
        Ok(crate::query::record_at(&self.db, model, row)?)
    }
}
