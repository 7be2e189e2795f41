//! Commands that work on one text: edit, mark, unmark, spans, set-spans, cursor.

use syncline::{ExpandRules, Mark, Span, Store};

use crate::args::{CursorArgs, EditArgs, MarkArgs, RangeArgs, RecordArgs, SetSpansArgs, Side, TextArgs, UnmarkArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Out;
use crate::{json, store};

pub(crate) async fn edit(args: EditArgs, out: &mut Out) -> Outcome {
    let EditArgs { record: RecordArgs { db, model, id }, field, at, delete, insert } = args;
    let splice = async |store: &Store| Ok(store.splice(&model, &id, &field, at, delete, &insert).await?);
    let saved = store::with(&db, splice).await?;
    out.json(&saved.record)
}

pub(crate) async fn mark(args: MarkArgs, out: &mut Out) -> Outcome {
    let MarkArgs { text, range: RangeArgs { from, to }, name, value, expand } = args;
    let mark = Mark::new(&name, json::value(&value, "the mark's value")?).expanding(expand.into());
    let TextArgs { record: RecordArgs { db, model, id }, field } = text;
    let act = async |store: &Store| {
        store.mark_json(&model, &id, &field, from..to, mark).await?;
        Ok(store.spans_json(&model, &id, &field).await?)
    };
    print(store::with(&db, act).await?, out)
}

pub(crate) async fn unmark(args: UnmarkArgs, out: &mut Out) -> Outcome {
    let UnmarkArgs { text, range: RangeArgs { from, to }, name, expand } = args;
    let TextArgs { record: RecordArgs { db, model, id }, field } = text;
    let act = async |store: &Store| {
        store.unmark_json(&model, &id, &field, from..to, &name, expand.into()).await?;
        Ok(store.spans_json(&model, &id, &field).await?)
    };
    print(store::with(&db, act).await?, out)
}

pub(crate) async fn spans(args: TextArgs, out: &mut Out) -> Outcome {
    let TextArgs { record: RecordArgs { db, model, id }, field } = args;
    let act = async |store: &Store| Ok(store.spans_json(&model, &id, &field).await?);
    print(store::with(&db, act).await?, out)
}

pub(crate) async fn set_spans(args: SetSpansArgs, out: &mut Out) -> Outcome {
    let SetSpansArgs { text, json, expand } = args;
    let spans = json::any(&json, "the spans")?;
    let spans = Span::list_from_json(&spans).map_err(|bad| Failure::usage(format!("these are no spans: {bad}")))?;
    let mut rules = ExpandRules::default();
    for (name, expand) in expand {
        match name {
            Some(name) => drop(rules.named.insert(name, expand)),
            None => rules.others = expand,
        }
    }
    let TextArgs { record: RecordArgs { db, model, id }, field } = text;
    let act = async |store: &Store| {
        store.set_spans_json(&model, &id, &field, spans, rules).await?;
        Ok(store.spans_json(&model, &id, &field).await?)
    };
    print(store::with(&db, act).await?, out)
}

pub(crate) async fn cursor(args: CursorArgs, out: &mut Out) -> Outcome {
    let CursorArgs { text, cursor, at, side } = args;
    let TextArgs { record: RecordArgs { db, model, id }, field } = text;
    let side = match side {
        Side::Before => syncline::Side::Before,
        Side::After => syncline::Side::After,
    };
    let act = async |store: &Store| match (cursor, at) {
        (Some(cursor), _) => Ok(store.position_of_json(&model, &id, &field, &cursor).await?.to_string()),
        (None, at) => Ok(store.cursor_json(&model, &id, &field, at.unwrap_or(0), side).await?),
    };
    let line = store::with(&db, act).await?;
    out.line(line)
}

fn print(spans: Option<Vec<Span>>, out: &mut Out) -> Outcome {
    out.json(&spans.as_deref().map(Span::list_to_json))
}
