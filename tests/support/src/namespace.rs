//! A network namespace for a test: nothing in it but loopback.

use std::env;
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
        test();
        if program::skipped() > 0 {
            process::exit(SKIPPED);
        }
        return;
    }
    let Some(unshare) = permitted() else {
        eprintln!("no network namespace is permitted here; {name} runs outside of one");
        return test();
    };
    let program = env::current_exe().expect("a running program has a path");
    let status = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", r#"ip link set lo up && exec "$@""#, "sh"])
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

/// How `unshare` makes a namespace here: as root, or with a user namespace.
fn permitted() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    WAYS.into_iter().find(|way| {
        Command::new("unshare")
            .args(*way)
            .args(["sh", "-c", "ip link set lo up"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
