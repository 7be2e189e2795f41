//! What the merge tests share: a seeded generator, random edits, and the reference that rule G is
//! held against, a document rebuilt from all changes.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use syncline_core::change::Change;
use syncline_core::document::Document;
use syncline_core::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};
use syncline_core::genesis::Genesis;
use syncline_core::rich::{Expand, ExpandRules, Span};
use syncline_core::state::{ActorTable, OpId, RecordState, Visible, VisibleOp};

/// How many cases to run: `SYNCLINE_CASES`, or what keeps the default run short.
pub(crate) fn cases(default: u64) -> u64 {
    std::env::var("SYNCLINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Seeded random numbers.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Self(0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0xD134_2543_DE82_EF95));
        for _ in 0..5 {
            rng.next();
        }
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn actor(&mut self) -> ActorId {
        let len = 2 + self.below(4);
        let mut bytes = self.next().to_le_bytes()[..len].to_vec();
        bytes.extend(self.next().to_be_bytes());
        if self.percent(20) {
            bytes.extend([7; 20]);
        }
        ActorId::from(bytes)
    }
}

/// Keys of every sort: plain fields, set elements, existence, embedded fields, odd names.
pub(crate) const KEYS: [&str; 9] = ["title", "done", "", "tags/a", "tags/b", "~live", "address.city", "votes", "n"];
pub(crate) const TEXT: &str = "body";
pub(crate) const LIST: &str = "items";

pub(crate) fn scalar(rng: &mut Rng) -> ScalarValue {
    match rng.below(15) {
        0 => ScalarValue::Int(rng.below(3) as i64),
        1 => ScalarValue::Int(-(rng.below(3) as i64)),
        2 => ScalarValue::Uint(rng.below(3) as u64),
        3 => ScalarValue::F64(f64::NAN),
        4 => ScalarValue::F64(-0.0),
        5 => ScalarValue::F64(0.0),
        6 => ScalarValue::F64(1.0),
        7 => ScalarValue::Null,
        8 => ScalarValue::Boolean(rng.percent(50)),
        9 => ScalarValue::Timestamp(rng.below(3) as i64),
        10 => "".into(),
        11 => "abc".into(),
        12 => ScalarValue::Bytes(vec![1, 2]),
        _ => ScalarValue::counter(rng.below(5) as i64),
    }
}

pub(crate) fn root_edit(rng: &mut Rng) -> RootEdit {
    let key = (*rng.pick(&KEYS)).to_owned();
    if key.starts_with("tags/") || key == "~live" {
        return if rng.percent(65) { RootEdit::Toggle(key) } else { RootEdit::Delete(key) };
    }
    if key == "votes" {
        return match rng.below(4) {
            0 => RootEdit::Put(key, ScalarValue::counter(0)),
            _ => RootEdit::Increment(key, rng.below(9) as i64 - 4),
        };
    }
    match rng.below(10) {
        0 | 1 => RootEdit::Delete(key),
        2 => RootEdit::Increment(key, rng.below(9) as i64 - 4),
        3 => RootEdit::Force(key, scalar(rng)),
        _ => RootEdit::Put(key, scalar(rng)),
    }
}

/// Edits that apply: increments of what is no counter are left out.
pub(crate) fn root_edits(rng: &mut Rng, state: &RecordState, most: usize) -> Vec<RootEdit> {
    let wanted = 1 + rng.below(most);
    let mut edits: Vec<RootEdit> = Vec::new();
    for _ in 0..wanted {
        edits.push(root_edit(rng));
        let writer = syncline_core::state::Writer { actor: &ActorId::from([9_u8]), own_last: None };
        if state.build(&edits, &writer, 1).is_err() {
            edits.pop();
        }
    }
    edits
}

pub(crate) fn element(rng: &mut Rng) -> serde_json::Value {
    match rng.below(7) {
        0 => serde_json::json!({"street": "x", "n": rng.below(3), "more": {"deep": [1, null]}}),
        1 => serde_json::json!([rng.below(3), "y"]),
        2 => serde_json::json!(1.5),
        3 => serde_json::json!(null),
        4 => serde_json::json!(rng.percent(50)),
        5 => serde_json::json!(rng.below(4)),
        _ => serde_json::json!(["a", "b", "c"][rng.below(3)]),
    }
}

pub(crate) fn expand(rng: &mut Rng) -> Expand {
    *rng.pick(&[Expand::Before, Expand::After, Expand::Both, Expand::None])
}

/// A mark, the end of one, or a save of spans.
pub(crate) fn mark_edit(rng: &mut Rng, document: &Document) -> ObjectEdit {
    let key = TEXT.to_owned();
    let len = document.text_len(TEXT).unwrap_or(0);
    let name = (*rng.pick(&["bold", "bold", "link", "comment:1"])).to_owned();
    if len == 0 || rng.percent(20) {
        let mut spans = document.spans(TEXT).unwrap().unwrap_or_default();
        spans.insert(rng.below(spans.len() + 1), Span::plain("s☃").with(&name, rng.percent(50)));
        let at = rng.below(spans.len());
        spans[at].marks.remove("bold");
        return ObjectEdit::SetSpans(key, spans, ExpandRules::from(expand(rng)));
    }
    let from = rng.below(len);
    let to = from + 1 + rng.below(len - from);
    if rng.percent(25) {
        return ObjectEdit::Unmark { key, from, to, name, expand: expand(rng) };
    }
    let value = match rng.below(5) {
        0 => ScalarValue::Int(-7),
        1 => ScalarValue::F64(1.5),
        2 => "https://example.org".into(),
        _ => ScalarValue::Boolean(true),
    };
    ObjectEdit::Mark { key, from, to, name, value, expand: expand(rng) }
}

pub(crate) fn object_edit(rng: &mut Rng, document: &Document) -> ObjectEdit {
    if rng.percent(25) {
        return mark_edit(rng, document);
    }
    if rng.percent(60) {
        let len = document.text_len(TEXT).unwrap_or(0);
        let at = rng.below(len + 1);
        let delete = rng.below(len - at + 1).min(rng.below(4));
        let insert = ["", "x", "yz", "wört ☃"][rng.below(4)].to_owned();
        if rng.percent(15) {
            let mut text: Vec<char> = document.text(TEXT).unwrap_or_default().chars().collect();
            text.splice(at..at + delete, insert.chars());
            text.extend("!?".chars());
            return ObjectEdit::SetText(TEXT.into(), text.into_iter().collect());
        }
        return ObjectEdit::Splice { key: TEXT.into(), at, delete, insert };
    }
    let mut list = document.list(LIST).unwrap_or_default();
    for _ in 0..1 + rng.below(2) {
        let at = rng.below(list.len() + 1);
        match rng.below(3) {
            0 if at < list.len() => {
                list.remove(at);
            }
            1 if at < list.len() => list[at] = element(rng),
            _ => list.insert(at, element(rng)),
        }
    }
    ObjectEdit::SetList(LIST.into(), list)
}

pub(crate) fn genesis(key: &str) -> Genesis {
    Genesis {
        model: "Todo".into(),
        key: key.into(),
        kind: if key == LIST { ObjectKind::List } else { ObjectKind::Text },
    }
}

pub(crate) fn make_both() -> Edits {
    Edits {
        root: vec![RootEdit::Toggle("~live".into())],
        objects: vec![
            ObjectEdit::Make(TEXT.into(), ObjectKind::Text),
            ObjectEdit::SetText(TEXT.into(), "ab".into()),
            ObjectEdit::Make(LIST.into(), ObjectKind::List),
            ObjectEdit::SetList(LIST.into(), vec![serde_json::json!({"street": "x"}), serde_json::json!(1)]),
        ],
    }
}

/// What rule G must arrive at: everything read from a document that Automerge made.
pub(crate) fn reference<'a>(changes: impl IntoIterator<Item = &'a Change>) -> (RecordState, Document) {
    let changes: Vec<&Change> = changes.into_iter().collect();
    let document = Document::rebuild(changes.iter().copied()).expect("honest changes make a document");
    (state_of(document.as_automerge(), &changes), document)
}

/// The state that a document shows.
pub(crate) fn state_of(doc: &Automerge, changes: &[&Change]) -> RecordState {
    let mut state = RecordState { heads: doc.get_heads().into_iter().collect(), ..RecordState::default() };
    let mut times = BTreeMap::new();
    for change in changes {
        state.max_op = state.max_op.max(change.max_op());
        let seq = state.seqs.entry(change.actor().clone()).or_default();
        *seq = (*seq).max(change.seq());
        let time = change.time();
        if time != 0 {
            let (first, last) = state.times.unwrap_or((time, time));
            state.times = Some((first.min(time), last.max(time)));
        }
        for counter in change.start_op()..=change.max_op() {
            times.insert((change.actor().clone(), counter), change.time());
        }
    }
    for key in doc.keys(ROOT) {
        let mut ops: Vec<VisibleOp> = Vec::new();
        for (value, id) in doc.get_all(ROOT, &key).unwrap() {
            let ObjId::Id(counter, actor, _) = id else { panic!("a value has an id") };
            let time = times[&(actor.clone(), counter)];
            let value = match value {
                Value::Scalar(scalar) => Visible::Scalar(scalar.into_owned()),
                Value::Object(ObjType::Text) => Visible::Object(ObjectKind::Text),
                Value::Object(ObjType::List) => Visible::Object(ObjectKind::List),
                Value::Object(_) => Visible::Foreign,
            };
            ops.push(VisibleOp { id: OpId { counter, actor }, value, time });
        }
        ops.sort_by(|a, b| a.id.cmp(&b.id));
        let (_, winner) = doc.get(ROOT, &key).unwrap().unwrap();
        let ObjId::Id(counter, actor, _) = winner else { panic!("a value has an id") };
        assert_eq!(ops.last().unwrap().id, OpId { counter, actor }, "the winner is the greatest");
        state.keys.insert(key, ops);
    }
    state
}

/// A store's actor table, in memory.
#[derive(Default)]
pub(crate) struct Table(pub(crate) Vec<ActorId>);

impl ActorTable for Table {
    fn index(&mut self, actor: &ActorId) -> u32 {
        let known = self.0.iter().position(|known| known == actor);
        known.unwrap_or_else(|| {
            self.0.push(actor.clone());
            self.0.len() - 1
        }) as u32
    }

    fn actor(&self, index: u32) -> Option<ActorId> {
        self.0.get(index as usize).cloned()
    }
}

/// The last change of an actor.
pub(crate) fn own_last(changes: &[Change], actor: &ActorId) -> Option<automerge::ChangeHash> {
    let own = changes.iter().filter(|change| change.actor() == actor);
    own.max_by_key(|change| change.seq()).map(Change::hash)
}
