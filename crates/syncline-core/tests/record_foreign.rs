//! What a change from a peer may write under a schema.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use automerge::{ActorId, ScalarValue};
use record_support::{RECORD, Replica, schema};
use serde_json::json;
use syncline_core::document::Document;
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};
use syncline_core::genesis::Genesis;
use syncline_core::ids::RecordId;
use syncline_core::record::{ForeignChange, check_foreign};
use syncline_core::rich::Expand;

/// The verdict on a change that makes these edits to an existing Todo.
fn verdict(edits: Vec<RootEdit>) -> Result<(), ForeignChange> {
    let schema = schema();
    let mut todo = Replica::new(&schema, "Todo", 1);
    todo.create(json!({"title": "t"}), 0);
    let change = todo.write(&Edits { root: edits, objects: Vec::new() }, 1).unwrap();
    check_foreign(&schema, todo.model, todo.record, change.expanded())
}

fn put(key: &str, value: impl Into<ScalarValue>) -> Vec<RootEdit> {
    vec![RootEdit::Force(key.to_owned(), value.into())]
}

#[test]
fn scalars_need_the_encoding_of_their_type() {
    for (key, value) in [
        ("title", ScalarValue::from("x")),
        ("title", ScalarValue::Null),
        ("status", "A NEWER VALUE".into()),
        ("weight", 1.5.into()),
        ("meta", "{\"a\":1}".into()),
        ("address.zip", 5.into()),
        ("address.geo.lat", 0.5.into()),
        ("address.lines", "[\"a\"]".into()),
        ("votes", ScalarValue::counter(0)),
        ("tags/x", 1.into()),
        ("sizes/1.5", 1.into()),
        ("~some/address", 0.into()),
        ("~live", 1.into()),
    ] {
        assert_eq!(verdict(put(key, value)), Ok(()), "{key}");
    }
    for (key, value) in [
        ("title", ScalarValue::Int(1)),
        ("title", ScalarValue::Bytes(vec![1])),
        ("priority", ScalarValue::Uint(1)),
        ("priority", ScalarValue::Timestamp(1)),
        ("weight", ScalarValue::Int(1)),
        ("weight", f64::INFINITY.into()),
        ("weight", f64::NAN.into()),
        ("done", 1.into()),
        ("meta", "{a".into()),
        ("votes", 1.into()),
        ("votes", ScalarValue::Null),
        ("address", "x".into()),
        ("address.geo", ScalarValue::Null),
        ("address.lines", "{}".into()),
        ("tags", "x".into()),
        ("tags/x", "x".into()),
        ("sizes/1.50", 1.into()),
        ("sizes/x", 1.into()),
        ("~live", "x".into()),
        ("id", "another".into()),
    ] {
        assert!(verdict(put(key, value)).is_err(), "{key}");
    }
    assert!(verdict(vec![RootEdit::Increment("votes".into(), 3)]).is_ok());
}

#[test]
fn what_a_newer_schema_may_have_passes() {
    for key in ["heading", "heading.of", "heading/x", "~newer", "address.street", "title.part"] {
        assert_eq!(verdict(put(key, vec![1, 2])), Ok(()), "{key}");
    }
}

#[test]
fn key_fields_must_name_the_record() {
    let schema = schema();
    let mut seat = Replica::new(&schema, "Seat", 1);
    let create = seat.create(json!({"room": "A", "number": 1, "title": "t"}), 0);
    assert_eq!(check_foreign(&schema, seat.model, seat.record, create.expanded()), Ok(()));
    assert_eq!(
        check_foreign(&schema, seat.model, RecordId([9; 16]), create.expanded()),
        Err(ForeignChange::WrongRecord { model: "Seat".into() })
    );
    for edits in [put("room", "B"), put("room", "A"), vec![RootEdit::Delete("room".into())]] {
        let change = seat.clone().write(&Edits { root: edits, objects: Vec::new() }, 1).unwrap();
        assert!(check_foreign(&schema, seat.model, seat.record, change.expanded()).is_err());
    }
    let mut todo = Replica::new(&schema, "Todo", 1);
    let create = todo.create(json!({"id": "mine", "title": "t"}), 0);
    assert_eq!(check_foreign(&schema, todo.model, todo.record, create.expanded()), Ok(()));
    assert!(check_foreign(&schema, todo.model, RecordId([9; 16]), create.expanded()).is_err());
}

#[test]
fn a_refusal_says_what_was_written_and_what_belongs_there() {
    assert_eq!(
        verdict(put("done", 1)).unwrap_err().to_string(),
        "the change writes an integer at `done` of a Todo, where Boolean belongs"
    );
}

#[test]
fn marks_are_taken_whether_the_text_is_rich_here_or_not() {
    // A newer schema made it rich; refused for the marks, all that was typed after them would be refused too.
    let schema = schema();
    let model = schema.model("Note").unwrap();
    let genesis = |key: &str| Genesis { model: "Note".to_owned(), key: key.to_owned(), kind: ObjectKind::Text };
    let objects = vec![
        ObjectEdit::SetText("body".to_owned(), "text".to_owned()),
        ObjectEdit::Mark {
            key: "body".to_owned(),
            from: 0,
            to: 2,
            name: "bold".to_owned(),
            value: true.into(),
            expand: Expand::After,
        },
    ];
    let edits = Edits { root: Vec::new(), objects };
    let edited = Document::default().edit(&edits, &genesis, &ActorId::from([1; 16]), 1).unwrap().unwrap();
    for change in edited.genesis.iter().chain(&edited.changes) {
        assert_eq!(check_foreign(&schema, model, RECORD, change.expanded()), Ok(()));
    }
}
