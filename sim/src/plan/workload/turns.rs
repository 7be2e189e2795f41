//! What a device does when it is its turn, by kind of workload.

use syncline_schema::{Key, Model};

use super::super::draft::Drafts;
use super::super::random::Stream;
use super::super::values::{Values, is_apps};
use super::{Turn, Wanted, Writer, any, is_collection, is_counter, is_switch, is_text, is_value};
use crate::scenario::WorkloadKind;
use crate::schedule::Action;

/// How many records a workload shares that wants its devices to meet on them.
const FEW: usize = 4;

impl Writer<'_> {
    pub(super) fn turn(&mut self, kind: WorkloadKind, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        match kind {
            WorkloadKind::Todo
            | WorkloadKind::Idle
            | WorkloadKind::Import
            | WorkloadKind::LongAbsence
            | WorkloadKind::NewDevice => self.todo(turn, stream, drafts),
            WorkloadKind::Text => self.typing(turn, stream, drafts),
            WorkloadKind::Counters => self.on_few(is_counter, 95, turn, stream, drafts),
            WorkloadKind::Lists => self.on_few(is_collection, 70, turn, stream, drafts),
            WorkloadKind::DeleteVsEdit => self.duel(turn, stream, drafts),
            WorkloadKind::HotRecord => self.hot(turn, stream, drafts),
            WorkloadKind::Churn => match stream.below(10) {
                0..4 => self.observe(turn, stream, drafts),
                _ => self.todo(turn, stream, drafts),
            },
            WorkloadKind::Mixed => {
                let kind = match stream.below(100) {
                    0..40 => WorkloadKind::Todo,
                    40..58 => WorkloadKind::Text,
                    58..68 => WorkloadKind::Counters,
                    68..80 => WorkloadKind::Lists,
                    80..88 => WorkloadKind::DeleteVsEdit,
                    88..95 => WorkloadKind::HotRecord,
                    _ => WorkloadKind::Churn,
                };
                self.turn(kind, turn, stream, drafts);
            }
        }
    }

    fn todo(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        match stream.below(100) {
            0..22 => self.create(any, turn, stream, drafts),
            22..45 => self.edit_some(is_switch, turn, stream, drafts),
            45..62 => self.edit_some(is_value, turn, stream, drafts),
            62..75 => self.edit_some(is_collection, turn, stream, drafts),
            75..85 => self.edit_some(any, turn, stream, drafts),
            85..91 => self.delete(turn, stream, drafts),
            91..94 => self.undelete(turn, stream, drafts),
            _ => self.together(turn, stream, drafts),
        }
    }

    /// A burst of typing, or a single edit; sometimes another device types at the same place.
    fn typing(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        if !self.has(is_text) {
            return self.todo(turn, stream, drafts);
        }
        let Some(place) = self.one_of_few(is_text, turn, stream, drafts) else { return };
        let mut at_ms = turn.at_ms;
        let count = if stream.percent(30) { stream.between(3, 8) } else { 1 };
        for _ in 0..count {
            let now = Turn { at_ms, node: turn.node.clone(), number: turn.number };
            let Some(action) = self.edit(place, &now, stream, is_text) else { return };
            if stream.percent(10)
                && let Some(other) = self.another(turn, stream)
                && let Some(twin) = self.twin(place, &action, &other)
            {
                drafts.push(at_ms, twin);
            }
            drafts.push(at_ms, action);
            at_ms += stream.between(60, 400);
        }
    }

    /// The same edit by another device, at the same place, with other characters.
    fn twin(&mut self, record: usize, action: &Action, node: &str) -> Option<Action> {
        let model = self.models[self.pool.get(record).model];
        let Action::Splice { record, field, place, insert, .. } = action else { return None };
        let count = insert.chars().count().clamp(1, 6) as u64;
        let insert = self.values.text(model, field, count);
        let (node, field) = (node.to_owned(), field.clone());
        Some(Action::Splice { node, record: *record, field, place: *place, delete: 0, insert })
    }

    /// Edits wanted fields of a few records that all devices share, in so many of a hundred turns; others in the rest.
    fn on_few(&mut self, wanted: Wanted, percent: u64, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        if !self.has(wanted) {
            return self.todo(turn, stream, drafts);
        }
        let Some(place) = self.one_of_few(wanted, turn, stream, drafts) else { return };
        let wanted = if stream.percent(percent) { wanted } else { any };
        if let Some(action) = self.edit(place, turn, stream, wanted) {
            drafts.push(turn.at_ms, action);
        }
    }

    /// One device deletes what another is editing; now and then a third brings it back.
    fn duel(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let Some(place) = self.one_of_few(any, turn, stream, drafts) else { return };
        let Some(other) = self.another(turn, stream) else { return };
        let editing = Turn { at_ms: turn.at_ms + stream.below(1000), node: other, number: turn.number };
        if let Some(edit) = self.edit(place, &editing, stream, any) {
            drafts.push(editing.at_ms, edit);
        }
        let known = self.pool.get(place);
        known.deleted = true;
        let record = known.event;
        drafts.push(turn.at_ms + stream.below(1000), Action::Delete { node: turn.node.clone(), record });
        if stream.percent(35)
            && let Some(node) = stream.pick(&self.devices).cloned()
        {
            self.pool.get(place).deleted = false;
            drafts.push(turn.at_ms + stream.between(500, 10_000), Action::Undelete { node, record });
        }
    }

    /// Everybody writes the same few fields of one record.
    fn hot(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let Some(place) = self.hot else {
            let before = self.pool_model(|model| !model.local);
            self.hot = before.and_then(|model| self.create_of(model, turn, stream, drafts, false));
            return;
        };
        let wanted = if stream.percent(80) { is_value } else { any };
        let edit = self.edit(place, turn, stream, wanted).or_else(|| self.edit(place, turn, stream, any));
        if let Some(edit) = edit {
            drafts.push(turn.at_ms, edit);
        }
    }

    fn observe(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let own = self.observed.iter().position(|(node, _)| *node == turn.node);
        if let Some(place) = own.filter(|_| stream.percent(50)) {
            let (_, observe) = self.observed.remove(place);
            drafts.push(turn.at_ms, Action::Unobserve { observe });
        } else if let Some(model) = stream.pick(&self.models) {
            let observe = Action::Observe { node: turn.node.clone(), model: model.name.clone() };
            let event = drafts.push(turn.at_ms, observe);
            self.observed.push((turn.node.clone(), event));
        }
    }

    fn create(&mut self, wanted: Wanted, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        if let Some(model) = self.model_with(wanted, stream) {
            self.create_of(model, turn, stream, drafts, true);
        }
    }

    /// Makes a record, if there is none of few already; its place.
    fn create_of(
        &mut self,
        place: usize,
        turn: &Turn,
        stream: &mut Stream,
        drafts: &mut Drafts,
        may_share: bool,
    ) -> Option<usize> {
        let model = self.models[place];
        let action = self.new_record(model, turn, stream, may_share);
        let Action::Create { values, .. } = &action else { return None };
        let values = values.clone();
        let event = drafts.push(turn.at_ms, action);
        Some(self.pool.add(event, (place, model), &turn.node, turn.at_ms, &values))
    }

    fn new_record(&mut self, model: &Model, turn: &Turn, stream: &mut Stream, may_share: bool) -> Action {
        let shares = match model.key {
            Key::Custom(_) => 30,
            Key::Id => 4,
        };
        let shared = may_share && Values::can_share(model) && stream.percent(shares);
        let values = self.values.record(model, stream, shared);
        Action::Create { node: turn.node.clone(), model: model.name.clone(), values }
    }

    fn edit_some(&mut self, wanted: Wanted, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let wanted = if self.has(wanted) { wanted } else { any };
        let edit = self.pick(wanted, turn, stream).and_then(|place| self.edit(place, turn, stream, wanted));
        match edit {
            Some(action) => {
                drafts.push(turn.at_ms, action);
            }
            None => self.create(wanted, turn, stream, drafts),
        }
    }

    fn delete(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let Some(place) = self.pick(any, turn, stream) else { return self.create(any, turn, stream, drafts) };
        let known = self.pool.get(place);
        known.deleted = true;
        let record = known.event;
        drafts.push(turn.at_ms, Action::Delete { node: turn.node.clone(), record });
    }

    fn undelete(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let deleted = self.pool.pick(&turn.node, turn.at_ms, stream, &|known| known.deleted);
        let Some(place) = deleted else { return self.create(any, turn, stream, drafts) };
        let known = self.pool.get(place);
        known.deleted = false;
        let record = known.event;
        drafts.push(turn.at_ms, Action::Undelete { node: turn.node.clone(), record });
    }

    /// A few creates and edits that stay together.
    fn together(&mut self, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) {
        let mut writes = Vec::new();
        let mut made = Vec::new();
        for _ in 0..stream.between(2, 4) {
            let edit = self.pick(any, turn, stream).and_then(|place| self.edit(place, turn, stream, any));
            if let Some(edit) = edit.filter(|_| stream.percent(60)) {
                writes.push(edit);
            } else if let Some(place) = self.model_with(any, stream) {
                let create = self.new_record(self.models[place], turn, stream, false);
                if let Action::Create { values, .. } = &create {
                    made.push((place, values.clone()));
                }
                writes.push(create);
            }
        }
        let events = drafts.push_together(turn.at_ms, &turn.node, writes);
        for (event, (place, values)) in events.into_iter().zip(made) {
            self.pool.add(event, (place, self.models[place]), &turn.node, turn.at_ms, &values);
        }
    }

    /// One of few records that all devices edit; makes another while there are too few.
    fn one_of_few(&mut self, wanted: Wanted, turn: &Turn, stream: &mut Stream, drafts: &mut Drafts) -> Option<usize> {
        let fitting: Vec<bool> = self.models.iter().map(|model| has_field(model, wanted)).collect();
        let few = self.pool.count(&|model| fitting[model]) < FEW;
        let picked = if few { None } else { self.pick(wanted, turn, stream) };
        if picked.is_none() {
            self.create(wanted, turn, stream, drafts);
        }
        picked
    }

    fn pick(&self, wanted: Wanted, turn: &Turn, stream: &mut Stream) -> Option<usize> {
        let fitting: Vec<bool> = self.models.iter().map(|model| has_field(model, wanted)).collect();
        self.pool.pick(&turn.node, turn.at_ms, stream, &|known| !known.deleted && fitting[known.model])
    }

    fn has(&self, wanted: Wanted) -> bool {
        self.models.iter().any(|model| !model.local && has_field(model, wanted))
    }

    /// A model with such a field, if there is one; seldom one that stays on its device.
    fn model_with(&self, wanted: Wanted, stream: &mut Stream) -> Option<usize> {
        let local = stream.percent(8);
        // Of some models the key is all there is: they can be made and deleted, not edited.
        let bare = stream.percent(20);
        let places = |local: bool, wanted: Wanted| -> Vec<usize> {
            let fits =
                |model: &Model| model.local == local && (has_field(model, wanted) || (bare && !has_field(model, any)));
            self.models.iter().enumerate().filter(|(_, model)| fits(model)).map(|(place, _)| place).collect()
        };
        let fitting = places(local, wanted);
        let fitting = if fitting.is_empty() { places(false, wanted) } else { fitting };
        let fitting = if fitting.is_empty() { (0..self.models.len()).collect() } else { fitting };
        stream.pick(&fitting).copied()
    }

    fn pool_model(&self, fits: impl Fn(&Model) -> bool) -> Option<usize> {
        let values = |model: &Model| model.fields.iter().filter(|f| is_apps(model, f) && is_value(&f.kind)).count();
        let models = self.models.iter().enumerate().filter(|(_, model)| fits(model));
        models.max_by_key(|(place, model)| (values(model), self.models.len() - place)).map(|(place, _)| place)
    }

    /// Another device that takes part.
    fn another(&self, turn: &Turn, stream: &mut Stream) -> Option<String> {
        let others: Vec<&String> = self.devices.iter().filter(|name| **name != turn.node).collect();
        stream.pick(&others).map(|name| (*name).clone())
    }
}

fn has_field(model: &Model, wanted: Wanted) -> bool {
    model.fields.iter().any(|field| is_apps(model, field) && wanted(&field.kind))
}
