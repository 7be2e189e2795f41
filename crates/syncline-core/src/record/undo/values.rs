//! Root keys: what would stand there without the undone edits, and the operations that bring it back.

use automerge::ScalarValue;
use automerge::legacy::{Op, OpType};
use syncline_schema::Merge;

use super::{Part, Told, Turn, op, put};
use crate::record::view;
use crate::state::{self, OpId, Visible, VisibleOp};

/// An operation at the key, with the place of its change.
struct AtKey<'a> {
    told: usize,
    id: OpId,
    op: &'a Op,
}

impl Turn<'_> {
    /// What would stand at a root key if only the edits that count had been made, ascending.
    ///
    /// A put removes all that its writer had before him, which is more than it names: what an undone
    /// edit had removed before it, too. A delete spares what it left standing on purpose.
    pub(super) fn target(&self, key: &str) -> Vec<VisibleOp> {
        let ops = self.ops_at(key);
        let mut standing: Vec<(usize, VisibleOp)> = Vec::new();
        for (number, at) in ops.iter().enumerate() {
            let told = &self.past[at.told];
            if told.part != Part::Edit {
                continue;
            }
            match &at.op.action {
                OpType::Put(value) => {
                    standing.retain(|(before, _)| !self.precedes(*before, at.told));
                    let value = Visible::Scalar(value.clone());
                    standing.push((at.told, VisibleOp { id: at.id.clone(), value, time: told.change.time() }));
                }
                OpType::Delete => {
                    let spared = self.spared(&ops[..number], at);
                    standing.retain(|(before, op)| !self.precedes(*before, at.told) || spared.spares(&op.id));
                }
                OpType::Increment(_) | OpType::Make(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => {}
            }
        }
        let mut standing: Vec<VisibleOp> = standing.into_iter().map(|(_, op)| op).collect();
        standing.sort_by(|a, b| a.id.cmp(&b.id));
        standing
    }

    fn ops_at(&self, key: &str) -> Vec<AtKey<'_>> {
        let mut found = Vec::new();
        for (told, Told { change, .. }) in self.past.iter().enumerate() {
            for (counter, op) in (change.start_op()..).zip(change.ops()) {
                if state::root_key(op) == Some(key) {
                    found.push(AtKey { told, id: OpId { counter, actor: change.actor().clone() }, op });
                }
            }
        }
        found
    }

    /// Whether one change was known to the writer of another, or is the same.
    fn precedes(&self, before: usize, after: usize) -> bool {
        let hash = |told: usize| self.past[told].change.hash();
        before == after || self.lineage.is_ancestor(&hash(before), &hash(after))
    }

    /// What a delete left standing although its writer had it before him.
    fn spared(&self, before: &[AtKey<'_>], delete: &AtKey<'_>) -> Spared {
        let known: Vec<&AtKey<'_>> = before.iter().filter(|at| self.precedes(at.told, delete.told)).collect();
        let names = |by: &Op, id: &OpId| by.pred.iter().any(|pred| pred.0 == id.counter && pred.1 == id.actor);
        let stood = known.iter().filter(|at| {
            let gone = known.iter().any(|by| !matches!(by.op.action, OpType::Increment(_)) && names(by.op, &at.id));
            matches!(at.op.action, OpType::Put(_)) && !gone && !names(delete.op, &at.id)
        });
        let mut spared = Spared { all: false, ids: Vec::new() };
        for at in stood {
            // A turn brought back what others wrote: it stands for any of them.
            spared.all |= self.past[at.told].part == Part::Turn;
            spared.ids.push(at.id.clone());
        }
        spared
    }
}

struct Spared {
    all: bool,
    ids: Vec<OpId>,
}

impl Spared {
    fn spares(&self, id: &OpId) -> bool {
        self.all || self.ids.contains(id)
    }
}

/// The operations that make a place of one value show its target. `settled` says that the edit left one of several
/// values there.
pub(super) fn steps(key: &str, now: &[VisibleOp], target: &[VisibleOp], rule: Merge, settled: bool) -> Vec<Op> {
    if says_the_same(now, target, rule) {
        return Vec::new();
    }
    let has = |ops: &[VisibleOp], id: &OpId| ops.iter().any(|op| op.id == *id);
    let mut going: Vec<&OpId> = now.iter().map(|op| &op.id).filter(|id| !has(target, id)).collect();
    let mut coming: Vec<&VisibleOp> = target.iter().filter(|op| !has(now, &op.id)).collect();
    let shows = view::shown(rule, target);
    let others_show = shows.filter(|op| has(now, &op.id) && matches!(rule, Merge::Winner | Merge::Latest));
    match others_show {
        // The others come back, and so that they do not show it is written again.
        Some(shown) if settled && going.is_empty() && !coming.is_empty() => {
            going.push(&shown.id);
            coming.push(shown);
        }
        // What comes back would be the newest, and show instead of what others wrote.
        Some(_) => coming.clear(),
        None => {}
    }
    if coming.is_empty() {
        return if going.is_empty() { Vec::new() } else { vec![op(key, OpType::Delete, going)] };
    }
    // The last one shows.
    coming.sort_by_key(|op| Some(&op.id) == shows.map(|op| &op.id));
    let mut going = Some(going);
    let values = coming.into_iter().filter_map(|op| op.value.scalar().cloned());
    values.map(|value: ScalarValue| put(key, value, &going.take().unwrap_or_default())).collect()
}

/// Whether the same values stand there, and the same one shows.
fn says_the_same(now: &[VisibleOp], target: &[VisibleOp], rule: Merge) -> bool {
    let within =
        |some: &[VisibleOp], all: &[VisibleOp]| some.iter().all(|op| all.iter().any(|other| other.value == op.value));
    let shown = |ops| view::shown(rule, ops).map(|op| &op.value);
    within(now, target) && within(target, now) && shown(now) == shown(target)
}
