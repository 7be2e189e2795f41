//! Dialing: resolve, try all addresses, prove the peer, open the control stream.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectError, TransportConfig};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::address::Address;
use crate::close::CloseReason;
use crate::connection::Connection;
use crate::limits::Limits;
use crate::pin::Pin;
use crate::trust::{ClientTls, Trust, TrustError, client_tls};

/// How long one address is tried alone before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

pub(crate) async fn dial(
    quic: &quinn::Endpoint,
    limits: &Limits,
    keep_alive: Duration,
    address: &Address,
    trust: Trust,
) -> Result<Connection, DialError> {
    let sockets = resolve(address).await?;
    let tls = load(trust).await?;
    let attempt = Attempt {
        quic: quic.clone(),
        address: address.clone(),
        tls: Arc::new(tls),
        transport: Arc::new(limits.dialing(keep_alive)),
        timeout: limits.handshake_timeout,
        queue_bytes_max: limits.queue_bytes_max,
    };
    race(attempt, sockets).await
}

async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, DialError> {
    let found = tokio::net::lookup_host((address.host(), address.port()))
        .await
        .map_err(|source| DialError::Resolve { address: address.clone(), source })?;
    let mut sockets: Vec<SocketAddr> = Vec::new();
    for socket in found {
        if !sockets.contains(&socket) {
            sockets.push(socket);
        }
    }
    match sockets.is_empty() {
        true => Err(DialError::NoAddress { address: address.clone() }),
        false => Ok(sockets),
    }
}

/// Reading authorities may touch many files, so it leaves the runtime's threads alone.
async fn load(trust: Trust) -> Result<ClientTls, DialError> {
    if let Trust::Pin(_) = trust {
        return client_tls(&trust).map_err(DialError::Trust);
    }
    match tokio::task::spawn_blocking(move || client_tls(&trust)).await {
        Ok(loaded) => loaded.map_err(DialError::Trust),
        Err(_) => Err(DialError::EndpointClosed),
    }
}

/// Starts one attempt after the other, the next when one has failed or its head start is over.
async fn race(attempt: Attempt, sockets: Vec<SocketAddr>) -> Result<Connection, DialError> {
    let mut waiting = sockets.into_iter();
    let mut running = JoinSet::new();
    let mut worst: Option<DialError> = None;
    loop {
        match waiting.next() {
            Some(socket) => {
                running.spawn(attempt.clone().run(socket));
            }
            None if running.is_empty() => return Err(worst.unwrap_or(DialError::EndpointClosed)),
            None => {}
        }
        let more = waiting.len() > 0;
        tokio::select! {
            biased;
            Some(outcome) = running.join_next() => match outcome {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => worst = Some(more_telling(worst, error)),
                Err(_) => worst = Some(more_telling(worst, DialError::EndpointClosed)),
            },
            () = tokio::time::sleep(HEAD_START), if more => {}
        }
    }
}

/// Of two failures the one that tells the user more: what the peer answered before silence.
fn more_telling(old: Option<DialError>, new: DialError) -> DialError {
    match old {
        Some(old) if old.weight() > new.weight() => old,
        _ => new,
    }
}

/// All that a dial needs besides the socket address.
#[derive(Clone)]
struct Attempt {
    quic: quinn::Endpoint,
    address: Address,
    tls: Arc<ClientTls>,
    transport: Arc<TransportConfig>,
    timeout: Duration,
    queue_bytes_max: usize,
}

impl Attempt {
    async fn run(self, socket: SocketAddr) -> Result<Connection, DialError> {
        match tokio::time::timeout(self.timeout, self.connect(socket)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(DialError::TimedOut { address: self.address, socket, after: self.timeout }),
        }
    }

    async fn connect(&self, socket: SocketAddr) -> Result<Connection, DialError> {
        let mut config = quinn::ClientConfig::new(self.tls.config.clone());
        config.transport_config(Arc::clone(&self.transport));
        let quic = self
            .quic
            .connect_with(config, socket, self.address.host())
            .map_err(|error| self.not_started(socket, &error))?
            .await
            .map_err(|error| self.failed(socket, &error))?;
        let control = quic.open_bi().await.map_err(|error| self.failed(socket, &error))?;
        Ok(Connection::dialed(quic, control, self.queue_bytes_max))
    }

    fn not_started(&self, socket: SocketAddr, error: &ConnectError) -> DialError {
        match error {
            ConnectError::EndpointStopping => DialError::EndpointClosed,
            ConnectError::CidsExhausted
            | ConnectError::InvalidServerName(_)
            | ConnectError::InvalidRemoteAddress(_)
            | ConnectError::NoDefaultClientConfig
            | ConnectError::UnsupportedVersion => {
                DialError::Unreachable { address: self.address.clone(), socket, problem: error.to_string() }
            }
        }
    }

    fn failed(&self, socket: SocketAddr, error: &quinn::ConnectionError) -> DialError {
        let address = self.address.clone();
        match CloseReason::from_quic(error, None) {
            CloseReason::Tls(problem) => match self.tls.wrong_pin() {
                Some((expected, found)) => DialError::PinMismatch { address, expected, found },
                None => DialError::Certificate { address, problem },
            },
            CloseReason::Version => DialError::Version { address },
            CloseReason::Refused => DialError::Refused { address },
            CloseReason::IdleTimeout => DialError::TimedOut { address, socket, after: self.timeout },
            CloseReason::Local { .. } => DialError::EndpointClosed,
            reason @ (CloseReason::Peer { .. } | CloseReason::Violation(_) | CloseReason::Lost(_)) => {
                DialError::Broken { address, reason }
            }
        }
    }
}

/// Why a dial led to no connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// The host name could not be looked up.
    #[error("cannot look up {}: {source}; check the name and the network", address.host())]
    Resolve {
        /// What was dialed.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The name exists and has no IP address.
    #[error("{} has no IP address", address.host())]
    NoAddress {
        /// What was dialed.
        address: Address,
    },
    /// The demanded certificate authorities could not be had.
    #[error(transparent)]
    Trust(TrustError),
    /// Nobody answered.
    #[error(
        "no answer from {} (UDP {socket}) within {after:?}; \
         is it running there, and does the network let UDP through?", address.host()
    )]
    TimedOut {
        /// What was dialed.
        address: Address,
        /// The address tried last.
        socket: SocketAddr,
        /// How long was waited.
        after: Duration,
    },
    /// The peer answers and is at a limit.
    #[error("{} takes no more connections at the moment; try again later", address.host())]
    Refused {
        /// What was dialed.
        address: Address,
    },
    /// The peer has another key than the address says.
    #[error(
        "the peer at {}:{} is not the one you pinned: the pin is {expected}, \
         the peer's is {found}. If its identity was renewed on purpose, use the new pin",
        address.host(), address.port()
    )]
    PinMismatch {
        /// What was dialed.
        address: Address,
        /// What the address demands.
        expected: Pin,
        /// What the peer showed.
        found: Pin,
    },
    /// The peer's certificate is not vouched for, not for this name, or out of date.
    #[error(
        "the certificate of {}:{} is not trusted: {problem}. \
         Give the authority's file, or the peer's pin as ?pin=HEX", address.host(), address.port()
    )]
    Certificate {
        /// What was dialed.
        address: Address,
        /// What TLS said.
        problem: String,
    },
    /// The peer speaks QUIC, but not our protocol.
    #[error(
        "{}:{} does not speak {}; one side needs an update, or it is another service",
        address.host(), address.port(), crate::ALPN
    )]
    Version {
        /// What was dialed.
        address: Address,
    },
    /// This machine cannot send to that address at all.
    #[error("cannot send to {socket}: {problem}")]
    Unreachable {
        /// What was dialed.
        address: Address,
        /// The address tried last.
        socket: SocketAddr,
        /// Why not.
        problem: String,
    },
    /// The connection broke while it was made.
    #[error("the connection to {}:{} broke at once: {reason}", address.host(), address.port())]
    Broken {
        /// What was dialed.
        address: Address,
        /// How.
        reason: CloseReason,
    },
    /// Our own endpoint is closed.
    #[error("this endpoint is closed")]
    EndpointClosed,
}

impl DialError {
    /// Whether dialing again can only help after somebody has changed something: the address,
    /// the trusted authorities, a certificate, a version.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Trust(_)
            | Self::PinMismatch { .. }
            | Self::Certificate { .. }
            | Self::Version { .. }
            | Self::EndpointClosed => true,
            Self::Resolve { .. }
            | Self::NoAddress { .. }
            | Self::TimedOut { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. } => false,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::PinMismatch { .. } | Self::Certificate { .. } | Self::Version { .. } => 3,
            Self::Refused { .. } | Self::Broken { .. } => 2,
            Self::TimedOut { .. } => 1,
            Self::Resolve { .. }
            | Self::NoAddress { .. }
            | Self::Trust(_)
            | Self::Unreachable { .. }
            | Self::EndpointClosed => 0,
        }
    }
}
