//! A store with its sessions.
//!
//! Facts go in by [`Engine::handle`], [`Engine::write`] and [`Engine::open_session`]; after each of them
//! decisions come out of [`Engine::poll_output`] until it is empty. [`Engine::next_deadline`] says when to
//! come back with [`Input::Tick`] at the latest. The clock is an argument; nothing here blocks but SQLite.
//!
//! What may leave, and when: sessions send own changes, positions and acknowledgements only up to
//! [`Store::durable`]. The engine asks for a sync by [`Output::Sync`]; its driver syncs on whatever thread it
//! likes and reports with [`Input::Synced`].

use std::collections::{BTreeMap, VecDeque};

use syncline_core::session::{self, CloseCode, Config, Event, Session};
use syncline_core::wire::{Lane, Message, Role};

use crate::commit::Commit;
use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::tx::Tx;

pub use syncline_core::session::Now;

/// Names a connection; the driver gives the numbers out.
pub type ConnectionId = u64;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A frame arrived.
    Frame {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// Its type.
        kind: u8,
        /// What follows the type.
        body: Vec<u8>,
    },
    /// The session shall end in good order.
    Finish(ConnectionId),
    /// The connection is gone.
    Closed(ConnectionId),
    /// A sync that began when the log stood at this position has ended.
    Synced(u64, std::io::Result<()>),
    /// Time has passed.
    Tick,
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Send a frame.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// Its type.
        kind: u8,
        /// What follows the type.
        body: Vec<u8>,
    },
    /// Close a connection after what was sent before.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, for programs.
        code: u32,
        /// Why, for people.
        reason: String,
    },
    /// Make durable what is committed; the position is the log's end. One sync at a time is enough.
    Sync(u64),
    /// A transaction was committed here or by another process.
    Commit(Commit),
    /// News of a session.
    Session(ConnectionId, Event),
}

/// A store with its sessions. One thread owns it.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    role: Role,
    sessions: BTreeMap<ConnectionId, Session>,
    outputs: VecDeque<Output>,
    told: Told,
    sync_wanted: bool,
    /// When acknowledgements that no transaction has taken along are written.
    acks_due: Option<u64>,
}

/// How long an acknowledgement waits for a transaction to be written with: each alone would cost a relay as much as
/// the change.
const ACKS_WAIT_MS: u64 = 1_000;

/// What the sessions and the driver were told last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    committed: u64,
    durable: u64,
    asked: u64,
}

impl Engine {
    /// An engine without sessions.
    pub fn new(store: Store, role: Role) -> Self {
        let told = Told { committed: store.committed(), durable: store.durable(), asked: 0 };
        Self {
            store,
            role,
            sessions: BTreeMap::new(),
            outputs: VecDeque::new(),
            told,
            sync_wanted: false,
            acks_due: None,
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store, to read and to write; call [`Engine::settle`] after writing.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The sessions, by connection.
    pub fn sessions(&self) -> impl Iterator<Item = (ConnectionId, &Session)> {
        self.sessions.iter().map(|(connection, session)| (*connection, session))
    }

    /// The session of a connection.
    pub fn session(&self, connection: ConnectionId) -> Option<&Session> {
        self.sessions.get(&connection)
    }

    /// Begins a session on a connection that stands. Refused if another process holds the store's sessions.
    pub fn open_session(&mut self, now: Now, connection: ConnectionId, dialed: bool, mut config: Config) -> Result<()> {
        self.store.claim_sessions()?;
        // What other processes have written until now belongs to what this session begins with.
        self.store.refresh()?;
        config.role = self.role;
        let mut session = if dialed { Session::dial(config) } else { Session::accept(config) };
        self.store.set_time(now.wall_ms as i64);
        session.handle(now, session::Input::Connected, &mut self.store);
        self.sessions.insert(connection, session);
        self.collect(connection);
        self.settle(now);
        Ok(())
    }

    /// Takes over a session that has been asked who it is.
    pub(crate) fn adopt_session(&mut self, now: Now, connection: ConnectionId, mut session: Session) {
        self.store.set_time(now.wall_ms as i64);
        session.handle(now, session::Input::Admit, &mut self.store);
        self.sessions.insert(connection, session);
        self.collect(connection);
        self.settle(now);
    }

    /// Takes in a fact.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.store.set_time(now.wall_ms as i64);
        match input {
            Input::Frame { connection, lane, kind, body } => {
                let input = match Message::decode(kind, &body) {
                    Ok(message) => session::Input::Frame { lane, message },
                    Err(bad) => session::Input::Malformed(bad),
                };
                self.tell(now, connection, input);
            }
            Input::Finish(connection) => self.tell(now, connection, session::Input::Shutdown),
            Input::Closed(connection) => {
                self.tell(now, connection, session::Input::Closed);
                self.sessions.remove(&connection);
            }
            Input::Synced(seq, outcome) => {
                self.store.synced(seq, outcome);
                self.told.asked = 0;
            }
            Input::Tick => self.tick(now),
        }
        self.settle(now);
    }

    fn tick(&mut self, now: Now) {
        if let Err(error) = self.store.refresh() {
            tracing::warn!(%error, "looking for other processes' commits failed");
        }
        let due: Vec<ConnectionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.next_deadline().is_some_and(|at| at <= now.mono_ms))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in due {
            self.tell(now, connection, session::Input::Deadline);
        }
        if self.acks_due.is_some_and(|at| at <= now.mono_ms)
            && let Err(error) = self.store.write_acks()
        {
            tracing::warn!(%error, "writing what peers acknowledged failed");
        }
    }

    /// Runs `act` in one transaction, as [`Store::write`].
    pub fn write<T>(&mut self, now: Now, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.store.write(now.wall_ms as i64, act);
        self.settle(now);
        outcome
    }

    /// Runs `act`, which only reads, as [`Store::look`].
    pub fn look<T>(&mut self, now: Now, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.store.look(act);
        self.settle(now);
        outcome
    }

    /// Asks for a sync although no session needs one: what is committed now is about to leave another way.
    pub fn want_durable(&mut self, now: Now) {
        self.sync_wanted = true;
        self.settle(now);
    }

    /// Tells sessions and driver what the store has done since they were told last.
    pub fn settle(&mut self, now: Now) {
        loop {
            for commit in self.store.take_commits() {
                self.outputs.push_back(Output::Commit(commit));
            }
            let (committed, durable) = (self.store.committed(), self.store.durable());
            if durable > self.told.durable {
                self.told.durable = durable;
                self.tell_all(now, &session::Input::Durable);
            } else if committed != self.told.committed {
                self.told.committed = committed;
                self.tell_all(now, &session::Input::Grew);
            } else {
                break;
            }
        }
        self.ask_for_sync();
        self.acks_due = match self.store.has_unwritten_acks() {
            true => Some(self.acks_due.filter(|at| *at > now.mono_ms).unwrap_or(now.mono_ms + ACKS_WAIT_MS)),
            false => None,
        };
    }

    fn ask_for_sync(&mut self) {
        let (committed, durable) = (self.store.committed(), self.store.durable());
        // A sync that failed is never repeated: it might succeed without what the first one lost.
        if durable >= committed || self.store.health().is_err() {
            self.sync_wanted = false;
            return;
        }
        if (self.sync_wanted || !self.sessions.is_empty()) && self.told.asked < committed {
            self.told.asked = committed;
            self.outputs.push_back(Output::Sync(committed));
        }
    }

    fn tell_all(&mut self, now: Now, input: &session::Input) {
        let connections: Vec<ConnectionId> = self.sessions.keys().copied().collect();
        for connection in connections {
            self.tell(now, connection, input.clone());
        }
    }

    fn tell(&mut self, now: Now, connection: ConnectionId, input: session::Input) {
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.handle(now, input, &mut self.store);
            self.collect(connection);
        }
    }

    fn collect(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        while let Some(output) = session.poll_output() {
            self.outputs.push_back(on(connection, output));
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest, on the clock of [`Now::mono_ms`].
    pub fn next_deadline(&self) -> Option<u64> {
        self.sessions.values().filter_map(Session::next_deadline).chain(self.acks_due).min()
    }

    /// Ends every session in good order, as far as one call can, and closes the store.
    pub fn close(&mut self, now: Now) -> Result<()> {
        self.tell_all(now, &session::Input::Shutdown);
        self.sessions.clear();
        self.store.close()
    }

    /// Fails if the store can no longer be used.
    pub fn health(&self) -> Result<()> {
        self.store.health()
    }
}

/// A session's output as one of its connection.
pub(crate) fn on(connection: ConnectionId, output: session::Output) -> Output {
    match output {
        session::Output::Send { lane, message } => {
            let (kind, body) = message.encode();
            Output::Send { connection, lane, kind, body }
        }
        session::Output::Close { code, reason } => Output::Close { connection, code: code.number(), reason },
        session::Output::Event(event) => Output::Session(connection, event),
    }
}

/// The close of a connection that got no session.
pub(crate) fn refusal(connection: ConnectionId, error: &StoreError) -> Output {
    Output::Close { connection, code: CloseCode::Internal.number(), reason: error.to_string() }
}
