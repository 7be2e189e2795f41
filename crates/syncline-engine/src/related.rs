//! From one record to those it is related to, and the links of a `manyToMany`.

use rusqlite::Connection;
use serde_json::{Map, Value};
use syncline_core::filter::Include;
use syncline_core::record::RecordKey;
use syncline_schema::{Model, Relation, RelationKind, Schema};

use crate::commit::Origin;
use crate::error::{Result, StoreError};
use crate::local::{Saved, Source, parse_key};
use crate::naming;
use crate::query::{Numbered, Query};
use crate::tx::Tx;

/// The records that a relation leads to.
pub(crate) fn of(
    db: &Connection,
    schema: &Schema,
    model: &str,
    id: &str,
    include: Include,
) -> Result<Vec<Map<String, Value>>> {
    let relation = include.relation.clone();
    let of = schema.model(model).ok_or_else(|| crate::no_model(schema, model))?;
    let row = naming::living(db, of, &parse_key(schema, of, id)?)?;
    let query = Query { include: vec![include], ..Query::new(model) };
    // Says what is wrong with the relation even where nobody is related.
    let mut found = query.among(db, schema, row.as_slice())?;
    let Some(Numbered { mut record, .. }) = found.pop() else {
        return Err(StoreError::NotFound { model: model.to_owned(), id: id.to_owned(), deleted: false });
    };
    Ok(match record.remove(&relation) {
        Some(Value::Object(one)) => vec![one],
        Some(Value::Array(many)) => many.into_iter().filter_map(object).collect(),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Vec::new(),
    })
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

impl<'a> Tx<'a> {
    /// As [`Reader::related`](crate::Reader::related), this transaction's writes included.
    pub fn related(&mut self, model: &str, id: &str, relation: impl Into<Include>) -> Result<Vec<Map<String, Value>>> {
        self.flush()?;
        of(self.db, self.schema()?, model, id, relation.into())
    }

    /// Links two records by a `manyToMany` of the first; linking linked ones does nothing. Neither need be here.
    ///
    /// The link is a record of the relation's join model whose key is the pair, so replicas that link the same two
    /// make one link. It goes with either end: a delete of one removes its links. Returns the link.
    pub fn link(&mut self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved> {
        let (join, pair) = self.link_of(model, id, relation, other)?;
        self.save(&join.name, &pair, Source::App)
    }

    /// Removes the link between two records; removing none does nothing. Returns the link.
    pub fn unlink(&mut self, model: &str, id: &str, relation: &str, other: &str) -> Result<Saved> {
        let (join, pair) = self.link_of(model, id, relation, other)?;
        let schema = self.schema()?;
        let key = RecordKey::in_record(schema, join, &pair)?.ok_or(StoreError::NoSchema)?;
        let Some(id) = self.find(join, &key)? else {
            return Ok(Saved { record: pair, id: key.record_id(join), dot: None, existed: false });
        };
        let mut working = self.take(id, &join.name, Origin::Local)?;
        let outcome = if working.is_alive() {
            self.view(join, &mut working).map(|view| view.delete()).and_then(|edits| {
                let now = self.now_ms;
                self.commit_edits(schema, join, &mut working, &edits, now)
            })
        } else {
            Ok(Saved { record: pair, id, dot: None, existed: false })
        };
        self.give_back(working);
        outcome
    }

    /// The join model of a `manyToMany`, and the key of the record that links these two.
    fn link_of(&self, model: &str, id: &str, relation: &str, other: &str) -> Result<(&'a Model, Map<String, Value>)> {
        let (schema, model) = (self.schema()?, self.model(model)?);
        let relation = many_to_many(model, relation)?;
        let there = self.model(&relation.model)?;
        let Some((join, onward)) = relation.join(schema) else {
            return Err(crate::no_model(schema, relation.join_model.as_deref().unwrap_or_default()));
        };
        let mut pair = Map::new();
        for (end, id, fields, references) in
            [(model, id, &relation.fields, &relation.references), (there, other, &onward.fields, &onward.references)]
        {
            let key: Map<String, Value> = parse_key(schema, end, id)?.fields(end).into_iter().collect();
            let values = fields.iter().zip(references);
            pair.extend(values.filter_map(|(field, name)| Some((field.clone(), key.get(name)?.clone()))));
        }
        Ok((join, pair))
    }
}

fn many_to_many<'a>(model: &'a Model, name: &str) -> Result<&'a Relation> {
    let bad = |reason: String| StoreError::BadEdit { model: model.name.clone(), reason };
    let many = || model.relations.iter().filter(|relation| relation.kind == RelationKind::ManyToMany);
    let names = || match many().map(|relation| relation.name.as_str()).collect::<Vec<_>>() {
        none if none.is_empty() => "it has no @manyToMany".to_owned(),
        some => format!("its @manyToMany are {}", some.join(", ")),
    };
    match model.relation(name) {
        Some(relation) if relation.kind == RelationKind::ManyToMany => Ok(relation),
        Some(relation) => {
            let holder = if relation.is_to_one() { &model.name } else { &relation.model };
            let fields = relation.fields.join("`, `");
            Err(bad(format!("`{name}` is no @manyToMany: save the {holder} with `{fields}` instead; {}", names())))
        }
        None => Err(bad(format!("it has no relation `{name}`; {}", names()))),
    }
}
