//! Who takes part in a run, and over which lines.

use serde::{Deserialize, Serialize};

/// Nodes and the links that devices keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The nodes, in no order that matters; names are unique.
    #[serde(rename = "node")]
    pub nodes: Vec<Node>,
    /// Who dials whom, again and again.
    #[serde(default, rename = "link")]
    pub links: Vec<Link>,
}

impl Fleet {
    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

/// One machine with one store (a relay: one per namespace).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// How events, messages and reports call it.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub role: Role,
    /// How safe an app's saves are when they return.
    #[serde(default)]
    pub durability: Durability,
    /// When it is first started, in milliseconds; `None` for a node that an event brings to life.
    #[serde(default = "at_once", skip_serializing_if = "is_at_once")]
    pub starts_at_ms: Option<u64>,
    /// How far its wall clock is off at the start, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_off_ms: i64,
    /// How long its disk takes to sync, in milliseconds.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub disk_sync_ms: u64,
    /// Another schema than the run's, for fleets with several versions of an app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Feature bits that its program knows of the protocol; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<u64>,
}

impl Node {
    /// A device, started at once, that saves with [`Durability::Normal`].
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        Self {
            name: name.into(),
            role,
            durability: Durability::Normal,
            starts_at_ms: at_once(),
            clock_off_ms: 0,
            disk_sync_ms: one(),
            schema: None,
            features: None,
        }
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A device with an app: it writes and has the schema.
    #[default]
    Device,
    /// A relay: no schema, keeps and forwards.
    Relay,
    /// A device whose program is broken or hostile.
    Adversary(Adversary),
}

/// How a hostile peer misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adversary {
    /// Sends bytes that are no frames, and frames that are too long or cut off.
    Garbage,
    /// Sends valid frames where the protocol does not allow them.
    WrongState,
    /// Sends two changes under one dot, each to another peer.
    Equivocation,
    /// Claims to hold changes that do not exist.
    InflatedVector,
    /// Claims to have sent changes that it keeps back.
    Withholding,
    /// Writes under another replica's id.
    ForgedWriter,
    /// Sends batches that decompress to far more than they may.
    Bomb,
    /// Sends changes that break documents, among good ones.
    Poison,
}

impl Adversary {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Garbage,
        Self::WrongState,
        Self::Equivocation,
        Self::InflatedVector,
        Self::Withholding,
        Self::ForgedWriter,
        Self::Bomb,
        Self::Poison,
    ];
}

/// How safe an app's saves are when they return: as the engine's durability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Against the end of the process.
    #[default]
    Normal,
    /// Against a power cut.
    Full,
}

/// A link that one node keeps to another: dialed at start and after every loss, with full jitter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Who dials.
    pub from: String,
    /// Who accepts.
    pub to: String,
    /// What lies between them.
    #[serde(default)]
    pub line: Line,
}

/// How fast bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// One way, in milliseconds.
    pub latency_ms: u64,
    /// What may be added to it, in milliseconds.
    pub jitter_ms: u64,
    /// Bytes per second, in each direction; 0 for more than anyone sends.
    pub bytes_per_s: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self { latency_ms: 20, jitter_ms: 10, bytes_per_s: 0 }
    }
}

fn at_once() -> Option<u64> {
    Some(0)
}

fn is_at_once(at: &Option<u64>) -> bool {
    *at == Some(0)
}

fn one() -> u64 {
    1
}

fn is_one(number: &u64) -> bool {
    *number == 1
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
