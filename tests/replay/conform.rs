//! `conform`: our own peers pass every case, and a peer with a defect fails those
//! cases that are about it, and no others.

mod broken_clients;
mod broken_servers;
mod carrier;
mod client;
mod command_line;
mod own_peers;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use crate::process::{code, run, stdout};

/// Runs that are under way at the same time; most of their time they wait.
const AT_ONCE: usize = 16;

/// What a run says of each case: its word by its name.
type Verdicts = BTreeMap<String, String>;

fn verdicts(text: &str) -> Verdicts {
    let lines = text.lines().filter_map(|line| {
        let (word, rest) = line.split_once(' ')?;
        let name = rest.split_whitespace().next()?;
        let is_verdict = ["passed", "FAILED", "warning", "skipped"].contains(&word);
        is_verdict.then(|| (name.to_owned(), word.to_owned()))
    });
    lines.collect()
}

/// The names of all cases.
fn listed(tested: &str) -> BTreeSet<String> {
    let output = run(&["conform", tested, "--list"]);
    assert_eq!(code(&output), 0);
    let text = stdout(&output);
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// What a broken peer is expected to fail, and what it still does right. All else is
/// not tried: what fails because nothing comes takes its time.
#[derive(Clone, Copy)]
struct Expectation<Defect> {
    defect: Defect,
    fails: &'static [&'static str],
    passes: &'static [&'static str],
}

impl<Defect: std::fmt::Debug> Expectation<Defect> {
    fn cases(&self) -> impl Iterator<Item = &'static str> {
        self.fails.iter().chain(self.passes).copied()
    }

    /// What is wrong with the verdicts of a run, if anything is.
    fn check(&self, code: i32, text: &str) -> Result<(), String> {
        let verdicts = verdicts(text);
        let expected: Verdicts = [(self.fails, "FAILED"), (self.passes, "passed")]
            .into_iter()
            .flat_map(|(names, word)| names.iter().map(move |name| (*name, word)))
            .map(|(name, word)| (name.to_owned(), word.to_owned()))
            .collect();
        if verdicts == expected && code == 1 {
            return Ok(());
        }
        let defect = &self.defect;
        Err(format!(
            "{defect:?}: exit code {code}, expected {expected:?}, and the run says\n{text}"
        ))
    }
}

/// Does the work for all of them, several at once, and tells of all that fail.
#[track_caller]
fn for_all<T: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<(), String> + Sync,
) {
    let left: Mutex<Vec<T>> = Mutex::new(items.into_iter().collect());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = carrier::lock(&left).pop();
                    let Some(item) = next else { break };
                    if let Err(failure) = work(item) {
                        carrier::lock(&failures).push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("every thread has ended well");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every case has a defect that makes it fail.
#[track_caller]
fn assert_all_can_fail<Defect>(tested: &str, expectations: &[Expectation<Defect>]) {
    let failed = expectations.iter().flat_map(|expected| expected.fails);
    let failed: BTreeSet<String> = failed.map(|name| (*name).to_owned()).collect();
    assert_eq!(failed, listed(tested));
}

/// An address on which nobody listens, and that no other test is given: not one of
/// the ports that the system hands out, for it has to stay free between two cases.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Each run of the tests has a hundred ports, and takes fewer.
    let first = 10_000 + u16::try_from(std::process::id() % 220).expect("below 220") * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().expect("it is bound");
        }
    }
}
