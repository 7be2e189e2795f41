//! Deletes of all records that match a condition, at once or in parts.

use std::collections::{BTreeMap, BTreeSet};

use syncline_schema::{Model, Schema};

use crate::MAX_TRANSACTION_CHANGES;
use crate::cascade::{Along, Effect, Plan};
use crate::error::{Result, StoreError};
use crate::local::Saved;
use crate::query::{Condition, rows_that_match};
use crate::tx::Tx;

/// What a delete by condition did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeletedWhere {
    /// The records that matched, as they were (but for `updatedAt`, the time of the delete), in the order of their key.
    pub records: Vec<Saved>,
    /// What they took along, in the order in which it was written. A record that matched is not among it.
    pub along: Vec<Along>,
}

/// A delete by condition that is done in parts, and how far it is. [`Tx::sweep`] makes one, [`Tx::sweep_part`] does it.
#[derive(Clone, Debug)]
pub struct Sweep {
    model: String,
    /// The records to delete, ascending.
    rows: Vec<i64>,
    /// So many of the rows are done.
    done: usize,
    /// How many of the records are deleted.
    records: u64,
    /// The rows of others that were deleted along, or lost their reference.
    along: BTreeSet<i64>,
}

impl<'a> Tx<'a> {
    /// Deletes all records that match, with what the schema's `onDelete` takes along and with their links. Which ones
    /// match is decided here, this transaction's writes included. None is no error.
    ///
    /// More than [`MAX_TRANSACTION_CHANGES`] records in all are refused; [`Tx::sweep`] is the way then.
    pub fn delete_where(&mut self, model: &str, condition: &Condition) -> Result<DeletedWhere> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        // One more than can be done tells that there are more.
        let rows = self.matching(schema, model, condition, Some(MAX_TRANSACTION_CHANGES as u64 + 1))?;
        let plan = self.plan(schema, model, &rows, Plan::touched)?;
        if plan.is_cut {
            return Err(StoreError::TooManyDeletes { model: model.name.clone(), condition: condition.to_string() });
        }
        let places: BTreeMap<i64, usize> = rows.iter().enumerate().map(|(place, row)| (*row, place)).collect();
        let mut records = BTreeMap::new();
        let mut along = Vec::new();
        for (row, one) in self.carry_out(schema, plan)? {
            match places.get(&row).filter(|_| one.effect == Effect::Deleted) {
                Some(place) => {
                    records.insert(*place, one.saved);
                }
                None => along.push(one),
            }
        }
        Ok(DeletedWhere { records: records.into_values().collect(), along })
    }

    /// Begins a delete of all records that match, however many. Which ones is decided here, once and for all parts:
    /// what one part deletes does not change what the next ones do.
    pub fn sweep(&mut self, model: &str, condition: &Condition) -> Result<Sweep> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut rows = self.matching(schema, model, condition, None)?;
        rows.sort_unstable();
        Ok(Sweep { model: model.name.clone(), rows, done: 0, records: 0, along: BTreeSet::new() })
    }

    /// Deletes as much of it as fits one transaction, of what depends on others before those. Commit, and call again
    /// until [`Sweep::is_done`].
    pub fn sweep_part(&mut self, sweep: &mut Sweep) -> Result<()> {
        let (schema, model) = (self.schema()?, self.model(&sweep.model)?);
        self.flush()?;
        let rest = sweep.rows.get(sweep.done..).unwrap_or_default();
        let next = &rest[..rest.len().min(MAX_TRANSACTION_CHANGES + 1)];
        let plan = self.plan(schema, model, next, Plan::changes)?;
        let reached = next.iter().take_while(|row| plan.deleted.contains(row)).count();
        let done = self.carry_out(schema, plan)?;
        if reached == 0 && done.is_empty() && !next.is_empty() {
            return Err(StoreError::CascadeTooLarge { model: model.name.clone() });
        }
        for (row, one) in done {
            if one.effect == Effect::Deleted && sweep.rows.binary_search(&row).is_ok() {
                sweep.records += 1;
                // One part may have emptied what a later one deletes.
                sweep.along.remove(&row);
            } else {
                sweep.along.insert(row);
            }
        }
        sweep.done += reached;
        Ok(())
    }

    fn matching(
        &mut self,
        schema: &'a Schema,
        model: &Model,
        condition: &Condition,
        limit: Option<u64>,
    ) -> Result<Vec<i64>> {
        self.flush()?;
        Ok(rows_that_match(self.db, schema, &model.name, condition, limit)?)
    }
}

impl Sweep {
    /// Whether nothing is left to delete.
    pub fn is_done(&self) -> bool {
        self.done >= self.rows.len()
    }

    /// How many of the records are deleted by now.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many others were deleted along by now, or lost their reference.
    pub fn along(&self) -> u64 {
        self.along.len() as u64
    }
}
