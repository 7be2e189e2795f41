//! The store as an app holds it, with its JSON face: JSON in, JSON out, no generics.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use syncline_core::ids::{Chain, Dot, ReplicaId};
use syncline_core::vector::{Token, TokenEntry};
use syncline_engine::query::{Aggregation, Page, Query};
use syncline_engine::{Engine, Input, Now, OnDisk, PendingChange, Reader, Source, StoreError, Tx, VerifyReport};
use syncline_schema::Schema;
use tokio::sync::oneshot;

use crate::driver::{Driver, Message, Wait};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::options::Options;
use crate::readers::Readers;
use crate::status::Status;
use crate::transaction::Transaction;

/// How often is looked for what no event tells.
const UNTOLD: Duration = Duration::from_millis(500);

/// A record in JSON.
pub type Record = Map<String, Value>;

/// An open store. Cloning shares it. Made and used inside a tokio runtime.
///
/// Writes are in the file when their call returns, so they survive the end of the process; they leave the
/// device only once they are safe against a power cut too. Dropping a future does not undo its write.
/// The store closes when [`Store::close`] is called or the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) driver: Driver,
    readers: Readers,
    schema: Option<Arc<Schema>>,
    pub(crate) namespace: String,
    id: String,
    read_only: bool,
    pub(crate) path: PathBuf,
    warnings: Vec<String>,
    #[cfg(feature = "net")]
    pub(crate) net: crate::link::Net,
}

/// What a write left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved<T> {
    /// The record as it stands.
    pub record: T,
    /// Names the write, to wait for it elsewhere; `None` if nothing changed, or the model is `@local`.
    pub token: Option<Token>,
}

impl<T> Saved<T> {
    /// The same write of a record seen otherwise.
    pub fn map<U>(self, see: impl FnOnce(T) -> U) -> Saved<U> {
        Saved { record: see(self.record), token: self.token }
    }
}

impl Store {
    /// Opens the store at `path`, making it if the options allow it.
    ///
    /// Plain SDL text can stand for the options: `Store::open("app.db", models::SDL)`.
    pub async fn open(path: impl AsRef<Path>, options: impl Into<Options>) -> Result<Self> {
        let (path, options) = (path.as_ref().to_owned(), options.into());
        let opened = path.clone();
        let (store, warnings) =
            tokio::task::spawn_blocking(move || options.open(&opened)).await.map_err(|_| Error::Closed)??;
        let inner = Inner {
            schema: store.schema().cloned(),
            namespace: store.namespace().to_owned(),
            id: store.id().to_string(),
            read_only: store.is_read_only(),
            driver: Driver::start(store),
            readers: Readers::new(),
            path,
            warnings,
            #[cfg(feature = "net")]
            net: crate::link::Net::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The schema; `None` only in a relay's store.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.inner.schema.as_ref()
    }

    /// What the schema holds that is not carried over, one sentence each.
    pub fn schema_warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// The file's id, as its peers list it. It stays when the file is moved or renamed.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Saves a record: creates it, updates the one that has its key, or revives a deleted one.
    pub async fn save_json(&self, model: &str, record: Record) -> Result<Saved<Record>> {
        let model = model.to_owned();
        self.write(move |tx| tx.save(&model, &record, Source::App)).await
    }

    /// Changes the fields named in the patch.
    pub async fn update_json(&self, model: &str, id: &str, patch: Record) -> Result<Saved<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.write(move |tx| tx.update(&model, &id, &patch)).await
    }

    /// The record of that id; `None` if there is none or it is deleted.
    pub async fn get_json(&self, model: &str, id: &str) -> Result<Option<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.read(move |reader| reader.get(&model, &id)).await
    }

    /// Deletes a record, with what the schema's `onDelete` takes along and with its links; returns what it held.
    /// [`Store::delete_along_json`] tells of the others, too.
    pub async fn delete_json(&self, model: &str, id: &str) -> Result<Saved<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.write(move |tx| tx.delete(&model, &id)).await
    }

    /// Brings a deleted record back as it was. What a delete took along stays deleted.
    pub async fn undelete_json(&self, model: &str, id: &str) -> Result<Saved<Record>> {
        let (model, id) = (model.to_owned(), id.to_owned());
        self.write(move |tx| tx.undelete(&model, &id)).await
    }

    /// Deletes `delete` characters of a text at `at`, then inserts. Positions in code points.
    pub async fn splice(
        &self,
        model: &str,
        id: &str,
        field: &str,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Saved<Record>> {
        let (model, id, field, insert) = (model.to_owned(), id.to_owned(), field.to_owned(), insert.to_owned());
        self.write(move |tx| tx.splice(&model, &id, &field, at, delete, &insert)).await
    }

    /// Adds to a counter.
    pub async fn increment_json(&self, model: &str, id: &str, field: &str, by: i64) -> Result<Saved<Record>> {
        let (model, id, field) = (model.to_owned(), id.to_owned(), field.to_owned());
        self.write(move |tx| tx.increment(&model, &id, &field, by)).await
    }

    /// Adds an element to a set; it stays against a concurrent removal.
    pub async fn add_json(&self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved<Record>> {
        let (model, id, field, element) = (model.to_owned(), id.to_owned(), field.to_owned(), element.clone());
        self.write(move |tx| tx.add(&model, &id, &field, &element)).await
    }

    /// Removes an element from a set.
    pub async fn remove_json(&self, model: &str, id: &str, field: &str, element: &Value) -> Result<Saved<Record>> {
        let (model, id, field, element) = (model.to_owned(), id.to_owned(), field.to_owned(), element.clone());
        self.write(move |tx| tx.remove(&model, &id, &field, &element)).await
    }

    /// The records that the query finds, and where to go on.
    pub async fn query_json(&self, query: Query) -> Result<Page> {
        self.read(move |reader| reader.query(&query)).await
    }

    /// How many records the query finds.
    pub async fn count_json(&self, query: Query) -> Result<u64> {
        self.read(move |reader| reader.count(&query)).await
    }

    /// Counts, sums, extremes and averages of the records that a query finds, a row for each of their groups.
    pub async fn aggregate_json(&self, aggregation: Aggregation) -> Result<Vec<Record>> {
        self.read(move |reader| reader.aggregate(&aggregation)).await
    }

    /// How SQLite computes the result, for people.
    pub async fn explain_aggregate(&self, aggregation: Aggregation) -> Result<String> {
        self.read(move |reader| reader.explain_aggregate(&aggregation)).await
    }

    /// How SQLite runs the query, for people.
    pub async fn explain(&self, query: Query) -> Result<String> {
        self.read(move |reader| reader.explain(&query)).await
    }

    /// One page of a model's records in the order of the key, for an export: everything it shows is safe
    /// against a power cut, so that nothing leaves that may yet be lost.
    pub async fn export_page(&self, model: &str, after: Option<String>, limit: u64) -> Result<Page> {
        self.durable().await?;
        self.query_json(Query { after, limit: Some(limit), ..Query::new(model) }).await
    }

    /// A record as a file that any Automerge loads.
    pub async fn document(&self, model: &str, id: &str) -> Result<Vec<u8>> {
        self.durable().await?;
        let (model, id) = (model.to_owned(), id.to_owned());
        self.inner.driver.exclusive(move |engine, _| Ok(engine.store().document(&model, &id)?)).await
    }

    /// Runs several writes as one: all or nothing here, and visible at once on every peer.
    ///
    /// At most 500 changes and 256 KiB. An error from `act` undoes everything it did.
    pub async fn transaction<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let namespace = self.inner.namespace.clone();
        self.inner
            .driver
            .exclusive(move |engine, now| {
                let mut failed = None;
                let outcome = engine.write(now, |tx| {
                    tx.together(|tx| {
                        act(&mut Transaction::new(tx, &namespace)).map_err(|error| {
                            failed = Some(error);
                            StoreError::Aborted("by the app".to_owned())
                        })
                    })
                });
                match (outcome, failed) {
                    (Err(_), Some(error)) => Err(error),
                    (outcome, _) => Ok(outcome?),
                }
            })
            .await
    }

    /// Returns once everything saved so far is safe against a power cut.
    pub async fn durable(&self) -> Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.inner.driver.send(Message::Durable(answer));
        outcome.await.map_err(|_| Error::Closed)??;
        Ok(())
    }

    /// All that the store holds, as a token.
    pub async fn version(&self) -> Result<Token> {
        self.durable().await?;
        self.inner.driver.exclusive(move |engine, _| Ok(engine.store().token())).await
    }

    /// The changes of one record, as a token.
    pub async fn record_version(&self, model: &str, id: &str) -> Result<Token> {
        self.durable().await?;
        let (model, id) = (model.to_owned(), id.to_owned());
        self.inner.driver.exclusive(move |engine, _| Ok(engine.store().record_token(&model, &id)?)).await
    }

    /// Waits until the store holds everything that the token names: own writes at once, others' once they
    /// have arrived.
    pub async fn wait_for(&self, token: &Token, within: Duration) -> Result<()> {
        if !token.is_of(&self.inner.namespace) {
            return Err(Error::OtherNamespace);
        }
        let (answer, outcome) = oneshot::channel();
        self.inner.driver.send(Message::Wait(Wait { token: token.clone(), answer }));
        match tokio::time::timeout(within, outcome).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Timeout { what: "the arrival of the token's changes".to_owned(), within }),
        }
    }

    /// Whom a write has reached: how many of its changes are still pending at relays, or at one peer.
    pub async fn ack_state(&self, token: &Token, audience: Audience) -> Result<AckState> {
        if !token.is_of(&self.inner.namespace) {
            return Err(Error::OtherNamespace);
        }
        let token = token.clone();
        self.inner
            .driver
            .exclusive(move |engine, _| {
                let dots: Vec<Dot> = token.entries().map(|(replica, e)| Dot { replica, counter: e.counter }).collect();
                let pending = engine.store().unacknowledged(&dots, audience.filter())?;
                Ok(if pending == 0 { AckState::Acknowledged } else { AckState::Pending(pending) })
            })
            .await
    }

    /// Waits until a relay holds every own change that leaves the device, durably; for an app that is about to end, or to sign out. At once if
    /// that is so, in vain without a [`Store::connect`] in this process or another.
    pub async fn wait_until_sent(&self, within: Duration) -> Result<()> {
        tokio::time::timeout(within, self.sent())
            .await
            .map_err(|_| Error::Timeout { what: "the acknowledgement of all own changes".to_owned(), within })?
    }

    async fn sent(&self) -> Result<()> {
        let mut events = self.events();
        let is_waiting = |engine: &mut Engine, now: Now| {
            engine.store_mut().refresh()?;
            // Followers hear of what that found before anybody sees it.
            engine.handle(now, Input::Tick);
            Ok(engine.store().has_pending()?)
        };
        while self.inner.driver.exclusive(is_waiting).await? {
            // Acknowledgements to another process come without an event.
            let _ = tokio::time::timeout(UNTOLD, async {
                while let Some(event) = events.next().await {
                    if matches!(event, Ok(Event::OutboxStatus { is_empty: true }) | Err(_)) {
                        break;
                    }
                }
            })
            .await;
        }
        Ok(())
    }

    /// What the store holds, and what its peers do.
    pub async fn status(&self) -> Result<Status> {
        self.inner.driver.status().await
    }

    /// The newest of the own changes that no relay has acknowledged, which [`Status`] counts: at most so many, newest
    /// first.
    pub async fn pending_changes(&self, limit: usize) -> Result<Vec<PendingChange>> {
        self.inner.driver.exclusive(move |engine, _| Ok(engine.store().pending_changes(limit)?)).await
    }

    /// Checks pages, hashes, chains, states and tables.
    pub async fn verify(&self) -> Result<VerifyReport> {
        self.inner.driver.exclusive(|engine, _| Ok(engine.store().verify()?)).await
    }

    /// Every event from now on.
    pub fn events(&self) -> Events {
        Events::new(self.inner.driver.shared().events.subscribe())
    }

    /// Closes links and store. Everything is durable and the file is free when this returns; other clones get
    /// [`Error::Closed`] from then on.
    pub async fn close(&self) -> Result<()> {
        #[cfg(feature = "net")]
        self.inner.net.close().await;
        self.inner.readers.close().await;
        self.inner.driver.close().await
    }

    /// Closes the store as [`Store::close`] does, and deletes it: the file, and what stands beside it. For a sign-out.
    ///
    /// While own changes that leave the device are on no relay nothing happens, and the error is [`Error::Unsent`]:
    /// [`Store::wait_until_sent`] waits for them, [`Store::clear_with_unsent`] loses them. Else no write is taken from
    /// here on.
    ///
    /// The next open of the path makes a new store with a new replica id. While another process has the store open nothing
    /// is deleted, and the error is [`Error::InUse`]; this handle is closed then, and [`Store::clear_with_unsent`] deletes
    /// the store once the other process has ended, whatever that has saved meanwhile.
    pub async fn clear(&self) -> Result<()> {
        self.check_writable()?;
        self.inner.driver.seal().await?;
        self.clear_with_unsent().await
    }

    /// As [`Store::clear`], also while own changes are on no relay: they are lost.
    pub async fn clear_with_unsent(&self) -> Result<()> {
        self.check_writable()?;
        // What closing could not write is deleted anyway.
        let _ = self.close().await;
        let path = self.inner.path.clone();
        tokio::task::spawn_blocking(move || delete(&path)).await.map_err(|_| Error::Closed)?
    }

    /// Fails if the store was opened to be read only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.inner.read_only { Err(StoreError::ReadOnly.into()) } else { Ok(()) }
    }

    pub(crate) async fn write(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> Result<syncline_engine::Saved, StoreError> + Send + 'static,
    ) -> Result<Saved<Record>> {
        let saved = self.inner.driver.write(act).await?;
        Ok(with_token(&self.inner.namespace, saved))
    }

    /// Runs `act` on a reader, maybe twice: see [`Readers`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        act: impl Fn(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.inner.readers.read(&self.inner.driver, act).await
    }
}

/// Deletes a store that this process has closed.
fn delete(path: &Path) -> Result<()> {
    let failed = |source| StoreError::File { doing: "delete", path: path.to_owned(), source };
    if !OnDisk::new(path).delete().map_err(failed)? {
        return Err(Error::InUse(path.to_owned()));
    }
    #[cfg(feature = "net")]
    match std::fs::remove_file(crate::link::identity_of(path)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error).into()),
        Ok(()) | Err(_) => {}
    }
    Ok(())
}

/// Who shall have a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Any relay.
    Relay,
    /// The peer of this store id.
    Peer(syncline_core::ids::StoreId),
    /// Every peer ever met.
    AllKnown,
}

impl Audience {
    fn filter(self) -> syncline_engine::AckedBy {
        match self {
            Self::Relay => syncline_engine::AckedBy::AnyRelay,
            Self::Peer(store) => syncline_engine::AckedBy::Peer(store),
            Self::AllKnown => syncline_engine::AckedBy::All,
        }
    }
}

/// Whether a write has arrived, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckState {
    /// All of it.
    Acknowledged,
    /// So many of its replicas' entries are still on their way.
    Pending(u64),
}

pub(crate) fn with_token(namespace: &str, saved: syncline_engine::Saved) -> Saved<Record> {
    Saved { record: saved.record, token: saved.dot.map(|dot| token_of(namespace, dot)) }
}

/// As [`with_token`], of many.
pub(crate) fn with_tokens(namespace: &str, saved: Vec<syncline_engine::Saved>) -> Vec<Saved<Record>> {
    let start = Token::new(namespace, []);
    let token = |position| start.moved_to([entry_of(position)]);
    saved.into_iter().map(|one| Saved { record: one.record, token: one.dot.map(token) }).collect()
}

pub(crate) fn token_of(namespace: &str, position: (Dot, Chain)) -> Token {
    Token::new(namespace, [entry_of(position)])
}

fn entry_of((dot, chain): (Dot, Chain)) -> (ReplicaId, TokenEntry) {
    (dot.replica, TokenEntry { counter: dot.counter, chain })
}

impl From<&str> for Options {
    fn from(sdl: &str) -> Self {
        Self::new(sdl)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}
