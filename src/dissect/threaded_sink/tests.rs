use std::sync::mpsc;

use super::*;
use crate::capture::CaptureFile;
use crate::capture::PacketSource;
use crate::conversation::EndOfInput;
use crate::dissect::{Collected, DissectOptions, Dissector};

/// All its calls, in words; refuses when it has had enough.
#[derive(Debug, Default)]
struct Words {
    told: Vec<String>,
    enough: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Enough;

impl Words {
    fn receive(&mut self, word: String) -> Result<(), Enough> {
        if self.enough == Some(self.told.len()) {
            return Err(Enough);
        }
        self.told.push(word);
        Ok(())
    }
}

impl Sink for Words {
    type Error = Enough;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), Enough> {
        self.receive(format!("{flow:?}"))
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Enough> {
        self.receive(format!("{event:?}"))
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Enough> {
        self.receive(format!("{finding:?}"))
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Enough> {
        self.receive(format!("{conversation:?}"))
    }
}

fn dissect<S: Sink>(name: &str, sink: &mut S) -> Result<(), S::Error> {
    let path = format!("{}/captures/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut capture = CaptureFile::open(path).unwrap();
    let mut dissector = Dissector::new(DissectOptions::default());
    while let Ok(Some(packet)) = capture.next_packet() {
        dissector.push(&packet, sink)?;
        sink.packet_end(capture.inputs())?;
    }
    dissector.finish(EndOfInput::Complete, sink)
}

fn captures() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| CaptureFile::open(format!("{directory}/{name}")).is_ok())
        .collect();
    names.sort();
    assert!(names.len() > 50, "{names:?}");
    names
}

#[test]
fn a_sink_is_told_the_same_in_the_same_order_as_on_one_thread() {
    for name in captures() {
        let mut direct = Words::default();
        dissect(&name, &mut direct).unwrap();
        let mut threaded = ThreadedSink::spawn(Words::default()).unwrap();
        dissect(&name, &mut threaded).unwrap();
        let passed_on = threaded.finish().unwrap().unwrap();
        assert_eq!(direct.told, passed_on.told, "{name}");
    }
}

#[test]
fn what_the_sink_refuses_comes_back_once() {
    let name = "several-carriers.pcap";
    // Often enough to fill all batches.
    let dissect_often =
        |sink: &mut dyn FnMut() -> Result<(), Enough>| (0..240).try_for_each(|_| sink());
    let mut direct = Words::default();
    dissect_often(&mut || dissect(name, &mut direct)).unwrap();
    let all = direct.told.len();
    assert!(all > 2 * BATCHES * BATCH_LENGTH, "{all} fill all batches");
    for enough in [0, 1, all / 2, all - 1] {
        let words = Words {
            enough: Some(enough),
            ..Words::default()
        };
        let mut threaded = ThreadedSink::spawn(words).unwrap();
        let told = dissect_often(&mut || dissect(name, &mut threaded));
        let finished = threaded.finish();
        let refusals = [told.is_err(), finished.is_err()];
        assert_eq!(refusals.iter().filter(|refused| **refused).count(), 1);
    }
}

/// Counts ends of packets, and waits for leave before each.
struct Slow {
    leave: mpsc::Receiver<()>,
    packet_ends: usize,
}

impl Sink for Slow {
    type Error = Enough;

    fn packet_end(&mut self, _: &[InputInfo]) -> Result<(), Enough> {
        self.packet_ends += 1;
        self.leave.recv().map_err(|_| Enough)
    }
}

#[test]
fn packets_that_told_nothing_have_no_end() {
    let (leave, receiver) = mpsc::channel();
    let mut threaded = ThreadedSink::spawn(Slow {
        leave: receiver,
        packet_ends: 0,
    })
    .unwrap();
    for _ in 0..10 {
        threaded.packet_end(&[]).unwrap();
    }
    drop(leave);
    assert_eq!(threaded.finish().unwrap().unwrap().packet_ends, 0);
}

/// What comes of one packet, or behind the last one.
fn told_without_a_packet_end(tell: impl Fn(&mut ThreadedSink<Words>)) {
    const COUNT: usize = 3 * BATCHES * BATCH_LENGTH;
    let mut threaded = ThreadedSink::spawn(Words::default()).unwrap();
    for number in 0..COUNT {
        tell(&mut threaded);
        assert!(threaded.awaits_packet_end(), "its end is still to be told");
        let Batch { items, bytes, .. } = &threaded.batch;
        assert!(items.len() <= 2 * BATCH_LENGTH, "{number}");
        assert!(bytes.len() < 2 * BATCH_BYTES + 1_024, "{number}");
    }
    assert_eq!(threaded.finish().unwrap().unwrap().told.len(), COUNT);
}

fn message(payload: &[u8]) -> MessageEvent<'_> {
    MessageEvent {
        number: 1,
        packet: 1,
        time: Timestamp::default(),
        elapsed_us: 0,
        encapsulation: Encapsulation::default(),
        carrier: Carrier::TcpU16,
        source: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        target: SocketAddr::from(([192, 0, 2, 2], 9_004)),
        direction: None,
        message: RawMessage::Short(payload),
        conversation: None,
        meaning: Meaning::Untracked,
        session: None,
        router_ns: None,
        sent_as: None,
        destination_hash: None,
        findings: &[],
    }
}

#[test]
fn what_one_packet_releases_and_what_ends_with_a_capture_is_handed_on_in_parts() {
    told_without_a_packet_end(|sink| sink.message(&message(&[])).unwrap());
    told_without_a_packet_end(|sink| sink.message(&message(&[0; 1_000])).unwrap());
    let mut seen = Collected::default();
    dissect("udp-orphan.pcap", &mut seen).unwrap();
    told_without_a_packet_end(|sink| sink.flow(&seen.flows[0]).unwrap());
    told_without_a_packet_end(|sink| sink.finding(&seen.findings[0]).unwrap());
    told_without_a_packet_end(|sink| sink.conversation(&seen.conversations[0]).unwrap());
}

#[test]
fn a_batch_keeps_no_memory_of_a_huge_message() {
    let mut batch = Batch::default();
    batch.push(&message(&vec![0; 16 << 20]));
    batch.clear();
    assert_eq!(batch.bytes.capacity(), 0);
    batch.push(&message(&vec![0; BATCH_BYTES]));
    batch.clear();
    assert!(batch.bytes.capacity() >= BATCH_BYTES, "it is used again");
}
