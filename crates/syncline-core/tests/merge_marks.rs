//! Marks: what they cover, how they expand and merge, spans in and out, and cursors.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a value that is new here is to fail")]

mod merge_support;

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use automerge::legacy::{self, ElementId, Key, MarkData, ObjectId, Op, OpType};
use automerge::{ActorId, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue};
use merge_support::{Rng, TEXT, cases, expand, genesis, make_both, mark_edit, object_edit};
use serde_json::{Value, json};
use syncline_core::change::Change;
use syncline_core::document::{Budget, Document};
use syncline_core::edit::{Edits, ObjectEdit};
use syncline_core::guard;
use syncline_core::lineage::Lineage;
use syncline_core::rich::{
    Expand, ExpandRules, MARK_NAMES_MAX, MARKS_MAX, Marks, Span, SpansTooLarge, TooManyMarks, plain_text,
};
use syncline_core::state::{EditError, RecordState};

fn actor(byte: u8) -> ActorId {
    ActorId::from([byte; 16])
}

fn edit(document: &mut Document, writer: u8, objects: Vec<ObjectEdit>) -> Vec<Change> {
    let edits = Edits { root: Vec::new(), objects };
    let edited = document.edit(&edits, &genesis, &actor(writer), 1_000).unwrap();
    edited.map_or_else(Vec::new, |edited| edited.genesis.into_iter().chain(edited.changes).collect())
}

fn splice(at: usize, delete: usize, insert: &str) -> ObjectEdit {
    ObjectEdit::Splice { key: TEXT.into(), at, delete, insert: insert.into() }
}

fn mark(from: usize, to: usize, name: &str, value: impl Into<ScalarValue>, expand: Expand) -> ObjectEdit {
    ObjectEdit::Mark { key: TEXT.into(), from, to, name: name.into(), value: value.into(), expand }
}

fn unmark(from: usize, to: usize, name: &str, expand: Expand) -> ObjectEdit {
    ObjectEdit::Unmark { key: TEXT.into(), from, to, name: name.into(), expand }
}

fn set_spans(spans: Vec<Span>) -> ObjectEdit {
    ObjectEdit::SetSpans(TEXT.into(), spans, ExpandRules::default())
}

fn text(text: &str) -> (Document, Vec<Change>) {
    let mut document = Document::default();
    let mut changes = edit(&mut document, 1, make_both().objects);
    changes.extend(edit(&mut document, 1, vec![ObjectEdit::SetText(TEXT.into(), text.into())]));
    (document, changes)
}

/// The spans in one line: marked ones in brackets, with the names of their marks.
fn shown(document: &Document) -> String {
    let one = |span: Span| match span.marks.is_empty() {
        true => span.text,
        false => {
            let value = |(name, value): (&String, &Value)| match value {
                Value::Bool(true) => name.clone(),
                other => format!("{name}={other}"),
            };
            let marks: Vec<String> = span.marks.iter().map(value).collect();
            format!("[{}|{}]", span.text, marks.join(","))
        }
    };
    document.spans(TEXT).unwrap().unwrap().into_iter().map(one).collect()
}

/// Both with everything; they must agree.
fn meet(mut a: Document, from_a: &[Change], mut b: Document, from_b: &[Change]) -> Document {
    a.apply_accepted(from_b).unwrap();
    b.apply_accepted(from_a).unwrap();
    assert_eq!(a.heads(), b.heads());
    assert_eq!(a.spans(TEXT).unwrap(), b.spans(TEXT).unwrap());
    let loaded = Document::load(&a.save().unwrap()).unwrap();
    assert_eq!(loaded.spans(TEXT).unwrap(), a.spans(TEXT).unwrap());
    a
}

#[test]
fn text_typed_at_the_ends_of_a_mark_belongs_to_it_as_its_expansion_says() {
    let cases = [
        (Expand::None, "ab<[cd|bold]>ef"),
        (Expand::After, "ab<[cd>|bold]ef"),
        (Expand::Before, "ab[<cd|bold]>ef"),
        (Expand::Both, "ab[<cd>|bold]ef"),
    ];
    for (expand, expected) in cases {
        let (mut document, _) = text("abcdef");
        edit(&mut document, 1, vec![mark(2, 4, "bold", true, expand)]);
        let mut elsewhere = document.clone();
        edit(&mut document, 1, vec![splice(2, 0, "<"), splice(5, 0, ">")]);
        assert_eq!(shown(&document), expected, "{expand}, by its writer");
        edit(&mut elsewhere, 2, vec![splice(4, 0, ">"), splice(2, 0, "<")]);
        assert_eq!(shown(&elsewhere), expected, "{expand}, by another");
    }
}

#[test]
fn text_typed_inside_a_mark_belongs_to_it_whatever_its_expansion() {
    for expand in [Expand::None, Expand::After, Expand::Before, Expand::Both] {
        let (mut document, _) = text("abcdef");
        edit(&mut document, 1, vec![mark(2, 4, "bold", true, expand), splice(3, 0, "x")]);
        assert_eq!(shown(&document), "ab[cxd|bold]ef");
    }
}

#[test]
fn text_typed_concurrently_at_the_end_of_a_mark_follows_its_expansion_too() {
    for (expand, expected) in [(Expand::None, "ab[cd|link=1]!ef"), (Expand::After, "ab[cd!|link=1]ef")] {
        let (mut a, _) = text("abcdef");
        edit(&mut a, 1, vec![mark(2, 4, "link", 1, expand)]);
        let mut b = a.clone();
        let from_a = edit(&mut a, 2, vec![splice(4, 0, "!")]);
        let from_b = edit(&mut b, 3, vec![mark(0, 2, "bold", true, Expand::None)]);
        let met = meet(a, &from_a, b, &from_b);
        assert_eq!(shown(&met), format!("[ab|bold]{}", &expected[2..]), "{expand}");
    }
}

#[test]
fn overlapping_marks_of_different_names_stand_together() {
    let (mut a, _) = text("the quick fox");
    let mut b = a.clone();
    let from_a = edit(&mut a, 2, vec![mark(0, 9, "bold", true, Expand::After)]);
    let from_b = edit(&mut b, 3, vec![mark(4, 13, "italic", true, Expand::After)]);
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), "[the |bold][quick|bold,italic][ fox|italic]");
}

#[test]
fn of_concurrent_values_of_one_mark_one_wins_on_the_characters_that_have_both() {
    let (mut a, _) = text("the quick fox");
    let mut b = a.clone();
    let from_a = edit(&mut a, 2, vec![mark(0, 9, "link", "a", Expand::None)]);
    let from_b = edit(&mut b, 3, vec![mark(4, 13, "link", "b", Expand::None)]);
    // Equal counters: the greater actor.
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), r#"[the |link="a"][quick fox|link="b"]"#);
}

#[test]
fn taking_a_mark_away_and_putting_another_on_meet() {
    let (mut a, _) = text("abcdef");
    edit(&mut a, 1, vec![mark(0, 6, "bold", true, Expand::After)]);
    let mut b = a.clone();
    let from_a = edit(&mut a, 2, vec![unmark(2, 4, "bold", Expand::After)]);
    let from_b = edit(&mut b, 3, vec![mark(3, 5, "italic", true, Expand::After), splice(6, 0, "!")]);
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), "[ab|bold]c[d|italic][e|bold,italic][f!|bold]");
}

#[test]
fn what_is_typed_behind_text_that_was_unmarked_at_the_end_of_a_mark_has_no_mark() {
    let (mut document, _) = text("abcd");
    edit(&mut document, 1, vec![mark(0, 4, "bold", true, Expand::After)]);
    edit(&mut document, 1, vec![unmark(2, 4, "bold", Expand::After), splice(4, 0, "e")]);
    assert_eq!(shown(&document), "[ab|bold]cde");
}

#[test]
fn a_mark_goes_with_its_characters_and_stays_on_those_that_remain() {
    let (mut a, _) = text("abcdef");
    edit(&mut a, 1, vec![mark(1, 5, "bold", true, Expand::None)]);
    let mut b = a.clone();
    let from_a = edit(&mut a, 2, vec![splice(0, 3, "")]);
    let from_b = edit(&mut b, 3, vec![splice(3, 0, "x"), mark(5, 7, "link", 1, Expand::None)]);
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), "[xd|bold][e|bold,link=1][f|link=1]");
    let mut met = met;
    edit(&mut met, 2, vec![splice(0, 4, "")]);
    assert_eq!(met.spans(TEXT).unwrap(), Some(Vec::new()));
    edit(&mut met, 2, vec![splice(0, 0, "new")]);
    assert_eq!(shown(&met), "new", "nothing is left for marks that do not expand");
}

#[test]
fn a_mark_on_text_that_was_deleted_meanwhile_shows_nowhere() {
    let (mut a, _) = text("abcdef");
    let mut b = a.clone();
    let from_a = edit(&mut a, 2, vec![splice(1, 4, "")]);
    let from_b = edit(&mut b, 3, vec![mark(2, 4, "comment", r#"{"by":"Ann"}"#, Expand::None)]);
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), "af");
}

#[test]
fn a_save_of_equal_spans_makes_no_change() {
    let (mut document, _) = text("abcdef");
    edit(&mut document, 1, vec![mark(1, 5, "bold", true, Expand::None), mark(2, 3, "size", 1.5, Expand::None)]);
    let heads = document.heads();
    let spans = document.spans(TEXT).unwrap().unwrap();
    assert_eq!(edit(&mut document, 7, vec![set_spans(spans.clone())]), []);
    let cut = spans.iter().flat_map(|span| {
        span.text.chars().map(|one| Span { text: one.to_string(), marks: span.marks.clone() }.with("gone", Value::Null))
    });
    let cut: Vec<Span> = cut.chain([Span::plain("").with("bold", true)]).collect();
    assert_eq!(edit(&mut document, 7, vec![set_spans(cut)]), [], "whatever way it is cut into spans");
    assert_eq!(document.heads(), heads);
}

#[test]
fn a_save_of_spans_leaves_concurrent_edits_elsewhere_alone() {
    let (mut a, _) = text("the quick brown fox");
    edit(&mut a, 1, vec![mark(4, 9, "bold", true, Expand::After)]);
    let mut b = a.clone();
    let spans = vec![Span::plain("the "), Span::plain("slow").with("bold", true), Span::plain(" brown fox")];
    let from_a = edit(&mut a, 2, vec![set_spans(spans)]);
    let jumps = vec![splice(19, 0, " jumps"), mark(10, 15, "italic", true, Expand::After)];
    let from_b = edit(&mut b, 3, jumps);
    let met = meet(a, &from_a, b, &from_b);
    assert_eq!(shown(&met), "the [slow|bold] [brown|italic] fox jumps");
}

#[test]
fn a_plain_save_of_a_rich_text_keeps_the_marks_of_what_stays() {
    let (mut document, _) = text("the quick fox");
    edit(&mut document, 1, vec![mark(4, 9, "bold", true, Expand::None)]);
    edit(&mut document, 1, vec![ObjectEdit::SetText(TEXT.into(), "a quick red fox".into())]);
    assert_eq!(shown(&document), "a [quick|bold] red fox");
}

#[test]
fn marks_expand_as_the_rules_of_a_save_of_spans_say() {
    let (mut document, _) = text("");
    let rules = ExpandRules {
        named: BTreeMap::from([("link".to_owned(), Expand::None), ("note".to_owned(), Expand::Before)]),
        others: Expand::After,
    };
    let spans = vec![Span::plain("ab").with("bold", true).with("link", "x").with("note", 1), Span::plain("cd")];
    edit(&mut document, 1, vec![ObjectEdit::SetSpans(TEXT.into(), spans, rules)]);
    edit(&mut document, 1, vec![splice(2, 0, ">"), splice(0, 0, "<")]);
    assert_eq!(shown(&document), r#"[<|note=1][ab|bold,link="x",note=1][>|bold]cd"#);
}

#[test]
fn marks_that_cannot_be_put_say_why_and_change_nothing() {
    let (mut document, _) = text("abc");
    let heads = document.heads();
    let key = || TEXT.to_owned();
    let no_characters = |from, to| EditError::NoCharacters { key: key(), from, to, len: 3 };
    let bold = |from, to| mark(from, to, "bold", true, Expand::After);
    let cases = [
        (vec![bold(1, 4)], no_characters(1, 4)),
        (vec![bold(2, 2)], no_characters(2, 2)),
        (vec![bold(2, 1)], no_characters(2, 1)),
        (vec![unmark(3, 4, "bold", Expand::After)], no_characters(3, 4)),
        (vec![splice(0, 1, ""), bold(0, 3)], EditError::NoCharacters { key: key(), from: 0, to: 3, len: 2 }),
        (
            vec![mark(0, 1, "", true, Expand::After)],
            EditError::BadMark { key: key(), reason: syncline_core::rich::BadMark::NoName },
        ),
        (
            vec![mark(0, 1, "bold", ScalarValue::Null, Expand::After)],
            EditError::BadMark { key: key(), reason: syncline_core::rich::BadMark::Null },
        ),
        (
            vec![set_spans(vec![Span::plain("a").with("bold", json!([1]))])],
            EditError::BadMark { key: key(), reason: syncline_core::rich::BadMark::NotScalar("a list") },
        ),
    ];
    for (objects, expected) in cases {
        let edits = Edits { root: Vec::new(), objects };
        assert_eq!(document.edit(&edits, &genesis, &actor(1), 5), Err(expected));
    }
    assert_eq!(document.heads(), heads);
}

#[test]
fn a_save_of_spans_with_long_values_becomes_several_changes_that_every_guard_takes() {
    let (mut document, mut changes) = text("");
    let comment = |n: usize| format!("{n}{}", "c".repeat(10_000));
    let spans: Vec<Span> = (0..80)
        .map(|n| if n % 2 == 0 { Span::plain("ab").with("comment", comment(n)) } else { Span::plain("c") })
        .collect();
    let made = edit(&mut document, 1, vec![set_spans(spans.clone())]);
    assert!(made.len() > 1 && made.iter().all(|change| change.bytes().len() < 300_000));
    assert_eq!(document.spans(TEXT).unwrap(), Some(spans));
    changes.extend(made);
    let (mut lineage, mut state) = (Lineage::default(), RecordState::default());
    for change in &changes {
        assert_eq!(Change::parse(change.bytes()).as_ref(), Ok(change));
        assert_eq!(guard::check(change, &state, &mut lineage), Ok(Ok(())));
        state.apply(change);
        lineage.insert(change).unwrap();
    }
    assert_eq!(Document::rebuild(&changes).unwrap().spans(TEXT).unwrap(), document.spans(TEXT).unwrap());
}

/// A change of another writer, on top of the last, with marks on the text's characters in turn. Putting them one by
/// one takes Automerge too long.
fn marks_on_each(document: &Document, last: &Change, count: usize) -> Change {
    let doc = document.as_automerge();
    let (_, text) = doc.get(ROOT, TEXT).unwrap().unwrap();
    let id = |object: ObjId| match object {
        ObjId::Id(counter, actor, _) => legacy::OpId(counter, actor),
        ObjId::Root => panic!("the root is no element"),
    };
    let characters: Vec<legacy::OpId> =
        (0..doc.length(&text)).map(|at| id(doc.get(&text, at).unwrap().unwrap().1)).collect();
    let text = ObjectId::Id(id(text));
    let op = |key, action| Op { action, obj: text.clone(), key: Key::Seq(key), pred: Vec::new().into(), insert: true };
    let ends = |at: usize| {
        let at = at % characters.len();
        let from = at.checked_sub(1).map_or(ElementId::Head, |before| ElementId::Id(characters[before].clone()));
        let data = MarkData { name: "bold".into(), value: true.into(), expand: false };
        let end = op(ElementId::Id(characters[at].clone()), OpType::MarkEnd(false));
        [op(from, OpType::MarkBegin(data)), end]
    };
    Change::from_expanded(ExpandedChange {
        operations: (0..count).flat_map(ends).collect(),
        actor_id: actor(8),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::new(last.max_op() + 1).unwrap(),
        time: 1_000,
        message: None,
        deps: document.heads(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn try_edit(document: &mut Document, objects: Vec<ObjectEdit>) -> Result<(), EditError> {
    document.edit(&Edits { root: Vec::new(), objects }, &genesis, &actor(1), 5).map(drop)
}

#[test]
fn own_marks_end_where_those_of_others_would_be_refused() {
    let (mut document, few) = text(&"c".repeat(300));
    // One that has counted its marks before more arrive.
    let mut counting = document.clone();
    assert!(try_edit(&mut counting, vec![mark(0, 0, "bold", true, Expand::None)]).is_err());
    let most = marks_on_each(&document, few.last().unwrap(), MARKS_MAX - 1);
    document.apply_accepted([&most]).unwrap();
    let loaded = Document::load(&document.save().unwrap()).unwrap();
    let tried = counting.try_apply(&[&most, &most], &Budget::default()).document;
    counting.apply_accepted([&most, &most]).unwrap();
    for mut document in [document, loaded, tried, counting] {
        let heads = document.heads();
        let too_many = |new| Err(EditError::TooManyMarks(TooManyMarks::Marks(new)));
        let bold = |count| vec![mark(3, 5, "bold", true, Expand::None); count];
        assert_eq!(try_edit(&mut document, bold(2)), too_many(2));
        let spans = [Span::plain("a").with("a", 1), Span::plain("b").with("b", 1)];
        assert_eq!(try_edit(&mut document, vec![set_spans(spans.to_vec())]), too_many(0));
        assert_eq!(document.heads(), heads);
        assert_eq!(try_edit(&mut document, bold(1)), Ok(()), "there is room for one");
        assert_eq!(try_edit(&mut document, bold(1)), too_many(1));
        assert_eq!(try_edit(&mut document, vec![splice(3, 0, "d")]), Ok(()), "typing goes on");
    }
}

#[test]
fn own_marks_have_so_many_names_as_those_of_others() {
    let (mut document, _) = text(&"c".repeat(MARK_NAMES_MAX + 1));
    let named = |names: std::ops::Range<usize>| -> Vec<ObjectEdit> {
        names.map(|name| mark(name, name + 1, &format!("n{name}"), true, Expand::None)).collect()
    };
    let too_many = |new| Err(EditError::TooManyMarks(TooManyMarks::Names(new)));
    let beyond = MARK_NAMES_MAX + 1;
    assert_eq!(try_edit(&mut document, named(0..beyond)), too_many(beyond));
    assert_eq!(try_edit(&mut document, named(0..MARK_NAMES_MAX)), Ok(()));
    assert_eq!(try_edit(&mut document, named(MARK_NAMES_MAX..beyond)), too_many(1));
    let save = set_spans(vec![Span::plain("abc").with("another", true)]);
    assert_eq!(try_edit(&mut document, vec![save]), too_many(0));
    assert_eq!(document.spans(TEXT).unwrap().unwrap().len(), beyond);
}

/// Every span has all the marks of its characters: a hundred kilobytes of changes can make gigabytes of spans.
#[test]
fn spans_that_would_take_too_much_memory_are_refused_and_come_back_when_marks_are_taken_away() {
    let (mut document, _) = text(&"ab".repeat(500));
    let long = "v".repeat(2_000);
    let mut marks: Vec<ObjectEdit> =
        (0..100).map(|name| mark(0, 1_000, &format!("n{name}"), long.as_str(), Expand::None)).collect();
    marks.extend((0..500).map(|at| mark(2 * at, 2 * at + 1, "bold", true, Expand::None)));
    edit(&mut document, 1, marks);
    assert_eq!(document.spans(TEXT), Err(SpansTooLarge));
    let save = set_spans(vec![Span::plain("a")]);
    assert_eq!(try_edit(&mut document, vec![save]), Err(EditError::SpansTooLarge { key: TEXT.to_owned() }));
    assert_eq!(document.text(TEXT).unwrap().len(), 1_000);
    edit(&mut document, 1, vec![unmark(0, 1_000, "bold", Expand::None)]);
    assert_eq!(document.spans(TEXT).unwrap().unwrap().len(), 1);
}

/// A text as its characters and the ends of its marks stand in it, deleted characters included.
#[derive(Default)]
struct Plain {
    items: Vec<Item>,
    marks: u32,
}

#[derive(Clone)]
enum Item {
    Character { character: char, deleted: bool },
    Begin { number: u32, name: String, value: Value, expands: bool },
    End { number: u32, expands: bool },
}

impl Plain {
    fn visible(&self) -> impl Iterator<Item = usize> + '_ {
        let is_visible = |item: &Item| matches!(item, Item::Character { deleted: false, .. });
        self.items.iter().enumerate().filter(move |(_, item)| is_visible(item)).map(|(at, _)| at)
    }

    /// Where something inserted at a position goes: right behind the character before it, but inside marks that
    /// begin there and expand, and outside those that end there and do not.
    fn place(&self, position: usize) -> usize {
        let start = position.checked_sub(1).map_or(0, |before| self.visible().nth(before).unwrap() + 1);
        let mut places = vec![(start, None)];
        for (at, item) in self.items.iter().enumerate().skip(start) {
            match item {
                Item::Character { deleted, .. } => {
                    if !deleted {
                        break;
                    }
                }
                Item::Begin { number, expands: true, .. } => places.push((at + 1, Some(*number))),
                Item::Begin { .. } => {}
                Item::End { number, expands } => match places.iter().position(|(_, mark)| *mark == Some(*number)) {
                    // Nothing is between its ends any more.
                    Some(begun) => places.truncate(begun),
                    None if !expands => places.push((at + 1, None)),
                    None => {}
                },
            }
        }
        places.last().unwrap().0
    }

    fn splice(&mut self, at: usize, delete: usize, insert: &str) {
        let gone: Vec<usize> = self.visible().skip(at).take(delete).collect();
        // Automerge inserts first.
        let place = self.place(at);
        for place in gone {
            let Item::Character { deleted, .. } = &mut self.items[place] else { unreachable!() };
            *deleted = true;
        }
        let characters = insert.chars().map(|character| Item::Character { character, deleted: false });
        self.items.splice(place..place, characters);
    }

    fn mark(&mut self, from: usize, to: usize, name: &str, value: Value, expand: Expand) {
        let number = self.marks;
        self.marks += 1;
        let before = matches!(expand, Expand::Before | Expand::Both);
        let begin = self.place(from);
        self.items.insert(begin, Item::Begin { number, name: name.to_owned(), value, expands: before });
        let end = Item::End { number, expands: matches!(expand, Expand::After | Expand::Both) };
        let place = self.place(to).max(begin + 1);
        self.items.insert(place, end);
    }

    fn spans(&self) -> Vec<Span> {
        let mut open: BTreeMap<u32, (&str, &Value)> = BTreeMap::new();
        let mut spans: Vec<Span> = Vec::new();
        for item in &self.items {
            match item {
                Item::Begin { number, name, value, .. } => drop(open.insert(*number, (name, value))),
                Item::End { number, .. } => drop(open.remove(number)),
                Item::Character { deleted: true, .. } => {}
                Item::Character { character, .. } => {
                    let mut marks: Marks =
                        open.values().map(|(name, value)| ((*name).into(), (*value).clone())).collect();
                    marks.retain(|_, value| !value.is_null());
                    match spans.last_mut() {
                        Some(last) if last.marks == marks => last.text.push(*character),
                        _ => spans.push(Span { text: character.to_string(), marks }),
                    }
                }
            }
        }
        spans
    }

    fn follow(&mut self, edit: &ObjectEdit) {
        match edit {
            ObjectEdit::Splice { at, delete, insert, .. } => self.splice(*at, *delete, insert),
            ObjectEdit::Mark { from, to, name, value, expand, .. } => {
                let value = match value {
                    ScalarValue::Boolean(truth) => json!(truth),
                    ScalarValue::Int(int) => json!(int),
                    ScalarValue::F64(float) => json!(float),
                    ScalarValue::Str(text) => json!(text.as_str()),
                    other => panic!("no value of these tests: {other:?}"),
                };
                self.mark(*from, *to, name, value, *expand);
            }
            ObjectEdit::Unmark { from, to, name, expand, .. } => self.mark(*from, *to, name, Value::Null, *expand),
            other => panic!("no edit of this test: {other:?}"),
        }
    }
}

/// A splice, a mark or the end of one.
fn single_edit(rng: &mut Rng, document: &Document) -> ObjectEdit {
    let len = document.text_len(TEXT).unwrap();
    if len == 0 || rng.percent(50) {
        let at = rng.below(len + 1);
        let delete = rng.below(len - at + 1).min(rng.below(5));
        return splice(at, delete, ["", "x", "yz", "ö☃"][rng.below(4)]);
    }
    let (from, name) = (rng.below(len), *rng.pick(&["bold", "link"]));
    let to = from + 1 + rng.below(len - from);
    match rng.below(4) {
        0 => unmark(from, to, name, expand(rng)),
        n => mark(from, to, name, n as i64, expand(rng)),
    }
}

#[test]
fn one_writers_rich_text_is_what_a_plain_model_of_it_says() {
    for seed in 0..cases(60) {
        let mut rng = Rng::new(seed);
        let (mut document, mut changes) = text("");
        let mut plain = Plain::default();
        // What was there before the text was emptied.
        plain.splice(0, 0, "");
        for step in 0..30 {
            let next = single_edit(&mut rng, &document);
            changes.extend(edit(&mut document, 1, vec![next.clone()]));
            plain.follow(&next);
            assert_eq!(document.spans(TEXT).unwrap(), Some(plain.spans()), "seed {seed}, step {step}: {next:?}");
        }
        assert_eq!(Document::rebuild(&changes).unwrap().spans(TEXT).unwrap(), Some(plain.spans()), "seed {seed}");
    }
}

fn random_spans(rng: &mut Rng) -> Vec<Span> {
    let one = |rng: &mut Rng| {
        let mut span = Span::plain(*rng.pick(&["a", "word ", "ö", "two words ", "\n", ""]));
        for name in ["bold", "link", "comment:7"] {
            if rng.percent(35) {
                span =
                    span.with(name, [json!(true), json!("https://x.org"), json!(-2), json!(0.5)][rng.below(4)].clone());
            }
        }
        span
    };
    (0..rng.below(7)).map(|_| one(rng)).collect()
}

/// As a document shows them.
fn normal(spans: &[Span]) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans.iter().filter(|span| !span.text.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.marks == span.marks => last.text.push_str(&span.text),
            _ => joined.push(span.clone()),
        }
    }
    joined
}

#[test]
fn spans_that_are_saved_come_back_whatever_stood_there() {
    for seed in 0..cases(60) {
        let mut rng = Rng::new(seed);
        let (mut document, mut changes) = text("some words");
        for _ in 0..12 {
            for _ in 0..rng.below(3) {
                let next = single_edit(&mut rng, &document);
                changes.extend(edit(&mut document, 1, vec![next]));
            }
            let spans = random_spans(&mut rng);
            let rules = ExpandRules::from(expand(&mut rng));
            let save = ObjectEdit::SetSpans(TEXT.into(), spans.clone(), rules);
            changes.extend(edit(&mut document, 1, vec![save.clone()]));
            assert_eq!(document.spans(TEXT).unwrap(), Some(normal(&spans)), "seed {seed}");
            assert_eq!(document.text(TEXT), Some(plain_text(&spans)), "seed {seed}");
            assert_eq!(edit(&mut document, 1, vec![save]), [], "seed {seed}: once is enough");
            let read = Span::list_from_json(&Span::list_to_json(&document.spans(TEXT).unwrap().unwrap()));
            assert_eq!(read, Ok(normal(&spans)), "seed {seed}: through JSON");
        }
        assert_eq!(
            Document::rebuild(&changes).unwrap().spans(TEXT).unwrap(),
            document.spans(TEXT).unwrap(),
            "seed {seed}"
        );
    }
}

#[test]
fn replicas_that_mark_and_type_apart_converge() {
    for seed in 0..cases(40) {
        let mut rng = Rng::new(seed);
        let (start, begun) = text("some words");
        let mut replicas: Vec<(Document, Vec<Change>)> = (0..3).map(|_| (start.clone(), begun.clone())).collect();
        for _ in 0..25 {
            let at = rng.below(3);
            let (document, changes) = &mut replicas[at];
            if rng.percent(65) {
                let next =
                    if rng.percent(60) { mark_edit(&mut rng, document) } else { object_edit(&mut rng, document) };
                changes.extend(edit(document, 10 + at as u8, vec![next]));
            } else {
                let from = replicas[rng.below(3)].1.clone();
                take(&mut replicas[at], &from);
            }
        }
        for at in [0, 1, 2, 0, 1] {
            let from = replicas[at].1.clone();
            replicas.iter_mut().for_each(|replica| take(replica, &from));
        }
        let shows = |(document, _): &(Document, Vec<Change>)| {
            (document.heads(), document.spans(TEXT).unwrap(), document.text(TEXT))
        };
        for replica in &replicas {
            assert_eq!(shows(replica), shows(&replicas[0]), "seed {seed}");
            let rebuilt = Document::rebuild(&replica.1).unwrap();
            assert_eq!(rebuilt.spans(TEXT).unwrap(), replicas[0].0.spans(TEXT).unwrap(), "seed {seed}");
            assert_eq!(
                Document::load(&rebuilt.save().unwrap()).unwrap().spans(TEXT).unwrap(),
                rebuilt.spans(TEXT).unwrap(),
                "seed {seed}"
            );
        }
    }
}

fn take((document, changes): &mut (Document, Vec<Change>), from: &[Change]) {
    let new: Vec<Change> = from.iter().filter(|change| !changes.contains(change)).cloned().collect();
    document.apply_accepted(&new).unwrap();
    changes.extend(new);
}
