//! Operations inside objects: what they refer to must be there, be of the right sort, and be in
//! the change's causal past.

use automerge::legacy::{self, ElementId, Key, ObjectId, Op, OpType};
use automerge::{ObjType, ScalarValue};

use super::order::Elements;
use super::{MAX_DEPTH, Refusal, View, check_pred_order};
use crate::change::Change;
use crate::lineage::{HEAD, Lineage, OpInfo, OpKind, Past, ROOT};
use crate::rich::{check_mark, names_of};
use crate::state::root_key;

/// Checks the operations inside objects; those at root keys only take up their names.
pub(super) fn check(change: &Change, lineage: &Lineage, past: &Past) -> Result<(), Refusal> {
    let mut scene = Scene {
        change,
        view: View { lineage, past },
        own: Vec::with_capacity(change.ops().len()),
        own_keys: Vec::new(),
    };
    let mut mark_ends = Vec::new();
    for (at, op) in change.ops().iter().enumerate() {
        let info = match root_key(op) {
            Some(_) if matches!(op.action, OpType::MarkBegin(_) | OpType::MarkEnd(_)) => {
                return Err(Refusal::Action { op: at });
            }
            Some(_) => scene.describe_root(op),
            None => scene.check_one(at, op)?,
        };
        match (scene.begun_mark(), info.kind) {
            (Some(begun), OpKind::MarkEnd) if begun.obj == info.obj => mark_ends.push(at),
            (Some(_), _) => return Err(Refusal::UnpairedMark { op: at - 1 }),
            (None, OpKind::MarkEnd) => return Err(Refusal::UnpairedMark { op: at }),
            (None, _) => {}
        }
        scene.own.push(info);
    }
    if scene.begun_mark().is_some() {
        return Err(Refusal::UnpairedMark { op: scene.own.len() - 1 });
    }
    if mark_ends.is_empty() {
        return Ok(());
    }
    check_mark_count(change, lineage, past)?;
    scene.check_mark_order(&mark_ends)
}

fn check_mark_count(change: &Change, lineage: &Lineage, past: &Past) -> Result<(), Refusal> {
    let within = lineage.marks_in(past).check(names_of(change));
    within.and_then(|()| lineage.marks().check_times(2, names_of(change))).map_err(Refusal::TooManyMarks)
}

/// The past and the operations of this change so far.
struct Scene<'a> {
    change: &'a Change,
    view: View<'a>,
    own: Vec<OpInfo>,
    /// Map keys that the past does not have; their numbers count down from [`ROOT`].
    own_keys: Vec<&'a str>,
}

impl<'a> Scene<'a> {
    fn describe_root(&mut self, op: &'a Op) -> OpInfo {
        OpInfo {
            kind: OpKind::of(&op.action),
            depth: 0,
            insert: false,
            obj: ROOT,
            slot: match &op.key {
                Key::Map(key) => self.key_number(key),
                Key::Seq(_) => ROOT,
            },
        }
    }

    fn check_one(&mut self, op: usize, operation: &'a Op) -> Result<OpInfo, Refusal> {
        check_pred_order(op, operation)?;
        let ObjectId::Id(object_id) = &operation.obj else {
            return Err(Refusal::WrongAddress { op });
        };
        let (number, object) = self.find(object_id).ok_or(Refusal::ObjectUnseen { op })?;
        let slot = match object.kind {
            OpKind::Map => self.map_slot(op, operation)?,
            OpKind::List | OpKind::Text => self.sequence_slot(op, operation, number)?,
            OpKind::Scalar | OpKind::Delete | OpKind::MarkBegin | OpKind::MarkEnd | OpKind::Other => {
                return Err(Refusal::ObjectUnseen { op });
            }
        };
        check_action(op, operation, object.kind)?;
        self.check_preds(op, operation, number, slot)?;
        let depth = object.depth.saturating_add(1);
        if matches!(operation.action, OpType::Make(_)) && depth > MAX_DEPTH {
            return Err(Refusal::TooDeep { op });
        }
        Ok(OpInfo { kind: OpKind::of(&operation.action), depth, insert: operation.insert, obj: number, slot })
    }

    fn map_slot(&mut self, op: usize, operation: &'a Op) -> Result<u32, Refusal> {
        match &operation.key {
            Key::Map(key) if !operation.insert => Ok(self.key_number(key)),
            Key::Map(_) | Key::Seq(_) => Err(Refusal::WrongAddress { op }),
        }
    }

    /// The element named: the one concerned, or for an insert the one before the new one.
    fn sequence_slot(&self, op: usize, operation: &Op, object: u32) -> Result<u32, Refusal> {
        match &operation.key {
            Key::Seq(ElementId::Head) if operation.insert => Ok(HEAD),
            Key::Map(_) | Key::Seq(ElementId::Head) => Err(Refusal::WrongAddress { op }),
            Key::Seq(ElementId::Id(id)) => self.element(id, object).ok_or(Refusal::ElementUnseen { op }),
        }
    }

    fn element(&self, id: &legacy::OpId, object: u32) -> Option<u32> {
        let (number, info) = self.find(id)?;
        (info.insert && info.obj == object).then_some(number)
    }

    fn check_preds(&self, op: usize, operation: &Op, object: u32, slot: u32) -> Result<(), Refusal> {
        for pred in operation.pred.iter() {
            let stands_there = self.find(pred).is_some_and(|(number, info)| {
                let replaceable = match info.kind {
                    OpKind::Map | OpKind::List | OpKind::Text | OpKind::Scalar => true,
                    OpKind::Delete | OpKind::MarkBegin | OpKind::MarkEnd | OpKind::Other => false,
                };
                replaceable && !operation.insert && info.obj == object && info.place(number) == slot
            });
            if !stands_there {
                return Err(Refusal::PredUnseen { op });
            }
        }
        let in_sequence = matches!(operation.key, Key::Seq(_));
        match (&operation.action, operation.pred.is_empty()) {
            (OpType::Delete, true) => Err(Refusal::DeletesNothing { op }),
            (_, replaces_nothing) if in_sequence && operation.insert != replaces_nothing => {
                Err(Refusal::InsertOrReplace { op })
            }
            _ => Ok(()),
        }
    }

    /// The operation before, if it begins a mark.
    fn begun_mark(&self) -> Option<OpInfo> {
        self.own.last().copied().filter(|info| info.kind == OpKind::MarkBegin)
    }

    /// Whether each of these operations, which end marks, stands behind the one that begins its
    /// mark.
    fn check_mark_order(&self, ends: &[usize]) -> Result<(), Refusal> {
        let mut elements = Elements::new(self.view.lineage, &self.own, self.change);
        for at in ends {
            let (begin, end) = (self.own[at - 1], self.own[*at]);
            let begin_number = self.view.lineage.op_count() + *at as u32 - 1;
            // Both are new, so they stand directly behind what they name; of two behind the same
            // element the later one comes first.
            if end.slot != begin_number && !elements.is_behind(begin.slot, end.slot) {
                return Err(Refusal::MarkOrder { op: *at });
            }
        }
        Ok(())
    }

    /// An operation of the past, or an earlier one of this change.
    fn find(&self, id: &legacy::OpId) -> Option<(u32, OpInfo)> {
        if id.1 == *self.change.actor() && id.0 >= self.change.start_op() {
            let at = (id.0 - self.change.start_op()) as usize;
            let info = self.own.get(at)?;
            return Some((self.view.lineage.op_count() + at as u32, *info));
        }
        let number = self.view.lineage.find(self.view.past, id)?;
        Some((number, self.view.lineage.op(number)?))
    }

    fn key_number(&mut self, key: &'a str) -> u32 {
        if let Some(number) = self.view.lineage.key_number(key) {
            return number;
        }
        let known = self.own_keys.iter().position(|own| *own == key);
        let position = known.unwrap_or_else(|| {
            self.own_keys.push(key);
            self.own_keys.len() - 1
        });
        ROOT - 2 - position as u32
    }
}

/// What may stand in which object.
fn check_action(op: usize, operation: &Op, object: OpKind) -> Result<(), Refusal> {
    let is_text = object == OpKind::Text;
    match &operation.action {
        OpType::Delete if operation.insert => Err(Refusal::Action { op }),
        OpType::Delete => Ok(()),
        OpType::Put(ScalarValue::Str(text)) if is_text => match (operation.insert, text.chars().count()) {
            (true, 1) => Ok(()),
            (false, _) | (true, _) => Err(Refusal::NotACharacter { op }),
        },
        OpType::Put(_) | OpType::Make(_) if is_text => Err(Refusal::NotACharacter { op }),
        OpType::Put(_) | OpType::Make(ObjType::Map | ObjType::List) => Ok(()),
        OpType::MarkBegin(_) | OpType::MarkEnd(_) if !is_text || !operation.insert => Err(Refusal::Action { op }),
        OpType::MarkBegin(mark) => {
            check_mark(&mark.name, &mark.value).map_err(|reason| Refusal::BadMark { op, reason })
        }
        OpType::MarkEnd(_) => Ok(()),
        OpType::Make(ObjType::Text | ObjType::Table) | OpType::Increment(_) => Err(Refusal::Action { op }),
    }
}
