//! Shorter times: events move together, and the run ends soon after the last.

use super::{Pass, Search};
use crate::schedule::Schedule;

/// Longest pauses between events that are tried, from the shortest on.
const PAUSES_MS: [u64; 6] = [0, 10, 100, 1_000, 10_000, 60_000];

/// Moves events together, all at once and then one by one.
pub(super) fn compact(search: &mut Search<'_>) {
    search.pass = Pass::Times;
    let whole = gaps(&search.best);
    let at_most = |pause: u64| whole.iter().map(|gap| (*gap).min(pause)).collect::<Vec<_>>();
    let all_shorter = PAUSES_MS.map(|pause| with_gaps(&search.best, &at_most(pause)));
    search.try_first(all_shorter.into());
    for index in 0..=search.best.events.len() {
        shorten(search, index);
    }
}

/// One pause as short as it can be, halving.
fn shorten(search: &mut Search<'_>, index: usize) {
    let whole = gaps(&search.best);
    let longest = whole[index];
    let pauses = PAUSES_MS.into_iter().chain([longest / 4, longest / 2]).filter(|pause| *pause < longest);
    let shorter = pauses.map(|pause| {
        let mut gaps = whole.clone();
        gaps[index] = pause;
        with_gaps(&search.best, &gaps)
    });
    let shorter = shorter.collect();
    search.try_first(shorter);
}

/// The time before each event, and that between the last and the end.
fn gaps(schedule: &Schedule) -> Vec<u64> {
    let mut before = 0;
    let ends = schedule.events.iter().map(|event| event.at_ms).chain([schedule.duration_ms]);
    let gaps = ends.map(|at_ms| {
        let gap = at_ms.saturating_sub(before);
        before = before.max(at_ms);
        gap
    });
    gaps.collect()
}

fn with_gaps(schedule: &Schedule, gaps: &[u64]) -> Schedule {
    let mut moved = schedule.clone();
    let mut at_ms = 0;
    for (event, gap) in moved.events.iter_mut().zip(gaps) {
        at_ms += gap;
        event.at_ms = at_ms;
    }
    // A run of no length would not begin.
    moved.duration_ms = (at_ms + gaps.last().copied().unwrap_or(0)).max(1);
    moved
}
