//! The simulator's network scenarios over real packets: real stores and a real relay, quinn on loopback, and a
//! line between them that loses, repeats, reorders, damages and cuts off ([`UdpProxy`]).
//!
//! The simulator knows no packets. It says that loss, repetition and disorder reach the engine only as delay,
//! stalls and ends of connections; these tests are why it may say so. Every fault stands until something is
//! seen to have happened, never for a time, and every test ends with the line healed (or bad as it is) and all
//! stores equal.

mod bad_lines;
mod cut_lines;
mod edits;
mod slow_lines;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use syncline::{ChangeKind, ConnectOptions, Link, LinkUp, Origin, Query, Status, Store};
use syncline_relay::Relay;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::udp_proxy::{Faults, UdpProxy};
use crate::support::{
    Bed, PATIENCE, all_have_all, assert_converged, id, in_time, nothing_pending, record, save_many, wait,
};

/// Silence after which links count as lost where a test loses them.
const BRIEF: Duration = Duration::from_secs(1);

/// A replica, and its line to the relay.
struct Node {
    store: Store,
    line: UdpProxy,
    link: Followed,
}

/// A link, and why it was lost, each time.
struct Followed {
    state: watch::Receiver<LinkUp>,
    lost: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Followed {
    fn new(mut link: Link) -> Self {
        let (report, state) = watch::channel(link.state());
        let lost = Arc::new(Mutex::new(Vec::new()));
        let reasons = Arc::clone(&lost);
        let task = tokio::spawn(async move {
            while let Some(state) = link.changed().await {
                if let LinkUp::Down { reason, .. } = &state {
                    reasons.lock().unwrap().push(reason.clone());
                }
                report.send_replace(state);
            }
        });
        Self { state, lost, task }
    }

    async fn until(&mut self, is_meant: impl FnMut(&LinkUp) -> bool) {
        in_time(self.state.wait_for(is_meant)).await.unwrap();
    }
}

/// Replicas that reach one relay each by a line of its own.
struct Fleet {
    bed: Bed,
    relay: Relay,
    nodes: Vec<Node>,
}

impl Fleet {
    /// Links whose ends wait a minute for each other.
    async fn patient(nodes: usize, seed: u64, faults: Faults) -> Self {
        Self::new(nodes, seed, faults, None).await
    }

    /// Links that give up soon.
    async fn brief(nodes: usize, seed: u64) -> Self {
        Self::new(nodes, seed, Faults::default(), Some(BRIEF)).await
    }

    async fn new(nodes: usize, seed: u64, faults: Faults, idle: Option<Duration>) -> Self {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let mut fleet = Self { bed, relay, nodes: Vec::new() };
        for n in 0..nodes {
            let store = fleet.bed.store(&format!("{n}.db")).await;
            fleet.join(store, seed + n as u64, faults, idle).await;
        }
        fleet
    }

    /// Links a store to the relay by a line of its own.
    async fn join(&mut self, store: Store, seed: u64, faults: Faults, idle: Option<Duration>) {
        let line = UdpProxy::start(self.relay.local_addr(), seed).await;
        line.set(faults);
        let url = line.url(&self.relay.url());
        let link = Followed::new(store.connect(options(&url, idle)).unwrap());
        self.nodes.push(Node { store, line, link });
    }

    fn stores(&self) -> Vec<&Store> {
        self.nodes.iter().map(|node| &node.store).collect()
    }

    fn line(&self, at: usize) -> &UdpProxy {
        &self.nodes[at].line
    }

    fn store(&self, at: usize) -> &Store {
        &self.nodes[at].store
    }

    /// Heals every line and waits until all agree.
    async fn heal_and_agree(&self) {
        for node in &self.nodes {
            node.line.heal();
        }
        self.agree().await;
    }

    /// Waits, with the lines as they are, until all agree and the relay has everything.
    async fn agree(&self) {
        agree(&self.stores()).await;
        for node in &self.nodes {
            nothing_pending(&node.store).await;
        }
        let held = self.relay.stats().await.changes;
        assert_eq!(held, self.nodes[0].status().await.store.changes, "the relay holds something twice, or not at all");
    }

    /// Every change went over every link once, and no session was lost on the way.
    async fn assert_nothing_went_twice(&self) {
        for node in &self.nodes {
            let status = node.status().await;
            let lost = node.link.lost.lock().unwrap().clone();
            let (carried, own) = (status.carried, status.store.outbox.acknowledged);
            assert_eq!(carried.sessions, 1, "a connection was lost: {lost:?}, {carried:?}, {:?}", node.line.counts());
            assert_eq!(carried.sent_changes, own, "{carried:?}");
            assert_eq!(carried.received_changes, status.store.changes - own, "{carried:?}");
            assert_eq!(carried.repeated_changes, 0, "{carried:?}");
        }
    }
}

impl Node {
    async fn status(&self) -> Status {
        self.store.status().await.unwrap()
    }

    async fn until_up(&mut self) {
        self.link.until(|state| *state == LinkUp::Up).await;
    }

    async fn until_down(&mut self) {
        self.link.until(|state| matches!(state, LinkUp::Down { .. })).await;
    }
}

fn options(url: &str, idle_timeout: Option<Duration>) -> ConnectOptions {
    ConnectOptions { idle_timeout, ..ConnectOptions::new(url) }
}

async fn until(link: &mut Link, mut is_meant: impl FnMut(&LinkUp) -> bool) {
    in_time(async {
        while !is_meant(&link.state()) {
            link.changed().await.unwrap();
        }
    })
    .await;
}

/// Waits until all stores hold the same; then they show the same, and all of it is sound.
async fn agree(stores: &[&Store]) {
    all_have_all(stores).await;
    assert_converged(stores).await;
    for store in stores {
        let status = store.status().await.unwrap().store;
        assert!(status.quarantined.is_empty(), "{:?}", status.quarantined);
        assert!(status.forked.is_empty(), "{:?}", status.forked);
    }
}

/// Makes a record on one store, and waits until all show it.
async fn shared(fleet: &Fleet, value: Value) -> String {
    let saved = fleet.store(0).save_json("Todo", record(value)).await.unwrap();
    for store in fleet.stores() {
        wait(store, saved.token.as_ref()).await;
    }
    id(&saved.record)
}

async fn shown(store: &Store, id: &str) -> Value {
    store.get_json("Todo", id).await.unwrap().map_or(Value::Null, Value::Object)
}

/// Notes the ids of records that peers made here, each as often as the app is told of it.
struct Witness {
    seen: watch::Receiver<Vec<String>>,
    task: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Witness {
    fn of(store: &Store) -> Self {
        let mut observer = store.observe_json(Some("Todo".to_owned()));
        let (notes, seen) = watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            while let Some(observed) = observer.next().await {
                let observed = observed.unwrap();
                if observed.kind == ChangeKind::Inserted && observed.origin == Origin::Peer {
                    notes.send_modify(|seen| seen.push(observed.id));
                }
            }
        });
        Self { seen, task }
    }

    /// Waits for so many insertions, and says that no record was among them twice.
    async fn assert_saw_once(mut self, records: usize) {
        let mut seen = in_time(self.seen.wait_for(|seen| seen.len() >= records)).await.unwrap().clone();
        assert_eq!(seen.len(), records);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), records, "a record was inserted twice");
    }
}

/// Saves so many records that do not compress to nothing, about 120 bytes each on the line.
async fn save_noise(store: &Store, count: usize) {
    let titled = |n| record(json!({"title": noise(100, n as u64 + 1)}));
    for imported in store.import_json("Todo", (0..count).map(titled).collect()).await.unwrap() {
        imported.unwrap();
    }
}

/// Characters that do not compress to nothing.
fn noise(characters: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    (0..characters).map(|_| next()).collect()
}
