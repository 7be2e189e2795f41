//! `conflicts` and `resolve`: fields that hold concurrent values.

use std::io::IsTerminal;

use syncline::schema::Merge;
use syncline::{Conflict, Conflicted, Store};

use crate::args::{ConflictsArgs, RecordArgs, ResolveArgs};
use crate::failure::Outcome;
use crate::output::{Out, moment, stdout_is_colored, styled};
use crate::{json, store};

/// Records that are looked up at a time.
const PAGE: u64 = 500;

pub(crate) async fn run(args: ConflictsArgs, out: &mut Out) -> Outcome {
    let mut printer = Printer { as_table: std::io::stdout().is_terminal() && !args.json, out };
    store::with(&args.db, async |store| {
        let schema = store::schema(store)?;
        if let Some(name) = &args.model {
            store::model(schema, name)?;
        }
        match (&args.model, &args.id) {
            (Some(model), Some(id)) => {
                let conflicts = store.conflicts_json(model, id).await?;
                printer.print(&Conflicted { model: model.clone(), id: id.clone(), conflicts })
            }
            _ if args.follow => tokio::select! {
                outcome = follow(store, &args, &mut printer) => outcome,
                outcome = store::interrupted() => outcome,
            },
            _ => list(store, args.model.as_deref(), &mut printer).await,
        }
    })
    .await
}

async fn list(store: &Store, model: Option<&str>, printer: &mut Printer<'_>) -> Outcome {
    let mut after = None;
    loop {
        let page = store.conflicted_json(model, after, PAGE).await?;
        page.records.iter().try_for_each(|record| printer.print(record))?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn follow(store: &Store, args: &ConflictsArgs, printer: &mut Printer<'_>) -> Outcome {
    let mut observer = store.observe_conflicts();
    if let Some(model) = &args.model {
        observer = observer.of_model(model);
    }
    while let Some(record) = observer.next().await {
        printer.print(&record?)?;
        printer.out.flush()?;
    }
    Ok(())
}

pub(crate) async fn resolve(args: ResolveArgs, out: &mut Out) -> Outcome {
    let ResolveArgs { record: RecordArgs { db, model, id }, field, value } = args;
    let value = json::any(&value, "the value")?;
    let saved = store::with(&db, async |store| Ok(store.resolve_json(&model, &id, &field, &value).await?)).await?;
    out.json(&saved.record)
}

struct Printer<'o> {
    as_table: bool,
    out: &'o mut Out,
}

impl Printer<'_> {
    fn print(&mut self, record: &Conflicted) -> Outcome {
        if !self.as_table {
            return self.out.json(record);
        }
        let colored = stdout_is_colored();
        let name = styled(format_args!("{} {}", record.model, record.id), "1", colored);
        if record.conflicts.is_empty() {
            return self.out.line(format_args!("{name}  no conflicts"));
        }
        self.out.line(name)?;
        record.conflicts.iter().try_for_each(|conflict| self.table(conflict, colored))
    }

    fn table(&mut self, conflict: &Conflict, colored: bool) -> Outcome {
        self.out.line(format_args!("  {}  {}", conflict.field, styled(rule(conflict.rule), "2", colored)))?;
        for one in &conflict.values {
            let mark = if one.shows { "*" } else { " " };
            let writer = match (one.replica.get(..8), one.mine) {
                (Some(replica), true) => format!("{replica}:{} (this store)", one.counter),
                (Some(replica), false) => format!("{replica}:{}", one.counter),
                (None, _) => "(this store)".to_owned(),
            };
            let (when, writer) = (styled(moment(one.time_ms), "2", colored), styled(writer, "36", colored));
            self.out.line(format_args!("  {mark} {}  {writer}  {when}", one.value))?;
        }
        Ok(())
    }
}

/// What decides which value shows, marked `*`.
fn rule(rule: Merge) -> &'static str {
    match rule {
        Merge::Winner => "(one of them shows, the same everywhere)",
        Merge::Max => "(the greatest shows)",
        Merge::Min => "(the smallest shows)",
        Merge::Latest => "(the latest shows)",
    }
}
