//! Which rows a result has to ask when something changed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use syncline_core::filter::Filter;
use syncline_schema::{Model, Schema};

use super::{Changed, Held, LiveResult};
use crate::query::{Dependency, QueryError, Use, living};

/// Whether a change of a related record can only make records match that lead to it afterwards: those that led to it
/// before may at most stop matching. Not so where a filter denies that there is such a record.
pub(super) fn is_monotone(filter: &Filter) -> bool {
    grows(filter, false)
}

fn grows(filter: &Filter, denied: bool) -> bool {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().all(|filter| grows(filter, denied)),
        Filter::Not(filter) => grows(filter, true),
        Filter::Related { filter, .. } => !denied && grows(filter, false),
        Filter::All
        | Filter::Compare { .. }
        | Filter::Between { .. }
        | Filter::In { .. }
        | Filter::Contains { .. }
        | Filter::BeginsWith { .. } => true,
    }
}

/// Rows to be asked, as far as there are not too many.
struct Asked(BTreeSet<i64>);

impl Asked {
    /// `None` once there are so many that a run of the query is cheaper.
    fn add(&mut self, rows: impl IntoIterator<Item = i64>) -> Option<()> {
        for row in rows {
            self.0.insert(row);
            if self.0.len() > LiveResult::ROWS_MAX {
                return None;
            }
        }
        Some(())
    }
}

impl LiveResult {
    /// The rows to ask one by one; `None` if the query has to run again.
    pub(super) fn to_ask(
        &self,
        db: &Connection,
        schema: &Schema,
        changed: &Changed,
    ) -> Result<Option<Vec<i64>>, QueryError> {
        if !self.is_loaded || (self.runs_again && !changed.is_empty()) || changed.len() > Self::ROWS_MAX {
            return Ok(None);
        }
        let Some(model) = schema.model(&self.query.model) else { return Ok(None) };
        let mut by_model: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (model, row) in changed {
            by_model.entry(model).or_default().push(*row);
        }
        let mut asked = Asked(BTreeSet::new());
        for (of, rows) in by_model {
            if of == self.query.model && asked.add(rows.iter().copied()).is_none() {
                return Ok(None);
            }
            for dependency in self.dependencies.iter().filter(|dependency| dependency.model == of) {
                let led = match dependency.used {
                    Use::Shown => self.showing(db, schema, (model, dependency), &rows)?,
                    Use::Found => self.found_by(db, schema, (model, dependency), &rows)?,
                };
                if led.and_then(|led| asked.add(led)).is_none() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(asked.0.into_iter().collect()))
    }

    /// The records that are held and show one of these rows, or will.
    fn showing(
        &self,
        db: &Connection,
        schema: &Schema,
        (model, dependency): (&Model, &Dependency),
        rows: &[i64],
    ) -> Result<Option<Vec<i64>>, QueryError> {
        // A link that went does not say between whom it stood.
        let is_told = !dependency.is_join(schema, model) || living(db, &dependency.model, rows)? == rows.len();
        let leading = match is_told {
            true => dependency.leading(db, schema, model, rows, Self::ROWS_MAX)?,
            false => None,
        };
        let Some(leading) = leading else { return Ok(self.all_held()) };
        let shows = |held: &Held| held.leads.iter().any(|lead| rows.binary_search(lead).is_ok());
        let shown = self.held.iter().filter(|(_, held)| shows(held));
        let leading = leading.into_iter().filter(|row| self.held.contains_key(row));
        Ok(Some(leading.chain(shown.map(|(row, _)| *row)).collect()))
    }

    /// The records that may match because of these rows, and those that may no longer.
    fn found_by(
        &self,
        db: &Connection,
        schema: &Schema,
        (model, dependency): (&Model, &Dependency),
        rows: &[i64],
    ) -> Result<Option<Vec<i64>>, QueryError> {
        // Nothing tells which of those that are held led there before.
        let Some(held) = self.all_held().filter(|_| self.is_monotone) else { return Ok(None) };
        let leading = dependency.leading(db, schema, model, rows, Self::ROWS_MAX)?;
        Ok(leading.map(|leading| leading.into_iter().chain(held).collect()))
    }

    /// All that is held, unless that is too much to ask.
    fn all_held(&self) -> Option<Vec<i64>> {
        (self.held.len() <= Self::ROWS_MAX).then(|| self.held.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use syncline_core::filter::Include;

    use super::super::Found;
    use super::*;
    use crate::host::OnDisk;
    use crate::local::Source;
    use crate::query::Query;
    use crate::{Options, Reader, Store};

    const SDL: &str = "type List @model { id: ID! name: String tasks: [Task] @hasMany }
        type Task @model { id: ID! rank: Int list: List @belongsTo }";

    struct Bed {
        _folder: tempfile::TempDir,
        store: Store,
        reader: Reader,
    }

    impl Bed {
        /// Lists with so many tasks each.
        fn new(lists: usize, tasks: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let schema = syncline_schema::parse("schema.graphql", SDL).unwrap().schema;
            let options = Options { schema: Some((schema, SDL.to_owned())), ..Options::new([1; 32]) };
            let store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
            let reader = store.reader().unwrap();
            let mut bed = Self { _folder: folder, store, reader };
            for list in 0..lists {
                bed.save("List", json!({"id": format!("l{list}"), "name": "a"}));
                for task in 0..tasks {
                    bed.save("Task", json!({"id": format!("t{list}.{task}"), "listTasksId": format!("l{list}")}));
                }
            }
            bed
        }

        fn save(&mut self, model: &str, record: Value) -> Changed {
            let record = record.as_object().cloned().unwrap();
            self.store.write(1, |tx| tx.save(model, &record, Source::App)).unwrap();
            let row = self.reader.record_id(model, record["id"].as_str().unwrap()).unwrap().unwrap();
            let row = crate::storage::records::find(self.reader.db(), row).unwrap().unwrap().record;
            Changed::from([(model.to_owned(), row)])
        }

        fn follow(&self, query: Query) -> LiveResult {
            let mut live = LiveResult::new(query, self.reader.schema()).unwrap();
            let news = self.reader.news(&live, |_| None).unwrap();
            live.take(news);
            live
        }

        /// How many rows the result asked; `None` if the query ran again.
        fn asked(&self, live: &LiveResult, changed: &Changed) -> Option<usize> {
            let news = self.reader.news(live, |_| Some(changed.clone())).unwrap();
            match news.0 {
                Found::Rows(asked, _) => Some(asked.len()),
                Found::Everything(_) => None,
            }
        }
    }

    #[test]
    fn a_record_that_is_shown_with_others_costs_those_that_show_it() {
        let mut bed = Bed::new(300, 2);
        let include = |relation: &str| vec![Include::new(relation)];
        let lists = bed.follow(Query { include: include("tasks"), ..Query::new("List") });
        let tasks = bed.follow(Query { include: include("list"), ..Query::new("Task") });
        let task = bed.save("Task", json!({"id": "t7.1", "rank": 4, "listTasksId": "l8"}));
        assert_eq!(bed.asked(&lists, &task), Some(2), "the list that it left, and the one to which it came");
        assert_eq!(bed.asked(&tasks, &task), Some(1));
        let list = bed.save("List", json!({"id": "l9", "name": "b"}));
        assert_eq!(bed.asked(&tasks, &list), Some(2));
    }

    #[test]
    fn a_record_that_a_filter_reaches_costs_those_that_are_held_and_those_it_leads_to() {
        let mut bed = Bed::new(40, 20);
        let by_name = |name: &str| Filter::related("list", Filter::eq("name", name));
        let few = |condition: Filter| Query { condition: condition.into(), limit: Some(10), ..Query::new("Task") };
        let (a, b) = (bed.follow(few(by_name("a"))), bed.follow(few(by_name("b"))));
        let denied = bed.follow(few(Filter::Not(Box::new(by_name("b")))));
        let whole = bed.follow(Query { limit: None, ..few(by_name("a")) });
        let list = bed.save("List", json!({"id": "l39", "name": "b"}));
        assert_eq!(bed.asked(&b, &list), Some(20), "nothing was held");
        assert_eq!(bed.asked(&a, &list), Some(20 + 26), "ten are shown, sixteen to spare");
        assert_eq!(bed.asked(&denied, &list), None);
        assert_eq!(bed.asked(&whole, &list), None, "more are held than are asked one by one");
    }

    /// A way over more records than are looked at was cut short in its middle, and what it led to was never asked.
    #[test]
    fn a_way_that_fans_out_is_not_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let sdl = "type Owner @model { id: ID! name: String lists: [List] @hasMany }
            type List @model { id: ID! owner: Owner @belongsTo tasks: [Task] @hasMany }
            type Task @model { id: ID! list: List @belongsTo }";
        let schema = syncline_schema::parse("schema.graphql", sdl).unwrap().schema;
        let options = Options { schema: Some((schema, sdl.to_owned())), ..Options::new([1; 32]) };
        let store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
        let reader = store.reader().unwrap();
        let mut bed = Bed { _folder: folder, store, reader };
        bed.save("Owner", json!({"id": "o", "name": "a"}));
        for list in 0..300 {
            bed.save("List", json!({"id": format!("l{list}"), "ownerListsId": "o"}));
        }
        bed.save("Task", json!({"id": "t", "listTasksId": "l299"}));
        let by_owner = Filter::related("list", Filter::related("owner", Filter::eq("name", "b")));
        let mut found = bed.follow(Query { condition: by_owner.into(), ..Query::new("Task") });
        let owner = Include { include: vec![Include::new("owner")], ..Include::new("list") };
        let mut shown = bed.follow(Query { include: vec![owner], ..Query::new("Task") });
        let changed = bed.save("Owner", json!({"id": "o", "name": "b"}));
        for live in [&mut found, &mut shown] {
            live.take(bed.reader.news(live, |_| Some(changed.clone())).unwrap());
            assert_eq!(live.shown().len(), 1);
        }
        assert_eq!(shown.shown()[0].record["list"]["owner"]["name"], "b");
    }

    #[test]
    fn a_filter_is_monotone_unless_it_denies_related_records() {
        let related = |filter: Filter| Filter::related("list", filter);
        let not = |filter: Filter| Filter::Not(Box::new(filter));
        assert!(is_monotone(&(not(Filter::eq("rank", 1)) & related(not(Filter::eq("name", "a"))))));
        assert!(!is_monotone(&(Filter::eq("rank", 1) | not(related(Filter::All)))));
        assert!(!is_monotone(&related(not(Filter::related("tasks", Filter::All)))));
    }
}
