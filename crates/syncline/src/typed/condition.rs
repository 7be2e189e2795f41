//! Which records of a model are meant, and in which order they come.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};
use syncline_core::filter::{Filter, Order};

/// Which records of model `M` are meant. Made by the operators of [`Field`](super::Field), joined
/// by `&`, `|` and `!`.
///
/// Conditions are two-valued: `eq`, `ne`, `is_in` and `not_in` treat null as a value; orderings,
/// `contains`, `begins_with` and `has` never match null, so their negations always do.
#[must_use = "a condition does nothing by itself: give it to a query"]
pub struct Condition<M> {
    filter: Filter,
    model: PhantomData<fn() -> M>,
}

impl<M> Condition<M> {
    /// Every record.
    pub fn all() -> Self {
        Self::new(Filter::All)
    }

    /// A condition from a filter whose fields nobody has checked against the model yet; the query
    /// that gets it will.
    pub fn new(filter: Filter) -> Self {
        Self { filter, model: PhantomData }
    }

    /// The same condition in the form that the JSON face takes.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }
}

impl<M> From<Condition<M>> for Filter {
    fn from(condition: Condition<M>) -> Self {
        condition.filter
    }
}

/// Every record.
impl<M> Default for Condition<M> {
    fn default() -> Self {
        Self::all()
    }
}

impl<M> Clone for Condition<M> {
    fn clone(&self) -> Self {
        Self::new(self.filter.clone())
    }
}

impl<M> PartialEq for Condition<M> {
    fn eq(&self, other: &Self) -> bool {
        self.filter == other.filter
    }
}

impl<M> fmt::Debug for Condition<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt(f)
    }
}

impl<M> BitAnd for Condition<M> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::new(self.filter & other.filter)
    }
}

impl<M> BitOr for Condition<M> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::new(self.filter | other.filter)
    }
}

impl<M> Not for Condition<M> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(!self.filter)
    }
}

/// One key of the order in which records of model `M` come. Made by [`Field::asc`](super::Field::asc)
/// and [`Field::desc`](super::Field::desc).
#[must_use = "an order does nothing by itself: give it to a query"]
pub struct OrderBy<M> {
    order: Order,
    model: PhantomData<fn() -> M>,
}

impl<M> OrderBy<M> {
    pub(super) fn new(order: Order) -> Self {
        Self { order, model: PhantomData }
    }

    /// The same key with null before every value.
    pub fn nulls_first(self) -> Self {
        Self::new(self.order.nulls_first())
    }

    /// The same key with null behind every value.
    pub fn nulls_last(self) -> Self {
        Self::new(self.order.nulls_last())
    }

    /// The same key in the form that the JSON face takes.
    pub fn order(&self) -> &Order {
        &self.order
    }
}

impl<M> From<OrderBy<M>> for Order {
    fn from(by: OrderBy<M>) -> Self {
        by.order
    }
}

impl<M> Clone for OrderBy<M> {
    fn clone(&self) -> Self {
        Self::new(self.order.clone())
    }
}

impl<M> PartialEq for OrderBy<M> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<M> fmt::Debug for OrderBy<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.order.fmt(f)
    }
}
