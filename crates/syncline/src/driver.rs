//! The only event loop: one thread owns the engine, and everything reaches it as a message.
//!
//! Writes that arrive together share one transaction, and each is answered after the commit. A second
//! thread makes commits durable (`syncer`); what waits for that leaves once it reports. Connections are tasks
//! that hand frames over in both directions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use syncline_core::ids::{Chain, Dot};
use syncline_core::record::TextEdit;
use syncline_core::session::Session;
use syncline_core::vector::Token;
use syncline_engine::query::QueryError;
use syncline_engine::rusqlite;
use syncline_engine::{Checkpointer, Commit, ConnectionId, Engine, Input, Now, Output, Store, StoreError, Tx};
use syncline_schema::Schema;
use tokio::sync::{broadcast, oneshot, watch};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::followers::Followers;
use crate::outbox::OutboxTeller;
use crate::sorter::Sorter;
use crate::status::{Carried, LinkState, Status};
use crate::syncer::Syncer;

/// Writes that share a transaction at most.
const GROUP_MAX: usize = 256;

/// How long a thread looks for what it waits for before it sleeps.
const LOOK_FOR: Duration = Duration::from_micros(60);

/// How often other processes' commits are looked for.
const IDLE_POLL: Duration = Duration::from_millis(250);

/// Commits and events that a slow follower may lag behind before it is told of a gap.
const FOLLOWERS_LAG_MAX: usize = 4096;

/// What a write does after its transaction was committed, or failed to.
pub(crate) type Answer = Box<dyn FnOnce(std::result::Result<(), Arc<StoreError>>) + Send>;

/// A write that is whole by itself. Without a transaction, which could not be begun, there is only its answer.
pub(crate) type Write = Box<dyn FnOnce(Option<&mut Tx<'_>>) -> Answer + Send>;

/// Work that needs the engine for itself.
pub(crate) type Exclusive = Box<dyn FnOnce(&mut Engine, Now) -> Box<dyn FnOnce() + Send> + Send>;

/// Something for the engine's thread to do.
#[cfg_attr(not(feature = "net"), expect(dead_code, reason = "some messages come from connections only"))]
pub(crate) enum Message {
    /// A write that is whole by itself: it may share a transaction with others.
    Write(Write),
    /// An edit of a text; those of one text that wait together become one change.
    Text(QueuedEdit),
    /// Work that needs the store for itself: the app's transactions, status, exports.
    Exclusive(Exclusive),
    /// A fact for the engine.
    Input(Input),
    /// A frame, with the room that it takes until the engine has dealt with it.
    #[cfg(feature = "net")]
    Frame(Input, tokio::sync::OwnedSemaphorePermit),
    /// The syncer has ended a sync that began at this position.
    Synced(u64, std::io::Result<()>),
    /// A checkpoint has ended; an error says that a sync in it failed.
    Checkpointed(Checkpointer, std::io::Result<()>),
    /// Somebody waits for a token.
    Wait(Wait),
    /// Somebody waits until everything committed is durable.
    Durable(oneshot::Sender<std::result::Result<(), StoreError>>),
    /// A connection wants to hear what the engine sends on it.
    Attach(ConnectionId, tokio::sync::mpsc::UnboundedSender<Output>),
    /// A connection is over.
    Detach(ConnectionId),
    /// Take no calls any more, unless own changes are on no relay.
    Seal(oneshot::Sender<Result<()>>),
    /// Close the store and end.
    Close(oneshot::Sender<std::result::Result<(), StoreError>>),
}

/// Where a write stands in its replica's history; `None` if it changed nothing.
pub(crate) type Position = Option<(Dot, Chain)>;

/// An edit of a text on its way.
pub(crate) struct QueuedEdit {
    pub(crate) text: Arc<TextName>,
    pub(crate) edit: TextEdit,
    pub(crate) answer: Option<oneshot::Sender<Result<Position>>>,
}

/// Which text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TextName {
    pub(crate) model: String,
    pub(crate) id: String,
    pub(crate) field: String,
}

/// What shares a transaction.
enum Grouped {
    Write(Write),
    Texts(Arc<TextName>, Vec<QueuedEdit>),
}

/// Somebody who waits until the store holds what a token names.
pub(crate) struct Wait {
    pub(crate) token: Token,
    pub(crate) answer: oneshot::Sender<()>,
}

/// The way to the engine's thread. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Driver {
    messages: Arc<Sender<Message>>,
    shared: Arc<Shared>,
}

/// Whether any link is synced, and how often that began: who does not look while a short session is synced still
/// learns that it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) now: bool,
    pub(crate) times: u64,
}

impl Synced {
    /// Takes what is so now. Whether that is news.
    fn turn(&mut self, now: bool) -> bool {
        self.times += u64::from(now && !self.now);
        std::mem::replace(&mut self.now, now) != now
    }
}

/// What followers and links look at.
pub(crate) struct Shared {
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) followers: Followers,
    pub(crate) synced: watch::Sender<Synced>,
    pub(crate) links: Mutex<BTreeMap<ConnectionId, LinkState>>,
    /// What sessions have carried that are over.
    past: Mutex<Carried>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether the store is to be cleared: nothing unsent was in it, and nothing comes to it any more.
    sealed: AtomicBool,
    /// Whether another process has changed the schema since the store was opened.
    schema_changed: AtomicBool,
    /// Writes whose callers wait.
    writing: AtomicUsize,
}

/// Counts a write that is waited for.
struct Alone<'w> {
    writing: &'w AtomicUsize,
    is_alone: bool,
}

impl<'w> Alone<'w> {
    fn begin(writing: &'w AtomicUsize) -> Self {
        Self { writing, is_alone: writing.fetch_add(1, Ordering::Relaxed) == 0 }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.writing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a statement named that was not there; `None` of any other error.
pub(crate) fn missed(error: &StoreError) -> Option<String> {
    let (StoreError::Sqlite { source, .. } | StoreError::Query(QueryError::Sqlite(source))) = error else {
        return None;
    };
    // Of a statement that is prepared anew, and of one that is prepared for the first time.
    let (rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. }) = source else {
        return None;
    };
    let says = (error.extended_code == rusqlite::ffi::SQLITE_ERROR).then(|| source.to_string());
    says.filter(|says| says.contains("no such "))
}

/// Asks again and again for a moment, where there is more than one processor to ask on.
fn look_for<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    static SEVERAL: LazyLock<bool> = LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|n| n.get() > 1));
    let began = Instant::now();
    loop {
        let found = ask();
        if found.is_some() || !*SEVERAL || began.elapsed() > LOOK_FOR {
            return found;
        }
        std::hint::spin_loop();
    }
}

impl Shared {
    /// What a failed read says once the file is not as this process knows it.
    pub(crate) fn explained(&self, error: StoreError) -> Error {
        match missed(&error).filter(|_| self.schema_changed.load(Ordering::Relaxed)) {
            Some(reason) => Error::SchemaChanged { reason },
            None => error.into(),
        }
    }

    /// What is known of a connection.
    #[cfg(feature = "net")]
    pub(crate) fn link(&self, connection: ConnectionId) -> LinkState {
        self.links.lock().expect("nobody panics while holding it").get(&connection).cloned().unwrap_or_default()
    }

    fn past(&self) -> Carried {
        *self.past.lock().expect("nobody panics while holding it")
    }

    fn remember(&self, session: &Session) {
        let mut past = self.past.lock().expect("nobody panics while holding it");
        *past = past.and(session);
    }

    fn forget(&self, connection: ConnectionId) {
        let mut links = self.links.lock().expect("nobody panics while holding it");
        links.remove(&connection);
        let (up, synced) = (!links.is_empty(), links.values().any(|link| link.is_synced));
        drop(links);
        self.synced.send_if_modified(|held| held.turn(synced));
        if !up {
            let _ = self.events.send(Event::NetworkStatus { active: false });
        }
    }
}

impl Driver {
    /// Starts the threads of an open store.
    pub(crate) fn start(mut store: Store) -> Self {
        let (messages, inbox) = channel();
        let messages = Arc::new(messages);
        let (events, _) = broadcast::channel(FOLLOWERS_LAG_MAX);
        let (synced, _) = watch::channel(Synced::default());
        let shared = Arc::new(Shared {
            events,
            followers: Followers::default(),
            synced,
            links: Mutex::default(),
            past: Mutex::default(),
            threads: Mutex::default(),
            sealed: AtomicBool::new(false),
            schema_changed: AtomicBool::new(false),
            writing: AtomicUsize::new(0),
        });
        let syncer = Syncer::start(&mut store, Arc::downgrade(&messages));
        let thread = EngineThread {
            schemas: store.schema().map(|schema| [Arc::clone(schema), Arc::clone(schema)]),
            engine: Engine::new(store, syncline_core::wire::Role::Peer),
            inbox,
            syncer,
            sorting: Sorting::NotYet,
            shared: Arc::clone(&shared),
            connections: BTreeMap::new(),
            outbox: OutboxTeller::default(),
            waits: Vec::new(),
            durable_waits: Vec::new(),
            closing: None,
            started: Instant::now(),
            ticked_ms: 0,
        };
        let handle = std::thread::Builder::new()
            .name("syncline-engine".to_owned())
            .spawn(move || thread.run())
            .expect("the system has a thread to give");
        shared.threads.lock().expect("nobody panics while holding it").push(handle);
        Self { messages, shared }
    }

    /// What followers look at.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Hands a message over; lost only if the store is closed.
    pub(crate) fn send(&self, message: Message) {
        // After the end nobody is there to answer, and whoever asked sees its channel closed.
        let _ = self.messages.send(message);
    }

    /// Runs one write and answers after its commit. Dropping the future does not undo the write.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let (answer, mut outcome) = oneshot::channel();
        self.send(Message::Write(Box::new(move |tx| {
            let value = tx.map(|tx| tx.single(act));
            Box::new(move |committed| {
                let value = match (value, committed) {
                    (Some(Err(error)), _) => Err(Error::from(error)),
                    (_, Err(error)) => Err(uncommitted(error)),
                    (Some(Ok(value)), Ok(())) => Ok(value),
                    (None, Ok(())) => Err(Error::Closed),
                };
                let _ = answer.send(value);
            })
        })));
        // A write alone is soon done: its caller looks for the answer before it lets go of its thread.
        let alone = Alone::begin(&self.shared.writing);
        let soon = alone.is_alone.then(|| {
            look_for(|| match outcome.try_recv() {
                Ok(value) => Some(Ok(value)),
                Err(oneshot::error::TryRecvError::Closed) => Some(Err(Error::Closed)),
                Err(oneshot::error::TryRecvError::Empty) => None,
            })
        });
        match soon.flatten() {
            Some(value) => value?,
            None => outcome.await.map_err(|_| Error::Closed)?,
        }
    }

    /// Runs work that needs the engine for itself.
    pub(crate) async fn exclusive<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine, Now) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, outcome) = oneshot::channel();
        self.send(Message::Exclusive(Box::new(move |engine, now| {
            let value = act(engine, now);
            Box::new(move || {
                let _ = answer.send(value);
            })
        })));
        outcome.await.map_err(|_| Error::Closed)?
    }

    /// As [`write`](Self::write), in a transaction of its own: part of it may be written before the rest is known.
    pub(crate) async fn write_alone<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.exclusive(move |engine, now| {
            let mut refused = false;
            let outcome = engine.write(now, |tx| act(tx).inspect_err(|_| refused = true));
            outcome.map_err(|error| if refused { error.into() } else { uncommitted(Arc::new(error)) })
        })
        .await
    }

    /// Reads from the records as they stand, with their live documents.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.exclusive(move |engine, now| Ok(engine.look(now, act)?)).await
    }

    /// The store's state, for people and programs.
    pub(crate) async fn status(&self) -> Result<Status> {
        let links = self.shared.links.lock().expect("nobody panics while holding it").clone();
        let shared = Arc::clone(&self.shared);
        self.exclusive(move |engine, _| Status::of(engine, &links, shared.past())).await
    }

    /// Takes no calls any more, unless own changes are on no relay. Closing is left to be done.
    pub(crate) async fn seal(&self) -> Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.send(Message::Seal(answer));
        outcome.await.map_err(|_| Error::Closed)?
    }

    /// Closes the store: everything is durable and the files are free when this returns.
    pub(crate) async fn close(&self) -> Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.send(Message::Close(answer));
        let outcome = outcome.await;
        let threads: Vec<_> = self.shared.threads.lock().expect("nobody panics while holding it").drain(..).collect();
        for thread in threads {
            let _ = thread.join();
        }
        match outcome {
            Ok(outcome) => outcome.map_err(Error::from),
            Err(_) => Ok(()),
        }
    }
}

/// Who sorts what commits tell of models that many follow.
enum Sorting {
    /// It was not needed.
    NotYet,
    By(#[expect(dead_code, reason = "it ends when it is dropped")] Sorter),
    /// It cannot be had, or not any more.
    Never,
}

/// The thread that owns the engine.
struct EngineThread {
    /// Before the engine, whose file it reads: it ends first, however this thread does.
    sorting: Sorting,
    engine: Engine,
    /// As it was when the store was opened, and as it was told last.
    schemas: Option<[Arc<Schema>; 2]>,
    inbox: Receiver<Message>,
    syncer: Syncer,
    shared: Arc<Shared>,
    connections: BTreeMap<ConnectionId, tokio::sync::mpsc::UnboundedSender<Output>>,
    outbox: OutboxTeller,
    waits: Vec<Wait>,
    durable_waits: Vec<(u64, oneshot::Sender<std::result::Result<(), StoreError>>)>,
    /// Who asked for the end.
    closing: Option<oneshot::Sender<std::result::Result<(), StoreError>>>,
    started: Instant,
    ticked_ms: u64,
}

impl EngineThread {
    fn run(mut self) {
        while self.closing.is_none() {
            match self.next() {
                Ok(message) => {
                    let now = self.now();
                    self.take(message, now);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Every handle is gone: the store is closed as well as can be.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.keep_time();
            self.deliver();
            if self.closing.is_none() {
                self.syncer.checkpoint(self.engine.store_mut());
            }
        }
        let now = self.now();
        self.end_syncer(now);
        // It holds a connection; from here on each follower looks for itself.
        self.sorting = Sorting::Never;
        let outcome = self.engine.close(now);
        self.deliver();
        let _ = self.shared.events.send(Event::Closed);
        self.shared.followers.close();
        match (self.closing, outcome) {
            (Some(answer), outcome) => drop(answer.send(outcome)),
            (None, Err(error)) => tracing::warn!(%error, "the store was not closed cleanly"),
            (None, Ok(())) => {}
        }
    }

    /// Waits for what the syncer has begun. Nobody is served any more, but the store must not be closed as a sound one
    /// if a sync failed.
    fn end_syncer(&mut self, now: Now) {
        self.syncer.end();
        while let Ok(message) = self.inbox.try_recv() {
            if let Message::Synced(..) | Message::Checkpointed(..) = message {
                self.take(message, now);
            }
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: self.started.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as u64 }
    }

    /// The next message. Looks for it a moment longer before it sleeps: waking a thread takes as long as a small
    /// write does, and where one write came the next is often near.
    fn next(&self) -> std::result::Result<Message, RecvTimeoutError> {
        let found = look_for(|| match self.inbox.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Disconnected) => Some(Err(RecvTimeoutError::Disconnected)),
            Err(TryRecvError::Empty) => None,
        });
        found.unwrap_or_else(|| self.inbox.recv_timeout(self.patience()))
    }

    fn patience(&self) -> Duration {
        let now = self.started.elapsed().as_millis() as u64;
        let poll = self.ticked_ms + IDLE_POLL.as_millis() as u64;
        let due = self.engine.next_deadline().map_or(poll, |deadline| deadline.min(poll));
        Duration::from_millis(due.saturating_sub(now))
    }

    /// Lets the engine look at the clock when it is due, however many messages there are.
    fn keep_time(&mut self) {
        let now = self.now();
        let deadline = self.engine.next_deadline().is_some_and(|at| at <= now.mono_ms);
        if deadline || now.mono_ms >= self.ticked_ms + IDLE_POLL.as_millis() as u64 {
            self.ticked_ms = now.mono_ms;
            self.engine.handle(now, Input::Tick);
        }
    }

    fn take(&mut self, message: Message, now: Now) {
        let is_sealed = self.shared.sealed.load(Ordering::Relaxed);
        match message {
            // Whoever asked sees its channel closed.
            Message::Write(_) | Message::Text(_) | Message::Exclusive(_) if is_sealed => {}
            Message::Write(first) => self.write_group(Grouped::Write(first), now),
            Message::Text(edit) => self.write_group(Grouped::Texts(Arc::clone(&edit.text), vec![edit]), now),
            Message::Exclusive(act) => {
                let answer = act(&mut self.engine, now);
                // Whoever follows from the answer on must not hear of what was before it.
                self.deliver();
                answer();
            }
            Message::Input(input) => self.engine.handle(now, input),
            #[cfg(feature = "net")]
            Message::Frame(input, _room) => self.engine.handle(now, input),
            Message::Synced(seq, outcome) => {
                self.syncer.synced();
                self.engine.handle(now, Input::Synced(seq, outcome));
            }
            Message::Checkpointed(checkpointer, outcome) => {
                self.syncer.checkpointed(checkpointer);
                if outcome.is_err() {
                    self.engine.handle(now, Input::Synced(0, outcome));
                }
            }
            Message::Wait(wait) => self.waits.push(wait),
            Message::Durable(answer) => {
                self.durable_waits.push((self.engine.store().committed(), answer));
                self.engine.want_durable(now);
            }
            Message::Attach(connection, sender) => {
                self.connections.insert(connection, sender);
            }
            Message::Detach(connection) => {
                self.connections.remove(&connection);
                if let Some(session) = self.engine.session(connection) {
                    self.shared.remember(session);
                }
                self.engine.handle(now, Input::Closed(connection));
                self.deliver();
                self.shared.forget(connection);
            }
            Message::Seal(answer) => {
                let _ = answer.send(self.seal(now));
            }
            Message::Close(answer) => self.closing = Some(answer),
        }
    }

    fn seal(&mut self, now: Now) -> Result<()> {
        // What other processes have committed counts, too.
        self.engine.store_mut().refresh()?;
        self.engine.handle(now, Input::Tick);
        if self.engine.store().has_pending()? {
            return Err(Error::Unsent { changes: self.engine.store().outbox()?.pending });
        }
        self.shared.sealed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Runs the write and all that wait behind it in one transaction.
    fn write_group(&mut self, first: Grouped, now: Now) {
        let mut group = vec![first];
        let mut next = None;
        let mut count = 1;
        while count < GROUP_MAX && next.is_none() {
            match self.inbox.try_recv() {
                Ok(Message::Write(write)) => group.push(Grouped::Write(write)),
                Ok(Message::Text(edit)) => join(&mut group, edit),
                Ok(other) => next = Some(other),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            count += 1;
        }
        let mut answers = Vec::with_capacity(group.len());
        let outcome = self.engine.write(now, |tx| {
            for grouped in std::mem::take(&mut group) {
                match grouped {
                    Grouped::Write(write) => answers.push(write(Some(tx))),
                    Grouped::Texts(text, edits) => answers.push(edit_text(tx, &text, edits)),
                }
            }
            Ok(())
        });
        let outcome = outcome.map_err(Arc::new);
        // Where no transaction could be begun they still wait for an answer.
        answers.extend(group.into_iter().map(|grouped| match grouped {
            Grouped::Write(write) => write(None),
            Grouped::Texts(_, edits) => answer_edits(edits.into_iter().map(|edit| (edit.answer, Ok(None))).collect()),
        }));
        // Whoever follows from the answer on must not hear of what was before it.
        self.deliver();
        for answer in answers {
            answer(outcome.clone());
        }
        if let Some(next) = next {
            self.deliver();
            let now = self.now();
            self.take(next, now);
        }
    }

    /// Passes on everything the engine has decided.
    fn deliver(&mut self) {
        // Whoever is woken by a commit knows what a read may miss.
        self.notice_schema();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Sync(seq) => self.syncer.begin(seq),
                Output::Commit(commit) => {
                    let outbox = self.outbox.committed(&self.engine, &commit);
                    self.tell_followers(&commit);
                    let _ = self.shared.events.send(Event::Commit(Arc::new(commit)));
                    self.tell(outbox);
                }
                Output::Session(connection, event) => {
                    self.note(connection, &event);
                    let outbox = self.outbox.heard(&self.engine, &event);
                    self.tell(outbox);
                }
                Output::Send { connection, .. } | Output::Close { connection, .. } => {
                    if let Some(sender) = self.connections.get(&connection) {
                        let _ = sender.send(output);
                    }
                }
            }
        }
        self.shared.followers.have_been_told(self.engine.store().followed());
        self.wake_waiting();
    }

    fn tell_followers(&mut self, commit: &Commit) {
        let shared = Arc::clone(&self.shared);
        for letter in shared.followers.letters(commit) {
            if !(shared.followers.is_better_sorted(&letter) && self.has_sorter() && shared.followers.leave(&letter)) {
                shared.followers.put(&letter);
            }
        }
    }

    /// Starts the sorter when it is needed first.
    fn has_sorter(&mut self) -> bool {
        if let Sorting::NotYet = self.sorting {
            let reader = self.engine.store().reader().map_err(|error| error.to_string());
            let start = |reader| Sorter::start(&self.shared, reader).map_err(|error| error.to_string());
            self.sorting = match reader.and_then(start) {
                Ok(sorter) => Sorting::By(sorter),
                Err(error) => {
                    tracing::warn!(%error, "each live query looks at every commit itself");
                    Sorting::Never
                }
            };
        }
        matches!(self.sorting, Sorting::By(_))
    }

    /// Tells if another process has opened the store with another schema.
    fn notice_schema(&mut self) {
        let (Some([known, told]), Some(now)) = (&mut self.schemas, self.engine.store().schema()) else { return };
        if Arc::ptr_eq(told, now) || std::mem::replace(told, Arc::clone(now)).means_the_same(now) {
            return;
        }
        let names = known.models.iter().map(|model| model.name.clone());
        let gone = names.filter(|name| now.model(name).is_none()).collect();
        self.shared.schema_changed.store(true, Ordering::Relaxed);
        let _ = self.shared.events.send(Event::SchemaChanged { gone });
        self.shared.followers.shake();
    }

    fn tell(&self, event: Option<Event>) {
        if let Some(event) = event {
            let _ = self.shared.events.send(event);
        }
    }

    fn note(&mut self, connection: ConnectionId, event: &syncline_core::session::Event) {
        let mut links = self.shared.links.lock().expect("nobody panics while holding it");
        if links.is_empty() {
            let _ = self.shared.events.send(Event::NetworkStatus { active: true });
        }
        let link = links.entry(connection).or_default();
        for event in link.take(event) {
            let _ = self.shared.events.send(event);
        }
        let synced = !links.is_empty() && links.values().any(|link| link.is_synced);
        drop(links);
        self.shared.synced.send_if_modified(|held| held.turn(synced));
    }

    fn wake_waiting(&mut self) {
        let durable = self.engine.store().durable();
        let failed = self.engine.health().is_err();
        let (ready, waiting) = std::mem::take(&mut self.durable_waits)
            .into_iter()
            .partition::<Vec<_>, _>(|(seq, _)| failed || *seq <= durable);
        self.durable_waits = waiting;
        for (_, answer) in ready {
            let _ = answer.send(self.engine.health());
        }
        if self.waits.is_empty() {
            return;
        }
        let version = self.engine.store().version();
        let (ready, waiting) = std::mem::take(&mut self.waits)
            .into_iter()
            .partition::<Vec<_>, _>(|wait| version.covers(&wait.token.version()));
        self.waits = waiting;
        self.waits.retain(|wait| !wait.answer.is_closed());
        for wait in ready {
            let _ = wait.answer.send(());
        }
    }
}

/// Why a transaction failed, for each whose write it carried.
fn uncommitted(error: Arc<StoreError>) -> Error {
    if let StoreError::ReadOnly = *error { StoreError::ReadOnly.into() } else { Error::Commit(error) }
}

/// Puts an edit beside the one before it if both are of one text.
fn join(group: &mut Vec<Grouped>, edit: QueuedEdit) {
    match group.last_mut() {
        Some(Grouped::Texts(text, edits)) if *text == edit.text => edits.push(edit),
        Some(_) | None => group.push(Grouped::Texts(Arc::clone(&edit.text), vec![edit])),
    }
}

/// Does the edits of one text, as one change if all of them fit, each alone otherwise.
fn edit_text(tx: &mut Tx<'_>, text: &TextName, edits: Vec<QueuedEdit>) -> Answer {
    let (edits, answers): (Vec<TextEdit>, Vec<_>) =
        edits.into_iter().map(|queued| (queued.edit, queued.answer)).unzip();
    let mut edit = |edits: &[TextEdit]| tx.single(|tx| tx.edit_text(&text.model, &text.id, &text.field, edits));
    let outcomes: Vec<_> = match edit(&edits) {
        Ok(dot) => edits.iter().map(|_| Ok(dot)).collect(),
        Err(_) => edits.iter().map(|one| edit(std::slice::from_ref(one))).collect(),
    };
    answer_edits(answers.into_iter().zip(outcomes).collect())
}

/// Who waits for an edit of a text, and what became of it before the commit.
type Edited = (Option<oneshot::Sender<Result<Position>>>, std::result::Result<Position, StoreError>);

/// The answer to edits of one text.
fn answer_edits(edits: Vec<Edited>) -> Answer {
    Box::new(move |committed| {
        for (answer, outcome) in edits {
            let outcome = match (outcome, &committed) {
                (Ok(dot), Ok(())) => Ok(dot),
                (Err(error), _) => Err(Error::from(error)),
                (Ok(_), Err(error)) => Err(uncommitted(Arc::clone(error))),
            };
            if let Some(answer) = answer {
                let _ = answer.send(outcome);
            }
        }
    })
}
