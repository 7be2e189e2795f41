//! What `sim` understands on its command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::duration;

/// The commands of the simulator.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Run one seed of a scenario, or some seeds, and say how it went
    ///
    /// Without a scenario it is the preset `quick`, on your own schema with --schema. A run that fails is
    /// written to a file that `sim replay`, `sim shrink` and `sim explain` read.
    Run(RunArgs),
    /// Run seed after seed, in several processes, until the time is over or something fails
    Swarm(SwarmArgs),
    /// Run the schedule of a failure file again, exactly, or all files of a folder
    Replay(ReplayArgs),
    /// Make a failure smaller: leave out what it does not need
    Shrink(ShrinkArgs),
    /// Tell a failure as a short story
    Explain(ExplainArgs),
    /// Run each seed in two processes and look for the first difference
    Meta(MetaArgs),
    /// List presets, faults, workloads, checks and planted defects
    List(ListArgs),
    /// Print the JSON schema of scenario files, for editors
    Schema,
    /// Write a scenario for your schema, with comments, to begin with
    Init(InitArgs),
    /// Run what is asked for on stdin: the processes of `swarm`, `replay`, `shrink` and `meta`
    #[command(hide = true)]
    Job(ScenarioArgs),
}

/// Which scenario, and how it is changed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ScenarioArgs {
    /// The scenario's file
    #[arg(value_name = "SCENARIO.toml", conflicts_with = "preset")]
    pub(crate) scenario: Option<PathBuf>,
    /// A scenario that comes along: see `sim list presets`
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Your schema in the place of the scenario's, in GraphQL SDL
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// The schema of your app's next version, which devices get one after the other
    #[arg(long, value_name = "FILE")]
    pub(crate) newer_schema: Option<PathBuf>,
    /// So many devices
    #[arg(long, value_name = "N")]
    pub(crate) nodes: Option<u64>,
    /// How long writes and faults go on, in virtual time: 90s, 30m, 24h, 21d
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Set anything of the scenario: faults.flap.rate=1/5m
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Leave out a family of faults, or a group: network, process, disk, clock, peers
    #[arg(long, value_name = "FAMILY")]
    pub(crate) disable: Vec<String>,
    /// Plant a defect, to see it found; only in programs built with `--features mutants`
    #[arg(long, value_name = "NAME")]
    pub(crate) mutant: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// What decides everything; the scenario's or a new one unless given
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// These seeds, one after the other, until one fails
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with_all = ["trace", "html"])]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
    /// Print how it went as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Where a failure is written; a folder gets a file of its own [default: sim-failure-SEED.toml]
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) save_failure: Option<PathBuf>,
}

/// Where a run is told in full.
#[derive(Debug, Default, Args)]
pub(crate) struct ToldArgs {
    /// Write everything that happens as lines of JSON
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) trace: Option<PathBuf>,
    /// Write a page that shows the run: a lane per node, faults, messages, what differs
    #[arg(long, value_name = "FILE.html")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SwarmArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// How long to look [default: 10m, or as long as --max-runs takes]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time_budget: Option<Duration>,
    /// Processes at once [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) jobs: Option<u64>,
    /// The first seed; a new one unless given
    #[arg(long, value_name = "N")]
    pub(crate) seed_from: Option<u64>,
    /// The folder for failures
    #[arg(long, value_name = "DIR", default_value = "sim-failures")]
    pub(crate) corpus: PathBuf,
    /// Go on after a failure
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Make the first failure of each kind smaller before it is saved, for up to a minute each
    #[arg(long)]
    pub(crate) shrink: bool,
    /// Write the runs as JUnit XML
    #[arg(long, value_name = "FILE.xml")]
    pub(crate) junit: Option<PathBuf>,
    /// End after so many runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_runs: Option<u64>,
    /// Fail (exit code 6) if the time is over before so many runs
    #[arg(long, value_name = "N")]
    pub(crate) min_runs: Option<u64>,
    /// Give up a run that takes longer, and count it as a failure
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) hang_after: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The failure's file
    #[arg(value_name = "FAIL.toml", required_unless_present = "corpus")]
    pub(crate) file: Option<PathBuf>,
    /// All *.toml of this folder, which are expected to pass now
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "trace", "html"])]
    pub(crate) corpus: Option<PathBuf>,
    /// Succeed if each fails as it did
    #[arg(long)]
    pub(crate) expect_failure: bool,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
    /// Plant a defect
    #[arg(long, value_name = "NAME")]
    pub(crate) mutant: Option<String>,
    /// Write the runs as JUnit XML
    #[arg(long, value_name = "FILE.xml")]
    pub(crate) junit: Option<PathBuf>,
    /// Print how it went as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// The failure's file
    #[arg(value_name = "FAIL.toml")]
    pub(crate) file: PathBuf,
    /// How long to try
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) time_budget: Duration,
    /// Where the smaller one is written [default: FAIL.small.toml]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Plant a defect
    #[arg(long, value_name = "NAME")]
    pub(crate) mutant: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The failure's file
    #[arg(value_name = "FAIL.toml")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
    /// Plant a defect
    #[arg(long, value_name = "NAME")]
    pub(crate) mutant: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetaArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// These seeds
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "1..20")]
    pub(crate) seeds: RangeInclusive<u64>,
    /// Print the differences as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which; all unless given
    #[arg(value_enum)]
    pub(crate) what: Option<Listed>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Scenarios that come along, and the question that each answers
    Presets,
    /// Families of faults
    Faults,
    /// What apps do
    Workloads,
    /// What every run is held to
    Checks,
    /// Planted defects
    Mutants,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Your schema, in GraphQL SDL [default: schema.graphql, made if it is not there]
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// The scenario's file
    #[arg(short, long, value_name = "FILE", default_value = "scenario.toml")]
    pub(crate) output: PathBuf,
}

/// `A..B`, both included.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let unreadable = || format!("`{text}` is no A..B; a good one is 1..20, which are twenty seeds");
    let (first, last) = text.split_once("..").ok_or_else(unreadable)?;
    let first: u64 = first.trim().parse().map_err(|_| unreadable())?;
    let last: u64 = last.trim_start_matches('=').trim().parse().map_err(|_| unreadable())?;
    if first > last {
        return Err(format!("`{text}` holds no seed: the smaller one stands first"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_of_seeds_belong_to_it() {
        assert_eq!(seeds("1..20"), Ok(1..=20));
        assert_eq!(seeds("7..=7"), Ok(7..=7));
        for bad in ["", "7", "..", "1..", "b..c", "20..1", "-1..3"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }
}
