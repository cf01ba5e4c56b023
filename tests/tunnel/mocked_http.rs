//! What nginx said, recorded and played to `curl`: at another port, and with other paths.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::real_services::{ask, nginx_with};
use crate::services::pattern;

const TCP: &str = "tcp://127.0.0.1:0";

#[test]
fn curl_gets_what_nginx_sent_at_another_port_and_is_not_left_waiting_for_what_it_did_not() {
    let Some(nginx) = nginx_with("keepalive_timeout 0;") else {
        return;
    };
    let pages = [("one.bin", 70_000), ("two.bin", 300)];
    for (name, length) in pages {
        fs::write(nginx.path(&format!("www/{name}")), pattern(length)).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("recorded.pcapng");
    let capture = capture.to_str().unwrap();
    let mut server = Endpoint::server(TCP, nginx.address, &["--capture", capture]);
    let client = Endpoint::client(server.carrier(), &[]);
    let url = |client: &Endpoint, name: &str| format!("http://{}/{name}", client.listen());
    for (name, length) in pages {
        assert!(ask(&[&url(&client, name)]) == pattern(length), "{name}");
    }
    server.signal(rustix::process::Signal::INT);
    server.wait();

    let mock = Endpoint::mock(TCP, capture, &["--topspeed", "--loops", "forever"]);
    let client = Endpoint::client(mock.carrier(), &[]);
    // In another order, and more than once.
    for (name, length) in pages.iter().rev().chain(&pages) {
        assert!(ask(&[&url(&client, name)]) == pattern(*length), "{name}");
    }
    let mask = r"c2s:/Host: [^\r]+/";
    mock.wait_for_log(&format!("--mask '{mask}' covers it"));
    for path in ["three.bin", "one.bin/", ""] {
        let started = Instant::now();
        let refused = Command::new("curl")
            .args(["--silent", "--max-time", "20", &url(&client, path)])
            .status()
            .unwrap();
        // Empty reply, or a reset connection.
        assert!(matches!(refused.code(), Some(52 | 56)), "{path}: {refused}");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(4), "{path}: {elapsed:?}");
    }

    // With the mask that was suggested, everything is as recorded.
    let mut mock = Endpoint::mock(TCP, capture, &["--topspeed", "--mask", mask]);
    let client = Endpoint::client(mock.carrier(), &[]);
    for (name, length) in pages {
        assert!(ask(&[&url(&client, name)]) == pattern(length), "{name}");
    }
    assert_eq!(mock.wait().code(), Some(0), "{}", mock.log());
}
