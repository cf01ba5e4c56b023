//! An I2CP session whose router says anything.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use ministream::carrier::i2cp::{Message, MessageType};
use ministream::keys::Keys;
use ministream::session::{Attempts, Event, Lane, Query, Session, SessionConfig};
use ministream_fixtures::i2cp;

/// Steps of one run.
const MAX_STEPS: usize = 300;

/// What the router calls the session.
const SESSION: u16 = 7;

/// What comes from a router at once.
const READ_BYTES: usize = 16 << 10;

/// What may wait for a router to read it: a mebibyte, and what a read beyond it asks for, up to 256
/// lease sets.
const MAX_ANSWER_BYTES: usize = (1 << 20) + (512 << 10);

static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| {
    let file = include_bytes!("../../tests/keys/i2pd-ed25519.dat");
    Arc::new(Keys::from_bytes(file).expect("a key file"))
});

/// The longest frame of one of our messages.
const MAX_FRAME_BYTES: usize = 1024;

/// Frames of the session itself that wait behind messages: one to itself, and the last of all.
const OWN_FRAMES: usize = 2;

/// Nothing panics; all that a session writes are frames; nothing follows its end; when the
/// router has gone it ends; what it keeps for a router that does not read stays bounded, and so do
/// attempts at a message whose failure is reported again and again.
pub fn run(data: &[u8]) {
    crate::given(data, talk);
}

fn talk(input: &mut Unstructured<'_>) -> Result<()> {
    let now = Instant::now();
    let mut bench = Bench {
        now,
        session: Session::new(now, Arc::clone(&KEYS), SessionConfig::default(), [3; 32]),
        has_ended: false,
        is_first: true,
        has_flooded: false,
        taken_count: 0,
        nonces: Vec::new(),
    };
    let reads = input.arbitrary()?;
    if input.arbitrary()? {
        // As far as a lease set.
        for frame in [
            i2cp::set_date(),
            i2cp::session_status(SESSION, 1),
            i2cp::request_variable_lease_set(SESSION),
        ] {
            bench.session.handle_bytes(now, &frame);
            bench.settle(reads);
        }
    }
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        bench.act(input, reads)?;
        bench.settle(reads);
    }
    if !reads {
        bench.check_answers();
    }
    bench.session.handle_close();
    bench.take_events();
    assert!(
        bench.has_ended,
        "the router has gone, and the session has not ended"
    );
    Ok(())
}

/// A session, and what its driver knows.
struct Bench {
    now: Instant,
    session: Session,
    has_ended: bool,
    /// Whether nothing was written yet.
    is_first: bool,
    /// Whether the router has asked for more than may wait.
    has_flooded: bool,
    /// Messages that the session took.
    taken_count: usize,
    /// The numbers of those that were written.
    nonces: Vec<u32>,
}

impl Bench {
    fn act(&mut self, input: &mut Unstructured<'_>, reads: bool) -> Result<()> {
        let (session, now) = (&mut self.session, self.now);
        match input.int_in_range(0..=9)? {
            0..=4 => session.handle_bytes(now, &frame(input, &self.nonces)?),
            5 => {
                let frame = frame(input, &self.nonces)?;
                let mut count = *input.choose(&[2, 300, 200_000])?;
                // Once is enough; and payloads, which take long, ask for nothing.
                if self.has_flooded || frame[4] == MessageType::MESSAGE_PAYLOAD.0 {
                    count = count.min(300);
                }
                self.has_flooded |= count > 300;
                self.flood(&frame, count, reads);
            }
            6 => {
                let length = input.int_in_range(0..=input.len().min(40))?;
                session.handle_bytes(now, input.bytes(length)?);
            }
            7 => {
                let own = session.learn(KEYS.destination());
                let number = input.int_in_range(0..=5)?;
                let attempts = match number {
                    0..=2 => Attempts::Once,
                    _ => Attempts::Until(now + Duration::from_secs(30)),
                };
                let lane = Some(Lane(number % 3));
                // A session that does not take it is as good as one that does.
                let taken = session.send(own, b"message", attempts, lane);
                self.taken_count += usize::from(taken.is_ok());
            }
            8 => drop(session.look_up(now, Query::Name("a.i2p".to_owned()))),
            _ => match input.int_in_range(0..=9)? {
                0 => session.leave(now),
                1 => session.handle_close(),
                _ => self.now += Duration::from_millis(input.int_in_range(0..=70_000)?),
            },
        }
        Ok(())
    }

    /// A router that says the same again and again, as fast as it can be read.
    fn flood(&mut self, frame: &[u8], count: usize, reads: bool) {
        let at_once = (READ_BYTES / frame.len()).min(count);
        let bytes = frame.repeat(at_once);
        for _ in 0..count.div_ceil(at_once) {
            self.session.handle_bytes(self.now, &bytes);
            self.settle(reads);
            if self.has_ended {
                return;
            }
        }
    }

    /// What a driver does after each step.
    fn settle(&mut self, reads: bool) {
        self.session.handle_timeout(self.now);
        self.take_events();
        while let (true, Some(written)) = (reads, self.session.poll_transmit(self.now)) {
            if self.is_first {
                assert_eq!(written, [0x2a], "the protocol byte comes first");
                self.is_first = false;
                continue;
            }
            check_frame(&written);
            if written[4] == MessageType::SEND_MESSAGE.0 {
                let nonce = written.last_chunk().expect("it ends with its number");
                self.nonces.push(u32::from_be_bytes(*nonce));
            }
        }
        assert!(
            self.session.waiting_bytes() <= (self.taken_count + OWN_FRAMES) * MAX_FRAME_BYTES,
            "more waits than was taken"
        );
        // A message whose time has come waits for a router that reads nothing.
        let waits = !reads && self.session.waiting_bytes() > 0;
        if let Some(at) = self.session.poll_timeout() {
            assert!(
                at > self.now || self.has_ended || waits,
                "a time that is over is told again"
            );
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            assert!(!self.has_ended, "an event behind the end: {event:?}");
            self.has_ended = matches!(event, Event::Ended(_));
        }
    }

    /// What waits for a router that reads nothing, beside messages.
    fn check_answers(&mut self) {
        let mut bytes = 0;
        while let Some(written) = self.session.poll_transmit(self.now) {
            let is_message = matches!(written.get(4), Some(5 | 36));
            bytes += if is_message { 0 } else { written.len() };
        }
        assert!(
            bytes <= MAX_ANSWER_BYTES,
            "{bytes} bytes of answers wait for a router that reads nothing"
        );
    }
}

/// A frame of any type, most often of those that routers send. `nonces` are of messages that
/// were written.
fn frame(input: &mut Unstructured<'_>, nonces: &[u32]) -> Result<Vec<u8>> {
    let common = [4, 20, 21, 22, 23, 31, 33, 35, 37, 39, 30];
    let message_type = match input.int_in_range(0..=19)? {
        0 => input.arbitrary()?,
        1..=9 => return whole_frame(input, nonces),
        _ => *input.choose(&common)?,
    };
    let length = input.int_in_range(0..=input.len().min(120))?;
    let body = input.bytes(length)?;
    let mut frame = u32::try_from(body.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    frame.push(message_type);
    frame.extend_from_slice(body);
    Ok(frame)
}

/// A frame that a router would send.
fn whole_frame(input: &mut Unstructured<'_>, nonces: &[u32]) -> Result<Vec<u8>> {
    let number = input.arbitrary::<u8>()?;
    let nonce = match nonces.len() {
        0 => number.into(),
        count => nonces[usize::from(number) % count],
    };
    let number = number.into();
    Ok(match input.int_in_range(0..=6)? {
        0 => i2cp::set_date(),
        1 => i2cp::session_status(SESSION, *input.choose(&[1, 0, 2])?),
        2 => i2cp::request_variable_lease_set(SESSION),
        3 => i2cp::request_lease_set(SESSION),
        4 => {
            let status = *input.choose(&[0, 0, 1, 2, 4, 6, 21])?;
            i2cp::message_status(SESSION, number, status, 7, nonce)
        }
        _ => {
            let length = input.int_in_range(0..=input.len().min(40))?;
            let payload = i2cp::wrap(input.bytes(length)?);
            i2cp::message_payload(SESSION, number, &payload)
        }
    })
}

fn check_frame(written: &[u8]) {
    let (header, body) = written.split_at_checked(5).expect("a frame has a header");
    let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    assert_eq!(
        usize::try_from(length),
        Ok(body.len()),
        "the length of a frame"
    );
    Message::decode(MessageType(header[4]), body).expect("a session writes whole messages");
}
