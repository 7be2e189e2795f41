//! The real `syncline` program in processes of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::{Bed, relay_file};

/// The program, built once. `SYNCLINE_BIN` names one that is built already.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("SYNCLINE_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // The features of the whole workspace, so that what its tests were built from is used again.
    cargo.args(["build", "--quiet", "--workspace", "--bin", "syncline", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the program does not build");
    let messages = String::from_utf8(built.stdout).unwrap();
    let executable = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    executable.expect("cargo names what it built")
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// The only line, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Every line, as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program());
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("SYNCLINE_LOG");
    command
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Said {
    said(command(args).output().unwrap())
}

/// Runs it with something on its standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &str) -> Said {
    let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    said(child.wait_with_output().unwrap())
}

/// Runs it and expects success.
pub(crate) fn ok<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Said {
    let said = run(args);
    assert_eq!(said.code, 0, "{said:?}");
    said
}

/// Starts it and lets it run.
pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Running {
    Running { child: command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap() }
}

/// Starts it and listens to it.
#[cfg(target_os = "linux")]
pub(crate) fn start_listened<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Speaking {
    Speaking { child: command(args).spawn().unwrap() }
}

/// A running program that somebody listens to.
#[cfg(target_os = "linux")]
pub(crate) struct Speaking {
    child: Child,
}

#[cfg(target_os = "linux")]
impl Speaking {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said, once it is over.
    pub(crate) fn said(self) -> Said {
        said(self.child.wait_with_output().unwrap())
    }
}

/// A running program, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// As a power switch would, without a word (SIGKILL).
    pub(crate) fn kill(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that listens for peers: `relay run` or `serve`.
pub(crate) struct Listening {
    pub(crate) running: Running,
    pub(crate) url: String,
}

pub(crate) fn listen<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Listening {
    let mut child = command(args).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let running = Running { child };
    let url = line.strip_prefix("listening ").unwrap_or_else(|| panic!("it said {line:?}"));
    Listening { url: url.trim().to_owned(), running }
}

/// A relay process with its data in this folder.
pub(crate) fn relay(data: &Path) -> Listening {
    listen([
        OsStr::new("relay"),
        "run".as_ref(),
        "--data".as_ref(),
        data.as_ref(),
        "--listen".as_ref(),
        "127.0.0.1:0".as_ref(),
        "--dev".as_ref(),
    ])
}

/// Makes a store with this schema.
pub(crate) fn init(bed: &Bed, name: &str, sdl: &str) -> String {
    let schema = bed.path("schema.graphql");
    std::fs::write(&schema, sdl).unwrap();
    let db = text(&bed.path(name));
    ok(["init", &db, "--schema", &text(&schema)]);
    db
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// How many changes a store's file holds, read beside whoever has it open. 0 if there is no file yet.
pub(crate) fn changes_in(file: &Path) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let count = rusqlite::Connection::open_with_flags(file, flags)
        .and_then(|db| db.query_row("SELECT coalesce(max(seq), 0) FROM syncline_log", [], |row| row.get::<_, i64>(0)));
    u64::try_from(count.unwrap_or(0)).unwrap()
}

/// SQLite and Syncline both find nothing wrong with a store.
pub(crate) fn assert_sound(file: &Path) {
    let db = rusqlite::Connection::open(file).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{}", file.display());
    drop(db);
    let said = run(["verify", &text(file)]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// As [`assert_sound`], for the only namespace of a relay that does not run.
pub(crate) fn assert_relay_sound(data: &Path) {
    let file = relay_file(data);
    if file.exists() {
        assert_sound(&file);
    }
}
