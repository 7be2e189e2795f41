//! SQL finds what the plain evaluation matches, in the plain order, over random records and
//! filters of every operator and type.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use syncline_core::filter::{Comparison, Filter, Order, compare_records, complete_order};

use super::{database, found, ids, schema, todo};
use crate::query::{Condition, Query};

fn word() -> BoxedStrategy<Value> {
    let words = [
        "",
        "a",
        "A",
        "ab",
        "b%",
        "a_b",
        "%",
        "é",
        "e\u{301}",
        "\u{D7FF}x",
        "\u{E000}",
        "\u{10FFFF}",
        "\u{10FFFF}a",
        "z",
    ];
    prop::sample::select(words.to_vec()).prop_map(Value::from).boxed()
}

fn integer() -> BoxedStrategy<Value> {
    prop_oneof![(-2..3_i64), Just(i64::MIN), Just(i64::MAX), Just((1 << 53) + 1)].prop_map(Value::from).boxed()
}

fn float() -> BoxedStrategy<Value> {
    prop_oneof![(-3..4_i32).prop_map(|n| f64::from(n) / 2.0), Just(1e300), Just(-0.0), Just(0.1)]
        .prop_map(Value::from)
        .boxed()
}

fn boolean() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn status() -> BoxedStrategy<Value> {
    prop::sample::select(vec!["OPEN", "SHUT"]).prop_map(Value::from).boxed()
}

fn date() -> BoxedStrategy<Value> {
    prop::sample::select(vec!["2024-05-31", "1999-12-31", "2024-06-01"]).prop_map(Value::from).boxed()
}

fn or_null(values: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 3 => values].boxed()
}

fn list(values: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(values, 0..4).prop_map(Value::from).boxed()
}

/// Fields that hold one value, with their values.
fn scalars() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    vec![
        ("title", word()),
        ("body", word()),
        ("priority", integer()),
        ("at", integer()),
        ("votes", integer()),
        ("weight", float()),
        ("done", boolean()),
        ("due", date()),
        ("status", status()),
        ("address.city", word()),
        ("address.zip", integer()),
        ("address.geo.lat", float()),
        ("address.geo.on", boolean()),
    ]
}

/// Fields that hold lists and sets, with the values of an element.
fn lists() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    vec![
        ("tags", word()),
        ("sizes", float()),
        ("numbers", or_null(integer())),
        ("flags", or_null(boolean())),
        ("states", or_null(status())),
        ("address.lines", or_null(word())),
    ]
}

fn record() -> BoxedStrategy<Map<String, Value>> {
    let flat = scalars().into_iter().chain(lists().into_iter().map(|(name, element)| (name, list(element))));
    let (inside, outside): (Vec<_>, Vec<_>) = flat.partition(|(name, _)| name.contains('.'));
    let values = |fields: Vec<(&'static str, BoxedStrategy<Value>)>| {
        fields
            .into_iter()
            .map(|(name, values)| or_null(values).prop_map(move |value| (name, value)).boxed())
            .collect::<Vec<_>>()
    };
    (values(outside), values(inside), 0..4_u8, any::<bool>())
        .prop_map(|(outside, inside, address, meta)| {
            let mut fields: Map<String, Value> = outside.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let get = |name: &str| inside.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let geo = (address > 1).then(|| json!({"lat": get("address.geo.lat"), "on": get("address.geo.on")}));
            let whole = json!({"city": get("address.city"), "zip": get("address.zip"), "geo": geo, "lines": get("address.lines")});
            fields.insert("address".to_owned(), if address == 0 { Value::Null } else { whole });
            fields.insert("meta".to_owned(), if meta { json!({"a": 1}) } else { Value::Null });
            fields
        })
        .boxed()
}

fn leaf() -> BoxedStrategy<Filter> {
    let mut leaves: Vec<BoxedStrategy<Filter>> = Vec::new();
    for (field, values) in scalars() {
        let equal = prop::sample::select(vec![Comparison::Eq, Comparison::Ne]);
        leaves.push(
            (equal, or_null(values.clone()))
                .prop_map(move |(op, value)| Filter::Compare { field: field.to_owned(), op, value })
                .boxed(),
        );
        leaves.push(
            prop::collection::vec(or_null(values.clone()), 0..3)
                .prop_map(move |values| Filter::any_of(field, values))
                .boxed(),
        );
        if !matches!(field, "done" | "address.geo.on") {
            let ordering = prop::sample::select(vec![Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge]);
            leaves.push(
                (ordering, values.clone())
                    .prop_map(move |(op, value)| Filter::Compare { field: field.to_owned(), op, value })
                    .boxed(),
            );
            leaves
                .push((values.clone(), values).prop_map(move |(low, high)| Filter::between(field, low, high)).boxed());
        }
        if matches!(field, "title" | "body" | "due" | "status" | "address.city") {
            leaves.push(word().prop_map(move |part| Filter::contains(field, part)).boxed());
            let begin = word().prop_map(move |part| Filter::begins_with(field, part.as_str().unwrap()));
            leaves.push(begin.boxed());
        }
    }
    for (field, element) in lists() {
        leaves.push(element.prop_map(move |element| Filter::contains(field, element)).boxed());
    }
    for field in ["meta", "address", "address.geo", "tags", "numbers", "address.lines"] {
        leaves.push(
            any::<bool>()
                .prop_map(move |eq| if eq { Filter::eq(field, Value::Null) } else { Filter::ne(field, Value::Null) })
                .boxed(),
        );
    }
    leaves.push(Just(Filter::All).boxed());
    proptest::strategy::Union::new(leaves).boxed()
}

fn filter() -> BoxedStrategy<Filter> {
    leaf()
        .prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
                inner.prop_map(|filter| !filter),
            ]
        })
        .boxed()
}

fn records() -> BoxedStrategy<Vec<Map<String, Value>>> {
    let schema = schema();
    prop::collection::vec(record(), 1..24)
        .prop_map(move |records| {
            let named = records.into_iter().enumerate();
            named
                .map(|(index, fields)| todo(&schema, &format!("{:02}", index * 7 % 24), Value::Object(fields)))
                .collect()
        })
        .boxed()
}

fn order() -> BoxedStrategy<Vec<Order>> {
    let fields: Vec<&str> = scalars().into_iter().map(|(name, _)| name).chain(["id"]).collect();
    let key = (prop::sample::select(fields), any::<bool>());
    let key = key.prop_map(|(field, descending)| Order { field: field.to_owned(), descending });
    prop::collection::vec(key, 0..3).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn sql_finds_what_the_filter_matches(records in records(), filters in prop::collection::vec(filter(), 16)) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let model = schema.model("Todo").unwrap();
        for filter in filters {
            let resolved = filter.resolve(&schema, model).unwrap();
            let matching: Vec<Map<String, Value>> =
                records.iter().filter(|record| resolved.matches(record)).cloned().collect();
            let matching: BTreeSet<String> = ids(&matching).into_iter().collect();
            let query = Query { condition: filter.into(), ..Query::new("Todo") };
            prop_assert_eq!(&found(&db, &schema, &query), &matching.iter().cloned().collect::<Vec<_>>(), "{:?}", query.compile(&schema));
            prop_assert_eq!(query.count(&db, &schema).unwrap(), matching.len() as u64);
        }
    }

    #[test]
    fn sql_orders_as_the_plain_comparison_and_pages_join_without_gap(
        records in records(),
        order in order(),
        filter in leaf(),
        limit in 1..5_u64,
    ) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let model = schema.model("Todo").unwrap();
        let complete = complete_order(model, &order);
        let resolved = filter.resolve(&schema, model).unwrap();
        let mut sorted: Vec<Map<String, Value>> = records.into_iter().filter(|record| resolved.matches(record)).collect();
        sorted.sort_by(|a, b| compare_records(&complete, a, b));
        let all = Query { condition: Condition::Filter(filter), order, ..Query::new("Todo") };
        prop_assert_eq!(&found(&db, &schema, &all), &ids(&sorted));
        let mut paged = Vec::new();
        let mut query = Query { limit: Some(limit), ..all };
        loop {
            let page = query.run(&db, &schema).unwrap();
            prop_assert!(page.records.len() as u64 <= limit);
            paged.extend(ids(&page.records));
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(paged, ids(&sorted));
    }
}
