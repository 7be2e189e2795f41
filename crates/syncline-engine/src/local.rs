//! What an app does to its records: JSON in, changes in the log, JSON out.

use std::collections::BTreeMap;

use automerge::ChangeHash;
use serde_json::{Map, Value};
use syncline_core::change::Change;
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind};
use syncline_core::genesis::{self, Content, Genesis};
use syncline_core::ids::{Chain, Dot, RecordId};
use syncline_core::mutant::{self, Mutant};
use syncline_core::record::{self, NewRecord, RecordKey, RecordView, TextEdit};
use syncline_core::state::{EditError, Writer};
use syncline_schema::{Model, Schema};

use crate::commit::Origin;
use crate::documents::Live;
use crate::error::{Result, StoreError};
use crate::history;
use crate::query::{Aggregation, Page, Query};
use crate::storage::turns::Turned;
use crate::tx::{Tx, Working};

/// A record as it stands after a write.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The record, every field of the schema.
    pub record: Map<String, Value>,
    /// Its id.
    pub id: RecordId,
    /// The last change that the write made, with the replica's chain there; `None` if there was nothing to
    /// change, or the model is `@local`.
    pub dot: Option<(Dot, Chain)>,
    /// Whether it was here before, and not deleted.
    pub existed: bool,
}

/// How a record came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The app saves it.
    App,
    /// It is imported: the change carries the record's `updatedAt`.
    Import,
}

impl Source {
    /// The time of the change that creates the record.
    pub(crate) fn time_of(self, new: &NewRecord, now_ms: i64) -> i64 {
        match self {
            Self::App => now_ms,
            Self::Import => new.updated_at_ms.unwrap_or(now_ms),
        }
    }
}

impl<'a> Tx<'a> {
    /// Saves a record: creates it, updates the one that has its key, or revives a deleted one with the given
    /// fields. A `belongsTo` or `hasOne` may be given as the record it leads to, which need not be here: DataStore
    /// refuses a child whose parent is not in the local store, and this does not, for the parent may yet arrive.
    pub fn save(&mut self, model: &str, record: &Map<String, Value>, source: Source) -> Result<Saved> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let key = RecordKey::in_record(schema, model, record)?;
        let Some(key) = key else { return self.create(schema, model, record, source) };
        let Some(id) = self.find(model, &key)? else { return self.create(schema, model, record, source) };
        let mut working = self.take(id, model.first_name(), Origin::Local)?;
        if working.state.heads.is_empty() {
            // Nothing that arrived of it was accepted.
            self.give_back(working);
            return self.create(schema, model, record, source);
        }
        let outcome = self.save_over(schema, model, record, &mut working);
        self.give_back(working);
        outcome
    }

    fn save_over(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        record: &Map<String, Value>,
        working: &mut Working,
    ) -> Result<Saved> {
        let now = self.now_ms;
        if working.is_alive() {
            let edits = self.view(model, working)?.update(record)?;
            return self.commit_edits(schema, model, working, &edits, now);
        }
        let new = NewRecord::check(schema, model, record)?;
        let edits = self.view(model, working)?.revive(&new);
        self.commit_edits(schema, model, working, &edits, now)
    }

    fn create(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        record: &Map<String, Value>,
        source: Source,
    ) -> Result<Saved> {
        if let Some(drafting) = self.drafting_of(model, source)?
            && let Some((draft, shown)) = drafting.draft_one(record, || self.seed.uuid(self.now_ms))?
        {
            let id = draft.id();
            if self.create_drafted(draft)? {
                return Ok(self.saved_new(model, id, shown));
            }
        }
        self.create_over(schema, model, record, source)
    }

    /// Creates a record, whatever of it was refused before.
    pub(crate) fn create_over(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        record: &Map<String, Value>,
        source: Source,
    ) -> Result<Saved> {
        let new = NewRecord::check(schema, model, record)?;
        let id = new.record_id(model).unwrap_or_else(|| RecordKey::generate(model, self.seed.uuid(self.now_ms)));
        let time = source.time_of(&new, self.now_ms);
        let mut working = self.take_new(id, model)?;
        let edits = record::create_edits(schema, model, &new);
        let outcome = if new.key.is_some() {
            self.commit_keyed_create(schema, model, &mut working, edits, time)
        } else {
            self.commit_edits(schema, model, &mut working, &edits, time)
        };
        self.give_back(working);
        outcome
    }

    /// The create of a record whose key another replica may create too: the scalars stand in one change
    /// without dependencies, and each initial text or list in a change that depends on its content alone.
    fn commit_keyed_create(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        working: &mut Working,
        edits: Edits,
        time: i64,
    ) -> Result<Saved> {
        let scalars = Edits { root: edits.root, objects: Vec::new() };
        self.append_edits(model, working, &scalars, time)?;
        for edit in edits.objects {
            let (key, kind, content) = match edit {
                ObjectEdit::SetText(key, text) => (key, ObjectKind::Text, Content::Text(text)),
                ObjectEdit::SetList(key, elements) => (key, ObjectKind::List, Content::List(elements)),
                ObjectEdit::Make(..)
                | ObjectEdit::Splice { .. }
                | ObjectEdit::Mark { .. }
                | ObjectEdit::Unmark { .. }
                | ObjectEdit::SetSpans(..) => continue,
            };
            let genesis = Genesis { model: self.known_as(model, working), key, kind };
            let changes =
                genesis::content_changes(working.id, &genesis, &content).map_err(|error| bad_edit(model, &error))?;
            self.take_genesis(working, &genesis, &genesis.change())?;
            for change in changes {
                put_into_live(self.document(working)?, &change)?;
                self.append_own(working, &change, model.local)?;
            }
        }
        let mut saved = self.saved(schema, model, working, false);
        saved.dot = self.last_dot().filter(|_| !model.local);
        Ok(saved)
    }

    /// Changes the fields named in the patch.
    pub fn update(&mut self, model: &str, id: &str, patch: &Map<String, Value>) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.update(patch)?))
    }

    /// Brings a deleted record back as it was. A living one stays as it is. What a delete took along stays deleted;
    /// references to the record lead somewhere again.
    pub fn undelete(&mut self, model: &str, id: &str) -> Result<Saved> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut working = self.existing(schema, model, id)?;
        let nothing = working.is_alive() || mutant::is_planted(Mutant::SilentUndelete);
        let edits = if nothing { Edits::default() } else { self.view(model, &mut working)?.undelete() };
        let now = self.now_ms;
        let outcome = self.commit_edits(schema, model, &mut working, &edits, now);
        self.give_back(working);
        outcome
    }

    /// Deletes `delete` characters of a text at `at`, then inserts. Positions in code points.
    pub fn splice(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.splice(field, at, delete, insert)?))
    }

    /// Several edits of one text as one change, each on what the one before left. Returns the change's
    /// position without reading the record: what a keystroke costs must not grow with the text.
    pub fn edit_text(
        &mut self,
        model: &str,
        id: &str,
        field: &str,
        edits: &[TextEdit],
    ) -> Result<Option<(Dot, Chain)>> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut working = self.existing(schema, model, id)?;
        let outcome = self.edit_text_existing(model, id, &mut working, field, edits);
        self.give_back(working);
        outcome
    }

    fn edit_text_existing(
        &mut self,
        model: &'a Model,
        id: &str,
        working: &mut Working,
        field: &str,
        edits: &[TextEdit],
    ) -> Result<Option<(Dot, Chain)>> {
        check_alive(model, id, working)?;
        let edits = self.view(model, working)?.edit_text(field, edits)?;
        let changed = self.append_edits(model, working, &edits, self.now_ms)?;
        Ok(self.last_dot().filter(|_| changed && !model.local))
    }

    /// Adds to a counter.
    pub fn increment(&mut self, model: &str, id: &str, field: &str, by: i64) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.increment(field, by)?))
    }

    /// Adds an element to a set; it stays against a concurrent removal.
    pub fn add(&mut self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.add(field, element)?))
    }

    /// Removes an element from a set.
    pub fn remove(&mut self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved> {
        self.edit(model, id, |view| Ok(view.remove(field, element)?))
    }

    /// The record of that id; `None` if there is none or it is deleted.
    pub fn get(&mut self, model: &str, id: &str) -> Result<Option<Map<String, Value>>> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let Some(record) = self.find(model, &parse_key(schema, model, id)?)? else { return Ok(None) };
        let mut working = self.take(record, model.first_name(), Origin::Local)?;
        let found = self.view(model, &mut working)?.project();
        self.give_back(working);
        Ok(found)
    }

    /// The records that the query finds, this transaction's writes included.
    pub fn query(&mut self, query: &Query) -> Result<Page> {
        self.flush()?;
        Ok(query.run(self.db, self.schema()?)?)
    }

    /// Computes of the records that a query finds, this transaction's writes included.
    pub fn aggregate(&mut self, aggregation: &Aggregation) -> Result<Vec<Map<String, Value>>> {
        self.flush()?;
        Ok(aggregation.run(self.db, self.schema()?)?)
    }

    /// Runs one operation; its changes stay one transaction on every peer if they are not too many. If it
    /// fails, nothing of it remains and the transaction can go on.
    pub fn single<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.attempt(|tx| {
            let first = tx.unwritten();
            let value = act(tx)?;
            // A pasted megabyte is several changes, each of which may travel alone.
            if let Err(error) = tx.seal(first) {
                tracing::debug!(%error, "one operation travels as several transactions");
            }
            Ok(value)
        })
    }

    /// Runs `act` so that what it writes stays one transaction on every peer. If it fails, nothing of it
    /// remains and the transaction can go on.
    pub fn together<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.attempt(|tx| {
            let first = tx.unwritten();
            let value = act(tx)?;
            tx.seal(first)?;
            Ok(value)
        })
    }

    pub(crate) fn edit(
        &mut self,
        model: &str,
        id: &str,
        edits: impl FnOnce(&RecordView<'_>) -> Result<Edits>,
    ) -> Result<Saved> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let mut working = self.existing(schema, model, id)?;
        let outcome = self.edit_existing(schema, model, id, &mut working, edits);
        self.give_back(working);
        outcome
    }

    fn edit_existing(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        id: &str,
        working: &mut Working,
        edits: impl FnOnce(&RecordView<'_>) -> Result<Edits>,
    ) -> Result<Saved> {
        check_alive(model, id, working)?;
        let edits = edits(&self.view(model, working)?)?;
        let now = self.now_ms;
        self.commit_edits(schema, model, working, &edits, now)
    }

    pub(crate) fn existing(&mut self, schema: &Schema, model: &Model, id: &str) -> Result<Box<Working>> {
        let Some(record) = self.find(model, &parse_key(schema, model, id)?)? else {
            return Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: false });
        };
        self.take(record, model.first_name(), Origin::Local)
    }

    pub(crate) fn commit_edits(
        &mut self,
        schema: &'a Schema,
        model: &'a Model,
        working: &mut Working,
        edits: &Edits,
        time: i64,
    ) -> Result<Saved> {
        let existed = working.is_alive();
        let changed = self.append_edits(model, working, edits, time)?;
        let mut saved = self.saved(schema, model, working, existed);
        saved.dot = self.last_dot().filter(|_| changed && !model.local);
        Ok(saved)
    }

    /// Makes the changes that do the edits. Whether there are any.
    fn append_edits(&mut self, model: &Model, working: &mut Working, edits: &Edits, time: i64) -> Result<bool> {
        let changes = if edits.objects.is_empty() {
            self.build(model, working, edits, time)?.into_iter().collect()
        } else {
            self.edit_document(model, working, edits, time)?
        };
        for change in &changes {
            self.append_own(working, change, model.local)?;
        }
        Ok(!changes.is_empty())
    }

    /// As [`Tx::append_edits`], and notes that the changes turn an edit.
    pub(crate) fn append_edits_of_turn(
        &mut self,
        model: &Model,
        working: &mut Working,
        edits: &Edits,
        turned: Turned,
    ) -> Result<()> {
        for change in self.edit_document(model, working, edits, self.now_ms)? {
            self.append_own(working, &change, model.local)?;
            self.note_turn(turned);
        }
        Ok(())
    }

    fn build(&mut self, model: &Model, working: &mut Working, edits: &Edits, time: i64) -> Result<Option<Change>> {
        let actor = self.actor()?;
        let own_last = self.own_last(working, &actor)?;
        let writer = Writer { actor: &actor, own_last };
        let change = working.state.build(&edits.root, &writer, time).map_err(|error| bad_edit(model, &error))?;
        if let (Some(change), Some(live)) = (&change, &mut working.live) {
            put_into_live(live, change)?;
        }
        Ok(change)
    }

    fn edit_document(&mut self, model: &Model, working: &mut Working, edits: &Edits, time: i64) -> Result<Vec<Change>> {
        let actor = self.actor()?;
        let kinds: BTreeMap<&str, ObjectKind> = edits.objects.iter().map(ObjectEdit::object).collect();
        let name = self.known_as(model, working);
        let genesis = |key: &str| Genesis {
            model: name.clone(),
            key: key.to_owned(),
            kind: kinds.get(key).copied().unwrap_or(ObjectKind::Text),
        };
        let live = self.document(working)?;
        let edited = live.document.edit(edits, &genesis, &actor, time).map_err(|error| bad_edit(model, &error))?;
        let Some(edited) = edited else { return Ok(Vec::new()) };
        live.changes += edited.genesis.len() + edited.changes.len();
        live.tail += edited.changes.len();
        for change in &edited.genesis {
            let made = kinds.keys().map(|key| genesis(key)).find(|genesis| genesis.hash() == change.hash());
            if let Some(made) = made {
                self.remember_genesis(&made)?;
            }
            working.apply(change);
        }
        Ok(edited.changes)
    }

    /// Puts a genesis into the record, if it is not there yet.
    fn take_genesis(&mut self, working: &mut Working, genesis: &Genesis, change: &Change) -> Result<()> {
        self.remember_genesis(genesis)?;
        if !working.state.seqs.contains_key(change.actor()) {
            put_into_live(self.document(working)?, change)?;
            working.apply(change);
        }
        Ok(())
    }

    pub(crate) fn actor(&self) -> Result<automerge::ActorId> {
        self.writer.as_ref().map(|writer| writer.actor.clone()).ok_or(StoreError::Closed)
    }

    /// This process's last change of the record: Automerge names it as a dependency even when it is no head.
    pub(crate) fn own_last(&self, working: &Working, actor: &automerge::ActorId) -> Result<Option<ChangeHash>> {
        if !working.state.seqs.contains_key(actor) {
            return Ok(None);
        }
        if working.own_last.is_some() {
            return Ok(working.own_last);
        }
        for row in self.unwritten_of(working.row) {
            let change = history::change_of(row)?;
            if change.actor() == actor {
                return Ok(Some(change.hash()));
            }
        }
        let oldest_unwritten = self.unwritten_of(working.row).last();
        let last = oldest_unwritten.map_or(working.last, |row| row.prev);
        history::last_of_actor(self.db, last, actor)
    }

    pub(crate) fn last_dot(&self) -> Option<(Dot, Chain)> {
        let replica = self.names.replica(self.writer.as_ref()?.replica)?;
        Some((Dot { replica: replica.id, counter: replica.counter }, replica.chain))
    }

    pub(crate) fn saved(&self, schema: &Schema, model: &Model, working: &Working, existed: bool) -> Saved {
        let view = working.view(schema, model);
        Saved { record: view.project_deleted(), id: working.id, dot: None, existed }
    }
}

/// Reads an id as a user writes it.
pub(crate) fn parse_key(schema: &Schema, model: &Model, id: &str) -> Result<RecordKey> {
    RecordKey::parse(schema, model, id).map_err(|invalid| StoreError::BadId {
        model: model.name.clone(),
        id: id.to_owned(),
        reason: invalid.fields.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; "),
    })
}

/// A deleted record is neither edited nor read into.
pub(crate) fn check_alive(model: &Model, id: &str, working: &Working) -> Result<()> {
    if working.is_alive() {
        return Ok(());
    }
    Err(StoreError::NotFound { model: model.name.clone(), id: id.to_owned(), deleted: true })
}

pub(crate) fn bad_edit(model: &Model, error: &EditError) -> StoreError {
    StoreError::BadEdit { model: model.name.clone(), reason: error.to_string() }
}

pub(crate) fn put_into_live(live: &mut Live, change: &Change) -> Result<()> {
    live.document.apply_own(change).map_err(|error| StoreError::Damaged(error.to_string()))?;
    live.changes += 1;
    live.tail += 1;
    Ok(())
}
