//! The specification's samples on every carrier, and the documented example.

use super::{Shipped, list, tcp_flow, tcp_pcap, udp_pcap};
use crate::carry::{self, Prefix};
use crate::file::Pcap;
use crate::i2cp::Application;
use crate::{Link, Wire, sample_destination, samples, seeded_destination};

pub(super) fn captures() -> Vec<Shipped> {
    let text = samples::specification(&sample_destination());
    list(
        "specification.rs",
        vec![
            (
                "spec-samples.pcap",
                "the documented example: the three sample conversations interleaved, an orphan, a ping and an unknown type",
                udp_pcap(&samples::documented(&sample_destination())),
            ),
            (
                "spec-text.pcap",
                "the three sample conversations exactly as in the specification, over UDP; (c) ends with the `51` labelled Close",
                udp_pcap(&text),
            ),
            (
                "spec-samples-tcp-u32be.pcap",
                "the same over TCP with 4-byte lengths",
                tcp_pcap(Prefix::U32, &text),
            ),
            (
                "spec-samples-tcp-u16be.pcap",
                "the same over TCP with 2-byte lengths",
                tcp_pcap(Prefix::U16, &text),
            ),
            (
                "spec-samples-segment.pcap",
                "the same over TCP, one message a segment",
                segments(),
            ),
            (
                "spec-samples-i2cp.pcap",
                "the same over I2CP with both applications at one router",
                i2cp(),
            ),
        ],
    )
}

fn segments() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let text = samples::specification(&sample_destination());
    carry::over_segments(&mut wire, &mut tcp_flow(), &text);
    Pcap::USUAL.write(&wire)
}

fn i2cp() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut client = Application::new(40112, 0x0101, "spec-client", sample_destination());
    let mut server = Application::new(40113, 0x0202, "spec-server", seeded_destination(2));
    let text = samples::specification(&client.destination);
    carry::over_i2cp(&mut wire, &mut client, &mut server, &text);
    Pcap::USUAL.write(&wire)
}
