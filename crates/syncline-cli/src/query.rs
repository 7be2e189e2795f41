//! `query`: records that match, as NDJSON.

use syncline::schema::{Model, Schema};
use syncline::{Aggregation, Filter, Include, Measure, Order, Query, QueryCondition, Search, Store};

use crate::args::{QueryArgs, Selection};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, say};
use crate::{json, store};

/// Records read at a time where all of a model are wanted.
const PAGE_RECORDS: u64 = 1000;

pub(crate) async fn run(args: QueryArgs, out: &mut Out) -> Outcome {
    store::with(&args.selection.db, async |store| {
        let mut query = build(store::schema(store)?, &args.selection)?;
        query.offset = args.offset.unwrap_or(0);
        query.after = args.after.clone();
        if args.aggregate.is_some() || args.group_by.is_some() {
            return aggregate(store, query, &args, out).await;
        }
        if args.explain {
            let sql = query.compile(store::schema(store)?).map_err(Failure::failed)?.sql;
            let plan = store.explain(query).await?;
            return out.line(format_args!("{sql}\n{plan}"));
        }
        if args.count {
            return out.line(store.count_json(query).await?);
        }
        print(store, query, out).await
    })
    .await
}

/// The query that the arguments describe.
pub(crate) fn build(schema: &Schema, selection: &Selection) -> Outcome<Query> {
    let model = store::model(schema, &selection.model)?;
    let mut query = Query::new(&selection.model);
    query.condition = condition(schema, model, selection.where_text.clone(), selection.filter.clone())?;
    if let Some(text) = &selection.order {
        query.order = Order::parse(text).map_err(Failure::failed)?;
    }
    if let Some(text) = &selection.include {
        query.include = Include::parse(text).map_err(Failure::failed)?;
    }
    query.search = selection.search.as_ref().map(|text| search(text, selection));
    query.limit = selection.limit;
    Ok(query)
}

/// The condition in one of its two languages; all records without.
pub(crate) fn condition(
    schema: &Schema,
    model: &Model,
    where_text: Option<String>,
    filter: Option<String>,
) -> Outcome<QueryCondition> {
    match (filter, where_text) {
        (Some(text), _) => {
            let filter = json::value(&text, "the filter")?;
            Ok(Filter::parse_json(schema, model, &filter).map_err(Failure::failed)?.into())
        }
        (None, Some(text)) => Ok(QueryCondition::Where(text)),
        (None, None) => Ok(QueryCondition::default()),
    }
}

fn search(text: &str, selection: &Selection) -> Search {
    let mut search = Search::new(text);
    search.prefix = selection.prefix;
    match selection.marks.as_deref() {
        Some([open, close]) => search.marks(open, close),
        Some(_) | None => search,
    }
}

/// Prints what is computed of the records, a line for each group.
async fn aggregate(store: &Store, of: Query, args: &QueryArgs, out: &mut Out) -> Outcome {
    let schema = store::schema(store)?;
    let measures = args.aggregate.as_deref().map(Measure::parse).transpose().map_err(Failure::failed)?;
    let mut aggregation = Aggregation::new(of, measures.unwrap_or_default());
    if let Some(fields) = &args.group_by {
        aggregation.group_by = fields.split(',').map(|field| field.trim().to_owned()).collect();
    }
    if let Some(text) = &args.having {
        aggregation = aggregation.having_json(schema, &json::value(text, "--having")?).map_err(Failure::failed)?;
    }
    if args.explain {
        let sql = aggregation.compile(schema).map_err(Failure::failed)?.sql;
        let plan = store.explain_aggregate(aggregation).await?;
        return out.line(format_args!("{sql}\n{plan}"));
    }
    for row in store.aggregate_json(aggregation).await? {
        out.json(&row)?;
    }
    Ok(())
}

async fn print(store: &Store, mut query: Query, out: &mut Out) -> Outcome {
    let wants_all = query.limit.is_none()
        && query.order.is_empty()
        && query.search.is_none()
        && query.offset == 0
        && query.condition == QueryCondition::default();
    if wants_all {
        // A whole model need not fit into memory; the order of the key makes pages cheap.
        query.limit = Some(PAGE_RECORDS);
    }
    loop {
        let page = store.query_json(query.clone()).await?;
        for record in &page.records {
            out.json(record)?;
        }
        match page.next {
            Some(next) if wants_all => query.after = Some(next),
            Some(next) => {
                out.flush()?;
                say(format_args!("there is more: go on with --after {next}"));
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}
