//! Names of stores, writers, logs, records and changes.

use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{HasherExt as _, hash_derive_key_context};

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Reads the 32 hexadecimal digits that `Display` writes.
            pub fn from_hex(text: &str) -> Option<Self> {
                parse_hex16(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id16! {
    /// One SQLite file.
    StoreId
}
id16! {
    /// A store as a writer; renewed when its continuity is not proven.
    ReplicaId
}
id16! {
    /// One arrival-ordered log; renewed when the log's history may differ from what peers saw.
    LogId
}
id16! {
    /// A record, unique over all models: the bytes of its generated UUID, or a hash of model and key.
    RecordId
}

impl RecordId {
    /// The record whose id has these bytes.
    pub fn from_uuid(id: uuid::Uuid) -> Self {
        Self(id.into_bytes())
    }

    /// The record of a supplied id or a custom key: blake3 over the model's name and the key's canonical JSON.
    pub fn from_key(model: &str, key: &serde_json::Value) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("syncline record key 1");
        hasher.update(&(model.len() as u64).to_le_bytes());
        hasher.update(model.as_bytes());
        hasher.update(key.to_string().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}

/// Names one change: counters are dense from 1 per replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who wrote the change.
    pub replica: ReplicaId,
    /// The how-manieth of its changes.
    pub counter: u64,
}

/// First 8 bytes of a running hash over a replica's changes, or over a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Chain(pub u64);

/// Each row of a log takes two hashes: what depends on their contexts alone is computed once.
static REPLICA_CHAIN: LazyLock<[u8; 32]> = LazyLock::new(|| hash_derive_key_context("syncline replica chain 1"));
static LOG_CHAIN: LazyLock<[u8; 32]> = LazyLock::new(|| hash_derive_key_context("syncline log chain 1"));

impl Chain {
    /// Before the first change.
    pub const EMPTY: Self = Self(0);

    /// The chain after one more change of `dot.replica` to `record`.
    pub fn after_change(self, dot: Dot, record: RecordId, hash: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_from_context_key(&REPLICA_CHAIN);
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&dot.replica.0);
        hasher.update(&dot.counter.to_le_bytes());
        hasher.update(&record.0);
        hasher.update(hash);
        Self::first8(&hasher)
    }

    /// The log's chain after one more row.
    pub fn after_row(self, dot: Dot, replica_chain: Self) -> Self {
        let mut hasher = blake3::Hasher::new_from_context_key(&LOG_CHAIN);
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&dot.replica.0);
        hasher.update(&dot.counter.to_le_bytes());
        hasher.update(&replica_chain.0.to_le_bytes());
        Self::first8(&hasher)
    }

    fn first8(hasher: &blake3::Hasher) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(u64::from_le_bytes(bytes))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({self})")
    }
}

fn parse_hex16(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
