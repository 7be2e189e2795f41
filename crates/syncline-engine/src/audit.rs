//! The log as those read it who hold a store to its promises: the simulator, tests.

use syncline_core::ids::{Dot, RecordId};

use crate::error::Result;
use crate::inspect::kind_name;
use crate::storage::{log, records};
use crate::store::Store;

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its position.
    pub seq: u64,
    /// The change's dot; `None` for a change of a `@local` model.
    pub dot: Option<Dot>,
    /// The record.
    pub record: RecordId,
    /// The change's hash.
    pub hash: [u8; 32],
    /// `applied`, `quarantined`, `pending`, `repeated` or `local`.
    pub kind: &'static str,
    /// The raw change.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Hashes of a record's changes in the order of the log, whatever became of them.
    pub fn change_hashes(&self, model: &str, id: &str) -> Result<Vec<String>> {
        let (_, row) = self.find(model, id)?;
        let entries = log::of_record_after(&self.db, row.last, 0)?;
        Ok(entries.iter().rev().map(|entry| entry.hash.to_string()).collect())
    }

    /// The log's rows after a position, in order.
    pub fn log_after(&self, seq: u64) -> Result<Vec<LogRow>> {
        let mut rows = Vec::new();
        log::scan_each(&self.db, seq, |seq, entry| {
            let entry = entry?;
            let record = records::name_of(&self.db, entry.record)?.map(|(id, _)| id).unwrap_or_default();
            let dot = self.names.replica_at(entry.replica);
            let dot = dot.map(|replica| Dot { replica: replica.id, counter: entry.counter });
            let (hash, kind) = (entry.hash.0, kind_name(entry.kind));
            rows.push(LogRow { seq, dot, record, hash, kind, bytes: entry.bytes });
            Ok(true)
        })?;
        Ok(rows)
    }
}
