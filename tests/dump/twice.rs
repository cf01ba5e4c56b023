//! Nothing that is printed or written comes in the order of a hash map: two processes, of which
//! each hashes in its own way, give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::generate::captures;
use crate::run::{command, dump};

/// What is asked of every capture there is.
const OF_EVERY_CAPTURE: [&str; 3] = [
    "-T ndjson",
    "-T text -z conv -z types -z timing -z findings -z io,10ms --html report.html --export streams",
    "-z follow,c1 -z ladder -w packets",
];

/// Captures in which much goes on at once, in many sessions, or that lost their order.
const OF_MANY_THINGS: [&str; 5] = [
    "captures/i2cp-eight-sessions.pcap",
    "captures/real/a-target-refused.pcap",
    "captures/several-carriers.pcap",
    "captures/spec-samples.pcap",
    "captures/spec-samples-i2cp.pcap",
];

/// All that the program can write. Each process has a directory of its own, in which the files are.
const EVERYTHING: [&str; 20] = [
    "-V -x",
    "-T table --color always --id-format both",
    "-T spec",
    "--json",
    "-T csv",
    "-T fields -e n,conv,dir,type,id,findings,session,session_name,src,dst",
    "-q -T ndjson",
    "--ladder text",
    "--ladder mermaid",
    "-z ladder,c1,svg -z ladder,c2,mermaid -z ladder,c3",
    "-z types -z follow,c1,hex -z follow,c2,raw -z follow,c3",
    "-T text -l -j 1",
    "-T ndjson --memory 300KiB",
    "-T ndjson -Y type==ack --whole-conv",
    "-z conv -z findings --redact payload,dest --redact-key ../key",
    "-T ndjson --redact payload,dest --redact-key ../key -w made",
    "--html report.html --payload full",
    "--export streams",
    #[cfg(feature = "parquet")]
    "--parquet data",
    #[cfg(not(feature = "parquet"))]
    "-T text",
    "-w packets --redact payload",
];

/// What a process printed and wrote.
#[derive(PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// By their paths.
    files: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    fn of(output: Output, directory: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_into(&mut files, directory, "");
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: output.stderr,
            files,
        }
    }

    /// Which of its parts differ from the other's.
    fn differences(&self, other: &Self) -> Vec<String> {
        let parts = |outcome: &Self| {
            let mut parts = outcome.files.clone();
            parts.insert("standard output".to_owned(), outcome.stdout.clone());
            parts.insert("standard error".to_owned(), outcome.stderr.clone());
            let code = format!("{:?}", outcome.code).into_bytes();
            parts.insert("exit code".to_owned(), code);
            parts
        };
        let (own, others) = (parts(self), parts(other));
        let names: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        let differing = names
            .into_iter()
            .filter(|name| own.get(*name) != others.get(*name));
        differing.cloned().collect()
    }
}

fn read_into(files: &mut BTreeMap<String, Vec<u8>>, directory: &Path, below: &str) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_into(files, &entry.path(), &name);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

/// Runs the program in two processes at the same time.
fn two_outcomes(root: &Path, capture: &str, arguments: &str) -> [Outcome; 2] {
    let capture = format!("{}/{capture}", env!("CARGO_MANIFEST_DIR"));
    let processes = [(), ()].map(|()| {
        let directory = tempfile::tempdir_in(root).unwrap();
        let child = command(arguments.split_whitespace().chain([&*capture]))
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child, directory)
    });
    processes
        .map(|(child, directory)| Outcome::of(child.wait_with_output().unwrap(), directory.path()))
}

/// Has all of these done twice, and says what came out differently.
fn assert_done_alike(jobs: Vec<(String, &str)>) {
    const WORKERS: usize = 4;
    let root = tempfile::tempdir().unwrap();
    let key = root.path().join("key");
    dump(&format!(
        "-q captures/empty.pcap --redact dest --redact-key {}",
        key.display()
    ));
    assert!(key.exists());
    let jobs = Mutex::new(jobs);
    let different = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((capture, arguments)) = jobs.lock().unwrap().pop() else {
                        break;
                    };
                    let [one, other] = two_outcomes(root.path(), &capture, arguments);
                    let told = String::from_utf8_lossy(&one.stderr).into_owned();
                    // Some miss what is asked for, and write what there is.
                    let is_something = !one.stdout.is_empty() || !one.files.is_empty();
                    assert!(is_something, "{arguments} {capture}: {told}");
                    for part in one.differences(&other) {
                        let line = format!("{arguments} {capture}: {part}");
                        different.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    let mut different = different.into_inner().unwrap();
    different.sort_unstable();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn records_text_statistics_and_packets_of_every_capture_are_the_same_in_two_processes() {
    let jobs = captures()
        .into_iter()
        .flat_map(|capture| OF_EVERY_CAPTURE.map(|arguments| (capture.clone(), arguments)));
    assert_done_alike(jobs.collect());
}

#[test]
fn everything_that_can_be_written_is_the_same_in_two_processes() {
    let jobs = OF_MANY_THINGS
        .iter()
        .flat_map(|capture| EVERYTHING.map(|arguments| ((*capture).to_owned(), arguments)));
    assert_done_alike(jobs.collect());
}
