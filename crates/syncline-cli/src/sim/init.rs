//! `sim init`: a scenario to begin with.

use std::path::{Path, PathBuf};

use syncline_sim::scenario::{self, Scenario};

use super::Verdict;
use super::args::InitArgs;
use super::chosen::{shell, shown, with_schema};
use super::simulate::write;
use crate::failure::{Failure, Outcome};
use crate::output::say;

/// The schema if none is named.
const SCHEMA: &str = "schema.graphql";

pub(super) fn run(args: &InitArgs) -> Outcome<Verdict> {
    let output = &args.output;
    if output.exists() {
        let message = format!("{} is there already; name another file with --output", output.display());
        return Err(Failure::failed(message));
    }
    let example = Scenario::preset("quick").expect("the preset that `sim run` takes is there");
    let schema = match &args.schema {
        Some(path) => path.clone(),
        None => PathBuf::from(SCHEMA),
    };
    if args.schema.is_none() && !schema.exists() {
        write(&schema, &example.schema.sdl)?;
        say(format_args!("wrote {}, a to-do list's schema, to be replaced by yours", schema.display()));
    }
    // A schema with a mistake is told now.
    let scenario = with_schema(example, &schema)?;
    write(output, &scenario::template(&as_named_in(output, &schema)?, Some(&scenario.schema.sdl)))?;
    say(format_args!("wrote {}\n", output.display()));
    let command = shell(&["syncline", "sim", "run", &shown(output), "--html", "report.html"].map(str::to_owned));
    say(format_args!("run it and look at the report:\n  {command}"));
    Ok(Verdict::Passed)
}

/// The schema as the scenario's file names it: from its own folder.
fn as_named_in(output: &Path, schema: &Path) -> Outcome<String> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if schema.is_absolute() {
        return Ok(shown(schema));
    }
    match folder {
        None => Ok(shown(schema)),
        Some(folder) if schema.parent() == Some(folder) => {
            Ok(schema.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
        }
        Some(_) => {
            std::path::absolute(schema).map(|path| shown(&path)).map_err(|error| Failure::unreadable(schema, &error))
        }
    }
}
