//! Undoing this store's own edits of a record, newest first, and redoing them.
//!
//! What was undone is noted in this file alone; peers see plain edits. What undoing means stands in
//! `syncline_core::record`.

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{Op, OpType};
use syncline_core::change::Change;
use syncline_core::record::{Inverse, Part, Told};
use syncline_core::state::Writer;
use syncline_schema::{Model, Schema};

use crate::error::{Result, StoreError};
use crate::local::{Saved, bad_edit, put_into_live};
use crate::past::Past;
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
}

impl<'a> Tx<'a> {
    /// Undoes this store's last edit of a record that still stands, as a new change: what others wrote
    /// stays. Called again it undoes the edit before that. Edits that others have written over are passed
    /// over.
    ///
    /// Marks of rich texts are not undone: an edit with some is refused with `BadEdit`, and so is what is older.
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
        let turns = self.turns_of(mine.map(|entry| entry.seq))?;
        let units = units(&past, &turns);
        let undone = undone(&units);
        for edit in candidates(&units, &undone, way) {
            if has_marks(&past, &units, edit) {
                return Err(StoreError::BadEdit {
                    model: model.name.clone(),
                    reason: "the last edit put marks on a rich text or took some away, which is not undone: mark or \
                             unmark those characters"
                        .to_owned(),
                });
            }
            let inverse = self.inverse(model, working, &past, (&units, &turns), (&undone, edit, way))?;
            if inverse.is_empty() {
                continue;
            }
            if !working.is_alive() && !inverse.decides_existence() {
                return Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: true });
            }
            let turned = Turned { edit, undone: way == Way::Undo };
            self.append_turn(model, working, inverse, turned)?;
            let mut saved = self.saved_with_document(schema, model, working)?;
            saved.dot = self.last_dot().filter(|_| !model.local);
            return Ok(saved);
        }
        Err(StoreError::NothingToUndo { model: model.name.clone(), id: id.to_owned(), again: way == Way::Redo })
    }

    /// All of a record's changes, those of this transaction included.
    fn past_of(&self, working: &Working) -> Result<Past> {
        let mut unwritten: Vec<_> = self.unwritten_of(working.row).cloned().collect();
        let last = unwritten.last().map_or(working.last, |oldest| oldest.prev);
        unwritten.reverse();
        Past::read(self.db, last, unwritten)
    }

    fn inverse(
        &mut self,
        model: &'a Model,
        working: &mut Working,
        past: &Past,
        (units, turns): (&[Unit], &BTreeMap<u64, Turned>),
        (undone, edit, way): (&BTreeSet<u64>, u64, Way),
    ) -> Result<Inverse> {
        let edited: &[u64] = units.iter().find(|unit| unit.rows[0] == edit).map_or(&[], |unit| &unit.rows);
        let gone: BTreeSet<u64> = units
            .iter()
            .filter(|unit| undone.contains(&unit.rows[0]))
            .flat_map(|unit| &unit.rows)
            .filter(|row| way == Way::Undo || !edited.contains(row))
            .chain(edited.iter().filter(|_| way == Way::Undo))
            .copied()
            .collect();
        let seqs: Vec<Option<u64>> =
            past.changes.iter().map(|change| past.entry(&change.hash()).map(|entry| entry.seq)).collect();
        let told: Vec<Told<'_>> = past
            .changes
            .iter()
            .zip(&seqs)
            .map(|(change, seq)| {
                let part = match seq {
                    Some(seq) if turns.contains_key(seq) => Part::Turn,
                    Some(seq) if gone.contains(seq) => Part::Undone,
                    Some(_) | None => Part::Edit,
                };
                Told { change, part }
            })
            .collect();
        let places: Vec<usize> =
            (0..told.len()).filter(|at| seqs[*at].is_some_and(|seq| edited.contains(&seq))).collect();
        Ok(self.view(model, working)?.turn(&told, &places))
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

    fn saved_with_document(&mut self, schema: &'a Schema, model: &'a Model, working: &mut Working) -> Result<Saved> {
        self.view(model, working)?;
        Ok(self.saved(schema, model, working))
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
            Some(_) | None => units.push(Unit { rows: vec![entry.seq], turned }),
        }
        last = transaction;
    }
    units
}

/// Whether an edit put marks on a text or took some away.
fn has_marks(past: &Past, units: &[Unit], edit: u64) -> bool {
    let rows = units.iter().find(|unit| unit.rows[0] == edit).map_or(&[][..], |unit| &unit.rows);
    let is_of_edit = |change: &&Change| past.entry(&change.hash()).is_some_and(|entry| rows.contains(&entry.seq));
    let is_mark = |op: &Op| matches!(op.action, OpType::MarkBegin(_) | OpType::MarkEnd(_));
    past.changes.iter().filter(is_of_edit).any(|change| change.ops().iter().any(is_mark))
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

/// The edits that may be turned, best first.
fn candidates(units: &[Unit], undone: &BTreeSet<u64>, way: Way) -> Vec<u64> {
    let newest_first = units.iter().rev();
    match way {
        Way::Undo => {
            let edits = newest_first.filter(|unit| unit.turned.is_none()).map(|unit| unit.rows[0]);
            edits.filter(|edit| !undone.contains(edit)).collect()
        }
        // What was undone before the last edit stays undone.
        Way::Redo => {
            let since = newest_first.map_while(|unit| unit.turned);
            since.filter(|turned| turned.undone && undone.contains(&turned.edit)).map(|turned| turned.edit).collect()
        }
    }
}
