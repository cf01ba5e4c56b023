//! Who only counts messages is told the same of everything else as who looks at each.

use std::convert::Infallible;
use std::io::Cursor;

use ministream::capture::{CaptureFile, PacketSource};
use ministream::conversation::EndOfInput;
use ministream::dissect::{Collected, DissectOptions, Dissector, Sink};
use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Random, Wire};

use crate::recording::Recording;
use crate::shelf;

#[test]
fn of_every_capture_conversations_and_findings_are_the_same_whatever_is_lost() {
    for name in shelf::names() {
        let open = || CaptureFile::open(shelf::directory().join(&name)).unwrap();
        for loss in 0..12 {
            assert_same(open, loss, &name);
        }
    }
}

#[test]
fn of_many_conversations_at_once_they_are_the_same_whatever_is_lost() {
    for carrier in [BulkCarrier::Udp, BulkCarrier::Tcp(Prefix::U32)] {
        let capture = made(Shape {
            flows: 40,
            conversations: 2_000,
            open: 200,
            idle: 100,
            ..Shape::eventful(carrier)
        });
        let open = || CaptureFile::from_reader("made", Cursor::new(capture.clone())).unwrap();
        for loss in 0..4 {
            assert_same(open, loss, "a made capture");
        }
    }
}

fn made(shape: Shape) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut capture = Pcap::USUAL.header(u32::from(wire.link.number())).to_vec();
    let mut bulk = Bulk::new(shape);
    while bulk.advance(&mut wire) {
        for packet in wire.packets.drain(..) {
            capture.extend(Pcap::USUAL.record(&packet));
        }
    }
    capture
}

fn assert_same(open: impl Fn() -> CaptureFile, loss: u64, name: &str) {
    let mut described = Recording::default();
    dissect(open(), loss, &mut described);
    let mut counted = Collected::default();
    dissect(open(), loss, &mut counted);

    let place = format!("{name}, loss {loss}");
    let messages = described.messages.len() as u64;
    assert_eq!(counted.message_count, messages, "{place}");
    assert_eq!(counted.conversations, described.conversations, "{place}");
    assert_eq!(counted.findings, described.findings, "{place}");
    assert_eq!(counted.flows, described.flows, "{place}");
}

/// Dissects a capture, of which one packet in nine is lost unless `loss` is 0.
fn dissect<S: Sink<Error = Infallible>>(mut capture: CaptureFile, loss: u64, sink: &mut S) {
    let mut dissector = Dissector::new(DissectOptions::default());
    let mut random = Random::new(loss);
    loop {
        match capture.next_packet() {
            Ok(Some(packet)) => {
                if loss == 0 || random.below(9) > 0 {
                    let Ok(()) = dissector.push(&packet, sink);
                }
            }
            Ok(None) => break,
            Err(error) => {
                assert!(error.is_partial(), "{error}");
                break;
            }
        }
    }
    let Ok(()) = dissector.finish(EndOfInput::Complete, sink);
}
