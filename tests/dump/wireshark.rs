//! `--generate wireshark-lua`: Wireshark shows what we show, and takes the same filters.

use ministream_fixtures::{needs, wireshark};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::generate::captures;
use crate::run::{dump, run};

/// What is said of a message that depends on those before it, and on the packet in
/// which one is certain that it is a message.
const ORDER: &[&str] = &[
    "n", "packet_n", "t_us", "conv", "session", "meaning", "findings",
];

/// What is said of the message itself.
const CONTENT: &[&str] = &[
    "carrier",
    "src",
    "dst",
    "dir",
    "type",
    "type_byte",
    "id",
    "id_owner",
    "payload_bytes",
    "server_id",
    "session_name",
    "payload_hex",
];

/// How the messages of a capture are compared.
#[derive(Clone, Copy, Debug)]
enum Comparison {
    /// All of each message, in order.
    Exact,
    /// The same, with Wireshark told to put segments into order.
    InOrder,
    /// All but this key.
    Without(&'static str),
    /// What the messages are, whatever their order and what follows from it.
    Content,
    /// Ours are among Wireshark's, which have this many more.
    More(usize),
    /// Wireshark's are among ours, and are so many.
    Only(usize),
}

/// Captures in which Wireshark must differ, and why.
fn comparison(capture: &str) -> Comparison {
    match capture.rsplit('/').next().unwrap() {
        // By default Wireshark reads segments as they come.
        "tcp-reordered.pcap" | "tcp-retransmitted.pcap" => Comparison::InOrder,
        // Packets without a time: Wireshark takes them for 1970.
        "format-pcapng-simple.pcapng" => Comparison::Without("t_us"),
        // Wireshark's texts end at a NUL.
        "i2cp-hostile-nickname.pcap" => Comparison::Without("session_name"),
        // Where bytes are missing or damaged, we wait until it is certain where a
        // message begins; the dissector believes the next segment that begins with one.
        "tcp-bad-prefix-huge.pcap"
        | "tcp-bad-prefix-zero.pcap"
        | "tcp-gap.pcap"
        | "tcp-mid-stream.pcap"
        | "i2cp-gap.pcap"
        | "i2cp-mid-length.pcap"
        | "i2cp-mid-message.pcap" => Comparison::Content,
        // For the same reason it does not see messages that begin inside of a segment.
        "tcp-gap-in-message.pcap" => Comparison::Only(8),
        "tcp-mid-length.pcap" | "tcp-mid-message.pcap" => Comparison::Only(2),
        // Every packet is there twice. We take one of each, Wireshark both.
        "any-duplicates.pcap"
        | "dup-interfaces.pcapng"
        | "dup-routed.pcap"
        | "dup-span-udp-ipv6.pcap"
        | "dup-span-udp.pcap" => Comparison::More(5),
        // What comes before the message that explains it is explained by us alone.
        "set-from-client.pcap" | "udp-ack-before-syn.pcap" | "udp-data-before-ack-of-it.pcap" => {
            Comparison::Content
        }
        // The dissector knows a SYN by its I2P destination, and takes no other key.
        "tcp-unanswered.pcap"
        | "udp-any-key.pcap"
        | "udp-unanswered.pcap"
        | "udp-unanswered-ports.pcap" => Comparison::Only(0),
        // Wireshark takes a reset or a SYN that receivers ignore for the end of a connection.
        "tcp-reset-ignored.pcap" | "tcp-syn-ignored.pcap" => Comparison::Only(3),
        // A message that was cut is none for a dissector over TCP.
        "tcp-rewritten-length.pcap" | "tcp-snaplen.pcap" => Comparison::Only(4),
        // Ethernet without a control word in MPLS takes a setting of Wireshark.
        "wrap-mpls-ethernet.pcap" => Comparison::Only(0),
        // Wireshark does not dissect datagrams without content.
        "udp-too-short.pcap" => Comparison::Only(7),
        _ => Comparison::Exact,
    }
}

/// Codes of findings on messages that take both views at a router.
const LEFT_OUT: &[&str] = &["i2cp.reordered", "i2cp.lost", "ms.leftover_stall"];

/// The dissector in a file of its own.
struct Dissector(TempDir);

impl Dissector {
    fn generate() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = dump("--generate wireshark-lua").ok();
        std::fs::write(directory.path().join("ministream.lua"), script).unwrap();
        Self(directory)
    }

    /// What `tshark` prints, reading twice as Wireshark does. No error of the dissector may
    /// be in it.
    fn tshark(&self, capture: &Path, arguments: &[&str]) -> String {
        let script = self.0.path().join("ministream.lua");
        let output = wireshark::tshark()
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["-2", "-n", "-X"])
            .arg(format!("lua_script:{}", script.display()))
            .arg("-r")
            .arg(capture)
            .args(arguments)
            .output()
            .expect("tshark is installed");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        for text in [&stdout, &stderr] {
            assert!(!text.contains("Lua"), "{}: {text}", capture.display());
        }
        stdout.into_owned()
    }

    /// The messages that Wireshark shows, with our keys.
    fn messages(&self, capture: &str, arguments: &[&str]) -> Vec<Map<String, Value>> {
        let arguments = [
            &["-T", "json", "-J", "ministream", "--no-duplicate-keys"],
            arguments,
        ]
        .concat();
        let packets = self.tshark(Path::new(capture), &arguments);
        let packets: Value = serde_json::from_str(&packets).unwrap();
        let layers = packets.as_array().unwrap().iter().flat_map(|packet| {
            match &packet["_source"]["layers"]["ministream"] {
                Value::Null => Vec::new(),
                Value::Array(messages) => messages.iter().collect(),
                message => vec![message],
            }
        });
        layers
            .filter(|layer| !layer["ministream.type"].is_null())
            .map(from_wireshark)
            .collect()
    }
}

fn from_wireshark(layer: &Value) -> Map<String, Value> {
    let value = |key: &str| layer[format!("ministream.{key}")].clone();
    let number = |key: &str| match value(key) {
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).unwrap().into(),
            None => text.parse::<i64>().unwrap().into(),
        },
        other => other,
    };
    ORDER
        .iter()
        .chain(CONTENT)
        .map(|key| {
            let value = match *key {
                "n" | "packet_n" | "t_us" | "session" | "type_byte" | "payload_bytes" => {
                    number(key)
                }
                "payload_hex" => json!(value("payload").as_str().unwrap_or("").replace(':', "")),
                "findings" => match value(key) {
                    Value::Null => json!([]),
                    Value::Array(codes) => Value::Array(codes),
                    code => json!([code]),
                },
                _ => value(key),
            };
            ((*key).to_owned(), value)
        })
        .collect()
}

/// The messages that we show, with the keys that Wireshark's have.
fn messages(capture: &str) -> Vec<Map<String, Value>> {
    let shown = run(["--lenient", "-T", "ndjson", capture]);
    shown
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap())
        .filter(|record| record["record"] == "message")
        .map(|mut record| {
            record.retain(|key, _| ORDER.contains(&&**key) || CONTENT.contains(&&**key));
            let findings = record["findings"].as_array_mut().unwrap();
            findings.retain(|code| !LEFT_OUT.contains(&code.as_str().unwrap()));
            record
        })
        .collect()
}

/// Messages without some keys, as lines; sorted, if their order is not to matter.
fn lines(messages: &[Map<String, Value>], ignored: &[&str], sorted: bool) -> Vec<String> {
    let mut lines: Vec<String> = messages
        .iter()
        .map(|message| {
            let mut message = message.clone();
            message.retain(|key, _| !ignored.contains(&&**key));
            Value::Object(message).to_string()
        })
        .collect();
    if sorted {
        lines.sort_unstable();
    }
    lines
}

/// Whether all of `some` are in `all`, each as often as it is in `some`.
fn are_among(some: &[String], all: &[String]) -> bool {
    let mut rest = all.to_vec();
    some.iter().all(|line| {
        let position = rest.iter().position(|other| other == line);
        position
            .map(|position| rest.swap_remove(position))
            .is_some()
    })
}

fn compare(dissector: &Dissector, capture: &str) {
    let comparison = comparison(capture);
    let arguments: &[&str] = match comparison {
        Comparison::InOrder => &["-o", "tcp.reassemble_out_of_order:TRUE"],
        _ => &[],
    };
    let (ours, theirs) = (messages(capture), dissector.messages(capture, arguments));
    let exactly = |ignored: &[&str], sorted| {
        let (ours, theirs) = (
            lines(&ours, ignored, sorted),
            lines(&theirs, ignored, sorted),
        );
        assert_eq!(ours, theirs, "{capture}");
    };
    match comparison {
        Comparison::Exact | Comparison::InOrder => exactly(&[], false),
        Comparison::Without(key) => exactly(&[key], false),
        Comparison::Content => exactly(ORDER, true),
        Comparison::More(more) => {
            let (ours, theirs) = (lines(&ours, ORDER, true), lines(&theirs, ORDER, true));
            assert!(are_among(&ours, &theirs), "{capture}: {ours:?} {theirs:?}");
            assert_eq!(theirs.len(), ours.len() + more, "{capture}");
        }
        Comparison::Only(count) => {
            let (ours, theirs) = (lines(&ours, ORDER, true), lines(&theirs, ORDER, true));
            assert!(are_among(&theirs, &ours), "{capture}: {ours:?} {theirs:?}");
            assert_eq!(theirs.len(), count, "{capture}");
            assert!(count < ours.len(), "{capture} need not be an exception");
        }
    }
}

#[test]
fn messages_of_every_shipped_capture_are_those_that_wireshark_shows() {
    needs!("tshark");
    let dissector = Dissector::generate();
    let captures = captures();
    std::thread::scope(|scope| {
        for half in captures.chunks(captures.len().div_ceil(2)) {
            let dissector = &dissector;
            scope.spawn(move || {
                for capture in half {
                    compare(dissector, capture);
                }
            });
        }
    });
}

/// Filters, and what they are tried on.
const FILTERS: &[(&str, &str)] = &[
    ("spec-samples.pcap", "ministream.type == \"syn\""),
    (
        "spec-samples.pcap",
        "ministream.type in {\"ack\", \"close\"}",
    ),
    (
        "spec-samples.pcap",
        "ministream.type != \"data\" && ministream.conv == \"c1\"",
    ),
    ("spec-samples.pcap", "ministream.type_byte == 0xa0"),
    (
        "spec-samples.pcap",
        "ministream.id == \"ffffff\" || ministream.id == \"0bad1d\"",
    ),
    ("spec-samples.pcap", "ministream.id_owner == \"server\""),
    (
        "spec-samples.pcap",
        "ministream.dir == \"s2c\" and not ministream.type == \"ack\"",
    ),
    ("spec-samples.pcap", "ministream.server_id"),
    ("spec-samples.pcap", "ministream.server_id == \"ffffff\""),
    ("spec-samples.pcap", "ministream.payload contains \"HTTP\""),
    (
        "spec-samples.pcap",
        "ministream.payload matches \"2[0-9]+ OK\"",
    ),
    (
        "spec-samples.pcap",
        "ministream.payload_bytes > 10 && ministream.payload_bytes <= 44",
    ),
    ("spec-samples.pcap", "ministream.findings"),
    (
        "spec-samples.pcap",
        "ministream.findings == \"ms.orphan_id\"",
    ),
    ("spec-samples.pcap", "ministream.level >= \"warn\""),
    ("spec-samples.pcap", "ministream.level == \"note\""),
    ("spec-samples.pcap", "ministream.meaning == \"refuses\""),
    (
        "spec-samples.pcap",
        "ministream.carrier == \"udp\" && (ministream.n == 3 || ministream.n > 12)",
    ),
    (
        "spec-samples.pcap",
        "ministream.src == \"127.0.0.1:9004\" && !(ministream.type == \"ack\")",
    ),
    (
        "spec-samples.pcap",
        "ministream.t_us >= 300000 && ministream.t_us < 900001",
    ),
    (
        "real/c-http.pcapng",
        "ministream.payload contains \"GET \" && ministream.session == 0",
    ),
    ("real/e-trim.pcap", "ministream.conv == \"c7\""),
    ("real/e-trim.pcap", "ministream.findings == \"ms.ping\""),
    ("i2cp-java.pcap", "ministream.session_name == \"called\""),
    (
        "i2cp-java.pcap",
        "ministream.packet_n > 20 and ministream.dir == \"c2s\"",
    ),
    (
        "link-ethernet-ipv6.pcap",
        "ministream.dst == \"[::1]:9004\"",
    ),
    (
        "spec-samples-tcp-u16be.pcap",
        "ministream.findings == \"ms.ack_empty\"",
    ),
];

#[test]
fn the_same_filter_selects_the_same_packets_in_both() {
    needs!("tshark");
    let dissector = Dissector::generate();
    for (capture, filter) in FILTERS {
        let capture = format!("captures/{capture}");
        let ours = run(["-T", "fields", "-e", "packet_n", "-Y", filter, &*capture]);
        assert_eq!((ours.code, &*ours.stderr), (Some(0), ""), "{filter}");
        let arguments = ["-Y", filter, "-T", "fields", "-e", "frame.number"];
        let theirs = dissector.tshark(Path::new(&capture), &arguments);
        let numbers = |text: &str| -> BTreeSet<u64> {
            text.lines().map(|line| line.parse().unwrap()).collect()
        };
        assert!(!ours.stdout.is_empty(), "{filter} selects nothing");
        assert_eq!(numbers(&ours.stdout), numbers(&theirs), "{filter}");
    }
}

/// A shipped capture with some bytes altered behind the headers of its first packet.
fn damaged(capture: &str, seed: u64, directory: &Path) -> PathBuf {
    let mut bytes = crate::run::capture(capture);
    // Numbers that look random: multiples of a large odd one (Knuth, volume 2, 3.3.4).
    let mut state = seed;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..1 + bytes.len() / 200 {
        let position = 80 + next(bytes.len() - 80);
        bytes[position] = u8::try_from(next(256)).unwrap();
    }
    let path = directory.join(format!("{seed}.pcap"));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn damaged_captures_make_no_error_in_the_dissector() {
    needs!("tshark");
    let dissector = Dissector::generate();
    let directory = tempfile::tempdir().unwrap();
    let captures = [
        "several-carriers.pcap",
        "spec-samples-i2cp.pcap",
        "spec-samples.pcap",
        "i2cp-unreadable-payload.pcap",
    ];
    let mut shown = 0;
    for seed in 1..=8 {
        for capture in captures {
            let path = damaged(capture, seed, directory.path());
            shown += dissector
                .tshark(&path, &["-V"])
                .matches("Ministreaming ")
                .count();
        }
    }
    assert!(
        shown > 100,
        "{shown} messages were read: too much was damaged"
    );
}

#[test]
fn decode_as_reads_what_content_does_not_tell() {
    needs!("tshark");
    let dissector = Dissector::generate();
    let capture = Path::new("captures/udp-orphan.pcap");
    let types = ["-T", "fields", "-e", "ministream.type"];
    let told = dissector.tshark(
        capture,
        &[&["-d", "udp.port==9004,ministream"], &types[..]].concat(),
    );
    assert_eq!(told, "syn\nack\ndata\ndata\nclose\n");
    let capture = Path::new("captures/spec-samples-segment.pcap");
    let told = dissector.tshark(
        capture,
        &[
            &[
                "-d",
                "tcp.port==9004,ministream_segment",
                "-Y",
                "ministream",
            ],
            &types[..],
        ]
        .concat(),
    );
    assert_eq!(told.lines().count(), 12, "{told}");
}
