//! The scenario that a command line chooses, and the command line that chooses it again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use syncline_sim::mutants;
use syncline_sim::scenario::{self, Scenario, ScenarioError};
use syncline_sim::schedule::Schedule;

use super::args::ScenarioArgs;
use crate::failure::{Failure, Outcome};
use crate::output::stderr_is_colored;

/// What makes schedules out of seeds.
pub(super) enum Chosen {
    /// A scenario, as changed by the command line.
    Scenario(Box<Scenario>),
    /// A drill, which is code: its name.
    Drill(String),
}

impl Chosen {
    /// Plants the defect, if one is wanted, and reads the scenario; `usual` is the preset if none is named.
    pub(super) fn new(args: &ScenarioArgs, usual: &str) -> Outcome<Self> {
        plant(args.mutant.as_deref())?;
        match &args.scenario {
            Some(path) => Ok(Self::Scenario(Box::new(changed(read(path)?, args)?))),
            None => Self::preset(args, usual),
        }
    }

    fn preset(args: &ScenarioArgs, usual: &str) -> Outcome<Self> {
        let drill = args.mutant.as_deref().and_then(|name| mutants::named(name).ok()).map(|planted| planted.preset);
        let name = args.preset.as_deref().or(drill).unwrap_or(usual);
        if let Some(scenario) = Scenario::preset(name) {
            return Ok(Self::Scenario(Box::new(changed(scenario, args)?)));
        }
        if mutants::drill(name, 1).is_some() {
            let bare = ScenarioArgs { preset: None, mutant: None, ..args.clone() };
            let changes = bare.argv();
            if changes.is_empty() {
                return Ok(Self::Drill(name.to_owned()));
            }
            return Err(Failure::usage(format!("the drill `{name}` is as it is; leave out {}", changes.join(" "))));
        }
        let names = || scenario::presets().iter().map(|preset| preset.name);
        let cure = syncline_schema::did_you_mean(name, names())
            .unwrap_or_else(|| format!("there are {}", names().collect::<Vec<_>>().join(", ")));
        Err(Failure::usage(format!("there is no preset `{name}`; {cure}")))
    }

    pub(super) fn schedule(&self, seed: u64) -> Schedule {
        match self {
            Self::Scenario(scenario) => scenario.schedule(seed),
            Self::Drill(name) => mutants::drill(name, seed).expect("the drill was found by this name"),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Scenario(scenario) => &scenario.name,
            Self::Drill(name) => name,
        }
    }

    /// The seed that the scenario begins with, or a new one.
    pub(super) fn first_seed(&self) -> u64 {
        match self {
            Self::Scenario(scenario) => scenario.seed.unwrap_or_else(new_seed),
            Self::Drill(_) => 1,
        }
    }

    /// The families of faults that its runs may have.
    pub(super) fn families(&self) -> Vec<&'static str> {
        match self {
            Self::Scenario(scenario) => {
                let names = scenario::families().iter().map(|family| family.name);
                names.filter(|name| scenario.faults.may_have(name)).collect()
            }
            Self::Drill(_) => Vec::new(),
        }
    }
}

impl ScenarioArgs {
    /// As arguments of this program.
    pub(super) fn argv(&self) -> Vec<String> {
        let Self { scenario, preset, schema, newer_schema, nodes, duration, set, disable, mutant } = self;
        let mut argv = Vec::new();
        argv.extend(scenario.as_deref().map(shown));
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                argv.extend([name.to_owned(), value]);
            }
        };
        option("--preset", preset.clone());
        option("--schema", schema.as_deref().map(shown));
        option("--newer-schema", newer_schema.as_deref().map(shown));
        option("--nodes", nodes.map(|nodes| nodes.to_string()));
        option("--for", duration.map(time));
        for set in set {
            option("--set", Some(set.clone()));
        }
        for family in disable {
            option("--disable", Some(family.clone()));
        }
        option("--mutant", mutant.clone());
        argv
    }
}

/// A time as one writes it: in the largest unit that it is a multiple of.
fn time(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.into_iter().find(|(unit, _)| ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// Arguments as a shell takes them.
pub(super) fn shell(args: &[String]) -> String {
    let quoted = args.iter().map(|arg| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            arg.clone()
        } else {
            format!("'{}'", arg.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A seed that was probably not used before, and can be typed.
pub(super) fn new_seed() -> u64 {
    // A clock before 1970 is as good as any other.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as u64 % 1_000_000_000
}

/// Plants a defect in this process.
#[cfg(feature = "mutants")]
pub(super) fn plant(name: Option<&str>) -> Outcome {
    match name {
        Some(name) => mutants::plant(name)
            .map_err(|error| Failure::usage(format!("{error}; `syncline sim list mutants` names them all"))),
        None => Ok(()),
    }
}

/// Refuses to plant a defect: this program has none.
#[cfg(not(feature = "mutants"))]
pub(super) fn plant(name: Option<&str>) -> Outcome {
    match name {
        Some(_) => Err(Failure::usage(
            "this program was built without planted defects, as every released one; one that has them is built \
             with `cargo build --release -p syncline-cli --features mutants`",
        )),
        None => Ok(()),
    }
}

fn read(path: &Path) -> Outcome<Scenario> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    scenario::parse(&shown(path), &text, &mut |name| std::fs::read_to_string(folder.join(name)))
        .map_err(|error| refused(&error))
}

fn changed(mut scenario: Scenario, args: &ScenarioArgs) -> Outcome<Scenario> {
    if let Some(path) = &args.schema {
        scenario = with_schema(scenario, path)?;
    }
    if let Some(path) = &args.newer_schema {
        let sdl = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
        scenario = scenario.with_newer_schema(&shown(path), &sdl).map_err(|error| refused(&error))?;
    }
    let mut change = || {
        if let Some(nodes) = args.nodes {
            scenario.nodes(nodes)?;
        }
        if let Some(duration) = args.duration {
            scenario.duration(duration.as_millis() as u64)?;
        }
        for family in &args.disable {
            scenario.disable(family)?;
        }
        Ok(())
    };
    change().map_err(|error| refused(&error))?;
    for set in &args.set {
        let Some((path, value)) = set.split_once('=') else {
            let message = format!("--set `{set}` is no PATH=VALUE; a good one is faults.flap.rate=1/5m");
            return Err(Failure::usage(message));
        };
        scenario.set(path.trim(), value.trim()).map_err(|error| refused(&error))?;
    }
    if scenario.lacks_newer_schema() {
        let message = "the scenario rolls out your app's next version: name its schema with --newer-schema FILE, or as \
                       `newer_schema` in the scenario's file";
        return Err(Failure::usage(message));
    }
    Ok(scenario)
}

pub(super) fn with_schema(scenario: Scenario, path: &Path) -> Outcome<Scenario> {
    let sdl = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    scenario.with_schema(&shown(path), &sdl).map_err(|error| refused(&error))
}

pub(super) fn refused(error: &ScenarioError) -> Failure {
    Failure::usage(match error {
        ScenarioError::Wrong(wrong) => wrong.to_string(),
        ScenarioError::Schema(found) => format!("the schema was refused\n\n{}", found.render(stderr_is_colored())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_a_shell() {
        let args = ["--set", "faults.flap.rate=1/5m", "it's", "a b", ""].map(str::to_owned);
        assert_eq!(shell(&args), r"--set faults.flap.rate=1/5m 'it'\''s' 'a b' ''");
    }

    #[test]
    fn a_child_gets_the_scenario_that_its_parent_has() {
        let args = ScenarioArgs {
            preset: Some("quick".to_owned()),
            nodes: Some(4),
            duration: Some(Duration::from_secs(90)),
            set: vec!["expect.converge_within=9m".to_owned()],
            disable: vec!["disk".to_owned()],
            ..ScenarioArgs::default()
        };
        let argv = args.argv();
        let said = "--preset quick --nodes 4 --for 90s --set expect.converge_within=9m --disable disk";
        assert_eq!(argv.join(" "), said);
        let chosen = Chosen::new(&args, "swarm").unwrap();
        let schedule = chosen.schedule(3);
        assert_eq!((schedule.seed, schedule.duration_ms), (3, 90_000));
        assert_eq!(schedule.expect.converge_within_ms, 540_000);
    }
}
