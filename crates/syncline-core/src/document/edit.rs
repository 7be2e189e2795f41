//! Edits of root keys and objects as changes.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use automerge::marks::Mark;
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use serde_json::Value as Json;

use super::marks::{self, MarkStep};
use super::{Document, diff, json, newest_object};
use crate::change::{Change, MAX_CHANGE_BYTES};
use crate::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};
use crate::genesis::{Genesis, object_type};
use crate::guard::MAX_DEPTH;
use crate::rich::{BadMark, check_mark, check_name, joined, mark_value, plain_text};
use crate::state::{self, EditError, OpId, Visible, VisibleOp};

/// Bigger edits become several changes of about this many operations, each of which fits a batch
/// and leaves room for other records' changes in between.
pub const SPLIT_OPS: usize = 1 << 16;

/// As [`SPLIT_OPS`], for list elements: bytes of their JSON.
const SPLIT_BYTES: usize = 1 << 18;

/// What a change takes beside its values, at most.
const FRAME_BYTES: usize = 1 << 20;

/// What [`Document::edit`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Genesis changes that the record lacked; they go before `changes` and are no dots.
    pub genesis: Vec<Change>,
    /// The writer's changes, at least one, each building on the one before.
    pub changes: Vec<Change>,
}

impl Document {
    /// Does `edits` as changes of `writer`: usually one. `None` if nothing changes. Objects that
    /// the record lacks are made by genesis, or by the change itself when the record is being
    /// created and asked for by [`ObjectEdit::Make`].
    ///
    /// On an error the document is as it was, except after [`EditError::Document`], when it must
    /// be rebuilt.
    pub fn edit(
        &mut self,
        edits: &Edits,
        genesis: &dyn Fn(&str) -> Genesis,
        writer: &ActorId,
        time: i64,
    ) -> Result<Option<Edited>, EditError> {
        state::check_time(time)?;
        self.check_marks(edits)?;
        let needed = self.check(edits, genesis)?;
        if needed.is_empty() {
            let changes = self.write(edits, writer, time)?;
            return Ok(some_edited(Vec::new(), changes));
        }
        let mut with_genesis = self.clone();
        with_genesis.apply_accepted(&needed).map_err(|error| EditError::Document(error.to_string()))?;
        let changes = with_genesis.write(edits, writer, time)?;
        if !changes.is_empty() {
            *self = with_genesis;
        }
        Ok(some_edited(needed, changes))
    }

    /// Refuses what cannot be done before anything is; returns the genesis changes it takes.
    fn check(&self, edits: &Edits, genesis: &dyn Fn(&str) -> Genesis) -> Result<Vec<Change>, EditError> {
        state::plan(&edits.root, 1, self.doc.get_actor(), |key| Cow::Owned(standing(&self.doc, key)))?;
        check_bytes(edits.root.iter().map(root_edit_bytes).sum())?;
        let mut plan = ObjectPlan { document: self, genesis, objects: Vec::new(), needed: Vec::new() };
        for edit in &edits.objects {
            plan.check(edit)?;
        }
        let touched = |key: &str| plan.objects.iter().any(|(object, _, _)| *object == key);
        if let Some(key) = edits.root.iter().map(root_edit_key).find(|key| touched(key)) {
            return Err(EditError::OverObject { key: key.to_owned() });
        }
        Ok(plan.needed)
    }

    /// Whether there may be as many marks more as the edits surely put.
    fn check_marks(&mut self, edits: &Edits) -> Result<(), EditError> {
        let mut names = Vec::new();
        for edit in &edits.objects {
            match edit {
                ObjectEdit::Mark { name, .. } | ObjectEdit::Unmark { name, .. } => names.push(name.as_str()),
                ObjectEdit::SetSpans(key, ..) => {
                    self.spans(key).map_err(|_| EditError::SpansTooLarge { key: key.clone() })?;
                }
                ObjectEdit::Make(..)
                | ObjectEdit::Splice { .. }
                | ObjectEdit::SetText(..)
                | ObjectEdit::SetList(..) => {}
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        self.marks().check(names).map_err(EditError::TooManyMarks)
    }

    fn write(&mut self, edits: &Edits, writer: &ActorId, time: i64) -> Result<Vec<Change>, EditError> {
        if !edits.objects.iter().any(|edit| matches!(edit, ObjectEdit::SetSpans(..))) {
            return self.write_here(edits, writer, time);
        }
        // How many marks it takes shows when they are there.
        let mut with_marks = self.clone();
        let changes = with_marks.write_here(edits, writer, time)?;
        with_marks.marks().check([]).map_err(EditError::TooManyMarks)?;
        *self = with_marks;
        Ok(changes)
    }

    fn write_here(&mut self, edits: &Edits, writer: &ActorId, time: i64) -> Result<Vec<Change>, EditError> {
        let creating = self.doc.get_heads().is_empty();
        self.doc.set_actor(writer.clone());
        let (apart, together): (Vec<_>, Vec<_>) =
            edits.root.iter().partition(|edit| self.counts_on_several(edit, &edits.root));
        let mut changes = Vec::new();
        let counted = if apart.is_empty() { Ok(()) } else { self.count_on_newest(&apart, time, &mut changes) };
        let written =
            counted.and_then(|()| write_all(&mut self.doc, &together, &edits.objects, creating, time, &mut changes));
        if let Err(error) = written {
            self.texts.clear();
            return Err(EditError::Document(error.to_string()));
        }
        self.follow_texts(edits);
        if let Some(count) = &mut self.marks {
            changes.iter().for_each(|change| count.add(change));
        }
        changes.into_iter().map(state::checked).collect()
    }
}

impl Document {
    /// Whether this is a count at a key where several counters stand, and stand until then.
    fn counts_on_several(&self, edit: &RootEdit, all: &[RootEdit]) -> bool {
        let RootEdit::Increment(key, _) = edit else { return false };
        let mut at_key = all.iter().filter(|other| root_edit_key(other) == key);
        at_key.all(|other| matches!(other, RootEdit::Increment(..))) && standing(&self.doc, key).len() > 1
    }

    /// Counts in a change of its own. Automerge can only add to every counter at a key, while a count must name one:
    /// so this takes the change that it makes of a copy, with fewer predecessors.
    fn count_on_newest(
        &mut self,
        counts: &[&RootEdit],
        time: i64,
        changes: &mut Vec<Change>,
    ) -> Result<(), AutomergeError> {
        let mut draft = self.doc.clone();
        let mut tx = draft.transaction();
        counts.iter().try_for_each(|edit| write_root(&mut tx, edit))?;
        tx.commit_with(CommitOptions::default().with_time(time));
        let Some(drafted) = draft.get_last_local_change() else { return Ok(()) };
        let mut parts = drafted.decode();
        // Without the hash of the draft.
        parts.hash = None;
        for op in &mut parts.operations {
            let standing = standing(&self.doc, state::root_key(op).unwrap_or_default());
            op.pred = state::preds(state::newest_counter(&standing).map_or(&[], std::slice::from_ref));
        }
        let change = Change::from_expanded(parts);
        self.doc.apply_changes([change.as_automerge().clone()])?;
        changes.push(change);
        Ok(())
    }

    /// Keeps the texts that are being edited at hand, as they read after the edits.
    fn follow_texts(&mut self, edits: &Edits) {
        // What a splice cannot be followed in is read anew, once, when all edits are done.
        let mut stale = BTreeSet::new();
        for edit in &edits.objects {
            match edit {
                ObjectEdit::Splice { key, at, delete, insert } => {
                    if stale.contains(key) || !self.texts.splice(key, *at, *delete, insert) {
                        stale.insert(key);
                    }
                }
                ObjectEdit::Make(key, _)
                | ObjectEdit::SetText(key, _)
                | ObjectEdit::SetSpans(key, ..)
                | ObjectEdit::SetList(key, _) => {
                    stale.insert(key);
                }
                ObjectEdit::Mark { .. } | ObjectEdit::Unmark { .. } => {}
            }
        }
        for key in stale {
            self.texts.forget(key);
            if let Some(text) = self.text(key) {
                self.texts.hold(key, text);
            }
        }
    }
}

fn some_edited(genesis: Vec<Change>, changes: Vec<Change>) -> Option<Edited> {
    (!changes.is_empty()).then_some(Edited { genesis, changes })
}

fn root_edit_key(edit: &RootEdit) -> &str {
    match edit {
        RootEdit::Put(key, _)
        | RootEdit::Force(key, _)
        | RootEdit::Toggle(key)
        | RootEdit::Delete(key)
        | RootEdit::Increment(key, _) => key,
    }
}

/// Follows the object edits with lengths only.
struct ObjectPlan<'a> {
    document: &'a Document,
    genesis: &'a dyn Fn(&str) -> Genesis,
    /// Key, type, and a text's length.
    objects: Vec<(&'a str, ObjectKind, usize)>,
    needed: Vec<Change>,
}

impl<'a> ObjectPlan<'a> {
    fn check(&mut self, edit: &'a ObjectEdit) -> Result<(), EditError> {
        match edit {
            ObjectEdit::Make(key, kind) => self.open(key, *kind, true).map(|_| ()),
            ObjectEdit::Splice { key, at, delete, insert } => {
                let len = self.open(key, ObjectKind::Text, false)?;
                let (at, delete) = (*at, *delete);
                match at.checked_add(delete) {
                    Some(end) if end <= *len => *len = *len - delete + insert.chars().count(),
                    Some(_) | None => {
                        let (key, len) = (key.clone(), *len);
                        return Err(EditError::OutOfBounds { key, at, delete, len });
                    }
                }
                Ok(())
            }
            ObjectEdit::SetText(key, text) => {
                *self.open(key, ObjectKind::Text, false)? = text.chars().count();
                Ok(())
            }
            ObjectEdit::Mark { key, from, to, name, value, .. } => {
                let refused = if *value == ScalarValue::Null { Err(BadMark::Null) } else { check_mark(name, value) };
                self.check_mark(key, *from, *to, refused)
            }
            ObjectEdit::Unmark { key, from, to, name, .. } => self.check_mark(key, *from, *to, check_name(name)),
            ObjectEdit::SetSpans(key, spans, _) => {
                for (name, value) in spans.iter().flat_map(|span| &span.marks).filter(|(_, value)| !value.is_null()) {
                    mark_value(name, value).map_err(|reason| EditError::BadMark { key: key.clone(), reason })?;
                }
                *self.open(key, ObjectKind::Text, false)? = spans.iter().map(|span| span.text.chars().count()).sum();
                Ok(())
            }
            ObjectEdit::SetList(key, elements) => {
                self.open(key, ObjectKind::List, false)?;
                elements.iter().try_for_each(|element| check_element(key, element))
            }
        }
    }

    fn check_mark(&mut self, key: &'a str, from: usize, to: usize, mark: Result<(), BadMark>) -> Result<(), EditError> {
        let len = *self.open(key, ObjectKind::Text, false)?;
        let key = || key.to_owned();
        if from >= to || to > len {
            return Err(EditError::NoCharacters { key: key(), from, to, len });
        }
        mark.map_err(|reason| EditError::BadMark { key: key(), reason })
    }

    /// The object's length by now.
    fn open(&mut self, key: &'a str, expected: ObjectKind, make: bool) -> Result<&mut usize, EditError> {
        let known = self.objects.iter().position(|(object, _, _)| *object == key);
        let at = match known {
            Some(at) => at,
            None => {
                let (kind, len) = self.find_or_make(key, expected, make)?;
                self.objects.push((key, kind, len));
                self.objects.len() - 1
            }
        };
        let (_, kind, len) = &mut self.objects[at];
        if *kind == expected {
            Ok(len)
        } else {
            let key = key.to_owned();
            Err(EditError::WrongObject { key, expected })
        }
    }

    fn find_or_make(&mut self, key: &str, expected: ObjectKind, make: bool) -> Result<(ObjectKind, usize), EditError> {
        let wrong = || EditError::WrongObject { key: key.to_owned(), expected };
        if let Some((kind, object)) = newest_object(&self.document.doc, key) {
            return match kind {
                ObjType::Text => Ok((ObjectKind::Text, self.document.doc.length(object))),
                ObjType::List => Ok((ObjectKind::List, 0)),
                ObjType::Map | ObjType::Table => Err(wrong()),
            };
        }
        if !standing(&self.document.doc, key).is_empty() {
            return Err(wrong());
        }
        if make && self.document.doc.get_heads().is_empty() {
            return Ok((expected, 0));
        }
        let genesis = (self.genesis)(key);
        if genesis.kind != expected || genesis.key != key {
            return Err(wrong());
        }
        self.needed.push(genesis.change());
        Ok((expected, 0))
    }
}

/// An element stands in one change whole.
fn check_element(key: &str, element: &Json) -> Result<(), EditError> {
    if json::depth(element) > MAX_DEPTH {
        let key = key.to_owned();
        return Err(EditError::TooDeep { key });
    }
    state::check_counters(1, json::weight(element) as u64)?;
    check_bytes(json::canonical(element).len())
}

fn check_bytes(values: usize) -> Result<(), EditError> {
    match values + FRAME_BYTES {
        bytes if bytes > MAX_CHANGE_BYTES => Err(EditError::TooLarge { bytes }),
        _ => Ok(()),
    }
}

/// Bytes of a root edit's value and key.
fn root_edit_bytes(edit: &RootEdit) -> usize {
    let value = match edit {
        RootEdit::Put(_, ScalarValue::Str(text)) | RootEdit::Force(_, ScalarValue::Str(text)) => text.len(),
        RootEdit::Put(_, ScalarValue::Bytes(bytes)) | RootEdit::Force(_, ScalarValue::Bytes(bytes)) => bytes.len(),
        RootEdit::Put(..) | RootEdit::Force(..) => 10,
        RootEdit::Toggle(_) | RootEdit::Delete(_) | RootEdit::Increment(..) => 10,
    };
    value + root_edit_key(edit).len()
}

/// One transaction after the other, each of about [`SPLIT_OPS`] operations at most.
fn write_all(
    doc: &mut Automerge,
    root: &[&RootEdit],
    objects: &[ObjectEdit],
    creating: bool,
    time: i64,
    changes: &mut Vec<Change>,
) -> Result<(), AutomergeError> {
    let mut bytes = 0;
    let mut tx = doc.transaction();
    for edit in root {
        write_root(&mut tx, edit)?;
    }
    for (edit, pass) in objects.iter().flat_map(passes) {
        let mut steps = steps_of(&mut tx, edit, pass, creating)?;
        loop {
            let room =
                Room { ops: SPLIT_OPS.saturating_sub(tx.pending_ops()), bytes: SPLIT_BYTES.saturating_sub(bytes) };
            match steps.next_within(&room) {
                None => break,
                Some(Next::Full) => {
                    tx.commit_with(CommitOptions::default().with_time(time));
                    changes.extend(doc.get_last_local_change().map(Change::from_automerge));
                    tx = doc.transaction();
                    bytes = 0;
                }
                Some(Next::Step(step)) => {
                    bytes += step.bytes();
                    write_step(&mut tx, &steps.object, &step)?;
                }
            }
        }
    }
    let (hash, _) = tx.commit_with(CommitOptions::default().with_time(time));
    if hash.is_some() {
        changes.extend(doc.get_last_local_change().map(Change::from_automerge));
    }
    Ok(())
}

fn write_root(tx: &mut Transaction<'_>, edit: &RootEdit) -> Result<(), AutomergeError> {
    match edit {
        RootEdit::Put(key, value) => tx.put(ROOT, key.as_str(), value.clone()),
        RootEdit::Force(key, value) => {
            // Automerge makes no operation of a value that stands there already.
            let winner = tx.get(ROOT, key.as_str())?;
            if winner.is_some_and(|(winner, _)| winner.as_scalar() == Some(value)) {
                tx.delete(ROOT, key.as_str())?;
            }
            tx.put(ROOT, key.as_str(), value.clone())
        }
        RootEdit::Toggle(key) => {
            let value = state::toggled(&standing(tx, key));
            tx.put(ROOT, key.as_str(), value)
        }
        RootEdit::Delete(key) => match tx.get(ROOT, key.as_str())? {
            Some(_) => tx.delete(ROOT, key.as_str()),
            None => Ok(()),
        },
        RootEdit::Increment(key, by) => tx.increment(ROOT, key.as_str(), *by),
    }
}

/// What of an object edit is done together: its steps follow from the object as they find it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// The characters or elements.
    Content,
    /// The marks, once the characters are there.
    Marks,
}

fn passes(edit: &ObjectEdit) -> impl Iterator<Item = (&ObjectEdit, Pass)> {
    let marks = matches!(edit, ObjectEdit::SetSpans(..)).then_some((edit, Pass::Marks));
    std::iter::once((edit, Pass::Content)).chain(marks)
}

/// What an object edit does, step by step.
struct Steps {
    object: ObjId,
    queue: VecDeque<Step>,
}

enum Step {
    /// Replaces characters.
    Text { at: usize, delete: usize, insert: String },
    /// Removes an element.
    Remove { at: usize },
    /// Inserts an element.
    Insert { at: usize, element: Json },
    /// Marks characters.
    Mark(MarkStep),
}

enum Next {
    Step(Step),
    /// Commit first.
    Full,
}

impl Steps {
    /// The next step, or its beginning, that finds room in the change being written.
    fn next_within(&mut self, room: &Room) -> Option<Next> {
        let step = self.queue.pop_front()?;
        if room.takes(&step) {
            return Some(Next::Step(step));
        }
        match step {
            Step::Text { at, delete, insert } if room.ops > 0 => {
                let (now, later) = cut(at, delete, &insert, room.ops);
                self.queue.push_front(later);
                Some(Next::Step(now))
            }
            Step::Text { .. } | Step::Remove { .. } | Step::Insert { .. } | Step::Mark(_) => {
                self.queue.push_front(step);
                Some(Next::Full)
            }
        }
    }
}

/// What a change may still take before the next one is begun.
struct Room {
    ops: usize,
    bytes: usize,
}

impl Room {
    /// What cannot be cut goes into a change of its own.
    fn takes(&self, step: &Step) -> bool {
        let untouched = self.ops == SPLIT_OPS && self.bytes == SPLIT_BYTES;
        let fits = step.ops() <= self.ops && step.bytes() <= self.bytes;
        fits || (untouched && matches!(step, Step::Insert { .. }))
    }
}

impl Step {
    fn ops(&self) -> usize {
        match self {
            Self::Text { delete, insert, .. } => delete + insert.chars().count(),
            Self::Remove { .. } => 1,
            Self::Insert { element, .. } => json::weight(element),
            // Where it begins and where it ends.
            Self::Mark(_) => 2,
        }
    }

    /// Texts are bounded by their operations already.
    fn bytes(&self) -> usize {
        match self {
            Self::Text { .. } | Self::Remove { .. } => 0,
            Self::Insert { element, .. } => json::canonical(element).len(),
            Self::Mark(MarkStep { name, value, .. }) => {
                name.len() + if let ScalarValue::Str(text) = value { text.len() } else { 0 }
            }
        }
    }
}

/// Deletes first, then inserts; both in pieces.
fn cut(at: usize, delete: usize, insert: &str, room: usize) -> (Step, Step) {
    let delete_now = delete.min(room);
    let insert_now = room - delete_now;
    let split = insert.char_indices().nth(insert_now).map_or(insert.len(), |(byte, _)| byte);
    let now = Step::Text { at, delete: delete_now, insert: insert[..split].to_owned() };
    let later = Step::Text { at: at + insert_now, delete: delete - delete_now, insert: insert[split..].to_owned() };
    (now, later)
}

fn steps_of(tx: &mut Transaction<'_>, edit: &ObjectEdit, pass: Pass, creating: bool) -> Result<Steps, AutomergeError> {
    let (key, kind) = edit.object();
    let object = match newest_object(tx, key) {
        Some((_, object)) => object,
        // Checked before: only a create gets here.
        None if creating => tx.put_object(ROOT, key, object_type(kind))?,
        None => return Err(AutomergeError::InvalidObjId(key.to_owned())),
    };
    let queue = match edit {
        ObjectEdit::Make(..) => VecDeque::new(),
        ObjectEdit::Splice { at, delete, insert, .. } => {
            [Step::Text { at: *at, delete: *delete, insert: insert.clone() }].into()
        }
        ObjectEdit::SetText(_, text) => text_steps(&tx.text(&object)?, text),
        ObjectEdit::SetSpans(_, spans, _) if pass == Pass::Content => {
            text_steps(&tx.text(&object)?, &plain_text(spans))
        }
        ObjectEdit::SetSpans(_, spans, rules) => {
            let now = marks::spans(tx, &object, usize::MAX).unwrap_or_default();
            let steps = marks::difference(&now, &joined(spans.iter().cloned()), rules);
            steps.into_iter().map(Step::Mark).collect()
        }
        ObjectEdit::Mark { from, to, name, value, expand, .. } => {
            let (name, value) = (name.clone(), value.clone());
            [Step::Mark(MarkStep { from: *from, to: *to, name, value, expand: *expand })].into()
        }
        ObjectEdit::Unmark { from, to, name, expand, .. } => {
            let (name, value) = (name.clone(), ScalarValue::Null);
            [Step::Mark(MarkStep { from: *from, to: *to, name, value, expand: *expand })].into()
        }
        ObjectEdit::SetList(_, elements) => list_steps(&json::elements(tx, &object), elements),
    };
    Ok(Steps { object, queue })
}

fn text_steps(old: &str, new: &str) -> VecDeque<Step> {
    diff::text(old, new).into_iter().map(Step::from).collect()
}

impl From<diff::TextEdit> for Step {
    fn from(edit: diff::TextEdit) -> Self {
        Self::Text { at: edit.at, delete: edit.delete, insert: edit.insert }
    }
}

fn list_steps(old: &[Json], new: &[Json]) -> VecDeque<Step> {
    let text = |elements: &[Json]| -> Vec<String> { elements.iter().map(json::canonical).collect() };
    let mut steps = VecDeque::new();
    for hunk in diff::sequence(&text(old), &text(new)) {
        // Everything before the hunk is as in the new list by now.
        let start = hunk.new.start;
        steps.extend(hunk.old.map(|_| Step::Remove { at: start }));
        steps.extend(hunk.new.map(|at| Step::Insert { at, element: new[at].clone() }));
    }
    steps
}

fn write_step(tx: &mut Transaction<'_>, object: &ObjId, step: &Step) -> Result<(), AutomergeError> {
    match step {
        Step::Text { at, delete, insert } => tx.splice_text(object, *at, *delete as isize, insert),
        Step::Remove { at } => tx.delete(object, *at),
        Step::Insert { at, element } => json::insert(tx, object, *at, element),
        Step::Mark(MarkStep { from, to, name, value, expand }) => {
            tx.mark(object, Mark::new(name.clone(), value.clone(), *from, *to), marks::expand(*expand))
        }
    }
}

/// What stands at a root key, without its times.
fn standing(doc: &impl ReadDoc, key: &str) -> Vec<VisibleOp> {
    let all = doc.get_all(ROOT, key).unwrap_or_default();
    let mut standing: Vec<_> = all.into_iter().filter_map(|(value, id)| visible(value, id)).collect();
    standing.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    standing
}

fn visible(value: Value<'_>, id: ObjId) -> Option<VisibleOp> {
    let ObjId::Id(counter, actor, _) = id else {
        return None;
    };
    let value = match value {
        Value::Object(kind) => Visible::object(kind),
        Value::Scalar(scalar) => Visible::Scalar(scalar.into_owned()),
    };
    Some(VisibleOp { id: OpId { counter, actor }, value, time: 0 })
}
