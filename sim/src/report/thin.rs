//! Which entries a page keeps when there are too many.

use std::collections::{BTreeMap, BTreeSet};

use crate::trace::{Entry, What};

/// What is kept of a trace.
pub(super) struct Kept {
    /// Places in the trace, rising.
    pub(super) places: Vec<usize>,
    /// Messages are complete from here to there; `None` if all are there.
    pub(super) messages_within: Option<(u64, u64)>,
}

/// At most `max` entries: those that say little and lie far from `centre` go first, both ends of a message together.
pub(super) fn thin(entries: &[Entry], centre: u64, max: usize, told: &BTreeSet<usize>) -> Kept {
    if entries.len() <= max {
        return Kept { places: (0..entries.len()).collect(), messages_within: None };
    }
    let near = message_distances(entries, centre);
    let mut order: Vec<(u8, u64, usize)> = (0..entries.len())
        .filter(|place| !told.contains(place))
        .map(|place| {
            let entry = &entries[place];
            let distance = message(&entry.what).and_then(|number| near.get(&number).copied());
            (worth(entry), u64::MAX - distance.unwrap_or_else(|| entry.t.abs_diff(centre)), place)
        })
        .collect();
    order.sort_unstable();
    let gone: BTreeSet<usize> = order.iter().take(entries.len() - max).map(|&(_, _, place)| place).collect();
    let reach = order
        .iter()
        .filter(|(worth, _, place)| *worth == 0 && gone.contains(place))
        .map(|&(_, far, _)| u64::MAX - far)
        .min();
    Kept {
        places: (0..entries.len()).filter(|place| !gone.contains(place)).collect(),
        messages_within: reach.map(|reach| (centre.saturating_sub(reach), centre.saturating_add(reach))),
    }
}

/// How near the nearer end of each message is.
fn message_distances(entries: &[Entry], centre: u64) -> BTreeMap<u64, u64> {
    let mut near = BTreeMap::new();
    for entry in entries {
        let Some(number) = message(&entry.what) else { continue };
        let distance = entry.t.abs_diff(centre);
        near.entry(number).and_modify(|least: &mut u64| *least = distance.min(*least)).or_insert(distance);
    }
    near
}

fn message(what: &What) -> Option<u64> {
    match what {
        What::Sent { message, .. } | What::Received { message, .. } => Some(*message),
        What::Event { .. }
        | What::Opened { .. }
        | What::NotOpened { .. }
        | What::Closed
        | What::Killed { .. }
        | What::Dialing { .. }
        | What::DialFailed { .. }
        | What::Connected { .. }
        | What::Disconnected { .. }
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

/// The order in which entries are given up, least worth first.
fn worth(entry: &Entry) -> u8 {
    match &entry.what {
        What::Sent { .. } | What::Received { .. } => 0,
        What::Durable { .. } => 1,
        What::Session { .. } | What::Dialing { .. } | What::DialFailed { .. } => 2,
        What::Committed { .. } | What::Connected { .. } | What::Disconnected { .. } => 3,
        What::Event { .. } => 4,
        What::Opened { .. } | What::NotOpened { .. } | What::Closed | What::Killed { .. } => 5,
        What::FaultBegan { .. } | What::FaultEnded { .. } => 6,
        What::Healed | What::Converged | What::Violated { .. } => 7,
    }
}
