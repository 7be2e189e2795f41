//! Which changes a result need not look at: what the changed record holds tells that it neither belongs nor is shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use syncline_core::filter::Filter;
use syncline_schema::{Model, RelationKind, Schema};

use super::{Held, LiveResult};
use crate::query::{Dependency, Use};

/// By what a change is recognised as one that may concern a result.
#[derive(Clone, Debug)]
pub(super) struct Concern {
    /// What a record by itself must hold to be found; `None` if only the file can tell.
    pub(super) own: Option<Filter>,
    /// Models whose every change may concern the result.
    pub(super) any: BTreeSet<String>,
    pub(super) shown: Vec<Shown>,
}

/// Records that are shown with those at the other end of one relation.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) model: String,
    /// It is the model that joins the ends.
    pub(super) is_join: bool,
    /// Fields that are equal in both: of the record that is shown, and of the one that shows it.
    pub(super) equal: Vec<(String, String)>,
}

impl Concern {
    pub(super) fn new(
        schema: &Schema,
        model: &Model,
        filter: Option<&Filter>,
        dependencies: &BTreeSet<Dependency>,
    ) -> Self {
        let mut concern = Self { own: filter.map(demanded), any: BTreeSet::new(), shown: Vec::new() };
        for dependency in dependencies {
            match Shown::new(schema, model, dependency) {
                Some(shown) => concern.shown.push(shown),
                None => drop(concern.any.insert(dependency.model.clone())),
            }
        }
        concern
    }
}

/// What a filter demands of the record by itself: as much of it as does not lead to others.
fn demanded(filter: &Filter) -> Filter {
    if let Filter::And(filters) = filter {
        return Filter::And(filters.iter().map(demanded).collect());
    }
    if leads_to_others(filter) { Filter::All } else { filter.clone() }
}

fn leads_to_others(filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(leads_to_others),
        Filter::Not(filter) => leads_to_others(filter),
        Filter::Related { .. } => true,
        Filter::All
        | Filter::Compare { .. }
        | Filter::Between { .. }
        | Filter::In { .. }
        | Filter::Contains { .. }
        | Filter::BeginsWith { .. } => false,
    }
}

impl Shown {
    /// `None` if a record does not tell by itself where it is shown.
    fn new(schema: &Schema, model: &Model, dependency: &Dependency) -> Option<Self> {
        let [relation] = dependency.path.as_slice() else { return None };
        if dependency.used == Use::Found {
            return None;
        }
        let relation = model.relation(relation)?;
        let is_join = dependency.is_join(schema, model);
        let (theirs, ours) = match relation.kind {
            RelationKind::HasOne | RelationKind::BelongsTo => (&relation.references, &relation.fields),
            RelationKind::HasMany => (&relation.fields, &relation.references),
            RelationKind::ManyToMany if is_join => (&relation.fields, &relation.references),
            RelationKind::ManyToMany => return None,
        };
        let equal = theirs.iter().cloned().zip(ours.iter().cloned()).collect();
        Some(Self { model: dependency.model.clone(), is_join, equal })
    }

    fn may_stand_with(&self, record: &Map<String, Value>, held: &Held) -> bool {
        self.equal.iter().all(|(theirs, ours)| record.get(theirs) == held.record.get(ours))
    }
}

impl LiveResult {
    /// Whether a row of this model concerns the result whatever is in it.
    pub fn is_concerned_by(&self, model: &str, row: i64) -> bool {
        let is_own = model == self.query.model;
        self.runs_again
            || self.concern.any.contains(model)
            || is_own && (self.concern.own.is_none() || self.held.contains_key(&row))
            || self.shows(model) && self.held.len() > Self::ROWS_MAX
    }

    /// Whether a changed row that does so by nothing else concerns the result by what is in it now; `None` if it is
    /// empty, as that of a deleted record.
    pub fn is_concerned_with(&self, model: &str, row: i64, record: Option<&Map<String, Value>>) -> bool {
        let finds = |record| self.concern.own.as_ref().is_none_or(|own| own.matches(record));
        let is_found =
            model == self.query.model && record.is_some_and(|record| finds(record) && self.place(record).is_some());
        is_found || self.shows(model) && self.is_shown(model, row, record)
    }

    fn shows(&self, model: &str) -> bool {
        self.concern.shown.iter().any(|shown| shown.model == model)
    }

    /// Whether a record was shown with one that is held, or may be now.
    fn is_shown(&self, model: &str, row: i64, record: Option<&Map<String, Value>>) -> bool {
        if self.held.values().any(|held| held.leads.binary_search(&row).is_ok()) {
            return true;
        }
        let mut shown = self.concern.shown.iter().filter(|shown| shown.model == model);
        shown.any(|shown| match record {
            Some(record) => self.held.values().any(|held| shown.may_stand_with(record, held)),
            // A link that went does not say between whom it stood.
            None => shown.is_join,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syncline_core::filter::Include;

    use super::super::{Found, News, Signs};
    use super::*;
    use crate::query::{Numbered, Query};

    const SDL: &str = r#"
        type List @model { id: ID! name: String tasks: [Task] @hasMany tags: [Tag] @manyToMany(relationName: "Tagged") }
        type Task @model { id: ID! rank: Int list: List @belongsTo }
        type Tag @model { id: ID! lists: [List] @manyToMany(relationName: "Tagged") }
    "#;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    /// A result that holds one record, in row 1, which includes those in rows 7 and 9.
    fn holding(query: Query, record: &Value) -> LiveResult {
        let schema = syncline_schema::parse("schema.graphql", SDL).unwrap().schema;
        let mut live = LiveResult::new(query, &schema).unwrap();
        let held = Numbered { row: 1, record: object(record), leads: vec![7, 9] };
        live.take(News(Found::Everything(vec![held])));
        live
    }

    fn concerns(live: &LiveResult, model: &str, row: i64, now: Option<Value>) -> bool {
        let now = now.as_ref().map(object);
        let concerns = live.is_concerned_by(model, row) || live.is_concerned_with(model, row, now.as_ref());
        assert!(!concerns || is_found(live, model, row, now.as_ref()), "its signs tell of all that concerns it");
        concerns
    }

    fn is_found(live: &LiveResult, model: &str, row: i64, now: Option<&Map<String, Value>>) -> bool {
        let Some(signs) = live.signs(model) else { return true };
        let mut values = signs.values.iter();
        signs.rows.contains(&row) || values.any(|(path, keys)| keys.contains(&Signs::key_at(now, path)))
    }

    #[test]
    fn a_filter_that_leads_to_others_still_says_what_the_record_must_hold() {
        let related = Filter::related("list", Filter::eq("name", "a"));
        let both = Query { condition: (Filter::eq("rank", 1) & related.clone()).into(), ..Query::new("Task") };
        let live = holding(both, &json!({"id": "t1", "rank": 1}));
        assert!(concerns(&live, "Task", 1, Some(json!({"id": "t1", "rank": 2}))), "it is held");
        assert!(concerns(&live, "Task", 2, Some(json!({"id": "t2", "rank": 1}))));
        assert!(!concerns(&live, "Task", 2, Some(json!({"id": "t2", "rank": 2}))));
        assert!(!concerns(&live, "Task", 2, None));
        assert!(concerns(&live, "List", 3, None), "any list may make a task match");

        let either = Query { condition: (Filter::eq("rank", 1) | related).into(), ..Query::new("Task") };
        let live = holding(either, &json!({"id": "t1", "rank": 1}));
        assert!(concerns(&live, "Task", 2, Some(json!({"id": "t2", "rank": 2}))));
    }

    #[test]
    fn a_related_record_concerns_those_that_show_it_or_will() {
        let of = |relation: &str, model: &str| Query { include: vec![Include::new(relation)], ..Query::new(model) };
        let lists = holding(of("tasks", "List"), &json!({"id": "l1"}));
        let task = |list: &str| Some(json!({"id": "t", "listTasksId": list}));
        assert!(concerns(&lists, "Task", 5, task("l1")), "it comes to the list");
        assert!(concerns(&lists, "Task", 7, task("l2")), "it leaves the list");
        assert!(concerns(&lists, "Task", 7, None), "it was shown");
        assert!(!concerns(&lists, "Task", 5, task("l2")));
        assert!(!concerns(&lists, "Task", 5, None));

        let tasks = holding(of("list", "Task"), &json!({"id": "t", "listTasksId": "l1"}));
        assert!(concerns(&tasks, "List", 5, Some(json!({"id": "l1"}))), "a reference that dangled leads there");
        assert!(!concerns(&tasks, "List", 5, Some(json!({"id": "l2"}))));
        assert!(concerns(&tasks, "Task", 2, Some(json!({"id": "t2"}))), "the query takes all");
    }

    #[test]
    fn of_what_links_lead_to_only_the_links_tell_where_it_is_shown() {
        let tags = Query { include: vec![Include::new("tags")], ..Query::new("List") };
        let live = holding(tags, &json!({"id": "l1"}));
        assert!(concerns(&live, "Tag", 5, Some(json!({"id": "any"}))));
        assert!(concerns(&live, "Tagged", 5, None), "a link that went does not say between whom it stood");
        assert!(!concerns(&live, "Tagged", 5, Some(json!({"listId": "l2", "tagId": "any"}))));
        assert!(concerns(&live, "Tagged", 5, Some(json!({"listId": "l1", "tagId": "any"}))));
    }

    #[test]
    fn what_is_shown_at_two_places_or_deeper_is_recognised_at_each() {
        let deep = Include { include: vec![Include::new("list")], ..Include::new("tasks") };
        let live = holding(Query { include: vec![deep], ..Query::new("List") }, &json!({"id": "l1"}));
        assert!(concerns(&live, "List", 5, Some(json!({"id": "l2"}))), "it may be shown below a task");
    }
}
