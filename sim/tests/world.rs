//! Whole runs by hand-made schedules.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use serde_json::json;
use syncline_sim::schedule::{Action, Event, Expect, Fleet, Line, Link, Node, Role, Schedule};
use syncline_sim::trace::{Entry, What};
use syncline_sim::world;

const SDL: &str =
    "type Todo @model { title: String! done: Boolean notes: String @text likes: Int @counter tags: [String!] @set }";

fn fleet(devices: usize) -> Fleet {
    let mut nodes = vec![Node::new("relay", Role::Relay)];
    let mut links = Vec::new();
    for number in 1..=devices {
        let name = format!("d{number}");
        nodes.push(Node::new(&name, Role::Device));
        links.push(Link { from: name, to: "relay".to_owned(), line: Line::default() });
    }
    Fleet { nodes, links }
}

const NEWER: &str = "type Task @model @renamed(from: \"Todo\") {
    headline: String! @renamed(from: \"title\") done: Boolean notes: String @text likes: Int @counter tags: [String!] @set
    weight: Int
}";

fn schedule(devices: usize, duration_ms: u64, actions: Vec<(u64, Action)>) -> Schedule {
    let events = actions.into_iter().enumerate();
    Schedule {
        newer_schema: None,
        scenario: "by hand".to_owned(),
        seed: 7,
        chance: syncline_sim::schedule::Chance::Moment,
        duration_ms,
        schema: SDL.to_owned(),
        expect: Expect::default(),
        fleet: fleet(devices),
        events: events.map(|(at, (at_ms, action))| Event { id: at as u32 + 1, at_ms, action }).collect(),
    }
}

fn busy(devices: usize, minutes: u64) -> Schedule {
    let mut actions = Vec::new();
    for second in (1..minutes * 60).step_by(10) {
        for device in 1..=devices {
            let node = format!("d{device}");
            let at = second * 1_000 + device as u64 * 7;
            let record = (device as u32 + (second as u32 % 5)).min(devices as u32);
            actions.push((
                at,
                if second == 1 {
                    let values = json!({"title": format!("todo of {node}"), "notes": "", "likes": 0, "tags": []});
                    Action::Create { node, model: "Todo".to_owned(), values: values.as_object().unwrap().clone() }
                } else if second % 3 == 0 {
                    Action::Increment { node, record, field: "likes".to_owned(), by: 1 }
                } else if second % 3 == 1 {
                    Action::Splice {
                        node,
                        record,
                        field: "notes".to_owned(),
                        place: 500,
                        delete: 0,
                        insert: "ab".to_owned(),
                    }
                } else {
                    let values = json!({"title": format!("changed at {second} on {node}")});
                    Action::Update { node, record, values: values.as_object().unwrap().clone() }
                },
            ));
        }
        if second % 60 == 31 {
            let node = format!("d{}", 1 + second / 60 % devices as u64);
            actions.push((second * 1_000 + 500, Action::Isolate { node: node.clone(), for_ms: 20_000 }));
        }
        if second % 120 == 51 {
            let node = format!("d{}", 1 + second / 60 % devices as u64);
            let survival = syncline_sim::Survival::ALL[second as usize / 120 % 4];
            actions
                .push((second * 1_000 + 900, Action::PowerCut { node, survival, down_ms: 5_000, after_operations: 0 }));
        }
    }
    schedule(devices, minutes * 60_000, actions)
}

#[test]
fn a_fleet_agrees_after_partitions_and_power_cuts_and_two_runs_are_equal() {
    let schedule = busy(4, 15);
    let mut trace: Vec<Entry> = Vec::new();
    let one = world::run(&schedule, Some(&mut trace));
    assert!(trace.len() > 1_000);
    assert_eq!(one.violation, None);
    let other = world::run(&schedule, None);
    assert_eq!(one.hash, other.hash);
    assert_eq!(one.checkpoints, other.checkpoints);
    assert_eq!(one.stats.converged_after_ms.map(|ms| ms < 120_000), Some(true));
}

#[test]
fn a_fleet_with_a_hostile_peer_of_any_kind_still_agrees() {
    for kind in syncline_sim::schedule::Adversary::ALL {
        let mut schedule = busy(3, 5);
        schedule.fleet.nodes.push(Node::new("mallory", Role::Adversary(kind)));
        for to in ["relay", "d1"] {
            schedule.fleet.links.push(Link { from: "mallory".to_owned(), to: to.to_owned(), line: Line::default() });
        }
        let values = json!({"title": "honest for once", "notes": "", "likes": 0, "tags": []});
        let values = values.as_object().unwrap().clone();
        let create = Action::Create { node: "mallory".to_owned(), model: "Todo".to_owned(), values };
        schedule.events.push(Event { id: 9_000, at_ms: 2_000, action: create });
        schedule.events.sort_by_key(|event| event.at_ms);
        let outcome = world::run(&schedule, None);
        assert_eq!(outcome.violation, None, "{kind:?}");
    }
}

fn is_edit(name: &str) -> bool {
    ["update", "increment", "splice"].contains(&name)
}

#[test]
fn devices_go_on_with_the_next_version_of_their_app() {
    let mut mixed = busy(3, 4);
    mixed.newer_schema = Some(NEWER.to_owned());
    let upgrade = |at_ms, node: &str| {
        let id = mixed.events.len() as u32 + at_ms as u32;
        Event { id, at_ms, action: Action::Upgrade { node: node.to_owned(), down_ms: 2_000 } }
    };
    let upgrades = [upgrade(60_000, "d1"), upgrade(120_000, "d3"), upgrade(130_000, "d3"), upgrade(140_000, "relay")];
    let mut trace: Vec<Entry> = Vec::new();
    let mut upgraded = mixed.clone();
    upgraded.events.extend(upgrades);
    upgraded.events.sort_by_key(|event| event.at_ms);
    let outcome = world::run(&upgraded, Some(&mut trace));
    assert!(outcome.violation.is_none(), "{:?}", outcome.violation);
    let at_d1 = trace.iter().filter(|entry| entry.node == "d1" && entry.t > 63_000);
    let wrote = at_d1.filter(|entry| matches!(&entry.what, What::Event { name, done: true, .. } if is_edit(name)));
    assert!(wrote.count() > 8, "it is told in its own words, and writes");
    let lines = trace.iter().map(|entry| serde_json::to_string(entry).unwrap());
    let said: Vec<String> = lines.filter(|entry| entry.contains("\"name\":\"upgrade\"")).collect();
    let done = said.iter().filter(|entry| entry.contains("\"done\":true")).count();
    assert_eq!((said.len(), done), (4, 2), "once a device, and never a relay: {said:#?}");
}
