//! `--tui` in a real terminal: tmux, whose screens are read as text.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test dump tui` writes the expected screens anew.

use std::env;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::{message, needs, sample_destination};
use tempfile::TempDir;

use crate::run::{SAMPLES, capture, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with the program in it; ends with its value.
struct Terminal {
    name: String,
    directory: TempDir,
}

fn tmux(name: &str, arguments: &[&str]) -> String {
    let output = Command::new("tmux")
        .args(["-L", name, "-f", "/dev/null"])
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("tmux runs: .ci/install installs it");
    String::from_utf8(output.stdout).unwrap()
}

impl Terminal {
    /// The program with these arguments in a terminal of a size.
    fn start(size: (u16, u16), arguments: &str) -> Self {
        Self::start_in(&env::temp_dir(), size, arguments)
    }

    /// The same, with a folder for its temporary files.
    fn start_in(temporary: &Path, size: (u16, u16), arguments: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let terminal = Self {
            name: format!(
                "ms{}-{}",
                process::id(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            ),
            directory: tempfile::tempdir().unwrap(),
        };
        let here = env!("CARGO_MANIFEST_DIR");
        let program = env!("CARGO_BIN_EXE_ministream-dump");
        let command = format!(
            "cd '{here}' && TMPDIR='{}' LC_ALL=C.UTF-8 '{program}' --tui {arguments}; \
             echo \"ended with $?\"; cat",
            temporary.display()
        );
        let (width, height) = (size.0.to_string(), size.1.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, &command]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        tmux(&self.name, arguments)
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows a text and is painted to its end: the same several times
    /// in a row.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let (mut last, mut times) = (String::new(), 0);
        loop {
            let screen = self.screen();
            times = if screen == last { times + 1 } else { 0 };
            if screen.contains(text) && times >= 5 {
                return screen;
            }
            last.clone_from(&screen);
            assert!(Instant::now() < until, "{text:?} is not in\n{screen}");
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until the screen does not show a text any more.
    #[track_caller]
    fn hides(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while self.screen().contains(text) {
            assert!(Instant::now() < until, "{text:?} is still there");
            thread::sleep(Duration::from_millis(30));
        }
    }

    fn type_in(&self, keys: &str) {
        self.tmux(&["send-keys", "-l", keys]);
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The screens that a newcomer sees, one below the other.
fn tour(size: (u16, u16)) -> String {
    let terminal = Terminal::start(size, SAMPLES);
    let mut screens = String::new();
    let mut take = |name: &str, screen: String| {
        screens += &format!("== {name}\n{}\n", screen.trim_end());
    };
    terminal.shows("  14 messages");
    take("conversations", terminal.shows("c3 "));
    terminal.press("Enter");
    take("ladder", terminal.shows("CLOSE 111111"));
    terminal.type_in("jjj");
    terminal.press("Enter");
    take("message", terminal.shows("P...HTTP/1.0 200"));
    terminal.type_in("qF");
    take("stream", terminal.shows("Stream of c1"));
    terminal.type_in("qq?");
    take("keys", terminal.shows("a report for a browser"));
    screens
}

/// A capture of both sides of a router, with a filter and a mark.
fn at_router(size: (u16, u16)) -> String {
    let terminal = Terminal::start(size, "captures/spec-samples-i2cp.pcap");
    terminal.shows("seen twice");
    terminal.type_in("pfstate == refused");
    terminal.press("Enter");
    terminal.shows("filter: ");
    terminal.type_in(" ");
    format!("{}\n", terminal.shows("1 marked").trim_end())
}

/// Compares with the kept screens of that name.
fn assert_expected(name: &str, screens: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dump/tui/{name}.txt"));
    if env::var_os("MINISTREAM_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, screens).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap();
    assert!(screens == there, "{name}:\n{screens}");
}

#[test]
fn the_screens_are_those_that_are_expected_at_three_sizes() {
    needs!("tmux");
    for size in [(80, 24), (120, 40), (200, 50)] {
        let name = format!("{}x{}", size.0, size.1);
        assert_expected(&name, &tour(size));
    }
    assert_expected("router-80x24", &at_router((80, 24)));
}

#[test]
fn a_capture_of_other_traffic_says_what_it_has_instead_of_conversations() {
    needs!("tmux");
    let terminal = Terminal::start((80, 24), "captures/other-traffic.pcap");
    terminal.shows("no conversation in this capture: 21 packets, 3 flows of other protocols");
    let selected = Terminal::start((80, 24), "-Y 'n == 99' captures/spec-samples.pcap");
    selected.shows("no message matches -Y: 14 packets");
    let asked_for = Terminal::start((80, 24), "--conv c99 captures/spec-samples.pcap");
    asked_for.shows("no conversation is one of --conv: 14 packets");
}

#[test]
fn conversations_are_filtered_searched_sorted_and_written_from_within() {
    needs!("tmux");
    let terminal = Terminal::start((100, 30), SAMPLES);
    terminal.shows("  14 messages");
    // The same as -Y selects.
    terminal.type_in("fpayload contains \"world\" || state == refused");
    terminal.press("Enter");
    let screen = terminal.shows("filter: payload");
    let same = run([
        SAMPLES,
        "-Y",
        "payload contains \"world\" || state == refused",
        "-T",
        "fields",
        "-e",
        "conv",
    ]);
    for name in ["c1", "c2", "c3"] {
        assert_eq!(
            screen.contains(&format!("  {name} ")),
            same.stdout.contains(name),
            "{screen}"
        );
    }
    terminal.press("Escape");
    terminal.shows("3 conversations");
    // A filter that is none says so and changes nothing.
    terminal.type_in("fpayload contians 1");
    terminal.press("Enter");
    let screen = terminal.shows("expected the end of the filter; join tests with");
    assert!(screen.contains("3 conversations"), "{screen}");
    // It is there to be mended.
    terminal.type_in("f");
    terminal.shows("filter (-Y): payload contians 1_");
    terminal.press("Escape");
    // A key right behind Escape would be one with Alt.
    terminal.shows("s sort");
    // Sorted by findings the worst comes first.
    terminal.type_in("ssssss");
    let screen = terminal.shows("Findings↓");
    let first = screen.lines().nth(2).unwrap();
    assert!(
        first.contains("c3") && first.contains("1 error"),
        "{screen}"
    );
    terminal.type_in("sg/refused");
    terminal.press("Enter");
    terminal.type_in(" ");
    terminal.shows("1 marked");
    for (key, name, shown) in [
        ("w", "out.pcapng", "out.pcapng"),
        ("H", "out.html", "out.html"),
        ("E", "streams", "streams"),
    ] {
        let path = terminal.path(name);
        terminal.type_in(key);
        terminal.type_in(path.to_str().unwrap());
        terminal.press("Enter");
        terminal.shows(&format!("wrote {}", path.display()));
        assert!(path.exists(), "{shown}");
    }
    let packets = terminal.path("out.pcapng");
    let written = run([packets.to_str().unwrap(), "-T", "fields", "-e", "type"]);
    assert_eq!(written.stdout, "syn\nclose\n");
    let page = fs::read_to_string(terminal.path("out.html")).unwrap();
    assert_eq!(page.matches("<h1>spec-samples.pcap</h1>").count(), 1);
    // What cannot be written is told.
    terminal.type_in("w/nonexistent/x.pcapng");
    terminal.press("Enter");
    terminal.shows("cannot write /nonexistent/x.pcapng");
    terminal.type_in("q");
    terminal.shows("ended with 0");
}

#[test]
fn a_pipe_that_grows_is_followed_held_by_a_key_and_opened_by_the_mouse() {
    needs!("tmux");
    let place = tempfile::tempdir().unwrap();
    let pipe = make_pipe(place.path());
    let terminal = Terminal::start((80, 24), &format!("- < '{}'", pipe.display()));
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    let bytes = capture("spec-samples.pcap");
    // Seven packets: c3 has not begun.
    let (first, rest) = bytes.split_at(end_of_packets(&bytes, 7));
    writer.write_all(first).unwrap();
    terminal.shows("  c2 ");
    // What a conversation came to is known before its record is there.
    terminal.type_in("fstate == refused");
    terminal.press("Enter");
    let screen = terminal.shows("filter: state == refused");
    assert!(
        screen.contains("  c2  ") && !screen.contains("  c1  "),
        "{screen}"
    );
    terminal.press("Escape");
    terminal.shows("  c1  ");
    terminal.type_in("p");
    terminal.shows("PAUSED");
    writer.write_all(rest).unwrap();
    drop(writer);
    let held = terminal.shows("  14 messages");
    assert!(!held.contains("  c3 "), "{held}");
    terminal.type_in("p");
    terminal.shows("  c3 ");
    // Clicks into the fourth line, as terminals tell them: the first selects, the second opens.
    terminal.type_in("\x1b[<0;5;4M\x1b[<0;5;4m");
    terminal.type_in("\x1b[<0;5;4M\x1b[<0;5;4m");
    terminal.shows("c2  refused");
}

/// A pipe with a name in a folder.
fn make_pipe(folder: &Path) -> PathBuf {
    let pipe = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    pipe
}

/// The packets that were kept in a folder for temporary files.
fn kept_packets(temporary: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(temporary).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|name| name == "pcapng"))
}

impl Terminal {
    /// Writes the packets of what is marked, or of what is under the cursor; gives their messages.
    fn written_messages(&self, name: &str) -> String {
        let path = self.path(name);
        self.type_in(&format!("w{}", path.display()));
        self.press("Enter");
        // All of the line: what a run says when it fails may end so, too.
        self.shows(&format!("\nwrote {}", path.display()));
        messages_in(&[path.to_str().unwrap()])
    }
}

/// The messages that the program finds, one a line.
fn messages_in(arguments: &[&str]) -> String {
    let fields = ["-T", "fields", "-e", "type", "-e", "id", "-e", "payload"];
    run([arguments, &fields].concat()).ok()
}

#[test]
fn packets_of_a_pipe_are_written_while_it_grows_and_when_it_is_over() {
    needs!("tmux");
    const CAPTURE: &str = "captures/among-other-traffic.pcap";
    let place = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let pipe = make_pipe(place.path());
    let input = format!("- < '{}'", pipe.display());
    let terminal = Terminal::start_in(temporary.path(), (120, 30), &input);
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    let bytes = capture("among-other-traffic.pcap");
    writer.write_all(&bytes).unwrap();
    terminal.shows("reading");
    terminal.shows("  c1 ");
    let kept = kept_packets(temporary.path()).unwrap();
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A block that is just being written.
    let mut end = fs::File::options().append(true).open(&kept).unwrap();
    end.write_all(&[6, 0, 0, 0, 80, 0, 0, 0, 0, 0]).unwrap();
    let expected = messages_in(&[CAPTURE, "--conv", "c1"]);
    assert_eq!(terminal.written_messages("one.pcapng"), expected);
    drop(writer);
    terminal.type_in("jw");
    terminal.shows("write packets to");
    terminal.press("Escape");
    // What follows an escape at once belongs to it.
    terminal.hides("write packets to");
    terminal.type_in("q");
    terminal.shows("ended with 0");
    assert_eq!(kept_packets(temporary.path()), None);
}

#[test]
fn secrets_are_left_out_of_packets_that_are_written_of_a_pipe_and_not_kept() {
    needs!("tmux");
    let place = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let pipe = make_pipe(place.path());
    let redact = format!(
        "--redact payload,dest --redact-key {}",
        place.path().join("key").display()
    );
    let input = format!("{redact} '{}'", pipe.display());
    let terminal = Terminal::start_in(temporary.path(), (120, 30), &input);
    fs::write(&pipe, capture("spec-samples.pcap")).unwrap();
    terminal.shows("  14 messages");
    assert_eq!(kept_packets(temporary.path()), None);
    let messages = terminal.written_messages("made.pcapng");
    let options: Vec<&str> = redact.split(' ').collect();
    let hidden = messages_in(&[&options, &[SAMPLES, "--conv", "c1"][..]].concat());
    assert_eq!(messages, hidden);
    assert!(messages.contains("***"), "{messages}");
}

#[test]
fn records_from_a_pipe_have_no_packets_and_tell_it() {
    needs!("tmux");
    let place = tempfile::tempdir().unwrap();
    let records = place.path().join("records.ndjson");
    fs::write(&records, run([SAMPLES, "-T", "ndjson"]).ok()).unwrap();
    let terminal = Terminal::start((120, 30), &format!("- < '{}'", records.display()));
    terminal.shows("  14 messages");
    terminal.type_in("w/nonexistent.pcapng");
    terminal.press("Enter");
    terminal.shows("-w writes the packets of a capture, and records have none");
}

#[test]
fn conversations_that_were_named_and_checks_that_fail_do_not_keep_packets_from_being_written() {
    needs!("tmux");
    let options = format!("--conv c1,c3 --fail-on note {SAMPLES}");
    let terminal = Terminal::start((120, 30), &options);
    terminal.shows("c3 ");
    terminal.type_in("j");
    let expected = messages_in(&[SAMPLES, "--conv", "c3"]);
    assert_eq!(terminal.written_messages("named.pcapng"), expected);
}

#[test]
#[ignore = "needs root"]
fn packets_of_a_live_capture_are_written_while_it_goes_on() {
    needs!("tmux");
    let name = "tui::packets_of_a_live_capture_are_written_while_it_goes_on";
    in_namespace(name, || {
        let temporary = tempfile::tempdir().unwrap();
        let server = UdpSocket::bind("127.0.0.1:9004").unwrap();
        let options = "-i lo -Y 'type != ping'";
        let terminal = Terminal::start_in(temporary.path(), (120, 30), options);
        terminal.shows("LIVE");
        let (one, other) = ([0x11; 3], [0x22; 3]);
        for (id, contents) in [(one, "first"), (other, "second")] {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            let send = |bytes: Vec<u8>| {
                client.send_to(&bytes, "127.0.0.1:9004").unwrap();
            };
            let answer = |bytes: Vec<u8>| {
                server
                    .send_to(&bytes, client.local_addr().unwrap())
                    .unwrap();
            };
            send(message::syn(id, &sample_destination()));
            answer(message::ack(id, [0x33; 3]));
            send(message::client_data([0x33; 3], contents.as_bytes()));
        }
        terminal.shows("LIVE, 6 messages");
        terminal.type_in("g");
        let written = terminal.written_messages("first.pcapng");
        assert!(
            written.contains("first") && !written.contains("second"),
            "{written}"
        );
        assert_eq!(written.lines().count(), 3, "{written}");
        terminal.type_in("q");
        terminal.shows("ended with 0");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    });
}

/// Where so many packets of a pcap file end.
fn end_of_packets(file: &[u8], count: usize) -> usize {
    // Behind the header each has one of 16 bytes, with the captured bytes.
    (0..count).fold(24, |at, _| {
        let captured = file[at + 8..].first_chunk().copied().unwrap();
        at + 16 + usize::try_from(u32::from_le_bytes(captured)).unwrap()
    })
}

#[test]
fn a_ladder_of_a_pipe_has_the_state_so_far_and_grows() {
    needs!("tmux");
    let place = tempfile::tempdir().unwrap();
    let pipe = make_pipe(place.path());
    let terminal = Terminal::start((80, 24), pipe.to_str().unwrap());
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    let bytes = capture("spec-samples.pcap");
    let (first, rest) = bytes.split_at(end_of_packets(&bytes, 3));
    writer.write_all(first).unwrap();
    terminal.shows("reading, 3 messages");
    terminal.press("Enter");
    let screen = terminal.shows("GET / HTTP/1.0");
    let title = screen.lines().nth(1).unwrap().trim_end();
    assert_eq!(
        title,
        "c1  open, udp, 5.0 ms, 127.0.0.1:40112 → 127.0.0.1:9004"
    );
    writer.write_all(rest).unwrap();
    drop(writer);
    let screen = terminal.shows("CLOSE 111111");
    let title = screen.lines().nth(1).unwrap().trim_end();
    assert_eq!(
        title,
        "c1  server closed, udp, 206 ms, 127.0.0.1:40112 → 127.0.0.1:9004"
    );
}

#[test]
fn a_message_with_a_finding_shows_it_without_escapes() {
    needs!("tmux");
    let terminal = Terminal::start((80, 24), &format!("--color always {SAMPLES}"));
    terminal.shows("  14 messages");
    terminal.type_in("G");
    terminal.press("Enter");
    terminal.shows("Messages outside of conversations");
    terminal.press("Enter");
    let screen = terminal.shows("ms.orphan_id: no conversation has");
    let line = screen.lines().find(|line| line.contains("ms.orphan_id"));
    assert!(line.unwrap().starts_with("  warn ms.orphan_id"), "{screen}");
}

#[test]
fn no_colour_is_used_where_none_is_wanted() {
    needs!("tmux");
    let terminal = Terminal::start((80, 24), &format!("--color never {SAMPLES}"));
    terminal.shows("  14 messages");
    let escapes = terminal.tmux(&["capture-pane", "-p", "-e"]);
    // Reversed and bold are all that there is.
    for part in escapes.split("\u{1b}[").skip(1) {
        let codes = part.split('m').next().unwrap();
        assert!(
            codes
                .split(';')
                .all(|code| ["", "0", "1", "7", "39", "49"].contains(&code)),
            "{codes}"
        );
    }
    let coloured = Terminal::start((80, 24), &format!("--color always {SAMPLES}"));
    coloured.shows("  14 messages");
    assert!(
        coloured
            .tmux(&["capture-pane", "-p", "-e"])
            .contains("\u{1b}[38;5;1m")
    );
}

#[test]
fn a_file_that_is_not_there_is_told_and_the_screen_is_left_alone() {
    needs!("tmux");
    let terminal = Terminal::start((80, 24), "no-such.pcap");
    let screen = terminal.shows("ended with 2");
    assert_eq!(
        screen.trim_end(),
        "ministream-dump: error: cannot open no-such.pcap: no such file or directory\n    \
         help: check the path; - reads standard input\n\
         ended with 2"
    );
}

#[test]
fn without_a_terminal_there_is_nothing_to_walk_through() {
    assert_eq!(
        run(["--tui", SAMPLES]).reason(),
        "--tui needs a terminal, and standard output is not one\n    \
         help: omit it for tables; --html has a report for a browser"
    );
    assert_eq!(
        run(["--tui", "-T", "json", SAMPLES]).reason(),
        "the argument '--tui' cannot be used with '-T <FORMAT>'"
    );
}

/// How a run in a terminal is ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Quit,
    /// The terminal goes: the kernel says so, and tmux says so again.
    Hangup,
    /// These signals, one right after the other.
    Signals(&'static [&'static str]),
}

/// The processes that have a text among their arguments: those of a terminal and their shells
/// not.
fn processes_with(text: &str) -> Vec<String> {
    let is_ours = |command: &[u8]| {
        command.starts_with(env!("CARGO_BIN_EXE_ministream-dump").as_bytes())
            && String::from_utf8_lossy(command).contains(text)
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|id| fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|read| is_ours(&read)))
        .collect()
}

/// Ends a run that has read all of a pipe, or waits for more of it.
fn assert_nothing_is_left(end: End, is_read: bool) {
    let place = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let pipe = make_pipe(place.path());
    let path = pipe.to_str().unwrap();
    let terminal = Terminal::start_in(temporary.path(), (80, 24), path);
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    writer.write_all(&capture("spec-samples.pcap")).unwrap();
    let writer = (!is_read).then_some(writer);
    if is_read {
        terminal.shows("  14 messages")
    } else {
        terminal.shows("reading, 14 messages")
    };
    match end {
        End::Quit => terminal.type_in("q"),
        End::Hangup => drop(terminal.tmux(&["kill-server"])),
        End::Signals(names) => {
            // What tells records names the pipe, too; who shows them was there first.
            let ids = processes_with(path);
            let shows = ids.iter().min_by_key(|id| id.parse::<u32>().unwrap());
            for (number, name) in names.iter().enumerate() {
                let mut kill = Command::new("kill");
                let killed = kill.arg(format!("-{name}")).args(shows).output().unwrap();
                // After the first it may be over.
                assert!(killed.status.success() || number > 0, "{killed:?}");
            }
        }
    }
    let until = Instant::now() + Duration::from_secs(20);
    let left = || -> Vec<_> {
        let files = fs::read_dir(temporary.path()).unwrap();
        let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        files.chain(processes_with(path)).collect()
    };
    while !left().is_empty() {
        let what = format!("{end:?}, all was read: {is_read}");
        assert!(Instant::now() < until, "{what}: {:?} is left", left());
        thread::sleep(Duration::from_millis(20));
    }
    drop(writer);
}

#[test]
fn nothing_is_left_however_it_ends() {
    needs!("tmux");
    const ENDS: [End; 7] = [
        End::Quit,
        End::Hangup,
        End::Signals(&["HUP"]),
        End::Signals(&["HUP", "HUP"]),
        End::Signals(&["TERM"]),
        End::Signals(&["HUP", "TERM", "HUP"]),
        End::Signals(&["TERM", "TERM"]),
    ];
    for end in ENDS {
        for is_read in [false, true] {
            assert_nothing_is_left(end, is_read);
        }
    }
}
