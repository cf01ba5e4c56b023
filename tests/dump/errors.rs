//! What goes wrong, what is said, and the exit code.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

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
    assert_eq!(
        dump("Cargo.toml").reason(),
        "Cargo.toml is not a capture file: it looks like text\n    \
         help: pcap and pcapng files are read, also compressed with gzip or zstd"
    );
    assert_eq!(
        dump("").reason(),
        "nothing to read\n    help: name a capture, - for standard input, or an interface with \
         -i; -h shows examples"
    );
}

#[test]
fn arguments_that_do_not_go_together_are_refused() {
    const HOW_TO_CAPTURE: &str = "-f, -s, -p and -B say how to capture, but there is no -i\n    \
        help: add -i with an interface (-D lists them); for files, -Y selects messages";
    for (arguments, reason) in [
        (
            "-T fields",
            "-T fields needs fields\n    \
             help: name them with -e, as in -e n -e type -e id; --list-fields lists them",
        ),
        (
            "-e n",
            "-e names fields for -T fields or -T csv\n    help: add -T fields or -T csv",
        ),
        (
            "-V -T json",
            "-V and -x write text, which the other formats cannot contain\n    \
             help: omit -T, or use -T text; -T ndjson has every field and byte too",
        ),
        (
            "-z conv -T ndjson",
            "-z prints tables for people, which other formats than table and text cannot hold\n    \
             help: run it a second time for -z, or omit -T",
        ),
        (
            "-q -T csv",
            "-q leaves nothing of this format\n    help: omit -q or -T",
        ),
        (
            "-i lo",
            "-i and files exclude each other\n    help: omit one of them",
        ),
        (
            "-c 0",
            "invalid value '0' for '-c <N>': a count is a whole number from 1",
        ),
        (
            "-c x",
            "invalid value 'x' for '-c <N>': a count is a whole number from 1",
        ),
        (
            "-a messages:0",
            "invalid value 'messages:0' for '-a <STOP>': a count is a whole number from 1",
        ),
        (
            "-s x -i lo",
            "invalid value 'x' for '-s <N>': a snap length is a number of bytes, or 0 for whole \
             packets",
        ),
        ("-f udp", HOW_TO_CAPTURE),
        (
            "-f type==data",
            "-f filters the packets of a live capture, and there is no -i\n    \
             help: this is a filter of messages: give it with -Y in place of -f",
        ),
        ("-s 64", HOW_TO_CAPTURE),
        ("-p", HOW_TO_CAPTURE),
        ("-B 1MiB", HOW_TO_CAPTURE),
        (
            "-a duration:10",
            "invalid value 'duration:10' for '-a <STOP>': a duration needs a unit: us, ms, s, m, \
             h or d; did you mean 10s?",
        ),
        (
            "-z io,5",
            "invalid value 'io,5' for '-z <STAT>': a duration needs a unit: us, ms, s, m, h or \
             d; did you mean 5s?",
        ),
        (
            "-z conf",
            "invalid value 'conf' for '-z <STAT>': unknown statistic \"conf\"; there are conv, \
             types, timing, findings, io,1s, follow,c1[,text|hex|raw] and \
             ladder[,c1[,text|mermaid|svg]]; did you mean conv?",
        ),
        (
            "-T fields -e typ",
            "invalid value 'typ' for '-e <FIELD>': unknown field \"typ\"; did you mean type? \
             (fields: ministream-dump --list-fields)",
        ),
        (
            "--conv 3",
            "invalid value '3' for '--conv <CONV>': conversations are named c1,c3 and so on; \
             \"3\" is none",
        ),
        (
            "--schema 2",
            "invalid value '2' for '--schema <N>'\n  [possible values: 1]",
        ),
        (
            "--json -T text",
            "the argument '--json' cannot be used with '-T <FORMAT>'",
        ),
        (
            "--whole-conv",
            "the following required arguments were not provided:\n  -Y <FILTER>",
        ),
        (
            "--no-such-flag",
            "unexpected argument '--no-such-flag' found",
        ),
    ] {
        let said = dump(&format!("{arguments} {SAMPLES}")).reason();
        assert_eq!(said, reason, "{arguments}");
    }
}

#[cfg(feature = "live")]
#[test]
fn a_live_capture_that_cannot_start_says_why() {
    let said = dump("-i no-such-interface").reason();
    assert_eq!(
        said,
        "cannot capture on no-such-interface: no such interface\n    help: -D lists the interfaces"
    );
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
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!(summary["exit_code"], 3, "{summary}");
    assert_eq!(summary["inputs"][0]["truncated"], true, "{summary}");
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
    let alone = dump(&format!("-T ndjson --conv c3 {SAMPLES}")).ok();
    assert_eq!(
        several.stdout,
        alone.replace("\"exit_code\":0}", "\"exit_code\":2}")
    );
    assert_eq!(
        several.stderr,
        "ministream-dump: error: there is no conversation c7, c9\n    \
         help: the capture has c1 to c3; -q -z conv lists them\n"
    );
    let ladder = dump(&format!("-z ladder,c99 {SAMPLES}"));
    assert_eq!(ladder.code, Some(2));
    assert_eq!(
        ladder.stdout,
        "no conversation c99 among the messages shown\n"
    );
    assert_eq!(
        ladder.stderr,
        "ministream-dump: error: there is no conversation c99\n    \
         help: the capture has c1 to c3; -q -z conv lists them\n"
    );
    assert_eq!(
        dump("-z follow,c1 captures/empty.pcap").reason(),
        "there is no conversation c1\n    help: the capture has none"
    );
    // Reading stopped before it could come.
    let stopped = dump(&format!("-T text -c 1 -z follow,c3 {SAMPLES}"));
    assert_eq!(stopped.code, Some(0));
    assert_eq!(
        stopped.stderr,
        "ministream-dump: warning: there is no conversation c3\n    \
         help: the capture has one, c1\n"
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
    assert_eq!(
        said,
        "ministream-dump: error: cannot write results: no space left on device\n"
    );
}

#[test]
fn garbage_on_standard_input_is_refused() {
    for (input, reason) in [
        (&b""[..], "it is empty"),
        (b"\xd4", "it begins with d4"),
        (b"not a capture", "it looks like text"),
        (&[0; 100], "it begins with 0000000000000000"),
    ] {
        let help = "help: pcap and pcapng files are read, also compressed with gzip or zstd";
        assert_eq!(
            pipe("-", input).reason(),
            format!("- is not a capture file: {reason}\n    {help}"),
            "{input:?}"
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

const SHORT_HELP: &str = "\
Dissect ministreaming traffic, I2P's first tunnel protocol

Usage: ministream-dump [OPTIONS] [FILE]...

  ministream-dump capture.pcap                messages, conversations, findings
  ministream-dump capture.pcap -z follow,c1   the contents of one conversation
  ministream-dump -i lo -f 'tcp port 9004'    the same, live

Options:
  -i <IFACE>             Capture on an interface
  -f <BPF>               Capture filter in libpcap's language: 'tcp port 9004'
  -Y <FILTER>            Show matching messages: 'type==data && conv==c3'
      --conv <CONV>      Show only these conversations: c1,c3
  -T <FORMAT>            Format of messages [possible values: table, text, spec,
                         json, ndjson, csv, fields]
  -V                     Every field of a message, with its offset
  -z <STAT>              Tables: conv, types, timing, findings, follow,c1 …
      --tui              Browse conversations; ? shows the keys
      --html <FILE>      A report for a browser, in one file
  -w <FILE>              Packets of the selection as pcapng
  -q                     No messages, only the tables asked for
      --fail-on <LEVEL>  Exit with 1 on a note, warn, error, or if empty
  -h, --help             Print help (see more with '--help')
";

#[test]
fn help_and_version_go_to_standard_output() {
    let short = run_in(80, "-h");
    assert_eq!(short, SHORT_HELP);
    // A line is left for the prompt of a terminal of 80 columns and 24 lines.
    assert!(short.lines().count() <= 23, "{short}");
    assert!(
        short.lines().all(|line| line.chars().count() <= 80),
        "{short}"
    );
    let long = run_in(80, "--help");
    assert!(long.starts_with(short.lines().next().unwrap()), "{long}");
    // All of it is in the manual page, which `shipped` compares.
    for line in [
        "      --lenient",
        "Exit codes: 0 fine; 1 a check of --fail-on failed; 2 could not start; 3",
    ] {
        assert!(long.lines().any(|one| one == line), "{line:?}\n{long}");
    }
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
