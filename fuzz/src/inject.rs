//! An injected script against a peer that sends anything.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::replay::inject::{self, Executor, InjectOutput, StepResult};

/// The first bytes are a script, or choose the steps of one; the others are a peer's messages. Nothing
/// panics, and what is sent and heard adds up. A script without loops comes to its end, in which it passed if
/// all of its steps went well.
pub fn run(data: &[u8]) {
    crate::given(data, check);
}

/// Steps that a script is put together of, where it is not text of its own.
const STEPS: [&str; 24] = [
    "syn $c",
    "syn 010203 \"key\"",
    "syn $d dest+hex:00",
    "ack $c hex:010203",
    "data 010203 \"GET /\\r\\n\"",
    "data $s seq:70",
    "data $c rand:40",
    "close $s",
    "close $c",
    "type:50 $c zero:5",
    "hex a0",
    "hex 00",
    "ping",
    "wait 20ms",
    "expect ack $c -> $s within 50ms",
    "expect ack 010203 within 5ms",
    "expect data $c = \"key\" within 50ms",
    "expect data 010203 ~ /GE/",
    "expect close $c within 50ms",
    "expect refusal $c within 1s",
    "expect bytes 010203 = \"GET /\" within 50ms",
    "expect nothing within 30ms",
    "expect nothing for $c within 5ms",
    "expect type:52 $c within 5ms",
];

/// How often a machine may want something until it has to be at its end.
const MAX_OUTPUTS: usize = 20_000;

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let text = script(input)?;
    let mut files = |_: &str| -> io::Result<Vec<u8>> { Ok(b"file".to_vec()) };
    let Ok(script) = inject::parse(&text, &mut files) else {
        return Ok(());
    };
    let step_count = script.steps().len();
    let has_loops = text.contains("repeat");
    let mut now = Instant::now();
    let mut machine = Executor::new(script, Bytes::from_static(&[7; 391]), [9; 32]);
    let (mut sent, mut heard, mut has_failed) = (0, 0, false);
    let mut echoes = VecDeque::new();
    for _ in 0..MAX_OUTPUTS {
        match machine.poll_output(now) {
            InjectOutput::Transmit(message) => {
                sent += 1;
                echoes.push_back(message);
            }
            InjectOutput::Dial(_) => panic!("nobody is there to be dialled"),
            InjectOutput::Step(report) => {
                assert!(
                    report.step < step_count,
                    "a step that there is not: {report:?}"
                );
                has_failed |= report.result != StepResult::Ok;
            }
            InjectOutput::Timeout(until) => {
                match message(input, &mut echoes)? {
                    Some(message) => {
                        heard += 1;
                        machine.handle_message(message);
                    }
                    // Ten thousand steps were done, and there are more.
                    None if until <= now => {}
                    None => now = until,
                }
                now += Duration::from_millis(1);
            }
            InjectOutput::Done { passed } => {
                assert_eq!(passed, !has_failed, "whether the script passed");
                assert_eq!(machine.poll_output(now), InjectOutput::Done { passed });
                break;
            }
        }
        assert_eq!(machine.sent_count(), sent, "messages that were sent");
        assert_eq!(machine.received_count(), heard, "messages that came");
        let kept = machine.unclaimed().count() as u64;
        assert!(
            kept + machine.dropped_count() <= heard,
            "messages from nowhere"
        );
    }
    let is_over = matches!(machine.poll_output(now), InjectOutput::Done { .. });
    assert!(is_over || has_loops, "a script without end: {text:?}");
    Ok(())
}

fn script(input: &mut Unstructured<'_>) -> Result<String> {
    if input.ratio(1, 4)? {
        let length = input.int_in_range(0..=input.len().min(400))?;
        return Ok(String::from_utf8_lossy(input.bytes(length)?).into_owned());
    }
    let mut lines = Vec::new();
    for _ in 0..input.int_in_range(1..=12)? {
        lines.push(*input.choose(&STEPS)?);
    }
    if input.ratio(1, 8)? {
        lines.insert(0, "repeat 3");
        lines.push("end");
    }
    Ok(lines.join("\n"))
}

/// What the peer says next: anything, or what it was sent, as the other end would send it back.
pub(crate) fn message(
    input: &mut Unstructured<'_>,
    echoes: &mut VecDeque<Bytes>,
) -> Result<Option<Bytes>> {
    if input.is_empty() {
        return Ok(None);
    }
    match input.int_in_range(0..=3)? {
        0 => Ok(None),
        1 => {
            let length = input.int_in_range(0..=input.len().min(60))?;
            Ok(Some(Bytes::copy_from_slice(input.bytes(length)?)))
        }
        _ => {
            let Some(echo) = echoes.pop_front() else {
                return Ok(None);
            };
            let mut bytes = echo.to_vec();
            if let Some(first) = bytes.first_mut() {
                // 0xa0 data, 0xa1 SYN and 0xa2 close to 0x50 data, 0x51 ACK and 0x52 close.
                *first = first.wrapping_sub(0x50);
                if *first == 0x51 {
                    bytes.truncate(4);
                    bytes.extend_from_slice(input.bytes(3)?);
                }
            }
            Ok(Some(bytes.into()))
        }
    }
}
