//! Our endpoints and a second implementation with the reference's habits
//! (`tests/second_make/peer.py`), in both roles and over every carrier: each exchange
//! arrives whole, or ends as the documentation says.

mod matrix;
mod played;

use std::net::SocketAddr;
use std::process::Command;

use crate::endpoint::Endpoint;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/second_make/peer.py");

/// The options that take the reference's habits away from the second implementation.
const NO_HABITS: &[&str] = &[
    "--without=coalesce",
    "--without=leftover",
    "--without=wait",
    "--without=silence",
    "--without=forget",
    "--without=both-ends",
    "--refuse=id",
];

/// Who made an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    Ours,
    /// The second implementation, as the reference behaves, with these options.
    Habitual(&'static [&'static str]),
    /// The second implementation without these habits.
    Plain,
}

impl Make {
    const REFERENCE: Self = Self::Habitual(&[]);

    fn start(self, role: &str, arguments: &[&str]) -> Endpoint {
        let more = match self {
            Self::Ours => return Endpoint::start(&[&[role], arguments].concat()),
            Self::Habitual(more) => more,
            Self::Plain => NO_HABITS,
        };
        let mut python = Command::new("python3");
        // Nothing is written beside the program.
        python
            .args(["-B", PROGRAM, role])
            .args(arguments)
            .args(more);
        Endpoint::run(python).unwrap_or_else(|log| panic!("{role} {arguments:?} ended: {log}"))
    }

    /// A server before `target`.
    fn server(self, carrier: &str, target: SocketAddr, keys: &str) -> Endpoint {
        let target = target.to_string();
        let arguments = ["--carrier", carrier, "--target", &target];
        let is_i2cp = carrier.starts_with("i2cp");
        match self {
            Self::Ours if is_i2cp => {
                let routed = format!("{carrier}?length=0&quantity=1");
                let told = format!("{keys}.ready");
                let arguments = ["--carrier", &routed, "--target", &target, "--keys", keys];
                let arguments = [&arguments[..], &["--ready-file", &told]].concat();
                // The peer of another make looks up no names, and needs the whole destination.
                self.start("server", &arguments).ready_as_in(&told)
            }
            _ => self.start("server", &arguments),
        }
    }

    /// A client of that server.
    fn client(self, carrier: &str, server: &Endpoint) -> Endpoint {
        let is_i2cp = carrier.starts_with("i2cp");
        let carrier = match (self, is_i2cp) {
            (Self::Ours, true) => format!("{carrier}?length=0&quantity=1"),
            (_, true) => carrier.to_owned(),
            (_, false) => server.carrier().to_owned(),
        };
        let mut arguments = vec!["--carrier", &carrier, "--listen", "127.0.0.1:0"];
        if is_i2cp {
            arguments.extend(["--to", server.field("destination=")]);
            if self == Self::Ours {
                arguments.extend(["--keys", "transient"]);
            }
        }
        self.start("client", &arguments)
    }
}
