//! What lanes promise: order within, independence between.

use std::time::Duration;

use super::*;
use crate::{CloseCode, FRAME_BYTES_MAX, SendError, TrySendError};

#[tokio::test]
async fn every_lane_carries_frames_in_order_in_both_directions() {
    let pair = Pair::new().await;
    for (from, to) in [(&pair.dialer, &pair.acceptor), (&pair.acceptor, &pair.dialer)] {
        for number in 0..50u8 {
            for lane in Lane::ALL {
                from.send(lane, frame(number, &[lane.number(); 10])).await.unwrap();
            }
        }
        let mut next = [0u8; 3];
        for _ in 0..150 {
            let (lane, got) = recv(to).await;
            assert_eq!(got, frame(next[lane as usize], &[lane.number(); 10]));
            next[lane as usize] += 1;
        }
        assert_eq!(next, [50; 3]);
    }
}

#[tokio::test]
async fn either_end_may_speak_first_on_any_lane() {
    for lane in Lane::ALL {
        for acceptor_first in [false, true] {
            let pair = Pair::new().await;
            let (from, to) = match acceptor_first {
                true => (&pair.acceptor, &pair.dialer),
                false => (&pair.dialer, &pair.acceptor),
            };
            from.send(lane, frame(5, b"first")).await.unwrap();
            // The acceptor learns of the control stream by receiving.
            let got = in_time(async {
                tokio::select! {
                    got = to.recv() => got,
                    _ = from.recv() => unreachable!("nobody writes to the sender"),
                }
            });
            assert_eq!(got.await, Some((lane, frame(5, b"first"))));
        }
    }
}

#[tokio::test]
async fn the_largest_frames_and_the_smallest_arrive_whole() {
    let pair = Pair::new().await;
    let sizes = [0, FRAME_BYTES_MAX - 1, 1, 16 << 10, 100_000, 0, (64 << 10) + 3];
    let frames: Vec<_> =
        (0..).zip(sizes).map(|(kind, bytes)| Frame { kind, body: pattern(bytes, usize::from(kind)) }).collect();
    for lane in Lane::ALL {
        let send = async {
            for frame in &frames {
                pair.dialer.send(lane, frame.clone()).await.unwrap();
            }
        };
        let receive = async {
            for frame in &frames {
                let got = recv(&pair.acceptor).await;
                assert!(got == (lane, frame.clone()), "frame {} on {lane}", frame.kind);
            }
        };
        tokio::join!(send, receive);
    }
}

#[tokio::test]
async fn a_frame_that_no_peer_would_take_is_refused_before_it_is_queued() {
    let pair = Pair::new().await;
    let body = vec![0; FRAME_BYTES_MAX];
    let refused = pair.dialer.send(Lane::Bulk, Frame { kind: 0, body }).await;
    let bytes = FRAME_BYTES_MAX + 1;
    assert_eq!(refused, Err(SendError::TooLarge { bytes }));
    exchange(&pair.dialer, &pair.acceptor).await;
}

/// Fills the lane until it takes no more while the peer does not read; returns how many frames.
async fn fill(connection: &Connection, lane: Lane) -> u32 {
    let mut sent = 0u32;
    loop {
        let mut body = vec![0; 10_000];
        body[..4].copy_from_slice(&sent.to_le_bytes());
        match connection.try_send(lane, Frame { kind: 3, body }) {
            Ok(()) => sent += 1,
            Err(TrySendError::Full(frame)) => {
                assert_eq!(frame.body[..4], sent.to_le_bytes());
                // Full for good is full although the writer had every chance to run.
                let quiet = Duration::from_millis(200);
                if tokio::time::timeout(quiet, connection.ready(lane)).await.is_err() {
                    return sent;
                }
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_the_queue_up_to_its_bound_and_loses_nothing() {
    let limits = Limits::default();
    let pair = Pair::with(limits.clone()).await;
    let sent = in_time(fill(&pair.dialer, Lane::Bulk)).await;
    let queued = pair.dialer.queued_bytes(Lane::Bulk);
    assert!(queued >= limits.queue_bytes_max, "{queued}");
    assert!(queued < limits.queue_bytes_max + 10_005, "{queued}");
    assert!(pair.acceptor.stats().stream_bytes_received == 0);

    for number in 0..sent {
        let (lane, got) = recv(&pair.acceptor).await;
        assert_eq!((lane, &got.body[..4]), (Lane::Bulk, &number.to_le_bytes()[..]));
    }
    in_time(pair.dialer.ready(Lane::Bulk)).await.unwrap();
}

#[tokio::test]
async fn a_full_bulk_lane_holds_up_neither_control_nor_live() {
    let pair = Pair::new().await;
    let bulk = in_time(fill(&pair.dialer, Lane::Bulk)).await;
    pair.dialer.send(Lane::Live, frame(2, b"news")).await.unwrap();
    pair.dialer.send(Lane::Control, frame(1, b"urgent")).await.unwrap();
    let (mut urgent, mut bulk_before) = (Vec::new(), 0);
    while urgent.len() < 2 {
        match recv(&pair.acceptor).await {
            (Lane::Bulk, _) => bulk_before += 1,
            (lane, _) => urgent.push(lane),
        }
    }
    assert!(bulk_before < bulk, "{bulk_before} of {bulk}");
}

#[tokio::test]
async fn a_receive_that_is_cancelled_loses_nothing() {
    let pair = Pair::new().await;
    let send = async {
        for number in 0..200u8 {
            let body = pattern(3_000, usize::from(number));
            pair.dialer.send(Lane::Live, Frame { kind: number, body }).await.unwrap();
        }
    };
    let receive = async {
        for number in 0..200u8 {
            let got = loop {
                // Polled once, then dropped.
                if let Ok(got) = tokio::time::timeout(Duration::ZERO, pair.acceptor.recv()).await {
                    break got;
                }
            };
            let body = pattern(3_000, usize::from(number));
            assert_eq!(got, Some((Lane::Live, Frame { kind: number, body })));
        }
    };
    in_time(async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn stream_bytes_count_frames_with_headers_and_lane_numbers() {
    let pair = Pair::new().await;
    pair.dialer.send(Lane::Control, frame(1, b"12345")).await.unwrap();
    pair.dialer.send(Lane::Live, frame(1, b"")).await.unwrap();
    recv(&pair.acceptor).await;
    recv(&pair.acceptor).await;
    let (sent, got) = (pair.dialer.stats(), pair.acceptor.stats());
    assert_eq!((sent.frames_sent, sent.stream_bytes_sent), (2, 11 + 6));
    assert_eq!((got.frames_received, got.stream_bytes_received), (2, 11 + 6));
    assert!(sent.wire_bytes_sent > sent.stream_bytes_sent);
    assert!(got.wire_bytes_received > got.stream_bytes_received);
    assert!(sent.rtt > Duration::ZERO);
}

#[tokio::test]
async fn two_connections_of_one_socket_do_not_mix() {
    let (server, address) = server(Limits::default());
    let client = client(Limits::default());
    let (one, other_one) = connect(&client, &server, &address).await;
    let (two, other_two) = connect(&client, &server, &address).await;
    one.send(Lane::Bulk, frame(1, b"one")).await.unwrap();
    two.send(Lane::Bulk, frame(2, b"two")).await.unwrap();
    assert_eq!(recv(&other_two).await.1, frame(2, b"two"));
    assert_eq!(recv(&other_one).await.1, frame(1, b"one"));
    one.close(CloseCode::NORMAL, "");
    exchange(&two, &other_two).await;
}

#[tokio::test]
async fn a_listening_endpoint_dials_from_the_same_socket() {
    let (one, _) = server(Limits::default());
    let (two, address) = server(Limits::default());
    let (dialer, acceptor) = connect(&one, &two, &address).await;
    exchange(&dialer, &acceptor).await;
    assert_eq!(acceptor.remote_addr(), one.local_addr().unwrap());
}
