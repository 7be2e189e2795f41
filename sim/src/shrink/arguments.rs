//! Smaller arguments: numbers towards nothing, texts and values shorter, lines and clocks plain.

use serde_json::{Map, Value};

use super::{Pass, Search, parts};
use crate::failure::Failure;
use crate::schedule::{Action, Event, Line, Node, Schedule};

/// Makes the arguments of events, nodes and links as simple as the failure allows.
pub(super) fn simplify(search: &mut Search<'_>) {
    search.pass = Pass::Arguments;
    plain_fleet(search);
    for index in 0..search.best.events.len() {
        simplify_event(search, index);
    }
}

fn plain_fleet(search: &mut Search<'_>) {
    for index in 0..search.best.fleet.nodes.len() {
        let mut plain = search.best.clone();
        let node = &mut plain.fleet.nodes[index];
        let starts_at_ms = node.starts_at_ms.map(|_| 0);
        *node = Node { starts_at_ms, clock_off_ms: 0, disk_sync_ms: 1, ..node.clone() };
        search.try_out(plain);
    }
    for index in 0..search.best.fleet.links.len() {
        let mut plain = search.best.clone();
        plain.fleet.links[index].line = Line { latency_ms: 1, jitter_ms: 0, bytes_per_s: 0 };
        search.try_out(plain);
    }
}

fn simplify_event(search: &mut Search<'_>, index: usize) {
    let members = parts::members(&search.best.events[index].action);
    for (member, value) in members {
        match value {
            Value::Number(number) if is_amount(&member) => {
                if let Some(number) = number.as_i64() {
                    lower(search, index, &member, number);
                }
            }
            Value::String(text) if member == "insert" => shorten(search, index, &member, &text),
            Value::String(text) if member == "values" => simplify_values(search, index, &member, &text),
            Value::Array(writes) if member == "writes" => leave_out_writes(search, index, writes.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            }
        }
    }
}

/// Whether a number says how much, and not which.
fn is_amount(member: &str) -> bool {
    !matches!(member, "record" | "observe" | "backup")
}

/// Tries 0, 1, then halves the way to the smallest number that still fails.
fn lower(search: &mut Search<'_>, index: usize, member: &str, number: i64) {
    let attempt = |search: &mut Search<'_>, value: i64| {
        let candidate = with(&search.best, index, member, Value::from(value));
        candidate.is_some_and(|candidate| search.try_out(candidate))
    };
    if number.unsigned_abs() <= 1 {
        return;
    }
    let simplest = [0, number.signum()].into_iter();
    let simplest = simplest.filter_map(|value| with(&search.best, index, member, Value::from(value))).collect();
    if search.try_first(simplest).is_some() {
        return;
    }
    let mut fails = number;
    // A third of the binary digits tells the size; the rest is noise to a reader.
    for _ in 0..8 {
        let half = fails / 2;
        if half == 0 || search.stopped || !attempt(search, half) {
            break;
        }
        fails = half;
    }
}

fn shorten(search: &mut Search<'_>, index: usize, member: &str, text: &str) {
    let letters = text.chars().count();
    let keeps = [0, 1, letters / 8, letters / 2].into_iter().filter(|keep| *keep < letters);
    let shorter = keeps.filter_map(|keep| {
        let short: String = text.chars().take(keep).collect();
        with(&search.best, index, member, Value::String(short))
    });
    let shorter = shorter.collect();
    search.try_first(shorter);
}

/// Fields away, then texts, lists and numbers among them as small as they go.
fn simplify_values(search: &mut Search<'_>, index: usize, member: &str, text: &str) {
    let Ok(mut values) = serde_json::from_str::<Map<String, Value>>(text) else { return };
    let attempt = |search: &mut Search<'_>, values: &Map<String, Value>| {
        let text = Value::String(Value::Object(values.clone()).to_string());
        let candidate = with(&search.best, index, member, text);
        candidate.is_some_and(|candidate| search.try_out(candidate))
    };
    let names: Vec<String> = values.keys().cloned().collect();
    for name in names {
        let mut fewer = values.clone();
        fewer.shift_remove(&name);
        if attempt(search, &fewer) {
            values = fewer;
            continue;
        }
        let Some(simple) = values.get(&name).and_then(simplest) else { continue };
        let mut simpler = values.clone();
        simpler.insert(name, simple);
        if attempt(search, &simpler) {
            values = simpler;
        }
    }
}

/// The simplest value of the kind, if this one is not.
fn simplest(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) if text.chars().count() > 1 => Some(Value::String(text.chars().take(1).collect())),
        Value::Array(list) if !list.is_empty() => Some(Value::Array(Vec::new())),
        Value::Number(number) if number.as_i64() != Some(0) => Some(Value::from(0)),
        Value::Bool(true) => Some(Value::Bool(false)),
        Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

fn leave_out_writes(search: &mut Search<'_>, index: usize, count: usize) {
    for place in (0..count).rev() {
        let members = parts::members(&search.best.events[index].action);
        let Some(Value::Array(mut writes)) = members.get("writes").cloned() else { return };
        if writes.len() < 2 || place >= writes.len() {
            continue;
        }
        writes.remove(place);
        if let Some(candidate) = with(&search.best, index, "writes", Value::Array(writes)) {
            search.try_out(candidate);
        }
    }
}

/// The schedule with one member of one event replaced; `None` if that is no action, or one that no file may hold.
fn with(schedule: &Schedule, index: usize, member: &str, value: Value) -> Option<Schedule> {
    let mut members = parts::members(&schedule.events[index].action);
    members.insert(member.to_owned(), value);
    let mut changed = schedule.clone();
    changed.events[index].action = parts::action(members)?;
    is_readable(schedule, &changed.events[index]).then_some(changed)
}

/// Whether a create still makes a record: one without a required field is refused where the file is read.
fn is_readable(schedule: &Schedule, event: &Event) -> bool {
    if !matches!(event.action, Action::Create { .. }) {
        return true;
    }
    let alone = Schedule { events: vec![event.clone()], ..schedule.clone() };
    Failure::from_toml("candidate", &Failure::of_schedule("", alone).to_toml()).is_ok()
}
