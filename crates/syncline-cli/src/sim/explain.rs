//! `sim explain`: a failure as a short story.

use super::Verdict;
use super::args::{ExplainArgs, ToldArgs};
use super::chosen::plant;
use super::files;
use super::interrupt::Interrupt;
use super::job::is_deadly;
use super::simulate::{simulate_and_tell, story};
use crate::failure::Outcome;
use crate::output::{Out, say};

pub(super) fn run(args: &ExplainArgs, out: &mut Out) -> Outcome<Verdict> {
    let failed = files::read(&args.file)?;
    plant(args.mutant.as_deref())?;
    if is_deadly(&failed.violation) {
        out.line(format_args!("{}\n{}", failed.violation, failed.story))?;
        return Ok(Verdict::Passed);
    }
    Interrupt::listen().while_doing(format!("seed {} was running", failed.schedule.seed));
    let ToldArgs { trace, html } = &args.told;
    let ran = simulate_and_tell(&failed.schedule, &ToldArgs { trace: trace.clone(), html: html.clone() })?;
    if failed.has_failed() && !files::is_the_same(&failed, &ran.ended) {
        say(format_args!(
            "It does not fail like that in this program ({} found it). Its story as recorded:\n",
            failed.program
        ));
        out.line(failed.story.trim_end())?;
        return Ok(Verdict::Passed);
    }
    out.line(story(&failed.schedule, &ran).trim_end())?;
    out.flush()?;
    for path in [html, trace].into_iter().flatten() {
        say(format_args!("\nwritten to {}", path.display()));
    }
    Ok(Verdict::Passed)
}
