//! The thread that finds whom a commit concerns, where many live queries follow its models: the others sleep on.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use syncline_engine::{Reader, StoreError};

use crate::driver::Shared;
use crate::followers::{Followers, Letter};
use crate::store::Record;

/// The thread, as long as the store is open.
pub(crate) struct Sorter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// However the thread ends, nothing waits for it any more.
struct End(Arc<Shared>);

impl Sorter {
    /// Starts it; fails if the system has no thread to give.
    pub(crate) fn start(shared: &Arc<Shared>, reader: Reader) -> std::io::Result<Self> {
        let end = End(Arc::clone(shared));
        shared.followers.begin_sorting();
        let thread = std::thread::Builder::new().name("syncline-sorter".to_owned()).spawn(move || {
            let followers = &end.0.followers;
            while let Some(letter) = followers.next_unsorted() {
                sort(followers, &letter, |model, row| reader.at(model, row));
            }
        })?;
        Ok(Self { shared: Arc::clone(shared), thread: Some(thread) })
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.followers.end_sorting();
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        self.shared.followers.end_sorting();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Puts the letter that is next into the mailboxes of those whom it concerns. `read` tells what is in a row.
fn sort(followers: &Followers, letter: &Arc<Letter>, read: impl Fn(&str, i64) -> Result<Option<Record>, StoreError>) {
    // What a follower begins to read after this holds the letter's commit.
    note_anew(followers, None);
    let look = |row: &i64| Ok((*row, letter.look(*row, &read)?));
    match letter.rows.iter().map(look).collect::<Result<BTreeMap<_, _>, StoreError>>() {
        Ok(rows) => put(followers, letter, &rows),
        // Whom it concerns is told what is wrong when it looks.
        Err(_) => followers.put(letter),
    }
    // Who began to read meanwhile may have read less of the rows than was looked at here.
    note_anew(followers, Some(letter));
    followers.have_sorted(letter);
}

fn put(followers: &Followers, letter: &Arc<Letter>, rows: &BTreeMap<i64, Option<Arc<Record>>>) {
    let model = letter.model.as_str();
    let found = followers.register().find(model, rows);
    for mailbox in found {
        mailbox.put_if(letter, |result| {
            rows.iter().any(|(row, record)| {
                result.is_concerned_by(model, *row) || result.is_concerned_with(model, *row, record.as_deref())
            })
        });
    }
}

/// Takes note of those that hold something else than is known, who get a letter of theirs whatever is in it.
fn note_anew(followers: &Followers, letter: Option<&Arc<Letter>>) {
    for mailbox in followers.take_anew().iter().filter_map(Weak::upgrade) {
        followers.register().note(&mailbox);
        if let Some(letter) = letter.filter(|letter| mailbox.models.contains(&letter.model)) {
            mailbox.put(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

    use serde_json::{Value, json};
    use syncline_core::filter::{Filter, Include};
    use syncline_engine::query::Query;
    use syncline_engine::{Changed, Commit, Engine, LiveResult, Now, OnDisk, Options, Output, Source, Store};

    use super::*;
    use crate::followers::Mailbox;

    const SDL: &str = "type List @model { id: ID! tasks: [Task] @hasMany }
        type Task @model { id: ID! owner: String list: List @belongsTo }";

    struct Bed {
        engine: Engine,
        reader: Reader,
        followers: Followers,
        _folder: tempfile::TempDir,
    }

    impl Bed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let schema = syncline_schema::parse("schema.graphql", SDL).unwrap().schema;
            let options = Options { schema: Some((schema, SDL.to_owned())), ..Options::new([1; 32]) };
            let store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
            let reader = store.reader().unwrap();
            let engine = Engine::new(store, syncline_core::wire::Role::Peer);
            let followers = Followers::default();
            followers.begin_sorting();
            Self { engine, reader, followers, _folder: folder }
        }

        fn save(&mut self, model: &str, record: &Value) -> Commit {
            let record = record.as_object().unwrap();
            let now = Now { mono_ms: 1, wall_ms: 1 };
            self.engine.write(now, |tx| tx.save(model, record, Source::App)).unwrap();
            let mut commit = None;
            while let Some(output) = self.engine.poll_output() {
                if let Output::Commit(one) = output {
                    commit = Some(one);
                }
            }
            commit.unwrap()
        }

        fn leave(&self, commit: &Commit) -> Arc<Letter> {
            let letter = self.followers.letters(commit).pop().unwrap();
            assert!(self.followers.leave(&letter));
            letter
        }

        /// Sorts what a commit changed.
        fn sort(&self, commit: &Commit) {
            let letter = self.leave(commit);
            sort(&self.followers, &letter, |model, row| self.reader.at(model, row));
        }

        fn live(&self, query: Query) -> LiveResult {
            let mut live = LiveResult::new(query, self.reader.schema()).unwrap();
            let news = self.reader.news(&live, |_| None).unwrap();
            live.take(news);
            live
        }

        /// A follower that holds the present result of a query.
        fn follow(&self, query: Query) -> Arc<Mailbox> {
            let live = self.live(query);
            let mailbox = self.followers.follow(live.models());
            self.followers.hold(&mailbox, Some(Arc::new(live)));
            mailbox
        }
    }

    fn of(owner: &str) -> Query {
        Query { condition: Filter::eq("owner", owner).into(), ..Query::new("Task") }
    }

    /// How many letters are in each.
    fn taken<const N: usize>(mailboxes: [&Mailbox; N]) -> [usize; N] {
        mailboxes.map(|mailbox| mailbox.take().unwrap().len())
    }

    #[test]
    fn a_letter_reaches_those_whom_it_concerns_alone() {
        let mut bed = Bed::new();
        bed.save("Task", &json!({"id": "t", "owner": "a"}));
        let [a, b, c] = ["a", "b", "c"].map(|owner| bed.follow(of(owner)));
        let named = bed.follow(Query { condition: Filter::begins_with("owner", "c").into(), ..Query::new("Task") });
        let moved = bed.save("Task", &json!({"id": "t", "owner": "b"}));
        bed.sort(&moved);
        assert_eq!(taken([&a, &b, &c, &named]), [1, 1, 0, 0], "it left one result, and came to another");
        let new = bed.save("Task", &json!({"id": "new", "owner": "c"}));
        bed.sort(&new);
        assert_eq!(taken([&a, &b, &c, &named]), [0, 0, 1, 1]);
    }

    #[test]
    fn a_letter_of_a_related_record_reaches_those_that_show_it_or_will() {
        let mut bed = Bed::new();
        bed.save("List", &json!({"id": "l0"}));
        bed.save("List", &json!({"id": "l1"}));
        bed.save("Task", &json!({"id": "t", "listTasksId": "l0"}));
        let with_tasks = |id: &str| {
            let condition = Filter::eq("id", id).into();
            bed.follow(Query { condition, include: vec![Include::new("tasks")], ..Query::new("List") })
        };
        let (l0, l1) = (with_tasks("l0"), with_tasks("l1"));
        let changed = bed.save("Task", &json!({"id": "t", "owner": "a", "listTasksId": "l0"}));
        bed.sort(&changed);
        assert_eq!(taken([&l0, &l1]), [1, 0]);
        let moved = bed.save("Task", &json!({"id": "t", "owner": "a", "listTasksId": "l1"}));
        bed.sort(&moved);
        assert_eq!(taken([&l0, &l1]), [1, 1]);
    }

    /// A follower that reads anew may have read the state before the commit, and its new result may be concerned where
    /// the old one was not.
    #[test]
    fn a_follower_that_is_brought_up_to_date_gets_every_letter() {
        let mut bed = Bed::new();
        let follower = bed.follow(of("a"));
        let other = bed.save("Task", &json!({"id": "t", "owner": "b"}));
        bed.sort(&other);
        assert_eq!(taken([&follower]), [0]);
        bed.followers.hold(&follower, None);
        bed.sort(&other);
        assert_eq!(taken([&follower]), [1]);
        bed.followers.hold(&follower, Some(Arc::new(bed.live(of("a")))));
        bed.sort(&other);
        assert_eq!(taken([&follower]), [0]);
        bed.followers.hold(&follower, Some(Arc::new(bed.live(of("b")))));
        bed.sort(&other);
        assert_eq!(taken([&follower]), [1], "the result that it holds now decides");
    }

    #[test]
    fn a_letter_that_is_not_sorted_yet_is_seen_by_those_who_look() {
        let mut bed = Bed::new();
        let (tasks, lists) = (bed.followers.follow(["Task"].into_iter()), bed.followers.follow(["List"].into_iter()));
        let commit = bed.save("Task", &json!({"id": "t", "owner": "a"}));
        let letter = bed.leave(&commit);
        let looked = |mailbox: &Mailbox| {
            let mut changed = Changed::new();
            assert!(bed.followers.look(mailbox, &mut changed));
            changed.len()
        };
        assert_eq!((looked(&tasks), looked(&lists)), (1, 0));
        sort(&bed.followers, &letter, |model, row| bed.reader.at(model, row));
        assert_eq!(looked(&tasks), 1, "it is in the mailbox");
    }

    /// It read the row before it was changed once more, the sorter after that, and by its old result it was not concerned.
    #[test]
    fn a_follower_that_begins_to_read_while_a_letter_is_sorted_gets_it() {
        let mut bed = Bed::new();
        let follower = bed.follow(of("a"));
        let commit = bed.save("Task", &json!({"id": "t", "owner": "b"}));
        let letter = bed.leave(&commit);
        sort(&bed.followers, &letter, |model, row| {
            bed.followers.hold(&follower, None);
            bed.reader.at(model, row)
        });
        assert_eq!(taken([&follower]), [1]);
    }

    #[test]
    fn a_row_that_cannot_be_read_may_concern_everyone() {
        let mut bed = Bed::new();
        let follower = bed.follow(of("a"));
        let commit = bed.save("Task", &json!({"id": "t", "owner": "b"}));
        let letter = bed.leave(&commit);
        sort(&bed.followers, &letter, |_, _| Err(StoreError::NoSchema));
        assert_eq!(taken([&follower]), [1]);
    }

    #[test]
    fn followers_that_have_gone_are_forgotten() {
        let mut bed = Bed::new();
        let commit = bed.save("Task", &json!({"id": "t", "owner": "a", "listTasksId": "l"}));
        let query = Query { include: vec![Include::new("list")], ..of("a") };
        let (shown, read) = (bed.follow(query.clone()), bed.follow(query));
        let all = bed.follow(Query::new("Task"));
        bed.sort(&commit);
        bed.followers.hold(&read, None);
        bed.sort(&commit);
        assert!(!bed.followers.register().is_empty());
        [&shown, &read, &all].iter().for_each(|mailbox| bed.followers.unfollow(mailbox));
        assert!(bed.followers.register().is_empty());
        let stays = bed.follow(of("a"));
        bed.followers.hold(&all, None);
        bed.sort(&commit);
        bed.followers.unfollow(&stays);
        assert!(bed.followers.register().is_empty(), "those that have gone do not come back");
    }

    #[test]
    fn what_a_follower_held_before_leads_to_it_no_longer() {
        let mut bed = Bed::new();
        let commit = bed.save("Task", &json!({"id": "t", "owner": "a"}));
        let follower = bed.follow(of("a"));
        bed.sort(&commit);
        bed.followers.hold(&follower, Some(Arc::new(bed.live(of("b")))));
        bed.sort(&commit);
        let row = commit.changes[0].row;
        let rows = BTreeMap::from([(row, bed.reader.at("Task", row).unwrap().map(Arc::new))]);
        assert!(bed.followers.register().find("Task", &rows).is_empty());
    }
}
