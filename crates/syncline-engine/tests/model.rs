//! A store against a plain reference: random work, transactions that fail, reopening.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_engine::query::Query;
use syncline_engine::{Result, Source, StoreError, Tx};

#[derive(Clone, Debug)]
enum Op {
    Create,
    Key(u8),
    Title(u8, Option<u8>),
    Votes(u8, i8),
    Tag(u8, u8, bool),
    Steps(u8, Vec<u8>),
    Body(u8, u8, u8, u8),
    Delete(u8),
    Undelete(u8),
    Query,
}

#[derive(Clone, Debug)]
struct Step {
    ops: Vec<Op>,
    /// The whole transaction fails.
    fails: bool,
    /// The operation of this number is tried and fails half way, the others go on.
    half: Option<u8>,
    reopen: bool,
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..6_u8;
    prop_oneof![
        2 => Just(Op::Create),
        2 => (0..3_u8).prop_map(Op::Key),
        3 => (at.clone(), any::<Option<u8>>()).prop_map(|(r, v)| Op::Title(r, v)),
        2 => (at.clone(), any::<i8>()).prop_map(|(r, v)| Op::Votes(r, v)),
        3 => (at.clone(), 0..4_u8, any::<bool>()).prop_map(|(r, t, add)| Op::Tag(r, t, add)),
        3 => (at.clone(), prop::collection::vec(0..5_u8, 0..5)).prop_map(|(r, s)| Op::Steps(r, s)),
        4 => (at.clone(), any::<u8>(), 0..3_u8, 0..4_u8).prop_map(|(r, p, d, i)| Op::Body(r, p, d, i)),
        1 => at.clone().prop_map(Op::Delete),
        1 => at.prop_map(Op::Undelete),
        1 => Just(Op::Query),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::vec(op(), 1..8),
        prop::bool::weighted(0.15),
        prop::option::weighted(0.3, 0..8_u8),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(ops, fails, half, reopen)| Step { ops, fails, half, reopen })
}

/// A todo as anybody would keep it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Todo {
    deleted: bool,
    title: Option<String>,
    votes: i64,
    tags: BTreeSet<String>,
    steps: Vec<String>,
    body: String,
}

#[derive(Clone, Debug, Default)]
struct Reference {
    todos: Vec<(String, Todo)>,
    places: BTreeMap<String, i64>,
}

impl Todo {
    fn shown(&self) -> Map<String, Value> {
        map(
            json!({"title": self.title, "votes": self.votes, "tags": self.tags, "steps": self.steps, "body": self.body}),
        )
    }
}

fn run(tx: &mut Tx<'_>, op: &Op, reference: &mut Reference) -> Result<()> {
    let count = reference.todos.len();
    let of = |r: u8| (count > 0).then(|| r as usize % count);
    match op {
        Op::Create => {
            let saved = tx.save("Todo", &map(json!({"title": "new", "steps": [], "body": ""})), Source::App)?;
            let todo = Todo { title: Some("new".to_owned()), ..Todo::default() };
            reference.todos.push((saved.record["id"].as_str().unwrap().to_owned(), todo));
        }
        Op::Key(n) => {
            let rank = reference.places.values().sum::<i64>() + 1;
            tx.save("Place", &map(json!({"name": n.to_string(), "rank": rank, "note": "n"})), Source::App)?;
            reference.places.insert(n.to_string(), rank);
        }
        Op::Query => {
            let found = tx.query(&Query::new("Todo"))?.records.len();
            assert_eq!(found, reference.todos.iter().filter(|(_, todo)| !todo.deleted).count());
        }
        Op::Title(r, _)
        | Op::Votes(r, _)
        | Op::Tag(r, ..)
        | Op::Steps(r, _)
        | Op::Body(r, ..)
        | Op::Delete(r)
        | Op::Undelete(r) => {
            if let Some(at) = of(*r) {
                let (id, todo) = &mut reference.todos[at];
                edit(tx, op, id, todo)?;
            }
        }
    }
    Ok(())
}

fn edit(tx: &mut Tx<'_>, op: &Op, id: &str, todo: &mut Todo) -> Result<()> {
    if todo.deleted && !matches!(op, Op::Undelete(_)) {
        let refused = tx.update("Todo", id, &map(json!({"title": "x"})));
        assert!(matches!(refused, Err(StoreError::NotFound { deleted: true, .. })));
        return Ok(());
    }
    match op {
        Op::Title(_, title) => {
            todo.title = title.map(|n| n.to_string());
            tx.update("Todo", id, &map(json!({"title": todo.title})))?;
        }
        Op::Votes(_, by) => {
            todo.votes += i64::from(*by);
            tx.increment("Todo", id, "votes", i64::from(*by))?;
        }
        Op::Tag(_, tag, true) => {
            todo.tags.insert(tag.to_string());
            tx.add("Todo", id, "tags", &json!(tag.to_string()))?;
        }
        Op::Tag(_, tag, false) => {
            todo.tags.remove(&tag.to_string());
            tx.remove("Todo", id, "tags", &json!(tag.to_string()))?;
        }
        Op::Steps(_, steps) => {
            todo.steps = steps.iter().map(ToString::to_string).collect();
            tx.update("Todo", id, &map(json!({"steps": todo.steps})))?;
        }
        Op::Body(_, at, delete, insert) => {
            let at = *at as usize % (todo.body.len() + 1);
            let delete = (*delete as usize).min(todo.body.len() - at);
            let insert = &"wxyz"[..*insert as usize];
            todo.body.replace_range(at..at + delete, insert);
            tx.splice("Todo", id, "body", at, delete, insert)?;
        }
        Op::Delete(_) => {
            todo.deleted = true;
            tx.delete("Todo", id)?;
        }
        Op::Undelete(_) => {
            todo.deleted = false;
            tx.undelete("Todo", id)?;
        }
        Op::Create | Op::Key(_) | Op::Query => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_store_shows_what_a_plain_reference_shows(steps in prop::collection::vec(step(), 1..12)) {
        let mut bed = Bed::new(1);
        let mut store = bed.open();
        let mut reference = Reference::default();
        for step in &steps {
            let mut next = reference.clone();
            let now = bed.tick();
            let outcome = store.write(now, |tx| {
                for (n, op) in step.ops.iter().enumerate() {
                    if step.half == Some(n as u8) && !matches!(op, Op::Query) {
                        let mut gone = next.clone();
                        let failed: Result<()> = tx.single(|tx| {
                            run(tx, op, &mut gone)?;
                            run(tx, &Op::Create, &mut gone)?;
                            Err(StoreError::Aborted("half way".to_owned()))
                        });
                        assert!(failed.is_err());
                    } else {
                        tx.single(|tx| run(tx, op, &mut next))?;
                    }
                }
                if step.fails { Err(StoreError::Aborted("whole".to_owned())) } else { Ok(()) }
            });
            prop_assert_eq!(outcome.is_err(), step.fails);
            if !step.fails {
                reference = next;
            }
            if step.reopen {
                store.close().unwrap();
                drop(store);
                store = bed.open();
            }
            for (id, todo) in &reference.todos {
                let shown = get(&mut store, "Todo", id);
                prop_assert_eq!(shown.is_none(), todo.deleted);
                if let Some(shown) = shown {
                    let shown: Map<String, Value> =
                        todo.shown().keys().map(|key| (key.clone(), shown[key].clone())).collect();
                    prop_assert_eq!(shown, todo.shown());
                }
            }
            for (name, rank) in &reference.places {
                prop_assert_eq!(&get(&mut store, "Place", name).unwrap()["rank"], rank);
            }
            prop_assert_eq!(store.status().unwrap().records["Place"].as_u64(), Some(reference.places.len() as u64));
        }
        let report = store.verify().unwrap();
        prop_assert!(report.is_ok(), "{:#?}", report.faults);
    }
}
