//! SDL in, schema and diagnostics out.
//!
//! `syntax` turns text into apollo-compiler's tree; `definitions` sorts its definitions by what they are to Syncline,
//! `descriptions` keeps what is said of them; `embedded`, `models` and `relations` build the schema from them, using `types`
//! and `fields` for one field and `directives` for what stands behind an `@`; `limits` checks the result against what
//! SQLite can hold. Each definition stops at its first error; its neighbours are checked all the same.

mod auth;
mod definitions;
mod descriptions;
mod diagnostics;
mod directives;
mod drafts;
mod embedded;
mod fields;
mod finding;
mod keys;
mod limits;
mod models;
mod relations;
mod renames;
mod syntax;
mod types;

pub use diagnostics::{Diagnostic, Diagnostics, Severity};

use crate::Schema;
use finding::Findings;

/// An accepted schema.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The schema.
    pub schema: Schema,
    /// Warnings, in file order, with the source they point into.
    pub warnings: Diagnostics,
}

/// Parses and checks SDL. `file` is only a name for messages.
///
/// A schema with warnings is accepted; whoever wants to be strict refuses it if
/// [`Parsed::warnings`] is not empty.
///
/// ```
/// let parsed = syncline_schema::parse("todo.graphql", "type Todo @model { title: String! }")?;
/// assert_eq!(parsed.schema.models[0].fields[1].name, "title");
///
/// let refused = syncline_schema::parse("todo.graphql", "type Todo @model { title: Sting! }").unwrap_err();
/// let error = refused.errors().next().unwrap();
/// assert_eq!((error.line, error.column), (1, 27));
/// assert_eq!(error.help.as_deref(), Some("did you mean `String`?"));
/// # Ok::<(), syncline_schema::Diagnostics>(())
/// ```
pub fn parse(file: &str, source: &str) -> Result<Parsed, Diagnostics> {
    let mut findings = Findings::default();
    let schema =
        syntax::read(source).map_err(|finding| findings.push(finding)).map(|document| check(&document, &mut findings));
    let diagnostics = findings.into_diagnostics(file, source);
    match schema {
        Ok(schema) if diagnostics.errors().next().is_none() => Ok(Parsed { schema, warnings: diagnostics }),
        Ok(_) | Err(()) => Err(diagnostics),
    }
}

/// Builds the schema; what it says only counts if no error was found on the way.
fn check(document: &apollo_compiler::ast::Document, findings: &mut Findings) -> Schema {
    let definitions = definitions::collect(document, findings);
    let enums = definitions::enums(&definitions, findings);
    let embedded = embedded::build(&definitions, &enums, findings);
    let mut drafts = models::build(&definitions, &enums, findings);
    let joins = relations::resolve(&definitions, &mut drafts, findings);
    let mut models = drafts::finish(drafts, findings);
    models.extend(joins);
    let descriptions = descriptions::collect(&definitions);
    let schema = Schema { models, enums, embedded, descriptions };
    limits::check(&definitions, &schema, findings);
    schema
}
