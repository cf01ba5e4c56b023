//! The cases of conformance on a peer that sends anything.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::replay::conform::{
    self, CaseReport, CaseResult, DeliveryGuarantee, Dialect, Requirement, Suite, SuiteOptions,
    TcpSide, Tested, Trial,
};
use ministream::replay::inject::InjectOutput;
use ministream::report::conform::ConformReport;

use crate::inject;
use crate::outputs::{check_text, style};
use crate::replay_reports::{OF_JUNIT, check_elements};

/// All elements of a page, each with the names of its attributes.
const OF_PAGES: [&str; 30] = [
    "a href",
    "blockquote",
    "body",
    "code",
    "dd",
    "details class id",
    "details class id open",
    "div class",
    "dl class",
    "dt",
    "footer",
    "h1",
    "h2 id",
    "head",
    "html lang",
    "main",
    "meta charset",
    "meta http-equiv content",
    "meta name content",
    "p",
    "p class",
    "span",
    "span class",
    "strong",
    "style",
    "summary class",
    "table class",
    "td class",
    "title",
    "tr",
];

/// How often a machine may want something until its trial has to be at its end.
const MAX_OUTPUTS: usize = 100_000;

/// Every case is reported once, unless the peer is silent or refuses everything; one passes if all
/// steps of its last trial went well. What is written has no control characters and no elements
/// but the program's own.
pub fn run(data: &[u8]) {
    crate::given(data, check);
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let options = options(input)?;
    let weighs = *input.choose(&[Requirement::Must, Requirement::Should])?;
    let cases = conform::cases(options.tested, &[]).expect("all cases");
    let mut suite = Suite::new(&cases, options);
    let mut report = ConformReport::new(weighs);
    let mut reported = 0;
    let mut now = Instant::now();
    let mut collect = |suite: &mut Suite, passes: Option<bool>| {
        while let Some(case) = suite.poll_report() {
            reported += 1;
            if let (Some(passes), Some(_)) = (passes, tried(&case)) {
                assert_eq!(case.result == CaseResult::Passed, passes, "{case:?}");
            }
            for chosen in [2, 3] {
                let mut text = Vec::new();
                report.put_case(&case, &style(chosen), &mut text);
                check_text(&text, chosen == 3);
            }
            report.add(case);
        }
    };
    collect(&mut suite, None);
    while let Some(mut trial) = suite.next_trial() {
        let passed = play(input, &mut suite, &mut trial, &mut now)?;
        let lost = input.ratio(1, 32)?.then_some("the peer has \x1b<left>");
        suite.finish(trial, lost);
        collect(&mut suite, Some(passed && lost.is_none()));
    }
    let is_cut_short = suite.peer_is_silent() || suite.peer_refuses();
    suite.finish_rules();
    collect(&mut suite, None);
    if is_cut_short {
        report.cut_short("nothing\x07 <came>".to_owned());
    } else {
        assert_eq!(reported, cases.len(), "cases that were reported");
    }
    check_report(&report);
    Ok(())
}

fn options(input: &mut Unstructured<'_>) -> Result<SuiteOptions> {
    let tested = *input.choose(&[Tested::Server, Tested::Client])?;
    let destination = Bytes::from_static(&[7; 391]);
    let mut options = SuiteOptions::new(tested, destination, [9; 32]);
    options.dialect = *input.choose(&[Dialect::Text, Dialect::Java2004, Dialect::Java2011])?;
    options.retries = input.int_in_range(0..=2)?;
    options.tcp_side = *input.choose(&[TcpSide::TestService, TcpSide::Unknown])?;
    options.delivery = *input.choose(&[DeliveryGuarantee::Once, DeliveryGuarantee::Unsure])?;
    if input.arbitrary()? {
        options.max_message_bytes = 1_200;
    }
    Ok(options)
}

/// Whether a case was tried by itself, which rules over all messages are not.
fn tried(report: &CaseReport) -> Option<()> {
    let is_skipped = matches!(report.result, CaseResult::Skipped(_));
    (!is_skipped && report.case.rule().is_none()).then_some(())
}

/// Whether all steps of a trial went well.
fn play(
    input: &mut Unstructured<'_>,
    suite: &mut Suite,
    trial: &mut Trial,
    now: &mut Instant,
) -> Result<bool> {
    let mut echoes = VecDeque::new();
    for _ in 0..MAX_OUTPUTS {
        match trial.executor.poll_output(*now) {
            InjectOutput::Transmit(message) => {
                suite.sent(trial, &message);
                echoes.push_back(message);
            }
            InjectOutput::Dial(_) => {}
            InjectOutput::Step(report) => trial.step(report),
            InjectOutput::Timeout(until) => {
                match inject::message(input, &mut echoes)? {
                    Some(message) => suite.received(trial, &message),
                    None => *now = until.max(*now),
                }
                *now += Duration::from_millis(1);
            }
            InjectOutput::Done { passed } => {
                // What comes late.
                if let Some(message) = inject::message(input, &mut echoes)? {
                    suite.received(trial, &message);
                }
                return Ok(passed);
            }
        }
    }
    panic!("a trial without end: {trial:?}");
}

fn check_report(report: &ConformReport) {
    let (name, elapsed) = ("server <a>\x1b", Duration::from_secs(3));
    for chosen in [2, 3] {
        let style = style(chosen);
        let mut text = Vec::new();
        report.put_totals(elapsed, &style, &mut text);
        check_text(&text, chosen == 3);
        check_elements(&report.html(name, elapsed, &style), &OF_PAGES);
    }
    check_elements(report.junit(name, elapsed).as_bytes(), &OF_JUNIT);
}
