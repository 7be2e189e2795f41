//! One edit of one field, of whatever kind it is.

use serde_json::{Map, Value};
use syncline_schema::FieldKind;
use syncline_schema::{Element, Field, Model};

use super::super::random::Stream;
use super::super::values::is_apps;
use super::{Turn, Wanted, Writer, is_value};
use crate::schedule::Action;

/// Longest that a list gets by what one device saves.
const LIST_MAX: usize = 12;
/// Characters of a paste: ten kilobytes.
const PASTE: u64 = 3_400;
/// Characters above which a text is soon shortened.
const TEXT_MAX: u64 = 4_000;

impl Writer<'_> {
    /// An edit of a wanted field of a record, if it has one.
    pub(super) fn edit(&mut self, place: usize, turn: &Turn, stream: &mut Stream, wanted: Wanted) -> Option<Action> {
        let model = self.models[self.pool.get(place).model];
        let fields: Vec<&Field> =
            model.fields.iter().filter(|field| is_apps(model, field) && wanted(&field.kind)).collect();
        let field = *stream.pick(&fields)?;
        match &field.kind {
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => {
                self.update(place, model, field, turn, stream)
            }
            FieldKind::Counter => Some(self.increment(place, field, turn, stream)),
            FieldKind::Text { .. } => Some(self.splice(place, model, field, turn, stream)),
            FieldKind::List(element) => Some(self.rearrange(place, field, element, turn, stream)),
            FieldKind::Set(element) => self.set_edit(place, field, element, turn, stream),
        }
    }

    /// One field, and sometimes another one with it.
    fn update(
        &mut self,
        place: usize,
        model: &Model,
        field: &Field,
        turn: &Turn,
        stream: &mut Stream,
    ) -> Option<Action> {
        let mut values = Map::new();
        self.set_value(model, field, stream, &mut values)?;
        let others: Vec<&Field> =
            model.fields.iter().filter(|other| is_apps(model, other) && is_value(&other.kind)).collect();
        if stream.percent(25)
            && let Some(other) = stream.pick(&others).copied()
        {
            self.set_value(model, other, stream, &mut values);
        }
        Some(Action::Update { node: turn.node.clone(), record: self.pool.get(place).event, values })
    }

    fn set_value(
        &mut self,
        model: &Model,
        field: &Field,
        stream: &mut Stream,
        values: &mut Map<String, Value>,
    ) -> Option<()> {
        let clear = !field.required && stream.percent(8);
        let value = if clear { Value::Null } else { self.values.value(model, &field.name, &field.kind, stream, 0)? };
        values.insert(field.name.clone(), value);
        Some(())
    }

    fn increment(&mut self, place: usize, field: &Field, turn: &Turn, stream: &mut Stream) -> Action {
        let by = [1, 1, 1, 2, 5, 7, -1, -3][stream.below(8) as usize];
        Action::Increment { node: turn.node.clone(), record: self.pool.get(place).event, field: field.name.clone(), by }
    }

    fn set_edit(
        &mut self,
        place: usize,
        field: &Field,
        element: &Element,
        turn: &Turn,
        stream: &mut Stream,
    ) -> Option<Action> {
        let element = self.values.set_element(element, stream)?;
        let (node, record, field) = (turn.node.clone(), self.pool.get(place).event, field.name.clone());
        Some(if stream.percent(60) {
            Action::Add { node, record, field, element }
        } else {
            Action::Remove { node, record, field, element }
        })
    }

    /// The list as this device would save it after an insertion, a removal or a move.
    fn rearrange(
        &mut self,
        place: usize,
        field: &Field,
        element: &Element,
        turn: &Turn,
        stream: &mut Stream,
    ) -> Action {
        let fresh = self.values.list_element(element, stream, 0);
        let known = self.pool.get(place);
        let list = known.lists.entry(field.name.clone()).or_default();
        let at = stream.below(list.len() as u64 + 1) as usize;
        match stream.below(10) {
            0..2 if !list.is_empty() => {
                list.remove(at.min(list.len() - 1));
            }
            2..5 if list.len() > 1 => {
                let moved = list.remove(at.min(list.len() - 1));
                let to = stream.below(list.len() as u64 + 1) as usize;
                list.insert(to, moved);
            }
            _ if list.len() >= LIST_MAX => {
                list.remove(0);
            }
            _ => list.insert(at, fresh),
        }
        let values = Map::from_iter([(field.name.clone(), Value::Array(list.clone()))]);
        Action::Update { node: turn.node.clone(), record: known.event, values }
    }

    /// Types, mostly where the cursor stands; now and then deletes a range or pastes.
    fn splice(&mut self, place: usize, model: &Model, field: &Field, turn: &Turn, stream: &mut Stream) -> Action {
        let known = self.pool.get(place);
        let event = known.event;
        let cursor = known.cursors.entry((turn.node.clone(), field.name.clone())).or_insert(1000);
        if stream.percent(15) {
            *cursor = stream.below(1001) as u32;
        }
        let at = *cursor;
        let length = known.lengths.entry(field.name.clone()).or_default();
        let (delete, insert) = match stream.below(400) {
            0..20 if *length > TEXT_MAX => (*length / 2, 0),
            0..48 => (stream.between(1, 20), 0),
            48..80 => (stream.between(1, 8), stream.between(1, 8)),
            80..82 if self.values.has_text(model, &field.name, 4 * PASTE) => (0, PASTE),
            _ => (0, stream.between(1, 6)),
        };
        *length = (*length + insert).saturating_sub(delete);
        Action::Splice {
            node: turn.node.clone(),
            record: event,
            field: field.name.clone(),
            place: at,
            delete: delete as u32,
            insert: self.values.text(model, &field.name, insert),
        }
    }
}
