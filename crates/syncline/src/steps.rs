//! The steps from one result of a live query to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use syncline_engine::Item;

use crate::store::Record;

/// One step from a result to the next. Steps apply in their order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Diff {
    /// The record at `index` goes.
    Removed {
        /// Where it was.
        index: usize,
        /// What it was.
        #[serde(serialize_with = "shared")]
        record: Arc<Record>,
    },
    /// A record comes to `index`.
    Inserted {
        /// Where it is.
        index: usize,
        /// What it is.
        #[serde(serialize_with = "shared")]
        record: Arc<Record>,
    },
    /// The record at `from` goes to `to`, changed or not.
    Moved {
        /// Where it was.
        from: usize,
        /// Where it is.
        to: usize,
        /// What it is.
        #[serde(serialize_with = "shared")]
        record: Arc<Record>,
    },
    /// The record at `index` has other values.
    Updated {
        /// Where it is.
        index: usize,
        /// What it is.
        #[serde(serialize_with = "shared")]
        record: Arc<Record>,
    },
}

fn shared<S: serde::Serializer>(record: &Arc<Record>, serializer: S) -> Result<S::Ok, S::Error> {
    record.as_ref().serialize(serializer)
}

/// The fewest steps from one result to another: what stands in both in the same order is not moved.
pub(crate) fn between(before: &[Item], after: &[Item]) -> Vec<Diff> {
    let same = |(one, other): &(&Item, &Item)| one.row == other.row && Arc::ptr_eq(&one.record, &other.record);
    let head = before.iter().zip(after).take_while(same).count();
    let (before, after) = (&before[head..], &after[head..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
    let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);

    let places: BTreeMap<i64, usize> = after.iter().enumerate().map(|(at, item)| (item.row, at)).collect();
    let mut steps = Vec::new();
    let mut standing: Vec<&Item> = Vec::with_capacity(before.len());
    for item in before {
        if places.contains_key(&item.row) {
            standing.push(item);
        } else {
            steps.push(Diff::Removed { index: head + standing.len(), record: Arc::clone(&item.record) });
        }
    }
    let targets: Vec<usize> = standing.iter().filter_map(|item| places.get(&item.row).copied()).collect();
    arrange(&mut steps, head, after, standing, &longest_rising(&targets));
    steps
}

/// The steps that bring what stands into the order of `after`, once what goes is gone. Those in `stay`, places of
/// `after` in rising order, keep theirs among each other; each of the others is put behind its neighbour.
fn arrange(steps: &mut Vec<Diff>, head: usize, after: &[Item], standing: Vec<&Item>, stay: &[usize]) {
    let mut stay = stay.iter().copied().peekable();
    let held: BTreeMap<i64, &Item> = standing.iter().map(|item| (item.row, *item)).collect();
    let mut order: Vec<i64> = standing.into_iter().map(|item| item.row).collect();
    // Where the next one belongs: behind the one before it.
    let mut next = 0;
    for (place, item) in after.iter().enumerate() {
        let record = Arc::clone(&item.record);
        let before = held.get(&item.row);
        if stay.next_if_eq(&place).is_some() {
            // Others may stand before it that are still to be moved.
            next += order.iter().skip(next).position(|row| *row == item.row).unwrap_or_default();
            if before.is_some_and(|before| before.record != item.record) {
                steps.push(Diff::Updated { index: head + next, record });
            }
        } else if before.is_some() {
            let from = order.iter().position(|row| *row == item.row).unwrap_or(next);
            order.remove(from);
            next -= usize::from(from < next);
            order.insert(next, item.row);
            steps.push(Diff::Moved { from: head + from, to: head + next, record });
        } else {
            order.insert(next, item.row);
            steps.push(Diff::Inserted { index: head + next, record });
        }
        next += 1;
    }
}

/// A longest rising subsequence, by patience sorting: Fredman, "On computing the length of longest increasing
/// subsequences", 1975.
fn longest_rising(numbers: &[usize]) -> Vec<usize> {
    // For each length, where the least last number of a subsequence of that length stands.
    let mut lasts: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (at, number) in numbers.iter().enumerate() {
        let length = lasts.partition_point(|last| numbers[*last] < *number);
        previous.push(length.checked_sub(1).map(|shorter| lasts[shorter]));
        match lasts.get_mut(length) {
            Some(last) => *last = at,
            None => lasts.push(at),
        }
    }
    let mut rising = Vec::with_capacity(lasts.len());
    let mut at = lasts.last().copied();
    while let Some(place) = at {
        rising.push(numbers[place]);
        at = previous[place];
    }
    rising.reverse();
    rising
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn item(row: i64, version: u8) -> Item {
        let record = json!({ "row": row, "version": version });
        Item { row, record: Arc::new(record.as_object().cloned().unwrap_or_default()) }
    }

    fn follow(before: &[Item], steps: &[Diff]) -> Vec<Record> {
        let mut shown: Vec<Record> = before.iter().map(|item| (*item.record).clone()).collect();
        for step in steps {
            match step.clone() {
                Diff::Removed { index, record } => assert_eq!(shown.remove(index), *record),
                Diff::Inserted { index, record } => shown.insert(index, (*record).clone()),
                Diff::Updated { index, record } => {
                    assert_eq!(shown[index]["row"], record["row"]);
                    shown[index] = (*record).clone();
                }
                Diff::Moved { from, to, record } => {
                    assert_eq!(shown.remove(from)["row"], record["row"]);
                    shown.insert(to, (*record).clone());
                }
            }
        }
        shown
    }

    fn results() -> impl Strategy<Value = (Vec<Item>, Vec<Item>)> {
        let rows = || Just((0..12_i64).collect::<Vec<_>>()).prop_shuffle();
        let result = |rows: Vec<i64>, len: usize| rows.into_iter().take(len).collect::<Vec<_>>();
        (rows(), 0..12_usize, rows(), 0..12_usize, prop::collection::vec(0..2_u8, 12)).prop_map(
            move |(one, one_len, other, other_len, versions)| {
                let before: Vec<Item> = result(one, one_len).into_iter().map(|row| item(row, 0)).collect();
                let known: BTreeMap<i64, Item> = before.iter().map(|item| (item.row, item.clone())).collect();
                let after = result(other, other_len).into_iter().map(|row| match known.get(&row) {
                    Some(same) if versions[row as usize] == 0 => same.clone(),
                    _ => item(row, 1),
                });
                (before, after.collect())
            },
        )
    }

    proptest! {
        #[test]
        fn the_steps_lead_from_any_result_to_any_other((before, after) in results()) {
            let wanted: Vec<Record> = after.iter().map(|item| (*item.record).clone()).collect();
            prop_assert_eq!(follow(&before, &between(&before, &after)), wanted);
        }

        #[test]
        fn a_rising_subsequence_is_one_and_none_is_longer(numbers in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let found = longest_rising(&numbers);
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            let mut places = found.iter().map(|number| numbers.iter().position(|other| other == number));
            prop_assert!(places.by_ref().is_sorted());
            let best = (0_u32..1 << 9).filter(|set| {
                let chosen: Vec<usize> = (0..9).filter(|at| set & (1 << at) != 0).map(|at| numbers[at]).collect();
                chosen.is_sorted()
            });
            prop_assert_eq!(Some(found.len() as u32), best.map(u32::count_ones).max());
        }
    }

    #[test]
    fn one_record_that_goes_from_end_to_end_is_one_step() {
        let before: Vec<Item> = (0..100).map(|row| item(row, 0)).collect();
        let mut after = before.clone();
        after.rotate_left(1);
        let first = Arc::clone(&before[0].record);
        assert_eq!(between(&before, &after), [Diff::Moved { from: 0, to: 99, record: first }]);
        after.rotate_right(2);
        let last = Arc::clone(&before[99].record);
        assert_eq!(between(&before, &after), [Diff::Moved { from: 99, to: 0, record: last }]);
    }
}
