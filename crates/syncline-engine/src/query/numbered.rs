//! Records with the numbers of their rows, as live queries hold them.

use rusqlite::Connection;
use serde_json::{Map, Value};
use syncline_schema::Schema;

use super::error::QueryError;
use super::sql::Compiled;
use super::{Prepared, Query, bound, include};

/// A record and the number of its row.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) row: i64,
    pub(crate) record: Map<String, Value>,
    /// Rows of the records that it includes, at every level; without the links between them.
    pub(crate) leads: Vec<i64>,
}

impl Query {
    /// The first of the records that the query finds, with their rows, whatever its own limit: at most `limit`, without
    /// `offset` of them.
    pub(crate) fn numbered(
        &self,
        db: &Connection,
        schema: &Schema,
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Vec<Numbered>, QueryError> {
        let prepared = Prepared { rows: true, offset, ..Prepared::new(self, schema)? };
        let compiled = prepared.select(limit)?;
        self.read_numbered(db, schema, &prepared, &compiled)
    }

    /// The records of these rows that the query would find without limit and offset; behind its token, if it has one.
    pub(crate) fn among(&self, db: &Connection, schema: &Schema, rows: &[i64]) -> Result<Vec<Numbered>, QueryError> {
        let prepared = Prepared { rows: true, ..Prepared::new(self, schema)? };
        let compiled = prepared.select_among(rows)?;
        self.read_numbered(db, schema, &prepared, &compiled)
    }

    fn read_numbered(
        &self,
        db: &Connection,
        schema: &Schema,
        prepared: &Prepared<'_>,
        compiled: &Compiled,
    ) -> Result<Vec<Numbered>, QueryError> {
        let mut statement = bound(db, compiled)?;
        let mut found = statement.raw_query();
        let (mut rows, mut records) = (Vec::new(), Vec::new());
        while let Some(row) = found.next()? {
            rows.push(row.get(prepared.row_column())?);
            records.push(prepared.record(row)?);
        }
        let mut leads = vec![Vec::new(); rows.len()];
        include::attach(db, schema, prepared.model, &self.include, &rows, &mut records, Some(&mut leads))?;
        for leads in &mut leads {
            leads.sort_unstable();
            leads.dedup();
        }
        let numbered = rows.into_iter().zip(records).zip(leads);
        Ok(numbered.map(|((row, record), leads)| Numbered { row, record, leads }).collect())
    }
}
