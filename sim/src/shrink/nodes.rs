//! Fewer nodes: each goes with its links and with all that concerns it alone.

use super::{Pass, Search, parts};
use crate::schedule::{Action, Event, Schedule};

/// Leaves out the nodes that the failure does not need, half of them at once as long as that works.
pub(super) fn leave_out(search: &mut Search<'_>) {
    search.pass = Pass::Nodes;
    let mut size = search.best.fleet.nodes.len() / 2;
    while size > 0 && !search.stopped {
        let mut end = search.best.fleet.nodes.len();
        while end > 0 && !search.stopped {
            let start = end.saturating_sub(size);
            let gone: Vec<String> = search.best.fleet.nodes[start..end].iter().map(|node| node.name.clone()).collect();
            if gone.len() < search.best.fleet.nodes.len() {
                let fewer = without(&search.best, &gone);
                search.try_out(fewer);
            }
            end = start;
        }
        size /= 2;
    }
}

fn without(schedule: &Schedule, gone: &[String]) -> Schedule {
    let is_gone = |name: &str| gone.iter().any(|one| one == name);
    let mut fewer = schedule.clone();
    fewer.fleet.nodes.retain(|node| !is_gone(&node.name));
    fewer.fleet.links.retain(|link| !is_gone(&link.from) && !is_gone(&link.to));
    let keep = |name: &str| (!is_gone(name)).then(|| name.to_owned());
    // What names no node that goes stays as it is.
    let rest = |action: &Action| match action.nodes().into_iter().any(is_gone) {
        true => parts::renamed(action, &keep),
        false => Some(action.clone()),
    };
    let concerned = schedule.events.iter().filter(|event| rest(&event.action).is_none()).map(|event| event.id);
    let left = parts::without(&schedule.events, &concerned.collect());
    let events = left.into_iter().filter_map(|event| Some(Event { action: rest(&event.action)?, ..event }));
    fewer.events = events.collect();
    fewer
}
