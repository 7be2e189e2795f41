//! Who takes part in a scenario, and over which lines.

use super::actions::signed_duration;
use super::source::{Item, Read, Section};
use super::units;
use crate::schedule::{Adversary, Durability, Line, Role};

/// Who takes part, over which lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The relays.
    pub relays: Vec<String>,
    /// The devices.
    pub devices: Vec<String>,
    /// Who dials whom.
    pub links: Links,
    /// What lies between them.
    pub line: Line,
    /// How safe saves are when they return.
    pub durability: Mix,
    /// How many of the devices, the last ones, start late.
    pub late: u64,
    /// When they do, in milliseconds; half-way unless told.
    pub late_at_ms: Option<u64>,
    /// Nodes that differ from the rest, or are there besides.
    pub nodes: Vec<NodeSettings>,
}

/// Who dials whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Links {
    /// Every device every relay; without one, the first device.
    Star,
    /// Every device every other, and every relay.
    Mesh,
    /// Every device every relay, and its neighbour.
    RelayAndPeers,
    /// These, from and to.
    Explicit(Vec<(String, String)>),
}

/// How safe saves are when they return, over a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The same everywhere.
    All(Durability),
    /// Each node has either.
    Mixed,
}

/// How one node differs from the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSettings {
    /// Which.
    pub name: String,
    /// What it is.
    pub role: Option<Role>,
    /// How safe its saves are.
    pub durability: Option<Durability>,
    /// When it starts; `Some(None)`: when an event says so.
    pub starts_at_ms: Option<Option<u64>>,
    /// How far its clock is off.
    pub clock_off_ms: Option<i64>,
    /// How long its disk syncs.
    pub disk_sync_ms: Option<u64>,
    /// Another schema than the scenario's, as SDL.
    pub schema: Option<String>,
    /// The feature bits that it knows.
    pub features: Option<u64>,
    /// What lies between it and whom it dials.
    pub line: Option<Line>,
}

/// Most nodes of a scenario.
const NODES_MAX: u64 = 5000;

/// Lines that have a name: latency, jitter, bytes per second.
pub(crate) const LINES: &[(&str, Line)] = &[
    ("lan", Line { latency_ms: 1, jitter_ms: 1, bytes_per_s: 0 }),
    ("home", Line { latency_ms: 20, jitter_ms: 10, bytes_per_s: 2_500_000 }),
    ("mobile", Line { latency_ms: 80, jitter_ms: 60, bytes_per_s: 250_000 }),
    ("edge", Line { latency_ms: 400, jitter_ms: 300, bytes_per_s: 12_000 }),
    ("satellite", Line { latency_ms: 300, jitter_ms: 20, bytes_per_s: 1_000_000 }),
];

pub(crate) const KEYS: &[&str] = &["relays", "devices", "links", "line", "durability", "late", "late_at", "node"];

pub(crate) const NODE_KEYS: &[&str] =
    &["name", "role", "durability", "starts", "clock_off", "disk_sync", "schema", "features", "line"];

pub(crate) const ROLES: &[&str] = &[
    "device",
    "relay",
    "garbage",
    "wrong-state",
    "equivocation",
    "inflated-vector",
    "withholding",
    "forged-writer",
    "bomb",
    "poison",
];

/// Gives the text of a file, or what is wrong with it, placed at the item that names it.
pub(super) type ReadSchema<'r> = &'r mut dyn FnMut(&Item<'_>) -> Read<super::SchemaText>;

impl Default for Topology {
    fn default() -> Self {
        Self {
            relays: names("relay", 1),
            devices: names("d", 3),
            links: Links::Star,
            line: Line::default(),
            durability: Mix::All(Durability::Normal),
            late: 0,
            late_at_ms: None,
            nodes: Vec::new(),
        }
    }
}

impl Topology {
    /// Every node by name: relays, devices, and those that are there besides.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.relays.iter().chain(&self.devices).cloned().collect();
        for node in &self.nodes {
            if !names.contains(&node.name) {
                names.push(node.name.clone());
            }
        }
        names
    }

    /// As many devices: the first of those there are, then further ones.
    pub(super) fn set_devices(&mut self, count: usize) {
        let mut number = 0;
        self.devices.truncate(count);
        while self.devices.len() < count {
            number += 1;
            let name = format!("d{number}");
            if !self.names().contains(&name) {
                self.devices.push(name);
            }
        }
    }

    pub(super) fn apply(&mut self, section: &Section<'_>, schema: ReadSchema<'_>) -> Read<()> {
        if let Some(item) = section.get("relays") {
            self.relays = roster(&item, "relay", 0, 16)?;
        }
        if let Some(item) = section.get("devices") {
            self.devices = roster(&item, "d", 1, NODES_MAX)?;
        }
        if let Some(item) = section.get("line") {
            self.line = line(&item)?;
        }
        if let Some(item) = section.get("durability") {
            self.durability = match item.choice("durability", &["normal", "full", "mixed"])? {
                "normal" => Mix::All(Durability::Normal),
                "full" => Mix::All(Durability::Full),
                _ => Mix::Mixed,
            };
        }
        if let Some(item) = section.get("late") {
            self.late = item.count(0, self.devices.len() as u64)?;
        }
        if let Some(item) = section.get("late_at") {
            self.late_at_ms = Some(item.duration_ms()?);
        }
        if let Some(item) = section.get("node") {
            for table in item.tables()? {
                self.apply_node(&table, schema)?;
            }
        }
        if let Some(item) = section.get("links") {
            self.links = links(&item, &self.names())?;
        }
        self.check(section)
    }

    fn check(&self, section: &Section<'_>) -> Read<()> {
        let mut seen = std::collections::BTreeSet::new();
        let mut all = self.relays.iter().chain(&self.devices);
        if let Some(twice) = all.find(|name| !seen.insert(*name)) {
            return Err(section.wrong(format!("two nodes are called `{twice}`")));
        }
        if self.links == Links::Mesh && self.devices.len() > 64 {
            return Err(section.wrong("a mesh has at most 64 devices"));
        }
        let Links::Explicit(pairs) = &self.links else { return Ok(()) };
        let names = self.names();
        match pairs.iter().flat_map(|(from, to)| [from, to]).find(|name| !names.contains(name)) {
            Some(stranger) => Err(section.wrong(format!("a link names `{stranger}`, and there is no such node"))),
            None => Ok(()),
        }
    }

    fn apply_node(&mut self, item: &Item<'_>, schema: ReadSchema<'_>) -> Read<()> {
        let section = item.section("a node", NODE_KEYS)?;
        let name_item = section.required("name")?;
        let name = good_name(&name_item)?;
        let place = match self.nodes.iter().position(|node| node.name == name) {
            Some(place) => place,
            None => {
                self.nodes.push(NodeSettings::new(&name));
                self.nodes.len() - 1
            }
        };
        let listed = self.relays.contains(&name) || self.devices.contains(&name);
        let node = &mut self.nodes[place];
        node.apply(&section, schema)?;
        if listed && let Some(item) = section.get("role") {
            return Err(item.wrong_key(format!("`{name}` is one of the relays or devices: it has its role from there")));
        }
        Ok(())
    }
}

impl NodeSettings {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: None,
            durability: None,
            starts_at_ms: None,
            clock_off_ms: None,
            disk_sync_ms: None,
            schema: None,
            features: None,
            line: None,
        }
    }

    fn apply(&mut self, section: &Section<'_>, schema: ReadSchema<'_>) -> Read<()> {
        if let Some(item) = section.get("role") {
            self.role = Some(role(item.choice("role", ROLES)?));
        }
        if let Some(item) = section.get("durability") {
            self.durability = Some(match item.choice("durability", &["normal", "full"])? {
                "full" => Durability::Full,
                _ => Durability::Normal,
            });
        }
        if let Some(item) = section.get("starts") {
            self.starts_at_ms = Some(starts(&item)?);
        }
        if let Some(item) = section.get("clock_off") {
            self.clock_off_ms = Some(signed_duration(&item)?);
        }
        if let Some(item) = section.get("disk_sync") {
            self.disk_sync_ms = Some(item.duration_ms()?);
        }
        if let Some(item) = section.get("schema") {
            self.schema = Some(schema(&item)?.sdl);
        }
        if let Some(item) = section.get("features") {
            self.features = Some(item.count(0, i64::MAX as u64)?);
        }
        if let Some(item) = section.get("line") {
            self.line = Some(line(&item)?);
        }
        Ok(())
    }
}

/// The role of a word of [`ROLES`].
pub(crate) fn role(word: &str) -> Role {
    match word {
        "relay" => Role::Relay,
        "device" => Role::Device,
        other => adversary(other).map_or(Role::Device, Role::Adversary),
    }
}

/// The word of a role.
pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Device => "device",
        Role::Relay => "relay",
        Role::Adversary(kind) => adversary_word(kind),
    }
}

pub(crate) fn adversary_word(kind: Adversary) -> &'static str {
    match kind {
        Adversary::Garbage => "garbage",
        Adversary::WrongState => "wrong-state",
        Adversary::Equivocation => "equivocation",
        Adversary::InflatedVector => "inflated-vector",
        Adversary::Withholding => "withholding",
        Adversary::ForgedWriter => "forged-writer",
        Adversary::Bomb => "bomb",
        Adversary::Poison => "poison",
    }
}

fn adversary(word: &str) -> Option<Adversary> {
    Adversary::ALL.into_iter().find(|kind| adversary_word(*kind) == word)
}

/// `"never"`, or a duration.
pub(crate) fn starts(item: &Item<'_>) -> Read<Option<u64>> {
    if item.is_text() && item.text()? == "never" { Ok(None) } else { item.duration_ms().map(Some) }
}

/// A number of nodes, or their names.
fn roster(item: &Item<'_>, prefix: &str, least: u64, most: u64) -> Read<Vec<String>> {
    if !item.is_list() {
        let message = "is a number of nodes or a list of their names";
        if !item.is_integer() {
            return Err(item.wrong(format!("`{}` {message}", item.name)));
        }
        return Ok(names(prefix, item.count(least, most)?));
    }
    let names = item.list()?.iter().map(good_name).collect::<Read<Vec<String>>>()?;
    if (names.len() as u64) < least {
        return Err(item.wrong(format!("`{}` needs at least {least}", item.name)));
    }
    Ok(names)
}

fn names(prefix: &str, count: u64) -> Vec<String> {
    match (prefix, count) {
        ("relay", 1) => vec!["relay".to_owned()],
        (_, _) => (1..=count).map(|number| format!("{prefix}{number}")).collect(),
    }
}

fn good_name(item: &Item<'_>) -> Read<String> {
    let name = item.text()?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(good) {
        return Err(item.wrong("a node's name has 1 to 32 letters, digits, `-` or `_`"));
    }
    Ok(name.to_owned())
}

pub(crate) const LINE_KEYS: &[&str] = &["latency", "jitter", "bytes_per_s"];

/// A line's name, or what it is.
pub(crate) fn line(item: &Item<'_>) -> Read<Line> {
    if item.is_table() {
        let section = item.section("a line", LINE_KEYS)?;
        let mut line = Line { latency_ms: 20, jitter_ms: 0, bytes_per_s: 0 };
        if let Some(item) = section.get("latency") {
            line.latency_ms = item.duration_ms()?;
        }
        if let Some(item) = section.get("jitter") {
            line.jitter_ms = item.duration_ms()?;
        }
        if let Some(item) = section.get("bytes_per_s") {
            line.bytes_per_s = item.count(0, i64::MAX as u64)?;
        }
        return Ok(line);
    }
    let names: Vec<&str> = LINES.iter().map(|(name, _)| *name).collect();
    let name = item.choice("line", &names)?;
    Ok(LINES.iter().find(|(known, _)| *known == name).map_or_else(Line::default, |(_, line)| *line))
}

/// The line in words that [`line`] reads.
pub(crate) fn line_shown(line: Line) -> String {
    let Line { latency_ms, jitter_ms, bytes_per_s } = line;
    let (latency, jitter) = (units::shown(latency_ms), units::shown(jitter_ms));
    format!("{{ latency = \"{latency}\", jitter = \"{jitter}\", bytes_per_s = {bytes_per_s} }}")
}

fn links(item: &Item<'_>, names: &[String]) -> Read<Links> {
    if !item.is_list() {
        return Ok(match item.choice("way to link nodes", &["star", "mesh", "relay+peers"])? {
            "star" => Links::Star,
            "mesh" => Links::Mesh,
            _ => Links::RelayAndPeers,
        });
    }
    let mut pairs = Vec::new();
    for pair in item.list()? {
        let ends = pair.list()?;
        let [from, to] = ends.as_slice() else {
            return Err(pair.wrong("a link is a pair: who dials, and whom").help("for instance [\"d1\", \"relay\"]"));
        };
        for end in [from, to] {
            let name = end.text()?;
            if !names.iter().any(|known| known == name) {
                let help = super::source::suggestion(name, names.iter().map(String::as_str));
                return Err(end.wrong(format!("there is no node `{name}`")).help(help));
            }
        }
        if from.text()? == to.text()? {
            return Err(pair.wrong("nobody dials itself"));
        }
        pairs.push((from.text()?.to_owned(), to.text()?.to_owned()));
    }
    Ok(Links::Explicit(pairs))
}
