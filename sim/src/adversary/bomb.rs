//! Little that becomes much: what unpacks, claims, repeats or nests beyond all limits.

use syncline_core::ids::{Chain, RecordId};
use syncline_core::wire::{
    Batch, CHANGE_BYTES_MAX, CONTENT_BYTES_MAX, GenesisSpec, LARGE_BYTES, Lane, PART_BYTES, Packing, Part,
};

use super::dice::Dice;
use super::noise::varint;
use super::poison;
use super::{Line, Said};

const KINDS: u64 = 8;

/// A zstd block's longest run.
const RUN_BYTES: usize = 128 << 10;

/// Rows in an overlong batch, and in a long chain of changes.
const ROWS: usize = 20_000;
const CHAIN: usize = 300;

/// Something that bursts on the line.
pub(super) fn on_the_line(dice: &mut Dice, line: &Line) -> Vec<Said> {
    let (content, packing, unpacked_len) = match dice.below(KINDS) {
        0 => {
            let claimed = *dice.pick(&[1_000, CONTENT_BYTES_MAX as u32, u32::MAX]).expect("there are some");
            (run_of(0, 512 * RUN_BYTES), Packing::Zstd, claimed)
        }
        1 => {
            let byte = *dice.pick(&[0, 1, 2, 250, 252, 253, 255]).expect("there are some");
            (run_of(byte, CONTENT_BYTES_MAX), Packing::Zstd, CONTENT_BYTES_MAX as u32)
        }
        2 => plain(tiny_rows(ROWS)),
        3 => {
            let mut content = vec![0; dice.index(8)];
            varint(&mut content, *dice.pick(&[1 << 19, 1 << 32, 1 << 60]).expect("there are some"));
            content.resize(content.len() + 200, 1);
            plain(content)
        }
        4 => plain(lengths_that_overflow()),
        5 => return compressed_chunk(dice, line),
        6 => {
            let total = CHANGE_BYTES_MAX as u64 + 1 + dice.below(1 << 20);
            return vec![part(dice.hash(), 0, total, vec![0; PART_BYTES])];
        }
        _ => {
            let one_each = |dice: &mut Dice| part(dice.hash(), 0, CHANGE_BYTES_MAX as u64, vec![0; 1_000]);
            return (0..40).map(|_| one_each(dice)).collect();
        }
    };
    vec![batch(line, content, packing, unpacked_len)]
}

fn plain(content: Vec<u8>) -> (Vec<u8>, Packing, u32) {
    let len = content.len() as u32;
    (content, Packing::Plain, len)
}

fn batch(line: &Line, content: Vec<u8>, packing: Packing, unpacked_len: u32) -> Said {
    let (after, upto) = (line.told, line.told);
    let batch = Batch {
        number: line.number + 1,
        after,
        upto,
        upto_chain: Chain::EMPTY,
        head: upto,
        packing,
        unpacked_len,
        content,
    };
    Said::Message(Lane::Bulk, batch.into())
}

fn part(payload: [u8; 32], offset: u64, total: u64, bytes: Vec<u8>) -> Said {
    Said::Message(Lane::Bulk, Part { payload, offset, total, bytes }.into())
}

/// A zstd frame of runs of one byte: four bytes for each 128 KiB.
fn run_of(byte: u8, len: usize) -> Vec<u8> {
    // Magic number, no content size, a window of 1 MiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3];
    let mut left = len;
    while left > 0 {
        let run = left.min(RUN_BYTES);
        left -= run;
        let header = (run as u32) << 3 | 1 << 1 | u32::from(left == 0);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(byte);
    }
    frame
}

/// Columns of far more rows than a batch may have, each of one byte.
fn tiny_rows(rows: usize) -> Vec<u8> {
    let mut content = Vec::new();
    varint(&mut content, 1);
    content.extend_from_slice(&[7; 16]);
    content.extend_from_slice(&[0; 9]);
    varint(&mut content, 1);
    varint(&mut content, 4);
    content.extend_from_slice(b"Todo");
    varint(&mut content, 0);
    // Replica, counter, txn, model: a byte per row.
    for byte in [0, 2, 0, 0] {
        varint(&mut content, rows as u64);
        content.resize(content.len() + rows, byte);
    }
    varint(&mut content, 16 * rows as u64);
    content.resize(content.len() + 16 * rows, 3);
    varint(&mut content, rows as u64);
    content.resize(content.len() + rows, 1);
    varint(&mut content, 0);
    varint(&mut content, rows as u64);
    content.resize(content.len() + rows, 9);
    content
}

/// Two rows whose lengths add up to the bodies only in 32 bits.
fn lengths_that_overflow() -> Vec<u8> {
    let mut content = Vec::new();
    varint(&mut content, 1);
    content.extend_from_slice(&[7; 16]);
    content.extend_from_slice(&[0; 9]);
    varint(&mut content, 1);
    varint(&mut content, 4);
    content.extend_from_slice(b"Todo");
    varint(&mut content, 0);
    for byte in [0, 2, 0, 0] {
        content.extend_from_slice(&[2, byte, byte]);
    }
    varint(&mut content, 32);
    content.resize(content.len() + 32, 3);
    varint(&mut content, 2);
    varint(&mut content, u64::from(u32::MAX));
    varint(&mut content, 11);
    varint(&mut content, 0);
    varint(&mut content, 10);
    content.resize(content.len() + 10, 9);
    content
}

/// A change that travels in parts because it is long, and is compressed as a whole, so that reading it would cost
/// a thousand times as much.
fn compressed_chunk(dice: &mut Dice, line: &Line) -> Vec<Said> {
    let mut chunk = poison::with_header(&dice.bytes(LARGE_BYTES + 40_000));
    chunk[8] = 2;
    let payload = *blake3::hash(&chunk).as_bytes();
    let total = chunk.len() as u64;
    let pieces = chunk.chunks(PART_BYTES).enumerate();
    let mut said: Vec<Said> =
        pieces.map(|(at, piece)| part(payload, (at * PART_BYTES) as u64, total, piece.to_vec())).collect();
    let content = names_large(payload, chunk.len());
    let len = content.len() as u32;
    said.push(batch(line, content, Packing::Plain, len));
    said
}

/// Columns of one row whose change travelled in parts.
fn names_large(payload: [u8; 32], len: usize) -> Vec<u8> {
    let mut content = Vec::new();
    varint(&mut content, 1);
    content.extend_from_slice(&[7; 16]);
    content.extend_from_slice(&[0; 9]);
    varint(&mut content, 1);
    varint(&mut content, 4);
    content.extend_from_slice(b"Todo");
    varint(&mut content, 0);
    for byte in [0, 2, 0, 0] {
        content.extend_from_slice(&[1, byte]);
    }
    varint(&mut content, 16);
    content.extend_from_slice(&[3; 16]);
    content.extend_from_slice(&[1, 0]);
    varint(&mut content, 1);
    content.push(0);
    content.extend_from_slice(&payload);
    varint(&mut content, len as u64);
    varint(&mut content, 0);
    content
}

/// Something that bursts when it is merged: changes for the adversary's own log.
pub(super) fn in_the_log(dice: &mut Dice, template: &[u8], record: RecordId) -> Vec<(RecordId, Vec<u8>)> {
    let actor = dice.id();
    match dice.below(5) {
        0 => vec![(record, poison::with_header(&one_column(&actor, 0x42, &run(1 << 60))))],
        1 => vec![(record, poison::with_header(&one_column(&actor, 0x70, &run(1 << 40))))],
        // The bit that says: this column is deflated.
        2 => vec![(record, poison::with_header(&one_column(&actor, 0x4a, &dice.bytes(60))))],
        kind => {
            let mut chain = poison::chain(template, &actor, CHAIN);
            let fresh = RecordId(dice.id());
            if kind == 3 {
                // Whose root nobody has.
                chain = chain.split_off(chain.len().min(1));
            } else {
                // Each before the one that it builds on.
                chain.reverse();
            }
            chain.into_iter().map(|bytes| (fresh, bytes)).collect()
        }
    }
}

/// Explanations of objects that no model has.
pub(super) fn geneses(dice: &mut Dice, model: &str) -> Vec<GenesisSpec> {
    let long = "k".repeat(dice.index(300));
    (0..dice.below(2_000)).map(|number| (model.to_owned(), format!("{long}{number}"), (number % 3) as u8)).collect()
}

/// A change's body with one column of operations.
fn one_column(actor: &[u8; 16], column: u64, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 16];
    body.extend_from_slice(actor);
    // Sequence number, first operation, time, no message, no other actors, one column.
    body.extend_from_slice(&[1, 1, 0, 0, 0, 1]);
    poison::leb(&mut body, column);
    poison::leb(&mut body, data.len() as u64);
    body.extend_from_slice(data);
    body
}

/// A run of so many ones.
fn run(len: u64) -> Vec<u8> {
    let mut data = Vec::new();
    poison::leb(&mut data, len);
    data.push(1);
    data
}
