//! What one lane still has to send: a queue bounded by bytes, filled by callers, emptied by the
//! writer task.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::frame::{Frame, HEADER_BYTES, Lane};

/// Smaller bodies are copied next to each other, larger ones travel as they are.
const COPY_BODY_BELOW_BYTES: usize = 16 << 10;

/// A run of small frames ends here, so that it is never copied as it grows on and on.
const RUN_BYTES: usize = 64 << 10;

/// One lane's frames on their way out.
#[derive(Debug)]
pub(crate) struct Queue {
    lane: Lane,
    bytes_max: usize,
    state: Mutex<State>,
    /// Wakes the writer: there is work, or there will be no more.
    filled: Notify,
    /// Wakes waiting callers: there is room, or there will be none again.
    drained: Notify,
}

#[derive(Debug, Default)]
struct State {
    sealed: VecDeque<Bytes>,
    run: Vec<u8>,
    /// Bytes in `sealed` and `run`, and in the writer's hands but not yet in the transport's.
    queued_bytes: usize,
    started: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Nothing new is taken; what is here still goes out.
    Finishing,
    /// Nothing goes out any more.
    Closed,
}

/// Why a frame was not queued.
#[derive(Debug)]
pub(crate) enum Refused {
    Full(Frame),
    Closed(Frame),
    TooLarge(Frame),
}

impl Queue {
    pub(crate) fn new(lane: Lane, bytes_max: usize) -> Self {
        Self { lane, bytes_max, state: Mutex::default(), filled: Notify::new(), drained: Notify::new() }
    }

    /// Queues the whole frame or nothing. There is room while less than the bound is queued, so
    /// the bound may be passed by one frame and no frame is too large to ever fit.
    pub(crate) fn push(&self, frame: Frame) -> Result<(), Refused> {
        let Some(header) = frame.header() else {
            return Err(Refused::TooLarge(frame));
        };
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Refused::Closed(frame));
        }
        if state.queued_bytes >= self.bytes_max {
            return Err(Refused::Full(frame));
        }
        state.start(self.lane);
        state.append(header, frame.body);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Has the lane's number sent before there is any frame, so that the peer sees the stream.
    pub(crate) fn announce(&self) {
        self.lock().start(self.lane);
        self.filled.notify_one();
    }

    /// Waits for room; `false` when there will be none again.
    pub(crate) async fn room(&self) -> bool {
        loop {
            // Made before looking, so that no wake-up falls between look and wait.
            let drained = self.drained.notified();
            {
                let state = self.lock();
                if state.phase != Phase::Open {
                    return false;
                }
                if state.queued_bytes < self.bytes_max {
                    return true;
                }
            }
            drained.await;
        }
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.lock().queued_bytes
    }

    /// Waits for something to send and moves all of it into `batch`; `false` when there will be
    /// nothing more.
    pub(crate) async fn next_batch(&self, batch: &mut Vec<Bytes>) -> bool {
        loop {
            {
                let mut state = self.lock();
                state.seal();
                batch.extend(state.sealed.drain(..));
                if !batch.is_empty() {
                    return true;
                }
                if state.phase != Phase::Open {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    /// So many bytes of the last batch are in the transport's hands.
    pub(crate) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        let was_full = state.queued_bytes >= self.bytes_max;
        state.queued_bytes = state.queued_bytes.saturating_sub(bytes);
        let has_room = state.queued_bytes < self.bytes_max;
        drop(state);
        if was_full && has_room {
            self.drained.notify_waiters();
        }
    }

    /// Takes nothing new from now on.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Finishing;
        }
        drop(state);
        self.filled.notify_one();
        self.drained.notify_waiters();
    }

    /// Drops what is left.
    pub(crate) fn close(&self) {
        let state = State { phase: Phase::Closed, ..State::default() };
        *self.lock() = state;
        self.filled.notify_one();
        self.drained.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a queue")
    }
}

impl State {
    fn start(&mut self, lane: Lane) {
        if !self.started {
            self.started = true;
            self.run.push(lane.number());
            self.queued_bytes += 1;
        }
    }

    fn append(&mut self, header: [u8; HEADER_BYTES], body: Vec<u8>) {
        self.queued_bytes += HEADER_BYTES + body.len();
        let copied = body.len() < COPY_BODY_BELOW_BYTES;
        let room = HEADER_BYTES + if copied { body.len() } else { 0 };
        match self.run.is_empty() {
            // A frame that stays alone needs no spare capacity.
            true => self.run.reserve_exact(room),
            false => self.run.reserve(room),
        }
        self.run.extend_from_slice(&header);
        if copied {
            self.run.extend_from_slice(&body);
        }
        if !copied || self.run.len() >= RUN_BYTES {
            self.seal();
        }
        if !copied {
            self.sealed.push_back(body.into());
        }
    }

    fn seal(&mut self) {
        if !self.run.is_empty() {
            self.sealed.push_back(std::mem::take(&mut self.run).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Frame {
        Frame { kind: 1, body: vec![9; bytes] }
    }

    async fn taken(queue: &Queue) -> Vec<Bytes> {
        let mut batch = Vec::new();
        assert!(queue.next_batch(&mut batch).await);
        batch
    }

    #[tokio::test]
    async fn small_frames_leave_as_one_run_behind_the_lane_number() {
        let queue = Queue::new(Lane::Live, 1000);
        queue.push(frame(2)).unwrap();
        queue.push(frame(0)).unwrap();
        let batch = taken(&queue).await;
        assert_eq!(batch, [vec![1, 3, 0, 0, 0, 1, 9, 9, 1, 0, 0, 0, 1]]);
        queue.push(frame(0)).unwrap();
        assert_eq!(taken(&queue).await, [vec![1, 0, 0, 0, 1]]);
    }

    #[tokio::test]
    async fn large_bodies_are_not_copied() {
        let queue = Queue::new(Lane::Bulk, 1 << 20);
        let large = frame(COPY_BODY_BELOW_BYTES);
        let body_at = large.body.as_ptr();
        queue.push(large).unwrap();
        let batch = taken(&queue).await;
        assert_eq!(batch.len(), 2);
        assert_eq!(batch[1].as_ptr(), body_at);
    }

    #[tokio::test]
    async fn bytes_count_until_the_transport_has_them() {
        let queue = Queue::new(Lane::Bulk, 10);
        queue.push(frame(100)).unwrap();
        assert_eq!(queue.queued_bytes(), 106);
        assert!(matches!(queue.push(frame(1)), Err(Refused::Full(_))));
        let batch = taken(&queue).await;
        assert_eq!(queue.queued_bytes(), 106);
        queue.wrote(batch.iter().map(Bytes::len).sum());
        assert_eq!(queue.queued_bytes(), 0);
        queue.push(frame(1)).unwrap();
    }

    #[tokio::test]
    async fn finishing_takes_nothing_new_but_gives_what_it_has() {
        let queue = Queue::new(Lane::Control, 1000);
        queue.push(frame(1)).unwrap();
        queue.finish();
        assert!(matches!(queue.push(frame(1)), Err(Refused::Closed(_))));
        assert!(!queue.room().await);
        taken(&queue).await;
        assert!(!queue.next_batch(&mut Vec::new()).await);
    }

    #[tokio::test]
    async fn closing_forgets_everything_and_wakes_those_who_wait() {
        let queue = Queue::new(Lane::Control, 1);
        queue.push(frame(1)).unwrap();
        let (has_room, ()) = tokio::join!(queue.room(), async { queue.close() });
        assert!(!has_room);
        assert!(!queue.next_batch(&mut Vec::new()).await);
        assert_eq!(queue.queued_bytes(), 0);
    }
}
