//! Small things about texts: units, lists, values, and escapes.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::outcome::ClockTime;

/// Milliseconds as people say them.
pub(super) fn duration(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let Some(first) = UNITS.iter().position(|&(unit, _)| ms >= unit) else { return "0 ms".to_owned() };
    let (unit, name) = UNITS[first];
    let mut said = format!("{} {name}", ms / unit);
    if let Some((next, name)) = UNITS.get(first + 1).filter(|_| !ms.is_multiple_of(unit)) {
        let rest = ms % unit / next;
        if rest > 0 {
            write!(said, " {rest} {name}").expect("a String takes everything");
        }
    }
    said
}

/// A number of bytes.
pub(super) fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        0..10_240 => format!("{count} bytes"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

/// So many of something, in the plural where it is due.
pub(super) fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// `1st`, `2nd`, `3rd`, `4th` …
pub(super) fn ordinal(number: u64) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `a, b and c`; of many only some, and how many more there are.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    const SAID_MAX: usize = 5;
    match names {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        _ if names.len() > SAID_MAX => {
            let said: Vec<&str> = names[..SAID_MAX - 1].iter().map(AsRef::as_ref).collect();
            format!("{} and {} more", said.join(", "), names.len() - said.len())
        }
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

/// The fields of a record, shortened.
pub(super) fn fields(values: &Map<String, Value>) -> String {
    let said: Vec<String> = values.iter().map(|(name, value)| format!("{name} = {}", self::value(value))).collect();
    list(&said)
}

/// A value as JSON, shortened.
pub(super) fn value(value: &Value) -> String {
    shorten(&value.to_string(), 60)
}

/// The first characters of a text, and a mark if there were more.
pub(super) fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A text with its first letter small, for use within a sentence.
pub(super) fn small(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Virtual time without the milliseconds where there are none.
pub(super) fn time(ms: u64) -> String {
    let said = ClockTime(ms).to_string();
    said.strip_suffix(".000").map(str::to_owned).unwrap_or(said)
}

/// For the inside of HTML elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// JSON for the inside of a `<script>` element: nothing in it can end or open an element.
pub(super) fn script_json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Bytes as base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let six = bits >> (18 - 6 * place) & 63;
            text.push(if place > three.len() { '=' } else { char::from(LETTERS[six as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        let said: Vec<String> = [0, 40, 1_000, 1_500, 60_000, 200_000, 7_500_000, 1_900_000_000].map(duration).into();
        assert_eq!(said, ["0 ms", "40 ms", "1 s", "1 s 500 ms", "1 min", "3 min 20 s", "2 h 5 min", "21 d 23 h"]);
    }

    #[test]
    fn long_lists_end_in_a_number() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"; 20]), "a, a, a, a and 16 more");
    }

    #[test]
    fn base64_is_what_others_read() {
        let coded: Vec<String> = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())).into();
        assert_eq!(coded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn a_script_cannot_be_ended_by_a_value() {
        let json = script_json(&Value::from("</script><!--&"));
        assert_eq!(json, r#""\u003c/script\u003e\u003c!--\u0026""#);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), Value::from("</script><!--&"));
    }
}
