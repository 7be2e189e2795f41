//! The ceiling of storing: the same tables filled with the same rows by hand.
//!
//! Statements and rows are read from a store that the engine made and closed. Filling inserts, per record,
//! the log's row, the record's row and the model's row; the other tables are filled once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params_from_iter};

use crate::Result;

/// Content of a closed store in which each record was created once.
pub(crate) struct Content {
    statements: Vec<String>,
    tables: BTreeMap<String, Table>,
}

#[derive(Debug)]
struct Table {
    insert: String,
    rows: Vec<Vec<Value>>,
}

/// Tables that get one row per record, in the order of filling.
const PER_RECORD: [&str; 3] = ["syncline_log", "syncline_records", "Item"];

impl Content {
    /// Reads a store's file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let db = Connection::open(path)?;
        let statements = texts(&db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")?;
        let mut tables = BTreeMap::new();
        for name in texts(&db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")? {
            let table = Table::read(&db, &name)?;
            tables.insert(name, table);
        }
        let content = Self { statements, tables };
        let counts: Vec<usize> = PER_RECORD.iter().map(|name| content.rows(name).len()).collect();
        if counts.iter().any(|count| *count != counts[0]) {
            return Err(format!("expected one change per record, found rows {counts:?}").into());
        }
        Ok(content)
    }

    /// How many records it has.
    pub(crate) fn records(&self) -> usize {
        self.rows(PER_RECORD[0]).len()
    }

    fn rows(&self, table: &str) -> &[Vec<Value>] {
        self.tables.get(table).map_or(&[], |table| &table.rows)
    }

    /// Fills a new file, so many records per transaction, and returns how long that took.
    pub(crate) fn fill(&self, path: &Path, per_transaction: usize) -> Result<Duration> {
        let db = Connection::open(path)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")?;
        for sql in &self.statements {
            db.execute_batch(sql)?;
        }
        let took = self.fill_timed(&db, per_transaction)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(took)
    }

    fn fill_timed(&self, db: &Connection, per_transaction: usize) -> Result<Duration> {
        let (mut begin, mut commit) = (db.prepare("BEGIN IMMEDIATE")?, db.prepare("COMMIT")?);
        let mut inserts: Vec<(Statement<'_>, &[Vec<Value>])> = Vec::new();
        for name in PER_RECORD {
            inserts.push((db.prepare(&self.tables[name].insert)?, self.rows(name)));
        }
        let began = Instant::now();
        let mut next = 0;
        while next < self.records() {
            let end = (next + per_transaction).min(self.records());
            begin.raw_execute()?;
            for index in next..end {
                for (insert, rows) in &mut inserts {
                    insert.execute(params_from_iter(&rows[index]))?;
                }
            }
            commit.raw_execute()?;
            next = end;
        }
        self.fill_rest(db)?;
        Ok(began.elapsed())
    }

    fn fill_rest(&self, db: &Connection) -> Result<()> {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for (name, table) in &self.tables {
            if PER_RECORD.contains(&name.as_str()) {
                continue;
            }
            let mut insert = db.prepare(&table.insert)?;
            for row in &table.rows {
                insert.execute(params_from_iter(row))?;
            }
        }
        Ok(db.execute_batch("COMMIT")?)
    }
}

impl Table {
    fn read(db: &Connection, name: &str) -> Result<Self> {
        let mut select = db.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns: Vec<String> = select.column_names().map(|name| format!("\"{name}\"")).collect();
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO \"{name}\"({}) VALUES({places})", columns.join(", "));
        let rows = select.query_map([], |row| (0..columns.len()).map(|index| row.get(index)).collect())?;
        Ok(Self { insert, rows: rows.collect::<rusqlite::Result<_>>()? })
    }
}

fn texts(db: &Connection, sql: &str) -> Result<Vec<String>> {
    Ok(db.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
