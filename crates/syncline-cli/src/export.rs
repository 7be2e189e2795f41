//! `export`: every record as NDJSON, page by page.

use syncline::{Record, Store};

use crate::args::ExportArgs;
use crate::failure::Outcome;
use crate::output::Out;
use crate::store;

/// Records read at a time.
const PAGE_RECORDS: u64 = 1000;

/// Column that names a record's model where one file holds several; no field can have this name.
pub(crate) const MODEL_COLUMN: &str = "__typename";

pub(crate) async fn run(args: ExportArgs, out: &mut Out) -> Outcome {
    store::with(&args.db, async |store| {
        let schema = store::schema(store)?;
        if let Some(name) = &args.model {
            return model(store, &store::model(schema, name)?.name, false, out).await;
        }
        let mark = schema.models.len() > 1;
        for each in &schema.models {
            model(store, &each.name, mark, out).await?;
        }
        Ok(())
    })
    .await
}

async fn model(store: &Store, name: &str, mark: bool, out: &mut Out) -> Outcome {
    let mut after = None;
    loop {
        let page = store.export_page(name, after, PAGE_RECORDS).await?;
        for record in page.records {
            out.json(&marked(record, mark.then_some(name)))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn marked(mut record: Record, model: Option<&str>) -> Record {
    if let Some(model) = model {
        record.insert(MODEL_COLUMN.to_owned(), model.into());
    }
    record
}
