//! Files: pages, hashes and chains are whole, and states and tables are what the log says.

use super::view::Shared;
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Excuse, Happened, NodeIndex, World};

/// Rows that one look verifies at most: it takes all of a node's memory of the world.
const ROWS_MAX: u64 = 50_000;

/// Steps that pay for the verification of one row.
const STEPS_PER_ROW: u64 = 16;

/// Now and then one node verifies its store.
pub(super) struct Verifies {
    view: Shared,
    next: NodeIndex,
    /// Rows verified so far.
    rows: u64,
    decided: u64,
}

impl Verifies {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, next: 0, rows: 0, decided: 0 }
    }
}

impl Check for Verifies {
    about!(
        "columns-equal-documents",
        "In the middle of a run, states and tables are what the log says, hashes and chains hold: node after \
         node, as often as the run is long."
    );

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        let view = self.view.borrow();
        for _ in 0..view.nodes.len() {
            // What a look costs stays in proportion to what was done since the last one.
            if self.rows > world.steps() / STEPS_PER_ROW {
                break;
            }
            let node = self.next % view.nodes.len();
            self.next += 1;
            self.rows += view.nodes[node].len();
            self.decided += u64::from(verify(world, node).map_err(|broken| broken.at(world, self.name()))?);
        }
        Ok(())
    }
}

/// At the end all nodes verify their stores.
pub(super) struct DatabaseIntact {
    view: Shared,
    decided: u64,
}

impl DatabaseIntact {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for DatabaseIntact {
    about!(
        "database-intact",
        "At the end every store verifies: SQLite's pages, hashes, chains, states and tables. Files whose bits flipped \
         or whose disk lied are left out; of very large fleets, as many as hold 50,000 rows."
    );

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        let view = self.view.borrow();
        let first = world.schedule().seed as usize;
        let mut rows = 0;
        for offset in 0..view.nodes.len() {
            let node = first.wrapping_add(offset) % view.nodes.len();
            self.decided += u64::from(verify(world, node).map_err(|broken| broken.at(world, self.name()))?);
            rows += view.nodes[node].len();
            if rows > ROWS_MAX {
                break;
            }
        }
        Ok(())
    }
}

/// A store whose sync failed is not used any more.
#[derive(Default)]
pub(super) struct FailedSyncIsFinal {
    decided: u64,
}

impl Check for FailedSyncIsFinal {
    about!(
        "failed-sync-is-final",
        "A store whose disk failed to sync is closed at once: what the disk holds is no longer known, and a second try \
         that succeeds says nothing of what the first one lost."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::SyncFailed { node, boot } = happened else { return Ok(()) };
        self.decided += 1;
        let state = &world.nodes()[*node];
        if !goes_on(*boot, state.store().map(|_| state.boots())) {
            return Ok(());
        }
        Err(Broken::new([*node], "its disk failed to sync, and it goes on").at(world, self.name()))
    }
}

/// Whether the life in which a sync failed still lasts.
fn goes_on(failed: u64, living: Option<u64>) -> bool {
    living == Some(failed)
}

/// Whether there was anything to verify.
fn verify(world: &World, node: NodeIndex) -> Result<bool, Broken> {
    let state = &world.nodes()[node];
    let may_be_damaged = [Excuse::BitsFlipped, Excuse::DiskLied, Excuse::Hostile];
    if may_be_damaged.iter().any(|excuse| state.excuses().contains(excuse)) {
        return Ok(false);
    }
    let Some(store) = state.store() else { return Ok(false) };
    // A fault of the disk that hits the reading is no fault of the file, and does not come twice.
    let Ok(report) = store.verify() else { return Ok(false) };
    if report.is_ok() {
        return Ok(true);
    }
    let Ok(again) = store.verify() else { return Ok(false) };
    faultless(node, &again.faults)?;
    Ok(true)
}

fn faultless(node: NodeIndex, faults: &[String]) -> Result<(), Broken> {
    let Some(first) = faults.first() else { return Ok(()) };
    let more = if faults.len() > 1 { format!(" (and {} more)", faults.len() - 1) } else { String::new() };
    Err(Broken::new([node], format!("its store does not verify: {first}{more}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_life_may_follow_a_failed_sync() {
        assert!(goes_on(2, Some(2)));
        assert!(!goes_on(2, None) && !goes_on(2, Some(3)));
    }

    #[test]
    fn a_fault_is_told_with_the_number_of_others() {
        assert!(faultless(0, &[]).is_ok());
        let broken = faultless(3, &["one".to_owned(), "two".to_owned()]).unwrap_err();
        assert_eq!((broken.nodes, broken.message.ends_with("one (and 1 more)")), (vec![3], true));
    }
}
