//! One connection: a task that hands frames over between the network and the engine's thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use syncline_core::wire;
use syncline_net::{CloseCode, Connection, Frame, Lane, TrySendError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::driver::{Mailbox, Message, STOPPING};

/// Bytes of one connection that wait for the engine; the rest waits with the peer.
const UNHANDLED_BYTES_MAX: usize = 2 << 20;

/// Bytes that wait for a slow peer before it is given up. Credits keep honest peers far below.
const UNSENT_BYTES_MAX: usize = 16 << 20;

/// How long the last frames of a connection may take to arrive.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the engine's thread tells a connection.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send this after what was sent before on the lane.
    Send(Lane, Frame),
    /// Close after everything that was sent before.
    Close(CloseCode, Box<str>),
}

/// A frame on its way to the engine, and its share of what may wait there.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) lane: wire::Lane,
    pub(crate) frame: Frame,
    _share: OwnedSemaphorePermit,
}

/// Serves a connection until it is over.
pub(crate) async fn serve(connection: Connection, id: u64, engine: Mailbox, stall_max: Duration) {
    let (sender, orders) = unbounded_channel();
    engine.send(Message::Accepted(id, sender));
    let outbox = Outbox::new(&connection, stall_max);
    tokio::select! {
        () = read(&connection, id, &engine) => {}
        () = outbox.run(orders) => {}
    }
    engine.send(Message::Gone(id));
    if let Some(reason) = connection.close_reason() {
        tracing::debug!(id, %reason, "a connection is over");
    }
}

async fn read(connection: &Connection, id: u64, engine: &Mailbox) {
    let shares = Arc::new(Semaphore::new(UNHANDLED_BYTES_MAX));
    while let Some((lane, frame)) = connection.recv().await {
        let bytes = u32::try_from(frame.wire_bytes().min(UNHANDLED_BYTES_MAX)).unwrap_or(u32::MAX);
        let Ok(share) = Arc::clone(&shares).acquire_many_owned(bytes).await else { return };
        let lane = match lane {
            Lane::Control => wire::Lane::Control,
            Lane::Live => wire::Lane::Live,
            Lane::Bulk => wire::Lane::Bulk,
        };
        if !engine.send(Message::Arrived(id, Arrived { lane, frame, _share: share })) {
            return;
        }
    }
}

/// The frames that the transport has no room for yet.
struct Outbox<'a> {
    connection: &'a Connection,
    waiting: [VecDeque<Frame>; 3],
    waiting_bytes: usize,
    stall_max: Duration,
    moved: Instant,
}

/// Nothing more can be sent.
struct Over;

impl<'a> Outbox<'a> {
    fn new(connection: &'a Connection, stall_max: Duration) -> Self {
        let moved = Instant::now();
        Self { connection, waiting: Default::default(), waiting_bytes: 0, stall_max, moved }
    }

    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            let is_waiting = self.waiting_bytes > 0;
            let stalled = self.moved + self.stall_max;
            let outcome = tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Send(lane, frame)) => self.send(lane, frame),
                    Some(Order::Close(code, reason)) => return self.close(code, &reason).await,
                    None => return self.close(CloseCode::GOING_AWAY, STOPPING).await,
                },
                room = self.room(), if is_waiting => room.and_then(|()| self.advance()),
                () = tokio::time::sleep_until(stalled), if is_waiting => self.give_up(),
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    fn send(&mut self, lane: Lane, frame: Frame) -> Result<(), Over> {
        if self.waiting_bytes == 0 {
            self.moved = Instant::now();
        }
        let refused = match self.waiting[lane as usize].is_empty() {
            true => self.connection.try_send(lane, frame),
            false => Err(TrySendError::Full(frame)),
        };
        match refused {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(frame)) => {
                self.waiting_bytes += frame.wire_bytes();
                self.waiting[lane as usize].push_back(frame);
                if self.waiting_bytes > UNSENT_BYTES_MAX {
                    return self.give_up();
                }
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Over),
            Err(TrySendError::TooLarge(frame)) => {
                // Never happens while both layers agree on the largest frame.
                tracing::error!(kind = frame.kind, bytes = frame.body.len(), "a frame is too large to be sent");
                self.connection.close(CloseCode::INTERNAL, "the relay made a frame that is too large");
                Err(Over)
            }
        }
    }

    /// Waits until a lane on which frames wait has room.
    async fn room(&self) -> Result<(), Over> {
        let waits = |lane: Lane| !self.waiting[lane as usize].is_empty();
        let room = tokio::select! {
            room = self.connection.ready(Lane::Control), if waits(Lane::Control) => room,
            room = self.connection.ready(Lane::Live), if waits(Lane::Live) => room,
            room = self.connection.ready(Lane::Bulk), if waits(Lane::Bulk) => room,
            else => Ok(()),
        };
        room.map_err(|_| Over)
    }

    /// Hands over what the transport takes now.
    fn advance(&mut self) -> Result<(), Over> {
        for lane in Lane::ALL {
            while let Some(frame) = self.waiting[lane as usize].pop_front() {
                let bytes = frame.wire_bytes();
                match self.connection.try_send(lane, frame) {
                    Ok(()) => {
                        self.waiting_bytes -= bytes;
                        self.moved = Instant::now();
                    }
                    Err(TrySendError::Full(frame)) => {
                        self.waiting[lane as usize].push_front(frame);
                        break;
                    }
                    Err(TrySendError::Closed(_) | TrySendError::TooLarge(_)) => return Err(Over),
                }
            }
        }
        Ok(())
    }

    fn give_up(&self) -> Result<(), Over> {
        self.connection.close(CloseCode::TOO_SLOW, "nothing was read here for too long");
        Err(Over)
    }

    async fn close(mut self, code: CloseCode, reason: &str) {
        let flushed = tokio::time::timeout(FAREWELL, async {
            while self.waiting_bytes > 0 {
                self.room().await?;
                self.advance()?;
            }
            Ok::<(), Over>(())
        });
        if matches!(flushed.await, Ok(Ok(()))) {
            self.connection.finish(code, reason, FAREWELL).await;
        } else {
            self.connection.close(code, reason);
        }
    }
}
