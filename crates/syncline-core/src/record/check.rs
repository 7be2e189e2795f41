//! Whether a record in JSON fits its model: every bad field at once, each with its place.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use syncline_schema::{
    Element, ElementKind, EmbeddedType, Field, FieldKind, Managed, Model, Scalar, Schema, check_enum, check_scalar,
    did_you_mean,
};

use super::encode;
use super::key::RecordKey;
use super::time::parse_ms;
use crate::change::MAX_COUNTER;
use crate::ids::RecordId;

/// Most bytes of text that one save may carry: a change holds 8 MiB, names and numbers included.
pub const RECORD_BYTES_MAX: usize = 7 << 20;

/// Longest element of a set, in bytes: elements are keys of the document.
const ELEMENT_BYTES_MAX: usize = 4096;

/// A record, or a patch of one, does not fit its model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct InvalidRecord {
    /// The model.
    pub model: String,
    /// Every fault found, in the order of the model.
    pub fields: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Where: `title`, `tags[3]`, `address.city`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no valid {}: ", self.model)?;
        for (index, fault) in self.fields.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}`{}`: {}", fault.field, fault.message)?;
        }
        Ok(())
    }
}

/// A record that fits its model, with defaults applied, not yet saved.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// Its key; `None` if an id is to be generated.
    pub key: Option<RecordKey>,
    /// Values of the fields that have one, by field name, key fields and derived ones excluded.
    pub values: Map<String, Value>,
    /// The `updatedAt` that came with the record, in milliseconds since 1970. A record's
    /// `updatedAt` derives from its changes' times, so a save ignores it; an import keeps it by
    /// giving this time to the change.
    pub updated_at_ms: Option<i64>,
}

impl NewRecord {
    /// Checks a whole record: known fields, required ones present (after `@default`), types,
    /// formats, enum values, sizes, the key.
    ///
    /// `createdAt` may be given, and is kept then; `updatedAt` may be given, and is derived all the
    /// same.
    pub fn check(schema: &Schema, model: &Model, record: &Map<String, Value>) -> Result<Self, InvalidRecord> {
        let mut checker = Checker::new(schema, model);
        let record = &*checker.with_references(record);
        checker.unknown_fields(&model.fields, record, "");
        let key = RecordKey::checked(&mut checker, model, record);
        let mut updated_at_ms = None;
        let mut values = Map::with_capacity(model.fields.len());
        for field in model.fields.iter().filter(|field| !model.is_key_field(&field.name)) {
            let given = record.get(&field.name);
            if field.managed == Managed::UpdatedAt {
                updated_at_ms = given.and_then(moment_ms);
                continue;
            }
            if let Some(value) = checker.field(field, &field.name, given) {
                values.insert(field.name.clone(), value);
            }
        }
        checker.size(&values);
        checker.finish()?;
        Ok(Self { key, values, updated_at_ms })
    }

    /// The record that the key names; `None` if its id is to be generated.
    pub fn record_id(&self, model: &Model) -> Option<RecordId> {
        self.key.as_ref().map(|key| key.record_id(model))
    }
}

/// Collects the faults of one record.
pub(super) struct Checker<'a> {
    pub(super) schema: &'a Schema,
    pub(super) model: &'a Model,
    faults: Vec<FieldError>,
    /// Fields that lack a value because of a fault that is told elsewhere.
    excused: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(schema: &'a Schema, model: &'a Model) -> Self {
        Self { schema, model, faults: Vec::new(), excused: Vec::new() }
    }

    pub(super) fn finish(self) -> Result<(), InvalidRecord> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(InvalidRecord { model: self.model.name.clone(), fields: self.faults })
    }

    /// Forgets what was wrong so far, for another check to tell; what follows from it stays excused.
    pub(super) fn forget(&mut self) {
        self.faults.clear();
    }

    /// Says nothing of these fields any more.
    pub(super) fn excuse(&mut self, fields: &[String]) {
        self.excused.extend_from_slice(fields);
    }

    pub(super) fn fault(&mut self, place: &str, message: &str) {
        if self.excused.iter().any(|excused| excused == place) {
            return;
        }
        self.faults.push(FieldError { field: place.to_owned(), message: message.to_owned() });
    }

    /// Names every key of `record` that is no field.
    pub(super) fn unknown_fields(&mut self, fields: &[Field], record: &Map<String, Value>, prefix: &str) {
        for name in record.keys() {
            if fields.iter().any(|field| field.name == *name) {
                continue;
            }
            let place = format!("{prefix}{name}");
            let cure = did_you_mean(name, fields.iter().map(|field| field.name.as_str()))
                .unwrap_or_else(|| format!("the fields are {}", names(fields)));
            self.fault(&place, &format!("there is no such field; {cure}"));
        }
    }

    /// The value that a new record gets in a field: what was given, the default, or none.
    pub(super) fn field(&mut self, field: &Field, place: &str, given: Option<&Value>) -> Option<Value> {
        let defaulted = match given {
            None => field.default.as_ref(),
            Some(Value::Null) if field.required => field.default.as_ref(),
            Some(value) => Some(value),
        };
        match defaulted.filter(|value| !value.is_null()) {
            Some(value) => self.value(&field.kind, place, value),
            None => {
                if field.required && !may_be_left_out(field) {
                    let message = format!("it is required and has no value{}", self.reference_held_in(place));
                    self.fault(place, &message);
                }
                None
            }
        }
    }

    /// The normal form of a value that is not null, or `None` after naming what is wrong.
    pub(super) fn value(&mut self, kind: &FieldKind, place: &str, value: &Value) -> Option<Value> {
        match kind {
            FieldKind::Scalar(scalar) => {
                self.verdict(place, check_scalar(*scalar, value)).then(|| encode::normal(*scalar, value))
            }
            FieldKind::Enum(name) => self.enum_value(name, place, value),
            FieldKind::Counter => self.counter(place, value),
            FieldKind::Text { .. } => self.scalar(Scalar::String, place, value),
            FieldKind::List(element) => self.list(element, place, value),
            FieldKind::Set(element) => self.set(element, place, value),
            FieldKind::Embedded(name) => self.embedded(name, place, value),
        }
    }

    /// Names the greatest text if all texts together are too long for one change.
    pub(super) fn size(&mut self, values: &Map<String, Value>) {
        let sizes: Vec<usize> = values.values().map(text_bytes).collect();
        let total: usize = sizes.iter().sum();
        if total <= RECORD_BYTES_MAX {
            return;
        }
        if let Some((bytes, name)) = sizes.iter().zip(values.keys()).max() {
            let name = name.clone();
            self.fault(
                &name,
                &format!("it has {bytes} bytes and the record {total}, and one save holds at most {RECORD_BYTES_MAX}"),
            );
        }
    }

    fn verdict(&mut self, place: &str, verdict: Result<(), String>) -> bool {
        match verdict {
            Ok(()) => true,
            Err(message) => {
                self.fault(place, &message);
                false
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, place: &str, value: &Value) -> Option<Value> {
        self.verdict(place, check_scalar(scalar, value)).then(|| value.clone())
    }

    fn counter(&mut self, place: &str, value: &Value) -> Option<Value> {
        let checked = self.scalar(Scalar::Int, place, value)?;
        if checked.as_i64().is_some_and(|number| number.unsigned_abs() > MAX_COUNTER.unsigned_abs()) {
            self.fault(place, &format!("{value} leaves the range of counters (±{MAX_COUNTER})"));
            return None;
        }
        Some(checked)
    }

    fn enum_value(&mut self, name: &str, place: &str, value: &Value) -> Option<Value> {
        let verdict = match self.schema.enum_type(name) {
            Some(enum_type) => check_enum(enum_type, value),
            None => Err(format!("the schema has no enum {name}")),
        };
        self.verdict(place, verdict).then(|| value.clone())
    }

    fn list(&mut self, element: &Element, place: &str, value: &Value) -> Option<Value> {
        let Value::Array(items) = value else {
            self.fault(place, &format!("expected a list, found {value}"));
            return None;
        };
        let checked = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.item(element, &format!("{place}[{index}]"), item))
            .collect::<Vec<_>>();
        (checked.len() == items.len()).then_some(Value::Array(checked))
    }

    fn set(&mut self, element: &Element, place: &str, value: &Value) -> Option<Value> {
        let strict = Element { required: true, ..element.clone() };
        let Value::Array(items) = self.list(&strict, place, value)? else {
            return None;
        };
        let mut seen = BTreeSet::new();
        let mut unique = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let text = encode::element_text(&element.kind, &item)?;
            if text.len() > ELEMENT_BYTES_MAX {
                self.fault(
                    &format!("{place}[{index}]"),
                    &format!("it has {} bytes, and an element of a set at most {ELEMENT_BYTES_MAX}", text.len()),
                );
            }
            if seen.insert(text) {
                unique.push(item);
            }
        }
        Some(Value::Array(unique))
    }

    fn item(&mut self, element: &Element, place: &str, value: &Value) -> Option<Value> {
        if value.is_null() {
            if element.required {
                self.fault(place, "an element may not be null");
                return None;
            }
            return Some(Value::Null);
        }
        self.value(&element_kind(&element.kind), place, value)
    }

    fn embedded(&mut self, name: &str, place: &str, value: &Value) -> Option<Value> {
        let schema = self.schema;
        let Some(embedded) = schema.embedded_type(name) else {
            self.fault(place, &format!("the schema has no type {name}"));
            return None;
        };
        let Value::Object(given) = value else {
            self.fault(place, &format!("expected an object of type {name}, found {value}"));
            return None;
        };
        Some(self.embedded_fields(embedded, place, given))
    }

    /// Every field of the embedded type, those without a value as null.
    fn embedded_fields(&mut self, embedded: &EmbeddedType, place: &str, given: &Map<String, Value>) -> Value {
        self.unknown_fields(&embedded.fields, given, &format!("{place}."));
        let fields = embedded.fields.iter().map(|field| {
            let inner = format!("{place}.{}", field.name);
            let value = self.field(field, &inner, given.get(&field.name));
            (field.name.clone(), value.unwrap_or(Value::Null))
        });
        Value::Object(fields.collect())
    }
}

/// The field kind that has the same values as an element.
pub(super) fn element_kind(kind: &ElementKind) -> FieldKind {
    match kind {
        ElementKind::Scalar(scalar) => FieldKind::Scalar(*scalar),
        ElementKind::Enum(name) => FieldKind::Enum(name.clone()),
        ElementKind::Embedded(name) => FieldKind::Embedded(name.clone()),
    }
}

/// Counters start at 0, sets and texts and lists empty, managed fields fill themselves.
fn may_be_left_out(field: &Field) -> bool {
    let managed = match field.managed {
        Managed::No => false,
        Managed::Id | Managed::CreatedAt | Managed::UpdatedAt | Managed::Owner => true,
    };
    managed || matches!(field.kind, FieldKind::Counter | FieldKind::Set(_))
}

fn moment_ms(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => parse_ms(text),
        Value::Number(seconds) => seconds.as_i64()?.checked_mul(1000),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 8 + text_bytes(item)).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 8 + text_bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
}
