//! What a disk is told to do wrong, and when.

use crate::disk::DiskError;
use crate::schedule::OperationKind;

/// A place in what a store does with its files, for [`Disk::cut_power_at`](super::Disk::cut_power_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPoint {
    /// The write-ahead log is being carried over into the file: one of the first writes to a file whose `-wal`
    /// holds something.
    InCheckpoint,
    /// The side file is being renewed or removed: one of the first operations on `-replica` or `-replica.new`.
    InSideFile,
}

/// What is to go wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The operation at which the power goes.
    pub(super) cut_at: Option<u64>,
    /// How many more operations at a point until the power goes.
    points: Vec<(CutPoint, u64)>,
    /// How many more operations of a kind until one fails.
    errors: Vec<(OperationKind, u64)>,
    /// Operations that failed so far.
    pub(super) fired: u64,
    /// How many bytes all files together may have.
    pub(super) room: Option<u64>,
}

impl Faults {
    pub(super) fn cut_at_point(&mut self, point: CutPoint, nth: u64) {
        self.points.push((point, nth));
    }

    pub(super) fn clear_cuts(&mut self) {
        self.cut_at = None;
        self.points.clear();
    }

    pub(super) fn fail(&mut self, kind: OperationKind, nth: u64) {
        self.errors.push((kind, nth.max(1)));
    }

    pub(super) fn clear_errors(&mut self) {
        self.errors.clear();
    }

    /// Whether anybody wants to know which point an operation belongs to.
    pub(super) fn waits_for_points(&self) -> bool {
        !self.points.is_empty()
    }

    /// Whether the power goes at this operation.
    pub(super) fn cuts(&mut self, number: u64, point: Option<CutPoint>) -> bool {
        let mut cuts = self.cut_at.is_some_and(|at| number >= at);
        for (_, left) in self.points.iter_mut().filter(|(wanted, _)| Some(*wanted) == point) {
            *left -= 1;
            cuts |= *left == 0;
        }
        cuts
    }

    /// Counts an operation; fails if it is the one that shall.
    pub(super) fn count(&mut self, kind: OperationKind) -> Result<(), DiskError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let before = self.errors.len();
        self.errors.retain_mut(|(wanted, left)| {
            *left -= u64::from(*wanted == kind);
            *left > 0
        });
        if self.errors.len() == before {
            return Ok(());
        }
        self.fired += 1;
        Err(DiskError::Io)
    }
}
