//! Families of faults: what there is, and which of them a scenario turns on, how often, how long, on whom.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::source::{Item, Read, Section, suggestion};
use super::units::Rate;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Family {
    /// Its name in files.
    pub name: &'static str,
    /// What it belongs to: `network`, `process`, `disk`, `clock`, `peers`, or `app`.
    pub group: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What has to be built before a fleet can be held to surviving it; it is left out of the swarm until then.
    pub awaiting: Option<&'static str>,
    /// How long it usually holds, in milliseconds; zeros for what has no length.
    #[serde(skip)]
    pub(crate) hold_ms: (u64, u64),
    /// Whether there is something that makes it.
    #[serde(skip)]
    pub(crate) made: bool,
}

const fn family(name: &'static str, group: &'static str, hold_ms: (u64, u64), about: &'static str) -> Family {
    Family { name, group, about, awaiting: None, hold_ms, made: true }
}

const fn awaiting(name: &'static str, group: &'static str, about: &'static str, what: &'static str) -> Family {
    Family { name, group, about, awaiting: Some(what), hold_ms: (0, 0), made: false }
}

const S: u64 = 1000;
const M: u64 = 60 * S;
const H: u64 = 60 * M;
const NO: (u64, u64) = (0, 0);

const FAMILIES: &[Family] = &[
    family("split", "network", (S, 24 * H), "the fleet falls into groups that do not reach each other"),
    family("isolate", "network", (S, 24 * H), "one node reaches nobody"),
    family("one-way", "network", (S, H), "bytes of one node to another are lost; those back arrive"),
    family("bridge", "network", (S, 4 * H), "two groups see each other only through one node"),
    family("swizzle", "network", (S, M), "nodes are cut off one by one and come back in another order"),
    family("flap", "network", (100, 30 * S), "a node's lines come and go"),
    family("slow", "network", (10 * S, H), "a node's lines get slow and uneven"),
    family("stall", "network", (S, 15 * M), "one lane of a node's connections stops; nothing is reset"),
    family("reset", "network", NO, "a node's connections die in the middle of a frame"),
    family("captive", "network", (10 * S, 30 * M), "connections come about and carry nothing"),
    family("mobile", "network", (10 * S, 2 * H), "a device on the move: dead zones, captive portals, slow lines"),
    family("herd", "network", NO, "everybody loses a node and dials it in the same millisecond"),
    family("dup-path", "network", (10 * S, 2 * H), "a device meets a peer beside its relay: changes come twice"),
    family("relay-down", "network", (S, H), "a relay is closed, or its process ends"),
    family("kill", "process", (100, 5 * M), "a process ends at some disk operation"),
    family("kill-at", "process", (100, M), "a process ends between a commit and its sync, and at such places"),
    family("crash-loop", "process", (50, 5 * S), "a process ends again and again soon after it began"),
    family("restart", "process", (100, H), "an app is closed in good order and opened again"),
    family("pause", "process", (S, H), "a process does nothing for a while and notices nothing"),
    family("versions", "process", NO, "some nodes' programs know fewer features of the protocol"),
    family("power-cut", "disk", (S, 5 * M), "power goes; what was not synced may be gone, or half there"),
    family(
        "lying-syncs",
        "disk",
        (10 * S, 10 * M),
        "one node's disk reports syncs that it does not do, and loses power",
    ),
    family("io-error", "disk", NO, "a read, write or sync fails"),
    family("disk-full", "disk", (10 * S, 30 * M), "there is no room left for a while"),
    family("slow-disk", "disk", (10 * S, 30 * M), "syncs take long"),
    Family {
        awaiting: Some("damaged records are quarantined, and not yet fetched again from a peer"),
        ..family("bit-rot", "disk", NO, "bits of a store's file flip")
    },
    family("restore", "disk", (S, M), "a node's files are replaced by an older copy of them"),
    family("clone", "disk", NO, "a device's files come to life on another device"),
    family("skew", "clock", NO, "some nodes' clocks are wrong from the start, by up to years"),
    family("jump", "clock", NO, "a clock jumps"),
    family("freeze", "clock", (S, H), "a clock stands still"),
    family("garbage", "peers", NO, "a peer sends bytes that are no frames"),
    family("wrong-state", "peers", NO, "a peer sends valid frames where the protocol does not allow them"),
    family("equivocation", "peers", NO, "a peer sends two changes under one dot"),
    family("inflated-vector", "peers", NO, "a peer claims to hold changes that do not exist"),
    family("withholding", "peers", NO, "a peer claims to have sent changes that it keeps back"),
    family("forged-writer", "peers", NO, "a peer writes under another replica's id"),
    family("bomb", "peers", NO, "a peer sends batches that decompress to far more than they may"),
    family("poison", "peers", NO, "a peer sends changes that break documents, among good ones"),
    awaiting("truncation", "app", "a log forgets its oldest changes", "logs are kept whole so far"),
    awaiting("access", "app", "what somebody may see changes while they are away", "access rules are not enforced yet"),
    awaiting(
        "rejected-ledger",
        "app",
        "a relay refuses changes that were accepted on the device",
        "relays do not refuse changes yet, and there is no ledger of refused ones",
    ),
    family("relations", "app", (100, 5 * M), "a parent is deleted while a child is added"),
    family("rollout", "app", (S, 10 * M), "devices get the app's next version, one after the other"),
];

/// Every family of faults.
pub fn families() -> &'static [Family] {
    FAMILIES
}

pub(crate) const GROUPS: &[&str] = &["network", "process", "disk", "clock", "peers", "app"];

impl Family {
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.name == name)
    }

    /// Whether a seed may draw it.
    pub(crate) fn in_swarm(&self) -> bool {
        self.made && self.awaiting.is_none()
    }
}

/// What befalls a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Which families.
    pub families: Families,
    /// Which of them are left out after all.
    pub off: BTreeSet<&'static str>,
    /// How they differ from what is usual.
    pub settings: BTreeMap<&'static str, FamilySettings>,
}

/// Which families of faults there are in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Families {
    /// Each seed draws which, and how often.
    Swarm,
    /// These, whatever the seed.
    These(BTreeSet<&'static str>),
}

/// How a family differs from what is usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilySettings {
    /// How often, over the whole fleet.
    pub rate: Option<Rate>,
    /// How long, from and to, in milliseconds.
    pub hold_ms: Option<(u64, u64)>,
    /// On whom; nobody for anyone.
    pub nodes: Vec<String>,
}

pub(crate) const SETTING_KEYS: &[&str] = &["rate", "for", "nodes"];

impl Default for Faults {
    fn default() -> Self {
        Self { families: Families::Swarm, off: BTreeSet::new(), settings: BTreeMap::new() }
    }
}

impl Faults {
    /// Whether a run has a family for certain, or by its seed.
    pub fn may_have(&self, name: &str) -> bool {
        let on = match &self.families {
            Families::Swarm => Family::of(name).is_some_and(Family::in_swarm),
            Families::These(these) => these.contains(name),
        };
        on && !self.off.contains(name)
    }

    /// Leaves a family out, or a group of them; `Err` with a suggestion if there is neither.
    pub(super) fn disable(&mut self, name: &str) -> Result<(), String> {
        let before = self.off.len();
        let named = FAMILIES.iter().filter(|family| family.name == name || family.group == name);
        let named: Vec<&str> = named.map(|family| family.name).collect();
        self.off.extend(&named);
        if named.is_empty() && before == self.off.len() {
            return Err(suggestion(name, all_names()));
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, section: &Section<'_>, nodes: &[String]) -> Read<()> {
        let said = section.get("families");
        if let Some(item) = &said {
            self.families = families_of(item)?;
        }
        let settings: Vec<Item<'_>> =
            section.items().filter(|item| !["families", "off"].contains(&item.name)).collect();
        for item in &settings {
            self.apply_settings(item, nodes, said.is_some())?;
        }
        if said.is_none() && self.families == Families::Swarm && !settings.is_empty() && self.off.is_empty() {
            // Settings alone are a list: of swarms there is no word here.
            let names = settings.iter().filter_map(|item| Family::of(item.name)).map(|family| family.name);
            self.families = Families::These(names.collect());
        }
        if let Some(item) = section.get("off") {
            for item in item.list()? {
                let name = item.text()?;
                self.disable(name).map_err(|help| item.wrong(format!("there is no fault `{name}`")).help(help))?;
            }
        }
        Ok(())
    }

    fn apply_settings(&mut self, item: &Item<'_>, nodes: &[String], listed: bool) -> Read<()> {
        let Some(family) = Family::of(item.name) else {
            let names = all_names().filter(|name| !GROUPS.contains(name)).chain(["families", "off"]);
            return Err(item.unknown(&format!("there is no fault `{}`", item.name), names));
        };
        made(family).map_err(|message| item.wrong_key(message))?;
        match &mut self.families {
            Families::These(these) if listed && !these.contains(family.name) => {
                return Err(item.wrong_key(format!("`{}` is set here and not among the `families`", family.name)));
            }
            Families::These(these) => {
                these.insert(family.name);
            }
            Families::Swarm => {}
        }
        let section = item.section("a family of faults", SETTING_KEYS)?;
        let settings = self.settings.entry(family.name).or_default();
        if let Some(item) = section.get("rate") {
            settings.rate = Some(item.rate()?);
        }
        if let Some(item) = section.get("for") {
            settings.hold_ms = Some(hold(&item)?);
        }
        if let Some(item) = section.get("nodes") {
            let known: Vec<&str> = nodes.iter().map(String::as_str).collect();
            super::workloads::check_names(&item, "node", &known)?;
            settings.nodes = super::workloads::texts(&item)?;
        }
        Ok(())
    }
}

/// `"swarm"`, `"none"`, or a list of families and groups.
fn families_of(item: &Item<'_>) -> Read<Families> {
    if item.is_text() {
        return match item.text()? {
            "swarm" => Ok(Families::Swarm),
            "none" => Ok(Families::These(BTreeSet::new())),
            other => Err(item
                .wrong(format!("`families` is \"swarm\", \"none\" or a list, and not \"{other}\""))
                .help(format!("for instance families = [\"{}\"]", Family::of(other).map_or("split", |f| f.name)))),
        };
    }
    let mut these = BTreeSet::new();
    for item in item.list()? {
        let name = item.text()?;
        if GROUPS.contains(&name) {
            these.extend(FAMILIES.iter().filter(|family| family.group == name && family.in_swarm()).map(|f| f.name));
            continue;
        }
        let Some(family) = Family::of(name) else {
            return Err(item.wrong(format!("there is no fault `{name}`")).help(suggestion(name, all_names())));
        };
        made(family).map_err(|message| item.wrong(message))?;
        these.insert(family.name);
    }
    Ok(Families::These(these))
}

fn made(family: &Family) -> Result<(), String> {
    match family.awaiting {
        Some(what) if !family.made => Err(format!("`{}` cannot be had yet: {what}", family.name)),
        Some(_) | None => Ok(()),
    }
}

fn hold(item: &Item<'_>) -> Read<(u64, u64)> {
    if !item.is_list() {
        let exactly = item.duration_ms()?;
        return Ok((exactly, exactly));
    }
    let [from, to] = item
        .list()?
        .try_into()
        .map_err(|_| item.wrong("`for` is a duration, or a pair of them").help("for instance [\"10s\", \"5m\"]"))?;
    let (least, most) = (from.duration_ms()?, to.duration_ms()?);
    if least > most {
        return Err(item.wrong("the shorter duration stands first"));
    }
    Ok((least, most))
}

fn all_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.name).chain(GROUPS.iter().copied())
}
