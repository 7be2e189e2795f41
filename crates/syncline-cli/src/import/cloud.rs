//! What only the cloud's rows have: columns of DataStore's own, and records inside records.

use serde_json::{Map, Value};
use syncline::schema::{Model, Relation, Schema};

use super::shapes::is_connection;

/// Columns that DataStore, AppSync and DynamoDB keep for themselves.
const OWN_COLUMNS: [&str; 5] = ["_version", "_lastChangedAt", "_ttl", "ds_pk", "ds_sk"];

/// The column that marks rows which are deleted and not gone yet.
const DELETED: &str = "_deleted";

/// A model whose rows come from the cloud.
#[derive(Clone, Copy)]
pub(super) struct Cloud<'a> {
    model: &'a Model,
    /// Made for a `@manyToMany`: its records are named by the pair that they link, and the cloud's rows by an id.
    is_join: bool,
}

impl<'a> Cloud<'a> {
    pub(super) fn of(schema: &Schema, model: &'a Model) -> Self {
        let mut relations = schema.models.iter().flat_map(|model| &model.relations);
        Self { model, is_join: relations.any(|relation| relation.join_model.as_ref() == Some(&model.name)) }
    }

    /// Whether a column is the cloud's and not the model's.
    pub(super) fn is_own_column(&self, column: &str) -> bool {
        let known = OWN_COLUMNS.contains(&column) || column == DELETED || (self.is_join && column == "id");
        (known || self.is_of_several(column)) && self.model.field(column).is_none()
    }

    /// Whether it is the column of an index over several fields, `status#createdAt`, and not what somebody else calls
    /// `Phone #`.
    fn is_of_several(&self, column: &str) -> bool {
        column.contains('#') && column.split('#').all(|field| self.model.field(field).is_some())
    }

    /// Takes out the cloud's columns. Says whether the row is deleted; an error is what is wrong with that column.
    pub(super) fn is_deleted(&self, row: &mut Map<String, Value>) -> Result<bool, (String, String)> {
        let wrong = |mark| (DELETED.to_owned(), format!("expected true, false or null, found {mark}"));
        let deleted = match row.get(DELETED) {
            Some(mark) if self.is_own_column(DELETED) => is_marked(mark).ok_or_else(|| wrong(mark))?,
            Some(_) | None => false,
        };
        row.retain(|column, _| !self.is_own_column(column));
        Ok(deleted)
    }
}

fn is_marked(mark: &Value) -> Option<bool> {
    match mark {
        Value::Null => Some(false),
        Value::Bool(mark) => Some(*mark),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" | "null" | "" => Some(false),
            _ => None,
        },
        Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Replaces records inside the row by what the row needs of them: of the one that it belongs to, the key. Calls
/// `left_out` with each relation and the number of records that are not imported with the row.
pub(super) fn without_nested(model: &Model, row: &mut Map<String, Value>, mut left_out: impl FnMut(&Relation, u64)) {
    for relation in &model.relations {
        let Some(value) = row.get(&relation.name) else { continue };
        if relation.is_to_one() {
            match key_of(relation, value) {
                Some(key) => drop(row.insert(relation.name.clone(), Value::Object(key))),
                None if value.is_object() && is_held(relation, row) => {
                    left_out(relation, 1);
                    row.shift_remove(&relation.name);
                }
                // Null means none, and anything else is named by the check.
                None => {}
            }
        } else if let Some(count) = records_in(value) {
            if count > 0 {
                left_out(relation, count);
            }
            row.shift_remove(&relation.name);
        }
    }
}

/// The other record's key, if the object has all of it.
fn key_of(relation: &Relation, value: &Value) -> Option<Map<String, Value>> {
    let other = value.as_object()?;
    let value_of = |name: &String| other.get(name).filter(|value| !value.is_null());
    relation.references.iter().map(|name| Some((name.clone(), value_of(name)?.clone()))).collect()
}

/// Whether the row says itself which record the relation leads to.
fn is_held(relation: &Relation, row: &Map<String, Value>) -> bool {
    relation.fields.iter().all(|name| row.get(name).is_some_and(|value| !value.is_null()))
}

/// How many records stand there; `None` if it is no list of records.
fn records_in(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::Array(items) => Some(items.len() as u64),
        Value::Object(page) if is_connection(value) => page.get("items").and_then(records_in),
        // A selection of a page that asks for none of its rows.
        Value::Object(page)
            if page.keys().all(|name| matches!(name.as_str(), "nextToken" | "startedAt" | "__typename")) =>
        {
            Some(0)
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
    }
}
