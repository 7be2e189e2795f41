//! Parts that run as processes of their own, so that their memory and work are theirs alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncline::SyncReport;
use syncline_relay::{Relay, RelayConfig};
use syncline_sim::scenario::Scenario;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::Result;
use crate::machine::{self, Memory};
use crate::work;

/// What this program does when it starts itself.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Run a relay until stdin ends.
    Relay { data: PathBuf },
    /// Sync a store once.
    Sync { store: PathBuf, url: String },
    /// Open a store.
    Open { store: PathBuf },
    /// Keep so many linked stores until stdin ends.
    IdleClients { folder: PathBuf, url: String, count: usize },
    /// Run a preset of the simulator with so many seeds; for other than its own time if that is not 0.
    Simulate { preset: String, lasting_ms: u64, seeds: u64 },
}

/// What simulating took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Simulated {
    /// Runs.
    pub(crate) runs: u64,
    /// Virtual milliseconds.
    pub(crate) virtual_ms: u64,
    /// Steps.
    pub(crate) steps: u64,
    /// Seconds of this process on a core.
    pub(crate) cpu_s: f64,
    /// The process's peak memory.
    pub(crate) peak_kib: u64,
}

/// What opening a store took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Seconds.
    pub(crate) seconds: f64,
    /// The process's peak memory by then.
    pub(crate) peak_kib: u64,
}

/// What a sync in a process of its own took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Synced {
    /// Seconds, dialing included.
    pub(crate) seconds: f64,
    /// Changes received.
    pub(crate) received: u64,
    /// Changes sent.
    pub(crate) sent: u64,
    /// Bytes on streams, both ways.
    pub(crate) bytes: u64,
    /// The process's peak memory.
    pub(crate) peak_kib: u64,
}

impl Command {
    /// The command in a list of arguments, if it is one.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["--serve-relay", data] => Some(Self::Relay { data: data.into() }),
            ["--sync", store, url] => Some(Self::Sync { store: store.into(), url: (*url).to_owned() }),
            ["--open", store] => Some(Self::Open { store: store.into() }),
            ["--idle-clients", folder, url, count] => {
                Some(Self::IdleClients { folder: folder.into(), url: (*url).to_owned(), count: count.parse().ok()? })
            }
            ["--simulate", preset, lasting_ms, seeds] => Some(Self::Simulate {
                preset: (*preset).to_owned(),
                lasting_ms: lasting_ms.parse().ok()?,
                seeds: seeds.parse().ok()?,
            }),
            _ => None,
        }
    }

    fn words(&self) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        match self {
            Self::Relay { data } => vec!["--serve-relay".to_owned(), text(data)],
            Self::Sync { store, url } => vec!["--sync".to_owned(), text(store), url.clone()],
            Self::Open { store } => vec!["--open".to_owned(), text(store)],
            Self::IdleClients { folder, url, count } => {
                vec!["--idle-clients".to_owned(), text(folder), url.clone(), count.to_string()]
            }
            Self::Simulate { preset, lasting_ms, seeds } => {
                vec!["--simulate".to_owned(), preset.clone(), lasting_ms.to_string(), seeds.to_string()]
            }
        }
    }

    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Relay { data } => serve(data).await,
            Self::Sync { store, url } => sync(&store, &url).await,
            Self::Open { store } => open(&store).await,
            Self::IdleClients { folder, url, count } => idle(&folder, &url, count).await,
            Self::Simulate { preset, lasting_ms, seeds } => simulate(&preset, lasting_ms, seeds),
        }
    }
}

async fn serve(data: PathBuf) -> Result<()> {
    let listen = "127.0.0.1:0".parse()?;
    let relay = Relay::start(RelayConfig { data, listen, dev: true, ..RelayConfig::default() }).await?;
    say(&relay.url())?;
    until_stdin_ends().await?;
    Ok(relay.stop().await?)
}

async fn sync(path: &Path, url: &str) -> Result<()> {
    let store = work::open(path).await?;
    let (took, report): (_, SyncReport) =
        work::timed(async { Ok(store.sync_once(url, work::PATIENCE).await?) }).await?;
    let synced = Synced {
        seconds: took.as_secs_f64(),
        received: report.received_changes,
        sent: report.sent_changes,
        bytes: report.bytes_sent + report.bytes_received,
        peak_kib: Memory::of(None)?.peak_kib,
    };
    store.close().await?;
    say(&serde_json::to_string(&synced)?)
}

async fn open(path: &Path) -> Result<()> {
    let (took, store) = work::timed(work::open(path)).await?;
    let opened = Opened { seconds: took.as_secs_f64(), peak_kib: Memory::of(None)?.peak_kib };
    store.close().await?;
    say(&serde_json::to_string(&opened)?)
}

async fn idle(folder: &Path, url: &str, count: usize) -> Result<()> {
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let store = work::open(&folder.join(format!("{number}.db"))).await?;
        let link = work::link(&store, url).await?;
        clients.push((store, link));
    }
    say("ready")?;
    until_stdin_ends().await?;
    // Ending at once is part of being idle: nobody looks at these stores again.
    std::process::exit(0)
}

fn simulate(preset: &str, lasting_ms: u64, seeds: u64) -> Result<()> {
    let mut scenario = Scenario::preset(preset).ok_or_else(|| format!("there is no preset {preset}"))?;
    if lasting_ms > 0 {
        scenario.duration(lasting_ms)?;
    }
    let mut simulated = Simulated::default();
    for seed in 1..=seeds {
        let outcome = syncline_sim::world::run(&scenario.schedule(seed), None);
        if let Some(violation) = outcome.violation {
            return Err(format!("{preset}, seed {seed}: {violation}").into());
        }
        simulated.runs += 1;
        simulated.virtual_ms += outcome.stats.virtual_ms;
        simulated.steps += outcome.stats.steps;
    }
    simulated.cpu_s = machine::cpu_seconds()?;
    simulated.peak_kib = Memory::of(None)?.peak_kib;
    say(&serde_json::to_string(&simulated)?)
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

async fn until_stdin_ends() -> Result<()> {
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    Ok(())
}

/// A process that this one started. Dropping it ends it.
pub(crate) struct Child {
    process: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Child {
    /// Starts this program again to do the command.
    pub(crate) fn start(command: &Command) -> Result<Self> {
        let mut process = tokio::process::Command::new(std::env::current_exe()?)
            .args(command.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = process.stdout.take().ok_or("a child without stdout")?;
        Ok(Self { process, lines: BufReader::new(out).lines() })
    }

    /// The next line it says.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(work::PATIENCE, self.lines.next_line()).await;
        let line = line.map_err(|_| "a child process said nothing for too long")??;
        Ok(line.ok_or("a child process ended too early; its message stands above")?)
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::of(Some(self.process.id().ok_or("a child process has ended")?))
    }

    /// Lets it end in good order.
    pub(crate) async fn end(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let status = tokio::time::timeout(work::PATIENCE, self.process.wait()).await;
        let status = status.map_err(|_| "a child process did not end")??;
        if status.success() { Ok(()) } else { Err(format!("a child process ended with {status}").into()) }
    }
}

/// A relay in a process of its own.
pub(crate) struct RelayChild {
    child: Child,
    url: String,
}

impl RelayChild {
    /// Starts it with its data in this folder.
    pub(crate) async fn start(data: &Path) -> Result<Self> {
        let mut child = Child::start(&Command::Relay { data: data.to_owned() })?;
        let url = child.line().await?;
        Ok(Self { child, url })
    }

    /// What clients dial.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        self.child.memory()
    }

    /// Ends it in good order.
    pub(crate) async fn end(self) -> Result<()> {
        self.child.end().await
    }
}

/// Syncs a store in a process of its own.
pub(crate) async fn sync_apart(store: &Path, url: &str) -> Result<Synced> {
    let mut child = Child::start(&Command::Sync { store: store.to_owned(), url: url.to_owned() })?;
    let synced = serde_json::from_str(&child.line().await?)?;
    child.end().await?;
    Ok(synced)
}

/// Opens a store in a process of its own.
pub(crate) async fn open_apart(store: &Path) -> Result<Opened> {
    let mut child = Child::start(&Command::Open { store: store.to_owned() })?;
    let opened = serde_json::from_str(&child.line().await?)?;
    child.end().await?;
    Ok(opened)
}

/// Runs a preset of the simulator in a process of its own.
pub(crate) async fn simulate_apart(preset: &str, lasting: Option<Duration>, seeds: u64) -> Result<Simulated> {
    let lasting_ms = lasting.map_or(0, |lasting| lasting.as_millis() as u64);
    let mut child = Child::start(&Command::Simulate { preset: preset.to_owned(), lasting_ms, seeds })?;
    let simulated = serde_json::from_str(&child.line().await?)?;
    child.end().await?;
    Ok(simulated)
}
