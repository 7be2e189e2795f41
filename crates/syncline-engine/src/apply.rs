//! Changes from peers: judged, merged, kept.
//!
//! A batch is judged in memory as a whole first, one document pass per record, which is what an honest
//! batch needs. If anything in it is refused, the batch is judged again transaction by transaction, so that
//! exactly the refused ones end in quarantine. Every change gets its row of the log whatever the verdict:
//! counters stay dense and chains stay checkable.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, ChangeHash};
use rusqlite::Connection;
use syncline_core::change::Change;
use syncline_core::document::Budget;
use syncline_core::edit::ObjectKind;
use syncline_core::genesis::Genesis;
use syncline_core::guard::{self, History, Refusal};
use syncline_core::ids::{Dot, RecordId};
use syncline_core::lineage::Lineage;
use syncline_core::mutant::{self, Mutant};
use syncline_core::record;
use syncline_core::session::{Applied, IncomingRow};
use syncline_schema::{Field, FieldKind, Model, Schema};

use crate::commit::Origin;
use crate::documents;
use crate::error::{Result, StoreError};
use crate::history;
use crate::storage::log::Kind;
use crate::storage::names::Replica;
use crate::storage::{log, records};
use crate::tx::{Tx, Working};

/// What became of one change.
#[derive(Clone, Debug)]
enum Verdict {
    /// Part of its record.
    Accepted,
    /// Waits for these.
    Waits(Vec<ChangeHash>),
    /// Refused, with the reason.
    Refused(String),
    /// Held already, under another dot.
    Repeated,
}

/// One change of the batch that is not held yet.
struct Candidate<'r> {
    row: &'r IncomingRow,
    change: std::result::Result<Change, String>,
    hash: ChangeHash,
}

/// A record's part in judging: its working copy and what was accepted but not put into its document yet.
struct Desk {
    working: Box<Working>,
    lineage: Option<Lineage>,
    /// Accepted in this batch.
    recent: Vec<Change>,
    /// Accepted, and not in the live document yet.
    undocumented: Vec<Change>,
    /// The record's heads as the log has them.
    stored_heads: BTreeSet<ChangeHash>,
}

/// When accepted changes reach the record's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Documents {
    /// All together at the end, if no document refuses anything: each pass costs as much as a text is long.
    Later,
    /// Each by itself, so that what a document refuses is refused alone.
    AtOnce,
}

impl<'a> Tx<'a> {
    /// Merges rows that a peer sent. Duplicates are dropped, refused changes go to quarantine.
    pub(crate) fn apply_rows(&mut self, rows: &[IncomingRow]) -> Result<Applied> {
        let mut applied = Applied::default();
        let mut candidates = Vec::with_capacity(rows.len());
        let mut held = BTreeMap::new();
        for row in rows {
            let again = |held: &Candidate<'_>| held.hash == hash_of(&row.bytes);
            let is_known = mutant::is_planted(Mutant::DedupByHash) && candidates.iter().any(again);
            if is_known || self.is_duplicate(row, &mut held)? {
                applied.duplicate += 1;
                continue;
            }
            candidates.push(Candidate::new(row));
        }
        let judged = match self.judge_whole(&candidates)? {
            Some(desks) => (desks, candidates.iter().map(|_| Verdict::Accepted).collect()),
            None => self.judge_each(&candidates)?,
        };
        self.keep(&candidates, judged, &mut applied)?;
        Ok(applied)
    }

    /// Whether the change is held: its dot is covered on an unforked replica, or the record has its hash.
    /// `held` are the hashes of records looked at for this batch.
    fn is_duplicate(&mut self, row: &IncomingRow, held: &mut BTreeMap<RecordId, BTreeSet<ChangeHash>>) -> Result<bool> {
        match self.names.replica(row.dot.replica) {
            Some(Replica { forked: false, counter, .. }) => {
                Ok(row.dot.counter <= *counter && !mutant::is_planted(Mutant::DotUnknown))
            }
            None => Ok(false),
            Some(Replica { forked: true, .. }) => {
                let hashes = match held.entry(row.record) {
                    Entry::Occupied(hashes) => hashes.into_mut(),
                    Entry::Vacant(place) => place.insert(hashes_of(self.db, row.record)?),
                };
                Ok(!hashes.insert(hash_of(&row.bytes)))
            }
        }
    }

    /// Judges all at once. `None` if any change must be looked at alone; nothing has changed then.
    fn judge_whole(&mut self, candidates: &[Candidate<'_>]) -> Result<Option<BTreeMap<RecordId, Desk>>> {
        let mut desks = BTreeMap::new();
        let bound = self.bound.len();
        for candidate in candidates {
            let mut desk = self.desk(&mut desks, candidate.row)?;
            let verdict = self.judge(&mut desk, candidate, true)?;
            desks.insert(candidate.row.record, desk);
            if !matches!(verdict, Verdict::Accepted) {
                self.unbind(bound);
                return Ok(None);
            }
        }
        if self.documents_refuse(&mut desks)? {
            self.unbind(bound);
            return Ok(None);
        }
        Ok(Some(desks))
    }

    fn documents_refuse(&mut self, desks: &mut BTreeMap<RecordId, Desk>) -> Result<bool> {
        for desk in desks.values_mut() {
            match self.put_into_document(desk) {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(true),
                Err(error) if error.is_damage() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Judges transaction by transaction: one refused change refuses its transaction.
    fn judge_each(&mut self, candidates: &[Candidate<'_>]) -> Result<(BTreeMap<RecordId, Desk>, Vec<Verdict>)> {
        let bound = self.bound.len();
        let (mut desks, verdicts) = self.judge_transactions(candidates, Documents::Later)?;
        if !self.documents_refuse(&mut desks)? {
            return Ok((desks, verdicts));
        }
        self.unbind(bound);
        self.judge_transactions(candidates, Documents::AtOnce)
    }

    fn judge_transactions(
        &mut self,
        candidates: &[Candidate<'_>],
        documents: Documents,
    ) -> Result<(BTreeMap<RecordId, Desk>, Vec<Verdict>)> {
        let mut desks: BTreeMap<RecordId, Desk> = BTreeMap::new();
        let mut verdicts = Vec::with_capacity(candidates.len());
        let mut rest = candidates;
        while !rest.is_empty() {
            let (transaction, after) = rest.split_at(first_transaction(rest));
            rest = after;
            verdicts.extend(self.judge_transaction(&mut desks, transaction, documents)?);
        }
        Ok((desks, verdicts))
    }

    fn judge_transaction(
        &mut self,
        desks: &mut BTreeMap<RecordId, Desk>,
        transaction: &[Candidate<'_>],
        documents: Documents,
    ) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(transaction.len());
        let mut before: BTreeMap<RecordId, Before> = BTreeMap::new();
        let bound = self.bound.len();
        for candidate in transaction {
            let mut desk = self.desk(desks, candidate.row)?;
            before.entry(candidate.row.record).or_insert_with(|| desk.before(documents));
            let mut verdict = self.judge(&mut desk, candidate, false)?;
            if documents == Documents::AtOnce && matches!(verdict, Verdict::Accepted) {
                verdict = match self.put_into_document(&mut desk) {
                    Ok(None) => Verdict::Accepted,
                    Ok(Some(reason)) => Verdict::Refused(reason),
                    Err(error) if error.is_damage() => self.unreadable(&error)?,
                    Err(error) => return Err(error),
                };
            }
            desks.insert(candidate.row.record, desk);
            verdicts.push(verdict);
        }
        let obstacle = verdicts.iter().find(|v| matches!(v, Verdict::Waits(_) | Verdict::Refused(_))).cloned();
        if let Some(obstacle) = obstacle {
            // As it was before: a transaction is visible whole or not at all.
            for (record, before) in before {
                if let Some(desk) = desks.get_mut(&record) {
                    before.restore(desk);
                }
            }
            self.unbind(bound);
            for (candidate, verdict) in transaction.iter().zip(&verdicts) {
                if let (Verdict::Waits(missing), Some(desk)) = (verdict, desks.get_mut(&candidate.row.record))
                    && missing.is_empty()
                {
                    desk.working.unreadable.get_or_insert_with(|| "its rows of the log are damaged".to_owned());
                }
            }
            let whole = if transaction.len() > 1 { with_reason_of_transaction(obstacle) } else { obstacle };
            verdicts.fill(whole);
        }
        Ok(verdicts)
    }

    fn desk(&mut self, desks: &mut BTreeMap<RecordId, Desk>, row: &IncomingRow) -> Result<Desk> {
        if let Some(desk) = desks.remove(&row.record) {
            return Ok(desk);
        }
        let working = self.take(row.record, &row.model, Origin::Peer)?;
        Ok(Desk::new(working))
    }

    /// Judges one change against its record, and merges its root keys if it is accepted. Where the record cannot
    /// be read, the change waits until it can: one damaged record must not stop all others.
    fn judge(&mut self, desk: &mut Desk, candidate: &Candidate<'_>, whole: bool) -> Result<Verdict> {
        if desk.working.unreadable.is_some() {
            return Ok(Verdict::Waits(Vec::new()));
        }
        match self.judge_readable(desk, candidate, whole) {
            Err(error) if error.is_damage() => self.unreadable(&error),
            other => other,
        }
    }

    fn unreadable(&mut self, error: &StoreError) -> Result<Verdict> {
        tracing::warn!(%error, "changes of a damaged record wait until it is repaired");
        if let StoreError::DamagedRow { seq, reason } = error {
            self.note_damage(*seq, reason)?;
        }
        Ok(Verdict::Waits(Vec::new()))
    }

    fn judge_readable(&mut self, desk: &mut Desk, candidate: &Candidate<'_>, whole: bool) -> Result<Verdict> {
        let change = match &candidate.change {
            Ok(change) => change,
            Err(reason) => return Ok(Verdict::Refused(reason.clone())),
        };
        let row = candidate.row;
        let named = self.names.model_name(desk.working.model);
        if named != Some(row.model.as_str()) {
            if row.model.is_empty() {
                // A row of this file, whose model's name the file lost.
                return Ok(Verdict::Waits(Vec::new()));
            }
            if named.is_some() && !self.is_bare(&desk.working)? {
                return Ok(Verdict::Refused(format!("the record is no {}", row.model)));
            }
            // Only refused changes stood there, and they do not decide what the record is; or the file lost the name.
            desk.working.model = self.names.model(self.db, &row.model)?;
            desk.working.touch();
        }
        let Some(schema) = self.schema.cloned() else {
            // A relay's store: kept and passed on unread.
            desk.working.judged = false;
            return Ok(Verdict::Accepted);
        };
        let Some(model) = schema.model_known_as(&row.model) else {
            // A model of a newer schema: kept, passed on, judged once the schema is known.
            desk.working.judged = false;
            return Ok(Verdict::Accepted);
        };
        if !desk.working.judged && desk.working.has_changes() {
            return Ok(Verdict::Accepted);
        }
        if self.repeats(desk, change)? {
            return Ok(if whole { Verdict::Refused(String::new()) } else { Verdict::Repeated });
        }
        if let Some(owner) = self.names.actors_ref().replica_of(change.actor())
            && self.names.replica(row.dot.replica).map(|r| r.row) != Some(owner)
        {
            return Ok(Verdict::Refused("its actor belongs to another replica".to_owned()));
        }
        if self.is_genesis_actor(&schema, change)? {
            return Ok(Verdict::Refused("its actor is that of a genesis".to_owned()));
        }
        if record::needs_document(model) || change.touches_objects() {
            self.document_of(desk)?;
        }
        if let Some(refused) = self.bring_genesis(&schema, model, desk, change)? {
            return Ok(Verdict::Refused(refused));
        }
        match self.pass_guard(desk, change)? {
            Ok(()) => {}
            Err(Refusal::MissingDeps(_)) if mutant::is_planted(Mutant::DependenciesUnchecked) => {}
            Err(Refusal::MissingDeps(missing)) => return Ok(Verdict::Waits(missing)),
            Err(refusal) => return Ok(Verdict::Refused(refusal.to_string())),
        }
        if let Err(foreign) = record::check_foreign(&schema, model, row.record, change.expanded()) {
            return Ok(Verdict::Refused(foreign.to_string()));
        }
        let replica = self.names.replica_mut(row.dot.replica).row;
        if self.names.actors().bind(change.actor(), replica) {
            self.bound.push(change.actor().clone());
        }
        desk.accept(change);
        Ok(Verdict::Accepted)
    }

    /// Forgets to whom actors belong that were met since: the changes that said so are refused.
    fn unbind(&mut self, since: usize) {
        for actor in self.bound.split_off(since) {
            self.names.actors().unbind(&actor);
        }
    }

    /// Whether nothing that arrived of the record was accepted or may be.
    pub(crate) fn is_bare(&self, working: &Working) -> Result<bool> {
        Ok(working.judged && working.state.heads.is_empty() && records::waiting(self.db, working.row)?.is_empty())
    }

    /// Makes the record's document live; what was accepted before it was needed follows with the rest.
    fn document_of(&mut self, desk: &mut Desk) -> Result<()> {
        if desk.working.live.is_some() {
            return Ok(());
        }
        if desk.recent.is_empty() {
            self.document(&mut desk.working)?;
            return Ok(());
        }
        let now: Vec<ChangeHash> = desk.working.state.heads.iter().copied().collect();
        let stored: Vec<ChangeHash> = desk.stored_heads.iter().copied().collect();
        let (row, last) = (desk.working.row, desk.working.last);
        // Rows that are judged again stand in the log already, those of a batch do not.
        let live = match history::document(self.db, row, last, std::iter::empty(), &now) {
            Err(error) if error.is_damage() => {
                desk.undocumented.clone_from(&desk.recent);
                history::document(self.db, row, last, std::iter::empty(), &stored)?
            }
            other => other?,
        };
        desk.working.live = Some(live);
        Ok(())
    }

    /// Whether the record holds the change already. Only an actor's known numbers can repeat.
    fn repeats(&mut self, desk: &mut Desk, change: &Change) -> Result<bool> {
        let known = desk.working.state.seqs.get(change.actor()).copied().unwrap_or(0);
        if change.seq() > known {
            return Ok(false);
        }
        Ok(self.lineage(desk)?.contains(&change.hash()))
    }

    /// Whether the change claims an actor that writes geneses only: it would keep the true one out. Those of
    /// every model count, for an actor accepted in one record may write to all.
    fn is_genesis_actor(&mut self, schema: &Schema, change: &Change) -> Result<bool> {
        if self.documents.genesis_actors.is_none() {
            let known = records::all_genesis(self.db)?;
            let mut actors: BTreeSet<ActorId> =
                known.iter().filter_map(|row| Some(history::genesis_of_row(row).ok()?.actor())).collect();
            actors.extend(geneses_of(schema).map(|genesis| genesis.actor()));
            self.documents.genesis_actors = Some(actors);
        }
        Ok(self.documents.genesis_actors.as_ref().is_some_and(|actors| actors.contains(change.actor())))
    }

    /// Puts in the genesis that the change depends on. The reason if it does not fit the schema.
    fn bring_genesis(
        &mut self,
        schema: &Schema,
        model: &Model,
        desk: &mut Desk,
        change: &Change,
    ) -> Result<Option<String>> {
        for dep in change.deps() {
            if desk.working.state.heads.contains(dep) {
                continue;
            }
            let Some(row) = records::genesis(self.db, dep)? else { continue };
            if Some(row.0.as_str()) != self.names.model_name(desk.working.model) {
                // Another model's: for this record there is no such change.
                continue;
            }
            let genesis = history::genesis_of_row(&row)?.change();
            if desk.working.state.seqs.contains_key(genesis.actor()) {
                continue;
            }
            if let Err(foreign) = record::check_foreign(schema, model, desk.working.id, genesis.expanded()) {
                return Ok(Some(format!("the genesis that it builds on: {foreign}")));
            }
            desk.accept(&genesis);
        }
        Ok(None)
    }

    fn pass_guard(&mut self, desk: &mut Desk, change: &Change) -> Result<std::result::Result<(), Refusal>> {
        let mut loader = Loader {
            db: self.db,
            last: desk.working.last,
            row: desk.working.row,
            recent: &desk.recent,
            cache: self.documents,
            slot: &mut desk.lineage,
            failed: None,
        };
        let outcome = guard::check(change, &desk.working.state, &mut loader);
        match (outcome, loader.failed) {
            (Ok(outcome), None) => Ok(outcome),
            (_, Some(error)) => Err(error),
            (Err(Unreadable), None) => Err(StoreError::Damaged("a record's history cannot be read".to_owned())),
        }
    }

    fn lineage<'d>(&mut self, desk: &'d mut Desk) -> Result<&'d mut Lineage> {
        if desk.lineage.is_none() {
            let (row, last) = (desk.working.row, desk.working.last);
            desk.lineage = Some(load_lineage(self.db, self.documents, row, last, &desk.recent)?);
        }
        Ok(desk.lineage.as_mut().expect("it was loaded above"))
    }

    /// Gives the accepted changes to the record's document, in a sandbox if they touch objects. The reason if
    /// the document refuses them; the desk is then to be thrown away.
    fn put_into_document(&mut self, desk: &mut Desk) -> Result<Option<String>> {
        let changes = std::mem::take(&mut desk.undocumented);
        let Some(live) = &mut desk.working.live else { return Ok(None) };
        if changes.is_empty() {
            return Ok(None);
        }
        if changes.iter().any(Change::touches_objects) {
            let tried = live.document.try_apply(&changes.iter().collect::<Vec<_>>(), &Budget::default());
            if let Some((_, reason)) = tried.rejected.first() {
                return Ok(Some(reason.to_string()));
            }
            live.document = tried.document;
        } else {
            live.document.apply_accepted(&changes).map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        live.changes += changes.len();
        live.tail += changes.len();
        Ok(None)
    }

    /// Appends every candidate to the log according to its verdict, and gives the records back.
    fn keep(
        &mut self,
        candidates: &[Candidate<'_>],
        (mut desks, verdicts): (BTreeMap<RecordId, Desk>, Vec<Verdict>),
        applied: &mut Applied,
    ) -> Result<()> {
        for (candidate, verdict) in candidates.iter().zip(verdicts) {
            let row = candidate.row;
            let mut desk = self.desk(&mut desks, row)?;
            let kind = match &verdict {
                Verdict::Accepted => Kind::Applied,
                Verdict::Waits(_) => Kind::Pending,
                Verdict::Refused(_) => Kind::Quarantined,
                Verdict::Repeated => Kind::Repeated,
            };
            let seq = self.append(&mut desk.working, row.dot, kind, row.txn, candidate.hash, row.bytes.clone());
            let record = desk.working.row;
            desks.insert(row.record, desk);
            match verdict {
                Verdict::Accepted => applied.new += 1,
                Verdict::Repeated => applied.duplicate += 1,
                Verdict::Waits(missing) => {
                    records::wait_for(self.db, seq, record, &missing)?;
                    *self.has_waiting = true;
                    applied.new += 1;
                }
                Verdict::Refused(reason) => {
                    tracing::warn!(dot = ?row.dot, record = %row.record, %reason, "a change is put in quarantine");
                    records::quarantine(self.db, seq, record, &reason)?;
                    applied.quarantined += 1;
                }
            }
        }
        if *self.has_waiting && !mutant::is_planted(Mutant::WaitsForEver) {
            self.retry_waiting(&mut desks)?;
        }
        self.clear_away(desks);
        Ok(())
    }

    fn clear_away(&mut self, desks: BTreeMap<RecordId, Desk>) {
        for (_, mut desk) in desks {
            if let Some(lineage) = desk.lineage.take() {
                self.documents.keep_lineage(desk.working.row, desk.working.last, lineage);
            }
            self.give_back(desk.working);
        }
    }

    /// Judges again what waited for changes of these records, transaction by transaction. Records that come into
    /// it that way join the others.
    fn retry_waiting(&mut self, desks: &mut BTreeMap<RecordId, Desk>) -> Result<()> {
        self.write_rows()?;
        // What arrived backwards is done in one pass backwards.
        for backwards in [false, true].into_iter().cycle() {
            let mut progress = false;
            let judged: Vec<RecordId> =
                desks.iter().filter(|(_, desk)| desk.working.judged).map(|(record, _)| *record).collect();
            for record in judged {
                let mut waiting = records::waiting(self.db, desks[&record].working.row)?;
                if backwards {
                    waiting.reverse();
                }
                for (seq, missing) in waiting {
                    if self.has_arrived(desks, record, &missing)? {
                        progress |= self.retry(desks, seq)?;
                    }
                }
            }
            if !progress {
                break;
            }
        }
        Ok(())
    }

    /// Whether a record has what one of its changes waits for: judging is dear, and a peer decides how much waits.
    fn has_arrived(
        &mut self,
        desks: &mut BTreeMap<RecordId, Desk>,
        record: RecordId,
        missing: &[ChangeHash],
    ) -> Result<bool> {
        let Some(desk) = desks.get_mut(&record).filter(|_| !missing.is_empty()) else { return Ok(true) };
        let lineage = match self.lineage(desk) {
            Ok(lineage) => lineage,
            Err(error) if error.is_damage() => return Ok(true),
            Err(error) => return Err(error),
        };
        let unknown: Vec<&ChangeHash> = missing.iter().filter(|hash| !lineage.contains(hash)).collect();
        for hash in unknown {
            if records::genesis(self.db, hash)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Judges the transaction of a waiting row again. Whether that settled it.
    fn retry(&mut self, desks: &mut BTreeMap<RecordId, Desk>, seq: u64) -> Result<bool> {
        let entries = match log::transaction_around(self.db, seq) {
            Ok(entries) => entries,
            Err(error) if error.is_damage() => return Ok(false),
            Err(error) => return Err(error),
        };
        if entries.is_empty() {
            return Ok(false);
        }
        let mut rows = Vec::with_capacity(entries.len());
        for entry in &entries {
            if let Err(StoreError::DamagedRow { seq, reason }) = history::check(entry) {
                self.note_damage(seq, &reason)?;
                return Ok(false);
            }
            rows.push(self.incoming(desks, entry)?);
        }
        let candidates: Vec<Candidate<'_>> = rows.iter().map(Candidate::new).collect();
        let verdicts = self.judge_transaction(desks, &candidates, Documents::AtOnce)?;
        if let Some(Verdict::Waits(missing)) = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Waits(_))) {
            // For something else now, perhaps.
            for entry in &entries {
                records::wait_for(self.db, entry.seq, entry.record, missing)?;
            }
            return Ok(false);
        }
        for ((entry, row), verdict) in entries.iter().zip(&rows).zip(&verdicts) {
            self.settle(entry, verdict)?;
            if let Some(desk) = desks.get_mut(&row.record) {
                desk.working.touch();
                if let Some(live) = &mut desk.working.live {
                    live.tail = live.changes;
                }
            }
        }
        Ok(true)
    }

    /// Gives a row of the log the kind that its verdict says. What was made of the rows after it lacks it.
    fn settle(&mut self, entry: &log::Entry, verdict: &Verdict) -> Result<()> {
        let kind = match verdict {
            Verdict::Accepted => Kind::Applied,
            Verdict::Repeated => Kind::Repeated,
            Verdict::Refused(reason) => {
                records::quarantine(self.db, entry.seq, entry.record, reason)?;
                Kind::Quarantined
            }
            Verdict::Waits(missing) => {
                records::wait_for(self.db, entry.seq, entry.record, missing)?;
                *self.has_waiting = true;
                return log::set_kind(self.db, entry.seq, Kind::Pending);
            }
        };
        log::set_kind(self.db, entry.seq, kind)?;
        records::no_longer_waits(self.db, entry.seq)?;
        records::drop_snapshot(self.db, entry.record)?;
        self.documents.take_lineage(entry.record);
        Ok(())
    }

    fn incoming(&self, desks: &BTreeMap<RecordId, Desk>, entry: &log::Entry) -> Result<IncomingRow> {
        let at_desk = desks.values().find(|desk| desk.working.row == entry.record);
        let named = match at_desk {
            Some(desk) => Some((desk.working.id, desk.working.model)),
            None => records::name_of(self.db, entry.record)?,
        };
        let (record, model) = named
            .ok_or_else(|| StoreError::Damaged(format!("the record of row {} of the log is missing", entry.seq)))?;
        let replica = self.names.replica_at(entry.replica).map(|r| r.id).unwrap_or_default();
        Ok(IncomingRow {
            dot: Dot { replica, counter: entry.counter },
            txn: entry.txn,
            model: self.names.model_name(model).unwrap_or_default().to_owned(),
            record,
            bytes: entry.bytes.clone(),
        })
    }

    /// Remembers that a row of the log is damaged, so that `status` shows it.
    pub(crate) fn note_damage(&mut self, seq: u64, reason: &str) -> Result<()> {
        let record = log::record_of(self.db, seq)?.unwrap_or_default();
        records::quarantine(self.db, seq, record, &format!("{}{reason}", records::DAMAGED))
    }

    /// Writes a record's projection anew; judges it from the log if no schema has looked at it yet.
    pub(crate) fn judge_again(&mut self, row: i64, origin: Origin) -> Result<()> {
        let Some(found) = records::at(self.db, row)? else { return Ok(()) };
        let model = self.names.model_name(found.model).unwrap_or_default().to_owned();
        let mut working = self.take(found.id, &model, origin)?;
        working.touch();
        let unjudged = !working.judged;
        let mut desks = BTreeMap::from([(found.id, Desk::new(working))]);
        if unjudged {
            self.judge_stored(&mut desks, found.id)?;
            self.retry_waiting(&mut desks)?;
        }
        self.clear_away(desks);
        Ok(())
    }

    /// Judges what the log has of a record that was kept unread.
    fn judge_stored(&mut self, desks: &mut BTreeMap<RecordId, Desk>, id: RecordId) -> Result<()> {
        let Some(desk) = desks.get_mut(&id) else { return Ok(()) };
        let last = std::mem::take(&mut desk.working.last);
        desk.working.judged = true;
        let entries = match log::of_record_after(self.db, last, 0) {
            Ok(entries) => entries,
            Err(error) if error.is_damage() => {
                desk.working.last = last;
                desk.working.unreadable = Some(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in entries.iter().rev() {
            if let Err(StoreError::DamagedRow { seq, reason }) = history::check(entry) {
                self.note_damage(seq, &reason)?;
                if let Some(desk) = desks.get_mut(&id) {
                    desk.working.unreadable = Some(reason);
                }
                break;
            }
            match entry.kind {
                // What no store takes, whatever its schema; and what is there already.
                Kind::Quarantined | Kind::Repeated => {}
                Kind::Local => {
                    let change = history::change_of(entry)?;
                    if let Some(desk) = desks.get_mut(&id) {
                        desk.accept(&change);
                    }
                }
                Kind::Applied | Kind::Pending => {
                    let row = IncomingRow { txn: 0, ..self.incoming(desks, entry)? };
                    let candidates = [Candidate::new(&row)];
                    let verdicts = self.judge_transaction(desks, &candidates, Documents::AtOnce)?;
                    for verdict in &verdicts {
                        self.settle(entry, verdict)?;
                    }
                }
            }
            if let Some(desk) = desks.get_mut(&id) {
                desk.working.last = entry.seq;
            }
        }
        if let Some(desk) = desks.get_mut(&id) {
            desk.working.last = last;
        }
        Ok(())
    }
}

impl<'r> Candidate<'r> {
    fn new(row: &'r IncomingRow) -> Self {
        let change = Change::parse(&row.bytes).map_err(|bad| bad.to_string());
        let hash = change.as_ref().map_or_else(|_| hash_of(&row.bytes), Change::hash);
        Self { row, change, hash }
    }
}

impl Desk {
    fn new(working: Box<Working>) -> Self {
        let stored_heads = working.state.heads.clone();
        Self { working, lineage: None, undocumented: Vec::new(), recent: Vec::new(), stored_heads }
    }

    /// Merges an accepted change; its document gets it later, together with others.
    fn accept(&mut self, change: &Change) {
        self.working.apply(change);
        if mutant::is_planted(Mutant::MergedTwice) {
            self.working.apply(change);
        }
        if let Some(lineage) = &mut self.lineage
            && let Err(missing) = lineage.insert(change)
        {
            tracing::error!(?missing, "an accepted change builds on unknown ones");
        }
        self.recent.push(change.clone());
        if self.working.live.is_some() {
            self.undocumented.push(change.clone());
        }
    }

    /// What to return to if the transaction is refused.
    fn before(&self, documents: Documents) -> Before {
        Before {
            working: match documents {
                Documents::Later => Box::new(self.working.without_document()),
                Documents::AtOnce => Box::new(self.working.copy()),
            },
            documents,
            had_document: self.working.live.is_some(),
            undocumented: self.undocumented.clone(),
            recent: self.recent.len(),
        }
    }
}

/// A desk as it was before a transaction.
struct Before {
    working: Box<Working>,
    documents: Documents,
    had_document: bool,
    undocumented: Vec<Change>,
    recent: usize,
}

impl Before {
    fn restore(self, desk: &mut Desk) {
        let unchanged = desk.recent.len() == self.recent
            && desk.working.judged == self.working.judged
            && desk.working.model == self.working.model;
        if unchanged {
            return;
        }
        let live = desk.working.live.take();
        desk.working = self.working;
        if self.documents == Documents::Later && self.had_document {
            // Nothing has reached it yet.
            desk.working.live = live;
        }
        desk.undocumented = self.undocumented;
        desk.recent.truncate(self.recent);
        desk.lineage = None;
    }
}

/// Fetches a record's history when the guard asks for it.
struct Loader<'l> {
    db: &'l Connection,
    last: u64,
    row: i64,
    recent: &'l [Change],
    cache: &'l mut documents::Documents,
    slot: &'l mut Option<Lineage>,
    failed: Option<StoreError>,
}

/// The history could not be read; the error itself stands in the loader.
struct Unreadable;

impl History for Loader<'_> {
    type Error = Unreadable;

    fn lineage(&mut self) -> std::result::Result<&mut Lineage, Unreadable> {
        if self.slot.is_none() {
            match load_lineage(self.db, self.cache, self.row, self.last, self.recent) {
                Ok(lineage) => *self.slot = Some(lineage),
                Err(error) => {
                    self.failed = Some(error);
                    return Err(Unreadable);
                }
            }
        }
        self.slot.as_mut().ok_or(Unreadable)
    }
}

/// A record's history: what the cache has of it, then the log, then what the batch added.
fn load_lineage(
    db: &Connection,
    cache: &mut documents::Documents,
    row: i64,
    last: u64,
    recent: &[Change],
) -> Result<Lineage> {
    let (upto, mut lineage) = cache.take_lineage(row).filter(|(upto, _)| *upto <= last).unwrap_or_default();
    let stored = history::changes(db, last, upto)?;
    for change in stored.iter().chain(recent) {
        lineage
            .insert(change)
            .map_err(|missing| StoreError::Damaged(format!("a change builds on {} that the log lacks", missing[0])))?;
    }
    Ok(lineage)
}

/// How many of the candidates are one transaction with the first. Of a retired replica id, two changes under one dot
/// may stand side by side: they are two transactions.
fn first_transaction(candidates: &[Candidate<'_>]) -> usize {
    let continues = |pair: &[Candidate<'_>]| pair[1].row.continues(pair[0].row);
    1 + candidates.windows(2).take_while(|pair| continues(pair)).count()
}

/// Hash of raw change bytes; the session has seen that they are one chunk.
fn hash_of(bytes: &[u8]) -> ChangeHash {
    ChangeHash(syncline_core::wire::change_hash(bytes).unwrap_or_default())
}

/// Hashes of all rows of a record.
fn hashes_of(db: &Connection, record: RecordId) -> Result<BTreeSet<ChangeHash>> {
    let Some(found) = records::find(db, record)? else { return Ok(BTreeSet::new()) };
    Ok(log::of_record_after(db, found.last, 0)?.iter().map(|entry| entry.hash).collect())
}

/// The geneses that records of a schema may have.
pub(crate) fn geneses_of(schema: &Schema) -> impl Iterator<Item = Genesis> {
    schema.models.iter().flat_map(geneses)
}

/// The geneses that a model's records may have, under each name that a peer may take for the first.
fn geneses(model: &Model) -> impl Iterator<Item = Genesis> {
    let named = |field| model.names().map(move |name| (name, field));
    model.fields.iter().flat_map(named).filter_map(|(name, field): (&str, &Field)| {
        let kind = match field.kind {
            FieldKind::Text { .. } => ObjectKind::Text,
            FieldKind::List(_) => ObjectKind::List,
            FieldKind::Scalar(_)
            | FieldKind::Enum(_)
            | FieldKind::Counter
            | FieldKind::Set(_)
            | FieldKind::Embedded(_) => return None,
        };
        Some(Genesis { model: name.to_owned(), key: field.document_key.clone(), kind })
    })
}

fn with_reason_of_transaction(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Refused(reason) => Verdict::Refused(format!("a change of its transaction is refused: {reason}")),
        Verdict::Waits(_) | Verdict::Accepted | Verdict::Repeated => verdict,
    }
}
