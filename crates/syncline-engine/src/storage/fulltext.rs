//! The full-text index of a model: an FTS5 table beside the model's own, which keeps the texts. Its rows are written
//! with those of the model's table, in the same transaction.
//!
//! Triggers would keep it in step as well, and cost three times as much: a statement with triggers is a savepoint, and
//! at each of those FTS5 writes out what it has gathered.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use syncline_core::record::SqlValue;
use syncline_schema::{Field, Model, Schema, Tokenizer};

use crate::error::{Doing, Result};
use crate::projection::{execute, quoted, sql_value};

/// What is done where a write of an index fails.
const WRITING: &str = "writing a full-text index";

/// The fields that the model's index holds.
pub(crate) fn indexed_fields(model: &Model) -> impl Iterator<Item = &Field> {
    model.fields.iter().filter(|field| field.fulltext)
}

/// Whether the model has an index.
pub(crate) fn has_index(model: &Model) -> bool {
    indexed_fields(model).next().is_some()
}

/// Name of the model's index. FTS5 keeps it in tables with more behind that name, which no other model's index can have.
pub(crate) fn table_name(model: &Model) -> String {
    format!("syncline_{}_fulltext", model.name)
}

/// The statement that makes the model's index; `None` if no field is marked.
pub(crate) fn create_sql(model: &Model) -> Option<String> {
    let tokenizer = match model.tokenizer {
        Tokenizer::Words => "unicode61 remove_diacritics 2",
        Tokenizer::Trigram => "trigram remove_diacritics 1",
    };
    has_index(model).then(|| {
        format!(
            "CREATE VIRTUAL TABLE {} USING fts5({}, content='{}', content_rowid='syncline_record', tokenize='{tokenizer}')",
            quoted(&table_name(model)),
            columns(model).join(", "),
            model.name,
        )
    })
}

/// Drops the model's index, if there is one.
pub(crate) fn drop_index(db: &Connection, model: &Model) -> Result<()> {
    let sql = format!("DROP TABLE IF EXISTS {}", quoted(&table_name(model)));
    db.execute_batch(&sql).doing("dropping a full-text index")
}

/// Makes and fills indexes that are not there: stores of versions that made none have marked fields, too.
pub(crate) fn make_missing(db: &Connection, schema: &Schema) -> Result<()> {
    for model in &schema.models {
        let Some(create) = create_sql(model) else { continue };
        let index = quoted(&table_name(model));
        if !exists(db, model)? {
            let sql = format!("BEGIN IMMEDIATE; {create}; INSERT INTO {index}({index}) VALUES('rebuild'); COMMIT");
            let made = db.execute_batch(&sql);
            if made.is_err() && !db.is_autocommit() {
                db.execute_batch("ROLLBACK").doing("making a full-text index")?;
            }
            // Another process may have been faster.
            if !exists(db, model)? {
                made.doing("making a full-text index")?;
            }
        }
    }
    Ok(())
}

/// Whether an index is not there.
pub(crate) fn is_missing(db: &Connection, schema: &Schema) -> Result<bool> {
    for model in schema.models.iter().filter(|model| has_index(model)) {
        if !exists(db, model)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn exists(db: &Connection, model: &Model) -> Result<bool> {
    db.query_row("SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE name = ?1)", [table_name(model)], |row| row.get(0))
        .doing("looking for a full-text index")
}

/// Whether the model's index, if it has one, is what its table says.
pub(crate) fn is_sound(db: &Connection, model: &Model) -> Result<bool> {
    if !has_index(model) {
        return Ok(true);
    }
    let index = quoted(&table_name(model));
    // The check is written as an insert, and writes nothing.
    match db.execute_batch(&format!("INSERT INTO {index}({index}, rank) VALUES('integrity-check', 1)")) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(false),
        checked => checked.map(|()| true).doing("checking a full-text index"),
    }
}

fn columns(model: &Model) -> Vec<String> {
    indexed_fields(model).map(|field| quoted(&field.name)).collect()
}

/// Keeps a model's index in step with its table.
#[derive(Clone, Debug)]
pub(crate) struct FulltextIndex {
    /// Which of the model's columns it holds.
    places: Vec<usize>,
    stored: String,
    add: String,
    forget: String,
}

impl FulltextIndex {
    /// Of this model; `None` if it has none.
    pub(crate) fn new(model: &Model) -> Option<Self> {
        if !has_index(model) {
            return None;
        }
        let marked = model.fields.iter().enumerate().filter(|(_, field)| field.fulltext);
        let (index, table) = (quoted(&table_name(model)), quoted(&model.name));
        let columns = columns(model).join(", ");
        let values: Vec<String> = (0..indexed_fields(model).count()).map(|at| format!("?{}", at + 2)).collect();
        let values = values.join(", ");
        Some(Self {
            places: marked.map(|(place, _)| place).collect(),
            stored: format!("SELECT {columns} FROM {table} WHERE syncline_record = ?1"),
            add: format!("INSERT INTO {index}(rowid, {columns}) VALUES(?1, {values})"),
            // Of texts that another table keeps, the index must be told what it held.
            forget: format!("INSERT INTO {index}({index}, rowid, {columns}) VALUES('delete', ?1, {values})"),
        })
    }

    /// Whether one of these columns stands in the index.
    pub(crate) fn holds_any(&self, places: &[usize]) -> bool {
        places.iter().any(|place| self.places.contains(place))
    }

    /// What the model's table holds of a row; `None` if it is not there.
    pub(crate) fn stored(&self, db: &Connection, row: i64) -> Result<Option<Vec<SqlValue>>> {
        let count = self.places.len();
        db.prepare_cached(&self.stored)
            .and_then(|mut statement| {
                let values = |row: &rusqlite::Row<'_>| (0..count).map(|at| row.get_ref(at).map(sql_value)).collect();
                statement.query_row([row], values).optional()
            })
            .doing("reading a model's table")
    }

    /// Takes over that a row held `before` and holds what the model's table does now.
    pub(crate) fn follow(&self, db: &Connection, row: i64, before: Option<&[SqlValue]>) -> Result<()> {
        let now = self.stored(db, row)?;
        if before == now.as_deref() {
            return Ok(());
        }
        if let Some(before) = before {
            execute(db, &self.forget, row, before).doing(WRITING)?;
        }
        if let Some(now) = &now {
            execute(db, &self.add, row, now).doing(WRITING)?;
        }
        Ok(())
    }
}
