//! An endpoint whose peers say anything, and two that talk to each other.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::endpoint::{
    Config, End, Endpoint, Event, Handle, Limits, Open, Output, Scope, SlowReader, State,
};

/// Steps of one run.
const MAX_STEPS: usize = 400;

/// Refusals that wait for peers that take nothing, at most.
const MAX_REFUSALS: usize = 1_024;

/// What is behind a message that came with others.
const READ_REST: usize = 1024;

/// The longest unsent message of a conversation that is let in counts this beside its bytes.
const WRITE_OVERHEAD: usize = 64;

/// Whoever talks, nothing panics, conversations, unread and unsent bytes and closes that wait stay
/// within their limits, and when the links are gone and the time is over nothing is left. Where two endpoints talk over a link
/// that keeps all and in order, bytes that both ends call complete are the same.
pub fn run(data: &[u8]) {
    crate::given(data, |input| {
        if input.arbitrary()? {
            hostile(input)
        } else {
            pair(input)
        }
    });
}

fn config(input: &mut Unstructured<'_>) -> Result<Config> {
    let mut config = if input.arbitrary()? {
        Config::default()
    } else {
        let mut config = Config::for_datagrams();
        config.idle_timeout = Some(Duration::from_secs(3));
        config.keep_alive = Some(Duration::from_secs(1));
        config
    };
    config.max_payload = *input.choose(&[3, 100, 32_768])?;
    config.merge = *input.choose(&[None, Some(Duration::from_millis(100))])?;
    config.slow_reader = *input.choose(&[SlowReader::Pause, SlowReader::Close])?;
    config.receive_buffer = 1_000;
    config.receive_total = 6_000;
    config.send_buffer = 1_000;
    Ok(config)
}

/// Peers that say anything.
fn hostile(input: &mut Unstructured<'_>) -> Result<()> {
    let mut config = config(input)?;
    let bits: u8 = input.arbitrary()?;
    let service = match bits >> 5 {
        5 => Service::Down,
        6 => Service::Silent,
        7 => Service::Short,
        _ => Service::Up,
    };
    if bits & 1 == 1 {
        config.limits = Limits {
            total: 6,
            per_peer: 4,
            half_open: 3,
            half_open_per_peer: 2,
        };
    }
    if input.arbitrary()? {
        config.slow_reader = SlowReader::CloseAfter(Duration::from_secs(1));
    }
    let mut bench = Bench {
        now: Instant::now(),
        endpoint: Endpoint::new(config.clone(), [1; 32]),
        config,
        service,
        handles: Vec::new(),
        ids: vec![[0; 3]],
        unread: BTreeMap::new(),
        unsent: BTreeMap::new(),
        reads: Vec::new(),
        reads_before: Vec::new(),
    };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        bench.act(input)?;
        bench.settle();
        bench.now += Duration::from_millis(input.int_in_range(0..=200)?);
        bench.endpoint.handle_timeout(bench.now);
        bench.look_after_memory();
    }
    bench.check_closes();
    let Bench {
        mut endpoint, now, ..
    } = bench;
    endpoint.handle_link_lost(now, Scope::All);
    wind_up(&mut endpoint, now, bench.unread);
    Ok(())
}

/// What becomes of conversations that are offered many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// What else is done with them.
    Up,
    /// They are refused.
    Down,
    /// They are accepted and ended.
    Silent,
    /// They are accepted, something is written, and they are ended.
    Short,
}

/// An endpoint, and what its driver knows.
struct Bench {
    now: Instant,
    endpoint: Endpoint<u8>,
    config: Config,
    service: Service,
    handles: Vec<Handle>,
    /// Ids that were seen in messages of the endpoint: peers know them.
    ids: Vec<[u8; 3]>,
    unread: BTreeMap<Handle, usize>,
    /// What was written since the endpoint last sent anything.
    unsent: BTreeMap<Handle, usize>,
    /// Reads of which a part was written since the endpoint last copied what waits.
    reads: Vec<Bytes>,
    /// The same since the time before that.
    reads_before: Vec<Bytes>,
}

impl Bench {
    fn act(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let peer = input.int_in_range(0..=2)?;
        let from = input.arbitrary::<bool>()?.then_some(peer);
        match input.int_in_range(0..=11)? {
            0..=4 => {
                let frame_type =
                    *input.choose(&[0xa0, 0xa1, 0xa2, 0x50, 0x51, 0x52, 0x00, 0x77])?;
                let mut message = vec![frame_type];
                message.extend(input.choose(&self.ids)?);
                let length = input.int_in_range(0..=input.len().min(600))?;
                message.extend(input.bytes(length)?);
                // Often enough to come to the limits.
                let count = *input.choose(&[1, 1, 1, 1, 5, 40, 1, 1, 1, 1, 5, 2_000])?;
                self.receive(from, &message.into(), count);
            }
            5 => {
                let length = input.int_in_range(0..=input.len().min(8))?;
                let message = Bytes::copy_from_slice(input.bytes(length)?);
                self.receive(from, &message, 1);
            }
            6 => {
                let open = Open {
                    to: peer,
                    destination: Bytes::from_static(b"destination"),
                    client_id: None,
                };
                // One that may not be opened is as good as one that may.
                self.endpoint.open(self.now, open).ok();
            }
            7 => {
                if input.arbitrary()? {
                    self.endpoint.handle_link_lost(self.now, Scope::Peer(peer))
                } else {
                    self.endpoint.handle_link_blocked(Scope::Peer(peer))
                }
            }
            8 => self.endpoint.handle_link_ready(Scope::Peer(peer)),
            _ if self.handles.is_empty() => {}
            _ => {
                let handle = *input.choose(&self.handles)?;
                self.act_on(input, handle)?;
            }
        }
        Ok(())
    }

    /// Hands a message over so many times, as long as the endpoint reads its carrier.
    fn receive(&mut self, from: Option<u8>, message: &Bytes, count: usize) {
        let link = from.map_or(Scope::All, Scope::Peer);
        for _ in 0..count {
            if !self.endpoint.wants_input(link) {
                return;
            }
            // As links read it: with others, and its memory is that of all.
            let read = Bytes::from([&message[..], &[0; READ_REST]].concat());
            self.endpoint
                .handle_message(self.now, from, read.slice(..message.len()));
            let known_count = self.handles.len();
            self.settle();
            assert!(read.is_unique(), "what is kept keeps a whole read");
            if self.service != Service::Up && count > 40 {
                for handle in self.handles.split_off(known_count) {
                    self.serve_shortly(handle);
                }
            }
        }
    }

    fn serve_shortly(&mut self, handle: Handle) {
        let (endpoint, now) = (&mut self.endpoint, self.now);
        if self.service == Service::Down {
            endpoint.refuse(now, handle);
        } else {
            endpoint.accept(now, handle);
            if self.service == Service::Short {
                // One that does not take it is as good as one that does.
                endpoint
                    .write(now, handle, Bytes::from_static(b"hello"))
                    .ok();
            }
            endpoint.abort(now, handle);
        }
        let known_count = self.handles.len();
        self.settle();
        self.handles.truncate(known_count);
    }

    fn act_on(&mut self, input: &mut Unstructured<'_>, handle: Handle) -> Result<()> {
        let (endpoint, now) = (&mut self.endpoint, self.now);
        match input.int_in_range(0..=6)? {
            0 => endpoint.accept(now, handle),
            1 => endpoint.refuse(now, handle),
            2 => endpoint.close(now, handle),
            3 => endpoint.finish(now, handle),
            4 => {
                endpoint.abort(now, handle);
                // With it the application has got rid of all that it held.
                self.unread.remove(&handle);
            }
            5 => {
                let bytes = input.bytes(input.len().min(50))?;
                let read = Bytes::from([bytes, &[0; READ_REST]].concat());
                let written = read.slice(..bytes.len());
                self.reads.push(read);
                for _ in 0..*input.choose(&[1, 1, 3, 60])? {
                    if endpoint.write(now, handle, written.clone()).is_ok() {
                        *self.unsent.entry(handle).or_default() += written.len() + WRITE_OVERHEAD;
                    }
                }
            }
            _ => {
                if let Some(bytes) = self.unread.remove(&handle) {
                    endpoint.consumed(now, handle, bytes);
                }
            }
        }
        Ok(())
    }

    /// Takes all that the endpoint has to say, and holds what is kept against the limits.
    fn settle(&mut self) {
        for (handle, bytes) in &self.unsent {
            assert!(
                *bytes < self.config.send_buffer + 50 + WRITE_OVERHEAD,
                "{bytes} bytes of {handle:?} wait to be sent"
            );
        }
        loop {
            match self.endpoint.poll_output(self.now) {
                Output::Transmit { message, .. } => {
                    let bytes = message.to_vec();
                    if bytes.len() == 7 {
                        self.ids.push([bytes[4], bytes[5], bytes[6]]);
                    }
                    self.ids.push([bytes[1], bytes[2], bytes[3]]);
                    self.unsent.clear();
                }
                Output::Event(event) => note(&event, &mut self.handles, &mut self.unread),
                Output::Timeout(_) | Output::Idle => break,
            }
        }
        self.check_unread();
        let Limits {
            total, half_open, ..
        } = self.config.limits;
        let ended = self.endpoint.count_in(State::Ended);
        let live = self.endpoint.conversation_count() - ended;
        assert!(live <= total, "{live} conversations");
        assert!(ended <= total, "{ended} conversations that have ended");
        let waiting = self.endpoint.half_open_count();
        assert!(waiting <= half_open, "{waiting} half-open conversations");
    }

    /// Once it has waited from one time to the next, nothing of a write keeps its read.
    fn look_after_memory(&mut self) {
        self.endpoint.own_what_waits();
        for read in self.reads_before.drain(..) {
            assert!(read.is_unique(), "what waits to be sent keeps a whole read");
        }
        self.reads_before.append(&mut self.reads);
    }

    /// What waits for peers that took nothing: refusals, and closes of what was answered or opened.
    fn check_closes(&mut self) {
        for peer in 0..=2 {
            self.endpoint.handle_link_ready(Scope::Peer(peer));
        }
        let mut count = 0;
        loop {
            match self.endpoint.poll_output(self.now) {
                Output::Transmit { message, .. } => {
                    let is_close = matches!(message.frame_type.0, 0x52 | 0xa2);
                    count += usize::from(is_close);
                }
                Output::Event(event) => note(&event, &mut self.handles, &mut self.unread),
                Output::Timeout(_) | Output::Idle => break,
            }
        }
        let most = MAX_REFUSALS + 2 * self.config.limits.total + MAX_STEPS;
        assert!(count <= most, "{count} closes wait");
    }

    fn check_unread(&self) {
        let Config {
            receive_buffer,
            receive_total,
            slow_reader,
            ..
        } = self.config;
        // Where the link pauses, the message that came last is the one too many.
        let (one, all) = match slow_reader {
            SlowReader::Close => (4 * receive_buffer, receive_total),
            SlowReader::Pause | SlowReader::CloseAfter(_) => {
                (receive_buffer + 600, receive_total + 600)
            }
        };
        for (handle, bytes) in &self.unread {
            assert!(*bytes <= one, "{bytes} bytes of {handle:?} are unread");
        }
        let held: usize = self.unread.values().sum();
        assert!(held <= all, "{held} bytes are held for applications");
    }
}

fn note<P>(event: &Event<P>, handles: &mut Vec<Handle>, unread: &mut BTreeMap<Handle, usize>) {
    match event {
        Event::Incoming { conversation, .. } | Event::Opened { conversation, .. } => {
            handles.push(*conversation);
        }
        Event::Data {
            conversation,
            bytes,
        } => *unread.entry(*conversation).or_default() += bytes.len(),
        _ => {}
    }
}

/// Reads what is unread and lets the time pass, until nothing is left.
fn wind_up(endpoint: &mut Endpoint<u8>, mut now: Instant, mut unread: BTreeMap<Handle, usize>) {
    for _ in 0..200 {
        loop {
            match endpoint.poll_output(now) {
                Output::Transmit { .. } => {}
                Output::Event(event) => note(&event, &mut Vec::new(), &mut unread),
                Output::Timeout(at) => {
                    now = at.max(now);
                    break;
                }
                Output::Idle => break,
            }
        }
        while let Some((handle, bytes)) = unread.pop_first() {
            endpoint.consumed(now, handle, bytes);
        }
        endpoint.handle_timeout(now);
        if endpoint.is_empty() {
            return;
        }
    }
    panic!("the links are lost and the time is over, and something is left: {endpoint:?}");
}

/// What an application of a pair wrote, read, and was told at the end.
#[derive(Debug, Default)]
struct Ledger {
    client_id: [u8; 3],
    written: Vec<u8>,
    received: Vec<u8>,
    end: Option<(End, u64)>,
}

/// Two endpoints over a link that keeps all and in order.
fn pair(input: &mut Unstructured<'_>) -> Result<()> {
    let mut now = Instant::now();
    let configs = [config(input)?, config(input)?];
    let mut endpoints = [0, 1].map(|side| Endpoint::<u8>::new(configs[side].clone(), [9; 32]));
    let mut links: [VecDeque<Bytes>; 2] = Default::default();
    let mut ledgers: [BTreeMap<Handle, Ledger>; 2] = Default::default();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let side = usize::from(input.arbitrary::<bool>()?);
        let handles: Vec<Handle> = ledgers[side].keys().copied().collect();
        match input.int_in_range(0..=9)? {
            0 => {
                let open = Open {
                    to: peer(1 - side),
                    destination: Bytes::from_static(b"destination"),
                    client_id: None,
                };
                if let Ok(handle) = endpoints[side].open(now, open) {
                    let id = endpoints[side].client_id(handle).expect("it was opened");
                    let ledger = Ledger {
                        client_id: id.0.0,
                        ..Ledger::default()
                    };
                    ledgers[side].insert(handle, ledger);
                }
            }
            _ if handles.is_empty() => {}
            1..=4 => {
                let handle = *input.choose(&handles)?;
                let length = input.int_in_range(0..=input.len().min(300))?;
                let bytes = input.bytes(length)?;
                let written = Bytes::copy_from_slice(bytes);
                if endpoints[side].write(now, handle, written).is_ok() {
                    let ledger = ledgers[side].get_mut(&handle).expect("its handle is known");
                    ledger.written.extend_from_slice(bytes);
                }
            }
            5 => endpoints[side].finish(now, *input.choose(&handles)?),
            6 => endpoints[side].close(now, *input.choose(&handles)?),
            _ => now += Duration::from_millis(input.int_in_range(0..=300)?),
        }
        settle(now, &mut endpoints, &mut links, &mut ledgers);
    }
    for _ in 0..400 {
        let due = endpoints
            .iter_mut()
            .filter_map(|endpoint| match endpoint.poll_output(now) {
                Output::Timeout(at) => Some(at),
                _ => None,
            })
            .min();
        let Some(at) = due else { break };
        now = now.max(at);
        settle(now, &mut endpoints, &mut links, &mut ledgers);
    }
    compare(&ledgers);
    Ok(())
}

fn peer(side: usize) -> u8 {
    u8::try_from(side).expect("0 or 1")
}

/// Delivers all that is under way, and reads all that comes.
fn settle(
    now: Instant,
    endpoints: &mut [Endpoint<u8>; 2],
    links: &mut [VecDeque<Bytes>; 2],
    ledgers: &mut [BTreeMap<Handle, Ledger>; 2],
) {
    let mut is_quiet = false;
    while !is_quiet {
        is_quiet = true;
        for side in 0..2 {
            endpoints[side].handle_timeout(now);
            while endpoints[side].wants_input(Scope::All)
                && let Some(message) = links[side].pop_front()
            {
                is_quiet = false;
                endpoints[side].handle_message(now, Some(peer(1 - side)), message);
            }
            loop {
                match endpoints[side].poll_output(now) {
                    Output::Transmit { message, .. } => {
                        links[1 - side].push_back(message.to_vec().into());
                        is_quiet = false;
                    }
                    Output::Event(event) => {
                        is_quiet = false;
                        enter(now, &mut endpoints[side], &mut ledgers[side], event);
                    }
                    Output::Timeout(_) | Output::Idle => break,
                }
            }
        }
    }
}

fn enter(
    now: Instant,
    endpoint: &mut Endpoint<u8>,
    ledgers: &mut BTreeMap<Handle, Ledger>,
    event: Event<u8>,
) {
    match event {
        Event::Incoming {
            conversation,
            client_id,
            ..
        } => {
            let ledger = Ledger {
                client_id: client_id.0.0,
                ..Ledger::default()
            };
            ledgers.insert(conversation, ledger);
            endpoint.accept(now, conversation);
        }
        Event::Data {
            conversation,
            bytes,
        } => {
            let ledger = ledgers.get_mut(&conversation).expect("data of a known one");
            assert!(ledger.end.is_none(), "data behind the end");
            ledger.received.extend_from_slice(&bytes);
            endpoint.consumed(now, conversation, bytes.len());
        }
        Event::Closed {
            conversation,
            end,
            summary,
        } => {
            let ledger = ledgers
                .get_mut(&conversation)
                .expect("the end of a known one");
            assert!(ledger.end.is_none(), "a second end");
            ledger.end = Some((end, summary.dropped_bytes));
        }
        Event::Opened { .. } | Event::Writable { .. } => {}
    }
}

/// Each conversation has ended, and what one side sent completely the other has received,
/// if it says that the peer closed; never is there anything else than a beginning of it.
fn compare(ledgers: &[BTreeMap<Handle, Ledger>; 2]) {
    for side in 0..2 {
        for ledger in ledgers[side].values() {
            let (end, _) = ledger
                .end
                .expect("over a faithful link each conversation ends");
            let others = ledgers[1 - side].values();
            let others: Vec<_> = others
                .filter(|other| other.client_id == ledger.client_id)
                .collect();
            let [other] = others[..] else { continue };
            assert!(
                other
                    .received
                    .starts_with(&ledger.written[..other.received.len()]),
                "received is a beginning of what was written"
            );
            if end == End::Closed && other.end == Some((End::PeerClosed, 0)) {
                assert_eq!(other.received, ledger.written, "both sides say complete");
            }
        }
    }
}
