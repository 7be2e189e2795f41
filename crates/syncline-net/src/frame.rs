//! Lanes, frames, and how a frame lies on a stream.

use std::fmt;

use crate::close::Violation;

/// The most bytes that a frame's kind and body may have together: 1 MiB.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Length and kind.
pub(crate) const HEADER_BYTES: usize = 5;

/// How much of a body is reserved before any of it has arrived, so that a peer cannot make us
/// hold memory by announcing frames that it never sends.
const FIRST_RESERVATION_BYTES: usize = 64 << 10;

/// One of the three independent, ordered ways of a connection.
///
/// Where the network is the bottleneck, control goes first, then live, then bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Handshakes, acknowledgements, credits: small and urgent.
    Control = 0,
    /// What has just happened.
    Live = 1,
    /// Everything that catches up.
    Bulk = 2,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Control, Self::Live, Self::Bulk];

    /// The byte that names the lane at the start of a stream.
    pub fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.number() == number)
    }

    /// Greater is more urgent, as QUIC stream priorities are.
    pub(crate) fn priority(self) -> i32 {
        match self {
            Self::Control => 2,
            Self::Live => 1,
            Self::Bulk => 0,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Live => "live",
            Self::Bulk => "bulk",
        })
    }
}

/// One message between peers. This crate carries it and does not look inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Frame {
    /// What the body is, in the words of the layer above.
    pub kind: u8,
    /// The message, at most [`FRAME_BYTES_MAX`] − 1 bytes.
    pub body: Vec<u8>,
}

impl Frame {
    /// Bytes the frame takes on its stream, header included.
    pub fn wire_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// Length and kind as they stand before the body, or `None` if the frame is too large.
    pub(crate) fn header(&self) -> Option<[u8; HEADER_BYTES]> {
        let counted = self.body.len() + 1;
        if counted > FRAME_BYTES_MAX {
            return None;
        }
        let length = u32::try_from(counted).ok()?.to_le_bytes();
        Some([length[0], length[1], length[2], length[3], self.kind])
    }
}

/// Cuts the bytes of one stream into frames, however they are split on arrival.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    header: [u8; HEADER_BYTES],
    header_held: usize,
    body: Vec<u8>,
}

impl Decoder {
    /// Takes all of `bytes`, handing each frame that they complete to `emit`.
    ///
    /// After an error the stream's position is lost and the decoder must not be used again.
    pub(crate) fn push(&mut self, mut bytes: &[u8], lane: Lane, mut emit: impl FnMut(Frame)) -> Result<(), Violation> {
        while !bytes.is_empty() {
            if self.header_held < HEADER_BYTES {
                bytes = self.take_header(bytes);
            }
            if self.header_held >= 4 {
                self.check_length(lane)?;
            }
            if self.header_held == HEADER_BYTES {
                bytes = self.take_body(bytes);
                if self.body.len() == self.body_bytes() {
                    emit(self.finish_frame());
                }
            }
        }
        Ok(())
    }

    /// Whether the stream may end here without cutting a frame.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.header_held == 0
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let taken = bytes.len().min(HEADER_BYTES - self.header_held);
        let (now, later) = bytes.split_at(taken);
        self.header[self.header_held..self.header_held + taken].copy_from_slice(now);
        self.header_held += taken;
        later
    }

    fn take_body<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let missing = self.body_bytes() - self.body.len();
        let (now, later) = bytes.split_at(bytes.len().min(missing));
        if self.body.capacity() - self.body.len() < now.len() {
            let trusted = now.len().max(self.body.len()).max(FIRST_RESERVATION_BYTES).min(missing);
            self.body.reserve_exact(trusted);
        }
        self.body.extend_from_slice(now);
        later
    }

    fn finish_frame(&mut self) -> Frame {
        self.header_held = 0;
        Frame { kind: self.header[4], body: std::mem::take(&mut self.body) }
    }

    fn check_length(&self, lane: Lane) -> Result<(), Violation> {
        match self.announced_bytes() {
            0 => Err(Violation::EmptyFrame { lane }),
            bytes if bytes > FRAME_BYTES_MAX => Err(Violation::FrameTooLarge { lane, bytes }),
            _ => Ok(()),
        }
    }

    fn announced_bytes(&self) -> usize {
        let [a, b, c, d, _] = self.header;
        u32::from_le_bytes([a, b, c, d]) as usize
    }

    fn body_bytes(&self) -> usize {
        self.announced_bytes() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&frame.header().unwrap());
            bytes.extend_from_slice(&frame.body);
        }
        bytes
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let body = prop::collection::vec(any::<u8>(), 0..300);
        let frame = (any::<u8>(), body).prop_map(|(kind, body)| Frame { kind, body });
        prop::collection::vec(frame, 0..12)
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_the_bytes_are_cut(
            frames in frames(),
            cuts in prop::collection::vec(1usize..40, 1..50),
        ) {
            let bytes = encode(&frames);
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.push(now, Lane::Bulk, |frame| out.push(frame)).unwrap();
                rest = later;
            }
            prop_assert!(decoder.is_between_frames());
            prop_assert_eq!(out, frames);
        }

        #[test]
        fn random_bytes_never_panic_and_never_make_an_oversize_frame(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let mut decoder = Decoder::default();
            let outcome = decoder.push(&bytes, Lane::Live, |frame| {
                assert!(frame.body.len() < FRAME_BYTES_MAX);
            });
            if outcome.is_ok() {
                prop_assert!(decoder.body.capacity() <= FIRST_RESERVATION_BYTES.max(2 * bytes.len()));
            }
        }
    }

    #[test]
    fn the_largest_frame_passes_and_one_byte_more_does_not() {
        let largest = Frame { kind: 7, body: vec![1; FRAME_BYTES_MAX - 1] };
        let mut out = Vec::new();
        let bytes = encode(std::slice::from_ref(&largest));
        Decoder::default().push(&bytes, Lane::Bulk, |frame| out.push(frame)).unwrap();
        assert_eq!(out, [largest]);

        let larger = Frame { kind: 7, body: vec![1; FRAME_BYTES_MAX] };
        assert_eq!(larger.header(), None);
        let announced = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_le_bytes();
        let refused = Decoder::default().push(&announced, Lane::Bulk, |_| unreachable!());
        let bytes = FRAME_BYTES_MAX + 1;
        assert_eq!(refused, Err(Violation::FrameTooLarge { lane: Lane::Bulk, bytes }));
    }

    #[test]
    fn a_frame_without_even_a_kind_is_refused() {
        let refused = Decoder::default().push(&[0; 4], Lane::Control, |_| unreachable!());
        assert_eq!(refused, Err(Violation::EmptyFrame { lane: Lane::Control }));
    }

    #[test]
    fn an_announced_body_that_has_not_arrived_takes_little_memory() {
        let mut decoder = Decoder::default();
        let mut bytes = u32::try_from(FRAME_BYTES_MAX).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(&[1, 2, 3]);
        decoder.push(&bytes, Lane::Bulk, |_| unreachable!()).unwrap();
        assert!(!decoder.is_between_frames());
        assert!(decoder.body.capacity() <= FIRST_RESERVATION_BYTES);
    }
}
