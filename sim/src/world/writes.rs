//! What apps do: writes through the engine, and the ledger of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::vector::VersionVector;
use syncline_engine::{Along, Effect, Saved, Source, StoreError, Tx};
use syncline_schema::{Key, Model, Schema};

use super::World;
use super::apps::App;
use super::happened::{NodeIndex, Written};
use super::node::Running;
use super::tell::Fact;
use super::values;
use crate::schedule::{Action, Event, EventId};

/// Creates within a transaction are named by its event and their place.
const PLACES: u32 = 1_000;

/// How many records of an import share a transaction.
const IMPORT_CHUNK: u32 = 500;

/// The records that events have made: event → model and id.
#[derive(Debug, Default)]
pub(super) struct Made(BTreeMap<EventId, (String, String)>);

impl Made {
    fn find(&self, record: EventId) -> Result<(String, String), Refusal> {
        self.0.get(&record).cloned().ok_or_else(|| Refusal::Nothing(format!("event {record} has made no record")))
    }

    /// The record that an action made or touched, as `Model id`.
    pub(super) fn text_of(&self, action: &Action, event: EventId) -> Option<String> {
        let record = if matches!(action, Action::Create { .. }) { event } else { action.record()? };
        self.0.get(&record).map(|(model, id)| format!("{model} {id}"))
    }
}

/// Why a write did not happen.
enum Refusal {
    /// There is nothing to do it to, here and now.
    Nothing(String),
    /// The store refused it.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One write that was carried out, before it is put into the ledger.
struct Done {
    place: usize,
    action: Action,
    model: String,
    id: String,
    saved: Saved,
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
    /// The event that later ones name the record by, if it made one.
    makes: Option<EventId>,
}

impl World {
    /// Carries out a write; says what came of it, or why there was nothing to do.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
    pub(super) fn write(&mut self, event: &Event) -> Result<String, String> {
        let node = match event.action.nodes().first() {
            Some(name) => self.running(name)?,
            None => return Err("it names no node".to_owned()),
        };
        match &event.action {
            Action::Import { model, count, .. } => self.import(event, node, model, *count),
            Action::Together { writes, .. } => self.transact(event, node, writes, true),
            action => self.transact(event, node, std::slice::from_ref(action), false),
        }
    }

    fn import(&mut self, event: &Event, node: NodeIndex, model: &str, count: u32) -> Result<String, String> {
        let mut from = 0;
        let name = self.nodes[node].spec.name.clone();
        while from < count {
            let to = (from + IMPORT_CHUNK).min(count);
            let creates: Vec<Action> = {
                let Some(schema) = self.nodes[node].told_schema() else { return Err("it has no schema".to_owned()) };
                let Some(model) = schema.model(model) else { return Err(format!("there is no model {model}")) };
                let values = (from..to).map(|number| values::counted(schema, model, event.id, number));
                let create = |values| Action::Create { node: name.clone(), model: model.name.clone(), values };
                values.map(create).collect()
            };
            self.transact(event, node, &creates, false)?;
            if self.nodes[node].running.is_none() {
                return Err(format!("it ended after {from} records"));
            }
            from = to;
        }
        Ok(format!("{count} records"))
    }

    fn transact(
        &mut self,
        event: &Event,
        node: NodeIndex,
        writes: &[Action],
        together: bool,
    ) -> Result<String, String> {
        let now = self.nodes[node].now(self.now_ms);
        let (made, state) = (&self.made, &mut self.nodes[node]);
        let Some(app) = &state.app else { return Err("it has no app".to_owned()) };
        let mut nothing = None;
        let act = |tx: &mut Tx<'_>| {
            let act = |tx: &mut Tx<'_>| carry_out(tx, app, writes, (event.id, together), made);
            if together { tx.together(|tx| hold(act(tx), &mut nothing)) } else { hold(act(tx), &mut nothing) }
        };
        let (seen, outcome, seq) = match state.running.as_mut() {
            Some(Running::Device(engine)) => {
                let seen = engine.store().version();
                (seen, engine.write(now, act), engine.store().committed())
            }
            Some(Running::Hostile(hostile)) => {
                let seen = hostile.engine().store().version();
                (seen, hostile.write(now, act), hostile.engine().store().committed())
            }
            Some(Running::Relay(_)) | None => return Err("it has no app".to_owned()),
        };
        let outcome = match (outcome, nothing) {
            (_, Some(why)) => Err(why),
            (Ok(done), None) => {
                let count = done.len();
                let text = done.last().map(|done| format!("{} {}", done.model, done.id)).unwrap_or_default();
                self.enter(event.id, node, done, (seen, seq));
                Ok(if count == 1 { text } else { format!("{count} writes, the last on {text}") })
            }
            (Err(error), None) => {
                let error = error.to_string();
                self.fact(Fact::Wrote { node, event: event.id, write: None, error: Some(error.clone()) });
                Err(error)
            }
        };
        self.carry_out(node);
        outcome
    }

    /// Puts what was done into the ledger.
    fn enter(&mut self, event: EventId, node: NodeIndex, done: Vec<Done>, (seen, seq): (VersionVector, u64)) {
        let mut last = seen.clone();
        for done in done {
            let dot = done.saved.dot.map(|(dot, _)| dot);
            let counters = dot.map_or((0, 0), |dot| (last.counter(dot.replica) + 1, dot.counter));
            if let Some(dot) = dot {
                last.raise(dot.replica, dot.counter);
            }
            self.stats.changes += if counters.0 > 0 { counters.1 + 1 - counters.0 } else { 0 };
            if let Some(event) = done.makes {
                self.made.0.insert(event, (done.model.clone(), done.id.clone()));
            }
            self.teller.mark(b'w', [u64::from(event), counters.0, counters.1], &done.saved.id.0);
            self.written.push(Written {
                event,
                place: done.place,
                node,
                boot: self.nodes[node].boots,
                at_ms: self.now_ms,
                action: done.action,
                model: done.model,
                id: done.id,
                record: done.saved.id,
                replica: dot.map(|dot| dot.replica),
                counters,
                seen: seen.clone(),
                seq,
                before: done.before,
                after: done.after,
            });
            let write = Some(self.written.len() - 1);
            self.fact(Fact::Wrote { node, event, write, error: None });
        }
    }
}

/// An outcome as the engine's transaction wants it; a reason for nothing is put aside and rolls back.
fn hold(outcome: Result<Vec<Done>, Refusal>, nothing: &mut Option<String>) -> Result<Vec<Done>, StoreError> {
    match outcome {
        Ok(done) => Ok(done),
        Err(Refusal::Store(error)) => Err(error),
        Err(Refusal::Nothing(why)) => {
            *nothing = Some(why);
            Ok(Vec::new())
        }
    }
}

fn carry_out(
    tx: &mut Tx<'_>,
    app: &App,
    writes: &[Action],
    (event, together): (EventId, bool),
    made: &Made,
) -> Result<Vec<Done>, Refusal> {
    let mut done: Vec<Done> = Vec::new();
    for (place, action) in writes.iter().enumerate() {
        let name = if together { event.saturating_mul(PLACES).saturating_add(place as u32) } else { event };
        let find = |record: EventId| {
            let here = done.iter().find(|done| done.makes == Some(record));
            here.map_or_else(|| made.find(record), |done| Ok((done.model.clone(), done.id.clone())))
        };
        let next = match in_its_words(tx, app, action, name, &find) {
            // What is not here yet, or not any more, is left out of a transaction.
            Err(Refusal::Nothing(_)) if together => continue,
            other => other?,
        };
        let (action, One { model, id, saved, before, along }) = next;
        for along in along {
            let taken = taken_along(app.told_schema(), &action, along, done.len());
            done.push(taken);
        }
        let after = Some(saved.record.clone()).filter(|record| !record.is_empty());
        let makes = matches!(action, Action::Create { .. }).then_some(name);
        done.push(Done { place: done.len(), action, model, id, saved, before, after, makes });
    }
    if done.is_empty() {
        return Err(Refusal::Nothing("none of its records is here".to_owned()));
    }
    Ok(done)
}

/// What a delete did to another record, as a write of its own: the same delete, or an update that empties.
fn taken_along(schema: &Schema, action: &Action, along: Along, place: usize) -> Done {
    let Along { model, saved, effect } = along;
    let after = Some(saved.record.clone());
    let id = schema.model(&model).and_then(|model| given_id(model, &saved.record)).unwrap_or_default();
    let (action, before) = match (effect, action) {
        (Effect::Emptied(was), Action::Delete { node, record }) => {
            let nulls = was.keys().map(|field| (field.clone(), Value::Null)).collect();
            let mut before = saved.record.clone();
            before.extend(was);
            (Action::Update { node: node.clone(), record: *record, values: nulls }, Some(before))
        }
        (Effect::Deleted | Effect::Emptied(_), action) => (action.clone(), after.clone()),
    };
    Done { place, action, model, id, saved, before, after, makes: None }
}

/// Carries out one write as the app says it; what was asked for and what came of it, in the ledger's words.
fn in_its_words(
    tx: &mut Tx<'_>,
    app: &App,
    action: &Action,
    event: EventId,
    find: &dyn Fn(EventId) -> Result<(String, String), Refusal>,
) -> Result<(Action, One), Refusal> {
    let Some(dialect) = &app.dialect else {
        return Ok((action.clone(), one(tx, &app.schema, action, find)?));
    };
    let model = match (action, action.record()) {
        (Action::Create { model, .. }, _) => model.clone(),
        (_, Some(record)) => find(record)?.0,
        (_, None) => String::new(),
    };
    let asked = dialect.asked(action, &model, event);
    let find = |record| find(record).map(|(model, id)| (dialect.model(&model).to_owned(), dialect.id(&model, &id)));
    let mut done = one(tx, &app.schema, &dialect.spoken(&asked, &model), &find)?;
    done.id = dialect.told_id(&model, &done.id);
    done.before = done.before.map(|record| dialect.told_record(&model, record));
    done.saved.record = dialect.told_record(&model, done.saved.record);
    for along in &mut done.along {
        along.model = dialect.told_model(&along.model);
        along.saved.record = dialect.told_record(&along.model, std::mem::take(&mut along.saved.record));
        if let Effect::Emptied(was) = &mut along.effect {
            *was = dialect.told_record(&along.model, std::mem::take(was));
        }
    }
    done.model = model;
    Ok((asked, done))
}

/// One write of one record, and what it took along.
struct One {
    model: String,
    id: String,
    saved: Saved,
    before: Option<Map<String, Value>>,
    along: Vec<Along>,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are carried out elsewhere")]
fn one(
    tx: &mut Tx<'_>,
    schema: &Schema,
    action: &Action,
    find: &dyn Fn(EventId) -> Result<(String, String), Refusal>,
) -> Result<One, Refusal> {
    if let Action::Create { model, values, .. } = action {
        return create(tx, schema, model, values);
    }
    let Some(record) = action.record() else {
        return Err(Refusal::Nothing(format!("{} is no write of one record", action.name())));
    };
    let (model, id) = find(record)?;
    let before = tx.get(&model, &id)?;
    let is_undelete = matches!(action, Action::Undelete { .. });
    if before.is_none() != is_undelete {
        let why = if is_undelete { "is not deleted here" } else { "is not here" };
        return Err(Refusal::Nothing(format!("{model} {id} {why}")));
    }
    let mut along = Vec::new();
    let saved = match action {
        Action::Update { values, .. } => tx.update(&model, &id, values),
        Action::Delete { .. } => tx.delete_along(&model, &id).map(|deleted| {
            along = deleted.along;
            deleted.saved
        }),
        Action::Undelete { .. } => tx.undelete(&model, &id),
        Action::Increment { field, by, .. } => tx.increment(&model, &id, field, *by),
        Action::Add { field, element, .. } => tx.add(&model, &id, field, element),
        Action::Remove { field, element, .. } => tx.remove(&model, &id, field, element),
        Action::Splice { field, place, delete, insert, .. } => {
            let length = length_of(before.as_ref(), field);
            let at = length * (*place as usize).min(1_000) / 1_000;
            let delete = (*delete as usize).min(length - at);
            tx.splice(&model, &id, field, at, delete, insert)
        }
        other => return Err(Refusal::Nothing(format!("{} is no edit", other.name()))),
    };
    match saved {
        Ok(saved) => Ok(One { model, id, saved, before, along }),
        Err(StoreError::NotFound { .. }) => Err(Refusal::Nothing(format!("{model} {id} is not here"))),
        Err(error) => Err(error.into()),
    }
}

fn create(tx: &mut Tx<'_>, schema: &Schema, model: &str, values: &Map<String, Value>) -> Result<One, Refusal> {
    let Some(model) = schema.model(model) else { return Err(Refusal::Nothing(format!("there is no model {model}"))) };
    let given = given_id(model, values);
    let before = match &given {
        Some(id) => tx.get(&model.name, id)?,
        None => None,
    };
    let saved = tx.save(&model.name, values, Source::App)?;
    let id = given.or_else(|| given_id(model, &saved.record)).unwrap_or_default();
    Ok(One { model: model.name.clone(), id, saved, before, along: Vec::new() })
}

/// A record's id as apps name it: the id, or the key's fields as JSON.
fn given_id(model: &Model, values: &Map<String, Value>) -> Option<String> {
    match &model.key {
        Key::Id => values.get("id")?.as_str().map(str::to_owned),
        Key::Custom(_) => {
            let fields = model.key_fields().into_iter().map(|name| Some((name.to_owned(), values.get(name)?.clone())));
            Some(Value::Object(fields.collect::<Option<Map<String, Value>>>()?).to_string())
        }
    }
}

fn length_of(record: Option<&Map<String, Value>>, field: &str) -> usize {
    record.and_then(|record| record.get(field)).and_then(Value::as_str).map_or(0, |text| text.chars().count())
}
