//! Scenarios: what a fleet is, what its apps do and what befalls it, in a file that people write.
//!
//! [`parse`] reads one, [`Scenario::preset`] has those that come along, and [`Scenario::schedule`] turns one and a
//! seed into everything that will happen. Words of a file:
//!
//! ```toml
//! version = 1
//! name = "two and a bad line"
//! duration = "30m"
//! schema = "schema.graphql"
//!
//! [topology]
//! relays = 1
//! devices = ["ada", "ben"]
//! line = "mobile"
//!
//! [workload]
//! kind = "todo"
//! rate = "1/20s"
//!
//! [faults]
//! families = ["flap", "kill"]
//! flap = { rate = "1/5m", for = ["5s", "1m"] }
//!
//! [[at]]
//! t = "00:10:00"
//! do = "split"
//! groups = [["ada"], ["ben", "relay"]]
//! for = "5m"
//!
//! [expect]
//! converge_within = "2m"
//! ```

pub(crate) mod actions;
mod error;
mod families;
pub(crate) mod forms;
mod json_schema;
mod presets;
mod read;
mod settings;
pub(crate) mod source;
mod template;
pub(crate) mod topology;
pub(crate) mod units;
mod workloads;

pub use error::{ScenarioError, Wrong};
pub use families::{Families, Family, FamilySettings, Faults, families};
pub use json_schema::json_schema;
pub use presets::{Preset, presets};
pub use template::template;
pub use topology::{Links, Mix, NodeSettings, Topology};
pub use units::Rate;
pub use workloads::{Workload, WorkloadInfo, WorkloadKind, workloads};

use syncline_schema::Schema;

use crate::schedule::{Action, Expect, Schedule};

/// A fleet, what its apps do, what befalls it, and what must hold at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The seed to begin with, if nobody names one.
    pub seed: Option<u64>,
    /// The app's schema.
    pub schema: SchemaText,
    /// The schema of the app's next version, if devices may get it.
    pub newer_schema: Option<SchemaText>,
    /// How long writes and faults go on, in milliseconds.
    pub duration_ms: u64,
    /// Who takes part, over which lines.
    pub topology: Topology,
    /// What apps do.
    pub workloads: Vec<Workload>,
    /// What befalls them.
    pub faults: Faults,
    /// What happens besides, at times of its own.
    pub at: Vec<At>,
    /// What must hold at the end.
    pub expect: Expect,
}

/// A schema and the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaText {
    /// The file, as it was named.
    pub file: String,
    /// Its text.
    pub sdl: String,
    /// What it says.
    pub parsed: Schema,
}

/// An event that a scenario names.
#[derive(Clone, Debug, PartialEq)]
pub struct At {
    /// When, in milliseconds.
    pub t_ms: u64,
    /// What. Where it refers to another event, that is the place, from 1, among these.
    pub action: Action,
}

/// Most events that a schedule is to have.
pub(crate) const EVENTS_MAX: u64 = 1_000_000;

/// Reads a scenario. `read` gives the text of a schema file that it names, by the name as written.
pub fn parse(
    file: &str,
    text: &str,
    read: &mut dyn FnMut(&str) -> std::io::Result<String>,
) -> Result<Scenario, ScenarioError> {
    read::scenario(file, text, read)
}

impl Scenario {
    /// A scenario that comes along.
    pub fn preset(name: &str) -> Option<Self> {
        presets::scenario(name)
    }

    /// Why devices could not get a version of the app with that schema.
    fn check_newer(&self, newer: &Schema) -> Result<(), String> {
        let mut next = newer.clone();
        syncline_schema::continue_names(&self.schema.parsed, &mut next);
        let changes = syncline_schema::changes(&self.schema.parsed, &next).into_iter();
        let refused = changes.filter(|change| change.kind == syncline_schema::ChangeKind::Incompatible);
        match refused.map(|change| change.to_string()).collect::<Vec<_>>() {
            refused if refused.is_empty() => Ok(()),
            refused => Err(format!("stores could not be opened with the newer schema: {}", refused.join("; "))),
        }
    }

    /// Whether it is about the app's next version and does not say what that is.
    pub fn lacks_newer_schema(&self) -> bool {
        let named = matches!(&self.faults.families, Families::These(these) if these.contains("rollout"));
        named && self.faults.may_have("rollout") && self.newer_schema.is_none()
    }

    /// The same with a schema of the app's next version, which devices get by the family `rollout`.
    pub fn with_newer_schema(mut self, file: &str, sdl: &str) -> Result<Self, ScenarioError> {
        let newer = SchemaText::parse(file, sdl)?;
        self.check_newer(&newer.parsed).map_err(|message| ScenarioError::at(file, sdl, 0..0, message))?;
        self.newer_schema = Some(newer);
        Ok(self)
    }

    /// The same with another schema, for instance the user's. Nodes that had a schema of their own lose it, and there
    /// is no newer one.
    pub fn with_schema(mut self, file: &str, sdl: &str) -> Result<Self, ScenarioError> {
        self.schema = SchemaText::parse(file, sdl)?;
        self.newer_schema = None;
        for node in &mut self.topology.nodes {
            node.schema = None;
        }
        settings::check_names(&self, file, sdl)?;
        Ok(self)
    }

    /// Everything that will happen under a seed: equal scenarios and seeds have equal schedules.
    pub fn schedule(&self, seed: u64) -> Schedule {
        crate::plan::schedule(self, seed)
    }
}

impl SchemaText {
    pub(crate) fn parse(file: &str, sdl: &str) -> Result<Self, ScenarioError> {
        match syncline_schema::parse(file, sdl) {
            Ok(parsed) => Ok(Self { file: file.to_owned(), sdl: sdl.to_owned(), parsed: parsed.schema }),
            Err(diagnostics) => Err(ScenarioError::Schema(Box::new(diagnostics))),
        }
    }
}
