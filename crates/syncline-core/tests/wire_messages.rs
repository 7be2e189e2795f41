//! Messages as bytes: round trips, golden files, damaged input.
//!
//! The golden files hold the byte layout that `docs/protocol.md` describes. After a deliberate change of
//! the protocol, write them anew with `SYNCLINE_GOLDEN=write cargo test -p syncline-core --test wire_messages`.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

use std::path::PathBuf;

use proptest::prelude::*;
use syncline_core::ids::{Chain, LogId, RecordId, ReplicaId, StoreId};
use syncline_core::wire::{
    Ack, BadFrame, Batch, BatchContent, BatchReplica, BatchRow, Covered, Cursor, Entry, FRAME_BYTES_MAX, Forked,
    FrameReader, Goodbye, Hello, Introduction, LargeRow, Message, Packing, Part, Refused, RefusedCode, Renewed, Role,
    StagedPart, VERSION, VectorPart, Verified, Welcome, frame,
};

fn intro() -> Introduction {
    Introduction {
        role: Role::Peer,
        store: StoreId([0x11; 16]),
        replica: ReplicaId([0x22; 16]),
        counter: 300,
        chain: Chain(0x0102_0304_0506_0708),
        log: LogId([0x33; 16]),
        epoch: 1,
    }
}

fn cursor() -> Cursor {
    Cursor { log: LogId([0x44; 16]), epoch: 2, seq: 70_000, chain: Chain(0x1112_1314_1516_1718) }
}

fn entry(n: u8, forked: bool) -> Entry {
    Entry { replica: ReplicaId([n; 16]), counter: n.into(), chain: Chain(n.into()), forked }
}

fn plain_change(body: &[u8]) -> Vec<u8> {
    // The checksum is the beginning of the hash, which the library computes from any chunk.
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, body.len() as u8];
    chunk.extend_from_slice(body);
    let hash = syncline_core::wire::change_hash(&chunk).unwrap();
    chunk[4..8].copy_from_slice(&hash[..4]);
    chunk
}

fn content() -> BatchContent {
    let row = |replica, counter, txn, n: u8, bytes| BatchRow {
        replica,
        counter,
        txn,
        model: u32::from(n) % 2,
        record: RecordId([n; 16]),
        bytes,
    };
    BatchContent {
        replicas: vec![
            BatchReplica { replica: ReplicaId([0x22; 16]), before: Chain(9), forked: false },
            BatchReplica { replica: ReplicaId([0x23; 16]), before: Chain::EMPTY, forked: true },
        ],
        models: vec!["Todo".to_owned(), "List".to_owned()],
        genesis: vec![("Todo".to_owned(), "notes".to_owned(), 1)],
        rows: vec![
            row(0, 301, 1, 4, plain_change(b"first")),
            row(0, 302, 0, 5, plain_change(b"second")),
            row(1, 7, 0, 6, Vec::new()),
            row(1, 3, 0, 6, plain_change(b"fourth")),
        ],
        large: vec![LargeRow { row: 2, payload: [0x77; 32], len: 400_000 }],
    }
}

fn batch(content: &BatchContent) -> Batch {
    let (packing, unpacked_len, content) = content.pack().unwrap();
    Batch { number: 1, after: 5, upto: 9, upto_chain: Chain(0x2122), head: 12, packing, unpacked_len, content }
}

fn examples() -> Vec<Message> {
    vec![
        Hello {
            version_min: VERSION,
            version_max: VERSION,
            features: 0,
            intro: intro(),
            namespace: "default".to_owned(),
            token: Some("abc".to_owned()),
            head: 1_000,
            cursor: Some(cursor()),
            base: 900,
            base_chain: Chain(0x3132),
            complete: true,
            delta: vec![entry(5, false), entry(6, true)],
            staged: vec![StagedPart { payload: [0x55; 32], bytes: 65_536 }],
            credit: 4 << 20,
        }
        .into(),
        Welcome {
            version: VERSION,
            features: 0,
            intro: Introduction { role: Role::Relay, ..intro() },
            head: 1_000_000,
            accepted: true,
            your_counter: 299,
            your_chain: Chain(0x4142),
            cursor: None,
            more: false,
            delta: vec![entry(7, false)],
            staged: Vec::new(),
            credit: 4 << 20,
        }
        .into(),
        Refused { code: RefusedCode::Busy, detail: "later".to_owned(), retry_after_ms: 5_000 }.into(),
        VectorPart { entries: vec![entry(8, false)], last: true }.into(),
        Verified { forked: vec![ReplicaId([9; 16])] }.into(),
        Forked { replicas: vec![ReplicaId([10; 16])] }.into(),
        Batch { packing: Packing::Plain, unpacked_len: 3, content: vec![1, 2, 3], ..batch(&content()) }.into(),
        Part { payload: [0x66; 32], offset: 65_536, total: 400_000, bytes: vec![1, 2, 3, 4] }.into(),
        Covered { number: 2, upto: 12, upto_chain: Chain(0x5152), head: 12 }.into(),
        Ack {
            position: 12,
            chain: Chain(0x6162),
            consumed: 100_000,
            renewals: 0,
            your_counter: 250,
            your_chain: Chain(3),
        }
        .into(),
        Renewed { replica: ReplicaId([11; 16]) }.into(),
        Goodbye { last: 0 }.into(),
    ]
}

fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"));
    let lines: Vec<String> = bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    let text = lines.join("\n") + "\n";
    if std::env::var("SYNCLINE_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default().replace('\r', "");
    assert_eq!(text, expected, "{} is not what the code writes", path.display());
}

#[test]
fn messages_are_written_as_the_golden_files_say() {
    for message in examples() {
        golden(&message.name().to_lowercase(), &frame(&message));
    }
}

#[test]
fn a_batchs_columns_are_written_as_the_golden_file_says() {
    // The plain form is the specified one; how well it is compressed is the writer's affair.
    let (packing, len, packed) = content().pack().unwrap();
    let plain = match packing {
        Packing::Plain => packed,
        Packing::Zstd => zstd::bulk::decompress(&packed, len as usize).unwrap(),
    };
    golden("batch_content", &plain);
}

#[test]
fn every_message_comes_back_and_has_its_own_number() {
    let mut kinds = std::collections::BTreeSet::new();
    for message in examples() {
        let (kind, body) = message.encode();
        assert_eq!(Message::decode(kind, &body), Ok(message.clone()));
        assert_eq!(message.frame_len(), body.len() + 5);
        assert!(kinds.insert(kind));
    }
    assert_eq!(kinds.len(), 12);
}

#[test]
fn bytes_of_a_later_version_are_passed_over() {
    for message in examples() {
        let (kind, mut body) = message.encode();
        body.extend_from_slice(b"what comes next");
        assert_eq!(Message::decode(kind, &body), Ok(message));
    }
}

#[test]
fn a_body_that_is_cut_off_is_an_error() {
    for message in examples() {
        let (kind, body) = message.encode();
        for end in 0..body.len() {
            assert!(Message::decode(kind, &body[..end]).is_err(), "{} cut at {end}", message.name());
        }
    }
}

#[test]
fn errors_name_what_is_wrong() {
    assert_eq!(Message::decode(200, &[]), Err(BadFrame::Kind(200)));
    assert_eq!(Message::decode(3, &[9]), Err(BadFrame::Variant { type_name: "RefusedCode", found: 9 }));
    assert_eq!(Message::decode(12 - 1, &[0; 3]), Err(BadFrame::CutOff));
}

#[test]
fn a_length_that_no_frame_can_have_allocates_nothing() {
    // `Verified` with 2^40 entries: the decoder must not believe it.
    let mut body = vec![253];
    body.extend_from_slice(&(1u64 << 40).to_le_bytes());
    assert_eq!(Message::decode(5, &body), Err(BadFrame::Limit));
    let mut reader = FrameReader::default();
    reader.push(&u32::MAX.to_le_bytes());
    assert_eq!(reader.next_message(), Err(BadFrame::Length(u32::MAX as usize)));
    let mut reader = FrameReader::default();
    reader.push(&0u32.to_le_bytes());
    assert_eq!(reader.next_message(), Err(BadFrame::Length(0)));
    assert!(FRAME_BYTES_MAX < u32::MAX as usize);
}

#[test]
fn a_batch_comes_back_with_the_hashes_of_its_changes() {
    let content = content();
    let unpacked = BatchContent::unpack(&batch(&content)).unwrap();
    assert_eq!(unpacked.content, content);
    for (row, hash) in content.rows.iter().zip(&unpacked.hashes) {
        assert_eq!(syncline_core::wire::change_hash(&row.bytes).unwrap_or_default(), *hash);
    }
}

fn contents() -> impl Strategy<Value = BatchContent> {
    let row =
        (0u32..3, any::<u64>(), any::<u16>(), 0u32..2, any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 1..90));
    prop::collection::vec(row, 0..40).prop_map(|rows| BatchContent {
        replicas: (0..3)
            .map(|n| BatchReplica { replica: ReplicaId([n; 16]), before: Chain(n.into()), forked: n == 2 })
            .collect(),
        models: vec!["A".to_owned(), "B".to_owned()],
        rows: rows
            .into_iter()
            .map(|(replica, counter, txn, model, record, body)| BatchRow {
                replica,
                counter,
                txn,
                model,
                record: RecordId(record),
                bytes: plain_change(&body),
            })
            .collect(),
        ..BatchContent::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batch_comes_back(content in contents()) {
        let unpacked = BatchContent::unpack(&batch(&content)).unwrap();
        prop_assert_eq!(unpacked.content, content);
    }

    #[test]
    fn a_damaged_batch_is_an_error_or_another_batch(content in contents(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut batch = batch(&content);
        let at = at.index(batch.content.len());
        batch.content[at] = byte;
        let _ = BatchContent::unpack(&batch);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(kind in 0u8..14, body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Message::Batch(batch)) = Message::decode(kind, &body) {
            let _ = BatchContent::unpack(&batch);
        }
    }

    #[test]
    fn a_changed_message_is_decoded_or_refused(which in 0usize..12, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (kind, mut body) = examples()[which].encode();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = Message::decode(kind, &body);
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_the_bytes_are_cut(cuts in prop::collection::vec(1usize..60, 1..30)) {
        let bytes: Vec<u8> = examples().iter().flat_map(frame).collect();
        let mut reader = FrameReader::default();
        let mut out = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            reader.push(now);
            while let Some(message) = reader.next_message().unwrap() {
                out.push(message);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(reader.is_between_frames());
        prop_assert_eq!(out, examples());
    }
}
