//! The specification's samples against a real server endpoint.

use super::*;
use crate::capture::{Inputs, PacketSource};
use crate::conversation::EndOfInput;
use crate::dissect::{DissectOptions, Dissector};
use crate::endpoint::{AddressProof, Config, Endpoint, Event, Handle, Output};

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: x\r\n\r\n";
const ANSWER_BYTES: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

pub(super) fn recorded(path: &str, wanted: Wanted) -> Recording {
    let mut capture = Inputs::open([path]).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    let mut recorder = RecordingSink::new(wanted, |_| true);
    while let Some(packet) = capture.next_packet().unwrap() {
        dissector.push(&packet, &mut recorder).unwrap();
    }
    dissector
        .finish(EndOfInput::Complete, &mut recorder)
        .unwrap();
    recorder.into_recording()
}

/// The service behind the server in one of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Nothing (a).
    Absent,
    /// One that speaks first (b).
    Greets,
    /// One that answers a request and closes (c).
    Answers,
}

impl Service {
    fn of(conversation: &RecordedConversation) -> Self {
        let data = conversation
            .messages
            .iter()
            .find(|message| message.effect == Effect::Carried);
        match data.map(|message| message.direction) {
            None => Self::Absent,
            Some(Direction::ServerToClient) => Self::Greets,
            Some(Direction::ClientToServer) => Self::Answers,
        }
    }
}

/// The services of the samples behind one endpoint, in the order of the SYNs.
struct Services {
    endpoint: Endpoint<u8>,
    coming: std::vec::IntoIter<Service>,
    received: BTreeMap<Handle, Vec<u8>>,
    answer: Vec<u8>,
}

impl Services {
    fn new(recording: &Recording, answer: &[u8]) -> Self {
        let coming: Vec<Service> = recording.conversations.iter().map(Service::of).collect();
        Self {
            endpoint: Endpoint::new(Config::default(), [9; 32]),
            coming: coming.into_iter(),
            received: BTreeMap::new(),
            answer: answer.to_vec(),
        }
    }

    fn serve(&mut self, now: Instant, event: Event<u8>) {
        match event {
            Event::Incoming { conversation, .. } => {
                match self.coming.next().expect("no more SYNs than recorded") {
                    Service::Absent => self.endpoint.refuse(now, conversation),
                    Service::Greets => {
                        self.endpoint.accept(now, conversation);
                        let greeting = Bytes::from_static(b"220 ready\r\n");
                        self.endpoint.write(now, conversation, greeting).unwrap();
                    }
                    Service::Answers => self.endpoint.accept(now, conversation),
                }
            }
            Event::Data {
                conversation,
                bytes,
            } => {
                self.endpoint.consumed(now, conversation, bytes.len());
                let received = self.received.entry(conversation).or_default();
                received.extend_from_slice(&bytes);
                if received == REQUEST {
                    let answer = Bytes::copy_from_slice(&self.answer);
                    self.endpoint.write(now, conversation, answer).unwrap();
                    self.endpoint.finish(now, conversation);
                }
            }
            Event::Opened { .. } | Event::Writable { .. } | Event::Closed { .. } => {}
        }
    }
}

impl Peer for Services {
    fn receive(&mut self, now: Instant, message: &Message) -> Replies {
        self.endpoint
            .handle_message(now, Some(1), message.to_vec().into());
        let mut replies = Vec::new();
        loop {
            match self.endpoint.poll_output(now) {
                Output::Transmit { message, .. } => replies.push((millis(1), message.to_vec())),
                Output::Event(event) => self.serve(now, event),
                Output::Timeout(_) | Output::Idle => return replies,
            }
        }
    }
}

const SAMPLES: [&str; 6] = [
    "captures/spec-samples.pcap",
    "captures/spec-samples.pcap.gz",
    "captures/spec-samples-tcp-u32be.pcap",
    "captures/spec-samples-tcp-u16be.pcap",
    "captures/spec-samples-segment.pcap",
    "captures/spec-samples-i2cp.pcap",
];

#[test]
fn the_three_samples_on_every_carrier_are_the_same() {
    for path in SAMPLES {
        let recording = recorded(path, Wanted::default());
        assert_eq!(recording.conversations.len(), 3, "{path}");
        for options in [PlayOptions::default(), top_speed()] {
            let mut rig = Rig::new(&recording, options, Services::new(&recording, ANSWER_BYTES));
            assert_eq!(rig.run(), PlayEnd::Complete);
            assert_eq!(
                rig.results(),
                [ReplayResult::Same; 3],
                "{path}: {:?}",
                rig.outcomes
            );
        }
    }
}

#[test]
fn every_byte_of_the_services_answer_that_changes_differs_at_its_offset() {
    let recording = recorded(SAMPLES[0], Wanted::default());
    for offset in 0..ANSWER_BYTES.len() {
        let mut answer = ANSWER_BYTES.to_vec();
        answer[offset] ^= 1;
        let mut rig = Rig::new(&recording, top_speed(), Services::new(&recording, &answer));
        rig.run();
        let mut results = rig.results();
        results.sort_unstable();
        assert_eq!(
            results,
            [
                ReplayResult::Same,
                ReplayResult::Same,
                ReplayResult::Differs
            ]
        );
        let outcome = rig
            .outcomes
            .iter()
            .find(|outcome| outcome.result == ReplayResult::Differs)
            .unwrap();
        let offsets: Vec<usize> = outcome.differences.iter().map(|d| d.offset).collect();
        assert_eq!(offsets, [offset]);
    }
}

#[test]
fn both_views_of_a_conversation_are_played_once() {
    let path = "captures/real/b-server-first.pcap";
    let recording = recorded(path, Wanted::default());
    assert_eq!(recording.conversations.len(), 3);
    assert_eq!(recording.skipped_counts[&SkipReason::SecondView], 3);
}

#[test]
fn what_is_not_played_is_told_with_its_reason() {
    let recording = recorded("captures/hostile-payloads.pcap", Wanted::default());
    assert!(!recording.conversations.is_empty());
    let recording = recorded("captures/empty.pcap", Wanted::default());
    assert_eq!(recording, Recording::default());
    assert_eq!(
        Plan::new(&recording, &PlayOptions::default())
            .unwrap_err()
            .to_string(),
        "nothing to replay: no conversation in the capture can be played"
    );
}

#[test]
fn picked_conversations_are_played_alone() {
    let wanted = Wanted {
        named: Some([ConversationId(2)].into()),
        ..Wanted::default()
    };
    let recording = recorded(SAMPLES[0], wanted);
    let ids: Vec<_> = recording.conversations.iter().map(|c| c.id.0).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn a_match_picks_its_whole_conversation() {
    let mut capture = Inputs::open([SAMPLES[0]]).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    let mut recorder = RecordingSink::new(
        Wanted::default(),
        |event: &crate::conversation::MessageEvent<'_>| {
            event
                .message
                .frame()
                .is_some_and(|frame| frame.payload == REQUEST)
        },
    );
    while let Some(packet) = capture.next_packet().unwrap() {
        dissector.push(&packet, &mut recorder).unwrap();
    }
    dissector
        .finish(EndOfInput::Complete, &mut recorder)
        .unwrap();
    let recording = recorder.into_recording();
    assert_eq!(recording.conversations.len(), 1);
    assert_eq!(recording.conversations[0].messages.len(), 5);
}

/// The messages of a player to a server that keeps its greeting back until an address is proven.
fn sent_to_distrustful(recorded: &Recording, options: PlayOptions) -> (ReplayResult, Vec<Vec<u8>>) {
    let distrustful = |message: &Message| match message.frame_type.0 {
        SYN => vec![now(frame(ACK, message.id.0, &[9, 9, 9]))],
        SEND => {
            let client = [0, 1, 1];
            vec![
                now(frame(ANSWER, client, b"hello")),
                now(frame(SERVER_CLOSE, client, b"")),
            ]
        }
        _ => Vec::new(),
    };
    let mut rig = Rig::new(recorded, options, distrustful);
    rig.run();
    let result = rig.results()[0];
    (result, rig.sent.into_iter().map(|(_, sent)| sent).collect())
}

#[test]
fn our_address_is_proven_where_the_server_speaks_next() {
    let greets = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, ANSWER, b"hello"),
        (3, SERVER_CLOSE, b""),
    ]]);
    let is_asked = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, SEND, b"ask"),
        (3, ANSWER, b"hello"),
        (4, SERVER_CLOSE, b""),
    ]]);
    let with = |address_proof, ids| PlayOptions {
        address_proof,
        ids,
        ..PlayOptions::default()
    };
    let (syn, proof) = (frame(SYN, [0, 1, 1], b"d"), frame(SEND, [9, 9, 9], b""));
    assert_eq!(
        sent_to_distrustful(&greets, with(AddressProof::Required, IdPolicy::Recorded)),
        (ReplayResult::Same, vec![syn.clone(), proof])
    );
    let asked = frame(SEND, [9, 9, 9], b"ask");
    assert_eq!(
        sent_to_distrustful(&is_asked, with(AddressProof::Required, IdPolicy::Recorded)),
        (ReplayResult::Same, vec![syn, asked])
    );
    // Nothing but what was recorded where the carrier vouches for us, or where that was asked for.
    for (proof, ids) in [
        (AddressProof::NotNeeded, IdPolicy::Recorded),
        (AddressProof::Required, IdPolicy::Raw),
    ] {
        let (result, sent) = sent_to_distrustful(&greets, with(proof, ids));
        assert_eq!(result, ReplayResult::NoReply, "{proof:?}, {ids:?}");
        assert!(sent.iter().all(|sent| sent[0] != SEND), "{sent:?}");
    }
}

#[test]
fn our_address_is_proven_to_a_server_that_is_done_before_we_speak() {
    let recorded = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, SEND, b""),
        (3, ANSWER, b"hello"),
        (4, SERVER_CLOSE, b""),
    ]]);
    let hasty = |message: &Message| match message.frame_type.0 {
        SYN => vec![
            now(frame(ACK, message.id.0, &[9, 9, 9])),
            now(frame(ANSWER, message.id.0, b"hello")),
            now(frame(SERVER_CLOSE, message.id.0, b"")),
        ],
        _ => Vec::new(),
    };
    let options = PlayOptions {
        address_proof: AddressProof::Required,
        ..PlayOptions::default()
    };
    let mut rig = Rig::new(&recorded, options, hasty);
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same]);
    let sent: Vec<_> = rig.sent.into_iter().map(|(_, sent)| sent).collect();
    assert_eq!(sent[1..], [frame(SEND, [9, 9, 9], b"")]);
}
