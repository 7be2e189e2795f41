//! Fewer nodes: each goes with its links and with all that concerns it alone.

use super::{Pass, Search, parts};
use crate::schedule::{Action, Event, Schedule};

/// Leaves out the nodes that the failure does not need, half of them at once as long as that works.
pub(super) fn leave_out(search: &mut Search<'_>) {
    search.pass = Pass::Nodes;
    let mut size = search.best.fleet.nodes.len() / 2;
    while size > 0 && !search.stopped {
        let groups = search.best.fleet.nodes.rchunks(size);
        let groups: Vec<Vec<String>> =
            groups.map(|nodes| nodes.iter().map(|node| node.name.clone()).collect()).collect();
        search.leave_out(&groups, |schedule, gone| without(schedule, gone));
        size /= 2;
    }
}

/// The schedule without these nodes; as it is, if none would be left.
fn without(schedule: &Schedule, gone: &[String]) -> Schedule {
    let is_gone = |name: &str| gone.iter().any(|one| one == name);
    let mut fewer = schedule.clone();
    if schedule.fleet.nodes.iter().all(|node| is_gone(&node.name)) {
        return fewer;
    }
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
