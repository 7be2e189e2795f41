//! What live queries cost commits: one that a commit concerns, and a thousand that it does not.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use syncline::{Filter, LiveQuery, Order, Query, Store};

use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::{Result, Scale, input, machine, work};

const JOB: &str = "live-queries";

/// Records that the query shows.
const LIMIT: u64 = 50;

/// Time in which all followers have looked at a commit.
const PAUSE: Duration = Duration::from_millis(10);

/// Measures both over 100k records.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(100_000);
    let folder = tempfile::tempdir()?;
    let store = work::open(&folder.path().join("app.db")).await?;
    work::fill(&store, 0..count).await?;
    let rows = vec![
        concerned(&store, scale.of(1_000)).await?,
        unconcerned(&store, scale.of(1_000), scale.of(300), scale.rounds(3)).await?,
    ];
    store.close().await?;
    Ok(rows)
}

/// Records with the greatest counts.
fn greatest() -> Query {
    Query { order: vec![Order::descending("count")], limit: Some(LIMIT), ..Query::new("Item") }
}

/// An edit of a shown record until the query has told of it, and the same without the query.
async fn concerned(store: &Store, edits: usize) -> Result<Row> {
    let shown = store.query_json(greatest()).await?.records;
    let ids: Vec<&str> = shown.iter().filter_map(|record| record["id"].as_str()).collect();
    let mut live = store.observe_query_json(greatest());
    next(&mut live).await?;
    let (mut alone, mut followed) = (Vec::new(), Vec::new());
    for number in 0..edits {
        let id = ids[number % ids.len()];
        let began = Instant::now();
        retitle(store, id, number).await?;
        next(&mut live).await?;
        followed.push(began.elapsed().as_secs_f64() * 1e6);
    }
    drop(live);
    for number in 0..edits {
        let began = Instant::now();
        retitle(store, ids[number % ids.len()], edits + number).await?;
        alone.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let (alone, followed): (Samples, Samples) = (alone.into_iter().collect(), followed.into_iter().collect());
    let more = Samples::one(followed.median() - alone.median());
    Ok(Row::new(JOB, "a commit that concerns a query, until its result, more than without", "µs", more)
        .beside("the commit without", alone)
        .goal(Goal::AtMost(200.0)))
}

/// CPU time of commits that none of many queries is concerned by, beyond that of the same commits without them, for
/// each query.
async fn unconcerned(store: &Store, queries: usize, edits: usize, rounds: usize) -> Result<Row> {
    // The record that is edited belongs to the first owner, the queries to others.
    let of = |owner: usize| {
        let condition = Filter::eq("ownerId", input::owner(owner)).into();
        Query { condition, limit: Some(LIMIT), ..Query::new("Item") }
    };
    let page = store.query_json(Query { limit: Some(1), ..of(0) }).await?;
    let id = page.records.first().and_then(|record| record["id"].as_str()).ok_or("no record of the first owner")?;
    let mut costs = Vec::new();
    for round in 0..rounds {
        let without = cpu_of(store, id, edits, 2 * round).await?;
        let mut tasks = Vec::with_capacity(queries);
        for number in 0..queries {
            let mut live = store.observe_query_json(of(1 + number % 900));
            next(&mut live).await?;
            tasks.push(tokio::spawn(async move { while live.next().await.is_some() {} }));
        }
        let with = cpu_of(store, id, edits, 2 * round + 1).await?;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        costs.push((with - without) * 1e6 / (edits * queries) as f64);
    }
    let what = format!("a commit that concerns none of {queries} queries, for each");
    Ok(Row::new(JOB, what, "CPU µs", costs.into_iter().collect()).goal(Goal::AtMost(2.0)))
}

async fn cpu_of(store: &Store, id: &str, edits: usize, round: usize) -> Result<f64> {
    let began = machine::cpu_seconds()?;
    for number in 0..edits {
        retitle(store, id, round * edits + number).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(machine::cpu_seconds()? - began)
}

async fn retitle(store: &Store, id: &str, number: usize) -> Result<()> {
    let patch = Map::from_iter([("title".to_owned(), Value::from(format!("title {number}")))]);
    store.update_json("Item", id, patch).await?;
    Ok(())
}

async fn next(live: &mut LiveQuery) -> Result<()> {
    let snapshot = tokio::time::timeout(work::PATIENCE, live.next()).await;
    snapshot.map_err(|_| "a live query told nothing")?.ok_or("the store was closed")??;
    Ok(())
}
