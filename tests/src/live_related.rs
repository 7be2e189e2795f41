//! Live queries that look at related records, and pages behind a token: whatever is written to whichever model, they show
//! what a fresh query finds.

use proptest::prelude::*;
use serde_json::{Value, json};
use syncline::{Filter, Include, Options, Order, Query, QueryCondition, Store};

use crate::support::live::{Asked, Follower, Histories};
use crate::support::{Bed, record};

const SDL: &str = r#"
    type List @model { name: String! tasks: [Task] @hasMany cover: Task @hasOne }
    type Task @model {
      rank: Int @index(name: "byRank")
      list: List @belongsTo
      parentId: ID @index(name: "byParent")
      parent: Task @belongsTo(fields: ["parentId"])
      children: [Task] @hasMany(indexName: "byParent", fields: ["id"], onDelete: "keep")
      tags: [Tag] @manyToMany(relationName: "TaskTag")
    }
    type Tag @model { name: String tasks: [Task] @manyToMany(relationName: "TaskTag") }
"#;

/// One write to one of the few records of each model.
#[derive(Clone, Debug)]
enum Write {
    Task { at: u8, rank: i64, list: Option<u8>, parent: Option<u8> },
    List { at: u8, name: i64, cover: Option<u8> },
    Tag { at: u8, name: i64 },
    Delete(&'static str, u8),
    Undelete(&'static str, u8),
    Link(u8, u8),
    Unlink(u8, u8),
}

fn write() -> impl Strategy<Value = Write> {
    let (task, few, name) = (0..12_u8, 0..3_u8, 0..3_i64);
    let model = prop::sample::select(vec!["List", "Task", "Task", "Tag", "TaskTag"]);
    let values = (0..4_i64, prop::option::of(few.clone()), prop::option::of(task.clone()));
    prop_oneof![
        4 => (task.clone(), values).prop_map(|(at, (rank, list, parent))| Write::Task { at, rank, list, parent }),
        2 => (few.clone(), name.clone(), prop::option::of(task.clone()))
            .prop_map(|(at, name, cover)| Write::List { at, name, cover }),
        1 => (few.clone(), name).prop_map(|(at, name)| Write::Tag { at, name }),
        2 => (model.clone(), task.clone()).prop_map(|(model, at)| Write::Delete(model, at)),
        1 => (model, task.clone()).prop_map(|(model, at)| Write::Undelete(model, at)),
        3 => (task.clone(), few.clone()).prop_map(|(task, tag)| Write::Link(task, tag)),
        1 => (task, few).prop_map(|(task, tag)| Write::Unlink(task, tag)),
    ]
}

fn id(model: &str, at: u8) -> String {
    format!("{}{at}", model.to_lowercase())
}

async fn carry_out(store: &Store, write: Write) {
    match write {
        Write::Task { at, rank, list, parent } => {
            let (list, parent) = (list.map(|at| id("List", at)), parent.map(|at| id("Task", at)));
            let task = json!({"id": id("Task", at), "rank": rank, "listTasksId": list, "parentId": parent});
            store.save_json("Task", record(task)).await.map(drop).unwrap();
        }
        Write::List { at, name, cover } => {
            let cover = cover.map(|at| id("Task", at));
            let list = json!({"id": id("List", at), "name": format!("n{name}"), "listCoverId": cover});
            store.save_json("List", record(list)).await.map(drop).unwrap();
        }
        Write::Tag { at, name } => {
            let tag = json!({"id": id("Tag", at), "name": format!("n{name}")});
            store.save_json("Tag", record(tag)).await.map(drop).unwrap();
        }
        Write::Delete(model, at) => drop(store.delete_json(model, &id(model, at)).await),
        Write::Undelete(model, at) => drop(store.undelete_json(model, &id(model, at)).await),
        Write::Link(task, tag) => drop(store.link_json("Task", &id("Task", task), "tags", &id("Tag", tag)).await),
        Write::Unlink(task, tag) => drop(store.unlink_json("Task", &id("Task", task), "tags", &id("Tag", tag)).await),
    }
}

fn rank_from(least: i64) -> Filter {
    Filter::ge("rank", least)
}

fn named(name: &str) -> Filter {
    Filter::eq("name", name)
}

fn of_tasks() -> impl Strategy<Value = Query> {
    let conditions = vec![
        Filter::All,
        rank_from(2),
        Filter::related("list", named("n1")),
        Filter::Not(Box::new(Filter::related("list", named("n1")))),
        Filter::related("list", Filter::Not(Box::new(named("n1")))),
        Filter::related("tags", named("n0")) | rank_from(3),
        Filter::Not(Box::new(Filter::related("tags", Filter::All))),
        Filter::related("children", rank_from(2)),
        Filter::related("parent", Filter::related("list", named("n2"))),
        Filter::related("list", Filter::related("tasks", rank_from(3) & Filter::related("tags", Filter::All))),
    ];
    let children = Include { order: vec![Order::descending("rank")], limit: Some(1), ..Include::new("children") };
    let parent = Include { include: vec![Include::new("list")], ..Include::new("parent") };
    let tasks = Include { include: vec![Include::new("tags")], ..Include::new("tasks") };
    let whole = Include { include: vec![tasks], ..Include::new("list") };
    let includes =
        vec![vec![], vec![Include::new("list"), Include::new("tags")], vec![children], vec![parent], vec![whole]];
    asked("Task", "rank", "rank > 1 AND parentId IS NULL OR rank + 1 IN (1, 3)", conditions, includes)
}

fn of_lists() -> impl Strategy<Value = Query> {
    let conditions = vec![
        Filter::All,
        Filter::related("tasks", rank_from(2)),
        Filter::Not(Box::new(Filter::related("tasks", rank_from(2)))),
        Filter::related("cover", Filter::related("tags", named("n1"))),
    ];
    let tasks = Include { order: vec![Order::ascending("rank")], limit: Some(2), ..Include::new("tasks") };
    let deep = Include { include: vec![Include::new("tags"), Include::new("parent")], ..Include::new("tasks") };
    asked(
        "List",
        "name",
        "name LIKE 'n_' AND NOT name = 'n1'",
        conditions,
        vec![vec![], vec![tasks, Include::new("cover")], vec![deep]],
    )
}

fn of_tags() -> impl Strategy<Value = Query> {
    let conditions = vec![Filter::All, Filter::related("tasks", rank_from(1)), Filter::related("tasks", Filter::All)];
    let deep = Include { include: vec![Include::new("list")], limit: Some(3), ..Include::new("tasks") };
    asked("Tag", "name", "name <> 'n1'", conditions, vec![vec![Include::new("tasks")], vec![deep]])
}

fn asked(
    model: &'static str,
    field: &'static str,
    text: &str,
    filters: Vec<Filter>,
    includes: Vec<Vec<Include>>,
) -> impl Strategy<Value = Query> {
    let mut conditions = vec![QueryCondition::Where(text.to_owned())];
    conditions.extend(filters.into_iter().map(QueryCondition::from));
    let order = prop_oneof![Just(vec![]), Just(vec![Order::descending(field)]), Just(vec![Order::ascending(field)])];
    let (conditions, includes) = (prop::sample::select(conditions), prop::sample::select(includes));
    let limit = prop_oneof![Just(None), (1..5_u64).prop_map(Some)];
    (conditions, includes, order, limit).prop_map(move |(condition, include, order, limit)| Query {
        condition,
        order,
        limit,
        include,
        ..Query::new(model)
    })
}

fn query() -> impl Strategy<Value = Asked> {
    (prop_oneof![3 => of_tasks(), 2 => of_lists(), 1 => of_tags()], prop::bool::weighted(0.3))
}

#[test]
fn whatever_is_written_to_related_records_a_live_query_shows_what_a_fresh_one_finds() {
    let task = |n: i64| json!({"id": format!("task{n}"), "rank": n % 4});
    Histories { sdl: SDL, task, query: query(), write: write(), carry_out }.hold(32);
}

/// More records than are asked one by one: a result without a limit runs again, and stays right.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_many_records_stays_right_when_those_change_that_it_filters_by() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    store.save_json("List", record(json!({"id": "list0", "name": "n1"}))).await.unwrap();
    let rows = (0..700).map(|n| record(json!({"id": format!("task{n}"), "rank": n, "listTasksId": "list0"})));
    store.import_json("Task", rows.collect()).await.unwrap();
    let by_list = Query { condition: Filter::related("list", named("n1")).into(), ..Query::new("Task") };
    let with_list = Query { include: vec![Include::new("list")], ..Query::new("Task") };
    let of_list = Query { include: vec![Include::new("tasks")], ..Query::new("List") };
    let mut followers = Vec::new();
    for query in [by_list, with_list, of_list] {
        followers.push(Follower::new(&store, query).await);
    }
    let changes: [(&str, Value); 4] = [
        ("List", json!({"id": "list0", "name": "n2"})),
        ("List", json!({"id": "list0", "name": "n1"})),
        ("Task", json!({"id": "task7", "rank": 9, "listTasksId": null})),
        ("Task", json!({"id": "task7", "rank": 9, "listTasksId": "list0"})),
    ];
    for (model, change) in changes {
        store.save_json(model, record(change)).await.unwrap();
        for follower in &mut followers {
            follower.check(&store).await;
        }
    }
}
