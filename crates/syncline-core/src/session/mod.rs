//! Replication between two stores over one connection, as a state machine without input or output.
//!
//! [`Session`] is told facts ([`Input`]) and hands out decisions ([`Output`]); time is an argument,
//! the store is behind [`SessionStore`], and frames are someone else's business. Both ends run
//! the same machine and differ only in who speaks first.
//!
//! Each end streams its log to the other, from the position that the other keeps, leaving out what
//! the other is proven to hold. Nothing is believed that was not said: an acknowledgement comes
//! from the peer's durable position, a change is left out only if its replica's chain was compared.
//! `docs/protocol.md` has the messages, the states and the reasons.

mod error;
mod filter;
mod greeting;
mod io;
mod machine;
mod receiving;
mod sending;
mod store;
mod syncing;

pub use error::{CloseCode, PeerMisbehaved};
pub use machine::Session;
pub use store::*;

use crate::ids::{Dot, ReplicaId, StoreId};
use crate::wire::{BadFrame, Introduction, Lane, Message, Refused, RefusedCode, Role};

/// Bytes of batches and parts in flight towards a store that names no other number.
pub const CREDIT_BYTES: u32 = 4 << 20;

/// Most bytes of a hello's frame: all that an acceptor reads from someone it does not know.
pub const HELLO_BYTES_MAX: usize = 64 << 10;

/// How long an acceptor waits for a hello, and for the rest of the handshake.
pub const HELLO_WAIT_MS: u64 = 5_000;

/// How long a dialer waits for the answer to its hello.
pub const WELCOME_WAIT_MS: u64 = 15_000;

/// How long news that nobody waits for may be gathered before it is sent.
pub const LAZY_MS: u64 = 1_000;

/// How long the end of a session may take.
pub const GOODBYE_WAIT_MS: u64 = 5_000;

/// The time of an input, from the driver's clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back.
    pub mono_ms: u64,
    /// Milliseconds since 1970, as far as anyone knows.
    pub wall_ms: u64,
}

/// What a session is for.
#[derive(Clone, Debug)]
pub struct Config {
    /// What this store says it is.
    pub role: Role,
    /// Under which address the peer is remembered; empty on the accepting side.
    pub address: String,
    /// Who logs in, on the dialing side.
    pub token: Option<String>,
    /// Ends the session when both ends have what the other had at its start.
    pub once: bool,
    /// Asks for [`Input::Admit`] before anybody is answered, on the accepting side.
    pub ask: bool,
    /// Bytes of batches and parts taken before any is acknowledged.
    pub credit: u32,
    /// Feature bits of the protocol that this end offers; none has a meaning yet, and unknown ones are ignored.
    pub features: u64,
}

impl Config {
    /// A session that goes on until it is shut down.
    pub fn new(role: Role) -> Self {
        Self { role, address: String::new(), token: None, once: false, ask: false, credit: CREDIT_BYTES, features: 0 }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "inputs are made, taken in and dropped")]
pub enum Input {
    /// The connection stands.
    Connected,
    /// The peer said something.
    Frame {
        /// On which lane.
        lane: Lane,
        /// What.
        message: Message,
    },
    /// The peer sent bytes that are no message.
    Malformed(BadFrame),
    /// The answer to [`Event::Asked`]: yes.
    Admit,
    /// The answer to [`Event::Asked`]: no. Later, the end of a right that was given.
    Refuse(Refused),
    /// The log has new committed rows.
    Grew,
    /// More of the log is safe against power loss.
    Durable,
    /// The time of [`Session::next_deadline`] has come.
    Deadline,
    /// End this in good order.
    Shutdown,
    /// The connection is gone.
    Closed,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this on that lane, in order.
    Send {
        /// Where.
        lane: Lane,
        /// What.
        message: Message,
    },
    /// Close the connection. Nothing comes after it.
    Close {
        /// Why, for programs.
        code: CloseCode,
        /// Why, for people.
        reason: String,
    },
    /// Something that the app or the operator may want to know.
    Event(Event),
}

/// News of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody dialled; answer with [`Input::Admit`] or [`Input::Refuse`]. The store has not been
    /// touched and may be chosen by the namespace.
    Asked {
        /// Who they say they are.
        intro: Introduction,
        /// What they want.
        namespace: String,
        /// Their login.
        token: Option<String>,
    },
    /// The handshake is done.
    PeerKnown {
        /// The peer's store.
        store: StoreId,
        /// Its replica id.
        replica: ReplicaId,
        /// Its role.
        role: Role,
    },
    /// The peer turned us away.
    Refused {
        /// Why.
        code: RefusedCode,
        /// In the peer's words.
        detail: String,
        /// When to try again; 0 for not without a change on our side.
        retry_after_ms: u64,
    },
    /// A position was no longer valid, so that a whole log is compared.
    CursorRefused {
        /// Whose log it is: `true` for ours.
        ours: bool,
    },
    /// How far this session is.
    Progress(Progress),
    /// Everything that the peer had is committed here.
    CaughtUp,
    /// Both ends have what the other has, durably.
    Synced,
    /// The peer holds more of our own changes than before.
    Acknowledged {
        /// Our position that the peer has, durably.
        position: u64,
        /// Up to where it has our own changes, durably: those of the id under which it knows us, which may not be the
        /// present one. Counter 0 if it has none.
        frontier: Dot,
    },
    /// Two histories were found under these replica ids; they are retired.
    ForkFound(Vec<ReplicaId>),
    /// This store gave up its replica id, and its log id if `log` is set.
    IdentityRenewed {
        /// Why.
        why: RenewedWhy,
        /// Whether the log has a new id; the session ends and must be dialled again.
        log: bool,
    },
    /// The store failed.
    StoreFailed(String),
    /// The peer did what the protocol forbids.
    Misbehaved(PeerMisbehaved),
    /// The session ended in good order.
    Finished,
}

/// Why a store is no longer who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewedWhy {
    /// The peer knows changes of ours, or rows of our log, that we do not have: this file is older.
    Restored,
    /// The peer knows other changes under our replica id.
    Forked,
    /// The peer is a copy of this store.
    SameStore,
}

/// Rows done and to be done since the session began, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows of the peer's log that are dealt with.
    pub received: u64,
    /// Rows of the peer's log to deal with.
    pub to_receive: u64,
    /// Rows of our log that the peer has.
    pub sent: u64,
    /// Rows of our log to deal with.
    pub to_send: u64,
}

/// What a session has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of frames sent.
    pub bytes_sent: u64,
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// Changes sent.
    pub changes_sent: u64,
    /// Changes received.
    pub changes_received: u64,
    /// Of them, held already.
    pub changes_duplicate: u64,
    /// Of them, put into quarantine.
    pub changes_quarantined: u64,
    /// One-way messages in turn, up to the goodbye.
    pub legs: u64,
}

impl Counters {
    /// Application round trips, without those of QUIC and TLS. Nobody waits for the last of an odd number of legs.
    pub fn round_trips(&self) -> u64 {
        self.legs / 2
    }
}
