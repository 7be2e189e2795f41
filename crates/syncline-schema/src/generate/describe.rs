//! What comments say of a field, and which fields never show null: the same in every language.

use crate::{Element, ElementKind, Field, FieldKind, Managed, Merge, Model, Scalar};

/// The field as the schema writes it: `tags: [String!] @set`.
pub(super) fn describe(field: &Field) -> String {
    let mut text = format!("{}: {}", field.name, type_name(&field.kind));
    if field.required {
        text.push('!');
    }
    text.push_str(match &field.kind {
        FieldKind::Counter => " @counter",
        FieldKind::Text { rich: false } => " @text",
        FieldKind::Text { rich: true } => " @text(rich: true)",
        FieldKind::Set(_) => " @set",
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::List(_) | FieldKind::Embedded(_) => "",
    });
    text
}

fn type_name(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Scalar(scalar) => scalar.name().to_owned(),
        FieldKind::Enum(name) | FieldKind::Embedded(name) => name.clone(),
        FieldKind::Counter => Scalar::Int.name().to_owned(),
        FieldKind::Text { .. } => Scalar::String.name().to_owned(),
        FieldKind::List(element) | FieldKind::Set(element) => format!("[{}]", element_name(element)),
    }
}

fn element_name(element: &Element) -> String {
    let name = match &element.kind {
        ElementKind::Scalar(scalar) => scalar.name(),
        ElementKind::Enum(name) | ElementKind::Embedded(name) => name,
    };
    let required = if element.required { "!" } else { "" };
    format!("{name}{required}")
}

/// What a reader of a record must know of the field beyond its type; empty where the type says it all.
pub(super) fn meaning(field: &Field) -> String {
    let mut said: Vec<&str> = Vec::new();
    match (field.managed, &field.kind) {
        (Managed::Id, _) => said.push("Never changes."),
        (Managed::CreatedAt, _) => said.push("Time of the record's first change, unless a save brought one."),
        (Managed::UpdatedAt, _) => said.push("Time of the record's newest change."),
        (Managed::Owner, _) => said.push("Whose record it is."),
        (Managed::No, FieldKind::Counter) => said.push("A counter: what replicas add at the same time adds up."),
        (Managed::No, FieldKind::Text { rich: false }) => {
            said.push("A collaborative text: merged character by character.");
        }
        (Managed::No, FieldKind::Text { rich: true }) => {
            said.push("A collaborative text: merged character by character; `spans` shows its marks.");
        }
        (Managed::No, FieldKind::Set(_)) => {
            said.push("A set: each value once, in their order; what is added stays against a concurrent removal.");
        }
        (Managed::No, FieldKind::List(_)) => said.push("A list: merged element by element."),
        (Managed::No, FieldKind::Embedded(_)) => said.push("Merged field by field."),
        (Managed::No, FieldKind::Scalar(scalar)) => said.extend(of_scalar(*scalar)),
        (Managed::No, FieldKind::Enum(_)) => {}
    }
    said.extend(match field.merge {
        Merge::Winner => None,
        Merge::Max => Some("Of concurrent values the greatest shows."),
        Merge::Min => Some("Of concurrent values the smallest shows."),
        Merge::Latest => Some("Of concurrent values the one with the newest time shows."),
    });
    said.join(" ")
}

/// What a save does with the field beyond storing it.
pub(super) fn saved(field: &Field) -> &'static str {
    match field.managed {
        Managed::No => "",
        Managed::Id => "Generated if it is left out.",
        Managed::CreatedAt | Managed::Owner => "Kept if it is given.",
        Managed::UpdatedAt => "Kept by an import, derived by a save.",
    }
}

/// What an update does with the field beyond storing it.
pub(super) fn updated(field: &Field) -> &'static str {
    if field.managed == Managed::CreatedAt {
        return "Shown from then on, instead of the time of the first change.";
    }
    match &field.kind {
        FieldKind::Counter => "Adds what is missing to this number; to count, use `increment`.",
        FieldKind::Text { .. } | FieldKind::List(_) | FieldKind::Set(_) => {
            "Changed by the difference, so that concurrent edits elsewhere in it survive."
        }
        FieldKind::Embedded(_) => "A patch itself: what it does not name stays.",
        FieldKind::Scalar(_) | FieldKind::Enum(_) => "",
    }
}

/// What the values of a scalar look like, where its JSON type does not say.
fn of_scalar(scalar: Scalar) -> Option<&'static str> {
    match scalar {
        Scalar::Id | Scalar::String | Scalar::Int | Scalar::Float | Scalar::Boolean => None,
        Scalar::Date => Some("`2024-05-31`, with or without an offset."),
        Scalar::Time => Some("`17:30`, `17:30:00` or `17:30:00.000`, with or without an offset."),
        Scalar::DateTime => Some("`2024-05-31T17:30:00.000Z`; seconds may be missing, another offset may stand there."),
        Scalar::Timestamp => Some("Seconds since 1970."),
        Scalar::Email => Some("An e-mail address."),
        Scalar::Json => Some("Any JSON; a string is JSON text itself."),
        Scalar::Url => Some("A URL."),
        Scalar::Phone => Some("A telephone number."),
        Scalar::IpAddress => Some("An IP address, of version 4 or 6, with or without the length of a prefix."),
    }
}

/// Whether a record always has a value in the field. A required field does not: a record that an older schema wrote,
/// without the field, or a newer one, which does not require it, shows null there.
pub(super) fn always_has_value(field: &Field, model: Option<&Model>) -> bool {
    let is_key = model.is_some_and(|model| model.is_key_field(&field.name));
    let is_filled = match field.managed {
        Managed::Id | Managed::CreatedAt | Managed::UpdatedAt => true,
        Managed::No | Managed::Owner => false,
    };
    is_key || is_filled || matches!(field.kind, FieldKind::Counter | FieldKind::Set(_))
}
