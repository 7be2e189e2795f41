//! Rich text: marks over characters of a text, and the text as spans of equal marks.
//!
//! A mark has a name and a value: `bold` is true, `link` an address, a comment what somebody made
//! of it. A character has at most one value under each name; where several were put on it, the one
//! of the greatest operation shows. Marks stay with their characters whatever is typed elsewhere,
//! and [`Expand`] says to which side text typed at their ends belongs. Positions are code points.

mod count;
mod expansion;

use std::collections::BTreeMap;
use std::fmt;

use automerge::ScalarValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use count::{MARK_NAMES_MAX, MARKS_MAX, TooManyMarks};
pub(crate) use count::{MarkCount, names_of};

/// Longest name of a mark, in bytes.
pub const MARK_NAME_BYTES_MAX: usize = 128;

/// Longest string that a mark holds, in bytes.
pub const MARK_VALUE_BYTES_MAX: usize = 16 << 10;

/// Most bytes that the marks of a text's spans take, about. Every span has all marks of its characters, so where
/// many stand upon each other the spans can be thousands of times as long as the document.
pub const SPANS_BYTES_MAX: usize = 64 << 20;

/// The marks of a character: name → value.
pub type Marks = BTreeMap<String, Value>;

/// A mark to be put on characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// Its value: a string, a number or a boolean.
    pub value: Value,
    /// Whether text typed at its ends belongs to it.
    pub expand: Expand,
}

impl Mark {
    /// A mark that goes on behind its end, as bold text does.
    pub fn new(name: &str, value: impl Into<Value>) -> Self {
        Self { name: name.to_owned(), value: value.into(), expand: Expand::After }
    }

    /// The same mark, expanding otherwise.
    #[must_use]
    pub fn expanding(self, expand: Expand) -> Self {
        Self { expand, ..self }
    }
}

/// A run of characters with the same marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The characters.
    pub text: String,
    /// Their marks.
    pub marks: Marks,
}

/// Whether text typed at an end of a mark belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expand {
    /// Typed right before it, yes; right behind it, no.
    Before,
    /// Typed right behind it, yes; right before it, no: as bold text goes on.
    #[default]
    After,
    /// On either side.
    Both,
    /// On neither side: as a link ends where it ends.
    None,
}

/// How the marks that a save of spans sets expand: a span does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpandRules {
    /// Marks of these names.
    pub named: BTreeMap<String, Expand>,
    /// All others.
    pub others: Expand,
}

impl ExpandRules {
    /// How a mark of that name expands.
    pub fn of(&self, name: &str) -> Expand {
        self.named.get(name).copied().unwrap_or(self.others)
    }
}

impl From<Expand> for ExpandRules {
    fn from(others: Expand) -> Self {
        Self { named: BTreeMap::new(), others }
    }
}

/// Why something is no mark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMark {
    /// The name is empty.
    #[error("a mark needs a name, such as `bold`")]
    NoName,
    /// The name is longer than [`MARK_NAME_BYTES_MAX`].
    #[error("a mark's name has {0} bytes, and at most {MARK_NAME_BYTES_MAX} are taken")]
    NameTooLong(usize),
    /// The name holds a line break or another control character.
    #[error("a mark's name cannot hold the control character {0:?}")]
    NameCharacter(char),
    /// The value is longer than [`MARK_VALUE_BYTES_MAX`].
    #[error("a mark's value has {0} bytes, and at most {MARK_VALUE_BYTES_MAX} are taken")]
    ValueTooLong(usize),
    /// The value is null.
    #[error("a mark's value cannot be null: `unmark` takes a mark away")]
    Null,
    /// The value is neither string nor number nor boolean.
    #[error("a mark's value is a string, a number or a boolean, not {0}: put it in as JSON text")]
    NotScalar(&'static str),
    /// The value is a number that 64 bits do not hold.
    #[error("a mark's value is an integer of 64 bits or a finite number")]
    Number,
}

/// A text that does not show as spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "so many marks stand upon each other that its spans would take over {SPANS_BYTES_MAX} bytes; the text itself can \
     be read, and `unmark` takes marks away"
)]
pub struct SpansTooLarge;

/// JSON that is no list of spans.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if .place.is_empty() { String::new() } else { format!("`{place}`: ") })]
pub struct BadSpans {
    /// Where: `[3].marks.bold`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Span {
    /// Characters without marks.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), marks: Marks::new() }
    }

    /// The same characters with one mark more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.marks.insert(name.to_owned(), value.into());
        self
    }

    /// Reads a list of spans, `[{"text":"Hello ","marks":{"bold":true}},{"text":"you"}]`. A mark
    /// that is null is none; `from` and `to`, which [`Span::list_to_json`] writes, are not looked at, nor is `expand`,
    /// which [`ExpandRules::of_spans`] reads.
    pub fn list_from_json(json: &Value) -> Result<Vec<Self>, BadSpans> {
        let Value::Array(spans) = json else {
            let message = format!(r#"spans are a list like [{{"text":"Hello","marks":{{"bold":true}}}}], not {json}"#);
            return Err(BadSpans { place: String::new(), message });
        };
        spans.iter().enumerate().map(|(at, span)| Self::read(&format!("[{at}]"), span)).collect()
    }

    /// Spans as JSON: `[{"from":0,"to":6,"text":"Hello ","marks":{"bold":true}}, …]`, where `from` is
    /// the position of the first character and `to` that behind the last, in code points.
    pub fn list_to_json(spans: &[Self]) -> Value {
        let mut from = 0;
        let one = |span: &Self| {
            let to = from + span.text.chars().count();
            let marks: Map<String, Value> =
                span.marks.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            let json = serde_json::json!({ "from": from, "to": to, "text": span.text, "marks": marks });
            from = to;
            json
        };
        Value::Array(spans.iter().map(one).collect())
    }

    fn read(place: &str, json: &Value) -> Result<Self, BadSpans> {
        let Value::Object(fields) = json else {
            return Err(bad(place, format!(r#"a span is an object like {{"text":"Hello"}}, not {json}"#)));
        };
        if let Some(name) =
            fields.keys().find(|name| !["text", "marks", "from", "to", "expand"].contains(&name.as_str()))
        {
            return Err(bad(&format!("{place}.{name}"), "a span has `text` and `marks` only".to_owned()));
        }
        let text = match fields.get("text") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => return Err(bad(&format!("{place}.text"), format!("it must be a string, not {other}"))),
            None => return Err(bad(place, "it has no `text`".to_owned())),
        };
        let marks = match fields.get("marks") {
            None | Some(Value::Null) => Marks::new(),
            Some(Value::Object(marks)) => read_marks(place, marks)?,
            Some(other) => return Err(bad(&format!("{place}.marks"), format!("it must be an object, not {other}"))),
        };
        Ok(Self { text, marks })
    }
}

fn read_marks(place: &str, marks: &Map<String, Value>) -> Result<Marks, BadSpans> {
    let mut read = Marks::new();
    for (name, value) in marks.iter().filter(|(_, value)| !value.is_null()) {
        mark_value(name, value).map_err(|why| bad(&format!("{place}.marks.{name}"), why.to_string()))?;
        read.insert(name.clone(), value.clone());
    }
    Ok(read)
}

fn bad(place: &str, message: String) -> BadSpans {
    BadSpans { place: place.to_owned(), message }
}

/// The text of spans.
pub fn plain_text(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

/// Without empty spans and null marks; neighbours with equal marks are one.
pub(crate) fn joined(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for mut span in spans {
        span.marks.retain(|_, value| !value.is_null());
        match joined.last_mut() {
            _ if span.text.is_empty() => {}
            Some(last) if last.marks == span.marks => last.text.push_str(&span.text),
            Some(_) | None => joined.push(span),
        }
    }
    joined
}

/// About what a mark of a span takes in memory.
pub(crate) fn mark_bytes(name: &str, value: &Value) -> usize {
    const FRAME_BYTES: usize = 96;
    FRAME_BYTES + name.len() + value.as_str().map_or(0, str::len)
}

/// The value of a mark as a document holds it.
pub fn mark_value(name: &str, value: &Value) -> Result<ScalarValue, BadMark> {
    let value = match value {
        Value::Bool(truth) => ScalarValue::Boolean(*truth),
        Value::String(text) => ScalarValue::Str(text.as_str().into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => ScalarValue::Int(int),
            (None, Some(float)) if !number.is_u64() => ScalarValue::F64(float),
            (None, _) => return Err(BadMark::Number),
        },
        Value::Null => return Err(BadMark::Null),
        Value::Array(_) => return Err(BadMark::NotScalar("a list")),
        Value::Object(_) => return Err(BadMark::NotScalar("an object")),
    };
    check_mark(name, &value).map(|()| value)
}

/// Whether a document may hold this mark; null says that a mark is taken away.
pub(crate) fn check_mark(name: &str, value: &ScalarValue) -> Result<(), BadMark> {
    check_name(name)?;
    match value {
        ScalarValue::Null | ScalarValue::Boolean(_) | ScalarValue::Int(_) => Ok(()),
        ScalarValue::F64(number) if number.is_finite() => Ok(()),
        ScalarValue::F64(_) | ScalarValue::Uint(_) => Err(BadMark::Number),
        ScalarValue::Str(text) if text.len() <= MARK_VALUE_BYTES_MAX => Ok(()),
        ScalarValue::Str(text) => Err(BadMark::ValueTooLong(text.len())),
        ScalarValue::Bytes(_) => Err(BadMark::NotScalar("bytes")),
        ScalarValue::Counter(_) => Err(BadMark::NotScalar("a counter")),
        ScalarValue::Timestamp(_) => Err(BadMark::NotScalar("a timestamp")),
        ScalarValue::Unknown { .. } => Err(BadMark::NotScalar("a value of an unknown type")),
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), BadMark> {
    if name.is_empty() {
        return Err(BadMark::NoName);
    }
    if name.len() > MARK_NAME_BYTES_MAX {
        return Err(BadMark::NameTooLong(name.len()));
    }
    match name.chars().find(|character| character.is_control()) {
        Some(character) => Err(BadMark::NameCharacter(character)),
        None => Ok(()),
    }
}

impl fmt::Display for Expand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Both => "both",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_come_back_from_their_json() {
        let spans = vec![
            Span::plain("Hé☃"),
            Span::plain("b").with("bold", true).with("size", 12),
            Span::plain("c").with("comment", r#"{"by":"Ann"}"#).with("weight", 1.5),
        ];
        let shown = Span::list_to_json(&spans);
        assert_eq!(shown[1], json!({"from": 3, "to": 4, "text": "b", "marks": {"bold": true, "size": 12}}));
        assert_eq!(Span::list_from_json(&shown), Ok(spans.clone()));
        assert_eq!(plain_text(&spans), "Hé☃bc");
        assert_eq!(Span::list_to_json(&[]), json!([]));
    }

    #[test]
    fn what_is_no_list_of_spans_is_named_with_its_place() {
        let cases = [
            (json!("text"), "spans are a list"),
            (json!([{"text": "a"}, 7]), "`[1]`: a span is an object"),
            (json!([{"marks": {}}]), "`[0]`: it has no `text`"),
            (json!([{"text": 1}]), "`[0].text`: it must be a string, not 1"),
            (json!([{"text": "a", "bold": true}]), "`[0].bold`: a span has `text` and `marks` only"),
            (json!([{"text": "a", "marks": []}]), "`[0].marks`: it must be an object"),
            (json!([{"text": "a", "marks": {"link": {"to": 1}}}]), "`[0].marks.link`: a mark's value is a string"),
            (json!([{"text": "a", "marks": {"": true}}]), "`[0].marks.`: a mark needs a name"),
        ];
        for (json, expected) in cases {
            let said = Span::list_from_json(&json).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
        assert_eq!(Span::list_from_json(&json!([{"text": "a", "marks": {"bold": null}}])), Ok(vec![Span::plain("a")]));
    }

    #[test]
    fn names_and_values_have_bounds() {
        let long = "n".repeat(MARK_NAME_BYTES_MAX + 1);
        assert_eq!(mark_value(&long, &json!(1)), Err(BadMark::NameTooLong(long.len())));
        assert_eq!(mark_value("a\nb", &json!(1)), Err(BadMark::NameCharacter('\n')));
        assert_eq!(mark_value("a", &json!(null)), Err(BadMark::Null));
        assert_eq!(mark_value("a", &json!([1])), Err(BadMark::NotScalar("a list")));
        assert_eq!(mark_value("a", &json!(u64::MAX)), Err(BadMark::Number));
        assert_eq!(mark_value("a", &json!(i64::MIN)), Ok(ScalarValue::Int(i64::MIN)));
        let text = "v".repeat(MARK_VALUE_BYTES_MAX + 1);
        assert_eq!(mark_value("a", &json!(text)), Err(BadMark::ValueTooLong(text.len())));
        assert!(mark_value("a", &json!(text[1..])).is_ok());
        assert_eq!(check_mark("a", &ScalarValue::F64(f64::NAN)), Err(BadMark::Number));
        assert!(check_mark("a", &ScalarValue::Null).is_ok());
    }
}
