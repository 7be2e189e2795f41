//! Typed queries that compute instead of listing.

use std::marker::PhantomData;

use syncline_core::filter::{Filter, Order};
use syncline_engine::query::{Aggregation, Query};

use crate::error::Result;
use crate::store::{Record, Store};
use crate::typed::{Aggregates, Condition, GroupBy, Model, OrderBy};
use crate::typed_store::TypedQuery;

impl<M: Model> TypedQuery<M> {
    /// Computes of the records: `aggregate((count(), todo::votes.sum()))`. Order, limit and offset do not matter.
    pub async fn aggregate<A: Aggregates<M>>(self, aggregates: A) -> Result<A::Output> {
        let of = Query { order: Vec::new(), limit: None, offset: 0, ..self.query };
        let rows = self.store.aggregate_json(Aggregation::new(of, aggregates.measures())).await?;
        Ok(A::read(&mut rows.into_iter().flatten().map(|(_, value)| value))?)
    }

    /// Makes groups of the records that are equal in a field, or in several: `group_by((todo::status, todo::done))`.
    /// Null makes a group. The query's order, limit and offset so far do not matter.
    pub fn group_by<K: GroupBy<M>>(self, keys: K) -> GroupedQuery<M, K> {
        let of = Query { order: Vec::new(), limit: None, offset: 0, ..self.query };
        let aggregation = Aggregation { group_by: keys.fields(), ..Aggregation::new(of, Vec::new()) };
        GroupedQuery { store: self.store, aggregation, keys: PhantomData }
    }
}

/// A query of groups of records in the making.
#[must_use = "a query does nothing until `aggregate` is called"]
pub struct GroupedQuery<M, K> {
    store: Store,
    aggregation: Aggregation,
    keys: PhantomData<fn() -> (M, K)>,
}

impl<M: Model, K: GroupBy<M>> GroupedQuery<M, K> {
    /// Only groups that match, by what they are made by and by what is computed of them: `todo::votes.sum().ge(10)`.
    /// Several conditions must all match.
    pub fn having(mut self, condition: Condition<M>) -> Self {
        let before = std::mem::replace(&mut self.aggregation.having, Filter::All);
        self.aggregation.having = before & Filter::from(condition);
        self
    }

    /// Ordered by this next: by what groups are made by, or by what is computed of them. What they are made by decides
    /// among equals.
    pub fn order(mut self, by: OrderBy<M>) -> Self {
        self.aggregation.of.order.push(Order::from(by));
        self
    }

    /// At most so many groups.
    pub fn limit(mut self, limit: u64) -> Self {
        self.aggregation.of.limit = Some(limit);
        self
    }

    /// Without so many of the first groups.
    pub fn offset(mut self, offset: u64) -> Self {
        self.aggregation.of.offset = offset;
        self
    }

    /// Computes of the records of each group. Conditions and orders may only name what is computed here.
    pub async fn aggregate<A: Aggregates<M>>(mut self, aggregates: A) -> Result<Vec<(K::Key, A::Output)>> {
        self.aggregation.measures = aggregates.measures();
        let rows = self.store.aggregate_json(self.aggregation).await?;
        let read = |row: Record| {
            let mut values = row.into_iter().map(|(_, value)| value);
            Ok((K::read(&mut values)?, A::read(&mut values)?))
        };
        rows.into_iter().map(read).collect()
    }
}

impl<M, K> std::fmt::Debug for GroupedQuery<M, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.aggregation.fmt(f)
    }
}
