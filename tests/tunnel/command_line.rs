//! What the programs print, and how they end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Output, Stdio};

use rustix::process::Signal;

use crate::endpoint::{Endpoint, Tunnel, command};
use crate::services::{echo, exchange, pattern};
use crate::tls::People;
use ministream_fixtures::unused_address;

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// An error without the usage and hints that clap adds behind an empty line.
fn before_hints(error: &str) -> &str {
    let (words, _) = error.split_once("\n\n").unwrap_or((error, ""));
    words
}

#[test]
fn the_ready_file_does_not_overwrite_what_a_link_leads_to() {
    let directory = tempfile::tempdir().unwrap();
    let precious = directory.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let file = directory.path().join("ready");
    std::os::unix::fs::symlink(&precious, directory.path().join("ready.partial")).unwrap();
    let target = unused_address().to_string();
    let arguments = [
        "server",
        "--carrier",
        "udp://127.0.0.1:0",
        "--target",
        &target,
    ];
    let arguments = [&arguments[..], &["--ready-file", file.to_str().unwrap()]].concat();
    let output = command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "ministream-replay: error: cannot write {}: a symbolic link to a file, which would be \
             overwritten\n",
            file.display()
        )
    );
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn the_ready_line_names_what_was_bound_also_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready");
    let target = unused_address();
    let server = Endpoint::server(
        "udp://127.0.0.1:0",
        target,
        &["--ready-file", file.to_str().unwrap()],
    );
    let port = server
        .carrier()
        .strip_prefix("udp://127.0.0.1:")
        .unwrap()
        .parse::<u16>()
        .unwrap();
    assert_ne!(port, 0);
    let line = format!("ready server target={target} carrier=udp://127.0.0.1:{port}\n");
    assert_eq!(server.ready, line);
    assert_eq!(fs::read_to_string(file).unwrap(), line);
    let client = Endpoint::client(server.carrier(), &[]);
    assert_eq!(
        client.ready,
        format!(
            "ready client listen={} carrier=udp://127.0.0.1:{port}\n",
            client.listen()
        )
    );
}

#[test]
fn a_carrier_that_does_not_exist_is_told_and_ends_with_2() {
    let (code, text) = refusal(&[
        "client",
        "--carrier",
        "http://h:1",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(code, Some(2));
    assert_eq!(
        before_hints(&text),
        "error: invalid value 'http://h:1' for '--carrier <URL>': unknown carrier \"http\"; use \
         udp://, tcp://, tls:// or i2cp://"
    );
}

#[test]
fn addresses_beyond_this_machine_need_a_flag_which_is_named() {
    let people = People::new();
    let keys = people.keys("server");
    let capture = "captures/spec-samples.pcap";
    let client = "client --carrier udp://127.0.0.1:9";
    let server = "server --target 127.0.0.1:80 --carrier";
    let proxy = "proxy --upstream tcp://127.0.0.1:9 --carrier";
    for (words, more, what) in [
        (client, "--listen 0.0.0.0:0", "--listen 0.0.0.0:0"),
        (client, "--listen [::]:0", "--listen [::]:0"),
        (
            client,
            "--listen [::ffff:192.0.2.1]:0",
            "--listen [::ffff:192.0.2.1]:0",
        ),
        // The resolver's way to write 0.0.0.0.
        (client, "--listen 0:0", "--listen 0.0.0.0:0"),
        (
            client,
            "--listen 127.0.0.1:0 --metrics 0.0.0.0:0",
            "--metrics 0.0.0.0:0",
        ),
        (
            "server --carrier udp://127.0.0.1:0",
            "--target 192.0.2.1:80",
            "--target 192.0.2.1:80",
        ),
        (server, "udp://0.0.0.0:0", "udp://0.0.0.0:0"),
        (server, "tcp://[::]:0", "tcp://[::]:0"),
        (
            server,
            "udp://[::ffff:192.0.2.1]:0",
            "udp://[::ffff:192.0.2.1]:0",
        ),
        (server, "tcp://0:0", "tcp://0:0"),
        (
            server,
            &format!("tls://0.0.0.0:0 --allow any --keys {keys}"),
            "tls://0.0.0.0:0",
        ),
        (
            server,
            "tcp://127.0.0.1:0 --metrics [::]:0",
            "--metrics [::]:0",
        ),
        (proxy, "tcp://0.0.0.0:0", "tcp://0.0.0.0:0"),
        (
            "proxy --upstream i2cp://127.0.0.1:9",
            "--carrier i2cp://[::]:0",
            "i2cp://[::]:0",
        ),
        (
            proxy,
            "tcp://127.0.0.1:0 --metrics 0.0.0.0:0",
            "--metrics 0.0.0.0:0",
        ),
        ("mock --carrier tcp://0.0.0.0:0", capture, "tcp://0.0.0.0:0"),
        ("mock --carrier udp://[::]:0", capture, "udp://[::]:0"),
    ] {
        let arguments: Vec<&str> = words.split(' ').chain(more.split(' ')).collect();
        assert_eq!(
            refusal(&arguments),
            (
                Some(2),
                format!(
                    "ministream-replay: error: {what} is not a loopback address\n    help: add \
                     --allow-remote if it is meant to be reached from other machines\n"
                )
            ),
            "{arguments:?}"
        );
    }
    // Who controls a proxy decides what passes: no flag opens that to others.
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:192.0.2.1]:0"] {
        for more in [&[][..], &["--allow-remote"]] {
            let proxy = format!("{proxy} tcp://127.0.0.1:0 --control {address}");
            let arguments: Vec<&str> = proxy.split(' ').chain(more.iter().copied()).collect();
            assert_eq!(
                refusal(&arguments),
                (
                    Some(2),
                    format!(
                        "ministream-replay: error: --control {address} is not a loopback address\n    \
                         help: whoever reaches it can change the traffic, so only this machine may\n"
                    )
                )
            );
        }
    }
}

#[test]
fn what_cannot_be_bound_or_connected_to_ends_with_4() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let carrier = format!("tcp://{taken}");
    let (code, text) = refusal(&["server", "--carrier", &carrier, "--target", "127.0.0.1:9"]);
    assert_eq!(code, Some(4));
    assert_eq!(
        text,
        format!(
            "ministream-replay: error: cannot bind {carrier}: address already in use\n    \
             help: another program has this port; port 0 takes any that is free\n"
        )
    );
    let (code, text) = refusal(&[
        "client",
        "--carrier",
        "udp://127.0.0.1:9",
        "--listen",
        &taken,
    ]);
    assert_eq!(code, Some(4));
    assert_eq!(
        text,
        format!(
            "ministream-replay: error: cannot listen on {taken}: address already in use\n    \
             help: another program has this port; port 0 takes any that is free\n"
        )
    );
    drop(holder);

    let nobody = unused_address();
    let carrier = format!("tcp://{nobody}");
    let (code, text) = refusal(&[
        "client",
        "--carrier",
        &carrier,
        "--listen",
        "127.0.0.1:0",
        "--connect-timeout",
        "1s",
    ]);
    assert_eq!(code, Some(4));
    let (waiting, error) = text.split_once('\n').unwrap();
    assert!(
        waiting.ends_with(&format!("waiting for {carrier} (connection refused)")),
        "{waiting}"
    );
    assert_eq!(
        error,
        format!(
            "ministream-replay: error: {carrier}: connection refused\n    \
             help: is a server listening?  ss -ltn 'sport = :{}'\n",
            nobody.port()
        )
    );
}

#[test]
fn durations_without_a_unit_are_refused_with_a_suggestion() {
    let (code, text) = refusal(&[
        "client",
        "--carrier",
        "udp://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
        "--handshake-timeout",
        "5",
    ]);
    assert_eq!(code, Some(2));
    assert_eq!(
        before_hints(&text),
        "error: invalid value '5' for '--handshake-timeout <TIME|off>': a duration needs a unit: \
         us, ms, s, m, h or d; did you mean 5s?"
    );
}

#[test]
fn signals_end_both_ends_in_an_orderly_way() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &[]);
        let stream = tunnel.connect();
        let sent = pattern(1_000);
        assert_eq!(exchange(&stream, &sent), sent);
        tunnel.client.signal(signal);
        assert_eq!(tunnel.client.wait().code(), Some(0));
        tunnel.server.signal(signal);
        assert_eq!(tunnel.server.wait().code(), Some(0));
        let log = tunnel.server.log();
        assert!(
            log.ends_with("1 conversation, 1000 B sent, 1000 B received, 0 refused, 1 failed\n"),
            "the application had not ended its input: {log}"
        );
        assert_eq!(log.lines().count(), 1, "and no bytes were lost: {log}");
    }
}

#[test]
fn help_version_completions_and_manual_are_printed() {
    for (arguments, expected) in [
        (&["-h"][..], "\n  ministream-replay server "),
        (&["--help"], "--carrier tcp://127.0.0.1:9004"),
        (&["client", "--help"], "--on-eof"),
        (&["client", "-h"], "\n  ministream-replay client "),
        (&["server", "-h"], "\n  ministream-replay server "),
        (
            &["--version"],
            concat!("ministream-replay ", env!("CARGO_PKG_VERSION")),
        ),
        (&["completions", "bash"], "complete -F"),
        (&["completions", "zsh"], "#compdef ministream-replay"),
        (&["man"], ".TH ministream-replay"),
    ] {
        let output = run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn the_log_is_json_with_the_conversations_fields_if_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let tunnel = Tunnel::to(
        "tcp://127.0.0.1:0",
        echo(),
        &[
            "-v",
            "--log-format",
            "json",
            "--log-file",
            log.to_str().unwrap(),
        ],
    );
    let sent = pattern(10);
    exchange(&tunnel.connect(), &sent);
    crate::endpoint::eventually("both ends have told the opening", || {
        fs::read_to_string(&log)
            .unwrap()
            .matches("conversation opened")
            .count()
            == 2
    });
    let text = fs::read_to_string(&log).unwrap();
    let opened: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["message"] == "conversation opened")
        .collect();
    assert_eq!(opened[0]["client_id"], opened[1]["client_id"]);
    assert_eq!(opened[0]["server_id"], opened[1]["server_id"]);
    for line in &opened {
        assert_eq!(line["client_id"].as_str().unwrap().len(), 6);
        assert_eq!(line["conv"], "c1");
        assert!(line["handshake_us"].is_u64(), "{line}");
        let ids = line["base64"].as_str().unwrap().split('/');
        assert_eq!(ids.map(str::len).collect::<Vec<_>>(), [4, 4]);
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
    assert_eq!(tunnel.client.log(), "");
}

#[test]
fn the_log_is_coloured_as_the_flag_and_else_the_environment_say() {
    for (arguments, environment, is_coloured) in [
        (&[][..], &[][..], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&["--log-format", "json"], &[], false),
    ] {
        let log = log_of_a_server_that_ends(arguments, environment);
        assert!(log.contains("closing"), "{log}");
        let case = (arguments, environment);
        assert_eq!(log.contains('\u{1b}'), is_coloured, "{case:?}: {log}");
    }
}

#[test]
fn parts_of_the_program_log_as_much_as_the_variable_says() {
    for (filter, is_told) in [
        ("off,tunnel=info", true),
        ("off,carrier=trace", false),
        ("warn", false),
    ] {
        let log = log_of_a_server_that_ends(&[], &[("MINISTREAM_LOG", filter)]);
        assert_eq!(log.contains("closing"), is_told, "{filter}: {log}");
    }
}

fn log_of_a_server_that_ends(more: &[&str], environment: &[(&str, &str)]) -> String {
    let mut server = command(&["server", "--carrier", "udp://127.0.0.1:0"])
        .args(["--target", "127.0.0.1:9", "-v"])
        .args(more)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut ready)
        .unwrap();
    assert!(ready.starts_with("ready "), "{ready:?}");
    terminate(&server);
    String::from_utf8(server.wait_with_output().unwrap().stderr).unwrap()
}

fn terminate(child: &Child) {
    let id = i32::try_from(child.id()).unwrap();
    let process = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(process, Signal::TERM).unwrap();
}

#[test]
fn limits_and_sizes_that_make_no_sense_are_refused() {
    for (flag, value, reason) in [
        (
            "--max-message",
            "64KiB",
            "a message carries 1 byte to 32KiB",
        ),
        (
            "--max-message",
            "1000",
            "a size needs a unit: B or KiB; did you mean 1000B?",
        ),
        (
            "--buffer",
            "2",
            "a size needs a unit: KiB, MiB or GiB; did you mean 2MiB?",
        ),
        (
            "--udp-rate",
            "8",
            "a size needs a unit: KiB, MiB or GiB; did you mean 8MiB?",
        ),
        // These are the standard library's words.
        (
            "--max-conversations",
            "0",
            "number would be zero for non-zero type",
        ),
        (
            "--max-per-peer",
            "0",
            "number would be zero for non-zero type",
        ),
    ] {
        let target = ["--target", "127.0.0.1:9"];
        let carrier = ["--carrier", "udp://127.0.0.1:0"];
        let arguments = [&["server"][..], &target, &carrier, &[flag, value]].concat();
        let (code, text) = refusal(&arguments);
        assert_eq!(code, Some(2), "{flag} {value}");
        let (invalid, why) = before_hints(&text).split_once(">': ").unwrap();
        let expected = format!("error: invalid value '{value}' for '{flag} <");
        assert!(invalid.starts_with(&expected), "{text}");
        assert_eq!(why, reason, "{flag} {value}");
    }
}
