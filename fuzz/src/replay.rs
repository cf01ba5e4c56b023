//! A recording, played against a mock of itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::dissect::DissectOptions;
use ministream::replay::mock::{Mock, MockOptions, MockOutput};
use ministream::replay::{
    Masks, MidStream, Plan, PlayOptions, Player, PlayerOutput, Recording, RecordingSink,
    ReplayResult, Transcripts, Wanted,
};
use ministream::report::replay::{ReplayOutcomes, ReplayReport};
use ministream::wire::FrameType;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, UdpFlow, Wire, message};

use crate::capture_file::dissect;
use crate::replay_reports;

/// Without faults every conversation is found the same, if its request tells it. With a message of the server's data
/// changed, at least one is not, and with a message of anything between, nothing panics and
/// both sides come to their end.
pub fn run(data: &[u8]) {
    crate::given(data, play);
}

/// What the network does to messages of the mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    /// The first data message of the server with a payload gets another last byte.
    Changed,
    /// Any messages come in between, to both.
    Noise,
}

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let damage = *input.choose(&[Damage::None, Damage::Changed, Damage::Noise])?;
    let recording = record(input)?;
    let mut options = PlayOptions::default();
    options.transcripts = Transcripts::Kept;
    let Ok(plan) = Plan::new(&recording, &options) else {
        return Ok(());
    };
    let mut now = Instant::now();
    let mut mock = Mock::<()>::new(
        &recording,
        MockOptions::default(),
        Masks::default(),
        [5; 32],
    );
    let mut player = Player::new(plan, options.clone(), Masks::default(), [6; 32], now);
    let mut results = Vec::new();
    let mut outcomes = ReplayOutcomes::default();
    let mut has_changed = false;
    let (mut to_mock, mut to_player) = (VecDeque::<Bytes>::new(), VecDeque::<Bytes>::new());
    for _ in 0..100_000 {
        if damage == Damage::Noise && !input.is_empty() {
            let length = input.int_in_range(0..=input.len().min(12))?;
            let noise = Bytes::copy_from_slice(input.bytes(length)?);
            if input.arbitrary()? {
                to_mock.push_back(noise)
            } else {
                to_player.push_back(noise)
            }
        }
        let mut due: Option<Instant> = None;
        let over = loop {
            match player.poll_output(now) {
                PlayerOutput::Transmit(message) => to_mock.push_back(message.to_vec().into()),
                PlayerOutput::Finished(outcome) => {
                    results.push(outcome.result);
                    outcomes.add(*outcome);
                }
                PlayerOutput::Timeout(at) => {
                    due = Some(at);
                    break false;
                }
                PlayerOutput::Idle => break false,
                PlayerOutput::Done(_) => break true,
            }
        };
        for message in to_mock.drain(..) {
            mock.handle_message(now, Some(()), &message);
        }
        loop {
            match mock.poll_output(now) {
                MockOutput::Transmit { message, .. } => {
                    let mut bytes = message.to_vec();
                    if damage == Damage::Changed
                        && !has_changed
                        && bytes[0] == 0x50
                        && bytes.len() > 4
                    {
                        has_changed = true;
                        *bytes.last_mut().expect("more than four") ^= 0x20;
                    }
                    to_player.push_back(bytes.into());
                }
                MockOutput::Finished(_) => {}
                MockOutput::Timeout(at) => {
                    due = Some(due.map_or(at, |due| due.min(at)));
                    break;
                }
                MockOutput::Idle => break,
            }
        }
        if over {
            replay_reports::check(&ReplayReport {
                source: "captures/<b onload='x'>\u{1b}[2J.pcap",
                carrier: "tcp://127.0.0.1:4747",
                options: &options,
                outcomes: &outcomes,
                stats: player.stats(),
                skipped: &[],
                skipped_count: 0,
                planned: Duration::from_secs(1),
                elapsed: Duration::from_secs(2),
                exit_code: 0,
                mask_flag: "--mask ",
            });
            return check(damage, has_changed, &recording, &results);
        }
        if to_player.is_empty() {
            now = now.max(due.expect("nobody has an end in sight"));
        }
        for message in to_player.drain(..) {
            player.handle_message(now, &message);
        }
    }
    panic!("a replay without end");
}

fn check(
    damage: Damage,
    has_changed: bool,
    recording: &Recording,
    results: &[ReplayResult],
) -> Result<()> {
    assert_eq!(
        results.len(),
        recording.conversations.len(),
        "each is judged"
    );
    let same = results
        .iter()
        .filter(|&&result| result == ReplayResult::Same)
        .count();
    match damage {
        Damage::None if tells_by_requests(recording) => {
            assert_eq!(same, results.len(), "{results:?}");
        }
        Damage::None => {}
        Damage::Changed if has_changed => assert!(same < results.len(), "a change went unseen"),
        Damage::Changed | Damage::Noise => {}
    }
    Ok(())
}

/// Whether a mock can tell what a client asks for before all of it has come: where a request
/// is the beginning of another, the first messages of both are equal. A request is what comes
/// before the server says something, and all that the client says.
fn tells_by_requests(recording: &Recording) -> bool {
    let asked = |until_answered: bool| -> Vec<Vec<u8>> {
        let conversations = recording.conversations.iter();
        conversations
            .map(|conversation| {
                let messages = conversation.messages.iter();
                let heard = messages.take_while(|message| {
                    !(until_answered && message.frame_type == FrameType::SERVER_DATA)
                });
                let said = heard.filter(|message| message.frame_type == FrameType::CLIENT_DATA);
                said.flat_map(|message| message.payload.to_vec()).collect()
            })
            .collect()
    };
    [true, false].into_iter().all(|until_answered| {
        let requests = asked(until_answered);
        let begins_another = |request: &Vec<u8>| {
            let mut others = requests.iter().filter(|other| *other != request);
            others.any(|other| other.starts_with(request))
        };
        !requests
            .iter()
            .any(|request| !request.is_empty() && begins_another(request))
    })
}

/// A recording of a few conversations, one after the other or at once.
pub(crate) fn record(input: &mut Unstructured<'_>) -> Result<Recording> {
    let mut wire = Wire::new(Link::ETHERNET);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().expect("an address"));
    let flow = UdpFlow::new(ends[0], ends[1]);
    let count = input.int_in_range(1..=4)?;
    for number in 0..count {
        let destination = ministream_fixtures::seeded_destination(u64::from(number));
        flow.send(
            &mut wire,
            End::Client,
            &message::syn([1, 0, number], &destination),
        );
        flow.send(
            &mut wire,
            End::Server,
            &message::ack([1, 0, number], [2, 0, number]),
        );
    }
    for _ in 0..input.int_in_range(0..=12)? {
        let number = input.int_in_range(0..=count - 1)?;
        let length = input.int_in_range(0..=input.len().min(60))?;
        let bytes = input.bytes(length)?;
        if input.arbitrary()? {
            flow.send(
                &mut wire,
                End::Client,
                &message::client_data([2, 0, number], bytes),
            )
        } else {
            flow.send(
                &mut wire,
                End::Server,
                &message::server_data([1, 0, number], bytes),
            )
        }
        wire.wait(input.int_in_range(0..=20_000)?);
    }
    for number in 0..count {
        if input.arbitrary()? {
            flow.send(
                &mut wire,
                End::Client,
                &message::client_close([2, 0, number]),
            )
        } else {
            flow.send(
                &mut wire,
                End::Server,
                &message::server_close([1, 0, number]),
            )
        }
    }
    let wanted = Wanted {
        named: None,
        mid_stream: MidStream::Skip,
    };
    let mut recorder = RecordingSink::new(wanted, |_| true);
    dissect(
        &Pcap::USUAL.write(&wire),
        DissectOptions::default(),
        &mut recorder,
    )
    .expect("a capture");
    Ok(recorder.into_recording())
}
