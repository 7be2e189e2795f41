//! Opening a store of a million records, in a process of its own.

use crate::child;
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::{Result, Scale, work};

const JOB: &str = "opening";

/// Measures time and memory.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(1_000_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.db");
    work::filled(&path, count).await?;
    let mut opened = Vec::new();
    for _ in 0..scale.rounds(5) {
        opened.push(child::open_apart(&path).await?);
    }
    let took: Samples = opened.iter().map(|one| one.seconds * 1e3).collect();
    let peak: Samples = opened.iter().map(|one| one.peak_kib as f64 / 1024.0).collect();
    let what = |what: &str| format!("{what}, {}k records", count / 1000);
    Ok(vec![
        Row::new(JOB, what("a store until it is open"), "ms", took).goal(Goal::AtMost(50.0)),
        Row::new(JOB, what("the process's peak memory"), "MiB", peak).goal(Goal::AtMost(30.0)),
    ])
}
