//! A run told to people: one sentence for anything that can happen, the story of a failure, and a page to look
//! around in.
//!
//! All three say the same things in the same words: a [`words`] sentence is a template with values, and the page
//! carries templates and values apart, so that hundreds of thousands of entries fit into one file.
//!
//! Everything here is a function of its arguments: equal runs have equal reports, byte for byte.

mod actions;
mod bands;
mod columns;
mod concern;
mod diagram;
mod page;
mod sentence;
mod story;
mod tell;
mod text;
mod thin;

use crate::outcome::Outcome;
use crate::schedule::{Action, Schedule};
use crate::trace::Entry;

/// An entry of a trace as one plain sentence.
pub fn words(entry: &Entry) -> String {
    sentence::of(entry).fill(&entry.node)
}

/// An action of a schedule as one plain sentence.
pub fn words_of_action(action: &Action) -> String {
    actions::words(action)
}

/// A run's story in plain sentences, a diagram of it in text, and what to do next.
///
/// Of a failed run it tells what matters to the failure: what happened to the nodes and records concerned.
pub fn explain(schedule: &Schedule, outcome: &Outcome, entries: &[Entry]) -> String {
    story::Story::of(schedule, outcome, entries).to_string()
}

/// A run as one HTML file that needs nothing else: a space-time diagram to zoom, filter and click in.
///
/// Above [`ENTRIES_MAX`] entries it leaves out what lies farthest from the failure, messages first, and says so.
pub fn html(schedule: &Schedule, outcome: &Outcome, entries: &[Entry]) -> String {
    page::html(schedule, outcome, entries, ENTRIES_MAX)
}

/// Entries that a page holds at most.
pub const ENTRIES_MAX: usize = 300_000;
