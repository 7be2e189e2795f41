//! The messages of protocol `syncline/1`.

use std::fmt;

use super::codec::{self, BadFrame, Decode, Encode};
use super::{FRAME_HEADER_BYTES, VERSION};
use crate::ids::{Chain, LogId, RecordId, ReplicaId, StoreId};

/// A position in a store's log, as a peer keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cursor {
    /// Which log.
    pub log: LogId,
    /// Which incarnation of it.
    pub epoch: u32,
    /// Last row covered.
    pub seq: u64,
    /// The log's chain after that row.
    pub chain: Chain,
}

/// One entry of a version vector as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Whose changes.
    pub replica: ReplicaId,
    /// All up to this one are held.
    pub counter: u64,
    /// The replica's chain there.
    pub chain: Chain,
    /// The replica id is retired; counter and chain mean nothing.
    pub forked: bool,
}

/// One change inside a batch, before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Index into the batch's replicas.
    pub replica: u32,
    /// Counter of the dot.
    pub counter: u64,
    /// How many rows of the same transaction follow.
    pub txn: u16,
    /// Index into the batch's models.
    pub model: u32,
    /// The record.
    pub record: RecordId,
    /// Raw change bytes; empty for a change that travels in parts.
    pub bytes: Vec<u8>,
}

/// Who is speaking: a device that writes, or a relay that keeps and forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Role {
    /// A replica.
    Peer,
    /// A relay.
    Relay,
}

/// The first words of either side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Introduction {
    /// The speaker's role.
    pub role: Role,
    /// The speaker's store.
    pub store: StoreId,
    /// The speaker's present replica id.
    pub replica: ReplicaId,
    /// Its last counter.
    pub counter: u64,
    /// Its chain there.
    pub chain: Chain,
    /// The speaker's log.
    pub log: LogId,
    /// Its incarnation.
    pub epoch: u32,
}

/// Which of a connection's three ordered ways a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Handshakes and acknowledgements.
    Control,
    /// What has just happened.
    Live,
    /// What catches up.
    Bulk,
}

/// A large payload of which a part is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StagedPart {
    /// The payload's blake3 hash.
    pub payload: [u8; 32],
    /// Bytes held, from its beginning.
    pub bytes: u64,
}

/// The dialer's first message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Lowest version spoken.
    pub version_min: u16,
    /// Highest version spoken.
    pub version_max: u16,
    /// Feature bits; none are defined yet.
    pub features: u64,
    /// Who dials.
    pub intro: Introduction,
    /// What is to be synchronised.
    pub namespace: String,
    /// Who logs in.
    pub token: Option<String>,
    /// Last durable row of the dialer's log.
    pub head: u64,
    /// The dialer's position in the log of the peer that it last met at this address.
    pub cursor: Option<Cursor>,
    /// `delta` lists what grew after this position of the dialer's log.
    pub base: u64,
    /// The log's chain there. A batch that follows the hello begins there, and counts only if the
    /// acceptor's cursor says the same.
    pub base_chain: Chain,
    /// Whether `delta` is all of that. Otherwise the rest follows the welcome as [`VectorPart`]s.
    pub complete: bool,
    /// Vector entries that grew; the dialer's own stands in `intro`.
    pub delta: Vec<Entry>,
    /// What the dialer holds of large payloads.
    pub staged: Vec<StagedPart>,
    /// Bytes of batches and parts that the dialer takes before it has acknowledged any.
    pub credit: u32,
}

/// The acceptor's answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The version that both speak from here on.
    pub version: u16,
    /// Feature bits that both have.
    pub features: u64,
    /// Who accepts.
    pub intro: Introduction,
    /// Last durable row of the acceptor's log.
    pub head: u64,
    /// Whether the dialer's cursor stands; otherwise the log is read from its beginning.
    pub accepted: bool,
    /// What the acceptor holds of the dialer's replica, durably.
    pub your_counter: u64,
    /// The replica's chain there.
    pub your_chain: Chain,
    /// The acceptor's position in the dialer's log.
    pub cursor: Option<Cursor>,
    /// Whether more of the vector follows as [`VectorPart`]s.
    pub more: bool,
    /// Vector entries that grew since the accepted cursor, or all.
    pub delta: Vec<Entry>,
    /// What the acceptor holds of large payloads.
    pub staged: Vec<StagedPart>,
    /// As in [`Hello`].
    pub credit: u32,
}

/// Why a dialer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RefusedCode {
    /// No common version.
    Version,
    /// Another namespace is kept here, or none of that name.
    Namespace,
    /// Both ends are copies of one store.
    SameStore,
    /// A token is missing, wrong or expired.
    Unauthenticated,
    /// The token is right and does not allow this.
    Forbidden,
    /// A limit is reached; try again after the time given.
    Busy,
}

/// The acceptor's other answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// Why.
    pub code: RefusedCode,
    /// In words.
    pub detail: String,
    /// When dialling again makes sense; 0 if only a change on the dialer's side helps.
    pub retry_after_ms: u64,
}

/// More of a vector than its message could hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VectorPart {
    /// Entries.
    pub entries: Vec<Entry>,
    /// Whether the vector is complete now.
    pub last: bool,
}

/// The receiver of a vector has looked up the sender's entries on its own chains.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Verified {
    /// Replicas whose histories differ; all others that the receiver is ahead on are the same.
    pub forked: Vec<ReplicaId>,
}

/// Replica ids that the sender has retired.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Forked {
    /// Which.
    pub replicas: Vec<ReplicaId>,
}

/// How a batch's content is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Packing {
    /// As it is.
    Plain,
    /// One zstd frame.
    Zstd,
}

/// Rows of the sender's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Batch {
    /// Dense from 1 over a direction's batches and covers, which may take different lanes.
    pub number: u64,
    /// Position before. Together with what was sent before, every row in (`after`, `upto`] is
    /// here or is held by the receiver.
    pub after: u64,
    /// Position after; equal to `after` while the sender withholds it.
    pub upto: u64,
    /// The log's chain at `upto`.
    pub upto_chain: Chain,
    /// Last row of the sender's log.
    pub head: u64,
    /// How `content` is packed.
    pub packing: Packing,
    /// Bytes of the content, unpacked.
    pub unpacked_len: u32,
    /// See [`super::BatchContent`].
    pub content: Vec<u8>,
}

/// A piece of a large change, ahead of the batch that names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Part {
    /// The change's blake3 hash.
    pub payload: [u8; 32],
    /// Where the piece belongs.
    pub offset: u64,
    /// Length of the whole change.
    pub total: u64,
    /// The piece.
    pub bytes: Vec<u8>,
}

/// Every row up to a position was sent or is held by the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Covered {
    /// As in [`Batch`].
    pub number: u64,
    /// The position.
    pub upto: u64,
    /// The log's chain there.
    pub upto_chain: Chain,
    /// Last row of the sender's log; equal to `upto` if the receiver is caught up.
    pub head: u64,
}

/// What the speaker holds durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// Position in the receiver's log.
    pub position: u64,
    /// The log's chain there.
    pub chain: Chain,
    /// Bytes of batches and parts that were taken in since the session began.
    pub consumed: u64,
    /// How often the receiver had renewed its replica id when this was said.
    pub renewals: u32,
    /// Highest counter of the receiver's replica that is held, by whatever way it came.
    pub your_counter: u64,
    /// The replica's chain there.
    pub your_chain: Chain,
}

/// The speaker has a new replica id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Renewed {
    /// The new one.
    pub replica: ReplicaId,
}

/// The speaker has nothing more to say; the answer is a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Goodbye {
    /// The last number of a batch or cover that the speaker has sent; they may arrive later.
    pub last: u64,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $kind:literal,)*) => {
        /// Everything that peers say.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message {
            $($(#[$doc])* $name($name),)*
        }

        impl Message {
            /// The number that names this message on the wire.
            pub fn kind(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $kind,)*
                }
            }

            /// The message's name, for errors and logs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// Kind and body.
            pub fn encode(&self) -> (u8, Vec<u8>) {
                match self {
                    $(Self::$name(body) => ($kind, codec::encode(body)),)*
                }
            }

            /// Bytes of the whole frame.
            pub fn frame_len(&self) -> usize {
                FRAME_HEADER_BYTES + match self {
                    $(Self::$name(body) => codec::encoded_len(body),)*
                }
            }

            /// Reads kind and body. Bytes behind the last field belong to a later version.
            pub fn decode(kind: u8, body: &[u8]) -> Result<Self, BadFrame> {
                match kind {
                    $($kind => codec::decode(body).map(Self::$name),)*
                    unknown => Err(BadFrame::Kind(unknown)),
                }
            }
        }

        $(impl From<$name> for Message {
            fn from(body: $name) -> Self {
                Self::$name(body)
            }
        })*
    };
}

messages! {
    /// Dialer: who I am, where I stand.
    Hello = 1,
    /// Acceptor: who I am, where I stand, and where you do.
    Welcome = 2,
    /// Acceptor: not with you, not now.
    Refused = 3,
    /// The rest of a vector.
    VectorPart = 4,
    /// Your vector and my chains agree but for these.
    Verified = 5,
    /// These replica ids are retired.
    Forked = 6,
    /// Changes.
    Batch = 7,
    /// A piece of a large change.
    Part = 8,
    /// You have everything up to here.
    Covered = 9,
    /// I have everything up to here.
    Ack = 10,
    /// I have a new replica id.
    Renewed = 11,
    /// I am done.
    Goodbye = 12,
}

impl Message {
    /// Bytes that count against the receiver's credit.
    pub fn credit_len(&self) -> u64 {
        match self {
            Self::Batch(batch) => batch.content.len() as u64,
            Self::Part(part) => part.bytes.len() as u64,
            Self::Hello(_)
            | Self::Welcome(_)
            | Self::Refused(_)
            | Self::VectorPart(_)
            | Self::Verified(_)
            | Self::Forked(_)
            | Self::Covered(_)
            | Self::Ack(_)
            | Self::Renewed(_)
            | Self::Goodbye(_) => 0,
        }
    }
}

impl Hello {
    /// The version to speak with this dialer, if there is one.
    pub fn common_version(&self) -> Option<u16> {
        (self.version_min <= VERSION && VERSION <= self.version_max).then_some(VERSION)
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
