//! The tunnel of the README, pasted as it stands there: it works however fast that is done, and
//! whichever end starts first.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::{needs, program};

const TRIES: usize = 50;

/// The server, the client, and who asks.
fn lines_of_readme() -> [String; 3] {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, block) = readme
        .split_once("```sh\nministream-replay server")
        .unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    let lines: Vec<String> = format!("ministream-replay server{block}")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.try_into().unwrap()
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

#[test]
fn the_tunnel_of_the_readme_works_fifty_times_of_fifty() {
    needs!("curl", "ip");
    let name = "pasted::the_tunnel_of_the_readme_works_fifty_times_of_fifty";
    in_namespace(name, || {
        // The ports of the README are free in a namespace of one's own, and nowhere else for sure.
        let Ok(listener) = TcpListener::bind("127.0.0.1:80") else {
            return program::skip("needs to listen at port 80");
        };
        thread::spawn(move || serve(&listener));
        let [server, client, ask] = lines_of_readme();
        assert!(server.ends_with(" &") && client.ends_with(" &"), "{client}");
        let built = Path::new(env!("CARGO_BIN_EXE_ministream-replay"));
        let path = format!(
            "{}:{}",
            built.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let mut failed = Vec::new();
        for number in 1..=TRIES {
            let (first, second) = match number % 2 {
                0 => (&server, &client),
                _ => (&client, &server),
            };
            let pasted =
                format!("{first}\n{second}\n{ask}\ncode=$?\nkill $(jobs -p)\nwait\nexit $code\n");
            let output = Command::new("timeout")
                .args(["60", "bash", "-c", &pasted])
                .env("PATH", &path)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let shown = String::from_utf8_lossy(&output.stdout);
            if !output.status.success() || !shown.contains("a page\n") {
                failed.push(format!("{number}: {output:?}"));
            }
        }
        let count = failed.len();
        assert_eq!(count, 0, "of {TRIES}:\n{}", failed.join("\n"));
    });
}
