//! Every shipped capture, and a large one.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::file::Pcap;
use ministream_fixtures::needs;
use ministream_fixtures::{Link, Wire};

use crate::driver::Browser;
use crate::page::{Page, captures};

/// Opens every row, and whatever can be clicked in it.
const CLICK_EVERYTHING: &str = "
    for (const open of document.querySelectorAll('.open:not([disabled])')) open.click();
    for (const arrow of document.querySelectorAll('.arrow')) arrow.dispatchEvent(new MouseEvent('click'));
    for (const follow of document.querySelectorAll('.follow-button')) follow.click();
";

/// Counts what only the page's own markup may hold.
const FOREIGN_ELEMENTS: &str = "
    return document.querySelectorAll('script').length - 2
        + document.querySelectorAll('img, iframe, object, embed, link, base, form, [onerror], [onclick]').length";

/// Text on the page that changes the direction of text, or is not seen.
const UNSEEN: &str = "/[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/u\
     .exec(document.body.textContent)";

fn shipped() -> Vec<PathBuf> {
    let files = |directory: PathBuf| {
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let mut found: Vec<PathBuf> = files(captures())
        .chain(files(captures().join("real")))
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_report_works_without_an_error_a_request_or_markup_from_the_capture() {
    needs!("chromium", "chromedriver");
    let captures = shipped();
    let (some, others) = captures.split_at(captures.len() / 2);
    thread::scope(|scope| {
        for part in [some, others] {
            scope.spawn(|| assert_reports_work(part));
        }
    });
}

fn assert_reports_work(captures: &[PathBuf]) {
    let browser = Browser::start();
    for capture in captures {
        let page = Page::of(capture);
        browser.open(&page.path(), "");
        browser.script(CLICK_EVERYTHING);
        let name = capture.display();
        assert_eq!(browser.console(), [""; 0], "{name}");
        let own = format!("file://{}", page.path().display());
        let others: Vec<String> = browser
            .requests()
            .into_iter()
            .filter(|url| *url != own && url != "about:blank")
            .collect();
        assert_eq!(others, [""; 0], "{name}");
        assert_eq!(browser.script(FOREIGN_ELEMENTS), 0, "{name}");
        assert_eq!(browser.text(UNSEEN), "null", "{name}");
    }
}

#[test]
fn a_page_that_tries_to_reach_a_network_is_stopped_by_its_policy() {
    needs!("chromium", "chromedriver");
    let browser = Browser::start();
    let page = Page::of_shipped("spec-samples.pcap");
    let path = page.path();
    let html = fs::read_to_string(&path).unwrap();
    // As if something had got past the escaping.
    let attack = "<img src=\"http://127.0.0.1:9/a\"><script>document.title = 'run'</script><main>";
    fs::write(&path, html.replacen("<main>", attack, 1)).unwrap();
    browser.open(&path, "");
    assert_eq!(browser.text("document.title"), "spec-samples.pcap");
    let console = browser.console();
    assert_eq!(console.len(), 2, "{console:?}");
    assert!(
        console
            .iter()
            .all(|entry| entry.contains("Content Security Policy")),
        "{console:?}"
    );
}

#[test]
fn ten_thousand_conversations_open_sort_and_filter_at_once() {
    needs!("chromium", "chromedriver");
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("many.pcap");
    let mut wire = Wire::new(Link::ETHERNET);
    let mut bulk = Bulk::new(Shape::sequential(BulkCarrier::Udp));
    let mut bytes = Pcap::USUAL.header(u32::from(wire.link.number()));
    for _ in 0..12_000 {
        bulk.record(&mut wire);
    }
    for packet in &wire.packets {
        bytes.extend(Pcap::USUAL.record(packet));
    }
    fs::write(&capture, bytes).unwrap();
    let page = Page::of(&capture);
    let browser = Browser::start();
    let start = Instant::now();
    browser.open(&page.path(), "");
    let opened = start.elapsed();
    assert_eq!(
        browser.text("document.querySelectorAll('#conversations tr').length"),
        "200"
    );
    assert_eq!(
        browser.text("document.getElementById('count').textContent"),
        "10,000 conversations"
    );
    assert!(
        browser
            .text("document.body.textContent")
            .contains("10,000 of 12,000 conversations")
    );
    let start = Instant::now();
    browser.click("button[data-key=duration_us]");
    browser.type_into("#filter", "c9999");
    assert_eq!(
        browser.text("document.querySelectorAll('#conversations tr').length"),
        "1"
    );
    let used = start.elapsed();
    // Generous: a second or less on an idle machine.
    assert!(opened < Duration::from_secs(20), "opened in {opened:?}");
    assert!(
        used < Duration::from_secs(20),
        "sorted and filtered in {used:?}"
    );
}
