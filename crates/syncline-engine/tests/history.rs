//! What a record's changes did, field by field, and records as they were.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use common::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_core::record::{At, ChangeEffect};
use syncline_core::rich::Mark;
use syncline_core::session::SessionStore as _;
use syncline_engine::{HistoryEntry, Result, Store, StoreError, Tx};

const SDL: &str = r#"
type Note @model {
  id: ID!
  title: String
  place: Place
  votes: Int @counter
  tags: [String] @set
  steps: [String]
  body: String @text(rich: true)
}
type Page @model { name: String! @primaryKey body: String @text rank: Int }
type Sticky @model @local { id: ID! title: String }
type Place { city: String zip: Int }
"#;

/// A store, and its clock.
struct Desk {
    bed: Bed,
    store: Store,
}

impl Desk {
    fn new(seed: u8) -> Self {
        let mut bed = Bed::new(seed);
        let store = bed.open_with(Some(SDL));
        Self { bed, store }
    }

    fn write<T>(&mut self, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.single(act))
    }

    fn new_note(&mut self, record: Value) -> String {
        let now = self.bed.tick();
        id(&save(&mut self.store, now, "Note", record))
    }

    fn update(&mut self, id: &str, patch: Value) {
        self.write(|tx| tx.update("Note", id, &map(patch))).unwrap();
    }

    fn history(&self, id: &str) -> Vec<HistoryEntry> {
        self.store.reader().unwrap().history("Note", id, u64::MAX).unwrap()
    }

    /// What each change did.
    fn did(&self, id: &str) -> Vec<Value> {
        self.history(id).iter().map(|entry| serde_json::to_value(&entry.did).unwrap()).collect()
    }

    fn at(&self, model: &str, id: &str, at: &At) -> Result<Option<Map<String, Value>>> {
        self.store.reader().unwrap().record_at(model, id, at)
    }

    fn shows(&mut self, id: &str) -> Option<Map<String, Value>> {
        get(&mut self.store, "Note", id)
    }
}

fn exchange(to: &mut Desk, from: &mut Desk) {
    let known = from.store.genesis_for(&["Note", "Page"]).unwrap();
    to.store.learn_genesis(&known).unwrap();
    let rows = rows(&mut from.store, 0);
    apply(&mut to.store, &rows);
}

#[test]
fn each_change_is_told_field_by_field() {
    let mut desk = Desk::new(1);
    let id = desk.new_note(json!({"title": "t", "body": "one two", "steps": ["a"], "tags": ["x"], "votes": 1}));
    desk.update(&id, json!({"title": "u", "place": {"city": "Bern"}}));
    desk.update(&id, json!({"title": null}));
    desk.write(|tx| tx.increment("Note", &id, "votes", -3)).unwrap();
    desk.update(&id, json!({"tags": ["y", "z"]}));
    desk.write(|tx| tx.splice("Note", &id, "body", 4, 3, "drei ß")).unwrap();
    desk.update(&id, json!({"steps": ["b", "a", "c"]}));
    desk.write(|tx| tx.mark("Note", &id, "body", 0..3, Mark::new("bold", true))).unwrap();
    desk.update(&id, json!({"place": null, "body": null}));
    desk.write(|tx| tx.delete("Note", &id)).unwrap();
    desk.write(|tx| tx.undelete("Note", &id)).unwrap();
    let did = desk.did(&id);
    let created = did[0].as_array().unwrap();
    assert_eq!(created[0], json!({"did": "created"}));
    for effect in [
        json!({"did": "set", "field": "title", "before": null, "after": "t"}),
        json!({"did": "counted", "field": "votes", "by": 1}),
        json!({"did": "added", "field": "tags", "elements": ["x"]}),
        json!({"did": "text", "field": "body", "edits": [{"at": 0, "removed": "", "inserted": "one two"}]}),
        json!({"did": "list", "field": "steps", "edits": [{"at": 0, "removed": [], "inserted": ["a"]}]}),
    ] {
        assert!(created.contains(&effect), "{effect} in {created:?}");
    }
    let expected = [
        json!([
            {"did": "set", "field": "title", "before": "t", "after": "u"},
            {"did": "set", "field": "place.city", "before": null, "after": "Bern"},
        ]),
        json!([{"did": "set", "field": "title", "before": "u", "after": null}]),
        json!([{"did": "counted", "field": "votes", "by": -3}]),
        json!([
            {"did": "added", "field": "tags", "elements": ["y", "z"]},
            {"did": "removed", "field": "tags", "elements": ["x"]},
        ]),
        json!([{"did": "text", "field": "body", "edits": [{"at": 4, "removed": "two", "inserted": "drei ß"}]}]),
        json!([{"did": "list", "field": "steps", "edits": [
            {"at": 0, "removed": [], "inserted": ["b"]},
            {"at": 2, "removed": [], "inserted": ["c"]},
        ]}]),
        json!([{"did": "marked", "field": "body", "marks": [{"name": "bold", "value": true}]}]),
    ];
    for (at, expected) in expected.iter().enumerate() {
        let mut told = did[at + 1].as_array().unwrap().clone();
        told.sort_by_key(|effect| effect["did"] == "removed");
        assert_eq!(&Value::Array(told), expected, "change {}", at + 1);
    }
    let nulled: Vec<&str> = did[8].as_array().unwrap().iter().map(|effect| effect["field"].as_str().unwrap()).collect();
    assert!(nulled.contains(&"body") && nulled.iter().any(|field| field.starts_with("place")), "{:?}", did[8]);
    assert_eq!((&did[9], &did[10]), (&json!([{"did": "deleted"}]), &json!([{"did": "undeleted"}])));
    let entries = desk.history(&id);
    assert!(entries.iter().all(|entry| entry.mine && entry.kind == "applied" && entry.note.is_none()));
    assert_eq!((entries[3].counter, entries[3].time_ms), (4, 1_800_000_000_004));
}

#[test]
fn writers_that_did_not_know_of_each_other_are_named_and_joined() {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let id = a.new_note(json!({"title": "t"}));
    exchange(&mut b, &mut a);
    a.update(&id, json!({"title": "ours"}));
    b.update(&id, json!({"title": "theirs"}));
    exchange(&mut a, &mut b);
    let (ours, theirs) = (a.store.replica().unwrap(), b.store.replica().unwrap());
    let told = a.history(&id);
    assert_eq!(told[2].concurrent_with, [format!("{ours}:2")]);
    assert_eq!((told[2].replica.clone(), told[2].mine, told[1].mine), (theirs.to_string(), false, true));
    a.write(|tx| tx.resolve("Note", &id, "title", &json!("theirs"))).unwrap();
    let settled = a.history(&id).pop().unwrap();
    assert_eq!((settled.joins.len(), &settled.concurrent_with), (2, &Vec::new()));
    assert!(settled.joins.contains(&format!("{theirs}:1")) && settled.joins.contains(&format!("{ours}:2")));
    // What a writer saw before him is what he changed, whatever else had been written by then.
    let before = &a.did(&id)[2][0]["before"];
    assert_eq!(before, "t");
    exchange(&mut b, &mut a);
    assert_eq!(b.history(&id).len(), 4);
    let kept = &b.did(&id)[3][0];
    assert!(kept["did"] == "settled" || kept["did"] == "set", "{kept}");
}

/// Each change named all the others, which are as many as there are devices.
#[test]
fn a_change_beside_very_many_names_the_last_of_them() {
    let mut hub = Desk::new(1);
    let id = hub.new_note(json!({"title": "t"}));
    let mut devices: Vec<Desk> = (2..42).map(Desk::new).collect();
    for device in &mut devices {
        exchange(device, &mut hub);
    }
    for (n, device) in devices.iter_mut().enumerate() {
        device.update(&id, json!({"title": n.to_string()}));
        exchange(&mut hub, device);
    }
    let history = hub.history(&id);
    let named = |entry: &HistoryEntry| format!("{}:{}", entry.replica, entry.counter);
    let before: Vec<String> = history[history.len() - 33..history.len() - 1].iter().map(named).collect();
    assert_eq!(history.last().unwrap().concurrent_with, before);
    assert_eq!(history[3].concurrent_with, [named(&history[1]), named(&history[2])]);
}

#[test]
fn a_field_has_a_history_of_its_own() {
    let mut desk = Desk::new(1);
    let id = desk.new_note(json!({"title": "t", "body": "b"}));
    desk.update(&id, json!({"title": "u", "votes": 2}));
    desk.update(&id, json!({"place": {"city": "Bern"}}));
    desk.update(&id, json!({"place": {"zip": 3000}}));
    desk.update(&id, json!({"title": "v"}));
    let reader = desk.store.reader().unwrap();
    let of = |field: &str| -> Vec<Value> {
        let entries = reader.field_history("Note", &id, field, u64::MAX).unwrap();
        entries.iter().map(|entry| serde_json::to_value(&entry.did).unwrap()).collect()
    };
    let after: Vec<Value> = of("title").iter().map(|did| did[0]["after"].clone()).collect();
    assert_eq!(after, ["t", "u", "v"]);
    assert_eq!((of("place").len(), of("place.city").len(), of("place.zip").len()), (2, 1, 1));
    assert_eq!(of("tags"), Vec::<Value>::new());
    let newest = reader.field_history("Note", &id, "title", 1).unwrap();
    assert_eq!(serde_json::to_value(&newest[0].did).unwrap()[0]["after"], "v");
    for (field, cure) in [("titel", "title"), ("place.town", "city"), ("title.x", "title.x")] {
        let said = reader.field_history("Note", &id, field, 1).unwrap_err().to_string();
        assert!(said.contains(cure), "{field}: {said}");
    }
}

#[test]
fn the_newest_changes_of_all_records_are_told_in_the_order_of_the_log() {
    let mut desk = Desk::new(1);
    let first = desk.new_note(json!({"title": "1"}));
    let sticky = desk.bed.tick();
    let sticky = id(&save(&mut desk.store, sticky, "Sticky", json!({"title": "local"})));
    let second = desk.new_note(json!({"title": "2"}));
    desk.update(&first, json!({"title": "3"}));
    let recent = desk.store.reader().unwrap().recent(3).unwrap();
    let told: Vec<(&str, &str)> = recent.iter().map(|entry| (entry.model.as_str(), entry.id.as_str())).collect();
    assert_eq!(told, [("Sticky", sticky.as_str()), ("Note", &second), ("Note", &first)]);
    let local = &recent[0];
    assert_eq!((local.kind, local.replica.as_str(), local.counter, local.mine), ("local", "", 0, true));
}

#[test]
fn moments_are_found_by_time_change_and_token_and_what_cannot_be_told_is_said() {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let id = a.new_note(json!({"title": "one", "steps": ["x"]}));
    a.update(&id, json!({"title": "two", "steps": ["x", "y"]}));
    a.write(|tx| tx.delete("Note", &id)).unwrap();
    let told = a.history(&id);
    let title = |at: &str| -> Option<Value> {
        let at: At = at.parse().unwrap();
        a.at("Note", &id, &at).unwrap().map(|record| json!([record["title"], record["steps"]]))
    };
    let (one, two) = (json!(["one", ["x"]]), json!(["two", ["x", "y"]]));
    assert_eq!(title(&told[0].time_ms.to_string()), Some(one.clone()));
    assert_eq!(title(&told[1].time_ms.to_string()), Some(two.clone()));
    assert_eq!(title(&(told[0].time_ms - 1).to_string()), None);
    assert_eq!(title(&format!("{}:2", &told[1].replica[..8])), Some(two));
    assert_eq!(title(&told[0].hash[..12]), Some(one));
    assert_eq!(title(&told[2].hash), None, "it was deleted");
    let refused = |desk: &Desk, at: At| {
        let error = desk.at("Note", &id, &at).unwrap_err();
        assert!(matches!(error, StoreError::UnknownMoment(_)), "{error}");
        error.to_string()
    };
    assert!(refused(&a, "abcdef01:9".parse().unwrap()).contains("abcdef01:9"));
    exchange(&mut b, &mut a);
    b.new_note(json!({"title": "another"}));
    assert!(refused(&a, At::Token(b.store.token())).contains("sync"));
    let elsewhere = syncline_core::vector::Token::new("other", []);
    assert!(refused(&a, At::Token(elsewhere)).contains("namespace"));
}

/// Initial texts of records with a custom key are changes without a time: replicas that write the same make the same.
#[test]
fn an_initial_text_is_not_there_before_its_writer_was() {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let page = |desk: &mut Desk, now: i64, body: &str| {
        save(&mut desk.store, now, "Page", json!({"name": "p", "body": body}));
        At::Token(desk.store.token())
    };
    let first = page(&mut a, 1000, "first");
    let second = page(&mut b, 2000, "second");
    exchange(&mut a, &mut b);
    let body = |at: &At| a.at("Page", "p", at).unwrap().map(|page| page["body"].clone());
    assert_eq!((body(&At::Time(999)), body(&At::Time(1000))), (None, Some(json!("first"))));
    assert_eq!((body(&first), body(&second)), (Some(json!("first")), Some(json!("second"))));
    let both = body(&At::Time(2000)).unwrap();
    assert!(both.as_str().unwrap().contains("first") && both.as_str().unwrap().contains("second"), "{both}");
}

/// One row of the log is damaged on disk; the rest of the record's history is told all the same.
#[test]
fn a_damaged_change_hides_only_itself_and_what_builds_on_it() {
    let (mut a, mut b) = (Desk::new(1), Desk::new(2));
    let id = a.new_note(json!({"title": "t"}));
    exchange(&mut b, &mut a);
    a.update(&id, json!({"title": "ours"}));
    b.update(&id, json!({"votes": 1}));
    exchange(&mut a, &mut b);
    let rows = a.history(&id);
    let sql = a.bed.sql();
    sql.execute("UPDATE syncline_log SET bytes = zeroblob(length(bytes)) WHERE seq = ?1", [rows[1].seq as i64])
        .unwrap();
    let told = a.history(&id);
    assert_eq!(told.len(), rows.len());
    assert!(told[1].did.is_empty() && told[1].note.as_ref().unwrap().contains("damaged"), "{:?}", told[1]);
    assert_eq!((&told[0].did, &told[2].did), (&rows[0].did, &rows[2].did));
}

#[derive(Clone, Debug)]
enum Step {
    Title(u8),
    City(Option<u8>),
    Votes(i8),
    Tag(u8, bool),
    Body(u8, u8, u8),
    NoBody,
    Steps(Vec<u8>),
    Delete,
    Undelete,
    Page(u8),
    Exchange,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Step::Title),
        2 => prop::option::of(0..3_u8).prop_map(Step::City),
        2 => (-2..3_i8).prop_map(Step::Votes),
        2 => (0..3_u8, any::<bool>()).prop_map(|(tag, add)| Step::Tag(tag, add)),
        4 => (any::<u8>(), 0..4_u8, 0..4_u8).prop_map(|(at, delete, insert)| Step::Body(at, delete, insert)),
        1 => Just(Step::NoBody),
        2 => prop::collection::vec(0..4_u8, 0..4).prop_map(Step::Steps),
        1 => Just(Step::Delete),
        1 => Just(Step::Undelete),
        2 => (0..4_u8).prop_map(Step::Page),
        4 => Just(Step::Exchange),
    ]
}

/// Does a step; what does not apply does nothing.
fn perform(desk: &mut Desk, id: &str, step: &Step) {
    let length = desk.shows(id).map_or(0, |note| note["body"].as_str().unwrap_or_default().chars().count());
    let _ = desk.write(|tx| {
        let mut patch = |patch: Value| tx.update("Note", id, &map(patch));
        match step {
            Step::Title(n) => patch(json!({"title": n.to_string()})),
            Step::City(city) => patch(json!({"place": {"city": city.map(|n| n.to_string())}})),
            Step::NoBody => patch(json!({"body": null})),
            Step::Steps(steps) => patch(json!({"steps": steps.iter().map(u8::to_string).collect::<Vec<_>>()})),
            Step::Votes(by) => tx.increment("Note", id, "votes", i64::from(*by)),
            Step::Tag(tag, true) => tx.add("Note", id, "tags", &json!(tag.to_string())),
            Step::Tag(tag, false) => tx.remove("Note", id, "tags", &json!(tag.to_string())),
            Step::Body(at, delete, insert) => {
                let at = usize::from(*at) % (length + 1);
                let text = &"añ😀z"[..[0, 1, 3, 7][usize::from(*insert)]];
                tx.splice("Note", id, "body", at, usize::from(*delete).min(length - at), text)
            }
            Step::Delete => tx.delete("Note", id),
            Step::Undelete => tx.undelete("Note", id),
            Step::Page(n) => {
                let page = json!({"name": "p", "rank": n, "body": "p".repeat(usize::from(*n))});
                tx.save("Page", &map(page), syncline_engine::Source::App)
            }
            Step::Exchange => unreachable!("it is no write"),
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_record_at_a_token_is_what_the_store_showed_then_on_every_replica(
        steps in prop::collection::vec((any::<bool>(), step()), 1..24),
    ) {
        let (mut a, mut b) = (Desk::new(1), Desk::new(2));
        let id = a.new_note(json!({"title": "t", "body": "start", "steps": ["s"]}));
        exchange(&mut b, &mut a);
        let mut seen = Vec::new();
        for (ours, step) in &steps {
            let (desk, other) = if *ours { (&mut a, &mut b) } else { (&mut b, &mut a) };
            if matches!(step, Step::Exchange) {
                exchange(desk, other);
            } else {
                perform(desk, &id, step);
            }
            let page = get(&mut desk.store, "Page", "p");
            seen.push((At::Token(desk.store.token()), desk.shows(&id), page));
        }
        exchange(&mut a, &mut b);
        exchange(&mut b, &mut a);
        for desk in [&a, &b] {
            for (at, note, page) in &seen {
                prop_assert_eq!(&desk.at("Note", &id, at).unwrap(), note);
                match desk.at("Page", "p", at) {
                    Ok(found) => prop_assert_eq!(&found, page),
                    // Nobody ever saved it.
                    Err(StoreError::NotFound { .. }) => prop_assert!(page.is_none()),
                    Err(other) => panic!("{other}"),
                }
            }
        }
        // What the histories tell of a counter adds up to what it shows.
        let told = a.history(&id);
        let counted = |effect: &ChangeEffect| {
            let ChangeEffect::Counted { field, by } = effect else { return 0 };
            if field == "votes" { *by } else { 0 }
        };
        let counted: i64 = told.iter().flat_map(|entry| &entry.did).map(counted).sum();
        if let Some(note) = a.shows(&id) {
            prop_assert_eq!(&note["votes"], counted);
        }
    }
}
