//! Live documents of records with texts or lists: kept while they are edited, rebuilt from the log otherwise.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ActorId;
use syncline_core::document::Document;
use syncline_core::lineage::Lineage;

/// A document and how long a tail of changes its snapshot lacks.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The document; its heads are those of the record's state.
    pub(crate) document: Document,
    /// Changes in all.
    pub(crate) changes: usize,
    /// Changes since the snapshot in the file.
    pub(crate) tail: usize,
    /// Estimate of the memory it takes.
    pub(crate) bytes: usize,
}

/// A cache bounded by bytes; the documents used longest ago go first.
#[derive(Debug)]
pub(crate) struct Documents {
    bytes_max: usize,
    live: BTreeMap<i64, (u64, Live)>,
    used: BTreeMap<u64, i64>,
    clock: u64,
    bytes: usize,
    lineages: BTreeMap<i64, (u64, Lineage)>,
    lineage_bytes: usize,
    /// Actors that write geneses only, of the schema and of the genesis table.
    pub(crate) genesis_actors: Option<BTreeSet<ActorId>>,
}

/// What a live document of few changes takes, as measured.
pub(crate) const DOCUMENT_BYTES: usize = 17 << 10;

/// What each of its changes adds.
pub(crate) const CHANGE_BYTES: usize = 160;

/// What each of its operations adds: a pasted megabyte is a million operations in a few changes.
const OP_BYTES: usize = 6;

impl Documents {
    /// Empty, for documents of so many bytes, and histories of as many.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            live: BTreeMap::new(),
            used: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            lineages: BTreeMap::new(),
            lineage_bytes: 0,
            genesis_actors: None,
        }
    }

    /// Takes a record's document out.
    pub(crate) fn take(&mut self, record: i64) -> Option<Live> {
        let (used, live) = self.live.remove(&record)?;
        self.used.remove(&used);
        self.bytes -= live.bytes;
        Some(live)
    }

    /// Puts a record's document back, at the expense of older ones.
    pub(crate) fn put(&mut self, record: i64, live: Live) {
        self.take(record);
        self.clock += 1;
        self.bytes += live.bytes;
        self.used.insert(self.clock, record);
        self.live.insert(record, (self.clock, live));
        while self.bytes > self.bytes_max && self.live.len() > 1 {
            let Some((_, oldest)) = self.used.first_key_value() else { break };
            let oldest = *oldest;
            self.take(oldest);
        }
    }

    /// Keeps a record's history, which reaches up to row `upto` of the log.
    pub(crate) fn keep_lineage(&mut self, record: i64, upto: u64, lineage: Lineage) {
        self.take_lineage(record);
        if self.lineage_bytes + lineage.bytes() > self.bytes_max {
            self.lineages.clear();
            self.lineage_bytes = 0;
        }
        self.lineage_bytes += lineage.bytes();
        self.lineages.insert(record, (upto, lineage));
    }

    /// Takes a record's history out, with the row up to which it reaches.
    pub(crate) fn take_lineage(&mut self, record: i64) -> Option<(u64, Lineage)> {
        let (upto, lineage) = self.lineages.remove(&record)?;
        self.lineage_bytes = self.lineage_bytes.saturating_sub(lineage.bytes());
        Some((upto, lineage))
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }
}

impl Live {
    /// Estimates anew how much memory the document takes.
    pub(crate) fn weigh(&mut self) {
        let ops = self.document.op_count() as usize;
        self.bytes = DOCUMENT_BYTES + self.changes * CHANGE_BYTES + ops * OP_BYTES;
    }

    /// Whether the tail is long enough for a new snapshot: the cost of all snapshots stays linear in the
    /// record's history.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.tail > 32 && self.tail * 4 > self.changes
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::edit::{Edits, ObjectEdit, ObjectKind};
    use syncline_core::genesis::Genesis;

    use super::*;

    fn text_of(length: usize) -> Live {
        let mut live = Live::empty();
        let set = ObjectEdit::SetText("body".to_owned(), "x".repeat(length));
        let genesis = |_: &str| Genesis { model: "M".to_owned(), key: "body".to_owned(), kind: ObjectKind::Text };
        let edits = Edits { root: Vec::new(), objects: vec![set] };
        let edited = live.document.edit(&edits, &genesis, &ActorId::from([1]), 0);
        live.changes = edited.ok().flatten().map_or(0, |edited| edited.changes.len());
        live.weigh();
        live
    }

    #[test]
    fn a_big_text_of_few_changes_weighs_what_it_takes() {
        // Counted by changes alone, a thousand pasted megabytes seemed to fit.
        let live = text_of(200_000);
        assert!(live.changes < 10);
        assert!(live.bytes > 1_000_000, "{}", live.bytes);
    }

    #[test]
    fn the_documents_used_longest_ago_go_first() {
        let mut documents = Documents::new(30_000_000);
        let live = Live { bytes: 10_000_000, ..Live::empty() };
        for record in 1..=3 {
            documents.put(record, live.clone());
        }
        let first = documents.take(1).expect("three thirds fit");
        documents.put(1, first);
        documents.put(4, live);
        let kept: Vec<i64> = (1..=4).filter(|record| documents.take(*record).is_some()).collect();
        assert_eq!(kept, [1, 3, 4]);
        assert_eq!(documents.bytes, 0);
    }
}
