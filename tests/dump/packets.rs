//! `-w`: the packets of a selection, for Wireshark and for ourselves.

use ministream_fixtures::file::Pcap;
use ministream_fixtures::ip::{self, fragment, pieces};
use ministream_fixtures::{
    End, Link, TcpFlow, Wire, message, needs, sample_destination, wireshark,
};
use std::fs;
use std::path::Path;

use crate::run::{Run, SAMPLES, command, dump, run};

fn write(output: &Path, arguments: &str) -> Run {
    let output = ["-w", output.to_str().unwrap()];
    run(arguments.split_whitespace().chain(output))
}

/// What Wireshark makes of a capture: a line for each packet.
fn tshark(capture: &Path, fields: &[&str]) -> Vec<String> {
    let output = wireshark::tshark()
        .args(["-n", "-T", "fields", "-r"])
        .arg(capture)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .expect("tshark is installed");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What messages say, without the numbers that depend on what else is in the capture.
fn messages(capture: &str, selection: &str) -> String {
    let fields = "ts,carrier,src,dst,dir,type,id,payload_bytes,payload_hex";
    let shown = dump(&format!(
        "--lenient -T fields -e {fields} {selection} {capture}"
    ));
    assert_eq!(shown.code, Some(0), "{capture}: {}", shown.stderr);
    shown.stdout
}

#[test]
fn wireshark_shows_findings_as_comments() {
    needs!("tshark");
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out.pcapng");
    let written = write(&output, SAMPLES);
    assert_eq!((written.code, &*written.stdout), (Some(0), ""));
    assert_eq!(
        written.stderr,
        format!("ministream-dump: wrote {}\n", output.display())
    );
    let shown = tshark(&output, &["frame.time_epoch", "frame.comment"]);
    assert_eq!(shown.len(), 14);
    let comments: Vec<(usize, &str)> = shown
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.split_once('\t')?.1)))
        .filter(|(_, comment)| !comment.is_empty())
        .collect();
    assert_eq!(
        comments,
        [
            (
                12,
                "warn ms.orphan_id: no conversation has server id 0bad1d"
            ),
            (13, "note ms.ping: single 0xff byte"),
            (
                14,
                "error ms.unknown_type: type 0x53 is not in the protocol, after close"
            ),
        ]
    );
}

#[test]
fn what_is_written_of_a_whole_capture_has_the_same_messages() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out.pcapng");
    for name in [
        "spec-samples.pcap.gz",
        "spec-samples-tcp-u16be.pcap",
        "spec-samples-segment.pcap",
        "i2cp-java.pcap",
        "several-carriers.pcap",
        "among-other-traffic.pcap",
        "any-duplicates.pcap",
        "ipv4-fragments-reversed.pcap",
        "ipv6-fragments.pcap",
        "link-sll2.pcap",
        "format-pcapng-sections.pcapng",
        "tcp-byte-by-byte.pcap",
        "tcp-gap-in-message.pcap",
        "tcp-reordered.pcap",
        "tcp-port-reuse.pcap",
        "time-backwards.pcap",
        "truncated.pcap",
        "udp-snaplen.pcap",
    ] {
        let capture = format!("captures/{name}");
        let written = write(&output, &format!("--lenient {capture}"));
        assert_eq!(written.code, Some(0), "{name}: {written:?}");
        let again = messages(output.to_str().unwrap(), "");
        assert_eq!(again, messages(&capture, ""), "{name}");
    }
}

#[test]
fn selecting_then_dissecting_is_dissecting_then_selecting() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out.pcapng");
    let rule = "-d udp.port==9004,ministream";
    for (name, selection) in [
        ("spec-samples.pcap", "--conv c1"),
        ("spec-samples.pcap", "--conv c2,c3"),
        ("spec-samples.pcap", "-Y type==data"),
        ("spec-samples.pcap", "-Y level>=warn"),
        ("spec-samples.pcap", "-Y type==close --whole-conv"),
        ("spec-samples.pcap", "-c 5"),
        ("udp-server-id-reuse.pcap", "--conv c2"),
        ("udp-close-crossing.pcap", "--conv c1"),
        ("ipv4-fragments.pcap", "-Y type==syn"),
        ("ipv6-fragments-reversed.pcap", "-Y type==syn"),
        ("several-carriers.pcap", "-Y carrier==udp"),
        ("several-carriers.pcap", "-Y carrier==i2cp"),
        ("several-carriers.pcap", "-Y carrier==tcp_u32be"),
    ] {
        let capture = format!("captures/{name}");
        let written = write(&output, &format!("{rule} {selection} {capture}"));
        assert_eq!(written.code, Some(0), "{name}: {written:?}");
        let selected = messages(&capture, &format!("{rule} {selection}"));
        assert!(!selected.is_empty(), "{name} {selection}");
        let again = messages(output.to_str().unwrap(), rule);
        assert_eq!(again, selected, "{name} {selection}");
    }
}

/// A capture of a connection whose segments come in fragments, the last one first. The first ends within
/// the header of TCP.
fn fragmented_connection() -> Vec<u8> {
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().unwrap());
    let mut flow = TcpFlow::new(ends[0], ends[1]);
    let mut whole = Wire::new(Link::ETHERNET);
    flow.open(&mut whole);
    let (client_id, server_id) = ([0, 0, 1], [0, 0, 2]);
    for (from, message) in [
        (End::Client, message::syn(client_id, &sample_destination())),
        (End::Server, message::ack(client_id, server_id)),
        (End::Client, message::client_data(server_id, &[b'x'; 300])),
        (End::Server, message::server_data(client_id, &[b'y'; 300])),
        (End::Client, message::client_close(server_id)),
    ] {
        let length = u32::try_from(message.len()).unwrap();
        let bytes = [&length.to_be_bytes()[..], &message].concat();
        flow.send_in_segments(&mut whole, from, &bytes, 150);
    }
    let mut fragmented = Wire::new(Link::ETHERNET);
    for (number, packet) in (1..).zip(&whole.packets) {
        let packet = &packet.data[14..];
        let from_client = packet[12..16] == [192, 0, 2, 1];
        let path = ip::Path {
            source: ends[usize::from(!from_client)],
            target: ends[usize::from(from_client)],
        };
        let segment = &packet[20..];
        for piece in pieces(segment.len(), 16).into_iter().rev() {
            fragmented.push(&fragment(path, ip::TCP, number, segment, piece));
        }
    }
    Pcap::USUAL.write(&fragmented)
}

#[test]
fn all_of_a_connection_is_written_whose_segments_come_in_fragments() {
    let directory = tempfile::tempdir().unwrap();
    let [capture, output] = ["in.pcap", "out.pcapng"].map(|name| directory.path().join(name));
    fs::write(&capture, fragmented_connection()).unwrap();
    let capture = capture.to_str().unwrap();
    for selection in ["", "-Y type==close"] {
        let written = write(&output, &format!("{selection} {capture}"));
        assert_eq!(written.code, Some(0), "{written:?}");
        let all = messages(capture, "");
        assert_eq!(all.lines().count(), 5, "{all}");
        assert_eq!(messages(output.to_str().unwrap(), ""), all, "{selection}");
    }
}

const TWO_ON_STANDARD_OUTPUT: &str = "-w - fills standard output, and another output was asked \
                                      for\n    help: write packets to a file, or omit -T, -z, \
                                      --ladder and --html -";

#[test]
fn standard_output_takes_packets_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.pcapng");
    write(&path, &format!("--conv c1 {SAMPLES}"));
    let output = command(["-w", "-", "--conv", "c1", SAMPLES])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(output.stdout == fs::read(&path).unwrap());
    assert_eq!(
        dump(&format!("-w - -z conv {SAMPLES}")).reason(),
        TWO_ON_STANDARD_OUTPUT
    );
}

#[test]
fn what_cannot_be_read_again_is_refused() {
    let refused = dump("-w out.pcapng -").refused(2);
    assert_eq!(
        refused,
        "ministream-dump: error: -w reads its input more than once, which only files allow\n    \
         help: write the capture to a file first\n"
    );
}

#[test]
fn a_capture_is_never_written_over_itself() {
    let shipped = format!("{}/{SAMPLES}", env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.pcap");
    fs::copy(&shipped, &path).unwrap();
    let detour = directory.path().join(".").join("own.pcap");
    let symbolic = directory.path().join("symbolic.pcap");
    std::os::unix::fs::symlink(&path, &symbolic).unwrap();
    let hard = directory.path().join("hard.pcap");
    fs::hard_link(&path, &hard).unwrap();
    for output in [&path, &detour, &symbolic, &hard] {
        for flag in ["-w", "--html"] {
            let names = [&path, output].map(|path| path.to_str().unwrap());
            let refused = run([names[0], flag, names[1]]).refused(2);
            assert_eq!(
                refused,
                format!(
                    "ministream-dump: error: {flag} names a file that is read\n    \
                     help: name another file; the one that is read would be lost\n"
                ),
                "{output:?}"
            );
        }
    }
    assert_eq!(fs::read(&path).unwrap(), fs::read(&shipped).unwrap());
}

#[test]
fn two_outputs_never_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let detour = directory.path().join(".").join("out");
    let names = [&path, &detour].map(|path| path.to_str().unwrap());
    assert_eq!(
        run(["-w", names[0], "--html", names[1], SAMPLES]).reason(),
        "-w and --html name the same file\n    \
         help: name two files; one would be written over the other"
    );
    assert!(!path.exists());
    // Which is where many outputs may go.
    let devices = dump(&format!("-w /dev/null --html /dev/null {SAMPLES}"));
    assert_eq!(devices.code, Some(0), "{devices:?}");
    assert_eq!(
        dump(&format!("-w - --html - {SAMPLES}")).reason(),
        TWO_ON_STANDARD_OUTPUT
    );
}

#[test]
fn a_file_that_cannot_be_made_is_told_before_anything_is_read() {
    let refused = dump("-w no/such/out captures/truncated.pcap").refused(2);
    assert_eq!(
        refused,
        "ministream-dump: error: cannot write no/such/out: no such file or directory\n    \
         help: name a file in a directory that you may write to\n"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_with_the_file_it_holds() {
    for flag in ["-w", "--html"] {
        let refused = dump(&format!("{flag} /dev/full {SAMPLES}")).refused(2);
        assert_eq!(
            refused,
            "ministream-dump: error: cannot write /dev/full: no space left on device\n    \
             help: its contents are incomplete; name a file on another disk, or make room\n"
        );
    }
}
