use std::sync::mpsc;

use super::*;
use crate::capture::CaptureFile;
use crate::capture::PacketSource;
use crate::conversation::EndOfInput;
use crate::dissect::{DissectOptions, Dissector};

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
