//! Changes from peers: judged, merged, kept.
//!
//! A batch is judged in memory as a whole first, one document pass per record, which is what an honest
//! batch needs. If anything in it is refused, the batch is judged again transaction by transaction, so that
//! exactly the refused ones end in quarantine. Every change gets its row of the log whatever the verdict:
//! counters stay dense and chains stay checkable.

use std::collections::BTreeMap;

use automerge::ChangeHash;
use rusqlite::Connection;
use syncline_core::change::Change;
use syncline_core::document::Budget;
use syncline_core::edit::ObjectKind;
use syncline_core::genesis::Genesis;
use syncline_core::guard::{self, History, Refusal};
use syncline_core::ids::{Dot, RecordId};
use syncline_core::lineage::Lineage;
use syncline_core::record;
use syncline_core::session::{Applied, IncomingRow};
use syncline_schema::{FieldKind, Model};

use crate::commit::Origin;
use crate::documents::Documents;
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
    working: Working,
    lineage: Option<Lineage>,
    /// Accepted in this batch.
    recent: Vec<Change>,
    /// Accepted, and not in the live document yet.
    undocumented: Vec<Change>,
}

impl<'a> Tx<'a> {
    /// Merges rows that a peer sent. Duplicates are dropped, refused changes go to quarantine.
    pub(crate) fn apply_rows(&mut self, rows: &[IncomingRow]) -> Result<Applied> {
        let mut applied = Applied::default();
        let mut candidates = Vec::with_capacity(rows.len());
        for row in rows {
            if self.is_duplicate(row, &candidates)? {
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
    fn is_duplicate(&mut self, row: &IncomingRow, before: &[Candidate<'_>]) -> Result<bool> {
        match self.names.replica(row.dot.replica) {
            Some(Replica { forked: false, counter, .. }) => Ok(row.dot.counter <= *counter),
            None => Ok(false),
            Some(Replica { forked: true, .. }) => {
                let hash = hash_of(&row.bytes);
                let in_batch = before.iter().any(|other| other.row.record == row.record && other.hash == hash);
                Ok(in_batch || self.holds(row.record, &hash)?)
            }
        }
    }

    /// Whether the record has a row with this hash.
    fn holds(&mut self, record: RecordId, hash: &ChangeHash) -> Result<bool> {
        let Some(found) = records::find(self.db, record)? else { return Ok(false) };
        Ok(log::of_record_after(self.db, found.last, 0)?.iter().any(|entry| entry.hash == *hash))
    }

    /// Judges all at once. `None` if any change must be looked at alone; nothing has changed then.
    fn judge_whole(&mut self, candidates: &[Candidate<'_>]) -> Result<Option<BTreeMap<RecordId, Desk>>> {
        let mut desks = BTreeMap::new();
        for candidate in candidates {
            let mut desk = self.desk(&mut desks, candidate.row)?;
            let verdict = self.judge(&mut desk, candidate, true)?;
            desks.insert(candidate.row.record, desk);
            if !matches!(verdict, Verdict::Accepted) {
                return Ok(None);
            }
        }
        for desk in desks.values_mut() {
            if self.put_into_document(desk)?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(desks))
    }

    /// Judges transaction by transaction: one refused change refuses its transaction.
    fn judge_each(&mut self, candidates: &[Candidate<'_>]) -> Result<(BTreeMap<RecordId, Desk>, Vec<Verdict>)> {
        let mut desks: BTreeMap<RecordId, Desk> = BTreeMap::new();
        let mut verdicts = Vec::with_capacity(candidates.len());
        let mut rest = candidates;
        while !rest.is_empty() {
            let length = rest.iter().take_while(|c| c.row.txn > 0).count() + 1;
            let (transaction, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            verdicts.extend(self.judge_transaction(&mut desks, transaction)?);
        }
        Ok((desks, verdicts))
    }

    fn judge_transaction(
        &mut self,
        desks: &mut BTreeMap<RecordId, Desk>,
        transaction: &[Candidate<'_>],
    ) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(transaction.len());
        let mut before: BTreeMap<RecordId, Desk> = BTreeMap::new();
        for candidate in transaction {
            let mut desk = self.desk(desks, candidate.row)?;
            before.entry(candidate.row.record).or_insert_with(|| desk.before());
            let mut verdict = self.judge(&mut desk, candidate, false)?;
            if let (Verdict::Accepted, Some(reason)) = (&verdict, self.put_into_document(&mut desk)?) {
                verdict = Verdict::Refused(reason);
            }
            desks.insert(candidate.row.record, desk);
            verdicts.push(verdict);
        }
        let obstacle = verdicts.iter().find(|v| matches!(v, Verdict::Waits(_) | Verdict::Refused(_))).cloned();
        if let Some(obstacle) = obstacle {
            // As it was before: a transaction is visible whole or not at all.
            desks.extend(before);
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

    /// Judges one change against its record, and merges its root keys if it is accepted.
    fn judge(&mut self, desk: &mut Desk, candidate: &Candidate<'_>, whole: bool) -> Result<Verdict> {
        let change = match &candidate.change {
            Ok(change) => change,
            Err(reason) => return Ok(Verdict::Refused(reason.clone())),
        };
        let row = candidate.row;
        if self.names.model_name(desk.working.model) != Some(row.model.as_str()) {
            return Ok(Verdict::Refused(format!("the record is no {}", row.model)));
        }
        let Some(schema) = self.schema.cloned() else { return Ok(Verdict::Accepted) };
        let Some(model) = schema.model(&row.model) else {
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
        if record::needs_document(model) {
            if self.is_genesis_actor(&row.model, model, change)? {
                return Ok(Verdict::Refused("its actor is that of a genesis".to_owned()));
            }
            self.document(&mut desk.working)?;
        }
        self.bring_genesis(desk, change)?;
        match self.pass_guard(desk, change)? {
            Ok(()) => {}
            Err(Refusal::MissingDeps(missing)) => return Ok(Verdict::Waits(missing)),
            Err(refusal) => return Ok(Verdict::Refused(refusal.to_string())),
        }
        if let Err(foreign) = record::check_foreign(&schema, model, row.record, change.expanded()) {
            return Ok(Verdict::Refused(foreign.to_string()));
        }
        let replica = self.names.replica_mut(row.dot.replica).row;
        self.names.actors().bind(change.actor(), replica);
        desk.accept(change);
        Ok(Verdict::Accepted)
    }

    /// Whether the record holds the change already. Only an actor's known numbers can repeat.
    fn repeats(&mut self, desk: &mut Desk, change: &Change) -> Result<bool> {
        let known = desk.working.state.seqs.get(change.actor()).copied().unwrap_or(0);
        if change.seq() > known {
            return Ok(false);
        }
        Ok(self.lineage(desk)?.contains(&change.hash()))
    }

    /// Whether the change claims an actor that writes geneses only: it would keep the true one out.
    fn is_genesis_actor(&self, name: &str, model: &Model, change: &Change) -> Result<bool> {
        if self.names.actors_ref().replica_of(change.actor()).is_some() {
            return Ok(false);
        }
        let known = records::genesis_of(self.db, name)?;
        let of_fields = model.fields.iter().filter_map(|field| {
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
        });
        let rows = known.iter().map(history::genesis_of_row).collect::<Result<Vec<_>>>()?;
        Ok(of_fields.chain(rows).any(|genesis| genesis.actor() == *change.actor()))
    }

    /// Puts in the genesis that the change depends on.
    fn bring_genesis(&mut self, desk: &mut Desk, change: &Change) -> Result<()> {
        for dep in change.deps() {
            if desk.working.state.heads.contains(dep) {
                continue;
            }
            let Some(row) = records::genesis(self.db, dep)? else { continue };
            let genesis = history::genesis_of_row(&row)?.change();
            if desk.working.state.seqs.contains_key(genesis.actor()) {
                continue;
            }
            desk.accept(&genesis);
        }
        Ok(())
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
        for desk in desks.values_mut() {
            if *self.has_waiting && desk.working.judged {
                self.retry_waiting(desk)?;
            }
        }
        for (_, mut desk) in desks {
            if let Some(lineage) = desk.lineage.take() {
                self.documents.keep_lineage(desk.working.row, desk.working.last, lineage);
            }
            self.give_back(desk.working);
        }
        Ok(())
    }

    /// Judges again what waited for changes of this record.
    fn retry_waiting(&mut self, desk: &mut Desk) -> Result<()> {
        loop {
            let mut progress = false;
            for seq in records::waiting(self.db, desk.working.row)? {
                let Some(entry) = log::read(self.db, seq)? else { continue };
                progress |= self.retry(desk, &entry)?;
            }
            if !progress {
                return Ok(());
            }
        }
    }

    fn retry(&mut self, desk: &mut Desk, entry: &log::Entry) -> Result<bool> {
        let row = self.incoming(desk.working.id, desk.working.model, entry);
        let candidate = Candidate::new(&row);
        let mut verdict = self.judge(desk, &candidate, false)?;
        if let (Verdict::Accepted, Some(reason)) = (&verdict, self.put_into_document(desk)?) {
            verdict = Verdict::Refused(reason);
        }
        let kind = match &verdict {
            Verdict::Waits(_) => return Ok(false),
            Verdict::Accepted => Kind::Applied,
            Verdict::Repeated => Kind::Repeated,
            Verdict::Refused(reason) => {
                records::quarantine(self.db, entry.seq, desk.working.row, reason)?;
                Kind::Quarantined
            }
        };
        log::set_kind(self.db, entry.seq, kind)?;
        records::no_longer_waits(self.db, entry.seq)?;
        desk.working.touch();
        Ok(true)
    }

    fn incoming(&self, record: RecordId, model: i64, entry: &log::Entry) -> IncomingRow {
        let replica = self.names.replica_at(entry.replica).map(|r| r.id).unwrap_or_default();
        IncomingRow {
            dot: Dot { replica, counter: entry.counter },
            txn: 0,
            model: self.names.model_name(model).unwrap_or_default().to_owned(),
            record,
            bytes: entry.bytes.clone(),
        }
    }

    /// Writes a record's projection anew; judges it from the log if no schema has looked at it yet.
    pub(crate) fn judge_again(&mut self, row: i64, origin: Origin) -> Result<()> {
        let Some(found) = records::at(self.db, row)? else { return Ok(()) };
        let model = self.names.model_name(found.model).unwrap_or_default().to_owned();
        let working = self.take(found.id, &model, origin)?;
        let mut desk = Desk::new(working);
        if !desk.working.judged {
            let last = desk.working.last;
            desk.working.judged = true;
            desk.working.last = 0;
            let mut entries = log::of_record_after(self.db, last, 0)?;
            entries.reverse();
            for entry in &entries {
                self.judge_stored(&mut desk, entry)?;
                desk.working.last = entry.seq;
            }
            desk.working.last = last;
            self.retry_waiting(&mut desk)?;
        }
        desk.working.touch();
        self.give_back(desk.working);
        Ok(())
    }

    fn judge_stored(&mut self, desk: &mut Desk, entry: &log::Entry) -> Result<()> {
        match entry.kind {
            Kind::Repeated => return Ok(()),
            Kind::Local => {
                desk.accept(&history::change_of(entry)?);
                return Ok(());
            }
            Kind::Applied | Kind::Quarantined | Kind::Pending => {}
        }
        if !self.retry(desk, entry)? {
            log::set_kind(self.db, entry.seq, Kind::Pending)?;
            records::wait_for(self.db, entry.seq, desk.working.row, &[])?;
            *self.has_waiting = true;
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
    fn new(working: Working) -> Self {
        Self { working, lineage: None, undocumented: Vec::new(), recent: Vec::new() }
    }

    /// Merges an accepted change; its document gets it later, together with others.
    fn accept(&mut self, change: &Change) {
        self.working.apply(change);
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

    /// A copy to return to if the transaction is refused.
    fn before(&self) -> Self {
        Self {
            working: self.working.copy(),
            lineage: None,
            undocumented: Vec::new(),
            recent: self.recent.clone(),
        }
    }
}

/// Fetches a record's history when the guard asks for it.
struct Loader<'l> {
    db: &'l Connection,
    last: u64,
    row: i64,
    recent: &'l [Change],
    cache: &'l mut Documents,
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
    cache: &mut Documents,
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

/// Hash of raw change bytes; the session has seen that they are one chunk.
fn hash_of(bytes: &[u8]) -> ChangeHash {
    ChangeHash(syncline_core::wire::change_hash(bytes).unwrap_or_default())
}

fn with_reason_of_transaction(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Refused(reason) => Verdict::Refused(format!("a change of its transaction is refused: {reason}")),
        Verdict::Waits(_) | Verdict::Accepted | Verdict::Repeated => verdict,
    }
}
