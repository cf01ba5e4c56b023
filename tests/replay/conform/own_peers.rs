//! Our own server and our own client pass, over each carrier.

use std::collections::BTreeSet;

use super::{Verdicts, for_all, free_address, listed, verdicts};
use crate::peer::CARRIERS;
use crate::process::{Server, code, run, stderr, stdout};

/// All cases passed, but for those that had to be skipped.
fn check(code: i32, text: &str, names: &BTreeSet<String>, skipped: &[&str]) -> Result<(), String> {
    let word = |name: &str| {
        if skipped.contains(&name) {
            "skipped".to_owned()
        } else {
            "passed".to_owned()
        }
    };
    let expected: Verdicts = names
        .iter()
        .map(|name| (name.clone(), word(name)))
        .collect();
    if (code, verdicts(text)) == (0, expected) {
        Ok(())
    } else {
        Err(format!("exit code {code}\n{text}"))
    }
}

#[test]
fn our_server_passes_every_case() {
    for_all(CARRIERS, |carrier| {
        let service = free_address().to_string();
        let bound = format!("{carrier}://127.0.0.1:0");
        let server = Server::quiet("server", &["--carrier", &bound, "--target", &service]);
        let fixed = ["conform", "server", "--strict", "--retries", "2"];
        let peers = ["--carrier", &server.carrier, "--service", &service];
        let output = run(&[&fixed[..], &peers].concat());
        let skipped: &[&str] = match carrier {
            // There, a SYN that comes twice may have been sent once.
            "udp" => &["ms/handshake/3"],
            _ => &[],
        };
        let text = stdout(&output) + &stderr(&output);
        check(code(&output), &text, &listed("server"), skipped)
    });
}

#[test]
fn our_client_passes_every_case() {
    for_all(CARRIERS, |carrier| {
        let listen = free_address().to_string();
        let bound = format!("{carrier}://127.0.0.1:0");
        let fixed = ["client", "--strict", "--retries", "2"];
        let peers = ["--carrier", &bound, "--dial", &listen];
        let conform = Server::quiet("conform", &[&fixed[..], &peers].concat());
        let client = ["--carrier", &conform.carrier, "--listen", &listen];
        let _client = Server::quiet("client", &client);
        let (code, text) = conform.end();
        check(code, &text, &listed("client"), &[])
    });
}
