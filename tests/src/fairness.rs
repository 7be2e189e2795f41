//! What one client sends in bulk delays no other client. The wires carry a fixed number of bytes per turn, so
//! that order and number of turns say it, whatever the machine.

use syncline_core::wire::Role;
use syncline_engine::Source;

use crate::support::engines::Engines;
use crate::support::{SDL, record};

/// Bytes that a wire carries in a turn.
const TURN_BYTES: usize = 32 << 10;

/// Turns from one client through the relay to another and nothing else under way, with room for a frame that
/// was just begun on each of the two wires.
const HOP_TURNS_MAX: usize = 6;

const RELAY: usize = 0;

const PASTED: usize = 1_000_000;

/// Batches of a backfill, each a message of its own.
const BATCHES: u64 = 30;

/// Characters that do not compress to nothing.
fn noise(characters: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    (0..characters).map(|_| next()).collect()
}

/// A relay and three clients, all linked, everything said.
fn linked() -> Engines {
    let mut engines = Engines::new(SDL, 7);
    engines.add(Role::Relay);
    for _ in 0..3 {
        let client = engines.add(Role::Peer);
        engines.connect(client, RELAY);
    }
    engines.settle();
    engines
}

fn save(engines: &mut Engines, at: usize, value: serde_json::Value) -> String {
    let saved = engines.write(at, |tx| tx.save("Todo", &record(value), Source::App)).unwrap();
    saved.record["id"].as_str().unwrap().to_owned()
}

fn shows(engines: &Engines, at: usize, id: &str, field: &str) -> Option<serde_json::Value> {
    let record = engines.store(at).reader().unwrap().get("Todo", id).unwrap()?;
    Some(record[field].clone())
}

#[test]
fn a_million_pasted_characters_delay_no_other_client() {
    let mut engines = linked();
    let [writer, busy, reader] = [1, 2, 3];
    let pasted = save(&mut engines, writer, serde_json::json!({"title": "paste", "body": ""}));
    let edited = save(&mut engines, busy, serde_json::json!({"title": "0"}));
    engines.settle();
    let paste = noise(PASTED, 1);
    engines.write(writer, |tx| tx.splice("Todo", &pasted, "body", 0, 0, &paste)).unwrap();
    let mut during = 0;
    let arrived = |engines: &Engines| {
        shows(engines, reader, &pasted, "body").is_some_and(|body| body.as_str().map(str::len) == Some(PASTED))
    };
    while !arrived(&engines) {
        let title = serde_json::json!(format!("{}", during + 1));
        engines.write(busy, |tx| tx.update("Todo", &edited, &record(serde_json::json!({"title": title})))).unwrap();
        let mut turns = 0;
        while shows(&engines, reader, &edited, "title") != Some(title.clone()) {
            assert!(engines.carry(TURN_BYTES), "nothing moves any more");
            turns += 1;
        }
        assert!(turns <= HOP_TURNS_MAX, "an edit took {turns} turns");
        during += 1;
    }
    assert!(during >= 3, "only {during} edits passed the paste: it was not under way for long enough");
    engines.settle();
    assert_eq!(shows(&engines, busy, &pasted, "body").unwrap().as_str().map(str::len), Some(PASTED));
}

#[test]
fn a_newcomer_that_catches_up_delays_no_live_edit_of_the_others() {
    let mut engines = linked();
    let [writer, busy, reader] = [1, 2, 3];
    for batch in 0..BATCHES {
        let outcome = engines.write_together(writer, |tx| {
            for n in 0..100 {
                let title = noise(1_500, batch * 100 + n + 1);
                tx.save("Todo", &record(serde_json::json!({"title": title})), Source::App)?;
            }
            Ok(())
        });
        outcome.unwrap();
    }
    let edited = save(&mut engines, busy, serde_json::json!({"title": "0"}));
    engines.settle();
    let all = engines.store(reader).status().unwrap().changes;
    let late = engines.add(Role::Peer);
    engines.connect(late, RELAY);
    let mut during = 0;
    while engines.store(late).status().unwrap().changes < all {
        let title = serde_json::json!(format!("{}", during + 1));
        engines.write(busy, |tx| tx.update("Todo", &edited, &record(serde_json::json!({"title": title})))).unwrap();
        let mut turns = 0;
        while shows(&engines, reader, &edited, "title") != Some(title.clone()) {
            assert!(engines.carry(TURN_BYTES), "nothing moves any more");
            turns += 1;
        }
        assert!(turns <= HOP_TURNS_MAX, "an edit took {turns} turns");
        during += 1;
    }
    assert!(during >= 10, "only {during} edits passed: the newcomer was too fast");
    engines.settle();
    assert_eq!(engines.export(late), engines.export(reader));
}
