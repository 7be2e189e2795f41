//! How fast whole fleets are simulated, checks included, each in a process of its own.

use std::time::Duration;

use crate::child::{self, Simulated};
use crate::report::{Goal, Row};
use crate::samples::Samples;
use crate::{Result, Scale};

const JOB: &str = "simulator";

/// Measures the presets that have goals.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let busy = rounds("busy", None, 1, scale.rounds(3)).await?;
    let idle = rounds("idle-day", None, 1, scale.rounds(3)).await?;
    let hour = rounds("stress", Some(Duration::from_secs(3600)), 1, scale.rounds(3)).await?;
    let stress = rounds("stress", None, scale.of(40) as u64, 1).await?;
    let storm = rounds("reconnect-storm", None, 1, 1).await?;
    let faster = |runs: &[Simulated]| runs.iter().map(|run| run.virtual_ms as f64 / 1000.0 / run.cpu_s).collect();
    let seconds: Samples = hour.iter().map(|run| run.cpu_s).collect();
    let per_second: Samples = stress.iter().map(|run| run.runs as f64 / run.cpu_s).collect();
    let peak: Samples = storm.iter().map(|run| run.peak_kib as f64 / 1024.0).collect();
    let steps: Samples = busy.iter().map(|run| run.steps as f64 / run.cpu_s).collect();
    Ok(vec![
        Row::new(JOB, "10 busy replicas", "× real time", faster(&busy)).goal(Goal::AtLeast(1_000.0)),
        Row::new(JOB, "10 busy replicas", "steps per CPU second", steps),
        Row::new(JOB, "an idle day, 5 devices", "× real time", faster(&idle)).goal(Goal::AtLeast(50_000.0)),
        Row::new(JOB, "an hour of stress, 5 nodes", "CPU s", seconds).goal(Goal::AtMost(1.0)),
        Row::new(JOB, "15 minutes of stress, 5 nodes", "runs per CPU s", per_second).goal(Goal::AtLeast(10.0)),
        Row::new(JOB, "1,000 devices, peak", "MiB", peak).goal(Goal::AtMost(1024.0)),
    ])
}

async fn rounds(preset: &str, lasting: Option<Duration>, seeds: u64, rounds: usize) -> Result<Vec<Simulated>> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(child::simulate_apart(preset, lasting, seeds).await?);
    }
    Ok(all)
}
