//! Our endpoints and a second implementation with the reference's habits
//! (`tests/second_make/peer.py`), in both roles and over every carrier: each exchange
//! arrives whole, or ends as the documentation says.

mod matrix;
mod played;

use std::net::SocketAddr;
use std::process::Command;

use crate::endpoint::Endpoint;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/second_make/peer.py");

/// The habits of the reference that the second implementation has, or has not.
const HABITS: [&str; 6] = [
    "coalesce",
    "leftover",
    "wait",
    "silence",
    "forget",
    "both-ends",
];

/// Who made an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    Ours,
    /// The second implementation.
    Second {
        /// Which of [`HABITS`] it has, a bit each.
        habits: u8,
        /// How it refuses what its target does.
        refusal: &'static str,
        /// Nobody takes its connections.
        never_accepts: bool,
    },
}

impl Make {
    /// As the reference behaves.
    const REFERENCE: Self = Self::Second {
        habits: 0b11_1111,
        refusal: "ack-close",
        never_accepts: false,
    };
    /// The same, and its application never takes a connection.
    const NEVER_ACCEPTS: Self = Self::Second {
        habits: 0b11_1111,
        refusal: "ack-close",
        never_accepts: true,
    };
    /// Without the reference's habits.
    const PLAIN: Self = Self::Second {
        habits: 0,
        refusal: "id",
        never_accepts: false,
    };

    /// With each habit alone, and with all but each.
    fn by_habit() -> impl Iterator<Item = Self> {
        let alone = (0..HABITS.len()).map(|place| 1 << place);
        alone
            .flat_map(|habit| [habit, 0b11_1111 ^ habit])
            .map(|habits| Self::Second {
                habits,
                refusal: "close",
                never_accepts: false,
            })
    }

    fn has(self, habit: &str) -> bool {
        match self {
            Self::Ours => false,
            Self::Second { habits, .. } => HABITS
                .iter()
                .enumerate()
                .any(|(place, name)| *name == habit && habits & 1 << place != 0),
        }
    }

    fn start(self, role: &str, arguments: &[&str]) -> Endpoint {
        let Self::Second {
            refusal,
            never_accepts,
            ..
        } = self
        else {
            return Endpoint::start(&[&[role], arguments].concat());
        };
        let mut python = Command::new("python3");
        // Nothing is written beside the program.
        python
            .args(["-B", PROGRAM, role])
            .args(arguments)
            .args(["--refuse", refusal])
            .args(never_accepts.then_some("--never-accept"));
        for habit in HABITS.iter().filter(|habit| !self.has(habit)) {
            python.args(["--without", habit]);
        }
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
        let to;
        if is_i2cp {
            // One word, since a destination may begin with a hyphen.
            to = format!("--to={}", server.field("destination="));
            arguments.push(&to);
            if self == Self::Ours {
                arguments.extend(["--keys", "transient"]);
            }
        }
        self.start("client", &arguments)
    }
}
