//! Undoing this store's own edits of a record, newest first, and redoing them.
//!
//! What was undone is noted in this file alone; peers see plain edits. What undoing means stands in
//! `syncline_core::record`.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::change::Change;
use syncline_core::record::{Inverse, Part, Story, TextEdit, TooManyRuns};
use syncline_core::state::Writer;
use syncline_schema::{Model, Schema};

use crate::error::{Result, StoreError};
use crate::local::{Saved, bad_edit, put_into_live};
use crate::past::{self, Past};
use crate::storage::turns::Turned;
use crate::tx::{Tx, Working};

/// Which way an edit is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Undo,
    Redo,
}

/// The rows of this store's that one operation wrote to the record, oldest first, or that turned one.
struct Unit {
    /// Positions in the log; the first names the unit.
    rows: Vec<u64>,
    turned: Option<Turned>,
    /// It made or revived the record.
    gives_life: bool,
}

/// This store's edits of a record, and which of them are undone.
struct Turns {
    units: Vec<Unit>,
    undone: BTreeSet<u64>,
    /// The unit of each change of the record, if it is one of this store's.
    unit_of: Vec<Option<usize>>,
}

impl<'a> Tx<'a> {
    /// Undoes this store's last edit of a record that still stands, as a new change: what others wrote
    /// stays. Called again it undoes the edit before that. Edits that others have written over are passed
    /// over; one whose marks cannot be put back is an error, [`StoreError::TooManyRuns`].
    ///
    /// What one operation wrote is undone together; so is what one transaction wrote to the record. A
    /// deleted record comes back if its deletion was the last edit; undoing its creation deletes it.
    pub fn undo(&mut self, model: &str, id: &str) -> Result<Saved> {
        self.turn(model, id, Way::Undo)
    }

    /// Redoes what was undone last, as long as this store has not edited the record since.
    pub fn redo(&mut self, model: &str, id: &str) -> Result<Saved> {
        self.turn(model, id, Way::Redo)
    }

    fn turn(&mut self, model: &str, id: &str, way: Way) -> Result<Saved> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut working = self.existing(schema, model, id)?;
        let outcome = self.turn_existing(schema, model, id, &mut working, way);
        self.give_back(working);
        outcome
    }

    fn turn_existing(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        id: &str,
        working: &mut Working,
        way: Way,
    ) -> Result<Saved> {
        let past = self.past_of(working)?;
        let mine = past.entries.iter().filter(|entry| entry.kind.in_record() && past.is_mine(entry));
        let turns = Turns::of(&past, &self.turns_of(mine.map(|entry| entry.seq))?);
        let story = Story::of(&past.changes).map_err(|missing| past::damaged(&missing))?;
        for edit in turns.candidates(way) {
            let inverse = self.view(model, working)?.turn(&story, &turns.parts(edit, way), &turns.changes_of(edit));
            let marks = self.marks_of((model, id), working, &story, (&turns, edit), way)?;
            if inverse.is_empty() && marks.is_empty() {
                continue;
            }
            if !working.is_alive() && !inverse.decides_existence() {
                return Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: true });
            }
            let turned = Turned { edit: turns.units[edit].rows[0], undone: way == Way::Undo };
            self.append_turn(model, working, inverse, turned)?;
            self.append_marks((model, id), working, &story, (&turns, edit), turned)?;
            let mut saved = self.saved_with_document(schema, model, working)?;
            saved.dot = self.last_dot().filter(|_| !model.local);
            return Ok(saved);
        }
        Err(StoreError::NothingToUndo { model: model.name.clone(), id: id.to_owned(), again: way == Way::Redo })
    }

    /// All of a record's changes, those of this transaction included.
    pub(crate) fn past_of(&self, working: &Working) -> Result<Past> {
        let mut unwritten: Vec<_> = self.unwritten_of(working.row).cloned().collect();
        let last = unwritten.last().map_or(working.last, |oldest| oldest.prev);
        unwritten.reverse();
        Past::read(self.db, last, unwritten)
    }

    fn append_turn(&mut self, model: &Model, working: &mut Working, inverse: Inverse, turned: Turned) -> Result<()> {
        let actor = self.actor()?;
        let own_last = self.own_last(working, &actor)?;
        let writer = Writer { actor: &actor, own_last };
        let changes = inverse.changes(&working.state, &writer, self.now_ms).map_err(|error| bad_edit(model, &error))?;
        for change in changes {
            if let Some(live) = &mut working.live {
                put_into_live(live, &change)?;
            }
            self.append_own(working, &change, model.local)?;
            self.note_turn(turned);
        }
        Ok(())
    }

    /// What turns an edit's marks. What made or revived the record is undone and redone as a whole.
    fn marks_of(
        &mut self,
        (model, id): (&'a Model, &str),
        working: &mut Working,
        story: &Story<'_>,
        (turns, edit): (&Turns, usize),
        way: Way,
    ) -> Result<Vec<(String, Vec<TextEdit>)>> {
        if turns.units[edit].gives_life {
            return Ok(Vec::new());
        }
        let turned = self.view(model, working)?.turn_marks(story, &turns.changes_of(edit), way == Way::Undo);
        turned.map_err(|TooManyRuns { field }| StoreError::TooManyRuns {
            model: model.name.clone(),
            id: id.to_owned(),
            field,
            again: way == Way::Redo,
        })
    }

    /// Behind what else was turned, for that moves the characters that are marked.
    fn append_marks(
        &mut self,
        (model, id): (&'a Model, &str),
        working: &mut Working,
        story: &Story<'_>,
        (turns, edit): (&Turns, usize),
        turned: Turned,
    ) -> Result<()> {
        let way = if turned.undone { Way::Undo } else { Way::Redo };
        for (field, edits) in self.marks_of((model, id), working, story, (turns, edit), way)? {
            let edits = self.view(model, working)?.edit_text(&field, &edits)?;
            self.append_edits_of_turn(model, working, &edits, turned)?;
        }
        Ok(())
    }

    fn saved_with_document(&mut self, schema: &'a Schema, model: &'a Model, working: &mut Working) -> Result<Saved> {
        self.view(model, working)?;
        Ok(self.saved(schema, model, working, true))
    }
}

impl Turns {
    /// `turned` tells of the rows that turned an edit.
    fn of(past: &Past, turned: &BTreeMap<u64, Turned>) -> Self {
        let mut units = units(past, turned);
        let rows =
            units.iter().enumerate().flat_map(|(unit, Unit { rows, .. })| rows.iter().map(move |row| (*row, unit)));
        let unit_of_row: BTreeMap<u64, usize> = rows.collect();
        let unit_of_change = |change: &Change| unit_of_row.get(&past.entry(&change.hash())?.seq).copied();
        let unit_of: Vec<Option<usize>> = past.changes.iter().map(unit_of_change).collect();
        for (change, unit) in past.changes.iter().zip(&unit_of) {
            if let Some(unit) = unit.map(|unit| &mut units[unit]) {
                unit.gives_life |= Story::gives_life(change);
            }
        }
        Self { undone: undone(&units), units, unit_of }
    }

    /// The edits that may be turned, best first.
    fn candidates(&self, way: Way) -> Vec<usize> {
        let newest_first = (0..self.units.len()).rev();
        let is_undone = |unit: &usize| self.undone.contains(&self.units[*unit].rows[0]);
        match way {
            Way::Undo => newest_first.filter(|unit| self.units[*unit].turned.is_none() && !is_undone(unit)).collect(),
            // What was undone before the last edit stays undone.
            Way::Redo => {
                let since = newest_first.map_while(|unit| self.units[unit].turned);
                let edits = since.filter(|turned| turned.undone && self.undone.contains(&turned.edit));
                edits.filter_map(|turned| self.units.iter().position(|unit| unit.rows[0] == turned.edit)).collect()
            }
        }
    }

    /// What each change of the record has to do with undoing once this edit is turned.
    fn parts(&self, edit: usize, way: Way) -> Vec<Part> {
        let part = |unit: usize| match &self.units[unit] {
            Unit { turned: Some(_), .. } => Part::Turn,
            Unit { rows, .. } if unit != edit && !self.undone.contains(&rows[0]) => Part::Edit,
            _ if unit == edit && way == Way::Redo => Part::Edit,
            Unit { gives_life: true, .. } => Part::Unmade,
            Unit { .. } => Part::Undone,
        };
        self.unit_of.iter().map(|unit| unit.map_or(Part::Edit, part)).collect()
    }

    /// Places of an edit's changes.
    fn changes_of(&self, edit: usize) -> Vec<usize> {
        (0..self.unit_of.len()).filter(|at| self.unit_of[*at] == Some(edit)).collect()
    }
}

/// This store's changes of the record, by the operation that made them: those of one transaction, which stand
/// side by side.
fn units(past: &Past, turns: &BTreeMap<u64, Turned>) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut last = None;
    for entry in past.entries.iter().filter(|entry| entry.kind.in_record() && past.is_mine(entry)) {
        let turned = turns.get(&entry.seq).copied();
        let transaction = (entry.replica != 0).then_some((entry.replica, entry.counter + u64::from(entry.txn), turned));
        match units.last_mut() {
            Some(unit) if transaction.is_some() && transaction == last => unit.rows.push(entry.seq),
            Some(_) | None => {
                units.push(Unit { rows: vec![entry.seq], turned, gives_life: false });
            }
        }
        last = transaction;
    }
    units
}

/// The edits that are undone: the last turn decides.
fn undone(units: &[Unit]) -> BTreeSet<u64> {
    let mut undone = BTreeSet::new();
    for Turned { edit, undone: is_undone } in units.iter().filter_map(|unit| unit.turned) {
        if is_undone {
            undone.insert(edit);
        } else {
            undone.remove(&edit);
        }
    }
    undone
}
