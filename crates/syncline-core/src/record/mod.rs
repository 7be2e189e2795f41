//! Typed values of a model to edits of a document, and a record's state back to typed values.
//!
//! In: plain JSON, in which a relation to one record may be given as that record instead of the fields that hold its
//! key. [`NewRecord::check`] validates a whole record and names every bad field at once;
//! [`create_edits`] and the methods of [`RecordView`] say which edits a save, a patch or a delete
//! is. Out: [`RecordView::project`] gives the JSON record, [`RecordView::column_values`] the row of
//! its SQL table, without JSON in between.
//!
//! What stands in a record's document, by kind of field (`key` is the field's document key):
//!
//! | field | root keys |
//! |---|---|
//! | scalar, enum | `key`: one value, or null |
//! | AWSJSON, list inside an embedded type | `key`: compact JSON as a string |
//! | counter | `key`: a counter, made with 0 by the create |
//! | set | `key/<canonical text of the element>`: present or not |
//! | embedded type | `key.<field>` for each field; `~some/key`: it is not null even if all fields are |
//! | text, list | `key`: the object; `~null/key`: an empty one means null; `~some/key`: it is empty, not null, though nobody has made the object yet |
//! | existence | `~live` |
//!
//! Content wins over `~null/…`, as it does over an absent `~some/…`: an edit is never hidden by a
//! concurrent null. A counter is never null: what nobody has counted is 0. Of counters made twice,
//! by two creators of one custom key or on records older than their field, the winner's value shows.

mod at;
mod check;
mod columns;
mod conflicts;
mod create;
mod effects;
mod encode;
mod foreign;
mod items;
mod key;
mod patch;
mod place;
mod project;
mod refer;
mod texts;
mod time;
mod touched;
mod undo;
mod view;

pub use at::{At, BadMoment, ChangeName, closed};
pub use check::{FieldError, InvalidRecord, NewRecord, RECORD_BYTES_MAX};
pub use columns::{Column, SqlType, SqlValue, column_value, column_values, columns, json_value, record_from_columns};
pub use conflicts::{ConcurrentValues, Unsettled};
pub use create::create_edits;
pub use effects::{ChangeEffect, ListEdited, MarkPut, TextEdited, checked_field};
pub use encode::{decode_scalar, encode_scalar};
pub use foreign::{ForeignChange, check_foreign};
pub use key::RecordKey;
pub use texts::TextEdit;
pub use time::rfc3339;
pub use touched::Touched;
pub(crate) use undo::Run;
pub use undo::{Inverse, Part, Story, TooManyRuns};
pub use view::RecordView;

use syncline_schema::{FieldKind, Model};

/// The root key whose presence means that the record exists.
pub const LIVE: &str = "~live";

/// Presence keys of embedded values that are not null, and of texts and lists that are empty.
const SOME: &str = "~some/";

/// Presence keys of texts and lists that are null.
const NULL: &str = "~null/";

/// Whether records of the model have texts or lists, which only a document can show.
pub fn needs_document(model: &Model) -> bool {
    model.fields.iter().any(|field| is_object(&field.kind))
}

/// Whether any of the model's fields at these places is a text or list.
pub fn any_object(model: &Model, places: &[usize]) -> bool {
    places.iter().any(|place| is_object(&model.fields[*place].kind))
}

fn is_object(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Text { .. } | FieldKind::List(_))
}

fn null_key(document_key: &str) -> String {
    format!("{NULL}{document_key}")
}

fn some_key(document_key: &str) -> String {
    format!("{SOME}{document_key}")
}

fn element_key(document_key: &str, element: &str) -> String {
    format!("{document_key}/{element}")
}

fn nested_key(document_key: &str, inner: &str) -> String {
    format!("{document_key}.{inner}")
}
