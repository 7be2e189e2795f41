//! How records came to be: their changes for people, and records as they were.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;
use automerge::legacy::ObjectId;
use serde::Serialize;
use serde_json::{Map, Value};
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::ids::Dot;
use syncline_core::lineage::Lineage;
use syncline_core::record::{self, At, ChangeEffect, ChangeName, RecordView, closed};
use syncline_core::state::RecordState;
use syncline_core::vector::Token;

use crate::error::{Result, StoreError};
use crate::inspect::kind_name;
use crate::past::Past;
use crate::reader::Reader;
use crate::reading::{Found, Reading};
use crate::storage::log::{self, Entry, Kind};
use crate::storage::{meta, names, records, turns};

/// One change of a record, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Position in this store's log.
    pub seq: u64,
    /// The model.
    pub model: String,
    /// The record's id, or a JSON object of its key fields.
    pub id: String,
    /// Who wrote it; empty for a `@local` model.
    pub replica: String,
    /// The how-manieth of the replica's changes; 0 for a `@local` model.
    pub counter: u64,
    /// Whether this store wrote it.
    pub mine: bool,
    /// Hash of the change.
    pub hash: String,
    /// Time that the writer's clock showed, in milliseconds since 1970; 0 for the initial text or list of a
    /// record with a custom key, which has none.
    pub time_ms: i64,
    /// `applied`, `quarantined`, `pending`, `repeated` or `local`.
    pub kind: &'static str,
    /// What it did, as its writer saw it; nothing where it is not part of the record.
    pub did: Vec<ChangeEffect>,
    /// The newest of the changes before it in this list that its writer did not know of, as `REPLICA:COUNTER`; of
    /// more than 32 the 32 that came last.
    pub concurrent_with: Vec<String>,
    /// The changes that it brought together, where it builds on several that did not know of each other.
    pub joins: Vec<String>,
    /// Whether it undid an edit of this store, or redid one.
    pub turn: Option<Turn>,
    /// Why it is not part of the record, or cannot be read.
    pub note: Option<String>,
    /// Hashes of the changes it builds on.
    pub deps: Vec<String>,
}

/// What a change did to an edit of this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// It undid one.
    Undo,
    /// It redid one.
    Redo,
}

/// Most changes that one is said to be concurrent with: where many replicas write one record without hearing of each
/// other each would name all others.
const CONCURRENT_MAX: usize = 32;

impl Reader {
    /// The newest changes of a record, at most so many, oldest first.
    pub fn history(&self, model: &str, id: &str, limit: u64) -> Result<Vec<HistoryEntry>> {
        self.reading(|reading| reading.history(model, id, limit))
    }

    /// The newest changes of a field of a record, at most so many, oldest first: those that did something to it, and of
    /// what they did that alone. The field is a name, or a path into an embedded value.
    pub fn field_history(&self, model: &str, id: &str, field: &str, limit: u64) -> Result<Vec<HistoryEntry>> {
        self.reading(|reading| reading.field_history(model, id, field, limit))
    }

    /// The newest changes of all records, at most so many, oldest first.
    pub fn recent(&self, limit: u64) -> Result<Vec<HistoryEntry>> {
        self.reading(|reading| reading.recent(limit))
    }

    /// The record as it was; `None` if it was not there then.
    pub fn record_at(&self, model: &str, id: &str, at: &At) -> Result<Option<Map<String, Value>>> {
        self.reading(|reading| reading.record_at(model, id, at))
    }
}

impl Reading<'_> {
    fn history(&self, model: &str, id: &str, limit: u64) -> Result<Vec<HistoryEntry>> {
        let found = self.find(model, id)?;
        let past = Past::read_what_can_be(self.db, found.row.last)?;
        let skipped = past.entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        let wanted = past.entries[skipped..].iter().map(|entry| entry.seq).collect();
        self.tell(&found, &past, &wanted, None)
    }

    fn field_history(&self, model: &str, id: &str, field: &str, limit: u64) -> Result<Vec<HistoryEntry>> {
        record::checked_field(self.schema, self.model(model)?, field)?;
        let found = self.find(model, id)?;
        let past = Past::read_what_can_be(self.db, found.row.last)?;
        let all = past.entries.iter().map(|entry| entry.seq).collect();
        let mut entries = self.tell(&found, &past, &all, Some(field))?;
        entries.retain(|entry| !entry.did.is_empty());
        let skipped = entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries.split_off(skipped))
    }

    fn recent(&self, limit: u64) -> Result<Vec<HistoryEntry>> {
        let mut wanted: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        for (seq, record) in log::newest(self.db, limit)? {
            wanted.entry(record).or_default().insert(seq);
        }
        let mut all = Vec::new();
        for (record, wanted) in wanted {
            // Records of models that this schema lacks cannot be told, nor damaged ones.
            let Some(found) = self.readable_at(record)? else { continue };
            let past = Past::read_what_can_be(self.db, found.row.last)?;
            all.extend(self.tell(&found, &past, &wanted, None)?);
        }
        all.sort_by_key(|entry| entry.seq);
        Ok(all)
    }

    /// These rows of a record's past, and what they did to it, or to this field alone.
    fn tell(
        &self,
        found: &Found<'_>,
        past: &Past,
        wanted: &BTreeSet<u64>,
        only: Option<&str>,
    ) -> Result<Vec<HistoryEntry>> {
        let lineage = past.lineage()?;
        let document = match record::needs_document(found.model) {
            true => Past::document(&past.changes).ok(),
            false => None,
        };
        let changes = past.changes.iter().map(|change| (change.hash(), change)).collect();
        let id = found.id(self.schema);
        let mut teller = Teller { reading: *self, found, past, lineage, document, changes, id, only, tips: Vec::new() };
        let turned = turns::of(self.db, wanted.iter().copied())?;
        let mut entries = Vec::new();
        for entry in &past.entries {
            // The tips follow every row, wanted or not.
            let beside = teller.beside(entry);
            if wanted.contains(&entry.seq) {
                let beside = &beside[beside.len().saturating_sub(CONCURRENT_MAX)..];
                let concurrent_with = beside.iter().map(|tip| teller.name(tip)).collect();
                let turn = turned.get(&entry.seq).map(|turned| if turned.undone { Turn::Undo } else { Turn::Redo });
                entries.push(HistoryEntry { concurrent_with, turn, ..teller.tell(entry)? });
            }
        }
        Ok(entries)
    }

    fn record_at(&self, model: &str, id: &str, at: &At) -> Result<Option<Map<String, Value>>> {
        let found = self.find(model, id)?;
        let past = Past::read(self.db, found.row.last, Vec::new())?;
        let wanted = self.wanted_at(&past, at)?;
        let then = closed(&past.changes, &wanted);
        let mut state = RecordState::default();
        then.iter().for_each(|change| state.apply(change));
        let document = match record::needs_document(found.model) {
            true => Some(Past::document(then)?),
            false => None,
        };
        let (schema, model, record) = (self.schema, found.model, found.row.id);
        Ok(RecordView { schema, model, record, state: &state, document: document.as_ref() }.project())
    }

    /// Which changes had been made at a moment; whether what they build on was, is looked at elsewhere.
    fn wanted_at(&self, past: &Past, at: &At) -> Result<BTreeSet<ChangeHash>> {
        match at {
            At::Time(ms) => Ok(made_by(past, *ms)),
            At::Token(token) => {
                self.check_held(token)?;
                let version = token.version();
                // A change that several brought is named by each of their dots.
                let brought =
                    past.entries.iter().filter(|entry| entry.kind.in_record() || entry.kind == Kind::Repeated);
                let named = brought.filter(|entry| past.dot(entry).is_none_or(|dot| version.contains(dot)));
                let named: Vec<ChangeHash> = named.map(|entry| entry.hash).collect();
                Ok(past.lineage()?.closure(&named).into_iter().collect())
            }
            At::Change(name) => Ok(past.lineage()?.closure(&[named(past, name)?]).into_iter().collect()),
        }
    }

    /// A token says what a record was only where everything that it names is held.
    fn check_held(&self, token: &Token) -> Result<()> {
        let namespace: String = meta::read(self.db, meta::key::NAMESPACE)?.unwrap_or_default();
        let unknown = |why: String| Err(StoreError::UnknownMoment(why));
        if !token.is_of(&namespace) {
            return unknown(format!("the token is of another namespace than this store's, `{namespace}`"));
        }
        for (replica, entry) in token.entries() {
            let Some(held) = names::replica(self.db, replica)?.filter(|held| held.counter >= entry.counter) else {
                return unknown(format!(
                    "this store does not hold everything that the token names: changes of {replica} are missing; \
                     sync, or wait for the token, and ask again"
                ));
            };
            let chain = log::replica_chain_at(self.db, held.row, held.tip, entry.counter)?;
            if held.forked || chain != Some(entry.chain) {
                return unknown(format!(
                    "two histories were found under replica {replica}, so its positions name nothing; ask for a \
                     time, or for a change by its hash"
                ));
            }
        }
        Ok(())
    }
}

/// The changes whose writers' clocks showed this time or an earlier one.
fn made_by(past: &Past, ms: i64) -> BTreeSet<ChangeHash> {
    let timed = past.changes.iter().filter(|change| !is_initial_content(change) && change.time() <= ms);
    let began: BTreeSet<i64> = timed.filter_map(|change| past.entry(&change.hash())).map(|row| row.replica).collect();
    let brought: BTreeSet<ChangeHash> =
        past.entries.iter().filter(|entry| began.contains(&entry.replica)).map(|entry| entry.hash).collect();
    let made = past.changes.iter().filter(|change| match past.entry(&change.hash()) {
        // It has no time: it was there with the first that its writer did besides.
        Some(_) if is_initial_content(change) => brought.contains(&change.hash()),
        Some(_) => change.time() <= ms,
        // Genesis was there before everything.
        None => true,
    });
    made.map(Change::hash).collect()
}

/// Whether a change is the initial text or list of a record with a custom key.
fn is_initial_content(change: &Change) -> bool {
    change.time() == 0 && change.ops().iter().all(|op| op.obj != ObjectId::Root)
}

/// The change of that name.
fn named(past: &Past, name: &ChangeName) -> Result<ChangeHash> {
    let matches = |entry: &&Entry| match name {
        ChangeName::Dot { replica, counter } => past
            .dot(entry)
            .is_some_and(|dot| dot.counter == *counter && dot.replica.to_string().starts_with(replica.as_str())),
        ChangeName::Hash(digits) => entry.hash.to_string().starts_with(digits.as_str()),
    };
    let found: BTreeSet<ChangeHash> =
        past.entries.iter().filter(matches).map(|entry| entry.hash).filter(|hash| past.entry(hash).is_some()).collect();
    let shown = match name {
        ChangeName::Dot { replica, counter } => format!("{replica}:{counter}"),
        ChangeName::Hash(digits) => digits.clone(),
    };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(hash), None) => Ok(hash),
        (None, _) => Err(StoreError::UnknownMoment(format!(
            "the record has no change {shown}; `syncline history` names those it has"
        ))),
        (Some(_), Some(_)) => {
            Err(StoreError::UnknownMoment(format!("several changes of the record begin with {shown}: give more of it")))
        }
    }
}

/// Tells the rows of one record.
struct Teller<'a> {
    reading: Reading<'a>,
    found: &'a Found<'a>,
    past: &'a Past,
    lineage: Lineage,
    document: Option<Document>,
    changes: BTreeMap<ChangeHash, &'a Change>,
    id: String,
    only: Option<&'a str>,
    /// Changes told so far on which no other told one builds.
    tips: Vec<ChangeHash>,
}

impl Teller<'_> {
    /// Which of the tips the writer of this row did not know of.
    fn beside(&mut self, entry: &Entry) -> Vec<ChangeHash> {
        let hash = entry.hash;
        if !entry.kind.in_record() || !self.changes.contains_key(&hash) {
            return Vec::new();
        }
        let lineage = &self.lineage;
        self.tips.retain(|tip| !lineage.is_ancestor(tip, &hash));
        // What waited for others stands in the log before what it builds on.
        let beside: Vec<ChangeHash> =
            self.tips.iter().filter(|tip| !lineage.is_ancestor(&hash, tip)).copied().collect();
        if beside.len() == self.tips.len() {
            self.tips.push(hash);
        }
        beside
    }

    fn tell(&mut self, entry: &Entry) -> Result<HistoryEntry> {
        let change = self.changes.get(&entry.hash).copied().filter(|_| entry.kind.in_record());
        let author = self.past.author(entry);
        Ok(HistoryEntry {
            seq: entry.seq,
            model: self.found.model.name.clone(),
            id: self.id.clone(),
            replica: author.map(|author| author.id.to_string()).unwrap_or_default(),
            counter: entry.counter,
            mine: self.past.is_mine(entry),
            hash: entry.hash.to_string(),
            time_ms: change.map_or_else(|| time_of(entry), Change::time),
            kind: kind_name(entry.kind),
            did: change.map(|change| self.effects(change)).unwrap_or_default(),
            concurrent_with: Vec::new(),
            joins: change.map(|change| self.joins(change)).unwrap_or_default(),
            turn: None,
            note: self.note(entry, change.is_some())?,
            deps: change.iter().flat_map(|change| change.deps()).map(ToString::to_string).collect(),
        })
    }

    fn effects(&mut self, change: &Change) -> Vec<ChangeEffect> {
        let Some(state) = self.lineage.fold(change.deps()) else { return Vec::new() };
        let (schema, model, record) = (self.reading.schema, self.found.model, self.found.row.id);
        RecordView { schema, model, record, state, document: self.document.as_ref() }.effects(change, self.only)
    }

    /// What a change builds on directly, genesis and what the rest builds on left out.
    fn joins(&self, change: &Change) -> Vec<String> {
        let own = |dep: &&ChangeHash| self.past.entry(dep).is_some();
        let is_newest = |dep: &&ChangeHash| !change.deps().iter().any(|other| self.lineage.is_ancestor(dep, other));
        let joined: Vec<String> =
            change.deps().iter().filter(own).filter(is_newest).map(|dep| self.name(dep)).collect();
        if joined.len() > 1 { joined } else { Vec::new() }
    }

    fn note(&self, entry: &Entry, is_told: bool) -> Result<Option<String>> {
        match entry.kind {
            Kind::Quarantined => records::reason(self.reading.db, entry.seq),
            Kind::Pending => Ok(Some("it waits for changes that it builds on".to_owned())),
            Kind::Applied | Kind::Local if !is_told => {
                Ok(Some("it cannot be read: its row, or one that it builds on, is damaged".to_owned()))
            }
            Kind::Applied | Kind::Local | Kind::Repeated => Ok(None),
        }
    }

    fn name(&self, hash: &ChangeHash) -> String {
        let dot = self.past.entry(hash).and_then(|entry| self.past.dot(entry));
        dot.map_or_else(|| hash.to_string(), |Dot { replica, counter }| format!("{replica}:{counter}"))
    }
}

fn time_of(entry: &Entry) -> i64 {
    crate::history::change_of(entry).map_or(0, |change| change.time())
}
