//! The typed face of the store: the structs that `models!` makes, over the JSON face.

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value;
use syncline_core::filter::Order;
use syncline_engine::query::Query;

use crate::error::{Error, Result};
use crate::live::LiveQuery;
use crate::observe::Observer;
use crate::steps::Diff;
use crate::store::{Record, Saved, Store};
use crate::transaction::Transaction;
use crate::typed::{
    Comparable, Condition, CounterField, Mismatch, Model, OrderBy, ReadAs, RecordKey, SetField, TextField, changed,
    from_json, to_json,
};

impl From<Mismatch> for Error {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::Record { model, place, message } => {
                Self::Type { model: model.to_owned(), reason: format!("{place}{message}") }
            }
            Mismatch::Struct { model, message } => Self::Type { model: model.to_owned(), reason: message },
        }
    }
}

impl Store {
    /// Saves a record: creates it, or updates the one that has its key. Only fields whose value differs from
    /// the stored one are written; to change some fields of a record others edit too, use [`Store::update`].
    pub async fn save<M: Model>(&self, record: &M) -> Result<Saved<M>> {
        typed(self.save_json(M::NAME, to_save(record)?).await?)
    }

    /// Changes a record: `act` gets it as it stands, and only what it changed is written.
    pub async fn update<M: Model>(
        &self,
        id: impl RecordKey<M>,
        act: impl Fn(&mut M) + Send + 'static,
    ) -> Result<Saved<M>> {
        let id = id.as_key().to_owned();
        self.transaction(move |tx| tx.update(id, act)).await
    }

    /// The record of that id; `None` if there is none or it is deleted.
    pub async fn get<M: Model>(&self, id: impl RecordKey<M>) -> Result<Option<M>> {
        self.get_json(M::NAME, id.as_key()).await?.map(from_json).transpose().map_err(Error::from)
    }

    /// Deletes a record, with what the schema's `onDelete` takes along and with its links.
    pub async fn delete<M: Model>(&self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.delete_json(M::NAME, id.as_key()).await?)
    }

    /// Brings a deleted record back as it was. What a delete took along stays deleted.
    pub async fn undelete<M: Model>(&self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.undelete_json(M::NAME, id.as_key()).await?)
    }

    /// Asks for records: narrow it down, then [`TypedQuery::all`], [`TypedQuery::count`] or [`TypedQuery::observe`].
    pub fn query<M: Model>(&self) -> TypedQuery<M> {
        TypedQuery { store: self.clone(), query: Query::new(M::NAME), model: PhantomData }
    }

    /// Deletes `delete` characters of a text at `at`, then inserts. Positions in code points. Concurrent edits of
    /// the same text merge character by character.
    pub async fn edit_text<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Saved<M>> {
        typed(self.splice(M::NAME, id.as_key(), field.name(), at, delete, insert).await?)
    }

    /// Turns a text into this one with few edits, so that concurrent edits elsewhere in it survive.
    pub async fn set_text<M: Model>(&self, id: impl RecordKey<M>, field: TextField<M>, text: &str) -> Result<Saved<M>> {
        let patch = Record::from_iter([(field.name().to_owned(), Value::from(text))]);
        typed(self.update_json(M::NAME, id.as_key(), patch).await?)
    }

    /// Adds to a counter; concurrent additions add up.
    pub async fn increment<M: Model>(
        &self,
        id: impl RecordKey<M>,
        field: CounterField<M>,
        by: i64,
    ) -> Result<Saved<M>> {
        typed(self.increment_json(M::NAME, id.as_key(), field.name(), by).await?)
    }

    /// Adds an element to a set; it stays against a concurrent removal.
    pub async fn add<M: Model, E: Comparable>(
        &self,
        id: impl RecordKey<M>,
        field: SetField<M, E>,
        element: impl Into<E> + Send,
    ) -> Result<Saved<M>> {
        let element = element.into().into_value();
        typed(self.add_json(M::NAME, id.as_key(), field.name(), &element).await?)
    }

    /// Removes an element from a set.
    pub async fn remove<M: Model, E: Comparable>(
        &self,
        id: impl RecordKey<M>,
        field: SetField<M, E>,
        element: impl Into<E> + Send,
    ) -> Result<Saved<M>> {
        let element = element.into().into_value();
        typed(self.remove_json(M::NAME, id.as_key(), field.name(), &element).await?)
    }

    /// Follows every change of a model from now on: one event per change, with the record as it stands then.
    pub fn observe<M: Model>(&self) -> Observer<M> {
        Observer::new(self, Some(M::NAME.to_owned()), Arc::new(from_json))
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::save`].
    pub fn save<M: Model>(&mut self, record: &M) -> Result<Saved<M>> {
        typed(self.save_json(M::NAME, &to_save(record)?)?)
    }

    /// As [`Store::update`].
    pub fn update<M: Model>(&mut self, id: impl RecordKey<M>, act: impl FnOnce(&mut M)) -> Result<Saved<M>> {
        let Some(before) = self.get::<M>(&id)? else {
            // The engine knows whether it is deleted or never was.
            return typed(self.update_json(M::NAME, id.as_key(), &Record::new())?);
        };
        let mut after = before.clone();
        act(&mut after);
        typed(self.update_json(M::NAME, id.as_key(), &changed(&before, &after)?)?)
    }

    /// As [`Store::get`].
    pub fn get<M: Model>(&mut self, id: impl RecordKey<M>) -> Result<Option<M>> {
        self.get_json(M::NAME, id.as_key())?.map(from_json).transpose().map_err(Error::from)
    }

    /// As [`Store::edit_text`].
    pub fn edit_text<M: Model>(
        &mut self,
        id: impl RecordKey<M>,
        field: TextField<M>,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Saved<M>> {
        typed(self.splice(M::NAME, id.as_key(), field.name(), at, delete, insert)?)
    }

    /// As [`Store::set_text`].
    pub fn set_text<M: Model>(&mut self, id: impl RecordKey<M>, field: TextField<M>, text: &str) -> Result<Saved<M>> {
        let patch = Record::from_iter([(field.name().to_owned(), Value::from(text))]);
        typed(self.update_json(M::NAME, id.as_key(), &patch)?)
    }

    /// As [`Store::increment`].
    pub fn increment<M: Model>(&mut self, id: impl RecordKey<M>, field: CounterField<M>, by: i64) -> Result<Saved<M>> {
        typed(self.increment_json(M::NAME, id.as_key(), field.name(), by)?)
    }

    /// As [`Store::add`].
    pub fn add<M: Model, E: Comparable>(
        &mut self,
        id: impl RecordKey<M>,
        field: SetField<M, E>,
        element: impl Into<E>,
    ) -> Result<Saved<M>> {
        typed(self.add_json(M::NAME, id.as_key(), field.name(), &element.into().into_value())?)
    }

    /// As [`Store::remove`].
    pub fn remove<M: Model, E: Comparable>(
        &mut self,
        id: impl RecordKey<M>,
        field: SetField<M, E>,
        element: impl Into<E>,
    ) -> Result<Saved<M>> {
        typed(self.remove_json(M::NAME, id.as_key(), field.name(), &element.into().into_value())?)
    }

    /// As [`Store::undelete`].
    pub fn undelete<M: Model>(&mut self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.undelete_json(M::NAME, id.as_key())?)
    }

    /// The records of a model that match, in the order of their keys, with what the transaction wrote so far. For orders
    /// and pages take [`Transaction::query_json`].
    pub fn matching<M: Model>(&mut self, condition: Condition<M>) -> Result<Vec<M>> {
        let condition = syncline_core::filter::Filter::from(condition).into();
        let page = self.query_json(&Query { condition, ..Query::new(M::NAME) })?;
        page.records.into_iter().map(|record| Ok(from_json(record)?)).collect()
    }

    /// As [`Store::delete`].
    pub fn delete<M: Model>(&mut self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.delete_json(M::NAME, id.as_key())?)
    }
}

/// A query of one model in the making.
#[derive(Clone)]
#[must_use = "a query does nothing until `all`, `first`, `count` or `observe` is called"]
pub struct TypedQuery<M> {
    pub(crate) store: Store,
    pub(crate) query: Query,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> TypedQuery<M> {
    /// Only records that match; several filters must all match.
    pub fn filter(mut self, condition: Condition<M>) -> Self {
        let filter: syncline_core::filter::Filter = condition.into();
        self.query.condition = match self.query.condition {
            syncline_engine::query::Condition::Filter(syncline_core::filter::Filter::All) => filter.into(),
            syncline_engine::query::Condition::Filter(before) => (before & filter).into(),
            syncline_engine::query::Condition::Where(_) => filter.into(),
        };
        self
    }

    /// Ordered by this next; the key decides among equals.
    pub fn order(mut self, by: OrderBy<M>) -> Self {
        self.query.order.push(Order::from(by));
        self
    }

    /// At most so many.
    pub fn limit(mut self, limit: u64) -> Self {
        self.query.limit = Some(limit);
        self
    }

    /// Without so many of the first.
    pub fn offset(mut self, offset: u64) -> Self {
        self.query.offset = offset;
        self
    }

    /// Only those behind the last record of the page that this token came with, in the same order.
    pub fn after(mut self, token: impl Into<String>) -> Self {
        self.query.after = Some(token.into());
        self
    }

    /// The records, with a token to go on behind the last of them: give it to [`TypedQuery::after`]. However many are
    /// written in between, a record that was not stands on exactly one page.
    pub async fn page(self) -> Result<TypedPage<M>> {
        let page = self.store.query_json(self.query).await?;
        let records = page.records.into_iter().map(|record| Ok(from_json(record)?)).collect::<Result<_>>()?;
        Ok(TypedPage { records, next: page.next })
    }

    /// The records.
    pub async fn all(self) -> Result<Vec<M>> {
        let query = self.query.clone();
        if let Some(records) = self.store.read(move |reader| reader.query_as(&query)).await? {
            return Ok(records);
        }
        // A record of the store is no `M`: reading it by way of JSON says which field is at fault.
        let page = self.store.query_json(self.query).await?;
        page.records.into_iter().map(|record| Ok(from_json(record)?)).collect()
    }

    /// The first record.
    pub async fn first(self) -> Result<Option<M>> {
        Ok(self.limit(1).all().await?.pop())
    }

    /// How many there are.
    pub async fn count(self) -> Result<u64> {
        self.store.count_json(self.query).await
    }

    /// The result, and then each change of it.
    pub fn observe(self) -> Live<M> {
        Live::new(self.store.observe_query_json(self.query), Arc::new(from_json))
    }
}

impl<M> std::fmt::Debug for TypedQuery<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.query.fmt(f)
    }
}

/// Some records of a typed query, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedPage<M> {
    /// The records in the query's order, within its limit.
    pub records: Vec<M>,
    /// Token of the last record; `None` if there are no more, or in the order of a search's scores: there
    /// [`TypedQuery::offset`] goes on.
    pub next: Option<String>,
}

/// A typed query that stays up to date; of records alone, or of records with related ones.
pub struct Live<R> {
    live: LiveQuery,
    read: ReadAs<R>,
    items: Vec<(Arc<Record>, Arc<R>)>,
}

/// Result of a typed live query.
#[derive(Clone, Debug)]
pub struct LiveSnapshot<R> {
    /// The records in the query's order, within its limit. One that has not changed is that of the snapshot before.
    pub items: Vec<Arc<R>>,
    /// What changed since the snapshot before.
    pub changes: Vec<Diff>,
    /// Whether a peer has said that everything it had is here.
    pub is_synced: bool,
}

impl<R> Live<R> {
    pub(crate) fn new(live: LiveQuery, read: ReadAs<R>) -> Self {
        Self { live, read, items: Vec::new() }
    }

    /// As [`LiveQuery::next`].
    pub async fn next(&mut self) -> Option<Result<LiveSnapshot<R>>> {
        Some(self.live.next().await?.and_then(|snapshot| {
            let items = self.follow(&snapshot.changes);
            if let Err(mismatch) = items {
                // The steps from here on would lead from a result that was not taken up.
                self.items.clear();
                self.live.forget();
                return Err(mismatch.into());
            }
            let items = self.items.iter().map(|(_, item)| Arc::clone(item)).collect();
            Ok(LiveSnapshot { items, changes: snapshot.changes, is_synced: snapshot.is_synced })
        }))
    }

    /// Takes the steps; only what they bring is read.
    fn follow(&mut self, steps: &[Diff]) -> Result<(), Mismatch> {
        let read = |record: &Arc<Record>| Ok((Arc::clone(record), Arc::new((self.read)((**record).clone())?)));
        for step in steps {
            match step {
                Diff::Removed { index, .. } => drop(self.items.remove(*index)),
                Diff::Inserted { index, record } => self.items.insert(*index, read(record)?),
                Diff::Updated { index, record } => self.items[*index] = read(record)?,
                Diff::Moved { from, to, record } => {
                    let before = self.items.remove(*from);
                    let is_same = Arc::ptr_eq(&before.0, record);
                    self.items.insert(*to, if is_same { before } else { read(record)? });
                }
            }
        }
        Ok(())
    }
}

impl<R> std::fmt::Debug for Live<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("live", &self.live).finish_non_exhaustive()
    }
}

/// The record as it is saved: an id that is still empty is to be generated.
pub(crate) fn to_save<M: Model>(record: &M) -> Result<Record> {
    let mut json = to_json(record)?;
    if record.key().is_none() {
        json.remove("id");
    }
    Ok(json)
}

pub(crate) fn typed<M: Model>(saved: Saved<Record>) -> Result<Saved<M>> {
    Ok(Saved { record: from_json(saved.record)?, token: saved.token })
}
