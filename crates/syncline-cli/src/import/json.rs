//! Rows of a JSON file while it is parsed: of an array, of objects one after the other, of pages however deep in
//! an answer. Only one row is in memory at a time; a page that cannot be told from a row before its end is an
//! exception.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::shapes::{Origin, Piece, Shapes, Whole, note_errors, note_rest, plain_item};
use super::source::{Emit, Row, object};

/// Where a reader stands.
#[derive(Default)]
pub(super) struct Position {
    bytes: Cell<u64>,
    newlines: Cell<u64>,
}

/// Counts what passes, exactly: the JSON parser reads byte by byte.
pub(super) struct Counted<'p, R> {
    pub(super) inner: R,
    pub(super) position: &'p Position,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let newlines = buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        self.position.bytes.set(self.position.bytes.get() + count as u64);
        self.position.newlines.set(self.position.newlines.get() + newlines as u64);
        Ok(count)
    }
}

/// Emits the rows of a file.
pub(super) struct Rows<'a, 'e> {
    position: &'a Position,
    shapes: &'a Shapes,
    emit: RefCell<&'a mut Emit<'e>>,
    number: Cell<u64>,
    stopped: Cell<bool>,
    whole: RefCell<Whole>,
}

impl<'a, 'e> Rows<'a, 'e> {
    pub(super) fn new(position: &'a Position, shapes: &'a Shapes, emit: &'a mut Emit<'e>) -> Self {
        Self {
            position,
            shapes,
            emit: RefCell::new(emit),
            number: Cell::new(0),
            stopped: Cell::new(false),
            whole: RefCell::default(),
        }
    }

    /// Reads values that follow each other, the elements of an array each as one, until the end or until nobody
    /// takes their rows. `Ok(None)` if it was stopped.
    pub(super) fn read<'de, R: serde_json::de::Read<'de>>(
        self,
        json: &mut serde_json::Deserializer<R>,
        is_array: bool,
    ) -> serde_json::Result<Option<Whole>> {
        let outcome = if is_array {
            json.deserialize_seq(Elements(&self)).and_then(|()| json.end())
        } else {
            self.one_by_one(json)
        };
        match outcome {
            Err(_) if self.stopped.get() => Ok(None),
            outcome => outcome.map(|()| Some(self.whole.into_inner())),
        }
    }

    fn one_by_one<'de, R: serde_json::de::Read<'de>>(
        &self,
        json: &mut serde_json::Deserializer<R>,
    ) -> serde_json::Result<()> {
        // `end` succeeds where only blanks are left; elsewhere it stops at the next value, unread.
        while json.end().is_err() {
            Element(self).deserialize(&mut *json)?;
        }
        Ok(())
    }

    fn line(&self) -> u64 {
        self.position.newlines.get() + 1
    }

    fn take<E: Error>(&self, line: u64, value: Value) -> Result<(), E> {
        let piece = self.shapes.piece(value, &mut self.whole.borrow_mut());
        match piece {
            Piece::Row(row, origin) => self.pass_on(line, row, origin),
            Piece::Rows(rows, origin) => rows.into_iter().try_for_each(|row| self.pass_on(line, row, origin)),
        }
    }

    fn pass_on<E: Error>(&self, line: u64, row: Value, origin: Origin) -> Result<(), E> {
        let number = self.number.get() + 1;
        self.number.set(number);
        let row = Row { number, line, columns: object(row), origin, read_bytes: self.position.bytes.get() };
        match (self.emit.borrow_mut())(row) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                self.stopped.set(true);
                Err(E::custom("stopped"))
            }
        }
    }
}

/// The elements of an array that is not part of a page.
struct Elements<'r, 'a, 'e>(&'r Rows<'a, 'e>);

impl<'de> Visitor<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Element(self.0))?.is_some() {}
        Ok(())
    }
}

/// A row, or something with rows in it.
struct Element<'r, 'a, 'e>(&'r Rows<'a, 'e>);

impl<'de> DeserializeSeed<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let line = self.0.line();
        match json.deserialize_any(Level { rows: self.0, part: Part::Top })? {
            Some(value) => self.0.take(line, value),
            None => Ok(()),
        }
    }
}

/// Where in an answer a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Not in one, so far.
    Top,
    /// What stands under `data`: queries.
    Data,
    /// What a query answered.
    Query,
    /// The rows of a page.
    Items(Origin),
}

/// A value at some place of an answer: it is emitted if it is rows, else returned.
struct Level<'r, 'a, 'e> {
    rows: &'r Rows<'a, 'e>,
    part: Part,
}

impl<'r, 'a, 'e> Level<'r, 'a, 'e> {
    /// What stands under this name, after those in `before`, if it may hold rows.
    fn below(&self, name: &str, before: &Map<String, Value>) -> Option<Part> {
        match (self.part, name) {
            (Part::Data, _) => Some(Part::Query),
            (Part::Query, "items") => Some(Part::Items(Origin::Page)),
            (Part::Query | Part::Items(_), _) => None,
            (Part::Top, _) if self.rows.shapes.is_own(name) || !self.rows.shapes.is_around(before.keys()) => None,
            (Part::Top, "data") => Some(Part::Data),
            (Part::Top, "items") => Some(Part::Items(Origin::Page)),
            (Part::Top, "Items") => Some(Part::Items(Origin::Table)),
            (Part::Top, _) => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_, '_, '_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_, '_, '_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row or a page of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let (rows, line) = (self.rows, self.rows.line());
        let mut rest = Map::new();
        let mut emitted = false;
        while let Some(name) = object.next_key::<String>()? {
            let value = match self.below(&name, &rest) {
                Some(part) => object.next_value_seed(Level { rows, part })?,
                None => Some(object.next_value()?),
            };
            match value {
                Some(value) => drop(rest.insert(name, value)),
                None => emitted = true,
            }
        }
        if !emitted && self.part == Part::Query {
            // The answer to a query for one record.
            rows.pass_on(line, Value::Object(rest), Origin::Page)?;
            return Ok(None);
        }
        if !emitted {
            return Ok(Some(Value::Object(rest)));
        }
        let mut whole = rows.whole.borrow_mut();
        match self.part {
            Part::Query => note_rest(rest.get("nextToken"), &mut whole),
            Part::Top => {
                note_errors(rest.get("errors"), &mut whole);
                if let Some(next) = rest.get("nextToken").or_else(|| rest.get("LastEvaluatedKey")) {
                    note_rest(Some(next), &mut whole);
                }
            }
            Part::Data | Part::Items(_) => {}
        }
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Part::Items(origin) = self.part else {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            return Ok(Some(Value::Array(list)));
        };
        // A page says at its end whether it is the last, and this one may say nothing.
        self.rows.whole.borrow_mut().goes_on = false;
        loop {
            let line = self.rows.line();
            let Some(item) = items.next_element::<Value>()? else { return Ok(None) };
            match origin {
                Origin::Table => self.rows.pass_on(line, plain_item(item), origin)?,
                // Null stands for a row that could not be read; the errors beside the data say why.
                Origin::Page if item.is_null() => {}
                Origin::Page | Origin::Alone => self.rows.pass_on(line, item, origin)?,
            }
        }
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }
}
