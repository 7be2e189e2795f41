//! Hostile changes through parse, guard and sandbox: random byte edits with a right checksum, and
//! mutants of decoded changes, operations inside objects included. Mutants that are accepted stay
//! in the history, so that later ones meet hostile ground.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use automerge::legacy::{self, ElementId, Key, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use merge_support::{
    KEYS, LIST, Rng, TEXT, cases, genesis, make_both, mark_edit, object_edit, own_last, root_edits, scalar, state_of,
};
use syncline_core::change::Change;
use syncline_core::document::{Budget, Document, Rejected};
use syncline_core::edit::Edits;
use syncline_core::guard::{self, Refusal};
use syncline_core::lineage::Lineage;
use syncline_core::rich::{Span, plain_text};
use syncline_core::state::{RecordState, Writer};

/// What a record went through, and what it is.
#[derive(Clone, Default)]
struct Record {
    changes: Vec<Change>,
    state: RecordState,
    lineage: Lineage,
    document: Document,
}

#[derive(Debug, Default)]
struct Tally {
    honest: u64,
    unreadable: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    accepted: u64,
    accepted_in_objects: u64,
    /// Accepted without the sandbox's proof; the test proves them.
    accepted_typing: u64,
    accepted_marks: u64,
    kept: u64,
    without_guard: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Record {
    fn check(&mut self, change: &Change) -> Result<(), Refusal> {
        let Ok(verdict) = guard::check(change, &self.state, &mut self.lineage);
        verdict
    }

    /// Merges an accepted change; the text says what went wrong.
    fn merge(&mut self, change: &Change) -> Result<(), String> {
        let sandboxed = self.document.try_apply(&[change], &Budget::default());
        if let Some((_, why)) = sandboxed.rejected.first() {
            return Err(format!("the sandbox rejects what the guard accepts: {why}"));
        }
        self.document = sandboxed.document;
        self.state.apply(change);
        self.lineage.insert(change).map_err(|missing| format!("missing {missing:?}"))?;
        self.changes.push(change.clone());
        Ok(())
    }

    fn at(changes: Vec<Change>) -> Self {
        let mut record = Self { lineage: Lineage::of(&changes).unwrap(), ..Self::default() };
        changes.iter().for_each(|change| record.state.apply(change));
        record.document = Document::rebuild(&changes).unwrap();
        record.changes = changes;
        record
    }

    /// The record as someone saw it who had only these changes and what they build on.
    fn cut(&self, deps: &[ChangeHash]) -> Self {
        let within: BTreeSet<ChangeHash> = self.lineage.closure(deps).into_iter().collect();
        let held = |change: &&Change| within.contains(&change.hash());
        Self::at(self.changes.iter().filter(held).cloned().collect())
    }

    fn heads(&self) -> Vec<ChangeHash> {
        self.state.heads.iter().copied().collect()
    }
}

/// Histories in the default run.
const EPISODES: u64 = 150;

#[test]
fn hostile_changes_neither_panic_nor_poison_nor_divide() {
    quiet_panics();
    let mut tally = Tally::default();
    for seed in 0..cases(EPISODES) {
        episode(seed, Aim::Anything, &mut tally).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    println!("{tally:#?}");
    assert!(tally.honest > 0 && tally.accepted > 0 && tally.accepted_in_objects > 0 && tally.kept > 0);
    assert!(tally.accepted_typing * 4 > tally.accepted_in_objects, "hardly any typing: {}", tally.accepted_typing);
    assert!(tally.accepted_marks > 0, "{tally:#?}");
    assert!(tally.refused.len() >= 12, "the mutants hardly try: {:#?}", tally.refused);
}

#[test]
fn hostile_marks_neither_panic_nor_poison_nor_divide() {
    quiet_panics();
    let mut tally = Tally::default();
    for seed in 0..cases(60) {
        episode(seed, Aim::Marks, &mut tally).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    println!("{tally:#?}");
    let refused = |name: &str| tally.refused.get(name).is_some_and(|count| *count > 10);
    assert!(refused("UnpairedMark") && refused("MarkOrder") && refused("BadMark"), "{:#?}", tally.refused);
    assert!(tally.honest > 100 && tally.accepted_marks > 100, "the mutants hardly try: {tally:#?}");
}

/// What an episode is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Anything,
    Marks,
}

/// A history that grows by honest changes and by mutants that were accepted.
fn episode(seed: u64, aim: Aim, tally: &mut Tally) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mut record = Record::default();
    let mut actors: Vec<ActorId> = (0..2 + rng.below(4)).map(|_| rng.actor()).collect();
    if rng.percent(50) || aim == Aim::Marks {
        let edited = Document::default().edit(&make_both(), &genesis, &actors[0], 5).unwrap().unwrap();
        record.merge(&edited.changes[0])?;
    }
    let longest = 8 + rng.below(22);
    for _ in 0..90 {
        if record.changes.len() >= longest {
            break;
        }
        let Some(honest) = honest_change(&mut rng, aim, &mut record, &mut actors)? else {
            continue;
        };
        if rng.percent(15) {
            tally.honest += 1;
            accept_honest(&mut rng, &mut record, &honest)?;
            continue;
        }
        let Some(bytes) = hostile_bytes(&mut rng, aim, &record, &honest) else {
            continue;
        };
        judge(&mut rng, &mut record, &bytes, tally)?;
    }
    Ok(())
}

fn judge(rng: &mut Rng, record: &mut Record, bytes: &[u8], tally: &mut Tally) -> Result<(), String> {
    let change = match expecting_panics(|| Change::parse(bytes)) {
        Ok(change) => change,
        Err(bad) => {
            *tally.unreadable.entry(name_of(&bad)).or_default() += 1;
            return Ok(());
        }
    };
    if let Err(refusal) = record.check(&change) {
        *tally.refused.entry(name_of(&refusal)).or_default() += 1;
        // Typing is not for the sandbox without the guard. Nor is anything in long runs: one in many thousand such
        // changes makes Automerge panic while it cleans up after a panic, and that nobody can catch.
        if rng.percent(25) && !change.is_typing() && !aborts(&change) && cases(EPISODES) == EPISODES {
            sandbox_alone(rng, record, &change, &refusal, tally)?;
        }
        return Ok(());
    }
    tally.accepted += 1;
    tally.accepted_in_objects += u64::from(change.touches_objects());
    tally.accepted_typing += u64::from(change.touches_objects() && change.is_typing());
    tally.accepted_marks += u64::from(change.ops().iter().any(|op| matches!(op.action, OpType::MarkBegin(_))));
    let mut after = record.clone();
    let told = |what: String| format!("{what}\nafter {change:#?}\nin {:#?}", record.state);
    expecting_panics(|| after.merge(&change)).map_err(told)?;
    prove(rng, &mut after).map_err(told)?;
    if rng.percent(17) {
        other_orders(rng, &after).map_err(told)?;
    }
    if rng.percent(45) && change.max_op() < 1_000_000 {
        *record = after;
        tally.kept += 1;
    }
    Ok(())
}

/// The first words of an error's debug form.
fn name_of(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// What the guard refuses, straight to the sandbox: whatever becomes of it, no panic gets out and
/// the document that comes back can be saved and loaded. The tally says what each refusal
/// prevents.
fn sandbox_alone(
    rng: &mut Rng,
    record: &Record,
    change: &Change,
    refusal: &Refusal,
    tally: &mut Tally,
) -> Result<(), String> {
    let result = expecting_panics(|| record.document.try_apply(&[change], &Budget::default()));
    let saved = result.document.save();
    let saved = saved.map_err(|error| format!("the sandbox let poison through: {error}"))?;
    Document::load(&saved).map_err(|error| error.to_string())?;
    let outcome = match result.rejected.first() {
        Some((_, Rejected::Breaks(why))) => name_of(why),
        Some((_, why)) => name_of(why),
        None => without_the_guard(rng, record, change).to_owned(),
    };
    let refused = tally.without_guard.entry(name_of(refusal)).or_default();
    *refused.entry(outcome).or_default() += 1;
    Ok(())
}

/// The end of a mark as the very first operation names operation 0 as its beginning. With debug assertions
/// Automerge then panics in a destructor while it panics, which ends the process: here only the guard helps.
fn aborts(change: &Change) -> bool {
    change.start_op() == 1 && matches!(change.ops()[0].action, OpType::MarkEnd(_))
}

/// What a change would have done that only the guard stopped.
fn without_the_guard(rng: &mut Rng, record: &Record, change: &Change) -> &'static str {
    let mut after = record.clone();
    let outcome = expecting_panics(|| {
        catch_unwind(AssertUnwindSafe(|| after.merge(change).and_then(|()| prove(rng, &mut after))))
    });
    match outcome {
        Ok(Ok(())) => "nothing seen",
        Ok(Err(_)) => "state or content differs",
        Err(_) => "panics later",
    }
}

/// An honest writer's next change on some causal cut.
fn honest_change(
    rng: &mut Rng,
    aim: Aim,
    record: &mut Record,
    actors: &mut Vec<ActorId>,
) -> Result<Option<Change>, String> {
    let heads = record.heads();
    let mut seen = if heads.is_empty() || rng.percent(50) {
        record.clone()
    } else {
        let deps: Vec<ChangeHash> = (0..1 + rng.below(3)).map(|_| rng.pick(&record.changes).hash()).collect();
        record.cut(&deps)
    };
    let whole_own = |actor: &&ActorId| seen.state.seqs.get(*actor) == record.state.seqs.get(*actor);
    let free: Vec<ActorId> = actors.iter().filter(whole_own).cloned().collect();
    let actor = if free.is_empty() {
        actors.push(rng.actor());
        actors[actors.len() - 1].clone()
    } else {
        rng.pick(&free).clone()
    };
    let time = rng.below(100_000) as i64;
    if rng.percent(if aim == Aim::Marks { 5 } else { 45 }) {
        let edits = root_edits(rng, &seen.state, 4);
        let writer = Writer { actor: &actor, own_last: own_last(&seen.changes, &actor) };
        return seen.state.build(&edits, &writer, time).map_err(|error| error.to_string());
    }
    let marks = aim == Aim::Marks && rng.percent(60);
    let edit = if marks { mark_edit(rng, &seen.document) } else { object_edit(rng, &seen.document) };
    let objects = vec![edit];
    let root = if rng.percent(40) { root_edits(rng, &seen.state, 2) } else { Vec::new() };
    let edits = Edits { root, objects };
    let Ok(edited) = seen.document.edit(&edits, &genesis, &actor, time) else {
        // A mutant left something where the text or list belongs.
        return Ok(None);
    };
    let Some(edited) = edited else {
        return Ok(None);
    };
    for change in &edited.genesis {
        if !record.lineage.contains(&change.hash()) {
            let Ok(()) = record.check(change) else {
                return Ok(None);
            };
            record.merge(change)?;
        }
    }
    Ok(edited.changes.first().cloned())
}

fn accept_honest(rng: &mut Rng, record: &mut Record, change: &Change) -> Result<(), String> {
    let parsed = Change::parse(change.bytes()).map_err(|bad| format!("honest bytes refused: {bad}"))?;
    match record.check(&parsed) {
        Ok(()) => {}
        // A mutant may have taken an actor's next number: two histories under one actor.
        Err(Refusal::Forked(_) | Refusal::Held) => return Ok(()),
        Err(refusal) => return Err(format!("honest change refused: {refusal}\n{change:#?}")),
    }
    record.merge(&parsed)?;
    if rng.percent(30) { prove(rng, record) } else { Ok(()) }
}

/// State equals document, also after a save and a load, every change survives, and life goes on.
fn prove(rng: &mut Rng, record: &mut Record) -> Result<(), String> {
    let all: Vec<&Change> = record.changes.iter().collect();
    same_state(&record.state, &state_of(record.document.as_automerge(), &all))?;
    let saved = record.document.save().map_err(|error| error.to_string())?;
    let loaded = Document::load(&saved).map_err(|error| error.to_string())?;
    same_state(&record.state, &state_of(loaded.as_automerge(), &all))?;
    Document::load(&record.document.export()).map_err(|error| format!("the export does not load: {error}"))?;
    let kept: BTreeMap<ChangeHash, Vec<u8>> = loaded
        .as_automerge()
        .get_changes(&[])
        .into_iter()
        .map(|change| (change.hash(), change.raw_bytes().to_vec()))
        .collect();
    if kept.len() != all.len()
        || all.iter().any(|change| kept.get(&change.hash()).map(Vec::as_slice) != Some(change.bytes()))
    {
        return Err("changes are lost or altered by a save and a load".into());
    }
    if shows(&loaded) != shows(&record.document) {
        return Err("a loaded document shows other content".into());
    }
    follow_up(rng, record, loaded)
}

/// A next edit, by rule G and by the document.
fn follow_up(rng: &mut Rng, record: &Record, loaded: Document) -> Result<(), String> {
    let actor = rng.actor();
    let root = root_edits(rng, &record.state, 3);
    let mut document = if rng.percent(50) { loaded } else { record.document.clone() };
    let edits = Edits { root, objects: Vec::new() };
    let writer = Writer { actor: &actor, own_last: None };
    let built = record.state.build(&edits.root, &writer, 77).map_err(|error| error.to_string())?;
    let made = document.edit(&edits, &genesis, &actor, 77).map_err(|error| error.to_string())?;
    let forced = edits.root.iter().any(|edit| matches!(edit, syncline_core::edit::RootEdit::Force(..)));
    // The document counts on one of several counters in a change of its own.
    let apart = made.as_ref().is_some_and(|edited| edited.changes.len() > 1);
    let made = made.map(|edited| edited.changes[0].clone());
    if !forced && !apart && built != made {
        return Err(format!("the next change differs: {built:#?} where Automerge makes {made:#?}"));
    }
    let edit = object_edit(rng, &document);
    let edits = Edits { root: Vec::new(), objects: vec![edit] };
    if let Ok(Some(edited)) = document.edit(&edits, &genesis, &actor, 78) {
        for change in &edited.changes {
            Change::parse(change.bytes()).map_err(|bad| format!("an edit on hostile ground is refused: {bad}"))?;
        }
    }
    document.save().map(|_| ()).map_err(|error| format!("after the next edit: {error}"))
}

/// The same changes in another causal order one by one, and in a shuffled batch.
fn other_orders(rng: &mut Rng, record: &Record) -> Result<(), String> {
    let mut waiting = record.changes.clone();
    let mut other = Record::default();
    while !waiting.is_empty() {
        let at = rng.below(waiting.len());
        let change = waiting.swap_remove(at);
        match other.check(&change) {
            Ok(()) => other.merge(&change).map_err(|what| format!("in another order: {what}"))?,
            Err(Refusal::MissingDeps(_)) => waiting.push(change),
            Err(refusal) => {
                return Err(format!("refused in another order: {refusal}\n{change:#?}"));
            }
        }
    }
    same_state(&other.state, &record.state)?;
    if shows(&other.document) != shows(&record.document) {
        return Err("another order shows other content".into());
    }
    let mut shuffled = record.changes.clone();
    for at in (1..shuffled.len()).rev() {
        shuffled.swap(at, rng.below(at + 1));
    }
    let batch = Document::rebuild(&shuffled).map_err(|error| format!("as one batch: {error}"))?;
    if shows(&batch) != shows(&record.document) {
        return Err("one batch shows other content".into());
    }
    Ok(())
}

type Shown = (Option<String>, Option<Vec<Span>>, Option<Vec<serde_json::Value>>, Vec<ChangeHash>);

/// All that a document shows of its objects, which must agree with itself.
fn shows(document: &Document) -> Shown {
    let (text, spans) = (document.text(TEXT), document.spans(TEXT).unwrap());
    assert_eq!(spans.as_deref().map(plain_text), text, "spans are the text");
    (text, spans, document.list(LIST), document.heads())
}

fn same_state(found: &RecordState, expected: &RecordState) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("the state differs:\n{found:#?}\nwhere Automerge has\n{expected:#?}"))
}

fn hostile_bytes(rng: &mut Rng, aim: Aim, record: &Record, honest: &Change) -> Option<Vec<u8>> {
    if rng.percent(20) {
        return Some(edit_bytes(rng, honest.bytes()));
    }
    let mut expanded = honest.expanded().clone();
    expanded.hash = None;
    for _ in 0..1 + rng.below(3) {
        if aim == Aim::Marks && rng.percent(65) {
            let at = rng.below(expanded.operations.len() + 1);
            mutate_mark(rng, record, &mut expanded, at);
        } else {
            mutate(rng, record, &mut expanded);
        }
    }
    repair(rng, record, &mut expanded);
    let bytes = expecting_panics(|| {
        catch_unwind(AssertUnwindSafe(|| automerge::Change::from(expanded).raw_bytes().to_vec())).ok()
    })?;
    (bytes != honest.bytes()).then_some(bytes)
}

/// One to three edits of the body, with a checksum to match: a peer can compute it too.
fn edit_bytes(rng: &mut Rng, chunk: &[u8]) -> Vec<u8> {
    let mut start = 9;
    while chunk[start] & 0x80 != 0 {
        start += 1;
    }
    let mut body = chunk[start + 1..].to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(body.len());
        match rng.below(4) {
            0 => body[at] = rng.next() as u8,
            1 => body[at] ^= 1 << rng.below(8),
            2 if body.len() > 1 => {
                body.remove(at);
            }
            _ => body.insert(at, rng.below(6) as u8),
        }
    }
    rechunk(&body)
}

/// A change chunk around a body, with its checksum.
fn rechunk(body: &[u8]) -> Vec<u8> {
    let mut after_sum = vec![1_u8];
    let mut len = body.len();
    while len >= 0x80 {
        after_sum.push(len as u8 | 0x80);
        len >>= 7;
    }
    after_sum.push(len as u8);
    after_sum.extend_from_slice(body);
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83];
    // The checksum begins the hash, which Automerge computes when it reads a change.
    let mut unsummed = chunk.clone();
    unsummed.extend([0; 4]);
    unsummed.extend_from_slice(&after_sum);
    let hash =
        expecting_panics(|| catch_unwind(|| automerge::Change::from_bytes(unsummed).ok().map(|change| change.hash())));
    chunk.extend(hash.ok().flatten().map_or([0; 4], |hash| [hash.0[0], hash.0[1], hash.0[2], hash.0[3]]));
    chunk.extend(after_sum);
    chunk
}

/// Makes the frame right again, so that deeper conditions are reached.
fn repair(rng: &mut Rng, record: &Record, change: &mut ExpandedChange) {
    let Some(past) = record.lineage.past(&change.deps) else {
        return;
    };
    if rng.percent(75) {
        let (old, new) = (change.start_op.get(), past.max_op + 1);
        let own = change.actor_id.clone();
        let last = old.saturating_add(change.operations.len() as u64);
        let moved = |id: &legacy::OpId| match id {
            legacy::OpId(counter, actor) if *actor == own && (old..last).contains(counter) => {
                legacy::OpId(new + (counter - old), own.clone())
            }
            other => other.clone(),
        };
        for op in &mut change.operations {
            op.pred = op.pred.iter().map(moved).collect();
            if let ObjectId::Id(id) = &op.obj {
                op.obj = ObjectId::Id(moved(id));
            }
            if let Key::Seq(ElementId::Id(id)) = &op.key {
                op.key = Key::Seq(ElementId::Id(moved(id)));
            }
        }
        change.start_op = NonZeroU64::new(new).unwrap();
    }
    if rng.percent(80) {
        change.seq = record.state.seqs.get(&change.actor_id).copied().unwrap_or(0) + 1;
    }
}

/// Every operation of the record and of this change: its name and what it is.
fn known_ops<'a>(record: &'a Record, change: &'a ExpandedChange) -> Vec<(legacy::OpId, &'a Op)> {
    let held = record.changes.iter().flat_map(|held| {
        let names = (held.start_op()..).map(|counter| legacy::OpId(counter, held.actor().clone()));
        names.zip(held.ops())
    });
    let start = change.start_op.get();
    let names = (0..).map(|at| legacy::OpId(start.wrapping_add(at), change.actor_id.clone()));
    held.chain(names.zip(&change.operations)).collect()
}

fn some_id(rng: &mut Rng, record: &Record, change: &ExpandedChange, like: impl Fn(&Op) -> bool) -> legacy::OpId {
    let known = known_ops(record, change);
    let alike: Vec<&(legacy::OpId, &Op)> = known.iter().filter(|(_, op)| like(op)).collect();
    match rng.below(20) {
        0 => legacy::OpId(huge(rng), rng.actor()),
        1 => legacy::OpId(huge(rng), change.actor_id.clone()),
        2 => legacy::OpId(change.start_op.get().wrapping_add(rng.below(4) as u64), change.actor_id.clone()),
        3 | 4 => rng.pick(&known).0.clone(),
        _ if alike.is_empty() => rng.pick(&known).0.clone(),
        _ => rng.pick(&alike).0.clone(),
    }
}

fn huge(rng: &mut Rng) -> u64 {
    match rng.below(7) {
        0 => 0,
        1 => u64::from(u32::MAX) - 1,
        2 => u64::from(u32::MAX),
        3 => 1 << 32,
        4 => i64::MAX as u64,
        5 => u64::MAX,
        _ => rng.below(60) as u64,
    }
}

fn mutate(rng: &mut Rng, record: &Record, change: &mut ExpandedChange) {
    if change.operations.is_empty() {
        return;
    }
    let at = rng.below(change.operations.len());
    match rng.below(20) {
        0..=2 => mutate_preds(rng, record, change, at),
        3 => mutate_key(rng, record, change, at),
        4 | 5 => {
            let op = rng.pick(&change.operations).clone();
            let to = rng.below(change.operations.len() + 1);
            change.operations.insert(to, op);
        }
        6 if rng.percent(50) => change.operations[at].action = some_action(rng),
        6 => mutate_mark(rng, record, change, at),
        7 => mutate_frame(rng, record, change),
        8 => mutate_deps(rng, record, change),
        9 => {
            let with = rng.below(change.operations.len());
            change.operations.swap(at, with);
        }
        10 => mutate_rest(rng, change),
        11 | 12 => {
            let obj = some_id(rng, record, change, |op| matches!(op.action, OpType::Make(_)));
            change.operations[at].obj = if rng.percent(15) { ObjectId::Root } else { ObjectId::Id(obj) };
        }
        13 | 14 => {
            let element = some_id(rng, record, change, |op| op.insert);
            change.operations[at].key =
                Key::Seq(if rng.percent(15) { ElementId::Head } else { ElementId::Id(element) });
        }
        15 => change.operations[at].insert = !change.operations[at].insert,
        16..=18 => {
            let op = object_op(rng, record, change);
            let to = rng.below(change.operations.len() + 1);
            change.operations.insert(to, op);
        }
        _ => {
            let twin = record.changes.get(rng.below(record.changes.len() + 1));
            if let Some(twin) = twin {
                change.actor_id = twin.actor().clone();
                change.seq = twin.seq();
                if rng.percent(50) {
                    change.deps = twin.deps().to_vec();
                    change.start_op = NonZeroU64::new(twin.start_op()).unwrap();
                }
            }
        }
    }
}

/// What is particular to marks: their two halves, their places, names and values.
fn mutate_mark(rng: &mut Rng, record: &Record, change: &mut ExpandedChange, at: usize) {
    let is_mark = |op: &Op| matches!(op.action, OpType::MarkBegin(_) | OpType::MarkEnd(_));
    let marks: Vec<usize> = (0..change.operations.len()).filter(|at| is_mark(&change.operations[*at])).collect();
    let end = |op: &Op, expand| Op { action: OpType::MarkEnd(expand), ..op.clone() };
    if marks.is_empty() {
        // A whole mark, somewhere in some object.
        let begin =
            Op { action: some_mark(rng), insert: true, pred: Vec::new().into(), ..object_op(rng, record, change) };
        let mut other = end(&begin, rng.percent(50));
        if rng.percent(60) {
            let within = begin.obj.clone();
            other.key = Key::Seq(ElementId::Id(some_id(rng, record, change, |op| op.insert && op.obj == within)));
        }
        change.operations.splice(at..at, [begin, other]);
        return;
    }
    let at = *rng.pick(&marks);
    match rng.below(8) {
        0 => {
            change.operations.remove(at);
        }
        1 if at + 1 < change.operations.len() => change.operations.swap(at, at + 1),
        2 => change.operations[at].action = some_mark(rng),
        3 => {
            let op = end(&change.operations[at], rng.percent(50));
            change.operations.insert(at + 1, op);
        }
        4 => {
            let other = change.operations[*rng.pick(&marks)].key.clone();
            change.operations[at].key = other;
        }
        5 => {
            let between = Op { action: OpType::Put("c".into()), ..change.operations[at].clone() };
            change.operations.insert(at + rng.below(2), between);
        }
        6 => change.operations[at].action = OpType::MarkEnd(rng.percent(50)),
        _ => {
            let element = some_id(rng, record, change, |op| op.insert);
            change.operations[at].key =
                Key::Seq(if rng.percent(25) { ElementId::Head } else { ElementId::Id(element) });
        }
    }
}

fn some_mark(rng: &mut Rng) -> OpType {
    let long = "n".repeat(200);
    let name = *rng.pick(&["bold", "link", "bold", "", "a\nb", long.as_str()]);
    let value = match rng.below(8) {
        0 => ScalarValue::Null,
        1 => scalar(rng),
        2 => "v".repeat(20_000).as_str().into(),
        _ => ScalarValue::Boolean(true),
    };
    OpType::MarkBegin(legacy::MarkData { name: name.into(), value, expand: rng.percent(50) })
}

fn mutate_preds(rng: &mut Rng, record: &Record, change: &mut ExpandedChange, at: usize) {
    let mut preds: Vec<legacy::OpId> = change.operations[at].pred.iter().cloned().collect();
    let op = change.operations[at].clone();
    let same_place = |other: &Op| other.obj == op.obj && other.key == op.key;
    match rng.below(4) {
        0 => preds.push(some_id(rng, record, change, same_place)),
        1 if !preds.is_empty() => {
            preds.remove(rng.below(preds.len()));
        }
        2 if !preds.is_empty() => preds.push(rng.pick(&preds).clone()),
        _ => preds = (0..rng.below(4)).map(|_| some_id(rng, record, change, same_place)).collect(),
    }
    change.operations[at].pred = preds.into();
}

fn mutate_key(rng: &mut Rng, record: &Record, change: &mut ExpandedChange, at: usize) {
    let keys = ["title", "", "body", "items", "zz", "k\0x", "Title", "street"];
    change.operations[at].key = match rng.below(10) {
        0 => Key::Map("L".repeat(300).as_str().into()),
        1 => Key::Seq(ElementId::Id(some_id(rng, record, change, |op| op.insert))),
        2 => Key::Map((*rng.pick(&KEYS)).into()),
        _ => Key::Map((*rng.pick(&keys)).into()),
    };
}

fn some_action(rng: &mut Rng) -> OpType {
    match rng.below(16) {
        0..=2 => OpType::Delete,
        3 => OpType::Increment(*rng.pick(&[0, 1, -3, i64::MAX, i64::MIN])),
        4 => OpType::Make(ObjType::Text),
        5 => OpType::Make(ObjType::Map),
        6 => OpType::Make(ObjType::List),
        7 => OpType::Make(ObjType::Table),
        8 => OpType::MarkBegin(legacy::MarkData { name: "bold".into(), value: 1.into(), expand: rng.percent(50) }),
        9 => OpType::MarkEnd(rng.percent(50)),
        10 => OpType::Put(ScalarValue::Unknown { type_code: 10 + rng.below(6) as u8, bytes: vec![1; rng.below(3)] }),
        11 => OpType::Put(ScalarValue::counter(*rng.pick(&[i64::MAX, i64::MIN, 0]))),
        12 => OpType::Put("more than one character".into()),
        13 => OpType::Put("c".into()),
        _ => OpType::Put(scalar(rng)),
    }
}

/// An operation inside some object, more or less fitting.
fn object_op(rng: &mut Rng, record: &Record, change: &ExpandedChange) -> Op {
    let obj = some_id(rng, record, change, |op| matches!(op.action, OpType::Make(_)));
    let within = ObjectId::Id(obj);
    let element = some_id(rng, record, change, |op| op.insert && op.obj == within);
    let insert = rng.percent(60);
    let head = insert && rng.percent(20);
    let key = match rng.below(8) {
        0 => Key::Map("street".into()),
        _ if head => Key::Seq(ElementId::Head),
        _ => Key::Seq(ElementId::Id(element.clone())),
    };
    let mut action = some_action(rng);
    if rng.percent(50) {
        action = if insert { OpType::Put("c".into()) } else { OpType::Delete };
    }
    let preds = match rng.below(10) {
        0 => vec![some_id(rng, record, change, |_| true)],
        1 => Vec::new(),
        _ if insert => Vec::new(),
        _ => vec![element],
    };
    Op { action, obj: within, key, pred: preds.into(), insert }
}

fn mutate_frame(rng: &mut Rng, record: &Record, change: &mut ExpandedChange) {
    match rng.below(8) {
        0 => change.seq = change.seq.wrapping_add(1),
        1 => change.seq = change.seq.wrapping_sub(1),
        2 => change.seq = huge(rng),
        3 => change.start_op = change.start_op.saturating_add(1),
        4 => change.start_op = NonZeroU64::new(huge(rng).max(1)).unwrap(),
        5 => change.actor_id = rng.actor(),
        6 => change.actor_id = ActorId::from([0_u8; 0]),
        _ => {
            if !record.changes.is_empty() {
                change.actor_id = rng.pick(&record.changes).actor().clone();
            }
        }
    }
}

fn mutate_deps(rng: &mut Rng, record: &Record, change: &mut ExpandedChange) {
    match rng.below(6) {
        0 => change.deps.clear(),
        1 if !change.deps.is_empty() => {
            change.deps.remove(rng.below(change.deps.len()));
        }
        2 => change.deps.push(ChangeHash([rng.next() as u8; 32])),
        3 if !change.deps.is_empty() => {
            let dep = *rng.pick(&change.deps);
            change.deps.push(dep);
        }
        _ if record.changes.is_empty() => {}
        _ => change.deps.push(rng.pick(&record.changes).hash()),
    }
    change.deps.sort();
}

fn mutate_rest(rng: &mut Rng, change: &mut ExpandedChange) {
    match rng.below(6) {
        0 => change.extra_bytes = vec![1, 3, 9, 9, 9],
        1 => change.extra_bytes = vec![rng.next() as u8; 1 + rng.below(4)],
        2 => change.time = *rng.pick(&[i64::MAX, i64::MIN, -1, 1 << 48]),
        3 => change.message = Some("message".into()),
        4 => change.operations.clear(),
        _ => change.operations.truncate(1),
    }
}

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Panics inside Automerge that the code under test catches are not worth a line each.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                report(info);
            }
        }));
    });
}

fn expecting_panics<T>(run: impl FnOnce() -> T) -> T {
    EXPECTED.set(true);
    let result = run();
    EXPECTED.set(false);
    result
}
