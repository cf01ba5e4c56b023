//! Every fault on every carrier, against our client and server: what comes of it.
//!
//! `MINISTREAM_BLESS=1 cargo test --test tunnel matrix` writes the table in `docs/faults.md` anew.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::services::{echo, pattern};

/// Faults strong enough to be met by an exchange of [`BYTES`].
const FAULTS: [&str; 11] = [
    "latency=50ms±20ms",
    "loss=50%",
    "dup=50%",
    "reorder=50%",
    "corrupt=50%",
    "slice=100B",
    "merge=8KiB",
    "rate=1MiB/s",
    "stall=500ms@10KiB",
    "cut-after=10KiB",
    "blackhole=0s..60s",
];

const BYTES: usize = 150_000;

/// What an exchange may take: longer than every timeout of the endpoints below.
const LONGEST: Duration = Duration::from_secs(8);

/// Times that end what would else wait for a minute.
const TIMES: [&str; 4] = ["--handshake-timeout", "700ms", "--idle-timeout", "1500ms"];

/// What came of an exchange.
struct Outcome {
    told: String,
    took: Duration,
    /// Whether the application was given what was not sent, or an orderly end before its time.
    false_success: bool,
    hung: bool,
}

fn exchange(carrier: &str, fault: &str, at: &str) -> Outcome {
    let faulty = ["--fault", fault, "--seed", "11"];
    let with = |side: &str| match at == side {
        true => [&TIMES[..], &faulty].concat(),
        false => TIMES.to_vec(),
    };
    let server = Endpoint::server(carrier, echo(), &with("server"));
    let client = Endpoint::client(server.carrier(), &with("client"));
    let began = Instant::now();
    let stream = client.connect();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let sent = pattern(BYTES);
    let mut writer = stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        // The other end may break the connection whenever it likes.
        writer.write_all(&copy).ok();
    });
    let mut heard = Vec::new();
    let mut part = vec![0; 64 * 1024];
    let end = loop {
        if heard.len() >= BYTES {
            break Ok(());
        }
        match (&stream).read(&mut part) {
            Ok(0) => break Ok(()),
            Ok(count) => heard.extend_from_slice(&part[..count]),
            Err(error) => break Err(error),
        }
    };
    let took = began.elapsed();
    stream.shutdown(Shutdown::Both).ok();
    writing.join().unwrap();
    let hung = took >= LONGEST;
    let equal = heard == sent;
    let told = match (&end, equal) {
        (_, true) => "equal bytes".to_owned(),
        (Ok(()), false) if heard.len() >= BYTES => "other bytes, unnoticed".to_owned(),
        (Ok(()), false) => format!("ends early; {}", reason(&client, &server)),
        (Err(_), false) => format!("reset; {}", reason(&client, &server)),
    };
    Outcome {
        false_success: end.is_ok() && !equal,
        told,
        took,
        hung,
    }
}

/// What the endpoints say of it: the first error that either tells.
fn reason(client: &Endpoint, server: &Endpoint) -> String {
    let known = [
        "cut on purpose by --fault",
        "no answer to the SYN",
        "idle for too long",
        "the peer neither sent more nor closed",
        "an unknown conversation",
        "closed by the peer",
        "the other end closed the connection",
        "is announced, and the limit is",
        "refused",
    ];
    let logs = [("client", client.log()), ("server", server.log())];
    for text in known {
        for (side, log) in &logs {
            if log.contains(text) {
                return format!("{side}: {text}");
            }
        }
    }
    "no word".to_owned()
}

/// What these do to bytes, nobody can notice: the protocol has no sequence numbers and no sums.
fn changes_bytes(fault: &str) -> bool {
    ["loss", "dup", "reorder", "corrupt"]
        .iter()
        .any(|name| fault.starts_with(name))
}

#[test]
fn no_fault_on_any_carrier_makes_an_endpoint_hang_or_tell_of_a_success_that_is_none() {
    let mut rows = String::new();
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        for fault in FAULTS {
            let cells: Vec<String> = [
                ("client", "c2s"),
                ("client", "s2c"),
                ("server", "c2s"),
                ("server", "s2c"),
            ]
            .into_iter()
            .map(|(at, direction)| {
                let text = format!("{direction}: {fault}");
                let outcome = exchange(carrier, &text, at);
                assert!(
                    !outcome.hung,
                    "{carrier} {text} at the {at}: {}",
                    outcome.told
                );
                assert!(
                    !outcome.false_success || changes_bytes(fault),
                    "{carrier} {text} at the {at}: {}",
                    outcome.told
                );
                format!("{}, {:.1} s", outcome.told, outcome.took.as_secs_f64())
            })
            .collect();
            let scheme = carrier.split(':').next().unwrap();
            rows += &format!("| `{fault}` | {scheme} | {} |\n", cells.join(" | "));
        }
    }
    if env::var_os("MINISTREAM_BLESS").is_some() {
        write(&rows);
    }
}

const BEGINS: &str = "<!-- matrix -->\n";
const ENDS: &str = "<!-- end of matrix -->";

fn write(rows: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGINS).unwrap();
    let (_, after) = rest.split_once(ENDS).unwrap();
    let head = "| fault | carrier | client, c2s | client, s2c | server, c2s | server, s2c |\n\
                |---|---|---|---|---|---|\n";
    fs::write(path, format!("{before}{BEGINS}{head}{rows}{ENDS}{after}")).unwrap();
}
