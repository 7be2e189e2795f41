//! Edits of a record that exists: patches, revivals, deletes, and single steps of counters and
//! sets.

use automerge::ScalarValue;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use syncline_schema::{Deletes, Element, ElementKind, EmbeddedType, Field, FieldKind, Managed};

use super::check::{Checker, InvalidRecord, NewRecord};
use super::items;
use super::view::RecordView;
use super::{LIVE, element_key, encode, nested_key, null_key, some_key};
use crate::change::MAX_COUNTER;
use crate::edit::{Edits, ObjectEdit, RootEdit};
use crate::mutant::{self, Mutant};
use crate::state;

impl RecordView<'_> {
    /// The edits that give the fields named in `patch` their new values; empty if nothing changes.
    ///
    /// Null empties an optional field. Embedded objects are patches themselves: their fields that
    /// are not named stay. Lists, sets and texts are compared with what stands there, so that
    /// concurrent edits of other elements survive; a counter set to n is incremented by what is
    /// missing to n. Key fields may be repeated, not changed; `updatedAt` is ignored.
    pub fn update(&self, patch: &Map<String, Value>) -> Result<Edits, InvalidRecord> {
        let mut checker = Checker::new(self.schema, self.model);
        let patch = &*checker.with_references(patch);
        checker.unknown_fields(&self.model.fields, patch, "");
        checker.size(patch);
        let mut edit = Patch::new(*self);
        for field in &self.model.fields {
            let Some(value) = patch.get(&field.name) else {
                continue;
            };
            if self.model.is_key_field(&field.name) {
                self.same_key(&mut checker, field, value);
            } else if !(field.managed == Managed::UpdatedAt
                || field.managed == Managed::CreatedAt && *value == self.field(field))
            {
                edit.named(&mut checker, field, value);
            }
        }
        checker.finish()?;
        Ok(edit.finish())
    }

    /// A key may be repeated in any form that its type has: `1` is the `1.0` of a Float.
    fn same_key(&self, checker: &mut Checker<'_>, field: &Field, value: &Value) {
        let given = checker.value(&field.kind, &field.name, value);
        if given.is_some_and(|given| given != self.field(field)) {
            checker.fault(&field.name, "a key cannot change: delete this record and save another");
        }
    }

    /// The edits that make a deleted record live again with the given fields and no others.
    pub fn revive(&self, new: &NewRecord) -> Edits {
        let mut edit = Patch::new(*self);
        for field in &self.model.fields {
            if self.model.is_key_field(&field.name) || field.managed == Managed::UpdatedAt {
                continue;
            }
            match new.values.get(&field.name) {
                Some(value) => edit.whole(field, &field.document_key, value),
                None => edit.clear(field, &field.document_key),
            }
        }
        let mut edits = edit.edits;
        edits.root.insert(0, RootEdit::Toggle(LIVE.to_owned()));
        edits
    }

    /// The edits that delete the record.
    pub fn delete(&self) -> Edits {
        Edits { root: vec![RootEdit::Delete(LIVE.to_owned())], objects: Vec::new() }
    }

    /// The edits that bring a deleted record back as it was.
    pub fn undelete(&self) -> Edits {
        Edits { root: vec![RootEdit::Toggle(LIVE.to_owned())], objects: Vec::new() }
    }

    /// Adds `by`, which may be negative, to a counter.
    pub fn increment(&self, field: &str, by: i64) -> Result<Edits, InvalidRecord> {
        let Some(FieldKind::Counter) = self.model.field(field).map(|field| &field.kind) else {
            return Err(self.wrong_kind(field, "a counter (`Int @counter`)"));
        };
        let key = self.document_key(field);
        let current = self.counter_sum(key);
        if !state::may_count(current, by) || by.unsigned_abs() > 2 * MAX_COUNTER.unsigned_abs() {
            let message = format!("it stands at {current}: {by} more leaves the range of counters (±{MAX_COUNTER})");
            return Err(self.invalid(field, &message));
        }
        let mut edit = Patch::new(*self);
        edit.count(key, by);
        Ok(edit.finish())
    }

    /// Adds an element to a set; with an edit even if it is there, so that it survives a
    /// concurrent removal.
    pub fn add(&self, field: &str, element: &Value) -> Result<Edits, InvalidRecord> {
        let text = self.checked_element(field, element)?;
        let mut edit = Patch::new(*self);
        let key = element_key(self.document_key(field), &text);
        if !(mutant::is_planted(Mutant::SilentAdd) && self.is_visible(&key)) {
            edit.edits.root.push(RootEdit::Toggle(key));
        }
        Ok(edit.finish())
    }

    /// Removes an element from a set.
    pub fn remove(&self, field: &str, element: &Value) -> Result<Edits, InvalidRecord> {
        let text = self.checked_element(field, element)?;
        let mut edit = Patch::new(*self);
        edit.delete_if_visible(element_key(self.document_key(field), &text));
        Ok(edit.finish())
    }

    /// Edits of a record that exists: with update-wins each of them says again that it does.
    pub(super) fn alive_with(&self, edits: Edits) -> Edits {
        Patch { view: *self, edits }.finish()
    }

    fn checked_element(&self, field: &str, element: &Value) -> Result<String, InvalidRecord> {
        let Some(FieldKind::Set(kind)) = self.model.field(field).map(|field| &field.kind) else {
            return Err(self.wrong_kind(field, "a set (`[T] @set`)"));
        };
        let mut checker = Checker::new(self.schema, self.model);
        let one = Value::Array(vec![element.clone()]);
        let checked = checker.value(&FieldKind::Set(kind.clone()), field, &one);
        checker.finish()?;
        let normal = checked.as_ref().and_then(|set| set.get(0)).unwrap_or(element);
        encode::element_text(&kind.kind, normal).ok_or_else(|| self.invalid(field, "the element has no canonical text"))
    }

    fn document_key(&self, field: &str) -> &str {
        self.model.field(field).map_or("", |field| field.document_key.as_str())
    }

    pub(super) fn wrong_kind(&self, field: &str, wanted: &str) -> InvalidRecord {
        let mut checker = Checker::new(self.schema, self.model);
        if self.model.field(field).is_some() {
            return self.invalid(field, &format!("it is not {wanted}"));
        }
        checker.unknown_fields(&self.model.fields, &Map::from_iter([(field.to_owned(), Value::Null)]), "");
        checker.finish().err().unwrap_or_else(|| self.invalid(field, "there is no such field"))
    }

    pub(super) fn invalid(&self, field: &str, message: &str) -> InvalidRecord {
        let mut checker = Checker::new(self.schema, self.model);
        checker.fault(field, message);
        checker.finish().expect_err("a fault was just named")
    }
}

/// Where a patch is at.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The field's key in the document.
    key: &'a str,
    /// Its name in messages.
    name: &'a str,
    /// Whether it stands inside an embedded value.
    inner: bool,
}

/// Collects the edits of one patch.
pub(super) struct Patch<'a> {
    view: RecordView<'a>,
    pub(super) edits: Edits,
}

impl<'a> Patch<'a> {
    pub(super) fn new(view: RecordView<'a>) -> Self {
        Self { view, edits: Edits::default() }
    }

    /// With update-wins every edit says again that the record exists.
    pub(super) fn finish(mut self) -> Edits {
        let nothing = self.edits == Edits::default();
        if !nothing && self.view.model.deletes == Deletes::UpdateWins && !mutant::is_planted(Mutant::SilentUpdate) {
            self.edits.root.insert(0, RootEdit::Toggle(LIVE.to_owned()));
        }
        self.edits
    }

    /// A field that the patch names.
    fn named(&mut self, checker: &mut Checker<'_>, field: &Field, value: &Value) {
        let at = Place { key: &field.document_key, name: &field.name, inner: false };
        self.patched(checker, field, at, value);
    }

    fn patched(&mut self, checker: &mut Checker<'_>, field: &Field, at: Place<'_>, value: &Value) {
        let Place { key, name: place, inner } = at;
        let embedded = self.view.embedded_type(&field.kind);
        match (embedded, value) {
            (_, Value::Null) if field.kind == FieldKind::Counter => {
                checker.fault(place, "a counter is never null: set it to 0");
            }
            (_, Value::Null) if field.required && !matches!(field.kind, FieldKind::Set(_)) => {
                checker.fault(place, "it is required and cannot be null");
            }
            (_, Value::Null) if inner => self.clear_inner(field, key),
            (_, Value::Null) => self.clear(field, key),
            (Some(embedded), Value::Object(fields)) if self.view.has_embedded(embedded, key) => {
                checker.unknown_fields(&embedded.fields, fields, &format!("{place}."));
                for inner in &embedded.fields {
                    if let Some(value) = fields.get(&inner.name) {
                        let (key, name) = (nested_key(key, &inner.document_key), format!("{place}.{}", inner.name));
                        self.patched(checker, inner, Place { key: &key, name: &name, inner: true }, value);
                    }
                }
            }
            (_, value) => {
                if let Some(value) = checker.value(&field.kind, place, value) {
                    if inner {
                        self.inner(field, key, &value);
                    } else {
                        self.whole(field, key, &value);
                    }
                }
            }
        }
    }

    /// Gives a field this value, whatever it holds.
    fn whole(&mut self, field: &Field, key: &str, value: &Value) {
        match &field.kind {
            FieldKind::Scalar(_) | FieldKind::Enum(_) => {
                let scalar = encode::scalar_of(&field.kind);
                if let Some(value) = scalar.and_then(|scalar| encode::encode_scalar(scalar, value)) {
                    self.put(key, value);
                }
            }
            FieldKind::Counter => {
                let wanted = value.as_i64().unwrap_or(0);
                self.count(key, wanted.saturating_sub(self.view.counter_sum(key)));
            }
            FieldKind::Text { .. } => self.text(field, key, value.as_str().unwrap_or("")),
            FieldKind::List(element) => self.list(field, element, key, value.as_array().map_or(&[], Vec::as_slice)),
            FieldKind::Set(element) => self.set(element, key, value.as_array().map_or(&[], Vec::as_slice)),
            FieldKind::Embedded(_) => {
                if let (Some(embedded), Some(fields)) = (self.view.embedded_type(&field.kind), value.as_object()) {
                    self.embedded(embedded, key, fields);
                }
            }
        }
    }

    /// Null for what can be null, empty for sets, 0 for counters.
    fn clear(&mut self, field: &Field, key: &str) {
        match &field.kind {
            FieldKind::Scalar(_) | FieldKind::Enum(_) => self.put_null(key),
            FieldKind::Counter => self.count(key, self.view.counter_sum(key).saturating_neg()),
            FieldKind::Set(element) => self.set(element, key, &[]),
            FieldKind::Text { .. } => {
                if self.view.has_object(key) && self.known_text(key).is_none_or(|text| !text.is_empty()) {
                    self.edits.objects.push(ObjectEdit::SetText(key.to_owned(), String::new()));
                }
                self.object_is_null(key);
            }
            FieldKind::List(_) => {
                if self.view.has_object(key) && self.known_list(key).is_none_or(|list| !list.is_empty()) {
                    self.edits.objects.push(ObjectEdit::SetList(key.to_owned(), Vec::new()));
                }
                self.object_is_null(key);
            }
            FieldKind::Embedded(_) => {
                if let Some(embedded) = self.view.embedded_type(&field.kind) {
                    self.clear_embedded(embedded, key);
                }
            }
        }
    }

    fn clear_embedded(&mut self, embedded: &EmbeddedType, key: &str) {
        self.delete_if_visible(some_key(key));
        for inner in &embedded.fields {
            let inner_key = nested_key(key, &inner.document_key);
            match self.view.embedded_type(&inner.kind) {
                Some(nested) => self.clear_embedded(nested, &inner_key),
                // Deleted rather than put to null, so that a concurrent edit stays visible.
                None => self.delete_if_visible(inner_key),
            }
        }
    }

    fn clear_inner(&mut self, inner: &Field, key: &str) {
        match self.view.embedded_type(&inner.kind) {
            Some(nested) => self.clear_embedded(nested, key),
            None => self.put_null(key),
        }
    }

    fn embedded(&mut self, embedded: &EmbeddedType, key: &str, fields: &Map<String, Value>) {
        if !self.view.is_visible(&some_key(key)) {
            self.edits.root.push(RootEdit::Toggle(some_key(key)));
        }
        for inner in &embedded.fields {
            let inner_key = nested_key(key, &inner.document_key);
            match fields.get(&inner.name).filter(|value| !value.is_null()) {
                None => self.clear_inner(inner, &inner_key),
                Some(value) => self.inner(inner, &inner_key, value),
            }
        }
    }

    /// A field inside an embedded value; a list there is one scalar, merged as a whole.
    fn inner(&mut self, field: &Field, key: &str, value: &Value) {
        match &field.kind {
            FieldKind::List(_) | FieldKind::Set(_) => {
                self.put(key, ScalarValue::from(items::stored(self.view.schema, &field.kind, value).to_string()))
            }
            FieldKind::Scalar(_)
            | FieldKind::Enum(_)
            | FieldKind::Counter
            | FieldKind::Text { .. }
            | FieldKind::Embedded(_) => self.whole(field, key, value),
        }
    }

    fn put(&mut self, key: &str, value: ScalarValue) {
        let stands = match self.view.ops(key) {
            [only] => only.value.scalar() == Some(&value),
            _ => false,
        };
        if !stands {
            self.edits.root.push(RootEdit::Put(key.to_owned(), value));
        }
    }

    /// What is absent shows as null already.
    fn put_null(&mut self, key: &str) {
        if self.view.is_visible(key) {
            self.put(key, ScalarValue::Null);
        }
    }

    fn count(&mut self, key: &str, by: i64) {
        if self.view.existing_counter(key).is_none() {
            self.edits.root.push(RootEdit::Put(key.to_owned(), ScalarValue::counter(0)));
        }
        if by != 0 {
            // No change may count further. Nothing but counts made apart leads so far out of the range.
            let by = by.clamp(-2 * MAX_COUNTER, 2 * MAX_COUNTER);
            self.edits.root.push(RootEdit::Increment(key.to_owned(), by));
        }
    }

    fn set(&mut self, element: &Element, key: &str, items: &[Value]) {
        let wanted: BTreeSet<String> =
            items.iter().filter_map(|item| encode::element_text(&element.kind, item)).collect();
        let present: BTreeSet<String> = self.view.element_texts(key).map(str::to_owned).collect();
        let gone = present.difference(&wanted).map(|text| RootEdit::Delete(element_key(key, text)));
        let new = wanted.difference(&present).map(|text| RootEdit::Toggle(element_key(key, text)));
        self.edits.root.extend(gone.chain(new));
    }

    fn text(&mut self, field: &Field, key: &str, text: &str) {
        let differs = self.known_text(key).is_none_or(|known| known != text);
        if differs && (!text.is_empty() || self.view.has_object(key)) {
            self.edits.objects.push(ObjectEdit::SetText(key.to_owned(), text.to_owned()));
        }
        self.object_is_some(field, key, text.is_empty());
    }

    fn list(&mut self, field: &Field, element: &Element, key: &str, items: &[Value]) {
        let known = self.known_list(key);
        let stored = self.kept(element, known.as_deref().unwrap_or(&[]), items);
        let differs = known.is_none_or(|known| known != stored);
        if differs && (!stored.is_empty() || self.view.has_object(key)) {
            self.edits.objects.push(ObjectEdit::SetList(key.to_owned(), stored));
        }
        self.object_is_some(field, key, items.is_empty());
    }

    /// The list as it is to be stored: an element that shows what a known one shows is that one,
    /// with what a newer store may have written into it.
    fn kept(&self, element: &Element, known: &[Value], items: &[Value]) -> Vec<Value> {
        let schema = self.view.schema;
        let mut stored = items::stored_list(schema, &element.kind, items);
        if !matches!(element.kind, ElementKind::Embedded(_)) {
            return stored;
        }
        let mut by_shown: BTreeMap<String, VecDeque<&Value>> = BTreeMap::new();
        for item in known {
            let shown = items::shown_item(schema, &element.kind, item).to_string();
            by_shown.entry(shown).or_default().push_back(item);
        }
        for item in &mut stored {
            let shown = items::shown_item(schema, &element.kind, item).to_string();
            if let Some(known) = by_shown.get_mut(&shown).and_then(VecDeque::pop_front) {
                item.clone_from(known);
            }
        }
        stored
    }

    pub(super) fn object_is_some(&mut self, field: &Field, key: &str, empty: bool) {
        self.delete_if_visible(null_key(key));
        if empty && !field.required && !self.view.has_object(key) && !self.view.is_visible(&some_key(key)) {
            self.edits.root.push(RootEdit::Toggle(some_key(key)));
        }
    }

    fn object_is_null(&mut self, key: &str) {
        self.delete_if_visible(some_key(key));
        if self.view.has_object(key) && !self.view.is_visible(&null_key(key)) {
            self.edits.root.push(RootEdit::Toggle(null_key(key)));
        }
    }

    pub(super) fn delete_if_visible(&mut self, key: String) {
        if self.view.is_visible(&key) {
            self.edits.root.push(RootEdit::Delete(key));
        }
    }

    fn known_text(&self, key: &str) -> Option<String> {
        self.view.document.and_then(|document| document.text(key))
    }

    fn known_list(&self, key: &str) -> Option<Vec<Value>> {
        self.view.document.and_then(|document| document.list(key))
    }
}
