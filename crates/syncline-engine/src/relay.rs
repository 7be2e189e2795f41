//! The relay role: many namespaces, one store each, and sessions that say in their first words which they want.
//!
//! A relay keeps and forwards changes without looking into documents. It is driven like an
//! [`Engine`]; where stores come from is its driver's business ([`Shelf`]).

use std::collections::{BTreeMap, VecDeque};

use syncline_core::session::{self, Config, Event, Now, Session};
use syncline_core::wire::{Message, Refused, RefusedCode, Role};

use crate::engine::{ConnectionId, Engine, Input, Output, on, refusal};
use crate::error::Result;
use crate::no_store::NoStore;
use crate::store::Store;

/// Where a relay's stores stand.
pub trait Shelf: Send {
    /// Opens the store of a namespace, or says why this peer does not get it.
    fn open(&mut self, namespace: &str, token: Option<&str>) -> std::result::Result<Store, Refused>;
}

/// Relay outputs say of which namespace a sync is.
#[derive(Debug)]
pub enum RelayOutput {
    /// As of one engine.
    Engine(Output),
    /// Make durable what is committed in this namespace.
    Sync {
        /// Which.
        namespace: String,
        /// The end of its log.
        seq: u64,
    },
    /// A namespace's store was opened: this handle makes its commits durable.
    Opened {
        /// Which.
        namespace: String,
    },
}

/// Stores by namespace, with their sessions.
pub struct Relay {
    shelf: Box<dyn Shelf>,
    engines: BTreeMap<String, Engine>,
    asking: BTreeMap<ConnectionId, Session>,
    homes: BTreeMap<ConnectionId, String>,
    outputs: VecDeque<RelayOutput>,
}

impl Relay {
    /// A relay without namespaces: each is opened when the first peer asks for it.
    pub fn new(shelf: Box<dyn Shelf>) -> Self {
        Self {
            shelf,
            engines: BTreeMap::new(),
            asking: BTreeMap::new(),
            homes: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The namespaces that are open.
    pub fn namespaces(&self) -> impl Iterator<Item = (&str, &Engine)> {
        self.engines.iter().map(|(name, engine)| (name.as_str(), engine))
    }

    /// The engine of a namespace.
    pub fn engine(&self, namespace: &str) -> Option<&Engine> {
        self.engines.get(namespace)
    }

    /// Somebody has connected.
    pub fn accept(&mut self, now: Now, connection: ConnectionId) {
        let mut config = Config::new(Role::Relay);
        config.ask = true;
        let mut session = Session::accept(config);
        session.handle(now, session::Input::Connected, &mut NoStore);
        self.asking.insert(connection, session);
        self.collect_asking(now, connection);
    }

    /// Takes in a fact about a connection, or the passing of time.
    pub fn handle(&mut self, now: Now, input: Input) {
        match &input {
            Input::Frame { connection, .. } | Input::Finish(connection) | Input::Closed(connection) => {
                let connection = *connection;
                if self.asking.contains_key(&connection) {
                    self.tell_asking(now, connection, input);
                } else if let Some(namespace) = self.homes.get(&connection).cloned() {
                    if matches!(input, Input::Closed(_)) {
                        self.homes.remove(&connection);
                    }
                    self.tell_engine(now, &namespace, input);
                }
            }
            Input::Synced(..) => {}
            Input::Tick => self.tick(now),
        }
    }

    /// A sync of a namespace has ended.
    pub fn synced(&mut self, now: Now, namespace: &str, seq: u64, outcome: std::io::Result<()>) {
        self.tell_engine(now, namespace, Input::Synced(seq, outcome));
    }

    fn tick(&mut self, now: Now) {
        let namespaces: Vec<String> = self.engines.keys().cloned().collect();
        for namespace in namespaces {
            self.tell_engine(now, &namespace, Input::Tick);
        }
        let due: Vec<ConnectionId> = self
            .asking
            .iter()
            .filter(|(_, session)| session.next_deadline().is_some_and(|at| at <= now.mono_ms))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in due {
            if let Some(session) = self.asking.get_mut(&connection) {
                session.handle(now, session::Input::Deadline, &mut NoStore);
            }
            self.collect_asking(now, connection);
        }
    }

    fn tell_engine(&mut self, now: Now, namespace: &str, input: Input) {
        if let Some(engine) = self.engines.get_mut(namespace) {
            engine.handle(now, input);
        }
        self.collect(namespace);
    }

    fn tell_asking(&mut self, now: Now, connection: ConnectionId, input: Input) {
        let Some(session) = self.asking.get_mut(&connection) else { return };
        let input = match input {
            Input::Frame { lane, kind, body, .. } => match Message::decode(kind, &body) {
                Ok(message) => session::Input::Frame { lane, message },
                Err(bad) => session::Input::Malformed(bad),
            },
            Input::Finish(_) => session::Input::Shutdown,
            Input::Closed(_) | Input::Synced(..) | Input::Tick => {
                self.asking.remove(&connection);
                return;
            }
        };
        session.handle(now, input, &mut NoStore);
        self.collect_asking(now, connection);
    }

    fn collect_asking(&mut self, now: Now, connection: ConnectionId) {
        while let Some(output) = self.asking.get_mut(&connection).and_then(Session::poll_output) {
            match output {
                session::Output::Event(Event::Asked { namespace, token, .. }) => {
                    self.answer(now, connection, &namespace, token.as_deref());
                }
                output @ (session::Output::Send { .. } | session::Output::Close { .. } | session::Output::Event(_)) => {
                    self.outputs.push_back(RelayOutput::Engine(on(connection, output)));
                }
            }
        }
    }

    fn answer(&mut self, now: Now, connection: ConnectionId, namespace: &str, token: Option<&str>) {
        if let Err(refused) = self.open(namespace, token) {
            if let Some(session) = self.asking.get_mut(&connection) {
                session.handle(now, session::Input::Refuse(refused), &mut NoStore);
            }
            return;
        }
        let Some(session) = self.asking.remove(&connection) else { return };
        self.homes.insert(connection, namespace.to_owned());
        if let Some(engine) = self.engines.get_mut(namespace) {
            engine.adopt_session(now, connection, session);
        }
        self.collect(namespace);
    }

    fn open(&mut self, namespace: &str, token: Option<&str>) -> std::result::Result<(), Refused> {
        if self.engines.contains_key(namespace) {
            return Ok(());
        }
        let mut store = self.shelf.open(namespace, token)?;
        store.claim_sessions().map_err(|error| Refused {
            code: RefusedCode::Busy,
            detail: error.to_string(),
            retry_after_ms: 1_000,
        })?;
        self.engines.insert(namespace.to_owned(), Engine::new(store, Role::Relay));
        self.outputs.push_back(RelayOutput::Opened { namespace: namespace.to_owned() });
        Ok(())
    }

    fn collect(&mut self, namespace: &str) {
        let Some(engine) = self.engines.get_mut(namespace) else { return };
        while let Some(output) = engine.poll_output() {
            self.outputs.push_back(match output {
                Output::Sync(seq) => RelayOutput::Sync { namespace: namespace.to_owned(), seq },
                output @ (Output::Send { .. } | Output::Close { .. } | Output::Commit(_) | Output::Session(..)) => {
                    RelayOutput::Engine(output)
                }
            });
        }
        if let Err(error) = engine.health() {
            // A store whose disk failed must not be written on: its peers are told and may come back.
            let connections: Vec<ConnectionId> =
                self.homes.iter().filter(|(_, home)| *home == namespace).map(|(c, _)| *c).collect();
            for connection in connections {
                self.outputs.push_back(RelayOutput::Engine(refusal(connection, &error)));
                self.homes.remove(&connection);
            }
            self.engines.remove(namespace);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest, on the clock of [`Now::mono_ms`].
    pub fn next_deadline(&self) -> Option<u64> {
        let asking = self.asking.values().filter_map(Session::next_deadline);
        self.engines.values().filter_map(Engine::next_deadline).chain(asking).min()
    }

    /// Ends every session and closes every store.
    pub fn close(&mut self, now: Now) -> Result<()> {
        let mut outcome = Ok(());
        for (name, mut engine) in std::mem::take(&mut self.engines) {
            if let Err(error) = engine.close(now) {
                tracing::warn!(namespace = name, %error, "a namespace was not closed cleanly");
                outcome = Err(error);
            }
            while let Some(output) = engine.poll_output() {
                self.outputs.push_back(RelayOutput::Engine(output));
            }
        }
        outcome
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("namespaces", &self.engines.len()).finish_non_exhaustive()
    }
}
