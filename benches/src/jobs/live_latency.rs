//! From an edit's call on one store to its sight on another, over a relay.
//!
//! Two disks must sync on the way: the writer's before the change leaves, the relay's before it goes on.
//! What a sync costs is measured between the edits, and taken off in a row of its own.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use syncline::{Observer, Store};

use crate::child::{Child, Command, RelayChild, sync_apart};
use crate::machine::Fsync;
use crate::quic::Pair;
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "live-latency";

/// Syncs between an edit and its sight.
const SYNCS: f64 = 2.0;

/// Pause between edits beside a backfill.
const PAUSE: Duration = Duration::from_millis(5);

struct Scene {
    writer: Store,
    observer: Observer,
    id: String,
    edits: i64,
}

impl Scene {
    /// One edit; ms until it is seen.
    async fn edit(&mut self) -> Result<f64> {
        self.edits += 1;
        let patch = Map::from_iter([("count".to_owned(), Value::from(self.edits))]);
        let began = Instant::now();
        self.writer.update_json("Item", &self.id, patch).await?;
        loop {
            let seen = tokio::time::timeout(work::PATIENCE, self.observer.next()).await;
            let seen = seen.map_err(|_| "an edit was never seen")?.ok_or("the reader's store has closed")??;
            if seen.record.is_some_and(|record| record["count"] == self.edits) {
                return Ok(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
}

/// Measures both.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(100_000);
    let folder = tempfile::tempdir()?;
    let relay = RelayChild::start(&folder.path().join("relay")).await?;
    let filler = folder.path().join("filler.db");
    work::filled(&filler, count).await?;
    sync_apart(&filler, relay.url()).await?;
    let writer = work::open(&folder.path().join("writer.db")).await?;
    let reader = work::open(&folder.path().join("reader.db")).await?;
    let links = (work::link(&writer, relay.url()).await?, work::link(&reader, relay.url()).await?);
    let observer = reader.observe_json(Some("Item".to_owned()));
    let id =
        writer.save_json("Item", crate::input::item(0)).await?.record["id"].as_str().unwrap_or_default().to_owned();
    let mut scene = Scene { writer: writer.clone(), observer, id, edits: 10_000_000 };
    scene.edit().await?;

    let mut rows = alone(&mut scene, &mut Fsync::new(folder.path())?, scale.of(1000)).await?;
    rows.push(beside_backfill(&mut scene, folder.path(), relay.url(), scale.rounds(3), count).await?);
    drop(links);
    writer.close().await?;
    reader.close().await?;
    relay.end().await?;
    Ok(rows)
}

async fn alone(scene: &mut Scene, fsync: &mut Fsync, count: usize) -> Result<Vec<Row>> {
    let pair = Pair::connect().await?;
    let (mut seen, mut syncs) = (Vec::new(), Vec::new());
    for number in 0..count {
        seen.push(scene.edit().await?);
        if number % 10 == 0 {
            syncs.push(fsync.once()?.as_secs_f64() * 1e3);
        }
    }
    let (seen, syncs): (Samples, Samples) = (seen.into_iter().collect(), syncs.into_iter().collect());
    let without = Samples::one(seen.median() - SYNCS * syncs.median());
    let echoes = pair.echoes(count).await?;
    Ok(vec![
        Row::new(JOB, "p50, edit until seen", "ms", Samples::one(seen.median()))
            .beside("bare QUIC echo, one connection", Samples::one(echoes.median())),
        Row::new(JOB, "p99, edit until seen", "ms", Samples::one(seen.percentile(99.0))),
        Row::new(JOB, "one fsync here", "ms", Samples::one(syncs.median())),
        Row::new(JOB, "p50 without two fsyncs", "ms", without).goal(Goal::AtMost(0.5)),
    ])
}

async fn beside_backfill(
    scene: &mut Scene,
    folder: &std::path::Path,
    url: &str,
    rounds: usize,
    count: usize,
) -> Result<Row> {
    let mut p99 = Vec::new();
    for round in 0..rounds {
        let store = folder.join(format!("new-{round}.db"));
        let mut child = Child::start(&Command::Sync { store, url: url.to_owned() })?;
        let mut seen = Vec::new();
        let over = loop {
            tokio::select! {
                line = child.line() => break line,
                () = tokio::time::sleep(PAUSE) => {}
            }
            seen.push(scene.edit().await?);
        };
        over?;
        child.end().await?;
        p99.push(seen.into_iter().collect::<Samples>().percentile(99.0));
    }
    let name = format!("p99 beside another's first sync of {}k", count / 1000);
    Ok(Row::new(JOB, name, "ms", p99.into_iter().collect()).goal(Goal::AtMost(50.0)))
}
