//! Runs in a child process: the same program, asked over its stdin, answering in lines of JSON.
//!
//! One simulation runs in a process at a time, so many at once are many processes; and a run that takes its
//! process with it leaves the parent to tell about it. The child names each seed before it runs it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use syncline_sim::outcome::{Kind, Outcome as Ended, Violation};
use syncline_sim::schedule::Schedule;
use syncline_sim::trace::{Entry, Recorder};

use super::args::ScenarioArgs;
use super::chosen::Chosen;
use super::simulate::{Ran, simulate, story};
use super::{Verdict, summary};
use crate::failure::{Failure, Outcome};
use crate::output::Out;

/// One run that is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ask {
    pub(super) seed: u64,
    /// Instead of the scenario's.
    pub(super) schedule: Option<Schedule>,
    /// Whether a failure is to be told.
    pub(super) story: bool,
    /// The steps of which everything is wanted: behind the first, up to the second.
    pub(super) window: Option<(u64, u64)>,
}

impl Ask {
    pub(super) fn seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn schedule(schedule: Schedule) -> Self {
        Self { seed: schedule.seed, schedule: Some(schedule), ..Self::default() }
    }
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Began(u64),
    Ended(Box<Report>),
}

/// A run that came to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) ended: Ended,
    /// Real milliseconds.
    pub(super) ms: u64,
    pub(super) events: usize,
    /// Faults that are borne by nodes.
    pub(super) borne: BTreeMap<String, u64>,
    /// Told if it failed and a story was wanted.
    pub(super) story: String,
    pub(super) entries: Vec<Entry>,
}

/// The child's side.
pub(super) fn serve(args: &ScenarioArgs, out: &mut Out) -> Outcome<Verdict> {
    let chosen = Chosen::new(args, "swarm")?;
    for line in std::io::stdin().lines() {
        let unread = |error: &dyn std::fmt::Display| Failure::failed(format!("stdin cannot be understood: {error}"));
        let ask: Ask = serde_json::from_str(&line.map_err(|error| unread(&error))?).map_err(|error| unread(&error))?;
        out.json(&Line::Began(ask.seed))?;
        out.flush()?;
        out.json(&Line::Ended(Box::new(answer(&chosen, ask))))?;
        out.flush()?;
    }
    Ok(Verdict::Passed)
}

fn answer(chosen: &Chosen, ask: Ask) -> Report {
    let schedule = ask.schedule.unwrap_or_else(|| chosen.schedule(ask.seed));
    let began = Instant::now();
    let mut window = ask.window.map(|(after, to)| Window { after, to, entries: Vec::new() });
    let ended = simulate(&schedule, window.as_mut().map(|window| window as &mut dyn Recorder));
    let ran = Ran { ended, took: began.elapsed(), entries: None };
    let wanted = ask.story && ran.ended.violation.is_some();
    Report {
        ms: ran.took.as_millis() as u64,
        events: schedule.events.len(),
        borne: summary::borne(&schedule),
        story: if wanted { story(&schedule, &ran) } else { String::new() },
        entries: window.map(|window| window.entries).unwrap_or_default(),
        ended: ran.ended,
    }
}

/// Keeps what happens in some steps.
struct Window {
    after: u64,
    to: u64,
    entries: Vec<Entry>,
}

impl Recorder for Window {
    fn record(&mut self, entry: Entry) {
        if self.after < entry.n && entry.n <= self.to {
            self.entries.push(entry);
        }
    }
}

/// What a parent hears of a child.
pub(super) enum Heard {
    Ended(Box<Report>),
    /// It says no more.
    Gone,
}

/// A child at work, ended when dropped.
pub(super) struct Job {
    child: Child,
    stdin: Option<ChildStdin>,
    errors: Option<JoinHandle<String>>,
}

impl Job {
    /// Starts a child; what it says arrives under this number.
    pub(super) fn start(args: &ScenarioArgs, number: usize, to: Sender<(usize, Heard)>) -> Outcome<Self> {
        let unstarted = |error: std::io::Error| Failure::failed(format!("no further process can be started: {error}"));
        let program = std::env::current_exe().map_err(unstarted)?;
        let mut command = Command::new(program);
        command.args(["sim", "job"]).args(args.argv());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(unstarted)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if let Some(stdout) = stdout {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Ok(Line::Ended(report)) = serde_json::from_str(&line)
                        && to.send((number, Heard::Ended(report))).is_err()
                    {
                        return;
                    }
                }
                // Nobody listens any more: then nobody misses it.
                let _ = to.send((number, Heard::Gone));
            });
        }
        let errors = stderr.map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                // What could be read is what there is to tell.
                let _ = stderr.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self { child, stdin, errors })
    }

    /// Asks for a run. A child that is gone is heard of as such.
    pub(super) fn ask(&mut self, ask: &Ask) -> Outcome {
        let mut line = serde_json::to_string(ask).map_err(Failure::failed)?;
        line.push('\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush());
        }
        Ok(())
    }

    /// How a child ended that is gone, or does not answer.
    pub(super) fn end(mut self, hung: Option<Duration>) -> Death {
        self.stdin = None;
        if hung.is_some() {
            let _ = self.child.kill();
        }
        let status = self.child.wait().ok();
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        Death { hung, status, errors }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stdin = None;
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a child that owed an answer.
#[derive(Debug)]
pub(super) struct Death {
    hung: Option<Duration>,
    status: Option<ExitStatus>,
    errors: String,
}

impl Death {
    /// Whether it was asked to end, as by Ctrl-C in the terminal.
    pub(super) fn is_interruption(&self) -> bool {
        let code = self.status.and_then(|status| status.code());
        code == Some(super::interrupt::CODE) || self.signal().is_some_and(|signal| [2, 15].contains(&signal))
    }

    /// It could not begin: its own words.
    pub(super) fn refusal(&self) -> Option<&str> {
        let usage = self.status.and_then(|status| status.code()) == Some(2);
        usage.then(|| self.errors.trim().trim_start_matches("error: "))
    }

    pub(super) fn violation(&self) -> Violation {
        let (check, message) = match (self.hung, self.status) {
            (Some(after), _) => ("no-hang", format!("the run was given up after {} s", after.as_secs())),
            (None, Some(status)) => ("no-crash", format!("the process ended by itself: {status}")),
            (None, None) => ("no-crash", "the process ended by itself".to_owned()),
        };
        let last: Vec<&str> = self.errors.lines().rev().take(12).collect();
        let mut message = message;
        for line in last.into_iter().rev() {
            message.push('\n');
            message.push_str(line);
        }
        let check = check.to_owned();
        Violation { check, kind: Kind::Panic, at_ms: 0, step: 0, nodes: Vec::new(), message, differing: Vec::new() }
    }

    #[cfg(unix)]
    fn signal(&self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        self.status.and_then(|status| status.signal())
    }

    #[cfg(not(unix))]
    fn signal(&self) -> Option<i32> {
        None
    }
}

/// Whether a failure took its process with it, so that it is not run in this one.
pub(super) fn is_deadly(violation: &Violation) -> bool {
    ["no-crash", "no-hang"].contains(&violation.check.as_str())
}

/// One child for one run after the other; started again when it died.
pub(super) struct Alone {
    args: ScenarioArgs,
    patience: Duration,
    sender: Sender<(usize, Heard)>,
    heard: Receiver<(usize, Heard)>,
    job: Option<(usize, Job)>,
    next: usize,
    /// When the present run began.
    began: Instant,
}

impl Alone {
    pub(super) fn new(args: ScenarioArgs, patience: Duration) -> Self {
        let (sender, heard) = mpsc::channel();
        Self { args, patience, sender, heard, job: None, next: 0, began: Instant::now() }
    }

    /// A child that runs schedules only.
    pub(super) fn of_schedules(mutant: Option<String>, patience: Duration) -> Self {
        let preset = Some("quick".to_owned());
        Self::new(ScenarioArgs { preset, mutant, ..ScenarioArgs::default() }, patience)
    }

    /// Begins a run, without waiting for it.
    pub(super) fn begin(&mut self, ask: &Ask) -> Outcome {
        let job = match &mut self.job {
            Some((_, job)) => job,
            None => {
                self.next += 1;
                let job = Job::start(&self.args, self.next, self.sender.clone())?;
                &mut self.job.insert((self.next, job)).1
            }
        };
        self.began = Instant::now();
        job.ask(ask)
    }

    /// The end of the run that was begun.
    pub(super) fn wait(&mut self) -> Outcome<Result<Box<Report>, Death>> {
        let Some((number, job)) = self.job.take() else { return Err(Failure::failed("no run was begun")) };
        loop {
            match self.heard.recv_timeout(self.patience.saturating_sub(self.began.elapsed())) {
                Ok((from, _)) if from != number => {}
                Ok((_, Heard::Ended(report))) => {
                    self.job = Some((number, job));
                    return Ok(Ok(report));
                }
                Ok((_, Heard::Gone)) | Err(RecvTimeoutError::Disconnected) => return died(job.end(None)),
                Err(RecvTimeoutError::Timeout) => return died(job.end(Some(self.patience))),
            }
        }
    }

    pub(super) fn run(&mut self, ask: &Ask) -> Outcome<Result<Box<Report>, Death>> {
        self.begin(ask)?;
        self.wait()
    }

    /// Ends the child; the next run has a new one.
    pub(super) fn renew(&mut self) {
        self.job = None;
    }
}

fn died(death: Death) -> Outcome<Result<Box<Report>, Death>> {
    if let Some(refusal) = death.refusal() {
        return Err(Failure::usage(refusal));
    }
    Ok(Err(death))
}
