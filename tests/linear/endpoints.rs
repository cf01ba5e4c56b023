//! Peers and routers that are made to keep an endpoint, a session or a proxy busy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ministream::carrier::Carrier;
use ministream::dissect::Collected;
use ministream::endpoint::{Config, Endpoint, Event, Handle, Limits, Open, Output, Scope};
use ministream::fault::{Engine, FaultSpec, Faults};
use ministream::keys::Keys;
use ministream::net::Side;
use ministream::proxy::{Proxy, ProxyOptions, Rule};
use ministream::session::{Session, SessionConfig};
use ministream::time::Timestamp;
use ministream_fixtures::message::{ack, chaff, client_close, client_data, id, server_data, syn};
use ministream_fixtures::{i2cp, sample_destination};

use crate::count::linear;

/// An endpoint with a clock, whose application accepts everything and reads at once.
struct Rig {
    endpoint: Endpoint<u32>,
    now: Instant,
    accepted: Vec<Handle>,
    /// Server ids, as they were announced.
    announced: Vec<[u8; 3]>,
}

impl Rig {
    fn new(config: Config) -> Self {
        Self {
            endpoint: Endpoint::new(config, [1; 32]),
            now: Instant::now(),
            accepted: Vec::new(),
            announced: Vec::new(),
        }
    }

    fn receive(&mut self, from: u32, message: Vec<u8>) {
        self.endpoint
            .handle_message(self.now, Some(from), message.into());
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.endpoint.poll_output(self.now) {
                Output::Transmit { message, .. } => {
                    if let [0x51, _, _, _, server @ ..] = &message.to_vec()[..]
                        && let Ok(server) = server.try_into()
                    {
                        self.announced.push(server);
                    }
                }
                Output::Event(Event::Incoming { conversation, .. }) => {
                    self.endpoint.accept(self.now, conversation);
                    self.accepted.push(conversation);
                }
                Output::Event(Event::Data {
                    conversation,
                    bytes,
                }) => {
                    self.endpoint.consumed(self.now, conversation, bytes.len());
                }
                Output::Event(_) => {}
                Output::Timeout(at) if at <= self.now => self.endpoint.handle_timeout(self.now),
                Output::Timeout(_) | Output::Idle => return,
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.endpoint.handle_timeout(self.now);
        self.drain();
    }
}

linear!(messages_for_conversations_that_there_are_not, 500, |size| {
    let mut rig = Rig::new(Config::default());
    for number in 0..size as u32 {
        rig.receive(1, client_data(id(number + 1), b"x"));
        rig.receive(1, server_data(id(number + 1), b"x"));
        rig.receive(1, ack(id(number + 1), id(number + 2)));
        rig.receive(1, chaff(id(number + 1), b"x"));
    }
});

linear!(conversations_of_one_peer_that_stay, 300, |size| {
    let mut rig = Rig::new(Config::default());
    let destination = sample_destination();
    for number in 0..size as u32 {
        rig.receive(1, syn(id(number + 1), &destination));
    }
});

linear!(conversations_of_as_many_peers, 600, |size| {
    let mut rig = Rig::new(Config::for_datagrams());
    let destination = sample_destination();
    for number in 0..size as u32 {
        rig.receive(number, syn(id(1), &destination));
    }
    rig.wait(Duration::from_secs(1_000));
    assert!(rig.endpoint.is_empty());
});

/// Conversations with peers that take nothing, which end at once.
fn ending_unanswered(size: usize, peer: impl Fn(u32) -> u32) {
    let mut config = Config::default();
    config.limits = Limits {
        total: size,
        per_peer: size,
        half_open: size,
        half_open_per_peer: size,
    };
    let mut rig = Rig::new(config);
    rig.endpoint.handle_link_blocked(Scope::All);
    let destination = sample_destination();
    for number in 0..size as u32 {
        rig.receive(peer(number), syn(id(number + 1), &destination));
    }
    assert_eq!(rig.endpoint.conversation_count(), size);
    for handle in std::mem::take(&mut rig.accepted) {
        rig.endpoint.abort(rig.now, handle);
    }
    rig.drain();
    rig.endpoint.handle_link_lost(rig.now, Scope::All);
    assert!(rig.endpoint.is_empty());
}

linear!(ends_of_one_peer_that_takes_nothing, 600, |size| {
    ending_unanswered(size, |_| 1);
});

linear!(ends_of_as_many_peers_that_take_nothing, 600, |size| {
    ending_unanswered(size, |number| number);
});

linear!(forged_addresses_beyond_a_limit_of_many, 300, |size| {
    let mut config = Config::for_datagrams();
    config.limits.half_open = size / 2;
    config.limits.total = size;
    let mut rig = Rig::new(config);
    let destination = sample_destination();
    for number in 0..size as u32 {
        rig.receive(number, syn(id(1), &destination));
    }
    assert_eq!(rig.endpoint.half_open_count(), size / 2);
    assert_eq!(rig.announced.len(), size, "each had a place for a while");
});

linear!(copies_of_one_syn, 500, |size| {
    let mut rig = Rig::new(Config::for_datagrams());
    let destination = sample_destination();
    for _ in 0..size {
        rig.receive(1, syn(id(1), &destination));
    }
});

linear!(conversations_that_are_opened_and_closed, 300, |size| {
    let mut rig = Rig::new(Config::default());
    let destination = sample_destination();
    for number in 0..size as u32 {
        rig.receive(1, syn(id(number + 1), &destination));
        let server = rig.announced.pop().expect("it was accepted");
        rig.receive(1, client_data(server, b"x"));
        rig.receive(1, client_close(server));
    }
    assert!(rig.endpoint.is_empty());
});

linear!(data_before_the_answer, 500, |size| {
    let mut rig = Rig::new(Config::default());
    let open = Open {
        to: 1,
        destination: sample_destination().into(),
        client_id: None,
    };
    let handle = rig.endpoint.open(rig.now, open).expect("there is room");
    rig.drain();
    let client = rig.endpoint.client_id(handle).expect("it was opened").0.0;
    for _ in 0..size {
        rig.receive(1, server_data(client, b"x"));
    }
    rig.receive(1, ack(client, [1, 2, 3]));
});

linear!(bytes_one_by_one, 500, |size| {
    let mut rig = Rig::new(Config::default());
    rig.receive(1, syn(id(1), &sample_destination()));
    let server = rig.announced.pop();
    for _ in 0..size {
        rig.receive(1, client_data(server.expect("it was accepted"), b"x"));
    }
});

fn session() -> (Session, Instant) {
    let file = include_bytes!("../keys/i2pd-ed25519.dat");
    let keys = Arc::new(Keys::from_bytes(file).expect("a key file"));
    let now = Instant::now();
    (
        Session::new(now, keys, SessionConfig::default(), [3; 32]),
        now,
    )
}

/// What a router says, and what becomes of it; whether the session reads on.
fn say(session: &mut Session, now: Instant, frame: &[u8]) {
    session.handle_bytes(now, frame);
    while session.poll_event().is_some() {}
    while session.poll_transmit(now).is_some() {}
}

linear!(bytes_of_a_router_one_by_one, 500, |size| {
    let (mut session, now) = session();
    // A frame of 64 KiB, of which the last byte does not come.
    say(&mut session, now, &[0, 0, 0xff, 0xff, 31]);
    for _ in 0..size {
        say(&mut session, now, &[0]);
    }
});

linear!(messages_of_a_router_for_nobody, 300, |size| {
    let (mut session, now) = session();
    say(&mut session, now, &i2cp::set_date());
    say(&mut session, now, &i2cp::session_status(1, 1));
    say(&mut session, now, &i2cp::request_variable_lease_set(1));
    for number in 0..size as u32 {
        say(
            &mut session,
            now,
            &i2cp::message_status(1, number, 4, 0, number),
        );
        say(
            &mut session,
            now,
            &i2cp::message_payload(1, number, &i2cp::wrap(b"\xa0\x00\x00\x01x")),
        );
    }
});

fn proxied(size: usize, message: impl Fn(u32, Side) -> Vec<u8>) {
    proxied_by(ProxyOptions::default(), size, message);
}

fn proxied_by(options: ProxyOptions, size: usize, message: impl Fn(u32, Side) -> Vec<u8>) {
    let now = Instant::now();
    let mut proxy = Proxy::new(options, now, Timestamp::from_nanos(0));
    let mut seen = Collected::default();
    let ends = ["127.0.0.1:1", "127.0.0.1:2"].map(|end| end.parse().expect("an address"));
    let Ok(connection) = proxy.open(Carrier::TcpU32, ends, &mut seen);
    for number in 0..size as u32 {
        for from in [Side::Initiator, Side::Responder] {
            let message = Bytes::from(message(number, from));
            let Ok(()) = proxy.receive(now, connection, from, message, &mut seen);
            while proxy.poll_output(now).is_some() {}
        }
    }
}

linear!(conversations_of_one_id_through_a_proxy, 50, |size| {
    let destination = sample_destination();
    // Of so many one is looked for among all that are remembered.
    let bound = 200;
    proxied(bound + size, |_, from| match from {
        Side::Initiator => syn([1; 3], &destination),
        Side::Responder => ack([1; 3], [2; 3]),
    });
});

linear!(conversations_that_stay_through_a_proxy, 150, |size| {
    let destination = sample_destination();
    proxied(size, |number, from| match from {
        Side::Initiator => syn(id(number + 1), &destination),
        Side::Responder => ack(id(number + 1), id(number + 1)),
    });
});

/// A proxy that does this to messages.
fn with_rule(rule: &str) -> ProxyOptions {
    let mut options = ProxyOptions::default();
    options.rules.push(Rule::parse(rule).expect("a rule"));
    options
}

// Through a network with faults: one peer takes nothing, and another all.
linear!(late_messages_of_which_a_peer_takes_none, 200, |size| {
    let start = Instant::now();
    let late: FaultSpec = "latency=1ms".parse().expect("there is such a fault");
    let mut engine = Engine::new(late, [1; 32], 0, start);
    let now = start + Duration::from_millis(1);
    for _ in 0..size {
        engine.submit(start, "stalled", vec![0]);
    }
    for _ in 0..size {
        engine.submit(start, "other", vec![0]);
        let passed = engine.poll_wanted(now, |peer| *peer == "other");
        assert!(passed.is_some());
    }
});

linear!(messages_that_wait_for_another_in_a_proxy, 300, |size| {
    let destination = sample_destination();
    let rule = with_rule("type == data: hold until type == close");
    proxied_by(rule, size, |number, from| match (number, from) {
        (0, Side::Initiator) => syn([1; 3], &destination),
        (0, Side::Responder) => ack([1; 3], [2; 3]),
        (_, Side::Initiator) => client_data([2; 3], b"x"),
        (_, Side::Responder) => server_data([1; 3], b"x"),
    });
});

/// Connections that come with a message that waits, and go, while many messages of another wait.
fn coming_and_going(options: ProxyOptions, size: usize) {
    let now = Instant::now();
    let mut proxy = Proxy::new(options, now, Timestamp::from_nanos(0));
    let mut seen = Collected::default();
    let ends = ["127.0.0.1:1", "127.0.0.1:2"].map(|end| end.parse().expect("an address"));
    let Ok(busy) = proxy.open(Carrier::TcpU32, ends, &mut seen);
    for _ in 0..size {
        let message = Bytes::from(client_data([2; 3], b"x"));
        let Ok(()) = proxy.receive(now, busy, Side::Initiator, message.clone(), &mut seen);
        let Ok(connection) = proxy.open(Carrier::TcpU32, ends, &mut seen);
        let Ok(()) = proxy.receive(now, connection, Side::Initiator, message, &mut seen);
        proxy.end(now, connection, Side::Initiator);
        let Ok(()) = proxy.close(now, connection, &mut seen);
        while proxy.poll_output(now).is_some() {}
    }
}

linear!(
    connections_that_go_while_messages_wait_for_others_in_a_proxy,
    150,
    |size| {
        coming_and_going(with_rule("all: hold until type == close"), size);
    }
);

linear!(
    connections_that_go_while_messages_are_delayed_in_a_proxy,
    150,
    |size| {
        coming_and_going(with_rule("all: delay 10s"), size);
    }
);

linear!(
    connections_that_go_while_messages_are_late_in_a_proxy,
    150,
    |size| {
        let mut options = ProxyOptions::default();
        let late = Some("c2s: latency=10s".parse().expect("a fault"));
        options.faults = Faults::of(&late, &[]);
        coming_and_going(options, size);
    }
);
