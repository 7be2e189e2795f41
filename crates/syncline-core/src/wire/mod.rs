//! What peers say to each other, as bytes: frames, messages, batches.
//!
//! - [`Message`]: everything that can be said; [`Message::encode`] and [`Message::decode`].
//! - [`frame`] and [`FrameReader`]: a message on a stream of bytes.
//! - [`BatchContent`]: the changes inside a [`Batch`], column-wise and compressed.
//!
//! The byte layout stands in `docs/protocol.md`, and golden files hold the code to it. Nothing
//! here knows what the messages are for; that is [`crate::session`].

mod batch;
mod chunk;
mod codec;
mod frame;
mod message;

pub use batch::{BadBatch, BatchContent, BatchReplica, GenesisSpec, LargeRow, Unpacked};
pub use chunk::change_hash;
pub use codec::BadFrame;
pub use frame::{FRAME_HEADER_BYTES, FrameReader, frame};
pub use message::*;

/// The protocol's version; ALPN `syncline/1`.
pub const VERSION: u16 = 1;

/// Most bytes of a frame's kind and body.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Most changes in a batch. A transaction is never split, and has at most this many.
pub const BATCH_ROWS_MAX: usize = 500;

/// Change bytes in a batch, before compression. The last transaction may begin below it, so a
/// batch holds less than twice as much.
pub const BATCH_BYTES: usize = 256 << 10;

/// Most bytes of a batch's content after decompression.
pub const CONTENT_BYTES_MAX: usize = 1 << 20;

/// A change above this travels in parts.
pub const LARGE_BYTES: usize = 256 << 10;

/// Most bytes in one part.
pub const PART_BYTES: usize = 64 << 10;

/// Longest change.
pub const CHANGE_BYTES_MAX: usize = 8 << 20;

/// Vector entries in one message; more of them travel in several.
pub const ENTRIES_MAX: usize = 8_000;
