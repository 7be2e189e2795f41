//! Reads one event's action: names checked against the fleet and the schema, durations in words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::record::NewRecord;
use syncline_schema::{Model, Schema};

use super::forms::{FORMS, Form, Param, Shape, WRITES};
use super::source::{Item, Read, Section, suggestion};
use super::units;
use crate::schedule::{Action, EventId};

/// What an action may refer to.
pub(crate) struct Known<'a> {
    pub(crate) nodes: &'a [String],
    pub(crate) schema: &'a Schema,
    pub(crate) events: Events<'a>,
}

/// How an action names another event.
pub(crate) enum Events<'a> {
    /// By the labels given so far.
    Labels(&'a BTreeMap<String, Label>),
    /// By id. What is not there does nothing, so anything goes.
    Ids,
}

/// An event that has a label.
pub(crate) struct Label {
    pub(crate) id: EventId,
    pub(crate) form: &'static str,
    /// The model that it is about, if any.
    pub(crate) model: Option<String>,
}

/// Reads `do` and what belongs to it; `beside` are the keys that are no part of the action.
pub(crate) fn read(item: &Item<'_>, beside: &[&str], known: &Known<'_>) -> Read<(&'static Form, Action)> {
    let section = item.open_section("this event")?;
    let form = form(&section, None)?;
    let values = params(&section, form, beside, known)?;
    match serde_json::from_value(Value::Object(values)) {
        Ok(action) => Ok((form, action)),
        Err(error) => Err(item.wrong(format!("this `{}` cannot be read: {error}", form.name))),
    }
}

fn form(section: &Section<'_>, among: Option<&[&str]>) -> Read<&'static Form> {
    let item = section.required("do")?;
    let name = item.text()?;
    let names = || FORMS.iter().map(|form| form.name).filter(|name| among.is_none_or(|among| among.contains(name)));
    match Form::of(name).filter(|form| names().any(|name| name == form.name)) {
        Some(form) => Ok(form),
        None if Form::of(name).is_some() => {
            Err(item.wrong(format!("`{name}` is no write")).help(suggestion("", names())))
        }
        None => Err(item.wrong(format!("nothing is called `{name}`")).help(suggestion(name, names()))),
    }
}

fn params(section: &Section<'_>, form: &Form, beside: &[&str], known: &Known<'_>) -> Read<Map<String, Value>> {
    let mut values = Map::new();
    values.insert("do".to_owned(), form.name.into());
    let about = About { model: model(section, known)?.map(|model| (known.schema, model)) };
    for item in section.items().filter(|item| item.name != "do" && !beside.contains(&item.name)) {
        let param = form.params.iter().find(|param| item.name == param.key || item.name == param.short());
        let Some(param) = param else {
            let names = form.params.iter().map(Param::short);
            return Err(item.unknown(&format!("`{}` has no `{}`", form.name, item.name), names));
        };
        let value = value(&item, param, form, known, &about)?;
        if values.insert(param.key.to_owned(), value).is_some() {
            return Err(item.wrong_key(format!("`{}` is given twice", param.short())));
        }
    }
    match form.params.iter().find(|param| param.required && !values.contains_key(param.key)) {
        Some(missing) => Err(section.wrong(format!("`{}` needs `{}`", form.name, missing.short()))),
        None => Ok(values),
    }
}

/// What is known of the record that an event is about.
struct About<'a> {
    model: Option<(&'a Schema, &'a Model)>,
}

fn model<'a>(section: &Section<'_>, known: &Known<'a>) -> Read<Option<&'a Model>> {
    if let Some(item) = section.get("model") {
        return one_model(&item, known).map(Some);
    }
    let Events::Labels(labels) = known.events else { return Ok(None) };
    let label = section.get("record").and_then(|item| labels.get(item.text().ok()?));
    Ok(label.and_then(|label| known.schema.model(label.model.as_deref()?)))
}

fn one_model<'a>(item: &Item<'_>, known: &Known<'a>) -> Read<&'a Model> {
    let name = item.text()?;
    let names = known.schema.models.iter().map(|model| model.name.as_str());
    known
        .schema
        .model(name)
        .ok_or_else(|| item.wrong(format!("the schema has no model `{name}`")).help(suggestion(name, names)))
}

fn value(item: &Item<'_>, param: &Param, form: &Form, known: &Known<'_>, about: &About<'_>) -> Read<Value> {
    Ok(match param.shape {
        Shape::Node => node(item, known)?.into(),
        Shape::Nodes => nodes(item, known)?,
        Shape::Groups => groups(item, known)?,
        Shape::Model => one_model(item, known)?.name.clone().into(),
        Shape::Field => field(item, about)?.into(),
        Shape::Event(forms) => event(item, forms, known)?.into(),
        Shape::Values => values(item, form, about)?,
        Shape::Element => json_text(element(item)?).into(),
        Shape::Text => item.text()?.into(),
        Shape::Count(least, most) => item.count(least, most)?.into(),
        Shape::Integer => item.integer()?.into(),
        Shape::Time => time(item, param)?.into(),
        Shape::SignedTime => signed_time(item, param)?.into(),
        Shape::Choice(names) => item.choice(&param.key.replace('_', " "), names)?.into(),
        Shape::Writes => writes(item, known)?,
    })
}

pub(crate) fn node<'a>(item: &Item<'a>, known: &Known<'_>) -> Read<&'a str> {
    let name = item.text()?;
    if known.nodes.iter().any(|node| node == name) {
        return Ok(name);
    }
    let names = known.nodes.iter().map(String::as_str);
    Err(item.wrong(format!("there is no node `{name}`")).help(suggestion(name, names)))
}

fn nodes(item: &Item<'_>, known: &Known<'_>) -> Read<Value> {
    item.list()?.iter().map(|item| node(item, known).map(Value::from)).collect()
}

fn groups(item: &Item<'_>, known: &Known<'_>) -> Read<Value> {
    let mut seen: Vec<String> = Vec::new();
    let mut groups = Vec::new();
    for group in item.list()? {
        for member in group.list()? {
            let name = node(&member, known)?.to_owned();
            if seen.contains(&name) {
                return Err(member.wrong(format!("`{name}` stands in two groups")));
            }
            seen.push(name);
        }
        groups.push(nodes(&group, known)?);
    }
    Ok(Value::Array(groups))
}

fn field(item: &Item<'_>, about: &About<'_>) -> Read<String> {
    let name = item.text()?;
    if let Some((_, model)) = about.model
        && model.field(name).is_none()
    {
        let names = model.fields.iter().map(|field| field.name.as_str());
        return Err(item.wrong(format!("{} has no field `{name}`", model.name)).help(suggestion(name, names)));
    }
    Ok(name.to_owned())
}

fn event(item: &Item<'_>, forms: &[&str], known: &Known<'_>) -> Read<EventId> {
    let Events::Labels(labels) = known.events else {
        return item.count(0, u32::MAX.into()).map(|id| id as EventId);
    };
    let name = item.text()?;
    let fitting = labels.iter().filter(|(_, label)| forms.contains(&label.form)).map(|(name, _)| name.as_str());
    match labels.get(name) {
        Some(label) if forms.contains(&label.form) => Ok(label.id),
        Some(label) => Err(item
            .wrong(format!("`{name}` is a `{}`, and `{}` names a `{}`", label.form, item.name, forms.join("` or `")))
            .help(suggestion(name, fitting))),
        None => Err(item.wrong(format!("no event above has the id `{name}`")).help(suggestion(name, fitting))),
    }
}

/// A table, or the JSON of an object. Whole records are checked as a save would.
fn values(item: &Item<'_>, form: &Form, about: &About<'_>) -> Read<Value> {
    let json = if item.is_text() { parsed(item)? } else { item.json()? };
    let Value::Object(fields) = &json else {
        return Err(item.expected("a table of fields and their values"));
    };
    if let Some((schema, model)) = about.model {
        unknown_field(item, model, fields)?;
        if form.name == "create" && complete(model, fields) {
            NewRecord::check(schema, model, fields)
                .map_err(|error| item.wrong(format!("this is no {}: {}", model.name, one_line(&error.to_string()))))?;
        }
    }
    Ok(json_text(json).into())
}

/// Whether a create makes a record in any case: one that names a key may mean one that is there.
fn complete(model: &Model, fields: &Map<String, Value>) -> bool {
    !model.key_fields().iter().all(|key| fields.contains_key(*key))
}

fn unknown_field(item: &Item<'_>, model: &Model, fields: &Map<String, Value>) -> Read<()> {
    let names = || model.fields.iter().map(|field| field.name.as_str());
    let Some(name) = fields.keys().find(|name| !names().any(|field| field == *name)) else { return Ok(()) };
    let message = format!("{} has no field `{name}`", model.name);
    if item.is_table()
        && let Some(inner) = item.open_section("values")?.get(name)
    {
        return Err(inner.unknown(&message, names()));
    }
    Err(item.wrong(message).help(suggestion(name, names())))
}

/// One value: of a string, the JSON in it if it is JSON, else the string.
fn element(item: &Item<'_>) -> Read<Value> {
    let json = item.json()?;
    Ok(json.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(json))
}

fn parsed(item: &Item<'_>) -> Read<Value> {
    serde_json::from_str(item.text()?).map_err(|error| item.wrong(format!("this is not JSON: {error}")))
}

fn json_text(value: Value) -> String {
    value.to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `for = "30m"` or `for_ms = 1800000`.
fn time(item: &Item<'_>, param: &Param) -> Read<u64> {
    if item.name == param.key && item.is_integer() { item.count(0, i64::MAX as u64) } else { item.duration_ms() }
}

fn signed_time(item: &Item<'_>, param: &Param) -> Read<i64> {
    if item.name == param.key && item.is_integer() {
        return item.integer();
    }
    signed_duration(item)
}

/// A duration that may have a sign.
pub(crate) fn signed_duration(item: &Item<'_>) -> Read<i64> {
    let text = item.text().map_err(|error| error.help("write \"2h\" or \"-2h\""))?;
    let (sign, amount) = match text.strip_prefix('-') {
        Some(amount) => (-1, amount),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    // A clock may be off by more than a run may last: 9,000 years are a date that people do see.
    let ms = match amount.strip_suffix('y').and_then(|years| years.parse::<u64>().ok()) {
        Some(years) if years <= 8000 => years * 365 * 86_400_000,
        Some(_) | None => {
            units::duration_ms(amount).map_err(|message| item.wrong(message).help("write \"2h\", \"-2h\", \"-10y\""))?
        }
    };
    Ok(sign * ms as i64)
}

fn writes(item: &Item<'_>, known: &Known<'_>) -> Read<Value> {
    let mut writes = Vec::new();
    for write in item.list()? {
        let section = write.open_section("this write")?;
        let form = form(&section, Some(WRITES))?;
        writes.push(Value::Object(params(&section, form, &[], known)?));
    }
    if writes.len() > 1000 {
        return Err(item.wrong("a transaction here has at most 1,000 writes"));
    }
    Ok(Value::Array(writes))
}
