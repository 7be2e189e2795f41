//! Who follows which model: each commit reaches those whom it may concern, and costs the others nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use syncline_engine::{Changed, Commit};
use tokio::sync::Notify;

use crate::store::Record;

/// Changed rows that wait for a follower at most. One that reads more slowly is told that there was more.
pub(crate) const WAITING_MAX: usize = 1_024;

/// Changed rows whose records are kept for all followers to look at, at most: as many as any of them looks at. Of older
/// ones each reads its own copy.
const KEPT_MAX: usize = WAITING_MAX;

/// How long a reader waits for the news of a commit that it sees already: they are on their way.
const ON_THEIR_WAY: Duration = Duration::from_micros(500);

/// The mailboxes of a store's followers.
#[derive(Default)]
pub(crate) struct Followers {
    /// Position of the log up to which all was told.
    told: AtomicU64,
    by_model: Mutex<BTreeMap<String, Vec<Weak<Mailbox>>>>,
    /// The last letters, whose records are kept.
    recent: Mutex<VecDeque<Arc<Letter>>>,
}

/// What one commit changed of one model. All followers share it.
pub(crate) struct Letter {
    pub(crate) model: String,
    pub(crate) rows: Vec<i64>,
    /// What stood in the rows at which followers have looked; `None` once nothing more is kept.
    records: Mutex<Option<BTreeMap<i64, Option<Arc<Record>>>>>,
}

/// What waits for one follower.
#[derive(Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    closed: AtomicBool,
    pub(crate) wake: Notify,
}

#[derive(Default)]
struct Waiting {
    letters: Vec<Arc<Letter>>,
    rows: usize,
    /// There was more than could wait.
    lost: bool,
}

impl Followers {
    /// A mailbox for what commits change of these models, from now on.
    pub(crate) fn follow<'m>(&self, models: impl Iterator<Item = &'m str>) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        let mut by_model = self.by_model();
        for model in models {
            let mailboxes = by_model.entry(model.to_owned()).or_default();
            if mailboxes.len() == mailboxes.capacity() {
                // Where nothing is written, nobody else finds out that a follower has gone.
                mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
            }
            mailboxes.push(Arc::downgrade(&mailbox));
        }
        mailbox
    }

    /// Puts what a commit changed into the mailboxes that it concerns.
    pub(crate) fn tell(&self, commit: &Commit) {
        let mut by_model = self.by_model();
        if by_model.is_empty() {
            return;
        }
        let mut letters: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for change in commit.changes.iter().filter(|change| by_model.contains_key(&change.model)) {
            letters.entry(&change.model).or_default().push(change.row);
        }
        for (model, rows) in letters {
            let letter = Arc::new(Letter { model: model.to_owned(), rows, records: Mutex::new(Some(BTreeMap::new())) });
            self.keep(&letter);
            let Some(mailboxes) = by_model.get_mut(model) else { continue };
            mailboxes.retain(|mailbox| mailbox.upgrade().inspect(|mailbox| mailbox.put(&letter)).is_some());
            if mailboxes.is_empty() {
                by_model.remove(model);
            }
        }
    }

    /// Keeps the records of a letter, and no longer those of the oldest.
    fn keep(&self, letter: &Arc<Letter>) {
        let mut recent = self.recent.lock().expect("nobody panics while holding it");
        recent.push_back(Arc::clone(letter));
        let mut rows: usize = recent.iter().map(|letter| letter.rows.len()).sum();
        while rows > KEPT_MAX {
            let Some(oldest) = recent.pop_front() else { break };
            rows -= oldest.rows.len();
            *oldest.records() = None;
        }
    }

    /// All commits up to this position of the log were told.
    pub(crate) fn have_been_told(&self, upto: u64) {
        self.told.store(upto, Ordering::Release);
    }

    /// Whether all commits up to this position were told, after a moment if need be.
    pub(crate) fn know(&self, upto: u64) -> bool {
        let began = Instant::now();
        loop {
            if self.told.load(Ordering::Acquire) >= upto {
                return true;
            }
            if began.elapsed() > ON_THEIR_WAY {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Lets all look again, whatever they were told of.
    pub(crate) fn shake(&self) {
        for mailbox in self.by_model().values().flatten().filter_map(Weak::upgrade) {
            mailbox.lose();
        }
    }

    /// The store is closed: nothing comes any more.
    pub(crate) fn close(&self) {
        for mailbox in self.by_model().values().flatten().filter_map(Weak::upgrade) {
            mailbox.closed.store(true, Ordering::Release);
            mailbox.wake.notify_one();
        }
    }

    fn by_model(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Weak<Mailbox>>>> {
        self.by_model.lock().expect("nobody panics while holding it")
    }
}

impl Letter {
    /// What stood in a row when a follower looked, if one has and it is kept.
    pub(crate) fn seen(&self, row: i64) -> Option<Option<Arc<Record>>> {
        self.records().as_ref()?.get(&row).cloned()
    }

    /// Lets the other followers know what stands in a row.
    pub(crate) fn show(&self, row: i64, record: Option<Arc<Record>>) {
        if let Some(records) = &mut *self.records() {
            records.insert(row, record);
        }
    }

    fn records(&self) -> MutexGuard<'_, Option<BTreeMap<i64, Option<Arc<Record>>>>> {
        self.records.lock().expect("nobody panics while holding it")
    }
}

impl Mailbox {
    fn put(&self, letter: &Arc<Letter>) {
        let mut waiting = self.waiting();
        waiting.rows += letter.rows.len();
        if waiting.rows > WAITING_MAX {
            drop(waiting);
            return self.lose();
        }
        waiting.letters.push(Arc::clone(letter));
        drop(waiting);
        self.wake.notify_one();
    }

    /// Forgets what waits: there was more.
    fn lose(&self) {
        *self.waiting() = Waiting { lost: true, ..Waiting::default() };
        self.wake.notify_one();
    }

    /// Takes everything out; `None` if some of it was lost.
    pub(crate) fn take(&self) -> Option<Vec<Arc<Letter>>> {
        let waiting = std::mem::take(&mut *self.waiting());
        (!waiting.lost).then_some(waiting.letters)
    }

    /// Adds what is in it; false if some of it was lost.
    pub(crate) fn look(&self, changed: &mut Changed) -> bool {
        let waiting = self.waiting();
        for letter in &waiting.letters {
            changed.extend(letter.rows.iter().map(|row| (letter.model.clone(), *row)));
        }
        !waiting.lost
    }

    /// Whether the store is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

    use serde_json::Value;
    use syncline_core::ids::RecordId;
    use syncline_engine::{ChangeKind, Origin, RecordChange};

    use super::*;

    fn commit(rows: std::ops::Range<i64>) -> Commit {
        let change = |row| RecordChange {
            model: "Task".to_owned(),
            record: RecordId::from_key("Task", &Value::from(row)),
            row,
            kind: ChangeKind::Updated,
            origin: Origin::Local,
            conflicts: false,
        };
        Commit { seq: 0, changes: rows.map(change).collect() }
    }

    /// Records that one follower had read stayed in memory for as long as the slowest had not looked at them.
    #[test]
    fn records_of_old_letters_are_not_kept_for_a_slow_follower() {
        let followers = Followers::default();
        let mailbox = followers.follow(["Task"].into_iter());
        let mut letters = Vec::new();
        for row in 0..KEPT_MAX as i64 + 200 {
            followers.tell(&commit(row..row + 1));
            for letter in mailbox.take().unwrap() {
                letter.show(row, Some(Arc::new(Record::new())));
                assert!(letter.seen(row).is_some(), "the others need not read it");
                letters.push(letter);
            }
        }
        let kept = letters.iter().filter(|letter| letter.rows.iter().any(|row| letter.seen(*row).is_some())).count();
        assert_eq!((letters.len(), kept), (KEPT_MAX + 200, KEPT_MAX));
        letters[0].show(0, None);
        assert!(letters[0].seen(0).is_none(), "what is old is not kept again");
    }

    #[test]
    fn a_mailbox_says_when_it_could_not_hold_all() {
        let followers = Followers::default();
        let mailbox = followers.follow(["Task"].into_iter());
        followers.tell(&commit(0..WAITING_MAX as i64));
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(1));
        followers.tell(&commit(0..1 + WAITING_MAX as i64));
        assert!(mailbox.take().is_none());
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(0));
    }

    /// Where nothing was written, each live query that was ever asked stayed in the list.
    #[test]
    fn followers_that_have_gone_do_not_add_up() {
        let followers = Followers::default();
        for _ in 0..10_000 {
            drop(followers.follow(["Task"].into_iter()));
        }
        assert!(followers.by_model()["Task"].len() < 10);
    }
}
