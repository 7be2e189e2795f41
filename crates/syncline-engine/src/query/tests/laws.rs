//! SQL finds what the plain evaluation matches, in the plain order, over random records and
//! filters of every operator and type.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use syncline_core::filter::{
    Comparison, Filter, Function, Measure, Nulls, Order, compare_records, compare_values, complete_order,
};
use syncline_core::record::column_values;
use syncline_schema::Schema;

use super::{database, found, ids, schema, todo};
use crate::query::{Aggregation, Condition, Query, QueryError, holds_of, rows_that_match};

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
    let any = prop::num::f64::NORMAL.prop_filter("sums stay finite", |number| number.abs() < 1e300);
    prop_oneof![3 => (-3..4_i32).prop_map(|n| f64::from(n) / 2.0), 1 => Just(1e300), 1 => Just(-0.0), 1 => Just(0.1), 1 => any]
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
    let nulls = prop::sample::select(vec![Nulls::First, Nulls::Last]);
    let key = (prop::sample::select(fields), any::<bool>(), nulls);
    let key = key.prop_map(|(field, descending, nulls)| Order { field: field.to_owned(), descending, nulls });
    prop::collection::vec(key, 0..3).boxed()
}

fn measure() -> BoxedStrategy<Measure> {
    let fields: Vec<&str> = scalars().into_iter().map(|(name, _)| name).collect();
    let numbers = vec!["priority", "at", "votes", "weight", "address.zip", "address.geo.lat"];
    let any = prop::sample::select(vec![Function::Count, Function::CountDistinct, Function::Min, Function::Max]);
    let numeric = prop::sample::select(vec![Function::Sum, Function::Avg]);
    prop_oneof![
        (any, prop::sample::select(fields)).prop_map(|(function, field)| Measure::of(function, field)),
        (numeric, prop::sample::select(numbers)).prop_map(|(function, field)| Measure::of(function, field)),
    ]
    .boxed()
}

/// Ids of the records that match, in order.
fn plainly(schema: &Schema, records: Vec<Map<String, Value>>, order: &[Order], filter: &Filter) -> Vec<String> {
    let model = schema.model("Todo").unwrap();
    let resolved = filter.resolve(schema, model).unwrap();
    let complete = complete_order(model, order);
    let mut sorted: Vec<Map<String, Value>> = records.into_iter().filter(|record| resolved.matches(record)).collect();
    sorted.sort_by(|a, b| compare_records(&complete, a, b));
    ids(&sorted)
}

fn write(db: &rusqlite::Connection, schema: &Schema, row: usize, record: &Map<String, Value>) {
    let model = schema.model("Todo").unwrap();
    let places = vec!["?"; model.fields.len()].join(", ");
    let mut statement = db.prepare(&format!("INSERT OR REPLACE INTO \"Todo\" VALUES({row}, {places})")).unwrap();
    super::super::bind(&mut statement, &column_values(model, record)).unwrap();
    statement.raw_execute().unwrap();
}

fn at<'a>(record: &'a Map<String, Value>, path: &str) -> &'a Value {
    let mut steps = path.split('.');
    let first = steps.next().and_then(|name| record.get(name));
    steps.fold(first, |value, name| value?.get(name)).unwrap_or(&Value::Null)
}

/// What makes a group, and its records.
type Group<'a> = (Vec<Value>, Vec<&'a Map<String, Value>>);

/// The result computed by hand; `None` if a sum leaves 64 bits.
fn plain_aggregates(aggregation: &Aggregation, records: Vec<&Map<String, Value>>) -> Option<Vec<Map<String, Value>>> {
    let order: Vec<Order> = aggregation.group_by.iter().map(Order::ascending).collect();
    let key = |record: &Map<String, Value>| -> Vec<Value> {
        aggregation.group_by.iter().map(|path| at(record, path).clone()).collect()
    };
    let compare = |a: &[Value], b: &[Value]| {
        let keys = order.iter().zip(a.iter().zip(b)).map(|(order, (a, b))| compare_values(order, a, b));
        keys.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records {
        match groups.iter_mut().find(|(other, _)| compare(other, &key(record)).is_eq()) {
            Some((_, members)) => members.push(record),
            None => groups.push((key(record), vec![record])),
        }
    }
    if aggregation.group_by.is_empty() && groups.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    groups.sort_by(|(a, _), (b, _)| compare(a, b));
    let mut rows = Vec::new();
    for (key, members) in groups {
        let mut row: Map<String, Value> = aggregation.group_by.iter().cloned().zip(key).collect();
        for measure in &aggregation.measures {
            row.insert(measure.name.clone(), plain_measure(measure, &members)?);
        }
        let wanted = aggregation.having == Filter::All || aggregation.having.matches(&row);
        rows.extend(wanted.then_some(row));
    }
    Some(rows)
}

fn plain_measure(measure: &Measure, members: &[&Map<String, Value>]) -> Option<Value> {
    let Some(field) = &measure.field else { return Some(json!(members.len())) };
    let values: Vec<&Value> = members.iter().map(|record| at(record, field)).filter(|value| !value.is_null()).collect();
    let ascending = Order::ascending("");
    let compare = |a: &&&Value, b: &&&Value| compare_values(&ascending, a, b);
    let integers = || values.iter().filter_map(|value| value.as_i64()).map(i128::from).sum::<i128>();
    let floats = || values.iter().filter_map(|value| value.as_f64()).sum::<f64>();
    Some(match measure.function {
        Function::Count => json!(values.len()),
        Function::CountDistinct => {
            let mut distinct: Vec<&Value> = Vec::new();
            for value in values {
                if distinct.iter().all(|other| compare(&other, &&value).is_ne()) {
                    distinct.push(value);
                }
            }
            json!(distinct.len())
        }
        Function::Min => values.iter().min_by(compare).map_or(Value::Null, |value| (*value).clone()),
        Function::Max => values.iter().max_by(compare).map_or(Value::Null, |value| (*value).clone()),
        Function::Sum | Function::Avg if values.is_empty() => Value::Null,
        Function::Sum if values.iter().all(|value| value.is_i64()) => json!(i64::try_from(integers()).ok()?),
        Function::Sum => json!(floats()),
        Function::Avg if values.iter().all(|value| value.is_i64()) => json!(integers() as f64 / values.len() as f64),
        Function::Avg => json!(floats() / values.len() as f64),
    })
}

/// Whether results are equal but for what rounding takes from sums in another order.
fn same_rows(a: &[Map<String, Value>], b: &[Map<String, Value>]) -> bool {
    let close = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) if a.is_f64() && b.is_f64() => {
            x == y || (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1.0)
        }
        _ => a == b,
    };
    let same_row = |a: &Map<String, Value>, b: &Map<String, Value>| {
        a.len() == b.len() && a.iter().zip(b).all(|((name, a), (other, b))| name == other && close(a, b))
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_row(a, b))
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
    fn a_condition_holds_of_exactly_the_rows_that_it_finds_and_reads_back_from_its_text(
        records in records(),
        filters in prop::collection::vec(filter(), 8),
    ) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let model = schema.model("Todo").unwrap();
        for filter in filters {
            let resolved = filter.resolve(&schema, model).unwrap();
            let condition = Condition::from(filter);
            let text: Value = serde_json::from_str(&condition.to_string()).unwrap();
            let again = Filter::parse_json(&schema, model, &text).unwrap();
            let mut rows = Vec::new();
            for (row, record) in (1..).zip(&records) {
                let matches = resolved.matches(record);
                prop_assert_eq!(holds_of(&db, &schema, "Todo", &condition, row).unwrap(), Some(matches), "{}", text);
                prop_assert_eq!(again.matches(record), matches, "{}", text);
                rows.extend(matches.then_some(row));
            }
            prop_assert_eq!(holds_of(&db, &schema, "Todo", &condition, 0).unwrap(), None);
            rows.sort_by_key(|row| records[*row as usize - 1]["id"].as_str());
            prop_assert_eq!(&rows_that_match(&db, &schema, "Todo", &condition, None).unwrap(), &rows);
            rows.truncate(3);
            prop_assert_eq!(rows_that_match(&db, &schema, "Todo", &condition, Some(3)).unwrap(), rows);
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
            // What is left, all of it and behind some more of it.
            let rest: Vec<String> = ids(&sorted).split_off(paged.len());
            let left = Query { limit: None, ..query.clone() };
            prop_assert_eq!(&found(&db, &schema, &left), &rest);
            prop_assert_eq!(left.count(&db, &schema).unwrap(), rest.len() as u64);
            let skipped = Query { offset: 1, ..query.clone() };
            let expected: Vec<String> = rest.iter().skip(1).take(limit as usize).cloned().collect();
            prop_assert_eq!(found(&db, &schema, &skipped), expected);
        }
        prop_assert_eq!(paged, ids(&sorted));
    }

    #[test]
    fn limits_and_offsets_cut_the_plain_result(
        records in records(),
        order in order(),
        filter in leaf(),
        limit in 0..30_u64,
        offset in 0..30_u64,
    ) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let sorted = plainly(&schema, records, &order, &filter);
        let query = Query { condition: filter.into(), order, limit: Some(limit), offset, ..Query::new("Todo") };
        let expected: Vec<String> = sorted.into_iter().skip(offset as usize).take(limit as usize).collect();
        prop_assert_eq!(found(&db, &schema, &query), expected);
    }

    #[test]
    fn a_record_that_nobody_writes_stands_on_exactly_one_page_while_others_are_written(
        records in records(),
        order in order(),
        writes in prop::collection::vec((0..24_usize, record()), 0..24),
        limit in 1..4_u64,
    ) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let untouched: BTreeSet<String> = ids(&records)
            .into_iter()
            .enumerate()
            .filter(|(index, _)| writes.iter().all(|(written, _)| written % records.len() != *index))
            .map(|(_, id)| id)
            .collect();
        let mut writes = writes.into_iter();
        let mut query = Query { order, limit: Some(limit), ..Query::new("Todo") };
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = query.run(&db, &schema).unwrap();
            seen.extend(ids(&page.records));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            if let Some((index, fields)) = writes.next() {
                let index = index % records.len();
                let written = todo(&schema, records[index]["id"].as_str().unwrap(), Value::Object(fields));
                write(&db, &schema, index + 1, &written);
            }
        }
        for id in untouched {
            prop_assert_eq!(seen.iter().filter(|other| **other == id).count(), 1, "{}", id);
        }
    }

    #[test]
    fn aggregates_are_those_of_the_plain_records(
        records in records(),
        filter in leaf(),
        measures in prop::collection::vec(measure(), 1..5),
        group_by in prop::collection::btree_set(prop::sample::select(scalars().into_iter().map(|(name, _)| name).collect::<Vec<_>>()), 0..3),
        least in prop::option::of(0..4_i64),
    ) {
        let schema = schema();
        let db = database(&schema, "Todo", &records);
        let named = measures.into_iter().enumerate().map(|(index, measure)| measure.named(format!("m{index}")));
        let mut aggregation = Aggregation::new(Query { condition: filter.clone().into(), ..Query::new("Todo") }, named.collect());
        aggregation.measures.push(Measure::count());
        aggregation.group_by = group_by.into_iter().map(str::to_owned).collect();
        if let Some(least) = least {
            aggregation.having = Filter::ge("count", least);
        }
        let resolved = filter.resolve(&schema, schema.model("Todo").unwrap()).unwrap();
        let matching = records.iter().filter(|record| resolved.matches(record)).collect();
        match plain_aggregates(&aggregation, matching) {
            Some(expected) => {
                let result = aggregation.run(&db, &schema).unwrap();
                prop_assert!(same_rows(&result, &expected), "{:?}\n{:?}\n{:?}", result, expected, aggregation.compile(&schema));
            }
            None => {
                let refused = aggregation.run(&db, &schema);
                prop_assert!(matches!(refused, Err(QueryError::TooGreat { .. })), "{:?}", refused);
            }
        }
    }
}
