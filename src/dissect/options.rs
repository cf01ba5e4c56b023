//! The options of a dissection.

use std::sync::Arc;

use super::DecodeAs;
use crate::carrier::tls::KeyLog;
use crate::conversation::{Destinations, TrackerOptions, Wording};
use crate::net::NetworkLimits;

/// The options of a [`Dissector`](super::Dissector).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DissectOptions {
    /// The depth of the dissection.
    pub depth: Depth,
    /// Whether to hash the destination of every SYN.
    pub destinations: Destinations,
    /// Whether anybody reads the words of findings about messages.
    pub wording: Wording,
    /// Ports whose carrier is given. The first rule that fits a flow holds.
    pub decode_as: Vec<DecodeAs>,
    /// Secrets of TLS connections, which are looked into.
    pub secrets: Option<Arc<KeyLog>>,
    /// Bounds of the network layer.
    pub network: NetworkLimits,
    /// Bounds and times of the tracker; its `destinations` and `wording` are overruled
    /// by those here.
    pub tracker: TrackerOptions,
    /// Advice for when something was forgotten for want of memory; stands at the end of the finding
    /// that says so. A program names its own flag here.
    pub memory_advice: &'static str,
}

/// The depth of a dissection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Messages only: no conversations, and no findings about messages, but where both sides of
    /// an I2P router may show a message twice.
    Messages,
    /// Messages and their meaning together.
    Conversations,
}

impl Default for DissectOptions {
    fn default() -> Self {
        Self {
            depth: Depth::Conversations,
            destinations: Destinations::Hash,
            wording: Wording::Full,
            decode_as: Vec::new(),
            secrets: None,
            network: NetworkLimits::default(),
            tracker: TrackerOptions::default(),
            memory_advice: "raise the bound",
        }
    }
}

impl DissectOptions {
    /// Bounds everything that is kept by one number: half of it for conversations, three eighths
    /// for flows with the bytes held for them, and an eighth for segments and fragments that wait
    /// for others. Below 4 MiB it is taken as that.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        let bytes = bytes.max(4 << 20);
        self.tracker.memory_bytes = bytes / 2;
        self.network.flow_bytes = bytes / 8 * 3;
        let network = NetworkLimits::default();
        self.network.total_stream_bytes = network.total_stream_bytes.min(bytes / 16);
        self.network.stream_bytes = network.stream_bytes.min(bytes / 32);
        self.network.fragment_bytes = network.fragment_bytes.min(bytes / 16);
        self
    }
}
