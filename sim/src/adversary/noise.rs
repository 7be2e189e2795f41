//! Bytes that are no frames, frames that are no messages.

use std::collections::BTreeSet;

use syncline_core::change::Change;
use syncline_core::wire::{Batch, BatchContent, FRAME_BYTES_MAX, Hello, Lane, Message, frame};

use super::Said;
use super::dice::Dice;

/// Kinds of rubbish.
const KINDS: u64 = 8;

/// Rubbish for a line; `greeting` is what was last said on it in earnest.
pub(super) fn rubbish(dice: &mut Dice, greeting: Option<&Hello>) -> Vec<Said> {
    match dice.below(KINDS) {
        0 => vec![Said::Bytes(any_lane(dice), some_bytes(dice, 4_000))],
        1 => vec![Said::Bytes(Lane::Control, cut_off(dice, greeting))],
        2 => vec![Said::Bytes(any_lane(dice), bad_length(dice))],
        3 => vec![huge_claim(dice)],
        4 => {
            let kind = if dice.one_in(2) { 0 } else { 13 + dice.below(243) as u8 };
            vec![Said::Frame(any_lane(dice), kind, some_bytes(dice, 500))]
        }
        5 => endless_hello(dice, greeting),
        6 => vec![Said::Frame(any_lane(dice), 1 + dice.below(12) as u8, some_bytes(dice, 300))],
        _ => vec![Said::Frame(any_lane(dice), 1 + dice.below(12) as u8, Vec::new())],
    }
}

/// Changes some bytes of a frame's body.
pub(super) fn garble(dice: &mut Dice, body: &mut Vec<u8>) {
    for _ in 0..=dice.below(3) {
        let at = dice.index(body.len());
        let byte = dice.below(256) as u8;
        match dice.below(4) {
            0 if at < body.len() => body[at] ^= 1 << dice.below(8),
            1 if at < body.len() => body[at] = byte,
            2 => body.truncate(at),
            _ => body.insert(at, byte),
        }
    }
}

/// Whether a garbled batch holds other changes than it did. They would be twins of the true ones: of two changes of an
/// actor with one sequence number each store keeps for good what came first.
pub(super) fn makes_twins(before: &Message, kind: u8, body: &[u8]) -> bool {
    let rows = |batch: &Batch| BatchContent::unpack(batch).map(|unpacked| unpacked.content.rows).unwrap_or_default();
    let (Message::Batch(before), Ok(Message::Batch(after))) = (before, Message::decode(kind, body)) else {
        return false;
    };
    let told: BTreeSet<Vec<u8>> = rows(before).into_iter().map(|row| row.bytes).collect();
    rows(&after).iter().any(|row| !told.contains(&row.bytes) && Change::parse(&row.bytes).is_ok())
}

pub(super) fn any_lane(dice: &mut Dice) -> Lane {
    *dice.pick(&[Lane::Control, Lane::Live, Lane::Bulk]).expect("there are three")
}

fn some_bytes(dice: &mut Dice, most: u64) -> Vec<u8> {
    let len = 1 + dice.below(most) as usize;
    dice.bytes(len)
}

/// A frame whose end never comes.
fn cut_off(dice: &mut Dice, greeting: Option<&Hello>) -> Vec<u8> {
    let mut bytes = match greeting {
        Some(hello) => frame(&Message::from(hello.clone())),
        None => frame(&Message::decode(12, &[0]).expect("a goodbye is a number")),
    };
    bytes.truncate(1 + dice.index(bytes.len() - 1));
    bytes
}

fn bad_length(dice: &mut Dice) -> Vec<u8> {
    let length = match dice.below(4) {
        0 => 0,
        1 => FRAME_BYTES_MAX as u32 + 1,
        2 => u32::MAX,
        _ => FRAME_BYTES_MAX as u32 + 1 + dice.below(1 << 30) as u32,
    };
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(some_bytes(dice, 100));
    bytes
}

/// A body in which a length claims far more than there is.
fn huge_claim(dice: &mut Dice) -> Said {
    let mut body = Vec::new();
    let kind = *dice.pick(&[1, 2, 4, 5, 6, 7, 8]).expect("there are some");
    // Behind so many zeros there stands a length in most messages.
    body.resize(dice.index(120), 0);
    let claim = *dice.pick(&[1 << 20, 1 << 32, 1 << 40, u64::MAX]).expect("there are some");
    varint(&mut body, claim);
    body.extend(some_bytes(dice, 50));
    Said::Frame(any_lane(dice), kind, body)
}

fn endless_hello(dice: &mut Dice, greeting: Option<&Hello>) -> Vec<Said> {
    if let (Some(hello), true) = (greeting, dice.one_in(2)) {
        let mut hello = hello.clone();
        hello.token = Some("x".repeat(20_000 + dice.index(900_000)));
        return vec![Said::Message(Lane::Control, hello.into())];
    }
    // The header of the longest frame there may be, kind hello, and then a body that drips.
    let mut bytes = (FRAME_BYTES_MAX as u32).to_le_bytes().to_vec();
    bytes.push(1);
    bytes.extend(some_bytes(dice, 2_000));
    vec![Said::Bytes(Lane::Control, bytes)]
}

/// A number as it travels.
pub(super) fn varint(to: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => to.push(value as u8),
        251..=0xffff => {
            to.push(251);
            to.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            to.push(252);
            to.extend_from_slice(&(value as u32).to_le_bytes());
        }
        _ => {
            to.push(253);
            to.extend_from_slice(&value.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::edit::ObjectKind;
    use syncline_core::genesis::Genesis;
    use syncline_core::ids::{Chain, RecordId, ReplicaId};
    use syncline_core::wire::{BatchReplica, BatchRow};

    use super::*;

    fn batch(bytes: Vec<u8>) -> Message {
        let content = BatchContent {
            replicas: vec![BatchReplica { replica: ReplicaId([1; 16]), before: Chain::EMPTY, forked: false }],
            models: vec!["Note".to_owned()],
            genesis: Vec::new(),
            rows: vec![BatchRow { replica: 0, counter: 1, txn: 0, model: 0, record: RecordId([2; 16]), bytes }],
            large: Vec::new(),
        };
        let (packing, unpacked_len, content) = content.pack().unwrap();
        let (number, after, upto, head) = (1, 0, 1, 1);
        Batch { number, after, upto, upto_chain: Chain::EMPTY, head, packing, unpacked_len, content }.into()
    }

    fn change(key: &str) -> Vec<u8> {
        let genesis = Genesis { model: "Note".to_owned(), key: key.to_owned(), kind: ObjectKind::Text };
        genesis.change().bytes().to_vec()
    }

    /// In a swarm one garbled bit had made another time of a change: it was taken for a change of its honest writer,
    /// and two devices showed another record for good, as nobody had promised they would not.
    #[test]
    fn a_garbled_batch_makes_twins_only_if_what_it_holds_is_still_a_change() {
        let (kind, body) = batch(change("body")).encode();
        assert!(!makes_twins(&batch(change("body")), kind, &body));
        assert!(makes_twins(&batch(change("bodz")), kind, &body));
        assert!(!makes_twins(&batch(change("body")), kind, &body[..body.len() / 2]));
    }
}
