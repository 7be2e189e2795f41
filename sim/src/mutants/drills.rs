//! Drills: short schedules, each around one kind of trouble, made from a seed.
//!
//! They are small so that looking for every planted defect takes minutes. What a drill does is fixed in kind; when
//! it happens, and to which record, follows from the seed.

use serde_json::{Map, Value, json};
use syncline_engine::Seed;

use crate::disk::Survival;
use crate::schedule::{
    Action, Adversary, Chance, Durability, Event, EventId, Expect, Fleet, Line, Link, Node, OperationKind, Point, Role,
    Schedule,
};

/// A model with every kind of field, one with a key of its own, one in which edits win over deletion.
const SDL: &str = r#"
type Task @model {
  id: ID!
  title: String
  best: Int @merge(with: max)
  points: Int @counter
  tags: [String] @set
  steps: [String]
  notes: String @text
}
type Place @model { name: String! @primaryKey note: String @text rank: Int visits: Int @counter }
type Draft @model(deletes: "update-wins") { id: ID! title: String likes: Int @counter }
"#;

type Drill = fn(&mut Plan);

/// Every drill by name.
const DRILLS: &[(&str, Drill)] = &[
    ("drill-edits", edits),
    ("drill-conflicts", conflicts),
    ("drill-keys", keys),
    ("drill-one-writer", one_writer),
    ("drill-power", power),
    ("drill-full-disk", full_disk),
    ("drill-failing-syncs", failing_syncs),
    ("drill-kills", kills),
    ("drill-kills-while-receiving", kills_while_receiving),
    ("drill-restored-device", restored_device),
    ("drill-restored-relay", restored_relay),
    ("drill-two-histories", two_histories),
    ("drill-lines", lines),
    ("drill-backlog", backlog),
    ("drill-transactions", transactions),
    ("drill-large", large),
    ("drill-credit", credit),
    ("drill-twins", twins),
    ("drill-withheld", withheld),
];

/// The drill of that name, as the seed makes it.
pub fn drill(name: &str, seed: u64) -> Option<Schedule> {
    let (_, make) = DRILLS.iter().find(|(known, _)| *known == name)?;
    let mut plan = Plan::new(name, seed);
    make(&mut plan);
    Some(plan.finish())
}

/// The names of all drills.
pub fn drills() -> impl Iterator<Item = &'static str> {
    DRILLS.iter().map(|(name, _)| *name)
}

/// A schedule in the making.
struct Plan {
    name: String,
    seed: u64,
    dice: Seed,
    nodes: Vec<Node>,
    links: Vec<Link>,
    events: Vec<Event>,
    now_ms: u64,
}

/// What a record is made as.
#[derive(Clone, Copy)]
struct Made {
    event: EventId,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Task,
    Place,
    Draft,
}

impl Plan {
    fn new(name: &str, seed: u64) -> Self {
        let key = blake3::derive_key("syncline drill 1", format!("{name} {seed}").as_bytes());
        let (nodes, links, events) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), seed, dice: Seed::new(key), nodes, links, events, now_ms: 1_000 }
    }

    /// A relay, and devices that keep a link to it.
    fn star(&mut self, devices: &[&str]) {
        self.nodes.push(Node::new("relay", Role::Relay));
        for device in devices {
            self.nodes.push(Node::new(*device, Role::Device));
            self.link(device);
        }
    }

    fn link(&mut self, from: &str) {
        let line = Line { latency_ms: 20, jitter_ms: 10, bytes_per_s: 0 };
        self.links.push(Link { from: from.to_owned(), to: "relay".to_owned(), line });
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).expect("drills name the nodes they have")
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice.below("drill", bound)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    /// Lets time pass: at least so much, at most twice that.
    fn wait(&mut self, ms: u64) {
        self.now_ms += ms + self.below(ms.max(1));
    }

    /// Adds an event now, and gives its id.
    fn add(&mut self, action: Action) -> EventId {
        let id = self.events.len() as EventId + 1;
        self.events.push(Event { id, at_ms: self.now_ms, action });
        id
    }

    fn create(&mut self, node: &str, kind: Kind) -> Made {
        let (model, values) = self.fresh(kind);
        let event = self.add(Action::Create { node: node.to_owned(), model, values });
        Made { event, kind }
    }

    fn fresh(&mut self, kind: Kind) -> (String, Map<String, Value>) {
        let n = self.below(1_000);
        let (model, values) = match kind {
            Kind::Task => {
                ("Task", json!({"title": format!("t{n}"), "best": n % 3, "points": 0, "tags": ["a"], "notes": "grün"}))
            }
            Kind::Place => ("Place", json!({"name": format!("p{}", n % 2), "rank": n, "visits": 0, "note": "größe"})),
            Kind::Draft => ("Draft", json!({"title": format!("d{n}"), "likes": 0})),
        };
        (model.to_owned(), object(values))
    }

    /// Some edit of the record.
    fn edit(&mut self, node: &str, made: Made) {
        let action = self.some_edit(node.to_owned(), made);
        self.add(action);
    }

    fn some_edit(&mut self, node: String, Made { event: record, kind }: Made) -> Action {
        let n = self.below(20);
        let text = |field: &str| field.to_owned();
        match (kind, self.below(12)) {
            (_, 0) => Action::Delete { node, record },
            (_, 1) => Action::Undelete { node, record },
            (Kind::Task, 2 | 3) => Action::Update { node, record, values: object(json!({"title": format!("t{n}")})) },
            (Kind::Task, 4) => Action::Update { node, record, values: object(json!({"best": n % 3})) },
            (Kind::Task, 5) => Action::Increment { node, record, field: text("points"), by: 1 + n as i64 },
            (Kind::Task, 6 | 7) => Action::Add { node, record, field: text("tags"), element: self.tag() },
            (Kind::Task, 8) => Action::Remove { node, record, field: text("tags"), element: self.tag() },
            (Kind::Task, 9) => {
                Action::Update { node, record, values: object(json!({"steps": [format!("s{n}"), format!("r{n}")]})) }
            }
            (Kind::Place, 2 | 3) => Action::Update { node, record, values: object(json!({"rank": n})) },
            (Kind::Place, 4..=6) => Action::Increment { node, record, field: text("visits"), by: 1 + n as i64 },
            (Kind::Draft, 2..=6) => Action::Update { node, record, values: object(json!({"title": format!("d{n}")})) },
            (Kind::Draft, _) => Action::Increment { node, record, field: text("likes"), by: 1 },
            (Kind::Task, _) => self.splice(node, record, "notes"),
            (Kind::Place, _) => self.splice(node, record, "note"),
        }
    }

    fn tag(&mut self) -> Value {
        json!(self.pick(&["a", "b", "c"]))
    }

    fn splice(&mut self, node: String, record: EventId, field: &str) -> Action {
        let insert = self.pick(&["ä", "öü", "x", "日本", ""]).to_owned();
        let (place, delete) = (self.below(1_001) as u32, self.below(3) as u32);
        Action::Splice { node, record, field: field.to_owned(), place, delete, insert }
    }

    /// So many edits of some of the records on some of the nodes, about so often.
    fn edits(&mut self, count: usize, nodes: &[&str], records: &[Made], every_ms: u64) {
        for _ in 0..count {
            let (node, made) = (self.pick(nodes), records[self.below(records.len() as u64) as usize]);
            self.edit(node, made);
            self.wait(every_ms / 2);
        }
    }

    fn isolate(&mut self, node: &str, for_ms: u64) {
        self.add(Action::Isolate { node: node.to_owned(), for_ms });
    }

    fn cut_power(&mut self, node: &str, survival: Survival, down_ms: u64) {
        self.add(Action::PowerCut { node: node.to_owned(), survival, down_ms, after_operations: 0 });
    }

    fn finish(mut self) -> Schedule {
        self.wait(5_000);
        Schedule {
            scenario: self.name,
            seed: self.seed,
            chance: Chance::Moment,
            duration_ms: self.now_ms,
            schema: SDL.to_owned(),
            newer_schema: None,
            expect: Expect::default(),
            fleet: Fleet { nodes: self.nodes, links: self.links },
            events: self.events,
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

const THREE: &[&str] = &["d1", "d2", "d3"];

/// Every kind of edit of few records on three devices that are seldom all connected.
fn edits(plan: &mut Plan) {
    plan.star(THREE);
    for node in ["d1", "d2"] {
        plan.add(Action::Observe { node: node.to_owned(), model: "Task".to_owned() });
    }
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task), plan.create("d3", Kind::Draft)];
    plan.wait(2_000);
    for _ in 0..6 {
        for node in THREE {
            if plan.one_in(2) {
                plan.isolate(node, 6_000);
            }
        }
        plan.edits(12, THREE, &records, 500);
        plan.wait(3_000);
    }
}

/// Few values of few fields, written at two places at once and then at one.
fn conflicts(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let record = plan.create("d1", Kind::Task);
    plan.wait(1_500);
    for _ in 0..8 {
        plan.isolate("d1", 1_500);
        for node in ["d1", "d2", "d1", "d2"] {
            let values = object(json!({ "best": plan.below(3) }));
            plan.add(Action::Update { node: node.to_owned(), record: record.event, values });
            plan.now_ms += 300;
        }
        plan.wait(2_500);
        let values = object(json!({ "best": plan.below(3) }));
        let node = plan.pick(&["d1", "d2"]).to_owned();
        plan.add(Action::Update { node, record: record.event, values });
        plan.wait(1_000);
    }
}

/// A record with a key and a text, which one device writes and the others only get.
fn one_writer(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let record = plan.create("d1", Kind::Place);
    plan.wait(500);
    plan.edits(6, &["d1"], &[record], 300);
}

/// Records with keys of their own, made at several places at once.
fn keys(plan: &mut Plan) {
    plan.star(THREE);
    for _ in 0..3 {
        let parted = plan.below(3) as usize;
        plan.isolate(THREE[parted], 4_000);
        let records: Vec<Made> = THREE.iter().map(|node| plan.create(node, Kind::Place)).collect();
        plan.wait(500);
        plan.edits(6, THREE, &records, 400);
        plan.wait(5_000);
        plan.edits(6, THREE, &records, 400);
        plan.wait(2_000);
    }
}

/// Power cuts at devices and at the relay while syncs take long.
fn power(plan: &mut Plan) {
    plan.star(THREE);
    plan.node("d3").durability = Durability::Full;
    for node in ["relay", "d1", "d2", "d3"] {
        plan.node(node).disk_sync_ms = 400;
    }
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task)];
    plan.wait(3_000);
    for _ in 0..5 {
        let count = 1 + plan.below(4) as usize;
        plan.edits(count, THREE, &records, 60);
        let node = plan.pick(&["relay", "relay", "d1", "d2", "d3"]);
        let survival = if plan.one_in(4) { Survival::Subset } else { Survival::Nothing };
        plan.now_ms += plan.below(700);
        plan.cut_power(node, survival, 500);
        plan.wait(4_000);
    }
}

/// A device whose disk has no room for a while, and writes that fail.
fn full_disk(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let records = [plan.create("d1", Kind::Task), plan.create("d1", Kind::Task)];
    plan.wait(2_000);
    for _ in 0..4 {
        let nth = 1 + plan.below(6);
        plan.add(Action::IoError { node: "d1".to_owned(), on: OperationKind::Write, nth });
        plan.edits(4, &["d1", "d2"], &records, 300);
        plan.add(Action::DiskFull { node: "d1".to_owned(), free_bytes: 2_000, for_ms: 2_000 });
        plan.edits(4, &["d1", "d2"], &records, 300);
        plan.wait(3_000);
    }
}

/// Syncs that fail once, at a device and at the relay, and a power cut after each.
fn failing_syncs(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task)];
    plan.wait(2_000);
    for _ in 0..4 {
        let node = plan.pick(&["d1", "relay"]);
        plan.add(Action::IoError { node: node.to_owned(), on: OperationKind::Sync, nth: 1 });
        plan.edits(2, &["d1", "d2"], &records, 200);
        plan.wait(1_000);
        plan.cut_power(node, Survival::Nothing, 300);
        plan.wait(3_000);
    }
}

/// Processes that end in the middle of what they do.
fn kills(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task)];
    plan.wait(1_500);
    for _ in 0..10 {
        let node = plan.pick(&["d1", "d1", "d2"]).to_owned();
        let after_operations = 1 + plan.below(24);
        match plan.below(3) {
            0 => plan.add(Action::KillAt { node, point: Point::AfterReceive, down_ms: 300 }),
            _ => plan.add(Action::Kill { node, down_ms: 300, after_operations }),
        };
        plan.edits(4, &["d1", "d2"], &records, 200);
        plan.wait(1_500);
    }
}

/// A process that ends in the middle of taking in what it missed.
fn kills_while_receiving(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    for _ in 0..8 {
        plan.add(Action::Restart { node: "d1".to_owned(), down_ms: 2_000 });
        plan.now_ms += 200;
        for _ in 0..3 {
            plan.create("d2", Kind::Draft);
            plan.wait(100);
        }
        plan.now_ms += 1_850;
        let after_operations = 1 + plan.below(60);
        plan.add(Action::Kill { node: "d1".to_owned(), down_ms: 300, after_operations });
        plan.wait(2_000);
    }
}

/// A device that gets an older state of its file back, and writes before it meets anybody.
fn restored_device(plan: &mut Plan) {
    plan.star(THREE);
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task)];
    plan.wait(1_500);
    for _ in 0..2 {
        plan.add(Action::Restart { node: "d1".to_owned(), down_ms: 300 });
        plan.wait(1_000);
        plan.edits(3, &["d1"], &records, 200);
        let backup = plan.add(Action::Backup { node: "d1".to_owned() });
        plan.edits(4, THREE, &records, 300);
        plan.edits(2, &["d1"], &records, 100);
        plan.wait(2_000);
        plan.isolate("d1", 3_000);
        plan.add(Action::Restore { node: "d1".to_owned(), backup, down_ms: 200 });
        plan.now_ms += 500;
        plan.edits(5, &["d1"], &records, 200);
        plan.wait(4_000);
    }
}

/// A relay that gets yesterday's state back, and hears new things before it meets those who knew more.
fn restored_relay(plan: &mut Plan) {
    plan.star(THREE);
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task), plan.create("d3", Kind::Task)];
    plan.wait(2_000);
    let backup = plan.add(Action::Backup { node: "relay".to_owned() });
    plan.isolate("d3", 4_000);
    for _ in 0..2 + plan.below(3) {
        let node = plan.pick(&["d1", "d2"]);
        plan.create(node, Kind::Draft);
        plan.wait(200);
    }
    plan.now_ms += 2_000;
    for node in ["d1", "d2"] {
        plan.isolate(node, 8_000);
    }
    plan.add(Action::Restore { node: "relay".to_owned(), backup, down_ms: 300 });
    plan.now_ms += 3_000;
    for _ in 0..6 {
        plan.create("d3", Kind::Draft);
        plan.wait(150);
    }
    plan.wait(12_000);
    plan.edits(4, THREE, &records, 300);
}

/// A disk that lied about syncs loses what its device had sent, and the proof that it had removed: the device
/// goes on under its replica id and actor, so that two histories meet at others. They are of different records: two
/// changes of one record with one actor and number exclude each other.
fn two_histories(plan: &mut Plan) {
    plan.star(THREE);
    plan.nodes.push(Node { starts_at_ms: Some(30_000), ..Node::new("d4", Role::Device) });
    plan.link("d4");
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task), plan.create("d3", Kind::Task)];
    plan.wait(2_500);
    plan.add(Action::Restart { node: "d1".to_owned(), down_ms: 300 });
    plan.now_ms += 1_000;
    plan.add(Action::LyingSyncs { node: "d1".to_owned(), for_ms: 10_000 });
    plan.isolate("relay", 9_500);
    plan.add(Action::Reset { node: "relay".to_owned(), after_bytes: 0 });
    plan.add(Action::Meet { node: "d1".to_owned(), to: "d2".to_owned(), for_ms: 4_000 });
    plan.now_ms += 500;
    for _ in 0..1 + plan.below(4) {
        plan.create("d1", Kind::Draft);
        plan.wait(100);
    }
    plan.now_ms += 4_500;
    plan.cut_power("d1", Survival::Nothing, 200);
    plan.now_ms += 500;
    for _ in 0..2 + plan.below(4) {
        plan.create("d1", Kind::Draft);
        plan.wait(100);
    }
    // What the relay hears of it first is the second history; the first comes with the other device.
    plan.isolate("d2", 8_000);
    plan.wait(9_000);
    for _ in 0..3 {
        plan.edits(2, &["d2", "d3"], &records, 300);
        plan.create("d1", Kind::Draft);
        plan.wait(2_000);
    }
}

/// Lines that break and come back, and a second way between two devices.
fn lines(plan: &mut Plan) {
    plan.star(THREE);
    let records = [plan.create("d1", Kind::Task), plan.create("d2", Kind::Task), plan.create("d3", Kind::Draft)];
    plan.wait(1_500);
    for _ in 0..5 {
        plan.add(Action::Meet { node: "d1".to_owned(), to: "d2".to_owned(), for_ms: 4_000 });
        plan.edits(5, THREE, &records, 150);
        let node = plan.pick(&["relay", "d1", "d2", "d3"]).to_owned();
        let after_bytes = plan.below(3) * plan.below(600);
        plan.add(Action::Reset { node, after_bytes });
        plan.edits(5, THREE, &records, 150);
        let node = plan.pick(THREE);
        plan.isolate(node, 2_500);
        plan.edits(5, THREE, &records, 150);
        plan.wait(2_000);
    }
}

/// More than a batch holds, for somebody who comes late.
fn backlog(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let starts_at = 6_000 + plan.below(2_000);
    plan.nodes.push(Node { starts_at_ms: Some(starts_at), ..Node::new("d3", Role::Device) });
    plan.link("d3");
    let record = plan.create("d1", Kind::Task);
    let count = 700 + plan.below(300) as u32;
    plan.add(Action::Import { node: "d1".to_owned(), model: "Draft".to_owned(), count });
    plan.wait(2_000);
    plan.edits(20, &["d1", "d2"], &[record], 400);
}

/// Transactions of several hundred changes, for somebody who comes late, over a slow line.
fn transactions(plan: &mut Plan) {
    plan.star(&["d1"]);
    plan.nodes.push(Node { starts_at_ms: Some(4_000), ..Node::new("d2", Role::Device) });
    plan.link("d2");
    plan.links[1].line.bytes_per_s = 20_000;
    for _ in 0..3 {
        let count = 190 + plan.below(100);
        let create = |plan: &mut Plan| {
            let (model, values) = plan.fresh(Kind::Draft);
            Action::Create { node: "d1".to_owned(), model, values }
        };
        let writes = (0..count).map(|_| create(plan)).collect();
        plan.add(Action::Together { node: "d1".to_owned(), writes });
        plan.wait(200);
    }
    plan.wait(6_000);
}

/// A change that travels in parts, over a line that breaks.
fn large(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let record = plan.create("d1", Kind::Task);
    plan.wait(1_000);
    let title = noise(plan, 600 << 10);
    let values = object(json!({ "title": title }));
    plan.add(Action::Update { node: "d1".to_owned(), record: record.event, values });
    plan.now_ms += plan.below(200);
    plan.add(Action::Reset { node: "d1".to_owned(), after_bytes: 100_000 });
    plan.wait(3_000);
    plan.edit("d2", record);
}

/// More bytes on one connection than may be under way.
fn credit(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    let record = plan.create("d1", Kind::Draft);
    plan.wait(1_000);
    for _ in 0..32 {
        let title = noise(plan, 200 << 10);
        let values = object(json!({ "title": title }));
        plan.add(Action::Update { node: "d1".to_owned(), record: record.event, values });
        plan.wait(100);
    }
    plan.wait(3_000);
}

/// Characters that do not compress to much less than three quarters.
fn noise(plan: &mut Plan, length: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[plan.below(256) as u8; 32]).finalize_xof().fill(&mut bytes);
    bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect()
}

/// Records that are made alike in one moment, so that their first changes have one hash.
fn twins(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    for _ in 0..3 {
        let (model, values) = plan.fresh(Kind::Draft);
        let create = Action::Create { node: "d1".to_owned(), model, values };
        plan.add(Action::Together { node: "d1".to_owned(), writes: vec![create.clone(), create] });
        plan.wait(1_000);
    }
}

/// A peer that keeps changes back while others, which build on them, come through.
fn withheld(plan: &mut Plan) {
    plan.star(&["d1", "d2"]);
    plan.nodes.push(Node::new("liar", Role::Adversary(Adversary::Withholding)));
    plan.link("liar");
    let records = [plan.create("d1", Kind::Draft), plan.create("d2", Kind::Draft)];
    plan.wait(1_500);
    for _ in 0..8 {
        plan.add(Action::Meet { node: "d2".to_owned(), to: "liar".to_owned(), for_ms: 8_000 });
        plan.isolate("d2", 1);
        plan.edits(8, &["d1", "d2", "liar"], &records, 300);
        plan.add(Action::Split {
            groups: vec![vec!["d2".to_owned(), "liar".to_owned()], vec!["relay".to_owned(), "d1".to_owned()]],
            for_ms: 3_000,
        });
        plan.edits(8, &["d1", "d2", "liar"], &records, 300);
        plan.wait(3_000);
    }
}
