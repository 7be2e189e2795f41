//! Logs grow, and nothing else: rows stay, counters are dense, vectors do not fall.

use syncline_core::vector::VersionVector;

use super::content::is_torn;
use super::view::{Held, Reopened, Row, Shared, dot_text, short};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Happened, NodeIndex, World};

/// Rows of a log stay. It reads the logs for all checks, so it comes first.
pub(super) struct LogGrows {
    view: Shared,
    decided: u64,
}

impl LogGrows {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for LogGrows {
    about!(
        "log-grows",
        "Rows of a log stay: all of them after a kill, the durable ones after a power cut, unless the disk lied or \
         another file was put in its place."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let mut view = self.view.borrow_mut();
        view.follow(world, happened).map_err(|broken| broken.at(world, self.name()))?;
        let Some(reopened) = &view.news.reopened else { return Ok(()) };
        self.decided += u64::from(!reopened.mislaid);
        keeps(view.news.node, reopened).map_err(|broken| broken.at(world, self.name()))
    }
}

fn keeps(node: NodeIndex, reopened: &Reopened) -> Result<(), Broken> {
    let Reopened { kept, mislaid, must, .. } = *reopened;
    if mislaid || kept >= must {
        return Ok(());
    }
    let message = format!("{must} rows of its log had to be there when it was opened again, and {kept} are");
    Err(Broken::new([node], message))
}

/// Counters of a replica have no gaps, and the vector says exactly how far they go.
pub(super) struct DenseCounters {
    view: Shared,
    decided: u64,
}

impl DenseCounters {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for DenseCounters {
    about!(
        "dense-counters",
        "A store holds a replica's changes from 1 on without a gap and without repetition, in order, and its vector \
         says how many; retired replica ids are left out, and files that a lying disk or flipped bits tore."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let node = view.news.node;
        if view.news.rows.is_empty() || is_torn(world, node) {
            return Ok(());
        }
        self.decided += view.news.rows.len() as u64;
        is_dense(node, &view.nodes[node], &view.news.rows).map_err(|broken| broken.at(world, self.name()))
    }
}

fn is_dense(node: NodeIndex, held: &Held, rows: &[Row]) -> Result<(), Broken> {
    for row in rows {
        let Some(dot) = row.dot else { continue };
        let told = held.version.counter(dot.replica);
        if told == 0 {
            continue;
        }
        if dot.counter != row.turn {
            let message = format!("row {} of its log is {}, and the next was {}", row.seq, dot_text(dot), row.turn);
            return Err(Broken::new([node], message));
        }
        let rows = held.counter(dot.replica);
        if told != rows {
            let replica = short(&dot.replica.0);
            let message = format!("its vector says {told} for replica {replica}, and its log has {rows} rows of it");
            return Err(Broken::new([node], message));
        }
    }
    Ok(())
}

/// What a living node holds it keeps holding.
pub(super) struct VectorNeverFalls {
    view: Shared,
    decided: u64,
}

impl VectorNeverFalls {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for VectorNeverFalls {
    about!(
        "vector-never-falls",
        "While a node lives, no entry of its version vector falls or goes, unless the replica id is retired."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        let Some(before) = &view.news.version_before else { return Ok(()) };
        let node = view.news.node;
        if is_torn(world, node) {
            return Ok(());
        }
        self.decided += 1;
        does_not_fall(node, before, &view.nodes[node].version).map_err(|broken| broken.at(world, self.name()))
    }
}

fn does_not_fall(node: NodeIndex, before: &VersionVector, now: &VersionVector) -> Result<(), Broken> {
    for (replica, counter) in before.iter() {
        let is = now.counter(replica);
        if is > 0 && is < counter {
            let message = format!("its vector fell from {counter} to {is} for replica {}", short(&replica.0));
            return Err(Broken::new([node], message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    #[test]
    fn a_durable_row_that_is_gone_is_noticed_unless_the_file_is_another() {
        let reopened = |kept, mislaid| Reopened { kept, mislaid, must: 5, lost: Vec::new() };
        assert!(keeps(0, &reopened(4, false)).is_err());
        assert!(keeps(0, &reopened(5, false)).is_ok());
        assert!(keeps(0, &reopened(0, true)).is_ok());
    }

    #[test]
    fn a_gap_a_repetition_and_a_wrong_vector_are_noticed() {
        for counters in [&[1, 3][..], &[1, 1], &[2]] {
            let mut view = view(1);
            for (at, counter) in counters.iter().enumerate() {
                row(&mut view, 0, dot(1, *counter), at as u8);
            }
            assert!(is_dense(0, &view.nodes[0], &view.news.rows).is_err(), "{counters:?}");
        }
        let mut view = view(1);
        row(&mut view, 0, dot(1, 1), 1);
        row(&mut view, 0, dot(2, 1), 2);
        row(&mut view, 0, dot(1, 2), 3);
        assert!(is_dense(0, &view.nodes[0], &view.news.rows).is_ok());
        view.nodes[0].version.raise(replica(1), 3);
        assert!(is_dense(0, &view.nodes[0], &view.news.rows).is_err());
    }

    #[test]
    fn a_vector_that_falls_is_noticed_and_one_that_loses_a_retired_id_is_not() {
        let vector = |entries: &[(u8, u64)]| entries.iter().map(|(n, counter)| (replica(*n), *counter)).collect();
        let before: VersionVector = vector(&[(1, 4), (2, 2)]);
        assert!(does_not_fall(0, &before, &vector(&[(1, 3), (2, 2)])).is_err());
        assert!(does_not_fall(0, &before, &vector(&[(1, 4)])).is_ok());
    }
}
