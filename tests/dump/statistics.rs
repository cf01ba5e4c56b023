//! `-q` and `-z`.

use crate::run::{SAMPLES, command, dump};

#[test]
fn quiet_prints_only_what_was_asked_for() {
    assert_eq!(dump(&format!("-q {SAMPLES}")).ok(), "");
    let shown = dump(&format!("-q -z findings -z conv {SAMPLES}")).ok();
    let all = dump(SAMPLES).ok();
    let (_, tables) = all.split_once("Conversations (3)\n").unwrap();
    let (conversations, rest) = tables.split_once("Findings (3)\n").unwrap();
    let (findings, _) = rest.split_once("14 messages").unwrap();
    assert_eq!(
        shown,
        format!("Findings (3)\n{findings}Conversations (3)\n{conversations}")
    );
}

#[test]
fn a_statistic_takes_the_place_of_the_default_tables() {
    let shown = dump(&format!("-z types {SAMPLES}")).ok();
    let messages = dump(&format!("-T text {SAMPLES}")).ok();
    let alone = dump(&format!("-q -z types {SAMPLES}")).ok();
    let (before, behind) = shown.split_once(&alone).unwrap();
    // The table of messages and its heading come first, and the count of all last.
    assert_eq!(before.lines().count(), 2 + 3 + messages.lines().count() + 1);
    assert_eq!(
        behind,
        "14 messages, 3 conversations (2 opened, 1 refused), 27 B →, 55 B ←, 1 error, \
         1 warning, 1 note\n"
    );
}

#[test]
fn types_are_counted_by_byte() {
    assert_eq!(
        dump(&format!("-q -z types {SAMPLES}")).ok(),
        "\
Types (14 messages)
┌─────────┬──────┬───┬──────────┬────────┬───────────┬────────┬───────┐
│ Type    ┆ Byte ┆   ┆ Messages ┆  Share ┆ Payload B ┆ Mean B ┆ Max B │
╞═════════╪══════╪═══╪══════════╪════════╪═══════════╪════════╪═══════╡
│ DATA    ┆ 0xa0 ┆ → ┆        2 ┆ 14.3 % ┆        33 ┆     16 ┆    27 │
│ SYN     ┆ 0xa1 ┆ → ┆        3 ┆ 21.4 % ┆      1161 ┆    387 ┆   387 │
│ CLOSE   ┆ 0xa2 ┆ → ┆        1 ┆  7.1 % ┆         0 ┆      0 ┆     0 │
│ DATA    ┆ 0x50 ┆ ← ┆        2 ┆ 14.3 % ┆        55 ┆     27 ┆    44 │
│ ACK     ┆ 0x51 ┆ ← ┆        2 ┆ 14.3 % ┆         6 ┆      3 ┆     3 │
│ CLOSE   ┆ 0x52 ┆ ← ┆        2 ┆ 14.3 % ┆         0 ┆      0 ┆     0 │
│ PING    ┆ 0xff ┆   ┆        1 ┆  7.1 % ┆         0 ┆      0 ┆     0 │
│ unknown ┆ 0x53 ┆ ← ┆        1 ┆  7.1 % ┆         2 ┆      2 ┆     2 │
└─────────┴──────┴───┴──────────┴────────┴───────────┴────────┴───────┘
"
    );
}

#[test]
fn timing_shows_the_spans_of_conversations() {
    assert_eq!(
        dump(&format!("-q -z timing {SAMPLES}")).ok(),
        "\
Timing
┌──────────────────────────────┬───────┬────────┬────────┬────────┬────────┬────────┐
│ Span                         ┆ Count ┆    Min ┆    p50 ┆    p90 ┆    p99 ┆    Max │
╞══════════════════════════════╪═══════╪════════╪════════╪════════╪════════╪════════╡
│ handshake (SYN to ACK)       ┆     2 ┆ 3.0 ms ┆ 3.0 ms ┆ 4.0 ms ┆ 4.0 ms ┆ 4.0 ms │
│ first byte (SYN to DATA)     ┆     2 ┆ 5.0 ms ┆ 5.0 ms ┆ 104 ms ┆ 104 ms ┆ 104 ms │
│ life (first to last message) ┆     3 ┆ 1.0 ms ┆ 206 ms ┆ 600 ms ┆ 600 ms ┆ 600 ms │
└──────────────────────────────┴───────┴────────┴────────┴────────┴────────┴────────┘
"
    );
}

#[test]
fn io_counts_messages_in_intervals() {
    assert_eq!(
        dump(&format!("-q -z io,500ms {SAMPLES}")).ok(),
        "\
Messages in 0.5 s
┌────────┬──────┬────────┬──────┬────────┬─────┐
│ From s ┆ To s ┆ → msgs ┆  → B ┆ ← msgs ┆ ← B │
╞════════╪══════╪════════╪══════╪════════╪═════╡
│      0 ┆  0.5 ┆      4 ┆ 1188 ┆      6 ┆  61 │
│    0.5 ┆    1 ┆      1 ┆    0 ┆      0 ┆   0 │
│      1 ┆  1.5 ┆      2 ┆    6 ┆      1 ┆   2 │
└────────┴──────┴────────┴──────┴────────┴─────┘
"
    );
}

#[test]
fn a_conversation_is_followed_as_text_hex_and_raw() {
    assert_eq!(
        dump(&format!("-z follow,c1 {SAMPLES}")).ok(),
        "\
c1  client 127.0.0.1:40112  server 127.0.0.1:9004  udp
c1 → 0.005000  27 B
GET / HTTP/1.0
Host: x

c1 ← 0.105000  44 B
HTTP/1.0 200 OK
Content-Length: 6

hello
"
    );
    let hex = dump(&format!("-q -z follow,c3,hex {SAMPLES}")).ok();
    assert!(
        hex.ends_with(
            "c3 ← 0.404000  11 B\n\
             0000  32 32 30 20 72 65 61 64  79 0d 0a                 220 ready..\n"
        ),
        "{hex}"
    );
    let raw = dump(&format!("-q -z follow,c1,raw {SAMPLES}")).ok();
    assert_eq!(
        raw,
        "GET / HTTP/1.0\r\nHost: x\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
    );
    let one_way = command(["-q", "-z", "follow,c1,raw", "-Y", "dir==s2c", SAMPLES])
        .output()
        .unwrap();
    assert!(one_way.stdout.starts_with(b"HTTP/1.0 200 OK"));
}

#[test]
fn hex_offsets_count_each_direction_by_itself() {
    assert_eq!(
        dump("-z follow,c3,hex captures/spec-text.pcap").ok(),
        "\
c3  client 127.0.0.1:40112  server 127.0.0.1:9004  udp
c3 → 0.505000  27 B
0000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 30 0d 0a  GET / HTTP/1.0..
0010  48 6f 73 74 3a 20 78 0d  0a 0d 0a                 Host: x....
c3 ← 0.606000  38 B
0000  48 54 54 50 2f 31 2e 30  20 32 30 30 20 4f 4b 0d  HTTP/1.0 200 OK.
0010  0a 43 6f 6e 74 65 6e 74  2d 4c 65 6e 67 74 68 3a  .Content-Length:
0020  20 36 0d 0a 0d 0a                                  6....
c3 ← 0.707000  6 B
0026  68 65 6c 6c 6f 0a                                 hello.
"
    );
}

#[test]
fn both_views_of_a_conversation_name_each_other() {
    let shown = dump("-q -z conv captures/i2cp-java.pcap").ok();
    assert_eq!(
        shown,
        "\
Conversations (2)
┌──────┬──────┬────────┬────────┬───────────────┬───────────────┬──────────┬───────────┬──────────┬──────────┬───┐
│ Conv ┆ Peer ┆ Client ┆ Server ┆ Ids cli/srv   ┆ State         ┆ Duration ┆ Handshake ┆ → msgs/B ┆ ← msgs/B ┆ ! │
╞══════╪══════╪════════╪════════╪═══════════════╪═══════════════╪══════════╪═══════════╪══════════╪══════════╪═══╡
│ c1   ┆ c2   ┆ caller ┆ called ┆ 0a0b0c/0d0e0f ┆ server closed ┆   9.2 ms ┆    3.2 ms ┆      1/6 ┆      1/6 ┆   │
│ c2   ┆ c1   ┆ caller ┆ called ┆ 0a0b0c/0d0e0f ┆ server closed ┆   6.8 ms ┆    0.8 ms ┆      1/6 ┆      1/6 ┆   │
└──────┴──────┴────────┴────────┴───────────────┴───────────────┴──────────┴───────────┴──────────┴──────────┴───┘
Both sides of a router were seen: 5 messages are there twice, in conversations that name each other as peer; payload
  is counted once
"
    );
    let real = dump("-q -z conv captures/real/b-server-first.pcap").ok();
    let rows = real.lines().filter(|line| line.starts_with("│ c"));
    let peers: Vec<Vec<&str>> = rows
        .map(|row| {
            row.split(['│', '┆'])
                .skip(1)
                .take(2)
                .map(str::trim)
                .collect()
        })
        .collect();
    assert_eq!(
        peers,
        [
            ["c1", "c2"],
            ["c2", "c1"],
            ["c3", "c4"],
            ["c4", "c3"],
            ["c5", "c6"],
            ["c6", "c5"],
        ]
    );
}

#[test]
fn what_both_sides_of_a_router_show_is_counted_once_and_said() {
    const BOTH: &str = "captures/i2cp-java.pcap";
    const SAID: &str = "Both sides of a router were seen: 5 messages are there twice, in \
                        conversations that name each other as peer; payload is counted once";
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let table = dump(BOTH).ok();
    let (_, count) = table.split_once("Findings (0)\n").unwrap();
    let (count, said) = count.split_once('\n').unwrap();
    assert_eq!(
        count,
        "10 messages, 2 conversations (2 opened), 6 B →, 6 B ←"
    );
    assert_eq!(words(said), SAID);
    for (statistic, table) in [
        (
            "types",
            "\
Types (10 messages)
┌───────┬──────┬───┬──────────┬────────┬───────────┬────────┬───────┐
│ Type  ┆ Byte ┆   ┆ Messages ┆  Share ┆ Payload B ┆ Mean B ┆ Max B │
╞═══════╪══════╪═══╪══════════╪════════╪═══════════╪════════╪═══════╡
│ DATA  ┆ 0xa0 ┆ → ┆        2 ┆ 20.0 % ┆         6 ┆      6 ┆     6 │
│ SYN   ┆ 0xa1 ┆ → ┆        2 ┆ 20.0 % ┆       387 ┆    387 ┆   387 │
│ DATA  ┆ 0x50 ┆ ← ┆        2 ┆ 20.0 % ┆         6 ┆      6 ┆     6 │
│ ACK   ┆ 0x51 ┆ ← ┆        2 ┆ 20.0 % ┆         3 ┆      3 ┆     3 │
│ CLOSE ┆ 0x52 ┆ ← ┆        2 ┆ 20.0 % ┆         0 ┆      0 ┆     0 │
└───────┴──────┴───┴──────────┴────────┴───────────┴────────┴───────┘
",
        ),
        (
            "io,1s",
            "\
Messages in 1 s
┌────────┬──────┬────────┬─────┬────────┬─────┐
│ From s ┆ To s ┆ → msgs ┆ → B ┆ ← msgs ┆ ← B │
╞════════╪══════╪════════╪═════╪════════╪═════╡
│      0 ┆    1 ┆      4 ┆ 393 ┆      6 ┆   9 │
└────────┴──────┴────────┴─────┴────────┴─────┘
",
        ),
    ] {
        let shown = dump(&format!("-q -z {statistic} {BOTH}")).ok();
        let said = shown
            .strip_prefix(table)
            .unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(words(said), SAID);
    }
    let summary = |arguments: &str| -> serde_json::Value {
        let records = dump(&format!("-T ndjson {arguments} {BOTH}")).ok();
        serde_json::from_str(records.lines().last().unwrap()).unwrap()
    };
    let all = summary("");
    assert_eq!(all["c2s"]["payload_bytes"], 12);
    assert_eq!(all["c2s_once"]["payload_bytes"], 6);
    // One side by itself is all that there is.
    for conversation in ["c1", "c2"] {
        let one = summary(&format!("--conv {conversation}"));
        assert_eq!(one["c2s"]["payload_bytes"], 6, "{conversation}");
        assert_eq!(one["c2s_once"], one["c2s"], "{conversation}");
        let table = dump(&format!("--conv {conversation} {BOTH}")).ok();
        assert_eq!(
            table.lines().last(),
            Some("5 messages, 1 conversation (1 opened), 6 B →, 6 B ←")
        );
    }
}

#[test]
fn each_message_that_left_a_router_names_the_one_that_entered_it() {
    let records = dump("-T ndjson captures/i2cp-java.pcap").ok();
    let records: Vec<serde_json::Value> = records
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages = |record: &&serde_json::Value| record["record"] == "message";
    let messages: Vec<_> = records.iter().filter(messages).collect();
    let mut named = 0;
    for message in &messages {
        let sent = message["sent_n"].as_u64();
        assert_eq!(sent.is_some(), !message["router_us"].is_null(), "{message}");
        if let Some(sent) = sent {
            let sent = messages.iter().find(|one| one["n"] == sent).unwrap();
            for key in ["type", "dir", "id", "payload_hex"] {
                assert_eq!(sent[key], message[key], "{message}");
            }
            assert_ne!(sent["conv"], message["conv"]);
            named += 1;
        }
    }
    assert_eq!((messages.len(), named), (10, 5));
}
