//! Limits, offsets and tokens.

use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Order};

use super::{database, found, schema, todo};
use crate::query::{Query, QueryError};

fn numbered(count: i64) -> Vec<Map<String, Value>> {
    let schema = schema();
    (0..count).map(|n| todo(&schema, &format!("{n:02}"), json!({"priority": n / 3}))).collect()
}

#[test]
fn limit_and_offset_cut_the_result_and_the_count() {
    let schema = schema();
    let db = database(&schema, "Todo", &numbered(10));
    let query = Query { limit: Some(3), offset: 8, ..Query::new("Todo") };
    assert_eq!(found(&db, &schema, &query), ["08", "09"]);
    assert_eq!(query.count(&db, &schema).unwrap(), 2);
    let query = Query { offset: 9, ..Query::new("Todo") };
    assert_eq!(found(&db, &schema, &query), ["09"]);
    let none = Query { limit: Some(0), ..Query::new("Todo") };
    assert_eq!(none.run(&db, &schema).unwrap().next, None);
    assert_eq!(Query { limit: Some(u64::MAX), ..Query::new("Todo") }.count(&db, &schema).unwrap(), 10);
}

#[test]
fn the_last_page_has_no_token() {
    let schema = schema();
    let db = database(&schema, "Todo", &numbered(4));
    let first = Query { limit: Some(2), ..Query::new("Todo") };
    let page = first.run(&db, &schema).unwrap();
    let second = Query { after: page.next, ..first };
    let page = second.run(&db, &schema).unwrap();
    assert_eq!(page.records.len(), 2);
    assert_eq!(page.next, None);
}

#[test]
fn a_token_of_another_order_or_model_is_refused() {
    let schema = schema();
    let db = database(&schema, "Todo", &numbered(4));
    let token = Query { limit: Some(2), ..Query::new("Todo") }.run(&db, &schema).unwrap().next.unwrap();
    let with = |query: Query, token: &str| Query { after: Some(token.to_owned()), ..query }.run(&db, &schema);
    assert!(with(Query::new("Todo"), &token).is_ok());
    let descending = Query { order: vec![Order::descending("id")], ..Query::new("Todo") };
    let mut cut = token.clone();
    cut.truncate(token.len() - 2);
    for refused in [
        with(descending, &token),
        with(Query::new("Seat"), &token),
        with(Query::new("Todo"), &cut),
        with(Query::new("Todo"), ""),
        with(Query::new("Todo"), "é0"),
        with(Query::new("Todo"), &format!("{token}00")),
    ] {
        assert!(matches!(refused, Err(QueryError::WrongToken)), "{refused:?}");
    }
}

#[test]
fn ten_thousand_alternatives_are_one_query_and_more_values_than_sqlite_takes_are_refused() {
    let schema = schema();
    let db = database(&schema, "Todo", &numbered(10));
    let any = (0..10_000).map(|n| Filter::eq("priority", n)).collect();
    let query = Query { condition: Filter::Or(any).into(), ..Query::new("Todo") };
    assert_eq!(query.count(&db, &schema).unwrap(), 10);
    let query = Query { condition: Filter::any_of("priority", 0..40_000).into(), ..Query::new("Todo") };
    assert!(matches!(query.count(&db, &schema), Err(QueryError::TooManyValues { found: 40_000, .. })));
}

#[test]
fn the_deepest_filter_that_is_allowed_runs() {
    let schema = schema();
    let db = database(&schema, "Todo", &numbered(3));
    let deep = (0..60).fold(Filter::eq("priority", 0), |inner, n| {
        let other = Filter::eq("priority", 7);
        if n % 2 == 0 { Filter::And(vec![!other, inner]) } else { Filter::Or(vec![other, inner]) }
    });
    let query = Query { condition: deep.into(), ..Query::new("Todo") };
    assert_eq!(query.count(&db, &schema).unwrap(), 3);
}
