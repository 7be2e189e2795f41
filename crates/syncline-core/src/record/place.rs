//! Which field a root key of the document belongs to.

use syncline_schema::{Element, Field, FieldKind, Model, Schema};

use super::view::embedded_type;
use super::{LIVE, NULL, SOME, nested_key};

/// What stands at a root key. Fields are named by their path: `title`, `address.city`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place<'a> {
    /// Whether the record exists.
    Live,
    /// Whether the field at this path is null, or empty.
    Presence(String),
    /// One value: a scalar, an enum, AWSJSON, or a list inside an embedded value.
    Single(Slot<'a>),
    /// A counter.
    Counter(String),
    /// An element of a set, by its canonical text.
    Element(String, &'a Element, String),
    /// A text or list.
    Object(&'a Field),
    /// A key that this schema does not have.
    Unknown,
}

/// A place for one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot<'a> {
    /// Name of the field, or path into an embedded value.
    pub(super) path: String,
    /// Its root key.
    pub(super) key: String,
    /// The field, or that of the embedded type.
    pub(super) field: &'a Field,
}

impl<'a> Place<'a> {
    /// What the schema has at a root key.
    pub(super) fn of(schema: &'a Schema, model: &'a Model, key: &str) -> Self {
        if key == LIVE {
            return Self::Live;
        }
        if let Some(of) = key.strip_prefix(SOME).or_else(|| key.strip_prefix(NULL)) {
            return path_of(schema, model, of).map_or(Self::Unknown, |(path, _)| Self::Presence(path));
        }
        let (base, element) = match key.split_once('/') {
            Some((base, element)) => (base, Some(element)),
            None => (key, None),
        };
        match (path_of(schema, model, base), element) {
            (Some((path, field)), element) => Self::in_field(path, key, field, element),
            (None, _) => Self::Unknown,
        }
    }

    fn in_field(path: String, key: &str, field: &'a Field, element: Option<&str>) -> Self {
        let inner = path.contains('.');
        match (&field.kind, element) {
            (FieldKind::Set(kind), Some(text)) => Self::Element(path, kind, text.to_owned()),
            (FieldKind::Counter, None) => Self::Counter(path),
            (FieldKind::Text { .. } | FieldKind::List(_), None) if !inner => Self::Object(field),
            (FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::List(_) | FieldKind::Set(_), None)
                if inner || is_single(&field.kind) =>
            {
                Self::Single(Slot { path, key: key.to_owned(), field })
            }
            _ => Self::Unknown,
        }
    }
}

/// Every place of a model that holds one value, in the order of the schema, key fields left out.
pub(super) fn slots<'a>(schema: &'a Schema, model: &'a Model) -> Vec<Slot<'a>> {
    let mut slots = Vec::new();
    for field in model.fields.iter().filter(|field| !model.is_key_field(&field.name)) {
        collect(schema, field, field.name.clone(), field.document_key.clone(), false, &mut slots);
    }
    slots
}

fn collect<'a>(
    schema: &'a Schema,
    field: &'a Field,
    path: String,
    key: String,
    inner: bool,
    slots: &mut Vec<Slot<'a>>,
) {
    match embedded_type(schema, &field.kind) {
        Some(embedded) => {
            for inner in &embedded.fields {
                let (path, key) = (format!("{path}.{}", inner.name), nested_key(&key, &inner.document_key));
                collect(schema, inner, path, key, true, slots);
            }
        }
        None if is_single(&field.kind) || inner && matches!(field.kind, FieldKind::List(_) | FieldKind::Set(_)) => {
            slots.push(Slot { path, key, field });
        }
        None => {}
    }
}

fn is_single(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Scalar(_) | FieldKind::Enum(_))
}

/// The field at a path of document keys, and the same path in names.
fn path_of<'a>(schema: &'a Schema, model: &'a Model, key: &str) -> Option<(String, &'a Field)> {
    let mut keys = key.split('.');
    let first = keys.next()?;
    let mut field = model.fields.iter().find(|field| field.document_key == first)?;
    let mut path = field.name.clone();
    for key in keys {
        let embedded = embedded_type(schema, &field.kind)?;
        field = embedded.fields.iter().find(|field| field.document_key == key)?;
        path.push('.');
        path.push_str(&field.name);
    }
    Some((path, field))
}
