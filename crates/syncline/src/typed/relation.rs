//! A model's relations as values: what queries filter by and include, and what `related` and `link` name.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use syncline_core::filter::Filter;

use super::condition::Condition;

macro_rules! relation {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<M, T> {
            name: &'static str,
            leads: PhantomData<fn() -> (M, T)>,
        }

        impl<M, T> $name<M, T> {
            /// The relation of that name. Called by what `models!` writes.
            #[doc(hidden)]
            pub const fn new(name: &'static str) -> Self {
                Self { name, leads: PhantomData }
            }

            /// Name in the schema.
            pub const fn name(self) -> &'static str {
                self.name
            }
        }

        impl<M, T> Copy for $name<M, T> {}

        impl<M, T> Clone for $name<M, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<M, T> fmt::Debug for $name<M, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.name).finish()
            }
        }
    };
}

relation! {
    /// A relation of model `M` that leads to one record of `T` at most: a `@belongsTo` or `@hasOne`.
    ToOne
}

relation! {
    /// A relation of model `M` that leads to any number of records of `T`: a `@hasMany`, or the records that a
    /// [`ManyToMany`] links.
    ToMany
}

impl<M, T> ToOne<M, T> {
    /// Leads to a record that matches.
    pub fn matches(self, condition: Condition<T>) -> Condition<M> {
        Condition::new(Filter::related(self.name, condition.into()))
    }

    /// Leads to a record that is here.
    pub fn is_there(self) -> Condition<M> {
        self.matches(Condition::all())
    }

    /// Leads to no record: the reference is null, or what it refers to is not here (it has not arrived yet, or is
    /// deleted).
    pub fn is_missing(self) -> Condition<M> {
        !self.is_there()
    }
}

impl<M, T> ToMany<M, T> {
    /// At least one of the records matches.
    pub fn any(self, condition: Condition<T>) -> Condition<M> {
        Condition::new(Filter::related(self.name, condition.into()))
    }

    /// None of the records matches.
    pub fn none(self, condition: Condition<T>) -> Condition<M> {
        !self.any(condition)
    }

    /// Leads to no record.
    pub fn is_empty(self) -> Condition<M> {
        self.none(Condition::all())
    }
}

/// A `@manyToMany` of model `M`: it leads to records of `T` as every [`ToMany`] does, and links are made and removed.
pub struct ManyToMany<M, T>(ToMany<M, T>);

impl<M, T> ManyToMany<M, T> {
    /// The relation of that name. Called by what `models!` writes.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Self(ToMany::new(name))
    }
}

impl<M, T> Deref for ManyToMany<M, T> {
    type Target = ToMany<M, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<M, T> Copy for ManyToMany<M, T> {}

impl<M, T> Clone for ManyToMany<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T> fmt::Debug for ManyToMany<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManyToMany").field(&self.name).finish()
    }
}
