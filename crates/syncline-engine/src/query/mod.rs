//! Queries: a condition, an order and a page of one model, turned into one SQL statement with bound
//! parameters, and rows turned back into records.
//!
//! A condition is a [`Filter`] of the core crate, whose plain evaluation defines what its SQL must
//! find, or WHERE text, which is parsed, checked against the model and written anew: no character
//! of it reaches SQLite unbound. Orders end with the key fields, so that every record has one place
//! and a page can go on behind the last record of the page before.

mod aggregate;
mod ddl;
mod depends;
mod error;
mod filter;
mod include;
mod leading;
mod matching;
mod numbered;
mod order;
mod relation;
mod rows;
mod search;
mod sql;
mod totals;
mod where_text;

#[cfg(test)]
mod tests;

use std::fmt;

use rusqlite::{Connection, Row, Statement};
use serde_json::{Map, Value};
use syncline_core::filter::{Filter, Include, Order, complete_order, resolve_order};
use syncline_core::record::{SqlValue, json_value};
use syncline_schema::{Model, Schema, did_you_mean};

use crate::projection::sql_value;

pub use aggregate::Aggregation;
pub use ddl::create_table_sql;
pub(crate) use ddl::{create_key_index_sql, key_index};
pub use depends::{Dependency, Use};
pub use error::QueryError;
pub use search::{SCORE, SNIPPET, Search, Snippet};
pub use sql::Compiled;

pub(crate) use include::edges;
pub(crate) use leading::living;
pub(crate) use matching::{holds_of, rows_that_match};
pub(crate) use numbered::Numbered;
pub(crate) use relation::{is_relation_index, relation_index_sql};
pub(crate) use totals::register as register_functions;

use sql::Sql;

/// What is asked of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Name of the model.
    pub model: String,
    /// Which records.
    pub condition: Condition,
    /// Only records with these words in their fields marked `@fulltext`. Each record then has a score and a snippet
    /// beside its fields, under [`SCORE`] and [`SNIPPET`].
    pub search: Option<Search>,
    /// In which order; the key fields follow as its last keys. Without any, in the order of the key; those of a search
    /// the best first, equally good ones in the order of the key.
    pub order: Vec<Order>,
    /// At most so many records.
    pub limit: Option<u64>,
    /// Without so many of the first.
    pub offset: u64,
    /// Only those behind the last record of the page that this token came with: records that were not written since
    /// stand on exactly one of the pages.
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
    /// Token of the last record, for [`Query::after`]; `None` if there are no more, or in the order of a search's
    /// scores, which move with every write: there [`Query::offset`] goes on.
    pub next: Option<String>,
}

impl Default for Condition {
    fn default() -> Self {
        Self::Filter(Filter::All)
    }
}

/// The filter in JSON, or the WHERE text.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(filter) => filter.to_json().fmt(f),
            Self::Where(text) => f.write_str(text),
        }
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
            records.push(prepared.record(row)?);
            if prepared.rows {
                numbers.push(row.get(prepared.row_column())?);
            }
        }
        let wanted = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let more = records.len() > wanted;
        records.truncate(wanted);
        let last = records.last().filter(|_| more && !prepared.ranked);
        let next = last.map(|last| order::token(schema, prepared.model, &prepared.order, last));
        numbers.truncate(wanted);
        include::attach(db, schema, prepared.model, &self.include, &numbers, &mut records, None)?;
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
    let table = sql::quoted(&model.name);
    let mut sql = Sql::text(&format!("SELECT {} FROM {table} WHERE syncline_record = ", columns(model)));
    sql.bind(SqlValue::Integer(row));
    let mut statement = bound(db, &sql.compiled()?)?;
    let mut rows = statement.raw_query();
    Ok(rows.next()?.map(|row| fill(blank(model), model, row)).transpose()?)
}

/// Most values of a condition that is said several times in one statement.
const REPEATED_MAX: usize = 1000;

/// A query that fits its model.
struct Prepared<'a> {
    model: &'a Model,
    blank: Map<String, Value>,
    order: Vec<Order>,
    condition: Sql,
    search: Option<search::Prepared<'a>>,
    /// The best of a search come first.
    ranked: bool,
    /// What stands behind a token, in parts: see [`order::behind`].
    behind: Vec<Sql>,
    offset: u64,
    /// An index serves the condition and no page ends the walk early, so finding by that index and
    /// sorting beats walking every record in the order of the key.
    sort: bool,
    /// The number of each record's row is read behind its fields, for the records that come with it.
    rows: bool,
}

impl<'a> Prepared<'a> {
    fn new(query: &'a Query, schema: &'a Schema) -> Result<Self, QueryError> {
        let model = schema.model(&query.model).ok_or_else(|| no_model(schema, &query.model))?;
        resolve_order(schema, model, &query.order)?;
        let order = complete_order(model, &query.order);
        let (condition, is_indexed) = match &query.condition {
            Condition::Filter(Filter::All) => (Sql::default(), false),
            Condition::Filter(filter) => {
                let filter = filter.resolve(schema, model)?;
                (filter::to_sql(schema, model, &filter), filter::is_indexed(schema, model, &filter))
            }
            Condition::Where(text) => where_text::to_sql(schema, model, text)?,
        };
        let search = query.search.as_ref().map(|search| search::Prepared::new(model, search)).transpose()?;
        let ranked = search.is_some() && query.order.is_empty();
        let behind = match &query.after {
            Some(_) if ranked => return Err(QueryError::RankedToken),
            Some(token) => order::behind(schema, model, &order, token)?,
            None => Vec::new(),
        };
        // Each part repeats the condition: a long one stands better only once.
        let behind = if condition.values() > REPEATED_MAX { vec![Sql::chain("OR", behind)] } else { behind };
        let whole = query.order.is_empty() && query.limit.is_none() && query.after.is_none();
        let sort = whole && is_indexed;
        Include::resolve(schema, model, &query.include)?;
        let (blank, rows) = (blank(model), !query.include.is_empty());
        Ok(Self { model, blank, order, condition, search, ranked, behind, offset: query.offset, sort, rows })
    }

    fn select(&self, limit: Option<u64>) -> Result<Compiled, QueryError> {
        let sql = match self.behind.as_slice() {
            [] => self.select_part(None, limit, self.offset),
            [part] => self.select_part(Some(part), limit, self.offset),
            parts => {
                // SQLite runs one part after the other, and stops when the page is full.
                let most = limit.map(|limit| limit.saturating_add(self.offset));
                let mut sql = Sql::default();
                for (index, part) in parts.iter().enumerate() {
                    sql.push(if index > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
                    let mut select = self.select_part(Some(part), most, 0);
                    if most.is_none() {
                        // Without a limit the order of a part would not have to be kept.
                        select.push(" LIMIT -1");
                    }
                    sql.append(select);
                    sql.push(")");
                }
                push_page(&mut sql, limit, self.offset);
                sql
            }
        };
        sql.compiled()
    }

    /// Those in these rows, without limit and offset.
    fn select_among(&self, rows: &[i64]) -> Result<Compiled, QueryError> {
        let mut given = Sql::text("(SELECT value AS syncline_given FROM json_each(");
        given.bind(SqlValue::Text(include::list(rows)));
        // The rows are walked through, whatever index the condition has.
        given.push(")) CROSS JOIN ");
        let behind = Sql::chain("OR", self.behind.clone());
        let is_given = Sql::text("syncline_record = syncline_given");
        let part = if behind.is_empty() { is_given } else { Sql::chain("AND", vec![is_given, behind]) };
        self.select_from(given, Some(&part), None, 0).compiled()
    }

    fn select_part(&self, part: Option<&Sql>, limit: Option<u64>, offset: u64) -> Sql {
        self.select_from(Sql::default(), part, limit, offset)
    }

    fn select_from(&self, tables: Sql, part: Option<&Sql>, limit: Option<u64>, offset: u64) -> Sql {
        let mut sql = Sql::text("SELECT ");
        sql.push(&columns(self.model));
        if let Some(search) = &self.search {
            sql.push(&search.columns());
        }
        if self.rows {
            sql.push(", syncline_record");
        }
        sql.push(" FROM ");
        sql.append(tables);
        let mut conditions = vec![self.condition.clone()];
        match &self.search {
            Some(search) => {
                sql.append(search.source());
                conditions.push(search.condition());
            }
            None => sql.push(&sql::quoted(&self.model.name)),
        }
        conditions.extend(part.cloned());
        push_where(&mut sql, conditions);
        sql.push(" ORDER BY ");
        if let Some(rank) = self.search.as_ref().filter(|_| self.ranked).and_then(search::Prepared::rank) {
            sql.push(&format!("{rank}, "));
        }
        sql.push(&order::order_by(&self.order, self.sort));
        push_page(&mut sql, limit, offset);
        sql
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
        push_where(&mut sql, self.conditions());
        if paged {
            push_page(&mut sql, query.limit, self.offset);
            sql.push(")");
        }
        sql.compiled()
    }

    /// What must hold of each record of the model's table.
    fn conditions(&self) -> Vec<Sql> {
        let search = self.search.as_ref().map(search::Prepared::whole_condition);
        let behind = Sql::chain("OR", self.behind.clone());
        [Some(self.condition.clone()), search, Some(behind)].into_iter().flatten().collect()
    }

    /// Where the number of the record's row stands in a row of [`Prepared::select`].
    fn row_column(&self) -> usize {
        let found = self.search.as_ref().is_some_and(search::Prepared::is_ranked);
        self.model.fields.len() + if found { search::COLUMNS } else { 0 }
    }

    /// The record in a row of [`Prepared::select`].
    fn record(&self, row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
        let mut record = fill(self.blank.clone(), self.model, row)?;
        if let Some(search) = &self.search {
            let columns = self.model.fields.len();
            let found = if search.is_ranked() { Some((row.get(columns)?, row.get(columns + 1)?)) } else { None };
            search.complete(&mut record, found);
        }
        Ok(record)
    }
}

fn push_where(sql: &mut Sql, mut conditions: Vec<Sql>) {
    conditions.retain(|condition| !condition.is_empty());
    if !conditions.is_empty() {
        sql.push(" WHERE ");
        sql.append(Sql::chain("AND", conditions));
    }
}

/// All columns, in the order of the fields.
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

/// The numbers in the first column of what a statement finds.
fn numbers(db: &Connection, compiled: &Compiled) -> Result<Vec<i64>, QueryError> {
    let mut statement = bound(db, compiled)?;
    let mut found = statement.raw_query();
    let mut numbers = Vec::new();
    while let Some(row) = found.next()? {
        numbers.push(row.get(0)?);
    }
    Ok(numbers)
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

/// A record of the model with null in every field.
fn blank(model: &Model) -> Map<String, Value> {
    model.fields.iter().map(|field| (field.name.clone(), Value::Null)).collect()
}

/// Puts what a row of all columns shows into a blank record: copying one costs less than naming each field again.
fn fill(mut blank: Map<String, Value>, model: &Model, row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
    for (index, (field, value)) in model.fields.iter().zip(blank.values_mut()).enumerate() {
        *value = json_value(&field.kind, sql_value(row.get_ref(index)?));
    }
    Ok(blank)
}

pub(crate) fn no_model(schema: &Schema, name: &str) -> QueryError {
    let names = || schema.models.iter().map(|model| model.name.as_str());
    let cure = did_you_mean(name, names())
        .unwrap_or_else(|| format!("its models are {}", names().collect::<Vec<_>>().join(", ")));
    QueryError::NoModel { name: name.to_owned(), cure }
}
