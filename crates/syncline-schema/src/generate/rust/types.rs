//! Which Rust type a field has: in its struct, and as the constant that queries name it by.

use proc_macro2::TokenStream;
use quote::quote;

use super::names::TypeNames;
use crate::{Element, ElementKind, Field, FieldKind, Managed, Model, Scalar};

/// How a field appears in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// A generated id: empty until the record is saved.
    GeneratedId,
    /// Filled by the engine, `None` until then.
    Managed,
    /// `T`; a save demands it if it has no default and does not start empty by itself.
    Always,
    /// `Option<T>`
    Maybe,
}

impl Presence {
    /// Of a field of a model, or of an embedded type (`None`).
    pub(crate) fn of(field: &Field, model: Option<&Model>) -> Self {
        let is_key = model.is_some_and(|model| model.is_key_field(&field.name));
        match (field.managed, &field.kind) {
            (Managed::Id, _) => Self::GeneratedId,
            (_, _) if is_key => Self::Always,
            (Managed::CreatedAt | Managed::UpdatedAt | Managed::Owner, _) => Self::Managed,
            (Managed::No, FieldKind::Counter | FieldKind::Set(_)) => Self::Always,
            (Managed::No, _) if field.required => Self::Always,
            (Managed::No, _) => Self::Maybe,
        }
    }

    /// Whether the member is an `Option`.
    pub(crate) fn is_option(self) -> bool {
        match self {
            Self::Managed | Self::Maybe => true,
            Self::GeneratedId | Self::Always => false,
        }
    }
}

/// Type of the values of a struct's member, which is an `Option` of it where [`Presence`] says so; `model` is that of the
/// struct, if it is one's.
pub(crate) fn member(names: &TypeNames<'_>, field: &Field, model: Option<&Model>) -> TokenStream {
    let at = TokenStream::new();
    let is_own = |model: &Model| names.ids.of(&model.name, &field.name) == Some(model.name.as_str());
    let id = match model {
        Some(model) if is_own(model) => Some(quote!(::syncline::typed::Id<Self>)),
        Some(model) => id(names, &model.name, field, &at),
        None => None,
    };
    let mut value = id.unwrap_or_else(|| value(names, &field.kind, &at));
    if let FieldKind::List(element) = &field.kind
        && !element.required
    {
        let element = element_type(names, element, &at);
        value = quote!(::std::vec::Vec<::std::option::Option<#element>>);
    }
    value
}

/// Type of a model's field that holds the ids of records, generated ones.
pub(crate) fn id(names: &TypeNames<'_>, model: &str, field: &Field, at: &TokenStream) -> Option<TokenStream> {
    let named = named(names, names.ids.of(model, &field.name)?, at);
    Some(quote!(::syncline::typed::Id<#named>))
}

/// Type of the values that a field holds; generated types are found through `at`.
pub(crate) fn value(names: &TypeNames<'_>, kind: &FieldKind, at: &TokenStream) -> TokenStream {
    match kind {
        FieldKind::Scalar(kind) => scalar(*kind),
        FieldKind::Enum(name) | FieldKind::Embedded(name) => named(names, name, at),
        FieldKind::Counter => quote!(::std::primitive::i64),
        FieldKind::Text { .. } => quote!(::std::string::String),
        FieldKind::List(element) | FieldKind::Set(element) => {
            let element = element_type(names, element, at);
            quote!(::std::vec::Vec<#element>)
        }
    }
}

/// Type of one element of a list or set.
pub(crate) fn element_type(names: &TypeNames<'_>, element: &Element, at: &TokenStream) -> TokenStream {
    match &element.kind {
        ElementKind::Scalar(kind) => scalar(*kind),
        ElementKind::Enum(name) | ElementKind::Embedded(name) => named(names, name, at),
    }
}

fn named(names: &TypeNames<'_>, name: &str, at: &TokenStream) -> TokenStream {
    let ident = names.of_type(name);
    quote!(#at #ident)
}

fn scalar(scalar: Scalar) -> TokenStream {
    match scalar {
        Scalar::Int | Scalar::Timestamp => quote!(::std::primitive::i64),
        Scalar::Float => quote!(::std::primitive::f64),
        Scalar::Boolean => quote!(::std::primitive::bool),
        Scalar::Json => quote!(::syncline::serde_json::Value),
        Scalar::Id
        | Scalar::String
        | Scalar::Date
        | Scalar::Time
        | Scalar::DateTime
        | Scalar::Email
        | Scalar::Url
        | Scalar::Phone
        | Scalar::IpAddress => quote!(::std::string::String),
    }
}

/// Whether Rust's type is `String` or an id, so that functions can take what becomes one.
pub(crate) fn is_string(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Text { .. } => true,
        FieldKind::Scalar(scalar) => {
            !matches!(scalar, Scalar::Int | Scalar::Timestamp | Scalar::Float | Scalar::Boolean | Scalar::Json)
        }
        FieldKind::Enum(_) | FieldKind::Counter | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => {
            false
        }
    }
}
