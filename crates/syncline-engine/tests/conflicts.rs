//! Concurrent values: which are listed, who is named, how they are settled, and that the note of them is kept.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::*;
use serde_json::{Map, Value, json};
use syncline_core::session::SessionStore;
use syncline_engine::query::Query;
use syncline_engine::{Conflict, Origin, Store, StoreError};

const SDL: &str = r#"
type Event @model {
  id: ID!
  title: String!
  room: String
  meta: AWSJSON
  level: Level
  place: Place
  best: Int @merge(with: max)
  least: Float @merge(with: min)
  last: String @merge(with: latest)
  seats: Int @counter
  tags: [String] @set
  body: String @text
}
type Seat @model { row: Int! @primaryKey guest: String }
type Draft @model @local { id: ID! title: String }
type Place { city: String zip: Int lines: [String] }
enum Level { LOW HIGH }
"#;

/// Two stores that hold the same event.
struct Two {
    beds: [Bed; 2],
    a: Store,
    b: Store,
    id: String,
}

impl Two {
    fn new(record: Value) -> Self {
        let mut beds = [Bed::new(1), Bed::new(2)];
        let (mut a, mut b) = (beds[0].open_with(Some(SDL)), beds[1].open_with(Some(SDL)));
        let id = id(&save(&mut a, 1000, "Event", record));
        exchange(&mut b, &mut a);
        Self { beds, a, b, id }
    }

    /// What both write before they meet.
    fn apart(&mut self, ours: (i64, Value), theirs: (i64, Value)) {
        update(&mut self.a, &self.id, ours.0, ours.1);
        update(&mut self.b, &self.id, theirs.0, theirs.1);
        self.meet();
    }

    fn meet(&mut self) {
        exchange(&mut self.a, &mut self.b);
        exchange(&mut self.b, &mut self.a);
        let shown = |store: &mut Store| get(store, "Event", &self.id);
        assert_eq!(shown(&mut self.a), shown(&mut self.b), "two that hold the same show the same");
        assert_eq!(values(&self.a, &self.id), values(&self.b, &self.id));
        assert_verified(&self.a);
        assert_verified(&self.b);
    }

    fn shown(&mut self) -> Map<String, Value> {
        get(&mut self.a, "Event", &self.id).unwrap()
    }
}

fn exchange(to: &mut Store, from: &mut Store) {
    let known = from.genesis_for(&["Event", "Seat"]).unwrap();
    to.learn_genesis(&known).unwrap();
    let rows = rows(from, 0);
    apply(to, &rows);
}

fn update(store: &mut Store, id: &str, now: i64, patch: Value) {
    store.write(now, |tx| tx.single(|tx| tx.update("Event", id, &map(patch)))).unwrap();
}

fn conflicts(store: &Store, id: &str) -> Vec<Conflict> {
    store.conflicts("Event", id).unwrap()
}

/// The values of every field in conflict, the one that shows first.
fn values(store: &Store, id: &str) -> Vec<(String, Vec<Value>)> {
    let found = store.conflicts("Event", id).unwrap_or_default();
    let values = |one: Conflict| (one.field, one.values.into_iter().map(|value| value.value).collect());
    found.into_iter().map(values).collect()
}

fn listed(store: &Store) -> Vec<String> {
    store.conflicted(None, None, 100).unwrap().records.into_iter().map(|record| record.id).collect()
}

fn resolve(store: &mut Store, id: &str, field: &str, value: Value) -> Result<Map<String, Value>, StoreError> {
    let saved = store.write(9000, |tx| tx.single(|tx| tx.resolve("Event", id, field, &value)));
    saved.map(|saved| saved.record)
}

#[test]
fn both_values_are_listed_with_their_writers_and_times() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    let found = conflicts(&two.a, &two.id);
    let [conflict] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((conflict.field.as_str(), conflict.values.len()), ("title", 2));
    let shown = two.shown()["title"].clone();
    assert_eq!((conflict.shown(), conflict.values[0].shows, conflict.values[1].shows), (Some(&shown), true, false));
    for value in &conflict.values {
        let (writer, time, counter) = match value.value.as_str().unwrap() {
            "ours" => (&two.a, 2000, 2),
            _ => (&two.b, 3000, 1),
        };
        assert_eq!(value.replica, writer.replica().unwrap().to_string());
        assert_eq!((value.time_ms, value.counter, value.mine), (time, counter, value.value == "ours"));
    }
    let json = serde_json::to_value(conflict).unwrap();
    assert_eq!((&json["rule"], &json["values"][0]["shows"]), (&json!("winner"), &json!(true)));
}

#[test]
fn every_field_of_one_value_can_be_in_conflict_and_nothing_else() {
    let full = json!({"title": "t", "place": {"city": "x", "zip": 1}, "tags": ["t"], "body": "b", "seats": 1});
    let mut two = Two::new(full);
    let ours = json!({"title": "A", "room": null, "meta": {"a": 1}, "level": "LOW", "seats": 5, "tags": ["a"],
        "body": "A", "place": {"city": "A", "lines": ["a"]}});
    let theirs = json!({"title": "B", "room": "B", "meta": {"b": 1}, "level": "HIGH", "seats": 9, "tags": ["b"],
        "body": "B", "place": {"city": "B", "lines": ["b"]}});
    two.apart((2000, ours), (2000, theirs));
    let fields: Vec<String> = values(&two.a, &two.id).into_iter().map(|(field, _)| field).collect();
    // The null of `room` stood there already, so it is no edit.
    assert_eq!(fields, ["title", "meta", "level", "place.city", "place.lines"]);
    two.apart((3000, json!({"room": null})), (3000, json!({"room": "C"})));
    let room = |two: &Two| values(&two.a, &two.id).into_iter().find(|(field, _)| field == "room");
    let (_, both) = room(&two).expect("one emptied what the other changed");
    assert!(both.contains(&Value::Null) && both.contains(&json!("C")), "{both:?}");
}

#[test]
fn equal_values_are_no_conflict_and_a_third_value_shows_all() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart(
        (2000, json!({"title": "same", "meta": "{\"a\":1}"})),
        (2500, json!({"title": "same", "meta": {"a": 1}})),
    );
    assert_eq!(values(&two.a, &two.id), []);
    assert_eq!(listed(&two.a), Vec::<String>::new());
    let mut third = Bed::new(3);
    let mut c = third.open_with(Some(SDL));
    let before = rows(&mut two.a, 0).into_iter().take(1).collect::<Vec<_>>();
    c.learn_genesis(&two.a.genesis_for(&["Event"]).unwrap()).unwrap();
    apply(&mut c, &before);
    update(&mut c, &two.id, 2600, json!({"title": "other"}));
    exchange(&mut two.a, &mut c);
    two.meet();
    let found = conflicts(&two.a, &two.id);
    assert_eq!(found[0].values.len(), 3, "who wrote the same stands beside: {found:?}");
}

#[test]
fn settling_with_the_value_that_shows_writes_and_settles_everywhere() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    assert_eq!((listed(&two.a), listed(&two.b)), (vec![two.id.clone()], vec![two.id.clone()]));
    let shown = two.shown()["title"].clone();
    let held = two.a.committed();
    let settled = resolve(&mut two.a, &two.id, "title", shown.clone()).unwrap();
    assert_eq!((&settled["title"], two.a.committed()), (&shown, held + 1));
    two.meet();
    assert_eq!(values(&two.b, &two.id), []);
    assert_eq!((listed(&two.a), listed(&two.b)), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn a_conflict_is_settled_with_a_loser_a_new_value_or_null() {
    for (value, field) in [(json!("ours"), "title"), (json!("theirs"), "title"), (json!("new"), "title")] {
        let mut two = Two::new(json!({"title": "t"}));
        two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
        assert_eq!(resolve(&mut two.b, &two.id, field, value.clone()).unwrap()[field], value);
        two.meet();
        assert_eq!((two.shown()[field].clone(), values(&two.a, &two.id)), (value, vec![]));
    }
    let mut two = Two::new(json!({"title": "t", "place": {"city": "x"}}));
    let (ours, theirs) = (json!({"city": "A", "lines": ["a"]}), json!({"city": "B", "lines": ["b"]}));
    two.apart((2000, json!({"place": ours})), (2000, json!({"place": theirs})));
    resolve(&mut two.a, &two.id, "place.city", Value::Null).unwrap();
    resolve(&mut two.a, &two.id, "place.lines", json!(["a", "b"])).unwrap();
    two.meet();
    assert_eq!(two.shown()["place"], json!({"city": null, "zip": null, "lines": ["a", "b"]}));
    assert_eq!(values(&two.b, &two.id), []);
}

#[test]
fn what_cannot_be_settled_is_named_and_nothing_is_written() {
    let mut two = Two::new(json!({"title": "t", "room": "r"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    let before = two.a.committed();
    let mut said = |field: &str, value: Value| resolve(&mut two.a, &two.id, field, value).unwrap_err().to_string();
    assert!(said("room", json!("x")).contains("`room` of Event"), "one value stands there");
    assert!(said("titel", json!("x")).contains("title"), "a name that is nearly right");
    assert!(said("place", json!({})).contains("place.city"), "an embedded value as a whole");
    assert!(said("tags", json!([])).contains("never in conflict"));
    assert!(said("title", json!(3)).contains("title"), "a value of the wrong type");
    assert!(said("title", Value::Null).contains("required"));
    assert_eq!(two.a.committed(), before);
    let unknown = two.a.conflicts("Event", "0198c0de-0000-7000-8000-000000000000").unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { deleted: false, .. }), "{unknown}");
    two.a.write(4000, |tx| tx.delete("Event", &two.id)).unwrap();
    let deleted = two.a.conflicts("Event", &two.id).unwrap_err();
    assert!(matches!(deleted, StoreError::NotFound { deleted: true, .. }), "{deleted}");
}

#[test]
fn max_min_and_latest_choose_and_say_so() {
    let mut two = Two::new(json!({"title": "t", "best": 0, "least": 0.0, "last": ""}));
    two.apart(
        (5000, json!({"best": 9, "least": 9.5, "last": "later"})),
        (4000, json!({"best": 4, "least": -1.0, "last": "earlier"})),
    );
    let shown = two.shown();
    assert_eq!((&shown["best"], &shown["least"], &shown["last"]), (&json!(9), &json!(-1.0), &json!("later")));
    let rules: Vec<(String, Value)> = conflicts(&two.b, &two.id)
        .into_iter()
        .map(|one| {
            (serde_json::to_value(&one).unwrap()["rule"].as_str().unwrap().to_owned(), one.shown().unwrap().clone())
        })
        .collect();
    let expected = [("max", json!(9)), ("min", json!(-1.0)), ("latest", json!("later"))];
    assert_eq!(rules, expected.map(|(rule, value)| (rule.to_owned(), value)));
    // The column and whoever asks by it see the same.
    for store in [&two.a, &two.b] {
        let filter = |text: &str| Query { condition: where_text(text), ..Query::new("Event") };
        let reader = store.reader().unwrap();
        assert_eq!(reader.count(&filter("best = 9 AND least = -1.0 AND last = 'later'")).unwrap(), 1);
        assert_eq!(reader.count(&filter("best = 4 OR least = 9.5 OR last = 'earlier'")).unwrap(), 0);
    }
    // It is the greatest of the concurrent values, not a high-water mark.
    update(&mut two.b, &two.id, 6000, json!({"best": 3}));
    two.meet();
    assert_eq!(two.shown()["best"], 3);
    // Who saw only a part may still bring a smaller one back.
    two.apart((7000, json!({"best": 1})), (7000, json!({"best": 2})));
    assert_eq!(two.shown()["best"], 2);
}

fn where_text(text: &str) -> syncline_engine::query::Condition {
    syncline_engine::query::Condition::Where(text.to_owned())
}

/// A device whose clock stood in 2038 for a day writes, then the clock is set right and it writes again.
#[test]
fn a_clock_that_jumps_leaves_replicas_equal_and_the_newest_time_showing() {
    let mut two = Two::new(json!({"title": "t"}));
    let (now, ahead) = (1_800_000_000_000, 2_147_483_648_000);
    two.apart((ahead, json!({"last": "from the future"})), (now, json!({"last": "honest"})));
    assert_eq!(two.shown()["last"], "from the future");
    // A write that saw both stands alone, whatever its clock says.
    update(&mut two.a, &two.id, now + 1, json!({"last": "set right"}));
    two.meet();
    assert_eq!((two.shown()["last"].clone(), values(&two.b, &two.id)), (json!("set right"), vec![]));
    two.apart((1, json!({"last": "from the past", "title": "A"})), (now + 2, json!({"last": "honest", "title": "B"})));
    assert_eq!(two.shown()["last"], "honest");
    // Equal times: one of them, the same on both.
    two.apart((now + 3, json!({"last": "x"})), (now + 3, json!({"last": "y"})));
    assert!(values(&two.a, &two.id).iter().any(|(field, both)| field == "last" && both.len() == 2));
}

#[test]
fn the_note_of_conflicts_follows_deletion_undeletion_and_reopening() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    two.a.write(4000, |tx| tx.delete("Event", &two.id)).unwrap();
    assert_eq!(listed(&two.a), Vec::<String>::new());
    assert_verified(&two.a);
    two.a.write(4001, |tx| tx.undelete("Event", &two.id)).unwrap();
    assert_eq!(listed(&two.a), std::slice::from_ref(&two.id));
    two.a.close().unwrap();
    two.a = two.beds[0].open_with(Some(SDL));
    assert_eq!(listed(&two.a), std::slice::from_ref(&two.id));
    assert_verified(&two.a);
}

#[test]
fn commits_say_whether_conflicts_came_changed_or_went() {
    let mut two = Two::new(json!({"title": "t"}));
    let told = |store: &mut Store| -> Vec<(Origin, bool)> {
        let commits = store.take_commits();
        commits.iter().flat_map(|commit| &commit.changes).map(|change| (change.origin, change.conflicts)).collect()
    };
    update(&mut two.a, &two.id, 2000, json!({"title": "ours"}));
    update(&mut two.b, &two.id, 2000, json!({"title": "theirs"}));
    told(&mut two.a);
    exchange(&mut two.a, &mut two.b);
    assert_eq!(told(&mut two.a), [(Origin::Peer, true)], "it came");
    update(&mut two.a, &two.id, 3000, json!({"room": "r"}));
    assert_eq!(told(&mut two.a), [(Origin::Local, false)], "another field");
    update(&mut two.b, &two.id, 3000, json!({"title": "theirs again"}));
    exchange(&mut two.a, &mut two.b);
    assert_eq!(told(&mut two.a), [(Origin::Peer, true)], "other values");
    resolve(&mut two.a, &two.id, "title", json!("both")).unwrap();
    assert_eq!(told(&mut two.a), [(Origin::Local, true)], "it went");
}

#[test]
fn two_creates_of_one_key_conflict_in_the_fields_that_differ() {
    let mut beds = [Bed::new(1), Bed::new(2)];
    let [mut a, mut b] = beds.each_mut().map(|bed| bed.open_with(Some(SDL)));
    save(&mut a, 1000, "Seat", json!({"row": 1, "guest": "Ada"}));
    save(&mut b, 1000, "Seat", json!({"row": 1, "guest": "Bob"}));
    save(&mut a, 1000, "Seat", json!({"row": 2, "guest": "Eve"}));
    save(&mut b, 1000, "Seat", json!({"row": 2, "guest": "Eve"}));
    exchange(&mut a, &mut b);
    let page = a.conflicted(Some("Seat"), None, 10).unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
    assert_eq!((page.records[0].id.as_str(), page.records[0].conflicts[0].field.as_str()), (r#"{"row":1}"#, "guest"));
    assert_eq!(a.conflicted(Some("Event"), None, 10).unwrap().records, []);
    assert_verified(&a);
}

#[test]
fn conflicts_are_listed_page_by_page() {
    let mut beds = [Bed::new(1), Bed::new(2)];
    let [mut a, mut b] = beds.each_mut().map(|bed| bed.open_with(Some(SDL)));
    for row in 0..7 {
        save(&mut a, 1000, "Seat", json!({"row": row, "guest": "Ada"}));
        save(&mut b, 1000, "Seat", json!({"row": row, "guest": if row == 3 { "Ada" } else { "Bob" }}));
    }
    exchange(&mut a, &mut b);
    let (mut after, mut ids, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = a.conflicted(None, after, 4).unwrap();
        ids.extend(page.records.into_iter().map(|record| record.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((ids.len(), pages), (6, 2));
    assert!(!ids.contains(&r#"{"row":3}"#.to_owned()));
}

/// The note was added in format 2: files of format 1 had none, and programs of that time do not keep it.
#[test]
fn a_file_of_format_1_gets_its_notes_when_it_is_opened() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    two.a.close().unwrap();
    let file = two.beds[0].sql();
    file.execute_batch("DROP TABLE syncline_conflicts; DROP TABLE syncline_undo; PRAGMA user_version = 1;").unwrap();
    drop(file);
    two.a = two.beds[0].open_with(Some(SDL));
    assert_eq!(listed(&two.a), std::slice::from_ref(&two.id));
    assert_verified(&two.a);
    let format: i64 = two.beds[0].sql().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(format, 3);
}

#[test]
fn another_schema_makes_the_notes_anew() {
    let mut two = Two::new(json!({"title": "t", "room": "r"}));
    two.apart((2000, json!({"room": "ours"})), (3000, json!({"room": "theirs"})));
    two.a.close().unwrap();
    // The rule of the field changes, and another model goes.
    let newer = SDL
        .replace("room: String", "room: String @merge(with: max)")
        .replace("type Draft @model @local", "type Draft2 @model");
    two.a = two.beds[0].open_with(Some(&newer));
    assert_eq!(listed(&two.a), std::slice::from_ref(&two.id));
    assert_eq!(conflicts(&two.a, &two.id)[0].shown(), Some(&json!("theirs")));
    assert_verified(&two.a);
}

/// A field that an embedded type gained was shown only of records that were written again, and what stood in conflict
/// there was not noted.
#[test]
fn a_field_that_an_embedded_type_gains_shows_what_newer_replicas_wrote() {
    let older = SDL.replace("city: String zip: Int", "city: String");
    let mut beds = [Bed::new(1), Bed::new(2), Bed::new(3)];
    let mut old = beds[0].open_with(Some(&older));
    let (mut a, mut b) = (beds[1].open_with(Some(SDL)), beds[2].open_with(Some(SDL)));
    let id = id(&save(&mut a, 1000, "Event", json!({"title": "t", "place": {"city": "Bern"}})));
    exchange(&mut b, &mut a);
    update(&mut a, &id, 2000, json!({"place": {"zip": 1}}));
    update(&mut b, &id, 3000, json!({"place": {"zip": 2}}));
    exchange(&mut a, &mut b);
    exchange(&mut old, &mut a);
    assert_eq!(listed(&old), Vec::<String>::new(), "what a schema lacks is nothing to alert of");
    old.close().unwrap();
    old = beds[0].open_with(Some(SDL));
    let seen = |store: &Store| store.reader().unwrap().query(&Query::new("Event")).unwrap().records;
    assert_eq!(seen(&old), seen(&a));
    assert_eq!(listed(&old), [id]);
    assert_verified(&old);
}

#[test]
fn a_damaged_record_is_left_out_of_the_list() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    let spoil = "UPDATE syncline_records SET state = x'00'; UPDATE syncline_log SET bytes = x'00'";
    two.beds[0].sql().execute_batch(spoil).unwrap();
    let page = two.a.conflicted(None, None, 10).unwrap();
    assert_eq!((page.records, page.next), (Vec::new(), None));
    assert!(two.a.conflicts("Event", &two.id).is_err());
}

#[test]
fn the_conflicts_of_a_renamed_model_are_found_under_its_new_name() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    two.a.close().unwrap();
    let newer = SDL
        .replace("type Event @model", "type Meeting @model @renamed(from: \"Event\")")
        .replace("title: String!\n  room", "name: String! @renamed(from: \"title\")\n  room");
    two.a = two.beds[0].open_with(Some(&newer));
    let page = two.a.conflicted(Some("Meeting"), None, 10).unwrap();
    let found = &page.records[0];
    let facts = (found.model.as_str(), &found.id, found.conflicts[0].field.as_str(), found.conflicts[0].values.len());
    assert_eq!(facts, ("Meeting", &two.id, "name", 2));
    two.a.write(4000, |tx| tx.single(|tx| tx.resolve("Meeting", &two.id, "name", &json!("both")))).unwrap();
    assert_eq!(listed(&two.a), Vec::<String>::new());
    assert_verified(&two.a);
}

#[test]
fn verify_finds_notes_that_are_wrong() {
    let mut two = Two::new(json!({"title": "t"}));
    two.apart((2000, json!({"title": "ours"})), (3000, json!({"title": "theirs"})));
    let verdict = |two: &Two, sql: &str| {
        two.beds[0].sql().execute_batch(sql).unwrap();
        two.a.verify().unwrap().faults
    };
    assert!(verdict(&two, "UPDATE syncline_conflicts SET mark = mark + 1")[0].contains("conflicts"));
    assert!(verdict(&two, "DELETE FROM syncline_conflicts")[0].contains("conflicts"));
    let stray = "INSERT INTO syncline_conflicts(record, model, mark) VALUES(99, 1, 1)";
    assert!(verdict(&two, stray).iter().any(|fault| fault.contains("record 99")));
}

#[test]
fn what_a_commit_without_conflicts_writes_touches_no_note() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    let saved = save(&mut store, 1000, "Event", json!({"title": "t"}));
    for n in 0..20 {
        update(&mut store, &id(&saved), 2000 + n, json!({"title": n.to_string()}));
    }
    let notes: i64 = bed.sql().query_row("SELECT count(*) FROM syncline_conflicts", [], |row| row.get(0)).unwrap();
    assert_eq!(notes, 0);
    let draft = save(&mut store, 3000, "Draft", json!({"title": "local"}));
    assert_eq!(store.conflicts("Draft", &id(&draft)).unwrap(), []);
}
