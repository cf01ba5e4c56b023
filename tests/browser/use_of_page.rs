//! What a reader does with a report: sort, filter, open, click, follow.

use ministream_fixtures::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::page::Page;

const ENTER: &str = "\u{e007}";
const DOWN: &str = "\u{e015}";
const END: &str = "\u{e010}";

/// A browser that shows the report of the specification's samples.
fn samples(anchor: &str) -> (Browser, Page) {
    let browser = Browser::start();
    let page = Page::of_shipped("spec-samples.pcap");
    browser.open(&page.path(), anchor);
    (browser, page)
}

impl Browser {
    /// The names in the first column of the conversations.
    fn shown_conversations(&self) -> String {
        self.text("Array.from(document.querySelectorAll('#conversations tr.row'), row => row.id).join(' ')")
    }

    fn text_of(&self, selector: &str) -> String {
        self.text(&format!(
            "document.querySelector({}).innerText",
            json!(selector)
        ))
    }
}

#[test]
fn headings_sort_up_and_then_down_and_say_so() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    assert_eq!(browser.shown_conversations(), "c1 c2 c3");
    for (key, up, down) in [
        ("duration_us", "c2 c1 c3", "c3 c1 c2"),
        ("state", "c3 c2 c1", "c1 c2 c3"),
        ("c2s_bytes", "c2 c3 c1", "c1 c2 c3"),
        // What is not known stands at the end, whichever way.
        ("handshake_us", "c3 c1 c2", "c1 c3 c2"),
        ("order", "c1 c2 c3", "c3 c2 c1"),
    ] {
        let button = format!("button[data-key={key}]");
        for (order, expected) in [("ascending", up), ("descending", down)] {
            browser.click(&button);
            assert_eq!(browser.shown_conversations(), expected, "{key} {order}");
            let sorted = browser.text(
                "Array.from(document.querySelectorAll('th:not([aria-sort=none])[aria-sort]'), \
                 th => th.ariaSort + ' ' + th.querySelector('button').dataset.key).join()",
            );
            assert_eq!(sorted, format!("{order} {key}"));
        }
    }
}

#[test]
fn the_filter_takes_words_in_any_order_and_counts_what_is_left() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.type_into("#filter", "987654 CLIENT");
    assert_eq!(browser.shown_conversations(), "c3");
    assert_eq!(browser.text_of("#count"), "1 of 3 conversations");
    browser.type_into("#filter", " nothing");
    assert_eq!(browser.shown_conversations(), "");
    browser.script("document.getElementById('filter').value = ''");
    browser.type_into("#filter", " ");
    browser.click("#only-findings");
    assert_eq!(browser.shown_conversations(), "c3");
}

#[test]
fn a_row_opens_its_ladder_and_a_message_its_bytes() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.click("#c1 .open");
    assert_eq!(
        browser.text("document.querySelectorAll('.detail .arrow').length"),
        "5"
    );
    browser.script("document.querySelector('[data-n=\"3\"]').scrollIntoView()");
    browser.click(".detail [data-n='3'] .label");
    assert_eq!(browser.text_of(".bytes h3"), "#3 DATA ffffff 27 B");
    assert_eq!(
        browser.text("document.querySelector('.bytes .hex').textContent"),
        "0000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 30 0d 0a  GET / HTTP/1.0..\n\
         0010  48 6f 73 74 3a 20 78 0d 0a 0d 0a                 Host: x...."
    );
    assert_eq!(
        browser.text("document.querySelector('.bytes .text').textContent"),
        "GET / HTTP/1.0\nHost: x\n\n"
    );
    browser.click("#c1 .open");
    assert_eq!(
        browser.text("document.querySelectorAll('.detail').length"),
        "0"
    );
}

#[test]
fn a_stream_is_followed_with_both_sides_in_order() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.click("#c1 .open");
    browser.click(".follow-button");
    assert_eq!(
        browser.text("document.querySelector('.follow').textContent"),
        "→ 0.005000  27 B\nGET / HTTP/1.0\nHost: x\n\n\
         ← 0.105000  44 B\nHTTP/1.0 200 OK\nContent-Length: 6\n\nhello\n"
    );
}

#[test]
fn findings_lead_to_their_messages() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.click("#each-finding a[href='#m14']");
    assert_eq!(browser.text_of(".bytes h3"), "#14 0x53 234567 2 B");
    assert_eq!(browser.text("document.activeElement.dataset.n"), "14");
    // And so does the address, in a page that was just opened.
    let (browser, _page) = samples("#m7");
    assert_eq!(browser.text_of(".bytes h3"), "#7 CLOSE 111111");
    assert_eq!(
        browser.text("document.querySelector('#c1 .open').ariaExpanded"),
        "true"
    );
}

#[test]
fn messages_outside_of_conversations_show_their_bytes() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.click("button[data-loose='12']");
    assert_eq!(browser.text_of("#loose-bytes h3"), "#12 DATA 0bad1d 6 B");
}

#[test]
fn everything_can_be_done_with_the_keyboard() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("");
    browser.script("document.querySelector('button[data-key=duration_us]').focus()");
    browser.press(ENTER);
    assert_eq!(browser.shown_conversations(), "c2 c1 c3");
    browser.script("document.querySelector('#c1 .open').focus()");
    browser.press(ENTER);
    browser.script("document.querySelector('.arrow[tabindex=\"0\"]').focus()");
    browser.press(DOWN);
    browser.press(DOWN);
    assert_eq!(browser.text("document.activeElement.dataset.n"), "3");
    browser.press(ENTER);
    assert_eq!(browser.text_of(".bytes h3"), "#3 DATA ffffff 27 B");
    browser.press(END);
    assert_eq!(browser.text("document.activeElement.dataset.n"), "7");
    assert_eq!(
        browser.text("document.querySelectorAll('.arrow[tabindex=\"0\"]').length"),
        "1"
    );
}

#[test]
fn both_views_at_a_router_share_a_ladder_of_three_lanes() {
    needs!("chromium", "chromedriver");
    let browser = Browser::start();
    let page = Page::of_shipped("spec-samples-i2cp.pcap");
    browser.open(&page.path(), "#c4");
    assert_eq!(
        browser.text("document.querySelectorAll('.detail .role').length"),
        "3"
    );
    browser.click(".follow-button");
    assert_eq!(
        browser.text("document.querySelector('.follow').textContent"),
        "← 0.209000  11 B\n220 ready\n"
    );
}

#[test]
fn hostile_bytes_are_text_wherever_they_are_shown() {
    needs!("chromium", "chromedriver");
    let browser = Browser::start();
    let page = Page::of_shipped("hostile-payloads.pcap");
    browser.open(&page.path(), "#c1");
    browser.click(".follow-button");
    let shown = browser.text("document.querySelector('.follow').textContent");
    for part in [
        "<script>alert(1)</script><img src=x onerror=alert(2)>",
        "</title></script></svg>--><!-- ]]> &lt;&#0;",
        "\\x1b[31mred\\x1b[0m\\x1b[2J\\x1b]0;title\\x07\\x1b]52;c;aGk=\\x07",
        "C1 controls: \\u{9b}31m \\u{85} raw \\x9b31m",
        "\\u{202e}gnirts desrever\\u{202c} \\u{2066}isolate\\u{2069} \\u{200b}\\xef\\xbb\\xbf",
        "NUL \\x00 BEL \\x07 BS \\x08\\x08 CR \\r VT \\x0b DEL \\x7f",
        "\\xff\\xfe\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80 not UTF-8",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn nothing_is_wider_than_a_phone_in_either_scheme() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("#m3");
    for scheme in ["light", "dark"] {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.chromium("Emulation.setEmulatedMedia", &media);
        let phone = json!({"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true});
        browser.chromium("Emulation.setDeviceMetricsOverride", &phone);
        let width = browser.text("document.documentElement.scrollWidth");
        assert_eq!(width, "390", "{scheme}");
        let ground = browser.text("getComputedStyle(document.body).backgroundColor");
        let expected = match scheme {
            "light" => "rgb(246, 247, 249)",
            _ => "rgb(14, 16, 19)",
        };
        assert_eq!(ground, expected);
    }
}

#[test]
fn a_sheet_of_paper_is_light_and_wide_enough() {
    needs!("chromium", "chromedriver");
    let (browser, _page) = samples("#c3");
    let media = json!({
        "media": "print",
        "features": [{"name": "prefers-color-scheme", "value": "dark"}],
    });
    browser.chromium("Emulation.setEmulatedMedia", &media);
    // A4 without its margins.
    let sheet = json!({"width": 718, "height": 1046, "deviceScaleFactor": 1, "mobile": false});
    browser.chromium("Emulation.setDeviceMetricsOverride", &sheet);
    let ground = browser.text("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(255, 255, 255)");
    let table =
        browser.text("document.querySelector('.conversations').getBoundingClientRect().right");
    let right: f64 = table.parse().unwrap();
    assert!(right <= 718.0, "{right}");
}

#[test]
fn payloads_are_searched_also_across_messages_and_found_messages_are_marked() {
    needs!("chromium", "chromedriver");
    let page = Page::of_shipped("spec-samples.pcap");
    let browser = Browser::start();
    browser.open(&page.path(), "");
    let rows =
        "Array.from(document.querySelectorAll('#conversations tr.row'), (row) => row.id).join()";
    let all = browser.text(rows);
    assert!(all.split(',').count() > 1, "{all}");
    browser.type_into("#search", "CONTENT-length: 6");
    assert_eq!(browser.text(rows), "c1");
    let count = browser.text("document.getElementById('count').textContent");
    assert!(count.starts_with("1 of "), "{count}");
    browser.click(".open");
    let found = "document.querySelectorAll('.arrow.found').length";
    assert_eq!(browser.text(found), "1");
    browser.type_into("#search", " and nothing");
    assert_eq!(browser.text(rows), "");
}

#[test]
fn findings_come_before_charts_and_cards_of_errors_lead_to_them_on_any_screen() {
    needs!("chromium", "chromedriver");
    let page = Page::of_shipped("udp-zero-id.pcap");
    let browser = Browser::start();
    for width in [1400, 390] {
        let metrics =
            json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        browser.chromium("Emulation.setDeviceMetricsOverride", &metrics);
        browser.open(&page.path(), "");
        let top = |selector: &str| -> f64 {
            let selector = json!(selector);
            let script = format!("document.querySelector({selector}).getBoundingClientRect().top");
            browser.text(&script).parse().unwrap()
        };
        assert!(top("#findings") < 844.0, "{width}: {}", top("#findings"));
        assert!(top("#each-finding") < top(".charts"), "{width}");
        let link = "document.querySelector('.cards .error a').getAttribute('href')";
        assert_eq!(browser.text(link), "#findings");
    }
}
