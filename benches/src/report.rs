//! Rows of measurements, as a table for people and as JSON for programs.

use std::io::Write as _;

use serde::Serialize;

use crate::Result;
use crate::machine::Facts;
use crate::samples::Samples;

/// One measured thing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    job: String,
    what: String,
    unit: &'static str,
    ours: Samples,
    ceiling: Option<Ceiling>,
    goal: Option<Goal>,
    ratio: Option<f64>,
    reached: Option<bool>,
}

/// What it is held against.
#[derive(Clone, Debug, Serialize)]
struct Ceiling {
    what: String,
    samples: Samples,
}

/// What it should reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Goal {
    /// The ratio to the ceiling, at least.
    RatioAtLeast(f64),
    /// The ratio to the ceiling, at most.
    RatioAtMost(f64),
    /// The value, at least.
    AtLeast(f64),
    /// The value, at most.
    AtMost(f64),
}

impl Row {
    /// Measured by this job.
    pub(crate) fn new(job: &str, what: impl Into<String>, unit: &'static str, ours: Samples) -> Self {
        let job = job.to_owned();
        Self { job, what: what.into(), unit, ours, ceiling: None, goal: None, ratio: None, reached: None }
    }

    /// Beside this, in the same unit.
    pub(crate) fn beside(mut self, what: impl Into<String>, samples: Samples) -> Self {
        self.ratio = Some(self.ours.median() / samples.median());
        self.ceiling = Some(Ceiling { what: what.into(), samples });
        self
    }

    /// With this goal.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        let value = self.ours.median();
        self.reached = match goal {
            Goal::RatioAtLeast(least) => self.ratio.map(|ratio| ratio >= least),
            Goal::RatioAtMost(most) => self.ratio.map(|ratio| ratio <= most),
            Goal::AtLeast(least) => Some(value >= least),
            Goal::AtMost(most) => Some(value <= most),
        };
        self.goal = Some(goal);
        self
    }

    fn cells(&self) -> [String; COLUMNS] {
        let goal = self.goal.map(|goal| match goal {
            Goal::RatioAtLeast(least) => format!("≥ {least} ×"),
            Goal::RatioAtMost(most) => format!("≤ {most} ×"),
            Goal::AtLeast(least) => format!("≥ {}", number(least)),
            Goal::AtMost(most) => format!("≤ {}", number(most)),
        });
        let ceiling = self.ceiling.as_ref();
        [
            self.job.clone(),
            self.what.clone(),
            with_noise(&self.ours),
            self.unit.to_owned(),
            ceiling.map(|ceiling| with_noise(&ceiling.samples)).unwrap_or_default(),
            ceiling.map(|ceiling| ceiling.what.clone()).unwrap_or_default(),
            self.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
            goal.unwrap_or_default(),
            self.reached.map(|yes| if yes { "yes" } else { "NO" }).unwrap_or_default().to_owned(),
        ]
    }
}

const COLUMNS: usize = 9;
const HEAD: [&str; COLUMNS] =
    ["job", "measured", "syncline (min–max)", "unit", "ceiling (min–max)", "which", "ratio", "goal", "reached"];

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    machine: Facts,
    rows: Vec<Row>,
}

impl Report {
    /// On this machine.
    pub(crate) fn new(machine: Facts) -> Self {
        Self { machine, rows: Vec::new() }
    }

    /// Says where it is measured.
    pub(crate) fn begin(&self) -> Result<()> {
        Ok(writeln!(std::io::stdout(), "{}", self.machine)?)
    }

    /// Takes a row, and shows it on stderr while the rest is being measured.
    pub(crate) fn add(&mut self, row: Row) -> Result<()> {
        writeln!(std::io::stderr(), "  {}", row.cells()[1..].join("  "))?;
        self.rows.push(row);
        Ok(())
    }

    /// Shows the table.
    pub(crate) fn end(&self) -> Result<()> {
        let cells: Vec<[String; COLUMNS]> =
            std::iter::once(HEAD.map(str::to_owned)).chain(self.rows.iter().map(Row::cells)).collect();
        let widths: Vec<usize> = (0..COLUMNS)
            .map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
            .collect();
        let mut out = std::io::stdout().lock();
        for row in &cells {
            let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(out, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Everything, samples included.
    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

fn with_noise(samples: &Samples) -> String {
    if samples.len() < 2 {
        return number(samples.median());
    }
    format!("{} ({}–{})", number(samples.median()), number(samples.least()), number(samples.greatest()))
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2}M", value / 1e6),
        size if size >= 1e4 => format!("{:.1}k", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
