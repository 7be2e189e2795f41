//! Peers over QUIC: dialing and redialing, listening, and one sync to the end.
//!
//! A connection is two tasks: one hands frames to the engine's thread, one sends what the engine decides.
//! Neither knows what a frame says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use syncline_core::session::{CloseCode as SessionCode, Config, Counters};
use syncline_core::wire::{Lane as WireLane, Role};
use syncline_engine::{ConnectionId, Input, Output, StoreError};
use syncline_net::{
    Address, ClientConfig, CloseCode, CloseReason, Connection, Endpoint, Frame, Identity, Lane, Limits, Redial,
    RedialPolicy, ServerConfig,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::driver::{Driver, Message};
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::options::random_seed;
use crate::store::Store;

/// How long a closing connection may take to deliver what was queued.
const FAREWELL: Duration = Duration::from_secs(2);

/// Bytes of frames of one connection that may wait for the engine's thread; beyond that the peer waits.
const INBOX_BYTES_MAX: u32 = 512 << 10;

/// How long a store may seem to be synced by another process that is just ending.
const HANDOVER: Duration = Duration::from_secs(2);

/// The shortest silence that may count as the end of a connection: a lost packet needs time to be sent again.
const IDLE_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How often a sync to the end dials anew when the peer asks for it.
const ATTEMPTS_MAX: usize = 5;

/// Where to connect, and how to know the peer.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// `syncline://HOST:PORT?pin=HEX`
    pub url: String,
    /// Certificates to trust instead of the system's, for URLs without a pin.
    pub ca_file: Option<PathBuf>,
    /// Login token.
    pub token: Option<String>,
    /// Silence after which the connection counts as lost; 60 s unless named, 1 s at least. A shorter time tells
    /// sooner that the network is gone, and costs an idle link a packet in each third of it.
    pub idle_timeout: Option<Duration>,
}

impl ConnectOptions {
    /// To this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    fn limits(&self) -> Limits {
        let usual = Limits::default();
        match self.idle_timeout {
            None => usual,
            Some(asked) => {
                let idle_timeout = asked.max(IDLE_TIMEOUT_MIN);
                Limits { idle_timeout, keep_alive: usual.keep_alive.min(idle_timeout / 3), ..usual }
            }
        }
    }
}

/// What a sync carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// Changes sent.
    pub sent_changes: u64,
    /// Changes received.
    pub received_changes: u64,
    /// Bytes of frames sent, on streams.
    pub bytes_sent: u64,
    /// Bytes of frames received, on streams.
    pub bytes_received: u64,
    /// Application round trips, without QUIC's and TLS's.
    pub round_trips: u64,
    /// How long it took, dialing included.
    pub millis: u64,
}

/// The sockets and tasks of a store.
#[derive(Default)]
pub(crate) struct Net {
    dialer: Mutex<Option<Endpoint>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    ending: watch::Sender<bool>,
}

impl Net {
    fn dialer(&self) -> Result<Endpoint> {
        let mut held = self.dialer.lock().expect("nobody panics while holding it");
        if let Some(endpoint) = &*held {
            return Ok(endpoint.clone());
        }
        let config = ClientConfig { seed: random_number(), ..ClientConfig::default() };
        let endpoint = Endpoint::client(config).map_err(|error| Error::Connect(error.to_string()))?;
        *held = Some(endpoint.clone());
        Ok(endpoint)
    }

    fn keep(&self, task: JoinHandle<()>) {
        let mut tasks = self.tasks.lock().expect("nobody panics while holding it");
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    pub(crate) async fn close(&self) {
        self.ending.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("nobody panics while holding it"));
        for task in tasks {
            // A task that panicked is over as well.
            let _ = tokio::time::timeout(FAREWELL * 2, task).await;
        }
        self.dialer.lock().expect("nobody panics while holding it").take();
    }
}

/// A link to a peer that is dialed again, with full jitter, for as long as it lives. Dropping it ends it.
#[derive(Debug)]
pub struct Link {
    ending: watch::Sender<bool>,
    state: watch::Receiver<LinkUp>,
}

/// Whether a link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkUp {
    /// It is being dialed.
    Dialing,
    /// It stands.
    Up,
    /// It is down, and dialed again after this wait.
    Down {
        /// Why.
        reason: String,
        /// How long until the next dial.
        redial_in: Duration,
    },
    /// It will not be dialed again.
    Ended {
        /// Why.
        reason: String,
    },
}

impl Link {
    /// Whether the link stands now.
    pub fn state(&self) -> LinkUp {
        self.state.borrow().clone()
    }

    /// Waits for a change of the state; `None` once the link has ended and that was seen.
    pub async fn changed(&mut self) -> Option<LinkUp> {
        self.state.changed().await.ok()?;
        Some(self.state.borrow_and_update().clone())
    }

    /// Ends the link in good order.
    pub async fn close(mut self) {
        self.ending.send_replace(true);
        while self.state.changed().await.is_ok() {}
    }
}

/// Accepts peers until it is dropped or closed.
#[derive(Debug)]
pub struct Listener {
    url: String,
    address: SocketAddr,
    ending: watch::Sender<bool>,
    done: watch::Receiver<bool>,
}

impl Listener {
    /// What peers connect to, the pin included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The socket's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Ends it and its connections.
    pub async fn close(mut self) {
        self.ending.send_replace(true);
        while self.done.changed().await.is_ok() {}
    }
}

/// Where the identity of a store that listens is kept.
pub(crate) fn identity_of(store: &Path) -> PathBuf {
    let mut beside = store.as_os_str().to_owned();
    beside.push("-identity.pem");
    PathBuf::from(beside)
}

impl Store {
    /// Keeps a link to a peer or relay: changes flow both ways as they are made, and what was missed flows
    /// after each redial. Returns at once; [`Store::events`] and [`Link::state`] say how it goes.
    pub fn connect(&self, to: impl Into<ConnectOptions>) -> Result<Link> {
        self.check_writable()?;
        let options = to.into();
        let address: Address = options.url.parse().map_err(|error| Error::Address(format!("{error}")))?;
        let endpoint = self.inner.net.dialer()?.with_dialing_limits(options.limits());
        let (ending, ended) = watch::channel(false);
        let (report, state) = watch::channel(LinkUp::Dialing);
        let task = LinkTask {
            driver: self.inner.driver.clone(),
            endpoint,
            address,
            options,
            ended: Ended { own: ended, store: self.inner.net.ending.subscribe() },
            report,
        };
        self.inner.net.keep(tokio::spawn(task.run()));
        Ok(Link { ending, state })
    }

    /// Accepts peers that hold this namespace. The identity is kept beside the store, so that the pin in the
    /// URL stays the same.
    pub async fn listen(&self, listen: SocketAddr) -> Result<Listener> {
        self.check_writable()?;
        let identity =
            Identity::load_or_create(identity_of(&self.inner.path)).map_err(|e| Error::Listen(e.to_string()))?;
        let config =
            ServerConfig { listen, identity: identity.clone(), limits: Limits::default(), seed: random_number() };
        let endpoint = Endpoint::server(config).map_err(|error| Error::Listen(error.to_string()))?;
        let bound = endpoint.local_addr().map_err(|error| Error::Listen(error.to_string()))?;
        let url = Address::at(reachable(bound), Some(identity.pin())).to_string();
        // Nobody else may hold the store's sessions: better to say it now than to the first peer.
        self.inner.driver.exclusive(|engine, _| Ok(engine.store_mut().claim_sessions()?)).await?;
        let (ending, ended) = watch::channel(false);
        let (finished, done) = watch::channel(false);
        let ended = Ended { own: ended, store: self.inner.net.ending.subscribe() };
        let driver = self.inner.driver.clone();
        self.inner.net.keep(tokio::spawn(async move {
            accept_all(driver, endpoint, ended).await;
            drop(finished);
        }));
        Ok(Listener { url, address: bound, ending, done })
    }

    /// Connects once, and ends when both ends have what the other had.
    pub async fn sync_once(&self, to: impl Into<ConnectOptions>, within: Duration) -> Result<SyncReport> {
        self.sync_once_with(to, within, |_| {}).await
    }

    /// As [`Store::sync_once`], telling how far it is.
    pub async fn sync_once_with(
        &self,
        to: impl Into<ConnectOptions>,
        within: Duration,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<SyncReport> {
        self.check_writable()?;
        let began = Instant::now();
        let syncing = self.sync_to_the_end(to.into(), progress);
        let mut report = match tokio::time::timeout(within, syncing).await {
            Ok(report) => report?,
            Err(_) => return Err(Error::Timeout { what: "the end of the sync".to_owned(), within }),
        };
        report.millis = began.elapsed().as_millis() as u64;
        Ok(report)
    }

    async fn sync_to_the_end(
        &self,
        options: ConnectOptions,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<SyncReport> {
        let address: Address = options.url.parse().map_err(|error| Error::Address(format!("{error}")))?;
        let endpoint = self.inner.net.dialer()?.with_dialing_limits(options.limits());
        let mut total = Counters::default();
        let mut ending = String::new();
        for _ in 0..ATTEMPTS_MAX {
            let trust = address.trust(options.ca_file.clone());
            let connection = endpoint.dial(&address, trust).await.map_err(|error| Error::Connect(error.to_string()))?;
            let config = config(&options, true);
            let run = Running::start(&self.inner.driver, connection, true, config).await?;
            let outcome = run.until_over(&mut progress).await;
            add(&mut total, &outcome.counters);
            if outcome.finished {
                return Ok(report(&total));
            }
            ending = outcome.reason;
            if !outcome.again {
                break;
            }
        }
        Err(Error::Session(format!("the sync ended before it was done: {ending}")))
    }
}

impl<T: Into<String>> From<T> for ConnectOptions {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

/// Whether the link or the whole store is ending.
#[derive(Clone)]
struct Ended {
    own: watch::Receiver<bool>,
    store: watch::Receiver<bool>,
}

impl Ended {
    /// Waits for the end. A handle that was dropped is an end too.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.own.wait_for(|ended| *ended) => {}
            _ = self.store.wait_for(|ended| *ended) => {}
        }
    }
}

/// Dials, runs, dials again.
struct LinkTask {
    driver: Driver,
    endpoint: Endpoint,
    address: Address,
    options: ConnectOptions,
    ended: Ended,
    report: watch::Sender<LinkUp>,
}

impl LinkTask {
    async fn run(mut self) {
        let began = Instant::now();
        let mut redial = Redial::new(RedialPolicy::default(), random_number());
        loop {
            self.report.send_replace(LinkUp::Dialing);
            let mut ended = self.ended.clone();
            let (reason, again) = tokio::select! {
                () = ended.wait() => break,
                outcome = self.dial() => match outcome {
                    Ok(connection) => {
                        redial.on_connected(began.elapsed());
                        self.live(connection).await
                    }
                    Err(error) => (error.to_string(), false),
                },
            };
            let wait = if again { Duration::ZERO } else { redial.next_delay(began.elapsed()) };
            self.report.send_replace(LinkUp::Down { reason, redial_in: wait });
            tokio::select! {
                () = self.ended.wait() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.report.send_replace(LinkUp::Ended { reason: "closed".to_owned() });
    }

    async fn dial(&self) -> Result<Connection> {
        let trust = self.address.trust(self.options.ca_file.clone());
        self.endpoint.dial(&self.address, trust).await.map_err(|error| Error::Connect(error.to_string()))
    }

    /// Runs a connection until it is over. Why, and whether to dial again at once.
    async fn live(&mut self, connection: Connection) -> (String, bool) {
        match Running::start(&self.driver, connection, true, config(&self.options, false)).await {
            Err(error) => (error.to_string(), false),
            Ok(mut running) => {
                self.report.send_replace(LinkUp::Up);
                tokio::select! {
                    () = self.ended.wait() => running.finish(),
                    () = running.closed() => {}
                }
                let outcome = running.until_over(&mut |_| {}).await;
                (outcome.reason, outcome.again)
            }
        }
    }
}

async fn accept_all(driver: Driver, endpoint: Endpoint, mut ended: Ended) {
    let mut peers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            () = ended.wait() => break,
            Some(_) = peers.join_next() => {}
            handshake = endpoint.accept() => {
                let Some(handshake) = handshake else { break };
                let (driver, mut ended) = (driver.clone(), ended.clone());
                peers.spawn(async move {
                    let connection = match handshake.complete().await {
                        Ok(connection) => connection,
                        Err(error) => return tracing::debug!(%error, "a handshake failed"),
                    };
                    let config = Config::new(Role::Peer);
                    match Running::start(&driver, connection, false, config).await {
                        Err(error) => tracing::warn!(%error, "a peer could not be served"),
                        Ok(mut running) => {
                            tokio::select! {
                                () = ended.wait() => running.finish(),
                                () = running.closed() => {}
                            }
                            running.until_over(&mut |_| {}).await;
                        }
                    }
                });
            }
        }
    }
    while peers.join_next().await.is_some() {}
    endpoint.close(CloseCode::GOING_AWAY, "closing");
}

/// A connection with its session.
struct Running {
    driver: Driver,
    id: ConnectionId,
    connection: Connection,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    over: bool,
}

impl Drop for Running {
    /// Whoever stops waiting for a session ends it.
    fn drop(&mut self) {
        if !self.over {
            self.cut();
        }
    }
}

/// How a session ended.
struct Outcome {
    counters: Counters,
    finished: bool,
    again: bool,
    reason: String,
}

impl Running {
    async fn start(driver: &Driver, connection: Connection, dialed: bool, mut config: Config) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if !dialed {
            config.address = String::new();
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        driver.send(Message::Attach(id, sender));
        let writer = tokio::spawn(write(connection.clone(), receiver));
        if let Err(error) = open(driver, id, dialed, config).await {
            driver.send(Message::Detach(id));
            connection.close(CloseCode::INTERNAL, "the store cannot take a session now");
            return Err(error);
        }
        let reader = tokio::spawn(read(connection.clone(), driver.clone(), id));
        Ok(Self { driver: driver.clone(), id, connection, reader, writer, over: false })
    }

    /// Ends it at once, in the middle of whatever goes on.
    fn cut(&self) {
        self.connection.close(CloseCode::GOING_AWAY, "this end stopped waiting");
        self.reader.abort();
        self.writer.abort();
        self.driver.send(Message::Detach(self.id));
    }

    /// Asks the session to end in good order.
    fn finish(&self) {
        self.driver.send(Message::Input(Input::Finish(self.id)));
    }

    /// Waits until the connection is over.
    async fn closed(&mut self) {
        self.connection.closed().await;
    }

    /// Waits until the connection is over and what arrived was handed over; tells progress meanwhile.
    async fn until_over(mut self, progress: &mut (impl FnMut(Progress) + Send)) -> Outcome {
        let mut events = self.driver.shared().events.subscribe();
        let connection = self.connection.clone();
        let closed = connection.closed();
        tokio::pin!(closed);
        let why = loop {
            tokio::select! {
                why = &mut closed => break why,
                event = events.recv() => if let Ok(crate::event::Event::Progress(at)) = event {
                    progress(at);
                },
            }
        };
        let _ = (&mut self.reader).await;
        let id = self.id;
        let counters = self
            .driver
            .exclusive(move |engine, _| Ok(engine.session(id).map(|session| session.counters())))
            .await
            .ok()
            .flatten()
            .unwrap_or_default();
        let state = self.driver.shared().link(id);
        self.over = true;
        self.driver.send(Message::Detach(id));
        self.writer.abort();
        let again = matches!(&why, CloseReason::Peer { code, .. } | CloseReason::Local { code, .. }
            if code.0 == SessionCode::Renewed.number() || code.0 == SessionCode::Again.number());
        let reason = state.trouble.unwrap_or_else(|| why.to_string());
        Outcome { counters, finished: state.finished, again, reason }
    }
}

/// Begins the session. A process that just ended may hold the store's sessions a moment longer.
async fn open(driver: &Driver, id: ConnectionId, dialed: bool, config: Config) -> Result<()> {
    let patience = Instant::now() + HANDOVER;
    loop {
        let config = config.clone();
        match driver.exclusive(move |engine, now| Ok(engine.open_session(now, id, dialed, config)?)).await {
            Err(Error::Store(StoreError::SessionsElsewhere(_))) if Instant::now() < patience => {
                tokio::time::sleep(HANDOVER / 20).await;
            }
            outcome => return outcome,
        }
    }
}

/// Hands frames to the engine's thread, and leaves them with the peer while too many wait there.
async fn read(connection: Connection, driver: Driver, id: ConnectionId) {
    let room = Arc::new(Semaphore::new(INBOX_BYTES_MAX as usize));
    while let Some((lane, frame)) = connection.recv().await {
        let bytes = u32::try_from(frame.wire_bytes()).unwrap_or(INBOX_BYTES_MAX).min(INBOX_BYTES_MAX);
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(bytes).await else { return };
        let input = Input::Frame { connection: id, lane: wire_lane(lane), kind: frame.kind, body: frame.body };
        driver.send(Message::Frame(input, permit));
    }
}

/// Sends what the engine decides, in its order, until it closes the connection.
async fn write(connection: Connection, mut outputs: mpsc::UnboundedReceiver<Output>) {
    while let Some(output) = outputs.recv().await {
        match output {
            Output::Send { lane, kind, body, .. } => {
                if connection.send(net_lane(lane), Frame { kind, body }).await.is_err() {
                    return;
                }
            }
            Output::Close { code, reason, .. } => {
                connection.finish(CloseCode(code), &reason, FAREWELL).await;
                return;
            }
            Output::Sync(_) | Output::Commit(_) | Output::Session(..) => {}
        }
    }
}

fn wire_lane(lane: Lane) -> WireLane {
    match lane {
        Lane::Control => WireLane::Control,
        Lane::Live => WireLane::Live,
        Lane::Bulk => WireLane::Bulk,
    }
}

fn net_lane(lane: WireLane) -> Lane {
    match lane {
        WireLane::Control => Lane::Control,
        WireLane::Live => Lane::Live,
        WireLane::Bulk => Lane::Bulk,
    }
}

fn config(options: &ConnectOptions, once: bool) -> Config {
    let mut config = Config::new(Role::Peer);
    config.address = options.url.clone();
    config.token = options.token.clone();
    config.once = once;
    config
}

/// An address that others on this machine can dial, where the socket listens everywhere.
fn reachable(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    match bound {
        SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], bound.port())),
        SocketAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], bound.port())),
    }
}

fn random_number() -> u64 {
    let seed = random_seed();
    u64::from_le_bytes(seed[..8].try_into().expect("eight of 32 bytes"))
}

fn add(total: &mut Counters, more: &Counters) {
    total.bytes_sent += more.bytes_sent;
    total.bytes_received += more.bytes_received;
    total.changes_sent += more.changes_sent;
    total.changes_received += more.changes_received;
    total.legs += more.legs;
}

fn report(counters: &Counters) -> SyncReport {
    SyncReport {
        sent_changes: counters.changes_sent,
        received_changes: counters.changes_received,
        bytes_sent: counters.bytes_sent,
        bytes_received: counters.bytes_received,
        round_trips: counters.round_trips(),
        millis: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_heard_of_three_times_before_it_counts_as_lost() {
        let of = |idle_timeout| ConnectOptions { idle_timeout, ..ConnectOptions::default() }.limits();
        assert_eq!(of(None), Limits::default());
        for asked in [0, 3, 50, 3_600].map(Duration::from_secs) {
            let limits = of(Some(asked));
            assert_eq!(limits.idle_timeout, asked.max(IDLE_TIMEOUT_MIN));
            assert!(limits.keep_alive * 3 <= limits.idle_timeout, "{limits:?}");
        }
    }
}
