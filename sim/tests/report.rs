//! Reports: sentences, stories and pages of made-up runs, whose ends are known.
//!
//! The pages are left in the build's directory for temporary files, to be looked at.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail as tests do, and look for one kind of thing"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use syncline_sim::Survival;
use syncline_sim::outcome::{Differing, Kind, Outcome, Stats, Violation};
use syncline_sim::report;
use syncline_sim::schedule::{
    Action, Event, Expect, Fleet, Lane, Line, Link, Node, OperationKind, Point, Role, Schedule,
};
use syncline_sim::trace::{Entry, What};
use syncline_sim::world;

// Sentences.

#[test]
fn every_kind_of_entry_is_a_sentence_that_names_what_it_is_about() {
    let said = [
        (event("create", "Todo 0192ab", true, Some("Todo 0192ab")), "phone-1 saved Todo 0192ab (event 7)."),
        (event("update", "", false, None), "Event 7, update at phone-1, found nothing to do."),
        (
            event("update", "the record is gone.", false, None),
            "Event 7, update at phone-1, did nothing: the record is gone.",
        ),
        (event("clock-jump", "", true, None), "Event 7 came up at phone-1: clock jump."),
        (event("backup", "12 files", true, None), "Event 7 came up at phone-1: backup: 12 files."),
        (What::Opened { boot: 3, replica: "ab12".into() }, "phone-1 opened its store (start 3) as replica ab12."),
        (What::Opened { boot: 1, replica: String::new() }, "phone-1 opened its store (start 1)."),
        (What::NotOpened { error: "no.".into() }, "phone-1 could not open its store: no."),
        (What::Closed, "phone-1 closed its store in good order."),
        (What::Killed { by: "a kill".into() }, "phone-1's process ended without a word, by a kill."),
        (What::Dialing { to: "relay".into() }, "phone-1 dialled relay."),
        (What::DialFailed { to: "relay".into(), why: "cut".into() }, "phone-1 did not reach relay: cut."),
        (What::Connected { connection: 4, to: "relay".into() }, "phone-1 and relay are connected (connection 4)."),
        (
            What::Disconnected { connection: 4, to: "relay".into(), why: "reset".into() },
            "phone-1 lost its connection 4 to relay: reset.",
        ),
        (
            sent(12, "relay", 20_480),
            "phone-1 sent relay a Batch of 20 KiB on the live lane (message 12, connection 4).",
        ),
        (received(12, "relay"), "phone-1 received a Batch from relay (message 12, connection 4)."),
        (
            What::Committed { seq: 9, origin: "local".into(), records: vec!["Todo a".into(), "Todo b".into()] },
            "phone-1 committed its own changes to Todo a and Todo b (log position 9).",
        ),
        (
            What::Committed { seq: 9, origin: "peer".into(), records: vec![] },
            "phone-1 committed a peer's changes, up to log position 9.",
        ),
        (news("Synced"), "phone-1 and relay have what the other has, safe on their disks (connection 4)."),
        (
            news("ForkFound([ab])"),
            "phone-1 found two histories under one replica id, with relay (connection 4): ForkFound([ab]).",
        ),
        (What::Durable { seq: 9 }, "phone-1 has everything up to log position 9 safe on its disk."),
        (news("caught up"), "phone-1 in session with relay (connection 4): caught up."),
        (
            What::FaultBegan {
                id: 7,
                name: "one-way".into(),
                nodes: vec!["phone-1".into()],
                cut: vec![("phone-1".into(), "relay".into())],
            },
            "Fault at phone-1 from now on: one way (event 7); cut off: phone-1 → relay.",
        ),
        (
            What::FaultBegan { id: 7, name: "slow".into(), nodes: vec![], cut: vec![] },
            "Fault at the fleet from now on: slow (event 7).",
        ),
        (What::FaultEnded { id: 7 }, "What event 7 began is over."),
        (What::Healed, "Everything that was broken is whole again, and nobody writes any more."),
        (What::Converged, "Everyone has what everyone has."),
        (What::Violated { violation: violation(&["phone-1"], "lost") }, "The check saved-is-kept did not hold: lost."),
    ];
    for (what, sentence) in said {
        assert_eq!(report::words(&Entry { n: 1, t: 5, node: "phone-1".into(), what }), sentence);
    }
}

#[test]
fn every_action_is_a_sentence_of_its_own() {
    let actions = every_action();
    let said: Vec<String> = actions.iter().map(report::words_of_action).collect();
    for (action, sentence) in actions.iter().zip(&said) {
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{action:?}: {sentence}");
        assert_eq!(said.iter().filter(|other| *other == sentence).count(), 1, "{sentence}");
    }
    let has = |part: &str| assert!(said.iter().any(|sentence| sentence.contains(part)), "{part} in {said:#?}");
    has("phone-1 saves a Todo with title = \"Milk\".");
    has("phone-1's power is cut at the 3rd disk operation from now; of the writes under way some sectors reach");
    has("The 1st sync from now on phone-1's disk fails.");
    has("For 10 min these do not reach each other: phone-1 and relay | phone-2.");
    has("phone-1's wall clock jumps 1 h back.");
}

// Stories.

#[test]
fn a_story_tells_the_write_the_power_cut_before_its_sending_and_the_end() {
    let (schedule, outcome, entries) = lost_write();
    let story = report::explain(&schedule, &outcome, &entries);
    leave("lost-write.txt", &story);
    for part in [
        "At 0:03:12 phone-2 saved Todo 0192ab (event 2), with title = \"Milk\".",
        "At 0:02:30 fault at phone-2 from now on: isolate (event 9); cut off: phone-2 → relay and relay → phone-2.",
        "2 s after that write and before it had sent anybody its changes, or had them safe on its disk",
        "it was up again 12 s later, under another replica id.",
        "At the end phone-1 and relay show Todo 0192ab, and phone-2 does not.",
        "the check saved-is-kept found that something is false, lost or doubled",
        "To replay: syncline sim replay lost-write-7.toml",
        "To make it smaller: syncline sim shrink",
    ] {
        assert!(story.contains(part), "{part:?} is not in:\n{story}");
    }
    assert!(!story.contains("0192ff"), "another record's write is told:\n{story}");
    let lines = story.lines().take_while(|line| !line.is_empty()).count();
    assert!(lines <= 25, "{lines} sentences");
    let diagram: Vec<&str> = story.lines().filter(|line| line.starts_with("0:")).collect();
    assert!(diagram.windows(2).all(|pair| pair[0][..11] <= pair[1][..11]), "time does not go down:\n{story}");
}

#[test]
fn a_story_follows_a_message_over_the_relay_and_says_which_were_lost() {
    let (schedule, outcome, entries) = lost_on_the_way();
    let story = report::explain(&schedule, &outcome, &entries);
    assert!(story.contains("phone-1 sent relay a Batch (message 1), which arrived 30 ms later."), "{story}");
    assert!(story.contains("relay sent phone-2 a Batch (message 2), which never arrived."), "{story}");
    assert!(story.contains("title is \"a\" on phone-1, and \"b\" on phone-2"), "{story}");
}

#[test]
fn a_long_run_still_has_a_short_story() {
    let (schedule, outcome, entries) = large(20, 200_000, true);
    let story = report::explain(&schedule, &outcome, &entries);
    leave("large.txt", &story);
    assert!(story.lines().take_while(|line| !line.is_empty()).count() <= 25, "{story}");
    assert!(story.lines().count() < 70, "{story}");
}

#[test]
fn the_story_of_a_run_without_failure_says_so() {
    let (schedule, outcome, entries) = large(3, 500, false);
    let story = report::explain(&schedule, &outcome, &entries);
    assert!(story.starts_with("Nothing went wrong in field technicians with seed 41:"), "{story}");
    assert!(!story.contains("shrink"), "{story}");
}

#[test]
fn a_failure_without_a_trace_is_told_as_far_as_it_is_known() {
    let (schedule, outcome, _) = lost_write();
    let story = report::explain(&schedule, &outcome, &[]);
    assert!(story.contains("No trace was recorded") && story.contains("saved-is-kept"), "{story}");
}

// Pages.

#[test]
fn a_page_needs_nothing_else_and_says_what_failed() {
    let (schedule, outcome, entries) = lost_write();
    let page = report::html(&schedule, &outcome, &entries);
    leave("lost-write.html", &page);
    assert!(page.starts_with("<!doctype html>"));
    for part in ["failed: saved-is-kept", "States differ here", "syncline sim replay lost-write-7.toml", "0192ab"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["http://", "https://", "src=", "@import", "url(", "innerHTML", "eval(", "<!--@"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn nothing_in_a_run_becomes_markup() {
    let evil = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \"' -->";
    let (mut schedule, mut outcome, mut entries) = lost_write();
    schedule.scenario = evil.into();
    schedule.fleet.nodes[1].name = evil.into();
    schedule.schema = evil.into();
    for entry in &mut entries {
        entry.node = evil.into();
    }
    entries.push(Entry { n: 99, t: 900_000, node: evil.into(), what: What::NotOpened { error: evil.into() } });
    outcome.hash = evil.into();
    outcome.stats.done.insert(evil.into(), 1);
    outcome.stats.checks.insert(evil.into(), 1);
    let failed = outcome.violation.as_mut().unwrap();
    failed.check = evil.into();
    failed.message = evil.into();
    failed.nodes = vec![evil.into()];
    let shown = BTreeMap::from([(evil.into(), Some(object(json!({ evil: evil })))), ("b".into(), None)]);
    failed.differing.push(Differing { model: evil.into(), id: evil.into(), shown });
    let page = report::html(&schedule, &outcome, &entries);
    leave("evil.html", &page);
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<!-- "));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn equal_runs_have_equal_reports() {
    let (schedule, outcome, entries) = large(5, 4_000, true);
    let (again_schedule, again_outcome, again_entries) = large(5, 4_000, true);
    assert_eq!(
        report::html(&schedule, &outcome, &entries),
        report::html(&again_schedule, &again_outcome, &again_entries)
    );
    assert_eq!(
        report::explain(&schedule, &outcome, &entries),
        report::explain(&again_schedule, &again_outcome, &again_entries)
    );
}

#[test]
fn a_large_run_fits_into_a_few_megabytes() {
    let (schedule, outcome, entries) = large(20, 200_000, true);
    let page = report::html(&schedule, &outcome, &entries);
    leave("large.html", &page);
    let each = page.len() / entries.len();
    assert!(each <= 32, "{each} bytes per entry, {} in all", page.len());
    assert!(!page.contains("were left out"));
}

#[test]
fn of_too_many_entries_messages_far_from_the_failure_are_left_out_and_the_page_says_so() {
    let (schedule, outcome, entries) = large(20, 340_000, true);
    let page = report::html(&schedule, &outcome, &entries);
    leave("too-large.html", &page);
    assert!(entries.len() > report::ENTRIES_MAX);
    assert!(page.contains(&format!("This page shows {} of {} entries", report::ENTRIES_MAX, entries.len())));
    assert!(page.contains("Messages are complete from"));
    assert!(page.contains(&format!("\"count\":{}", report::ENTRIES_MAX)));
}

#[test]
fn a_real_run_is_told_as_well() {
    let (mut schedule, _, _) = lost_write();
    schedule.duration_ms = 300_000;
    for from in ["phone-1", "phone-2"] {
        schedule.fleet.links.push(Link { from: from.into(), to: "relay".into(), line: Line::default() });
    }
    let more = [
        (4, 110_000, Action::Isolate { node: "phone-2".into(), for_ms: 100_000 }),
        (5, 120_000, Action::Update { node: "phone-1".into(), record: 1, values: object(json!({ "done": true })) }),
        (6, 193_000, Action::ClockJump { node: "phone-1".into(), by_ms: -3_600_000 }),
        (7, 240_000, Action::Delete { node: "phone-1".into(), record: 1 }),
        (8, 250_000, Action::Update { node: "phone-1".into(), record: 99, values: Map::new() }),
    ];
    schedule.events.extend(more.map(|(id, at_ms, action)| Event { id, at_ms, action }));
    schedule.events.sort_by_key(|event| event.at_ms);
    let mut entries: Vec<Entry> = Vec::new();
    let mut outcome = world::run(&schedule, Some(&mut entries));
    let page = report::html(&schedule, &outcome, &entries);
    leave("real.html", &page);
    leave("real-words.txt", &entries.iter().map(|entry| report::words(entry) + "\n").collect::<String>());
    assert_eq!(outcome.violation, None);
    // As if its last state were wrong: the story must find the write, and its way to the other phone.
    let id = entries.iter().find_map(|entry| match &entry.what {
        What::Event { id: 1, record, .. } => record.clone(),
        _ => None,
    });
    let mut failed = violation(&["phone-2"], &format!("phone-2 shows {} wrongly", id.unwrap()));
    failed.at_ms = 290_000;
    outcome.violation = Some(failed);
    let story = report::explain(&schedule, &outcome, &entries);
    leave("real.txt", &story);
    for part in [
        "phone-1 saved Todo",
        "phone-1 sent relay a Batch",
        "relay sent phone-2 a Batch",
        "phone-2 reaches nobody for 1 min 40 s (event 4).",
    ] {
        assert!(story.contains(part), "{part:?} is not in:\n{story}");
    }
}

#[test]
fn a_passed_or_empty_run_has_a_page_too() {
    let (schedule, outcome, entries) = large(4, 3_000, false);
    let page = report::html(&schedule, &outcome, &entries);
    leave("passed.html", &page);
    assert!(page.contains("class=\"passed\"") && page.contains("Nothing went wrong"));
    let empty = report::html(&schedule, &outcome, &[]);
    leave("empty.html", &empty);
    assert!(empty.contains("\"count\":0"));
}

// Made-up runs.

fn event(name: &str, outcome: &str, done: bool, record: Option<&str>) -> What {
    What::Event { id: 7, name: name.into(), outcome: outcome.into(), done, record: record.map(str::to_owned) }
}

fn news(news: &str) -> What {
    What::Session { connection: 4, with: "relay".into(), news: news.into() }
}

fn sent(message: u64, to: &str, bytes: usize) -> What {
    What::Sent { message, connection: 4, to: to.into(), lane: "live".into(), name: "Batch".into(), bytes }
}

fn received(message: u64, from: &str) -> What {
    What::Received { message, connection: 4, from: from.into(), name: "Batch".into() }
}

fn violation(nodes: &[&str], message: &str) -> Violation {
    Violation {
        check: "saved-is-kept".into(),
        kind: Kind::Safety,
        at_ms: 600_000,
        step: 90,
        nodes: nodes.iter().map(|&node| node.to_owned()).collect(),
        message: message.into(),
        differing: Vec::new(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn schedule(scenario: &str, seed: u64, nodes: &[&str], events: Vec<(u32, u64, Action)>) -> Schedule {
    let role = |name: &str| if name.starts_with("relay") { Role::Relay } else { Role::Device };
    Schedule {
        newer_schema: None,
        scenario: scenario.into(),
        seed,
        chance: syncline_sim::schedule::Chance::Moment,
        duration_ms: 600_000,
        schema: "type Todo @model { title: String! done: Boolean }".into(),
        expect: Expect::default(),
        fleet: Fleet { nodes: nodes.iter().map(|name| Node::new(*name, role(name))).collect(), links: Vec::new() },
        events: events.into_iter().map(|(id, at_ms, action)| Event { id, at_ms, action }).collect(),
    }
}

fn outcome(seed: u64, violation: Option<Violation>) -> Outcome {
    let stats = Stats {
        virtual_ms: 640_000,
        steps: 90,
        done: BTreeMap::from([("create".into(), 2), ("power-cut".into(), 1)]),
        skipped: BTreeMap::from([("update".into(), 1)]),
        checks: BTreeMap::from([("saved-is-kept".into(), 90)]),
        changes: 2,
        bytes: 4096,
        connections: 3,
        converged_after_ms: Some(900),
        ..Stats::default()
    };
    Outcome { seed, violation, hash: "ab12".into(), checkpoints: Vec::new(), stats }
}

struct Trace {
    entries: Vec<Entry>,
}

impl Trace {
    fn new(nodes: &[&str]) -> Self {
        let mut trace = Self { entries: Vec::new() };
        for (place, node) in nodes.iter().enumerate() {
            trace.add(0, node, What::Opened { boot: 1, replica: format!("r{place}") });
        }
        trace
    }

    fn add(&mut self, t: u64, node: &str, what: What) {
        let n = self.entries.len() as u64 / 2;
        self.entries.push(Entry { n, t, node: node.into(), what });
    }

    fn write(&mut self, t: u64, node: &str, id: u32, record: &str, seq: u64) {
        let n = self.entries.len() as u64;
        let record = format!("Todo {record}");
        let what = What::Event {
            id,
            name: "create".into(),
            outcome: record.clone(),
            done: true,
            record: Some(record.clone()),
        };
        self.entries.push(Entry { n, t, node: node.into(), what });
        let what = What::Committed { seq, origin: "local".into(), records: vec![record] };
        self.entries.push(Entry { n, t, node: node.into(), what });
    }
}

/// A save that a power cut undid after another node had it.
fn lost_write() -> (Schedule, Outcome, Vec<Entry>) {
    let nodes = ["phone-1", "relay", "phone-2"];
    let values = object(json!({ "title": "Milk" }));
    let cut =
        Action::PowerCut { node: "phone-2".into(), survival: Survival::Nothing, down_ms: 12_000, after_operations: 0 };
    let create = |node: &str| Action::Create { node: node.into(), model: "Todo".into(), values: values.clone() };
    let schedule = schedule(
        "Lost write",
        7,
        &nodes,
        vec![(1, 100_000, create("phone-1")), (2, 192_000, create("phone-2")), (3, 194_000, cut)],
    );
    let mut trace = Trace::new(&nodes);
    trace.add(10, "phone-1", What::Connected { connection: 4, to: "relay".into() });
    trace.write(100_000, "phone-1", 1, "0192ff", 1);
    trace.add(100_020, "phone-1", sent(1, "relay", 300));
    trace.add(100_050, "relay", received(1, "phone-1"));
    let isolated = What::FaultBegan {
        id: 9,
        name: "isolate".into(),
        nodes: vec!["phone-2".into()],
        cut: vec![("phone-2".into(), "relay".into()), ("relay".into(), "phone-2".into())],
    };
    trace.add(150_000, "", isolated);
    trace.write(192_000, "phone-2", 2, "0192ab", 1);
    trace.add(194_000, "phone-2", event("power-cut", "", true, None));
    trace.add(194_000, "phone-2", What::Killed { by: "a power cut".into() });
    trace.add(206_000, "phone-2", What::Opened { boot: 2, replica: "r9".into() });
    trace.add(300_000, "", What::FaultEnded { id: 9 });
    trace.add(590_000, "", What::Healed);
    let mut failed = violation(&["phone-2"], "phone-2 saved Todo 0192ab and does not show it");
    let shown = Some(object(json!({ "id": "0192ab", "title": "Milk", "done": false })));
    failed.differing = vec![Differing {
        model: "Todo".into(),
        id: "0192ab".into(),
        shown: BTreeMap::from([("phone-1".into(), shown.clone()), ("phone-2".into(), None), ("relay".into(), shown)]),
    }];
    trace.add(600_000, "", What::Violated { violation: failed.clone() });
    (schedule, outcome(7, Some(failed)), trace.entries)
}

/// A save whose second hop was lost.
fn lost_on_the_way() -> (Schedule, Outcome, Vec<Entry>) {
    let nodes = ["phone-1", "relay", "phone-2"];
    let schedule = schedule("lost on the way", 8, &nodes, Vec::new());
    let mut trace = Trace::new(&nodes);
    trace.write(100_000, "phone-1", 1, "0192ab", 1);
    trace.add(100_020, "phone-1", sent(1, "relay", 300));
    trace.add(100_050, "relay", received(1, "phone-1"));
    trace.add(100_060, "relay", sent(2, "phone-2", 300));
    let mut failed = violation(&["phone-1", "phone-2"], "they differ");
    let shown = |title: &str| Some(object(json!({ "title": title })));
    failed.differing = vec![Differing {
        model: "Todo".into(),
        id: "0192ab".into(),
        shown: BTreeMap::from([("phone-1".into(), shown("a")), ("phone-2".into(), shown("b"))]),
    }];
    (schedule, outcome(8, Some(failed)), trace.entries)
}

/// Numbers that look random and are always the same.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A fleet around a relay for eight hours, with about so many entries.
fn large(nodes: usize, count: usize, fails: bool) -> (Schedule, Outcome, Vec<Entry>) {
    const END: u64 = 8 * 3_600_000;
    let names: Vec<String> =
        (0..nodes).map(|place| if place == 0 { "relay".into() } else { format!("device-{place:02}") }).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut draws = Draws(41);
    let mut trace = Trace::new(&names);
    let mut events = Vec::new();
    let mut message = 0;
    let rounds = count as u64 / 8;
    for round in 0..rounds {
        let t = END * round / rounds;
        let node = names[1 + draws.below(nodes as u64 - 1) as usize];
        let record = format!("{:08x}-{:04x}", draws.below(400) * 7919, draws.below(9));
        match draws.below(400) {
            0 => {
                trace.add(t, node, What::Killed { by: if round % 2 == 0 { "a power cut" } else { "a kill" }.into() });
                trace.add(t + draws.below(90_000), node, What::Opened { boot: round, replica: format!("r{round}") });
            }
            1 => {
                let id = 1_000_000 + round as u32;
                let name = ["isolate", "slow", "one-way", "disk-full"][draws.below(4) as usize];
                let cut =
                    if name == "isolate" || name == "one-way" { vec![(node.into(), "relay".into())] } else { vec![] };
                trace.add(t, "", What::FaultBegan { id, name: name.into(), nodes: vec![node.into()], cut });
                trace.add(t + draws.below(900_000), "", What::FaultEnded { id });
            }
            2 => trace.add(t, node, event("clock-jump", "3 h back", true, None)),
            3 => trace.add(t, node, What::Disconnected { connection: round, to: "relay".into(), why: "reset".into() }),
            _ => {
                let id = round as u32 + 1;
                trace.write(t, node, id, &record, round);
                let values = object(json!({ "title": format!("number {round}") }));
                let action = Action::Create { node: node.into(), model: "Todo".into(), values };
                if round % 20 == 0 {
                    events.push((id, t, action));
                }
                message += 1;
                trace.add(t + 2, node, What::Durable { seq: round });
                trace.add(t + 3, node, sent(message, "relay", 200 + draws.below(3000) as usize));
                if draws.below(50) > 0 {
                    trace.add(t + 20 + draws.below(40), "relay", received(message, node));
                    let other = names[1 + draws.below(nodes as u64 - 1) as usize];
                    message += 1;
                    trace.add(t + 70, "relay", sent(message, other, 300));
                    trace.add(t + 90 + draws.below(90), other, received(message, "relay"));
                    let records = vec![format!("Todo {record}")];
                    trace.add(t + 190, other, What::Committed { seq: round, origin: "peer".into(), records });
                }
            }
        }
    }
    trace.entries.sort_by_key(|entry| entry.t);
    let mut schedule = schedule("field technicians", 41, &names, events);
    schedule.duration_ms = END;
    let failed = fails.then(|| {
        let mut failed = violation(&["device-01", "device-02"], "device-01 and device-02 differ in Todo 0001eef-0001");
        failed.at_ms = END - 3_000_000;
        let shown = |place: usize| {
            let title = if place == 2 { "Bread" } else { "Milk" };
            (
                names[place].to_owned(),
                Some(object(json!({ "id": "x", "title": title, "done": place == 1, "count": 3 }))),
            )
        };
        let shown = (1..nodes.min(9)).map(shown).collect();
        failed.differing = vec![Differing { model: "Todo".into(), id: "00001eef-0001".into(), shown }];
        failed
    });
    if let Some(failed) = &failed {
        let what = What::Violated { violation: failed.clone() };
        let place = trace.entries.partition_point(|entry| entry.t <= failed.at_ms);
        trace.entries.insert(place, Entry { n: 1_000_000, t: failed.at_ms, node: String::new(), what });
    }
    for (place, entry) in trace.entries.iter_mut().enumerate() {
        entry.n = place as u64 / 3;
    }
    let mut outcome = outcome(41, failed);
    outcome.stats.virtual_ms = END + 60_000;
    (schedule, outcome, trace.entries)
}

/// One action of every kind.
fn every_action() -> Vec<Action> {
    let node = || "phone-1".to_owned();
    let (field, for_ms, down_ms) = (|| "tags".to_owned(), 600_000, 12_000);
    let values = object(json!({ "title": "Milk" }));
    let create = Action::Create { node: node(), model: "Todo".into(), values: values.clone() };
    let delete = Action::Delete { node: node(), record: 1 };
    vec![
        create.clone(),
        Action::Create { node: node(), model: "Todo".into(), values: Map::new() },
        Action::Update { node: node(), record: 1, values },
        delete.clone(),
        Action::Undelete { node: node(), record: 1 },
        Action::Increment { node: node(), record: 1, field: field(), by: -3 },
        Action::Add { node: node(), record: 1, field: field(), element: json!("red") },
        Action::Remove { node: node(), record: 1, field: field(), element: json!("red") },
        Action::Splice { node: node(), record: 1, field: field(), place: 500, delete: 0, insert: "x".into() },
        Action::Splice { node: node(), record: 1, field: field(), place: 500, delete: 2, insert: "x".into() },
        Action::Splice { node: node(), record: 1, field: field(), place: 500, delete: 1, insert: String::new() },
        Action::Splice { node: node(), record: 1, field: field(), place: 500, delete: 0, insert: String::new() },
        Action::Together { node: node(), writes: vec![create, delete] },
        Action::Import { node: node(), model: "Todo".into(), count: 10_000 },
        Action::Observe { node: node(), model: "Todo".into() },
        Action::Unobserve { observe: 3 },
        Action::Split { groups: vec![vec![node(), "relay".into()], vec!["phone-2".into()]], for_ms },
        Action::Isolate { node: node(), for_ms },
        Action::OneWay { from: node(), to: "relay".into(), for_ms },
        Action::Swizzle { clog: vec![node(), "b".into()], unclog: vec!["b".into(), node()], every_ms: 1000 },
        Action::Flap { node: node(), up_ms: 1000, down_ms: 2000, count: 5 },
        Action::Slow { node: node(), latency_ms: 500, jitter_ms: 100, bytes_per_s: 1000, for_ms },
        Action::Slow { node: node(), latency_ms: 500, jitter_ms: 100, bytes_per_s: 0, for_ms },
        Action::Stall { node: node(), lane: Lane::Live, for_ms },
        Action::Reset { node: node(), after_bytes: 0 },
        Action::Reset { node: node(), after_bytes: 100 },
        Action::Captive { node: node(), for_ms },
        Action::Herd { node: node() },
        Action::Meet { node: node(), to: "phone-2".into(), for_ms },
        Action::Start { node: node() },
        Action::Restart { node: node(), down_ms },
        Action::Kill { node: node(), down_ms, after_operations: 0 },
        Action::KillAt { node: node(), point: Point::AfterCommit, down_ms },
        Action::CrashLoop { node: node(), times: 4, up_ms: 100 },
        Action::Pause { node: node(), for_ms },
        Action::PowerCut { node: node(), survival: Survival::Subset, down_ms, after_operations: 3 },
        Action::LyingSyncs { node: node(), for_ms },
        Action::IoError { node: node(), on: OperationKind::Sync, nth: 1 },
        Action::DiskFull { node: node(), free_bytes: 4096, for_ms },
        Action::SlowDisk { node: node(), sync_ms: 100, for_ms },
        Action::BitRot { node: node(), flips: 1 },
        Action::Backup { node: node() },
        Action::Restore { node: node(), backup: 5, down_ms },
        Action::Clone { node: node(), onto: "phone-3".into() },
        Action::ClockJump { node: node(), by_ms: -3_600_000 },
        Action::ClockFreeze { node: node(), for_ms },
    ]
}

/// Keeps a report where one can look at it.
fn leave(name: &str, report: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), report).unwrap();
}
