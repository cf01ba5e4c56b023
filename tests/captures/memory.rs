//! Memory does not grow with the capture.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, TcpFlow, UdpFlow, Wire, i2cp, message};

/// Enough to fill every table that has a bound.
const FIRST_CONVERSATIONS: u32 = 10_000;
/// Three times as many again.
const MORE_CONVERSATIONS: u32 = 30_000;
/// Where columns are encoded, which takes a program without optimisation a while.
#[cfg(feature = "parquet")]
const MORE_OF_A_DATA_SET: u32 = 10_000;
/// What a table that doubles at a bad moment, and the allocator, may add.
const SLACK_KIB: u64 = 8 * 1024;
/// Bound of the whole process, in KiB.
const BOUND_KIB: u64 = 96 * 1024;
/// The same where a data set is written: a row group of conversations, of up to 32 MiB, fills
/// up more slowly than those of messages, of which many are written here.
#[cfg(feature = "parquet")]
const DATA_SET_SLACK_KIB: u64 = 40 * 1024;
#[cfg(feature = "parquet")]
const DATA_SET_BOUND_KIB: u64 = 128 * 1024;

#[test]
fn memory_does_not_grow_with_the_number_of_conversations() {
    for carrier in [BulkCarrier::Udp, BulkCarrier::Tcp(Prefix::U32)] {
        // A report holds some of all conversations, however many there are.
        let child = dissecting_child(&["--payload", "none", "--html", "/dev/null"]);
        let last = peak_that_does_not_grow(child, carrier, MORE_CONVERSATIONS, SLACK_KIB);
        assert!(last <= BOUND_KIB, "{carrier:?}: {last} KiB");
    }
}

/// Of each of which nothing but one message was captured, so that none of them ends.
#[test]
fn conversations_without_beginning_and_end_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 150_000;
    const ALLOWED: &str = "48MiB";
    // Half of it for conversations; the program itself, and what is on its way through it.
    const BOUND_KIB: u64 = 40 * 1024;
    let arguments = ["--memory", ALLOWED, "-d", "udp.port==9005,ministream"];
    let mut child = dissecting_child(&arguments);
    let mut input = child.stdin.take().unwrap();
    let summary = last_line_of(child.stdout.take().unwrap());
    let mut wire = Wire::new(Link::ETHERNET);
    let header = Pcap::USUAL.header(u32::from(wire.link.number()));
    input.write_all(&header).unwrap();
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().unwrap());
    let flow = UdpFlow::new(ends[0], ends[1]);
    for number in 1..=COUNT {
        let [_, id @ ..] = number.to_be_bytes();
        flow.send(&mut wire, End::Client, &message::client_data(id, b"x"));
        let records = wire.packets.drain(..).map(|one| Pcap::USUAL.record(&one));
        let records = records.collect::<Vec<_>>().concat();
        input.write_all(&records).unwrap();
    }
    drop(input);
    // At the end all are told that are there.
    let peak = peak_to_the_end_kib(&mut child);
    // What was forgotten is told by a finding.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let summary = parsed(&summary.join().unwrap());
    assert_eq!(summary["by_state"]["mid_stream"], COUNT, "{summary}");
    let evicted = &summary["evicted"];
    assert!(
        evicted["flow_count"].as_u64() > Some(0)
            || evicted["conversation_count"].as_u64() > Some(0),
        "{summary}"
    );
    assert!(peak <= BOUND_KIB, "{peak} KiB");
}

fn parsed(summary: &str) -> serde_json::Value {
    serde_json::from_str(summary).unwrap_or_else(|error| panic!("{error}: {summary}"))
}

/// A capture of this many conversations, of each of which one message was captured.
fn capture_of_beginnings(count: u32) -> tempfile::NamedTempFile {
    let mut wire = Wire::new(Link::RawIp);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().unwrap());
    let flow = UdpFlow::new(ends[0], ends[1]);
    for number in 1..=count {
        let [_, id @ ..] = number.to_be_bytes();
        flow.send(&mut wire, End::Client, &message::client_data(id, b"x"));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, Pcap::USUAL.write(&wire)).unwrap();
    file
}

/// `ministream-dump` on a file, in so many KiB of addresses.
fn within_addresses(kib: u32, file: &Path, more: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("ulimit -v {kib}; exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(["-d", "udp.port==9005,ministream", "-T", "ndjson"])
        .arg(file)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn little_address_space_is_enough_and_one_that_is_not_keeps_what_was_written() {
    const ABORTED: i32 = 6;
    const COUNT: u32 = 60_000;
    let file = capture_of_beginnings(COUNT);
    for kib in [180_000, 120_000] {
        let output = within_addresses(kib, file.path(), &[]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kib} KiB: {told}");
        let last = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n');
        let summary = String::from_utf8_lossy(last.take(1).next().unwrap());
        let count = &parsed(&summary)["conversation_count"];
        assert_eq!(*count, COUNT, "{kib} KiB: {summary}");
    }
    // It is asked to keep more than there is room for.
    let asked = ["--memory", "1GiB"];
    let whole = within_addresses(2_000_000, file.path(), &asked);
    let cut = (15_000..=60_000)
        .rev()
        .step_by(5_000)
        .map(|kib| within_addresses(kib, file.path(), &asked))
        .find(|output| !output.status.success())
        .unwrap();
    let told = String::from_utf8_lossy(&cut.stderr);
    assert_eq!(cut.status.signal(), Some(ABORTED), "{told}");
    assert!(told.starts_with("memory allocation of "), "{told}");
    assert!(!cut.stdout.is_empty() && whole.stdout.starts_with(&cut.stdout));
}

/// What the program takes beside what it is allowed to keep (SECURITY.md).
const FIXED_KIB: u64 = 20 * 1024;

/// Feeds it with this many connections, each of which says these bytes in segments behind
/// `begin` of them; how much memory that took in KiB, and the summary.
fn peak_of_connections(
    count: u32,
    arguments: &[&str],
    begin: impl Fn(&mut TcpFlow, &mut Wire),
    bytes: &[u8],
) -> (u64, String) {
    let mut child = dissecting_child(arguments);
    let mut input = child.stdin.take().unwrap();
    let summary = last_line_of(child.stdout.take().unwrap());
    let mut wire = Wire::new(Link::RawIp);
    let header = Pcap::USUAL.header(u32::from(wire.link.number()));
    input.write_all(&header).unwrap();
    let mut flows: Vec<TcpFlow> = (0..count)
        .map(|number| {
            let [_, host, port @ ..] = number.to_be_bytes();
            let client = ([198, 51, 100, host], u16::from_be_bytes(port));
            let mut flow = TcpFlow::new(client.into(), ([192, 0, 2, 2], 9004).into());
            begin(&mut flow, &mut wire);
            flow
        })
        .collect();
    // By turns, so that all are in use all the time.
    for segment in bytes.chunks(4_000) {
        for flow in &mut flows {
            flow.send(&mut wire, End::Client, segment);
            let records = wire.packets.drain(..).map(|one| Pcap::USUAL.record(&one));
            input
                .write_all(&records.collect::<Vec<_>>().concat())
                .unwrap();
        }
    }
    drop(input);
    let peak = peak_to_the_end_kib(&mut child);
    child.wait().unwrap();
    (peak, summary.join().unwrap())
}

/// Checks what many connections take, with little memory allowed and with what is usual: this
/// many times the KiB that come, however much a machine has.
fn assert_bounded(sent_kib: u64, times: u64, peak_of: impl Fn(&[&str]) -> (u64, String)) {
    let (peak, summary) = peak_of(&["--memory", "8MiB"]);
    assert!(peak <= 8 * 1024 + FIXED_KIB, "{peak} KiB");
    // There was no room for all of them.
    let evicted = &parsed(&summary)["evicted"]["flow_count"];
    assert!(evicted.as_u64() > Some(0), "{summary}");
    let (peak, _) = peak_of(&[]);
    assert!(
        peak <= times * sent_kib + FIXED_KIB,
        "{peak} KiB of {sent_kib}"
    );
}

#[test]
fn connections_that_have_lost_their_place_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 3_000;
    // Everywhere a 2-byte length of 20,560 before a plausible type: no place is found in less.
    let hostile = [0x50; 8_000];
    let rule = ["-d", "tcp.port==9004,ministream:u16be"];
    let peak_of = |more: &[&str]| {
        let begin = |flow: &mut TcpFlow, wire: &mut Wire| {
            flow.open(wire);
            let syn = message::syn([1, 2, 3], &[7; 387]);
            flow.send(wire, End::Client, &Prefix::U16.before(&syn));
            flow.send_unseen(End::Client, &[0; 100]);
        };
        peak_of_connections(COUNT, &[&rule, more].concat(), begin, &hostile)
    };
    // A copy of what came, with room to grow.
    assert_bounded(kib_of(COUNT, hostile.len()), 2, peak_of);
}

#[test]
fn connections_whose_carrier_stays_unknown_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 4_000;
    // In their midst, where anything may stand.
    let doubtful = [0x33; 8_000];
    let peak_of = |more: &[&str]| {
        let begin = |_: &mut TcpFlow, _: &mut Wire| {};
        peak_of_connections(COUNT, more, begin, &doubtful)
    };
    assert_bounded(kib_of(COUNT, doubtful.len()), 2, peak_of);
}

/// They take much more than what came of them.
#[test]
fn connections_of_which_hardly_anything_came_stay_within_their_share_of_the_memory() {
    const COUNT: u32 = 60_000;
    const SHARE_KIB: u64 = 64 * 1024 * 3 / 8;
    let begin = |_: &mut TcpFlow, _: &mut Wire| {};
    let allowed = ["--memory", "64MiB"];
    let (peak, summary) = peak_of_connections(COUNT, &allowed, begin, b"3");
    assert!(peak <= SHARE_KIB + FIXED_KIB, "{peak} KiB");
    assert!(
        !summary.contains("\"evicted\":{\"flow_count\":0,"),
        "{summary}"
    );
}

/// Of each of which two frames came, one of them with a payload.
#[test]
fn connections_of_i2cp_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 8_000;
    let payload = i2cp::wrap(&message::client_data([1, 2, 3], b"x"));
    let rule = ["-d", "tcp.port==9004,i2cp"];
    let peak_of = |more: &[&str]| {
        let begin = |flow: &mut TcpFlow, wire: &mut Wire| {
            flow.open(wire);
            flow.send(wire, End::Server, &i2cp::session_status(1, 1));
            flow.send(wire, End::Server, &i2cp::message_payload(1, 1, &payload));
        };
        peak_of_connections(COUNT, &[&rule, more].concat(), begin, &i2cp::get_date())
    };
    // What is known of a connection takes more than so few bytes.
    assert_bounded(kib_of(COUNT, 100), 20, peak_of);
}

/// All of them come with one packet, or behind the last: their lines take far more than they do.
#[test]
fn messages_that_waited_behind_a_hole_are_shown_without_the_memory_of_their_lines() {
    const COUNT: usize = 150_000;
    const BOUND_KIB: u64 = 64 * 1024;
    let syn = Prefix::U16.before(&message::syn([1, 2, 3], &[7; 387]));
    let waiting = Prefix::U16
        .before(&message::client_data([4, 5, 6], b""))
        .repeat(COUNT);
    for is_filled in [true, false] {
        for form in ["ndjson", "json", "table"] {
            let rule = ["-d", "tcp.port==9004,ministream:u16be", "-T", form];
            let mut child = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
                .args(rule)
                .arg("-")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            let output = child.stdout.take().unwrap();
            let count = thread::spawn(move || BufReader::new(output).lines().count());
            let mut wire = Wire::new(Link::RawIp);
            let ends = ["198.51.100.1:40000", "192.0.2.2:9004"].map(|end| end.parse().unwrap());
            let mut flow = TcpFlow::new(ends[0], ends[1]);
            flow.open(&mut wire);
            flow.send(&mut wire, End::Client, &syn);
            let hole = syn.len()..2 * syn.len();
            flow.send_unseen(End::Client, &syn);
            flow.send_in_segments(&mut wire, End::Client, &waiting, 60_000);
            if is_filled {
                flow.resend(&mut wire, End::Client, hole);
            }
            input.write_all(&Pcap::USUAL.write(&wire)).unwrap();
            drop(input);
            let peak = peak_to_the_end_kib(&mut child);
            assert!(child.wait().unwrap().code().is_some());
            let count = count.join().unwrap();
            assert!(count > COUNT, "{form}, {is_filled}: {count} lines");
            assert!(peak <= BOUND_KIB, "{form}, {is_filled}: {peak} KiB");
        }
    }
}

/// Sessions take much more than the frames that create them.
#[test]
fn sessions_of_i2cp_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 300;
    let statuses = || (0..3_000).flat_map(|session| i2cp::session_status(session, 1));
    let statuses: Vec<u8> = statuses().collect();
    let rule = ["-d", "tcp.port==9004,i2cp"];
    let peak_of = |more: &[&str]| {
        let begin = |flow: &mut TcpFlow, wire: &mut Wire| {
            flow.open(wire);
            for segment in statuses.chunks(1_200) {
                flow.send(wire, End::Server, segment);
            }
        };
        peak_of_connections(COUNT, &[&rule, more].concat(), begin, &i2cp::get_date())
    };
    assert_bounded(kib_of(COUNT, statuses.len()), 15, peak_of);
}

/// With secrets in a key log, and a server whose first message is never whole.
#[test]
fn connections_whose_records_cannot_be_opened_yet_stay_within_the_memory_that_is_allowed() {
    const COUNT: u32 = 2_000;
    // A client's first message with its random, of which the key log has a secret.
    let hello = [1, 0, 0, 38, 3, 3];
    let client = [&[22, 3, 1, 0, 42][..], &hello, &[0xab; 32], &[0; 4]].concat();
    let key_log = tempfile::NamedTempFile::new().unwrap();
    let (random, secret) = ("ab".repeat(32), "00".repeat(32));
    fs::write(
        &key_log,
        format!("CLIENT_TRAFFIC_SECRET_0 {random} {secret}\n"),
    )
    .unwrap();
    let server = [&[2, 0, 0x40, 0][..], &[0; 15_000]].concat();
    let peak_of = |more: &[&str]| {
        let begin = |flow: &mut TcpFlow, wire: &mut Wire| {
            flow.open(wire);
            flow.send(wire, End::Client, &client);
            for piece in server.chunks(1_000) {
                let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
                let record = [&[22, 3, 3][..], &length, piece].concat();
                flow.send(wire, End::Server, &record);
            }
        };
        let key_log = ["--keylog", key_log.path().to_str().unwrap()];
        // A change of the cipher spec, which means nothing.
        let change = [20, 3, 3, 0, 1, 1];
        peak_of_connections(COUNT, &[&key_log, more].concat(), begin, &change)
    };
    assert_bounded(kib_of(COUNT, server.len()), 2, peak_of);
}

fn kib_of(count: u32, bytes: usize) -> u64 {
    u64::from(count) * bytes as u64 / 1024
}

#[cfg(feature = "parquet")]
#[test]
fn memory_of_a_data_set_does_not_grow_either() {
    let root = tempfile::tempdir().unwrap();
    let child = dissecting_child(&["--parquet", root.path().to_str().unwrap()]);
    let last = peak_that_does_not_grow(
        child,
        BulkCarrier::Udp,
        MORE_OF_A_DATA_SET,
        DATA_SET_SLACK_KIB,
    );
    assert!(last <= DATA_SET_BOUND_KIB, "{last} KiB");
}

/// Feeds a child with a capture; how much memory it took in KiB.
fn peak_that_does_not_grow(
    mut child: Child,
    carrier: BulkCarrier,
    more: u32,
    slack_kib: u64,
) -> u64 {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut bulk = Bulk::new(Shape {
        flows: 3,
        ..Shape::sequential(carrier)
    });
    let header = Pcap::USUAL.header(u32::from(wire.link.number()));
    let mut input = child.stdin.take().unwrap();
    let summary = last_line_of(child.stdout.take().unwrap());
    input.write_all(&header).unwrap();

    feed(&mut input, &mut bulk, &mut wire, FIRST_CONVERSATIONS);
    let first = peak_kib(&child);
    feed(&mut input, &mut bulk, &mut wire, more);
    let last = peak_kib(&child);
    drop(input);
    // Without a finding: nothing was evicted or misread.
    assert!(child.wait().unwrap().success(), "{carrier:?}");
    let summary = parsed(&summary.join().unwrap());
    assert_eq!(
        summary["conversation_count"],
        FIRST_CONVERSATIONS + more,
        "{summary}"
    );

    assert!(
        last <= first + slack_kib,
        "{carrier:?}: {first} KiB after {FIRST_CONVERSATIONS} conversations, \
         {last} KiB after {more} more"
    );
    last
}

/// `ministream-dump`, which writes a record for each message of what it reads.
fn dissecting_child(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(["-T", "ndjson", "--fail-on", "note", "-"])
        .args(arguments)
        .stderr(Stdio::null())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads what a child writes, and keeps the last line.
fn last_line_of(output: ChildStdout) -> JoinHandle<String> {
    thread::spawn(move || {
        let lines = BufReader::new(output).lines();
        lines.last().unwrap().unwrap()
    })
}

fn feed(input: &mut impl Write, bulk: &mut Bulk, wire: &mut Wire, count: u32) {
    for _ in 0..count {
        bulk.record(wire);
        let records = wire.packets.drain(..).map(|one| Pcap::USUAL.record(&one));
        input
            .write_all(&records.collect::<Vec<_>>().concat())
            .unwrap();
    }
}

/// The most memory that a process has had resident so far. A pipe holds 64 KiB
/// and the reader a few blocks, so what was written has been dissected but for those.
fn peak_kib(child: &Child) -> u64 {
    peak_so_far_kib(child).expect("Linux tells the peak")
}

/// The same; `None` if it has ended.
fn peak_so_far_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = |line: &str| {
        line.strip_prefix("VmHWM:")?
            .strip_suffix("kB")?
            .trim()
            .parse()
            .ok()
    };
    status.lines().find_map(line)
}

/// The most memory that a process has had resident shortly before its end.
fn peak_to_the_end_kib(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // Until it is waited for, what is left of it is there.
        peak = peak_so_far_kib(child).unwrap_or(peak);
        thread::sleep(Duration::from_millis(2));
    }
    peak
}
