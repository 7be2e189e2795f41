//! The acceptor's side of a handshake: the limits, the deadline, the outcome.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quinn::{Connecting, ConnectionError, Incoming};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::close::CloseReason;
use crate::connection::{Connection, canonical};
use crate::endpoint::{ConnectionSlot, Gate, HandshakeSlot};
use crate::limits::Limits;

/// A peer that knocked and has not yet shaken hands.
pub struct Handshake {
    /// A first packet can already be one too many, such as one that names another protocol.
    connecting: Result<Connecting, ConnectionError>,
    peer: SocketAddr,
    deadline: Instant,
    timeout: Duration,
    queue_bytes_max: usize,
    connection: ConnectionSlot,
    handshake: HandshakeSlot,
}

impl Handshake {
    /// Lets the peer in, or turns it away and gives `None`.
    pub(crate) fn begin(incoming: Incoming, gate: &Arc<Gate>, limits: &Limits) -> Option<Self> {
        if gate.is_full(limits) {
            count(&gate.refused);
            incoming.refuse();
            return None;
        }
        if gate.handshakes() >= limits.handshakes_before_retry && incoming.may_retry() {
            count(&gate.retried);
            // It may retry, so asking it to cannot fail.
            let _ = incoming.retry();
            return None;
        }
        let peer = canonical(incoming.remote_address());
        Some(Self {
            connecting: incoming.accept(),
            peer,
            deadline: Instant::now() + limits.handshake_timeout,
            timeout: limits.handshake_timeout,
            queue_bytes_max: limits.queue_bytes_max,
            connection: ConnectionSlot::take(gate),
            handshake: HandshakeSlot::take(gate),
        })
    }

    /// Where the peer says it is. Not proven yet.
    pub fn remote_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Finishes the handshake, within the handshake timeout counted from the peer's knock.
    pub async fn complete(self) -> Result<Connection, AcceptError> {
        let outcome = match timeout_at(self.deadline, async { self.connecting?.await }).await {
            Ok(Ok(quic)) => Ok(quic),
            Ok(Err(error)) => {
                Err(AcceptError::Failed { peer: self.peer, reason: CloseReason::from_quic(&error, None) })
            }
            Err(_) => Err(AcceptError::TimedOut { peer: self.peer, after: self.timeout }),
        };
        let gate = &self.handshake.0;
        count(if outcome.is_ok() { &gate.done } else { &gate.failed });
        Ok(Connection::accepted(outcome?, self.connection, self.queue_bytes_max))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why a handshake led to no connection. The peer's fault or its network's: log it and go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The peer did not finish in time.
    #[error("{peer} did not finish its handshake within {after:?}")]
    TimedOut {
        /// The peer.
        peer: SocketAddr,
        /// The time it had.
        after: Duration,
    },
    /// The handshake failed.
    #[error("the handshake of {peer} failed: {reason}")]
    Failed {
        /// The peer.
        peer: SocketAddr,
        /// How.
        reason: CloseReason,
    },
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
