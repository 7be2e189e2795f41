//! Every planted defect is found, and the same runs find nothing without it.
#![cfg(feature = "mutants")]

use std::collections::BTreeMap;

use syncline_sim::mutants::{self, Planted};
use syncline_sim::outcome::Violation;
use syncline_sim::world;

fn run(drill: &str, seed: u64) -> Option<Violation> {
    let schedule = mutants::drill(drill, seed).unwrap_or_else(|| panic!("there is no {drill}"));
    world::run(&schedule, None).violation
}

/// The first seed in which the defect is found, and how.
fn find(planted: &Planted) -> (u64, Violation) {
    mutants::plant(planted.name).expect("it is one of all");
    let found = (1..=planted.seeds).find_map(|seed| Some((seed, run(planted.preset, seed)?)));
    mutants::unplant();
    found.unwrap_or_else(|| panic!("{} is not found in {} seeds of {}", planted.name, planted.seeds, planted.preset))
}

/// One test: a process plants one defect at a time.
#[test]
fn every_planted_defect_is_found_by_the_checks_that_it_names_and_nothing_is_found_without_it() {
    let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
    for planted in mutants::all() {
        let (seed, violation) = find(planted);
        assert!(
            planted.caught_by.contains(&violation.check.as_str()),
            "{} was found by {} in seed {seed}: {violation}",
            planted.name,
            violation.check
        );
        let last = seeds.entry(planted.preset).or_default();
        *last = seed.max(*last);
    }
    for (drill, last) in seeds {
        for seed in 1..=last {
            assert_eq!(run(drill, seed), None, "{drill} with seed {seed} and nothing planted");
        }
    }
}

#[test]
fn every_drill_is_one_in_which_a_defect_is_looked_for() {
    let used: Vec<&str> = mutants::all().iter().map(|planted| planted.preset).collect();
    for drill in mutants::drills() {
        assert!(used.contains(&drill), "{drill}");
    }
}

#[test]
fn an_unknown_defect_is_an_error_that_says_what_may_have_been_meant() {
    let error = mutants::plant("sync-skiped").unwrap_err();
    assert_eq!(error.to_string(), "no defect is called `sync-skiped`; did you mean `sync-skipped`?");
    assert!(mutants::plant("xyz").unwrap_err().to_string().ends_with("called `xyz`"));
}
