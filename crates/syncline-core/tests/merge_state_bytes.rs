//! A record's state as bytes: what goes in comes out, and damage is an error.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, a passing one may tell what it saw"
)]

mod merge_support;

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, ChangeHash, ScalarValue};
use merge_support::Table;
use proptest::prelude::*;
use syncline_core::edit::{ObjectKind, RootEdit};
use syncline_core::state::{DamagedState, OpId, RecordState, Visible, VisibleOp, Writer};

fn value() -> impl Strategy<Value = Visible> {
    let scalar = prop_oneof![
        Just(ScalarValue::Null),
        any::<bool>().prop_map(ScalarValue::Boolean),
        any::<i64>().prop_map(ScalarValue::Int),
        any::<u64>().prop_map(ScalarValue::Uint),
        any::<u64>().prop_map(|bits| ScalarValue::F64(f64::from_bits(bits))),
        ".{0,12}".prop_map(|text| ScalarValue::Str(text.into())),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(ScalarValue::Bytes),
        any::<i64>().prop_map(ScalarValue::counter),
        any::<i64>().prop_map(ScalarValue::Timestamp),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(type_code, bytes)| ScalarValue::Unknown { type_code, bytes }),
    ];
    prop_oneof![
        9 => scalar.prop_map(Visible::Scalar),
        1 => Just(Visible::Object(ObjectKind::Text)),
        1 => Just(Visible::Object(ObjectKind::List)),
        1 => Just(Visible::Foreign),
    ]
}

prop_compose! {
    fn state()(
        heads in prop::collection::btree_set(any::<[u8; 32]>(), 0..4),
        max_op in any::<u64>(),
        actors in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 1..20), any::<u64>(), 1..5),
        keys in prop::collection::btree_map(
            ".{0,8}",
            prop::collection::vec((any::<u64>(), any::<prop::sample::Index>(), value(), 0_i64..1 << 48), 1..4),
            0..8,
        ),
        times in prop::option::of((1_i64..1 << 40, 0_i64..1 << 40)),
    ) -> RecordState {
        let actors: Vec<(ActorId, u64)> = actors.into_iter().map(|(bytes, seq)| (ActorId::from(bytes), seq)).collect();
        let visible = |(counter, actor, value, time): (u64, prop::sample::Index, Visible, i64)| VisibleOp {
            id: OpId { counter, actor: actor.get(&actors).0.clone() },
            value,
            time: if times.is_some() { time } else { 0 },
        };
        RecordState {
            heads: heads.into_iter().map(ChangeHash).collect::<BTreeSet<_>>(),
            max_op,
            seqs: actors.iter().cloned().collect::<BTreeMap<_, _>>(),
            keys: keys.into_iter().map(|(key, ops)| (key, ops.into_iter().map(visible).collect())).collect(),
            times: times.map(|(first, more)| (first, first + more)),
        }
    }
}

fn encoded(state: &RecordState) -> (Table, Vec<u8>) {
    let mut table = Table::default();
    let mut bytes = Vec::new();
    state.encode(&mut table, &mut bytes);
    (table, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(merge_support::cases(400) as u32))]

    #[test]
    fn a_state_comes_back_as_it_was(state in state()) {
        let (table, bytes) = encoded(&state);
        prop_assert_eq!(RecordState::decode(&bytes, &table), Ok(state));
    }

    #[test]
    fn a_flipped_bit_or_a_missing_end_is_noticed(state in state(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (table, mut bytes) = encoded(&state);
        let at = at.index(bytes.len());
        prop_assert!(RecordState::decode(&bytes[..at], &table).is_err());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(RecordState::decode(&bytes, &table).is_err());
    }

    /// Damage that the checksum cannot see: an older bug, another program.
    #[test]
    fn bytes_with_a_right_checksum_never_panic(state in state(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let (table, mut bytes) = encoded(&state);
        for (at, byte) in edits {
            let at = 5 + at.index(bytes.len() - 5);
            bytes[at] = byte;
        }
        let sum = blake3::hash(&bytes[5..]);
        bytes[1..5].copy_from_slice(&sum.as_bytes()[..4]);
        let _ = RecordState::decode(&bytes, &table);
    }
}

#[test]
fn another_version_and_an_unknown_actor_are_named() {
    let state = RecordState { seqs: [(ActorId::from([1; 16]), 1)].into(), ..RecordState::default() };
    let (_, mut bytes) = encoded(&state);
    assert_eq!(RecordState::decode(&bytes, &Table::default()), Err(DamagedState::UnknownActor(0)));
    bytes[0] = 2;
    assert_eq!(RecordState::decode(&bytes, &Table::default()), Err(DamagedState::Version(Some(2))));
    assert_eq!(RecordState::decode(&[], &Table::default()), Err(DamagedState::Version(None)));
}

#[test]
fn a_new_record_of_five_fields_takes_about_a_hundred_bytes_beside_its_values() {
    let actor = ActorId::from([5; 16]);
    let values = [
        ("title", ScalarValue::Str("twenty characters...".into()), 21),
        ("done", ScalarValue::Boolean(false), 0),
        ("rank", ScalarValue::Int(3), 1),
        ("due", ScalarValue::Timestamp(1_800_000_000), 5),
        ("owner", ScalarValue::Str("0123456789abcdef".into()), 17),
    ];
    let edits = values.iter().map(|(key, value, _)| RootEdit::Put((*key).into(), value.clone()));
    let edits: Vec<RootEdit> = edits.collect();
    let writer = Writer { actor: &actor, own_last: None };
    let change = RecordState::default().build(&edits, &writer, 1_800_000_000_000).unwrap().unwrap();
    let mut state = RecordState::default();
    state.apply(&change);
    let (_, bytes) = encoded(&state);
    let of_values: usize = values.iter().map(|(_, _, size)| size).sum();
    assert!(bytes.len() - of_values <= 100, "{} bytes beside the values", bytes.len() - of_values);
}
