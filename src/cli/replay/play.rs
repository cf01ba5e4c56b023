//! `replay`: the client side of a capture against a live server.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::{
    ReplayError, Unanswered, not_played, print_lost, print_no_answer, print_note, print_warning,
};
use super::line_queue;
use super::logging;
use super::output_file::{OutputFile, PageFile, is_standard};
use super::peer::{self, Others};
use super::play_args::{Include, PlayArgs, ReplayFailOn};
use super::progress::ConversationProgress;
use super::recording::{Loaded, load, load_expected};
use super::shared_args::ReportFormat;
use super::values::SynSource;
use crate::cli::args::When;
use crate::cli::exit::Ending;
use crate::cli::terminal;
use crate::field::PayloadDetail;
use crate::replay::{
    Load, Masks, MidStream, Pace, Plan, PlayEnd, PlayOptions, Player, ReplayResult, ResultCounts,
    Substitution, SynPayload, Timeouts, Transcripts, Verdict, id_map_line,
};
use crate::report::replay::{ReplayOutcomes, ReplayReport};
use crate::report::style::{IdFormat, PREVIEW_COLUMNS, Style, TimeStyle};
use crate::runtime::{CarrierUrl, Driving, Role, Signals, play};
use crate::select::redact::Secrets;
use crate::text::escape::Charset;
use crate::wire::{Direction, HEADER_BYTES};

/// Runs `ministream-replay replay`.
pub(super) fn run(args: &PlayArgs, verbose: u8) -> Result<Ending, ReplayError> {
    logging::begin(&args.peer.options.log, verbose)?;
    let mid_stream = match args.include {
        Some(Include::MidStream) => MidStream::Include,
        None => MidStream::Skip,
    };
    let mut loaded = load(&args.recording, mid_stream)?;
    if let Some(path) = &args.expect {
        let expected = load_expected(path, &args.recording)?;
        loaded.ending = loaded.ending.max(expected.ending);
        loaded
            .recording
            .expect(&expected.recording)
            .map_err(|source| ReplayError::Expected {
                path: path.clone(),
                source,
            })?;
    }
    if let Some(longest) = loaded.recording.longest_message(Direction::ClientToServer) {
        let bytes = HEADER_BYTES + longest.payload.len();
        peer::check_fits(&args.peer.carrier, bytes, || format!("#{}", longest.number))?;
    }
    let mut options = options(args)?;
    let plan = loaded.plan(&options)?;
    let cut = plan.gaps_cut();
    if cut.count > 0 {
        print_warning(format_args!(
            "{} gaps of the recording were cut to {:?}, by {:.1?} in all; see --max-gap",
            cut.count, options.max_gap, cut.total
        ));
    }
    if args.dry_run {
        print_schedule(&plan)?;
        let skipped = &loaded.recording.skipped_counts;
        if !skipped.is_empty() {
            print_note(format_args!("not replayed{}", not_played(skipped)));
        }
        return Ok(loaded.ending);
    }
    let files = ResultFiles::create(args)?;
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
        let plan = if *syn_source(args) == SynSource::Own {
            options.syn_payload = SynPayload::Replace(opened.destination.clone());
            Plan::new(&loaded.recording, &options)?
        } else {
            plan
        };
        let planned = plan.duration();
        let expected = options.load.conversations(plan.conversation_count());
        let masks = Masks::new(args.recording.mask.clone());
        let mut player = Player::new(plan, options.clone(), masks, seed, Instant::now());
        let mut run = Run::new(args, files, expected);
        let began = Instant::now();
        let mut add = |outcome| run.add(outcome);
        let (end, driving) = play(opened, &mut signals, &mut player, &mut add).await;
        run.conclude(
            &loaded,
            &player,
            &options,
            end,
            driving,
            planned,
            began.elapsed(),
        )
    })
}

fn options(args: &PlayArgs) -> Result<PlayOptions, ReplayError> {
    let pace = match (args.topspeed, args.rate) {
        (true, _) => Pace::TopSpeed,
        (false, Some(per_second)) => Pace::Rate { per_second },
        (false, None) => Pace::Recorded { speed: args.speed },
    };
    let syn_payload = match syn_source(args) {
        SynSource::File(path) => SynPayload::Replace(Bytes::from(peer::read(path)?)),
        // Ours is known when the link is open.
        SynSource::Keep | SynSource::Own => SynPayload::Keep,
    };
    Ok(PlayOptions {
        pace,
        max_gap: args.max_gap,
        start_delay: args.start_delay,
        order: args.order,
        ids: args.ids,
        syn_payload,
        load: Load {
            loops: args.loops,
            loop_gap: args.loop_gap,
            concurrency: args.concurrency,
            stagger: args.stagger,
            duration: args.duration,
        },
        timeouts: Timeouts {
            handshake: args.handshake_timeout,
            reply: args.reply_timeout,
            overall: args.timeout,
        },
        compare: args.compare,
        max_differences: args.recording.max_diffs,
        transcripts: match args.html {
            Some(_) => Transcripts::Kept,
            None => Transcripts::Dropped,
        },
        address_proof: args.peer.carrier.address_proof(),
        ..PlayOptions::default()
    })
}

fn syn_source(args: &PlayArgs) -> &SynSource {
    SynSource::or_default(args.dest.as_ref(), &args.peer.carrier)
}

fn print_schedule(plan: &Plan) -> Result<(), ReplayError> {
    let mut text = String::new();
    for message in plan.schedule() {
        let substitution = match message.substitution {
            Substitution::Kept => "as recorded",
            Substitution::FreshClientId => "-> fresh client id",
            Substitution::LearntServerId => "-> learnt server id",
        };
        text.push_str(&format!(
            "{:12.6}  #{:<6} {:<6} {:<5} {} {:<19} {:>6} B\n",
            message.offset.as_secs_f64(),
            message.number,
            message.conversation.to_string(),
            message.frame_type,
            message.recorded_id,
            substitution,
            message.payload_bytes
        ));
    }
    print(text.as_bytes())
}

/// The files for results beside standard output.
struct ResultFiles {
    id_map: Option<OutputFile>,
    report: Option<OutputFile>,
    junit: Option<OutputFile>,
    html: Option<PageFile>,
}

impl ResultFiles {
    fn create(args: &PlayArgs) -> Result<Self, ReplayError> {
        let create = |path: &Option<PathBuf>| path.as_deref().map(OutputFile::create).transpose();
        Ok(Self {
            id_map: create(&args.id_map)?,
            report: create(&args.report_file)?,
            junit: create(&args.junit)?,
            html: args.html.as_deref().map(PageFile::create).transpose()?,
        })
    }
}

/// The results of a run.
struct Run<'a> {
    args: &'a PlayArgs,
    outcomes: ReplayOutcomes,
    files: ResultFiles,
    progress: ConversationProgress,
}

impl<'a> Run<'a> {
    /// `expected` is the number of conversations that will be played, if known.
    fn new(args: &'a PlayArgs, files: ResultFiles, expected: Option<u64>) -> Self {
        Self {
            args,
            outcomes: ReplayOutcomes::default(),
            files,
            progress: ConversationProgress::new(args.progress, expected),
        }
    }

    fn add(&mut self, outcome: crate::replay::PlayOutcome) {
        if let Some(file) = &mut self.files.id_map {
            file.write(&id_map_line(&outcome));
        }
        self.outcomes.add(outcome);
        self.progress.one_over();
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "everything that the report shows"
    )]
    fn conclude(
        mut self,
        loaded: &Loaded,
        player: &Player,
        options: &PlayOptions,
        end: PlayEnd,
        driving: Driving,
        planned: Duration,
        elapsed: Duration,
    ) -> Result<Ending, ReplayError> {
        self.progress.finish();
        for mask in player.masks().unused() {
            print_warning(format_args!("mask {mask} never matched anything"));
        }
        let ending = loaded
            .ending
            .max(self.checks(self.outcomes.tally()))
            .max(self.transport(player, end, &driving, elapsed));
        let carrier = self.args.peer.carrier.to_string();
        let files: Vec<String> = self
            .args
            .recording
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let report = ReplayReport {
            source: &files.join(" "),
            carrier: &carrier,
            options,
            outcomes: &self.outcomes,
            stats: player.stats(),
            skipped: &loaded.recording.skipped,
            skipped_count: loaded.recording.skipped_counts.values().sum(),
            planned,
            elapsed,
            exit_code: ending.code(),
            mask_flag: "--mask",
        };
        print_report(self.args, &report)?;
        write_files(self.args, self.files, &report)?;
        Ok(ending)
    }

    fn checks(&self, tally: &ResultCounts) -> Ending {
        let failed = match self.args.fail_on {
            ReplayFailOn::Differs => tally.verdict() == Verdict::Failed,
            ReplayFailOn::NoReply => {
                tally.total() == 0
                    || tally.count(ReplayResult::NoReply) > 0
                    || tally.count(ReplayResult::TransportError) > 0
            }
            ReplayFailOn::Never => false,
        };
        if failed {
            Ending::CheckFailed
        } else {
            Ending::Fine
        }
    }

    fn transport(
        &self,
        player: &Player,
        end: PlayEnd,
        driving: &Driving,
        elapsed: Duration,
    ) -> Ending {
        let stats = player.stats();
        let carrier = &self.args.peer.carrier;
        let tally = self.outcomes.tally();
        let harmed = tally.count(ReplayResult::TransportError) > 0 || stats.not_begun > 0;
        let unanswered = stats.sent_messages > 0 && stats.received_messages == 0;
        let sent = Unanswered {
            syns: stats.sent_syns,
            messages: stats.sent_messages,
        };
        // A server may close its end when it has served all.
        if let Some(error) = driving.lost.as_ref().filter(|_| harmed) {
            if unanswered && matches!(carrier, CarrierUrl::Udp(_)) {
                print_no_answer(carrier, sent, elapsed, Some(error));
            } else {
                print_lost(carrier, error);
            }
            return Ending::Transport;
        }
        if driving.interrupted {
            return Ending::Interrupted;
        }
        if end == PlayEnd::TimedOut {
            print_warning(format_args!(
                "the overall timeout passed after {}; see --timeout",
                peer::seconds(elapsed)
            ));
            return Ending::Transport;
        }
        if unanswered {
            print_no_answer(carrier, sent, elapsed, None);
            return Ending::Transport;
        }
        Ending::Fine
    }
}

fn print_report(args: &PlayArgs, report: &ReplayReport<'_>) -> Result<(), ReplayError> {
    match args.report {
        ReportFormat::Table if fills_standard_output(args) => Ok(()),
        ReportFormat::Table => {
            let mut out = Vec::new();
            let charset = if args.ascii {
                Charset::Ascii
            } else {
                terminal::charset()
            };
            report.table(&style(charset, args.peer.options.log.color), &mut out);
            print(&out)
        }
        ReportFormat::Json => print(report.json().as_bytes()),
        ReportFormat::None => Ok(()),
    }
}

/// Whether the page goes where the table would.
fn fills_standard_output(args: &PlayArgs) -> bool {
    args.html.as_deref().is_some_and(is_standard)
}

fn write_files(
    args: &PlayArgs,
    files: ResultFiles,
    report: &ReplayReport<'_>,
) -> Result<(), ReplayError> {
    let ResultFiles {
        id_map,
        report: whole,
        junit,
        html,
    } = files;
    if let Some(file) = id_map {
        file.finish()?;
    }
    if let Some(mut file) = whole {
        file.write(&report.json());
        file.finish()?;
    }
    if let Some(mut file) = junit {
        file.write(&report.junit());
        file.finish()?;
    }
    if let Some(file) = html {
        let style = style(Charset::Unicode, args.peer.options.log.color);
        file.finish(&report.html(&style))?;
    }
    Ok(())
}

/// Reports as they look on this terminal.
pub(super) fn style(charset: Charset, colour: When) -> Style {
    Style {
        charset,
        colour: terminal::colour(colour, &io::stdout()),
        width: terminal::width(),
        ids: IdFormat::Hex,
        times: TimeStyle::Relative,
        payload: PayloadDetail::Full,
        previews: PREVIEW_COLUMNS,
        redacted: Secrets::NONE,
    }
}

/// Columns of a line that is printed by itself: it is whole wherever no terminal would break it.
pub(super) fn line_width() -> usize {
    terminal::size().map_or(usize::MAX, |(columns, _)| columns)
}

/// Writes lines to standard output, for as long as somebody reads it; the program goes on without.
pub(super) fn show(lines: &[u8]) {
    // On a terminal the lines of the log come first that were written first. Elsewhere nobody
    // waits for a log.
    if io::stdout().is_terminal() && io::stderr().is_terminal() {
        if terminal::is_behind_echo() {
            line_queue::stderr().push(b"\n");
        }
        logging::catch_up();
    }
    line_queue::stdout().push(lines);
}

/// Prints on standard output; whoever closed it has seen enough.
pub(super) fn print(text: &[u8]) -> Result<(), ReplayError> {
    // On a terminal the lines of the log come first that were written first.
    logging::finish();
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
