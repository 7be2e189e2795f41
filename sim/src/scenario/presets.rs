//! Scenarios that come along, each the answer to a question.

use std::io;
use std::sync::LazyLock;

use serde::Serialize;

use super::{Scenario, SchemaText, read};

/// A scenario that comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// What has to be built before it can hold.
    pub awaiting: Option<&'static str>,
    #[serde(skip)]
    text: &'static str,
}

macro_rules! preset {
    ($name:literal, $question:literal, $about:literal) => {
        preset!($name, $question, $about, None)
    };
    ($name:literal, $question:literal, $about:literal, $awaiting:expr) => {
        Preset {
            name: $name,
            about: $about,
            question: $question,
            awaiting: $awaiting,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }
    };
}

const PRESETS: &[Preset] = &[
    preset!(
        "quick",
        "Does my app's data survive ordinary trouble?",
        "three devices and a relay, ten minutes, short losses of network and two kinds of crashes"
    ),
    preset!(
        "field-technicians",
        "What if people work all day where the signal is bad?",
        "six technicians on the road for eight hours: dead zones, captive portals, slow lines, empty batteries"
    ),
    preset!(
        "relay-from-backup",
        "What is lost when the relay is restored from yesterday's backup?",
        "the relay's files are replaced by an older copy; the devices give it back what it forgot"
    ),
    preset!(
        "cloned-phone",
        "What happens when a phone's data is copied to a second phone?",
        "a running device's files come to life on another; both go on writing"
    ),
    preset!(
        "reconnect-storm",
        "Does the relay stand it when everybody comes back at once?",
        "a thousand devices lose the relay and dial it in the same millisecond"
    ),
    preset!(
        "three-weeks-offline",
        "Can a device catch up after three weeks, and does everyone get its work?",
        "one device is away for three weeks and works; the rest go on"
    ),
    preset!(
        "schema-rollout",
        "Can old and new versions of my app work together while the new one is rolled out?",
        "devices get a version that renames a model and a field and has further ones, one after the other"
    ),
    preset!(
        "stress",
        "Does it hold when cuts and crashes never end?",
        "four devices and a relay for a quarter of an hour; someone is cut off every minute, someone crashes every two"
    ),
    preset!("busy", "How fast is a simulation under load?", "ten devices that write all the time for an hour"),
    preset!("idle-day", "How fast is a simulation of a quiet day?", "five devices that hardly write for a day"),
    preset!(
        "twenty-nodes",
        "What does a day in a larger team look like?",
        "nineteen devices and a relay for eight hours, with troubles of every kind"
    ),
    preset!("swarm", "What have I not thought of?", "each seed draws its own troubles and how often they come"),
    preset!(
        "c1-first-sync",
        "C1: does a new device take minutes until it has the data?",
        "ten thousand records, and then a device that has none of them joins"
    ),
    preset!(
        "c2-long-absence",
        "C2: does a device that was away for long fetch everything again?",
        "a large store and a month's absence: what is sent is what differs"
    ),
    preset!(
        "c3-batch-upload",
        "C3: are records that were made offline uploaded one by one?",
        "two thousand records made out of reach go up in batches"
    ),
    preset!(
        "c4-poison-change",
        "C4: does one bad entry block everything behind it?",
        "a peer sends changes that break documents; they are put aside and the rest flows"
    ),
    preset!(
        "c5-refused-write",
        "C5: is a write that the relay refuses silently gone?",
        "an owner's rights are taken away while their device is offline",
        Some("access rules are not enforced yet, and there is no ledger of refused changes")
    ),
    preset!(
        "c6-rapid-edits",
        "C6: are further edits ignored while the first is on its way?",
        "five edits a second of the same record over a slow line"
    ),
    preset!(
        "c7-lists-double",
        "C7: do lists double when two devices save?",
        "lists and sets are changed on both sides of a split, and so are other fields of the same records"
    ),
    preset!(
        "c8-duplicate-records",
        "C8: does a lost answer make a second record?",
        "connections die while changes are on their way, which come on two paths besides; keys are made twice"
    ),
    preset!(
        "c9-conflicts",
        "C9: does it need a handler for conflicts that may never run?",
        "everybody writes the same record on both sides of splits; all end with the same values, without a handler"
    ),
];

/// Every scenario that comes along.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

const SCHEMAS: &[(&str, &str)] = &[
    ("todo.graphql", include_str!("../../scenarios/todo.graphql")),
    ("technicians.graphql", include_str!("../../scenarios/technicians.graphql")),
    ("notes.graphql", include_str!("../../scenarios/notes.graphql")),
    ("stock.graphql", include_str!("../../scenarios/stock.graphql")),
    ("orders.graphql", include_str!("../../scenarios/orders.graphql")),
    ("todo-new.graphql", include_str!("../../scenarios/todo-new.graphql")),
    ("orders-new.graphql", include_str!("../../scenarios/orders-new.graphql")),
];

/// What a scenario is on that names no schema: a to-do list that people share.
pub(super) static DEFAULT_SCHEMA: LazyLock<SchemaText> = LazyLock::new(|| {
    let (file, sdl) = SCHEMAS[0];
    SchemaText::parse(file, sdl).expect("a test reads every schema that comes along")
});

impl Preset {
    /// Its file's text, to begin one's own with.
    pub fn text(&self) -> &'static str {
        self.text
    }
}

pub(super) fn scenario(name: &str) -> Option<Scenario> {
    let preset = PRESETS.iter().find(|preset| preset.name == name)?;
    let mut scenario = read::scenario(&format!("{name}.toml"), preset.text, &mut schema)
        .expect("a test reads every scenario that comes along");
    scenario.name = name.to_owned();
    scenario.about = preset.about.to_owned();
    Some(scenario)
}

fn schema(file: &str) -> io::Result<String> {
    let found = SCHEMAS.iter().find(|(name, _)| *name == file);
    found.map(|(_, sdl)| (*sdl).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}
