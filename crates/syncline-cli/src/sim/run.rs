//! `sim run`: one seed after the other, in this process.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use syncline_sim::outcome::Outcome as Ended;
use syncline_sim::schedule::Schedule;

use super::Verdict;
use super::args::RunArgs;
use super::chosen::{Chosen, shell};
use super::files;
use super::interrupt::Interrupt;
use super::simulate::{Ran, simulate_and_tell, story};
use super::summary;
use crate::failure::Outcome;
use crate::output::{Out, say, stdout_is_colored};

pub(super) fn run(args: &RunArgs, out: &mut Out) -> Outcome<Verdict> {
    let chosen = Chosen::new(&args.scenario, "quick")?;
    let interrupt = Interrupt::listen();
    let seeds = args.seeds.clone().unwrap_or_else(|| {
        let seed = args.seed.unwrap_or_else(|| chosen.first_seed());
        seed..=seed
    });
    let single = seeds.start() == seeds.end();
    for seed in seeds {
        announce(seed);
        let again = again(args, seed);
        interrupt.while_doing(format!("seed {seed} was running; to run it again: {again}"));
        let schedule = chosen.schedule(seed);
        let ran = simulate_and_tell(&schedule, &args.told)?;
        let file = save(args, &schedule, &ran)?;
        if args.json {
            out.json(&as_json(&ran.ended, &ran, &again, file.as_ref()))?;
        } else if single || ran.ended.violation.is_some() {
            out.line(summary::text(&schedule, &ran.ended, ran.took, &again, stdout_is_colored()))?;
        } else {
            out.line(format_args!("seed {seed} passed in {:.2} s", ran.took.as_secs_f64()))?;
        }
        out.flush()?;
        say_where(args, file.as_ref());
        if ran.ended.violation.is_some() {
            return Ok(Verdict::of(&ran.ended));
        }
    }
    Ok(Verdict::Passed)
}

/// The seed is known before anything can go wrong with it.
fn announce(seed: u64) {
    say(format_args!("seed {seed}"));
    let _ = std::io::stderr().flush();
}

fn again(args: &RunArgs, seed: u64) -> String {
    let mut words = vec!["syncline".to_owned(), "sim".to_owned(), "run".to_owned()];
    words.extend(args.scenario.argv());
    words.extend(["--seed".to_owned(), seed.to_string()]);
    shell(&words)
}

fn save(args: &RunArgs, schedule: &Schedule, ran: &Ran) -> Outcome<Option<PathBuf>> {
    let Some(violation) = &ran.ended.violation else { return Ok(None) };
    let path = files::place(args.save_failure.as_deref(), schedule.seed);
    let story = story(schedule, ran);
    files::save(&path, &files::failed(schedule.clone(), &ran.ended.hash, violation.clone(), story))?;
    Ok(Some(path))
}

fn say_where(args: &RunArgs, file: Option<&PathBuf>) {
    for path in [&args.told.html, &args.told.trace].into_iter().flatten() {
        say(format_args!("written to {}", path.display()));
    }
    if let Some(path) = file {
        files::say_what_next(path, args.scenario.mutant.as_deref());
    }
}

fn as_json(ended: &Ended, ran: &Ran, again: &str, file: Option<&PathBuf>) -> serde_json::Value {
    json!({
        "passed": ended.violation.is_none(),
        "seed": ended.seed,
        "millis": ran.took.as_millis() as u64,
        "violation": ended.violation,
        "hash": ended.hash,
        "stats": ended.stats,
        "again": again,
        "failure_file": file,
    })
}
