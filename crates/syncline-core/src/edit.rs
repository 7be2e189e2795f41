//! What a writer wants changed in one record, before it is a change.

use automerge::ScalarValue;

use crate::rich::{Expand, ExpandRules, Span};

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
    /// Puts a mark on characters of a text. Positions in code points.
    Mark {
        /// Root key of the text.
        key: String,
        /// First character that gets it.
        from: usize,
        /// First character behind those.
        to: usize,
        /// The mark's name.
        name: String,
        /// The mark's value; not null.
        value: ScalarValue,
        /// What text typed at its ends becomes.
        expand: Expand,
    },
    /// Takes the marks of a name from characters of a text. Positions in code points.
    Unmark {
        /// Root key of the text.
        key: String,
        /// First character that loses them.
        from: usize,
        /// First character behind those.
        to: usize,
        /// The marks' name.
        name: String,
        /// What text typed at the ends becomes: none of them where it expands.
        expand: Expand,
    },
    /// Turns the text and its marks into these with few edits, so that concurrent edits elsewhere
    /// survive. Marks that are put or taken away expand as the rules say.
    SetSpans(String, Vec<Span>, ExpandRules),
    /// Turns the list into this one with few edits. Elements are plain JSON (objects for embedded
    /// types, stored as maps).
    SetList(String, Vec<serde_json::Value>),
}

impl ObjectEdit {
    /// Root key and type of the object.
    pub fn object(&self) -> (&str, ObjectKind) {
        match self {
            Self::Make(key, kind) => (key, *kind),
            Self::Splice { key, .. }
            | Self::SetText(key, _)
            | Self::Mark { key, .. }
            | Self::Unmark { key, .. }
            | Self::SetSpans(key, ..) => (key, ObjectKind::Text),
            Self::SetList(key, _) => (key, ObjectKind::List),
        }
    }
}

/// Everything one change does to a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// Edits of root keys, in order.
    pub root: Vec<RootEdit>,
    /// Edits inside objects, after the root edits.
    pub objects: Vec<ObjectEdit>,
}
