//! What the program writes: data to stdout, messages and progress to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// Standard output. What is written reaches the reader by [`Out::flush`].
pub(crate) struct Out {
    stdout: BufWriter<Stdout>,
}

impl Out {
    pub(crate) fn new() -> Self {
        Self { stdout: BufWriter::with_capacity(64 << 10, io::stdout()) }
    }

    /// A value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Outcome {
        let line = serde_json::to_string(value)
            .map_err(|error| Failure::failed(format!("the result cannot be written as JSON: {error}")))?;
        self.line(line)
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Outcome {
        writeln!(self.stdout, "{line}").map_err(|error| unwritten(&error))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.stdout.write_all(bytes).map_err(|error| unwritten(&error))
    }

    pub(crate) fn flush(&mut self) -> Outcome {
        self.stdout.flush().map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::failed(format!("stdout cannot be written: {error}")),
    }
}

/// A message for the user, on stderr. A closed stderr is nobody's problem.
pub(crate) fn say(message: impl Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Whether stdout shows colors.
pub(crate) fn stdout_is_colored() -> bool {
    is_colored(&io::stdout())
}

/// Whether stderr shows colors.
pub(crate) fn stderr_is_colored() -> bool {
    is_colored(&io::stderr())
}

fn is_colored(stream: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !unwanted && !dumb
}

/// Text in a color or weight, if the stream shows any.
pub(crate) fn styled(text: impl Display, code: &str, colored: bool) -> String {
    if colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
}

/// A bar on stderr that fills up to `total`; nothing where stderr is no terminal.
pub(crate) fn bar(what: &'static str, total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template(template).expect("templates are constants of this program");
    bar.set_style(style.progress_chars("━╸─"));
    bar.set_message(what);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

/// 3201 as "3,201".
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 row", "3,201 rows".
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// 1536 as "1.5 KB".
pub(crate) fn byte_size(bytes: u64) -> String {
    let units = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return counted(bytes, "byte");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// Milliseconds since 1970 as a date and time in UTC.
pub(crate) fn moment(ms: i64) -> String {
    // A clock can show anything; what is no time is shown as the number it is.
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(3201), "3,201");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!(byte_size(1), "1 byte");
        assert_eq!(byte_size(999), "999 bytes");
        assert_eq!(byte_size(1536), "1.5 KB");
        assert_eq!(byte_size(999_960), "1.0 MB");
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(moment(1_795_071_599_999), "2026-11-19 06:59:59");
        assert_eq!(moment(-1), "1969-12-31 23:59:59");
        assert_eq!(moment(i64::MAX), i64::MAX.to_string());
    }
}
