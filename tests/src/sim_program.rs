//! `syncline sim`: what a person types, sees and gets, with the real program.

use std::path::Path;

use serde_json::Value;

use crate::support::program::{Said, run, text};
use crate::support::{Bed, SDL};

/// A file in the folder of the test; its path.
fn write(bed: &Bed, name: &str, content: &str) -> String {
    std::fs::write(bed.path(name), content).unwrap();
    text(&bed.path(name))
}

/// Runs with the arguments of one line, words apart.
fn sim(bed: &Bed, line: &str) -> Said {
    // Nothing is left outside of the folder.
    let place = if line.starts_with("run ") { " --save-failure @" } else { "" };
    let line = format!("{line}{place}");
    let words = line.split(' ').map(|word| match word.strip_prefix('@') {
        Some(name) => text(&bed.path(name)),
        None => word.to_owned(),
    });
    run(["sim".to_owned()].into_iter().chain(words))
}

fn passed(bed: &Bed, line: &str) -> Said {
    let said = sim(bed, line);
    assert_eq!(said.code, 0, "{line}: {said:?}");
    said
}

/// A fleet that cannot agree as fast as it is asked to: what one device saves at the last moment travels for longer.
fn failing(bed: &Bed) -> String {
    let schedule = format!(
        "version = 1\nscenario = \"far away\"\nseed = 1\nduration = \"1m\"\n\
         expect = {{ converge_within = \"1s\" }}\nschema = '''{SDL}'''\n\
         [[node]]\nname = \"hub\"\nrole = \"relay\"\n[[node]]\nname = \"ada\"\n[[node]]\nname = \"ben\"\n\
         [[link]]\nfrom = \"ada\"\nto = \"hub\"\nline = {{ latency = \"9s\" }}\n\
         [[link]]\nfrom = \"ben\"\nto = \"hub\"\n\
         [[event]]\nid = 5\nat = \"0:00:09\"\ndo = \"restart\"\nnode = \"ben\"\ndown = \"5s\"\n\
         [[event]]\nid = 8\nat = \"0:00:59\"\ndo = \"create\"\nnode = \"ada\"\nmodel = \"Todo\"\n\
         values = {{ title = \"far too long a title\" }}\n"
    );
    write(bed, "failing.toml", &schedule)
}

#[test]
fn two_commands_lead_from_a_schema_to_a_report() {
    let bed = Bed::new();
    write(&bed, "schema.graphql", "type Trip @model {\n  title: String!\n  votes: Int @counter\n}\n");
    passed(&bed, "init --schema @schema.graphql --output @scenario.toml");
    let said =
        passed(&bed, "run @scenario.toml --for 1m --seed 3 --set faults.families=none --html @r.html --trace @t.jsonl");
    assert!(said.err.starts_with("seed 3\n"), "{said:?}");
    assert!(said.text().starts_with("PASSED") && said.text().contains("--seed 3"), "{said:?}");
    let page = std::fs::read_to_string(bed.path("r.html")).unwrap();
    assert!(page.contains("<svg") || page.contains("<canvas"), "the page shows nothing");
    let trace = std::fs::read_to_string(bed.path("t.jsonl")).unwrap();
    let entries: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.iter().all(|entry| entry["n"].is_u64() && entry["t"].is_u64() && entry["kind"].is_string()));
    assert!(entries.iter().any(|entry| entry["kind"] == "committed"));
}

#[test]
fn a_seed_does_the_same_each_time_and_another_does_not() {
    let bed = Bed::new();
    let line = "run --for 1m --set faults.families=none --json --seed";
    let hash = |seed: u64| sim(&bed, &format!("{line} {seed}")).json()["hash"].clone();
    let (once, again, other) = (hash(11), hash(11), hash(12));
    assert!(once.is_string() && once == again && once != other, "{once} {again} {other}");
    let said = passed(&bed, "meta --preset quick --for 1m --seeds 1..3");
    assert!(said.err.contains("3 seeds") && said.err.contains("no difference"), "{said:?}");
}

#[test]
fn a_failure_is_replayed_shrunk_and_told_from_its_file() {
    let bed = Bed::new();
    let file = failing(&bed);
    let said = sim(&bed, "replay @failing.toml --json");
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(said.json()["violation"]["kind"], "liveness");
    let said = sim(&bed, "replay @failing.toml");
    assert!(said.text().starts_with("FAILED") && said.text().contains(&file), "{said:?}");
    let said = passed(&bed, "shrink @failing.toml --output @small.toml");
    assert!(said.text().starts_with("events 2 → ") && said.text().contains("nodes 3 → 2"), "{said:?}");
    let said = sim(&bed, "replay @small.toml");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("every step is the same"), "{said:?}");
    let said = passed(&bed, "explain @small.toml");
    assert!(said.text().contains("relay") && said.text().lines().count() > 3, "{said:?}");
    // What fails as it did is what one wants before the fix, and not after.
    std::fs::create_dir(bed.path("corpus")).unwrap();
    std::fs::rename(bed.path("small.toml"), bed.path("corpus/one.toml")).unwrap();
    passed(&bed, "replay --corpus @corpus --expect-failure");
    let said = sim(&bed, "replay --corpus @corpus --junit @j.xml");
    assert_eq!(said.code, 3, "{said:?}");
    let junit = std::fs::read_to_string(bed.path("j.xml")).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"1\"") && junit.contains("sim replay"), "{junit}");
}

#[test]
fn a_swarm_counts_what_befell_its_fleets() {
    let bed = Bed::new();
    let line = "swarm --preset quick --for 2m --seed-from 1 --max-runs 6 --jobs 2 --keep-going --json \
                --corpus @found --junit @j.xml";
    let said = sim(&bed, line);
    let summary = said.json();
    assert_eq!(summary["runs"], 6, "{said:?}");
    assert_eq!(summary["seeds"], serde_json::json!([1, 6]));
    assert!(summary["events"]["create"]["done"].as_u64() > Some(0), "{summary}");
    let junit = std::fs::read_to_string(bed.path("j.xml")).unwrap();
    assert!(junit.contains("tests=\"6\"") && junit.contains("name=\"seed 6\""), "{junit}");
    let failures = summary["failures"].as_array().unwrap();
    assert_eq!(said.code == 0, failures.is_empty(), "{said:?}");
    for failure in failures {
        assert!(Path::new(failure["file"].as_str().unwrap()).exists(), "{failure}");
    }
}

#[test]
fn a_swarm_that_has_no_time_for_enough_runs_says_so() {
    let bed = Bed::new();
    let said = sim(&bed, "swarm --preset idle-day --time-budget 1ms --min-runs 1000 --jobs 1 --corpus @found");
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("1000 were wanted"), "{said:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_that_takes_its_process_with_it_is_told_by_its_seed() {
    let bed = Bed::new();
    // A day of nineteen devices takes long enough to be met.
    let corpus = text(&bed.path("found"));
    let args = "sim swarm --preset twenty-nodes --seed-from 7 --max-runs 1 --jobs 1 --corpus";
    let swarm = crate::support::program::start_listened(args.split(' ').chain([corpus.as_str()]));
    let child = loop {
        let children = format!("/proc/{0}/task/{0}/children", swarm.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        if let Some(child) = children.split_whitespace().next() {
            break child.to_owned();
        }
        std::thread::yield_now();
    };
    let killed = std::process::Command::new("kill").args(["-9", &child]).status().unwrap();
    assert!(killed.success());
    let said = swarm.said();
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains("seed 7") && said.err.contains("no-crash"), "{said:?}");
    let saved = std::fs::read_to_string(bed.path("found/twenty-nodes-no-crash-7.toml")).unwrap();
    assert!(saved.contains("seed = 7"), "{saved:.300}");
}

#[test]
fn wrong_input_is_told_with_its_place_and_the_exit_code_of_wrong_usage() {
    let bed = Bed::new();
    write(&bed, "wrong.toml", "version = 1\nname = \"x\"\nduration = \"10m\"\n\n[workload]\nkind = \"tood\"\n");
    write(&bed, "bad.graphql", "type Todo @model {\n  title: Strin!\n}\n");
    write(&bed, "no.toml", "this is no TOML");
    write(&bed, "app.graphql", "type Todo @model { title: String }");
    write(&bed, "other.graphql", "type Todo @model { title: Int }");
    let cases: &[(&str, &[&str])] = &[
        ("run @wrong.toml", &["wrong.toml:6:", "tood", "todo"]),
        ("run @none.toml", &["none.toml"]),
        ("run --schema @bad.graphql", &[":2:", "Strin", "String"]),
        ("run --preset quik", &["quik", "quick"]),
        ("run --preset schema-rollout --schema @app.graphql", &["--newer-schema FILE"]),
        ("run --schema @app.graphql --newer-schema @other.graphql", &["other.graphql", "title"]),
        ("run --set nonsense", &["nonsense", "PATH=VALUE"]),
        ("run --set faults.flip.rate=1/5m", &["flip"]),
        ("run --disable flip", &["flip"]),
        ("run --seeds 5..1", &["5..1"]),
        ("run --for soon", &["soon"]),
        ("replay @no.toml", &["no.toml:1:"]),
        ("replay", &["FAIL.toml"]),
        ("replay --corpus @nowhere", &["nowhere"]),
        ("shrink @none.toml", &["none.toml"]),
        ("swarm --preset quik --max-runs 1", &["quik"]),
        ("init --schema @bad.graphql --output @out.toml", &["Strin"]),
    ];
    for (line, says) in cases {
        let said = sim(&bed, line);
        assert_eq!((said.code, said.out.as_slice()), (2, &[] as &[u8]), "{line}: {said:?}");
        for word in *says {
            assert!(said.err.contains(word), "{line} does not say {word}: {said:?}");
        }
    }
    assert!(!bed.path("out.toml").exists());
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let bed = Bed::new();
    write(&bed, "schema.graphql", SDL);
    write(&bed, "scenario.toml", "mine");
    let said = sim(&bed, "init --schema @schema.graphql --output @scenario.toml");
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(std::fs::read_to_string(bed.path("scenario.toml")).unwrap(), "mine");
}

#[test]
fn everything_that_can_be_chosen_is_listed() {
    let bed = Bed::new();
    for (what, name) in [("presets", "quick"), ("faults", "power-cut"), ("workloads", "hot-record"), ("mutants", "")] {
        let said = passed(&bed, &format!("list {what}"));
        assert!(said.text().contains(name), "{said:?}");
        let listed = passed(&bed, &format!("list {what} --json")).json();
        assert!(!listed[what].as_array().unwrap().is_empty(), "{listed}");
    }
    let all = passed(&bed, "list");
    assert!(["Presets", "Faults", "Workloads", "Checks", "Mutants", "awaiting"].iter().all(|w| all.text().contains(w)));
    let schema = passed(&bed, "schema").json();
    assert!(schema["properties"]["workload"].is_object(), "{schema}");
}

#[test]
fn a_program_without_planted_defects_says_how_to_get_one_with_them() {
    let bed = Bed::new();
    let said = sim(&bed, "run --mutant no-such-defect");
    assert_eq!(said.code, 2, "{said:?}");
    // With the feature the name is looked up; without, the way to the feature is told.
    assert!(said.err.contains("no-such-defect") || said.err.contains("--features mutants"), "{said:?}");
}
