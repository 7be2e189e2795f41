//! A failure as TOML that is pleasant to read.

use std::fmt::Write as _;

use serde_json::Value;

use super::Failure;
use crate::outcome::{ClockTime, Violation};
use crate::scenario::forms::{Form, Param, Shape};
use crate::scenario::topology::{line_shown, role_word};
use crate::scenario::units;
use crate::schedule::{Action, Chance, Durability, Event, Expect, Fleet, Line, Link, Node};

pub(super) fn failure(failure: &Failure) -> String {
    let mut out = String::new();
    head(&mut out, failure);
    let schedule = &failure.schedule;
    let version = match schedule.chance {
        Chance::Count => "1",
        Chance::Moment => "2",
    };
    key(&mut out, "version", version);
    key(&mut out, "program", &quoted(&failure.program));
    key(&mut out, "hash", &quoted(&failure.hash));
    key(&mut out, "scenario", &quoted(&schedule.scenario));
    key(&mut out, "seed", &number(schedule.seed));
    key(&mut out, "duration", &time(schedule.duration_ms));
    expect(&mut out, &schedule.expect);
    fleet(&mut out, &schedule.fleet);
    events(&mut out, &schedule.events);
    key(&mut out, "\nschema", &long(&schedule.schema));
    if let Some(newer) = &schedule.newer_schema {
        key(&mut out, "\nnewer_schema", &long(newer));
    }
    if !failure.story.is_empty() {
        key(&mut out, "\nstory", &long(&failure.story));
    }
    if failure.has_failed() {
        violation(&mut out, &failure.violation);
    }
    out
}

/// What failed, and how to see it again.
fn head(out: &mut String, failure: &Failure) {
    let violation = &failure.violation;
    if failure.has_failed() {
        let text = format!("{violation}");
        let mut lines = text.lines();
        let _ = writeln!(out, "# Failed: {}", lines.next().unwrap_or_default());
        lines.for_each(|line| {
            let _ = writeln!(out, "#   {line}");
        });
    }
    out.push_str(
        "# To see it again:     syncline sim replay THIS-FILE\n\
         # To make it smaller:  syncline sim shrink THIS-FILE\n\
         # To have it told:     syncline sim explain THIS-FILE\n\
         # Every event of the run stands below; `record`, `backup` and `observe` name the event that made what they\n\
         # are about. An event whose other one is taken out does nothing.\n\n",
    );
}

fn expect(out: &mut String, expect: &Expect) {
    let (within, most) = (time(expect.converge_within_ms), expect.resent_max_percent);
    key(out, "expect", &format!("{{ converge_within = {within}, resent_max = {} }}", number(most)));
}

fn fleet(out: &mut String, fleet: &Fleet) {
    list(out, "node", fleet.nodes.iter().map(node));
    list(out, "link", fleet.links.iter().map(link));
}

fn events(out: &mut String, events: &[Event]) {
    list(out, "event", events.iter().map(event));
}

fn node(node: &Node) -> String {
    let mut pairs = vec![("name", quoted(&node.name)), ("role", quoted(role_word(node.role)))];
    if node.durability == Durability::Full {
        pairs.push(("durability", quoted("full")));
    }
    match node.starts_at_ms {
        Some(0) => {}
        Some(at) => pairs.push(("starts", time(at))),
        None => pairs.push(("starts", quoted("never"))),
    }
    if node.clock_off_ms != 0 {
        pairs.push(("clock_off_ms", node.clock_off_ms.to_string()));
    }
    if node.disk_sync_ms != 1 {
        pairs.push(("disk_sync", time(node.disk_sync_ms)));
    }
    if let Some(features) = node.features {
        pairs.push(("features", number(features)));
    }
    if let Some(schema) = &node.schema {
        pairs.push(("schema", quoted(schema)));
    }
    inline(&pairs)
}

fn link(link: &Link) -> String {
    let mut pairs = vec![("from", quoted(&link.from)), ("to", quoted(&link.to))];
    if link.line != Line::default() {
        pairs.push(("line", line_shown(link.line)));
    }
    inline(&pairs)
}

fn event(event: &Event) -> String {
    let mut pairs = vec![("id", event.id.to_string()), ("at", moment(event.at_ms))];
    pairs.extend(action(&event.action));
    inline(&pairs)
}

/// An action's keys, in the order of its form.
fn action(action: &Action) -> Vec<(&'static str, String)> {
    let name = action.name();
    let mut pairs = vec![("do", quoted(name))];
    let form = Form::of(name).expect("a test finds a form for every action");
    if let Action::Together { node, writes } = action {
        let writes: Vec<String> = writes.iter().map(|write| inline(&self::action(write))).collect();
        pairs.push(("node", quoted(node)));
        pairs.push(("writes", format!("[{}]", writes.join(", "))));
        return pairs;
    }
    let json = serde_json::to_value(action).expect("an action has no keys but texts");
    for param in form.params {
        let value = &json[param.key];
        let left_out = !param.required && (value.is_null() || *value == 0 || *value == "");
        if !left_out {
            pairs.push(shown(param, value));
        }
    }
    pairs
}

/// Times as durations, where they have that form; all else as it is.
fn shown(param: &Param, value: &Value) -> (&'static str, String) {
    match (param.shape, value.as_u64()) {
        (Shape::Time, Some(ms)) if ms <= units::LONGEST_MS => (param.short(), time(ms)),
        (_, _) => (param.key, json(value)),
    }
}

/// JSON that TOML has too.
fn json(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::Number(_) => value.as_u64().map_or_else(|| value.to_string(), number),
        Value::Null | Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}

fn violation(out: &mut String, violation: &Violation) {
    out.push_str("\n[violation]\n");
    key(out, "check", &quoted(&violation.check));
    let kind = serde_json::to_value(violation.kind).map(|kind| json(&kind)).unwrap_or_default();
    key(out, "kind", &kind);
    key(out, "at", &moment(violation.at_ms));
    key(out, "step", &number(violation.step));
    let nodes: Vec<String> = violation.nodes.iter().map(|node| quoted(node)).collect();
    key(out, "nodes", &format!("[{}]", nodes.join(", ")));
    key(out, "message", &long(&violation.message));
    for differing in &violation.differing {
        out.push_str("\n[[violation.differing]]\n");
        key(out, "model", &quoted(&differing.model));
        key(out, "id", &quoted(&differing.id));
        // TOML has no null: a node without the record has that word.
        for (node, record) in &differing.shown {
            let text =
                record.as_ref().map_or_else(|| "null".to_owned(), |record| Value::Object(record.clone()).to_string());
            key(out, &format!("shown.{}", quoted(node)), &quoted(&text));
        }
    }
}

fn key(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name} = {value}");
}

fn list(out: &mut String, name: &str, items: impl Iterator<Item = String>) {
    let _ = write!(out, "\n{name} = [");
    for item in items {
        let _ = write!(out, "\n  {item},");
    }
    out.push_str("\n]\n");
}

fn inline(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn time(ms: u64) -> String {
    if ms <= units::LONGEST_MS { quoted(&units::shown(ms)) } else { number(ms) }
}

fn moment(ms: u64) -> String {
    if ms <= units::LONGEST_MS { quoted(&ClockTime(ms).to_string()) } else { number(ms) }
}

/// TOML's numbers end at 2^63: greater ones are texts.
fn number(number: u64) -> String {
    if i64::try_from(number).is_ok() { number.to_string() } else { quoted(&number.to_string()) }
}

/// As a literal, where there are quotation marks and nothing against it; else with escapes.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c != '\'' && (!c.is_control() || c == '\t'));
    if plain && text.contains(['"', '\\']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Several lines as several lines, if that reads as the same text.
fn long(text: &str) -> String {
    let plain = text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t');
    if text.contains('\n') && plain && !text.contains("''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    quoted(text)
}
