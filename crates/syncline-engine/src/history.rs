//! A record's changes, read back from the log: checked against their hashes, genesis put in where they need it.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, ChangeHash};
use rusqlite::Connection;
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::edit::ObjectKind;
use syncline_core::genesis::Genesis;
use syncline_core::state::RecordState;

use crate::commit::{ChangeKind, Origin, RecordChange};
use crate::documents::{DOCUMENT_BYTES, Live};
use crate::error::{Result, StoreError};
use crate::storage::log::{self, Entry};
use crate::storage::records::{self, GenesisRow};
use crate::store::Store;

/// The change in a row, checked against the row's hash.
pub(crate) fn change_of(entry: &Entry) -> Result<Change> {
    check(entry)?;
    Change::parse(&entry.bytes)
        .map_err(|bad| StoreError::DamagedRow { seq: entry.seq, reason: format!("it holds no change: {bad}") })
}

/// Whether a row's bytes are those that were written.
pub(crate) fn check(entry: &Entry) -> Result<()> {
    if syncline_core::wire::change_hash(&entry.bytes) == Some(entry.hash.0) {
        return Ok(());
    }
    Err(StoreError::DamagedRow { seq: entry.seq, reason: "its bytes do not match its hash".to_owned() })
}

/// Changes of a record from row `last` back to row `after`, exclusive, oldest first, those that are part of
/// it. Genesis stand before the first change that needs them.
pub(crate) fn changes(db: &Connection, last: u64, after: u64) -> Result<Vec<Change>> {
    let mut entries = log::of_record_after(db, last, after)?;
    entries.reverse();
    parse_all(db, entries.iter().filter(|entry| entry.kind.in_record()))
}

/// The changes in these rows, each after what it depends on, genesis put in.
pub(crate) fn parse_all<'e>(db: &Connection, entries: impl Iterator<Item = &'e Entry>) -> Result<Vec<Change>> {
    let mut all = Vec::new();
    let mut seen: BTreeSet<ChangeHash> = BTreeSet::new();
    for entry in entries {
        let change = change_of(entry)?;
        for dep in change.deps() {
            if seen.insert(*dep)
                && let Some(genesis) = genesis(db, dep)?
            {
                all.push(genesis);
            }
        }
        seen.insert(change.hash());
        all.push(change);
    }
    // Changes that waited for others stand in the log before what they depend on.
    Ok(in_causal_order(all))
}

/// The genesis of that hash, if it is one.
pub(crate) fn genesis(db: &Connection, hash: &ChangeHash) -> Result<Option<Change>> {
    records::genesis(db, hash)?.map(|row| genesis_of_row(&row).map(|genesis| genesis.change())).transpose()
}

/// A row of the genesis table as a genesis.
pub(crate) fn genesis_of_row((model, key, kind): &GenesisRow) -> Result<Genesis> {
    let kind = match kind {
        0 => ObjectKind::Text,
        1 => ObjectKind::List,
        other => return Err(StoreError::Damaged(format!("a genesis makes an object of kind {other}"))),
    };
    Ok(Genesis { model: model.clone(), key: key.clone(), kind })
}

fn in_causal_order(changes: Vec<Change>) -> Vec<Change> {
    let hashes: BTreeSet<ChangeHash> = changes.iter().map(Change::hash).collect();
    let mut done: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(changes.len());
    let mut waiting: BTreeMap<ChangeHash, Vec<Change>> = BTreeMap::new();
    for change in changes {
        let mut ready = vec![change];
        while let Some(change) = ready.pop() {
            let missing = change.deps().iter().find(|dep| hashes.contains(dep) && !done.contains(dep));
            if let Some(missing) = missing {
                waiting.entry(*missing).or_default().push(change);
                continue;
            }
            done.insert(change.hash());
            ready.extend(waiting.remove(&change.hash()).unwrap_or_default());
            ordered.push(change);
        }
    }
    ordered
}

/// A record's state, folded from the log.
pub(crate) fn fold(db: &Connection, last: u64) -> Result<RecordState> {
    let mut state = RecordState::default();
    for change in changes(db, last, 0)? {
        state.apply(&change);
    }
    Ok(state)
}

/// A record's document: from its snapshot where there is one, then from the log. `tail` are rows not written yet;
/// `heads` are what the document must come to.
pub(crate) fn document<'e>(
    db: &Connection,
    record: i64,
    last: u64,
    tail: impl Iterator<Item = &'e Entry>,
    heads: &[ChangeHash],
) -> Result<Live> {
    let tail: Vec<&Entry> = tail.collect();
    let stored_last = tail.first().map_or(last, |entry| entry.prev);
    let unwritten = parse_all(db, tail.into_iter().filter(|entry| entry.kind.in_record()))?;
    // A snapshot is a shortcut that may be damaged; whether it led to the right place is plain to see.
    if let Some(live) = from_snapshot(db, record, stored_last, &unwritten)?
        && live.document.heads() == heads
    {
        return Ok(live);
    }
    let mut all = changes(db, stored_last, 0)?;
    all.extend(unwritten);
    let document = Document::rebuild(&all).map_err(|error| StoreError::Damaged(error.to_string()))?;
    if document.heads() != heads {
        return Err(StoreError::Damaged("a record's rows of the log do not lead to its state".to_owned()));
    }
    Ok(Live { document, changes: all.len(), tail: all.len(), bytes: DOCUMENT_BYTES })
}

fn from_snapshot(db: &Connection, record: i64, last: u64, unwritten: &[Change]) -> Result<Option<Live>> {
    let Some((upto, bytes)) = records::snapshot(db, record)? else { return Ok(None) };
    let Ok(mut document) = Document::load(&bytes) else {
        tracing::warn!(record, "a snapshot cannot be loaded; the record is rebuilt from the log");
        return Ok(None);
    };
    let mut tail = changes(db, last, upto)?;
    tail.extend_from_slice(unwritten);
    if document.apply_accepted(&tail).is_err() {
        return Ok(None);
    }
    let changes = automerge::ReadDoc::stats(document.as_automerge()).num_changes as usize;
    Ok(Some(Live { document, changes, tail: tail.len(), bytes: DOCUMENT_BYTES }))
}

/// Hash of an actor's newest change of a record, walking back from row `last`.
pub(crate) fn last_of_actor(db: &Connection, last: u64, actor: &ActorId) -> Result<Option<ChangeHash>> {
    let mut next = last;
    while next != 0 {
        let Some(entry) = log::read(db, next)? else { break };
        if entry.kind.in_record() {
            let change = change_of(&entry)?;
            if change.actor() == actor {
                return Ok(Some(change.hash()));
            }
        }
        next = entry.prev;
    }
    Ok(None)
}

/// The records that rows after `after` touched, each once, as they stand now.
pub(crate) fn changed_since(store: &Store, after: u64, origin: Origin) -> Result<Vec<RecordChange>> {
    let mut touched: BTreeMap<i64, bool> = BTreeMap::new();
    log::scan(&store.db, after, |entry| {
        if entry.kind.in_record() {
            let first = entry.prev == 0;
            touched.entry(entry.record).and_modify(|new| *new |= first).or_insert(first);
        }
        Ok(true)
    })?;
    let mut changed = Vec::new();
    for (row, new) in touched {
        let Some(record) = records::at(&store.db, row)? else { continue };
        let named = store.names.model_name(record.model);
        let Some(model) = named.and_then(|name| store.schema()?.model_known_as(name)) else { continue };
        let model = &*model.name;
        let sql =
            format!("SELECT EXISTS(SELECT 1 FROM {} WHERE syncline_record = ?1)", crate::projection::quoted(model));
        let alive: bool = store
            .db
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([row], |row| row.get(0)))
            .map_err(|source| StoreError::sqlite("reading a model's table", source))?;
        let kind = match (alive, new) {
            (true, true) => ChangeKind::Inserted,
            (true, false) => ChangeKind::Updated,
            (false, _) => ChangeKind::Deleted,
        };
        changed.push(RecordChange { model: model.to_owned(), record: record.id, row, kind, origin, conflicts: true });
    }
    Ok(changed)
}
