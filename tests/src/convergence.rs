//! Whatever replicas do apart, and however their connections fail, in the end they show the same, and it is
//! what the documents say.

use serde_json::{Map, Value, json};
use syncline_core::wire::Role;
use syncline_engine::{Result, Source, StoreError, Tx};

use crate::support::engines::Engines;
use crate::support::record;

const SDL: &str = r#"
type Note @model {
  title: String
  rank: Int @merge(with: max)
  done: Boolean
  votes: Int @counter
  tags: [String!] @set
  steps: [String!]
  body: String @text
  place: Place
}
type Kept @model(deletes: "update-wins") { n: Int body: String @text }
type Named @model { name: String! @primaryKey rank: Int note: String @text steps: [Int] }
type Place { city: String zip: Int }
"#;

/// Reproducible choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        (!of.is_empty()).then(|| &of[self.roll(of.len())])
    }
}

/// Records made so far, as (model, id).
type Known = Vec<(&'static str, String)>;

fn create(tx: &mut Tx<'_>, dice: &mut Dice, known: &mut Known) -> Result<()> {
    let n = dice.roll(5);
    let (model, value) = match dice.roll(4) {
        0 => ("Kept", json!({"n": n, "body": "kept"})),
        1 => ("Named", json!({"name": format!("n{n}"), "rank": dice.roll(9), "note": "same", "steps": [n]})),
        _ => (
            "Note",
            json!({"title": format!("t{n}"), "body": "hello", "tags": ["a"], "steps": ["x", "y"],
                             "place": {"city": "here"}}),
        ),
    };
    let saved = tx.save(model, &record(value), Source::App)?;
    let id = match model {
        "Named" => saved.record["name"].as_str().unwrap().to_owned(),
        _ => saved.record["id"].as_str().unwrap().to_owned(),
    };
    if !known.contains(&(model, id.clone())) {
        known.push((model, id));
    }
    Ok(())
}

fn edit(tx: &mut Tx<'_>, dice: &mut Dice, model: &str, id: &str) -> Result<()> {
    let (n, text) = (dice.roll(7), ["", "ab", "ä", "the end"][dice.roll(4)]);
    let patch = |value: Value| record(value);
    match (dice.roll(12), model) {
        (0, _) => tx.delete(model, id),
        (1, _) => tx.undelete(model, id),
        (2 | 3, "Note") => tx.splice(model, id, "body", n % 3, n % 2, text),
        (2 | 3, "Kept") => tx.splice(model, id, "body", 0, n % 3, text),
        (2 | 3, _) => tx.splice(model, id, "note", n % 4, 0, text),
        (4, "Note") => tx.increment(model, id, "votes", n as i64 - 3),
        (5, "Note") => tx.add(model, id, "tags", &json!(["a", "b", "c"][n % 3])),
        (6, "Note") => tx.remove(model, id, "tags", &json!(["a", "b", "c"][n % 3])),
        (7, "Note") => tx.update(model, id, &patch(json!({"steps": (["x", "y", text].repeat(n % 3))}))),
        (8, "Note") => tx.update(model, id, &patch(json!({"place": {"zip": n}, "rank": n}))),
        (9, "Note") => tx.update(model, id, &patch(json!({"title": null, "body": text}))),
        (_, "Note") => tx.update(model, id, &patch(json!({"title": text, "done": n % 2 == 0}))),
        (_, "Kept") => tx.update(model, id, &patch(json!({"n": n}))),
        (_, _) => tx.update(model, id, &patch(json!({"rank": n, "steps": [n, n + 1]}))),
    }
    .map(|_| ())
}

/// An edit that a store refuses for an honest reason: it has not heard of the record, or it is deleted, or the
/// text is shorter by now.
fn is_honest(outcome: &Result<()>) -> bool {
    matches!(outcome, Ok(()) | Err(StoreError::NotFound { .. } | StoreError::BadEdit { .. } | StoreError::Invalid(_)))
}

struct Run {
    engines: Engines,
    dice: Dice,
    peers: Vec<usize>,
    known: Known,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut engines = Engines::new(SDL, seed);
        let mut dice = Dice(seed);
        if seed.is_multiple_of(2) {
            engines.add(Role::Relay);
        }
        let peers = (0..2 + dice.roll(2)).map(|_| engines.add(Role::Peer)).collect();
        Self { engines, dice, peers, known: Known::new() }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.peers.last().unwrap() + 1
    }

    fn step(&mut self) {
        match self.dice.roll(24) {
            0..=2 => self.act(create),
            3..=10 => {
                if let Some((model, id)) = self.dice.pick(&self.known.clone()).cloned() {
                    self.act(|tx, dice, _| edit(tx, dice, model, &id));
                }
            }
            11 => self.together(),
            12 => self.join(),
            13 => {
                if let Some(wire) = self.dice.pick(&self.engines.wires()).copied() {
                    self.engines.cut(wire);
                }
            }
            14 => {
                let at = self.dice.roll(self.all().end);
                self.engines.restart(at);
            }
            15 => self.engines.pass(600),
            16 => self.engines.settle(),
            _ => {
                let budget = 1 << self.dice.roll(14);
                self.engines.carry(budget);
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Tx<'_>, &mut Dice, &mut Known) -> Result<()>) {
        let at = *self.dice.pick(&self.peers).unwrap();
        let Self { engines, dice, known, .. } = self;
        let outcome = engines.write(at, |tx| act(tx, dice, known));
        assert!(is_honest(&outcome), "{outcome:?}");
    }

    /// Several edits as one, of which an honest refusal undoes all.
    fn together(&mut self) {
        let at = *self.dice.pick(&self.peers).unwrap();
        let Self { engines, dice, known, .. } = self;
        let mut made = known.clone();
        let outcome = engines.write_together(at, |tx| {
            create(tx, dice, &mut made)?;
            for _ in 0..3 {
                if let Some((model, id)) = dice.pick(known).cloned() {
                    edit(tx, dice, model, &id)?;
                }
            }
            Ok(())
        });
        assert!(is_honest(&outcome), "{outcome:?}");
        if outcome.is_ok() {
            *known = made;
        }
    }

    fn join(&mut self) {
        let (one, other) = (self.dice.roll(self.all().end), self.dice.roll(self.all().end));
        if one != other && !self.engines.are_joined(one, other) && !(one == 0 && self.peers[0] == 1) {
            self.engines.connect(one, other);
        }
    }

    /// Everybody meets the first, twice, so that the last's changes reach all.
    fn heal(&mut self) {
        self.engines.settle();
        for at in self.all().skip(1) {
            if !self.engines.are_joined(0, at) {
                self.engines.connect(at, 0);
            }
        }
        self.engines.settle();
    }

    fn check(&self, seed: u64) {
        let shown = self.engines.export(self.peers[0]);
        let version = self.engines.store(0).version();
        for at in self.all() {
            let store = self.engines.store(at);
            assert_eq!(store.version(), version, "seed {seed}, engine {at}");
            let report = store.verify().unwrap();
            assert!(report.is_ok(), "seed {seed}, engine {at}: {:?}", report.faults);
            let status = store.status().unwrap();
            assert!(status.quarantined.is_empty(), "seed {seed}, engine {at}: {:?}", status.quarantined);
            assert!(status.forked.is_empty(), "seed {seed}, engine {at}: {:?}", status.forked);
        }
        for at in &self.peers {
            assert_eq!(self.engines.export(*at), shown, "seed {seed}, engine {at}");
            assert_documents_agree(&self.engines, *at, &shown);
        }
    }
}

/// What Automerge itself shows of a record's document is what the tables show.
fn assert_documents_agree(engines: &Engines, at: usize, shown: &[Map<String, Value>]) {
    use automerge::{AutoCommit, ReadDoc as _};
    for note in shown.iter().filter(|shown| shown.contains_key("votes")) {
        let bytes = engines.store(at).document("Note", note["id"].as_str().unwrap()).unwrap();
        let document = AutoCommit::load(&bytes).unwrap();
        let body = document.get(automerge::ROOT, "body").unwrap().map(|(_, body)| document.text(body).unwrap());
        assert_eq!(body.as_deref(), note["body"].as_str());
        let title = document.get(automerge::ROOT, "title").unwrap();
        assert_eq!(title.as_ref().and_then(|(title, _)| title.as_str()), note["title"].as_str());
    }
}

fn run(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..120 {
        run.step();
    }
    run.heal();
    run.check(seed);
}

/// Prints which seed failed, so that it can be run alone.
fn run_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn replicas_that_edit_at_random_over_failing_wires_show_the_same_in_the_end() {
    run_all(0..40);
}

#[test]
fn so_do_others() {
    run_all(40..80);
}
