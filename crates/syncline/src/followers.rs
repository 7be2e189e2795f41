//! Who follows which model: each commit reaches those whom it may concern, and costs the others nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use syncline_engine::{Changed, Commit};
use tokio::sync::{Notify, OnceCell};

use crate::store::Record;

/// Changed rows that wait for a follower at most. One that reads more slowly is told that there was more.
const WAITING_MAX: usize = 4_096;

/// How long a reader waits for the news of a commit that it sees already: they are on their way.
const ON_THEIR_WAY: Duration = Duration::from_micros(500);

/// The mailboxes of a store's followers.
#[derive(Default)]
pub(crate) struct Followers {
    /// Position of the log up to which all was told.
    told: AtomicU64,
    by_model: Mutex<BTreeMap<String, Vec<Weak<Mailbox>>>>,
}

/// What one commit changed of one model. All followers share it.
pub(crate) struct Letter {
    pub(crate) model: String,
    pub(crate) rows: Vec<ChangedRow>,
}

/// A changed row, and what stood in it when the first follower looked.
pub(crate) struct ChangedRow {
    pub(crate) row: i64,
    pub(crate) record: OnceCell<Option<Record>>,
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
            by_model.entry(model.to_owned()).or_default().push(Arc::downgrade(&mailbox));
        }
        mailbox
    }

    /// Puts what a commit changed into the mailboxes that it concerns.
    pub(crate) fn tell(&self, commit: &Commit) {
        let mut by_model = self.by_model();
        if by_model.is_empty() {
            return;
        }
        let mut letters: BTreeMap<&str, Vec<ChangedRow>> = BTreeMap::new();
        for change in commit.changes.iter().filter(|change| by_model.contains_key(&change.model)) {
            let changed = ChangedRow { row: change.row, record: OnceCell::new() };
            letters.entry(&change.model).or_default().push(changed);
        }
        for (model, rows) in letters {
            let letter = Arc::new(Letter { model: model.to_owned(), rows });
            let Some(mailboxes) = by_model.get_mut(model) else { continue };
            mailboxes.retain(|mailbox| mailbox.upgrade().is_some_and(|mailbox| mailbox.put(&letter)));
            if mailboxes.is_empty() {
                by_model.remove(model);
            }
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

impl Mailbox {
    /// Always true: it is there.
    fn put(&self, letter: &Arc<Letter>) -> bool {
        let mut waiting = self.waiting();
        waiting.rows += letter.rows.len();
        if waiting.rows > WAITING_MAX {
            *waiting = Waiting { lost: true, ..Waiting::default() };
        } else {
            waiting.letters.push(Arc::clone(letter));
        }
        drop(waiting);
        self.wake.notify_one();
        true
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
            changed.extend(letter.rows.iter().map(|changed| (letter.model.clone(), changed.row)));
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
