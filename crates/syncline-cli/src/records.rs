//! Commands that work on records by name: save, update, get, delete, undelete, undo, redo, increment, document; and
//! deletes of all that match.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::Value;
use syncline::{At, DeletedCount, Filter, QueryCondition, Store};

use crate::args::{ConditionArgs, DeleteArgs, GetArgs, IncrementArgs, RecordArgs, SaveArgs, UpdateArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Out;
use crate::{json, query, store};

pub(crate) async fn save(args: SaveArgs, out: &mut Out) -> Outcome {
    let SaveArgs { db, model, json, key, only_if } = args;
    let record = match json::any(&json, "the record")? {
        Value::Array(records) => {
            if !key.is_empty() || only_if.condition.is_some() {
                return Err(Failure::usage("--key and --if take one record, not an array"));
            }
            return save_all(&db, &model, records, out).await;
        }
        one => json::as_object(one, "the record")?,
    };
    let saved = store::with(&db, async |store| {
        Ok(match condition(store, &model, only_if)? {
            Some(condition) => store.save_if_json(&model, record, condition).await?,
            None => {
                let key: Vec<&str> = key.iter().map(|field| field.trim()).collect();
                store.upsert_json(&model, record, &key).await?
            }
        })
    });
    out.json(&saved.await?.record)
}

async fn save_all(db: &Path, model: &str, records: Vec<Value>, out: &mut Out) -> Outcome {
    let name = |index: usize| format!("record [{index}] of the array");
    let records = records.into_iter().enumerate().map(|(index, one)| json::as_object(one, &name(index)));
    let records = records.collect::<Outcome<Vec<_>>>()?;
    let saved = store::with(db, async |store| Ok(store.save_all_json(model, records).await?)).await?;
    saved.iter().try_for_each(|one| out.json(&one.record))
}

pub(crate) async fn update(args: UpdateArgs, out: &mut Out) -> Outcome {
    let patch = json::object(&args.json, "the patch")?;
    let RecordArgs { db, model, id } = args.record;
    let saved = store::with(&db, async |store| {
        Ok(match condition(store, &model, args.only_if)? {
            Some(condition) => store.update_if_json(&model, &id, patch, condition).await?,
            None => store.update_json(&model, &id, patch).await?,
        })
    });
    out.json(&saved.await?.record)
}

pub(crate) async fn get(args: GetArgs, out: &mut Out) -> Outcome {
    let GetArgs { record: RecordArgs { db, model, id }, at } = args;
    if let Some(at) = at {
        let moment: At = at.parse().map_err(|error| Failure::usage(format!("--at: {error}")))?;
        return match store::with(&db, async |store| Ok(store.get_at_json(&model, &id, moment).await?)).await? {
            Some(record) => out.json(&record),
            None => Err(Failure::failed(format!("{model} {id} was not there then, or was deleted"))),
        };
    }
    match store::with(&db, async |store| Ok(store.get_json(&model, &id).await?)).await? {
        Some(record) => out.json(&record),
        None => Err(Failure::failed(format!("there is no {model} {id}; if it was deleted, `undelete` brings it back"))),
    }
}

pub(crate) async fn delete(args: DeleteArgs, out: &mut Out) -> Outcome {
    let DeleteArgs { db, model, id, where_text, filter, all, in_parts, only_if } = args;
    let Some(id) = id else {
        let which = Which { where_text, filter, all };
        return delete_where(&db, &model, which, in_parts, only_if, out).await;
    };
    let saved = store::with(&db, async |store| {
        Ok(match condition(store, &model, only_if)? {
            Some(condition) => store.delete_if_json(&model, &id, condition).await?,
            None if in_parts => store.delete_in_parts_json(&model, &id).await?,
            None => store.delete_json(&model, &id).await?,
        })
    });
    out.json(&saved.await?.record)
}

/// Which records a delete means that names none by its id.
struct Which {
    where_text: Option<String>,
    filter: Option<String>,
    all: bool,
}

async fn delete_where(
    db: &Path,
    model: &str,
    which: Which,
    in_parts: bool,
    only_if: ConditionArgs,
    out: &mut Out,
) -> Outcome {
    if only_if.condition.is_some() {
        return Err(Failure::usage(
            "--if is asked of one record, named by its ID; --where and --filter say which records",
        ));
    }
    let count = store::with(db, async |store| {
        let schema = store::schema(store)?;
        let condition = query::condition(schema, store::model(schema, model)?, which.where_text, which.filter)?;
        if !which.all && matches!(&condition, QueryCondition::Filter(filter) if is_all(filter)) {
            return Err(Failure::usage(format!("the filter matches every {model}: say --all to delete them all")));
        }
        Ok(if in_parts {
            store.delete_where_in_parts_json(model, condition).await?
        } else {
            let deleted = store.delete_where_json(model, condition).await?;
            DeletedCount { records: deleted.records.len() as u64, along: deleted.along.len() as u64 }
        })
    });
    let count = count.await?;
    out.json(&serde_json::json!({ "deleted": count.records, "along": count.along }))
}

/// Whether a filter asks nothing, as one does that a script built of no parts.
fn is_all(filter: &Filter) -> bool {
    match filter {
        Filter::All => true,
        Filter::And(parts) => parts.iter().all(is_all),
        Filter::Or(parts) => parts.iter().any(is_all),
        Filter::Not(part) => is_none(part),
        _ => false,
    }
}

/// Whether a filter matches nothing, for it has no parts that could.
fn is_none(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().any(is_none),
        Filter::Or(parts) => parts.iter().all(is_none),
        Filter::Not(part) => is_all(part),
        _ => false,
    }
}

/// What `--if` asks: filter JSON, which is an object, or WHERE text, which never begins like one.
fn condition(store: &Store, model: &str, args: ConditionArgs) -> Outcome<Option<QueryCondition>> {
    let Some(text) = args.condition else { return Ok(None) };
    let schema = store::schema(store)?;
    let model = store::model(schema, model)?;
    let is_json = text.trim_start().starts_with('{');
    let (where_text, filter) = if is_json { (None, Some(text)) } else { (Some(text), None) };
    Ok(Some(query::condition(schema, model, where_text, filter)?))
}

pub(crate) async fn undelete(args: RecordArgs, out: &mut Out) -> Outcome {
    let RecordArgs { db, model, id } = args;
    let saved = store::with(&db, async |store| Ok(store.undelete_json(&model, &id).await?)).await?;
    out.json(&saved.record)
}

pub(crate) async fn undo(args: RecordArgs, out: &mut Out) -> Outcome {
    let RecordArgs { db, model, id } = args;
    let saved = store::with(&db, async |store| Ok(store.undo_json(&model, &id).await?)).await?;
    out.json(&saved.record)
}

pub(crate) async fn redo(args: RecordArgs, out: &mut Out) -> Outcome {
    let RecordArgs { db, model, id } = args;
    let saved = store::with(&db, async |store| Ok(store.redo_json(&model, &id).await?)).await?;
    out.json(&saved.record)
}

pub(crate) async fn increment(args: IncrementArgs, out: &mut Out) -> Outcome {
    let IncrementArgs { record: RecordArgs { db, model, id }, field, by } = args;
    let increment = async |store: &Store| Ok(store.increment_json(&model, &id, &field, by).await?);
    let saved = store::with(&db, increment).await?;
    out.json(&saved.record)
}

pub(crate) async fn document(args: RecordArgs, out: &mut Out) -> Outcome {
    if std::io::stdout().is_terminal() {
        return Err(Failure::usage("the document is binary: redirect it to a file, as in `… > record.automerge`"));
    }
    let RecordArgs { db, model, id } = args;
    let bytes = store::with(&db, async |store| Ok(store.document(&model, &id).await?)).await?;
    out.bytes(&bytes)
}
