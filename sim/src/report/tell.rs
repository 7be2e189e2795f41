//! Entries told one after the other: what a sentence adds when it knows what came before and after.

use super::concern::{Concern, carried, unsent};
use super::diagram::Row;
use super::sentence::wrote;
use super::text::{duration, fields, shorten, small, time};
use super::{words, words_of_action};
use crate::schedule::{Action, Schedule};
use crate::trace::{Entry, What};

/// A sentence of the story.
pub(super) struct Told {
    /// The sentence.
    pub(super) text: String,
    /// The entry it tells.
    pub(super) place: Option<usize>,
    /// Its lines in the diagram.
    pub(super) rows: Vec<Row>,
}

/// Tells the entry at a place.
pub(super) fn tell(
    schedule: &Schedule,
    entries: &[Entry],
    concern: &Concern<'_>,
    place: usize,
    picked: &[usize],
) -> Told {
    let entry = &entries[place];
    let at = time(entry.t);
    let (clause, rows) = match &entry.what {
        What::Sent { message, to, name, .. } => {
            let arrival = concern.arrival(*message).map(|place| &entries[place]);
            let outcome = match arrival {
                Some(arrival) => format!("which arrived {} later", duration(arrival.t.saturating_sub(entry.t))),
                None => "which never arrived".to_owned(),
            };
            let row = Row::message(entry.t, &entry.node, to, arrival.is_some(), name);
            (format!("{} sent {to} a {name} (message {message}), {outcome}.", entry.node), vec![row])
        }
        What::Event { id, name, done: true, record: Some(record), .. } if wrote(name).is_some() => {
            let row = Row::at(entry.t, &entry.node, 'W', &format!("{name} {}", shorten(record, 50)));
            (format!("{}{}.", stopped(&words(entry)), values(schedule, *id)), vec![row])
        }
        What::Killed { by } => killed(entries, place, by, picked),
        What::Committed { origin, .. } => {
            let label = if origin == "local" { "commits its own" } else { "commits it" };
            (words(entry), vec![Row::at(entry.t, &entry.node, 'C', label)])
        }
        What::FaultBegan { id, name, nodes, .. } => {
            let label = format!("{} begins", name.replace('-', " "));
            let rows = nodes.iter().take(1).map(|node| Row::at(entry.t, node, '#', &label));
            (planned(schedule, *id).unwrap_or_else(|| words(entry)), rows.collect())
        }
        What::Session { news, .. } => (words(entry), vec![Row::at(entry.t, &entry.node, '*', &shorten(news, 50))]),
        What::Opened { .. } => (words(entry), vec![Row::at(entry.t, &entry.node, '^', "up")]),
        What::NotOpened { .. } => (words(entry), vec![Row::at(entry.t, &entry.node, '?', "cannot open its store")]),
        What::Healed => (words(entry), vec![Row::fleet(entry.t, "everything is healed")]),
        What::Converged => (words(entry), vec![Row::fleet(entry.t, "everyone agrees")]),
        What::Event { id, name, .. } => {
            let said = planned(schedule, *id).unwrap_or_else(|| words(entry));
            (said, vec![Row::at(entry.t, &entry.node, '*', &name.replace('-', " "))])
        }
        What::Closed
        | What::Dialing { .. }
        | What::DialFailed { .. }
        | What::Connected { .. }
        | What::Disconnected { .. }
        | What::Received { .. }
        | What::Durable { .. }
        | What::FaultEnded { .. }
        | What::Violated { .. } => (words(entry), Vec::new()),
    };
    let starts_with_name = schedule.fleet.nodes.iter().any(|node| clause.starts_with(&node.name));
    let clause = if starts_with_name { clause } else { small(&clause) };
    Told { text: format!("At {at} {clause}"), place: Some(place), rows }
}

/// What the schedule says of an event.
fn planned(schedule: &Schedule, id: u32) -> Option<String> {
    let event = schedule.events.iter().find(|event| event.id == id)?;
    Some(format!("{} (event {id}).", stopped(&words_of_action(&event.action))))
}

/// What a scheduled write wrote.
fn values(schedule: &Schedule, id: u32) -> String {
    let Some(event) = schedule.events.iter().find(|event| event.id == id) else { return String::new() };
    if let Action::Create { values, .. } | Action::Update { values, .. } = &event.action
        && !values.is_empty()
    {
        return format!(", with {}", shorten(&fields(values), 160));
    }
    String::new()
}

/// The end of a process: what it had not come to, and when it was back.
fn killed(entries: &[Entry], place: usize, by: &str, picked: &[usize]) -> (String, Vec<Row>) {
    let entry = &entries[place];
    let mut said = stopped(&words(entry));
    let lost = picked.iter().rev().copied().find(|&write| {
        matches!(entries[write].what, What::Event { record: Some(_), .. }) && unsent(entries, write, place)
    });
    if let Some(write) = lost {
        let later = duration(entry.t.saturating_sub(entries[write].t));
        said.push_str(&format!(", {later} after that write and before it had sent anybody its changes"));
        if !safe(entries, write, place) {
            said.push_str(", or had them safe on its disk");
        }
    }
    let mut rows = vec![Row::at(entry.t, &entry.node, 'X', &shorten(&by.replace('-', " "), 50))];
    let back = entries[place..]
        .iter()
        .find(|later| later.node == entry.node && matches!(later.what, What::Opened { .. } | What::NotOpened { .. }));
    match back.map(|back| (&back.what, back.t)) {
        Some((What::Opened { replica, .. }, t)) => {
            said.push_str(&format!("; it was up again {} later", duration(t.saturating_sub(entry.t))));
            let earlier = entries[..place].iter().rev().filter(|earlier| earlier.node == entry.node);
            let before = earlier.map(|earlier| &earlier.what).find_map(|what| {
                let What::Opened { replica, .. } = what else { return None };
                Some(replica)
            });
            if before.is_some_and(|before| before != replica) {
                said.push_str(", under another replica id");
            }
            rows.push(Row::at(t, &entry.node, '^', "up again"));
        }
        Some((_, t)) => {
            said.push_str(&format!("; {} later it could not open its store", duration(t.saturating_sub(entry.t))))
        }
        None => said.push_str("; it did not come back"),
    }
    said.push('.');
    (said, rows)
}

/// Whether a write's commit was durable before a place.
fn safe(entries: &[Entry], write: usize, before: usize) -> bool {
    let node = &entries[write].node;
    let here = || entries[write..before].iter().filter(|entry| entry.node == *node);
    // The commit is told just before or just after the event that made it.
    let around = entries[..write].iter().rev().take_while(|entry| entry.n == entries[write].n);
    let seq = here().chain(around.filter(|entry| entry.node == *node)).find_map(|entry| {
        let What::Committed { seq, origin, .. } = &entry.what else { return None };
        (origin == "local").then_some(*seq)
    });
    let Some(committed) = seq else { return true };
    here().any(|entry| matches!(entry.what, What::Durable { seq } if seq >= committed) || carried(entry).is_some())
}

fn stopped(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}
