//! What filters mean, how they are read, and what is said of wrong ones.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use proptest::prelude::*;
use record_support::{fields, object, schema};
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Order, compare_records, complete_order, resolve_order};

fn read(json: Value) -> Filter {
    let schema = schema();
    Filter::parse_json(&schema, schema.model("Todo").unwrap(), &json).unwrap()
}

fn refused(json: Value) -> String {
    let schema = schema();
    Filter::parse_json(&schema, schema.model("Todo").unwrap(), &json).unwrap_err().to_string()
}

fn record() -> Map<String, Value> {
    object(json!({
        "title": "100% of_é", "priority": 3, "weight": 1.5, "done": false, "due": null, "status": "OPEN",
        "tags": ["a", "b"], "address": {"city": "Rome", "zip": null}, "meta": {"a": 1}, "votes": 2,
    }))
}

#[test]
fn every_operator_means_what_datastore_means() {
    let table = [
        (json!({}), true),
        (json!({"done": {"eq": false}}), true),
        (json!({"done": {"ne": false}}), false),
        (json!({"due": {"eq": null}}), true),
        (json!({"due": {"ne": "2024-05-31"}}), true),
        (json!({"due": {"in": ["2024-05-31", null]}}), true),
        (json!({"due": {"notIn": ["2024-05-31"]}}), true),
        (json!({"due": {"lt": "2024-05-31"}}), false),
        (json!({"due": {"ge": "2024-05-31"}}), false),
        (json!({"due": {"between": ["1970-01-01", "2999-01-01"]}}), false),
        (json!({"due": {"contains": ""}}), false),
        (json!({"due": {"notContains": "x"}}), true),
        (json!({"due": {"beginsWith": ""}}), false),
        (json!({"due": {"attributeExists": false}}), true),
        (json!({"priority": {"gt": 2, "le": 3}}), true),
        (json!({"priority": {"between": [3, 3]}}), true),
        (json!({"priority": {"between": [4, 2]}}), false),
        (json!({"weight": {"gt": 1}}), true),
        (json!({"weight": {"eq": 1.5}}), true),
        (json!({"title": {"contains": "%"}}), true),
        (json!({"title": {"contains": "f_é"}}), true),
        (json!({"title": {"contains": "O"}}), false),
        (json!({"title": {"beginsWith": "100%"}}), true),
        (json!({"title": {"beginsWith": "_00"}}), false),
        (json!({"title": {"gt": "10"}}), true),
        (json!({"status": {"beginsWith": "OP"}}), true),
        (json!({"tags": {"contains": "a"}}), true),
        (json!({"tags": {"contains": "ab"}}), false),
        (json!({"tags": {"notContains": "c"}}), true),
        (json!({"address": {"city": {"eq": "Rome"}}}), true),
        (json!({"address.zip": {"eq": null}}), true),
        (json!({"address": {"ne": null}}), true),
        (json!({"meta": {"eq": null}}), false),
        (json!({"votes": {"ge": 2}}), true),
        (json!({"and": []}), true),
        (json!({"or": []}), false),
        (json!({"not": {"due": {"lt": "2024-05-31"}}}), true),
        (json!({"or": [{"done": {"eq": true}}, {"priority": {"eq": 3}}]}), true),
        (json!({"and": {"done": {"eq": true}}}), false),
        (json!({"done": {"eq": false}, "priority": {"eq": 4}}), false),
    ];
    for (filter, expected) in table {
        assert_eq!(read(filter.clone()).matches(&record()), expected, "{filter}");
    }
}

#[test]
fn a_wrong_filter_is_refused_with_its_place_and_a_cure() {
    for (filter, message) in [
        (
            json!({"and": [{}, {"titel": {"eq": "x"}}]}),
            "filter.and[1].titel: Todo has no field `titel`; did you mean `title`?",
        ),
        (
            json!({"title": {"beginWith": "x"}}),
            "filter.title.beginWith: there is no operator `beginWith`; did you mean `beginsWith`?",
        ),
        (json!({"priority": {"eq": "3"}}), "filter.priority.eq: the field holds an integer, and \"3\" is none"),
        (json!({"priority": {"lt": null}}), "filter.priority.lt: the field holds an integer, and null is none"),
        (json!({"done": {"lt": true}}), "filter.done.lt: `lt` does not work on true or false"),
        (
            json!({"status": {"eq": "OPNE"}}),
            "filter.status.eq: \"OPNE\" is not a value of Status; did you mean `OPEN`?",
        ),
        (
            json!({"tags": {"eq": ["a"]}}),
            "filter.tags.eq: a set can only be compared with null; `contains` looks for an element",
        ),
        (json!({"meta": {"contains": "a"}}), "filter.meta.contains: `contains` does not work on AWSJSON"),
        (
            json!({"address": {"ctiy": {"eq": "a"}}}),
            "filter.address.ctiy: there is no operator `ctiy`; the operators are eq, ne, lt, le, gt, ge, between, in, notIn, contains, notContains, beginsWith, attributeExists",
        ),
        (
            json!({"title.x": {"eq": "a"}}),
            "filter.title.x: `title` of Todo is no embedded value, so nothing is inside it",
        ),
        (json!({"title": "a"}), "filter.title: expected operators like {\"eq\": \"a\"}, found \"a\""),
        (
            json!({"priority": {"between": [1]}}),
            "filter.priority.between: `between` takes two values, [low, high], found [1]",
        ),
        (json!([]), "filter: expected an object like {\"field\": {\"eq\": 1}}, found []"),
    ] {
        assert_eq!(refused(filter), message);
    }
    let deep = (0..70).fold(json!({}), |inner, _| json!({"not": inner}));
    assert!(refused(deep).ends_with("filters nest at most 64 deep"));
}

#[test]
fn filters_built_in_rust_are_those_read_from_json() {
    let built = (Filter::eq("done", false) & Filter::ge("priority", 3)) | !Filter::contains("title", "x");
    let json = json!({"or": [{"done": {"eq": false}, "priority": {"ge": 3}}, {"title": {"notContains": "x"}}]});
    assert_eq!(built, read(json));
    assert_eq!(Filter::any_of("priority", [1, 2]), read(json!({"priority": {"in": [1, 2]}})));
    assert_eq!(Filter::All & Filter::eq("done", true), Filter::eq("done", true));
}

#[test]
fn an_order_ends_with_the_key_and_names_scalars_only() {
    let schema = schema();
    let (todo, seat) = (schema.model("Todo").unwrap(), schema.model("Seat").unwrap());
    let orders = Order::parse("priority:desc, title").unwrap();
    assert_eq!(orders, [Order::descending("priority"), Order::ascending("title")]);
    assert_eq!(complete_order(todo, &orders)[2], Order::ascending("id"));
    assert_eq!(
        complete_order(seat, &[Order::descending("number")]),
        [Order::descending("number"), Order::ascending("room")]
    );
    assert!(resolve_order(&schema, todo, &orders).is_ok());
    assert!(resolve_order(&schema, todo, &[Order::ascending("tags")]).is_err());
    let unknown = resolve_order(&schema, todo, &[Order::ascending("prio")]).unwrap_err();
    assert_eq!(unknown.place, "order prio");
    assert!(Order::parse("title:down").unwrap_err().to_string().contains("`down` is no direction"));
    assert!(Order::parse("").is_err());
}

proptest! {
    #[test]
    fn an_order_is_the_same_from_both_sides(a in fields(), b in fields(), descending in any::<bool>()) {
        let orders: Vec<Order> = ["done", "weight", "status", "address.zip", "title"]
            .into_iter()
            .map(|field| Order { field: field.to_owned(), descending })
            .collect();
        let (a, b) = (object(a), object(b));
        prop_assert_eq!(compare_records(&orders, &a, &b), compare_records(&orders, &b, &a).reverse());
        prop_assert!(compare_records(&orders, &a, &a).is_eq());
    }
}
