//! The link that `replay`, `mock`, `inject` and `conform` share, and the parts of it that tunnels
//! need.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::error::{ReplayError, print_note, print_warning};
use super::shared_args::PeerOptions;
use super::{keys, tls};
use crate::fault::{FaultLines, Faults};
use crate::random_seed::random_seed;
use crate::runtime::{
    AllowList, Allowed, CarrierUrl, FaultPlan, LinkOptions, Opened, Reach, Recorder, Remote, Role,
    Signals, TunnelError, nameless_destination,
};
use crate::session::Query;
use crate::wire::DestinationHash;

/// Bytes a second over UDP: the rate that loopback carries without loss.
pub(super) const UDP_RATE: u64 = 256 << 20;

/// The randomness of a run.
pub(super) fn seed(number: Option<u64>) -> Result<[u8; 32], ReplayError> {
    let Some(number) = number else {
        return Ok(random_seed()?);
    };
    let mut seed = [0; 32];
    ChaCha12Rng::seed_from_u64(number).fill_bytes(&mut seed);
    Ok(seed)
}

/// The faults on purpose, if there are any; prints the seed that they follow from.
pub(super) fn fault_plan(
    lines: &[FaultLines],
    carrier: &CarrierUrl,
    role: Role,
    seed_number: Option<u64>,
) -> Result<Option<FaultPlan>, ReplayError> {
    let faults = Faults::of(lines, &[role.sends()]);
    if faults.is_empty() {
        return Ok(None);
    }
    let seed = fault_seed(&faults, seed_number)?;
    if matches!(carrier, CarrierUrl::Udp(_)) && faults.direction(role.sends()).slice().is_some() {
        print_warning(format_args!(
            "slice has no effect on {carrier}: each message is a datagram"
        ));
    }
    Ok(Some(FaultPlan::new(faults, seed)))
}

/// The seed of the faults, which is printed if there are any.
pub(super) fn fault_seed(
    faults: &Faults,
    seed_number: Option<u64>,
) -> Result<[u8; 32], ReplayError> {
    let number = match seed_number {
        Some(number) => number,
        None => short_number()?,
    };
    if !faults.is_empty() {
        print_note(format_args!(
            "faults: {faults}; to repeat the run: --seed {number}"
        ));
    }
    seed(Some(number))
}

/// A seed that can be typed again.
fn short_number() -> Result<u64, ReplayError> {
    let [a, b, c, d, ..] = random_seed()?;
    Ok(u32::from_le_bytes([a, b, c, d]).into())
}

/// Whether the carrier takes a message of this length.
pub(super) fn check_fits(
    carrier: &CarrierUrl,
    bytes: usize,
    place: impl FnOnce() -> String,
) -> Result<(), ReplayError> {
    let limit = carrier.max_message_bytes();
    if bytes <= limit {
        return Ok(());
    }
    Err(ReplayError::TooLong {
        place: place(),
        bytes,
        carrier: carrier.clone(),
        limit,
    })
}

/// The peers at the other end.
#[derive(Debug, Default)]
pub(super) struct Others<'a> {
    /// Whom a client calls.
    pub(super) to: Option<&'a Remote>,
    /// The peers that a server admits.
    pub(super) allow: AllowList,
}

impl<'a> Others<'a> {
    /// Of a client.
    pub(super) fn to(to: Option<&'a Remote>) -> Self {
        Self {
            to,
            ..Self::default()
        }
    }

    /// Of a server.
    pub(super) fn allowed(allow: &[Allowed]) -> Self {
        Self {
            to: None,
            allow: allow.iter().copied().collect(),
        }
    }
}

/// The options of the link; prints the peer that it will call.
pub(super) fn link(
    carrier: &CarrierUrl,
    args: &PeerOptions,
    role: Role,
    others: &Others<'_>,
    seed: [u8; 32],
) -> Result<LinkOptions, ReplayError> {
    let Others { to, allow } = others;
    let mut rng = ChaCha12Rng::from_seed(seed);
    rng.set_stream(1);
    let options = LinkOptions {
        carrier: carrier.clone(),
        role,
        reach: reach(args),
        allow: allow.clone(),
        connect_timeout: args.connect_timeout,
        recorder: args.save_live.as_deref().map(recorder).transpose()?,
        faults: fault_plan(&args.fault, carrier, role, args.seed)?,
        udp_rate: UDP_RATE,
        destination: nameless_destination(&mut rng),
        i2cp: keys::for_one_run(
            carrier,
            args.keys.as_deref(),
            role,
            *to,
            args.i2cp_order.into(),
        )?,
        tls: tls::options(
            tls::End {
                carrier,
                role,
                keys: args.keys.as_deref(),
                to: *to,
                allow,
            },
            &args.tls,
        )?,
        first_message_timeout: None,
    };
    if let Some(to) = to {
        print_note(format_args!("will call {}", name(to)));
    }
    Ok(options)
}

/// The addresses that may be bound.
pub(super) const fn reach(args: &PeerOptions) -> Reach {
    if args.allow_remote {
        Reach::Anywhere
    } else {
        Reach::Loopback
    }
}

/// An address that a flag names, if it is within reach.
pub(super) fn within_reach(
    reach: Reach,
    flag: &'static str,
    address: SocketAddr,
) -> Result<SocketAddr, ReplayError> {
    if reach.admits(address) {
        Ok(address)
    } else {
        Err(ReplayError::Remote { flag, address })
    }
}

/// The recorder of messages.
pub(super) fn recorder(path: &Path) -> Result<Recorder, ReplayError> {
    Recorder::create(path).map_err(|source| ReplayError::Write {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a file that the user named.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReplayError> {
    std::fs::read(path).map_err(|source| ReplayError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Opens the link, or says why it cannot be had.
pub(super) async fn open(
    options: &LinkOptions,
    signals: &mut Signals,
) -> Result<Opened, ReplayError> {
    let mut opening = pin!(options.open_patiently());
    poll_fn(|cx| match opening.as_mut().poll(cx) {
        Poll::Ready(opened) => Poll::Ready(Ok(opened.map_err(TunnelError::from)?)),
        Poll::Pending => signals
            .poll_recv(cx)
            .map(|()| Err(ReplayError::Interrupted)),
    })
    .await
}

/// Runs something that waits, in this thread.
pub(super) fn block_on<T>(
    work: impl Future<Output = Result<T, ReplayError>>,
) -> Result<T, ReplayError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// The destination that will be called, as far as it is known before it is looked up.
fn name(to: &Remote) -> String {
    match to {
        Remote::Destination(bytes) => DestinationHash::of(bytes).to_b32_name(),
        Remote::LookUp(Query::Hash(hash)) => hash.to_b32_name(),
        Remote::LookUp(Query::Name(name)) => name.clone(),
    }
}

/// `1.2 s`
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
