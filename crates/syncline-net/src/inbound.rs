//! The receiving half of a connection: streams are named, cut into frames, and merged.
//!
//! No task and no queue of its own: frames are read when somebody asks for them, so a receiver
//! that falls behind stops its peer through QUIC's windows.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream};
use tokio::sync::oneshot;

use crate::close::Violation;
use crate::connection::Shared;
use crate::frame::{Decoder, Frame, Lane};

/// Pieces of a stream taken at one time; each is at most one packet. Bounds how long a lane can
/// keep a more urgent one waiting.
const PIECES: usize = 32;

/// More capacity than this is given back when the frames are gone.
const READY_CAPACITY_KEPT: usize = 64;

/// The peer's streams and the frames read from them.
pub(crate) struct Inbound {
    /// Most urgent first; streams that have not named their lane come last.
    streams: Vec<Stream>,
    ready: VecDeque<(Lane, Frame)>,
    /// Lanes that the peer has opened, now or earlier.
    seen: [bool; 3],
    /// Live and bulk streams that the peer may still open.
    unidirectional_left: u8,
    /// Where the outgoing half of the control stream goes when the dialer opens it.
    control: Option<oneshot::Sender<SendStream>>,
}

enum Progress {
    More,
    Over,
}

struct Stream {
    from: RecvStream,
    bidirectional: bool,
    lane: Option<Lane>,
    decoder: Decoder,
}

impl Inbound {
    /// For a connection we dialed, whose control stream is open.
    pub(crate) fn dialed(control: RecvStream) -> Self {
        let mut inbound = Self::empty(None);
        inbound.streams.push(Stream::new(control, true));
        inbound
    }

    /// For a connection we accepted.
    pub(crate) fn accepted(control: oneshot::Sender<SendStream>) -> Self {
        Self::empty(Some(control))
    }

    /// After a violation: nothing more is read from this peer.
    fn spent() -> Self {
        Self { unidirectional_left: 0, ..Self::empty(None) }
    }

    fn empty(control: Option<oneshot::Sender<SendStream>>) -> Self {
        Self { streams: Vec::new(), ready: VecDeque::new(), seen: [false; 3], unidirectional_left: 2, control }
    }

    /// The next frame, or `None` when there will be no more. Cancel-safe: what has been read is
    /// kept.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Option<(Lane, Frame)> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            if self.ready.capacity() > READY_CAPACITY_KEPT {
                self.ready = VecDeque::new();
            }
            match self.advance(shared).await {
                Ok(Progress::More) => {}
                Ok(Progress::Over) => return None,
                Err(violation) => {
                    shared.condemn(violation);
                    *self = Self::spent();
                    return None;
                }
            }
        }
    }

    /// Waits until a stream appears, or bytes do, or there will be no more of either.
    async fn advance(&mut self, shared: &Shared) -> Result<Progress, Violation> {
        let mut new_uni = pin!(shared.quic.accept_uni());
        let mut new_bi = pin!(shared.quic.accept_bi());
        let mut closed = pin!(shared.quic.closed());
        poll_fn(|cx| {
            let mut over = false;
            if self.unidirectional_left > 0
                && let Poll::Ready(arrived) = new_uni.as_mut().poll(cx)
            {
                match arrived {
                    Ok(stream) => return Poll::Ready(Ok(self.add_unidirectional(stream))),
                    Err(_) => over = true,
                }
            }
            if self.control.is_some()
                && let Poll::Ready(arrived) = new_bi.as_mut().poll(cx)
            {
                match arrived {
                    Ok(halves) => return Poll::Ready(Ok(self.add_control(halves))),
                    Err(_) => over = true,
                }
            }
            // Streams come before the verdict: a closed connection still holds what arrived.
            if let Poll::Ready(outcome) = self.poll_streams(cx, shared) {
                return Poll::Ready(outcome);
            }
            // With every lane ended by the peer, only the close is left to wait for.
            if self.streams.is_empty() && closed.as_mut().poll(cx).is_ready() {
                over = true;
            }
            match over {
                true => Poll::Ready(Ok(Progress::Over)),
                false => Poll::Pending,
            }
        })
        .await
    }

    fn add_unidirectional(&mut self, stream: RecvStream) -> Progress {
        self.unidirectional_left -= 1;
        self.streams.push(Stream::new(stream, false));
        Progress::More
    }

    fn add_control(&mut self, (out, stream): (SendStream, RecvStream)) -> Progress {
        self.streams.push(Stream::new(stream, true));
        if let Some(waiting) = self.control.take() {
            // The writer may have ended; then nobody wants to send either.
            let _ = waiting.send(out);
        }
        Progress::More
    }

    /// Reads from the most urgent stream that has something.
    fn poll_streams(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Result<Progress, Violation>> {
        for at in 0..self.streams.len() {
            let mut pieces: [Bytes; PIECES] = [const { Bytes::new() }; PIECES];
            if let Poll::Ready(read) = poll_pieces(&mut self.streams[at].from, &mut pieces, cx) {
                let done = self.digest(at, read.map(|count| count.map(|n| &pieces[..n])), shared);
                return Poll::Ready(done.map(|()| Progress::More));
            }
        }
        Poll::Pending
    }

    fn digest(
        &mut self,
        at: usize,
        read: Result<Option<&[Bytes]>, ReadError>,
        shared: &Shared,
    ) -> Result<(), Violation> {
        match read {
            Ok(Some(pieces)) => self.take(at, pieces, shared),
            Ok(None) => self.end_of(at),
            Err(ReadError::Reset(_)) => Err(Violation::LaneReset),
            // The connection is over; what its other streams still hold comes first.
            Err(
                ReadError::ConnectionLost(_)
                | ReadError::ClosedStream
                | ReadError::IllegalOrderedRead
                | ReadError::ZeroRttRejected,
            ) => {
                self.streams.remove(at);
                Ok(())
            }
        }
    }

    fn take(&mut self, at: usize, pieces: &[Bytes], shared: &Shared) -> Result<(), Violation> {
        let counted: usize = pieces.iter().map(Bytes::len).sum();
        shared.received_bytes.fetch_add(counted as u64, Ordering::Relaxed);
        let held = self.ready.len();
        let mut pieces = pieces.iter().map(|piece| piece.as_ref());
        let stream = &mut self.streams[at];
        let (lane, named_now) = match stream.lane {
            Some(lane) => (lane, None),
            None => match pieces.next().and_then(<[u8]>::split_first) {
                Some((number, rest)) => (stream.name(*number)?, Some(rest)),
                None => return Ok(()),
            },
        };
        if named_now.is_some() && std::mem::replace(&mut self.seen[lane as usize], true) {
            return Err(Violation::DuplicateLane { lane });
        }
        for bytes in named_now.into_iter().chain(pieces) {
            let ready = &mut self.ready;
            stream.decoder.push(bytes, lane, |frame| ready.push_back((lane, frame)))?;
        }
        if named_now.is_some() {
            self.streams.sort_by_key(|stream| stream.lane.map_or(u8::MAX, Lane::number));
        }
        let frames = (self.ready.len() - held) as u64;
        shared.received_frames.fetch_add(frames, Ordering::Relaxed);
        Ok(())
    }

    fn end_of(&mut self, at: usize) -> Result<(), Violation> {
        let stream = self.streams.remove(at);
        match stream.lane {
            Some(_) if stream.decoder.is_between_frames() => Ok(()),
            Some(lane) => Err(Violation::HalfFrame { lane }),
            None => Err(Violation::UnnamedStream),
        }
    }
}

impl Stream {
    fn new(from: RecvStream, bidirectional: bool) -> Self {
        Self { from, bidirectional, lane: None, decoder: Decoder::default() }
    }

    fn name(&mut self, number: u8) -> Result<Lane, Violation> {
        let lane = Lane::from_number(number)
            .filter(|lane| (*lane == Lane::Control) == self.bidirectional)
            .ok_or(Violation::UnknownLane { number })?;
        self.lane = Some(lane);
        Ok(lane)
    }
}

fn poll_pieces(
    stream: &mut RecvStream,
    pieces: &mut [Bytes],
    cx: &mut Context<'_>,
) -> Poll<Result<Option<usize>, ReadError>> {
    // quinn keeps the waker with the stream, so the future may be made anew for every poll.
    let mut read = pin!(stream.read_chunks(pieces));
    Pin::as_mut(&mut read).poll(cx)
}
