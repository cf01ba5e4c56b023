//! The page of `ministream-replay replay --html`, against a mock that answers otherwise.

use std::fs;
use std::path::Path;
use std::process::Command;

use ministream_fixtures::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::mock::Mock;
use crate::page::captures;

/// Replays the samples against a mock whose first answer is another one with markup in it.
fn replayed(directory: &Path) {
    let samples = captures().join("spec-samples.pcap");
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .arg(&samples)
        .args(["-T", "ndjson"])
        .output()
        .unwrap();
    let records = String::from_utf8(dump.stdout).unwrap();
    let (want, got) = ("hello\n", "<img>\n");
    let changed = records.replace(&hex::encode(want), &hex::encode(got));
    assert_ne!(records, changed);
    let path = directory.join("changed.ndjson");
    fs::write(&path, changed).unwrap();
    let mock = Mock::of(&path);
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
        .arg("replay")
        .arg(samples)
        .args(["--topspeed", "--carrier", &mock.carrier, "--html"])
        .arg(directory.join("page.html"))
        .output()
        .unwrap();
    drop(mock);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_page_of_a_replay_opens_without_an_error_and_fits_a_phone() {
    needs!("chromium", "chromedriver");
    let directory = tempfile::tempdir().unwrap();
    replayed(directory.path());
    let browser = Browser::start();
    for width in [1400, 390] {
        let metrics =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true});
        browser.chromium("Emulation.setDeviceMetricsOverride", &metrics);
        browser.open(&directory.path().join("page.html"), "");
        assert_eq!(browser.console(), [""; 0]);
        let text = browser.text("document.body.innerText");
        assert!(text.contains("FAILED: 1 of 3 conversations"), "{text}");
        assert!(text.contains("<img>"), "{text}");
        assert_eq!(browser.text("document.images.length"), "0");
        let wide = browser.text("document.documentElement.scrollWidth > window.innerWidth");
        assert_eq!(wide, "false", "{width}");
        // The verdict is seen without scrolling, and rows open and close.
        let verdict = "document.querySelector('.verdict').getBoundingClientRect().bottom < 400";
        assert_eq!(browser.text(verdict), "true", "{width}");
        let open = "document.querySelectorAll('details.tested[open]').length";
        assert_eq!(browser.text(open), "1");
        browser.click("details.tested > summary");
        assert_eq!(browser.text(open), "0");
    }
}
