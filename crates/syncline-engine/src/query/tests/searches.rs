//! Full-text search: what finds what, in which order, and what is said of a model that has no index.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Include, Measure, Order};
use syncline_schema::Schema;

use super::{database, fill, found, ids, record_of, schema};
use crate::query::{Aggregation, Condition, Query, QueryError, SCORE, SNIPPET, Search};

fn notes(schema: &Schema) -> Connection {
    let notes = [
        json!({"id": "1", "title": "Oat milk", "body": "buy oat milk, and crème brûlée", "stars": 5}),
        json!({"id": "2", "title": "Milking", "body": "the milk of human kindness", "stars": 1}),
        json!({"id": "3", "title": null, "body": "oat \"bran\" AND milk_shake; NOT 100% title:x", "stars": 1}),
        json!({"id": "4", "title": "东京塔 is tall", "stars": null}),
        json!({"id": "5", "body": null}),
    ];
    let notes: Vec<_> = notes.into_iter().map(|fields| record_of(schema, "Note", fields)).collect();
    database(schema, "Note", &notes)
}

fn searched(search: impl Into<Search>) -> Query {
    Query { search: Some(search.into()), ..Query::new("Note") }
}

#[test]
fn all_words_must_be_there_in_any_field_whatever_their_case_and_accents() {
    let schema = schema();
    let db = notes(&schema);
    for (text, expected) in [
        ("milk", vec!["1", "2", "3"]),
        ("MILK", vec!["1", "2", "3"]),
        ("oat milk", vec!["1", "3"]),
        ("milk   oat", vec!["1", "3"]),
        ("creme brulee", vec!["1"]),
        ("kindness milking", vec!["2"]),
        ("\"oat milk\"", vec!["1"]),
        ("\"milk oat\"", vec![]),
        ("mil", vec![]),
        ("tea", vec![]),
        ("", vec![]),
        ("  \"\" ", vec![]),
        ("!!!", vec![]),
        ("oat !!!", vec!["1", "3"]),
        ("milk_shake", vec!["3"]),
        ("NOT", vec!["3"]),
        ("title:x", vec!["3"]),
        ("oat AND bran", vec!["3"]),
        ("\"bran\" 100%", vec!["3"]),
        ("oat*", vec!["1", "3"]),
        ("(oat", vec!["1", "3"]),
        // One word to an index of words: its script has no spaces.
        ("东京塔", vec!["4"]),
        ("京塔", vec![]),
    ] {
        let mut ids = found(&db, &schema, &searched(text));
        ids.sort_unstable();
        assert_eq!(ids, expected, "{text}");
        assert_eq!(searched(text).count(&db, &schema).unwrap(), expected.len() as u64, "{text}");
    }
}

#[test]
fn the_last_word_may_go_on_where_that_is_asked_for() {
    let schema = schema();
    let db = notes(&schema);
    for (text, expected) in [
        ("mil", vec!["1", "2", "3"]),
        ("kindness mil", vec!["2"]),
        ("mi kindness", vec![]),
        ("\"oat mi", vec!["1"]),
        ("东京", vec!["4"]),
        ("!!!", vec![]),
    ] {
        let mut ids = found(&db, &schema, &searched(Search::new(text).prefix()));
        ids.sort_unstable();
        assert_eq!(ids, expected, "{text}");
    }
}

#[test]
fn the_best_come_first_with_score_and_snippet_and_equally_good_ones_by_key() {
    let schema = schema();
    let mut notes: Vec<_> = (0..40)
        .map(|n| {
            record_of(&schema, "Note", json!({"id": format!("{n:02}"), "title": "tea", "body": "of another kind"}))
        })
        .collect();
    notes.push(record_of(
        &schema,
        "Note",
        json!({"id": "a", "title": "oat", "body": "and nothing else but a long text behind it"}),
    ));
    notes.push(record_of(&schema, "Note", json!({"id": "c", "title": "oat oat", "body": "oat"})));
    notes.push(record_of(
        &schema,
        "Note",
        json!({"id": "b", "title": "oat", "body": "and nothing else but a long text behind it"}),
    ));
    let db = database(&schema, "Note", &notes);
    let page = searched("oat").run(&db, &schema).unwrap();
    assert_eq!(ids(&page.records), ["c", "a", "b"]);
    let scores: Vec<f64> = page.records.iter().map(|record| record[SCORE].as_f64().unwrap()).collect();
    assert!(scores[0] > scores[1] && scores[1] == scores[2] && scores[2] > 0.0, "{scores:?}");
    assert_eq!(page.records[0].keys().rev().take(2).collect::<Vec<_>>(), [SNIPPET, SCORE]);
    assert_eq!(page.records[1][SNIPPET], "[oat]");
    // Pages of ranked records go by offset.
    let second = Query { limit: Some(1), offset: 1, ..searched("oat") };
    let page = second.run(&db, &schema).unwrap();
    assert_eq!((ids(&page.records), page.next), (vec!["a".to_owned()], None));
    let refused = Query { after: Some("00".to_owned()), ..searched("oat") }.run(&db, &schema);
    assert!(matches!(refused, Err(QueryError::RankedToken)), "{refused:?}");
}

#[test]
fn snippets_mark_what_was_found_as_they_are_asked_to() {
    let schema = schema();
    let long = format!("{}oat {}", "before ".repeat(30), "behind ".repeat(30));
    let note = record_of(&schema, "Note", json!({"id": "1", "title": "x", "body": long}));
    let db = database(&schema, "Note", &[note]);
    let mut search = Search::new("oat").marks("<b>", "</b>");
    search.snippet.words = 3;
    search.snippet.ellipsis = "...".to_owned();
    let shown = searched(search).run(&db, &schema).unwrap().records[0][SNIPPET].clone();
    assert_eq!(shown, "...before <b>oat</b> behind...");
}

#[test]
fn a_search_goes_with_filters_orders_pages_limits_and_aggregates() {
    let schema = schema();
    let db = notes(&schema);
    let milk = || Search::new("mil").prefix();
    let filtered = Query { condition: Filter::eq("stars", 1).into(), ..searched(milk()) };
    assert_eq!(filtered.count(&db, &schema).unwrap(), 2);
    let by_text = Query { condition: Condition::Where("stars = 5".to_owned()), ..searched(milk()) };
    assert_eq!(found(&db, &schema, &by_text), ["1"]);
    let ordered = Query { order: vec![Order::descending("id")], limit: Some(2), ..searched(milk()) };
    let first = ordered.run(&db, &schema).unwrap();
    assert_eq!(ids(&first.records), ["3", "2"]);
    assert!(first.records[0][SNIPPET].as_str().unwrap().contains("[milk]_shake"), "{first:?}");
    let rest = Query { after: first.next, ..ordered };
    assert_eq!(found(&db, &schema, &rest), ["1"]);
    let by_stars = Query { order: vec![Order::descending("stars")], limit: Some(1), ..searched(milk()) };
    let first = by_stars.run(&db, &schema).unwrap();
    let rest = Query { after: first.next, limit: None, ..by_stars };
    assert_eq!(found(&db, &schema, &rest), ["2", "3"]);
    let groups = Aggregation {
        group_by: vec!["stars".to_owned()],
        ..Aggregation::new(searched(milk()), vec![Measure::count()])
    };
    assert_eq!(json!(groups.run(&db, &schema).unwrap()), json!([{"stars": 1, "count": 2}, {"stars": 5, "count": 1}]));
}

#[test]
fn a_search_goes_with_related_records() {
    let sdl = "
        type Note @model { text: String @fulltext tags: [Tag] @hasMany }
        type Tag @model { label: String @index(name: \"byLabel\") @fulltext note: Note @belongsTo }
    ";
    let schema = syncline_schema::parse("notes.graphql", sdl).unwrap().schema;
    let notes = ["oat", "oat oat", "tea"].into_iter().enumerate();
    let notes: Vec<_> =
        notes.map(|(n, text)| record_of(&schema, "Note", json!({"id": n.to_string(), "text": text}))).collect();
    let db = database(&schema, "Note", &notes);
    let tags = [("a", "red", "1"), ("b", "blue", "1"), ("c", "blue", "2")]
        .map(|(id, label, note)| record_of(&schema, "Tag", json!({"id": id, "label": label, "noteTagsId": note})));
    fill(&db, &schema, "Tag", &tags);
    let shown = |query: &Query, relation: &str| -> Value {
        let records = query.run(&db, &schema).unwrap().records;
        records
            .into_iter()
            .map(|record| {
                assert!(!record[SNIPPET].as_str().unwrap().is_empty());
                let ids = |many: &Vec<Value>| many.iter().map(|one| one["id"].clone()).collect();
                let related = &record[relation];
                let related = related.as_array().map_or_else(|| related["id"].clone(), ids);
                json!([record["id"], related])
            })
            .collect()
    };
    let oat = Query { include: Include::parse("tags").unwrap(), ..searched("oat") };
    assert_eq!(shown(&oat, "tags"), json!([["1", ["a", "b"]], ["0", []]]));
    let tagged = Query { condition: Filter::related("tags", Filter::eq("label", "blue")).into(), ..oat.clone() };
    assert_eq!(shown(&tagged, "tags"), json!([["1", ["a", "b"]]]));
    // Behind a token of an indexed order, and of a search that no index of words could serve.
    let blue = Query {
        include: Include::parse("note").unwrap(),
        order: vec![Order::ascending("label")],
        limit: Some(1),
        search: Some("blue".into()),
        ..Query::new("Tag")
    };
    let first = blue.run(&db, &schema).unwrap();
    let rest = Query { after: first.next, limit: None, ..blue };
    assert_eq!(shown(&rest, "note"), json!([["c", "2"]]));
}

/// FTS5 keeps the index of `Note` in tables like `…_data`.
#[test]
fn an_index_has_a_name_that_no_table_of_another_index_has() {
    let sdl = "type Note @model { text: String @fulltext } type Note_data @model { text: String @fulltext }";
    let schema = syncline_schema::parse("notes.graphql", sdl).unwrap().schema;
    let db = database(&schema, "Note", &[record_of(&schema, "Note", json!({"id": "1", "text": "oat"}))]);
    fill(&db, &schema, "Note_data", &[record_of(&schema, "Note_data", json!({"id": "2", "text": "oat"}))]);
    assert_eq!(found(&db, &schema, &searched("oat")), ["1"]);
    assert_eq!(found(&db, &schema, &Query { model: "Note_data".to_owned(), ..searched("oat") }), ["2"]);
}

#[test]
fn trigrams_find_parts_of_words_in_every_script() {
    let schema = schema();
    let texts = ["去年の東京塔は高い", "東京", "Crème BRÛLÉE", "50% off_all", "plain"];
    let haikus: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| record_of(&schema, "Haiku", json!({"id": index.to_string(), "text": text})))
        .collect();
    let db = database(&schema, "Haiku", &haikus);
    let query = |text: &str| Query { search: Some(text.into()), ..Query::new("Haiku") };
    for (text, expected) in [
        ("東京塔", vec!["0"]),
        // Too short for the index: looked for in every record.
        ("東京", vec!["0", "1"]),
        ("塔は高い 東京", vec!["0"]),
        ("去 年", vec!["0"]),
        ("brul", vec!["2"]),
        ("rème", vec!["2"]),
        ("PL", vec!["4"]),
        ("0%", vec!["3"]),
        ("f_", vec!["3"]),
        ("f-", vec![]),
        ("塔東京", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(found(&db, &schema, &query(text)), expected, "{text}");
        assert_eq!(query(text).count(&db, &schema).unwrap(), expected.len() as u64, "{text}");
    }
    let shown = |text: &str| query(text).run(&db, &schema).unwrap().records[0].clone();
    assert_eq!(shown("東京塔")[SNIPPET], "去年の[東京塔]は高い");
    assert_eq!((&shown("東京")[SNIPPET], &shown("東京")[SCORE]), (&json!("去年の[東京]塔は高い"), &json!(0.0)));
}

#[test]
fn a_model_without_an_index_is_refused_with_how_to_get_one() {
    let schema = schema();
    let query = Query { search: Some("x".into()), ..Query::new("Todo") };
    let refused = query.compile(&schema).unwrap_err().to_string();
    assert!(refused.starts_with("Todo has no full-text index"), "{refused}");
    assert!(refused.ends_with("as in `title: String @fulltext`"), "{refused}");
}

#[test]
fn a_search_starts_at_the_index_and_sorts_only_by_rank() {
    let schema = schema();
    let db = notes(&schema);
    let plan = searched("oat").explain(&db, &schema).unwrap();
    let lines: Vec<&str> = plan.lines().collect();
    assert!(lines[0].starts_with("SCAN syncline_Note_fulltext VIRTUAL TABLE INDEX"), "{plan}");
    assert_eq!(lines[1..], ["SEARCH Note USING INTEGER PRIMARY KEY (rowid=?)", "USE TEMP B-TREE FOR ORDER BY"]);
    let compiled = searched("x'; DROP TABLE Note").compile(&schema).unwrap();
    assert!(!compiled.sql.contains("DROP"), "{}", compiled.sql);
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["oat", "milk", "tea", "of", "the", "oats", "mi"])
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::collection::vec(word(), 0..5).prop_map(|words| words.join(" ")))
}

/// Whether a field of the record has these words in a row; the last may go on.
fn has(record: &Map<String, Value>, words: &[&str], prefix: bool) -> bool {
    let matches = |found: &str, at: usize| match words.get(at) {
        Some(word) if prefix && at + 1 == words.len() => found.starts_with(word),
        Some(word) => found == *word,
        None => false,
    };
    ["title", "body"].iter().filter_map(|field| record[*field].as_str()).any(|text| {
        let all: Vec<&str> = text.split(' ').collect();
        all.windows(words.len()).any(|row| row.iter().enumerate().all(|(at, found)| matches(found, at)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_reading_every_text_finds(
        texts in prop::collection::vec((text(), text(), 0..3_i64), 1..12),
        asked in prop::collection::vec(prop::collection::vec(word(), 1..3), 1..4),
        prefix in any::<bool>(),
        stars in prop::option::of(0..3_i64),
    ) {
        let schema = schema();
        let notes: Vec<_> = texts
            .into_iter()
            .enumerate()
            .map(|(n, (title, body, stars))| record_of(&schema, "Note", json!({"id": format!("{n:02}"), "title": title, "body": body, "stars": stars})))
            .collect();
        let db = database(&schema, "Note", &notes);
        let phrases: Vec<String> = asked.iter().map(|words| format!("\"{}\"", words.join(" "))).collect();
        let mut search = Search::new(phrases.join(" "));
        search.prefix = prefix;
        let filter = stars.map_or(Filter::All, |stars| Filter::eq("stars", stars));
        let query = Query { condition: filter.clone().into(), ..searched(search) };
        let expected: Vec<String> = notes
            .iter()
            .filter(|note| filter.matches(note))
            .filter(|note| asked.iter().enumerate().all(|(at, words)| has(note, words, prefix && at + 1 == asked.len())))
            .map(|note| note["id"].as_str().unwrap().to_owned())
            .collect();
        let mut ranked = found(&db, &schema, &query);
        ranked.sort_unstable();
        prop_assert_eq!(&ranked, &expected);
        prop_assert_eq!(query.count(&db, &schema).unwrap(), expected.len() as u64);
        let ordered = Query { order: vec![Order::ascending("id")], ..query };
        prop_assert_eq!(found(&db, &schema, &ordered), expected);
    }

    #[test]
    fn no_text_that_a_user_types_is_an_error(text in "(\"|oat|\\*|\\(|\\)|NEAR|AND|OR|NOT|:|\\^|-|\\+|\\{|\\}|'|,|;|\\\\|%|é|東|\u{301}|\u{0}| |\u{a0}){0,12}", prefix in any::<bool>()) {
        let schema = schema();
        let search = Search { prefix, ..Search::new(text.as_str()) };
        for model in ["Note", "Haiku"] {
            let record = record_of(&schema, model, json!({"id": "1", "title": "oat 東京", "text": "oat 東京"}));
            let record: Map<String, Value> = schema.model(model).unwrap().fields.iter().map(|f| (f.name.clone(), record[&f.name].clone())).collect();
            let db = database(&schema, model, &[record]);
            let outcome = Query { search: Some(search.clone()), ..Query::new(model) }.run(&db, &schema);
            prop_assert!(outcome.is_ok(), "{:?}: {:?}", text, outcome);
        }
    }
}
