//! Whole runs under every check: all of them hold, and each has something to decide.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use syncline_sim::schedule::{
    Action, Adversary, Durability, Event, Expect, Fleet, Line, Link, Node, OperationKind, Role, Schedule,
};
use syncline_sim::{Survival, checks, world};

const SDL: &str = r#"
type Todo @model {
  title: String!
  best: Int @merge(with: max)
  likes: Int @counter
  tags: [String] @set
  steps: [String]
  notes: String @text
}
type Place @model { name: String! @primaryKey rank: Int }
type Draft @model(deletes: "update-wins") { title: String }
"#;

/// A relay, two devices of which the second saves with `Full`, and events in the order of their times.
fn schedule(actions: Vec<(u64, Action)>) -> Schedule {
    let mut nodes = vec![Node::new("relay", Role::Relay), Node::new("d1", Role::Device), Node::new("d2", Role::Device)];
    nodes[2].durability = Durability::Full;
    let link = |from: &str| Link { from: from.to_owned(), to: "relay".to_owned(), line: Line::default() };
    let events = actions.into_iter().enumerate();
    Schedule {
        scenario: "by hand".to_owned(),
        seed: 11,
        chance: syncline_sim::schedule::Chance::Moment,
        duration_ms: 400_000,
        newer_schema: None,
        schema: SDL.to_owned(),
        expect: Expect::default(),
        fleet: Fleet { nodes, links: vec![link("d1"), link("d2")] },
        events: events.map(|(at, (at_ms, action))| Event { id: at as u32 + 1, at_ms, action }).collect(),
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn create(node: &str, model: &str, values: &Value) -> Action {
    Action::Create { node: node.to_owned(), model: model.to_owned(), values: map(values) }
}

fn update(node: &str, record: u32, values: &Value) -> Action {
    Action::Update { node: node.to_owned(), record, values: map(values) }
}

/// Every kind of edit, apart and together, with a quiet time of two reconnects in between.
fn story() -> Vec<(u64, Action)> {
    let node = |name: &str| name.to_owned();
    let field = |name: &str| name.to_owned();
    let todo = json!({"title": "a", "best": 1, "likes": 2, "tags": ["x"], "steps": ["one"], "notes": "abcdef"});
    let mut actions = vec![
        (1_000, create("d1", "Todo", &todo)),
        (1_100, create("d2", "Draft", &json!({"title": "draft"}))),
        (1_200, Action::Observe { node: node("d2"), model: "Todo".to_owned() }),
        (5_000, Action::Isolate { node: node("d1"), for_ms: 8_000 }),
        (6_000, update("d1", 1, &json!({"title": "b", "best": 7, "steps": ["one", "two"]}))),
        (6_100, update("d2", 1, &json!({"title": "c", "best": 5, "steps": ["zero", "one"]}))),
        (6_200, create("d1", "Place", &json!({"name": "here", "rank": 1}))),
        (6_300, create("d2", "Place", &json!({"name": "here", "rank": 2}))),
    ];
    for by in ["d1", "d2"] {
        let (record, delete) = (1, u32::from(by == "d1"));
        let insert = if by == "d1" { "gh" } else { "ij" }.to_owned();
        let writes = vec![create(by, "Draft", &json!({"title": "one"})), create(by, "Draft", &json!({"title": "two"}))];
        actions.extend([
            (6_400, Action::Increment { node: node(by), record, field: field("likes"), by: 3 }),
            (6_500, Action::Add { node: node(by), record, field: field("tags"), element: json!("y") }),
            (6_600, Action::Remove { node: node(by), record, field: field("tags"), element: json!("x") }),
            (6_700, Action::Splice { node: node(by), record, field: field("notes"), place: 500, delete, insert }),
            (6_800, Action::Together { node: node(by), writes }),
        ]);
    }
    actions.extend([
        (6_900, Action::Delete { node: node("d1"), record: 2 }),
        (7_000, update("d2", 2, &json!({"title": "kept"}))),
        (30_000, Action::Reset { node: node("relay"), after_bytes: 0 }),
        (60_000, Action::Reset { node: node("relay"), after_bytes: 0 }),
        (90_000, Action::Reset { node: node("relay"), after_bytes: 0 }),
        (100_000, update("d1", 1, &json!({"title": "d"}))),
        (100_001, Action::Kill { node: node("d1"), down_ms: 1_000, after_operations: 0 }),
    ]);
    let cut = |name: &str| Action::PowerCut {
        node: node(name),
        survival: Survival::Subset,
        down_ms: 1_000,
        after_operations: 0,
    };
    for round in 0..240 {
        let at_ms = 110_000 + round * 1_000;
        let by = if round % 2 == 0 { "d1" } else { "d2" };
        // A failing sync matters to its check where it was one of the log: some of these are.
        if (50..100).contains(&round) && round % 10 == 6 {
            actions.push((at_ms - 1, Action::IoError { node: node("d1"), on: OperationKind::Sync, nth: 1 }));
        }
        actions.push((at_ms, update(by, 1, &json!({"title": format!("{round}")}))));
        if round % 80 == 39 {
            actions.push((at_ms + 1, cut(["relay", "d1", "d2"][round as usize / 80])));
            actions.push((at_ms + 2_000, Action::Observe { node: node("d2"), model: "Todo".to_owned() }));
        }
    }
    actions
}

/// Decided only where somebody is hostile.
const HOSTILE: &str = "hostile-changes-nothing";

#[test]
fn every_check_holds_and_has_something_to_decide() {
    let schedule = schedule(story());
    let outcome = world::run(&schedule, None);
    assert_eq!(outcome.violation, None);
    let idle: Vec<&String> = outcome
        .stats
        .checks
        .iter()
        .filter(|(name, count)| **count == 0 && *name != HOSTILE)
        .map(|(name, _)| name)
        .collect();
    assert!(idle.is_empty(), "{idle:?} decided nothing: {:#?}", outcome.stats);
}

/// The ledger of writes knew the record whose delete was asked for and nothing of the others, so the checks of their
/// content told of writes out of nowhere.
#[test]
fn a_delete_that_takes_others_along_is_known_to_every_check() {
    const LISTS: &str = r#"
        type List @model {
          name: String
          tasks: [Task] @hasMany
          readers: [Reader] @hasMany(onDelete: "set-null")
        }
        type Task @model { title: String steps: [Step] @hasMany list: List @belongsTo }
        type Step @model { title: String }
        type Reader @model { name: String }
    "#;
    let node = |name: &str| name.to_owned();
    let delete = |name: &str, record: u32| Action::Delete { node: node(name), record };
    let actions = vec![
        (1_000, create("d1", "List", &json!({"id": "list", "name": "a"}))),
        (1_100, create("d1", "Task", &json!({"id": "task", "listTasksId": "list"}))),
        (1_200, create("d1", "Step", &json!({"id": "step", "taskStepsId": "task"}))),
        (1_300, create("d1", "Reader", &json!({"id": "reader", "listReadersId": "list"}))),
        (1_400, create("d1", "List", &json!({"id": "other"}))),
        (1_500, create("d1", "Task", &json!({"id": "moved", "listTasksId": "other"}))),
        // One device deletes what the other goes on with.
        (20_000, Action::Isolate { node: node("d2"), for_ms: 60_000 }),
        (30_000, update("d2", 2, &json!({"title": "edited"}))),
        (31_000, create("d2", "Step", &json!({"id": "late", "taskStepsId": "task"}))),
        (32_000, delete("d1", 1)),
        (120_000, Action::Undelete { node: node("d2"), record: 1 }),
        (121_000, Action::Together { node: node("d2"), writes: vec![delete("d2", 5), delete("d2", 6)] }),
    ];
    let outcome = world::run(&Schedule { schema: LISTS.to_owned(), ..schedule(actions) }, None);
    assert_eq!(outcome.violation, None);
    // Eleven writes that were asked for, and four that deletes took along: the last delete finds nothing to do.
    assert_eq!(outcome.stats.changes, 11 + 4, "{:#?}", outcome.stats);
}

#[test]
fn checks_change_nothing_of_a_run() {
    let schedule = schedule(story());
    let watched = world::run(&schedule, None);
    let alone = world::run_with(&schedule, Vec::new(), None);
    assert_eq!((watched.hash, watched.checkpoints), (alone.hash, alone.checkpoints));
}

#[test]
fn what_a_hostile_peer_writes_stays_where_it_was_written() {
    for kind in [Adversary::Poison, Adversary::ForgedWriter, Adversary::Equivocation] {
        let mut schedule = schedule(story());
        schedule.fleet.nodes.push(Node::new("mallory", Role::Adversary(kind)));
        for to in ["relay", "d1"] {
            schedule.fleet.links.push(Link { from: "mallory".to_owned(), to: to.to_owned(), line: Line::default() });
        }
        let honest = create("mallory", "Draft", &json!({"title": "honest for once"}));
        schedule.events.push(Event { id: 9_000, at_ms: 2_000, action: honest });
        schedule.events.sort_by_key(|event| event.at_ms);
        let outcome = world::run(&schedule, None);
        assert_eq!(outcome.violation, None, "{kind:?}");
        assert!(outcome.stats.checks[HOSTILE] > 0, "{kind:?}");
    }
}

#[test]
fn names_are_unique_and_every_check_says_what_it_checks() {
    let all = checks::all(&schedule(Vec::new()));
    let names: BTreeSet<&str> = all.iter().map(|check| check.name()).collect();
    assert_eq!(names.len(), all.len());
    for check in &all {
        assert!(check.says().ends_with('.'), "{}", check.name());
        assert!(check.name().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", check.name());
    }
}
