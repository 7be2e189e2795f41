//! What a change did to its record, field by field, as its writer saw it.

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{ObjectId, Op, OpType};
use serde::Serialize;
use serde_json::Value;
use syncline_schema::{Element, Field, FieldKind, Model, Schema};

use super::check::{Checker, InvalidRecord};
use super::conflicts::shown_value;
use super::encode::element_value;
use super::items;
use super::place::{Place, Slot};
use super::view::{RecordView, embedded_type};
use crate::change::Change;
use crate::document::{self, Document};
use crate::state::{self, OpId};

/// One thing that a change did. Fields are named by their path: `title`, `address.city`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "did", rename_all = "lowercase")]
pub enum ChangeEffect {
    /// Made the record.
    Created,
    /// Deleted it.
    Deleted,
    /// Brought it back.
    Undeleted,
    /// Gave a field of one value another.
    Set {
        /// Which.
        field: String,
        /// What it showed.
        before: Value,
        /// What it shows.
        after: Value,
    },
    /// Left one of several concurrent values.
    Settled {
        /// Which field.
        field: String,
        /// The value that stays.
        kept: Value,
        /// Those that went.
        dropped: Vec<Value>,
    },
    /// Added to a counter.
    Counted {
        /// Which.
        field: String,
        /// How much; negative if it was subtracted.
        by: i64,
    },
    /// Put elements into a set.
    Added {
        /// Which set.
        field: String,
        /// What came.
        elements: Vec<Value>,
    },
    /// Took elements out of a set.
    Removed {
        /// Which set.
        field: String,
        /// What went.
        elements: Vec<Value>,
    },
    /// Edited a text.
    Text {
        /// Which.
        field: String,
        /// From its beginning to its end.
        edits: Vec<TextEdited>,
    },
    /// Put marks on a rich text, or took them away.
    Marked {
        /// Which text.
        field: String,
        /// In the order in which it was done.
        marks: Vec<MarkPut>,
    },
    /// Edited a list.
    List {
        /// Which.
        field: String,
        /// From its beginning to its end.
        edits: Vec<ListEdited>,
    },
    /// Wrote something that this schema does not have.
    Unknown {
        /// The key in the document.
        key: String,
    },
}

/// One place of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextEdited {
    /// Where, in code points of the text as the edits before left it.
    pub at: usize,
    /// What went.
    pub removed: String,
    /// What came.
    pub inserted: String,
}

/// A mark on some characters of a rich text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarkPut {
    /// Its name.
    pub name: String,
    /// Its value; null if it was taken away.
    pub value: Value,
}

/// One place of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListEdited {
    /// Where, in the list as the edits before left it.
    pub at: usize,
    /// What went.
    pub removed: Vec<Value>,
    /// What came.
    pub inserted: Vec<Value>,
}

impl RecordView<'_> {
    /// What `change` did to a record that its writer saw as this view shows it, or to a field of it alone:
    /// a name, or a path into an embedded value. The document, needed only if the change touches texts or
    /// lists, may hold more: it is read as it was then.
    pub fn effects(&self, change: &Change, only: Option<&str>) -> Vec<ChangeEffect> {
        let mut state = self.state.clone();
        state.apply(change);
        let after = RecordView { state: &state, ..*self };
        let mut told = Effects {
            before: *self,
            after,
            change,
            effects: Vec::new(),
            presence: Vec::new(),
            elements: BTreeMap::new(),
            only,
        };
        told.existence();
        told.root_keys();
        told.objects();
        told.null_or_not();
        told.effects.retain(|effect| only.is_none_or(|field| effect.concerns(field)));
        told.effects
    }
}

/// Checks that a model has a field of this name, or at this path into an embedded value.
pub fn checked_field(schema: &Schema, model: &Model, path: &str) -> Result<(), InvalidRecord> {
    let mut fields = &model.fields;
    let mut walked = String::new();
    for name in path.split('.') {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let mut checker = Checker::new(schema, model);
            let names = || fields.iter().map(|field| field.name.as_str());
            let cure = syncline_schema::did_you_mean(name, names())
                .unwrap_or_else(|| format!("its fields are {}", names().collect::<Vec<_>>().join(", ")));
            checker.fault(&format!("{walked}{name}"), &format!("there is no such field; {cure}"));
            return checker.finish();
        };
        walked.push_str(&format!("{name}."));
        fields = embedded_type(schema, &field.kind).map_or(&NONE, |embedded| &embedded.fields);
    }
    Ok(())
}

/// What a field that is no embedded value has inside.
static NONE: Vec<Field> = Vec::new();

struct Effects<'a> {
    before: RecordView<'a>,
    after: RecordView<'a>,
    change: &'a Change,
    effects: Vec<ChangeEffect>,
    /// Fields whose presence mark was touched.
    presence: Vec<String>,
    /// Places of what was done to the elements of a set, by its field and whether they went.
    elements: BTreeMap<(String, bool), usize>,
    /// The field that is asked for; texts and lists of others are not looked at.
    only: Option<&'a str>,
}

impl Effects<'_> {
    fn existence(&mut self) {
        // Genesis and initial contents have no time.
        let is_new = self.before.state.times.is_none();
        match (self.before.is_live(), self.after.is_live()) {
            (false, true) if is_new => self.effects.push(ChangeEffect::Created),
            (false, true) => self.effects.push(ChangeEffect::Undeleted),
            (true, false) => self.effects.push(ChangeEffect::Deleted),
            (true, true) | (false, false) => {}
        }
    }

    fn root_keys(&mut self) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for op in self.change.ops() {
            let Some(key) = state::root_key(op).filter(|key| seen.insert(key)) else { continue };
            match Place::of(self.before.schema, self.before.model, key) {
                Place::Live | Place::Object(_) => {}
                Place::Presence(path) => self.presence.push(path),
                Place::Single(slot) => self.single(&slot),
                Place::Counter(path) => self.counter(path, key),
                Place::Element(path, kind, text) => self.element(path, kind, &text, op),
                Place::Unknown => self.effects.push(ChangeEffect::Unknown { key: key.to_owned() }),
            }
        }
    }

    fn single(&mut self, slot: &Slot<'_>) {
        let value = |view: &RecordView<'_>| {
            let shown = view.scalar(slot.field.merge, &slot.key);
            shown.map_or(Value::Null, |value| shown_value(view.schema, slot, value))
        };
        let (before, after) = (value(&self.before), value(&self.after));
        if before != after {
            self.effects.push(ChangeEffect::Set { field: slot.path.clone(), before, after });
            return;
        }
        let stood = self.before.ops(&slot.key).iter().filter_map(|op| op.value.scalar());
        let mut dropped: Vec<Value> = stood.map(|value| shown_value(self.before.schema, slot, value)).collect();
        dropped.retain(|value| *value != after);
        if !dropped.is_empty() && self.after.ops(&slot.key).len() == 1 {
            self.effects.push(ChangeEffect::Settled { field: slot.path.clone(), kept: after, dropped });
        }
    }

    fn counter(&mut self, field: String, key: &str) {
        let at_key = self.change.ops().iter().filter(|op| state::root_key(op) == Some(key));
        let stood = self.before.ops(key);
        // Other programs count on each counter that they see at a key, and each adds to what it shows.
        let named = |op: &Op| {
            let names = |id: &OpId| op.pred.iter().any(|pred| (pred.0, &pred.1) == (id.counter, &id.actor));
            stood.iter().filter(|standing| names(&standing.id)).count().max(1)
        };
        let increments = at_key.filter_map(|op| match op.action {
            OpType::Increment(by) => Some(by.saturating_mul(i64::try_from(named(op)).unwrap_or(i64::MAX))),
            OpType::Make(_) | OpType::Delete | OpType::Put(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => None,
        });
        let by = increments.fold(0, i64::saturating_add);
        if by != 0 {
            self.effects.push(ChangeEffect::Counted { field, by });
        }
    }

    fn element(&mut self, path: String, kind: &Element, text: &str, op: &Op) {
        let element = element_value(&kind.kind, text);
        let is_removal = matches!(op.action, OpType::Delete);
        let place = self.elements.get(&(path.clone(), is_removal)).and_then(|place| self.effects.get_mut(*place));
        if let Some(ChangeEffect::Added { elements, .. } | ChangeEffect::Removed { elements, .. }) = place {
            elements.push(element);
            return;
        }
        self.elements.insert((path.clone(), is_removal), self.effects.len());
        let elements = vec![element];
        self.effects.push(match is_removal {
            true => ChangeEffect::Removed { field: path, elements },
            false => ChangeEffect::Added { field: path, elements },
        });
    }

    fn objects(&mut self) {
        let Some(document) = self.before.document.filter(|_| self.change.touches_objects()) else { return };
        let is_asked = |field: &&Field| self.only.is_none_or(|only| only == field.name);
        for field in self.before.model.fields.iter().filter(is_asked) {
            let effects = match &field.kind {
                FieldKind::Text { .. } => [self.text(document, field), self.marks(field)],
                FieldKind::List(element) => [self.list(document, field, element), None],
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Set(_)
                | FieldKind::Embedded(_) => [None, None],
            };
            self.effects.extend(effects.into_iter().flatten());
        }
    }

    fn marks(&self, field: &Field) -> Option<ChangeEffect> {
        let (text, _) = self.after.state.object(&field.document_key)?;
        let mut marks: Vec<MarkPut> = Vec::new();
        for op in self.change.ops() {
            let (OpType::MarkBegin(mark), ObjectId::Id(of)) = (&op.action, &op.obj) else { continue };
            if (of.0, &of.1) != (text.counter, &text.actor) {
                continue;
            }
            let put = MarkPut { name: mark.name.to_string(), value: document::scalar_json(&mark.value) };
            if marks.last() != Some(&put) {
                marks.push(put);
            }
        }
        (!marks.is_empty()).then(|| ChangeEffect::Marked { field: field.name.clone(), marks })
    }

    /// Whether the change wrote in a text, or made it. What is in a list may have a name of its own.
    fn concerns_text(&self, field: &Field) -> bool {
        let text = self.after.state.object(&field.document_key).map(|(text, _)| text);
        self.change.ops().iter().any(|op| match &op.obj {
            ObjectId::Root => state::root_key(op) == Some(&field.document_key),
            ObjectId::Id(of) => text.is_some_and(|text| (of.0, &of.1) == (text.counter, &text.actor)),
        })
    }

    fn text(&self, document: &Document, field: &Field) -> Option<ChangeEffect> {
        if !self.concerns_text(field) {
            return None;
        }
        let at = |heads: &[automerge::ChangeHash]| document.text_at(&field.document_key, heads).unwrap_or_default();
        let (before, after) = (at(self.change.deps()), at(&[self.change.hash()]));
        let mut stands: Vec<char> = before.chars().collect();
        let mut edits = Vec::new();
        for edit in document::text_edits(&before, &after) {
            let removed = stands.splice(edit.at..edit.at + edit.delete, edit.insert.chars()).collect();
            edits.push(TextEdited { at: edit.at, removed, inserted: edit.insert });
        }
        (!edits.is_empty()).then(|| ChangeEffect::Text { field: field.name.clone(), edits })
    }

    fn list(&self, document: &Document, field: &Field, element: &Element) -> Option<ChangeEffect> {
        let at = |heads: &[automerge::ChangeHash]| document.list_at(&field.document_key, heads).unwrap_or_default();
        let (before, after) = (at(self.change.deps()), at(&[self.change.hash()]));
        let texts = |items: &[Value]| items.iter().map(document::canonical_json).collect::<Vec<_>>();
        let shown = |items: &[Value]| -> Vec<Value> {
            items.iter().map(|item| items::shown_item(self.before.schema, &element.kind, item)).collect()
        };
        let hunks = document::sequence_edits(&texts(&before), &texts(&after));
        // Everything before a hunk is as in the new list by then.
        let edits = hunks.into_iter().map(|hunk| ListEdited {
            at: hunk.new.start,
            removed: shown(&before[hunk.old]),
            inserted: shown(&after[hunk.new]),
        });
        let edits: Vec<ListEdited> = edits.collect();
        (!edits.is_empty()).then(|| ChangeEffect::List { field: field.name.clone(), edits })
    }

    /// Fields that became null, or ceased to be, without any other effect that says so.
    fn null_or_not(&mut self) {
        for path in std::mem::take(&mut self.presence) {
            let Some(field) = self.before.model.field(&path) else { continue };
            let inside = format!("{path}.");
            let is_told = self
                .effects
                .iter()
                .filter_map(ChangeEffect::field)
                .any(|told| told == path || told.starts_with(&inside));
            let (before, after) = (self.shows(&self.before, field), self.shows(&self.after, field));
            if !is_told && before.is_null() != after.is_null() {
                self.effects.push(ChangeEffect::Set { field: path, before, after });
            }
        }
    }

    /// What a field shows; a text or list that the document may hold more of is empty, or null.
    fn shows(&self, view: &RecordView<'_>, field: &Field) -> Value {
        RecordView { document: None, ..*view }.field(field)
    }
}

impl ChangeEffect {
    /// Whether it was done to this field, or inside it.
    fn concerns(&self, field: &str) -> bool {
        let inside = |told: &str| told.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.field().is_some_and(inside)
    }

    /// The field concerned.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Created | Self::Deleted | Self::Undeleted | Self::Unknown { .. } => None,
            Self::Set { field, .. }
            | Self::Settled { field, .. }
            | Self::Counted { field, .. }
            | Self::Added { field, .. }
            | Self::Removed { field, .. }
            | Self::Text { field, .. }
            | Self::Marked { field, .. }
            | Self::List { field, .. } => Some(field),
        }
    }
}
