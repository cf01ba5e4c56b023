//! The page of `ministream-replay conform --html`, of a server that plays a recording.

use std::process::Command;

use ministream_fixtures::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::mock::Mock;
use crate::page::captures;

#[test]
fn the_page_of_a_conformance_run_opens_and_no_heading_is_wider_than_its_column() {
    needs!("chromium", "chromedriver");
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let mock = Mock::of(&captures().join("spec-samples.pcap"));
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
        .args(["conform", "server", "--carrier", &mock.carrier, "--html"])
        .arg(&page)
        .args(["ms/handshake/1", "ms/handshake/2", "ms/data/1"])
        .output()
        .unwrap();
    drop(mock);
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
