//! The story of a run, of a failed one above all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::concern::Concern;
use super::diagram::{Row, diagram};
use super::page::file_name;
use super::tell::{Told, tell};
use super::text::{count, duration, list, shorten, time};
use crate::checks;
use crate::outcome::{Differing, Kind, Outcome, Violation};
use crate::schedule::Schedule;
use crate::trace::{Entry, What};

/// Entries that are told at most.
const TOLD_MAX: usize = 17;
/// Records, and fields of one, that are told at most.
const DIFFERING_MAX: usize = 2;
const FIELDS_MAX: usize = 3;

/// A run told.
pub(super) struct Story {
    /// Sentences in the order of time.
    pub(super) told: Vec<Told>,
    /// A diagram in text; empty where nothing failed.
    pub(super) diagram: String,
    next: Vec<(String, &'static str)>,
}

impl Story {
    pub(super) fn of(schedule: &Schedule, outcome: &Outcome, entries: &[Entry]) -> Self {
        let next = commands(schedule, outcome);
        match &outcome.violation {
            None => Self { told: passed(schedule, outcome), diagram: String::new(), next },
            Some(violation) => {
                let told = failed(schedule, outcome, violation, entries);
                let order: Vec<&str> = schedule.fleet.nodes.iter().map(|node| node.name.as_str()).collect();
                let rows: Vec<Row> = told.iter().flat_map(|told| told.rows.iter().cloned()).collect();
                Self { diagram: diagram(&order, &violation.nodes, &rows), told, next }
            }
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.told {
            writeln!(f, "{}", told.text)?;
        }
        if !self.diagram.is_empty() {
            write!(f, "\n{}", self.diagram)?;
        }
        writeln!(f)?;
        for (command, to) in &self.next {
            writeln!(f, "To {to}: {command}")?;
        }
        Ok(())
    }
}

/// What to do next: commands, and to what end.
pub(super) fn commands(schedule: &Schedule, outcome: &Outcome) -> Vec<(String, &'static str)> {
    let file = format!("{}-{}.toml", file_name(&schedule.scenario), schedule.seed);
    let mut commands = vec![(format!("syncline sim replay {file}"), "replay")];
    if outcome.violation.is_some() {
        commands.push((format!("syncline sim shrink {file}"), "make it smaller"));
    }
    commands
}

/// The value that more nodes show than any other; `None` if two are shown equally often.
pub(super) fn usual(texts: &[String]) -> Option<&String> {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    for text in texts {
        *times.entry(text).or_default() += 1;
    }
    let most = times.values().copied().max()?;
    let mut usual = times.into_iter().filter(|&(_, often)| often == most).map(|(text, _)| text);
    usual.next().filter(|_| usual.next().is_none())
}

fn plain(text: String) -> Told {
    Told { text, place: None, rows: Vec::new() }
}

fn passed(schedule: &Schedule, outcome: &Outcome) -> Vec<Told> {
    let stats = &outcome.stats;
    let mut told = vec![plain(format!(
        "Nothing went wrong in {} with seed {}: {} took {} through {} of virtual time.",
        schedule.scenario,
        schedule.seed,
        count(schedule.fleet.nodes.len() as u64, "node"),
        count(stats.steps, "step"),
        duration(stats.virtual_ms)
    ))];
    if !stats.done.is_empty() {
        let done: Vec<String> = stats.done.iter().map(|(name, times)| format!("{times} × {name}")).collect();
        told.push(plain(format!("What happened on the way: {}.", done.join(", "))));
    }
    if let Some(ms) = stats.converged_after_ms {
        told.push(plain(format!("Once everything was healed, the fleet agreed within {}.", duration(ms))));
    }
    if !stats.checks.is_empty() {
        let made = stats.checks.values().sum();
        let kinds = count(stats.checks.len() as u64, "check");
        told.push(plain(format!("{kinds} held, looked at {} in all.", count(made, "time"))));
    }
    told
}

fn failed(schedule: &Schedule, outcome: &Outcome, violation: &Violation, entries: &[Entry]) -> Vec<Told> {
    let mut told = vec![plain(format!(
        "In {} with seed {} ({}), the check {} failed at {}{}.",
        schedule.scenario,
        schedule.seed,
        count(schedule.fleet.nodes.len() as u64, "node"),
        violation.check,
        time(violation.at_ms),
        on(&violation.nodes)
    ))];
    if entries.is_empty() {
        told.push(plain("No trace was recorded, so what led to it cannot be told.".to_owned()));
    }
    let concern = Concern::of(schedule, violation, entries);
    let (picked, gone) = choose(&concern, entries);
    if gone > 0 {
        let others = if gone == 1 { "one thing" } else { "some things" };
        told.push(plain(format!(
            "Told is what concerns the nodes and records of the failure; {others} that matter{} less {} left out.",
            if gone == 1 { "s" } else { "" },
            if gone == 1 { "is" } else { "are" }
        )));
    }
    told.extend(picked.iter().map(|&place| tell(schedule, entries, &concern, place, &picked)));
    told.extend(violation.differing.iter().take(DIFFERING_MAX).map(|record| plain(shown(record))));
    if let Some(more) = violation.differing.len().checked_sub(DIFFERING_MAX).filter(|&more| more > 0) {
        told.push(plain(format!("{} too.", differs(more))));
    }
    told.push(verdict(schedule, outcome, violation, entries));
    told
}

fn differs(more: usize) -> String {
    match more {
        1 => "One more record differs".to_owned(),
        _ => format!("{more} more records differ"),
    }
}

fn on(nodes: &[String]) -> String {
    if nodes.is_empty() { String::new() } else { format!(" on {}", list(nodes)) }
}

/// The entries to tell, in order, and how many others there would be.
fn choose(concern: &Concern<'_>, entries: &[Entry]) -> (Vec<usize>, usize) {
    let picks = concern.picks(entries);
    // Some things are told twice in a trace: as the event, and as what it does.
    let doubled = |place: usize| {
        let What::Event { id, record: None, .. } = &entries[place].what else { return false };
        picks.keys().any(|&other| matches!(&entries[other].what, What::FaultBegan { id: began, .. } if began == id))
    };
    let mut order: Vec<(u32, usize)> =
        picks.iter().filter(|&(&place, _)| !doubled(place)).map(|(&place, &worth)| (worth, place)).collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    let gone = order.len().saturating_sub(TOLD_MAX);
    let picked: BTreeSet<usize> = order.into_iter().take(TOLD_MAX).map(|(_, place)| place).collect();
    (picked.into_iter().collect(), gone)
}

/// A record as the nodes show it at the end.
fn shown(record: &Differing) -> String {
    let name = format!("{} {}", record.model, record.id);
    let (have, lack): (Vec<_>, Vec<_>) = record.shown.iter().partition(|(_, shown)| shown.is_some());
    let names = |of: &[(&String, _)]| -> Vec<String> { of.iter().map(|(node, _)| (*node).clone()).collect() };
    if !lack.is_empty() && !have.is_empty() {
        let verb = if have.len() == 1 { "shows" } else { "show" };
        let verb_not = if lack.len() == 1 { "does" } else { "do" };
        return format!(
            "At the end {} {verb} {name}, and {} {verb_not} not.",
            list(&names(&have)),
            list(&names(&lack))
        );
    }
    if have.is_empty() {
        return format!("At the end nobody shows {name}.");
    }
    let fields: BTreeSet<&String> = record.shown.values().flatten().flat_map(|shown| shown.keys()).collect();
    let differing: Vec<String> =
        fields.into_iter().filter_map(|field| field_shown(record, field)).take(FIELDS_MAX).collect();
    match differing.as_slice() {
        [] => format!("At the end every node shows {name} alike."),
        _ => format!("At the end {name} differs: {}.", differing.join("; ")),
    }
}

/// A field by its values, each with the nodes that show it; `None` if there is only one.
fn field_shown(record: &Differing, field: &str) -> Option<String> {
    let mut by_value: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (node, shown) in &record.shown {
        let value = shown.as_ref().and_then(|shown| shown.get(field)).unwrap_or(&Value::Null);
        by_value.entry(value.to_string()).or_default().push(node);
    }
    if by_value.len() < 2 {
        return None;
    }
    let values: Vec<String> =
        by_value.iter().map(|(value, nodes)| format!("{} on {}", shorten(value, 60), list(nodes))).collect();
    Some(format!("{field} is {}", values.join(", and ")))
}

fn verdict(schedule: &Schedule, outcome: &Outcome, violation: &Violation, entries: &[Entry]) -> Told {
    let class = match violation.kind {
        Kind::Safety => "something is false, lost or doubled",
        Kind::Liveness => "something should have happened by now",
        Kind::Panic => "the program panicked",
        Kind::Nondeterminism => "two runs of this schedule differ",
    };
    let says = checks::all(schedule)
        .iter()
        .find(|check| check.name() == violation.check)
        .map(|check| format!(" It says: {}.", check.says().trim_end_matches('.')))
        .unwrap_or_default();
    let found = entries.iter().position(|entry| matches!(entry.what, What::Violated { .. }));
    let rows = match violation.nodes.as_slice() {
        [] => vec![Row::fleet(violation.at_ms, &violation.check)],
        nodes => nodes.iter().take(3).map(|node| Row::at(violation.at_ms, node, '!', &violation.check)).collect(),
    };
    Told {
        text: format!(
            "At {} (step {} of {}) the check {} found that {class}: {}.{says}",
            time(violation.at_ms),
            violation.step,
            outcome.stats.steps,
            violation.check,
            violation.message.trim_end_matches('.')
        ),
        place: found,
        rows,
    }
}
