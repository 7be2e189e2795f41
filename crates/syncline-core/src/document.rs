//! A record as a real Automerge document: for texts and lists, and for whoever wants the document.
//!
//! It is a tool of the moment, rebuilt from the log or a snapshot when needed. The record's root
//! keys are never read from it: rule G keeps them ([`crate::state`]).
//!
//! Automerge panics on some hostile changes, which leaves a document half changed. So whatever
//! comes from outside goes to a clone ([`Document::try_apply`]), and whatever fails is thrown
//! away. Positions in texts are code points. No operation's bytes come from the system's
//! randomness: the writer is always given.

mod cursors;
mod diff;
mod edit;
mod json;
mod marks;
mod sandbox;
mod texts;
mod then;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{
    ActorId, Automerge, AutomergeError, ChangeHash, LoadOptions, ObjId, ObjType, ROOT, ReadDoc, TextEncoding,
};

use crate::change::Change;
use crate::edit::ObjectKind;
use crate::mutant::{self, Mutant};
use crate::rich::{MarkCount, SPANS_BYTES_MAX, Span, SpansTooLarge, names_of};
use texts::Texts;
pub(crate) use then::RUNS_MAX;
use then::newest;

pub(crate) use diff::{sequence as sequence_edits, text as text_edits};
pub use edit::{Edited, SPLIT_OPS};
pub(crate) use json::{
    canonical as canonical_json, scalar as json_scalar, scalar_to_json as scalar_json, sorted as json_sorted,
};
pub use sandbox::{Budget, Rejected, Sandboxed};

/// Writes nothing: reading and merging need no writer.
const READER: [u8; 1] = [0];

/// One record's document.
#[derive(Clone, Debug)]
pub struct Document {
    doc: Automerge,
    /// Equal to what the document holds at these keys.
    texts: Texts,
    /// The marks of its history; none as long as nobody asked.
    marks: Option<MarkCount>,
}

/// Why held changes or a snapshot make no document: what is on disk is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedHistory {
    /// Changes that others build on are not among them.
    #[error("{} changes that others build on are missing", .0.len())]
    Missing(Vec<ChangeHash>),
    /// Automerge refuses the changes or the snapshot.
    #[error("the document cannot be rebuilt: {0}")]
    Refused(String),
    /// Automerge panicked on them.
    #[error("the document cannot be rebuilt: Automerge failed on it")]
    Panicked,
    /// The document holds other changes after saving and loading it.
    #[error("the document does not survive being saved and loaded")]
    Unfaithful,
}

impl From<AutomergeError> for DamagedHistory {
    fn from(error: AutomergeError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Default for Document {
    fn default() -> Self {
        let bytes = mutant::is_planted(Mutant::PositionsInBytes);
        let unit = if bytes { TextEncoding::Utf8CodeUnit } else { TextEncoding::UnicodeCodePoint };
        let doc = Automerge::new_with_encoding(unit);
        Self { doc: doc.with_actor(ActorId::from(READER)), texts: Texts::default(), marks: None }
    }
}

impl Document {
    /// The document of a record's accepted changes, genesis included, in any order.
    pub fn rebuild<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Result<Self, DamagedHistory> {
        let mut document = Self::default();
        document.apply_accepted(changes)?;
        Ok(document)
    }

    /// Adds accepted changes, a newer part of the log for instance. On an error the document is
    /// empty, to be rebuilt: a copy to return to would cost as much as the document is large.
    pub fn apply_accepted<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) -> Result<(), DamagedHistory> {
        let changes: Vec<_> = changes.into_iter().collect();
        self.texts.clear();
        self.follow_marks(&changes);
        let changes: Vec<_> = changes.into_iter().map(|change| change.as_automerge().clone()).collect();
        let outcome = guarded(|| Ok(self.doc.apply_changes(changes)?)).and_then(|()| self.nothing_missing());
        if outcome.is_err() {
            *self = Self::default();
        }
        outcome
    }

    fn nothing_missing(&self) -> Result<(), DamagedHistory> {
        match self.doc.get_missing_deps(&[]) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(DamagedHistory::Missing(missing)),
        }
    }

    /// Adds a change that was built here, without the document.
    pub fn apply_own(&mut self, change: &Change) -> Result<(), DamagedHistory> {
        self.apply_accepted([change])
    }

    /// Reads one of our own snapshots. Not for bytes from peers.
    pub fn load(snapshot: &[u8]) -> Result<Self, DamagedHistory> {
        guarded(|| {
            let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
            let doc = Automerge::load_with_options(snapshot, options)?.with_actor(ActorId::from(READER));
            let document = Self { doc, texts: Texts::default(), marks: None };
            document.nothing_missing().map(|()| document)
        })
    }

    /// A snapshot for [`load`](Self::load), uncompressed, loaded once to prove that it can be.
    pub fn save(&self) -> Result<Vec<u8>, DamagedHistory> {
        let bytes = guarded(|| Ok(self.doc.save_nocompress()))?;
        let loaded = Self::load(&bytes)?;
        if loaded.heads() == self.heads() { Ok(bytes) } else { Err(DamagedHistory::Unfaithful) }
    }

    /// The document as a file that any Automerge loads.
    pub fn export(&self) -> Vec<u8> {
        self.doc.save()
    }

    /// Newest changes, ascending.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.doc.get_heads()
    }

    /// How many operations the document holds, those without effect included.
    pub fn op_count(&self) -> u64 {
        self.doc.stats().num_ops
    }

    /// The text at a key.
    pub fn text(&self, key: &str) -> Option<String> {
        if let Some(text) = self.texts.get(key) {
            return Some(text.to_owned());
        }
        let text = self.object(key, ObjType::Text)?;
        self.doc.text(text).ok()
    }

    /// The text's length in code points.
    pub fn text_len(&self, key: &str) -> Option<usize> {
        let text = self.object(key, ObjType::Text)?;
        Some(self.doc.length(text))
    }

    /// The text at a key with its marks; neighbouring spans differ in them.
    pub fn spans(&self, key: &str) -> Result<Option<Vec<Span>>, SpansTooLarge> {
        let Some(text) = self.object(key, ObjType::Text) else { return Ok(None) };
        marks::spans(&self.doc, &text, SPANS_BYTES_MAX).map(Some)
    }

    /// Counts the marks of changes that are about to come, if they are counted.
    fn follow_marks(&mut self, changes: &[&Change]) {
        let Some(mut count) = self.marks.take() else { return };
        let mut counted = BTreeSet::new();
        for change in changes.iter().filter(|change| names_of(change).next().is_some()) {
            if !self.has(&change.hash()) && counted.insert(change.hash()) {
                count.add(change);
            }
        }
        self.marks = Some(count);
    }

    /// The marks of all its history.
    fn marks(&mut self) -> &mut MarkCount {
        let doc = &self.doc;
        self.marks.get_or_insert_with(|| {
            let mut count = MarkCount::default();
            doc.get_changes(&[]).into_iter().for_each(|change| count.add(&Change::from_automerge(change)));
            count
        })
    }

    /// The list's elements: strings, numbers, booleans, null, and objects for embedded types.
    pub fn list(&self, key: &str) -> Option<Vec<serde_json::Value>> {
        let list = self.object(key, ObjType::List)?;
        Some(json::elements(&self.doc, &list))
    }

    /// Whether the object at a key has no content; true if there is none.
    pub fn object_is_empty(&self, key: &str) -> bool {
        match newest_object(&self.doc, key) {
            Some((_, object)) => self.doc.length(object) == 0,
            None => true,
        }
    }

    /// The type of the object at a key.
    pub fn object_kind(&self, key: &str) -> Option<ObjectKind> {
        match newest_object(&self.doc, key)?.0 {
            ObjType::Text => Some(ObjectKind::Text),
            ObjType::List => Some(ObjectKind::List),
            ObjType::Map | ObjType::Table => None,
        }
    }

    /// As Automerge has it.
    pub fn as_automerge(&self) -> &Automerge {
        &self.doc
    }

    fn object(&self, key: &str, kind: ObjType) -> Option<ObjId> {
        let (found, object) = newest_object(&self.doc, key)?;
        (found == kind).then_some(object)
    }
}

/// The object to show at a root key: the newest, whatever else stands there.
fn newest_object(doc: &impl ReadDoc, key: &str) -> Option<(ObjType, ObjId)> {
    newest(doc.get_all(ROOT, key).ok()?)
}

/// Orders operations as Automerge does.
fn name(id: &ObjId) -> (u64, &[u8]) {
    match id {
        ObjId::Root => (0, &[]),
        ObjId::Id(counter, actor, _) => (*counter, actor.to_bytes()),
    }
}

/// Runs Automerge over bytes that may make it panic; what it was changing must be thrown away.
fn guarded<T>(run: impl FnOnce() -> Result<T, DamagedHistory>) -> Result<T, DamagedHistory> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(DamagedHistory::Panicked))
}
