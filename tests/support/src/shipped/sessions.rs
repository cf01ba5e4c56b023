//! Eight sessions on one connection to a router, with much in each of them at once.

use std::net::SocketAddr;

use super::{Shipped, list};
use crate::file::Pcap;
use crate::i2cp::{
    PROTOCOL_BYTE, create_lease_set, create_session, destroy_session, frame, get_date,
    message_payload, message_status, request_variable_lease_set, send_message, session_status,
    set_date, wrap,
};
use crate::message::{Id, ack, client_close, client_data, id, server_close, server_data, syn};
use crate::{End, Link, TcpFlow, Wire, key_destination, length_u32, seeded_destination};

/// Sessions of the connection.
const SESSIONS: u8 = 8;
/// How many others each of them calls.
const CALLS: u8 = 2;

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "sessions.rs",
        vec![(
            "i2cp-eight-sessions.pcap",
            "one connection with eight sessions that call one another: their conversations, lookups, lease sets, losses, findings and ends are interleaved",
            pcap(),
        )],
    )
}

fn pcap() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut router = Connection::open();
    router.begin(&mut wire);
    router.look_up(&mut wire);
    for number in 1..=CALLS {
        converse(&mut wire, &mut router, number);
    }
    router.disturb(&mut wire);
    router.leave(&mut wire);
    Pcap::USUAL.write(&wire)
}

/// Each session calls another one, and all do the same at the same time.
fn converse(wire: &mut Wire, router: &mut Connection, number: u8) {
    let calls: Vec<Call> = (0..SESSIONS).map(|from| Call::new(from, number)).collect();
    let syns = calls.iter().map(|call| {
        let syn = syn(call.client, &destination(call.from));
        call.to_server(syn)
    });
    router.pass(wire, &syns.collect::<Vec<_>>());
    // One is refused.
    let (refused, accepted) = calls.split_at(1);
    let answers = accepted
        .iter()
        .map(|call| call.to_client(ack(call.client, call.server)))
        .chain([refused[0].to_client(server_close(refused[0].client))]);
    router.pass(wire, &answers.collect::<Vec<_>>());
    for word in 1..=2 {
        let words = accepted.iter().flat_map(|call| {
            let text = format!("utterance {word}.{number}.{}\n", call.from);
            let text = text.as_bytes();
            [
                call.to_server(client_data(call.server, text)),
                call.to_client(server_data(call.client, text)),
            ]
        });
        router.pass(wire, &words.collect::<Vec<_>>());
    }
    // One is lost, and of one the first is late.
    let asked = |place: usize, text: &[u8]| {
        let call = &accepted[place];
        call.to_server(client_data(call.server, text))
    };
    router.send(wire, &[asked(0, b"lost\n"), asked(1, b"first\n")]);
    router.send(wire, &[asked(2, b"twice\n"), asked(1, b"other\n")]);
    router.deliver(wire, &[asked(1, b"other\n"), asked(2, b"twice\n")]);
    router.deliver(wire, &[asked(1, b"first\n"), asked(2, b"twice\n")]);
    // A third of them end, and some are told something more behind that.
    let closed = || accepted.iter().skip(usize::from(number)).step_by(3);
    let closes = closed().map(|call| call.to_server(client_close(call.server)));
    router.pass(wire, &closes.collect::<Vec<_>>());
    let late = closed().map(|call| call.to_client(server_data(call.client, b"late\n")));
    router.pass(wire, &late.collect::<Vec<_>>());
}

/// A conversation of two sessions.
struct Call {
    from: u8,
    to: u8,
    client: Id,
    server: Id,
}

/// A message on its way through the router.
struct Passing {
    from: u8,
    to: u8,
    message: Vec<u8>,
}

impl Call {
    fn new(from: u8, number: u8) -> Self {
        let own = u32::from(from) << 8 | u32::from(number);
        Self {
            from,
            to: (from + number) % SESSIONS,
            client: id(0x0c_0000 | own),
            server: id(0x05_0000 | own),
        }
    }

    fn to_server(&self, message: Vec<u8>) -> Passing {
        Passing {
            from: self.from,
            to: self.to,
            message,
        }
    }

    fn to_client(&self, message: Vec<u8>) -> Passing {
        Passing {
            from: self.to,
            to: self.from,
            message,
        }
    }
}

/// The router numbers sessions in another order than they come.
fn session(place: u8) -> u16 {
    0x0700 + u16::from(place * 5 % SESSIONS)
}

fn destination(place: u8) -> Vec<u8> {
    match place % 2 {
        0 => seeded_destination(100 + u64::from(place)),
        _ => key_destination(100 + u64::from(place)),
    }
}

/// An application's only connection to its router.
struct Connection {
    flow: TcpFlow,
    next_message: u32,
    next_nonce: u32,
}

impl Connection {
    fn open() -> Self {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            flow: TcpFlow::new(address(40112), address(7654)),
            next_message: 1,
            next_nonce: 1,
        }
    }

    fn begin(&mut self, wire: &mut Wire) {
        self.flow.open(wire);
        self.say(wire, End::Client, [vec![PROTOCOL_BYTE], get_date()]);
        self.say(wire, End::Server, [set_date()]);
        for place in 0..SESSIONS {
            let nickname = format!("number {place}");
            let options = [("inbound.nickname", &*nickname)];
            let create = create_session(&destination(place), &options);
            self.say(wire, End::Client, [create]);
            self.say(wire, End::Server, [session_status(session(place), 1)]);
        }
        self.renew_leases(wire);
    }

    fn renew_leases(&mut self, wire: &mut Wire) {
        let requests = (0..SESSIONS).map(|place| request_variable_lease_set(session(place)));
        self.say(wire, End::Server, requests);
        let sets = (0..SESSIONS).map(|place| create_lease_set(session(place), &destination(place)));
        self.say(wire, End::Client, sets);
    }

    /// All ask for somebody by a hash, and are answered in another order.
    fn look_up(&mut self, wire: &mut Wire) {
        let numbers = |place: u8| {
            let number = u32::from(place) + 1;
            [&session(place).to_be_bytes()[..], &number.to_be_bytes()].concat()
        };
        let asked = (0..SESSIONS).map(|place| {
            // 10 s, a hash.
            let query = [&10_000_u32.to_be_bytes()[..], &[0], &[place; 32]];
            frame(38, &[numbers(place), query.concat()].concat())
        });
        self.say(wire, End::Client, asked);
        let answers = (0..SESSIONS).rev().map(|place| {
            let answer = match place % 3 {
                0 => vec![1],
                _ => [vec![0], destination(place)].concat(),
            };
            frame(39, &[numbers(place), answer].concat())
        });
        self.say(wire, End::Server, answers);
    }

    /// What all sessions send and get at once, the last first.
    fn pass(&mut self, wire: &mut Wire, messages: &[Passing]) {
        self.send(wire, messages);
        let arriving: Vec<&Passing> = messages.iter().rev().collect();
        self.receive(wire, &arriving);
    }

    fn send(&mut self, wire: &mut Wire, messages: &[Passing]) {
        let mut sent = Vec::new();
        let mut statuses = Vec::new();
        for passing in messages {
            let payload = wrap(&passing.message);
            let (own, nonce) = (session(passing.from), self.next_nonce);
            self.next_nonce += 1;
            sent.push(send_message(own, &destination(passing.to), &payload, nonce));
            let (number, size) = (self.take_message_id(), length_u32(payload.len()));
            statuses.push(message_status(own, number, 1, size, nonce));
        }
        self.say(wire, End::Client, sent);
        self.say(wire, End::Server, statuses);
    }

    fn deliver(&mut self, wire: &mut Wire, messages: &[Passing]) {
        self.receive(wire, &messages.iter().collect::<Vec<_>>());
    }

    fn receive(&mut self, wire: &mut Wire, messages: &[&Passing]) {
        let arriving: Vec<Vec<u8>> = messages
            .iter()
            .map(|passing| {
                let number = self.take_message_id();
                message_payload(session(passing.to), number, &wrap(&passing.message))
            })
            .collect();
        self.say(wire.wait(500), End::Server, arriving);
    }

    /// In all sessions: a payload that cannot be read, a stray, and new leases.
    fn disturb(&mut self, wire: &mut Wire) {
        let payloads: Vec<Vec<u8>> = (0..SESSIONS)
            .flat_map(|place| {
                let stray = wrap(&client_data(id(0x0b_ad00 | u32::from(place)), b"stray\n"));
                [b"no gzip at all".to_vec(), stray].map(|payload| {
                    let number = self.take_message_id();
                    message_payload(session(place), number, &payload)
                })
            })
            .collect();
        self.say(wire, End::Server, payloads);
        self.renew_leases(wire);
    }

    /// Three sessions are given up, then the connection is lost with all others.
    fn leave(&mut self, wire: &mut Wire) {
        let places = [6, 1, 3];
        let destroyed = places.map(|place| destroy_session(session(place)));
        self.say(wire, End::Client, destroyed);
        let confirmed = places.map(|place| session_status(session(place), 0));
        self.say(wire, End::Server, confirmed);
        self.flow.reset(wire, End::Server);
    }

    /// Frames in one segment.
    fn say(&mut self, wire: &mut Wire, from: End, frames: impl IntoIterator<Item = Vec<u8>>) {
        let frames: Vec<Vec<u8>> = frames.into_iter().collect();
        self.flow.send(wire, from, &frames.concat());
    }

    const fn take_message_id(&mut self) -> u32 {
        let number = self.next_message;
        self.next_message += 1;
        number
    }
}
