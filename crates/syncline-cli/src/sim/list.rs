//! `sim list` and `sim schema`: what there is to choose from.

use serde_json::{Map, Value, json};
use syncline_sim::scenario::{self, Scenario};
use syncline_sim::{checks, mutants};

use super::Verdict;
use super::args::{ListArgs, Listed};
use super::summary::wrapped;
use crate::failure::Outcome;
use crate::output::{Out, stdout_is_colored, styled};

const WIDTH: usize = 100;

/// One thing that is listed.
struct Row {
    name: String,
    about: String,
    /// What it belongs to.
    group: &'static str,
    /// What has to be built first.
    awaiting: Option<&'static str>,
}

pub(super) fn run(args: &ListArgs, out: &mut Out) -> Outcome<Verdict> {
    let all = [Listed::Presets, Listed::Faults, Listed::Workloads, Listed::Checks, Listed::Mutants];
    let wanted = args.what.map_or_else(|| all.to_vec(), |what| vec![what]);
    if args.json {
        let lists = wanted.iter().map(|what| (title(*what).to_lowercase(), as_json(*what)));
        out.json(&Value::Object(lists.collect::<Map<_, _>>()))?;
        return Ok(Verdict::Passed);
    }
    for (place, what) in wanted.iter().enumerate() {
        if place > 0 {
            out.line("")?;
        }
        if args.what.is_none() {
            out.line(styled(title(*what), "1", stdout_is_colored()))?;
        }
        table(&rows(*what), out)?;
    }
    Ok(Verdict::Passed)
}

pub(super) fn json_schema(out: &mut Out) -> Outcome<Verdict> {
    let text = serde_json::to_string_pretty(&scenario::json_schema()).map_err(crate::failure::Failure::failed)?;
    out.line(text)?;
    Ok(Verdict::Passed)
}

fn title(what: Listed) -> &'static str {
    match what {
        Listed::Presets => "Presets",
        Listed::Faults => "Faults",
        Listed::Workloads => "Workloads",
        Listed::Checks => "Checks",
        Listed::Mutants => "Mutants",
    }
}

fn rows(what: Listed) -> Vec<Row> {
    let row =
        |name: &str, about: &str| Row { name: name.to_owned(), about: about.to_owned(), group: "", awaiting: None };
    match what {
        Listed::Presets => {
            let presets = scenario::presets().iter();
            presets
                .map(|preset| Row {
                    awaiting: preset.awaiting,
                    ..row(preset.name, &format!("{}\n{}", preset.question, preset.about))
                })
                .collect()
        }
        Listed::Faults => {
            let families = scenario::families().iter();
            families
                .map(|family| Row { awaiting: family.awaiting, group: family.group, ..row(family.name, family.about) })
                .collect()
        }
        Listed::Workloads => scenario::workloads().iter().map(|info| row(info.name, info.about)).collect(),
        Listed::Checks => all_checks().iter().map(|check| row(check.name(), check.says())).collect(),
        Listed::Mutants => mutants::all().iter().map(|planted| row(planted.name, planted.about)).collect(),
    }
}

fn all_checks() -> Vec<Box<dyn checks::Check>> {
    let scenario = Scenario::preset("quick").expect("the preset that `sim run` takes is there");
    checks::all(&scenario.schedule(1))
}

fn table(rows: &[Row], out: &mut Out) -> Outcome {
    let colored = stdout_is_colored();
    let names = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let groups = rows.iter().map(|row| row.group.chars().count()).max().unwrap_or(0);
    let groups = if groups == 0 { 0 } else { groups + 2 };
    let indent = 2 + names + 2 + groups;
    for row in rows {
        let mut lines = wrapped(&row.about, WIDTH.saturating_sub(indent).max(30));
        if let Some(awaiting) = row.awaiting {
            let awaiting = wrapped(&format!("awaiting: {awaiting}"), WIDTH.saturating_sub(indent).max(30));
            lines.extend(awaiting.into_iter().map(|line| styled(line, "33", colored)));
        }
        let name = styled(format_args!("{:<names$}", row.name), "36", colored);
        let group = styled(format_args!("{:<groups$}", row.group), "2", colored);
        for (place, line) in lines.iter().enumerate() {
            match place {
                0 => out.line(format_args!("  {name}  {group}{line}"))?,
                _ => out.line(format_args!("{}{line}", " ".repeat(indent)))?,
            }
        }
    }
    Ok(())
}

fn as_json(what: Listed) -> Value {
    match what {
        Listed::Presets => json!(scenario::presets()),
        Listed::Faults => json!(scenario::families()),
        Listed::Workloads => json!(scenario::workloads()),
        Listed::Checks => {
            all_checks().iter().map(|check| json!({"name": check.name(), "says": check.says()})).collect()
        }
        Listed::Mutants => mutants::all()
            .iter()
            .map(|planted| {
                json!({
                    "name": planted.name,
                    "about": planted.about,
                    "caught_by": planted.caught_by,
                    "seeds": planted.seeds,
                    "preset": planted.preset,
                })
            })
            .collect(),
    }
}
