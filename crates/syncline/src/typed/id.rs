//! Ids that know whose they are.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::field::{Comparable, Ordered, Textual};

/// The id of a record of model `M`: a string that is not taken for the id of a record of another model. Empty until
/// the record is saved, if nobody gives one. Wherever a `&str` is asked for, `&id` is one.
///
/// ```
/// # use syncline::Id;
/// # struct List;
/// let id: Id<List> = "groceries".into();
/// assert_eq!(id, "groceries");
/// assert_eq!(id.len(), 9);
/// ```
///
/// The id of a list is no id of an item:
///
/// ```compile_fail
/// # use syncline::Id;
/// # struct List;
/// # struct Item;
/// # let list: Id<List> = "groceries".into();
/// let item: Id<Item> = list;
/// ```
pub struct Id<M> {
    text: String,
    names: PhantomData<fn() -> M>,
}

impl<M> Id<M> {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is still to be generated.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl<M> Deref for Id<M> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<M> AsRef<str> for Id<M> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Equal, ordered and hashed as its text is.
impl<M> Borrow<str> for Id<M> {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl<M> From<String> for Id<M> {
    fn from(text: String) -> Self {
        Self { text, names: PhantomData }
    }
}

impl<M> From<&String> for Id<M> {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl<M> From<&str> for Id<M> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<M> From<&Self> for Id<M> {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl<M> From<Id<M>> for String {
    fn from(id: Id<M>) -> Self {
        id.text
    }
}

impl<M> Clone for Id<M> {
    fn clone(&self) -> Self {
        self.text.clone().into()
    }
}

/// An id that is still to be generated.
impl<M> Default for Id<M> {
    fn default() -> Self {
        String::new().into()
    }
}

impl<M> PartialEq for Id<M> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<M> Eq for Id<M> {}

impl<M> PartialOrd for Id<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Id<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<M> Hash for Id<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<M> PartialEq<str> for Id<M> {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl<M> PartialEq<&str> for Id<M> {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl<M> PartialEq<String> for Id<M> {
    fn eq(&self, other: &String) -> bool {
        self.text == *other
    }
}

impl<M> PartialEq<Id<M>> for str {
    fn eq(&self, other: &Id<M>) -> bool {
        self == other.text
    }
}

impl<M> PartialEq<Id<M>> for &str {
    fn eq(&self, other: &Id<M>) -> bool {
        *self == other.text
    }
}

impl<M> PartialEq<Id<M>> for String {
    fn eq(&self, other: &Id<M>) -> bool {
        *self == other.text
    }
}

impl<M> fmt::Display for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl<M> fmt::Debug for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl<M> Serialize for Id<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de, M> Deserialize<'de> for Id<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl<M> Comparable for Id<M> {
    fn into_value(self) -> Value {
        Value::String(self.text)
    }
}

impl<M> Ordered for Id<M> {}
impl<M> Textual for Id<M> {}
