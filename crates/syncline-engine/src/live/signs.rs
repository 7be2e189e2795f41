//! By what a change that may concern a result is found without a look at the result: for many results at once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::filter::{Comparison, Filter, equality_key, value_at};

use super::LiveResult;

/// Most rows and values by which a result is found.
const SIGNS_MAX: usize = 1_024;

/// What a change of one model must show to concern a result: one of these rows, or one of these values afterwards. Not
/// every change that shows it does: see [`LiveResult::is_concerned_by`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Rows, ascending.
    pub rows: Vec<i64>,
    /// For a field or path what [`key_at`](Self::key_at) tells of it, ascending.
    pub values: BTreeMap<String, Vec<u64>>,
}

impl Signs {
    /// A number for what a changed record holds at a field or path; an empty row holds nulls.
    pub fn key_at(record: Option<&Map<String, Value>>, path: &str) -> u64 {
        equality_key(record.map_or(&Value::Null, |record| value_at(record, path)))
    }

    fn len(&self) -> usize {
        self.rows.len() + self.values.values().map(Vec::len).sum::<usize>()
    }
}

impl LiveResult {
    /// By what changes of a model that concern the result are found, as long as it is not another; `None` if each may.
    pub fn signs(&self, model: &str) -> Option<Signs> {
        if self.runs_again || self.concern.any.contains(model) || self.held.len() > SIGNS_MAX {
            return None;
        }
        let mut signs = Signs::default();
        if model == self.query.model {
            let (field, values) = required(self.concern.own.as_ref()?)?;
            signs.values.entry(field.to_owned()).or_default().extend(values.iter().map(equality_key));
            signs.rows.extend(self.held.keys());
        }
        for shown in self.concern.shown.iter().filter(|shown| shown.model == model) {
            let leads: usize = self.held.values().map(|held| held.leads.len()).sum();
            if self.held.len() > Self::ROWS_MAX || leads > SIGNS_MAX {
                return None;
            }
            let (theirs, ours) = shown.equal.first()?;
            let values = signs.values.entry(theirs.clone()).or_default();
            values.extend(self.held.values().map(|held| Signs::key_at(Some(&held.record), ours)));
            if shown.is_join {
                // A link that went does not say between whom it stood.
                values.push(equality_key(&Value::Null));
            }
            signs.rows.extend(self.held.values().flat_map(|held| &held.leads));
        }
        signs.rows.sort_unstable();
        signs.rows.dedup();
        for values in signs.values.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        (signs.len() <= SIGNS_MAX).then_some(signs)
    }
}

/// A field, and values of which it must hold one for the filter to match.
fn required(filter: &Filter) -> Option<(&str, &[Value])> {
    match filter {
        Filter::Compare { field, op: Comparison::Eq, value } => Some((field, std::slice::from_ref(value))),
        Filter::In { field, values } => Some((field, values)),
        Filter::And(filters) => filters.iter().find_map(required),
        Filter::All
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::Related { .. }
        | Filter::Compare { .. }
        | Filter::Between { .. }
        | Filter::Contains { .. }
        | Filter::BeginsWith { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_requires_what_each_match_must_hold() {
        let (a, b) = (|| Filter::eq("a", 1), || Filter::eq("b", "x"));
        assert_eq!(required(&a()), Some(("a", [Value::from(1)].as_slice())));
        assert_eq!(required(&(Filter::All & (a() | b()) & b())), Some(("b", [Value::from("x")].as_slice())));
        assert_eq!(required(&(a() | b())), None);
        assert_eq!(required(&Filter::Not(Box::new(a()))), None);
        assert_eq!(required(&Filter::related("list", a())), None);
    }
}
