//! The only module that knows how values become bytes.
//!
//! Values are encoded in bincode's standard configuration: little-endian, integers as varints (a
//! byte below 251, else a marker and 2, 4 or 8 bytes; signed ones zigzag), lengths before
//! sequences, a byte before options. Ids are 16 bytes and chains 8 bytes as they are. Decoding
//! claims memory from a budget of [`LIMIT_BYTES`], so that no number in a frame can make us
//! allocate more than a frame may hold.

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use bincode::de::{BorrowDecode, BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::enc::write::SizeWriter;
use bincode::error::{DecodeError, EncodeError};

use crate::ids::{Chain, LogId, RecordId, ReplicaId, StoreId};

pub(super) use bincode::{Decode, Encode};

/// What decoding one value may claim.
pub(super) const LIMIT_BYTES: usize = 1 << 20;

/// Why bytes are not the message that they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A length of 0, or above [`super::FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes; 1 to {max} are allowed", max = super::FRAME_BYTES_MAX)]
    Length(usize),
    /// A message that this version does not have.
    #[error("message kind {0} is unknown")]
    Kind(u8),
    /// The body ends inside a field.
    #[error("the body ends before its last field")]
    CutOff,
    /// An enumeration has no such variant.
    #[error("{type_name} has no variant {found}")]
    Variant {
        /// The enumeration.
        type_name: &'static str,
        /// The number on the wire.
        found: u32,
    },
    /// A length in the body claims more than a frame can hold.
    #[error("the body claims more memory than a frame may")]
    Limit,
    /// Anything else that cannot be read.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
}

/// The bytes of a value.
pub(super) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, config()).expect("our messages hold nothing that cannot be encoded")
}

/// How many bytes [`encode`] makes.
pub(super) fn encoded_len<T: Encode>(value: &T) -> usize {
    let mut counting = SizeWriter::default();
    bincode::encode_into_writer(value, &mut counting, config())
        .expect("our messages hold nothing that cannot be encoded");
    counting.bytes_written
}

/// The value at the start of `bytes`; what stands behind it is of a later version.
pub(super) fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, BadFrame> {
    match bincode::decode_from_slice(bytes, config()) {
        Ok((value, _)) => Ok(value),
        Err(error) => Err(translate(error)),
    }
}

type Config = Configuration<LittleEndian, Varint, Limit<LIMIT_BYTES>>;

fn config() -> Config {
    standard().with_limit::<LIMIT_BYTES>()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's other errors all mean unreadable")]
fn translate(error: DecodeError) -> BadFrame {
    match error {
        DecodeError::UnexpectedEnd { .. } => BadFrame::CutOff,
        DecodeError::LimitExceeded => BadFrame::Limit,
        DecodeError::UnexpectedVariant { type_name, found, .. } => BadFrame::Variant { type_name, found },
        other => BadFrame::Malformed(other.to_string()),
    }
}

macro_rules! as_fixed_bytes {
    ($($id:ty => $bytes:ty, $out:expr, $in:expr;)*) => {$(
        impl Encode for $id {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                let out: fn(&Self) -> $bytes = $out;
                out(self).encode(encoder)
            }
        }

        impl<C> Decode<C> for $id {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                <$bytes>::decode(decoder).map($in)
            }
        }

        impl<'de, C> BorrowDecode<'de, C> for $id {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                Self::decode(decoder)
            }
        }
    )*};
}

as_fixed_bytes! {
    StoreId => [u8; 16], |id| id.0, StoreId;
    ReplicaId => [u8; 16], |id| id.0, ReplicaId;
    LogId => [u8; 16], |id| id.0, LogId;
    RecordId => [u8; 16], |id| id.0, RecordId;
    Chain => [u8; 8], |chain| chain.0.to_le_bytes(), |bytes| Chain(u64::from_le_bytes(bytes));
}
