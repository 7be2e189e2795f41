//! Everything that can happen at a node, between nodes, or to a disk or clock.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::disk::Survival;

/// Names an event of a schedule.
pub type EventId = u32;

/// One thing that happens. Nodes are named; `record` is the event that made the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    // What apps do.
    /// Saves a record; later events name it by this event's id. A key in the values that exists updates.
    Create {
        /// Where.
        node: String,
        /// Which model.
        model: String,
        /// Its fields.
        #[serde(with = "json_text")]
        values: Map<String, Value>,
    },
    /// Changes fields.
    Update {
        /// Where.
        node: String,
        /// Of which record.
        record: EventId,
        /// The fields.
        #[serde(with = "json_text")]
        values: Map<String, Value>,
    },
    /// Deletes a record.
    Delete {
        /// Where.
        node: String,
        /// Which.
        record: EventId,
    },
    /// Brings a deleted record back.
    Undelete {
        /// Where.
        node: String,
        /// Which.
        record: EventId,
    },
    /// Adds to a counter.
    Increment {
        /// Where.
        node: String,
        /// Of which record.
        record: EventId,
        /// Which field.
        field: String,
        /// How much.
        by: i64,
    },
    /// Adds an element to a set.
    Add {
        /// Where.
        node: String,
        /// Of which record.
        record: EventId,
        /// Which field.
        field: String,
        /// The element, as JSON text.
        #[serde(with = "json_text")]
        element: Value,
    },
    /// Takes an element out of a set.
    Remove {
        /// Where.
        node: String,
        /// Of which record.
        record: EventId,
        /// Which field.
        field: String,
        /// The element, as JSON text.
        #[serde(with = "json_text")]
        element: Value,
    },
    /// Edits a collaborative text.
    Splice {
        /// Where.
        node: String,
        /// Of which record.
        record: EventId,
        /// Which field.
        field: String,
        /// The place, in thousandths of the text's length there and then.
        place: u32,
        /// Code points to take out, as far as there are so many.
        #[serde(default)]
        delete: u32,
        /// What to put in.
        #[serde(default)]
        insert: String,
    },
    /// Several writes of one node in one transaction that stays together.
    Together {
        /// Where; the writes name the same node.
        node: String,
        /// The writes; a `create` among them is named by its place: event id of this event × 1000 + place.
        writes: Vec<Self>,
    },
    /// Makes many records at once, with values counted up from their number.
    Import {
        /// Where.
        node: String,
        /// Which model.
        model: String,
        /// How many.
        count: u32,
    },
    /// Follows a model's commits from here on and keeps a copy of the result by them alone.
    Observe {
        /// Where.
        node: String,
        /// Which model.
        model: String,
    },
    /// Ends what an observe event began.
    Unobserve {
        /// The observe event.
        observe: EventId,
    },

    // The network.
    /// Nodes of different groups do not reach each other; nodes in no group reach everyone.
    Split {
        /// The groups.
        groups: Vec<Vec<String>>,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// A node reaches nobody.
    Isolate {
        /// Who.
        node: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// Bytes are lost in one direction only.
    OneWay {
        /// From here.
        from: String,
        /// To here.
        to: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// Nodes are cut off one by one and come back in another order.
    Swizzle {
        /// In the order of their loss.
        clog: Vec<String>,
        /// In the order of their return.
        unclog: Vec<String>,
        /// Between one and the next, in milliseconds.
        every_ms: u64,
    },
    /// A node's lines come and go.
    Flap {
        /// Whose.
        node: String,
        /// How long they stand, in milliseconds.
        up_ms: u64,
        /// How long they do not, in milliseconds.
        down_ms: u64,
        /// How often.
        count: u32,
    },
    /// A node's lines get slow.
    Slow {
        /// Whose.
        node: String,
        /// One way, in milliseconds.
        latency_ms: u64,
        /// What may be added, in milliseconds.
        jitter_ms: u64,
        /// Bytes per second; 0 for more than anyone sends.
        bytes_per_s: u64,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// One lane of a node's connections stops, in both directions; the others go on.
    Stall {
        /// Whose.
        node: String,
        /// Which lane.
        lane: Lane,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// A node's connections die after so many more bytes towards or from it, in the middle of a frame.
    Reset {
        /// Whose.
        node: String,
        /// How many; 0 for now.
        after_bytes: u64,
    },
    /// Connections come about, and carry nothing: a captive portal.
    Captive {
        /// Whose.
        node: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// All connections of a node die, and everybody dials it again in the same millisecond.
    Herd {
        /// Whom.
        node: String,
    },
    /// A node keeps a further link, to a peer or relay.
    Meet {
        /// Who dials.
        node: String,
        /// Whom.
        to: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },

    // Processes.
    /// Starts a node that has not been started.
    Start {
        /// Who.
        node: String,
    },
    /// Closes the app in good order and starts it again later.
    Restart {
        /// Who.
        node: String,
        /// How long it is closed, in milliseconds.
        down_ms: u64,
    },
    /// Closes the app in good order and starts its next version later, with the schedule's newer schema.
    Upgrade {
        /// Who.
        node: String,
        /// How long it is closed, in milliseconds.
        down_ms: u64,
    },
    /// Ends the process at once; the disk keeps everything.
    Kill {
        /// Who.
        node: String,
        /// How long until it starts again, in milliseconds.
        down_ms: u64,
        /// At the n-th disk operation from now that changes something; 0 for now.
        #[serde(default)]
        after_operations: u64,
    },
    /// Ends the process the next time it comes to a point.
    KillAt {
        /// Who.
        node: String,
        /// Where.
        point: Point,
        /// How long until it starts again, in milliseconds.
        down_ms: u64,
    },
    /// Ends the process again and again.
    CrashLoop {
        /// Who.
        node: String,
        /// How often.
        times: u32,
        /// How long it runs each time, in milliseconds.
        up_ms: u64,
    },
    /// The process does nothing for a while, and notices nothing.
    Pause {
        /// Who.
        node: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },

    // Disks.
    /// Cuts the power.
    PowerCut {
        /// Whose.
        node: String,
        /// Which writes under way had reached the medium.
        survival: Survival,
        /// How long it is dark, in milliseconds.
        down_ms: u64,
        /// At the n-th disk operation from now that changes something; 0 for now.
        #[serde(default)]
        after_operations: u64,
    },
    /// Syncs report success and do nothing.
    LyingSyncs {
        /// On whose disk.
        node: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// One disk operation fails.
    IoError {
        /// On whose disk.
        node: String,
        /// Which kind.
        on: OperationKind,
        /// The how-manieth of that kind from now; at least 1.
        nth: u64,
    },
    /// The disk has so much room left, and no more.
    DiskFull {
        /// Whose.
        node: String,
        /// How much.
        free_bytes: u64,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// Syncs take so long.
    SlowDisk {
        /// Whose.
        node: String,
        /// In milliseconds.
        sync_ms: u64,
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// Bits of the store's file flip.
    BitRot {
        /// On whose disk.
        node: String,
        /// How many.
        flips: u32,
    },
    /// Copies a node's files as they are, also while they are being written.
    Backup {
        /// Whose.
        node: String,
    },
    /// Ends the process, puts a backup in the place of the files, and starts.
    Restore {
        /// Who.
        node: String,
        /// The backup event; the first backup of a node may come to life on another.
        backup: EventId,
        /// How long it is down, in milliseconds.
        down_ms: u64,
    },
    /// Copies a node's files as they are to another node that has not been started, and starts it.
    Clone {
        /// From where.
        node: String,
        /// To where.
        onto: String,
    },

    // Clocks.
    /// The wall clock jumps.
    ClockJump {
        /// Whose.
        node: String,
        /// How far, in milliseconds.
        by_ms: i64,
    },
    /// The wall clock stands still.
    ClockFreeze {
        /// Whose.
        node: String,
        /// How long, in milliseconds.
        for_ms: u64,
    },
}

impl Action {
    /// Its name, as files have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Undelete { .. } => "undelete",
            Self::Increment { .. } => "increment",
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Splice { .. } => "splice",
            Self::Together { .. } => "together",
            Self::Import { .. } => "import",
            Self::Observe { .. } => "observe",
            Self::Unobserve { .. } => "unobserve",
            Self::Split { .. } => "split",
            Self::Isolate { .. } => "isolate",
            Self::OneWay { .. } => "one-way",
            Self::Swizzle { .. } => "swizzle",
            Self::Flap { .. } => "flap",
            Self::Slow { .. } => "slow",
            Self::Stall { .. } => "stall",
            Self::Reset { .. } => "reset",
            Self::Captive { .. } => "captive",
            Self::Herd { .. } => "herd",
            Self::Meet { .. } => "meet",
            Self::Start { .. } => "start",
            Self::Restart { .. } => "restart",
            Self::Upgrade { .. } => "upgrade",
            Self::Kill { .. } => "kill",
            Self::KillAt { .. } => "kill-at",
            Self::CrashLoop { .. } => "crash-loop",
            Self::Pause { .. } => "pause",
            Self::PowerCut { .. } => "power-cut",
            Self::LyingSyncs { .. } => "lying-syncs",
            Self::IoError { .. } => "io-error",
            Self::DiskFull { .. } => "disk-full",
            Self::SlowDisk { .. } => "slow-disk",
            Self::BitRot { .. } => "bit-rot",
            Self::Backup { .. } => "backup",
            Self::Restore { .. } => "restore",
            Self::Clone { .. } => "clone",
            Self::ClockJump { .. } => "clock-jump",
            Self::ClockFreeze { .. } => "clock-freeze",
        }
    }

    /// The nodes it names.
    pub fn nodes(&self) -> Vec<&str> {
        match self {
            Self::Meet { node, to, .. } | Self::Clone { node, onto: to } => vec![node, to],
            Self::OneWay { from, to, .. } => vec![from, to],
            Self::Split { groups, .. } => groups.iter().flatten().map(String::as_str).collect(),
            Self::Swizzle { clog, .. } => clog.iter().map(String::as_str).collect(),
            Self::Unobserve { .. } => Vec::new(),
            Self::Create { node, .. }
            | Self::Update { node, .. }
            | Self::Delete { node, .. }
            | Self::Undelete { node, .. }
            | Self::Increment { node, .. }
            | Self::Add { node, .. }
            | Self::Remove { node, .. }
            | Self::Splice { node, .. }
            | Self::Together { node, .. }
            | Self::Import { node, .. }
            | Self::Observe { node, .. }
            | Self::Isolate { node, .. }
            | Self::Flap { node, .. }
            | Self::Slow { node, .. }
            | Self::Stall { node, .. }
            | Self::Reset { node, .. }
            | Self::Captive { node, .. }
            | Self::Herd { node, .. }
            | Self::Start { node, .. }
            | Self::Restart { node, .. }
            | Self::Upgrade { node, .. }
            | Self::Kill { node, .. }
            | Self::KillAt { node, .. }
            | Self::CrashLoop { node, .. }
            | Self::Pause { node, .. }
            | Self::PowerCut { node, .. }
            | Self::LyingSyncs { node, .. }
            | Self::IoError { node, .. }
            | Self::DiskFull { node, .. }
            | Self::SlowDisk { node, .. }
            | Self::BitRot { node, .. }
            | Self::Backup { node, .. }
            | Self::Restore { node, .. }
            | Self::ClockJump { node, .. }
            | Self::ClockFreeze { node, .. } => vec![node],
        }
    }

    /// The event that made the one record that it is about, if it is about one that is there already.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are about no such record")]
    pub fn record(&self) -> Option<EventId> {
        match self {
            Self::Update { record, .. }
            | Self::Delete { record, .. }
            | Self::Undelete { record, .. }
            | Self::Increment { record, .. }
            | Self::Add { record, .. }
            | Self::Remove { record, .. }
            | Self::Splice { record, .. } => Some(*record),
            _ => None,
        }
    }

    /// Whether an app does it.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::Update { .. }
                | Self::Delete { .. }
                | Self::Undelete { .. }
                | Self::Increment { .. }
                | Self::Add { .. }
                | Self::Remove { .. }
                | Self::Splice { .. }
                | Self::Together { .. }
                | Self::Import { .. }
        )
    }
}

/// A kind of disk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Reading.
    Read,
    /// Writing or resizing.
    Write,
    /// Making durable.
    Sync,
}

/// A place in a process's doings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// A transaction is committed; nothing of it has been sent.
    AfterCommit,
    /// A sync is asked for and has not begun.
    BeforeSync,
    /// A sync is done; its outcome is not known to the engine.
    AfterSync,
    /// A frame is handed to the network.
    AfterSend,
    /// A frame was taken in and its answers are still to be sent.
    AfterReceive,
    /// The write-ahead log is being carried over into the file.
    InCheckpoint,
    /// The side file is being renewed.
    InSideFile,
}

impl Point {
    /// Every point.
    pub const ALL: [Self; 7] = [
        Self::AfterCommit,
        Self::BeforeSync,
        Self::AfterSync,
        Self::AfterSend,
        Self::AfterReceive,
        Self::InCheckpoint,
        Self::InSideFile,
    ];
}

/// A lane, as the protocol has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Handshake, acknowledgements.
    Control,
    /// New changes.
    Live,
    /// What was missed.
    Bulk,
}

/// JSON as text inside a string: TOML has no null.
mod json_text {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        serde_json::to_string(value).map_err(S::Error::custom)?.serialize(to)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        serde_json::from_str(&text).map_err(|error| D::Error::custom(format!("not the JSON it should be: {error}")))
    }
}
