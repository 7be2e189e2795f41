//! How many marks a record has had: what reading and typing cost grows with them.
//!
//! Automerge walks along the marks that are open at a place for each mark that begins or ends there, and
//! each that was ever put or taken away is walked over for good. A few hundred kilobytes of them, one inside
//! the other under names of their own, kept it busy for minutes at every change that came.

use std::collections::BTreeSet;

use automerge::legacy::OpType;

use crate::change::Change;

/// Most marks that a record takes in its life, those taken away and those that take away included.
pub const MARKS_MAX: usize = 1 << 15;

/// Most names that these have.
pub const MARK_NAMES_MAX: usize = 1 << 10;

/// The marks of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MarkCount {
    marks: usize,
    names: BTreeSet<String>,
}

/// Why a record takes no more marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyMarks {
    /// It would have had more than [`MARKS_MAX`].
    #[error(
        "with {0} more the record would have had over {MARKS_MAX} marks in its life, those taken away included; \
         move the text to a new record"
    )]
    Marks(usize),
    /// They would have more than [`MARK_NAMES_MAX`] names.
    #[error(
        "with {0} more its marks would have had over {MARK_NAMES_MAX} names; let marks share a name and differ in \
         their values"
    )]
    Names(usize),
}

impl MarkCount {
    /// So many marks, of these names.
    pub(crate) fn new(marks: usize, names: BTreeSet<String>) -> Self {
        Self { marks, names }
    }

    /// Adds the marks that a change puts and takes away.
    pub(crate) fn add(&mut self, change: &Change) {
        for name in names_of(change) {
            self.marks += 1;
            if !self.names.contains(name) {
                self.names.insert(name.to_owned());
            }
        }
    }

    /// Whether marks of these names may come, one for each.
    pub(crate) fn check<'a>(&self, new: impl IntoIterator<Item = &'a str>) -> Result<(), TooManyMarks> {
        self.check_times(1, new)
    }

    /// As [`check`](Self::check), with so many times the bounds.
    pub(crate) fn check_times<'a>(
        &self,
        times: usize,
        new: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), TooManyMarks> {
        let (mut marks, mut names) = (0, BTreeSet::new());
        for name in new {
            marks += 1;
            if !self.names.contains(name) {
                names.insert(name);
            }
        }
        if self.marks + marks > times * MARKS_MAX {
            return Err(TooManyMarks::Marks(marks));
        }
        if self.names.len() + names.len() > times * MARK_NAMES_MAX {
            return Err(TooManyMarks::Names(names.len()));
        }
        Ok(())
    }
}

/// The names of the marks that a change puts and takes away, one for each.
pub(crate) fn names_of(change: &Change) -> impl Iterator<Item = &str> {
    change.ops().iter().filter_map(|op| match &op.action {
        OpType::MarkBegin(mark) => Some(mark.name.as_str()),
        OpType::Make(_) | OpType::Delete | OpType::Increment(_) | OpType::Put(_) | OpType::MarkEnd(_) => None,
    })
}
