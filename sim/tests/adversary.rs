//! Hostile peers against honest engines: nobody panics, no store breaks, and the honest converge.
//!
//! Two honest stores talk with an adversary, and in half of the runs with each other. Then the adversary is gone,
//! a third honest store joins, and all three must show the same.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

mod adversary_fleet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Once;

use adversary_fleet::{Fleet, Peer};
use serde_json::{Map, Value, json};
use syncline_core::session::{Event, PeerMisbehaved};
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

/// How a run is laid out.
struct Layout {
    twins: bool,
    /// The second honest store is a relay, which everybody talks to.
    relay: bool,
}

fn run(kind: Adversary, seed: u64, Layout { twins, relay }: Layout, tally: &mut Tally) {
    let mut fleet = Fleet::new(SDL, seed);
    let a = fleet.add(Peer::Honest);
    let b = fleet.add(if relay { Peer::Relay } else { Peer::Honest });
    let hostile = fleet.add(if twins { Peer::Twins(kind) } else { Peer::Hostile(kind) });
    let writers: Vec<usize> = [a, b, hostile].into_iter().filter(|at| !(relay && *at == b)).collect();
    let mut own: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for at in &writers {
        for number in 0..4 {
            own.entry(*at).or_default().extend(write(&mut fleet, *at, number));
        }
    }
    if relay {
        fleet.link(hostile, b);
        fleet.link(a, b);
    } else {
        fleet.link(hostile, a);
        fleet.link(b, hostile);
        if seed.is_multiple_of(2) {
            fleet.link(a, b);
        }
    }
    for round in 0..8 {
        fleet.run_for(2_500);
        let at = writers[(seed + round) as usize % writers.len()];
        own.entry(at).or_default().extend(write(&mut fleet, at, 10 + round));
    }
    fleet.run_for(3_000);
    fleet.remove(hostile);
    let c = fleet.add(Peer::Honest);
    fleet.link(a, b);
    fleet.link(c, if relay { b } else { a });
    fleet.run_for(20_000);

    let told = format!("{kind:?} seed {seed}");
    for at in [a, b, c] {
        let faults = fleet.store(at).verify().unwrap().faults;
        assert!(faults.is_empty(), "{told}: store {at}: {faults:?}");
    }
    for at in writers.iter().filter(|at| **at != hostile) {
        check_own(&fleet, *at, &own[at], &told, may_write(kind) || twins);
    }
    let shown: Vec<usize> = if relay { vec![a, c] } else { vec![a, b, c] };
    if let Some(difference) = differ(&fleet, &[a, b, c], &shown) {
        tally.unequal.push((seed, difference));
    }
    for at in [a, b] {
        tally.count(fleet.events(at), &told);
        tally.quarantined += fleet.store(at).status().unwrap().quarantined.len() as u64;
    }
    tally.acts += fleet.lies(hostile).acts;
}

/// What a store wrote itself is part of its records, whatever anybody says; and it is as it was, unless the
/// adversary may edit it as anybody may.
fn check_own(fleet: &Fleet, at: usize, ids: &BTreeSet<String>, told: &str, edited: bool) {
    let rows = fleet.store(at).log_after(0).unwrap();
    let applied: BTreeSet<_> = rows.iter().filter(|row| row.kind == "applied").map(|row| row.hash).collect();
    assert!(fleet.written(at).is_subset(&applied), "{told}: store {at} lost own changes");
    let shown = fleet.export(at);
    for id in ids {
        let record = shown.iter().find(|record| record.get("id") == Some(&json!(id)));
        let as_written = record.is_some_and(|record| record["title"].as_str().unwrap().starts_with(&format!("{at}-")));
        assert!(as_written || edited, "{told}: store {at} shows {record:?} for {id}");
    }
}

/// How honest stores differ, if they do, but for records that an adversary made to.
fn differ(fleet: &Fleet, all: &[usize], shown: &[usize]) -> Option<String> {
    for at in &all[1..] {
        // A session that goes on is not told of a fork that another one found, until it begins anew.
        let forked: Vec<String> = all.iter().flat_map(|at| fleet.store(*at).status().unwrap().forked).collect();
        let held = |at: usize| {
            let version = fleet.store(at).version();
            version.iter().filter(|(id, _)| !forked.contains(&id.to_string())).collect::<Vec<_>>()
        };
        let (left, right) = (held(all[0]), held(*at));
        if left != right {
            return Some(format!("{} and {at} hold {left:?} and {right:?}", all[0]));
        }
    }
    for at in &shown[1..] {
        let (left, right) = (fleet.export(shown[0]), fleet.export(*at));
        if left != right {
            let first = left.iter().zip(&right).find(|(left, right)| left != right);
            return Some(format!("{} and {at} show {first:?} ({}, {})", shown[0], left.len(), right.len()));
        }
    }
    None
}

impl Tally {
    fn count(&mut self, events: &[Event], told: &str) {
        for event in events {
            match event {
                Event::Misbehaved(PeerMisbehaved::TooSlow(_)) => self.slow += 1,
                Event::Misbehaved(_) => self.violations += 1,
                Event::ForkFound(found) => self.forks += found.len() as u64,
                Event::IdentityRenewed { .. } => self.renewals += 1,
                Event::StoreFailed(why) => panic!("{told}: a session failed by its own store: {why}"),
                _ => {}
            }
        }
    }
}

/// Whether the kind writes to others' records, which is nobody's fault.
fn may_write(kind: Adversary) -> bool {
    matches!(kind, Adversary::Poison | Adversary::ForgedWriter | Adversary::Equivocation)
}

/// What Automerge's panics print says nothing: they are caught where its bytes are read.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.location().is_some_and(|at| at.file().contains("automerge") || at.file().contains("hexane")) {
                usual(info);
            }
        }));
    });
}

/// How many runs of each kind; `SEEDS` and `FIRST` ask for others.
const SEEDS: u64 = 24;

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn runs(kind: Adversary) -> Tally {
    hush();
    let mut tally = Tally::default();
    let (first, seeds) = (asked("FIRST", 0), asked("SEEDS", SEEDS));
    for seed in first..first + seeds {
        run(kind, seed, Layout { twins: false, relay: seed % 4 == 3 }, &mut tally);
    }
    eprintln!("{kind:?}: {tally:?}");
    assert!(tally.acts >= seeds / 2, "{kind:?} did hardly anything: {tally:?}");
    assert!(tally.unequal.is_empty(), "{kind:?}: honest stores differ: {:#?}", tally.unequal);
    tally
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let tally = runs(Adversary::Garbage);
    assert!(tally.violations > 0, "{tally:?}");
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
    // A single bomb that bursts takes more.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 600 << 10, "{kib} KiB at the peak");
    }
}

#[test]
fn poison_is_quarantined_by_all_alike() {
    let tally = runs(Adversary::Poison);
    assert!(tally.quarantined > 0, "{tally:?}");
}

/// One actor's two changes of one number cannot both be part of a record: each store keeps what came first, and
/// everything else holds. Where the adversary wrote under a victim's actor, that may be the forged one.
#[test]
fn twins_of_one_actor_break_no_store() {
    hush();
    let mut tally = Tally::default();
    for kind in [Adversary::Equivocation, Adversary::ForgedWriter] {
        for seed in 0..asked("SEEDS", SEEDS) {
            run(kind, seed, Layout { twins: true, relay: seed % 4 == 3 }, &mut tally);
        }
    }
    assert!(tally.forks > 0 && tally.quarantined > 0, "{tally:?}");
    eprintln!("{} of these runs end with a record that differs", tally.unequal.len());
}
