//! Marks: a text as spans, and from spans to the marks that lead there.

use std::collections::BTreeMap;

use automerge::iter::Span as Run;
use automerge::marks::ExpandMark;
use automerge::{ChangeHash, ObjId, ReadDoc, ScalarValue};
use serde_json::Value;

use super::json;
use crate::rich::{Expand, ExpandRules, Marks, Span, SpansTooLarge, joined, mark_bytes};

/// A mark to be put on characters of a text; null takes it away.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MarkStep {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) name: String,
    pub(super) value: ScalarValue,
    pub(super) expand: Expand,
}

/// A text as spans, whose marks take so many bytes at most.
pub(super) fn spans(doc: &impl ReadDoc, text: &ObjId, bytes_max: usize) -> Result<Vec<Span>, SpansTooLarge> {
    doc.spans(text).map_or(Ok(Vec::new()), |runs| shown(runs, bytes_max))
}

/// The spans as they were at these heads.
pub(super) fn spans_at(
    doc: &impl ReadDoc,
    text: &ObjId,
    heads: &[ChangeHash],
    bytes_max: usize,
) -> Result<Vec<Span>, SpansTooLarge> {
    doc.spans_at(text, heads).map_or(Ok(Vec::new()), |runs| shown(runs, bytes_max))
}

fn shown(runs: impl Iterator<Item = Run>, bytes_max: usize) -> Result<Vec<Span>, SpansTooLarge> {
    let mut bytes_left = bytes_max;
    let span = |run: Run| match run {
        Run::Text { text, marks } => {
            let mut shown = Marks::new();
            for (name, value) in marks.iter().flat_map(|marks| marks.iter()) {
                let value = json::scalar_to_json(value);
                bytes_left = bytes_left.checked_sub(mark_bytes(name, &value)).ok_or(SpansTooLarge)?;
                shown.insert(name.to_owned(), value);
            }
            Ok(Span { text, marks: shown })
        }
        // The guard lets none in; it takes up one position all the same.
        Run::Block(_) => Ok(Span::plain(run.as_str())),
    };
    Ok(joined(runs.map(span).collect::<Result<Vec<_>, _>>()?))
}

/// What leads from one set of marks to another on the same text. Characters that are marked as
/// wanted are left alone.
pub(super) fn difference(now: &[Span], wanted: &[Span], rules: &ExpandRules) -> Vec<MarkStep> {
    let mut steps = Vec::new();
    // Names that differ on the characters just passed: since when, and what is wanted.
    let mut open: BTreeMap<&str, (usize, &Value)> = BTreeMap::new();
    let mut close = |name: &str, (from, value): (usize, &Value), to: usize| {
        let value = json::scalar(value);
        steps.push(MarkStep { from, to, name: name.to_owned(), value, expand: rules.of(name) });
    };
    let mut end = 0;
    for (at, length, now, wanted) in common_runs(now, wanted) {
        let differing: BTreeMap<&str, &Value> = differing(now, wanted).collect();
        let ended: Vec<&str> = open
            .iter()
            .filter(|(name, (_, value))| differing.get(*name) != Some(value))
            .map(|(name, _)| *name)
            .collect();
        for name in ended {
            if let Some(begun) = open.remove(name) {
                close(name, begun, at);
            }
        }
        for (name, value) in differing {
            open.entry(name).or_insert((at, value));
        }
        end = at + length;
    }
    for (name, begun) in open {
        close(name, begun, end);
    }
    steps.sort_by(|a, b| (a.from, &a.name).cmp(&(b.from, &b.name)));
    steps
}

/// Names under which two sets of marks differ, with the value that the second has.
fn differing<'a>(now: &'a Marks, wanted: &'a Marks) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let gone = now.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (name.as_str(), &Value::Null));
    let new = wanted.iter().filter(|(name, value)| now.get(*name) != Some(value));
    gone.chain(new.map(|(name, value)| (name.as_str(), value)))
}

/// Runs of characters with the same marks in either list: position, length, and both marks.
fn common_runs<'a>(one: &'a [Span], other: &'a [Span]) -> impl Iterator<Item = (usize, usize, &'a Marks, &'a Marks)> {
    let lengths = |spans: &'a [Span]| spans.iter().map(|span| (span.text.chars().count(), &span.marks));
    let (mut ones, mut others) = (lengths(one).peekable(), lengths(other).peekable());
    let mut at = 0;
    std::iter::from_fn(move || {
        let (one, other) = (ones.peek_mut()?, others.peek_mut()?);
        let length = one.0.min(other.0);
        let run = (at, length, one.1, other.1);
        (one.0, other.0) = (one.0 - length, other.0 - length);
        let (one_ends, other_ends) = (one.0 == 0, other.0 == 0);
        ones.next_if(|_| one_ends);
        others.next_if(|_| other_ends);
        at += length;
        Some(run)
    })
}

pub(super) fn expand(expand: Expand) -> ExpandMark {
    match expand {
        Expand::Before => ExpandMark::Before,
        Expand::After => ExpandMark::After,
        Expand::Both => ExpandMark::Both,
        Expand::None => ExpandMark::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        let bold = |text: &str| Span::plain(text).with("bold", true);
        let now = [Span::plain("ab"), bold("cd"), bold("e").with("link", "x")];
        let wanted = [bold("abc"), Span::plain("d").with("link", "y"), bold("e").with("link", "y")];
        let step = |from, to, name: &str, value: ScalarValue| MarkStep {
            from,
            to,
            name: name.to_owned(),
            value,
            expand: Expand::After,
        };
        let expected =
            [step(0, 2, "bold", true.into()), step(3, 4, "bold", ScalarValue::Null), step(3, 5, "link", "y".into())];
        assert_eq!(difference(&now, &wanted, &ExpandRules::default()), expected);
        assert_eq!(difference(&now, &now, &ExpandRules::default()), []);
    }
}
