//! Writes under a condition, of many records, and by other fields than the key: with the structs that `models!` makes.

use syncline_core::filter::Filter;

use crate::error::Result;
use crate::store::{Record, Saved, Store};
use crate::transaction::Transaction;
use crate::typed::{Condition, GroupBy, Model, RecordKey, from_json};
use crate::typed_store::{to_save, typed};
use crate::writes::{DeletedCount, DeletedWhere};

impl Store {
    /// As [`Store::save`], if the stored record with the same key matches; else as [`Store::update_if`]. Nothing is
    /// created, and no deleted record comes back.
    pub async fn save_if<M: Model>(&self, record: &M, condition: Condition<M>) -> Result<Saved<M>> {
        typed(self.save_if_json(M::NAME, to_save(record)?, Filter::from(condition)).await?)
    }

    /// As [`Store::update`], if the record matches as it stands when the update is done: what was decided from an older
    /// sight of it is not written over what happened meanwhile. The condition may lead to related records, as in
    /// queries.
    ///
    /// Where it does not hold nothing is written, and the error is
    /// [`StoreError::ConditionNotMet`](crate::StoreError::ConditionNotMet). No condition holds of a record that is not
    /// here or deleted. It is asked on this device alone: another one may at the same time write what makes it false
    /// there, and both writes stand.
    ///
    /// ```
    /// # use syncline::{Error, Store, StoreError};
    /// syncline::models!(sdl = "type Seat @model { number: Int! takenBy: String }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let seat = store.save(&Seat::new(7)).await?.record;
    /// let free = seat::taken_by.is_null();
    /// store.update_if(&seat.id, free.clone(), |seat| seat.taken_by = Some("Ann".to_owned())).await?;
    /// let refused = store.update_if(&seat.id, free, |seat| seat.taken_by = Some("Bob".to_owned())).await.unwrap_err();
    /// assert!(matches!(refused, Error::Store(StoreError::ConditionNotMet { .. })));
    /// # store.close().await }
    /// ```
    pub async fn update_if<M: Model>(
        &self,
        id: impl RecordKey<M>,
        condition: Condition<M>,
        act: impl FnOnce(&mut M) + Send + 'static,
    ) -> Result<Saved<M>> {
        let id = id.as_key().to_owned();
        self.transaction(move |tx| tx.update_if(&id, condition, act)).await
    }

    /// As [`Store::delete`], if the record matches; else as [`Store::update_if`].
    pub async fn delete_if<M: Model>(&self, id: impl RecordKey<M>, condition: Condition<M>) -> Result<Saved<M>> {
        typed(self.delete_if_json(M::NAME, id.as_key(), Filter::from(condition)).await?)
    }

    /// Saves all records, each as [`Store::save`] does, as one transaction: all or none, and visible at once on every
    /// peer. At most 500 changes and 256 KiB. Of two with the same key the second updates the first.
    ///
    /// If any does not fit the model, [`StoreError::InvalidBatch`](crate::StoreError::InvalidBatch) tells every bad field
    /// of every record, by its place in the slice.
    pub async fn save_all<M: Model>(&self, records: &[M]) -> Result<Vec<Saved<M>>> {
        self.save_all_json(M::NAME, all_to_save(records)?).await?.into_iter().map(typed).collect()
    }

    /// Saves over the one record that is equal in these fields (one, or a tuple of up to four), or creates one if none
    /// is. The record must have a value in each of them; its id may stay empty. As with [`Store::save`], what is `None` in
    /// it becomes null.
    ///
    /// If several are equal there, or the one that is has another key than the record brings,
    /// [`StoreError::Ambiguous`](crate::StoreError::Ambiguous) names them. Replicas that do not know of each other's
    /// records may each create one: where that must not be, make the fields the model's key (`@primaryKey`), and
    /// [`Store::save`] does this.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "type Product @model { sku: String! @index(name: \"bySku\") price: Float! }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let first = store.upsert(&Product::new("A-7", 10.0), product::sku).await?.record;
    /// let again = store.upsert(&Product::new("A-7", 12.5), product::sku).await?.record;
    /// assert_eq!((again.id, again.price), (first.id, 12.5));
    /// # store.close().await }
    /// ```
    pub async fn upsert<M: Model>(&self, record: &M, by: impl GroupBy<M>) -> Result<Saved<M>> {
        let by = by.fields();
        let record = to_save(record)?;
        typed(self.write(move |tx| tx.upsert(M::NAME, &record, &by)).await?)
    }

    /// Deletes all records that match, with what the schema's `onDelete` takes along and with their links, as one
    /// transaction: all or none, and visible at once on every peer. Which ones match is decided when it is done; none is
    /// no error. [`Condition::all`] deletes every record of the model.
    ///
    /// More than 500 records in all are refused
    /// ([`StoreError::TooManyDeletes`](crate::StoreError::TooManyDeletes)): [`Store::delete_where_in_parts`] deletes them.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "type Task @model { title: String! done: Boolean }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// store.save_all(&[Task::new("Buy milk").with_done(true), Task::new("Buy bread")]).await?;
    /// let deleted = store.delete_where(task::done.eq(true)).await?;
    /// assert_eq!(deleted.records[0].title, "Buy milk");
    /// assert_eq!(store.query::<Task>().count().await?, 1);
    /// # store.close().await }
    /// ```
    pub async fn delete_where<M: Model>(&self, condition: Condition<M>) -> Result<DeletedWhere<M>> {
        seen(self.delete_where_json(M::NAME, Filter::from(condition)).await?)
    }

    /// Deletes all records that match, with what they take along, in as many transactions as it needs. Which ones is
    /// decided once, when it begins: those that an edit makes match or no longer match meanwhile change nothing of that.
    ///
    /// What depends on others goes first, so nobody sees a reference that dangles because a part is missing. Dropping the
    /// future, or an error, leaves what was not reached yet.
    pub async fn delete_where_in_parts<M: Model>(&self, condition: Condition<M>) -> Result<DeletedCount> {
        self.delete_where_in_parts_json(M::NAME, Filter::from(condition)).await
    }
}

impl Transaction<'_, '_> {
    /// Goes on only if the record matches, with what the transaction wrote so far; else the error is
    /// [`StoreError::ConditionNotMet`](crate::StoreError::ConditionNotMet). No condition holds of a record that is not
    /// here or deleted. What follows may concern any record.
    pub fn require<M: Model>(&mut self, id: impl RecordKey<M>, condition: Condition<M>) -> Result<()> {
        self.require_json(M::NAME, id.as_key(), Filter::from(condition))
    }

    /// As [`Store::save_if`].
    pub fn save_if<M: Model>(&mut self, record: &M, condition: Condition<M>) -> Result<Saved<M>> {
        typed(self.save_if_json(M::NAME, &to_save(record)?, Filter::from(condition))?)
    }

    /// As [`Store::update_if`].
    pub fn update_if<M: Model>(
        &mut self,
        id: impl RecordKey<M>,
        condition: Condition<M>,
        act: impl FnOnce(&mut M),
    ) -> Result<Saved<M>> {
        self.require(&id, condition)?;
        self.update(id, act)
    }

    /// As [`Store::delete_if`].
    pub fn delete_if<M: Model>(&mut self, id: impl RecordKey<M>, condition: Condition<M>) -> Result<Saved<M>> {
        typed(self.delete_if_json(M::NAME, id.as_key(), Filter::from(condition))?)
    }

    /// As [`Store::save_all`]. If it fails, none of these records is saved, and the transaction can go on.
    pub fn save_all<M: Model>(&mut self, records: &[M]) -> Result<Vec<Saved<M>>> {
        self.save_all_json(M::NAME, &all_to_save(records)?)?.into_iter().map(typed).collect()
    }

    /// As [`Store::upsert`].
    pub fn upsert<M: Model>(&mut self, record: &M, by: impl GroupBy<M>) -> Result<Saved<M>> {
        let by = by.fields();
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        typed(self.upsert_json(M::NAME, &to_save(record)?, &by)?)
    }

    /// As [`Store::delete_where`].
    pub fn delete_where<M: Model>(&mut self, condition: Condition<M>) -> Result<DeletedWhere<M>> {
        seen(self.delete_where_json(M::NAME, Filter::from(condition))?)
    }
}

fn all_to_save<M: Model>(records: &[M]) -> Result<Vec<Record>> {
    records.iter().map(to_save).collect()
}

fn seen<M: Model>(deleted: DeletedWhere<Record>) -> Result<DeletedWhere<M>> {
    let DeletedWhere { records, along, token } = deleted;
    let records = records.into_iter().map(|record| Ok(from_json(record)?)).collect::<Result<_>>()?;
    Ok(DeletedWhere { records, along, token })
}
