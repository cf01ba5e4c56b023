//! `-w` in live capture, on loopback in a network namespace of its own. They need root.

use std::io::Read;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::{needs, wireshark};
use rustix::process::{Pid, Signal, kill_process};

/// A ministreaming exchange over UDP: a data message that is an orphan once the SYN was seen.
const MESSAGES: [&[u8]; 3] = [b"\xa0\x0b\xad\x1dfirst", b"\xff", b"\xa0\x0b\xad\x1dsecond"];

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(20));
    }
}

/// A capture on loopback into `output`, which is ended however the test ends.
struct Capture(Child);

impl Capture {
    fn start(output: &Path, arguments: &[&str]) -> Self {
        Self::with_output(output, arguments, Stdio::null())
    }

    fn with_output(output: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
            .args([
                "-i",
                "lo",
                "-f",
                "udp port 9004",
                "-d",
                "udp.port==9004,ministream",
                "-w",
            ])
            .arg(output)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let capture = Self(child);
        wait_until("the capture begins", || size(output) > 0);
        capture
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // SIGKILL: nothing of the program runs after it.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// A packet a line: its bytes and its comment. `tshark` must read the file whole.
fn packets(path: &Path) -> Vec<String> {
    let output = wireshark::tshark()
        .args([
            "-n",
            "-T",
            "fields",
            "-e",
            "udp.payload",
            "-e",
            "frame.comment",
            "-r",
        ])
        .arg(path)
        .output()
        .expect("tshark is installed");
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaints}");
    assert!(!complaints.contains("cut short"), "{complaints}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Sends the messages one by one, each when the one before is in the file, if it is to be.
fn exchange(output: &Path, is_written: impl Fn(&[u8]) -> bool) {
    let receiver = UdpSocket::bind("127.0.0.1:9004").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in MESSAGES {
        let before = size(output);
        sender
            .send_to(message, receiver.local_addr().unwrap())
            .unwrap();
        if is_written(message) {
            wait_until("the packet is in the file", || size(output) > before);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_live_capture_that_is_killed_leaves_every_packet_readable() {
    needs!("tshark");
    let name = "live::a_live_capture_that_is_killed_leaves_every_packet_readable";
    in_namespace(name, || {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("live.pcapng");
        let capture = Capture::start(&output, &[]);
        exchange(&output, |_| true);
        drop(capture);
        assert_eq!(
            packets(&output),
            [
                "a00bad1d6669727374\twarn ms.orphan_id: no conversation has server id 0bad1d",
                "ff\tnote ms.ping: single 0xff byte",
                "a00bad1d7365636f6e64\t",
            ]
        );
    });
}

#[test]
#[ignore = "needs root"]
fn a_filter_selects_the_packets_of_a_live_capture() {
    needs!("tshark");
    let name = "live::a_filter_selects_the_packets_of_a_live_capture";
    in_namespace(name, || {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("live.pcapng");
        let capture = Capture::start(&output, &["-Y", "type == ping"]);
        exchange(&output, |message| message == b"\xff");
        drop(capture);
        assert_eq!(packets(&output), ["ff\tnote ms.ping: single 0xff byte"]);
    });
}

#[test]
#[ignore = "needs root"]
fn a_live_capture_is_redacted_as_it_comes() {
    needs!("tshark");
    let name = "live::a_live_capture_is_redacted_as_it_comes";
    in_namespace(name, || {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("live.pcapng");
        let capture = Capture::start(&output, &["--redact", "payload"]);
        exchange(&output, |_| true);
        drop(capture);
        assert_eq!(
            packets(&output),
            [
                "a00bad1d2a2a2a2a2a\twarn ms.orphan_id: no conversation has server id 0bad1d",
                "ff\tnote ms.ping: single 0xff byte",
                "a00bad1d2a2a2a2a2a2a\t",
            ]
        );
    });
}

#[test]
#[ignore = "needs root"]
fn sighup_ends_a_live_capture_as_ctrl_c_does() {
    needs!("tshark");
    let name = "live::sighup_ends_a_live_capture_as_ctrl_c_does";
    in_namespace(name, || {
        let told = [Signal::INT, Signal::HUP].map(|signal| {
            let directory = tempfile::tempdir().unwrap();
            let output = directory.path().join("live.pcapng");
            let mut capture = Capture::with_output(&output, &["-q", "-z", "types"], Stdio::piped());
            exchange(&output, |_| true);
            let id = Pid::from_raw(i32::try_from(capture.0.id()).unwrap()).unwrap();
            kill_process(id, signal).unwrap();
            let mut tables = String::new();
            let mut stdout = capture.0.stdout.take().unwrap();
            stdout.read_to_string(&mut tables).unwrap();
            let code = capture.0.wait().unwrap().code();
            assert_eq!(packets(&output).len(), MESSAGES.len());
            (code, tables)
        });
        let [by_ctrl_c, by_sighup] = &told;
        assert_eq!(by_ctrl_c, by_sighup);
        assert_eq!(by_sighup.0, Some(0));
        assert!(by_sighup.1.contains("DATA"), "{}", by_sighup.1);
    });
}
