//! What a page shows, read from the store as plain text.

use serde_json::Value;
use syncline::schema::Model;
use syncline::{Conflicted, HistoryEntry, PendingChange, Query, Record, Status, Store};

use super::shown::shown;
use crate::failure::Outcome;
use crate::output::{byte_size, counted, grouped, moment};
use crate::{history, query, store};

/// Rows that are read at a time.
pub(super) const ROWS: u64 = 200;

/// Changes, those that wait among them, and conflicts that are listed.
const NEWEST: u64 = 200;

/// Fields of a record that the list shows beside its key.
const FIELDS: usize = 5;

const NO_SCHEMA: &str = "No schema: a relay's store, which keeps and forwards changes only";

/// What can be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// The models with their records' number.
    #[default]
    Models,
    /// The records of one model.
    Records,
    /// Own changes by what relays said of them.
    Outbox,
    /// Peers met so far.
    Peers,
    /// The version vector.
    Vectors,
    /// The newest changes, as they come.
    Changes,
    /// Records that hold concurrent values.
    Conflicts,
}

impl View {
    /// All of them, in the order of their keys.
    pub(super) const ALL: [Self; 7] =
        [Self::Models, Self::Records, Self::Outbox, Self::Peers, Self::Vectors, Self::Changes, Self::Conflicts];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Models => "Models",
            Self::Records => "Records",
            Self::Outbox => "Outbox",
            Self::Peers => "Peers",
            Self::Vectors => "Vectors",
            Self::Changes => "Changes",
            Self::Conflicts => "Conflicts",
        }
    }
}

/// What a row leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The records of a model.
    Model(String),
    /// One record.
    Record {
        /// Its model.
        model: String,
        /// Its id, or a JSON object of its key fields.
        id: String,
    },
}

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) view: View,
    pub(super) model: Option<String>,
    /// Condition in the language of `query --where`, empty for none.
    pub(super) filter: String,
    /// Records before the first that is read.
    pub(super) first: u64,
    /// The record that is looked at.
    pub(super) record: Option<Target>,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) target: Option<Target>,
}

impl Row {
    fn new(cells: impl IntoIterator<Item = String>, target: Option<Target>) -> Self {
        Self { cells: cells.into_iter().map(|cell| shown(&cell)).collect(), target }
    }
}

/// What was read, harmless to any terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// What the store is, in a line.
    pub(super) head: String,
    /// What the list is.
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Whether rows come behind those.
    pub(super) more: bool,
    /// What the record that is looked at holds, line by line.
    pub(super) record: Vec<String>,
}

/// Reads what is wished for.
pub(super) async fn read(store: &Store, wish: &Wish) -> Outcome<Facts> {
    let status = store.status().await?;
    let mut facts = match wish.view {
        View::Models => models(store, &status),
        View::Records => records(store, wish).await?,
        View::Outbox => outbox(store, &status).await?,
        View::Peers => peers(&status),
        View::Vectors => vectors(&status),
        View::Changes | View::Conflicts if store.schema().is_none() => {
            Facts { title: NO_SCHEMA.to_owned(), ..Facts::default() }
        }
        View::Changes => changes(store).await?,
        View::Conflicts => conflicts(store).await?,
    };
    facts.head = head(store, &status);
    if let Some(Target::Record { model, id }) = &wish.record {
        facts.record = record(store, model, id).await?.iter().map(|line| shown(line)).collect();
    }
    Ok(facts)
}

fn head(store: &Store, status: &Status) -> String {
    let replica = status.store.replica.as_deref().map_or("none yet", |id| id.get(..8).unwrap_or(id));
    shown(&format!(
        "{}  namespace {}  replica {replica}  {}  {}",
        store.path().display(),
        store.namespace(),
        counted(status.store.changes, "change"),
        byte_size(status.store.file_bytes)
    ))
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

fn models(store: &Store, status: &Status) -> Facts {
    let models = store.schema().map(|schema| schema.models.as_slice()).unwrap_or_default();
    let rows = models.iter().map(|model| {
        let records = status.store.records.get(&model.name).and_then(Value::as_u64).unwrap_or(0);
        let place = if model.local { "this device only" } else { "everywhere" };
        let cells =
            [model.name.clone(), grouped(records), model.key_fields().join(", "), model.fields.len().to_string()];
        Row::new(cells.into_iter().chain([place.to_owned()]), Some(Target::Model(model.name.clone())))
    });
    let title = match store.schema() {
        Some(_) => counted(models.len() as u64, "model"),
        None => NO_SCHEMA.to_owned(),
    };
    Facts {
        title,
        columns: texts(["model", "records", "key", "fields", "kept"]),
        rows: rows.collect(),
        ..Facts::default()
    }
}

async fn records(store: &Store, wish: &Wish) -> Outcome<Facts> {
    let Some(name) = &wish.model else {
        let title = "Choose a model on page 1 with Enter".to_owned();
        return Ok(Facts { title, ..Facts::default() });
    };
    let schema = store::schema(store)?;
    let model = store::model(schema, name)?;
    let where_text = (!wish.filter.is_empty()).then(|| wish.filter.clone());
    let condition = query::condition(schema, model, where_text, None)?;
    let asked = Query { condition, ..Query::new(name) };
    let count = store.count_json(asked.clone()).await?;
    let page = store.query_json(Query { limit: Some(ROWS), offset: wish.first, ..asked }).await?;
    let columns = columns(model);
    let rows = page.records.iter().map(|record| {
        let cells = columns.iter().map(|column| cell(record.get(column)));
        Row::new(cells, Some(Target::Record { model: name.clone(), id: key(model, record) }))
    });
    let of = if wish.filter.is_empty() { String::new() } else { format!(" where {}", wish.filter) };
    Ok(Facts {
        title: shown(&format!("{name}{of}: {}", counted(count, "record"))),
        rows: rows.collect(),
        columns,
        more: page.next.is_some(),
        ..Facts::default()
    })
}

/// The key, then the first fields that are the app's own.
fn columns(model: &Model) -> Vec<String> {
    let key = model.key_fields();
    let managed = ["createdAt", "updatedAt"];
    let others = model.fields.iter().map(|field| field.name.as_str());
    let others = others.filter(|name| !key.contains(name) && !managed.contains(name)).take(FIELDS);
    key.iter().copied().chain(others).map(str::to_owned).collect()
}

/// As commands take it: the key field itself, or a JSON object of several.
fn key(model: &Model, record: &Record) -> String {
    let fields = model.key_fields();
    if let [field] = fields.as_slice()
        && let Some(Value::String(text)) = record.get(*field)
    {
        return text.clone();
    }
    let values = fields.iter().filter_map(|field| Some(((*field).to_owned(), record.get(*field)?.clone())));
    Value::Object(values.collect()).to_string()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

async fn outbox(store: &Store, status: &Status) -> Outcome<Facts> {
    let outbox = status.store.outbox;
    let count = |what: &str, number: u64, means: &str| {
        Row::new([what.to_owned(), grouped(number), String::new(), means.to_owned()], None)
    };
    let mut rows = vec![
        count("acknowledged", outbox.acknowledged, "a relay holds them durably"),
        count("rejected", outbox.rejected, "a relay refused them"),
        count("pending", outbox.pending, "no relay holds them durably yet"),
    ];
    let pending = store.pending_changes(NEWEST as usize).await?;
    rows.extend(pending.iter().map(waiting));
    rows.extend(status.store.quarantined.iter().map(|change| {
        let what = format!("quarantined: {}", change.model);
        Row::new([what, change.seq.to_string(), String::new(), change.reason.clone()], None)
    }));
    let listed = pending.len() as u64;
    let title = if outbox.pending > listed {
        format!("Own changes: the newest {} of {} pending", grouped(listed), grouped(outbox.pending))
    } else {
        "Own changes, and changes of others that are not applied".to_owned()
    };
    Ok(Facts {
        title,
        columns: texts(["what", "number", "time", "record, or what it means"]),
        rows,
        ..Facts::default()
    })
}

/// A row of an own change that no relay has acknowledged; it leads to its record.
fn waiting(change: &PendingChange) -> Row {
    let record = change.id.as_deref().unwrap_or("of a model that the schema lacks, or damaged");
    let cells = [
        "  waits".to_owned(),
        history::name(&change.replica, change.counter),
        history::time(change.time_ms),
        format!("{} {record}", change.model),
    ];
    let target = change.id.clone().map(|id| Target::Record { model: change.model.clone(), id });
    Row::new(cells, target)
}

fn peers(status: &Status) -> Facts {
    let rows = status.store.peers.iter().map(|peer| {
        let address = if peer.address.is_empty() { "it called" } else { &peer.address };
        let role = if peer.relay { "relay" } else { "device" };
        let cells = [role.to_owned(), peer.store.clone(), grouped(peer.received), grouped(peer.acknowledged)];
        Row::new(cells.into_iter().chain([address.to_owned()]), None)
    });
    Facts {
        title: counted(status.store.peers.len() as u64, "peer"),
        columns: texts(["peer", "store", "rows received", "rows it holds", "address"]),
        rows: rows.collect(),
        ..Facts::default()
    }
}

fn vectors(status: &Status) -> Facts {
    let vector = &status.store.version_vector;
    let own = status.store.replica.as_deref();
    let held = vector.iter().map(|(replica, counter)| {
        let note = if Some(replica.as_str()) == own { "this store writes under it" } else { "" };
        Row::new([replica.clone(), grouped(*counter), note.to_owned()], None)
    });
    let retired =
        status.store.forked.iter().map(|replica| {
            Row::new([replica.clone(), "–".to_owned(), "retired: it has two histories".to_owned()], None)
        });
    let renewed = status.store.renewals.iter().filter_map(|renewal| serde_json::to_value(renewal).ok());
    let renewed = renewed.map(|renewal| Row::new(["new id".to_owned(), String::new(), renewal.to_string()], None));
    Facts {
        title: format!(
            "Version vector: all changes of {} up to these are held",
            counted(vector.len() as u64, "replica")
        ),
        columns: texts(["replica", "changes", ""]),
        rows: held.chain(retired).chain(renewed).collect(),
        ..Facts::default()
    }
}

async fn changes(store: &Store) -> Outcome<Facts> {
    let entries = store.recent_changes(NEWEST).await?;
    let rows = entries.iter().rev().map(|entry| {
        let target = Target::Record { model: entry.model.clone(), id: entry.id.clone() };
        let cells = [history::time(entry.time_ms), writer(entry), entry.model.clone(), did(entry), entry.id.clone()];
        Row::new(cells, Some(target))
    });
    Ok(Facts {
        title: format!("The newest {}, as they come", counted(entries.len() as u64, "change")),
        columns: texts(["time", "by", "model", "did", "record"]),
        rows: rows.collect(),
        ..Facts::default()
    })
}

fn writer(entry: &HistoryEntry) -> String {
    if entry.mine { "this store".to_owned() } else { entry.replica.get(..8).unwrap_or(&entry.replica).to_owned() }
}

/// What a change did, without the line that says whose it is.
fn did(entry: &HistoryEntry) -> String {
    let effects = history::lines(entry).into_iter().skip(1).map(|line| line.trim().to_owned());
    effects.collect::<Vec<_>>().join("; ")
}

async fn conflicts(store: &Store) -> Outcome<Facts> {
    let page = store.conflicted_json(None, None, NEWEST).await?;
    let rows = page.records.iter().map(|record| {
        let fields = record.conflicts.iter().map(|conflict| {
            let values: Vec<String> = conflict.values.iter().map(|value| cell(Some(&value.value))).collect();
            format!("{}: {}", conflict.field, values.join(" | "))
        });
        let fields = fields.collect::<Vec<_>>().join("; ");
        let target = Target::Record { model: record.model.clone(), id: record.id.clone() };
        Row::new([record.model.clone(), fields, record.id.clone()], Some(target))
    });
    let more = if page.next.is_some() { " or more" } else { "" };
    Ok(Facts {
        title: format!("{}{more} with concurrent values", counted(page.records.len() as u64, "record")),
        columns: texts(["model", "values, first the one that shows", "record"]),
        rows: rows.collect(),
        ..Facts::default()
    })
}

/// Everything about one record: what it shows, its conflicts, its past with the newest first.
async fn record(store: &Store, model: &str, id: &str) -> Outcome<Vec<String>> {
    let mut lines = vec![format!("{model} {id}"), String::new()];
    match store.get_json(model, id).await? {
        Some(record) => lines.extend(record.iter().map(|(name, value)| format!("{name}: {}", cell(Some(value))))),
        None => lines.push("It is deleted, or not here.".to_owned()),
    }
    let conflicts = store.conflicts_json(model, id).await?;
    if !conflicts.is_empty() {
        lines.extend([String::new(), "Conflicts".to_owned()]);
        lines.extend(concurrent(&Conflicted { model: model.to_owned(), id: id.to_owned(), conflicts }));
    }
    let mut past = store.history(model, id).await?;
    past.reverse();
    lines.extend([String::new(), format!("History: {}", counted(past.len() as u64, "change"))]);
    lines.extend(past.iter().take(NEWEST as usize).flat_map(history::lines));
    Ok(lines)
}

fn concurrent(record: &Conflicted) -> Vec<String> {
    let of_field = record.conflicts.iter().flat_map(|conflict| {
        conflict.values.iter().map(|value| {
            let who = if value.mine { "this store" } else { value.replica.get(..8).unwrap_or(&value.replica) };
            let shows = if value.shows { "shows" } else { "hidden" };
            format!(
                "  {}: {} ({shows}, by {who} at {})",
                conflict.field,
                cell(Some(&value.value)),
                moment(value.time_ms)
            )
        })
    });
    of_field.collect()
}
