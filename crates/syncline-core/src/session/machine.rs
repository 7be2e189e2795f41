//! [`Session`]: which state takes which input.

use super::error::Stop;
use super::greeting::{self, Introducing, unexpected};
use super::io::{Early, Io};
use super::sending::OPTIMISTIC_BYTES_MAX;
use super::syncing::Syncing;
use super::{
    CloseCode, Config, Counters, Event, GOODBYE_WAIT_MS, HELLO_BYTES_MAX, HELLO_WAIT_MS, Input, Now, Output,
    PeerMisbehaved, RenewedWhy, SessionStore, WELCOME_WAIT_MS,
};
use crate::wire::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Hello, Lane, Message, Refused, RefusedCode};

/// Longest login token.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// One end of one connection.
///
/// Feed every input to [`handle`](Self::handle), then take outputs until
/// [`poll_output`](Self::poll_output) has none, then sleep until the next input or until
/// [`next_deadline`](Self::next_deadline), which is given as [`Input::Deadline`]. After
/// [`Output::Close`] nothing more happens, and the session may be dropped.
///
/// The same store must be given each time; the exception is an accepting session with
/// [`Config::ask`], which does not touch the store before [`Input::Admit`].
#[derive(Debug)]
pub struct Session {
    config: Config,
    dialer: bool,
    state: State,
    io: Io,
}

#[derive(Debug)]
enum State {
    /// No connection yet.
    New,
    /// The dialer has a hello ready or sent.
    Introducing {
        introducing: Box<Introducing>,
        until: u64,
    },
    /// The acceptor waits for a hello.
    Greeting {
        until: u64,
    },
    /// The acceptor waits for leave to answer.
    Asking {
        hello: Box<Hello>,
        early: Early,
        until: u64,
    },
    /// Past the handshake.
    Syncing(Box<Syncing>),
    /// A dialer was turned away and is to close.
    Refusing {
        until: u64,
    },
    Closed,
}

impl Session {
    /// The end that speaks first.
    pub fn dial(config: Config) -> Self {
        Self::new(config, true)
    }

    /// The end that answers.
    pub fn accept(config: Config) -> Self {
        Self::new(config, false)
    }

    fn new(config: Config, dialer: bool) -> Self {
        Self { config, dialer, state: State::New, io: Io::default() }
    }

    /// Takes an input in. `now` never goes back.
    pub fn handle<S: SessionStore>(&mut self, now: Now, input: Input, store: &mut S) {
        self.io.now = now;
        if matches!(self.state, State::Closed) {
            return;
        }
        if let Err(stop) = self.step(input, store) {
            self.stop(stop, store);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.io.outputs.pop_front();
        if output.is_none() {
            // A relay has many sessions, and most are idle.
            self.io.outputs.shrink_to(4);
        }
        output
    }

    /// When [`Input::Deadline`] is due, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<u64> {
        match &self.state {
            State::New | State::Closed => None,
            State::Introducing { until, .. }
            | State::Greeting { until }
            | State::Asking { until, .. }
            | State::Refusing { until } => Some(*until),
            State::Syncing(syncing) => syncing.next_deadline(self.io.now.mono_ms),
        }
    }

    /// What was carried so far.
    pub fn counters(&self) -> Counters {
        self.io.counters
    }

    /// Most bytes that a frame may have now; a reader can refuse longer ones by their first four bytes.
    pub fn frame_bytes_max(&self) -> usize {
        match &self.state {
            State::New if !self.dialer => HELLO_BYTES_MAX,
            State::Greeting { .. } => HELLO_BYTES_MAX,
            State::New
            | State::Introducing { .. }
            | State::Asking { .. }
            | State::Syncing(_)
            | State::Refusing { .. }
            | State::Closed => FRAME_BYTES_MAX,
        }
    }

    /// Whether nothing more will happen.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn step<S: SessionStore>(&mut self, input: Input, store: &mut S) -> Result<(), Stop> {
        match input {
            Input::Connected => self.connected(store)?,
            Input::Frame { lane, message } => {
                self.io.received(&message);
                self.frame(lane, message, store)?;
            }
            Input::Malformed(bad) => return Err(PeerMisbehaved::Malformed(bad).into()),
            Input::Admit => self.admit(store)?,
            Input::Refuse(refused) => return Err(Stop::Refuse(refused)),
            Input::Grew | Input::Durable => {}
            Input::Deadline => self.check_deadline()?,
            Input::Shutdown => self.shut_down(store)?,
            Input::Closed => {
                self.closed();
                return Ok(());
            }
        }
        match &mut self.state {
            State::Introducing { introducing, .. } => introducing.send_when_durable(store, &mut self.io),
            State::Syncing(syncing) => syncing.advance(store, &mut self.io),
            State::New | State::Greeting { .. } | State::Asking { .. } | State::Refusing { .. } | State::Closed => {
                Ok(())
            }
        }
    }

    fn connected<S: SessionStore>(&mut self, store: &mut S) -> Result<(), Stop> {
        let State::New = self.state else {
            return Ok(());
        };
        let now = self.io.now.mono_ms;
        self.state = match self.dialer {
            true => State::Introducing {
                introducing: Box::new(Introducing::begin(&self.config, store)?),
                until: now + WELCOME_WAIT_MS,
            },
            false => State::Greeting { until: now + HELLO_WAIT_MS },
        };
        Ok(())
    }

    fn frame<S: SessionStore>(&mut self, lane: Lane, message: Message, store: &mut S) -> Result<(), Stop> {
        check_lane(lane, &message)?;
        match &mut self.state {
            State::New => Err(unexpected(message.name(), "there is no connection").into()),
            State::Introducing { introducing, .. } => match message {
                Message::Welcome(_) | Message::Refused(_) => self.answered(message, store),
                Message::Batch(_)
                | Message::Part(_)
                | Message::Covered(_)
                | Message::Hello(_)
                | Message::VectorPart(_)
                | Message::Verified(_)
                | Message::Forked(_)
                | Message::Ack(_)
                | Message::Renewed(_)
                | Message::Goodbye(_) => Ok(introducing.early.push(message)?),
            },
            State::Greeting { .. } => self.greeted(message, store),
            State::Asking { early, .. } => Ok(early.push(message)?),
            State::Syncing(syncing) => syncing.message(message, store, &mut self.io),
            State::Refusing { .. } | State::Closed => Ok(()),
        }
    }

    /// The acceptor's first message.
    fn greeted<S: SessionStore>(&mut self, message: Message, store: &mut S) -> Result<(), Stop> {
        let Message::Hello(hello) = message else {
            return Err(unexpected(message.name(), "a hello is due").into());
        };
        let bytes = Message::Hello(hello.clone()).frame_len();
        let token = hello.token.as_ref().map_or(0, String::len);
        if bytes > HELLO_BYTES_MAX + FRAME_HEADER_BYTES || token > TOKEN_BYTES_MAX {
            let (bytes, allowed) = (bytes as u64, HELLO_BYTES_MAX as u64);
            return Err(PeerMisbehaved::TooMuch { what: "in the hello", bytes, allowed }.into());
        }
        if !self.config.ask {
            return self.welcome(hello, Early::new(0), store);
        }
        self.io.event(Event::Asked {
            intro: hello.intro.clone(),
            namespace: hello.namespace.clone(),
            token: hello.token.clone(),
        });
        self.state = State::Asking {
            hello: Box::new(hello),
            early: Early::new(OPTIMISTIC_BYTES_MAX),
            until: self.io.now.mono_ms + WELCOME_WAIT_MS,
        };
        Ok(())
    }

    fn admit<S: SessionStore>(&mut self, store: &mut S) -> Result<(), Stop> {
        if !matches!(self.state, State::Asking { .. }) {
            return Ok(());
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Asking { hello, early, .. } => self.welcome(*hello, early, store),
            State::New
            | State::Introducing { .. }
            | State::Greeting { .. }
            | State::Syncing(_)
            | State::Refusing { .. }
            | State::Closed => Ok(()),
        }
    }

    fn welcome<S: SessionStore>(&mut self, hello: Hello, mut early: Early, store: &mut S) -> Result<(), Stop> {
        let mut syncing = Box::new(greeting::welcome(hello, &self.config, store, &mut self.io)?);
        for message in early.take() {
            syncing.message(message, store, &mut self.io)?;
        }
        self.state = State::Syncing(syncing);
        Ok(())
    }

    /// The dialer's answer.
    fn answered<S: SessionStore>(&mut self, message: Message, store: &mut S) -> Result<(), Stop> {
        let State::Introducing { introducing, .. } = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(());
        };
        let welcome = match message {
            Message::Welcome(welcome) => welcome,
            Message::Refused(refused) => return Err(Stop::TurnedAway(refused)),
            Message::Batch(_)
            | Message::Part(_)
            | Message::Covered(_)
            | Message::Hello(_)
            | Message::VectorPart(_)
            | Message::Verified(_)
            | Message::Forked(_)
            | Message::Ack(_)
            | Message::Renewed(_)
            | Message::Goodbye(_) => return Err(unexpected(message.name(), "a welcome is due").into()),
        };
        let mut introducing = *introducing;
        let early = introducing.early.take();
        let mut syncing = Box::new(introducing.welcomed(welcome, &self.config, store, &mut self.io)?);
        for message in early {
            syncing.message(message, store, &mut self.io)?;
        }
        self.state = State::Syncing(syncing);
        Ok(())
    }

    fn check_deadline(&mut self) -> Result<(), Stop> {
        let now = self.io.now.mono_ms;
        match &self.state {
            State::Introducing { until, .. } if *until <= now => Err(PeerMisbehaved::TooSlow("a welcome").into()),
            State::Greeting { until } if *until <= now => Err(PeerMisbehaved::TooSlow("a hello").into()),
            State::Asking { until, .. } if *until <= now => Err(Stop::Refuse(Refused {
                code: RefusedCode::Busy,
                detail: "the login took too long".to_owned(),
                retry_after_ms: WELCOME_WAIT_MS,
            })),
            State::Refusing { until } if *until <= now => Err(Stop::Done),
            State::New
            | State::Introducing { .. }
            | State::Greeting { .. }
            | State::Asking { .. }
            | State::Refusing { .. }
            | State::Syncing(_)
            | State::Closed => Ok(()),
        }
    }

    fn shut_down<S: SessionStore>(&mut self, store: &mut S) -> Result<(), Stop> {
        if let State::Syncing(syncing) = &mut self.state
            && syncing.shut_down(store, &mut self.io)?
        {
            return Ok(());
        }
        self.close(CloseCode::GoingAway, "this end is stopping".to_owned());
        Ok(())
    }

    fn closed(&mut self) {
        if let State::Syncing(syncing) = &self.state
            && syncing.is_leaving()
        {
            self.io.event(Event::Finished);
        }
        self.state = State::Closed;
    }

    fn stop<S: SessionStore>(&mut self, stop: Stop, store: &mut S) {
        match stop {
            Stop::Store(what) => {
                self.io.event(Event::StoreFailed(what));
                self.close(CloseCode::Internal, "the store failed".to_owned());
            }
            Stop::Peer(what) => {
                let code = match what {
                    PeerMisbehaved::TooSlow(_) => CloseCode::TooSlow,
                    PeerMisbehaved::Malformed(_)
                    | PeerMisbehaved::Unexpected { .. }
                    | PeerMisbehaved::WrongLane { .. }
                    | PeerMisbehaved::TooMuch { .. }
                    | PeerMisbehaved::Number { .. }
                    | PeerMisbehaved::Position { .. }
                    | PeerMisbehaved::Batch(_)
                    | PeerMisbehaved::Gap { .. }
                    | PeerMisbehaved::Part(_)
                    | PeerMisbehaved::Ack { .. }
                    | PeerMisbehaved::AckChain(_)
                    | PeerMisbehaved::Answer(_) => CloseCode::Violation,
                };
                let reason = format!("the peer {what}");
                self.io.event(Event::Misbehaved(what));
                self.close(code, reason);
            }
            Stop::Renewed => self.close(CloseCode::Renewed, "this store has a new log; dial again".to_owned()),
            Stop::Again => self.close(CloseCode::Again, "another session came in between; dial again".to_owned()),
            Stop::Refuse(refused) => self.refuse(refused),
            Stop::TurnedAway(refused) => self.turned_away(refused, store),
            Stop::Done => {
                self.io.event(Event::Finished);
                self.close(CloseCode::Normal, String::new());
            }
        }
    }

    /// Before the welcome the dialer is told why, and closes; later, the close says it.
    fn refuse(&mut self, refused: Refused) {
        if let State::Syncing(_) = self.state {
            self.close(CloseCode::NotAllowed, refused.detail);
            return;
        }
        self.io.send(Lane::Control, refused);
        self.state = State::Refusing { until: self.io.now.mono_ms + GOODBYE_WAIT_MS };
    }

    fn turned_away<S: SessionStore>(&mut self, refused: Refused, store: &mut S) {
        if refused.code == RefusedCode::SameStore {
            match store.renew_identity(true) {
                Ok(()) => self.io.event(Event::IdentityRenewed { why: RenewedWhy::SameStore, log: true }),
                Err(error) => self.io.event(Event::StoreFailed(error.to_string())),
            }
            self.close(CloseCode::Renewed, "this store has a new identity; dial again".to_owned());
            return;
        }
        let Refused { code, detail, retry_after_ms } = refused;
        self.io.event(Event::Refused { code, detail, retry_after_ms });
        self.close(CloseCode::Normal, String::new());
    }

    fn close(&mut self, code: CloseCode, reason: String) {
        self.io.outputs.push_back(Output::Close { code, reason });
        self.state = State::Closed;
    }
}

/// Batches take any lane, parts the one on which their batch follows, everything else is for control.
fn check_lane(lane: Lane, message: &Message) -> Result<(), PeerMisbehaved> {
    let right = match message {
        Message::Batch(_) => true,
        Message::Part(_) => lane == Lane::Bulk,
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Refused(_)
        | Message::VectorPart(_)
        | Message::Verified(_)
        | Message::Forked(_)
        | Message::Covered(_)
        | Message::Ack(_)
        | Message::Renewed(_)
        | Message::Goodbye(_) => lane == Lane::Control,
    };
    let message = message.name();
    match right {
        true => Ok(()),
        false => Err(PeerMisbehaved::WrongLane { message, lane }),
    }
}
