//! The page of `ministream-replay conform --html`, of a server that plays a recording.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ministream_fixtures::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::page::captures;

#[test]
fn the_page_of_a_conformance_run_opens_and_no_heading_is_wider_than_its_column() {
    needs!("chromium", "chromedriver");
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let mut mock = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
        .arg("mock")
        .arg(captures().join("spec-samples.pcap"))
        .args(["--carrier", "tcp://127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut told = BufReader::new(mock.stdout.take().unwrap());
    told.read_line(&mut ready).unwrap();
    let carrier = ready.trim_end().split_once("carrier=").unwrap().1;
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
        .args(["conform", "server", "--carrier", carrier, "--html"])
        .arg(&page)
        .args(["ms/handshake/1", "ms/handshake/2", "ms/data/1"])
        .output()
        .unwrap();
    mock.kill().unwrap();
    mock.wait().unwrap();
    assert!(page.exists(), "{output:?}");
    let browser = Browser::start();
    for width in [1400, 800, 390] {
        let metrics =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true});
        browser.chromium("Emulation.setDeviceMetricsOverride", &metrics);
        browser.open(&page, "");
        assert_eq!(browser.console(), [""; 0]);
        let headings = browser.text("document.querySelectorAll('.case.head span').length > 2");
        assert_eq!(headings, "true");
        let wide = "[...document.querySelectorAll('.case.head span')]\
            .filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.innerText).join()";
        assert_eq!(browser.text(wide), "", "{width}");
    }
}
