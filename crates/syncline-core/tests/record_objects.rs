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
use syncline_core::record::{NewRecord, RecordView, TextEdit, create_edits};
use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::state::RecordState;
use syncline_core::text_cursor::{CursorError, Side, TextCursor};
use syncline_schema::{ElementKind, EmbeddedType, FieldKind, Key, Model, Scalar, Schema};

/// `Note` by generated id and `Page` by custom key: a text that may be null, one that may not, a rich
/// one, and lists of integers, of AWSJSON and of an embedded type.
fn schema() -> Schema {
    let line = || ElementKind::Embedded("Line".to_owned());
    let fields = vec![
        field("body", FieldKind::Text { rich: false }),
        required(field("head", FieldKind::Text { rich: false })),
        field("items", FieldKind::List(element(ElementKind::Scalar(Scalar::Int)))),
        field("blobs", FieldKind::List(element(ElementKind::Scalar(Scalar::Json)))),
        field("lines", FieldKind::List(element(line()))),
        field("page", FieldKind::Text { rich: true }),
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
        ..Schema::default()
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

fn bold(text: &str) -> Span {
    Span::plain(text).with("bold", true)
}

#[test]
fn a_rich_text_shows_as_plain_text_and_as_spans() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "page": "Hello you"}));
    let mark = TextEdit::Mark { range: 0..5, mark: Mark::new("bold", true) };
    let edits = note.view().edit_text("page", &[mark]).unwrap();
    note.write(&edits);
    assert_eq!(note.field("page"), "Hello you");
    assert_eq!(note.view().spans("page").unwrap(), Some(vec![bold("Hello"), Span::plain(" you")]));
    assert_eq!(note.view().project().unwrap()["page"], "Hello you");
    note.update(json!({"page": "Hello all of you"}));
    assert_eq!(note.view().spans("page").unwrap(), Some(vec![bold("Hello"), Span::plain(" all of you")]));
}

#[test]
fn spans_of_null_are_null_and_of_an_empty_text_none() {
    let schema = schema();
    for model in ["Note", "Page"] {
        let mut note = Writer::new(&schema, model, 1);
        note.create(
            json!({"head": "", "room": "r"})
                .as_object()
                .map(|all| {
                    let mut all = all.clone();
                    all.retain(|name, _| name != "room" || model == "Page");
                    Value::Object(all)
                })
                .unwrap(),
        );
        assert_eq!(note.view().spans("page").unwrap(), None);
        let rules = ExpandRules::default();
        let edits = note.view().set_spans("page", &[], &rules).unwrap();
        note.write(&edits);
        assert_eq!((note.field("page"), note.view().spans("page").unwrap()), (json!(""), Some(Vec::new())), "{model}");
        let edits = note.view().set_spans("page", &[bold("x")], &rules).unwrap();
        note.write(&edits);
        assert_eq!(note.field("page"), "x");
        let again = note.view().set_spans("page", &[bold("x")], &rules).unwrap();
        assert_eq!(again, Edits::default(), "equal spans are no edit");
        note.update(json!({"page": null}));
        assert_eq!((note.field("page"), note.view().spans("page").unwrap()), (Value::Null, None));
    }
}

#[test]
fn only_rich_texts_have_marks_and_bad_ones_are_named_with_their_place() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "body": "plain", "page": "rich"}));
    let mark = |field: &str, range, mark| {
        let edit = TextEdit::Mark { range, mark };
        note.view().edit_text(field, &[edit]).unwrap_err().to_string()
    };
    let good = || Mark::new("bold", true);
    assert!(mark("body", 0..2, good()).contains("`body`: it is not a rich text"));
    assert!(mark("items", 0..2, good()).contains("`items`: it is not a text"));
    assert!(mark("pagee", 0..2, good()).contains("there is no such field; did you mean `page`?"));
    assert!(mark("page", 0..5, good()).contains("`page`: it has 4 characters: no mark can end at position 5"));
    assert!(mark("page", 2..2, good()).contains("no character stands between the positions 2 and 2"));
    assert!(mark("page", 0..2, Mark::new("bold", Value::Null)).contains("cannot be null"));
    assert!(mark("page", 0..2, Mark::new("", 1)).contains("a mark needs a name"));
    assert!(mark("page", 0..2, Mark::new("link", json!({"to": 1}))).contains("put it in as JSON text"));
    let unmark = TextEdit::Unmark { range: 0..2, name: "b\n".to_owned(), expand: Expand::After };
    assert!(note.view().edit_text("page", &[unmark]).is_err());
    assert!(note.view().spans("body").unwrap_err().to_string().contains("not a rich text"));
    let spans = [Span::plain("a"), Span::plain("b").with("link", json!([1]))];
    let refused = note.view().set_spans("page", &spans, &ExpandRules::default()).unwrap_err();
    assert!(refused.to_string().contains("`page[1].marks.link`: a mark's value is a string"), "{refused}");
    assert_eq!(note.field("page"), "rich");
}

#[test]
fn edits_of_characters_and_marks_follow_each_other_in_one_change() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": ""}));
    let edits = [
        TextEdit::Splice { at: 0, delete: 0, insert: "Hello you".to_owned() },
        TextEdit::Mark { range: 0..9, mark: Mark::new("bold", true).expanding(Expand::None) },
        TextEdit::Splice { at: 0, delete: 1, insert: "J".to_owned() },
        TextEdit::Unmark { range: 5..9, name: "bold".to_owned(), expand: Expand::After },
    ];
    let edits = note.view().edit_text("page", &edits).unwrap();
    assert_eq!(note.write(&edits).len(), 1);
    assert_eq!(note.view().spans("page").unwrap(), Some(vec![Span::plain("J"), bold("ello"), Span::plain(" you")]));
}

/// Where a cursor of the text `page` stands.
fn position(note: &Writer<'_>, cursor: &TextCursor) -> Result<usize, CursorError> {
    note.view().position_of("page", cursor).unwrap()
}

#[test]
fn a_cursor_stays_at_its_character_whatever_is_typed_elsewhere() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "page": "one two"}));
    let cursor = |position, side| note.view().cursor("page", position, side).unwrap();
    let all = [
        cursor(0, Side::Before),
        cursor(0, Side::After),
        cursor(4, Side::Before),
        cursor(4, Side::After),
        cursor(7, Side::Before),
        cursor(7, Side::After),
    ];
    let mut other = note.fork(2);
    let stand = |note: &Writer<'_>| all.each_ref().map(|cursor| position(note, cursor).unwrap());
    assert_eq!(stand(&note), [0, 0, 4, 4, 7, 7]);
    let edits = [(7, 0, "!"), (4, 0, "ö"), (0, 0, "<")].map(|(at, delete, insert)| TextEdit::Splice {
        at,
        delete,
        insert: insert.to_owned(),
    });
    let edits = other.view().edit_text("page", &edits).unwrap();
    let typed = other.write(&edits);
    note.receive(&typed);
    assert_eq!(note.field("page"), "<one ötwo!");
    assert_eq!(stand(&note), [0, 1, 5, 6, 9, 10]);
    assert_eq!(stand(&other), stand(&note));
}

#[test]
fn a_cursor_whose_character_was_deleted_stands_where_it_was() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "page": "abcdef"}));
    let before = note.view().cursor("page", 3, Side::Before).unwrap();
    let after = note.view().cursor("page", 3, Side::After).unwrap();
    let edits = note.view().splice("page", 1, 4, "").unwrap();
    note.write(&edits);
    assert_eq!((position(&note, &before), position(&note, &after)), (Ok(1), Ok(1)));
    let edits = note.view().splice("page", 1, 0, "XY").unwrap();
    note.write(&edits);
    assert_eq!(note.field("page"), "aXYf");
    let stands = (position(&note, &before).unwrap(), position(&note, &after).unwrap());
    assert!((1..=3).contains(&stands.0) && stands.0 == stands.1, "{stands:?}");
    let edits = note.view().splice("page", 0, 4, "").unwrap();
    note.write(&edits);
    assert_eq!((position(&note, &before), position(&note, &after)), (Ok(0), Ok(0)));
}

#[test]
fn cursors_of_other_texts_and_of_characters_that_are_not_here_are_refused() {
    let schema = schema();
    let mut note = Writer::new(&schema, "Note", 1);
    note.create(json!({"head": "", "page": "abc", "body": "abc"}));
    let mut other = note.fork(2);
    let edits = other.view().splice("page", 3, 0, "d").unwrap();
    let typed = other.write(&edits);
    let ahead = other.view().cursor("page", 4, Side::Before).unwrap();
    assert_eq!(position(&note, &ahead), Err(CursorError::NotHere));
    note.receive(&typed);
    assert_eq!(position(&note, &ahead), Ok(4));
    let of_body = note.view().cursor("body", 1, Side::Before).unwrap();
    assert_eq!(position(&note, &of_body), Err(CursorError::OtherText("`page` of this Note".to_owned())));
    let of_other = RecordView { record: syncline_core::ids::RecordId([9; 16]), ..note.view() };
    let of_other = of_other.cursor("page", 1, Side::Before).unwrap();
    assert!(matches!(position(&note, &of_other), Err(CursorError::OtherText(_))));
    assert!(note.view().position_of("items", &ahead).is_err());
    let beyond = note.view().cursor("page", 5, Side::Before).unwrap_err();
    assert!(beyond.to_string().contains("it has 4 characters: there is no position 5"), "{beyond}");
    let text = ahead.to_string();
    assert_eq!(text.parse(), Ok(ahead));
    assert!(matches!(text[..text.len() - 2].parse::<TextCursor>(), Err(CursorError::Malformed(_))));
}

proptest! {
    /// Each character is followed by hand: a cursor stands beside its own, or where that was.
    #[test]
    fn cursors_follow_any_edits_of_their_text(
        edits in prop::collection::vec((any::<u16>(), 0usize..4, 0usize..4), 1..20),
        at in 0usize..8,
    ) {
        let schema = schema();
        let mut note = Writer::new(&schema, "Note", 1);
        note.create(json!({"head": "", "page": "0123456"}));
        let before = note.view().cursor("page", at, Side::Before).unwrap();
        let after = note.view().cursor("page", at, Side::After).unwrap();
        for (place, delete, insert) in edits {
            let length = note.field("page").as_str().unwrap().chars().count();
            let place = usize::from(place) % (length + 1);
            let edits = note.view().splice("page", place, delete.min(length - place), &"é".repeat(insert)).unwrap();
            note.write(&edits);
            let text: Vec<char> = note.field("page").as_str().unwrap().chars().collect();
            let find = |digit: usize| text.iter().position(|char| *char == char::from(b'0' + digit as u8));
            // Those before and behind that are left bound where a deleted one can have been.
            let lowest = |digits: std::ops::Range<usize>| digits.rev().find_map(find).map_or(0, |at| at + 1);
            let highest = |digits: std::ops::Range<usize>| digits.into_iter().find_map(find).unwrap_or(text.len());
            for (cursor, held) in [(&before, at.checked_sub(1)), (&after, (at < 7).then_some(at))] {
                let stands = position(&note, cursor).unwrap();
                match held.map(|digit| (digit, find(digit))) {
                    None => prop_assert_eq!(stands, if at == 0 { 0 } else { text.len() }),
                    Some((digit, Some(found))) => prop_assert_eq!(stands, if digit < at { found + 1 } else { found }),
                    Some((digit, None)) => {
                        prop_assert!((lowest(0..digit)..=highest(digit + 1..7)).contains(&stands));
                    }
                }
            }
        }
    }
}
