//! The typed rows of a model: one plain table, written from a record's state.

use rusqlite::{Connection, Statement, ToSql, types::ToSqlOutput, types::ValueRef};
use syncline_core::record::{self, RecordView, SqlValue};
use syncline_schema::Model;

use crate::error::{Doing, Result};
use crate::storage::fulltext::FulltextIndex;
use crate::storage::kept::Kept;

/// The prepared statements' text for one model's table.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    table: String,
    columns: Vec<String>,
    upsert: String,
    delete: String,
    fulltext: Option<FulltextIndex>,
}

/// A value on its way to a statement.
struct Bound<'v>(&'v SqlValue);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(number) => ValueRef::Integer(*number),
            SqlValue::Real(number) => ValueRef::Real(*number),
            SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl Projection {
    /// Of this model.
    pub(crate) fn new(model: &Model) -> Self {
        let columns: Vec<String> = record::columns(model).iter().map(|c| quoted(&c.field.name)).collect();
        let places: Vec<String> = (0..columns.len()).map(|index| format!("?{}", index + 2)).collect();
        let updates: Vec<String> = columns.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let table = quoted(&model.name);
        Self {
            upsert: format!(
                "INSERT INTO {table}(syncline_record, {}) VALUES(?1, {}) ON CONFLICT(syncline_record) DO UPDATE SET {}",
                columns.join(", "),
                places.join(", "),
                updates.join(", "),
            ),
            delete: format!("DELETE FROM {table} WHERE syncline_record = ?1"),
            table,
            columns,
            fulltext: FulltextIndex::new(model),
        }
    }

    /// Writes a living record's row.
    pub(crate) fn write<'c>(&'c self, kept: &mut Kept<'c>, row: i64, view: &RecordView<'_>) -> Result<()> {
        view.column_values().map_or(Ok(()), |values| self.write_values(kept, row, &values))
    }

    /// As [`Projection::write`], where the values of the row are known.
    pub(crate) fn write_values<'c>(&'c self, kept: &mut Kept<'c>, row: i64, values: &[SqlValue]) -> Result<()> {
        self.follow(kept.db(), row, self.fulltext.as_ref(), || {
            kept.get(&self.upsert).and_then(|s| bind_and_execute(s, row, values)).doing("writing a model's table")
        })?;
        Ok(())
    }

    /// Writes a row, and what of it stands in the full-text index.
    fn follow<T>(
        &self,
        db: &Connection,
        row: i64,
        index: Option<&FulltextIndex>,
        write: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let Some(index) = index else { return write() };
        let before = index.stored(db, row)?;
        let written = write()?;
        index.follow(db, row, before.as_deref())?;
        Ok(written)
    }

    /// Writes some columns of a living record's row, if it stands in the table: what did not change is not read
    /// out of the record, and its indexes are left alone. `places` are those of the model's fields.
    pub(crate) fn write_some(&self, db: &Connection, row: i64, view: &RecordView<'_>, places: &[usize]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        // Few sets of fields come up, so the statements stay in the cache.
        if places.len() * 4 > self.columns.len() * 3 {
            return self.write(&mut Kept::new(db), row, view);
        }
        let sets = places.iter().enumerate().map(|(index, place)| format!("{} = ?{}", self.columns[*place], index + 2));
        let sets: Vec<String> = sets.collect();
        let sql = format!("UPDATE {} SET {} WHERE syncline_record = ?1", self.table, sets.join(", "));
        let values: Vec<SqlValue> = places.iter().map(|place| view.column_value(&view.model.fields[*place])).collect();
        let index = self.fulltext.as_ref().filter(|index| index.holds_any(places));
        let written =
            self.follow(db, row, index, || execute(db, &sql, row, &values).doing("writing a model's table"))?;
        match written {
            // A change of schema may not have come to this record yet.
            0 => self.write(&mut Kept::new(db), row, view),
            _ => Ok(()),
        }
    }

    /// Removes a deleted record's row.
    pub(crate) fn remove(&self, db: &Connection, row: i64) -> Result<()> {
        self.follow(db, row, self.fulltext.as_ref(), || {
            db.prepare_cached(&self.delete).and_then(|mut s| s.execute([row])).doing("writing a model's table")
        })?;
        Ok(())
    }
}

/// A value that a statement gave.
pub(crate) fn sql_value(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(number) => SqlValue::Integer(number),
        ValueRef::Real(number) => SqlValue::Real(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => SqlValue::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Runs a statement with a row's number and these values; how many rows were written.
pub(crate) fn execute(db: &Connection, sql: &str, row: i64, values: &[SqlValue]) -> rusqlite::Result<usize> {
    bind_and_execute(&mut *db.prepare_cached(sql)?, row, values)
}

fn bind_and_execute(statement: &mut Statement<'_>, row: i64, values: &[SqlValue]) -> rusqlite::Result<usize> {
    statement.raw_bind_parameter(1, row)?;
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 2, Bound(value))?;
    }
    statement.raw_execute()
}

/// A name as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
