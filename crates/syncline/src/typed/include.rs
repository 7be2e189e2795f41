//! What a query reads along with its records, and the Rust types in which it comes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::{Map, Value};
use syncline_core::filter::{Include, Order};

use super::condition::OrderBy;
use super::relation::{ManyToMany, ToMany, ToOne};
use super::{Mismatch, Model, from_json};

/// Reads a record in JSON as an `R`.
pub(crate) type ReadAs<R> = Arc<dyn Fn(Map<String, Value>) -> Result<R, Mismatch> + Send + Sync>;

/// What can be read along with records of model `M`: a relation, or one with an order, a limit or further relations.
pub trait Includes<M> {
    /// What stands beside a record: `Option<T>` of a [`ToOne`], `Vec<T>` of a [`ToMany`].
    type Shown: 'static;

    /// The same in the form that the JSON face takes.
    fn include(&self) -> Include;

    /// Reads the related records of one record.
    fn read(&self, related: Vec<Map<String, Value>>) -> Result<Self::Shown, Mismatch>;
}

/// A [`ToOne`] whose record comes as an `R`, with what it leads to itself.
pub struct IncludeOne<M, T, R> {
    include: Include,
    read: ReadAs<R>,
    leads: PhantomData<fn() -> (M, T)>,
}

/// A [`ToMany`] whose records come as `R`s.
pub struct IncludeMany<M, T, R> {
    include: Include,
    read: ReadAs<R>,
    leads: PhantomData<fn() -> (M, T)>,
}

impl<M, T: Model> ToOne<M, T> {
    /// Read along together with what the related record leads to.
    pub fn with<I: Includes<T> + Send + Sync + 'static>(self, what: I) -> IncludeOne<M, T, (T, I::Shown)> {
        self.alone().with(what)
    }

    fn alone(self) -> IncludeOne<M, T, T> {
        IncludeOne { include: Include::new(self.name()), read: Arc::new(from_json), leads: PhantomData }
    }
}

impl<M, T: Model> ToMany<M, T> {
    /// Read along together with what each related record leads to.
    pub fn with<I: Includes<T> + Send + Sync + 'static>(self, what: I) -> IncludeMany<M, T, (T, I::Shown)> {
        self.alone().with(what)
    }

    /// Read along in this order; the key decides among equals.
    pub fn order(self, by: OrderBy<T>) -> IncludeMany<M, T, T> {
        self.alone().order(by)
    }

    /// At most so many read along with each record.
    pub fn limit(self, limit: u64) -> IncludeMany<M, T, T> {
        self.alone().limit(limit)
    }

    fn alone(self) -> IncludeMany<M, T, T> {
        IncludeMany { include: Include::new(self.name()), read: Arc::new(from_json), leads: PhantomData }
    }
}

impl<M, T, R: 'static> IncludeOne<M, T, R> {
    /// And what the related record leads to.
    pub fn with<I: Includes<T> + Send + Sync + 'static>(mut self, what: I) -> IncludeOne<M, T, (R, I::Shown)> {
        self.include.include.push(what.include());
        IncludeOne { include: self.include, read: read_with(self.read, what), leads: PhantomData }
    }
}

impl<M, T, R: 'static> IncludeMany<M, T, R> {
    /// And what each related record leads to.
    pub fn with<I: Includes<T> + Send + Sync + 'static>(mut self, what: I) -> IncludeMany<M, T, (R, I::Shown)> {
        self.include.include.push(what.include());
        IncludeMany { include: self.include, read: read_with(self.read, what), leads: PhantomData }
    }

    /// Ordered by this next; the key decides among equals.
    pub fn order(mut self, by: OrderBy<T>) -> Self {
        self.include.order.push(Order::from(by));
        self
    }

    /// At most so many with each record.
    pub fn limit(mut self, limit: u64) -> Self {
        self.include.limit = Some(limit);
        self
    }
}

/// Reads a record, and beside it what was included with it.
pub(crate) fn read_with<T, R: 'static, I>(read: ReadAs<R>, what: I) -> ReadAs<(R, I::Shown)>
where
    I: Includes<T> + Send + Sync + 'static,
{
    let relation = what.include().relation;
    Arc::new(move |mut record| {
        let related = match record.remove(&relation) {
            Some(Value::Object(one)) => vec![one],
            Some(Value::Array(many)) => many.into_iter().filter_map(object).collect(),
            None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Vec::new(),
        };
        Ok((read(record)?, what.read(related)?))
    })
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

impl<M, T, R: 'static> Includes<M> for IncludeOne<M, T, R> {
    type Shown = Option<R>;

    fn include(&self) -> Include {
        self.include.clone()
    }

    fn read(&self, mut related: Vec<Map<String, Value>>) -> Result<Option<R>, Mismatch> {
        related.pop().map(|record| (self.read)(record)).transpose()
    }
}

impl<M, T, R: 'static> Includes<M> for IncludeMany<M, T, R> {
    type Shown = Vec<R>;

    fn include(&self) -> Include {
        self.include.clone()
    }

    fn read(&self, related: Vec<Map<String, Value>>) -> Result<Vec<R>, Mismatch> {
        related.into_iter().map(|record| (self.read)(record)).collect()
    }
}

impl<M, T: Model> Includes<M> for ToOne<M, T> {
    type Shown = Option<T>;

    fn include(&self) -> Include {
        Include::new(self.name())
    }

    fn read(&self, related: Vec<Map<String, Value>>) -> Result<Option<T>, Mismatch> {
        self.alone().read(related)
    }
}

impl<M, T: Model> Includes<M> for ToMany<M, T> {
    type Shown = Vec<T>;

    fn include(&self) -> Include {
        Include::new(self.name())
    }

    fn read(&self, related: Vec<Map<String, Value>>) -> Result<Vec<T>, Mismatch> {
        self.alone().read(related)
    }
}

impl<M, T: Model> Includes<M> for ManyToMany<M, T> {
    type Shown = Vec<T>;

    fn include(&self) -> Include {
        Include::new(self.name())
    }

    fn read(&self, related: Vec<Map<String, Value>>) -> Result<Vec<T>, Mismatch> {
        self.alone().read(related)
    }
}

impl<M, T, R> fmt::Debug for IncludeOne<M, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.include.fmt(f)
    }
}

impl<M, T, R> fmt::Debug for IncludeMany<M, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.include.fmt(f)
    }
}
