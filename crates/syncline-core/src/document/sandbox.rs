//! Changes from outside, applied to a clone and proven by a save and a load.
//!
//! Typing is not proven: what it does inside objects, inserting single characters and deleting elements, has so few
//! degrees of freedom that the guard judges them all, and the proof costs several times as much as the merge. The
//! tests of the guard prove every accepted mutant of it; `docs/protocol.md` has the numbers.

use std::collections::BTreeSet;

use automerge::ChangeHash;

use super::{DamagedHistory, Document, guarded};
use crate::change::Change;

/// How big a document may become through changes from outside. The one verdict that depends on
/// what else has arrived, so it must lie far beyond honest use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Operations in the document.
    pub ops: u64,
    /// Bytes of its snapshot.
    pub bytes: usize,
}

impl Default for Budget {
    /// 50 million operations, 512 MiB.
    fn default() -> Self {
        Self { ops: 50_000_000, bytes: 512 << 20 }
    }
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Sandboxed {
    /// The document with the changes that held.
    pub document: Document,
    /// Positions in the batch of those that did not, ascending, and why.
    pub rejected: Vec<(usize, Rejected)>,
}

/// Why the document does not take a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// What it builds on is not here, or was rejected itself.
    #[error("the change waits for {} others", .0.len())]
    MissingDeps(Vec<ChangeHash>),
    /// Automerge refuses it, panics on it, or saves a document that does not load.
    #[error(transparent)]
    Breaks(#[from] DamagedHistory),
    /// The document would exceed its [`Budget`].
    #[error("the document would have {ops} operations and {bytes} bytes, over its budget")]
    OverBudget {
        /// Operations with the change.
        ops: u64,
        /// Bytes with the change; 0 where the operations alone are too many.
        bytes: usize,
    },
}

impl Document {
    /// Merges changes that the guard accepted, and only those, each after what it builds on. Batches pay: every
    /// call costs as much as the texts it touches are long. One bad change blocks no others: a
    /// batch that fails is halved until the bad ones are found.
    pub fn try_apply(&self, batch: &[&Change], budget: &Budget) -> Sandboxed {
        match self.attempt(batch, budget) {
            Ok(document) => Sandboxed { document, rejected: Vec::new() },
            Err(reason) => {
                let mut result = Sandboxed { document: self.clone(), rejected: Vec::new() };
                result.settle(0, batch, reason, budget);
                result
            }
        }
    }

    /// All of the batch on a clone, or the first reason against it.
    fn attempt(&self, batch: &[&Change], budget: &Budget) -> Result<Self, Rejected> {
        let expected = self.expect_heads(batch)?;
        let document = guarded(|| {
            let mut document = self.clone();
            document.follow_marks(batch);
            let changes: Vec<_> = batch.iter().map(|change| change.as_automerge().clone()).collect();
            document.doc.apply_changes(changes)?;
            document.texts.clear();
            Ok(document)
        })?;
        let ops = document.op_count();
        if ops > budget.ops {
            return Err(Rejected::OverBudget { ops, bytes: 0 });
        }
        if document.heads() != expected {
            return Err(DamagedHistory::Unfaithful.into());
        }
        if !batch.iter().all(|change| change.is_typing()) {
            document.prove(budget)?;
        }
        Ok(document)
    }

    /// That the document can be saved and loaded.
    fn prove(&self, budget: &Budget) -> Result<(), Rejected> {
        let bytes = guarded(|| Ok(self.doc.save_nocompress()))?;
        let ops = self.op_count();
        if bytes.len() > budget.bytes {
            return Err(Rejected::OverBudget { ops, bytes: bytes.len() });
        }
        let loaded = Self::load(&bytes)?;
        let faithful = loaded.heads() == self.heads() && loaded.op_count() == ops;
        if faithful { Ok(()) } else { Err(DamagedHistory::Unfaithful.into()) }
    }

    /// The heads after the batch, if everything it builds on is here.
    fn expect_heads(&self, batch: &[&Change]) -> Result<Vec<ChangeHash>, Rejected> {
        let mut heads: BTreeSet<_> = self.heads().into_iter().collect();
        let mut arrived = BTreeSet::new();
        for change in batch {
            let here = |dep: &ChangeHash| arrived.contains(dep) || self.has(dep);
            let missing: Vec<_> = change.deps().iter().filter(|dep| !here(dep)).copied().collect();
            if !missing.is_empty() {
                return Err(Rejected::MissingDeps(missing));
            }
            if arrived.insert(change.hash()) && !self.has(&change.hash()) {
                change.deps().iter().for_each(|dep| {
                    heads.remove(dep);
                });
                heads.insert(change.hash());
            }
        }
        Ok(heads.into_iter().collect())
    }

    pub(super) fn has(&self, hash: &ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(hash).is_some()
    }
}

impl Sandboxed {
    /// Halves a batch that failed as a whole, for this reason.
    fn settle(&mut self, offset: usize, batch: &[&Change], reason: Rejected, budget: &Budget) {
        match batch {
            [] => return,
            [_] => return self.rejected.push((offset, reason)),
            [_, _, ..] => {}
        }
        let (first, second) = batch.split_at(batch.len() / 2);
        for (offset, half) in [(offset, first), (offset + first.len(), second)] {
            match self.document.attempt(half, budget) {
                Ok(document) => self.document = document,
                Err(reason) => self.settle(offset, half, reason, budget),
            }
        }
    }
}
