//! From a connection to a router to a session that can be used.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tracing::{info, warn};

use super::options::I2cpOptions;
use super::progress::{Progress, Stage};
use super::remote::Remote;
use super::tap::Tap;
use super::{I2cpLink, LinkError, LinkEvent, Peer, State, warn_unreachable};
use crate::random_seed::random_seed;
use crate::runtime::allow::AllowList;
use crate::runtime::notice::with_word;
use crate::runtime::recorder::Recorder;
use crate::runtime::socket::{self, Addresses};
use crate::session::{Greeting, SelfTest, Session, SessionConfig, SessionError};
use crate::wire::Destination;

/// Number of times that a session that nobody reaches is made anew before it is used as it is.
const ATTEMPTS: u32 = 3;

/// Time for a router to forget a session before the same destination comes again.
const PAUSE: Duration = Duration::from_secs(2);

impl I2cpLink {
    /// Makes a session with the router at `address`; ready when messages can go
    /// out and, where that matters, come in.
    pub(in crate::runtime) async fn open(
        addresses: &Addresses,
        options: &I2cpOptions,
        allow: &AllowList,
        recorder: Option<&Recorder>,
    ) -> Result<(Self, Option<Peer>), LinkError> {
        let mut attempt = 1;
        let mut greeting = Greeting::WithVersion;
        let mut link = loop {
            let (socket, _) = socket::connect(addresses).await?;
            let mut link = Self::begin(socket, options, greeting, allow, recorder)?;
            match link.become_usable().await {
                Err(LinkError::Session(
                    SessionError::ClosedOnGreeting | SessionError::ClosedOnCreate,
                )) if greeting == Greeting::WithVersion && !link.session.names_version() => {
                    info!(
                        "the router closed the connection: trying again as with a router of 2004"
                    );
                    greeting = Greeting::Bare;
                }
                Err(LinkError::Unreachable) if attempt < ATTEMPTS => {
                    warn_unreachable();
                    warn!(leg = "carrier", "making the session anew");
                    drop(link);
                    tokio::time::sleep(PAUSE).await;
                    attempt += 1;
                }
                result => {
                    result?;
                    break link;
                }
            }
        };
        let peer = match &options.to {
            Some(remote) => Some(link.find(remote).await?),
            None => None,
        };
        Ok((link, peer))
    }

    fn begin(
        socket: TcpStream,
        options: &I2cpOptions,
        greeting: Greeting,
        allow: &AllowList,
        recorder: Option<&Recorder>,
    ) -> Result<Self, LinkError> {
        let tap = match recorder {
            Some(recorder) => Some(Tap::new(
                recorder,
                socket.local_addr()?,
                socket.peer_addr()?,
            )),
            None => None,
        };
        let config = SessionConfig {
            self_test: options.self_test(),
            greeting,
            ..options.session.clone()
        };
        let progress = Progress {
            is_tested: config.self_test == SelfTest::Off,
            ..Progress::default()
        };
        let session = Session::new(Instant::now(), options.keys()?, config, random_seed()?);
        Ok(Self {
            progress,
            ..Self::new(socket, session, allow.clone(), options.unreachable, tap)
        })
    }

    async fn become_usable(&mut self) -> Result<(), LinkError> {
        for (stage, waiting) in [
            (Stage::Greeting, "the router's answer"),
            (
                Stage::Building,
                "the router has created the session and builds tunnels, none of which is there yet \
                 (a router without a network builds those of ?length=0 only)",
            ),
            (
                Stage::Testing,
                "the session is published; a message to ourselves shows whether peers reach it",
            ),
        ] {
            with_word(waiting, poll_fn(|cx| self.poll_beyond(cx, stage))).await?;
        }
        Ok(())
    }

    fn poll_beyond(&mut self, cx: &mut Context<'_>, stage: Stage) -> Poll<Result<(), LinkError>> {
        self.drive(cx);
        match self.take_failure() {
            Some(error) => Poll::Ready(Err(error)),
            None if self.progress.stage() > stage => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    fn take_failure(&mut self) -> Option<LinkError> {
        if self.state != State::Over {
            return None;
        }
        match self.inbox.pop_back() {
            Some(LinkEvent::Down(error)) => Some(error),
            _ => Some(LinkError::Closed),
        }
    }

    /// The peer that a remote leads to.
    async fn find(&mut self, remote: &Remote) -> Result<Peer, LinkError> {
        let bytes = match remote {
            Remote::Destination(bytes) => bytes.clone(),
            Remote::LookUp(query) => {
                info!(?query, "looking for the destination");
                self.session.look_up(Instant::now(), query.clone());
                with_word(
                    "the router is looking for the destination: is it online?",
                    poll_fn(|cx| self.poll_found(cx)),
                )
                .await?
            }
        };
        let (destination, _) = Destination::split(&bytes)
            .expect("both a remote and the answer to a lookup hold a whole destination");
        Ok(Peer::Destination(self.session.learn(destination)))
    }

    fn poll_found(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, LinkError>> {
        self.drive(cx);
        match (self.progress.found.take(), self.take_failure()) {
            (Some(found), _) => Poll::Ready(found.map_err(LinkError::NotFound)),
            (None, Some(error)) => Poll::Ready(Err(error)),
            (None, None) => Poll::Pending,
        }
    }
}
