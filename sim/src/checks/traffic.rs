//! What travels: little when nothing is new, nothing twice beyond a window, and never more than was granted.

use std::collections::BTreeMap;

use syncline_core::session::{CREDIT_BYTES, Counters, Event};

use super::view::Shared;
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::{Action, Role, Schedule};
use crate::world::{Happened, NodeIndex, World};

/// Bytes of a session between two stores that have the same, in both directions.
const IDLE_BYTES: u64 = 500;

/// How long both logs must have stood still before the end of a session: news that nobody waits for may be gathered.
const QUIET_MS: u64 = 5_000;

/// Where two stores stood: lives, and rows of both logs.
type Standing = [(u64, u64); 2];

/// A session between two stores that have everything costs one round trip and few bytes.
pub(super) struct IdleReconnectIsCheap {
    view: Shared,
    /// Where both stood when a session of the two ended that had told them so.
    ended: BTreeMap<[NodeIndex; 2], Standing>,
    /// Sessions that began where the last one had ended, by connection.
    idle: BTreeMap<u64, Standing>,
    /// Ends that said they are synced, and the lives in which they did: a peer that died is missed only later.
    synced: BTreeMap<u64, Vec<(NodeIndex, u64)>>,
    decided: u64,
}

impl IdleReconnectIsCheap {
    pub(super) fn new(view: Shared) -> Self {
        let (ended, idle, synced) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { view, ended, idle, synced, decided: 0 }
    }

    fn standing(&self, world: &World, [one, other]: [NodeIndex; 2]) -> Option<Standing> {
        let view = self.view.borrow();
        // Retired ids are told again in each session, until the log goes on.
        if world.nodes().iter().any(|node| !node.excuses().is_empty()) {
            return None;
        }
        let of = |node: NodeIndex| {
            let state = &world.nodes()[node];
            let plain = state.is_honest() && state.excuses().is_empty();
            let store = state.store().filter(|_| plain)?;
            let held = &view.nodes[node];
            (store.committed() == held.len()).then(|| (state.boots(), held.len()))
        };
        let equal = view.nodes[one].counters().eq(view.nodes[other].counters());
        Some([of(one)?, of(other)?]).filter(|_| equal)
    }

    fn is_quiet(&self, world: &World, pair: [NodeIndex; 2]) -> bool {
        let view = self.view.borrow();
        pair.iter().all(|node| view.nodes[*node].grew_at_ms + QUIET_MS <= world.now_ms())
    }
}

impl Check for IdleReconnectIsCheap {
    about!(
        "idle-reconnect-is-cheap",
        "A session between two stores that both had everything when their last one ended, and got nothing since, takes \
         one round trip and at most 500 bytes; decided in fleets in which no replica id can have been retired."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        match happened {
            Happened::Connected { node, with, connection } => {
                let pair = ordered(*node, *with);
                let began = self.standing(world, pair).filter(|now| self.ended.get(&pair) == Some(now));
                self.idle.extend(began.map(|standing| (*connection, standing)));
            }
            Happened::Session { node, connection, news: Event::Synced, .. } => {
                self.synced.entry(*connection).or_default().push((*node, world.nodes()[*node].boots()));
            }
            Happened::Disconnected { node, with, connection, counters } => {
                let pair = ordered(*node, *with);
                let now = self.standing(world, pair);
                let idle = self.idle.remove(connection).filter(|standing| Some(*standing) == now);
                let lives = pair.map(|end| (end, world.nodes()[end].boots()));
                let synced = self.synced.get(connection).is_some_and(|ends| lives.iter().all(|end| ends.contains(end)));
                if let (Some(_), Some(counters), true) = (idle, counters, synced) {
                    self.decided += 1;
                    is_cheap(counters).map_err(|message| Broken::new(pair, message).at(world, self.name()))?;
                }
                if let Some(now) = now.filter(|_| synced && self.is_quiet(world, pair)) {
                    self.ended.insert(pair, now);
                }
            }
            Happened::Opened { .. }
            | Happened::NotOpened { .. }
            | Happened::Closed { .. }
            | Happened::Died { .. }
            | Happened::Wrote { .. }
            | Happened::Committed { .. }
            | Happened::Durable { .. }
            | Happened::SyncFailed { .. }
            | Happened::Sent { .. }
            | Happened::Session { .. }
            | Happened::Healed => {}
        }
        Ok(())
    }
}

fn ordered(one: NodeIndex, other: NodeIndex) -> [NodeIndex; 2] {
    [one.min(other), one.max(other)]
}

fn is_cheap(counters: &Counters) -> Result<(), String> {
    let bytes = counters.bytes_sent + counters.bytes_received;
    if bytes <= IDLE_BYTES && counters.round_trips() <= 1 {
        return Ok(());
    }
    let trips = counters.round_trips();
    Err(format!("a session with nothing to say took {bytes} bytes and {trips} round trips"))
}

/// Changes that one lost connection may have sent again.
const WINDOW: u64 = 500;

/// Little is sent twice.
pub(super) struct ResentBounded {
    view: Shared,
    percent: u64,
    /// Whether every change has one way to every node, so that nothing comes twice by itself.
    single_ways: bool,
    sent: u64,
    duplicate: u64,
    /// Equal changes under two dots, which two nodes made.
    repeated: u64,
    ended: u64,
    decided: u64,
}

impl ResentBounded {
    pub(super) fn new(view: Shared, schedule: &Schedule) -> Self {
        let fleet = &schedule.fleet;
        let meets = schedule.events.iter().any(|event| matches!(event.action, Action::Meet { .. }));
        let hostile = fleet.nodes.iter().any(|node| matches!(node.role, Role::Adversary(_)));
        Self {
            view,
            percent: schedule.expect.resent_max_percent,
            single_ways: !meets && !hostile && fleet.links.len() < fleet.nodes.len(),
            sent: 0,
            duplicate: 0,
            repeated: 0,
            ended: 0,
            decided: 0,
        }
    }

    fn add(&mut self, counters: &Counters) {
        self.sent += counters.changes_sent;
        self.duplicate += counters.changes_duplicate;
    }

    fn is_bounded(&self) -> Result<(), String> {
        let allowed = self.sent * self.percent / 100 + self.ended * WINDOW;
        let again = self.duplicate.saturating_sub(self.repeated);
        if again <= allowed {
            return Ok(());
        }
        Err(format!(
            "{again} of {} changes came to who held them; {} lost connections and {} % allow {allowed}",
            self.sent, self.ended, self.percent
        ))
    }
}

impl Check for ResentBounded {
    about!(
        "resent-bounded",
        "Of the changes sent, no more come to who holds them already than the schedule's percentage and one window per \
         lost connection; decided where every change has one way to go and no file was put back."
    );

    fn after(&mut self, _: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let repeated = self.view.borrow().news.rows.iter().filter(|row| row.kind == "repeated").count();
        self.repeated += repeated as u64;
        if let Happened::Disconnected { counters: Some(counters), .. } = happened {
            self.add(counters);
            self.ended += 1;
        }
        if let Happened::Died { .. } = happened {
            self.ended += 1;
        }
        Ok(())
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        if !self.single_ways || world.nodes().iter().any(|node| !node.excuses().is_empty()) {
            return Ok(());
        }
        for engine in world.nodes().iter().filter_map(|node| node.engine()) {
            let counters: Vec<Counters> = engine.sessions().map(|(_, session)| session.counters()).collect();
            counters.iter().for_each(|counters| self.add(counters));
        }
        self.decided += 1;
        self.is_bounded().map_err(|message| Broken::new([], message).at(world, self.name()))
    }
}

/// What both directions of a connection may carry: what is granted, the batch that reaches the grant's end, and the
/// rest of the protocol.
const UNDER_WAY_MAX: u64 = 2 * (CREDIT_BYTES as u64 + (1 << 20)) + (1 << 20);

/// No connection carries more than was granted.
#[derive(Default)]
pub(super) struct MemoryBounded {
    decided: u64,
}

impl Check for MemoryBounded {
    about!(
        "memory-bounded",
        "Bytes under way on one connection stay within what both ends granted, one batch each, and a megabyte for the \
         rest; hostile peers keep to nothing, so it is decided without them."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        if !matches!(happened, Happened::Sent { .. }) {
            return Ok(());
        }
        self.decided += 1;
        let most = world.under_way_max();
        if most <= UNDER_WAY_MAX || world.nodes().iter().any(|node| !node.is_honest()) {
            return Ok(());
        }
        Err(Broken::new([], too_much(most)).at(world, self.name()))
    }
}

fn too_much(bytes: u64) -> String {
    format!("{bytes} bytes were under way on one connection, and {UNDER_WAY_MAX} may be")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::view::tests::view;
    use super::*;

    #[test]
    fn an_idle_session_that_talks_much_is_noticed() {
        let cheap = Counters { bytes_sent: 200, bytes_received: 300, legs: 3, ..Counters::default() };
        assert!(is_cheap(&cheap).is_ok());
        assert!(is_cheap(&Counters { bytes_sent: 201, ..cheap }).is_err());
        assert!(is_cheap(&Counters { legs: 4, ..cheap }).is_err());
    }

    #[test]
    fn more_duplicates_than_windows_are_noticed() {
        let view = Rc::new(RefCell::new(view(1)));
        let mut check = ResentBounded {
            view,
            percent: 2,
            single_ways: true,
            sent: 1_000,
            duplicate: 520,
            repeated: 0,
            ended: 1,
            decided: 0,
        };
        assert!(check.is_bounded().is_ok());
        check.duplicate += 1;
        assert!(check.is_bounded().is_err());
    }
}
