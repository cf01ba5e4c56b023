//! Whatever wraps packets is read as `tshark` reads it: every kind × carrier × IP version.

use std::fs;
use std::net::SocketAddr;

use ministream_fixtures::carry::{self, Prefix};
use ministream_fixtures::file::{Interface, PcapngFile};
use ministream_fixtures::i2cp::Application;
use ministream_fixtures::needs;
use ministream_fixtures::wrapping::{ALL, TEREDO, Wrapping};
use ministream_fixtures::{
    ByteOrder, Captured, Link, TcpFlow, UdpFlow, Wire, sample_destination, samples,
    seeded_destination, wireshark,
};

use crate::recording::{self, Recording};

/// How messages travel in the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Udp,
    TcpU32,
    I2cp,
}

/// The two ends of an exchange; i2cp has addresses of its own.
fn addresses(is_version_6: bool, port: u16) -> [SocketAddr; 2] {
    let address = |last: u8, port| {
        if is_version_6 {
            SocketAddr::from(([0x2001, 0, 0, 0, 0, 0, 0, last.into()], port))
        } else {
            SocketAddr::from(([10, 0, 0, last], port))
        }
    };
    [address(1, port), address(2, 9004)]
}

/// An exchange as raw IP packets.
fn exchange(carried: Carried, is_version_6: bool, port: u16) -> Wire {
    let mut wire = Wire::new(Link::RawIp);
    let [client, server] = addresses(is_version_6, port);
    let messages = samples::short(&sample_destination());
    match carried {
        Carried::Udp => carry::over_udp(&mut wire, UdpFlow::new(client, server), &messages),
        Carried::TcpU32 => {
            let mut flow = TcpFlow::new(client, server);
            carry::over_tcp(&mut wire, &mut flow, Prefix::U32, &messages);
        }
        Carried::I2cp => {
            let mut caller = Application::new(port, 0x0101, "caller", sample_destination());
            let mut called = Application::new(port + 1, 0x0202, "called", seeded_destination(2));
            carry::over_i2cp(&mut wire, &mut caller, &mut called, &messages);
        }
    }
    wire
}

fn messages(recording: &Recording) -> Vec<&[u8]> {
    let messages = recording.messages.iter();
    messages.map(|message| &message.bytes[..]).collect()
}

fn as_pcapng<'a>(frames: impl IntoIterator<Item = (u16, &'a Captured)>) -> Vec<u8> {
    let mut file = PcapngFile::new(ByteOrder::Little);
    let mut links = Vec::new();
    let mut packets = Vec::new();
    for (link_type, packet) in frames {
        let interface = links.iter().position(|&known| known == link_type);
        let interface = interface.unwrap_or_else(|| {
            links.push(link_type);
            links.len() - 1
        });
        packets.push((u32::try_from(interface).unwrap(), packet));
    }
    for link_type in links {
        file.interface(Interface::usual(link_type));
    }
    for (interface, packet) in packets {
        file.packet(interface, packet);
    }
    file.finish()
}

fn of_wire(wire: &Wire) -> Recording {
    let link_type = wire.link.number();
    let frames = wire.packets.iter().map(|packet| (link_type, packet));
    recording::of_bytes(&as_pcapng(frames), u64::MAX).unwrap()
}

#[test]
fn every_wrapping_of_every_carrier_gives_what_the_bare_packets_give() {
    for carried in [Carried::Udp, Carried::TcpU32, Carried::I2cp] {
        for is_version_6 in [false, true] {
            if carried == Carried::I2cp && is_version_6 {
                continue;
            }
            let bare = of_wire(&exchange(carried, is_version_6, 40_000));
            assert!(bare.messages.len() >= 5, "{carried:?}");
            let teredo = is_version_6.then_some(&TEREDO);
            for wrapping in ALL.iter().chain(teredo) {
                let mut wire = exchange(carried, is_version_6, 40_000);
                wrapping.wrap(&mut wire);
                let wrapped = of_wire(&wire);
                let name = wrapping.name;
                assert_eq!(messages(&wrapped), messages(&bare), "{name}, {carried:?}");
                assert_eq!(wrapped.conversations, bare.conversations, "{name}");
                assert_eq!(wrapped.findings, bare.findings, "{name}, {carried:?}");
                let expected = wrapping.encapsulation_of(is_version_6);
                for message in &wrapped.messages {
                    assert_eq!(message.encapsulation, expected, "{name}, {carried:?}");
                }
            }
        }
    }
}

/// Everything in one pcapng, on interfaces of all link types.
#[test]
fn ports_and_payloads_are_those_that_tshark_reads() {
    needs!("tshark");
    let mut frames = Vec::new();
    let mut port = 40_000;
    for carried in [Carried::Udp, Carried::TcpU32] {
        for is_version_6 in [false, true] {
            let teredo = is_version_6.then_some(&TEREDO);
            for wrapping in ALL.iter().chain(teredo) {
                let mut wire = exchange(carried, is_version_6, port);
                port += 1;
                wrapping.wrap(&mut wire);
                frames.extend(wire.packets.into_iter().map(|packet| (wrapping, packet)));
            }
        }
    }
    let bytes = as_pcapng(frames.iter().map(|(kind, packet)| (kind.link_type, packet)));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("every-wrapping.pcapng");
    fs::write(&path, &bytes).unwrap();
    let theirs = their_payloads(&path);
    assert_eq!(theirs.len(), frames.len());

    let recording = recording::of_file(&path);
    let mut compared = 0;
    for message in &recording.messages {
        let index = usize::try_from(message.packet).unwrap() - 1;
        let Wrapping { name, .. } = frames[index].0;
        let (ports, payload) = &theirs[index];
        let port = message.source.port();
        assert_eq!(ports.first(), Some(&port), "{name}, packet {}", index + 1);
        assert!(
            payload.ends_with(&message.bytes),
            "{name}, packet {}",
            index + 1
        );
        assert!(
            payload.len() - message.bytes.len() <= 4,
            "{name}, packet {}",
            index + 1
        );
        compared += 1;
    }
    // Six messages or so of each; the short exchange says how many exactly.
    let each = samples::short(&sample_destination()).len();
    assert_eq!(compared, each * usize::from(port - 40_000));
}

/// Ports of the innermost UDP or TCP header of each packet, and what lies behind it.
fn their_payloads(path: &std::path::Path) -> Vec<(Vec<u16>, Vec<u8>)> {
    let mut command = wireshark::tshark();
    command.args(["-n", "-T", "fields", "-E", "occurrence=l"]);
    // Labels do not tell what they carry; the one of the pseudowire is 256.
    command.args(["-d", "mpls.label==256,pwethcw", "-r"]);
    command.arg(path);
    for field in [
        "udp.srcport",
        "udp.dstport",
        "tcp.srcport",
        "tcp.dstport",
        "udp.payload",
        "tcp.payload",
    ] {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let numbers = |range: std::ops::Range<usize>| -> Vec<u16> {
                let numbers = fields[range].iter();
                numbers.filter_map(|number| number.parse().ok()).collect()
            };
            let bytes = |field: usize| hex::decode(fields[field].replace(':', "")).unwrap();
            // TCP within a tunnel over UDP has the ports of both.
            match numbers(2..4) {
                ports if ports.is_empty() => (numbers(0..2), bytes(4)),
                ports => (ports, bytes(5)),
            }
        })
        .collect()
}

#[test]
fn nesting_is_followed_eight_deep_and_told_beyond() {
    for depth in 1..=12_usize {
        let mut wire = exchange(Carried::Udp, false, 40_000);
        let [gre] = [ALL.iter().find(|kind| kind.name == "gre").unwrap()];
        for _ in 0..depth {
            gre.wrap(&mut wire);
            for packet in &mut wire.packets {
                packet.data.drain(..14);
            }
        }
        wire.link = Link::RawIp;
        let recording = of_wire(&wire);
        let counts = recording.counts.unwrap().network;
        if depth <= 8 {
            let expected = vec!["gre"; depth].join(":");
            assert!(!recording.messages.is_empty(), "{depth}");
            for message in &recording.messages {
                assert_eq!(message.encapsulation, expected);
            }
        } else {
            assert_eq!(recording.messages.len(), 0, "{depth}");
            assert_eq!(
                counts.skipped(ministream::net::Skip::Nesting),
                counts.packets
            );
        }
    }
}

/// Every cut and every single-byte damage of every kind is read, or told, without a panic.
#[test]
fn cut_and_damaged_wrappings_do_no_harm() {
    for wrapping in ALL.iter().chain([&TEREDO]) {
        let mut wire = exchange(Carried::Udp, true, 40_000);
        wrapping.wrap(&mut wire);
        wire.packets.truncate(1);
        let whole = wire.packets[0].clone();
        let header = whole.data.len() - 391 - 8 - 40;
        let mut packets = Vec::new();
        for length in 0..header.min(whole.data.len()) {
            for original_bytes in [length, whole.data.len()] {
                packets.push(Captured {
                    data: whole.data[..length].to_vec(),
                    original_bytes: u32::try_from(original_bytes).unwrap(),
                    ..whole.clone()
                });
            }
        }
        for at in 0..header.min(whole.data.len()) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged.data[at] = value;
                packets.push(damaged);
            }
        }
        wire.packets = packets;
        let recording = of_wire(&wire);
        let counts = recording.counts.unwrap().network;
        let delivered = counts.datagrams + counts.segments;
        let skipped: u64 = ministream::net::Skip::ALL
            .map(|reason| counts.skipped(reason))
            .iter()
            .sum();
        assert_eq!(delivered + skipped, counts.packets, "{}", wrapping.name);
    }
}
