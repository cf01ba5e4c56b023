//! The tunnel of the README, and what else starts several programs together, pasted as it stands
//! there: it works however fast that is done, and whichever end starts first.
//!
//! `MINISTREAM_PASTES=10 cargo test --all-features --test tunnel -- --nocapture pasted::` pastes
//! each of the others ten times, and prints how often it worked.

use std::env;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::router::Router;
use ministream_fixtures::{needs, program};

use crate::documents::{blocks, pages};

/// How often the tunnel of the README is pasted.
const README_TRIES: usize = 50;

/// A block of a page in which programs start together, and what comes of it.
struct Pasted {
    page: &'static str,
    /// What no other block of the page has in it.
    text: &'static str,
    /// What is pasted in its place.
    change: fn(String) -> String,
    /// What is shown then, among other things.
    shown: [&'static str; 2],
}

const PASTED: [Pasted; 11] = [
    Pasted {
        page: "docs/replay.md",
        text: "ministream-replay mock",
        change: |block| block,
        shown: ["hello\n", "ended with 52"],
    },
    Pasted {
        page: "docs/replay.md",
        text: "ministream-replay mock",
        change: |block| swapped(&block),
        shown: ["hello\n", "ended with 52"],
    },
    Pasted {
        page: "docs/replay.md",
        text: "--html replay.html",
        change: |block| {
            let mock = text_of("docs/replay.md", "ministream-replay mock");
            let mock = mock.lines().next().unwrap().replace("--conv c1 ", "");
            format!("{mock}\n{block}")
        },
        shown: ["PASSED", "wrote replay.html"],
    },
    Pasted {
        page: "docs/tour.md",
        text: "--html replay.html",
        change: |block| block,
        shown: ["2 same, 1 differs", "wrote replay.html"],
    },
    Pasted {
        page: "docs/tour.md",
        text: "--html conform.html",
        change: |block| block,
        shown: ["29 passed, 1 failed   FAILED", "ended with 1"],
    },
    Pasted {
        page: "docs/conform.md",
        text: "--target 127.0.0.1:7000",
        change: |block| block,
        shown: ["30 passed   PASSED", "ended with 0"],
    },
    Pasted {
        page: "docs/conform.md",
        text: "conform client --carrier tcp",
        // All cases take 15 s.
        change: |block| block.replace(":8080 &", ":8080 ms/handshake/1 &"),
        shown: ["1 passed   PASSED", "was lost"],
    },
    Pasted {
        page: "docs/proxy.md",
        text: "--upstream tcp://127.0.0.1:9004 &",
        change: |block| block,
        shown: ["a page\n", "1 conversation on 1 connection"],
    },
    Pasted {
        page: "docs/proxy.md",
        text: "delay 2s",
        change: |block| block,
        shown: ["no answer to the SYN", "a page\n"],
    },
    Pasted {
        page: "docs/proxy.md",
        text: "both.pcapng &",
        change: |block| block,
        shown: ["a page\n", "1 same"],
    },
    Pasted {
        page: "docs/tls.md",
        text: "keys new site.dat",
        change: |block| typed_at_prompts(&block),
        shown: ["a page\n", "ended with 0"],
    },
];

/// Those that have a test of their own, and the one that none pastes: it needs a program that no
/// other test needs, and measures speed.
const OTHERS: [(&str, &str); 3] = [
    ("README.md", "ministream-replay server"),
    ("docs/i2cp.md", "keys new site.dat"),
    ("docs/proxy.md", "mitmdump"),
];

/// How often a block is pasted that is not the README's.
fn tries() -> usize {
    env::var("MINISTREAM_PASTES").map_or(1, |number| number.parse().unwrap())
}

/// The block of a page that has a text in it.
#[track_caller]
fn text_of(page: &str, text: &str) -> String {
    let mut found = blocks(page);
    found.retain(|block| block.contains(text));
    let [block] = &found[..] else {
        panic!("{} blocks of {page} have {text:?}", found.len());
    };
    block.clone()
}

/// Whether programs start together in it: in the background, or at the prompts of two machines.
fn starts_several(block: &str) -> bool {
    let mut machines: Vec<&str> = block
        .lines()
        .filter_map(|line| Some(line.split_once("$ ")?.0))
        .filter(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric))
        .collect();
    machines.dedup();
    let in_the_background = |line: &str| {
        let (command, _comment) = line.split_once("  #").unwrap_or((line, ""));
        let command = command.trim_end();
        (command.ends_with('&') && !command.ends_with("&&")) || command.contains(" & ")
    };
    machines.len() > 1 || block.lines().any(in_the_background)
}

/// The same, its first two lines in the other order.
fn swapped(block: &str) -> String {
    let mut lines: Vec<&str> = block.lines().collect();
    lines.swap(0, 1);
    lines.join("\n")
}

/// A block with the prompts of two machines, as typed on one of them: the servers' names are those
/// of its keys, not of the page's, and both ends start together.
fn typed_at_prompts(block: &str) -> String {
    let mut commands: Vec<String> = Vec::new();
    let mut names: Vec<(&str, String)> = Vec::new();
    let mut continues = false;
    for line in block.lines() {
        match line.split_once("$ ") {
            Some((_machine, command)) => commands.push(command.to_owned()),
            None if continues => {
                let command = commands.last_mut().unwrap();
                command.push('\n');
                command.push_str(line);
            }
            None => {
                // What a command printed.
                let name = line.strip_prefix("name ").map(str::trim);
                let file = commands.last().and_then(|made| made.split(' ').next_back());
                names.extend(name.zip(file).map(|(name, file)| (name, file.to_owned())));
            }
        }
        continues = line.ends_with('\\');
    }
    let ends = ["ministream-replay server", "ministream-replay client"];
    for command in &mut commands {
        if ends.iter().any(|end| command.starts_with(end)) {
            command.push_str(" &");
        }
    }
    let typed = commands.join("\n").replace("server.example", "127.0.0.1");
    // Nobody types as fast as this is pasted.
    let typed = typed.replace("curl ", "curl --retry 5 --retry-connrefused ");
    names.into_iter().fold(typed, |typed, (name, file)| {
        let shown = format!("$(ministream-replay keys show {file} | sed -n 's/^name *//p')");
        typed.replace(name, &shown)
    })
}

/// Whether processes may have a namespace of their own here.
static MAY_BE_APART: LazyLock<bool> = LazyLock::new(|| {
    let mut probe = Command::new("unshare");
    let status = probe
        .args(["--pid", "--fork", "true"])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
});

/// What a shell says that a block is pasted into, in a folder in which the captures are.
fn paste(block: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    symlink(captures, folder.path().join("captures")).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_ministream-replay"));
    let path = format!(
        "{}:{}",
        built.parent().unwrap().display(),
        env::var("PATH").unwrap()
    );
    // Jobs have numbers where a person types.
    let pasted = format!(
        "exec 2>&1; set -m\n{block}\necho \"ended with $?\"\nkill $(jobs -p) 2>/dev/null; wait"
    );
    // What is started has process groups of its own, and ends with a namespace for processes.
    let in_time = "timeout --signal=KILL 90";
    let apart = "unshare --pid --fork --kill-child";
    let apart = MAY_BE_APART.then_some(apart);
    let words = [in_time].into_iter().chain(apart);
    let words = words.flat_map(|words| words.split(' '));
    let mut words = words.chain(["bash", "-c", &pasted]);
    let output = Command::new(words.next().unwrap())
        .args(words)
        .current_dir(folder.path())
        .env("PATH", &path)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    format!("{block}\n{shown}({})", output.status)
}

/// A web server with one page.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let read = stream.read(&mut [0; 4096]);
        if read.is_ok_and(|length| length > 0) {
            let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\na page\n";
            stream.write_all(answer).ok();
        }
    }
}

/// Does something in a network of its own with a web server at port 80, if that may be: the ports
/// of pages are free there, and nowhere else for sure.
fn beside_a_service(name: &str, what: impl FnOnce()) {
    in_namespace(name, || {
        let Ok(listener) = TcpListener::bind("127.0.0.1:80") else {
            return program::skip("needs to listen at port 80");
        };
        thread::spawn(move || serve(&listener));
        what();
    });
}

/// Pastes a block so often; what was shown when that was not all that is to be shown.
fn failures(tries: usize, what: &str, block: &str, shown: &[&str]) -> Vec<String> {
    let told = (0..tries).map(|_| paste(block));
    let failed: Vec<String> = told
        .filter(|told| !shown.iter().all(|text| told.contains(text)))
        .map(|told| format!("{shown:?} are not in\n{told}"))
        .collect();
    let good = tries - failed.len();
    println!("{good} of {tries}: {what}");
    failed
}

#[test]
fn the_tunnel_of_the_readme_works_fifty_times_of_fifty() {
    needs!("curl", "ip");
    let name = "pasted::the_tunnel_of_the_readme_works_fifty_times_of_fifty";
    beside_a_service(name, || {
        let tunnel = text_of("README.md", "ministream-replay server");
        let other_way_round = swapped(&tunnel);
        let failed: Vec<String> = [tunnel, other_way_round]
            .iter()
            .flat_map(|tunnel| {
                let shown = ["a page\nended with 0\n"];
                failures(README_TRIES / 2, "README.md", tunnel, &shown)
            })
            .collect();
        let count = failed.len();
        assert_eq!(count, 0, "of {README_TRIES}:\n{}", failed.join("\n"));
    });
}

#[test]
fn blocks_of_pages_in_which_programs_start_together_do_what_the_pages_say() {
    needs!("curl", "ip");
    let name = "pasted::blocks_of_pages_in_which_programs_start_together_do_what_the_pages_say";
    beside_a_service(name, || {
        let tries = tries();
        let failed: Vec<String> = PASTED
            .iter()
            .flat_map(|pasted| {
                let block = (pasted.change)(text_of(pasted.page, pasted.text));
                let what = format!("{}, {}", pasted.page, pasted.text);
                failures(tries, &what, &block, &pasted.shown)
            })
            .collect();
        let count = failed.len();
        assert_eq!(count, 0, "of {tries} each:\n{}", failed.join("\n"));
    });
}

#[test]
fn the_first_tunnel_through_a_router_works_with_a_router_that_knows_no_others() {
    needs!("curl", "i2pd", "ip");
    let name = "pasted::the_first_tunnel_through_a_router_works_with_a_router_that_knows_no_others";
    beside_a_service(name, || {
        let router = Router::start();
        let carrier = format!("{}?length=0", router.i2cp());
        let tunnel = text_of("docs/i2cp.md", "keys new site.dat");
        let tunnel = tunnel.replace("127.0.0.1:7654", &carrier);
        let shown = ["a page\nended with 0\n", "ready server target="];
        let failed = failures(tries(), "docs/i2cp.md", &tunnel, &shown);
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    });
}

#[test]
fn every_block_in_which_programs_start_together_is_in_a_list() {
    let pasted = PASTED.iter().map(|pasted| (pasted.page, pasted.text));
    let listed: Vec<(&str, String)> = pasted
        .chain(OTHERS)
        .map(|(page, text)| (page, text_of(page, text)))
        .collect();
    let mut missing = String::new();
    for page in pages() {
        for block in blocks(&page)
            .into_iter()
            .filter(|block| starts_several(block))
        {
            if !listed.contains(&(page.as_str(), block.clone())) {
                missing.push_str(&format!("{page}:\n{block}\n"));
            }
        }
    }
    assert_eq!(missing, "", "nothing pastes these, and no list says why");
}
