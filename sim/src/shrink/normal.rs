//! Names and numbers that say no more than they must: events from 1 on, devices d1, d2, …

use std::collections::BTreeMap;

use super::{Pass, Search, parts};
use crate::schedule::{Event, EventId, Role, Schedule};

/// Renames what is left. Names decide what chance does, so a failure may not bear it; then they stay.
pub(super) fn normalise(search: &mut Search<'_>) {
    search.pass = Pass::Names;
    if let Some(numbered) = numbered(&search.best) {
        search.try_out(numbered);
    }
    if let Some(named) = named(&search.best) {
        search.try_out(named);
    }
}

fn numbered(schedule: &Schedule) -> Option<Schedule> {
    let ids: BTreeMap<EventId, EventId> = schedule.events.iter().map(|event| event.id).zip(1..).collect();
    let to = |id: EventId| ids.get(&id).copied();
    let events: Option<Vec<Event>> = schedule
        .events
        .iter()
        .map(|event| {
            let action = parts::renumbered(&event.action, &to)?;
            Some(Event { id: to(event.id)?, action, ..event.clone() })
        })
        .collect();
    Some(Schedule { events: events?, ..schedule.clone() })
}

fn named(schedule: &Schedule) -> Option<Schedule> {
    let names = names(schedule);
    let to = |name: &str| Some(names.get(name).map_or_else(|| name.to_owned(), Clone::clone));
    let mut renamed = schedule.clone();
    for node in &mut renamed.fleet.nodes {
        node.name = to(&node.name)?;
    }
    for link in &mut renamed.fleet.links {
        link.from = to(&link.from)?;
        link.to = to(&link.to)?;
    }
    for event in &mut renamed.events {
        event.action = parts::renamed(&event.action, &to)?;
    }
    Some(renamed)
}

fn names(schedule: &Schedule) -> BTreeMap<String, String> {
    let (mut devices, mut relays, mut others) = (0, 0, 0);
    let named = schedule.fleet.nodes.iter().map(|node| {
        let new = match node.role {
            Role::Device => {
                devices += 1;
                format!("d{devices}")
            }
            Role::Relay => {
                relays += 1;
                if relays == 1 { "relay".to_owned() } else { format!("relay{relays}") }
            }
            Role::Adversary(_) => {
                others += 1;
                format!("x{others}")
            }
        };
        (node.name.clone(), new)
    });
    named.collect()
}
