//! What comes over apps: their next version, and relations of which one end goes while the other comes.

use serde_json::Value;
use syncline_schema::{Key, Model, Relation, Schema};

use super::super::values::Values;
use super::Trouble;
use crate::schedule::Action;

impl Trouble<'_> {
    pub(super) fn app(&mut self) {
        match self.family.name {
            "rollout" if self.scenario.newer_schema.is_some() => self.rollout(),
            "relations" => self.relations(),
            _ => {}
        }
    }

    /// Some devices get the next version, each once.
    fn rollout(&mut self) {
        let mut devices = self.among(&self.atlas.devices);
        self.stream.shuffle(&mut devices);
        for (at_ms, node) in self.times().into_iter().zip(devices) {
            let down_ms = self.hold();
            self.push(at_ms, Action::Upgrade { node, down_ms });
        }
    }

    /// Somebody makes a parent; others add a child to it, and delete it, in any order.
    fn relations(&mut self) {
        let scenario = self.scenario;
        let schema = &scenario.schema.parsed;
        let relations: Vec<(&Model, &Relation, &Model)> = to_parents(schema).collect();
        let workloads = scenario.workloads.len() as u64;
        let mut values = Values::new(schema, workloads, workloads + 1);
        for at_ms in self.times() {
            let Some(family) = self.stream.pick(&relations).copied() else { return };
            let nodes = [self.device(), self.device(), self.device()];
            let [Some(parent_at), Some(child_at), Some(delete_at)] = nodes else { return };
            self.one_family(at_ms, family, [parent_at, child_at, delete_at], &mut values);
        }
    }

    fn one_family(
        &mut self,
        at_ms: u64,
        (child, relation, parent): (&Model, &Relation, &Model),
        [parent_at, child_at, delete_at]: [String; 3],
        values: &mut Values<'_>,
    ) {
        let mut record = values.record(parent, &mut self.stream, false);
        if parent.key == Key::Id {
            record.insert("id".to_owned(), Value::String(format!("parent of {at_ms} at {parent_at}")));
        }
        let key: Vec<Value> = parent.key_fields().into_iter().filter_map(|name| record.get(name).cloned()).collect();
        let made = self.push(at_ms, Action::Create { node: parent_at, model: parent.name.clone(), values: record });
        let mut record = values.record(child, &mut self.stream, false);
        record.extend(relation.fields.iter().cloned().zip(key));
        let later = at_ms + self.hold();
        let create = Action::Create { node: child_at.clone(), model: child.name.clone(), values: record };
        let added = self.push(later, create);
        let deleted_at_ms = at_ms + self.hold();
        self.push(deleted_at_ms, Action::Delete { node: delete_at.clone(), record: made });
        if self.stream.percent(30) {
            let back_at_ms = deleted_at_ms + self.hold();
            self.push(back_at_ms, Action::Undelete { node: delete_at, record: made });
        }
        if self.stream.percent(30) {
            let nulls = relation.fields.iter().map(|field| (field.clone(), Value::Null)).collect();
            let left_at_ms = later + self.hold();
            self.push(left_at_ms, Action::Update { node: child_at, record: added, values: nulls });
        }
    }
}

/// Relations whose fields hold a parent's key, with both models; of records that travel.
fn to_parents(schema: &Schema) -> impl Iterator<Item = (&Model, &Relation, &Model)> {
    let models = schema.models.iter().filter(|model| !model.local);
    let all = models.flat_map(|child| child.relations.iter().map(move |relation| (child, relation)));
    all.filter_map(|(child, relation)| {
        let parent = schema.model(&relation.model).filter(|parent| !parent.local)?;
        let leads = relation.is_to_one() && relation.fields.len() == parent.key_fields().len();
        let free = relation.fields.iter().all(|field| !child.is_key_field(field));
        (leads && free).then_some((child, relation, parent))
    })
}
