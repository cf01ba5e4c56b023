use super::*;
use crate::carrier::detect::Trace;
use crate::carrier::{Carrier, FlowDirection};
use crate::conversation::{FindingCode, Meaning};
use crate::dissect::{NearFlow, NearFlows, Sink};
use crate::record::printer::{HELD_ROWS, Printer};
use crate::report::Reporter;
use crate::report::reporter::Buffering;
use crate::report::statistics::TypeTable;
use crate::report::style::{Colouring, IdFormat, TimeStyle};
use crate::select::{Picked, Selection};
use crate::testing;
use crate::text::escape::Charset;
use crate::text::write::text_of;

fn table(style: Style, events: &[MessageEvent<'_>]) -> String {
    let mut table = MessageTable::new(style);
    text_of(|out| {
        for event in events {
            table.message(event, out);
        }
        table.finish(out);
    })
}

#[test]
fn short_captures_get_columns_as_wide_as_their_contents() {
    let findings = [testing::finding(FindingCode::OrphanId)];
    let orphan = MessageEvent {
        number: 12,
        conversation: None,
        meaning: Meaning::Orphan,
        findings: &findings,
        ..testing::event(b"\xa0\x0b\xad\x1dstray\n")
    };
    let events = [
        testing::event(b"\x50\x11\x11\x11HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\n"),
        MessageEvent {
            meaning: Meaning::Idle,
            direction: None,
            ..testing::event(&[0xff])
        },
        orphan,
    ];
    assert_eq!(
        table(testing::style(), &events),
        "\
┌────┬──────────┬──────┬───┬──────┬────────┬─────┬────────────────────────────────────┐
│  # ┆     Time ┆ Conv ┆   ┆ Type ┆ Id     ┆ Len ┆ Info                               │
╞════╪══════════╪══════╪═══╪══════╪════════╪═════╪════════════════════════════════════╡
│  3 ┆ 0.005000 ┆ c1   ┆ ← ┆ DATA ┆ 111111 ┆  38 ┆ HTTP/1.0 200 OK\\r\\nContent-Lengt…  │
│  3 ┆ 0.005000 ┆ c1   ┆   ┆ PING ┆ -      ┆   0 ┆ single 0xff byte                   │
│ 12 ┆ 0.005000 ┆ -    ┆ → ┆ DATA ┆ 0bad1d ┆   6 ┆ ! orphan: no such server id        │
└────┴──────────┴──────┴───┴──────┴────────┴─────┴────────────────────────────────────┘
"
    );
}

#[test]
fn the_same_table_in_ascii_colour_and_base64() {
    let style = Style {
        width: 93,
        charset: Charset::Ascii,
        colour: Colouring::Ansi,
        ids: IdFormat::Both,
        times: TimeStyle::Utc,
        ..testing::style()
    };
    let event = MessageEvent {
        meaning: Meaning::Closes {
            by: Direction::ServerToClient,
        },
        ..testing::event(&[0x52, 0x11, 0x11, 0x11])
    };
    assert_eq!(
        table(style, &[event]),
        "\
+---+----------------------------+------+----+-------+-------------+-----+------------------+
| # |                       Time | Conv |    | Type  | Id          | Len | Info             |
+===========================================================================================+
| 3 | 2004-05-25 12:00:00.005000 | c1   | <- | \u{1b}[33mCLOSE\u{1b}[0m | 111111/ERER |   0 | server closed c1 |
+---+----------------------------+------+----+-------+-------------+-----+------------------+
"
    );
}

#[test]
fn narrow_terminals_lose_info_then_columns_but_never_a_digit() {
    let event = testing::event(b"\xa0\xff\xff\xffGET / HTTP/1.0\r\nHost: x\r\n\r\n");
    for width in 20..120 {
        let style = Style {
            width,
            ..testing::style()
        };
        let drawn = table(style, &[event]);
        let row = drawn.lines().nth(3).unwrap();
        assert!(
            row.contains("0.005000") && row.contains("ffffff"),
            "{drawn}"
        );
        for line in drawn.lines() {
            let used = columns_of(line);
            assert!(used <= width.max(61), "{width}: {used} columns\n{drawn}");
        }
        assert_eq!(row.contains(" 27 "), width >= 64, "{width}\n{drawn}");
    }
}

#[test]
fn long_captures_stream_with_room_for_what_comes() {
    let mut table = MessageTable::new(testing::style());
    let event = testing::event(b"\xa0\xff\xff\xffGET");
    let mut out = Vec::new();
    for _ in 0..HELD_ROWS {
        table.message(&event, &mut out);
    }
    assert_eq!(table.held(), Some(HELD_ROWS));
    assert!(out.is_empty());
    table.start(&mut out);
    assert_eq!(table.held(), None);
    let late = MessageEvent {
        number: 1_234_567,
        elapsed_us: 98_765_000_000,
        ..event
    };
    table.message(&late, &mut out);
    table.finish(&mut out);
    let drawn = String::from_utf8(out).unwrap();
    let widths: Vec<usize> = drawn.lines().map(columns_of).collect();
    assert_eq!(widths.len(), HELD_ROWS + 5);
    assert!(widths.iter().all(|&width| width == widths[0]), "{widths:?}");
}

#[test]
fn times_are_written_in_every_style() {
    for (style, time) in [
        (TimeStyle::Relative, "0.005000"),
        (TimeStyle::Delta, "0.000000"),
        (TimeStyle::Utc, "2004-05-25 12:00:00.005000"),
        (TimeStyle::Local(|_| 7_200), "2004-05-25 14:00:00.005000"),
        (TimeStyle::Local(|_| -86_400), "2004-05-24 12:00:00.005000"),
        (TimeStyle::Epoch, "1085486400.005000"),
    ] {
        let style = Style {
            times: style,
            ..testing::style()
        };
        let drawn = table(style, &[testing::event(&[0xa2, 1, 2, 3])]);
        assert!(drawn.contains(&format!(" {time} ")), "{drawn}");
    }
}

#[test]
fn hostile_payloads_and_texts_do_not_reach_the_terminal() {
    let mut finding = testing::finding(FindingCode::ZeroId);
    finding.text = "\u{1b}]0;owned\u{7}\u{202e}".to_owned();
    let findings = [finding];
    for payload in ["\u{1b}[2J", "\u{202e}abc", "\r\rfake", "\u{9b}31m"] {
        let bytes = [&[0x50, 1, 2, 3], payload.as_bytes()].concat();
        let plain = testing::event(&bytes);
        let odd = MessageEvent {
            findings: &findings,
            ..plain
        };
        let drawn = table(testing::style(), &[plain, odd]);
        let is_hostile = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!drawn.contains(is_hostile), "{drawn:?}");
    }
}

/// Flows that were judged to be perhaps ours.
fn near_flows() -> NearFlows {
    let mut near = NearFlows::default();
    near.note(NearFlow {
        client: testing::client(),
        server: testing::server(),
        carrier: Carrier::Udp,
        flow_count: 1,
        trace: Trace {
            openings: 1,
            fitting: 0,
            unfitting: 0,
            to_server: FlowDirection::Forward,
        },
    });
    near
}

/// What the table shows of two messages, with the tables so far between them where rows do not wait.
fn shown(buffering: Buffering) -> String {
    let style = Style {
        charset: Charset::Ascii,
        ..testing::style()
    };
    let mut written = Vec::new();
    let others: Vec<Box<dyn Printer>> = vec![Box::new(TypeTable::new(style))];
    let table = TablePrinter::new(style).with_decode_flag("-d");
    let selection = Selection::new(None, Picked::All, None);
    let mut reporter = Reporter::new(
        &mut written,
        buffering,
        style,
        selection,
        Some(Box::new(table)),
        others,
    );
    let inputs = [testing::input()];
    reporter
        .message(&testing::event(b"\xa0\xff\xff\xffGET"))
        .unwrap();
    reporter.packet_end(&inputs).unwrap();
    if buffering == Buffering::AtOnce {
        reporter.show_tables_so_far(&[]).unwrap();
    }
    reporter
        .message(&testing::event(b"\x50\x11\x11\x11OK"))
        .unwrap();
    reporter.packet_end(&inputs).unwrap();
    let near = near_flows();
    reporter.finish(&testing::summary(&inputs, &near)).unwrap();
    drop(reporter);
    String::from_utf8(written).unwrap()
}

#[test]
fn flows_that_are_perhaps_ours_stand_above_rows_that_waited() {
    assert_eq!(
        shown(Buffering::Blocks),
        "\
capture.pcap: pcap, Ethernet, 14 packets
udp 127.0.0.1:40112 -> 127.0.0.1:9004, perhaps ministream: 1 SYN without an answer;
  -d udp.port==9004,ministream reads it
+---+----------+------+----+------+--------+-----+------------------------------------+
| # |     Time | Conv |    | Type | Id     | Len | Info                               |
+=====================================================================================+
| 3 | 0.005000 | c1   | -> | DATA | ffffff |   3 | GET                                |
| 3 | 0.005000 | c1   | <- | DATA | 111111 |   2 | OK                                 |
+---+----------+------+----+------+--------+-----+------------------------------------+
Types (2 messages)
+------+------+----+----------+--------+-----------+--------+-------+
| Type | Byte |    | Messages |  Share | Payload B | Mean B | Max B |
+===================================================================+
| DATA | 0xa0 | -> |        1 | 50.0 % |         3 |      3 |     3 |
| DATA | 0x50 | <- |        1 | 50.0 % |         2 |      2 |     2 |
+------+------+----+----------+--------+-----------+--------+-------+
2 messages, 0 conversations, 3 B ->, 2 B <-
"
    );
}

#[test]
fn tables_so_far_interrupt_the_rows_and_what_was_judged_late_stands_at_the_end() {
    assert_eq!(
        shown(Buffering::AtOnce),
        "\
capture.pcap: pcap, Ethernet, from 2004-05-25 12:00:00 UTC
+---------+--------------+---------+----+-------+--------+-------+-------------------------+
|       # |         Time | Conv    |    | Type  | Id     |   Len | Info                    |
+==========================================================================================+
|       3 |     0.005000 | c1      | -> | DATA  | ffffff |     3 | GET                     |
+---------+--------------+---------+----+-------+--------+-------+-------------------------+
Types (1 message)
+------+------+----+----------+---------+-----------+--------+-------+
| Type | Byte |    | Messages |   Share | Payload B | Mean B | Max B |
+====================================================================+
| DATA | 0xa0 | -> |        1 | 100.0 % |         3 |      3 |     3 |
+------+------+----+----------+---------+-----------+--------+-------+
+---------+--------------+---------+----+-------+--------+-------+-------------------------+
|       # |         Time | Conv    |    | Type  | Id     |   Len | Info                    |
+==========================================================================================+
|       3 |     0.005000 | c1      | <- | DATA  | 111111 |     2 | OK                      |
+---------+--------------+---------+----+-------+--------+-------+-------------------------+
Types (2 messages)
+------+------+----+----------+--------+-----------+--------+-------+
| Type | Byte |    | Messages |  Share | Payload B | Mean B | Max B |
+===================================================================+
| DATA | 0xa0 | -> |        1 | 50.0 % |         3 |      3 |     3 |
| DATA | 0x50 | <- |        1 | 50.0 % |         2 |      2 |     2 |
+------+------+----+----------+--------+-----------+--------+-------+
2 messages, 0 conversations, 3 B ->, 2 B <-
udp 127.0.0.1:40112 -> 127.0.0.1:9004, perhaps ministream: 1 SYN without an answer;
  -d udp.port==9004,ministream reads it
"
    );
}
