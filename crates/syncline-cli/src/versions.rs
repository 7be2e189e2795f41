//! `vector`, `compare` and `history`: causal positions, and how a record came to be.

use std::io::IsTerminal;

use serde_json::{Map, Value, json};
use syncline::{Causal, HistoryEntry, Token};

use crate::args::{CompareArgs, HistoryArgs, RecordArgs, VectorArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, stdout_is_colored, styled};
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

/// Milliseconds since 1970 as a date and time in UTC.
fn moment(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1000);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date that lies so many days after 1970-01-01, counting years from March so that leap days come last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, in_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_in_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(moment(1_795_071_599_999), "2026-11-19 02:59:59");
        assert_eq!(moment(-1), "1969-12-31 23:59:59");
    }
}
