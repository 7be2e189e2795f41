//! The typed rows of a model: one plain table, written from a record's state.

use rusqlite::{Connection, ToSql, types::ToSqlOutput, types::ValueRef};
use syncline_core::record::{self, RecordView, SqlValue};
use syncline_schema::Model;

use crate::error::{Doing, Result};

/// The prepared statements' text for one model's table.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    upsert: String,
    delete: String,
}

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
        }
    }

    /// Writes a living record's row.
    pub(crate) fn write(&self, db: &Connection, row: i64, view: &RecordView<'_>) -> Result<()> {
        let Some(values) = view.column_values() else { return Ok(()) };
        self.execute(db, row, &values).doing("writing a model's table")
    }

    fn execute(&self, db: &Connection, row: i64, values: &[SqlValue]) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(&self.upsert)?;
        statement.raw_bind_parameter(1, row)?;
        for (index, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(index + 2, Bound(value))?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    /// Removes a deleted record's row.
    pub(crate) fn remove(&self, db: &Connection, row: i64) -> Result<()> {
        db.prepare_cached(&self.delete).and_then(|mut s| s.execute([row])).doing("writing a model's table")?;
        Ok(())
    }
}

/// A name as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
