//! What `models!` was given: finds the schema, parses it, and says what is wrong with it.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::path::{Path, PathBuf};
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitStr, Token};
use syncline_schema::{Diagnostics, Schema, Severity};

/// The macro's argument.
pub(crate) enum Input {
    /// `"schema.graphql"`: a file, from the crate's root.
    File(LitStr),
    /// `sdl = "type …"`: the schema itself.
    Sdl(LitStr),
}

const USAGE: &str = "models! takes the path of a schema file, models!(\"schema.graphql\"), \
                     or a schema, models!(sdl = \"type Todo @model { title: String! }\")";

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let parsed = if input.peek(LitStr) {
            Self::File(input.parse()?)
        } else {
            let name: Ident = input.parse().map_err(|error| usage(error.span()))?;
            if name != "sdl" {
                return Err(usage(name.span()));
            }
            input.parse::<Token![=]>()?;
            Self::Sdl(input.parse().map_err(|error| usage(error.span()))?)
        };
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() { Ok(parsed) } else { Err(usage(input.span())) }
    }
}

fn usage(span: Span) -> syn::Error {
    syn::Error::new(span, USAGE)
}

impl Input {
    /// The schema; `root` is the folder of the crate's Cargo.toml.
    pub(crate) fn schema(&self, root: &Path) -> syn::Result<Schema> {
        let (literal, file, source) = match self {
            Self::File(path) => (path, path.value(), read(path, root)?),
            Self::Sdl(sdl) => (sdl, "models!(sdl)".to_owned(), sdl.value()),
        };
        syncline_schema::parse(&file, &source)
            .map(|parsed| parsed.schema)
            .map_err(|diagnostics| syn::Error::new(literal.span(), refusal(diagnostics)))
    }

    /// An expression for the schema's text. That of a file includes it, so that cargo builds again
    /// when the file changes.
    pub(crate) fn text(&self) -> TokenStream {
        match self {
            Self::File(path) if Path::new(&path.value()).is_absolute() => {
                quote!(::core::include_str!(#path))
            }
            Self::File(path) => {
                let path = format!("/{}", path.value());
                quote!(::core::include_str!(::core::concat!(
                    ::core::env!("CARGO_MANIFEST_DIR"),
                    #path
                )))
            }
            Self::Sdl(sdl) => quote!(#sdl),
        }
    }

    /// Whether the schema's text can be included although the schema is refused.
    pub(crate) fn is_readable(&self, root: &Path) -> bool {
        match self {
            Self::File(path) => read(path, root).is_ok(),
            Self::Sdl(_) => true,
        }
    }
}

fn read(path: &LitStr, root: &Path) -> syn::Result<String> {
    let full: PathBuf = root.join(path.value());
    std::fs::read_to_string(&full).map_err(|error| {
        let message = format!(
            "the schema {} cannot be read: {error}; the path starts at the folder of Cargo.toml",
            full.display()
        );
        syn::Error::new(path.span(), message)
    })
}

/// The errors among the findings, each with its excerpt; a macro has no way to show warnings.
fn refusal(mut diagnostics: Diagnostics) -> String {
    diagnostics.findings.retain(|finding| finding.severity == Severity::Error);
    let count = match diagnostics.findings.len() {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    let rendered = diagnostics.render(false);
    format!("{} has {count}\n\n{}", diagnostics.file, rendered.trim_end())
}
