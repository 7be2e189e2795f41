//! Puts the expansion together.

use proc_macro2::TokenStream;
use quote::quote;
use std::path::{Path, PathBuf};
use syncline_schema::{Key, Model, Schema};

use crate::input::Input;
use crate::names::{self, TypeNames};
use crate::{enums, fields, structs};

/// What `models!(input)` stands for.
pub(crate) fn models(input: TokenStream) -> TokenStream {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    syn::parse2(input).map_or_else(|error| error.into_compile_error(), |input| expand(&input, &root))
}

fn expand(input: &Input, root: &Path) -> TokenStream {
    let (items, readable) = match input.schema(root) {
        Ok(schema) => (items(&schema), true),
        Err(error) => (error.into_compile_error(), input.is_readable(root)),
    };
    // With a refused schema too, so that tools watch the file and see it mended.
    let sdl = readable.then(|| {
        let text = input.text();
        quote! {
            /// The schema, to open a store with.
            #[allow(dead_code, unreachable_pub)]
            pub const SDL: &::std::primitive::str = #text;
        }
    });
    quote!(#sdl #items)
}

fn items(schema: &Schema) -> TokenStream {
    let names = TypeNames::new(schema);
    let enums = schema.enums.iter().map(|e| enums::expand(&names, e));
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
fn implementation(names: &TypeNames, schema: &Schema, model: &Model) -> TokenStream {
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
                (!self.#id.is_empty()).then(|| ::std::clone::Clone::clone(&self.#id))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the expansion's `compile_error!`.
    fn refusal(input: TokenStream) -> String {
        let file: syn::File = syn::parse2(models(input)).unwrap();
        let mut messages = file.items.iter().filter_map(|item| {
            let syn::Item::Macro(item) = item else {
                return None;
            };
            assert!(item.mac.path.segments.last().unwrap().ident == "compile_error");
            Some(syn::parse2::<syn::LitStr>(item.mac.tokens.clone()).unwrap())
        });
        messages.next().expect("the input is refused").value()
    }

    #[test]
    fn a_refused_schema_shows_each_error_at_its_place_with_its_cure() {
        let error = refusal(quote!(sdl = "type Todo @model {\n  title: Sting!\n}\n\ntype Empty @model { id: IDD! }"));
        assert!(error.starts_with("models!(sdl) has 2 errors\n"), "{error}");
        assert!(error.contains("[models!(sdl):2:10]"), "{error}");
        assert!(error.contains("  title: Sting!"), "{error}");
        assert!(error.contains("did you mean `String`?"), "{error}");
        assert!(error.contains("[models!(sdl):5:25]"), "{error}");
    }

    #[test]
    fn a_refused_schema_shows_no_warnings() {
        let error =
            refusal(quote!(sdl = "input AMPLIFY { globalAuthRule: String } type Todo @model { title: Sting! }"));
        assert!(error.starts_with("models!(sdl) has 1 error\n"), "{error}");
        assert!(!error.contains("AMPLIFY` "), "{error}");
    }

    #[test]
    fn a_refused_file_is_named_and_still_watched() {
        let file = "../../tests/schemas/bad/syntax_typo.graphql";
        let error = refusal(quote!(#file));
        assert!(error.starts_with("../../tests/schemas/bad/syntax_typo.graphql has 1 error\n"), "{error}");
        assert!(models(quote!(#file)).to_string().contains("include_str"));
    }

    #[test]
    fn a_missing_file_is_named_in_full_with_the_folder_it_was_sought_in() {
        let error = refusal(quote!("no/such.graphql"));
        let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        assert!(error.contains(&format!("{root}/no/such.graphql cannot be read")), "{error}");
        assert!(error.contains("the path starts at the folder of Cargo.toml"), "{error}");
    }

    #[test]
    fn anything_but_a_path_or_a_schema_is_answered_with_the_usage() {
        for input in [
            quote!(),
            quote!(schema),
            quote!(7),
            quote!(sdl = 7),
            quote!(file = "schema.graphql"),
            quote!("schema.graphql", "other.graphql"),
        ] {
            let error = refusal(input.clone());
            assert!(error.starts_with("models! takes the path"), "{input}: {error}");
        }
    }

    #[test]
    fn every_schema_of_the_suite_expands_to_items() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas");
        let mut schemas = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "graphql") {
                let path = path.to_str().unwrap();
                let expansion = models(quote!(#path));
                assert!(syn::parse2::<syn::File>(expansion.clone()).is_ok(), "{path}");
                assert!(!expansion.to_string().contains("compile_error"), "{path}: {expansion}");
                schemas += 1;
            }
        }
        assert!(schemas >= 10, "only {schemas} schemas found");
    }
}
