//! Events before they have ids: collected from many sources, then put in order and numbered by time.

use std::collections::BTreeSet;

use crate::scenario::At;
use crate::schedule::{Action, Event, EventId};

/// Creates within a transaction are named by its event × this + their place.
const PLACES: u32 = 1000;
/// Handles above are creates within transactions.
const INNER: EventId = 1 << 31;

/// What has been drafted so far. Until the end, actions refer to each other by handles.
pub(super) struct Drafts {
    duration_ms: u64,
    source: u32,
    drafts: Vec<Draft>,
    /// Creates within transactions: the transaction's handle, and the place.
    inner: Vec<(EventId, u32)>,
}

struct Draft {
    at_ms: u64,
    source: u32,
    handle: EventId,
    action: Action,
}

impl Drafts {
    pub(super) fn new(duration_ms: u64) -> Self {
        Self { duration_ms, source: 0, drafts: Vec::new(), inner: Vec::new() }
    }

    /// What follows comes from another source. Returns how many handles there are.
    pub(super) fn begin_source(&mut self) -> EventId {
        self.source += 1;
        self.drafts.len() as EventId
    }

    /// How long the run lasts.
    pub(super) fn duration_ms(&self) -> u64 {
        self.duration_ms
    }

    /// An event; its handle. After the end of the run there is none.
    pub(super) fn push(&mut self, at_ms: u64, action: Action) -> EventId {
        let handle = self.drafts.len() as EventId + 1;
        self.drafts.push(Draft { at_ms, source: self.source, handle, action });
        handle
    }

    /// Writes of one transaction; handles of those that create, in their order.
    pub(super) fn push_together(&mut self, at_ms: u64, node: &str, writes: Vec<Action>) -> Vec<EventId> {
        let creates = |action: &Action| matches!(action, Action::Create { .. });
        let places = writes.iter().enumerate().filter(|(_, write)| creates(write)).map(|(place, _)| place as u32);
        let places: Vec<u32> = places.collect();
        let handle = self.push(at_ms, Action::Together { node: node.to_owned(), writes });
        places
            .into_iter()
            .map(|place| {
                self.inner.push((handle, place));
                INNER | (self.inner.len() as u32 - 1)
            })
            .collect()
    }

    /// An event of the scenario's file, which refers to others by their place there, from 1. `before` is the number
    /// of handles before the first of them.
    pub(super) fn push_named(&mut self, before: EventId, at: &At) {
        let mut action = at.action.clone();
        renumber(&mut action, &mut |place| place.saturating_add(before));
        self.push(at.t_ms, action);
    }

    /// The events by time, with ids that ascend.
    pub(super) fn into_events(mut self) -> Vec<Event> {
        self.drafts.retain(|draft| draft.at_ms <= self.duration_ms);
        self.drafts.sort_by_key(|draft| (draft.at_ms, draft.source, draft.handle));
        let ids = self.ids();
        let inner = &self.inner;
        let id_of = |handle: EventId| ids.get(handle as usize).copied().unwrap_or(0);
        let mut final_id = |handle: EventId| match inner.get((handle & !INNER) as usize) {
            Some((together, place)) if handle & INNER != 0 => id_of(*together).saturating_mul(PLACES) + place,
            Some(_) | None => id_of(handle),
        };
        let drafts = std::mem::take(&mut self.drafts);
        drafts
            .into_iter()
            .map(|mut draft| {
                renumber(&mut draft.action, &mut final_id);
                Event { id: id_of(draft.handle), at_ms: draft.at_ms, action: draft.action }
            })
            .collect()
    }

    /// Handle → id. What a transaction's creates are called is nobody else's id.
    fn ids(&self) -> Vec<EventId> {
        let handles = self.drafts.iter().map(|draft| draft.handle).max().unwrap_or(0);
        let mut ids = vec![0; handles as usize + 1];
        let mut taken: BTreeSet<EventId> = BTreeSet::new();
        let mut next = 1;
        for draft in &self.drafts {
            while taken.remove(&next) {
                next += 1;
            }
            ids[draft.handle as usize] = next;
            if let Action::Together { writes, .. } = &draft.action {
                let first = next.saturating_mul(PLACES);
                taken.extend((0..writes.len() as u32).map(|place| first.saturating_add(place)));
            }
            next += 1;
        }
        ids
    }
}

/// Calls the events that an action refers to by other names.
fn renumber(action: &mut Action, to: &mut impl FnMut(EventId) -> EventId) {
    match action {
        Action::Update { record: event, .. }
        | Action::Delete { record: event, .. }
        | Action::Undelete { record: event, .. }
        | Action::Increment { record: event, .. }
        | Action::Add { record: event, .. }
        | Action::Remove { record: event, .. }
        | Action::Splice { record: event, .. }
        | Action::Unobserve { observe: event }
        | Action::Restore { backup: event, .. } => *event = to(*event),
        Action::Together { writes, .. } => writes.iter_mut().for_each(|write| renumber(write, to)),
        Action::Create { .. }
        | Action::Import { .. }
        | Action::Observe { .. }
        | Action::Split { .. }
        | Action::Isolate { .. }
        | Action::OneWay { .. }
        | Action::Swizzle { .. }
        | Action::Flap { .. }
        | Action::Slow { .. }
        | Action::Stall { .. }
        | Action::Reset { .. }
        | Action::Captive { .. }
        | Action::Herd { .. }
        | Action::Meet { .. }
        | Action::Start { .. }
        | Action::Restart { .. }
        | Action::Upgrade { .. }
        | Action::Kill { .. }
        | Action::KillAt { .. }
        | Action::CrashLoop { .. }
        | Action::Pause { .. }
        | Action::PowerCut { .. }
        | Action::LyingSyncs { .. }
        | Action::IoError { .. }
        | Action::DiskFull { .. }
        | Action::SlowDisk { .. }
        | Action::BitRot { .. }
        | Action::Backup { .. }
        | Action::Clone { .. }
        | Action::ClockJump { .. }
        | Action::ClockFreeze { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(node: &str) -> Action {
        Action::Create { node: node.to_owned(), model: "M".to_owned(), values: serde_json::Map::new() }
    }

    fn delete(record: EventId) -> Action {
        Action::Delete { node: "d1".to_owned(), record }
    }

    #[test]
    fn ids_ascend_with_time_and_references_follow() {
        let mut drafts = Drafts::new(100);
        drafts.begin_source();
        let late = drafts.push(50, create("d1"));
        drafts.push(60, delete(late));
        drafts.begin_source();
        let made = drafts.push_together(10, "d1", vec![create("d1"), create("d1")]);
        drafts.push(20, delete(made[1]));
        drafts.push(101, delete(late));
        let events = drafts.into_events();
        let ids: Vec<(EventId, u64)> = events.iter().map(|event| (event.id, event.at_ms)).collect();
        assert_eq!(ids, [(1, 10), (2, 20), (3, 50), (4, 60)]);
        assert_eq!(events[1].action, delete(1001));
        assert_eq!(events[3].action, delete(3));
    }

    #[test]
    fn no_event_has_the_id_of_a_create_within_a_transaction() {
        let mut drafts = Drafts::new(10_000);
        drafts.begin_source();
        drafts.push_together(0, "d1", vec![create("d1"), create("d1")]);
        for at in 1..2000 {
            drafts.push(at, create("d1"));
        }
        let events = drafts.into_events();
        let ids: BTreeSet<EventId> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), 2000);
        assert!(!ids.contains(&1000) && !ids.contains(&1001) && ids.contains(&999) && ids.contains(&1002));
    }
}
