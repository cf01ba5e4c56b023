use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::endpoint::{Config, Endpoint, Event, Output};

fn no_files(_: &str) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::NotFound.into())
}

fn script(text: &str) -> Script {
    parse(text, &mut no_files).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a script with a peer that answers each message at once; returns the messages sent, the
/// results of the steps, and the time taken.
fn run(
    text: &str,
    peer: impl FnMut(&[u8]) -> Vec<Vec<u8>>,
) -> (Vec<Vec<u8>>, Vec<(usize, StepResult)>, Duration) {
    run_script(script(text), peer)
}

fn run_script(
    script: Script,
    mut peer: impl FnMut(&[u8]) -> Vec<Vec<u8>>,
) -> (Vec<Vec<u8>>, Vec<(usize, StepResult)>, Duration) {
    let mut executor = Executor::new(script, Bytes::from_static(b"dest"), [2; 32]);
    let start = Instant::now();
    let mut now = start;
    let mut sent = Vec::new();
    let mut reports = Vec::new();
    loop {
        match executor.poll_output(now) {
            InjectOutput::Transmit(message) => {
                for answer in peer(&message) {
                    executor.handle_message(answer.into());
                }
                sent.push(message.to_vec());
            }
            InjectOutput::Step(report) => {
                let line = executor.script().steps()[report.step].line;
                reports.push((line, report.result));
            }
            InjectOutput::Dial(_) => unreachable!("only cases dial"),
            InjectOutput::Timeout(at) => now = now.max(at),
            InjectOutput::Done { passed } => {
                let all_ok = reports.iter().all(|(_, result)| *result == StepResult::Ok);
                assert_eq!(passed, all_ok);
                return (sent, reports, now - start);
            }
        }
    }
}

fn silent(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

fn sent(text: &str) -> Vec<Vec<u8>> {
    run(text, silent).0
}

#[test]
fn every_form_of_message_and_payload_is_sent_to_the_byte() {
    for (line, bytes) in [
        ("syn 111111", &b"\xa1\x11\x11\x11dest"[..]),
        ("syn 111111 \"me\"", b"\xa1\x11\x11\x11me"),
        ("ack 111111 hex:ffffff", b"\x51\x11\x11\x11\xff\xff\xff"),
        (
            "data 010203 \"a\\r\\n\\x00\\\"\\\\\"",
            b"\xa0\x01\x02\x03a\r\n\0\"\\",
        ),
        ("data zero zero:3", b"\xa0\0\0\0\0\0\0"),
        ("close ABCDEF   # no payload", b"\xa2\xab\xcd\xef"),
        ("type:5f 000001 hex:", b"\x5f\0\0\x01"),
        ("  hex a1 12 3456 # raw", b"\xa1\x12\x34\x56"),
        ("hex ff", b"\xff"),
        ("ping", b"\xff"),
        (
            "data 010203 \"# no comment\"",
            b"\xa0\x01\x02\x03# no comment",
        ),
    ] {
        assert_eq!(sent(line), [bytes], "{line}");
    }
}

#[test]
fn random_payloads_and_ids_follow_from_the_seed() {
    let first = sent("data rand rand:100");
    assert_eq!(first, sent("data rand rand:100"));
    assert_eq!(first[0].len(), 104);
    let all = sent("repeat 3\nsyn $c\ndata $c \"x\"\nend");
    let ids: Vec<&[u8]> = all.iter().map(|bytes| &bytes[1..4]).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn files_are_read_before_anything_is_sent() {
    let mut asked = Vec::new();
    let mut files = |path: &str| {
        asked.push(path.to_owned());
        Ok(b"content".to_vec())
    };
    parse("syn 111111 @some/file.bin", &mut files).unwrap();
    assert_eq!(asked, ["some/file.bin"]);
    let error = parse("ping\nsyn 111111 @gone", &mut no_files).unwrap_err();
    assert_eq!((error.line, error.column), (2, 12));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_column() {
    for (text, line, column, problem) in [
        (
            "wait 99999999999999999999999s",
            1,
            6,
            "the time is too long",
        ),
        (
            "sin 111111",
            1,
            1,
            "unknown step \"sin\"; there are syn, ack, data, close, type:XX, hex, ping, wait, expect, repeat and end",
        ),
        (
            "ping\n\n  syn 11111",
            3,
            7,
            "an id is six hex digits, $name, rand or zero",
        ),
        ("syn", 1, 4, "an id is six hex digits, $name, rand or zero"),
        (
            "data $s \"x\"",
            1,
            6,
            "$s has no value here; syn $s or expect ack … -> $s gives it one",
        ),
        (
            "data 111111 text",
            1,
            13,
            "a payload is \"text\", hex:…, @file, rand:N, zero:N, seq:N or dest+hex:…",
        ),
        ("data 111111 \"open", 1, 13, "the string has no end"),
        (
            "data 111111 \"a\\q\"",
            1,
            15,
            r#"unknown escape; there are \n \r \t \0 \\ \" and \xHH"#,
        ),
        (
            "data 111111 \"a\\xg1\"",
            1,
            15,
            "\\x is followed by two hex digits",
        ),
        (
            "data 111111 hex:abc",
            1,
            13,
            "bad hex: odd number of digits",
        ),
        (
            "data 111111 rand:2000000",
            1,
            13,
            "2000000 bytes are more than the 1048576 of a payload",
        ),
        ("close 111111 \"x\" y", 1, 18, "nothing is expected here"),
        (
            "wait 100",
            1,
            6,
            "a time needs a unit: us, ms, s, m, h or d; did you mean 100s?",
        ),
        ("wait 1y", 1, 7, "a unit of time is us, ms, s, m, h or d"),
        (
            "wait",
            1,
            5,
            "a time is a number and a unit, as in 500us, 20ms, 1s, 2m or 1h",
        ),
        (
            "expect",
            1,
            7,
            "what is expected is syn, ack, data, close, refusal, type:XX, bytes or nothing",
        ),
        (
            "expect nothing",
            1,
            15,
            "expect nothing needs a time, as in within 1s",
        ),
        (
            "expect data 111111 -> $s",
            1,
            20,
            "only an ack hands out an id, and a syn brings one",
        ),
        (
            "expect ack 111111 -> s",
            1,
            22,
            "a variable is $ and a name, as in $s",
        ),
        (
            "expect data 111111 ~ /(/",
            1,
            22,
            "bad pattern: unclosed group",
        ),
        ("expect data 111111 ~ /x", 1, 22, "the pattern has no end"),
        (
            "expect data 111111 = rand:3",
            1,
            22,
            "random bytes cannot be expected",
        ),
        ("repeat 3\nping", 1, 1, "this repeat has no end"),
        (
            "repeat 0",
            1,
            8,
            "repeat needs a number from 1 to 1000000000",
        ),
        ("ping\nend", 2, 1, "end without repeat"),
        ("hex", 1, 4, "hex needs bytes, as in hex a1 12 34 56"),
        ("C->S 41", 1, 0, ""),
        (
            "S->C 52 12",
            1,
            6,
            "a message without an id cannot be expected",
        ),
        (
            "… 5 more messages",
            1,
            1,
            "messages were left out here when this was written",
        ),
        (
            "C->S key...",
            1,
            6,
            "a message begins with bytes, as in A1 12 34 56",
        ),
    ] {
        if column == 0 {
            assert!(parse(text, &mut no_files).is_ok(), "{text}");
            continue;
        }
        let error = parse(text, &mut no_files).expect_err(text);
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text}: {error}"
        );
        assert_eq!(error.problem, problem, "{text}");
    }
}

#[test]
fn what_nobody_knows_who_sent_is_sent_and_pings_of_the_server_are_no_steps() {
    let text = "no conversation\n\n?->?  FF       (ping)\n?->?  53 01 02 03 04 (unknown type)\n\
                S->C  FF (ping)\nS->C  FF 01 02 03 (chaff)\nC->S  A0 01 (too short)\n";
    assert_eq!(
        sent(text),
        [&b"\xff"[..], b"\x53\x01\x02\x03\x04", b"\xa0\x01"]
    );
}

#[test]
fn an_error_shows_its_line_with_a_caret() {
    let error = parse("ping\ndata $s \"x\"", &mut no_files).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 6: $s has no value here; syn $s or expect ack … -> $s gives it one\n    \
             data $s \"x\"\n         ^"
    );
}

#[test]
fn no_cut_of_a_script_panics() {
    let text = "repeat 2\nsyn $c \"ä\\x41\"\nexpect ack $c -> $s within 2s\n\
                data $s hex:00ff # c\nexpect data $c ~ /a\\/b/ within 1ms\nend\n\
                C->S  A1 12 34 56 key... (SYN)\nS->C  51 12 34 56 98 76 54\n";
    for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
        let _: Result<Script, ScriptError> = parse(&text[..cut], &mut no_files);
    }
    script(text);
}

#[test]
fn an_ack_binds_its_id_and_data_follows_it() {
    let mut waiting = VecDeque::from([
        vec![b"\x51\x11\x11\x11\xaa\xbb\xcc".to_vec()],
        vec![
            b"\x50\x11\x11\x11HTTP/1.0 200 OK".to_vec(),
            b"\x52\x11\x11\x11".to_vec(),
        ],
    ]);
    let text = "syn 111111\nexpect ack 111111 -> $s within 2s\ndata $s \"GET\"\n\
                expect data 111111 ~ /200 OK/\nexpect close 111111\nexpect nothing within 1s";
    let (sent, reports, elapsed) = run(text, |_| waiting.pop_front().unwrap());
    assert_eq!(sent[1], b"\xa0\xaa\xbb\xccGET");
    assert_eq!(reports.len(), 6);
    assert_eq!(elapsed, Duration::from_secs(1));
}

#[test]
fn each_way_to_disappoint_an_expectation_has_a_result() {
    for (expectation, answers, result, millis) in [
        (
            "expect data 111111 within 70ms",
            vec![],
            StepResult::Nothing,
            70,
        ),
        (
            "expect data 111111",
            vec![&b"\x52\x11\x11\x11"[..]],
            StepResult::OtherType,
            0,
        ),
        (
            "expect data 111111 = \"x\"",
            vec![b"\x50\x11\x11\x11y"],
            StepResult::OtherPayload,
            0,
        ),
        (
            "expect data 111111 ~ /^x/",
            vec![b"\x50\x11\x11\x11yx"],
            StepResult::OtherPayload,
            0,
        ),
        (
            "expect ack 111111 -> $s",
            vec![b"\x51\x11\x11\x11"],
            StepResult::NoId,
            0,
        ),
        (
            "expect nothing within 9ms",
            vec![b"\x50\x22\x22\x22"],
            StepResult::Something,
            0,
        ),
        (
            "expect nothing for 222222 within 9ms",
            vec![b"\x50\x22\x22\x22"],
            StepResult::Something,
            0,
        ),
        (
            "expect bytes 111111 = \"hello\" within 30ms",
            vec![b"\x50\x11\x11\x11hel"],
            StepResult::Fewer(3),
            30,
        ),
        (
            "expect bytes 111111 = \"hello\" within 30ms",
            vec![b"\x50\x22\x22\x22hello"],
            StepResult::Nothing,
            30,
        ),
        (
            "expect bytes 111111 = \"hello\"",
            vec![b"\x50\x11\x11\x11hex"],
            StepResult::OtherPayload,
            0,
        ),
        (
            "expect bytes 111111 = \"hello\"",
            vec![b"\x50\x11\x11\x11hello!"],
            StepResult::OtherPayload,
            0,
        ),
        (
            "expect bytes 111111 = \"hello\"",
            vec![b"\x50\x11\x11\x11hel", b"\x52\x11\x11\x11"],
            StepResult::OtherType,
            0,
        ),
        (
            "expect syn -> $c within 1ms",
            vec![b"\xa0\x11\x11\x11"],
            StepResult::Nothing,
            1,
        ),
        (
            "expect data 111111 within 1ms",
            vec![b"\x50\x22\x22\x22"],
            StepResult::Nothing,
            1,
        ),
        (
            "expect data 111111 within 1ms",
            vec![b"\xff\x11\x11\x11", b"\xff"],
            StepResult::Nothing,
            1,
        ),
    ] {
        let text = format!("ping\n{expectation}\nping");
        let answer = |_: &[u8]| answers.iter().map(|bytes| bytes.to_vec()).collect();
        let (sent, reports, elapsed) = run(&text, answer);
        assert_eq!(sent.len(), 1, "nothing is sent after a failure");
        assert_eq!(reports, [(1, StepResult::Ok), (2, result)], "{expectation}");
        assert_eq!(elapsed, Duration::from_millis(millis), "{expectation}");
    }
}

#[test]
fn a_refusal_is_a_close_with_three_bytes_or_none_after_one_ack_at_most() {
    let close = |payload: &[u8]| [b"\x52\x11\x11\x11", payload].concat();
    let ack = |payload: &[u8]| [b"\x51\x11\x11\x11", payload].concat();
    for (answers, expected) in [
        (vec![close(b"")], StepResult::Ok),
        (vec![close(b"abc")], StepResult::Ok),
        (vec![ack(b"abc"), close(b"")], StepResult::Ok),
        (vec![ack(b"abc"), close(b"abc")], StepResult::Ok),
        (vec![], StepResult::Nothing),
        (vec![ack(b"abc")], StepResult::Nothing),
        (vec![close(b"ab")], StepResult::OtherType),
        (vec![close(b"abcd")], StepResult::OtherType),
        (vec![ack(b""), close(b"")], StepResult::OtherType),
        (
            vec![ack(b"abc"), ack(b"abc"), close(b"")],
            StepResult::OtherType,
        ),
        (vec![b"\x50\x11\x11\x11x".to_vec()], StepResult::OtherType),
    ] {
        let text = "syn 111111\nexpect refusal 111111 within 2s";
        let (_, reports, _) = run(text, |_| answers.clone());
        assert_eq!(reports[1], (2, expected), "{answers:x?}");
    }
}

#[test]
fn a_stream_may_come_in_any_pieces() {
    for cut in 0..=5 {
        let (one, two) = b"hello".split_at(cut);
        let pieces = [one, b"", two].map(|bytes| [b"\x50\x11\x11\x11", bytes].concat());
        let text = "ping\nexpect bytes 111111 = \"hello\"\nexpect nothing for 222222 within 1ms";
        let (_, reports, _) = run(text, |_| pieces.to_vec());
        let results: Vec<_> = reports.into_iter().map(|(_, result)| result).collect();
        assert_eq!(results, [StepResult::Ok, StepResult::Ok, StepResult::Ok]);
    }
}

#[test]
fn a_client_that_calls_is_answered_by_its_id() {
    let mut calls = VecDeque::from([vec![
        b"\x50\x00\x00\x01noise".to_vec(),
        b"\xa1\x33\x44\x55key".to_vec(),
    ]]);
    let text = "ping\nexpect syn -> $c = \"key\"\ntype:51 $c hex:010203\ntype:52 $c";
    let (sent, reports, _) = run(text, |_| calls.pop_front().unwrap_or_default());
    assert_eq!(
        sent[1..],
        [&b"\x51\x33\x44\x55\x01\x02\x03"[..], b"\x52\x33\x44\x55"]
    );
    assert_eq!(reports.len(), 4);
}

#[test]
fn sequences_and_destinations_with_something_behind_them_are_sent_to_the_byte() {
    assert_eq!(sent("data 010203 seq:3"), [b"\xa0\x01\x02\x03\0\x01\x02"]);
    assert_eq!(sent("data 010203 seq:253")[0][4 + 249..], [249, 250, 0, 1]);
    assert_eq!(
        sent("syn 010203 dest+hex:ff00"),
        [b"\xa1\x01\x02\x03dest\xff\0"]
    );
}

#[test]
fn nobody_is_dialled_by_a_script_of_messages() {
    let error = parse("dial \"hello\"", &mut no_files).unwrap_err();
    assert!(
        error.to_string().contains("unknown step \"dial\""),
        "{error}"
    );
}

#[test]
fn messages_of_other_ids_wait_for_their_steps() {
    let answers = |_: &[u8]| {
        vec![
            b"\x50\x22\x22\x22two".to_vec(),
            b"\xff".to_vec(),
            b"\x50\x11\x11\x11one".to_vec(),
        ]
    };
    let text = "ping\nexpect data 111111 = \"one\"\nexpect data 222222 = \"two\"";
    let (_, reports, _) = run(text, answers);
    assert!(reports.iter().all(|(_, result)| *result == StepResult::Ok));
}

#[test]
fn a_server_id_that_no_ack_handed_out_is_sent_as_it_is_written() {
    let text = "C->S  A0 0B AD 1D data (Send data)\nC->S  FF             (ping)";
    assert_eq!(sent(text), [&b"\xa0\x0b\xad\x1ddata"[..], b"\xff"]);
}

#[test]
fn loops_nest_and_waits_add_up() {
    let text = "repeat 3\nhex 01 02 03 04\nrepeat 2\nhex 05 06 07 08\nwait 10ms\nend\nend\nping";
    let (sent, _, elapsed) = run(text, silent);
    let first: Vec<u8> = sent.iter().map(|bytes| bytes[0]).collect();
    assert_eq!(first, [1, 5, 5, 1, 5, 5, 1, 5, 5, 0xff]);
    assert_eq!(elapsed, Duration::from_millis(60));
}

#[test]
fn a_script_behind_another_keeps_its_loops() {
    let mut both = script("repeat 2\nhex 01 02 03 04\nend");
    both.append(script("ping\nrepeat 3\nhex 05 06 07 08\nend"));
    let (sent, ..) = run_script(both, silent);
    let first: Vec<u8> = sent.iter().map(|bytes| bytes[0]).collect();
    assert_eq!(first, [1, 1, 0xff, 5, 5, 5]);
}

/// The samples as the specification prints them.
const SPECIFICATION: &str = "\
a) service not available

C->S  A1 12 34 56 key... (SYN, client ID = 12 34 56)
S->C  52 12 34 56        (Close)

b) service available, server sends data, client closes
C->S A1 23 45 67 key...     SYN
S->C 51 23 45 67 98 76 54   ACK, server id 98 76 54
S->C 50 23 45 67 data       data
C->S A2 98 76 54            close

c1) server closed, udp 127.0.0.1:40112 -> 127.0.0.1:9004

C->S  A1 11 11 11 key...   (SYN, client ID = 11 11 11)
S->C  51 11 11 11 FF FF FF (ACK, server ID = FF FF FF)
C->S  A0 FF FF FF data     (Send data)
S->C  50 11 11 11 data     (Send data)
S->C  50 11 11 11 data     (Send data)
S->C  51 11 11 11          (Close)
";

#[test]
fn the_samples_of_the_specification_run_against_an_endpoint() {
    let mut endpoint: Endpoint<u8> = Endpoint::new(Config::default(), [3; 32]);
    let now = Instant::now();
    let mut incoming = 0;
    let mut destination = vec![7; 384];
    destination.extend([0, 0, 0]);
    let syn_payload = Bytes::from(destination);
    let mut executor = Executor::new(script(SPECIFICATION), syn_payload, [2; 32]);
    let mut sent = Vec::new();
    let mut ok = 0;
    let mut clock = now;
    let passed = loop {
        match executor.poll_output(clock) {
            InjectOutput::Transmit(message) => {
                sent.push(message[0]);
                endpoint.handle_message(clock, Some(1), message);
            }
            InjectOutput::Step(report) => {
                assert_eq!(report.result, StepResult::Ok, "{report:?}");
                ok += 1;
            }
            InjectOutput::Dial(_) => unreachable!("only cases dial"),
            InjectOutput::Timeout(at) => clock = at,
            InjectOutput::Done { passed } => break passed,
        }
        loop {
            match endpoint.poll_output(clock) {
                Output::Transmit { message, .. } => {
                    executor.handle_message(message.to_vec().into());
                }
                Output::Event(Event::Incoming { conversation, .. }) => {
                    incoming += 1;
                    if incoming == 1 {
                        endpoint.refuse(clock, conversation);
                        continue;
                    }
                    endpoint.accept(clock, conversation);
                    if incoming == 2 {
                        let greeting = Bytes::from_static(b"220 ready");
                        endpoint.write(clock, conversation, greeting).unwrap();
                    }
                }
                Output::Event(Event::Data {
                    conversation,
                    bytes,
                }) => {
                    assert_eq!(bytes, "data");
                    for answer in [&b"answer"[..], b"more data"] {
                        let answer = Bytes::from_static(answer);
                        endpoint.write(clock, conversation, answer).unwrap();
                    }
                    endpoint.close(clock, conversation);
                }
                Output::Event(_) => {}
                Output::Timeout(_) | Output::Idle => break,
            }
        }
    };
    assert!(passed);
    assert_eq!(sent, [0xa1, 0xa1, 0xa2, 0xa1, 0xa0]);
    assert_eq!(ok, 12);
    assert_eq!(executor.unclaimed().count(), 0);
}

#[test]
fn what_the_dump_writes_as_samples_is_a_script_of_the_same_messages() {
    use crate::capture::{Inputs, PacketSource};
    use crate::conversation::EndOfInput;
    use crate::dissect::{DissectOptions, Dissector};
    use crate::record::tally::Totals;
    use crate::report::spec::SpecPrinter;
    use crate::testing::Written;

    let mut written = SpecSink(Written::by(SpecPrinter::default()));
    let mut capture = Inputs::open(["captures/spec-samples.pcap"]).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    while let Some(packet) = capture.next_packet().unwrap() {
        dissector.push(&packet, &mut written).unwrap();
    }
    dissector
        .finish(EndOfInput::Complete, &mut written)
        .unwrap();
    written.0.finish(&Totals::default(), &[]);
    let text = written.0.text();
    let steps = script(&text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("C->S") || line.starts_with("S->C"))
        .collect();
    let read: Vec<&str> = steps.steps().iter().map(|step| &*step.text).collect();
    assert_eq!(read, lines);
    // An empty 51 is the close of sample (c).
    let types: Vec<u8> = steps.steps().iter().map(type_of).collect();
    let written: Vec<u8> = lines
        .iter()
        .map(|line| match &line[6..] {
            message if message.starts_with("FF ") => 0xff,
            message => u8::from_str_radix(&message[..2], 16).unwrap(),
        })
        .collect();
    assert_eq!(types, written);
    assert_eq!(types.len(), 14, "{text}");

    struct SpecSink(Written<SpecPrinter>);

    impl crate::dissect::Sink for SpecSink {
        type Error = std::convert::Infallible;

        fn flow(&mut self, _: &crate::dissect::FlowReport) -> Result<(), Self::Error> {
            Ok(())
        }

        fn message(
            &mut self,
            event: &crate::conversation::MessageEvent<'_>,
        ) -> Result<(), Self::Error> {
            self.0.message(event);
            Ok(())
        }

        fn finding(&mut self, _: &crate::conversation::Finding) -> Result<(), Self::Error> {
            Ok(())
        }

        fn conversation(
            &mut self,
            conversation: &crate::conversation::Conversation,
        ) -> Result<(), Self::Error> {
            self.0.conversation(conversation);
            Ok(())
        }
    }
}

fn type_of(step: &Step) -> u8 {
    match &step.action {
        Action::Send { frame_type, .. } => frame_type.0,
        Action::Expect(expect) => match expect.expected {
            Expected::Type(frame_type) => frame_type.0,
            Expected::Close | Expected::Refusal => 0x52,
        },
        Action::Raw(bytes) => bytes[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_that_no_step_asks_for_are_bounded_in_bytes_and_keep_no_larger_memory() {
    let mut executor = Executor::new(script("wait 1s"), Bytes::from_static(b"dest"), [2; 32]);
    let message = Bytes::from(vec![0x50; 1024 * 1024]);
    for _ in 0..100 {
        executor.handle_message(message.clone());
    }
    assert!(message.is_unique());
    assert_eq!(executor.unclaimed().count(), 64);
    assert_eq!(executor.dropped_count(), 36);
}
