//! Players against live peers in virtual time.

mod ids;
mod load;
mod memory;
mod samples;
mod timing;
mod truth;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::conversation::{ConversationId, ConversationState};
use crate::time::Timestamp;
use crate::wire::{ClientId, Direction, FrameType, Message, ServerId, StreamId};

/// The answers of a peer, each after a delay.
type Replies = Vec<(Duration, Vec<u8>)>;

/// A live server.
trait Peer {
    fn receive(&mut self, now: Instant, message: &Message) -> Replies;
}

impl<F: FnMut(&Message) -> Replies> Peer for F {
    fn receive(&mut self, _now: Instant, message: &Message) -> Replies {
        self(message)
    }
}

/// A player, its peer, and a clock.
struct Rig<P> {
    player: Player,
    peer: P,
    start: Instant,
    now: Instant,
    under_way: BTreeMap<(Instant, u64), Bytes>,
    departures: u64,
    /// Every message of the player, with milliseconds since the start.
    sent: Vec<(u128, Vec<u8>)>,
    outcomes: Vec<PlayOutcome>,
}

impl<P: Peer> Rig<P> {
    fn new(recording: &Recording, options: PlayOptions, peer: P) -> Self {
        Self::with_masks(recording, options, Masks::default(), peer)
    }

    fn with_masks(recording: &Recording, options: PlayOptions, masks: Masks, peer: P) -> Self {
        let start = Instant::now();
        let plan = Plan::new(recording, &options).unwrap();
        Self {
            player: Player::new(plan, options, masks, [5; 32], start),
            peer,
            start,
            now: start,
            under_way: BTreeMap::new(),
            departures: 0,
            sent: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Plays to the end.
    fn run(&mut self) -> PlayEnd {
        self.run_until(|_| false).expect("it ends by itself")
    }

    /// Plays until `stop` says so before a step of the clock.
    fn run_until(&mut self, mut stop: impl FnMut(&Self) -> bool) -> Option<PlayEnd> {
        for _ in 0..50_000_000_u64 {
            let wake = match self.player.poll_output(self.now) {
                PlayerOutput::Transmit(message) => {
                    self.transmit(&message);
                    continue;
                }
                PlayerOutput::Finished(outcome) => {
                    self.outcomes.push(*outcome);
                    continue;
                }
                PlayerOutput::Timeout(at) => Some(at),
                PlayerOutput::Idle => None,
                PlayerOutput::Done(end) => return Some(end),
            };
            if stop(self) {
                return None;
            }
            let arrival = self.under_way.keys().next().map(|(at, _)| *at);
            let next = [wake, arrival].into_iter().flatten().min();
            self.now = self.now.max(next.expect("something happens next"));
            while let Some(first) = self.under_way.first_entry()
                && first.key().0 <= self.now
            {
                let message = first.remove();
                self.player.handle_message(self.now, &message);
            }
        }
        panic!("the player does not come to its end");
    }

    fn transmit(&mut self, message: &Message) {
        let elapsed = (self.now - self.start).as_millis();
        self.sent.push((elapsed, message.to_vec()));
        for (delay, bytes) in self.peer.receive(self.now, message) {
            self.departures += 1;
            self.under_way
                .insert((self.now + delay, self.departures), bytes.into());
        }
    }

    fn results(&self) -> Vec<ReplayResult> {
        let mut outcomes: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| (outcome.conversation, outcome.result))
            .collect();
        outcomes.sort_unstable();
        outcomes.into_iter().map(|(_, result)| result).collect()
    }

    fn only_outcome(&self) -> &PlayOutcome {
        let [outcome] = &*self.outcomes else {
            panic!("{} outcomes", self.outcomes.len());
        };
        outcome
    }

    fn elapsed(&self) -> Duration {
        self.now - self.start
    }
}

const SYN: u8 = 0xa1;
const ACK: u8 = 0x51;
const SEND: u8 = 0xa0;
const ANSWER: u8 = 0x50;
const CLIENT_CLOSE: u8 = 0xa2;
const SERVER_CLOSE: u8 = 0x52;

/// Conversations of milliseconds, type and payload; `c1` has the client id
/// 000101 and the server id 000201, and so on.
fn recording(conversations: &[&[(i64, u8, &[u8])]]) -> Recording {
    let conversations = (1..).zip(conversations).map(|(number, messages)| {
        let client_id = StreamId::from_u32(0x100 + number);
        let server_id = StreamId::from_u32(0x200 + number);
        let accepted = messages.iter().any(|(_, byte, _)| *byte == ACK);
        let mut opened = false;
        let messages: Vec<RecordedMessage> = (1..)
            .zip(*messages)
            .map(|(index, &(millis, byte, payload))| {
                let frame_type = FrameType(byte);
                let direction = frame_type.direction().unwrap();
                let effect = match byte {
                    SYN => Effect::Opened,
                    ACK => Effect::Accepted,
                    SERVER_CLOSE if !opened => Effect::Refused,
                    SERVER_CLOSE | CLIENT_CLOSE => Effect::Closed,
                    _ => Effect::Carried,
                };
                opened |= byte == ACK;
                let to_client = direction == Direction::ServerToClient || byte == SYN;
                RecordedMessage {
                    number: index,
                    time: Timestamp::from_nanos(millis * 1_000_000),
                    direction,
                    frame_type,
                    id: if to_client { client_id } else { server_id },
                    payload: if byte == ACK {
                        Bytes::copy_from_slice(&server_id.0)
                    } else {
                        Bytes::copy_from_slice(payload)
                    },
                    effect,
                }
            })
            .collect();
        RecordedConversation {
            id: ConversationId(u64::from(number)),
            client_id: Some(ClientId(client_id)),
            server_id: accepted.then_some(ServerId(server_id)),
            state: ConversationState::Open,
            messages,
        }
    });
    Recording {
        conversations: conversations.collect(),
        ..Recording::default()
    }
}

/// A request and its answer, closed by the server.
fn exchange() -> Recording {
    recording(&[&[
        (0, SYN, b"destination"),
        (2, ACK, b""),
        (10, SEND, b"request"),
        (20, ANSWER, b"answer"),
        (30, SERVER_CLOSE, b""),
    ]])
}

/// A request and its answer, closed by the client.
fn client_closes() -> Recording {
    recording(&[&[
        (0, SYN, b"destination"),
        (2, ACK, b""),
        (10, SEND, b"request"),
        (20, ANSWER, b"answer"),
        (30, CLIENT_CLOSE, b""),
    ]])
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn frame(byte: u8, id: [u8; 3], payload: &[u8]) -> Vec<u8> {
    [&[byte], &id[..], payload].concat()
}

fn now(bytes: Vec<u8>) -> (Duration, Vec<u8>) {
    (Duration::ZERO, bytes)
}

/// A server that accepts with ids counted up, answers every data message as
/// `answer` says, and never closes.
fn server(mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>>) -> impl FnMut(&Message) -> Replies {
    let mut clients: Vec<[u8; 3]> = Vec::new();
    move |message| match message.frame_type.0 {
        SYN => {
            clients.push(message.id.0);
            let number = u32::try_from(clients.len()).unwrap();
            vec![now(frame(ACK, message.id.0, &StreamId::from_u32(number).0))]
        }
        SEND => {
            let index = usize::try_from(message.id.to_u32()).unwrap() - 1;
            let client = clients[index];
            let answers = answer(&message.payload).into_iter();
            answers
                .map(|bytes| match bytes.first() {
                    Some(&SERVER_CLOSE) => now(frame(SERVER_CLOSE, client, b"")),
                    _ => now(frame(ANSWER, client, &bytes)),
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn top_speed() -> PlayOptions {
    PlayOptions {
        pace: Pace::TopSpeed,
        ..PlayOptions::default()
    }
}

/// The answer of a server that then closes: its close is the byte 52.
fn then_close(answer: &[u8]) -> Vec<Vec<u8>> {
    vec![answer.to_vec(), vec![SERVER_CLOSE]]
}

#[test]
fn the_longest_message_of_each_direction_is_found() {
    let recording = exchange();
    for (direction, expected) in [
        (Direction::ClientToServer, &b"destination"[..]),
        (Direction::ServerToClient, b"answer"),
    ] {
        let longest = recording.longest_message(direction).unwrap();
        assert_eq!(longest.payload, expected);
        assert!(Recording::default().longest_message(direction).is_none());
    }
}

#[test]
fn of_two_views_of_a_conversation_the_one_that_was_seen_first_is_played_if_it_is_wanted() {
    let only = |number| Wanted {
        named: Some([ConversationId(number)].into()),
        ..Wanted::default()
    };
    let second_view = Some(SkipReason::SecondView);
    for (wanted, id, other, expected) in [
        (Wanted::default(), 1, 2, None),
        (Wanted::default(), 2, 1, second_view),
        (only(2), 2, 1, None),
        (only(1), 2, 1, second_view),
    ] {
        let other = Some(ConversationId(other));
        let state = ConversationState::Open;
        let reason = wanted.reason_against(ConversationId(id), other, state);
        assert_eq!(reason, expected, "{id} of {wanted:?}");
    }
}
