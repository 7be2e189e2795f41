//! Counts, sums, extremes, averages and groups.

use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Function, Measure, Order};

use super::{database, schema, todo};
use crate::query::{Aggregation, Query, QueryError};

fn records() -> Vec<Map<String, Value>> {
    let schema = schema();
    let fields = [
        json!({"status": "OPEN", "priority": 1, "weight": 0.5, "votes": 3, "done": false, "title": "b", "address": {"city": "Rome", "zip": 7}}),
        json!({"status": "OPEN", "priority": 2, "weight": 0.25, "votes": 4, "done": true, "title": "a", "address": {"city": "Rome", "zip": 8}}),
        json!({"status": "SHUT", "priority": 9, "votes": 0, "done": true, "due": "2024-05-31"}),
        json!({"priority": null, "votes": -1, "done": true, "due": "1999-12-31", "address": {"city": "Ulm"}}),
    ];
    fields.into_iter().enumerate().map(|(index, fields)| todo(&schema, &index.to_string(), fields)).collect()
}

fn asked(measures: &str, group_by: &[&str]) -> Aggregation {
    let measures = if measures.is_empty() { Vec::new() } else { Measure::parse(measures).unwrap() };
    let group_by = group_by.iter().map(|path| (*path).to_owned()).collect();
    Aggregation { group_by, ..Aggregation::new(Query::new("Todo"), measures) }
}

fn result(aggregation: &Aggregation) -> Value {
    let schema = schema();
    json!(aggregation.run(&database(&schema, "Todo", &records()), &schema).unwrap())
}

fn refusal(aggregation: &Aggregation) -> String {
    aggregation.compile(&schema()).unwrap_err().to_string()
}

#[test]
fn measures_of_all_records_are_one_row() {
    let all =
        asked("count,count:priority,countDistinct:status,sum:votes,min:priority,max:due,avg:priority,sum:weight", &[]);
    assert_eq!(
        result(&all),
        json!([{
            "count": 4, "count:priority": 3, "countDistinct:status": 2, "sum:votes": 6, "min:priority": 1,
            "max:due": "2024-05-31", "avg:priority": 4.0, "sum:weight": 0.75,
        }])
    );
}

#[test]
fn of_no_records_counts_are_zero_and_everything_else_is_null() {
    let mut none = asked("count,count:votes,sum:votes,min:title,max:weight,avg:priority", &[]);
    none.of.condition = Filter::eq("title", "nobody").into();
    assert_eq!(
        result(&none),
        json!([{"count": 0, "count:votes": 0, "sum:votes": null, "min:title": null, "max:weight": null, "avg:priority": null}])
    );
    assert_eq!(result(&Aggregation { group_by: vec!["status".to_owned()], ..none }), json!([]));
}

#[test]
fn groups_stand_in_the_order_of_their_values_and_null_makes_one() {
    assert_eq!(
        result(&asked("count,votes=sum:votes", &["status"])),
        json!([
            {"status": null, "count": 1, "votes": -1},
            {"status": "OPEN", "count": 2, "votes": 7},
            {"status": "SHUT", "count": 1, "votes": 0},
        ])
    );
    assert_eq!(
        result(&asked("max:address.zip", &["address.city", "done"])),
        json!([
            {"address.city": null, "done": true, "max:address.zip": null},
            {"address.city": "Rome", "done": false, "max:address.zip": 7},
            {"address.city": "Rome", "done": true, "max:address.zip": 8},
            {"address.city": "Ulm", "done": true, "max:address.zip": null},
        ])
    );
    // Without measures: the values that there are.
    assert_eq!(result(&asked("", &["done"])), json!([{"done": false}, {"done": true}]));
}

#[test]
fn the_filter_chooses_records_and_having_chooses_groups() {
    let mut groups = asked("count,sum:votes", &["status"]);
    groups.of.condition = Filter::eq("done", true).into();
    assert_eq!(result(&groups)[1], json!({"status": "OPEN", "count": 1, "sum:votes": 4}));
    groups.having = Filter::ge("sum:votes", 0) & Filter::ne("status", Value::Null);
    assert_eq!(result(&groups).as_array().unwrap().len(), 2);
    let schema = schema();
    let by_json =
        groups.clone().having_json(&schema, &json!({"or": [{"sum:votes": {"lt": 0}}, {"status": {"eq": "SHUT"}}]}));
    let by_json = by_json.unwrap();
    assert_eq!(
        result(&by_json),
        json!([{"status": null, "count": 1, "sum:votes": -1}, {"status": "SHUT", "count": 1, "sum:votes": 0}])
    );
}

#[test]
fn groups_are_ordered_by_any_column_and_cut_by_limit_and_offset() {
    let mut groups = asked("count,sum:votes", &["status"]);
    groups.of.order = Order::parse("sum:votes:desc").unwrap();
    groups.of.limit = Some(2);
    groups.of.offset = 1;
    assert_eq!(
        result(&groups),
        json!([{"status": "SHUT", "count": 1, "sum:votes": 0}, {"status": null, "count": 1, "sum:votes": -1}])
    );
    groups.of.order = Order::parse("count,status:desc:nulls-first").unwrap();
    groups.of.offset = 0;
    let statuses: Vec<Value> = result(&groups).as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [Value::Null, json!("SHUT")]);
}

/// SQLite's own sum of these fails, or not, by the order of the rows.
#[test]
fn a_sum_of_integers_is_exact_wherever_it_stays_within_64_bits_and_refused_beyond() {
    let schema = schema();
    let of = |values: &[i64]| {
        let records: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(index, value)| todo(&schema, &index.to_string(), json!({"priority": value})))
            .collect();
        asked("sum:priority", &[]).run(&database(&schema, "Todo", &records), &schema)
    };
    assert_eq!(of(&[i64::MAX, 1, -1]).unwrap()[0]["sum:priority"], json!(i64::MAX));
    assert_eq!(of(&[(1 << 53) + 1, 2]).unwrap()[0]["sum:priority"], json!((1_i64 << 53) + 3));
    let refused = of(&[i64::MAX, 1]).unwrap_err();
    assert!(matches!(&refused, QueryError::TooGreat { measure } if measure == "sum:priority"), "{refused}");
}

#[test]
fn a_float_that_is_no_longer_finite_is_refused_and_never_null() {
    let schema = schema();
    let records: Vec<_> = (0..2).map(|n| todo(&schema, &n.to_string(), json!({"weight": 1.7e308}))).collect();
    let db = database(&schema, "Todo", &records);
    for measure in ["sum:weight", "avg:weight"] {
        assert!(matches!(asked(measure, &[]).run(&db, &schema), Err(QueryError::TooGreat { .. })), "{measure}");
    }
}

#[test]
fn what_cannot_be_computed_is_named_with_a_cure() {
    for (measures, group_by, message) in [
        ("sum:vots", vec![], "aggregate sum:vots: Todo has no field `vots`; did you mean `votes`?"),
        ("sum:title", vec![], "aggregate sum:title: `sum` takes a number, and `title` is none"),
        ("avg:done", vec![], "aggregate avg:done: `avg` takes a number, and `done` is none"),
        ("min:tags", vec![], "aggregate min:tags: `min` takes a scalar other than AWSJSON, and `tags` is none"),
        (
            "count",
            vec!["meta"],
            "group by meta: AWSJSON, lists, sets and embedded values make no groups: name a scalar",
        ),
        ("count", vec!["stat"], "group by stat: Todo has no field `stat`; "),
        ("count,count", vec![], "aggregate count: the result has two columns `count`: name one otherwise"),
        ("status=count", vec!["status"], "aggregate status: the result has two columns `status`"),
        ("", vec![], "aggregate: nothing is asked for: name a measure, as in `count`"),
    ] {
        let refused = refusal(&asked(measures, &group_by));
        assert!(refused.starts_with(message), "{measures}: {refused}");
    }
    for (text, message) in [
        ("summ:votes", "aggregate summ:votes: there is no aggregate `summ`; did you mean `sum`?"),
        ("median:votes", "aggregate median:votes: there is no aggregate `median`; there are count, countDistinct, "),
        ("sum", "aggregate sum: `sum` is computed of a field: write `sum:votes`"),
        ("sum:", "aggregate sum:: write the field behind the colon"),
        ("=sum:votes", "aggregate =sum:votes: write a name before `=`"),
    ] {
        let refused = Measure::parse(text).unwrap_err().to_string();
        assert!(refused.starts_with(message), "{text}: {refused}");
    }
    let mut unknown = asked("count", &["status"]);
    unknown.having = Filter::gt("cuont", 1);
    assert_eq!(refusal(&unknown), "having.cuont.gt: the result has no field `cuont`; did you mean `count`?");
    unknown.having = Filter::gt("count", "many");
    assert_eq!(refusal(&unknown), "having.count.gt: the field holds an integer, and \"many\" is none");
    unknown.having = Filter::All;
    unknown.of.order = vec![Order::ascending("title")];
    assert!(refusal(&unknown).starts_with("order title: the result has no field `title`; "));
    unknown.of.order = Vec::new();
    unknown.of.after = Some("00".to_owned());
    assert!(refusal(&unknown).contains("no page tokens"));
    let nameless =
        Aggregation::new(Query::new("Todo"), vec![Measure { field: None, ..Measure::of(Function::Sum, "x") }]);
    assert!(refusal(&nameless).ends_with("`sum` is computed of a field: name one"));
}

#[test]
fn fields_that_look_like_columns_of_the_statement_are_fields() {
    let sdl = "type T @model { m0: Int count: Int sum: Int @index(name: \"s\") rank: Int }";
    let schema = syncline_schema::parse("test.graphql", sdl).unwrap().schema;
    let records: Vec<_> = (0..4)
        .map(|n| super::record_of(&schema, "T", json!({"id": n.to_string(), "m0": n % 2, "count": n, "sum": 1})))
        .collect();
    let db = database(&schema, "T", &records);
    let measures = Measure::parse("records=count,sum:count,max:sum").unwrap();
    let aggregation = Aggregation {
        group_by: vec!["m0".to_owned(), "sum".to_owned()],
        having: Filter::gt("sum:count", 2),
        ..Aggregation::new(Query::new("T"), measures)
    };
    assert_eq!(
        json!(aggregation.run(&db, &schema).unwrap()),
        json!([{"m0": 1, "sum": 1, "records": 2, "sum:count": 4, "max:sum": 1}])
    );
}

#[test]
fn groups_by_an_index_walk_it() {
    let schema = schema();
    let db = database(&schema, "Todo", &records());
    let plan = asked("count", &["status"]).explain(&db, &schema).unwrap();
    assert_eq!(plan, "SCAN Todo USING COVERING INDEX Todo.byStatus");
    let mut found = asked("sum:votes", &[]);
    found.of.condition = Filter::eq("priority", 3).into();
    assert!(found.explain(&db, &schema).unwrap().contains("SEARCH Todo USING INDEX Todo.byPriority"));
}
