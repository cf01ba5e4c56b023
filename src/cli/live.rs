//! Live capture: `-i` and `-D`.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGUSR1;
use signal_hook::flag;

use super::conclusion::{Done, conclude};
use super::error::{DumpError, PROGRAM, describe, print_warning};
use super::exit::Ending;
use super::interrupt::Interrupt;
use super::kept_packets::KeptPackets;
use super::limits::Budget;
use super::live_input::LiveInput;
use super::options::DumpOptions;
use super::pager::Results;
use super::terminal::{is_behind_echo, print_line};
use crate::capture::{
    LiveCapture, LiveInterface, LivePoll, LiveStats, Packet, PacketSource, PcapngWriter,
};
use crate::conversation::EndOfInput;
use crate::dissect::{Dissector, Sink};
use crate::end_request::note_echo;
use crate::export::output::OutputWriter;
use crate::export::packets::{LiveScope, PacketPlan};
use crate::report::heading::link_type_title;
use crate::report::reporter::Reporter;
use crate::select::Picked;

/// Time to wait for a packet before looking at the clock.
const WAIT: Duration = Duration::from_millis(250);

/// Captures until a signal or a limit, then prints the rest at the end.
pub(super) fn dump(options: &mut DumpOptions, live: &LiveInput) -> Result<Ending, DumpError> {
    let signals = Signals::catch()?;
    let mut source = LiveCapture::open(live)?;
    announce(live, &source);
    let mut recording = Recording::begin(options)?;
    let mut kept = options.keep_packets.take().map(KeptPackets::begin);
    let mut reporter = options.reporter()?;
    let mut dissector = Dissector::new(options.dissect.clone());
    let mut budget = Budget::new(options.limits);
    let start = Instant::now();
    let mut ending = Ending::Fine;
    let mut silence = Silence::Unsaid;
    while !signals.stop.is_asked_for() && reporter.wants_more() {
        let left = match options.limits.duration {
            Some(limit) => limit.saturating_sub(start.elapsed()),
            None => WAIT,
        };
        if left.is_zero() {
            break;
        }
        match source.poll(left.min(WAIT)) {
            Ok(LivePoll::Idle) => {}
            Ok(LivePoll::Packet(packet)) => {
                if let Some(kept) = &mut kept {
                    kept.take(&packet);
                }
                dissector.push(&packet, &mut reporter)?;
                if let Some(recording) = &mut recording {
                    recording.write(&packet, &mut reporter)?;
                }
                if budget.is_spent_by(packet.time, packet.captured_bytes()) {
                    break;
                }
            }
            Err(error) => {
                print_warning(describe(&error));
                ending = Ending::Incomplete;
                break;
            }
        }
        reporter.packet_end(source.inputs())?;
        silence.report(start.elapsed(), || {
            let counts = dissector.counts();
            (counts.network.packets, counts.messages)
        });
        if signals.show_tables.swap(false, Ordering::Relaxed) {
            reporter.show_tables_so_far(&dissector.tracked())?;
        }
    }
    if signals.stop.is_asked_for() {
        note_echo();
        if is_behind_echo() {
            drop(io::stderr().write_all(b"\n"));
        }
    }
    let stats = source.stats().unwrap_or_default();
    if stats.dropped_by_kernel > 0 {
        dissector.note_drops(stats.dropped_by_kernel.into(), &mut reporter)?;
        ending = ending.max(Ending::Incomplete);
    }
    if let Some(plan) = reporter
        .output::<PacketPlan>()
        .filter(|plan| plan.left_out() > 0)
    {
        print_warning(format_args!(
            "{} findings are not in comments: their packets were written before",
            plan.left_out()
        ));
    }
    reporter.inputs_end(source.inputs())?;
    let copies = dissector.copies().clone();
    dissector.note_copies(&copies, source.inputs(), &mut reporter)?;
    dissector.finish(EndOfInput::Stopped, &mut reporter)?;
    let done = Done {
        ending,
        end: EndOfInput::Stopped,
        counts: dissector.counts(),
        near: dissector.near_flows().clone(),
        dropped_by_kernel: Some(stats.dropped_by_kernel.into()),
    };
    let ending = conclude(options, &done, source.inputs(), reporter, None)?;
    say_goodbye(done.counts.network.packets, stats);
    Ok(ending)
}

/// A capture in which nothing of ours has passed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    Unsaid,
    Said,
    Over,
}

impl Silence {
    /// Says once that nothing came, and once that something did. `counts` are packets and
    /// messages.
    fn report(&mut self, elapsed: Duration, counts: impl FnOnce() -> (u64, u64)) {
        if *self == Self::Over || elapsed < WORTH_A_WORD {
            return;
        }
        let seconds = elapsed.as_secs_f64();
        match (*self, counts()) {
            (Self::Unsaid, (packets, 0)) => {
                print_line(format_args!(
                    "{PROGRAM}: waiting: {packets} packets in {seconds:.0} s, no message among them yet"
                ));
                *self = Self::Said;
            }
            (Self::Said, (packets, 1..)) => {
                print_line(format_args!(
                    "{PROGRAM}: the first message, after {packets} packets in {seconds:.0} s"
                ));
                *self = Self::Over;
            }
            (Self::Unsaid, _) => *self = Self::Over,
            (Self::Said | Self::Over, _) => {}
        }
    }
}

/// When a capture without messages is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// The packets of a live capture on their way to `-w`.
struct Recording {
    writer: PcapngWriter<OutputWriter>,
    scope: LiveScope,
}

impl Recording {
    /// Begins the file, if one was asked for; empty it can be read already.
    fn begin(options: &DumpOptions) -> Result<Option<Self>, DumpError> {
        let Some(output) = options.output.packet_output()? else {
            return Ok(None);
        };
        let selects_all = options.filter.is_none() && matches!(options.picked, Picked::All);
        let mut writer = PcapngWriter::new(output)?;
        writer.flush()?;
        Ok(Some(Self {
            writer,
            scope: if selects_all {
                LiveScope::Everything
            } else {
                LiveScope::Selected
            },
        }))
    }

    /// Writes a packet with the reporter's comments on it.
    fn write(&mut self, packet: &Packet<'_>, reporter: &mut Reporter<Results>) -> io::Result<()> {
        match reporter.output::<PacketPlan>() {
            Some(plan) => plan.write_live(packet, self.scope, &mut self.writer),
            None => Ok(()),
        }
    }
}

/// The signals that end a capture, or ask for its tables.
struct Signals {
    stop: Interrupt,
    show_tables: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let signals = Self {
            stop: Interrupt::catch()?,
            show_tables: Arc::default(),
        };
        flag::register(SIGUSR1, signals.show_tables.clone())?;
        Ok(signals)
    }
}

fn announce(live: &LiveInput, source: &LiveCapture) {
    let link_type = source.inputs().first().and_then(|input| input.link_type);
    let mut about = link_type.map_or("unknown link".to_owned(), link_type_title);
    if let Some(filter) = &live.filter {
        about += ", ";
        about += filter;
    }
    let interface = &live.interface;
    print_line(format_args!(
        "{PROGRAM}: capturing on {interface} ({about}); Ctrl-C to stop"
    ));
}

fn say_goodbye(packets: u64, stats: LiveStats) {
    print_line(format_args!(
        "{packets} packets captured, {} dropped by kernel, {} dropped by interface",
        stats.dropped_by_kernel, stats.dropped_by_interface
    ));
}

/// Prints the interfaces that can be captured on.
pub(super) fn list_interfaces() -> Result<Ending, DumpError> {
    let mut out = io::stdout().lock();
    for (index, interface) in LiveInterface::list()?.iter().enumerate() {
        write!(out, "{}. {}", index + 1, interface.name)?;
        if let Some(description) = &interface.description {
            write!(out, " ({description})")?;
        }
        if !interface.is_up {
            write!(out, ", down")?;
        }
        for address in &interface.addresses {
            write!(out, ", {address}")?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(Ending::Fine)
}
