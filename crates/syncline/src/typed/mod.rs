//! The typed layer: structs, fields and conditions of a schema's models, over the JSON face.
//!
//! `models!` writes a [`Model`] for every type marked `@model`, and a [`Field`] for each of its
//! fields. A struct becomes a record in JSON by [`to_json`] and comes back by [`from_json`];
//! [`changed`] is the patch between two states of one, so that an update by closure writes only
//! what the closure touched.

mod aggregate;
mod condition;
mod field;
mod id;
mod include;
mod key;
mod relation;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub use aggregate::{Aggregate, Aggregates, GroupBy, Measured, count};
pub use condition::{Condition, OrderBy};
pub use field::{Comparable, CounterField, Field, Numeric, Ordered, SetField, TextField, Textual};
pub use id::Id;
pub use include::{IncludeMany, IncludeOne, Includes};
pub use key::RecordKey;
pub use relation::{ManyToMany, ToMany, ToOne};

#[allow(unused_imports, reason = "the tests of `models!` take this module without the store")]
pub(crate) use include::{ReadAs, read_with};

/// A struct whose values are the records of one model. Written by `models!`.
pub trait Model: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Name of the model in the schema.
    const NAME: &'static str;

    /// Paths of the fields that hold embedded types (`address`, `address.country`): a patch
    /// reaches into them, and replaces everything else as a whole.
    const EMBEDDED: &'static [&'static str] = &[];

    /// The record's key as the JSON face takes it: the id, or a JSON object of the key fields.
    /// `None` if the id is still to be generated.
    fn key(&self) -> Option<String>;
}

/// A record in JSON and the struct of its model do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The store's record has a shape that the struct does not: the two have different schemas.
    #[error(
        "this {model} of the store is no value of its Rust type: {place}{message}; \
         open the store with the schema that `models!` was given"
    )]
    Record {
        /// The model.
        model: &'static str,
        /// The field at fault, as ``field `title`: ``, or nothing where several are.
        place: String,
        /// What the field's type says to the value.
        message: String,
    },
    /// The struct does not serialize to a JSON object. Structs of `models!` always do.
    #[error("this {model} does not become a JSON object: {message}; check how it implements Serialize")]
    Struct {
        /// The model.
        model: &'static str,
        /// What came instead.
        message: String,
    },
}

/// The record that a struct stands for, by the names of the schema.
pub fn to_json<M: Model>(model: &M) -> Result<Map<String, Value>, Mismatch> {
    let message = match serde_json::to_value(model) {
        Ok(Value::Object(record)) => return Ok(record),
        Ok(other) => format!("found {other}"),
        Err(error) => error.to_string(),
    };
    Err(Mismatch::Struct { model: M::NAME, message })
}

/// The struct that stands for a record. Fields that the struct does not know are left out.
pub fn from_json<M: Model>(record: Map<String, Value>) -> Result<M, Mismatch> {
    let record = Value::Object(record);
    // By reference, so that a failure can still look for the field at fault.
    M::deserialize(&record).map_err(|error| {
        let message = error.to_string();
        Mismatch::Record { model: M::NAME, place: culprit::<M>(&record, &message).unwrap_or_default(), message }
    })
}

/// The patch that turns one state of a record into another: only fields that differ, and of
/// embedded values only what differs in them. Empty if nothing does.
pub fn changed<M: Model>(before: &M, after: &M) -> Result<Map<String, Value>, Mismatch> {
    let (before, after) = (to_json(before)?, to_json(after)?);
    Ok(differences(M::EMBEDDED, "", &before, &after))
}

fn differences(
    embedded: &[&str],
    prefix: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Map<String, Value> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let (old, new) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
        if old == new {
            return None;
        }
        let path = format!("{prefix}{name}");
        let patch = match (old, new) {
            (Value::Object(old), Value::Object(new)) if embedded.contains(&path.as_str()) => {
                Value::Object(differences(embedded, &format!("{path}."), old, new))
            }
            _ => new.clone(),
        };
        Some((name.clone(), patch))
    });
    differing.collect()
}

/// The field that fails by itself in the same way as the whole record does.
fn culprit<M: Model>(record: &Value, message: &str) -> Option<String> {
    let fails = |name: &str, value: &Value| {
        let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
        M::deserialize(&alone).is_err_and(|error| error.to_string() == message)
    };
    let mut fields = record.as_object()?.iter();
    fields.find(|(name, value)| fails(name, value)).map(|(name, _)| format!("field `{name}`: "))
}

/// Reads a required field. A record made before the field was, or emptied by somebody else's
/// concurrent edit, has null there: it reads as the field's default, never as an error.
#[doc(hidden)]
pub fn read_or<'de, D, T>(deserializer: D, default: impl FnOnce() -> T) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(default))
}

/// As [`read_or`], with the type's empty value.
#[doc(hidden)]
pub fn read_or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    read_or(deserializer, T::default)
}

/// Reads a list whose elements are required. A record that a schema wrote which allows null among them may hold it
/// there: it is left out, so that the record can be read, and is gone once the list is written anew.
#[doc(hidden)]
pub fn read_maybe_elements<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let elements: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    Ok(elements.map(|elements| elements.into_iter().flatten().collect()))
}

/// As [`read_maybe_elements`], for a list that is required itself.
#[doc(hidden)]
pub fn read_elements<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(read_maybe_elements(deserializer)?.unwrap_or_default())
}

/// A default of an AWSJSON field, in the form in which records show such values: a JSON string
/// stays JSON text.
#[doc(hidden)]
pub fn default_json(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::String(_) | Value::Null) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    }
}
