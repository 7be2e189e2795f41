//! WHERE text: what it means, and what is said of wrong ones.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use syncline_schema::Schema;

use super::{database, found, schema, todo};
use crate::query::{Condition, Query};

fn query(text: &str) -> Query {
    Query { condition: Condition::Where(text.to_owned()), ..Query::new("Todo") }
}

fn filled(schema: &Schema) -> Connection {
    let records = [
        json!({"title": "Plan 50%", "priority": 1, "done": false, "weight": 0.5, "status": "OPEN", "tags": ["x", "y"]}),
        json!({"title": "plain", "priority": 5, "done": true, "due": "2024-05-31", "address": {"city": "Rome", "zip": 7, "geo": {"lat": 1.5}}}),
        json!({"priority": null, "tags": [], "meta": {"a": 1}}),
    ];
    let records: Vec<_> =
        records.into_iter().zip(["1", "2", "3"]).map(|(fields, id)| todo(schema, id, fields)).collect();
    database(schema, "Todo", &records)
}

#[test]
fn texts_mean_what_sql_means() {
    let schema = schema();
    let db = filled(&schema);
    for (text, expected) in [
        ("done = false", vec!["1"]),
        ("done", vec!["2"]),
        ("NOT done", vec!["1"]),
        ("done IS NULL", vec!["3"]),
        ("done IS NOT TRUE", vec!["1", "3"]),
        ("priority <> 1", vec!["2"]),
        ("NOT (priority = 1)", vec!["2"]),
        ("priority IS DISTINCT FROM 1", vec!["2", "3"]),
        ("priority IN (1, 2, 3)", vec!["1"]),
        ("priority NOT IN (1)", vec!["2"]),
        ("priority BETWEEN 2 AND 9", vec!["2"]),
        ("priority NOT BETWEEN 2 AND 9", vec!["1"]),
        ("title LIKE 'pla%'", vec!["1", "2"]),
        ("title LIKE '%!%' ESCAPE '!'", vec!["1"]),
        ("title NOT LIKE 'plan%'", vec!["2"]),
        ("lower(title) = 'plain' OR length(title) = 8", vec!["1", "2"]),
        ("priority + 1 = 2 AND weight * 2 >= 1.0", vec!["1"]),
        ("title || '!' = 'plain!'", vec!["2"]),
        ("priority = -(-5)", vec!["2"]),
        ("priority > -9223372036854775808", vec!["1", "2"]),
        ("coalesce(priority, 9) = 9", vec!["3"]),
        ("due > '2024-01-01'", vec!["2"]),
        ("Todo.title = 'plain'", vec!["2"]),
        ("\"title\" = 'plain' AND [priority] = 5", vec!["2"]),
        ("TITLE = 'plain'", vec!["2"]),
        ("address.city = 'Rome' and address.geo.lat > 1", vec!["2"]),
        ("contains(tags, 'x')", vec!["1"]),
        ("NOT contains(tags, 'x')", vec!["2", "3"]),
        ("title = 'it''s'", vec![]),
        ("1 = 1", vec!["1", "2", "3"]),
        ("NULL", vec![]),
        ("(((priority = 1)))", vec!["1"]),
        ("priority\n= 1 -- the first", vec!["1"]),
    ] {
        assert_eq!(found(&db, &schema, &query(text)), expected, "{text}");
    }
}

#[test]
fn a_wrong_text_is_refused_with_its_place_and_a_cure() {
    let schema = schema();
    for (text, message) in [
        ("titel = 'x'", "where, line 1, column 1: Todo has no field `titel`; did you mean `title`?"),
        ("done = false AND\n  prio > 3", "where, line 2, column 3: Todo has no field `prio`; its fields are "),
        ("address.ctiy = 'x'", "where, line 1, column 1: Address has no field `ctiy`; did you mean `city`?"),
        ("title = \"plain\"", "where, line 1, column 9: Todo has no field `plain`; its fields are "),
        ("title = ", "where, line 1, column 9: this is no condition: Expected: an expression, found: EOF"),
        ("title = 'x", "where, line 1, column 9: Unterminated string literal"),
        ("", "where, line 1, column 1: the condition is empty"),
        ("title = 'x'; DROP TABLE Todo", "where, line 1, column 12: `;` does not belong here"),
        ("title = 'x' ORDER BY title", "where, line 1, column 13: `ORDER` does not belong here"),
        ("priority IN (SELECT 1)", "where, line 1, column 1: a condition cannot have a query inside"),
        ("EXISTS (SELECT 1)", "where, line 1, column "),
        (
            "load_extension('x')",
            "where, line 1, column 1: there is no function `load_extension`; the functions are lower, ",
        ),
        ("lenght(title) = 3", "where, line 1, column 1: there is no function `lenght`; did you mean `length`?"),
        ("length(title, 1) = 3", "where, line 1, column 1: `length` takes 1 arguments, found 2"),
        ("title = ?", "where, line 1, column 9: `?` has no value here: write the value itself"),
        ("title ILIKE 'x'", "where, line 1, column 1: there is no ILIKE"),
        ("title GLOB 'x'", "where, line 1, column 12: the operator `GLOB` before this is not allowed"),
        (
            "CASE WHEN done THEN 1 ELSE 0 END",
            "where, line 1, column 1: `CASE WHEN done THEN 1 ELSE 0 END` is not allowed",
        ),
        ("CAST(title AS INTEGER) = 1", "where, line 1, column "),
        ("contains(title, 'x')", "where, line 1, column 1: `contains` takes a list or set and an element"),
        ("syncline_record = 1", "where, line 1, column 1: Todo has no field `syncline_record`"),
        ("priority = 1e999", "where, line 1, column 12: `1e999` is no number"),
        ("count(*) > 1", "where, line 1, column 1: `count` takes plain arguments here"),
    ] {
        let refused = query(text).compile(&schema).unwrap_err().to_string();
        assert!(refused.starts_with(message), "{text}: {refused}");
    }
}

#[test]
fn long_chains_run_and_longer_or_deeper_texts_are_refused() {
    let schema = schema();
    let db = filled(&schema);
    let chain = |length: usize| vec!["priority = 1"; length].join(" OR ");
    assert_eq!(query(&chain(450)).count(&db, &schema).unwrap(), 1);
    let refused = |text: &str| query(text).compile(&schema).unwrap_err().to_string();
    assert!(refused(&chain(100_000)).contains("at most 4000 words and signs"));
    assert!(refused(&format!("{}1{}", "(".repeat(500), ")".repeat(500))).contains("nests more than 100 deep"));
    // The parser takes the innermost NOT for a name then, which is no column.
    assert!(query(&format!("{} priority", "NOT ".repeat(900))).compile(&schema).is_err());
    assert!(refused(&vec!["1"; 300].join(" + ")).contains("nests more than 100 deep"));
}

proptest! {
    #[test]
    fn no_text_panics_or_reaches_sqlite_broken(text in "(title|priority|done|tags|'a'|1|2\\.5|NULL|AND|OR|NOT|IN|IS|LIKE|BETWEEN|CASE|SELECT|lower|contains|\\(|\\)|,|=|<|>|\\+|\\|\\||-|;|\\.|\"| |\\?|--|/\\*|é){0,14}") {
        let schema = schema();
        let db = filled(&schema);
        if query(&text).compile(&schema).is_ok() {
            let outcome = query(&text).count(&db, &schema);
            prop_assert!(outcome.is_ok(), "{}: {:?}", text, outcome);
        }
    }

    #[test]
    fn spaced_words_mean_something_or_are_refused(words in prop::collection::vec(prop::sample::select(vec!["title", "priority", "done", "'a'", "1", "AND", "OR", "NOT", "IN", "(", ")", "IS", "NULL", "=", "<", "LIKE", "BETWEEN", "+", "-", "length(title)", ","]), 0..12)) {
        let schema = schema();
        let db = filled(&schema);
        let text = words.join(" ");
        if query(&text).compile(&schema).is_ok() {
            let outcome = query(&text).count(&db, &schema);
            prop_assert!(outcome.is_ok(), "{}: {:?}", text, outcome);
        }
    }
}
