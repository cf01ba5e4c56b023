//! Every conformance case fails when the proxy breaks what it is about: no case passes whatever
//! a peer does.

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;
use std::thread;

use crate::endpoint::{Endpoint, command, try_client};
use crate::proxy::Proxy;
use ministream_fixtures::unused_address;

/// Cases tried at the same time: most of them wait.
const AT_ONCE: usize = 6;

/// A case, what breaks it, and another case that sends what it needs.
type Broken = (&'static str, &'static str, Option<&'static str>);

const SPOILT: &str = r#"type==data && dir==s2c: append "x""#;
const OVERSIZE: &str = "OVERSIZE";

const SERVER: [Broken; 30] = [
    (
        "ms/handshake/1",
        "type==syn: drop, inject s2c close $id",
        None,
    ),
    (
        "ms/handshake/2",
        "type==close && dir==s2c: set id 123456",
        None,
    ),
    ("ms/handshake/3", "type==syn && nth==2: drop", None),
    ("ms/handshake/4", "type==syn: drop", None),
    ("ms/handshake/5", "type==syn: inject s2c close $id", None),
    ("ms/handshake/6", "type==syn: inject s2c close $id", None),
    ("ms/data/1", SPOILT, None),
    (
        "ms/data/2",
        "type==data && dir==c2s && nth==3: swap with next",
        None,
    ),
    ("ms/data/3", SPOILT, None),
    ("ms/data/4", "type==data && dir==s2c && nth==2: drop", None),
    (
        "ms/data/5",
        "type==data && dir==s2c: replace /32768/ \"5\"",
        None,
    ),
    (
        "ms/data/6",
        "type==data && dir==s2c: replace /40000/ \"32768\"",
        None,
    ),
    (
        "ms/data/7",
        "type==data && payload_bytes==0: append \"x\"",
        None,
    ),
    (
        "ms/data/8",
        "type==data && dir==c2s && nth==1: inject s2c data $id \"x\"",
        None,
    ),
    ("ms/close/1", "type==close && dir==c2s: drop", None),
    ("ms/close/2", "type==data && dir==c2s && nth==3: drop", None),
    ("ms/close/3", "type==close && dir==s2c: drop", None),
    (
        "ms/close/4",
        "type==close && dir==c2s: inject s2c close $client_id",
        None,
    ),
    (
        "ms/close/5",
        "type==close && dir==c2s: inject s2c close $client_id",
        None,
    ),
    (
        "ms/close/6",
        "type==close && dir==c2s && nth==1: inject s2c close 123456",
        None,
    ),
    ("ms/close/7", "type==close && dir==c2s: drop", None),
    ("ms/noise/1", "type==chaff: set type 0xa2", None),
    ("ms/noise/2", SPOILT, None),
    ("ms/noise/3", SPOILT, None),
    ("ms/noise/4", SPOILT, None),
    (
        "ms/wire/1",
        "type==data && dir==s2c: inject s2c type:5f $client_id",
        Some("ms/data/1"),
    ),
    (
        "ms/wire/2",
        "type==data && dir==s2c: inject s2c data 123456 \"x\"",
        Some("ms/data/1"),
    ),
    (
        "ms/wire/3",
        "type==ack: inject s2c ack $client_id zero",
        Some("ms/data/1"),
    ),
    (
        "ms/wire/4",
        "type==close && dir==s2c: append \"why\", append \"!\"",
        Some("ms/data/4"),
    ),
    ("ms/wire/5", OVERSIZE, Some("ms/data/4")),
];

/// What a client says, spoilt on its way to the suite.
const MISHEARD: &str = r#"type==data && dir==c2s: append "x""#;
const OVERSIZE_OF_CLIENTS: &str = "OVERSIZE OF CLIENTS";

const CLIENT: [Broken; 29] = [
    ("ms/handshake/1", "type==syn: drop", None),
    (
        "ms/handshake/2",
        "type==syn: inject c2s data 0a0002 \"early\"",
        None,
    ),
    (
        "ms/handshake/3",
        "type==close && dir==s2c && nth==1: drop",
        None,
    ),
    (
        "ms/handshake/4",
        "type==close && dir==s2c && nth==1: drop",
        None,
    ),
    (
        "ms/handshake/5",
        "type==data && dir==s2c && nth==1: drop",
        None,
    ),
    ("ms/handshake/6", "type==ack && nth==1: append hex:07", None),
    ("ms/handshake/7", "type==ack && nth==1: drop", None),
    ("ms/data/1", "type==data && dir==c2s: set id 123456", None),
    (
        "ms/data/2",
        "type==data && dir==s2c && nth==3: swap with next",
        None,
    ),
    (
        "ms/data/3",
        "type==data && dir==c2s && payload contains \"one\": set id 0a0104",
        None,
    ),
    ("ms/data/4", "type==data && dir==c2s && nth==2: drop", None),
    ("ms/data/5", "payload_bytes==40000: truncate 32768", None),
    (
        "ms/data/6",
        "type==data && payload_bytes==0: append \"x\"",
        None,
    ),
    (
        "ms/data/7",
        "type==data && dir==s2c && nth==1: inject c2s close $id",
        None,
    ),
    (
        "ms/close/1",
        "type==close && dir==s2c && nth==1: drop",
        None,
    ),
    ("ms/close/2", "payload_bytes==20000 && nth==2: drop", None),
    ("ms/close/3", "type==close && dir==c2s: drop", None),
    (
        "ms/close/4",
        "type==close && dir==s2c: inject c2s close $server_id",
        None,
    ),
    ("ms/close/5", "type==ack && nth==2: set type 0x52", None),
    ("ms/noise/1", "type==chaff: set type 0x52", None),
    ("ms/noise/2", MISHEARD, None),
    ("ms/noise/3", "payload == \"?\": inject c2s close $id", None),
    ("ms/noise/4", MISHEARD, None),
    (
        "ms/wire/1",
        "type==data && dir==c2s: inject c2s type:af $server_id",
        Some("ms/data/1"),
    ),
    (
        "ms/wire/2",
        "type==data && dir==c2s: inject c2s data 123456 \"x\"",
        Some("ms/data/1"),
    ),
    (
        "ms/wire/3",
        "type==syn: set id zero",
        Some("ms/handshake/1"),
    ),
    (
        "ms/wire/4",
        "type==syn: truncate 100",
        Some("ms/handshake/1"),
    ),
    (
        "ms/wire/5",
        "type==close && dir==c2s: append \"why\", append \"!\"",
        Some("ms/close/3"),
    ),
    ("ms/wire/6", OVERSIZE_OF_CLIENTS, Some("ms/data/1")),
];

fn rule(text: &str) -> String {
    let oversize = |direction: &str| {
        let more = "00".repeat(33_000);
        format!("type==data && dir=={direction}: append hex:{more}")
    };
    match text {
        OVERSIZE => oversize("s2c"),
        OVERSIZE_OF_CLIENTS => oversize("c2s"),
        text => text.to_owned(),
    }
}

/// What a suite says, its complaints behind its verdicts.
fn failure_in(suite: &Output) -> String {
    let said = [&suite.stdout[..], &suite.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// What a suite says of a server behind a proxy that breaks something.
fn failure_of_server((case, text, other): Broken) -> String {
    let service = unused_address();
    let server = Endpoint::server("tcp://127.0.0.1:0", service, &[]);
    let rule = rule(text);
    let proxy = Proxy::start(
        "tcp://127.0.0.1:0",
        server.carrier(),
        &["-q", "--rule", &rule],
    );
    let tried = command(&[
        "conform",
        "server",
        "--strict",
        "--carrier",
        proxy.carrier(),
        case,
    ])
    .args(other)
    .args(["--service", &service.to_string()])
    .output()
    .unwrap();
    failure_in(&tried)
}

/// What a suite says of a client that a proxy before it breaks something for.
fn failure_of_client((case, text, other): Broken) -> String {
    let (dial, carrier) = (unused_address().to_string(), unused_address());
    let rule = rule(text);
    let proxy = Proxy::start(
        "tcp://127.0.0.1:0",
        &format!("tcp://{carrier}"),
        &["-q", "--rule", &rule],
    );
    let mut suite = command(&["conform", "client", "--strict", "--dial", &dial, case]);
    suite
        .args(other)
        .args(["--carrier", &format!("tcp://{carrier}")]);
    let mut client = command(&["client", "--listen", &dial, "--reconnect"]);
    client.args(["--carrier", proxy.carrier()]);
    failure_in(&try_client(suite, carrier, client))
}

/// Checks that the list has all cases of a suite, and that each of them fails.
fn assert_all_fail(side: &str, broken: &[Broken], failure_of: fn(Broken) -> String) {
    let listed = command(&["conform", side, "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let cases: BTreeSet<&str> = listed
        .split_whitespace()
        .filter(|word| word.starts_with("ms/"))
        .collect();
    assert_eq!(cases, broken.iter().map(|(case, ..)| *case).collect());
    let left = Mutex::new(broken.to_vec());
    let passed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(broken) = left.lock().unwrap().pop() else {
                        break;
                    };
                    let failure = failure_of(broken);
                    let fails = failure.lines().any(|line| {
                        let mut words = line.split_whitespace();
                        words.next() == Some("FAILED") && words.next() == Some(broken.0)
                    });
                    if !fails {
                        passed
                            .lock()
                            .unwrap()
                            .push(format!("{broken:?}: {failure}"));
                    }
                }
            });
        }
    });
    let passed = passed.into_inner().unwrap();
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[test]
fn every_case_for_servers_fails_when_the_proxy_breaks_it() {
    assert_all_fail("server", &SERVER, failure_of_server);
}

#[test]
fn every_case_for_clients_fails_when_the_proxy_breaks_it() {
    assert_all_fail("client", &CLIENT, failure_of_client);
}
