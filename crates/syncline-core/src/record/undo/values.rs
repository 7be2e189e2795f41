//! Root keys: what would stand there without the undone edits, and the operations that bring it back.

use std::collections::BTreeMap;

use automerge::ScalarValue;
use automerge::legacy::{Op, OpType};
use syncline_schema::Merge;

use super::{AtKey, Part, Turn, op, put};
use crate::record::{LIVE, view};
use crate::state::{OpId, Visible, VisibleOp};

impl Turn<'_> {
    /// What would stand at a root key if only the edits that count had been made, ascending.
    ///
    /// A put removes all that its writer had before him, which is more than it names: what an undone
    /// edit had removed before it, too. A delete spares what it left standing on purpose.
    pub(super) fn target(&self, key: &str) -> Vec<VisibleOp> {
        let ops = self.story.at_keys.get(key).map_or(&[][..], Vec::as_slice);
        let removals = Removals::of(ops);
        let counts = |told| if key == LIVE { self.part(told) == Part::Edit } else { self.counts(told) };
        let mut standing: Vec<(usize, VisibleOp)> = Vec::new();
        for (number, at) in ops.iter().enumerate() {
            if !counts(at.told) {
                continue;
            }
            match &at.op.action {
                OpType::Put(value) => {
                    standing.retain(|(before, _)| !self.story.precedes(*before, at.told));
                    let value = Visible::Scalar(value.clone());
                    let time = self.story.changes[at.told].time();
                    standing.push((at.told, VisibleOp { id: at.id.clone(), value, time }));
                }
                OpType::Delete => {
                    let spared = self.spared(&ops[..number], at, &removals);
                    standing.retain(|(before, op)| !self.story.precedes(*before, at.told) || spared.spares(&op.id));
                }
                OpType::Increment(_) | OpType::Make(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => {}
            }
        }
        let mut standing: Vec<VisibleOp> = standing.into_iter().map(|(_, op)| op).collect();
        standing.sort_by(|a, b| a.id.cmp(&b.id));
        standing
    }

    /// What a delete left standing although its writer had it before him.
    fn spared(&self, before: &[AtKey<'_>], delete: &AtKey<'_>, removals: &Removals<'_>) -> Spared {
        let is_known = |told: usize| self.story.precedes(told, delete.told);
        let stood = before.iter().filter(|at| {
            matches!(at.op.action, OpType::Put(_)) && is_known(at.told) && {
                let mut by = removals.of_op(&at.id).iter();
                !by.any(|(told, id)| **id == delete.id || is_known(*told))
            }
        });
        let mut spared = Spared { all: false, ids: Vec::new() };
        for at in stood {
            // A turn brought back what others wrote: it stands for any of them.
            spared.all |= self.part(at.told) == Part::Turn;
            spared.ids.push(at.id.clone());
        }
        spared
    }
}

/// Which operations removed which: for each removed one the changes that did, with their operations.
struct Removals<'a>(BTreeMap<OpId, Vec<(usize, &'a OpId)>>);

impl<'a> Removals<'a> {
    fn of(ops: &'a [AtKey<'a>]) -> Self {
        let mut removals: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for at in ops.iter().filter(|at| !matches!(at.op.action, OpType::Increment(_))) {
            for gone in at.op.pred.iter() {
                removals.entry(OpId { counter: gone.0, actor: gone.1.clone() }).or_default().push((at.told, &at.id));
            }
        }
        Self(removals)
    }

    fn of_op(&self, id: &OpId) -> &[(usize, &'a OpId)] {
        self.0.get(id).map_or(&[], Vec::as_slice)
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
    let newest_stays = now.last().is_some_and(|newest| !going.contains(&&newest.id));
    if let Some(shown) = shows.filter(|_| coming.is_empty() && !newest_stays) {
        // Only what is older than something that stays may go for nothing.
        going.push(&shown.id);
        coming.push(shown);
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
