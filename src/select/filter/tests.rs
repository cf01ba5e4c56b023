use super::{ConversationField, Filter};
use crate::columns::{self, FieldKind, Shape};
use crate::conversation::{Finding, FindingCode, MessageEvent};
use crate::field::Field;
use crate::testing;
use crate::text::escape::{Charset, columns_of, escaped};

fn holds(filter: &str, event: &MessageEvent<'_>) -> bool {
    match Filter::parse(filter) {
        Ok(parsed) => parsed.matches(event),
        Err(error) => panic!("{filter}: {error}"),
    }
}

fn refused(filter: &str) -> String {
    match Filter::parse(filter) {
        Ok(parsed) => panic!("{filter} was read as {parsed:?}"),
        Err(error) => error.to_string(),
    }
}

fn escaped_columns(text: &str) -> usize {
    columns_of(&escaped(text.as_bytes(), Charset::Unicode))
}

/// Data from the client, `GET / HTTP/1.0\r\n`, with a warning.
fn with_event(check: impl FnOnce(&MessageEvent<'_>)) {
    let findings: [Finding; 2] = [
        testing::finding(FindingCode::OrphanId),
        testing::finding(FindingCode::Ping),
    ];
    let session = testing::session();
    check(&MessageEvent {
        findings: &findings,
        session: Some(&session),
        router_ns: Some(2_000_000),
        ..testing::event(b"\xa0\xff\xff\xffGET / HTTP/1.0\r\n")
    });
}

/// The kind of the values of a key in the record of a conversation, as in `c2s.payload_bytes`.
fn kind_in_record(key: &str) -> Option<FieldKind> {
    let (name, member) = key.split_once('.').unwrap_or((key, ""));
    let mut columns = columns::CONVERSATION.columns();
    match columns.find(|column| column.name == name)?.shape {
        Shape::Value(kind) => member.is_empty().then_some(kind),
        // Columns of JSON and Parquet are plain numbers there; in a filter they may have a unit.
        Shape::Numbers(numbers) if numbers.members.contains(&member) => {
            Some(if member.ends_with("_bytes") {
                FieldKind::Size
            } else {
                numbers.kind
            })
        }
        _ => None,
    }
}

#[test]
fn a_field_of_a_conversation_is_a_key_of_its_record_with_such_values() {
    for field in ConversationField::ALL {
        let key = field.name().strip_prefix("conv.");
        let kind = key.and_then(kind_in_record);
        let is_sum_of_both_directions = matches!(
            field,
            ConversationField::PayloadBytes | ConversationField::MessageCount
        );
        if is_sum_of_both_directions {
            assert_eq!(kind, None, "{}", field.name());
        } else {
            assert_eq!(kind, Some(field.kind()), "{}", field.name());
        }
    }
}

#[test]
fn tests_that_hold_and_tests_that_do_not() {
    with_event(|event| {
        for filter in [
            "n == 3",
            "n < 4 && n <= 3 && n > 2 && n >= 3 && n != 4",
            "type_byte == 0xa0",
            "ts == 2004-05-25T12:00:00.005Z",
            "ts < \"2004-05-26T00:00:00Z\"",
            "t_us == 5ms",
            "t_us >= 5000us",
            "router_us == 2ms",
            "t_us == 0.005s",
            "t_us == 5.0 ms && n == 3",
            "t_us in {1 ms, 5 ms}",
            "(t_us < 0.1min)",
            "t_us > 100 µs && t_us >= 4999.0μs",
            "t_us == 5000",
            "T_US == 5000",
            "Time == 0.005s",
            "Time > 0",
            "Time > -1.5s",
            "Time > 0.0 && Time != -0.0 && t_us > \"0\"",
            "t_us == \"5 ms\" && Time in {\"5.0ms\", \"0.005  s\"}",
            "t_us == \"5000\"",
            "Len < 83.3 KiB && Len < \"1.7 TiB\" && Len < 2PiB && Len == \"16\"",
            "Len <= 0.5 KiB && Len > 0B",
            "carrier == udp",
            "src == 127.0.0.1",
            "src == 127.0.0.1:40112",
            "dst == :9004",
            "dir == c2s",
            "type == data",
            "type in {syn, data}",
            "id == ffffff",
            "id == FFFFFF",
            "id_owner == server",
            "conv == c1",
            "conv <= c2",
            "payload_bytes == 16",
            "payload contains \"HTTP/1\"",
            "payload contains HTTP",
            "payload contains \"\\x0d\\n\"",
            "payload contains hex:0d0a",
            "payload_hex contains 0d0a",
            "payload_text == \"GET / HTTP/1.0\\r\\n\"",
            "payload ~ /^GET \\/ HTTP\\/1\\.\\d/",
            "payload matches \"GET\"",
            "meaning == carries",
            "level >= warn",
            "level == warn",
            "findings == ms.orphan_id",
            "findings contains ms.ping",
            "session == 2",
            "session_name contains \"evil\"",
            "conv",
            "!server_id",
            "server_id != 123456",
            "not server_id and conv or n == 99",
            "n == 99 || (n == 1 || n == 3) && type == data",
            "((((n == 3))))",
            "!!n",
            "ministream.type == \"data\" && ministream.id == \"ffffff\"",
            "ministream.findings == \"ms.ping\" and not ministream.server_id",
        ] {
            assert!(holds(filter, event), "{filter}");
        }
        for filter in [
            "n == 4",
            "type == syn",
            "type in {syn}",
            "level > warn",
            "level == note",
            "conv == c2",
            "server_id == 000000",
            "server_id",
            "payload contains \"HTTP/2\"",
            "payload ~ /^HTTP/",
            "findings == ms.chaff",
            "src == 127.0.0.2",
            "src == [::1]:1",
            "dst == :9005",
            "!(type == data)",
            "n == 3 && n == 4",
            "n == 99 && (n == 1 || n == 3)",
        ] {
            assert!(!holds(filter, event), "{filter}");
        }
    });
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    with_event(|event| {
        assert!(holds("n == 3 || n == 3 && n == 4", event));
        assert!(holds("n == 4 && n == 3 || n == 3", event));
        assert!(!holds("!n == 4 && n == 4", event));
    });
}

#[test]
fn every_field_may_be_asked_for() {
    with_event(|event| {
        for field in Field::ALL {
            holds(field.name(), event);
            holds(&format!("!{}", field.name()), event);
        }
    });
}

#[test]
fn errors_point_at_the_place() {
    for (filter, text) in [
        (
            "typ == syn && len > 3",
            "unknown field `typ`\n    typ == syn && len > 3\n    ^~~ did you mean `type`?",
        ),
        (
            "n == 1 && nonsense",
            "unknown field `nonsense`\n    n == 1 && nonsense\n              ^~~~~~~~",
        ),
        (
            "type == sin",
            "`type` is one of syn ack data close ping chaff unknown short\n    type == sin\n            \
             ^~~ did you mean `syn`?",
        ),
        (
            "id == 12",
            "`id` is six hex digits\n    id == 12\n          ^~",
        ),
        (
            "id > ffffff",
            "values of `id` have no order\n    id > ffffff\n       ^ compare with == or !=",
        ),
        ("(n == 1", "expected `)`\n    (n == 1\n           ^"),
        (
            "n == 1 n == 2",
            "expected the end of the filter\n    n == 1 n == 2\n           ^ join tests with && or ||",
        ),
        (
            "payload contains \"x",
            "text without closing quote\n    payload contains \"x\n                     ^~",
        ),
        (
            "payload ~ /(/",
            "bad regular expression: unclosed group\n    payload ~ /(/\n              ^~~",
        ),
        (
            "payload contains \"\\q\"",
            "unknown escape\n    payload contains \"\\\\q\"\n                      ^~~ there are \\n \\r \\t \\0 \\\\ \\\" and \\xHH",
        ),
        (
            "\"\\",
            "unknown escape\n    \"\\\\\n     ^~ there are \\n \\r \\t \\0 \\\\ \\\" and \\xHH",
        ),
        (
            "n = 1",
            "unexpected character\n    n = 1\n      ^ values are compared with ==",
        ),
        (
            "payload contains 'x'",
            "unexpected character\n    payload contains 'x'\n                     ^ texts stand in double quotes",
        ),
        ("n ? 1", "unexpected character\n    n ? 1\n      ^"),
        (
            "ministream.typ == 1",
            "unknown field `typ`\n    ministream.typ == 1\n    ^~~~~~~~~~~~~~ did you mean `type`?",
        ),
        (
            "conv.stat == open",
            "unknown field `conv.stat`\n    conv.stat == open\n    ^~~~~~~~~ did you mean `conv.state`?",
        ),
        (
            "duration > 5",
            "a time needs a unit: us, ms, s, min, h or d\n    duration > 5\n               ^ did you mean 5s?",
        ),
        (
            "Time > 0.5 && n == 1",
            "a time needs a unit: us, ms, s, min, h or d\n    Time > 0.5 && n == 1\n           ^~~ did you mean 0.5s?",
        ),
        (
            "t_us > 0.5",
            "a time needs a unit: us, ms, s, min, h or d\n    t_us > 0.5\n           ^~~ only whole us need none",
        ),
        (
            "t_us > 7.0",
            "a time needs a unit: us, ms, s, min, h or d\n    t_us > 7.0\n           ^~~ did you mean 7.0us?",
        ),
        (
            "duration > \"5\"",
            "a time needs a unit: us, ms, s, min, h or d\n    duration > \"5\"\n               ^~~ did you mean 5s?",
        ),
        (
            "duration in {1s, \"0.5\"}",
            "a time needs a unit: us, ms, s, min, h or d\n    duration in {1s, \"0.5\"}\n                     ^~~~~ did you mean 0.5s?",
        ),
        (
            "duration > 0x10",
            "a time needs a unit: us, ms, s, min, h or d\n    duration > 0x10\n               ^~~~",
        ),
        (
            "duration > 99999999999999",
            "a time needs a unit: us, ms, s, min, h or d\n    duration > 99999999999999\n               ^~~~~~~~~~~~~~",
        ),
        (
            "duration > 0.5us",
            "this time is no whole number of microseconds\n    duration > 0.5us\n               ^~~~~",
        ),
        (
            "duration > 0.5 us",
            "this time is no whole number of microseconds\n    duration > 0.5 us\n               ^~~~~~",
        ),
        (
            "duration > 99999999999999 d && n",
            "this time is too long\n    duration > 99999999999999 d && n\n               ^~~~~~~~~~~~~~~~ the longest is 106751991d",
        ),
        (
            "duration > \"1 sec\"",
            "`conv.duration_us` is a time as in 20ms or 1.5s\n    duration > \"1 sec\"\n               ^~~~~~~",
        ),
        (
            "len > 0.5 B",
            "this size is no whole number of bytes\n    len > 0.5 B\n          ^~~~~",
        ),
        (
            "len > 9000PiB",
            "this size is too large\n    len > 9000PiB\n          ^~~~~~~ the largest is 8191PiB",
        ),
        (
            "len > 1 n == 1",
            "expected the end of the filter\n    len > 1 n == 1\n            ^ join tests with && or ||",
        ),
        (
            "conv.bytes > 1 TB",
            "unknown unit `TB`\n    conv.bytes > 1 TB\n                   ^~ units are B, KiB, MiB, GiB, TiB and PiB",
        ),
        (
            "Info ~ /x/",
            "unknown field `Info`\n    Info ~ /x/\n    ^~~~ as in payload contains \"GET\", or meaning == opens",
        ),
        (
            "Start > 1s",
            "unknown field `Start`\n    Start > 1s\n    ^~~~~ as in t_us >= 2s, or ts >= 2004-05-25T12:00:00Z",
        ),
        (
            "Code == ms.ping",
            "unknown field `Code`\n    Code == ms.ping\n    ^~~~ as in findings == ms.ping",
        ),
        (
            "Ids == 0a0b0c",
            "unknown field `Ids`\n    Ids == 0a0b0c\n    ^~~ as in id == 0a0b0c",
        ),
        (
            "First == 4",
            "unknown field `First`\n    First == 4\n    ^~~~~ as in n == 4, or packet_n == 2",
        ),
        (
            "Count > 1",
            "unknown field `Count`\n    Count > 1\n    ^~~~~ as in conv.finding_count > 0, or conv.messages > 10",
        ),
        (
            "# == 4",
            "unexpected character\n    # == 4\n    ^ messages are numbered by n, as in n == 4",
        ),
        (
            "type == 0x53",
            "`type` is one of syn ack data close ping chaff unknown short\n    type == 0x53\n            \
             ^~~~ as a number it is `type_byte == 0x53`",
        ),
        ("", "expected a field\n    \n    ^"),
        (
            "type ==",
            "expected one of syn ack data close ping chaff unknown short\n    type ==\n           ^",
        ),
    ] {
        assert_eq!(refused(filter), text);
    }
}

#[test]
fn nesting_has_a_bound() {
    let deep = |depth: usize| format!("{}n{}", "(".repeat(depth), ")".repeat(depth));
    // The field itself is a level, too.
    Filter::parse(&deep(63)).unwrap();
    for (filter, start) in [
        (deep(64), 64),
        (deep(100_000), 64),
        ("!".repeat(100_000), 64),
    ] {
        let error = Filter::parse(&filter).unwrap_err();
        assert_eq!(error.problem(), "too many parentheses inside one another");
        assert_eq!(error.span().start, start);
    }
}

#[test]
fn the_tests_of_a_filter_have_a_bound() {
    for join in [" && ", " || "] {
        let joined = |count: usize| vec!["n == 1"; count].join(join);
        assert!(Filter::parse(&joined(500)).is_ok());
        for count in [501, 10_000, 100_000] {
            assert!(refused(&joined(count)).starts_with("more than 500 tests in one filter"));
        }
    }
}

#[test]
fn a_filter_with_hostile_text_shows_it_escaped() {
    assert!(!refused("\u{1b}[2J").contains('\u{1b}'));
    assert!(refused("n == 1 && \u{202e}").contains("\\u{202e}"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(filter in "[a-z_!&|()=<>~\"/\\\\{}, 0-9.:é\u{1b}]{0,40}") {
        if let Err(error) = Filter::parse(&filter) {
            let span = error.span();
            proptest::prop_assert!(span.start <= span.end && span.end <= filter.len());
            let text = error.to_string();
            let lines: Vec<&str> = text.split('\n').collect();
            let [problem, shown, caret] = lines[..] else {
                panic!("{text}");
            };
            proptest::prop_assert_eq!(problem, error.problem());
            proptest::prop_assert!(!problem.is_empty());
            let escaped = escaped(filter.as_bytes(), Charset::Unicode);
            proptest::prop_assert_eq!(shown, format!("    {escaped}"));
            // The caret stands below the first wrong byte, or behind the last.
            let before = escaped_columns(&filter[..span.start]);
            proptest::prop_assert_eq!(caret.find('^'), Some(4 + before));
        }
    }
}
