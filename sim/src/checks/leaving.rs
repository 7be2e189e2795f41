//! Nothing leaves a device before it would survive a power cut there.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::ids::{Dot, ReplicaId};
use syncline_core::wire::{BatchContent, Message};

use super::view::{Shared, View, dot_text, short};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Excuse, Happened, NodeIndex, World};

/// What makes a device's word about its disk worthless.
const EXCUSES: [Excuse; 4] = [Excuse::DiskLied, Excuse::Restored, Excuse::Cloned, Excuse::BitsFlipped];

/// The numbers of messages that tell a position.
const BATCH: u8 = 7;
const COVERED: u8 = 9;

/// Own changes leave only when durable, and nobody holds what a power cut took from its writer.
pub(super) struct NothingLeaves {
    view: Shared,
    own: Own,
    lost: Lost,
    decided: u64,
}

impl NothingLeaves {
    pub(super) fn new(view: Shared) -> Self {
        Self { view, own: Own::default(), lost: Lost::default(), decided: 0 }
    }

    fn sent(&mut self, world: &World, node: NodeIndex, kind: u8, body: &[u8]) -> Result<(), Broken> {
        let Some(store) = world.nodes()[node].store() else { return Ok(()) };
        let durable = store.durable();
        if !matches!(kind, BATCH | COVERED) || store.committed() <= durable || is_excused(world, node) {
            return Ok(());
        }
        let message = Message::decode(kind, body);
        let told = match &message {
            Ok(Message::Batch(batch)) => batch.upto,
            Ok(Message::Covered(covered)) => covered.upto,
            Ok(_) | Err(_) => 0,
        };
        self.decided += 1;
        if told > durable {
            let message = format!("it told its position {told} while rows up to {durable} were durable");
            return Err(Broken::new([node], message));
        }
        let Some(Message::Batch(batch)) = message.ok().filter(|_| self.own.has_beyond(node, durable)) else {
            return Ok(());
        };
        let Ok(unpacked) = BatchContent::unpack(&batch) else { return Ok(()) };
        let content = unpacked.content;
        for row in &content.rows {
            let Some(listed) = content.replicas.get(row.replica as usize) else { continue };
            self.decided += 1;
            let dot = Dot { replica: listed.replica, counter: row.counter };
            if let Some(seq) = self.own.position(node, dot).filter(|seq| *seq > durable) {
                let message =
                    format!("it sent {}, row {seq} of its log, while rows up to {durable} were durable", dot_text(dot));
                return Err(Broken::new([node], message));
            }
        }
        Ok(())
    }
}

impl Check for NothingLeaves {
    about!(
        "nothing-leaves-before-durable",
        "No change of its own and no position of its log leaves a store before it is durable there: nobody ever holds a \
         change that a power cut took from its writer."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let found = match happened {
            Happened::Wrote { write: Some(write), .. } => {
                if let Some(replica) = write.replica {
                    self.own.add(write.node, replica, write.counters, write.seq);
                }
                Ok(())
            }
            Happened::Sent { node, kind, body, .. } => self.sent(world, *node, *kind, body),
            Happened::Opened { .. }
            | Happened::NotOpened { .. }
            | Happened::Closed { .. }
            | Happened::Died { .. }
            | Happened::Wrote { .. }
            | Happened::Committed { .. }
            | Happened::Durable { .. }
            | Happened::SyncFailed { .. }
            | Happened::Connected { .. }
            | Happened::Session { .. }
            | Happened::Disconnected { .. }
            | Happened::Healed => Ok(()),
        };
        found.map_err(|broken| broken.at(world, self.name()))?;
        let view = self.view.borrow();
        let node = view.news.node;
        if let Some(reopened) = &view.news.reopened
            && !reopened.mislaid
        {
            for replica in view.owned_by(node) {
                let issued = self.own.issued(node, replica);
                self.decided += u64::from(issued > 0);
                self.lost.reopened(replica, view.nodes[node].counter(replica), issued);
            }
            let is_excused = |replica| view.is_excused(world, replica, &EXCUSES);
            let late = self.lost.held_elsewhere(&view, is_excused);
            late.map_or(Ok(()), |broken| Err(broken.at(world, self.name())))?;
        }
        for row in &view.news.rows {
            let Some(dot) = row.dot else { continue };
            if self.lost.took(dot) && !view.is_excused(world, dot.replica, &EXCUSES) {
                let message =
                    format!("it got {}, which a power cut took from its writer: it had left too early", dot_text(dot));
                return Err(Broken::new([node], message).at(world, self.name()));
            }
        }
        Ok(())
    }
}

fn is_excused(world: &World, node: NodeIndex) -> bool {
    let had = world.nodes()[node].excuses();
    had.contains(&Excuse::Hostile) || EXCUSES.iter().any(|excuse| had.contains(excuse))
}

/// Where apps' own changes stand in their node's log.
#[derive(Default)]
struct Own {
    /// By a transaction's last counter: its first one, and the position after it.
    writes: BTreeMap<(NodeIndex, ReplicaId), BTreeMap<u64, (u64, u64)>>,
    newest: BTreeMap<NodeIndex, u64>,
}

impl Own {
    fn add(&mut self, node: NodeIndex, replica: ReplicaId, (first, last): (u64, u64), seq: u64) {
        self.writes.entry((node, replica)).or_default().insert(last, (first, seq));
        self.newest.insert(node, seq);
    }

    /// Whether the node's last write stands after a position.
    fn has_beyond(&self, node: NodeIndex, durable: u64) -> bool {
        self.newest.get(&node).is_some_and(|seq| *seq > durable)
    }

    /// Position after the transaction that made the change; `None` if the node's apps did not make it, as when
    /// somebody else wrote under the node's id.
    fn position(&self, node: NodeIndex, dot: Dot) -> Option<u64> {
        let writes = self.writes.get(&(node, dot.replica))?;
        let (_, (first, seq)) = writes.range(dot.counter..).next()?;
        (*first <= dot.counter).then_some(*seq)
    }

    fn issued(&self, node: NodeIndex, replica: ReplicaId) -> u64 {
        self.writes.get(&(node, replica)).and_then(|writes| writes.last_key_value()).map_or(0, |(last, _)| *last)
    }
}

/// What power cuts have taken from its writers: all counters above these.
#[derive(Default)]
struct Lost(BTreeMap<ReplicaId, u64>);

impl Lost {
    fn reopened(&mut self, replica: ReplicaId, kept: u64, issued: u64) {
        if kept < issued {
            let least = self.0.entry(replica).or_insert(kept);
            *least = kept.min(*least);
        }
    }

    fn took(&self, dot: Dot) -> bool {
        self.0.get(&dot.replica).is_some_and(|kept| dot.counter > *kept)
    }

    /// Somebody who holds what a power cut took from all that wrote under the id.
    fn held_elsewhere(&self, view: &View, is_excused: impl Fn(ReplicaId) -> bool) -> Option<Broken> {
        for (replica, kept) in self.0.iter().filter(|(replica, _)| !is_excused(**replica)) {
            let writers: BTreeSet<NodeIndex> = view.owners(*replica).collect();
            for (node, held) in view.nodes.iter().enumerate() {
                if !writers.contains(&node) && held.counter(*replica) > *kept {
                    let message = format!(
                        "it holds {} changes of replica {}, of which a power cut left {} its writer only {kept}",
                        held.counter(*replica),
                        short(&replica.0),
                        writers.first().map_or("?", |writer| view.name(*writer))
                    );
                    return Some(Broken::new([node].into_iter().chain(writers).collect::<Vec<_>>(), message));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{dot, replica, row, view};
    use super::*;

    #[test]
    fn a_change_that_survives_elsewhere_only_is_noticed() {
        let mut view = view(2);
        row(&mut view, 1, dot(1, 1), 1);
        row(&mut view, 1, dot(1, 2), 2);
        let mut lost = Lost::default();
        lost.reopened(replica(1), 2, 2);
        assert!(lost.held_elsewhere(&view, |_| false).is_none());
        lost.reopened(replica(1), 1, 2);
        assert!(lost.held_elsewhere(&view, |_| false).is_some());
        assert!(lost.held_elsewhere(&view, |_| true).is_none(), "a copy of its file was put in its place");
        assert!(lost.took(dot(1, 2)) && !lost.took(dot(1, 1)));
    }

    #[test]
    fn a_change_stands_where_its_transaction_ends() {
        let mut own = Own::default();
        own.add(0, replica(1), (3, 3), 10);
        own.add(0, replica(1), (4, 5), 14);
        own.add(0, replica(1), (7, 7), 20);
        assert_eq!(own.position(0, dot(1, 3)), Some(10));
        assert_eq!(own.position(0, dot(1, 4)), Some(14));
        assert_eq!(own.position(0, dot(1, 6)), None, "somebody else made it");
        assert!(own.has_beyond(0, 19) && !own.has_beyond(0, 20));
    }
}
