//! `conform`, `replay`, `mock` and `inject` against the second implementation.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use super::Make;
use crate::endpoint::{Endpoint, Tunnel, command, connect};
use crate::services::{echo, exchange, pattern, service};
use ministream_fixtures::needs;
use ministream_fixtures::unused_address;

const TCP: &str = "tcp://127.0.0.1:0";
const DIALECTS: [&str; 3] = ["text", "java2004", "java2011"];

/// What a run says of each case: its word by its name.
type Verdicts = BTreeMap<String, String>;

fn verdicts(text: &str) -> Verdicts {
    let words = text.lines().filter_map(|line| {
        let (word, rest) = line.split_once(' ')?;
        let name = rest.split_whitespace().next()?;
        name.starts_with("ms/")
            .then(|| (name.to_owned(), word.to_owned()))
    });
    words.collect()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

/// Tries the cases for a server on one.
fn conform_server(make: Make, dialect: &str, cases: &[&str]) -> (i32, String) {
    let service = unused_address();
    let server = make.server(TCP, service, "");
    let service = service.to_string();
    let peers = ["--carrier", server.carrier(), "--service", &service];
    let fixed = ["conform", "server", "--dialect", dialect];
    let output = command(&[&fixed[..], &peers, cases].concat())
        .output()
        .unwrap();
    (output.status.code().unwrap(), text(&output.stdout))
}

/// Tries the cases for a client on one.
fn conform_client(make: Make, dialect: &str) -> (i32, String) {
    let listen = unused_address().to_string();
    let fixed = ["conform", "client", "--dialect", dialect, "--carrier", TCP];
    let mut conform = command(&[&fixed[..], &["--dial", &listen]].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = conform.stdout.take().unwrap();
    let carrier = carrier_of(&mut told);
    let client = ["--carrier", &carrier, "--listen", &listen];
    let _client = make.start("client", &client);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    (conform.wait().unwrap().code().unwrap(), rest)
}

/// The carrier in the line that tells readiness.
fn carrier_of(told: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        told.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = text(&line);
    let mut words = line.split_whitespace();
    let carrier = words.find_map(|word| word.strip_prefix("carrier="));
    carrier.unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// What `docs/conform.md` says of the reference, by its table for a server or a client.
fn documented(tested: &str, dialect: &str) -> Verdicts {
    let page = include_str!("../../../docs/conform.md");
    let heading = format!("## Cases for a {tested}\n");
    let table = page.split_once(&*heading).unwrap().1;
    let table = table.split("\n## ").next().unwrap();
    let column = DIALECTS.iter().position(|name| *name == dialect).unwrap();
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells.get(1)?.strip_prefix("`ms/")?.strip_suffix('`')?;
        let word = match (cells[4 + column], cells[2]) {
            ("pass", _) => "passed",
            ("-", _) => "skipped",
            ("fails", "must") => "FAILED",
            (other, level) => panic!("{name}: {other} {level}"),
        };
        Some((format!("ms/{name}"), word.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_cases_judge_a_server_with_the_references_habits_as_documented() {
    needs!("python3");
    for dialect in DIALECTS {
        let (code, told) = conform_server(Make::REFERENCE, dialect, &[]);
        let expected = documented("server", dialect);
        assert!(expected.len() >= 30);
        assert_eq!(verdicts(&told), expected, "{dialect}: {told}");
        assert_eq!(code, i32::from(dialect == "text"), "{dialect}: {told}");
    }
}

#[test]
fn the_cases_judge_a_client_with_the_references_habits_as_documented() {
    needs!("python3");
    for dialect in DIALECTS {
        let (code, told) = conform_client(Make::REFERENCE, dialect);
        let expected = documented("client", dialect);
        assert!(expected.len() >= 26);
        assert_eq!(verdicts(&told), expected, "{dialect}: {told}");
        assert_eq!(code, 0, "{dialect}: {told}");
    }
}

#[test]
fn without_the_habits_only_its_answers_to_closes_are_held_against_it() {
    needs!("python3");
    let (code, told) = conform_server(Make::PLAIN, "text", &[]);
    let others = verdicts(&told);
    let warned: Vec<&str> = others
        .iter()
        .filter(|(_, word)| *word != "passed")
        .map(|(name, _)| &**name)
        .collect();
    assert_eq!(
        (code, warned),
        (0, vec!["ms/close/4", "ms/close/5"]),
        "{told}"
    );
}

/// What comes late for one case does not make the next wait in vain, and what all cases would
/// say is said three times.
#[test]
fn a_server_that_never_accepts_is_waited_for_and_told_by_what_it_sent() {
    needs!("python3");
    let cases = ["ms/handshake/1", "ms/handshake/3", "ms/close/4", "ms/noise"];
    let (code, told) = conform_server(Make::NEVER_ACCEPTS, "java2011", &cases);
    assert_eq!(code, 1, "{told}");
    assert!(!told.contains("nothing came"), "{told}");
    assert_eq!(told.matches(": CLOSE came instead").count(), 3, "{told}");
    assert_eq!(told.matches("          received  52").count(), 3, "{told}");
    assert!(
        told.contains("the peer refuses every conversation"),
        "{told}"
    );
}

/// Runs `replay` of a capture against a server.
fn replay(capture: &str, server: &Endpoint, more: &[&str]) -> Output {
    let arguments = ["replay", capture, "--carrier", server.carrier()];
    command(&[&arguments[..], more].concat()).output().unwrap()
}

#[test]
fn refusals_that_took_their_time_are_replayed_as_recorded() {
    needs!("python3");
    let never = Make::NEVER_ACCEPTS.server(TCP, unused_address(), "");
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/real/");
    let capture = format!("{captures}a-nack-accept-timeout.pcapng");
    let replayed = replay(&capture, &never, &["--max-gap", "200ms"]);
    let told = text(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("┆ same ").count(), 2, "{told}");
}

/// A capture of exchanges between endpoints of ours, with this service.
fn record(directory: &Path, target: SocketAddr, questions: &[&[u8]]) -> String {
    let capture = directory.join("recorded.pcapng").display().to_string();
    let server = Endpoint::server(TCP, target, &["--capture", &capture]);
    let client = Endpoint::client(server.carrier(), &[]);
    let mut tunnel = Tunnel { server, client };
    for question in questions {
        let mut stream = tunnel.connect();
        stream.write_all(question).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    tunnel.server.signal(rustix::process::Signal::INT);
    tunnel.server.wait();
    capture
}

/// Answers one byte by 1,000 times as many bytes as it says, and ends.
fn thousands() -> SocketAddr {
    service(|mut stream| {
        let mut count = [0];
        stream.read_exact(&mut count)?;
        stream.write_all(&pattern(usize::from(count[0]) * 1_000))
    })
}

const QUESTIONS: [&[u8]; 3] = [&[1], &[33], &[200]];

#[test]
fn recordings_of_ours_are_answered_the_same_by_a_second_make() {
    needs!("python3");
    let directory = tempfile::tempdir().unwrap();
    let target = thousands();
    let capture = record(directory.path(), target, &QUESTIONS);
    for make in [Make::REFERENCE, Make::PLAIN] {
        let server = make.server(TCP, target, "");
        let replayed = replay(&capture, &server, &[]);
        let told = text(&replayed.stdout);
        assert_eq!(replayed.status.code(), Some(0), "{make:?}: {told}");
    }
}

#[test]
fn clients_of_a_second_make_get_from_a_mock_what_was_recorded() {
    needs!("python3");
    let directory = tempfile::tempdir().unwrap();
    let capture = record(directory.path(), thousands(), &QUESTIONS);
    for make in [Make::REFERENCE, Make::PLAIN] {
        let mock = Endpoint::mock(TCP, &capture, &["--topspeed"]);
        let client = make.client(TCP, &mock);
        for question in QUESTIONS {
            let mut stream = connect(client.listen());
            stream.write_all(question).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let length = usize::from(question[0]) * 1_000;
            assert!(answer == pattern(length), "{make:?}: {}", answer.len());
        }
    }
}

/// Nothing that a peer can send makes a stalled server send its rest, so no endpoint of
/// ours tries: only its own next write does.
#[test]
fn neither_empty_data_nor_chaff_moves_a_stalled_server() {
    needs!("python3");
    const SCRIPT: &str = "\
        syn $c\n\
        expect ack $c -> $s\n\
        data $s seq:40000\n\
        expect bytes $c = seq:32768\n\
        data $s\n\
        type:ff $s \"chaff\"\n\
        ping\n\
        type:a0 rand\n\
        expect nothing within 1s\n\
        data $s \"more\"\n\
        expect bytes $c = @rest\n\
        close $s\n";
    let directory = tempfile::tempdir().unwrap();
    let rest = directory.path().join("rest");
    let sequence: Vec<u8> = (0..40_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    fs::write(&rest, [&sequence[32_768..], b"more"].concat()).unwrap();
    let script = directory.path().join("script");
    let text_of = SCRIPT.replace("@rest", &format!("@{}", rest.display()));
    fs::write(&script, text_of).unwrap();
    // What the echo writes at once is one burst: it has to be collected before it is cut.
    let collecting = service(|mut stream| {
        let mut all = vec![0; 40_000];
        stream.read_exact(&mut all)?;
        stream.write_all(&all)?;
        let mut more = [0; 4];
        stream.read_exact(&mut more)?;
        stream.write_all(&more)?;
        stream.read_to_end(&mut Vec::new()).map(|_| ())
    });
    let server = Make::REFERENCE.server(TCP, collecting, "");
    let script = script.display().to_string();
    let tried = command(&["inject", "--script", &script, "--carrier", server.carrier()])
        .output()
        .unwrap();
    let told = text(&tried.stdout) + &text(&tried.stderr);
    assert_eq!(tried.status.code(), Some(0), "{told}");
}

/// A message of an undefined type makes the reference forget the id that it names.
#[test]
fn an_undefined_type_deafens_the_reference_and_nobody_else() {
    needs!("python3");
    for (make, expected) in [
        (Make::REFERENCE, "expect nothing for $c within 1s"),
        (Make::PLAIN, "expect bytes $c = \"hello\""),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        let steps = format!(
            "syn $c\nexpect ack $c -> $s\ntype:a7 $s\ndata $s \"hello\"\n{expected}\nclose $s\n"
        );
        fs::write(&script, steps).unwrap();
        let server = make.server(TCP, echo(), "");
        let script = script.display().to_string();
        let tried = command(&["inject", "--script", &script, "--carrier", server.carrier()])
            .output()
            .unwrap();
        let told = text(&tried.stdout) + &text(&tried.stderr);
        assert_eq!(tried.status.code(), Some(0), "{make:?}: {told}");
    }
    let tunnel = Tunnel::to(TCP, echo(), &[]);
    assert_eq!(exchange(&tunnel.connect(), b"hello"), b"hello");
}
