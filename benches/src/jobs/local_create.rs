//! Creating records locally, beside the same rows inserted by hand.

use std::path::Path;
use std::time::Duration;

use syncline::Store;

use crate::by_hand::Content;
use crate::input;
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
    Transactions,
}

impl Way {
    const ALL: [Self; 5] =
        [Self::OneCallEach, Self::OneTypedCallEach, Self::InFlight, Self::Imports, Self::Transactions];

    fn name(self) -> String {
        match self {
            Self::OneCallEach => "one call each".to_owned(),
            Self::OneTypedCallEach => "one typed call each".to_owned(),
            Self::InFlight => format!("{IN_FLIGHT} calls in flight"),
            Self::Imports => format!("imports of {}", work::BATCH),
            Self::Transactions => format!("transactions of {}", work::BATCH),
        }
    }

    /// Records per transaction by hand.
    fn per_transaction(self) -> usize {
        match self {
            Self::OneCallEach | Self::OneTypedCallEach => 1,
            Self::InFlight => IN_FLIGHT,
            Self::Imports | Self::Transactions => work::BATCH,
        }
    }

    fn goal(self) -> Option<Goal> {
        match self {
            Self::OneCallEach | Self::Imports => Some(Goal::RatioAtLeast(0.5)),
            Self::OneTypedCallEach | Self::InFlight | Self::Transactions => None,
        }
    }

    fn count(self, scale: Scale) -> usize {
        scale.of(if self.per_transaction() == 1 { 20_000 } else { 100_000 })
    }

    async fn create(self, store: &Store, count: usize) -> Result<()> {
        match self {
            Self::OneCallEach => one_call_each(store, count).await,
            Self::OneTypedCallEach => one_typed_call_each(store, count).await,
            Self::InFlight => in_flight(store, count).await,
            Self::Imports => work::fill(store, 0..count).await,
            Self::Transactions => transactions(store, count).await,
        }
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
    let (took, ()) = work::timed(way.create(&store, count)).await?;
    store.close().await?;
    Ok(took)
}

async fn one_call_each(store: &Store, count: usize) -> Result<()> {
    for number in 0..count {
        store.save_json("Item", input::item(number)).await?;
    }
    Ok(())
}

async fn one_typed_call_each(store: &Store, count: usize) -> Result<()> {
    for number in 0..count {
        store.save(&input::typed_item(number)).await?;
    }
    Ok(())
}

async fn in_flight(store: &Store, count: usize) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..IN_FLIGHT {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (task..count).step_by(IN_FLIGHT) {
                store.save_json("Item", input::item(number)).await?;
            }
            Ok::<(), syncline::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn transactions(store: &Store, count: usize) -> Result<()> {
    let mut next = 0;
    while next < count {
        let end = (next + work::BATCH).min(count);
        let records: Vec<_> = (next..end).map(input::item).collect();
        store
            .transaction(move |tx| {
                for record in &records {
                    tx.save_json("Item", record)?;
                }
                Ok(())
            })
            .await?;
        next = end;
    }
    Ok(())
}
