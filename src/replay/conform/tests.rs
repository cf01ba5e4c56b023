use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::replay::inject::{Action, StepReport, StepResult};

const BOTH: [Tested; 2] = [Tested::Server, Tested::Client];

fn all(tested: Tested) -> Vec<&'static Case> {
    cases(tested, &[]).unwrap()
}

fn options(tested: Tested) -> SuiteOptions {
    SuiteOptions {
        tcp_side: TcpSide::TestService,
        max_message_bytes: 65_507,
        ..SuiteOptions::new(tested, Bytes::from_static(b"destination"), [7; 32])
    }
}

fn ids(reports: impl IntoIterator<Item = CaseReport>, reason: Reason) -> Vec<&'static str> {
    let skipped = CaseResult::Skipped(reason);
    reports
        .into_iter()
        .filter(|report| report.result == skipped)
        .map(|report| report.case.id)
        .collect()
}

fn skipped(options: SuiteOptions, reason: Reason) -> Vec<&'static str> {
    let mut suite = Suite::new(&all(options.tested), options);
    ids(std::iter::from_fn(|| suite.poll_report()), reason)
}

#[test]
fn every_case_has_steps_that_can_be_read_in_some_dialect_or_a_rule() {
    for tested in BOTH {
        for case in all(tested) {
            let scripts = Dialect::ALL.map(|dialect| case.script(dialect));
            let has_steps = scripts
                .iter()
                .flatten()
                .all(|script| !script.steps().is_empty());
            assert!(has_steps, "{}", case.id);
            let is_decided = scripts.iter().any(Option::is_some) != case.rule().is_some();
            assert!(is_decided, "{}", case.id);
        }
    }
}

#[test]
fn names_are_unique_and_count_up_in_their_group() {
    for tested in BOTH {
        let mut seen = HashSet::new();
        let mut last = ("", 0);
        for case in all(tested) {
            let (group, number) = case.id.rsplit_once('/').unwrap();
            let number: u32 = number.parse().unwrap();
            let expected = if group == last.0 { last.1 + 1 } else { 1 };
            assert_eq!(number, expected, "{}", case.id);
            assert!(group.starts_with("ms/") && seen.insert(case.id));
            last = (group, number);
        }
    }
}

#[test]
fn every_sentence_stands_in_the_page_about_the_protocol() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(include_str!("../../../docs/protocol.md"));
    for case in BOTH.into_iter().flat_map(all) {
        assert!(
            page.contains(&words(case.sentence)),
            "{}: {}",
            case.id,
            case.sentence
        );
        let quotation = case.quotation();
        assert!(!quotation.contains(['*', '`', '|']), "{quotation}");
    }
}

#[test]
fn the_page_about_conformance_lists_every_case() {
    let page = include_str!("../../../docs/conform.md");
    for (tested, cases) in BOTH.map(|tested| (tested, all(tested))) {
        for case in cases {
            let row = format!("| `{}` | {} | {} |", case.id, case.level.name(), case.title);
            assert!(page.contains(&row), "{}: {row}", tested.name());
        }
    }
}

#[test]
fn cases_are_chosen_by_the_beginning_of_their_names() {
    let chosen = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        cases(Tested::Server, &names)
            .map(|cases| cases.iter().map(|case| case.id).collect::<Vec<_>>())
    };
    let handshakes: Vec<_> = (1..=6).map(|n| format!("ms/handshake/{n}")).collect();
    assert_eq!(
        chosen(&["ms/handshake"]),
        Ok(handshakes.iter().map(|id| &**id).collect())
    );
    assert_eq!(chosen(&["ms/handshake/", "ms/data/1"]).unwrap().len(), 7);
    assert_eq!(chosen(&["ms/data/1", "ms/data/1"]), Ok(vec!["ms/data/1"]));
    for unknown in ["ms/handshak", "ms/handshake/11", "", "x"] {
        let error = chosen(&["ms/data/1", unknown]).unwrap_err();
        assert_eq!(error.name, unknown);
    }
}

#[test]
fn what_cannot_be_tried_is_skipped_with_its_reason() {
    let server = options(Tested::Server);
    assert_eq!(
        skipped(
            SuiteOptions {
                tcp_side: TcpSide::Unknown,
                ..server.clone()
            },
            Reason::NoTcpSide
        ),
        all(Tested::Server)
            .iter()
            .filter(|case| case.needs != Needs::Nothing)
            .map(|case| case.id)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        skipped(
            SuiteOptions {
                max_message_bytes: 32_772,
                ..server.clone()
            },
            Reason::TooLong
        ),
        ["ms/data/6"]
    );
    assert_eq!(
        skipped(
            SuiteOptions {
                delivery: DeliveryGuarantee::Unsure,
                ..server.clone()
            },
            Reason::MayBeDuplicate
        ),
        ["ms/handshake/3"]
    );
    assert_eq!(
        skipped(
            SuiteOptions {
                dialect: Dialect::Java2004,
                ..server
            },
            Reason::NotInDialect
        ),
        ["ms/handshake/4", "ms/close/7"]
    );
    let of_2011 = SuiteOptions {
        dialect: Dialect::Java2011,
        ..options(Tested::Server)
    };
    assert_eq!(skipped(of_2011, Reason::NotInDialect), [""; 0]);
}

/// Says of a trial's first step that it went so.
fn end(trial: &mut Trial, result: StepResult) {
    trial.step(StepReport {
        step: 0,
        result,
        message: None,
        elapsed: Duration::from_millis(3),
    });
}

#[test]
fn a_case_that_fails_is_tried_again_as_often_as_is_wished() {
    let case = cases(Tested::Server, &["ms/close/4".to_owned()]).unwrap();
    for (retries, failures, passes) in [(0, 1, false), (2, 2, true), (2, 3, false)] {
        let mut suite = Suite::new(
            &case,
            SuiteOptions {
                retries,
                ..options(Tested::Server)
            },
        );
        let mut trials = 0;
        while let Some(mut trial) = suite.next_trial() {
            trials += 1;
            let result = if trials <= failures {
                StepResult::Nothing
            } else {
                StepResult::Ok
            };
            end(&mut trial, result);
            suite.finish(trial, None);
        }
        assert_eq!(trials, if passes { failures + 1 } else { failures });
        let report = suite.poll_report().unwrap();
        let failed = CaseResult::Failed {
            step: "syn $c".to_owned(),
            why: "nothing came within 0.0 s".to_owned(),
        };
        assert_eq!(
            report.result,
            if passes { CaseResult::Passed } else { failed }
        );
        assert_eq!(report.fails(Requirement::Should), !passes);
        assert!(!report.fails(Requirement::Must), "it only should");
        assert!(suite.poll_report().is_none());
    }
}

#[test]
fn what_came_late_or_for_another_id_is_not_called_nothing() {
    let case = cases(Tested::Server, &["ms/handshake/1".to_owned()]).unwrap();
    let close = Bytes::from_static(b"\x52\x01\x02\x03");
    for (before, after, expected) in [
        (false, false, "nothing came within 0.0 s"),
        (true, false, "nothing came for this id within 0.0 s"),
        (false, true, "nothing came within 0.0 s; what came was late"),
        (true, true, "nothing came within 0.0 s; what came was late"),
    ] {
        let mut suite = Suite::new(&case, options(Tested::Server));
        let mut trial = suite.next_trial().unwrap();
        if before {
            suite.received(&mut trial, &close);
        }
        end(&mut trial, StepResult::Nothing);
        if after {
            suite.received(&mut trial, &close);
        }
        suite.finish(trial, None);
        let failed = CaseResult::Failed {
            step: "syn $c".to_owned(),
            why: expected.to_owned(),
        };
        assert_eq!(suite.poll_report().unwrap().result, failed);
    }
}

#[test]
fn every_case_waits_longer_for_an_ack_than_the_reference_lets_it_wait() {
    for case in all(Tested::Server) {
        for script in Dialect::ALL.into_iter().filter_map(|d| case.script(d)) {
            for step in script.steps() {
                if let Action::Expect(expect) = &step.action
                    && step.text.starts_with("expect ack")
                {
                    assert!(expect.within > Duration::from_secs(6), "{}", case.id);
                }
            }
        }
    }
}

#[test]
fn a_peer_that_sent_nothing_in_three_attempts_is_given_up() {
    let all = all(Tested::Server);
    let scripts = all.iter().filter(|case| case.rule().is_none()).count();
    for (speaks, expected) in [(false, 3), (true, scripts)] {
        let mut suite = Suite::new(&all, options(Tested::Server));
        assert!(!suite.has_tried());
        let mut trials = 0;
        while let Some(mut trial) = suite.next_trial() {
            trials += 1;
            if speaks && trials == 3 {
                suite.received(&mut trial, &Bytes::from_static(b"\xff"));
            }
            end(&mut trial, StepResult::Nothing);
            suite.finish(trial, None);
        }
        assert_eq!((trials, suite.peer_is_silent()), (expected, !speaks));
        assert!(suite.has_tried());
    }
}

#[test]
fn an_ack_is_waited_for_longer_where_earlier_syns_are_unanswered() {
    let case = cases(Tested::Server, &["ms/close/4".to_owned()]).unwrap();
    let mut suite = Suite::new(
        &case,
        SuiteOptions {
            retries: 3,
            ..options(Tested::Server)
        },
    );
    for (syns, patience) in [(2, 8), (0, 8 + 2 * 5), (1, 8), (0, 8 + 5)] {
        let mut trial = suite.next_trial().unwrap();
        let steps = trial.executor.script().steps().iter();
        let within: Vec<u64> = steps
            .filter_map(|step| match &step.action {
                Action::Expect(expect) if step.text.starts_with("expect ack") => {
                    Some(expect.within.as_secs())
                }
                _ => None,
            })
            .collect();
        assert_eq!(within, vec![patience; within.len()]);
        assert!(!within.is_empty());
        for number in 0..syns {
            suite.sent(
                &mut trial,
                &Bytes::copy_from_slice(&[0xa1, 0, 0, number, 7]),
            );
        }
        suite.received(&mut trial, &Bytes::from_static(b"\xff"));
        end(&mut trial, StepResult::Nothing);
        suite.finish(trial, None);
    }
}

#[test]
fn a_peer_that_only_refuses_is_given_up_unless_it_opened_a_conversation() {
    let all = all(Tested::Server);
    let scripts = all.iter().filter(|case| case.rule().is_none()).count();
    for (first_answer, refuses_ours, expected) in [
        (0x52, true, 3),
        (0x51, true, scripts),
        (0x52, false, scripts),
    ] {
        let mut suite = Suite::new(&all, options(Tested::Server));
        let mut trials = 0;
        while let Some(mut trial) = suite.next_trial() {
            trials += 1;
            let number = u8::try_from(trials).unwrap();
            let syn = [0xa1, 0, 0, number, 7];
            suite.sent(&mut trial, &Bytes::copy_from_slice(&syn));
            let answer = if trials == 1 { first_answer } else { 0x52 };
            let group = u8::from(!refuses_ours);
            suite.received(
                &mut trial,
                &Bytes::copy_from_slice(&[answer, group, 0, number]),
            );
            end(&mut trial, StepResult::Nothing);
            suite.finish(trial, None);
        }
        assert_eq!(
            (trials, suite.peer_refuses()),
            (expected, expected == 3),
            "{first_answer:#x} {refuses_ours}"
        );
    }
}

#[test]
fn a_carrier_that_is_lost_fails_the_case() {
    let mut suite = Suite::new(&all(Tested::Server), options(Tested::Server));
    let trial = suite.next_trial().unwrap();
    suite.finish(trial, Some("closed"));
    let failed = CaseResult::Failed {
        step: "the carrier".to_owned(),
        why: "closed".to_owned(),
    };
    assert_eq!(suite.poll_report().unwrap().result, failed);
}

#[test]
fn each_rule_is_broken_by_some_message_and_kept_by_its_neighbour() {
    let syn = [&[0xa1, 9, 9, 9][..], &[7; 384], &[0; 3]].concat();
    for (tested, rule, kept, broken) in [
        (
            Tested::Server,
            MessageRule::Types,
            &b"\x50\x01\x01\x01x"[..],
            &b"\x53\x01\x01\x01"[..],
        ),
        (
            Tested::Server,
            MessageRule::Types,
            b"\x52\x01\x01\x01",
            b"\xa2\x01\x01\x01",
        ),
        (
            Tested::Server,
            MessageRule::Ids,
            b"\x50\x01\x01\x01x",
            b"\x50\x01\x01\x02x",
        ),
        (
            Tested::Server,
            MessageRule::NewIds,
            b"\x51\x01\x01\x01\0\0\x01",
            b"\x51\x01\x01\x01\0\0\0",
        ),
        (
            Tested::Server,
            MessageRule::NewIds,
            b"\x51\x01\x01\x01abc",
            b"\x51\x01\x01\x01ab",
        ),
        (
            Tested::Server,
            MessageRule::NewIds,
            b"\x51\x01\x01\x01abc",
            b"\x51\x01\x01\x01",
        ),
        (
            Tested::Server,
            MessageRule::Close,
            b"\x52\x01\x01\x01",
            b"\x52\x01\x01\x01x",
        ),
        (
            Tested::Server,
            MessageRule::Close,
            b"\x52\x01\x01\x01abc",
            b"\x52\x01\x01\x01abcd",
        ),
        (
            Tested::Server,
            MessageRule::Data,
            &[0x50; 4 + 32_768],
            &[0x50; 4 + 32_769],
        ),
        (
            Tested::Client,
            MessageRule::Types,
            b"\xa0\x02\x02\x02x",
            b"\x50\x02\x02\x02x",
        ),
        (
            Tested::Client,
            MessageRule::Ids,
            b"\xa2\x02\x02\x02",
            b"\xa2\x01\x01\x01",
        ),
        (Tested::Client, MessageRule::NewIds, &syn, b"\xa1\0\0\0"),
        (
            Tested::Client,
            MessageRule::Destination,
            &syn,
            &syn[..syn.len() - 1],
        ),
        (
            Tested::Client,
            MessageRule::Close,
            b"\xa2\x02\x02\x02",
            b"\xa2\x02\x02\x02abc",
        ),
    ] {
        let mut watcher = RuleWatcher::new(tested);
        watcher.sent(b"\xa1\x01\x01\x01key");
        watcher.sent(b"\x51\x01\x01\x01\x02\x02\x02");
        assert!(!watcher.has_applied(rule));
        watcher.received(kept);
        assert!(watcher.has_applied(rule));
        assert_eq!(watcher.breach(rule), None, "{kept:02x?}");
        watcher.received(broken);
        watcher.received(&[0x50, 1, 1, 1]);
        assert_eq!(watcher.breach(rule), Some(broken));
    }
}

#[test]
fn noise_breaks_no_rule() {
    for tested in BOTH {
        let mut watcher = RuleWatcher::new(tested);
        for noise in [&b""[..], b"\xff", b"\x50\x01\x02", b"\xff\x01\x02\x03chaff"] {
            watcher.received(noise);
        }
        for rule in [MessageRule::Types, MessageRule::Ids, MessageRule::Data] {
            assert!(!watcher.has_applied(rule));
        }
    }
}

#[test]
fn what_is_late_or_says_nothing_does_not_concern_a_trial() {
    let mut watcher = RuleWatcher::new(Tested::Client);
    watcher.sent(b"\x51\x01\x01\x01\x02\x02\x02");
    assert!(watcher.concerns_trial(b"\xa2\x02\x02\x02"));
    assert!(
        !watcher.concerns_trial(b"\xa0\x02\x02\x02"),
        "data without bytes"
    );
    watcher.begin_trial();
    assert!(!watcher.concerns_trial(b"\xa2\x02\x02\x02"));
    assert!(
        watcher.concerns_trial(b"\xa1\x02\x02\x02"),
        "a SYN has another space of ids"
    );
    assert!(watcher.concerns_trial(b"\xa2\x03\x03\x03"));
    // The same id again, in a trial that is repeated.
    watcher.sent(b"\x51\x01\x01\x01\x02\x02\x02");
    assert!(watcher.concerns_trial(b"\xa2\x02\x02\x02"));
}

#[test]
fn rules_without_messages_are_skipped_and_not_passed() {
    let rules = cases(Tested::Server, &["ms/wire".to_owned()]).unwrap();
    let mut suite = Suite::new(&rules, options(Tested::Server));
    assert!(suite.next_trial().is_none());
    suite.finish_rules();
    let reports: Vec<_> = std::iter::from_fn(|| suite.poll_report()).collect();
    assert_eq!(ids(reports, Reason::NothingSeen).len(), 5);
}

#[test]
fn commands_are_lines_to_the_letter() {
    assert_eq!(command(b"echo"), Some(Command::Echo));
    assert_eq!(command(b"open"), Some(Command::Open));
    assert_eq!(command(b"last"), Some(Command::Last));
    assert_eq!(command(b"send 200000"), Some(Command::Send(200_000)));
    assert_eq!(command(b"send 1000000000000"), None);
    for line in [
        &b""[..],
        b"echo ",
        b"send",
        b"send ",
        b"send x",
        b"send -1",
        b"ECHO",
        b"\xff",
    ] {
        assert_eq!(command(line), None);
    }
}
