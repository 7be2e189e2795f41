//! Related records without generics: reading them, linking them, and what deletes do to them.

use serde_json::{Map, Value};
use syncline_core::filter::Include;

use crate::error::Result;
use crate::store::{Record, Saved, Store, with_token};
use crate::transaction::Transaction;

/// What a delete did.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted<T> {
    /// The record as it was. Its token names the whole delete.
    pub saved: Saved<T>,
    /// The records that it took along, in the order in which they were written.
    pub along: Vec<Along>,
}

/// Another record that a delete changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    /// Its model.
    pub model: String,
    /// The record: as it was if it was deleted, else as it is now.
    pub record: Record,
    /// What happened to it.
    pub effect: Effect,
}

/// What a delete did to another record.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It was deleted as well.
    Deleted,
    /// These fields, which referred to the deleted record, became null; with the values that they had.
    Emptied(Map<String, Value>),
}

impl Store {
    /// The records that a relation of a record leads to: one at most of a `belongsTo` or `hasOne`. A reference whose
    /// record is not here leads to none, until the record arrives. The relation is its name, or an [`Include`] with an
    /// order, a limit and what comes with the related records.
    pub async fn related_json(&self, model: &str, id: &str, relation: impl Into<Include>) -> Result<Vec<Record>> {
        let (model, id, relation) = (model.to_owned(), id.to_owned(), relation.into());
        self.read(move |reader| reader.related(&model, &id, relation.clone())).await
    }

    /// Links two records by a `manyToMany` of the first; linking linked ones does nothing. Neither need be here.
    ///
    /// The link is a record of the relation's join model whose key is the pair, so replicas that link the same two make
    /// one link. It goes when either end is deleted. Returns the link.
    pub async fn link_json(&self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved<Record>> {
        let [model, id, relation, other] = [model, id, relation, other].map(str::to_owned);
        self.write(move |tx| tx.link(&model, &id, &relation, &other)).await
    }

    /// Removes the link between two records; removing none does nothing. Returns the link.
    pub async fn unlink_json(&self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved<Record>> {
        let [model, id, relation, other] = [model, id, relation, other].map(str::to_owned);
        self.write(move |tx| tx.unlink(&model, &id, &relation, &other)).await
    }

    /// As [`Store::delete_json`]; tells what the delete took along.
    pub async fn delete_along_json(&self, model: &str, id: &str) -> Result<Deleted<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        let deleted = self.inner.driver.write(move |tx| tx.delete_along(&model, &id)).await?;
        Ok(told(&self.inner.namespace, deleted))
    }

    /// Deletes a record that may take more along than one transaction holds (500 changes, the record's own included), in
    /// as many transactions as it needs. What depends on others goes first, so nobody sees a reference that dangles
    /// because a part is missing; dropping the future, or an error, leaves what was not reached yet.
    pub async fn delete_in_parts_json(&self, model: &str, id: &str) -> Result<Saved<Record>> {
        loop {
            let (of, which) = (model.to_owned(), id.to_owned());
            if let Some(saved) = self.inner.driver.write(move |tx| tx.delete_part(&of, &which)).await? {
                return Ok(with_token(&self.inner.namespace, saved));
            }
        }
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::related_json`].
    pub fn related_json(&mut self, model: &str, id: &str, relation: impl Into<Include>) -> Result<Vec<Record>> {
        Ok(self.tx.related(model, id, relation)?)
    }

    /// As [`Store::link_json`].
    pub fn link_json(&mut self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.link(model, id, relation, other)?))
    }

    /// As [`Store::unlink_json`].
    pub fn unlink_json(&mut self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.unlink(model, id, relation, other)?))
    }

    /// As [`Store::delete_along_json`].
    pub fn delete_along_json(&mut self, model: &str, id: &str) -> Result<Deleted<Record>> {
        Ok(told(self.namespace, self.tx.delete_along(model, id)?))
    }
}

fn told(namespace: &str, deleted: syncline_engine::Deleted) -> Deleted<Record> {
    Deleted { along: along_of(deleted.along), saved: with_token(namespace, deleted.saved) }
}

pub(crate) fn along_of(along: Vec<syncline_engine::Along>) -> Vec<Along> {
    let each = along.into_iter().map(|along| Along {
        model: along.model,
        record: along.saved.record,
        effect: match along.effect {
            syncline_engine::Effect::Deleted => Effect::Deleted,
            syncline_engine::Effect::Emptied(was) => Effect::Emptied(was),
        },
    });
    each.collect()
}
