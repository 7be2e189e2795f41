//! The records that a workload has made so far, as far as its author can know.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_schema::Model;

use super::super::random::Stream;
use crate::schedule::EventId;

/// How long a record is taken to travel, in milliseconds. If it takes longer, an edit of it finds nothing to do.
const TRAVEL_MS: u64 = 3000;
/// How many of the newest records most doings are about: so that devices meet.
const NEWEST: usize = 24;

#[derive(Default)]
pub(super) struct Pool {
    records: Vec<Known>,
}

/// A record that somebody has made.
pub(super) struct Known {
    pub(super) event: EventId,
    /// The model's place among the workload's.
    pub(super) model: usize,
    home: String,
    at_ms: u64,
    local: bool,
    pub(super) deleted: bool,
    /// What its lists were last saved as.
    pub(super) lists: BTreeMap<String, Vec<Value>>,
    /// Where somebody's cursor stands in a text, in thousandths.
    pub(super) cursors: BTreeMap<(String, String), u32>,
    /// About how long its texts are, in characters.
    pub(super) lengths: BTreeMap<String, u64>,
}

impl Pool {
    pub(super) fn add(
        &mut self,
        event: EventId,
        (place, model): (usize, &Model),
        node: &str,
        at_ms: u64,
        values: &Map<String, Value>,
    ) -> usize {
        let lists = values.iter().filter_map(|(name, value)| Some((name.clone(), value.as_array()?.clone())));
        self.records.push(Known {
            event,
            model: place,
            home: node.to_owned(),
            at_ms,
            local: model.local,
            deleted: false,
            lists: lists.collect(),
            cursors: BTreeMap::new(),
            lengths: BTreeMap::new(),
        });
        self.records.len() - 1
    }

    pub(super) fn get(&mut self, place: usize) -> &mut Known {
        &mut self.records[place]
    }

    /// How many of the newest records are of such models, and there.
    pub(super) fn count(&self, fits: &dyn Fn(usize) -> bool) -> usize {
        self.records.iter().rev().take(NEWEST).filter(|known| !known.deleted && fits(known.model)).count()
    }

    /// One that a node may know of: mostly a new one, so that others have it in hand too.
    pub(super) fn pick(
        &self,
        node: &str,
        at_ms: u64,
        stream: &mut Stream,
        fits: &dyn Fn(&Known) -> bool,
    ) -> Option<usize> {
        let known = |known: &&Known| {
            let here = known.home == node;
            (here || (!known.local && known.at_ms + TRAVEL_MS <= at_ms)) && fits(known)
        };
        if stream.percent(20) {
            let place = stream.below(self.records.len() as u64) as usize;
            if self.records.get(place).as_ref().is_some_and(&known) {
                return Some(place);
            }
        }
        let newest = self.records.iter().enumerate().rev().filter(|(_, record)| known(record)).take(NEWEST);
        let newest: Vec<usize> = newest.map(|(place, _)| place).collect();
        stream.pick(&newest).copied()
    }
}
