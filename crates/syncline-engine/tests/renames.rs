//! Models under another name: in the same file, and between apps before and after the rename.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::*;
use serde_json::json;
use syncline_core::session::SessionStore as _;
use syncline_engine::Store;
use syncline_engine::query::Query;

const OLD: &str = "type Todo @model { title: String @fulltext body: String @text tags: [String] @set }
                   type Place @model { name: String! @primaryKey note: String @text }";
const NEW: &str =
    "type Note @model @renamed(from: \"Todo\") { heading: String @fulltext @renamed(from: \"title\") body: String @text
                                                 tags: [String] @set }
     type Spot @model @renamed(from: \"Place\") { name: String! @primaryKey note: String @text }";
const NEWEST: &str =
    "type Memo @model @renamed(from: [\"Note\", \"Todo\"]) { heading: String @fulltext @renamed(from: \"title\")
                                                                        body: String @text tags: [String] @set }
     type Spot @model @renamed(from: \"Place\") { name: String! @primaryKey note: String @text }";

fn found(store: &Store, model: &str) -> Vec<String> {
    let query = Query::new(model);
    store
        .reader()
        .unwrap()
        .query(&query)
        .unwrap()
        .records
        .iter()
        .map(|record| record["body"].as_str().unwrap().to_owned())
        .collect()
}

fn genesis(to: &mut Store, from: &mut Store) {
    let known = from.genesis_for(&["Todo", "Place", "Note", "Spot", "Memo"]).unwrap();
    to.learn_genesis(&known).unwrap();
}

/// Both hold what either holds.
fn exchange(a: &mut Store, b: &mut Store) {
    genesis(b, a);
    genesis(a, b);
    let (of_a, of_b) = (rows(a, 0), rows(b, 0));
    apply(b, &of_a);
    apply(a, &of_b);
    for store in [a, b] {
        assert_eq!(store.status().unwrap().quarantined.len(), 0);
        assert_verified(store);
    }
}

#[test]
fn records_are_found_under_the_new_name_of_their_model() {
    // No part of the engine looked at a model's former names: a query for the new name found nothing.
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(OLD));
    let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "two", "tags": ["a"]})));
    save(&mut store, bed.tick(), "Place", json!({"name": "here", "note": "hi"}));
    store.close().unwrap();
    drop(store);
    for (sdl, model) in [(NEW, "Note"), (NEWEST, "Memo")] {
        let mut store = bed.open_with(Some(sdl));
        assert_eq!(get(&mut store, model, &todo).unwrap()["heading"], "milk");
        assert!(found(&store, model).contains(&"two".to_owned()));
        let hits = Query { search: Some("milk".into()), ..Query::new(model) };
        assert_eq!(store.reader().unwrap().query(&hits).unwrap().records.len(), 1);
        // The key still names the same record.
        let spot = save(&mut store, bed.tick(), "Spot", json!({"name": "here", "note": format!("hi {model}")}));
        assert_eq!(spot["note"], format!("hi {model}"));
        assert_eq!(store.reader().unwrap().query(&Query::new("Spot")).unwrap().records.len(), 1);
        save(&mut store, bed.tick(), model, json!({"heading": "later", "body": "one"}));
        assert_verified(&store);
        store.close().unwrap();
    }
}

#[test]
fn apps_before_and_after_a_rename_write_the_same_records() {
    for (newer, model) in [(NEW, "Note"), (NEWEST, "Memo")] {
        let (mut a, mut b) = (Bed::new(1), Bed::new(2));
        let (mut old, mut new) = (a.open_with(Some(OLD)), b.open_with(Some(newer)));
        let todo = id(&save(&mut old, a.tick(), "Todo", json!({"title": "milk", "body": "two", "tags": ["a"]})));
        let note = id(&save(&mut new, b.tick(), model, json!({"heading": "bread", "body": "one"})));
        save(&mut old, a.tick(), "Place", json!({"name": "here", "note": "old"}));
        save(&mut new, b.tick(), "Spot", json!({"name": "here", "note": "new"}));
        exchange(&mut old, &mut new);
        assert_eq!(get(&mut new, model, &todo).unwrap()["heading"], "milk");
        assert_eq!(get(&mut old, "Todo", &note).unwrap()["title"], "bread");
        let now = a.tick();
        old.write(now, |tx| tx.single(|tx| tx.splice("Todo", &note, "body", 0, 0, "old "))).unwrap();
        new.write(now, |tx| tx.single(|tx| tx.splice(model, &note, "body", 3, 0, " new"))).unwrap();
        exchange(&mut old, &mut new);
        for body in [&get(&mut old, "Todo", &note).unwrap()["body"], &get(&mut new, model, &note).unwrap()["body"]] {
            assert_eq!(body, "old one new");
        }
        let place = get(&mut old, "Place", "here").unwrap();
        assert_eq!(get(&mut new, "Spot", "here").unwrap()["note"], place["note"]);
        assert_eq!(found(&new, model).len(), 2);
    }
}

#[test]
fn an_app_that_does_not_know_the_first_name_is_understood() {
    // `Memo` was `Note` before, as far as this file tells: what is new is called `Note` there, and not `Todo`.
    let forgetful = NEWEST.replace("[\"Note\", \"Todo\"]", "\"Note\"");
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut forgetful, mut knowing) = (a.open_with(Some(&forgetful)), b.open_with(Some(NEWEST)));
    let memo = id(&save(&mut forgetful, a.tick(), "Memo", json!({"id": "x", "heading": "h", "body": "one"})));
    let now = a.tick();
    forgetful.write(now, |tx| tx.single(|tx| tx.splice("Memo", &memo, "body", 3, 0, "!"))).unwrap();
    exchange(&mut forgetful, &mut knowing);
    assert_eq!(found(&knowing, "Memo"), ["one!"]);
    let made = id(&save(&mut forgetful, a.tick(), "Memo", json!({"heading": "h", "body": "one!"})));
    exchange(&mut forgetful, &mut knowing);
    for memo in [memo, made] {
        for (store, heading) in [(&mut forgetful, "of one"), (&mut knowing, "of the other")] {
            save(store, a.tick(), "Memo", json!({"id": memo, "heading": heading}));
            assert_eq!(store.reader().unwrap().get("Memo", &memo).unwrap().unwrap()["heading"], heading);
        }
    }
    exchange(&mut forgetful, &mut knowing);
    assert_eq!(found(&knowing, "Memo"), ["one!", "one!"]);
    knowing.close().unwrap();
    drop(knowing);
    assert_eq!(found(&b.open_with(Some(NEWEST)), "Memo"), ["one!", "one!"]);
}

/// What one peer takes for an id that was made for the model, another takes for a text, if they know other names of it.
/// The change was refused, and two records of one id stopped every later one.
#[test]
fn an_id_that_was_made_under_a_name_that_a_peer_does_not_know_stops_nothing() {
    let forgetful = NEWEST.replace("[\"Note\", \"Todo\"]", "\"Note\"");
    let mut beds = [Bed::new(1), Bed::new(2), Bed::new(3)];
    let mut old = beds[0].open_with(Some(OLD));
    let (mut forgetful, mut knowing) = (beds[1].open_with(Some(&forgetful)), beds[2].open_with(Some(NEWEST)));
    let todo = id(&save(&mut old, 1, "Todo", json!({"title": "t", "body": "of the old app"})));
    save(&mut forgetful, 2, "Memo", json!({"id": todo, "heading": "h", "body": "before it came"}));
    exchange(&mut forgetful, &mut knowing);
    let of = |store: &Store| store.reader().unwrap().get("Memo", &todo).unwrap().unwrap()["body"].clone();
    assert_eq!((of(&forgetful), of(&knowing)), (json!("before it came"), json!("before it came")));
    exchange(&mut old, &mut forgetful);
    exchange(&mut forgetful, &mut knowing);
    // Who does not know that name does not see what bears it.
    assert_eq!(found(&forgetful, "Memo"), ["before it came"]);
    let mut bodies = found(&knowing, "Memo");
    bodies.sort();
    assert_eq!(bodies, ["before it came", "of the old app"]);
    for store in [&mut forgetful, &mut knowing] {
        let shown = of(store);
        save(store, 9, "Memo", json!({"id": todo, "heading": format!("edited {shown}")}));
        let edited = store.reader().unwrap().get("Memo", &todo).unwrap().unwrap();
        assert_eq!(edited["heading"], format!("edited {shown}"), "what is shown is what is edited");
    }
    exchange(&mut forgetful, &mut knowing);
}
