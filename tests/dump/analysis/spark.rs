//! Dissection as a Spark job (`examples/spark`), and the questions of `docs/analysis.md` in Spark:
//! one session of two executors does both, as a session takes long to begin.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ministream_fixtures::needs;
use serde_json::{Value, json};

use super::{PAGE, Page, aligned, root};
use crate::readers::{PYTHON, output_of, python};
use crate::run::{capture, command};

/// A dissector that, when it first reads a part of `rotated`, kills the executor that it works for.
const MURDERER: &str = r#"#!/bin/bash
case "$*" in *rotated*) if mkdir "$0.struck" 2>/dev/null; then
    pid=$$
    until grep -q CoarseGrainedExecutorBackend "/proc/$pid/cmdline"; do
        pid=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
    done
    kill -KILL "$pid"
    sleep 1
fi ;; esac
exec DISSECTOR "$@"
"#;

/// Every file below a directory, by its path there.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

/// A capture cut into files of five packets, as `tcpdump -C` names them.
fn rotated(directory: &Path, pcap: &[u8]) -> Vec<String> {
    let (header, mut rest) = pcap.split_at(24);
    let mut names = Vec::new();
    while !rest.is_empty() {
        let mut length = 0;
        for _ in 0..5 {
            if let Some(record) = rest.get(length..).filter(|rest| rest.len() >= 16) {
                let captured = u32::from_le_bytes(record[8..12].try_into().unwrap());
                length += 16 + usize::try_from(captured).unwrap();
            }
        }
        let (now, later) = rest.split_at(length);
        let number = match names.len() {
            0 => String::new(),
            number => number.to_string(),
        };
        let path = directory.join(format!("rotated.pcap{number}"));
        fs::write(&path, [header, now].concat()).unwrap();
        names.push(path.into_os_string().into_string().unwrap());
        rest = later;
    }
    names
}

/// A question about all messages: moments, numbers and bytes as `docs/analysis.md` says that
/// Spark has them.
const OF_MESSAGES: &str = "
    SET spark.sql.session.timeZone = UTC;
    SELECT type, count(*) AS messages, sum(payload_bytes) AS bytes,
        date_format(min(timestamp_micros(ts DIV 1000)), 'yyyy-MM-dd\\'T\\'HH:mm:ss.SSSSSS') AS first,
        max(lower(hex(payload))) AS greatest
    FROM messages GROUP BY type ORDER BY type";

/// What the records say to that.
fn messages_by_type() -> String {
    let mut types: BTreeMap<String, (u64, u64, String, String)> = BTreeMap::new();
    for path in files(&root().join("captures")).into_keys() {
        if !path.to_str().unwrap().contains(".pcap") {
            continue;
        }
        let records = command(["--lenient", "-T", "ndjson", "--"])
            .arg(root().join("captures").join(path))
            .output()
            .unwrap();
        for line in String::from_utf8(records.stdout).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if record["record"] != "message" {
                continue;
            }
            let text = |key: &str| record[key].as_str().unwrap().to_owned();
            let (time, payload) = (text("ts")[..26].to_owned(), text("payload_hex"));
            let of_type = types.entry(text("type"));
            let (count, bytes, first, greatest) =
                of_type.or_insert((0, 0, time.clone(), payload.clone()));
            *count += 1;
            *bytes += record["payload_bytes"].as_u64().unwrap();
            *first = std::mem::take(first).min(time);
            *greatest = std::mem::take(greatest).max(payload);
        }
    }
    let rows = types.iter().map(|(name, (count, bytes, first, greatest))| {
        format!("{name}\t{count}\t{bytes}\t{first}\t{greatest}\n")
    });
    "type\tmessages\tbytes\tfirst\tgreatest\n".to_owned() + &rows.collect::<String>()
}

/// What one machine makes of the files of one capture point.
fn on_one_machine(data: &Path, paths: &[String]) {
    let written = command(["-q", "--lenient", "--parquet", data.to_str().unwrap()])
        .args(paths)
        .output()
        .unwrap();
    assert_eq!(written.status.code(), Some(0), "{written:?}");
}

#[test]
fn a_spark_job_writes_what_one_machine_writes_and_spark_gives_the_answers_of_the_page() {
    needs!("java", PYTHON);
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let program = at("dissector");
    let script = MURDERER.replace("DISSECTOR", env!("CARGO_BIN_EXE_ministream-dump"));
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(root().join("captures"), at("captures")).unwrap();

    let more = at("more");
    fs::create_dir_all(more.join("deep")).unwrap();
    let parts = rotated(&more.join("deep"), &capture("spec-samples.pcap"));
    assert_eq!(parts.len(), 3);
    let damaged = more.join("damaged.pcap");
    fs::write(&damaged, capture("truncated.pcap")).unwrap();
    for name in ["none.pcap", "lan_00002_20040525120100.pcap"] {
        fs::write(more.join(name), "Not a capture, but notes.\n").unwrap();
    }
    let neighbour = more.join("lan_00001_20040525120000.pcap");
    fs::write(&neighbour, capture("spec-text.pcap")).unwrap();

    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let page = Page::read(&page);
    let mut statements = vec![page.spark_tables];
    statements.extend(page.questions.iter().map(|question| question.spark));
    statements.push(OF_MESSAGES);
    let mut spark = python("on_spark.py");
    spark.current_dir(place.path()).arg(&program).args([
        at("captures"),
        at("data"),
        more.clone(),
        at("more-data"),
    ]);
    let told = output_of(spark, &json!(statements).to_string());
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();

    // An executor was killed, and another took its place.
    assert!(at("dissector.struck").exists());
    assert_eq!(told["executors"], 3, "{told}");
    let mut answers = told["answers"].as_array().unwrap().clone();
    assert_eq!(answers.len(), page.questions.len() + 1);
    let of_messages = answers.pop().unwrap();
    assert_eq!(of_messages.as_str().unwrap(), messages_by_type());
    for (answer, question) in answers.iter().zip(&page.questions) {
        assert_eq!(
            aligned(answer.as_str().unwrap()).trim_start(),
            question.shown
        );
    }

    let mut troubles: Vec<&str> = told["troubles"][1]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    troubles.sort_unstable();
    let [left_out, none, truncated] = troubles[..] else {
        panic!("{troubles:?}");
    };
    let is_no_capture =
        |name: &str| format!("{}: left out: not a capture", more.join(name).display());
    assert_eq!(left_out, is_no_capture("lan_00002_20040525120100.pcap"));
    assert_eq!(none, is_no_capture("none.pcap"));
    assert!(
        truncated.contains("damaged.pcap ends inside packet"),
        "{truncated}"
    );

    // Conversations go on from file to file, and every byte is what one machine writes.
    let alone = at("alone");
    on_one_machine(&alone, &parts);
    on_one_machine(&alone, &[damaged.into_os_string().into_string().unwrap()]);
    on_one_machine(&alone, &[neighbour.into_os_string().into_string().unwrap()]);
    let (by_job, by_one) = (files(&at("more-data")), files(&alone));
    assert_eq!(
        by_job.keys().collect::<Vec<_>>(),
        by_one.keys().collect::<Vec<_>>()
    );
    assert!(by_job == by_one, "the bytes of a file differ");
    assert_eq!(by_job.len(), 3 * 3);
}

#[test]
fn a_spark_job_refuses_what_it_could_only_get_wrong_before_spark_begins() {
    needs!("python3");
    let place = tempfile::tempdir().unwrap();
    let refused = || {
        let job = root().join("examples/spark/dissect.py");
        let output = Command::new("python3")
            .arg(job)
            .args([place.path(), &place.path().join("data")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let at = place.path().display();
    assert_eq!(
        refused(),
        format!("dissect.py: error: no captures in {at}\n")
    );
    for directory in ["a", "b"] {
        fs::create_dir(place.path().join(directory)).unwrap();
        fs::write(place.path().join(directory).join("monday.pcap"), "").unwrap();
    }
    assert_eq!(
        refused(),
        format!(
            "dissect.py: error: {at}/a/monday.pcap and {at}/b/monday.pcap would be one \
             partition: rename one\n"
        )
    );
}
