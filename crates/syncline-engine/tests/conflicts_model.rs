//! The note of conflicts against the documents themselves: whatever is written, merged, settled, rolled back and
//! reopened, a record is listed exactly if its Automerge document holds different values at a field.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::collections::BTreeMap;

use automerge::{Automerge, ROOT, ReadDoc};
use common::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::session::SessionStore as _;
use syncline_engine::{Source, Store, StoreError};

const SDL: &str = r#"
type Event @model {
  id: ID!
  title: String
  best: Int @merge(with: max)
  last: String @merge(with: latest)
  place: Place
  seats: Int @counter
  tags: [String] @set
  body: String @text
}
type Seat @model { row: Int! @primaryKey guest: String rank: Int @merge(with: min) }
type Again @model(deletes: "update-wins") { name: String! @primaryKey title: String }
type Place { city: String zip: Int }
"#;

/// Fields of one value by model; in these schemas each stands at the root key of its name.
const FIELDS: [(&str, &[&str]); 3] = [
    ("Event", &["title", "best", "last", "place.city", "place.zip"]),
    ("Seat", &["guest", "rank"]),
    ("Again", &["title"]),
];

const STORES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Writes one field; saving makes or revives the record.
    Write {
        store: usize,
        record: usize,
        field: usize,
        value: u8,
        save: bool,
    },
    /// Writes what never is in conflict.
    Beside {
        store: usize,
        record: usize,
        value: u8,
    },
    Delete {
        store: usize,
        record: usize,
    },
    Undelete {
        store: usize,
        record: usize,
    },
    /// Settles a field with one of its values, or another.
    Resolve {
        store: usize,
        record: usize,
        field: usize,
        value: u8,
    },
    /// Writes and takes it back.
    RollBack {
        store: usize,
        record: usize,
        field: usize,
        value: u8,
    },
    /// One gets the beginning of another's log, or all of it.
    Exchange {
        from: usize,
        to: usize,
        rows: usize,
    },
    Reopen {
        store: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (store, record, field, value) = (0..STORES, 0..5_usize, 0..5_usize, 0..4_u8);
    prop_oneof![
        8 => (store.clone(), record.clone(), field.clone(), value.clone(), any::<bool>())
            .prop_map(|(store, record, field, value, save)| Step::Write { store, record, field, value, save }),
        2 => (store.clone(), record.clone(), value.clone())
            .prop_map(|(store, record, value)| Step::Beside { store, record, value }),
        1 => (store.clone(), record.clone()).prop_map(|(store, record)| Step::Delete { store, record }),
        1 => (store.clone(), record.clone()).prop_map(|(store, record)| Step::Undelete { store, record }),
        2 => (store.clone(), record.clone(), field.clone(), value.clone())
            .prop_map(|(store, record, field, value)| Step::Resolve { store, record, field, value }),
        1 => (store.clone(), record, field, value)
            .prop_map(|(store, record, field, value)| Step::RollBack { store, record, field, value }),
        7 => (store.clone(), store.clone(), prop_oneof![0..40_usize, Just(usize::MAX)])
            .prop_map(|(from, to, rows)| Step::Exchange { from, to, rows }),
        1 => store.prop_map(|store| Step::Reopen { store }),
    ]
}

/// Stores with the same records.
struct Fleet {
    beds: Vec<Bed>,
    stores: Vec<Store>,
    records: Vec<(&'static str, String)>,
    now: i64,
}

/// Field → all its values, of every record in conflict.
type Listed = BTreeMap<(String, String), BTreeMap<String, Vec<String>>>;

impl Fleet {
    fn new() -> Self {
        let mut beds: Vec<Bed> = (1..=STORES as u8).map(Bed::new).collect();
        let mut stores: Vec<Store> = beds.iter_mut().map(|bed| bed.open_with(Some(SDL))).collect();
        let event = id(&save(&mut stores[0], 1000, "Event", json!({"title": "t", "place": {"city": "c"}})));
        let keyed = |model, id: &str| (model, id.to_owned());
        let records = vec![
            ("Event", event),
            keyed("Seat", r#"{"row":0}"#),
            keyed("Seat", r#"{"row":1}"#),
            keyed("Again", r#"{"name":"a"}"#),
            keyed("Again", r#"{"name":"b"}"#),
        ];
        Self { beds, stores, records, now: 1000 }
    }

    /// Does a step; what does not apply does nothing. Returns the store concerned.
    fn perform(&mut self, step: &Step) -> usize {
        self.now += 1;
        let now = self.now;
        let patch = |fleet: &Self, record: usize, field: usize, value: u8| {
            let (model, id) = fleet.records[record].clone();
            (model, id, patch_of(model, field, value))
        };
        match *step {
            Step::Write { store, record, field, value, save } => {
                let (model, id, patch) = patch(self, record, field, value);
                let _ = self.stores[store].write(now, |tx| {
                    tx.single(|tx| match save && model != "Event" {
                        true => {
                            let mut whole = map(serde_json::from_str(&id).unwrap());
                            whole.extend(map(patch));
                            tx.save(model, &whole, Source::App)
                        }
                        false => tx.update(model, &id, &map(patch)),
                    })
                });
                store
            }
            Step::Beside { store, record, value } => {
                let (_, id) = self.records[record].clone();
                let patch = json!({"seats": value, "tags": [value.to_string()], "body": "b".repeat(value.into())});
                let _ = self.stores[store].write(now, |tx| tx.single(|tx| tx.update("Event", &id, &map(patch))));
                store
            }
            Step::Delete { store, record } => {
                let (model, id) = self.records[record].clone();
                let _ = self.stores[store].write(now, |tx| tx.delete(model, &id));
                store
            }
            Step::Undelete { store, record } => {
                let (model, id) = self.records[record].clone();
                let _ = self.stores[store].write(now, |tx| tx.undelete(model, &id));
                store
            }
            Step::Resolve { store, record, field, value } => {
                let (model, id) = self.records[record].clone();
                let name = field_of(model, field);
                let found = self.stores[store].conflicts(model, &id).unwrap_or_default();
                let held = found.into_iter().find(|one| one.field == name);
                let held = held.and_then(|one| one.values.into_iter().nth(value.into())).map(|one| one.value);
                let chosen = held.unwrap_or_else(|| value_of(name, value));
                let _ = self.stores[store].write(now, |tx| tx.single(|tx| tx.resolve(model, &id, name, &chosen)));
                store
            }
            Step::RollBack { store, record, field, value } => {
                let (model, id, patch) = patch(self, record, field, value);
                let gone: Result<(), StoreError> = self.stores[store].write(now, |tx| {
                    let _ = tx.single(|tx| tx.update(model, &id, &map(patch)));
                    Err(StoreError::Aborted("on purpose".to_owned()))
                });
                gone.unwrap_err();
                store
            }
            Step::Exchange { from, to, rows: count } => {
                if from == to {
                    return to;
                }
                let known = self.stores[from].genesis_for(&["Event", "Seat", "Again"]).unwrap();
                let mut sent = rows(&mut self.stores[from], 0);
                sent.truncate(count);
                self.stores[to].learn_genesis(&known).unwrap();
                apply(&mut self.stores[to], &sent);
                to
            }
            Step::Reopen { store } => {
                self.stores[store].close().unwrap();
                self.stores[store] = self.beds[store].open_with(Some(SDL));
                store
            }
        }
    }

    /// What the store lists.
    fn listed(&self, store: usize) -> Listed {
        let page = self.stores[store].conflicted(None, None, 100).unwrap();
        let values = |one: syncline_engine::Conflict| {
            let mut values: Vec<String> = one.values.iter().map(|value| value.value.to_string()).collect();
            values.sort();
            (one.field, values)
        };
        let record = |record: syncline_engine::Conflicted| {
            ((record.model, record.id), record.conflicts.into_iter().map(values).collect())
        };
        page.records.into_iter().map(record).collect()
    }

    /// What the documents say.
    fn documents_say(&self, store: usize) -> Listed {
        let mut found = Listed::new();
        for (model, id) in &self.records {
            let Ok(bytes) = self.stores[store].document(model, id) else { continue };
            let document = Automerge::load(&bytes).unwrap();
            if document.get(ROOT, "~live").unwrap().is_none() {
                continue;
            }
            let fields = FIELDS.iter().find(|(name, _)| name == model).unwrap().1;
            for field in fields {
                let all = document.get_all(ROOT, *field).unwrap();
                let mut values: Vec<String> = all.iter().map(|(value, _)| plain(value).to_string()).collect();
                values.sort();
                if values.first() != values.last() {
                    let name = ((*model).to_owned(), id.clone());
                    found.entry(name).or_default().insert((*field).to_owned(), values);
                }
            }
        }
        found
    }
}

/// A text, a whole number or null; there is nothing else at these fields.
fn plain(value: &automerge::Value<'_>) -> Value {
    let scalar = value.as_scalar().unwrap();
    match (scalar.as_str(), scalar.as_i64()) {
        (Some(text), _) => Value::from(text),
        (None, Some(number)) => Value::from(number),
        (None, None) => Value::Null,
    }
}

fn field_of(model: &str, field: usize) -> &'static str {
    let fields = FIELDS.iter().find(|(name, _)| *name == model).unwrap().1;
    fields[field % fields.len()]
}

fn value_of(field: &str, value: u8) -> Value {
    match (field, value) {
        (_, 0) => Value::Null,
        ("best" | "rank" | "place.zip", value) => Value::from(value),
        (_, value) => Value::from(value.to_string()),
    }
}

fn patch_of(model: &str, field: usize, value: u8) -> Value {
    let field = field_of(model, field);
    match field.split_once('.') {
        Some((outer, inner)) => json!({outer: {inner: value_of(field, value)}}),
        None => json!({field: value_of(field, value)}),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_records_whose_documents_hold_different_values_are_listed(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut fleet = Fleet::new();
        let mut before: Vec<Listed> = (0..STORES).map(|store| fleet.listed(store)).collect();
        for step in &steps {
            let store = fleet.perform(step);
            let listed = fleet.listed(store);
            prop_assert_eq!(&listed, &fleet.documents_say(store), "after {:?}", step);
            let commits = fleet.stores[store].take_commits();
            let told = commits.iter().flat_map(|commit| &commit.changes).any(|change| change.conflicts);
            prop_assert!(told || listed == before[store], "nobody was told of {:?}", step);
            before[store] = listed;
        }
        for from in 0..STORES {
            for to in 0..STORES {
                fleet.perform(&Step::Exchange { from, to, rows: usize::MAX });
            }
        }
        for from in 0..STORES {
            for to in 0..STORES {
                fleet.perform(&Step::Exchange { from, to, rows: usize::MAX });
            }
        }
        for store in 0..STORES {
            prop_assert_eq!(fleet.listed(store), fleet.listed(0));
            prop_assert_eq!(fleet.listed(store), fleet.documents_say(store));
            assert_verified(&fleet.stores[store]);
        }
    }
}
