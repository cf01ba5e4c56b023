//! `inject`: hand-made messages.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;

use super::error::{
    ReplayError, Unanswered, print_lost, print_no_answer, print_note, print_warning,
};
use super::logging;
use super::peer::{self, Others};
use super::play::{line_width, print};
use super::play_args::InjectArgs;
use super::recording::take;
use super::values::SynSource;
use crate::cli::exit::Ending;
use crate::replay::inject::{Executor, Payload, Script, StepReport, StepResult, parse};
use crate::report::message::{message_text, step_text};
use crate::runtime::{Role, Signals, inject};
use crate::text::escape::Charset;
use crate::text::wrap::put_hanging;
use crate::text::write::{put, text_of};

/// Before a message that belongs to the step above it.
const MESSAGE_MARGIN: &str = "      ";

/// Columns before a step: its verdict and its line.
const STEP_INDENT: usize = 11;

/// Runs `ministream-replay inject`.
pub(super) fn run(args: &InjectArgs, verbose: u8) -> Result<Ending, ReplayError> {
    logging::begin(&args.peer.options.log, verbose)?;
    let (script, loaded) = script(args)?;
    let lines: Vec<String> = script
        .steps()
        .iter()
        .map(|step| format!("{:>4}  {}", step.line, step.text))
        .collect();
    if args.dry_run {
        print(format!("{}\n", lines.join("\n")).as_bytes())?;
        return Ok(loaded);
    }
    check_lengths(&script, args)?;
    let seed = peer::seed(args.peer.options.seed)?;
    let link = peer::link(
        &args.peer.carrier,
        &args.peer.options,
        Role::Client,
        &Others::to(args.to.as_ref()),
        seed,
    )?;
    peer::block_on(async {
        let mut signals = Signals::new()?;
        let opened = peer::open(&link, &mut signals).await?;
        let destination = opened.destination.clone();
        let mut executor = Executor::new(script, destination, seed);
        let began = Instant::now();
        let (passed, driving) = inject(opened, &mut signals, &mut executor, &mut |report| {
            if let Err(error) = print(step_and_result(&lines, &report).as_bytes()) {
                print_warning(error);
            }
        })
        .await;
        let unclaimed: String = executor
            .unclaimed()
            .map(|message| {
                let text = message_text(message, Charset::Unicode);
                let text = format!("came, not asked for: {text}");
                hanging(MESSAGE_MARGIN, MESSAGE_MARGIN.len(), &text)
            })
            .collect();
        print(unclaimed.as_bytes())?;
        if let Some(error) = driving.lost {
            print_lost(&args.peer.carrier, &error);
            return Ok(Ending::Transport);
        }
        Ok(match passed {
            Some(true) => loaded,
            Some(false) if executor.received_count() == 0 => {
                let sent = Unanswered {
                    syns: 0,
                    messages: executor.sent_count(),
                };
                print_no_answer(&args.peer.carrier, sent, began.elapsed(), None);
                Ending::Transport
            }
            Some(false) => loaded.max(Ending::CheckFailed),
            None => Ending::Interrupted,
        })
    })
}

/// The messages of the capture, then the steps.
fn script(args: &InjectArgs) -> Result<(Script, Ending), ReplayError> {
    let (mut script, ending) = match &args.from {
        Some(path) => taken(args, path)?,
        None => (Script::default(), Ending::Fine),
    };
    script.append(written(args)?);
    if script.steps().is_empty() {
        return Err(ReplayError::EmptyScript);
    }
    Ok((script, ending))
}

fn taken(args: &InjectArgs, path: &Path) -> Result<(Script, Ending), ReplayError> {
    let syn_payload = match SynSource::or_default(args.dest.as_ref(), &args.peer.carrier) {
        SynSource::Keep => None,
        SynSource::Own => Some(Payload::Destination { then: Bytes::new() }),
        SynSource::File(path) => Some(Payload::Bytes(peer::read(path)?.into())),
    };
    let (taker, ending) = take(path, args.filter.as_deref())?;
    let script = taker.script(args.ids, syn_payload.as_ref());
    if taker.left_out_count() > 0 {
        print_note(format_args!(
            "{} messages that match are the server's and not sent",
            taker.left_out_count()
        ));
    }
    if script.steps().is_empty() {
        return Err(ReplayError::NothingTaken {
            path: path.to_path_buf(),
        });
    }
    Ok((script, ending))
}

fn written(args: &InjectArgs) -> Result<Script, ReplayError> {
    let text = match &args.script {
        None => args.steps.join("\n"),
        Some(path) => {
            let read = if path == Path::new("-") {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(path)
            };
            read.map_err(|source| ReplayError::Read {
                path: path.clone(),
                source,
            })?
        }
    };
    Ok(parse(&text, &mut |path| std::fs::read(path))?)
}

fn check_lengths(script: &Script, args: &InjectArgs) -> Result<(), ReplayError> {
    for step in script.steps() {
        let bytes = step.message_bytes().unwrap_or(0);
        peer::check_fits(&args.peer.carrier, bytes, || format!("line {}", step.line))?;
    }
    Ok(())
}

/// A step and its result, as wide as the terminal at most.
fn step_and_result(lines: &[String], report: &StepReport) -> String {
    let line = lines.get(report.step).map_or("", |line| line);
    let (verdict, why) = match &report.result {
        StepResult::Ok => ("ok  ", String::new()),
        wrong => ("FAIL", format!(": {wrong}")),
    };
    let message = report.message.as_ref().map_or_else(String::new, |message| {
        let text = message_text(message, Charset::Unicode);
        hanging(MESSAGE_MARGIN, MESSAGE_MARGIN.len(), &text)
    });
    let line = step_text(line, Charset::Unicode);
    hanging(&format!("{verdict} "), STEP_INDENT, &format!("{line}{why}")) + &message
}

/// `text` behind a margin; text too wide for the terminal follows indented.
fn hanging(margin: &str, indent: usize, text: &str) -> String {
    text_of(|out| {
        put(out, margin);
        put_hanging(text, indent, line_width(), out);
    })
}
