//! List elements between plain JSON and the document.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ChangeHash, ObjId, ObjType, Prop, ReadDoc, ScalarValue, Value};
use serde_json::{Map, Number, Value as Json};

use crate::guard::MAX_DEPTH;

/// The elements of a list.
pub(super) fn elements(doc: &impl ReadDoc, list: &ObjId) -> Vec<Json> {
    elements_at(doc, list, None)
}

/// The elements of a list, as they were at these heads if any are given.
pub(super) fn elements_at(doc: &impl ReadDoc, list: &ObjId, heads: Option<&[ChangeHash]>) -> Vec<Json> {
    read_list(doc, list, heads, MAX_DEPTH)
}

/// A value that stands in a list.
pub(super) fn value_at(doc: &impl ReadDoc, value: &Value<'_>, object: &ObjId, heads: &[ChangeHash]) -> Json {
    match value {
        Value::Scalar(scalar) => scalar_to_json(scalar),
        Value::Object(kind) => read_object(doc, object, *kind, Some(heads), MAX_DEPTH - 1),
    }
}

fn read_list(doc: &impl ReadDoc, list: &ObjId, heads: Option<&[ChangeHash]>, levels: u8) -> Vec<Json> {
    let length = heads.map_or_else(|| doc.length(list), |heads| doc.length_at(list, heads));
    (0..length).map(|at| read(doc, list, at.into(), heads, levels)).collect()
}

/// `levels` bounds the recursion; the guard lets nothing deeper in.
fn read(doc: &impl ReadDoc, parent: &ObjId, at: Prop, heads: Option<&[ChangeHash]>, levels: u8) -> Json {
    let found = match heads {
        None => doc.get(parent, at),
        Some(heads) => doc.get_at(parent, at, heads),
    };
    match found {
        Ok(Some((Value::Scalar(scalar), _))) => scalar_to_json(&scalar),
        Ok(Some((Value::Object(kind), object))) if levels > 0 => read_object(doc, &object, kind, heads, levels - 1),
        Ok(Some((Value::Object(_), _)) | None) | Err(_) => Json::Null,
    }
}

fn read_object(doc: &impl ReadDoc, object: &ObjId, kind: ObjType, heads: Option<&[ChangeHash]>, levels: u8) -> Json {
    match kind {
        ObjType::Text => {
            let text = heads.map_or_else(|| doc.text(object), |heads| doc.text_at(object, heads));
            text.map_or(Json::Null, Json::String)
        }
        ObjType::List => Json::Array(read_list(doc, object, heads, levels)),
        ObjType::Map | ObjType::Table => {
            let entry = |key: String| {
                let value = read(doc, object, key.as_str().into(), heads, levels);
                (key, value)
            };
            let keys = heads.map_or_else(|| doc.keys(object), |heads| doc.keys_at(object, heads));
            Json::Object(keys.map(entry).collect())
        }
    }
}

pub(crate) fn scalar_to_json(scalar: &ScalarValue) -> Json {
    match scalar {
        ScalarValue::Str(text) => Json::String(text.to_string()),
        ScalarValue::Int(int) | ScalarValue::Timestamp(int) => Json::from(*int),
        ScalarValue::Uint(uint) => Json::from(*uint),
        ScalarValue::F64(float) => Number::from_f64(*float).map_or(Json::Null, Json::Number),
        ScalarValue::Counter(counter) => Json::from(i64::from(counter)),
        ScalarValue::Boolean(truth) => Json::Bool(*truth),
        ScalarValue::Bytes(bytes) => Json::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        ScalarValue::Null | ScalarValue::Unknown { .. } => Json::Null,
    }
}

/// Inserts an element whole.
pub(super) fn insert(tx: &mut Transaction<'_>, list: &ObjId, at: usize, element: &Json) -> Result<(), AutomergeError> {
    match element {
        Json::Object(entries) => {
            let map = tx.insert_object(list, at, ObjType::Map)?;
            fill_map(tx, &map, entries)
        }
        Json::Array(inner) => {
            let nested = tx.insert_object(list, at, ObjType::List)?;
            fill_list(tx, &nested, inner)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => tx.insert(list, at, scalar(element)),
    }
}

/// Entries in order of their keys, so that equal elements make equal operations.
fn fill_map(tx: &mut Transaction<'_>, map: &ObjId, entries: &Map<String, Json>) -> Result<(), AutomergeError> {
    for (key, value) in sorted(entries) {
        match value {
            Json::Object(inner) => {
                let nested = tx.put_object(map, key, ObjType::Map)?;
                fill_map(tx, &nested, inner)?;
            }
            Json::Array(inner) => {
                let nested = tx.put_object(map, key, ObjType::List)?;
                fill_list(tx, &nested, inner)?;
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => tx.put(map, key, scalar(value))?,
        }
    }
    Ok(())
}

fn fill_list(tx: &mut Transaction<'_>, list: &ObjId, elements: &[Json]) -> Result<(), AutomergeError> {
    let mut enumerated = elements.iter().enumerate();
    enumerated.try_for_each(|(at, element)| insert(tx, list, at, element))
}

/// Entries in order of their keys.
pub(crate) fn sorted(entries: &Map<String, Json>) -> Vec<(&str, &Json)> {
    let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (key.as_str(), value)).collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted
}

/// A value that is no list and no object.
pub(crate) fn scalar(value: &Json) -> ScalarValue {
    match value {
        Json::Bool(truth) => ScalarValue::Boolean(*truth),
        Json::String(text) => ScalarValue::Str(text.as_str().into()),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => ScalarValue::Int(int),
            (None, Some(uint), _) => ScalarValue::Uint(uint),
            (None, None, Some(float)) => ScalarValue::F64(float),
            (None, None, None) => ScalarValue::Null,
        },
        Json::Null | Json::Array(_) | Json::Object(_) => ScalarValue::Null,
    }
}

/// How many operations inserting an element takes.
pub(super) fn weight(element: &Json) -> usize {
    match element {
        Json::Array(inner) => 1 + inner.iter().map(weight).sum::<usize>(),
        Json::Object(entries) => 1 + entries.values().map(weight).sum::<usize>(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
    }
}

/// How many objects are nested in each other.
pub(super) fn depth(element: &Json) -> u8 {
    match element {
        Json::Array(inner) => inner.iter().map(depth).max().unwrap_or(0).saturating_add(1),
        Json::Object(entries) => entries.values().map(depth).max().unwrap_or(0).saturating_add(1),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

/// Equal elements, and only they, have equal text.
pub(crate) fn canonical(element: &Json) -> String {
    let mut out = String::new();
    write_canonical(element, &mut out);
    out
}

fn write_canonical(element: &Json, out: &mut String) {
    match element {
        Json::Array(inner) => {
            out.push('[');
            for element in inner {
                write_canonical(element, out);
                out.push(',');
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (key, value) in sorted(entries) {
                out.push_str(&Json::from(key).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => out.push_str(&element.to_string()),
    }
}
