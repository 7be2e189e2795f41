//! Full-text indexes stay in step with their tables, whoever writes and whatever becomes of the schema.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::{Bed, assert_verified, id, map, pull, rusqlite};
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::rich::{ExpandRules, Mark, Span};
use syncline_engine::query::{Query, Search};
use syncline_engine::{Source, Store};

/// Models that stores know which exchange changes by [`common::pull`].
const SDL: &str = "
type Todo @model { title: String @fulltext done: Boolean body: String @text @fulltext }
type Place @model { name: String! @primaryKey note: String @fulltext }
";

fn found(store: &Store, model: &str, text: &str) -> Vec<String> {
    let query = Query { search: Some(Search::new(text)), ..Query::new(model) };
    let mut ids: Vec<String> = store.reader().unwrap().query(&query).unwrap().records.iter().map(key).collect();
    ids.sort_unstable();
    ids
}

fn key(record: &serde_json::Map<String, Value>) -> String {
    record.values().next().and_then(Value::as_str).unwrap().to_owned()
}

fn save(store: &mut Store, now: i64, record: Value) -> String {
    id(&common::save(store, now, "Todo", record))
}

#[test]
fn every_way_to_write_a_record_is_followed() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    let milk = save(&mut store, bed.tick(), json!({"title": "Oat milk", "body": "from the shop"}));
    let tea = save(&mut store, bed.tick(), json!({"title": "Tea"}));
    assert_eq!(found(&store, "Todo", "milk shop"), [milk.as_str()]);
    store.write(bed.tick(), |tx| tx.update("Todo", &tea, &map(json!({"title": "Black tea", "done": true})))).unwrap();
    assert_eq!(found(&store, "Todo", "black"), [tea.as_str()]);
    store.write(bed.tick(), |tx| tx.splice("Todo", &milk, "body", 9, 4, "market")).unwrap();
    assert_eq!(found(&store, "Todo", "shop"), [""; 0]);
    assert_eq!(found(&store, "Todo", "market"), [milk.as_str()]);
    store.write(bed.tick(), |tx| tx.update("Todo", &tea, &map(json!({"title": null})))).unwrap();
    assert_eq!(found(&store, "Todo", "tea"), [""; 0]);
    store.write(bed.tick(), |tx| tx.delete("Todo", &milk)).unwrap();
    assert_eq!(found(&store, "Todo", "milk"), [""; 0]);
    store.write(bed.tick(), |tx| tx.undelete("Todo", &milk)).unwrap();
    assert_eq!(found(&store, "Todo", "milk"), [milk.as_str()]);
    // What a transaction undoes leaves no trace.
    let failed = store.write(bed.tick(), |tx| {
        tx.save("Todo", &map(json!({"title": "ghost"})), Source::App)?;
        tx.delete("Todo", "nobody")
    });
    assert!(failed.is_err());
    assert_eq!(found(&store, "Todo", "ghost"), [""; 0]);
    assert_verified(&store);
}

#[test]
fn a_search_inside_a_transaction_sees_its_writes() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    let query = Query { search: Some("oat".into()), ..Query::new("Todo") };
    let seen = store
        .write(bed.tick(), |tx| {
            tx.save("Todo", &map(json!({"title": "oat"})), Source::App)?;
            Ok(tx.query(&query)?.records.len())
        })
        .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn merged_changes_are_found() {
    let (mut bed_a, mut bed_b) = (Bed::new(1), Bed::new(2));
    let (mut a, mut b) = (bed_a.open_with(Some(SDL)), bed_b.open_with(Some(SDL)));
    let note = save(&mut a, bed_a.tick(), json!({"title": "Oat milk", "body": "one two"}));
    pull(&mut b, &mut a);
    assert_eq!(found(&b, "Todo", "milk"), [note.as_str()]);
    // Both edit the text, and one the title: each finds the words of both.
    a.write(bed_a.tick(), |tx| tx.splice("Todo", &note, "body", 0, 3, "eins")).unwrap();
    b.write(bed_b.tick(), |tx| tx.splice("Todo", &note, "body", 4, 3, "zwei")).unwrap();
    b.write(bed_b.tick(), |tx| tx.update("Todo", &note, &map(json!({"title": "Soy"})))).unwrap();
    pull(&mut a, &mut b);
    pull(&mut b, &mut a);
    for store in [&a, &b] {
        assert_eq!(found(store, "Todo", "eins zwei soy"), [note.as_str()]);
        assert_eq!(found(store, "Todo", "milk"), [""; 0]);
        assert_verified(store);
    }
    b.write(bed_b.tick(), |tx| tx.delete("Todo", &note)).unwrap();
    pull(&mut a, &mut b);
    assert_eq!(found(&a, "Todo", "soy"), [""; 0]);
    assert_verified(&a);
}

#[test]
fn words_of_a_rich_text_are_found_however_it_is_marked_and_saved() {
    let sdl = SDL.replace("@text @fulltext", "@text(rich: true) @fulltext");
    let (mut bed_a, mut bed_b) = (Bed::new(1), Bed::new(2));
    let (mut a, mut b) = (bed_a.open_with(Some(&sdl)), bed_b.open_with(Some(&sdl)));
    let note = save(&mut a, bed_a.tick(), json!({"title": "Oats", "body": "one two"}));
    a.write(bed_a.tick(), |tx| tx.mark("Todo", &note, "body", 0..2, Mark::new("bold", true))).unwrap();
    pull(&mut b, &mut a);
    for store in [&a, &b] {
        // A mark that ends inside a word does not cut it.
        assert_eq!(found(store, "Todo", "one"), [note.as_str()]);
        assert_eq!(found(store, "Todo", "bold"), [""; 0]);
    }
    let spans = [Span::plain("three ").with("bold", true), Span::plain("four")];
    b.write(bed_b.tick(), |tx| tx.set_spans("Todo", &note, "body", &spans, &ExpandRules::default())).unwrap();
    pull(&mut a, &mut b);
    for store in [&a, &b] {
        assert_eq!(found(store, "Todo", "three four"), [note.as_str()]);
        assert_eq!(found(store, "Todo", "one"), [""; 0]);
        assert_verified(store);
    }
}

#[test]
fn what_a_delete_takes_along_is_found_no_more_until_it_is_undeleted() {
    let sdl = r#"
        type Shelf @model { name: String @fulltext books: [Book] @hasMany(onDelete: "cascade") }
        type Book @model { title: String @fulltext shelf: Shelf @belongsTo }
    "#;
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(sdl));
    let shelf = id(&common::save(&mut store, bed.tick(), "Shelf", json!({"name": "Sagas"})));
    let of = json!({"title": "Njal", "shelfBooksId": shelf});
    let book = id(&common::save(&mut store, bed.tick(), "Book", of));
    assert_eq!(found(&store, "Book", "njal"), [book.as_str()]);
    store.write(bed.tick(), |tx| tx.delete_along("Shelf", &shelf)).unwrap();
    assert_eq!(found(&store, "Shelf", "sagas"), [""; 0]);
    assert_eq!(found(&store, "Book", "njal"), [""; 0]);
    store.write(bed.tick(), |tx| tx.undelete("Book", &book)).unwrap();
    assert_eq!(found(&store, "Book", "njal"), [book.as_str()]);
    assert_verified(&store);
}

#[test]
fn marking_a_field_makes_the_index_and_unmarking_the_last_drops_it() {
    let plain = "type Todo @model { title: String body: String @text done: Boolean }";
    let one = "type Todo @model { title: String @fulltext body: String @text done: Boolean }";
    let both = "type Todo @model { title: String @fulltext body: String @text @fulltext done: Boolean }";
    let trigram =
        "type Todo @model { title: String @fulltext(tokenize: \"trigram\") body: String @text done: Boolean }";
    let renamed =
        "type Todo @model { heading: String @fulltext @renamed(from: \"title\") body: String @text done: Boolean }";
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(plain));
    let milk = save(&mut store, bed.tick(), json!({"title": "Oat milk", "body": "shop"}));
    let query = Query { search: Some("milk".into()), ..Query::new("Todo") };
    assert!(store.reader().unwrap().query(&query).unwrap_err().to_string().contains("has no full-text index"));
    drop(store);
    for (sdl, hits) in [
        (one, [("milk", true), ("shop", false), ("mil", false)]),
        (both, [("milk", true), ("shop", true), ("mil", false)]),
        (trigram, [("milk", true), ("shop", false), ("mil", true)]),
        (renamed, [("milk", true), ("shop", false), ("mil", false)]),
    ] {
        let store = bed.open_with(Some(sdl));
        for (text, is_hit) in hits {
            let expected: &[&str] = if is_hit { &[&milk] } else { &[] };
            assert_eq!(found(&store, "Todo", text), expected, "{sdl}: {text}");
        }
        assert_verified(&store);
    }
    let unmarked = renamed.replace(" @fulltext", "");
    drop(bed.open_with(Some(&unmarked)));
    let left: i64 = bed
        .sql()
        .query_row("SELECT count(*) FROM sqlite_master WHERE name LIKE 'syncline_%_fulltext%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

/// Earlier versions took `@fulltext` for granted and made no index.
#[test]
fn a_store_whose_marked_fields_have_no_index_gets_one_when_it_is_opened() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    let milk = save(&mut store, bed.tick(), json!({"title": "Oat milk"}));
    drop(store);
    bed.sql().execute_batch("DROP TABLE syncline_Todo_fulltext; DROP TABLE syncline_Place_fulltext").unwrap();
    let store = bed.open_with(None);
    assert_eq!(found(&store, "Todo", "milk"), [milk.as_str()]);
    assert_verified(&store);
}

#[test]
fn verify_names_an_index_that_is_not_what_its_table_says() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    save(&mut store, bed.tick(), json!({"title": "Oat milk"}));
    common::save(&mut store, bed.tick(), "Place", json!({"name": "here", "note": "quiet"}));
    drop(store);
    let db: rusqlite::Connection = bed.sql();
    db.execute_batch("INSERT INTO syncline_Todo_fulltext(rowid, title) VALUES(99, 'ghost')").unwrap();
    drop(db);
    let store = bed.open_with(None);
    let faults = store.verify().unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("Todo: its full-text index is not what its table says"), "{faults:?}");
}

/// What somebody does to one of a few records.
#[derive(Clone, Debug)]
enum Act {
    Save(usize, Option<String>, Option<String>),
    Title(usize, Option<String>),
    Done(usize, bool),
    Splice(usize, usize, usize, String),
    Delete(usize),
    Undelete(usize),
    Pull,
}

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["oat", "milk", "tea", "é"]), 0..4).prop_map(|words| words.join(" "))
}

fn act() -> impl Strategy<Value = Act> {
    let record = 0..4_usize;
    let title = || prop::option::of(words());
    prop_oneof![
        3 => (record.clone(), title(), title()).prop_map(|(record, title, body)| Act::Save(record, title, body)),
        2 => (record.clone(), title()).prop_map(|(record, title)| Act::Title(record, title)),
        1 => (record.clone(), any::<bool>()).prop_map(|(record, done)| Act::Done(record, done)),
        2 => (record.clone(), 0..5_usize, 0..4_usize, words()).prop_map(|(record, at, delete, text)| Act::Splice(record, at, delete, text)),
        1 => record.clone().prop_map(Act::Delete),
        1 => record.prop_map(Act::Undelete),
        2 => Just(Act::Pull),
    ]
}

/// An id that both stores give to a record.
fn shared(record: usize) -> String {
    format!("00000000-0000-7000-8000-00000000000{record}")
}

fn run(store: &mut Store, now: i64, act: &Act) {
    // Some of it does not fit what is there; then nothing happens.
    let _ = store.write(now, |tx| {
        tx.single(|tx| match act {
            Act::Save(record, title, body) => tx
                .save("Todo", &map(json!({"id": shared(*record), "title": title, "body": body})), Source::App)
                .map(|_| ()),
            Act::Title(record, title) => tx.update("Todo", &shared(*record), &map(json!({"title": title}))).map(|_| ()),
            Act::Done(record, done) => tx.update("Todo", &shared(*record), &map(json!({"done": done}))).map(|_| ()),
            Act::Splice(record, at, delete, text) => {
                tx.splice("Todo", &shared(*record), "body", *at, *delete, text).map(|_| ())
            }
            Act::Delete(record) => tx.delete("Todo", &shared(*record)).map(|_| ()),
            Act::Undelete(record) => tx.undelete("Todo", &shared(*record)).map(|_| ()),
            Act::Pull => Ok(()),
        })
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_any_writes_and_merges_a_search_finds_what_the_records_say(
        acts in prop::collection::vec((any::<bool>(), act()), 1..20),
    ) {
        let (mut bed_a, mut bed_b) = (Bed::new(1), Bed::new(2));
        let (mut a, mut b) = (bed_a.open_with(Some(SDL)), bed_b.open_with(Some(SDL)));
        for (on_a, act) in acts {
            match (on_a, &act) {
                (true, Act::Pull) => drop(pull(&mut a, &mut b)),
                (false, Act::Pull) => drop(pull(&mut b, &mut a)),
                (true, act) => run(&mut a, bed_a.tick(), act),
                (false, act) => run(&mut b, bed_b.tick(), act),
            }
        }
        for store in [&a, &b] {
            let all = store.reader().unwrap().query(&Query::new("Todo")).unwrap().records;
            for word in ["oat", "milk", "tea", "e"] {
                let has = |text: &Value| text.as_str().is_some_and(|text| text.replace('é', "e").split(' ').any(|other| other == word));
                let mut expected: Vec<String> =
                    all.iter().filter(|todo| has(&todo["title"]) || has(&todo["body"])).map(key).collect();
                expected.sort_unstable();
                prop_assert_eq!(found(store, "Todo", word), expected);
            }
            assert_verified(store);
        }
    }
}
