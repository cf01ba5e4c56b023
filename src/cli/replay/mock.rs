//! `mock`: the server side of a capture, for a live client.

use std::collections::BTreeSet;

use super::error::{ReplayError, print_lost, print_note, print_warning};
use super::logging;
use super::peer::{self, Others};
use super::play::show;
use super::play_args::MockArgs;
use super::ready::announce_bound;
use super::recording::load;
use crate::cli::exit::Ending;
use crate::endpoint::Limits;
use crate::replay::mock::{MAX_OPEN, Matched, Mock, MockOptions, MockOutcome};
use crate::replay::{Masks, MidStream, ResultCounts, Verdict};
use crate::runtime::{Peer, Role, Signals, mock};
use crate::units::counted;
use crate::wire::{Direction, HEADER_BYTES};

/// Runs `ministream-replay mock`.
pub(super) fn run(args: &MockArgs, verbose: u8) -> Result<Ending, ReplayError> {
    logging::begin(&args.peer.options.log, verbose)?;
    let loaded = load(&args.recording, MidStream::Skip)?;
    loaded.check_not_empty()?;
    if let Some(longest) = loaded.recording.longest_message(Direction::ServerToClient) {
        let bytes = HEADER_BYTES + longest.payload.len();
        peer::check_fits(&args.peer.carrier, bytes, || format!("#{}", longest.number))?;
    }
    let options = MockOptions {
        unmatched: args.unmatched,
        loops: args.loops,
        speed: (!args.topspeed).then_some(args.speed),
        reply_timeout: args.reply_timeout,
        max_differences: args.recording.max_diffs,
        address_proof: args.peer.carrier.address_proof(),
        // On this machine all clients are one host, and many at once are normal use.
        max_unproven: if args.peer.options.allow_remote {
            Limits::default().half_open_per_peer
        } else {
            MAX_OPEN
        },
        ..MockOptions::default()
    };
    let seed = peer::seed(args.peer.options.seed)?;
    let mut link = peer::link(
        &args.peer.carrier,
        &args.peer.options,
        Role::Server,
        &Others::allowed(&args.allow),
        seed,
    )?;
    link.first_message_timeout = args.silence.first_message_timeout.0;
    let masks = Masks::new(args.recording.mask.clone());
    let mut server = Mock::with_origins(&loaded.recording, options, masks, seed, Peer::origin);
    let mut tally = ResultCounts::default();
    let mut unmatched = 0;
    let driving = peer::block_on(async {
        let mut signals = Signals::new()?;
        let opened = peer::open(&link, &mut signals).await?;
        announce_bound("mock", &link, &opened, args.ready_file.as_deref())?;
        let mut suggested = BTreeSet::new();
        let driving = mock(opened, &mut signals, &mut server, &mut |outcome| {
            tally.add(outcome.result);
            unmatched += u64::from(outcome.matched == Matched::Not);
            for mask in &outcome.suggested_masks {
                if suggested.insert(mask.clone()) {
                    print_warning(format_args!(
                        "a header field differs from the recorded one; --mask '{mask}' covers it"
                    ));
                }
            }
            show(line_of(&outcome).as_bytes());
        })
        .await;
        Ok(driving)
    })?;
    for mask in server.masks().unused() {
        print_warning(format_args!("mask {mask} never matched anything"));
    }
    print_note(summary(tally.total(), unmatched));
    let checks = match tally.verdict() {
        Verdict::Passed => Ending::Fine,
        // Nobody came before it was ended, as an endpoint is.
        Verdict::Failed if tally.total() == 0 && driving.interrupted => Ending::Fine,
        Verdict::Failed => Ending::CheckFailed,
    };
    let transport = match driving.lost {
        Some(error) => {
            print_lost(&args.peer.carrier, &error);
            Ending::Transport
        }
        None => Ending::Fine,
    };
    Ok(loaded.ending.max(checks).max(transport))
}

/// The last line: of all conversations those that were played, and those that nothing recorded fits.
fn summary(total: u64, unmatched: u64) -> String {
    if total == 0 {
        return "no conversation came".to_owned();
    }
    let played = counted(total - unmatched, "conversation");
    format!("{played} played, {unmatched} not matched")
}

/// One line about an incoming conversation.
fn line_of(outcome: &MockOutcome) -> String {
    let matched = match outcome.matched {
        Matched::Exactly => "exactly",
        Matched::Nearest => "as the nearest",
        Matched::ByOrder => "by order",
        Matched::Not => "not matched",
    };
    let conversation = outcome
        .conversation
        .map_or_else(|| "-".to_owned(), |id| id.to_string());
    let place = outcome
        .differences
        .first()
        .map_or_else(String::new, |difference| {
            format!(" at offset {}", difference.offset)
        });
    let of_recorded = match outcome.conversation {
        Some(_) => format!(" of {}", outcome.c2s_want_bytes),
        None => String::new(),
    };
    let bound = outcome.over_bound.map_or_else(String::new, |bound| {
        format!(", ended for more than {bound} B would be kept")
    });
    format!(
        "{conversation} {matched}: {} {}{place}, {}{of_recorded} B from the client{bound}\n",
        outcome.client_id, outcome.result, outcome.c2s_got_bytes
    )
}
