//! The settings of a session.

use std::time::Duration;

use crate::carrier::i2cp::{MappingError, encode_mapping};

/// The settings of a [`Session`](super::Session).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The greeting of the router.
    pub greeting: Greeting,
    /// The tunnels that the router shall build.
    pub tunnels: Tunnels,
    /// The session's name on the router's console; at most 255 bytes.
    pub nickname: String,
    /// Whether the session tests if it can be reached.
    pub self_test: SelfTest,
    /// Time for the router to answer GetDate, and again CreateSession.
    pub greeting_timeout: Duration,
    /// Time for the router to build the first tunnels. With real tunnels that is a minute, after
    /// the router's own start several.
    pub building_timeout: Duration,
    /// Time for which a destination is looked for; the router is asked again and again.
    pub lookup_timeout: Duration,
    /// Whether messages of a lane may be on their way together.
    pub order: LaneOrder,
    /// Bytes that are handed to the router in a second, at most. A receiver's router silently drops
    /// messages that the receiver does not read in time (i2pd beyond 1 MiB), and the protocol has
    /// no flow control: a sender that is faster than its receiver loses data.
    pub bytes_per_second: u64,
    /// Destinations of peers that are remembered, to send to them by their
    /// hash. The one that was not used for the longest time goes first.
    pub max_peers: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            greeting: Greeting::WithVersion,
            tunnels: Tunnels::default(),
            nickname: "ministream".to_owned(),
            self_test: SelfTest::Off,
            greeting_timeout: Duration::from_secs(10),
            building_timeout: Duration::from_secs(300),
            lookup_timeout: Duration::from_secs(60),
            order: LaneOrder::Auto,
            bytes_per_second: 4 * 1024 * 1024,
            max_peers: 4096,
        }
    }
}

/// The content of the first message to the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Our version, which routers since 0.8.7 (May 2011) expect.
    WithVersion,
    /// Nothing. Java routers before 0.8.7 read no version, take it for the next message, and close
    /// the connection.
    Bare,
}

/// The tunnels that a router builds for a session, in each direction. `None`
/// leaves it to the router, whose default is 3 hops.
///
/// Nothing is set by default: fewer hops give up anonymity, and nobody should
/// lose that without having asked for it. A router without a network, as in a
/// test, can build tunnels of length 0 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnels {
    /// Hops of each tunnel, besides our own router; I2P allows 0 to 7.
    pub length: Option<u8>,
    /// Tunnels at once; I2P allows 1 to 16.
    pub quantity: Option<u8>,
}

impl Tunnels {
    /// One tunnel without hops: all that a router in a laboratory can build.
    pub const ZERO_HOP: Self = Self {
        length: Some(0),
        quantity: Some(1),
    };
}

/// The order of the messages of one lane, that is of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaneOrder {
    /// `Guaranteed`, until a report shows that the router is an i2pd, which keeps messages
    /// in order; Java routers do not.
    #[default]
    Auto,
    /// Each waits until the router has reported that the one before was sent, as
    /// PROP_RELIABILITY_GUARANTEED did in 2004; one that is lost, or not reported on within a
    /// minute, ends its conversation.
    Guaranteed,
    /// They are handed to the router as they come.
    BestEffort,
}

/// Whether a session sends itself messages until one comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// It does not.
    Off,
    /// It does, and reports when none came back in time: others cannot reach it
    /// then either. The usual cause is that the same destination was in use a
    /// short time ago. The messages are chaff, which every peer ignores.
    On,
}

impl SessionConfig {
    /// The options of CreateSession, with the 2 bytes of their length. The keys
    /// are sorted, because Java routers sort them before they check the signature.
    pub(super) fn encode_options(&self, out: &mut Vec<u8>) -> Result<(), MappingError> {
        let number = |number: Option<u8>| number.map(|number| number.to_string());
        let length = number(self.tunnels.length);
        let quantity = number(self.tunnels.quantity);
        let nickname = Some(self.nickname.clone());
        // Newer Java routers then deliver at once, without ReceiveMessageBegin.
        let fast_receive = Some("true".to_owned());
        // Routers before September 2005 need it to report deliveries; later ones ignore it
        // (docs/i2cp.md, "One message at a time").
        let reliability = (self.order != LaneOrder::BestEffort).then(|| "Guaranteed".to_owned());
        let options = [
            ("i2cp.fastReceive", fast_receive),
            ("i2cp.messageReliability", reliability),
            ("inbound.length", length.clone()),
            ("inbound.nickname", nickname.clone()),
            ("inbound.quantity", quantity.clone()),
            ("outbound.length", length),
            ("outbound.nickname", nickname),
            ("outbound.quantity", quantity),
        ];
        let given = options
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        encode_mapping(given, out)
    }
}
