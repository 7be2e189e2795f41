//! The one task per connection that moves queued frames into the transport.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{SendStream, StoppedError, WriteError};
use tokio::sync::oneshot;

use crate::close::Violation;
use crate::connection::Shared;
use crate::frame::Lane;

/// Where the control lane's outgoing half comes from.
pub(crate) enum Control {
    /// We dialed and opened it.
    Opened(SendStream),
    /// We accepted; it comes with the stream that the dialer opens.
    Awaited(oneshot::Receiver<SendStream>),
}

/// Sends until the connection ends or everything is delivered after a finish. The lanes share the
/// task, but none waits for another.
pub(crate) async fn run(shared: Arc<Shared>, control: Control) {
    let lanes = async {
        tokio::try_join!(
            write_lane(&shared, Lane::Control, Some(control)),
            write_lane(&shared, Lane::Live, None),
            write_lane(&shared, Lane::Bulk, None),
        )
    };
    let delivered = tokio::select! {
        biased;
        outcome = lanes => match outcome {
            Ok(_) => true,
            Err(End::Lost) => false,
            Err(End::Stopped(lane)) => {
                shared.condemn(Violation::LaneStopped { lane });
                false
            }
        },
        _ = shared.quic.closed() => false,
    };
    shared.end_writing(delivered);
}

/// Why a lane cannot send any more.
enum End {
    Lost,
    Stopped(Lane),
}

async fn write_lane(shared: &Shared, lane: Lane, control: Option<Control>) -> Result<(), End> {
    let queue = shared.queue(lane);
    let mut batch = Vec::new();
    if !queue.next_batch(&mut batch).await {
        return Ok(());
    }
    let mut stream = open(shared, control).await?;
    stream.set_priority(lane.priority()).map_err(|_| End::Lost)?;
    loop {
        write_batch(&mut stream, shared, lane, &mut batch).await.map_err(|error| write_end(lane, &error))?;
        if !queue.next_batch(&mut batch).await {
            break;
        }
    }
    deliver(stream, lane).await
}

async fn open(shared: &Shared, control: Option<Control>) -> Result<SendStream, End> {
    match control {
        Some(Control::Opened(stream)) => Ok(stream),
        Some(Control::Awaited(stream)) => stream.await.map_err(|_| End::Lost),
        None => shared.quic.open_uni().await.map_err(|_| End::Lost),
    }
}

async fn write_batch(
    stream: &mut SendStream,
    shared: &Shared,
    lane: Lane,
    batch: &mut Vec<Bytes>,
) -> Result<(), WriteError> {
    let mut rest = batch.as_mut_slice();
    while !rest.is_empty() {
        let written = stream.write_chunks(rest).await?;
        shared.wrote(lane, written.bytes);
        rest = &mut rest[written.chunks..];
    }
    batch.clear();
    Ok(())
}

/// Ends the stream and waits until the peer's transport has all of it.
async fn deliver(mut stream: SendStream, lane: Lane) -> Result<(), End> {
    stream.finish().map_err(|_| End::Lost)?;
    match stream.stopped().await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(End::Stopped(lane)),
        Err(StoppedError::ConnectionLost(_) | StoppedError::ZeroRttRejected) => Err(End::Lost),
    }
}

fn write_end(lane: Lane, error: &WriteError) -> End {
    match error {
        WriteError::Stopped(_) => End::Stopped(lane),
        WriteError::ConnectionLost(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => End::Lost,
    }
}
