//! What a schema is in other languages.
//!
//! [`rust`] writes the items of `models!`; [`typescript`] the types, and [`json_schema`] the schema, of the JSON in
//! which records are shown, exported and saved.

mod describe;
mod json_schema;
pub mod rust;
mod typescript;

pub use json_schema::json_schema;
pub use typescript::typescript;
