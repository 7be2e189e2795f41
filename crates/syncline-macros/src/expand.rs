//! Puts the expansion together: the schema's text, and the items that `syncline-schema` writes for it.

use proc_macro2::TokenStream;
use quote::quote;
use std::path::{Path, PathBuf};
use syncline_schema::generate::rust;

use crate::input::Input;

/// What `models!(input)` stands for.
pub(crate) fn models(input: TokenStream) -> TokenStream {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    syn::parse2(input).map_or_else(|error| error.into_compile_error(), |input| expand(&input, &root))
}

fn expand(input: &Input, root: &Path) -> TokenStream {
    let (items, readable) = match input.schema(root) {
        Ok(schema) => (rust::items(&schema), true),
        Err(error) => (error.into_compile_error(), input.is_readable(root)),
    };
    // With a refused schema too, so that tools watch the file and see it mended.
    let sdl = readable.then(|| rust::sdl(&input.text()));
    quote!(#sdl #items)
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
