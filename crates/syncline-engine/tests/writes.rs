//! Writes that ask before they act: deletes by condition, preconditions, batches, upserts.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use common::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Tables};
use syncline_engine::query::{Condition, Query};
use syncline_engine::{MAX_TRANSACTION_CHANGES, Result, Source, Store, StoreError, Sweep, Tx};

const TREE: &str = r#"
    type Node @model {
        rank: Int
        label: String!
        below: [Node] @hasMany
        above: Node @belongsTo
        notes: [Note] @hasMany(onDelete: "set-null")
    }
    type Note @model { text: String node: Node @belongsTo }
    type Seat @model { room: String! @primaryKey(sortKeyFields: ["row"]) row: Int! holder: String }
"#;

struct World {
    bed: Bed,
    store: Store,
}

impl World {
    fn new(seed: u8) -> Self {
        let mut bed = Bed::new(seed);
        let store = bed.open_with(Some(TREE));
        Self { bed, store }
    }

    /// One write, as the driver runs it: in a transaction with others.
    fn write<T>(&mut self, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let now = self.bed.tick();
        self.store.write(now, |tx| Ok(tx.single(act)))?
    }

    fn save(&mut self, model: &str, record: Value) -> String {
        self.write(|tx| tx.save(model, &map(record), Source::App)).map(|saved| id(&saved.record)).unwrap()
    }

    fn all(&mut self, model: &str) -> Vec<Map<String, Value>> {
        self.write(|tx| tx.query(&Query::new(model))).unwrap().records
    }

    fn ids(&mut self, model: &str) -> Vec<String> {
        self.all(model).iter().map(id).collect()
    }

    /// All of a delete in parts; how many parts it took.
    fn sweep(&mut self, model: &str, condition: &Condition) -> (Sweep, usize) {
        let mut sweep = self.write(|tx| tx.sweep(model, condition)).unwrap();
        let mut parts = 0;
        while !sweep.is_done() {
            self.write(|tx| tx.sweep_part(&mut sweep)).unwrap();
            parts += 1;
        }
        (sweep, parts)
    }
}

fn filter(filter: Filter) -> Condition {
    filter.into()
}

fn rows_of_transactions(store: &mut Store, after: u64) -> Vec<u16> {
    rows(store, after).iter().map(|row| row.txn).collect()
}

#[test]
fn a_delete_by_condition_is_one_transaction_and_tells_what_matched_and_what_went_along() {
    let mut world = World::new(1);
    let root = world.save("Node", json!({"label": "root", "rank": 1}));
    let child = world.save("Node", json!({"label": "child", "rank": 1, "above": {"id": root}}));
    let leaf = world.save("Node", json!({"label": "leaf", "rank": 2, "above": {"id": child}}));
    let other = world.save("Node", json!({"label": "other", "rank": 2}));
    let note = world.save("Note", json!({"text": "n", "node": {"id": leaf}}));
    let before = world.store.committed();
    let deleted = world.write(|tx| tx.delete_where("Node", &filter(Filter::eq("rank", 1)))).unwrap();
    // The child matched by itself, although its parent would have taken it along.
    let matched: Vec<String> = deleted.records.iter().map(|saved| id(&saved.record)).collect();
    assert_eq!(matched, [root, child]);
    let along: Vec<(&str, String)> =
        deleted.along.iter().map(|along| (along.model.as_str(), id(&along.saved.record))).collect();
    assert_eq!(along, [("Note", note.clone()), ("Node", leaf)]);
    assert_eq!(rows_of_transactions(&mut world.store, before), [3, 2, 1, 0]);
    assert_eq!(world.ids("Node"), from_ref(&other));
    assert_eq!(get(&mut world.store, "Note", &note).unwrap()["nodeNotesId"], Value::Null);
    assert_verified(&world.store);

    let nothing = world.write(|tx| tx.delete_where("Node", &Condition::Where("rank > 7".to_owned()))).unwrap();
    assert!(nothing.records.is_empty() && nothing.along.is_empty());
    let wrong = world.write(|tx| tx.delete_where("Node", &filter(Filter::eq("rnak", 1)))).unwrap_err();
    assert!(wrong.to_string().contains("did you mean `rank`"), "{wrong}");
    assert_eq!(world.ids("Node"), [other]);
}

#[test]
fn a_delete_by_condition_sees_what_its_transaction_wrote_before() {
    let mut world = World::new(1);
    let old = world.save("Node", json!({"label": "old", "rank": 1}));
    let now = world.bed.tick();
    let deleted = world.store.write(now, |tx| {
        tx.together(|tx| {
            tx.update("Node", &old, &map(json!({"rank": 2})))?;
            tx.save("Node", &map(json!({"label": "new", "rank": 1})), Source::App)?;
            tx.delete_where("Node", &filter(Filter::eq("rank", 1)))
        })
    });
    assert_eq!(deleted.unwrap().records[0].record["label"], "new");
    assert_eq!(world.ids("Node"), [old]);
    assert_verified(&world.store);
}

#[test]
fn more_than_a_transaction_holds_is_refused_whole_and_goes_in_parts() {
    let mut world = World::new(1);
    let count = MAX_TRANSACTION_CHANGES * 2 + 1;
    let now = world.bed.tick();
    let save = |tx: &mut Tx<'_>, n: usize| {
        tx.single(|tx| tx.save("Node", &map(json!({"label": n.to_string(), "rank": n % 2})), Source::App))
    };
    world.store.write(now, |tx| (0..count).try_for_each(|n| save(tx, n).map(drop))).unwrap();
    let even = filter(Filter::eq("rank", 0));
    let refused = world.write(|tx| tx.delete_where("Node", &even)).unwrap_err();
    assert!(matches!(refused, StoreError::TooManyDeletes { .. }), "{refused}");
    assert!(refused.to_string().contains(r#"{"rank":{"eq":0}}"#), "{refused}");
    assert_eq!(world.ids("Node").len(), count);
    // As many as fit are one transaction.
    let odd = world.write(|tx| tx.delete_where("Node", &filter(Filter::eq("rank", 1)))).unwrap();
    assert_eq!(odd.records.len(), MAX_TRANSACTION_CHANGES);
    let (sweep, parts) = world.sweep("Node", &even);
    assert_eq!((sweep.records() as usize, sweep.along(), parts), (MAX_TRANSACTION_CHANGES + 1, 0, 2));
    assert!(world.ids("Node").is_empty());
    assert_verified(&world.store);
}

/// A record with many others below it goes over several parts. Had each part asked the condition again, the first
/// part would have deleted the note by which the node was found, and the node with half of what was below it would
/// have stayed.
#[test]
fn a_delete_in_parts_ends_what_it_began_though_the_record_no_longer_matches() {
    let mut world = World::new(1);
    let root = world.save("Node", json!({"label": "root"}));
    let now = world.bed.tick();
    let below = |tx: &mut Tx<'_>, n: usize| {
        let node = json!({"label": n.to_string(), "rank": 1, "above": {"id": root}});
        tx.single(|tx| tx.save("Node", &map(node), Source::App)).map(drop)
    };
    world.store.write(now, |tx| (0..1_200).try_for_each(|n| below(tx, n))).unwrap();
    let (sweep, parts) = world.sweep("Node", &filter(Filter::related("below", Filter::eq("rank", 1))));
    assert_eq!((sweep.records(), sweep.along(), parts), (1, 1_200, 3));
    assert!(world.ids("Node").is_empty());
}

/// 300 notes under a node, each of which refers to it twice: by a relation that takes it along and by one that would
/// empty it. Each was counted as two changes, so a delete that fits one transaction was refused, and in parts it counted
/// what one part emptied and a later one deleted twice.
#[test]
fn a_record_that_a_delete_both_empties_and_deletes_counts_once() {
    const TWICE: &str = r#"
        type Folder @model {
            name: String
            notes: [Note] @hasMany(indexName: "byFolder", fields: ["id"])
            starred: [Note] @hasMany(indexName: "byStarred", fields: ["id"], onDelete: "set-null")
        }
        type Note @model { folder: ID @index(name: "byFolder") starredIn: ID @index(name: "byStarred") }
    "#;
    for count in [300, 700] {
        let mut bed = Bed::new(1);
        let store = bed.open_with(Some(TWICE));
        let mut world = World { bed, store };
        let folder = world.save("Folder", json!({"name": "f"}));
        let now = world.bed.tick();
        let note = map(json!({"folder": folder, "starredIn": folder}));
        let save = |tx: &mut Tx<'_>| tx.single(|tx| tx.save("Note", &note, Source::App)).map(drop);
        world.store.write(now, |tx| (0..count).try_for_each(|_| save(tx))).unwrap();
        if count < MAX_TRANSACTION_CHANGES {
            let deleted = world.write(|tx| tx.delete_where("Folder", &Condition::default())).unwrap();
            assert_eq!((deleted.records.len(), deleted.along.len()), (1, count));
        } else {
            let (sweep, _) = world.sweep("Folder", &Condition::default());
            assert_eq!((sweep.records(), sweep.along() as usize), (1, count));
        }
        assert!(world.ids("Note").is_empty());
        assert_verified(&world.store);
    }
}

#[test]
fn a_record_that_goes_meanwhile_is_passed_over_by_a_delete_in_parts() {
    let mut world = World::new(1);
    let ids: Vec<String> = (0..3).map(|n| world.save("Node", json!({"label": n.to_string()}))).collect();
    let mut sweep = world.write(|tx| tx.sweep("Node", &Condition::default())).unwrap();
    world.write(|tx| tx.delete("Node", &ids[1])).unwrap();
    let late = world.save("Node", json!({"label": "late"}));
    world.write(|tx| tx.sweep_part(&mut sweep)).unwrap();
    assert_eq!((sweep.is_done(), sweep.records()), (true, 2));
    assert_eq!(world.ids("Node"), [late]);
}

#[test]
fn a_write_under_a_condition_is_done_only_if_the_record_matches_as_it_stands() {
    let mut world = World::new(1);
    let seat = world.write(|tx| tx.save("Seat", &map(json!({"room": "a", "row": 7})), Source::App)).unwrap().record;
    let id = r#"{"room":"a","row":7}"#;
    let free = filter(Filter::eq("holder", Value::Null));
    let take = |who: &str| map(json!({ "holder": who }));
    let taken = world.write(|tx| tx.update_if("Seat", id, &take("Ann"), &free)).unwrap();
    assert_eq!(taken.record["holder"], "Ann");
    let before = world.store.committed();
    for refused in [
        world.write(|tx| tx.update_if("Seat", id, &take("Bob"), &free)),
        world.write(|tx| tx.save_if("Seat", &map(json!({"room": "a", "row": 7, "holder": "Bob"})), &free)),
        world.write(|tx| tx.delete_if("Seat", id, &free)),
        world.write(|tx| tx.delete_if("Seat", id, &Condition::Where("holder > 'Ann'".to_owned()))),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, StoreError::ConditionNotMet { exists: true, .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.contains(&format!("Seat {id} does not match")) && text.contains("holder"), "{text}");
    }
    assert_eq!(world.store.committed(), before, "nothing was written");
    let ann = filter(Filter::eq("holder", "Ann"));
    let saved =
        world.write(|tx| tx.save_if("Seat", &map(json!({"room": "a", "row": 7, "holder": "Eve"})), &ann)).unwrap();
    assert_eq!((&saved.record["holder"], &saved.record["createdAt"]), (&json!("Eve"), &seat["createdAt"]));
    world.write(|tx| tx.delete_if("Seat", id, &Condition::Where("holder = 'Eve'".to_owned()))).unwrap();
    assert!(world.all("Seat").is_empty());
}

#[test]
fn no_condition_holds_of_a_record_that_is_not_there_and_none_brings_it_back() {
    let mut world = World::new(1);
    let gone = world.save("Node", json!({"label": "gone"}));
    world.write(|tx| tx.delete("Node", &gone)).unwrap();
    let always = Condition::default();
    for id in [gone.as_str(), "never"] {
        for refused in [
            world.write(|tx| tx.save_if("Node", &map(json!({"id": id, "label": "x"})), &always)),
            world.write(|tx| tx.update_if("Node", id, &map(json!({"label": "x"})), &always)),
            world.write(|tx| tx.delete_if("Node", id, &filter(!Filter::eq("label", "y")))),
        ] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, StoreError::ConditionNotMet { exists: false, .. }), "{refused}");
        }
    }
    let unnamed = world.write(|tx| tx.save_if("Node", &map(json!({"label": "x"})), &always)).unwrap_err();
    assert!(unnamed.to_string().contains("`id`: it must be given"), "{unnamed}");
    let wrong = world.write(|tx| tx.require("Node", "never", &Condition::Where("lable = 'x'".to_owned()))).unwrap_err();
    assert!(wrong.to_string().contains("label"), "{wrong}");
    assert!(world.ids("Node").is_empty());
}

#[test]
fn a_condition_reaches_related_records_and_sees_the_transaction_s_own_writes() {
    let mut world = World::new(1);
    let node = world.save("Node", json!({"label": "n"}));
    let note = world.save("Note", json!({"text": "closed", "node": {"id": node}}));
    let open = filter(Filter::related("notes", Filter::eq("text", "open")));
    let rank = map(json!({"rank": 1}));
    let refused = world.write(|tx| tx.update_if("Node", &node, &rank, &open)).unwrap_err();
    assert!(matches!(refused, StoreError::ConditionNotMet { .. }), "{refused}");
    let now = world.bed.tick();
    let outcome = world.store.write(now, |tx| {
        tx.together(|tx| {
            tx.update("Note", &note, &map(json!({"text": "open"})))?;
            tx.update_if("Node", &node, &rank, &open)
        })
    });
    assert_eq!(outcome.unwrap().record["rank"], 1);
    // A condition that does not hold takes back what its transaction wrote before.
    let now = world.bed.tick();
    let outcome = world.store.write(now, |tx| {
        tx.together(|tx| {
            tx.update("Note", &note, &map(json!({"text": "shut"})))?;
            tx.require("Node", &node, &open)
        })
    });
    assert!(matches!(outcome, Err(StoreError::ConditionNotMet { .. })), "{outcome:?}");
    assert_eq!(get(&mut world.store, "Note", &note).unwrap()["text"], "open");
    assert_verified(&world.store);
}

/// Writes of several callers share a transaction, and looking at a condition makes what was written so far visible to
/// SQLite: what one of them had written before must stay when the next one is refused.
#[test]
fn a_refused_condition_leaves_the_writes_that_share_its_transaction() {
    let mut world = World::new(1);
    let node = world.save("Node", json!({"label": "n", "rank": 0}));
    let zero = filter(Filter::eq("rank", 0));
    let now = world.bed.tick();
    let outcomes = world.store.write(now, |tx| {
        let mut count = || {
            tx.single(|tx| {
                tx.require("Node", &node, &zero)?;
                tx.update("Node", &node, &map(json!({"rank": 1})))
            })
        };
        Ok([count(), count(), count()].map(|outcome| outcome.is_ok()))
    });
    assert_eq!(outcomes.unwrap(), [true, false, false]);
    assert_eq!(get(&mut world.store, "Node", &node).unwrap()["rank"], 1);
    assert_verified(&world.store);
}

#[test]
fn a_batch_is_saved_as_one_transaction_or_names_every_bad_field_of_every_record() {
    let mut world = World::new(1);
    let batch = |records: &[Value]| records.iter().cloned().map(map).collect::<Vec<_>>();
    let bad = batch(&[
        json!({"label": "fine"}),
        json!({"rank": "x", "lable": "typo"}),
        json!({"label": "fine too"}),
        json!({"label": 7}),
    ]);
    let before = world.store.committed();
    let refused = world.write(|tx| tx.save_all("Node", &bad)).unwrap_err();
    let StoreError::InvalidBatch(records) = &refused else { panic!("{refused}") };
    let faults: Vec<(usize, Vec<&str>)> = records
        .iter()
        .map(|bad| (bad.index, bad.fault.fields.iter().map(|fault| fault.field.as_str()).collect()))
        .collect();
    assert_eq!((faults[0].0, &faults[1]), (1, &(3, vec!["label"])));
    assert_eq!(faults[0].1.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(["label", "lable", "rank"]));
    let text = refused.to_string();
    assert!(text.contains("[1]: this is no valid Node") && text.contains("[3]: "), "{text}");
    assert_eq!(world.store.committed(), before);
    assert!(world.ids("Node").is_empty());

    let good = batch(&[json!({"id": "a", "label": "1"}), json!({"label": "2"}), json!({"id": "a", "label": "3"})]);
    let saved = world.write(|tx| tx.save_all("Node", &good)).unwrap();
    assert_eq!(saved.iter().map(|one| &one.record["label"]).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(rows_of_transactions(&mut world.store, before), [2, 1, 0]);
    assert_eq!(world.ids("Node").len(), 2);
    assert_eq!(get(&mut world.store, "Node", "a").unwrap()["label"], "3");
    let many = vec![map(json!({"label": "x"})); MAX_TRANSACTION_CHANGES + 1];
    let refused = world.write(|tx| tx.save_all("Node", &many)).unwrap_err();
    assert!(matches!(refused, StoreError::TransactionTooLarge { changes: 501, .. }), "{refused}");
    assert_eq!(world.ids("Node").len(), 2);
    assert_verified(&world.store);
}

/// The transaction goes on after a batch that failed: what was saved before it stays, nothing of it does.
#[test]
fn a_batch_that_fails_inside_a_transaction_leaves_the_rest_of_it() {
    let mut world = World::new(1);
    let now = world.bed.tick();
    let outcome = world.store.write(now, |tx| {
        tx.together(|tx| {
            tx.save("Node", &map(json!({"id": "a", "label": "before"})), Source::App)?;
            let batch = [map(json!({"id": "a", "label": "batch"})), map(json!({"id": "b"}))];
            assert!(matches!(tx.save_all("Node", &batch), Err(StoreError::InvalidBatch(_))));
            tx.save("Node", &map(json!({"id": "c", "label": "after"})), Source::App)
        })
    });
    outcome.unwrap();
    let labels: Vec<Value> = world.all("Node").iter().map(|node| node["label"].clone()).collect();
    assert_eq!(labels, ["before", "after"]);
    assert_verified(&world.store);
}

#[test]
fn an_upsert_updates_the_one_record_that_is_equal_in_the_fields_and_creates_one_if_none_is() {
    let mut world = World::new(1);
    let by = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut upsert = |record: Value, fields: &[&str]| {
        world.write(|tx| tx.upsert("Node", &map(record), &by(fields))).map(|saved| saved.record)
    };
    let first = upsert(json!({"label": "x", "rank": 1}), &["label"]).unwrap();
    // Fields that are not given stay as they were.
    let again = upsert(json!({"label": "x"}), &["label"]).unwrap();
    assert_eq!((&again["id"], &again["rank"]), (&first["id"], &json!(1)));
    let other = upsert(json!({"label": "x", "rank": 2}), &["label", "rank"]).unwrap();
    assert_ne!(other["id"], first["id"]);

    let several = upsert(json!({"label": "x", "rank": 3}), &["label"]).unwrap_err();
    let StoreError::Ambiguous { ids, given: None, more: false, .. } = &several else { panic!("{several}") };
    assert_eq!(ids.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&id(&first), &id(&other)]));
    assert!(several.to_string().contains(&id(&other)), "{several}");
    let elsewhere = upsert(json!({"id": "mine", "label": "x", "rank": 2}), &["label", "rank"]).unwrap_err();
    assert!(matches!(&elsewhere, StoreError::Ambiguous { given: Some(given), .. } if given == "mine"), "{elsewhere}");
    let missing = upsert(json!({"label": "x", "rank": null}), &["label", "rank"]).unwrap_err();
    assert!(missing.to_string().contains("`rank`: it tells which record is meant"), "{missing}");
    let unknown = upsert(json!({"label": "x", "rnak": 1}), &["rnak"]).unwrap_err();
    assert!(unknown.to_string().contains("did you mean `rank`"), "{unknown}");
    let same = upsert(json!({"id": other["id"], "label": "x", "rank": 2}), &["rank"]).unwrap();
    assert_eq!(same, other);
    assert_eq!(world.ids("Node").len(), 2);
}

/// The key of a model with one of its own was required even where the other fields find the record.
#[test]
fn an_upsert_of_a_record_that_is_there_needs_no_key_of_its_own() {
    let mut world = World::new(1);
    let by = ["holder".to_owned()];
    let mut upsert = |record: Value| world.write(|tx| tx.upsert("Seat", &map(record), &by)).map(|saved| saved.record);
    let missing = upsert(json!({"holder": "Ann"})).unwrap_err();
    assert!(missing.to_string().contains("`room`"), "to create one the key is needed: {missing}");
    upsert(json!({"room": "a", "row": 1, "holder": "Ann"})).unwrap();
    let found = upsert(json!({"holder": "Ann"})).unwrap();
    assert_eq!((&found["room"], &found["row"]), (&json!("a"), &json!(1)));
    let elsewhere = upsert(json!({"room": "b", "row": 1, "holder": "Ann"})).unwrap_err();
    assert!(matches!(elsewhere, StoreError::Ambiguous { given: Some(_), .. }), "{elsewhere}");
}

/// What does not fit was told whole: a megabyte of text for a filter of a megabyte.
#[test]
fn messages_about_long_conditions_and_large_batches_stay_short() {
    let mut world = World::new(1);
    let long = filter(Filter::eq("label", "é".repeat(100_000)));
    let node = world.save("Node", json!({"label": "x"}));
    let refused = world.write(|tx| tx.require("Node", &node, &long)).unwrap_err().to_string();
    assert!(refused.chars().count() < 600 && refused.contains("…; read it again"), "{refused}");
    let bad = vec![map(json!({"rank": "high"})); 400];
    let refused = world.write(|tx| tx.save_all("Node", &bad)).unwrap_err();
    let StoreError::InvalidBatch(all) = &refused else { panic!("{refused}") };
    assert_eq!(all.len(), 400);
    let text = refused.to_string();
    assert!(text.contains("[9]") && !text.contains("[10]") && text.ends_with("and 390 more"), "{text}");
}

/// A node: its rank and the place of the node above it among those before it.
type Plain = (Option<i64>, Option<usize>);

fn nodes() -> impl Strategy<Value = Vec<Plain>> {
    prop::collection::vec((prop::option::of(0..4_i64), prop::option::weighted(0.7, 0..100_usize)), 1..30).prop_map(
        |nodes| {
            let above = |place: usize, above: Option<usize>| above.filter(|_| place > 0).map(|above| above % place);
            nodes.into_iter().enumerate().map(|(place, (rank, up))| (rank, above(place, up))).collect()
        },
    )
}

fn conditions() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        (0..4_i64).prop_map(|rank| Filter::eq("rank", rank)),
        (0..4_i64).prop_map(|rank| Filter::lt("rank", rank)),
        Just(Filter::eq("rank", Value::Null)),
        (0..30_u8).prop_map(|n| Filter::contains("label", n.to_string())),
        Just(Filter::All),
        Just(Filter::related("below", Filter::All)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a & b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a | b),
            inner.clone().prop_map(|filter| !filter),
            inner.clone().prop_map(|filter| Filter::related("above", filter)),
            inner.prop_map(|filter| Filter::related("below", filter)),
        ]
    })
}

/// What the filter means: labels of the nodes that match, and of all that go with them.
fn plainly(records: &[Map<String, Value>], filter: &Filter) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = syncline_schema::parse("schema.graphql", TREE).unwrap().schema;
    let model = schema.model("Node").unwrap();
    let resolved = filter.resolve(&schema, model).unwrap();
    let tables = BTreeMap::from([("Node".to_owned(), records.to_vec())]);
    let tables = Tables::new(&schema, model, &tables);
    let mut gone: BTreeSet<String> =
        records.iter().filter(|record| resolved.matches_with(record, &tables)).map(id).collect();
    let matched = gone.clone();
    loop {
        let is_below = |record: &&Map<String, Value>| {
            record["nodeBelowId"].as_str().is_some_and(|above| gone.contains(above)) && !gone.contains(&id(record))
        };
        let below: Vec<String> = records.iter().filter(is_below).map(id).collect();
        if below.is_empty() {
            return (matched, gone);
        }
        gone.extend(below);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn deletes_by_random_conditions_take_what_the_plain_reference_takes(
        nodes in nodes(),
        conditions in prop::collection::vec((conditions(), any::<bool>()), 1..4),
    ) {
        let mut world = World::new(1);
        let mut ids: Vec<String> = Vec::new();
        for (place, (rank, above)) in nodes.iter().enumerate() {
            let above = above.map(|above| ids[above].clone());
            let node = json!({"id": format!("n{place:02}"), "label": place.to_string(), "rank": rank, "nodeBelowId": above});
            ids.push(world.save("Node", node));
        }
        for (condition, in_parts) in conditions {
            let records = world.all("Node");
            let (matched, gone) = plainly(&records, &condition);
            let condition = filter(condition);
            let before = world.store.committed();
            let (found, along) = if in_parts {
                let (sweep, _) = world.sweep("Node", &condition);
                (sweep.records() as usize, sweep.along() as usize)
            } else {
                let deleted = world.write(|tx| tx.delete_where("Node", &condition)).unwrap();
                let found: Vec<String> = deleted.records.iter().map(|saved| id(&saved.record)).collect();
                prop_assert_eq!(&found, &matched.iter().cloned().collect::<Vec<_>>());
                (found.len(), deleted.along.len())
            };
            prop_assert_eq!((found, along), (matched.len(), gone.len() - matched.len()));
            prop_assert_eq!(rows(&mut world.store, before).len(), gone.len());
            let left: Vec<String> = records.iter().map(id).filter(|id| !gone.contains(id)).collect();
            prop_assert_eq!(world.ids("Node"), left);
        }
        assert_verified(&world.store);
    }
}
