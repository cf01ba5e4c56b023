//! The end of a dump: the last output and messages, and the exit code.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::args::FailOn;
use super::error::{DumpError, PROGRAM, print_error, print_warning};
use super::exit::Ending;
use super::options::{DECODE_FLAG, DumpOptions, IncompleteInput, Input};
use super::pager::Results;
use super::terminal;
use crate::capture::{
    InputInfo, InputOrder, Inputs, LinkType, Packet, PacketSource, PcapngWriter, ReadingThread,
};
use crate::conversation::{EndOfInput, Level};
use crate::dissect::{DissectCounts, NearFlows};
use crate::export::output::OutputWriter;
use crate::export::packets::PacketPlan;
use crate::export::synthetic_packets::SyntheticPackets;
use crate::net::Skip;
use crate::record::Summary;
use crate::record::tally::Totals;
use crate::report::heading::link_type_title;
use crate::report::near::put_near_flow;
use crate::report::reporter::Reporter;
use crate::text::escape::{columns_of, escaped};
use crate::units::counted;

/// The result of reading.
pub(super) struct Done {
    pub(super) ending: Ending,
    pub(super) end: EndOfInput,
    pub(super) counts: DissectCounts,
    pub(super) near: NearFlows,
    pub(super) dropped_by_kernel: Option<u64>,
}

/// Writes the rest at the end, and decides the exit code. `packets` is the output for the packets
/// of files; those of a live capture have been written.
pub(super) fn conclude(
    options: &DumpOptions,
    done: &Done,
    inputs: &[InputInfo],
    mut reporter: Reporter<Results>,
    packets: Option<OutputWriter>,
) -> Result<Ending, DumpError> {
    let ending = match (done.ending, options.incomplete) {
        (Ending::Incomplete, IncompleteInput::IsFine) => Ending::Fine,
        (ending, _) => ending,
    };
    let failures = failures(options.fail_on, reporter.totals());
    let ending = if failures.is_empty() {
        ending
    } else {
        ending.max(Ending::CheckFailed)
    };
    let missing = missing_conversations(options, done.counts.conversations);
    let ending = match (&missing, done.end) {
        (Some(_), EndOfInput::Complete) => ending.max(Ending::Failed),
        _ => ending,
    };
    let unwritten = unwritten_messages(options, &mut reporter);
    let ending = match unwritten {
        Some(_) => ending.max(Ending::Failed),
        None => ending,
    };
    let warning = unread(options, &done.counts, &done.near);
    let skipped = Skip::ALL.map(|reason| (reason.name(), done.counts.network.skipped(reason)));
    reporter.finish(&Summary {
        inputs,
        packet_count: done.counts.network.packets,
        span: done.counts.start.zip(done.counts.end),
        skipped: &skipped,
        foreign: done.counts.foreign,
        near: &done.near,
        warning: warning.as_deref(),
        dropped_by_kernel: done.dropped_by_kernel,
        evicted: done.counts.evicted,
        exit_code: ending.code(),
    })?;
    let unsaid = reporter
        .output::<SyntheticPackets<OutputWriter>>()
        .map_or(0, |packets| packets.findings_left_out());
    // The pager ends with the reporter; later messages are seen behind it.
    let plan = reporter.output::<PacketPlan>().map(std::mem::take);
    drop(reporter);
    write_packets(options, plan, packets)?;
    report_comments_left_out(unsaid);
    if options.output.is_table() && io::stdout().is_terminal() {
        print_hint(options, inputs, done.counts.conversations)?;
    }
    for path in options.output.written_files() {
        terminal::print_line(format_args!("{PROGRAM}: wrote {}", path.display()));
    }
    if !options.output.shows_findings() {
        for failure in failures {
            terminal::print_line(format_args!("{PROGRAM}: {failure}"));
        }
    }
    report_counts(options.verbosity, &done.counts);
    report_near_flows(options, &done.near);
    if let Some(warning) = &warning {
        print_warning(warning);
    }
    report_unread_links(inputs);
    if let Some(unwritten) = unwritten {
        print_error(unwritten);
    }
    match (missing, done.end) {
        (Some(missing), EndOfInput::Complete) => print_error(missing),
        // They may yet come.
        (Some(missing), EndOfInput::Stopped) => print_warning(missing),
        (None, _) => {}
    }
    Ok(ending)
}

/// Reads the files again and writes the packets of the selection.
fn write_packets(
    options: &DumpOptions,
    plan: Option<PacketPlan>,
    output: Option<OutputWriter>,
) -> Result<(), DumpError> {
    let (Some(mut plan), Some(output), Input::Files(files)) = (plan, output, &options.input) else {
        return Ok(());
    };
    again(files, options.order, |packet| {
        plan.learn(packet);
        Ok(())
    })?;
    let mut writer = PcapngWriter::new(output)?;
    again(files, options.order, |packet| {
        plan.write(packet, &mut writer)
    })?;
    writer.flush()?;
    report_comments_left_out(plan.left_out());
    Ok(())
}

fn report_comments_left_out(findings: u64) {
    if findings > 0 {
        print_warning(format_args!(
            "{findings} findings are not in comments: there are too many"
        ));
    }
}

/// The selected messages that `-w` cannot write redacted, if there are any.
fn unwritten_messages(
    options: &DumpOptions,
    reporter: &mut Reporter<Results>,
) -> Option<DumpError> {
    let packets = reporter.output::<SyntheticPackets<OutputWriter>>()?;
    let count = packets.messages_left_out();
    let path = options.output.packet_path()?;
    (count > 0).then(|| DumpError::NotWritten {
        count,
        path: path.to_owned(),
    })
}

/// Shows every packet that can be read; the first pass has reported the errors.
fn again(
    files: &[PathBuf],
    order: InputOrder,
    mut show: impl FnMut(&Packet<'_>) -> io::Result<()>,
) -> Result<(), DumpError> {
    let mut source = Inputs::open_on(files.to_vec(), order, ReadingThread::Own)?;
    loop {
        match source.next_packet() {
            Ok(Some(packet)) => show(&packet)?,
            Ok(None) => return Ok(()),
            Err(_) => {}
        }
    }
}

/// The conversations that the user named, of which there are only `count`.
fn missing_conversations(options: &DumpOptions, count: u64) -> Option<DumpError> {
    let missing: Vec<String> = options
        .named
        .iter()
        .filter(|id| id.0 > count)
        .map(ToString::to_string)
        .collect();
    (!missing.is_empty()).then(|| DumpError::NoSuchConversation {
        named: missing.join(", "),
        count,
    })
}

/// The reasons why the check of `--fail-on` fails, a line for each kind of finding; empty when it
/// passes.
fn failures(fail_on: Option<FailOn>, totals: &Totals) -> Vec<String> {
    let least = match fail_on {
        None => return Vec::new(),
        Some(FailOn::Empty) if totals.messages() == 0 => {
            return vec!["--fail-on empty: no message was shown".to_owned()];
        }
        Some(FailOn::Empty) => return Vec::new(),
        Some(FailOn::Note) => Level::Note,
        Some(FailOn::Warn) => Level::Warn,
        Some(FailOn::Error) => Level::Error,
    };
    totals
        .findings_from(least)
        .map(|(level, code, count)| {
            format!(
                "--fail-on {least}: {count} {level} {}: {}",
                code.code(),
                code.meaning()
            )
        })
        .collect()
}

/// One obvious next command, where there are conversations for it.
fn print_hint(options: &DumpOptions, inputs: &[InputInfo], conversations: u64) -> io::Result<()> {
    let ([input], Input::Files(_)) = (inputs, &options.input) else {
        return Ok(());
    };
    let path = input.path.to_string_lossy();
    if path == "-" || conversations == 0 {
        return Ok(());
    }
    let style = &options.output.style;
    let path = escaped(path.as_bytes(), style.charset);
    writeln!(io::stdout(), "{}", hint(&path, style.width))
}

/// The same, in two lines where one is too long.
fn hint(path: &str, width: usize) -> String {
    let command = format!("try: {PROGRAM} {path} -z follow,c1");
    let line = format!("{command}    or    --html report.html");
    if columns_of(&line) <= width {
        return line;
    }
    format!("{command}\n or: {PROGRAM} {path} --html report.html")
}

/// The warning when something that may hold messages was not read.
fn unread(options: &DumpOptions, counts: &DissectCounts, near: &NearFlows) -> Option<String> {
    let sealed = match counts.foreign.sealed_flows {
        0 => None,
        count => {
            let connections = match count {
                1 => "1 connection offers".to_owned(),
                count => format!("{count} connections offer"),
            };
            let advice = match options.dissect.secrets {
                Some(_) => "and the key log has no secrets of that",
                None => "--keylog takes the secrets",
            };
            Some(format!("{connections} ministreaming inside TLS, {advice}"))
        }
    };
    if counts.messages > 0 {
        return sealed;
    }
    let skipped: Vec<String> = [Skip::LinkType, Skip::BadHeader, Skip::CutHeader]
        .into_iter()
        .map(|reason| (reason, counts.network.skipped(reason)))
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| {
            let packets = counted(count, "packet");
            format!("{packets} skipped: {}", reason.name().replace('_', " "))
        })
        .collect();
    let mut reasons = Vec::new();
    if let Some(group) = near.groups().first() {
        let flows = match near.flow_count() {
            1 => "1 flow is".to_owned(),
            count => format!("{count} flows are"),
        };
        reasons.push(format!(
            "{flows} perhaps ministream, try -d {}",
            group.rule()
        ));
    }
    reasons.extend(sealed);
    reasons.extend(skipped);
    (!reasons.is_empty()).then(|| format!("no ministreaming found; {}", reasons.join("; ")))
}

/// The lines of `-v` about flows that are nearly ours.
fn report_near_flows(options: &DumpOptions, near: &NearFlows) {
    if options.verbosity == 0 {
        return;
    }
    for group in near.groups() {
        let mut line = Vec::new();
        put_near_flow(group, &options.output.style, Some(DECODE_FLAG), &mut line);
        let line = String::from_utf8_lossy(&line);
        terminal::print_line(format_args!("{PROGRAM}: info: {line}"));
    }
}

/// The lines of `-v` and `-vv` about the input.
fn report_counts(verbosity: u8, counts: &DissectCounts) {
    if verbosity == 0 {
        return;
    }
    let network = &counts.network;
    let report = |what: &str, count: u64| {
        if count > 0 {
            terminal::print_line(format_args!("{PROGRAM}: info: {what}: {count}"));
        }
    };
    report("packets", network.packets);
    for reason in Skip::ALL {
        let what = format!("packets skipped, {}", reason.name().replace('_', " "));
        report(&what, network.skipped(reason));
    }
    report("flows of other protocols", counts.foreign.flows);
    report(
        "I2CP messages of other protocols",
        counts.foreign.i2cp_messages,
    );
    report("flows forgotten for want of memory", network.evicted_flows);
    report(
        "conversations reported early for want of memory",
        counts.forgotten.conversations,
    );
    report(
        "closed conversations forgotten for want of memory",
        counts.forgotten.closed_conversations,
    );
    if verbosity > 1 {
        report("flows", network.flows);
        report("UDP datagrams", network.datagrams);
        report("TCP segments", network.segments);
        report("packets cut by the snap length", network.cut);
        report("datagrams that lack fragments", network.lost_datagrams);
        terminal::print_line(format_args!(
            "{PROGRAM}: debug: streams: {:?}",
            network.streams
        ));
    }
}

/// Says which packets cannot be read because their link type is not known.
fn report_unread_links(inputs: &[InputInfo]) {
    for input in inputs {
        let mut unread = BTreeMap::<u32, u64>::new();
        for interface in &input.interfaces {
            if let LinkType::Other(number) = interface.link_type {
                *unread.entry(number).or_default() += interface.packet_count;
            }
        }
        for (number, count) in unread.into_iter().filter(|(_, count)| *count > 0) {
            print_warning(format_args!(
                "{}: {count} packets of {} are not read",
                input.path.display(),
                link_type_title(LinkType::Other(number))
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_too_long_for_one_line_has_two() {
        assert_eq!(
            hint("a.pcap", 80),
            "try: ministream-dump a.pcap -z follow,c1    or    --html report.html"
        );
        assert_eq!(
            hint("captures/spec-samples.pcap", 80),
            "try: ministream-dump captures/spec-samples.pcap -z follow,c1\n \
             or: ministream-dump captures/spec-samples.pcap --html report.html"
        );
    }
}
