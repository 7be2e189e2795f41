//! Rule G against Automerge: after every step of random histories the state equals that of a
//! document rebuilt from all changes, and locally built changes have the bytes that Automerge
//! would write. The same histories, run with a defect planted, must show it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use std::collections::BTreeSet;
use std::convert::Infallible;

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ScalarValue};
use merge_support::{
    KEYS, LIST, Rng, TEXT, Table, cases, genesis, make_both, object_edit, own_last, reference, root_edits,
};
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::edit::{Edits, ObjectKind, RootEdit};
use syncline_core::guard::{self, History};
use syncline_core::lineage::Lineage;
use syncline_core::state::{OpId, RecordState, Visible, VisibleOp, Writer};

/// A defect planted in a copy of rule G or in how changes are built.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    None,
    LosersDropped,
    MaxOpOfChange,
    TieByReversedActor,
    HeadsReplaced,
    HeadsKept,
    PutTakesAll,
    DeleteTakesAll,
    IncrementReachesAll,
    IncrementSparesOthers,
    IdsCountRootOpsOnly,
    MaxOpCountsRootOpsOnly,
    MakeIgnored,
    MixedChangeSkipped,
    SeqOfOthersForgotten,
    OwnLastForgotten,
    SameValueWritten,
    ConflictSettledByPut,
    ToggleByConstant,
}

const MUTANTS: [Mutant; 18] = [
    Mutant::LosersDropped,
    Mutant::MaxOpOfChange,
    Mutant::TieByReversedActor,
    Mutant::HeadsReplaced,
    Mutant::HeadsKept,
    Mutant::PutTakesAll,
    Mutant::DeleteTakesAll,
    Mutant::IncrementReachesAll,
    Mutant::IncrementSparesOthers,
    Mutant::IdsCountRootOpsOnly,
    Mutant::MaxOpCountsRootOpsOnly,
    Mutant::MakeIgnored,
    Mutant::MixedChangeSkipped,
    Mutant::SeqOfOthersForgotten,
    Mutant::OwnLastForgotten,
    Mutant::SameValueWritten,
    Mutant::ConflictSettledByPut,
    Mutant::ToggleByConstant,
];

/// What one history showed.
#[derive(Debug, Default)]
struct Seen {
    steps: u64,
    same_bytes: u64,
    conflicts: u64,
    through_history: u64,
}

#[test]
fn the_state_equals_a_rebuilt_document_after_every_step() {
    let mut seen = Seen::default();
    for seed in 0..cases(130) {
        history(seed, Mutant::None, &mut seen).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    println!("{seen:?}");
    assert!(seen.conflicts > 0 && seen.same_bytes > 0 && seen.through_history > 0, "{seen:?}");
}

#[test]
fn every_planted_defect_is_noticed() {
    for mutant in MUTANTS {
        let noticed = (0..400).find(|seed| {
            let run = || history(*seed, mutant, &mut Seen::default()).is_err();
            std::panic::catch_unwind(run).unwrap_or(true)
        });
        assert!(noticed.is_some(), "{mutant:?} goes unnoticed");
    }
}

struct Replica {
    actor: ActorId,
    changes: Vec<Change>,
    state: RecordState,
    lineage: Lineage,
    /// A live document, which may lag behind.
    document: Document,
    in_document: usize,
}

/// Counts how often the history is asked for.
struct Counted<'a>(&'a mut Lineage, u64);

impl History for Counted<'_> {
    type Error = Infallible;
    fn lineage(&mut self) -> Result<&mut Lineage, Infallible> {
        self.1 += 1;
        Ok(self.0)
    }
}

type Checked = Result<(), String>;

impl Replica {
    fn new(rng: &mut Rng) -> Self {
        Self {
            actor: rng.actor(),
            changes: Vec::new(),
            state: RecordState::default(),
            lineage: Lineage::default(),
            document: Document::default(),
            in_document: 0,
        }
    }

    fn holds(&self, hash: &ChangeHash) -> bool {
        self.lineage.contains(hash)
    }

    /// Takes a change as a store does: parse, guard, rule G.
    fn receive(&mut self, change: &Change, mutant: Mutant, seen: &mut Seen) -> Checked {
        let parsed = Change::parse(change.bytes()).map_err(|bad| format!("honest bytes refused: {bad}"))?;
        same(&parsed, change, "a parsed change")?;
        same(parsed.ops(), change.ops(), "the parsed operations").or_else(allow_nan(change))?;
        let mut history = Counted(&mut self.lineage, 0);
        let verdict = guard::check(&parsed, &self.state, &mut history);
        let loads = history.1;
        let needless = parsed.deps().iter().eq(&self.state.heads) && !parsed.touches_objects();
        if needless && loads > 0 {
            return Err("history loaded for a change that builds on everything held".into());
        }
        seen.through_history += loads;
        if mutant == Mutant::None {
            match verdict {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) => return Err(format!("honest change refused: {refusal}")),
            }
        }
        self.take(change, mutant)
    }

    fn take(&mut self, change: &Change, mutant: Mutant) -> Checked {
        self.lineage.insert(change).map_err(|missing| format!("missing {missing:?}"))?;
        self.changes.push(change.clone());
        match mutant {
            Mutant::None => self.state.apply(change),
            mutant => apply_mutant(&mut self.state, change, mutant, &self.actor),
        }
        Ok(())
    }

    fn catch_up(&mut self) {
        let behind = &self.changes[self.in_document..];
        self.document.apply_accepted(behind).expect("accepted changes apply");
        self.in_document = self.changes.len();
    }

    /// The state, its bytes, and the history against a document made from all changes.
    fn verify(&mut self, rng: &mut Rng, seen: &mut Seen) -> Checked {
        let (expected, rebuilt) = reference(&self.changes);
        same(&self.state, &expected, "the state")?;
        seen.conflicts += u64::from(self.state.keys.values().any(|ops| ops.len() > 1));
        let mut table = Table::default();
        let mut bytes = Vec::new();
        self.state.encode(&mut table, &mut bytes);
        let decoded = RecordState::decode(&bytes, &table).map_err(|error| error.to_string())?;
        same(&decoded, &self.state, "the decoded state")?;
        let heads: Vec<ChangeHash> = self.state.heads.iter().copied().collect();
        same(self.lineage.fold(&heads).expect("heads are held"), &expected, "the folded history")?;
        if rng.percent(20) {
            self.catch_up();
            same(&self.document.heads(), &rebuilt.heads(), "heads of the live document")?;
            same(&self.document.text(TEXT), &rebuilt.text(TEXT), "text of the live document")?;
            same(&self.document.list(LIST), &rebuilt.list(LIST), "list of the live document")?;
        }
        if rng.percent(20) {
            self.verify_branch(rng)?;
        }
        Ok(())
    }

    /// An old state from the history against a document of the same changes.
    fn verify_branch(&mut self, rng: &mut Rng) -> Checked {
        if self.changes.is_empty() {
            return Ok(());
        }
        let deps: Vec<ChangeHash> = (0..1 + rng.below(3)).map(|_| rng.pick(&self.changes).hash()).collect();
        let within: BTreeSet<ChangeHash> = self.lineage.closure(&deps).into_iter().collect();
        let (expected, _) = reference(self.changes.iter().filter(|change| within.contains(&change.hash())));
        for change in &self.changes {
            let hash = change.hash();
            let ancestor = deps.iter().any(|dep| *dep == hash || self.lineage.is_ancestor(&hash, dep));
            same(&within.contains(&hash), &ancestor, "closure and ancestors")?;
        }
        same(self.lineage.fold(&deps).expect("deps are held"), &expected, "a branch's state")
    }

    /// A change of root keys, built from the state, against the one that Automerge makes.
    fn edit_root(&mut self, rng: &mut Rng, time: i64, mutant: Mutant, seen: &mut Seen) -> Checked {
        let edits = root_edits(rng, &self.state, 4);
        let mut own = own_last(&self.changes, &self.actor);
        if mutant == Mutant::OwnLastForgotten {
            own = None;
        }
        let writer = Writer { actor: &self.actor, own_last: own };
        let mutated = mutate_edits(&self.state, &edits, mutant);
        let built = self.state.build(&mutated, &writer, time).map_err(|error| error.to_string())?;
        self.catch_up();
        if !edits.iter().any(|edit| matches!(edit, RootEdit::Force(..))) {
            let edits = Edits { root: edits, objects: Vec::new() };
            let mut document = self.document.clone();
            let made = document.edit(&edits, &genesis, &self.actor, time).map_err(|error| error.to_string())?;
            // The document counts on one of several counters in a change of its own.
            if made.as_ref().is_none_or(|edited| edited.changes.len() == 1) {
                same(&built, &made.map(|edited| edited.changes[0].clone()), "the built change")?;
                seen.same_bytes += 1;
            }
        }
        match built {
            Some(change) if rng.percent(30) => self.take(&self.counting_on_all(&change), mutant),
            Some(change) => self.take(&change, mutant),
            None => Ok(()),
        }
    }

    /// The change as Automerge itself makes it: its increments name all that stands at their keys.
    fn counting_on_all(&self, change: &Change) -> Change {
        let mut parts = change.expanded().clone();
        let mut written = BTreeSet::new();
        for op in &mut parts.operations {
            let Key::Map(key) = &op.key else { continue };
            if matches!(op.action, OpType::Increment(_)) && !written.contains(key) {
                let standing = self.state.visible(key).iter();
                op.pred = standing.map(|op| automerge::legacy::OpId(op.id.counter, op.id.actor.clone())).collect();
            }
            if !matches!(op.action, OpType::Increment(_)) {
                written.insert(key.clone());
            }
        }
        parts.hash = None;
        Change::from_expanded(parts)
    }

    /// A change of objects, and of root keys beside them, made by the document.
    fn edit_objects(&mut self, rng: &mut Rng, time: i64, mutant: Mutant) -> Checked {
        self.catch_up();
        let mut objects = vec![object_edit(rng, &self.document)];
        if rng.percent(20) {
            let (text, list) = (self.document.text_len(TEXT), self.document.list(LIST));
            objects.retain(|_| text.is_some() && list.is_some());
            objects.push(object_edit(rng, &self.document));
            objects.truncate(1);
        }
        let root = if rng.percent(50) { root_edits(rng, &self.state, 3) } else { Vec::new() };
        let edits = Edits { root, objects };
        let edited = self.document.edit(&edits, &genesis, &self.actor, time);
        let Some(edited) = edited.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        for change in edited.genesis.iter().chain(&edited.changes) {
            self.take(change, mutant)?;
        }
        self.in_document = self.changes.len();
        Ok(())
    }
}

/// Up to four replicas edit apart and exchange parts of what they have.
fn history(seed: u64, mutant: Mutant, seen: &mut Seen) -> Checked {
    let mut rng = Rng::new(seed);
    let mut replicas: Vec<Replica> = (0..2 + rng.below(3)).map(|_| Replica::new(&mut rng)).collect();
    if rng.percent(40) {
        let first = &mut replicas[0];
        let created = first.document.edit(&make_both(), &genesis, &first.actor, 5).unwrap().unwrap();
        first.take(&created.changes[0], mutant)?;
        first.in_document = 1;
        for replica in &mut replicas[1..] {
            replica.receive(&created.changes[0], mutant, seen)?;
        }
    }
    for step in 0..30 {
        let at = rng.below(replicas.len());
        let time = 1_000 + (step * 7 + rng.below(20)) as i64;
        match rng.below(10) {
            0..=4 => replicas[at].edit_root(&mut rng, time, mutant, seen)?,
            5 | 6 => replicas[at].edit_objects(&mut rng, time, mutant)?,
            _ => {
                let from = rng.below(replicas.len());
                let sent = replicas[from].changes.clone();
                let upto = rng.below(sent.len() + 1);
                for change in &sent[..upto] {
                    if !replicas[at].holds(&change.hash()) {
                        replicas[at].receive(change, mutant, seen)?;
                        seen.steps += 1;
                    }
                }
            }
        }
        if rng.percent(3) {
            replicas[at].actor = rng.actor();
        }
        seen.steps += 1;
        replicas[at].verify(&mut rng, seen)?;
    }
    converge(&mut rng, &mut replicas, mutant, seen)
}

/// All changes everywhere, in other orders.
fn converge(rng: &mut Rng, replicas: &mut [Replica], mutant: Mutant, seen: &mut Seen) -> Checked {
    let all: Vec<Change> = replicas.iter().flat_map(|replica| replica.changes.clone()).collect();
    for replica in &mut *replicas {
        loop {
            let ready =
                |change: &&Change| !replica.holds(&change.hash()) && change.deps().iter().all(|dep| replica.holds(dep));
            let waiting: Vec<&Change> = all.iter().filter(ready).collect();
            if waiting.is_empty() {
                break;
            }
            let change = *rng.pick(&waiting);
            replica.receive(change, mutant, seen)?;
        }
        replica.verify(rng, seen)?;
    }
    for replica in &replicas[1..] {
        same(&replica.state, &replicas[0].state, "the converged state")?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(found: &T, expected: &T, what: &str) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} differs:\n{found:#?}\nwhere Automerge has\n{expected:#?}"))
}

/// Operations are compared by value, by which NaN differs from itself; the bytes are the same.
fn allow_nan(change: &Change) -> impl FnOnce(String) -> Checked {
    let has_nan = change.ops().iter().any(|op| matches!(&op.action, OpType::Put(ScalarValue::F64(f)) if f.is_nan()));
    move |difference| if has_nan { Ok(()) } else { Err(difference) }
}

fn mutate_edits(state: &RecordState, edits: &[RootEdit], mutant: Mutant) -> Vec<RootEdit> {
    let one = |edit: &RootEdit| match (mutant, edit) {
        (Mutant::SameValueWritten, RootEdit::Put(key, value)) if state.visible(key).len() == 1 => {
            RootEdit::Force(key.clone(), value.clone())
        }
        (Mutant::ConflictSettledByPut, RootEdit::Put(key, value)) if state.visible(key).len() > 1 => {
            RootEdit::Force(key.clone(), value.clone())
        }
        (Mutant::ToggleByConstant, RootEdit::Toggle(key)) => RootEdit::Put(key.clone(), ScalarValue::Int(1)),
        _ => edit.clone(),
    };
    edits.iter().map(one).collect()
}

/// Rule G again, with a defect.
fn apply_mutant(state: &mut RecordState, change: &Change, mutant: Mutant, me: &ActorId) {
    let mut root_ops = 0;
    for (at, op) in change.ops().iter().enumerate() {
        let Key::Map(key) = &op.key else { continue };
        if op.obj != ObjectId::Root || (mutant == Mutant::MixedChangeSkipped && change.touches_objects()) {
            continue;
        }
        let offset = if mutant == Mutant::IdsCountRootOpsOnly { root_ops } else { at as u64 };
        root_ops += 1;
        let id = OpId { counter: change.start_op() + offset, actor: change.actor().clone() };
        let ops = state.keys.entry(key.to_string()).or_default();
        apply_op_mutant(ops, id, op, change.time(), mutant);
        if ops.is_empty() {
            state.keys.remove(key.as_str());
        }
    }
    match mutant {
        Mutant::HeadsReplaced => state.heads.clear(),
        Mutant::HeadsKept => {}
        _ => change.deps().iter().for_each(|dep| {
            state.heads.remove(dep);
        }),
    }
    state.heads.insert(change.hash());
    let last = match mutant {
        Mutant::MaxOpCountsRootOpsOnly => (change.start_op() + root_ops).saturating_sub(1),
        _ => change.max_op(),
    };
    state.max_op = if mutant == Mutant::MaxOpOfChange { last } else { state.max_op.max(last) };
    if mutant != Mutant::SeqOfOthersForgotten || change.actor() == me {
        let seq = state.seqs.entry(change.actor().clone()).or_default();
        *seq = (*seq).max(change.seq());
    }
    let time = change.time();
    if time != 0 {
        let (first, last) = state.times.unwrap_or((time, time));
        state.times = Some((first.min(change.time()), last.max(change.time())));
    }
}

fn apply_op_mutant(ops: &mut Vec<VisibleOp>, id: OpId, op: &Op, time: i64, mutant: Mutant) {
    let named = |other: &OpId| op.pred.iter().any(|pred| pred.0 == other.counter && pred.1 == other.actor);
    let value = match &op.action {
        OpType::Increment(by) => {
            ops.retain_mut(|other| {
                if mutant != Mutant::IncrementReachesAll && !named(&other.id) {
                    return true;
                }
                match other.value.counter() {
                    Some(now) => {
                        other.value = Visible::Scalar(ScalarValue::counter(now.wrapping_add(*by)));
                        true
                    }
                    None => mutant == Mutant::IncrementSparesOthers,
                }
            });
            return;
        }
        OpType::Make(_) if mutant == Mutant::MakeIgnored => return,
        OpType::Make(automerge::ObjType::Text) => Some(Visible::Object(ObjectKind::Text)),
        OpType::Make(_) => Some(Visible::Object(ObjectKind::List)),
        OpType::Put(value) => Some(Visible::Scalar(value.clone())),
        _ => None,
    };
    let takes_all = match op.action {
        OpType::Delete => mutant == Mutant::DeleteTakesAll,
        _ => mutant == Mutant::PutTakesAll,
    };
    ops.retain(|other| !takes_all && !named(&other.id));
    if let Some(value) = value {
        ops.push(VisibleOp { id, value, time });
    }
    ops.sort_by(|a, b| a.id.cmp(&b.id));
    if mutant == Mutant::TieByReversedActor {
        ops.sort_by(|a, b| a.id.counter.cmp(&b.id.counter).then(b.id.actor.cmp(&a.id.actor)));
    }
    if mutant == Mutant::LosersDropped && ops.len() > 1 {
        ops.drain(..ops.len() - 1);
    }
}

#[test]
fn keys_of_every_sort_take_part() {
    let mut rng = Rng::new(1);
    let mut keys = BTreeSet::new();
    for _ in 0..400 {
        keys.extend(root_edits(&mut rng, &RecordState::default(), 4).into_iter().map(|edit| match edit {
            RootEdit::Put(key, _) | RootEdit::Force(key, _) | RootEdit::Increment(key, _) => key,
            RootEdit::Toggle(key) | RootEdit::Delete(key) => key,
        }));
    }
    assert_eq!(keys.len(), KEYS.len());
}
