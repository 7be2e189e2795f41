//! Which edits a save, a patch or a delete is, and what concurrent ones become.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use automerge::ScalarValue;
use automerge::legacy::OpType;
use record_support::{Replica, object, schema};
use serde_json::{Value, json};
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};
use syncline_core::record::{NewRecord, RecordKey, create_edits};
use syncline_schema::Schema;

fn faults(schema: &Schema, model: &str, record: Value) -> Vec<(String, String)> {
    let model = schema.model(model).unwrap();
    let invalid = NewRecord::check(schema, model, &object(record)).unwrap_err();
    invalid.fields.into_iter().map(|fault| (fault.field, fault.message)).collect()
}

fn created(schema: &Schema, model: &str, record: Value) -> Edits {
    let model = schema.model(model).unwrap();
    create_edits(schema, model, &NewRecord::check(schema, model, &object(record)).unwrap())
}

fn put(key: &str, value: impl Into<ScalarValue>) -> RootEdit {
    RootEdit::Put(key.to_owned(), value.into())
}

#[test]
fn every_bad_field_is_named_at_once_with_its_place() {
    let faults = faults(
        &schema(),
        "Todo",
        json!({
            "titel": "x", "priority": 1.5, "status": "OPNE", "due": "2023-02-29", "tags": ["a", null, 3],
            "address": {"ctiy": "x", "zip": "y", "geo": {"lat": true}}, "votes": 1_i64 << 60,
        }),
    );
    let places: Vec<&str> = faults.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "titel",
            "title",
            "priority",
            "due",
            "status",
            "votes",
            "address.ctiy",
            "address.zip",
            "address.geo.lat",
            "tags[1]",
            "tags[2]"
        ]
    );
    assert_eq!(faults[0].1, "there is no such field; did you mean `title`?");
    assert_eq!(faults[1].1, "it is required and has no value");
    assert!(faults[4].1.contains("did you mean `OPEN`?"), "{}", faults[4].1);
    assert!(faults[6].1.contains("did you mean `city`?"), "{}", faults[6].1);
}

#[test]
fn a_record_too_long_for_one_change_names_its_longest_field() {
    let long = "x".repeat(7 << 20);
    let faults = faults(&schema(), "Todo", json!({"title": "t", "last": long}));
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].0, "last");
}

#[test]
fn a_generated_id_leaves_out_what_is_absent_and_makes_every_object() {
    let schema = schema();
    let todo = created(&schema, "Todo", json!({"title": "t", "votes": 5, "tags": ["a"]}));
    assert_eq!(
        todo.root,
        [
            RootEdit::Toggle("~live".into()),
            put("title", "t"),
            put("priority", 3),
            put("votes", ScalarValue::counter(0)),
            RootEdit::Increment("votes".into(), 5),
            RootEdit::Toggle("tags/a".into()),
        ]
    );
    let note = created(&schema, "Note", json!({"head": "h", "items": []}));
    assert_eq!(note.root[1..], [RootEdit::Toggle("~null/body".into()), RootEdit::Toggle("~null/blobs".into())]);
    assert_eq!(
        note.objects,
        [
            ObjectEdit::Make("body".into(), ObjectKind::Text),
            ObjectEdit::Make("head".into(), ObjectKind::Text),
            ObjectEdit::SetText("head".into(), "h".into()),
            ObjectEdit::Make("items".into(), ObjectKind::List),
            ObjectEdit::Make("blobs".into(), ObjectKind::List),
        ]
    );
}

#[test]
fn a_shared_key_puts_every_scalar_before_anything_that_varies_and_makes_no_object() {
    let schema = schema();
    let edits = created(
        &schema,
        "Seat",
        json!({"room": "A", "number": 1, "title": "t", "tags": ["x"], "votes": 2, "address": {}}),
    );
    let scalars = edits.root.iter().skip(1).take_while(|edit| matches!(edit, RootEdit::Put(..))).count();
    assert_eq!(scalars, 20, "2 of the key, 12 of the record, 5 of the address, the imported time of creation");
    assert_eq!(edits.root[0], RootEdit::Toggle("~live".into()));
    let rest = [
        RootEdit::Increment("votes".into(), 2),
        RootEdit::Toggle("~some/address".into()),
        RootEdit::Toggle("tags/x".into()),
    ];
    assert_eq!(edits.root[21..], rest);
    let page = created(&schema, "Page", json!({"room": "A", "head": "", "body": "", "blobs": [{"a": 1}, "2"]}));
    assert_eq!(page.root[3..], [RootEdit::Toggle("~some/body".into())]);
    assert_eq!(page.objects, [ObjectEdit::SetList("blobs".into(), vec![json!("{\"a\":1}"), json!("2")])]);
}

#[test]
fn an_id_made_for_the_model_is_the_record_id_and_another_id_stands_in_the_document() {
    let schema = schema();
    let (todo, page) = (schema.model("Todo").unwrap(), schema.model("Page").unwrap());
    let uuid = uuid::Uuid::try_parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    let made = RecordKey::generate(todo, uuid);
    let id = uuid::Uuid::from_bytes(made.0).hyphenated().to_string();
    assert_eq!((id.len(), &id[..29]), (36, "01890a5d-ac96-774b-bcce-b3020"));
    let mut replica = Replica::new(&schema, "Todo", 1);
    replica.create(json!({"id": id, "title": "t"}), 0);
    assert_eq!((replica.record, &replica.shows().unwrap()["id"]), (made, &json!(id)));
    assert!(replica.state.visible("id").is_empty());
    let mut other = Replica::new(&schema, "Todo", 1);
    other.create(json!({"id": "my own", "title": "t"}), 0);
    assert_eq!(other.shows().unwrap()["id"], "my own");
    assert_eq!(other.record, RecordKey::Text("my own".into()).record_id(other.model));
    assert_eq!(RecordKey::from_id(todo, &id.to_uppercase()), RecordKey::Text(id.to_uppercase()));
    let text = RecordKey::from_id(page, &id);
    assert_eq!((&text, text.candidates(page).last()), (&RecordKey::Text(id.clone()), Some(made)));
    assert_ne!(text.record_id(page), made, "the same id in another model is another record");
    assert_eq!(RecordKey::from_id(todo, &uuid.to_string()), RecordKey::Text(uuid.to_string()));
    assert_eq!(faults(&schema, "Todo", json!({"id": "", "title": "t"}))[0].0, "id");
}

#[test]
fn keys_are_read_as_id_as_object_and_as_plain_value() {
    let schema = schema();
    let seat = schema.model("Seat").unwrap();
    let key = RecordKey::parse(&schema, seat, r#"{"number": 4, "room": "A"}"#).unwrap();
    assert_eq!(key, RecordKey::Fields(vec![json!("A"), json!(4)]));
    for bad in [
        "A",
        r#"{"room": "A"}"#,
        r#"{"room": "", "number": 4}"#,
        r#"{"room": "A", "number": "4"}"#,
        r#"{"room": "A", "number": 4, "title": ""}"#,
    ] {
        assert!(RecordKey::parse(&schema, seat, bad).is_err(), "{bad}");
    }
    let page = schema.model("Page").unwrap();
    assert_eq!(RecordKey::parse(&schema, page, "17").unwrap(), RecordKey::Fields(vec![json!("17")]));
    let todo = schema.model("Todo").unwrap();
    assert_eq!(RecordKey::in_record(&schema, todo, &object(json!({"title": "x"}))), Ok(None));
    assert!(RecordKey::parse(&schema, todo, "").is_err());
}

#[test]
fn a_key_cannot_change_and_may_be_repeated() {
    let schema = schema();
    let mut seat = Replica::new(&schema, "Seat", 1);
    seat.create(json!({"room": "A", "number": 1, "title": "t"}), 0);
    assert_eq!(seat.view().update(&object(json!({"room": "A"}))), Ok(Edits::default()));
    let invalid = seat.view().update(&object(json!({"room": "B", "title": null}))).unwrap_err();
    let places: Vec<&str> = invalid.fields.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(places, ["room", "title"]);
}

#[test]
fn times_derive_from_changes_unless_creation_is_imported() {
    let schema = schema();
    let mut todo = Replica::new(&schema, "Todo", 1);
    todo.create(json!({"title": "t", "createdAt": "2001-02-03T04:05:06Z", "updatedAt": "2002-01-01T00:00Z"}), 5000);
    todo.update(json!({"title": "u"}), 7000);
    assert_eq!(todo.field("createdAt"), "2001-02-03T04:05:06Z");
    assert_eq!(todo.field("updatedAt"), "1970-01-01T00:00:07.000Z");
    assert!(todo.state.visible("updatedAt").is_empty());
    let repeated = todo.shows().unwrap();
    assert_eq!(todo.update(repeated, 9000), None, "a record saved as it was read changes nothing");
}

#[test]
fn an_embedded_patch_keeps_the_fields_that_it_does_not_name() {
    let schema = schema();
    let mut todo = Replica::new(&schema, "Todo", 1);
    todo.create(json!({"title": "t", "address": {"city": "Rome", "lines": ["a", "b"]}}), 0);
    todo.update(json!({"address": {"zip": 5, "geo": {}}}), 1);
    assert_eq!(
        todo.field("address"),
        json!({"city": "Rome", "zip": 5, "lines": ["a", "b"], "geo": {"lat": null, "lon": null}})
    );
    todo.update(json!({"address": {"lines": [], "geo": null}}), 1);
    assert_eq!(todo.field("address"), json!({"city": "Rome", "zip": 5, "lines": [], "geo": null}));
    let mut other = todo.fork(2);
    let cleared = todo.update(json!({"address": null}), 2).unwrap();
    assert_eq!(todo.field("address"), Value::Null);
    let edited = other.update(json!({"address": {"city": "Bern"}}), 2).unwrap();
    todo.state.apply(&edited);
    other.state.apply(&cleared);
    assert_eq!(todo.shows(), other.shows());
    assert_eq!(todo.field("address")["city"], "Bern", "a concurrent edit is not hidden by a null");
}

#[test]
fn an_add_beats_a_concurrent_remove_and_a_whole_save_touches_only_the_difference() {
    let schema = schema();
    let mut left = Replica::new(&schema, "Todo", 1);
    left.create(json!({"title": "t", "tags": ["a", "b"]}), 0);
    let mut right = left.fork(2);
    let removed = left.update(json!({"tags": ["b", "c"]}), 1).unwrap();
    let edits = right.view().add("tags", &json!("a")).unwrap();
    let added = right.write(&edits, 1).unwrap();
    left.state.apply(&added);
    right.state.apply(&removed);
    assert_eq!(left.field("tags"), json!(["a", "b", "c"]));
    assert_eq!(right.field("tags"), json!(["a", "b", "c"]));
    let edits = right.view().remove("tags", &json!("nothing")).unwrap();
    assert_eq!(edits, Edits::default());
    assert!(right.view().add("tags", &Value::Null).is_err());
}

#[test]
fn a_delete_beats_an_edit_unless_the_model_says_otherwise() {
    let schema = schema();
    for (model, survives) in [("Todo", false), ("Sticky", true)] {
        let mut left = Replica::new(&schema, model, 1);
        left.create(json!({"title": "t"}), 0);
        let mut right = left.fork(2);
        let edits = left.view().delete();
        let deleted = left.write(&edits, 1).unwrap();
        let edited = right.update(json!({"title": "u"}), 1).unwrap();
        left.state.apply(&edited);
        right.state.apply(&deleted);
        assert_eq!(left.view().is_live(), survives, "{model}");
        assert_eq!(left.shows(), right.shows());
        assert_eq!(left.field("title"), "u", "the edit is kept either way");
        let edits = left.view().undelete();
        left.write(&edits, 2);
        assert_eq!(left.shows().unwrap()["title"], "u");
    }
}

#[test]
fn concurrent_values_merge_as_the_field_says() {
    let schema = schema();
    let mut left = Replica::new(&schema, "Todo", 1);
    left.create(json!({"title": "t"}), 0);
    let mut right = left.fork(2);
    let first = left.update(json!({"best": 9, "least": 1.5, "last": "late", "title": "left"}), 500).unwrap();
    let second = right.update(json!({"best": 4, "least": 2.5, "last": "early", "title": "right"}), 400).unwrap();
    left.state.apply(&second);
    right.state.apply(&first);
    for replica in [&left, &right] {
        assert_eq!(replica.field("best"), 9);
        assert_eq!(replica.field("least"), 1.5);
        assert_eq!(replica.field("last"), "late");
        assert_eq!(replica.field("title"), "right", "the greater actor");
    }
}

#[test]
fn increments_add_up_and_setting_a_counter_is_an_increment() {
    let schema = schema();
    let mut left = Replica::new(&schema, "Todo", 1);
    left.create(json!({"title": "t", "votes": 10}), 0);
    let mut right = left.fork(2);
    let edits = left.view().increment("votes", 5).unwrap();
    let first = left.write(&edits, 1).unwrap();
    let second = right.update(json!({"votes": 8}), 1).unwrap();
    left.state.apply(&second);
    right.state.apply(&first);
    assert_eq!(left.field("votes"), 13);
    assert_eq!(right.field("votes"), 13);
    assert!(left.view().increment("votes", i64::MAX).is_err());
    assert!(left.view().update(&object(json!({"votes": null}))).is_err());
    let unknown = left.view().increment("vtoes", 1).unwrap_err().to_string();
    assert!(unknown.contains("did you mean `votes`?"), "{unknown}");
    assert!(left.view().increment("title", 1).unwrap_err().to_string().contains("not a counter"));
}

/// Counts made apart may add up beyond the range of counters. Setting such a counter changed nothing, and it refused to
/// be counted back.
#[test]
fn a_counter_whose_sum_left_the_range_can_be_counted_back_and_set() {
    let schema = schema();
    let max = syncline_core::change::MAX_COUNTER;
    let mut left = Replica::new(&schema, "Todo", 1);
    left.create(json!({"title": "t", "votes": 10}), 0);
    let mut right = left.fork(2);
    left.update(json!({"votes": max}), 1).unwrap();
    let other = right.update(json!({"votes": max}), 1).unwrap();
    left.state.apply(&other);
    assert_eq!(left.field("votes"), max, "the sum is out of range by this minus 10");
    assert!(left.view().increment("votes", 1).is_err());
    let back = left.view().increment("votes", -1).unwrap();
    left.write(&back, 2).unwrap();
    assert_eq!(left.field("votes"), max);
    left.update(json!({"votes": 3}), 3).unwrap();
    assert_eq!(left.field("votes"), 3);
}

#[test]
fn a_counter_added_to_the_schema_later_starts_at_zero() {
    let schema = schema();
    let mut todo = Replica::new(&schema, "Todo", 1);
    todo.create(json!({"title": "t"}), 0);
    todo.state.keys.remove("votes");
    assert_eq!(todo.field("votes"), 0);
    let edits = todo.view().increment("votes", 2).unwrap();
    assert_eq!(edits.root, [put("votes", ScalarValue::counter(0)), RootEdit::Increment("votes".into(), 2)]);
}

#[test]
fn values_that_the_schema_does_not_know_are_shown_as_they_are() {
    let schema = schema();
    let mut todo = Replica::new(&schema, "Todo", 1);
    todo.create(json!({"title": "t"}), 0);
    let strange = |key: &str, value: ScalarValue| RootEdit::Put(key.into(), value);
    let edits = Edits {
        root: vec![
            strange("status", "LATER".into()),
            strange("priority", "high".into()),
            strange("done", 7.into()),
            strange("newer", "field".into()),
        ],
        objects: Vec::new(),
    };
    todo.write(&edits, 1);
    assert_eq!(todo.field("status"), "LATER");
    assert_eq!(todo.field("priority"), "high");
    assert_eq!(todo.field("done"), 7);
    assert!(!todo.shows().unwrap().as_object().unwrap().contains_key("newer"));
}

#[test]
fn texts_and_lists_are_null_empty_or_full() {
    let schema = schema();
    let mut page = Replica::new(&schema, "Page", 1);
    page.create(json!({"room": "A", "head": "", "items": []}), 0);
    assert_eq!(page.field("body"), Value::Null);
    assert_eq!(page.field("head"), "", "required, so never null");
    assert_eq!(page.field("items"), json!([]));
    assert_eq!(page.field("blobs"), Value::Null);
    let edits = page.view().update(&object(json!({"body": "x", "items": null}))).unwrap();
    assert_eq!(edits.root, [RootEdit::Delete("~some/items".into())]);
    assert_eq!(edits.objects, [ObjectEdit::SetText("body".into(), "x".into())]);
    page.update(json!({"items": null, "body": ""}), 1);
    assert_eq!(page.field("items"), Value::Null);
    assert_eq!(page.field("body"), "");
    assert!(page.view().update(&object(json!({"head": null}))).is_err());
}

#[test]
fn a_splice_of_a_null_text_makes_it_a_text() {
    let schema = schema();
    let mut note = Replica::new(&schema, "Note", 1);
    note.create(json!({"head": ""}), 0);
    let edits = note.view().splice("body", 0, 0, "hi").unwrap();
    assert_eq!(edits.root, [RootEdit::Delete("~null/body".into())]);
    assert_eq!(edits.objects, [ObjectEdit::Splice { key: "body".into(), at: 0, delete: 0, insert: "hi".into() }]);
    assert!(note.view().splice("items", 0, 0, "hi").is_err());
}

#[test]
fn an_update_wins_model_says_with_every_edit_that_the_record_exists() {
    let schema = schema();
    let mut sticky = Replica::new(&schema, "Sticky", 1);
    sticky.create(json!({"title": "t"}), 0);
    let change = sticky.update(json!({"title": "u"}), 1).unwrap();
    assert!(matches!(change.ops()[0].action, OpType::Put(ScalarValue::Int(0))), "{:?}", change.ops());
    assert_eq!(sticky.update(json!({"title": "u"}), 2), None);
}
