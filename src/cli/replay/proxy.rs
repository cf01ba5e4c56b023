//! `proxy`: between clients and a server.

use std::io;

use clap::Parser;

use super::error::{ReplayError, print_warning};
use super::line_queue::{self, LineQueue};
use super::play::{show, style};
use super::proxy_args::ProxyArgs;
use super::ready::{self, ReadyStream, about_tls};
use super::shared_args::ReportFormat;
use super::tunnel::resolved;
use super::{logging, peer, tls};
use crate::cli::args::{DumpArgs, Format};
use crate::cli::error::hint_text;
use crate::cli::exit::Ending;
use crate::cli::options::DumpOptions;
use crate::cli::terminal;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::dissect::{EvictedCounts, FlowReport, NearFlows, Sink};
use crate::fault::Faults;
use crate::proxy::{MAX_RULES, Proxy, ProxyOptions, Rule};
use crate::record::Summary;
use crate::report::proxy::ProxySummary;
use crate::report::reporter::Reporter;
use crate::runtime::{
    AllowList, CarrierUrl, FaultPlan, LinkOptions, NO_INPUTS, ProxyTask, ProxyTaskOptions, Reach,
    Role, TunnelError, Watcher,
};
use crate::text::escape::Charset;
use crate::wire::Direction;

/// Runs `ministream-replay proxy`.
pub(super) fn run(args: &ProxyArgs, verbose: u8) -> Result<Ending, ReplayError> {
    logging::begin(&args.log, verbose)?;
    check_carriers(args)?;
    let rules = rules(args)?;
    let mut watch = watching(args)?;
    let sends = [Direction::ClientToServer, Direction::ServerToClient];
    let faults = Faults::of(&args.fault, &sends);
    let seed = peer::fault_seed(&faults, args.seed)?;
    let metrics = match &args.metrics {
        Some(name) => Some(resolved("--metrics", name, reach(args))?),
        None => None,
    };
    let control = match &args.control {
        Some(name) => Some(resolved("--control", name, Reach::Loopback)?),
        None => None,
    };
    let options = ProxyTaskOptions {
        carrier: leg(args, &args.carrier, Role::Server, &faults, seed)?,
        upstream: leg(args, &args.upstream, Role::Client, &faults, seed)?,
        proxy: ProxyOptions {
            faults,
            seed,
            rules,
            dissect: watch.dissect.clone(),
            hint_text,
            ..ProxyOptions::default()
        },
        recorder: args.capture.as_deref().map(peer::recorder).transpose()?,
        metrics,
        control,
    };
    let said = about_tls(&options.carrier);
    let reporter = watch.reporter_into(line_queue::stdout());
    let reporter = reporter.map_err(ReplayError::Watch)?;
    let mut watcher = Watch { reporter };
    peer::block_on(async {
        let task = ProxyTask::open(options).await?;
        let carrier = task.carrier().to_string();
        announce(args, &carrier, &task, &said)?;
        let (proxy, ended) = task.run(&mut watcher).await;
        conclude(args, &carrier, proxy, watcher, ended)
    })
}

/// I2CP is between an application and its router, and nothing else is; flags that only TLS has use
/// for say so.
fn check_carriers(args: &ProxyArgs) -> Result<(), ReplayError> {
    let wrong = |flag, problem| Err(ReplayError::Carrier { flag, problem });
    let is_i2cp = |url: &CarrierUrl| matches!(url, CarrierUrl::I2cp(..));
    if is_i2cp(&args.carrier) != is_i2cp(&args.upstream) {
        return wrong(
            "--upstream",
            "i2cp is what an application and its router speak: both --carrier and \
             --upstream are i2cp, or neither is",
        );
    }
    let is_tls = |url: &CarrierUrl| matches!(url, CarrierUrl::Tls(..));
    if args.to.is_some() && !is_tls(&args.upstream) {
        return wrong(
            "--to",
            "only an upstream of tls:// has a destination to prove",
        );
    }
    if is_tls(&args.carrier) || is_tls(&args.upstream) {
        return Ok(());
    }
    match args.keys {
        Some(_) => wrong("--keys", "only tls:// has use for them here"),
        None => tls::check_unused(&args.tls),
    }
}

/// Every rule, checked before the first socket opens.
fn rules(args: &ProxyArgs) -> Result<Vec<Rule>, ReplayError> {
    let mut rules = Vec::new();
    for text in &args.rule {
        rules.push(Rule::parse_with_hints(text, hint_text).map_err(|problem| {
            ReplayError::Rule {
                file: None,
                problem,
            }
        })?);
    }
    for path in &args.rules {
        let bytes = peer::read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        rules.extend(
            Rule::parse_file(&text, hint_text).map_err(|problem| ReplayError::Rule {
                file: Some(path.clone()),
                problem,
            })?,
        );
    }
    if rules.len() > MAX_RULES {
        return Err(ReplayError::TooManyRules {
            count: rules.len(),
            limit: MAX_RULES,
        });
    }
    Ok(rules)
}

/// The options that `ministream-dump` would have with these flags.
fn watching(args: &ProxyArgs) -> Result<DumpOptions, ReplayError> {
    let defaults = DumpArgs::try_parse_from(["ministream-dump", "-l", "-"]);
    let defaults = defaults.map_err(|error| ReplayError::System(io::Error::other(error)))?;
    let dump = DumpArgs {
        filter: args.filter.clone(),
        format: args.format,
        fields: args.fields.clone(),
        statistics: args.statistics.clone(),
        quiet: args.quiet,
        times: args.times,
        payload: args.payload,
        redact: args.redact.clone(),
        color: args.log.color,
        ascii: args.ascii,
        ..defaults
    };
    DumpOptions::resolve(dump).map_err(ReplayError::Watch)
}

fn leg(
    args: &ProxyArgs,
    carrier: &CarrierUrl,
    role: Role,
    faults: &Faults,
    seed: [u8; 32],
) -> Result<LinkOptions, ReplayError> {
    // Faults of messages are the proxy's; the size of writes is the link's.
    let slices = Faults {
        c2s: faults.c2s.only_slices(),
        s2c: faults.s2c.only_slices(),
    };
    let allow = match role {
        Role::Server => args.allow.iter().copied().collect(),
        Role::Client => AllowList::default(),
    };
    let first_message_timeout = match role {
        Role::Server => args.silence.first_message_timeout.0,
        Role::Client => None,
    };
    let end = tls::End {
        carrier,
        role,
        keys: args.keys.as_deref(),
        to: args.to.as_ref(),
        allow: &allow,
    };
    let tls = match carrier {
        CarrierUrl::Tls(..) => tls::options(end, &args.tls)?,
        _ => None,
    };
    Ok(LinkOptions {
        reach: reach(args),
        allow,
        connect_timeout: args.connect_timeout,
        faults: (!slices.is_empty()).then(|| FaultPlan::new(slices, seed)),
        udp_rate: peer::UDP_RATE,
        tls,
        first_message_timeout,
        ..LinkOptions::new(carrier.clone(), role)
    })
}

const fn reach(args: &ProxyArgs) -> Reach {
    if args.allow_remote {
        Reach::Anywhere
    } else {
        Reach::Loopback
    }
}

/// Whether messages are written for programs, so that nothing else may stand among them.
const fn is_for_programs(args: &ProxyArgs) -> bool {
    matches!(
        args.format,
        Some(Format::Json | Format::Ndjson | Format::Csv | Format::Fields)
    )
}

/// Announces to scripts that the proxy can be used.
fn announce(
    args: &ProxyArgs,
    carrier: &str,
    task: &ProxyTask,
    said: &str,
) -> Result<(), ReplayError> {
    let mut line = format!("ready proxy carrier={carrier} upstream={}", args.upstream);
    line.push_str(said);
    if let Some(address) = task.metrics_addr() {
        line.push_str(&format!(" metrics=http://{address}/metrics"));
    }
    if let Some(address) = task.control_addr() {
        line.push_str(&format!(" control=http://{address}/"));
    }
    let place = if is_for_programs(args) {
        ReadyStream::Error
    } else {
        ReadyStream::Output
    };
    ready::announce(&line, "", args.ready_file.as_deref(), place)
}

fn conclude(
    args: &ProxyArgs,
    carrier: &str,
    mut proxy: Proxy,
    mut watcher: Watch,
    ended: Result<(), TunnelError>,
) -> Result<Ending, ReplayError> {
    let report = proxy.report();
    let mut ending = Ending::Fine;
    for (place, rule) in report.rules.iter().enumerate() {
        if rule.never_matched() {
            print_warning(format_args!(
                "rule {} never matched: {}",
                place + 1,
                rule.text
            ));
            if args.strict {
                ending = Ending::CheckFailed;
            }
        }
    }
    ended?;
    // Later output has the whole queue.
    line_queue::stdout().finish();
    proxy.finish(&mut watcher)?;
    let counts = proxy.counts();
    watcher.reporter.finish(&Summary {
        inputs: NO_INPUTS,
        packet_count: counts.passed,
        span: counts.span,
        skipped: &[],
        foreign: counts.foreign,
        near: &NearFlows::default(),
        warning: None,
        dropped_by_kernel: None,
        evicted: EvictedCounts::default(),
        exit_code: ending.code(),
    })?;
    let summary = ProxySummary {
        carrier,
        upstream: &args.upstream.to_string(),
        report: &report,
        exit_code: ending.code(),
    };
    let default = if is_for_programs(args) {
        ReportFormat::None
    } else {
        ReportFormat::Table
    };
    match args.report.unwrap_or(default) {
        ReportFormat::Table => {
            let charset = if args.ascii {
                Charset::Ascii
            } else {
                terminal::charset()
            };
            let mut out = Vec::new();
            summary.table(&style(charset, args.log.color), &mut out);
            show(&out);
        }
        ReportFormat::Json => show(summary.json().as_bytes()),
        ReportFormat::None => {}
    }
    Ok(ending)
}

/// Shows messages that pass as `ministream-dump` does.
struct Watch {
    reporter: Reporter<&'static LineQueue>,
}

impl Sink for Watch {
    type Error = io::Error;

    fn flow(&mut self, flow: &FlowReport) -> io::Result<()> {
        self.reporter.flow(flow)
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        self.reporter.message(event)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.reporter.finding(finding)
    }

    fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        self.reporter.conversation(conversation)
    }
}

impl Watcher for Watch {
    fn hand_on(&mut self) -> io::Result<()> {
        self.reporter.packet_end(NO_INPUTS)
    }

    fn show_so_far(&mut self, open: &[Conversation]) -> io::Result<()> {
        self.reporter.show_tables_so_far(open)
    }
}
