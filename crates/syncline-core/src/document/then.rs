//! Texts and lists as they were at earlier heads.

use std::collections::BTreeSet;

use automerge::{ChangeHash, ObjId, ObjType, ROOT, ReadDoc, Value};
use serde_json::Value as Json;

use super::{Document, json};
use crate::record::Run;
use crate::rich::{SPANS_BYTES_MAX, Span, joined};
use crate::state::OpId;

/// Most runs whose positions are looked for: each costs a walk over the text's operations.
pub(crate) const RUNS_MAX: usize = 256;

impl Document {
    /// The text at a key when exactly these heads and what they build on had been merged.
    pub fn text_at(&self, key: &str, heads: &[ChangeHash]) -> Option<String> {
        let text = self.object_at(key, ObjType::Text, heads)?;
        self.doc.text_at(text, heads).ok()
    }

    /// The list at a key, as [`text_at`](Self::text_at).
    pub fn list_at(&self, key: &str, heads: &[ChangeHash]) -> Option<Vec<Json>> {
        let list = self.object_at(key, ObjType::List, heads)?;
        Some(json::elements_at(&self.doc, &list, Some(heads)))
    }

    /// The elements of a list with the operations that put them there, as [`text_at`](Self::text_at).
    pub(crate) fn elements_at(&self, key: &str, heads: &[ChangeHash]) -> Vec<(OpId, Json)> {
        let Some(list) = self.object_at(key, ObjType::List, heads) else { return Vec::new() };
        let element = |at: usize| {
            let (value, id) = self.doc.get_at(&list, at, heads).ok()??;
            let ObjId::Id(counter, actor, _) = &id else { return None };
            let name = OpId { counter: *counter, actor: actor.clone() };
            Some((name, json::value_at(&self.doc, &value, &id, heads)))
        };
        (0..self.doc.length_at(&list, heads)).filter_map(element).collect()
    }

    /// The runs of equal marks of these names of a text as it was then, ascending, at the positions where their characters
    /// stand now. Of a run whose characters are gone nothing may be left. `None` if there are more than [`RUNS_MAX`], or
    /// more than is ever shown.
    pub(crate) fn runs_then(&self, key: &str, heads: &[ChangeHash], names: &BTreeSet<&str>) -> Option<Vec<Run>> {
        let Some(text) = self.object_at(key, ObjType::Text, heads) else { return Some(Vec::new()) };
        let length = self.doc.length_at(&text, heads);
        let now = |at: usize| {
            if at >= length {
                return Some(self.doc.length(&text));
            }
            let cursor = self.doc.get_cursor(&text, at, Some(heads)).ok()?;
            self.doc.get_cursor_position(&text, &cursor, None).ok()
        };
        let mut from = 0;
        let run = |span: Span| {
            let then = from..from + span.text.chars().count();
            from = then.end;
            Some((now(then.start)?..now(then.end)?, span.marks))
        };
        let mut spans = super::marks::spans_at(&self.doc, &text, heads, SPANS_BYTES_MAX).ok()?;
        spans.iter_mut().for_each(|span| span.marks.retain(|name, _| names.contains(name.as_str())));
        let spans = joined(spans);
        (spans.len() <= RUNS_MAX).then(|| spans.into_iter().filter_map(run).collect())
    }

    fn object_at(&self, key: &str, kind: ObjType, heads: &[ChangeHash]) -> Option<ObjId> {
        let (found, object) = newest(self.doc.get_all_at(ROOT, key, heads).ok()?)?;
        (found == kind).then_some(object)
    }
}

/// The object to show, of all that stands at a key.
pub(super) fn newest(standing: Vec<(Value<'_>, ObjId)>) -> Option<(ObjType, ObjId)> {
    let objects = standing.into_iter().filter_map(|(value, id)| match value {
        Value::Object(kind) => Some((kind, id)),
        Value::Scalar(_) => None,
    });
    objects.max_by(|(_, a), (_, b)| super::name(a).cmp(&super::name(b)))
}
