//! Fields that hold concurrent values, without generics: listing them, hearing of them, settling them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syncline_engine::{Conflict, ConflictPage, Conflicted};
use tokio::sync::broadcast;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::store::{Record, Saved, Store, with_token};
use crate::transaction::Transaction;

/// Tells of records whose conflicts come, change or go. Made by [`Store::observe_conflicts`].
#[derive(Debug)]
pub struct ConflictObserver {
    store: Store,
    model: Option<String>,
    events: broadcast::Receiver<Event>,
    /// Rows of the records that were told of as in conflict, with a number that says with which.
    told: BTreeMap<i64, u64>,
    /// Rows to look at.
    waiting: BTreeSet<i64>,
    /// Whether what stands in conflict was looked through: at first, and when events were missed.
    listed: bool,
}

impl Store {
    /// The fields of a record that hold several values, written by replicas that did not know of each other's: each
    /// with its writers and their times, the one that shows first. In the order of the schema; none if there are no
    /// conflicts.
    pub async fn conflicts_json(&self, model: &str, id: &str) -> Result<Vec<Conflict>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.read(move |reader| reader.conflicts(&model, &id)).await
    }

    /// The records that have conflicts, of one model or of all, at most `limit`, behind the page that ended with
    /// `after`. Takes as long as there are conflicts, however many records there are.
    pub async fn conflicted_json(&self, model: Option<&str>, after: Option<i64>, limit: u64) -> Result<ConflictPage> {
        let model = model.map(str::to_owned);
        self.read(move |reader| reader.conflicted(model.as_deref(), after, limit)).await
    }

    /// Leaves this value alone in a field that holds several: one of them, or a new one. The field is a name or a path
    /// into an embedded value (`address.city`). A field that holds one value is refused with
    /// [`StoreError::NoConflict`](crate::StoreError::NoConflict).
    ///
    /// This is a change like any other, written even if the value shows already: values of others that arrive later
    /// and were written without knowledge of it are a new conflict.
    pub async fn resolve_json(&self, model: &str, id: &str, field: &str, value: &Value) -> Result<Saved<Record>> {
        let (model, id, field, value) = (model.to_owned(), id.to_owned(), field.to_owned(), value.clone());
        self.write(move |tx| tx.resolve(&model, &id, &field, &value)).await
    }

    /// Tells of every record that has conflicts, and then of each whose conflicts come, change or go, whoever caused it:
    /// an app's way to alert its user. Nothing is missed between the two.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, "type Todo @model { title: String! }").await?;
    /// let mut conflicts = store.observe_conflicts();
    /// # let alert =
    /// tokio::spawn(async move {
    ///     while let Some(Ok(record)) = conflicts.next().await {
    ///         for conflict in &record.conflicts {
    ///             println!("{} {}: {} versions of {}", record.model, record.id, conflict.values.len(), conflict.field);
    ///         }
    ///     }
    /// });
    /// # store.close().await?;
    /// # alert.await.unwrap();
    /// # Ok(()) }
    /// ```
    pub fn observe_conflicts(&self) -> ConflictObserver {
        ConflictObserver {
            store: self.clone(),
            model: None,
            events: self.inner.driver.shared().events.subscribe(),
            told: BTreeMap::new(),
            waiting: BTreeSet::new(),
            listed: false,
        }
    }
}

impl ConflictObserver {
    /// Of this model alone.
    #[must_use]
    pub fn of_model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The next record whose conflicts are others than before, with those it has now: none if they are settled or the
    /// record was deleted. `None` once the store is closed. A slow follower is told less often, never wrong. An error
    /// concerns one record, and the next call goes on with the others, or the list of all, which is tried again.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Conflicted>> {
        loop {
            if !self.listed {
                match self.list().await {
                    Ok(()) => {}
                    Err(Error::Closed) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
            while let Some(row) = self.waiting.first().copied() {
                let known = self.told.get(&row).copied();
                let news = self.store.read(move |reader| reader.news_of_conflicts(row, known)).await;
                self.waiting.remove(&row);
                match news {
                    Ok(Some((record, mark))) => {
                        match mark {
                            Some(mark) => self.told.insert(row, mark),
                            None => self.told.remove(&row),
                        };
                        return Some(Ok(record));
                    }
                    Ok(None) => {}
                    Err(Error::Closed) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
            match self.events.recv().await {
                Ok(Event::Commit(commit)) => {
                    let changes = commit.changes.iter().filter(|change| change.conflicts);
                    let wanted = changes.filter(|change| self.model.as_ref().is_none_or(|name| *name == change.model));
                    self.waiting.extend(wanted.map(|change| change.row));
                }
                Ok(Event::Closed) | Err(broadcast::error::RecvError::Closed) => return None,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.listed = false,
            }
        }
    }

    /// Finds every record whose conflicts are others than what was told.
    async fn list(&mut self) -> Result<()> {
        let model = self.model.clone();
        let marks = self.store.read(move |reader| reader.conflict_marks(model.as_deref())).await?;
        let held: BTreeMap<i64, u64> = marks.into_iter().collect();
        self.waiting.extend(self.told.keys().filter(|row| !held.contains_key(row)));
        self.waiting.extend(held.iter().filter(|(row, mark)| self.told.get(row) != Some(mark)).map(|(row, _)| row));
        self.listed = true;
        Ok(())
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::resolve_json`].
    pub fn resolve_json(&mut self, model: &str, id: &str, field: &str, value: &Value) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.resolve(model, id, field, value)?))
    }
}
