//! Captures of several flows on all carriers, made of a program of messages.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};

use arbitrary::{Result, Unstructured};
use memchr::memmem;
use ministream::capture::CaptureFile;
use ministream::carrier::Carrier;
use ministream::conversation::{Conversation, ConversationState, EndOfInput, FindingCode};
use ministream::dissect::{
    Collected, DecodeAs, DetectionSource, DissectCounts, DissectOptions, Dissector, StepSource,
};
use ministream::net::Transport;
use ministream::select::redact::Secrets;
use ministream::wire::DestinationHash;
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{
    End, Link, TcpFlow, UdpFlow, Wire, i2cp, ip, message, seeded_destination,
};

use crate::capture_file::dissect;
use crate::outputs;

/// One to four flows, interleaved: UDP, all carriers over TCP, I2CP; over IPv4 and IPv6; in
/// segments of any size, resent, swapped and doubled, in fragments in any order; the carrier
/// detected or given. Each message is found once, and each conversation as it was, with every
/// byte of its payload counted.
///
/// With little memory there are no more messages and bytes than were sent, unless what was sent
/// twice was forgotten between; and if there are fewer, a finding says that something was
/// forgotten or is missing. With packets
/// lost, cut or damaged nothing panics. Always, whether packets are taken one by one or in
/// batches changes nothing, and [the outputs](outputs) are as they should be.
///
/// What is redacted depends on no byte of a payload, and shows no destination. Packets that are
/// made anew hold the same conversations.
pub fn run(data: &[u8]) {
    crate::given(data, |input| check(data, input));
}

/// What happens to a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// Nothing.
    Whole,
    /// It is read with little memory.
    Scarce,
    /// Packets are lost, cut, changed, or read as another carrier.
    Damaged,
}

/// Messages that a flow has at most, besides closes.
const MAX_STEPS: usize = 12;

/// The most packets of one capture: more only take longer.
const MAX_PACKETS: usize = 2_000;

/// What is captured, and what was said there.
struct Program {
    trial: Trial,
    options: DissectOptions,
    resends: bool,
    flows: Vec<Flow>,
    expected: Vec<Outline>,
    message_count: u64,
    capture: Vec<u8>,
}

/// The bytes of all payloads are changed by `mask`.
fn program(input: &mut Unstructured<'_>, mask: u8) -> Result<Option<Program>> {
    let trial = *input.choose(&[Trial::Whole, Trial::Scarce, Trial::Damaged])?;
    let mut options = DissectOptions::default();
    let ids_repeat = input.arbitrary()?;
    let resends = input.arbitrary()?;
    let mut expected = Vec::new();
    let mut message_count = 0;
    let mut flows = Vec::new();
    let mut packets = Vec::new();
    for number in 0..input.int_in_range(1..=4)? {
        let mut flow = Flow::new(input, number, trial, resends)?;
        flow.mask = mask;
        let first_id = if ids_repeat { 0 } else { number * 20 };
        flow.converse(input, first_id, &mut expected)?;
        message_count += flow.message_count;
        packets.push(flow.disturbed(input)?);
        if input.arbitrary()? {
            options.decode_as.push(flow.rule());
        }
        flows.push(flow);
    }
    let mut wire = interleaved(input, packets)?;
    if wire.packets.len() > MAX_PACKETS {
        return Ok(None);
    }
    match trial {
        Trial::Whole => {}
        Trial::Scarce => starve(input, &mut options)?,
        Trial::Damaged => damage(input, &mut wire, &mut options)?,
    }
    expected.sort();
    Ok(Some(Program {
        trial,
        options,
        resends,
        flows,
        expected,
        message_count,
        capture: Pcap::USUAL.write(&wire),
    }))
}

fn check(data: &[u8], input: &mut Unstructured<'_>) -> Result<()> {
    let Some(program) = program(input, 0)? else {
        return Ok(());
    };
    let Program {
        options, capture, ..
    } = &program;
    let mut seen = Collected::default();
    let (_, counts) = dissect(capture, options.clone(), &mut seen).expect("it is a capture");
    assert_eq!(
        in_batches(capture, options.clone()),
        (seen.clone(), counts),
        "what is seen in batches, and packet by packet"
    );
    let choice = input.arbitrary()?;
    match program.trial {
        Trial::Whole => {
            assert_eq!(seen.message_count, program.message_count, "messages");
            let mut found: Vec<_> = seen.conversations.iter().map(Outline::of).collect();
            found.sort();
            assert_eq!(found, program.expected, "conversations");
            compare_flows(&seen, &program.flows, options);
            check_made_packets(&program);
            check_redaction(&program, data, choice)?;
        }
        Trial::Scarce => check_scarce(&seen, &program),
        Trial::Damaged => {}
    }
    outputs::check(choice, capture, options);
    Ok(())
}

/// Packets that are made anew hold the conversations of all flows but those with a router.
fn check_made_packets(program: &Program) {
    let Program { options, .. } = program;
    let made = outputs::redacted(outputs::PACKETS, &program.capture, options, Secrets::NONE);
    let made = made.expect("it is a capture");
    let mut seen = Collected::default();
    dissect(&made, options.clone(), &mut seen).expect("it is a capture");
    let mut found: Vec<_> = seen.conversations.iter().map(Outline::of).collect();
    found.sort();
    let at_router = |address: &SocketAddr| {
        let mut flows = program.flows.iter();
        flows.any(|flow| flow.carrier() == Carrier::I2cp && flow.has_end(address))
    };
    let mut expected = program.expected.clone();
    expected.retain(|one| !at_router(&one.client));
    assert_eq!(found, expected, "conversations in packets that were made");
}

/// What is redacted is the same whatever was said, and no destination is in it.
fn check_redaction(program: &Program, data: &[u8], choice: u8) -> Result<()> {
    let Program {
        options,
        capture,
        flows,
        ..
    } = program;
    let hidden = |capture: &[u8], payload, destinations| {
        let secrets = Secrets {
            payload,
            destinations,
        };
        outputs::redacted(choice, capture, options, secrets).expect("it is a capture")
    };
    // gzip makes some bytes longer than others.
    if flows.iter().all(|flow| flow.carrier() != Carrier::I2cp) {
        let others = self::program(&mut Unstructured::new(data), 0x5a)?;
        let others = others.expect("it has as many packets").capture;
        assert!(
            hidden(capture, true, false) == hidden(&others, true, false),
            "what is redacted depends on the payload"
        );
    }
    let written = hidden(capture, false, true);
    for destination in flows.iter().flat_map(|flow| &flow.destinations) {
        for form in forms(destination) {
            // Bytes that a conversation carries are shown, whatever they say.
            let says = |bytes| memmem::find(bytes, &form).is_some();
            assert!(!says(&written) || says(data), "a destination is shown");
        }
    }
    Ok(())
}

/// The beginnings of all that a destination can be recognised by, in outputs and in records.
fn forms(destination: &[u8]) -> Vec<Vec<u8>> {
    let hash = DestinationHash::of(destination);
    let mut forms = vec![
        destination[..16].to_vec(),
        hash.to_string().into_bytes()[..12].to_vec(),
        hash.to_base64()[..16].to_vec(),
    ];
    for bytes in [&destination[..16], &hash.0[..16]] {
        for between in ["", " "] {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            forms.push(digits.join(between).into_bytes());
        }
    }
    forms
}

/// What a conversation was, as far as it can be told by its flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outline {
    client: SocketAddr,
    client_id: [u8; 3],
    state: &'static str,
    c2s: (u64, u64),
    s2c: (u64, u64),
}

impl Outline {
    fn of(conversation: &Conversation) -> Self {
        let tally =
            |tally: ministream::conversation::Tally| (tally.message_count, tally.payload_bytes);
        Self {
            client: conversation.client.address,
            client_id: conversation.client_id.map_or([0; 3], |id| id.0.0),
            state: conversation.state.name(),
            c2s: tally(conversation.c2s),
            s2c: tally(conversation.s2c),
        }
    }
}

/// How a flow carries messages.
#[derive(Clone, Debug)]
enum Way {
    Datagrams(UdpFlow),
    Prefixed(TcpFlow, Prefix),
    Segments(TcpFlow),
    /// A connection of an application to its router.
    Router(TcpFlow, Application),
}

/// What an application and its router count.
#[derive(Clone, Debug, Default)]
struct Application {
    session: u16,
    message: u32,
    nonce: u32,
}

/// A flow and the packets that it has sent, in their order, without a link's header.
#[derive(Clone, Debug)]
struct Flow {
    number: u8,
    way: Way,
    client: SocketAddr,
    server: SocketAddr,
    wire: Wire,
    /// Packets in the beginning that stay as they are.
    opened: usize,
    message_count: u64,
    /// Bytes of payloads are no message where none is looked for, if it is to be so.
    trial: Trial,
    /// Whether anything is sent a second time.
    resends: bool,
    /// Changes each byte of a payload.
    mask: u8,
    /// Those that were in SYNs.
    destinations: Vec<Vec<u8>>,
}

impl Flow {
    fn new(input: &mut Unstructured<'_>, number: u8, trial: Trial, resends: bool) -> Result<Self> {
        let ports = [9_004, 9_005, 9_006, 9_007, 7_654];
        let kind = input.int_in_range(0..=4)?;
        let addresses: [IpAddr; 2] = if input.arbitrary()? {
            [
                [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number) + 1].into(),
                [0x2001, 0xdb8, 0, 0, 0, 0, 1, 1].into(),
            ]
        } else {
            [[192, 0, 2, number + 1].into(), [192, 0, 2, 200].into()]
        };
        let client = SocketAddr::new(addresses[0], 40_000 + u16::from(number));
        let server = SocketAddr::new(addresses[1], ports[kind]);
        // The numbers of some connections pass through zero.
        let initial = *input.choose(&[[1_000_000, 2_000_000], [u32::MAX - 300, u32::MAX]])?;
        let connection = TcpFlow::with_initial_sequence(client, server, initial);
        let way = match kind {
            0 => Way::Datagrams(UdpFlow::new(client, server)),
            1 => Way::Prefixed(connection, Prefix::U32),
            2 => Way::Prefixed(connection, Prefix::U16),
            3 => Way::Segments(connection),
            _ => Way::Router(connection, Application::default()),
        };
        let mut flow = Self {
            number,
            way,
            client,
            server,
            wire: Wire::new(Link::RawIp),
            opened: 0,
            message_count: 0,
            trial,
            resends,
            mask: 0,
            destinations: Vec::new(),
        };
        flow.open();
        Ok(flow)
    }

    fn carrier(&self) -> Carrier {
        match &self.way {
            Way::Datagrams(_) => Carrier::Udp,
            Way::Prefixed(_, Prefix::U32) => Carrier::TcpU32,
            Way::Prefixed(_, Prefix::U16) => Carrier::TcpU16,
            Way::Segments(_) => Carrier::Segment,
            Way::Router(..) => Carrier::I2cp,
        }
    }

    /// The carrier of its port, as a user would give it.
    fn rule(&self) -> DecodeAs {
        DecodeAs {
            transport: match self.way {
                Way::Datagrams(_) => Transport::Udp,
                _ => Transport::Tcp,
            },
            port: self.server.port(),
            carrier: self.carrier(),
        }
    }

    /// The destination of an application that is connected to a router.
    fn own_destination(&self) -> Vec<u8> {
        seeded_destination(1_000 + u64::from(self.number))
    }

    fn open(&mut self) {
        let own = self.own_destination();
        let wire = &mut self.wire;
        match &mut self.way {
            Way::Datagrams(_) => {}
            Way::Prefixed(connection, _) | Way::Segments(connection) => connection.open(wire),
            Way::Router(connection, application) => {
                connection.open(wire);
                application.session = 0x1234 + u16::from(self.number);
                let session = application.session;
                for (from, bytes) in [
                    (End::Client, vec![i2cp::PROTOCOL_BYTE]),
                    (End::Client, i2cp::get_date()),
                    (End::Server, i2cp::set_date()),
                    (End::Client, i2cp::create_session(&own, &[])),
                    (End::Server, i2cp::session_status(session, 1)),
                    (End::Server, i2cp::request_variable_lease_set(session)),
                    (End::Client, i2cp::create_lease_set(session, &own)),
                ] {
                    connection.send(wire, from, &bytes);
                }
            }
        }
        self.opened = match self.way {
            Way::Datagrams(_) => 0,
            _ => 3,
        };
    }

    /// Conversations that begin, go on and close in any order.
    fn converse(
        &mut self,
        input: &mut Unstructured<'_>,
        first_id: u8,
        expected: &mut Vec<Outline>,
    ) -> Result<()> {
        let mut running = Vec::new();
        let mut next_id = first_id;
        for step in 0..input.int_in_range(1..=MAX_STEPS)? {
            let choice = if step == 0 {
                0
            } else {
                input.int_in_range(0..=9)?
            };
            match choice {
                0 | 1 => {
                    next_id += 1;
                    running.push(self.begin(input, next_id)?);
                }
                2 if !running.is_empty() => {
                    let at = input.int_in_range(0..=running.len() - 1)?;
                    let closed = running.swap_remove(at);
                    expected.push(self.end(input, closed)?);
                }
                3 => {
                    let from = *input.choose(&[End::Client, End::Server])?;
                    let chaff = match self.way {
                        // The ping alone is not told from other bytes that are lost.
                        _ if self.trial == Trial::Scarce => message::chaff([7, 7, 7], b""),
                        _ if input.arbitrary()? => message::ping(),
                        _ => message::chaff([0, 0, 1], &self.masked(b"chaff")),
                    };
                    self.send(input, from, next_id, &chaff)?;
                }
                _ if running.is_empty() => {}
                _ => {
                    let at = input.int_in_range(0..=running.len() - 1)?;
                    self.say(input, &mut running[at])?;
                }
            }
        }
        for closed in running {
            expected.push(self.end(input, closed)?);
        }
        Ok(())
    }

    fn masked(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|byte| byte ^ self.mask).collect()
    }

    fn has_end(&self, address: &SocketAddr) -> bool {
        [self.client, self.server].contains(address)
    }

    fn begin(&mut self, input: &mut Unstructured<'_>, number: u8) -> Result<Talk> {
        let opener = *input.choose(&[End::Client, End::Server])?;
        let talk = Talk {
            opener,
            number,
            c2s: (0, 0),
            s2c: (0, 0),
        };
        let destination = match (&self.way, opener) {
            (Way::Router(..), End::Client) => self.own_destination(),
            _ => seeded_destination(u64::from(number)),
        };
        let syn = message::syn(talk.client_id(), &destination);
        self.destinations.push(destination);
        self.send(input, opener, number, &syn)?;
        let ack = message::ack(talk.client_id(), talk.server_id());
        self.send(input, opener.opposite(), number, &ack)?;
        Ok(talk)
    }

    fn say(&mut self, input: &mut Unstructured<'_>, talk: &mut Talk) -> Result<()> {
        let length = input.int_in_range(0..=input.len().min(200))?;
        let mut bytes = self.masked(input.bytes(length)?);
        if self.trial == Trial::Scarce {
            // Whoever looks for his place in a stream takes for a message what looks like one.
            bytes.iter_mut().for_each(|byte| *byte &= 0x0f);
        }
        let count = u64::try_from(bytes.len()).expect("short");
        let (from, tally, message) = if input.arbitrary()? {
            let message = message::client_data(talk.server_id(), &bytes);
            (talk.opener, &mut talk.c2s, message)
        } else {
            let message = message::server_data(talk.client_id(), &bytes);
            (talk.opener.opposite(), &mut talk.s2c, message)
        };
        *tally = (tally.0 + 1, tally.1 + count);
        self.send(input, from, talk.number, &message)
    }

    fn end(&mut self, input: &mut Unstructured<'_>, talk: Talk) -> Result<Outline> {
        let state = if input.arbitrary()? {
            let close = message::client_close(talk.server_id());
            self.send(input, talk.opener, talk.number, &close)?;
            ConversationState::ClientClosed
        } else {
            let close = message::server_close(talk.client_id());
            self.send(input, talk.opener.opposite(), talk.number, &close)?;
            ConversationState::ServerClosed
        };
        Ok(Outline {
            client: match talk.opener {
                End::Client => self.client,
                End::Server => self.server,
            },
            client_id: talk.client_id(),
            state: state.name(),
            c2s: talk.c2s,
            s2c: talk.s2c,
        })
    }

    /// Sends a message from one end, of a conversation with the peer of that number.
    fn send(
        &mut self,
        input: &mut Unstructured<'_>,
        from: End,
        peer: u8,
        message: &[u8],
    ) -> Result<()> {
        self.message_count += 1;
        let size = *input.choose(&[1_400, 100, 7, 536])?;
        let wire = &mut self.wire;
        let stream = match &mut self.way {
            Way::Datagrams(flow) => {
                flow.send(wire, from, message);
                return Ok(());
            }
            Way::Segments(connection) => {
                connection.send(wire, from, message);
                return Ok(());
            }
            Way::Prefixed(connection, prefix) => {
                let framed = prefix.before(message);
                connection.send_in_segments(wire, from, &framed, size);
                connection
            }
            Way::Router(connection, application) => {
                let Application {
                    session,
                    message: number,
                    nonce,
                } = application;
                let wrapped = i2cp::wrap(message);
                *number += 1;
                if from == End::Client {
                    *nonce += 1;
                    let to = seeded_destination(u64::from(peer));
                    let send = *input.choose(&[i2cp::send_message, i2cp::send_message_expires])?;
                    let frame = send(*session, &to, &wrapped, *nonce);
                    connection.send_in_segments(wire, from, &frame, size);
                    let length = u32::try_from(wrapped.len()).expect("short");
                    let status = i2cp::message_status(*session, *number, 1, length, *nonce);
                    connection.send(wire, End::Server, &status);
                } else {
                    let frame = i2cp::message_payload(*session, *number, &wrapped);
                    connection.send_in_segments(wire, from, &frame, size);
                }
                connection
            }
        };
        if self.resends && input.int_in_range(0..=5)? == 5 {
            let end = *input.choose(&[End::Client, End::Server])?;
            let sent = stream.sent_bytes(end);
            if sent > 0 {
                let start = input.int_in_range(0..=sent - 1)?;
                let stop = input.int_in_range(start + 1..=sent.min(start + 1_000))?;
                stream.resend(wire, end, start..stop);
            }
        }
        Ok(())
    }

    /// The packets in another order and in pieces, so that nothing is lost.
    fn disturbed(&self, input: &mut Unstructured<'_>) -> Result<Vec<Vec<u8>>> {
        let mut packets = Vec::new();
        let size = *input.choose(&[0, 0, 64, 8, 512])?;
        for (place, packet) in self.wire.packets.iter().enumerate() {
            let pieces = if place < self.opened {
                vec![packet.data.clone()]
            } else {
                self.fragments(input, &packet.data, place, size)?
            };
            packets.extend(pieces);
        }
        if let Way::Datagrams(_) = self.way {
            // Datagrams in another order are another conversation.
            return Ok(packets);
        }
        for _ in 0..input.int_in_range(0..=8)? {
            let last = packets.len() - 1;
            let place = input.int_in_range(self.opened.min(last)..=last)?;
            if self.resends && input.arbitrary()? {
                let copy = packets[place].clone();
                packets.insert(place + 1, copy);
            } else {
                let distance = input.int_in_range(1..=4)?;
                for place in place..(place + distance).min(last) {
                    if self.end_of(&packets[place]) != self.end_of(&packets[place + 1]) {
                        break;
                    }
                    packets.swap(place, place + 1);
                }
            }
        }
        Ok(packets)
    }

    /// Who has sent a packet.
    fn end_of(&self, packet: &[u8]) -> End {
        let is_clients = match self.client.ip() {
            IpAddr::V4(address) => packet[12..16] == address.octets(),
            IpAddr::V6(address) => packet[8..24] == address.octets(),
        };
        if is_clients { End::Client } else { End::Server }
    }

    /// A packet in fragments of that size, in any order, one of them perhaps twice.
    fn fragments(
        &self,
        input: &mut Unstructured<'_>,
        packet: &[u8],
        place: usize,
        size: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let (header, protocol) = match self.client {
            SocketAddr::V4(_) => (20, packet[9]),
            SocketAddr::V6(_) => (40, packet[6]),
        };
        let payload = &packet[header..];
        if size == 0 || payload.len() <= size || payload.len() > size * 40 {
            return Ok(vec![packet.to_vec()]);
        }
        let (source, target) = match self.end_of(packet) {
            End::Client => (self.client, self.server),
            End::Server => (self.server, self.client),
        };
        let path = ip::Path { source, target };
        let identification = u16::try_from(place).expect("few packets");
        let mut fragments: Vec<_> = ip::pieces(payload.len(), size)
            .into_iter()
            .map(|piece| ip::fragment(path, protocol, identification, payload, piece))
            .collect();
        match input.int_in_range(0..=3)? {
            0 => {}
            1 => fragments.reverse(),
            2 => {
                let place = input.int_in_range(0..=fragments.len() - 1)?;
                fragments.rotate_left(place);
            }
            _ => {
                let place = input.int_in_range(0..=fragments.len() - 1)?;
                let copy = fragments[place].clone();
                fragments.insert(place, copy);
            }
        }
        Ok(fragments)
    }
}

/// A conversation while it goes on.
#[derive(Clone, Debug)]
struct Talk {
    opener: End,
    number: u8,
    c2s: (u64, u64),
    s2c: (u64, u64),
}

impl Talk {
    const fn client_id(&self) -> [u8; 3] {
        [1, 0, self.number]
    }

    const fn server_id(&self) -> [u8; 3] {
        [2, 0, self.number]
    }
}

/// The packets of all flows on one link.
fn interleaved(input: &mut Unstructured<'_>, flows: Vec<Vec<Vec<u8>>>) -> Result<Wire> {
    let mut wire = Wire::new(input.choose(&[Link::ETHERNET, Link::RawIp])?.clone());
    let mut flows: Vec<_> = flows.into_iter().map(Vec::into_iter).collect();
    while !flows.is_empty() {
        let place = input.int_in_range(0..=flows.len() - 1)?;
        let count = input.int_in_range(1..=20)?;
        for packet in flows[place].by_ref().take(count) {
            wire.push(&packet);
            if packet[0] >> 4 == 6 {
                // Equal datagrams without a number are copies of one, if they come within 5 ms.
                wire.wait(6_000);
            }
        }
        flows.retain(|flow| flow.len() > 0);
    }
    Ok(wire)
}

/// Takes memory away.
fn starve(input: &mut Unstructured<'_>, options: &mut DissectOptions) -> Result<()> {
    if input.int_in_range(0..=7)? == 0 {
        *options = options.clone().with_memory(0);
        return Ok(());
    }
    let network = &mut options.network;
    network.flow_bytes = *input.choose(&[usize::MAX, 0, 1_000, 4_000, 10_000])?;
    network.stream_bytes = *input.choose(&[usize::MAX, 0, 10, 500])?;
    network.total_stream_bytes = *input.choose(&[usize::MAX, 0, 100, 1_000])?;
    network.fragmented_datagrams = *input.choose(&[1_024, 0, 1, 2])?;
    network.fragment_bytes = *input.choose(&[usize::MAX, 0, 100, 1_000])?;
    options.tracker.memory_bytes = *input.choose(&[usize::MAX, 0, 1_000, 4_000, 10_000])?;
    options.tracker.max_lingering = *input.choose(&[4_096, 0, 1])?;
    Ok(())
}

/// Loses, cuts and changes packets, and now and then calls a carrier by another's name.
fn damage(
    input: &mut Unstructured<'_>,
    wire: &mut Wire,
    options: &mut DissectOptions,
) -> Result<()> {
    for _ in 0..input.int_in_range(0..=8)? {
        let place = input.int_in_range(0..=wire.packets.len() - 1)?;
        match input.int_in_range(0..=4)? {
            0 if wire.packets.len() > 1 => drop(wire.packets.remove(place)),
            1 => wire.packets[place].cut(input.int_in_range(0..=200)?),
            2 => {
                let other = input.int_in_range(0..=wire.packets.len() - 1)?;
                wire.swap(place, other);
            }
            _ => {
                let data = &mut wire.packets[place].data;
                if let Some(last) = data.len().checked_sub(1) {
                    data[input.int_in_range(0..=last)?] = input.arbitrary()?;
                }
            }
        }
    }
    if input.arbitrary()?
        && let Some(rule) = options.decode_as.first_mut()
        && rule.transport == Transport::Tcp
    {
        rule.carrier = *input.choose(&Carrier::ALL[1..])?;
    }
    Ok(())
}

/// The same capture, taken in batches.
fn in_batches(capture: &[u8], options: DissectOptions) -> (Collected, DissectCounts) {
    let file = CaptureFile::from_reader("fuzz.pcap", Cursor::new(capture.to_vec()))
        .expect("it is a capture");
    let mut source = StepSource::in_batches(file, &options.network);
    let mut dissector = Dissector::new(options);
    let mut seen = Collected::default();
    while let Some(steps) = source.next_steps().expect("it is whole") {
        let Ok(()) = dissector.push_steps(steps, &mut seen);
    }
    let Ok(()) = dissector.finish_steps(EndOfInput::Complete, &mut source, &mut seen);
    (seen, dissector.counts())
}

/// Each flow is told once, with its addresses and its carrier, and how that was decided.
fn compare_flows(seen: &Collected, flows: &[Flow], options: &DissectOptions) {
    let told: Vec<_> = seen
        .flows
        .iter()
        .map(|flow| (flow.addresses, flow.carrier, flow.detection))
        .collect();
    assert_eq!(told.len(), flows.len(), "flows");
    for flow in flows {
        let decided = if options.decode_as.contains(&flow.rule()) {
            DetectionSource::Rule
        } else {
            DetectionSource::Content
        };
        let is_told = told.iter().any(|(addresses, carrier, by)| {
            let ends = BTreeSet::from(*addresses);
            ends == BTreeSet::from([flow.client, flow.server])
                && *carrier == flow.carrier()
                && *by == decided
        });
        assert!(is_told, "{flow:?} is not among {told:?}");
    }
}

/// What must hold with little memory.
fn check_scarce(seen: &Collected, program: &Program) {
    let Program {
        expected,
        message_count,
        resends,
        ..
    } = program;
    let message_count = *message_count;
    let bytes = |sent: &Outline| sent.c2s.1 + sent.s2c.1;
    let sent: u64 = expected.iter().map(bytes).sum();
    let found: u64 = seen
        .conversations
        .iter()
        .map(Outline::of)
        .map(|one| bytes(&one))
        .sum();
    let has = |codes: &[FindingCode]| {
        let mut findings = seen.findings.iter();
        findings.any(|finding| codes.contains(&finding.code))
    };
    if !*resends || !has(&[FindingCode::CaptureEvicted]) {
        let count = seen.message_count;
        assert!(
            count <= message_count,
            "{count} of {message_count} messages"
        );
        assert!(found <= sent, "{found} of {sent} bytes");
    }
    let is_all = (seen.message_count, found, seen.conversations.len())
        == (message_count, sent, expected.len());
    assert!(
        is_all || has(&TELLING),
        "{} of {message_count} messages, {found} of {sent} bytes, {} of {} conversations, and no finding says why",
        seen.message_count,
        seen.conversations.len(),
        expected.len()
    );
}

/// Findings that say that something is missing.
const TELLING: [FindingCode; 8] = [
    FindingCode::CaptureEvicted,
    FindingCode::TcpGap,
    FindingCode::TcpNoStart,
    FindingCode::TcpIncomplete,
    FindingCode::TcpSkipped,
    FindingCode::TcpBadPrefix,
    FindingCode::UdpFragmentMissing,
    FindingCode::I2cpBadFrame,
];
