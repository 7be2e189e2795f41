//! Syncline's deterministic simulator: whole fleets in virtual time, on an app's own schema.
//!
//! Real engines, sessions and SQLite run on virtual disks, lines and clocks; everything follows from one
//! [`Schedule`](schedule::Schedule), which a seed makes or a file holds.
//!
//! - [`scenario`]: what people write; with a seed it becomes a schedule. [`failure`]: a schedule in a file.
//! - [`schedule`]: the fleet and every event, written out.
//! - [`world`]: runs a schedule.
//! - [`checks`]: what must hold after every step and at the end.
//! - [`trace`], [`outcome`]: what a run tells, and how it ended.
//! - [`report`]: a run told to people: in sentences, and as a page.
//! - [`shrink`]: makes a failing schedule small. [`junit`]: runs for CI.
//! - [`disk`], [`vfs`], [`SimHost`]: SQLite on a disk that forgets what was not synced when its power is cut.
//!
//! There is no thread, wall clock or randomness of the system here, and one simulation at a time in a process:
//! SQLite's own randomness is the process's.

pub mod adversary;
pub mod checks;
pub mod disk;
pub mod failure;
mod host;
pub mod junit;
pub mod mutants;
pub mod outcome;
mod plan;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod shrink;
pub mod trace;
pub mod vfs;
pub mod world;

pub use disk::{Disk, Survival};
pub use host::SimHost;
