//! One UDP socket that dials and accepts.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use quinn::TransportConfig;
use thiserror::Error;

use crate::accept::Handshake;
use crate::address::Address;
use crate::close::{CloseCode, short};
use crate::connection::{Connection, canonical};
use crate::dial::{self, DialError};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::redial::Jitter;
use crate::trust::{Trust, server_tls};

/// What a handshake may make us buffer before somebody has looked at it, and all of them
/// together.
const INCOMING_BYTES_MAX: u64 = 64 << 10;
const INCOMING_BYTES_TOTAL: u64 = 8 << 20;

/// How to listen.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where; port 0 takes a free one. `[::]` serves IPv4 as well where the system allows it.
    pub listen: SocketAddr,
    /// Who dialers will find here.
    pub identity: Identity,
    /// The bounds of all connections.
    pub limits: Limits,
    /// Spreads the keep-alive of connections this endpoint dials; any number, another for each.
    pub seed: u64,
}

/// How to dial only.
#[derive(Clone, Debug, Default)]
pub struct ClientConfig {
    /// The local address to dial from; by default any, IPv6 and IPv4.
    pub bind: Option<SocketAddr>,
    /// The bounds of all connections.
    pub limits: Limits,
    /// Spreads the keep-alive of connections; any number, another for each client.
    pub seed: u64,
}

/// One UDP socket for any number of connections. Cloning shares it.
///
/// Made and used inside a tokio runtime with I/O and time enabled. The socket is freed some time
/// after the last clone and the last connection are gone.
#[derive(Clone)]
pub struct Endpoint {
    quic: quinn::Endpoint,
    limits: Arc<Limits>,
    gate: Arc<Gate>,
    jitter: Arc<Mutex<Jitter>>,
    accepting: Arc<TransportConfig>,
}

impl Endpoint {
    /// Listens, and can dial too. Returns when the port is bound.
    pub fn server(config: ServerConfig) -> Result<Self, BindError> {
        let endpoint = Self::bound(config.listen, config.limits, config.seed)?;
        endpoint.set_identity(&config.identity);
        Ok(endpoint)
    }

    /// Dials only.
    pub fn client(config: ClientConfig) -> Result<Self, BindError> {
        if let Some(address) = config.bind {
            return Self::bound(address, config.limits, config.seed);
        }
        let dual: SocketAddr = (Ipv6Addr::UNSPECIFIED, 0).into();
        Self::bound(dual, config.limits.clone(), config.seed).or_else(|_| {
            // A system without IPv6.
            let v4: SocketAddr = (Ipv4Addr::UNSPECIFIED, 0).into();
            Self::bound(v4, config.limits, config.seed)
        })
    }

    fn bound(address: SocketAddr, limits: Limits, seed: u64) -> Result<Self, BindError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(BindError::NoRuntime);
        }
        let quic = quinn::Endpoint::client(address).map_err(|source| BindError::from_system(address, source))?;
        Ok(Self {
            quic,
            accepting: Arc::new(limits.accepting()),
            limits: Arc::new(limits),
            gate: Arc::default(),
            jitter: Arc::new(Mutex::new(Jitter::new(seed))),
        })
    }

    /// The next peer that knocks, or `None` once the endpoint is closed. Peers beyond the limits
    /// are turned away here. Cancel-safe.
    ///
    /// Complete the handshake in a task of its own and come back at once: a peer that is slow to
    /// shake hands must not keep others waiting.
    pub async fn accept(&self) -> Option<Handshake> {
        loop {
            let incoming = self.quic.accept().await?;
            if let Some(handshake) = Handshake::begin(incoming, &self.gate, &self.limits) {
                return Some(handshake);
            }
        }
    }

    /// Connects to the peer at `address` and demands `trust` of it.
    ///
    /// A name is resolved now. Of its addresses each gets a head start of 250 ms before the next
    /// is tried beside it; the first to answer wins. Ends within the handshake timeout per
    /// address. Cancel-safe: a cancelled dial leaves nothing behind.
    pub async fn dial(&self, address: &Address, trust: Trust) -> Result<Connection, DialError> {
        dial::dial(&self.quic, &self.limits, self.keep_alive(), address, trust).await
    }

    /// The same socket, with other bounds for the connections that are dialed through the new handle. Those
    /// of accepted connections stay as they were.
    #[must_use]
    pub fn with_dialing_limits(&self, limits: Limits) -> Self {
        Self { limits: Arc::new(limits), ..self.clone() }
    }

    /// Shows another identity to those who connect from now on, as after a certificate was
    /// renewed. Makes an endpoint that only dialed listen.
    pub fn set_identity(&self, identity: &Identity) {
        let mut config = quinn::ServerConfig::with_crypto(server_tls(identity));
        config
            .transport_config(Arc::clone(&self.accepting))
            .max_incoming(self.limits.handshakes_max.max(1))
            .incoming_buffer_size(INCOMING_BYTES_MAX)
            .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
        self.quic.set_server_config(Some(config));
    }

    /// Refuses new peers from now on, so that they try elsewhere or later; those connected stay.
    /// It is [`accept`](Self::accept) that refuses them, so keep awaiting it.
    pub fn stop_accepting(&self) {
        self.gate.shut.store(true, Ordering::Relaxed);
    }

    /// The socket's own address, with the port that was picked for port 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.quic.local_addr().map(canonical)
    }

    /// Closes all connections at once and takes no more.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.quic.close(code.to_wire(), short(reason).as_bytes());
    }

    /// Waits until every connection is gone and peers had a chance to hear of it. Does not close
    /// any.
    pub async fn wait_idle(&self) {
        self.quic.wait_idle().await;
    }

    /// What goes on now and went on so far.
    pub fn stats(&self) -> EndpointStats {
        let gate = &self.gate;
        EndpointStats {
            open: self.quic.open_connections(),
            accepted_open: gate.connections.load(Ordering::Relaxed),
            handshakes: gate.handshakes.load(Ordering::Relaxed),
            handshakes_done: gate.done.load(Ordering::Relaxed),
            handshakes_failed: gate.failed.load(Ordering::Relaxed),
            refused: gate.refused.load(Ordering::Relaxed),
            retried: gate.retried.load(Ordering::Relaxed),
        }
    }

    fn keep_alive(&self) -> std::time::Duration {
        let longest = self.limits.keep_alive;
        let mut jitter = self.jitter.lock().expect("nothing panics while it holds the jitter");
        longest - jitter.up_to(longest / 4)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("local_addr", &self.local_addr())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Counts of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Connections that QUIC still knows, closing ones included, dialed and accepted.
    pub open: usize,
    /// Accepted connections that somebody holds, and handshakes; what `connections_max` bounds.
    pub accepted_open: usize,
    /// Accepted handshakes in flight.
    pub handshakes: usize,
    /// Accepted handshakes that led to a connection.
    pub handshakes_done: u64,
    /// Accepted handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Peers turned away at a limit.
    pub refused: u64,
    /// Peers that were asked to prove their address first.
    pub retried: u64,
}

/// Why an endpoint has no socket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the port.
    #[error(
        "UDP port {} on {} is in use by another program; \
         stop that one, or choose another port (0 picks a free one)", address.port(), address.ip()
    )]
    InUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The system forbids it.
    #[error("not allowed to listen on {address}; ports below 1024 need special rights")]
    Forbidden {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address is not one of this machine's.
    #[error("{} is not an address of this machine; 0.0.0.0 and [::] stand for all", address.ip())]
    NotLocal {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The system failed otherwise.
    #[error("cannot open a UDP socket on {address}: {source}")]
    System {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The caller is not inside a tokio runtime.
    #[error("an endpoint can only be made inside a tokio runtime")]
    NoRuntime,
}

impl BindError {
    fn from_system(address: SocketAddr, source: io::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the system's list is open")]
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::Forbidden { address },
            io::ErrorKind::AddrNotAvailable => Self::NotLocal { address },
            _ => Self::System { address, source },
        }
    }
}

/// Counts accepted connections and their handshakes, to know when the limits are reached.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    shut: AtomicBool,
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) retried: AtomicU64,
}

impl Gate {
    /// Whether nobody may come in at the moment.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.shut.load(Ordering::Relaxed)
            || self.connections.load(Ordering::Relaxed) >= limits.connections_max
            || self.handshakes() >= limits.handshakes_max
    }

    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }
}

/// A place among the accepted connections, given back when dropped.
pub(crate) struct ConnectionSlot(Arc<Gate>);

impl ConnectionSlot {
    pub(crate) fn take(gate: &Arc<Gate>) -> Self {
        gate.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gate))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place among the handshakes in flight, given back when dropped.
pub(crate) struct HandshakeSlot(pub(crate) Arc<Gate>);

impl HandshakeSlot {
    pub(crate) fn take(gate: &Arc<Gate>) -> Self {
        gate.handshakes.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gate))
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}
