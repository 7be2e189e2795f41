//! Which fields hold ids, and of which model.

use std::collections::BTreeMap;

use crate::{FieldKind, Key, Managed, Model, Relation, RelationKind, Scalar, Schema};

/// Fields that hold the generated id of a record: the id itself, and those by which relations refer to it.
pub(crate) struct Ids<'a> {
    /// By model and field; `None` where a field refers to records of several models.
    of: BTreeMap<(&'a str, &'a str), Option<&'a str>>,
}

impl<'a> Ids<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let mut ids = Self { of: BTreeMap::new() };
        for model in &schema.models {
            let own = model.fields.iter().filter(|field| field.managed == Managed::Id);
            own.for_each(|field| ids.refer(model, &field.name, &model.name));
            for relation in &model.relations {
                ids.follow(schema, model, relation);
            }
        }
        ids
    }

    /// The model whose records the field names, if they have generated ids.
    pub(crate) fn of(&self, model: &str, field: &str) -> Option<&'a str> {
        self.of.get(&(model, field)).copied().flatten()
    }

    /// Takes note of the fields by which a relation refers.
    fn follow(&mut self, schema: &'a Schema, model: &'a Model, relation: &'a Relation) {
        let there = schema.model(&relation.model);
        let (holder, named) = match relation.kind {
            RelationKind::HasOne | RelationKind::BelongsTo => (Some(model), there),
            RelationKind::HasMany => (there, Some(model)),
            RelationKind::ManyToMany => {
                (relation.join_model.as_deref().and_then(|join| schema.model(join)), Some(model))
            }
        };
        let (Some(holder), Some(named)) = (holder, named) else { return };
        for (field, reference) in relation.fields.iter().zip(&relation.references) {
            if named.key == Key::Id && reference == "id" {
                self.refer(holder, field, &named.name);
            }
        }
    }

    fn refer(&mut self, holder: &'a Model, field: &'a str, named: &'a str) {
        let is_id = |held: &crate::Field| held.name == field && held.kind == FieldKind::Scalar(Scalar::Id);
        if holder.fields.iter().any(is_id) {
            let known = self.of.entry((&holder.name, field)).or_insert(Some(named));
            *known = known.filter(|known| *known == named);
        }
    }
}
