//! Declared indexes serve the operators they can serve.

use serde_json::json;
use syncline_core::filter::{Filter, Order};

use super::{database, schema, todo};
use crate::query::{Condition, Query};

fn plan(query: &Query) -> String {
    let schema = schema();
    let record = todo(&schema, "a", json!({"priority": 1}));
    query.explain(&database(&schema, "Todo", &[record]), &schema).unwrap()
}

fn with(condition: impl Into<Condition>) -> Query {
    Query { condition: condition.into(), ..Query::new("Todo") }
}

#[test]
fn comparisons_search_the_declared_index() {
    for filter in [
        Filter::eq("priority", 3),
        Filter::ge("priority", 3),
        Filter::between("priority", 3, 4),
        Filter::any_of("priority", [3, 4]),
        Filter::eq("priority", 3) & Filter::begins_with("title", "ab"),
    ] {
        let plan = plan(&with(filter.clone()));
        assert!(plan.contains("USING INDEX Todo.byPriority (priority"), "{filter:?}: {plan}");
    }
    let both = plan(&with(Filter::eq("priority", 3) & Filter::begins_with("title", "ab")));
    assert!(both.contains("(priority=? AND title>? AND title<?)"), "{both}");
    let text = plan(&with(Condition::Where("priority = 3 AND title > 'a'".to_owned())));
    assert!(text.contains("(priority=? AND title>?)"), "{text}");
}

#[test]
fn orders_walk_an_index_and_sort_nothing_that_is_sorted() {
    let by_key = plan(&Query::new("Todo"));
    assert_eq!(by_key, "SCAN Todo USING INDEX Todo.syncline_key");
    let query = Query { order: vec![Order::ascending("priority"), Order::ascending("title")], ..Query::new("Todo") };
    let plan = plan(&query);
    assert!(plan.starts_with("SCAN Todo USING INDEX Todo.byPriority"), "{plan}");
}

#[test]
fn a_page_by_token_starts_where_it_goes_on() {
    let schema = schema();
    let records: Vec<_> = (0..5).map(|n| todo(&schema, &n.to_string(), json!({"priority": n}))).collect();
    let db = database(&schema, "Todo", &records);
    for (order, plan) in [
        (vec![], "SEARCH Todo USING INDEX Todo.syncline_key (id>?)"),
        (vec![Order::ascending("priority")], "SEARCH Todo USING INDEX Todo.byPriority (priority>?)"),
    ] {
        let first = Query { order, limit: Some(2), ..Query::new("Todo") };
        let next = Query { after: first.run(&db, &schema).unwrap().next, ..first };
        let found = next.explain(&db, &schema).unwrap();
        assert!(found.starts_with(plan), "{found}");
    }
}
