//! The creation of a record, worked out apart from any store: a batch's next records are drafted on other cores while
//! the store writes the ones before.

use automerge::{ActorId, ChangeHash};
use serde_json::{Map, Value};
use syncline_core::ids::RecordId;
use syncline_core::record::{self, NewRecord, RecordKey, RecordView};
use syncline_core::state::{ActorTable, RecordState, Writer};
use syncline_schema::{Model, Schema};
use uuid::Uuid;

use crate::commit::Origin;
use crate::error::Result;
use crate::local::{Saved, Source, bad_edit};
use crate::tx::{Encoded, Tx};

/// What every draft of a batch is made with.
#[derive(Debug)]
pub struct Drafting<'a> {
    schema: &'a Schema,
    model: &'a Model,
    actor: Numbered,
    now_ms: i64,
    source: Source,
}

/// An actor with its number in the store: the only one in the state of a new record.
#[derive(Debug)]
struct Numbered {
    id: ActorId,
    number: u32,
}

/// A record that fits its model, with the change that creates it where nothing of it is here yet, and all that is
/// written for it.
#[derive(Debug)]
pub struct Draft<'a> {
    model: &'a Model,
    source: Source,
    key: RecordKey,
    /// Whether the record brings its key; else its id was generated.
    is_given: bool,
    id: RecordId,
    hash: ChangeHash,
    bytes: Vec<u8>,
    encoded: Encoded,
    /// The record as it was given, of a batch: kept only where its key may turn out to be known.
    given: Option<Map<String, Value>>,
}

/// A draft and what was made with it; or the record as it was given where nothing can be drafted, for [`Tx::save`] to tell
/// why.
pub type Drafted<'a, T> = std::result::Result<(Draft<'a>, T), Map<String, Value>>;

impl<'a> Drafting<'a> {
    /// A draft of a batch's record, with this id if it brings none. The same for the same arguments, on whichever thread.
    pub fn draft(&self, record: Map<String, Value>, id: Uuid) -> Drafted<'a, ()> {
        self.draft_given(record, id, |_| ())
    }

    /// A draft as of [`draft`](Self::draft), and how the record will read.
    pub fn draft_shown(&self, record: Map<String, Value>, id: Uuid) -> Drafted<'a, Map<String, Value>> {
        self.draft_given(record, id, |view| view.project_deleted())
    }

    fn draft_given<T>(
        &self,
        record: Map<String, Value>,
        id: Uuid,
        read: impl FnOnce(&RecordView<'_>) -> T,
    ) -> Drafted<'a, T> {
        match self.draft_reading(&record, || id, read) {
            Ok(Some((draft, read))) => Ok((Draft { given: draft.is_given.then_some(record), ..draft }, read)),
            Ok(None) | Err(_) => Err(record),
        }
    }

    /// A draft of the record, and how it will read; `None` only where there is nothing to write.
    pub(crate) fn draft_one(
        &self,
        record: &Map<String, Value>,
        id: impl FnOnce() -> Uuid,
    ) -> Result<Option<(Draft<'a>, Map<String, Value>)>> {
        self.draft_reading(record, id, |view| view.project_deleted())
    }

    fn draft_reading<T>(
        &self,
        record: &Map<String, Value>,
        id: impl FnOnce() -> Uuid,
        read: impl FnOnce(&RecordView<'_>) -> T,
    ) -> Result<Option<(Draft<'a>, T)>> {
        let (schema, model, source) = (self.schema, self.model, self.source);
        let new = NewRecord::check(schema, model, record)?;
        let id = new.record_id(model).unwrap_or_else(|| RecordKey::generate(model, id()));
        let edits = record::create_edits(schema, model, &new);
        let mut state = RecordState::default();
        let writer = Writer { actor: &self.actor.id, own_last: None };
        let change = state.build(&edits.root, &writer, source.time_of(&new, self.now_ms));
        let Some(change) = change.map_err(|error| bad_edit(model, &error))? else { return Ok(None) };
        state.apply(&change);
        let view = RecordView { schema, model, record: id, state: &state, document: None };
        let Some(row) = view.column_values() else { return Ok(None) };
        let read = read(&view);
        let encoded = Encoded { state: self.actor.encode(&state), row };
        let (hash, bytes) = (change.hash(), change.bytes().to_vec());
        let is_given = new.key.is_some();
        let key = new.key.unwrap_or(RecordKey::Generated(id));
        Ok(Some((Draft { model, source, key, is_given, id, hash, bytes, encoded, given: None }, read)))
    }
}

impl Numbered {
    fn encode(&self, state: &RecordState) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        state.encode(&mut &*self, &mut bytes);
        bytes
    }
}

impl ActorTable for &Numbered {
    fn index(&mut self, actor: &ActorId) -> u32 {
        debug_assert_eq!(*actor, self.id, "nobody else has written a new record");
        self.number
    }

    fn actor(&self, index: u32) -> Option<ActorId> {
        (index == self.number).then(|| self.id.clone())
    }
}

impl<'a> Draft<'a> {
    /// The model of the record.
    pub(crate) fn model(&self) -> &'a Model {
        self.model
    }

    /// The id of the record that it creates.
    pub(crate) fn id(&self) -> RecordId {
        self.id
    }

    /// Its id as callers write it.
    pub(crate) fn id_text(&self) -> String {
        self.key.text(self.model)
    }
}

impl<'a> Tx<'a> {
    /// How records of a model are drafted in this transaction; `None` if they have texts or lists, whose changes are
    /// made with a document.
    pub fn drafting(&mut self, model: &str, source: Source) -> Result<Option<Drafting<'a>>> {
        self.drafting_of(self.model(model)?, source)
    }

    pub(crate) fn drafting_of(&mut self, model: &'a Model, source: Source) -> Result<Option<Drafting<'a>>> {
        if record::needs_document(model) {
            return Ok(None);
        }
        let id = self.actor()?;
        let actor = Numbered { number: self.names.actors().index(&id), id };
        Ok(Some(Drafting { schema: self.schema()?, model, actor, now_ms: self.now_ms, source }))
    }

    /// An id that is nobody's.
    pub fn fresh_id(&mut self) -> Uuid {
        self.seed.uuid(self.now_ms)
    }

    /// Saves a record that was drafted in this transaction, as [`Tx::save`]; `shown` is how it will read if it is new.
    pub fn save_draft(&mut self, draft: Draft<'a>, shown: Map<String, Value>) -> Result<Saved> {
        let (model, source, id) = (draft.model, draft.source, draft.id);
        match self.create_if_new(draft)? {
            None => Ok(self.saved_new(model, id, shown)),
            Some(given) => self.save(&model.name, &given, source),
        }
    }

    /// Creates the record of a batch's draft. If it cannot be created from that, for its key is known or what was
    /// refused of it stands there, this gives it back as it was given.
    pub(crate) fn create_if_new(&mut self, mut draft: Draft<'a>) -> Result<Option<Map<String, Value>>> {
        let Some(given) = draft.given.take() else {
            // Nobody has an id that was generated for it.
            let is_created = self.create_drafted(draft)?;
            debug_assert!(is_created, "nothing was refused of a record whose id was just generated");
            return Ok(None);
        };
        let is_created = self.find(draft.model, &draft.key)?.is_none() && self.create_drafted(draft)?;
        Ok((!is_created).then_some(given))
    }

    /// Creates the record of a draft, whose key no record has. `false` if what was refused of it stands there: such a
    /// record is not created from a draft.
    pub(crate) fn create_drafted(&mut self, draft: Draft<'a>) -> Result<bool> {
        let Draft { model, id, is_given, hash, bytes, encoded, .. } = draft;
        let mut working = if is_given {
            self.take_new(id, model)?
        } else {
            // Nothing is in the file of a record whose id was just generated.
            self.note_taken(id);
            self.fresh(id, model.first_name(), Origin::Local)?
        };
        let is_blank = working.is_blank();
        if is_blank {
            self.append_change(&mut working, &self.actor()?, hash, bytes, model.local)?;
            working.set_encoded(encoded);
        }
        self.give_back(working);
        Ok(is_blank)
    }

    /// What is told of a record that was created from its draft.
    pub(crate) fn saved_new(&self, model: &Model, id: RecordId, record: Map<String, Value>) -> Saved {
        Saved { record, id, dot: self.last_dot().filter(|_| !model.local), existed: false }
    }
}
