//! The replication state machine over one connection. (Being written.)

mod store;

pub use store::*;
