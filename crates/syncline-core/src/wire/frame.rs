//! A message on a stream of bytes: length, kind, body.

use super::FRAME_BYTES_MAX;
use super::codec::BadFrame;
use super::message::Message;

/// Length and kind.
pub const FRAME_HEADER_BYTES: usize = 5;

/// A message as it lies on a stream: `u32` little-endian length of what follows, kind, body.
pub fn frame(message: &Message) -> Vec<u8> {
    let (kind, body) = message.encode();
    let length = u32::try_from(body.len() + 1).expect("messages are bounded far below 4 GiB");
    let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&body);
    bytes
}

/// Cuts one stream's bytes into messages, however they arrive.
///
/// It holds at most one frame that is not complete. After an error the stream's position is lost:
/// close the connection.
#[derive(Debug, Default)]
pub struct FrameReader {
    held: Vec<u8>,
    read: usize,
}

impl FrameReader {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.read);
        self.read = 0;
        self.held.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    pub fn next_message(&mut self) -> Result<Option<Message>, BadFrame> {
        let rest = &self.held[self.read..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > FRAME_BYTES_MAX {
            return Err(BadFrame::Length(length));
        }
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        let message = Message::decode(content[0], &content[1..])?;
        self.read += 4 + length;
        Ok(Some(message))
    }

    /// Whether a stream may end here without cutting a message.
    pub fn is_between_frames(&self) -> bool {
        self.read == self.held.len()
    }
}
