//! `models!("schema.graphql")`: a schema's models as Rust types. Used through `syncline`, which
//! re-exports it; names of this crate are not stable.
//!
//! `input` finds the schema and parses it, or turns its diagnostics into a compile error; `expand` puts the
//! expansion together. The items are written by `syncline_schema::generate::rust`, which the program's
//! `schema rust` prints, too.

mod expand;
mod input;

use proc_macro::TokenStream;

/// Writes Rust types for the models of a schema.
///
/// ```ignore
/// // Path from the folder of the crate's Cargo.toml; the build notices when the file changes.
/// syncline::models!("schema.graphql");
///
/// // Or, for small things, the schema itself.
/// mod notes {
///     syncline::models!(sdl = "type Note @model { title: String! body: String @text }");
/// }
/// ```
///
/// Call it at the level of a module, once per module. For `type Todo @model { title: String! note:
/// String done: Boolean! @default(value: "false") }` it writes:
///
/// - `struct Todo` with a public member per field in snake case: `title: String`, `note:
///   Option<String>`, `done: bool`. Embedded types and enums become structs and enums. Managed fields
///   such as `created_at` are `None` until the record is saved. Relations have no member; the key fields that they
///   stand on do.
/// - `id` is an `Id<Todo>`, empty until the record is saved, and so is every field by which a relation refers to a `Todo`:
///   the id of something else does not compile there.
/// - `Todo::new(title)`: takes what a save demands; everything else is at its default, and can be
///   set by `Todo { note: Some(text), ..Todo::new(title) }`.
/// - `mod todo` with a constant per field and per relation, for queries and for edits of texts, counters and sets:
///   `todo::done.eq(false) & todo::title.begins_with("Buy")`, `list::todos.any(todo::done.eq(false))`.
///   Fields of embedded types stand in modules: `customer::address::city`. Constants are lower case: name
///   them with their module rather than by `use todo::*`, or patterns such as `let title = …` compare
///   instead of bind.
/// - `Todo::key_of(…)`, if the model has a `@primaryKey`: the key of a record by its key fields.
/// - `const SDL`: the schema's text, to open a store with.
///
/// Scalars are `String`, `i64`, `f64`, `bool` and, for AWSJSON, `serde_json::Value`, where a string
/// is JSON text as in Amplify. Enums have a further variant `Unlisted`, so that a value that a newer schema knows can be read
/// and kept. A required field that has no value in a record, because the record is older than the
/// field, reads as its default or empty; null among the elements of `[T!]`, from a schema that allowed it, is left out.
///
/// A schema that is refused is a compile error with every diagnostic, as `syncline schema check`
/// shows them; that command also shows warnings, which a macro cannot.
#[proc_macro]
pub fn models(input: TokenStream) -> TokenStream {
    expand::models(input.into()).into()
}
