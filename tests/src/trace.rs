//! A real editing session of two people, replayed through two replicas with its real concurrency.
//!
//! Each transaction is made on exactly the state that its parents describe: the wire between the two replicas
//! is moved frame by frame, and no further than the writer had seen.

use std::collections::BTreeSet;
use std::path::PathBuf;

use automerge::transaction::Transactable as _;
use automerge::{ActorId, AutoCommit, ObjType, ReadDoc as _};
use serde_json::Value;
use syncline_core::ids::ReplicaId;
use syncline_core::wire::Role;
use syncline_engine::Source;

use crate::real_input::data_folder;
use crate::support::engines::Engines;
use crate::support::record;

const SDL: &str = "type Page @model { text: String @text }";

struct Patch {
    agent: usize,
    parents: Vec<usize>,
    at: usize,
    delete: usize,
    insert: String,
}

struct Trace {
    end: String,
    patches: Vec<Patch>,
    /// What each patch's writer had seen before it: how many patches of either agent.
    seen: Vec<[usize; 2]>,
}

impl Trace {
    fn parse(json: &str) -> Self {
        let trace: Value = serde_json::from_str(json).unwrap();
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let patches = trace["txns"].as_array().unwrap().iter().map(|txn| {
            let [patch] = txn["patches"].as_array().unwrap().as_slice() else { panic!("one patch each") };
            Patch {
                agent: number(&txn["agent"]),
                parents: txn["parents"].as_array().unwrap().iter().map(number).collect(),
                at: number(&patch[0]),
                delete: number(&patch[1]),
                insert: patch[2].as_str().unwrap().to_owned(),
            }
        });
        let patches: Vec<Patch> = patches.collect();
        let mut after: Vec<[usize; 2]> = Vec::new();
        let mut seen = Vec::new();
        for patch in &patches {
            let join = |mut all: [usize; 2], parent: &usize| {
                (0..2).for_each(|agent| all[agent] = all[agent].max(after[*parent][agent]));
                all
            };
            let before = patch.parents.iter().fold([0, 0], join);
            let mut own = before;
            own[patch.agent] += 1;
            seen.push(before);
            after.push(own);
        }
        Self { end: trace["endContent"].as_str().unwrap().to_owned(), patches, seen }
    }

    /// How many patches of an agent the other one has seen at some moment: there its changes leave.
    fn departures(&self, agent: usize) -> BTreeSet<usize> {
        let others = self.patches.iter().zip(&self.seen).filter(|(patch, _)| patch.agent != agent);
        others.map(|(_, seen)| seen[agent]).collect()
    }
}

/// Two replicas with one page, and a wire that the replay moves.
struct Replay<'t> {
    trace: &'t Trace,
    engines: Engines,
    wire: u64,
    page: String,
    /// The replica ids, and the counters before the first patch.
    writers: [(ReplicaId, u64); 2],
    departures: [BTreeSet<usize>; 2],
}

impl<'t> Replay<'t> {
    fn new(trace: &'t Trace) -> Self {
        let mut engines = Engines::new(SDL, 1);
        let replicas = [engines.add(Role::Peer), engines.add(Role::Peer)];
        let wire = engines.connect(0, 1);
        // Each writes once, so that both have a name that is known.
        let mut pages = replicas.map(|at| {
            let saved = engines.write(at, |tx| tx.save("Page", &record(serde_json::json!({"text": ""})), Source::App));
            saved.unwrap().record["id"].as_str().unwrap().to_owned()
        });
        engines.settle();
        let writers = replicas.map(|at| {
            let replica = engines.store(at).replica().unwrap();
            (replica, engines.store(at).version().counter(replica))
        });
        engines.sync_at_once = false;
        let departures = [trace.departures(0), trace.departures(1)];
        Self { trace, engines, wire, page: std::mem::take(&mut pages[0]), writers, departures }
    }

    /// How many patches of an agent a replica holds.
    fn held(&self, at: usize, agent: usize) -> usize {
        let (replica, before) = self.writers[agent];
        usize::try_from(self.engines.store(at).version().counter(replica) - before).unwrap()
    }

    /// Moves changes of the other agent towards a replica until it holds so many, and not one more.
    fn receive(&mut self, at: usize, other: usize, wanted: usize) {
        while self.held(at, other) < wanted {
            let (engines, wire) = (&mut self.engines, self.wire);
            let moved = engines.deliver_oldest(wire, at);
            assert!(moved, "replica {at} holds {} of {wanted} patches and nothing is under way", self.held(at, other));
        }
        assert_eq!(self.held(at, other), wanted, "more arrived than the writer had seen");
    }

    fn run(mut self) -> [String; 2] {
        for (patch, seen) in self.trace.patches.iter().zip(&self.trace.seen) {
            let (at, other) = (patch.agent, 1 - patch.agent);
            self.receive(at, other, seen[other]);
            let page = self.page.clone();
            self.engines
                .write(at, |tx| tx.splice("Page", &page, "text", patch.at, patch.delete, &patch.insert))
                .unwrap();
            if self.departures[at].contains(&self.held(at, at)) {
                self.engines.sync(at);
            }
        }
        self.engines.sync_at_once = true;
        self.engines.sync(0);
        self.engines.sync(1);
        self.engines.settle();
        for at in 0..2 {
            assert!(self.engines.store(at).verify().unwrap().is_ok());
        }
        assert_eq!(self.engines.export(0), self.engines.export(1));
        [0, 1].map(|at| {
            let shown = self.engines.store(at).reader().unwrap().get("Page", &self.page).unwrap().unwrap();
            shown["text"].as_str().unwrap().to_owned()
        })
    }
}

/// The same through Automerge alone, one document per agent.
fn through_automerge(trace: &Trace) -> String {
    let mut base = AutoCommit::new().with_actor(ActorId::from([9_u8; 16].to_vec()));
    let text = base.put_object(automerge::ROOT, "text", ObjType::Text).unwrap();
    let mut documents = [1_u8, 2].map(|agent| base.fork().with_actor(ActorId::from([agent; 16].to_vec())));
    let mut changes: [Vec<automerge::Change>; 2] = [Vec::new(), Vec::new()];
    let mut held = [[0, 0], [0, 0]];
    for (patch, seen) in trace.patches.iter().zip(&trace.seen) {
        let (at, other) = (patch.agent, 1 - patch.agent);
        let news = changes[other][held[at][other]..seen[other]].to_vec();
        held[at][other] = seen[other];
        let document = &mut documents[at];
        document.apply_changes(news).unwrap();
        document.splice_text(&text, patch.at, patch.delete as isize, &patch.insert).unwrap();
        document.commit();
        changes[at].push(document.get_last_local_change().unwrap().clone());
    }
    let [mut one, mut other] = documents;
    one.merge(&mut other).unwrap();
    one.text(&text).unwrap()
}

fn start() -> Trace {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/friendsforever-start.json");
    Trace::parse(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn the_beginning_of_a_real_session_ends_as_automerge_ends_it() {
    let trace = start();
    assert!(trace.patches.iter().any(|patch| patch.parents.len() > 1), "nobody worked at the same time");
    assert_eq!(through_automerge(&trace), trace.end);
    let [one, other] = Replay::new(&trace).run();
    assert_eq!(one, trace.end);
    assert_eq!(other, trace.end);
}

/// The whole session, where `SYNCLINE_DATA` names a folder with `friendsforever.json`.
#[test]
fn a_whole_real_session_ends_in_the_text_that_its_writers_saw() {
    let Some(path) = data_folder().map(|folder| folder.join("friendsforever.json")).filter(|path| path.exists()) else {
        return;
    };
    let trace = Trace::parse(&std::fs::read_to_string(path).unwrap());
    let [one, other] = Replay::new(&trace).run();
    assert_eq!(one, trace.end);
    assert_eq!(other, trace.end);
}
