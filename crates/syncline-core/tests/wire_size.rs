//! How many bytes a record costs on the wire.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ROOT, ScalarValue};
use syncline_core::ids::{Chain, RecordId, ReplicaId};
use syncline_core::wire::{Batch, BatchContent, BatchReplica, BatchRow, Message};

/// A create of a record with five scalar fields, as the store writes it: ids in time order, one actor per writer.
fn create(n: u64, rng: &mut impl FnMut() -> u64) -> BatchRow {
    let actor = ActorId::from([7; 16]);
    let mut document = AutoCommit::new().with_actor(actor);
    let time = 1_760_000_000_000 + n * 3;
    let words =
        ["buy", "milk", "call", "the", "bank", "about", "invoice", "review", "draft", "garden", "water", "plants"];
    let title: Vec<&str> = (0..4).map(|_| words[(rng() % words.len() as u64) as usize]).collect();
    document.put(ROOT, "~live", 1).unwrap();
    document.put(ROOT, "title", title.join(" ")).unwrap();
    document.put(ROOT, "done", rng() & 1 == 0).unwrap();
    document.put(ROOT, "priority", (rng() % 10) as i64).unwrap();
    document.put(ROOT, "dueAt", ScalarValue::Timestamp(time as i64 + (rng() % 1_000_000) as i64)).unwrap();
    document.put(ROOT, "estimate", (rng() % 1_000) as f64 / 10.0).unwrap();
    document.commit_with(automerge::transaction::CommitOptions::default().with_time(time as i64));
    let bytes = document.get_last_local_change().unwrap().raw_bytes().to_vec();
    let mut record = [0; 16];
    record[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    record[6..14].copy_from_slice(&rng().to_be_bytes());
    record[14..].copy_from_slice(&rng().to_be_bytes()[..2]);
    record[6] = 0x70 | record[6] & 0x0f;
    BatchRow { replica: 0, counter: n, txn: 0, model: 0, record: RecordId(record), bytes }
}

#[test]
fn a_record_of_five_fields_costs_at_most_sixty_bytes_in_a_full_batch() {
    let mut state = 0x1234_5678_u64;
    let mut rng = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32 << 32) | (state.rotate_left(17) >> 32)
    };
    let rows: Vec<_> = (1..=500).map(|n| create(n, &mut rng)).collect();
    let raw: usize = rows.iter().map(|row| row.bytes.len()).sum();
    let content = BatchContent {
        replicas: vec![BatchReplica { replica: ReplicaId([7; 16]), before: Chain(1), forked: false }],
        models: vec!["Todo".to_owned()],
        rows,
        ..BatchContent::default()
    };
    let (packing, unpacked_len, content) = content.pack().unwrap();
    let batch =
        Batch { number: 1, after: 0, upto: 500, upto_chain: Chain(2), head: 500, packing, unpacked_len, content };
    let per_record = Message::from(batch).frame_len() as f64 / 500.0;
    println!("{per_record:.1} bytes per record on the wire, {:.1} as changes", raw as f64 / 500.0);
    assert!(per_record <= 60.0, "{per_record:.1} bytes per record");
}
