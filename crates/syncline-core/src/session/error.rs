//! Why a session ends, and what a peer may not do.

use std::fmt;

use crate::ids::ReplicaId;
use crate::wire::{BadBatch, BadFrame, Lane, Refused};

/// The number that goes with the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum CloseCode {
    /// Everything was said.
    Normal = 0,
    /// The other end broke the protocol.
    Violation = 1,
    /// This end is stopping; dial again later.
    GoingAway = 3,
    /// The other end is not, or no longer, allowed here.
    NotAllowed = 4,
    /// This end failed in a way that is not the peer's fault.
    Internal = 7,
    /// The other end did not say in time what it had to.
    TooSlow = 8,
    /// This end has a new log; dial again at once.
    Renewed = 256,
    /// Another session came in between; dial again at once.
    Again = 257,
}

impl CloseCode {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }
}

/// What a peer did that the protocol forbids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerMisbehaved {
    /// Bytes that are no message.
    #[error("sent bytes that are no message: {0}")]
    Malformed(#[from] BadFrame),
    /// A message that has no place now.
    #[error("sent {message} while {state}")]
    Unexpected {
        /// Its name.
        message: &'static str,
        /// What was going on.
        state: &'static str,
    },
    /// A message on a lane that is not its own.
    #[error("sent {message} on the {lane} lane")]
    WrongLane {
        /// Its name.
        message: &'static str,
        /// Where it came.
        lane: Lane,
    },
    /// More bytes than are taken at this point.
    #[error("sent {bytes} bytes where {allowed} are allowed: {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// What came.
        bytes: u64,
        /// What may come.
        allowed: u64,
    },
    /// Nothing where something was due.
    #[error("did not send {0} in time")]
    TooSlow(&'static str),
    /// A batch number that was used, or far ahead.
    #[error("numbered a batch {found} where {expected} comes next")]
    Number {
        /// What it said.
        found: u64,
        /// What was next.
        expected: u64,
    },
    /// A batch that does not follow what was received.
    #[error("sent a batch after position {after}, having covered {position}")]
    Position {
        /// Where the batch claims to begin.
        after: u64,
        /// What was covered.
        position: u64,
    },
    /// A batch that cannot be read.
    #[error("sent a bad batch: {0}")]
    Batch(#[from] BadBatch),
    /// Changes of one replica with some left out in between.
    #[error("sent change {found} of replica {replica} where {expected} comes next")]
    Gap {
        /// Whose.
        replica: ReplicaId,
        /// What came.
        found: u64,
        /// What should have come.
        expected: u64,
    },
    /// A part that does not continue its payload, or a payload that is not what its name says.
    #[error("sent a bad part: {0}")]
    Part(&'static str),
    /// An acknowledgement of something that was not sent.
    #[error("acknowledged {what} {found} of {sent}")]
    Ack {
        /// Of what.
        what: &'static str,
        /// What it said.
        found: u64,
        /// What was sent.
        sent: u64,
    },
    /// An acknowledgement with another chain than our log has.
    #[error("acknowledged position {0} of a log that is not ours")]
    AckChain(u64),
    /// An answer that contradicts the question.
    #[error("answered what was not asked: {0}")]
    Answer(&'static str),
}

/// Why the machine stops here.
#[derive(Debug)]
pub(super) enum Stop {
    /// Our store failed.
    Store(String),
    /// The peer broke the protocol.
    Peer(PeerMisbehaved),
    /// We have a new log.
    Renewed,
    /// Another session of ours did part of this one's work.
    Again,
    /// We turn the dialer away.
    Refuse(Refused),
    /// The peer turned us away.
    TurnedAway(Refused),
    /// Everything was said.
    Done,
}

impl Stop {
    pub(super) fn store(error: impl fmt::Display) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<PeerMisbehaved> for Stop {
    fn from(what: PeerMisbehaved) -> Self {
        Self::Peer(what)
    }
}
