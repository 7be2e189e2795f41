//! Enums: a variant per value, and one for values that only a newer schema knows.

use proc_macro2::TokenStream;
use quote::quote;

use super::docs;
use super::names::{self, TypeNames};
use crate::{EnumType, Schema};

pub(crate) fn expand(names: &TypeNames<'_>, schema: &Schema, enum_type: &EnumType) -> TokenStream {
    let ident = names.of_type(&enum_type.name);
    let values = &enum_type.values;
    let (variants, other) = names::variants(values);
    let doc = format!(" Enum `{}` of the schema.", enum_type.name);
    let doc = docs::attributes(schema.description(&enum_type.name), &doc);
    let docs = values
        .iter()
        .map(|value| docs::attributes(schema.member_description(&enum_type.name, value), &format!(" `{value}`")));
    quote! {
        #doc
        #[derive(::std::clone::Clone, ::std::fmt::Debug, ::std::cmp::PartialEq, ::std::cmp::Eq, ::std::hash::Hash)]
        #[allow(dead_code, non_camel_case_types, unnameable_types, unreachable_pub)]
        pub enum #ident {
            #(#docs #variants,)*
            /// A value that this schema does not list: a newer one does. It is kept as it is.
            #other(::std::string::String),
        }

        #[allow(dead_code, unreachable_pub)]
        impl #ident {
            /// The value as the schema writes it.
            pub fn as_str(&self) -> &::std::primitive::str {
                match self {
                    #(Self::#variants => #values,)*
                    Self::#other(value) => value,
                }
            }
        }

        impl ::std::convert::From<&::std::primitive::str> for #ident {
            fn from(value: &::std::primitive::str) -> Self {
                match value {
                    #(#values => Self::#variants,)*
                    other => Self::#other(::std::string::String::from(other)),
                }
            }
        }

        impl ::std::convert::From<::std::string::String> for #ident {
            fn from(value: ::std::string::String) -> Self {
                <Self as ::std::convert::From<&::std::primitive::str>>::from(value.as_str())
            }
        }

        /// No value: what a required field shows where a record has none. A save refuses it.
        impl ::std::default::Default for #ident {
            fn default() -> Self {
                Self::#other(::std::string::String::new())
            }
        }

        impl ::std::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::syncline::serde::Serialize for #ident {
            fn serialize<S: ::syncline::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::syncline::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::syncline::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                <::std::string::String as ::syncline::serde::Deserialize<'de>>::deserialize(deserializer)
                    .map(<Self as ::std::convert::From<::std::string::String>>::from)
            }
        }

        impl ::syncline::typed::Comparable for #ident {
            fn into_value(self) -> ::syncline::serde_json::Value {
                ::syncline::serde_json::Value::from(self.as_str())
            }
        }

        impl ::syncline::typed::Ordered for #ident {}
        impl ::syncline::typed::Textual for #ident {}
    }
}
