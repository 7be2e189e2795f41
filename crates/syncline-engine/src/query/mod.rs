//! Queries: a condition, an order and a page of one model, turned into one SQL statement with bound
//! parameters, and rows turned back into records.
//!
//! A condition is a [`Filter`] of the core crate, whose plain evaluation defines what its SQL must
//! find, or WHERE text, which is parsed, checked against the model and written anew: no character
//! of it reaches SQLite unbound. Orders end with the key fields, so that every record has one place
//! and a page can go on behind the last record of the page before.

mod ddl;
mod depends;
mod error;
mod filter;
mod include;
mod order;
mod relation;
mod rows;
mod sql;
mod where_text;

#[cfg(test)]
mod tests;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement};
use serde_json::{Map, Value};
use syncline_core::filter::{Filter, Include, Order, complete_order, resolve_order};
use syncline_core::record::{SqlValue, json_value};
use syncline_schema::{Model, Schema, did_you_mean};

pub use ddl::create_table_sql;
pub use depends::{Dependency, Use};
pub use error::QueryError;
pub use sql::Compiled;

pub(crate) use include::edges;
pub(crate) use relation::{is_relation_index, relation_index_sql};

use sql::Sql;

/// What is asked of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Name of the model.
    pub model: String,
    /// Which records.
    pub condition: Condition,
    /// In which order; the key fields follow as its last keys. Without any, in the order of the key.
    pub order: Vec<Order>,
    /// At most so many records.
    pub limit: Option<u64>,
    /// Without so many of the first.
    pub offset: u64,
    /// Only those behind the last record of the page that this token came with.
    pub after: Option<String>,
    /// Which related records come with each, under the names of their relations, behind its fields.
    pub include: Vec<Include>,
}

/// Which records a query finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Those that match; two-valued.
    Filter(Filter),
    /// Those for which the expression is true, as in SQL's WHERE; three-valued.
    Where(String),
}

/// Records of a query, and where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records in JSON, every schema field in its order.
    pub records: Vec<Map<String, Value>>,
    /// Token of the last record, for [`Query::after`]; `None` if there are no more.
    pub next: Option<String>,
}

impl Default for Condition {
    fn default() -> Self {
        Self::Filter(Filter::All)
    }
}

impl From<Filter> for Condition {
    fn from(filter: Filter) -> Self {
        Self::Filter(filter)
    }
}

impl Query {
    /// All records of a model, in the order of its key.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }

    /// The statement that finds the records, with its parameters.
    pub fn compile(&self, schema: &Schema) -> Result<Compiled, QueryError> {
        let prepared = Prepared::new(self, schema)?;
        prepared.select(self.limit)
    }

    /// Runs the query.
    pub fn run(&self, db: &Connection, schema: &Schema) -> Result<Page, QueryError> {
        let prepared = Prepared::new(self, schema)?;
        // Several statements see one state of the file.
        let _snapshot = (prepared.rows && db.is_autocommit()).then(|| db.unchecked_transaction()).transpose()?;
        // One record more than wanted tells whether there are more.
        let probe = self.limit.map(|limit| limit.saturating_add(1));
        let compiled = prepared.select(probe)?;
        let mut statement = bound(db, &compiled)?;
        let mut rows = statement.raw_query();
        let (mut records, mut numbers) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            records.push(record(prepared.model, row)?);
            if prepared.rows {
                numbers.push(row.get(prepared.model.fields.len())?);
            }
        }
        let wanted = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let more = records.len() > wanted;
        records.truncate(wanted);
        let last = records.last().filter(|_| more);
        let next = last.map(|last| order::token(schema, prepared.model, &prepared.order, last));
        numbers.truncate(wanted);
        include::attach(db, schema, prepared.model, &self.include, &numbers, &mut records)?;
        Ok(Page { records, next })
    }

    /// Runs the query and reads each record into a `T`, field by field: for types that `models!` made, this is
    /// what [`Query::run`] gives, without the JSON in between and without included records. `None` if a row is no
    /// `T`; [`Query::run`] then says more.
    pub fn run_as<T: serde::de::DeserializeOwned>(
        &self,
        db: &Connection,
        schema: &Schema,
    ) -> Result<Option<Vec<T>>, QueryError> {
        let prepared = Prepared::new(self, schema)?;
        let compiled = prepared.select(self.limit)?;
        let mut statement = bound(db, &compiled)?;
        let mut rows = statement.raw_query();
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            match rows::read(prepared.model, row) {
                Ok(record) => records.push(record),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(records))
    }

    /// How many records the query finds, its page included.
    pub fn count(&self, db: &Connection, schema: &Schema) -> Result<u64, QueryError> {
        let compiled = Prepared::new(self, schema)?.count(self)?;
        let mut statement = bound(db, &compiled)?;
        let mut rows = statement.raw_query();
        let count: i64 = match rows.next()? {
            Some(row) => row.get(0)?,
            None => 0,
        };
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How SQLite would run the query: one line per step, indented below the step it belongs to; then the same for
    /// each included relation, below its name.
    pub fn explain(&self, db: &Connection, schema: &Schema) -> Result<String, QueryError> {
        let prepared = Prepared::new(self, schema)?;
        let mut lines = explained(db, prepared.select(self.limit)?)?;
        include::explain(db, schema, prepared.model, &self.include, 0, &mut lines)?;
        Ok(lines.join("\n"))
    }
}

/// The steps of a statement, indented below the step they belong to.
fn explained(db: &Connection, compiled: Compiled) -> Result<Vec<String>, QueryError> {
    let explained = Compiled { sql: format!("EXPLAIN QUERY PLAN {}", compiled.sql), params: compiled.params };
    let mut statement = bound(db, &explained)?;
    let mut rows = statement.raw_query();
    let mut depths: Vec<(i64, usize)> = vec![(0, 0)];
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, parent, detail): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let parent_depth = depths.iter().find(|(id, _)| *id == parent);
        let depth = parent_depth.map_or(0, |(_, depth)| *depth);
        depths.push((id, depth + 1));
        lines.push(format!("{}{detail}", "  ".repeat(depth)));
    }
    Ok(lines)
}

/// The record whose row has this number; `None` if it has none, as deleted records do.
pub(crate) fn record_at(db: &Connection, model: &Model, row: i64) -> Result<Option<Map<String, Value>>, QueryError> {
    let mut sql = Sql::text(&format!("{} WHERE syncline_record = ", select_from(model, "")));
    sql.bind(SqlValue::Integer(row));
    let mut statement = bound(db, &sql.compiled()?)?;
    let mut rows = statement.raw_query();
    Ok(rows.next()?.map(|row| record(model, row)).transpose()?)
}

/// A query that fits its model.
struct Prepared<'a> {
    model: &'a Model,
    order: Vec<Order>,
    condition: Sql,
    offset: u64,
    /// An index serves the condition and no page ends the walk early, so finding by that index and
    /// sorting beats walking every record in the order of the key.
    sort: bool,
    /// The number of each record's row is read behind its fields, for the records that come with it.
    rows: bool,
}

impl<'a> Prepared<'a> {
    fn new(query: &Query, schema: &'a Schema) -> Result<Self, QueryError> {
        let model = schema.model(&query.model).ok_or_else(|| no_model(schema, &query.model))?;
        resolve_order(schema, model, &query.order)?;
        let order = complete_order(model, &query.order);
        let mut condition = match &query.condition {
            Condition::Filter(Filter::All) => Sql::default(),
            Condition::Filter(filter) => filter::to_sql(schema, model, &filter.resolve(schema, model)?),
            Condition::Where(text) => where_text::to_sql(schema, model, text)?,
        };
        if let Some(token) = &query.after {
            let behind = order::behind(model, &order, token)?;
            condition = if condition.is_empty() { behind } else { Sql::chain("AND", vec![condition, behind]) };
        }
        let whole = query.order.is_empty() && query.limit.is_none() && query.after.is_none();
        let sort =
            whole && matches!(&query.condition, Condition::Filter(filter) if filter::is_indexed(schema, model, filter));
        Include::resolve(schema, model, &query.include)?;
        Ok(Self { model, order, condition, offset: query.offset, sort, rows: !query.include.is_empty() })
    }

    fn select(&self, limit: Option<u64>) -> Result<Compiled, QueryError> {
        let mut sql = Sql::text(&select_from(self.model, if self.rows { ", syncline_record" } else { "" }));
        self.push_where(&mut sql);
        sql.push(" ORDER BY ");
        sql.push(&order::order_by(&self.order, self.sort));
        push_page(&mut sql, limit, self.offset);
        sql.compiled()
    }

    fn count(&self, query: &Query) -> Result<Compiled, QueryError> {
        let mut sql = Sql::default();
        let paged = query.limit.is_some() || query.offset > 0;
        let table = sql::quoted(&self.model.name);
        if paged {
            sql.push(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table}"));
        } else {
            sql.push(&format!("SELECT COUNT(*) FROM {table}"));
        }
        self.push_where(&mut sql);
        if paged {
            push_page(&mut sql, query.limit, self.offset);
            sql.push(")");
        }
        sql.compiled()
    }

    fn push_where(&self, sql: &mut Sql) {
        if !self.condition.is_empty() {
            sql.push(" WHERE ");
            sql.append(self.condition.clone());
        }
    }
}

/// All columns, in the order of the fields, and more behind them.
fn select_from(model: &Model, more: &str) -> String {
    format!("SELECT {}{more} FROM {}", columns(model), sql::quoted(&model.name))
}

fn columns(model: &Model) -> String {
    model.fields.iter().map(|field| sql::quoted(&field.name)).collect::<Vec<_>>().join(", ")
}

fn push_page(sql: &mut Sql, limit: Option<u64>, offset: u64) {
    if limit.is_none() && offset == 0 {
        return;
    }
    // SQLite takes a negative limit for none.
    let number = |n: u64| SqlValue::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    sql.push(" LIMIT ");
    sql.bind(limit.map_or(SqlValue::Integer(-1), number));
    if offset > 0 {
        sql.push(" OFFSET ");
        sql.bind(number(offset));
    }
}

fn bound<'db>(db: &'db Connection, compiled: &Compiled) -> Result<rusqlite::CachedStatement<'db>, QueryError> {
    let mut statement = db.prepare_cached(&compiled.sql)?;
    bind(&mut statement, &compiled.params)?;
    Ok(statement)
}

fn bind(statement: &mut Statement<'_>, params: &[SqlValue]) -> rusqlite::Result<()> {
    for (index, value) in params.iter().enumerate() {
        match value {
            SqlValue::Null => statement.raw_bind_parameter(index + 1, rusqlite::types::Null)?,
            SqlValue::Integer(number) => statement.raw_bind_parameter(index + 1, number)?,
            SqlValue::Real(number) => statement.raw_bind_parameter(index + 1, number)?,
            SqlValue::Text(text) => statement.raw_bind_parameter(index + 1, text)?,
        }
    }
    Ok(())
}

/// The record that a row of all columns shows.
fn record(model: &Model, row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
    let mut record = Map::with_capacity(model.fields.len());
    for (index, field) in model.fields.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => SqlValue::Null,
            ValueRef::Integer(number) => SqlValue::Integer(number),
            ValueRef::Real(number) => SqlValue::Real(number),
            ValueRef::Text(text) | ValueRef::Blob(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        };
        record.insert(field.name.clone(), json_value(&field.kind, value));
    }
    Ok(record)
}

fn no_model(schema: &Schema, name: &str) -> QueryError {
    let names = || schema.models.iter().map(|model| model.name.as_str());
    let cure = did_you_mean(name, names())
        .unwrap_or_else(|| format!("its models are {}", names().collect::<Vec<_>>().join(", ")));
    QueryError::NoModel { name: name.to_owned(), cure }
}
