//! Counts, sums, extremes and averages of the records that a query finds, in groups or of all.

use rusqlite::{Connection, Row};
use serde_json::{Map, Value};
use syncline_core::filter::{Filter, Function, InvalidFilter, Measure, Order, resolve_order, result_fields};
use syncline_core::record::{SqlValue, json_value};
use syncline_schema::{Key, Model, Schema, Timestamps, Tokenizer};

use super::error::QueryError;
use super::sql::{self, Compiled, Sql};
use super::totals::{self, AVG, SUM};
use super::{Prepared, Query, bound, filter, order, push_page};
use crate::projection::sql_value;

/// What is computed of the records of a model.
///
/// The result has one row per group, with the values that make the group under their fields' names and each measure
/// under its own; null makes a group like any value. Without groups it is one row, whatever is found: counts are 0 and
/// everything else null where nothing is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregation {
    /// Model, condition and search say which records; nothing is included with them. Order, limit and offset are those
    /// of the result's rows, whose columns the order names; without an order they stand in that of their groups' values.
    /// Pages by token there are none.
    pub of: Query,
    /// What is computed.
    pub measures: Vec<Measure>,
    /// Fields, or paths into embedded values: records with equal values there make a group.
    pub group_by: Vec<String>,
    /// Only rows of the result that match, by the names of its columns.
    pub having: Filter,
}

impl Aggregation {
    /// These measures of all records that the query finds.
    pub fn new(of: Query, measures: Vec<Measure>) -> Self {
        Self { of, measures, ..Self::default() }
    }

    /// Reads the JSON of a filter over the columns of the result.
    pub fn having_json(mut self, schema: &Schema, json: &Value) -> Result<Self, QueryError> {
        let columns = Columns::new(&self, schema)?;
        self.having = Filter::parse_json(schema, &columns.shown, json).map_err(of_having)?;
        Ok(self)
    }

    /// The statement that computes the result, with its parameters.
    pub fn compile(&self, schema: &Schema) -> Result<Compiled, QueryError> {
        let columns = Columns::new(self, schema)?;
        self.select(schema, &columns)
    }

    /// Computes the result, a row each.
    pub fn run(&self, db: &Connection, schema: &Schema) -> Result<Vec<Map<String, Value>>, QueryError> {
        let columns = Columns::new(self, schema)?;
        let compiled = self.select(schema, &columns)?;
        let mut statement = bound(db, &compiled)?;
        let mut rows = statement.raw_query();
        let mut result = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.failure(error))? {
            result.push(columns.read(row)?);
        }
        Ok(result)
    }

    /// How SQLite would compute the result: one line per step, indented below the step it belongs to.
    pub fn explain(&self, db: &Connection, schema: &Schema) -> Result<String, QueryError> {
        Ok(super::explained(db, self.compile(schema)?)?.join("\n"))
    }

    fn select(&self, schema: &Schema, columns: &Columns) -> Result<Compiled, QueryError> {
        if self.of.after.is_some() {
            return Err(QueryError::AggregateToken);
        }
        let records = Query { order: Vec::new(), limit: None, offset: 0, include: Vec::new(), ..self.of.clone() };
        let prepared = Prepared::new(&records, schema)?;
        let mut sql = Sql::text("SELECT ");
        sql.append(Sql::list(self.expressions()));
        sql.push(&format!(" FROM {}", sql::quoted(&prepared.model.name)));
        super::push_where(&mut sql, prepared.conditions());
        let groups: Vec<String> = (0..self.group_by.len()).map(|index| sql::quoted(&alias(index))).collect();
        if !groups.is_empty() {
            sql.push(&format!(" GROUP BY {}", groups.join(", ")));
        }
        let having = self.having.resolve(schema, &columns.shown).map_err(of_having)?;
        if having != Filter::All {
            sql.push(" HAVING ");
            sql.append(filter::to_sql(schema, &columns.computed, &having.rename(&|name| columns.alias(name))));
        }
        let order = self.order(schema, columns)?;
        if !order.is_empty() {
            sql.push(" ORDER BY ");
            sql.push(&order::order_by(&order, false));
        }
        push_page(&mut sql, self.of.limit, self.of.offset);
        sql.compiled()
    }

    /// Each column of the result under its alias, which no column of the model's can have.
    fn expressions(&self) -> Vec<Sql> {
        let groups = self.group_by.iter().map(|path| Sql::text(&sql::expression(path)));
        let measures = self.measures.iter().enumerate().map(|(index, measure)| expression(measure, index));
        let named = |(index, mut sql): (usize, Sql)| {
            sql.push(&format!(" AS {}", sql::quoted(&alias(index))));
            sql
        };
        groups.chain(measures).enumerate().map(named).collect()
    }

    /// The order of the rows by aliases; groups decide among equals.
    fn order(&self, schema: &Schema, columns: &Columns) -> Result<Vec<Order>, QueryError> {
        resolve_order(schema, &columns.shown, &self.of.order)?;
        let mut order = self.of.order.clone();
        for path in &self.group_by {
            if order.iter().all(|key| key.field != *path) {
                order.push(Order::ascending(path.as_str()));
            }
        }
        order.iter_mut().for_each(|key| key.field = columns.alias(&key.field));
        Ok(order)
    }

    /// A sum that is beyond its type ends the statement.
    fn failure(&self, error: rusqlite::Error) -> QueryError {
        let measure = totals::too_great(&error).and_then(|index| self.measures.get(index));
        match measure {
            Some(measure) => QueryError::TooGreat { measure: measure.name.clone() },
            None => error.into(),
        }
    }
}

fn of_having(mut error: InvalidFilter) -> InvalidFilter {
    error.place = error.place.replacen("filter", "having", 1);
    error
}

fn alias(index: usize) -> String {
    format!("~{index}")
}

fn expression(measure: &Measure, index: usize) -> Sql {
    let Some(path) = &measure.field else { return Sql::text("COUNT(*)") };
    let field = sql::expression(path);
    let place = Sql::value(SqlValue::Integer(i64::try_from(index).unwrap_or(i64::MAX)));
    match measure.function {
        Function::Count => Sql::text(&format!("COUNT({field})")),
        Function::CountDistinct => Sql::text(&format!("COUNT(DISTINCT {field})")),
        Function::Min => Sql::text(&format!("MIN({field})")),
        Function::Max => Sql::text(&format!("MAX({field})")),
        Function::Sum => Sql::of([Sql::text(&format!("{SUM}({field}, ")), place, Sql::text(")")]),
        Function::Avg => Sql::of([Sql::text(&format!("{AVG}({field}, ")), place, Sql::text(")")]),
    }
}

/// The columns of a result, as models that filters and orders can be checked against.
struct Columns {
    /// By the names that are shown.
    shown: Model,
    /// By the aliases in the statement.
    computed: Model,
}

impl Columns {
    fn new(aggregation: &Aggregation, schema: &Schema) -> Result<Self, QueryError> {
        let name = &aggregation.of.model;
        let model = schema.model(name).ok_or_else(|| super::no_model(schema, name))?;
        let fields = result_fields(schema, model, &aggregation.group_by, &aggregation.measures)?;
        let shown = Model {
            name: "the result".to_owned(),
            fields,
            relations: Vec::new(),
            key: Key::Custom(Vec::new()),
            indexes: Vec::new(),
            deletes: model.deletes,
            local: model.local,
            timestamps: Timestamps { created_at: None, updated_at: None },
            auth: Vec::new(),
            renamed_from: Vec::new(),
            tokenizer: Tokenizer::default(),
        };
        let mut computed = shown.clone();
        computed.fields.iter_mut().enumerate().for_each(|(index, field)| field.name = alias(index));
        Ok(Self { shown, computed })
    }

    fn alias(&self, name: &str) -> String {
        let place = self.shown.fields.iter().position(|field| field.name == name);
        place.map_or_else(|| name.to_owned(), alias)
    }

    fn read(&self, row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
        let columns = self.shown.fields.iter().enumerate();
        let value = |(index, field): (usize, &syncline_schema::Field)| {
            Ok((field.name.clone(), json_value(&field.kind, sql_value(row.get_ref(index)?))))
        };
        columns.map(value).collect()
    }
}
