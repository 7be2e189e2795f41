//! A failure's file, and schedules that somebody wrote.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Failure;
use crate::outcome::{Differing, Kind, Violation};
use crate::scenario::actions::{self, Events, Known, signed_duration};
use crate::scenario::source::{Item, Read, Section, Source};
use crate::scenario::topology::{ROLES, line, role, starts};
use crate::schedule::{Chance, Durability, Event, Expect, Fleet, Link, Node, Role, Schedule};

const KEYS: &[&str] = &[
    "version",
    "program",
    "hash",
    "scenario",
    "seed",
    "duration",
    "duration_ms",
    "expect",
    "node",
    "link",
    "event",
    "schema",
    "newer_schema",
    "story",
    "violation",
];
const NODE_KEYS: &[&str] =
    &["name", "role", "durability", "starts", "clock_off", "clock_off_ms", "disk_sync", "schema", "features"];

pub(super) fn failure(file: &str, text: &str) -> Read<Failure> {
    let source = Source { file, text };
    let tree = source.tree()?;
    let root = source.root(&tree, "a schedule", KEYS)?;
    let violation = match root.get("violation") {
        Some(item) => violation(&item)?,
        None => super::none(),
    };
    Ok(Failure {
        program: optional(&root, "program")?,
        hash: optional(&root, "hash")?,
        violation,
        schedule: schedule(&root, file)?,
        story: optional(&root, "story")?,
    })
}

fn optional(root: &Section<'_>, name: &str) -> Read<String> {
    root.get(name).map_or_else(|| Ok(String::new()), |item| item.text().map(str::to_owned))
}

fn schedule(root: &Section<'_>, file: &str) -> Read<Schedule> {
    let schema = root.required("schema")?;
    let sdl = schema.text()?.to_owned();
    let parsed = match syncline_schema::parse(&format!("{file}, schema"), &sdl) {
        Ok(parsed) => parsed.schema,
        Err(diagnostics) => return Err(crate::scenario::ScenarioError::Schema(Box::new(diagnostics))),
    };
    let fleet = fleet(root)?;
    let names: Vec<String> = fleet.nodes.iter().map(|node| node.name.clone()).collect();
    let known = Known { nodes: &names, schema: &parsed, events: Events::Ids };
    let mut events: Vec<Event> = Vec::new();
    if let Some(item) = root.get("event") {
        for item in item.tables()? {
            events.push(event(&item, &known)?);
        }
    }
    check_ids(root, &mut events)?;
    let last_ms = events.iter().map(|event| event.at_ms).max().unwrap_or(0);
    let duration = root.get("duration").or_else(|| root.get("duration_ms"));
    Ok(Schedule {
        scenario: root.get("scenario").map_or_else(|| Ok(file.to_owned()), |item| item.text().map(str::to_owned))?,
        seed: root.get("seed").map_or(Ok(0), |item| number(&item))?,
        chance: chance(root)?,
        duration_ms: duration.map_or(Ok(last_ms + 60_000), |item| time(&item))?,
        schema: sdl,
        newer_schema: newer_schema(root, file)?,
        expect: root.get("expect").map_or_else(|| Ok(Expect::default()), |item| expect(&item))?,
        fleet,
        events,
    })
}

/// Files of version 1 were written when an event left out changed all draws after it.
fn chance(root: &Section<'_>) -> Read<Chance> {
    let Some(item) = root.get("version") else { return Ok(Chance::Moment) };
    match item.integer()? {
        1 => Ok(Chance::Count),
        2 => Ok(Chance::Moment),
        _ => Err(item.wrong("this program reads versions 1 and 2 of failure files")),
    }
}

fn newer_schema(root: &Section<'_>, file: &str) -> Read<Option<String>> {
    let Some(item) = root.get("newer_schema") else { return Ok(None) };
    let sdl = item.text()?;
    match syncline_schema::parse(&format!("{file}, newer_schema"), sdl) {
        Ok(_) => Ok(Some(sdl.to_owned())),
        Err(diagnostics) => Err(crate::scenario::ScenarioError::Schema(Box::new(diagnostics))),
    }
}

fn expect(item: &Item<'_>) -> Read<Expect> {
    let section = item.section("`expect`", &["converge_within", "resent_max"])?;
    let mut expect = Expect::default();
    if let Some(item) = section.get("converge_within") {
        expect.converge_within_ms = time(&item)?;
    }
    if let Some(item) = section.get("resent_max") {
        expect.resent_max_percent = if item.is_text() && !item.text()?.contains('%') {
            number(&item)?
        } else {
            // More than all of it is no bound, and a file may say so.
            if item.is_integer() { item.count(0, i64::MAX as u64)? } else { item.percent()? }
        };
    }
    Ok(expect)
}

fn fleet(root: &Section<'_>) -> Read<Fleet> {
    let mut fleet = Fleet::default();
    for item in root.required("node")?.tables()? {
        let node = node(&item)?;
        if fleet.node(&node.name).is_some() {
            return Err(item.wrong(format!("two nodes are called `{}`", node.name)));
        }
        fleet.nodes.push(node);
    }
    let names: Vec<&str> = fleet.nodes.iter().map(|node| node.name.as_str()).collect();
    if let Some(item) = root.get("link") {
        for item in item.tables()? {
            let section = item.section("a link", &["from", "to", "line"])?;
            let end = |name| section.required(name)?.choice("node", &names).map(str::to_owned);
            let line = section.get("line").map_or_else(|| Ok(Default::default()), |item| line(&item))?;
            fleet.links.push(Link { from: end("from")?, to: end("to")?, line });
        }
    }
    Ok(fleet)
}

fn node(item: &Item<'_>) -> Read<Node> {
    let section = item.section("a node", NODE_KEYS)?;
    let role = match section.get("role") {
        Some(item) => role(item.choice("role", ROLES)?),
        None => Role::Device,
    };
    let mut node = Node::new(section.required("name")?.text()?, role);
    if let Some(item) = section.get("durability") {
        let full = item.choice("durability", &["normal", "full"])? == "full";
        node.durability = if full { Durability::Full } else { Durability::Normal };
    }
    if let Some(item) = section.get("starts") {
        node.starts_at_ms = if item.is_integer() { Some(number(&item)?) } else { starts(&item)? };
    }
    if let Some(item) = section.get("clock_off") {
        node.clock_off_ms = signed_duration(&item)?;
    }
    if let Some(item) = section.get("clock_off_ms") {
        node.clock_off_ms = item.integer()?;
    }
    if let Some(item) = section.get("disk_sync") {
        node.disk_sync_ms = time(&item)?;
    }
    if let Some(item) = section.get("features") {
        node.features = Some(number(&item)?);
    }
    if let Some(item) = section.get("schema") {
        node.schema = Some(item.text()?.to_owned());
    }
    Ok(node)
}

fn event(item: &Item<'_>, known: &Known<'_>) -> Read<Event> {
    let section = item.open_section("an event")?;
    let at = section.get("at").or_else(|| section.get("at_ms"));
    let at = at.ok_or_else(|| section.wrong("an event needs `at`, the time at which it happens"))?;
    let id = section.get("id").map_or(Ok(0), |item| item.count(1, u32::MAX.into()))?;
    let (_, action) = actions::read(item, &["id", "at", "at_ms"], known)?;
    Ok(Event { id: id as u32, at_ms: time(&at)?, action })
}

/// Events without an id get one, by place; none has another's.
fn check_ids(root: &Section<'_>, events: &mut [Event]) -> Read<()> {
    let mut seen = std::collections::BTreeSet::new();
    let mut free = events.iter().map(|event| event.id).max().unwrap_or(0);
    for event in events {
        if event.id == 0 {
            free = free.checked_add(1).ok_or_else(|| root.wrong("there are no more ids"))?;
            event.id = free;
        }
        if !seen.insert(event.id) {
            return Err(root.wrong(format!("two events have the id {}", event.id)));
        }
    }
    Ok(())
}

fn violation(item: &Item<'_>) -> Read<Violation> {
    let section = item.section("`violation`", &["check", "kind", "at", "step", "nodes", "message", "differing"])?;
    let text = |name| section.get(name).map_or_else(|| Ok(String::new()), |item| item.text().map(str::to_owned));
    let kind = match section.get("kind") {
        Some(item) => match item.choice("kind", &["safety", "liveness", "panic", "nondeterminism"])? {
            "liveness" => Kind::Liveness,
            "panic" => Kind::Panic,
            "nondeterminism" => Kind::Nondeterminism,
            _ => Kind::Safety,
        },
        None => Kind::Safety,
    };
    let nodes = match section.get("nodes") {
        Some(item) => item.list()?.iter().map(|item| item.text().map(str::to_owned)).collect::<Read<_>>()?,
        None => Vec::new(),
    };
    let differing = match section.get("differing") {
        Some(item) => item.tables()?.iter().map(differing).collect::<Read<_>>()?,
        None => Vec::new(),
    };
    Ok(Violation {
        check: text("check")?,
        kind,
        at_ms: section.get("at").map_or(Ok(0), |item| time(&item))?,
        step: section.get("step").map_or(Ok(0), |item| number(&item))?,
        nodes,
        message: text("message")?,
        differing,
    })
}

fn differing(item: &Item<'_>) -> Read<Differing> {
    let section = item.section("a record", &["model", "id", "shown"])?;
    let mut shown = BTreeMap::new();
    if let Some(item) = section.get("shown") {
        for node in item.open_section("`shown`")?.items() {
            let record = match serde_json::from_str(node.text()?) {
                Ok(Value::Null) => None,
                Ok(Value::Object(record)) => Some(record),
                Ok(_) | Err(_) => return Err(node.wrong("this is no record as JSON")),
            };
            shown.insert(node.name.to_owned(), record);
        }
    }
    let text = |name| section.required(name)?.text().map(str::to_owned);
    Ok(Differing { model: text("model")?, id: text("id")?, shown })
}

/// A number, or one that is too great for TOML, as a text.
fn number(item: &Item<'_>) -> Read<u64> {
    if item.is_integer() {
        return item.count(0, i64::MAX as u64);
    }
    item.text()?.parse().map_err(|_| item.expected("a whole number"))
}

/// A duration, or milliseconds.
fn time(item: &Item<'_>) -> Read<u64> {
    if item.is_integer() { item.count(0, i64::MAX as u64) } else { item.duration_ms() }
}
