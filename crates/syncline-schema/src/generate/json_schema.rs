//! JSON Schema (draft 2020-12): what `export` prints.

use serde_json::{Map, Value, json};

use super::describe::{always_has_value, describe, meaning};
use crate::{Element, ElementKind, EmbeddedType, EnumType, Field, FieldKind, Model, Scalar, Schema};

/// Member that names a record's model where an export holds several.
const MODEL_MEMBER: &str = "__typename";

/// Member with the marks of a record's rich texts.
const SPANS_MEMBER: &str = "~spans";

/// The schema of an exported record of any model; that of one model, enum or embedded type stands under `$defs`.
///
/// It takes every record that a store with this schema can show: those that another schema has written into, too. So
/// what is required, a field or an element of a list, may be null, and an enum may hold another value.
pub fn json_schema(schema: &Schema) -> Value {
    let models = schema.models.iter().map(|model| (model.name.clone(), of_model(schema, model)));
    let embedded = schema.embedded.iter().map(|embedded| (embedded.name.clone(), of_embedded(schema, embedded)));
    let enums = schema.enums.iter().map(|e| (e.name.clone(), of_enum(schema, e)));
    let definitions: Map<String, Value> = models.chain(embedded).chain(enums).collect();
    let any: Vec<Value> = schema.models.iter().map(|model| reference(&model.name)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "A record as `syncline export` prints it; `#/$defs/NAME` is that of one model.",
        "anyOf": any,
        "$defs": definitions,
    })
}

fn of_model(schema: &Schema, model: &Model) -> Value {
    let fields = model.fields.iter();
    let mut properties: Map<String, Value> =
        fields.map(|field| (field.name.clone(), of_field(schema, &model.name, field, Some(model)))).collect();
    if schema.models.len() > 1 {
        let marked = json!({ "description": "The model, where an export holds several.", "const": model.name });
        properties.insert(MODEL_MEMBER.to_owned(), marked);
    }
    let rich = model.fields.iter().filter(|field| matches!(field.kind, FieldKind::Text { rich: true }));
    let spans: Map<String, Value> = rich.map(|field| (field.name.clone(), of_spans())).collect();
    if !spans.is_empty() {
        let marks = json!({
            "description": "Characters and marks of the rich texts that have marks.",
            "type": "object",
            "properties": spans,
            "additionalProperties": false,
        });
        properties.insert(SPANS_MEMBER.to_owned(), marks);
    }
    let local = if model.local { " It never leaves the device." } else { "" };
    let doc = format!("A record of `{}`, named by `{}`.{local}", model.name, model.key_fields().join("` and `"));
    object(with_words(schema.description(&model.name), doc), properties, &model.fields)
}

/// The spans of one text.
fn of_spans() -> Value {
    let properties = json!({
        "from": { "type": "integer" },
        "to": { "type": "integer" },
        "text": { "type": "string" },
        "marks": { "type": "object" },
        "expand": {
            "description": "On which sides of these marks typed text belongs to them, where that is not behind them.",
            "type": "object",
            "additionalProperties": { "enum": ["before", "after", "both", "none"] },
        },
    });
    let span = json!({ "type": "object", "properties": properties, "required": ["text", "marks"] });
    json!({ "type": "array", "items": span })
}

fn of_embedded(schema: &Schema, embedded: &EmbeddedType) -> Value {
    let (name, fields) = (&embedded.name, embedded.fields.iter());
    let properties = fields.map(|field| (field.name.clone(), of_field(schema, name, field, None))).collect();
    let doc = with_words(schema.description(name), format!("A value of `{name}`."));
    object(doc, properties, &embedded.fields)
}

/// The schema's own words, if it has any, before what else there is to say.
fn with_words(said: Option<&str>, doc: String) -> String {
    match said {
        Some(said) => format!("{said}\n\n{doc}"),
        None => doc,
    }
}

/// An object that has all these fields and no other properties.
fn object(description: String, properties: Map<String, Value>, fields: &[Field]) -> Value {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

fn of_enum(schema: &Schema, enum_type: &EnumType) -> Value {
    let name = &enum_type.name;
    let mut doc = format!("Enum `{name}`; any other string is a value that only a newer schema lists.");
    for value in &enum_type.values {
        if let Some(said) = schema.member_description(name, value) {
            doc.push_str(&format!("\n\n`{value}`: {said}"));
        }
    }
    json!({
        "description": with_words(schema.description(name), doc),
        "anyOf": [{ "enum": enum_type.values }, { "type": "string" }],
    })
}

fn of_field(schema: &Schema, owner: &str, field: &Field, model: Option<&Model>) -> Value {
    let mut description = format!("`{}`", describe(field));
    let meaning = meaning(field);
    if !meaning.is_empty() {
        description = format!("{description}. {meaning}");
    }
    let description = with_words(schema.member_description(owner, &field.name), description);
    let mut property = Map::from_iter([("description".to_owned(), Value::String(description))]);
    let value = of_kind(&field.kind);
    property.extend(if always_has_value(field, model) { value } else { or_null(value) });
    if let Some(default) = &field.default {
        property.insert("default".to_owned(), default.clone());
    }
    Value::Object(property)
}

fn of_kind(kind: &FieldKind) -> Map<String, Value> {
    match kind {
        FieldKind::Scalar(scalar) => of_scalar(*scalar),
        FieldKind::Counter => of_scalar(Scalar::Int),
        FieldKind::Text { .. } => of_scalar(Scalar::String),
        FieldKind::Enum(name) | FieldKind::Embedded(name) => named(name),
        FieldKind::List(element) => {
            // A record of a schema that did not demand its elements holds null among them, like a field.
            array(or_null(of_element(element)))
        }
        FieldKind::Set(element) => {
            let mut set = array(of_element(element));
            set.insert("uniqueItems".to_owned(), Value::Bool(true));
            set
        }
    }
}

fn of_element(element: &Element) -> Map<String, Value> {
    match &element.kind {
        ElementKind::Scalar(scalar) => of_scalar(*scalar),
        ElementKind::Enum(name) | ElementKind::Embedded(name) => named(name),
    }
}

fn of_scalar(scalar: Scalar) -> Map<String, Value> {
    match scalar {
        Scalar::Int | Scalar::Timestamp => Map::from_iter([
            ("type".to_owned(), Value::from("integer")),
            ("minimum".to_owned(), Value::from(i64::MIN)),
            ("maximum".to_owned(), Value::from(i64::MAX)),
        ]),
        Scalar::Float => typed("number"),
        Scalar::Boolean => typed("boolean"),
        // Any value at all.
        Scalar::Json => Map::new(),
        Scalar::Id
        | Scalar::String
        | Scalar::Date
        | Scalar::Time
        | Scalar::DateTime
        | Scalar::Email
        | Scalar::Url
        | Scalar::Phone
        | Scalar::IpAddress => typed("string"),
    }
}

fn typed(name: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), Value::from(name))])
}

fn array(items: Map<String, Value>) -> Map<String, Value> {
    let mut array = typed("array");
    array.insert("items".to_owned(), Value::Object(items));
    array
}

fn named(name: &str) -> Map<String, Value> {
    Map::from_iter([("$ref".to_owned(), Value::String(pointer(name)))])
}

fn reference(name: &str) -> Value {
    Value::Object(named(name))
}

fn pointer(name: &str) -> String {
    format!("#/$defs/{name}")
}

/// The same, or null.
fn or_null(mut value: Map<String, Value>) -> Map<String, Value> {
    match value.get("type") {
        Some(one) => {
            let either = json!([one, "null"]);
            value.insert("type".to_owned(), either);
            value
        }
        None if value.is_empty() => value,
        None => Map::from_iter([("anyOf".to_owned(), json!([value, { "type": "null" }]))]),
    }
}
