//! Writes under a condition, of many records, and by other fields than the key: JSON, without generics.

use syncline_core::vector::Token;
use syncline_engine::query::Condition;

use crate::ahead;
use crate::error::Result;
use crate::related::{Along, along_of};
use crate::store::{Record, Saved, Store, token_of, with_token, with_tokens};
use crate::transaction::Transaction;

/// What a delete by condition did.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedWhere<T> {
    /// The records that matched, as they were, in the order of their key.
    pub records: Vec<T>,
    /// The records that they took along, in the order in which they were written. One that matched is not among them.
    pub along: Vec<Along>,
    /// Names the whole delete, to wait for it elsewhere; `None` if nothing matched, or the model is `@local`.
    pub token: Option<Token>,
}

/// How much a delete in parts deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedCount {
    /// Records that matched.
    pub records: u64,
    /// Others, that were deleted along or lost their reference to them.
    pub along: u64,
}

impl Store {
    /// As [`Store::save_json`], if the stored record matches: see [`Store::save_if`].
    pub async fn save_if_json(
        &self,
        model: &str,
        record: Record,
        condition: impl Into<Condition>,
    ) -> Result<Saved<Record>> {
        let (model, condition) = (model.to_owned(), condition.into());
        self.write(move |tx| tx.save_if(&model, &record, &condition)).await
    }

    /// As [`Store::update_json`], if the record matches: see [`Store::update_if`].
    pub async fn update_if_json(
        &self,
        model: &str,
        id: &str,
        patch: Record,
        condition: impl Into<Condition>,
    ) -> Result<Saved<Record>> {
        let (model, id, condition) = (model.to_owned(), id.to_owned(), condition.into());
        self.write(move |tx| tx.update_if(&model, &id, &patch, &condition)).await
    }

    /// As [`Store::delete_json`], if the record matches: see [`Store::update_if`].
    pub async fn delete_if_json(
        &self,
        model: &str,
        id: &str,
        condition: impl Into<Condition>,
    ) -> Result<Saved<Record>> {
        let (model, id, condition) = (model.to_owned(), id.to_owned(), condition.into());
        self.write(move |tx| tx.delete_if(&model, &id, &condition)).await
    }

    /// Saves all records, each as [`Store::save_json`] does, as one transaction, or none: see [`Store::save_all`].
    pub async fn save_all_json(&self, model: &str, records: Vec<Record>) -> Result<Vec<Saved<Record>>> {
        let model = model.to_owned();
        let saved = if ahead::is_shared(records.len()) {
            self.inner.driver.write_alone(move |tx| ahead::save_all(tx, &model, records)).await?
        } else {
            self.inner.driver.write(move |tx| tx.save_all(&model, &records)).await?
        };
        Ok(with_tokens(&self.inner.namespace, saved))
    }

    /// Saves over the one record that is equal in these fields (names, or paths into embedded values), or creates one if
    /// none is: see [`Store::upsert`]. Of the record found, only the fields that are given change.
    pub async fn upsert_json(&self, model: &str, record: Record, by: &[&str]) -> Result<Saved<Record>> {
        let (model, by) = (model.to_owned(), owned(by));
        self.write(move |tx| tx.upsert(&model, &record, &by)).await
    }

    /// Deletes all records that match, as one transaction: see [`Store::delete_where`]. An empty filter matches all.
    pub async fn delete_where_json(
        &self,
        model: &str,
        condition: impl Into<Condition>,
    ) -> Result<DeletedWhere<Record>> {
        let (model, condition) = (model.to_owned(), condition.into());
        let deleted = self.inner.driver.write(move |tx| tx.delete_where(&model, &condition)).await?;
        Ok(told(&self.inner.namespace, deleted))
    }

    /// Deletes all records that match, in as many transactions as it needs: see [`Store::delete_where_in_parts`].
    pub async fn delete_where_in_parts_json(
        &self,
        model: &str,
        condition: impl Into<Condition>,
    ) -> Result<DeletedCount> {
        let (model, condition) = (model.to_owned(), condition.into());
        let mut sweep = self.inner.driver.write(move |tx| tx.sweep(&model, &condition)).await?;
        while !sweep.is_done() {
            let part = |mut sweep: syncline_engine::Sweep| {
                self.inner.driver.write(move |tx| {
                    tx.sweep_part(&mut sweep)?;
                    Ok(sweep)
                })
            };
            sweep = part(sweep).await?;
        }
        Ok(DeletedCount { records: sweep.records(), along: sweep.along() })
    }
}

impl Transaction<'_, '_> {
    /// As [`Transaction::require`].
    pub fn require_json(&mut self, model: &str, id: &str, condition: impl Into<Condition>) -> Result<()> {
        Ok(self.tx.require(model, id, &condition.into())?)
    }

    /// As [`Store::save_if_json`].
    pub fn save_if_json(
        &mut self,
        model: &str,
        record: &Record,
        condition: impl Into<Condition>,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.save_if(model, record, &condition.into())?))
    }

    /// As [`Store::update_if_json`].
    pub fn update_if_json(
        &mut self,
        model: &str,
        id: &str,
        patch: &Record,
        condition: impl Into<Condition>,
    ) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.update_if(model, id, patch, &condition.into())?))
    }

    /// As [`Store::delete_if_json`].
    pub fn delete_if_json(&mut self, model: &str, id: &str, condition: impl Into<Condition>) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.delete_if(model, id, &condition.into())?))
    }

    /// As [`Store::save_all_json`]. If it fails, none of these records is saved, and the transaction can go on.
    pub fn save_all_json(&mut self, model: &str, records: &[Record]) -> Result<Vec<Saved<Record>>> {
        let saved = self.tx.save_all(model, records)?;
        Ok(with_tokens(self.namespace, saved))
    }

    /// As [`Store::upsert_json`].
    pub fn upsert_json(&mut self, model: &str, record: &Record, by: &[&str]) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.upsert(model, record, &owned(by))?))
    }

    /// As [`Store::delete_where_json`].
    pub fn delete_where_json(&mut self, model: &str, condition: impl Into<Condition>) -> Result<DeletedWhere<Record>> {
        Ok(told(self.namespace, self.tx.delete_where(model, &condition.into())?))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn told(namespace: &str, deleted: syncline_engine::DeletedWhere) -> DeletedWhere<Record> {
    let all = deleted.records.iter().chain(deleted.along.iter().map(|along| &along.saved));
    let last = all.filter_map(|saved| saved.dot).max_by_key(|(dot, _)| dot.counter);
    DeletedWhere {
        token: last.map(|dot| token_of(namespace, dot)),
        records: deleted.records.into_iter().map(|saved| saved.record).collect(),
        along: along_of(deleted.along),
    }
}
