//! Makes commits durable, off the engine's thread.
//!
//! Namespaces share a few threads: a sync mostly waits, and the disk has one queue anyway. Of each
//! namespace one sync is under way at a time; what is committed meanwhile goes with the next.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use syncline_engine::WalSync;

/// Threads that sync. Two keep the disk busy while one result is on its way back.
const THREADS: usize = 2;

/// The end of a sync.
#[derive(Debug)]
pub(crate) struct Report {
    /// Of which namespace.
    pub(crate) namespace: String,
    /// Where its log stood when the sync began.
    pub(crate) seq: u64,
    /// How it went.
    pub(crate) outcome: io::Result<()>,
    opening: u64,
}

/// The threads, and what each namespace has under way.
pub(crate) struct Syncers {
    threads: Vec<(Sender<Order>, JoinHandle<()>)>,
    namespaces: BTreeMap<String, Standing>,
    openings: u64,
}

/// One opened namespace.
struct Standing {
    thread: usize,
    /// Tells this opening of the namespace from earlier ones, whose reports mean nothing any more.
    opening: u64,
    busy: bool,
}

enum Order {
    Open(String, Box<dyn WalSync>),
    Sync { namespace: String, seq: u64, opening: u64 },
}

impl Syncers {
    /// Starts the threads; each end of a sync is told to `report`.
    pub(crate) fn start(report: impl Fn(Report) + Clone + Send + 'static) -> io::Result<Self> {
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (orders, inbox) = channel();
            let report = report.clone();
            let thread =
                std::thread::Builder::new().name("relay-syncer".to_owned()).spawn(move || run(&inbox, report))?;
            threads.push((orders, thread));
        }
        Ok(Self { threads, namespaces: BTreeMap::new(), openings: 0 })
    }

    /// A namespace was opened, possibly again.
    pub(crate) fn opened(&mut self, namespace: &str, disk: Box<dyn WalSync>) {
        self.openings += 1;
        let thread = match self.namespaces.get(namespace) {
            Some(earlier) => earlier.thread,
            None => self.namespaces.len() % self.threads.len(),
        };
        let standing = Standing { thread, opening: self.openings, busy: false };
        self.namespaces.insert(namespace.to_owned(), standing);
        self.order(thread, Order::Open(namespace.to_owned(), disk));
    }

    /// Begins a sync, unless one is under way: the engine asks again when that has ended.
    pub(crate) fn begin(&mut self, namespace: &str, seq: u64) {
        let Some(standing) = self.namespaces.get_mut(namespace) else { return };
        if !std::mem::replace(&mut standing.busy, true) {
            let (thread, opening) = (standing.thread, standing.opening);
            self.order(thread, Order::Sync { namespace: namespace.to_owned(), seq, opening });
        }
    }

    /// Takes note of a sync's end. False if it concerns an earlier opening.
    pub(crate) fn ended(&mut self, report: &Report) -> bool {
        match self.namespaces.get_mut(&report.namespace) {
            Some(standing) if standing.opening == report.opening => {
                standing.busy = false;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Waits until every order was carried out, and ends the threads.
    pub(crate) fn stop(self) {
        for (orders, thread) in self.threads {
            drop(orders);
            if thread.join().is_err() {
                tracing::error!("a syncing thread has crashed");
            }
        }
    }

    fn order(&self, thread: usize, order: Order) {
        // A thread ends only after this sender is gone.
        let _ = self.threads[thread].0.send(order);
    }
}

fn run(inbox: &Receiver<Order>, report: impl Fn(Report)) {
    let mut disks: BTreeMap<String, Box<dyn WalSync>> = BTreeMap::new();
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Open(namespace, disk) => {
                disks.insert(namespace, disk);
            }
            Order::Sync { namespace, seq, opening } => {
                if let Some(disk) = disks.get_mut(&namespace) {
                    let outcome = disk.sync();
                    report(Report { namespace, seq, outcome, opening });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that syncs when told to.
    struct Gated(Receiver<io::Result<()>>);

    impl WalSync for Gated {
        fn sync(&mut self) -> io::Result<()> {
            self.0.recv().expect("the test opens the gate")
        }
    }

    #[test]
    fn commits_during_a_sync_wait_for_one_further_sync() {
        let (reports, inbox) = channel();
        let mut syncers = Syncers::start(move |report| reports.send(report).unwrap()).unwrap();
        let (gate, gated) = channel();
        syncers.opened("a", Box::new(Gated(gated)));
        for seq in 1..=5 {
            syncers.begin("a", seq);
        }
        gate.send(Ok(())).unwrap();
        let first = inbox.recv().unwrap();
        assert_eq!((first.seq, first.outcome.is_ok(), syncers.ended(&first)), (1, true, true));
        syncers.begin("a", 5);
        gate.send(Ok(())).unwrap();
        assert_eq!(inbox.recv().unwrap().seq, 5);
        syncers.stop();
        assert!(inbox.recv().is_err(), "there was a third sync");
    }

    #[test]
    fn a_failed_sync_of_an_earlier_opening_says_nothing_of_the_present_one() {
        let (reports, inbox) = channel();
        let mut syncers = Syncers::start(move |report| reports.send(report).unwrap()).unwrap();
        let (gate, gated) = channel();
        syncers.opened("a", Box::new(Gated(gated)));
        syncers.begin("a", 1);
        let (_, idle) = channel();
        syncers.opened("a", Box::new(Gated(idle)));
        gate.send(Err(io::Error::other("no"))).unwrap();
        assert!(!syncers.ended(&inbox.recv().unwrap()));
        syncers.stop();
    }
}
