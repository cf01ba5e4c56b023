//! Ladders of made-up conversations, in every format.

use proptest::prelude::*;

use super::*;
use crate::carrier::Carrier;
use crate::conversation::{ConversationId, Finding, FindingCode, MessageEvent};
use crate::record::tally::Totals;
use crate::testing::{START, Written, conversation, event, finding, style};

/// The events of a conversation: messages, each followed by its findings.
struct Told {
    messages: Vec<Vec<u8>>,
    findings: Vec<Finding>,
    gap_ns: i64,
}

impl Told {
    fn messages(messages: &[&[u8]]) -> Self {
        Self {
            messages: messages.iter().map(|bytes| bytes.to_vec()).collect(),
            findings: Vec::new(),
            gap_ns: 1_000_000,
        }
    }

    /// The message at `index`, as message `number` of conversation 1.
    fn event(&self, index: usize, number: u64) -> MessageEvent<'_> {
        let nanos = self.gap_ns * i64::try_from(index).unwrap();
        MessageEvent {
            number,
            time: START.plus_nanos(nanos),
            elapsed_us: nanos / 1_000,
            ..event(&self.messages[index])
        }
    }

    /// The printer's drawing of it.
    fn drawn_by(&self, printer: LadderPrinter) -> String {
        let mut written = Written::by(printer);
        for index in 0..self.messages.len() {
            written.message(&self.event(index, index as u64 + 1));
        }
        for finding in &self.findings {
            written.finding(finding);
        }
        written.conversation(&conversation(1));
        written.finish(&Totals::default(), &[]);
        written.text()
    }

    fn drawn(&self, format: LadderFormat) -> String {
        self.drawn_by(LadderPrinter::new(DrawnConversations::All, format, style()))
    }
}

/// The numbers that stand behind `mark` in `text`, in order.
fn numbers(text: &str, mark: &str) -> Vec<u64> {
    text.split(mark)
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest[..end].parse().ok()
        })
        .collect()
}

#[test]
fn silence_of_a_tenth_of_a_second_is_folded_and_less_is_not() {
    for (gap_ns, folds) in [(IDLE_NS - 1, false), (IDLE_NS, true)] {
        let mut told = Told::messages(&[b"\xa0\xff\xff\xffa", b"\xa0\xff\xff\xffb"]);
        told.gap_ns = gap_ns;
        let text = told.drawn(LadderFormat::Text);
        assert_eq!(text.contains('⋮'), folds, "{text}");
        assert_eq!(text.contains('+'), !folds, "{text}");
    }
}

#[test]
fn time_that_goes_backwards_is_shown_as_such() {
    let mut told = Told::messages(&[b"\xa0\xff\xff\xffa", b"\xa0\xff\xff\xffb"]);
    told.gap_ns = -3_000_000;
    assert!(told.drawn(LadderFormat::Text).contains("│ -3.0 ms  b\n"));
}

#[test]
fn a_finding_stands_below_its_message_and_what_did_not_come_at_the_end() {
    let mut told = Told::messages(&[b"\xa0\xff\xff\xffa", b"\xa0\xff\xff\xffb"]);
    for (code, message) in [
        (FindingCode::NoClose, Some(1)),
        (FindingCode::I2cpLost, Some(1)),
        (FindingCode::ClosePayload, None),
        (FindingCode::Oversize, Some(2)),
    ] {
        told.findings.push(Finding {
            message,
            ..finding(code)
        });
    }
    let text = told.drawn(LadderFormat::Text);
    let places: Vec<usize> = [
        "#1",
        "i2cp.lost",
        "#2",
        "ms.oversize",
        "ms.no_close",
        "ms.close_payload",
    ]
    .iter()
    .map(|part| text.find(part).unwrap())
    .collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut written = Written::by(LadderPrinter::new(
        DrawnConversations::All,
        LadderFormat::Text,
        style(),
    ));
    let told = Told::messages(&[b"\xa0\xff\xff\xffa"]);
    let count = MAX_MESSAGES as u64 + 3;
    for number in 1..=count {
        written.message(&told.event(0, number));
    }
    written.conversation(&conversation(1));
    let text = written.text();
    assert!(text.ends_with("\n… 3 more messages not drawn\n\n"));
    assert_eq!(text.matches("├").count(), MAX_MESSAGES);
}

#[test]
fn one_conversation_is_picked_and_its_absence_is_told() {
    for (format, expected) in [
        (
            LadderFormat::Text,
            "no conversation c2 among the messages shown\n",
        ),
        (
            LadderFormat::Svg,
            "<!-- no conversation c2 among the messages shown -->\n",
        ),
    ] {
        let printer =
            LadderPrinter::new(DrawnConversations::One(ConversationId(2)), format, style());
        let told = Told::messages(&[b"\xa0\xff\xff\xffa"]);
        assert_eq!(told.drawn_by(printer), expected);
    }
}

#[test]
fn both_views_make_one_ladder_whichever_is_over_first_and_whichever_is_asked_for() {
    for wanted in [
        DrawnConversations::All,
        DrawnConversations::One(ConversationId(1)),
        DrawnConversations::One(ConversationId(2)),
    ] {
        for order in [[1, 2], [2, 1]] {
            let printer = LadderPrinter::new(wanted, LadderFormat::Text, style());
            let mut written = Written::by(printer);
            let told = Told::messages(&[b"\xa0\xff\xff\xffa", b"\xa0\xff\xff\xffa"]);
            for (index, number) in [(0, 1), (1, 2)] {
                written.message(&MessageEvent {
                    conversation: Some(ConversationId(number)),
                    carrier: Carrier::I2cp,
                    ..told.event(index, number)
                });
            }
            for number in order {
                let mut over = conversation(number);
                over.carrier = Carrier::I2cp;
                over.peer_view = Some(ConversationId(3 - number));
                written.conversation(&over);
            }
            written.finish(&Totals::default(), &[]);
            let text = written.text();
            assert!(
                text.starts_with("c1 and c2  "),
                "{wanted:?} {order:?}: {text}"
            );
            assert_eq!(numbers(&text, "#"), [1, 2]);
            assert_eq!(text.matches("client").count(), 2, "{text}");
        }
    }
}

#[test]
fn lines_fit_the_terminal_unless_it_is_narrower_than_the_lanes() {
    let mut told =
        Told::messages(&[&b"\xa0\xff\xff\xffGET / HTTP/1.0\r\nHost: example.com\r\n\r\n"[..]; 3]);
    told.findings.push(Finding {
        text: "many words ".repeat(30),
        ..finding(FindingCode::Oversize)
    });
    for width in 60..140 {
        let style = Style { width, ..style() };
        let printer = LadderPrinter::new(DrawnConversations::All, LadderFormat::Text, style);
        for line in told.drawn_by(printer).lines() {
            let columns = crate::text::escape::columns_of(line);
            assert!(columns <= width, "{width}: {columns} {line}");
        }
    }
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![0xa0_u8, 0xa1, 0xa2, 0x50, 0x51, 0x52, 0xff, 0x53, 0]);
    (header, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, rest)| {
        let mut message = vec![kind];
        message.extend(rest);
        message
    })
}

proptest! {
    #[test]
    fn every_message_is_drawn_once_and_in_order(
        messages in prop::collection::vec(any_message(), 1..40),
        gap_ns in -200_000_000_i64..200_000_000,
    ) {
        let told = Told { messages, findings: Vec::new(), gap_ns };
        let expected: Vec<u64> = (1..=told.messages.len() as u64).collect();
        let text = told.drawn(LadderFormat::Text);
        let gutter: Vec<u64> = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix('#')?.split(' ').next()?.parse().ok())
            .collect();
        prop_assert_eq!(&gutter, &expected);
        prop_assert_eq!(&numbers(&told.drawn(LadderFormat::Mermaid), ": #35;"), &expected);
        prop_assert_eq!(&numbers(&told.drawn(LadderFormat::Svg), " data-n=\""), &expected);
    }

    #[test]
    fn nothing_that_a_message_holds_becomes_markup_or_drives_a_terminal(
        payloads in prop::collection::vec(
            prop::sample::select(vec![
                &b"<script>alert(1)</script>"[..], b"</svg><img src=x onerror=x>", b"\"><b>",
                b"\x1b[2J\x1b]0;x\x07", "\u{202e}\u{2066}\u{feff}".as_bytes(), b"\0\0", b"```\n# x\n",
                b"a;b%%{init}", b"]]>--><!--", b"\xff\xfe\x80",
            ]),
            1..10,
        ),
    ) {
        let messages = payloads.iter().map(|payload| [b"\xa0\xff\xff\xff", *payload].concat());
        let told = Told { messages: messages.collect(), findings: Vec::new(), gap_ns: 0 };
        for format in [LadderFormat::Text, LadderFormat::Mermaid, LadderFormat::Svg] {
            let drawn = told.drawn(format);
            prop_assert!(!drawn.replace('\n', "").chars().any(char::is_control));
            let drives = drawn.contains(['\u{202e}', '\u{2066}', '\u{feff}']);
            prop_assert!(!drives);
            match format {
                LadderFormat::Text => {}
                LadderFormat::Mermaid => {
                    let plain = drawn.replace("<br/>", "");
                    prop_assert!(!plain.contains(['<', '"']) && !plain.contains("%%"));
                    prop_assert_eq!(drawn.matches("```").count(), 2);
                }
                LadderFormat::Svg => {
                    let elements = ["svg", "style", "rect", "line", "text", "path", "g"];
                    for tag in drawn.split('<').skip(1) {
                        let name = tag.trim_start_matches('/');
                        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
                        prop_assert!(name.is_some_and(|name| elements.contains(&name)), "{}", tag);
                    }
                }
            }
        }
    }
}
