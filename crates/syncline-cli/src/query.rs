//! `query`: records that match, as NDJSON.

use syncline::schema::Schema;
use syncline::{Filter, Include, Order, Query, QueryCondition, Store};

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
    if let Some(text) = &selection.where_text {
        query.condition = QueryCondition::Where(text.clone());
    }
    if let Some(text) = &selection.filter {
        let filter = json::value(text, "the filter")?;
        query.condition = Filter::parse_json(schema, model, &filter).map_err(Failure::failed)?.into();
    }
    if let Some(text) = &selection.order {
        query.order = Order::parse(text).map_err(Failure::failed)?;
    }
    if let Some(text) = &selection.include {
        query.include = Include::parse(text).map_err(Failure::failed)?;
    }
    query.limit = selection.limit;
    Ok(query)
}

async fn print(store: &Store, mut query: Query, out: &mut Out) -> Outcome {
    let wants_all = query.limit.is_none()
        && query.order.is_empty()
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
