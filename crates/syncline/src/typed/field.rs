//! A model's fields as values: what a query compares, and what text, counter and set edits name.

use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use syncline_core::filter::{Filter, Order};

use super::condition::{Condition, OrderBy};

/// A value that fields can be compared with: every scalar but AWSJSON, and enums.
pub trait Comparable {
    /// The value as a record shows it.
    fn into_value(self) -> Value;
}

/// A value that can be added up: integers and floats.
pub trait Numeric: Ordered {}

/// A value with an order: strings (by code point), enum values (by name) and numbers.
pub trait Ordered: Comparable {}

/// A value that has parts and beginnings: strings and enum values.
pub trait Textual: Comparable {}

impl Comparable for String {
    fn into_value(self) -> Value {
        Value::String(self)
    }
}

impl Comparable for i64 {
    fn into_value(self) -> Value {
        Value::from(self)
    }
}

impl Comparable for f64 {
    fn into_value(self) -> Value {
        Value::from(self)
    }
}

impl Comparable for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl Ordered for String {}
impl Ordered for i64 {}
impl Ordered for f64 {}
impl Numeric for i64 {}
impl Numeric for f64 {}
impl Textual for String {}

/// A field of model `M` that holds values of type `T`, or null.
///
/// `todo::done.eq(false) & todo::priority.ge(3)` is a [`Condition`]; `todo::priority.desc()` is an
/// [`OrderBy`]. A field of another model, or a value of another type, does not compile.
pub struct Field<M, T> {
    name: &'static str,
    holds: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Field<M, T> {
    /// The field of that name, or at that path (`address.city`). Called by what `models!` writes.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Self { name, holds: PhantomData }
    }

    /// Name in the schema, or path into an embedded value.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Has no value.
    pub fn is_null(self) -> Condition<M> {
        Condition::new(Filter::eq(self.name, Value::Null))
    }

    /// Has a value.
    pub fn is_not_null(self) -> Condition<M> {
        Condition::new(Filter::ne(self.name, Value::Null))
    }
}

impl<M, T: Comparable> Field<M, T> {
    /// Equals `value`.
    pub fn eq(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::eq(self.name, value.into().into_value()))
    }

    /// Differs from `value`, or is null.
    pub fn ne(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::ne(self.name, value.into().into_value()))
    }

    /// Equals one of the values.
    pub fn is_in<V: Into<T>>(self, values: impl IntoIterator<Item = V>) -> Condition<M> {
        Condition::new(Filter::any_of(self.name, each(values)))
    }

    /// Equals none of the values, or is null.
    pub fn not_in<V: Into<T>>(self, values: impl IntoIterator<Item = V>) -> Condition<M> {
        Condition::new(Filter::none_of(self.name, each(values)))
    }

    /// Smallest first; null before everything, unless placed otherwise.
    pub fn asc(self) -> OrderBy<M> {
        OrderBy::new(Order::ascending(self.name))
    }

    /// Greatest first; null last, unless placed otherwise.
    pub fn desc(self) -> OrderBy<M> {
        OrderBy::new(Order::descending(self.name))
    }
}

impl<M, T: Ordered> Field<M, T> {
    /// Is less than `value`.
    pub fn lt(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::lt(self.name, value.into().into_value()))
    }

    /// Is at most `value`.
    pub fn le(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::le(self.name, value.into().into_value()))
    }

    /// Is greater than `value`.
    pub fn gt(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::gt(self.name, value.into().into_value()))
    }

    /// Is at least `value`.
    pub fn ge(self, value: impl Into<T>) -> Condition<M> {
        Condition::new(Filter::ge(self.name, value.into().into_value()))
    }

    /// Is in the range from `low` to `high`, both included.
    pub fn between(self, low: impl Into<T>, high: impl Into<T>) -> Condition<M> {
        let (low, high) = (low.into().into_value(), high.into().into_value());
        Condition::new(Filter::between(self.name, low, high))
    }
}

impl<M, T: Textual> Field<M, T> {
    /// Has this part; case matters.
    pub fn contains(self, part: impl Into<String>) -> Condition<M> {
        Condition::new(Filter::contains(self.name, part.into()))
    }

    /// Has this beginning; case matters.
    pub fn begins_with(self, prefix: impl Into<String>) -> Condition<M> {
        Condition::new(Filter::begins_with(self.name, prefix))
    }
}

impl<M, E: Comparable> Field<M, Vec<E>> {
    /// The list or set has this element.
    pub fn has(self, element: impl Into<E>) -> Condition<M> {
        Condition::new(Filter::contains(self.name, element.into().into_value()))
    }
}

fn each<T: Comparable, V: Into<T>>(values: impl IntoIterator<Item = V>) -> Vec<Value> {
    values.into_iter().map(|value| value.into().into_value()).collect()
}

impl<M, T> Copy for Field<M, T> {}

impl<M, T> Clone for Field<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T> fmt::Debug for Field<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.name).finish()
    }
}

/// A kind of field that has edits of its own, and is queried like any other of its type.
macro_rules! special_field {
    ($(#[$doc:meta])* $name:ident<$model:ident $(, $element:ident)?> is $holds:ty) => {
        $(#[$doc])*
        pub struct $name<$model $(, $element)?>(Field<$model, $holds>);

        impl<$model $(, $element)?> $name<$model $(, $element)?> {
            /// The field of that name. Called by what `models!` writes.
            #[doc(hidden)]
            pub const fn new(name: &'static str) -> Self {
                Self(Field::new(name))
            }
        }

        impl<$model $(, $element)?> Deref for $name<$model $(, $element)?> {
            type Target = Field<$model, $holds>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<$model $(, $element)?> From<$name<$model $(, $element)?>> for Field<$model, $holds> {
            fn from(field: $name<$model $(, $element)?>) -> Self {
                field.0
            }
        }

        impl<$model $(, $element)?> Copy for $name<$model $(, $element)?> {}

        impl<$model $(, $element)?> Clone for $name<$model $(, $element)?> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$model $(, $element)?> fmt::Debug for $name<$model $(, $element)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0.name).finish()
            }
        }
    };
}

special_field! {
    /// A collaborative text (`String @text`) of model `M`.
    TextField<M> is String
}

special_field! {
    /// A counter (`Int @counter`) of model `M`.
    CounterField<M> is i64
}

special_field! {
    /// A set (`[T] @set`) of model `M` with elements of type `E`.
    SetField<M, E> is Vec<E>
}
