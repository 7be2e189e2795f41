//! Rust: what `models!` writes for a schema.
//!
//! `names`, `types` and `ids` say what things are called in Rust and which type they have; `enums`, `structs` and
//! `fields` write the code, `docs` its comments. It names nothing but `::syncline`, the standard library by absolute
//! paths, and its own items.

mod docs;
mod enums;
mod fields;
mod ids;
mod names;
mod structs;
mod types;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::{Key, Model, Schema};
use names::TypeNames;

/// A whole module: the constant with the schema's text, and the items.
pub fn module(schema: &Schema, text: &str) -> TokenStream {
    let text = string(text);
    let (sdl, items) = (sdl(&quote!(#text)), items(schema));
    quote!(#sdl #items)
}

/// The text as a literal that shows its lines.
fn string(text: &str) -> Literal {
    // In a raw string the compiler would refuse a carriage return, or drop it at the end of a line.
    if text.contains('\r') {
        return Literal::string(text);
    }
    let fences = (0..).map(|count| "#".repeat(count)).find(|fence| !text.contains(&format!("\"{fence}")));
    let fence = fences.unwrap_or_default();
    format!("r{fence}\"{text}\"{fence}").parse().unwrap_or_else(|_| Literal::string(text))
}

/// The constant with the schema's text, to open a store with; `text` is an expression.
pub fn sdl(text: &TokenStream) -> TokenStream {
    quote! {
        /// The schema, to open a store with.
        #[allow(dead_code, unreachable_pub)]
        pub const SDL: &::std::primitive::str = #text;
    }
}

/// The items for every model, embedded type and enum.
pub fn items(schema: &Schema) -> TokenStream {
    let names = TypeNames::new(schema);
    let enums = schema.enums.iter().map(|e| enums::expand(&names, schema, e));
    let embedded = schema.embedded.iter();
    let embedded = embedded.map(|e| structs::embedded(&names, schema, e));
    let models = schema.models.iter().map(|model| {
        let parts = [
            structs::model(&names, schema, model),
            implementation(&names, schema, model),
            fields::module(&names, schema, model),
        ];
        quote!(#(#parts)*)
    });
    quote!(#(#models)* #(#embedded)* #(#enums)*)
}

/// `impl Model`
fn implementation(names: &TypeNames<'_>, schema: &Schema, model: &Model) -> TokenStream {
    let (ident, name) = (names.of_type(&model.name), &model.name);
    let embedded = fields::embedded_paths(schema, &model.fields, "");
    let key = key(model);
    quote! {
        impl ::syncline::typed::Model for #ident {
            const NAME: &'static ::std::primitive::str = #name;
            const EMBEDDED: &'static [&'static ::std::primitive::str] = &[#(#embedded),*];

            fn key(&self) -> ::std::option::Option<::std::string::String> {
                #key
            }
        }
    }
}

fn key(model: &Model) -> TokenStream {
    let members = names::members(&model.fields);
    let members = model.fields.iter().zip(&members);
    let mut key = members.filter(|(field, _)| model.is_key_field(&field.name));
    match &model.key {
        Key::Id => {
            let id = key.next().map(|(_, ident)| ident);
            quote! {
                (!self.#id.is_empty()).then(|| ::std::convert::Into::into(::std::clone::Clone::clone(&self.#id)))
            }
        }
        Key::Custom(_) => {
            let pairs = key.map(|(field, ident)| {
                let name = &field.name;
                quote!(#name: self.#ident)
            });
            quote! {
                ::std::option::Option::Some(
                    ::syncline::serde_json::json!({ #(#pairs),* }).to_string(),
                )
            }
        }
    }
}
