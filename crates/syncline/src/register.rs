//! Whom a change may concern: found by the signs that live results tell of themselves, without a look at each result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use syncline_engine::{LiveResult, Signs};

use crate::followers::Mailbox;
use crate::store::Record;

/// What is known of the followers of a store.
#[derive(Default)]
pub(crate) struct Register {
    entries: BTreeMap<u64, Entry>,
    models: BTreeMap<String, OfModel>,
}

struct Entry {
    mailbox: Weak<Mailbox>,
    /// As they stand in the register, by model.
    signs: BTreeMap<String, Signs>,
}

/// Those who follow one model, by their numbers.
#[derive(Default)]
struct OfModel {
    /// Whom each change may concern.
    any: BTreeSet<u64>,
    /// Rows, each with a follower.
    rows: BTreeSet<(i64, u64)>,
    /// By field or path, keys of values, each with a follower.
    values: BTreeMap<String, BTreeSet<(u64, u64)>>,
}

impl Register {
    /// Notes what a follower holds now, unless it has gone.
    pub(crate) fn note(&mut self, mailbox: &Arc<Mailbox>) {
        mailbox.tell_anew(|result| self.note_held(mailbox, result));
    }

    fn note_held(&mut self, mailbox: &Arc<Mailbox>, result: Option<&LiveResult>) {
        let number = mailbox.number;
        let new = || Entry { mailbox: Arc::downgrade(mailbox), signs: BTreeMap::new() };
        let entry = self.entries.entry(number).or_insert_with(new);
        for model in &mailbox.models {
            let of_model = self.models.entry(model.clone()).or_default();
            let Some(result) = result else {
                // It is brought up to date, after which its signs are mostly the same.
                of_model.any.insert(number);
                continue;
            };
            let before = entry.signs.remove(model).unwrap_or_default();
            let signs = result.signs(model);
            match &signs {
                Some(_) => of_model.any.remove(&number),
                None => of_model.any.insert(number),
            };
            let signs = signs.unwrap_or_default();
            of_model.turn(number, &before, &signs);
            entry.signs.insert(model.clone(), signs);
        }
    }

    /// Forgets a follower that has gone.
    pub(crate) fn forget(&mut self, mailbox: &Mailbox) {
        let Some(entry) = self.entries.remove(&mailbox.number) else { return };
        for model in &mailbox.models {
            let Some(of_model) = self.models.get_mut(model) else { continue };
            of_model.any.remove(&mailbox.number);
            if let Some(signs) = entry.signs.get(model) {
                of_model.turn(mailbox.number, signs, &Signs::default());
            }
        }
    }

    /// Those whom changes of these rows may concern, by what is in each now: nothing where its record was deleted.
    pub(crate) fn find(&self, model: &str, rows: &BTreeMap<i64, Option<Arc<Record>>>) -> Vec<Arc<Mailbox>> {
        let Some(of_model) = self.models.get(model) else { return Vec::new() };
        let mut numbers = of_model.any.clone();
        for (row, record) in rows {
            numbers.extend(under(&of_model.rows, *row));
            for (path, values) in &of_model.values {
                numbers.extend(under(values, Signs::key_at(record.as_deref(), path)));
            }
        }
        numbers.iter().filter_map(|number| self.entries.get(number)?.mailbox.upgrade()).collect()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let is_empty = |of: &OfModel| of.any.is_empty() && of.rows.is_empty() && of.values.is_empty();
        self.entries.is_empty() && self.models.values().all(is_empty)
    }
}

impl OfModel {
    /// Puts the signs of a follower in the place of those that it had before.
    fn turn(&mut self, number: u64, before: &Signs, now: &Signs) {
        turn(&mut self.rows, number, &before.rows, &now.rows);
        for (path, keys) in &before.values {
            let Some(known) = self.values.get_mut(path) else { continue };
            turn(known, number, keys, now.values.get(path).map_or(&[], Vec::as_slice));
            if known.is_empty() {
                self.values.remove(path);
            }
        }
        for (path, keys) in now.values.iter().filter(|(path, _)| !before.values.contains_key(*path)) {
            turn(self.values.entry(path.clone()).or_default(), number, &[], keys);
        }
    }
}

/// Puts a follower under the keys that it has now, and no longer under those that it had. Both are ascending.
fn turn<K: Ord + Copy>(known: &mut BTreeSet<(K, u64)>, number: u64, before: &[K], now: &[K]) {
    for gone in before.iter().filter(|key| now.binary_search(key).is_err()) {
        known.remove(&(*gone, number));
    }
    known.extend(now.iter().filter(|key| before.binary_search(key).is_err()).map(|key| (*key, number)));
}

/// The followers under a key.
fn under<K: Ord + Copy>(known: &BTreeSet<(K, u64)>, key: K) -> impl Iterator<Item = u64> {
    known.range((key, 0)..=(key, u64::MAX)).map(|(_, number)| *number)
}
