//! One QUIC link to a peer: send, receive, close.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::{RecvStream, SendStream};
use thiserror::Error;
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::AbortHandle;

use crate::close::{CloseCode, CloseReason, Violation, short};
use crate::endpoint::ConnectionSlot;
use crate::frame::{FRAME_BYTES_MAX, Frame, Lane};
use crate::inbound::Inbound;
use crate::queue::{Queue, Refused};
use crate::writer::{self, Control};

/// A connection to a peer, the same for dialer and acceptor. Cloning shares it; when the last
/// clone is dropped, it is closed and what was not yet sent is lost: [`finish`](Self::finish)
/// before.
///
/// Streams are noticed and read only while [`recv`](Self::recv) is being awaited, so await it as
/// long as the connection is in use, also on a side that expects nothing.
#[derive(Clone)]
pub struct Connection {
    link: Arc<Link>,
}

impl Connection {
    pub(crate) fn dialed(
        quic: quinn::Connection,
        (out, control): (SendStream, RecvStream),
        queue_bytes_max: usize,
    ) -> Self {
        let shared = Shared::new(quic, queue_bytes_max);
        shared.queue(Lane::Control).announce();
        Self::start(shared, Control::Opened(out), Inbound::dialed(control), None)
    }

    pub(crate) fn accepted(quic: quinn::Connection, slot: ConnectionSlot, queue_bytes_max: usize) -> Self {
        let shared = Shared::new(quic, queue_bytes_max);
        let (sender, receiver) = oneshot::channel();
        let inbound = Inbound::accepted(sender);
        Self::start(shared, Control::Awaited(receiver), inbound, Some(slot))
    }

    fn start(shared: Arc<Shared>, control: Control, inbound: Inbound, slot: Option<ConnectionSlot>) -> Self {
        let writer = tokio::spawn(writer::run(Arc::clone(&shared), control)).abort_handle();
        let link = Link { shared, inbound: Mutex::new(inbound), writer, _slot: slot };
        Self { link: Arc::new(link) }
    }

    /// Queues a frame, waiting while the lane's queue is full. It returns when the frame is
    /// queued: not sent, not delivered.
    ///
    /// Cancel-safe in that a cancelled call has queued nothing; the frame is dropped with it. Use
    /// [`ready`](Self::ready) and [`try_send`](Self::try_send) to keep it. Frames of one lane
    /// arrive in the order in which their calls returned.
    pub async fn send(&self, lane: Lane, frame: Frame) -> Result<(), SendError> {
        let mut frame = frame;
        loop {
            match self.try_send(lane, frame) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(unsent)) => frame = unsent,
                Err(TrySendError::Closed(_)) => return Err(self.send_closed()),
                Err(TrySendError::TooLarge(unsent)) => {
                    let bytes = unsent.body.len() + 1;
                    return Err(SendError::TooLarge { bytes });
                }
            }
            self.ready(lane).await?;
        }
    }

    /// Queues a frame if the lane's queue has room now; gives it back otherwise.
    pub fn try_send(&self, lane: Lane, frame: Frame) -> Result<(), TrySendError> {
        match self.link.shared.queue(lane).push(frame) {
            Ok(()) => {
                self.link.shared.sent_frames.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(Refused::Full(frame)) => Err(TrySendError::Full(frame)),
            Err(Refused::Closed(frame)) => Err(TrySendError::Closed(frame)),
            Err(Refused::TooLarge(frame)) => Err(TrySendError::TooLarge(frame)),
        }
    }

    /// Waits until the lane's queue has room. Cancel-safe. With several senders on one lane,
    /// another may take the room first.
    pub async fn ready(&self, lane: Lane) -> Result<(), SendError> {
        match self.link.shared.queue(lane).room().await {
            true => Ok(()),
            false => Err(self.send_closed()),
        }
    }

    /// Bytes of the lane that the transport has not taken yet; a slow peer makes it grow up to
    /// [`Limits::queue_bytes_max`](crate::Limits::queue_bytes_max) and one frame.
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        self.link.shared.queue(lane).queued_bytes()
    }

    /// The next frame on any lane, or `None` once the connection is over and everything that
    /// arrived was handed out; [`closed`](Self::closed) says why it is over.
    ///
    /// Frames of one lane come in order; among lanes the more urgent goes first. What is not
    /// asked for stays with the peer, within the windows of [`Limits`](crate::Limits).
    /// Cancel-safe. Of several concurrent callers each frame goes to one.
    pub async fn recv(&self) -> Option<(Lane, Frame)> {
        let mut inbound = self.link.inbound.lock().await;
        inbound.next(&self.link.shared).await
    }

    /// Ends the connection at once. Frames that are queued or in flight may or may not arrive.
    /// The peer gets `code` and the first 256 bytes of `reason`.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.link.shared.close(code, reason);
    }

    /// Takes no more frames, waits until the peer's transport has received every queued one, at
    /// most for `within`, then closes. Returns whether all were received.
    ///
    /// Received means: the peer's [`recv`](Self::recv) will give it if the peer lives and asks.
    /// A peer that closes first makes it `false`, whatever it had received.
    pub async fn finish(&self, code: CloseCode, reason: &str, within: Duration) -> bool {
        let shared = &self.link.shared;
        for lane in Lane::ALL {
            shared.queue(lane).finish();
        }
        let delivered = tokio::time::timeout(within, shared.writing_ended()).await;
        shared.close(code, reason);
        delivered.unwrap_or(false)
    }

    /// Waits until the connection is over, and says why.
    pub async fn closed(&self) -> CloseReason {
        let shared = &self.link.shared;
        let error = shared.quic.closed().await;
        CloseReason::from_quic(&error, shared.verdict.get())
    }

    /// Why the connection is over, or `None` while it is not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.link.shared.close_reason()
    }

    /// Where the peer is now; a phone that changes networks changes it.
    pub fn remote_addr(&self) -> SocketAddr {
        canonical(self.link.shared.quic.remote_address())
    }

    /// Traffic so far.
    pub fn stats(&self) -> Stats {
        let shared = &self.link.shared;
        let quic = shared.quic.stats();
        Stats {
            frames_sent: shared.sent_frames.load(Ordering::Relaxed),
            frames_received: shared.received_frames.load(Ordering::Relaxed),
            stream_bytes_sent: shared.sent_bytes.load(Ordering::Relaxed),
            stream_bytes_received: shared.received_bytes.load(Ordering::Relaxed),
            wire_bytes_sent: quic.udp_tx.bytes,
            wire_bytes_received: quic.udp_rx.bytes,
            datagrams_sent: quic.udp_tx.datagrams,
            datagrams_received: quic.udp_rx.datagrams,
            packets_lost: quic.path.lost_packets,
            rtt: quic.path.rtt,
        }
    }

    fn send_closed(&self) -> SendError {
        let reason = self.close_reason().unwrap_or_else(|| CloseReason::Local {
            code: CloseCode::NORMAL,
            reason: "the connection is being finished".to_owned(),
        });
        SendError::Closed { reason }
    }

    #[cfg(test)]
    pub(crate) fn quic(&self) -> &quinn::Connection {
        &self.link.shared.quic
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("remote_addr", &self.remote_addr())
            .field("close_reason", &self.close_reason())
            .finish_non_exhaustive()
    }
}

/// Traffic of one connection since it was made.
///
/// Stream bytes are frames with their headers and the lane numbers: those received as they are
/// read, those sent as the transport takes them. Wire bytes are all UDP payload, handshake and
/// retransmissions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Frames queued for sending.
    pub frames_sent: u64,
    /// Frames read.
    pub frames_received: u64,
    /// Bytes given to the transport's streams.
    pub stream_bytes_sent: u64,
    /// Bytes read from the transport's streams.
    pub stream_bytes_received: u64,
    /// UDP payload sent.
    pub wire_bytes_sent: u64,
    /// UDP payload received.
    pub wire_bytes_received: u64,
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// Packets sent and lost on the way.
    pub packets_lost: u64,
    /// The current estimate of the round-trip time.
    pub rtt: Duration,
}

/// Why a frame was not queued.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is over, or being finished.
    #[error("cannot send: {reason}")]
    Closed {
        /// Why it is over.
        reason: CloseReason,
    },
    /// The caller made a frame that no peer would take.
    #[error("a frame of {bytes} bytes does not fit into {FRAME_BYTES_MAX}; send it in parts")]
    TooLarge {
        /// Kind and body.
        bytes: usize,
    },
}

/// Why a frame was not queued; gives the frame back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrySendError {
    /// The lane's queue has no room at the moment.
    #[error("the lane's queue is full")]
    Full(Frame),
    /// The connection is over, or being finished.
    #[error("the connection is closed")]
    Closed(Frame),
    /// The frame is above [`FRAME_BYTES_MAX`].
    #[error("the frame is larger than {FRAME_BYTES_MAX} bytes")]
    TooLarge(Frame),
}

/// What the handle owns alone.
struct Link {
    shared: Arc<Shared>,
    inbound: Mutex<Inbound>,
    writer: AbortHandle,
    _slot: Option<ConnectionSlot>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.close(CloseCode::NORMAL, "");
        self.writer.abort();
    }
}

/// What handle and writer share.
pub(crate) struct Shared {
    pub(crate) quic: quinn::Connection,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) received_frames: AtomicU64,
    sent_bytes: AtomicU64,
    sent_frames: AtomicU64,
    queues: [Queue; 3],
    /// Why this end closed the connection, if it did.
    verdict: OnceLock<CloseReason>,
    /// Set when the writer has ended: whether all was delivered.
    delivered: OnceLock<bool>,
    writer_ended: Notify,
}

impl Shared {
    fn new(quic: quinn::Connection, queue_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            quic,
            received_bytes: AtomicU64::new(0),
            received_frames: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            sent_frames: AtomicU64::new(0),
            queues: Lane::ALL.map(|lane| Queue::new(lane, queue_bytes_max)),
            verdict: OnceLock::new(),
            delivered: OnceLock::new(),
            writer_ended: Notify::new(),
        })
    }

    pub(crate) fn queue(&self, lane: Lane) -> &Queue {
        &self.queues[lane as usize]
    }

    /// So many of the lane's bytes are in the transport's hands.
    pub(crate) fn wrote(&self, lane: Lane, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.queue(lane).wrote(bytes);
    }

    /// Closes the connection because of what the peer did.
    pub(crate) fn condemn(&self, violation: Violation) {
        tracing::debug!(peer = %canonical(self.quic.remote_address()), %violation, "closing");
        let code = violation.code();
        let words = violation.to_string();
        self.end(CloseReason::Violation(violation), code, &words);
    }

    /// The writer is gone, so nothing will be sent any more.
    pub(crate) fn end_writing(&self, delivered: bool) {
        self.queues.iter().for_each(Queue::close);
        self.delivered.get_or_init(|| delivered);
        self.writer_ended.notify_waiters();
    }

    fn close(&self, code: CloseCode, reason: &str) {
        let reason = short(reason);
        let verdict = CloseReason::Local { code, reason: reason.to_owned() };
        self.end(verdict, code, reason);
    }

    fn end(&self, verdict: CloseReason, code: CloseCode, words: &str) {
        // Closing twice would make quinn forget why the connection ended first.
        if self.quic.close_reason().is_none() {
            self.verdict.get_or_init(|| verdict);
            self.quic.close(code.to_wire(), short(words).as_bytes());
        }
        self.queues.iter().for_each(Queue::close);
    }

    fn close_reason(&self) -> Option<CloseReason> {
        let error = self.quic.close_reason()?;
        Some(CloseReason::from_quic(&error, self.verdict.get()))
    }

    async fn writing_ended(&self) -> bool {
        let ended = self.writer_ended.notified();
        if let Some(delivered) = self.delivered.get() {
            return *delivered;
        }
        ended.await;
        self.delivered.get().copied().unwrap_or(false)
    }
}

/// IPv4 as IPv4, also where the socket is dual-stack.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
