//! The proxy between real processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::endpoint::{
    Endpoint, Tunnel, command, descriptors_of, eventually, resident_bytes_of, wait,
};
use crate::i2cp::with_router_for;
use crate::real_services::{ask, fetch_and_put, nginx};
use crate::services::{echo, exchange, pattern, read_to_reset, service};
use ministream_fixtures::needs;
use ministream_fixtures::unused_address;

/// A proxy whose output is kept.
pub(crate) struct Proxy {
    child: Child,
    directory: tempfile::TempDir,
    ready: String,
}

/// How a proxy ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

impl Proxy {
    pub(crate) fn start(carrier: &str, upstream: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let file = |name: &str| fs::File::create(path(name)).unwrap();
        let mut child = command(&["proxy", "--carrier", carrier, "--upstream", upstream])
            .args(["--ready-file", path("ready").to_str().unwrap()])
            .args(["--capture", path("capture.pcapng").to_str().unwrap()])
            .args(more)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn()
            .unwrap();
        let ready = path("ready");
        eventually("the proxy is ready", || {
            let ended = child.try_wait().unwrap();
            let log = || fs::read_to_string(path("log")).unwrap();
            assert!(ended.is_none(), "the proxy ended: {}", log());
            ready.exists()
        });
        let ready = fs::read_to_string(ready).unwrap();
        assert!(ready.starts_with("ready proxy carrier="), "{ready}");
        Self {
            child,
            directory,
            ready,
        }
    }

    pub(crate) fn carrier(&self) -> &str {
        self.field("carrier=")
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
            .unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until the log says it.
    pub(crate) fn log_has(&self, text: &str) {
        eventually("the log says it", || self.log().contains(text));
    }

    pub(crate) fn out(&self) -> String {
        fs::read_to_string(self.directory.path().join("out")).unwrap()
    }

    pub(crate) fn capture(&self) -> String {
        let path = self.directory.path().join("capture.pcapng");
        path.display().to_string()
    }

    pub(crate) fn descriptors(&self) -> usize {
        descriptors_of(self.child.id())
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        resident_bytes_of(self.child.id())
    }

    /// How long it has run, in hundredths of a second.
    fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, behind_name) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn end(&mut self) -> Ended {
        self.signal(Signal::INT);
        let code = wait(&mut self.child).code();
        Ended {
            code,
            out: self.out(),
            log: self.log(),
        }
    }

    /// Ends it, and gives the report.
    pub(crate) fn report(&mut self) -> Value {
        let ended = self.end();
        let line = ended.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| panic!("{}\n{}", ended.out, ended.log))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.ready, self.log());
        }
    }
}

pub(crate) const QUIET: [&str; 3] = ["-q", "--report", "json"];

/// The records of a capture.
fn records(capture: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(["-T", "ndjson", capture])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of_kind<'a>(records: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    records
        .iter()
        .filter(move |record| record["record"] == kind)
}

/// Checks that there are no findings but of conversations that go on when the proxy is ended,
/// which there are without it, too.
fn assert_nothing_odd(records: &[Value]) {
    let odd: Vec<&Value> = of_kind(records, "finding")
        .filter(|finding| finding["code"] != "ms.no_close")
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// Checks that both legs of a capture carried the same messages, and that nothing is odd.
fn assert_passed_through(capture: &str, at_least: usize) {
    let records = records(capture);
    assert_nothing_odd(&records);
    // The legs differ by the server's address.
    let mut legs: Vec<(String, Vec<[String; 2]>)> = Vec::new();
    for message in of_kind(&records, "message") {
        let ends = [&message["src"], &message["dst"]].map(|end| end.as_str().unwrap().to_owned());
        let server = match &message["dir"] {
            dir if *dir == "c2s" => &ends[1],
            _ => &ends[0],
        };
        let said = ["type", "id", "payload_hex"].map(|field| message[field].to_string());
        let said = [message["dir"].to_string(), said.concat()];
        match legs.iter_mut().find(|(address, _)| address == server) {
            Some((_, leg)) => leg.push(said),
            None => legs.push((server.clone(), vec![said])),
        }
    }
    assert_eq!(legs.len(), 2, "two legs");
    for direction in ["\"c2s\"", "\"s2c\""] {
        let of = |leg: usize| {
            let messages = legs[leg].1.iter();
            messages
                .filter(|[way, _]| way == direction)
                .map(|[_, said]| said)
                .collect::<Vec<_>>()
        };
        assert!(of(0) == of(1), "{direction}");
        assert!(!of(0).is_empty());
    }
    assert!(legs[0].1.len() >= at_least, "{}", legs[0].1.len());
}

/// A client before a proxy before a server.
pub(crate) fn through(
    carrier: &str,
    upstream: &str,
    target: SocketAddr,
    more: &[&str],
) -> (Tunnel, Proxy) {
    let server = Endpoint::server(upstream, target, &[]);
    let proxy = Proxy::start(carrier, server.carrier(), &[&QUIET[..], more].concat());
    let client = Endpoint::client(proxy.carrier(), &[]);
    (Tunnel { server, client }, proxy)
}

const CARRIERS: [(&str, &str); 4] = [
    ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
    ("udp://127.0.0.1:0", "udp://127.0.0.1:0"),
    ("udp://127.0.0.1:0", "tcp://127.0.0.1:0?prefix=u16be"),
    ("tcp://127.0.0.1:0?prefix=u16be", "udp://127.0.0.1:0"),
];

#[test]
fn curl_and_nginx_do_not_notice_a_proxy_on_any_carrier() {
    let Some(nginx) = nginx() else { return };
    for (carrier, upstream) in CARRIERS {
        let (tunnel, mut proxy) = through(carrier, upstream, nginx.address, &[]);
        fetch_and_put(&nginx, &tunnel, 3);
        let capture = proxy.capture();
        let report = proxy.report();
        assert_passed_through(&capture, 100);
        for direction in ["c2s", "s2c"] {
            let passed = &report["directions"][direction];
            assert_eq!(passed["in_bytes"], passed["out_bytes"], "{report}");
            assert_eq!(passed["not_ours_count"], 0, "{report}");
            assert!(passed["in_bytes"].as_u64().unwrap() > 3_000_000, "{report}");
        }
        assert_eq!(report["conversation_count"], 3, "{report}");
        assert_eq!(report["exit_code"], 0);
    }
}

#[test]
fn curl_and_nginx_do_not_notice_a_proxy_between_an_application_and_its_router() {
    needs!("i2pd", "nginx", "curl");
    let name = "proxy::curl_and_nginx_do_not_notice_a_proxy_between_an_application_and_its_router";
    with_router_for(name, |net| {
        let Some(nginx) = nginx() else { return };
        let server = net.server(nginx.address, &[]);
        let router = net.carrier.split('?').next().unwrap().to_owned();
        let mut proxy = Proxy::start("i2cp://127.0.0.1:0", &router, &QUIET);
        net.carrier = format!("{}?length=0&quantity=1", proxy.carrier());
        let client = net.client(&server, &[]);
        let tunnel = Tunnel { server, client };
        fetch_and_put(&nginx, &tunnel, 2);
        let capture = proxy.capture();
        let report = proxy.report();
        for direction in ["c2s", "s2c"] {
            let passed = &report["directions"][direction];
            assert_eq!(
                passed["message_in_count"], passed["message_out_count"],
                "{report}"
            );
            assert!(passed["in_bytes"].as_u64().unwrap() > 2_000_000, "{report}");
        }
        assert_sessions_are_equal(&capture, 1);
        let records = records(&capture);
        assert_nothing_odd(&records);
        assert_eq!(
            of_kind(&records, "conversation").count(),
            6,
            "3 on each leg"
        );
    });
}

/// What each end of each connection in a capture of ours sent: made packets have no options, come in
/// order and never twice.
fn streams(capture: &str) -> BTreeMap<[SocketAddr; 2], Vec<u8>> {
    let bytes = fs::read(capture).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut streams = BTreeMap::<_, Vec<u8>>::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = usize::try_from(number(at + 4)).unwrap();
        // An enhanced packet block: number of the interface, time, two lengths, the packet.
        if number(at) == 6 {
            let captured = usize::try_from(number(at + 20)).unwrap();
            let packet = &bytes[at + 28..at + 28 + captured];
            assert_eq!(packet[0], 0x45, "IPv4 without options");
            let tcp = &packet[20..];
            let end = |ip: usize, port: usize| {
                let ip: [u8; 4] = packet[ip..ip + 4].try_into().unwrap();
                SocketAddr::from((ip, u16::from_be_bytes([tcp[port], tcp[port + 1]])))
            };
            let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
            let sender = [end(12, 0), end(16, 2)];
            streams.entry(sender).or_default().extend(payload);
        }
        at += length;
    }
    streams
}

/// Checks that both legs of each session in a capture carried the same bytes.
fn assert_sessions_are_equal(capture: &str, sessions: usize) {
    let streams = streams(capture);
    let applications: BTreeSet<SocketAddr> = streams
        .iter()
        .filter(|(_, bytes)| bytes.first() == Some(&PROTOCOL_BYTE))
        .map(|([application, _], _)| *application)
        .collect();
    assert_eq!(applications.len(), sessions);
    for application in applications {
        for place in [0, 1] {
            let legs: Vec<&Vec<u8>> = streams
                .iter()
                .filter(|(ends, _)| ends[place] == application)
                .map(|(_, bytes)| bytes)
                .collect();
            assert_eq!(legs.len(), 2, "two legs");
            assert!(legs[0].len() > 1_000);
            assert!(legs[0] == legs[1], "{application} {place}");
        }
    }
}

/// What an I2CP application sends first.
const PROTOCOL_BYTE: u8 = 0x2a;

#[test]
fn every_conformance_case_passes_through_a_proxy_before_a_router() {
    let name = "proxy::every_conformance_case_passes_through_a_proxy_before_a_router";
    with_router_for(name, |net| {
        let service = unused_address();
        let router = net.carrier.split('?').next().unwrap().to_owned();
        let mut proxy = Proxy::start("i2cp://127.0.0.1:0", &router, &QUIET);
        net.carrier = format!("{}?length=0&quantity=1", proxy.carrier());
        let server = net.server(service, &[]);
        let (name, service) = (server.field("name="), service.to_string());
        let conform = ["conform", "server", "--strict", "--carrier", &net.carrier];
        let keys = ["--keys", "transient", "--to", name, "--service", &service];
        let tried = command(&[&conform[..], &keys].concat()).output().unwrap();
        let told = String::from_utf8_lossy(&tried.stdout).into_owned();
        assert!(tried.status.success(), "{told}");
        assert!(told.ends_with(": 30 passed   PASSED\n"), "{told}");
        let capture = proxy.capture();
        proxy.end();
        assert_sessions_are_equal(&capture, 2);
    });
}

#[test]
fn rules_reach_into_the_messages_between_an_application_and_its_router() {
    let name = "proxy::rules_reach_into_the_messages_between_an_application_and_its_router";
    with_router_for(name, |net| {
        let server = net.server(echo(), &[]);
        let router = net.carrier.split('?').next().unwrap().to_owned();
        let rules = [
            "--rule",
            r#"type==data && payload contains "secret": replace /secret/ "public", append "!""#,
            "--rule",
            r#"payload contains "enough": drop, inject s2c data $client_id "bye", inject s2c close $client_id"#,
        ];
        let more = [&QUIET[..], &rules].concat();
        let mut proxy = Proxy::start("i2cp://127.0.0.1:0", &router, &more);
        net.carrier = format!("{}?length=0&quantity=1", proxy.carrier());
        let client = net.client(&server, &[]);
        let mut stream = client.connect();
        stream.write_all(b"a secret").unwrap();
        // Changed on its way there and, with the secret gone, not on its way back.
        let mut heard = [0; 9];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"a public!");
        stream.write_all(b"enough").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"bye");
        let report = proxy.report();
        assert_eq!(report["rules"][0]["changed_count"], 2, "{report}");
        assert_eq!(report["rules"][1]["injected_count"], 2, "{report}");
    });
}

#[test]
fn a_cut_between_an_application_and_its_router_falls_inside_a_frame() {
    let name = "proxy::a_cut_between_an_application_and_its_router_falls_inside_a_frame";
    with_router_for(name, |net| {
        let server = net.server(echo(), &[]);
        let router = net.carrier.split('?').next().unwrap().to_owned();
        // To the router the first is an application that has left: it serves the second.
        for direction in ["c2s", "s2c"] {
            let fault = format!("{direction}: cut-after=10KiB");
            let more = [&QUIET[..], &["--fault", &fault]].concat();
            let mut proxy = Proxy::start("i2cp://127.0.0.1:0", &router, &more);
            net.carrier = format!("{}?length=0&quantity=1", proxy.carrier());
            let mut client = net.client(&server, &[]);
            let mut stream = client.connect();
            let sent = pattern(5_000);
            assert!(exchange(&stream, &sent) == sent, "{direction}");
            stream.write_all(&sent).unwrap();
            stream.write_all(&sent).unwrap();
            assert_eq!(
                client.wait().code(),
                Some(4),
                "{direction}: {}",
                client.log()
            );
            assert!(client.log().contains("was lost: "), "{}", client.log());
            proxy.log_has("cut on purpose by a fault");
            let capture = proxy.capture();
            let report = proxy.report();
            assert_eq!(report["faults"][0]["message_count"], 1, "{report}");

            let legs = streams(&capture);
            let mut passed: Vec<&Vec<u8>> = legs
                .iter()
                .filter(|([from, _], _)| {
                    is_router(*from, &router, proxy.carrier()) == (direction == "s2c")
                })
                .map(|(_, bytes)| bytes)
                .collect();
            passed.sort_by_key(|bytes| bytes.len());
            let [cut, whole] = passed[..] else {
                panic!("{} legs", passed.len());
            };
            assert!(whole.starts_with(cut) && cut.len() < whole.len());
            assert!(!ends_with_a_frame(cut), "{direction}: {} bytes", cut.len());
        }
    });
}

/// Whether an address is where applications find their router, directly or through a proxy.
fn is_router(address: SocketAddr, router: &str, proxy: &str) -> bool {
    let address = address.to_string();
    router.ends_with(&address) || proxy.ends_with(&address)
}

/// Whether a stream of I2CP frames stops between two of them.
fn ends_with_a_frame(stream: &[u8]) -> bool {
    let mut rest = stream.strip_prefix(&[PROTOCOL_BYTE]).unwrap_or(stream);
    while !rest.is_empty() {
        let Some((length, _)) = rest.split_first_chunk() else {
            return false;
        };
        let whole = 4 + 1 + usize::try_from(u32::from_be_bytes(*length)).unwrap();
        if rest.len() < whole {
            return false;
        }
        rest = &rest[whole..];
    }
    true
}

#[test]
fn every_conformance_case_passes_through_a_proxy() {
    // Over UDP a SYN that comes twice is one; a suite on another carrier does not know of that.
    for (carrier, upstream) in &CARRIERS[..2] {
        let service = unused_address();
        let server = Endpoint::server(upstream, service, &[]);
        let mut proxy = Proxy::start(carrier, server.carrier(), &QUIET);
        let service = service.to_string();
        let tried = command(&["conform", "server", "--strict", "--service", &service])
            .args(["--carrier", proxy.carrier()])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&tried.stdout).into_owned();
        assert!(tried.status.success(), "{carrier} {upstream}: {told}");
        let passed = if carrier.starts_with("udp") {
            ": 29 passed, 1 skipped   PASSED\n"
        } else {
            ": 30 passed   PASSED\n"
        };
        assert!(told.ends_with(passed), "{told}");
        proxy.end();
    }
}

#[test]
fn every_conformance_case_for_clients_passes_through_a_proxy() {
    let (dial, carrier) = (unused_address(), unused_address());
    let proxy = Proxy::start("tcp://127.0.0.1:0", &format!("tcp://{carrier}"), &QUIET);
    let (dial, carrier) = (dial.to_string(), format!("tcp://{carrier}"));
    let conform = [
        "conform",
        "client",
        "--strict",
        "--dial",
        &dial,
        "--carrier",
        &carrier,
    ];
    let suite = command(&conform).stdout(Stdio::piped()).spawn().unwrap();
    let bound: SocketAddr = carrier.trim_start_matches("tcp://").parse().unwrap();
    // Bound by the suite when it cannot be bound by us.
    eventually("the suite listens", || TcpListener::bind(bound).is_err());
    let client = [
        "client",
        "--listen",
        &dial,
        "--carrier",
        proxy.carrier(),
        "--reconnect",
    ];
    let mut client = command(&client).stdout(Stdio::null()).spawn().unwrap();
    let tried = suite.wait_with_output().unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    let told = String::from_utf8_lossy(&tried.stdout);
    assert!(tried.status.success(), "{told}");
    assert!(told.ends_with("   PASSED\n"), "{told}");
}

/// The comments in a capture, as they stand in its bytes.
fn has_comment(capture: &str, comment: &str) -> bool {
    let bytes = fs::read(capture).unwrap();
    bytes
        .windows(comment.len())
        .any(|part| part == comment.as_bytes())
}

#[test]
fn a_rule_is_felt_by_the_peer_told_in_the_capture_and_counted_in_the_report() {
    let rule = "type==ack: delay 300ms";
    let (tunnel, mut proxy) = through(
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:0",
        echo(),
        &["--rule", rule],
    );
    let began = Instant::now();
    assert_eq!(exchange(&tunnel.connect(), b"late"), b"late");
    assert!(began.elapsed() >= Duration::from_millis(300));
    let capture = proxy.capture();
    let report = proxy.report();
    assert!(has_comment(&capture, &format!("rule 1: {rule}")));
    assert_eq!(report["rules"][0]["delayed_count"], 1, "{report}");
    assert_eq!(report["rules"][0]["mean_delay_us"], 300_000, "{report}");
    assert!(
        report["added_us"]["p50"].as_u64().unwrap() < 100_000,
        "{report}"
    );
}

#[test]
fn what_faults_did_to_a_message_is_told_in_the_capture() {
    let more = ["--fault", "s2c: latency=20ms, dup=100%", "--seed", "1"];
    let free = "tcp://127.0.0.1:0";
    let (tunnel, mut proxy) = through(free, free, echo(), &more);
    let stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"twice"), b"twice");
    let capture = proxy.capture();
    proxy.end();
    assert!(has_comment(&capture, "fault: latency 20.0 ms, dup"));

    let more = [
        "--fault",
        "c2s: loss=100%",
        "--rule",
        "type==syn: truncate 300",
    ];
    let server = Endpoint::server(free, echo(), &[]);
    let mut proxy = Proxy::start(free, server.carrier(), &[&QUIET[..], &more].concat());
    let client = Endpoint::client(proxy.carrier(), &["--handshake-timeout", "300ms"]);
    read_to_reset(client.connect());
    let capture = proxy.capture();
    proxy.end();
    assert!(has_comment(
        &capture,
        "rule 1: type==syn: truncate 300; fault: loss"
    ));
}

#[test]
fn a_lost_ack_is_a_clear_error_at_the_client_and_missing_on_its_leg() {
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let more = [&QUIET[..], &["--rule", "type==ack: drop", "--strict"]].concat();
    let mut proxy = Proxy::start("udp://127.0.0.1:0", server.carrier(), &more);
    let client = Endpoint::client(proxy.carrier(), &["--handshake-timeout", "300ms"]);
    read_to_reset(client.connect());
    client.wait_for_log("no answer to the SYN");
    let capture = proxy.capture();
    let ended = proxy.end();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let records = records(&capture);
    let acks = of_kind(&records, "message").filter(|message| message["type"] == "ack");
    assert_eq!(acks.count(), 1, "it came in and did not go out");
    assert!(has_comment(&capture, "rule 1: type==ack: drop"));
}

#[test]
fn a_rule_that_never_matched_is_a_warning_and_with_strict_a_failure() {
    let nowhere = format!("tcp://{}", unused_address());
    for (more, code) in [(&[][..], 0), (&["--strict"], 1)] {
        let rule = ["--rule", "type==ack && nth==3: drop"];
        let more = [&QUIET[..], &rule, more].concat();
        let ended = Proxy::start("tcp://127.0.0.1:0", &nowhere, &more).end();
        assert_eq!(ended.code, Some(code));
        let warning = "ministream-replay: warning: rule 1 never matched: type==ack && nth==3: drop";
        assert!(
            ended.log.lines().any(|line| line == warning),
            "{}",
            ended.log
        );
    }
}

#[test]
fn files_of_rules_are_checked_whole_before_a_socket_opens() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("late.rules");
    fs::write(&file, "# late\ntype==ack: delay 20\n").unwrap();
    let output = command(&[
        "proxy",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--upstream",
        "tcp://127.0.0.1:1",
    ])
    .args(["--rules", file.to_str().unwrap()])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let expected = format!(
        "ministream-replay: error: bad rule in {}: line 2, column 18: a time needs a unit: us, ms, s, m, h or d; \
         did you mean 20s?\n    type==ack: delay 20\n                     ^\n",
        file.display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn what_passes_is_shown_as_it_comes_and_on_request() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let mut proxy = Proxy::start(
        "tcp://127.0.0.1:0",
        server.carrier(),
        &[
            "-T",
            "text",
            "-Y",
            "type==data",
            "-z",
            "conv",
            "--redact",
            "payload",
        ],
    );
    let client = Endpoint::client(proxy.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"secret"), b"secret");
    eventually("both messages are shown", || {
        proxy.out().matches("DATA").count() == 2
    });
    let shown = proxy.out();
    // Nothing but the two, without what they carry.
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    let [notice, sent, answered] = lines[..] else {
        panic!("{shown}");
    };
    assert_eq!(notice, "# redacted: payload");
    for (row, number, direction) in [(sent, "3", "c2s"), (answered, "4", "s2c")] {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [
            n,
            _time,
            conversation,
            _,
            _,
            _,
            _,
            dir,
            kind,
            _id,
            bytes,
            payload,
        ] = words[..]
        else {
            panic!("{row}");
        };
        assert_eq!(
            [n, conversation, dir, kind, bytes, payload],
            [number, "c1", direction, "DATA", "6", "******"]
        );
    }
    proxy.signal(Signal::USR1);
    eventually("the table is shown", || {
        proxy.out().contains("Conversations (1)")
    });
    let ended = proxy.end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.out.matches("Conversations (1)").count(),
        2,
        "{}",
        ended.out
    );
    assert!(ended.out.contains("the proxy added p50"), "{}", ended.out);
}

#[test]
fn messages_for_programs_stand_alone_on_standard_output() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let mut proxy = Proxy::start("tcp://127.0.0.1:0", server.carrier(), &["-T", "ndjson"]);
    let client = Endpoint::client(proxy.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"x"), b"x");
    eventually("the answer is told", || {
        proxy.out().matches("\"data\"").count() >= 2
    });
    let ended = proxy.end();
    for line in ended.out.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(record["record"].is_string());
    }
    assert!(ended.log.contains("ready proxy carrier="));
}

#[test]
fn a_server_that_is_not_there_ends_the_client_and_is_named() {
    let nowhere = format!("tcp://{}", unused_address());
    let options = [&QUIET[..], &["--connect-timeout", "300ms"]].concat();
    let proxy = Proxy::start("tcp://127.0.0.1:0", &nowhere, &options);
    let mut client = Endpoint::client(proxy.carrier(), &[]);
    assert_eq!(client.wait().code(), Some(4));
    eventually("the leg is named", || {
        proxy.log().contains("cannot connect") && proxy.log().contains("leg=\"server\"")
    });
    assert!(
        proxy.log().contains("connection refused") || proxy.log().contains("Connection refused")
    );
}

#[test]
fn a_server_that_starts_after_proxy_and_client_is_waited_for() {
    for carrier in ["tcp", "udp"] {
        let later = unused_address();
        let proxy = Proxy::start(
            &format!("{carrier}://127.0.0.1:0"),
            &format!("{carrier}://{later}"),
            &QUIET,
        );
        let client = Endpoint::client(proxy.carrier(), &[]);
        let stream = client.connect();
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| exchange(&stream, b"early"));
            eventually("the proxy waits", || proxy.log().contains("waiting for"));
            let _server = Endpoint::server(&format!("{carrier}://{later}"), echo(), &[]);
            assert_eq!(answer.join().expect("no panic"), b"early", "{carrier}");
        });
    }
}

#[test]
fn numbers_are_told_to_prometheus() {
    needs!("curl");
    let more = [
        "--metrics",
        "127.0.0.1:0",
        "--rule",
        "type==ping: drop",
        "--fault",
        "c2s: latency=1ms",
    ];
    let (tunnel, proxy) = through("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", echo(), &more);
    assert_eq!(exchange(&tunnel.connect(), b"x"), b"x");
    let told = String::from_utf8(ask(&[proxy.field("metrics=")])).unwrap();
    for line in [
        "ministream_messages_total{dir=\"c2s\",type=\"syn\"} 1",
        "ministream_payload_bytes_total{dir=\"s2c\"} 1",
        "ministream_conversations_total 1",
        "ministream_rules_total{rule=\"1\"} 0",
    ] {
        assert!(told.lines().any(|one| one == line), "{line}\n{told}");
    }
    assert!(
        told.contains("ministream_faults_total{dir=\"c2s\",fault=\"latency\"} "),
        "{told}"
    );
}

#[test]
fn a_slow_reader_makes_the_sender_wait_and_loses_nothing() {
    let (begin, begins) = std::sync::mpsc::channel();
    let begins = Arc::new(Mutex::new(begins));
    let slow = service(move |mut stream| {
        let may_read = begins.lock().unwrap().recv();
        may_read.map_err(std::io::Error::other)?;
        let mut from = stream.try_clone()?;
        std::io::copy(&mut from, &mut stream).map(drop)
    });
    let (tunnel, mut proxy) = through("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", slow, &[]);
    let stream = tunnel.connect();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let bytes = pattern(1_000_003);
    let mut taken = 0;
    // Until every buffer on the way is full, the proxy's, too.
    while let Ok(count) = (&stream).write(&bytes[taken % bytes.len()..]) {
        taken += count;
        assert!(taken < 1 << 30, "somebody reads");
    }
    let before = proxy.processor_time();
    std::thread::sleep(Duration::from_secs(1));
    let spent = proxy.processor_time() - before;
    assert!(spent < Duration::from_millis(200), "to wait took {spent:?}");
    begin.send(()).unwrap();
    let mut heard = vec![0; taken];
    (&stream).read_exact(&mut heard).unwrap();
    assert!(
        heard
            .chunks(bytes.len())
            .all(|part| bytes.starts_with(part))
    );
    proxy.end();
}

/// Asks the control interface; the status and the JSON of its answer.
pub(crate) fn control(proxy: &Proxy, method: &str, path: &str, body: &str) -> (u16, Value) {
    let url = format!("{}{path}", proxy.field("control="));
    let told = String::from_utf8(ask(&[
        "--request",
        method,
        "--header",
        "Content-Type: application/json",
        "--data",
        body,
        "--write-out",
        "\n%{http_code}",
        &url,
    ]))
    .unwrap();
    let (text, status) = told.rsplit_once('\n').unwrap();
    let answer = match text.trim() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")),
    };
    (status.parse().unwrap(), answer)
}

pub(crate) const WITH_CONTROL: [&str; 2] = ["--control", "127.0.0.1:0"];

#[test]
fn faults_and_rules_are_added_changed_listed_and_taken_away_while_it_runs() {
    needs!("curl");
    let (tunnel, proxy) = through(
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:0",
        echo(),
        &WITH_CONTROL,
    );
    let stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    let added = r#"{"dir": "s2c", "fault": "latency=200ms"}"#;
    let (status, faults) = control(&proxy, "POST", "api/faults", added);
    assert_eq!(
        (status, &faults[0]["name"]),
        (201, &Value::from("s2c/latency"))
    );
    let began = Instant::now();
    assert_eq!(exchange(&stream, b"late"), b"late");
    assert!(began.elapsed() >= Duration::from_millis(200));
    let (_, faults) = control(&proxy, "GET", "api/faults", "");
    assert_eq!(faults[0]["message_count"], 1, "{faults}");
    assert_eq!(
        control(&proxy, "DELETE", "api/faults/s2c/latency", "").0,
        204
    );
    assert_eq!(
        control(&proxy, "DELETE", "api/faults/s2c/latency", "").0,
        404
    );

    let rule = r#"{"text": "dir==c2s && type==data: replace /one/ \"two\""}"#;
    assert_eq!(
        control(&proxy, "POST", "api/rules", rule),
        (201, serde_json::json!({"rule": 1}))
    );
    assert_eq!(exchange(&stream, b"one"), b"two");
    let rule = r#"{"text": "dir==c2s && type==data: replace /one/ \"six\""}"#;
    assert_eq!(control(&proxy, "PUT", "api/rules/1", rule).0, 204);
    assert_eq!(exchange(&stream, b"one"), b"six");
    let (_, rules) = control(&proxy, "GET", "api/rules", "");
    assert_eq!(rules[0]["changed_count"], 1, "{rules}");
    assert_eq!(control(&proxy, "DELETE", "api/rules/1", "").0, 204);
    assert_eq!(exchange(&stream, b"one"), b"one");
    assert_eq!(control(&proxy, "DELETE", "api/rules/1", "").0, 404);

    for (method, path, body, expected) in [
        ("POST", "api/rules", r#"{"text": "type==ack: dorp"}"#, 400),
        ("POST", "api/rules", "{", 400),
        ("POST", "api/faults", r#"{"fault": "loss=101%"}"#, 400),
        (
            "POST",
            "api/faults",
            r#"{"dir": "up", "fault": "loss=1%"}"#,
            400,
        ),
        ("POST", "api/step", r#"{"count": -1}"#, 400),
        ("PATCH", "api/rules", "", 405),
        ("GET", "api/nothing", "", 404),
        ("DELETE", "api/conversations/c99", "", 404),
        ("POST", "api/reset", "", 204),
    ] {
        assert_eq!(
            control(&proxy, method, path, body).0,
            expected,
            "{method} {path} {body}"
        );
    }
    let (_, refused) = control(
        &proxy,
        "POST",
        "api/rules",
        r#"{"text": "type==ack: dorp"}"#,
    );
    assert_eq!(refused["column"], 12, "{refused}");
}

#[test]
fn messages_are_held_shown_and_released_one_by_one_and_a_conversation_is_killed() {
    needs!("curl");
    let (tunnel, proxy) = through(
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:0",
        echo(),
        &WITH_CONTROL,
    );
    let mut stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"free"), b"free");
    assert_eq!(control(&proxy, "POST", "api/pause", "").0, 204);
    stream.write_all(b"held").unwrap();
    eventually("the message is held", || {
        control(&proxy, "GET", "api/status", "").1["queued_count"] == 1
    });
    let (_, queue) = control(&proxy, "GET", "api/queue", "");
    assert_eq!(queue[0]["payload_text"], "held", "{queue}");
    let stepped = control(&proxy, "POST", "api/step", "{\"count\": 1}");
    assert_eq!(stepped.1["passed_count"], 1);
    eventually("the answer is held", || {
        let (_, queue) = control(&proxy, "GET", "api/queue", "");
        queue[0]["dir"] == "s2c"
    });
    assert_eq!(control(&proxy, "POST", "api/resume", "").0, 204);
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"held");

    let (_, messages) = control(&proxy, "GET", "api/messages?since=2&conv=c1", "");
    let types: Vec<&str> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["data"; 4]);
    let (_, conversations) = control(&proxy, "GET", "api/conversations", "");
    assert_eq!(conversations[0]["conv"], "c1", "{conversations}");
    assert_eq!(control(&proxy, "DELETE", "api/conversations/c1", "").0, 204);
    assert_eq!(stream.read(&mut heard).unwrap(), 0, "closed");
}

#[test]
fn the_control_interface_describes_itself_and_answers_only_this_machine() {
    needs!("curl");
    let nowhere = format!("tcp://{}", unused_address());
    let more = [&QUIET[..], &WITH_CONTROL].concat();
    let proxy = Proxy::start("tcp://127.0.0.1:0", &nowhere, &more);
    let url = proxy.field("control=").to_owned();
    let page = String::from_utf8(ask(&["--include", &url])).unwrap();
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'sha256-"),
        "{page}"
    );
    assert!(page.contains("<title>ministream-replay proxy</title>"));
    let (_, openapi) = control(&proxy, "GET", "openapi.json", "");
    // Every path of the description is there, by each of its methods.
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for method in methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let path = path
                .replace("{dir}", "c2s")
                .replace("{kind}", "loss")
                .replace("{number}", "7");
            let path = path.replace("{conv}", "c7");
            if path == "/" {
                continue;
            }
            let (status, answer) = control(&proxy, &method.to_uppercase(), &path[1..], "{}");
            assert!(
                status != 405 && (status != 404 || path.ends_with(['7', 's'])),
                "{method} {path}: {status} {answer}"
            );
        }
    }
    for (header, status) in [
        ("Host: evil.example", "403"),
        ("Origin: http://evil.example", "403"),
        ("Content-Type: text/plain", "403"),
    ] {
        let told = ask(&[
            "--header",
            header,
            "--data",
            "{}",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            &format!("{url}api/reset"),
        ]);
        assert_eq!(String::from_utf8(told).unwrap(), status, "{header}");
    }
    // Those who ask and do not read, or do not ask, are not waited for.
    let address: SocketAddr = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let _idle: Vec<TcpStream> = (0..20)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 0 {
                stream
                    .write_all(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    .unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(control(&proxy, "GET", "api/status", "").0, 200);
}
