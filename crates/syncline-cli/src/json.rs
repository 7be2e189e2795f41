//! JSON from the command line: an argument or stdin, with errors that show the place.

use std::borrow::Cow;
use std::io::Read;

use serde_json::Value;
use syncline::Record;

use crate::failure::{Failure, Outcome};

/// Longest line that is shown with an error in it.
const SHOWN_CHARS_MAX: usize = 160;

/// The object in the argument, or on stdin if the argument is `-`. `what` names it in messages.
pub(crate) fn object(argument: &str, what: &str) -> Outcome<Record> {
    as_object(any(argument, what)?, what)
}

/// Any JSON value in the argument, or on stdin if the argument is `-`. `what` names it in messages.
pub(crate) fn any(argument: &str, what: &str) -> Outcome<Value> {
    value(&text(argument)?, what)
}

fn text(argument: &str) -> Outcome<Cow<'_, str>> {
    if argument != "-" {
        return Ok(Cow::Borrowed(argument));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("stdin cannot be read: {error}")))?;
    Ok(Cow::Owned(text))
}

/// Any JSON value; `what` names it in messages.
pub(crate) fn value(text: &str, what: &str) -> Outcome<Value> {
    serde_json::from_str(text).map_err(|error| Failure::usage(syntax_error(text, what, &error)))
}

/// The value, which must be an object; `what` names it in messages.
pub(crate) fn as_object(value: Value, what: &str) -> Outcome<Record> {
    let found = match value {
        Value::Object(record) => return Ok(record),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
    };
    Err(Failure::usage(format!("{what} must be a JSON object like {{\"title\":\"Buy milk\"}}, found {found}")))
}

fn syntax_error(text: &str, what: &str, error: &serde_json::Error) -> String {
    let mut message = format!("{what} is not valid JSON: {error}");
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    if !line.is_empty() && line.chars().count() <= SHOWN_CHARS_MAX {
        // Columns count bytes, and the mark must stand below a character.
        let before = line.bytes().take(error.column().saturating_sub(1)).filter(|byte| byte & 0xc0 != 0x80).count();
        message.push_str(&format!("\n  {}\n  {}^", line.replace('\t', " "), " ".repeat(before)));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_points_at_its_place() {
        let failure = object("{\"title\": \"é\" \"done\": true}", "the record").unwrap_err();
        assert_eq!(failure.code(), 2);
        let lines: Vec<&str> = failure.message().unwrap().lines().collect();
        assert!(lines[0].contains("the record is not valid JSON") && lines[0].contains("line 1"), "{lines:?}");
        assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('"'), "{lines:?}");
    }

    #[test]
    fn what_is_no_object_is_named() {
        let failure = object("[1]", "the patch").unwrap_err();
        assert!(failure.message().unwrap().starts_with("the patch must be a JSON object"), "{failure:?}");
        assert!(failure.message().unwrap().ends_with("found a list"), "{failure:?}");
    }
}
