use std::convert::Infallible;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::*;
use crate::capture::{Inputs, PacketSource};
use crate::conversation::EndOfInput;
use crate::dissect::{DissectOptions, Dissector, Sink};
use crate::field::PayloadDetail;
use crate::record::RecordWriter;

#[track_caller]
fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), *value);
}

#[test]
fn values_are_what_they_are_in_records() {
    let id = StreamId([0x0b, 0xad, 0x1d]);
    assert_round_trip(&id, r#""0bad1d""#);
    assert_round_trip(&ClientId(id), r#""0bad1d""#);
    assert_round_trip(&ServerId(id), r#""0bad1d""#);
    assert_round_trip(&ConversationId(3), r#""c3""#);
    assert_round_trip(
        &DestinationHash([0xff; 32]),
        r#""~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~8=""#,
    );
    assert_round_trip(
        &Timestamp::from_parts(1_085_486_400, 5_000_000),
        r#""2004-05-25T12:00:00.005000000Z""#,
    );
    assert_round_trip(&FrameType(0xa1), "161");
    assert_round_trip(&SessionId(2), "2");
    assert_round_trip(&Carrier::TcpU32, r#""tcp_u32be""#);
    assert_round_trip(&ConversationState::ServerClosed, r#""server_closed""#);
    assert_round_trip(&Direction::ClientToServer, r#""c2s""#);
    for code in FindingCode::ALL {
        assert_round_trip(code, &format!("{:?}", code.code()));
    }
    for level in Level::ALL {
        assert_round_trip(&level, &format!("{:?}", level.name()));
    }
}

#[cfg(feature = "endpoints")]
#[test]
fn results_of_a_replay_are_named_as_in_its_report() {
    for result in ReplayResult::ALL {
        assert_round_trip(&result, &format!("{:?}", result.name()));
    }
    assert_round_trip(&Verdict::Passed, r#""passed""#);
    assert_round_trip(&Verdict::Failed, r#""failed""#);
}

#[test]
fn a_text_that_is_no_such_value_is_an_error_that_says_what_is_expected() {
    let error = |text: &str| {
        serde_json::from_str::<StreamId>(text)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(r#""0bad1""#),
        "invalid value: string \"0bad1\", expected an id as six hex digits at line 1 column 7"
    );
    assert_eq!(
        error("7"),
        "invalid type: integer `7`, expected an id as six hex digits at line 1 column 1"
    );
    let error = serde_json::from_str::<Level>(r#""fatal""#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid value: string \"fatal\", expected note, warn or error at line 1 column 7"
    );
    let error = serde_json::from_str::<Finding>(r#"{"record":"finding"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "detail is missing or not what it should be"
    );
}

/// Compares serde's output for everything with that of the writer of records.
struct Comparison {
    writer: RecordWriter,
    count: usize,
    /// Of which the bytes differ: the writer escapes characters that drive a terminal, which JSON
    /// does not ask for.
    escaped: usize,
}

impl Comparison {
    fn compare(
        &mut self,
        value: &impl Serialize,
        write: impl FnOnce(&mut RecordWriter, &mut Vec<u8>),
    ) {
        let mut record = Vec::new();
        write(&mut self.writer, &mut record);
        let record = String::from_utf8(record).unwrap();
        let json = serde_json::to_string(value).unwrap();
        if json != record {
            let [json, record] = [&json, &record].map(|text| {
                let parsed: serde_json::Value = serde_json::from_str(text).unwrap();
                parsed
            });
            assert_eq!(json, record);
            self.escaped += 1;
        }
        self.count += 1;
    }
}

impl Sink for Comparison {
    type Error = Infallible;

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Infallible> {
        self.compare(event, |writer, out| writer.message(event, out));
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Infallible> {
        self.compare(finding, |writer, out| writer.finding(finding, out));
        let json = serde_json::to_string(finding).unwrap();
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), *finding);
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Infallible> {
        self.compare(conversation, |writer, out| {
            writer.conversation(conversation, out);
        });
        Ok(())
    }
}

/// The shipped captures.
fn captures() -> Vec<PathBuf> {
    let entries = ["captures", "captures/real"].map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().contains(".pcap"))
        .collect()
}

#[test]
fn records_of_every_shipped_capture_are_those_that_the_dump_writes() {
    let mut all = Comparison {
        writer: RecordWriter::new(PayloadDetail::Full),
        count: 0,
        escaped: 0,
    };
    for path in captures() {
        let Ok(mut inputs) = Inputs::open([&path]) else {
            continue;
        };
        let mut dissector = Dissector::new(DissectOptions::default());
        while let Ok(Some(packet)) = inputs.next_packet() {
            dissector.push(&packet, &mut all).unwrap();
        }
        dissector.finish(EndOfInput::Complete, &mut all).unwrap();
    }
    assert!(all.count > 2_000, "{}", all.count);
    assert!((1..20).contains(&all.escaped), "{}", all.escaped);
}
