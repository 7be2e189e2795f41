//! Why connections end: codes on the wire, and the reasons that this crate reports.

use std::fmt;

use quinn::{ConnectionError, VarInt};
use thiserror::Error;

use crate::frame::{FRAME_BYTES_MAX, Lane};

/// The longest text that accompanies a close code.
const REASON_BYTES_MAX: usize = 256;

/// The TLS alert by which a peer says that it does not speak our protocol version.
const NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;

/// The QUIC error by which an acceptor turns a connection away before any TLS.
const CONNECTION_REFUSED: u64 = 2;

/// The number that tells the peer why a connection is closed.
///
/// Numbers below 256 belong to this crate and are listed here; those from 256 on are free for
/// the layer above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u32);

impl CloseCode {
    /// 0: everything was said.
    pub const NORMAL: Self = Self(0);
    /// 1: the other end broke the rules of frames and lanes, or of what they carry.
    pub const PROTOCOL_VIOLATION: Self = Self(1);
    /// 2: the other end announced a frame above [`FRAME_BYTES_MAX`].
    pub const FRAME_TOO_LARGE: Self = Self(2);
    /// 3: this end is stopping or restarting; dial again later.
    pub const GOING_AWAY: Self = Self(3);
    /// 4: the other end is not, or no longer, allowed here.
    pub const NOT_ALLOWED: Self = Self(4);
    /// 5: a limit is reached; dial again later.
    pub const BUSY: Self = Self(5);
    /// 6: the ends speak versions that do not fit.
    pub const INCOMPATIBLE: Self = Self(6);
    /// 7: this end failed in a way that is not the peer's fault.
    pub const INTERNAL: Self = Self(7);
    /// 8: the other end did not say in time what it had to.
    pub const TOO_SLOW: Self = Self(8);

    fn from_wire(code: VarInt) -> Self {
        Self(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))
    }

    pub(crate) fn to_wire(self) -> VarInt {
        VarInt::from_u32(self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NORMAL => "normal",
            Self::PROTOCOL_VIOLATION => "protocol violation",
            Self::FRAME_TOO_LARGE => "frame too large",
            Self::GOING_AWAY => "going away",
            Self::NOT_ALLOWED => "not allowed",
            Self::BUSY => "busy",
            Self::INCOMPATIBLE => "incompatible",
            Self::INTERNAL => "internal error",
            Self::TOO_SLOW => "too slow",
            Self(number) => return write!(f, "code {number}"),
        };
        f.write_str(name)
    }
}

/// What a peer did that this crate's part of the protocol forbids.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// A frame's length is above [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes on the {lane} lane, where {FRAME_BYTES_MAX} are allowed")]
    FrameTooLarge {
        /// Where the frame was announced.
        lane: Lane,
        /// The announced length.
        bytes: usize,
    },
    /// A frame's length is zero, so that it has no kind.
    #[error("a frame without a kind on the {lane} lane")]
    EmptyFrame {
        /// Where the frame was announced.
        lane: Lane,
    },
    /// A stream ended in the middle of a frame while the connection lives on.
    #[error("the {lane} lane ended in the middle of a frame")]
    HalfFrame {
        /// The lane that ended.
        lane: Lane,
    },
    /// A stream's first byte names no lane that may be on such a stream.
    #[error("a stream that starts with byte {number}, which names no lane allowed there")]
    UnknownLane {
        /// The first byte.
        number: u8,
    },
    /// A stream ended before it named its lane.
    #[error("a stream that ended before it named its lane")]
    UnnamedStream,
    /// A lane was opened twice in one direction.
    #[error("a second stream for the {lane} lane")]
    DuplicateLane {
        /// The lane opened twice.
        lane: Lane,
    },
    /// A stream was reset while the connection lives on.
    #[error("a stream was reset")]
    LaneReset,
    /// The peer stopped reading one lane while the connection lives on.
    #[error("the peer stopped reading the {lane} lane")]
    LaneStopped {
        /// The lane it does not want.
        lane: Lane,
    },
    /// The peer broke the rules of QUIC itself.
    #[error("{0}")]
    Quic(String),
}

impl Violation {
    pub(crate) fn code(&self) -> CloseCode {
        match self {
            Self::FrameTooLarge { .. } => CloseCode::FRAME_TOO_LARGE,
            Self::EmptyFrame { .. }
            | Self::HalfFrame { .. }
            | Self::UnknownLane { .. }
            | Self::UnnamedStream
            | Self::DuplicateLane { .. }
            | Self::LaneReset
            | Self::LaneStopped { .. }
            | Self::Quic(_) => CloseCode::PROTOCOL_VIOLATION,
        }
    }
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// This end closed it.
    #[error("closed here: {code}{}", after_colon(reason))]
    Local {
        /// The code given.
        code: CloseCode,
        /// The words given.
        reason: String,
    },
    /// The peer closed it.
    #[error("the peer closed the connection: {code}{}", after_colon(reason))]
    Peer {
        /// The peer's code.
        code: CloseCode,
        /// The peer's words; written by the peer, so not to be trusted.
        reason: String,
    },
    /// The peer broke the protocol, and this end closed the connection.
    #[error("the peer broke the protocol: {0}")]
    Violation(Violation),
    /// Nothing was heard from the peer for the idle timeout.
    #[error("nothing was heard from the peer for too long")]
    IdleTimeout,
    /// The TLS handshake failed, on this end or the peer's.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The ends have no common version of QUIC or of `syncline`.
    #[error("the peer does not speak {}", crate::ALPN)]
    Version,
    /// The acceptor turned the connection away because it is at a limit.
    #[error("the peer takes no more connections at the moment")]
    Refused,
    /// The connection broke: the peer restarted, or its network stack gave up.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

impl CloseReason {
    /// Reads quinn's verdict; `verdict` is what this end decided itself, if it did.
    pub(crate) fn from_quic(error: &ConnectionError, verdict: Option<&Self>) -> Self {
        match error {
            ConnectionError::LocallyClosed => verdict.cloned().unwrap_or_else(|| Self::Local {
                code: CloseCode::GOING_AWAY,
                reason: "the endpoint was closed".to_owned(),
            }),
            ConnectionError::ApplicationClosed(close) => {
                Self::Peer { code: CloseCode::from_wire(close.error_code), reason: readable(&close.reason) }
            }
            ConnectionError::ConnectionClosed(close) => {
                Self::from_transport(close.error_code.into(), &error.to_string(), Self::Lost)
            }
            ConnectionError::TransportError(fault) => {
                let broke = |text| Self::Violation(Violation::Quic(text));
                let text = match fault.reason.is_empty() {
                    true => fault.to_string(),
                    false => fault.reason.clone(),
                };
                Self::from_transport(fault.code.into(), &text, broke)
            }
            ConnectionError::VersionMismatch => Self::Version,
            ConnectionError::TimedOut => Self::IdleTimeout,
            ConnectionError::Reset => Self::Lost("the peer restarted".to_owned()),
            ConnectionError::CidsExhausted => Self::Lost("no connection id is left on this endpoint".to_owned()),
        }
    }

    fn from_transport(code: u64, text: &str, other: impl FnOnce(String) -> Self) -> Self {
        match code {
            NO_APPLICATION_PROTOCOL => Self::Version,
            0x100..0x200 => Self::Tls(text.to_owned()),
            CONNECTION_REFUSED => Self::Refused,
            _ => other(text.to_owned()),
        }
    }
}

/// Cuts a reason to what fits into one close frame, at a character boundary.
pub(crate) fn short(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// A peer's words without control characters, so that they cannot forge lines of a log.
fn readable(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(REASON_BYTES_MAX)];
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn after_colon(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "ö".repeat(200);
        assert_eq!(short(&long).len(), 256);
        let odd = format!("x{long}");
        assert_eq!(short(&odd).len(), 255);
        assert_eq!(short("brief"), "brief");
    }

    #[test]
    fn a_peers_words_cannot_start_a_new_line() {
        assert_eq!(readable(b"bye\nERROR all is lost\xff"), "bye ERROR all is lost\u{fffd}");
    }

    #[test]
    fn reasons_read_as_sentences() {
        let said = CloseReason::Peer { code: CloseCode::GOING_AWAY, reason: "restart".to_owned() };
        assert_eq!(said.to_string(), "the peer closed the connection: going away: restart");
        let local = CloseReason::Local { code: CloseCode(300), reason: String::new() };
        assert_eq!(local.to_string(), "closed here: code 300");
    }
}
