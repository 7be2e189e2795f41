//! One SQLite transaction: records in work, log rows, and what is written at its end.
//!
//! Changes are built and judged in memory first. [`Tx::flush`] then writes each record that was touched
//! once, however many changes it got, and [`Store::write`](crate::Store::write) commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use automerge::{ActorId, ChangeHash};
use rusqlite::Connection;
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::genesis::Genesis;
use syncline_core::ids::{Chain, Dot, RecordId, ReplicaId};
use syncline_core::mutant::{self, Mutant};
use syncline_core::record::{self, RecordView, SqlValue, Touched};
use syncline_core::state::RecordState;
use syncline_schema::{Model, Schema};

use crate::commit::{ChangeKind, Origin, RecordChange};
use crate::documents::{DOCUMENT_BYTES, Documents, Live};
use crate::error::{Result, StoreError};
use crate::history;
use crate::identity::Writer;
use crate::projection::Projection;
use crate::seed::Seed;
use crate::storage::kept::Kept;
use crate::storage::log::{self, Kind};
use crate::storage::names::{Actors, Names, Replica};
use crate::storage::turns::Turned;
use crate::storage::{conflicts, records, turns};

/// After some failures SQLite rolls back by itself; what is written then would stand alone.
const ENDED_BY_SQLITE: &str = "nothing was saved: SQLite ended the transaction";

/// At most so many written drafts are kept until a transaction ends, each of at most so many bytes of state.
const SPENT_MAX: usize = 1024;
const SPENT_BYTES_MAX: usize = 4096;

/// A record in work.
#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) row: i64,
    pub(crate) id: RecordId,
    pub(crate) model: i64,
    pub(crate) last: u64,
    pub(crate) state: RecordState,
    /// Whether any schema has looked at the record: if not, `state` is empty whatever the log holds.
    pub(crate) judged: bool,
    pub(crate) live: Option<Live>,
    /// This process's last change of the record, where this transaction knows it.
    pub(crate) own_last: Option<ChangeHash>,
    /// Why the record cannot be read; it is then left as it is, and changes of it wait.
    pub(crate) unreadable: Option<String>,
    stored: bool,
    was_alive: bool,
    dirty: bool,
    /// What changed since the record's row was written, if it has one.
    touched: Touched,
    /// A record that was drafted, as it is written. While this is set, `state` is empty; [`Tx::take`] decodes it.
    encoded: Option<Encoded>,
    /// The mark of the record's conflicts when its row was read.
    conflict: Option<u64>,
    origin: Origin,
}

/// A new record as its rows hold it.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// Its state.
    pub(crate) state: Vec<u8>,
    /// The values of its model's row.
    pub(crate) row: Vec<SqlValue>,
}

/// The open transaction.
pub struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) schema: Option<&'a Arc<Schema>>,
    pub(crate) projections: &'a BTreeMap<String, Projection>,
    pub(crate) names: &'a mut Names,
    pub(crate) documents: &'a mut Documents,
    pub(crate) seed: &'a mut Seed,
    pub(crate) writer: Option<Writer>,
    pub(crate) head: &'a mut (u64, Chain),
    pub(crate) next_record: &'a mut i64,
    pub(crate) has_waiting: &'a mut bool,
    pub(crate) now_ms: i64,
    /// Boxed, as trees move their values about.
    working: BTreeMap<RecordId, Box<Working>>,
    rows: Vec<log::Entry>,
    /// What own changes turned, by their rows.
    turns: Vec<(u64, Turned)>,
    changed: BTreeMap<i64, Changed>,
    /// Drafts that were written, to be freed when the transaction ends: their memory belongs to other threads, which
    /// are drafting meanwhile, and freeing it here and now waits for the allocator's locks (a tenth of a batch's time).
    spent: Vec<Encoded>,
    undo: Vec<Undo>,
    failed: Option<StoreError>,
    /// Actors that this transaction met first.
    pub(crate) bound: Vec<ActorId>,
}

/// A record's part in the commit that is being made.
struct Changed {
    was_alive: bool,
    conflict: Option<u64>,
    change: Option<RecordChange>,
}

/// What to return to if an operation fails while the transaction goes on.
struct Undo {
    rows: usize,
    head: (u64, Chain),
    next_record: i64,
    writer: Option<Replica>,
    /// Records that the operation took, as they were before; `None` if they were not in work.
    touched: BTreeMap<RecordId, Option<Box<Working>>>,
    /// Part of the operation stands in the file already.
    flushed: bool,
}

/// The borrowed parts of a store that a transaction works on.
pub(crate) struct Parts<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) schema: Option<&'a Arc<Schema>>,
    pub(crate) projections: &'a BTreeMap<String, Projection>,
    pub(crate) names: &'a mut Names,
    pub(crate) documents: &'a mut Documents,
    pub(crate) seed: &'a mut Seed,
    pub(crate) writer: Option<Writer>,
    pub(crate) head: &'a mut (u64, Chain),
    pub(crate) next_record: &'a mut i64,
    pub(crate) has_waiting: &'a mut bool,
    pub(crate) now_ms: i64,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(parts: Parts<'a>) -> Self {
        Self {
            db: parts.db,
            schema: parts.schema,
            projections: parts.projections,
            names: parts.names,
            documents: parts.documents,
            seed: parts.seed,
            writer: parts.writer,
            head: parts.head,
            next_record: parts.next_record,
            has_waiting: parts.has_waiting,
            now_ms: parts.now_ms,
            working: BTreeMap::new(),
            rows: Vec::new(),
            turns: Vec::new(),
            changed: BTreeMap::new(),
            spent: Vec::new(),
            undo: Vec::new(),
            failed: None,
            bound: Vec::new(),
        }
    }

    /// The schema, for work that needs one.
    pub(crate) fn schema(&self) -> Result<&'a Schema> {
        self.schema.map(AsRef::as_ref).ok_or(StoreError::NoSchema)
    }

    /// The model of that name.
    pub(crate) fn model(&self, name: &str) -> Result<&'a Model> {
        let schema = self.schema()?;
        schema.model(name).ok_or_else(|| crate::no_model(schema, name))
    }

    /// The model of a number, if the schema has it.
    pub(crate) fn model_of(&self, number: i64) -> Option<&'a Model> {
        let schema = self.schema.map(AsRef::as_ref)?;
        schema.model_known_as(self.names.model_name(number)?)
    }

    /// The name under which the record's log has its model.
    pub(crate) fn known_as(&self, model: &Model, working: &Working) -> String {
        self.names.model_name(working.model).unwrap_or_else(|| model.first_name()).to_owned()
    }

    /// Number of the model of a record in work, and whether it lives.
    pub(crate) fn in_work(&self, id: RecordId) -> Option<(i64, bool)> {
        self.working.get(&id).map(|working| (working.model, working.is_alive()))
    }

    /// Takes a record to work on; a record not known yet begins empty, as one of `model`, by its first name.
    pub(crate) fn take(&mut self, id: RecordId, model: &str, origin: Origin) -> Result<Box<Working>> {
        self.note_taken(id);
        if let Some(mut working) = self.working.remove(&id) {
            working.decode(self.names.actors_ref())?;
            return Ok(working);
        }
        let Some(row) = records::find(self.db, id)? else { return self.fresh(id, model, origin) };
        let mut working = Box::new(Working::fresh(row.record, id, row.model, origin));
        working.last = row.last;
        working.stored = true;
        working.judged = row.state.is_some() || row.last == 0;
        if let Some(bytes) = row.state {
            working.state = match RecordState::decode(&bytes, self.names.actors_ref()) {
                Ok(state) => state,
                // The log is the truth: a damaged state is folded again, and written anew.
                Err(_) => match history::fold(self.db, working.last) {
                    Ok(state) => {
                        working.touch();
                        state
                    }
                    Err(error) if error.is_damage() && origin == Origin::Peer => {
                        working.unreadable = Some(error.to_string());
                        RecordState::default()
                    }
                    Err(error) => return Err(error),
                },
            };
            working.was_alive = is_alive(&working.state);
            working.conflict = self.conflict_mark(&working);
        }
        Ok(working)
    }

    /// Notes how a record stands before an operation takes it.
    pub(crate) fn note_taken(&mut self, id: RecordId) {
        if let Some(undo) = self.undo.last_mut() {
            undo.touched
                .entry(id)
                .or_insert_with(|| self.working.get(&id).map(|working| Box::new(working.without_document())));
        }
    }

    /// A record that is not known yet.
    pub(crate) fn fresh(&mut self, id: RecordId, model: &str, origin: Origin) -> Result<Box<Working>> {
        let model = self.names.model(self.db, model)?;
        *self.next_record += 1;
        Ok(Box::new(Working::fresh(*self.next_record, id, model, origin)))
    }

    fn conflict_mark(&self, working: &Working) -> Option<u64> {
        let (schema, model) = (self.schema?, self.model_of(working.model)?);
        working.view(schema, model).conflict_mark()
    }

    /// Gives a record back, to be written at the end if it was changed.
    pub(crate) fn give_back(&mut self, working: Box<Working>) {
        self.working.insert(working.id, working);
    }

    /// The record's live document, made if need be.
    pub(crate) fn document<'w>(&mut self, working: &'w mut Working) -> Result<&'w mut Live> {
        if working.live.is_none() {
            let cached = self.documents.take(working.row);
            let heads: Vec<ChangeHash> = working.state.heads.iter().copied().collect();
            let live = match cached {
                Some(live) if live.document.heads() == heads => live,
                Some(_) | None if !working.stored && working.state.heads.is_empty() => Live::empty(),
                Some(_) | None => {
                    let tail = self.rows.iter().filter(|row| row.record == working.row);
                    history::document(self.db, working.row, working.last, tail, &heads)?
                }
            };
            working.live = Some(live);
        }
        Ok(working.live.as_mut().expect("it was made above"))
    }

    /// How the record reads, its document included where the model has texts or lists.
    pub(crate) fn view<'w>(&mut self, model: &'w Model, working: &'w mut Working) -> Result<RecordView<'w>>
    where
        'a: 'w,
    {
        let schema = self.schema()?;
        if record::needs_document(model) {
            self.document(working)?;
        }
        Ok(working.view(schema, model))
    }

    /// Appends an own change of a record to the log and to its state.
    pub(crate) fn append_own(&mut self, working: &mut Working, change: &Change, local: bool) -> Result<()> {
        self.append_change(working, change.actor(), change.hash(), change.bytes().to_vec(), local)?;
        working.apply(change);
        Ok(())
    }

    /// Appends an own change of a record to the log; its state is the caller's business.
    pub(crate) fn append_change(
        &mut self,
        working: &mut Working,
        actor: &ActorId,
        hash: ChangeHash,
        bytes: Vec<u8>,
        local: bool,
    ) -> Result<()> {
        if bytes.len() > syncline_core::change::MAX_CHANGE_BYTES {
            return Err(StoreError::ChangeTooLarge(bytes.len()));
        }
        let writer = self.writer.as_ref().ok_or(StoreError::Closed)?;
        let (replica, is_writer) = (writer.replica, *actor == writer.actor);
        if local {
            self.append_local(working, hash, bytes);
        } else {
            let mine = self.names.replica_mut(replica);
            mine.mine = true;
            let dot = Dot { replica, counter: mine.counter + 1 };
            let row = mine.row;
            self.names.actors().bind(actor, row);
            self.append(working, dot, Kind::Applied, 0, hash, bytes);
        }
        if is_writer {
            working.own_last = Some(hash);
        }
        Ok(())
    }

    /// Appends a row for a dot; the record's state is the caller's business.
    pub(crate) fn append(
        &mut self,
        working: &mut Working,
        dot: Dot,
        kind: Kind,
        txn: u16,
        hash: ChangeHash,
        bytes: Vec<u8>,
    ) -> u64 {
        let (seq, log_chain) = *self.head;
        let seq = seq + 1;
        let replica = self.names.replica_mut(dot.replica);
        let chain = replica.chain.after_change(dot, working.id, &hash.0);
        let rprev = replica.tip;
        replica.tip = seq;
        replica.chain = chain;
        replica.counter = replica.counter.max(dot.counter);
        let replica = replica.row;
        let log_chain = log_chain.after_row(dot, chain);
        *self.head = (seq, log_chain);
        self.rows.push(log::Entry {
            seq,
            kind,
            record: working.row,
            prev: working.last,
            replica,
            rprev,
            counter: dot.counter,
            txn,
            chain,
            log_chain,
            hash,
            bytes,
        });
        working.last = seq;
        working.dirty = true;
        seq
    }

    fn append_local(&mut self, working: &mut Working, hash: ChangeHash, bytes: Vec<u8>) {
        let (seq, log_chain) = *self.head;
        let seq = seq + 1;
        *self.head = (seq, log_chain);
        self.rows.push(log::Entry {
            seq,
            kind: Kind::Local,
            record: working.row,
            prev: working.last,
            replica: 0,
            rprev: 0,
            counter: 0,
            txn: 0,
            chain: Chain::EMPTY,
            log_chain,
            hash,
            bytes,
        });
        working.last = seq;
        working.dirty = true;
    }

    /// Marks the rows appended since `first` as one transaction.
    pub(crate) fn seal(&mut self, first: usize) -> Result<()> {
        let sealed = &mut self.rows[first..];
        let dotted: Vec<usize> = (0..sealed.len()).filter(|index| sealed[*index].kind != Kind::Local).collect();
        let bytes: usize = dotted.iter().map(|index| sealed[*index].bytes.len()).sum();
        let changes = dotted.len();
        if changes > 1 && (changes > crate::MAX_TRANSACTION_CHANGES || bytes > crate::MAX_TRANSACTION_BYTES) {
            return Err(StoreError::TransactionTooLarge { changes, bytes });
        }
        for (place, index) in dotted.iter().enumerate() {
            sealed[*index].txn = (changes - place - 1) as u16;
        }
        Ok(())
    }

    /// Runs one operation. If it fails the transaction stands as before it and may go on.
    pub(crate) fn attempt<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let writer = self.writer.as_ref().and_then(|writer| self.names.replica(writer.replica)).cloned();
        self.undo.push(Undo {
            rows: self.rows.len(),
            head: *self.head,
            next_record: *self.next_record,
            writer,
            touched: BTreeMap::new(),
            flushed: false,
        });
        let outcome = act(self);
        let undo = self.undo.pop().expect("it was pushed above, and nested ones popped theirs");
        match outcome {
            Ok(value) => {
                self.undo_later(undo);
                Ok(value)
            }
            Err(error) => {
                self.take_back(undo);
                if error.ends_transaction() {
                    let why = if matches!(error, StoreError::DiskFull) {
                        StoreError::DiskFull
                    } else {
                        StoreError::Aborted(format!("nothing was saved, because of one operation: {error}"))
                    };
                    self.fail(why);
                }
                Err(error)
            }
        }
    }

    /// What one operation did belongs to the one around it, which may still fail.
    fn undo_later(&mut self, undo: Undo) {
        if let Some(outer) = self.undo.last_mut() {
            for (id, before) in undo.touched {
                outer.touched.entry(id).or_insert(before);
            }
            outer.flushed |= undo.flushed;
        }
    }

    fn take_back(&mut self, undo: Undo) {
        if undo.flushed {
            self.fail(StoreError::Aborted(
                "nothing was saved: an operation failed after a query had made its first part visible".to_owned(),
            ));
        }
        self.rows.truncate(undo.rows);
        self.turns.retain(|(seq, _)| *seq <= undo.head.0);
        *self.head = undo.head;
        *self.next_record = undo.next_record;
        for (id, before) in undo.touched {
            match before {
                Some(working) => self.working.insert(id, working),
                None => self.working.remove(&id),
            };
        }
        if let Some(writer) = &self.writer
            && self.names.replica(writer.replica).is_some()
        {
            let replica = self.names.replica_mut(writer.replica);
            (replica.counter, replica.chain, replica.tip) = match undo.writer {
                Some(before) => (before.counter, before.chain, before.tip),
                None => (0, Chain::EMPTY, 0),
            };
        }
    }

    /// The transaction cannot be committed any more.
    fn fail(&mut self, why: StoreError) {
        self.failed.get_or_insert(why);
    }

    /// Number of rows appended so far and not yet written.
    pub(crate) fn unwritten(&self) -> usize {
        self.rows.len()
    }

    /// The unwritten rows of a record, newest first.
    pub(crate) fn unwritten_of(&self, record: i64) -> impl Iterator<Item = &log::Entry> {
        self.rows.iter().rev().filter(move |row| row.record == record)
    }

    /// Writes everything that the transaction did.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if let Some(why) = self.failed.take() {
            return Err(why);
        }
        if self.db.is_autocommit() {
            return Err(StoreError::Aborted(ENDED_BY_SQLITE.to_owned()));
        }
        self.flush()?;
        self.write_rows()?;
        self.names.flush(self.db)
    }

    /// The records that the transaction changed, each once.
    pub(crate) fn into_commits(self) -> Vec<RecordChange> {
        self.changed.into_values().filter_map(|changed| changed.change).collect()
    }

    /// Writes the rows of the log. Rows that are written can no longer become one transaction.
    pub(crate) fn write_rows(&mut self) -> Result<()> {
        let mut kept = Kept::new(self.db);
        for row in std::mem::take(&mut self.rows) {
            log::append(&mut kept, &row)?;
            if row.replica != 0 {
                log::mark(self.db, row.replica, row.counter, row.seq)?;
            }
        }
        std::mem::take(&mut self.turns).into_iter().try_for_each(|(seq, turned)| turns::note(self.db, seq, turned))
    }

    /// Notes that the own change appended last turned an edit.
    pub(crate) fn note_turn(&mut self, turned: Turned) {
        self.turns.push((self.head.0, turned));
    }

    /// What these rows turned, unwritten ones included.
    pub(crate) fn turns_of(&self, rows: impl Iterator<Item = u64>) -> Result<BTreeMap<u64, Turned>> {
        let mut known = turns::of(self.db, rows)?;
        known.extend(self.turns.iter().copied());
        Ok(known)
    }

    /// Writes records and projections, so that queries inside the transaction see them. Log rows stay in
    /// memory until the end: only then is it known how many make up a transaction.
    ///
    /// An operation within which this runs cannot be taken back alone any more: if it fails, so does the transaction.
    pub fn flush(&mut self) -> Result<()> {
        if self.db.is_autocommit() && self.working.values().any(|working| working.dirty) {
            return Err(StoreError::Aborted(ENDED_BY_SQLITE.to_owned()));
        }
        let mut kept = Kept::new(self.db);
        for (id, mut working) in std::mem::take(&mut self.working) {
            if working.dirty {
                self.write_record(&mut kept, &mut working)?;
                // What other operations did to it before is not theirs to take back.
                let concerned = self.undo.iter_mut().filter(|undo| undo.touched.contains_key(&id));
                concerned.for_each(|undo| undo.flushed = true);
            }
            if let Some(mut live) = working.live.take() {
                live.weigh();
                self.documents.put(working.row, live);
            }
        }
        Ok(())
    }

    fn write_record(&mut self, kept: &mut Kept<'a>, working: &mut Working) -> Result<()> {
        if working.unreadable.is_some() {
            return records::set_last(self.db, working.row, working.last);
        }
        if mutant::is_planted(Mutant::TombstoneDropped) && !working.is_alive() {
            working.state = RecordState::default();
            working.touch();
        }
        if let Some(encoded) = working.encoded.take() {
            return self.write_encoded(kept, working, encoded);
        }
        let mut bytes = Vec::with_capacity(256);
        if working.judged {
            working.state.encode(self.names.actors(), &mut bytes);
        }
        let state = working.judged.then_some(bytes.as_slice());
        if working.stored && mutant::is_planted(Mutant::StateNotWritten) {
            records::set_last(self.db, working.row, working.last)?;
        } else if working.stored {
            records::update(self.db, working.row, working.model, working.last, state)?;
        } else {
            records::insert(kept, working.row, working.id, working.model, working.last, state)?;
        }
        if working.judged
            && let Some(model) = self.model_of(working.model)
        {
            let conflict = working.view(self.schema()?, model).conflict_mark();
            if conflict != working.conflict || working.touched.is_everything() {
                conflicts::set(self.db, working.row, working.model, conflict)?;
            }
            match self.project(kept, model, working, conflict) {
                Err(error) if error.is_damage() && working.origin != Origin::Local => {
                    self.project_damaged(model, working, &error)?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes a record that was drafted: it is new, alone and without conflicts.
    fn write_encoded(&mut self, kept: &mut Kept<'a>, working: &Working, encoded: Encoded) -> Result<()> {
        records::insert(kept, working.row, working.id, working.model, working.last, Some(&encoded.state))?;
        if let Some(model) = self.model_of(working.model) {
            let projection: &'a Projection = &self.projections[&model.name];
            projection.write_values(kept, working.row, &encoded.row)?;
            self.note_change(model, working, true, None);
        }
        if self.spent.len() < SPENT_MAX && encoded.state.len() <= SPENT_BYTES_MAX {
            self.spent.push(encoded);
        }
        Ok(())
    }

    /// A record whose texts and lists cannot be read shows what can be read of it.
    fn project_damaged(&mut self, model: &'a Model, working: &mut Working, error: &StoreError) -> Result<()> {
        tracing::warn!(%error, record = %working.id, "a damaged record is shown without its texts and lists");
        if let StoreError::DamagedRow { seq, reason } = error {
            self.note_damage(*seq, reason)?;
        }
        working.live = None;
        let view = working.view(self.schema()?, model);
        self.projections[&model.name].write(&mut Kept::new(self.db), working.row, &view)
    }

    fn project(
        &mut self,
        kept: &mut Kept<'a>,
        model: &'a Model,
        working: &mut Working,
        conflict: Option<u64>,
    ) -> Result<()> {
        let db = self.db;
        let projection: &'a Projection = &self.projections[&model.name];
        let alive = working.is_alive();
        if alive {
            let row = working.row;
            let skip = mutant::is_planted(Mutant::RowNotWritten) && working.was_alive && working.origin == Origin::Peer;
            let some = working.touched.fields(model).filter(|_| working.was_alive);
            if !skip {
                match some {
                    Some(places) if !record::any_object(model, &places) => {
                        projection.write_some(db, row, &working.view(self.schema()?, model), &places)?;
                    }
                    Some(places) => projection.write_some(db, row, &self.view(model, working)?, &places)?,
                    None => projection.write(kept, row, &self.view(model, working)?)?,
                }
            }
        } else if working.was_alive {
            projection.remove(db, working.row)?;
        }
        if let Some(live) = &mut working.live
            && live.wants_snapshot()
            && let Ok(bytes) = live.document.save()
        {
            records::set_snapshot(db, working.row, working.last, &bytes)?;
            live.tail = 0;
        }
        self.note_change(model, working, alive, conflict);
        Ok(())
    }

    /// Notes for the commit what became of a record that was written.
    fn note_change(&mut self, model: &Model, working: &Working, alive: bool, conflict: Option<u64>) {
        let (record, row, origin) = (working.id, working.row, working.origin);
        let before = Changed { was_alive: working.was_alive, conflict: working.conflict, change: None };
        let changed = self.changed.entry(row).or_insert(before);
        let kind = match (changed.was_alive, alive) {
            (false, true) => Some(ChangeKind::Inserted),
            (true, true) => Some(ChangeKind::Updated),
            (true, false) if mutant::is_planted(Mutant::DeletionUntold) => None,
            (true, false) => Some(ChangeKind::Deleted),
            (false, false) => None,
        };
        let conflicts = changed.conflict != conflict;
        changed.change =
            kind.map(|kind| RecordChange { model: model.name.clone(), record, row, kind, origin, conflicts });
    }

    /// A genesis of this namespace's models, remembered so that peers with another schema can be told.
    pub(crate) fn remember_genesis(&mut self, genesis: &Genesis) -> Result<()> {
        let row = (genesis.model.clone(), genesis.key.clone(), genesis.kind as u8);
        if let Some(actors) = &mut self.documents.genesis_actors {
            actors.insert(genesis.actor());
        }
        records::add_genesis(self.db, &genesis.hash(), &row)
    }

    /// The replica id that own changes are written under.
    pub fn replica(&self) -> Option<ReplicaId> {
        self.writer.as_ref().map(|writer| writer.replica)
    }
}

impl Working {
    fn fresh(row: i64, id: RecordId, model: i64, origin: Origin) -> Self {
        Self {
            row,
            id,
            model,
            last: 0,
            state: RecordState::default(),
            judged: true,
            live: None,
            own_last: None,
            unreadable: None,
            stored: false,
            was_alive: false,
            dirty: false,
            touched: Touched::default(),
            encoded: None,
            conflict: None,
            origin,
        }
    }

    /// Takes over what a draft holds of this record, of which nothing was known.
    pub(crate) fn set_encoded(&mut self, encoded: Encoded) {
        debug_assert!(!self.stored && self.state.heads.is_empty(), "a draft is of a new record");
        self.encoded = Some(encoded);
    }

    /// Makes the state of a record that was drafted, to work on it.
    fn decode(&mut self, actors: &Actors) -> Result<()> {
        if let Some(encoded) = self.encoded.take() {
            let state = RecordState::decode(&encoded.state, actors);
            self.state = state.map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        Ok(())
    }

    /// Applies an accepted change to the state. A live document must have it already, or be dropped.
    pub(crate) fn apply(&mut self, change: &Change) {
        self.state.apply(change);
        self.dirty = true;
        if self.was_alive {
            self.touched.add(change);
        }
    }

    /// How the record reads, with its document if one is live.
    pub(crate) fn view<'w>(&'w self, schema: &'w Schema, model: &'w Model) -> RecordView<'w> {
        RecordView {
            schema,
            model,
            record: self.id,
            state: &self.state,
            document: self.live.as_ref().map(|live| &live.document),
        }
    }

    /// Whether the record exists.
    pub(crate) fn is_alive(&self) -> bool {
        self.encoded.is_some() || is_alive(&self.state)
    }

    /// Marks the record as changed in every respect.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
        self.touched.add_everything();
    }

    /// A copy to return to.
    pub(crate) fn copy(&self) -> Self {
        Self { live: self.live.clone(), ..self.without_document() }
    }

    /// A copy to return to; its document is made anew when it is needed.
    pub(crate) fn without_document(&self) -> Self {
        Self {
            row: self.row,
            id: self.id,
            model: self.model,
            last: self.last,
            state: self.state.clone(),
            judged: self.judged,
            live: None,
            own_last: self.own_last,
            unreadable: self.unreadable.clone(),
            stored: self.stored,
            was_alive: self.was_alive,
            dirty: self.dirty,
            touched: self.touched.clone(),
            encoded: self.encoded.clone(),
            conflict: self.conflict,
            origin: self.origin,
        }
    }

    /// Whether nothing of the record is held, not even what was refused, nor a row of it.
    pub(crate) fn is_blank(&self) -> bool {
        !self.stored && !self.has_changes() && self.state.heads.is_empty()
    }

    /// Whether any change of the record is held.
    pub(crate) fn has_changes(&self) -> bool {
        self.last != 0
    }
}

impl Live {
    /// The document of a record without changes.
    pub(crate) fn empty() -> Self {
        Self { document: Document::default(), changes: 0, tail: 0, bytes: DOCUMENT_BYTES }
    }
}

fn is_alive(state: &RecordState) -> bool {
    state.keys.get(record::LIVE).is_some_and(|ops| !ops.is_empty())
}
