//! A scenario and a seed become a schedule: everything that will happen, written out before it begins.
//!
//! Each workload and each family of faults draws from streams of its own, so one that is switched off leaves the
//! others as they were, but for the ids. Faults stay within what a fleet promises to survive: see [`atlas`].

mod atlas;
mod draft;
mod faults;
mod fleet;
mod random;
mod values;
mod workload;

use crate::scenario::Scenario;
use crate::schedule::{Chance, Schedule};

use atlas::Atlas;
use draft::Drafts;

/// Everything that will happen under a seed.
pub(crate) fn schedule(scenario: &Scenario, seed: u64) -> Schedule {
    let mut atlas = Atlas::draw(scenario, seed);
    let mut drafts = Drafts::new(scenario.duration_ms);
    for (place, workload) in scenario.workloads.iter().enumerate() {
        drafts.begin_source();
        workload::draft(scenario, &atlas, seed, place, workload, &mut drafts);
    }
    let named = drafts.begin_source();
    for at in &scenario.at {
        drafts.push_named(named, at);
    }
    faults::draft(scenario, &mut atlas, seed, &mut drafts);
    Schedule {
        scenario: scenario.name.clone(),
        seed,
        chance: Chance::Moment,
        duration_ms: scenario.duration_ms,
        schema: scenario.schema.sdl.clone(),
        newer_schema: scenario.newer_schema.as_ref().map(|newer| newer.sdl.clone()),
        expect: scenario.expect.clone(),
        fleet: fleet::fleet(scenario, &atlas, seed),
        events: drafts.into_events(),
    }
}
