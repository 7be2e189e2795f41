//! Opening with another schema: what changes in the file, and what is refused.
//!
//! The log is never rewritten. Tables of models that changed are made anew and filled from the records'
//! states; records that no schema had looked at yet are judged from the log.

use rusqlite::{Connection, OptionalExtension};
use syncline_schema::{ChangeKind, Schema};

use crate::commit::Origin;
use crate::error::{Doing, Result, StoreError};
use crate::open::write_schema;
use crate::projection::quoted;
use crate::query::create_table_sql;
use crate::storage::meta;
use crate::storage::records;
use crate::store::Store;

/// Key of `syncline_meta`: names of the models whose tables are to be filled again, one a line.
const STALE: &str = "stale";

/// Records projected in one transaction.
const BATCH: usize = 500;

/// Gives a store without schema its first one.
pub(crate) fn first_schema(db: &Connection, new: &Schema, sdl: &str) -> Result<Schema> {
    let names: Vec<&str> = new.models.iter().map(|model| model.name.as_str()).collect();
    in_transaction(db, || {
        make_tables(db, new, &names)?;
        write_schema(db, new, sdl)?;
        meta::write(db, STALE, &names.join("\n"))
    })?;
    Ok(new.clone())
}

/// Replaces the schema by a compatible one, or refuses and changes nothing.
pub(crate) fn replace_schema(db: &Connection, old: &Schema, new: &Schema, sdl: &str) -> Result<Schema> {
    let mut next = new.clone();
    syncline_schema::continue_names(old, &mut next);
    let refused: Vec<String> = syncline_schema::changes(old, &next)
        .into_iter()
        .filter(|change| change.kind == ChangeKind::Incompatible)
        .map(|change| format!("- {change}"))
        .collect();
    if !refused.is_empty() {
        return Err(StoreError::IncompatibleSchema(refused.join("\n")));
    }
    let stale: Vec<&str> = next
        .models
        .iter()
        .filter(|model| old.model(&model.name).is_none_or(|before| {
            before != *model || create_table_sql(old, before) != create_table_sql(&next, model)
        }))
        .map(|model| model.name.as_str())
        .collect();
    in_transaction(db, || {
        for model in &old.models {
            if stale.contains(&model.name.as_str()) || next.model(&model.name).is_none() {
                db.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&model.name)))
                    .doing("replacing a model's table")?;
            }
        }
        make_tables(db, &next, &stale)?;
        write_schema(db, &next, sdl)?;
        meta::write(db, STALE, &stale.join("\n"))
    })?;
    Ok(next)
}

fn in_transaction(db: &Connection, act: impl FnOnce() -> Result<()>) -> Result<()> {
    db.execute_batch("BEGIN IMMEDIATE").doing("changing the schema")?;
    let outcome = act();
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    db.execute_batch(end).doing("changing the schema")?;
    outcome
}

fn make_tables(db: &Connection, schema: &Schema, names: &[&str]) -> Result<()> {
    for model in schema.models.iter().filter(|model| names.contains(&model.name.as_str())) {
        for sql in create_table_sql(schema, model) {
            db.execute_batch(&sql).doing("making a model's table")?;
        }
    }
    Ok(())
}

/// Fills the tables that a change of schema left empty. Goes on where an earlier process ended.
pub(crate) fn project_again(store: &mut Store) -> Result<()> {
    let Some(stale) = meta::read::<String>(&store.db, STALE)? else { return Ok(()) };
    for name in stale.lines() {
        let Some(model) = store.names.known_model(name) else { continue };
        let mut after = done_until(&store.db, name)?;
        loop {
            let batch = records::of_model(&store.db, model, after, BATCH)?;
            let Some(last) = batch.last().copied() else { break };
            store.write_unnamed(|tx| {
                for record in &batch {
                    tx.judge_again(*record, Origin::Process)?;
                }
                Ok(())
            })?;
            after = last;
        }
    }
    meta::remove(&store.db, STALE)?;
    store.take_commits();
    Ok(())
}

/// The greatest row that the model's table holds already.
fn done_until(db: &Connection, model: &str) -> Result<i64> {
    let sql = format!("SELECT max(syncline_record) FROM {}", quoted(model));
    let row: Option<Option<i64>> = db.query_row(&sql, [], |row| row.get(0)).optional().doing("changing the schema")?;
    Ok(row.flatten().unwrap_or(0))
}
