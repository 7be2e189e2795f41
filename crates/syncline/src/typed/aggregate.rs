//! What is computed of many records, with the types of its results.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_core::filter::{Filter, Function, Measure, Order};

use super::condition::{Condition, OrderBy};
use super::field::{Comparable, CounterField, Field, Numeric, Ordered, TextField};
use super::{Mismatch, Model};

/// One number or value of type `T` computed of the records of model `M`. Made by [`count`] and by the functions of
/// [`Field`]: `todo::votes.sum()`, `todo::due.min()`.
///
/// What is computed of each group can be asked of the group, too: `todo::votes.sum().ge(10)` is a condition for
/// [`GroupedQuery::having`](crate::GroupedQuery::having), `todo::votes.sum().desc()` an order of groups.
#[must_use = "an aggregate does nothing by itself: give it to a query"]
pub struct Aggregate<M, T> {
    measure: Measure,
    holds: PhantomData<fn() -> (M, T)>,
}

/// How many records there are.
pub fn count<M>() -> Aggregate<M, u64> {
    Aggregate::new(Measure::count())
}

impl<M, T> Aggregate<M, T> {
    fn new(measure: Measure) -> Self {
        Self { measure, holds: PhantomData }
    }

    /// The same in the form that the JSON face takes.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Groups with the smallest first.
    pub fn asc(&self) -> OrderBy<M> {
        OrderBy::new(Order::ascending(self.measure.name.as_str()))
    }

    /// Groups with the greatest first.
    pub fn desc(&self) -> OrderBy<M> {
        OrderBy::new(Order::descending(self.measure.name.as_str()))
    }

    fn compare(&self, filter: impl FnOnce(&str) -> Filter) -> Condition<M> {
        Condition::new(filter(&self.measure.name))
    }
}

/// A result that groups can be compared by.
pub trait Measured {
    /// What it is compared with.
    type With: Comparable;
}

impl Measured for u64 {
    type With = i64;
}

impl<T: Comparable> Measured for Option<T> {
    type With = T;
}

impl<M, T: Measured> Aggregate<M, T> {
    /// Groups where it equals `value`.
    pub fn eq(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::eq(name, value.into().into_value()))
    }

    /// Groups where it differs from `value`, or is null.
    pub fn ne(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::ne(name, value.into().into_value()))
    }

    /// Groups where it is less than `value`.
    pub fn lt(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::lt(name, value.into().into_value()))
    }

    /// Groups where it is at most `value`.
    pub fn le(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::le(name, value.into().into_value()))
    }

    /// Groups where it is greater than `value`.
    pub fn gt(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::gt(name, value.into().into_value()))
    }

    /// Groups where it is at least `value`.
    pub fn ge(&self, value: impl Into<T::With>) -> Condition<M> {
        self.compare(|name| Filter::ge(name, value.into().into_value()))
    }
}

impl<M, T> Field<M, T> {
    /// How many records have a value there.
    pub fn count(self) -> Aggregate<M, u64> {
        Aggregate::new(Measure::of(Function::Count, self.name()))
    }
}

impl<M, T: Comparable> Field<M, T> {
    /// How many different values there are; null is none.
    pub fn count_distinct(self) -> Aggregate<M, u64> {
        Aggregate::new(Measure::of(Function::CountDistinct, self.name()))
    }
}

impl<M, T: Ordered> Field<M, T> {
    /// The smallest value; `None` without any.
    pub fn min(self) -> Aggregate<M, Option<T>> {
        Aggregate::new(Measure::of(Function::Min, self.name()))
    }

    /// The greatest value; `None` without any.
    pub fn max(self) -> Aggregate<M, Option<T>> {
        Aggregate::new(Measure::of(Function::Max, self.name()))
    }
}

impl<M, T: Numeric> Field<M, T> {
    /// The sum of the values, `None` without any. Of integers it is exact: a sum beyond 64 bits is an error.
    pub fn sum(self) -> Aggregate<M, Option<T>> {
        Aggregate::new(Measure::of(Function::Sum, self.name()))
    }

    /// The average of the values, `None` without any.
    pub fn avg(self) -> Aggregate<M, Option<f64>> {
        Aggregate::new(Measure::of(Function::Avg, self.name()))
    }
}

/// One or several [`Aggregate`]s of model `M`: one, or a tuple of up to eight.
pub trait Aggregates<M> {
    /// Their results.
    type Output;

    /// What is computed.
    fn measures(&self) -> Vec<Measure>;

    /// Reads the results from a row of the JSON face, in the order of the measures.
    fn read(row: &mut dyn Iterator<Item = Value>) -> Result<Self::Output, Mismatch>;
}

/// One or several fields of model `M` that groups are made by, or that tell records apart: one, or a tuple of up to four.
pub trait GroupBy<M> {
    /// The values that make a group.
    type Key;

    /// Names of the fields.
    fn fields(&self) -> Vec<String>;

    /// Reads the values from a row of the JSON face, in the order of the fields.
    fn read(row: &mut dyn Iterator<Item = Value>) -> Result<Self::Key, Mismatch>;
}

fn read<M: Model, T: DeserializeOwned>(row: &mut dyn Iterator<Item = Value>) -> Result<T, Mismatch> {
    serde_json::from_value(row.next().unwrap_or_default()).map_err(|error| Mismatch::Record {
        model: M::NAME,
        place: "a result of aggregates: ".to_owned(),
        message: error.to_string(),
    })
}

impl<M: Model, T: DeserializeOwned> Aggregates<M> for Aggregate<M, T> {
    type Output = T;

    fn measures(&self) -> Vec<Measure> {
        vec![self.measure.clone()]
    }

    fn read(row: &mut dyn Iterator<Item = Value>) -> Result<T, Mismatch> {
        read::<M, T>(row)
    }
}

impl<M: Model, T: Comparable + DeserializeOwned> GroupBy<M> for Field<M, T> {
    type Key = Option<T>;

    fn fields(&self) -> Vec<String> {
        vec![self.name().to_owned()]
    }

    fn read(row: &mut dyn Iterator<Item = Value>) -> Result<Option<T>, Mismatch> {
        read::<M, Option<T>>(row)
    }
}

/// Fields of a special kind make groups by their values.
macro_rules! groups_as {
    ($field:ident as $value:ty) => {
        impl<M: Model> GroupBy<M> for $field<M> {
            type Key = Option<$value>;

            fn fields(&self) -> Vec<String> {
                vec![self.name().to_owned()]
            }

            fn read(row: &mut dyn Iterator<Item = Value>) -> Result<Option<$value>, Mismatch> {
                read::<M, Option<$value>>(row)
            }
        }
    };
}

groups_as!(CounterField as i64);
groups_as!(TextField as String);

/// Tuples of what stands alone as well.
macro_rules! tuples {
    ($trait:ident::$output:ident, $asked:ident -> $of:ty: $(($($one:ident),+);)+) => {$(
        impl<M: Model, $($one: $trait<M>),+> $trait<M> for ($($one,)+) {
            type $output = ($($one::$output,)+);

            fn $asked(&self) -> Vec<$of> {
                #[allow(non_snake_case, reason = "the types' names serve for their values")]
                let ($($one,)+) = self;
                [$($one.$asked()),+].concat()
            }

            fn read(row: &mut dyn Iterator<Item = Value>) -> Result<Self::$output, Mismatch> {
                Ok(($($one::read(row)?,)+))
            }
        }
    )+};
}

tuples! {
    Aggregates::Output, measures -> Measure:
    (A); (A, B); (A, B, C); (A, B, C, D); (A, B, C, D, E); (A, B, C, D, E, F); (A, B, C, D, E, F, G);
    (A, B, C, D, E, F, G, H);
}

tuples! {
    GroupBy::Key, fields -> String:
    (A); (A, B); (A, B, C); (A, B, C, D);
}

impl<M, T> Clone for Aggregate<M, T> {
    fn clone(&self) -> Self {
        Self::new(self.measure.clone())
    }
}

impl<M, T> fmt::Debug for Aggregate<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.measure.fmt(f)
    }
}
