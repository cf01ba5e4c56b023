//! One session on a socket, driven by the thread that uses it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ministream::keys::{KeyType, Keys};
use ministream::session::{Attempts, Event, Session, SessionConfig, Tunnels};
use ministream::wire::{Destination, DestinationHash};

/// More than a router takes for anything, on a machine with other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A session with the socket to its router.
pub(crate) struct User {
    pub(crate) session: Session,
    socket: TcpStream,
    events: Vec<Event>,
}

pub(crate) fn new_keys() -> Arc<Keys> {
    Arc::new(Keys::generate(&mut rand::rng()))
}

pub(crate) fn new_dsa_keys() -> Arc<Keys> {
    Arc::new(Keys::generate_as(KeyType::Dsa, &mut rand::rng()))
}

pub(crate) fn zero_hop() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.tunnels = Tunnels::ZERO_HOP;
    config
}

impl User {
    pub(crate) fn connect(router: SocketAddr, keys: Arc<Keys>, config: SessionConfig) -> Self {
        let socket = TcpStream::connect(router).unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            session: Session::new(Instant::now(), keys, config, rand::random()),
            socket,
            events: Vec::new(),
        }
    }

    /// Connects and waits until the session is ready.
    pub(crate) fn ready(router: SocketAddr, keys: Arc<Keys>, config: SessionConfig) -> Self {
        let mut user = Self::connect(router, keys, config);
        user.wait_for(SOON, |event| *event == Event::Ready);
        user
    }

    pub(crate) fn meet(&mut self, other: &Self) -> DestinationHash {
        self.session.learn(other.session.destination())
    }

    /// The address of `other`, which a first message has reached: a router may
    /// lose or reorder what it gets while it still looks for the way.
    #[track_caller]
    pub(crate) fn reach(&mut self, other: &mut Self, first: &[u8]) -> DestinationHash {
        let to = self.meet(other);
        let until = Instant::now() + SOON;
        self.send(to, first, Attempts::Until(until));
        let arrived = Event::Message(first.to_vec().into());
        while !other.events.contains(&arrived) {
            assert!(Instant::now() < until, "not in time: {:?}", self.events);
            self.run(Duration::from_millis(10));
            other.run(Duration::from_millis(10));
        }
        other.wait_for(Duration::ZERO, |event| *event == arrived);
        to
    }

    pub(crate) fn meet_itself(&mut self) -> DestinationHash {
        let destination = self.session.destination().as_bytes().to_vec();
        self.meet_bytes(&destination)
    }

    pub(crate) fn meet_bytes(&mut self, destination: &[u8]) -> DestinationHash {
        self.session
            .learn(Destination::split(destination).unwrap().0)
    }

    pub(crate) fn send(&mut self, to: DestinationHash, message: &[u8], attempts: Attempts) {
        self.session.send(to, message, attempts, None).unwrap();
        self.write();
    }

    /// The first event that fits; those before it are dropped.
    #[track_caller]
    pub(crate) fn wait_for(
        &mut self,
        timeout: Duration,
        mut fits: impl FnMut(&Event) -> bool,
    ) -> Event {
        let until = Instant::now() + timeout;
        loop {
            let found = self.events.iter().position(&mut fits);
            if let Some(place) = found {
                return self.events.drain(..=place).next_back().unwrap();
            }
            assert!(
                Instant::now() < until,
                "not in time; came: {:?}",
                self.events
            );
            self.run(Duration::from_millis(50));
        }
    }

    /// Whether nothing that fits comes for a while.
    pub(crate) fn stays_without(
        &mut self,
        time: Duration,
        fits: impl FnMut(&Event) -> bool,
    ) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.run(Duration::from_millis(50));
        }
        !self.events.iter().any(fits)
    }

    /// Serves the socket for about so long.
    pub(crate) fn run(&mut self, time: Duration) {
        let mut buffer = [0; 1 << 16];
        self.write();
        self.socket.set_read_timeout(Some(time)).unwrap();
        match self.socket.read(&mut buffer) {
            Ok(0) => self.session.handle_close(),
            Ok(count) => self.session.handle_bytes(Instant::now(), &buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.session.handle_close(),
        }
        self.session.handle_timeout(Instant::now());
        self.write();
        while let Some(event) = self.session.poll_event() {
            self.events.push(event);
        }
    }

    fn write(&mut self) {
        while let Some(frame) = self.session.poll_transmit(Instant::now()) {
            if self.socket.write_all(&frame).is_err() {
                return self.session.handle_close();
            }
        }
    }
}
