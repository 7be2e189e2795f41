//! A run on one screen.

use std::collections::BTreeMap;
use std::time::Duration;

use syncline_sim::outcome::{ClockTime, Outcome as Ended};
use syncline_sim::schedule::{Adversary, Role, Schedule};

use crate::output::{byte_size, counted, grouped, styled};

const WIDTH: usize = 100;

/// What an app does, as events are named; everything else is done to it.
pub(super) const APP: [&str; 12] = [
    "create",
    "update",
    "delete",
    "undelete",
    "increment",
    "add",
    "remove",
    "splice",
    "together",
    "import",
    "observe",
    "unobserve",
];

/// The whole screen; `again` is the command that runs it again.
pub(super) fn text(schedule: &Schedule, ended: &Ended, took: Duration, again: &str, colored: bool) -> String {
    let mut lines = vec![head(schedule, ended, colored), String::new()];
    if let Some(violation) = &ended.violation {
        let place =
            if violation.nodes.is_empty() { String::new() } else { format!(" on {}", violation.nodes.join(", ")) };
        let when = format!("{}{place}", ClockTime(violation.at_ms));
        lines.push(styled(format_args!("  {} at {when}", violation.check), "31", colored));
        lines.extend(wrapped(&violation.message, WIDTH - 4).into_iter().map(|line| format!("    {line}")));
        lines.push(String::new());
    }
    for (name, value) in facts(schedule, ended, took) {
        let value = wrapped(&value, WIDTH - 17).join(&format!("\n{}", " ".repeat(17)));
        lines.push(format!("  {} {value}", styled(format_args!("{name:<14}"), "2", colored)));
    }
    lines.push(format!("  {} {again}", styled(format_args!("{:<14}", "run it again"), "2", colored)));
    lines.join("\n")
}

fn head(schedule: &Schedule, ended: &Ended, colored: bool) -> String {
    let verdict = match &ended.violation {
        None => styled("PASSED", "1;32", colored),
        Some(_) => styled("FAILED", "1;31", colored),
    };
    format!("{verdict}  {}, seed {}", schedule.scenario, ended.seed)
}

fn facts(schedule: &Schedule, ended: &Ended, took: Duration) -> Vec<(&'static str, String)> {
    let stats = &ended.stats;
    let (app, faults): (Vec<_>, Vec<_>) = stats.done.iter().partition(|(name, _)| APP.contains(&name.as_str()));
    let mut facts = vec![("time", time(stats.virtual_ms, took)), ("fleet", fleet(schedule))];
    facts.push(("apps", format!("{}{}", counted(stats.changes, "change"), of(&app))));
    let borne = borne(schedule);
    let mut befell: Vec<(&String, &u64)> = faults.into_iter().chain(&borne).collect();
    befell.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    facts.push(("faults", if befell.is_empty() { "none".to_owned() } else { listed(&befell) }));
    let idle: Vec<(&String, &u64)> = stats.skipped.iter().collect();
    if !idle.is_empty() {
        facts.push(("nothing to do", listed(&idle)));
    }
    facts.push(("network", network(ended)));
    if let Some(ms) = stats.converged_after_ms {
        facts.push(("agreed", format!("{} after everything was healed", seconds(ms))));
    }
    facts.push(("checks", checks(ended)));
    facts.push(("hash", ended.hash.get(..16).unwrap_or(&ended.hash).to_owned()));
    facts
}

fn time(virtual_ms: u64, took: Duration) -> String {
    let times = (virtual_ms as f64 / 1000.0 / took.as_secs_f64().max(1e-6)).round();
    let virtual_time = ClockTime(virtual_ms / 1000 * 1000).to_string();
    let virtual_time = virtual_time.trim_end_matches(".000");
    format!("{virtual_time} virtual in {:.2} s, {} × real time", took.as_secs_f64(), grouped(times as u64))
}

fn fleet(schedule: &Schedule) -> String {
    let nodes = &schedule.fleet.nodes;
    let count = |wanted: fn(Role) -> bool| nodes.iter().filter(|node| wanted(node.role)).count() as u64;
    let mut parts = vec![counted(count(|role| role == Role::Device), "device")];
    for (number, noun) in [
        (count(|role| role == Role::Relay), "relay"),
        (count(|role| matches!(role, Role::Adversary(_))), "hostile peer"),
    ] {
        if number > 0 {
            parts.push(counted(number, noun));
        }
    }
    parts.join(", ")
}

fn network(ended: &Ended) -> String {
    let stats = &ended.stats;
    let again = if stats.changes_duplicate == 0 {
        "none twice".to_owned()
    } else {
        let share = stats.changes_duplicate as f64 * 100.0 / stats.changes_sent.max(1) as f64;
        format!("{} twice ({share:.2} %)", grouped(stats.changes_duplicate))
    };
    format!(
        "{} in {}; {} sent, {again}; at most {} under way",
        byte_size(stats.bytes),
        counted(stats.connections, "connection"),
        counted(stats.changes_sent, "change"),
        byte_size(stats.under_way_max)
    )
}

fn checks(ended: &Ended) -> String {
    let checks = &ended.stats.checks;
    let decided = checks.values().sum();
    let idle = checks.values().filter(|count| **count == 0).count() as u64;
    // A run that was cut short has not come to those at its end.
    let never = match (&ended.violation, idle) {
        (Some(_), _) | (None, 0) => String::new(),
        (None, _) => format!("; {} had nothing to decide", grouped(idle)),
    };
    format!("{}, decided {} times{never}", counted(checks.len() as u64, "check"), grouped(decided))
}

fn of(counts: &[(&String, &u64)]) -> String {
    if counts.is_empty() { String::new() } else { format!(": {}", listed(counts)) }
}

pub(super) fn listed(counts: &[(&String, &u64)]) -> String {
    let parts = counts.iter().map(|(name, count)| format!("{name} {}", grouped(**count)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Faults that are borne by nodes and not events: hostile peers, wrong clocks, older programs.
pub(super) fn borne(schedule: &Schedule) -> BTreeMap<String, u64> {
    let mut borne = BTreeMap::new();
    for node in &schedule.fleet.nodes {
        let hostile = if let Role::Adversary(kind) = node.role { Some(adversary(kind)) } else { None };
        let skew = (node.clock_off_ms != 0).then_some("skew");
        let versions = node.features.map(|_| "versions");
        for name in hostile.into_iter().chain(skew).chain(versions) {
            *borne.entry(name.to_owned()).or_default() += 1;
        }
    }
    borne
}

fn adversary(kind: Adversary) -> &'static str {
    match kind {
        Adversary::Garbage => "garbage",
        Adversary::WrongState => "wrong-state",
        Adversary::Equivocation => "equivocation",
        Adversary::InflatedVector => "inflated-vector",
        Adversary::Withholding => "withholding",
        Adversary::ForgedWriter => "forged-writer",
        Adversary::Bomb => "bomb",
        Adversary::Poison => "poison",
    }
}

/// Milliseconds as "1.3 s".
pub(super) fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// Text in lines of at most so many characters, broken at spaces.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_at_spaces() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
    }
}
