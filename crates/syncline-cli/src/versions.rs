//! `vector`, `compare` and `history`: causal positions, and how a record came to be.

use std::io::IsTerminal;

use serde_json::{Map, Value, json};
use syncline::{Causal, HistoryEntry, Token};

use crate::args::{CompareArgs, HistoryArgs, RecordArgs, VectorArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, moment, stdout_is_colored, styled};
use crate::store;

pub(crate) async fn vector(args: VectorArgs, out: &mut Out) -> Outcome {
    let token = store::with(&args.db, async |store| {
        Ok(match (&args.model, &args.id) {
            (Some(model), Some(id)) => store.record_version(model, id).await?,
            _ => store.version().await?,
        })
    })
    .await?;
    if !args.json {
        return out.line(token);
    }
    let entries: Map<String, Value> =
        token.entries().map(|(replica, entry)| (replica.to_string(), json!(entry.counter))).collect();
    out.json(&json!({"token": token.to_string(), "entries": entries}))
}

pub(crate) fn compare(args: &CompareArgs, out: &mut Out) -> Outcome {
    let (left, right) = (token(&args.left, "first")?, token(&args.right, "second")?);
    if !left.is_comparable(&right) {
        return Err(Failure::failed("the tokens are of different namespaces: neither says anything about the other"));
    }
    let relation = match left.version().compare(&right.version()) {
        Causal::Equal => "equal",
        Causal::Before => "before",
        Causal::After => "after",
        Causal::Concurrent => "concurrent",
    };
    if args.json { out.json(&json!({"relation": relation})) } else { out.line(relation) }
}

fn token(text: &str, which: &str) -> Outcome<Token> {
    text.trim().parse().map_err(|error| Failure::usage(format!("the {which} token cannot be read: {error}")))
}

pub(crate) async fn history(args: HistoryArgs, out: &mut Out) -> Outcome {
    let RecordArgs { db, model, id } = args.record;
    let entries = store::with(&db, async |store| Ok(store.history(&model, &id).await?)).await?;
    let as_table = std::io::stdout().is_terminal() && !args.json;
    for entry in &entries {
        if as_table {
            out.line(row(entry))?;
        } else {
            out.json(entry)?;
        }
    }
    Ok(())
}

fn row(entry: &HistoryEntry) -> String {
    let colored = stdout_is_colored();
    let replica = entry.replica.get(..8).unwrap_or("(here)");
    let who = styled(format_args!("{replica}:{}", entry.counter), "36", colored);
    let kind = if entry.kind == "applied" { String::new() } else { format!(" [{}]", entry.kind) };
    let wrote = serde_json::to_string(&entry.wrote).unwrap_or_default();
    format!("{} {who}{kind} {wrote}", styled(moment(entry.time_ms), "2", colored))
}
