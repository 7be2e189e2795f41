//! `status` and `verify`: what a store holds, and whether it is sound.

use serde_json::{Value, json};

use crate::args::StoreArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, byte_size, counted, grouped};
use crate::store;

pub(crate) async fn run(args: StoreArgs, out: &mut Out) -> Outcome {
    let status = store::with(&args.db, async |store| Ok(store.status().await?)).await?;
    let status = serde_json::to_value(status).map_err(Failure::failed)?;
    if args.json {
        return out.json(&status);
    }
    out.line(text(&status))
}

/// The status for people: one subject per line.
fn text(status: &Value) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
    line("replica", status["replica"].as_str().unwrap_or("none yet: nothing was written here").to_owned());
    line("namespace", plain(&status["namespace"]));
    let records = status["records"].as_object().into_iter().flatten();
    let records: Vec<String> = records.map(|(model, count)| format!("{} {model}", number(count))).collect();
    line("records", if records.is_empty() { "none".to_owned() } else { records.join(", ") });
    let replicas = status["version_vector"].as_object().map_or(0, serde_json::Map::len);
    let written = format!("{} by {}", number(&status["changes"]), counted(replicas as u64, "replica"));
    line("changes", written);
    let outbox = &status["outbox"];
    line(
        "outbox",
        format!(
            "{} pending, {} acknowledged, {} rejected",
            number(&outbox["pending"]),
            number(&outbox["acknowledged"]),
            number(&outbox["rejected"])
        ),
    );
    line("file", byte_size(status["file_bytes"].as_u64().unwrap_or(0)));
    // The rest is listed where there is any.
    for (name, label) in
        [("peers", "peer"), ("forked", "forked"), ("renewals", "renewed"), ("quarantined", "quarantined")]
    {
        for item in status[name].as_array().into_iter().flatten() {
            line(label, described(item));
        }
    }
    lines.join("\n")
}

fn described(item: &Value) -> String {
    match item.as_object() {
        Some(members) => {
            let known = members.iter().filter(|(_, value)| !value.is_null());
            known
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value)))
                .collect::<Vec<_>>()
                .join(", ")
        }
        None => plain(item),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| value.to_string(), grouped)
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
