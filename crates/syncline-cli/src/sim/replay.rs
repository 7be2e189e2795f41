//! `sim replay`: failure files again, one in full or a folder of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_sim::failure::Failure as Failed;
use syncline_sim::junit::{self, Case, Suite};
use syncline_sim::outcome::{Outcome as Ended, Stats};

use super::Verdict;
use super::args::ReplayArgs;
use super::chosen::{plant, shell, shown};
use super::files::{self, PROGRAM};
use super::interrupt::Interrupt;
use super::job::{Alone, Ask, is_deadly};
use super::simulate::{Ran, simulate_and_tell, write};
use super::summary;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, counted, say, stdout_is_colored, styled};

/// How long a run of a corpus may take.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn run(args: &ReplayArgs, out: &mut Out) -> Outcome<Verdict> {
    let interrupt = Interrupt::listen();
    match (&args.corpus, &args.file) {
        (Some(folder), _) => corpus(args, folder, &interrupt, out),
        (None, Some(file)) => one(args, file, &interrupt, out),
        (None, None) => Err(Failure::usage("name a failure file, or a folder with --corpus")),
    }
}

fn one(args: &ReplayArgs, path: &Path, interrupt: &Interrupt, out: &mut Out) -> Outcome<Verdict> {
    let failed = files::read(path)?;
    plant(args.mutant.as_deref())?;
    say(format_args!("seed {}", failed.schedule.seed));
    let again = again(args, path);
    interrupt.while_doing(format!("seed {} was running; to run it again: {again}", failed.schedule.seed));
    let ran = if is_deadly(&failed.violation) { in_a_child(args, &failed)? } else { here(args, &failed)? };
    let same = Same::of(&failed, &ran.ended);
    if args.json {
        out.json(&as_json(path, &failed, &ran.ended, same))?;
    } else {
        out.line(summary::text(&failed.schedule, &ran.ended, ran.took, &again, stdout_is_colored()))?;
    }
    out.flush()?;
    say(format_args!("\n{}", same.words(&failed, &ran.ended)));
    if let Some(junit) = &args.junit {
        let case = case(path, &failed, &ran.ended, ran.took, &again, passes(args, same, &ran.ended));
        write(junit, &Suite { name: "syncline sim replay".to_owned(), cases: vec![case] }.to_xml())?;
    }
    if args.expect_failure {
        return Ok(expected(same));
    }
    Ok(Verdict::of(&ran.ended))
}

fn here(args: &ReplayArgs, failed: &Failed) -> Outcome<Ran> {
    simulate_and_tell(&failed.schedule, &args.told)
}

fn in_a_child(args: &ReplayArgs, failed: &Failed) -> Outcome<Ran> {
    let mut alone = Alone::of_schedules(args.mutant.clone(), PATIENCE);
    Ok(match alone.run(&Ask::schedule(failed.schedule.clone()))? {
        Ok(report) => Ran { took: Duration::from_millis(report.ms), ended: report.ended, entries: None },
        Err(death) => Ran { ended: dead(failed, death.violation()), took: Duration::ZERO, entries: None },
    })
}

/// An outcome of a run that left none.
fn dead(failed: &Failed, violation: syncline_sim::outcome::Violation) -> Ended {
    Ended {
        seed: failed.schedule.seed,
        violation: Some(violation),
        hash: String::new(),
        checkpoints: Vec::new(),
        stats: Stats::default(),
    }
}

fn again(args: &ReplayArgs, path: &Path) -> String {
    let mut words: Vec<String> = ["syncline", "sim", "replay"].map(str::to_owned).into();
    words.push(shown(path));
    if let Some(mutant) = &args.mutant {
        words.extend(["--mutant".to_owned(), mutant.clone()]);
    }
    shell(&words)
}

/// How a run compares with what its file says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    /// Everything that happened is as it was.
    Exactly,
    /// The same check fails in the same way; other things happened.
    InKind,
    /// Another check fails, or in another way.
    Otherwise,
    /// Nothing fails any more.
    Passes,
    /// The file does not say that it ever failed.
    Unknown,
}

impl Same {
    fn of(failed: &Failed, ended: &Ended) -> Self {
        match (&ended.violation, files::is_the_same(failed, ended)) {
            _ if !failed.has_failed() => Self::Unknown,
            (None, _) => Self::Passes,
            (Some(_), true) if failed.hash == ended.hash => Self::Exactly,
            (Some(_), true) => Self::InKind,
            (Some(_), false) => Self::Otherwise,
        }
    }

    fn words(self, failed: &Failed, ended: &Ended) -> String {
        let by = if failed.program == PROGRAM {
            String::new()
        } else {
            format!("\nIt was found by {}, and this is {PROGRAM}.", failed.program)
        };
        let recorded = &failed.violation.check;
        match self {
            Self::Exactly => "It fails exactly as recorded: every step is the same.".to_owned(),
            Self::InKind if failed.hash.is_empty() => format!("It fails as recorded; the file has no hash.{by}"),
            Self::InKind if by.is_empty() => {
                "It fails as recorded, and not by the same steps: the program has changed since, or two runs differ \
                 (`syncline sim meta` tells)."
                    .to_owned()
            }
            Self::InKind => format!("It fails as recorded, and not by the same steps.{by}"),
            Self::Otherwise => {
                let now = ended.violation.as_ref().map_or("nothing", |violation| violation.check.as_str());
                format!("It fails otherwise than recorded: then it was {recorded}, now it is {now}.{by}")
            }
            Self::Passes => format!("It passes now; recorded was a failure of {recorded}.{by}"),
            Self::Unknown => "The file does not say how it failed, if it did.".to_owned(),
        }
    }
}

fn expected(same: Same) -> Verdict {
    match same {
        Same::Exactly | Same::InKind => Verdict::Passed,
        Same::Otherwise | Same::Passes | Same::Unknown => Verdict::Violated(syncline_sim::outcome::Kind::Safety),
    }
}

fn passes(args: &ReplayArgs, same: Same, ended: &Ended) -> bool {
    if args.expect_failure { expected(same) == Verdict::Passed } else { ended.violation.is_none() }
}

fn corpus(args: &ReplayArgs, folder: &Path, interrupt: &Interrupt, out: &mut Out) -> Outcome<Verdict> {
    plant(args.mutant.as_deref())?;
    let paths = files_of(folder)?;
    let mut alone = Alone::of_schedules(args.mutant.clone(), PATIENCE);
    let mut verdict = Verdict::Passed;
    let (mut wrong, mut cases) = (0, Vec::new());
    for path in &paths {
        let failed = files::read(path)?;
        let again = again(args, path);
        interrupt.while_doing(format!("{} was running; to run it again: {again}", path.display()));
        let (ended, took) = match alone.run(&Ask::schedule(failed.schedule.clone()))? {
            Ok(report) => (report.ended, Duration::from_millis(report.ms)),
            Err(death) => (dead(&failed, death.violation()), Duration::ZERO),
        };
        let same = Same::of(&failed, &ended);
        let right = passes(args, same, &ended);
        if !right {
            wrong += 1;
            let why = if args.expect_failure { expected(same) } else { Verdict::of(&ended) };
            verdict = if verdict == Verdict::Passed { why } else { verdict };
        }
        if args.json {
            out.json(&as_json(path, &failed, &ended, same))?;
        } else {
            tell(path, &ended, took, right, out)?;
        }
        out.flush()?;
        cases.push(case(path, &failed, &ended, took, &again, right));
    }
    if let Some(junit) = &args.junit {
        write(junit, &Suite { name: "syncline sim replay".to_owned(), cases }.to_xml())?;
    }
    let wanted = if args.expect_failure { "fail as they did" } else { "pass" };
    let all = counted(paths.len() as u64, "file");
    say(if wrong == 0 { format!("{all}: all {wanted}") } else { format!("{all}: {wrong} did not {wanted}") });
    Ok(verdict)
}

fn files_of(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let unread = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn tell(path: &Path, ended: &Ended, took: Duration, right: bool, out: &mut Out) -> Outcome {
    let colored = stdout_is_colored();
    let mark = if right { styled("ok    ", "32", colored) } else { styled("WRONG ", "1;31", colored) };
    let seconds = took.as_secs_f64();
    let how = ended.violation.as_ref().map(|violation| format!("\n         {violation}"));
    let how = how.filter(|_| !right).unwrap_or_default();
    out.line(format_args!("  {mark} {} ({seconds:.2} s){how}", path.display()))
}

fn as_json(path: &Path, failed: &Failed, ended: &Ended, same: Same) -> Value {
    json!({
        "file": shown(path),
        "passed": ended.violation.is_none(),
        "as_recorded": matches!(same, Same::Exactly | Same::InKind),
        "same_steps": failed.hash == ended.hash,
        "recorded_by": failed.program,
        "violation": ended.violation,
        "hash": ended.hash,
        "stats": ended.stats,
    })
}

fn case(path: &Path, failed: &Failed, ended: &Ended, took: Duration, again: &str, right: bool) -> Case {
    let failure = match &ended.violation {
        _ if right => None,
        Some(violation) => Some(junit::Failed {
            kind: violation.check.clone(),
            message: violation.to_string(),
            text: format!("{violation}\nto replay: {again}"),
        }),
        None => Some(junit::Failed {
            kind: "passes".to_owned(),
            message: format!("it passes, and was expected to fail: {}", failed.violation),
            text: format!("to replay: {again}"),
        }),
    };
    let seed = ("seed".to_owned(), failed.schedule.seed.to_string());
    let properties = vec![seed, ("hash".to_owned(), ended.hash.clone())];
    Case { name: shown(path), ms: took.as_millis() as u64, failure, properties }
}
