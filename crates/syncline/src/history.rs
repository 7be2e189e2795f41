//! How records came to be, what they were, and taking own edits back.

use syncline_core::record::At;
use syncline_engine::HistoryEntry;

use crate::error::Result;
use crate::store::{Record, Saved, Store, with_token};
use crate::transaction::Transaction;
use crate::typed::{Model, RecordKey, from_json};
use crate::typed_store::typed;

impl Store {
    /// A record's changes in the order in which this store came to know of them, oldest first: who made each and when,
    /// and what it did, field by field, as its writer saw the record. Also of a deleted record.
    pub async fn history(&self, model: &str, id: &str) -> Result<Vec<HistoryEntry>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.read(move |reader| reader.history(&model, &id, u64::MAX)).await
    }

    /// The changes that did something to one field, a name or a path into an embedded value (`address.city`), and of
    /// each what it did there.
    pub async fn field_history(&self, model: &str, id: &str, field: &str) -> Result<Vec<HistoryEntry>> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.read(move |reader| reader.field_history(&model, &id, &field, u64::MAX)).await
    }

    /// The newest changes of all records, at most so many, oldest first. Reads the past of every record that they
    /// belong to.
    pub async fn recent_changes(&self, limit: u64) -> Result<Vec<HistoryEntry>> {
        self.read(move |reader| reader.recent(limit)).await
    }

    /// The record as it was: at a token's position, at a time, or right after a change. `None` if it was not there or
    /// was deleted then. Nothing is brought back by it; a save of what it returns does that.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "type Todo @model { title: String! }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let saved = store.save(&Todo::new("Buy milk")).await?;
    /// let id = saved.record.id;
    /// store.update::<Todo>(&id, |todo| todo.title = "Buy oat milk".to_owned()).await?;
    /// let then = store.get_at::<Todo>(&id, saved.token.unwrap()).await?;
    /// assert_eq!(then.unwrap().title, "Buy milk");
    /// # store.close().await }
    /// ```
    pub async fn get_at<M: Model>(&self, id: impl RecordKey<M>, at: impl Into<At>) -> Result<Option<M>> {
        Ok(self.get_at_json(M::NAME, id.as_key(), at).await?.map(from_json).transpose()?)
    }

    /// As [`Store::get_at`].
    pub async fn get_at_json(&self, model: &str, id: &str, at: impl Into<At>) -> Result<Option<Record>> {
        let (model, id, at) = (model.to_owned(), id.to_owned(), at.into());
        self.read(move |reader| reader.record_at(&model, &id, &at)).await
    }

    /// Undoes this store's last edit of a record that still stands, as a new change: what others wrote stays, and what
    /// they have written over is left alone. Called again it undoes the edit before that, also after a restart; undoing
    /// the creation deletes the record. What one call or one transaction wrote to the record is undone together.
    ///
    /// [`StoreError::NothingToUndo`](crate::StoreError::NothingToUndo) if no own edit is left. Marks of rich texts
    /// become again what they were where what the edit made of them still shows;
    /// [`StoreError::TooManyRuns`](crate::StoreError::TooManyRuns) where they divide the text into more than 256 runs.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "type Todo @model { title: String! }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let id = store.save(&Todo::new("Buy milk")).await?.record.id;
    /// store.update::<Todo>(&id, |todo| todo.title = "Buy oat milk".to_owned()).await?;
    /// assert_eq!(store.undo::<Todo>(&id).await?.record.title, "Buy milk");
    /// assert_eq!(store.redo::<Todo>(&id).await?.record.title, "Buy oat milk");
    /// # store.close().await }
    /// ```
    pub async fn undo<M: Model>(&self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.undo_json(M::NAME, id.as_key()).await?)
    }

    /// Redoes what was undone last, as long as this store has not edited the record since.
    pub async fn redo<M: Model>(&self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.redo_json(M::NAME, id.as_key()).await?)
    }

    /// As [`Store::undo`].
    pub async fn undo_json(&self, model: &str, id: &str) -> Result<Saved<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.write(move |tx| tx.undo(&model, &id)).await
    }

    /// As [`Store::redo`].
    pub async fn redo_json(&self, model: &str, id: &str) -> Result<Saved<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.write(move |tx| tx.redo(&model, &id)).await
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::undo`].
    pub fn undo_json(&mut self, model: &str, id: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.undo(model, id)?))
    }

    /// As [`Store::redo`].
    pub fn redo_json(&mut self, model: &str, id: &str) -> Result<Saved<Record>> {
        Ok(with_token(self.namespace, self.tx.redo(model, id)?))
    }
}
