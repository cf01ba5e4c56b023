//! Each defect of a server is found by the cases that are about it.

use super::server::{Defect, Manner, Peculiarity, start};
use super::{Expectation, assert_all_can_fail, for_all, free_address, verdicts};
use crate::process::{code, run, stdout};

const fn expect(
    defect: Defect,
    fails: &'static [&'static str],
    passes: &'static [&'static str],
) -> Expectation<Defect> {
    Expectation {
        defect,
        fails,
        passes,
    }
}

const EXPECTATIONS: &[Expectation<Defect>] = &[
    expect(Defect::NeverAcks, &["ms/handshake/1"], &["ms/handshake/5"]),
    expect(
        Defect::AckOfTwoBytes,
        &["ms/handshake/1", "ms/wire/3"],
        &["ms/handshake/2"],
    ),
    expect(
        Defect::AckOfZeroes,
        &["ms/wire/3"],
        &["ms/handshake/1", "ms/data/1", "ms/wire/2"],
    ),
    expect(
        Defect::SameIdForAll,
        &["ms/handshake/3", "ms/data/3"],
        &["ms/handshake/1", "ms/data/1"],
    ),
    expect(
        Defect::AcksWhatIsRefused,
        &["ms/handshake/2"],
        &["ms/handshake/1"],
    ),
    expect(
        Defect::AcksAndClosesWhatIsRefused,
        &["ms/handshake/2"],
        &["ms/handshake/1"],
    ),
    expect(
        Defect::SilentWhereRefused,
        &["ms/handshake/2"],
        &["ms/handshake/1"],
    ),
    expect(
        Defect::RefusesTwice,
        &["ms/handshake/2"],
        &["ms/handshake/1"],
    ),
    expect(
        Defect::SecondSynReplacesTheFirst,
        &["ms/handshake/3"],
        &["ms/data/3"],
    ),
    expect(
        Defect::IgnoresRepeatedClientIds,
        &["ms/handshake/3"],
        &["ms/data/3"],
    ),
    expect(
        Defect::IgnoresLongSyns,
        &["ms/handshake/4"],
        &["ms/handshake/1", "ms/handshake/5"],
    ),
    expect(
        Defect::AcksSynWithoutPayload,
        &["ms/handshake/5"],
        &["ms/handshake/6"],
    ),
    expect(
        Defect::RefusesSynWithoutPayload,
        &["ms/handshake/5"],
        &["ms/handshake/6"],
    ),
    expect(
        Defect::AcksNonsense,
        &["ms/handshake/6"],
        &["ms/handshake/5"],
    ),
    expect(
        Defect::RefusesNonsense,
        &["ms/handshake/6"],
        &["ms/handshake/5"],
    ),
    expect(
        Defect::UndefinedTypeAfterAck,
        &["ms/wire/1"],
        &["ms/handshake/1", "ms/wire/2"],
    ),
    expect(
        Defect::DataWithServersId,
        &["ms/data/1", "ms/wire/2"],
        &["ms/handshake/1", "ms/wire/1"],
    ),
    expect(Defect::LosesAMessage, &["ms/data/2"], &["ms/data/1"]),
    expect(Defect::SwapsMessages, &["ms/data/2"], &["ms/data/1"]),
    expect(
        Defect::ForwardsToTheLatest,
        &["ms/handshake/3", "ms/data/3"],
        &["ms/data/1", "ms/data/2"],
    ),
    expect(
        Defect::LosesTheEndOfTheAnswer,
        &["ms/data/4"],
        &["ms/close/3"],
    ),
    expect(
        Defect::ClosesBeforeTheEndOfTheAnswer,
        &["ms/data/4"],
        &["ms/close/3"],
    ),
    expect(
        Defect::TakesOnly32000,
        &["ms/data/5", "ms/data/6"],
        &["ms/data/1", "ms/data/2"],
    ),
    expect(Defect::TakesOnly32768, &["ms/data/6"], &["ms/data/5"]),
    expect(
        Defect::EmptyDataClose,
        &["ms/data/7"],
        &["ms/data/1", "ms/data/8"],
    ),
    expect(
        Defect::AnswersUnknownData,
        &["ms/data/8", "ms/wire/2"],
        &["ms/close/6"],
    ),
    expect(
        Defect::UnknownDataCloseAll,
        &["ms/data/8"],
        &["ms/close/6", "ms/noise/3"],
    ),
    expect(
        Defect::LeavesServiceOpen,
        &["ms/close/1", "ms/close/7"],
        &["ms/close/3", "ms/close/4"],
    ),
    expect(
        Defect::LosesWhatCameBeforeTheClose,
        &["ms/close/2"],
        &["ms/data/2", "ms/close/1"],
    ),
    expect(Defect::NoCloseAtTheEnd, &["ms/close/3"], &["ms/close/4"]),
    expect(
        Defect::AnswersClose,
        &["ms/close/4", "ms/close/5"],
        &["ms/close/1", "ms/close/6"],
    ),
    expect(
        Defect::AnswersTheFirstClose,
        &["ms/close/4"],
        &["ms/close/5", "ms/close/6"],
    ),
    expect(
        Defect::IgnoresClose,
        &["ms/close/1", "ms/close/5", "ms/close/7"],
        &["ms/close/3", "ms/close/6"],
    ),
    expect(
        Defect::AnswersLateData,
        &["ms/close/5"],
        &["ms/close/4", "ms/close/6", "ms/data/8"],
    ),
    expect(
        Defect::AnswersUnknownClose,
        &["ms/close/5", "ms/close/6", "ms/wire/2"],
        &["ms/close/4", "ms/data/8"],
    ),
    expect(
        Defect::UnknownCloseClosesAll,
        &["ms/close/6"],
        &["ms/close/5", "ms/data/8"],
    ),
    expect(
        Defect::IgnoresCloseWithPayload,
        &["ms/close/7"],
        &["ms/close/1"],
    ),
    expect(Defect::ChaffCloses, &["ms/noise/1"], &["ms/noise/3"]),
    expect(Defect::PingEndsCarrier, &["ms/noise/1"], &["ms/noise/2"]),
    expect(
        Defect::ShortMessageEndsCarrier,
        &["ms/noise/2"],
        &["ms/noise/1", "ms/noise/3"],
    ),
    expect(
        Defect::UndefinedTypeCloses,
        &["ms/noise/3"],
        &["ms/noise/1", "ms/noise/4"],
    ),
    expect(Defect::ObeysServersData, &["ms/noise/4"], &["ms/noise/3"]),
    expect(Defect::ObeysServersClose, &["ms/noise/4"], &["ms/noise/3"]),
    expect(
        Defect::CloseOfFiveBytes,
        &["ms/wire/4"],
        &["ms/close/3", "ms/wire/1"],
    ),
    expect(
        Defect::DataOf40000,
        &["ms/wire/5"],
        &["ms/data/4", "ms/wire/1"],
    ),
];

/// Runs cases on a server by hand; gives the exit code and what is told.
fn conform(manner: Manner, more: &[&str]) -> (i32, String) {
    let service = free_address();
    let carrier = start(manner, service);
    let service = service.to_string();
    let fixed = ["conform", "server", "--carrier", &carrier, "--service"];
    let output = run(&[&fixed[..], &[&service, "--strict"], more].concat());
    (code(&output), stdout(&output))
}

#[test]
fn a_defect_of_a_server_fails_the_cases_that_are_about_it_and_no_others() {
    for_all(EXPECTATIONS, |expected| {
        let cases: Vec<&str> = expected.cases().collect();
        let (code, text) = conform(Manner::Wrong(expected.defect), &cases);
        expected.check(code, &text).or_else(|_| {
            // On a crowded machine a case that is to pass may run out of time; one that is to fail
            // fails each time.
            let cases = [&cases[..], &["--retries", "2"]].concat();
            let (code, text) = conform(Manner::Wrong(expected.defect), &cases);
            expected.check(code, &text)
        })
    });
}

#[test]
fn every_case_for_a_server_is_failed_by_a_defect() {
    assert_all_can_fail("server", EXPECTATIONS);
}

#[test]
fn a_server_without_a_defect_passes_every_case_also_if_it_is_peculiar() {
    for_all(
        [
            (Manner::Right, &[][..]),
            (
                Manner::Has(Peculiarity::RefusesWithThreeBytes),
                &["ms/handshake", "ms/wire"],
            ),
            (Manner::Has(Peculiarity::SendsChaff), &[]),
            (
                Manner::Has(Peculiarity::SendsSingleBytes),
                &["ms/data/1", "ms/data/2", "ms/close", "ms/wire"],
            ),
            (
                Manner::Has(Peculiarity::SendsEmptyData),
                &["ms/data", "ms/close", "ms/wire"],
            ),
        ],
        |(manner, cases)| {
            let (code, text) = conform(manner, &[cases, &["--retries", "2"]].concat());
            let all_passed = verdicts(&text).values().all(|word| word == "passed");
            match (code, all_passed) {
                (0, true) => Ok(()),
                _ => Err(format!("{manner:?}: exit code {code}\n{text}")),
            }
        },
    );
}

#[test]
fn the_java_implementations_may_refuse_in_three_ways_and_the_text_in_two() {
    let acks_and_closes = Manner::Wrong(Defect::AcksAndClosesWhatIsRefused);
    let three_bytes = Manner::Has(Peculiarity::RefusesWithThreeBytes);
    let acks = Manner::Wrong(Defect::AcksWhatIsRefused);
    for (manner, dialect, exit_code) in [
        (Manner::Right, "text", 0),
        (Manner::Right, "java2004", 0),
        (Manner::Right, "java2011", 0),
        (three_bytes, "text", 0),
        (three_bytes, "java2004", 0),
        (three_bytes, "java2011", 0),
        (acks_and_closes, "text", 1),
        (acks_and_closes, "java2004", 0),
        (acks_and_closes, "java2011", 0),
        (acks, "java2004", 1),
        (acks, "java2011", 1),
    ] {
        let more = ["ms/handshake/2", "--dialect", dialect];
        let (code, text) = conform(manner, &more);
        assert_eq!(code, exit_code, "{manner:?} {dialect}: {text}");
    }
}
