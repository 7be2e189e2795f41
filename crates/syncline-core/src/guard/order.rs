//! Which of two elements of a text or list stands first.
//!
//! Every element was inserted behind another one or at the head, so they make a tree; of several
//! behind the same one the greatest operation comes first, and each is followed by what hangs on it.
//! Elements that arrive later change nothing about the order of two that are there.

use std::collections::BTreeMap;

use automerge::ActorId;

use crate::change::Change;
use crate::lineage::{HEAD, Lineage, OpInfo};

/// The elements of a record's texts and lists, those of a change being judged included.
pub(super) struct Elements<'a> {
    lineage: &'a Lineage,
    own: &'a [OpInfo],
    change: &'a Change,
    /// Steps up the tree that may still be taken. A peer decides how far apart the ends of its marks
    /// are and how many marks it makes; beyond this, ordering all elements once costs less.
    steps_left: usize,
    /// Place of each element among all.
    places: Option<Vec<u32>>,
}

/// Stands for no element.
const NONE: u32 = u32::MAX;

impl<'a> Elements<'a> {
    pub(super) fn new(lineage: &'a Lineage, own: &'a [OpInfo], change: &'a Change) -> Self {
        let steps_left = lineage.op_count() as usize + own.len();
        Self { lineage, own, change, steps_left, places: None }
    }

    /// Whether the second element stands behind the first, both of one object; [`HEAD`] stands
    /// before all.
    pub(super) fn is_behind(&mut self, first: u32, second: u32) -> bool {
        if first == second || second == HEAD {
            return false;
        }
        if first == HEAD {
            return true;
        }
        match &self.places {
            Some(places) => places[first as usize] < places[second as usize],
            None => self.climb(first, second).unwrap_or_else(|| {
                let places = self.order_all();
                let behind = places[first as usize] < places[second as usize];
                self.places = Some(places);
                behind
            }),
        }
    }

    /// Climbs from both to where their ways meet. `None` if that takes too long.
    fn climb(&mut self, first: u32, second: u32) -> Option<bool> {
        let (mut first, mut second) = (first, second);
        let (mut first_way, mut second_way) = (NONE, NONE);
        while first != second {
            self.steps_left = self.steps_left.checked_sub(1)?;
            // What an element hangs on has a smaller number.
            if second == HEAD || (first != HEAD && first > second) {
                first_way = first;
                first = self.behind_what(first);
            } else {
                second_way = second;
                second = self.behind_what(second);
            }
        }
        match (first_way, second_way) {
            // One hangs on the other.
            (NONE, _) => Some(true),
            (_, NONE) => Some(false),
            (first, second) => Some(self.name(first) > self.name(second)),
        }
    }

    /// Places of all elements of all objects, in one walk down the trees.
    fn order_all(&self) -> Vec<u32> {
        let count = self.lineage.op_count() + self.own.len() as u32;
        let mut elements: Vec<u32> =
            (0..count).filter(|number| self.info(*number).is_some_and(|op| op.insert)).collect();
        elements.sort_by_cached_key(|number| self.name(*number));
        // In the order of their names, so that the greatest comes to be the first.
        let mut first_behind = vec![NONE; count as usize];
        let mut first_of: BTreeMap<u32, u32> = BTreeMap::new();
        let mut next = vec![NONE; count as usize];
        for number in elements {
            let Some(info) = self.info(number) else { continue };
            let first = match info.slot {
                HEAD => first_of.entry(info.obj).or_insert(NONE),
                before => &mut first_behind[before as usize],
            };
            next[number as usize] = std::mem::replace(first, number);
        }
        let mut places = vec![NONE; count as usize];
        let mut place = 0;
        let mut ahead: Vec<u32> = first_of.into_values().collect();
        while let Some(number) = ahead.pop() {
            places[number as usize] = place;
            place += 1;
            let follow = [next[number as usize], first_behind[number as usize]];
            ahead.extend(follow.into_iter().filter(|follower| *follower != NONE));
        }
        places
    }

    fn behind_what(&self, number: u32) -> u32 {
        self.info(number).map_or(HEAD, |info| info.slot)
    }

    fn info(&self, number: u32) -> Option<OpInfo> {
        match number.checked_sub(self.lineage.op_count()) {
            Some(own) => self.own.get(own as usize).copied(),
            None => self.lineage.op(number),
        }
    }

    fn name(&self, number: u32) -> Option<(u64, &ActorId)> {
        match number.checked_sub(self.lineage.op_count()) {
            Some(own) => Some((self.change.start_op() + u64::from(own), self.change.actor())),
            None => self.lineage.name(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use automerge::{ObjId, ReadDoc};

    use super::*;
    use crate::document::Document;
    use crate::edit::{Edits, ObjectEdit, ObjectKind};
    use crate::genesis::Genesis;

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }
    }

    /// Three writers who insert and delete in one text and meet now and then.
    fn history(seed: u64) -> (Document, Vec<Change>) {
        let mut random = Random(seed);
        let genesis = |key: &str| Genesis { model: "Page".to_owned(), key: key.to_owned(), kind: ObjectKind::Text };
        let mut writers = vec![(Document::default(), Vec::<Change>::new()); 3];
        for _ in 0..40 {
            let at = random.below(3);
            let from = writers[random.below(3)].1.clone();
            let (document, changes) = &mut writers[at];
            let new: Vec<Change> = from.into_iter().filter(|change| !changes.contains(change)).collect();
            document.apply_accepted(&new).unwrap();
            changes.extend(new);
            let len = document.text_len("body").unwrap_or(0);
            let place = random.below(len + 1);
            let delete = random.below(3).min(len - place);
            let insert = ["a", "bcd", ""][random.below(3)].to_owned();
            let splice = ObjectEdit::Splice { key: "body".to_owned(), at: place, delete, insert };
            let edits = Edits { root: Vec::new(), objects: vec![splice] };
            let edited = document.edit(&edits, &genesis, &ActorId::from([9 - at as u8; 3]), 1).unwrap();
            changes.extend(edited.into_iter().flat_map(|edited| edited.genesis.into_iter().chain(edited.changes)));
        }
        let mut all: Vec<Change> = Vec::new();
        for (_, changes) in writers {
            all.extend(changes.into_iter().filter(|change| !all.contains(change)).collect::<Vec<_>>());
        }
        (Document::rebuild(&all).unwrap(), all)
    }

    #[test]
    fn elements_are_ordered_as_automerge_orders_them_by_either_way() {
        for seed in 0..20 {
            let (document, changes) = history(seed);
            let lineage = Lineage::of(&changes).unwrap();
            let doc = document.as_automerge();
            let Ok(Some((_, text))) = doc.get(automerge::ROOT, "body") else { continue };
            let number = |at: usize| {
                let Ok(Some((_, ObjId::Id(counter, actor, _)))) = doc.get(&text, at) else { panic!("it is there") };
                let numbers = 0..lineage.op_count();
                numbers.into_iter().find(|number| lineage.name(*number) == Some((counter, &actor))).unwrap()
            };
            let shown: Vec<u32> = (0..doc.length(&text)).map(number).collect();
            let mut climbing = Elements { steps_left: usize::MAX, ..Elements::new(&lineage, &[], &changes[0]) };
            let mut placing = Elements { steps_left: 0, ..Elements::new(&lineage, &[], &changes[0]) };
            for (first_at, first) in shown.iter().enumerate() {
                assert!(climbing.is_behind(HEAD, *first) && !climbing.is_behind(*first, HEAD));
                for (second_at, second) in shown.iter().enumerate() {
                    assert_eq!(climbing.is_behind(*first, *second), first_at < second_at, "seed {seed}");
                    assert_eq!(placing.is_behind(*first, *second), first_at < second_at, "seed {seed}");
                }
            }
            assert!(climbing.places.is_none() && (shown.len() < 2 || placing.places.is_some()));
        }
    }
}
