//! A plain model of what records must show: from what apps did and had seen, without Automerge and without SQL.
//!
//! Each kind of field has a judge, which is fed with the surviving writes of one record and what a node shows of it
//! at the end. What it cannot decide it leaves out, and it counts what it decided.

mod counters;
mod existence;
mod keys;
mod lists;
mod past;
mod scalars;
mod sets;
mod texts;

use serde_json::{Map, Value};
use syncline_schema::{Deletes, Field, Managed, Model};

use super::view::Shared;
use super::{Broken, Check, about};
use crate::outcome::{Differing, Violation};
use crate::schedule::Action;
use crate::world::{World, Written};

pub(super) use keys::Keys;
pub(super) use past::Past;

/// One record: what was done to it and has survived, oldest first, and what is shown of it.
struct History<'a> {
    model: &'a Model,
    writes: Vec<&'a Written>,
    shown: Option<&'a Map<String, Value>>,
}

/// How many fields were decided, or what is wrong.
type Judged = Result<u64, String>;

impl<'a> History<'a> {
    /// Whether the writer of `later` had seen `earlier`.
    fn sees(later: &Written, earlier: &Written) -> bool {
        let together = later.node == earlier.node && later.seq == earlier.seq && later.event == earlier.event;
        match together {
            true => later.place > earlier.place,
            false => earlier.dots().last().is_some_and(|dot| later.seen.contains(dot)),
        }
    }

    /// The writes that made the record: several, if nodes made it under one key without knowing of each other.
    fn creates(&self) -> Vec<&'a Written> {
        let is_first = |write: &&&Written| !self.writes.iter().any(|other| Self::sees(write, other));
        let all = self.writes.iter().filter(|write| matches!(write.action, Action::Create { .. }));
        all.filter(is_first).copied().collect()
    }

    /// Whether somebody saved over what was deleted: that clears fields that nobody saw.
    fn was_revived(&self) -> bool {
        let revives = |write: &&&Written| matches!(write.action, Action::Create { .. }) && write.before.is_none();
        self.writes.iter().filter(revives).any(|write| self.writes.iter().any(|other| Self::sees(write, other)))
    }

    /// Whether its beginning is known, so that its fields can be.
    fn is_whole(&self) -> bool {
        let creates = self.creates();
        let known = |write: &&'a Written| {
            creates.iter().any(|create| std::ptr::eq(*create, *write) || Self::sees(write, create))
        };
        !self.was_revived() && self.writes.iter().all(known)
    }

    /// Fields that an app fills and that may travel.
    fn fields(&self) -> impl Iterator<Item = &'a Field> + use<'a> {
        let model = self.model;
        model
            .fields
            .iter()
            .filter(|field| field.managed == Managed::No && !field.local && !model.is_key_field(&field.name))
    }

    /// Whether edits win over deletion.
    fn edits_win(&self) -> bool {
        self.model.deletes == Deletes::UpdateWins
    }
}

/// What a write did to a field, in what the app was shown.
fn before<'w>(write: &'w Written, field: &str) -> Option<&'w Value> {
    write.before.as_ref()?.get(field).filter(|value| !value.is_null())
}

/// As [`before`].
fn after<'w>(write: &'w Written, field: &str) -> Option<&'w Value> {
    write.after.as_ref()?.get(field).filter(|value| !value.is_null())
}

/// Whether a write names a field.
#[expect(clippy::wildcard_enum_match_arm, reason = "other actions name no field")]
fn names(write: &Written, name: &str) -> bool {
    match &write.action {
        Action::Create { values, .. } => write.before.is_none() || values.contains_key(name),
        Action::Update { values, .. } => values.contains_key(name),
        Action::Increment { field, .. }
        | Action::Add { field, .. }
        | Action::Remove { field, .. }
        | Action::Splice { field, .. } => field == name,
        _ => false,
    }
}

/// Judges every record of the run.
fn judge_all(
    view: &Shared,
    world: &World,
    check: &str,
    judge: impl Fn(&History<'_>) -> Judged,
) -> Result<u64, Violation> {
    let all = past::of(view, world);
    let mut decided = 0;
    for past in all.iter() {
        let Some(history) = past.history(world) else { continue };
        decided += judge(&history).map_err(|message| {
            let name = world.nodes()[past.node].name().to_owned();
            let shown = [(name, past.shown.clone())].into_iter().collect();
            let differing = vec![Differing { model: past.model.clone(), id: past.id.clone(), shown }];
            let message = format!("{} {}: {message}", past.model, past.id);
            Broken { nodes: vec![past.node], message, differing }.at(world, check)
        })?;
    }
    Ok(decided)
}

macro_rules! judged {
    ($(#[$doc:meta])* $check:ident, $judge:path, $name:literal, $says:literal) => {
        $(#[$doc])*
        pub(super) struct $check {
            view: Shared,
            decided: u64,
        }

        impl $check {
            pub(super) fn new(view: Shared) -> Self {
                Self { view, decided: 0 }
            }
        }

        impl Check for $check {
            about!($name, $says);

            fn at_end(&mut self, world: &World) -> Result<(), Violation> {
                self.decided += judge_all(&self.view, world, $name, $judge)?;
                Ok(())
            }
        }
    };
}

judged!(
    /// See [`counters`].
    Counters,
    counters::judge,
    "model-counters",
    "A counter shows exactly the sum of what survived of its increments; records made by several nodes under one key, \
     which show one maker's count, are left out."
);
judged!(
    /// See [`sets`].
    Sets,
    sets::judge,
    "model-sets",
    "An element is in a set if and only if some addition of it was not seen by any removal of it."
);
judged!(
    /// See [`existence`].
    Existence,
    existence::judge,
    "model-existence",
    "A record exists if and only if some create or undelete (with update-wins: or edit) was not seen by any delete."
);
judged!(
    /// See [`texts`].
    Texts,
    texts::judge,
    "model-texts",
    "A text holds the characters that were typed and not deleted by who saw them, and those that stood in an order \
     somewhere stand in it."
);
judged!(
    /// See [`scalars`].
    Scalars,
    scalars::judge,
    "model-scalars",
    "A field shows one of the writes that no other write of it had seen; with `@merge(max)` or `min` the greatest or \
     smallest of them."
);
judged!(
    /// See [`lists`].
    Lists,
    lists::judge,
    "model-lists",
    "A list holds what surviving writes put in and nobody who saw it took out, and nothing more often than it was put \
     in or moved."
);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syncline_core::vector::VersionVector;
    use syncline_schema::Schema;

    use super::super::reads::tests::written;
    use super::super::view::tests::replica;
    use super::*;

    const SDL: &str = r#"
type Todo @model {
  title: String
  best: Int @merge(with: max)
  points: Int @counter
  tags: [String] @set
  steps: [String]
  notes: String @text
}
type Draft @model(deletes: "update-wins") { title: String }
"#;

    /// Writes of one record by several replicas, and what is shown in the end.
    pub(super) struct Story {
        schema: Schema,
        model: &'static str,
        writes: Vec<Written>,
    }

    impl Story {
        pub(super) fn new(model: &'static str) -> Self {
            let schema = syncline_schema::parse("a.graphql", SDL).unwrap().schema;
            Self { schema, model, writes: Vec::new() }
        }

        /// A write by a replica that had seen so many changes of replicas 1 and 2.
        pub(super) fn write(mut self, by: u8, seen: [u64; 2], action: Action, before: Value, after: Value) -> Self {
            let mut write = written(self.writes.len() as u32 + 1, action, before, after);
            write.node = by.into();
            write.replica = Some(replica(by));
            let counter = self.writes.iter().filter(|other| other.replica == write.replica).count() as u64 + 1;
            write.counters = (counter, counter);
            write.seen = VersionVector::from_iter([(replica(1), seen[0]), (replica(2), seen[1])]);
            self.writes.push(write);
            self
        }

        pub(super) fn judge(&self, judge: impl Fn(&History<'_>) -> Judged, shown: Value) -> Judged {
            let shown = shown.as_object().cloned();
            let history = History {
                model: self.schema.model(self.model).unwrap(),
                writes: self.writes.iter().collect(),
                shown: shown.as_ref(),
            };
            judge(&history)
        }
    }

    pub(super) fn create() -> Action {
        Action::Create { node: String::new(), model: "Todo".to_owned(), values: Map::new() }
    }

    pub(super) fn update(values: Value) -> Action {
        let values = values.as_object().cloned().unwrap();
        Action::Update { node: String::new(), record: 1, values }
    }

    pub(super) fn delete() -> Action {
        Action::Delete { node: String::new(), record: 1 }
    }

    #[test]
    fn a_writer_sees_what_it_held_and_what_it_wrote_before_in_the_same_transaction() {
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, json!({}))
            .write(2, [1, 0], update(json!({})), json!({}), json!({}))
            .write(1, [1, 0], update(json!({})), json!({}), json!({}));
        let [first, second, third] = &story.writes[..] else { panic!("there are three") };
        assert!(History::sees(second, first) && History::sees(third, first));
        assert!(!History::sees(third, second) && !History::sees(second, third) && !History::sees(first, second));
        let twin = Written { place: 1, ..third.clone() };
        assert!(History::sees(&twin, third) && !History::sees(third, &twin));
    }
}
