use std::convert::Infallible;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::capture::{CaptureFormat, Damage, FileRecord, LinkType, Packet};
use crate::carrier::Carrier;
use crate::conversation::{Conversation, EndOfInput, Finding, MessageEvent};
use crate::dissect::{DecodeAs, Dissector, FlowReport, Sink};
use crate::net::Transport;
use crate::time::Timestamp;

/// The results of a source, one for each pull.
#[derive(Clone, Debug)]
struct Script {
    packets: Vec<Result<Vec<u8>, ()>>,
    next: usize,
    infos: Vec<InputInfo>,
}

impl Script {
    fn new(packets: Vec<Result<Vec<u8>, ()>>) -> Self {
        let info = InputInfo {
            path: PathBuf::from("script"),
            format: CaptureFormat::Pcap,
            compression: None,
            link_type: Some(LinkType::RawIp),
            interfaces: Vec::new(),
            packet_count: 0,
            truncated: false,
        };
        Self {
            packets,
            next: 0,
            infos: vec![info],
        }
    }
}

impl PacketSource for Script {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        let Some(packet) = self.packets.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        let Ok(data) = packet else {
            return Err(CaptureError::Damaged {
                path: PathBuf::from("script"),
                record: FileRecord::Packet(self.next as u64),
                offset: 0,
                damage: Damage::Overlong {
                    captured: 2,
                    block: 1,
                },
            });
        };
        self.infos[0].packet_count += 1;
        Ok(Some(Packet {
            number: self.infos[0].packet_count,
            time: Timestamp::from_nanos(i64::try_from(self.next).unwrap()),
            interface: crate::capture::InterfaceId::default(),
            link_type: LinkType::RawIp,
            data,
            original_bytes: u32::try_from(data.len()).unwrap() + 1,
        }))
    }

    fn inputs(&self) -> &[InputInfo] {
        &self.infos
    }
}

/// An IPv4 packet with UDP, or a fragment of one that will never be whole.
fn packet(identification: u16, payload_bytes: usize, is_fragment: bool) -> Vec<u8> {
    let udp_bytes = u16::try_from(8 + payload_bytes).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_bytes).to_be_bytes());
    packet.extend(identification.to_be_bytes());
    packet.extend(if is_fragment { [0x20, 0] } else { [0, 0] });
    packet.extend([64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
    packet.extend([0, 1, 0, 2]);
    packet.extend(udp_bytes.to_be_bytes());
    packet.extend([0, 0]);
    let mut letters = (b'a'..=b'z').cycle();
    packet.extend(letters.by_ref().take(payload_bytes));
    packet
}

/// All calls of a sink, in words.
#[derive(Default)]
struct Words(Vec<String>);

impl Sink for Words {
    type Error = Infallible;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), Infallible> {
        self.0.push(format!("{flow:?}"));
        Ok(())
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Infallible> {
        self.0.push(format!("{event:?}"));
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Infallible> {
        self.0.push(format!("{finding:?}"));
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Infallible> {
        self.0.push(format!("{conversation:?}"));
        Ok(())
    }
}

/// The rule for all datagrams: to be messages.
fn options(depth: Depth) -> DissectOptions {
    DissectOptions {
        depth,
        decode_as: vec![DecodeAs {
            transport: Transport::Udp,
            port: 2,
            carrier: Carrier::Udp,
        }],
        ..DissectOptions::default()
    }
}

/// All that comes of a source; it ends as long as it is asked.
fn delivered<P: PacketSource>(mut source: StepSource<P>, depth: Depth) -> Vec<String> {
    let mut words = Words::default();
    let mut dissector = Dissector::new(options(depth));
    loop {
        match source.next_steps() {
            Ok(Some(steps)) => dissector.push_steps(steps, &mut words).unwrap(),
            Ok(None) => break,
            Err(error) => {
                let packets = source.inputs()[0].packet_count;
                words.0.push(format!("{error}, behind {packets} packets"));
            }
        }
    }
    assert!(
        source.next_steps().unwrap().is_none(),
        "the end stays the end"
    );
    words.0.push(format!("{:?}", source.inputs()));
    words.0.push(format!("{:?}", source.copies()));
    dissector
        .finish_steps(EndOfInput::Complete, &mut source, &mut words)
        .unwrap();
    words.0.push(format!("{:?}", dissector.counts()));
    words.0
}

#[track_caller]
fn check(script: &Script) {
    check_to(script, Depth::Messages);
    check_to(script, Depth::Conversations);
}

#[track_caller]
fn check_to(script: &Script, depth: Depth) {
    let options = options(depth);
    let here = delivered(StepSource::here(script.clone(), &options.network), depth);
    let batches = delivered(
        StepSource::in_batches(script.clone(), &options.network),
        depth,
    );
    assert_eq!(here, batches);
    let ahead = delivered(StepSource::ahead(script.clone(), &options).unwrap(), depth);
    assert_eq!(here, ahead);
    let lost = here
        .iter()
        .filter(|words| words.contains("UdpFragmentMissing"));
    let fragments = script
        .packets
        .iter()
        .flatten()
        .filter(|packet| packet[6] == 0x20);
    assert_eq!(lost.count(), fragments.count());
}

#[test]
fn an_empty_source_and_one_of_errors_only_end() {
    check(&Script::new(Vec::new()));
    check(&Script::new(vec![Err(()), Err(())]));
}

#[test]
fn batches_of_every_length_are_told_as_without_batches() {
    for count in [1, 63, 64, 65, 255, 256, 257, 2_047, 2_048, 2_049, 20_000] {
        let packets = (0..count).map(|number| Ok(packet(number, 1, false)));
        check(&Script::new(packets.collect()));
    }
}

/// Whoever looks no further still learns what has come by then.
#[test]
fn a_source_that_is_stopped_ends_the_flows_that_it_has() {
    let packets = (0..20_000).map(|number| Ok(packet(number, 1, false)));
    let options = options(Depth::Conversations);
    let mut source = StepSource::ahead(Script::new(packets.collect()), &options).unwrap();
    let mut words = Words::default();
    let mut dissector = Dissector::new(options);
    let steps = source.next_steps().unwrap().unwrap();
    dissector.push_steps(steps, &mut words).unwrap();
    dissector
        .finish_steps(EndOfInput::Stopped, &mut source, &mut words)
        .unwrap();
    let counts = dissector.counts();
    assert!(counts.network.packets < 20_000, "{counts:?}");
    assert_eq!(counts.messages, counts.network.packets);
    let messages = words
        .0
        .iter()
        .filter(|words| words.starts_with("MessageEvent"));
    assert_eq!(messages.count() as u64, counts.messages);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_followed_ahead_equals_what_is_followed_here(
        kinds in prop::collection::vec((0..20_u8, 0..60_000_usize), 0..60),
    ) {
        let packets = kinds.into_iter().enumerate().map(|(number, (kind, bytes))| match kind {
            0 => Err(()),
            // A fragment but the last is a multiple of 8 bytes.
            1 | 2 => Ok(packet(u16::try_from(number).unwrap(), bytes / 8 * 8, true)),
            3 => Ok(vec![0x45; bytes % 20 + 8]),
            4..=10 => Ok(packet(u16::try_from(number).unwrap(), bytes, false)),
            _ => Ok(packet(u16::try_from(number).unwrap(), bytes % 300, false)),
        });
        check(&Script::new(packets.collect()));
    }
}
