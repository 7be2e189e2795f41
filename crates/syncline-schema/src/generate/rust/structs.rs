//! Structs of models and embedded types: members, `new`, defaults, and how null is read.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use super::docs;
use super::names::{self, TypeNames};
use super::types::{self, Presence};
use crate::generate::describe::describe;
use crate::{EmbeddedType, Field, FieldKind, Model, Scalar, Schema};

/// A model's struct.
pub(crate) fn model(names: &TypeNames<'_>, schema: &Schema, model: &Model) -> TokenStream {
    let doc = format!(" Model `{}` of the schema.", model.name);
    let doc = docs::attributes(schema.description(&model.name), &doc);
    let members = members(names, schema, &model.name, &model.fields, Some(model));
    let key_of = key_of(&members, model);
    expand(&names.of_type(&model.name), &doc, &members, &key_of)
}

/// An embedded type's struct.
pub(crate) fn embedded(names: &TypeNames<'_>, schema: &Schema, embedded: &EmbeddedType) -> TokenStream {
    let doc = format!(" Embedded type `{}` of the schema.", embedded.name);
    let doc = docs::attributes(schema.description(&embedded.name), &doc);
    let members = members(names, schema, &embedded.name, &embedded.fields, None);
    let none = TokenStream::new();
    expand(&names.of_type(&embedded.name), &doc, &members, &none)
}

/// One member, ready to be written.
struct Member<'a> {
    field: &'a Field,
    /// What the schema says of the field.
    said: Option<&'a str>,
    ident: Ident,
    presence: Presence,
    /// Type of its values.
    value: TokenStream,
    /// Its own type: that, or an `Option` of it.
    ty: TokenStream,
    /// Value of the schema's `@default`, of the member's type but for the `Option`.
    default: Option<TokenStream>,
}

fn members<'a>(
    names: &TypeNames<'_>,
    schema: &'a Schema,
    owner: &str,
    fields: &'a [Field],
    model: Option<&Model>,
) -> Vec<Member<'a>> {
    let idents = names::members(fields);
    let member = |(field, ident): (&'a Field, Ident)| {
        let presence = Presence::of(field, model);
        let default = field.default.as_ref().map(|value| literal(names, schema, &field.kind, value));
        let value = types::member(names, field, model);
        let ty = if presence.is_option() { quote!(::std::option::Option<#value>) } else { value.clone() };
        let is_id = model.is_some_and(|model| names.ids.of(&model.name, &field.name).is_some());
        Member {
            field,
            said: schema.member_description(owner, &field.name),
            ident,
            presence,
            value,
            ty,
            default: default.map(|text| if is_id { quote!(::std::convert::Into::into(#text)) } else { text }),
        }
    };
    fields.iter().zip(idents).map(member).collect()
}

fn expand(ident: &Ident, doc: &TokenStream, members: &[Member<'_>], key_of: &TokenStream) -> TokenStream {
    let declarations = members.iter().map(|member| member.declaration(ident));
    let defaults = members.iter().map(|member| {
        let (name, value) = (&member.ident, member.initial());
        quote!(#name: #value)
    });
    let readers = members.iter().filter_map(Member::reader);
    let new = new(members);
    let setters = members.iter().filter(|member| !member.is_demanded()).map(Member::setter);
    quote! {
        #doc
        #[derive(
            ::std::clone::Clone,
            ::std::fmt::Debug,
            ::std::cmp::PartialEq,
            ::syncline::serde::Serialize,
            ::syncline::serde::Deserialize,
        )]
        #[serde(crate = "::syncline::serde", default)]
        #[allow(dead_code, non_camel_case_types, unnameable_types, unreachable_pub)]
        pub struct #ident {
            #(#declarations,)*
        }

        #[allow(dead_code, non_snake_case, unreachable_pub, clippy::too_many_arguments)]
        impl #ident {
            #new
            #(#setters)*
            #key_of
            #(#readers)*
        }

        /// Every field at its default, or empty.
        impl ::std::default::Default for #ident {
            fn default() -> Self {
                Self { #(#defaults,)* }
            }
        }
    }
}

impl Member<'_> {
    fn declaration(&self, owner: &Ident) -> TokenStream {
        let (ident, ty, name) = (&self.ident, &self.ty, &self.field.name);
        let doc = docs::attributes(self.said, &self.doc());
        let mut serde = vec![quote!(rename = #name)];
        match self.presence {
            Presence::GeneratedId => {
                serde.push(quote!(skip_serializing_if = "::syncline::typed::Id::is_empty"));
            }
            // Left out rather than null: null would empty what the engine has filled.
            Presence::Managed => {
                serde.push(quote!(skip_serializing_if = "::std::option::Option::is_none"));
            }
            Presence::Always | Presence::Maybe => {}
        }
        if let Some(reader) = self.read_by(owner) {
            serde.push(quote!(deserialize_with = #reader));
        }
        quote! {
            #doc
            #[serde(#(#serde),*)]
            pub #ident: #ty
        }
    }

    /// What reads it, if null may stand where its type has none.
    fn read_by(&self, owner: &Ident) -> Option<String> {
        let demands_elements = matches!(&self.field.kind, FieldKind::List(element) if element.required);
        match (self.presence.is_option(), &self.default) {
            (true, _) => demands_elements.then(|| "::syncline::typed::read_maybe_elements".to_owned()),
            (false, _) if demands_elements => Some("::syncline::typed::read_elements".to_owned()),
            (false, Some(_)) => Some(format!("{owner}::{}", self.reader_name())),
            (false, None) => Some("::syncline::typed::read_or_empty".to_owned()),
        }
    }

    fn doc(&self) -> String {
        let mut doc = format!(" `{}`", describe(self.field));
        match (&self.field.default, self.presence) {
            (Some(value), _) => doc.push_str(&format!(", default `{value}`")),
            (None, Presence::GeneratedId) => doc.push_str(", generated if empty on save"),
            (None, Presence::Managed) => doc.push_str(", filled by the store"),
            (None, Presence::Always | Presence::Maybe) => {}
        }
        doc
    }

    /// The member's value in a new struct.
    fn initial(&self) -> TokenStream {
        match &self.default {
            Some(value) if self.presence.is_option() => quote!(::std::option::Option::Some(#value)),
            Some(value) => value.clone(),
            None => quote!(::std::default::Default::default()),
        }
    }

    /// Reads null as the default.
    fn reader(&self) -> Option<TokenStream> {
        let default = self.default.as_ref().filter(|_| !self.presence.is_option())?;
        let (name, ty) = (self.reader_name(), &self.ty);
        Some(quote! {
            #[doc(hidden)]
            fn #name<'de, D: ::syncline::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<#ty, D::Error> {
                ::syncline::typed::read_or(deserializer, || #default)
            }
        })
    }

    fn reader_name(&self) -> Ident {
        format_ident!("__read_{}", self.ident)
    }

    /// Whether a save without it would be refused.
    fn is_demanded(&self) -> bool {
        let starts_empty = matches!(self.field.kind, FieldKind::Counter | FieldKind::Set(_));
        self.presence == Presence::Always && self.default.is_none() && !starts_empty
    }

    /// Builds on what `new` gives: the struct with this member, too.
    fn setter(&self) -> TokenStream {
        let (ident, name) = (&self.ident, format_ident!("with_{}", self.ident));
        let doc = format!(" With this `{}`.", self.field.name);
        let (parameter, value) = self.parameter();
        let value = if self.presence.is_option() { quote!(::std::option::Option::Some(#value)) } else { value };
        quote! {
            #[doc = #doc]
            #[must_use]
            pub fn #name(mut self, #parameter) -> Self {
                self.#ident = #value;
                self
            }
        }
    }

    /// As a parameter, and its conversion to the type of the member's values.
    fn parameter(&self) -> (TokenStream, TokenStream) {
        let (ident, ty) = (&self.ident, &self.value);
        if types::is_string(&self.field.kind) {
            (quote!(#ident: impl ::std::convert::Into<#ty>), quote!(::std::convert::Into::into(#ident)))
        } else {
            (quote!(#ident: #ty), quote!(#ident))
        }
    }
}

fn new(members: &[Member<'_>]) -> TokenStream {
    let demanded: Vec<_> = members.iter().filter(|member| member.is_demanded()).collect();
    let parameters = demanded.iter().map(|member| member.parameter().0);
    let values = demanded.iter().map(|member| {
        let (ident, (_, value)) = (&member.ident, member.parameter());
        if types::is_string(&member.field.kind) { quote!(#ident: #value) } else { value }
    });
    let rest = (demanded.len() < members.len()).then(|| quote!(..<Self as ::std::default::Default>::default()));
    quote! {
        /// One with what a save demands; the rest is at its default, or empty, until a `with_…` gives it.
        pub fn new(#(#parameters),*) -> Self {
            Self { #(#values,)* #rest }
        }
    }
}

/// The key of a record by its key fields, for models with a `@primaryKey`.
fn key_of(members: &[Member<'_>], model: &Model) -> TokenStream {
    let key = |member: &&Member<'_>| member.presence != Presence::GeneratedId && model.is_key_field(&member.field.name);
    let key: Vec<&Member<'_>> = members.iter().filter(key).collect();
    if key.is_empty() {
        return TokenStream::new();
    }
    let parameters = key.iter().map(|member| member.parameter().0);
    let pairs = key.iter().map(|member| {
        let (ident, name, ty) = (&member.ident, &member.field.name, &member.ty);
        if types::is_string(&member.field.kind) {
            quote!(#name: ::std::convert::Into::<#ty>::into(#ident))
        } else {
            quote!(#name: #ident)
        }
    });
    quote! {
        /// The key of the record with these key fields.
        pub fn key_of(#(#parameters),*) -> ::std::string::String {
            ::syncline::serde_json::json!({ #(#pairs),* }).to_string()
        }
    }
}

/// A default of the schema as an expression of the field's type.
fn literal(names: &TypeNames<'_>, schema: &Schema, kind: &FieldKind, value: &Value) -> TokenStream {
    let is_float = *kind == FieldKind::Scalar(Scalar::Float);
    let is_json = *kind == FieldKind::Scalar(Scalar::Json);
    match (kind, value) {
        (FieldKind::Enum(name), Value::String(value)) => {
            let ident = names.of_type(name);
            let values = schema.enum_type(name).map(|e| e.values.as_slice());
            let values = values.unwrap_or_default();
            let (variants, _) = names::variants(values);
            match values.iter().zip(variants).find(|(listed, _)| *listed == value) {
                Some((_, variant)) => quote!(#ident::#variant),
                None => {
                    quote!(<#ident as ::std::convert::From<&::std::primitive::str>>::from(#value))
                }
            }
        }
        (_, Value::String(text)) if !is_json => quote!(::std::string::String::from(#text)),
        (_, Value::Bool(truth)) if !is_json => quote!(#truth),
        (_, Value::Number(number)) if is_float => {
            let number = Literal::f64_suffixed(number.as_f64().unwrap_or_default());
            quote!(#number)
        }
        (_, Value::Number(number)) if !is_json => {
            let number = Literal::i64_suffixed(number.as_i64().unwrap_or_default());
            quote!(#number)
        }
        // A string is JSON text itself.
        (_, Value::String(text)) => quote!(::syncline::typed::default_json(#text)),
        (_, value) => {
            let text = value.to_string();
            quote!(::syncline::typed::default_json(#text))
        }
    }
}
