//! Who follows which model: each commit reaches those whom it may concern, and wakes no others.
//!
//! What a commit changed of a model is a letter. Few followers get each one and look for themselves whether it concerns
//! them. Where there are many, a thread finds those whom it does (see [`crate::sorter`]): to wake one that has no use for
//! a letter costs more than that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use syncline_engine::{Changed, Commit, LiveResult, StoreError};
use tokio::sync::Notify;

use crate::register::Register;
use crate::store::Record;

/// Changed rows that wait for a follower at most. One that reads more slowly is told that there was more.
pub(crate) const WAITING_MAX: usize = 1_024;

/// Changed rows whose records are kept for all followers to look at, at most: as many as any of them looks at. Of older
/// ones each reads its own copy.
const KEPT_MAX: usize = WAITING_MAX;

/// Followers of a model that look for themselves, at most.
const FEW: usize = 8;

/// How long a reader waits for the news of a commit that it sees already: they are on their way.
const ON_THEIR_WAY: Duration = Duration::from_micros(500);

/// The mailboxes of a store's followers.
#[derive(Default)]
pub(crate) struct Followers {
    /// Position of the log up to which all was told.
    told: AtomicU64,
    by_model: Mutex<BTreeMap<String, BTreeMap<u64, Arc<Mailbox>>>>,
    /// The last letters, whose records are kept.
    recent: Mutex<VecDeque<Arc<Letter>>>,
    unsorted: Mutex<Unsorted>,
    /// There is something to sort, or will never be again.
    to_sort: Condvar,
    /// What the sorter knows.
    register: Mutex<Register>,
    /// Those that hold something else than it knows.
    anew: Mutex<Vec<Weak<Mailbox>>>,
    /// How many have come.
    come: AtomicU64,
}

/// Letters that are in no mailbox yet, the oldest first. One that is being sorted is still among them.
#[derive(Default)]
struct Unsorted {
    letters: VecDeque<Arc<Letter>>,
    rows: usize,
    /// There is a sorter.
    is_on: bool,
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
    /// No other's is the same.
    pub(crate) number: u64,
    pub(crate) models: Vec<String>,
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
    /// What the follower holds; `None` while it brings that up to date, and then everything is put.
    result: Option<Arc<LiveResult>>,
    /// It is among those that hold something else than the sorter knows.
    is_anew: bool,
    /// Nobody looks into it any more.
    has_gone: bool,
}

impl Followers {
    /// A mailbox for what commits change of these models, from now on.
    pub(crate) fn follow<'m>(&self, models: impl Iterator<Item = &'m str>) -> Arc<Mailbox> {
        let models = models.map(str::to_owned).collect();
        let number = self.come.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox { number, models, ..Mailbox::default() });
        let mut by_model = self.by_model();
        for model in &mailbox.models {
            by_model.entry(model.clone()).or_default().insert(number, Arc::clone(&mailbox));
        }
        drop(by_model);
        self.hold(&mailbox, None);
        mailbox
    }

    /// Shows what a follower holds, which is up to date but for the letters that were put before; `None` before it is
    /// brought up to date.
    pub(crate) fn hold(&self, mailbox: &Arc<Mailbox>, result: Option<Arc<LiveResult>>) {
        let mut waiting = mailbox.waiting();
        waiting.result = result;
        if !std::mem::replace(&mut waiting.is_anew, true) {
            drop(waiting);
            let mut anew = self.anew();
            if anew.len() == anew.capacity() {
                // Where nothing is written, nobody else finds out that a follower has gone.
                anew.retain(|mailbox| mailbox.strong_count() > 0);
            }
            anew.push(Arc::downgrade(mailbox));
        }
    }

    /// Forgets a follower that has gone.
    pub(crate) fn unfollow(&self, mailbox: &Mailbox) {
        mailbox.waiting().has_gone = true;
        let mut by_model = self.by_model();
        for model in &mailbox.models {
            let Some(mailboxes) = by_model.get_mut(model) else { continue };
            mailboxes.remove(&mailbox.number);
            if mailboxes.is_empty() {
                by_model.remove(model);
            }
        }
        drop(by_model);
        self.register().forget(mailbox);
    }

    /// Those that hold something else than when this was asked last.
    pub(crate) fn take_anew(&self) -> Vec<Weak<Mailbox>> {
        std::mem::take(&mut self.anew())
    }

    /// What a commit changed of the models that are followed.
    pub(crate) fn letters(&self, commit: &Commit) -> Vec<Arc<Letter>> {
        let by_model = self.by_model();
        if by_model.is_empty() {
            return Vec::new();
        }
        let mut rows: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for change in commit.changes.iter().filter(|change| by_model.contains_key(&change.model)) {
            rows.entry(&change.model).or_default().push(change.row);
        }
        drop(by_model);
        let letters: Vec<_> = rows.into_iter().map(|(model, rows)| Arc::new(Letter::new(model, rows))).collect();
        letters.iter().for_each(|letter| self.keep(letter));
        letters
    }

    /// Whether a letter is better sorted: many follow its model, and more rows than can wait would be lost anyway.
    pub(crate) fn is_better_sorted(&self, letter: &Letter) -> bool {
        letter.rows.len() <= WAITING_MAX && self.by_model().get(&letter.model).is_some_and(|all| all.len() > FEW)
    }

    /// Puts a letter into all mailboxes of its model.
    pub(crate) fn put(&self, letter: &Arc<Letter>) {
        let by_model = self.by_model();
        by_model.get(&letter.model).into_iter().flatten().for_each(|(_, mailbox)| mailbox.put(letter));
    }

    /// There is a sorter from now on.
    pub(crate) fn begin_sorting(&self) {
        self.unsorted().is_on = true;
    }

    /// Leaves a letter to the sorter; false if there is none.
    pub(crate) fn leave(&self, letter: &Arc<Letter>) -> bool {
        let mut unsorted = self.unsorted();
        if !unsorted.is_on {
            return false;
        }
        unsorted.rows += letter.rows.len();
        unsorted.letters.push_back(Arc::clone(letter));
        if unsorted.rows > WAITING_MAX {
            let models: BTreeSet<&str> = unsorted.letters.iter().map(|letter| letter.model.as_str()).collect();
            // Whoever looks waits for this, and finds that some were lost.
            models.iter().for_each(|model| self.lose(model));
            (unsorted.letters, unsorted.rows) = (VecDeque::new(), 0);
        }
        drop(unsorted);
        self.to_sort.notify_one();
        true
    }

    fn lose(&self, model: &str) {
        self.by_model().get(model).into_iter().flatten().for_each(|(_, mailbox)| mailbox.lose());
    }

    /// The next letter to be sorted, once there is one; `None` after the end.
    pub(crate) fn next_unsorted(&self) -> Option<Arc<Letter>> {
        let idle = |unsorted: &mut Unsorted| unsorted.letters.is_empty() && unsorted.is_on;
        let unsorted = self.to_sort.wait_while(self.unsorted(), idle).expect("nobody panics while holding it");
        unsorted.letters.front().filter(|_| unsorted.is_on).cloned()
    }

    /// The letter that is next was put where it belongs.
    pub(crate) fn have_sorted(&self, letter: &Arc<Letter>) {
        let mut unsorted = self.unsorted();
        // All that waited may be lost meanwhile.
        if unsorted.letters.front().is_some_and(|front| Arc::ptr_eq(front, letter)) {
            unsorted.letters.pop_front();
            unsorted.rows -= letter.rows.len();
        }
    }

    /// There is no sorter any more: what waits is put into all mailboxes.
    pub(crate) fn end_sorting(&self) {
        let mut unsorted = self.unsorted();
        unsorted.is_on = false;
        // Whoever looks waits for this, and finds them in its mailbox.
        unsorted.letters.iter().for_each(|letter| self.put(letter));
        (unsorted.letters, unsorted.rows) = (VecDeque::new(), 0);
        drop(unsorted);
        self.to_sort.notify_all();
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
        for mailbox in self.by_model().values().flat_map(BTreeMap::values) {
            mailbox.lose();
        }
    }

    /// The store is closed: nothing comes any more.
    pub(crate) fn close(&self) {
        for mailbox in self.by_model().values().flat_map(BTreeMap::values) {
            mailbox.closed.store(true, Ordering::Release);
            mailbox.wake.notify_one();
        }
    }

    /// Adds what a follower has not been told of yet; false if that is not known, or too much to ask for.
    pub(crate) fn look(&self, mailbox: &Mailbox, changed: &mut Changed) -> bool {
        // Here first: what is sorted meanwhile is in the mailbox then.
        let unsorted = self.unsorted().letters.clone();
        for letter in unsorted.iter().filter(|letter| mailbox.models.contains(&letter.model)) {
            letter.add_to(changed);
        }
        mailbox.look(changed) && changed.len() <= LiveResult::ROWS_MAX
    }

    /// What the sorter knows.
    pub(crate) fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().expect("nobody panics while holding it")
    }

    fn unsorted(&self) -> MutexGuard<'_, Unsorted> {
        self.unsorted.lock().expect("nobody panics while holding it")
    }

    fn anew(&self) -> MutexGuard<'_, Vec<Weak<Mailbox>>> {
        self.anew.lock().expect("nobody panics while holding it")
    }

    fn by_model(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<u64, Arc<Mailbox>>>> {
        self.by_model.lock().expect("nobody panics while holding it")
    }
}

impl Letter {
    pub(crate) fn new(model: &str, rows: Vec<i64>) -> Self {
        Self { model: model.to_owned(), rows, records: Mutex::new(Some(BTreeMap::new())) }
    }

    /// What stands in a row, read if nobody has looked yet, and shown to all.
    pub(crate) fn look(
        &self,
        row: i64,
        read: impl Fn(&str, i64) -> Result<Option<Record>, StoreError>,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if let Some(record) = self.seen(row) {
            return Ok(record);
        }
        let record = read(&self.model, row)?.map(Arc::new);
        self.show(row, record.clone());
        Ok(record)
    }

    fn add_to(&self, changed: &mut Changed) {
        changed.extend(self.rows.iter().map(|row| (self.model.clone(), *row)));
    }

    /// What stood in a row when a follower looked, if one has and it is kept.
    pub(crate) fn seen(&self, row: i64) -> Option<Option<Arc<Record>>> {
        self.records().as_ref()?.get(&row).cloned()
    }

    /// Lets the other followers know what stands in a row.
    fn show(&self, row: i64, record: Option<Arc<Record>>) {
        if let Some(records) = &mut *self.records() {
            records.insert(row, record);
        }
    }

    fn records(&self) -> MutexGuard<'_, Option<BTreeMap<i64, Option<Arc<Record>>>>> {
        self.records.lock().expect("nobody panics while holding it")
    }
}

impl Mailbox {
    pub(crate) fn put(&self, letter: &Arc<Letter>) {
        self.put_in(self.waiting(), letter);
    }

    /// Puts a letter if it concerns what the follower holds, or that is not known; whether it was put.
    pub(crate) fn put_if(&self, letter: &Arc<Letter>, concerns: impl FnOnce(&LiveResult) -> bool) -> bool {
        let waiting = self.waiting();
        let is_put = waiting.result.as_deref().is_none_or(concerns);
        if is_put {
            self.put_in(waiting, letter);
        }
        is_put
    }

    /// Tells what the follower holds, for the sorter to know it, unless it has gone.
    pub(crate) fn tell_anew(&self, note: impl FnOnce(Option<&LiveResult>)) {
        let mut waiting = self.waiting();
        waiting.is_anew = false;
        if !waiting.has_gone {
            note(waiting.result.as_deref());
        }
    }

    fn put_in(&self, mut waiting: MutexGuard<'_, Waiting>, letter: &Arc<Letter>) {
        if waiting.letters.last().is_some_and(|last| Arc::ptr_eq(last, letter)) {
            return;
        }
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
        let mut waiting = self.waiting();
        (waiting.letters, waiting.rows, waiting.lost) = (Vec::new(), 0, true);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Takes everything out; `None` if some of it was lost.
    pub(crate) fn take(&self) -> Option<Vec<Arc<Letter>>> {
        let mut waiting = self.waiting();
        waiting.rows = 0;
        let letters = std::mem::take(&mut waiting.letters);
        (!std::mem::take(&mut waiting.lost)).then_some(letters)
    }

    /// Adds what is in it; false if some of it was lost.
    fn look(&self, changed: &mut Changed) -> bool {
        let waiting = self.waiting();
        waiting.letters.iter().for_each(|letter| letter.add_to(changed));
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

    fn tell(followers: &Followers, commit: &Commit) {
        followers.letters(commit).iter().for_each(|letter| followers.put(letter));
    }

    /// Records that one follower had read stayed in memory for as long as the slowest had not looked at them.
    #[test]
    fn records_of_old_letters_are_not_kept_for_a_slow_follower() {
        let followers = Followers::default();
        let mailbox = followers.follow(["Task"].into_iter());
        let mut letters = Vec::new();
        for row in 0..KEPT_MAX as i64 + 200 {
            tell(&followers, &commit(row..row + 1));
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
        tell(&followers, &commit(0..WAITING_MAX as i64));
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(1));
        tell(&followers, &commit(0..1 + WAITING_MAX as i64));
        assert!(mailbox.take().is_none());
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(0));
    }

    /// Where nothing was written, each live query that was ever asked stayed in the list.
    #[test]
    fn followers_that_have_gone_do_not_add_up() {
        let followers = Followers::default();
        for _ in 0..10_000 {
            followers.unfollow(&followers.follow(["Task"].into_iter()));
        }
        assert!(followers.by_model().is_empty());
        assert!(followers.anew().len() < 10);
    }

    #[test]
    fn what_a_slow_sorter_has_not_sorted_is_lost_to_all_and_they_know() {
        let followers = Followers::default();
        followers.begin_sorting();
        let mailbox = followers.follow(["Task"].into_iter());
        let other = followers.follow(["List"].into_iter());
        let leave = |rows| followers.letters(&commit(rows)).iter().all(|letter| followers.leave(letter));
        assert!(leave(0..WAITING_MAX as i64));
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(0), "it is not sorted yet");
        leave(0..1);
        assert!(mailbox.take().is_none());
        assert!(other.take().is_some(), "nothing of its model was lost");
        assert!(followers.unsorted().letters.is_empty());
        leave(0..1);
        assert_eq!(followers.next_unsorted().map(|letter| letter.rows.len()), Some(1));
    }

    #[test]
    fn what_waits_for_the_sorter_at_its_end_is_put_into_all_mailboxes() {
        let followers = Followers::default();
        followers.begin_sorting();
        let mailbox = followers.follow(["Task"].into_iter());
        let letters = followers.letters(&commit(0..3));
        assert!(followers.leave(&letters[0]));
        followers.end_sorting();
        assert!(followers.next_unsorted().is_none());
        assert_eq!(mailbox.take().map(|letters| letters.len()), Some(1));
        assert!(!followers.leave(&letters[0]));
    }
}
