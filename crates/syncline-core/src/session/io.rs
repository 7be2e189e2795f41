//! What a session hands out, and the count of it.

use std::collections::VecDeque;

use super::{Counters, Event, Now, Output, PeerMisbehaved};
use crate::wire::{Lane, Message};

/// Outputs that wait to be polled, counters, and the time of the input at hand.
#[derive(Debug, Default)]
pub(super) struct Io {
    pub(super) outputs: VecDeque<Output>,
    pub(super) counters: Counters,
    pub(super) now: Now,
    /// Which way the last counted message went.
    outward: Option<bool>,
    /// The goodbye and what follows are no part of a round trip.
    pub(super) over: bool,
}

impl Io {
    pub(super) fn send(&mut self, lane: Lane, message: impl Into<Message>) {
        let message = message.into();
        self.counters.bytes_sent += message.frame_len() as u64;
        self.leg(true);
        self.outputs.push_back(Output::Send { lane, message });
    }

    pub(super) fn received(&mut self, message: &Message) {
        self.counters.bytes_received += message.frame_len() as u64;
        self.leg(false);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn leg(&mut self, outward: bool) {
        if !self.over && self.outward != Some(outward) {
            self.outward = Some(outward);
            self.counters.legs += 1;
        }
    }
}

/// Messages that came before their time: lanes are independent of each other, and some answers
/// wait for the disk.
#[derive(Debug)]
pub(super) struct Early {
    messages: VecDeque<Message>,
    bytes: u64,
    bytes_max: u64,
}

const EARLY_MESSAGES_MAX: usize = 1_024;

impl Early {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, message: Message) -> Result<(), PeerMisbehaved> {
        self.bytes += message.frame_len() as u64;
        self.messages.push_back(message);
        if self.bytes > self.bytes_max || self.messages.len() > EARLY_MESSAGES_MAX {
            return Err(PeerMisbehaved::TooMuch {
                what: "before the handshake was done",
                bytes: self.bytes,
                allowed: self.bytes_max,
            });
        }
        Ok(())
    }

    pub(super) fn take(&mut self) -> VecDeque<Message> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }
}
