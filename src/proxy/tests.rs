//! The proxy in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::carrier::Carrier;
use crate::dissect::Collected;
use crate::endpoint::AddressProof;
use crate::net::Side;
use crate::time::Timestamp;

const SYN: &str = "a1 111111";
const ACK: &str = "51 111111 ffffff";
const REQUEST: &str = "a0 ffffff 474554";
const ANSWER: &str = "50 111111 323030204f4b";
const CLOSE: &str = "52 111111";

/// Messages that came out: the time in milliseconds, the side, the bytes in hex.
type Arrivals = Vec<(u128, char, String)>;

struct Bench {
    proxy: Proxy,
    sink: Collected,
    start: Instant,
    now: Instant,
    id: ConnectionId,
    out: Arrivals,
    to_client_bytes: usize,
}

fn bytes(message: &str) -> Bytes {
    let mut bytes = hex::decode(message.replace(' ', "")).unwrap();
    if bytes[0] == 0xa1 {
        // A destination of 387 bytes, with the null certificate.
        bytes.resize(4 + 387, 0);
    }
    bytes.into()
}

impl Bench {
    fn new(rules: &[&str], faults: &str, seed: u8) -> Self {
        let lines = (!faults.is_empty()).then(|| faults.parse().unwrap());
        let options = ProxyOptions {
            faults: crate::fault::Faults::of(&lines, &[]),
            seed: [seed; 32],
            rules: rules
                .iter()
                .map(|rule| Rule::parse(rule).unwrap())
                .collect(),
            ..ProxyOptions::default()
        };
        Self::with(options, Carrier::TcpU32)
    }

    fn with(options: ProxyOptions, carrier: Carrier) -> Self {
        let start = Instant::now();
        let mut proxy = Proxy::new(options, start, Timestamp::from_nanos(0));
        let mut sink = Collected::default();
        let ends = ["127.0.0.1:40000", "127.0.0.1:9005"].map(|end| end.parse().unwrap());
        let Ok(id) = proxy.open(carrier, ends, &mut sink);
        Self {
            proxy,
            sink,
            start,
            now: start,
            id,
            out: Vec::new(),
            to_client_bytes: 0,
        }
    }

    fn takes(&mut self, from: Side, message: &str) {
        self.takes_bytes(from, bytes(message));
    }

    fn takes_bytes(&mut self, from: Side, bytes: Bytes) {
        let Ok(()) = self
            .proxy
            .receive(self.now, self.id, from, bytes, &mut self.sink);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.proxy.poll_output(self.now) {
            let at = (self.now - self.start).as_millis();
            let (to, text) = match output {
                ProxyOutput::Transmit { to, bytes, .. } => {
                    if to == Side::Initiator {
                        self.to_client_bytes += bytes.len();
                    }
                    (to, hex::encode(&bytes[..bytes.len().min(16)]))
                }
                ProxyOutput::Finish { to, .. } => (to, "finish".to_owned()),
                ProxyOutput::Break { .. } => (Side::Initiator, "break".to_owned()),
                ProxyOutput::GiveUp { .. } => (Side::Initiator, "give up".to_owned()),
            };
            let to = match to {
                Side::Initiator => 'c',
                Side::Responder => 's',
            };
            self.out.push((at, to, text));
        }
    }

    /// Lets time pass, as far as something is still to happen.
    fn run_until_idle(&mut self) {
        while let Some(at) = self.proxy.poll_timeout() {
            self.now = self.now.max(at);
            self.drain();
        }
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.proxy.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.drain();
        }
        self.now = until;
    }
}

/// Sends the messages of a request and its answer a millisecond apart.
fn through(rules: &[&str], faults: &str, seed: u8) -> Bench {
    let mut bench = Bench::new(rules, faults, seed);
    for (from, message) in [
        (Side::Initiator, SYN),
        (Side::Responder, ACK),
        (Side::Initiator, REQUEST),
        (Side::Responder, ANSWER),
        (Side::Responder, CLOSE),
    ] {
        bench.takes(from, message);
        bench.wait(1);
    }
    let now = bench.now;
    bench.proxy.end(now, bench.id, Side::Responder);
    bench.drain();
    bench.run_until_idle();
    bench
}

/// The output, without the SYN and with the comments in its place.
fn output_of(rules: &[&str]) -> Vec<String> {
    let out = through(rules, "", 0).out;
    assert!(out[0].2.starts_with("a1111111"), "{out:?}");
    out[1..]
        .iter()
        .map(|(at, to, text)| format!("{at}{to} {text}"))
        .collect()
}

const UNTOUCHED: [&str; 5] = [
    "1c 51111111ffffff",
    "2s a0ffffff474554",
    "3c 50111111323030204f4b",
    "4c 52111111",
    "5c finish",
];

#[test]
fn without_rules_everything_passes_as_it_is() {
    assert_eq!(output_of(&[]), UNTOUCHED);
    assert_eq!(output_of(&["all: pass", "all: drop"]), UNTOUCHED);
    let report = through(&[], "", 0).proxy.report();
    assert_eq!(
        report.directions.map(|d| (d.messages_in, d.messages_out)),
        [(2, 2), (3, 3)]
    );
    assert_eq!(
        report.directions.map(|d| (d.bytes_in, d.bytes_out)),
        [(398, 398), (21, 21)]
    );
    assert_eq!((report.conversations, report.connections), (1, 1));
}

/// What a rule about the ACK, or about the answer, makes of an exchange.
#[test]
fn each_action_has_its_effect_and_no_other() {
    let [ack, request, answer, close, finish] = UNTOUCHED;
    for (rule, expected) in [
        ("type==ack: drop", vec![request, answer, close, finish]),
        (
            "type==ack: duplicate",
            vec![ack, ack, request, answer, close, finish],
        ),
        (
            "type==ack: delay 2500us",
            vec![request, answer, "3c 51111111ffffff", close, finish],
        ),
        (
            "type==ack: hold until type==close",
            vec![request, answer, close, "4c 51111111ffffff", finish],
        ),
        (
            "type==ack: hold until type==syn",
            vec![request, answer, close, "5c 51111111ffffff", finish],
        ),
        (
            "type==ack: swap with next",
            vec![request, answer, "3c 51111111ffffff", close, finish],
        ),
        (
            "type==ack: set id abcdef",
            vec!["1c 51abcdefffffff", request, answer, close, finish],
        ),
        (
            "type==ack: set id zero",
            vec!["1c 51000000ffffff", request, answer, close, finish],
        ),
        (
            "type==ack: set id $server_id",
            vec!["1c 51ffffffffffff", request, answer, close, finish],
        ),
        (
            "type==ack: set type 0x53",
            vec!["1c 53111111ffffff", request, answer, close, finish],
        ),
        (
            r#"type==data && dir==s2c: replace /2\d\d OK/ "500 no""#,
            vec![ack, request, "3c 50111111353030206e6f", close, finish],
        ),
        (
            "type==ack: truncate 2",
            vec!["1c 51111111ffff", request, answer, close, finish],
        ),
        (
            "type==ack: append hex:00",
            vec!["1c 51111111ffffff00", request, answer, close, finish],
        ),
        (
            "type==ack: inject s2c close $client_id",
            vec![ack, "1c 52111111", request, answer, close, finish],
        ),
        (
            r#"type==ack: inject c2s data $server_id "x", drop"#,
            vec!["1s a0ffffff78", request, answer, close, finish],
        ),
        (
            "type==ack: close both",
            vec![
                ack,
                "1c 52111111",
                "1s a2ffffff",
                request,
                answer,
                close,
                finish,
            ],
        ),
        (
            "type==ack: set id 222222, duplicate",
            vec![
                "1c 51222222ffffff",
                "1c 51222222ffffff",
                request,
                answer,
                close,
                finish,
            ],
        ),
    ] {
        assert_eq!(output_of(&[rule]), expected, "{rule}");
    }
}

#[test]
fn what_cannot_be_done_is_counted_and_the_message_passes() {
    // No server id is known before the ACK, and a ping has no payload.
    let bench = through(
        &["type==syn: inject c2s close $server_id, truncate 1000"],
        "",
        0,
    );
    assert_eq!(bench.out.len(), 6);
    let tally = bench.proxy.report().rules[0].tally;
    assert_eq!(
        (tally.matched, tally.left_out, tally.injected, tally.changed),
        (1, 2, 0, 0)
    );
}

#[test]
fn messages_are_counted_among_all_and_within_their_conversation() {
    let rules = [
        "type==data && nth==3: drop",
        "type==data && conv_nth==1: duplicate",
    ];
    let mut bench = Bench::new(&rules, "", 0);
    for id in ["111111", "222222"] {
        bench.takes(Side::Initiator, &format!("a1 {id}"));
        bench.takes(Side::Responder, &format!("51 {id} {id}"));
        bench.out.clear();
        for number in 0..3 {
            bench.takes(Side::Initiator, &format!("a0 {id} 0{number}"));
        }
        let data: Vec<&str> = bench.out.iter().map(|(.., text)| &text[8..]).collect();
        let expected: &[&str] = match id {
            "111111" => &["00", "00", "01"],
            _ => &["00", "00", "01", "02"],
        };
        assert_eq!(data, expected, "{id}");
    }
    let matched: Vec<u64> = bench
        .proxy
        .report()
        .rules
        .iter()
        .map(|rule| rule.tally.matched)
        .collect();
    assert_eq!(matched, [1, 2]);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    let faults = "c2s: latency=5ms±5ms,loss=20%,dup=20%,reorder=20%,corrupt=20%; \
                  s2c: latency=3ms±3ms,loss=10%,dup=20%,rate=1KiB/s,stall=20ms@10B";
    let rules = ["type==ack: delay 7ms", "conv_nth==2: duplicate"];
    let runs: Vec<Vec<Arrivals>> = (0..2)
        .map(|_| {
            (0..50)
                .map(|seed| through(&rules, faults, seed).out)
                .collect()
        })
        .collect();
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].iter().any(|run| *run != runs[0][0]), "seeds differ");
}

#[test]
fn an_end_waits_for_all_that_is_late() {
    for faults in [
        "s2c: latency=50ms",
        "s2c: rate=100B/s",
        "s2c: stall=1s@0B",
        "s2c: merge=1MiB",
    ] {
        let out = through(&["type==close: delay 20ms"], faults, 1).out;
        let last: Vec<&str> = out.iter().rev().take(2).map(|(.., text)| &**text).collect();
        assert_eq!(last, ["finish", "52111111"], "{faults}: {out:?}");
    }
}

#[test]
fn a_cut_breaks_the_connection() {
    let out = through(&[], "s2c: cut-after=10B", 1).out;
    let told: Vec<&str> = out.iter().map(|(.., text)| &**text).take(5).collect();
    // Of the answer, three bytes had room.
    assert_eq!(
        told[1..],
        ["51111111ffffff", "a0ffffff474554", "501111", "break"]
    );
}

#[test]
fn paused_messages_go_on_one_by_one() {
    let mut bench = Bench::new(&[], "", 0);
    bench.proxy.pause();
    for (from, message) in [
        (Side::Initiator, SYN),
        (Side::Responder, ACK),
        (Side::Initiator, REQUEST),
    ] {
        bench.takes(from, message);
    }
    assert!(bench.out.is_empty());
    assert_eq!(bench.proxy.queued(), 3);
    let now = bench.now;
    assert_eq!(bench.proxy.step(now, 2), 2);
    bench.drain();
    assert_eq!(bench.out.len(), 2);
    bench.proxy.resume(now);
    bench.drain();
    bench.takes(Side::Responder, ANSWER);
    let order: Vec<&str> = bench.out.iter().map(|(.., text)| &text[..2]).collect();
    assert_eq!(order, ["a1", "51", "a0", "50"]);
}

#[test]
fn a_conversation_is_killed_towards_both_ends() {
    let mut bench = Bench::new(&[], "", 0);
    for (from, message) in [(Side::Initiator, SYN), (Side::Responder, ACK)] {
        bench.takes(from, message);
    }
    bench.out.clear();
    let conversation = bench.proxy.conversations()[0].id;
    let now = bench.now;
    assert!(bench.proxy.kill(now, conversation));
    bench.drain();
    let told: Vec<(char, &str)> = bench
        .out
        .iter()
        .map(|(_, to, text)| (*to, &**text))
        .collect();
    assert_eq!(told, [('c', "52111111"), ('s', "a2ffffff")]);
    assert!(
        !bench
            .proxy
            .kill(now, crate::conversation::ConversationId(9))
    );
}

#[test]
fn nothing_is_kept_of_a_conversation_that_is_over_for_messages_that_come_late() {
    let mut options = ProxyOptions {
        rules: vec![Rule::parse("conv_nth == 2: drop").unwrap()],
        ..ProxyOptions::default()
    };
    options.dissect.tracker.max_lingering = 1;
    let mut bench = Bench::with(options, Carrier::TcpU32);
    for (from, message) in [
        (Side::Initiator, SYN),
        (Side::Responder, ACK),
        (Side::Initiator, REQUEST),
        (Side::Responder, CLOSE),
    ] {
        bench.takes(from, message);
    }
    let first = bench.proxy.conversations()[0].id;
    // It is reported as soon as another is over, too, and messages of it may come for half a minute.
    bench.takes(Side::Initiator, "a1 333333");
    bench.takes(Side::Responder, "51 333333 333333");
    bench.takes(Side::Responder, "52 333333");
    bench.takes(Side::Initiator, "a1 222222");
    assert_eq!(bench.sink.conversations.len(), 1);
    let matched = |bench: &Bench| bench.proxy.report().rules[0].tally.matched;
    let before = matched(&bench);
    for _ in 0..3 {
        bench.takes(Side::Responder, ANSWER);
        let now = bench.now;
        assert!(!bench.proxy.kill(now, first));
    }
    assert_eq!(matched(&bench), before, "each is the first");
    // The other goes on.
    bench.takes(Side::Responder, "51 222222 eeeeee");
    assert_eq!(matched(&bench), before + 1);
    let second = bench.proxy.conversations().last().unwrap().id;
    let now = bench.now;
    assert!(bench.proxy.kill(now, second));
}

#[test]
fn what_waits_is_bounded() {
    let large = bytes(&format!("a0 000001 {}", "00".repeat(32_768)));
    // Held messages are let go at half of the bound: the one that they wait for must be able to
    // come.
    let mut bench = Bench::new(&["all: hold until type==close"], "", 0);
    for _ in 0..600 {
        bench.takes_bytes(Side::Initiator, large.clone());
        assert!(bench.proxy.has_room());
    }
    assert!(bench.out.len() > 300, "{}", bench.out.len());
    // Delayed or paused messages keep more from being read.
    for pause in [false, true] {
        let mut bench = Bench::new(&["all: delay 10s"], "", 0);
        if pause {
            bench.proxy.pause();
        }
        let mut taken = 0;
        while bench.proxy.has_room() {
            bench.takes_bytes(Side::Initiator, large.clone());
            taken += 1;
        }
        assert!((500..=513).contains(&taken), "{taken}");
        let now = bench.now;
        let Ok(()) = bench.proxy.close(now, bench.id, &mut bench.sink);
        assert!(
            bench.proxy.has_room(),
            "a connection that is gone holds nothing"
        );
    }
}

/// The bench of an address that may be a forgery, with faults or rules that wait or double.
fn doubtful(rules: &[&str], faults: &str) -> Bench {
    let lines = (!faults.is_empty()).then(|| faults.parse().unwrap());
    let options = ProxyOptions {
        faults: crate::fault::Faults::of(&lines, &[]),
        rules: rules
            .iter()
            .map(|rule| Rule::parse(rule).unwrap())
            .collect(),
        address_proof: AddressProof::Required,
        ..ProxyOptions::default()
    };
    Bench::with(options, Carrier::Udp)
}

/// A message of a server with so many bytes of payload.
fn answer_of(bytes: usize) -> Bytes {
    [&[0x50, 0x11, 0x11, 0x11][..], &vec![7; bytes]]
        .concat()
        .into()
}

#[test]
fn a_proxy_sends_an_unproven_address_at_most_three_times_what_came_from_there() {
    for (rules, faults) in [
        (&[][..], ""),
        (&[], "s2c: latency=10ms,dup=100%"),
        (&["type==data: delay 5ms"], ""),
        (&["dir==s2c: duplicate"], ""),
    ] {
        for message_bytes in [1, 5, 100, 1_000, 32_768] {
            let mut bench = doubtful(rules, faults);
            bench.takes(Side::Initiator, SYN);
            bench.takes(Side::Responder, ACK);
            for _ in 0..300 {
                bench.takes_bytes(Side::Responder, answer_of(message_bytes));
            }
            bench.run_until_idle();
            let syn_bytes = bytes(SYN).len();
            let sent = bench.to_client_bytes;
            assert!(
                sent <= 3 * syn_bytes,
                "{rules:?} {faults} {message_bytes}: {sent}"
            );
            // Wrong ids are no proof, and allow three times their own length.
            bench.takes(Side::Initiator, "a0 fffffe 00");
            bench.takes(Side::Initiator, "a1 222222");
            bench.run_until_idle();
            let came = 2 * syn_bytes + 5;
            let sent = bench.to_client_bytes;
            assert!(
                sent <= 3 * came,
                "{rules:?} {faults} {message_bytes}: {sent}"
            );
            assert!(!bench.proxy.is_proven(bench.id));
        }
    }
}

#[test]
fn what_waits_for_the_proof_of_an_address_goes_out_with_it_in_order() {
    for (proof, rest) in [
        (REQUEST, vec![REQUEST]),
        ("a0 ffffff", vec!["a0 ffffff"]),
        ("a2 ffffff", vec!["a2 ffffff"]),
    ] {
        let mut bench = doubtful(&[], "");
        bench.takes(Side::Initiator, SYN);
        bench.takes(Side::Responder, ACK);
        bench.takes_bytes(Side::Responder, answer_of(1_100));
        let before = bench.out.len();
        for number in 0..100_u8 {
            let mut answer = answer_of(2_000).to_vec();
            answer[4] = number;
            bench.takes_bytes(Side::Responder, answer.into());
        }
        bench.takes(Side::Responder, CLOSE);
        let now = bench.now;
        bench.proxy.end(now, bench.id, Side::Responder);
        bench.drain();
        assert_eq!(bench.out.len(), before, "all of it waits");
        assert!(bench.proxy.waits_for_proof(bench.id));
        assert!(bench.proxy.held_bytes() > 200_000);
        bench.takes(Side::Initiator, proof);
        assert!(bench.proxy.is_proven(bench.id));
        assert_eq!(bench.proxy.held_bytes(), 0);
        let mut expected: Vec<_> = (0..100_u8)
            .map(|number| (0, 'c', format!("50111111{number:02x}{}", "07".repeat(11))))
            .collect();
        expected.push((0, 'c', "52111111".to_owned()));
        expected.push((0, 'c', "finish".to_owned()));
        let rest = rest
            .iter()
            .map(|message| (0, 's', message.replace(' ', "")));
        expected.extend(rest);
        assert_eq!(bench.out[before..], expected, "{proof}");
        // From now on everything goes at once.
        bench.takes_bytes(Side::Responder, answer_of(30_000));
        assert_eq!(bench.proxy.held_bytes(), 0);
    }
}

#[test]
fn nothing_more_is_read_for_an_unproven_client_than_may_go_there_whatever_delays_it() {
    for (rules, faults) in [
        (&[][..], "s2c: latency=100ms"),
        (&["dir==s2c: delay 100ms"], ""),
        (
            &["dir==s2c && type==data: truncate 5, duplicate, delay 100ms"],
            "s2c: latency=100ms,dup=100%",
        ),
    ] {
        let mut bench = doubtful(rules, faults);
        bench.takes(Side::Initiator, SYN);
        bench.takes(Side::Responder, ACK);
        let mut read = 0;
        while !bench.proxy.waits_for_proof(bench.id) {
            bench.takes_bytes(Side::Responder, answer_of(1_000));
            read += 1;
            assert!(
                read < 10,
                "{rules:?} {faults}: the server is read without an end"
            );
        }
        bench.run_until_idle();
        bench.takes(Side::Initiator, REQUEST);
        assert!(bench.proxy.is_proven(bench.id));
        bench.run_until_idle();
        assert_eq!(bench.proxy.held_bytes(), 0);
    }
}

#[test]
fn a_copy_that_a_fault_makes_takes_no_other_message_off_what_is_on_its_way() {
    let mut bench = doubtful(&[], "s2c: latency=100ms,dup=100%");
    bench.takes(Side::Initiator, SYN);
    let room = 3 * bytes(SYN).len();
    bench.takes_bytes(Side::Responder, answer_of(room / 3 - 4));
    bench.wait(50);
    bench.takes_bytes(Side::Responder, answer_of(room / 2 - 4));
    // The first and its copy have come, and leave too little room for the second.
    bench.wait(60);
    assert_eq!(bench.to_client_bytes, 2 * (room / 3));
    assert!(bench.proxy.waits_for_proof(bench.id));
}

#[test]
fn what_is_lost_is_not_waited_for() {
    for (rules, faults) in [
        (&["type==data && dir==s2c: drop"][..], ""),
        (&[], "s2c: loss=100%"),
        (&["dir==s2c: delay 10ms"], "s2c: loss=100%"),
    ] {
        let mut bench = doubtful(rules, faults);
        bench.takes(Side::Initiator, SYN);
        for _ in 0..100 {
            bench.takes_bytes(Side::Responder, answer_of(1_000));
        }
        bench.run_until_idle();
        assert!(!bench.proxy.waits_for_proof(bench.id), "{rules:?} {faults}");
    }
}

#[test]
fn a_close_of_the_server_takes_the_room_that_is_left_for_a_close() {
    let mut bench = doubtful(&[], "");
    bench.takes(Side::Initiator, SYN);
    // Four bytes of the allowance are left then.
    let room = 3 * bytes(SYN).len();
    bench.takes_bytes(Side::Responder, answer_of(room - 8));
    bench.takes(Side::Responder, CLOSE);
    assert_eq!(bench.to_client_bytes, room);
    assert!(!bench.proxy.waits_for_proof(bench.id));
}

#[test]
fn the_room_that_is_left_for_a_close_is_for_nothing_else() {
    let room = 3 * bytes(SYN).len();
    let mut long_close = answer_of(room - 4).to_vec();
    long_close[0] = 0x52;
    for message in [answer_of(room - 4), answer_of(room - 7), long_close.into()] {
        let mut bench = doubtful(&[], "");
        bench.takes(Side::Initiator, SYN);
        bench.takes_bytes(Side::Responder, message);
        assert_eq!(bench.to_client_bytes, 0);
        assert!(bench.proxy.waits_for_proof(bench.id));
    }
}

#[test]
fn each_id_that_was_sent_to_an_address_proves_it() {
    let ids: Vec<String> = (1..=64).map(|id| format!("{id:06x}")).collect();
    for proof in &ids {
        let mut bench = doubtful(&[], "");
        for id in &ids {
            bench.takes(Side::Initiator, &format!("a1 {id}"));
            bench.takes(Side::Responder, &format!("51 {id} {id}"));
        }
        assert!(!bench.proxy.is_proven(bench.id));
        bench.takes(Side::Initiator, &format!("a0 {proof}"));
        assert!(bench.proxy.is_proven(bench.id), "{proof}");
    }
}

#[test]
fn what_is_not_of_the_protocol_passes_and_is_counted() {
    let mut bench = through(&[], "", 0);
    bench.out.clear();
    for _ in 0..3 {
        bench.takes(Side::Initiator, "33 333333 33");
    }
    assert_eq!(bench.out.len(), 3);
    let counted = bench
        .proxy
        .report()
        .directions
        .map(|passed| passed.not_ours);
    assert_eq!(counted, [3, 0]);
}

#[test]
fn rules_are_added_by_requests_behind_those_that_there_are() {
    let mut bench = Bench::new(&["type==data: delay 5ms"], "", 0);
    for (body, status, reply) in [
        (r#"{"text": "type==ack: drop"}"#, 201, "{\"rule\":2}"),
        (r#"{"text": "type==syn: drop"}"#, 201, "{\"rule\":3}"),
        (
            "{}",
            400,
            r#"{"error":"a rule is {\"text\": \"type == ack: drop\"}"}"#,
        ),
    ] {
        let request = control::Request {
            method: "POST".to_owned(),
            path: "/api/rules".to_owned(),
            query: String::new(),
            body: body.into(),
        };
        let answer = control::answer(&mut bench.proxy, bench.now, &request);
        assert_eq!(
            (answer.status, answer.body.to_string()),
            (status, reply.to_owned())
        );
    }
    let report = bench.proxy.report();
    let rules: Vec<&str> = report.rules.iter().map(|rule| &*rule.text).collect();
    assert_eq!(
        rules,
        [
            "type==data: delay 5ms",
            "type==ack: drop",
            "type==syn: drop"
        ]
    );
}

#[test]
fn what_waits_for_a_proof_is_bounded_and_gone_with_its_connection() {
    let mut bench = doubtful(&[], "");
    bench.takes(Side::Initiator, SYN);
    for _ in 0..10_000 {
        bench.takes_bytes(Side::Responder, answer_of(10_000));
        assert!(bench.proxy.held_bytes() <= 1024 * 1024);
    }
    let given_up = (0, 'c', "give up".to_owned());
    assert_eq!(bench.out.iter().filter(|out| **out == given_up).count(), 1);
    assert_eq!(bench.proxy.held_bytes(), 0);
    // Too late: the message that it would continue is lost.
    bench.takes(Side::Initiator, REQUEST);
    bench.takes_bytes(Side::Responder, answer_of(1));
    assert_eq!(bench.to_client_bytes, 0);
    let Ok(()) = bench.proxy.close(bench.now, bench.id, &mut bench.sink);
    assert!(bench.proxy.is_proven(bench.id), "nothing is left of it");

    // All together.
    let mut bench = doubtful(&[], "");
    let ends = ["127.0.0.1:40000", "127.0.0.1:9005"].map(|end| end.parse().unwrap());
    let mut given_up = 0;
    for _ in 0..40 {
        let Ok(id) = bench.proxy.open(Carrier::Udp, ends, &mut bench.sink);
        for _ in 0..20 {
            let from = Side::Responder;
            let Ok(()) =
                bench
                    .proxy
                    .receive(bench.now, id, from, answer_of(40_000), &mut bench.sink);
            assert!(bench.proxy.held_bytes() <= 16 * 1024 * 1024);
            while let Some(output) = bench.proxy.poll_output(bench.now) {
                assert_eq!(output, ProxyOutput::GiveUp { connection: id });
                given_up += 1;
            }
        }
    }
    assert!(bench.proxy.held_bytes() > 15 * 1024 * 1024);
    assert!(given_up > 10, "{given_up}");
    assert!(bench.proxy.has_room(), "others go on");
}

#[test]
fn clients_of_connections_need_no_proof() {
    let mut bench = Bench::new(&[], "", 0);
    bench.takes(Side::Initiator, SYN);
    bench.takes_bytes(Side::Responder, answer_of(30_000));
    assert_eq!(bench.to_client_bytes, 30_004);
    assert!(bench.proxy.is_proven(bench.id));
}
