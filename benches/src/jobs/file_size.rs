//! The size of a closed file, beside the same rows inserted by hand.

use crate::by_hand::Content;
use crate::child::{RelayChild, sync_apart};
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "file-size";

/// Measures a writer's and a receiver's file of 100k records.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(100_000);
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    work::filled(&path("writer.db"), count).await?;
    Content::read(&path("writer.db"))?.fill(&path("hand.db"), work::BATCH)?;
    let relay = RelayChild::start(&path("relay")).await?;
    sync_apart(&path("writer.db"), relay.url()).await?;
    sync_apart(&path("reader.db"), relay.url()).await?;
    relay.end().await?;
    let size = |name: &str| -> Result<Samples> {
        Ok(Samples::one(std::fs::metadata(path(name))?.len() as f64 / count as f64))
    };
    let row = |what: &str, name: &str| -> Result<Row> {
        let row = Row::new(JOB, format!("{what}, {}k records", count / 1000), "B/record", size(name)?);
        Ok(row.beside("same rows by hand", size("hand.db")?).goal(Goal::RatioAtMost(1.25)))
    };
    Ok(vec![row("writer", "writer.db")?, row("receiver", "reader.db")?])
}
