//! Relations in SQL: how the rows of related records are joined to a record's row, and the indexes that make it a
//! look-up in both directions (but for a `hasOne` seen from its other end).

use syncline_schema::{Index, Model, Relation, RelationKind, Schema};

use super::sql::quoted;

/// Rows of related records, joined to a row at hand.
pub(super) struct Joined {
    /// Tables, as they stand behind FROM.
    pub(super) from: String,
    /// What holds between the row at hand and those.
    pub(super) on: String,
}

/// Names of a statement's tables that no model can have.
pub(super) fn alias(number: usize) -> String {
    format!("syncline_{number}")
}

/// The records that a relation of the row in table `here` leads to, as `there`. `between` stands between two tables:
/// `JOIN`, or `CROSS JOIN` to keep their order.
pub(super) fn joined(schema: &Schema, relation: &Relation, here: &str, there: &str, between: &str) -> Joined {
    let table = format!("{} AS {there}", quoted(&relation.model));
    match relation.kind {
        RelationKind::HasOne | RelationKind::BelongsTo => {
            Joined { from: table, on: equal(there, &relation.references, here, &relation.fields) }
        }
        RelationKind::HasMany => Joined { from: table, on: equal(there, &relation.fields, here, &relation.references) },
        RelationKind::ManyToMany => {
            let join = format!("{there}_join");
            let to_join = equal(&join, &relation.fields, here, &relation.references);
            // A schema without the join model cannot come from the parser; nothing is linked then.
            let Some((model, onward)) = relation.join(schema) else {
                return Joined { from: table, on: "0".to_owned() };
            };
            Joined {
                from: format!("{} AS {join} {between} {table}", quoted(&model.name)),
                on: format!("{to_join} AND {}", equal(there, &onward.references, &join, &onward.fields)),
            }
        }
    }
}

/// The same relation walked from the row in table `there` at hand, or from one of its join model, to the rows in table
/// `here` from which it leads there: the tables between the two, and what holds.
pub(super) fn backwards(schema: &Schema, relation: &Relation, here: &str, there: &str, from_join: bool) -> Joined {
    match (relation.kind, relation.join(schema)) {
        (RelationKind::ManyToMany, _) if from_join => {
            Joined { from: String::new(), on: equal(there, &relation.fields, here, &relation.references) }
        }
        (RelationKind::ManyToMany, Some((model, onward))) => {
            let join = format!("{there}_join");
            let to_join = equal(&join, &onward.fields, there, &onward.references);
            Joined {
                from: format!("{} AS {join} CROSS JOIN ", quoted(&model.name)),
                on: format!("{to_join} AND {}", equal(here, &relation.references, &join, &relation.fields)),
            }
        }
        _ => Joined { from: String::new(), on: joined(schema, relation, here, there, "CROSS JOIN").on },
    }
}

/// Columns of one table equal those of another, one for one; null equals nothing.
fn equal(one: &str, columns: &[String], other: &str, with: &[String]) -> String {
    let pairs = columns.iter().zip(with);
    let pairs = pairs.map(|(column, with)| format!("{one}.{} = {other}.{}", quoted(column), quoted(with)));
    pairs.collect::<Vec<_>>().join(" AND ")
}

/// The columns of a model by which relations find its records.
fn found_by<'a>(schema: &'a Schema, model: &'a Model) -> impl Iterator<Item = &'a Vec<String>> {
    let own = model.relations.iter().filter(|relation| relation.kind == RelationKind::BelongsTo);
    let leading_here = schema.models.iter().flat_map(|other| &other.relations).filter(|of| of.model == model.name);
    let leading_here = leading_here.filter_map(|relation| match relation.kind {
        RelationKind::HasMany => Some(&relation.fields),
        RelationKind::HasOne | RelationKind::BelongsTo => Some(&relation.references),
        RelationKind::ManyToMany => None,
    });
    own.map(|relation| &relation.fields).chain(leading_here)
}

/// The indexes that the relations of a schema need on a model's table, besides its key and the declared ones.
fn relation_indexes(schema: &Schema, model: &Model) -> Vec<Index> {
    let mut made: Vec<Index> = Vec::new();
    for columns in found_by(schema, model) {
        let key: Vec<String> = model.key_fields().into_iter().map(str::to_owned).collect();
        let declared = model.indexes.iter().chain(&made).map(|index| &index.fields);
        if !declared.chain([&key]).any(|fields| fields.starts_with(columns)) {
            made.push(Index { name: format!("{PREFIX}{}", columns.join(".")), fields: columns.clone() });
        }
    }
    made
}

/// The indexes on a model's table, besides that of its key.
pub(super) fn all_indexes(schema: &Schema, model: &Model) -> Vec<Index> {
    let mut all = relation_indexes(schema, model);
    all.extend_from_slice(&model.indexes);
    all
}

/// Whether an index besides that of the key begins with this field.
pub(super) fn begins_index(schema: &Schema, model: &Model, field: &str) -> bool {
    all_indexes(schema, model).iter().any(|index| index.fields.first().is_some_and(|first| first == field))
}

/// Begins the names of indexes for relations; a schema's own cannot begin so.
const PREFIX: &str = "syncline_to.";

/// What SQLite calls the indexes for a model's relations, with the statements that make them.
pub(crate) fn relation_index_sql(schema: &Schema, model: &Model) -> Vec<(String, String)> {
    let made = relation_indexes(schema, model).into_iter().map(|index| {
        let name = format!("{}.{}", model.name, index.name);
        let columns: Vec<String> = index.fields.iter().map(|field| quoted(field)).collect();
        let sql = format!("CREATE INDEX {} ON {}({})", quoted(&name), quoted(&model.name), columns.join(", "));
        (name, sql)
    });
    made.collect()
}

/// Whether an index of that name is one of those.
pub(crate) fn is_relation_index(name: &str) -> bool {
    name.split_once('.').is_some_and(|(_, index)| index.starts_with(PREFIX))
}
