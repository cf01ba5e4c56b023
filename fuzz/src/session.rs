//! An I2CP session whose router says anything.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use ministream::carrier::i2cp::{Message, MessageType};
use ministream::keys::Keys;
use ministream::session::{Attempts, Event, Lane, Query, Session, SessionConfig};

/// Steps of one run.
const MAX_STEPS: usize = 300;

static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| {
    let file = include_bytes!("../../tests/keys/i2pd-ed25519.dat");
    Arc::new(Keys::from_bytes(file).expect("a key file"))
});

/// Nothing panics; all that a session writes are frames; nothing follows its end; when the
/// router has gone it ends; what it keeps for a router that does not read stays bounded.
pub fn run(data: &[u8]) {
    crate::given(data, talk);
}

fn talk(input: &mut Unstructured<'_>) -> Result<()> {
    let mut now = Instant::now();
    let mut session = Session::new(now, Arc::clone(&KEYS), SessionConfig::default(), [3; 32]);
    let mut has_ended = false;
    let mut is_first = true;
    let reads = input.arbitrary()?;
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        match input.int_in_range(0..=9)? {
            0..=5 => session.handle_bytes(now, &frame(input)?),
            6 => {
                let length = input.int_in_range(0..=input.len().min(40))?;
                session.handle_bytes(now, input.bytes(length)?);
            }
            7 => {
                let own = session.destination().hash();
                // A session that does not take it is as good as one that does.
                let lane = Some(Lane(input.int_in_range(0..=2)?));
                session.send(own, b"message", Attempts::Once, lane).ok();
            }
            8 => drop(session.look_up(now, Query::Name("a.i2p".to_owned()))),
            _ => match input.int_in_range(0..=9)? {
                0 => session.leave(now),
                1 => session.handle_close(),
                _ => now += Duration::from_millis(input.int_in_range(0..=70_000)?),
            },
        }
        session.handle_timeout(now);
        while let Some(event) = session.poll_event() {
            assert!(!has_ended, "an event behind the end: {event:?}");
            has_ended = matches!(event, Event::Ended(_));
        }
        while let (true, Some(written)) = (reads, session.poll_transmit(now)) {
            if is_first {
                assert_eq!(written, [0x2a], "the protocol byte comes first");
                is_first = false;
                continue;
            }
            check_frame(&written);
        }
        if let Some(at) = session.poll_timeout() {
            assert!(at > now || has_ended, "a time that is over is told again");
        }
    }
    session.handle_close();
    while let Some(event) = session.poll_event() {
        has_ended |= matches!(event, Event::Ended(_));
    }
    assert!(
        has_ended,
        "the router has gone, and the session has not ended"
    );
    Ok(())
}

/// A frame of any type, most often of those that routers send.
fn frame(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let common = [4, 20, 21, 22, 23, 31, 33, 35, 37, 39, 30];
    let message_type = match input.int_in_range(0..=9)? {
        0 => input.arbitrary()?,
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
