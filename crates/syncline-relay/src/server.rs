//! A running relay, as whoever started it sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncline_net::{Address, CloseCode, Endpoint, Identity, Limits, Pin, ServerConfig};
use tokio::sync::{oneshot, watch};

use crate::config::RelayConfig;
use crate::driver::{self, Mailbox, Message, STOPPING};
use crate::error::{StartError, StopError};
use crate::folder::DataFolder;
use crate::link;
use crate::shelf::FolderShelf;

/// How long peers may take to hear of the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often, and how many times, to look whether the port is free.
const PORT_LOOK_EVERY: Duration = Duration::from_millis(5);
const PORT_LOOKS_MAX: u32 = 400;

/// A running relay. [`stop`](Self::stop) ends it in good order; dropping it ends it at once, and
/// its data folder is free soon after.
#[derive(Debug)]
pub struct Relay {
    /// Until the relay is stopped: the socket lives as long as somebody has this.
    endpoint: Mutex<Option<Endpoint>>,
    engine: Mailbox,
    ended: watch::Receiver<()>,
    local_addr: SocketAddr,
    pin: Pin,
    drain_max: Duration,
}

/// Counts of a relay at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStats {
    /// Connections that stand.
    pub connections: usize,
    /// Namespaces that are open.
    pub namespaces: usize,
    /// Changes held in them.
    pub changes: u64,
}

impl Relay {
    /// Takes the data folder and listens. Peers can connect when this returns.
    ///
    /// Needs a tokio runtime with I/O and time.
    pub async fn start(config: RelayConfig) -> Result<Self, StartError> {
        if !config.dev {
            return Err(StartError::NoAuthentication);
        }
        let limits = config.limits.clone();
        let data = config.data.clone();
        let opening = tokio::task::spawn_blocking(move || open(&data, limits.namespaces_max));
        let (identity, shelf) = opening.await.map_err(|error| system("a thread", error))??;
        let pin = identity.pin();
        let endpoint = Endpoint::server(ServerConfig {
            listen: config.listen,
            identity,
            limits: transport_limits(&config),
            seed: random_number()?,
        })?;
        let local_addr = endpoint.local_addr().map_err(|error| system("the socket's address", error))?;
        let (engine, ended) = driver::start(shelf)?;
        let stall_max = Duration::from_secs(config.limits.stall_seconds_max);
        tokio::spawn(accept(endpoint.clone(), engine.clone(), stall_max));
        let drain_max = Duration::from_secs(config.limits.drain_seconds_max);
        let endpoint = Mutex::new(Some(endpoint));
        Ok(Self { endpoint, engine, ended, local_addr, pin, drain_max })
    }

    /// What a client on this machine dials: `syncline://HOST:PORT?pin=HEX`.
    ///
    /// A relay that listens on all addresses (`0.0.0.0`, `[::]`) names the loopback one here; from
    /// other machines clients use [`url_at`](Self::url_at) with a name or address they can reach.
    pub fn url(&self) -> String {
        let ip = match self.local_addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        Address::at(SocketAddr::new(ip, self.local_addr.port()), Some(self.pin)).to_string()
    }

    /// What a client dials that reaches this machine under `host`, a name or an IP address without
    /// brackets. `None` if it is neither.
    pub fn url_at(&self, host: &str) -> Option<String> {
        let address = Address::new(host, self.local_addr.port(), Some(self.pin)).ok()?;
        Some(address.to_string())
    }

    /// The socket's own address, with the port that was picked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Counts at this moment; all 0 once the relay has ended.
    pub async fn stats(&self) -> RelayStats {
        let (answer, counts) = oneshot::channel();
        self.engine.send(Message::Count(answer));
        let counts = counts.await.unwrap_or_default();
        RelayStats { connections: counts.connections, namespaces: counts.namespaces, changes: counts.changes }
    }

    /// Waits until the relay has ended, by [`stop`](Self::stop) or by a failure of its own. Then
    /// its data folder is free.
    pub async fn ended(&self) {
        has_ended(self.ended.clone()).await;
    }

    /// Ends the relay: takes nobody new, ends every session in good order within
    /// `drain_seconds_max`, closes every store. Folder and port are free when this returns.
    ///
    /// Once it was called, the relay ends even if the future is dropped. A second call does
    /// nothing but wait.
    pub async fn stop(&self) -> Result<(), StopError> {
        let Some(endpoint) = self.take_endpoint() else {
            self.ended().await;
            return Ok(());
        };
        let ending = Ending {
            endpoint,
            engine: self.engine.clone(),
            ended: self.ended.clone(),
            local_addr: self.local_addr,
            drain_max: self.drain_max,
        };
        // In a task of its own, so that nothing is left half-ended if nobody waits any longer.
        tokio::spawn(ending.run()).await.unwrap_or(Err(StopError::Crashed))
    }

    fn take_endpoint(&self) -> Option<Endpoint> {
        self.endpoint.lock().expect("nothing panics while it holds the endpoint").take()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(endpoint) = self.take_endpoint() {
            endpoint.close(CloseCode::GOING_AWAY, STOPPING);
            let (answer, _) = oneshot::channel();
            self.engine.send(Message::Stop(Duration::ZERO, answer));
        }
    }
}

/// A relay that is being stopped.
struct Ending {
    endpoint: Endpoint,
    engine: Mailbox,
    ended: watch::Receiver<()>,
    local_addr: SocketAddr,
    drain_max: Duration,
}

impl Ending {
    async fn run(self) -> Result<(), StopError> {
        self.endpoint.stop_accepting();
        let (answer, outcome) = oneshot::channel();
        self.engine.send(Message::Stop(self.drain_max, answer));
        let outcome = outcome.await;
        has_ended(self.ended).await;
        self.endpoint.close(CloseCode::GOING_AWAY, STOPPING);
        // Whoever does not hear of it notices by itself.
        let _ = tokio::time::timeout(LAST_WORDS, self.endpoint.wait_idle()).await;
        drop(self.endpoint);
        until_free(self.local_addr).await;
        match outcome {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(StopError::Crashed),
        }
    }
}

async fn has_ended(mut ended: watch::Receiver<()>) {
    while ended.changed().await.is_ok() {}
}

/// Waits until the system would give the port to somebody else: a socket is closed by a task that
/// does not say when it has done so.
async fn until_free(address: SocketAddr) {
    for _ in 0..PORT_LOOKS_MAX {
        if UdpSocket::bind(address).is_ok() {
            return;
        }
        tokio::time::sleep(PORT_LOOK_EVERY).await;
    }
    tracing::warn!(%address, "the port is not free yet");
}

fn open(data: &std::path::Path, namespaces_max: usize) -> Result<(Identity, FolderShelf), StartError> {
    let folder = DataFolder::take(data)?;
    let identity = folder.identity()?;
    Ok((identity, FolderShelf::new(folder, namespaces_max)?))
}

fn transport_limits(config: &RelayConfig) -> Limits {
    Limits {
        connections_max: config.limits.connections_max,
        handshakes_max: config.limits.handshakes_max,
        segmentation_offload: config.limits.segmentation_offload,
        ..Limits::default()
    }
}

fn random_number() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| system("randomness", error))?;
    Ok(u64::from_le_bytes(bytes))
}

fn system(what: &'static str, problem: impl ToString) -> StartError {
    StartError::System { what, problem: problem.to_string() }
}

/// Lets peers in until the endpoint is closed.
async fn accept(endpoint: Endpoint, engine: Mailbox, stall_max: Duration) {
    let ids = Arc::new(AtomicU64::new(1));
    while let Some(handshake) = endpoint.accept().await {
        let (engine, ids) = (engine.clone(), Arc::clone(&ids));
        tokio::spawn(async move {
            match handshake.complete().await {
                Ok(connection) => {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    // In a task of its own: this one keeps room for the handshake.
                    tokio::spawn(link::serve(connection, id, engine, stall_max));
                }
                Err(error) => tracing::debug!(%error, "a handshake failed"),
            }
        });
    }
}
