//! Related records read along with those of a query, or on their own: one statement per relation, however many records
//! it starts from.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value};
use syncline_core::filter::{Include, complete_order};
use syncline_core::record::SqlValue;
use syncline_schema::{Model, Relation, Schema};

use super::error::QueryError;
use super::relation::{Joined, alias, joined};
use super::sql::{Compiled, Sql, quoted};
use super::{blank, bound, columns, explained, fill, numbers, order};

/// What a relation leads to from several records.
struct Level {
    /// The related records, each once.
    records: Vec<Map<String, Value>>,
    /// The numbers of their rows.
    rows: Vec<i64>,
    /// For each record at the start, in order, the places of its own among them.
    of: Vec<Vec<usize>>,
}

/// Puts the included records into `records`, which stand in these rows of the model's table, and adds the rows of what
/// each of them includes, at every level, to `leads`.
pub(super) fn attach(
    db: &Connection,
    schema: &Schema,
    model: &Model,
    includes: &[Include],
    rows: &[i64],
    records: &mut [Map<String, Value>],
    mut leads: Option<&mut [Vec<i64>]>,
) -> Result<(), QueryError> {
    for include in includes {
        let Some((relation, there)) = ends(schema, model, include) else { continue };
        let mut level = read(db, schema, (model, relation, there), include, rows)?;
        let mut below = leads.is_some().then(|| vec![Vec::new(); level.rows.len()]);
        attach(db, schema, there, &include.include, &level.rows, &mut level.records, below.as_deref_mut())?;
        if let (Some(leads), Some(below)) = (leads.as_deref_mut(), below) {
            for (lead, of) in leads.iter_mut().zip(&level.of) {
                for at in of {
                    lead.push(level.rows[*at]);
                    lead.extend(&below[*at]);
                }
            }
        }
        let mut uses = vec![0_usize; level.records.len()];
        level.of.iter().flatten().for_each(|at| uses[*at] += 1);
        for (record, of) in records.iter_mut().zip(&level.of) {
            let mut related = of.iter().map(|at| {
                uses[*at] -= 1;
                // Whoever is last to show a record need not copy it.
                let shown =
                    if uses[*at] == 0 { std::mem::take(&mut level.records[*at]) } else { level.records[*at].clone() };
                Value::Object(shown)
            });
            let value = if relation.is_to_one() { related.next().unwrap_or(Value::Null) } else { related.collect() };
            record.insert(include.relation.clone(), value);
        }
    }
    Ok(())
}

/// Adds how SQLite finds included records.
pub(super) fn explain(
    db: &Connection,
    schema: &Schema,
    model: &Model,
    includes: &[Include],
    depth: usize,
    lines: &mut Vec<String>,
) -> Result<(), QueryError> {
    for include in includes {
        let Some((relation, there)) = ends(schema, model, include) else { continue };
        let steps = explained(db, statement(schema, (model, relation, there), include, &[])?)?;
        lines.push(format!("{}include {}", "  ".repeat(depth), include.relation));
        lines.extend(steps.into_iter().map(|step| format!("{}{step}", "  ".repeat(depth + 1))));
        explain(db, schema, there, &include.include, depth + 1, lines)?;
    }
    Ok(())
}

/// The relation of an include, and the model it leads to. Includes are checked before they are read.
fn ends<'a>(schema: &'a Schema, model: &'a Model, include: &Include) -> Option<(&'a Relation, &'a Model)> {
    let relation = model.relation(&include.relation)?;
    Some((relation, schema.model(&relation.model)?))
}

/// Where a relation starts, the relation, and where it leads.
type Way<'a> = (&'a Model, &'a Relation, &'a Model);

fn read(
    db: &Connection,
    schema: &Schema,
    way: Way<'_>,
    include: &Include,
    starts: &[i64],
) -> Result<Level, QueryError> {
    let (_, relation, there) = way;
    let mut level = Level { records: Vec::new(), rows: Vec::new(), of: vec![Vec::new(); starts.len()] };
    if starts.is_empty() {
        return Ok(level);
    }
    let compiled = statement(schema, way, include, starts)?;
    let mut statement = bound(db, &compiled)?;
    let mut found = statement.raw_query();
    let blank = blank(there);
    let mut places: BTreeMap<i64, usize> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let (number, start): (i64, i64) = (row.get(there.fields.len())?, row.get(there.fields.len() + 1)?);
        let Some(of) = usize::try_from(start).ok().and_then(|start| level.of.get_mut(start)) else { continue };
        // Only references to fields that are no key can lead to several.
        if relation.is_to_one() && !of.is_empty() {
            continue;
        }
        let place = match places.get(&number) {
            Some(place) => *place,
            None => {
                level.records.push(fill(blank.clone(), there, row)?);
                level.rows.push(number);
                places.insert(number, level.rows.len() - 1);
                level.rows.len() - 1
            }
        };
        of.push(place);
    }
    Ok(level)
}

/// The related records of those in the rows, in the include's order: their fields, their row, and the place in `starts`
/// of the record that leads there.
fn statement(
    schema: &Schema,
    (model, relation, there): Way<'_>,
    include: &Include,
    starts: &[i64],
) -> Result<Compiled, QueryError> {
    let (start, end) = (alias(0), alias(1));
    let order = order::order_by(&complete_order(there, &include.order), false);
    let mut sql = Sql::text(&format!(
        "SELECT {}, syncline_record, syncline_start FROM (SELECT {end}.*, given.key AS syncline_start FROM json_each(",
        columns(there)
    ));
    sql.bind(SqlValue::Text(list(starts)));
    sql.push(&format!(
        ") AS given CROSS JOIN {} AS {start} ON {start}.syncline_record = given.value CROSS JOIN ",
        quoted(&model.name)
    ));
    match include.limit {
        None => {
            let Joined { from, on } = joined(schema, relation, &start, &end, "CROSS JOIN");
            sql.push(&format!("{from} WHERE {on}"));
        }
        Some(limit) => {
            // The first of each record are found by themselves, so that an index in their order ends the walk.
            let among = alias(2);
            let Joined { from, on } = joined(schema, relation, &start, &among, "CROSS JOIN");
            sql.push(&format!(
                "{} AS {end} WHERE {end}.syncline_record IN (SELECT syncline_record FROM \
                 (SELECT {among}.* FROM {from} WHERE {on}) ORDER BY {order} LIMIT ",
                quoted(&there.name)
            ));
            sql.bind(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
            sql.push(")");
        }
    }
    sql.push(&format!(") ORDER BY {order}"));
    sql.compiled()
}

/// The rows that a relation leads to from these rows, ascending, each once; at most so many.
pub(crate) fn edges(
    db: &Connection,
    schema: &Schema,
    model: &Model,
    relation: &Relation,
    starts: &[i64],
    limit: usize,
) -> Result<Vec<i64>, QueryError> {
    let (start, end) = (alias(0), alias(1));
    let Joined { from, on } = joined(schema, relation, &start, &end, "CROSS JOIN");
    let mut sql = Sql::text(&format!("SELECT DISTINCT {end}.syncline_record FROM json_each("));
    sql.bind(SqlValue::Text(list(starts)));
    sql.push(&format!(
        ") AS given CROSS JOIN {} AS {start} ON {start}.syncline_record = given.value CROSS JOIN {from} WHERE {on} \
         ORDER BY 1 LIMIT ",
        quoted(&model.name)
    ));
    sql.bind(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    numbers(db, &sql.compiled()?)
}

/// Numbers as a JSON list: one parameter, however many.
pub(super) fn list(numbers: &[i64]) -> String {
    Value::from(numbers.to_vec()).to_string()
}
