//! Recordings of as many messages as there is memory for.

use std::io::Cursor;

use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{ack, client_close, client_data, id, raw, syn};
use ministream_fixtures::{End, Link, UdpFlow, Wire, sample_destination};

use super::*;
use crate::capture::{CaptureFile, PacketSource};
use crate::conversation::EndOfInput;
use crate::dissect::{DissectOptions, Dissector, Sink};
use crate::ndjson::NdjsonError;
use crate::replay::inject::Taker;
use crate::replay::memory::Memory;

/// A capture of so many conversations, each with so many of these messages of its client.
fn capture(conversations: u8, count: usize, message: impl Fn([u8; 3]) -> Vec<u8>) -> Wire {
    let mut wire = Wire::new(Link::ETHERNET);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9004"].map(|end| end.parse().unwrap());
    let flow = UdpFlow::new(ends[0], ends[1]);
    for number in 1..=conversations {
        let both = id(number.into());
        flow.send(&mut wire, End::Client, &syn(both, &sample_destination()));
        flow.send(&mut wire, End::Server, &ack(both, both));
        for _ in 0..count {
            flow.send(&mut wire, End::Client, &message(both));
        }
        flow.send(&mut wire, End::Client, &client_close(both));
        // Closed conversations are reported after a while.
        let packets = wire.packets.len();
        for packet in &mut wire.packets[packets - count - 3..] {
            packet.nanos += i64::from(number) * 60_000_000_000;
        }
    }
    wire
}

fn read<S: Sink>(wire: &Wire, mut sink: S) -> Result<S, S::Error> {
    let file = Cursor::new(Pcap::USUAL.write(wire));
    let mut capture = CaptureFile::from_reader("made", file).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    while let Some(packet) = capture.next_packet().unwrap() {
        dissector.push(&packet, &mut sink)?;
    }
    dissector.finish(EndOfInput::Complete, &mut sink)?;
    Ok(sink)
}

/// The memory that reading needs, which is done in `most` bytes or fails: up to twice of it.
fn needed(is_read: impl Fn(u64) -> bool) -> u64 {
    let mut most = 1;
    while !is_read(most) {
        most *= 2;
    }
    most
}

fn recorded_within(most: u64, wire: &Wire, wanted: &Wanted, matches: bool) -> bool {
    let memory = Memory::up_to(most);
    read(
        wire,
        RecordingSink::within(memory, wanted.clone(), |_| matches),
    )
    .is_ok()
}

const HEADER: &str = r#"{"record":"header","schema":"ministream.dump/1"}"#;

/// The record of a message without bytes.
fn message_line(conversation: usize) -> String {
    format!(
        r#"{{"record":"message","n":1,"conv":"c{conversation}","meaning":"carries","payload_bytes":0,"t_us":0,"dir":"c2s","type_byte":160,"id":"000001"}}"#
    )
}

fn lines_within(most: u64, lines: &[String]) -> bool {
    let input = [HEADER, &lines.join("\n")].join("\n");
    let memory = Memory::up_to(most);
    match NdjsonReader::within(memory, Cursor::new(input), Wanted::default()).read() {
        Ok(_) => true,
        Err(NdjsonError::TooLarge { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// The record of a conversation that is over.
fn end_line(conversation: usize, state: &str) -> String {
    format!(
        r#"{{"record":"conversation","conv":"c{conversation}","state":"{state}","peer_view":null}}"#
    )
}

#[test]
fn of_records_the_messages_of_named_conversations_are_kept_and_no_others() {
    let both = |number| [message_line(number), end_line(number, "open")];
    let lines: Vec<String> = (1..=3).flat_map(both).collect();
    let input = [HEADER, &lines.join("\n")].join("\n");
    let read = |wanted| {
        NdjsonReader::new(Cursor::new(&input), wanted)
            .read()
            .unwrap()
    };
    let named = [1, 3].map(ConversationId);
    for (named, kept) in [(None, &[1, 2, 3][..]), (Some(named.into()), &[1, 3])] {
        let recording = read(Wanted {
            named,
            ..Wanted::default()
        });
        let found: Vec<_> = recording.conversations.iter().collect();
        let ids: Vec<u64> = found.iter().map(|conversation| conversation.id.0).collect();
        assert_eq!(ids, kept);
        assert!(
            found
                .iter()
                .all(|conversation| conversation.messages.len() == 1)
        );
        assert_eq!(recording.skipped, []);
    }
}

/// As they are of a dump with `--payload none`, of later versions, or written by hand.
#[test]
fn of_records_only_what_is_played_has_to_be_there_and_known() {
    let lines = [
        message_line(1),
        r#"{"record":"message","n":2,"conv":"c1","meaning":"new","type":"unknown"}"#.to_owned(),
        r#"{"record":"message","n":3,"conv":"c1","meaning":"carries","payload_bytes":5,"payload_hex":null}"#.to_owned(),
        r#"{"record":"finding","level":"new","code":"ms.new"}"#.to_owned(),
        r#"{"record":"new"}"#.to_owned(),
        r#"{"record":"message","n":4,"meaning":"carries"}"#.to_owned(),
        // Nothing of it is recorded, so it does not matter how it ended.
        r#"{"record":"conversation","conv":"c3"}"#.to_owned(),
        // The conversation's end does not come.
        message_line(2),
        r#"{"record":"message","n":6,"conv":"c2","meaning":"meaningless","type":"data"}"#.to_owned(),
        end_line(1, "open"),
    ];
    let input = [HEADER, &lines.join("\n")].join("\n");
    let recording = NdjsonReader::new(Cursor::new(&input), Wanted::default())
        .read()
        .unwrap();
    let [kept] = &*recording.conversations else {
        panic!("{recording:?}");
    };
    assert_eq!((kept.id, kept.messages.len()), (ConversationId(1), 1));
    assert_eq!(recording.last, Some(ConversationId(3)));
    let skipped = recording.skipped.iter();
    let skipped: Vec<_> = skipped
        .map(|skipped| {
            (
                skipped.number,
                skipped.conversation.map(|id| id.0),
                skipped.reason,
            )
        })
        .collect();
    assert_eq!(
        skipped,
        [
            (Some(2), Some(1), SkipReason::UnknownType),
            (Some(3), Some(1), SkipReason::PayloadMissing),
            (Some(4), None, SkipReason::Orphan),
            (Some(6), Some(2), SkipReason::WrongDirection),
        ]
    );
}

#[test]
fn messages_without_bytes_fill_a_recording_with_what_is_kept_of_them() {
    const COUNT: usize = 2_000;
    let wire = capture(1, COUNT, |id| client_data(id, b""));
    let of_capture = needed(|most| recorded_within(most, &wire, &Wanted::default(), true));
    let of_steps = needed(|most| read(&wire, Taker::within(Memory::up_to(most), |_| true)).is_ok());
    let lines = vec![message_line(1); COUNT];
    let of_records = needed(|most| lines_within(most, &lines));
    let kept = (COUNT * size_of::<RecordedMessage>()) as u64;
    for needed in [of_capture, of_steps, of_records] {
        assert!((kept..32 * kept).contains(&needed), "{needed} of {kept}");
    }
}

#[test]
fn messages_that_are_skipped_are_listed_up_to_a_bound_and_counted() {
    const COUNT: usize = 3 * MAX_SKIPPED_LISTED;
    let wire = capture(2, COUNT, |id| raw(0xa7, id, b""));
    // In lists with some room to grow.
    let most = 2 * 2 * MAX_SKIPPED_LISTED * size_of::<Skipped>();
    let memory = Memory::up_to(most as u64);
    let sink = RecordingSink::within(memory, Wanted::default(), |_| true);
    let recording = read(&wire, sink).unwrap().into_recording();
    assert_eq!(recording.skipped.len(), MAX_SKIPPED_LISTED);
    let counts = BTreeMap::from([(SkipReason::UnknownType, 2 * COUNT as u64)]);
    assert_eq!(recording.skipped_counts, counts);
    let first = recording.skipped.first().and_then(|skipped| skipped.number);
    let last = recording.skipped.last().and_then(|skipped| skipped.number);
    assert_eq!(
        (first, last),
        (Some(3), Some(2 + MAX_SKIPPED_LISTED as u64))
    );
}

#[test]
fn what_is_not_recorded_leaves_its_memory_to_others() {
    let all = Wanted::default();
    let data = |conversations| capture(conversations, 100, |id| client_data(id, &[7; 100]));
    // Of two, one is over and may be told by the next message.
    let alone = needed(|most| recorded_within(most, &data(2), &all, true));
    assert!(!recorded_within(alone, &data(20), &all, true));
    assert!(recorded_within(alone, &data(20), &all, false));
    // What is skipped of conversations that nobody asked for.
    let skipped = |conversations| capture(conversations, 100, |id| raw(0xa7, id, b""));
    let few = needed(|most| recorded_within(most, &skipped(2), &all, false));
    assert!(recorded_within(few, &skipped(200), &all, false));
    // Conversations, but the first, whose beginning is not in the capture.
    let mut mid_stream = data(20);
    let mut places = 0..;
    let is_beginning = |place: usize| place >= 103 && place.is_multiple_of(103);
    mid_stream
        .packets
        .retain(|_| !places.next().is_some_and(is_beginning));
    let sink = RecordingSink::within(Memory::up_to(alone), all, |_| true);
    let recording = read(&mid_stream, sink).unwrap().into_recording();
    let counts = BTreeMap::from([(SkipReason::MidStream, 19)]);
    assert_eq!(recording.skipped_counts, counts);

    let conversation = |number| {
        let end = end_line(number, "mid_stream");
        [vec![message_line(number); 100], vec![end]].concat()
    };
    let alone = needed(|most| lines_within(most, &conversation(1)));
    let lines: Vec<String> = (1..=20).flat_map(conversation).collect();
    assert!(lines_within(alone, &lines));
}
