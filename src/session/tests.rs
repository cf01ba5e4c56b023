use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, VerifyingKey};
use ministream_fixtures::{gzip, i2cp::frame, key_destination};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::*;
use crate::carrier::i2cp::MessageStatus;
use crate::keys::Keys;
use crate::wire::{Destination, DestinationHash};

const SESSION: [u8; 2] = [0x12, 0x34];
const DATE: [u8; 8] = [0, 0, 1, 2, 3, 4, 5, 6];

fn keys() -> Arc<Keys> {
    // Making keys takes long enough to do it once.
    static KEYS: LazyLock<Arc<Keys>> =
        LazyLock::new(|| Arc::new(Keys::generate(&mut ChaCha12Rng::from_seed([1; 32]))));
    Arc::clone(&KEYS)
}

fn second(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A session with its time, its output, and its events.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    fn new(config: SessionConfig) -> Self {
        let now = Instant::now();
        Self {
            session: Session::new(now, keys(), config, [7; 32]),
            now,
        }
    }

    fn zero_hop() -> SessionConfig {
        SessionConfig {
            tunnels: Tunnels::ZERO_HOP,
            bytes_per_second: u64::MAX,
            ..SessionConfig::default()
        }
    }

    /// A session that has been created and waits for tunnels.
    fn building(config: SessionConfig) -> Self {
        let mut bench = Self::new(config);
        bench.sent();
        bench.receive(&set_date("0.9.57"));
        bench.sent();
        bench.receive(&session_status(1));
        assert_eq!(bench.events(), [Event::Created]);
        bench
    }

    /// A session that can send.
    fn ready() -> Self {
        Self::ready_with(LaneOrder::Auto)
    }

    fn ready_with(order: LaneOrder) -> Self {
        let mut bench = Self::building(SessionConfig {
            order,
            ..Self::zero_hop()
        });
        bench.receive(&lease_request(&[lease(1)]));
        assert_eq!(bench.events(), [Event::Ready]);
        bench.sent();
        bench
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.session.handle_bytes(self.now, bytes);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
    }

    /// Frames for the router, as far as it takes them now.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.session.poll_transmit(self.now)).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    #[track_caller]
    fn ends_with(&mut self, error: SessionError) {
        assert_eq!(self.events(), [Event::Ended(Err(error))]);
        assert_eq!(self.session.poll_timeout(), None);
    }

    fn meet(&mut self, seed: u64) -> DestinationHash {
        let bytes = key_destination(seed);
        self.session.learn(Destination::split(&bytes).unwrap().0)
    }
}

fn set_date(version: &str) -> Vec<u8> {
    let length = u8::try_from(version.len()).unwrap();
    frame(33, &[&DATE[..], &[length], version.as_bytes()].concat())
}

fn session_status(status: u8) -> Vec<u8> {
    frame(20, &[SESSION[0], SESSION[1], status])
}

fn lease(number: u8) -> [u8; 44] {
    let mut lease = [number; 44];
    lease[36..].copy_from_slice(&[0, 0, 1, 2, 3, 4, 5, number]);
    lease
}

fn lease_request(leases: &[[u8; 44]]) -> Vec<u8> {
    let count = u8::try_from(leases.len()).unwrap();
    let body = [&SESSION[..], &[count], leases.as_flattened()].concat();
    frame(37, &body)
}

fn message_status(message_id: u32, status: u8, nonce: u32) -> Vec<u8> {
    let body = [
        &SESSION[..],
        &message_id.to_be_bytes(),
        &[status, 0, 0, 0, 0],
        &nonce.to_be_bytes(),
    ];
    frame(22, &body.concat())
}

fn payload(message_id: u32, gzip: &[u8]) -> Vec<u8> {
    let length = u32::try_from(gzip.len()).unwrap().to_be_bytes();
    frame(
        31,
        &[&SESSION[..], &message_id.to_be_bytes(), &length, gzip].concat(),
    )
}

/// The nonce at the end of a SendMessage.
fn nonce(frame: &[u8]) -> u32 {
    assert_eq!(frame[4], 5, "SendMessage");
    u32::from_be_bytes(*frame.last_chunk().unwrap())
}

fn request_id(frame: &[u8]) -> u32 {
    assert_eq!(frame[4], 38, "HostLookup");
    u32::from_be_bytes(frame[7..11].try_into().unwrap())
}

// --- beginning ---

#[test]
fn the_first_bytes_are_the_protocol_byte_and_get_date() {
    let mut bench = Bench::new(SessionConfig::default());
    assert_eq!(bench.sent().concat(), b"\x2a\x00\x00\x00\x07\x20\x060.9.57");
    assert_eq!(bench.events(), []);
}

#[test]
fn a_bare_get_date_names_no_version_and_hears_of_none() {
    for version in [&b""[..], b"\x050.8.8"] {
        let mut bench = Bench::new(SessionConfig {
            greeting: Greeting::Bare,
            ..SessionConfig::default()
        });
        assert_eq!(bench.sent().concat(), b"\x2a\x00\x00\x00\x00\x20");
        bench.receive(&frame(33, &[&DATE, version].concat()));
        assert_eq!(bench.sent()[0][4], 1, "CreateSession");
        assert_eq!(bench.session.names_version(), !version.is_empty());
    }
}

#[test]
fn create_session_holds_destination_sorted_options_the_routers_date_and_a_signature() {
    let mut bench = Bench::new(SessionConfig {
        nickname: "me".to_owned(),
        ..Bench::zero_hop()
    });
    bench.sent();
    bench.receive(&set_date("0.9.57"));
    let [sent] = bench.sent().try_into().unwrap();
    let options = b"\x10i2cp.fastReceive=\x04true;\
        \x17i2cp.messageReliability=\x0aGuaranteed;\
        \x0einbound.length=\x010;\x10inbound.nickname=\x02me;\x10inbound.quantity=\x011;\
        \x0foutbound.length=\x010;\x11outbound.nickname=\x02me;\x11outbound.quantity=\x011;";
    let length = u16::try_from(options.len()).unwrap().to_be_bytes();
    let keys = keys();
    let signed = [keys.destination().as_bytes(), &length, options, &DATE].concat();
    assert_eq!(sent[..5], frame(1, &[&signed[..], &[0; 64]].concat())[..5]);
    let (body, signature) = sent[5..].split_at(signed.len());
    assert_eq!(body, signed);
    verify(body, signature);
}

#[test]
fn the_tunnels_are_the_routers_choice_unless_told_otherwise() {
    let mut bench = Bench::new(SessionConfig::default());
    bench.sent();
    bench.receive(&set_date("0.9.57"));
    let sent = bench.sent().concat();
    for option in ["length", "quantity"] {
        let found = sent.windows(option.len()).any(|w| w == option.as_bytes());
        assert!(!found, "{option}");
    }
}

fn verify(message: &[u8], signature: &[u8]) {
    let key = VerifyingKey::try_from(&keys().verifying_key()[..]).unwrap();
    let signature = Signature::from_bytes(signature.try_into().unwrap());
    key.verify_strict(message, &signature).unwrap();
}

#[test]
fn every_refusal_of_create_session_ends_it_with_its_reason() {
    for (status, error) in [
        (0, SessionError::Status(0)),
        (2, SessionError::Status(2)),
        (3, SessionError::Invalid),
        (4, SessionError::Refused),
        (9, SessionError::Status(9)),
    ] {
        let mut bench = Bench::new(SessionConfig::default());
        bench.receive(&set_date("0.9.57"));
        bench.receive(&session_status(status));
        bench.ends_with(error);
    }
}

#[test]
fn a_closed_connection_is_explained_by_what_was_sent_last() {
    let mut greeting = Bench::new(SessionConfig::default());
    greeting.session.handle_close();
    greeting.ends_with(SessionError::ClosedOnGreeting);

    let mut creating = Bench::new(SessionConfig::default());
    creating.receive(&set_date("0.8.8"));
    creating.session.handle_close();
    creating.ends_with(SessionError::ClosedOnCreate);

    let mut building = Bench::building(SessionConfig::default());
    building.session.handle_close();
    building.ends_with(SessionError::Closed);

    let mut ready = Bench::ready();
    ready.session.handle_close();
    ready.session.handle_close();
    ready.ends_with(SessionError::Closed);
}

#[test]
fn a_router_that_falls_silent_is_given_up_in_each_phase() {
    let config = SessionConfig::default();
    let (greeting, building) = (config.greeting_timeout, config.building_timeout);
    let almost = Duration::from_millis(1);

    let mut bench = Bench::new(config.clone());
    bench.pass(greeting - almost);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + almost));
    bench.pass(almost);
    bench.ends_with(SessionError::Silent(greeting));

    let mut bench = Bench::new(config.clone());
    bench.receive(&set_date("0.9.57"));
    bench.pass(greeting - almost);
    assert_eq!(bench.events(), []);
    bench.pass(almost);
    bench.ends_with(SessionError::NoStatus(greeting));

    let mut bench = Bench::building(config);
    bench.pass(building - almost);
    assert_eq!(bench.events(), []);
    bench.pass(almost);
    bench.ends_with(SessionError::NoTunnels(building));

    let mut bench = Bench::ready();
    bench.pass(second(86_400));
    assert_eq!(bench.events(), [], "a session may be idle for ever");
}

#[test]
fn the_router_may_end_the_session_or_say_why_it_disconnects() {
    let mut bench = Bench::ready();
    bench.receive(&session_status(0));
    bench.ends_with(SessionError::Destroyed);

    let mut bench = Bench::ready();
    bench.receive(&frame(30, b"\x07go\x1b[2J\n"));
    assert_eq!(
        bench.events(),
        [Event::Ended(Err(SessionError::Disconnected(
            "go\u{1b}[2J\n".to_owned()
        )))]
    );
    let error = SessionError::Disconnected("go\u{1b}[2J\n".to_owned());
    assert_eq!(error.to_string(), r"the router disconnected: go\u{1b}[2J\n");
}

#[test]
fn what_is_not_i2cp_ends_the_session() {
    let mut bench = Bench::new(SessionConfig::default());
    bench.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(
        bench.events()[..],
        [Event::Ended(Err(SessionError::Framing(_)))]
    ));

    // Bytes that were on their way come too late, and do no harm.
    bench.receive(b"<html>");
    bench.receive(&session_status(1));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.session.poll_timeout(), None);

    // A lease request that says two leases and has one.
    let mut bench = Bench::building(SessionConfig::default());
    let mut body = lease_request(&[lease(1)]);
    body[7] = 2;
    bench.receive(&body);
    assert!(matches!(
        bench.events()[..],
        [Event::Ended(Err(SessionError::Message(_)))]
    ));
}

#[test]
fn nothing_is_done_after_the_end() {
    let mut bench = Bench::building(SessionConfig::default());
    let rest = [session_status(0), lease_request(&[lease(1)])].concat();
    bench.receive(&rest);
    bench.ends_with(SessionError::Destroyed);
    bench.receive(&rest);
    bench.pass(second(1000));
    bench.session.leave(bench.now);
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
}

// --- lease sets ---

/// Checks the answer to a request for a lease set with these leases.
#[track_caller]
fn check_lease_set(sent: &[u8], leases: &[[u8; 44]]) {
    let keys = keys();
    let count = u8::try_from(leases.len()).unwrap();
    let lease_set = [
        keys.destination().as_bytes(),
        keys.encryption_key(),
        &[0; 32],
        &[count],
        leases.as_flattened(),
    ]
    .concat();
    let before = [&SESSION[..], &[0; 20], keys.decryption_key()].concat();
    let length = before.len() + lease_set.len() + 64;
    assert_eq!(sent[..4], u32::try_from(length).unwrap().to_be_bytes());
    assert_eq!(sent[4], 4, "CreateLeaseSet");
    let (start, rest) = sent[5..].split_at(before.len());
    let (signed, signature) = rest.split_at(lease_set.len());
    assert_eq!((start, signed), (&before[..], &lease_set[..]));
    verify(signed, signature);
}

#[test]
fn every_variable_lease_request_is_answered_with_its_own_leases() {
    let mut bench = Bench::building(SessionConfig::default());
    let many: Vec<[u8; 44]> = (0..16).map(lease).collect();
    let rounds = [
        &many[..1],
        &many[..1],
        &many[1..3],
        &many[2..3],
        &many[..],
        &[],
    ];
    for (round, leases) in rounds.into_iter().enumerate() {
        bench.receive(&lease_request(leases));
        let [sent] = bench.sent().try_into().unwrap();
        check_lease_set(&sent, leases);
        let expected: &[Event] = if round == 0 { &[Event::Ready] } else { &[] };
        assert_eq!(bench.events(), expected, "ready only once");
    }
    assert_eq!(bench.session.counters().lease_set_count, 6);
}

#[test]
fn a_request_of_the_old_kind_gives_all_its_tunnels_one_end() {
    let mut bench = Bench::building(SessionConfig::default());
    let end = [0, 0, 1, 9, 9, 9, 9, 9];
    let hops = [[5; 36], [6; 36]];
    bench.receive(&frame(
        21,
        &[&SESSION[..], &[2], hops.as_flattened(), &end].concat(),
    ));
    let leases = hops.map(|hop| {
        let mut lease = [0; 44];
        lease[..36].copy_from_slice(&hop);
        lease[36..].copy_from_slice(&end);
        lease
    });
    let [sent] = bench.sent().try_into().unwrap();
    check_lease_set(&sent, &leases);
    assert_eq!(bench.events(), [Event::Ready]);
}

#[test]
fn a_lease_request_is_answered_before_messages_that_wait() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    for _ in 0..3 {
        bench
            .session
            .send(peer, b"message", Attempts::Once, None)
            .unwrap();
    }
    bench.receive(&lease_request(&[lease(2)]));
    let types: Vec<u8> = bench.sent().iter().map(|frame| frame[4]).collect();
    assert_eq!(types, [4, 5, 5, 5]);
}

#[test]
fn what_is_for_another_session_is_ignored_and_counted() {
    let mut bench = Bench::ready();
    let other =
        |message_type: u8, rest: &[u8]| frame(message_type, &[&[0x12, 0x35][..], rest].concat());
    bench.receive(&other(37, &[0]));
    bench.receive(&other(21, &[0; 9]));
    bench.receive(&other(20, &[0]));
    bench.receive(&other(22, &[0; 13]));
    bench.receive(&other(31, &[0; 8]));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
    assert_eq!(bench.session.counters().ignored_count, 5);
}

#[test]
fn unknown_types_and_unasked_answers_change_nothing() {
    let mut bench = Bench::ready();
    bench.receive(&frame(99, b"what"));
    bench.receive(&frame(23, &[0; 64]));
    bench.receive(&set_date("0.9.57"));
    bench.receive(&frame(39, &[0x12, 0x34, 0, 0, 0, 9, 1]));
    bench.receive(&frame(35, &[1; 32]));
    bench.receive(&message_status(1, 5, 77));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
}

#[test]
fn a_session_does_not_care_how_the_routers_bytes_are_cut() {
    let script = [
        set_date("0.9.57"),
        session_status(1),
        lease_request(&[lease(1)]),
        payload(1, &gzip::stored(b"one")),
        message_status(2, 0, 1),
        payload(2, &gzip::fixed_huffman(b"two")),
        lease_request(&[lease(2), lease(3)]),
        session_status(0),
    ]
    .concat();
    let run = |pieces: &[&[u8]]| {
        let mut bench = Bench::new(SessionConfig::default());
        for piece in pieces {
            bench.receive(piece);
        }
        (bench.sent(), bench.events())
    };
    let whole = run(&[&script]);
    assert_eq!(whole.1.len(), 5, "{:?}", whole.1);
    let bytes: Vec<&[u8]> = script.chunks(1).collect();
    assert_eq!(run(&bytes), whole);
    for cut in 0..script.len() {
        let (first, rest) = script.split_at(cut);
        assert_eq!(run(&[first, rest]), whole, "{cut}");
    }
}

// --- messages ---

#[test]
fn a_message_is_sent_in_gzip_to_the_destination_of_its_peer() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let close = [0xa2, 0xe6, 0xb1, 0xa8];
    bench
        .session
        .send(peer, &close, Attempts::Once, None)
        .unwrap();
    let [sent] = bench.sent().try_into().unwrap();
    // The payload is that of a message in the real captures.
    let gzip = "1f8b08000000000002000104 00fbffa2e6b1a8a3169a4e04000000".replace(' ', "");
    let expected = [
        &SESSION[..],
        &key_destination(1),
        &[0, 0, 0, 27],
        &hex::decode(gzip).unwrap(),
        &nonce(&sent).to_be_bytes(),
    ];
    assert_eq!(sent, frame(5, &expected.concat()));
    assert_ne!(nonce(&sent), 0);
}

#[test]
fn only_a_ready_session_sends_and_only_what_peers_take() {
    let mut bench = Bench::building(SessionConfig::default());
    let peer = bench.meet(1);
    let send = |bench: &mut Bench, peer, length| {
        let message = vec![0; length];
        bench.session.send(peer, &message, Attempts::Once, None)
    };
    assert_eq!(send(&mut bench, peer, 1), Err(SendError::NotReady));
    bench.receive(&lease_request(&[lease(1)]));
    assert_eq!(send(&mut bench, peer, 40_960), Ok(()));
    assert_eq!(
        send(&mut bench, peer, 40_961),
        Err(SendError::TooLong(40_961))
    );
    let stranger = DestinationHash([9; 32]);
    assert_eq!(
        send(&mut bench, stranger, 1),
        Err(SendError::UnknownPeer(stranger))
    );
}

#[test]
fn random_bytes_of_the_longest_message_fit_into_a_payload() {
    use rand::Rng;
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let mut message = vec![0; MAX_MESSAGE_BYTES];
    ChaCha12Rng::from_seed([3; 32]).fill_bytes(&mut message);
    bench
        .session
        .send(peer, &message, Attempts::Once, None)
        .unwrap();
    let [sent] = bench.sent().try_into().unwrap();
    assert!(sent.len() < MAX_GZIP_BYTES);
}

#[test]
fn payloads_become_messages_and_those_that_cannot_be_read_are_counted() {
    let mut bench = Bench::ready();
    bench.receive(&payload(1, &gzip::stored(b"hello")));
    assert_eq!(bench.events(), [Event::Message("hello"[..].into())]);
    bench.receive(&payload(2, &gzip::fixed_huffman(&[7; 40_960])));
    assert_eq!(bench.events(), [Event::Message(vec![7; 40_960].into())]);
    bench.receive(&payload(3, b""));
    assert_eq!(bench.events(), [Event::Message("".into())]);

    bench.receive(&payload(4, b"hello"));
    bench.receive(&payload(5, &gzip::fixed_huffman(&[7; 40_961])));
    bench.receive(&payload(6, &gzip::bomb(0, 1_000)));
    let mut damaged = gzip::stored(b"hello");
    damaged[15] ^= 1;
    bench.receive(&payload(7, &damaged));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.session.counters().unreadable_count, 4);
    assert_eq!(bench.session.counters().received_count, 3);
    assert_eq!(bench.sent(), Vec::<Vec<u8>>::new(), "i2pd wants no answer");
}

#[test]
fn a_router_that_announces_messages_is_asked_for_them_and_told_of_their_arrival() {
    let mut bench = Bench::ready();
    bench.receive(&message_status(0x0102, 0, 1));
    assert_eq!(
        bench.sent(),
        [frame(6, &[0x12, 0x34, 0, 0, 1, 2])],
        "ReceiveMessageBegin"
    );
    bench.receive(&payload(0x0102, &gzip::stored(b"x")));
    assert_eq!(
        bench.sent(),
        [frame(7, &[0x12, 0x34, 0, 0, 1, 2])],
        "ReceiveMessageEnd"
    );
    assert_eq!(bench.events(), [Event::Message("x"[..].into())]);
}

// --- reports ---

#[test]
fn a_failure_is_told_for_i2pds_statuses_which_are_matched_by_nonce() {
    for status in [3, 5, 16, 21, 200] {
        let mut bench = Bench::ready();
        let peer = bench.meet(1);
        bench
            .session
            .send(peer, b"m", Attempts::Once, None)
            .unwrap();
        let nonce = nonce(&bench.sent()[0]);
        bench.receive(&message_status(100, 1, nonce));
        assert_eq!(bench.events(), []);
        bench.receive(&message_status(101, status, nonce));
        bench.receive(&message_status(102, status, nonce));
        let reason = Undelivered(MessageStatus(status));
        assert_eq!(bench.events(), [undelivered(peer, None, reason)]);
    }
}

#[test]
fn a_java_router_reports_by_message_id_under_a_nonce_of_its_own() {
    let mut bench = Bench::ready();
    let peers = [bench.meet(1), bench.meet(2)];
    for peer in peers {
        bench
            .session
            .send(peer, b"m", Attempts::Once, None)
            .unwrap();
    }
    let nonces: Vec<u32> = bench.sent().iter().map(|frame| nonce(frame)).collect();
    bench.receive(&message_status(7, 1, nonces[0]));
    bench.receive(&message_status(8, 1, nonces[1]));
    bench.receive(&message_status(7, 4, 1));
    bench.receive(&message_status(8, 5, 2));
    let (to, reason) = (peers[1], Undelivered(MessageStatus::GUARANTEED_FAILURE));
    assert_eq!(bench.events(), [undelivered(to, None, reason)]);
}

// --- lanes ---

fn undelivered(to: DestinationHash, lane: Option<Lane>, reason: Undelivered) -> Event {
    Event::Undelivered { to, lane, reason }
}

/// Sends messages of one byte in lanes; returns the output, known by its nonce.
fn send_in(bench: &mut Bench, to: DestinationHash, lanes: &[u32]) -> Vec<u32> {
    for &lane in lanes {
        let lane = Some(Lane(lane));
        bench.session.send(to, b"m", Attempts::Once, lane).unwrap();
    }
    went_out(bench)
}

fn went_out(bench: &mut Bench) -> Vec<u32> {
    bench.sent().iter().map(|frame| nonce(frame)).collect()
}

#[test]
fn one_message_of_a_lane_is_on_its_way_at_a_time_where_the_router_is_javas() {
    for order in [LaneOrder::Auto, LaneOrder::Guaranteed] {
        let mut bench = Bench::ready_with(order);
        let peer = bench.meet(1);
        let first = send_in(&mut bench, peer, &[1, 1, 1, 2, 2]);
        assert_eq!(first.len(), 2, "one of each lane");
        bench.receive(&message_status(7, 1, first[0]));
        bench.receive(&message_status(8, 1, first[1]));
        assert!(went_out(&mut bench).is_empty(), "accepted is not sent");
        // Under a nonce of the router's own, which is that of the other message.
        bench.receive(&message_status(7, 4, first[1]));
        let second = went_out(&mut bench);
        assert_eq!(second, [first[0] + 1], "the next of the first lane");
        bench.receive(&message_status(9, 1, second[0]));
        bench.receive(&message_status(9, 4, 1));
        assert_eq!(went_out(&mut bench), [first[0] + 2]);
        assert!(bench.session.is_ordered());
        assert_eq!(bench.events(), []);
    }
}

#[test]
fn lanes_open_when_the_first_report_of_an_i2pd_shows_what_it_is() {
    for status in [4, 21] {
        let mut bench = Bench::ready_with(LaneOrder::Auto);
        let peer = bench.meet(1);
        let first = send_in(&mut bench, peer, &[1, 2, 2, 2, 3]);
        assert_eq!(first.len(), 3);
        bench.receive(&message_status(7, 1, first[0]));
        bench.receive(&message_status(8, status, first[0]));
        assert!(!bench.session.is_ordered());
        assert_eq!(went_out(&mut bench), [first[1] + 1, first[1] + 2]);
        assert_eq!(send_in(&mut bench, peer, &[2, 2, 3]).len(), 3);
        // A message without a report is no failure then.
        bench.events();
        bench.pass(second(10));
        bench.pass(second(60));
        assert_eq!(bench.events(), []);
        assert_eq!(bench.session.poll_timeout(), None);
    }
}

#[test]
fn guaranteed_stays_so_at_an_i2pd_and_best_effort_never_waits() {
    for (order, at_once) in [(LaneOrder::Guaranteed, 1), (LaneOrder::BestEffort, 3)] {
        let mut bench = Bench::ready_with(order);
        let peer = bench.meet(1);
        let first = send_in(&mut bench, peer, &[1, 1, 1]);
        assert_eq!(first.len(), at_once);
        bench.receive(&message_status(7, 1, first[0]));
        bench.receive(&message_status(8, 4, first[0]));
        assert_eq!(went_out(&mut bench).len(), usize::from(at_once == 1));
        assert_eq!(bench.session.is_ordered(), at_once == 1);
    }
}

#[test]
fn behind_a_lost_message_nothing_of_its_lane_follows_and_other_lanes_go_on() {
    for order in [LaneOrder::Guaranteed, LaneOrder::BestEffort] {
        let mut bench = Bench::ready_with(order);
        let peer = bench.meet(1);
        // Those of the first lane fill the window, so that some of each lane wait here.
        let lanes: Vec<u32> = (0..60).map(|number| number % 2).collect();
        let message: Vec<u8> = (0..32_768).map(|_| rand::random()).collect();
        for lane in lanes {
            let lane = Some(Lane(lane));
            bench
                .session
                .send(peer, &message, Attempts::Once, lane)
                .unwrap();
        }
        let out = went_out(&mut bench);
        let (even, odd): (Vec<u32>, Vec<u32>) =
            out.iter().partition(|&n| (n - out[0]).is_multiple_of(2));
        bench.receive(&message_status(7, 1, even[0]));
        bench.receive(&message_status(8, 5, even[0]));
        let told = [undelivered(
            peer,
            Some(Lane(0)),
            Undelivered(MessageStatus::GUARANTEED_FAILURE),
        )];
        assert_eq!(bench.events(), told, "once");
        let mut waiting = odd;
        let mut count = 0;
        while let Some(nonce) = waiting.pop() {
            count += 1;
            bench.receive(&message_status(9, 4, nonce));
            waiting.extend(went_out(&mut bench));
            assert!(waiting.iter().all(|nonce| (nonce - out[0]) % 2 == 1));
        }
        assert_eq!((count, bench.events()), (30, vec![]), "{order:?}");
        assert_eq!(bench.session.waiting_bytes(), 0);
    }
}

#[test]
fn a_message_of_a_lane_on_which_nothing_is_reported_is_lost_after_a_minute() {
    let mut bench = Bench::ready_with(LaneOrder::Guaranteed);
    let peer = bench.meet(1);
    assert_eq!(send_in(&mut bench, peer, &[1, 1]).len(), 1);
    for seconds in [10, 49] {
        bench.pass(second(seconds));
        assert_eq!((bench.events(), went_out(&mut bench)), (vec![], vec![]));
    }
    bench.pass(second(1));
    let told = [undelivered(peer, Some(Lane(1)), Undelivered::NO_REPORT)];
    assert_eq!(
        (&bench.events()[..], went_out(&mut bench)),
        (&told[..], vec![])
    );
    assert_eq!(bench.session.waiting_bytes(), 0);
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn leaving_waits_until_the_lanes_are_empty() {
    let mut bench = Bench::ready_with(LaneOrder::Guaranteed);
    let peer = bench.meet(1);
    let first = send_in(&mut bench, peer, &[1, 1]);
    bench.session.leave(bench.now);
    assert_eq!(bench.sent(), Vec::<Vec<u8>>::new());
    bench.receive(&message_status(7, 4, first[0]));
    let second = went_out(&mut bench);
    assert_eq!(second.len(), 1);
    bench.receive(&message_status(7, 4, second[0]));
    assert_eq!(bench.sent(), [frame(3, &[0x12, 0x34])]);
}

#[test]
fn a_message_that_may_be_tried_again_is_until_its_time_is_over() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let until = Attempts::Until(bench.now + second(10));
    bench.session.send(peer, b"syn", until, None).unwrap();
    let [first] = bench.sent().try_into().unwrap();
    // Pauses of 1, 2 and 4 s; the fourth would end after 15 s.
    for pause in [1, 2, 4] {
        bench.receive(&message_status(1, 1, nonce(&first)));
        bench.receive(&message_status(2, 21, nonce(&first)));
        assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
        assert_eq!(
            bench.session.poll_timeout(),
            Some(bench.now + second(pause))
        );
        bench.pass(second(pause));
        assert_eq!(bench.sent(), std::slice::from_ref(&first));
    }
    bench.receive(&message_status(3, 21, nonce(&first)));
    let reason = Undelivered(MessageStatus::NO_LEASE_SET);
    assert_eq!(bench.events(), [undelivered(peer, None, reason)]);
    assert_eq!(bench.session.counters().undelivered_count, 1);
}

#[test]
fn the_pause_before_another_attempt_is_eight_seconds_at_most() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let until = Attempts::Until(bench.now + second(1 + 2 + 4 + 8 + 8 + 8));
    bench.session.send(peer, b"syn", until, None).unwrap();
    let nonce = nonce(&bench.sent()[0]);
    for pause in [1, 2, 4, 8, 8] {
        bench.receive(&message_status(1, 21, nonce));
        assert_eq!(bench.events(), []);
        bench.pass(second(pause));
        assert_eq!(bench.sent().len(), 1, "{pause} s");
    }
    // The next would be when the time is over.
    bench.receive(&message_status(1, 21, nonce));
    let reason = Undelivered(MessageStatus::NO_LEASE_SET);
    assert_eq!(bench.events(), [undelivered(peer, None, reason)]);
}

#[test]
fn a_message_that_arrives_at_last_is_not_tried_again() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let until = Attempts::Until(bench.now + second(10));
    bench.session.send(peer, b"syn", until, None).unwrap();
    let nonce = nonce(&bench.sent()[0]);
    bench.receive(&message_status(1, 21, nonce));
    bench.pass(second(1));
    assert_eq!(bench.sent().len(), 1);
    bench.receive(&message_status(2, 4, nonce));
    bench.pass(second(100));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
}

#[test]
fn a_failure_that_is_reported_again_and_again_asks_for_one_attempt() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let until = Attempts::Until(bench.now + second(10));
    bench.session.send(peer, b"syn", until, None).unwrap();
    let [first] = bench.sent().try_into().unwrap();
    let fail = |bench: &mut Bench| bench.receive(&message_status(1, 21, nonce(&first)));
    for _ in 0..1000 {
        fail(&mut bench);
    }
    bench.pass(second(1));
    assert_eq!(bench.session.waiting_bytes(), first.len());
    // Late, of the attempt before.
    fail(&mut bench);
    let counts = [(); 9].map(|()| {
        let count = bench.sent().len();
        bench.pass(second(1));
        count
    });
    assert_eq!(counts, [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let reason = Undelivered(MessageStatus::NO_LEASE_SET);
    assert_eq!(bench.events(), []);
    fail(&mut bench);
    assert_eq!(bench.events(), [undelivered(peer, None, reason)]);
}

#[test]
fn failures_that_are_reported_twice_leave_the_window_as_it_was() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let mut written = 0;
    // Each would leave the frame of one attempt.
    while written < 2 * 512 * 1024 {
        let until = Attempts::Until(bench.now + second(10));
        bench.session.send(peer, b"syn", until, None).unwrap();
        let [frame] = bench.sent().try_into().expect("the window is open");
        written += frame.len();
        for _ in 0..2 {
            bench.receive(&message_status(1, 21, nonce(&frame)));
        }
        for _ in 0..2 {
            bench.pass(second(1));
            bench.sent();
        }
        bench.receive(&message_status(2, 4, nonce(&frame)));
    }
}

#[test]
fn a_failure_of_what_was_not_written_yet_is_none() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    let until = Attempts::Until(bench.now + second(10));
    let first = send_in(&mut bench, peer, &[1])[0];
    for attempts in [Attempts::Once, until] {
        bench.session.send(peer, b"m", attempts, None).unwrap();
        bench
            .session
            .send(peer, b"m", attempts, Some(Lane(1)))
            .unwrap();
    }
    let next = [first + 1, first + 2, first + 3, first + 4];
    for nonce in next {
        bench.receive(&message_status(1, 21, nonce));
    }
    bench.receive(&message_status(2, 4, first));
    let mut out = went_out(&mut bench);
    bench.receive(&message_status(3, 4, next[1]));
    out.extend(went_out(&mut bench));
    assert_eq!(out, [next[0], next[2], next[1], next[3]]);
    bench.pass(second(1));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]));
}

#[test]
fn a_dispensable_message_is_lost_without_a_word() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    for attempts in [Attempts::Dispensable, Attempts::Once] {
        bench.session.send(peer, b"m", attempts, None).unwrap();
        let frame = bench.sent().remove(0);
        bench.receive(&message_status(1, 21, nonce(&frame)));
        let is_reported = !bench.events().is_empty();
        assert_eq!(is_reported, attempts == Attempts::Once);
        assert!(bench.sent().is_empty(), "it is not tried again");
    }
}

/// Sends messages of 32 KiB that do not compress, and returns their frames.
fn send_much(bench: &mut Bench, messages: usize) -> Vec<Vec<u8>> {
    use rand::Rng;
    let mut rng = ChaCha12Rng::from_seed([4; 32]);
    let peer = bench.meet(1);
    let mut message = vec![0; 32_768];
    for _ in 0..messages {
        rng.fill_bytes(&mut message);
        bench
            .session
            .send(peer, &message, Attempts::Once, None)
            .unwrap();
    }
    bench.sent()
}

#[test]
fn half_a_mebibyte_goes_out_before_the_router_reports() {
    let mut bench = Bench::ready();
    let sent = send_much(&mut bench, 40);
    assert_eq!(sent.len(), 16);
    assert_eq!(bench.session.waiting_bytes(), 24 * sent[0].len());
    // Nothing is due before reports are missed.
    let missed = Some(bench.now + second(10));
    assert_eq!(bench.session.poll_timeout(), missed);
    bench.receive(&message_status(1, 1, nonce(&sent[0])));
    assert_eq!(bench.sent().len(), 0, "accepted is not sent");
    for frame in &sent[..3] {
        bench.receive(&message_status(1, 4, nonce(frame)));
    }
    assert_eq!(bench.sent().len(), 3);
    bench.receive(&message_status(1, 5, nonce(&sent[3])));
    assert_eq!(bench.sent().len(), 1, "a failure makes room as well");
}

#[test]
fn a_router_that_never_reports_is_not_waited_for() {
    let mut bench = Bench::ready();
    assert_eq!(send_much(&mut bench, 40).len(), 16);
    bench.pass(second(10));
    assert_eq!(bench.sent().len(), 24, "no window any more");
    assert_eq!(send_much(&mut bench, 40).len(), 40);
    // All is forgotten in the end.
    bench.pass(second(10));
    bench.pass(second(60));
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn a_router_that_reported_before_keeps_its_window() {
    let mut bench = Bench::ready();
    let sent = send_much(&mut bench, 40);
    bench.receive(&message_status(1, 4, nonce(&sent[0])));
    assert_eq!(bench.sent().len(), 1);
    bench.pass(second(10));
    assert_eq!(bench.sent().len(), 16);
    // A late report is still understood.
    bench.receive(&message_status(1, 5, nonce(&sent[1])));
    assert!(matches!(bench.events()[..], [Event::Undelivered { .. }]));
}

#[test]
fn messages_go_out_at_the_rate_and_answers_at_once() {
    let mut bench = Bench::building(SessionConfig {
        bytes_per_second: 65_536,
        ..SessionConfig::default()
    });
    bench.receive(&lease_request(&[lease(1)]));
    bench.sent();
    bench.events();
    let first = send_much(&mut bench, 10);
    assert_eq!(first.len(), 4, "a burst of 128 KiB");
    bench.receive(&lease_request(&[lease(1)]));
    assert_eq!(bench.sent().len(), 1);
    for _ in 0..6 {
        let wait = bench.session.poll_timeout().unwrap() - bench.now;
        assert!(wait > Duration::ZERO && wait < second(1), "{wait:?}");
        bench.pass(wait);
        assert_eq!(bench.sent().len(), 1);
    }
    assert_eq!(bench.session.waiting_bytes(), 0);
}

// --- lookups ---

fn own_hash() -> DestinationHash {
    DestinationHash::of(&key_destination(5))
}

#[test]
fn a_hash_is_looked_up_and_its_destination_remembered() {
    let mut bench = Bench::ready();
    let id = bench.session.look_up(bench.now, Query::Hash(own_hash()));
    let [question] = bench.sent().try_into().unwrap();
    let expected = [
        &SESSION[..],
        &request_id(&question).to_be_bytes(),
        &10_000_u32.to_be_bytes(),
        &[0],
        &own_hash().0,
    ];
    assert_eq!(question, frame(38, &expected.concat()));
    bench.receive(&host_reply(&question, &key_destination(5)));
    let result = Ok(key_destination(5));
    assert_eq!(bench.events(), [Event::LookedUp { lookup: id, result }]);
    bench
        .session
        .send(own_hash(), b"m", Attempts::Once, None)
        .unwrap();
}

fn host_reply(question: &[u8], destination: &[u8]) -> Vec<u8> {
    let id = request_id(question).to_be_bytes();
    let result: &[u8] = if destination.is_empty() { &[1] } else { &[0] };
    frame(39, &[&SESSION[..], &id, result, destination].concat())
}

#[test]
fn a_name_is_looked_up_as_it_is() {
    let mut bench = Bench::ready();
    let query = Query::Name("site.i2p".to_owned());
    let id = bench.session.look_up(bench.now, query);
    let [question] = bench.sent().try_into().unwrap();
    assert_eq!(question[15..], *b"\x01\x08site.i2p");
    bench.receive(&host_reply(&question, &key_destination(6)));
    let result = Ok(key_destination(6));
    assert_eq!(bench.events(), [Event::LookedUp { lookup: id, result }]);
}

#[test]
fn a_question_without_an_answer_is_asked_again_when_the_router_has_had_its_time() {
    let mut bench = Bench::ready();
    bench.session.look_up(bench.now, Query::Hash(own_hash()));
    assert_eq!(bench.sent().len(), 1);
    for (seconds, questions) in [(11, 0), (1, 1)] {
        bench.pass(second(seconds));
        assert_eq!(bench.sent().len(), questions);
    }
}

#[test]
fn what_is_not_found_is_asked_for_again_until_the_time_is_over() {
    let mut bench = Bench::ready();
    let id = bench.session.look_up(bench.now, Query::Hash(own_hash()));
    let mut questions = 0;
    while bench.events().is_empty() {
        if let Some(question) = bench.sent().first() {
            questions += 1;
            bench.receive(&host_reply(question, &[]));
        }
        let wait = bench.session.poll_timeout().unwrap() - bench.now;
        assert!(wait > Duration::ZERO && wait <= second(2));
        bench.pass(wait);
        if bench.session.poll_timeout().is_none() {
            break;
        }
    }
    assert_eq!(questions, 30);
    let result = Err(LookupError::NotFound);
    assert_eq!(bench.events(), [Event::LookedUp { lookup: id, result }]);
}

#[test]
fn another_destination_than_that_of_the_hash_is_not_taken() {
    let mut bench = Bench::ready();
    bench.session.look_up(bench.now, Query::Hash(own_hash()));
    let [question] = bench.sent().try_into().unwrap();
    bench.receive(&host_reply(&question, &key_destination(6)));
    assert_eq!(bench.events(), []);
    bench.pass(second(2));
    assert_eq!(bench.sent().len(), 1, "asked again");
}

#[test]
fn a_lookup_waits_until_the_session_is_ready() {
    let mut bench = Bench::building(SessionConfig::default());
    bench.session.look_up(bench.now, Query::Hash(own_hash()));
    assert_eq!(bench.sent().len(), 0);
    bench.receive(&lease_request(&[lease(1)]));
    let types: Vec<u8> = bench.sent().iter().map(|frame| frame[4]).collect();
    assert_eq!(types, [4, 38]);
}

#[test]
fn lookups_that_are_due_together_are_a_frame_each() {
    let mut bench = Bench::building(SessionConfig::default());
    for hash in [1, 2, 3] {
        bench
            .session
            .look_up(bench.now, Query::Hash(DestinationHash([hash; 32])));
    }
    bench.receive(&lease_request(&[lease(1)]));
    let types = |frames: &[Vec<u8>]| -> Vec<u8> { frames.iter().map(|frame| frame[4]).collect() };
    assert_eq!(types(&bench.sent()), [4, 38, 38, 38]);
    // Nobody answers: they are asked again at one time.
    bench.pass(second(12));
    assert_eq!(types(&bench.sent()), [38, 38, 38]);
}

#[test]
fn an_old_router_is_asked_in_its_own_words_and_not_for_names() {
    for version in ["0.8.8", "0.9.10", "0.9", "", "x.9.11"] {
        let mut bench = Bench::new(SessionConfig::default());
        bench.receive(&set_date(version));
        bench.receive(&session_status(1));
        bench.receive(&lease_request(&[lease(1)]));
        bench.sent();
        bench.events();
        let name = bench
            .session
            .look_up(bench.now, Query::Name("a.i2p".to_owned()));
        let result = Err(LookupError::NamesUnsupported);
        assert_eq!(
            bench.events(),
            [Event::LookedUp {
                lookup: name,
                result
            }]
        );

        let hash = bench.session.look_up(bench.now, Query::Hash(own_hash()));
        assert_eq!(bench.sent(), [frame(34, &own_hash().0)], "{version}");
        bench.receive(&frame(35, &own_hash().0));
        bench.pass(second(2));
        assert_eq!(bench.sent(), [frame(34, &own_hash().0)], "asked again");
        bench.receive(&frame(35, &key_destination(5)));
        let result = Ok(key_destination(5));
        assert_eq!(
            bench.events(),
            [Event::LookedUp {
                lookup: hash,
                result
            }]
        );
    }
    for version in ["0.9.11", "0.9.57", "0.9.57-1", "0.10.0", "1.0"] {
        let mut bench = Bench::new(SessionConfig::default());
        bench.receive(&set_date(version));
        bench.receive(&session_status(1));
        bench.receive(&lease_request(&[lease(1)]));
        bench.sent();
        bench.session.look_up(bench.now, Query::Hash(own_hash()));
        assert_eq!(bench.sent()[0][4], 38, "{version}");
    }
}

// --- self test ---

fn tested() -> (Bench, Vec<u8>) {
    let mut bench = Bench::building(SessionConfig {
        self_test: SelfTest::On,
        ..Bench::zero_hop()
    });
    bench.receive(&lease_request(&[lease(1)]));
    assert_eq!(bench.events(), [Event::Ready]);
    let [_, probe] = bench.sent().try_into().unwrap();
    (bench, probe)
}

/// The gzip member in a SendMessage to ourselves.
fn probe_payload(probe: &[u8]) -> &[u8] {
    let own = keys();
    assert_eq!(probe[7..398], *own.destination().as_bytes());
    assert_eq!(nonce(probe), 0, "no report is wanted");
    &probe[402..probe.len() - 4]
}

#[test]
fn a_message_to_itself_tells_that_a_session_can_be_reached() {
    let (mut bench, probe) = tested();
    bench.receive(&payload(1, probe_payload(&probe)));
    assert_eq!(bench.events(), [Event::Reachable]);
    bench.receive(&payload(2, probe_payload(&probe)));
    bench.pass(second(1000));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]), "once");
}

#[test]
fn a_session_that_cannot_be_reached_says_so_once_and_goes_on_trying() {
    let (mut bench, first) = tested();
    for _ in 0..3 {
        bench.pass(second(4));
        assert_eq!(bench.sent(), Vec::<Vec<u8>>::new(), "not before its time");
        bench.pass(second(1));
        assert_eq!(bench.events(), []);
        assert_eq!(bench.sent(), std::slice::from_ref(&first));
    }
    bench.pass(second(15));
    assert_eq!(bench.events(), [Event::Unreachable]);
    for _ in 0..10 {
        assert_eq!(bench.sent(), std::slice::from_ref(&first));
        bench.pass(second(15));
        assert_eq!(bench.events(), []);
    }
    bench.receive(&payload(1, probe_payload(&first)));
    assert_eq!(bench.events(), [Event::Reachable]);
}

#[test]
fn messages_to_itself_do_not_pile_up_for_a_router_that_reads_nothing() {
    let (mut bench, probe) = tested();
    for _ in 0..100 {
        bench.pass(second(15));
    }
    assert_eq!(bench.events(), [Event::Unreachable]);
    assert_eq!(bench.sent(), [probe]);
}

// --- end ---

#[test]
fn leaving_sends_what_waits_and_then_destroys_the_session() {
    let mut bench = Bench::ready();
    let peer = bench.meet(1);
    bench
        .session
        .send(peer, b"last", Attempts::Once, None)
        .unwrap();
    bench.session.leave(bench.now);
    bench.session.leave(bench.now);
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1], frame(3, &SESSION));
    assert_eq!(
        bench.session.send(peer, b"late", Attempts::Once, None),
        Err(SendError::NotReady)
    );
    bench.receive(&lease_request(&[lease(1)]));
    assert_eq!(bench.sent().len(), 1, "lease sets are given to the end");
    bench.receive(&session_status(0));
    assert_eq!(bench.events(), [Event::Ended(Ok(()))]);
}

/// The end of a session whose router asks for a lease set so often, at this interval.
fn ended_by_requests(count: usize, interval: Duration, reads: impl Fn() -> bool) -> Option<Event> {
    let mut bench = Bench::ready();
    for _ in 0..count {
        bench.now += interval;
        bench.receive(&lease_request(&[lease(1)]));
        if let Some(last) = bench.events().pop() {
            return Some(last);
        }
        if reads() {
            assert_eq!(bench.sent().len(), 1);
        }
    }
    None
}

#[test]
fn a_router_that_asks_on_and_on_without_reading_the_answers_loses_the_session() {
    let unread = Event::Ended(Err(SessionError::AnswersUnread));
    let each_second = ended_by_requests(3_000, second(1), || false);
    assert_eq!(each_second, Some(unread));
    assert_eq!(ended_by_requests(100, second(1), || false), None);
    // One that reads may ask for ever.
    assert_eq!(ended_by_requests(3_000, second(1), || true), None);
    // The bytes that it read leave room for as many, and no more.
    let mut bench = Bench::ready();
    let answered = |bench: &mut Bench| {
        let requests = (0..3_000).take_while(|_| {
            bench.now += second(1);
            bench.receive(&lease_request(&[lease(1)]));
            bench.events().is_empty()
        });
        requests.count()
    };
    for _ in 0..100 {
        bench.now += second(1);
        bench.receive(&lease_request(&[lease(1)]));
    }
    assert!(bench.session.poll_transmit(bench.now).is_some());
    let mut other = Bench::ready();
    assert_eq!(answered(&mut bench), answered(&mut other) - 99);
}

#[test]
fn a_router_that_has_us_sign_without_end_loses_the_session() {
    let flood = Some(Event::Ended(Err(SessionError::LeaseSetFlood)));
    let short = Duration::from_millis(1);
    assert_eq!(ended_by_requests(200, short, || true), None);
    assert_eq!(ended_by_requests(300, short, || true), flood);
    let fast = Duration::from_millis(200);
    assert_eq!(ended_by_requests(3_000, fast, || true), flood);
    let allowed = Duration::from_millis(250);
    assert_eq!(ended_by_requests(3_000, allowed, || true), None);
}

#[test]
fn a_session_that_leaves_has_nothing_due_in_the_past() {
    let mut bench = Bench::ready();
    bench.session.leave(bench.now);
    for _ in 0..30 {
        bench.now += Duration::from_millis(100);
        bench.session.handle_timeout(bench.now);
        assert!(bench.session.poll_timeout().is_none_or(|at| at > bench.now));
    }
}

#[test]
fn a_loss_that_is_due_with_the_end_is_not_told_behind_it() {
    let mut bench = Bench::ready_with(LaneOrder::Guaranteed);
    let peer = bench.meet(1);
    send_in(&mut bench, peer, &[1]);
    bench.pass(second(10));
    bench.pass(second(49));
    bench.session.leave(bench.now);
    // Both are over: the minute of the message, and the time to leave.
    bench.pass(second(20));
    assert_eq!(bench.events(), [Event::Ended(Ok(()))]);
}

#[test]
fn leaving_does_not_wait_for_ever() {
    let mut bench = Bench::ready();
    bench.session.leave(bench.now);
    bench.pass(second(2));
    assert_eq!(bench.events(), [Event::Ended(Ok(()))]);

    let mut bench = Bench::ready();
    bench.session.leave(bench.now);
    bench.session.handle_close();
    assert_eq!(bench.events(), [Event::Ended(Ok(()))]);

    let mut bench = Bench::new(SessionConfig::default());
    bench.session.leave(bench.now);
    assert_eq!(bench.events(), [Event::Ended(Ok(()))]);
}

#[test]
fn options_that_do_not_fit_are_an_error_and_no_panic() {
    let mut bench = Bench::new(SessionConfig {
        nickname: "x".repeat(256),
        ..SessionConfig::default()
    });
    bench.receive(&set_date("0.9.57"));
    assert!(matches!(
        bench.events()[..],
        [Event::Ended(Err(SessionError::Options(_)))]
    ));
}
