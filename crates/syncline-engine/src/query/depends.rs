//! What else than records of its own model a query looks at: where a change may make its result another.

use std::collections::BTreeSet;

use syncline_core::filter::{Filter, Include};
use syncline_schema::{Model, Relation, RelationKind, Schema};

use super::error::QueryError;
use super::{Condition, Query, no_model};

/// A model to which relations lead from a query's own, and what the query wants of it.
///
/// A change of such a record concerns the query if the record's `columns`, before or after the change, hold what the
/// records at the other end of the path's last relation refer to, or are referred to by; or, for [`Use::Shown`], if the
/// record is among those shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The model; of a `manyToMany`, its join model as well, as a dependency of its own.
    pub model: String,
    /// The model's columns by which records of it are found.
    pub columns: Vec<String>,
    /// Names of the relations that lead here from the query's model.
    pub path: Vec<String>,
    /// What for.
    pub used: Use,
}

/// What a query wants of related records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// They decide which records are found.
    Found,
    /// They are shown with the records.
    Shown,
}

impl Query {
    /// What the result depends on besides the records of [`Query::model`]: one entry for each model at each place.
    pub fn dependencies(&self, schema: &Schema) -> Result<BTreeSet<Dependency>, QueryError> {
        let model = schema.model(&self.model).ok_or_else(|| no_model(schema, &self.model))?;
        let mut all = All { schema, found: BTreeSet::new() };
        if let Condition::Filter(filter) = &self.condition {
            all.of_filter(model, &filter.resolve(schema, model)?, &[]);
        }
        Include::resolve(schema, model, &self.include)?;
        all.of_includes(model, &self.include, &[]);
        Ok(all.found)
    }
}

struct All<'a> {
    schema: &'a Schema,
    found: BTreeSet<Dependency>,
}

impl<'a> All<'a> {
    fn of_filter(&mut self, model: &'a Model, filter: &Filter, path: &[String]) {
        match filter {
            Filter::And(filters) | Filter::Or(filters) => {
                filters.iter().for_each(|filter| self.of_filter(model, filter, path));
            }
            Filter::Not(filter) => self.of_filter(model, filter, path),
            Filter::Related { relation, filter } => {
                if let Some((there, path)) = self.step(model, relation, path, Use::Found) {
                    self.of_filter(there, filter, &path);
                }
            }
            Filter::All
            | Filter::Compare { .. }
            | Filter::Between { .. }
            | Filter::In { .. }
            | Filter::Contains { .. }
            | Filter::BeginsWith { .. } => {}
        }
    }

    fn of_includes(&mut self, model: &'a Model, includes: &[Include], path: &[String]) {
        for include in includes {
            if let Some((there, path)) = self.step(model, &include.relation, path, Use::Shown) {
                self.of_includes(there, &include.include, &path);
            }
        }
    }

    /// Notes what one relation leads to; gives back where it leads.
    fn step(&mut self, model: &'a Model, name: &str, path: &[String], used: Use) -> Option<(&'a Model, Vec<String>)> {
        let relation: &Relation = model.relation(name)?;
        let there = self.schema.model(&relation.model)?;
        let path: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
        let mut note = |model: &Model, columns: &[String]| {
            let (model, columns, path) = (model.name.clone(), columns.to_vec(), path.clone());
            self.found.insert(Dependency { model, columns, path, used });
        };
        match relation.kind {
            RelationKind::HasOne | RelationKind::BelongsTo => note(there, &relation.references),
            RelationKind::HasMany => note(there, &relation.fields),
            RelationKind::ManyToMany => {
                let (join, onward) = relation.join(self.schema)?;
                note(join, &[relation.fields.as_slice(), onward.fields.as_slice()].concat());
                note(there, &onward.references);
            }
        }
        Some((there, path))
    }
}
