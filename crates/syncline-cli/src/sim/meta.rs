//! `sim meta`: one seed, two processes, no difference.
//!
//! One of the two has run the seeds before it, the other is new for each: what a run leaves behind in its process
//! must not matter either.

use std::time::Duration;

use serde_json::json;
use syncline_sim::outcome::{Kind, Outcome as Ended};
use syncline_sim::trace::Entry;

use super::Verdict;
use super::args::MetaArgs;
use super::chosen::Chosen;
use super::interrupt::Interrupt;
use super::job::{Alone, Ask, Report};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, counted, say};

const PATIENCE: Duration = Duration::from_secs(900);

/// Steps between two checkpoints, as [`Ended::checkpoints`] has them.
const STEPS: u64 = 1000;

/// Entries that are shown before the first that differs.
const BEFORE: usize = 3;

pub(super) fn run(args: &MetaArgs, out: &mut Out) -> Outcome<Verdict> {
    let chosen = Chosen::new(&args.scenario, "swarm")?;
    let interrupt = Interrupt::listen();
    let mut pair =
        Pair { old: Alone::new(args.scenario.clone(), PATIENCE), new: Alone::new(args.scenario.clone(), PATIENCE) };
    let (mut runs, mut different) = (0_u64, 0_u64);
    for seed in args.seeds.clone() {
        interrupt.while_doing(format!("seed {seed} was running"));
        runs += 1;
        let (old, new) = pair.run(&Ask::seed(seed))?;
        let difference = difference(&old.ended, &new.ended);
        if args.json {
            out.json(&json!({"seed": seed, "same": difference.is_none(), "hashes": [old.ended.hash, new.ended.hash]}))?;
        }
        if let Some(window) = difference {
            different += 1;
            show(&mut pair, seed, window, args.json, out)?;
        }
        out.flush()?;
    }
    let seeds = counted(runs, "seed");
    if different == 0 {
        say(format_args!("{}: {seeds} run in two processes each, no difference", chosen.name()));
        return Ok(Verdict::Passed);
    }
    say(format_args!("{}: {seeds} run in two processes each, {different} with a difference", chosen.name()));
    Ok(Verdict::Violated(Kind::Nondeterminism))
}

/// The two processes.
struct Pair {
    old: Alone,
    new: Alone,
}

impl Pair {
    /// The same in both, at the same time.
    fn run(&mut self, ask: &Ask) -> Outcome<(Report, Report)> {
        self.new.renew();
        self.old.begin(ask)?;
        self.new.begin(ask)?;
        let (old, new) = (self.old.wait()?, self.new.wait()?);
        let seed = ask.seed;
        let alive = |run: Result<Box<Report>, super::job::Death>| {
            run.map_err(|death| Failure::failed(format!("seed {seed} did not end: {}", death.violation().message)))
        };
        Ok((*alive(old)?, *alive(new)?))
    }
}

/// The steps in which two runs begin to differ, if they do: behind the first, up to the second.
fn difference(old: &Ended, new: &Ended) -> Option<(u64, u64)> {
    if old == new {
        return None;
    }
    let pairs = old.checkpoints.iter().zip(&new.checkpoints);
    let same = pairs.take_while(|(old, new)| old == new).count() as u64;
    let both = old.checkpoints.len().min(new.checkpoints.len()) as u64;
    let end = if same < both { (same + 1) * STEPS } else { u64::MAX };
    Some((same * STEPS, end))
}

fn show(pair: &mut Pair, seed: u64, window: (u64, u64), json: bool, out: &mut Out) -> Outcome {
    let (one, other) = pair.run(&Ask { window: Some(window), ..Ask::seed(seed) })?;
    let place = format!("seed {seed}: two runs differ behind step {}", window.0);
    let Some(at) = first_difference(&one.entries, &other.entries) else {
        return out.line(format_args!("{place}, where nothing is told that differs: only the hashes do"));
    };
    let pair = (one.entries.get(at), other.entries.get(at));
    if json {
        return out.json(&json!({"seed": seed, "one": pair.0, "other": pair.1}));
    }
    out.line(format_args!("{place}; in both, then in one and in the other:"))?;
    for entry in &one.entries[at.saturating_sub(BEFORE)..at] {
        out.line(format_args!("         {}", line(Some(entry))))?;
    }
    out.line(format_args!("  one    {}", line(pair.0)))?;
    out.line(format_args!("  other  {}", line(pair.1)))
}

fn first_difference(old: &[Entry], new: &[Entry]) -> Option<usize> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    (same < old.len().max(new.len())).then_some(same)
}

fn line(entry: Option<&Entry>) -> String {
    let entry = entry.map(|entry| serde_json::to_string(entry).unwrap_or_default());
    entry.unwrap_or_else(|| "(nothing more)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(checkpoints: &[&str], hash: &str) -> Ended {
        Ended {
            seed: 1,
            violation: None,
            hash: hash.to_owned(),
            checkpoints: checkpoints.iter().map(|text| (*text).to_owned()).collect(),
            stats: syncline_sim::outcome::Stats::default(),
        }
    }

    #[test]
    fn the_steps_in_which_runs_begin_to_differ_lie_between_checkpoints() {
        assert_eq!(difference(&ended(&["a", "b"], "x"), &ended(&["a", "b"], "x")), None);
        assert_eq!(difference(&ended(&["a", "b", "c"], "x"), &ended(&["a", "d", "e"], "y")), Some((1000, 2000)));
        assert_eq!(difference(&ended(&["a"], "x"), &ended(&["a"], "y")), Some((1000, u64::MAX)));
        assert_eq!(difference(&ended(&["a", "b"], "x"), &ended(&["a"], "y")), Some((1000, u64::MAX)));
    }
}
