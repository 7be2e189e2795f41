//! The one thread that owns all stores and sessions; everything reaches it as a message.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use syncline_core::wire;
use syncline_engine::{Input, Now, Output, Relay, RelayOutput, StoreError};
use syncline_net::{CloseCode, Frame, Lane};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::StartError;
use crate::link::{Arrived, Order};
use crate::shelf::FolderShelf;
use crate::syncer::{Report, Syncers};

/// How late a deadline may be noticed while messages keep coming. Looking for the next one costs a
/// step per session, so it is not done after every message.
const DEADLINES_EVERY: Duration = Duration::from_millis(20);

/// Something for the engine's thread to do.
#[derive(Debug)]
pub(crate) enum Message {
    /// A connection stands; orders for it go this way.
    Accepted(u64, mpsc::UnboundedSender<Order>),
    /// A frame arrived.
    Arrived(u64, Arrived),
    /// A connection is over.
    Gone(u64),
    /// A sync has ended.
    Synced(Report),
    /// Somebody wants to know the counts.
    Count(oneshot::Sender<Counts>),
    /// End every session in good order, at most for so long; then close every store and end.
    Stop(Duration, oneshot::Sender<Result<(), StoreError>>),
}

/// What the engine's thread has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) namespaces: usize,
    pub(crate) changes: u64,
}

/// The way to the engine's thread. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(Sender<Message>);

impl Mailbox {
    /// Hands a message over; false once the thread has ended.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.0.send(message).is_ok()
    }
}

/// Starts the thread. `ended` is closed when the thread has ended and the data folder is free.
pub(crate) fn start(shelf: FolderShelf) -> Result<(Mailbox, watch::Receiver<()>), StartError> {
    let (sender, inbox) = channel();
    let mailbox = Mailbox(sender);
    let reports = mailbox.clone();
    let syncers = Syncers::start(move |report| {
        // After the end nobody waits for reports.
        reports.send(Message::Synced(report));
    })
    .map_err(no_thread)?;
    let (alive, ended) = watch::channel(());
    let state = EngineThread {
        relay: Relay::new(Box::new(shelf)),
        inbox,
        syncers,
        connections: BTreeMap::new(),
        started: Instant::now(),
        looked: None,
        stopping: None,
    };
    std::thread::Builder::new()
        .name("relay-engine".to_owned())
        .spawn(move || {
            let _alive = alive;
            state.run();
        })
        .map_err(no_thread)?;
    Ok((mailbox, ended))
}

fn no_thread(error: std::io::Error) -> StartError {
    StartError::System { what: "a thread", problem: error.to_string() }
}

struct EngineThread {
    relay: Relay,
    inbox: Receiver<Message>,
    syncers: Syncers,
    connections: BTreeMap<u64, mpsc::UnboundedSender<Order>>,
    started: Instant,
    /// When deadlines were looked at, unless one has come since.
    looked: Option<Instant>,
    stopping: Option<Stopping>,
}

/// The last phase: sessions end, nobody new comes in.
struct Stopping {
    until: Instant,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl EngineThread {
    fn run(mut self) {
        loop {
            match self.next_message() {
                Ok(Some(message)) => self.take(message),
                Ok(None) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
            self.tick_if_due();
            self.deliver();
            if self.is_done() {
                break;
            }
        }
        self.end();
    }

    /// The next message, or `None` when a deadline has come first.
    fn next_message(&mut self) -> Result<Option<Message>, RecvTimeoutError> {
        match self.inbox.try_recv() {
            Ok(message) => return Ok(Some(message)),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let deadline = self.relay.next_deadline().map(|at| self.started + Duration::from_millis(at));
        let until = self.stopping.as_ref().map(|stopping| stopping.until);
        let outcome = match [deadline, until].into_iter().flatten().min() {
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match outcome {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => {
                self.looked = None;
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Now { mono_ms: ms(self.started.elapsed()), wall_ms: ms(wall) }
    }

    fn take(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Accepted(id, orders) => self.accept(now, id, orders),
            Message::Arrived(id, arrived) => {
                let Frame { kind, body } = arrived.frame;
                self.relay.handle(now, Input::Frame { connection: id, lane: arrived.lane, kind, body });
            }
            Message::Gone(id) => {
                self.connections.remove(&id);
                self.relay.handle(now, Input::Closed(id));
            }
            Message::Synced(report) => {
                if self.syncers.ended(&report) {
                    self.relay.synced(now, &report.namespace, report.seq, report.outcome);
                }
            }
            Message::Count(answer) => {
                let _ = answer.send(self.count());
            }
            Message::Stop(within, answer) => self.begin_stop(now, within, answer),
        }
    }

    fn accept(&mut self, now: Now, id: u64, orders: mpsc::UnboundedSender<Order>) {
        if self.stopping.is_some() {
            // Dropping the way for orders tells the connection that the relay is stopping.
            return;
        }
        self.connections.insert(id, orders);
        self.relay.accept(now, id);
    }

    fn count(&self) -> Counts {
        let mut counts = Counts { connections: self.connections.len(), ..Counts::default() };
        for (_, engine) in self.relay.namespaces() {
            counts.namespaces += 1;
            counts.changes += engine.store().committed();
        }
        counts
    }

    fn tick_if_due(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < DEADLINES_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let now = self.now();
        if self.relay.next_deadline().is_some_and(|at| at <= now.mono_ms) {
            self.relay.handle(now, Input::Tick);
        }
    }

    /// Passes on everything the engine has decided.
    fn deliver(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                RelayOutput::Sync { namespace, seq } => self.syncers.begin(&namespace, seq),
                RelayOutput::Opened { namespace } => {
                    if let Some(engine) = self.relay.engine(&namespace) {
                        self.syncers.opened(&namespace, engine.store().syncer());
                    }
                }
                RelayOutput::Engine(output) => self.pass_on(output),
            }
        }
    }

    fn pass_on(&self, output: Output) {
        match output {
            Output::Send { connection, lane, kind, body } => {
                let lane = match lane {
                    wire::Lane::Control => Lane::Control,
                    wire::Lane::Live => Lane::Live,
                    wire::Lane::Bulk => Lane::Bulk,
                };
                self.order(connection, Order::Send(lane, Frame { kind, body }));
            }
            Output::Close { connection, code, reason } => {
                let (code, reason) = match CloseCode(code) {
                    // A session that ended in good order did so because the relay is stopping.
                    CloseCode::NORMAL if self.stopping.is_some() => (CloseCode::GOING_AWAY, STOPPING.to_owned()),
                    code => (code, reason),
                };
                self.order(connection, Order::Close(code, reason.into_boxed_str()));
            }
            Output::Session(connection, event) => tracing::debug!(connection, ?event, "session"),
            // The relay shows nobody what is in its stores.
            Output::Commit(_) | Output::Sync(_) => {}
        }
    }

    fn order(&self, connection: u64, order: Order) {
        if let Some(orders) = self.connections.get(&connection) {
            // A connection that is gone says so by a message of its own.
            let _ = orders.send(order);
        }
    }

    fn begin_stop(&mut self, now: Now, within: Duration, answer: oneshot::Sender<Result<(), StoreError>>) {
        self.stopping = Some(Stopping { until: Instant::now() + within, answer });
        let connections: Vec<u64> = self.connections.keys().copied().collect();
        for connection in connections {
            self.relay.handle(now, Input::Finish(connection));
            self.deliver();
        }
    }

    fn is_done(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| self.connections.is_empty() || Instant::now() >= stopping.until)
    }

    /// Closes the stores, and then everything that still stands.
    fn end(mut self) {
        let now = self.now();
        let outcome = self.relay.close(now);
        self.deliver();
        for orders in std::mem::take(&mut self.connections).into_values() {
            let _ = orders.send(Order::Close(CloseCode::GOING_AWAY, STOPPING.into()));
        }
        let Self { relay, syncers, stopping, .. } = self;
        syncers.stop();
        drop(relay);
        if let Some(stopping) = stopping {
            let _ = stopping.answer.send(outcome);
        } else if let Err(error) = outcome {
            tracing::warn!(%error, "a namespace was not closed cleanly");
        }
    }
}

/// What peers are told at the end.
pub(crate) const STOPPING: &str = "the relay is stopping";
