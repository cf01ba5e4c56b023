//! `--redact`: what is secret is in no output, and everything else stays as it was.

use ministream_fixtures::{needs, wireshark};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::thread;

use data_encoding::{BASE32_NOPAD, BASE64};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::generate::captures;
use crate::run::{Run, SAMPLES, command, dump, run};

/// Bytes that tell something. Fewer occur by chance.
const RUN_BYTES: usize = 6;

type Bytes = [u8; RUN_BYTES];

/// What must not be in an output.
#[derive(Debug)]
struct Secrets {
    runs: HashSet<Bytes>,
    /// With which two bytes a run begins: most places of an output need no other look.
    beginnings: Vec<bool>,
    words: HashSet<String>,
}

impl Secrets {
    /// Everything secret that records without redaction tell.
    fn of(records: &[Value], innocent: &HashSet<Bytes>) -> Self {
        let mut secrets = Self {
            runs: HashSet::new(),
            beginnings: vec![false; 1 << 16],
            words: HashSet::new(),
        };
        for record in records {
            for key in ["payload_hex", "short_hex"] {
                let Some(digits) = record[key].as_str() else {
                    continue;
                };
                let bytes = hex::decode(digits).unwrap();
                match record["type"].as_str() {
                    // The shape of a destination stays.
                    Some("syn") if bytes.len() > 384 => {
                        let behind = if bytes[384] == 5 { 391 } else { 387 };
                        secrets.add_bytes(&bytes[..384], innocent);
                        secrets.add_bytes(bytes.get(behind..).unwrap_or(&[]), innocent);
                    }
                    _ => secrets.add_bytes(&bytes, innocent),
                }
            }
            for key in ["destination_hash", "client_hash", "server_hash"] {
                if let Some(hash) = record[key].as_str() {
                    secrets.add_hash(hash);
                }
            }
            for key in ["session_name", "client_name", "server_name"] {
                if let Some(name) = record[key].as_str().filter(|name| name.len() >= RUN_BYTES) {
                    secrets.words.insert(name.to_owned());
                }
            }
        }
        secrets
    }

    fn add_bytes(&mut self, bytes: &[u8], innocent: &HashSet<Bytes>) {
        for run in runs(bytes) {
            let is_new = |place: &usize| !run[..*place].contains(&run[*place]);
            let distinct = (0..RUN_BYTES).filter(is_new).count();
            if distinct >= 4 && !innocent.contains(&run) {
                self.beginnings[beginning(&run)] = true;
                self.runs.insert(run);
            }
        }
    }

    fn add_hash(&mut self, base64: &str) {
        let standard = base64.replace('-', "+").replace('~', "/");
        let bytes = BASE64.decode(standard.as_bytes()).unwrap();
        let (start, end) = (&base64[..3], &base64[41..]);
        self.words.extend([
            base64.to_owned(),
            standard,
            BASE32_NOPAD.encode(&bytes).to_lowercase(),
            hex::encode(&bytes),
            format!("{start}…{end}"),
            format!("{start}...{end}"),
        ]);
    }

    /// The first secret that `output` tells, and in which form.
    fn revealed_by(&self, output: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(output);
        if let Some(word) = self.words.iter().find(|word| text.contains(*word)) {
            return Some(format!("word {word}"));
        }
        // Dumps put spaces between bytes, escapes `\x` before them.
        let dense = text.replace(' ', "").replace("\\x", "");
        self.first(output, |bytes| bytes.first_chunk().copied())
            .or_else(|| self.first(dense.as_bytes(), from_hex))
            .or_else(|| self.first(output, from_base64))
    }

    fn first(&self, output: &[u8], decode: impl Fn(&[u8]) -> Option<Bytes>) -> Option<String> {
        let tells = |start: &usize| {
            decode(&output[*start..])
                .is_some_and(|run| self.beginnings[beginning(&run)] && self.runs.contains(&run))
        };
        let start = (0..output.len()).find(tells)?;
        let end = output.len().min(start + 2 * RUN_BYTES);
        Some(format!(
            "{:?}",
            String::from_utf8_lossy(&output[start..end])
        ))
    }
}

/// The first two bytes, as a number.
fn beginning(run: &Bytes) -> usize {
    usize::from(u16::from_be_bytes([run[0], run[1]]))
}

fn from_hex(text: &[u8]) -> Option<Bytes> {
    let digits: &[u8; 2 * RUN_BYTES] = text.first_chunk()?;
    let mut bytes = Bytes::default();
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).unwrap();
    }
    Some(bytes)
}

/// Base64 in the alphabet of I2P or the usual one.
fn from_base64(text: &[u8]) -> Option<Bytes> {
    let characters: &[u8; 8] = text.first_chunk()?;
    let mut bits = 0_u64;
    for character in characters {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'~' => 63,
            _ => return None,
        };
        bits = bits << 6 | u64::from(value);
    }
    let [_, _, run @ ..] = bits.to_be_bytes();
    Some(run)
}

fn ndjson(capture: &str, arguments: &str) -> Vec<Value> {
    let written = dump(&format!("--lenient -T ndjson {arguments} {capture}"));
    assert_eq!(written.code, Some(0), "{capture}: {}", written.stderr);
    written
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs of bytes that outputs have of themselves: those of a capture in which nothing
/// but pings are transferred, and words that they have for other messages.
fn innocent_runs() -> HashSet<Bytes> {
    let mut outputs = outputs("captures/udp-ping.pcap", "", &["c1".to_owned()]);
    outputs.push((
        String::new(),
        b"bytes to be ignored, from the client: carries".to_vec(),
    ));
    outputs
        .iter()
        .flat_map(|(_, output)| runs(output))
        .collect()
}

fn runs(bytes: &[u8]) -> impl Iterator<Item = Bytes> {
    let runs = bytes.windows(RUN_BYTES);
    runs.map(|run| run.try_into().unwrap())
}

/// Everything that a capture can be made into, by the arguments that do it.
fn outputs(capture: &str, redact: &str, conversations: &[String]) -> Vec<(String, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let streams = directory.path().join("streams");
    let mut all: Vec<String> = [
        "",
        "-T text --payload full",
        "-V -x",
        "-T spec",
        "-T json --payload preview",
        "-T ndjson",
        "-T csv",
        "-T fields -e payload_hex -e payload_text -e short_hex -e destination_hash",
        "--ladder text --payload full",
        "--ladder mermaid",
        "-q -z findings -z conv -z timing -z types",
    ]
    .map(str::to_owned)
    .into();
    for id in conversations.iter().take(3) {
        for form in [
            "follow,ID,text",
            "follow,ID,hex",
            "follow,ID,raw",
            "ladder,ID,svg",
        ] {
            all.push(format!("-z {}", form.replace("ID", id)));
        }
    }
    let mut outputs = Vec::new();
    for arguments in all {
        let arguments = format!("--lenient {arguments} {redact} {capture}");
        let output = command(arguments.split_whitespace()).output().unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(output.status.success(), "{arguments}: {stderr}");
        outputs.push((arguments, [output.stdout, output.stderr].concat()));
    }
    let files = run(format!("--lenient {redact} {capture} --html")
        .split_whitespace()
        .chain([
            page.to_str().unwrap(),
            "--export",
            streams.to_str().unwrap(),
        ]));
    assert_eq!(files.code, Some(0), "{capture}: {}", files.stderr);
    outputs.push((
        format!("{redact} --html {capture}"),
        fs::read(page).unwrap(),
    ));
    if !redact.is_empty() {
        let packets = directory.path().join("packets.pcapng");
        write(&packets, &format!("{redact} {capture}"));
        let written = fs::read(packets).unwrap();
        outputs.push((format!("{redact} -w {capture}"), written));
    }
    let mut exported = Vec::new();
    for entry in fs::read_dir(streams).unwrap() {
        exported.extend(fs::read(entry.unwrap().path()).unwrap());
        exported.push(b'\n');
    }
    outputs.push((format!("{redact} --export {capture}"), exported));
    outputs
}

fn conversations(records: &[Value]) -> Vec<String> {
    let names = records.iter().filter(|r| r["record"] == "conversation");
    let mut names: Vec<String> = names
        .map(|record| record["conv"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_search_finds_secrets_in_every_output_without_redaction() {
    let innocent = innocent_runs();
    let records = ndjson(SAMPLES, "");
    let secrets = Secrets::of(&records, &innocent);
    for (arguments, output) in outputs(SAMPLES, "", &conversations(&records)) {
        // The specification's notation and these tables have no payload; nor has c2 any.
        let has_none = ["-T spec", "-q -z", "follow,c2"];
        let found = secrets.revealed_by(&output).is_some();
        let expected = !has_none.iter().any(|none| arguments.contains(none));
        assert_eq!(found, expected, "{arguments}");
    }
}

#[test]
fn nothing_secret_of_any_shipped_capture_is_in_any_output() {
    let common = innocent_runs();
    let captures = captures();
    let (some, others) = captures.split_at(captures.len() / 2);
    let told = thread::scope(|scope| {
        let told = [some, others].map(|part| scope.spawn(|| revealed_of(part, &common)));
        told.map(|told| told.join().unwrap()).concat()
    });
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// What the outputs of these captures tell that is secret.
fn revealed_of(captures: &[String], common: &HashSet<Bytes>) -> Vec<String> {
    let mut told = Vec::new();
    for capture in captures {
        let records = ndjson(capture, "");
        // Dates in payloads may be those of the capture.
        let mut innocent = common.clone();
        for arguments in [
            "-q -z conv -z findings -z types -z timing",
            "-T fields -e ts",
            "-Y n==0",
        ] {
            let text = dump(&format!("--lenient {arguments} {capture}")).stdout;
            innocent.extend(runs(text.as_bytes()));
        }
        let secrets = Secrets::of(&records, &innocent);
        let redacted = outputs(capture, "--redact payload,dest", &conversations(&records));
        for (arguments, output) in redacted {
            if let Some(secret) = secrets.revealed_by(&output) {
                told.push(format!("{arguments}: {secret}"));
            }
        }
    }
    told
}

/// Takes the keys out of a record that redaction may change; what they hold.
fn take(record: &mut Value, keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| record[*key].take()).collect()
}

#[test]
fn records_differ_in_nothing_but_what_is_secret() {
    for capture in captures() {
        let plain = ndjson(&capture, "");
        for (what, changed) in [
            ("payload", &["payload_hex", "payload_text", "short_hex"][..]),
            ("dest", &["destination_hash", "client_hash", "server_hash"]),
        ] {
            let redacted = ndjson(&capture, &format!("--redact {what}"));
            assert_eq!(plain.len(), redacted.len(), "{capture}");
            for (mut plain, mut redacted) in plain.iter().cloned().zip(redacted) {
                let names = ["session_name", "client_name", "server_name", "redacted"];
                let mut keys = [changed, &names].concat();
                let quotes = [
                    "tcp.bad_prefix",
                    "i2cp.bad_frame",
                    "i2cp.unreadable_payload",
                    "ms.leftover_stall",
                ];
                if what == "payload" && quotes.iter().any(|code| plain["code"] == *code) {
                    keys.push("text");
                    // A part of a length that the payload announced.
                    if let Some(detail) = plain["detail"].as_object_mut() {
                        detail.remove("rest_bytes");
                    }
                }
                if what == "dest" && plain["type"] == "syn" {
                    keys.extend(["payload_hex", "payload_text"]);
                }
                let before = take(&mut plain, &keys);
                let after = take(&mut redacted, &keys);
                assert_eq!(plain, redacted, "{capture} {what}");
                for ((key, before), after) in keys.iter().zip(before).zip(after) {
                    assert_eq!(before.is_null(), after.is_null(), "{capture} {key}");
                    let lengths = [&before, &after].map(|value| value.as_str().map(str::len));
                    if key.ends_with("_hex") || key.ends_with("_hash") {
                        assert_eq!(lengths[0], lengths[1], "{capture} {key}");
                    }
                }
            }
        }
    }
}

/// The destination of each SYN that has one, as its hash and its bytes tell it.
fn destinations(records: &[Value]) -> Vec<(String, Vec<u8>)> {
    let syns = records.iter().filter(|record| record["type"] == "syn");
    syns.filter_map(|syn| {
        let hash = syn["destination_hash"].as_str()?.to_owned();
        let payload = hex::decode(syn["payload_hex"].as_str()?).unwrap();
        let length = 387 + usize::from(u16::from_be_bytes([payload[385], payload[386]]));
        Some((hash, payload[..length].to_vec()))
    })
    .collect()
}

#[test]
fn a_destination_has_one_pseudonym_wherever_it_is_named() {
    for capture in captures() {
        let (plain, redacted) = (ndjson(&capture, ""), ndjson(&capture, "--redact dest"));
        for (hash, bytes) in destinations(&redacted) {
            let expected = BASE64.encode(&Sha256::digest(&bytes));
            assert_eq!(
                hash,
                expected.replace('+', "-").replace('/', "~"),
                "{capture}"
            );
        }
        let mut pseudonyms = BTreeMap::new();
        for (plain, redacted) in plain.iter().zip(&redacted) {
            for key in ["destination_hash", "client_hash", "server_hash"] {
                if let Some(hash) = plain[key].as_str() {
                    let pseudonym = pseudonyms.entry(hash).or_insert(&redacted[key]);
                    assert_eq!(*pseudonym, &redacted[key], "{capture} {key}");
                    assert_ne!(redacted[key], hash);
                }
            }
        }
        let distinct: HashSet<&str> = pseudonyms.values().filter_map(|p| p.as_str()).collect();
        assert_eq!(distinct.len(), pseudonyms.len(), "{capture}");
    }
}

#[test]
fn pseudonyms_are_new_in_each_run_unless_a_key_file_says_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let with_key = |name: &str| format!("--redact dest --redact-key {}", path(name));
    let hash = |arguments: &str| destinations(&ndjson(SAMPLES, arguments))[0].0.clone();
    let hashes: HashSet<String> = [
        hash(""),
        hash("--redact dest"),
        hash("--redact dest"),
        hash(&with_key("one")),
        hash(&with_key("other")),
    ]
    .into();
    assert_eq!(hashes.len(), 5);
    assert_eq!(hash(&with_key("one")), hash(&with_key("one")));
    assert!(hashes.contains(&hash(&with_key("one"))));
    assert_eq!(fs::read(path("one")).unwrap().len(), 32);

    for length in [0, 31, 33] {
        fs::write(path("other"), vec![7; length]).unwrap();
        assert_eq!(
            dump(&format!("{} {SAMPLES}", with_key("other"))).reason(),
            format!(
                "{} holds no key for pseudonyms, which is 32 bytes\n    \
                 help: name a file that does not exist yet; it is created with a new key",
                path("other")
            )
        );
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let arguments = format!("--redact dest --redact-key {} {SAMPLES}", path.display());
    dump(&arguments).ok();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        dump(&arguments).reason(),
        format!(
            "{0} is open to others (mode 0644): chmod 600 it",
            path.display()
        )
    );
}

#[test]
fn selections_are_by_what_was_captured() {
    let redact = "--redact payload,dest";
    for filter in ["payload contains \"GET\"", "payload_bytes==27", "type==syn"] {
        let numbers = |redact: &str| {
            let mut arguments = vec!["-T", "fields", "-e", "n", SAMPLES, "-Y", filter];
            arguments.extend(redact.split_whitespace());
            run(arguments).ok()
        };
        assert!(!numbers("").is_empty(), "{filter}");
        assert_eq!(numbers(redact), numbers(""), "{filter}");
    }
    let (hash, _) = destinations(&ndjson(SAMPLES, "")).remove(0);
    let by_hash = format!("destination_hash==\"{hash}\"");
    for more in ["", "--whole-conv"] {
        let numbers = |redact: &str| {
            let mut arguments = vec!["-T", "fields", "-e", "n", SAMPLES, "-Y", &by_hash];
            arguments.extend(redact.split_whitespace().chain(more.split_whitespace()));
            run(arguments).ok()
        };
        assert!(numbers("").lines().count() >= 3);
        assert_eq!(numbers(redact), numbers(""), "{more}");
    }
}

/// What an output says of its redaction: its first line, or the line that has it.
fn said(arguments: &str) -> Option<String> {
    let output = dump(&format!("{arguments} --redact payload,dest {SAMPLES}")).ok();
    output
        .lines()
        .find(|line| line.to_lowercase().contains("redacted"))
        .map(|line| line.trim().to_owned())
}

#[test]
fn outputs_say_that_they_are_redacted() {
    let notice = "redacted: payload, destinations";
    let comment = format!("# {notice}");
    for (arguments, expected) in [
        ("", notice),
        ("-q -z conv", notice),
        ("-z follow,c1", notice),
        ("-z follow,c1,hex", notice),
        ("--ladder text", notice),
        ("-T text", &comment),
        ("-V", &comment),
        ("-T spec", &comment),
        (
            "--ladder mermaid",
            "Note over a,b: redacted#58; payload, destinations",
        ),
    ] {
        assert_eq!(said(arguments).as_deref(), Some(expected), "{arguments}");
    }
    let picture = said("-z ladder,c1,svg").unwrap();
    assert!(
        picture.ends_with(&format!(">{notice}</text></g>")),
        "{picture}"
    );
    for arguments in ["-T csv", "-z follow,c1,raw"] {
        assert_eq!(said(arguments), None, "{arguments}");
    }
    let header = &ndjson(SAMPLES, "--redact dest --redact payload")[0];
    assert_eq!(header["redacted"], serde_json::json!(["payload", "dest"]));
    assert_eq!(ndjson(SAMPLES, "")[0]["redacted"], serde_json::json!([]));
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    run([
        SAMPLES,
        "--redact",
        "dest",
        "--html",
        &path("page"),
        "--export",
        &path("streams"),
    ]);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let page = read("page");
    let on_page = page.matches("<p class=\"redacted\">redacted: destinations</p>");
    assert_eq!(on_page.count(), 1);
    let index: Value = serde_json::from_str(&read("streams/index.json")).unwrap();
    assert_eq!(index["redacted"], serde_json::json!(["dest"]));
}

#[test]
fn what_cannot_be_redacted_is_refused() {
    assert_eq!(
        dump(&format!("--redact ids {SAMPLES}")).reason(),
        "invalid value 'ids' for '--redact <WHAT>'\n  [possible values: payload, dest]"
    );
    assert_eq!(
        dump(&format!("--redact-key key {SAMPLES}")).reason(),
        "the following required arguments were not provided:\n  --redact <WHAT>"
    );
}

fn write(path: &Path, arguments: &str) -> Run {
    let output = ["-w", path.to_str().unwrap()];
    run(arguments
        .split_whitespace()
        .chain(["--lenient"])
        .chain(output))
}

/// What is the same in a capture and in one that is made anew of its messages.
fn messages(capture: &str, redact: &str) -> String {
    let fields = "ts,carrier,src,dst,dir,type,id,payload_bytes,payload_hex,destination_hash";
    let shown = dump(&format!(
        "--lenient {redact} -T fields -e {fields} {capture}"
    ));
    assert_eq!(shown.code, Some(0), "{capture}: {}", shown.stderr);
    shown.stdout
}

#[test]
fn packets_made_anew_hold_the_redacted_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (packets, key) = (path("packets.pcapng"), path("key"));
    let redact = format!("--redact payload,dest --redact-key {}", key.display());
    for capture in captures() {
        let i2cp = ndjson(&capture, "-Y carrier==i2cp");
        let written = write(&packets, &format!("{redact} {capture}"));
        if i2cp.iter().any(|record| record["record"] == "message") {
            assert_eq!(written.code, Some(2), "{capture}");
            let is_over_i2cp = |record: &&Value| record["record"] == "message";
            let count = i2cp.iter().filter(is_over_i2cp).count();
            let messages = if count == 1 { "message" } else { "messages" };
            let path = packets.display();
            let error = format!(
                "ministream-dump: error: {count} {messages} over I2CP are not in {path}: -w \
                 cannot redact the frames around them\n    help: --html, --export and -T ndjson \
                 have them; -Y 'carrier!=i2cp' leaves them out\n"
            );
            assert!(
                written.stderr.ends_with(&error),
                "{capture}: {}",
                written.stderr
            );
            continue;
        }
        assert_eq!(written.code, Some(0), "{capture}: {}", written.stderr);
        let again = messages(packets.to_str().unwrap(), "");
        assert_eq!(again, messages(&capture, &redact), "{capture}");
    }
}

#[test]
fn states_and_findings_survive_in_packets_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let packets = directory.path().join("packets.pcapng");
    for name in [
        "spec-samples.pcap",
        "spec-samples-tcp-u32be.pcap",
        "spec-samples-tcp-u16be.pcap",
        "spec-samples-segment.pcap",
        "tcp-port-reuse.pcap",
        "tcp-mid-stream.pcap",
        "tcp-both-dial.pcap",
        "udp-syn-bad-destination.pcap",
        "udp-ack-bad-length.pcap",
        "udp-key-certificate.pcap",
        "udp-too-short.pcap",
        "udp-unknown-types.pcap",
        "udp-close-payload.pcap",
        "udp-oversize.pcap",
        "udp-chaff.pcap",
        "ipv6-fragments.pcap",
    ] {
        let capture = format!("captures/{name}");
        write(&packets, &format!("--redact payload,dest {capture}"));
        let told = |capture: &str| {
            let mut records = ndjson(capture, "-q --redact payload,dest");
            records.retain(|record| {
                ["conversation", "finding"]
                    .iter()
                    .any(|kind| record["record"] == *kind)
            });
            for record in &mut records {
                take(record, &["client_hash", "packet_n", "start_t_us"]);
                // That a connection ends before the capture does is not in packets made anew.
                if record["code"] == "ms.no_close" {
                    take(record, &["text"]);
                }
            }
            records
        };
        assert_eq!(told(packets.to_str().unwrap()), told(&capture), "{name}");
    }
}

#[test]
fn wireshark_finds_nothing_wrong_with_packets_made_anew() {
    needs!("tshark");
    let directory = tempfile::tempdir().unwrap();
    let packets = directory.path().join("packets.pcapng");
    for name in [
        "spec-samples.pcap",
        "spec-samples-tcp-u32be.pcap",
        "tcp-mid-stream.pcap",
        "link-ethernet-ipv6.pcap",
        "ipv4-fragments.pcap",
    ] {
        write(&packets, &format!("--redact payload,dest captures/{name}"));
        let output =
            wireshark::tshark()
                .args(["-n", "-r", packets.to_str().unwrap(), "-T", "fields"])
                .args(["ip", "udp", "tcp"].iter().flat_map(|protocol| {
                    ["-o".to_owned(), format!("{protocol}.check_checksum:TRUE")]
                }))
                .args([
                    "-e",
                    "ip.checksum.status",
                    "-e",
                    "udp.checksum.status",
                    "-e",
                    "tcp.checksum.status",
                    "-e",
                    "_ws.expert.severity",
                ])
                .output()
                .expect("tshark is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && !text.is_empty(),
            "{name}: {text}"
        );
        for line in text.lines() {
            let [ip, udp, tcp, severity] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            assert!(["", "1"].contains(&ip), "{name}: {line}");
            assert_eq!([udp, tcp].concat(), "1", "{name}: {line}");
            // Wireshark's level of warnings.
            let severities = severity.split(',').filter_map(|number| number.parse().ok());
            assert!(
                severities.max().unwrap_or(0) < 6_291_456_u32,
                "{name}: {line}"
            );
        }
    }
    let bytes = fs::read(&packets).unwrap();
    let comment = b"redacted: payload, destinations; packets made anew by ministream-dump";
    assert!(bytes.windows(comment.len()).any(|piece| piece == comment));
}
