//! Commands that work on one record: save, update, get, delete, undelete, undo, redo, increment, document.

use std::io::IsTerminal;

use syncline::At;

use crate::args::{DeleteArgs, GetArgs, IncrementArgs, RecordArgs, SaveArgs, UpdateArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Out;
use crate::{json, store};

pub(crate) async fn save(args: SaveArgs, out: &mut Out) -> Outcome {
    let record = json::object(&args.json, "the record")?;
    let saved = store::with(&args.db, async |store| Ok(store.save_json(&args.model, record).await?)).await?;
    out.json(&saved.record)
}

pub(crate) async fn update(args: UpdateArgs, out: &mut Out) -> Outcome {
    let patch = json::object(&args.json, "the patch")?;
    let RecordArgs { db, model, id } = args.record;
    let saved = store::with(&db, async |store| Ok(store.update_json(&model, &id, patch).await?)).await?;
    out.json(&saved.record)
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
    let DeleteArgs { record: RecordArgs { db, model, id }, in_parts } = args;
    let saved = store::with(&db, async |store| {
        Ok(if in_parts {
            store.delete_in_parts_json(&model, &id).await?
        } else {
            store.delete_json(&model, &id).await?
        })
    });
    out.json(&saved.await?.record)
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
    let increment = async |store: &syncline::Store| Ok(store.increment_json(&model, &id, &field, by).await?);
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
