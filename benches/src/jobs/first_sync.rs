//! A new store fetches everything through a relay; relay and stores are processes of their own.
//!
//! Beside it: the same rows inserted by hand, and the same bytes through a bare QUIC stream.

use std::path::Path;

use crate::by_hand::Content;
use crate::child::{RelayChild, Synced, sync_apart};
use crate::proxy::Proxy;
use crate::quic::Pair;
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "first-sync";

/// One round's numbers.
struct Round {
    upload: Synced,
    download: Synced,
    relay_peak_kib: u64,
    by_hand: f64,
    bare: f64,
    wire: u64,
}

/// Measures 10k and 100k records.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (count, rounds) in [(10_000, 5), (100_000, 3)] {
        rows.extend(measure(scale.of(count), scale.rounds(rounds)).await?);
    }
    Ok(rows)
}

async fn measure(count: usize, rounds: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source.db");
    work::filled(&source, count).await?;
    let content = Content::read(&source)?;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        measured.push(round(&source, &content).await?);
    }
    Ok(rows(count, &measured))
}

async fn round(source: &Path, content: &Content) -> Result<Round> {
    let folder = tempfile::tempdir()?;
    // Each round begins with a store that no relay has met.
    let copy = folder.path().join("writer.db");
    std::fs::copy(source, &copy)?;
    let relay = RelayChild::start(&folder.path().join("relay")).await?;
    let upload = sync_apart(&copy, relay.url()).await?;
    let download = sync_apart(&folder.path().join("reader.db"), relay.url()).await?;
    let relay_peak_kib = relay.memory()?.peak_kib;
    let took = content.fill(&folder.path().join("hand.db"), work::BATCH)?;
    let bytes = usize::try_from(download.bytes)?;
    let bare = Pair::connect().await?.transfer(bytes).await?.as_secs_f64();
    let proxy = Proxy::start(relay.url()).await?;
    sync_apart(&folder.path().join("counted.db"), proxy.url()).await?;
    let wire = proxy.bytes();
    relay.end().await?;
    if download.received < content.records() as u64 {
        return Err(format!("{} of {} records came", download.received, content.records()).into());
    }
    Ok(Round { upload, download, relay_peak_kib, by_hand: work::rate(content.records(), took), bare, wire })
}

fn rows(count: usize, rounds: &[Round]) -> Vec<Row> {
    let name = |what: &str| format!("{what}, {}k records", count / 1000);
    let of = |value: &dyn Fn(&Round) -> f64| -> Samples { rounds.iter().map(value).collect() };
    let by_hand = of(&|round| round.by_hand);
    let per_record = |bytes: u64| bytes as f64 / count as f64;
    vec![
        Row::new(JOB, name("download"), "records/s", of(&|round| count as f64 / round.download.seconds))
            .beside(format!("same rows by hand, {} per transaction", work::BATCH), by_hand.clone())
            .goal(Goal::AtLeast(40_000.0)),
        Row::new(JOB, name("upload to the relay"), "records/s", of(&|round| count as f64 / round.upload.seconds))
            .beside(format!("same rows by hand, {} per transaction", work::BATCH), by_hand),
        Row::new(JOB, name("download"), "ms", of(&|round| round.download.seconds * 1e3))
            .beside("same bytes, bare QUIC stream", of(&|round| round.bare * 1e3)),
        Row::new(JOB, name("bytes on streams"), "B/record", of(&|round| per_record(round.download.bytes)))
            .goal(Goal::AtMost(80.0)),
        Row::new(JOB, name("bytes on the wire"), "B/record", of(&|round| per_record(round.wire))),
        Row::new(JOB, name("peak memory of the new store"), "MiB", of(&|r| r.download.peak_kib as f64 / 1024.0)),
        Row::new(JOB, name("peak memory of the relay"), "MiB", of(&|r| r.relay_peak_kib as f64 / 1024.0)),
    ]
}
