//! The creation of a record, worked out apart from any store: a batch's next records are drafted on other cores while
//! the store writes the ones before.

use automerge::{ActorId, ChangeHash};
use serde_json::{Map, Value};
use syncline_core::ids::RecordId;
use syncline_core::record::{self, NewRecord, RecordKey, RecordView, SqlValue};
use syncline_core::state::{RecordState, Writer};
use syncline_schema::{Model, Schema};
use uuid::Uuid;

use crate::commit::Origin;
use crate::error::Result;
use crate::local::{Saved, Source, bad_edit};
use crate::tx::{Tx, Working};

/// What every draft of a batch is made with.
#[derive(Debug)]
pub struct Drafting<'a> {
    schema: &'a Schema,
    model: &'a Model,
    actor: ActorId,
    now_ms: i64,
    source: Source,
}

/// A record that fits its model, with the change that creates it where nothing of it is here yet, and all that follows
/// from the change.
#[derive(Debug)]
pub struct Draft<'a> {
    model: &'a Model,
    source: Source,
    /// Its key; `None` if its id was generated.
    key: Option<RecordKey>,
    id: RecordId,
    hash: ChangeHash,
    bytes: Vec<u8>,
    state: RecordState,
    shown: Map<String, Value>,
    row: Vec<SqlValue>,
}

impl<'a> Drafting<'a> {
    /// A draft of the record, with this id if it brings none. The same for the same arguments, on whichever thread;
    /// `None` only where there is nothing to write.
    ///
    /// # Errors
    ///
    /// As [`Tx::save`] says of a record that does not fit its model.
    pub fn draft(&self, record: &Map<String, Value>, id: impl FnOnce() -> Uuid) -> Result<Option<Draft<'a>>> {
        let (schema, model, source) = (self.schema, self.model, self.source);
        let new = NewRecord::check(schema, model, record)?;
        let id = new.record_id(model).unwrap_or_else(|| RecordKey::generate(model, id()));
        let edits = record::create_edits(schema, model, &new);
        let mut state = RecordState::default();
        let writer = Writer { actor: &self.actor, own_last: None };
        let change = state.build(&edits.root, &writer, source.time_of(&new, self.now_ms));
        let Some(change) = change.map_err(|error| bad_edit(model, &error))? else { return Ok(None) };
        state.apply(&change);
        let view = RecordView { schema, model, record: id, state: &state, document: None };
        let (shown, Some(row)) = (view.project_deleted(), view.column_values()) else { return Ok(None) };
        let (hash, bytes) = (change.hash(), change.bytes().to_vec());
        Ok(Some(Draft { model, source, key: new.key, id, hash, bytes, state, shown, row }))
    }
}

impl<'a> Tx<'a> {
    /// How records of a model are drafted in this transaction; `None` if they have texts or lists, whose changes are
    /// made with a document.
    pub fn drafting(&self, model: &str, source: Source) -> Result<Option<Drafting<'a>>> {
        self.drafting_of(self.model(model)?, source)
    }

    pub(crate) fn drafting_of(&self, model: &'a Model, source: Source) -> Result<Option<Drafting<'a>>> {
        if record::needs_document(model) {
            return Ok(None);
        }
        Ok(Some(Drafting { schema: self.schema()?, model, actor: self.actor()?, now_ms: self.now_ms, source }))
    }

    /// An id that is nobody's.
    pub fn fresh_id(&mut self) -> Uuid {
        self.seed.uuid(self.now_ms)
    }

    /// Saves a record that was drafted in this transaction, as [`Tx::save`].
    pub fn save_draft(&mut self, record: &Map<String, Value>, draft: Draft<'a>) -> Result<Saved> {
        if let Some(key) = &draft.key
            && self.find(draft.model, key)?.is_some()
        {
            return self.save(&draft.model.name, record, draft.source);
        }
        self.create_drafted(record, draft)
    }

    /// Creates the record of a draft.
    pub(crate) fn create_drafted(&mut self, record: &Map<String, Value>, draft: Draft<'a>) -> Result<Saved> {
        let model = draft.model;
        if draft.key.is_none() {
            // Nothing is in the file of a record whose id was just generated.
            self.note_taken(draft.id);
            let working = self.fresh(draft.id, model.first_name(), Origin::Local)?;
            return self.put_draft(working, draft);
        }
        let working = self.take_new(draft.id, model)?;
        if working.is_blank() {
            return self.put_draft(working, draft);
        }
        // What was refused stands there.
        self.give_back(working);
        self.create_over(self.schema()?, model, record, draft.source)
    }

    fn put_draft(&mut self, mut working: Box<Working>, draft: Draft<'a>) -> Result<Saved> {
        let is_local = draft.model.local;
        self.append_change(&mut working, &self.actor()?, draft.hash, draft.bytes, is_local)?;
        working.state = draft.state;
        working.row_values = Some(draft.row);
        self.give_back(working);
        Ok(Saved { record: draft.shown, id: draft.id, dot: self.last_dot().filter(|_| !is_local) })
    }
}
