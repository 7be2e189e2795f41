//! Which rows a condition finds, for writes that ask before they act.

use rusqlite::Connection;
use syncline_core::record::SqlValue;
use syncline_schema::Schema;

use super::error::QueryError;
use super::sql::{self, Sql};
use super::{Condition, Prepared, Query, bound, numbers, order, push_page, push_where};

/// The numbers of the rows that match, in the order of the key; at most so many.
pub(crate) fn rows_that_match(
    db: &Connection,
    schema: &Schema,
    model: &str,
    condition: &Condition,
    limit: Option<u64>,
) -> Result<Vec<i64>, QueryError> {
    let query = asked(model, condition);
    let prepared = Prepared::new(&query, schema)?;
    let mut sql = Sql::text(&format!("SELECT syncline_record FROM {}", sql::quoted(&prepared.model.name)));
    push_where(&mut sql, prepared.conditions());
    sql.push(&format!(" ORDER BY {}", order::order_by(&prepared.order, prepared.sort)));
    push_page(&mut sql, limit, 0);
    numbers(db, &sql.compiled()?)
}

/// Whether the record of this row matches; `None` if there is no living record in it.
pub(crate) fn holds_of(
    db: &Connection,
    schema: &Schema,
    model: &str,
    condition: &Condition,
    row: i64,
) -> Result<Option<bool>, QueryError> {
    let query = asked(model, condition);
    let prepared = Prepared::new(&query, schema)?;
    let mut sql = Sql::text("SELECT ");
    if prepared.condition.is_empty() {
        sql.push("1");
    } else {
        sql.push("(");
        sql.append(prepared.condition.clone());
        sql.push(") IS TRUE");
    }
    sql.push(&format!(" FROM {} WHERE syncline_record = ", sql::quoted(&prepared.model.name)));
    sql.bind(SqlValue::Integer(row));
    let mut statement = bound(db, &sql.compiled()?)?;
    let mut found = statement.raw_query();
    Ok(found.next()?.map(|row| row.get(0)).transpose()?)
}

fn asked(model: &str, condition: &Condition) -> Query {
    Query { condition: condition.clone(), ..Query::new(model) }
}
