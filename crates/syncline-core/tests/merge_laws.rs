//! Merging is commutative, associative and idempotent for every kind of field, and gives what
//! each kind promises.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use automerge::{ActorId, ScalarValue};
use merge_support::{LIST, TEXT, cases, genesis};
use proptest::prelude::*;
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::edit::{Edits, ObjectEdit, RootEdit};
use syncline_core::guard::{self, Refusal};
use syncline_core::lineage::Lineage;
use syncline_core::rich::Span;
use syncline_core::state::{RecordState, Writer};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Scalar,
    Counter,
    SetElement,
    Live,
    Embedded,
    Text,
    Rich,
    List,
}

const KINDS: [Kind; 8] =
    [Kind::Scalar, Kind::Counter, Kind::SetElement, Kind::Live, Kind::Embedded, Kind::Text, Kind::Rich, Kind::List];

#[derive(Clone, Default)]
struct Replica {
    changes: Vec<Change>,
    state: RecordState,
    lineage: Lineage,
}

impl Replica {
    /// Takes what is new and ready; says whether anything was.
    fn receive(&mut self, change: &Change) -> bool {
        let Ok(verdict) = guard::check(change, &self.state, &mut self.lineage);
        match verdict {
            Ok(()) => {
                self.state.apply(change);
                self.lineage.insert(change).unwrap();
                self.changes.push(change.clone());
                true
            }
            Err(Refusal::MissingDeps(_) | Refusal::Held) => false,
            Err(refusal) => panic!("honest change refused: {refusal}"),
        }
    }

    fn document(&self) -> Document {
        Document::rebuild(&self.changes).unwrap()
    }

    fn edit(&mut self, kind: Kind, code: u8, actor: &ActorId) {
        let (root, objects) = edit_of(kind, code, self);
        if objects.is_empty() {
            let own = self.changes.iter().rfind(|change| change.actor() == actor);
            let writer = Writer { actor, own_last: own.map(Change::hash) };
            if let Ok(Some(change)) = self.state.build(&root, &writer, 9) {
                assert!(self.receive(&change));
            }
            return;
        }
        if let Some(edited) = self.document().edit(&Edits { root, objects }, &genesis, actor, 9).unwrap() {
            for change in edited.genesis.iter().chain(&edited.changes) {
                self.receive(change);
            }
        }
    }
}

fn edit_of(kind: Kind, code: u8, replica: &Replica) -> (Vec<RootEdit>, Vec<ObjectEdit>) {
    let code_text = code.to_string();
    let root = |edit| (vec![edit], Vec::new());
    let toggled = |key: &str| match code % 3 {
        0 => RootEdit::Delete(key.into()),
        _ => RootEdit::Toggle(key.into()),
    };
    match kind {
        Kind::Scalar if code.is_multiple_of(5) => root(RootEdit::Delete("title".into())),
        Kind::Scalar => root(RootEdit::Put("title".into(), ScalarValue::Str(code_text.into()))),
        Kind::Counter => root(RootEdit::Increment("votes".into(), i64::from(code % 9) - 4)),
        Kind::SetElement => root(toggled("tags/red")),
        Kind::Live => root(toggled("~live")),
        Kind::Embedded => {
            let key = if code.is_multiple_of(2) { "address.city" } else { "address.zip" };
            root(RootEdit::Put(key.into(), ScalarValue::Int(i64::from(code))))
        }
        Kind::Text => {
            let at = usize::from(code) % (replica.document().text_len(TEXT).unwrap_or(0) + 1);
            let splice = ObjectEdit::Splice { key: TEXT.into(), at, delete: 0, insert: code_text };
            (Vec::new(), vec![splice])
        }
        Kind::Rich => {
            let mut rng = merge_support::Rng::new(u64::from(code));
            let document = replica.document();
            (Vec::new(), vec![merge_support::mark_edit(&mut rng, &document)])
        }
        Kind::List => {
            let mut list = replica.document().list(LIST).unwrap_or_default();
            let at = usize::from(code) % (list.len() + 1);
            if code.is_multiple_of(4) && at < list.len() {
                list.remove(at);
            } else {
                list.insert(at, serde_json::json!({"n": code}));
            }
            (Vec::new(), vec![ObjectEdit::SetList(LIST.into(), list)])
        }
    }
}

type Shown = (RecordState, Option<String>, Option<Vec<Span>>, Option<Vec<serde_json::Value>>);

/// Both ways of saying what a record is.
fn shows(replica: &Replica) -> Shown {
    let document = replica.document();
    (replica.state.clone(), document.text(TEXT), document.spans(TEXT).unwrap(), document.list(LIST))
}

/// `into` with everything of `from`, delivered in an order of its own, twice.
fn merge(into: &Replica, from: &Replica, seed: u64) -> Replica {
    let mut merged = into.clone();
    let mut order: Vec<&Change> = from.changes.iter().chain(&from.changes).collect();
    let mut rng = merge_support::Rng::new(seed);
    for at in (1..order.len()).rev() {
        order.swap(at, rng.below(at + 1));
    }
    while order.iter().any(|change| merged.receive(change)) {}
    merged
}

fn three_apart(kind: Kind, base: &[u8], apart: [&[u8]; 3]) -> [Replica; 3] {
    let mut start = Replica::default();
    let creator = ActorId::from([100_u8; 16]);
    let create = vec![RootEdit::Toggle("~live".into()), RootEdit::Put("votes".into(), ScalarValue::counter(0))];
    let writer = Writer { actor: &creator, own_last: None };
    start.receive(&RecordState::default().build(&create, &writer, 1).unwrap().unwrap());
    base.iter().for_each(|code| start.edit(kind, *code, &creator));
    let writers = [3_u8, 200, 7].map(|byte| ActorId::from([byte; 16]));
    let mut replicas = [start.clone(), start.clone(), start];
    for ((replica, codes), writer) in replicas.iter_mut().zip(apart).zip(&writers) {
        codes.iter().for_each(|code| replica.edit(kind, *code, writer));
    }
    replicas
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(25) as u32))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        base in prop::collection::vec(any::<u8>(), 0..3),
        a in prop::collection::vec(any::<u8>(), 0..4),
        b in prop::collection::vec(any::<u8>(), 0..4),
        c in prop::collection::vec(any::<u8>(), 0..4),
        seed in any::<u64>(),
    ) {
        for kind in KINDS {
            let [a, b, c] = three_apart(kind, &base, [&a, &b, &c]);
            let ab = merge(&a, &b, seed);
            prop_assert_eq!(shows(&ab), shows(&merge(&b, &a, seed + 1)), "{:?} commutes", kind);
            let left = merge(&ab, &c, seed + 2);
            let right = merge(&a, &merge(&b, &c, seed + 3), seed + 4);
            prop_assert_eq!(shows(&left), shows(&right), "{:?} associates", kind);
            prop_assert_eq!(shows(&merge(&left, &left, seed)), shows(&left), "{:?} twice is once", kind);
            prop_assert_eq!(shows(&merge(&left, &a, seed)), shows(&left), "{:?} absorbs", kind);
        }
    }

    #[test]
    fn counters_sum_up(by in prop::collection::vec(-9_i64..9, 3)) {
        let [mut a, mut b, mut c] = three_apart(Kind::Counter, &[], [&[], &[], &[]]);
        for ((replica, by), byte) in [&mut a, &mut b, &mut c].into_iter().zip(&by).zip(1_u8..) {
            let actor = ActorId::from([byte; 16]);
            let writer = Writer { actor: &actor, own_last: None };
            let change = replica.state.build(&[RootEdit::Increment("votes".into(), *by)], &writer, 2).unwrap().unwrap();
            replica.receive(&change);
        }
        let all = merge(&merge(&a, &b, 1), &c, 2);
        prop_assert_eq!(all.state.counter("votes"), Some(by.iter().sum()));
    }
}

/// A record that two replicas make under one key, each with a counter of its own, showed the count of one of them, and
/// what was counted later went to both.
#[test]
fn counters_made_apart_show_what_was_counted_everywhere() {
    let count = |replica: &mut Replica, by: i64, byte: u8| {
        let mut edits = vec![RootEdit::Increment("votes".into(), by)];
        if replica.state.counter("votes").is_none() {
            edits.insert(0, RootEdit::Put("votes".into(), ScalarValue::counter(0)));
        }
        let actor = ActorId::from([byte; 16]);
        let own = replica.changes.iter().rfind(|change| *change.actor() == actor);
        let writer = Writer { actor: &actor, own_last: own.map(Change::hash) };
        let change = replica.state.build(&edits, &writer, 2).unwrap().unwrap();
        assert!(replica.receive(&change));
    };
    let [mut a, mut b] = [Replica::default(), Replica::default()];
    count(&mut a, 2, 1);
    count(&mut b, 3, 2);
    let c = merge(&a, &b, 1);
    assert_eq!(c.state.counter("votes"), Some(5));
    let (mut a, mut c) = (merge(&a, &c, 2), c);
    count(&mut a, 10, 1);
    count(&mut c, -4, 3);
    count(&mut b, 100, 2);
    let all = merge(&merge(&a, &c, 3), &b, 4);
    assert_eq!(all.state.counter("votes"), Some(111));

    // In a document with a text beside it too.
    let mut document = all.document();
    let edits = Edits {
        root: vec![RootEdit::Increment("votes".into(), 7), RootEdit::Put("title".into(), "x".into())],
        objects: vec![ObjectEdit::SetText(TEXT.into(), "both".into())],
    };
    let edited = document.edit(&edits, &genesis, &ActorId::from([3; 16]), 9).unwrap().unwrap();
    let mut all = all;
    for change in edited.genesis.iter().chain(&edited.changes) {
        assert!(all.receive(change));
    }
    assert_eq!(all.state.counter("votes"), Some(118));
    assert_eq!((all.document().heads(), all.document().text(TEXT)), (document.heads(), Some("both".to_owned())));
}

fn apart_then_merged(kind: Kind, base: &[u8], a: &[u8], b: &[u8]) -> Replica {
    let [a, b, _] = three_apart(kind, base, [a, b, &[]]);
    merge(&a, &b, 5)
}

#[test]
fn an_add_beats_a_concurrent_remove_and_a_delete_an_edit() {
    const ADD: u8 = 1;
    const REMOVE: u8 = 0;
    let present = |replica: &Replica, key| !replica.state.visible(key).is_empty();
    let merged = apart_then_merged(Kind::SetElement, &[ADD], &[ADD], &[REMOVE]);
    assert!(present(&merged, "tags/red"), "an element added again stays");
    let merged = apart_then_merged(Kind::SetElement, &[ADD], &[], &[REMOVE]);
    assert!(!present(&merged, "tags/red"));
    let merged = apart_then_merged(Kind::Live, &[], &[ADD], &[REMOVE]);
    assert!(present(&merged, "~live"), "an undelete beats a concurrent delete");
    let [mut a, b, _] = three_apart(Kind::Live, &[], [&[], &[REMOVE], &[]]);
    a.edit(Kind::Scalar, 7, &ActorId::from([9; 16]));
    let merged = merge(&a, &b, 1);
    assert!(!present(&merged, "~live"), "a delete beats a concurrent edit");
    assert!(present(&merged, "title"), "and the edit is kept");
}

#[test]
fn fields_of_an_embedded_type_merge_one_by_one() {
    let merged = apart_then_merged(Kind::Embedded, &[], &[2], &[5]);
    assert_eq!(merged.state.scalar("address.city"), Some(&ScalarValue::Int(2)));
    assert_eq!(merged.state.scalar("address.zip"), Some(&ScalarValue::Int(5)));
}

#[test]
fn concurrent_texts_and_list_elements_are_both_kept() {
    let merged = apart_then_merged(Kind::Text, &[11], &[21], &[31]);
    let text = merged.document().text(TEXT).unwrap();
    assert!(["11", "21", "31"].iter().all(|part| text.contains(part)) && text.len() == 6, "{text}");
    let merged = apart_then_merged(Kind::List, &[5], &[1], &[2]);
    assert_eq!(merged.document().list(LIST).unwrap().len(), 3);
}
