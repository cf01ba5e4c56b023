//! The looks of the reports of a replay.

use super::*;
use crate::conversation::ConversationId;
use crate::field::PayloadDetail;
use crate::replay::Difference;
use crate::replay::{Note, SkipReason};
use crate::report::style::{Colouring, IdFormat, PREVIEW_COLUMNS, TimeStyle};
use crate::select::redact::Secrets;
use crate::text::escape::Charset;
use crate::wire::Direction;
use crate::wire::{ClientId, ServerId};

const LOOK: Style = Style {
    charset: Charset::Unicode,
    colour: Colouring::Never,
    width: 120,
    ids: IdFormat::Hex,
    times: TimeStyle::Relative,
    payload: PayloadDetail::Full,
    previews: PREVIEW_COLUMNS,
    redacted: Secrets::NONE,
};

fn outcome(number: u64, result: ReplayResult) -> PlayOutcome {
    PlayOutcome {
        conversation: ConversationId(number),
        pass: 1,
        copy: 1,
        recorded_ids: (Some(ClientId(StreamId([0x11; 3]))), None),
        live_ids: (
            Some(ClientId(StreamId([0x4b, 0xe1, 0xf0]))),
            Some(ServerId(StreamId([0, 0, 10]))),
        ),
        result,
        note: None,
        c2s_bytes: 27,
        s2c_want_bytes: 44,
        s2c_got_bytes: 44,
        handshake: Some(Duration::from_micros(600)),
        recorded_handshake: Some(Duration::from_millis(4)),
        differences: Vec::new(),
        suggested_masks: Vec::new(),
        exchange: None,
    }
}

fn with(outcomes: Vec<PlayOutcome>, test: impl FnOnce(&ReplayReport<'_>)) {
    let mut collected = ReplayOutcomes::default();
    outcomes
        .into_iter()
        .for_each(|outcome| collected.add(outcome));
    test(&ReplayReport {
        source: "a<b>.pcap",
        carrier: "udp://127.0.0.1:9004",
        options: &PlayOptions::default(),
        outcomes: &collected,
        stats: &PlayStats::default(),
        skipped: &[Skipped {
            number: Some(12),
            conversation: None,
            reason: SkipReason::Orphan,
        }],
        skipped_count: 1,
        planned: Duration::from_millis(900),
        elapsed: Duration::from_millis(904),
        exit_code: 1,
        mask_flag: "--mask",
    });
}

fn differing() -> PlayOutcome {
    let excerpt = |byte: &[u8]| Excerpt {
        before: b": ".to_vec(),
        bytes: byte.to_vec(),
        after: b"\r\n\x1b[31m".to_vec(),
        ..Excerpt::default()
    };
    PlayOutcome {
        differences: vec![Difference {
            direction: Direction::ServerToClient,
            offset: 33,
            want: excerpt(b"6"),
            got: excerpt(b"7"),
        }],
        ..outcome(1, ReplayResult::Differs)
    }
}

#[test]
fn the_table_shows_results_differences_and_what_was_not_replayed() {
    let missing = PlayOutcome {
        note: Some(Note::BytesMissing { got: 0, want: 11 }),
        s2c_got_bytes: 0,
        s2c_want_bytes: 11,
        ..outcome(3, ReplayResult::NoReply)
    };
    with(
        vec![differing(), outcome(2, ReplayResult::Same), missing],
        |report| {
            let mut out = Vec::new();
            report.table(&LOOK, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(
                    text,
                    "\
a<b>.pcap → udp://127.0.0.1:9004   speed 1, order ids, ids fresh, compare stream
┌──────┬──────────────┬───────────────┬──────────┬─────┬──────┬───────────┬──────────────────────────────┐
│ Conv ┆ Recorded ids ┆ Live ids      ┆ Result   ┆ → B ┆  ← B ┆ Handshake ┆ First difference             │
╞══════╪══════════════╪═══════════════╪══════════╪═════╪══════╪═══════════╪══════════════════════════════╡
│ c1   ┆ 111111/-     ┆ 4be1f0/00000a ┆ differs  ┆  27 ┆   44 ┆    0.6 ms ┆ ← offset 33: want 36, got 37 │
│ c2   ┆ 111111/-     ┆ 4be1f0/00000a ┆ same     ┆  27 ┆   44 ┆    0.6 ms ┆                              │
│ c3   ┆ 111111/-     ┆ 4be1f0/00000a ┆ no reply ┆  27 ┆ 0/11 ┆    0.6 ms ┆ 0 of 11 B came               │
└──────┴──────────────┴───────────────┴──────────┴─────┴──────┴───────────┴──────────────────────────────┘
c1 ← offset 33
   want  3a 20 [36] 0d 0a 1b 5b 33 31 6d
   got   3a 20 [37] 0d 0a 1b 5b 33 31 6d
3 conversations: 1 same, 1 differs, 1 no reply. Not replayed: #12 orphan.
sent 0 messages in 0.9 s   FAILED
"
                );
        },
    );
}

#[test]
fn nothing_sticks_out_of_a_narrow_terminal_and_a_wide_one_is_used() {
    let differing = PlayOutcome {
        recorded_ids: outcome(1, ReplayResult::Same).live_ids,
        ..differing()
    };
    with(vec![differing], |report| {
        let table = |width| {
            let mut out = Vec::new();
            report.table(&Style { width, ..LOOK }, &mut out);
            String::from_utf8(out).unwrap()
        };
        for width in 60..120 {
            let table = table(width);
            let is_too_wide = |line: &&str| line.chars().count() > width;
            let too_wide: Vec<&str> = table.lines().filter(is_too_wide).collect();
            assert!(too_wide.is_empty(), "{width}: {too_wide:#?}");
        }
        let narrow = table(80);
        assert!(narrow.contains("┆ want 36, got 37 │"), "{narrow}");
        let narrower = table(70);
        let heading = "ids fresh,\n  compare stream\n";
        assert!(narrower.contains(heading), "{narrower}");
        let row = "┆ ← offset 33: want 36, got 37 │";
        assert!(table(107).contains(row), "{}", table(107));
    });
}

#[test]
fn the_json_report_has_the_keys_of_its_schema() {
    with(vec![differing()], |report| {
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["schema"], "ministream.replay/1");
        assert_eq!(value["verdict"], "failed");
        assert_eq!(value["exit_code"], 1);
        assert_eq!(value["options"]["speed"], 1.0);
        assert_eq!(value["skipped"][0]["reason"], "orphan");
        assert_eq!(value["skipped"][0]["n"], 12);
        assert_eq!(value["send_lag_us"], Value::Null);
        let conversation = &value["conversations"][0];
        assert_eq!(conversation["conv"], "c1");
        assert_eq!(conversation["live"]["server_id"], "00000a");
        assert_eq!(conversation["recorded"]["server_id"], Value::Null);
        assert_eq!(conversation["result"], "differs");
        assert_eq!(
            conversation["diffs"],
            json!([{"dir": "s2c", "offset_bytes": 33, "want_hex": "36", "got_hex": "37"}])
        );
    });
}

#[test]
fn the_junit_report_counts_and_escapes() {
    let outcomes = vec![
        differing(),
        outcome(2, ReplayResult::Same),
        outcome(3, ReplayResult::Skipped),
        outcome(4, ReplayResult::TransportError),
    ];
    with(outcomes, |report| {
        assert_eq!(
            report.junit(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <testsuite name=\"a&lt;b&gt;.pcap to udp://127.0.0.1:9004\" tests=\"4\" \
                 failures=\"1\" errors=\"1\" skipped=\"1\" time=\"0.904\">\n  \
                 <testcase name=\"c1 copy 1 pass 1\"><failure \
                 message=\"differs: s2c offset 33: want 36, got 37\"/></testcase>\n  \
                 <testcase name=\"c2 copy 1 pass 1\"/>\n  \
                 <testcase name=\"c3 copy 1 pass 1\"><skipped message=\"skipped\"/></testcase>\n  \
                 <testcase name=\"c4 copy 1 pass 1\"><error message=\"transport error\"/></testcase>\n\
                 </testsuite>\n"
        );
    });
}

#[test]
fn a_run_that_was_cut_short_fails_even_if_all_that_was_played_is_the_same() {
    let same = || vec![outcome(1, ReplayResult::Same)];
    let mut lost = PlayStats::default();
    lost.not_begun = 4;
    for (stats, exit_code, why) in [
        (lost, 4, "4 conversations not begun"),
        (PlayStats::default(), 4, "cut short, exit code 4"),
        (PlayStats::default(), 130, "cut short, exit code 130"),
    ] {
        with(same(), |report| {
            let report = ReplayReport {
                stats: &stats,
                exit_code,
                ..*report
            };
            let mut out = Vec::new();
            report.table(&LOOK, &mut out);
            let table = String::from_utf8(out).unwrap();
            assert!(table.ends_with("   FAILED\n"), "{table}");
            assert!(table.contains("\n1 conversation: 1 same."), "{table}");
            let value: Value = serde_json::from_str(&report.json()).unwrap();
            assert_eq!(value["verdict"], "failed");
            let junit = report.junit();
            assert!(
                junit.contains("tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"0\""),
                "{junit}"
            );
            let case =
                format!("<testcase name=\"the whole run\"><error message=\"{why}\"/></testcase>");
            assert!(junit.contains(&case), "{junit}");
        });
    }
    // A damaged capture is no reason against the conversations played.
    with(same(), |report| {
        let report = ReplayReport {
            exit_code: 3,
            ..*report
        };
        assert_eq!(report.verdict(), Verdict::Passed);
    });
}

#[test]
fn a_difference_tells_its_copy_and_pass_and_is_coloured_where_asked_for() {
    let later = PlayOutcome {
        copy: 2,
        pass: 3,
        ..differing()
    };
    with(vec![later], |report| {
        let mut out = Vec::new();
        let style = Style {
            colour: Colouring::Ansi,
            ..LOOK
        };
        report.table(&style, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\nc1 2.3 ← offset 33\n   want  3a 20 \x1b[31m[36]\x1b[0m 0d 0a"),
            "{text}"
        );
        assert!(text.ends_with("   \x1b[31mFAILED\x1b[0m\n"), "{text}");
    });
}

#[test]
fn of_many_outcomes_those_that_matter_are_listed() {
    let mut collected = ReplayOutcomes::default();
    for number in 0..20_000 {
        collected.add(outcome(number, ReplayResult::Same));
    }
    collected.add(outcome(20_000, ReplayResult::Differs));
    assert_eq!(collected.listed.len(), MAX_LISTED);
    assert_eq!(collected.tally().total(), 20_001);
    let differing = collected
        .listed
        .iter()
        .filter(|o| o.result == ReplayResult::Differs);
    assert_eq!(differing.count(), 1);
}
