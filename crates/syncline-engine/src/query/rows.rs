//! Rows read straight into the app's types, without a JSON record in between.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use syncline_core::record::{SqlValue, json_value};
use syncline_schema::{Field, FieldKind, Model, Scalar};

/// Why a row is no value of the type.
pub(super) type RowError = serde::de::value::Error;

/// The record in a row of all columns, as a value of `T`.
pub(super) fn read<T: DeserializeOwned>(model: &Model, row: &Row<'_>) -> Result<T, RowError> {
    T::deserialize(MapAccessDeserializer::new(Columns { model, row, next: 0 }))
}

/// A row as a map from field names to values.
struct Columns<'r, 's> {
    model: &'r Model,
    row: &'r Row<'s>,
    next: usize,
}

impl<'de> MapAccess<'de> for Columns<'_, '_> {
    type Error = RowError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, RowError> {
        let Some(field) = self.model.fields.get(self.next) else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(&field.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, RowError> {
        let index = self.next;
        self.next += 1;
        let field = self.model.fields.get(index).ok_or_else(|| RowError::custom("the row has no more columns"))?;
        let value = self.row.get_ref(index).map_err(RowError::custom)?;
        seed.deserialize(Column { field, value })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.model.fields.len() - self.next)
    }
}

/// One column's value.
struct Column<'r> {
    field: &'r Field,
    value: ValueRef<'r>,
}

impl Column<'_> {
    /// Whether the column holds JSON text that stands for something else than a string.
    fn is_json(&self) -> bool {
        match &self.field.kind {
            FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => true,
            FieldKind::Scalar(scalar) => *scalar == Scalar::Json,
            FieldKind::Enum(_) | FieldKind::Counter | FieldKind::Text { .. } => false,
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, RowError> {
    std::str::from_utf8(bytes).map_err(RowError::custom)
}

impl<'de> Deserializer<'de> for Column<'_> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value {
            ValueRef::Null => visitor.visit_unit(),
            ValueRef::Integer(number) => match self.field.kind {
                FieldKind::Scalar(Scalar::Boolean) if matches!(number, 0 | 1) => visitor.visit_bool(number == 1),
                FieldKind::Scalar(Scalar::Float) => visitor.visit_f64(number as f64),
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::List(_)
                | FieldKind::Set(_)
                | FieldKind::Embedded(_) => visitor.visit_i64(number),
            },
            ValueRef::Real(number) => visitor.visit_f64(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) if self.is_json() => {
                let json = json_value(&self.field.kind, SqlValue::Text(text(bytes)?.to_owned()));
                json.into_deserializer().deserialize_any(visitor).map_err(RowError::custom)
            }
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => visitor.visit_str(text(bytes)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value {
            ValueRef::Null => visitor.visit_none(),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match self.value {
            ValueRef::Text(bytes) => StrDeserializer::new(text(bytes)?).deserialize_enum(name, variants, visitor),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
                self.deserialize_any(visitor)
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}
