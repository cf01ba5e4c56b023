//! `-Y`, `--conv`, `--whole-conv`, `-c`, `-a`, `-d`.

use crate::run::{SAMPLES, capture, pipe, run};

/// The numbers of the messages shown.
fn numbers(arguments: &[&str]) -> Vec<u64> {
    let fixed = ["-T", "fields", "-e", "n", SAMPLES];
    let shown = run(fixed.iter().chain(arguments)).ok();
    shown.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn filters_choose_messages() {
    for (filter, expected) in [
        ("type==data && conv==c3", &[10][..]),
        ("payload contains \"HTTP\"", &[3, 4]),
        ("payload ~ /2\\d\\d OK/", &[4]),
        ("id==ffffff", &[3]),
        ("level>=warn", &[12, 14]),
        ("dir==c2s && !(type in {syn, data})", &[11, 13]),
        ("!conv", &[12, 13]),
        ("findings == ms.ping", &[13]),
        ("t_us > 200ms and t_us < 1s", &[7, 8, 9, 10, 11]),
        ("type == ack || server_id == ffffff", &[2, 9]),
    ] {
        assert_eq!(numbers(&["-Y", filter]), expected, "{filter}");
    }
}

#[test]
fn filters_take_names_and_words_as_tables_show_them() {
    for (filter, expected) in [
        ("Type == DATA && Conv == c3", &[10][..]),
        ("Len > 30 && type == data", &[4]),
        ("Time < 5ms", &[1, 2]),
        ("payload ~ /(?i)http.*ok/", &[4]),
        ("payload_bytes >= 1KiB", &[]),
    ] {
        assert_eq!(numbers(&["-Y", filter]), expected, "{filter}");
    }
}

#[test]
fn filters_choose_whole_conversations_by_what_they_came_to() {
    let (first, second, third) = ([1, 2, 3, 4, 7], [5, 6], [8, 9, 10, 11, 14]);
    let none = [12, 13];
    let all_but = |left_out: &[u64]| (1..=14).filter(|n| !left_out.contains(n)).collect();
    for (filter, expected) in [
        ("state == refused", second.to_vec()),
        ("State == \"server closed\"", first.to_vec()),
        (
            "conv.state in {server_closed, client_closed}",
            [first, third].concat(),
        ),
        ("state != refused", all_but(&second)),
        ("!(state == refused)", all_but(&second)),
        ("conv.state", [&first[..], &second, &third].concat()),
        ("!conv.state", none.to_vec()),
        ("duration > 200ms", [first, third].concat()),
        ("duration >= 600ms && type == syn", vec![8]),
        ("handshake >= 3ms && handshake < 4ms", third.to_vec()),
        ("!handshake && conv", second.to_vec()),
        ("conv.bytes > 70B", first.to_vec()),
        (
            "conv.c2s.payload_bytes == 27 || conv.s2c.payload_bytes == 11",
            [first, third].concat(),
        ),
        ("conv.messages == 2", first.to_vec()),
        ("conv.finding_count > 0", third.to_vec()),
    ] {
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(numbers(&["-Y", filter]), expected, "{filter}");
    }
}

const ONLY_C2: &str = "\
Conversations (1)
┌──────┬───────────────┬───────────────┬───────┬──────────┬───────────┬──────────┬──────────┬───┐
│ Conv ┆ Ids cli/srv   ┆ State         ┆ Start ┆ Duration ┆ Handshake ┆ → msgs/B ┆ ← msgs/B ┆ ! │
╞══════╪═══════════════╪═══════════════╪═══════╪══════════╪═══════════╪══════════╪══════════╪═══╡
│ c2   ┆ 123456/-      ┆ refused       ┆ 0.150 ┆   1.0 ms ┆         - ┆      0/0 ┆      0/0 ┆   │
└──────┴───────────────┴───────────────┴───────┴──────────┴───────────┴──────────┴──────────┴───┘
";

#[test]
fn a_filter_on_conversations_selects_for_every_output() {
    let shown = run(["-q", "-z", "conv", "-Y", "state == refused", SAMPLES]).ok();
    assert_eq!(shown, ONLY_C2);
    let records = run(["-T", "ndjson", "-Y", "state == refused", SAMPLES]).ok();
    let named: Vec<&str> = records
        .lines()
        .filter_map(|line| line.split_once(r#""conv":""#))
        .map(|(_, rest)| &rest[..2])
        .collect();
    assert_eq!(named, ["c2"; 3], "{records}");
    let piped = pipe("-Y state==open -", &capture("spec-samples.pcap"));
    assert_eq!(
        piped.reason(),
        "a filter on whole conversations reads its input twice, which only files allow\n    \
         help: write the capture to a file first"
    );
    assert_eq!(
        run(["-Y", "state == open", "no-such.pcap"]).reason(),
        "cannot open no-such.pcap: no such file or directory\n    \
         help: check the path; - reads standard input"
    );
}

#[test]
fn a_capture_filter_after_the_wrong_flag_is_recognised() {
    assert_eq!(
        run(["-Y", "udp port 9004", SAMPLES]).refused(2),
        "ministream-dump: error: bad filter: unknown field `udp`\n    udp port 9004\n    ^~~ \
         is it a capture filter, for -f?   (fields: ministream-dump --list-fields)\n"
    );
}

#[test]
fn conversations_are_picked_by_name() {
    assert_eq!(numbers(&["--conv", "c2"]), [5, 6]);
    assert_eq!(numbers(&["--conv", "c2,c3", "-Y", "type==syn"]), [5, 8]);
}

#[test]
fn a_match_can_stand_for_its_whole_conversation() {
    assert_eq!(
        numbers(&["--whole-conv", "-Y", "payload contains \"220\""]),
        [8, 9, 10, 11, 14]
    );
    assert_eq!(
        numbers(&["--whole-conv", "-Y", "n == 2 || n == 6", "--conv", "c2"]),
        [5, 6]
    );
    let piped = pipe("--whole-conv -Y conv -", &capture("spec-samples.pcap"));
    assert_eq!(
        piped.reason(),
        "--whole-conv reads its input twice, which only files allow\n    \
         help: write the capture to a file first"
    );
}

#[test]
fn tables_and_counts_are_those_of_the_selection() {
    let shown = run([SAMPLES, "-Y", "conv==c2"]).ok();
    let count = "2 messages, 1 conversation (1 refused), 0 B →, 0 B ←";
    let expected = format!("{ONLY_C2}Findings (0)\n{count}\n");
    assert!(shown.ends_with(&expected), "{shown}");
    let shown = run([SAMPLES, "-Y", "level==error"]).ok();
    let (_, findings) = shown.split_once("Findings (1)\n").unwrap();
    assert_eq!(
        findings,
        "\
┌───────┬─────────────────┬───────┬───────┬──────────────────────────────────┐
│ Level ┆ Code            ┆ Count ┆ First ┆ Meaning                          │
╞═══════╪═════════════════╪═══════╪═══════╪══════════════════════════════════╡
│ error ┆ ms.unknown_type ┆     1 ┆ #14   ┆ type 0x53 is not in the protocol │
└───────┴─────────────────┴───────┴───────┴──────────────────────────────────┘
1 message, 1 conversation (1 opened), 0 B →, 0 B ←, 1 error
"
    );
}

#[test]
fn counting_stops_after_messages_shown_not_read() {
    assert_eq!(numbers(&["-c", "3"]), [1, 2, 3]);
    assert_eq!(numbers(&["-c", "2", "-Y", "type==data"]), [3, 4]);
    assert_eq!(numbers(&["-a", "messages:1", "-c", "5"]), [1]);
    assert_eq!(numbers(&["-c", "100"]).len(), 14);
    let shown = run([SAMPLES, "-c", "1"]).ok();
    let lines: Vec<&str> = shown.lines().collect();
    // What comes behind the last message shown is not told of its conversation either.
    assert_eq!(
        lines[7..],
        [
            "Conversations (1)",
            "┌──────┬───────────────┬───────────────┬───────┬──────────┬───────────┬──────────┬──────────┬───┐",
            "│ Conv ┆ Ids cli/srv   ┆ State         ┆ Start ┆ Duration ┆ Handshake ┆ → msgs/B ┆ ← msgs/B ┆ ! │",
            "╞══════╪═══════════════╪═══════════════╪═══════╪══════════╪═══════════╪══════════╪══════════╪═══╡",
            "│ c1   ┆ 111111/-      ┆ syn sent      ┆ 0.000 ┆     0 µs ┆         - ┆      0/0 ┆      0/0 ┆   │",
            "└──────┴───────────────┴───────────────┴───────┴──────────┴───────────┴──────────┴──────────┴───┘",
            "Findings (0)",
            "1 message, 1 conversation (1 waiting for an answer), 0 B →, 0 B ←",
        ]
    );
}

#[test]
fn reading_stops_after_time_or_bytes() {
    assert_eq!(numbers(&["-a", "duration:150ms"]), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&["-a", "bytes:1"]), [1]);
    assert_eq!(numbers(&["-a", "bytes:1MiB"]).len(), 14);
    assert_eq!(numbers(&["-a", "bytes:1", "-a", "duration:1s"]), [1]);
}

#[test]
fn a_carrier_can_be_given() {
    let rule = run(["-d", "udp.port==9004,ministream", SAMPLES]).ok();
    assert_eq!(
        rule.lines().nth(1),
        Some("udp 127.0.0.1:40112 → 127.0.0.1:9004, ministream by rule (13 of 14 payloads parse)")
    );
    assert_eq!(
        run(["-d", "udp.port==9004,i2cp", SAMPLES]).reason(),
        "invalid value 'udp.port==9004,i2cp' for '-d <RULE>': udp carries no \"i2cp\"; use \
         ministream"
    );
}

#[test]
fn json_keeps_the_numbers_that_messages_have_in_the_capture() {
    let shown = run(["-T", "ndjson", SAMPLES, "-Y", "type == ping"]).ok();
    let records: Vec<serde_json::Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [header, message, finding, summary] = &records[..] else {
        panic!("{shown}");
    };
    assert_eq!(header["record"], "header");
    assert_eq!(
        (&message["record"], &message["n"]),
        (&"message".into(), &13.into())
    );
    assert_eq!(
        (&finding["record"], &finding["n"]),
        (&"finding".into(), &13.into())
    );
    assert_eq!(summary["message_count"], 1);
    assert_eq!(summary["conversation_count"], 0);
}
