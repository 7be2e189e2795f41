//! A fleet in virtual time: one heap of things to come, real engines, real SQLite.

mod happened;
mod node;

pub use happened::{Happened, NodeIndex, Written};
pub use node::{Excuse, Node};

use syncline_engine::Now;

use crate::schedule::Schedule;

/// Everything there is in a run.
pub struct World {
    schedule: Schedule,
    nodes: Vec<Node>,
    now_ms: u64,
    steps: u64,
    written: Vec<Written>,
    healed: bool,
}

impl World {
    /// What this run does.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Virtual milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The nodes; their places are the numbers that [`Happened`] speaks of.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every write of an app that returned without an error, oldest first.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// Whether everything that was broken is whole again, and nobody writes any more.
    pub fn is_healed(&self) -> bool {
        self.healed
    }

    /// The time as a node's clocks show it.
    pub fn now_at(&self, node: NodeIndex) -> Now {
        self.nodes[node].now(self.now_ms)
    }
}
