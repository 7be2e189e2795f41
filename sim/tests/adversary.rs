//! Hostile peers against honest engines: nobody panics, no store breaks, and the honest converge.
//!
//! Two honest stores talk with an adversary, and in half of the runs with each other. Then the adversary is gone,
//! a third honest store joins, and all three must show the same.
#![allow(clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

mod adversary_fleet;

use std::collections::{BTreeMap, BTreeSet};

use adversary_fleet::{Fleet, Peer};
use serde_json::{Map, Value, json};
use syncline_core::session::Event;
use syncline_engine::Source;
use syncline_sim::schedule::Adversary;

const SDL: &str = r#"
type Todo @model {
  title: String!
  rank: Int
  done: Boolean
  stars: Int @counter
  tags: [String] @set
  steps: [String]
  notes: String @text
}

type Place @model {
  code: ID! @primaryKey
  name: String
  text: String @text
}
"#;

/// What runs of one kind came to.
#[derive(Debug, Default)]
struct Tally {
    acts: u64,
    violations: u64,
    slow: u64,
    forks: u64,
    renewals: u64,
    quarantined: u64,
    unequal: Vec<(u64, String)>,
}

fn values(text: &str, rank: u64) -> Map<String, Value> {
    let record = json!({"title": text, "rank": rank, "tags": ["x", text], "notes": text, "steps": ["one", text]});
    record.as_object().cloned().unwrap()
}

/// One write of an app: mostly new records, some edits of old ones.
fn write(fleet: &mut Fleet, at: usize, number: u64) -> Option<String> {
    let text = format!("{at}-{number}");
    let id = match number % 4 {
        3 => {
            let place = json!({"code": format!("p{}", number % 3), "name": text, "text": text});
            fleet.write(at, |tx| tx.save("Place", place.as_object().unwrap(), Source::App))
        }
        _ => fleet.write(at, |tx| tx.save("Todo", &values(&text, number), Source::App)),
    };
    let id = id.ok()?.record.get("id")?.as_str()?.to_owned();
    if number % 3 == 1 {
        fleet.write(at, |tx| tx.splice("Todo", &id, "notes", 1, 1, "!")).ok()?;
        fleet.write(at, |tx| tx.increment("Todo", &id, "stars", 2)).ok()?;
    }
    Some(id)
}

/// A run: returns what is wrong at its end.
fn run(kind: Adversary, seed: u64, twins: bool, tally: &mut Tally) {
    let mut fleet = Fleet::new(SDL, seed);
    let a = fleet.add(Peer::Honest);
    let b = fleet.add(Peer::Honest);
    let hostile = fleet.add(if twins { Peer::Twins(kind) } else { Peer::Hostile(kind) });
    let mut own: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for at in [a, b, hostile] {
        for number in 0..4 {
            own.entry(at).or_default().extend(write(&mut fleet, at, number));
        }
    }
    fleet.link(hostile, a);
    fleet.link(b, hostile);
    if seed % 2 == 0 {
        fleet.link(a, b);
    }
    for round in 0..8 {
        fleet.run_for(2_500);
        let at = [a, b, hostile][(seed + round) as usize % 3];
        own.entry(at).or_default().extend(write(&mut fleet, at, 10 + round));
    }
    fleet.run_for(3_000);
    for at in [a, b] {
        fleet.check_alive(at);
    }
    fleet.remove(hostile);
    let c = fleet.add(Peer::Honest);
    fleet.link(b, a);
    fleet.link(c, a);
    fleet.run_for(20_000);

    for at in [a, b, c] {
        let faults = fleet.store(at).verify().unwrap().faults;
        assert!(faults.is_empty(), "{kind:?} seed {seed}: store {at}: {faults:?}");
    }
    // What a store wrote itself is part of its records, whatever anybody says.
    for at in [a, b] {
        let store = fleet.store(at);
        let mine = fleet.written(at);
        let applied: BTreeSet<_> =
            store.log_after(0).unwrap().into_iter().filter(|row| row.kind == "applied").map(|row| row.hash).collect();
        assert!(mine.is_subset(&applied), "{kind:?} seed {seed}: store {at} lost own changes");
        for id in &own[&at] {
            assert!(fleet.export(at).iter().any(|record| record.get("id") == Some(&json!(id))) || may_write(kind));
        }
    }
    let shown = [a, b, c].map(|at| fleet.export(at));
    let vectors = [a, b, c].map(|at| fleet.store(at).version());
    let unequal = vectors[0] != vectors[1] || vectors[0] != vectors[2] || shown[0] != shown[1] || shown[0] != shown[2];
    if unequal {
        let mut why = format!("vectors {}", vectors[0] == vectors[1] && vectors[0] == vectors[2]);
        for (one, other) in [(0, 1), (0, 2)] {
            let differing =
                shown[one].iter().zip(&shown[other]).find(|(left, right)| left != right).map(|(l, r)| json!([l, r]));
            why += &format!("; {one}/{other}: {} and {} records, {differing:?}", shown[one].len(), shown[other].len());
        }
        tally.unequal.push((seed, why));
    }
    for at in [a, b] {
        for event in fleet.events(at) {
            match event {
                Event::Misbehaved(what) if what.to_string().contains("in time") => tally.slow += 1,
                Event::Misbehaved(_) => tally.violations += 1,
                Event::ForkFound(found) => tally.forks += found.len() as u64,
                Event::IdentityRenewed { .. } => tally.renewals += 1,
                Event::StoreFailed(why) => panic!("{kind:?} seed {seed}: store {at} failed a session: {why}"),
                _ => {}
            }
        }
        tally.quarantined += fleet.store(at).status().unwrap().quarantined.len() as u64;
    }
    tally.acts += fleet.lies(hostile).acts;
}

/// Whether the kind writes to others' records, which is nobody's fault.
fn may_write(kind: Adversary) -> bool {
    matches!(kind, Adversary::Poison | Adversary::ForgedWriter | Adversary::Equivocation)
}

fn runs(kind: Adversary) -> Tally {
    let mut tally = Tally::default();
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100);
    let first = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    for seed in first..first + seeds {
        run(kind, seed, false, &mut tally);
    }
    println!("{kind:?}: {tally:?}");
    assert!(tally.acts >= seeds, "{kind:?} did hardly anything: {tally:?}");
    assert!(tally.unequal.is_empty(), "{kind:?}: honest stores differ: {:#?}", tally.unequal);
    tally
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let tally = runs(Adversary::Garbage);
    assert!(tally.violations > 0 && tally.forks == 0, "{tally:?}");
}

#[test]
fn messages_in_the_wrong_state_are_refused_or_mean_nothing() {
    let tally = runs(Adversary::WrongState);
    assert!(tally.violations > 0, "{tally:?}");
}

#[test]
fn two_changes_under_one_dot_retire_their_writer_and_are_both_kept() {
    let tally = runs(Adversary::Equivocation);
    assert!(tally.forks > 0, "{tally:?}");
}

#[test]
fn inflated_claims_move_nothing_but_the_liars_own_position() {
    let tally = runs(Adversary::InflatedVector);
    assert!(tally.violations > 0 && tally.renewals > 0, "{tally:?}");
}

#[test]
fn what_a_peer_withholds_comes_from_others() {
    let tally = runs(Adversary::Withholding);
    assert!(tally.violations > 0, "{tally:?}");
}

#[test]
fn a_forged_writer_is_retired_and_its_victim_goes_on() {
    let tally = runs(Adversary::ForgedWriter);
    assert!(tally.forks > 0, "{tally:?}");
}

#[test]
fn bombs_do_not_burst() {
    let tally = runs(Adversary::Bomb);
    assert!(tally.violations > 0 && tally.quarantined > 0, "{tally:?}");
}

#[test]
fn poison_is_quarantined_by_all_alike() {
    let tally = runs(Adversary::Poison);
    assert!(tally.quarantined > 0, "{tally:?}");
}
