//! Following records: one event per change, and queries that stay up to date.
//!
//! Both are driven by the engine's commits, so they see writes of this process, of peers and of other
//! processes on the file. A follower that falls far behind is told so, or reads its result again; commits
//! never wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use syncline_engine::query::Query;
use syncline_engine::{ChangeKind, Origin, RecordChange};
use tokio::sync::{broadcast, watch};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::store::{Record, Store};

/// One change of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The model.
    pub model: String,
    /// What happened.
    pub kind: ChangeKind,
    /// Who did it.
    pub origin: Origin,
    /// The record as it stands when the event is read: later changes may show already. `None` if it is gone.
    pub record: Option<Record>,
    /// The record's id, or its key fields as a JSON object; of a deleted record with a custom key, the record
    /// id in hexadecimal.
    pub id: String,
}

/// Follows the changes of one model, or of all.
#[derive(Debug)]
pub struct Observer {
    store: Store,
    model: Option<String>,
    events: broadcast::Receiver<Event>,
    waiting: std::collections::VecDeque<RecordChange>,
}

/// Result of a live query, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The records in the query's order, within its limit.
    pub items: Vec<Record>,
    /// What changed since the snapshot before; every item is inserted in the first.
    pub changes: Vec<Diff>,
    /// Whether a peer has said that everything it had is here.
    pub is_synced: bool,
}

/// One step from a result to the next. Steps apply in their order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Diff {
    /// The record at `index` goes.
    Removed {
        /// Where it was.
        index: usize,
        /// What it was.
        record: Record,
    },
    /// A record comes to `index`.
    Inserted {
        /// Where it is.
        index: usize,
        /// What it is.
        record: Record,
    },
    /// The record at `from` goes to `to`, changed or not.
    Moved {
        /// Where it was.
        from: usize,
        /// Where it is.
        to: usize,
        /// What it is.
        record: Record,
    },
    /// The record at `index` has other values.
    Updated {
        /// Where it is.
        index: usize,
        /// What it is.
        record: Record,
    },
}

/// A query that stays up to date.
#[derive(Debug)]
pub struct LiveQuery {
    store: Store,
    query: Query,
    /// Models whose records the result is made of, or found or shown by.
    models: BTreeSet<String>,
    key_fields: Vec<String>,
    events: broadcast::Receiver<Event>,
    synced: watch::Receiver<bool>,
    items: Option<Vec<Record>>,
    was_synced: bool,
}

impl Store {
    /// Follows every change of a model, or of all models, from now on.
    pub fn observe_json(&self, model: Option<String>) -> Observer {
        let events = self.inner.driver.shared().events.subscribe();
        Observer { store: self.clone(), model, events, waiting: std::collections::VecDeque::new() }
    }

    /// Follows a query: its result first, then each change of it, with nothing missed in between. A change of an
    /// included record, or of one that a filter reaches, is a change of the records that lead to it.
    pub fn observe_query_json(&self, query: Query) -> LiveQuery {
        // What is wrong with a query is told when it is run.
        let related = self.schema().and_then(|schema| query.dependencies(schema).ok()).unwrap_or_default();
        let models = related.into_iter().map(|related| related.model).chain([query.model.clone()]).collect();
        let model = self.schema().and_then(|schema| schema.model(&query.model));
        let key_fields = model.map(|model| model.key_fields().into_iter().map(str::to_owned).collect());
        LiveQuery {
            store: self.clone(),
            query,
            models,
            key_fields: key_fields.unwrap_or_default(),
            events: self.inner.driver.shared().events.subscribe(),
            synced: self.inner.driver.shared().synced.subscribe(),
            items: None,
            was_synced: false,
        }
    }
}

impl Observer {
    /// The next change; `None` once the store is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Observed>> {
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

    async fn look(&self, change: &RecordChange) -> Result<Observed> {
        let (model, row) = (change.model.clone(), change.row);
        let record = self.store.read(move |reader| reader.at(&model, row)).await?;
        Ok(Observed {
            model: change.model.clone(),
            kind: change.kind,
            origin: change.origin,
            id: self.id(change, record.as_ref()),
            record,
        })
    }

    fn id(&self, change: &RecordChange, record: Option<&Record>) -> String {
        let model = self.store.schema().and_then(|schema| schema.model(&change.model));
        let keys = model.map(syncline_schema::Model::key_fields).unwrap_or_default();
        match (keys.as_slice(), record) {
            (["id"], Some(record)) => record["id"].as_str().unwrap_or_default().to_owned(),
            (["id"], None) => hyphenated(&change.record.to_string()),
            (keys, Some(record)) => {
                let fields = keys.iter().map(|key| ((*key).to_owned(), record[*key].clone()));
                serde_json::Value::Object(fields.collect()).to_string()
            }
            (_, None) => change.record.to_string(),
        }
    }
}

impl LiveQuery {
    /// The next result: the first at once, each later one when something in it changed. `None` once the store
    /// is closed. A slow follower gets fewer results, never wrong ones. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Snapshot>> {
        loop {
            if self.items.is_some() {
                if let Err(end) = self.wait().await {
                    return end;
                }
                self.skip_queued();
            }
            let is_synced = self.was_synced || *self.synced.borrow_and_update();
            let items = match self.store.query_json(self.query.clone()).await {
                Ok(page) => page.records,
                Err(Error::Closed) => return None,
                Err(error) => return Some(Err(error)),
            };
            let first = self.items.is_none();
            let changes = diff(self.items.as_deref().unwrap_or_default(), &items, &self.key_fields);
            let edge = is_synced != self.was_synced;
            self.was_synced = is_synced;
            self.items = Some(items.clone());
            if first || edge || !changes.is_empty() {
                return Some(Ok(Snapshot { items, changes, is_synced }));
            }
        }
    }

    /// Waits for something that may have changed the result.
    async fn wait(&mut self) -> std::result::Result<(), Option<Result<Snapshot>>> {
        loop {
            tokio::select! {
                changed = self.synced.changed(), if !self.was_synced => match changed {
                    Ok(()) => return Ok(()),
                    Err(_) => return Err(None),
                },
                event = self.events.recv() => match event {
                    Ok(event) if self.concerns(&event) => return Ok(()),
                    Ok(Event::Closed) => return Err(None),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return Ok(()),
                    Err(broadcast::error::RecvError::Closed) => return Err(None),
                },
            }
        }
    }

    /// The query is about to be run: what was committed until now needs no look of its own.
    fn skip_queued(&mut self) {
        while !matches!(
            self.events.try_recv(),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)
        ) {}
    }

    fn concerns(&self, event: &Event) -> bool {
        let Event::Commit(commit) = event else { return false };
        commit.changes.iter().any(|change| self.models.contains(&change.model))
    }
}

/// The steps from one result to another.
fn diff(before: &[Record], after: &[Record], keys: &[String]) -> Vec<Diff> {
    let key = |record: &Record| -> String { keys.iter().map(|key| format!("{}\u{0}", record[key])).collect() };
    let wanted: BTreeSet<String> = after.iter().map(key).collect();
    let mut steps = Vec::new();
    let mut standing: Vec<(String, Arc<Record>)> = Vec::with_capacity(after.len());
    let mut removed = 0;
    for (index, record) in before.iter().enumerate() {
        let name = key(record);
        if wanted.contains(&name) {
            standing.push((name, Arc::new(record.clone())));
        } else {
            steps.push(Diff::Removed { index: index - removed, record: record.clone() });
            removed += 1;
        }
    }
    let mut held: BTreeMap<String, Arc<Record>> = standing.iter().cloned().collect();
    let mut order: Vec<String> = standing.into_iter().map(|(name, _)| name).collect();
    for (index, record) in after.iter().enumerate() {
        let name = key(record);
        let Some(old) = held.remove(&name) else {
            order.insert(index, name);
            steps.push(Diff::Inserted { index, record: record.clone() });
            continue;
        };
        if order.get(index) != Some(&name) {
            let from = order.iter().skip(index).position(|other| *other == name).map_or(index, |at| at + index);
            let moved = order.remove(from);
            order.insert(index, moved);
            steps.push(Diff::Moved { from, to: index, record: record.clone() });
        } else if *old != *record {
            steps.push(Diff::Updated { index, record: record.clone() });
        }
    }
    steps
}

/// 32 hexadecimal digits in the form of a UUID.
fn hyphenated(hex: &str) -> String {
    match (hex.get(..8), hex.get(8..12), hex.get(12..16), hex.get(16..20), hex.get(20..)) {
        (Some(a), Some(b), Some(c), Some(d), Some(e)) => format!("{a}-{b}-{c}-{d}-{e}"),
        _ => hex.to_owned(),
    }
}
