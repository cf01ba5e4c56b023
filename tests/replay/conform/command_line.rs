//! What `conform` takes, and how it ends.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};

use super::server::{Defect, Manner, start};
use super::{free_address, listed, verdicts};
use crate::peer::{Act, serve, to_client};
use crate::process::{PROGRAM, Server, code, reason, run, send, stderr, stdout, timeless};

const NOBODY: [&str; 2] = ["--carrier", "tcp://127.0.0.1:1"];

#[test]
fn a_case_that_there_is_not_exits_with_2_and_says_where_they_are_named() {
    for (tested, case) in [
        ("server", "ms/close/8"),
        ("server", "ms/clo"),
        ("server", "close"),
        ("client", "ms/handshake/1/2"),
        ("client", ""),
    ] {
        for more in [&NOBODY[..], &["--list"]] {
            let output = run(&[&["conform", tested, "ms/data", case][..], more].concat());
            assert_eq!(code(&output), 2, "{case}");
            assert_eq!(stdout(&output), "");
            assert_eq!(
                stderr(&output),
                format!(
                    "ministream-replay: error: no case for a {tested} is called {case:?}\n    \
                     help: ministream-replay conform {tested} --list names them\n"
                )
            );
        }
    }
}

#[test]
fn the_list_has_the_cases_that_are_named_in_whole_or_by_their_beginning() {
    let list = |case: &str| stdout(&run(&["conform", "server", "--list", case]));
    assert_eq!(
        list("ms/close/4"),
        "ms/close/4     should  a close is not answered\n"
    );
    assert_eq!(list("ms/close"), list("ms/close/"));
    for tested in ["server", "client"] {
        let output = run(&["conform", tested, "--list"]);
        assert_eq!((code(&output), stderr(&output)), (0, String::new()));
        let text = stdout(&output);
        assert_eq!(text.lines().count(), listed(tested).len(), "{text}");
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            assert!(words[0].starts_with("ms/"), "{line}");
            assert!(["must", "should"].contains(&words[1]), "{line}");
        }
    }
}

#[test]
fn flags_that_are_missing_or_do_not_go_together_exit_with_2() {
    let dial = ["--dial", "127.0.0.1:1"];
    let service = ["--service", "127.0.0.1:1"];
    let unwritable = ["--junit", "captures/gone/file"];
    let no_carrier = "the following required arguments were not provided:\n  --carrier <URL>";
    for (arguments, expected) in [
        (vec!["server"], no_carrier),
        (vec!["client", "--dial", "127.0.0.1:1"], no_carrier),
        (
            vec!["peer", "--list"],
            "invalid value 'peer' for '<TESTED>'\n  [possible values: server, client]",
        ),
        (
            [&["client"], &NOBODY[..]].concat(),
            "--dial: is missing: where does the client listen?",
        ),
        (
            [&["server"], &NOBODY[..], &dial].concat(),
            "--dial: is for clients; a server connects, to --service",
        ),
        (
            [&["client"], &NOBODY[..], &service].concat(),
            "--service: is for servers; a client is dialled, with --dial",
        ),
        (
            [&["server"], &NOBODY[..], &["--service", "127.0.0.1:0"]].concat(),
            "--service: needs the port that the peer knows, and not 0",
        ),
        (
            [&["client"], &NOBODY[..], &["--dial", "192.0.2.1:80"]].concat(),
            "--dial 192.0.2.1:80 is not a loopback address\n    \
             help: add --allow-remote if it is meant to be reached from other machines",
        ),
        (
            [&["server"], &NOBODY[..], &dial, &service].concat(),
            "the argument '--dial <ADDR>' cannot be used with '--service <ADDR>'",
        ),
        (
            [&["server"], &NOBODY[..], &unwritable].concat(),
            "cannot write captures/gone/file: no such file or directory",
        ),
    ] {
        let output = run(&[&["conform"], &arguments[..]].concat());
        assert_eq!(reason(&output), expected, "{arguments:?}");
    }
}

#[test]
fn a_carrier_where_nobody_listens_exits_with_4() {
    let impatient = ["--connect-timeout", "0s"];
    let output = run(&[&["conform", "server"], &NOBODY[..], &impatient].concat());
    assert_eq!(code(&output), 4);
    assert_eq!(
        stderr(&output),
        "ministream-replay: error: tcp://127.0.0.1:1: connection refused\n    \
         help: is a server listening?  ss -ltn 'sport = :1'\n"
    );
}

/// What is said of a UDP carrier on which one message was sent and none came.
fn no_answer(carrier: &str, refusal: &str) -> String {
    let (_, port) = carrier.rsplit_once(':').expect("it has a port");
    format!(
        "ministream-replay: error: no answer from {carrier}: messages: 1 sent, 0 came in T\n    \
         help: {refusal}; is a server listening?  ss -lun 'sport = :{port}'\n"
    )
}

#[test]
fn a_server_that_never_says_anything_exits_with_4_although_a_case_passed() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it is bound");
    let carrier = format!("udp://{address}");
    let output = run(&["conform", "server", "ms/handshake/5", "--carrier", &carrier]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert_eq!(verdicts(&stdout(&output))["ms/handshake/5"], "passed");
    assert_eq!(
        timeless(&stderr(&output)),
        no_answer(&carrier, "UDP gives no refusal here")
    );
}

#[test]
fn a_udp_port_that_is_refused_exits_with_4() {
    let carrier = format!("udp://{}", free_address());
    let conform = ["conform", "server", "ms/handshake/1", "--carrier", &carrier];
    let output = run(&[&conform[..], &["--connect-timeout", "0s"]].concat());
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert_eq!(
        timeless(&stderr(&output)),
        no_answer(&carrier, "the port was refused")
    );
}

/// A JUnit report without its times.
fn junit(path: &Path) -> String {
    let report = fs::read_to_string(path).expect("the report was written");
    let time = regex::Regex::new(" time=\"[0-9.]+\"").expect("it is a pattern");
    assert_eq!(time.find_iter(&report).count(), 1, "{report}");
    time.replace(&report, "").into_owned()
}

#[test]
fn what_should_be_otherwise_is_a_warning_and_fails_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("junit.xml");
    let service = free_address();
    let carrier = start(Manner::Wrong(Defect::AnswersClose), service);
    let service = service.to_string();
    let fixed = ["conform", "server", "--carrier", &carrier];
    let cases = ["ms/close/4", "ms/close/3", "ms/wire/5"];
    let files = [
        "--service",
        &service,
        "--junit",
        path.to_str().expect("it is UTF-8"),
    ];
    let arguments = [&fixed[..], &cases, &files].concat();

    let report = |failures, skipped, fate| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"conform server at {carrier}\" tests=\"3\" \
             failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n  \
             <testcase name=\"ms/close/3 the end of the service's answer becomes a close\"/>\n  \
             <testcase name=\"ms/close/4 a close is not answered\"><{fate} \
             message=\"expect nothing for $c within 500ms: something came\"/></testcase>\n  \
             <testcase name=\"ms/wire/5 data are at most 32768 bytes\"><skipped \
             message=\"no message came that it applies to\"/></testcase>\n\
             </testsuite>\n"
        )
    };
    let output = run(&arguments);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert_eq!(verdicts(&text)["ms/close/4"], "warning");
    assert_eq!(
        timeless(text.lines().last().expect("it says something")),
        "3 cases in T: 1 passed, 1 with a warning, 1 skipped   PASSED"
    );
    assert_eq!(junit(&path), report(0, 2, "skipped"));

    let output = run(&[&arguments[..], &["--strict"]].concat());
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}");
    assert_eq!(verdicts(&text)["ms/close/4"], "FAILED");
    assert_eq!(
        timeless(text.lines().last().expect("it says something")),
        "3 cases in T: 1 passed, 1 failed, 1 skipped   FAILED"
    );
    assert_eq!(junit(&path), report(1, 1, "failure"));
}

#[test]
fn a_case_that_fails_is_tried_again_as_often_as_is_asked_for() {
    for (retries, exit_code, word) in [("0", 1, "FAILED"), ("1", 0, "passed")] {
        let service = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let service = service.local_addr().map(|address| (service, address));
        let (_service, address) = service.expect("it is bound");
        let carrier = start(Manner::Wrong(Defect::AnswersTheFirstClose), address);
        let fixed = ["conform", "server", "--strict", "--carrier", &carrier];
        let output = run(&[&fixed[..], &["ms/close/4", "--retries", retries]].concat());
        assert_eq!(code(&output), exit_code, "{}", stdout(&output));
        assert_eq!(verdicts(&stdout(&output))["ms/close/4"], word);
    }
}

/// A server that accepts everything and has no TCP side.
fn accepting() -> String {
    serve("tcp", |message: &[u8]| match *message {
        [0xa1, a, b, c, _, ..] => vec![to_client(0x51, [a, b, c], &[a, b, c])],
        _ => Vec::new(),
    })
}

#[test]
fn without_a_service_the_cases_that_need_it_are_skipped_and_the_others_decide() {
    let output = run(&["conform", "server", "--carrier", &accepting()]);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    let verdicts = verdicts(&text);
    let mut tried: Vec<&str> = verdicts
        .iter()
        .filter(|(_, word)| *word != "skipped")
        .map(|(name, _)| &**name)
        .collect();
    tried.retain(|name| !name.starts_with("ms/wire"));
    assert_eq!(
        tried,
        [
            "ms/close/4",
            "ms/handshake/1",
            "ms/handshake/4",
            "ms/handshake/5",
            "ms/handshake/6"
        ]
    );
    let skipped = "skipped ms/data/1      must    data reach the service, and its answer comes \
                   back with the client's id; there is no test service on the TCP side of the peer";
    assert!(text.lines().any(|line| line == skipped), "{text}");
}

#[test]
fn cases_of_which_none_could_be_tried_prove_nothing() {
    let output = run(&["conform", "server", "ms/data", "--carrier", &accepting()]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    assert!(
        stdout(&output).ends_with(": 8 skipped   FAILED\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_service_whose_port_another_program_has_exits_with_2() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = other.local_addr().expect("it is bound").to_string();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("junit.xml");
    let carrier = accepting();
    let output = run(&[
        "conform",
        "server",
        "--carrier",
        &carrier,
        "--service",
        &address,
        "--junit",
        path.to_str().expect("it is UTF-8"),
    ]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        stderr(&output),
        format!(
            "ministream-replay: error: cannot be the service at {address}: address already in \
             use\n    help: another program has this port: end it, so that we can listen at \
             {address}, where the server's target is\n"
        )
    );
    assert_eq!(
        junit(&path),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"conform server at {carrier}\" tests=\"1\" failures=\"0\" \
             errors=\"1\" skipped=\"0\">\n  \
             <testcase name=\"the whole run\">\
             <error message=\"cannot be the service at {address}: address already in use\"/></testcase>\n\
             </testsuite>\n"
        )
    );
}

#[test]
fn a_carrier_that_is_gone_for_good_fails_its_case_and_then_the_run_with_4() {
    let mut opened = 0;
    let carrier = serve("tcp", move |message: &[u8]| match *message {
        [0xa1, a, b, c, ..] => {
            opened += 1;
            match opened {
                1 => vec![to_client(0x51, [a, b, c], &[a, b, c])],
                _ => vec![Act::Leave],
            }
        }
        _ => Vec::new(),
    });
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("junit.xml");
    let names = ["ms/handshake/1", "ms/handshake/4", "ms/close/4"];
    let fixed = ["conform", "server", "--carrier", &carrier, "--junit"];
    let path_text = path.to_str().expect("it is UTF-8");
    let output = run(&[&fixed[..], &[path_text], &names].concat());
    let text = stdout(&output);
    assert_eq!(code(&output), 4, "{text}{}", stderr(&output));
    let error = format!("ministream-replay: error: {carrier}: connection refused\n");
    assert!(stderr(&output).starts_with(&error), "{}", stderr(&output));
    let verdicts = verdicts(&text);
    assert_eq!(verdicts["ms/handshake/1"], "passed", "{text}");
    assert_eq!(verdicts["ms/handshake/4"], "warning", "{text}");
    assert_eq!(verdicts.len(), 2, "{text}");
    assert_eq!(
        junit(&path),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"conform server at {carrier}\" tests=\"3\" failures=\"0\" \
             errors=\"1\" skipped=\"1\">\n  \
             <testcase name=\"ms/handshake/1 a SYN is answered by an ACK with a server id\"/>\n  \
             <testcase name=\"ms/handshake/4 bytes after the destination of a SYN are ignored\">\
             <skipped message=\"the carrier: the other end closed the connection\"/>\
             </testcase>\n  \
             <testcase name=\"the whole run\"><error message=\"{carrier}: connection refused\"/></testcase>\n\
             </testsuite>\n"
        )
    );
}

#[test]
fn a_carrier_that_goes_with_the_last_case_is_not_opened_again() {
    let carrier = serve("tcp", move |message: &[u8]| match *message {
        [0xa1, a, b, c, ..] => vec![to_client(0x51, [a, b, c], &[a, b, c])],
        _ => vec![Act::Leave],
    });
    let output = run(&["conform", "server", "ms/close/4", "--carrier", &carrier]);
    let text = stdout(&output);
    // Between them are the messages, with an id of the run's own.
    let (before, rest) = text
        .split_once("          sent      ")
        .expect("a SYN was sent");
    assert_eq!(
        before,
        "warning ms/close/4     should  a close is not answered\n          \
         step      the carrier: the other end closed the connection\n"
    );
    assert!(rest.ends_with(": 1 with a warning   FAILED\n"), "{text}");
    assert_eq!(code(&output), 1, "{}", stderr(&output));
}

#[test]
fn ctrl_c_ends_a_run_with_130_and_the_report_says_that_it_was_cut_short() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("junit.xml");
    let carrier = accepting();
    let names = ["ms/handshake/1", "ms/handshake/5", "ms/close/4"];
    let fixed = ["conform", "server", "--carrier", &carrier, "--junit"];
    let mut child = Command::new(PROGRAM)
        .args(fixed)
        .arg(&path)
        .args(names)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("the first case is told");
    assert!(line.starts_with("passed  ms/handshake/1 "), "{line}");
    // The second case waits for a second.
    send(&child, rustix::process::Signal::INT);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).expect("its output ends");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest}");
    let end = "ended early: stopped by a signal\n1 case in 0.";
    assert!(rest.starts_with(end), "{rest}");
    assert_eq!(
        junit(&path),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"conform server at {carrier}\" tests=\"2\" failures=\"0\" \
             errors=\"1\" skipped=\"0\">\n  \
             <testcase name=\"ms/handshake/1 a SYN is answered by an ACK with a server id\"/>\n  \
             <testcase name=\"the whole run\"><error message=\"stopped by a signal\"/></testcase>\n\
             </testsuite>\n"
        )
    );
}

#[test]
fn a_client_that_never_listens_is_waited_for_until_ctrl_c() {
    let dial = free_address().to_string();
    let mut conform = Server::quiet(
        "conform",
        &["client", "--carrier", "udp://127.0.0.1:0", "--dial", &dial],
    );
    send(&conform.child, rustix::process::Signal::INT);
    assert_eq!(conform.child.wait().expect("it ends").code(), Some(130));
}
