//! Opening with another schema: what changes in the file, and what is refused.
//!
//! The log is never rewritten. Tables of models that changed are made anew and filled from the records'
//! states; records that no schema had looked at yet are judged from the log.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use syncline_schema::{ChangeKind, Element, ElementKind, EmbeddedType, Field, FieldKind, Model, Schema};

use crate::commit::Origin;
use crate::error::{Doing, Result, StoreError};
use crate::open::write_schema;
use crate::projection::quoted;
use crate::query::{create_key_index_sql, create_table_sql, is_relation_index, key_index, relation_index_sql};
use crate::storage::conflicts;
use crate::storage::fulltext;
use crate::storage::meta;
use crate::storage::records;
use crate::store::{Migration, OnMigration, Store};

/// Key of `syncline_meta`: the models whose tables are to be filled again, one a line, each with the row of
/// `syncline_records` up to which that is done.
const STALE: &str = "stale";

/// Records projected in one transaction.
const BATCH: usize = 500;

/// Gives a store without schema its first one.
pub(crate) fn first_schema(db: &Connection, new: &Schema, sdl: &str) -> Result<Schema> {
    let names: Vec<&str> = new.models.iter().map(|model| model.name.as_str()).collect();
    in_transaction(db, || {
        make_tables(db, new, &names)?;
        write_schema(db, new, sdl)?;
        mark_stale(db, new, &names)
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
        .filter(|model| {
            old.model(&model.name).is_none_or(|before| {
                // Relations are no part of a table; the indexes they need are made at every open that lacks one.
                let alike = Model { relations: model.relations.clone(), ..before.clone() };
                alike != **model
                    || embedded_in(old, before) != embedded_in(&next, model)
                    || create_table_sql(old, before) != create_table_sql(&next, model)
            })
        })
        .map(|model| model.name.as_str())
        .collect();
    in_transaction(db, || {
        for model in &old.models {
            if stale.contains(&model.name.as_str()) || next.model(&model.name).is_none() {
                fulltext::drop_index(db, model)?;
                db.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&model.name)))
                    .doing("replacing a model's table")?;
                conflicts::forget_model(db, model)?;
            }
        }
        make_tables(db, &next, &stale)?;
        write_schema(db, &next, sdl)?;
        mark_stale(db, &next, &stale)
    })?;
    Ok(next)
}

/// The types that stand in a model's fields, and those in theirs: its table shows what is in them.
fn embedded_in<'a>(schema: &'a Schema, model: &'a Model) -> BTreeMap<&'a str, &'a EmbeddedType> {
    let mut found = BTreeMap::new();
    let mut unseen: Vec<&Field> = model.fields.iter().collect();
    while let Some(field) = unseen.pop() {
        let (FieldKind::Embedded(name)
        | FieldKind::List(Element { kind: ElementKind::Embedded(name), .. })
        | FieldKind::Set(Element { kind: ElementKind::Embedded(name), .. })) = &field.kind
        else {
            continue;
        };
        if let Some(embedded) = schema.embedded_type(name)
            && found.insert(name.as_str(), embedded).is_none()
        {
            unseen.extend(&embedded.fields);
        }
    }
    found
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

/// What format 3 changed in the tables of models: the index on the key is no unique one, and a counter's column shows
/// the sum of what stands at its key.
pub(crate) fn to_format_3(db: &Connection, schema: &Schema) -> Result<()> {
    let counts = |fields: &[Field]| fields.iter().any(|field| field.kind == FieldKind::Counter);
    let has_counters = |model: &Model| {
        counts(&model.fields) || embedded_in(schema, model).values().any(|embedded| counts(&embedded.fields))
    };
    for model in &schema.models {
        let (index, create) = (quoted(&key_index(model)), create_key_index_sql(model));
        db.execute_batch(&format!("DROP INDEX IF EXISTS {index}; {create};")).doing("making an index anew")?;
    }
    let names: Vec<&str> = schema.models.iter().filter(|model| has_counters(model)).map(|model| &*model.name).collect();
    mark_stale(db, schema, &names)
}

/// Notes which tables are to be filled, besides those that an earlier change of schema left unfilled.
fn mark_stale(db: &Connection, schema: &Schema, names: &[&str]) -> Result<()> {
    let mut stale: Stale = read_stale(db)?.into_iter().filter(|(name, _)| schema.model(name).is_some()).collect();
    stale.extend(names.iter().map(|name| ((*name).to_owned(), 0)));
    write_stale(db, &stale)
}

/// Whether tables are left to be filled.
pub(crate) fn is_stale(db: &Connection) -> Result<bool> {
    Ok(!read_stale(db)?.is_empty())
}

/// Model → the row up to which its table is filled.
type Stale = BTreeMap<String, i64>;

fn read_stale(db: &Connection) -> Result<Stale> {
    let text: String = meta::read(db, STALE)?.unwrap_or_default();
    let entry = |line: &str| {
        let (name, done) = line.split_once(' ').unwrap_or((line, "0"));
        (name.to_owned(), done.parse().unwrap_or(0))
    };
    Ok(text.lines().map(entry).collect())
}

fn write_stale(db: &Connection, stale: &Stale) -> Result<()> {
    if stale.is_empty() {
        return meta::remove(db, STALE);
    }
    let lines: Vec<String> = stale.iter().map(|(name, done)| format!("{name} {done}")).collect();
    meta::write(db, STALE, &lines.join("\n"))
}

/// Makes the indexes that relations need and that the file lacks, as one of an older layout does, and drops those that
/// they needed under another schema.
pub(crate) fn index_relations(store: &mut Store) -> Result<()> {
    let Some(schema) = store.schema().cloned() else { return Ok(()) };
    let wanted: BTreeMap<String, String> =
        schema.models.iter().flat_map(|model| relation_index_sql(&schema, model)).collect();
    let held = indexes(&store.db)?;
    let declared = |name: &str| {
        let (model, index) = name.split_once('.').unwrap_or((name, ""));
        schema.model(model).is_some_and(|model| model.indexes.iter().any(|declared| declared.name == index))
    };
    let gone = held.iter().filter(|name| is_relation_index(name) && !wanted.contains_key(*name) && !declared(name));
    let drop = gone.map(|name| format!("DROP INDEX {}", quoted(name)));
    let make = wanted.iter().filter(|(name, _)| !held.contains(*name)).map(|(_, sql)| sql.clone());
    let statements: Vec<String> = drop.chain(make).collect();
    if statements.is_empty() {
        return Ok(());
    }
    in_transaction(&store.db, || {
        // Another process may have been faster.
        let held_now = indexes(&store.db)?;
        if held_now != held {
            return Ok(());
        }
        statements.iter().try_for_each(|sql| store.db.execute_batch(sql)).doing("indexing relations")
    })
}

/// Names of the indexes that stand in the file.
fn indexes(db: &Connection) -> Result<BTreeSet<String>> {
    db.prepare("SELECT name FROM sqlite_master WHERE type = 'index'")
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .doing("reading the indexes")
}

/// Fills the tables that a change of schema left empty. Goes on where an earlier process ended: how far it came
/// is written with each batch, for rows of later records may stand in the table already.
pub(crate) fn project_again(store: &mut Store, progress: Option<&OnMigration>) -> Result<()> {
    let mut filling: Option<Migration> = None;
    loop {
        let mut stale = read_stale(&store.db)?;
        let Some((name, after)) = stale.first_key_value().map(|(name, after)| (name.clone(), *after)) else {
            break;
        };
        let numbers = store.schema().and_then(|schema| schema.model(&name)).map(|model| store.names.numbers_of(model));
        let numbers = numbers.unwrap_or_default();
        if progress.is_some() && filling.as_ref().is_none_or(|filling| filling.model != name) {
            let (done, total) = records::counts_of_model(&store.db, &numbers, after)?;
            filling = Some(Migration { model: name.clone(), done, total });
        }
        let batch = records::of_model(&store.db, &numbers, after, BATCH)?;
        match batch.last() {
            Some(last) => stale.insert(name, *last),
            None => stale.remove(&name),
        };
        store.write_unnamed(|tx| {
            batch.iter().try_for_each(|record| tx.judge_again(*record, Origin::Process))?;
            write_stale(tx.db, &stale)
        })?;
        store.take_commits();
        if let (Some(progress), Some(filling), false) = (progress, &mut filling, batch.is_empty()) {
            filling.done += batch.len() as u64;
            progress.tell(filling);
        }
    }
    Ok(())
}
