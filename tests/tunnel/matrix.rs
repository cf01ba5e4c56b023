//! Every fault on every carrier, against our client and server: what comes of it.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test tunnel matrix` writes the table in `docs/faults.md` anew.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::i2cp::{make_keys, with_router_for};
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
const LONGEST: Duration = Duration::from_secs(20);

/// Times that end what would else wait for a minute; a router needs more of it.
const TIMES: [&str; 4] = ["--handshake-timeout", "700ms", "--idle-timeout", "1500ms"];
const TIMES_BEHIND_A_ROUTER: [&str; 4] = ["--handshake-timeout", "6s", "--idle-timeout", "6s"];

/// Where a fault can be: whose `--fault` it is, and what it meets.
const PLACES: [(&str, &str); 4] = [
    ("client", "c2s"),
    ("client", "s2c"),
    ("server", "c2s"),
    ("server", "s2c"),
];

/// What came of an exchange.
struct Outcome {
    told: String,
    took: Duration,
    /// Whether the application was given what was not sent, or an orderly end before its time.
    false_success: bool,
    hung: bool,
}

/// An exchange through endpoints that are started with these times and, one of them, the fault.
fn exchange(
    fault: &str,
    at: &str,
    times: &[&str],
    start: impl FnOnce(&[&str], &[&str]) -> (Endpoint, Endpoint),
) -> Outcome {
    let faulty = ["--fault", fault, "--seed", "11"];
    let with = |side: &str| {
        if at == side {
            [times, &faulty].concat()
        } else {
            times.to_vec()
        }
    };
    let (server, client) = start(&with("server"), &with("client"));
    let began = Instant::now();
    let stream = client.connect();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let sent = pattern(BYTES);
    let mut writer = stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
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

/// What the endpoints say of it, within half a second: the first error that either tells.
fn reason(client: &Endpoint, server: &Endpoint) -> String {
    let known = [
        "cut on purpose by a fault",
        "no answer to the SYN",
        "idle for too long",
        "the peer neither sent more nor closed",
        "an unknown conversation",
        "closed by the peer",
        "the other end closed the connection",
        "is announced, and the limit is",
        "refused",
    ];
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        let logs = [("client", client.log()), ("server", server.log())];
        for text in known {
            for (side, log) in &logs {
                if log.contains(text) {
                    return format!("{side}: {text}");
                }
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    "no word".to_owned()
}

/// What these do to bytes, nobody can notice: the protocol has no sequence numbers and no sums.
fn changes_bytes(fault: &str) -> bool {
    ["loss", "dup", "reorder", "corrupt"]
        .iter()
        .any(|name| fault.starts_with(name))
}

/// What stands in the table of an outcome, if it is one that there may be.
fn cell(carrier: &str, fault: &str, at: &str, text: &str, outcome: &Outcome) -> String {
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
}

fn row(fault: &str, scheme: &str, cells: &[String]) -> String {
    format!("| `{fault}` | {scheme} | {} |\n", cells.join(" | "))
}

#[test]
fn no_fault_on_any_carrier_makes_an_endpoint_hang_or_tell_of_a_success_that_is_none() {
    for scheme in ["tcp", "udp"] {
        let carrier = format!("{scheme}://127.0.0.1:0");
        let mut rows = String::new();
        for fault in FAULTS {
            let cells = PLACES.map(|(at, direction)| {
                let text = format!("{direction}: {fault}");
                let outcome = exchange(&text, at, &TIMES, |of_server, of_client| {
                    let server = Endpoint::server(&carrier, echo(), of_server);
                    let client = Endpoint::client(server.carrier(), of_client);
                    (server, client)
                });
                cell(&carrier, fault, at, &text, &outcome)
            });
            rows += &row(fault, scheme, &cells);
        }
        bless(scheme, &rows);
    }
}

#[test]
fn no_fault_before_a_router_makes_an_endpoint_hang_or_tell_of_a_success_that_is_none() {
    let name =
        "matrix::no_fault_before_a_router_makes_an_endpoint_hang_or_tell_of_a_success_that_is_none";
    with_router_for(name, |net| {
        let net = &*net;
        let target = echo();
        let try_one = |fault: &str, number: usize| {
            let (at, direction) = PLACES[number];
            let text = format!("{direction}: {fault}");
            let keys = net.path(&format!("{fault}-{number}.dat").replace('/', "-"));
            make_keys(Path::new(&keys));
            let times = &TIMES_BEHIND_A_ROUTER;
            let outcome = exchange(&text, at, times, |of_server, of_client| {
                let own = ["--keys", &keys];
                let own = [&own[..], of_server].concat();
                let server = Endpoint::server(&net.carrier, target, &own);
                let client = net.client(&server, of_client);
                (server, client)
            });
            cell("i2cp", fault, at, &text, &outcome)
        };
        let mut rows = String::new();
        // Sessions take seconds to come up, so that many do at once.
        for faults in FAULTS.chunks(6) {
            let cells: Vec<Vec<String>> = thread::scope(|scope| {
                let started: Vec<_> = faults
                    .iter()
                    .map(|fault| {
                        [0, 1, 2, 3].map(|number| scope.spawn(move || try_one(fault, number)))
                    })
                    .collect();
                let ended = started.into_iter().map(|places| {
                    let cells = places.map(|place| place.join().unwrap());
                    cells.to_vec()
                });
                ended.collect()
            });
            for (fault, cells) in faults.iter().zip(&cells) {
                rows += &row(fault, "i2cp", cells);
            }
        }
        bless("i2cp", &rows);
    });
}

const BEGINS: &str = "<!-- matrix -->\n";
const ENDS: &str = "<!-- end of matrix -->";

/// Writes the rows of a carrier anew, if that is wanted.
fn bless(scheme: &str, rows: &str) {
    if env::var_os("MINISTREAM_BLESS").is_none() {
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    // Two tests may be writing.
    let _lock = WRITING.lock().unwrap();
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGINS).unwrap();
    let (table, after) = rest.split_once(ENDS).unwrap();
    let of = |scheme: &str| {
        let own = format!("| {scheme} |");
        let lines = table.lines().filter(move |line| line.contains(&own));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let all = ["tcp", "udp", "i2cp"].map(|each| {
        if each == scheme {
            rows.to_owned()
        } else {
            of(each)
        }
    });
    let head = "| fault | carrier | client, c2s | client, s2c | server, c2s | server, s2c |\n\
                |---|---|---|---|---|---|\n";
    let all = all.concat();
    fs::write(path, format!("{before}{BEGINS}{head}{all}{ENDS}{after}")).unwrap();
}

static WRITING: Mutex<()> = Mutex::new(());
