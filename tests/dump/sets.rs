//! Several captures are one: sets of rotated files, a file for each direction, copies.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{capture, dump, run};

/// The messages of a run, a line each, with everything but the file they come from.
#[track_caller]
fn messages(arguments: &str) -> (String, String) {
    let format = "-T fields -e n,packet_n,t_us,src,type,id,conv,meaning,payload_hex,findings";
    let run = dump(&format!("{arguments} {format}"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    (run.stdout, run.stderr)
}

/// How many packets the summary of records counts as second copies.
fn duplicate_copies(records: &str) -> u64 {
    let summary: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert_eq!(summary["record"], "summary");
    summary["skipped"]["duplicate_copy"].as_u64().unwrap()
}

fn in_captures(names: &str) -> String {
    let paths: Vec<String> = names
        .split_whitespace()
        .map(|name| format!("captures/{name}"))
        .collect();
    paths.join(" ")
}

fn put(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn parts_of_one_capture_give_what_the_whole_gives_in_whatever_order_they_are_named() {
    let (whole, _) = messages("captures/link-ethernet-padding.pcap");
    assert_eq!(whole.lines().count(), 5);
    let mut expected = None;
    for names in [
        "set-1.pcap set-2.pcap set-3.pcap",
        "set-1.pcap set-3.pcap set-2.pcap",
        "set-2.pcap set-1.pcap set-3.pcap",
        "set-2.pcap set-3.pcap set-1.pcap",
        "set-3.pcap set-1.pcap set-2.pcap",
        "set-3.pcap set-2.pcap set-1.pcap",
        "set-from-client.pcap set-from-server.pcap",
        "set-from-server.pcap set-from-client.pcap",
    ] {
        let (told, warnings) = messages(&in_captures(names));
        assert_eq!(warnings, "", "{names}");
        let last = told.lines().nth(4).unwrap();
        assert!(last.contains("\tc1\tcloses\t"), "{names}: {told}");
        assert_eq!(told.lines().count(), 5, "{names}: {told}");
        assert_eq!(&told, expected.get_or_insert(told.clone()), "{names}");
    }
}

#[test]
fn concat_reads_files_as_they_are_named() {
    let (told, _) = messages(&format!(
        "--concat {}",
        in_captures("set-3.pcap set-1.pcap")
    ));
    let whole: Vec<(&str, &str)> = told
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            (cells[4], cells[9])
        })
        .collect();
    assert_eq!(
        whole,
        [("close", ""), ("syn", ""), ("ack", "ms.data_after_close")]
    );
}

#[test]
fn empty_files_of_a_set_are_a_warning_and_an_empty_file_alone_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let empty = put(directory.path(), "empty0.pcap", b"");
    let header = put(
        directory.path(),
        "header.pcap",
        &capture("set-1.pcap")[..24],
    );
    let (empty, header) = (empty.display(), header.display());
    let set = in_captures("set-3.pcap set-1.pcap set-2.pcap");
    let (expected, _) = messages(&set);
    for order in ["", "--concat"] {
        let set = in_captures("set-1.pcap set-2.pcap set-3.pcap");
        let (told, warnings) = messages(&format!("{order} {empty} {header} {set}"));
        assert_eq!(told, expected);
        assert_eq!(
            warnings,
            format!(
                "ministream-dump: warning: {empty} is empty; the other captures are read\n\
                 ministream-dump: warning: {header} has no packets; the other captures are read\n"
            )
        );
    }
    assert_eq!(
        dump(&format!("{empty} {empty}")).reason(),
        format!(
            "{empty} is not a capture file: it is empty\n    \
             help: pcap and pcapng files are read, also compressed with gzip or zstd"
        )
    );
}

#[test]
fn names_of_files_that_are_found_do_not_drive_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    put(
        directory.path(),
        "\u{1b}]0;mine\u{7}\u{9b}2J\r.txt",
        b"not a capture",
    );
    let reason = dump(&path.to_string()).refused(2);
    assert!(
        !reason.contains(|c: char| c.is_control() && c != '\n'),
        "{reason:?}"
    );
    put(directory.path(), "set-1.pcap", &capture("set-1.pcap"));
    let (_, left_out) = messages(&path.to_string());
    let name = r"\x1b]0;mine\x07\u{9b}2J\r.txt";
    assert_eq!(
        left_out,
        format!("ministream-dump: warning: {path}/{name} is skipped: it is not a capture\n")
    );
}

#[test]
fn a_directory_and_a_pattern_stand_for_the_captures_in_them() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["set-1.pcap", "set-2.pcap", "set-3.pcap"] {
        put(directory.path(), name, &capture(name));
    }
    put(directory.path(), "notes.txt", b"not a capture");
    fs::create_dir(directory.path().join("older")).unwrap();
    let path = directory.path().display();
    let (expected, _) = messages(&in_captures("set-1.pcap set-2.pcap set-3.pcap"));
    let left_out =
        format!("ministream-dump: warning: {path}/notes.txt is skipped: it is not a capture\n");
    assert_eq!(messages(&path.to_string()), (expected.clone(), left_out));
    assert_eq!(
        messages(&format!("{path}/set-?.pc*")),
        (expected, String::new())
    );
    let older = format!("{path}/older");
    assert_eq!(
        dump(&older).refused(2),
        format!(
            "ministream-dump: error: cannot open {older}: no capture in this directory\n    \
             help: check the path; - reads standard input\n"
        )
    );
    assert_eq!(
        dump(&format!("{path}/no*.pcap")).reason(),
        format!(
            "cannot open {path}/no*.pcap: no capture matches\n    \
             help: check the path; - reads standard input"
        )
    );
}

#[test]
fn a_damaged_part_leaves_the_others_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = capture("set-2.pcap");
    let cut = put(directory.path(), "cut.pcap", &bytes[..bytes.len() - 3]);
    let cut = cut.display();
    let set = in_captures("set-3.pcap set-1.pcap");
    let run = dump(&format!("{cut} {set} -T fields -e type"));
    assert_eq!(run.code, Some(3));
    assert_eq!(run.stdout, "syn\nack\ndata\nclose\n");
    assert_eq!(
        run.stderr,
        format!(
            "ministream-dump: warning: {cut} ends inside packet 2 (offset 92, 65 of 68 bytes); \
             1 packet shown\n"
        )
    );
}

#[test]
fn a_capture_that_is_named_twice_is_read_once() {
    let (expected, _) = messages("captures/set-from-client.pcap captures/set-from-server.pcap");
    let set = in_captures("set-1.pcap set-2.pcap set-3.pcap set-2.pcap set-1.pcap set-3.pcap");
    let run = dump(&format!("{set} -T ndjson"));
    assert_eq!(
        run.stdout.matches("\"record\":\"message\"").count(),
        expected.lines().count()
    );
    let finding = "5 packets were captured twice and are read once: \
                   2 on captures/set-1.pcap and captures/set-1.pcap; \
                   2 on captures/set-2.pcap and captures/set-2.pcap; \
                   1 on captures/set-3.pcap and captures/set-3.pcap\"";
    assert_eq!(run.stdout.matches(finding).count(), 1, "{}", run.stdout);
    assert_eq!(duplicate_copies(&run.stdout), 5);
}

#[test]
fn copies_are_one_message_and_one_note_says_between_which_interfaces() {
    for (name, between) in [
        ("dup-span-udp.pcap", "on interface 0"),
        ("dup-span-udp-ipv6.pcap", "on interface 0"),
        ("dup-routed.pcap", "on interface 0"),
        ("dup-interfaces.pcapng", "on lo and lo"),
    ] {
        let told = dump(&format!("captures/{name} -T ndjson")).ok();
        assert_eq!(told.matches("\"record\":\"message\"").count(), 5, "{name}");
        let note = format!("5 packets were captured twice and are read once: {between}\"");
        assert_eq!(told.matches(&note).count(), 1, "{name}: {told}");
        assert_eq!(duplicate_copies(&told), 5, "{name}");
    }
    let told = dump("captures/dup-span-tcp.pcap -T ndjson").ok();
    assert_eq!(told.matches("\"record\":\"message\"").count(), 5);
    assert_eq!(duplicate_copies(&told), 11);
}

#[test]
fn a_sender_that_repeats_itself_sends_several_messages() {
    let arguments = [
        "captures/repeats.pcap",
        "-T",
        "fields",
        "-e",
        "payload_text",
    ];
    let told = run(arguments.into_iter().chain(["-Y", "type == data"])).ok();
    assert_eq!(told, "ping?\\n\nping?\\n\npong!\\n\nping?\\n\n");
}

#[test]
fn packets_of_an_unknown_link_type_are_a_warning_with_its_number_and_name() {
    for quiet in ["", "-q"] {
        let run = dump(&format!("captures/link-user0.pcap {quiet}"));
        assert_eq!(run.code, Some(0));
        assert_eq!(
            run.stderr,
            "ministream-dump: warning: no ministreaming found; 5 packets skipped: link type\n\
             ministream-dump: warning: captures/link-user0.pcap: 5 packets of link type \
             147 (user 0) are not read\n"
        );
    }
    let run = dump("captures/link-user0.pcap -T ndjson");
    let header: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    let input = &header["inputs"][0];
    assert_eq!(input["link_type"], "other");
    assert_eq!(input["link_type_number"], 147);
}

#[test]
fn the_wrapping_is_told_in_details_fields_records_and_filters() {
    let details = dump("captures/wrap-geneve.pcap -V -c 1").ok();
    assert_eq!(
        details.lines().nth(2),
        Some("  udp, 127.0.0.1:40112 → 127.0.0.1:9004, encapsulation geneve")
    );
    let fields = dump("captures/wrap-mpls-ethernet.pcap -T fields -e encapsulation").ok();
    assert_eq!(fields, "mpls:ethernet\n".repeat(5));
    let records = dump("captures/wrap-pppoe.pcap -T ndjson").ok();
    assert_eq!(records.matches(r#""encapsulation":"pppoe""#).count(), 5);
    let names = "captures/wrap-several-links.pcapng -T fields -e n";
    let arguments = names.split_whitespace();
    let found = run(arguments.chain(["-Y", "encapsulation contains \"vxlan\""])).ok();
    assert_eq!(found, "4\n");
    let plain = dump("captures/spec-samples.pcap -T ndjson").ok();
    assert_eq!(plain.matches(r#""encapsulation":null"#).count(), 14);
}
