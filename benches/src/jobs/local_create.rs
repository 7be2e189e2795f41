//! Creating records locally, beside the same rows inserted by hand.

use std::path::Path;
use std::time::Duration;

use syncline::{Record, Store};

use crate::by_hand::Content;
use crate::input::{self, models::Item};
use crate::report::{Goal, Row};
use crate::work::{self, rate};
use crate::{Result, Scale};

const JOB: &str = "local-create";

/// Calls that wait at a time.
const IN_FLIGHT: usize = 64;

/// How records are created.
#[derive(Clone, Copy)]
enum Way {
    OneCallEach,
    OneTypedCallEach,
    InFlight,
    Imports,
    Batches,
    Transactions,
}

impl Way {
    const ALL: [Self; 6] =
        [Self::OneCallEach, Self::OneTypedCallEach, Self::InFlight, Self::Imports, Self::Batches, Self::Transactions];

    fn name(self) -> String {
        match self {
            Self::OneCallEach => "one call each".to_owned(),
            Self::OneTypedCallEach => "one typed call each".to_owned(),
            Self::InFlight => format!("{IN_FLIGHT} calls in flight"),
            Self::Imports => format!("imports of {}", work::BATCH),
            Self::Batches => format!("batches of {}, each whole or not at all", work::BATCH),
            Self::Transactions => format!("transactions of {}", work::BATCH),
        }
    }

    /// Records per transaction by hand.
    fn per_transaction(self) -> usize {
        match self {
            Self::OneCallEach | Self::OneTypedCallEach => 1,
            Self::InFlight => IN_FLIGHT,
            Self::Imports | Self::Batches | Self::Transactions => work::BATCH,
        }
    }

    fn goal(self) -> Option<Goal> {
        match self {
            Self::OneCallEach | Self::Imports | Self::Batches => Some(Goal::RatioAtLeast(0.5)),
            Self::OneTypedCallEach | Self::InFlight | Self::Transactions => None,
        }
    }

    fn count(self, scale: Scale) -> usize {
        scale.of(if self.per_transaction() == 1 { 20_000 } else { 100_000 })
    }

    /// Creates so many records. They are there before the clock starts, as the rows by hand are.
    async fn create(self, store: &Store, count: usize) -> Result<Duration> {
        let records = || (0..count).map(input::item).collect::<Vec<Record>>();
        let (took, ()) = match self {
            Self::OneCallEach => work::timed(one_call_each(store, records())).await?,
            Self::OneTypedCallEach => {
                let items = (0..count).map(input::typed_item).collect();
                work::timed(one_typed_call_each(store, items)).await?
            }
            Self::InFlight => work::timed(in_flight(store, lanes(records()))).await?,
            Self::Imports => work::timed(imports(store, records())).await?,
            Self::Batches => work::timed(batches(store, records())).await?,
            Self::Transactions => work::timed(transactions(store, records())).await?,
        };
        Ok(took)
    }
}

/// Measures every way.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for way in Way::ALL {
        rows.push(measure(way, scale).await?);
    }
    Ok(rows)
}

async fn measure(way: Way, scale: Scale) -> Result<Row> {
    let count = way.count(scale);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds(5) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store.db");
        ours.push(rate(count, engine(way, &path, count).await?));
        let content = Content::read(&path)?;
        theirs.push(rate(count, content.fill(&folder.path().join("hand.db"), way.per_transaction())?));
    }
    let row = Row::new(JOB, way.name(), "records/s", ours.into_iter().collect())
        .beside(format!("same rows by hand, {} per transaction", way.per_transaction()), theirs.into_iter().collect());
    Ok(match way.goal() {
        Some(goal) => row.goal(goal),
        None => row,
    })
}

async fn engine(way: Way, path: &Path, count: usize) -> Result<Duration> {
    let store = work::open(path).await?;
    // The first write takes the store's name; that is no part of a save.
    let first = store.save_json("Item", input::item(count)).await?;
    drop(first);
    let took = way.create(&store, count).await?;
    store.close().await?;
    Ok(took)
}

async fn one_call_each(store: &Store, records: Vec<Record>) -> Result<()> {
    for record in records {
        store.save_json("Item", record).await?;
    }
    Ok(())
}

async fn one_typed_call_each(store: &Store, items: Vec<Item>) -> Result<()> {
    for item in &items {
        store.save(item).await?;
    }
    Ok(())
}

/// The records, one after the other to each of the calls in flight.
fn lanes(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut lanes = vec![Vec::new(); IN_FLIGHT];
    for (number, record) in records.into_iter().enumerate() {
        lanes[number % IN_FLIGHT].push(record);
    }
    lanes
}

async fn in_flight(store: &Store, lanes: Vec<Vec<Record>>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        let store = store.clone();
        tasks.spawn(async move { one_call_each(&store, lane).await.map_err(|error| error.to_string()) });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn imports(store: &Store, records: Vec<Record>) -> Result<()> {
    for batch in batches_of(records) {
        work::import(store, "Item", batch).await?;
    }
    Ok(())
}

async fn batches(store: &Store, records: Vec<Record>) -> Result<()> {
    for batch in batches_of(records) {
        store.save_all_json("Item", batch).await?;
    }
    Ok(())
}

async fn transactions(store: &Store, records: Vec<Record>) -> Result<()> {
    for batch in batches_of(records) {
        store
            .transaction(move |tx| {
                for record in &batch {
                    tx.save_json("Item", record)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}

fn batches_of(records: Vec<Record>) -> impl Iterator<Item = Vec<Record>> {
    let mut records = records.into_iter();
    std::iter::from_fn(move || {
        let batch: Vec<Record> = records.by_ref().take(work::BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    })
}
