//! Texts and lists of a record, with the document that holds them.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use automerge::ActorId;
use proptest::prelude::*;
use record_support::{RECORD, element, field, model, object, required, scalar};
use serde_json::{Map, Value, json};
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind};
use syncline_core::genesis::Genesis;
use syncline_core::record::{NewRecord, RecordView, create_edits};
use syncline_core::state::RecordState;
use syncline_schema::{ElementKind, EmbeddedType, FieldKind, Key, Model, Scalar, Schema};

/// `Note` by generated id and `Page` by custom key: a text that may be null, one that may not, and
/// lists of integers, of AWSJSON and of an embedded type.
fn schema() -> Schema {
    let line = || ElementKind::Embedded("Line".to_owned());
    let fields = vec![
        field("body", FieldKind::Text { rich: false }),
        required(field("head", FieldKind::Text { rich: false })),
        field("items", FieldKind::List(element(ElementKind::Scalar(Scalar::Int)))),
        field("blobs", FieldKind::List(element(ElementKind::Scalar(Scalar::Json)))),
        field("lines", FieldKind::List(element(line()))),
    ];
    let room = required(scalar("room", Scalar::String));
    let paged = std::iter::once(room).chain(fields.iter().cloned()).collect();
    let mut name = scalar("name", Scalar::String);
    name.document_key = "called".to_owned();
    let line = EmbeddedType {
        name: "Line".to_owned(),
        fields: vec![name, scalar("count", Scalar::Int), scalar("extra", Scalar::Json)],
    };
    Schema {
        models: vec![model("Note", Key::Id, fields), model("Page", Key::Custom(vec!["room".to_owned()]), paged)],
        enums: Vec::new(),
        embedded: vec![line],
    }
}

#[derive(Clone)]
struct Writer<'a> {
    schema: &'a Schema,
    model: &'a Model,
    state: RecordState,
    document: Document,
    actor: ActorId,
}

impl<'a> Writer<'a> {
    fn new(schema: &'a Schema, model: &str, actor: u8) -> Self {
        let model = schema.model(model).unwrap();
        Self {
            schema,
            model,
            state: RecordState::default(),
            document: Document::default(),
            actor: ActorId::from([actor; 16]),
        }
    }

    fn fork(&self, actor: u8) -> Self {
        Self { actor: ActorId::from([actor; 16]), ..self.clone() }
    }

    fn view(&self) -> RecordView<'_> {
        RecordView {
            schema: self.schema,
            model: self.model,
            record: RECORD,
            state: &self.state,
            document: Some(&self.document),
        }
    }

    /// What it takes to bring another copy here.
    fn write(&mut self, edits: &Edits) -> Vec<Change> {
        let model = self.model;
        let is_list = |key: &str| {
            let mut fields = model.fields.iter();
            let field = fields.find(|field| field.document_key == key).unwrap();
            matches!(field.kind, FieldKind::List(_))
        };
        let kind = |key: &str| if is_list(key) { ObjectKind::List } else { ObjectKind::Text };
        let genesis = |key: &str| Genesis { model: model.name.clone(), key: key.to_owned(), kind: kind(key) };
        let Some(edited) = self.document.edit(edits, &genesis, &self.actor, 1000).unwrap() else {
            return Vec::new();
        };
        let all: Vec<Change> = edited.genesis.into_iter().chain(edited.changes).collect();
        all.iter().for_each(|change| self.state.apply(change));
        all
    }

    fn create(&mut self, record: Value) {
        let new = NewRecord::check(self.schema, self.model, &object(record)).unwrap();
        self.write(&create_edits(self.schema, self.model, &new));
    }

    fn update(&mut self, patch: Value) -> Vec<Change> {
        let edits = self.view().update(&object(patch)).unwrap();
        self.write(&edits)
    }

    fn receive(&mut self, changes: &[Change]) {
        self.document.apply_accepted(changes).unwrap();
        changes.iter().for_each(|change| self.state.apply(change));
    }

    fn field(&self, name: &str) -> Value {
        self.view().project().unwrap()[name].clone()
    }
}

fn line(name: &str, count: i64) -> Value {
    json!({"name": name, "count": count, "extra": null})
}

#[test]
fn an_edit_of_a_text_survives_a_concurrent_null() {
    let schema = schema();
    let mut left = Writer::new(&schema, "Note", 1);
    left.create(json!({"head": "", "body": "one"}));
    let mut right = left.fork(2);
    let cleared = left.update(json!({"body": null}));
    assert_eq!(left.field("body"), Value::Null);
    let edits = right.view().splice("body", 3, 0, " two").unwrap();
    let edited = right.write(&edits);
    left.receive(&edited);
    right.receive(&cleared);
    assert_eq!(left.field("body"), " two");
    assert_eq!(right.field("body"), " two");
    assert!(right.view().splice("body", 9, 0, "x").unwrap_err().to_string().contains("it has 4 characters"));
}

#[test]
fn equal_values_make_no_edit() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "h", "items": [1, 2], "blobs": [{"a": [1]}], "lines": [line("a", 1)]}));
    let shown = note.view().project().unwrap();
    assert_eq!(note.view().update(&shown).unwrap(), Edits::default());
    let column: Vec<_> = note.view().column_values().unwrap();
    assert_eq!(column, syncline_core::record::column_values(note.model, &shown));
}

#[test]
fn embedded_elements_keep_their_document_keys_and_what_newer_stores_wrote() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "lines": [{"name": "a", "extra": {"x": 1}}]}));
    assert_eq!(note.document.list("lines").unwrap(), [json!({"called": "a", "extra": "{\"x\":1}"})]);
    let newer = json!({"called": "b", "newer": true});
    let both = vec![note.document.list("lines").unwrap().remove(0), newer.clone()];
    note.write(&Edits { root: Vec::new(), objects: vec![ObjectEdit::SetList("lines".into(), both)] });
    let shown = json!([{"name": "a", "count": null, "extra": {"x": 1}}, {"name": "b", "count": null, "extra": null}]);
    assert_eq!(note.field("lines"), shown);
    note.update(json!({"lines": [{"name": "new"}, {"name": "b"}]}));
    assert_eq!(note.document.list("lines").unwrap(), [json!({"called": "new"}), newer]);
}

#[test]
fn two_pages_of_one_key_meet_in_one_text() {
    let schema = schema();
    let mut left = Writer::new(&schema, "Page", 1);
    left.create(json!({"room": "A", "head": ""}));
    let mut right = left.fork(2);
    let first = left.update(json!({"body": "x"}));
    let second = right.update(json!({"body": "y"}));
    // Both carry the same genesis.
    left.receive(&second[1..]);
    right.receive(&first[1..]);
    assert_eq!(first[0], second[0]);
    assert_eq!(left.field("body"), right.field("body"));
    assert_eq!(left.field("body").as_str().unwrap().len(), 2);
}

fn values() -> BoxedStrategy<Map<String, Value>> {
    let text = || prop_oneof![Just(Value::Null), "[ab]{0,3}".prop_map(Value::from)];
    let list = |items: BoxedStrategy<Value>| {
        prop_oneof![Just(Value::Null), prop::collection::vec(items, 0..4).prop_map(Value::from)]
    };
    let number = || (0..4_i64).prop_map(Value::from).boxed();
    let blob = prop_oneof![Just(json!({"a": 1})), Just(json!("\"s\"")), Just(json!([null])), Just(Value::Null)].boxed();
    let lines = ("[ab]{0,1}", 0..2_i64).prop_map(|(name, count)| line(&name, count)).boxed();
    (text(), "[ab]{0,3}", list(number()), list(blob), list(lines))
        .prop_map(|(body, head, items, blobs, lines)| {
            object(json!({"body": body, "head": head, "items": items, "blobs": blobs, "lines": lines}))
        })
        .boxed()
}

fn own(writer: &Writer<'_>) -> Map<String, Value> {
    let shown = writer.view().project().unwrap();
    ["body", "head", "items", "blobs", "lines"].into_iter().map(|name| (name.to_owned(), shown[name].clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn texts_and_lists_show_what_was_saved_last(versions in prop::collection::vec(values(), 1..5), page in any::<bool>()) {
        let schema = schema();
        let mut writer = Writer::new(&schema, if page { "Page" } else { "Note" }, 1);
        let mut first = versions[0].clone();
        if page {
            first.insert("room".to_owned(), json!("A"));
        }
        writer.create(Value::Object(first));
        prop_assert_eq!(&own(&writer), &versions[0]);
        for version in &versions {
            writer.update(Value::Object(version.clone()));
            prop_assert_eq!(&own(&writer), version);
        }
        let delete = writer.view().delete();
        writer.write(&delete);
        let mut last = versions[0].clone();
        if page {
            last.insert("room".to_owned(), json!("A"));
        }
        let new = NewRecord::check(&schema, writer.model, &last).unwrap();
        let edits = writer.view().revive(&new);
        writer.write(&edits);
        prop_assert_eq!(&own(&writer), &versions[0]);
    }
}
