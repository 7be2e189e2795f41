//! Fields at which values stand side by side that were written without knowledge of each other, and
//! how an app settles them.
//!
//! Sets, counters, texts, lists and existence merge; they have no conflicts.

use automerge::ScalarValue;
use serde_json::Value;
use syncline_schema::{FieldKind, Managed, Merge, Model, Scalar, Schema};

use super::check::{Checker, InvalidRecord};
use super::encode::{self, decode_scalar};
use super::items;
use super::place::{Slot, slots};
use super::view::RecordView;
use crate::edit::{Edits, RootEdit};
use crate::state::{RecordState, VisibleOp};

/// A field with more than one value.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrentValues<'a> {
    /// Name of the field, or path into an embedded value: `title`, `address.city`.
    pub field: String,
    /// What decides which value shows.
    pub rule: Merge,
    /// Every value with the operation that wrote it, ascending by operation; equal values of two
    /// writers stand twice.
    pub values: Vec<(&'a VisibleOp, Value)>,
    /// Which of them shows.
    pub shown: usize,
}

/// Why a field cannot be settled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unsettled {
    /// The value does not fit the field, or there is no such field.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    /// One value stands there, or the same one several times.
    #[error("`{field}` has no conflict: it holds one value; to change it, update the record")]
    NoConflict {
        /// The field as asked.
        field: String,
    },
}

impl<'a> RecordView<'a> {
    /// The fields that hold different values at once, in the order of the schema, deleted or not.
    pub fn conflicts(&self) -> Vec<ConcurrentValues<'a>> {
        if !may_conflict(self.state) {
            return Vec::new();
        }
        slots(self.schema, self.model).iter().filter_map(|slot| self.conflict_at(slot)).collect()
    }

    /// A number that says which operations stand in conflict: another one whenever the conflicts of
    /// the record are others. `None` if there are none, or the record is deleted.
    pub fn conflict_mark(&self) -> Option<u64> {
        if !self.is_live() || !may_conflict(self.state) {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        let mut any = false;
        for slot in slots(self.schema, self.model) {
            let Some(conflict) = self.conflict_at(&slot) else { continue };
            any = true;
            hasher.update(&(slot.key.len() as u64).to_le_bytes());
            hasher.update(slot.key.as_bytes());
            hasher.update(&(conflict.values.len() as u64).to_le_bytes());
            for (op, _) in conflict.values {
                hasher.update(&op.id.counter.to_le_bytes());
                let actor = op.id.actor.to_bytes();
                hasher.update(&(actor.len() as u64).to_le_bytes());
                hasher.update(actor);
            }
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        any.then(|| u64::from_le_bytes(first))
    }

    fn conflict_at(&self, slot: &Slot<'_>) -> Option<ConcurrentValues<'a>> {
        let ops = self.ops(&slot.key);
        // Nobody's `updatedAt` counts, whoever wrote it.
        if ops.len() < 2 || slot.field.managed == Managed::UpdatedAt {
            return None;
        }
        let values: Vec<(&VisibleOp, Value)> =
            ops.iter().filter_map(|op| Some((op, shown_value(self.schema, slot, op.value.scalar()?)))).collect();
        let (_, first) = values.first()?;
        if values.iter().all(|(_, value)| value == first) {
            return None;
        }
        let shown = self.shown(slot.field.merge, &slot.key)?;
        let shown = values.iter().position(|(op, _)| op.id == shown.id)?;
        Some(ConcurrentValues { field: slot.path.clone(), rule: slot.field.merge, values, shown })
    }

    /// The edits that leave this value alone in a field that holds several: one of them, or a new
    /// one. An edit is made even if the value is the one that shows.
    pub fn resolve(&self, field: &str, value: &Value) -> Result<Edits, Unsettled> {
        let all = slots(self.schema, self.model);
        let Some(slot) = all.iter().find(|slot| slot.path == field) else {
            return Err(no_slot(self.schema, self.model, &all, field).into());
        };
        let value = self.checked(slot, value)?;
        if self.conflict_at(slot).is_none() {
            return Err(Unsettled::NoConflict { field: field.to_owned() });
        }
        let root = vec![RootEdit::Put(slot.key.clone(), value)];
        Ok(self.alive_with(Edits { root, objects: Vec::new() }))
    }

    fn checked(&self, slot: &Slot<'_>, value: &Value) -> Result<ScalarValue, InvalidRecord> {
        let mut checker = Checker::new(self.schema, self.model);
        let kind = &slot.field.kind;
        let encoded = if !value.is_null() {
            checker.value(kind, &slot.path, value).and_then(|value| match encode::scalar_of(kind) {
                Some(scalar) => encode::encode_scalar(scalar, &value),
                // A list inside an embedded value is one scalar.
                None => Some(ScalarValue::from(items::stored(self.schema, kind, &value).to_string())),
            })
        } else if slot.field.required {
            checker.fault(&slot.path, "it is required and cannot be null");
            None
        } else {
            Some(ScalarValue::Null)
        };
        checker.finish()?;
        encoded.ok_or_else(|| {
            let mut checker = Checker::new(self.schema, self.model);
            checker.fault(&slot.path, "the value cannot be stored");
            checker.finish().expect_err("a fault was just named")
        })
    }
}

/// Whether any root key holds several operations: most records have none, and no field is looked at.
fn may_conflict(state: &RecordState) -> bool {
    state.keys.values().any(|ops| ops.len() > 1)
}

/// What one of several operations at a place shows.
pub(super) fn shown_value(schema: &Schema, slot: &Slot<'_>, value: &ScalarValue) -> Value {
    match (&slot.field.kind, value) {
        (FieldKind::List(_) | FieldKind::Set(_), ScalarValue::Str(text)) => match serde_json::from_str(text.as_str()) {
            Ok(list) => items::shown(schema, &slot.field.kind, &list),
            Err(_) => Value::String(text.to_string()),
        },
        (kind, value) => decode_scalar(encode::scalar_of(kind).unwrap_or(Scalar::String), value),
    }
}

/// Why a name is no place that can hold several values.
fn no_slot(schema: &Schema, model: &Model, all: &[Slot<'_>], field: &str) -> InvalidRecord {
    let mut checker = Checker::new(schema, model);
    let inside = format!("{field}.");
    let within: Vec<&str> =
        all.iter().map(|slot| slot.path.as_str()).filter(|path| path.starts_with(&inside)).collect();
    match model.field(field) {
        _ if !within.is_empty() => {
            checker.fault(field, &format!("it merges field by field: name one of {}", within.join(", ")));
        }
        Some(_) if model.is_key_field(field) => checker.fault(field, "it is part of the key and never in conflict"),
        Some(_) => checker.fault(field, "it merges by itself and is never in conflict"),
        None => {
            let cure = syncline_schema::did_you_mean(field, all.iter().map(|slot| slot.path.as_str()))
                .unwrap_or_else(|| "name a field of one value".to_owned());
            checker.fault(field, &format!("there is no such field; {cure}"));
        }
    }
    checker.finish().expect_err("a fault was just named")
}
