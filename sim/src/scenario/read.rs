//! A scenario's file, section by section.

use std::collections::BTreeMap;
use std::io;

use super::actions::{self, Events, Known, Label};
use super::presets::DEFAULT_SCHEMA;
use super::source::{Item, Read, Section, Source};
use super::workloads::{self, Workload, WorkloadKind};
use super::{At, EVENTS_MAX, Faults, Scenario, SchemaText, Topology};
use crate::schedule::{Action, Expect};

pub(crate) const KEYS: &[&str] = &[
    "version",
    "name",
    "about",
    "seed",
    "duration",
    "schema",
    "newer_schema",
    "topology",
    "workload",
    "faults",
    "at",
    "expect",
];

pub(crate) const EXPECT_KEYS: &[&str] = &["converge_within", "resent_max"];

/// The only version of scenario files so far.
const VERSION: i64 = 1;

type ReadFile<'r> = &'r mut dyn FnMut(&str) -> io::Result<String>;

pub(super) fn scenario(file: &str, text: &str, read: ReadFile<'_>) -> Read<Scenario> {
    let mut scenario = plain(file);
    apply(&mut scenario, Source { file, text }, read, false)?;
    Ok(scenario)
}

/// What a scenario is that says nothing.
fn plain(file: &str) -> Scenario {
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
    Scenario {
        name: stem.strip_suffix(".toml").unwrap_or(stem).to_owned(),
        about: String::new(),
        seed: None,
        schema: DEFAULT_SCHEMA.clone(),
        newer_schema: None,
        duration_ms: 600_000,
        topology: Topology::default(),
        workloads: vec![Workload::new(WorkloadKind::Mixed)],
        faults: Faults::default(),
        at: Vec::new(),
        expect: Expect::default(),
    }
}

/// Sets what the text says, over what there is. `over` for settings from elsewhere: they change every workload.
pub(super) fn apply(scenario: &mut Scenario, source: Source<'_>, read: ReadFile<'_>, over: bool) -> Read<()> {
    let tree = source.tree()?;
    let root = source.root(&tree, "a scenario", KEYS)?;
    header(scenario, &root, read)?;
    if let Some(item) = root.get("topology") {
        let section = item.section("`topology`", super::topology::KEYS)?;
        scenario.topology.apply(&section, &mut |item| schema(item, read))?;
    }
    let nodes = scenario.topology.names();
    if let Some(item) = root.get("workload") {
        set_workloads(scenario, &item, over)?;
    }
    if let Some(item) = root.get("faults") {
        scenario.faults.apply(&item.open_section("`faults`")?, &nodes)?;
    }
    if let Some(item) = root.get("expect") {
        set_expect(&mut scenario.expect, &item)?;
    }
    if let Some(item) = root.get("at") {
        scenario.at = events(scenario, &item, &nodes)?;
    }
    check_workloads(scenario, &root)
}

fn header(scenario: &mut Scenario, root: &Section<'_>, read: ReadFile<'_>) -> Read<()> {
    if let Some(item) = root.get("version")
        && item.integer()? != VERSION
    {
        return Err(item.wrong("this program reads version 1 of scenario files"));
    }
    if let Some(item) = root.get("name") {
        scenario.name = item.text()?.to_owned();
    }
    if let Some(item) = root.get("about") {
        scenario.about = item.text()?.trim().to_owned();
    }
    if let Some(item) = root.get("seed") {
        scenario.seed = Some(item.count(0, i64::MAX as u64)?);
    }
    if let Some(item) = root.get("duration") {
        scenario.duration_ms = item.duration_ms()?;
        if scenario.duration_ms < 1000 {
            return Err(item.wrong("a run lasts a second at least"));
        }
    }
    if let Some(item) = root.get("schema") {
        scenario.schema = schema(&item, read)?;
    }
    if let Some(item) = root.get("newer_schema") {
        let newer = schema(&item, read)?;
        scenario.check_newer(&newer.parsed).map_err(|message| item.wrong(message))?;
        scenario.newer_schema = Some(newer);
    }
    Ok(())
}

/// The schema in the file that an item names.
fn schema(item: &Item<'_>, read: ReadFile<'_>) -> Read<SchemaText> {
    let file = item.text()?;
    match read(file) {
        Ok(sdl) => SchemaText::parse(file, &sdl),
        Err(error) => Err(item
            .wrong(format!("the schema `{file}` cannot be read: {error}"))
            .help("name a GraphQL file with the app's models, relative to this file")),
    }
}

fn set_workloads(scenario: &mut Scenario, item: &Item<'_>, over: bool) -> Read<()> {
    if over && item.is_table() {
        return scenario.workloads.iter_mut().try_for_each(|workload| workload.apply(item));
    }
    scenario.workloads = item.tables()?.iter().map(Workload::read).collect::<Read<_>>()?;
    Ok(())
}

/// Names of models and nodes, and how much all of it comes to.
fn check_workloads(scenario: &Scenario, root: &Section<'_>) -> Read<()> {
    let models: Vec<&str> = scenario.schema.parsed.models.iter().map(|model| model.name.as_str()).collect();
    let devices: Vec<&str> = scenario.topology.devices.iter().map(String::as_str).collect();
    let tables = match root.get("workload") {
        Some(item) => item.tables()?,
        None => Vec::new(),
    };
    for table in tables {
        let section = table.section("a workload", workloads::KEYS)?;
        if let Some(item) = section.get("models") {
            workloads::check_names(&item, "model", &models)?;
        }
        if let Some(item) = section.get("nodes") {
            workloads::check_names(&item, "device", &devices)?;
        }
    }
    let events = super::settings::expected_events(scenario);
    if events > EVENTS_MAX {
        let place = root.get("workload").or_else(|| root.get("topology")).or_else(|| root.get("duration"));
        let message = format!("all workloads together make about {events} writes, and {EVENTS_MAX} are the most");
        let error = place.map_or_else(|| root.wrong(message.clone()), |item| item.wrong_key(message.clone()));
        return Err(error.help("lower a `rate`, the `duration`, or the number of devices"));
    }
    Ok(())
}

fn set_expect(expect: &mut Expect, item: &Item<'_>) -> Read<()> {
    let section = item.section("`expect`", EXPECT_KEYS)?;
    if let Some(item) = section.get("converge_within") {
        expect.converge_within_ms = item.duration_ms()?;
    }
    if let Some(item) = section.get("resent_max") {
        expect.resent_max_percent = item.percent()?;
    }
    Ok(())
}

fn events(scenario: &Scenario, item: &Item<'_>, nodes: &[String]) -> Read<Vec<At>> {
    let mut labels: BTreeMap<String, Label> = BTreeMap::new();
    let mut events = Vec::new();
    for (place, item) in item.tables()?.iter().enumerate() {
        let section = item.open_section("an event")?;
        let t = section.get("t").ok_or_else(|| section.wrong("an event needs `t`, the time at which it happens"))?;
        let t_ms = t.duration_ms()?;
        if t_ms > scenario.duration_ms {
            return Err(t.wrong("this is after the end of the run").help("lengthen the `duration`"));
        }
        let known = Known { nodes, schema: &scenario.schema.parsed, events: Events::Labels(&labels) };
        let (form, action) = actions::read(item, &["t", "id"], &known)?;
        if let Some(name) = section.get("id") {
            let model = model_of(&action);
            let label = Label { id: place as u32 + 1, form: form.name, model };
            if labels.insert(name.text()?.to_owned(), label).is_some() {
                return Err(name.wrong(format!("two events have the id `{}`", name.text()?)));
            }
        }
        events.push(At { t_ms, action });
    }
    Ok(events)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "two kinds of events have a model")]
fn model_of(action: &Action) -> Option<String> {
    match action {
        Action::Create { model, .. } | Action::Observe { model, .. } => Some(model.clone()),
        _ => None,
    }
}
