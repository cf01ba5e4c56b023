//! The tracker against written traffic: every line is a message with its expected meaning.

mod busy;
mod counting;
mod disorder;
mod stalls;

use super::super::registry::CONVERSATION_BYTES;
use super::*;
use crate::carrier::Carrier;
use crate::conversation::id_table::MAX_NAMESAKES;
use crate::conversation::{ConversationId, FindingCode, I2cpSession, Level, SessionId};
use crate::wire::StreamId;

/// A tracker with channels, driven by messages in hex.
struct Watch {
    tracker: Tracker,
    time: Timestamp,
    packet: u64,
    /// Bytes that the next messages lack at their ends.
    cut_bytes: u32,
}

const A: Side = Side::Initiator;
const B: Side = Side::Responder;

impl Watch {
    fn new() -> Self {
        Self::with(TrackerOptions::default())
    }

    fn with(options: TrackerOptions) -> Self {
        Self {
            tracker: Tracker::new(options),
            time: Timestamp::from_parts(1_085_486_400, 0),
            packet: 0,
            cut_bytes: 0,
        }
    }

    fn channel(&mut self, carrier: Carrier, start: ChannelStart) -> ChannelId {
        self.tracker
            .open_channel(Channel::new(carrier, addresses(), start, None))
    }

    fn udp(&mut self) -> ChannelId {
        self.channel(Carrier::Udp, ChannelStart::Unknown)
    }

    fn session(&mut self, wire_id: u16, nickname: &str, destination: &[u8]) -> ChannelId {
        let session = I2cpSession {
            id: SessionId(u32::from(wire_id)),
            wire_id: Some(wire_id),
            nickname: Some(nickname.to_owned()),
            hash: Some(DestinationHash::of(destination)),
        };
        self.tracker.open_channel(Channel::new(
            Carrier::I2cp,
            addresses(),
            ChannelStart::Captured,
            Some(session),
        ))
    }

    fn wait(&mut self, millis: i64) {
        self.time = self.time.plus_nanos(millis * 1_000_000);
    }

    /// Passes a message 1 ms after the one before; returns its meaning and its findings.
    fn pass(&mut self, channel: ChannelId, from: Side, message: &[u8]) -> String {
        self.pass_to(channel, from, None, message)
    }

    fn pass_to(
        &mut self,
        channel: ChannelId,
        from: Side,
        addressee: Option<DestinationHash>,
        message: &[u8],
    ) -> String {
        self.wait(1);
        self.packet += 1;
        let event = self.tracker.observe(&Observation {
            packet: self.packet,
            time: self.time,
            elapsed_us: 0,
            encapsulation: crate::net::Encapsulation::NONE,
            channel,
            from,
            message: RawMessage::parse(message),
            cut_bytes: self.cut_bytes,
            addressee,
        });
        let conversation = match event.conversation {
            Some(id) => id.to_string(),
            None => "-".to_owned(),
        };
        let direction = event.direction.map_or("---", Direction::name);
        let mut line = format!("{direction} {conversation} {}", meaning(event.meaning));
        for finding in event.findings {
            line.push_str(&format!(" [{} {}]", finding.level, finding.code));
        }
        line
    }

    /// The events apart from messages since the last call.
    fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.tracker.next_event())
            .map(|event| match event {
                TrackerEvent::Finding(finding) => format!(
                    "{} {} #{}",
                    finding.level,
                    finding.code,
                    finding.message.unwrap()
                ),
                TrackerEvent::Ended(conversation) => describe(&conversation),
            })
            .collect()
    }

    fn finish(&mut self) -> Vec<String> {
        self.tracker.finish(self.time, EndOfInput::Complete);
        let events = self.events();
        assert_eq!(self.tracker.tracked_count(), 0);
        events
    }
}

fn addresses() -> [std::net::SocketAddr; 2] {
    [
        ([127, 0, 0, 1], 40112).into(),
        ([127, 0, 0, 1], 9004).into(),
    ]
}

fn meaning(meaning: Meaning) -> String {
    match meaning {
        Meaning::Opens => "opens".to_owned(),
        Meaning::Accepts { server_id, .. } => format!("accepts {server_id}"),
        Meaning::Refuses { .. } => "refuses".to_owned(),
        Meaning::Carries => "carries".to_owned(),
        Meaning::Closes { by } => format!("closes {}", by.name()),
        Meaning::ClosesAgain => "closes again".to_owned(),
        Meaning::Ignored => "ignored".to_owned(),
        Meaning::Orphan => "orphan".to_owned(),
        Meaning::Idle => "idle".to_owned(),
        Meaning::Meaningless | Meaning::Untracked => "meaningless".to_owned(),
    }
}

fn describe(conversation: &Conversation) -> String {
    let client_id = conversation
        .client_id
        .map_or("-".to_owned(), |id| id.to_string());
    let server_id = conversation
        .server_id
        .map_or("-".to_owned(), |id| id.to_string());
    format!(
        "{} {client_id}/{server_id} {} {}/{} {}/{}",
        conversation.id,
        conversation.state,
        conversation.c2s.message_count,
        conversation.c2s.payload_bytes,
        conversation.s2c.message_count,
        conversation.s2c.payload_bytes,
    )
}

fn destination() -> Vec<u8> {
    vec![0; Destination::MIN_BYTES]
}

/// Of the lines of findings, those about messages that a router lost.
fn losses(told: &[String]) -> Vec<&str> {
    let lines = told.iter().map(String::as_str);
    lines.filter(|line| line.contains("i2cp.lost")).collect()
}

fn message(frame_type: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![frame_type];
    message.extend_from_slice(&StreamId::from_u32(id).0);
    message.extend_from_slice(payload);
    message
}

fn syn(id: u32) -> Vec<u8> {
    message(0xa1, id, &destination())
}

fn ack(client_id: u32, server_id: u32) -> Vec<u8> {
    message(0x51, client_id, &StreamId::from_u32(server_id).0)
}

#[test]
fn the_three_samples_of_the_specification() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    assert_eq!(watch.pass(udp, A, &syn(0x123456)), "c2s c1 opens");
    assert_eq!(
        watch.pass(udp, B, &message(0x52, 0x123456, &[])),
        "s2c c1 refuses"
    );

    assert_eq!(watch.pass(udp, A, &syn(0x234567)), "c2s c2 opens");
    assert_eq!(
        watch.pass(udp, B, &ack(0x234567, 0x987654)),
        "s2c c2 accepts 987654"
    );
    assert_eq!(
        watch.pass(udp, B, &message(0x50, 0x234567, b"data")),
        "s2c c2 carries"
    );
    assert_eq!(
        watch.pass(udp, A, &message(0xa2, 0x987654, &[])),
        "c2s c2 closes c2s"
    );

    assert_eq!(watch.pass(udp, A, &syn(0x111111)), "c2s c3 opens");
    assert_eq!(
        watch.pass(udp, B, &ack(0x111111, 0xffffff)),
        "s2c c3 accepts ffffff"
    );
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 0xffffff, b"data")),
        "c2s c3 carries"
    );
    assert_eq!(
        watch.pass(udp, B, &message(0x50, 0x111111, b"data")),
        "s2c c3 carries"
    );
    assert_eq!(
        watch.pass(udp, B, &message(0x50, 0x111111, b"more data")),
        "s2c c3 carries"
    );
    assert_eq!(
        watch.pass(udp, B, &message(0x51, 0x111111, &[])),
        "s2c c3 closes s2c [warn ms.ack_empty]"
    );
    assert_eq!(
        watch.finish(),
        [
            "c1 123456/- refused 0/0 0/0",
            "c2 234567/987654 client closed 0/0 1/4",
            "c3 111111/ffffff server closed 1/4 2/13",
        ]
    );
}

#[test]
fn an_empty_ack_is_taken_back_by_the_data_after_it() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &ack(1, 2));
    watch.pass(udp, B, &message(0x51, 1, &[]));
    assert_eq!(
        watch.pass(udp, B, &message(0x50, 1, b"on")),
        "s2c c1 carries"
    );
    watch.wait(40_000);
    assert_eq!(
        watch.pass(udp, A, &message(0xa2, 2, &[])),
        "c2s c1 closes c2s",
        "it is open again and not forgotten after the time that closed ones are kept"
    );
    assert_eq!(watch.finish(), ["c1 000001/000002 client closed 0/0 1/2"]);
}

#[test]
fn ids_are_free_again_after_a_close() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    for round in 1..=3 {
        assert_eq!(
            watch.pass(udp, A, &syn(1)),
            format!("c2s c{round} opens"),
            "no finding"
        );
        assert_eq!(
            watch.pass(udp, B, &ack(1, 2)),
            format!("s2c c{round} accepts 000002")
        );
        assert_eq!(
            watch.pass(udp, A, &message(0xa2, 2, &[])),
            format!("c2s c{round} closes c2s")
        );
    }
    assert_eq!(watch.finish().len(), 3);
}

#[test]
fn an_id_in_use_makes_two_conversations_as_the_reference_does() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    assert_eq!(
        watch.pass(udp, A, &syn(1)),
        "c2s c2 opens [warn ms.id_reuse]"
    );
    assert_eq!(watch.pass(udp, B, &ack(1, 7)), "s2c c1 accepts 000007");
    assert_eq!(watch.pass(udp, B, &ack(1, 8)), "s2c c2 accepts 000008");
    assert_eq!(
        watch.pass(udp, B, &ack(1, 9)),
        "s2c c1 ignored [warn ms.ack_duplicate]"
    );
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 8, b"x")),
        "c2s c2 carries"
    );
    watch.pass(udp, A, &syn(5));
    assert_eq!(
        watch.pass(udp, B, &ack(5, 7)),
        "s2c c3 accepts 000007 [warn ms.id_reuse]"
    );
}

#[test]
fn both_peers_may_open_conversations_with_the_same_ids() {
    let mut watch = Watch::new();
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    assert_eq!(watch.pass(tcp, A, &syn(1)), "c2s c1 opens");
    assert_eq!(watch.pass(tcp, B, &syn(1)), "c2s c2 opens");
    assert_eq!(watch.pass(tcp, A, &ack(1, 1)), "s2c c2 accepts 000001");
    assert_eq!(watch.pass(tcp, B, &ack(1, 1)), "s2c c1 accepts 000001");
    assert_eq!(
        watch.pass(tcp, A, &message(0xa0, 1, b"x")),
        "c2s c1 carries"
    );
    assert_eq!(
        watch.pass(tcp, B, &message(0xa0, 1, b"y")),
        "c2s c2 carries"
    );
    assert_eq!(
        watch.pass(tcp, A, &message(0x50, 1, b"z")),
        "s2c c2 carries"
    );
    assert_eq!(
        watch.pass(tcp, B, &message(0x50, 1, b"w")),
        "s2c c1 carries"
    );
}

#[test]
fn what_belongs_to_nobody_is_an_orphan_unless_the_capture_came_late() {
    let mut watch = Watch::new();
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    for (from, message) in [
        (A, message(0xa0, 9, b"x")),
        (A, message(0xa2, 9, &[])),
        (B, message(0x50, 9, b"x")),
        (B, message(0x52, 9, b"four")),
        (B, message(0x51, 9, &[])),
    ] {
        let line = watch.pass(tcp, from, &message);
        assert!(line.ends_with("- orphan [warn ms.orphan_id]"), "{line}");
    }

    let late = watch.channel(Carrier::TcpU32, ChannelStart::Missed);
    assert_eq!(
        watch.pass(late, A, &message(0xa0, 9, b"x")),
        "c2s c1 carries"
    );
    assert_eq!(
        watch.pass(late, A, &message(0xa2, 9, &[])),
        "c2s c1 closes c2s"
    );
    assert_eq!(watch.pass(late, B, &ack(3, 4)), "s2c c2 accepts 000004");
    assert_eq!(
        watch.pass(late, A, &message(0xa0, 4, b"x")),
        "c2s c2 carries"
    );
    assert_eq!(
        watch.finish(),
        [
            "c1 -/000009 mid-stream 1/1 0/0",
            "note ms.no_close #8",
            "c2 000003/000004 mid-stream 1/1 0/0",
        ]
    );
}

#[test]
fn behind_a_gap_an_unknown_id_may_have_been_announced_in_it() {
    let mut watch = Watch::new();
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(tcp, A, &syn(1));
    watch.pass(tcp, B, &ack(1, 2));
    assert_eq!(
        watch.pass(tcp, A, &message(0xa0, 9, b"x")),
        "c2s - orphan [warn ms.orphan_id]"
    );
    watch.tracker.note_gap(tcp);
    for (from, message, expected) in [
        (A, message(0xa0, 9, b"x"), "c2s c2 carries"),
        (A, message(0xa2, 9, &[]), "c2s c2 closes c2s"),
    ] {
        assert_eq!(watch.pass(tcp, from, &message), expected);
    }
}

#[test]
fn an_ack_that_is_read_late_joins_the_conversation_whose_server_id_it_announces() {
    let mut watch = Watch::new();
    let late = watch.channel(Carrier::TcpU32, ChannelStart::Missed);
    for (from, message, expected) in [
        (A, message(0xa0, 9, b"x"), "c2s c1 carries"),
        (B, ack(3, 9), "s2c c1 accepts 000009"),
        (B, message(0x50, 3, b"yz"), "s2c c1 carries"),
        (B, ack(3, 9), "s2c c1 ignored [warn ms.ack_duplicate]"),
        (A, message(0xa2, 9, &[]), "c2s c1 closes c2s"),
        // The same after the close.
        (A, message(0xa0, 8, b"x"), "c2s c2 carries"),
        (A, message(0xa2, 8, &[]), "c2s c2 closes c2s"),
        (B, ack(4, 8), "s2c c2 accepts 000008"),
        (B, message(0x50, 4, b"y"), "s2c c2 carries"),
        (B, message(0x52, 4, &[]), "s2c c2 closes again"),
        // An announcement of the other side's is another conversation.
        (A, message(0xa0, 7, b"x"), "c2s c3 carries"),
        (A, ack(5, 7), "s2c c4 accepts 000007"),
        (A, message(0xa2, 7, &[]), "c2s c3 closes c2s"),
        (A, message(0x52, 5, &[]), "s2c c4 closes s2c"),
    ] {
        assert_eq!(watch.pass(late, from, &message), expected);
    }
    assert_eq!(
        watch.finish(),
        [
            "c1 000003/000009 mid-stream 1/1 1/2",
            "c2 000004/000008 mid-stream 1/1 1/1",
            "c3 -/000007 mid-stream 1/1 0/0",
            "c4 000005/000007 mid-stream 0/0 0/0",
        ]
    );
}

#[test]
fn an_ack_ends_the_half_that_was_taken_for_a_conversation_of_its_own() {
    let mut watch = Watch::new();
    let late = watch.channel(Carrier::TcpU32, ChannelStart::Missed);
    for (from, message, expected) in [
        (A, syn(1), "c2s c1 opens"),
        (A, message(0xa0, 9, b"x"), "c2s c2 carries"),
        (B, ack(1, 9), "s2c c1 accepts 000009"),
        (A, message(0xa0, 9, b"yz"), "c2s c1 carries"),
        (A, message(0xa2, 9, &[]), "c2s c1 closes c2s"),
    ] {
        assert_eq!(watch.pass(late, from, &message), expected);
    }
    assert_eq!(
        watch.finish(),
        [
            "c2 -/000009 mid-stream 1/1 0/0",
            "c1 000001/000009 client closed 1/2 0/0",
        ]
    );
}

#[test]
fn behind_a_router_an_ack_joins_only_the_conversation_with_its_sender() {
    let mut watch = Watch::new();
    let session = I2cpSession {
        id: SessionId(0),
        wire_id: Some(7),
        nickname: None,
        hash: None,
    };
    let late = watch.tracker.open_channel(Channel::new(
        Carrier::I2cp,
        addresses(),
        ChannelStart::Missed,
        Some(session),
    ));
    let [one, other] = [b"one", b"two"].map(|name| Some(DestinationHash::of(name)));
    let data = message(0xa0, 9, b"x");
    // Two servers chose one id: the owner of the ACK is not known.
    assert_eq!(watch.pass_to(late, A, one, &data), "c2s c1 carries");
    assert_eq!(watch.pass_to(late, A, other, &data), "c2s c2 carries");
    assert_eq!(watch.pass(late, B, &ack(3, 9)), "s2c c3 accepts 000009");
    // The ids that this session accepts show to whom it speaks.
    assert_eq!(
        watch.pass(late, B, &message(0xa0, 5, b"x")),
        "c2s c4 carries"
    );
    assert_eq!(
        watch.pass_to(late, A, one, &ack(4, 5)),
        "s2c c4 accepts 000005"
    );
    let ended = watch.finish();
    assert!(
        ended.contains(&"c4 000004/000005 mid-stream 1/1 0/0".to_owned()),
        "{ended:?}"
    );
}

#[test]
fn a_udp_capture_that_begins_late_adopts_ids_until_the_first_syn() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 9, b"x")),
        "c2s c1 carries [warn ms.orphan_id]"
    );
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 9, b"x")),
        "c2s c1 carries"
    );
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &ack(1, 2));
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 8, b"x")),
        "c2s - orphan [warn ms.orphan_id]"
    );
}

#[test]
fn types_of_the_other_role_are_told_from_orphans() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &ack(1, 2));
    for (from, bytes) in [
        (A, message(0x50, 2, b"to the server, by its id")),
        (A, message(0x50, 1, b"by the client's id")),
        (B, message(0xa0, 1, b"to the client, by its id")),
        (B, message(0xa2, 2, &[])),
    ] {
        let line = watch.pass(udp, from, &bytes);
        assert!(
            line.ends_with("c1 ignored [error ms.wrong_direction]"),
            "{line}"
        );
    }
}

#[test]
fn each_odd_message_has_its_finding() {
    for (bytes, expected) in [
        (vec![0xff], "c2s - idle [note ms.ping]"),
        (vec![0xff, 1, 2, 3, 4], "c2s - idle [note ms.chaff]"),
        (vec![0xa0, 1], "c2s - meaningless [error ms.too_short]"),
        (vec![], "c2s - meaningless [error ms.too_short]"),
        (
            message(0x53, 2, &[]),
            "s2c - meaningless [error ms.unknown_type]",
        ),
        (
            message(0xaf, 2, &[]),
            "c2s c1 meaningless [error ms.unknown_type]",
        ),
        (
            message(0x00, 2, &[]),
            "c2s c1 meaningless [error ms.unknown_type]",
        ),
        (
            message(0xa1, 5, &[0; 100]),
            "c2s c2 opens [note ms.syn_bad_destination]",
        ),
        (syn(0), "c2s c2 opens [error ms.zero_id]"),
        (
            message(0xa0, 2, &[0; 32_769]),
            "c2s c1 carries [warn ms.oversize]",
        ),
        (message(0xa0, 2, &[0; 32_768]), "c2s c1 carries"),
        (message(0xa0, 2, &[]), "c2s c1 carries"),
        (
            message(0xa2, 2, b"why"),
            "c2s c1 closes c2s [warn ms.close_payload]",
        ),
        (
            message(0xa0, 2, b"x"),
            "c2s c1 ignored [warn ms.data_after_close]",
        ),
        (
            message(0xa2, 2, &[]),
            "c2s c1 ignored [warn ms.data_after_close]",
        ),
    ] {
        let mut watch = Watch::new();
        let udp = watch.udp();
        watch.pass(udp, A, &syn(1));
        watch.pass(udp, B, &ack(1, 2));
        // Those after the close of the list need one before them.
        if expected.contains("data_after_close") {
            watch.pass(udp, A, &message(0xa2, 2, &[]));
        }
        assert_eq!(watch.pass(udp, A, &bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn what_a_snap_length_cut_is_not_held_against_its_sender() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.cut_bytes = 200;
    assert_eq!(watch.pass(udp, A, &syn(1)[..191]), "c2s c1 opens");
    assert_eq!(watch.pass(udp, A, &[0xa1, 0]), "c2s - meaningless");
    watch.cut_bytes = 0;
    assert_eq!(
        watch.pass(udp, A, &syn(2)[..191]),
        "c2s c2 opens [note ms.syn_bad_destination]"
    );
}

#[test]
fn acks_that_are_none_leave_the_handshake_waiting() {
    for payload in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4]] {
        let mut watch = Watch::new();
        let udp = watch.udp();
        watch.pass(udp, A, &syn(1));
        assert_eq!(
            watch.pass(udp, B, &message(0x51, 1, payload)),
            "s2c c1 ignored [error ms.ack_bad_length]"
        );
        assert_eq!(watch.pass(udp, B, &ack(1, 2)), "s2c c1 accepts 000002");
    }
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    assert_eq!(
        watch.pass(udp, B, &ack(1, 0)),
        "s2c c1 accepts 000000 [error ms.zero_id]"
    );
}

#[test]
fn a_refusal_with_an_id_is_a_refusal() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    assert_eq!(
        watch.pass(udp, B, &message(0x52, 1, &[7, 8, 9])),
        "s2c c1 refuses [note ms.close_payload]"
    );
    assert_eq!(
        watch.pass(udp, B, &ack(1, 2)),
        "s2c c1 ignored [note ms.data_after_close]"
    );
}

#[test]
fn a_syn_without_answer_is_told_after_a_minute_and_may_still_be_answered() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.wait(59_998);
    watch.pass(udp, A, &[0xff]);
    assert_eq!(watch.events(), [""; 0]);
    watch.wait(1);
    watch.pass(udp, A, &[0xff]);
    assert_eq!(watch.events(), ["warn ms.syn_no_answer #1"]);
    assert_eq!(watch.pass(udp, B, &ack(1, 2)), "s2c c1 accepts 000002");
    watch.wait(100_000);
    assert_eq!(
        watch.pass(udp, A, &message(0xa2, 2, &[])),
        "c2s c1 closes c2s"
    );
}

#[test]
fn a_syn_at_the_end_of_the_capture_is_judged_by_how_long_it_waited() {
    for (millis, end, expected) in [
        (
            4_999,
            EndOfInput::Complete,
            &["note ms.syn_no_answer #1", "c1 000001/- no answer 0/0 0/0"][..],
        ),
        (
            5_000,
            EndOfInput::Complete,
            &["warn ms.syn_no_answer #1", "c1 000001/- no answer 0/0 0/0"],
        ),
        (
            5_000,
            EndOfInput::Stopped,
            &["c1 000001/- syn sent 0/0 0/0"],
        ),
    ] {
        let mut watch = Watch::new();
        let udp = watch.udp();
        watch.pass(udp, A, &syn(1));
        watch.wait(millis);
        watch.tracker.finish(watch.time, end);
        assert_eq!(watch.events(), expected);
    }
}

#[test]
fn closed_conversations_are_told_after_the_linger_time_or_beyond_its_bound() {
    let mut watch = Watch::with(TrackerOptions {
        max_lingering: 2,
        ..TrackerOptions::default()
    });
    let udp = watch.udp();
    for id in 1..=3 {
        watch.pass(udp, A, &syn(id));
        watch.pass(udp, B, &message(0x52, id, &[]));
    }
    assert_eq!(watch.events(), ["c1 000001/- refused 0/0 0/0"]);
    watch.wait(30_000);
    watch.pass(udp, A, &[0xff]);
    assert_eq!(watch.events().len(), 2);
    assert_eq!(watch.tracker.tracked_count(), 0);
}

#[test]
fn too_many_open_conversations_push_out_the_most_silent() {
    let mut watch = Watch::with(TrackerOptions {
        memory_bytes: 10 * CONVERSATION_BYTES,
        tombstone_bytes: 0,
        ..TrackerOptions::default()
    });
    let udp = watch.udp();
    for id in 1..=10 {
        watch.pass(udp, A, &syn(id));
        watch.pass(udp, B, &ack(id, id));
    }
    watch.pass(udp, A, &message(0xa0, 1, b"still here"));
    watch.pass(udp, A, &syn(11));
    assert_eq!(
        watch.events(),
        [
            "c2 000002/000002 open 0/0 0/0",
            "c3 000003/000003 open 0/0 0/0"
        ]
    );
    assert_eq!(watch.tracker.forgotten().conversations, 2);
}

#[test]
fn a_channel_that_ends_ends_its_conversations() {
    let mut watch = Watch::new();
    let [one, other] = [(); 2].map(|()| watch.channel(Carrier::TcpU32, ChannelStart::Captured));
    for channel in [one, other] {
        for id in 1..=3 {
            watch.pass(channel, A, &syn(id));
        }
        watch.pass(channel, B, &ack(2, 7));
    }
    watch.tracker.close_channel(one, watch.time);
    assert_eq!(
        watch.events(),
        [
            "note ms.syn_no_answer #1",
            "c1 000001/- no answer 0/0 0/0",
            "note ms.no_close #2",
            "c2 000002/000007 open 0/0 0/0",
            "note ms.syn_no_answer #3",
            "c3 000003/- no answer 0/0 0/0",
        ]
    );
    assert_eq!(watch.pass(other, B, &ack(3, 8)), "s2c c6 accepts 000008");
}

/// Two sessions at one router, and a conversation that one opens to the other.
struct Router {
    watch: Watch,
    client: ChannelId,
    server: ChannelId,
    client_destination: Vec<u8>,
    server_hash: DestinationHash,
    client_hash: DestinationHash,
}

impl Router {
    fn new() -> Self {
        Self::with(TrackerOptions::default())
    }

    fn with(options: TrackerOptions) -> Self {
        let mut watch = Watch::with(options);
        let client_destination = destination();
        let mut server_destination = destination();
        server_destination[0] = 1;
        let client = watch.session(1, "cli", &client_destination);
        let server = watch.session(2, "srv", &server_destination);
        Self {
            watch,
            client,
            server,
            server_hash: DestinationHash::of(&server_destination),
            client_hash: DestinationHash::of(&client_destination),
            client_destination,
        }
    }

    fn client_sends(&mut self, message: &[u8]) -> String {
        let to = Some(self.server_hash);
        self.watch.pass_to(self.client, A, to, message)
    }

    fn server_gets(&mut self, message: &[u8]) -> String {
        self.watch.pass(self.server, B, message)
    }

    fn server_sends(&mut self, message: &[u8]) -> String {
        let to = Some(self.client_hash);
        self.watch.pass_to(self.server, A, to, message)
    }

    fn client_gets(&mut self, message: &[u8]) -> String {
        self.watch.pass(self.client, B, message)
    }

    fn open(&mut self) {
        let syn = message(0xa1, 1, &self.client_destination);
        assert_eq!(self.client_sends(&syn), "c2s c1 opens");
        assert_eq!(self.server_gets(&syn), "c2s c2 opens");
        let ack = ack(1, 2);
        assert_eq!(self.server_sends(&ack), "s2c c2 accepts 000002");
        assert_eq!(self.client_gets(&ack), "s2c c1 accepts 000002");
    }

    fn ended(&mut self) -> Vec<Conversation> {
        self.watch
            .tracker
            .finish(self.watch.time, EndOfInput::Complete);
        std::iter::from_fn(|| self.watch.tracker.next_event())
            .filter_map(|event| match event {
                TrackerEvent::Ended(conversation) => Some(*conversation),
                TrackerEvent::Finding(_) => None,
            })
            .collect()
    }
}

#[test]
fn messages_that_stay_in_a_router_count_towards_the_memory_of_conversations() {
    let mut router = Router::with(TrackerOptions {
        memory_bytes: 20_000,
        tombstone_bytes: 0,
        ..TrackerOptions::default()
    });
    router.open();
    let mut sent = 0;
    while router.watch.tracker.forgotten().conversations == 0 {
        router.client_sends(&message(0xa0, 2, b"never comes out"));
        // A list that is full takes twice the room.
        let bytes = router.watch.tracker.bytes();
        assert!((CONVERSATION_BYTES..2 * 20_000).contains(&bytes));
        sent += 1;
        assert!(sent < 1_000, "nothing was forgotten");
    }
    assert!(sent > 100, "{sent} messages do not take so much");
    let views = router.watch.events();
    assert_eq!(views.len(), 1, "the view that was silent: {views:?}");
    assert!(
        router.watch.tracker.bytes() < 2_000,
        "its messages are gone"
    );
}

#[test]
fn two_views_at_one_router_are_linked_named_and_timed() {
    let mut router = Router::new();
    router.open();
    let [client_view, server_view] = router.ended().try_into().unwrap();
    assert_eq!(client_view.peer_view, Some(ConversationId(2)));
    assert_eq!(server_view.peer_view, Some(ConversationId(1)));
    for view in [&client_view, &server_view] {
        assert_eq!(view.client.nickname.as_deref(), Some("cli"));
        assert_eq!(view.server.nickname.as_deref(), Some("srv"));
        assert_eq!(view.client.hash, Some(router.client_hash));
        assert_eq!(view.server.hash, Some(router.server_hash));
    }
    let one_ms = |view: &Conversation| view.router.map(|time| (time.message_count, time.max_ns));
    assert_eq!(one_ms(&client_view), Some((1, 1_000_000)));
    assert_eq!(one_ms(&server_view), Some((1, 1_000_000)));
}

#[test]
fn a_message_that_comes_late_is_found_where_it_comes() {
    let mut router = Router::new();
    router.open();
    let [first, second, close] = [
        message(0xa0, 2, b"first"),
        message(0xa0, 2, b"second"),
        message(0xa2, 2, &[]),
    ];
    for sent in [&first, &second, &close] {
        router.client_sends(sent);
    }
    assert_eq!(router.server_gets(&close), "c2s c2 closes c2s");
    for late in [&first, &second] {
        assert_eq!(
            router.server_gets(late),
            "c2s c2 ignored [warn ms.data_after_close] [warn i2cp.reordered]"
        );
    }
}

#[test]
fn messages_behind_a_lost_one_are_in_order() {
    let mut router = Router::new();
    router.open();
    let [lost, first, second] = [
        message(0xa0, 2, b"lost"),
        message(0xa0, 2, b"first"),
        message(0xa0, 2, b"second"),
    ];
    for sent in [&lost, &first, &second] {
        router.client_sends(sent);
    }
    for delivered in [&first, &second] {
        assert_eq!(router.server_gets(delivered), "c2s c2 carries");
    }
    let told = router.watch.finish();
    assert_eq!(losses(&told), ["warn i2cp.lost #5"]);
}

#[test]
fn lost_messages_are_told_at_the_end() {
    let mut router = Router::new();
    router.open();
    router.client_sends(&message(0xa0, 2, b"lost"));
    router.watch.wait(5_000);
    router.client_sends(&message(0xa0, 2, b"perhaps still on its way"));
    let told = router.watch.finish();
    assert_eq!(losses(&told), ["warn i2cp.lost #5", "note i2cp.lost #6"]);
}

#[test]
fn what_a_session_sent_before_it_ended_may_arrive_when_it_is_gone() {
    for arrives_after in [0, 1, 4_900] {
        let mut router = Router::new();
        router.open();
        let close = message(0xa2, 2, &[]);
        router.client_sends(&close);
        let time = router.watch.time;
        router.watch.tracker.close_channel(router.client, time);
        router.watch.wait(arrives_after);
        assert_eq!(router.server_gets(&close), "c2s c2 closes c2s");
        router.watch.wait(60_000);
        let told = router.watch.finish();
        assert_eq!(losses(&told), [""; 0]);
    }
}

#[test]
fn a_session_that_is_kept_when_it_ended_is_in_the_way_of_no_other_channel() {
    let mut router = Router::new();
    router.open();
    let close = message(0xa2, 2, &[]);
    router.client_sends(&close);
    let time = router.watch.time;
    router.watch.tracker.close_channel(router.client, time);
    let other = router.watch.udp();
    assert_eq!(
        other.slot, router.client.slot,
        "it lies where the session did"
    );
    let syn = message(0xa1, 1, &destination());
    assert_eq!(router.watch.pass(other, A, &syn), "c2s c3 opens");
    assert_eq!(
        router.watch.pass(other, B, &ack(1, 2)),
        "s2c c3 accepts 000002"
    );
    assert_eq!(router.server_gets(&close), "c2s c2 closes c2s");
    router.watch.wait(6_000);
    let data = message(0xa0, 2, b"x");
    assert_eq!(router.watch.pass(other, A, &data), "c2s c3 carries");
    let views = router.ended();
    let ended = |id| views.iter().find(|view| view.id == ConversationId(id));
    let names = |id| ended(id).map(|view| (view.carrier, view.client.nickname.as_deref()));
    assert_eq!(names(1), Some((Carrier::I2cp, Some("cli"))));
    assert_eq!(names(2), Some((Carrier::I2cp, Some("cli"))));
    assert_eq!(names(3), Some((Carrier::Udp, None)));
}

#[test]
fn a_syn_may_arrive_when_the_session_that_sent_it_is_gone() {
    let mut router = Router::new();
    let syn = message(0xa1, 1, &router.client_destination.clone());
    router.client_sends(&syn);
    let time = router.watch.time;
    router.watch.tracker.close_channel(router.client, time);
    assert_eq!(router.server_gets(&syn), "c2s c2 opens");
    let views: Vec<_> = router.ended().iter().map(|view| view.peer_view).collect();
    assert_eq!(views, [Some(ConversationId(2)), Some(ConversationId(1))]);
}

#[test]
fn what_could_not_be_seen_to_arrive_is_a_note_with_its_reason() {
    type End = fn(&mut Router);
    let ends: [(End, &str); 3] = [
        (
            |router| {
                let time = router.watch.time;
                router.watch.tracker.close_channel(router.client, time);
            },
            "not seen to arrive: its sender's session ended 200.000 ms after it was sent",
        ),
        (
            |router| {
                let time = router.watch.time;
                router.watch.tracker.close_channel(router.server, time);
            },
            "not seen to arrive: its receiver's session ended 200.000 ms after it was sent",
        ),
        (
            |_| (),
            "not seen to arrive: the capture ended 200.000 ms after it was sent",
        ),
    ];
    for (end, expected) in ends {
        let mut router = Router::new();
        router.open();
        router.client_sends(&message(0xa0, 2, b"last"));
        router.watch.wait(200);
        end(&mut router);
        let time = router.watch.time;
        router.watch.tracker.finish(time, EndOfInput::Complete);
        let findings: Vec<_> = std::iter::from_fn(|| router.watch.tracker.next_event())
            .filter_map(|event| match event {
                TrackerEvent::Finding(finding) if finding.code == FindingCode::I2cpLost => {
                    Some(finding)
                }
                _ => None,
            })
            .collect();
        let [finding] = &*findings else {
            panic!("{expected}: {findings:?}");
        };
        assert_eq!((finding.level, &*finding.text), (Level::Note, expected));
        assert_eq!(finding.message, Some(5));
    }
}

#[test]
fn a_syn_whose_payload_is_no_destination_is_linked_by_its_bytes() {
    for payload in [&b""[..], b"no destination", &[0; 387]] {
        let mut router = Router::new();
        let syn = message(0xa1, 1, payload);
        let other = message(0xa1, 1, b"another");
        for sent in [&other, &syn] {
            router.client_sends(sent);
        }
        for delivered in [&syn, &other] {
            router.server_gets(delivered);
        }
        router.watch.wait(10_000);
        let views: Vec<_> = router.ended().iter().map(|view| view.peer_view).collect();
        let peers = [4, 3, 2, 1].map(|number| Some(ConversationId(number)));
        assert_eq!(views, peers, "{payload:x?}");
    }
}

#[test]
fn a_syn_to_a_session_of_this_router_that_never_gets_it_is_lost() {
    let mut router = Router::new();
    let syn = message(0xa1, 1, &router.client_destination.clone());
    router.client_sends(&syn);
    router.watch.wait(5_000);
    let told = router.watch.finish();
    assert_eq!(losses(&told), ["warn i2cp.lost #1"]);
}

#[test]
fn gaps_in_the_capture_are_not_losses_in_the_router() {
    let mut router = Router::new();
    router.open();
    router.client_sends(&message(0xa0, 2, b"lost"));
    router.watch.tracker.note_gap(router.server);
    router.watch.wait(10_000);
    let told = router.watch.finish();
    assert_eq!(losses(&told), [""; 0]);
}

#[test]
fn clients_behind_a_router_may_choose_the_same_id() {
    let mut router = Router::new();
    let one = router.client_destination.clone();
    let mut other = one.clone();
    other[9] = 9;
    assert_eq!(router.server_gets(&message(0xa1, 1, &one)), "c2s c1 opens");
    assert_eq!(
        router.server_gets(&message(0xa1, 1, &other)),
        "c2s c2 opens",
        "no id is used twice"
    );
    let (server, to_other) = (router.server, Some(DestinationHash::of(&other)));
    assert_eq!(
        router.watch.pass_to(server, A, to_other, &ack(1, 7)),
        "s2c c2 accepts 000007"
    );
    assert_eq!(router.server_sends(&ack(1, 8)), "s2c c1 accepts 000008");
    assert_eq!(
        router.server_sends(&message(0x50, 1, b"x")),
        "s2c c1 carries"
    );
}

#[test]
fn an_undefined_type_belongs_to_the_conversation_of_its_id_whoever_chose_it() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &ack(1, 2));
    for (from, type_byte, id, expected) in [
        (B, 0x33, 1, "s2c c1"),
        (A, 0x33, 2, "c2s c1"),
        (B, 0x53, 1, "s2c c1"),
        (A, 0xa3, 2, "c2s c1"),
        // Nobody has these.
        (B, 0x33, 3, "s2c -"),
        (B, 0x53, 2, "s2c -"),
    ] {
        assert_eq!(
            watch.pass(udp, from, &message(type_byte, id, b"x")),
            format!("{expected} meaningless [error ms.unknown_type]")
        );
    }
}

#[test]
fn a_syn_is_found_again_at_the_session_that_it_was_sent_to() {
    let mut router = Router::new();
    let mut other = destination();
    other[0] = 2;
    router.watch.session(3, "other", &other);
    let syn = message(0xa1, 1, &router.client_destination.clone());
    let (client, to_other) = (router.client, Some(DestinationHash::of(&other)));
    router.watch.pass_to(client, A, to_other, &syn);
    router.client_sends(&syn);
    assert_eq!(router.server_gets(&syn), "c2s c3 opens");
    let views = router.ended();
    let views: Vec<_> = views
        .iter()
        .map(|view| (view.id.0, view.peer_view.map(|peer| peer.0)))
        .collect();
    assert_eq!(views, [(1, None), (2, Some(3)), (3, Some(2))]);
}

/// Only so many are looked through for each that comes out: of the others nobody can say that they were lost.
#[test]
fn of_too_many_equal_syns_on_their_way_none_is_called_lost() {
    let mut router = Router::new();
    let syn = message(0xa1, 1, &router.client_destination.clone());
    let to_server = router.server_hash;
    let kept = u16::try_from(MAX_NAMESAKES).unwrap();
    for number in 0..kept + 2 {
        let mut caller = destination();
        caller[..2].copy_from_slice(&number.to_be_bytes());
        let session = router.watch.session(100 + number, "caller", &caller);
        router.watch.pass_to(session, A, Some(to_server), &syn);
    }
    for _ in 0..kept {
        router.server_gets(&syn);
    }
    router.watch.wait(10_000);
    let told = router.watch.finish();
    assert_eq!(losses(&told), [""; 0]);
}

#[test]
fn an_id_whose_syn_had_no_answer_may_be_used_again() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.wait(61_000);
    watch.pass(udp, A, &syn(2));
    assert_eq!(watch.pass(udp, A, &syn(1)), "c2s c3 opens");
}

#[test]
fn conversations_can_be_looked_at_before_they_are_over() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &message(0x52, 1, &[]));
    watch.pass(udp, A, &syn(2));
    watch.pass(udp, B, &ack(2, 9));
    watch.pass(udp, A, &message(0xa0, 9, b"data"));
    watch.pass(udp, A, &syn(3));
    let tracked: Vec<String> = watch.tracker.tracked().iter().map(describe).collect();
    assert_eq!(
        tracked,
        [
            "c1 000001/- refused 0/0 0/0",
            "c2 000002/000009 open 1/4 0/0",
            "c3 000003/- syn sent 0/0 0/0"
        ]
    );
    assert_eq!(watch.events(), [""; 0], "to look is not to tell");
}

#[test]
fn what_comes_after_the_close_does_not_lengthen_a_life() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.pass(udp, B, &ack(1, 9));
    watch.pass(udp, B, &message(0x52, 1, &[]));
    let life = |watch: &Watch| watch.tracker.tracked()[0].duration_ns();
    assert_eq!(life(&watch), 2_000_000);
    watch.pass(udp, B, &message(0x50, 1, b"late"));
    watch.pass(udp, B, &message(0x53, 1, &[]));
    assert_eq!(life(&watch), 2_000_000);
    watch.pass(udp, A, &message(0xa2, 9, &[]));
    assert_eq!(
        life(&watch),
        5_000_000,
        "closes that cross are both part of it"
    );
}

#[test]
fn a_conversation_tells_how_long_its_handshake_and_its_first_byte_took() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    watch.wait(4);
    watch.pass(udp, B, &ack(1, 9));
    watch.wait(1);
    watch.pass(udp, B, &message(0x50, 1, b"first"));
    watch.pass(udp, B, &message(0x50, 1, b"second"));
    watch.pass(udp, A, &syn(2));
    let spans: Vec<_> = watch
        .tracker
        .tracked()
        .iter()
        .map(|conversation| (conversation.handshake_ns, conversation.first_byte_ns))
        .collect();
    assert_eq!(
        spans,
        [(Some(5_000_000), Some(7_000_000)), (None, None)],
        "from the SYN"
    );
}

#[test]
fn where_the_syn_is_read_late_the_first_byte_behind_it_counts_and_no_later_one() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, B, &ack(1, 9));
    watch.pass(udp, A, &syn(1));
    for _ in 0..3 {
        watch.wait(4);
        watch.pass(udp, A, &message(0xa0, 9, b"x"));
    }
    let first_byte = watch.tracker.tracked()[0].first_byte_ns;
    // From the ACK on, with which the conversation began.
    assert_eq!(first_byte, Some(6_000_000));
}

#[test]
fn two_peers_of_a_session_may_choose_the_same_id_and_one_may_not() {
    let mut watch = Watch::new();
    let session = watch.session(7, "app", b"own");
    let [one, other] = [b"one", b"two"].map(|name| Some(DestinationHash::of(name)));
    for (client, peer, findings) in [
        (1, one, ""),
        (2, other, ""),
        (3, one, " [warn ms.id_reuse]"),
    ] {
        watch.pass_to(session, A, peer, &syn(client));
        assert_eq!(
            watch.pass(session, B, &ack(client, 9)),
            format!("s2c c{client} accepts 000009{findings}")
        );
    }
}

#[test]
fn a_close_with_bytes_is_a_note_only_if_it_refuses_with_an_id() {
    for (accepted, payload, level) in [
        (false, &[7, 8, 9][..], "note"),
        (false, &[7], "warn"),
        (false, &[7, 8, 9, 10], "warn"),
        (true, &[7, 8, 9], "warn"),
        (true, &[7], "warn"),
    ] {
        let mut watch = Watch::new();
        let udp = watch.udp();
        watch.pass(udp, A, &syn(1));
        if accepted {
            watch.pass(udp, B, &ack(1, 2));
        }
        let told = watch.pass(udp, B, &message(0x52, 1, payload));
        let finding = format!("[{level} ms.close_payload]");
        assert!(told.ends_with(&finding), "{told}, not {finding}");
    }
}

#[test]
fn an_ack_of_which_the_id_was_cut_says_nothing_and_leaves_an_id_unknown() {
    for kept in 0..3 {
        let mut watch = Watch::new();
        let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
        watch.pass(tcp, A, &syn(1));
        watch.cut_bytes = 3 - kept;
        let ack = ack(1, 2);
        let told = watch.pass(tcp, B, &ack[..4 + usize::try_from(kept).unwrap()]);
        assert_eq!(told, "s2c - meaningless", "{kept} bytes");
        watch.cut_bytes = 0;
        // Of the one conversation that waits.
        assert_eq!(
            watch.pass(tcp, A, &message(0xa0, 2, b"data")),
            "c2s c1 carries"
        );
    }
}

#[test]
fn the_message_that_opens_a_conversation_names_its_destination_and_no_other_does() {
    let mut watch = Watch::with(TrackerOptions {
        destinations: crate::conversation::Destinations::Hash,
        ..TrackerOptions::default()
    });
    let udp = watch.udp();
    for (from, message, expected) in [
        (A, syn(1), Some(DestinationHash::of(&destination()))),
        (B, ack(1, 9), None),
        (A, message(0xa0, 9, b"data"), None),
    ] {
        watch.wait(1);
        let event = watch.tracker.observe(&Observation {
            packet: 1,
            time: watch.time,
            elapsed_us: 0,
            encapsulation: crate::net::Encapsulation::NONE,
            channel: udp,
            from,
            message: RawMessage::parse(&message),
            cut_bytes: 0,
            addressee: None,
        });
        assert_eq!(event.destination_hash, expected);
    }
}
