//! How a run ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The schedule's seed.
    pub seed: u64,
    /// What went wrong first; `None` if nothing did.
    pub violation: Option<Violation>,
    /// Hash over everything that happened, in hexadecimal: equal schedules have equal ones.
    pub hash: String,
    /// The hash so far after each thousand steps: where two runs begin to differ.
    pub checkpoints: Vec<String>,
    /// What happened, in numbers.
    pub stats: Stats,
}

/// A check that did not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The check's name.
    pub check: String,
    /// What class of failure it is.
    pub kind: Kind,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// The step at which it was found.
    pub step: u64,
    /// The nodes concerned.
    pub nodes: Vec<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Records that differ, as far as that is what is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<Differing>,
}

/// One record as several nodes show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Differing {
    /// Its model.
    pub model: String,
    /// Its id.
    pub id: String,
    /// Node → the record there; `None` where there is none.
    pub shown: BTreeMap<String, Option<Map<String, Value>>>,
}

/// Classes of failure; shrinking keeps the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something false, lost or doubled.
    Safety,
    /// Something that should have happened by now.
    Liveness,
    /// The program panicked.
    Panic,
    /// Two runs of one schedule differ.
    Nondeterminism,
}

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Virtual milliseconds, the settling included.
    pub virtual_ms: u64,
    /// Steps taken.
    pub steps: u64,
    /// Scheduled events that did something, by name.
    pub done: BTreeMap<String, u64>,
    /// Scheduled events that found nothing to do, by name.
    pub skipped: BTreeMap<String, u64>,
    /// Changes that apps made.
    pub changes: u64,
    /// Bytes of frames sent.
    pub bytes: u64,
    /// Changes sent.
    pub changes_sent: u64,
    /// Changes that came to who held them.
    pub changes_duplicate: u64,
    /// Connections that came about.
    pub connections: u64,
    /// How often each check was made.
    pub checks: BTreeMap<String, u64>,
    /// How long the fleet took to agree after everything was healed, in virtual milliseconds.
    pub converged_after_ms: Option<u64>,
    /// Most bytes under way on one connection.
    pub under_way_max: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.nodes.is_empty() { String::new() } else { format!(" on {}", self.nodes.join(", ")) };
        write!(f, "{} after {}{place}: {}", self.check, ClockTime(self.at_ms), self.message)
    }
}

/// Virtual milliseconds as `H:MM:SS.mmm`.
#[derive(Clone, Copy, Debug)]
pub struct ClockTime(pub u64);

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0 % 1000, self.0 / 1000);
        write!(f, "{}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}
