//! `vector` and `compare`: causal positions.

use serde_json::{Map, Value, json};
use syncline::{Causal, Token};

use crate::args::{CompareArgs, VectorArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Out;
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
