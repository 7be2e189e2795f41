//! How relations differ. A relation is where it leads and by which fields, whatever these are called.

use super::{ChangeKind, Compare, words};
use crate::{Model, Relation, RelationKind, Schema};

/// Where a relation leads, by names that stay.
#[derive(PartialEq)]
struct Way<'a> {
    kind: RelationKind,
    /// First name of the other model.
    to: &'a str,
    /// First name of the join model.
    through: Option<&'a str>,
    /// Document keys of its fields, each with that of what it refers to.
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Way<'a> {
    fn of(schema: &'a Schema, model: &'a Model, relation: &'a Relation) -> Self {
        let to = schema.model(&relation.model);
        let through = relation.join_model.as_ref().and_then(|join| schema.model(join));
        let (holder, other) = match relation.kind {
            RelationKind::HasOne | RelationKind::BelongsTo => (Some(model), to),
            RelationKind::HasMany => (to, Some(model)),
            RelationKind::ManyToMany => (through, Some(model)),
        };
        let fields = relation.fields.iter().map(|name| document_key(holder, name));
        let references = relation.references.iter().map(|name| document_key(other, name));
        Self {
            kind: relation.kind,
            to: to.map_or(&*relation.model, Model::first_name),
            through: through.map(Model::first_name),
            pairs: fields.zip(references).collect(),
        }
    }
}

fn document_key<'a>(model: Option<&'a Model>, name: &'a str) -> &'a str {
    model.and_then(|model| model.field(name)).map_or(name, |field| &field.document_key)
}

impl Compare<'_> {
    pub(super) fn relations(&mut self, old: &Model, new: &Model) {
        let mut known = Vec::new();
        for relation in &new.relations {
            let place = format!("{}.{}", new.name, relation.name);
            let Some(before) = self.old_relation(old, new, relation) else {
                let sentence = format!("the relation is new: {}", words::relation(relation));
                self.note(ChangeKind::Additive, place, sentence);
                continue;
            };
            known.push(&before.name);
            if before.name != relation.name {
                self.note(ChangeKind::Rename, &place, format!("the relation was called {}", before.name));
            }
            let differs = Way::of(self.old, old, before) != Way::of(self.new, new, relation);
            if differs || before.required != relation.required {
                self.turned(&place, "the relation", &words::relation(before), &words::relation(relation));
            }
            if before.on_delete != relation.on_delete {
                let (was, is) = (words::on_delete(before.on_delete), words::on_delete(relation.on_delete));
                self.turned(&place, "what a delete of the record does to the related ones", was, is);
            }
        }
        for gone in old.relations.iter().filter(|relation| !known.contains(&&relation.name)) {
            let sentence = format!("the relation is gone: {}", words::relation(gone));
            self.note(ChangeKind::Adjusted, format!("{}.{}", new.name, gone.name), sentence);
        }
    }

    /// The relation that `relation` was: of the same name, else one that leads the same way and whose name is gone.
    fn old_relation<'o>(&self, old: &'o Model, new: &Model, relation: &Relation) -> Option<&'o Relation> {
        old.relation(&relation.name).or_else(|| {
            let way = Way::of(self.new, new, relation);
            let mut gone = old.relations.iter().filter(|before| new.relation(&before.name).is_none());
            gone.find(|before| Way::of(self.old, old, before) == way)
        })
    }
}
