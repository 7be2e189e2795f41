//! Where relations lead: the seam through which a plain evaluation finds other records, and what relations mean over
//! records in memory.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_schema::{Model, Relation, RelationKind, Schema, did_you_mean};

use super::evaluate::equal;

/// How many relations deep filters and includes go.
pub const RELATION_DEPTH_MAX: usize = 8;

/// Knows the records that those of one model lead to.
pub trait Related {
    /// Whether a relation of the record leads to any record that passes the test, which is told who knows the related
    /// record's own relations.
    fn any(&self, record: &Map<String, Value>, relation: &str, test: &mut Test<'_>) -> bool;
}

/// A question asked of a related record.
type Test<'t> = dyn FnMut(&Map<String, Value>, &dyn Related) -> bool + 't;

/// Relations that lead nowhere.
pub(super) struct Nobody;

impl Related for Nobody {
    fn any(&self, _: &Map<String, Value>, _: &str, _: &mut Test<'_>) -> bool {
        false
    }
}

/// Records in memory, by model: the plain meaning of relations.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    schema: &'a Schema,
    model: &'a Model,
    records: &'a BTreeMap<String, Vec<Map<String, Value>>>,
}

impl<'a> Tables<'a> {
    /// All records, seen from those of `model`.
    pub fn new(schema: &'a Schema, model: &'a Model, records: &'a BTreeMap<String, Vec<Map<String, Value>>>) -> Self {
        Self { schema, model, records }
    }

    /// The records that a relation of the record leads to, as they stand in the table.
    pub fn related(&self, record: &Map<String, Value>, relation: &Relation) -> Vec<&'a Map<String, Value>> {
        let found = self.of(&relation.model);
        match relation.kind {
            RelationKind::HasOne | RelationKind::BelongsTo | RelationKind::HasMany => {
                found.iter().filter(|other| leads_to(relation, record, other)).collect()
            }
            RelationKind::ManyToMany => {
                let Some((join, onward)) = relation.join(self.schema) else { return Vec::new() };
                let links = self.of(&join.name).iter().filter(|link| leads_to(relation, record, link));
                let links: Vec<_> = links.collect();
                found.iter().filter(|other| links.iter().any(|link| leads_to(onward, link, other))).collect()
            }
        }
    }

    fn of(&self, model: &str) -> &'a [Map<String, Value>] {
        self.records.get(model).map_or(&[], Vec::as_slice)
    }
}

impl Related for Tables<'_> {
    fn any(&self, record: &Map<String, Value>, relation: &str, test: &mut Test<'_>) -> bool {
        let Some(relation) = self.model.relation(relation) else { return false };
        let Some(model) = self.schema.model(&relation.model) else { return false };
        let there = Self { model, ..*self };
        self.related(record, relation).into_iter().any(|other| test(other, &there))
    }
}

/// Whether a record's relation leads to the other record; of a `manyToMany`, to this record of the join model. Null
/// leads nowhere.
pub fn leads_to(relation: &Relation, record: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let (here, there) = if relation.is_to_one() {
        (&relation.fields, &relation.references)
    } else {
        (&relation.references, &relation.fields)
    };
    here.iter().zip(there).all(|(here, there)| {
        let (here, there) = (record.get(here), other.get(there));
        here.zip(there).is_some_and(|(here, there)| !here.is_null() && equal(here, there))
    })
}

/// The relation of that name; `Err` is a message with a suggestion.
pub(super) fn relation_at<'a>(model: &'a Model, name: &str) -> Result<&'a Relation, String> {
    model.relation(name).ok_or_else(|| {
        let names = || model.relations.iter().map(|relation| relation.name.as_str());
        let cure = did_you_mean(name, names()).unwrap_or_else(|| match names().collect::<Vec<_>>() {
            none if none.is_empty() => "it has none".to_owned(),
            some => format!("its relations are {}", some.join(", ")),
        });
        format!("{} has no relation `{name}`; {cure}", model.name)
    })
}

/// The model that a relation leads to.
pub(super) fn target<'a>(schema: &'a Schema, relation: &Relation) -> Result<&'a Model, String> {
    schema.model(&relation.model).ok_or_else(|| format!("the schema has no model {}", relation.model))
}
