//! Memory does not grow with the capture.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use ministream_fixtures::bulk::{Bulk, BulkCarrier};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Wire};

/// Enough to fill every table that has a bound.
const FIRST_CONVERSATIONS: u32 = 10_000;
/// Three times as many again.
const MORE_CONVERSATIONS: u32 = 30_000;
/// What a table that doubles at a bad moment, and the allocator, may add.
const SLACK_KIB: u64 = 8 * 1024;
/// Bound of the whole process, in KiB.
const BOUND_KIB: u64 = 96 * 1024;

#[test]
fn memory_does_not_grow_with_the_number_of_conversations() {
    for carrier in [BulkCarrier::Udp, BulkCarrier::Tcp(Prefix::U32)] {
        let mut child = dissecting_child();
        let mut wire = Wire::new(Link::ETHERNET);
        let mut bulk = Bulk::open(carrier, 3, 1, &mut wire);
        let header = Pcap::USUAL.header(u32::from(wire.link.number()));
        let mut input = child.stdin.take().unwrap();
        let summary = last_line_of(child.stdout.take().unwrap());
        input.write_all(&header).unwrap();

        feed(&mut input, &mut bulk, &mut wire, FIRST_CONVERSATIONS);
        let first = peak_kib(&child);
        feed(&mut input, &mut bulk, &mut wire, MORE_CONVERSATIONS);
        let last = peak_kib(&child);
        drop(input);
        // Without a finding: nothing was evicted or misread.
        assert!(child.wait().unwrap().success(), "{carrier:?}");
        let conversations = format!(
            "\"conversation_count\":{}",
            FIRST_CONVERSATIONS + MORE_CONVERSATIONS
        );
        let summary = summary.join().unwrap();
        assert!(summary.contains(&conversations), "{summary}");

        assert!(
            last <= first + SLACK_KIB,
            "{carrier:?}: {first} KiB after {FIRST_CONVERSATIONS} conversations, \
             {last} KiB after {MORE_CONVERSATIONS} more"
        );
        assert!(last <= BOUND_KIB, "{carrier:?}: {last} KiB");
    }
}

/// `ministream-dump`, which writes a record for each message of what it reads.
fn dissecting_child() -> Child {
    Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([
            "-T",
            "ndjson",
            "--payload",
            "none",
            "--fail-on",
            "note",
            // A report holds some of all conversations, however many there are.
            "--html",
            "/dev/null",
            "-",
        ])
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
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"))
        .and_then(|number| number.trim().parse().ok())
        .expect("Linux tells the peak")
}
