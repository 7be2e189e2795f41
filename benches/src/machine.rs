//! The machine, as far as it decides over numbers, and a process's memory.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Result;
use crate::samples::Samples;

/// What is said about the machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    cores: usize,
    cpu: String,
    fsync_us: f64,
    quick: bool,
    debug: bool,
}

/// Finds them out.
pub(crate) fn facts(quick: bool) -> Result<Facts> {
    let folder = tempfile::tempdir()?;
    Ok(Facts {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
        fsync_us: Fsync::new(folder.path())?.samples(200)?.median(),
        quick,
        debug: cfg!(debug_assertions),
    })
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cores, {}, fsync {:.0} µs (median)", self.cores, self.cpu, self.fsync_us)?;
        if self.quick {
            f.write_str(", quick: do not quote")?;
        }
        if self.debug {
            f.write_str(", not a release build: do not quote")?;
        }
        Ok(())
    }
}

fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What making 4 KiB durable costs in a folder.
pub(crate) struct Fsync {
    file: std::fs::File,
}

impl Fsync {
    /// In this folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        Ok(Self { file: std::fs::File::create(folder.join("fsync"))? })
    }

    /// One sync.
    pub(crate) fn once(&mut self) -> Result<Duration> {
        self.file.write_all(&[7; 4096])?;
        let began = Instant::now();
        self.file.sync_data()?;
        Ok(began.elapsed())
    }

    /// So many, in µs.
    pub(crate) fn samples(&mut self, count: usize) -> Result<Samples> {
        (0..count).map(|_| Ok(self.once()?.as_secs_f64() * 1e6)).collect()
    }
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now_kib: u64,
    /// The most that ever was.
    pub(crate) peak_kib: u64,
}

impl Memory {
    /// Of this process, or of the one with this id.
    pub(crate) fn of(process: Option<u32>) -> Result<Self> {
        let who = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
        let text = std::fs::read_to_string(format!("/proc/{who}/status"))?;
        let value = |name: &str| -> Option<u64> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Ok(Self {
            now_kib: value("VmRSS:").ok_or("the system does not tell how much memory a process has")?,
            peak_kib: value("VmHWM:").unwrap_or_default(),
        })
    }
}

/// Clock ticks per second in what Linux tells of processes.
const TICKS: f64 = 100.0;

/// Seconds that this process has spent on cores.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").map_err(|error| format!("cannot tell CPU time: {error}"))?;
    // The second field, the program's name, may hold anything but ends with the last parenthesis.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS)
}
