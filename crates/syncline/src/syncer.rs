//! The thread that waits for the disk: it makes commits durable, and copies the write-ahead log into the file.

use std::sync::Weak;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use syncline_engine::{Checkpointer, Store};

use crate::driver::Message;

/// What the thread is asked for.
enum Order {
    /// Make durable what was committed up to this position.
    Sync(u64),
    /// Run a checkpoint.
    Checkpoint(Checkpointer),
}

/// Who copies the write-ahead log into the file.
enum Checkpoints {
    /// It was not needed.
    NotYet,
    By(Checkpointer),
    Running,
}

/// The way to the thread. Dropping it waits for its end.
pub(crate) struct Syncer {
    orders: Option<Sender<Order>>,
    busy: bool,
    wanted: Option<u64>,
    checkpoints: Checkpoints,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread for a store; it reports each order that it has carried out, and keeps nobody waiting for its
    /// reports once all others are gone.
    pub(crate) fn start(store: &mut Store, reports: Weak<Sender<Message>>) -> Self {
        if let Err(error) = store.checkpoint_beside() {
            tracing::warn!(%error, "checkpoints are left to commits");
        }
        let mut disk = store.syncer();
        let (orders, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("syncline-syncer".to_owned())
            .spawn(move || {
                while let Ok(order) = inbox.recv() {
                    let report = match order {
                        Order::Sync(seq) => Message::Synced(seq, disk.sync()),
                        Order::Checkpoint(checkpointer) => {
                            let outcome = checkpointer.run();
                            Message::Checkpointed(checkpointer, outcome)
                        }
                    };
                    if reports.upgrade().is_none_or(|reports| reports.send(report).is_err()) {
                        break;
                    }
                }
            })
            .expect("the system has a thread to give");
        Self { orders: Some(orders), busy: false, wanted: None, checkpoints: Checkpoints::NotYet, thread: Some(thread) }
    }

    /// Orders a sync of everything committed so far; the engine asks again when one has ended.
    pub(crate) fn begin(&mut self, seq: u64) {
        self.wanted = Some(seq);
        if self.busy {
            return;
        }
        if let (Some(orders), Some(seq)) = (&self.orders, self.wanted.take()) {
            self.busy = orders.send(Order::Sync(seq)).is_ok();
        }
    }

    /// A sync has ended.
    pub(crate) fn synced(&mut self) {
        self.busy = false;
    }

    /// Orders a checkpoint of the store if one is due and none runs.
    pub(crate) fn checkpoint(&mut self, store: &mut Store) {
        if matches!(self.checkpoints, Checkpoints::Running) || !store.take_checkpoint() {
            return;
        }
        let checkpointer = match std::mem::replace(&mut self.checkpoints, Checkpoints::Running) {
            Checkpoints::By(checkpointer) => Ok(checkpointer),
            Checkpoints::NotYet | Checkpoints::Running => store.checkpointer(),
        };
        match (checkpointer, &self.orders) {
            // A thread that has ended reports nothing, and checkpoints are left to commits.
            (Ok(checkpointer), Some(orders)) => drop(orders.send(Order::Checkpoint(checkpointer))),
            (Ok(_), None) => {}
            (Err(error), _) => {
                tracing::warn!(%error, "a checkpoint is left to a commit");
                self.checkpoints = Checkpoints::NotYet;
            }
        }
    }

    /// A checkpoint has ended.
    pub(crate) fn checkpointed(&mut self, checkpointer: Checkpointer) {
        self.checkpoints = Checkpoints::By(checkpointer);
    }

    /// Waits until the thread has carried out what it was asked for, and ends it.
    pub(crate) fn end(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.end();
    }
}
