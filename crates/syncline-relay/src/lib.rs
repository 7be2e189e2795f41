//! Syncline's relay server: an always-on store per namespace that keeps changes and forwards them.
//!
//! [`Relay::start`] opens a data folder, listens, and returns; everything else happens by itself
//! until [`Relay::stop`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use syncline_relay::{Relay, RelayConfig};
//!
//! let config = RelayConfig {
//!     data: "relay-data".into(),
//!     listen: "127.0.0.1:0".parse()?,
//!     dev: true,
//!     ..RelayConfig::default()
//! };
//! let relay = Relay::start(config).await?;
//! println!("listening {}", relay.url());
//! relay.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! **How it works.** The rules live in the engine's relay role; this crate gives them sockets,
//! threads and files. One thread owns all stores and sessions (`driver`), a few threads make
//! commits durable (`syncer`), and every connection is one task that hands frames over in
//! both directions (`link`). A peer that is slow, silent or hostile holds up only itself:
//! what it sends is read no faster than the engine takes it, what it does not read is bounded, and
//! whoever reads nothing for long is closed with "too slow".
//!
//! **The data folder** has one SQLite file per namespace in `namespaces/`, the certificate in
//! `identity.pem` (so the pin in the URL outlives a restart), and `relay.lock`, which keeps a
//! second relay out.
//!
//! **What it does not do.** It has no authentication yet, so it starts only in development mode.
//! It does not look into documents, and it knows nothing of other relays.

mod config;
mod driver;
mod error;
mod folder;
mod link;
mod names;
mod server;
mod shelf;
mod syncer;

pub use config::{ConfigError, RelayConfig, RelayLimits};
pub use error::{StartError, StopError};
pub use server::{Relay, RelayStats};
