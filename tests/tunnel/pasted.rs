//! The tunnel of the README, and what else starts several programs together, pasted as it stands
//! there: it works however fast that is done, and whichever end starts first.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::router::Router;
use ministream_fixtures::{needs, program};

const TRIES: usize = 50;

/// What is pasted: the block of a page that has a text in it.
fn block(page: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(path).unwrap();
    // Texts stand between blocks.
    let found = page.split("\n```").skip(1).step_by(2);
    let block = found.filter_map(|block| block.split_once('\n')?.1.into());
    block
        .map(str::to_owned)
        .find(|block| block.contains(text))
        .unwrap_or_else(|| panic!("no block has {text:?}"))
}

/// The same, its first two lines in the other order.
fn swapped(block: &str) -> String {
    let mut lines: Vec<&str> = block.lines().collect();
    lines.swap(0, 1);
    lines.join("\n")
}

/// What a shell says that a block is pasted into, in a folder in which the captures are.
fn paste(block: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    symlink(captures, folder.path().join("captures")).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_ministream-replay"));
    let path = format!(
        "{}:{}",
        built.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    // Jobs have numbers where a person types.
    let pasted = format!(
        "exec 2>&1; set -m\n{block}\necho \"ended with $?\"\nkill $(jobs -p) 2>/dev/null; wait"
    );
    let output = Command::new("timeout")
        .args(["90", "bash", "-c", &pasted])
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

#[test]
fn the_tunnel_of_the_readme_works_fifty_times_of_fifty() {
    needs!("curl", "ip");
    let name = "pasted::the_tunnel_of_the_readme_works_fifty_times_of_fifty";
    beside_a_service(name, || {
        let tunnel = block("README.md", "ministream-replay server");
        let other_way_round = swapped(&tunnel);
        let tries = [tunnel, other_way_round].into_iter().cycle().take(TRIES);
        let failed: Vec<String> = tries
            .map(|tunnel| paste(&tunnel))
            .filter(|shown| !shown.contains("a page\nended with 0\n"))
            .collect();
        let count = failed.len();
        assert_eq!(count, 0, "of {TRIES}:\n{}", failed.join("\n"));
    });
}

#[test]
fn blocks_of_pages_in_which_programs_start_together_do_what_the_pages_say() {
    needs!("curl", "ip");
    let name = "pasted::blocks_of_pages_in_which_programs_start_together_do_what_the_pages_say";
    beside_a_service(name, || {
        let mock = block("docs/replay.md", "ministream-replay mock");
        let html = block("docs/replay.md", "--html replay.html");
        let first = mock.lines().next().unwrap();
        let client = block("docs/conform.md", "conform client");
        // All cases take 15 s.
        let client = client.replace(":8080 &", ":8080 ms/handshake/1 &");
        for (block, shown) in [
            (swapped(&mock), ["hello\n", "Empty reply from server"]),
            (mock.clone(), ["hello\n", "Empty reply from server"]),
            (
                format!("{}\n{html}", first.replace("--conv c1 ", "")),
                ["PASSED", "wrote replay.html"],
            ),
            (
                block("docs/tour.md", "replay captures"),
                ["2 same, 1 differs", "wrote replay.html"],
            ),
            (
                block("docs/conform.md", "--target 127.0.0.1:7000"),
                ["30 passed   PASSED", "ended with 0"],
            ),
            (client, ["1 passed   PASSED", "was lost"]),
            (
                block("docs/proxy.md", "kill -INT %2"),
                ["a page\n", "1 conversation on 1 connection"],
            ),
            (
                block("docs/proxy.md", "delay 2s"),
                ["no answer to the SYN", "a page\n"],
            ),
            (
                block("docs/proxy.md", "both.pcapng"),
                ["a page\n", "1 same"],
            ),
        ] {
            let told = paste(&block);
            for text in shown {
                assert!(told.contains(text), "{text:?} is not in\n{told}");
            }
        }
    });
}

#[test]
fn the_first_tunnel_through_a_router_works_with_a_router_that_knows_no_others() {
    needs!("curl", "i2pd", "ip");
    let name = "pasted::the_first_tunnel_through_a_router_works_with_a_router_that_knows_no_others";
    beside_a_service(name, || {
        let router = Router::start();
        let carrier = format!("{}?length=0", router.i2cp());
        let tunnel = block("docs/i2cp.md", "keys new site.dat");
        let shown = paste(&tunnel.replace("127.0.0.1:7654", &carrier));
        assert!(shown.contains("a page\nended with 0\n"), "{shown}");
        assert!(shown.contains("ready server target="), "{shown}");
    });
}
