//! `sim swarm`: seed after seed, in several processes, until the time is over or something fails.
//!
//! One thread hands out seeds and hears what became of them; the runs are in children.

mod tally;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use syncline_sim::failure::Failure as Failed;
use syncline_sim::junit::{self, Case, Suite};
use syncline_sim::outcome::Violation;
use syncline_sim::shrink::Class;

use super::Verdict;
use super::args::SwarmArgs;
use super::chosen::{Chosen, new_seed};
use super::files;
use super::interrupt::Interrupt;
use super::job::{Ask, Heard, Job, Report};
use super::shrink::smaller;
use super::simulate::write;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Out, counted, say};
use tally::Tally;

/// How long to look if nobody says.
const BUDGET: Duration = Duration::from_secs(600);
/// How long each failure is made smaller.
const SHRINK_BUDGET: Duration = Duration::from_secs(60);
/// Failures of one class that become files.
const KEPT_OF_A_CLASS: usize = 10;
/// How often somebody who is no terminal hears how it goes.
const NEWS_EVERY: Duration = Duration::from_secs(30);

pub(super) fn run(args: &SwarmArgs, out: &mut Out) -> Outcome<Verdict> {
    let chosen = Chosen::new(&args.scenario, "swarm")?;
    let first = args.seed_from.unwrap_or_else(new_seed);
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get() as u64));
    say(format_args!("{}: seeds from {first} on, {}", chosen.name(), counted(jobs, "job")));
    let mut swarm = Swarm::new(args, &chosen, first);
    swarm.begin(jobs)?;
    swarm.go_on()?;
    swarm.progress.clear();
    swarm.stop();
    swarm.save()?;
    swarm.tell(out)
}

struct Swarm<'a> {
    args: &'a SwarmArgs,
    chosen: &'a Chosen,
    interrupt: Interrupt,
    jobs: BTreeMap<usize, Slot>,
    next_job: usize,
    sender: Sender<(usize, Heard)>,
    heard: Receiver<(usize, Heard)>,
    first: u64,
    next_seed: u64,
    began: Instant,
    took: Duration,
    tally: Tally,
    found: Vec<Found>,
    cases: Vec<Case>,
    progress: Progress,
}

/// A child, and what it runs since when.
struct Slot {
    job: Job,
    seed: u64,
    since: Instant,
}

/// A seed that failed.
struct Found {
    failed: Failed,
    /// `None` for one of a class that has enough files.
    file: Option<PathBuf>,
}

impl<'a> Swarm<'a> {
    fn new(args: &'a SwarmArgs, chosen: &'a Chosen, first: u64) -> Self {
        let (sender, heard) = mpsc::channel();
        Self {
            args,
            chosen,
            interrupt: Interrupt::listen(),
            jobs: BTreeMap::new(),
            next_job: 0,
            sender,
            heard,
            first,
            next_seed: first,
            began: Instant::now(),
            took: Duration::ZERO,
            tally: Tally::default(),
            found: Vec::new(),
            cases: Vec::new(),
            progress: Progress::new(args),
        }
    }

    fn begin(&mut self, jobs: u64) -> Outcome {
        for _ in 0..jobs.min(self.args.max_runs.unwrap_or(u64::MAX)) {
            self.start_job()?;
        }
        Ok(())
    }

    fn start_job(&mut self) -> Outcome {
        let number = self.next_job;
        self.next_job += 1;
        let mut job = Job::start(&self.args.scenario, number, self.sender.clone())?;
        let seed = self.take_seed();
        job.ask(&Ask { story: true, ..Ask::seed(seed) })?;
        self.jobs.insert(number, Slot { job, seed, since: Instant::now() });
        Ok(())
    }

    fn take_seed(&mut self) -> u64 {
        let seed = self.next_seed;
        self.next_seed += 1;
        seed
    }

    fn go_on(&mut self) -> Outcome {
        while !self.jobs.is_empty() && !self.is_over() {
            match self.heard.recv_timeout(Duration::from_millis(100)) {
                Ok((number, Heard::Ended(report))) => self.ended(number, *report)?,
                Ok((number, Heard::Gone)) => self.gone(number)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.look_for_hangs()?;
            self.took = self.began.elapsed();
            self.progress.show(&self.tally, self.found.len(), self.took);
        }
        Ok(())
    }

    /// Whether what is still running is not waited for.
    fn is_over(&self) -> bool {
        self.interrupt.seen()
            || self.began.elapsed() >= budget(self.args)
            || (!self.found.is_empty() && !self.args.keep_going)
    }

    fn ended(&mut self, number: usize, report: Report) -> Outcome {
        let Some(slot) = self.jobs.get_mut(&number) else { return Ok(()) };
        let seed = slot.seed;
        self.tally.add(&report);
        self.case(seed, report.ms, &report.ended.hash, report.ended.violation.as_ref());
        if let Some(violation) = report.ended.violation {
            self.fail(seed, &report.ended.hash, violation, report.story);
        }
        if !self.may_take_more() {
            self.jobs.remove(&number);
            return Ok(());
        }
        let seed = self.take_seed();
        if let Some(slot) = self.jobs.get_mut(&number) {
            (slot.seed, slot.since) = (seed, Instant::now());
            slot.job.ask(&Ask { story: true, ..Ask::seed(seed) })?;
        }
        Ok(())
    }

    fn may_take_more(&self) -> bool {
        self.args.max_runs.is_none_or(|most| self.next_seed - self.first < most)
    }

    /// A child has ended that still had something to do.
    fn gone(&mut self, number: usize) -> Outcome {
        let Some(slot) = self.jobs.remove(&number) else { return Ok(()) };
        self.bury(slot, None)
    }

    fn look_for_hangs(&mut self) -> Outcome {
        let most = self.args.hang_after;
        let hung: Vec<usize> =
            self.jobs.iter().filter(|(_, slot)| slot.since.elapsed() > most).map(|(number, _)| *number).collect();
        for number in hung {
            if let Some(slot) = self.jobs.remove(&number) {
                self.bury(slot, Some(most))?;
            }
        }
        Ok(())
    }

    fn bury(&mut self, slot: Slot, hung: Option<Duration>) -> Outcome {
        let (seed, ms) = (slot.seed, slot.since.elapsed().as_millis() as u64);
        let death = slot.job.end(hung);
        if death.is_interruption() || self.interrupt.seen() {
            return Ok(());
        }
        if let Some(refusal) = death.refusal() {
            return Err(Failure::usage(refusal));
        }
        let violation = death.violation();
        self.tally.add_dead();
        self.case(seed, ms, "", Some(&violation));
        self.fail(seed, "", violation, String::new());
        if self.may_take_more() && !self.is_over() { self.start_job() } else { Ok(()) }
    }

    fn fail(&mut self, seed: u64, hash: &str, violation: Violation, story: String) {
        self.progress.above(&format!("seed {seed} failed: {violation}"));
        let of_class = self.found.iter().filter(|found| Class::of(&violation).holds(&found.failed.violation)).count();
        let name = format!("{}-{}-{seed}.toml", file_name(self.chosen.name()), violation.check);
        let file = (of_class < KEPT_OF_A_CLASS).then(|| self.args.corpus.join(name));
        let failed = files::failed(self.chosen.schedule(seed), hash, violation, story);
        self.found.push(Found { failed, file });
    }

    fn case(&mut self, seed: u64, ms: u64, hash: &str, violation: Option<&Violation>) {
        if self.args.junit.is_none() {
            return;
        }
        let failure = violation.map(|violation| junit::Failed {
            kind: violation.check.clone(),
            message: violation.to_string(),
            text: violation.to_string(),
        });
        let properties = vec![("seed".to_owned(), seed.to_string()), ("hash".to_owned(), hash.to_owned())];
        self.cases.push(Case { name: format!("seed {seed}"), ms, failure, properties });
    }

    /// Ends the children.
    fn stop(&mut self) {
        self.jobs.clear();
    }

    /// Failures become files, each class's first one smaller if that is wanted.
    fn save(&mut self) -> Outcome {
        self.found.sort_by_key(|found| found.failed.schedule.seed);
        let mut classes = Vec::new();
        for found in &mut self.found {
            let Some(file) = &found.file else { continue };
            files::save(file, &found.failed)?;
            let class = Class::of(&found.failed.violation);
            if self.args.shrink && !classes.contains(&class) && !self.interrupt.seen() {
                let mutant = self.args.scenario.mutant.as_deref();
                if let Some(smaller) = smaller(&found.failed, mutant, SHRINK_BUDGET, &self.interrupt)? {
                    found.failed = smaller.failed;
                    files::save(file, &found.failed)?;
                }
            }
            classes.push(class);
        }
        if let Some(path) = &self.args.junit {
            self.cases.sort_by_key(|case| case.properties.first().and_then(|(_, seed)| seed.parse::<u64>().ok()));
            let name = format!("syncline sim swarm {}", self.chosen.name());
            write(path, &Suite { name, cases: std::mem::take(&mut self.cases) }.to_xml())?;
        }
        Ok(())
    }

    fn tell(&self, out: &mut Out) -> Outcome<Verdict> {
        let families = self.chosen.families();
        if self.args.json {
            out.json(&self.as_json(&families))?;
        } else {
            for line in self.tally.lines(self.chosen.name(), &families, self.took) {
                out.line(line)?;
            }
            self.tell_failures(out)?;
        }
        out.flush()?;
        if let Some(file) = self.found.iter().find_map(|found| found.file.as_ref()) {
            files::say_what_next(file, self.args.scenario.mutant.as_deref());
        }
        Ok(self.verdict())
    }

    fn tell_failures(&self, out: &mut Out) -> Outcome {
        let mut classes: BTreeMap<String, Vec<&Found>> = BTreeMap::new();
        for found in &self.found {
            classes.entry(found.failed.violation.check.clone()).or_default().push(found);
        }
        for (check, found) in classes {
            let seeds: Vec<String> = found.iter().take(8).map(|found| found.failed.schedule.seed.to_string()).collect();
            let more = if found.len() > seeds.len() { ", …" } else { "" };
            let (count, seeds) = (counted(found.len() as u64, "run"), seeds.join(", "));
            out.line(format_args!("\n{check} failed in {count}, seed {seeds}{more}"))?;
            for found in found.iter().filter_map(|found| found.file.as_ref()) {
                out.line(format_args!("  {}", found.display()))?;
            }
        }
        Ok(())
    }

    fn as_json(&self, families: &[&'static str]) -> Value {
        let failures = self.found.iter().map(|found| {
            json!({"seed": found.failed.schedule.seed, "violation": found.failed.violation, "file": found.file})
        });
        let mut summary = self.tally.as_json(families, self.took);
        summary["scenario"] = json!(self.chosen.name());
        summary["seeds"] = json!([self.first, self.next_seed.saturating_sub(1)]);
        summary["failures"] = failures.collect();
        summary
    }

    fn verdict(&self) -> Verdict {
        match self.found.first() {
            Some(found) => Verdict::of_violation(&found.failed.violation),
            None if self.interrupt.seen() => {
                say(format_args!("interrupted; seeds {} to {} were taken up", self.first, self.next_seed - 1));
                Verdict::Interrupted
            }
            None if self.args.min_runs.is_some_and(|least| self.tally.runs < least) => {
                let least = self.args.min_runs.unwrap_or(0);
                say(format_args!("the time was over after {}; {least} were wanted", counted(self.tally.runs, "run")));
                Verdict::TooFewRuns
            }
            None => Verdict::Passed,
        }
    }
}

fn budget(args: &SwarmArgs) -> Duration {
    match (args.time_budget, args.max_runs) {
        (Some(budget), _) => budget,
        (None, Some(_)) => Duration::MAX,
        (None, None) => BUDGET,
    }
}

fn file_name(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    plain.collect()
}

/// How it goes, on stderr: a line that changes on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    budget: Duration,
    last: Duration,
}

impl Progress {
    fn new(args: &SwarmArgs) -> Self {
        let bar = output::bar("", 0, "{spinner} {msg}");
        Self { bar, budget: budget(args), last: Duration::ZERO }
    }

    fn show(&mut self, tally: &Tally, failures: usize, took: Duration) {
        let due = took >= self.last + NEWS_EVERY;
        if self.bar.is_hidden() && !due {
            return;
        }
        self.last = took;
        let line = format!("{}{}", self.clock(took), tally.progress(failures, took));
        if self.bar.is_hidden() {
            say(line);
        } else {
            self.bar.set_message(line);
        }
    }

    fn clock(&self, took: Duration) -> String {
        let clock = |time: Duration| format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60);
        if self.budget == Duration::MAX {
            format!("{}  ", clock(took))
        } else {
            format!("{} of {}  ", clock(took), clock(self.budget))
        }
    }

    /// A line that stays.
    fn above(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
