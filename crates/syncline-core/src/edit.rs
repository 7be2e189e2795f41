//! What a writer wants changed in one record, before it is a change.

use automerge::ScalarValue;

/// One edit of a root key: rule G builds these without a document.
#[derive(Clone, Debug, PartialEq)]
pub enum RootEdit {
    /// Sets the key; no operation if the value already stands there alone.
    Put(String, ScalarValue),
    /// Sets the key, always with an operation.
    Force(String, ScalarValue),
    /// Puts 1 minus the winner, or 1 where none is visible: always an operation, so an add
    /// beats a concurrent remove (`~live`, set elements).
    Toggle(String),
    /// Removes what is visible; no operation if nothing is.
    Delete(String),
    /// Adds to a counter that exists.
    Increment(String, i64),
}

/// Type of a record's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ObjectKind {
    /// `@text`
    Text,
    /// `[T]`
    List,
}

/// One edit inside an object that stands at a root key: needs a document.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectEdit {
    /// Makes the object if the record is being created with a generated id; else genesis makes it.
    Make(String, ObjectKind),
    /// Deletes `delete` characters at `at`, then inserts. Positions in code points.
    Splice {
        /// Root key of the text.
        key: String,
        /// First character concerned.
        at: usize,
        /// How many characters go.
        delete: usize,
        /// What comes.
        insert: String,
    },
    /// Turns the text into this one with few edits, so that concurrent edits elsewhere survive.
    SetText(String, String),
    /// Turns the list into this one with few edits. Elements are plain JSON (objects for embedded
    /// types, stored as maps).
    SetList(String, Vec<serde_json::Value>),
}

/// Everything one change does to a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// Edits of root keys, in order.
    pub root: Vec<RootEdit>,
    /// Edits inside objects, after the root edits.
    pub objects: Vec<ObjectEdit>,
}
