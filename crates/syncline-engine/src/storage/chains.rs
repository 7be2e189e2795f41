//! Whether rows of the log stand where they were written: behind what their chains continue.

use std::collections::BTreeMap;

use rusqlite::Connection;
use syncline_core::ids::{Chain, Dot, RecordId};

use super::log::{self, Entry};
use super::names::Names;
use super::records;
use crate::error::{Result, StoreError};

/// The log's chain and its replicas', as far as rows were followed.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    last: Option<(u64, Chain)>,
    replicas: BTreeMap<i64, Chain>,
}

/// What a row says about itself, by name.
pub(crate) struct Place {
    /// The change's dot; `None` for a local change.
    pub(crate) dot: Option<Dot>,
    /// The record.
    pub(crate) record: RecordId,
    /// Number of its model.
    pub(crate) model: i64,
}

/// The names that a row refers to.
pub(crate) fn place(db: &Connection, names: &Names, entry: &Entry) -> Result<Place> {
    let damaged = |reason: &str| StoreError::DamagedRow { seq: entry.seq, reason: reason.to_owned() };
    let (record, model) = records::name_of(db, entry.record)?.ok_or_else(|| damaged("its record is missing"))?;
    if names.model_name(model).is_none() {
        return Err(damaged("the name of its record's model is missing"));
    }
    let dot = match names.replica_at(entry.replica) {
        Some(replica) => Some(Dot { replica: replica.id, counter: entry.counter }),
        None if entry.replica == 0 => None,
        None => return Err(damaged("its replica is missing")),
    };
    Ok(Place { dot, record, model })
}

impl Chains {
    /// Follows the next row, or begins with it. `DamagedRow` if it is not what the rows before it lead to; the
    /// next one is compared with what it says all the same.
    pub(crate) fn follow(&mut self, db: &Connection, entry: &Entry, place: &Place) -> Result<()> {
        let last = match self.last.replace((entry.seq, entry.log_chain)) {
            Some(last) => Some(last),
            None => {
                let before = entry.seq.saturating_sub(1);
                log::chain_at(db, before)?.map(|chain| (before, chain))
            }
        };
        let damaged = |reason: &str| Err(StoreError::DamagedRow { seq: entry.seq, reason: reason.to_owned() });
        let Some((_, mut chain)) = last.filter(|(seq, _)| seq + 1 == entry.seq) else {
            return damaged("the row before it is missing or cannot be read");
        };
        if let Some(dot) = place.dot {
            let before = match self.replicas.insert(entry.replica, entry.chain) {
                Some(chain) => Some(chain),
                None => log::replica_chain_after(db, entry.replica, entry.rprev)?,
            };
            if before.map(|before| before.after_change(dot, place.record, &entry.hash.0)) != Some(entry.chain) {
                return damaged("it does not continue its replica's chain");
            }
            chain = chain.after_row(dot, entry.chain);
        }
        if chain == entry.log_chain { Ok(()) } else { damaged("it does not continue the log's chain") }
    }
}
