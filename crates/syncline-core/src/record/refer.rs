//! References by value: `{"post": {"id": "…"}}` in place of the fields that hold the other record's key.

use std::borrow::Cow;

use serde_json::{Map, Value};
use syncline_schema::{Field, Model, Relation, RelationKind, did_you_mean};

use super::check::Checker;

impl Checker<'_> {
    /// The record with the key fields of the records that its relations name; every fault is noted.
    ///
    /// A `belongsTo` or `hasOne` takes an object with the other record's key, and passes over what else of that record
    /// the object holds; null means no record, unless the fields that hold the key say otherwise: so does a dangling
    /// reference read. Whether the other record is here is not asked (DataStore refuses a child whose parent is not in
    /// the local store): it may arrive later, and a reference to it is as good before.
    pub(super) fn with_references<'r>(&mut self, record: &'r Map<String, Value>) -> Cow<'r, Map<String, Value>> {
        let model = self.model;
        let named: Vec<&Relation> = model.relations.iter().filter(|of| record.contains_key(&of.name)).collect();
        let mut whole = Cow::Borrowed(record);
        for relation in named {
            let value = whole.to_mut().remove(&relation.name).unwrap_or(Value::Null);
            match self.key_of(relation, &value) {
                Some(key) => self.refer(relation, whole.to_mut(), key),
                None => self.excuse(&relation.fields),
            }
        }
        self.no_empty_references(&whole);
        whole
    }

    /// Which record a field would name, as the rest of a sentence about the field.
    pub(super) fn reference_held_in(&self, field: &str) -> String {
        let mut held = self.model.relations.iter().filter(|relation| relation.is_to_one());
        let holds = |relation: &&Relation| relation.fields.iter().any(|name| name == field);
        held.find(holds).map_or_else(String::new, |relation| format!(": give `{}` {}", relation.name, shape(relation)))
    }

    /// The values that the relation's fields must have to lead to this record; all null for null.
    fn key_of(&mut self, relation: &Relation, value: &Value) -> Option<Vec<Value>> {
        if !relation.is_to_one() {
            self.fault(&relation.name, &instead(relation));
            return None;
        }
        match value {
            Value::Null => Some(vec![Value::Null; relation.fields.len()]),
            Value::Object(other) => self.key_in(relation, other),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message =
                    format!("expected the {} that it refers to, {}, found {value}", relation.model, shape(relation));
                self.fault(&relation.name, &message);
                None
            }
        }
    }

    fn key_in(&mut self, relation: &Relation, other: &Map<String, Value>) -> Option<Vec<Value>> {
        let Some(model) = self.schema.model(&relation.model) else {
            self.fault(&relation.name, &format!("the schema has no model {}", relation.model));
            return None;
        };
        self.only_names_of(model, relation, other);
        let mut key = Vec::new();
        for name in &relation.references {
            let place = format!("{}.{name}", relation.name);
            match (other.get(name).filter(|value| !value.is_null()), model.field(name)) {
                (Some(value), Some(field)) => key.extend(self.value(&field.kind, &place, value)),
                (None, _) | (_, None) => {
                    self.fault(
                        &place,
                        &format!("it is missing: a {} is named by its key, {}", model.name, shape(relation)),
                    );
                }
            }
        }
        (key.len() == relation.references.len()).then_some(key)
    }

    /// Names what the other record cannot have: a slip there must not pass as something to be left out.
    fn only_names_of(&mut self, model: &Model, relation: &Relation, other: &Map<String, Value>) {
        let names = || model.fields.iter().map(|field: &Field| field.name.as_str());
        for name in other.keys().filter(|name| model.field(name).is_none() && model.relation(name).is_none()) {
            let cure = did_you_mean(name, names()).unwrap_or_else(|| format!("give {}", shape(relation)));
            self.fault(&format!("{}.{name}", relation.name), &format!("{} has no such field; {cure}", model.name));
        }
    }

    /// Puts the key into the fields for it.
    fn refer(&mut self, relation: &Relation, record: &mut Map<String, Value>, key: Vec<Value>) {
        let is_null = key.iter().all(Value::is_null);
        for (field, value) in relation.fields.iter().zip(key) {
            match record.get(field) {
                None => {
                    record.insert(field.clone(), value);
                }
                Some(given) if is_null || *given == value => {}
                Some(_) => {
                    let message = format!("it names another {} than `{field}` does: give one of them", relation.model);
                    self.fault(&relation.name, &message);
                }
            }
        }
    }

    /// No record has an empty key: who refers to one has forgotten to save it.
    fn no_empty_references(&mut self, record: &Map<String, Value>) {
        let model = self.model;
        for relation in model.relations.iter().filter(|relation| relation.is_to_one()) {
            for field in relation.fields.iter().filter(|field| !model.is_key_field(field)) {
                if record.get(field).and_then(Value::as_str) == Some("") {
                    let message = format!(
                        "it is empty, and no {} is named so: give the key of one that is saved, or null",
                        relation.model
                    );
                    self.fault(field, &message);
                }
            }
        }
    }
}

/// How a reference by value looks, and by fields.
fn shape(relation: &Relation) -> String {
    let by_value: Vec<String> = relation.references.iter().map(|name| format!("\"{name}\": …")).collect();
    let by_fields: Vec<String> = relation.fields.iter().map(|name| format!("`{name}`")).collect();
    format!("as an object {{{}}} or by {}", by_value.join(", "), by_fields.join(", "))
}

/// What to do instead of saving many records as a part of one.
fn instead(relation: &Relation) -> String {
    match (relation.kind, &relation.join_model) {
        (RelationKind::ManyToMany, Some(join)) => {
            format!("it leads to many records: link them one by one, or save {join}, not this")
        }
        (RelationKind::HasMany | RelationKind::HasOne | RelationKind::BelongsTo | RelationKind::ManyToMany, _) => {
            let fields: Vec<String> = relation.fields.iter().map(|name| format!("`{name}`")).collect();
            format!("it leads to many records: save each {} with its {}", relation.model, fields.join(", "))
        }
    }
}
