//! Peers that do not keep to the protocol: an answer with a reason, no panic, no memory beyond the limits.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

mod session_model;

use session_model::*;
use syncline_core::ids::{Chain, Dot, LogId, RecordId, ReplicaId, StoreId};
use syncline_core::session::{
    CloseCode, Config, Event, HELLO_WAIT_MS, Input, Now, Output, PeerMisbehaved, RenewedWhy, Session, SessionStore,
    WELCOME_WAIT_MS,
};
use syncline_core::wire::{
    Ack, Batch, BatchContent, BatchReplica, BatchRow, Covered, Cursor, Entry, FRAME_BYTES_MAX, Forked, Goodbye, Hello,
    Introduction, Lane, Message, Packing, Part, Refused, RefusedCode, Renewed, Role, VERSION, VectorPart, Verified,
    change_hash,
};

/// An acceptor with some changes, and someone who writes messages by hand.
struct Victim {
    session: Session,
    store: MemStore,
    now_ms: u64,
    said: Vec<Message>,
    events: Vec<Event>,
    closed: Option<CloseCode>,
}

const ATTACKER: ReplicaId = ReplicaId([0xaa; 16]);
const ATTACKERS_LOG: LogId = LogId([0xbb; 16]);

impl Victim {
    fn new(config: Config) -> Self {
        let mut store = MemStore::new("victim");
        for _ in 0..5 {
            store.write(40);
        }
        store.sync();
        let session = Session::accept(config);
        let mut victim = Self { session, store, now_ms: 0, said: Vec::new(), events: Vec::new(), closed: None };
        victim.input(Input::Connected);
        victim
    }

    fn greeted() -> Self {
        let mut victim = Self::new(Config::new(Role::Relay));
        victim.hear(hello());
        assert!(victim.said.iter().any(|message| matches!(message, Message::Welcome(_))));
        victim
    }

    fn input(&mut self, input: Input) {
        let now = Now { mono_ms: self.now_ms, wall_ms: 0 };
        self.session.handle(now, input, &mut self.store);
        self.store.sync();
        self.session.handle(now, Input::Durable, &mut self.store);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send { message, .. } => self.said.push(message),
                Output::Close { code, .. } => self.closed = Some(code),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn hear(&mut self, message: impl Into<Message>) {
        let message = message.into();
        let lane = match message {
            Message::Batch(_) | Message::Part(_) => Lane::Bulk,
            _ => Lane::Control,
        };
        self.input(Input::Frame { lane, message });
    }

    fn verdict(&self) -> Option<&PeerMisbehaved> {
        self.events.iter().find_map(|event| match event {
            Event::Misbehaved(what) => Some(what),
            _ => None,
        })
    }

    #[track_caller]
    fn must_refuse(&self, expected: &str) {
        let verdict = self.verdict().map(ToString::to_string).unwrap_or_default();
        assert!(verdict.contains(expected), "`{verdict}` does not say `{expected}`; {:?}", self.events);
        assert_eq!(self.closed, Some(CloseCode::Violation));
    }
}

fn hello() -> Hello {
    Hello {
        version_min: VERSION,
        version_max: VERSION,
        features: 0,
        intro: Introduction {
            role: Role::Peer,
            store: StoreId([0xcc; 16]),
            replica: ATTACKER,
            counter: 0,
            chain: Chain::EMPTY,
            log: ATTACKERS_LOG,
            epoch: 1,
        },
        namespace: "default".to_owned(),
        token: None,
        head: 0,
        cursor: None,
        base: 0,
        base_chain: Chain::EMPTY,
        complete: true,
        delta: Vec::new(),
        staged: Vec::new(),
        credit: 1 << 20,
    }
}

fn rows(counters: &[u64]) -> BatchContent {
    let rows = counters.iter().map(|counter| BatchRow {
        replica: 0,
        counter: *counter,
        txn: 0,
        model: 0,
        record: RecordId([*counter as u8; 16]),
        bytes: plain_change(&counter.to_le_bytes()),
    });
    BatchContent {
        replicas: vec![BatchReplica { replica: ATTACKER, before: Chain::EMPTY, forked: false }],
        models: vec!["Todo".to_owned()],
        rows: rows.collect(),
        ..BatchContent::default()
    }
}

fn batch(number: u64, after: u64, content: &BatchContent) -> Batch {
    let (packing, unpacked_len, content) = content.pack().unwrap();
    let upto = after + 1;
    Batch { number, after, upto, upto_chain: Chain(7), head: upto, packing, unpacked_len, content }
}

#[test]
fn a_well_behaved_stranger_is_heard() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1, 2, 3])));
    assert_eq!(victim.closed, None);
    assert_eq!(victim.store.rows(), 8);
    assert!(victim.said.iter().any(|message| matches!(message, Message::Ack(ack) if ack.position == 1)));
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let mut victim = Victim::new(Config::new(Role::Relay));
    assert_eq!(victim.session.next_deadline(), Some(HELLO_WAIT_MS));
    victim.now_ms = HELLO_WAIT_MS;
    victim.input(Input::Deadline);
    assert_eq!(victim.verdict(), Some(&PeerMisbehaved::TooSlow("a hello")));
    assert_eq!(victim.closed, Some(CloseCode::TooSlow));
}

#[test]
fn whoever_owes_the_rest_of_its_vector_is_not_waited_for() {
    let mut victim = Victim::new(Config::new(Role::Relay));
    victim.hear(Hello { complete: false, ..hello() });
    assert_eq!(victim.closed, None);
    assert_eq!(victim.session.next_deadline(), Some(WELCOME_WAIT_MS));
    victim.now_ms = WELCOME_WAIT_MS;
    victim.input(Input::Deadline);
    assert_eq!(victim.closed, Some(CloseCode::TooSlow));
}

#[test]
fn nothing_but_a_hello_opens_a_session() {
    let others: Vec<Message> = vec![
        Goodbye { last: 0 }.into(),
        VectorPart { entries: Vec::new(), last: true }.into(),
        Verified { forked: Vec::new() }.into(),
        batch(1, 0, &rows(&[1])).into(),
        Part { payload: [0; 32], offset: 0, total: 1, bytes: vec![0] }.into(),
    ];
    for message in others {
        let mut victim = Victim::new(Config::new(Role::Relay));
        victim.hear(message);
        victim.must_refuse("while a hello is due");
        assert_eq!(victim.said, []);
    }
}

#[test]
fn a_hello_is_short() {
    assert!(Victim::new(Config::new(Role::Relay)).session.frame_bytes_max() < 100_000);
    let mut victim = Victim::new(Config::new(Role::Relay));
    victim.hear(Hello { token: Some("x".repeat(20_000)), ..hello() });
    victim.must_refuse("in the hello");
    let entry = Entry { replica: ATTACKER, counter: 1, chain: Chain(1), forked: false };
    let mut victim = Victim::new(Config::new(Role::Relay));
    victim.hear(Hello { delta: vec![entry; 5_000], ..hello() });
    victim.must_refuse("in the hello");
}

#[test]
fn a_stranger_is_told_why_it_is_turned_away() {
    let refusal = |changed: Hello| {
        let mut victim = Victim::new(Config::new(Role::Relay));
        victim.hear(changed);
        assert!(!victim.events.iter().any(|event| matches!(event, Event::PeerKnown { .. })));
        match victim.said.as_slice() {
            [Message::Refused(refused)] => refused.code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal(Hello { version_min: 2, version_max: 9, ..hello() }), RefusedCode::Version);
    assert_eq!(refusal(Hello { namespace: "other".to_owned(), ..hello() }), RefusedCode::Namespace);
    let mut same = hello();
    same.intro.store = MemStore::new("victim").store_id();
    assert_eq!(refusal(same), RefusedCode::SameStore);
}

#[test]
fn nothing_happens_before_the_operator_says_yes() {
    let ask = Config { ask: true, ..Config::new(Role::Relay) };
    let mut victim = Victim::new(ask.clone());
    victim.hear(Hello { token: Some("let me in".to_owned()), ..hello() });
    assert!(victim.events.iter().any(|event| {
        matches!(event, Event::Asked { token: Some(token), namespace, .. } if token == "let me in" && namespace == "default")
    }));
    victim.hear(batch(1, 0, &rows(&[1])));
    assert_eq!((victim.said.len(), victim.store.rows()), (0, 5));
    victim.input(Input::Admit);
    assert!(matches!(victim.said[0], Message::Welcome(_)));
    assert_eq!(victim.store.rows(), 6);

    let mut victim = Victim::new(ask.clone());
    victim.hear(hello());
    victim.input(Input::Refuse(Refused {
        code: RefusedCode::Unauthenticated,
        detail: "no token".to_owned(),
        retry_after_ms: 0,
    }));
    assert!(matches!(victim.said.as_slice(), [Message::Refused(_)]));

    let mut victim = Victim::new(ask);
    victim.hear(hello());
    for number in 1..20 {
        victim.hear(Batch { content: vec![0; 50_000], ..batch(number, 0, &rows(&[1])) });
    }
    victim.must_refuse("before the handshake was done");
}

#[test]
fn batches_that_contradict_themselves_or_us_are_refused() {
    let cases: Vec<(Batch, &str)> = vec![
        (batch(0, 0, &rows(&[1])), "where 1 comes next"),
        (batch(9_999, 0, &rows(&[1])), "where 1 comes next"),
        (batch(1, 3, &rows(&[1])), "after position 3, having covered 0"),
        (batch(1, 0, &rows(&[2])), "where 1 comes next"),
        (batch(1, 0, &rows(&[1, 3])), "where 2 comes next"),
        (batch(1, 0, &rows(&[0])), "change 0 of replica"),
        (Batch { upto: 0, after: 1, ..batch(1, 0, &rows(&[1])) }, "after position 1"),
        (Batch { upto: u64::MAX, ..batch(1, 0, &rows(&[1])) }, "after position 0"),
        (Batch { content: vec![1, 2, 3], ..batch(1, 0, &rows(&[1])) }, "bad batch"),
        (Batch { unpacked_len: u32::MAX, ..batch(1, 0, &rows(&[1])) }, "at most 1048576"),
        (Batch { packing: Packing::Zstd, ..batch(1, 0, &rows(&[1])) }, "does not unpack"),
    ];
    for (batch, expected) in cases {
        let mut victim = Victim::greeted();
        victim.hear(batch);
        victim.must_refuse(expected);
        assert_eq!(victim.store.rows(), 5);
    }
}

#[test]
fn numbers_are_not_used_twice() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1])));
    victim.hear(batch(1, 0, &rows(&[1])));
    victim.must_refuse("where 2 comes next");
}

#[test]
fn a_compressed_bomb_is_refused_by_its_size() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    assert!(bomb.len() < FRAME_BYTES_MAX);
    for unpacked_len in [1_000, 1 << 20, u32::MAX] {
        let mut victim = Victim::greeted();
        let content = bomb.clone();
        victim.hear(Batch { packing: Packing::Zstd, unpacked_len, content, ..batch(1, 0, &rows(&[1])) });
        victim.must_refuse("bad batch");
    }
}

#[test]
fn more_than_the_credit_is_refused() {
    let mut victim = Victim::new(Config { credit: 100_000, ..Config::new(Role::Relay) });
    victim.hear(hello());
    // Number 1 never comes, so that all of these wait.
    for number in 2..40 {
        victim.hear(Batch { content: vec![0; 60_000], ..batch(number, 0, &rows(&[1])) });
    }
    victim.must_refuse("not yet taken in");
}

#[test]
fn acknowledgements_of_what_was_not_sent_are_refused() {
    let ack = |position, chain, consumed| Ack {
        position,
        chain,
        consumed,
        renewals: 0,
        your_counter: 0,
        your_chain: Chain::EMPTY,
    };
    for (ack, expected) in [
        (ack(6, Chain(1), 0), "acknowledged position 6 of 5"),
        (ack(5, Chain(1), 0), "of a log that is not ours"),
        (ack(0, Chain::EMPTY, u64::MAX), "acknowledged bytes"),
    ] {
        let mut victim = Victim::greeted();
        victim.hear(ack);
        victim.must_refuse(expected);
        assert_eq!(victim.store.saved(StoreId([0xcc; 16])).acked, None);
    }
}

#[test]
fn a_relay_keeps_its_log_whatever_a_stranger_claims() {
    let mut victim = Victim::new(Config::new(Role::Relay));
    let before = victim.store.identity().unwrap();
    let cursor = Cursor { log: before.log, epoch: 1, seq: 1_000_000, chain: Chain(3) };
    let entry = Entry { replica: before.replica, counter: 1_000, chain: Chain(3), forked: false };
    victim.hear(Hello { cursor: Some(cursor), delta: vec![entry], ..hello() });
    let after = victim.store.identity().unwrap();
    assert_eq!((before.log, before.store), (after.log, after.store));
    assert!(matches!(&victim.said[0], Message::Welcome(welcome) if !welcome.accepted));
}

#[test]
fn parts_must_continue_their_payload() {
    let part = |offset, total, len: usize| Part { payload: [1; 32], offset, total, bytes: vec![0; len] };
    for bad in [part(0, 10, 0), part(0, 10, 11), part(0, 9 << 20, 5), part(0, 1 << 20, 70_000), part(u64::MAX, 10, 5)] {
        let mut victim = Victim::greeted();
        victim.hear(bad);
        victim.must_refuse("bad part");
        assert_eq!(victim.store.staged_bytes(), 0);
    }
    let mut victim = Victim::greeted();
    for payload in 0..40 {
        victim.hear(Part { payload: [payload; 32], offset: 0, total: 10, bytes: vec![0; 5] });
    }
    victim.must_refuse("too many payloads");
}

#[test]
fn a_payload_that_is_not_what_its_name_says_is_refused() {
    let mut victim = Victim::greeted();
    victim.hear(Part { payload: [1; 32], offset: 0, total: 300_000, bytes: vec![0; 60_000] });
    let mut content = rows(&[1]);
    content.rows[0].bytes = Vec::new();
    content.large = vec![syncline_core::wire::LargeRow { row: 0, payload: [1; 32], len: 60_000 }];
    victim.hear(batch(1, 0, &content));
    victim.must_refuse("not what its name says");
    assert_eq!(victim.store.rows(), 5);
}

#[test]
fn messages_have_their_state_and_their_lane() {
    for message in [
        Message::from(hello()),
        VectorPart { entries: Vec::new(), last: true }.into(),
        Verified { forked: Vec::new() }.into(),
    ] {
        let mut victim = Victim::greeted();
        victim.hear(message);
        victim.must_refuse("while changes are exchanged");
    }
    let mut victim = Victim::greeted();
    victim.input(Input::Frame { lane: Lane::Bulk, message: Goodbye { last: 0 }.into() });
    victim.must_refuse("Goodbye on the bulk lane");
    let mut victim = Victim::greeted();
    victim.hear(Goodbye { last: 0 });
    victim.hear(Goodbye { last: 0 });
    victim.must_refuse("it was said already");
}

#[test]
fn forks_can_be_claimed_but_not_without_end() {
    let mut victim = Victim::greeted();
    let ids = |from: u32, to: u32| {
        (from..to).map(|n| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_le_bytes());
            ReplicaId(id)
        })
    };
    for thousand in 0..120 {
        victim.hear(Forked { replicas: ids(thousand * 1_000, (thousand + 1) * 1_000).collect() });
        if victim.closed.is_some() {
            break;
        }
    }
    victim.must_refuse("forked replicas");
}

#[test]
fn a_cover_beyond_all_numbers_is_refused() {
    let mut victim = Victim::greeted();
    victim.hear(Covered { number: 1, upto: u64::MAX, upto_chain: Chain(1), head: u64::MAX });
    victim.must_refuse("after position");
}

#[test]
fn two_histories_under_one_name_are_both_kept() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1, 2])));
    let mut other = rows(&[2, 3]);
    let dot = Dot { replica: ATTACKER, counter: 1 };
    let first = rows(&[1]).rows.remove(0);
    let hash = change_hash(&first.bytes).unwrap();
    other.replicas[0].before = Chain::EMPTY.after_change(dot, first.record, &hash);
    other.rows[0].bytes = plain_change(b"another second change");
    victim.hear(batch(2, 1, &other));
    assert_eq!(victim.closed, None);
    assert!(victim.events.contains(&Event::ForkFound(vec![ATTACKER])));
    assert!(victim.said.contains(&Forked { replicas: vec![ATTACKER] }.into()));
    assert_eq!(victim.store.rows(), 5 + 4);
}

#[test]
fn a_batch_that_continues_another_history_is_a_fork() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1, 2])));
    let mut next = rows(&[3]);
    next.replicas[0].before = Chain(99);
    victim.hear(batch(2, 1, &next));
    assert!(victim.events.contains(&Event::ForkFound(vec![ATTACKER])));
    assert_eq!((victim.closed, victim.store.rows()), (None, 5 + 3));
}

#[test]
fn a_batch_that_retells_the_past_differently_is_a_fork() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1, 2, 3])));
    let mut past = rows(&[1]);
    past.rows[0].bytes = plain_change(b"another first change");
    victim.hear(batch(2, 1, &past));
    assert!(victim.events.contains(&Event::ForkFound(vec![ATTACKER])));
    assert_eq!((victim.closed, victim.store.rows()), (None, 5 + 4));
}

#[test]
fn a_fork_that_a_batch_tells_of_is_believed() {
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &rows(&[1, 2])));
    let mut loose = rows(&[9, 2]);
    loose.replicas[0].forked = true;
    victim.hear(batch(2, 1, &loose));
    assert!(victim.events.contains(&Event::ForkFound(vec![ATTACKER])));
    assert_eq!((victim.closed, victim.store.rows()), (None, 5 + 3));
}

/// A peer that forged the next change of a device's own id was believed, and the device went on behind it: whoever
/// held the real successor of its last change, a copy of its file for instance, then made a fork of its new ones.
#[test]
fn a_change_under_our_id_that_we_did_not_make_ends_our_use_of_it() {
    let mut victim = Victim::greeted();
    let own = victim.store.replica();
    let tip = victim.store.tip(own).unwrap().unwrap();
    let mut forged = rows(&[6, 7]);
    forged.replicas[0] = BatchReplica { replica: own, before: tip.chain, forked: false };
    victim.hear(batch(1, 0, &forged));
    assert_eq!((victim.closed, victim.store.rows()), (None, 5 + 2));
    let renewed = victim.store.replica();
    assert_ne!(renewed, own);
    assert!(victim.events.contains(&Event::IdentityRenewed { why: RenewedWhy::Restored, log: false }));
    assert!(victim.said.contains(&Renewed { replica: renewed }.into()));
    let mut more = rows(&[8]);
    let chain = victim.store.tip(own).unwrap().unwrap().chain;
    more.replicas[0] = BatchReplica { replica: own, before: chain, forked: false };
    victim.hear(batch(2, 1, &more));
    assert_eq!(victim.store.replica(), renewed, "once is enough");
    assert!(victim.store.forked().is_empty());
}

/// Bits and bytes of honest sessions are changed under way.
#[test]
fn mutated_frames_never_panic_and_never_corrupt_a_store() {
    let mut refused = 0;
    for seed in 0..600 {
        let (mut phone, mut relay) = (MemStore::new("phone"), MemStore::new("relay"));
        for _ in 0..30 {
            phone.write(50);
            relay.write(50);
        }
        if seed % 3 == 0 {
            phone.write(300_000);
        }
        phone.sync();
        relay.sync();
        let mut link = Link::new(dialing("relay"), Config::new(Role::Peer), seed);
        link.tamper = Some(Box::new(|bytes, rng| {
            if rng.chance(25) {
                let at = rng.below(bytes.len());
                match rng.below(4) {
                    0 => bytes[at] ^= 1 << rng.below(8),
                    1 => bytes[at] = rng.next() as u8,
                    2 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, rng.next() as u8),
                }
            }
        }));
        link.connect(&mut phone, &mut relay);
        link.run(&mut phone, &mut relay);
        let closes = [&link.dialer, &link.acceptor].map(|end| end.misbehaved().is_some());
        refused += usize::from(closes.contains(&true));
        for store in [&mut phone, &mut relay] {
            let head = store.committed().unwrap();
            assert!(store.log_chain(head).unwrap().is_some());
        }
    }
    assert!(refused > 150, "only {refused} of 600 sessions noticed anything");
}

#[test]
fn transactions_that_are_not_whole_are_refused() {
    // A row that announces others which never come kept what stood before it from being passed on.
    let cut = |txns: &[u16]| {
        let mut content = rows(&(1..=txns.len() as u64).collect::<Vec<_>>());
        content.rows.iter_mut().zip(txns).for_each(|(row, txn)| row.txn = *txn);
        content
    };
    for txns in [&[1][..], &[0, 2, 1], &[1, 1], &[2, 0], &[1, 0, 5], &[700]] {
        let mut victim = Victim::greeted();
        victim.hear(batch(1, 0, &cut(txns)));
        victim.must_refuse("a transaction that is not whole");
        assert_eq!(victim.store.rows(), 5);
    }
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &cut(&[0, 2, 1, 0, 1, 0])));
    assert_eq!((victim.closed, victim.store.rows()), (None, 5 + 6));
    let mut heavy = cut(&[1, 0]);
    for row in &mut heavy.rows {
        row.bytes = plain_change(&[7; 150_000]);
    }
    let mut victim = Victim::greeted();
    victim.hear(batch(1, 0, &heavy));
    victim.must_refuse("a transaction of too many bytes");
}
