//! Syncline's transport: opaque frames over QUIC, on three lanes per connection.
//!
//! An [`Endpoint`] owns one UDP socket. It [dials](Endpoint::dial) an [`Address`] and, made with
//! [`Endpoint::server`], also [accepts](Endpoint::accept); both ways give a [`Connection`], which
//! behaves the same for dialer and acceptor. A connection carries [`Frame`]s (a kind and a body
//! whose meaning this crate does not know) on the lanes [`Lane::Control`], [`Lane::Live`] and
//! [`Lane::Bulk`]. Frames of one lane arrive in order and once; lanes do not wait for each other.
//!
//! The loop of whoever drives a connection:
//!
//! ```no_run
//! # async fn drive(address: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use syncline_net::{Address, ClientConfig, Endpoint, Frame, Lane};
//!
//! let endpoint = Endpoint::client(ClientConfig::default())?;
//! let address: Address = address.parse()?;
//! let connection = endpoint.dial(&address, address.trust(None)).await?;
//! connection.send(Lane::Control, Frame { kind: 1, body: b"hello".to_vec() }).await?;
//! while let Some((lane, frame)) = connection.recv().await {
//!     println!("{lane}: kind {} with {} bytes", frame.kind, frame.body.len());
//! }
//! println!("over: {}", connection.closed().await);
//! # Ok(())
//! # }
//! ```
//!
//! **On the wire.** TLS 1.3 with ALPN [`ALPN`], no 0-RTT, no datagrams. Control is one
//! bidirectional stream that the dialer opens; live and bulk are one unidirectional stream per
//! direction, opened by each sender at its first frame. Each direction of each stream starts with
//! its lane's number in one byte; then come frames: a u32 little-endian length that counts kind
//! and body, at most [`FRAME_BYTES_MAX`]; the kind in one byte; the body.
//!
//! **A peer that breaks these rules** loses its own connection, with a [`CloseCode`] that says
//! why, and disturbs nobody else.
//!
//! **What this crate does not do.** It knows nothing of stores, sessions or messages, keeps
//! nothing on disk but an [`Identity`] when told to, and never dials again by itself: [`Redial`]
//! only computes when to.

mod accept;
mod address;
mod close;
mod connection;
mod dial;
mod endpoint;
mod frame;
mod identity;
mod inbound;
mod limits;
mod pin;
mod queue;
mod redial;
mod trust;
mod writer;

#[cfg(test)]
mod tests;

pub use accept::{AcceptError, Handshake};
pub use address::{Address, AddressError, AddressProblem};
pub use close::{CloseCode, CloseReason, Violation};
pub use connection::{Connection, SendError, Stats, TrySendError};
pub use dial::DialError;
pub use endpoint::{BindError, ClientConfig, Endpoint, EndpointStats, ServerConfig};
pub use frame::{FRAME_BYTES_MAX, Frame, Lane};
pub use identity::{Identity, IdentityError};
pub use limits::Limits;
pub use pin::{Pin, PinError};
pub use redial::{Redial, RedialPolicy};
pub use trust::{Trust, TrustError};

/// The protocol name that both ends agree on during the TLS handshake.
pub const ALPN: &str = "syncline/1";
