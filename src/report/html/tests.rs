//! Whole pages of made-up conversations.

use proptest::prelude::*;
use serde_json::Value;

use super::collected::LIMITS;
use super::*;
use crate::conversation::{ConversationId, FindingCode, Level};
use crate::record::tally::Sight;
use crate::testing::{Written, conversation, event, finding, input, style};

/// A report on `count` conversations of one message each; `told` may change the events of each.
fn report(count: u64, told: impl Fn(u64, &mut Written<HtmlReport<Vec<u8>>>)) -> String {
    let mut report = Written::by(HtmlReport::new(Vec::new(), style()));
    let mut totals = Totals::default();
    for number in 1..=count {
        let event = MessageEvent {
            number,
            conversation: Some(ConversationId(number)),
            ..event(b"\xa0\xff\xff\xffhello")
        };
        totals.message(&event, Sight::First);
        report.message(&event);
        told(number, &mut report);
        totals.conversation(&conversation(number));
        report.conversation(&conversation(number));
    }
    finish(report, &totals)
}

fn finish(mut report: Written<HtmlReport<Vec<u8>>>, totals: &Totals) -> String {
    report.finish(totals, &[input()]);
    String::from_utf8(report.printer.writer).unwrap()
}

/// The data of the page's script.
fn data(page: &str) -> Value {
    let start = "<script id=\"data\" type=\"application/json\">";
    let json = page.split_once(start).unwrap().1;
    serde_json::from_str(json.split_once("</script>").unwrap().0).unwrap()
}

fn finding_of(number: u64, level: Level) -> Finding {
    Finding {
        level,
        message: Some(number),
        conversation: Some(ConversationId(number)),
        ..finding(FindingCode::Oversize)
    }
}

#[test]
fn conversations_with_findings_come_first_and_the_page_says_what_is_left_out() {
    let count = MAX_ROWS as u64 + 5;
    let page = report(count, |number, report| {
        if number == count {
            report.finding(&finding_of(number, Level::Error));
        }
    });
    for said in [
        "200 of 10,005 conversations are here with ladder and bytes: those with findings first",
        "10,000 of 10,005 conversations are in the table: those with findings first",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(
        page.matches("<template id=\"ladder-c").count(),
        MAX_CONVERSATIONS
    );
    assert!(page.contains("<template id=\"ladder-c10005\">"));
    assert!(page.contains("<template id=\"ladder-c199\">"));
    assert!(!page.contains("<template id=\"ladder-c200\">"));
    let data = data(&page);
    let rows = data["conversations"].as_array().unwrap();
    assert_eq!(rows.len(), MAX_ROWS);
    assert_eq!(rows.last().unwrap()[0], "c10005");
    assert_eq!(rows.last().unwrap()[15], "error");
    assert_eq!(rows[0][16], "c1", "a ladder");
    assert_eq!(rows[300][16], Value::Null, "none");
}

/// Number of ladders in the page of so many conversations, each of which has as many more of these
/// messages.
fn ladders(count: u64, messages: usize, message: &[u8]) -> usize {
    let page = report(count, |number, report| {
        for _ in 0..messages {
            report.message(&MessageEvent {
                number,
                conversation: Some(ConversationId(number)),
                ..event(message)
            });
        }
    });
    page.matches("<template id=\"ladder-c").count()
}

#[test]
fn ladders_end_where_the_page_has_as_many_messages_or_bytes_as_it_may() {
    let count = (MAX_MESSAGES / LIMITS.messages) as u64;
    let each = LIMITS.messages - 1;
    let short = b"\xa0\xff\xff\xff";
    for (more, shown) in [(0, count), (1, count), (2, count)] {
        assert_eq!(ladders(count + more, each, short) as u64, shown);
    }
    // Beside the five bytes that each of them has.
    let long = [&short[..], &[b'x'; 60_000]].concat();
    let room = MAX_PAGE_PAYLOAD_BYTES / 60_005;
    assert!(room < MAX_CONVERSATIONS);
    assert_eq!(ladders(room as u64 + 3, 1, &long), room);
}

#[test]
fn a_page_that_holds_everything_says_nothing_of_what_is_left_out() {
    let page = report(3, |_, _| {});
    for said in [
        " conversations are ",
        " findings are ",
        " messages outside of ",
    ] {
        assert!(!page.contains(said), "{said}");
    }
    let data = data(&page);
    assert_eq!(data["messages"]["c2"][0]["payload_base64"], "aGVsbG8=");
}

#[test]
fn findings_link_to_what_is_in_the_page_and_to_nothing_else() {
    let page = report(300, |number, report| {
        if [1, 300].contains(&number) {
            report.finding(&finding_of(number, Level::Note));
        }
        if number == 7 {
            let mut finding = finding_of(999, Level::Warn);
            finding.conversation = Some(ConversationId(999));
            report.finding(&finding);
        }
    });
    assert!(page.contains("<a href=\"#m300\">#300</a></td><td><a href=\"#c300\">c300</a>"));
    assert!(page.contains("<td>#999</td><td>c999</td>"));
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        let is_there = match target.strip_prefix('m') {
            Some(number) => page.contains(&format!("data-n=\"{number}\"")),
            None => {
                page.contains(&format!("\n[\"{target}\","))
                    || page.contains(&format!(" id=\"{target}\""))
            }
        };
        assert!(is_there, "{target}");
    }
}

#[test]
fn findings_are_listed_worst_first_and_no_more_than_there_is_room_for() {
    let count = MAX_FINDINGS as u64 + 10;
    let page = report(1, |_, report| {
        for number in 1..=count {
            let level = if number == count {
                Level::Error
            } else {
                Level::Note
            };
            report.finding(&finding_of(number, level));
        }
    });
    assert!(page.contains("1,000 of 1,010 findings are in the list: the worst first"));
    let list = page.split_once("<table id=\"each-finding\">").unwrap().1;
    let list = list.split_once("</table>").unwrap().0;
    assert_eq!(list.matches("<tr>").count(), MAX_FINDINGS + 1);
    let first = list.split("<tr>").nth(2).unwrap();
    assert!(
        first.contains("level error") && first.contains("#1010"),
        "{first}"
    );
}

#[test]
fn both_views_share_a_ladder() {
    let mut report = Written::by(HtmlReport::new(Vec::new(), style()));
    for number in [1, 2] {
        let event = MessageEvent {
            number,
            conversation: Some(ConversationId(number)),
            ..event(b"\xa0\xff\xff\xffx")
        };
        report.message(&event);
    }
    for number in [2, 1] {
        let mut over = conversation(number);
        over.peer_view = Some(ConversationId(3 - number));
        report.conversation(&over);
    }
    let page = finish(report, &Totals::default());
    assert_eq!(page.matches("<template").count(), 1);
    let data = data(&page);
    for row in [0, 1] {
        assert_eq!(data["conversations"][row][16], "c1");
    }
    assert_eq!(data["messages"]["c1"].as_array().unwrap().len(), 2);
}

#[test]
fn the_page_may_load_nothing_and_knows_its_script_and_style_by_their_hashes() {
    use sha2::{Digest, Sha256};
    let page = report(1, |_, _| {});
    let policy = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap()
        .1;
    let policy = policy.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for (start, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let (_, text) = page.split_once(start).unwrap();
        let (text, _) = text.split_once(end).unwrap();
        let hash = data_encoding::BASE64.encode(&Sha256::digest(text));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{start}");
    }
    assert_eq!(page.matches("<script").count(), 2);
    for forbidden in [
        " src=",
        " style=",
        "@import",
        "url(",
        "innerHTML",
        "javascript:",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let outward = page.matches("://").count() - page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(outward, 0);
}

#[test]
fn messages_of_no_conversation_are_shown_until_there_are_too_many() {
    let mut report = Written::by(HtmlReport::new(Vec::new(), style()));
    for number in 1..=MAX_LOOSE as u64 + 1 {
        let event = MessageEvent {
            number,
            conversation: None,
            ..event(b"\xa0\x0b\xad\x1dlost")
        };
        report.message(&event);
    }
    let page = finish(report, &Totals::default());
    assert!(
        page.contains("200 of 201 messages outside of conversations are shown: the first ones")
    );
    assert_eq!(page.matches("<tr id=\"loose-").count(), MAX_LOOSE);
    assert_eq!(data(&page)["loose"][0]["payload_base64"], "bG9zdA==");
}

/// Text that would do harm if it were taken for anything but text.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "</script>",
        "<!--",
        "</template>",
        "</svg>",
        "\"><img src=x>",
        "' onerror='x",
        "&lt;b&gt;",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\0",
        "\\",
        "\r\n",
        "]]>",
        "{{x}}",
        "größe",
        "a",
    ]);
    prop::collection::vec(parts, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    // A page is long to write and to search.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_captured_becomes_markup_or_an_invisible_character(
        payload in hostile(),
        nickname in hostile(),
        path in hostile(),
        text in hostile(),
    ) {
        let message = [b"\xa0\xff\xff\xff", payload.as_bytes()].concat();
        let mut report = Written::by(HtmlReport::new(Vec::new(), style()));
        report.message(&event(&message));
        let outside = MessageEvent { conversation: None, ..event(&message) };
        report.message(&outside);
        report.finding(&Finding { text, ..finding(FindingCode::Oversize) });
        let mut over = conversation(1);
        over.client.nickname = Some(nickname);
        report.conversation(&over);
        let inputs = [crate::capture::InputInfo { path: path.into(), ..input() }];
        report.finish(&Totals::default(), &inputs);
        let page = String::from_utf8(report.printer.writer).unwrap();

        let unseen = page.chars().find(|&c| {
            c != '\n' && unicode_width::UnicodeWidthChar::width(c).is_none_or(|width| width == 0)
        });
        prop_assert_eq!(unseen, None);
        prop_assert_eq!(page.matches("<script").count(), 2);
        prop_assert_eq!(page.matches("</script").count(), 2);
        prop_assert_eq!(page.matches("<template").count(), 1);
        prop_assert_eq!(page.matches("<svg").count(), page.matches("</svg").count());
        prop_assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("<b>"));
        let data = data(&page);
        let shown = data["messages"]["c1"][0]["payload_base64"].as_str().unwrap();
        let bytes = data_encoding::BASE64.decode(shown.as_bytes()).unwrap();
        prop_assert!(payload.as_bytes().starts_with(&bytes));
    }
}
