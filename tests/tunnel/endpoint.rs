//! `ministream-replay client` and `server` as processes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take until an endpoint is ready: an I2P router builds tunnels
/// first, and a session may have to be made again.
pub(crate) const READY_PATIENCE: Duration = Duration::from_secs(150);

/// How long anything may take that should be immediate.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with the test.
pub(crate) struct Endpoint {
    child: Child,
    log: PathBuf,
    _directory: tempfile::TempDir,
    /// The line that told readiness.
    pub(crate) ready: String,
}

impl Endpoint {
    /// Starts `ministream-replay` and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::try_start(arguments).unwrap_or_else(|log| panic!("{arguments:?} ended: {log}"))
    }

    /// As [`start`](Self::start); the error is what it wrote to standard error.
    pub(crate) fn try_start(arguments: &[&str]) -> Result<Self, String> {
        Self::run(command(arguments))
    }

    /// The same for any program that tells its readiness in this way.
    pub(crate) fn run(program: Command) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let stderr = fs::File::create(&log).unwrap();
        Self::logging(program, stderr.into(), directory)
    }

    /// As [`try_start`](Self::try_start), with a log of one's own.
    pub(crate) fn start_logging_to(arguments: &[&str], stderr: Stdio) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("log"), "").unwrap();
        Self::logging(command(arguments), stderr, directory).unwrap()
    }

    /// Starts it in a shell that has set a limit, as in `-n 24`.
    pub(crate) fn limited(limit: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit {limit}; exec \"$@\""), "sh"])
            .arg(env!("CARGO_BIN_EXE_ministream-replay"))
            .args(arguments)
            .env_remove("MINISTREAM_LOG");
        Self::run(command).unwrap()
    }

    fn logging(
        program: Command,
        stderr: Stdio,
        directory: tempfile::TempDir,
    ) -> Result<Self, String> {
        Self::begin(program, stderr, directory).until_ready()
    }

    /// Starts a program without waiting for anything.
    fn begin(mut program: Command, stderr: Stdio, directory: tempfile::TempDir) -> Self {
        let log = directory.path().join("log");
        let child = program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            _directory: directory,
            ready: String::new(),
        }
    }

    /// Starts `ministream-replay` and waits until it has written this to standard error, which
    /// may be before it is ready.
    pub(crate) fn start_until_log(arguments: &[&str], text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stderr = fs::File::create(directory.path().join("log")).unwrap();
        let endpoint = Self::begin(command(arguments), stderr.into(), directory);
        endpoint.wait_for_log(text);
        endpoint
    }

    /// The same one when it is ready; the error is what it wrote to standard error.
    pub(crate) fn until_ready(mut self) -> Result<Self, String> {
        self.ready = first_line(self.child.stdout.take().unwrap());
        if self.ready.starts_with("ready ") {
            Ok(self)
        } else {
            Err(self.log())
        }
    }

    pub(crate) fn server(carrier: &str, target: SocketAddr, more: &[&str]) -> Self {
        let target = target.to_string();
        let arguments = ["server", "--carrier", carrier, "--target", &target];
        Self::start(&[&arguments[..], more].concat())
    }

    pub(crate) fn client(carrier: &str, more: &[&str]) -> Self {
        let arguments = ["client", "--carrier", carrier, "--listen", "127.0.0.1:0"];
        Self::start(&[&arguments[..], more].concat())
    }

    /// The same, with the line of its `--ready-file`, which holds more.
    pub(crate) fn ready_as_in(mut self, file: &str) -> Self {
        self.ready = fs::read_to_string(file).expect("it is ready");
        self
    }

    /// The value behind a name in the line that told readiness.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.ready))
    }

    pub(crate) fn carrier(&self) -> &str {
        self.field("carrier=")
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.field("listen=").parse().unwrap()
    }

    /// Starts a `mock`.
    pub(crate) fn mock(carrier: &str, capture: &str, more: &[&str]) -> Self {
        Self::start(&[&["mock", capture, "--carrier", carrier], more].concat())
    }

    /// A connection into the tunnel. Reads and writes on it do not wait for ever.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.listen())
    }

    /// What was written to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until standard error holds this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || {
            self.log().contains(text)
        });
    }

    /// The only line of the log with these words, without its time, and with _ for ids and the
    /// address of the peer.
    #[track_caller]
    pub(crate) fn log_line(&self, words: &str) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(words)).collect();
        let [line] = lines[..] else {
            panic!("{words:?} is not in one line of\n{log}");
        };
        let (_time, line) = line.split_once(' ').unwrap();
        let chosen = regex::Regex::new(" (client_id|server_id|base64|peer)=[^ ]+").unwrap();
        chosen.replace_all(line.trim_start(), " $1=_").into_owned()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How many descriptors the process has open.
    pub(crate) fn descriptors(&self) -> usize {
        descriptors_of(self.child.id())
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        resident_bytes_of(self.child.id())
    }

    /// How often its main thread has stopped waiting.
    pub(crate) fn wake_count(&self) -> u64 {
        let count = status_of(self.child.id(), "voluntary_ctxt_switches:");
        count.parse().unwrap()
    }
}

/// How many descriptors a process has open.
pub(crate) fn descriptors_of(process: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    open.count()
}

/// Resident memory of a process in bytes.
pub(crate) fn resident_bytes_of(process: u32) -> u64 {
    let size = status_of(process, "VmRSS:");
    let kib = size.strip_suffix(" kB").unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

/// The value of a name in the status of a process.
fn status_of(process: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().trim().to_owned()
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        if thread::panicking() {
            eprintln!("{}\n{}", self.ready, self.log());
        }
    }
}

/// A server and a client before it.
pub(crate) struct Tunnel {
    pub(crate) server: Endpoint,
    pub(crate) client: Endpoint,
}

impl Tunnel {
    pub(crate) fn to(carrier: &str, target: SocketAddr, more: &[&str]) -> Self {
        let server = Endpoint::server(carrier, target, more);
        let client = Endpoint::client(server.carrier(), more);
        Self { server, client }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        self.client.connect()
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ministream-replay"));
    command.args(arguments).env_remove("MINISTREAM_LOG");
    command
}

/// `client --stdio`, with both its pipes.
pub(crate) fn stdio(carrier: &str, more: &[&str]) -> (Child, ChildStdin, ChildStdout) {
    let mut child = command(&[&["client", "--carrier", carrier, "--stdio"][..], more].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let output = child.stdout.take().unwrap();
    (child, input, output)
}

/// What a suite for clients, which listens at `carrier`, says of this client.
pub(crate) fn try_client(mut suite: Command, carrier: SocketAddr, mut client: Command) -> Output {
    let suite = suite
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Bound by the suite when it cannot be bound by us.
    eventually("the suite listens", || TcpListener::bind(carrier).is_err());
    let mut client = client
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let tried = suite.wait_with_output().unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    tried
}

/// Waits for the end of a process.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    wait_or_kill(child).unwrap_or_else(|| panic!("a process did not end in {PATIENCE:?}"))
}

/// The same of one whose end is no concern of the test: `None` if it had to be killed.
pub(crate) fn wait_or_kill(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, is_so);
}

/// Waits until something is so, for as long as it may take.
pub(crate) fn eventually_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < until, "not in {patience:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The first line of a pipe, or what came before its end. The rest is read and dropped.
fn first_line(out: ChildStdout) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        // The test may have given up.
        sender.send(line).ok();
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
    });
    receiver.recv_timeout(READY_PATIENCE).unwrap()
}
