//! HTTP that the reference implementation carried over I2CP, as `curl` and a web
//! server saw it: replayed against a real web server with the same files behind
//! our server, and played to a real `curl` before our client.

use std::fs;

use ministream::capture::{Inputs, PacketSource};
use ministream::conversation::EndOfInput;
use ministream::dissect::{DissectOptions, Dissector};
use ministream::replay::{RecordingSink, Wanted};
use ministream::wire::{Direction, FrameKind};
use ministream_fixtures::needs;
use serde_json::Value;

use crate::endpoint::{Endpoint, command};
use crate::i2cp::{Net, make_keys, with_router_for};
use crate::real_services::{Service, ask, nginx_with};

const CAPTURE: &str = "captures/real/c-http.pcapng";

/// The version of HTTP, and all of the head but the number of the status: the
/// recorded web server was another.
const MASKS: [&str; 4] = [
    "--mask",
    r"s2c:/\AHTTP/1\.[01]/",
    "--mask",
    r"s2c:/ [A-Z][^\r\n]*\r\n(?:[A-Za-z-]+: [^\r\n]*\r\n)+\r\n/",
];

/// More than a router takes to find a destination.
const PATIENT: [&str; 4] = ["--handshake-timeout", "60s", "--reply-timeout", "60s"];

/// A request and its answer.
struct Exchange {
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Exchange {
    fn path(&self) -> &str {
        let line = self.request.split(|byte| *byte == b' ').nth(1).unwrap();
        std::str::from_utf8(line).unwrap()
    }

    fn body(bytes: &[u8]) -> &[u8] {
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        &bytes[head + 4..]
    }

    fn status(&self) -> &str {
        std::str::from_utf8(&self.answer[9..12]).unwrap()
    }
}

fn recorded() -> Vec<Exchange> {
    let mut capture = Inputs::open([CAPTURE]).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    let mut recorder = RecordingSink::new(Wanted::default(), |_| true);
    while let Some(packet) = capture.next_packet().unwrap() {
        dissector.push(&packet, &mut recorder).unwrap();
    }
    dissector
        .finish(EndOfInput::Complete, &mut recorder)
        .unwrap();
    let conversations = recorder.into_recording().conversations;
    assert_eq!(conversations.len(), 5, "three pages, a 404 and a form");
    let stream = |messages: &[ministream::replay::RecordedMessage], direction: Direction| {
        messages
            .iter()
            .filter(|message| message.direction == direction)
            .filter(|message| message.frame_type.kind() == FrameKind::Data)
            .flat_map(|message| message.payload.to_vec())
            .collect()
    };
    conversations
        .iter()
        .map(|conversation| Exchange {
            request: stream(&conversation.messages, Direction::ClientToServer),
            answer: stream(&conversation.messages, Direction::ServerToClient),
        })
        .collect()
}

/// A web server with the files of the recorded one, and its words for errors.
fn web_server() -> Option<Service> {
    let nginx = nginx_with(
        "keepalive_timeout 0; error_page 404 /404.html; error_page 501 /501.html;
         location = /form { return 501; }",
    )?;
    for exchange in recorded() {
        let file = match exchange.status() {
            "200" => exchange.path().to_owned(),
            status => format!("/{status}.html"),
        };
        let body = Exchange::body(&exchange.answer);
        fs::write(nginx.path(&format!("www{file}")), body).unwrap();
    }
    Some(nginx)
}

/// Replays the capture; gives the report and what was told on standard error.
fn replay(carrier: &str, more: &[&str]) -> (Value, String) {
    let fixed = ["replay", CAPTURE, "--carrier", carrier, "--report", "json"];
    let output = command(&[&fixed[..], more].concat()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(report["exit_code"], output.status.code().unwrap());
    (report, told)
}

#[track_caller]
fn assert_all_same((report, told): (Value, String)) {
    assert_eq!(report["verdict"], "passed", "{report}\n{told}");
    assert_eq!(report["exit_code"], 0, "{report}\n{told}");
    assert_eq!(report["result_counts"]["same"], 5, "{report}");
    assert_eq!(report["conversation_count"], 5, "{report}");
    // Each mask matched.
    let warned = |line: &str| line.starts_with("ministream-replay: warning: ");
    assert!(!told.lines().any(warned), "{told}");
}

fn replays_against_nginx(carrier: &str) {
    let Some(nginx) = web_server() else { return };
    let server = Endpoint::server(carrier, nginx.address, &[]);
    let topspeed = [&["--topspeed"][..], &PATIENT, &MASKS].concat();
    assert_all_same(replay(server.carrier(), &topspeed));
    // As it was recorded, and ten at once.
    assert_all_same(replay(
        server.carrier(),
        &[&["--speed", "2"][..], &PATIENT, &MASKS].concat(),
    ));
    let (report, told) = replay(
        server.carrier(),
        &[&topspeed[..], &["--concurrency", "10"]].concat(),
    );
    assert_eq!(report["result_counts"]["same"], 50, "{report}\n{told}");

    // One byte of one file.
    let page = nginx.path("www/small.txt");
    fs::write(&page, "oK\n").unwrap();
    let (report, told) = replay(server.carrier(), &topspeed);
    assert_eq!(report["exit_code"], 1, "{report}\n{told}");
    assert_eq!(report["result_counts"]["same"], 4, "{report}");
    let differing = report["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|conversation| conversation["result"] == "differs")
        .unwrap();
    // The 187th byte of 188.
    assert_eq!(differing["conv"], "c3");
    assert_eq!(differing["diffs"][0]["offset_bytes"], 186);
    assert_eq!(differing["diffs"][0]["want_hex"], hex::encode("k"));
    assert_eq!(differing["diffs"][0]["got_hex"], hex::encode("K"));

    // Without masks nothing is the same but what was refused.
    let (report, _) = replay(server.carrier(), &[&["--topspeed"][..], &PATIENT].concat());
    assert_eq!(report["result_counts"]["differs"], 5, "{report}");
}

#[test]
fn recorded_http_is_the_same_against_a_real_web_server_over_tcp() {
    replays_against_nginx("tcp://127.0.0.1:0");
}

#[test]
fn recorded_http_is_the_same_against_a_real_web_server_over_udp() {
    replays_against_nginx("udp://127.0.0.1:0");
}

#[test]
fn recorded_http_is_the_same_against_a_real_web_server_over_i2cp() {
    needs!("i2pd", "nginx", "curl");
    let name = "recorded_http::recorded_http_is_the_same_against_a_real_web_server_over_i2cp";
    with_router_for(name, |net: &mut Net| {
        let Some(nginx) = web_server() else { return };
        let server = net.server(nginx.address, &[]);
        let to = server.field("name=").to_owned();
        let called = ["--keys", "transient", "--to", &to];
        let arguments = [&called[..], &PATIENT, &MASKS].concat();
        let (report, told) = replay(&net.carrier, &arguments);
        assert!(told.contains(&format!("will call {to}")), "{told}");
        // The recorded SYNs name the recorded client, which could not be
        // answered: ours is put in its place.
        assert_all_same((report, told));

        let output = command(&["inject", "--carrier", &net.carrier])
            .args(called)
            .args([
                "ping",
                "hex a1 01",
                "syn $c",
                "expect ack $c -> $s within 60s",
            ])
            .arg(r#"data $s "GET /small.txt HTTP/1.0\r\n\r\n""#)
            .args(["expect data $c ~ /200 OK(?s:.*)\\r\\n\\r\\nok\\n$/ within 60s"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{told}");
        assert!(told.contains(&format!("will call {to}")), "{told}");
    });
}

/// Has `curl` ask for everything that was recorded, in another order, and
/// compares what it gets.
fn ask_for_all(client: &Endpoint) {
    let url = format!("http://{}", client.listen());
    for exchange in recorded().iter().rev() {
        let to = format!("{url}{}", exchange.path());
        let as_then = ["-H", "Host: 127.0.0.1:9001", "-A", "curl/7.88.1"];
        let form = String::from_utf8(Exchange::body(&exchange.request).to_vec()).unwrap();
        let how = if form.is_empty() {
            vec!["--http1.0"]
        } else {
            vec!["--data", &form]
        };
        let got = ask(&[&as_then[..], &how, &[&to]].concat());
        assert!(
            got == Exchange::body(&exchange.answer),
            "{}: {}",
            exchange.path(),
            String::from_utf8_lossy(&got)
        );
    }
}

#[test]
fn a_mock_of_recorded_http_serves_curl_over_tcp_and_udp() {
    needs!("curl");
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let mut mock = Endpoint::mock(carrier, CAPTURE, &["--topspeed", "--reply-timeout", "60s"]);
        let client = Endpoint::client(mock.carrier(), &[]);
        ask_for_all(&client);
        assert_eq!(mock.wait().code(), Some(0), "{}", mock.log());
    }
}

#[test]
fn a_mock_of_recorded_http_serves_curl_and_replays_over_i2cp() {
    needs!("i2pd", "curl");
    let name = "recorded_http::a_mock_of_recorded_http_serves_curl_and_replays_over_i2cp";
    with_router_for(name, |net: &mut Net| {
        let keys = net.keys.to_str().unwrap();
        let arguments = ["--topspeed", "--keys", keys, "--loops", "2"];
        let mut mock = Endpoint::mock(
            &net.carrier,
            CAPTURE,
            &[&arguments[..], &["--reply-timeout", "60s"]].concat(),
        );
        let client = net.client(&mock, &[]);
        ask_for_all(&client);
        let to = mock.field("name=").to_owned();
        let own = net.path("replay.dat");
        make_keys(own.as_ref());
        let called = ["--topspeed", "--keys", &own, "--to", &to];
        assert_all_same(replay(&net.carrier, &[&called[..], &PATIENT].concat()));
        assert_eq!(mock.wait().code(), Some(0), "{}", mock.log());
    });
}
