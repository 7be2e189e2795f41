//! A fleet in virtual time: one heap of things to come, real engines, real SQLite.
//!
//! [`run`] takes a schedule to its end. Each step takes one task off the heap, lets engines decide, puts what
//! they want onto disks and lines as further tasks, and then shows the world to every check.

mod apps;
mod connections;
mod cuts;
mod draws;
mod engines;
mod faults;
mod happened;
mod network;
mod node;
mod processes;
mod settle;
mod tasks;
mod tell;
mod values;
mod writes;

pub use happened::{Happened, NodeIndex, Written};
pub use node::{Excuse, NAMESPACE, Node};

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use syncline_engine::Now;

use crate::checks::{self, Check};
use crate::outcome::{Kind, Outcome, Stats, Violation};
use crate::schedule::{Event, Role, Schedule};
use crate::trace::{Recorder, What};
use apps::App;
use draws::Draws;
use network::Network;
use settle::Settling;
use tasks::{Task, Tasks};
use tell::{Fact, Teller};
use writes::Made;

/// How many steps lie between two looks at everything.
const SOMETIMES_STEPS: u64 = 512;

/// What each store may take for its caches.
const CACHE_BYTES: usize = 16 << 20;

/// The same in fleets of more than [`LARGE_FLEET`] nodes: a thousand stores must fit into a gibibyte.
const SMALL_CACHE_BYTES: usize = 256 << 10;

/// Nodes beyond which memory counts for more than speed.
const LARGE_FLEET: usize = 100;

/// Runs a schedule to its end, or to the first check that does not hold.
///
/// One run at a time in a process: SQLite's randomness is the process's. Panics of what runs are caught and
/// count as violations.
pub fn run(schedule: &Schedule, recorder: Option<&mut dyn Recorder>) -> Outcome {
    run_with(schedule, checks::all(schedule), recorder)
}

/// As [`run`], with these checks.
pub fn run_with(schedule: &Schedule, checks: Vec<Box<dyn Check>>, recorder: Option<&mut dyn Recorder>) -> Outcome {
    let mut run = Run { world: World::new(schedule, recorder.is_some()), checks, recorder };
    let outcome = catch_unwind(AssertUnwindSafe(|| run.go_on()));
    let violation = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(run.world.panicked(panic.as_ref())),
    };
    let world = &mut run.world;
    if let Some(violation) = &violation {
        let at = (world.steps, world.now_ms);
        world.teller.tell(at, "", || What::Violated { violation: violation.clone() });
    }
    run.hand_over();
    let world = &mut run.world;
    world.gather_stats();
    for check in &run.checks {
        world.stats.checks.insert(check.name().to_owned(), check.count());
    }
    Outcome {
        seed: schedule.seed,
        violation,
        hash: world.teller.hash(),
        checkpoints: std::mem::take(&mut world.teller.checkpoints),
        stats: std::mem::take(&mut world.stats),
    }
}

struct Run<'r> {
    world: World,
    checks: Vec<Box<dyn Check>>,
    recorder: Option<&'r mut dyn Recorder>,
}

impl Run<'_> {
    fn go_on(&mut self) -> Result<(), Violation> {
        self.world.begin();
        self.check()?;
        while let Some((at_ms, task)) = self.world.tasks.next() {
            self.world.step(at_ms, task);
            self.hand_over();
            self.check()?;
            self.world.settled()?;
            if self.world.is_over() {
                break;
            }
        }
        for check in &mut self.checks {
            check.at_end(&self.world)?;
        }
        Ok(())
    }

    /// Gives the trace to whoever wants it.
    fn hand_over(&mut self) {
        let entries = self.world.teller.take_entries();
        if let Some(recorder) = self.recorder.as_mut() {
            entries.into_iter().for_each(|entry| recorder.record(entry));
        }
    }

    /// Tells the checks what this step did, and lets one of them look at everything now and then.
    fn check(&mut self) -> Result<(), Violation> {
        let facts = std::mem::take(&mut self.world.teller.facts);
        for fact in &facts {
            let happened = fact.happened(&self.world.written);
            for check in &mut self.checks {
                check.after(&self.world, &happened)?;
            }
        }
        if let Some(violation) = self.world.broken.take() {
            return Err(violation);
        }
        let turn = self.world.steps / SOMETIMES_STEPS;
        if self.world.steps.is_multiple_of(SOMETIMES_STEPS) {
            let mut lookers: Vec<_> = self.checks.iter_mut().filter(|check| check.looks()).collect();
            if !lookers.is_empty() {
                let at = turn as usize % lookers.len();
                lookers[at].sometimes(&self.world)?;
            }
        }
        Ok(())
    }
}

/// Everything there is in a run.
pub struct World {
    schedule: Schedule,
    names: BTreeMap<String, NodeIndex>,
    nodes: Vec<Node>,
    network: Network,
    tasks: Tasks,
    teller: Teller,
    draws: Draws,
    now_ms: u64,
    steps: u64,
    written: Vec<Written>,
    made: Made,
    held_back: BTreeMap<u32, faults::Lasting>,
    backups: BTreeMap<u32, faults::Backup>,
    /// The next version of the app.
    newer: Option<App>,
    settling: Settling,
    stats: Stats,
    /// What the world itself found wrong.
    broken: Option<Violation>,
}

impl World {
    fn new(schedule: &Schedule, is_traced: bool) -> Self {
        let draws = Draws::new(schedule.seed, schedule.chance);
        crate::vfs::seed_sqlite(draws.below("sqlite", 0, 0, u64::from(u32::MAX)) as u32 | 1);
        Self {
            schedule: schedule.clone(),
            names: BTreeMap::new(),
            nodes: Vec::new(),
            network: Network::new(draws.clone()),
            tasks: Tasks::default(),
            teller: Teller::new(is_traced),
            draws,
            now_ms: 0,
            steps: 0,
            written: Vec::new(),
            made: Made::default(),
            held_back: BTreeMap::new(),
            backups: BTreeMap::new(),
            newer: None,
            settling: Settling::default(),
            stats: Stats::default(),
            broken: None,
        }
    }

    /// Sets everything up and plans the schedule.
    fn begin(&mut self) {
        let Some(apps) = self.parse_schemas() else { return };
        self.newer = self.schedule.newer_schema.as_ref().map(|sdl| apps[sdl].clone());
        let specs = self.schedule.fleet.nodes.clone();
        let cache_bytes = if specs.len() > LARGE_FLEET { SMALL_CACHE_BYTES } else { CACHE_BYTES };
        for (index, spec) in specs.into_iter().enumerate() {
            let text = spec.schema.clone().unwrap_or_else(|| self.schedule.schema.clone());
            let app = (spec.role != Role::Relay).then(|| apps[&text].clone());
            if let Some(at_ms) = spec.starts_at_ms {
                self.tasks.plan(at_ms, Task::Boot(index));
            }
            self.names.insert(spec.name.clone(), index);
            self.nodes.push(Node::new(spec, app, &self.draws, index as u64, cache_bytes));
        }
        for link in self.schedule.fleet.links.clone() {
            if let (Some(from), Some(to)) = (self.index(&link.from), self.index(&link.to)) {
                let key = draws::name_key(&format!("{} dials {}", link.from, link.to));
                self.network.links.push(network::LinkState::new(key, from, to, link.line));
            }
        }
        for (place, event) in self.schedule.events.iter().enumerate() {
            self.tasks.plan(event.at_ms.min(self.schedule.duration_ms), Task::Event(place));
        }
        self.tasks.plan(self.schedule.duration_ms, Task::Heal);
    }

    /// Every version of the app, by its schema's text.
    fn parse_schemas(&mut self) -> Option<BTreeMap<String, App>> {
        let schedule = self.schedule.clone();
        let of_nodes = schedule.fleet.nodes.iter().filter_map(|node| node.schema.as_ref());
        let first = self.parse_schema(&schedule.schema)?;
        let mut apps = BTreeMap::from([(schedule.schema.clone(), App::of_schedule(first.clone(), &schedule.schema))]);
        for sdl in of_nodes.chain(&schedule.newer_schema) {
            if !apps.contains_key(sdl) {
                let schema = self.parse_schema(sdl)?;
                apps.insert(sdl.clone(), App::other(&first, schema, sdl));
            }
        }
        Some(apps)
    }

    fn parse_schema(&mut self, sdl: &str) -> Option<syncline_schema::Schema> {
        match syncline_schema::parse("schema.graphql", sdl) {
            Ok(parsed) => Some(parsed.schema),
            Err(error) => {
                self.breaks("schema", Vec::new(), format!("a schema of the schedule is not valid: {error}"));
                None
            }
        }
    }

    /// Does one thing and everything that follows from it at once.
    fn step(&mut self, at_ms: u64, task: Task) {
        self.now_ms = at_ms;
        self.steps += 1;
        let Some(task) = self.unless_paused(task) else { return };
        match task {
            Task::Event(place) => {
                let event: Event = self.schedule.events[place].clone();
                self.execute(&event);
            }
            Task::Part(event, part) => self.part(event, part),
            Task::FaultEnds(event) => self.end_fault(event),
            Task::Boot(node) => self.boot(node),
            Task::Resume(node) => self.resume(node),
            Task::Tick(node, boot) => self.tick(node, boot),
            Task::Synced { node, boot, namespace, seq } => self.synced(node, boot, namespace.as_deref(), seq),
            Task::Dial(link) => self.dial(link),
            Task::Reached(link, dial) => self.reached(link, dial),
            Task::NotReached(link, dial, why) => self.not_reached(link, dial, why),
            Task::Arrive { connection, end, lane } => self.arrive(connection, end, lane),
            Task::Lost { connection, end, why } => self.lost(connection, end, &why),
            Task::Silence { connection } => self.silence(connection),
            Task::Heal => self.heal(),
            Task::Look => self.look(),
        }
        self.teller.step_done(self.steps);
    }

    /// A process that is paused notices nothing until it goes on.
    fn unless_paused(&mut self, task: Task) -> Option<Task> {
        let node = match &task {
            Task::Tick(node, _) | Task::Synced { node, .. } => Some(*node),
            Task::Arrive { connection, end, .. } | Task::Lost { connection, end, .. } => {
                self.network.connections.get(connection).map(|connection| connection.ends[*end])
            }
            Task::Dial(link) => Some(self.network.links[*link].from),
            Task::Event(place) => {
                let action = &self.schedule.events[*place].action;
                action.is_write().then(|| action.nodes().first().and_then(|name| self.index(name))).flatten()
            }
            Task::Part(..)
            | Task::FaultEnds(_)
            | Task::Boot(_)
            | Task::Resume(_)
            | Task::Reached(..)
            | Task::NotReached(..)
            | Task::Silence { .. }
            | Task::Heal
            | Task::Look => None,
        };
        match node {
            Some(node) if self.nodes[node].paused_until.is_some_and(|until| until > self.now_ms) => {
                self.nodes[node].parked.push(task);
                None
            }
            Some(_) | None => Some(task),
        }
    }

    fn index(&self, name: &str) -> Option<NodeIndex> {
        self.names.get(name).copied()
    }

    fn at(&self) -> (u64, u64) {
        (self.steps, self.now_ms)
    }

    fn tell(&mut self, node: NodeIndex, what: impl FnOnce() -> What) {
        let at = self.at();
        self.teller.tell(at, &self.nodes[node].spec.name, what);
    }

    fn fact(&mut self, fact: Fact) {
        self.teller.facts.push(fact);
    }

    /// The world itself finds something wrong.
    fn breaks(&mut self, check: &str, nodes: Vec<String>, message: String) {
        let (step, at_ms) = self.at();
        let found = Violation {
            check: check.to_owned(),
            kind: Kind::Safety,
            at_ms,
            step,
            nodes,
            message,
            differing: Vec::new(),
        };
        self.broken.get_or_insert(found);
    }

    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> Violation {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Violation {
            check: "no-panic".to_owned(),
            kind: Kind::Panic,
            at_ms: self.now_ms,
            step: self.steps,
            nodes: Vec::new(),
            message: format!("the program panicked: {}", text.unwrap_or_default()),
            differing: Vec::new(),
        }
    }

    fn gather_stats(&mut self) {
        self.stats.virtual_ms = self.now_ms;
        self.stats.steps = self.steps;
        self.stats.connections = self.network.made;
        self.stats.under_way_max = self.network.under_way_max;
        let live: Vec<_> = self
            .nodes
            .iter()
            .filter_map(Node::engine)
            .flat_map(|engine| engine.sessions().map(|(_, session)| session.counters()).collect::<Vec<_>>())
            .collect();
        for counters in live {
            self.count(&counters);
        }
    }

    /// Adds what a session has carried.
    fn count(&mut self, counters: &syncline_core::session::Counters) {
        self.stats.bytes += counters.bytes_sent;
        self.stats.changes_sent += counters.changes_sent;
        self.stats.changes_duplicate += counters.changes_duplicate;
    }

    /// What this run does.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Virtual milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The nodes; their places are the numbers that [`Happened`] speaks of.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every write of an app that returned without an error, oldest first.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// Whether everything that was broken is whole again, and nobody writes any more.
    pub fn is_healed(&self) -> bool {
        self.settling.is_healed()
    }

    /// Most bytes that were under way at once on any connection.
    pub fn under_way_max(&self) -> u64 {
        self.network.under_way_max
    }

    /// The time as a node's clocks show it.
    pub fn now_at(&self, node: NodeIndex) -> Now {
        self.nodes[node].now(self.now_ms)
    }
}
