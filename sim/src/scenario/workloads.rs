//! What apps do in a scenario.

use serde::Serialize;

use super::source::{Item, Read, suggestion};
use super::units::Rate;

/// One kind of doings, of some of the devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Which.
    pub kind: WorkloadKind,
    /// How much each device does; `None` for what is usual.
    pub rate: Option<Rate>,
    /// How many of the devices take part, in percent.
    pub share: u64,
    /// The models it works on; none for all.
    pub models: Vec<String>,
    /// The devices that may take part; none for all.
    pub nodes: Vec<String>,
    /// How many records are made at once, where the kind does that.
    pub records: Option<u64>,
    /// How long somebody is away, where the kind has that, in milliseconds.
    pub away_ms: Option<u64>,
    /// When somebody joins or leaves, where the kind has that, in milliseconds.
    pub from_ms: Option<u64>,
}

/// What devices do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`workloads` says what each is")]
pub enum WorkloadKind {
    Todo,
    Text,
    Counters,
    Lists,
    DeleteVsEdit,
    HotRecord,
    Import,
    LongAbsence,
    NewDevice,
    Idle,
    Churn,
    Mixed,
}

/// What a kind of workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadInfo {
    /// Its name.
    pub name: &'static str,
    /// What devices do in it.
    pub about: &'static str,
}

const INFOS: [WorkloadInfo; 12] = [
    WorkloadInfo { name: "todo", about: "creates, toggles, renames, reorders, deletes and undeletes records" },
    WorkloadInfo { name: "text", about: "types where the cursor is, pastes, deletes ranges, two at the same place" },
    WorkloadInfo { name: "counters", about: "increments and decrements counters that everybody shares" },
    WorkloadInfo { name: "lists", about: "inserts, moves and removes elements of lists and sets" },
    WorkloadInfo { name: "delete-vs-edit", about: "one device deletes what another is editing; some are undeleted" },
    WorkloadInfo { name: "hot-record", about: "every device writes the same fields of one record" },
    WorkloadInfo { name: "import-late-joiner", about: "one device imports much; another joins when it is done" },
    WorkloadInfo { name: "long-absence", about: "one device is out of reach for long, writing; the others go on" },
    WorkloadInfo { name: "new-device", about: "a new device joins a fleet that has worked for a while" },
    WorkloadInfo { name: "idle", about: "hardly anything is written" },
    WorkloadInfo { name: "churn", about: "apps begin and end to observe models while others write" },
    WorkloadInfo { name: "mixed", about: "all of these at once" },
];

const KINDS: [WorkloadKind; 12] = [
    WorkloadKind::Todo,
    WorkloadKind::Text,
    WorkloadKind::Counters,
    WorkloadKind::Lists,
    WorkloadKind::DeleteVsEdit,
    WorkloadKind::HotRecord,
    WorkloadKind::Import,
    WorkloadKind::LongAbsence,
    WorkloadKind::NewDevice,
    WorkloadKind::Idle,
    WorkloadKind::Churn,
    WorkloadKind::Mixed,
];

/// Every kind of workload.
pub fn workloads() -> &'static [WorkloadInfo] {
    &INFOS
}

pub(crate) const KEYS: &[&str] = &["kind", "rate", "share", "models", "nodes", "records", "away", "from"];

impl WorkloadKind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        INFOS[self as usize].name
    }

    /// Milliseconds between two doings of one device, unless a rate is given.
    pub(crate) fn usual_gap_ms(self) -> u64 {
        match self {
            Self::Todo | Self::Counters | Self::Lists | Self::DeleteVsEdit | Self::Churn | Self::Mixed => 20_000,
            Self::Text | Self::HotRecord => 10_000,
            Self::Import | Self::LongAbsence | Self::NewDevice => 60_000,
            Self::Idle => 3_600_000,
        }
    }
}

impl Workload {
    /// What is usual of a kind.
    pub fn new(kind: WorkloadKind) -> Self {
        Self {
            kind,
            rate: None,
            share: 100,
            models: Vec::new(),
            nodes: Vec::new(),
            records: None,
            away_ms: None,
            from_ms: None,
        }
    }

    /// Milliseconds between two doings of one device, on average.
    pub(crate) fn gap_ms(&self) -> Option<u64> {
        self.rate.map_or_else(|| Some(self.kind.usual_gap_ms()), Rate::gap_ms)
    }

    pub(super) fn read(item: &Item<'_>) -> Read<Self> {
        let section = item.section("a workload", KEYS)?;
        section.required("kind")?;
        let mut workload = Self::new(WorkloadKind::Mixed);
        workload.apply(item)?;
        Ok(workload)
    }

    /// Sets what the table holds; names of models and nodes are checked when everything is read.
    pub(super) fn apply(&mut self, item: &Item<'_>) -> Read<()> {
        let section = item.section("a workload", KEYS)?;
        if let Some(item) = section.get("kind") {
            let names: Vec<&str> = INFOS.iter().map(|info| info.name).collect();
            let name = item.choice("workload", &names)?;
            self.kind = KINDS.into_iter().find(|kind| kind.name() == name).unwrap_or(self.kind);
        }
        if let Some(item) = section.get("rate") {
            self.rate = Some(item.rate()?);
        }
        if let Some(item) = section.get("share") {
            self.share = item.percent()?;
        }
        if let Some(item) = section.get("models") {
            self.models = texts(&item)?;
        }
        if let Some(item) = section.get("nodes") {
            self.nodes = texts(&item)?;
        }
        if let Some(item) = section.get("records") {
            self.records = Some(item.count(0, 10_000_000)?);
        }
        if let Some(item) = section.get("away") {
            self.away_ms = Some(item.duration_ms()?);
        }
        if let Some(item) = section.get("from") {
            self.from_ms = Some(item.duration_ms()?);
        }
        Ok(())
    }
}

/// Every text of a list is one of these names.
pub(super) fn check_names(item: &Item<'_>, what: &str, names: &[&str]) -> Read<()> {
    for item in item.list()? {
        let name = item.text()?;
        if !names.contains(&name) {
            let help = suggestion(name, names.iter().copied());
            return Err(item.wrong(format!("there is no {what} `{name}`")).help(help));
        }
    }
    Ok(())
}

pub(super) fn texts(item: &Item<'_>) -> Read<Vec<String>> {
    item.list()?.iter().map(|item| item.text().map(str::to_owned)).collect()
}
