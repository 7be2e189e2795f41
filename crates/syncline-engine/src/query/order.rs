//! Order in SQL, and pages that go on behind a record.

use serde_json::{Map, Value};
use syncline_core::filter::{Order, field_at};
use syncline_core::record::{SqlValue, column_value};
use syncline_schema::{Model, Schema};

use super::error::QueryError;
use super::sql::{self, Sql};

/// The text behind ORDER BY. SQLite puts null first, as the order does. With `sort`, no index is to
/// be chosen for its order: a `+` makes an expression of a column.
pub(super) fn order_by(order: &[Order], sort: bool) -> String {
    let plus = if sort { "+" } else { "" };
    let keys = order.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        format!("{plus}{}{direction}", sql::expression(&key.field))
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

/// The condition of what stands behind the record of a token.
pub(super) fn behind(model: &Model, order: &[Order], token: &str) -> Result<Sql, QueryError> {
    let values = read(model, order, token).ok_or(QueryError::WrongToken)?;
    let keys: Vec<(&Order, SqlValue)> = order.iter().zip(values).collect();
    let mut cases = Vec::new();
    for (index, (key, value)) in keys.iter().enumerate() {
        let mut case: Vec<Sql> = keys[..index].iter().map(|(key, value)| same(key, value)).collect();
        case.push(after(key, value));
        cases.push(Sql::chain("AND", case));
    }
    let behind = Sql::chain("OR", cases);
    // Said once more as a range of the first key, so that an index can start there.
    match keys.first() {
        Some((first, value)) if keys.len() > 1 && !first.descending && *value != SqlValue::Null => {
            let from = Sql::of([column(first), Sql::text(" >= "), Sql::value(value.clone())]);
            Ok(Sql::chain("AND", vec![from, behind]))
        }
        Some(_) | None => Ok(behind),
    }
}

fn same(key: &Order, value: &SqlValue) -> Sql {
    Sql::of([column(key), Sql::text(" IS "), Sql::value(value.clone())])
}

fn after(key: &Order, value: &SqlValue) -> Sql {
    match (key.descending, value) {
        (false, SqlValue::Null) => Sql::of([column(key), Sql::text(" IS NOT NULL")]),
        (false, value) => Sql::of([column(key), Sql::text(" > "), Sql::value(value.clone())]),
        (true, SqlValue::Null) => Sql::text("0"),
        (true, value) => Sql::of([
            Sql::text("("),
            column(key),
            Sql::text(" < "),
            Sql::value(value.clone()),
            Sql::text(" OR "),
            column(key),
            Sql::text(" IS NULL)"),
        ]),
    }
}

fn column(key: &Order) -> Sql {
    Sql::text(&sql::expression(&key.field))
}

/// Tells orders and models apart, so that a token is not taken for another's.
fn fingerprint(model: &Model, order: &[Order]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new_derive_key("syncline page token 1");
    for part in std::iter::once(model.name.as_str()).chain(order.iter().map(|key| key.field.as_str())) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    order.iter().for_each(|key| {
        hasher.update(&[u8::from(key.descending)]);
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
