//! How marks expand, beside the spans that do not say it.

use std::collections::BTreeMap;

use automerge::ScalarValue;
use automerge::legacy::{ObjectId, OpType};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{BadSpans, Expand, ExpandRules, bad};
use crate::change::Change;
use crate::state::OpId;

/// Under which name a span in JSON says how its marks expand.
const EXPAND: &str = "expand";

impl ExpandRules {
    /// How the marks of a text expand: those of a name as the newest that was put under it, in whatever order the changes
    /// stand. Only names whose marks do not expand as marks usually do.
    pub fn of_text(changes: &[Change], text: &OpId) -> Self {
        let mut newest: BTreeMap<String, (OpId, Expand)> = BTreeMap::new();
        for change in changes {
            // The end of a mark is the operation behind its beginning.
            for (counter, pair) in (change.start_op()..).zip(change.ops().windows(2)) {
                let [begin, end] = pair else { continue };
                let (OpType::MarkBegin(mark), OpType::MarkEnd(after)) = (&begin.action, &end.action) else { continue };
                let is_here = matches!(&begin.obj, ObjectId::Id(of) if (of.0, &of.1) == (text.counter, &text.actor));
                if is_here && mark.value != ScalarValue::Null {
                    let put = (OpId { counter, actor: change.actor().clone() }, Expand::at(mark.expand, *after));
                    match newest.get_mut(mark.name.as_str()) {
                        Some(before) if before.0 < put.0 => *before = put,
                        Some(_) => {}
                        None => drop(newest.insert(mark.name.to_string(), put)),
                    }
                }
            }
        }
        let others = Expand::default();
        let named =
            newest.into_iter().map(|(name, (_, expand))| (name, expand)).filter(|(_, expand)| *expand != others);
        let named = named.collect();
        Self { named, others }
    }

    /// Adds to spans in JSON, as [`Span::list_to_json`](super::Span::list_to_json) writes them, how their marks expand:
    /// `"expand": {"link": "none"}`.
    pub fn add_to_spans(&self, spans: &mut Value) {
        for span in spans.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            let names = span.get("marks").and_then(Value::as_object).into_iter().flat_map(Map::keys);
            let rules = names.filter_map(|name| Some((name.clone(), self.named.get(name)?.to_string().into())));
            let rules: Map<String, Value> = rules.collect();
            if !rules.is_empty() {
                span.insert(EXPAND.to_owned(), rules.into());
            }
        }
    }

    /// What [`ExpandRules::add_to_spans`] added to spans.
    pub fn of_spans(spans: &Value) -> Result<Self, BadSpans> {
        let mut named = BTreeMap::new();
        for (at, span) in spans.as_array().into_iter().flatten().enumerate() {
            let place = format!("[{at}].{EXPAND}");
            match span.get(EXPAND) {
                None | Some(Value::Null) => {}
                Some(Value::Object(rules)) => {
                    for (name, rule) in rules {
                        let expand = Expand::deserialize(rule)
                            .map_err(|_| bad(&format!("{place}.{name}"), format!("{CHOICE}, not {rule}")))?;
                        named.insert(name.clone(), expand);
                    }
                }
                Some(other) => {
                    return Err(bad(&place, format!(r#"it must be an object as {{"link":"none"}}, not {other}"#)));
                }
            }
        }
        Ok(Self { named, others: Expand::default() })
    }
}

const CHOICE: &str = r#"it must be "before", "after", "both" or "none""#;

impl Expand {
    fn at(before: bool, after: bool) -> Self {
        match (before, after) {
            (true, true) => Self::Both,
            (true, false) => Self::Before,
            (false, true) => Self::After,
            (false, false) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rich::Span;

    #[test]
    fn rules_stand_beside_the_marks_of_spans_and_come_back() {
        let spans = [
            Span::plain("a").with("bold", true).with("link", "x"),
            Span::plain("b"),
            Span::plain("c").with("link", "y"),
        ];
        let rules = ExpandRules { named: BTreeMap::from([("link".to_owned(), Expand::None)]), others: Expand::After };
        let mut json = Span::list_to_json(&spans);
        rules.add_to_spans(&mut json);
        let expand = |at: usize| json[at].get("expand");
        assert_eq!((expand(0), expand(1)), (Some(&json!({"link": "none"})), None));
        assert_eq!(ExpandRules::of_spans(&json), Ok(rules));
        assert_eq!(Span::list_from_json(&json).as_deref(), Ok(&spans[..]));
        for (wrong, place) in
            [(json!([{"expand": 1}]), "[0].expand"), (json!([{"expand": {"a": "up"}}]), "[0].expand.a")]
        {
            assert_eq!(ExpandRules::of_spans(&wrong).unwrap_err().place, place);
        }
    }
}
