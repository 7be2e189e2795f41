//! What a swarm has gone through: runs, faults, checks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_sim::outcome::ClockTime;

use super::super::job::Report;
use super::super::summary::{APP, listed, wrapped};
use crate::output::{byte_size, counted, grouped, stdout_is_colored, styled};

/// Sums over all runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    failed: u64,
    virtual_ms: u64,
    changes: u64,
    bytes: u64,
    sent: u64,
    duplicate: u64,
    events: BTreeMap<String, Count>,
    checks: BTreeMap<String, u64>,
    converged_ms: Vec<u64>,
}

/// How often an event did something, found nothing to do, and in how many runs it was.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    runs: u64,
    done: u64,
    skipped: u64,
}

/// Families whose events have other names than they: any of these is a sign of them.
const SIGNS: &[(&str, &[&str])] = &[
    ("bridge", &["split"]),
    ("mobile", &["isolate", "captive", "slow", "flap"]),
    ("dup-path", &["meet"]),
    ("relay-down", &["restart", "kill"]),
    ("jump", &["clock-jump"]),
    ("freeze", &["clock-freeze"]),
    ("rollout", &["upgrade"]),
    ("relations", &["delete"]),
];

impl Tally {
    pub(super) fn add(&mut self, report: &Report) {
        let stats = &report.ended.stats;
        self.runs += 1;
        self.failed += u64::from(report.ended.violation.is_some());
        self.virtual_ms += stats.virtual_ms;
        self.changes += stats.changes;
        self.bytes += stats.bytes;
        self.sent += stats.changes_sent;
        self.duplicate += stats.changes_duplicate;
        self.converged_ms.extend(stats.converged_after_ms);
        for (name, count) in &stats.checks {
            *self.checks.entry(name.clone()).or_default() += count;
        }
        let names = stats.done.keys().chain(stats.skipped.keys()).chain(report.borne.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or(0);
            let count = self.events.entry(name.clone()).or_default();
            count.runs += 1;
            count.done += of(&stats.done) + of(&report.borne);
            count.skipped += of(&stats.skipped);
        }
    }

    /// A run whose process died.
    pub(super) fn add_dead(&mut self) {
        self.runs += 1;
        self.failed += 1;
    }

    /// One line while it goes on.
    pub(super) fn progress(&self, failures: usize, took: Duration) -> String {
        let seconds = took.as_secs_f64().max(1e-3);
        let hours = self.virtual_ms as f64 / 3_600_000.0;
        let failures = if failures == 0 { "no failure".to_owned() } else { counted(failures as u64, "failure") };
        format!(
            "{}, {:.1} runs/s, {} virtual h/s, {failures}",
            counted(self.runs, "run"),
            self.runs as f64 / seconds,
            rate(hours / seconds)
        )
    }

    /// The families that a scenario has and that never did anything.
    fn never<'f>(&self, families: &[&'f str]) -> Vec<&'f str> {
        let done = |name: &str| self.events.get(name).is_some_and(|count| count.done > 0);
        let never = families.iter().filter(|family| {
            let signs = SIGNS.iter().find(|(name, _)| name == *family).map(|(_, signs)| *signs);
            match signs {
                Some(signs) => !signs.iter().any(|sign| done(sign)),
                None => !done(family),
            }
        });
        never.copied().collect()
    }

    pub(super) fn lines(&self, name: &str, families: &[&str], took: Duration) -> Vec<String> {
        let colored = stdout_is_colored();
        let mut lines = vec![self.head(name, took, colored)];
        let is_app = |name: &str| APP.contains(&name);
        let app: Vec<(&String, &u64)> =
            self.events.iter().filter(|(name, _)| is_app(name)).map(|(name, count)| (name, &count.done)).collect();
        let app = wrapped(&format!("apps: {}", listed(&app)), 96);
        lines.extend(app.into_iter().map(|line| format!("  {line}")));
        let dim = |text: String| styled(text, "2", colored);
        lines.push(String::new());
        lines.push(dim(format!("  {:<18}{:>10}{:>12}{:>16}", "fault", "runs", "done", "nothing to do")));
        for (name, count) in self.events.iter().filter(|(name, _)| !is_app(name)) {
            let (runs, done) = (grouped(count.runs), grouped(count.done));
            lines.push(format!("  {name:<18}{runs:>10}{done:>12}{:>16}", grouped(count.skipped)));
        }
        let never = self.never(families);
        if !never.is_empty() {
            let text = format!("never happened: {}", never.join(", "));
            lines.extend(wrapped(&text, 96).into_iter().map(|line| styled(format!("  {line}"), "33", colored)));
        }
        lines.push(String::new());
        lines.push(dim(format!("  {:<34}{:>12}", "check", "decided")));
        for (name, count) in &self.checks {
            let line = format!("  {name:<34}{:>12}", grouped(*count));
            lines.push(if *count == 0 { styled(line, "33", colored) } else { line });
        }
        lines
    }

    fn head(&self, name: &str, took: Duration, colored: bool) -> String {
        let verdict = match (self.failed, self.runs) {
            (0, 0) => styled("NO RUN", "1;33", colored),
            (0, _) => styled("PASSED", "1;32", colored),
            (_, _) => styled("FAILED", "1;31", colored),
        };
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", grouped(self.failed)) };
        let seconds = took.as_secs_f64().max(1e-3);
        let times = self.virtual_ms as f64 / 1000.0 / seconds;
        let time = ClockTime(self.virtual_ms / 1000 * 1000).to_string();
        format!(
            "{verdict}  {name}: {}{failed} in {seconds:.1} s, {:.1} per second\n\n  {} virtual, {} × real time; {}, {} \
             sent{}",
            counted(self.runs, "run"),
            self.runs as f64 / seconds,
            time.trim_end_matches(".000"),
            grouped(times as u64),
            counted(self.changes, "change"),
            byte_size(self.bytes),
            self.agreed(),
        )
    }

    /// How long fleets took to agree.
    fn agreed(&self) -> String {
        let Some((half, most)) = self.agreement() else { return String::new() };
        format!(
            "\n  agreed {:.1} s after healing (half of the runs), {:.1} s at most",
            half as f64 / 1e3,
            most as f64 / 1e3
        )
    }

    fn agreement(&self) -> Option<(u64, u64)> {
        let mut sorted = self.converged_ms.clone();
        sorted.sort_unstable();
        Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
    }

    pub(super) fn as_json(&self, families: &[&str], took: Duration) -> Value {
        let events = self.events.iter().map(|(name, count)| {
            (name.clone(), json!({"runs": count.runs, "done": count.done, "skipped": count.skipped}))
        });
        json!({
            "runs": self.runs,
            "failed": self.failed,
            "millis": took.as_millis() as u64,
            "virtual_ms": self.virtual_ms,
            "changes": self.changes,
            "bytes": self.bytes,
            "changes_sent": self.sent,
            "changes_duplicate": self.duplicate,
            "agreed_ms": self.agreement().map(|(half, most)| json!({"half": half, "most": most})),
            "events": events.collect::<serde_json::Map<_, _>>(),
            "checks": self.checks,
            "never_happened": self.never(families),
        })
    }
}

fn rate(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { grouped(number as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_fault_that_never_did_anything_is_named() {
        let mut tally = Tally::default();
        for (name, done) in [("split", 1), ("kill", 0), ("clock-jump", 2), ("garbage", 1)] {
            tally.events.insert(name.to_owned(), Count { runs: 1, done, skipped: 3 });
        }
        let never = tally.never(&["split", "bridge", "kill", "jump", "freeze", "garbage", "relay-down", "rollout"]);
        assert_eq!(never, ["kill", "freeze", "relay-down", "rollout"]);
    }
}
