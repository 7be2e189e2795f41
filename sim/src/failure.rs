//! A failure in a file: everything that replays it without the generator that made it.
//!
//! The file is TOML: what failed and how to replay it as comments, the schedule with one line per event, the story at
//! the end. A schedule that somebody writes by hand reads too: `[[event]]` tables, and no more of the rest than is
//! needed.

mod read;
mod write;

use crate::outcome::{Kind, Violation};
use crate::scenario::ScenarioError;
use crate::schedule::Schedule;

/// A run that failed, with all that replays it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which program found it.
    pub program: String,
    /// The run's hash; empty in a file written by hand.
    pub hash: String,
    /// What did not hold.
    pub violation: Violation,
    /// What happened.
    pub schedule: Schedule,
    /// How it came to that, in sentences.
    pub story: String,
}

impl Failure {
    /// The file's text. [`Failure::from_toml`] reads the same failure from it.
    pub fn to_toml(&self) -> String {
        write::failure(self)
    }

    /// Reads a failure, or a schedule that somebody wrote: then the violation has no check's name.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ScenarioError> {
        read::failure(file, text)
    }

    /// A schedule that has not failed yet, to be written as a file and replayed.
    pub fn of_schedule(program: &str, schedule: Schedule) -> Self {
        Self { program: program.to_owned(), hash: String::new(), violation: none(), schedule, story: String::new() }
    }

    /// Whether something is known to fail.
    pub fn has_failed(&self) -> bool {
        !self.violation.check.is_empty()
    }
}

/// What a file says that says nothing of a violation.
fn none() -> Violation {
    Violation {
        check: String::new(),
        kind: Kind::Safety,
        at_ms: 0,
        step: 0,
        nodes: Vec::new(),
        message: String::new(),
        differing: Vec::new(),
    }
}
