//! Things to come, by time; of one time, in the order in which they were planned.

use std::collections::BTreeMap;

use super::happened::NodeIndex;
use crate::schedule::EventId;

/// Something that is to be done at its time.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// A scheduled event, by its place in the schedule.
    Event(usize),
    /// The next part of an event that has several.
    Part(EventId, u32),
    /// A fault of this event is over.
    FaultEnds(EventId),
    /// A node's process starts.
    Boot(NodeIndex),
    /// A node's process goes on after a pause.
    Resume(NodeIndex),
    /// A node's engine wanted to be woken.
    Tick(NodeIndex, u64),
    /// A node's sync is done.
    Synced { node: NodeIndex, boot: u64, namespace: Option<String>, seq: u64 },
    /// A link dials.
    Dial(usize),
    /// A dial of that number has got through, or not.
    Reached(usize, u64),
    /// A dial of that number has waited long enough.
    NotReached(usize, u64, &'static str),
    /// Bytes arrive on a lane towards that end of a connection.
    Arrive { connection: u64, end: usize, lane: usize },
    /// That end of a connection notices that it is over.
    Lost { connection: u64, end: usize, why: String },
    /// A connection has been silent for too long, if it still is.
    Silence { connection: u64 },
    /// Writes and faults are over.
    Heal,
    /// Look whether the fleet agrees.
    Look,
}

/// What is to come.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    heap: BTreeMap<(u64, u64), Task>,
    planned: u64,
}

impl Tasks {
    pub(super) fn plan(&mut self, at_ms: u64, task: Task) {
        self.planned += 1;
        self.heap.insert((at_ms, self.planned), task);
    }

    pub(super) fn next(&mut self) -> Option<(u64, Task)> {
        self.heap.pop_first().map(|((at, _), task)| (at, task))
    }

    /// Drops what does not pass.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Task) -> bool) {
        self.heap.retain(|_, task| keep(task));
    }
}
