//! Actions taken apart by their written form, so that a new action shrinks without a line here.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::schedule::{Action, Event, EventId};

/// Members that name a node.
const NODE: [&str; 4] = ["node", "from", "to", "onto"];

/// Members that list nodes, or groups of them.
const NODES: [&str; 3] = ["groups", "clog", "unclog"];

/// Members that name an earlier event.
const EVENT: [&str; 3] = ["record", "observe", "backup"];

/// What a write within a transaction is multiplied by: see [`Action::Together`].
const PLACES: EventId = 1000;

/// An action's members as they are written.
pub(super) fn members(action: &Action) -> Map<String, Value> {
    match serde_json::to_value(action) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}

/// The action of such members, if they are one.
pub(super) fn action(members: Map<String, Value>) -> Option<Action> {
    serde_json::from_value(Value::Object(members)).ok()
}

/// The events without those of these ids, and without what then refers to nothing.
pub(super) fn without(events: &[Event], gone: &BTreeSet<EventId>) -> Vec<Event> {
    let mut gone = gone.clone();
    let mut kept = Vec::new();
    for event in events {
        let there = if gone.contains(&event.id) { None } else { still_there(&event.action, &gone) };
        match there {
            Some(action) => kept.push(Event { action, ..event.clone() }),
            None => {
                gone.insert(event.id);
            }
        }
    }
    kept
}

/// The action, writes of a transaction that refer to what is gone left out; `None` if nothing remains.
fn still_there(action: &Action, gone: &BTreeSet<EventId>) -> Option<Action> {
    let dangles =
        |action: &Action| reference(action).is_some_and(|id| gone.contains(&id) || gone.contains(&(id / PLACES)));
    if let Action::Together { node, writes } = action {
        let writes: Vec<Action> = writes.iter().filter(|write| !dangles(write)).cloned().collect();
        return (!writes.is_empty()).then(|| Action::Together { node: node.clone(), writes });
    }
    (!dangles(action)).then(|| action.clone())
}

/// The earlier event that an action names.
fn reference(action: &Action) -> Option<EventId> {
    if let Action::Update { record: id, .. }
    | Action::Delete { record: id, .. }
    | Action::Undelete { record: id, .. }
    | Action::Increment { record: id, .. }
    | Action::Add { record: id, .. }
    | Action::Remove { record: id, .. }
    | Action::Splice { record: id, .. }
    | Action::Unobserve { observe: id }
    | Action::Restore { backup: id, .. } = action
    {
        return Some(*id);
    }
    None
}

/// The action with each reference to an event replaced.
pub(super) fn renumbered(original: &Action, to: &dyn Fn(EventId) -> Option<EventId>) -> Option<Action> {
    let mut members = members(original);
    renumber(&mut members, to);
    action(members)
}

fn renumber(members: &mut Map<String, Value>, to: &dyn Fn(EventId) -> Option<EventId>) {
    for member in EVENT {
        let Some(value) = members.get_mut(member) else { continue };
        let Some(id) = value.as_u64().and_then(|id| EventId::try_from(id).ok()) else { continue };
        let within = || Some(to(id / PLACES)?.checked_mul(PLACES)? + id % PLACES);
        if let Some(id) = to(id).or_else(within) {
            *value = Value::from(id);
        }
    }
    for write in writes(members) {
        renumber(write, to);
    }
}

/// The action with each node renamed; where `to` gives none, it is left out, and `None` is an action that then
/// does nothing.
pub(super) fn renamed(original: &Action, to: &dyn Fn(&str) -> Option<String>) -> Option<Action> {
    let mut members = members(original);
    rename(&mut members, to)?;
    action(members)
}

fn rename(members: &mut Map<String, Value>, to: &dyn Fn(&str) -> Option<String>) -> Option<()> {
    for member in NODE {
        if let Some(Value::String(name)) = members.get_mut(member) {
            *name = to(name)?;
        }
    }
    for member in NODES {
        let Some(Value::Array(list)) = members.get_mut(member) else { continue };
        rename_list(list, to);
        // A line between nodes needs two sides.
        let needed = if member == "groups" { 2 } else { 1 };
        if list.len() < needed {
            return None;
        }
    }
    for write in writes(members) {
        rename(write, to)?;
    }
    Some(())
}

fn rename_list(list: &mut Vec<Value>, to: &dyn Fn(&str) -> Option<String>) {
    list.retain_mut(|item| match item {
        Value::String(name) => match to(name) {
            Some(new) => {
                *name = new;
                true
            }
            None => false,
        },
        Value::Array(inner) => {
            rename_list(inner, to);
            !inner.is_empty()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    });
}

fn writes(members: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let writes = members.get_mut("writes").and_then(Value::as_array_mut);
    writes.into_iter().flatten().filter_map(Value::as_object_mut)
}
