//! Marks that come from other stores: of newer schemas, and of peers that mean no good.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use automerge::legacy::{self, ElementId, Key, MarkData, ObjectId, Op, OpType};
use automerge::{ActorId, ExpandedChange};
use common::{Bed, SDL, apply, assert_verified, get, id, map, pull, row, rows, save};
use serde_json::json;
use syncline_core::change::Change;
use syncline_core::ids::RecordId;
use syncline_core::rich::{Expand, ExpandRules, Mark, Span};
use syncline_core::text_cursor::Side;
use syncline_engine::{Store, StoreError};

fn rich_sdl() -> String {
    SDL.replace("body: String @text", "body: String @text(rich: true)")
}

fn spans(store: &mut Store, id: &str) -> Result<Option<Vec<Span>>, StoreError> {
    store.look(|tx| tx.spans("Todo", id, "body"))
}

fn bold(text: &str) -> Span {
    Span::plain(text).with("bold", true)
}

#[test]
fn marks_pass_through_a_store_whose_text_is_plain_and_show_once_it_is_rich() {
    let (mut a, mut b, mut c) = (Bed::new(1), Bed::new(2), Bed::new(3));
    let (mut new, mut old) = (a.open_with(Some(&rich_sdl())), b.open());
    let todo = id(&save(&mut new, a.tick(), "Todo", json!({"body": "one two"})));
    new.write(a.tick(), |tx| tx.mark("Todo", &todo, "body", 0..3, Mark::new("bold", true))).unwrap();
    pull(&mut old, &mut new);
    assert_eq!(get(&mut old, "Todo", &todo).unwrap()["body"], "one two");
    let refused = spans(&mut old, &todo).unwrap_err().to_string();
    assert!(refused.contains("not a rich text"), "{refused}");
    old.write(b.tick(), |tx| tx.splice("Todo", &todo, "body", 1, 1, "NN")).unwrap();
    assert_verified(&old);
    let mut third = c.open_with(Some(&rich_sdl()));
    pull(&mut third, &mut old);
    let expected = Some(vec![bold("oNNe"), Span::plain(" two")]);
    assert_eq!(spans(&mut third, &todo).unwrap(), expected);
    old.close().unwrap();
    drop(old);
    let mut old = b.open_with(Some(&rich_sdl()));
    assert_eq!(spans(&mut old, &todo).unwrap(), expected);
    assert_verified(&third);
    assert_verified(&old);
}

#[test]
fn reading_spans_and_cursors_takes_no_replica_id_and_makes_no_change() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(&rich_sdl()));
    let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"body": "abc"})));
    store.close().unwrap();
    drop(store);
    let mut store = bed.open_with(Some(&rich_sdl()));
    let before = (store.committed(), store.replica());
    assert_eq!(spans(&mut store, &todo).unwrap(), Some(vec![Span::plain("abc")]));
    let cursor = store.look(|tx| tx.cursor("Todo", &todo, "body", 2, Side::After)).unwrap().to_string();
    assert_eq!(store.look(|tx| tx.position_of("Todo", &todo, "body", &cursor)).unwrap(), 2);
    assert!(matches!(spans(&mut store, "no-id"), Err(StoreError::NotFound { .. } | StoreError::Invalid(_))));
    assert_eq!((store.committed(), store.replica()), before);
}

#[test]
fn a_save_of_spans_survives_what_others_typed_meanwhile() {
    let (mut a, mut b) = (Bed::new(1), Bed::new(2));
    let (mut one, mut two) = (a.open_with(Some(&rich_sdl())), b.open_with(Some(&rich_sdl())));
    let todo = id(&save(&mut one, a.tick(), "Todo", json!({"body": "the quick fox"})));
    pull(&mut two, &mut one);
    let wanted = [Span::plain("the "), bold("slow"), Span::plain(" fox")];
    one.write(a.tick(), |tx| tx.set_spans("Todo", &todo, "body", &wanted, &ExpandRules::from(Expand::None))).unwrap();
    two.write(b.tick(), |tx| tx.splice("Todo", &todo, "body", 13, 0, " jumps")).unwrap();
    two.write(b.tick(), |tx| tx.update("Todo", &todo, &map(json!({"title": "beside"})))).unwrap();
    pull(&mut two, &mut one);
    pull(&mut one, &mut two);
    for store in [&mut one, &mut two] {
        let expected = vec![Span::plain("the "), bold("slow"), Span::plain(" fox jumps")];
        assert_eq!(spans(store, &todo).unwrap(), Some(expected));
        assert_verified(store);
    }
}

/// A stranger's change on a text that it has seen: operations behind its first character.
fn strange(todo: &Change, actions: &[OpType]) -> Change {
    let text = todo.ops().iter().position(|op| matches!(op.action, OpType::Make(_))).unwrap() as u64;
    let of = |at: u64| legacy::OpId(todo.start_op() + at, todo.actor().clone());
    let first = todo.ops().iter().position(|op| op.insert).unwrap() as u64;
    let op = |action: &OpType| Op {
        action: action.clone(),
        obj: ObjectId::Id(of(text)),
        key: Key::Seq(ElementId::Id(of(first))),
        pred: Vec::new().into(),
        insert: true,
    };
    Change::from_expanded(ExpandedChange {
        operations: actions.iter().map(op).collect(),
        actor_id: ActorId::from([7; 16]),
        hash: None,
        seq: 1,
        start_op: std::num::NonZeroU64::new(todo.max_op() + 1).unwrap(),
        time: 5,
        message: None,
        deps: vec![todo.hash()],
        extra_bytes: Vec::new(),
        author: None,
    })
}

#[test]
fn a_strangers_broken_mark_is_quarantined_and_the_text_goes_on() {
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(&rich_sdl()));
    let todo = id(&save(&mut store, bed.tick(), "Todo", json!({"body": "abc"})));
    let held = rows(&mut store, 0).pop().unwrap();
    let change = Change::parse(&held.bytes).unwrap();
    let begin = OpType::MarkBegin(MarkData { name: "bold".into(), value: true.into(), expand: false });
    let broken = [
        vec![begin.clone()],
        vec![OpType::MarkEnd(true)],
        // The later of two behind one element stands first: the mark would end before it begins.
        vec![begin.clone(), OpType::MarkEnd(true)],
        vec![OpType::MarkBegin(MarkData { name: "".into(), value: true.into(), expand: false }), OpType::MarkEnd(true)],
    ];
    let record = RecordId(held.record.0);
    for (at, actions) in broken.iter().enumerate() {
        let bad = row(40 + at as u8, 1, "Todo", record, &strange(&change, actions));
        assert_eq!(apply(&mut store, &[bad]).quarantined, 1, "{actions:?}");
    }
    store.write(bed.tick(), |tx| tx.mark("Todo", &todo, "body", 1..2, Mark::new("bold", true))).unwrap();
    store.write(bed.tick(), |tx| tx.splice("Todo", &todo, "body", 3, 0, "d")).unwrap();
    assert_eq!(spans(&mut store, &todo).unwrap(), Some(vec![Span::plain("a"), bold("b"), Span::plain("cd")]));
    assert_verified(&store);
    store.close().unwrap();
    drop(store);
    let mut store = bed.open_with(Some(&rich_sdl()));
    assert_eq!(get(&mut store, "Todo", &todo).unwrap()["body"], "abcd");
}
