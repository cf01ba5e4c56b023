//! `client` and `server`: from arguments to a tunnel.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tracing::info;

use super::args::{ClientArgs, EndpointArgs, ServerArgs};
use super::error::ReplayError;
use super::line_queue;
use super::peer::Others;
use super::ready::{ReadyStream, announce, own_name, said_aloud};
use super::values::TimeOrOff;
use super::{keys, logging, peer, tls};
use crate::endpoint::{Config, Limits, SlowReader};
use crate::runtime::{
    Addresses, Advice, CarrierUrl, I2cpOptions, LinkOptions, LocalSide, LostLink, Reach, Role,
    Tunnel, TunnelOptions, nameless_destination,
};

/// Accepted conversations of one peer that is not on this machine.
const MAX_PER_PEER: usize = 32;

/// Most payload bytes of a datagram: larger ones are cut by IP, and one lost
/// piece loses them whole.
const UDP_PAYLOAD_BYTES: usize = 8 * 1024;

/// Silence after which a conversation has lost its peer, where no connection shows that.
const PEER_SILENCE: Duration = Duration::from_secs(300);

/// Time without a message after which a peer hears from us there: some such messages may get lost, and
/// the first proves an address in time whose proof was.
const KEEP_ALIVE: Duration = Duration::from_secs(45);

/// Unsent bytes that a conversation may hold; more would only wait longer.
const MAX_SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Bytes that a conversation sends over TCP before it is the next one's turn. More saves both ends
/// and their applications time on wake-ups; this much takes a fraction of a millisecond where that
/// matters.
const TCP_TURN_BYTES: usize = 256 * 1024;

/// Time for which a reader that is too slow may hold up the other conversations of a TCP link.
const SLOW_READER_TIME: Duration = Duration::from_secs(30);

/// Runs `ministream-replay client`.
pub(super) fn client(args: &ClientArgs, verbose: u8) -> Result<(), ReplayError> {
    logging::begin(&args.endpoint.log, verbose)?;
    let side = match &args.listen {
        Some(listen) => LocalSide::Listen(local_addresses("--listen", listen, &args.endpoint)?),
        None => LocalSide::Stdio,
    };
    let mut endpoint = config(&args.endpoint)?;
    if let Some(on_eof) = args.endpoint.on_eof {
        endpoint.client_eof = on_eof;
    }
    let i2cp = keys::caller(&args.endpoint, args.to.as_ref())?;
    let others = Others::to(args.to.as_ref());
    let link = link(&args.endpoint, Role::Client, others, i2cp)?;
    run(
        options(&args.endpoint, side, endpoint, link)?,
        &args.endpoint,
    )
}

/// Runs `ministream-replay server`.
pub(super) fn server(args: &ServerArgs, verbose: u8) -> Result<(), ReplayError> {
    logging::begin(&args.endpoint.log, verbose)?;
    let side = LocalSide::Serve {
        target: local_addresses("--target", &args.target, &args.endpoint)?,
    };
    let mut endpoint = config(&args.endpoint)?;
    if let Some(on_eof) = args.endpoint.on_eof {
        endpoint.server_eof = on_eof;
    }
    let i2cp = keys::called(&args.endpoint)?;
    let others = Others::allowed(&args.allow);
    let mut link = link(&args.endpoint, Role::Server, others, i2cp)?;
    link.first_message_timeout = args.silence.first_message_timeout.0;
    run(
        options(&args.endpoint, side, endpoint, link)?,
        &args.endpoint,
    )
}

fn options(
    args: &EndpointArgs,
    side: LocalSide,
    endpoint: Config,
    link: LinkOptions,
) -> Result<TunnelOptions, ReplayError> {
    let mut options = TunnelOptions::new(side, link, peer::seed(args.seed)?);
    options.endpoint = endpoint;
    if args.reconnect {
        options.lost_link = LostLink::Reopens;
    }
    if let Some(name) = &args.metrics {
        options.metrics = Some(local_addresses("--metrics", name, args)?.first());
    }
    options.lost_log_lines = line_queue::lost_lines();
    options.reopen_log = Some(logging::reopen);
    options.advice = ADVICE;
    Ok(options)
}

/// The flags for the options that the log names.
const ADVICE: Advice = Advice {
    conversation_limits: "--max-conversations or --max-per-peer",
    total_limit: "--max-conversations",
    drain: "--on-eof drain:T waits longer, drain:off without limit",
    slow_reader: "--buffer; --slow-reader close would end the conversation",
};

fn config(args: &EndpointArgs) -> Result<Config, ReplayError> {
    let udp = matches!(args.carrier, CarrierUrl::Udp(_));
    let tcp = args.carrier.has_connections();
    let base = if udp {
        Config {
            max_payload: UDP_PAYLOAD_BYTES,
            ..Config::for_datagrams()
        }
    } else {
        Config::default()
    };
    let (idle_timeout, keep_alive) = if args.carrier.has_connections() {
        (None, None)
    } else {
        (Some(PEER_SILENCE), Some(KEEP_ALIVE))
    };
    let buffer = usize::try_from(args.buffer).unwrap_or(usize::MAX);
    // Where the link cannot be paused, or is emptied by the system, pausing
    // would lose bytes without a sign.
    let slow_reader = if tcp {
        SlowReader::CloseAfter(SLOW_READER_TIME)
    } else {
        SlowReader::Close
    };
    Ok(Config {
        handshake_timeout: args.handshake_timeout.0,
        accept_timeout: args.accept_timeout,
        idle_timeout: args
            .idle_timeout
            .map_or(idle_timeout, |TimeOrOff(time)| time),
        keep_alive: args.keep_alive.map_or(keep_alive, |TimeOrOff(time)| time),
        merge: args.merge.0,
        turn: if tcp { TCP_TURN_BYTES } else { base.turn },
        max_payload: args.max_message.unwrap_or(base.max_payload),
        send_buffer: buffer.clamp(1, MAX_SEND_BUFFER_BYTES),
        receive_buffer: buffer,
        receive_total: base.receive_total.max(buffer),
        slow_reader: args.slow_reader.unwrap_or(slow_reader),
        limits: limits(args),
        ..base
    })
}

/// A share for each peer only makes sense where others may come, and where
/// nobody can come under many names: I2P destinations cost nothing, and the one
/// in a SYN is not proven. Elsewhere it would only be in its owner's way.
fn limits(args: &EndpointArgs) -> Limits {
    let total = args.max_conversations.get();
    let shared = args.allow_remote && !matches!(args.carrier, CarrierUrl::I2cp(..));
    let per_peer = match args.max_per_peer {
        Some(limit) => limit.get(),
        None if shared => MAX_PER_PEER.min(total),
        None => total,
    };
    Limits {
        total,
        per_peer,
        half_open: if shared { total.div_ceil(2) } else { total },
        half_open_per_peer: per_peer,
    }
}

fn link(
    args: &EndpointArgs,
    role: Role,
    others: Others<'_>,
    i2cp: Option<I2cpOptions>,
) -> Result<LinkOptions, ReplayError> {
    let mut rng = ChaCha12Rng::from_seed(peer::seed(args.seed)?);
    rng.set_stream(1);
    let tls = tls::options(
        tls::End {
            carrier: &args.carrier,
            role,
            keys: args.keys.as_deref(),
            to: others.to,
            allow: &others.allow,
        },
        &args.tls,
    )?;
    Ok(LinkOptions {
        carrier: args.carrier.clone(),
        role,
        reach: reach(args),
        allow: others.allow,
        connect_timeout: args.connect_timeout,
        recorder: args.capture.as_deref().map(peer::recorder).transpose()?,
        faults: peer::fault_plan(&args.fault, &args.carrier, role, args.seed)?,
        udp_rate: args.udp_rate,
        destination: nameless_destination(&mut rng),
        i2cp,
        tls,
        first_message_timeout: None,
    })
}

const fn reach(args: &EndpointArgs) -> Reach {
    if args.allow_remote {
        Reach::Anywhere
    } else {
        Reach::Loopback
    }
}

/// The addresses that a flag names; loopback unless others are allowed.
fn local_addresses(
    flag: &'static str,
    name: &str,
    args: &EndpointArgs,
) -> Result<Addresses, ReplayError> {
    resolved_all(flag, name, reach(args))
}

/// The address that the system prefers, for any command.
pub(super) fn resolved(
    flag: &'static str,
    name: &str,
    reach: Reach,
) -> Result<SocketAddr, ReplayError> {
    resolved_all(flag, name, reach).map(|addresses| addresses.first())
}

/// All addresses of a name, each of which must be within reach.
pub(super) fn resolved_all(
    flag: &'static str,
    name: &str,
    reach: Reach,
) -> Result<Addresses, ReplayError> {
    let found = name
        .to_socket_addrs()
        .map_err(|source| ReplayError::Resolve {
            flag,
            name: name.to_owned(),
            source,
        })?;
    let addresses = Addresses::new(found).ok_or_else(|| ReplayError::NoAddress {
        flag,
        name: name.to_owned(),
    })?;
    for address in addresses.as_slice() {
        peer::within_reach(reach, flag, *address)?;
    }
    Ok(addresses)
}

fn run(options: TunnelOptions, args: &EndpointArgs) -> Result<(), ReplayError> {
    let stdio = matches!(options.side, LocalSide::Stdio);
    let target = match &options.side {
        LocalSide::Serve { target } => Some(target.clone()),
        LocalSide::Listen(_) | LocalSide::Stdio => None,
    };
    let link = options.link.clone();
    peer::block_on(async {
        let tunnel = Tunnel::open(options).await?;
        let name = own_name(&link, tunnel.destination());
        let said = format!("{}{}", name.short, said_aloud(&link));
        let line = ready_line(&tunnel, target, &said);
        if let Some(address) = tunnel.metrics_addr() {
            info!("numbers at http://{address}/metrics");
        }
        let place = if stdio {
            ReadyStream::Nowhere
        } else {
            ReadyStream::Output
        };
        announce(&line, &name.rest, args.ready_file.as_deref(), place)?;
        Ok(tunnel.run().await?)
    })
}

/// The line that announces to scripts that the tunnel can be used.
fn ready_line(tunnel: &Tunnel, target: Option<Addresses>, name: &str) -> String {
    let carrier = tunnel.carrier();
    let mut line = match (target, tunnel.listen_addr()) {
        (Some(target), _) => format!("ready server target={target} carrier={carrier}"),
        (None, Some(listen)) => format!("ready client listen={listen} carrier={carrier}"),
        (None, None) => format!("ready client stdio carrier={carrier}"),
    };
    if let Some(address) = tunnel.metrics_addr() {
        line.push_str(&format!(" metrics=http://{address}/metrics"));
    }
    line.push_str(name);
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Command, ReplayArgs};
    use super::*;

    #[test]
    fn silence_means_something_where_no_connection_shows_the_end_of_a_peer() {
        let [second, usual, five_minutes] =
            [1, 45, 300].map(|seconds| Some(Duration::from_secs(seconds)));
        for (carrier, more, idle_timeout, keep_alive) in [
            ("udp", &[][..], five_minutes, usual),
            ("i2cp", &[], five_minutes, usual),
            ("tcp", &[], None, None),
            ("tls", &[], None, None),
            ("tcp", &["--keep-alive", "1s"], None, second),
            ("udp", &["--keep-alive", "off"], five_minutes, None),
            ("i2cp", &["--idle-timeout", "off"], None, usual),
        ] {
            let carrier = format!("{carrier}://127.0.0.1:9004");
            let server = ["ministream-replay", "server", "--carrier", &carrier];
            let arguments = [&server, &["--target", "127.0.0.1:80"][..], more].concat();
            let args = ReplayArgs::try_parse_from(arguments).unwrap();
            let Command::Server(args) = args.command else {
                panic!("another command");
            };
            let config = config(&args.endpoint).unwrap();
            let times = (config.idle_timeout, config.keep_alive);
            assert_eq!(times, (idle_timeout, keep_alive), "{carrier} {more:?}");
        }
    }
}
