//! Texts and lists with everything that ever stood in them, in the order of the document.
//!
//! An element that an undo brings back is a new one, inserted behind the tombstone of the old: it
//! stands for it from then on, however often that goes on.

use std::collections::BTreeMap;

use automerge::ScalarValue;
use automerge::legacy::{self, ElementId, Key, ObjectId, OpType};

use super::{Part, Restored, Step, Turn};
use crate::state::OpId;

/// All elements of one text or list.
pub(super) struct Sequence {
    /// In the order of their changes.
    elements: Vec<Element>,
    /// Numbers of the elements, as the document has them.
    order: Vec<usize>,
}

/// A character or element, standing or not.
pub(super) struct Element {
    id: OpId,
    /// Place of the change that inserted it.
    told: usize,
    values: Vec<Standing>,
    /// The element that it stands for, by its number: itself, unless it was brought back.
    stands_for: usize,
}

/// A value of an element: the first, or one that replaced another.
struct Standing {
    id: OpId,
    told: usize,
    scalar: Option<ScalarValue>,
    /// Places of the changes that removed it.
    gone: Vec<usize>,
}

impl Element {
    /// The character, if it is one.
    pub(super) fn character(&self) -> Option<ScalarValue> {
        self.values.last()?.scalar.clone()
    }

    /// Whether one of its values has this name.
    pub(super) fn has_value(&self, id: &OpId) -> bool {
        self.values.iter().any(|value| value.id == *id)
    }

    fn is_visible(&self) -> bool {
        self.values.iter().any(|value| value.gone.is_empty())
    }

    fn standing(&self) -> Vec<OpId> {
        self.values.iter().filter(|value| value.gone.is_empty()).map(|value| value.id.clone()).collect()
    }
}

impl Sequence {
    /// The object of this name, from all changes of the record.
    pub(super) fn of(turn: &Turn<'_>, object: &OpId) -> Self {
        let mut elements: Vec<Element> = Vec::new();
        let mut numbers: BTreeMap<OpId, usize> = BTreeMap::new();
        let mut behind: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (told, change) in turn.story.changes.iter().enumerate() {
            let is_turn = turn.part(told) == Part::Turn;
            for (counter, op) in (change.start_op()..).zip(change.ops()) {
                let (ObjectId::Id(of), Key::Seq(at)) = (&op.obj, &op.key) else { continue };
                if of.0 != object.counter || of.1 != object.actor {
                    continue;
                }
                let named = at.as_opid().and_then(|id| numbers.get(&own(id)).copied());
                let id = OpId { counter, actor: change.actor().clone() };
                let value = value_of(&id, told, &op.action);
                if op.insert {
                    let number = elements.len();
                    // A mark that a turn put stands for no character.
                    let after = named.filter(|_| is_turn && value.is_some()).map(|after| elements[after].stands_for);
                    let stands_for = after.unwrap_or(number);
                    elements.push(Element { id: id.clone(), told, values: value.into_iter().collect(), stands_for });
                    numbers.insert(id, number);
                    // A beginning that is not there stands for the head; no accepted change names one.
                    behind.entry(named.filter(|_| *at != ElementId::Head)).or_default().push(number);
                } else if let Some(number) = named {
                    let element = &mut elements[number];
                    let replaced = element.values.iter_mut().filter(|value| {
                        op.pred.iter().any(|pred| pred.0 == value.id.counter && pred.1 == value.id.actor)
                    });
                    replaced.for_each(|value| value.gone.push(told));
                    element.values.extend(value);
                }
            }
        }
        let order = in_order(&elements, behind);
        Self { elements, order }
    }

    /// What makes it show what it would if only the edits that count had been made: elements that the
    /// turned edit inserted or removed. `value` gives what an element held before the
    /// change at a place.
    pub(super) fn steps(
        &self,
        turn: &Turn<'_>,
        object: &OpId,
        value: &mut dyn FnMut(usize, &Element) -> Option<Restored>,
    ) -> Vec<Step> {
        let mut stand_ins: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in &self.order {
            stand_ins.entry(self.elements[*number].stands_for).or_default().push(*number);
        }
        let mut steps = Vec::new();
        for number in self.order.iter().filter(|number| self.elements[**number].stands_for == **number) {
            let same = stand_ins.get(number).map_or(&[][..], Vec::as_slice);
            self.settle(turn, object, (*number, same), value, &mut steps);
        }
        steps
    }

    fn settle(
        &self,
        turn: &Turn<'_>,
        object: &OpId,
        (number, same): (usize, &[usize]),
        value: &mut dyn FnMut(usize, &Element) -> Option<Restored>,
        steps: &mut Vec<Step>,
    ) {
        let first = &self.elements[number];
        let values = || same.iter().flat_map(|one| &self.elements[*one].values);
        let touched = |value: &Standing| value.gone.iter().any(|told| turn.edit.contains(told));
        if !turn.edit.contains(&first.told) && !values().any(touched) {
            return;
        }
        let counts = |told: &usize| turn.counts(*told);
        let is_kept = |value: &Standing| !value.gone.iter().any(counts);
        // Who removed a stand-in removed what it stands for.
        let wanted = first.values.iter().any(|value| counts(&value.told) && is_kept(value))
            && values().all(|value| counts(&value.told) || is_kept(value));
        let standing = || same.iter().map(|one| &self.elements[*one]).filter(|element| element.is_visible());
        if !wanted {
            steps.extend(standing().map(|element| Step::Remove {
                object: object.clone(),
                element: element.id.clone(),
                values: element.standing(),
            }));
        } else if standing().next().is_none() {
            // The newest stand-in: what was written around it since keeps its place.
            let last = same.iter().map(|one| &self.elements[*one]).max_by_key(|element| element.told).unwrap_or(first);
            let mut removals = last.values.iter().flat_map(|value| &value.gone);
            if let Some(value) = removals.find_map(|told| value(*told, last)) {
                steps.push(Step::Insert { object: object.clone(), after: last.id.clone(), value });
            }
        }
    }
}

/// What an operation puts at an element; marks put nothing.
fn value_of(id: &OpId, told: usize, action: &OpType) -> Option<Standing> {
    let scalar = match action {
        OpType::Put(scalar) => Some(scalar.clone()),
        OpType::Make(_) => None,
        OpType::Delete | OpType::Increment(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => return None,
    };
    Some(Standing { id: id.clone(), told, scalar, gone: Vec::new() })
}

/// Depth first; of elements behind the same one, that of the greatest name comes first.
fn in_order(elements: &[Element], mut behind: BTreeMap<Option<usize>, Vec<usize>>) -> Vec<usize> {
    let mut order = Vec::with_capacity(elements.len());
    let mut next: Vec<usize> = Vec::new();
    let mut at = None;
    loop {
        if let Some(mut followers) = behind.remove(&at) {
            // Ascending: the greatest is taken from the end first.
            followers.sort_by(|a, b| elements[*a].id.cmp(&elements[*b].id));
            next.extend(followers);
        }
        let Some(number) = next.pop() else { break };
        order.push(number);
        at = Some(number);
    }
    order
}

fn own(id: &legacy::OpId) -> OpId {
    OpId { counter: id.0, actor: id.1.clone() }
}
