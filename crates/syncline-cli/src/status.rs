//! `status` and `verify`: what a store holds, and whether it is sound.

use serde_json::{Value, json};
use syncline::Status;

use crate::args::StoreArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, byte_size, counted, grouped, moment};
use crate::store;

pub(crate) async fn run(args: StoreArgs, out: &mut Out) -> Outcome {
    let status = store::with(&args.db, async |store| Ok(store.status().await?)).await?;
    if args.json { out.json(&status) } else { out.line(text(&status)) }
}

/// The status for people: one subject per line.
fn text(status: &Status) -> String {
    let store = &status.store;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
    line("replica", store.replica.clone().unwrap_or_else(|| "none yet: nothing was written here".to_owned()));
    line("namespace", store.namespace.clone());
    let records: Vec<String> =
        store.records.iter().map(|(model, count)| format!("{} {model}", number(count))).collect();
    line("records", if records.is_empty() { "none".to_owned() } else { records.join(", ") });
    let replicas = counted(store.version_vector.len() as u64, "replica");
    line("changes", format!("{} by {replicas}", grouped(store.changes)));
    let outbox = store.outbox;
    line(
        "outbox",
        format!(
            "{} pending, {} acknowledged, {} rejected",
            grouped(outbox.pending),
            grouped(outbox.acknowledged),
            grouped(outbox.rejected)
        ),
    );
    line("file", byte_size(store.file_bytes));
    // The rest is listed where there is any.
    for peer in &store.peers {
        let kind = if peer.relay { "relay" } else { "replica" };
        let (received, acknowledged) = (grouped(peer.received), grouped(peer.acknowledged));
        let place = place(&peer.address);
        line("peer", format!("{kind} {}{place}: received {received}, acknowledged {acknowledged}", peer.store));
    }
    for replica in &store.forked {
        line("forked", format!("{replica}: two histories were found under it, so it is retired"));
    }
    for renewal in &store.renewals {
        let why = serde_json::to_value(renewal.why).ok().and_then(|why| why.as_str().map(|why| why.replace('-', " ")));
        let (at, why) = (moment(renewal.at), why.unwrap_or_default());
        line("renewed", format!("{at} from {} to {}: {why}", renewal.from, renewal.to));
    }
    for change in &store.quarantined {
        line("quarantined", format!("change {} of {} {}: {}", change.seq, change.model, change.record, change.reason));
    }
    lines.join("\n")
}

/// Where a peer was met; its pin would only be in the way of reading.
fn place(address: &str) -> String {
    match address.split('?').next() {
        None | Some("") => String::new(),
        Some(address) => format!(" at {address}"),
    }
}

fn number(count: &Value) -> String {
    count.as_u64().map_or_else(|| count.to_string(), grouped)
}

pub(crate) async fn verify(args: StoreArgs, out: &mut Out) -> Outcome {
    let report = store::with(&args.db, async |store| Ok(store.verify().await?)).await?;
    let looked = format!("{} of {}", counted(report.changes, "change"), counted(report.records, "record"));
    if args.json {
        let mut json = serde_json::to_value(&report).map_err(Failure::failed)?;
        json["ok"] = json!(report.is_ok());
        out.json(&json)?;
    } else if report.is_ok() {
        out.line(format_args!("ok: {looked}"))?;
    } else {
        for fault in &report.faults {
            out.line(fault)?;
        }
    }
    out.flush()?;
    if report.is_ok() {
        return Ok(());
    }
    let faults = counted(report.faults.len() as u64, "fault");
    Err(Failure::failed(format!("{} has {faults} in {looked}", args.db.display())))
}
