//! Every conformance case fails when the proxy breaks what it is about: no case passes whatever
//! a peer does.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use crate::endpoint::{Endpoint, command};
use crate::proxy::Proxy;
use crate::services::nobody;

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

fn rule(text: &str) -> String {
    match text {
        OVERSIZE => format!("type==data && dir==s2c: append hex:{}", "00".repeat(33_000)),
        text => text.to_owned(),
    }
}

/// What a suite says of a server behind a proxy that breaks something.
fn told_of_server((case, text, other): Broken) -> String {
    let service = nobody();
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
    String::from_utf8_lossy(&tried.stdout).into_owned()
}

#[test]
fn every_case_for_servers_fails_when_the_proxy_breaks_it() {
    let listed = command(&["conform", "server", "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let cases: BTreeSet<&str> = listed
        .split_whitespace()
        .filter(|word| word.starts_with("ms/"))
        .collect();
    assert_eq!(cases, SERVER.iter().map(|(case, ..)| *case).collect());
    let left = Mutex::new(SERVER.to_vec());
    let passed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(broken) = left.lock().unwrap().pop() else {
                        break;
                    };
                    let told = told_of_server(broken);
                    let fails = told.lines().any(|line| {
                        let mut words = line.split_whitespace();
                        words.next() == Some("FAILED") && words.next() == Some(broken.0)
                    });
                    if !fails {
                        passed.lock().unwrap().push(format!("{broken:?}: {told}"));
                    }
                }
            });
        }
    });
    let passed = passed.into_inner().unwrap();
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}
