//! Shrinking, with predicates in the place of runs.

use syncline_sim::Survival;
use syncline_sim::failure::Failure;
use syncline_sim::outcome::{Kind, Violation};
use syncline_sim::schedule::{Action, Event, Expect, Fleet, Link, Node, Role, Schedule};
use syncline_sim::shrink::{Class, Runs, one_by_one, shrink};

const DEVICES: u32 = 8;

/// A thousand events on eight devices and a relay: writes, splits, restarts, power cuts.
fn large() -> Schedule {
    let mut nodes = vec![Node::new("hub", Role::Relay)];
    let mut links = Vec::new();
    for device in 0..DEVICES {
        let name = format!("phone{device}");
        links.push(Link { from: name.clone(), to: "hub".to_owned(), line: Default::default() });
        nodes.push(Node::new(name, Role::Device));
    }
    let events = (0..1000).map(|n| Event { id: n + 10, at_ms: u64::from(n) * 1_000, action: nth(n) });
    Schedule {
        newer_schema: None,
        scenario: "made for a test".to_owned(),
        seed: 7,
        chance: syncline_sim::schedule::Chance::Moment,
        duration_ms: 2_000_000,
        schema: "type Todo @model { title: String done: Boolean body: String }".to_owned(),
        expect: Expect::default(),
        fleet: Fleet { nodes, links },
        events: events.collect(),
    }
}

fn nth(n: u32) -> Action {
    let node = format!("phone{}", n % DEVICES);
    let values = serde_json::json!({"title": format!("title {n}"), "done": true, "body": "long ".repeat(20)});
    let serde_json::Value::Object(values) = values else { unreachable!("an object was written") };
    let record = (n / 10) * 10 + 10;
    match n % 10 {
        0 => Action::Create { node, model: "Todo".to_owned(), values },
        1..=5 => Action::Update { node, record, values },
        6 => Action::Split { groups: vec![vec![node, "phone0".to_owned()], vec!["hub".to_owned()]], for_ms: 60_000 },
        7 => Action::Restart { node, down_ms: 5_000 },
        8 => Action::PowerCut { node, survival: Survival::Subset, down_ms: 9_000, after_operations: 12 },
        _ => Action::Together { node: node.clone(), writes: vec![Action::Update { node, record, values }] },
    }
}

fn violation(check: &str, at_ms: u64) -> Violation {
    Violation {
        check: check.to_owned(),
        kind: Kind::Safety,
        at_ms,
        step: 1,
        nodes: Vec::new(),
        message: String::new(),
        differing: Vec::new(),
    }
}

fn lost() -> Class {
    Class::of(&violation("lost", 0))
}

/// Fails if some device updates a record it made and then loses its power.
fn update_then_power_cut(schedule: &Schedule) -> Option<Violation> {
    let there = |name: &str| schedule.fleet.node(name).is_some();
    let mut made = Vec::new();
    let mut updated = Vec::new();
    for event in &schedule.events {
        if let Action::Create { node, .. } = &event.action {
            if there(node) {
                made.push(event.id);
            }
        } else if let Action::Update { node, record, .. } = &event.action {
            if there(node) && made.contains(record) {
                updated.push(node.clone());
            }
        } else if let Action::PowerCut { node, .. } = &event.action
            && updated.contains(node)
            && event.at_ms >= 300_000.min(schedule.duration_ms / 2)
        {
            return Some(violation("lost", event.at_ms));
        }
    }
    None
}

fn one(run: &mut dyn FnMut(&[Schedule]) -> Vec<Option<Violation>>) -> Runs<'_> {
    Runs { at_once: 1, run }
}

#[test]
fn several_at_once_find_what_one_after_the_other_finds() {
    let alone = shrink(large(), &lost(), one(&mut one_by_one(update_then_power_cut)), &mut |_| true);
    let mut most = 0;
    let mut run = |candidates: &[Schedule]| {
        most = most.max(candidates.len());
        candidates.iter().map(update_then_power_cut).collect()
    };
    let together = shrink(large(), &lost(), Runs { at_once: 3, run: &mut run }, &mut |_| true);
    assert_eq!(together, alone);
    assert_eq!(most, 3);
}

#[test]
fn a_thousand_events_become_the_three_that_matter() {
    let mut runs = 0;
    let small = shrink(
        large(),
        &lost(),
        one(&mut one_by_one(|schedule| {
            runs += 1;
            update_then_power_cut(schedule)
        })),
        &mut |_| true,
    );
    let names: Vec<&str> = small.events.iter().map(|event| event.action.name()).collect();
    assert_eq!(names, ["create", "update", "power-cut"], "{small:?}");
    assert!(update_then_power_cut(&small).is_some());
    assert!(runs < 400, "{runs} runs");
    // Who made the record may be another than who updated it.
    assert!(small.fleet.nodes.len() <= 2 && small.fleet.links.len() <= 2, "{:?}", small.fleet);
}

#[test]
fn what_is_left_has_plain_arguments_times_and_names() {
    let small = shrink(large(), &lost(), one(&mut one_by_one(update_then_power_cut)), &mut |_| true);
    assert_eq!(small.events.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 2, 3]);
    for event in &small.events {
        if let Action::Create { values, .. } | Action::Update { values, .. } = &event.action {
            assert!(values.is_empty(), "{values:?}");
        }
        if let Action::PowerCut { down_ms, after_operations, .. } = &event.action {
            assert_eq!((*down_ms, *after_operations), (0, 0));
        }
        assert!(event.at_ms < 1_000, "{event:?}");
    }
    assert!(small.duration_ms < 2_000, "{}", small.duration_ms);
    assert!(small.fleet.nodes.iter().all(|node| node.name.starts_with('d')), "{:?}", small.fleet);
}

/// A create lost its required fields while it shrank, and the smaller file could not be read.
#[test]
fn what_is_left_can_be_read_again() {
    let mut large = large();
    large.schema = "type Todo @model { title: String! done: Boolean body: String }".to_owned();
    let small = shrink(large, &lost(), one(&mut one_by_one(update_then_power_cut)), &mut |_| true);
    let text = Failure::of_schedule("", small.clone()).to_toml();
    assert_eq!(Failure::from_toml("small.toml", &text).unwrap().schedule, small);
    let mut created = Vec::new();
    for event in &small.events {
        if let Action::Create { values, .. } = &event.action {
            created.extend(values.keys().cloned());
        }
    }
    assert_eq!(created, ["title"]);
}

#[test]
fn a_failure_of_another_class_is_not_followed() {
    // Anything smaller fails too, but otherwise.
    let whole = large();
    let small = shrink(
        whole.clone(),
        &lost(),
        one(&mut one_by_one(|schedule| {
            Some(violation(if schedule.events.len() == 1000 { "lost" } else { "panic" }, 2_000_000))
        })),
        &mut |_| true,
    );
    assert_eq!(small.events.len(), whole.events.len());
}

#[test]
fn another_panic_is_another_failure_and_its_numbers_are_not() {
    let panic =
        |message: &str| Violation { kind: Kind::Panic, message: message.to_owned(), ..violation("no-panic", 0) };
    let class = Class::of(&panic("the program panicked: index 7 out of range 3\nat x.rs:12"));
    assert!(class.holds(&panic("the program panicked: index 12 out of range 0")));
    assert!(!class.holds(&panic("the program panicked: no dot")));
}

#[test]
fn a_schedule_that_does_not_fail_comes_back_after_one_run() {
    let mut runs = 0;
    let same = shrink(
        large(),
        &lost(),
        one(&mut one_by_one(|_| {
            runs += 1;
            None
        })),
        &mut |_| true,
    );
    assert_eq!((same, runs), (large(), 1));
}

#[test]
fn who_says_stop_gets_the_smallest_so_far() {
    let mut runs = 0;
    let mut told = Vec::new();
    let small = shrink(
        large(),
        &lost(),
        one(&mut one_by_one(|schedule| {
            runs += 1;
            update_then_power_cut(schedule)
        })),
        &mut |progress| {
            told.push(progress.events);
            progress.runs < 10
        },
    );
    assert_eq!(runs, 10);
    assert!(small.events.len() < 1000 && update_then_power_cut(&small).is_some(), "{}", small.events.len());
    assert!(told.is_sorted_by(|before, after| before >= after), "{told:?}");
}

#[test]
fn what_refers_to_what_is_gone_goes_with_it() {
    // Only one late event matters; if a create went alone, its updates would be runs of their own.
    let last = |schedule: &Schedule| {
        let found = schedule.events.iter().find(|event| matches!(event.action, Action::Restart { .. }))?;
        let dangling = schedule.events.iter().any(|event| {
            let Action::Update { record, .. } = &event.action else { return false };
            !schedule.events.iter().any(|event| event.id == *record)
        });
        assert!(!dangling, "a candidate refers to what is gone");
        Some(violation("lost", found.at_ms + 500_000))
    };
    let small = shrink(large(), &lost(), one(&mut one_by_one(last)), &mut |_| true);
    assert_eq!(small.events.len(), 1, "{:?}", small.events);
}

#[test]
fn nodes_are_taken_out_of_groups_too() {
    let needs_split = |schedule: &Schedule| {
        let split = schedule.events.iter().find_map(|event| {
            let Action::Split { groups, .. } = &event.action else { return None };
            Some(groups.iter().flatten().all(|name| schedule.fleet.node(name).is_some()))
        })?;
        assert!(split, "a candidate splits nodes that are not there");
        Some(violation("lost", 1_999_000))
    };
    let small = shrink(large(), &lost(), one(&mut one_by_one(needs_split)), &mut |_| true);
    assert_eq!((small.events.len(), small.fleet.nodes.len()), (1, 2), "{small:?}");
}
