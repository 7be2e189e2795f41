//! References by value in what is saved, and what is said of wrong ones.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use record_support::{model, object, relation, required, scalar};
use serde_json::{Map, Value, json};
use syncline_core::record::{NewRecord, RecordKey};
use syncline_schema::{Key, Model, RelationKind, Scalar, Schema};

/// Posts with comments; seats by a key of two parts, which tickets are for.
fn schema() -> Schema {
    let mut post = model("Post", Key::Id, vec![scalar("title", Scalar::String)]);
    post.relations = vec![relation("comments", RelationKind::HasMany, "Comment", &["postId"], &["id"])];
    let mut comment = model("Comment", Key::Id, vec![scalar("text", Scalar::String), scalar("postId", Scalar::Id)]);
    comment.relations = vec![relation("post", RelationKind::BelongsTo, "Post", &["postId"], &["id"])];
    let key = || vec![required(scalar("room", Scalar::String)), required(scalar("number", Scalar::Int))];
    let seat = model("Seat", Key::Custom(vec!["room".into(), "number".into()]), key());
    let fields = vec![required(scalar("seatRoom", Scalar::String)), required(scalar("seatNumber", Scalar::Int))];
    let mut ticket = model("Ticket", Key::Custom(vec!["seatRoom".into(), "seatNumber".into()]), fields);
    let by = ["seatRoom", "seatNumber"];
    ticket.relations = vec![relation("seat", RelationKind::HasOne, "Seat", &by, &["room", "number"])];
    Schema { models: vec![post, comment, seat, ticket], ..Schema::default() }
}

fn values(model: &str, record: Value) -> Map<String, Value> {
    let schema = schema();
    NewRecord::check(&schema, schema.model(model).unwrap(), &object(record)).unwrap().values
}

fn refused(model: &str, record: Value) -> String {
    let schema = schema();
    let model: &Model = schema.model(model).unwrap();
    NewRecord::check(&schema, model, &object(record)).unwrap_err().to_string()
}

#[test]
fn a_record_given_as_a_relation_is_kept_as_its_key() {
    assert_eq!(
        values("Comment", json!({"text": "x", "post": {"id": "p"}})),
        object(json!({"text": "x", "postId": "p"}))
    );
    let whole = json!({"post": {"id": "p", "title": "t", "createdAt": null, "comments": [{"id": "c"}]}});
    assert_eq!(values("Comment", whole), object(json!({"postId": "p"})));
    assert_eq!(values("Comment", json!({"post": {"id": "p"}, "postId": "p"})), object(json!({"postId": "p"})));
    assert_eq!(values("Comment", json!({"post": null})), object(json!({})));
}

/// A query that includes a relation shows a dangling reference as the key in its field, and null as the record.
#[test]
fn a_dangling_reference_that_was_read_can_be_saved_as_it_was() {
    assert_eq!(values("Comment", json!({"post": null, "postId": "gone"})), object(json!({"postId": "gone"})));
}

#[test]
fn a_reference_may_be_part_of_the_key() {
    let schema = schema();
    let record = object(json!({"seat": {"room": "r", "number": 7}}));
    let key = RecordKey::in_record(&schema, schema.model("Ticket").unwrap(), &record).unwrap();
    assert_eq!(key, Some(RecordKey::Fields(vec![json!("r"), json!(7)])));
    let wrong = object(json!({"seat": {"room": "r"}}));
    let key = RecordKey::in_record(&schema, schema.model("Ticket").unwrap(), &wrong).unwrap();
    assert_eq!(key, None, "the check of the whole record tells what is wrong");
}

#[test]
fn a_wrong_reference_is_refused_by_relation_and_key_fields() {
    let shape = r#"as an object {"id": …} or by `postId`"#;
    for (model, record, message) in [
        ("Comment", json!({"post": "p"}), format!("`post`: expected the Post that it refers to, {shape}, found \"p\"")),
        ("Comment", json!({"post": {}}), format!("`post.id`: it is missing: a Post is named by its key, {shape}")),
        (
            "Comment",
            json!({"post": {"id": "p", "titel": 1}}),
            "`post.titel`: Post has no such field; did you mean `title`?".to_owned(),
        ),
        (
            "Comment",
            json!({"post": {"id": "p"}, "postId": "q"}),
            "`post`: it names another Post than `postId` does: give one of them".to_owned(),
        ),
        (
            "Comment",
            json!({"postId": ""}),
            "`postId`: it is empty, and no Post is named so: give the key of one that is saved, or null".to_owned(),
        ),
        ("Post", json!({"comments": []}), "`comments`: it leads to many records: save each Comment with its `postId`".to_owned()),
        (
            "Ticket",
            json!({"seat": {"room": "r"}}),
            r#"`seat.number`: it is missing: a Seat is named by its key, as an object {"room": …, "number": …} or by `seatRoom`, `seatNumber`"#
                .to_owned(),
        ),
        ("Ticket", json!({"seat": {"room": "r", "number": "7"}}), r#"`seat.number`: "7" is not an Int: expected an integer, found a string; a good value is 42"#.to_owned()),
    ] {
        let refused = refused(model, record.clone());
        assert_eq!(refused, format!("this is no valid {model}: {message}"), "{record}");
    }
}

#[test]
fn a_reference_that_is_due_is_asked_for_by_its_relation() {
    let mut schema = schema();
    let comment = schema.models.iter_mut().find(|model| model.name == "Comment").unwrap();
    comment.fields.iter_mut().find(|field| field.name == "postId").unwrap().required = true;
    let refused = NewRecord::check(&schema, schema.model("Comment").unwrap(), &object(json!({}))).unwrap_err();
    let expected = r#"`postId`: it is required and has no value: give `post` as an object {"id": …} or by `postId`"#;
    assert_eq!(refused.to_string(), format!("this is no valid Comment: {expected}"));
}
