//! What a service manager hears: sd_notify(3).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use ministream_fixtures::unused_address;
use rustix::process::Signal;

use crate::endpoint::{Endpoint, PATIENCE, command};
use crate::services::{deaf, echo, exchange, fill, pattern};

/// How long the service manager waits for a sign of life.
const WATCHDOG: Duration = Duration::from_millis(1_500);

/// A service manager in the place of systemd.
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        Self { socket, directory }
    }

    fn start(&self, arguments: &[&str]) -> Endpoint {
        let mut command = command(arguments);
        command.env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        Endpoint::run(command).unwrap()
    }

    fn serve(&self, target: SocketAddr) -> Endpoint {
        let (carrier, target) = ("tcp://127.0.0.1:0", target.to_string());
        self.start(&["server", "--carrier", carrier, "--target", &target])
    }

    /// What comes next, if anything does in this time.
    fn next_notification(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut said = [0; 1024];
        match self.socket.recv(&mut said) {
            Ok(length) => Some(String::from_utf8(said[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The first word that is no sign of life.
    fn next_state(&self) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.next_notification(PATIENCE) {
                Some(said) if said.trim_end() == "WATCHDOG=1" => {}
                Some(said) => return said,
                None => break,
            }
        }
        panic!("nothing was said");
    }

    /// Waits until signs of life come as often as they must, for five times in a row.
    fn sees_it_alive(&self) {
        for _ in 0..5 {
            assert_eq!(
                self.next_notification(WATCHDOG).as_deref(),
                Some("WATCHDOG=1\n")
            );
        }
    }
}

#[test]
fn a_server_is_ready_lives_and_stops() {
    let manager = Manager::new();
    let mut server = manager.serve(echo());
    let expected = format!("READY=1\nSTATUS={}\n", server.ready.trim_end());
    assert_eq!(manager.next_state(), expected);
    manager.sees_it_alive();
    server.signal(Signal::TERM);
    assert_eq!(manager.next_state(), "STOPPING=1\n");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_client_is_ready_when_its_server_is_there_and_not_before() {
    let manager = Manager::new();
    let address = unused_address();
    let carrier = format!("tcp://{address}");
    std::thread::scope(|scope| {
        let listen = "127.0.0.1:0";
        let client =
            scope.spawn(|| manager.start(&["client", "--carrier", &carrier, "--listen", listen]));
        assert_eq!(manager.next_notification(Duration::from_secs(1)), None);
        let _server = Endpoint::server(&carrier, echo(), &[]);
        let client = client.join().unwrap();
        assert!(
            manager
                .next_state()
                .starts_with("READY=1\nSTATUS=ready client listen=")
        );
        assert_eq!(exchange(&client.connect(), b"used"), b"used");
    });
}

#[test]
fn an_endpoint_that_carries_as_much_as_it_can_is_seen_alive_and_one_that_is_stopped_is_not() {
    let manager = Manager::new();
    let server = manager.serve(echo());
    let client = Endpoint::client(server.carrier(), &[]);
    assert!(manager.next_state().starts_with("READY=1\n"));
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let bytes = pattern(4 << 20);
            let stream = client.connect();
            let began = Instant::now();
            while began.elapsed() < 5 * WATCHDOG {
                assert!(exchange(&stream, &bytes) == bytes);
            }
        });
        manager.sees_it_alive();
        busy.join().unwrap();
    });
    server.signal(Signal::STOP);
    // What was said before it stopped.
    while manager.next_notification(WATCHDOG).is_some() {}
    assert_eq!(manager.next_notification(2 * WATCHDOG), None);
    server.signal(Signal::CONT);
    manager.sees_it_alive();
}

#[test]
fn a_service_that_never_reads_does_not_make_its_endpoint_look_dead() {
    let manager = Manager::new();
    let server = manager.serve(deaf());
    let client = Endpoint::client(server.carrier(), &[]);
    assert!(manager.next_state().starts_with("READY=1\n"));
    fill(&client.connect(), WATCHDOG, &pattern(1 << 20));
    while manager
        .next_notification(Duration::from_millis(1))
        .is_some()
    {}
    manager.sees_it_alive();
}

#[test]
fn mock_and_proxy_say_the_same() {
    let manager = Manager::new();
    let recorded = format!(
        "{}/captures/spec-samples-tcp-u32be.pcap",
        env!("CARGO_MANIFEST_DIR")
    );
    let carrier = "tcp://127.0.0.1:0";
    let mut mock = manager.start(&["mock", &recorded, "--carrier", carrier]);
    assert!(
        manager
            .next_state()
            .starts_with("READY=1\nSTATUS=ready mock ")
    );
    let upstream = mock.carrier().to_owned();
    let mut proxy = manager.start(&["proxy", "--carrier", carrier, "--upstream", &upstream]);
    assert!(
        manager
            .next_state()
            .starts_with("READY=1\nSTATUS=ready proxy ")
    );
    for endpoint in [&mut proxy, &mut mock] {
        endpoint.signal(Signal::TERM);
        assert_eq!(manager.next_state(), "STOPPING=1\n");
        endpoint.wait();
    }
}
