//! The one filter tree: built in Rust, or read from AppSync's filter JSON; evaluated here in plain
//! Rust, and by the engine in SQL, with the same result.
//!
//! Filters are two-valued, as in DataStore: `eq`, `ne` and `in` treat null as a value; orderings,
//! `between`, `contains` and `beginsWith` never match null, so their negations always do. Strings
//! are ordered by code point, and `%` and `_` are plain characters. `contains` on a list or set
//! means element. A path reaches into embedded values: `address.city`.
//!
//! A filter reaches other records through relations, to any of them: a post matches
//! `{"comments": {"content": {"contains": "x"}}}` if at least one of its comments does. Conditions inside one pair of
//! braces must hold for the same related record. What is negated is the whole: `{"not": {"comments": {…}}}` means that
//! no comment matches.

mod evaluate;
mod include;
mod json;
mod measure;
mod order;
mod related;
mod resolve;

use serde_json::Value;

pub use evaluate::{equality_key, value_at};
pub use include::Include;
pub use measure::{Function, Measure, result_fields};
pub use order::{Nulls, Order, compare_records, compare_values, complete_order, resolve_order};
pub use related::{RELATION_DEPTH_MAX, Related, Tables, leads_to};
pub use resolve::{InvalidFilter, field_at};

/// Which records of a model are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    /// Every record.
    #[default]
    All,
    /// Those that match each; every record if there is none.
    And(Vec<Self>),
    /// Those that match any; no record if there is none.
    Or(Vec<Self>),
    /// Those that do not match.
    Not(Box<Self>),
    /// By comparison with one value.
    Compare {
        /// Field, or path into an embedded value.
        field: String,
        /// How.
        op: Comparison,
        /// With what.
        value: Value,
    },
    /// From `low` to `high`, both included.
    Between {
        /// Field, or path into an embedded value.
        field: String,
        /// Smallest value that matches.
        low: Value,
        /// Greatest value that matches.
        high: Value,
    },
    /// Equal to one of the values.
    In {
        /// Field, or path into an embedded value.
        field: String,
        /// The values; null among them matches null.
        values: Vec<Value>,
    },
    /// A string with this part, or a list or set with this element.
    Contains {
        /// Field, or path into an embedded value.
        field: String,
        /// Part or element.
        value: Value,
    },
    /// A string with this beginning.
    BeginsWith {
        /// Field, or path into an embedded value.
        field: String,
        /// The beginning.
        prefix: String,
    },
    /// Leading to a record that matches: the one of a `belongsTo` or `hasOne`, at least one of a `hasMany` or
    /// `manyToMany`.
    Related {
        /// Name of the relation.
        relation: String,
        /// What the related record must match; with [`Filter::All`] it need only be there.
        filter: Box<Self>,
    },
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal; null equals null.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Filter {
    /// `field` equals `value`; null equals null.
    pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Eq, value)
    }

    /// `field` differs from `value`.
    pub fn ne(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Ne, value)
    }

    /// `field` is less than `value`.
    pub fn lt(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Lt, value)
    }

    /// `field` is at most `value`.
    pub fn le(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Le, value)
    }

    /// `field` is greater than `value`.
    pub fn gt(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Gt, value)
    }

    /// `field` is at least `value`.
    pub fn ge(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(field, Comparison::Ge, value)
    }

    /// `field` is in the range from `low` to `high`, both included.
    pub fn between(field: impl Into<String>, low: impl Into<Value>, high: impl Into<Value>) -> Self {
        Self::Between { field: field.into(), low: low.into(), high: high.into() }
    }

    /// `field` equals one of the values.
    pub fn any_of<V: Into<Value>>(field: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::In { field: field.into(), values: values.into_iter().map(Into::into).collect() }
    }

    /// `field` equals none of the values.
    pub fn none_of<V: Into<Value>>(field: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        !Self::any_of(field, values)
    }

    /// `field` has this part (a string) or element (a list or set).
    pub fn contains(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Contains { field: field.into(), value: value.into() }
    }

    /// `field` has no such part or element, or is null.
    pub fn not_contains(field: impl Into<String>, value: impl Into<Value>) -> Self {
        !Self::contains(field, value)
    }

    /// `field` is a string with this beginning.
    pub fn begins_with(field: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::BeginsWith { field: field.into(), prefix: prefix.into() }
    }

    /// `relation` leads to a record that matches; among several, to at least one.
    pub fn related(relation: impl Into<String>, filter: Self) -> Self {
        Self::Related { relation: relation.into(), filter: Box::new(filter) }
    }

    /// `relation` leads to no record: there is no reference, or what it refers to is not here.
    pub fn unrelated(relation: impl Into<String>) -> Self {
        !Self::related(relation, Self::All)
    }

    /// The same filter of fields with other names; those of related records keep theirs.
    pub fn rename(&self, name: &impl Fn(&str) -> String) -> Self {
        let each = |filters: &[Self]| filters.iter().map(|filter| filter.rename(name)).collect();
        let mut renamed = self.clone();
        match &mut renamed {
            Self::All | Self::Related { .. } => {}
            Self::And(all) => *all = each(all),
            Self::Or(any) => *any = each(any),
            Self::Not(filter) => **filter = filter.rename(name),
            Self::Compare { field, .. }
            | Self::Between { field, .. }
            | Self::In { field, .. }
            | Self::Contains { field, .. }
            | Self::BeginsWith { field, .. } => *field = name(field),
        }
        renamed
    }

    fn compare(field: impl Into<String>, op: Comparison, value: impl Into<Value>) -> Self {
        Self::Compare { field: field.into(), op, value: value.into() }
    }
}

impl std::ops::BitAnd for Filter {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, filter) | (filter, Self::All) => filter,
            (Self::And(mut all), filter) => {
                all.push(filter);
                Self::And(all)
            }
            (one, other) => Self::And(vec![one, other]),
        }
    }
}

impl std::ops::BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut any), filter) => {
                any.push(filter);
                Self::Or(any)
            }
            (one, other) => Self::Or(vec![one, other]),
        }
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}
