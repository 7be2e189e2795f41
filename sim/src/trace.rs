//! What a run tells while it goes on: one entry per thing that happened, as JSON lines and for reports.

use serde::{Deserialize, Serialize};

use crate::outcome::Violation;
use crate::schedule::EventId;

/// Takes in entries. A run without one builds none.
pub trait Recorder {
    /// Takes one in.
    fn record(&mut self, entry: Entry);
}

impl Recorder for Vec<Entry> {
    fn record(&mut self, entry: Entry) {
        self.push(entry);
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The step.
    pub n: u64,
    /// Virtual milliseconds.
    pub t: u64,
    /// Where; empty for the whole fleet.
    pub node: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A scheduled event came up.
    Event {
        /// Which.
        id: EventId,
        /// Its name, as in the schedule.
        name: String,
        /// What came of it, in words; for a write, the record that it touched.
        outcome: String,
        /// Whether it did anything.
        done: bool,
        /// The record it touched, if any.
        record: Option<String>,
    },
    /// A store was opened.
    Opened {
        /// The how-manieth time of this node.
        boot: u64,
        /// The replica id it has, if any yet.
        replica: String,
    },
    /// A store could not be opened.
    NotOpened {
        /// Why.
        error: String,
    },
    /// The app closed its store in good order.
    Closed,
    /// The process ended without a word.
    Killed {
        /// By what.
        by: String,
    },
    /// Node tries to connect.
    Dialing {
        /// Whom.
        to: String,
    },
    /// A dial failed.
    DialFailed {
        /// Whom.
        to: String,
        /// Why.
        why: String,
    },
    /// A connection came about.
    Connected {
        /// Its number.
        connection: u64,
        /// The other end.
        to: String,
    },
    /// A connection ended, as this end sees it.
    Disconnected {
        /// Its number.
        connection: u64,
        /// The other end.
        to: String,
        /// Why.
        why: String,
    },
    /// A message was handed to the network.
    Sent {
        /// Its number, unique in the run.
        message: u64,
        /// On which connection.
        connection: u64,
        /// To whom.
        to: String,
        /// On which lane.
        lane: String,
        /// What it is, by the protocol's names.
        name: String,
        /// Its bytes.
        bytes: usize,
    },
    /// A message has arrived whole.
    Received {
        /// Its number.
        message: u64,
        /// On which connection.
        connection: u64,
        /// From whom.
        from: String,
        /// What it is, by the protocol's names.
        name: String,
    },
    /// A transaction was committed.
    Committed {
        /// The log's end after it.
        seq: u64,
        /// `local` or `peer`.
        origin: String,
        /// The records that it changed, `Model id`, as far as the node has a schema.
        records: Vec<String>,
    },
    /// The log is durable up to here.
    Durable {
        /// The position.
        seq: u64,
    },
    /// News of a session, in words.
    Session {
        /// On which connection.
        connection: u64,
        /// With whom.
        with: String,
        /// What.
        news: String,
    },
    /// Something about the network, disk or clock began.
    FaultBegan {
        /// By which event.
        id: EventId,
        /// Its name.
        name: String,
        /// The nodes concerned.
        nodes: Vec<String>,
        /// Pairs of nodes that cannot reach each other by it, from → to.
        cut: Vec<(String, String)>,
    },
    /// It is over.
    FaultEnded {
        /// By which event it began.
        id: EventId,
    },
    /// Writes and faults are over: everything that was broken is whole again.
    Healed,
    /// Everyone has what everyone has.
    Converged,
    /// A check did not hold.
    Violated {
        /// Which, and how.
        violation: Violation,
    },
}
