//! Order in SQL, and pages that go on behind a record.

use serde_json::{Map, Value};
use syncline_core::filter::{Nulls, Order, field_at};
use syncline_core::record::{SqlValue, column_value};
use syncline_schema::{Key, Model, Schema};

use super::error::QueryError;
use super::relation::all_indexes;
use super::sql::{self, Sql};

/// The text behind ORDER BY. With `sort`, no index is to be chosen for its order: a `+` makes an expression of a
/// column.
pub(super) fn order_by(order: &[Order], sort: bool) -> String {
    let plus = if sort { "+" } else { "" };
    let keys = order.iter().map(|key| {
        // SQLite takes null for the smallest value, and walks an index for that without being told.
        let suffix = match (key.descending, key.nulls) {
            (false, Nulls::First) => "",
            (false, Nulls::Last) => " NULLS LAST",
            (true, Nulls::First) => " DESC NULLS FIRST",
            (true, Nulls::Last) => " DESC",
        };
        format!("{plus}{}{suffix}", sql::expression(&key.field))
    });
    keys.collect::<Vec<_>>().join(", ")
}

/// The token of a record: its values in the order's keys, and which order that is.
pub(super) fn token(schema: &Schema, model: &Model, order: &[Order], record: &Map<String, Value>) -> String {
    let mut bytes = fingerprint(model, order).to_vec();
    for key in order {
        let mut steps = key.field.split('.');
        let first = steps.next().and_then(|name| record.get(name));
        let value = steps.fold(first, |value, name| value?.get(name)).cloned().unwrap_or(Value::Null);
        let kind = field_at(schema, model, &key.field).ok().map(|field| &field.kind);
        write(&mut bytes, &kind.map_or(SqlValue::Null, |kind| column_value(kind, value)));
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands behind the record of a token: conditions that no record meets twice, each for records that stand before
/// those of the next.
///
/// Where an index holds the first keys of the order, each condition is a range of it, so that a page costs what it
/// shows, however far behind it stands; a single condition with OR would walk all equal records, or all from the start.
/// Elsewhere it is one condition, for each would read the whole table.
pub(super) fn behind(schema: &Schema, model: &Model, order: &[Order], token: &str) -> Result<Vec<Sql>, QueryError> {
    let values = read(model, order, token).ok_or(QueryError::WrongToken)?;
    let place = |(key, value): (_, SqlValue)| Place::new(schema, model, key, value);
    let places: Vec<Place<'_>> = order.iter().zip(values).map(place).collect();
    let (ranged, rest) = places.split_at(indexed_keys(schema, model, order));
    let mut parts = Vec::new();
    let within = ranges(rest);
    if !within.is_empty() {
        let mut all = equal(ranged);
        all.push(Sql::chain("OR", within));
        parts.push(Sql::chain("AND", all));
    }
    parts.extend(ranges(ranged));
    // The token's record is the last that there can be.
    Ok(if parts.is_empty() { vec![Sql::text("0")] } else { parts })
}

/// How many of the order's first keys an index begins with.
fn indexed_keys(schema: &Schema, model: &Model, order: &[Order]) -> usize {
    let shared = |fields: &[&str]| fields.iter().zip(order).take_while(|(field, key)| **field == key.field).count();
    let indexes = all_indexes(schema, model);
    let indexes = indexes.iter().map(|index| index.fields.iter().map(String::as_str).collect());
    indexes.chain([model.key_fields()]).map(|fields: Vec<&str>| shared(&fields)).max().unwrap_or(0)
}

/// Where the token's record stands in one key.
struct Place<'a> {
    key: &'a Order,
    value: SqlValue,
    never_null: bool,
    /// What stands behind the key's column where it is not null.
    not_null: &'static str,
}

/// What stands behind the record in the last of the keys and equal in those before it, then in the last but one, …
fn ranges(places: &[Place<'_>]) -> Vec<Sql> {
    let mut ranges = Vec::new();
    for (index, place) in places.iter().enumerate().rev() {
        for after in place.after() {
            let mut all = equal(&places[..index]);
            all.push(after);
            ranges.push(Sql::chain("AND", all));
        }
    }
    ranges
}

fn equal(places: &[Place<'_>]) -> Vec<Sql> {
    places.iter().map(Place::same).collect()
}

impl<'a> Place<'a> {
    fn new(schema: &Schema, model: &Model, key: &'a Order, value: SqlValue) -> Self {
        let field = field_at(schema, model, &key.field);
        Self {
            key,
            value,
            never_null: model.key == Key::Id && key.field == "id",
            not_null: field.map_or(" IS NOT NULL", |field| sql::not_null(&key.field, &field.kind)),
        }
    }

    fn same(&self) -> Sql {
        if self.value == SqlValue::Null {
            return self.column(" IS NULL");
        }
        Sql::of([self.column(" = "), Sql::value(self.value.clone())])
    }

    /// What stands behind in this key: values, then nulls, or only one of them.
    fn after(&self) -> Vec<Sql> {
        match (self.key.nulls, &self.value) {
            (Nulls::First, SqlValue::Null) => vec![self.column(self.not_null)],
            (Nulls::Last, SqlValue::Null) => Vec::new(),
            (nulls, value) => {
                let sign = if self.key.descending { " < " } else { " > " };
                let values = Sql::of([self.column(sign), Sql::value(value.clone())]);
                if nulls == Nulls::Last && !self.never_null {
                    vec![values, self.column(" IS NULL")]
                } else {
                    vec![values]
                }
            }
        }
    }

    fn column(&self, operator: &str) -> Sql {
        Sql::text(&format!("{}{operator}", sql::expression(&self.key.field)))
    }
}

/// Tells orders and models apart, so that a token is not taken for another's.
fn fingerprint(model: &Model, order: &[Order]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new_derive_key("syncline page token 1");
    for part in std::iter::once(model.name.as_str()).chain(order.iter().map(|key| key.field.as_str())) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    order.iter().for_each(|key| {
        let placed = key.descending != (key.nulls == Nulls::Last);
        hasher.update(&[u8::from(key.descending) | u8::from(placed) << 1]);
    });
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    first
}

fn write(bytes: &mut Vec<u8>, value: &SqlValue) {
    match value {
        SqlValue::Null => bytes.push(0),
        SqlValue::Integer(number) => {
            bytes.push(1);
            bytes.extend(number.to_le_bytes());
        }
        SqlValue::Real(number) => {
            bytes.push(2);
            bytes.extend(number.to_le_bytes());
        }
        SqlValue::Text(text) => {
            bytes.push(3);
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
    }
}

fn read(model: &Model, order: &[Order], token: &str) -> Option<Vec<SqlValue>> {
    let bytes = from_hex(token)?;
    let mut rest = bytes.strip_prefix(&fingerprint(model, order))?;
    let values = order.iter().map(|_| read_value(&mut rest)).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(values)
}

fn read_value(rest: &mut &[u8]) -> Option<SqlValue> {
    let [tag] = take::<1>(rest)?;
    match tag {
        0 => Some(SqlValue::Null),
        1 => take(rest).map(i64::from_le_bytes).map(SqlValue::Integer),
        2 => take(rest).map(f64::from_le_bytes).map(SqlValue::Real),
        3 => {
            let length = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
            let text = rest.get(..length)?;
            *rest = &rest[length..];
            String::from_utf8(text.to_vec()).ok().map(SqlValue::Text)
        }
        _ => None,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
