//! Namespaces for a test: a network with nothing but loopback, a small disk.

use std::env;
use std::path::Path;
use std::process::{self, Command, Stdio};

use crate::program;

/// Set in the copy of the test program that runs inside.
const INSIDE: &str = "MINISTREAM_TEST_NAMESPACE";

/// The test was skipped inside, in the way of Automake.
const SKIPPED: i32 = 77;

/// Whether this is the copy of the test program that runs inside.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs `test` in a network namespace that has nothing but loopback, with all
/// the programs that it starts. `name` is the full name of the calling test.
///
/// The test program starts itself again for that. Where namespaces are not
/// permitted the test runs where it is; what it starts must be content with
/// loopback anyway.
///
/// # Panics
/// The test failed inside.
#[track_caller]
pub fn in_namespace(name: &str, test: impl FnOnce()) {
    if is_inside() {
        return run_inside(test);
    }
    let Some(unshare) = permitted("--net", "ip link set lo up") else {
        eprintln!("no network namespace is permitted here; {name} runs outside of one");
        return test();
    };
    run_again(name, &unshare, "ip link set lo up");
}

/// As [`in_namespace`], on a loopback that has these addresses, too, each with the length of its
/// prefix. Where namespaces are not permitted the test is skipped.
///
/// # Panics
/// The test failed.
#[track_caller]
pub fn among_addresses(name: &str, addresses: &[&str], test: impl FnOnce()) {
    if is_inside() {
        return run_inside(test);
    }
    let mut prepare = "ip link set lo up".to_owned();
    for address in addresses {
        prepare.push_str(&format!(" && ip address add {address} dev lo"));
    }
    match permitted("--net", &prepare) {
        Some(unshare) => run_again(name, &unshare, &prepare),
        None => program::skip("needs a network of its own, which is not permitted here"),
    }
}

/// Runs `test` with a directory of its own that has room for `bytes` and no more: a file system
/// in memory, which only this test and what it starts can see. `name` is the full name of the
/// calling test.
///
/// # Panics
/// The test failed.
#[track_caller]
pub fn on_a_small_disk(name: &str, bytes: u64, test: impl FnOnce(&Path)) {
    // Hides what else is there from the programs of this test alone.
    const DIRECTORY: &str = "/mnt";
    if is_inside() {
        return run_inside(|| test(Path::new(DIRECTORY)));
    }
    let mount = format!("mount -t tmpfs -o size={bytes} tmpfs {DIRECTORY}");
    match permitted("--mount", &mount) {
        Some(unshare) => run_again(name, &unshare, &mount),
        None => program::skip("needs a file system of its own, which is not permitted here"),
    }
}

fn run_inside(test: impl FnOnce()) {
    test();
    if program::skipped() > 0 {
        process::exit(SKIPPED);
    }
}

/// Starts this test program again, for one test, in a namespace that `prepare` makes ready.
#[track_caller]
fn run_again(name: &str, unshare: &[&str], prepare: &str) {
    let program = env::current_exe().expect("a running program has a path");
    let status = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", &format!(r#"{prepare} && exec "$@""#), "sh"])
        .arg(program)
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .status()
        .expect("unshare was there a moment ago");
    if status.code() == Some(SKIPPED) {
        return program::skip("cannot be done in its network namespace: the line above says why");
    }
    assert!(status.success(), "{name} failed in its network namespace");
}

/// How `unshare` makes a namespace of a kind in which `prepare` succeeds: as root, or with a user
/// namespace.
fn permitted(kind: &'static str, prepare: &str) -> Option<Vec<&'static str>> {
    const WAYS: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let mut ways = WAYS.map(|user| [user, &[kind]].concat()).into_iter();
    ways.find(|way| {
        Command::new("unshare")
            .args(way)
            .args(["sh", "-c", prepare])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
