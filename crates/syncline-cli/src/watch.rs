//! `watch`: a query's result, then every difference as it happens.

use serde_json::json;
use syncline::{LiveQuery, Store};

use crate::args::WatchArgs;
use crate::failure::Outcome;
use crate::output::Out;
use crate::{query, store};

pub(crate) async fn run(args: WatchArgs, out: &mut Out) -> Outcome {
    store::with(&args.selection.db, async |store| {
        tokio::select! {
            outcome = follow(store, &args, out) => outcome,
            outcome = store::interrupted() => outcome,
        }
    })
    .await
}

async fn follow(store: &Store, args: &WatchArgs, out: &mut Out) -> Outcome {
    let mut query = query::build(store::schema(store)?, &args.selection)?;
    query.offset = args.offset.unwrap_or(0);
    let mut live = store.observe_query_json(query);
    let mut was_synced = first(&mut live, out).await?;
    while let Some(snapshot) = live.next().await {
        let snapshot = snapshot?;
        for change in &snapshot.changes {
            out.json(change)?;
        }
        if snapshot.is_synced && !was_synced {
            was_synced = true;
            out.json(&json!({"change": "synced"}))?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Prints the result as it stands. Whether peers have said that it is complete.
async fn first(live: &mut LiveQuery, out: &mut Out) -> Outcome<bool> {
    let Some(snapshot) = live.next().await else { return Ok(false) };
    let snapshot = snapshot?;
    for (index, record) in snapshot.items.iter().enumerate() {
        out.json(&json!({"change": "result", "index": index, "record": **record}))?;
    }
    let records = snapshot.items.len();
    out.json(&json!({"change": "ready", "records": records, "is_synced": snapshot.is_synced}))?;
    out.flush()?;
    Ok(snapshot.is_synced)
}
