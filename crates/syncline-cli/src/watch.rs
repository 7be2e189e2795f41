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
    first(&mut live, out).await?;
    while let Some(snapshot) = live.next().await {
        let snapshot = snapshot?;
        for change in &snapshot.changes {
            out.json(change)?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Prints the result as it stands.
async fn first(live: &mut LiveQuery, out: &mut Out) -> Outcome {
    let Some(snapshot) = live.next().await else { return Ok(()) };
    let snapshot = snapshot?;
    for (index, record) in snapshot.items.iter().enumerate() {
        out.json(&json!({"change": "result", "index": index, "record": **record}))?;
    }
    // Without a link this is never true.
    out.json(&json!({"change": "ready", "records": snapshot.items.len(), "is_synced": snapshot.is_synced}))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::args::Cli;

    /// The help promised a line that only a program with a link of its own could print.
    #[test]
    fn the_help_promises_no_line_that_needs_a_link() {
        let mut program = Cli::command();
        let help = program.find_subcommand_mut("watch").unwrap().render_long_help().to_string();
        assert!(help.contains("\"ready\"") && !help.contains("\"synced\""), "{help}");
    }
}
