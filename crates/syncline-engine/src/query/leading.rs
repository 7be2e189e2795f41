//! Relations walked backwards: which records of a query's model lead to records that changed.

use rusqlite::Connection;
use syncline_core::record::SqlValue;
use syncline_schema::{Model, Relation, RelationKind, Schema};

use super::depends::Dependency;
use super::error::QueryError;
use super::include::list;
use super::numbers;
use super::relation::{alias, backwards};
use super::sql::{Compiled, Sql, quoted};

impl Dependency {
    /// The rows of `model`, a query's own, whose records lead along the path to records in these rows of the
    /// dependency's model. Rows that hold no record, as those of deleted ones, lead nowhere. `None` if that is not to be
    /// found out at a small price: more than `limit` records stand anywhere on the way, or no index leads back.
    pub(crate) fn leading(
        &self,
        db: &Connection,
        schema: &Schema,
        model: &Model,
        rows: &[i64],
        limit: usize,
    ) -> Result<Option<Vec<i64>>, QueryError> {
        let mut steps = steps(schema, model, &self.path);
        if steps.iter().any(|(_, relation)| relation.kind == RelationKind::HasOne) {
            return Ok(None);
        }
        let mut rows = rows.to_vec();
        let mut is_join = self.is_join(schema, model);
        while let Some((here, relation)) = steps.pop() {
            let from = if is_join { relation.join_model.as_deref().unwrap_or_default() } else { &relation.model };
            rows = back(db, schema, (here, relation), (from, is_join), &rows, limit.saturating_add(1))?;
            if rows.len() > limit {
                return Ok(None);
            }
            is_join = false;
        }
        Ok(Some(rows))
    }

    /// Whether the model is the one that joins the ends of the path's last relation. Its records are links: they come
    /// and go, and never stand between others.
    pub(crate) fn is_join(&self, schema: &Schema, model: &Model) -> bool {
        steps(schema, model, &self.path).last().is_some_and(|(_, relation)| relation.model != self.model)
    }
}

/// The relations of a path, each with the model that it starts from.
fn steps<'a>(schema: &'a Schema, model: &'a Model, path: &[String]) -> Vec<(&'a Model, &'a Relation)> {
    let mut here = Some(model);
    let steps = path.iter().map_while(|name| {
        let from = here?;
        let relation = from.relation(name)?;
        here = schema.model(&relation.model);
        Some((from, relation))
    });
    steps.collect()
}

/// One step back: the rows of `here` from which the relation leads to these rows of `from`, each once; at most so many.
fn back(
    db: &Connection,
    schema: &Schema,
    (here, relation): (&Model, &Relation),
    (from, is_join): (&str, bool),
    rows: &[i64],
    limit: usize,
) -> Result<Vec<i64>, QueryError> {
    numbers(db, &statement(schema, (here, relation), (from, is_join), rows, limit)?)
}

/// The step's statement. An index serves it, but for a `hasOne`.
pub(super) fn statement(
    schema: &Schema,
    (here, relation): (&Model, &Relation),
    (from, is_join): (&str, bool),
    rows: &[i64],
    limit: usize,
) -> Result<Compiled, QueryError> {
    let (start, end) = (alias(0), alias(1));
    let mut sql = Sql::text(&format!("SELECT DISTINCT {start}.syncline_record FROM json_each("));
    sql.bind(SqlValue::Text(list(rows)));
    let walk = backwards(schema, relation, &start, &end, is_join);
    sql.push(&format!(
        ") AS given CROSS JOIN {} AS {end} ON {end}.syncline_record = given.value CROSS JOIN {}{} AS {start} WHERE {} \
         LIMIT ",
        quoted(from),
        walk.from,
        quoted(&here.name),
        walk.on
    ));
    sql.bind(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    sql.compiled()
}

/// How many of these rows hold a record of the model.
pub(crate) fn living(db: &Connection, model: &str, rows: &[i64]) -> Result<usize, QueryError> {
    let mut sql = Sql::text("SELECT syncline_record FROM json_each(");
    sql.bind(SqlValue::Text(list(rows)));
    sql.push(&format!(") AS given CROSS JOIN {} ON syncline_record = given.value", quoted(model)));
    Ok(numbers(db, &sql.compiled()?)?.len())
}
