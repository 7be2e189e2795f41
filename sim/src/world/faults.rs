//! Scheduled events: writes go to [`super::writes`]; here is everything done to lines, processes, disks, clocks.

use super::World;
use super::cuts::Cut;
use super::happened::NodeIndex;
use super::node::Excuse;
use super::tasks::Task;
use crate::disk::{CutPoint, Image, Survival};
use crate::schedule::{Action, Event, EventId, Line, Point, Role};
use crate::trace::What;

/// A copy of a node's files.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    of: NodeIndex,
    image: Image,
}

/// A fault that lasts and is no cut of the network.
#[derive(Clone, Debug)]
pub(super) enum Lasting {
    LyingSyncs(NodeIndex),
    DiskFull(NodeIndex),
    SlowDisk(NodeIndex),
    Freeze(NodeIndex, u64),
    /// A further link.
    Meeting(usize),
}

impl World {
    /// Does what the schedule says.
    pub(super) fn execute(&mut self, event: &Event) {
        if self.is_healed() {
            return;
        }
        let name = event.action.name();
        let outcome = if event.action.is_write() { self.write(event) } else { self.inflict(event) };
        self.teller.mark(b'e', [u64::from(event.id), u64::from(outcome.is_ok()), 0], b"");
        let counts = if outcome.is_ok() { &mut self.stats.done } else { &mut self.stats.skipped };
        *counts.entry(name.to_owned()).or_default() += 1;
        let node = event.action.nodes().first().map(|name| (*name).to_owned()).unwrap_or_default();
        let record = self.made.text_of(&event.action, event.id);
        let at = self.at();
        self.teller.tell(at, &node, || {
            let done = outcome.is_ok();
            let outcome = outcome.unwrap_or_else(|why| why);
            What::Event { id: event.id, name: name.to_owned(), outcome, done, record }
        });
    }

    /// What came of it, or why there was nothing to do.
    fn inflict(&mut self, event: &Event) -> Result<String, String> {
        match &event.action {
            Action::Split { .. }
            | Action::Isolate { .. }
            | Action::OneWay { .. }
            | Action::Swizzle { .. }
            | Action::Flap { .. }
            | Action::Slow { .. }
            | Action::Stall { .. }
            | Action::Captive { .. } => self.cut(event),
            Action::Reset { node, after_bytes } => self.reset(self.running(node)?, *after_bytes),
            Action::Herd { node } => self.herd(self.known(node)?),
            Action::Meet { node, to, for_ms } => {
                let (from, to) = (self.known(node)?, self.known(to)?);
                self.meet(event.id, from, to, *for_ms)
            }
            Action::Start { .. }
            | Action::Restart { .. }
            | Action::Upgrade { .. }
            | Action::Kill { .. }
            | Action::KillAt { .. }
            | Action::CrashLoop { .. }
            | Action::Pause { .. }
            | Action::PowerCut { .. } => self.process(event),
            Action::LyingSyncs { .. }
            | Action::IoError { .. }
            | Action::DiskFull { .. }
            | Action::SlowDisk { .. }
            | Action::BitRot { .. }
            | Action::Backup { .. }
            | Action::Restore { .. }
            | Action::Clone { .. } => self.disk(event),
            Action::ClockJump { node, by_ms } => {
                let node = self.known(node)?;
                self.nodes[node].clock_off_ms = self.nodes[node].clock_off_ms.saturating_add(*by_ms);
                self.began(event, &[node], Vec::new());
                done("its wall clock jumped")
            }
            Action::ClockFreeze { node, for_ms } => {
                let node = self.known(node)?;
                if self.nodes[node].frozen_at.is_some() {
                    return Err("its wall clock stands already".to_owned());
                }
                self.nodes[node].frozen_at = Some(self.now_ms);
                self.last(event, node, Lasting::Freeze(node, self.now_ms), *for_ms)
            }
            Action::Observe { node, model } => {
                let node = self.running(node)?;
                let here = self.nodes[node].dialect().map_or(&**model, |dialect| dialect.model(model)).to_owned();
                self.nodes[node].observed.insert(event.id, here);
                done("follows the model")
            }
            Action::Unobserve { observe } => {
                let followed = self.nodes.iter_mut().find_map(|node| node.observed.remove(observe));
                followed.map(|_| "follows no longer".to_owned()).ok_or_else(|| "nobody followed".to_owned())
            }
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Delete { .. }
            | Action::Undelete { .. }
            | Action::Increment { .. }
            | Action::Add { .. }
            | Action::Remove { .. }
            | Action::Splice { .. }
            | Action::Together { .. }
            | Action::Import { .. } => Err("it is a write".to_owned()),
        }
    }

    fn known(&self, name: &str) -> Result<NodeIndex, String> {
        self.index(name).ok_or_else(|| format!("there is no node {name}"))
    }

    pub(super) fn running(&self, name: &str) -> Result<NodeIndex, String> {
        let node = self.known(name)?;
        if self.nodes[node].running.is_some() { Ok(node) } else { Err(format!("{name} does not run")) }
    }

    fn indices(&self, names: &[String]) -> Vec<NodeIndex> {
        names.iter().filter_map(|name| self.index(name)).collect()
    }

    fn began(&mut self, event: &Event, nodes: &[NodeIndex], cut: Vec<(String, String)>) {
        let nodes = nodes.iter().map(|node| self.nodes[*node].spec.name.clone()).collect();
        let at = self.at();
        let (id, name) = (event.id, event.action.name().to_owned());
        self.teller.tell(at, "", || What::FaultBegan { id, name, nodes, cut });
    }

    fn last(&mut self, event: &Event, node: NodeIndex, lasting: Lasting, for_ms: u64) -> Result<String, String> {
        self.held_back.insert(event.id, lasting);
        self.tasks.plan(self.now_ms + for_ms, Task::FaultEnds(event.id));
        self.began(event, &[node], Vec::new());
        done("it began")
    }

    // The network.

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
    fn cut(&mut self, event: &Event) -> Result<String, String> {
        let (cut, nodes, for_ms) = match &event.action {
            Action::Split { groups, for_ms } => {
                let groups: Vec<Vec<NodeIndex>> = groups.iter().map(|group| self.indices(group)).collect();
                let nodes = groups.concat();
                (Cut::Groups(groups), nodes, *for_ms)
            }
            Action::Isolate { node, for_ms } => {
                let node = self.known(node)?;
                (Cut::Node(node), vec![node], *for_ms)
            }
            Action::OneWay { from, to, for_ms } => {
                let (from, to) = (self.known(from)?, self.known(to)?);
                (Cut::OneWay(from, to), vec![from, to], *for_ms)
            }
            Action::Captive { node, for_ms } => {
                let node = self.known(node)?;
                (Cut::Captive(node), vec![node], *for_ms)
            }
            Action::Stall { node, lane, for_ms } => {
                let node = self.known(node)?;
                (Cut::Lane(node, *lane as usize), vec![node], *for_ms)
            }
            Action::Slow { node, latency_ms, jitter_ms, bytes_per_s, for_ms } => {
                let node = self.known(node)?;
                let line = Line { latency_ms: *latency_ms, jitter_ms: *jitter_ms, bytes_per_s: *bytes_per_s };
                (Cut::Slow(node, line), vec![node], *for_ms)
            }
            Action::Swizzle { clog, .. } => {
                self.plan_part(event, 0, 0);
                (Cut::Nodes(Vec::new()), self.indices(clog), u64::MAX)
            }
            Action::Flap { node, .. } => {
                let node = self.known(node)?;
                self.plan_part(event, 0, 0);
                (Cut::Nodes(Vec::new()), vec![node], u64::MAX)
            }
            other => return Err(format!("{} is no fault of the network", other.name())),
        };
        self.network.cuts.begin(event.id, cut);
        if for_ms < u64::MAX {
            self.tasks.plan(self.now_ms + for_ms, Task::FaultEnds(event.id));
        }
        let pairs = self.cut_pairs(&nodes);
        self.began(event, &nodes, pairs);
        self.network.watch_silence(self.now_ms, &mut self.tasks);
        done("it began")
    }

    /// Which of these nodes cannot be reached by whom now, for the trace.
    fn cut_pairs(&self, nodes: &[NodeIndex]) -> Vec<(String, String)> {
        let name = |node: NodeIndex| self.nodes[node].spec.name.clone();
        let all = || 0..self.nodes.len();
        let pairs = all().flat_map(|from| all().map(move |to| (from, to)));
        pairs
            .filter(|(from, to)| from != to && (nodes.contains(from) || nodes.contains(to)))
            .filter(|(from, to)| self.network.cuts.blocks(*from, *to))
            .map(|(from, to)| (name(from), name(to)))
            .collect()
    }

    fn plan_part(&mut self, event: &Event, part: u32, after_ms: u64) {
        self.tasks.plan(self.now_ms + after_ms, Task::Part(event.id, part));
    }

    /// The next part of an event that has several.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
    pub(super) fn part(&mut self, id: EventId, part: u32) {
        if self.is_healed() {
            return;
        }
        let Some(event) = self.schedule.events.iter().find(|event| event.id == id).cloned() else { return };
        match &event.action {
            Action::Swizzle { clog, unclog, every_ms } => {
                self.swizzle(&event, (clog, unclog), part as usize, *every_ms)
            }
            Action::Flap { node, up_ms, down_ms, count } => {
                let Some(node) = self.index(node) else { return };
                self.flap(&event, node, (*up_ms, *down_ms), part, *count);
            }
            Action::CrashLoop { node, times, up_ms } => {
                let Some(node) = self.index(node) else { return };
                if part < *times {
                    self.kill(node, Survival::Everything, 200, "killed again");
                    self.plan_part(&event, part + 1, 200 + up_ms);
                }
            }
            // Nothing else has parts.
            other => debug_assert!(false, "{} has no parts", other.name()),
        }
    }

    fn swizzle(&mut self, event: &Event, (clog, unclog): (&[String], &[String]), part: usize, every_ms: u64) {
        let clogged: Vec<String> = if part < clog.len() {
            clog[..=part].to_vec()
        } else {
            let back = &unclog[..(part + 1 - clog.len()).min(unclog.len())];
            clog.iter().filter(|name| !back.contains(name)).cloned().collect()
        };
        if part + 1 >= clog.len() + unclog.len() {
            return self.end_fault(event.id);
        }
        let nodes = self.indices(&clogged);
        self.change_cut(event.id, Cut::Nodes(nodes));
        self.plan_part(event, part as u32 + 1, every_ms);
    }

    fn flap(&mut self, event: &Event, node: NodeIndex, (up_ms, down_ms): (u64, u64), part: u32, count: u32) {
        if part >= 2 * count {
            return self.end_fault(event.id);
        }
        let is_down = part.is_multiple_of(2);
        self.change_cut(event.id, Cut::Nodes(if is_down { vec![node] } else { Vec::new() }));
        self.plan_part(event, part + 1, if is_down { down_ms } else { up_ms });
    }

    fn change_cut(&mut self, event: EventId, cut: Cut) {
        if let Some(held) = self.network.cuts.get_mut(event) {
            *held = cut;
        }
        self.network.watch_silence(self.now_ms, &mut self.tasks);
        self.network.release(self.now_ms, &mut self.tasks);
    }

    fn reset(&mut self, node: NodeIndex, after_bytes: u64) -> Result<String, String> {
        let connections = self.network.of(node);
        if connections.is_empty() {
            return Err("it has no connection".to_owned());
        }
        for (id, _) in connections {
            if after_bytes == 0 {
                self.network.break_now(id, "reset", self.now_ms, &mut self.tasks);
            } else if let Some(connection) = self.network.connections.get_mut(&id) {
                connection.dies_after = Some(after_bytes);
            }
        }
        done("its connections die")
    }

    fn herd(&mut self, node: NodeIndex) -> Result<String, String> {
        for (id, _) in self.network.of(node) {
            self.network.break_now(id, "reset", self.now_ms, &mut self.tasks);
        }
        for link in 0..self.network.links.len() {
            if self.network.links[link].to == node && self.network.links[link].wanted {
                self.tasks.plan(self.now_ms + 1, Task::Dial(link));
            }
        }
        done("everybody dials again at once")
    }

    fn meet(&mut self, event: EventId, from: NodeIndex, to: NodeIndex, for_ms: u64) -> Result<String, String> {
        if from == to {
            return Err("nobody meets itself".to_owned());
        }
        let line = self.network.links.first().map(|link| link.line).unwrap_or_default();
        let (dials, answers) = (&self.nodes[from].spec.name, &self.nodes[to].spec.name);
        let key = super::draws::name_key(&format!("{dials} meets {answers} by event {event}"));
        self.network.links.push(super::network::LinkState::new(key, from, to, line));
        let link = self.network.links.len() - 1;
        self.held_back.insert(event, Lasting::Meeting(link));
        self.tasks.plan(self.now_ms, Task::Dial(link));
        self.tasks.plan(self.now_ms + for_ms, Task::FaultEnds(event));
        done("it dials a peer")
    }

    // Processes.

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
    fn process(&mut self, event: &Event) -> Result<String, String> {
        match &event.action {
            Action::Start { node } => {
                let node = self.known(node)?;
                if self.nodes[node].is_born() {
                    return Err("it was started before".to_owned());
                }
                self.boot(node);
                done("it starts")
            }
            Action::Restart { node, down_ms } => {
                let node = self.running(node)?;
                self.close_app(node, *down_ms);
                done("it closes its store")
            }
            Action::Upgrade { node, down_ms } => {
                let node = self.running(node)?;
                let Some(newer) = self.newer.clone() else { return Err("there is no newer schema".to_owned()) };
                match self.nodes[node].sdl() {
                    None => return Err("it has no app".to_owned()),
                    Some(sdl) if sdl == newer.sdl => return Err("it has the newer app already".to_owned()),
                    Some(_) => {}
                }
                self.close_app(node, *down_ms);
                self.nodes[node].app = Some(newer);
                done("it closes its store, for a newer app")
            }
            Action::Kill { node, down_ms, after_operations } => {
                self.end_process(event, self.running(node)?, (Survival::Everything, *down_ms), *after_operations)
            }
            Action::PowerCut { node, survival, down_ms, after_operations } => {
                self.end_process(event, self.running(node)?, (*survival, *down_ms), *after_operations)
            }
            Action::KillAt { node, point, down_ms } => {
                let node = self.running(node)?;
                match point {
                    Point::InCheckpoint => self.cut_at(event, node, CutPoint::InCheckpoint, *down_ms),
                    Point::InSideFile => self.cut_at(event, node, CutPoint::InSideFile, *down_ms),
                    Point::AfterCommit
                    | Point::BeforeSync
                    | Point::AfterSync
                    | Point::AfterSend
                    | Point::AfterReceive => {
                        self.nodes[node].armed = Some((*point, event.id, *down_ms));
                    }
                }
                done("it will end there")
            }
            Action::CrashLoop { node, .. } => {
                let node = self.running(node)?;
                self.plan_part(event, 0, 0);
                self.began(event, &[node], Vec::new());
                done("it crashes again and again")
            }
            Action::Pause { node, for_ms } => {
                let node = self.running(node)?;
                let until = self.now_ms + for_ms;
                self.nodes[node].paused_until = Some(until);
                self.tasks.plan(until, Task::Resume(node));
                for (id, _) in self.network.of(node) {
                    self.tasks.plan(self.now_ms + super::network::IDLE_MS, Task::Silence { connection: id });
                }
                self.began(event, &[node], Vec::new());
                self.tasks.plan(until, Task::FaultEnds(event.id));
                done("it stands still")
            }
            other => Err(format!("{} is nothing that happens to a process", other.name())),
        }
    }

    fn end_process(
        &mut self,
        event: &Event,
        node: NodeIndex,
        (survival, down_ms): (Survival, u64),
        after_operations: u64,
    ) -> Result<String, String> {
        if after_operations == 0 {
            self.kill(node, survival, down_ms, event.action.name());
            return done("it ended");
        }
        self.nodes[node].cut_pending = Some((survival, event.id, down_ms));
        self.nodes[node].disk().cut_power_after(after_operations);
        done("it will end at a disk operation")
    }

    fn cut_at(&mut self, event: &Event, node: NodeIndex, point: CutPoint, down_ms: u64) {
        self.nodes[node].cut_pending = Some((Survival::Everything, event.id, down_ms));
        self.nodes[node].disk().cut_power_at(point);
    }

    // Disks.

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
    fn disk(&mut self, event: &Event) -> Result<String, String> {
        match &event.action {
            Action::LyingSyncs { node, for_ms } => {
                let node = self.known(node)?;
                self.nodes[node].disk().lie_about_syncs(true);
                self.nodes[node].excuses.insert(Excuse::DiskLied);
                self.last(event, node, Lasting::LyingSyncs(node), *for_ms)
            }
            Action::IoError { node, on, nth } => {
                let node = self.known(node)?;
                self.nodes[node].disk().fail(*on, *nth);
                self.began(event, &[node], Vec::new());
                done("one operation will fail")
            }
            Action::DiskFull { node, free_bytes, for_ms } => {
                let node = self.known(node)?;
                self.nodes[node].disk().limit(Some(*free_bytes));
                self.last(event, node, Lasting::DiskFull(node), *for_ms)
            }
            Action::SlowDisk { node, sync_ms, for_ms } => {
                let node = self.known(node)?;
                self.nodes[node].disk_sync_ms = *sync_ms;
                self.last(event, node, Lasting::SlowDisk(node), *for_ms)
            }
            Action::BitRot { node, flips } => {
                let node = self.known(node)?;
                self.nodes[node].excuses.insert(Excuse::BitsFlipped);
                let flipped = self.nodes[node].disk().flip_bits(super::node::FILE, *flips);
                self.began(event, &[node], Vec::new());
                done(&format!("{flipped} bits flipped"))
            }
            Action::Backup { node } => {
                let node = self.known(node)?;
                if !self.nodes[node].disk().is_on() {
                    return Err("its power is off".to_owned());
                }
                let image = self.nodes[node].disk().copy();
                self.backups.insert(event.id, Backup { of: node, image });
                done("its files are copied")
            }
            Action::Restore { node, backup, down_ms } => {
                let node = self.known(node)?;
                let Some(backup) = self.backups.get(backup).cloned() else {
                    return Err("there is no backup".to_owned());
                };
                self.restore(event, node, backup, *down_ms)
            }
            Action::Clone { node, onto } => {
                let (from, onto) = (self.running(node)?, self.known(onto)?);
                if self.nodes[onto].is_born() {
                    return Err("the other node was started before".to_owned());
                }
                let image = self.nodes[from].disk().copy();
                let keeps_side_file = event.id.is_multiple_of(2);
                self.nodes[onto].disk().install(&image, keeps_side_file);
                // A clone has the app of the device that it was made of.
                let app = self.nodes[from].app.clone();
                self.nodes[onto].app = app;
                self.nodes[from].excuses.insert(Excuse::Cloned);
                self.nodes[onto].excuses.insert(Excuse::Cloned);
                self.began(event, &[from, onto], Vec::new());
                self.boot(onto);
                done("its files live on another node too")
            }
            other => Err(format!("{} is nothing that happens to a disk", other.name())),
        }
    }

    fn restore(&mut self, event: &Event, node: NodeIndex, backup: Backup, down_ms: u64) -> Result<String, String> {
        if backup.of != node && self.nodes[node].role() == Role::Relay {
            return Err("a relay is restored from its own backup".to_owned());
        }
        self.kill(node, Survival::Everything, down_ms, "a backup is put in the place of its files");
        let keeps_side_file = event.id.is_multiple_of(2);
        self.nodes[node].disk().install(&backup.image, keeps_side_file);
        self.nodes[node].power = super::node::Power::Closed;
        self.nodes[node].excuses.insert(if backup.of == node { Excuse::Restored } else { Excuse::Cloned });
        self.began(event, &[node], Vec::new());
        done("an older state of its files is back")
    }

    // Endings.

    /// A fault is over.
    pub(super) fn end_fault(&mut self, event: EventId) {
        let mut ended = self.network.cuts.end(event);
        if ended {
            self.network.release(self.now_ms, &mut self.tasks);
        }
        if let Some(lasting) = self.held_back.remove(&event) {
            ended = true;
            self.end_lasting(lasting);
        }
        if ended {
            let at = self.at();
            self.teller.tell(at, "", || What::FaultEnded { id: event });
        }
    }

    fn end_lasting(&mut self, lasting: Lasting) {
        match lasting {
            Lasting::LyingSyncs(node) => self.nodes[node].disk().lie_about_syncs(false),
            Lasting::DiskFull(node) => self.nodes[node].disk().limit(None),
            Lasting::SlowDisk(node) => self.nodes[node].disk_sync_ms = self.nodes[node].spec.disk_sync_ms,
            Lasting::Freeze(node, since) => {
                if self.nodes[node].frozen_at == Some(since) {
                    self.nodes[node].frozen_at = None;
                }
            }
            Lasting::Meeting(link) => {
                self.network.links[link].wanted = false;
                if let Some(connection) = self.network.links[link].up.take() {
                    let node = self.network.links[link].from;
                    self.engine_handles(node, syncline_engine::Input::Finish(connection));
                }
            }
        }
    }

    /// Everything that was broken is whole again.
    pub(super) fn end_all_faults(&mut self) {
        let mut events = self.network.cuts.events();
        events.extend(self.held_back.keys().copied());
        for event in events {
            self.end_fault(event);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].disk().clear_faults();
            self.nodes[node].disk().clear_cuts();
            self.nodes[node].cut_pending = None;
            self.nodes[node].armed = None;
            if self.nodes[node].paused_until.take().is_some() {
                self.tasks.plan(self.now_ms, Task::Resume(node));
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the other outcome is why there was nothing to do")]
fn done(what: &str) -> Result<String, String> {
    Ok(what.to_owned())
}
