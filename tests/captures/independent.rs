//! TCP streams are put together as `tshark` does it.

use ministream_fixtures::{needs, wireshark};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use ministream::capture::{CaptureFile, PacketSource};
use ministream::net::{Arrival, Delivery, Network, NetworkLimits, PacketDecoder, Side, Transport};

use crate::shelf;

/// A run of bytes of one direction, or a hole in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Missing(u64),
}

/// What each end of a connection sent, the one that is named first first.
type Stream = [(SocketAddr, Vec<Piece>); 2];

/// Captures of whose packets a snap length cut the data. We call that missing,
/// and it is; `tshark` joins what is left.
const CUT_BY_SNAP_LENGTH: [&str; 2] = ["tcp-snaplen.pcap", "tcp-rewritten-length.pcap"];

/// Captures in which ports are used again at once with the same sequence numbers, which `tshark`
/// takes for retransmissions, although the connection before was over; and one with a SYN
/// that receivers ignore, which it believes.
const OTHER_CONNECTIONS: [&str; 3] = [
    "among-other-traffic.pcap",
    "other-traffic.pcap",
    "tcp-syn-ignored.pcap",
];

#[test]
fn reassembled_streams_equal_those_of_tshark() {
    needs!("tshark");
    let mut compared = 0;
    for name in shelf::names() {
        let ours = our_streams(&name);
        let is_left_out = CUT_BY_SNAP_LENGTH.contains(&name.as_str())
            || OTHER_CONNECTIONS.contains(&name.as_str());
        if ours.is_empty() || is_left_out {
            continue;
        }
        let theirs = their_streams(&name, ours.len());
        assert_eq!(theirs.len(), ours.len(), "{name}: number of connections");
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert!(
                same(ours, theirs),
                "{name}, connection {number}:\nours   {}\ntshark {}",
                outline(ours),
                outline(theirs)
            );
            compared += 1;
        }
    }
    assert!(compared > 50, "only {compared} connections were compared");
}

/// Every TCP connection, in order of appearance.
fn our_streams(name: &str) -> Vec<Stream> {
    let mut capture = CaptureFile::open(shelf::directory().join(name)).unwrap();
    let mut decoder = PacketDecoder::new(&NetworkLimits::default());
    let mut network = Network::<()>::new(NetworkLimits::default());
    let mut streams = BTreeMap::<u32, Stream>::new();
    let mut take = |flow: &mut ministream::net::Flow<()>, _, delivery: Delivery<'_>| {
        if flow.transport != Transport::Tcp {
            return Ok::<(), Infallible>(());
        }
        let [client, server] = flow.addresses();
        let stream = streams
            .entry(flow.id.0)
            .or_insert_with(|| [(client, Vec::new()), (server, Vec::new())]);
        match delivery {
            Delivery::Bytes { from, bytes, .. } => {
                extend(&mut stream[from.index()].1, Piece::Bytes(bytes.to_vec()));
            }
            Delivery::Gap {
                from,
                missing_bytes: Some(count),
            }
            | Delivery::Cut {
                from,
                missing_bytes: count,
            } => extend(&mut stream[from.index()].1, Piece::Missing(count)),
            Delivery::Gap {
                missing_bytes: None,
                ..
            }
            | Delivery::Datagram { .. }
            | Delivery::Ignored { .. }
            | Delivery::End { .. } => {}
        }
        Ok(())
    };
    while let Ok(Some(packet)) = capture.next_packet() {
        let Ok(()) = network.push(Arrival::of(&packet), decoder.decode(&packet), &mut take);
    }
    let Ok(()) = network.finish(&mut take);
    streams.into_values().collect()
}

/// What `tshark` prints when it follows each connection.
fn their_streams(name: &str, count: usize) -> Vec<Stream> {
    let mut command = wireshark::tshark();
    command.args(["-n", "-q"]);
    // Labels do not tell what they carry; the one of our pseudowire is 256.
    command.args(["-d", "mpls.label==256,pwethcw", "-r"]);
    command.arg(shelf::directory().join(name));
    // One more than there should be: it must come out empty.
    for number in 0..=count {
        command.args(["-z", &format!("follow,tcp,raw,{number}")]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut streams: Vec<(usize, Stream)> = text
        .split("Follow: tcp,raw\n")
        .skip(1)
        .filter_map(followed)
        .collect();
    // They come in no particular order.
    streams.sort_by_key(|(number, _)| *number);
    streams.into_iter().map(|(_, stream)| stream).collect()
}

/// One connection and its number; `None` when there is no such connection.
fn followed(section: &str) -> Option<(usize, Stream)> {
    let mut lines = section.lines();
    let filter = lines.next()?.strip_prefix("Filter: tcp.stream eq ")?;
    let mut node = |name: &str| {
        let address = lines.next()?.strip_prefix(name)?;
        // IPv6 addresses come without brackets.
        let (ip, port) = address.rsplit_once(':')?;
        Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
    };
    let mut stream = [
        (node("Node 0: ")?, Vec::new()),
        (node("Node 1: ")?, Vec::new()),
    ];
    for line in lines.take_while(|line| !line.starts_with('=')) {
        let side = match line.strip_prefix('\t') {
            Some(_) => Side::Responder,
            None => Side::Initiator,
        };
        let bytes = hex::decode(line.trim_start()).unwrap();
        extend(&mut stream[side.index()].1, piece(bytes));
    }
    Some((filter.parse().unwrap(), stream))
}

/// `tshark` puts a text in the place of what it does not have.
fn piece(bytes: Vec<u8>) -> Piece {
    let missing = std::str::from_utf8(&bytes).ok().and_then(|text| {
        text.strip_prefix('[')?
            .strip_suffix(" bytes missing in capture file]\0")?
            .parse()
            .ok()
    });
    match missing {
        Some(count) => Piece::Missing(count),
        None => Piece::Bytes(bytes),
    }
}

fn extend(pieces: &mut Vec<Piece>, piece: Piece) {
    match (pieces.last_mut(), piece) {
        (Some(Piece::Bytes(before)), Piece::Bytes(bytes)) => before.extend(bytes),
        (_, piece) => pieces.push(piece),
    }
}

/// Equal, whichever end is named first: where the capture has no SYN that is a guess.
fn same(ours: &Stream, theirs: &Stream) -> bool {
    let [first, second] = theirs;
    ours == theirs || *ours == [second.clone(), first.clone()]
}

fn outline(stream: &Stream) -> String {
    let side = |(address, pieces): &(SocketAddr, Vec<Piece>)| {
        let pieces: Vec<String> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Bytes(bytes) => format!("{} bytes", bytes.len()),
                Piece::Missing(count) => format!("{count} missing"),
            })
            .collect();
        format!("{address}: {}", pieces.join(", "))
    };
    format!("{} | {}", side(&stream[0]), side(&stream[1]))
}
