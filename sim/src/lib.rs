//! Syncline's simulator: real engines and real SQLite on virtual disks, reproducible from a seed.
//!
//! - [`disk`]: a disk that forgets what was not synced when its power is cut.
//! - [`vfs`]: SQLite on such disks.
//! - [`SimHost`]: a store's place on one of them, for [`syncline_engine::Store::open`].
//!
//! ```
//! use std::sync::Arc;
//! use syncline_engine::{Options, Store};
//! use syncline_sim::{Disk, SimHost, Survival, vfs};
//!
//! let disk = Disk::new([7; 32]);
//! let place = Arc::new(vfs::register(&disk));
//! let options = Options {
//!     schema: None,
//!     namespace: None,
//!     create: syncline_engine::Create::IfMissing,
//!     durability: syncline_engine::Durability::Full,
//!     seed: [8; 32],
//! };
//! let mut store = Store::open(Box::new(SimHost::new(&place, "app.db", 1)), options.clone())?;
//! store.sync_now()?;
//! let id = store.id();
//!
//! disk.cut_power();
//! drop(store);
//! disk.restore_power(Survival::Nothing);
//! let store = Store::open(Box::new(SimHost::new(&place, "app.db", 2)), options)?;
//! assert_eq!(store.id(), id);
//! # Ok::<(), syncline_engine::StoreError>(())
//! ```
//!
//! There is no thread, wall clock or randomness of the system here.

pub mod disk;
mod host;
pub mod vfs;

pub use disk::{Disk, Survival};
pub use host::SimHost;
