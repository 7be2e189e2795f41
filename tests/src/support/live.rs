//! Live queries followed over random histories: what they show is what a fresh query finds, whoever wrote.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use syncline::{Diff, Listener, LiveQuery, Options, Query, Record, Store};

use super::{Bed, PATIENCE, in_time, loopback, record, sync};

/// A failure is told within minutes: each of these takes about as long as the history that failed.
const SHRINKS_MAX: u32 = 100;

/// Random histories of one schema.
pub(crate) struct Histories<Q, W, C> {
    pub(crate) sdl: &'static str,
    /// The nth `Task` of those that are there at first.
    pub(crate) task: fn(i64) -> Value,
    pub(crate) query: Q,
    pub(crate) write: W,
    /// What cannot be done, as an update of what is not there, changes nothing.
    pub(crate) carry_out: C,
}

/// A query, and whether to ask for what stands behind its first records.
pub(crate) type Asked = (Query, bool);

/// Who writes.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// The store whose live queries are followed.
    Here,
    /// Another handle on its file, as of another process.
    Process,
    /// Another replica, whose changes come by a sync.
    Peer,
}

#[derive(Clone, Debug)]
enum Step<W> {
    Write(Writer, W),
    Sync,
}

impl<Q, W, C> Histories<Q, W, C>
where
    Q: Strategy<Value = Asked>,
    W: Strategy<Value: Clone>,
    C: AsyncFn(&Store, W::Value),
{
    /// Follows some queries of each history, and looks after each of its steps.
    pub(crate) fn hold(self, cases: u32) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let writer = prop_oneof![4 => Just(Writer::Here), 1 => Just(Writer::Process), 3 => Just(Writer::Peer)];
        let step = prop_oneof![
            8 => (writer, self.write).prop_map(|(writer, write)| Step::Write(writer, write)),
            1 => Just(Step::Sync),
        ];
        // With many records there are more than a result with a limit holds. Few queries look for themselves whether a
        // commit concerns them; for many the sorter does.
        let case = (prop::collection::vec(self.query, 2..16), 0..60_i64, prop::collection::vec(step, 1..60));
        let mut runner = TestRunner::new(Config { cases, max_shrink_iters: SHRINKS_MAX, ..Config::default() });
        let history = |(asked, many, steps)| {
            runtime.block_on(Replicas::follow(self.sdl, (0..many).map(self.task), asked, steps, &self.carry_out));
            Ok(())
        };
        runner.run(&case, history).unwrap();
    }
}

struct Replicas {
    here: Store,
    process: Store,
    peer: Store,
    listener: Listener,
    _bed: Bed,
}

impl Replicas {
    async fn open(sdl: &str) -> Self {
        let bed = Bed::new();
        let open = async |name: &str| Store::open(bed.path(name), Options::new(sdl)).await.unwrap();
        let (here, process, peer) = (open("here.db").await, open("here.db").await, open("peer.db").await);
        let listener = peer.listen(loopback()).await.unwrap();
        Self { here, process, peer, listener, _bed: bed }
    }

    /// Both replicas have what the other had, what the other process wrote included.
    async fn sync(&self) {
        sync(&self.here, self.listener.url()).await;
        let (here, peer) = (self.here.version().await.unwrap(), self.peer.version().await.unwrap());
        assert_eq!(here, peer, "what a sync carried");
        self.process.wait_for(&here, PATIENCE).await.unwrap();
    }

    async fn follow<W>(
        sdl: &str,
        tasks: impl Iterator<Item = Value>,
        asked: Vec<Asked>,
        steps: Vec<Step<W>>,
        carry_out: &impl AsyncFn(&Store, W),
    ) {
        let replicas = Self::open(sdl).await;
        replicas.here.import_json("Task", tasks.map(record).collect()).await.unwrap();
        let mut followers = Vec::new();
        for (query, is_behind) in asked {
            let after = if is_behind { behind_the_first(&replicas.here, &query).await } else { None };
            followers.push(Follower::new(&replicas.here, Query { after, ..query }).await);
        }
        for step in steps {
            match step {
                Step::Write(Writer::Here, write) => carry_out(&replicas.here, write).await,
                Step::Write(Writer::Process, write) => carry_out(&replicas.process, write).await,
                Step::Write(Writer::Peer, write) => carry_out(&replicas.peer, write).await,
                Step::Sync => replicas.sync().await,
            }
            for follower in &mut followers {
                follower.check(&replicas.here).await;
            }
        }
        for store in [replicas.here, replicas.process, replicas.peer] {
            store.close().await.unwrap();
        }
    }
}

async fn behind_the_first(store: &Store, query: &Query) -> Option<String> {
    let first = Query { limit: Some(2), include: vec![], ..query.clone() };
    store.query_json(first).await.unwrap().next
}

/// A live query, and what its steps have led to.
pub(crate) struct Follower {
    query: Query,
    pub(crate) live: LiveQuery,
    pub(crate) shown: Vec<Record>,
}

impl Follower {
    pub(crate) async fn new(store: &Store, query: Query) -> Self {
        let mut follower = Self { live: store.observe_query_json(query.clone()), query, shown: Vec::new() };
        follower.step().await;
        follower
    }

    pub(crate) async fn step(&mut self) {
        let snapshot = in_time(self.live.next()).await.unwrap().unwrap();
        apply(&mut self.shown, &snapshot.changes);
        let items: Vec<Record> = snapshot.items.iter().map(|item| (**item).clone()).collect();
        assert_eq!(self.shown, items, "the steps lead to the result of {:?}", self.query);
    }

    /// As [`check`](Self::check), where more than one step may be to come.
    pub(crate) async fn settle(&mut self, store: &Store) {
        let fresh = store.query_json(self.query.clone()).await.unwrap().records;
        while fresh != self.shown {
            self.step().await;
        }
    }

    /// Whether what it shows, after what has come, is what a fresh query finds.
    pub(crate) async fn check(&mut self, store: &Store) {
        let fresh = store.query_json(self.query.clone()).await.unwrap().records;
        if fresh != self.shown {
            self.step().await;
        }
        assert_eq!(self.shown, fresh, "the result of {:?}", self.query);
    }
}

/// Takes the steps of a snapshot.
pub(crate) fn apply(shown: &mut Vec<Record>, steps: &[Diff]) {
    for step in steps {
        match step.clone() {
            Diff::Removed { index, record } => assert_eq!(shown.remove(index), *record),
            Diff::Inserted { index, record } => shown.insert(index, (*record).clone()),
            Diff::Updated { index, record } => shown[index] = (*record).clone(),
            Diff::Moved { from, to, record } => {
                shown.remove(from);
                shown.insert(to, (*record).clone());
            }
        }
    }
}
