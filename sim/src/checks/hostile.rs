//! What hostile peers can do, and what they cannot.
//!
//! Changes are not signed: between equals, anybody can write anything that is well formed, also under another's id.
//! So nothing keeps a hostile peer from editing records, and from retiring a replica id by telling a second history
//! of it. What is promised: its lies reach the records and ids that it lies about, and no others; what breaks the
//! rules becomes part of nothing; and honest writers' own changes stay part of their records.

use std::collections::BTreeSet;

use syncline_core::ids::{Dot, RecordId};

use super::content::is_torn;
use super::view::{ChangeId, Shared, View, dot_text, short};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::Role;
use crate::world::{Excuse, Happened, NodeIndex, World};

/// Where two of one actor's changes may bear one number.
const TWINS: [Excuse; 3] = [Excuse::Cloned, Excuse::DiskLied, Excuse::BitsFlipped];

/// Only changes of hostile writers, or of twins, are refused.
pub(super) struct QuarantineOnlyForPoison {
    view: Shared,
    decided: u64,
}

impl QuarantineOnlyForPoison {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for QuarantineOnlyForPoison {
    about!(
        "quarantine-only-for-poison",
        "No honest writer's change is refused, unless a hostile peer lied about its record or its replica id, its file \
         lives twice, or a torn file gave it out."
    );

    fn after(&mut self, world: &World, _: &Happened<'_>) -> Result<(), Violation> {
        let view = self.view.borrow();
        self.decided += view.news.rows.len() as u64;
        for row in view.news.rows.iter().filter(|row| row.kind == "quarantined") {
            let Some(dot) = row.dot else { continue };
            judge(world, &view, view.news.node, dot, row.change).map_err(|broken| broken.at(world, self.name()))?;
        }
        Ok(())
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        let view = self.view.borrow();
        for (node, held) in view.nodes.iter().enumerate() {
            let state = &world.nodes()[node];
            let is_whole = state.is_honest() && !is_torn(world, node);
            let Some(store) = state.store().filter(|_| is_whole) else { continue };
            let Ok(status) = store.status() else { continue };
            self.decided += 1;
            for row in status.quarantined {
                let Some(place) = held.rows(row.seq - 1, row.seq).first() else { continue };
                let Some(dot) = place.dot else { continue };
                judge(world, &view, node, dot, place.change).map_err(|mut broken| {
                    broken.message = format!("{} ({})", broken.message, row.reason);
                    broken.at(world, self.name())
                })?;
            }
        }
        Ok(())
    }
}

fn judge(world: &World, view: &View, node: NodeIndex, dot: Dot, change: ChangeId) -> Result<(), Broken> {
    let record = view.changes.get(change).record;
    if is_torn(world, node)
        || view.is_doubtful(change)
        || view.is_excused(world, dot.replica, &TWINS)
        || lied_about(world, record)
    {
        return Ok(());
    }
    let message = format!("{} of record {} is refused, and its writer is honest", dot_text(dot), short(&record.0));
    Err(Broken::new([node], message))
}

fn lied_about(world: &World, record: RecordId) -> bool {
    world.nodes().iter().filter_map(|node| node.lies()).any(|lies| lies.records.contains(&record))
}

/// Whether an adversary is known to have made this change up: being well formed, it may be an edit like any other.
fn is_lie(world: &World, dot: Dot, change: (RecordId, [u8; 32])) -> bool {
    let mut lies = world.nodes().iter().filter_map(|node| node.lies());
    lies.any(|lies| lies.records.contains(&change.0) || lies.poison.contains(&change) || lies.poisoned.contains(&dot))
}

/// Lies stay where they were told.
pub(super) struct ChangesNothing {
    view: Shared,
    decided: u64,
}

impl ChangesNothing {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, decided: 0 }
    }
}

impl Check for ChangesNothing {
    about!(
        "hostile-changes-nothing",
        "Records that honest apps made hold only what apps wrote and what a hostile peer is known to have written into \
         them under its own id: nothing that it told of other records or under other ids gets into them."
    );

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        let view = self.view.borrow();
        if !view.has_hostile {
            return Ok(());
        }
        let honest = |node: NodeIndex| world.nodes()[node].is_honest();
        let made: BTreeSet<RecordId> =
            world.written().iter().filter(|write| honest(write.node)).map(|write| write.record).collect();
        let told: BTreeSet<Dot> = world
            .written()
            .iter()
            .filter(|write| !honest(write.node))
            .flat_map(|write| write.dots().collect::<Vec<_>>())
            .collect();
        for (node, held) in view.nodes.iter().enumerate() {
            let state = &world.nodes()[node];
            let Some(store) = state.store().filter(|_| state.role() == Role::Device) else { continue };
            if is_torn(world, node) || store.committed() != held.len() {
                continue;
            }
            let Ok(rows) = store.log_after(0) else { continue };
            for row in rows.iter().filter(|row| row.kind == "applied" && made.contains(&row.record)) {
                let Some(dot) = row.dot else { continue };
                let mut owners = view.owners(dot.replica).peekable();
                let is_honest = owners.peek().is_some() && owners.all(honest);
                self.decided += 1;
                if !is_honest && !told.contains(&dot) && !is_lie(world, dot, (row.record, row.hash)) {
                    let message = format!(
                        "{}, which no app wrote, is part of record {}, which an honest app made",
                        dot_text(dot),
                        short(&row.record.0)
                    );
                    return Err(Broken::new([node], message).at(world, self.name()));
                }
            }
        }
        Ok(())
    }
}
