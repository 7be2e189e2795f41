//! Where a model's fields of one value stand in the document.

use syncline_schema::{Field, FieldKind, Model, Schema};

use super::nested_key;
use super::view::embedded_type;

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
