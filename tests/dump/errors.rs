//! What goes wrong, what is said, and the exit code.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::run::{Run, SAMPLES, capture, command, dump, pipe, run};

#[test]
fn filters_are_refused_with_the_place_and_a_hint() {
    assert_eq!(
        run([SAMPLES, "-Y", "typ == syn && len > 3"]).refused(2),
        "\
ministream-dump: error: bad filter: unknown field `typ`
    typ == syn && len > 3
    ^~~ did you mean `type`?   (fields: ministream-dump --list-fields)
"
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    assert_eq!(
        dump("no-such-file.pcap").refused(2),
        "ministream-dump: error: cannot open no-such-file.pcap: no such file or directory\n    \
         help: check the path; - reads standard input\n"
    );
    assert_eq!(
        dump("src").refused(2),
        "ministream-dump: error: cannot open src: no capture in this directory\n    \
         help: check the path; - reads standard input\n"
    );
    let text = dump("Cargo.toml").refused(2);
    assert!(
        text.starts_with("ministream-dump: error: Cargo.toml is not a capture file"),
        "{text}"
    );
    let nothing = dump("").refused(2);
    assert!(
        nothing.starts_with("ministream-dump: error: nothing to read\n    help: "),
        "{nothing}"
    );
}

#[test]
fn arguments_that_do_not_go_together_are_refused() {
    for (arguments, text) in [
        ("-T fields", "-T fields needs fields"),
        ("-e n", "-e names fields for -T fields or -T csv"),
        ("-V -T json", "-V and -x write text"),
        ("-z conv -T ndjson", "-z prints tables for people"),
        ("-q -T csv", "-q leaves nothing of this format"),
        ("-i lo", "-i and files exclude each other"),
        ("-c 0", "a count is a whole number from 1"),
        ("-c x", "a count is a whole number from 1"),
        ("-a messages:0", "a count is a whole number from 1"),
        ("-s x -i lo", "a snap length is a number of bytes"),
        ("-f udp", "but there is no -i\n    help: add -i"),
        ("-s 64", "but there is no -i\n    help: add -i"),
        ("-p", "but there is no -i\n    help: add -i"),
        ("-B 1MiB", "but there is no -i\n    help: add -i"),
        ("-a duration:10", "did you mean 10s?"),
        ("-z io,5", "did you mean 5s?"),
        ("-z conf", "did you mean conv?"),
        ("-T fields -e typ", "did you mean type?"),
        ("--conv 3", "conversations are named c1,c3"),
        ("--schema 2", "invalid value '2'"),
        ("--json -T text", "cannot be used with"),
        ("--whole-conv", "required"),
        ("--no-such-flag", "unexpected argument"),
    ] {
        let said = dump(&format!("{arguments} {SAMPLES}")).refused(2);
        assert!(
            said.starts_with("ministream-dump: error: "),
            "{arguments}: {said}"
        );
        assert!(said.contains(text), "{arguments}: {said}");
    }
}

#[cfg(feature = "live")]
#[test]
fn a_live_capture_that_cannot_start_says_why() {
    let said = dump("-i no-such-interface").refused(2);
    assert!(
        said.starts_with("ministream-dump: error: cannot capture on no-such-interface: "),
        "{said}"
    );
    assert!(said.contains("\n    help: "), "{said}");
}

#[cfg(not(feature = "live"))]
#[test]
fn without_libpcap_live_capture_says_what_to_do_instead() {
    for arguments in ["-i lo", "-D"] {
        let said = dump(arguments).refused(2);
        assert!(said.contains("built without live capture"), "{said}");
        assert!(said.contains("help: capture with tcpdump"), "{said}");
    }
}

#[test]
fn a_truncated_capture_shows_what_is_there_and_ends_with_3() {
    let cut = dump("captures/truncated.pcap");
    assert_eq!(cut.code, Some(3));
    let (_, findings) = cut.stdout.split_once("Findings (3)\n").unwrap();
    assert_eq!(
        findings,
        "\
┌───────┬───────────────┬───────┬───────┬────────────────────────────────────────────────┐
│ Level ┆ Code          ┆ Count ┆ First ┆ Meaning                                        │
╞═══════╪═══════════════╪═══════╪═══════╪════════════════════════════════════════════════╡
│ warn  ┆ ms.orphan_id  ┆     1 ┆ #12   ┆ id never announced: late capture or sender bug │
│ warn  ┆ cap.truncated ┆     1 ┆ -     ┆ capture is damaged or ends inside a packet     │
│ note  ┆ ms.ping       ┆     1 ┆ #13   ┆ ping call of the Java library; not answered    │
└───────┴───────────────┴───────┴───────┴────────────────────────────────────────────────┘
13 messages, 3 conversations (2 opened, 1 refused), 27 B →, 55 B ←, 2 warnings, 1 note
"
    );
    assert_eq!(
        cut.stderr,
        "ministream-dump: warning: captures/truncated.pcap ends inside packet 14 \
         (offset 2082, 44 of 64 bytes); 13 packets shown\n"
    );
    let lenient = dump("--lenient captures/truncated.pcap");
    assert_eq!((lenient.code, lenient.stdout), (Some(0), cut.stdout));
    let json = dump("-T ndjson captures/truncated.pcap");
    let summary = json.stdout.lines().last().unwrap();
    assert!(summary.ends_with("\"exit_code\":3}"), "{summary}");
    assert!(summary.contains("\"truncated\":true"), "{summary}");
}

#[test]
fn other_captures_are_read_after_a_broken_one() {
    let other = "captures/udp-key-certificate.pcap";
    let both = run(["captures/truncated.pcap", other, "-T", "text"]);
    assert_eq!(both.code, Some(3));
    assert_eq!(both.stdout.lines().count(), 13 + 4);
    let merged = run(["captures/truncated.pcap", SAMPLES, "-T", "text"]);
    assert_eq!(merged.code, Some(3));
    assert_eq!(merged.stdout.lines().count(), 14, "the first 13 are copies");
    let broken = run([SAMPLES, "Cargo.toml", "-T", "text"]);
    assert_eq!(broken.code, Some(2));
    assert_eq!(broken.stdout.lines().count(), 14);
}

#[test]
fn checks_decide_the_exit_code() {
    for (arguments, code) in [
        ("-q --fail-on error", 1),
        ("-q --fail-on warn", 1),
        ("-q --fail-on note", 1),
        ("-q --fail-on empty", 0),
        ("-q --fail-on note --conv c1", 0),
        ("-q --fail-on empty -Y n>14", 1),
    ] {
        let checked = dump(&format!("{arguments} {SAMPLES}"));
        assert_eq!(
            (checked.code, &*checked.stdout),
            (Some(code), ""),
            "{arguments}"
        );
    }
    // A failed check comes before incomplete input, and that before nothing.
    assert_eq!(
        dump("-q --fail-on warn captures/truncated.pcap").code,
        Some(1)
    );
    assert_eq!(
        dump("-q --fail-on empty captures/truncated.pcap").code,
        Some(3)
    );
    let reasons = "ministream-dump: --fail-on warn: 1 error ms.unknown_type: type is not in the \
                   protocol\nministream-dump: --fail-on warn: 1 warn ms.orphan_id: id never \
                   announced: late capture or sender bug\n";
    assert_eq!(
        dump(&format!("-q --fail-on warn {SAMPLES}")).stderr,
        reasons
    );
    let table = dump(&format!("--fail-on warn {SAMPLES}"));
    assert_eq!(table.stderr, "", "the table of findings says it");
    let summary = dump(&format!("-q -T ndjson --fail-on error {SAMPLES}")).stdout;
    assert!(summary.ends_with("\"exit_code\":1}\n"), "{summary}");
}

#[test]
fn a_conversation_that_does_not_exist_is_told() {
    for arguments in [
        "-q --conv c99",
        "-q --conv c1,c99",
        "-z follow,c99",
        "-q -z follow,c99,raw --fail-on empty",
        "-q --whole-conv -Y n --conv c99",
    ] {
        assert_eq!(
            dump(&format!("{arguments} {SAMPLES}")).refused(2),
            "ministream-dump: error: there is no conversation c99\n    \
             help: the capture has c1 to c3; -q -z conv lists them\n",
            "{arguments}"
        );
    }
    let several = dump(&format!("-T ndjson --conv c7,c3,c9 {SAMPLES}"));
    assert_eq!(several.code, Some(2));
    assert!(
        several.stdout.contains("\"conv\":\"c3\""),
        "{}",
        several.stdout
    );
    assert!(
        several.stdout.ends_with("\"exit_code\":2}\n"),
        "{}",
        several.stdout
    );
    assert!(
        several.stderr.contains("no conversation c7, c9\n"),
        "{}",
        several.stderr
    );
    let ladder = dump(&format!("-z ladder,c99 {SAMPLES}"));
    assert_eq!(ladder.code, Some(2));
    assert!(
        ladder.stderr.contains("there is no conversation c99\n"),
        "{}",
        ladder.stderr
    );
    let empty = dump("-z follow,c1 captures/empty.pcap").refused(2);
    assert!(empty.ends_with("help: the capture has none\n"), "{empty}");
    // Reading stopped before it could come.
    let stopped = dump(&format!("-T text -c 1 -z follow,c3 {SAMPLES}"));
    assert_eq!(stopped.code, Some(0));
    assert!(
        stopped
            .stderr
            .starts_with("ministream-dump: warning: there is no conversation c3\n"),
        "{}",
        stopped.stderr
    );
}

#[test]
fn a_closed_output_ends_the_program_quietly() {
    let mut child = command(["-T", "ndjson", "captures/real/c-http.pcapng"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(line.starts_with("{\"record\":\"header\""), "{line}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command([SAMPLES]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.starts_with("ministream-dump: error: cannot write results: no space"),
        "{said}"
    );
}

#[test]
fn garbage_on_standard_input_is_refused() {
    for input in [&b""[..], b"\xd4", b"not a capture", &[0; 100]] {
        let refused = pipe("-", input);
        assert_eq!(refused.code, Some(2), "{input:?}: {}", refused.stderr);
        assert!(
            refused.stderr.starts_with("ministream-dump: error: "),
            "{}",
            refused.stderr
        );
    }
    let half = &capture("spec-samples.pcap")[..1000];
    assert_eq!(pipe("-q -", half).code, Some(3));
}

/// What the program prints where lines have that many columns.
fn run_in(columns: u16, argument: &str) -> String {
    let output = command([argument])
        .env("COLUMNS", columns.to_string())
        .output()
        .unwrap();
    Run::from(output).ok()
}

#[test]
fn help_and_version_go_to_standard_output() {
    let short = run_in(80, "-h");
    assert!(
        short.contains("\n  ministream-dump capture.pcap  "),
        "{short}"
    );
    assert!(!short.contains("--lenient"), "{short}");
    // A line is left for the prompt of a terminal of 80 columns and 24 lines.
    assert!(short.lines().count() <= 23, "{short}");
    assert!(
        short.lines().all(|line| line.chars().count() <= 80),
        "{short}"
    );
    let long = run_in(80, "--help");
    assert!(long.starts_with(short.lines().next().unwrap()), "{long}");
    assert!(
        long.contains("--lenient") && long.contains("Exit codes: 0 "),
        "{long}"
    );
    let version = dump("--version").ok();
    assert_eq!(
        version,
        format!("ministream-dump {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn accepted_flags_change_nothing() {
    assert_eq!(
        dump(&format!("-n -T text {SAMPLES}")).ok(),
        dump(&format!("-T text --progress never --schema 1 {SAMPLES}")).ok()
    );
}
