use super::super::testing::{CLIENT, SERVER, TCP, UDP, address6, ipv4, ipv4_fragment, ipv6, udp};
use super::*;

/// The segment in a packet that was captured whole.
fn segment(packet: &[u8]) -> Result<Segment<'_>, Skip> {
    let ip = ip(Captured::new(packet, 0))?;
    assert_eq!(ip.upper.fragment, None);
    transport(&ip.upper)
}

fn payload(packet: &[u8]) -> Result<&[u8], Skip> {
    let (bytes, missing) = cut_payload(packet)?;
    assert_eq!(missing, 0);
    Ok(bytes)
}

/// The payload, and how many bytes are missing behind it.
fn cut_payload(packet: &[u8]) -> Result<(&[u8], usize), Skip> {
    let segment = segment(packet)?;
    Ok((segment.payload.bytes(), segment.payload.missing()))
}

#[test]
fn addresses_and_ports_are_read() {
    let four = ipv4(CLIENT, SERVER, UDP, &udp(b"x"));
    let packet = ip(Captured::new(&four, 0)).unwrap();
    assert_eq!(packet.route.source(), IpAddr::from(CLIENT));
    assert_eq!(packet.route.destination(), IpAddr::from(SERVER));
    let six = ipv6(UDP, &udp(b"x"));
    let packet = ip(Captured::new(&six, 0)).unwrap();
    assert_eq!(packet.route.source(), IpAddr::from(address6(1)));
    assert_eq!(packet.route.destination(), IpAddr::from(address6(2)));
    for bytes in [four, six] {
        let segment = segment(&bytes).unwrap();
        assert_eq!(segment.ports, (1000, 2000));
        assert_eq!(segment.header, TransportHeader::Udp);
    }
}

#[test]
fn padding_behind_the_packet_is_not_payload() {
    for mut packet in [ipv4(CLIENT, SERVER, UDP, &udp(b"x")), ipv6(UDP, &udp(b"x"))] {
        packet.extend([0; 17]);
        assert_eq!(payload(&packet), Ok(&b"x"[..]));
    }
}

#[test]
fn options_of_every_length_are_stepped_over() {
    for words in 0_u8..=10 {
        let mut packet = ipv4(CLIENT, SERVER, UDP, &udp(b"x"));
        packet[0] = 0x45 + words;
        let options = usize::from(words) * 4;
        packet.splice(20..20, vec![1; options]);
        packet[3] += words * 4;
        assert_eq!(payload(&packet), Ok(&b"x"[..]));
        // A length that ends within the header.
        packet[2] = 0;
        packet[3] = 19 + words * 4;
        assert_eq!(payload(&packet), Err(Skip::BadHeader));
    }
}

#[test]
fn lengths_that_offload_left_at_zero_mean_the_rest() {
    let mut packet = ipv4(CLIENT, SERVER, UDP, &udp(b"offload"));
    packet[2..4].fill(0);
    assert_eq!(payload(&packet), Ok(&b"offload"[..]));
    packet[24..26].fill(0);
    assert_eq!(payload(&packet), Ok(&b"offload"[..]));
    let mut packet = ipv6(UDP, &udp(b"offload"));
    packet[4..6].fill(0);
    assert_eq!(payload(&packet), Ok(&b"offload"[..]));
}

#[test]
fn a_length_beyond_the_packet_is_a_cut_that_its_record_does_not_tell() {
    let cut = |captured: usize| {
        let mut packet = ipv4(CLIENT, SERVER, UDP, &udp(b"abcdef"));
        packet.truncate(captured);
        packet
    };
    for captured in 28..34 {
        let expected = (&b"abcdef"[..captured - 28], 34 - captured);
        assert_eq!(cut_payload(&cut(captured)), Ok(expected));
    }
    assert_eq!(cut_payload(&cut(27)), Err(Skip::CutHeader));
    let mut packet = ipv6(UDP, &udp(b"abcdef"));
    packet.truncate(packet.len() - 2);
    assert_eq!(cut_payload(&packet), Ok((&b"abcd"[..], 2)));
}

#[test]
fn the_udp_length_rules_within_the_packet() {
    for (length, expected) in [
        (0, Ok(&b"abcd"[..])),
        (7, Err(Skip::BadHeader)),
        (8, Ok(b"")),
        (10, Ok(b"ab")),
        (12, Ok(b"abcd")),
        (13, Err(Skip::BadHeader)),
    ] {
        let mut packet = ipv4(CLIENT, SERVER, UDP, &udp(b"abcd"));
        packet[25] = length;
        assert_eq!(payload(&packet), expected, "length {length}");
    }
}

/// An extension header of `units` times 8 bytes more than the least.
fn extension(next_header: u8, units: u8) -> Vec<u8> {
    let mut header = vec![next_header, units];
    header.extend(vec![0; 6 + usize::from(units) * 8]);
    header
}

#[test]
fn every_extension_header_is_followed() {
    for kind in [0, 43, 60, 135, 139, 140] {
        for units in [0, 1, 255] {
            let packet = ipv6(kind, &[extension(UDP, units), udp(b"x")].concat());
            assert_eq!(payload(&packet), Ok(&b"x"[..]), "{kind}, {units} units");
        }
    }
    let authentication = [&[UDP, 4][..], &[0; 22], &udp(b"x")].concat();
    assert_eq!(payload(&ipv6(51, &authentication)), Ok(&b"x"[..]));
    assert_eq!(
        payload(&ipv4(CLIENT, SERVER, 51, &authentication)),
        Ok(&b"x"[..])
    );
}

#[test]
fn chains_of_extension_headers_are_followed_up_to_a_bound() {
    for length in 0..MAX_EXTENSIONS + 3 {
        let mut chain = udp(b"x");
        let mut next = UDP;
        for _ in 0..length {
            chain = [extension(next, 0), chain].concat();
            next = 60;
        }
        let expected = if length < MAX_EXTENSIONS {
            Ok(&b"x"[..])
        } else {
            Err(Skip::BadHeader)
        };
        assert_eq!(payload(&ipv6(next, &chain)), expected, "{length} headers");
    }
}

#[test]
fn an_atomic_fragment_is_a_whole_datagram() {
    let packet = ipv6(44, &[&[UDP, 0, 0, 0, 1, 2, 3, 4], &udp(b"x")[..]].concat());
    assert_eq!(payload(&packet), Ok(&b"x"[..]));
}

#[test]
fn fragments_tell_their_place() {
    let packet = ipv4_fragment(CLIENT, SERVER, UDP, 0x1234, 0x2003, &[1; 8]);
    let fragment = |identification| {
        Some(Fragment {
            identification,
            offset: 24,
            more: true,
        })
    };
    let upper = ip(Captured::new(&packet, 0)).unwrap().upper;
    assert_eq!(upper.fragment, fragment(0x1234));
    assert_eq!(upper.payload.bytes(), [1; 8]);
    let packet = ipv6(44, &[&[60, 0, 0, 25, 1, 2, 3, 4], &[1; 8][..]].concat());
    let upper = ip(Captured::new(&packet, 0)).unwrap().upper;
    assert_eq!(upper.fragment, fragment(0x0102_0304));
    assert_eq!(upper.protocol, ip_number::IPV6_DEST_OPTIONS);
}

#[test]
fn other_protocols_are_no_transport() {
    for protocol in [1, 2, 41, 47, 50, 58, 59, 132] {
        assert_eq!(payload(&ipv6(protocol, &[0; 40])), Err(Skip::NotTransport));
        assert_eq!(
            payload(&ipv4(CLIENT, SERVER, protocol, &[0; 40])),
            Err(Skip::NotTransport)
        );
    }
}

#[test]
fn tcp_options_of_every_length_are_stepped_over() {
    for words in 0_u8..16 {
        let mut header = vec![0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, words << 4, 0x12];
        header.extend([0; 46]);
        header.extend(b"x");
        let packet = ipv4(CLIENT, SERVER, TCP, &header);
        let Ok(segment) = segment(&packet) else {
            assert!(words < 5, "{words} words");
            continue;
        };
        assert_eq!(segment.payload.len(), 61 - usize::from(words) * 4);
        let expected = TcpHeader {
            sequence: 3,
            acknowledgment: Some(4),
            syn: true,
            ..TcpHeader::default()
        };
        assert_eq!(segment.header, TransportHeader::Tcp(expected));
    }
}

#[test]
fn a_packet_cut_anywhere_is_cut_and_not_damaged() {
    let tcp = [&[0, 1, 0, 2][..], &[0; 8], &[0x60, 0x10], &[0; 10], b"data"].concat();
    for packet in [
        ipv4(CLIENT, SERVER, UDP, &udp(b"data")),
        ipv4(CLIENT, SERVER, TCP, &tcp),
        ipv6(
            0,
            &[extension(60, 1), extension(TCP, 0), tcp.clone()].concat(),
        ),
    ] {
        let headers = packet.len() - 4;
        for length in 0..=packet.len() {
            let cut = Captured::new(&packet[..length], packet.len() - length);
            let result = ip(cut).and_then(|ip| transport(&ip.upper));
            match result {
                Ok(segment) => {
                    assert!(length >= headers);
                    assert_eq!(segment.payload, cut.after(headers));
                }
                Err(skip) => assert_eq!((skip, length < headers), (Skip::CutHeader, true)),
            }
        }
    }
}
