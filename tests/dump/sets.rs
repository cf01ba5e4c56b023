//! Several captures are one: sets of rotated files, a file for each direction, copies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{capture, dump, run};

/// The messages of a run, a line each, with everything but the file they come from.
#[track_caller]
fn messages(arguments: &str) -> (String, String) {
    let format = "-T fields -e n,packet_n,t_us,src,type,id,conv,meaning,payload_hex,findings";
    let run = dump(&format!("{arguments} {format}"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    (run.stdout, run.stderr)
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
        assert_eq!(told.lines().count(), 5, "{names}: {told}");
        assert!(told.contains("\tc1\tcloses\t"), "{names}: {told}");
        assert_eq!(&told, expected.get_or_insert(told.clone()), "{names}");
    }
}

#[test]
fn concat_reads_files_as_they_are_named() {
    let (told, _) = messages(&format!(
        "--concat {}",
        in_captures("set-3.pcap set-1.pcap")
    ));
    let first = told.lines().next().unwrap();
    assert!(first.contains("\tclose\t"), "{told}");
    assert!(told.contains("ms.data_after_close"), "{told}");
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
    let refused = dump(&format!("{empty} {empty}")).refused(2);
    assert!(
        refused.contains("empty0.pcap is not a capture file: it is empty"),
        "{refused}"
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
    let refused = dump(&format!("{path}/no*.pcap")).refused(2);
    assert!(
        refused.contains("no*.pcap: no capture matches"),
        "{refused}"
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
    assert!(
        run.stderr.contains("cut.pcap ends inside packet 2"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("; 1 packets shown"), "{}", run.stderr);
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
    assert!(run.stdout.contains("cap.duplicates"), "{}", run.stdout);
    assert!(
        run.stdout.contains("\"duplicate_copy\":5"),
        "{}",
        run.stdout
    );
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
        assert!(told.contains("\"duplicate_copy\":5"), "{name}");
    }
    let told = dump("captures/dup-span-tcp.pcap -T ndjson").ok();
    assert_eq!(told.matches("\"record\":\"message\"").count(), 5);
    assert!(told.contains("\"duplicate_copy\":11"), "{told}");
}

#[test]
fn a_sender_that_repeats_itself_sends_several_messages() {
    let told = dump("captures/repeats.pcap -T fields -e type,payload_text").ok();
    let data: Vec<_> = told.lines().filter(|line| line.contains("ping?")).collect();
    assert_eq!(data.len(), 3, "{told}");
}

#[test]
fn packets_of_an_unknown_link_type_are_a_warning_with_its_number_and_name() {
    for quiet in ["", "-q"] {
        let run = dump(&format!("captures/link-user0.pcap {quiet}"));
        assert_eq!(run.code, Some(0));
        let warning = "ministream-dump: warning: captures/link-user0.pcap: 5 packets of link type \
                       147 (user 0) are not read\n";
        assert!(run.stderr.contains(warning), "{}", run.stderr);
    }
    let run = dump("captures/link-user0.pcap -T ndjson");
    assert!(
        run.stdout
            .contains(r#""link_type":"other","link_type_number":147"#),
        "{}",
        run.stdout
    );
}

#[test]
fn the_wrapping_is_told_in_details_fields_records_and_filters() {
    let details = dump("captures/wrap-geneve.pcap -V -c 1").ok();
    assert!(details.contains(", encapsulation geneve\n"), "{details}");
    let fields = dump("captures/wrap-mpls-ethernet.pcap -T fields -e encapsulation").ok();
    assert_eq!(fields, "mpls:ethernet\n".repeat(5));
    let records = dump("captures/wrap-pppoe.pcap -T ndjson").ok();
    assert_eq!(records.matches(r#""encapsulation":"pppoe""#).count(), 5);
    let names = "captures/wrap-several-links.pcapng -T fields -e n";
    let arguments = names.split_whitespace();
    let found = run(arguments.chain(["-Y", "encapsulation contains \"vxlan\""])).ok();
    assert!((1..5).contains(&found.lines().count()), "{found}");
    let plain = dump("captures/spec-samples.pcap -T ndjson").ok();
    assert_eq!(plain.matches(r#""encapsulation":null"#).count(), 14);
}
