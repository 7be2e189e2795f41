//! What idle clients cost a relay: its resident memory before and after they came.

use std::time::Duration;

use crate::child::{Child, Command, RelayChild};
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "relay-memory";

/// Records in the namespace.
const RECORDS: usize = 100;

/// How long everything may settle before memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures with 1k clients.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(1000);
    let folder = tempfile::tempdir()?;
    let relay = RelayChild::start(&folder.path().join("relay")).await?;
    let store = work::open(&folder.path().join("writer.db")).await?;
    work::fill(&store, 0..RECORDS).await?;
    store.sync_once(relay.url(), work::PATIENCE).await?;
    store.close().await?;
    let before = relay.memory()?.now_kib;
    let clients = folder.path().join("clients");
    std::fs::create_dir(&clients)?;
    let mut child = Child::start(&Command::IdleClients { folder: clients, url: relay.url().to_owned(), count })?;
    child.line().await?;
    tokio::time::sleep(SETTLE).await;
    let after = relay.memory()?;
    child.end().await?;
    relay.end().await?;
    let each = (after.now_kib.saturating_sub(before)) as f64 / count as f64;
    Ok(vec![
        Row::new(JOB, format!("per idle client, {count} clients"), "KiB", Samples::one(each)).goal(Goal::AtMost(60.0)),
        Row::new(JOB, "relay before they came", "KiB", Samples::one(before as f64)),
        Row::new(JOB, format!("relay's peak, {count} clients"), "KiB", Samples::one(after.peak_kib as f64)),
    ])
}
