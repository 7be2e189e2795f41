//! Marks of texts: where what an edit made of them still shows, they become again what they were.

use std::collections::BTreeSet;
use std::ops::Range;

use automerge::ChangeHash;
use automerge::legacy::{ObjectId, OpType};
use serde_json::Value;
use syncline_schema::FieldKind;

use super::Story;
use crate::change::Change;
use crate::document::{Document, RUNS_MAX};
use crate::record::{RecordView, TextEdit};
use crate::rich::{ExpandRules, Mark, Marks};
use crate::state::OpId;

/// The marks of an edit cannot be turned: they divide the text into more runs than are looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the marks of `{field}` that it changed divide the text into more than {RUNS_MAX} runs")]
pub struct TooManyRuns {
    /// The field.
    pub field: String,
}

/// Characters with the same marks, at the positions where they stand now.
pub(crate) type Run = (Range<usize>, Marks);

impl RecordView<'_> {
    /// What undoes the marks of the changes at these places of a story, which one operation made, or redoes them (`back`:
    /// undoes), by field. Other values that stand there now under the same names stay, whoever put them. An error where
    /// the marks of these names make up more than 256 runs of a text: what shows of them is not looked for then. The view
    /// shows the record as it stands, its document included.
    pub fn turn_marks(
        &self,
        story: &Story<'_>,
        edit: &[usize],
        back: bool,
    ) -> Result<Vec<(String, Vec<TextEdit>)>, TooManyRuns> {
        let Some(document) = self.document else { return Ok(Vec::new()) };
        let changes: Vec<&Change> = edit.iter().filter_map(|at| story.changes.get(*at)).collect();
        let rich = self.model.fields.iter().filter(|field| field.kind == FieldKind::Text { rich: true });
        let turned = rich.filter_map(|field| {
            let (text, _) = self.state.object(&field.document_key)?;
            let marking: Vec<&Change> =
                changes.iter().copied().filter(|change| names(change, text).next().is_some()).collect();
            let (first, last) = (marking.first()?, marking.last()?);
            let names: BTreeSet<&str> = marking.iter().flat_map(|change| names(change, text)).collect();
            let runs = |heads: &[ChangeHash]| document.runs_then(&field.document_key, heads, &names);
            let (Some(before), Some(after)) = (runs(first.deps()), runs(&[last.hash()])) else {
                return Some(Err(TooManyRuns { field: field.name.clone() }));
            };
            let (from, to) = if back { (after, before) } else { (before, after) };
            let rules = ExpandRules::of_text(story.changes, text);
            let now = runs_now(document, &field.document_key)?;
            let edits = names.into_iter().flat_map(|name| turn(name, [&from, &to, &now], &rules)).collect::<Vec<_>>();
            (!edits.is_empty()).then(|| Ok((field.name.clone(), edits)))
        });
        turned.collect()
    }
}

/// Under which names a change put marks on a text, or took them away.
fn names<'a>(change: &'a Change, text: &'a OpId) -> impl Iterator<Item = &'a str> {
    change.ops().iter().filter_map(|op| {
        let (OpType::MarkBegin(mark), ObjectId::Id(of)) = (&op.action, &op.obj) else { return None };
        ((of.0, &of.1) == (text.counter, &text.actor)).then_some(mark.name.as_str())
    })
}

fn runs_now(document: &Document, key: &str) -> Option<Vec<Run>> {
    let spans = document.spans(key).ok()?.unwrap_or_default();
    let mut from = 0;
    let run = |span: crate::rich::Span| {
        let range = from..from + span.text.chars().count();
        from = range.end;
        (range, span.marks)
    };
    Some(spans.into_iter().map(run).collect())
}

/// The edits under one name that lead from one state to another where the first still shows.
fn turn(name: &str, [from, to, now]: [&[Run]; 3], rules: &ExpandRules) -> Vec<TextEdit> {
    let bounds: BTreeSet<usize> =
        [from, to, now].into_iter().flatten().flat_map(|(range, _)| [range.start, range.end]).collect();
    let bounds: Vec<usize> = bounds.into_iter().collect();
    let mut steps: Vec<(Range<usize>, Option<&Value>)> = Vec::new();
    for pair in bounds.windows(2) {
        let (range, at) = (pair[0]..pair[1], pair[0]);
        let (before, wanted) = (value_at(from, at, name), value_at(to, at, name));
        let stands = now.last().is_some_and(|(last, _)| at < last.end) && value_at(now, at, name) == before;
        match steps.last_mut() {
            _ if !stands || before == wanted => {}
            Some((last, value)) if last.end == range.start && *value == wanted => last.end = range.end,
            Some(_) | None => steps.push((range, wanted)),
        }
    }
    let expand = rules.of(name);
    let edit = |(range, wanted): (Range<usize>, Option<&Value>)| match wanted {
        Some(value) => TextEdit::Mark { range, mark: Mark::new(name, value.clone()).expanding(expand) },
        None => TextEdit::Unmark { range, name: name.to_owned(), expand },
    };
    steps.into_iter().map(edit).collect()
}

/// The value under a name at a position.
fn value_at<'a>(runs: &'a [Run], at: usize, name: &str) -> Option<&'a Value> {
    let (range, marks) = runs.get(runs.partition_point(|(range, _)| range.end <= at))?;
    if range.contains(&at) { marks.get(name) } else { None }
}
