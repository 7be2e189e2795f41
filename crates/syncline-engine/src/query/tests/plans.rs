//! Declared indexes serve the operators and orders they can serve.

use rusqlite::Connection;
use serde_json::{Value, json};
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
fn every_comparison_that_is_a_range_searches_the_declared_index() {
    for (filter, range) in [
        (Filter::eq("priority", 3), "(priority=?)"),
        (Filter::eq("priority", Value::Null), "(priority=?)"),
        (Filter::ne("priority", Value::Null), "(priority>?)"),
        (Filter::lt("priority", 3), "(priority<?)"),
        (Filter::le("priority", 3), "(priority<?)"),
        (Filter::gt("priority", 3), "(priority>?)"),
        (Filter::ge("priority", 3), "(priority>?)"),
        (Filter::between("priority", 3, 4), "(priority>? AND priority<?)"),
        (Filter::any_of("priority", [3, 4]), "(priority=?)"),
        (!Filter::ne("priority", 3), "(priority=?)"),
        (Filter::eq("priority", 3) & Filter::begins_with("title", "ab"), "(priority=? AND title>? AND title<?)"),
        (Filter::eq("priority", 3) & Filter::contains("body", "ab"), "(priority=?)"),
    ] {
        let plan = plan(&with(filter.clone()));
        let expected = format!("SEARCH Todo USING INDEX Todo.byPriority {range}");
        assert!(plan.starts_with(&expected), "{filter:?}: {plan}");
        assert_eq!(plan.lines().nth(1), Some("USE TEMP B-TREE FOR ORDER BY"), "{filter:?}: {plan}");
    }
}

#[test]
fn what_is_left_of_a_range_by_not_or_null_is_several_searches() {
    for filter in [
        !Filter::lt("priority", 3),
        !Filter::ge("priority", 3),
        !Filter::between("priority", 3, 4),
        !Filter::begins_with("status", "OP"),
        Filter::any_of("priority", [json!(3), Value::Null]),
        Filter::eq("priority", 3) | Filter::eq("status", "OPEN"),
    ] {
        let plan = plan(&with(filter.clone()));
        assert!(plan.contains("MULTI-INDEX OR") && !plan.contains("SCAN"), "{filter:?}: {plan}");
    }
}

#[test]
fn conditions_as_text_search_the_declared_index() {
    for (text, range) in [
        ("priority = 3", "(priority=?)"),
        ("3 < priority", "(priority>?)"),
        ("(priority >= 3) AND NOT done", "(priority>?)"),
        ("priority IN (1, 2)", "(priority=?)"),
        ("priority BETWEEN 1 AND 2 AND length(title) > 3", "(priority>? AND priority<?)"),
        ("priority IS NULL", "(priority=?)"),
        ("priority IS NOT NULL", "(priority>?)"),
        ("priority = 3 AND title > 'a'", "(priority=? AND title>?)"),
    ] {
        let plan = plan(&with(Condition::Where(text.to_owned())));
        assert!(plan.starts_with(&format!("SEARCH Todo USING INDEX Todo.byPriority {range}")), "{text}: {plan}");
    }
}

#[test]
fn orders_walk_an_index_and_sort_nothing_that_is_sorted() {
    let by_key = plan(&Query::new("Todo"));
    assert_eq!(by_key, "SCAN Todo USING INDEX Todo.syncline_key");
    let walked = |order: &str| {
        let order = Order::parse(order).unwrap();
        plan(&Query { order, limit: Some(10), ..Query::new("Todo") })
    };
    for order in ["weight", "weight:desc", "weight:nulls-last", "weight:desc:nulls-first"] {
        let plan = walked(order);
        assert!(plan.starts_with("SCAN Todo USING INDEX Todo.byWeight"), "{order}: {plan}");
        assert_eq!(plan.lines().nth(1), Some("USE TEMP B-TREE FOR LAST TERM OF ORDER BY"), "{order}: {plan}");
    }
    assert!(walked("status,at").starts_with("SCAN Todo USING INDEX Todo.byStatus"));
    assert!(walked("status:desc,at:desc").starts_with("SCAN Todo USING INDEX Todo.byStatus"));
    assert_eq!(walked("id:desc"), "SCAN Todo USING INDEX Todo.syncline_key");
    // Behind a value of the index's first field the rest of it is in order.
    let order = Order::parse("at:desc").unwrap();
    let plan = plan(&Query { order, limit: Some(10), ..with(Filter::eq("status", "OPEN")) });
    assert!(plan.starts_with("SEARCH Todo USING INDEX Todo.byStatus (status=?)"), "{plan}");
}

fn page_behind(db: &Connection, order: &str, skip: u64) -> String {
    let schema = schema();
    let order = Order::parse(order).unwrap();
    let first = Query { order, limit: Some(skip), ..Query::new("Todo") };
    let token = first.run(db, &schema).unwrap().next;
    Query { after: token, ..first }.explain(db, &schema).unwrap()
}

#[test]
fn a_page_by_token_is_searches_of_the_index_that_holds_its_order() {
    let schema = schema();
    let fields = |n: i64| json!({"priority": n, "weight": if n < 2 { Value::Null } else { json!(n) }, "status": "OPEN", "at": n});
    let records: Vec<_> = (0..6).map(|n| todo(&schema, &n.to_string(), fields(n))).collect();
    let db = database(&schema, "Todo", &records);
    assert_eq!(page_behind(&db, "id", 2), "SEARCH Todo USING INDEX Todo.syncline_key (id>?)");
    assert_eq!(page_behind(&db, "id:desc", 2), "SEARCH Todo USING INDEX Todo.syncline_key (id<?)");
    for (order, skip, searches) in [
        ("priority", 2, vec!["(priority=?)", "(priority>?)"]),
        ("priority:desc", 2, vec!["(priority=?)", "(priority<?)", "(priority=?)"]),
        ("weight", 1, vec!["(weight=?)", "(weight>?)"]),
        ("weight:nulls-last", 1, vec!["(weight=?)", "(weight>?)", "(weight=?)"]),
        ("weight:desc", 1, vec!["(weight=?)", "(weight<?)", "(weight=?)"]),
        ("weight:desc", 5, vec!["(weight=?)"]),
        ("status,at:desc", 2, vec!["(status=? AND at=?)", "(status=? AND at<?)", "(status=? AND at=?)", "(status>?)"]),
    ] {
        let plan = page_behind(&db, order, skip);
        let found: Vec<&str> = plan
            .lines()
            .filter(|line| line.contains("Todo"))
            .map(|line| line.rsplit_once(" USING INDEX Todo.").map_or(line, |(_, range)| range))
            .map(|range| range.split_once(' ').map_or(range, |(_, range)| range))
            .collect();
        assert_eq!(found, searches, "{order}: {plan}");
        assert!(!plan.contains("SCAN Todo"), "{order}: {plan}");
    }
    // Without an index the table is read once, not once per range.
    let plan = page_behind(&db, "votes,title", 2);
    assert_eq!(plan.matches("Todo").count(), 1, "{plan}");
}
