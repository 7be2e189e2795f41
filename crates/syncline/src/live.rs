//! Queries that stay up to date.
//!
//! A live query is told which rows of its models a commit changed that may concern it, looks whether they do, and brings
//! its result up to date in one read of the store; see [`LiveResult`]. What waits for it meanwhile is bounded: one that is
//! read slowly shows fewer results, and runs its query again where too much was missed.

use std::collections::VecDeque;
use std::sync::Arc;

use syncline_engine::query::Query;
use syncline_engine::{Changed, Item, LiveResult, StoreError};
use tokio::sync::watch;

use crate::driver::Synced;
use crate::error::{Error, Result};
use crate::followers::{Letter, Mailbox, WAITING_MAX};
use crate::steps::{Diff, between};
use crate::store::{Record, Store};

/// Result of a live query, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The records in the query's order, within its limit. A record that has not changed is the one of the snapshot
    /// before, not a copy.
    pub items: Vec<Arc<Record>>,
    /// What changed since the snapshot before; every item is inserted in the first.
    pub changes: Vec<Diff>,
    /// Whether a peer has said that everything it had is here.
    pub is_synced: bool,
}

/// A query that stays up to date.
pub struct LiveQuery {
    store: Store,
    query: Query,
    mailbox: Arc<Mailbox>,
    synced: watch::Receiver<Synced>,
    /// How often the store had become synced when the query was begun.
    synced_before: u64,
    was_synced: bool,
    /// `None` as long as the query was not run.
    result: Option<Arc<LiveResult>>,
    shown: Vec<Item>,
    /// Told of, and not looked at yet.
    letters: VecDeque<Arc<Letter>>,
    /// What the result is behind in; `None` if that is not known.
    behind: Option<Changed>,
    /// An error was told last: not to be repeated before something else happens.
    has_failed: bool,
    /// The query itself is wrong, and that was told.
    is_over: bool,
}

impl Store {
    /// Follows a query: its result first, then each change of it, with nothing missed in between. A change of an
    /// included record, or of one that a filter reaches, is a change of the records that lead to it.
    ///
    /// A commit costs a live query what it changed of its result: with a limit, mostly no more than the rows that the
    /// commit touched, or that show them. A commit that does not concern it costs it next to nothing where its filter
    /// demands a field to equal something, and a look at the changed record where it does not, unless only the file can
    /// tell: a condition as WHERE text, and records that are shown behind a link or deeper than one relation, cost a
    /// read at each commit of their models. A search and an offset of more than a thousand run the query again at each
    /// commit of its model. A change of records that a filter reaches costs as much as is held, up to 256 records, and
    /// those that now lead there; with more, and for a filter that denies related records or reaches them over a
    /// `hasOne`, the query runs again.
    pub fn observe_query_json(&self, query: Query) -> LiveQuery {
        let shared = self.inner.driver.shared();
        // What is wrong with a query is told when it is run.
        let result = self.schema().and_then(|schema| LiveResult::new(query.clone(), schema).ok());
        LiveQuery {
            mailbox: shared.followers.follow(result.iter().flat_map(LiveResult::models)),
            store: self.clone(),
            query,
            synced: shared.synced.subscribe(),
            synced_before: shared.synced.borrow().times,
            was_synced: false,
            result: None,
            shown: Vec::new(),
            letters: VecDeque::new(),
            behind: None,
            has_failed: false,
            is_over: false,
        }
    }
}

impl LiveQuery {
    /// The next result: the first at once, each later one when something in it changed. `None` once the store
    /// is closed, and after the error that the query itself is wrong; after any other the result comes when there is
    /// something new. A slow follower gets fewer results, never wrong ones. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Snapshot>> {
        if self.is_over {
            return None;
        }
        match self.advance().await {
            Ok(snapshot) => Some(Ok(snapshot)),
            Err(Error::Closed) => None,
            Err(error) => {
                self.is_over = matches!(
                    error,
                    Error::Store(StoreError::Query(_) | StoreError::NoSchema) | Error::SchemaChanged { .. }
                );
                Some(Err(error))
            }
        }
    }

    async fn advance(&mut self) -> Result<Snapshot> {
        loop {
            let is_first = self.result.is_none();
            if !is_first || self.has_failed {
                self.wait().await?;
            }
            // Before the look at what there is: what made the store synced is among it.
            let is_synced = self.was_synced || self.is_synced();
            if let Err(error) = self.catch_up().await {
                self.behind = None;
                self.has_failed = true;
                return Err(error);
            }
            let items = self.result.as_deref().map(LiveResult::shown).unwrap_or_default();
            let changes = between(&self.shown, items);
            let edge = is_synced != self.was_synced;
            if is_first || edge || !changes.is_empty() {
                self.was_synced = is_synced;
                self.shown = items.to_vec();
                let items = items.iter().map(|item| Arc::clone(&item.record)).collect();
                return Ok(Snapshot { items, changes, is_synced });
            }
        }
    }

    /// Forgets the result: the next one is told as if it were the first.
    pub(crate) fn forget(&mut self) {
        self.hold(None);
        self.result = None;
        self.behind = None;
        self.shown.clear();
        self.has_failed = true;
    }

    /// Whether the store is synced, or was since the query was begun.
    fn is_synced(&self) -> bool {
        let synced = *self.synced.borrow();
        synced.now || synced.times != self.synced_before
    }

    /// Waits for something that may have changed the result.
    async fn wait(&mut self) -> Result<()> {
        loop {
            self.look_through().await;
            let is_behind = self.behind.as_ref().is_none_or(|behind| !behind.is_empty());
            let edge = !self.was_synced && self.is_synced();
            if !self.has_failed && (is_behind || edge) {
                return Ok(());
            }
            if self.mailbox.is_closed() {
                return Err(Error::Closed);
            }
            tokio::select! {
                changed = self.synced.changed(), if !self.was_synced => return changed.map_err(|_| Error::Closed),
                () = self.mailbox.wake.notified() => self.has_failed = false,
            }
        }
    }

    /// Looks through what has come: what concerns the result, the result is behind in.
    async fn look_through(&mut self) {
        match self.mailbox.take() {
            Some(letters) => self.letters.extend(letters),
            None => self.behind = None,
        }
        if self.letters.iter().map(|letter| letter.rows.len()).sum::<usize>() > WAITING_MAX {
            self.behind = None;
        }
        while let (Some(letter), Some(behind)) = (self.letters.front().cloned(), &self.behind) {
            if behind.len() > LiveResult::ROWS_MAX {
                self.behind = None;
                break;
            }
            for row in &letter.rows {
                if self.is_concerned(&letter, *row).await
                    && let Some(behind) = &mut self.behind
                {
                    behind.insert((letter.model.clone(), *row));
                }
            }
            self.letters.pop_front();
        }
        if self.behind.is_none() {
            self.letters.clear();
        }
    }

    /// Whether a changed row concerns the result. Those who follow the model share the record that one of them reads.
    async fn is_concerned(&self, letter: &Arc<Letter>, row: i64) -> bool {
        let Some(result) = &self.result else { return true };
        if result.is_concerned_by(&letter.model, row) {
            return true;
        }
        let record = match letter.seen(row) {
            Some(record) => Ok(record),
            None => self.look(letter, row).await,
        };
        match record {
            Ok(record) => result.is_concerned_with(&letter.model, row, record.as_deref()),
            Err(_) => true,
        }
    }

    /// Reads a changed row and shows it to the others. Two may read it at the same time; none waits for the other, for
    /// both may belong to one task.
    async fn look(&self, letter: &Arc<Letter>, row: i64) -> Result<Option<Arc<Record>>> {
        let letter = Arc::clone(letter);
        self.store.read(move |reader| letter.look(row, |model, row| reader.at(model, row))).await
    }

    fn hold(&self, result: Option<Arc<LiveResult>>) {
        self.store.inner.driver.shared().followers.hold(&self.mailbox, result);
    }

    /// Brings the result to the store's present state.
    async fn catch_up(&mut self) -> Result<()> {
        // What does not concern the result that it has may concern the next.
        self.hold(None);
        self.look_through().await;
        let schema = self.store.schema().ok_or(StoreError::NoSchema)?;
        let result = match &self.result {
            Some(result) => Arc::clone(result),
            None => Arc::new(LiveResult::new(self.query.clone(), schema).map_err(StoreError::from)?),
        };
        let (reading, shared) = (Arc::clone(&result), Arc::clone(self.store.inner.driver.shared()));
        let (mailbox, behind) = (Arc::clone(&self.mailbox), self.behind.clone());
        let news = self
            .store
            .read(move |reader| {
                reader.news(&reading, |head| {
                    // What the reader sees and this query has not been told of yet is on its way.
                    let mut changed = behind.clone().filter(|_| shared.followers.know(head))?;
                    shared.followers.look(&mailbox, &mut changed).then_some(changed)
                })
            })
            .await?;
        self.result = None;
        let mut result = result;
        Arc::make_mut(&mut result).take(news);
        self.hold(Some(Arc::clone(&result)));
        self.result = Some(result);
        self.behind = Some(Changed::new());
        self.has_failed = false;
        Ok(())
    }
}

impl Drop for LiveQuery {
    fn drop(&mut self) {
        self.store.inner.driver.shared().followers.unfollow(&self.mailbox);
    }
}

impl std::fmt::Debug for LiveQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveQuery").field("query", &self.query).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use super::*;

    /// All connections of a store are busy, so that a live query has to wait for one.
    struct Busy {
        busy: Arc<AtomicBool>,
        readers: Vec<JoinHandle<Result<()>>>,
    }

    impl Busy {
        async fn new(store: &Store) -> Self {
            let busy = Arc::new(AtomicBool::new(true));
            let reader = |_| {
                let (store, busy) = (store.clone(), Arc::clone(&busy));
                tokio::spawn(async move {
                    let wait = move |_: &syncline_engine::Reader| {
                        while busy.load(Ordering::Acquire) {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        Ok(())
                    };
                    store.read(wait).await
                })
            };
            let readers = (0..4).map(reader).collect();
            tokio::time::sleep(Duration::from_millis(50)).await;
            Self { busy, readers }
        }

        async fn end(mut self) {
            self.busy.store(false, Ordering::Release);
            for reader in std::mem::take(&mut self.readers) {
                reader.await.unwrap().unwrap();
            }
        }
    }

    impl Drop for Busy {
        /// A test that has failed ends, too.
        fn drop(&mut self) {
            self.busy.store(false, Ordering::Release);
        }
    }

    /// What does not concern the result that is held may concern the one that is read just now.
    #[tokio::test(flavor = "multi_thread", worker_threads = 6)]
    async fn a_live_query_is_told_of_everything_while_it_is_brought_up_to_date() {
        let bed = tempfile::tempdir().unwrap();
        let store = Store::open(bed.path().join("app.db"), "type Task @model { title: String }").await.unwrap();
        let saved = store.save_json("Task", Record::new()).await.unwrap().record;
        let mut live = store.observe_query_json(Query::new("Task"));
        let letter = Arc::new(Letter::new("Task", vec![7]));
        let is_told = |live: &LiveQuery| live.mailbox.put_if(&letter, |_| false);
        assert!(is_told(&live), "there is no result yet");
        live.next().await.unwrap().unwrap();
        assert!(!is_told(&live));
        store
            .save_json("Task", Record::from_iter([("title".into(), "new".into()), ("id".into(), saved["id"].clone())]))
            .await
            .unwrap();
        let busy = Busy::new(&store).await;
        tokio::time::timeout(Duration::from_millis(50), live.next()).await.unwrap_err();
        assert!(is_told(&live), "it waits for a connection");
        busy.end().await;
        assert_eq!(live.next().await.unwrap().unwrap().items[0]["title"], "new");
        assert!(!is_told(&live));
        store.close().await.unwrap();
    }

    /// A `next` that was given up while it read had already taken note that a peer's records are all here, and no
    /// snapshot ever said so.
    #[tokio::test(flavor = "multi_thread", worker_threads = 6)]
    async fn a_next_that_is_given_up_does_not_lose_that_the_store_is_synced() {
        let bed = tempfile::tempdir().unwrap();
        let store = Store::open(bed.path().join("app.db"), "type Task @model { title: String }").await.unwrap();
        let mut live = store.observe_query_json(Query::new("Task"));
        assert!(!live.next().await.unwrap().unwrap().is_synced);

        let busy = Busy::new(&store).await;
        store
            .inner
            .driver
            .shared()
            .synced
            .send_modify(|synced| *synced = Synced { now: false, times: synced.times + 1 });
        tokio::time::timeout(Duration::from_millis(50), live.next()).await.unwrap_err();
        busy.end().await;
        let next = tokio::time::timeout(Duration::from_secs(20), live.next()).await;
        assert!(next.unwrap().unwrap().unwrap().is_synced);
        store.close().await.unwrap();
    }
}
