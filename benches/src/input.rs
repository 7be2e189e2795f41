//! What is saved, asked and typed: the schema, records of five scalars, and a keystroke trace.

use serde_json::{Map, Value, json};

/// The models that everything here is measured with.
pub(crate) mod models {
    syncline::models!(
        sdl = r#"
        type Item @model {
          title: String!
          done: Boolean!
          count: Int!
          dueAt: AWSDateTime!
          ownerId: ID! @index(name: "byOwner")
        }
        type Page @model {
          title: String!
          body: String @text
        }
        "#
    );
}

/// Records of one owner among many.
const PER_OWNER: usize = 100;

const WORDS: [&str; 32] = [
    "amber", "barley", "canal", "dune", "ember", "fjord", "gravel", "harbor", "island", "juniper", "kettle", "lantern",
    "meadow", "nectar", "orchard", "pebble", "quarry", "river", "saddle", "timber", "upland", "valley", "willow",
    "yarrow", "zephyr", "acorn", "beacon", "cinder", "drift", "estuary", "fern", "granite",
];

/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Beginning here.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 for an empty range.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// An owner's id.
pub(crate) fn owner(number: usize) -> String {
    format!("owner-{number:05}")
}

/// The record of that number, in JSON.
pub(crate) fn item(number: usize) -> Map<String, Value> {
    let item = typed_item(number);
    let Value::Object(record) = json!({
        "title": item.title, "done": item.done, "count": item.count, "dueAt": item.due_at, "ownerId": item.owner_id,
    }) else {
        return Map::new();
    };
    record
}

/// The record of that number, as a struct.
pub(crate) fn typed_item(number: usize) -> models::Item {
    let mut numbers = Numbers::new(number as u64);
    let mut word = || WORDS[numbers.below(WORDS.len())];
    let title = format!("{} {} {} {number}", word(), word(), word());
    let (day, minute) = (number / 1440 % 28 + 1, number % 1440);
    let due = format!("2026-03-{day:02}T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    models::Item::new(title, number.is_multiple_of(3), number as i64, due, owner(number / PER_OWNER))
}

/// One keystroke: delete so many characters at a place, then insert.
#[derive(Clone, Debug)]
pub(crate) struct Keystroke {
    pub(crate) at: usize,
    pub(crate) delete: usize,
    pub(crate) insert: &'static str,
}

/// A writer's keystrokes: runs of typing with corrections, jumps of the cursor (mostly near, at times far),
/// and now and then a removed word. Three in four insert, as in recorded traces.
pub(crate) fn keystrokes(count: usize) -> Vec<Keystroke> {
    let mut numbers = Numbers::new(260);
    let mut strokes = Vec::with_capacity(count);
    let (mut length, mut cursor, mut run) = (0_usize, 0_usize, 0_usize);
    while strokes.len() < count {
        if run == 0 {
            cursor = jump(&mut numbers, cursor, length);
            run = 20 + numbers.below(120);
        }
        run -= 1;
        let deletes = cursor > 0 && numbers.below(100) < 22;
        if deletes {
            cursor -= 1;
            length -= 1;
            strokes.push(Keystroke { at: cursor, delete: 1, insert: "" });
        } else {
            strokes.push(Keystroke { at: cursor, delete: 0, insert: letter(&mut numbers) });
            cursor += 1;
            length += 1;
        }
    }
    strokes
}

fn jump(numbers: &mut Numbers, cursor: usize, length: usize) -> usize {
    match numbers.below(10) {
        0 => numbers.below(length + 1),
        1..=3 => length,
        _ => (cursor + numbers.below(400)).saturating_sub(200).min(length),
    }
}

fn letter(numbers: &mut Numbers) -> &'static str {
    const LETTERS: &str = "etaoinshrdlucmfwypvbgk";
    match numbers.below(6) {
        0 => " ",
        _ => {
            let at = numbers.below(LETTERS.len());
            &LETTERS[at..=at]
        }
    }
}
