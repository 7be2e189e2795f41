//! Texts and lists: edits as changes, genesis, and the sandbox.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use automerge::{ActorId, Automerge, ROOT, ReadDoc, ScalarValue};
use merge_support::{LIST, TEXT, genesis, make_both, reference};
use serde_json::json;
use syncline_core::change::{Change, MAX_CHANGE_OPS};
use syncline_core::document::{Budget, DamagedHistory, Document, Rejected, SPLIT_OPS};
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};
use syncline_core::genesis::{Content, Genesis, content_changes};
use syncline_core::guard;
use syncline_core::ids::RecordId;
use syncline_core::lineage::Lineage;
use syncline_core::state::{EditError, RecordState, Writer};

fn actor(byte: u8) -> ActorId {
    ActorId::from([byte; 16])
}

fn objects(edits: impl IntoIterator<Item = ObjectEdit>) -> Edits {
    Edits { root: Vec::new(), objects: edits.into_iter().collect() }
}

fn set_text(text: &str) -> Edits {
    objects([ObjectEdit::SetText(TEXT.into(), text.into())])
}

fn set_list(elements: serde_json::Value) -> Edits {
    objects([ObjectEdit::SetList(LIST.into(), elements.as_array().unwrap().clone())])
}

/// Edits and returns all changes, genesis first.
fn edit(document: &mut Document, edits: &Edits, writer: &ActorId) -> Vec<Change> {
    let edited = document.edit(edits, &genesis, writer, 1_000).unwrap().unwrap();
    edited.genesis.into_iter().chain(edited.changes).collect()
}

fn created() -> (Document, Vec<Change>) {
    let mut document = Document::default();
    let changes = edit(&mut document, &make_both(), &actor(1));
    (document, changes)
}

#[test]
fn the_create_of_a_generated_id_makes_its_objects_in_one_change() {
    let (document, changes) = created();
    assert_eq!(changes.len(), 1);
    assert_eq!(document.text(TEXT).as_deref(), Some("ab"));
    assert_eq!(document.list(LIST), Some(vec![json!({"street": "x"}), json!(1)]));
    let mut state = RecordState::default();
    state.apply(&changes[0]);
    assert_eq!(state, reference(&changes).0);
    assert_eq!(state.object(TEXT).map(|(_, kind)| kind), Some(ObjectKind::Text));
}

#[test]
fn first_touches_apart_meet_in_one_text_through_genesis() {
    let writer = actor(1);
    let create = [RootEdit::Put("title".into(), "t".into())];
    let create = RecordState::default().build(&create, &Writer { actor: &writer, own_last: None }, 1).unwrap().unwrap();
    let mut a = Document::rebuild([&create]).unwrap();
    let mut b = a.clone();
    let from_a = edit(&mut a, &set_text("left "), &actor(2));
    let from_b = edit(&mut b, &set_text("right"), &actor(3));
    assert_eq!(from_a[0], genesis(TEXT).change());
    assert_eq!(from_a[0], from_b[0]);
    a.apply_accepted(&from_b).unwrap();
    b.apply_accepted(&from_a).unwrap();
    assert_eq!(a.text(TEXT), b.text(TEXT));
    assert_eq!(a.text(TEXT).unwrap().len(), 10);
}

#[test]
fn equal_initial_content_of_a_custom_key_stands_once_and_different_content_twice() {
    let record = RecordId::from_key("Todo", &json!("k"));
    let with = |text: &str| content_changes(record, &genesis(TEXT), &Content::Text(text.into())).unwrap();
    assert_eq!(with("hello"), with("hello"));
    let genesis_change = genesis(TEXT).change();
    let mut changes = vec![genesis_change];
    changes.extend(with("hello"));
    let once = Document::rebuild(&changes).unwrap();
    assert_eq!(once.text(TEXT).as_deref(), Some("hello"));
    changes.extend(with("world"));
    assert_eq!(Document::rebuild(&changes).unwrap().text_len(TEXT), Some(10));
    let list = Content::List(vec![json!({"b": 1, "a": [2]})]);
    let reordered = Content::List(vec![json!({"a": [2], "b": 1})]);
    let of = |content| content_changes(record, &genesis(LIST), content).unwrap();
    assert_eq!(of(&list), of(&reordered));
    assert_eq!(with(""), Vec::new());
}

#[test]
fn a_big_paste_becomes_several_changes_of_bounded_size() {
    let (mut document, mut changes) = created();
    let text: String = (0..150_000_u32).map(|n| char::from_u32('a' as u32 + n % 26).unwrap()).collect();
    let made = edit(&mut document, &set_text(&text), &actor(1));
    assert!(made.len() >= 150_000 / SPLIT_OPS);
    assert!(made.iter().all(|change| change.ops().len() as u64 <= MAX_CHANGE_OPS));
    for change in &made {
        assert_eq!(Change::parse(change.bytes()).as_ref(), Ok(change));
    }
    changes.extend(made);
    let mut lineage = Lineage::default();
    let mut state = RecordState::default();
    for change in &changes {
        assert_eq!(guard::check(change, &state, &mut lineage), Ok(Ok(())));
        state.apply(change);
        lineage.insert(change).unwrap();
    }
    let other = Document::rebuild(&changes).unwrap();
    assert_eq!(other.text(TEXT), Some(text));
    let emptied = edit(&mut document, &set_text(""), &actor(1));
    assert!(emptied.len() >= 150_000 / SPLIT_OPS);
    assert!(document.object_is_empty(TEXT));
}

#[test]
fn positions_are_code_points() {
    let (mut document, _) = created();
    edit(&mut document, &set_text("a☃ü𝄞z"), &actor(1));
    assert_eq!(document.text_len(TEXT), Some(5));
    let splice = ObjectEdit::Splice { key: TEXT.into(), at: 3, delete: 1, insert: "é".into() };
    edit(&mut document, &objects([splice]), &actor(1));
    assert_eq!(document.text(TEXT).as_deref(), Some("a☃üéz"));
}

#[test]
fn a_whole_text_save_leaves_concurrent_edits_elsewhere_alone() {
    let (mut a, _) = created();
    edit(&mut a, &set_text("the quick brown fox"), &actor(1));
    let mut b = a.clone();
    let from_a = edit(&mut a, &set_text("the slow brown fox"), &actor(2));
    let from_b = edit(&mut b, &set_text("the quick brown foxes jump"), &actor(3));
    a.apply_accepted(&from_b).unwrap();
    b.apply_accepted(&from_a).unwrap();
    assert_eq!(a.text(TEXT).as_deref(), Some("the slow brown foxes jump"));
    assert_eq!(b.text(TEXT), a.text(TEXT));
}

#[test]
fn a_list_save_leaves_elements_that_did_not_change_alone() {
    let (mut a, _) = created();
    edit(&mut a, &set_list(json!([{"n": 1}, {"n": 2}, "c"])), &actor(1));
    let mut b = a.clone();
    let from_a = edit(&mut a, &set_list(json!([{"n": 1}, {"n": 2}, "c", "d"])), &actor(2));
    assert_eq!(from_a[0].ops().len(), 1);
    let from_b = edit(&mut b, &set_list(json!([{"n": 5}, {"n": 2}, "c"])), &actor(3));
    a.apply_accepted(&from_b).unwrap();
    b.apply_accepted(&from_a).unwrap();
    assert_eq!(a.list(LIST), Some(vec![json!({"n": 5}), json!({"n": 2}), json!("c"), json!("d")]));
    assert_eq!(b.list(LIST), a.list(LIST));
}

#[test]
fn saving_what_is_there_makes_no_change() {
    let (mut document, _) = created();
    let heads = document.heads();
    for edits in [set_text("ab"), set_list(json!([{"street": "x"}, 1])), Edits::default()] {
        assert_eq!(document.edit(&edits, &genesis, &actor(77), 5), Ok(None));
    }
    assert_eq!(document.heads(), heads);
    let mut bare = Document::default();
    assert_eq!(bare.edit(&set_text(""), &genesis, &actor(77), 5), Ok(None));
    assert_eq!(bare.heads(), []);
    document.save().unwrap();
}

#[test]
fn edits_that_cannot_be_done_say_why_and_change_nothing() {
    let (mut document, _) = created();
    let heads = document.heads();
    let splice = |at, delete| ObjectEdit::Splice { key: TEXT.into(), at, delete, insert: "x".into() };
    let key = || TEXT.to_owned();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        (objects([splice(0, 0), splice(4, 0)]), EditError::OutOfBounds { key: key(), at: 4, delete: 0, len: 3 }),
        (objects([splice(1, usize::MAX)]), EditError::OutOfBounds { key: key(), at: 1, delete: usize::MAX, len: 2 }),
        (
            objects([ObjectEdit::SetList(key(), Vec::new())]),
            EditError::WrongObject { key: key(), expected: ObjectKind::List },
        ),
        (set_list(json!([deep])), EditError::TooDeep { key: LIST.into() }),
        (Edits { root: vec![RootEdit::Delete(key())], objects: Vec::new() }, EditError::OverObject { key: key() }),
        (
            Edits { root: vec![RootEdit::Increment("n".into(), 1)], objects: Vec::new() },
            EditError::NotACounter { key: "n".into() },
        ),
    ];
    for (edits, expected) in cases {
        assert_eq!(document.edit(&edits, &genesis, &actor(1), 5), Err(expected));
    }
    assert_eq!(document.edit(&set_text("x"), &genesis, &actor(1), -1), Err(EditError::Time(-1)));
    assert_eq!(document.heads(), heads);
}

#[test]
fn counters_stop_at_the_ends_of_their_range() {
    let writer = actor(1);
    let writer = Writer { actor: &writer, own_last: None };
    let max = syncline_core::change::MAX_COUNTER;
    let mut state = RecordState::default();
    let edits = [RootEdit::Put("n".into(), ScalarValue::counter(0)), RootEdit::Increment("n".into(), max)];
    state.apply(&state.build(&edits, &writer, 1).unwrap().unwrap());
    assert_eq!(state.counter("n"), Some(max));
    let over = state.build(&[RootEdit::Increment("n".into(), 1)], &writer, 1);
    assert_eq!(over, Err(EditError::CounterOverflow { key: "n".into(), current: max, by: 1 }));
}

#[test]
fn the_export_shows_the_same_in_stock_automerge() {
    let (mut document, changes) = created();
    let edits = Edits {
        root: vec![RootEdit::Put("title".into(), "hi".into())],
        objects: vec![ObjectEdit::SetText(TEXT.into(), "text".into())],
    };
    edit(&mut document, &edits, &actor(1));
    assert_eq!(changes.len(), 1);
    let stock = Automerge::load(&document.export()).unwrap();
    let (title, _) = stock.get(ROOT, "title").unwrap().unwrap();
    assert_eq!(title.as_str(), Some("hi"));
    let (_, text) = stock.get(ROOT, TEXT).unwrap().unwrap();
    assert_eq!(stock.text(text).unwrap(), "text");
    let again = Document::load(&document.save().unwrap()).unwrap();
    assert_eq!(again.heads(), document.heads());
}

#[test]
fn damaged_snapshots_and_gaps_are_errors() {
    let (mut document, changes) = created();
    let mut later = edit(&mut document, &set_text("abc"), &actor(1));
    later.extend(edit(&mut document, &set_text("abcd"), &actor(1)));
    let gap = Document::rebuild([&changes[0], &later[1]]);
    assert!(matches!(gap, Err(DamagedHistory::Missing(missing)) if missing == [later[0].hash()]));
    let mut snapshot = document.save().unwrap();
    let at = snapshot.len() / 2;
    snapshot[at] ^= 1;
    assert!(Document::load(&snapshot).is_err());
    assert!(Document::load(&snapshot[..at]).is_err());
}

#[test]
fn a_bad_change_in_a_batch_blocks_no_other() {
    let (document, _) = created();
    let mut writers: Vec<(Document, ActorId)> = (10..15).map(|byte| (document.clone(), actor(byte))).collect();
    let mut batch = Vec::new();
    for (document, writer) in &mut writers {
        for text in ["abx", "abxy"] {
            batch.extend(edit(document, &set_text(text), writer));
        }
    }
    // An insert after a character that nobody made.
    let mut bad = batch[4].expanded().clone();
    let nobody = automerge::legacy::OpId(2, actor(99));
    bad.operations[0].key = automerge::legacy::Key::Seq(automerge::legacy::ElementId::Id(nobody));
    let bad = Change::from_expanded(bad);
    batch[4] = bad;
    let batch: Vec<&Change> = batch.iter().collect();
    let result = document.try_apply(&batch, &Budget::default());
    let rejected: Vec<usize> = result.rejected.iter().map(|(at, _)| *at).collect();
    assert_eq!(rejected, [4, 5], "the bad one, and the one that builds on it");
    assert!(matches!(result.rejected[1].1, Rejected::MissingDeps(_)));
    let good: Vec<&Change> = batch.iter().enumerate().filter(|(at, _)| ![4, 5].contains(at)).map(|(_, c)| *c).collect();
    let mut expected = document;
    expected.apply_accepted(good.iter().copied()).unwrap();
    assert_eq!(result.document.heads(), expected.heads());
    assert_eq!(result.document.text(TEXT), expected.text(TEXT));
}

#[test]
fn a_document_stays_within_its_budget() {
    let (document, _) = created();
    let mut writer = document.clone();
    let small = edit(&mut writer, &set_text("abc"), &actor(2));
    let big = edit(&mut writer, &set_text(&"x".repeat(500)), &actor(2));
    let budget = Budget { ops: 100, bytes: 1 << 20 };
    let result = document.try_apply(&[&small[0], &big[0]], &budget);
    assert!(matches!(result.rejected[..], [(1, Rejected::OverBudget { .. })]), "{:?}", result.rejected);
    assert_eq!(result.document.text(TEXT).as_deref(), Some("abc"));
}

#[test]
fn everything_moves_between_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Change>();
    is_send::<RecordState>();
    is_send::<Lineage>();
    is_send::<Document>();
}

#[test]
fn a_list_of_big_elements_is_split_by_bytes() {
    let (mut document, mut changes) = created();
    let elements: Vec<serde_json::Value> = (0..40).map(|n| json!(format!("{n}{}", "x".repeat(20_000)))).collect();
    changes.extend(edit(&mut document, &set_list(json!(elements)), &actor(1)));
    assert!(changes.iter().all(|change| change.bytes().len() < 400_000));
    assert_eq!(Document::rebuild(&changes).unwrap().list(LIST), Some(elements));
    let monster = json!(["x".repeat(9 << 20)]);
    let heads = document.heads();
    let refused = document.edit(&set_list(monster), &genesis, &actor(1), 5);
    assert!(matches!(refused, Err(EditError::TooLarge { .. })));
    assert_eq!(document.heads(), heads);
}

#[test]
fn a_genesis_is_known_by_its_bytes_and_a_forged_one_is_not() {
    let change = genesis(TEXT).change();
    assert_eq!(Genesis::recognize("Todo", &change), Some(genesis(TEXT)));
    assert_eq!(Genesis::recognize("Note", &change), None);
    let mut forged = change.expanded().clone();
    forged.time = 1;
    assert_eq!(Genesis::recognize("Todo", &Change::from_expanded(forged)), None);
    let (_, created) = created();
    assert_eq!(Genesis::recognize("Todo", &created[0]), None);
}
