//! `--html` of `replay` and `conform`, as far as no browser is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{SAMPLES, Server, code, reason, run, stderr, stdout, timeless};

/// The samples with another answer in their first conversation, as records.
fn changed_samples(directory: &Path) -> PathBuf {
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([SAMPLES, "-T", "ndjson"])
        .output()
        .expect("the program starts");
    let records = String::from_utf8(dump.stdout).expect("records are UTF-8");
    let (want, got) = (
        hex::encode("HTTP/1.0 200 OK"),
        hex::encode("HTTP/1.0 500 No"),
    );
    assert!(records.contains(&want), "{records}");
    let path = directory.join("changed.ndjson");
    fs::write(&path, records.replace(&want, &got)).expect("a file can be written");
    path
}

fn replay(mock: &Server, more: &[&str]) -> std::process::Output {
    let fixed = ["replay", SAMPLES, "--carrier", &mock.carrier, "--topspeed"];
    run(&[&fixed[..], more].concat())
}

/// A mock that answers otherwise than recorded.
fn differing_mock(directory: &TempDir) -> Server {
    let changed = changed_samples(directory.path());
    let changed = changed.to_str().expect("the path is UTF-8");
    let fixed = [
        changed,
        "--carrier",
        "tcp://127.0.0.1:0",
        "--loops",
        "forever",
    ];
    Server::quiet("mock", &fixed)
}

#[test]
fn the_page_of_a_replay_shows_the_verdict_what_differs_and_both_ladders() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mock = differing_mock(&directory);
    let path = directory.path().join("replay.html");
    let path = path.to_str().expect("the path is UTF-8");
    let output = replay(&mock, &["--html", path]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert_eq!(
        stderr(&output),
        format!("ministream-replay: wrote {path}\n")
    );
    let table = stdout(&output);
    let (_, differs) = table.split_once("\nc1 ← ").expect("it says where");
    assert_eq!(
        timeless(differs),
        "\
offset 9
   want  HTTP/1.0 [2]00 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n
   got   HTTP/1.0 [5]00 No\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n
c1 ← offset 13
   want  HTTP/1.0 200 [OK]\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n
   got   HTTP/1.0 500 [No]\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n
3 conversations: 2 same, 1 differs. Not replayed: #12 orphan, #13 ping, #14 unknown type.
sent 5 messages in T; worst send T late; handshake p50 T p99 T max T   FAILED
"
    );
    let page = fs::read_to_string(path).expect("the page is there");
    for expected in [
        "default-src 'none'; style-src 'sha256-",
        "<p class=\"verdict failed\">FAILED: 1 of 3 conversations was not answered as recorded</p>",
        "<details class=\"tested error\" open>",
        "HTTP/1.0 200 <mark>OK</mark>\\r\\nContent-Length",
        "HTTP/1.0 500 <mark>No</mark>\\r\\nContent-Length",
        "32 30 30 20 <mark>4f 4b</mark> 0d 0a",
        "aria-label=\"c1 as recorded and live\"",
        ">differs</text>",
        "Handshakes, recorded",
        "Handshakes, live",
        "Messages sent late by",
        "Not replayed: #12 orphan",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(page.matches("class=\"ladder pair\"").count(), 3);
}

#[test]
fn the_page_takes_the_place_of_the_table_on_standard_output() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mock = differing_mock(&directory);
    let output = replay(&mock, &["--html", "-"]);
    let page = stdout(&output);
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(page.ends_with("</html>\n"), "{page}");
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_sent() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (precious, link) = (
        directory.path().join("precious"),
        directory.path().join("link"),
    );
    fs::write(&precious, "mine").expect("a file can be written");
    std::os::unix::fs::symlink(&precious, &link).expect("a link can be made");
    let link = link.to_str().expect("the path is UTF-8");
    for (path, problem) in [
        ("no/such/directory/page.html", "no such file or directory"),
        (
            link,
            "a symbolic link to a file, which would be overwritten",
        ),
    ] {
        let replay = &["replay", SAMPLES][..];
        for (command, flag) in [
            (replay, "--html"),
            (&["conform", "server"], "--html"),
            (replay, "--junit"),
            (&["server", "--target", "127.0.0.1:1"], "--capture"),
        ] {
            let carrier = ["--carrier", "tcp://127.0.0.1:1", flag, path];
            let output = run(&[command, &carrier].concat());
            assert_eq!(reason(&output), format!("cannot write {path}: {problem}"));
        }
    }
    assert_eq!(fs::read(&precious).expect("it is there"), b"mine");
}

#[test]
fn the_page_of_conform_shows_sentence_step_and_messages_of_what_failed() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // It answers any SYN.
    let mock = differing_mock(&directory);
    let path = directory.path().join("conform.html");
    let path = path.to_str().expect("the path is UTF-8");
    let fixed = [
        "conform",
        "server",
        "ms/handshake/1",
        "ms/handshake/5",
        "--strict",
    ];
    let output = run(&[&fixed[..], &["--carrier", &mock.carrier, "--html", path]].concat());
    assert_eq!(code(&output), 1, "{output:?}");
    let page = fs::read_to_string(path).expect("the page is there");
    for expected in [
        "<p class=\"verdict failed\">FAILED: 1 of 2 cases</p>",
        "<details class=\"tested error\" id=\"ms/handshake/5\" open>",
        "<blockquote>A SYN without a destination is dropped without an answer</blockquote>",
        "<code>expect nothing for $c within 1s</code>: <strong>something came</strong>",
        "<td class=\"\">→ sent</td><td class=\"mono\">a1",
        "<td class=\"\">← received</td><td class=\"mono\">51",
        "<details class=\"tested passed\" id=\"ms/handshake/1\">",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(!page.contains("<script"), "{page}");
}
