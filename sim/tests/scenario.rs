//! Scenarios: what comes along, what they turn into, and what wrong files are told.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value};
use syncline_core::record::NewRecord;
use syncline_schema::{FieldKind, Schema};
use syncline_sim::failure::Failure;
use syncline_sim::outcome::{Differing, Kind, Violation};
use syncline_sim::scenario::{self, Scenario, ScenarioError, families, presets, workloads};
use syncline_sim::schedule::{Action, Chance, Event, EventId, Role, Schedule};
use syncline_sim::trace::{Entry, What};

fn read_nothing(_: &str) -> io::Result<String> {
    Err(io::ErrorKind::NotFound.into())
}

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    scenario::parse("a.toml", text, &mut read_nothing)
}

fn preset(name: &str) -> Scenario {
    Scenario::preset(name).unwrap()
}

/// Every schema of the repository that apps may have.
fn schemas() -> Vec<(String, String)> {
    let folders = ["../tests/schemas", "scenarios"];
    let files = folders.iter().flat_map(|folder| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path())
    });
    let mut schemas: Vec<(String, String)> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "graphql"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    schemas.sort();
    assert!(schemas.len() >= 15, "{}", schemas.len());
    schemas
}

/// What an action refers to.
fn refers_to(action: &Action) -> Vec<EventId> {
    match action {
        Action::Together { writes, .. } => writes.iter().flat_map(refers_to).collect(),
        Action::Update { record, .. }
        | Action::Delete { record, .. }
        | Action::Undelete { record, .. }
        | Action::Increment { record, .. }
        | Action::Add { record, .. }
        | Action::Remove { record, .. }
        | Action::Splice { record, .. } => vec![*record],
        Action::Unobserve { observe } => vec![*observe],
        Action::Restore { backup, .. } => vec![*backup],
        _ => Vec::new(),
    }
}

/// Id → when, and by whom.
fn made_by(schedule: &Schedule) -> BTreeMap<EventId, (u64, &Action)> {
    let mut made = BTreeMap::new();
    for event in &schedule.events {
        assert!(made.insert(event.id, (event.at_ms, &event.action)).is_none(), "event {} twice", event.id);
        let Action::Together { writes, .. } = &event.action else { continue };
        for (place, write) in writes.iter().enumerate() {
            if matches!(write, Action::Create { .. }) {
                assert!(made.insert(event.id * 1000 + place as u32, (event.at_ms, write)).is_none());
            }
        }
    }
    made
}

fn writes(schedule: &Schedule) -> impl Iterator<Item = &Action> {
    schedule.events.iter().flat_map(|event| match &event.action {
        Action::Together { writes, .. } => writes.as_slice(),
        action => std::slice::from_ref(action),
    })
}

fn check_sound(schedule: &Schedule) {
    let made = made_by(schedule);
    let nodes: BTreeSet<&str> = schedule.fleet.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(nodes.len(), schedule.fleet.nodes.len());
    for pair in schedule.events.windows(2) {
        assert!(pair[0].at_ms <= pair[1].at_ms && pair[0].id < pair[1].id);
    }
    for event in &schedule.events {
        assert!(event.at_ms <= schedule.duration_ms && event.id > 0);
        for node in event.action.nodes() {
            assert!(nodes.contains(node), "{node} of event {}", event.id);
        }
        for other in refers_to(&event.action) {
            let (at_ms, _) = made.get(&other).unwrap_or_else(|| panic!("{event:?} refers to nothing"));
            assert!(*at_ms <= event.at_ms, "{event:?} comes before what it refers to");
        }
    }
    for link in &schedule.fleet.links {
        assert!(nodes.contains(link.from.as_str()) && nodes.contains(link.to.as_str()) && link.from != link.to);
    }
}

#[test]
fn every_preset_makes_a_sound_schedule_for_every_seed() {
    assert_eq!(presets().len(), 21);
    for preset in presets() {
        let scenario = Scenario::preset(preset.name).unwrap();
        let seeds = if preset.name == "reconnect-storm" { 1 } else { 6 };
        for seed in 0..seeds {
            let schedule = scenario.schedule(seed);
            check_sound(&schedule);
            assert!(schedule.events.iter().any(|event| event.action.is_write()), "{} writes nothing", preset.name);
        }
    }
}

#[test]
fn every_preset_runs_on_any_schema() {
    for (file, sdl) in schemas() {
        for preset in presets().iter().filter(|preset| preset.name != "reconnect-storm") {
            let scenario = Scenario::preset(preset.name).unwrap().with_schema(&file, &sdl).unwrap();
            let schedule = scenario.schedule(1);
            assert_eq!(schedule.schema, sdl);
            check_sound(&schedule);
        }
    }
}

#[test]
fn equal_seeds_make_equal_schedules_and_others_do_not() {
    let scenario = preset("swarm");
    assert_eq!(scenario.schedule(7), scenario.schedule(7));
    assert_eq!(preset("swarm").schedule(8), scenario.schedule(8));
    assert_ne!(scenario.schedule(7).events, scenario.schedule(8).events);
}

/// An event without ids: what it refers to is named by its time and node.
fn anonymous(schedule: &Schedule) -> BTreeMap<String, usize> {
    let made = made_by(schedule);
    let mut counted = BTreeMap::new();
    for event in &schedule.events {
        let mut json = serde_json::to_value(&event.action).unwrap();
        erase(&mut json);
        let others: Vec<(u64, Vec<&str>)> =
            refers_to(&event.action).iter().map(|id| (made[id].0, made[id].1.nodes())).collect();
        *counted.entry(format!("{} {json} {others:?}", event.at_ms)).or_default() += 1;
    }
    counted
}

fn erase(json: &mut Value) {
    for name in ["record", "backup", "observe"] {
        if let Some(place) = json.get_mut(name) {
            *place = Value::Null;
        }
    }
    if let Some(writes) = json.get_mut("writes").and_then(Value::as_array_mut) {
        writes.iter_mut().for_each(erase);
    }
}

#[test]
fn leaving_a_family_out_leaves_the_others_as_they_were() {
    let mut left_out = 0;
    for family in families().iter().filter(|family| family.awaiting.is_none()) {
        for seed in 0..6 {
            let all = preset("swarm").schedule(seed);
            let mut scenario = preset("swarm");
            scenario.disable(family.name).unwrap();
            let without = scenario.schedule(seed);
            let (all_events, kept) = (anonymous(&all), anonymous(&without));
            for (event, count) in &kept {
                assert!(all_events.get(event) >= Some(count), "{} off, seed {seed}: {event} is new", family.name);
            }
            let gone = all_events.values().sum::<usize>() - kept.values().sum::<usize>();
            left_out += gone;
            if all.events.len() == without.events.len() {
                assert_eq!(all.events, without.events);
            }
        }
    }
    assert!(left_out > 100, "{left_out}");
}

#[test]
fn a_swarm_stays_within_what_a_fleet_promises_to_survive() {
    let mut fired: BTreeSet<&str> = BTreeSet::new();
    let (mut hostile, mut skewed, mut old) = (BTreeSet::new(), 0, 0);
    for seed in 0..300 {
        let mut scenario = preset("swarm");
        scenario.workloads.clear();
        let schedule = scenario.schedule(seed);
        let mut damaged: BTreeSet<&str> = BTreeSet::new();
        let mut clones = Vec::new();
        for event in &schedule.events {
            fired.insert(event.action.name());
            match &event.action {
                Action::LyingSyncs { node, .. } | Action::Restore { node, .. } => {
                    damaged.insert(node);
                }
                Action::Clone { node, onto } => {
                    assert_eq!(schedule.fleet.node(onto).unwrap().starts_at_ms, None);
                    clones.push(node.as_str());
                }
                Action::BitRot { .. } => panic!("seed {seed}: awaiting families are no part of the swarm"),
                _ => {}
            }
        }
        assert!(damaged.len() <= 1 && clones.len() <= 1, "seed {seed}");
        assert!(clones.iter().all(|node| !damaged.contains(node)), "seed {seed}");
        let adversaries: Vec<Role> = schedule
            .fleet
            .nodes
            .iter()
            .map(|node| node.role)
            .filter(|role| matches!(role, Role::Adversary(_)))
            .collect();
        assert!(adversaries.len() <= 2, "seed {seed}");
        hostile.extend(adversaries.into_iter().map(|role| format!("{role:?}")));
        skewed += schedule.fleet.nodes.iter().filter(|node| node.clock_off_ms != 0).count();
        old += schedule.fleet.nodes.iter().filter(|node| node.features.is_some()).count();
    }
    let all = [
        "split",
        "isolate",
        "one-way",
        "swizzle",
        "flap",
        "slow",
        "stall",
        "reset",
        "captive",
        "herd",
        "meet",
        "restart",
        "kill",
        "kill-at",
        "crash-loop",
        "pause",
        "power-cut",
        "lying-syncs",
        "io-error",
        "disk-full",
        "slow-disk",
        "backup",
        "restore",
        "clone",
        "clock-jump",
        "clock-freeze",
    ];
    let missing: Vec<&&str> = all.iter().filter(|name| !fired.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} never came");
    assert_eq!(hostile.len(), 8);
    assert!(skewed > 50 && old > 50);
}

#[test]
fn every_value_is_one_that_the_engine_accepts() {
    for (file, sdl) in schemas() {
        let schema = syncline_schema::parse(&file, &sdl).unwrap().schema;
        let mut scenario = parse("duration = \"1h\"\nworkload = { kind = \"mixed\", rate = \"1/5s\" }").unwrap();
        scenario = scenario.with_schema(&file, &sdl).unwrap();
        let schedule = scenario.schedule(3);
        let made = made_by(&schedule);
        let mut models = BTreeSet::new();
        for write in writes(&schedule) {
            check_write(&schema, &made, write, &mut models);
        }
        assert_eq!(models.len(), schema.models.len(), "{file}: {models:?}");
    }
}

#[test]
fn the_engine_takes_every_write_or_has_no_such_record_yet() {
    for (file, sdl) in schemas() {
        let text = "duration = \"4m\"\ntopology = { devices = 2 }\nfaults = { families = \"none\" }
            workload = { kind = \"mixed\", rate = \"1/s\" }";
        let scenario = parse(text).unwrap().with_schema(&file, &sdl).unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        let outcome = syncline_sim::world::run(&scenario.schedule(5), Some(&mut entries));
        let (mut done, mut absent) = (0, 0);
        for entry in entries {
            let What::Event { name, outcome, done: is_done, .. } = entry.what else { continue };
            let nothing = [
                "does not run",
                "is not here",
                "is not deleted here",
                "has made no record",
                "none of its records is here",
            ];
            match nothing.iter().any(|reason| outcome.contains(reason)) {
                _ if is_done => done += 1,
                true => absent += 1,
                false => panic!("{file}: {name}: {outcome}"),
            }
        }
        assert_eq!(outcome.violation, None, "{file}");
        assert!(done > 200 && absent < done / 3, "{file}: {done} done, {absent} had nothing to do");
    }
}

fn check_write(
    schema: &Schema,
    made: &BTreeMap<EventId, (u64, &Action)>,
    write: &Action,
    models: &mut BTreeSet<String>,
) {
    let model_of = |record: &EventId| match made[record].1 {
        Action::Create { model, values, .. } => (schema.model(model).unwrap(), values.clone()),
        other => panic!("{other:?} makes no record"),
    };
    match write {
        Action::Create { model, values, .. } => {
            models.insert(model.clone());
            let of = schema.model(model).unwrap();
            NewRecord::check(schema, of, values).unwrap_or_else(|error| panic!("{model} {values:?}: {error}"));
        }
        Action::Update { record, values, .. } => {
            let (of, mut whole) = model_of(record);
            for name in values.keys() {
                assert!(!of.is_key_field(name), "{write:?}");
            }
            whole.extend(values.clone());
            NewRecord::check(schema, of, &whole).unwrap_or_else(|error| panic!("{write:?}: {error}"));
        }
        Action::Add { record, field, element, .. } | Action::Remove { record, field, element, .. } => {
            let (of, mut whole) = model_of(record);
            assert!(matches!(of.field(field).unwrap().kind, FieldKind::Set(_)));
            whole.insert(field.clone(), Value::Array(vec![element.clone()]));
            NewRecord::check(schema, of, &whole).unwrap_or_else(|error| panic!("{write:?}: {error}"));
        }
        Action::Increment { record, field, .. } => {
            assert!(matches!(model_of(record).0.field(field).unwrap().kind, FieldKind::Counter));
        }
        Action::Splice { record, field, .. } => {
            assert!(matches!(model_of(record).0.field(field).unwrap().kind, FieldKind::Text { .. }));
        }
        _ => {}
    }
}

#[test]
fn no_character_is_typed_twice_into_one_field() {
    let mut scenario = preset("c4-poison-change");
    scenario.set("workload.rate", "1/3s").unwrap();
    let schedule = scenario.schedule(5);
    let made = made_by(&schedule);
    let mut typed: BTreeSet<(String, String, char)> = BTreeSet::new();
    let mut type_in = |model: &str, field: &str, text: &str| {
        for c in text.chars() {
            assert!(typed.insert((model.to_owned(), field.to_owned(), c)), "{c} twice in {model}.{field}");
        }
    };
    let schema = &scenario.schema.parsed;
    for write in writes(&schedule) {
        match write {
            Action::Create { model, values, .. } => {
                for field in &schema.model(model).unwrap().fields {
                    if let (FieldKind::Text { .. }, Some(Value::String(text))) = (&field.kind, values.get(&field.name))
                    {
                        type_in(model, &field.name, text);
                    }
                }
            }
            Action::Splice { record, field, insert, .. } => {
                let Action::Create { model, .. } = made[record].1 else { panic!("{record} makes no record") };
                type_in(model, field, insert);
            }
            _ => {}
        }
    }
    assert!(typed.len() > 10_000, "{}", typed.len());
}

#[test]
fn devices_meet_on_keys_counters_sets_and_places() {
    let mut scenario = preset("swarm");
    scenario.set("workload.rate", "1/2s").unwrap();
    scenario.set("faults.families", "none").unwrap();
    let schedule = scenario.schedule(1);
    let mut by_key: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut places: BTreeMap<(u64, EventId, &str, u32), BTreeSet<&str>> = BTreeMap::new();
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for event in &schedule.events {
        match &event.action {
            Action::Create { node, model, values } if model == "Profile" => {
                by_key.entry(values["email"].to_string()).or_default().insert(node);
            }
            Action::Splice { node, record, field, place, .. } => {
                places.entry((event.at_ms, *record, field, *place)).or_default().insert(node);
            }
            Action::Add { record, element, .. } => {
                added.insert((*record, element.to_string()));
            }
            Action::Remove { record, element, .. } => {
                removed.insert((*record, element.to_string()));
            }
            _ => {}
        }
    }
    assert!(by_key.values().any(|nodes| nodes.len() > 1), "no key was made twice");
    assert!(places.values().any(|nodes| nodes.len() > 1), "no two typed at one place");
    assert!(added.intersection(&removed).count() > 3, "no element was both added and removed");
    assert!(schedule.events.iter().any(|event| matches!(event.action, Action::Together { .. })));
}

#[test]
fn every_workload_runs_on_its_own() {
    for info in workloads() {
        let scenario = parse(&format!("duration = \"2h\"\nworkload = {{ kind = \"{}\" }}", info.name)).unwrap();
        let schedule = scenario.schedule(2);
        check_sound(&schedule);
        let has = |name: &str| schedule.events.iter().any(|event| event.action.name() == name);
        match info.name {
            "text" => assert!(has("splice")),
            "counters" => assert!(has("increment")),
            "delete-vs-edit" => assert!(has("delete") && has("undelete")),
            "import-late-joiner" => assert!(has("import") && has("start")),
            "new-device" => assert!(has("start")),
            "long-absence" => assert!(has("isolate")),
            "churn" => assert!(has("observe") && has("unobserve")),
            _ => assert!(has("create") && has("update")),
        }
    }
}

fn failed(schedule: Schedule) -> Failure {
    let shown = BTreeMap::from([
        ("d1".to_owned(), Some(Map::from_iter([("title".to_owned(), Value::from("it's \"so\""))]))),
        ("d-2".to_owned(), None),
    ]);
    Failure {
        program: "syncline 0.1.0".to_owned(),
        hash: "00ff".to_owned(),
        violation: Violation {
            check: "acknowledged-changes-survive".to_owned(),
            kind: Kind::Liveness,
            at_ms: 61_001,
            step: 12_345,
            nodes: vec!["d1".to_owned(), "relay".to_owned()],
            message: "the first line\nand a second with 'quotes' and \\".to_owned(),
            differing: vec![Differing { model: "Task".to_owned(), id: "{\"a\":1}".to_owned(), shown }],
        },
        schedule,
        story: "d1 wrote.\n\nThen it was gone, '''so to say'''.".to_owned(),
    }
}

#[test]
fn schedules_read_back_from_toml_and_json() {
    for preset in presets().iter().filter(|preset| preset.name != "reconnect-storm") {
        for seed in [1, u64::MAX] {
            let schedule = Scenario::preset(preset.name).unwrap().schedule(seed);
            let json = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule, "{}", preset.name);
            let failure = failed(schedule);
            let text = failure.to_toml();
            let read = Failure::from_toml("f.toml", &text).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            assert_eq!(read, failure, "{}", preset.name);
            assert_eq!(read.to_toml(), text);
        }
    }
}

#[test]
fn every_action_and_every_node_reads_back_from_a_failure_file() {
    let mut schedule = preset("swarm").schedule(1);
    schedule.events.clear();
    let mut names = BTreeSet::new();
    for seed in 0..300 {
        let mut scenario = preset("swarm");
        scenario.set("workload.rate", "1/m").unwrap();
        for event in scenario.schedule(seed).events {
            if names.insert(event.action.name()) {
                let known = |name: &&str| schedule.fleet.node(name).is_some();
                if event.action.nodes().iter().all(known) {
                    let id = schedule.events.len() as u32 + 1;
                    schedule.events.push(Event { id, ..event });
                } else {
                    names.remove(event.action.name());
                }
            }
        }
    }
    let rest = ["clone", "bit-rot", "import", "start"];
    assert!(names.len() + rest.len() >= 40, "{names:?}");
    let failure = Failure::of_schedule("a program", schedule);
    assert!(!failure.has_failed());
    assert_eq!(Failure::from_toml("f.toml", &failure.to_toml()).unwrap(), failure);
}

#[test]
fn a_failure_file_is_pleasant_to_read() {
    let text = "
schema = \"type Todo @model { title: String! done: Boolean notes: String @text }\"
node = [{ name = \"relay\", role = \"relay\" }, { name = \"d1\" }, { name = \"d2\", role = \"poison\", starts = \"never\" }]
link = [{ from = \"d1\", to = \"relay\" }]

[[event]]
at = \"5s\"
do = \"create\"
node = \"d1\"
model = \"Todo\"
values = { title = \"milk\", done = false }

[[event]]
id = 9
at = 6000
do = \"power-cut\"
node = \"d1\"
survival = \"subset\"
down_ms = 90000

[[event]]
at = \"00:00:07\"
do = \"together\"
node = \"d1\"
writes = [
  { do = \"splice\", node = \"d1\", record = 10, field = \"notes\", place = 500, insert = \"a\\\"b\" },
  { do = \"delete\", node = \"d1\", record = 10 },
]
";
    let failure = Failure::from_toml("mine.toml", text).unwrap();
    assert_eq!(failure.schedule.duration_ms, 67_000);
    let expected = r#"# To see it again:     syncline sim replay THIS-FILE
# To make it smaller:  syncline sim shrink THIS-FILE
# To have it told:     syncline sim explain THIS-FILE
# Every event of the run stands below; `record`, `backup` and `observe` name the event that made what they
# are about. An event whose other one is taken out does nothing.

version = 2
program = ""
hash = ""
scenario = "mine.toml"
seed = 0
duration = "1m7s"
expect = { converge_within = "5m", resent_max = 2 }

node = [
  { name = "relay", role = "relay" },
  { name = "d1", role = "device" },
  { name = "d2", role = "poison", starts = "never" },
]

link = [
  { from = "d1", to = "relay" },
]

event = [
  { id = 10, at = "0:00:05.000", do = "create", node = "d1", model = "Todo", values = '{"done":false,"title":"milk"}' },
  { id = 9, at = "0:00:06.000", do = "power-cut", node = "d1", survival = "subset", down = "1m30s" },
  { id = 11, at = "0:00:07.000", do = "together", node = "d1", writes = [{ do = "splice", node = "d1", record = 10, field = "notes", place = 500, insert = 'a"b' }, { do = "delete", node = "d1", record = 10 }] },
]

schema = "type Todo @model { title: String! done: Boolean notes: String @text }"
"#;
    assert_eq!(failure.to_toml(), expected);
    // What was left to chance was decided otherwise in files of version 1: they stay what they are.
    let old = expected.replace("version = 2", "version = 1");
    let failure = Failure::from_toml("old.toml", &old).unwrap();
    assert_eq!((failure.schedule.chance, failure.to_toml()), (Chance::Count, old));
}

/// What a wrong file is told, as the user sees it.
#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text).expect_err("it is wrong").to_string();
    assert_eq!(error.trim_end(), expected.trim());
}

#[test]
fn unknown_keys_are_pointed_at() {
    refused(
        "duration = \"1h\"\ntopologie = { devices = 3 }",
        "
a.toml:2:1: a scenario has no `topologie`
  |
2 | topologie = { devices = 3 }
  | ^^^^^^^^^
  = help: did you mean `topology`?",
    );
    refused(
        "[topology]\ndevises = 3",
        "
a.toml:2:1: `topology` has no `devises`
  |
2 | devises = 3
  | ^^^^^^^
  = help: did you mean `devices`?",
    );
}

#[test]
fn unknown_workloads_and_faults_are_pointed_at() {
    refused(
        "[[workload]]\nkind = \"todos\"",
        "
a.toml:2:8: there is no workload `todos`
  |
2 | kind = \"todos\"
  |        ^^^^^^^
  = help: did you mean `todo`?",
    );
    refused(
        "[faults]\nfamilies = [\"split\", \"powercut\"]",
        "
a.toml:2:22: there is no fault `powercut`
  |
2 | families = [\"split\", \"powercut\"]
  |                      ^^^^^^^^^^
  = help: did you mean `power-cut`?",
    );
    refused(
        "[faults]\nfamilies = [\"truncation\"]",
        "
a.toml:2:13: `truncation` cannot be had yet: logs are kept whole so far
  |
2 | families = [\"truncation\"]
  |             ^^^^^^^^^^^^",
    );
    refused(
        "[faults.flop]\nrate = \"1/m\"",
        "
a.toml:1:9: there is no fault `flop`
  |
1 | [faults.flop]
  |         ^^^^
  = help: did you mean `flap`?",
    );
}

#[test]
fn durations_rates_and_types_are_explained() {
    refused(
        "duration = \"30\"",
        "
a.toml:1:12: `30` has no unit of time
  |
1 | duration = \"30\"
  |            ^^^^
  = help: write a duration with its unit: \"250ms\", \"90s\", \"30m\", \"8h\", \"21d\", or \"00:10:00\"",
    );
    refused(
        "duration = 30",
        "
a.toml:1:12: `duration` is a duration, and this is a whole number
  |
1 | duration = 30
  |            ^^
  = help: write a duration with its unit: \"250ms\", \"90s\", \"30m\", \"8h\", \"21d\", or \"00:10:00\"",
    );
    refused(
        "workload = { kind = \"todo\", rate = \"often\" }",
        "
a.toml:1:36: `often` is not a rate
  |
1 | workload = { kind = \"todo\", rate = \"often\" }
  |                                    ^^^^^^^
  = help: write how many in how long: \"1/20s\", \"10/s\", or \"never\"",
    );
    refused(
        "topology = { devices = \"three\" }",
        "
a.toml:1:24: `devices` is a number of nodes or a list of their names
  |
1 | topology = { devices = \"three\" }
  |                        ^^^^^^^",
    );
    refused(
        "expect = { resent_max = \"200%\" }",
        "
a.toml:1:25: `resent_max` is a share from 0 % to 100 %
  |
1 | expect = { resent_max = \"200%\" }
  |                         ^^^^^^
  = help: for instance \"50%\"",
    );
    refused(
        "duration = \"8h\"\nworkload = { kind = \"todo\", rate = \"100/s\" }",
        "
a.toml:2:1: all workloads together make about 8640000 writes, and 1000000 are the most
  |
2 | workload = { kind = \"todo\", rate = \"100/s\" }
  | ^^^^^^^^
  = help: lower a `rate`, the `duration`, or the number of devices",
    );
}

#[test]
fn names_in_events_are_pointed_at() {
    let at = |event: &str| format!("topology = {{ devices = 2 }}\n[[at]]\nt = \"1s\"\n{event}");
    refused(
        &at("do = \"splitt\""),
        "
a.toml:4:6: nothing is called `splitt`
  |
4 | do = \"splitt\"
  |      ^^^^^^^^
  = help: did you mean `split`?",
    );
    refused(
        &at("do = \"isolate\"\nnode = \"d3\"\nfor = \"5s\""),
        "
a.toml:5:8: there is no node `d3`
  |
5 | node = \"d3\"
  |        ^^^^
  = help: did you mean `d1`?",
    );
    refused(
        &at("do = \"isolate\"\nnode = \"d1\""),
        "
a.toml:2:1: `isolate` needs `for`
  |
2 | [[at]]
  | ^^^^^^",
    );
    refused(
        &at("do = \"create\"\nnode = \"d1\"\nmodel = \"Tasks\"\nvalues = {}"),
        "
a.toml:6:9: the schema has no model `Tasks`
  |
6 | model = \"Tasks\"
  |         ^^^^^^^
  = help: did you mean `Task`?",
    );
    refused(
        &at("do = \"create\"\nnode = \"d1\"\nmodel = \"Task\"\nvalues = { titel = \"a\" }"),
        "
a.toml:7:12: Task has no field `titel`
  |
7 | values = { titel = \"a\" }
  |            ^^^^^
  = help: did you mean `title`?",
    );
    refused(
        &at("do = \"delete\"\nnode = \"d1\"\nrecord = \"milk\""),
        "
a.toml:6:10: no event above has the id `milk`
  |
6 | record = \"milk\"
  |          ^^^^^^
  = help: there are none",
    );
    refused(
        &at("do = \"kill-at\"\nnode = \"d1\"\npoint = \"after-commits\"\ndown = \"1s\""),
        "
a.toml:6:9: there is no point `after-commits`
  |
6 | point = \"after-commits\"
  |         ^^^^^^^^^^^^^^^
  = help: did you mean `after-commit`?",
    );
}

#[test]
fn a_record_that_a_save_would_refuse_is_refused() {
    let text = "[[at]]\nt = \"1s\"\ndo = \"create\"\nnode = \"d1\"\nmodel = \"Task\"\nvalues = { done = 3 }";
    let error = parse(text).unwrap_err().to_string();
    assert!(error.starts_with("a.toml:6:10: this is no Task: "), "{error}");
    assert!(error.contains("title") && error.contains("done"), "{error}");
}

#[test]
fn broken_toml_and_missing_or_wrong_schemas_are_pointed_at() {
    let error = parse("duration = \"1h\"\n[topology\ndevices = 3").unwrap_err().to_string();
    assert!(error.starts_with("a.toml:2:") && error.contains("this is not TOML") && error.contains('^'), "{error}");
    refused(
        "schema = \"app.graphql\"",
        "
a.toml:1:10: the schema `app.graphql` cannot be read: entity not found
  |
1 | schema = \"app.graphql\"
  |          ^^^^^^^^^^^^^
  = help: name a GraphQL file with the app's models, relative to this file",
    );
    let mut wrong = |_: &str| Ok("type Todo @model { title: Sting! }".to_owned());
    let error = scenario::parse("a.toml", "schema = \"app.graphql\"", &mut wrong).unwrap_err();
    let ScenarioError::Schema(diagnostics) = &error else { panic!("{error}") };
    let first = diagnostics.errors().next().unwrap();
    assert_eq!((diagnostics.file.as_str(), first.line, first.column), ("app.graphql", 1, 27));
    assert!(error.to_string().contains("did you mean `String`?"), "{error}");
}

#[test]
fn failure_files_are_pointed_into_too() {
    let error = |text: &str| Failure::from_toml("f.toml", text).unwrap_err().to_string();
    assert!(error("seed = 1").starts_with("f.toml:1:1: a schedule needs `schema`"), "{}", error("seed = 1"));
    let text = "schema = \"type T @model { a: String }\"\nnode = [{ name = \"d1\" }]\nevent = [\n  { at = \"1s\", do = \"kill\", node = \"d2\", down = \"1s\" },\n]";
    assert_eq!(
        error(text),
        "f.toml:4:36: there is no node `d2`
  |
4 |   { at = \"1s\", do = \"kill\", node = \"d2\", down = \"1s\" },
  |                                    ^^^^
  = help: did you mean `d1`?"
    );
}

#[test]
fn settings_go_over_what_the_file_says() {
    let mut scenario = preset("quick");
    scenario.nodes(5).unwrap();
    scenario.duration(3_600_000).unwrap();
    scenario.set("faults.flap.rate", "1/10m").unwrap();
    scenario.set("workload.kind", "text").unwrap();
    scenario.set("topology.line", "edge").unwrap();
    scenario.set("expect.converge_within", "1m").unwrap();
    scenario.disable("disk").unwrap();
    assert_eq!(scenario.topology.devices.len(), 5);
    assert_eq!((scenario.duration_ms, scenario.expect.converge_within_ms), (3_600_000, 60_000));
    assert!(!scenario.faults.may_have("power-cut") && scenario.faults.may_have("flap"));
    assert!(scenario.schedule(1).fleet.links.iter().all(|link| link.line.latency_ms == 400));

    let before = scenario.clone();
    let error = |result: Result<(), ScenarioError>| result.unwrap_err().to_string();
    let said = error(scenario.set("faults.flop.rate", "1/10m"));
    assert!(said.starts_with("--set:1:8: there is no fault `flop`") && said.contains("did you mean `flap`?"), "{said}");
    let said = error(scenario.disable("disks"));
    assert!(said.starts_with("--disable:1:1: there is no fault `disks`") && said.contains("`disk`"), "{said}");
    assert!(error(scenario.nodes(0)).contains("from 1 to"));
    assert!(error(scenario.set("duration", "soon")).contains("is not a duration"));
    assert!(error(scenario.set("workload.rate", "1000/s")).contains("are the most"));
    assert_eq!(scenario, before, "a refused setting changes nothing");

    let mut named = preset("cloned-phone");
    named.nodes(6).unwrap();
    assert_eq!(named.topology.devices, ["phone", "new-phone", "tablet", "laptop", "d1", "d2"]);
    let mut third = preset("c1-first-sync");
    assert!(error(third.nodes(2)).contains("names the node `d3`"));
}

#[test]
fn a_schema_that_lacks_what_the_scenario_names_is_refused() {
    let named = parse("workload = { kind = \"todo\", models = [\"Task\"] }").unwrap();
    let error = named.with_schema("b.graphql", "type Tasks @model { a: String }").unwrap_err().to_string();
    assert!(error.contains("on the model `Task`") && error.contains("did you mean `Tasks`?"), "{error}");
}

#[test]
fn the_template_is_a_scenario_for_any_schema() {
    for (file, sdl) in schemas() {
        let text = scenario::template(&file, Some(&sdl));
        let uncommented: String = text.lines().map(|line| line.to_owned() + "\n").collect();
        let mut read = |name: &str| {
            assert_eq!(name, file);
            Ok(sdl.clone())
        };
        let scenario = scenario::parse("sim.toml", &uncommented, &mut read).unwrap_or_else(|error| panic!("{error}"));
        check_sound(&scenario.schedule(1));
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }
    let text = scenario::template("none.graphql", None);
    assert!(text.contains("schema = \"none.graphql\""));
}

#[test]
fn the_json_schema_knows_every_key_of_the_presets() {
    let schema = scenario::json_schema();
    for preset in presets() {
        let file: toml::Table = preset.text().parse().unwrap();
        for (key, value) in &file {
            let property = &schema["properties"][key];
            assert!(property.is_object(), "{}: {key}", preset.name);
            if let Some(section) = value.as_table().filter(|_| key != "workload") {
                for inner in section.keys() {
                    assert!(property["properties"][inner].is_object(), "{}: {key}.{inner}", preset.name);
                }
            }
        }
    }
    assert!(schema["properties"]["faults"]["properties"]["power-cut"].is_object());
    assert!(schema["properties"]["faults"]["properties"]["truncation"].is_null());
}

/// A text with some of it taken out, doubled or replaced.
fn mangled(text: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(""),
        Just("\""),
        Just("[["),
        Just("]"),
        Just("= {"),
        Just("-1"),
        Just("99999999999999999999"),
        Just("\"0s\""),
        Just("é€😀"),
        Just("\u{0}"),
        Just("nan"),
        Just("[]"),
        Just("1e400"),
    ];
    let cuts = prop::collection::vec((0..text.len(), 0..40_usize, piece), 1..6);
    cuts.prop_map(move |cuts| {
        let mut text = text.to_owned();
        for (at, length, piece) in cuts {
            let from = (0..=at.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0);
            let end = (from + length).min(text.len());
            let to = (end..=text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len());
            text.replace_range(from..to, piece);
        }
        text
    })
}

const CLONED_PHONE: &str = include_str!("../scenarios/cloned-phone.toml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_scenario_file_makes_the_reader_panic(text in mangled(CLONED_PHONE)) {
        if let Ok(scenario) = parse(&text)
            && scenario.topology.devices.len() < 20
        {
            let _ = scenario.schedule(1).events.len();
        } else if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
        let _ = Failure::from_toml("f.toml", &text);
    }

    #[test]
    fn no_setting_makes_the_reader_panic(path in "[a-z.\\[\\]\"= ]{0,30}", value in "\\PC{0,30}") {
        let mut scenario = preset("quick");
        let _ = scenario.set(&path, &value);
        let _ = scenario.disable(&path);
    }
}
