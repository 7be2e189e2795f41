//! The module of a model's fields: a constant per field and per relation, a module per embedded value.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::docs;
use super::names::{self, TypeNames};
use super::types;
use crate::generate::describe::describe;
use crate::{Field, FieldKind, Model, Relation, RelationKind, Schema};

/// The module with the fields of a model.
pub(crate) fn module(names: &TypeNames<'_>, schema: &Schema, model: &Model) -> TokenStream {
    let writer = Writer { names, schema, name: &model.name, model: names.of_type(&model.name) };
    let ident = names.module(&model.name);
    let doc = format!(" Fields and relations of `{}`, for queries and edits.", model.name);
    let content = writer.fields(&model.name, &model.fields, "", &quote!(super::));
    let relations = model.relations.iter().zip(names::relations(model));
    let relations = relations.map(|(relation, ident)| writer.relation(relation, &ident));
    quote! {
        #[doc = #doc]
        #[allow(dead_code, non_upper_case_globals, unreachable_pub)]
        pub mod #ident {
            #content
            #(#relations)*
        }
    }
}

/// Paths of the fields that hold embedded types: `address`, `address.country`.
pub(crate) fn embedded_paths(schema: &Schema, fields: &[Field], prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for field in fields {
        if let FieldKind::Embedded(name) = &field.kind {
            let path = format!("{prefix}{}", field.name);
            let inner = schema.embedded_type(name).map_or(&[][..], |e| &e.fields);
            let deeper = embedded_paths(schema, inner, &format!("{path}."));
            paths.push(path);
            paths.extend(deeper);
        }
    }
    paths
}

struct Writer<'a> {
    names: &'a TypeNames<'a>,
    schema: &'a Schema,
    /// The model's name in the schema.
    name: &'a str,
    model: Ident,
}

impl Writer<'_> {
    /// Fields of the type `owner`, whose paths start with `prefix`; `up` leads to the generated types.
    fn fields(&self, owner: &str, fields: &[Field], prefix: &str, up: &TokenStream) -> TokenStream {
        let constants = fields.iter().zip(names::members(fields));
        let constants = constants.map(|(field, ident)| self.field(owner, field, &ident, prefix, up));
        quote!(#(#constants)*)
    }

    fn field(&self, owner: &str, field: &Field, ident: &Ident, prefix: &str, up: &TokenStream) -> TokenStream {
        let path = format!("{prefix}{}", field.name);
        let said = self.schema.member_description(owner, &field.name);
        let doc = docs::attributes(said, &format!(" `{}`", describe(field)));
        let (kind, of) = self.constant_type(field, prefix.is_empty(), up);
        let inner = match &field.kind {
            FieldKind::Embedded(name) => self.inner(name, ident, &path, up),
            FieldKind::Scalar(_)
            | FieldKind::Enum(_)
            | FieldKind::Counter
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_) => TokenStream::new(),
        };
        quote! {
            #doc
            pub const #ident: #kind<#of> = #kind::new(#path);
            #inner
        }
    }

    fn relation(&self, relation: &Relation, ident: &Ident) -> TokenStream {
        let (model, there) = (&self.model, self.names.of_type(&relation.model));
        let (kind, directive) = match relation.kind {
            RelationKind::HasOne => (quote!(::syncline::typed::ToOne), "hasOne"),
            RelationKind::BelongsTo => (quote!(::syncline::typed::ToOne), "belongsTo"),
            RelationKind::HasMany => (quote!(::syncline::typed::ToMany), "hasMany"),
            RelationKind::ManyToMany => (quote!(::syncline::typed::ManyToMany), "manyToMany"),
        };
        let name = &relation.name;
        let said = self.schema.member_description(self.name, name);
        let doc = docs::attributes(said, &format!(" `{name}`: the {} of a `@{directive}`", relation.model));
        quote! {
            #doc
            pub const #ident: #kind<super::#model, super::#there> = #kind::new(#name);
        }
    }

    /// The fields inside an embedded value.
    fn inner(&self, name: &str, ident: &Ident, path: &str, up: &TokenStream) -> TokenStream {
        let doc = format!(" Fields of `{path}`.");
        let fields = self.schema.embedded_type(name).map_or(&[][..], |e| &e.fields);
        let content = self.fields(name, fields, &format!("{path}."), &quote!(super::#up));
        quote! {
            #[doc = #doc]
            pub mod #ident {
                #content
            }
        }
    }

    /// Which kind of field, and what of: the model, and the type of its values.
    fn constant_type(&self, field: &Field, is_own: bool, up: &TokenStream) -> (TokenStream, TokenStream) {
        let model = &self.model;
        match &field.kind {
            FieldKind::Text { .. } => (quote!(::syncline::typed::TextField), quote!(#up #model)),
            FieldKind::Counter => (quote!(::syncline::typed::CounterField), quote!(#up #model)),
            FieldKind::Set(element) => {
                let element = types::element_type(self.names, element, up);
                (quote!(::syncline::typed::SetField), quote!(#up #model, #element))
            }
            kind @ (FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::List(_) | FieldKind::Embedded(_)) => {
                let id = is_own.then(|| types::id(self.names, self.name, field, up)).flatten();
                let value = id.unwrap_or_else(|| types::value(self.names, kind, up));
                (quote!(::syncline::typed::Field), quote!(#up #model, #value))
            }
        }
    }
}
