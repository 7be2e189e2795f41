//! Fewer events: what comes after the failure, whole kinds, then halves, quarters, and single ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pass, Search, parts};
use crate::schedule::{EventId, Schedule};

/// Ends the schedule where the failure was found.
pub(super) fn leave_out_what_comes_after(search: &mut Search<'_>) {
    search.pass = Pass::Events;
    let (at_ms, best) = (search.at_ms, &search.best);
    if at_ms >= best.duration_ms {
        return;
    }
    let events = best.events.iter().filter(|event| event.at_ms <= at_ms).cloned().collect();
    let short = Schedule { duration_ms: at_ms + 1, events, ..best.clone() };
    if search.try_out(short) {
        return;
    }
    // What is found while it goes on may need the rest of the time to be found.
    let best = &search.best;
    let events = best.events.iter().filter(|event| event.at_ms <= at_ms).cloned().collect();
    let shorter = Schedule { events, ..best.clone() };
    search.try_out(shorter);
}

/// Leaves out all events of a kind, the most frequent kinds first.
pub(super) fn leave_out_kinds(search: &mut Search<'_>) {
    search.pass = Pass::Kinds;
    let mut kinds: BTreeMap<&str, BTreeSet<EventId>> = BTreeMap::new();
    for event in &search.best.events {
        kinds.entry(event.action.name()).or_default().insert(event.id);
    }
    let mut kinds: Vec<BTreeSet<EventId>> = kinds.into_values().collect();
    kinds.sort_by_key(|ids| std::cmp::Reverse(ids.len()));
    search.leave_out(&kinds, without);
}

/// Delta debugging: leaves out ever smaller runs of events until no single one can go.
pub(super) fn leave_out(search: &mut Search<'_>) {
    search.pass = Pass::Events;
    let mut size = search.best.events.len().div_ceil(2);
    while size > 0 && !search.stopped {
        let found = leave_out_runs(search, size);
        // A single one may have become needless by what went after it.
        if !(size == 1 && found) {
            size /= 2;
        }
    }
}

/// Tries to leave out each run of so many events, the latest first: what is late depends on what is early.
fn leave_out_runs(search: &mut Search<'_>, size: usize) -> bool {
    let runs = search.best.events.rchunks(size);
    let runs: Vec<BTreeSet<EventId>> = runs.map(|run| run.iter().map(|event| event.id).collect()).collect();
    search.leave_out(&runs, without)
}

fn without(schedule: &Schedule, gone: &BTreeSet<EventId>) -> Schedule {
    Schedule { events: parts::without(&schedule.events, gone), ..schedule.clone() }
}
