//! Coming back: with ten edits made elsewhere, and with nothing to say.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Map, Value};
use syncline::{Query, Store, SyncReport};

use crate::child::RelayChild;
use crate::proxy::Proxy;
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::work;
use crate::{Result, Scale};

/// Records that are edited while a store is away.
const EDITS: usize = 10;

/// What a reconnect may cost beside the edits.
const IDLE_BYTES: f64 = 500.0;

/// A relay and two stores that have the same records.
struct World {
    relay: RelayChild,
    writer: Store,
    reader: Store,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(count: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let relay = RelayChild::start(&folder.path().join("relay")).await?;
        let writer = work::open(&folder.path().join("writer.db")).await?;
        work::fill(&writer, 0..count).await?;
        let reader = work::open(&folder.path().join("reader.db")).await?;
        let world = Self { relay, writer, reader, folder };
        world.sync(&world.writer).await?;
        world.sync(&world.reader).await?;
        Ok(world)
    }

    async fn sync(&self, store: &Store) -> Result<SyncReport> {
        Ok(store.sync_once(self.relay.url(), work::PATIENCE).await?)
    }

    async fn end(self) -> Result<()> {
        self.writer.close().await?;
        self.reader.close().await?;
        self.relay.end().await
    }
}

/// Ten edits of 10k and of 100k records.
pub(crate) async fn delta(scale: Scale) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in [10_000, 100_000] {
        rows.extend(delta_of(scale.of(count), scale.rounds(5)).await?);
    }
    Ok(rows)
}

async fn delta_of(count: usize, rounds: usize) -> Result<Vec<Row>> {
    let world = World::new(count).await?;
    let ids = some_ids(&world.writer).await?;
    let mut reports = Vec::new();
    for round in 0..rounds {
        for (number, id) in ids.iter().enumerate() {
            let patch = Map::from_iter([("count".to_owned(), Value::from(round * EDITS + number + 7_000_000))]);
            world.writer.update_json("Item", id, patch).await?;
        }
        let edited = newest_bytes(&world.folder.path().join("writer.db"))?;
        world.sync(&world.writer).await?;
        reports.push((edited, world.sync(&world.reader).await?));
    }
    world.end().await?;
    let name = |what: &str| format!("{what}, {EDITS} edits of {}k", count / 1000);
    let edited: Samples = reports.iter().map(|(edited, _)| *edited).collect();
    let allowed = IDLE_BYTES + 2.0 * edited.median();
    Ok(vec![
        Row::new("delta", name("round trips"), "", reports.iter().map(|(_, r)| r.round_trips as f64).collect())
            .goal(Goal::AtMost(1.0)),
        Row::new("delta", name("bytes on streams"), "B", reports.iter().map(|(_, r)| bytes(r)).collect())
            .beside("the edits' changes", edited)
            .goal(Goal::AtMost(allowed)),
        Row::new("delta", name("time with the dial"), "ms", reports.iter().map(|(_, r)| r.millis as f64).collect()),
    ])
}

/// A reconnect with nothing to say, at 10k and at 100k records.
pub(crate) async fn idle(scale: Scale) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in [10_000, 100_000] {
        rows.extend(idle_of(scale.of(count), scale.rounds(5)).await?);
    }
    Ok(rows)
}

async fn idle_of(count: usize, rounds: usize) -> Result<Vec<Row>> {
    let world = World::new(count).await?;
    let mut reports = Vec::new();
    for _ in 0..rounds {
        reports.push(world.sync(&world.reader).await?);
    }
    // The store knows the relay, but not at the forwarder's address: its first sync there is a row of its own.
    let (mut elsewhere, mut wire) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let proxy = Proxy::start(world.relay.url()).await?;
        elsewhere.push(world.reader.sync_once(proxy.url(), work::PATIENCE).await?);
        let before = proxy.bytes();
        world.reader.sync_once(proxy.url(), work::PATIENCE).await?;
        wire.push((proxy.bytes() - before) as f64);
    }
    world.end().await?;
    let name = |what: &str| format!("{what}, {}k records", count / 1000);
    let millis = |reports: &[SyncReport]| -> Samples { reports.iter().map(|r| r.millis as f64).collect() };
    Ok(vec![
        Row::new("idle", name("round trips"), "", reports.iter().map(|r| r.round_trips as f64).collect())
            .goal(Goal::AtMost(1.0)),
        Row::new("idle", name("bytes on streams"), "B", reports.iter().map(bytes).collect())
            .goal(Goal::AtMost(IDLE_BYTES)),
        Row::new("idle", name("bytes on the wire, handshake included"), "B", wire.into_iter().collect()),
        Row::new("idle", name("time with the dial"), "ms", millis(&reports)),
        Row::new("idle", name("bytes on streams, relay at a new address"), "B", elsewhere.iter().map(bytes).collect()),
        Row::new("idle", name("time, relay at a new address"), "ms", millis(&elsewhere)),
    ])
}

async fn some_ids(store: &Store) -> Result<Vec<String>> {
    let page = store.query_json(Query { limit: Some(EDITS as u64), ..Query::new("Item") }).await?;
    let id = |record: &Map<String, Value>| record["id"].as_str().unwrap_or_default().to_owned();
    Ok(page.records.iter().map(id).collect())
}

/// Bytes of the changes of the last edits.
fn newest_bytes(path: &Path) -> Result<f64> {
    let db = Connection::open(path)?;
    let sql = "SELECT sum(length(bytes)) FROM (SELECT bytes FROM syncline_log ORDER BY seq DESC LIMIT ?1)";
    Ok(db.query_row(sql, [EDITS as i64], |row| row.get::<_, i64>(0))? as f64)
}

fn bytes(report: &SyncReport) -> f64 {
    (report.bytes_sent + report.bytes_received) as f64
}
