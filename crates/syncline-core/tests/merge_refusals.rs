//! Every reason to refuse a change, each by a change that is right in all else.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use std::num::NonZeroU64;

use automerge::legacy::{self, ElementId, Key, MarkData, ObjectId, Op, OpType};
use automerge::{ActorId, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use merge_support::{LIST, TEXT, genesis, make_both};
use syncline_core::change::{BadChange, Change, MAX_CHANGE_BYTES, MAX_TIME_MS};
use syncline_core::document::Document;
use syncline_core::guard::{self, MAX_DEPTH, Refusal};
use syncline_core::lineage::Lineage;
use syncline_core::rich::{
    BadMark, MARK_NAME_BYTES_MAX, MARK_NAMES_MAX, MARK_VALUE_BYTES_MAX, MARKS_MAX, TooManyMarks,
};
use syncline_core::state::RecordState;

fn actor(byte: u8) -> ActorId {
    ActorId::from([byte; 16])
}

fn id(counter: u64, byte: u8) -> legacy::OpId {
    legacy::OpId(counter, actor(byte))
}

fn op(action: OpType, pred: &[legacy::OpId]) -> Op {
    Op { action, obj: ObjectId::Root, key: Key::Map("title".into()), pred: pred.to_vec().into(), insert: false }
}

fn put(key: &str, value: impl Into<ScalarValue>, pred: &[legacy::OpId]) -> Op {
    Op { key: Key::Map(key.into()), ..op(OpType::Put(value.into()), pred) }
}

fn change_of(byte: u8, seq: u64, start_op: u64, deps: &[ChangeHash], operations: Vec<Op>) -> ExpandedChange {
    let mut deps = deps.to_vec();
    deps.sort();
    ExpandedChange {
        operations,
        actor_id: actor(byte),
        hash: None,
        seq,
        start_op: NonZeroU64::new(start_op).unwrap(),
        time: 7,
        message: None,
        deps,
        extra_bytes: Vec::new(),
        author: None,
    }
}

/// Created by actor 1 with objects (operations 1 to 8: live, text, a, b, list, {, street, 1), then
/// a title (9), a counter (10) and a deleted key (11, 12) by actor 2; actor 3 wrote `side` (9)
/// beside.
struct Record {
    state: RecordState,
    lineage: Lineage,
    first: ChangeHash,
    second: ChangeHash,
    side: ChangeHash,
}

const TEXT_MADE: u64 = 2;
const LIST_MADE: u64 = 5;

impl Record {
    fn new() -> Self {
        let mut record = Self {
            state: RecordState::default(),
            lineage: Lineage::default(),
            first: ChangeHash([0; 32]),
            second: ChangeHash([0; 32]),
            side: ChangeHash([0; 32]),
        };
        let created = Document::default().edit(&make_both(), &genesis, &actor(1), 5).unwrap().unwrap();
        record.first = record.take(&created.changes[0]);
        let deleted = Op { key: Key::Map("gone".into()), ..op(OpType::Delete, &[id(11, 2)]) };
        let ops = vec![put("title", "t", &[]), put("n", ScalarValue::counter(0), &[]), put("gone", 1, &[]), deleted];
        let second = change_of(2, 1, 9, &[record.first], ops);
        record.second = record.take(&Change::from_expanded(second));
        let side = Change::from_expanded(change_of(3, 1, 9, &[record.first], vec![put("side", 1, &[])]));
        record.side = record.take(&side);
        record
    }

    fn take(&mut self, change: &Change) -> ChangeHash {
        assert_eq!(self.check(change), Ok(()));
        self.state.apply(change);
        self.lineage.insert(change).unwrap();
        change.hash()
    }

    fn check(&mut self, change: &Change) -> Result<(), Refusal> {
        let parsed = Change::parse(change.bytes()).expect("only the guard is to refuse");
        guard::check(&parsed, &self.state, &mut self.lineage).unwrap()
    }

    /// Judges operations of actor 2 on top of everything, or of its own change only.
    fn judge(&mut self, deps: &[ChangeHash], operations: Vec<Op>) -> Result<(), Refusal> {
        self.check(&Change::from_expanded(change_of(2, 2, 13, deps, operations)))
    }

    fn judge_on_all(&mut self, operations: Vec<Op>) -> Result<(), Refusal> {
        let (second, side) = (self.second, self.side);
        self.judge(&[second, side], operations)
    }

    fn judge_one(&mut self, operation: Op) -> Result<(), Refusal> {
        self.judge_on_all(vec![operation])
    }
}

#[test]
fn the_frame_of_a_change_must_fit_its_past() {
    let mut record = Record::new();
    let (first, second, side) = (record.first, record.second, record.side);
    let all = [second, side];
    let ops = || vec![put("title", "u", &[id(9, 2)])];
    let check = |record: &mut Record, change| record.check(&Change::from_expanded(change));
    assert_eq!(check(&mut record, change_of(2, 2, 13, &all, ops())), Ok(()));
    let unknown = ChangeHash([9; 32]);
    assert_eq!(
        check(&mut record, change_of(2, 2, 13, &[second, unknown], ops())),
        Err(Refusal::MissingDeps(vec![unknown]))
    );
    let held = change_of(3, 1, 9, &[first], vec![put("side", 1, &[])]);
    assert_eq!(check(&mut record, held), Err(Refusal::Held));
    assert_eq!(check(&mut record, change_of(2, 4, 13, &all, ops())), Err(Refusal::Seq { expected: 2, found: 4 }));
    assert_eq!(check(&mut record, change_of(2, 2, 10, &[side], vec![put("x", 1, &[])])), Err(Refusal::OwnChangeUnseen));
    assert_eq!(check(&mut record, change_of(3, 1, 9, &[first], vec![put("other", 1, &[])])), Err(Refusal::Forked(1)));
    for found in [12, 14] {
        assert_eq!(
            check(&mut record, change_of(2, 2, found, &all, ops())),
            Err(Refusal::StartOp { expected: 13, found })
        );
    }
}

#[test]
fn operations_at_root_keys_must_replace_what_they_saw() {
    let mut record = Record::new();
    let make =
        |kind, key: &str, pred: &[legacy::OpId]| Op { key: Key::Map(key.into()), ..op(OpType::Make(kind), pred) };
    let at = |key: &str, op: Op| Op { key: Key::Map(key.into()), ..op };
    let counter = id(10, 2);
    for fine in [
        put("title", "u", &[id(9, 2)]),
        put("title", "beside", &[]),
        at("n", op(OpType::Increment(2), std::slice::from_ref(&counter))),
        make(ObjType::Text, "later", &[]),
    ] {
        assert_eq!(record.judge_one(fine), Ok(()));
    }
    let cases = [
        (make(ObjType::Table, "later", &[]), Refusal::Action { op: 0 }),
        (at("x", op(OpType::MarkEnd(false), &[])), Refusal::Action { op: 0 }),
        (put("title", "u", &[id(9, 2), id(9, 2)]), Refusal::PredOrder { op: 0 }),
        (put("title", "u", &[id(10, 2)]), Refusal::PredUnseen { op: 0 }),
        (put("title", "u", &[id(99, 7)]), Refusal::PredUnseen { op: 0 }),
        (put("gone", "u", &[id(12, 2)]), Refusal::PredUnseen { op: 0 }),
        (op(OpType::Delete, &[]), Refusal::DeletesNothing { op: 0 }),
        (at("n", op(OpType::Increment(2), &[])), Refusal::IncrementsNothing { op: 0 }),
        (op(OpType::Increment(2), &[id(9, 2)]), Refusal::IncrementsNothing { op: 0 }),
        (put(TEXT, "over", &[id(TEXT_MADE, 1)]), Refusal::OverObject { op: 0 }),
        (put(TEXT, "beside", &[]), Refusal::OverObject { op: 0 }),
        (at(LIST, op(OpType::Delete, &[id(LIST_MADE, 1)])), Refusal::OverObject { op: 0 }),
        (make(ObjType::List, "title", &[]), Refusal::MakeOver { op: 0 }),
        (make(ObjType::List, "title", &[id(9, 2)]), Refusal::MakeOver { op: 0 }),
    ];
    for (operation, refusal) in cases {
        assert_eq!(record.judge_one(operation.clone()), Err(refusal), "{operation:?}");
    }
    let second = record.second;
    assert_eq!(
        record.judge(&[second], vec![put("side", 2, &[id(9, 3)])]),
        Err(Refusal::PredUnseen { op: 0 }),
        "held, but concurrent"
    );
    let chained = vec![put("k", 1, &[]), put("k", 2, &[id(13, 2)]), put("k", 3, &[id(13, 2)])];
    assert_eq!(record.judge_on_all(chained), Err(Refusal::PredUnseen { op: 2 }));
}

fn within(made: u64, key: Key, insert: bool, action: OpType, pred: &[legacy::OpId]) -> Op {
    Op { action, obj: ObjectId::Id(id(made, 1)), key, pred: pred.to_vec().into(), insert }
}

fn element(counter: u64) -> Key {
    Key::Seq(ElementId::Id(id(counter, 1)))
}

fn character() -> OpType {
    OpType::Put("c".into())
}

#[test]
fn operations_in_objects_must_fit_what_they_refer_to() {
    let mut record = Record::new();
    let head = || Key::Seq(ElementId::Head);
    let street = || Key::Map("street".into());
    let number = || OpType::Put(1.into());
    for fine in [
        within(TEXT_MADE, head(), true, character(), &[]),
        within(TEXT_MADE, element(3), true, character(), &[]),
        within(TEXT_MADE, element(3), false, OpType::Delete, &[id(3, 1)]),
        within(LIST_MADE, element(8), false, number(), &[id(8, 1)]),
        within(LIST_MADE, element(8), true, OpType::Make(ObjType::Map), &[]),
        within(6, street(), false, number(), &[id(7, 1)]),
        within(6, Key::Map("zip".into()), false, number(), &[]),
    ] {
        assert_eq!(record.judge_one(fine.clone()), Ok(()), "{fine:?}");
    }
    let op = 0;
    let cases = [
        (within(99, head(), true, character(), &[]), Refusal::ObjectUnseen { op }),
        (within(3, head(), true, character(), &[]), Refusal::ObjectUnseen { op }),
        (within(TEXT_MADE, element(99), true, character(), &[]), Refusal::ElementUnseen { op }),
        (within(TEXT_MADE, element(8), true, character(), &[]), Refusal::ElementUnseen { op }),
        (within(TEXT_MADE, element(TEXT_MADE), true, character(), &[]), Refusal::ElementUnseen { op }),
        (within(TEXT_MADE, street(), true, character(), &[]), Refusal::WrongAddress { op }),
        (within(TEXT_MADE, head(), false, OpType::Delete, &[id(3, 1)]), Refusal::WrongAddress { op }),
        (within(6, head(), true, number(), &[]), Refusal::WrongAddress { op }),
        (within(6, street(), true, number(), &[]), Refusal::WrongAddress { op }),
        (within(TEXT_MADE, element(3), false, OpType::Delete, &[id(4, 1)]), Refusal::PredUnseen { op }),
        (within(LIST_MADE, element(8), false, number(), &[id(9, 2)]), Refusal::PredUnseen { op }),
        (within(6, street(), false, number(), &[id(8, 1)]), Refusal::PredUnseen { op }),
        (within(TEXT_MADE, element(3), false, OpType::Delete, &[]), Refusal::DeletesNothing { op }),
        (within(LIST_MADE, element(8), false, number(), &[]), Refusal::InsertOrReplace { op }),
        (within(TEXT_MADE, element(3), true, character(), &[id(4, 1)]), Refusal::PredUnseen { op }),
        (within(TEXT_MADE, head(), true, OpType::Put("cc".into()), &[]), Refusal::NotACharacter { op }),
        (within(TEXT_MADE, head(), true, OpType::Put("".into()), &[]), Refusal::NotACharacter { op }),
        (within(TEXT_MADE, head(), true, number(), &[]), Refusal::NotACharacter { op }),
        (within(TEXT_MADE, head(), true, OpType::Make(ObjType::Map), &[]), Refusal::NotACharacter { op }),
        (within(TEXT_MADE, element(3), false, character(), &[id(3, 1)]), Refusal::NotACharacter { op }),
        (within(LIST_MADE, element(8), false, OpType::Increment(1), &[id(8, 1)]), Refusal::Action { op }),
        (within(LIST_MADE, head(), true, OpType::Make(ObjType::Table), &[]), Refusal::Action { op }),
        (within(LIST_MADE, head(), true, OpType::Delete, &[]), Refusal::Action { op }),
    ];
    for (operation, refusal) in cases {
        assert_eq!(record.judge_one(operation.clone()), Err(refusal), "{operation:?}");
    }
}

fn begin(name: &str, value: impl Into<ScalarValue>) -> OpType {
    OpType::MarkBegin(MarkData { name: name.into(), value: value.into(), expand: false })
}

/// A mark on the text: where it begins and where it ends.
fn mark(action: OpType, from: Key, to: Key) -> Vec<Op> {
    vec![within(TEXT_MADE, from, true, action, &[]), within(TEXT_MADE, to, true, OpType::MarkEnd(true), &[])]
}

#[test]
fn a_mark_is_a_beginning_and_an_end_in_one_text_in_this_order() {
    let mut record = Record::new();
    let head = || Key::Seq(ElementId::Head);
    // Operation 13 is the first of the change: an end behind its own beginning spans nothing.
    let bold = || begin("bold", true);
    for fine in [
        mark(bold(), head(), element(3)),
        mark(bold(), head(), element(4)),
        mark(bold(), element(3), element(4)),
        mark(bold(), head(), own(13)),
        mark(bold(), element(4), own(13)),
        mark(begin("bold", ScalarValue::Null), head(), element(3)),
        mark(begin("size", -3), head(), element(3)),
        mark(begin("comment", r#"{"by":"Ann"}"#), head(), element(3)),
        [mark(bold(), head(), element(3)), mark(bold(), own(13), own(14))].concat(),
    ] {
        assert_eq!(record.judge_on_all(fine.clone()), Ok(()), "{fine:?}");
    }
    let whole = mark(bold(), head(), element(3));
    let (begins, ends) = (whole[0].clone(), whole[1].clone());
    let typed = within(TEXT_MADE, element(3), true, character(), &[]);
    let at_list = |key: Key| vec![within(LIST_MADE, key, true, bold(), &[])];
    let unpaired = |op| Refusal::UnpairedMark { op };
    let cases = [
        (vec![begins.clone()], unpaired(0)),
        (vec![ends.clone()], unpaired(0)),
        (vec![begins.clone(), typed.clone(), ends.clone()], unpaired(0)),
        (vec![begins.clone(), put("x", 1, &[]), ends.clone()], unpaired(0)),
        (vec![begins.clone(), begins.clone(), ends.clone()], unpaired(0)),
        (vec![begins.clone(), ends.clone(), ends.clone()], unpaired(2)),
        (mark(bold(), element(3), element(3)), Refusal::MarkOrder { op: 1 }),
        (mark(bold(), element(4), element(3)), Refusal::MarkOrder { op: 1 }),
        (mark(bold(), head(), head()), Refusal::MarkOrder { op: 1 }),
        (mark(bold(), element(3), head()), Refusal::MarkOrder { op: 1 }),
        (mark(bold(), head(), element(8)), Refusal::ElementUnseen { op: 1 }),
        (at_list(head()), Refusal::Action { op: 0 }),
        (vec![within(TEXT_MADE, element(3), false, bold(), &[id(3, 1)])], Refusal::Action { op: 0 }),
        (vec![within(TEXT_MADE, element(3), true, bold(), &[id(3, 1)])], Refusal::PredUnseen { op: 0 }),
        (vec![within(6, Key::Map("street".into()), false, bold(), &[])], Refusal::Action { op: 0 }),
    ];
    for (operations, refusal) in cases {
        assert_eq!(record.judge_on_all(operations.clone()), Err(refusal), "{operations:?}");
    }
    // Deleted or overwritten as characters are, it would be one no more.
    let gone = within(TEXT_MADE, own(13), false, OpType::Delete, &[id(13, 2)]);
    let deleted = [whole, vec![gone]].concat();
    assert_eq!(record.judge_on_all(deleted), Err(Refusal::PredUnseen { op: 2 }));
}

#[test]
fn a_mark_ends_in_the_text_in_which_it_begins() {
    let mut record = Record::new();
    let second = Op { key: Key::Map("notes".into()), ..op(OpType::Make(ObjType::Text), &[]) };
    let begins = within(TEXT_MADE, Key::Seq(ElementId::Head), true, begin("bold", true), &[]);
    let ends =
        Op { obj: ObjectId::Id(id(13, 2)), ..within(1, Key::Seq(ElementId::Head), true, OpType::MarkEnd(false), &[]) };
    let refusal = Refusal::UnpairedMark { op: 1 };
    assert_eq!(record.judge_on_all(vec![second, begins, ends]), Err(refusal));
}

#[test]
fn names_and_values_of_marks_are_bounded() {
    let mut record = Record::new();
    let long = "n".repeat(MARK_NAME_BYTES_MAX + 1);
    let huge = "v".repeat(MARK_VALUE_BYTES_MAX + 1);
    let cases = [
        (begin("", true), BadMark::NoName),
        (begin(&long, true), BadMark::NameTooLong(long.len())),
        (begin("a\u{7}", true), BadMark::NameCharacter('\u{7}')),
        (begin("a", huge.as_str()), BadMark::ValueTooLong(huge.len())),
        (begin("a", f64::NAN), BadMark::Number),
        (begin("a", 7_u64), BadMark::Number),
        (begin("a", ScalarValue::counter(1)), BadMark::NotScalar("a counter")),
        (begin("a", ScalarValue::Timestamp(1)), BadMark::NotScalar("a timestamp")),
        (begin("a", vec![1_u8]), BadMark::NotScalar("bytes")),
    ];
    for (action, reason) in cases {
        let whole = mark(action, Key::Seq(ElementId::Head), element(3));
        assert_eq!(record.judge_on_all(whole), Err(Refusal::BadMark { op: 0, reason }));
    }
}

/// The record with so many characters more behind the second, by actor 2: operations 13 and on.
fn with_text(characters: u64) -> (Record, ChangeHash) {
    let mut record = Record::new();
    let (second, side) = (record.second, record.side);
    let typed = |at: u64| {
        let behind = if at == 0 { element(4) } else { own(12 + at) };
        within(TEXT_MADE, behind, true, character(), &[])
    };
    let typed = change_of(2, 2, 13, &[second, side], (0..characters).map(typed).collect());
    let typed = record.take(&Change::from_expanded(typed));
    (record, typed)
}

/// An element that actor 2 made.
fn own(counter: u64) -> Key {
    Key::Seq(ElementId::Id(id(counter, 2)))
}

/// The ends of a mark may lie as far apart as the text is long, and a change has room for all marks that a record
/// takes: walking from end to end for each of them would keep a store busy for minutes.
#[test]
fn many_long_marks_are_judged_in_time_that_grows_with_the_text_and_not_with_its_square() {
    let (mut record, typed) = with_text(60_000);
    let last = 60_012;
    let marks: Vec<Op> = (0..MARKS_MAX).flat_map(|_| mark(begin("bold", true), element(3), own(last))).collect();
    let mut bad = marks.clone();
    let end = bad.len() - 1;
    bad[end].key = element(3);
    for (operations, verdict) in [(marks, Ok(())), (bad, Err(Refusal::MarkOrder { op: end }))] {
        assert_eq!(record.check(&Change::from_expanded(change_of(2, 3, last + 1, &[typed], operations))), verdict);
    }
}

/// Where marks stand one inside the other, each has to be looked at for each: a peer could send a few hundred
/// kilobytes that cost minutes at every later change, and spans of gigabytes.
#[test]
fn a_record_takes_so_many_marks_in_its_life_and_no_more() {
    let (mut record, typed) = with_text(1);
    let some = |count: usize| -> Vec<Op> {
        (0..count).flat_map(|_| mark(begin("bold", true), element(3), element(4))).collect()
    };
    let too_many = |new| Err(Refusal::TooManyMarks(TooManyMarks::Marks(new)));
    let of = |byte, seq, start_op, deps: &[ChangeHash], operations| {
        Change::from_expanded(change_of(byte, seq, start_op, deps, operations))
    };
    assert_eq!(record.check(&of(2, 3, 14, &[typed], some(MARKS_MAX + 1))), too_many(MARKS_MAX + 1));
    let most = of(2, 3, 14, &[typed], some(MARKS_MAX - 1));
    let (most_hash, next) = (record.take(&most), most.max_op() + 1);
    assert_eq!(record.check(&of(2, 4, next, &[most_hash], some(2))), too_many(2));
    assert_eq!(record.check(&of(2, 4, next, &[most_hash], some(1))), Ok(()));
    // What counts is the past, as it is the same wherever the change arrives.
    let beside = of(7, 1, 14, &[typed], some(MARKS_MAX));
    let (beside_hash, behind_beside) = (record.take(&beside), beside.max_op() + 1);
    // Until it is twice as much.
    assert_eq!(record.check(&of(8, 1, 14, &[typed], some(2))), too_many(2));
    assert_eq!(record.check(&of(8, 1, 14, &[typed], some(1))), Ok(()));
    assert_eq!(record.check(&of(7, 2, behind_beside, &[beside_hash], some(1))), too_many(1));
    let typing = within(TEXT_MADE, element(3), true, character(), &[]);
    assert_eq!(record.check(&of(7, 2, behind_beside, &[beside_hash], vec![typing])), Ok(()));
}

#[test]
fn the_marks_of_a_record_have_so_many_names_and_no_more() {
    let (mut record, typed) = with_text(1);
    let named = |names: std::ops::Range<usize>| -> Vec<Op> {
        names.flat_map(|name| mark(begin(&format!("n{name}"), true), element(3), element(4))).collect()
    };
    let too_many = |new| Err(Refusal::TooManyMarks(TooManyMarks::Names(new)));
    let of = |byte, seq, start_op, deps: &[ChangeHash], operations| {
        Change::from_expanded(change_of(byte, seq, start_op, deps, operations))
    };
    let beyond = MARK_NAMES_MAX + 1;
    assert_eq!(record.check(&of(2, 3, 14, &[typed], named(0..beyond))), too_many(beyond));
    let most = of(2, 3, 14, &[typed], named(0..MARK_NAMES_MAX));
    let (most_hash, next) = (record.take(&most), most.max_op() + 1);
    assert_eq!(record.check(&of(2, 4, next, &[most_hash], named(MARK_NAMES_MAX..beyond))), too_many(1));
    assert_eq!(record.check(&of(2, 4, next, &[most_hash], named(0..MARK_NAMES_MAX))), Ok(()));
    let beside = of(7, 1, 14, &[typed], named(MARK_NAMES_MAX..2 * MARK_NAMES_MAX));
    record.take(&beside);
    assert_eq!(record.check(&of(8, 1, 14, &[typed], named(2 * MARK_NAMES_MAX..2 * MARK_NAMES_MAX + 1))), too_many(1));
}

#[test]
fn elements_that_are_held_but_concurrent_are_unseen() {
    let mut record = Record::new();
    let insert = within(TEXT_MADE, Key::Seq(ElementId::Head), true, character(), &[]);
    let beside = change_of(4, 1, 9, &[record.first], vec![insert]);
    record.take(&Change::from_expanded(beside));
    let after = Op { key: Key::Seq(ElementId::Id(id(9, 4))), ..within(TEXT_MADE, element(3), true, character(), &[]) };
    assert_eq!(record.judge_on_all(vec![after]), Err(Refusal::ElementUnseen { op: 0 }));
}

#[test]
fn nesting_is_bounded() {
    let mut record = Record::new();
    let nested = |levels: u64| -> Vec<Op> {
        let make = |level: u64| Op {
            action: OpType::Make(ObjType::List),
            obj: ObjectId::Id(if level == 0 { id(LIST_MADE, 1) } else { id(12 + level, 2) }),
            key: Key::Seq(ElementId::Head),
            pred: Vec::new().into(),
            insert: true,
        };
        (0..levels).map(make).collect()
    };
    let most = u64::from(MAX_DEPTH);
    assert_eq!(record.judge_on_all(nested(most)), Ok(()));
    assert_eq!(record.judge_on_all(nested(most + 1)), Err(Refusal::TooDeep { op: usize::from(MAX_DEPTH) }));
}

/// A change that `spoil` made unacceptable to any record.
fn spoiled(spoil: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut change = change_of(2, 1, 1, &[], vec![put("title", "t", &[])]);
    spoil(&mut change);
    automerge::Change::from(change).raw_bytes().to_vec()
}

#[test]
fn bytes_that_no_record_takes_are_refused_before_any_is_asked() {
    let dep = ChangeHash([1; 32]);
    let unknown = ScalarValue::Unknown { type_code: 14, bytes: vec![1] };
    let cases: [(Vec<u8>, BadChange); 12] = [
        (spoiled(|change| change.extra_bytes = vec![1, 1, 9]), BadChange::ExtraBytes),
        (spoiled(|change| change.message = Some("m".into())), BadChange::Message),
        (spoiled(|change| change.operations.clear()), BadChange::Empty),
        (spoiled(|change| change.time = -1), BadChange::Time(-1)),
        (spoiled(|change| change.time = MAX_TIME_MS), BadChange::Time(MAX_TIME_MS)),
        (spoiled(|change| change.deps = vec![dep, dep]), BadChange::RepeatedDeps),
        (spoiled(|change| change.seq = 0), BadChange::CounterWidth),
        (spoiled(|change| change.start_op = NonZeroU64::new(u64::from(u32::MAX)).unwrap()), BadChange::CounterWidth),
        (spoiled(|change| change.actor_id = ActorId::from(vec![1; 65])), BadChange::Actor(65)),
        (spoiled(|change| change.operations = vec![put("k", unknown, &[])]), BadChange::UnknownValue(14)),
        (
            spoiled(|change| change.operations = vec![put("k", ScalarValue::counter(1 << 60), &[])]),
            BadChange::CounterRange(1 << 60),
        ),
        (
            spoiled(|change| change.operations = vec![op(OpType::Increment(i64::MIN), &[])]),
            BadChange::CounterRange(i64::MIN),
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Change::parse(&bytes), Err(expected));
    }
    assert_eq!(Change::parse(b"hello"), Err(BadChange::NotAChunk));
    assert_eq!(Change::parse(&vec![0; MAX_CHANGE_BYTES + 1]), Err(BadChange::TooLarge(MAX_CHANGE_BYTES + 1)));
    let good = spoiled(|_| {});
    assert_eq!(Change::parse(&good[..good.len() - 1]), Err(BadChange::Length));
    let mut wrong_sum = good.clone();
    wrong_sum[4] ^= 1;
    assert_eq!(Change::parse(&wrong_sum), Err(BadChange::NotCanonical));
}

#[test]
fn compressed_changes_and_other_chunks_are_refused_unread() {
    let long = spoiled(|change| change.operations = vec![put("k", "x".repeat(4_000).as_str(), &[])]);
    let mut change = automerge::Change::from_bytes(long).unwrap();
    let compressed = change.bytes().to_vec();
    assert_eq!(Change::parse(&compressed), Err(BadChange::ChunkType(2)));
    let document = Document::default().export();
    assert_eq!(Change::parse(&document), Err(BadChange::ChunkType(0)));
}

/// Twenty bytes of columns that stand for 2^60 operations: nothing may walk that run.
#[test]
fn a_run_length_is_no_way_to_keep_a_reader_busy() {
    for (spec, name) in [(0x42_u8, "operations"), (0x70, "predecessors")] {
        let mut body = vec![0, 1, 7, 1, 1, 0, 0, 0]; // no deps, actor 07, seq 1, op 1, time 0
        body.extend([1, spec, 10]);
        body.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x01]);
        let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, body.len() as u8];
        chunk.extend(body);
        assert_eq!(Change::parse(&chunk), Err(BadChange::TooManyOps), "{name}");
    }
    let deflated = [0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, 12, 0, 1, 7, 1, 1, 0, 0, 0, 1, 0x4a, 1, 0];
    assert_eq!(Change::parse(&deflated), Err(BadChange::Column(0x4a)));
}
