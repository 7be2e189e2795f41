//! The table and indexes of a model.

use syncline_core::record::columns;
use syncline_schema::{Key, Model, Schema};

use super::sql::{key_columns, quoted};
use crate::storage::fulltext;

/// The statement that makes the index on a model's key. It is no unique one: what peers write must fit in the table
/// whatever it is, and two of their records may show one key.
pub(crate) fn create_key_index_sql(model: &Model) -> String {
    let (index, table) = (quoted(&key_index(model)), quoted(&model.name));
    format!("CREATE INDEX {index} ON {table}({})", key_columns(model).join(", "))
}

/// Name of the index on a model's key.
pub(crate) fn key_index(model: &Model) -> String {
    format!("{}.syncline_key", model.name)
}

/// The statements that make a model's table and its indexes, one each.
///
/// A row is a living record: `syncline_record` is the record's number in `syncline_records`, the
/// other columns are the model's fields under their own names.
pub fn create_table_sql(_schema: &Schema, model: &Model) -> Vec<String> {
    let table = quoted(&model.name);
    let mut fields = vec!["syncline_record INTEGER PRIMARY KEY".to_owned()];
    for column in columns(model) {
        // Only an id is there whatever a record's changes say; every other field may lack a value
        // after concurrent changes, required ones included.
        let id = model.key == Key::Id && column.field.name == "id";
        let constraint = if id { " NOT NULL" } else { "" };
        fields.push(format!("{} {}{constraint}", quoted(&column.field.name), column.sql_type.name()));
    }
    let mut statements = vec![format!("CREATE TABLE {table}({})", fields.join(", "))];
    statements.push(create_key_index_sql(model));
    for index in &model.indexes {
        let name = quoted(&format!("{}.{}", model.name, index.name));
        let fields: Vec<String> = index.fields.iter().map(|field| quoted(field)).collect();
        statements.push(format!("CREATE INDEX {name} ON {table}({})", fields.join(", ")));
    }
    statements.extend(fulltext::create_sql(model));
    statements
}
