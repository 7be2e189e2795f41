//! Valid messages where the protocol does not allow them.

use syncline_core::ids::{Chain, ReplicaId};
use syncline_core::wire::{
    Ack, Batch, Covered, Cursor, Entry, Forked, Goodbye, Lane, Message, PART_BYTES, Packing, Part, Refused,
    RefusedCode, Renewed, VERSION, VectorPart, Verified, Welcome,
};

use super::dice::Dice;
use super::noise::any_lane;
use super::{Line, Said};

const KINDS: u64 = 15;

/// Something that has no place now. `known` are replica ids that the peer may have heard of.
pub(super) fn out_of_place(dice: &mut Dice, line: &Line, known: &[ReplicaId]) -> Vec<Said> {
    let replica = dice.pick(known).copied();
    let replica = replica.unwrap_or_else(|| ReplicaId(dice.id()));
    let message: Message = match dice.below(KINDS) {
        0 => batch(line.number + 1, line.told, Vec::new()).into(),
        1 => ack(dice, line).into(),
        2 => match &line.greeting {
            Some(hello) => hello.clone().into(),
            None => Renewed { replica: ReplicaId(dice.id()) }.into(),
        },
        3 => return too_much(line),
        4 => return goodbye(dice, line),
        5 => part(dice).into(),
        6 => match welcome(dice, line) {
            Some(welcome) => welcome.into(),
            None => Verified { forked: Vec::new() }.into(),
        },
        7 => VectorPart { entries: entries(dice, known), last: dice.one_in(2) }.into(),
        8 => Verified { forked: vec![replica] }.into(),
        9 => Forked { replicas: vec![ReplicaId(dice.id()), ReplicaId(dice.id())] }.into(),
        10 => Covered {
            number: line.number + dice.below(3),
            upto: line.told + dice.below(3),
            upto_chain: Chain(dice.number()),
            head: line.told,
        }
        .into(),
        11 => return (0..=dice.below(200)).map(|_| control(Renewed { replica: ReplicaId(dice.id()) })).collect(),
        12 => {
            Refused { code: RefusedCode::Busy, detail: "no".repeat(dice.index(2_000)), retry_after_ms: dice.number() }
                .into()
        }
        13 => batch(line.number + dice.below(10_000), line.told + dice.below(3), dice.bytes(40)).into(),
        _ => {
            // A message of another lane.
            let lane = any_lane(dice);
            return vec![Said::Message(lane, Goodbye { last: line.number }.into())];
        }
    };
    let lane = match message {
        Message::Batch(_) | Message::Part(_) => Lane::Bulk,
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Refused(_)
        | Message::VectorPart(_)
        | Message::Verified(_)
        | Message::Forked(_)
        | Message::Covered(_)
        | Message::Ack(_)
        | Message::Renewed(_)
        | Message::Goodbye(_) => Lane::Control,
    };
    vec![Said::Message(lane, message)]
}

fn control(message: impl Into<Message>) -> Said {
    Said::Message(Lane::Control, message.into())
}

fn batch(number: u64, after: u64, content: Vec<u8>) -> Batch {
    let unpacked_len = content.len() as u32;
    let packing = Packing::Plain;
    Batch { number, after, upto: after, upto_chain: Chain::EMPTY, head: after, packing, unpacked_len, content }
}

fn ack(dice: &mut Dice, line: &Line) -> Ack {
    Ack {
        position: dice.below(1 << 40),
        chain: Chain(dice.number()),
        consumed: if dice.one_in(2) { u64::MAX } else { line.launched },
        renewals: dice.below(2) as u32,
        your_counter: 0,
        your_chain: Chain::EMPTY,
    }
}

/// Batches far beyond any credit, none of them in its turn.
fn too_much(line: &Line) -> Vec<Said> {
    let ahead = line.number + 2;
    (ahead..ahead + 24).map(|number| Said::Message(Lane::Bulk, batch(number, 0, vec![7; 250_000]).into())).collect()
}

/// A goodbye in the middle; sometimes a second one, sometimes one that waits for what never comes.
fn goodbye(dice: &mut Dice, line: &Line) -> Vec<Said> {
    let last = if dice.one_in(2) { line.number } else { dice.number() };
    let times = 1 + dice.below(2);
    (0..times).map(|_| control(Goodbye { last })).collect()
}

/// A part of a payload whose beginning was never sent, or that is as long as none may be.
fn part(dice: &mut Dice) -> Part {
    let total = *dice.pick(&[300_000, 8 << 20, (8 << 20) + 1, u64::MAX]).expect("there are some");
    let offset = *dice.pick(&[1, PART_BYTES as u64, total.wrapping_sub(10), u64::MAX]).expect("there are some");
    let len = *dice.pick(&[0, 10, PART_BYTES, PART_BYTES + 1]).expect("there are some");
    Part { payload: dice.hash(), offset, total, bytes: vec![1; len] }
}

/// An answer to nobody's hello: from the dialer, or for the second time.
fn welcome(dice: &mut Dice, line: &Line) -> Option<Welcome> {
    let intro = line.intro.clone()?;
    let cursor = Cursor { log: intro.log, epoch: intro.epoch, seq: dice.below(100), chain: Chain(dice.number()) };
    Some(Welcome {
        version: VERSION,
        features: 0,
        intro,
        head: dice.below(1_000),
        accepted: dice.one_in(2),
        your_counter: 0,
        your_chain: Chain::EMPTY,
        cursor: dice.one_in(2).then_some(cursor),
        more: dice.one_in(2),
        delta: Vec::new(),
        staged: Vec::new(),
        credit: dice.number() as u32,
    })
}

fn entries(dice: &mut Dice, known: &[ReplicaId]) -> Vec<Entry> {
    let entry = |replica: &ReplicaId| Entry { replica: *replica, counter: 1, chain: Chain(1), forked: false };
    let mut entries: Vec<Entry> = known.iter().take(3).map(entry).collect();
    entries.push(entry(&ReplicaId(dice.id())));
    entries
}
