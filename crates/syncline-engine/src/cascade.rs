//! Deletes, and what they take along: related records by the schema's `onDelete`, and links.
//!
//! All of it is done by the device that deletes, to what it holds then, as one transaction. A replica never writes
//! because of a delete that it received: a record that was added to a deleted one elsewhere stays, as a dangling
//! reference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use syncline_core::edit::Edits;
use syncline_core::ids::RecordId;
use syncline_core::record::RecordView;
use syncline_schema::{Model, OnDelete, Relation, RelationKind, Schema};

use crate::MAX_TRANSACTION_CHANGES;
use crate::commit::Origin;
use crate::error::{Result, StoreError};
use crate::local::Saved;
use crate::query::edges;
use crate::storage::records;
use crate::tx::Tx;

/// What a delete did.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted {
    /// The record as it was.
    pub saved: Saved,
    /// What it took along, in the order in which it was written: all before the record itself.
    pub along: Vec<Along>,
}

/// Another record that a delete changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    /// Its model.
    pub model: String,
    /// The record: as it was if it was deleted, else as it is now.
    pub saved: Saved,
    /// What happened to it.
    pub effect: Effect,
}

/// What a delete did to another record.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It was deleted as well.
    Deleted,
    /// These fields, which referred to the deleted record, became null; with the values that they had.
    Emptied(Map<String, Value>),
}

impl<'a> Tx<'a> {
    /// Deletes a record, with what the schema's `onDelete` takes along and with its links. A record that is not here or
    /// deleted already is an error.
    ///
    /// More than [`MAX_TRANSACTION_CHANGES`] records are refused; [`Tx::delete_part`] is the way then.
    pub fn delete(&mut self, model: &str, id: &str) -> Result<Saved> {
        Ok(self.delete_along(model, id)?.saved)
    }

    /// As [`Tx::delete`]; tells what was taken along.
    pub fn delete_along(&mut self, model: &str, id: &str) -> Result<Deleted> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let root = self.living(schema, model, id)?;
        let plan = self.plan(schema, model, &[root.0], Plan::touched)?;
        if plan.is_cut {
            return Err(StoreError::CascadeTooLarge { model: model.name.clone() });
        }
        let mut done = self.carry_out(schema, plan.naming(root))?;
        match done.pop() {
            Some((_, last)) => {
                Ok(Deleted { saved: last.saved, along: done.into_iter().map(|(_, along)| along).collect() })
            }
            None => Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: true }),
        }
    }

    /// Deletes a record that may take more along than one transaction holds: as much as fits, of what depends on others
    /// before those. `None` as long as the record itself is still there: commit, and call again.
    pub fn delete_part(&mut self, model: &str, id: &str) -> Result<Option<Saved>> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let root = self.living(schema, model, id)?;
        let plan = self.plan(schema, model, &[root.0], Plan::changes)?;
        let is_whole = !plan.is_cut;
        let last = self.carry_out(schema, plan.naming(root))?.pop();
        match last {
            Some((_, last)) => Ok(Some(last.saved).filter(|_| is_whole)),
            None => Err(StoreError::CascadeTooLarge { model: model.name.clone() }),
        }
    }

    /// What is to be done to delete the records of these rows, read from the tables before anything is written: so a
    /// refusal leaves nothing behind, and nobody else's work undone. Records are looked at depth first, until the measure
    /// of the plan says that it is too large, and deleted on the way back, so that a part of a plan leaves nothing
    /// dangling.
    pub(crate) fn plan(
        &self,
        schema: &'a Schema,
        model: &'a Model,
        roots: &[i64],
        measure: impl Fn(&Plan<'a>) -> usize,
    ) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let mut roots = roots.iter();
        let mut stack = Vec::new();
        loop {
            let Some(top): Option<&mut Found<'a>> = stack.last_mut() else {
                let Some(root) = roots.next() else { break };
                if plan.see(*root) {
                    stack.push(self.look(schema, model, *root, &mut plan)?);
                }
                continue;
            };
            if measure(&plan) > MAX_TRANSACTION_CHANGES {
                break;
            }
            if let Some((model, row)) = top.below.pop() {
                if plan.see(row) {
                    let found = self.look(schema, model, row, &mut plan)?;
                    stack.push(found);
                }
            } else if top.has_more {
                break;
            } else {
                plan.delete(top.model, top.row);
                stack.pop();
            }
        }
        plan.is_cut = !stack.is_empty() || plan.changes() > MAX_TRANSACTION_CHANGES;
        plan.trim();
        Ok(plan)
    }

    /// Row and id of a record that lives. The tables that tell what is related to it are up to date then.
    fn living(&mut self, schema: &Schema, model: &Model, id: &str) -> Result<(i64, RecordId)> {
        if takes_along(model).next().is_some() {
            self.flush()?;
        }
        let working = self.existing(schema, model, id)?;
        let (row, record, alive) = (working.row, working.id, working.is_alive());
        self.give_back(working);
        if alive {
            return Ok((row, record));
        }
        Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: true })
    }

    /// A record that is to be deleted, and those that go before it.
    fn look(&self, schema: &'a Schema, model: &'a Model, row: i64, plan: &mut Plan<'a>) -> Result<Found<'a>> {
        let mut found = Found { model, row, below: Vec::new(), has_more: false };
        // One more than can be done tells that there are more.
        let limit = MAX_TRANSACTION_CHANGES + 1;
        for relation in takes_along(model) {
            let (to_links, there) = match relation.kind {
                RelationKind::ManyToMany => (Some(links(relation)), relation.join_model.as_deref()),
                RelationKind::HasOne | RelationKind::HasMany | RelationKind::BelongsTo => {
                    (None, Some(&*relation.model))
                }
            };
            let Some(there) = there.and_then(|name| schema.model(name)) else { continue };
            let rows = edges(self.db, schema, model, to_links.as_ref().unwrap_or(relation), &[row], limit)?;
            found.has_more |= rows.len() == limit;
            if to_links.is_none() && relation.on_delete == OnDelete::SetNull {
                for row in rows {
                    plan.empty(there, row, &relation.fields);
                }
            } else {
                found.below.extend(rows.into_iter().map(|row| (there, row)));
            }
        }
        Ok(found)
    }

    /// Does what the plan says; what was done to which rows.
    pub(crate) fn carry_out(&mut self, schema: &'a Schema, plan: Plan<'a>) -> Result<Vec<(i64, Along)>> {
        let (root, deleted) = (plan.root, plan.deleted);
        let empties = plan.empties.into_iter().filter(|(row, _)| !deleted.contains(row));
        self.together(|tx| {
            let mut along = Vec::new();
            for (row, (model, fields)) in empties {
                let nulls: Map<String, Value> = fields.iter().map(|field| (field.clone(), Value::Null)).collect();
                let held = model.fields.iter().filter(|field| fields.contains(&field.name));
                let mut was = Map::new();
                let Some((id, _)) = records::name_of(tx.db, row)? else { continue };
                let emptied = tx.change(schema, model, id, |view| {
                    was.extend(held.map(|field| (field.name.clone(), view.field(field))));
                    Ok(view.update(&nulls)?)
                })?;
                let effect = Effect::Emptied(was);
                along.extend(emptied.map(|saved| (row, Along { model: model.name.clone(), saved, effect })));
            }
            for (model, row) in plan.deletes {
                let id = match root {
                    Some((root, id)) if row == root => Some(id),
                    Some(_) | None => records::name_of(tx.db, row)?.map(|(id, _)| id),
                };
                let Some(id) = id else { continue };
                let gone = tx.change(schema, model, id, |view| Ok(view.delete()))?;
                let effect = Effect::Deleted;
                along.extend(gone.map(|saved| (row, Along { model: model.name.clone(), saved, effect })));
            }
            Ok(along)
        })
    }

    /// Edits a record, if it lives.
    fn change(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        id: RecordId,
        edits: impl FnOnce(&RecordView<'_>) -> Result<Edits>,
    ) -> Result<Option<Saved>> {
        let mut working = self.take(id, model.first_name(), Origin::Local)?;
        let outcome = if working.is_alive() {
            self.view(model, &mut working).and_then(|view| edits(&view)).and_then(|edits| {
                let now = self.now_ms;
                self.commit_edits(schema, model, &mut working, &edits, now).map(Some)
            })
        } else {
            Ok(None)
        };
        self.give_back(working);
        outcome
    }
}

/// What a delete is to do.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    /// Row and id of a record that may not be in the file yet.
    root: Option<(i64, RecordId)>,
    /// Rows that were looked at.
    seen: BTreeSet<i64>,
    /// Records to delete, those first that depend on others.
    deletes: Vec<(&'a Model, i64)>,
    /// Their rows.
    pub(crate) deleted: BTreeSet<i64>,
    /// Rows whose fields are to become null; not needed for those that are deleted.
    empties: BTreeMap<i64, (&'a Model, BTreeSet<String>)>,
    /// How many rows of `empties` were looked at, too, and how many are deleted, too.
    both: (usize, usize),
    /// There is more to do than stands here.
    pub(crate) is_cut: bool,
}

impl<'a> Plan<'a> {
    fn naming(self, root: (i64, RecordId)) -> Self {
        Self { root: Some(root), ..self }
    }

    /// Whether nobody has looked at the row before.
    fn see(&mut self, row: i64) -> bool {
        let is_new = self.seen.insert(row);
        self.both.0 += usize::from(is_new && self.empties.contains_key(&row));
        is_new
    }

    fn delete(&mut self, model: &'a Model, row: i64) {
        self.deletes.push((model, row));
        self.deleted.insert(row);
        self.both.1 += usize::from(self.empties.contains_key(&row));
    }

    fn empty(&mut self, model: &'a Model, row: i64, fields: &[String]) {
        if !self.empties.contains_key(&row) {
            self.both.0 += usize::from(self.seen.contains(&row));
            self.both.1 += usize::from(self.deleted.contains(&row));
        }
        self.empties.entry(row).or_insert((model, BTreeSet::new())).1.extend(fields.iter().cloned());
    }

    /// At least so many records will be touched in the end.
    pub(crate) fn touched(&self) -> usize {
        self.seen.len() + self.empties.len() - self.both.0
    }

    /// So many changes stand here.
    pub(crate) fn changes(&self) -> usize {
        self.deletes.len() + self.empties.len() - self.both.1
    }

    /// Leaves out what one transaction cannot hold: deletes first, as they must not come before what they empty.
    fn trim(&mut self) {
        while self.changes() > MAX_TRANSACTION_CHANGES
            && let Some((_, row)) = self.deletes.pop()
        {
            self.deleted.remove(&row);
            self.both.1 -= usize::from(self.empties.contains_key(&row));
        }
        while self.empties.len() > MAX_TRANSACTION_CHANGES {
            self.empties.pop_last();
        }
    }
}

/// A record on the way, with those below it that nobody has looked at yet.
struct Found<'a> {
    model: &'a Model,
    row: i64,
    below: Vec<(&'a Model, i64)>,
    /// There are more below it than were read.
    has_more: bool,
}

/// The relations of a model that a delete follows.
fn takes_along(model: &Model) -> impl Iterator<Item = &Relation> {
    model.relations.iter().filter(|relation| match relation.kind {
        RelationKind::HasOne | RelationKind::HasMany => relation.on_delete != OnDelete::Keep,
        RelationKind::ManyToMany => true,
        RelationKind::BelongsTo => false,
    })
}

/// The way from a record to its links: those of a `manyToMany` are many records that hold its key.
fn links(relation: &Relation) -> Relation {
    Relation {
        model: relation.join_model.clone().unwrap_or_default(),
        kind: RelationKind::HasMany,
        join_model: None,
        ..relation.clone()
    }
}
