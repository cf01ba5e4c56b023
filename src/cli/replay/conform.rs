//! `conform`: whether a peer keeps to the protocol.

use std::time::Instant;

use super::conform_args::{ConformArgs, TestedPeer};
use super::error::{
    ReplayError, Unanswered, print_no_answer, print_note, print_warning, with_causes,
};
use super::logging;
use super::output_file::{OutputFile, PageFile, is_standard};
use super::peer::{self, Others};
use super::play::{line_width, print, style};
use super::ready::announce_bound;
use super::tunnel::resolved_all;
use crate::cli::exit::Ending;
use crate::cli::terminal;
use crate::replay::conform::{
    Case, DeliveryGuarantee, Requirement, Suite, SuiteOptions, TcpSide, Tested, cases,
};
use crate::report::conform::{ConformReport, list};
use crate::report::style::Style;
use crate::runtime::{
    Addresses, CarrierUrl, Driving, LinkOptions, Role, Signals, TestService, conform,
};
use crate::text::escape::Charset;

/// Runs `ministream-replay conform`.
pub(super) fn run(args: &ConformArgs, verbose: u8) -> Result<Ending, ReplayError> {
    let tested = Tested::from(args.tested);
    let cases = cases(tested, &args.cases)?;
    let carrier = match &args.carrier {
        Some(carrier) if !args.list => carrier,
        _ => {
            print(list(&cases).as_bytes())?;
            return Ok(Ending::Fine);
        }
    };
    logging::begin(&args.options.log, verbose)?;
    let service = tcp_side(args)?;
    let junit = args.junit.as_deref().map(OutputFile::create).transpose()?;
    let html = args.html.as_deref().map(PageFile::create).transpose()?;
    let seed = peer::seed(args.options.seed)?;
    let role = match tested {
        Tested::Server => Role::Client,
        Tested::Client => Role::Server,
    };
    let link = peer::link(
        carrier,
        &args.options,
        role,
        &Others {
            to: args.to.as_ref(),
            allow: args.allow.iter().copied().collect(),
        },
        seed,
    )?;
    let began = Instant::now();
    let mut run = Run {
        args,
        carrier,
        report: ConformReport::new(if args.strict {
            Requirement::Should
        } else {
            Requirement::Must
        }),
    };
    let tried = peer::block_on(run.try_all(&cases, &link, seed, service));
    if let Err(error) = &tried {
        run.report.cut_short(with_causes(error));
    }
    let name = format!("conform {} at {carrier}", tested.name());
    if let Some(mut file) = junit {
        file.write(&run.report.junit(&name, began.elapsed()));
        file.finish()?;
    }
    if let Some(file) = html {
        let style = style(Charset::Unicode, args.options.log.color);
        file.finish(&run.report.html(&name, began.elapsed(), &style))?;
    }
    tried
}

/// Our part on the TCP side of the peer, where a flag says where that is.
fn tcp_side(args: &ConformArgs) -> Result<Option<TestService>, ReplayError> {
    let wrong = |flag, problem| Err(ReplayError::Carrier { flag, problem });
    match (args.tested, &args.service, &args.dial) {
        (TestedPeer::Client, None, None) => {
            wrong("--dial", "is missing: where does the client listen?")
        }
        (TestedPeer::Client, Some(_), _) => wrong(
            "--service",
            "is for servers; a client is dialled, with --dial",
        ),
        (TestedPeer::Server, _, Some(_)) => {
            wrong("--dial", "is for clients; a server connects, to --service")
        }
        (TestedPeer::Client, None, Some(name)) => {
            let addresses = addresses(args, "--dial", name)?;
            Ok(Some(TestService::before_client(addresses)))
        }
        (TestedPeer::Server, Some(name), None) => {
            let addresses = addresses(args, "--service", name)?;
            Ok(Some(TestService::behind_server(addresses)))
        }
        (TestedPeer::Server, None, None) => Ok(None),
    }
}

fn addresses(args: &ConformArgs, flag: &'static str, name: &str) -> Result<Addresses, ReplayError> {
    let addresses = resolved_all(flag, name, peer::reach(&args.options))?;
    if addresses.first().port() == 0 {
        let problem = "needs the port that the peer knows, and not 0";
        return Err(ReplayError::Carrier { flag, problem });
    }
    Ok(addresses)
}

struct Run<'a> {
    args: &'a ConformArgs,
    carrier: &'a CarrierUrl,
    report: ConformReport,
}

impl Run<'_> {
    async fn try_all(
        &mut self,
        cases: &[&'static Case],
        link: &LinkOptions,
        seed: [u8; 32],
        service: Option<TestService>,
    ) -> Result<Ending, ReplayError> {
        let args = self.args;
        let mut signals = Signals::new()?;
        let opened = peer::open(link, &mut signals).await?;
        if link.role == Role::Server {
            announce_bound("conform", link, &opened, args.ready_file.as_deref())?;
        }
        if let (TestedPeer::Client, Some(service)) = (args.tested, &service) {
            let addresses = service.addresses();
            print_note(format_args!("waiting for the client at {addresses}"));
            service.wait_for_client(&mut signals).await?;
        }
        let mut suite = Suite::new(
            cases,
            SuiteOptions {
                tested: args.tested.into(),
                dialect: args.dialect.into(),
                retries: args.retries,
                tcp_side: match service {
                    Some(_) => TcpSide::TestService,
                    None => TcpSide::Unknown,
                },
                max_message_bytes: self.carrier.max_message_bytes(),
                delivery: match self.carrier {
                    CarrierUrl::Udp(_) => DeliveryGuarantee::Unsure,
                    CarrierUrl::Tcp(..) | CarrierUrl::Tls(..) | CarrierUrl::I2cp(..) => {
                        DeliveryGuarantee::Once
                    }
                },
                destination: opened.destination.clone(),
                seed,
            },
        );
        let style = Style {
            width: line_width(),
            ..style(terminal::charset(), args.options.log.color)
        };
        let began = Instant::now();
        let report = &mut self.report;
        let prints = !args.html.as_deref().is_some_and(is_standard);
        let driving = conform(
            link,
            opened,
            &mut signals,
            &mut suite,
            service,
            &mut |case| {
                let mut out = Vec::new();
                report.put_case(&case, &style, &mut out);
                report.add(case);
                if prints && let Err(error) = print(&out) {
                    print_warning(error);
                }
            },
        )
        .await?;
        if driving.interrupted {
            self.report.cut_short("stopped by a signal".to_owned());
        } else if suite.peer_is_silent() {
            self.report.cut_short("nobody answers".to_owned());
        } else if suite.peer_refuses() {
            let why = "the peer refuses every conversation: does the service behind it accept?";
            self.report.cut_short(why.to_owned());
        }
        let mut out = Vec::new();
        self.report.put_totals(began.elapsed(), &style, &mut out);
        if prints {
            print(&out)?;
        }
        Ok(self.ending(&suite, &driving, began))
    }

    fn ending(&self, suite: &Suite, driving: &Driving, began: Instant) -> Ending {
        if driving.interrupted {
            return Ending::Interrupted;
        }
        if suite.sent_count() > 0 && suite.received_count() == 0 {
            let sent = Unanswered {
                syns: 0,
                messages: suite.sent_count(),
            };
            print_no_answer(self.carrier, sent, began.elapsed(), driving.lost.as_ref());
            return Ending::Transport;
        }
        if !suite.has_tried() {
            print_warning(
                "nothing was tested; ms/wire judges the messages of other cases: name some, too",
            );
        }
        if self.report.passed() {
            Ending::Fine
        } else {
            Ending::CheckFailed
        }
    }
}
