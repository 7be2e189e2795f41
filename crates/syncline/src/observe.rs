//! Following records: one event per change of one.
//!
//! Driven by the engine's commits, so it sees writes of this process, of peers and of other processes on the file. A
//! follower that falls far behind is told so; commits never wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

use syncline_engine::{ChangeKind, Origin, Reader, RecordChange};
use tokio::sync::broadcast;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::store::{Record, Store};
use crate::typed::ReadAs;

/// One change of one record: of an `R`, by [`Store::observe`], or of a record in JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed<R = Record> {
    /// The model.
    pub model: String,
    /// What happened.
    pub kind: ChangeKind,
    /// Who did it.
    pub origin: Origin,
    /// The record as it stands when the event is read: later changes may show already. `None` if it is gone.
    pub record: Option<R>,
    /// The record's id, or its key fields as a JSON object; of a deleted record whose key is damaged, the record id in
    /// hexadecimal.
    pub id: String,
}

/// Follows the changes of one model, or of all.
pub struct Observer<R = Record> {
    store: Store,
    read: ReadAs<R>,
    model: Option<String>,
    events: broadcast::Receiver<Event>,
    waiting: VecDeque<RecordChange>,
}

impl Store {
    /// Follows every change of a model, or of all models, from now on.
    pub fn observe_json(&self, model: Option<String>) -> Observer {
        Observer::new(self, model, Arc::new(Ok))
    }
}

impl<R> Observer<R> {
    /// Follows from now on; each record is read by `read`.
    pub(crate) fn new(store: &Store, model: Option<String>, read: ReadAs<R>) -> Self {
        let events = store.inner.driver.shared().events.subscribe();
        Self { store: store.clone(), read, model, events, waiting: VecDeque::new() }
    }

    /// The next change; `None` once the store is closed. A record that is no `R` is an error, and the next one comes
    /// after it. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Observed<R>>> {
        loop {
            if let Some(change) = self.waiting.front().cloned() {
                let observed = self.look(&change).await;
                self.waiting.pop_front();
                return Some(observed);
            }
            match self.events.recv().await {
                Ok(Event::Commit(commit)) => {
                    let wanted =
                        |change: &&RecordChange| self.model.as_ref().is_none_or(|model| *model == change.model);
                    self.waiting.extend(commit.changes.iter().filter(wanted).cloned());
                }
                Ok(Event::SchemaChanged { gone }) => {
                    if let Some(model) = self.model.as_ref().filter(|model| gone.contains(model)) {
                        return Some(Err(Error::SchemaChanged { reason: format!("no model {model}") }));
                    }
                }
                Ok(Event::Closed) => return None,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    return Some(Err(Error::Session(format!(
                        "{missed} events were missed because nobody read them: query again what you show"
                    ))));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn look(&self, change: &RecordChange) -> Result<Observed<R>> {
        let (model, row) = (change.model.clone(), change.row);
        let look = move |reader: &Reader| {
            let record = reader.at(&model, row)?;
            let key = match record {
                Some(_) => Ok(None),
                None => reader.key_at(row),
            };
            // It is deleted all the same if nobody can read any more what it was.
            let key = key.or_else(|error| if error.is_damage() { Ok(None) } else { Err(error) })?;
            Ok((record, key))
        };
        let (record, key) = self.store.read(look).await?;
        Ok(Observed {
            model: change.model.clone(),
            kind: change.kind,
            origin: change.origin,
            id: key.unwrap_or_else(|| self.id(change, record.as_ref())),
            record: record.map(|record| (self.read)(record)).transpose()?,
        })
    }

    fn id(&self, change: &RecordChange, record: Option<&Record>) -> String {
        let model = self.store.schema().and_then(|schema| schema.model(&change.model));
        let keys = model.map(syncline_schema::Model::key_fields).unwrap_or_default();
        match (keys.as_slice(), record) {
            (["id"], Some(record)) => record["id"].as_str().unwrap_or_default().to_owned(),
            (keys, Some(record)) => {
                let fields = keys.iter().map(|key| ((*key).to_owned(), record[*key].clone()));
                serde_json::Value::Object(fields.collect()).to_string()
            }
            (_, None) => change.record.to_string(),
        }
    }
}

impl<R> std::fmt::Debug for Observer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("model", &self.model).finish_non_exhaustive()
    }
}
