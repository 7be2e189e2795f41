//! Which fields of a record changes may have altered, so that only those are shown anew.

use std::collections::BTreeSet;

use automerge::legacy::{Key, ObjectId};
use syncline_schema::{Field, Managed, Model};

use super::{LIVE, NULL, SOME, is_object};
use crate::change::Change;

/// What changes of one record touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    keys: BTreeSet<String>,
    /// The inside of some text or list: an operation does not say at which key its object stands.
    objects: bool,
    everything: bool,
}

impl Touched {
    /// Adds what a change touched.
    pub fn add(&mut self, change: &Change) {
        for op in change.ops() {
            match (&op.obj, &op.key) {
                (ObjectId::Root, Key::Map(key)) => {
                    if !self.keys.contains(key.as_str()) {
                        self.keys.insert(key.to_string());
                    }
                }
                (ObjectId::Root, Key::Seq(_)) => self.everything = true,
                (ObjectId::Id(_), _) => self.objects = true,
            }
        }
    }

    /// Adds everything: the record was merged anew.
    pub fn add_everything(&mut self) {
        self.everything = true;
    }

    /// Whether the record was merged anew.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Places of the fields that may show something else now, ascending; `None` for all of them.
    pub fn fields(&self, model: &Model) -> Option<Vec<usize>> {
        if self.everything {
            return None;
        }
        let mut names = BTreeSet::new();
        for key in self.keys.iter().filter(|key| *key != LIVE) {
            let key = key.strip_prefix(SOME).or_else(|| key.strip_prefix(NULL)).unwrap_or(key);
            if key.starts_with('~') {
                return None;
            }
            // Elements of sets stand behind a slash, fields of embedded types behind a dot.
            names.insert(key.split(['/', '.']).next().unwrap_or(key));
        }
        let is_touched = |field: &Field| {
            matches!(field.managed, Managed::CreatedAt | Managed::UpdatedAt)
                || names.contains(field.document_key.as_str())
                || (self.objects && is_object(&field.kind))
        };
        let fields = model.fields.iter().enumerate().filter(|(_, field)| is_touched(field));
        Some(fields.map(|(place, _)| place).collect())
    }
}
