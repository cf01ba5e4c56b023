//! Capture files.

mod pcap;
mod pcapng;

pub use pcap::{Pcap, Resolution};
pub use pcapng::{Interface, PcapngFile};
