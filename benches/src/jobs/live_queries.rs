//! What live queries cost commits: one that a commit concerns, alone and among others, and a thousand that it does not.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use syncline::{Filter, Include, LiveQuery, Options, Order, Query, Store};
use tokio::task::JoinHandle;

use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::{Result, Scale, input, machine, work};

const JOB: &str = "live-queries";

/// Records that the query shows.
const LIMIT: u64 = 50;

/// Time in which all followers have looked at a commit.
const PAUSE: Duration = Duration::from_millis(10);

/// Lists that are shown with their tasks, each by one query.
const LISTS: &str = "type List @model { id: ID! name: String! tasks: [Task] @hasMany }
    type Task @model { id: ID! title: String! list: List @belongsTo }";

/// Tasks of each list.
const TASKS: usize = 10;

/// An edit whose cost is measured.
struct Edited<'a> {
    store: &'a Store,
    model: &'a str,
    id: String,
}

/// Measures both over 100k records, and the second with related records, too.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let (count, queries) = (scale.of(100_000), scale.of(1_000));
    let folder = tempfile::tempdir()?;
    let store = work::open(&folder.path().join("app.db")).await?;
    work::fill(&store, 0..count).await?;
    let lists = Store::open(folder.path().join("lists.db"), Options::new(LISTS)).await?;
    fill_lists(&lists, queries).await?;
    let rows = vec![
        concerned(&store, 0, scale.of(1_000)).await?,
        concerned(&store, queries, scale.of(1_000)).await?,
        of_other_owners(&store, queries, scale).await?,
        of_other_lists(&lists, queries, scale).await?,
    ];
    store.close().await?;
    lists.close().await?;
    Ok(rows)
}

/// So many lists, and one that no query shows.
async fn fill_lists(store: &Store, count: usize) -> Result<()> {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let lists = (0..=count).map(|list| object(json!({ "id": format!("l{list}"), "name": "A list" })));
    let tasks = (0..=count).flat_map(|list| (0..TASKS).map(move |task| (list, task)));
    let tasks = tasks.map(|(list, task)| {
        object(json!({ "id": format!("t{list}.{task}"), "title": "A task", "listTasksId": format!("l{list}") }))
    });
    for (model, records) in [("List", lists.collect::<Vec<_>>()), ("Task", tasks.collect())] {
        for batch in records.chunks(work::BATCH) {
            work::import(store, model, batch.to_vec()).await?;
        }
    }
    Ok(())
}

/// Records with the greatest counts.
fn greatest() -> Query {
    Query { order: vec![Order::descending("count")], limit: Some(LIMIT), ..Query::new("Item") }
}

/// The records of an owner, some of them.
fn of(owner: usize) -> Query {
    let condition = Filter::eq("ownerId", input::owner(owner)).into();
    Query { condition, limit: Some(LIMIT), ..Query::new("Item") }
}

/// An edit of a shown record until the query has told of it, and the same without the query; both beside so many others.
async fn concerned(store: &Store, others: usize, edits: usize) -> Result<Row> {
    let others = follow(store, &(0..others).map(|number| of(number % 900)).collect::<Vec<_>>()).await?;
    let shown = store.query_json(greatest()).await?.records;
    let ids: Vec<&str> = shown.iter().filter_map(|record| record["id"].as_str()).collect();
    let mut live = store.observe_query_json(greatest());
    next(&mut live).await?;
    let (mut alone, mut followed) = (Vec::new(), Vec::new());
    for number in 0..edits {
        let edited = Edited { store, model: "Item", id: ids[number % ids.len()].to_owned() };
        let began = Instant::now();
        edited.retitle(number).await?;
        next(&mut live).await?;
        followed.push(began.elapsed().as_secs_f64() * 1e6);
    }
    drop(live);
    for number in 0..edits {
        let edited = Edited { store, model: "Item", id: ids[number % ids.len()].to_owned() };
        let began = Instant::now();
        edited.retitle(edits + number).await?;
        alone.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let beside = if others.is_empty() { String::new() } else { format!(", beside {} others", others.len()) };
    end(others).await;
    let (alone, followed): (Samples, Samples) = (alone.into_iter().collect(), followed.into_iter().collect());
    let more = Samples::one(followed.median() - alone.median());
    let what = format!("a commit that concerns a query, until its result, more than without{beside}");
    Ok(Row::new(JOB, what, "µs", more).beside("the commit without", alone).goal(Goal::AtMost(200.0)))
}

/// The record that is edited belongs to the first owner, the queries to others.
async fn of_other_owners(store: &Store, queries: usize, scale: Scale) -> Result<Row> {
    let page = store.query_json(Query { limit: Some(1), ..of(0) }).await?;
    let id = page.records.first().and_then(|record| record["id"].as_str()).ok_or("no record of the first owner")?;
    let edited = Edited { store, model: "Item", id: id.to_owned() };
    let asked = (0..queries).map(|number| of(1 + number % 900)).collect();
    let costs = unconcerned(&edited, asked, scale.of(300), scale.rounds(3)).await?;
    let what = format!("a commit that concerns none of {queries} queries, for each");
    Ok(Row::new(JOB, what, "CPU µs", costs).goal(Goal::AtMost(2.0)))
}

/// The task that is edited belongs to a list that no query shows.
async fn of_other_lists(store: &Store, queries: usize, scale: Scale) -> Result<Row> {
    let with_tasks = |list: usize| {
        let condition = Filter::eq("id", format!("l{list}")).into();
        Query { condition, include: vec![Include::new("tasks")], ..Query::new("List") }
    };
    let edited = Edited { store, model: "Task", id: format!("t{queries}.0") };
    let asked = (0..queries).map(with_tasks).collect();
    let costs = unconcerned(&edited, asked, scale.of(300), scale.rounds(3)).await?;
    let what = format!("a commit of a related record that none of {queries} queries shows, for each");
    Ok(Row::new(JOB, what, "CPU µs", costs).goal(Goal::AtMost(2.0)))
}

/// CPU time of commits that none of many queries is concerned by, beyond that of the same commits without them, for
/// each query.
async fn unconcerned(edited: &Edited<'_>, queries: Vec<Query>, edits: usize, rounds: usize) -> Result<Samples> {
    let mut costs = Vec::new();
    for round in 0..rounds {
        let without = cpu_of(edited, edits, 2 * round).await?;
        let followers = follow(edited.store, &queries).await?;
        let with = cpu_of(edited, edits, 2 * round + 1).await?;
        end(followers).await;
        costs.push((with - without) * 1e6 / (edits * queries.len()) as f64);
    }
    Ok(costs.into_iter().collect())
}

/// Tasks that follow the queries, each of which has its first result.
async fn follow(store: &Store, queries: &[Query]) -> Result<Vec<JoinHandle<()>>> {
    let mut followers = Vec::with_capacity(queries.len());
    for query in queries {
        let mut live = store.observe_query_json(query.clone());
        next(&mut live).await?;
        followers.push(tokio::spawn(async move { while live.next().await.is_some() {} }));
    }
    Ok(followers)
}

/// Ends them, with all that their end costs.
async fn end(followers: Vec<JoinHandle<()>>) {
    for follower in followers {
        follower.abort();
        // That it was stopped is no error.
        let _ = follower.await;
    }
}

async fn cpu_of(edited: &Edited<'_>, edits: usize, round: usize) -> Result<f64> {
    let began = machine::cpu_seconds()?;
    for number in 0..edits {
        edited.retitle(round * edits + number).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(machine::cpu_seconds()? - began)
}

impl Edited<'_> {
    async fn retitle(&self, number: usize) -> Result<()> {
        let patch = Map::from_iter([("title".to_owned(), Value::from(format!("title {number}")))]);
        self.store.update_json(self.model, &self.id, patch).await?;
        Ok(())
    }
}

async fn next(live: &mut LiveQuery) -> Result<()> {
    let snapshot = tokio::time::timeout(work::PATIENCE, live.next()).await;
    snapshot.map_err(|_| "a live query told nothing")?.ok_or("the store was closed")??;
    Ok(())
}
