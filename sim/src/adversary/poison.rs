//! Changes that no honest writer writes, made from ones that it did.
//!
//! Hashes need no forging: a change's hash follows from its bytes, and a receiver computes it. So every mutant is
//! well named, and what is wrong with it is its meaning.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use syncline_core::change::Change;
use syncline_core::wire::change_hash;

use super::dice::Dice;

const MUTATIONS: u64 = 26;

/// A mutant of a change, as bytes whose header is right.
pub(super) fn mutant(dice: &mut Dice, bytes: &[u8]) -> Option<Vec<u8>> {
    if dice.one_in(4) {
        return garbled(dice, bytes);
    }
    let change = Change::parse(bytes).ok()?;
    let mut expanded = change.expanded().clone();
    for _ in 0..=dice.below(2) {
        mutate(dice, &mut expanded);
    }
    encode(expanded)
}

/// The same change by another writer or at another time: as good as the first, and another.
pub(super) fn twin(dice: &mut Dice, bytes: &[u8], other_actor: bool) -> Option<Vec<u8>> {
    let change = Change::parse(bytes).ok()?;
    let mut expanded = change.expanded().clone();
    expanded.time += 1 + dice.below(1_000) as i64;
    if other_actor {
        rename(&mut expanded, &ActorId::from(&dice.id()[..]));
        expanded.seq = 1;
    }
    encode(expanded)
}

/// A history of one record that begins as the template does and then goes on for long, one operation at a time.
/// Empty if the template is no record's beginning.
pub(super) fn chain(template: &[u8], actor: &[u8; 16], len: usize) -> Vec<Vec<u8>> {
    let Ok(change) = Change::parse(template) else { return Vec::new() };
    let mut expanded = change.expanded().clone();
    if !expanded.deps.is_empty() || expanded.start_op.get() != 1 {
        return Vec::new();
    }
    let actor = ActorId::from(&actor[..]);
    rename(&mut expanded, &actor);
    expanded.seq = 1;
    let scalar = |op: &Op| {
        let is_field = matches!(&op.key, Key::Map(key) if !key.starts_with('~'));
        op.obj == ObjectId::Root && is_field && matches!(op.action, OpType::Put(_))
    };
    let Some(at) = expanded.operations.iter().position(scalar) else { return Vec::new() };
    let op = expanded.operations[at].clone();
    let (mut last_op, mut counter) = (at as u64 + 1, expanded.operations.len() as u64);
    let mut changes = Vec::with_capacity(len);
    let mut next = expanded;
    for seq in 2..len as u64 + 2 {
        let Some(bytes) = encode(next.clone()) else { break };
        let Some(hash) = change_hash(&bytes) else { break };
        changes.push(bytes);
        counter += 1;
        let pred = vec![OpId(last_op, actor.clone())].into();
        next.operations = vec![Op { pred, ..op.clone() }];
        next.seq = seq;
        next.deps = vec![ChangeHash(hash)];
        next.start_op = counter.try_into().expect("it is counted up from one");
        last_op = counter;
    }
    changes
}

/// A change's bytes from its body. The checksum does not travel: the receiver makes it.
pub(super) fn with_header(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    leb(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn leb(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn body(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(9..)?;
    let digits = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
    rest.get(digits..)
}

fn garbled(dice: &mut Dice, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = body(bytes)?.to_vec();
    super::noise::garble(dice, &mut body);
    (!body.is_empty()).then(|| with_header(&body))
}

/// Automerge's encoder panics on some of what it never makes itself; that is no mutant then.
fn encode(expanded: ExpandedChange) -> Option<Vec<u8>> {
    let encoded = catch_unwind(AssertUnwindSafe(|| Change::from_expanded(expanded)));
    encoded.ok().map(|change| change.bytes().to_vec())
}

/// Gives a change to another actor, with everything in it that names its own operations.
fn rename(change: &mut ExpandedChange, actor: &ActorId) {
    let old = std::mem::replace(&mut change.actor_id, actor.clone());
    let first = change.start_op.get();
    let renamed = |id: &OpId| match id.1 == old && id.0 >= first {
        true => OpId(id.0, actor.clone()),
        false => id.clone(),
    };
    for op in &mut change.operations {
        op.pred = op.pred.iter().map(renamed).collect::<Vec<_>>().into();
        if let ObjectId::Id(id) = &op.obj {
            op.obj = ObjectId::Id(renamed(id));
        }
        if let Key::Seq(ElementId::Id(id)) = &op.key {
            op.key = Key::Seq(ElementId::Id(renamed(id)));
        }
    }
}

fn mutate(dice: &mut Dice, change: &mut ExpandedChange) {
    match dice.below(MUTATIONS) {
        0 => change.seq += 1,
        1 => change.seq = *dice.pick(&[0, 1, 2, 1 << 31, u64::from(u32::MAX), 1 << 33]).expect("there are some"),
        2 => set_start(change, change.start_op.get() + 1 + dice.below(3)),
        3 => set_start(change, *dice.pick(&[1, 1 << 31, (1 << 32) - 2, 1 << 32, 1 << 62]).expect("there are some")),
        4 => change.deps.push(ChangeHash(dice.hash())),
        5 => change.deps.clear(),
        6 => change.deps.extend(change.deps.first().copied()),
        7 => change.actor_id = ActorId::from(&dice.id()[..]),
        8 => change.actor_id = ActorId::from(vec![7; *dice.pick(&[0, 1, 64, 65, 5_000]).expect("there are some")]),
        9 => change.time = *dice.pick(&[-1, i64::MIN, i64::MAX, 1 << 48, 0]).expect("there are some"),
        10 => change.message = Some("hello".repeat(dice.index(50))),
        11 => change.operations.clear(),
        12 => change.extra_bytes = dice.bytes(20),
        _ => mutate_op(dice, change),
    }
}

fn set_start(change: &mut ExpandedChange, start: u64) {
    if let Ok(start) = start.try_into() {
        change.start_op = start;
    }
}

fn mutate_op(dice: &mut Dice, change: &mut ExpandedChange) {
    if change.operations.is_empty() {
        return;
    }
    let actor = change.actor_id.clone();
    let somewhere = OpId(1 + dice.below(40), if dice.one_in(2) { actor } else { ActorId::from(&dice.id()[..]) });
    let at = dice.index(change.operations.len());
    let op = &mut change.operations[at];
    match dice.below(13) {
        0 => op.obj = ObjectId::Id(somewhere),
        1 => op.pred = op.pred.iter().cloned().chain([somewhere]).collect::<Vec<_>>().into(),
        2 => op.pred = Vec::new().into(),
        3 => op.pred = op.pred.iter().chain(op.pred.iter()).cloned().collect::<Vec<_>>().into(),
        4 => op.action = OpType::Delete,
        5 => op.action = OpType::Increment(*dice.pick(&[0, 1, -1, i64::MAX, i64::MIN]).expect("there are some")),
        6 => op.action = OpType::Put(odd_value(dice)),
        7 => op.key = odd_key(dice),
        8 => op.insert = !op.insert,
        9 => {
            let kinds = [ObjType::Map, ObjType::List, ObjType::Text, ObjType::Table];
            op.action = OpType::Make(*dice.pick(&kinds).expect("there are four"));
        }
        10 => op.key = Key::Seq(if dice.one_in(2) { ElementId::Head } else { ElementId::Id(somewhere) }),
        11 => op.action = OpType::MarkEnd(dice.one_in(2)),
        _ => {
            let copies = dice.index(3_000);
            let op = op.clone();
            change.operations.extend(std::iter::repeat_n(op, copies));
        }
    }
}

fn odd_key(dice: &mut Dice) -> Key {
    let key = match dice.below(7) {
        0 => String::new(),
        1 => "k".repeat(100_000),
        2 => "~live".to_owned(),
        3 => "~".to_owned(),
        4 => "a\u{0}b".to_owned(),
        5 => "tags/".to_owned() + &"x".repeat(dice.index(300)),
        _ => "title".to_owned(),
    };
    Key::Map(key.into())
}

fn odd_value(dice: &mut Dice) -> ScalarValue {
    match dice.below(12) {
        0 => ScalarValue::Null,
        1 => ScalarValue::Bytes(dice.bytes(30)),
        2 => ScalarValue::F64(f64::NAN),
        3 => ScalarValue::F64(f64::INFINITY),
        4 => ScalarValue::Uint(u64::MAX),
        5 => ScalarValue::Int(i64::MIN),
        6 => ScalarValue::counter(i64::MAX),
        7 => ScalarValue::Timestamp(i64::MAX),
        8 => ScalarValue::Unknown { type_code: 12, bytes: dice.bytes(5) },
        9 => ScalarValue::Str("x".repeat(dice.index(200_000)).into()),
        10 => ScalarValue::Str("a\u{0}\u{feff}'; DROP TABLE Todo; --".into()),
        _ => ScalarValue::Boolean(true),
    }
}
