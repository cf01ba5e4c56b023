//! Bounds of the network layer's memory.

use std::time::Duration;

/// Bounds of a [`Network`](super::Network)'s memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkLimits {
    /// Bytes that flows may take, with those that the layer above holds for them; the longest idle
    /// are forgotten beyond it. Default: 1 GiB.
    pub flow_bytes: usize,
    /// Bytes that wait for missing ones in one direction of a TCP connection.
    /// Default: 4 MiB.
    pub stream_bytes: usize,
    /// The same over all connections. Default: 64 MiB.
    pub total_stream_bytes: usize,
    /// Datagrams at once that wait for fragments. Default: 1,024.
    pub fragmented_datagrams: usize,
    /// Bytes in these fragments. Default: 16 MiB.
    pub fragment_bytes: usize,
    /// Time that a datagram waits for its fragments, in capture time. Default: 30 seconds.
    pub fragment_age: Duration,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self {
            flow_bytes: 1 << 30,
            stream_bytes: 4 << 20,
            total_stream_bytes: 64 << 20,
            fragmented_datagrams: 1_024,
            fragment_bytes: 16 << 20,
            fragment_age: Duration::from_secs(30),
        }
    }
}
