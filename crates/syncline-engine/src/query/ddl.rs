//! The table and indexes of a model.

use syncline_core::record::columns;
use syncline_schema::{Key, Model, Schema};

use super::sql::{key_columns, quoted};
use crate::storage::fulltext;

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
    let unique = match model.key {
        Key::Id => "UNIQUE ",
        Key::Custom(_) => "",
    };
    let key_index = quoted(&format!("{}.syncline_key", model.name));
    let key_fields = key_columns(model).join(", ");
    statements.push(format!("CREATE {unique}INDEX {key_index} ON {table}({key_fields})"));
    for index in &model.indexes {
        let name = quoted(&format!("{}.{}", model.name, index.name));
        let fields: Vec<String> = index.fields.iter().map(|field| quoted(field)).collect();
        statements.push(format!("CREATE INDEX {name} ON {table}({})", fields.join(", ")));
    }
    statements.extend(fulltext::create_sql(model));
    statements
}
