//! Claims to hold what does not exist, or what was never sent.

use syncline_core::ids::{Chain, ReplicaId};
use syncline_core::wire::{Cursor, Entry, Message};

use super::Lies;
use super::dice::Dice;

/// A replica id with its tip, as the adversary's store has it.
pub(super) type Known = (ReplicaId, u64, Chain);

/// Makes a message claim more than is so. `false` if there is nothing in it that could.
pub(super) fn inflate(dice: &mut Dice, message: &mut Message, known: &[Known], lies: &mut Lies) -> bool {
    match message {
        Message::Hello(hello) => {
            if dice.one_in(2) {
                claim(dice, &mut hello.delta, known, lies);
            } else if dice.one_in(3) {
                hello.intro.counter = further(dice, hello.intro.counter);
            } else {
                beyond(dice, &mut hello.cursor);
                hello.head = further(dice, hello.head);
            }
        }
        Message::Welcome(welcome) => match dice.below(4) {
            0 => beyond(dice, &mut welcome.cursor),
            1 => {
                welcome.your_counter = further(dice, welcome.your_counter);
                welcome.your_chain = Chain(dice.number());
            }
            2 => welcome.head = further(dice, welcome.head),
            _ => claim(dice, &mut welcome.delta, known, lies),
        },
        Message::VectorPart(part) => claim(dice, &mut part.entries, known, lies),
        Message::Ack(ack) => match dice.below(4) {
            0 => ack.position = further(dice, ack.position),
            1 => ack.consumed = further(dice, ack.consumed),
            2 => ack.your_counter = further(dice, ack.your_counter),
            _ => ack.chain = Chain(dice.number()),
        },
        Message::Covered(covered) => covered.head = further(dice, covered.head),
        Message::Batch(batch) => batch.head = further(dice, batch.head),
        Message::Goodbye(goodbye) => goodbye.last = further(dice, goodbye.last),
        Message::Refused(_) | Message::Verified(_) | Message::Forked(_) | Message::Part(_) | Message::Renewed(_) => {
            return false;
        }
    }
    true
}

fn claim(dice: &mut Dice, entries: &mut Vec<Entry>, known: &[Known], lies: &mut Lies) {
    for _ in 0..=dice.below(3) {
        let entry = match dice.pick(known) {
            Some((replica, counter, chain)) if !dice.one_in(3) => {
                lies.accused.insert(*replica);
                // With the right chain of an earlier place, or with one that nobody has.
                let chain = if dice.one_in(2) { *chain } else { Chain(dice.number()) };
                Entry { replica: *replica, counter: further(dice, *counter), chain, forked: false }
            }
            Some(_) | None => {
                let replica = ReplicaId(dice.id());
                lies.invented.insert(replica);
                Entry { replica, counter: further(dice, 0), chain: Chain(dice.number()), forked: dice.one_in(4) }
            }
        };
        entries.retain(|other| other.replica != entry.replica || dice.one_in(4));
        entries.push(entry);
    }
}

fn beyond(dice: &mut Dice, cursor: &mut Option<Cursor>) {
    if let Some(cursor) = cursor {
        cursor.seq = further(dice, cursor.seq);
        if dice.one_in(2) {
            cursor.chain = Chain(dice.number());
        }
    }
}

fn further(dice: &mut Dice, counter: u64) -> u64 {
    match dice.below(5) {
        0 => u64::MAX,
        1 => i64::MAX as u64,
        2 => counter.saturating_add(1 << 40),
        _ => counter.saturating_add(1 + dice.below(50)),
    }
}
