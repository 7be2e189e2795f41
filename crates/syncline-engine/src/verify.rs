//! Verification: whether a store is what its log says.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use serde::Serialize;
use syncline_core::document::Document;
use syncline_core::ids::Chain;
use syncline_core::record::{self, RecordView, SqlValue};
use syncline_core::state::RecordState;
use syncline_schema::Model;

use crate::error::{Doing, Result, StoreError};
use crate::history;
use crate::open;
use crate::projection::{quoted, sql_value};
use crate::storage::chains::{self, Chains};
use crate::storage::log::{self, Entry};
use crate::storage::{conflicts, fulltext, records, turns};
use crate::store::Store;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Rows of the log looked at.
    pub changes: u64,
    /// Records looked at.
    pub records: u64,
    /// Everything that is wrong, each with its place.
    pub faults: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Where the rows of each replica and each record end.
#[derive(Default)]
struct Ends {
    /// Row, counter and chain.
    replicas: BTreeMap<i64, (u64, u64, Chain)>,
    records: BTreeMap<i64, u64>,
}

impl Ends {
    /// Takes in the next row. `DamagedRow` if it does not lead back to the rows before it.
    fn check(&mut self, entry: &Entry) -> Result<()> {
        let before = self.records.insert(entry.record, entry.seq).unwrap_or_default();
        let mut leads_back = before == entry.prev;
        if entry.replica != 0 {
            let end = (entry.seq, entry.counter, entry.chain);
            let (before, ..) = self.replicas.insert(entry.replica, end).unwrap_or_default();
            leads_back &= before == entry.rprev;
        }
        let reason = || "it does not lead back to the earlier rows of its record and its replica".to_owned();
        if leads_back { Ok(()) } else { Err(StoreError::DamagedRow { seq: entry.seq, reason: reason() }) }
    }
}

impl Store {
    /// Checks SQLite's pages, the settings, every hash and chain of the log, and that states and tables are what
    /// the log says.
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        self.verify_pages(&mut report)?;
        self.verify_settings(&mut report)?;
        self.verify_log(&mut report)?;
        self.verify_records(&mut report)?;
        self.verify_notes(&mut report)?;
        Ok(report)
    }

    fn verify_pages(&self, report: &mut VerifyReport) -> Result<()> {
        let mut statement = self.db.prepare("PRAGMA integrity_check").doing("checking the file")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0)).doing("checking the file")?;
        for line in lines {
            let line = line.doing("checking the file")?;
            if line != "ok" {
                report.faults.push(format!("SQLite: {line}"));
            }
        }
        Ok(())
    }

    /// Long settings lie over several pages, which may be of different ages.
    fn verify_settings(&self, report: &mut VerifyReport) -> Result<()> {
        let before = report.faults.len();
        let mut statement = self.db.prepare("SELECT key, value FROM syncline_meta").doing("reading the settings")?;
        let mut settings = statement.query([]).doing("reading the settings")?;
        while let Some(setting) = settings.next().doing("reading the settings")? {
            let text = |column| match setting.get_ref(column) {
                Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
                Ok(_) | Err(_) => Some(""),
            };
            match (text(0), text(1)) {
                (Some(_), Some(_)) => {}
                (key, _) => report.faults.push(format!("the setting `{}` is no text", key.unwrap_or_default())),
            }
        }
        match open::stored_schema(&self.db).map(drop) {
            Err(error) if error.is_damage() && report.faults.len() == before => {
                report.faults.push(format!("the setting `schema`: {error}"));
                Ok(())
            }
            Err(error) if error.is_damage() => Ok(()),
            read => read,
        }
    }

    fn verify_log(&self, report: &mut VerifyReport) -> Result<()> {
        let mut chains = Chains::default();
        let mut ends = Ends::default();
        log::scan_each(&self.db, 0, |seq, entry| {
            if seq > self.head().0 {
                // Another process wrote it meanwhile, and its replica may be unknown here.
                return Ok(false);
            }
            report.changes += 1;
            let entry = match entry {
                Err(error) if error.is_damage() => {
                    report.faults.push(format!("log row {seq} cannot be read: {error}"));
                    return Ok(true);
                }
                entry => entry?,
            };
            let place = chains::place(&self.db, &self.names, &entry);
            let followed = place.and_then(|place| chains.follow(&self.db, &entry, &place));
            for checked in [history::check(&entry), ends.check(&entry), followed] {
                match checked {
                    Err(StoreError::DamagedRow { reason, .. }) => {
                        report.faults.push(format!("log row {seq}: {reason}"))
                    }
                    Err(error) if error.is_damage() => report.faults.push(format!("log row {seq}: {error}")),
                    checked => checked?,
                }
            }
            Ok(true)
        })?;
        self.verify_replicas(&ends, report);
        self.verify_ends_of_records(&ends, report)
    }

    fn verify_replicas(&self, ends: &Ends, report: &mut VerifyReport) {
        for replica in self.names.replicas() {
            let (tip, counter, chain) = ends.replicas.get(&replica.row).copied().unwrap_or_default();
            let is_exact = replica.forked || (counter, chain) == (replica.counter, replica.chain);
            if tip != replica.tip || !is_exact {
                let (id, held, told) = (replica.id, counter, replica.counter);
                report
                    .faults
                    .push(format!("replica {id}: {told} changes are noted, and the log ends with number {held}"));
            }
        }
    }

    fn verify_ends_of_records(&self, ends: &Ends, report: &mut VerifyReport) -> Result<()> {
        let head = self.head().0;
        records::each_end(&self.db, |record, last| {
            let end = ends.records.get(&record).copied().unwrap_or_default();
            if last != end && last <= head {
                report
                    .faults
                    .push(format!("record {record}: its last row is noted as {last}, and is {end} in the log"));
            }
        })
    }

    fn verify_records(&self, report: &mut VerifyReport) -> Result<()> {
        let Some(schema) = self.schema.as_deref() else { return Ok(()) };
        for model in &schema.models {
            if !fulltext::is_sound(&self.db, model)? {
                report.faults.push(format!(
                    "{}: its full-text index is not what its table says; the next open makes it anew once its table `{}` \
                     is dropped",
                    model.name,
                    fulltext::table_name(model)
                ));
            }
            let numbers = self.names.numbers_of(model);
            let mut after = 0;
            loop {
                let batch = match records::of_model(&self.db, &numbers, after, 500) {
                    Err(error) if error.is_damage() => {
                        report.faults.push(format!("{}: {error}", model.name));
                        break;
                    }
                    other => other?,
                };
                let Some(last) = batch.last() else { break };
                after = *last;
                for row in batch {
                    report.records += 1;
                    let fault = match self.verify_record(schema, model, row) {
                        Err(error) if error.is_damage() => Some(error.to_string()),
                        other => other?,
                    };
                    if let Some(fault) = fault {
                        report.faults.push(format!("{} record {row}: {fault}", model.name));
                    }
                }
            }
        }
        Ok(())
    }

    fn verify_record(&self, schema: &syncline_schema::Schema, model: &Model, row: i64) -> Result<Option<String>> {
        let Some(found) = records::at(&self.db, row)? else { return Ok(Some("it is missing".to_owned())) };
        let changes = match history::changes(&self.db, found.last, 0) {
            Ok(changes) => changes,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let mut folded = RecordState::default();
        changes.iter().for_each(|change| folded.apply(change));
        let stored = found.state.as_deref().map(|bytes| RecordState::decode(bytes, self.names.actors_ref()));
        match stored {
            Some(Ok(state)) if state == folded => {}
            Some(Ok(_)) => return Ok(Some("its state is not what the log says".to_owned())),
            Some(Err(damaged)) => return Ok(Some(damaged.to_string())),
            None => return Ok(None),
        }
        let document = if record::needs_document(model) {
            match Document::rebuild(&changes) {
                Ok(document) => Some(document),
                Err(error) => return Ok(Some(error.to_string())),
            }
        } else {
            None
        };
        let view = RecordView { schema, model, record: found.id, state: &folded, document: document.as_ref() };
        let expected = view.column_values();
        let shown = self.table_row(model, row)?;
        if expected != shown {
            return Ok(Some("its table row is not what the log says".to_owned()));
        }
        let noted = conflicts::mark_of(&self.db, row)?;
        Ok((noted != view.conflict_mark()).then(|| "its conflicts are not what the log says".to_owned()))
    }

    fn verify_notes(&self, report: &mut VerifyReport) -> Result<()> {
        for record in conflicts::strays(&self.db)? {
            report.faults.push(format!("record {record} is noted with conflicts and is not what the note says"));
        }
        for seq in turns::strays(&self.db)? {
            report.faults.push(format!("log row {seq} is noted to undo something and cannot"));
        }
        Ok(())
    }

    fn table_row(&self, model: &Model, row: i64) -> Result<Option<Vec<SqlValue>>> {
        let names: Vec<String> = model.fields.iter().map(|field| quoted(&field.name)).collect();
        let sql = format!("SELECT {} FROM {} WHERE syncline_record = ?1", names.join(", "), quoted(&model.name));
        let mut statement = self.db.prepare_cached(&sql).doing("reading a model's table")?;
        let mut rows = statement.query([row]).doing("reading a model's table")?;
        let Some(found) = rows.next().doing("reading a model's table")? else { return Ok(None) };
        (0..names.len())
            .map(|index| found.get_ref(index).map(sql_value))
            .collect::<rusqlite::Result<Vec<_>>>()
            .doing("reading a model's table")
            .map(Some)
    }
}
