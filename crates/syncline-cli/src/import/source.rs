//! Rows of a file, one after the other, whatever its format; a file is never in memory as a whole.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::json::{Counted, Position, Rows};
use super::shapes::{Origin, Piece, Shapes, Whole};
use crate::args::Format;
use crate::failure::{Failure, Outcome};

/// Longest line of an NDJSON file. A record holds less than 8 MiB.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Most that is read of a file without meeting a row: a page may come before it can be told to be one.
const ROW_BYTES_MAX: u64 = 256 << 20;

/// Most that is kept of a row that cannot be read.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// How much of a file is read to tell lines of JSON from JSON over several lines.
const PROBE_BYTES: u64 = 1 << 20;

/// One row of a file.
#[derive(Debug)]
pub(super) struct Row {
    /// From 1.
    pub(super) number: u64,
    /// The line of the file on which it starts, from 1.
    pub(super) line: u64,
    pub(super) columns: Result<Map<String, Value>, Unreadable>,
    /// What it is a part of.
    pub(super) origin: Origin,
    /// Where in the file the reader stands behind it, in bytes.
    pub(super) read_bytes: u64,
}

/// A row that has no columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) reason: String,
    /// What stands there, or its beginning; what is no UTF-8 in it is replaced.
    pub(super) text: String,
}

impl Unreadable {
    fn new(reason: String, content: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(&content[..content.len().min(TEXT_BYTES_MAX)]).into_owned();
        if content.len() > TEXT_BYTES_MAX {
            text.push_str(&format!("… and {} bytes more", content.len() - TEXT_BYTES_MAX));
        }
        Self { reason, text }
    }
}

/// Takes rows, and says when it has enough.
pub(super) type Emit<'a> = dyn FnMut(Row) -> ControlFlow<()> + 'a;

/// A file to import.
pub(super) struct Source {
    /// As the user named it.
    name: String,
    path: PathBuf,
    format: Format,
    bytes: u64,
    /// Whether JSON begins with an array.
    is_array: bool,
    /// What came from stdin, kept until the end.
    _spooled: Option<NamedTempFile>,
}

impl Source {
    /// Looks at the file and decides on its format.
    pub(super) fn open(path: &Path, format: Option<Format>) -> Outcome<Self> {
        let spooled = if path == Path::new("-") { Some(spool(io::stdin().lock())?) } else { None };
        let name = match spooled {
            Some(_) => "stdin".to_owned(),
            None => path.display().to_string(),
        };
        let path = spooled.as_ref().map_or(path, |file| file.path()).to_owned();
        let unreadable = |error: io::Error| Failure::unreadable(&path, &error);
        if std::fs::metadata(&path).map_err(unreadable)?.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let beginning = beginning(&path).map_err(unreadable)?;
        let Some(format) = format.or_else(|| told_by_name(&path)).or_else(|| told_by_content(&beginning)) else {
            return Err(Failure::usage(format!(
                "neither its name nor its first character tells the format of {name}: add --format ndjson, json or csv"
            )));
        };
        let bytes = length(&path).map_err(unreadable)?;
        let is_array = beginning.trim_ascii_start().starts_with(b"[");
        Ok(Self { name, path, format, bytes, is_array, _spooled: spooled })
    }

    /// The file's name, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file's length; of a compressed one that of its content, as far as it says.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether every value is text that its field must give a type.
    pub(super) fn is_untyped(&self) -> bool {
        self.format == Format::Csv
    }

    /// The file's format.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Emits every row until nobody takes them, and says at the end of the file what it lacks. Fails where it
    /// cannot be read any further.
    pub(super) fn read(&self, shapes: &Shapes, emit: &mut Emit<'_>) -> Outcome<Whole> {
        let (reader, since_row) = self.content()?;
        let emit: &mut Emit<'_> = &mut |row| {
            since_row.set(0);
            emit(row)
        };
        match self.format {
            Format::Ndjson => self.read_lines(reader, shapes, emit),
            Format::Json => self.read_json(reader, shapes, emit),
            Format::Csv => self.read_csv(reader, emit).map(|()| Whole::default()),
        }
    }

    /// What is in the file, as far as rows end in it; the counter is to be set back at each.
    fn content(&self) -> Outcome<(Content, Rc<Cell<u64>>)> {
        let mut inner = content(&self.path).map_err(|error| Failure::unreadable(&self.path, &error))?;
        skip_byte_order_mark(&mut inner).map_err(|error| self.cut_off(&error))?;
        let since_row = Rc::new(Cell::new(0));
        let bounded = Bounded { inner, since_row: Rc::clone(&since_row) };
        Ok((BufReader::with_capacity(256 << 10, Box::new(bounded)), since_row))
    }

    fn cut_off(&self, error: &dyn fmt::Display) -> Failure {
        Failure::failed(format!("{} cannot be read: {error}", self.name))
    }

    fn read_lines(&self, mut reader: Content, shapes: &Shapes, emit: &mut Emit<'_>) -> Outcome<Whole> {
        let mut whole = Whole::default();
        let mut line = Vec::new();
        let (mut number, mut at, mut read_bytes) = (0, 0, 0);
        loop {
            line.clear();
            let taken = reader
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line)
                .map_err(|error| self.cut_off(&error))?;
            if taken == 0 {
                return Ok(whole);
            }
            at += 1;
            read_bytes += taken as u64;
            if taken as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
                let message = format!("line {at} is longer than {LINE_BYTES_MAX} bytes; is it NDJSON?");
                return Err(self.cut_off(&message));
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // Without its newline, so that a line that breaks off is said to do so at its own end.
            let text = line.trim_ascii_end();
            let (rows, origin) = match serde_json::from_slice(text) {
                Err(error) => (vec![Err(Unreadable::new(in_line(&error), text))], Origin::Alone),
                Ok(value) => match shapes.piece(value, &mut whole) {
                    Piece::Row(row, origin) => (vec![object(row)], origin),
                    Piece::Rows(rows, origin) => (rows.into_iter().map(object).collect(), origin),
                },
            };
            for columns in rows {
                number += 1;
                if emit(Row { number, line: at, columns, origin, read_bytes }).is_break() {
                    return Ok(whole);
                }
            }
        }
    }

    fn read_json(&self, reader: Content, shapes: &Shapes, emit: &mut Emit<'_>) -> Outcome<Whole> {
        let position = Position::default();
        let reader = Counted { inner: reader, position: &position };
        let mut json = serde_json::Deserializer::from_reader(reader);
        match Rows::new(&position, shapes, emit).read(&mut json, self.is_array) {
            Ok(whole) => Ok(whole.unwrap_or_default()),
            Err(error) if error.is_io() => Err(self.cut_off(&error)),
            Err(error) => Err(Failure::failed(format!("{} is not valid JSON: {error}", self.name))),
        }
    }

    fn read_csv(&self, reader: Content, emit: &mut Emit<'_>) -> Outcome {
        let mut csv = csv::ReaderBuilder::new().from_reader(reader);
        let headers = csv.headers().map_err(|error| self.cut_off(&csv_fault(&error)))?.clone();
        let mut record = csv::ByteRecord::new();
        let mut number = 0;
        loop {
            let line = csv.position().line();
            let columns = match csv.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => cells(&headers, &record),
                Err(error) if error.is_io_error() => return Err(self.cut_off(&error)),
                Err(error) => Err(csv_fault(&error)),
            };
            let columns = columns.map_err(|reason| Unreadable::new(reason, &csv_text(&record)));
            number += 1;
            // Blank lines before a row count for the reader, not for its place.
            let line = record.position().map_or(line, |position| position.line().max(line));
            let read_bytes = csv.position().byte();
            if emit(Row { number, line, columns, origin: Origin::Alone, read_bytes }).is_break() {
                return Ok(());
            }
        }
    }

    /// Names of the columns, where they stand at the head of the file.
    pub(super) fn headers(&self) -> Outcome<Vec<String>> {
        if self.format != Format::Csv {
            return Ok(Vec::new());
        }
        let mut csv = csv::ReaderBuilder::new().from_reader(self.content()?.0);
        let headers = csv.headers().map_err(|error| self.cut_off(&csv_fault(&error)))?;
        Ok(headers.iter().map(str::to_owned).collect())
    }
}

/// What a file holds.
type Content = BufReader<Box<dyn Read>>;

/// Ends where too much was read since the last row, for whoever gathers a row holds all of it: a few hundred kilobytes
/// pack what no machine can hold.
struct Bounded<R> {
    inner: R,
    since_row: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > ROW_BYTES_MAX {
            let mib = ROW_BYTES_MAX >> 20;
            return Err(io::Error::other(format!(
                "no row ends in {mib} MiB behind the last one: a quote is not closed, or a page is that long; split it, or \
                 put each row on a line of its own"
            )));
        }
        let count = self.inner.read(buffer)?;
        self.since_row.set(self.since_row.get() + count as u64);
        Ok(count)
    }
}

/// The beginning of every gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file, unpacked if it is compressed with gzip, whatever its name: so come exports of DynamoDB.
fn content(path: &Path) -> io::Result<Content> {
    let mut file = BufReader::with_capacity(64 << 10, File::open(path)?);
    let is_packed = file.fill_buf()?.starts_with(&GZIP);
    let content: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::with_capacity(256 << 10, content))
}

/// How long the content of a file is. A compressed one says that of its last part, up to 4 GiB.
fn length(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut ends = ([0; 2], [0; 4]);
    if length < 18 || !file.metadata()?.is_file() {
        return Ok(length);
    }
    file.read_exact(&mut ends.0)?;
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut ends.1)?;
    Ok(if ends.0 == GZIP { length.max(u32::from_le_bytes(ends.1).into()) } else { length })
}

fn spool(mut input: impl Read) -> Outcome<NamedTempFile> {
    let failed = |error: io::Error| Failure::failed(format!("stdin cannot be kept in a temporary file: {error}"));
    let mut file = NamedTempFile::new().map_err(failed)?;
    io::copy(&mut input, &mut file).map_err(failed)?;
    file.flush().map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// The format that a file's name says it has, compressed or not.
pub(crate) fn told_by_name(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "gz" => told_by_name(Path::new(path.file_stem()?)),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

fn told_by_content(beginning: &[u8]) -> Option<Format> {
    match beginning.trim_ascii_start().first() {
        Some(b'[') => Some(Format::Json),
        Some(b'{') => {
            let line = beginning.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
            let is_whole = serde_json::from_slice::<IgnoredAny>(line).is_ok();
            Some(if is_whole { Format::Ndjson } else { Format::Json })
        }
        // An empty file has no rows in any format.
        None => Some(Format::Ndjson),
        Some(_) => None,
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut reader = content(path)?;
    skip_byte_order_mark(&mut reader)?;
    let mut beginning = Vec::new();
    reader.take(PROBE_BYTES).read_to_end(&mut beginning)?;
    Ok(beginning)
}

fn skip_byte_order_mark(reader: &mut impl BufRead) -> io::Result<()> {
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(())
}

/// The columns of a row, or why it is none.
pub(super) fn object(value: Value) -> Result<Map<String, Value>, Unreadable> {
    match value {
        Value::Object(columns) => Ok(columns),
        other => {
            let reason = format!("a row is an object like {{\"title\":\"Big\"}}, found {}", kind(&other));
            Err(Unreadable::new(reason, other.to_string().as_bytes()))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A syntax error within one line: the row says which.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("not valid JSON: {what} at column {}", error.column())
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells, and the first line names {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { err, .. } => no_text(err.field()),
        _ => error.to_string(),
    }
}

fn no_text(cell: usize) -> String {
    format!("cell {} is not text in UTF-8", cell + 1)
}

/// The cells under their headers, or what is wrong with one.
fn cells(headers: &csv::StringRecord, record: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
    let cell = |(at, (header, cell)): (usize, (&str, &[u8]))| {
        let text = std::str::from_utf8(cell).map_err(|_| no_text(at))?;
        Ok((header.to_owned(), Value::String(text.to_owned())))
    };
    headers.iter().zip(record.iter()).enumerate().map(cell).collect()
}

/// A row as CSV again, without its newline.
fn csv_text(record: &csv::ByteRecord) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    // Memory takes all that is written.
    let _ = csv.write_byte_record(record);
    let mut text = csv.into_inner().unwrap_or_default();
    text.truncate(text.trim_ascii_end().len());
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(name: &str, content: &str) -> (tempfile::TempDir, Outcome<Source>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let source = Source::open(&path, None);
        (folder, source)
    }

    /// Number, line, columns.
    type Shown = (u64, u64, Result<Value, String>);

    /// Every row, and how the file ended.
    fn rows(name: &str, content: &str) -> (Vec<Shown>, Outcome<Whole>) {
        let (_folder, source) = source(name, content);
        let mut rows = Vec::new();
        let outcome = source.unwrap().read(&Shapes::default(), &mut |row: Row| {
            let columns = row.columns.map(Value::Object).map_err(|unreadable| unreadable.reason);
            rows.push((row.number, row.line, columns));
            ControlFlow::Continue(())
        });
        (rows, outcome)
    }

    #[test]
    fn a_json_array_is_read_element_by_element_with_lines() {
        let (rows, outcome) = rows("a.json", "[\n {\"a\": 1}, {\"a\": 2},\n\n {\n\"a\": 3},\n 4]\n");
        outcome.unwrap();
        assert_eq!(rows[..3], [(1, 2, Ok(json!({"a": 1}))), (2, 2, Ok(json!({"a": 2}))), (3, 4, Ok(json!({"a": 3}))),]);
        let (number, line, fault) = &rows[3];
        assert_eq!((*number, *line), (4, 6));
        assert!(fault.as_ref().unwrap_err().contains("found a number"));
    }

    #[test]
    fn an_array_that_breaks_off_says_where() {
        let (rows, outcome) = rows("a.json", "[{\"a\": 1},\n {\"a\": ]");
        assert_eq!(rows.len(), 1);
        let said = outcome.unwrap_err();
        let said = said.message().unwrap();
        assert!(said.contains("a.json is not valid JSON") && said.contains("line 2 column 8"), "{said}");
    }

    #[test]
    fn objects_may_follow_each_other_without_an_array() {
        let (rows, outcome) = rows("a.json", "{\"a\":\n1}\n{\"a\":2}\n");
        outcome.unwrap();
        assert_eq!(rows, [(1, 1, Ok(json!({"a": 1}))), (2, 3, Ok(json!({"a": 2})))]);
    }

    #[test]
    fn a_broken_line_does_not_hide_the_next() {
        let (rows, outcome) = rows("a.ndjson", "\u{feff}{\"a\":1}\n\n{\"a\":\n{\"a\":3}");
        outcome.unwrap();
        assert_eq!(rows[0], (1, 1, Ok(json!({"a": 1}))));
        assert_eq!((rows[1].0, rows[1].1), (2, 3));
        let said = rows[1].2.as_ref().unwrap_err();
        assert!(said.contains("column 5"), "{said}");
        assert_eq!(rows[2], (3, 4, Ok(json!({"a": 3}))));
    }

    #[test]
    fn a_csv_row_with_too_few_cells_does_not_hide_the_next() {
        let (rows, outcome) = rows("a.csv", "a,b\n1,\"two\nlines\"\n3\n4,5\n");
        outcome.unwrap();
        assert_eq!(rows[0], (1, 2, Ok(json!({"a": "1", "b": "two\nlines"}))));
        assert_eq!((rows[1].0, rows[1].1), (2, 4));
        assert!(rows[1].2.as_ref().unwrap_err().contains("1 cells"), "{:?}", rows[1].2);
        assert_eq!(rows[2], (3, 5, Ok(json!({"a": "4", "b": "5"}))));
    }

    #[test]
    fn what_cannot_be_read_is_kept_as_it_stands() {
        for (name, content, kept) in [
            ("a.ndjson", "{\"a\":1\n", "{\"a\":1"),
            ("a.json", "[[1, 2]]", "[1,2]"),
            ("a.csv", "a,b\n\"x,y\"\n", "\"x,y\""),
        ] {
            let (_folder, source) = source(name, content);
            let mut texts = Vec::new();
            let outcome = source.unwrap().read(&Shapes::default(), &mut |row| {
                texts.push(row.columns.unwrap_err().text);
                ControlFlow::Continue(())
            });
            outcome.unwrap();
            assert_eq!(texts, [kept], "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin1.csv");
        std::fs::write(&path, b"a,b\n1,caf\xe9\n2,tea\n").unwrap();
        let mut rows = Vec::new();
        let outcome = Source::open(&path, None).unwrap().read(&Shapes::default(), &mut |row| {
            rows.push(row.columns);
            ControlFlow::Continue(())
        });
        outcome.unwrap();
        let unreadable = rows[0].as_ref().unwrap_err();
        assert_eq!(
            (unreadable.reason.as_str(), unreadable.text.as_str()),
            ("cell 2 is not text in UTF-8", "1,caf\u{fffd}")
        );
        assert_eq!(Value::Object(rows[1].clone().unwrap()), json!({"a": "2", "b": "tea"}));
        let long = Unreadable::new(String::new(), "é".repeat(TEXT_BYTES_MAX).as_bytes());
        assert!(long.text.len() < TEXT_BYTES_MAX + 40 && long.text.ends_with("… and 65536 bytes more"));
    }

    /// A packed file of 300 KB was one value of 300 MB, and the import took memory for all of it, and more.
    #[test]
    fn a_row_without_end_ends_the_reading() {
        for (name, begin) in [("a.json.gz", "[{\"a\":\""), ("a.csv.gz", "a\n\""), ("head.csv.gz", "\"a,b")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            let mut file = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
            file.write_all(begin.as_bytes()).unwrap();
            io::copy(&mut io::repeat(b'x').take(ROW_BYTES_MAX + (2 << 20)), &mut file).unwrap();
            file.finish().unwrap();
            let source = Source::open(&path, None).unwrap();
            let outcome =
                source.headers().and_then(|_| source.read(&Shapes::default(), &mut |_| ControlFlow::Continue(())));
            let said = outcome.unwrap_err();
            assert!(said.message().unwrap().contains("no row ends in 256 MiB"), "{said:?}");
        }
    }

    #[test]
    fn pages_are_rows_of_one_file_whatever_stands_around_them() {
        let page = "{\"data\": {\"listPosts\": {\n\"items\": [{\"id\": \"1\"},\nnull, {\"id\": \"2\"}], \"nextToken\": \"x\"}}}";
        let last = "{\"data\": {\"listPosts\": {\"items\": [{\"id\": \"3\"}], \"nextToken\": null}}}";
        for content in [format!("{page}\n{last}"), format!("[{page},\n{last}]")] {
            let (rows, outcome) = rows("a.json", &content);
            assert_eq!(outcome.unwrap(), Whole::default());
            let seen: Vec<_> = rows.into_iter().map(|(number, line, row)| (number, line, row.unwrap())).collect();
            assert_eq!(seen, [(1, 2, json!({"id": "1"})), (2, 3, json!({"id": "2"})), (3, 4, json!({"id": "3"}))]);
        }
        let (rows, outcome) = rows("a.ndjson", &format!("{}\n", page.replace('\n', " ")));
        assert_eq!((rows.len(), outcome.unwrap().goes_on), (2, true));
        let (rows, outcome) = rows_of_errors();
        assert_eq!((rows.len(), outcome.unwrap().error.as_deref()), (1, Some("denied")));
    }

    fn rows_of_errors() -> (Vec<Shown>, Outcome<Whole>) {
        rows("a.json", "{\"data\": {\"getPost\": {\"id\": \"1\"}}, \"errors\": [{\"message\": \"denied\"}]}")
    }

    #[test]
    fn reading_stops_when_enough_was_read() {
        for (name, content) in [
            ("a.json", "[{},{},{}]"),
            ("b.json", "{\"items\":[{},{},{}]}"),
            ("a.ndjson", "{}\n{}\n{}"),
            ("a.csv", "a\n1\n2\n3\n"),
        ] {
            let (_folder, source) = source(name, content);
            let mut count = 0;
            let outcome = source.unwrap().read(&Shapes::default(), &mut |_| {
                count += 1;
                if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            outcome.unwrap();
            assert_eq!(count, 2, "{name}");
        }
    }

    #[test]
    fn the_format_is_told_by_the_name_or_the_first_character() {
        for (name, content, format) in [
            ("a.CSV", "x", Format::Csv),
            ("a.jsonl", "x", Format::Ndjson),
            ("a.txt", "  [", Format::Json),
            ("a", "{}", Format::Ndjson),
            ("a", "{\n\"data\": {}}", Format::Json),
        ] {
            let (_folder, source) = source(name, content);
            assert_eq!(source.unwrap().format, format, "{name}");
        }
        let (_folder, unknown) = source("a.txt", "title,year\n");
        let said = unknown.err().unwrap();
        assert_eq!(said.code(), 2);
        assert!(said.message().unwrap().contains("--format"));
    }
}
