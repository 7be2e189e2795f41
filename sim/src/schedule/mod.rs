//! What a run does, written out: the fleet, and every event with its time.
//!
//! A schedule is made once, by a generator or by hand; a run depends on nothing else. So a failure replays
//! without the generator that made it, and gets smaller by leaving events out: an event that refers to one that
//! is gone does nothing.

mod action;
mod fleet;

pub use action::{Action, EventId, Lane, OperationKind, Point};
pub use fleet::{Adversary, Durability, Fleet, Line, Link, Node, Role};

use serde::{Deserialize, Serialize};

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Of which scenario it is one.
    pub scenario: String,
    /// Decides what is left open: ids, jitter, where bytes are split, which sectors survive.
    pub seed: u64,
    /// What that depends on, beside the seed.
    #[serde(default)]
    pub chance: Chance,
    /// How long the faults and writes go on, in milliseconds; then everything is healed and must settle.
    pub duration_ms: u64,
    /// The schema that devices open their stores with, as SDL.
    pub schema: String,
    /// The schema of the app's next version, which devices get by an [`Action::Upgrade`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_schema: Option<String>,
    /// What must hold at the end.
    #[serde(default)]
    pub expect: Expect,
    /// Who takes part.
    pub fleet: Fleet,
    /// What happens, by time; of one time, in this order.
    #[serde(default, rename = "event", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// What the numbers that are left to chance depend on, beside the seed and what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chance {
    /// On how many were drawn before, as in failure files of version 1: an event left out changes all that come later.
    #[default]
    Count,
    /// On the moment: what an event left out does not touch goes on as it did, so that a failure survives being
    /// made smaller.
    Moment,
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names it for others that refer to it; unique in a schedule, at least 1.
    pub id: EventId,
    /// When, in milliseconds since the beginning.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// Bounds that a run is held to beyond the checks that always hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// How long the fleet may take to agree once everything is healed, in milliseconds.
    pub converge_within_ms: u64,
    /// Changes that may be sent again, in percent of those sent, beyond one window per lost connection.
    pub resent_max_percent: u64,
}

impl Default for Expect {
    fn default() -> Self {
        Self { converge_within_ms: 300_000, resent_max_percent: 2 }
    }
}
