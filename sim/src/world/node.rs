//! One machine: a disk, clocks, and a process that runs an engine while it lives.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncline_engine::{Engine, Now, Relay, Store};

use crate::disk::Disk;
use crate::schedule::{self, Role};
use crate::vfs::Registered;

/// One machine of the fleet.
pub struct Node {
    pub(super) spec: schedule::Node,
    pub(super) place: Arc<Registered>,
    pub(super) running: Option<Running>,
    pub(super) boots: u64,
    pub(super) clock_off_ms: i64,
    pub(super) excuses: BTreeSet<Excuse>,
}

/// What a living process runs.
pub(super) enum Running {
    Device(Box<Engine>),
    Relay(Box<Relay>),
}

/// What a node was put through that the engine does not promise to survive alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Its disk lied about syncs, or was read wrongly: what it called durable may be gone.
    DiskLied,
    /// Bits of its file flipped.
    BitsFlipped,
    /// An older state of its file came back: what it acknowledged since may be gone from it.
    Restored,
    /// Its file lives on another node too.
    Cloned,
    /// It is hostile.
    Hostile,
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it was made as.
    pub fn spec(&self) -> &schedule::Node {
        &self.spec
    }

    /// What it is.
    pub fn role(&self) -> Role {
        self.spec.role
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        self.place.disk()
    }

    /// How often its process was started.
    pub fn boots(&self) -> u64 {
        self.boots
    }

    /// The engine of its store, while it runs; a relay's is that of the one namespace, once somebody asked for it.
    pub fn engine(&self) -> Option<&Engine> {
        match self.running.as_ref()? {
            Running::Device(engine) => Some(engine),
            Running::Relay(relay) => relay.namespaces().next().map(|(_, engine)| engine),
        }
    }

    /// Its store, while it runs.
    pub fn store(&self) -> Option<&Store> {
        self.engine().map(Engine::store)
    }

    /// What it was put through so far that no store can survive alone.
    pub fn excuses(&self) -> &BTreeSet<Excuse> {
        &self.excuses
    }

    /// The time as its clocks show it.
    pub(super) fn now(&self, at_ms: u64) -> Now {
        let wall_ms = (EPOCH_MS + at_ms).saturating_add_signed(self.clock_off_ms);
        Now { mono_ms: at_ms + 1, wall_ms }
    }
}

/// What honest wall clocks show at the beginning: 2026-01-01.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;
