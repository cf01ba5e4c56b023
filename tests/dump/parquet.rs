//! `--parquet`: what DuckDB reads is what the JSON records say.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::needs;
use rustix::process::{Pid, Signal, kill_process};

use crate::generate::captures;
use crate::readers::{PYTHON, answer, output_of, python};
use crate::run::{Run, SAMPLES, capture, command, dump, run};

const MESSAGE_TYPES: &str = "\
n BIGINT
packet_n BIGINT
ts TIMESTAMPTZ_NS
t_us BIGINT
carrier VARCHAR
src VARCHAR
dst VARCHAR
dir VARCHAR
type VARCHAR
type_byte BIGINT
id VARCHAR
id_owner VARCHAR
conv VARCHAR
meaning VARCHAR
payload_bytes BIGINT
payload BLOB
payload_text VARCHAR
short_hex VARCHAR
server_id VARCHAR
destination_hash VARCHAR
session BIGINT
session_name VARCHAR
router_us BIGINT
sent_n BIGINT
encapsulation VARCHAR
findings VARCHAR[]
capture VARCHAR
";

const CONVERSATION_TYPES: &str = "\
conv VARCHAR
client VARCHAR
client_name VARCHAR
client_hash VARCHAR
server VARCHAR
server_name VARCHAR
server_hash VARCHAR
carrier VARCHAR
client_id VARCHAR
server_id VARCHAR
state VARCHAR
start_t_us BIGINT
duration_us BIGINT
handshake_us BIGINT
first_byte_us BIGINT
c2s STRUCT(message_count BIGINT, payload_bytes BIGINT)
s2c STRUCT(message_count BIGINT, payload_bytes BIGINT)
finding_count BIGINT
peer_view VARCHAR
router_time_us STRUCT(min BIGINT, mean BIGINT, max BIGINT)
capture VARCHAR
";

const FINDING_TYPES: &str = "\
level VARCHAR
code VARCHAR
n BIGINT
packet_n BIGINT
conv VARCHAR
text VARCHAR
detail JSON
capture VARCHAR
";

fn write(root: &Path, arguments: &str) -> Run {
    let parquet = ["--parquet", root.to_str().unwrap()];
    run(arguments.split_whitespace().chain(parquet))
}

fn duckdb(root: &Path, sql: &str) -> String {
    answer("duckdb", root, sql)
}

/// The files of a partition of messages.
fn parts(root: &Path, partition: &str) -> Vec<String> {
    let directory = root.join("messages").join(partition);
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_value_of_every_capture_is_that_of_its_json_record() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    let (data, ndjson) = (root.path().join("data"), root.path().join("ndjson"));
    fs::create_dir(&ndjson).unwrap();
    let mut captures = captures();
    for name in [
        "capture=x",
        "%20 é.pcap",
        "a\"b'c\n*?[]{}.pcap",
        "-x",
        "123x",
    ] {
        let path = root.path().join(name);
        fs::write(&path, capture("spec-samples.pcap")).unwrap();
        captures.push(path.into_os_string().into_string().unwrap());
    }
    for path in captures {
        let data = data.to_str().unwrap();
        let written = run(["--lenient", "--parquet", data, &path]);
        assert_eq!((written.code, &*written.stdout), (Some(0), ""), "{path}");
        let records = run(["--lenient", "-T", "ndjson", &path]).stdout;
        let name = Path::new(&path).file_name().unwrap();
        fs::write(ndjson.join(name), records).unwrap();
    }
    let mut read_back = python("read_back.py");
    read_back.arg(&data).arg(&ndjson);
    let compared = output_of(read_back, "");
    let counts: Vec<u64> = compared
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(
        counts.len() == 3 && counts.iter().all(|&n| n > 100),
        "{compared}"
    );
}

#[test]
fn columns_have_the_types_of_the_records() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    write(root.path(), SAMPLES);
    for (table, expected) in [
        ("messages", MESSAGE_TYPES),
        ("conversations", CONVERSATION_TYPES),
        ("findings", FINDING_TYPES),
    ] {
        let described = format!(
            "SELECT column_name, column_type FROM (DESCRIBE FROM \
             read_parquet('{table}/*/*.parquet', hive_partitioning = true))"
        );
        let types = duckdb(root.path(), &described).replace('\t', " ");
        assert_eq!(types, format!("column_name column_type\n{expected}"));
    }
}

#[test]
fn a_partition_that_is_there_is_only_replaced_by_force() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    let written = write(root.path(), SAMPLES);
    assert_eq!((written.code, &*written.stdout), (Some(0), ""));
    assert_eq!(
        written.stderr,
        format!(
            "ministream-dump: wrote {}/*/capture=spec-samples.pcap\n",
            root.path().display()
        )
    );
    assert_eq!(
        write(root.path(), &format!("--conv c1 {SAMPLES}")).refused(2),
        format!(
            "ministream-dump: error: {}/messages/capture=spec-samples.pcap holds data\n    \
             help: name another directory, or add --force to replace that data\n",
            root.path().display()
        )
    );
    let count = "SELECT capture, count(*) AS n FROM read_parquet('messages/*/*.parquet', \
                 hive_partitioning = true) GROUP BY ALL ORDER BY ALL";
    let other = "captures/spec-text.pcap";
    assert_eq!(write(root.path(), other).code, Some(0));
    assert_eq!(
        duckdb(root.path(), count),
        "capture\tn\nspec-samples.pcap\t14\nspec-text.pcap\t12\n"
    );
    let replaced = write(root.path(), &format!("--force --conv c1 {SAMPLES}"));
    assert_eq!(replaced.code, Some(0));
    assert_eq!(
        duckdb(root.path(), count),
        "capture\tn\nspec-samples.pcap\t5\nspec-text.pcap\t12\n"
    );
    assert_eq!(
        parts(root.path(), "capture=spec-samples.pcap"),
        ["part-00000.parquet"]
    );
}

#[test]
fn several_captures_of_one_run_are_one_partition() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    let written = write(root.path(), &format!("{SAMPLES} captures/spec-text.pcap"));
    assert_eq!(written.code, Some(0));
    assert_eq!(
        duckdb(
            root.path(),
            "SELECT capture, count(*) AS n, max(n) AS last FROM read_parquet(\
             'messages/*/*.parquet', hive_partitioning = true) GROUP BY ALL"
        ),
        "capture\tn\tlast\nspec-samples.pcap-and-1-more\t26\t26\n"
    );
}

#[test]
fn standard_output_is_what_it_is_without() {
    for output in [
        "-T ndjson",
        "-q -z conv",
        "-q",
        "-T text -x",
        "-q -z types --conv c3",
    ] {
        let root = tempfile::tempdir().unwrap();
        let with = write(root.path(), &format!("{output} {SAMPLES}"));
        assert_eq!(with.stdout, dump(&format!("{output} {SAMPLES}")).ok());
        assert_eq!(
            parts(root.path(), "capture=spec-samples.pcap"),
            ["part-00000.parquet"]
        );
    }
}

#[test]
fn as_much_of_payloads_is_written_as_was_asked_for() {
    needs!(PYTHON);
    let long = "SELECT max(payload_bytes) AS bytes, max(octet_length(payload)) AS kept, \
                max(length(payload_text)) > 0 AS text FROM 'messages/*/*.parquet'";
    for (arguments, expected) in [
        ("", "bytes\tkept\ttext\n387\t387\tTrue\n"),
        ("--payload preview", "bytes\tkept\ttext\n387\t64\tTrue\n"),
        ("--payload none", "bytes\tkept\ttext\n387\t\t\n"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &format!("{arguments} {SAMPLES}"));
        assert_eq!(duckdb(root.path(), long), expected, "{arguments}");
    }
}

#[test]
fn what_is_redacted_in_records_is_redacted_in_columns() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    let (data, ndjson) = (root.path().join("data"), root.path().join("ndjson"));
    fs::create_dir(&ndjson).unwrap();
    let key = root.path().join("key");
    for name in [
        "spec-samples.pcap",
        "spec-samples-i2cp.pcap",
        "hostile-payloads.pcap",
    ] {
        let written = command(["--redact", "payload,dest", "-T", "ndjson", "--redact-key"])
            .arg(&key)
            .arg("--parquet")
            .arg(&data)
            .arg(format!("captures/{name}"))
            .output()
            .unwrap();
        assert_eq!(written.status.code(), Some(0), "{written:?}");
        fs::write(ndjson.join(name), written.stdout).unwrap();
    }
    let mut read_back = python("read_back.py");
    read_back.arg(&data).arg(&ndjson);
    output_of(read_back, "");
    assert_eq!(
        duckdb(
            &data,
            "SELECT DISTINCT decode(value) AS redacted FROM \
             parquet_kv_metadata('*/*/*.parquet') WHERE decode(key) = 'redacted'"
        ),
        "redacted\n[\"payload\",\"dest\"]\n"
    );
}

#[test]
fn what_cannot_be_written_to_is_refused() {
    assert_eq!(
        dump(&format!("--parquet Cargo.toml {SAMPLES}")).reason(),
        "cannot write a data set to Cargo.toml: not a directory\n    \
         help: name a directory that you may write to"
    );
    assert_eq!(
        dump(&format!("--force {SAMPLES}")).reason(),
        "the following required arguments were not provided:\n  <--export <DIR>|--parquet <DIR>>"
    );
}

#[test]
fn a_truncated_capture_gives_whole_files() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    assert_eq!(write(root.path(), "captures/truncated.pcap").code, Some(3));
    assert_eq!(
        duckdb(
            root.path(),
            "SELECT count(*) > 3 AS many FROM 'messages/*/*.parquet'"
        ),
        "many\nTrue\n"
    );
}

/// Waits until a program catches Ctrl-C.
fn wait_for_handler(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !catches_interrupt(&fs::read_to_string(&status).unwrap()) {
        assert!(Instant::now() < deadline, "Ctrl-C is never caught");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether `SigCgt` of `/proc/PID/status` has the bit of SIGINT.
fn catches_interrupt(status: &str) -> bool {
    status.lines().any(|line| {
        line.strip_prefix("SigCgt:").is_some_and(|mask| {
            let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
            mask & 1 << (Signal::INT.as_raw() - 1) != 0
        })
    })
}

#[test]
fn what_was_read_before_an_interrupt_is_written() {
    needs!(PYTHON);
    let root = tempfile::tempdir().unwrap();
    let mut child = command(["--parquet", root.path().to_str().unwrap(), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = capture("spec-samples.pcap");
    // The header of the file and the first packet.
    let (first, rest) = bytes.split_at(600);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(first).unwrap();
    wait_for_handler(&child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // It is closed when the program has stopped already.
    drop(stdin.write_all(rest));
    drop(stdin);
    let ended: Run = child.wait_with_output().unwrap().into();
    assert_eq!((ended.code, &*ended.stdout), (Some(130), ""));
    assert_eq!(
        ended.stderr,
        format!(
            "ministream-dump: warning: interrupted; what was read so far is written\n\
             ministream-dump: wrote {}/*/capture=stdin\n",
            root.path().display()
        )
    );
    assert_eq!(parts(root.path(), "capture=stdin"), ["part-00000.parquet"]);
    assert_eq!(
        duckdb(
            root.path(),
            "SELECT count(*) < 14 AS few FROM 'messages/*/*.parquet'"
        ),
        "few\nTrue\n"
    );
}
