//! Concurrent values of the fields that `models!` makes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_engine::{Conflict, ConflictPage};

use crate::conflicts::ConflictObserver;
use crate::error::{Error, Result};
use crate::store::{Saved, Store};
use crate::transaction::Transaction;
use crate::typed::{Field, Model, RecordKey};
use crate::typed_store::typed;

impl Store {
    /// The fields of a record that hold concurrent values; see [`Store::conflicts_json`].
    pub async fn conflicts<M: Model>(&self, id: impl RecordKey<M>) -> Result<Vec<Conflict>> {
        self.conflicts_json(M::NAME, id.as_key()).await
    }

    /// The concurrent values of one field, `None` where there is no conflict.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "type Room @model { name: String! seats: Int }");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let room = store.save(&Room::new("Blue")).await?.record;
    /// if let Some(conflict) = store.conflict(&room.id, room::seats).await? {
    ///     let most = conflict.values.iter().filter_map(|one| one.value).max();
    ///     store.resolve(&room.id, room::seats, most.unwrap_or(0)).await?;
    /// }
    /// # store.close().await }
    /// ```
    pub async fn conflict<M: Model, T: DeserializeOwned>(
        &self,
        id: impl RecordKey<M>,
        field: Field<M, T>,
    ) -> Result<Option<Conflict<Option<T>>>> {
        let found = self.conflicts::<M>(id).await?.into_iter().find(|one| one.field == field.name());
        found.map(|one| one.try_map(|value| read::<M, T>(field.name(), value))).transpose()
    }

    /// The records of a model that have conflicts; see [`Store::conflicted_json`].
    pub async fn conflicted<M: Model>(&self, after: Option<i64>, limit: u64) -> Result<ConflictPage> {
        self.conflicted_json(Some(M::NAME), after, limit).await
    }

    /// Leaves this value alone in a field that holds several; see [`Store::resolve_json`], which takes null, too.
    pub async fn resolve<M: Model, T: Serialize>(
        &self,
        id: impl RecordKey<M>,
        field: Field<M, T>,
        value: impl Into<T>,
    ) -> Result<Saved<M>> {
        let value = written::<M, T>(field.name(), &value.into())?;
        typed(self.resolve_json(M::NAME, id.as_key(), field.name(), &value).await?)
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::resolve`].
    pub fn resolve<M: Model, T: Serialize>(
        &mut self,
        id: impl RecordKey<M>,
        field: Field<M, T>,
        value: impl Into<T>,
    ) -> Result<Saved<M>> {
        let value = written::<M, T>(field.name(), &value.into())?;
        typed(self.resolve_json(M::NAME, id.as_key(), field.name(), &value)?)
    }
}

impl ConflictObserver {
    /// Of this model alone.
    #[must_use]
    pub fn of<M: Model>(self) -> Self {
        self.of_model(M::NAME)
    }
}

fn read<M: Model, T: DeserializeOwned>(field: &str, value: Value) -> Result<Option<T>> {
    serde_json::from_value(value).map_err(|error| unfit::<M>(field, &error))
}

fn written<M: Model, T: Serialize>(field: &str, value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| unfit::<M>(field, &error))
}

fn unfit<M: Model>(field: &str, error: &serde_json::Error) -> Error {
    Error::Type { model: M::NAME.to_owned(), reason: format!("field `{field}`: {error}") }
}
