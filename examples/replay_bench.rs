//! Measures replayed conversations a second at top speed: SYN, ACK, 200 bytes
//! each way, close; server ids learnt from the live ACK, answers compared.
//!
//! ```text
//! cargo run --profile release-lto --features replay --example replay_bench -- tcp udp
//! cargo run --profile release-lto --features replay --example replay_bench -- server-tcp server-udp
//! cargo run --profile release-lto --features replay --example replay_bench -- lag
//! ```
//!
//! `tcp` and `udp` play against a peer in this process that answers at once;
//! `server-tcp` and `server-udp` against `ministream-replay server` with a
//! service behind it. `lag` tells how late messages go at recorded times.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use ministream::conversation::{ConversationId, ConversationState};
use ministream::replay::{
    Effect, Load, Loops, Masks, Pace, Plan, PlayOptions, Player, RecordedConversation,
    RecordedMessage, Recording, ReplayResult, ResultCounts,
};
use ministream::runtime::{LinkOptions, Role, Signals, play};
use ministream::time::Timestamp;
use ministream::wire::{ClientId, FrameType, ServerId, StreamId};

/// Bytes of a request and of its answer.
const PAYLOAD_BYTES: usize = 200;

const CLIENT_ID: StreamId = StreamId([1, 1, 1]);
const SERVER_ID: StreamId = StreamId([2, 2, 2]);

#[derive(Parser)]
struct Args {
    /// tcp, udp, server-tcp, server-udp, lag
    #[arg(default_values = ["tcp", "udp", "server-tcp", "server-udp", "lag"])]
    measurements: Vec<String>,
    /// Conversations at once
    #[arg(long, default_value = "256")]
    concurrency: NonZeroU32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The program whose `server` is measured
    #[arg(long, default_value = "target/release-lto/ministream-replay")]
    program: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    for name in &args.measurements {
        match &**name {
            "tcp" => at_top_speed(&args, name, &answer_tcp()?)?,
            "udp" => at_top_speed(&args, name, &answer_udp()?)?,
            "server-tcp" => through_server(&args, name, "tcp://127.0.0.1:0")?,
            "server-udp" => through_server(&args, name, "udp://127.0.0.1:0")?,
            "lag" => lag(&args, &answer_tcp()?)?,
            _ => return Err(format!("no measurement {name}; see --help").into()),
        }
    }
    Ok(())
}

/// A conversation as it is played: each message 10 ms after the last.
fn recording() -> Recording {
    let destination = [&[7; 384][..], &[0; 3]].concat();
    let messages: [(FrameType, Vec<u8>, Effect); 5] = [
        (FrameType::SYN, destination, Effect::Opened),
        (FrameType::ACK, SERVER_ID.0.to_vec(), Effect::Accepted),
        (
            FrameType::CLIENT_DATA,
            vec![b'q'; PAYLOAD_BYTES],
            Effect::Carried,
        ),
        (
            FrameType::SERVER_DATA,
            vec![b'a'; PAYLOAD_BYTES],
            Effect::Carried,
        ),
        (FrameType::CLIENT_CLOSE, Vec::new(), Effect::Closed),
    ];
    let messages = (0..)
        .zip(messages)
        .filter_map(|(index, (frame_type, payload, effect))| {
            Some(RecordedMessage {
                number: index + 1,
                time: Timestamp::from_nanos(i64::try_from(index).ok()? * 10_000_000),
                direction: frame_type.direction()?,
                frame_type,
                id: match frame_type {
                    FrameType::CLIENT_DATA | FrameType::CLIENT_CLOSE => SERVER_ID,
                    _ => CLIENT_ID,
                },
                payload: payload.into(),
                effect,
            })
        })
        .collect();
    Recording {
        conversations: vec![RecordedConversation {
            id: ConversationId(1),
            client_id: Some(ClientId(CLIENT_ID)),
            server_id: Some(ServerId(SERVER_ID)),
            state: ConversationState::ClientClosed,
            messages,
        }],
        ..Recording::default()
    }
}

fn at_top_speed(args: &Args, name: &str, carrier: &str) -> Result<(), Box<dyn Error>> {
    let mut options = PlayOptions::default();
    options.pace = Pace::TopSpeed;
    options.load = load(args);
    let (player, tally, elapsed) = run(options, carrier)?;
    let same = tally.count(ReplayResult::Same);
    println!(
        "{name:<11} {:>9.0} conversations/s, {} at once; {same} of {} the same{}",
        tally.total() as f64 / elapsed.as_secs_f64(),
        args.concurrency,
        tally.total(),
        match player.stats().handshakes() {
            Some(times) => format!("; handshake p50 {} us, p99 {} us", times.p50, times.p99),
            None => String::new(),
        }
    );
    Ok(())
}

/// Copies that begin evenly spread, each message at its recorded time.
fn lag(args: &Args, carrier: &str) -> Result<(), Box<dyn Error>> {
    let mut options = PlayOptions::default();
    options.pace = Pace::Recorded { speed: 1.0 };
    options.load = Load {
        stagger: Duration::from_micros(170),
        ..load(args)
    };
    let (player, tally, elapsed) = run(options, carrier)?;
    if let Some(lag) = player.stats().send_lag() {
        println!(
            "lag         p50 {} us, p99 {} us, max {} us of {} messages at {:.0}/s; {} of {} the same",
            lag.p50,
            lag.p99,
            lag.max,
            player.stats().sent_messages,
            player.stats().sent_messages as f64 / elapsed.as_secs_f64(),
            tally.count(ReplayResult::Same),
            tally.total()
        );
    }
    Ok(())
}

fn load(args: &Args) -> Load {
    Load {
        loops: Loops::Forever,
        concurrency: args.concurrency,
        duration: Some(Duration::from_secs(args.seconds)),
        ..Load::default()
    }
}

fn run(
    options: PlayOptions,
    carrier: &str,
) -> Result<(Player, ResultCounts, Duration), Box<dyn Error>> {
    let link = LinkOptions::new(carrier.parse()?, Role::Client);
    let plan = Plan::new(&recording(), &options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let opened = link.open().await?;
        let began = Instant::now();
        let mut player = Player::new(plan, options, Masks::default(), [1; 32], began);
        let mut tally = ResultCounts::default();
        let mut tell = |outcome: ministream::replay::PlayOutcome| tally.add(outcome.result);
        play(opened, &mut signals, &mut player, &mut tell).await;
        let elapsed = began.elapsed();
        Ok((player, tally, elapsed))
    })
}

/// What a peer that accepts everything answers to a message; appends messages.
fn answer(message: &[u8], mut send: impl FnMut(&[u8])) {
    let mut out = [b'a'; 4 + PAYLOAD_BYTES];
    match *message {
        // The id of the client is handed out as the server's.
        [0xa1, a, b, c, ..] => {
            out[..7].copy_from_slice(&[0x51, a, b, c, a, b, c]);
            send(&out[..7]);
        }
        [0xa0, a, b, c, ..] => {
            out[..4].copy_from_slice(&[0x50, a, b, c]);
            send(&out);
        }
        _ => {}
    }
}

fn answer_tcp() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The player leaves when it is done.
            answer_connection(stream).ok();
        }
    });
    Ok(format!("tcp://{address}"))
}

fn answer_connection(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = vec![0; 256 * 1024];
    let mut filled = 0;
    let mut output = Vec::new();
    loop {
        let count = stream.read(&mut input[filled..])?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let mut rest = &input[..filled];
        while let Some((length, after)) = rest.split_first_chunk::<4>()
            && let length = u32::from_be_bytes(*length) as usize
            && let Some(message) = after.get(..length)
        {
            answer(message, |bytes| {
                output.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
                output.extend_from_slice(bytes);
            });
            rest = &after[length..];
        }
        let left = rest.len();
        input.copy_within(filled - left..filled, 0);
        filled = left;
        stream.write_all(&output)?;
        output.clear();
    }
}

fn answer_udp() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let options = socket2::SockRef::from(&socket);
    options.set_recv_buffer_size(4 << 20)?;
    let address = socket.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let mut message = [0; 65_536];
        loop {
            let (length, from) = socket.recv_from(&mut message)?;
            answer(&message[..length], |bytes| {
                // What is lost shows as missing at the player.
                socket.send_to(bytes, from).ok();
            });
        }
    });
    Ok(format!("udp://{address}"))
}

/// Our own endpoint, with a service behind it that answers each request.
fn through_server(args: &Args, name: &str, carrier: &str) -> Result<(), Box<dyn Error>> {
    let service = service()?;
    let mut child = Command::new(&args.program)
        .args(["server", "--carrier", carrier, "--target"])
        .arg(service.to_string())
        .args(["--max-conversations", "4096", "--max-per-peer", "4096"])
        .stdout(Stdio::piped())
        .spawn()?;
    let played = ready(&mut child).and_then(|carrier| at_top_speed(args, name, &carrier));
    child.kill()?;
    child.wait()?;
    played
}

fn ready(child: &mut Child) -> Result<String, Box<dyn Error>> {
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let carrier = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("carrier="))
        .ok_or("the server is not ready")?;
    Ok(carrier.to_owned())
}

fn service() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || -> io::Result<()> {
                stream.set_nodelay(true)?;
                let mut request = [0; PAYLOAD_BYTES];
                stream.read_exact(&mut request)?;
                stream.write_all(&[b'a'; PAYLOAD_BYTES])?;
                // Until the conversation is closed.
                stream.read(&mut request).map(|_| ())
            });
        }
    });
    Ok(address)
}
