//! Live queries: after each commit they show what a fresh query finds, whatever is written and whatever is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use syncline::{Filter, Include, Options, Order, Query, QueryCondition as Condition, Record, Store};

use crate::support::live::{Follower, Histories, apply};
use crate::support::{Bed, in_time, record};

const SDL: &str = r#"
    type List @model { name: String! tasks: [Task] @hasMany }
    type Task @model {
      title: String @index(name: "byTitle")
      rank: Int @index(name: "byRank", sortKeyFields: ["title"])
      weight: Float
      done: Boolean
      labels: [String!] @set
      steps: [String]
      list: List @belongsTo
    }
"#;

/// One write: to which of the records, and what.
#[derive(Clone, Debug)]
enum Write {
    Create(u8, Record),
    Update(u8, Record),
    Delete(u8),
    Undelete(u8),
    List(u8, u8),
    Many(Vec<(u8, i64)>),
}

fn word() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!("a"),
        json!("b"),
        json!("B"),
        json!("é"),
        json!("ab"),
        json!("\u{10FFFF}"),
    ])
}

fn values() -> impl Strategy<Value = Record> {
    let rank = prop_oneof![Just(json!(null)), (0..4_i64).prop_map(Value::from)];
    let weight = prop_oneof![Just(json!(null)), (-2..3_i32).prop_map(|n| json!(f64::from(n) / 2.0))];
    let list = prop_oneof![Just(json!(null)), (0..3_u8).prop_map(|n| json!(format!("list{n}")))];
    let labels = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "é"]), 0..3);
    let steps = prop::option::of(prop::collection::vec(word(), 0..3));
    (word(), rank, weight, any::<bool>(), list, labels, steps).prop_map(
        |(title, rank, weight, done, list, labels, steps)| {
            record(json!({
                "title": title, "rank": rank, "weight": weight, "done": done, "listTasksId": list, "labels": labels,
                "steps": steps,
            }))
        },
    )
}

fn text() -> impl Strategy<Value = Condition> {
    let texts = [
        "rank > 1 OR title IS NULL",
        "title LIKE 'a%' AND NOT done",
        "weight BETWEEN -0.5 AND 0.5 AND listTasksId IN ('list0', 'list2')",
        "title || '!' = 'ab!' OR rank + 1 <> 2",
        "length(title) = 1",
    ];
    prop::sample::select(texts.to_vec()).prop_map(|text| Condition::Where(text.to_owned()))
}

fn lists() -> impl Strategy<Value = Condition> {
    let (has_label, has_step) = (Filter::contains("labels", "a"), Filter::contains("steps", "b"));
    let filters = [
        has_label.clone(),
        has_step.clone(),
        Filter::not_contains("labels", "é"),
        Filter::not_contains("steps", "a"),
        Filter::Not(Box::new(has_step.clone())) & Filter::ge("rank", 1),
        has_label | has_step,
    ];
    prop::sample::select(filters.to_vec()).prop_map(Condition::from)
}

fn write() -> impl Strategy<Value = Write> {
    let place = 0..24_u8;
    prop_oneof![
        4 => (place.clone(), values()).prop_map(|(at, values)| Write::Create(at, values)),
        4 => (place.clone(), values()).prop_map(|(at, values)| Write::Update(at, values)),
        2 => place.clone().prop_map(Write::Delete),
        1 => place.clone().prop_map(Write::Undelete),
        1 => (0..3_u8, 0..3_u8).prop_map(|(at, name)| Write::List(at, name)),
        1 => prop::collection::vec((place, 0..4_i64), 1..12).prop_map(Write::Many),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let condition = prop_oneof![
        2 => Just(Condition::from(Filter::All)),
        2 => (0..4_i64).prop_map(|n| Filter::ge("rank", n).into()),
        2 => word().prop_map(|word| Filter::eq("title", word).into()),
        1 => (word(), word()).prop_map(|(a, b)| Filter::any_of("title", [a, b]).into()),
        1 => (-2..3_i32).prop_map(|n| Filter::eq("weight", f64::from(n) / 2.0).into()),
        1 => (0..3_u8, 0..4_i64).prop_map(|(n, least)| {
            (Filter::ge("rank", least) & Filter::eq("listTasksId", format!("list{n}"))).into()
        }),
        1 => Just(Condition::from(Filter::eq("done", true) & Filter::ne("title", "a"))),
        2 => text(),
        2 => lists(),
        1 => (0..3_u8).prop_map(|n| Filter::related("list", Filter::eq("name", format!("name{n}"))).into()),
    ];
    let key = prop::sample::select(vec!["title", "rank", "weight", "done", "createdAt"]);
    let order = (key, any::<bool>(), any::<bool>()).prop_map(|(field, descending, last)| {
        let order = if descending { Order::descending(field) } else { Order::ascending(field) };
        if last { order.nulls_last() } else { order.nulls_first() }
    });
    let limit = prop_oneof![Just(None), (0..6_u64).prop_map(Some)];
    (condition, prop::collection::vec(order, 0..3), limit, 0..4_u64, any::<bool>()).prop_map(
        |(condition, order, limit, offset, include)| Query {
            condition,
            order,
            limit,
            offset,
            include: if include { vec![Include::new("list")] } else { Vec::new() },
            ..Query::new("Task")
        },
    )
}

async fn carry_out(store: &Store, write: Write) {
    let name = |at: u8| format!("task{at}");
    match write {
        Write::Create(at, mut values) => {
            values.insert("id".to_owned(), json!(name(at)));
            store.save_json("Task", values).await.map(drop).unwrap();
        }
        Write::Update(at, values) => drop(store.update_json("Task", &name(at), values).await),
        Write::Delete(at) => drop(store.delete_json("Task", &name(at)).await),
        Write::Undelete(at) => drop(store.undelete_json("Task", &name(at)).await),
        Write::List(at, other) => {
            let list = json!({"id": format!("list{at}"), "name": format!("name{other}")});
            store.save_json("List", record(list)).await.map(drop).unwrap();
        }
        Write::Many(all) => {
            let many = store.transaction(move |tx| {
                for (at, rank) in all {
                    tx.save_json("Task", &record(json!({"id": name(at), "rank": rank})))?;
                }
                Ok(())
            });
            many.await.unwrap();
        }
    }
}

#[test]
fn whatever_is_written_a_live_query_shows_what_a_fresh_one_finds() {
    let task = |n: i64| json!({"id": format!("task{n}"), "rank": n % 4, "title": "b", "steps": ["a", "b"]});
    Histories { sdl: SDL, task, query: query().prop_map(|query| (query, false)), write: write(), carry_out }.hold(24);
}

/// Records enough for many spare ones, and a limit far below them: those that go are followed by those that are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_many_records_stays_right_while_its_first_ones_go() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let rows = (0..400).map(|n| record(json!({"id": format!("t{n:03}"), "rank": n, "title": "x"})));
    store.import_json("Task", rows.collect()).await.unwrap();
    let query = Query { order: vec![Order::ascending("rank")], limit: Some(10), offset: 5, ..Query::new("Task") };
    let mut follower = Follower::new(&store, query).await;
    for n in 0..200 {
        store.delete_json("Task", &format!("t{n:03}")).await.unwrap();
        follower.check(&store).await;
    }
    for n in (0..150).rev() {
        store.undelete_json("Task", &format!("t{n:03}")).await.unwrap();
        follower.check(&store).await;
    }
}

/// Updates that leave the order as it was, of all that a result with a limit holds. The last record that was held was let
/// go each time, for others may stand behind the last; nothing was left of the result in the end, and it stayed so.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_stays_whole_while_all_its_records_get_other_values() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let rows = (0..400).map(|n| record(json!({"id": format!("t{n:03}"), "rank": n, "title": "x"})));
    store.import_json("Task", rows.collect()).await.unwrap();
    for order in [Order::descending("rank"), Order::ascending("rank")] {
        let query = Query { order: vec![order], limit: Some(10), ..Query::new("Task") };
        let mut follower = Follower::new(&store, query).await;
        for done in [true, false, true] {
            let all = (0..400).map(|n| format!("t{n:03}"));
            for ids in all.collect::<Vec<_>>().chunks(100) {
                let ids = ids.to_vec();
                let many = store.transaction(move |tx| {
                    ids.iter().try_for_each(|id| tx.update_json("Task", id, &record(json!({"done": done}))).map(drop))
                });
                many.await.unwrap();
                follower.check(&store).await;
            }
            for n in (0..40).chain(360..400) {
                let id = format!("t{n:03}");
                store.update_json("Task", &id, record(json!({"done": !done}))).await.unwrap();
                follower.check(&store).await;
            }
            assert_eq!(follower.shown.len(), 10);
        }
    }
}

/// Two accounts between which transactions move money, from two handles on the file as from two processes: whoever
/// follows them sees each transaction whole or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_live_query_never_shows_half_a_transaction() {
    let bed = Bed::new();
    let path = bed.path("app.db");
    let (here, there) = (Store::open(&path, SDL).await.unwrap(), Store::open(&path, SDL).await.unwrap());
    for name in ["a", "b", "c"] {
        here.save_json("Task", record(json!({"id": name, "rank": 100, "title": name}))).await.unwrap();
    }
    let total = |items: &[Arc<Record>]| items.iter().map(|item| item["rank"].as_i64().unwrap()).sum::<i64>();
    let writer = |store: Store, salt: u64| {
        tokio::spawn(async move {
            for n in 0..150_u64 {
                let (from, to) = (((n + salt) % 3) as usize, ((n + salt + 1) % 3) as usize);
                let moved = store.transaction(move |tx| {
                    let mut ranks = BTreeMap::new();
                    for at in [from, to] {
                        let id = ["a", "b", "c"][at];
                        let found = tx.get_json("Task", id)?.and_then(|found| found["rank"].as_i64());
                        ranks.insert(id, found.unwrap_or_default());
                    }
                    for (id, by) in [(["a", "b", "c"][from], -1), (["a", "b", "c"][to], 1)] {
                        tx.update_json("Task", id, &record(json!({"rank": ranks[id] + by})))?;
                    }
                    Ok(())
                });
                moved.await.unwrap();
            }
        })
    };
    let mut live = here.observe_query_json(Query { order: vec![Order::descending("rank")], ..Query::new("Task") });
    let writers = [writer(here.clone(), 0), writer(there.clone(), 1)];
    let mut seen = 0;
    let following = tokio::spawn(async move {
        while let Some(snapshot) = live.next().await {
            let snapshot = snapshot.unwrap();
            assert_eq!(total(&snapshot.items), 300, "{:?}", snapshot.items);
            seen += 1;
            if snapshot.items.iter().any(|item| item["title"] == "end") {
                return seen;
            }
        }
        seen
    });
    for writer in writers {
        writer.await.unwrap();
    }
    here.save_json("Task", record(json!({"id": "end", "title": "end", "rank": 0}))).await.unwrap();
    assert!(in_time(following).await.unwrap() > 1);
}

/// So many that a thread sorts for them what they need not look at, while they are brought up to date all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_live_queries_end_at_what_fresh_ones_find_however_fast_others_write() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let titled = |title: &str| Query { condition: Filter::eq("title", title).into(), ..Query::new("Task") };
    let asked = ["a", "b", "c"].iter().flat_map(|title| {
        let first = Query { order: vec![Order::ascending("rank")], limit: Some(2), ..titled(title) };
        let lists = Filter::eq("id", format!("list-{title}"));
        let with_tasks = Query { condition: lists.into(), include: vec![Include::new("tasks")], ..Query::new("List") };
        [titled(title), first, with_tasks, Query { include: vec![Include::new("list")], ..titled(title) }]
    });
    for title in ["a", "b", "c"] {
        let list = record(json!({"id": format!("list-{title}"), "name": title}));
        store.save_json("List", list).await.unwrap();
    }
    let mut followers = Vec::new();
    for query in asked.collect::<Vec<_>>() {
        followers.push(Follower::new(&store, query).await);
    }
    for round in 0..4 {
        let writers = (0..4_i64).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..150_i64 {
                    let at = (n * 7 + writer * 5 + round) % 24;
                    let title = ["a", "b", "c"][((n + writer * n + round) % 3) as usize];
                    let list = format!("list-{}", ["a", "b", "c", "d"][((n + at) % 4) as usize]);
                    let task = json!({"id": format!("t{at}"), "title": title, "rank": n % 9, "listTasksId": list});
                    store.save_json("Task", record(task)).await.unwrap();
                    let list = record(
                        json!({"id": format!("list-{}", ["a", "b", "c"][(n % 3) as usize]), "name": n.to_string()}),
                    );
                    store.save_json("List", list).await.unwrap();
                    if n % 5 == writer {
                        store.delete_json("Task", &format!("t{}", (at + 1) % 24)).await.map(drop).unwrap_or_default();
                    }
                }
            })
        });
        let followed = followers.into_iter().map(|mut follower| {
            tokio::spawn(async move {
                // Whatever comes while others write.
                while tokio::time::timeout(Duration::from_millis(300), follower.step()).await.is_ok() {}
                follower
            })
        });
        let (writers, followed): (Vec<_>, Vec<_>) = (writers.collect(), followed.collect());
        for writer in writers {
            writer.await.unwrap();
        }
        followers = Vec::new();
        for follower in followed {
            followers.push(follower.await.unwrap());
        }
        for follower in &mut followers {
            follower.settle(&store).await;
        }
    }
}

/// A follower that nobody reads holds a bounded number of rows, and shows the right result once it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_that_nobody_reads_shows_the_right_result_later() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let query = Query { order: vec![Order::descending("rank")], limit: Some(3), ..Query::new("Task") };
    let mut follower = Follower::new(&store, query).await;
    for part in 0..10 {
        let rows = (0..500).map(|n| record(json!({"id": format!("{part}-{n}"), "rank": part * 500 + n})));
        store.import_json("Task", rows.collect()).await.unwrap();
    }
    follower.check(&store).await;
    assert_eq!(follower.shown[0]["rank"], 4_999);
    // And goes on from there.
    store.save_json("Task", record(json!({"id": "more", "rank": 9_999}))).await.unwrap();
    follower.check(&store).await;
    assert_eq!(follower.shown[0]["id"], "more");
}

/// What a wait for the outbox had found in the file counted as told, and nobody was: a live query that was woken by a
/// commit of its own process showed a state without the other one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_shows_what_a_wait_has_found_of_another_process() {
    let bed = Bed::new();
    let open = async || Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let (here, process) = (open().await, open().await);
    let mut follower = Follower::new(&here, Query::new("Task")).await;
    for n in 0..5_i64 {
        // The store looks for others' commits now and then by itself, so once may be too early or too late.
        here.save_json("Task", record(json!({"rank": n, "title": "here"}))).await.unwrap();
        process.save_json("Task", record(json!({"rank": n, "title": "elsewhere"}))).await.unwrap();
        here.wait_until_sent(Duration::from_millis(20)).await.unwrap_err();
        follower.check(&here).await;
    }
}

/// A close that came right behind a write was taken up with it: the store was closed, and whoever had asked for that
/// waited for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_right_behind_a_write_ends_both() {
    for _ in 0..30 {
        let bed = Bed::new();
        let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
        let save = |n: i64| store.save_json("Task", record(json!({"rank": n, "title": "x"})));
        let (first, second, closed) = in_time(async { tokio::join!(save(1), save(2), store.close()) }).await;
        closed.unwrap();
        let saved = usize::from(first.is_ok()) + usize::from(second.is_ok());
        let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
        assert_eq!(store.query_json(Query::new("Task")).await.unwrap().records.len(), saved);
    }
}

/// Whoever asked a live query of a model that the schema lacks for its next result got the same error again and again,
/// as fast as it could ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_that_is_wrong_says_so_once() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    for query in [Query::new("Tusk"), Query { order: vec![Order::ascending("rnak")], ..Query::new("Task") }] {
        let mut live = store.observe_query_json(query);
        let wrong = in_time(live.next()).await.unwrap().unwrap_err();
        assert!(wrong.to_string().contains("did you mean"), "{wrong}");
        assert!(in_time(live.next()).await.is_none());
    }
}

/// Two live queries in one task that are concerned by the same commit: none waits for what only the other can do.
#[tokio::test(flavor = "multi_thread")]
async fn two_live_queries_of_one_task_do_not_wait_for_each_other() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let query = || Query { condition: Filter::ge("rank", 5).into(), ..Query::new("Task") };
    let (mut one, mut other) = (Follower::new(&store, query()).await, Follower::new(&store, query()).await);
    for n in 0..50_i64 {
        store.save_json("Task", record(json!({"rank": n % 10, "title": "x"}))).await.unwrap();
        {
            // The first is asked and then left as it is, while the second is waited for.
            let mut first = std::pin::pin!(one.live.next());
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx))).await;
            in_time(other.check(&store)).await;
            if let std::task::Poll::Ready(Some(Ok(snapshot))) = polled {
                apply(&mut one.shown, &snapshot.changes);
            } else if n % 10 >= 5 {
                let snapshot = in_time(first).await.unwrap().unwrap();
                apply(&mut one.shown, &snapshot.changes);
            }
        }
        one.check(&store).await;
    }
}
