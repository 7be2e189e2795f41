//! A record's whole past: its rows of the log, and the changes in them.

use std::collections::BTreeMap;
use std::collections::btree_map;

use automerge::ChangeHash;
use rusqlite::Connection;
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::ids::Dot;
use syncline_core::lineage::Lineage;

use crate::error::{Result, StoreError};
use crate::history;
use crate::storage::log::{self, Entry};
use crate::storage::names::{self, Replica};

/// A record's past, as far as it can be read.
pub(crate) struct Past {
    /// Every row, in the order of the log.
    pub(crate) entries: Vec<Entry>,
    /// The changes that are part of the record, each after what it depends on, genesis among them.
    pub(crate) changes: Vec<Change>,
    by_hash: BTreeMap<ChangeHash, usize>,
    authors: BTreeMap<i64, Option<Replica>>,
}

impl Past {
    /// Of the record whose newest row is `last`, followed by rows that are not written yet, oldest first.
    pub(crate) fn read(db: &Connection, last: u64, unwritten: Vec<Entry>) -> Result<Self> {
        let mut entries = log::of_record_after(db, last, 0)?;
        entries.reverse();
        entries.extend(unwritten);
        let changes = history::parse_all(db, entries.iter().filter(|entry| entry.kind.in_record()))?;
        Self::new(db, entries, changes)
    }

    /// As [`read`](Self::read), without the changes that are damaged and those that build on them.
    pub(crate) fn read_what_can_be(db: &Connection, last: u64) -> Result<Self> {
        let mut entries = log::of_record_after(db, last, 0)?;
        entries.reverse();
        let good = entries.iter().filter(|entry| entry.kind.in_record() && history::change_of(entry).is_ok());
        let mut whole = Lineage::default();
        let mut changes = history::parse_all(db, good)?;
        changes.retain(|change| whole.insert(change).is_ok());
        Self::new(db, entries, changes)
    }

    fn new(db: &Connection, entries: Vec<Entry>, changes: Vec<Change>) -> Result<Self> {
        let in_record = entries.iter().enumerate().filter(|(_, entry)| entry.kind.in_record());
        let by_hash = in_record.map(|(at, entry)| (entry.hash, at)).collect();
        let mut authors = BTreeMap::new();
        for entry in &entries {
            if let btree_map::Entry::Vacant(author) = authors.entry(entry.replica) {
                author.insert(names::replica_at(db, entry.replica)?);
            }
        }
        Ok(Self { entries, changes, by_hash, authors })
    }

    /// The row of a change; `None` for genesis.
    pub(crate) fn entry(&self, hash: &ChangeHash) -> Option<&Entry> {
        self.by_hash.get(hash).map(|at| &self.entries[*at])
    }

    /// Who wrote a row; `None` for a change of a `@local` model.
    pub(crate) fn author(&self, entry: &Entry) -> Option<&Replica> {
        self.authors.get(&entry.replica)?.as_ref()
    }

    /// The dot of a row; `None` for a change of a `@local` model.
    pub(crate) fn dot(&self, entry: &Entry) -> Option<Dot> {
        Some(Dot { replica: self.author(entry)?.id, counter: entry.counter })
    }

    /// Whether this store wrote a row. What is `@local` never came from elsewhere.
    pub(crate) fn is_mine(&self, entry: &Entry) -> bool {
        entry.kind == log::Kind::Local || self.author(entry).is_some_and(|author| author.mine)
    }

    /// Who knew of what.
    pub(crate) fn lineage(&self) -> Result<Lineage> {
        Lineage::of(&self.changes).map_err(|missing| damaged(&missing))
    }

    /// The record's document, of these changes.
    pub(crate) fn document<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Result<Document> {
        Document::rebuild(changes).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}

/// A record's log lacks changes that others build on.
pub(crate) fn damaged(missing: &[ChangeHash]) -> StoreError {
    let missing = missing.first().map(ToString::to_string).unwrap_or_default();
    StoreError::Damaged(format!("a change builds on {missing}, which the log lacks"))
}
