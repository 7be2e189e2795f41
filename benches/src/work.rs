//! Stores as the jobs use them: opened, filled, measured.

use std::path::Path;
use std::time::{Duration, Instant};

use syncline::{Event, Options, Record, Store};

use crate::Result;
use crate::input::{self, models};

/// Records per import.
pub(crate) const BATCH: usize = 500;

/// How long anything may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Opens a store with the bench's schema.
pub(crate) async fn open(path: &Path) -> Result<Store> {
    Ok(Store::open(path, Options::new(models::SDL)).await?)
}

/// Creates records of these numbers, [`BATCH`] per commit.
pub(crate) async fn fill(store: &Store, numbers: std::ops::Range<usize>) -> Result<()> {
    let mut next = numbers.start;
    while next < numbers.end {
        let end = (next + BATCH).min(numbers.end);
        import(store, "Item", (next..end).map(input::item).collect()).await?;
        next = end;
    }
    Ok(())
}

/// Imports records in one commit; all of them must fit.
pub(crate) async fn import(store: &Store, model: &str, records: Vec<Record>) -> Result<()> {
    for imported in store.import_json(model, records).await? {
        imported?;
    }
    Ok(())
}

/// A closed store of so many records.
pub(crate) async fn filled(path: &Path, count: usize) -> Result<()> {
    let store = open(path).await?;
    fill(&store, 0..count).await?;
    Ok(store.close().await?)
}

/// Keeps a link, and waits until both ends have what the other has.
pub(crate) async fn link(store: &Store, url: &str) -> Result<syncline::Link> {
    let mut events = store.events();
    let link = store.connect(url)?;
    let ready = async {
        while let Some(event) = events.next().await {
            if matches!(event, Ok(Event::Ready)) {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(PATIENCE, ready).await {
        Ok(true) => Ok(link),
        Ok(false) | Err(_) => Err(format!("a link did not come up: {:?}", link.state()).into()),
    }
}

/// Units per second.
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// How long `act` takes.
pub(crate) async fn timed<T>(act: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let began = Instant::now();
    let value = act.await?;
    Ok((began.elapsed(), value))
}
