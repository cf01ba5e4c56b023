use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::capture::{CaptureFormat, Damage, LinkType, Record};
use crate::time::Timestamp;

/// What a source gives when it is asked, over and over.
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
                record: Record::Packet(self.next as u64),
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

/// All that a source tells, in words; it ends as long as it is asked.
fn told<P: PacketSource>(mut source: DecodedSource<P>) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match source.next_step() {
            Ok(Some(step)) => told.push(format!("{step:?}")),
            Ok(None) => break,
            Err(error) => {
                let packets = source.inputs()[0].packet_count;
                told.push(format!("{error}, behind {packets} packets"));
            }
        }
    }
    assert!(
        source.next_step().unwrap().is_none(),
        "the end stays the end"
    );
    told.push(format!("{:?}", source.inputs()));
    told
}

fn check(script: &Script) {
    let limits = NetworkLimits::default();
    let here = told(DecodedSource::here(script.clone(), &limits));
    let ahead = told(DecodedSource::ahead(script.clone(), &limits).unwrap());
    assert_eq!(here, ahead);
    let lost = here.iter().filter(|step| step.starts_with("Lost"));
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
    for count in [1, 2_047, 2_048, 2_049, 4_096, 20_000] {
        let packets = (0..count).map(|number| Ok(packet(number, 1, false)));
        check(&Script::new(packets.collect()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_decoded_ahead_equals_what_is_decoded_here(
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
