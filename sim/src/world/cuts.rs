//! Who cannot reach whom, and whose lines are slow, by the events that made it so.

use std::collections::BTreeMap;

use super::happened::NodeIndex;
use crate::schedule::{EventId, Line};

/// A fault of the network that holds now.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// Nodes of different groups do not reach each other.
    Groups(Vec<Vec<NodeIndex>>),
    /// This node reaches nobody.
    Node(NodeIndex),
    /// These nodes reach nobody.
    Nodes(Vec<NodeIndex>),
    /// One direction is lost.
    OneWay(NodeIndex, NodeIndex),
    /// Connections come about and carry nothing.
    Captive(NodeIndex),
    /// A lane stands still.
    Lane(NodeIndex, usize),
    /// Lines are slow.
    Slow(NodeIndex, Line),
}

/// The faults that hold now.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    active: BTreeMap<EventId, Cut>,
}

impl Cuts {
    pub(super) fn begin(&mut self, event: EventId, cut: Cut) {
        self.active.insert(event, cut);
    }

    pub(super) fn get_mut(&mut self, event: EventId) -> Option<&mut Cut> {
        self.active.get_mut(&event)
    }

    pub(super) fn end(&mut self, event: EventId) -> bool {
        self.active.remove(&event).is_some()
    }

    pub(super) fn events(&self) -> Vec<EventId> {
        self.active.keys().copied().collect()
    }

    /// Whether nothing gets from one node to another.
    pub(super) fn blocks(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.active.values().any(|cut| cut.blocks(from, to))
    }

    /// Whether a handshake cannot come about.
    pub(super) fn blocks_dial(&self, from: NodeIndex, to: NodeIndex) -> bool {
        let cuts = || self.active.values().filter(|cut| !matches!(cut, Cut::Captive(_)));
        cuts().any(|cut| cut.blocks(from, to) || cut.blocks(to, from))
    }

    /// Whether bytes of a lane do not get from one node to another.
    pub(super) fn blocks_bytes(&self, from: NodeIndex, to: NodeIndex, lane: usize) -> bool {
        let stalls = |cut: &Cut| match cut {
            Cut::Lane(node, stalled) => *stalled == lane && (*node == from || *node == to),
            Cut::Groups(_) | Cut::Node(_) | Cut::Nodes(_) | Cut::OneWay(..) | Cut::Captive(_) | Cut::Slow(..) => false,
        };
        !self.active.is_empty() && self.active.values().any(|cut| stalls(cut) || cut.blocks(from, to))
    }

    /// The line between two nodes: the slowest of what holds.
    pub(super) fn line(&self, from: NodeIndex, to: NodeIndex, base: Line) -> Line {
        let mut line = base;
        for cut in self.active.values() {
            if let Cut::Slow(node, slow) = cut
                && (*node == from || *node == to)
            {
                line.latency_ms = line.latency_ms.max(slow.latency_ms);
                line.jitter_ms = line.jitter_ms.max(slow.jitter_ms);
                line.bytes_per_s = match (line.bytes_per_s, slow.bytes_per_s) {
                    (0, rate) | (rate, 0) => rate,
                    (one, other) => one.min(other),
                };
            }
        }
        line
    }
}

impl Cut {
    fn blocks(&self, from: NodeIndex, to: NodeIndex) -> bool {
        match self {
            Self::Groups(groups) => {
                let group = |node: NodeIndex| groups.iter().position(|group| group.contains(&node));
                matches!((group(from), group(to)), (Some(one), Some(other)) if one != other)
            }
            Self::Node(node) | Self::Captive(node) => *node == from || *node == to,
            Self::Nodes(nodes) => nodes.contains(&from) || nodes.contains(&to),
            Self::OneWay(one, other) => (*one, *other) == (from, to),
            Self::Lane(..) | Self::Slow(..) => false,
        }
    }
}
