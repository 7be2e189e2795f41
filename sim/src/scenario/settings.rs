//! Settings from elsewhere, over what a file says: the command line's.

use std::io;

use super::actions::{Events, Known};
use super::source::{Read, Source, suggestion};
use super::{EVENTS_MAX, Scenario, ScenarioError, read};
use crate::schedule::Action;

/// What messages call the place of a setting.
const PLACE: &str = "--set";

impl Scenario {
    /// As many devices; those that the scenario has come first.
    pub fn nodes(&mut self, count: u64) -> Result<(), ScenarioError> {
        let devices = self.topology.devices.clone();
        self.setting(&format!("topology.devices = {count}"), "--nodes", |changed| {
            changed.topology.devices = devices;
            changed.topology.set_devices(count as usize);
        })
    }

    /// Lasts so long, in milliseconds.
    pub fn duration(&mut self, ms: u64) -> Result<(), ScenarioError> {
        self.setting(&format!("duration = \"{}\"", super::units::shown(ms)), "--for", |_| {})
    }

    /// Leaves a family of faults out, or a group of them: `network`, `disk`, …
    pub fn disable(&mut self, family: &str) -> Result<(), ScenarioError> {
        self.faults.disable(family).map_err(|help| {
            let message = format!("there is no fault `{family}`");
            ScenarioError::at("--disable", family, 0..family.len(), message).help(help)
        })
    }

    /// Sets what stands at a path of the file, as `faults.flap.rate` to `1/10m`.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), ScenarioError> {
        let plain = format!("{path} = {value}");
        let quoted = || format!("{path} = {}", toml::Value::String(value.to_owned()));
        let is_toml = Source { file: PLACE, text: &plain }.tree().is_ok();
        self.setting(&if is_toml { plain.clone() } else { quoted() }, PLACE, |_| {})
    }

    fn setting(&mut self, text: &str, place: &str, after: impl FnOnce(&mut Self)) -> Result<(), ScenarioError> {
        let mut changed = self.clone();
        let mut no_files = |_: &str| Err(io::Error::new(io::ErrorKind::Unsupported, "name it with --schema"));
        read::apply(&mut changed, Source { file: place, text }, &mut no_files, true)?;
        after(&mut changed);
        check_names(&changed, place, text)?;
        *self = changed;
        Ok(())
    }
}

/// About how many writes a scenario's devices make.
pub(super) fn expected_events(scenario: &Scenario) -> u64 {
    let per_workload = scenario.workloads.iter().map(|workload| {
        let devices = scenario.topology.devices.len() as u64;
        let each = workload.gap_ms().map_or(0, |gap| scenario.duration_ms / gap);
        each.saturating_mul(devices).saturating_mul(workload.share) / 100
    });
    per_workload.fold(scenario.at.len() as u64, u64::saturating_add)
}

/// What workloads, faults and events name is still there, after the schema or the fleet has changed.
pub(super) fn check_names(scenario: &Scenario, place: &str, text: &str) -> Read<()> {
    let wrong = |message: String| ScenarioError::at(place, text, 0..0, message);
    let nodes = scenario.topology.names();
    let schema = &scenario.schema.parsed;
    let models = || schema.models.iter().map(|model| model.name.as_str());
    for model in scenario.workloads.iter().flat_map(|workload| &workload.models) {
        if schema.model(model).is_none() {
            let message = format!("a workload is on the model `{model}`, and this schema has none of that name");
            return Err(wrong(message).help(suggestion(model, models())));
        }
    }
    let named = scenario.workloads.iter().flat_map(|workload| &workload.nodes);
    let named = named.chain(scenario.faults.settings.values().flat_map(|settings| &settings.nodes));
    if let Some(gone) = named.into_iter().find(|name| !nodes.contains(name)) {
        return Err(wrong(format!("the scenario names the node `{gone}`, and it is not there any more")));
    }
    let known = Known { nodes: &nodes, schema, events: Events::Ids };
    for at in &scenario.at {
        check_action(&at.action, &known).map_err(&wrong)?;
    }
    let events = expected_events(scenario);
    if events > EVENTS_MAX {
        return Err(wrong(format!("this makes about {events} writes, and {EVENTS_MAX} are the most")));
    }
    Ok(())
}

fn check_action(action: &Action, known: &Known<'_>) -> Result<(), String> {
    let name = action.name();
    if let Some(node) = action.nodes().into_iter().find(|node| !known.nodes.iter().any(|known| known == node)) {
        return Err(format!("a `{name}` of the scenario names the node `{node}`, and it is not there any more"));
    }
    let (Action::Create { model, .. } | Action::Import { model, .. } | Action::Observe { model, .. }) = action else {
        return Ok(());
    };
    if known.schema.model(model).is_none() {
        return Err(format!(
            "a `{name}` of the scenario is on the model `{model}`, and this schema has none of that name"
        ));
    }
    Ok(())
}
