//! What lasts for a while: processes that are down, and faults.

use std::collections::BTreeMap;

use crate::schedule::{EventId, Schedule};
use crate::trace::{Entry, What};

/// A time in which a node's process did not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Down<'a> {
    pub(super) node: &'a str,
    pub(super) from: u64,
    pub(super) to: u64,
    /// How it came to that.
    pub(super) how: How,
}

/// How a process came to be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    NotStarted,
    Closed,
    Killed,
    PowerCut,
    NotOpened,
}

impl How {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotStarted => "not started yet",
            Self::Closed => "closed",
            Self::Killed => "killed",
            Self::PowerCut => "without power",
            Self::NotOpened => "cannot open its store",
        }
    }
}

/// When each node was down, by the order of their beginnings.
pub(super) fn downs<'a>(schedule: &'a Schedule, entries: &'a [Entry], end: u64) -> Vec<Down<'a>> {
    let mut since: BTreeMap<&str, (u64, How)> =
        schedule.fleet.nodes.iter().map(|node| (node.name.as_str(), (0, How::NotStarted))).collect();
    let mut downs = Vec::new();
    for entry in entries {
        let node = entry.node.as_str();
        let how = match how(&entry.what) {
            None => continue,
            Some(None) => {
                if let Some((from, how)) = since.remove(node) {
                    downs.push(Down { node, from, to: entry.t, how });
                }
                continue;
            }
            Some(Some(how)) => how,
        };
        if let Some((from, how)) = since.insert(node, (entry.t, how)) {
            downs.push(Down { node, from, to: entry.t, how });
        }
    }
    downs.extend(since.into_iter().map(|(node, (from, how))| Down { node, from, to: end.max(from), how }));
    downs.retain(|down| down.to > down.from);
    downs.sort_by_key(|down| (down.from, down.node));
    downs
}

/// Whether an entry takes a process down, or (inner `None`) brings it up.
fn how(what: &What) -> Option<Option<How>> {
    match what {
        What::Opened { .. } => Some(None),
        What::Closed => Some(Some(How::Closed)),
        What::Killed { by } if by.contains("power") => Some(Some(How::PowerCut)),
        What::Killed { .. } => Some(Some(How::Killed)),
        What::NotOpened { .. } => Some(Some(How::NotOpened)),
        What::Event { .. }
        | What::Dialing { .. }
        | What::DialFailed { .. }
        | What::Connected { .. }
        | What::Disconnected { .. }
        | What::Sent { .. }
        | What::Received { .. }
        | What::Committed { .. }
        | What::Durable { .. }
        | What::Session { .. }
        | What::FaultBegan { .. }
        | What::FaultEnded { .. }
        | What::Healed
        | What::Converged
        | What::Violated { .. } => None,
    }
}

/// A fault and the time it lasted.
#[derive(Debug, PartialEq)]
pub(super) struct Fault<'a> {
    pub(super) id: EventId,
    pub(super) name: &'a str,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) nodes: &'a [String],
    pub(super) cut: &'a [(String, String)],
}

/// Faults that are over as soon as they have begun, though nothing says so.
const MOMENTARY: [&str; 2] = ["clock-jump", "bit-rot"];

/// The faults that last, by the order of their beginnings; what nobody ended does until everything is healed.
pub(super) fn faults(entries: &[Entry], end: u64) -> Vec<Fault<'_>> {
    let mut faults: Vec<Fault<'_>> = Vec::new();
    let mut open: BTreeMap<EventId, Vec<usize>> = BTreeMap::new();
    for entry in entries {
        match &entry.what {
            What::FaultBegan { id, name, nodes, cut } if !MOMENTARY.contains(&name.as_str()) => {
                open.entry(*id).or_default().push(faults.len());
                faults.push(Fault { id: *id, name, from: entry.t, to: end.max(entry.t), nodes, cut });
            }
            What::FaultEnded { id } => {
                for place in open.remove(id).unwrap_or_default() {
                    faults[place].to = entry.t;
                }
            }
            What::Healed => {
                for place in std::mem::take(&mut open).into_values().flatten() {
                    faults[place].to = entry.t;
                }
            }
            What::FaultBegan { .. }
            | What::Event { .. }
            | What::Opened { .. }
            | What::NotOpened { .. }
            | What::Closed
            | What::Killed { .. }
            | What::Dialing { .. }
            | What::DialFailed { .. }
            | What::Connected { .. }
            | What::Disconnected { .. }
            | What::Sent { .. }
            | What::Received { .. }
            | What::Committed { .. }
            | What::Durable { .. }
            | What::Session { .. }
            | What::Converged
            | What::Violated { .. } => {}
        }
    }
    faults
}
