//! Values for fields of any schema: every one different where that is possible, so that it tells who wrote it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use syncline_schema::{Element, ElementKind, EmbeddedType, Field, FieldKind, Key, Managed, Model, Scalar, Schema};

use super::random::Stream;

/// How many different elements the sets of a run have, and how many keys are used again and again.
const SMALL: u64 = 6;
/// Numbers below are for those.
const FIRST: u64 = 1000;
/// How deep embedded types are followed; schemas forbid cycles.
const DEPTH_MAX: u32 = 8;

const WORDS: [&str; 12] =
    ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "juniper", "knoll", "larch"];

/// Makes values that no other of its run has made.
pub(super) struct Values<'a> {
    pub(super) schema: &'a Schema,
    /// Streams of several makers of one run differ by this, in the highest digits.
    next: u64,
    texts: BTreeMap<(String, String), Supply>,
    maker: u64,
    makers: u64,
}

/// What is left of the characters of one field: each is used once, as far as they go.
#[derive(Clone, Copy)]
struct Supply {
    next: u64,
    step: u64,
}

impl<'a> Values<'a> {
    /// The `maker`-th of so many of a run.
    pub(super) fn new(schema: &'a Schema, maker: u64, makers: u64) -> Self {
        Self { schema, next: FIRST + maker, texts: BTreeMap::new(), maker, makers: makers.max(1) }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += self.makers;
        number
    }

    /// A whole record. `shared`: with a key that others use too, and nothing that a second save would undo.
    pub(super) fn record(&mut self, model: &Model, stream: &mut Stream, shared: bool) -> Map<String, Value> {
        let mut record = Map::new();
        let key = if shared { stream.below(SMALL) } else { self.number() };
        match &model.key {
            Key::Custom(fields) => {
                for name in fields {
                    let value = model.field(name).and_then(|field| self.key_value(&field.kind, key));
                    record.extend(value.map(|value| (name.clone(), value)));
                }
            }
            Key::Id if shared => {
                record.insert("id".to_owned(), json!(format!("shared {key}")));
            }
            Key::Id => {}
        }
        for field in model.fields.iter().filter(|field| is_apps(model, field)) {
            let merges = matches!(field.kind, FieldKind::Counter | FieldKind::Set(_) | FieldKind::Text { .. });
            if (shared && merges && !needs_value(field)) || (!needs_value(field) && stream.percent(30)) {
                continue;
            }
            let value = self.value(model, &field.name, &field.kind, stream, 0);
            record.extend(value.map(|value| (field.name.clone(), value)));
        }
        record
    }

    /// Whether a model's records can be made by several devices under one key without one undoing another's text.
    pub(super) fn can_share(model: &Model) -> bool {
        !model.fields.iter().any(|field| matches!(field.kind, FieldKind::Text { .. }) && needs_value(field))
    }

    /// A new value of a field; `None` where the schema has none.
    pub(super) fn value(
        &mut self,
        model: &Model,
        name: &str,
        kind: &FieldKind,
        stream: &mut Stream,
        depth: u32,
    ) -> Option<Value> {
        Some(match kind {
            FieldKind::Scalar(kind) => scalar(*kind, self.number()),
            FieldKind::Enum(of) => self.enum_value(of, stream.next())?,
            FieldKind::Counter => json!(stream.below(5)),
            FieldKind::Text { .. } => {
                let count = stream.between(1, 12);
                json!(self.text(model, name, count))
            }
            FieldKind::List(element) => self.list(element, stream, depth),
            FieldKind::Set(element) => {
                let mut elements: Vec<Value> = Vec::new();
                for _ in 0..stream.below(4) {
                    let element = self.set_element(element, stream)?;
                    if !elements.contains(&element) {
                        elements.push(element);
                    }
                }
                Value::Array(elements)
            }
            FieldKind::Embedded(of) => self.embedded(self.schema.embedded_type(of)?, stream, depth)?,
        })
    }

    /// Characters that stand nowhere else in a field of this run, as far as the supply goes.
    pub(super) fn text(&mut self, model: &Model, field: &str, count: u64) -> String {
        let fresh = Supply { next: self.maker, step: self.makers };
        let supply = self.texts.entry((model.name.clone(), field.to_owned())).or_insert(fresh);
        (0..count).map(|_| supply.draw()).collect()
    }

    /// Whether there are still so many such characters.
    pub(super) fn has_text(&self, model: &Model, field: &str, count: u64) -> bool {
        let used = self.texts.get(&(model.name.clone(), field.to_owned())).map_or(0, |supply| supply.next);
        used + count * self.makers <= CHARACTERS.iter().map(|(_, count)| count).sum()
    }

    /// One of few, so that others add and remove the same.
    pub(super) fn set_element(&self, element: &Element, stream: &mut Stream) -> Option<Value> {
        let number = stream.below(SMALL);
        match &element.kind {
            ElementKind::Scalar(kind) => Some(scalar(*kind, number)),
            ElementKind::Enum(of) => self.enum_value(of, number),
            ElementKind::Embedded(_) => None,
        }
    }

    /// One that no other list has.
    pub(super) fn list_element(&mut self, element: &Element, stream: &mut Stream, depth: u32) -> Value {
        if !element.required && stream.percent(5) {
            return Value::Null;
        }
        let value = match &element.kind {
            ElementKind::Scalar(kind) => Some(scalar(*kind, self.number())),
            ElementKind::Enum(of) => self.enum_value(of, stream.next()),
            ElementKind::Embedded(of) => {
                self.schema.embedded_type(of).and_then(|of| self.embedded(of, stream, depth + 1))
            }
        };
        value.unwrap_or(Value::Null)
    }

    fn list(&mut self, element: &Element, stream: &mut Stream, depth: u32) -> Value {
        let count = stream.below(4);
        Value::Array((0..count).map(|_| self.list_element(element, stream, depth)).collect())
    }

    fn embedded(&mut self, of: &EmbeddedType, stream: &mut Stream, depth: u32) -> Option<Value> {
        if depth >= DEPTH_MAX {
            return None;
        }
        let mut object = Map::new();
        for field in &of.fields {
            if !needs_value(field) && stream.percent(30) {
                continue;
            }
            let value = match &field.kind {
                FieldKind::Scalar(kind) => Some(scalar(*kind, self.number())),
                FieldKind::Enum(of) => self.enum_value(of, stream.next()),
                FieldKind::List(element) => Some(self.list(element, stream, depth + 1)),
                FieldKind::Embedded(of) => {
                    self.schema.embedded_type(of).and_then(|of| self.embedded(of, stream, depth + 1))
                }
                // An embedded type has none of these.
                FieldKind::Counter | FieldKind::Text { .. } | FieldKind::Set(_) => None,
            };
            object.extend(value.map(|value| (field.name.clone(), value)));
        }
        Some(Value::Object(object))
    }

    fn key_value(&self, kind: &FieldKind, number: u64) -> Option<Value> {
        match kind {
            FieldKind::Scalar(kind) => Some(scalar(*kind, number)),
            FieldKind::Enum(of) => self.enum_value(of, number),
            FieldKind::Counter
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_)
            | FieldKind::Embedded(_) => None,
        }
    }

    fn enum_value(&self, name: &str, number: u64) -> Option<Value> {
        let values = &self.schema.enum_type(name)?.values;
        values.get(number as usize % values.len().max(1)).map(|value| json!(value))
    }
}

/// Whether the app fills a field, once the record has a key.
pub(super) fn is_apps(model: &Model, field: &Field) -> bool {
    field.managed == Managed::No && !model.is_key_field(&field.name)
}

/// Whether a save without it is refused.
pub(super) fn needs_value(field: &Field) -> bool {
    field.required && field.default.is_none() && !matches!(field.kind, FieldKind::Counter | FieldKind::Set(_))
}

/// The value of a number; other numbers have others, as far as the type goes.
fn scalar(kind: Scalar, n: u64) -> Value {
    let word = WORDS[n as usize % WORDS.len()];
    match kind {
        Scalar::Id | Scalar::String => json!(format!("{word} {n}")),
        Scalar::Int => json!(n),
        Scalar::Float => fraction(n),
        Scalar::Boolean => json!(n.is_multiple_of(2)),
        Scalar::Date => json!(date(n)),
        Scalar::Time => json!(time(n)),
        Scalar::DateTime => json!(format!("{}T{}Z", date(n / 86_400), time(n % 86_400))),
        Scalar::Timestamp => json!(1_767_225_600 + n),
        Scalar::Email => json!(format!("{word}.{n}@example.org")),
        Scalar::Json => json!(json!({ "word": word, "n": n, "list": [n, null] }).to_string()),
        Scalar::Url => json!(format!("https://example.org/{word}/{n}")),
        Scalar::Phone => json!(format!("+49 30 {:07}", n % 10_000_000)),
        Scalar::IpAddress if n.is_multiple_of(3) => json!(format!("2001:db8::{:x}:{:x}", n >> 16 & 0xffff, n & 0xffff)),
        Scalar::IpAddress => json!(format!("10.{}.{}.{}", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff)),
    }
}

/// Written as text: no floating-point arithmetic decides what a schedule holds.
fn fraction(n: u64) -> Value {
    let text = format!("{}.{}", n, [25, 5, 75][n as usize % 3]);
    serde_json::from_str(&text).unwrap_or_else(|_| json!(n))
}

fn date(n: u64) -> String {
    format!("{:04}-{:02}-{:02}", 1900 + n / 336 % 500, n / 28 % 12 + 1, n % 28 + 1)
}

fn time(n: u64) -> String {
    format!("{:02}:{:02}:{:02}", n / 3600 % 24, n / 60 % 60, n % 60)
}

/// Runs of assigned characters, some of three bytes in UTF-8 and some of four, then of private ones.
const CHARACTERS: [(u32, u64); 6] =
    [(0x4e00, 20_902), (0xac00, 11_172), (0x3400, 6_582), (0x20000, 42_711), (0xf0000, 65_534), (0x100000, 65_534)];

impl Supply {
    fn draw(&mut self) -> char {
        let mut place = self.next;
        self.next += self.step;
        for (first, count) in CHARACTERS {
            if place < count {
                return char::from_u32(first + place as u32).unwrap_or('?');
            }
            place -= count;
        }
        char::from(b'a' + (place % 26) as u8)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use syncline_schema::check_scalar;

    use super::*;

    #[test]
    fn every_scalar_of_every_number_is_a_good_one_and_most_are_unique() {
        for kind in Scalar::ALL {
            let values: BTreeSet<String> = (0..20_000)
                .map(|n| {
                    let value = scalar(kind, n);
                    assert_eq!(check_scalar(kind, &value), Ok(()), "{value}");
                    value.to_string()
                })
                .collect();
            let expected = if kind == Scalar::Boolean { 2 } else { 20_000 };
            assert_eq!(values.len(), expected, "{}", kind.name());
        }
    }

    #[test]
    fn two_makers_of_a_run_never_type_the_same_character() {
        let parsed = syncline_schema::parse("a.graphql", "type A @model { t: String @text }").unwrap();
        let model = &parsed.schema.models[0];
        let mut seen = BTreeSet::new();
        for maker in 0..2 {
            let mut values = Values::new(&parsed.schema, maker, 2);
            for c in values.text(model, "t", 100_000).chars() {
                assert!(seen.insert(c), "{c} twice");
            }
        }
    }
}
