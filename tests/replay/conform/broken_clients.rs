//! Each defect of a client is found by the cases that are about it.

use super::client::{Client, Defect};
use super::{Expectation, assert_all_can_fail, for_all, verdicts};
use crate::process::Server;

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
    expect(Defect::NeverOpens, &["ms/handshake/1"], &[]),
    expect(
        Defect::SynOfZeroes,
        &["ms/wire/3"],
        &["ms/handshake/1", "ms/data/1", "ms/wire/4"],
    ),
    expect(
        Defect::SynWithoutDestination,
        &["ms/wire/4"],
        &["ms/handshake/1", "ms/data/1", "ms/wire/3"],
    ),
    expect(
        Defect::SynWithoutPayload,
        &["ms/wire/4"],
        &["ms/handshake/1", "ms/data/1", "ms/wire/3"],
    ),
    expect(Defect::SameIdForAll, &["ms/data/3"], &["ms/handshake/1"]),
    expect(
        Defect::DataBeforeAck,
        &["ms/handshake/2", "ms/wire/2"],
        &["ms/handshake/1", "ms/data/1"],
    ),
    expect(
        Defect::LosesDataBeforeAck,
        &["ms/handshake/2", "ms/handshake/6"],
        &["ms/handshake/5"],
    ),
    expect(
        Defect::DataWithClientsId,
        &["ms/handshake/2", "ms/data/1", "ms/wire/2"],
        &["ms/handshake/1"],
    ),
    expect(
        Defect::IgnoresRefusal,
        &["ms/handshake/3", "ms/handshake/4"],
        &["ms/close/1"],
    ),
    expect(
        Defect::IgnoresRefusalWithBytes,
        &["ms/handshake/4"],
        &["ms/handshake/3"],
    ),
    expect(
        Defect::AnswersRefusal,
        &["ms/wire/2"],
        &["ms/handshake/3", "ms/close/4"],
    ),
    expect(
        Defect::LosesEarlyData,
        &["ms/handshake/5"],
        &["ms/handshake/2"],
    ),
    expect(
        Defect::TakesShortAck,
        &["ms/handshake/6"],
        &["ms/handshake/7"],
    ),
    expect(
        Defect::EndsOnShortAck,
        &["ms/handshake/6"],
        &["ms/handshake/7", "ms/close/5"],
    ),
    expect(
        Defect::SecondAckReplacesTheFirst,
        &["ms/handshake/7"],
        &["ms/handshake/6", "ms/close/5"],
    ),
    expect(Defect::LosesAMessage, &["ms/data/2"], &["ms/data/1"]),
    expect(Defect::SwapsMessages, &["ms/data/2"], &["ms/data/1"]),
    expect(Defect::AnswersToTheLatest, &["ms/data/3"], &["ms/data/1"]),
    expect(Defect::DeliversToTheLatest, &["ms/data/3"], &["ms/data/1"]),
    expect(Defect::LosesTheEnd, &["ms/data/4"], &["ms/close/3"]),
    expect(Defect::ClosesBeforeTheEnd, &["ms/data/4"], &["ms/close/3"]),
    expect(Defect::TakesOnly32768, &["ms/data/5"], &["ms/data/2"]),
    expect(Defect::EmptyDataClose, &["ms/data/6"], &["ms/data/1"]),
    expect(
        Defect::AnswersUnknown,
        &["ms/data/7", "ms/wire/2"],
        &["ms/noise/3"],
    ),
    expect(Defect::UnknownClosesAll, &["ms/data/7"], &["ms/noise/3"]),
    expect(
        Defect::LeavesApplicationOpen,
        &[
            "ms/handshake/3",
            "ms/handshake/4",
            "ms/close/1",
            "ms/close/2",
        ],
        &["ms/close/3", "ms/close/4"],
    ),
    expect(
        Defect::IgnoresClose,
        &["ms/close/1", "ms/close/2"],
        &["ms/handshake/3", "ms/close/3", "ms/close/4"],
    ),
    expect(
        Defect::LosesWhatCameBeforeTheClose,
        &["ms/close/2"],
        &["ms/data/2", "ms/close/1"],
    ),
    expect(Defect::NoCloseAtTheEnd, &["ms/close/3"], &["ms/close/1"]),
    expect(
        Defect::AnswersClose,
        &["ms/close/4"],
        &["ms/close/1", "ms/close/3"],
    ),
    expect(
        Defect::EmptyAckCloses,
        &["ms/close/5"],
        &["ms/handshake/6", "ms/handshake/7"],
    ),
    expect(Defect::ChaffCloses, &["ms/noise/1"], &["ms/noise/3"]),
    expect(
        Defect::PingEndsCarrier,
        &["ms/noise/1"],
        &["ms/noise/2", "ms/noise/3"],
    ),
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
    expect(Defect::ObeysClientsData, &["ms/noise/4"], &["ms/noise/3"]),
    expect(Defect::ObeysClientsClose, &["ms/noise/4"], &["ms/noise/3"]),
    expect(
        Defect::UndefinedTypeAfterAck,
        &["ms/wire/1"],
        &["ms/handshake/1", "ms/wire/2"],
    ),
    expect(
        Defect::CloseWithPayload,
        &["ms/wire/5"],
        &["ms/close/3", "ms/wire/1"],
    ),
    expect(
        Defect::DataOf40000,
        &["ms/wire/6"],
        &["ms/data/4", "ms/wire/1"],
    ),
];

/// Runs cases on a client by hand; gives the exit code and what is told.
fn conform(defect: Option<Defect>, more: &[&str]) -> (i32, String) {
    let client = Client::listen();
    let dial = client.address().to_string();
    let fixed = ["client", "--carrier", "tcp://127.0.0.1:0", "--dial", &dial];
    let conform = Server::quiet("conform", &[&fixed[..], &["--strict"], more].concat());
    client.run(&conform.carrier, defect);
    conform.end()
}

#[test]
fn a_defect_of_a_client_fails_the_cases_that_are_about_it_and_no_others() {
    for_all(EXPECTATIONS, |expected| {
        let cases: Vec<&str> = expected.cases().collect();
        let (code, text) = conform(Some(expected.defect), &cases);
        expected.check(code, &text)
    });
}

#[test]
fn every_case_for_a_client_is_failed_by_a_defect() {
    assert_all_can_fail("client", EXPECTATIONS);
}

#[test]
fn a_client_without_a_defect_passes_every_case() {
    let (code, text) = conform(None, &["--retries", "2"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        verdicts(&text).values().all(|word| word == "passed"),
        "{text}"
    );
}
