//! Values that are counted up, for records that come in bulk: every field filled, each record another.

use serde_json::{Map, Value, json};
use syncline_schema::{Element, ElementKind, EmbeddedType, Field, FieldKind, Managed, Model, Scalar, Schema};

/// How deep embedded types are followed; the schema forbids cycles.
const DEPTH_MAX: u32 = 8;

/// Record `number` of the import of an event.
pub(super) fn counted(schema: &Schema, model: &Model, event: u32, number: u32) -> Map<String, Value> {
    let n = u64::from(event) * 1_000_000 + u64::from(number);
    fields(schema, &model.fields, n, 0)
}

fn fields(schema: &Schema, fields: &[Field], n: u64, depth: u32) -> Map<String, Value> {
    let app_fills = fields.iter().filter(|field| matches!(field.managed, Managed::No) && !field.local);
    app_fills.map(|field| (field.name.clone(), value(schema, &field.kind, n, depth))).collect()
}

fn value(schema: &Schema, kind: &FieldKind, n: u64, depth: u32) -> Value {
    match kind {
        FieldKind::Scalar(kind) => scalar(*kind, n),
        FieldKind::Enum(name) => enum_value(schema, name, n),
        FieldKind::Counter => json!(0),
        FieldKind::Text { .. } => json!(""),
        FieldKind::List(element_kind) | FieldKind::Set(element_kind) => {
            Value::Array(vec![element(schema, element_kind, n, depth)])
        }
        FieldKind::Embedded(name) => embedded(schema, schema.embedded_type(name), n, depth),
    }
}

fn element(schema: &Schema, element: &Element, n: u64, depth: u32) -> Value {
    match &element.kind {
        ElementKind::Scalar(kind) => scalar(*kind, n),
        ElementKind::Enum(name) => enum_value(schema, name, n),
        ElementKind::Embedded(name) => embedded(schema, schema.embedded_type(name), n, depth),
    }
}

fn embedded(schema: &Schema, of: Option<&EmbeddedType>, n: u64, depth: u32) -> Value {
    match of {
        Some(of) if depth < DEPTH_MAX => Value::Object(fields(schema, &of.fields, n, depth + 1)),
        Some(_) | None => Value::Null,
    }
}

fn enum_value(schema: &Schema, name: &str, n: u64) -> Value {
    let values = schema.enum_type(name).map(|of| of.values.as_slice()).unwrap_or_default();
    let at = n as usize % values.len().max(1);
    values.get(at).map_or(Value::Null, |value| json!(value))
}

fn scalar(kind: Scalar, n: u64) -> Value {
    match kind {
        Scalar::Id | Scalar::String => json!(format!("item {n}")),
        Scalar::Int => json!(n),
        Scalar::Float => json!(n as f64 / 4.0),
        Scalar::Boolean => json!(n.is_multiple_of(2)),
        Scalar::Date => json!(format!("2026-{:02}-{:02}", 1 + n % 12, 1 + n % 28)),
        Scalar::Time => json!(format!("{:02}:{:02}:{:02}", n % 24, n % 60, n / 60 % 60)),
        Scalar::DateTime => json!(format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + n % 12, 1 + n % 28, n % 24, n % 60)),
        Scalar::Timestamp => json!(1_767_225_600 + n),
        Scalar::Email => json!(format!("someone{n}@example.com")),
        Scalar::Json => json!({ "n": n }),
        Scalar::Url => json!(format!("https://example.com/{n}")),
        Scalar::Phone => json!(format!("+1555{:07}", n % 10_000_000)),
        Scalar::IpAddress => json!(format!("10.{}.{}.{}", n / 65_536 % 256, n / 256 % 256, n % 256)),
    }
}
