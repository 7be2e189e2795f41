//! Text to tree, and syntax errors in our words.

use std::ops::Range;

use apollo_compiler::{ast::Document, diagnostic::ToCliReport};

use super::finding::{Checked, Finding, Spanned};

/// Longest source that is read. The largest schemas in use have some hundred kilobytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Deepest nesting of brackets. Schemas need four or five; beyond hundreds the parser's stack ends.
const DEPTH_MAX: usize = 64;

/// Reads SDL. Only the first syntax error is told: what follows one is mostly its echo.
pub(super) fn read(source: &str) -> Checked<Document> {
    if source.len() > BYTES_MAX {
        return Err(Finding::error(0..0, "the schema is larger than 8 MiB")
            .help("check that this is the schema file; generated types do not belong into it"));
    }
    if let Some(at) = too_deep(source) {
        return Err(Finding::error(at..at + 1, format!("brackets are nested more than {DEPTH_MAX} deep"))
            .help("check for brackets that are never closed"));
    }
    Document::parse(source, "schema.graphql").map_err(|with_errors| {
        let first = with_errors.errors.iter().next().map(|diagnostic| {
            let span = diagnostic.error.location().span();
            (span, diagnostic.error.to_string())
        });
        let (span, message) = first.unwrap_or_else(|| (0..0, "the schema cannot be read".to_owned()));
        in_our_words(source, span, &message)
    })
}

/// Place of the first bracket that opens too deep a level, strings and comments left out.
fn too_deep(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at += line_length(&bytes[at..]),
            b'"' if bytes[at..].starts_with(b"\"\"\"") => at += block_string_length(&bytes[at..]),
            b'"' => at += string_length(&bytes[at..]),
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(at);
                }
            }
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn line_length(bytes: &[u8]) -> usize {
    let newline = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    newline.unwrap_or(bytes.len())
}

/// Bytes up to the closing quote (or the line's end, which ends a broken string).
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\n' | b'\r') {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

fn block_string_length(bytes: &[u8]) -> usize {
    let mut at = 3;
    while at < bytes.len() && !bytes[at..].starts_with(b"\"\"\"") {
        at += if bytes[at..].starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
    at + 2
}

/// What the parser calls its expectations, and what we call them.
const EXPECTATIONS: &[(&str, &str)] = &[
    ("Enum Value", "at least one value of the enum, such as `DRAFT`"),
    ("Field Definition", "a field, such as `title: String`"),
    ("Fields Definition", "fields in `{ … }`"),
    ("Input Value Definition", "a field, such as `title: String`"),
    ("Argument", "an argument, such as `name: \"byOwner\"`"),
    ("@ symbol", "a directive, such as `@model`"),
    ("Directive", "a directive, such as `@model`"),
    ("definition", "a definition: `type`, `enum` or `input`"),
    ("StringValue, Name", "a definition: `type`, `enum` or `input`"),
    ("item type", "a type, such as `String`"),
    ("a type", "a type, such as `String`"),
    ("a Type", "a type, such as `String`"),
    ("Name", "a name"),
    ("a name", "a name"),
    ("R_CURLY", "`}`"),
    ("L_CURLY", "`{`"),
    ("R_PAREN", "`)`"),
    ("L_PAREN", "`(`"),
    ("R_BRACK", "`]`"),
    ("L_BRACK", "`[`"),
    ("COLON", "`:`"),
    ("EQ", "`=`"),
    ("Selection Set", "a definition: `type`, `enum` or `input`"),
];

fn in_our_words(source: &str, span: Range<usize>, message: &str) -> Box<Finding> {
    let message = message.strip_prefix("syntax error: ").unwrap_or(message);
    let end = source.trim_end().len();
    if span.start >= end {
        let wanted = wanted(message).unwrap_or("more");
        return Finding::error(end..end, format!("expected {wanted}, found the end of the file"))
            .help("something is opened and never closed; look for a missing `}` or `)`");
    }
    let token = first_line(source.get(span.clone()).unwrap_or(""));
    let span = span.start..span.start + token.len();
    let lower = message.to_lowercase();
    if lower.contains("unterminated string") || lower.contains("unexpected line terminator") {
        return Finding::error(span, "a string is not closed").help("close it with `\"`");
    }
    let found: String = token.chars().take(40).collect();
    let message = match wanted(message) {
        Some(wanted) => format!("expected {wanted}, found `{found}`"),
        None => format!("`{found}` cannot stand here: {}", lower_first(message.trim_end_matches('.'))),
    };
    let help = cure(source, token, span.start);
    Finding::error(span, message).maybe_help(help)
}

/// What the parser was looking for, in our words.
fn wanted(message: &str) -> Option<&'static str> {
    let (_, wanted) = message.split_once("expected ")?;
    let known = EXPECTATIONS.iter().find(|(theirs, _)| wanted.contains(theirs));
    known.map(|(_, ours)| *ours)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_end()
}

/// Slips that are common enough to name.
fn cure(source: &str, token: &str, at: usize) -> Option<String> {
    let before = source.get(..at)?.trim_end();
    let keywords = ["type", "enum", "input", "extend", "interface", "union", "scalar", "directive", "schema"];
    if token == "}" && before.ends_with('{') {
        return Some("a type needs at least one field, an enum at least one value".to_owned());
    }
    if token.starts_with(['\'', '`']) {
        return Some("strings stand in double quotes".to_owned());
    }
    if token.starts_with('/') {
        return Some("comments start with `#`".to_owned());
    }
    if token == ":" {
        // `title:` without a type takes the next field's name for it.
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = before.trim_end_matches(in_name).trim_end().strip_suffix(':')?;
        let untyped = &name[name.trim_end_matches(in_name).len()..];
        return Some(format!("`{untyped}` has no type"));
    }
    if token.is_empty() || keywords.contains(&token) {
        return None;
    }
    crate::did_you_mean(token, keywords)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
