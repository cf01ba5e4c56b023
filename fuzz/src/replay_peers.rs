//! Clients of a mock, and a server of a player, that say anything.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::endpoint::AddressProof;
use ministream::replay::mock::{Mock, MockOptions, MockOutput};
use ministream::replay::{Masks, Plan, PlayOptions, Player, PlayerOutput, Recording};
use ministream::wire::Direction;

use crate::replay::record;

/// Steps of one run.
const MAX_STEPS: usize = 300;

/// What a mock keeps of one conversation, and of all.
const MAX_RECEIVED_BYTES: usize = 100;
const MAX_HELD_BYTES: usize = 150;

/// How many times what came from an unproven address may go there.
const AMPLIFICATION: usize = 3;

/// Whatever its clients say, a mock keeps no more of it than it may, and ends each conversation; where
/// clients have to prove their addresses, one that has not is sent at most three times what it sent.
/// Whatever its server says, a player judges each conversation once, sends little but what was
/// recorded, and comes to its end.
pub fn run(data: &[u8]) {
    crate::given(data, |input| {
        let recording = record(input)?;
        if input.arbitrary()? {
            mock(input, &recording)
        } else {
            player(input, &recording)
        }
    });
}

/// A message with one of these ids, or any bytes.
fn message(input: &mut Unstructured<'_>, types: [u8; 3], ids: &[[u8; 3]]) -> Result<Bytes> {
    let mut message = Vec::new();
    if input.int_in_range(0..=9)? > 0 {
        message.push(*input.choose(&types)?);
        message.extend(input.choose(ids)?);
    }
    let length = input.int_in_range(0..=input.len().min(60))?;
    message.extend(input.bytes(length)?);
    Ok(message.into())
}

/// What passed between a mock and the address of a client.
#[derive(Debug, Default)]
struct Account {
    received: usize,
    sent: usize,
    /// The ids that only somebody at this address has seen.
    shown: Vec<[u8; 3]>,
    is_proven: bool,
}

impl Account {
    fn receive(&mut self, message: &[u8]) {
        self.received += message.len();
        if let [0xa0 | 0xa2, a, b, c, ..] = *message {
            self.is_proven |= self.shown.contains(&[a, b, c]);
        }
    }

    fn send(&mut self, message: &[u8]) {
        self.sent += message.len();
        if let [0x51, _, _, _, a, b, c] = *message {
            self.shown.push([a, b, c]);
        }
    }

    fn assert_balanced(&self) {
        let most = AMPLIFICATION * self.received;
        assert!(self.is_proven || self.sent <= most, "{self:?}");
    }
}

/// The ids that a message shows.
fn learn(message: &[u8], ids: &mut Vec<[u8; 3]>) {
    for id in message[1..].chunks_exact(3).take(2) {
        ids.push([id[0], id[1], id[2]]);
    }
}

fn mock(input: &mut Unstructured<'_>, recording: &Recording) -> Result<()> {
    let mut now = Instant::now();
    let mut options = MockOptions::default();
    options.max_received_bytes = MAX_RECEIVED_BYTES;
    options.max_held_bytes = MAX_HELD_BYTES;
    options.address_proof = *input.choose(&[AddressProof::NotNeeded, AddressProof::Required])?;
    let is_proof_needed = options.address_proof == AddressProof::Required;
    let mut accounts = [(); 3].map(|()| Account::default());
    let mut mock = Mock::<u8>::new(recording, options, Masks::default(), [5; 32]);
    let mut ids = vec![[1, 0, 0], [1, 0, 1]];
    let (mut offered, mut finished) = (0, 0);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let client = input.int_in_range(0..=2)?;
        match input.int_in_range(0..=9)? {
            0 => mock.handle_blocked(client),
            1 => mock.handle_ready(now, client),
            2 if input.int_in_range(0..=9)? == 0 => mock.handle_link_lost(Some(client)),
            3 => now += Duration::from_millis(input.int_in_range(0..=6_000)?),
            // It is not heard while it takes nothing.
            _ if mock.is_blocked(client) => {}
            _ => {
                let message = message(input, [0xa1, 0xa0, 0xa2], &ids)?;
                // Whoever has an address to prove is known by it.
                let from = input.int_in_range(0..=9)? > 0 || is_proof_needed;
                if from {
                    accounts[usize::from(client)].receive(&message);
                }
                mock.handle_message(now, from.then_some(client), &message);
            }
        }
        let held = mock.held_bytes();
        assert!(held <= MAX_HELD_BYTES, "{held} bytes of clients are kept");
        offered = offered.max(mock.open_count());
        // Those that are closed and wait for a proof of their address are left to others, too.
        let waiting = if is_proof_needed { 4_096 } else { 0 };
        let limit = recording.conversations.len() + waiting;
        assert!(offered <= limit, "{offered} conversations of {limit}");
        loop {
            match mock.poll_output(now) {
                MockOutput::Transmit { to, message } => {
                    let message = message.to_vec();
                    learn(&message, &mut ids);
                    accounts[usize::from(to)].send(&message);
                }
                MockOutput::Finished(_) => finished += 1,
                MockOutput::Timeout(_) | MockOutput::Idle => break,
            }
            for account in accounts.iter().filter(|_| is_proof_needed) {
                account.assert_balanced();
            }
        }
    }
    mock.handle_link_lost(None);
    for _ in 0..1_000 {
        match mock.poll_output(now) {
            MockOutput::Transmit { .. } => {}
            MockOutput::Finished(_) => finished += 1,
            MockOutput::Timeout(at) => now = now.max(at),
            MockOutput::Idle => break,
        }
    }
    assert_eq!(mock.open_count(), 0, "all links are lost");
    assert_eq!(mock.held_bytes(), 0, "bytes of conversations that are over");
    assert!(finished >= offered, "each conversation is reported");
    Ok(())
}

fn player(input: &mut Unstructured<'_>, recording: &Recording) -> Result<()> {
    let mut now = Instant::now();
    let options = PlayOptions::default();
    let Ok(plan) = Plan::new(recording, &options) else {
        return Ok(());
    };
    let mut player = Player::new(plan, options, Masks::default(), [6; 32], now);
    let mut ids = vec![[2, 0, 0], [2, 0, 1]];
    let (mut sent, mut judged) = (0, 0);
    let conversations = recording.conversations.len();
    let recorded = recording.conversations.iter().flat_map(|one| &one.messages);
    let is_ours = |direction| direction == Some(Direction::ClientToServer);
    let recorded = recorded
        .filter(|message| is_ours(message.frame_type.direction()))
        .count();
    for _ in 0..20_000 {
        if input.is_empty() {
            player.handle_ready();
        } else {
            match input.int_in_range(0..=9)? {
                0 => player.handle_blocked(),
                1 => player.handle_ready(),
                2 => now += Duration::from_millis(input.int_in_range(0..=6_000)?),
                _ => {
                    let message = message(input, [0x50, 0x51, 0x52], &ids)?;
                    let count = *input.choose(&[1, 1, 20])?;
                    for _ in 0..count {
                        player.handle_message(now, &message);
                    }
                }
            }
        }
        assert!(player.live_count() <= conversations, "conversations");
        loop {
            match player.poll_output(now) {
                PlayerOutput::Transmit(message) => {
                    sent += 1;
                    learn(&message.to_vec(), &mut ids);
                }
                PlayerOutput::Finished(_) => judged += 1,
                PlayerOutput::Timeout(at) => {
                    if input.is_empty() {
                        now = now.max(at);
                    }
                    break;
                }
                PlayerOutput::Idle => break,
                PlayerOutput::Done(_) => {
                    assert_eq!(judged, conversations, "each is judged once");
                    // A close for each that would be left alone.
                    let most = recorded + conversations;
                    assert!(sent <= most, "{sent} messages, where {most} are enough");
                    return Ok(());
                }
            }
        }
    }
    panic!("a replay without end");
}
