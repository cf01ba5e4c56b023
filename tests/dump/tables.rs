//! The default output.

use std::fs;
use std::path::Path;

use crate::run::{SAMPLES, capture, command, dump, pipe};

/// The sample of the interface description, to the letter.
const SAMPLE: &str = "\
captures/spec-samples.pcap: pcap, Ethernet, 14 packets, 1.2 s from 2004-05-25 12:00:00 UTC
udp 127.0.0.1:40112 → 127.0.0.1:9004, ministream by content (13 of 14 payloads parse)
┌────┬──────────┬──────┬───┬───────┬────────┬─────┬────────────────────────────────────┐
│  # ┆     Time ┆ Conv ┆   ┆ Type  ┆ Id     ┆ Len ┆ Info                               │
╞════╪══════════╪══════╪═══╪═══════╪════════╪═════╪════════════════════════════════════╡
│  1 ┆ 0.000000 ┆ c1   ┆ → ┆ SYN   ┆ 111111 ┆ 387 ┆ opens c1, destination 9kQ…zA=      │
│  2 ┆ 0.004000 ┆ c1   ┆ ← ┆ ACK   ┆ 111111 ┆   3 ┆ server id ffffff, 4.0 ms           │
│  3 ┆ 0.005000 ┆ c1   ┆ → ┆ DATA  ┆ ffffff ┆  27 ┆ GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n  │
│  4 ┆ 0.105000 ┆ c1   ┆ ← ┆ DATA  ┆ 111111 ┆  44 ┆ HTTP/1.0 200 OK\\r\\nContent-Lengt…  │
│  5 ┆ 0.150000 ┆ c2   ┆ → ┆ SYN   ┆ 123456 ┆ 387 ┆ opens c2, destination 9kQ…zA=      │
│  6 ┆ 0.151000 ┆ c2   ┆ ← ┆ CLOSE ┆ 123456 ┆   0 ┆ refused, 1.0 ms                    │
│  7 ┆ 0.206000 ┆ c1   ┆ ← ┆ CLOSE ┆ 111111 ┆   0 ┆ server closed c1                   │
│  8 ┆ 0.300000 ┆ c3   ┆ → ┆ SYN   ┆ 234567 ┆ 387 ┆ opens c3, destination 9kQ…zA=      │
│  9 ┆ 0.303000 ┆ c3   ┆ ← ┆ ACK   ┆ 234567 ┆   3 ┆ server id 987654, 3.0 ms           │
│ 10 ┆ 0.404000 ┆ c3   ┆ ← ┆ DATA  ┆ 234567 ┆  11 ┆ 220 ready\\r\\n                      │
│ 11 ┆ 0.900000 ┆ c3   ┆ → ┆ CLOSE ┆ 987654 ┆   0 ┆ client closed c3                   │
│ 12 ┆ 1.000000 ┆ -    ┆ → ┆ DATA  ┆ 0bad1d ┆   6 ┆ ! orphan: no such server id        │
│ 13 ┆ 1.100000 ┆ -    ┆ → ┆ PING  ┆ -      ┆   0 ┆ single 0xff byte                   │
│ 14 ┆ 1.200000 ┆ c3   ┆ ← ┆ 0x53  ┆ 234567 ┆   2 ┆ ! unknown type 0x53, after close   │
└────┴──────────┴──────┴───┴───────┴────────┴─────┴────────────────────────────────────┘
Conversations (3)
┌──────┬───────────────┬───────────────┬───────┬──────────┬───────────┬──────────┬──────────┬───┐
│ Conv ┆ Ids cli/srv   ┆ State         ┆ Start ┆ Duration ┆ Handshake ┆ → msgs/B ┆ ← msgs/B ┆ ! │
╞══════╪═══════════════╪═══════════════╪═══════╪══════════╪═══════════╪══════════╪══════════╪═══╡
│ c1   ┆ 111111/ffffff ┆ server closed ┆ 0.000 ┆   206 ms ┆    4.0 ms ┆     1/27 ┆     1/44 ┆   │
│ c2   ┆ 123456/-      ┆ refused       ┆ 0.150 ┆   1.0 ms ┆         - ┆      0/0 ┆      0/0 ┆   │
│ c3   ┆ 234567/987654 ┆ client closed ┆ 0.300 ┆   600 ms ┆    3.0 ms ┆      0/0 ┆     1/11 ┆ 1 │
└──────┴───────────────┴───────────────┴───────┴──────────┴───────────┴──────────┴──────────┴───┘
Findings (3)
┌───────┬─────────────────┬───────┬───────┬────────────────────────────────────────────────┐
│ Level ┆ Code            ┆ Count ┆ First ┆ Meaning                                        │
╞═══════╪═════════════════╪═══════╪═══════╪════════════════════════════════════════════════╡
│ error ┆ ms.unknown_type ┆     1 ┆ #14   ┆ type 0x53 is not in the protocol               │
│ warn  ┆ ms.orphan_id    ┆     1 ┆ #12   ┆ id never announced: late capture or sender bug │
│ note  ┆ ms.ping         ┆     1 ┆ #13   ┆ ping call of the Java library; not answered    │
└───────┴─────────────────┴───────┴───────┴────────────────────────────────────────────────┘
14 messages, 3 conversations (2 opened, 1 refused), 27 B →, 55 B ←, 1 error, 1 warning, 1 note
";

#[test]
fn the_sample_capture_is_shown_as_documented() {
    assert_eq!(dump(SAMPLES).ok(), SAMPLE);
}

#[test]
fn compressed_and_piped_captures_are_shown_alike() {
    for name in ["spec-samples.pcap.gz", "spec-samples.pcap.zst"] {
        let shown = dump(&format!("captures/{name}")).ok();
        assert_eq!(shown, SAMPLE.replace("spec-samples.pcap", name));
    }
    let piped = pipe("-r -", &capture("spec-samples.pcap")).ok();
    assert_eq!(piped, SAMPLE.replace(SAMPLES, "-"));
}

const ASCII: &str = "\
captures/spec-samples.pcap: pcap, Ethernet, 14 packets, 1.2 s from 2004-05-25 12:00:00 UTC
udp 127.0.0.1:40112 -> 127.0.0.1:9004, ministream by content (13 of 14 payloads parse)
+----+----------+------+----+-------+--------+-----+------------------------------------+
|  # |     Time | Conv |    | Type  | Id     | Len | Info                               |
+=======================================================================================+
|  1 | 0.000000 | c1   | -> | SYN   | 111111 | 387 | opens c1, destination 9kQ...zA=    |
|  2 | 0.004000 | c1   | <- | ACK   | 111111 |   3 | server id ffffff, 4.0 ms           |
|  3 | 0.005000 | c1   | -> | DATA  | ffffff |  27 | GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n  |
|  4 | 0.105000 | c1   | <- | DATA  | 111111 |  44 | HTTP/1.0 200 OK\\r\\nContent-Len...  |
|  5 | 0.150000 | c2   | -> | SYN   | 123456 | 387 | opens c2, destination 9kQ...zA=    |
|  6 | 0.151000 | c2   | <- | CLOSE | 123456 |   0 | refused, 1.0 ms                    |
|  7 | 0.206000 | c1   | <- | CLOSE | 111111 |   0 | server closed c1                   |
|  8 | 0.300000 | c3   | -> | SYN   | 234567 | 387 | opens c3, destination 9kQ...zA=    |
|  9 | 0.303000 | c3   | <- | ACK   | 234567 |   3 | server id 987654, 3.0 ms           |
| 10 | 0.404000 | c3   | <- | DATA  | 234567 |  11 | 220 ready\\r\\n                      |
| 11 | 0.900000 | c3   | -> | CLOSE | 987654 |   0 | client closed c3                   |
| 12 | 1.000000 | -    | -> | DATA  | 0bad1d |   6 | ! orphan: no such server id        |
| 13 | 1.100000 | -    | -> | PING  | -      |   0 | single 0xff byte                   |
| 14 | 1.200000 | c3   | <- | 0x53  | 234567 |   2 | ! unknown type 0x53, after close   |
+----+----------+------+----+-------+--------+-----+------------------------------------+
Conversations (3)
+------+---------------+---------------+-------+----------+-----------+-----------+-----------+---+
| Conv | Ids cli/srv   | State         | Start | Duration | Handshake | -> msgs/B | <- msgs/B | ! |
+=================================================================================================+
| c1   | 111111/ffffff | server closed | 0.000 |   206 ms |    4.0 ms |      1/27 |      1/44 |   |
| c2   | 123456/-      | refused       | 0.150 |   1.0 ms |         - |       0/0 |       0/0 |   |
| c3   | 234567/987654 | client closed | 0.300 |   600 ms |    3.0 ms |       0/0 |      1/11 | 1 |
+------+---------------+---------------+-------+----------+-----------+-----------+-----------+---+
Findings (3)
+-------+-----------------+-------+-------+------------------------------------------------+
| Level | Code            | Count | First | Meaning                                        |
+==========================================================================================+
| error | ms.unknown_type |     1 | #14   | type 0x53 is not in the protocol               |
| warn  | ms.orphan_id    |     1 | #12   | id never announced: late capture or sender bug |
| note  | ms.ping         |     1 | #13   | ping call of the Java library; not answered    |
+-------+-----------------+-------+-------+------------------------------------------------+
14 messages, 3 conversations (2 opened, 1 refused), 27 B ->, 55 B <-, 1 error, 1 warning, 1 note
";

#[test]
fn ascii_needs_no_other_characters() {
    let by_flag = dump(&format!("--ascii {SAMPLES}")).ok();
    let by_locale = command([SAMPLES]).env("LANG", "C").output().unwrap();
    assert_eq!(by_flag, ASCII);
    assert_eq!(by_flag.as_bytes(), by_locale.stdout);
}

#[test]
fn colour_comes_when_asked_for() {
    let coloured = dump(&format!("--color always {SAMPLES}")).ok();
    for (painted, count) in [
        ("\u{1b}[32mSYN\u{1b}[0m", 3),
        ("\u{1b}[36mACK\u{1b}[0m", 2),
        ("\u{1b}[33mCLOSE\u{1b}[0m", 3),
    ] {
        assert_eq!(coloured.matches(painted).count(), count, "{painted:?}");
    }
    let plain: String = coloured
        .split('\u{1b}')
        .enumerate()
        .map(|(index, part)| match index {
            0 => part,
            _ => part.split_once('m').unwrap().1,
        })
        .collect();
    assert_eq!(plain, SAMPLE);
    for (variable, value, is_coloured) in [
        ("CLICOLOR_FORCE", "1", true),
        ("CLICOLOR_FORCE", "0", false),
        ("NO_COLOR", "1", false),
    ] {
        let output = command([SAMPLES]).env(variable, value).output().unwrap();
        assert_eq!(
            output.stdout.contains(&0x1b),
            is_coloured,
            "{variable}={value}"
        );
    }
    let both = command([SAMPLES])
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(!both.stdout.contains(&0x1b));
}

#[test]
fn columns_narrow_the_table() {
    let output = command([SAMPLES]).env("COLUMNS", "70").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let table = shown
        .lines()
        .filter(|line| line.starts_with(['│', '┌', '╞', '└']));
    for line in table {
        assert!(line.chars().count() <= 70, "{line}");
    }
    assert_eq!(
        shown.lines().nth(14),
        Some("│  8 ┆ 0.300000 ┆ c3   ┆ → ┆ SYN   ┆ 234567 ┆ 387 ┆ opens c3, desti… │")
    );
}

#[test]
fn words_of_small_tables_are_never_broken() {
    let shown = |width: &str| {
        let arguments = ["-q", "-z", "findings", "-z", "timing", SAMPLES];
        let output = command(arguments).env("COLUMNS", width).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        shown("40"),
        "\
Findings (3)
┌───────┬─────────────────┬────────────┐
│ Level ┆ Code            ┆ Meaning    │
╞═══════╪═════════════════╪════════════╡
│ error ┆ ms.unknown_type ┆ type 0x53  │
│       ┆                 ┆ is not in  │
│       ┆                 ┆ the        │
│       ┆                 ┆ protocol   │
│ warn  ┆ ms.orphan_id    ┆ id never   │
│       ┆                 ┆ announced: │
│       ┆                 ┆ late       │
│       ┆                 ┆ capture or │
│       ┆                 ┆ sender bug │
│ note  ┆ ms.ping         ┆ ping call  │
│       ┆                 ┆ of the     │
│       ┆                 ┆ Java       │
│       ┆                 ┆ library;   │
│       ┆                 ┆ not        │
│       ┆                 ┆ answered   │
└───────┴─────────────────┴────────────┘
Timing
┌────────────┬───────┬────────┬────────┐
│ Span       ┆ Count ┆    p99 ┆    Max │
╞════════════╪═══════╪════════╪════════╡
│ handshake  ┆     2 ┆ 4.0 ms ┆ 4.0 ms │
│ (SYN to    ┆       ┆        ┆        │
│ ACK)       ┆       ┆        ┆        │
│ first byte ┆     2 ┆ 104 ms ┆ 104 ms │
│ (SYN to    ┆       ┆        ┆        │
│ DATA)      ┆       ┆        ┆        │
│ life       ┆     3 ┆ 600 ms ┆ 600 ms │
│ (first to  ┆       ┆        ┆        │
│ last       ┆       ┆        ┆        │
│ message)   ┆       ┆        ┆        │
└────────────┴───────┴────────┴────────┘
"
    );
    for width in 40..130 {
        let shown = shown(&width.to_string());
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        for word in [
            "ms.unknown_type",
            "error",
            "announced:",
            "handshake",
            "104 ms",
        ] {
            assert!(shown.contains(word), "{width}: {word}");
        }
    }
}

#[test]
fn ids_are_shown_as_java_logs_them() {
    for (format, ids) in [
        ("b64", ["ERER/~~~~", "EjRW/-", "I0Vn/mHZU"]),
        (
            "both",
            [
                "111111/ERER/ffffff/~~~~",
                "123456/EjRW/-",
                "234567/I0Vn/987654/mHZU",
            ],
        ),
    ] {
        let shown = dump(&format!("--id-format {format} -q -z conv {SAMPLES}")).ok();
        let rows = shown.lines().filter(|line| line.starts_with("│ c"));
        let shown_ids: Vec<&str> = rows
            .map(|row| row.split('┆').nth(1).unwrap().trim())
            .collect();
        assert_eq!(shown_ids, ids, "{format}");
        let first = ids[0].strip_suffix("/ffffff/~~~~").unwrap_or("ERER");
        let shown = dump(&format!("--id-format {format} {SAMPLES}")).ok();
        let row = shown.lines().nth(5).unwrap();
        assert_eq!(row.split('┆').nth(5).unwrap().trim(), first);
    }
}

#[test]
fn times_have_five_styles() {
    let time_of_fourth = |shown: &str| {
        let row = shown.lines().nth(8).unwrap();
        assert!(row.starts_with("│  4 ┆"), "{row}");
        row.split('┆').nth(1).unwrap().trim().to_owned()
    };
    for (style, time) in [
        ("r", "0.105000"),
        ("d", "0.100000"),
        ("u", "2004-05-25 12:00:00.105000"),
        ("e", "1085486400.105000"),
    ] {
        let shown = dump(&format!("-t {style} {SAMPLES}")).ok();
        assert_eq!(time_of_fourth(&shown), time, "{style}");
    }
    let output = command(["-t", "a", SAMPLES])
        .env("TZ", "Asia/Kolkata")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    // Without a time zone database local time is UTC.
    let hour = if Path::new("/usr/share/zoneinfo/Asia/Kolkata").exists() {
        "17:30"
    } else {
        "12:00"
    };
    assert_eq!(
        time_of_fourth(&shown),
        format!("2004-05-25 {hour}:00.105000")
    );
}

#[test]
fn several_captures_are_read_as_one() {
    let shown = dump(&format!("{SAMPLES} -r captures/udp-ping.pcap")).ok();
    let mut lines = shown.lines();
    // -r stands before the positional files.
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("captures/udp-ping.pcap: pcap")
    );
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("captures/spec-samples.pcap: pcap")
    );
}

#[test]
fn a_capture_without_ministreaming_says_what_was_read() {
    assert_eq!(
        dump("captures/other-traffic.pcap").ok(),
        "\
captures/other-traffic.pcap: pcap, Ethernet, 21 packets, 0.0 s from 2004-05-25 12:00:00 UTC
Conversations (0)
Findings (0)
0 messages, 0 conversations, 0 B →, 0 B ←
21 packets read, 1 skipped: not tcp or udp, 3 flows of other protocols (-d reads a port as ours)
"
    );
    let told = dump("-v -q captures/other-traffic.pcap");
    assert_eq!((told.code, &*told.stdout), (Some(0), ""));
    assert_eq!(
        told.stderr,
        "\
ministream-dump: info: packets: 21
ministream-dump: info: packets skipped, not tcp or udp: 1
ministream-dump: info: flows of other protocols: 3
"
    );
}

#[test]
fn hostile_bytes_never_reach_the_terminal() {
    for name in ["hostile-payloads.pcap", "i2cp-hostile-nickname.pcap"] {
        for arguments in [
            "",
            "-V -x",
            "-T text",
            "-T spec",
            "-T ndjson",
            "--json",
            "-T csv",
            "-T fields -e payload,payload_text,session_name",
            "--payload full",
            "-z follow,c1",
            "-z follow,c1,hex",
            "-q -z conv -z findings",
        ] {
            let shown = dump(&format!("{arguments} captures/{name}")).ok();
            let is_hostile = |c: char| {
                (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!shown.contains(is_hostile), "{name} {arguments}: {shown:?}");
            let is_lone_return = |(index, byte): (usize, &u8)| {
                *byte == b'\r' && shown.as_bytes().get(index + 1) != Some(&b'\n')
            };
            assert!(
                !shown
                    .bytes()
                    .collect::<Vec<_>>()
                    .iter()
                    .enumerate()
                    .any(is_lone_return)
            );
        }
    }
}

/// Every output that is as wide as the terminal.
const WIDE: [&str; 3] = [
    "-z conv -z types -z timing -z findings -z io,1s",
    "-q -z ladder",
    "-V",
];

/// Captures of every kind of line: long findings, names, addresses, payloads.
fn captures_of_every_line() -> Vec<String> {
    let mut captures = Vec::new();
    for entry in fs::read_dir("captures").unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains(".pcap") {
            captures.push(path.to_str().unwrap().to_owned());
        }
    }
    captures.push("captures/real/c-http.pcapng".to_owned());
    captures.push("captures/real/b-server-first.pcap".to_owned());
    captures.sort();
    captures
}

fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[test]
fn no_terminal_has_to_break_a_line_within_a_word() {
    for capture in captures_of_every_line() {
        for output in WIDE {
            let arguments = output.split(' ').chain([&*capture]);
            let run = command(arguments).env("COLUMNS", "80").output().unwrap();
            let shown = String::from_utf8(run.stdout).unwrap();
            for line in shown.lines() {
                let is_a_word = !line.trim().contains(' ');
                assert!(
                    columns(line) <= 80 || is_a_word,
                    "{capture} {output}\n{line}"
                );
            }
        }
    }
}

#[test]
fn nothing_is_cut_on_a_wide_terminal_that_would_fit() {
    for width in [120, 200] {
        let mut widest = 0;
        for capture in captures_of_every_line() {
            let arguments = ["-z", "conv", &*capture];
            let mut run = command(arguments);
            let output = run.env("COLUMNS", width.to_string()).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            for line in shown.lines() {
                let ends_cut = |cell: &str| cell.trim_end().ends_with('…');
                if line.split(['│', '┆']).any(ends_cut) && line.starts_with('│') {
                    // A character of two columns may leave one empty.
                    let room = width - columns(line);
                    assert!(room <= 1, "{capture} at {width}\n{line}");
                }
                if line.starts_with('│') {
                    widest = widest.max(columns(line));
                }
            }
        }
        assert_eq!(widest, width, "some payload is longer than any terminal");
    }
}
