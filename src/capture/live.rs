//! Packets as they pass an interface, through libpcap.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::slice;
use std::time::Duration;

use ::pcap::{Active, Capture, Device, Inactive, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    CaptureError, CaptureFormat, InputInfo, InterfaceId, InterfaceInfo, LinkType, LiveFailure,
    MAX_CAPTURED_BYTES, Packet, PacketSource,
};
use crate::time::{SECOND_NS, Timestamp};

/// Time that the kernel may hold packets back to hand over many at once.
const BATCH_MILLIS: i32 = 100;
/// Time that [`PacketSource::next_packet`] waits at a time.
const WAIT: Duration = Duration::from_secs(1);
/// Elsewhere libpcap may refuse nanoseconds, and the `pcap` crate does not
/// tell; on Linux it has them on every interface.
const PRECISION: Precision = if cfg!(target_os = "linux") {
    Precision::Nano
} else {
    Precision::Micro
};

/// Options of a live capture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveOptions {
    /// Name of the interface; on Linux `any` is all of them.
    pub interface: String,
    /// Only packets that match this, in the language of pcap-filter(7).
    pub filter: Option<String>,
    /// Bytes kept of each packet.
    pub snaplen_bytes: u32,
    /// Whether to take packets for other machines too, where the interface can.
    pub is_promiscuous: bool,
    /// Size of the kernel's buffer; `None` for libpcap's default (2 MiB on Linux).
    pub buffer_bytes: Option<u32>,
    /// Whether to hand each packet over at once, rather than to let the kernel
    /// gather them for up to 100 ms, which costs less and drops less.
    pub is_immediate: bool,
}

impl LiveOptions {
    /// Whole packets of this interface, promiscuous, each at once.
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            filter: None,
            snaplen_bytes: MAX_CAPTURED_BYTES,
            is_promiscuous: true,
            buffer_bytes: None,
            is_immediate: true,
        }
    }
}

/// A live capture.
pub struct LiveCapture {
    capture: Capture<Active>,
    info: InputInfo,
    interface: String,
    link_type: LinkType,
    /// The packet received last; libpcap's own copy does not outlive a call.
    data: Vec<u8>,
    time: Timestamp,
    original_bytes: u32,
}

/// Result of [`LiveCapture::poll`].
#[derive(Clone, Copy, Debug)]
pub enum LivePoll<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// None came in time, or a signal arrived.
    Idle,
}

/// Counters of a live capture so far, from libpcap's 32-bit ones, which wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveStats {
    /// Packets that passed the filter; on Linux with those dropped by the kernel.
    pub received: u32,
    /// Packets dropped because the kernel's buffer was full.
    pub dropped_by_kernel: u32,
    /// Packets dropped by the interface or its driver.
    pub dropped_by_interface: u32,
}

impl LiveCapture {
    /// Starts to capture.
    ///
    /// # Errors
    /// [`CaptureError::Live`].
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let failed = |reason| CaptureError::Live {
            interface: options.interface.clone(),
            reason,
        };
        let mut capture = activate(options).map_err(failed)?;
        if let Some(filter) = &options.filter {
            capture.filter(filter, true).map_err(|error| {
                failed(LiveFailure::BadFilter {
                    filter: filter.clone(),
                    message: message(error),
                })
            })?;
        }
        let capture = capture
            .setnonblock()
            .map_err(|error| failed(failure(error)))?;
        // Signed in the crate; the field of the format is not.
        let number = u32::from_ne_bytes(capture.get_datalink().0.to_ne_bytes());
        let link_type = LinkType::from_number(number);
        Ok(Self {
            capture,
            info: InputInfo {
                path: options.interface.clone().into(),
                format: CaptureFormat::Live,
                compression: None,
                link_type: Some(link_type),
                interfaces: vec![InterfaceInfo {
                    name: Some(options.interface.clone()),
                    link_type,
                    packet_count: 0,
                }],
                packet_count: 0,
                truncated: false,
            },
            interface: options.interface.clone(),
            link_type,
            data: Vec::new(),
            time: Timestamp::default(),
            original_bytes: 0,
        })
    }

    /// The next packet, if one comes within `timeout`.
    ///
    /// # Errors
    /// [`CaptureError::Live`], for example when the interface goes away.
    pub fn poll(&mut self, timeout: Duration) -> Result<LivePoll<'_>, CaptureError> {
        let has_packet = self.receive()? || (self.wait(timeout)? && self.receive()?);
        Ok(if has_packet {
            LivePoll::Packet(self.packet())
        } else {
            LivePoll::Idle
        })
    }

    /// Packets received and dropped so far.
    ///
    /// # Errors
    /// [`CaptureError::Live`].
    pub fn stats(&mut self) -> Result<LiveStats, CaptureError> {
        match self.capture.stats() {
            Ok(stats) => Ok(LiveStats {
                received: stats.received,
                dropped_by_kernel: stats.dropped,
                dropped_by_interface: stats.if_dropped,
            }),
            Err(error) => Err(self.error(failure(error))),
        }
    }

    /// Takes a packet that is there already; `false` when there is none.
    fn receive(&mut self) -> Result<bool, CaptureError> {
        match self.capture.next_packet() {
            Ok(packet) => {
                self.data.clear();
                self.data.extend_from_slice(packet.data);
                self.time = timestamp(packet.header);
                self.original_bytes = packet.header.len;
                self.info.packet_count += 1;
                for interface in &mut self.info.interfaces {
                    interface.packet_count += 1;
                }
                Ok(true)
            }
            Err(::pcap::Error::TimeoutExpired | ::pcap::Error::NoMorePackets) => Ok(false),
            Err(error) => Err(self.error(failure(error))),
        }
    }

    /// Waits until a packet may be there; `false` when time is up or a signal came.
    fn wait(&self, timeout: Duration) -> Result<bool, CaptureError> {
        let timeout = Timespec::try_from(timeout).ok();
        let mut files = [PollFd::from_borrowed_fd(
            self.capture.as_fd(),
            PollFlags::IN,
        )];
        match poll(&mut files, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => {
                let error = io::Error::from(error);
                Err(self.error(LiveFailure::Other(error.to_string())))
            }
        }
    }

    /// The packet received last.
    fn packet(&self) -> Packet<'_> {
        Packet {
            number: self.info.packet_count,
            time: self.time,
            interface: InterfaceId::default(),
            link_type: self.link_type,
            data: &self.data,
            original_bytes: self.original_bytes,
        }
    }

    fn error(&self, reason: LiveFailure) -> CaptureError {
        CaptureError::Live {
            interface: self.interface.clone(),
            reason,
        }
    }
}

/// Waits for as long as it takes: a live capture has no end. To stop in
/// between, use [`LiveCapture::poll`].
impl PacketSource for LiveCapture {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        while !self.receive()? {
            self.wait(WAIT)?;
        }
        Ok(Some(self.packet()))
    }

    fn inputs(&self) -> &[InputInfo] {
        slice::from_ref(&self.info)
    }
}

/// Opens the interface. An interface that cannot be promiscuous (`any`, some wireless cards) is
/// captured as it is: libpcap warns of that, which the `pcap` crate takes for an error.
fn activate(options: &LiveOptions) -> Result<Capture<Active>, LiveFailure> {
    let opened = configure(options)?.promisc(options.is_promiscuous).open();
    match opened {
        Err(::pcap::Error::PcapError(warning)) if warning.contains("romiscuous mode") => {
            configure(options)?.promisc(false).open().map_err(failure)
        }
        opened => opened.map_err(failure),
    }
}

fn configure(options: &LiveOptions) -> Result<Capture<Inactive>, LiveFailure> {
    let snaplen = setting("snap length", options.snaplen_bytes)?;
    let capture = Capture::from_device(options.interface.as_str())
        .map_err(failure)?
        .snaplen(snaplen)
        .timeout(BATCH_MILLIS)
        .immediate_mode(options.is_immediate)
        .precision(PRECISION);
    match options.buffer_bytes {
        None => Ok(capture),
        Some(bytes) => Ok(capture.buffer_size(setting("buffer size", bytes)?)),
    }
}

/// A setting as libpcap takes it.
fn setting(setting: &'static str, value: u32) -> Result<i32, LiveFailure> {
    i32::try_from(value).map_err(|_| LiveFailure::OutOfRange {
        setting,
        value: value.into(),
    })
}

fn timestamp(header: &::pcap::PacketHeader) -> Timestamp {
    let unit_nanos = match PRECISION {
        Precision::Nano => 1,
        Precision::Micro => 1_000,
    };
    let (seconds, units) = (wide(header.ts.tv_sec), wide(header.ts.tv_usec));
    Timestamp::from_nanos(seconds.saturating_mul(SECOND_NS)).plus_nanos(units * unit_nanos)
}

/// A C number, which has 32 or 64 bits depending on the platform.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

/// The meaning of an error of libpcap. It has codes for this, but the `pcap` crate keeps only the
/// text.
fn failure(error: ::pcap::Error) -> LiveFailure {
    let message = message(error);
    let text = message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if says(&["permission", "permitted", "cap_net_raw"]) {
        LiveFailure::NotPermitted
    } else if says(&["no such device"]) {
        LiveFailure::NoSuchInterface
    } else if says(&["not up", "network is down", "went down"]) {
        LiveFailure::InterfaceDown
    } else {
        LiveFailure::Other(message)
    }
}

/// The text of an error, without the crate's own prefix.
fn message(error: ::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(message) if message.is_empty() => "libpcap gives no reason".into(),
        ::pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    }
}

/// An interface that can be captured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its name, for [`LiveOptions::interface`].
    pub name: String,
    /// Its description by libpcap.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is up.
    pub is_up: bool,
    /// Whether it is running.
    pub is_running: bool,
    /// Whether it is a loopback interface.
    pub is_loopback: bool,
}

impl LiveInterface {
    /// All interfaces, in libpcap's order: the most useful first.
    ///
    /// # Errors
    /// [`CaptureError::Live`].
    pub fn list() -> Result<Vec<Self>, CaptureError> {
        let devices = Device::list().map_err(|error| CaptureError::Live {
            interface: "any interface".into(),
            reason: failure(error),
        })?;
        Ok(devices.into_iter().map(Self::from_device).collect())
    }

    fn from_device(device: Device) -> Self {
        Self {
            is_up: device.flags.is_up(),
            is_running: device.flags.is_running(),
            is_loopback: device.flags.is_loopback(),
            name: device.name,
            description: device.desc,
            addresses: device
                .addresses
                .into_iter()
                .map(|address| address.addr)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpcap_texts_are_told_apart() {
        for (text, expected) in [
            (
                "Attempt to create packet socket failed - CAP_NET_RAW may be required",
                LiveFailure::NotPermitted,
            ),
            ("socket: Operation not permitted", LiveFailure::NotPermitted),
            (
                "(cannot open BPF device) /dev/bpf0: Permission denied",
                LiveFailure::NotPermitted,
            ),
            (
                "SIOCGIFHWADDR: No such device",
                LiveFailure::NoSuchInterface,
            ),
            ("eth9: No such device exists", LiveFailure::NoSuchInterface),
            ("That device is not up", LiveFailure::InterfaceDown),
            ("The interface went down", LiveFailure::InterfaceDown),
            ("odd", LiveFailure::Other("odd".into())),
            ("", LiveFailure::Other("libpcap gives no reason".into())),
        ] {
            assert_eq!(failure(::pcap::Error::PcapError(text.into())), expected);
        }
    }

    #[test]
    fn settings_beyond_libpcaps_range_are_refused() {
        let mut options = LiveOptions::new("lo");
        options.snaplen_bytes = 1 << 31;
        let Err(error) = LiveCapture::open(&options) else {
            panic!("libpcap takes 31 bits");
        };
        assert_eq!(
            error.to_string(),
            "cannot capture on lo: snap length 2147483648 is above 2147483647"
        );
    }

    #[test]
    fn an_interface_that_is_not_there_is_told() {
        let Err(error) = LiveCapture::open(&LiveOptions::new("nosuch0")) else {
            panic!("there is no such interface");
        };
        // Without the right to capture, libpcap does not look for it.
        let text = error.to_string();
        assert!(
            text == "cannot capture on nosuch0: no such interface"
                || text == "cannot capture on nosuch0: operation not permitted",
            "{text}"
        );
    }

    /// A capture of datagrams sent to a socket of ours, and that socket.
    fn capture_of_a_socket(is_immediate: bool) -> (LiveCapture, std::net::UdpSocket) {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let options = LiveOptions {
            filter: Some(format!("udp and dst port {port}")),
            snaplen_bytes: 60,
            buffer_bytes: Some(1 << 20),
            is_immediate,
            ..LiveOptions::new("lo")
        };
        (LiveCapture::open(&options).unwrap(), socket)
    }

    #[test]
    #[ignore = "needs the right to capture on lo"]
    fn a_datagram_on_the_loopback_interface_is_captured() {
        for is_immediate in [true, false] {
            let (mut capture, socket) = capture_of_a_socket(is_immediate);
            let payload = [7; 100];
            socket
                .send_to(&payload, socket.local_addr().unwrap())
                .unwrap();
            let packet = capture.next_packet().unwrap().unwrap();
            assert_eq!(packet.number, 1);
            assert_eq!(packet.link_type, LinkType::Ethernet);
            assert_eq!(packet.original_bytes, 14 + 20 + 8 + 100);
            // The kernel's frames may be a few bytes shorter than was asked for.
            assert!((50..=60).contains(&packet.data.len()));
            assert!(packet.data[42..].iter().all(|&byte| byte == 7));
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            let age = now.as_nanos() as i64 - packet.time.as_nanos();
            assert!((0..10_000_000_000).contains(&age), "{age}");
            assert_eq!(capture.inputs()[0].packet_count, 1);
            let stats = capture.stats().unwrap();
            assert!(stats.received >= 1);
            assert_eq!(stats.dropped_by_kernel, 0);
        }
    }

    #[test]
    #[ignore = "needs the right to capture on lo"]
    fn silence_is_idle_after_the_timeout() {
        for is_immediate in [true, false] {
            let (mut capture, socket) = capture_of_a_socket(is_immediate);
            for timeout in [Duration::ZERO, Duration::from_millis(50)] {
                let start = std::time::Instant::now();
                assert!(matches!(capture.poll(timeout).unwrap(), LivePoll::Idle));
                assert!(start.elapsed() >= timeout);
                assert!(start.elapsed() < Duration::from_secs(5));
            }
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            let polled = capture.poll(Duration::from_secs(10)).unwrap();
            assert!(matches!(polled, LivePoll::Packet(_)));
        }
    }

    #[test]
    #[ignore = "needs the right to capture on lo"]
    fn the_pseudo_interface_of_all_is_opened_although_it_cannot_be_promiscuous() {
        let capture = LiveCapture::open(&LiveOptions::new("any")).unwrap();
        assert!(matches!(
            capture.link_type,
            LinkType::LinuxCooked | LinkType::LinuxCooked2
        ));
    }

    #[test]
    #[ignore = "needs the right to capture on lo"]
    fn a_bad_filter_is_told_with_libpcaps_reason() {
        let mut options = LiveOptions::new("lo");
        options.filter = Some("prot 9004".into());
        let Err(error) = LiveCapture::open(&options) else {
            panic!("the filter is not one");
        };
        let text = error.to_string();
        let start = "cannot capture on lo: bad filter `prot 9004`: ";
        assert!(
            text.starts_with(start) && text.len() > start.len(),
            "{text}"
        );
    }
}
