//! Frames, messages, batches. (Being written.)

mod message;

pub use message::*;
