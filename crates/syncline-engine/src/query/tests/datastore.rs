//! What Amplify DataStore documents of predicates, sorting and pages, and what its public tests ask of them, holds of
//! filters here: in SQL, and in the plain evaluation.

use rusqlite::Connection;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Order};
use syncline_schema::Schema;

use super::{database, found, schema, todo};
use crate::query::Query;

const NAMES: [&str; 5] =
    ["Adam West", "Bob Jones", "Clarice Starling", "Debbie Donut", "Zelda from the Legend of Zelda"];

/// The authors of DataStore's tests, by the names' places.
fn authors(schema: &Schema) -> (Connection, Vec<Map<String, Value>>) {
    let fields = |index: usize, name: &str| {
        json!({
            "title": name, "priority": index, "weight": index as f64 / 2.0, "done": index.is_multiple_of(2),
            "tags": ["all", format!("tag{index}")], "numbers": [index, 7],
            "due": if index == 4 { Value::Null } else { json!("2024-05-31") },
        })
    };
    let records: Vec<_> =
        NAMES.iter().enumerate().map(|(index, name)| todo(schema, &index.to_string(), fields(index, name))).collect();
    (database(schema, "Todo", &records), records)
}

/// Checks that the filter in DataStore's JSON finds exactly these, and that building it in Rust says the same.
#[track_caller]
fn finds(filter: Value, expected: &[usize]) {
    let schema = schema();
    let (db, records) = authors(&schema);
    let read = Filter::parse_json(&schema, schema.model("Todo").unwrap(), &filter).unwrap();
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    let query = Query { condition: read.clone().into(), ..Query::new("Todo") };
    assert_eq!(found(&db, &schema, &query), expected, "{filter}");
    let plain: Vec<String> = records
        .iter()
        .filter(|record| read.matches(record))
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(plain, expected, "{filter}");
}

#[test]
fn datastore_matches_on_eq() {
    finds(json!({"title": {"eq": "Adam West"}}), &[0]);
    finds(json!({"priority": {"eq": 3}}), &[3]);
    finds(json!({"done": {"eq": false}}), &[1, 3]);
    finds(json!({"due": {"eq": null}}), &[4]);
}

#[test]
fn datastore_matches_on_ne() {
    finds(json!({"title": {"ne": "Adam West"}}), &[1, 2, 3, 4]);
    finds(json!({"done": {"ne": false}}), &[0, 2, 4]);
    finds(json!({"due": {"ne": null}}), &[0, 1, 2, 3]);
    // A value that is not there differs from every value.
    finds(json!({"due": {"ne": "2024-05-31"}}), &[4]);
}

#[test]
fn datastore_matches_on_gt_ge_lt_le() {
    finds(json!({"title": {"gt": "Clarice Starling"}}), &[3, 4]);
    finds(json!({"title": {"ge": "Clarice Starling"}}), &[2, 3, 4]);
    finds(json!({"title": {"lt": "Clarice Starling"}}), &[0, 1]);
    finds(json!({"title": {"le": "Clarice Starling"}}), &[0, 1, 2]);
    finds(json!({"priority": {"gt": 2}}), &[3, 4]);
    finds(json!({"weight": {"le": 0.5}}), &[0, 1]);
    // Upper case stands before lower case.
    finds(json!({"title": {"gt": "adam"}}), &[]);
}

#[test]
fn datastore_matches_on_begins_with() {
    finds(json!({"title": {"beginsWith": "Debbie"}}), &[3]);
    finds(json!({"title": {"beginsWith": "debbie"}}), &[]);
}

#[test]
fn datastore_matches_between_both_ends_included() {
    finds(json!({"title": {"between": ["0", "{"]}}), &[0, 1, 2, 3, 4]);
    finds(json!({"title": {"between": ["Bob Jones", "Debbie Donut"]}}), &[1, 2, 3]);
    finds(json!({"title": {"between": ["Az", "E"]}}), &[1, 2, 3]);
    finds(json!({"title": {"between": ["{", "}"]}}), &[]);
    finds(json!({"priority": {"between": [1, 2]}}), &[1, 2]);
}

#[test]
fn datastore_matches_in_and_not_in() {
    finds(json!({"title": {"in": ["Adam West", "Bob Jones", "nobody"]}}), &[0, 1]);
    finds(json!({"priority": {"notIn": [0, 1, 2]}}), &[3, 4]);
    finds(json!({"done": {"in": [false]}}), &[1, 3]);
    finds(json!({"due": {"notIn": ["2024-05-31"]}}), &[4]);
    finds(json!({"title": {"in": []}}), &[]);
}

#[test]
fn datastore_matches_contains_and_not_contains_in_strings() {
    finds(json!({"title": {"contains": "Jones"}}), &[1]);
    finds(json!({"title": {"notContains": "Jones"}}), &[0, 2, 3, 4]);
    finds(json!({"due": {"notContains": "1999"}}), &[0, 1, 2, 3, 4]);
}

#[test]
fn datastore_matches_contains_and_not_contains_in_lists() {
    finds(json!({"tags": {"contains": "tag2"}}), &[2]);
    finds(json!({"tags": {"contains": "all"}}), &[0, 1, 2, 3, 4]);
    finds(json!({"tags": {"notContains": "tag2"}}), &[0, 1, 3, 4]);
    finds(json!({"numbers": {"contains": 7}}), &[0, 1, 2, 3, 4]);
    finds(json!({"numbers": {"contains": 4}}), &[4]);
}

#[test]
fn datastore_groups_conditions_by_and() {
    finds(json!({"and": [{"title": {"contains": "Bob"}}, {"title": {"contains": "Jones"}}]}), &[1]);
    finds(json!({"and": [{"title": {"contains": "Adam"}}, {"title": {"contains": "Donut"}}]}), &[]);
    // Several conditions beside each other are an and.
    finds(json!({"title": {"contains": "o"}, "done": {"eq": false}}), &[1, 3]);
}

#[test]
fn datastore_groups_conditions_by_or() {
    finds(json!({"or": [{"title": {"contains": "Bob"}}, {"title": {"contains": "Donut"}}]}), &[1, 3]);
    finds(json!({"or": [{"title": {"contains": "Bob"}}, {"title": {"contains": "Thanos"}}]}), &[1]);
    finds(json!({"or": [{"title": {"contains": "Thanos"}}, {"title": {"contains": "Thor"}}]}), &[]);
    finds(
        json!({"or": [
            {"and": [{"title": {"contains": "Bob"}}, {"title": {"contains": "Jones"}}]},
            {"and": [{"title": {"contains": "Debbie"}}, {"title": {"contains": "from the Legend of Zelda"}}]},
        ]}),
        &[1],
    );
    finds(
        json!({"and": [
            {"or": [{"title": {"contains": "Bob"}}, {"title": {"contains": "Donut"}}]},
            {"or": [{"title": {"contains": "Debbie"}}, {"title": {"contains": "from the Legend of Zelda"}}]},
        ]}),
        &[3],
    );
}

#[test]
fn datastore_negates_by_not() {
    finds(json!({"not": {"title": {"eq": "Bob Jones"}}}), &[0, 2, 3, 4]);
    finds(json!({"not": {"title": {"gt": "0"}}}), &[]);
    finds(
        json!({"not": {"or": [
            {"title": {"eq": "Bob Jones"}}, {"title": {"eq": "Debbie Donut"}}, {"title": {"between": ["C", "D"]}},
        ]}}),
        &[0, 4],
    );
}

#[test]
fn datastore_sorts_by_several_keys_each_in_its_direction() {
    let schema = schema();
    let (db, _) = authors(&schema);
    let json =
        json!([{"field": "done", "sortDirection": "ASCENDING"}, {"field": "title", "sortDirection": "DESCENDING"}]);
    let order = Order::parse_json(&json).unwrap();
    assert_eq!(order, Order::parse("done,title:desc").unwrap());
    let query = Query { order, ..Query::new("Todo") };
    assert_eq!(found(&db, &schema, &query), ["3", "1", "4", "2", "0"]);
}

/// A page of DataStore's is a limit, and an offset of so many limits.
#[test]
fn datastore_pages_are_limits_and_offsets() {
    let schema = schema();
    let (db, _) = authors(&schema);
    let page = |page: u64, limit: u64| {
        let query = Query {
            order: vec![Order::descending("priority")],
            limit: Some(limit),
            offset: page * limit,
            ..Query::new("Todo")
        };
        found(&db, &schema, &query)
    };
    assert_eq!(page(0, 2), ["4", "3"]);
    assert_eq!(page(1, 2), ["2", "1"]);
    assert_eq!(page(2, 2), ["0"]);
    assert_eq!(page(3, 2), [""; 0]);
}
