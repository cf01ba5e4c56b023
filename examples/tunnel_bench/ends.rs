//! The programs that are measured, and what they use.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// A directory with a file of keys, `keys`.
pub(crate) fn make_keys(program: &Path) -> io::Result<TempDir> {
    let directory = tempfile::tempdir()?;
    let made = Command::new(program)
        .args(["keys", "new"])
        .arg(directory.path().join("keys"))
        .stdout(Stdio::null())
        .status()?;
    if made.success() {
        Ok(directory)
    } else {
        Err(io::Error::other("no keys could be made"))
    }
}

/// What stands between the ends of a tunnel.
pub(crate) enum Between<'a> {
    Nothing,
    /// Our proxy, with these arguments.
    Proxy(&'a [&'a str]),
    /// A proxy of TCP connections, which leads to the carrier of the server.
    Foreign(SocketAddr),
}

/// Both ends of our tunnel, with what stands between them.
pub(crate) struct Ends {
    server: Program,
    proxy: Option<Program>,
    client: Program,
    /// Where the tunnel begins.
    pub(crate) listen: SocketAddr,
}

impl Ends {
    pub(crate) fn start(
        program: &Path,
        carrier: &str,
        target: SocketAddr,
        between: &Between<'_>,
    ) -> io::Result<Self> {
        let limit = ["--max-conversations", "20000"];
        let target = target.to_string();
        let keys = if carrier.starts_with("tls://") {
            Some(make_keys(program)?)
        } else {
            None
        };
        let file = keys.as_ref().map(|keys| keys.path().join("keys"));
        let file = file.unwrap_or_default().display().to_string();
        let arguments = ["server", "--carrier", carrier, "--target", &target];
        let own: &[&str] = match &keys {
            Some(_) => &["--keys", &file, "--allow", "any"],
            None => &[],
        };
        let server = Program::start(program, &[&arguments[..], &limit, own].concat())?;
        let carrier = server.field("carrier=")?;
        let proxy = match between {
            Between::Proxy(options) => {
                let arguments = ["proxy", "--carrier", "tcp://127.0.0.1:0", "-q"];
                let upstream = ["--upstream", carrier, "--report", "none"];
                let arguments = [&arguments[..], &upstream, options].concat();
                Some(Program::start(program, &arguments)?)
            }
            Between::Nothing | Between::Foreign(_) => None,
        };
        let carrier = match (between, &proxy) {
            (Between::Foreign(address), _) => format!("tcp://{address}"),
            (_, Some(proxy)) => proxy.field("carrier=")?.to_owned(),
            (_, None) => carrier.to_owned(),
        };
        let arguments = ["client", "--carrier", &carrier, "--listen", "127.0.0.1:0"];
        let to = format!("@{file}");
        let own: &[&str] = match &keys {
            Some(_) => &["--keys", "transient", "--to", &to],
            None => &[],
        };
        let client = Program::start(program, &[&arguments[..], &limit, own].concat())?;
        let listen = client.address("listen=")?;
        Ok(Self {
            server,
            proxy,
            client,
            listen,
        })
    }

    /// Each program that runs, with its name.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (&'static str, &Program)> {
        let proxy = self.proxy.iter().map(|proxy| ("proxy", proxy));
        [("client", &self.client), ("server", &self.server)]
            .into_iter()
            .chain(proxy)
    }

    /// By how many seconds 99 of 100 messages leave the proxy later than they should, as its
    /// `--metrics` tell.
    pub(crate) fn proxy_added_seconds(&self) -> io::Result<f64> {
        let proxy = self.proxy.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let url = proxy.field("metrics=")?;
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches("/metrics");
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut told = String::new();
        stream.read_to_string(&mut told)?;
        told.lines()
            .find_map(|line| line.strip_prefix("ministream_added_microseconds{quantile=\"0.99\"} "))
            .and_then(|number| number.parse::<f64>().ok())
            .map(|micros| micros * 1e-6)
            .ok_or_else(|| io::Error::other("the proxy does not tell what it adds"))
    }

    /// What all of them have used so far.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        self.programs()
            .map(|(_, program)| program.cpu_seconds())
            .sum()
    }
}

/// A process that tells in one line when it is ready.
pub(crate) struct Program {
    child: Child,
    ready: String,
}

impl Program {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", program.display()))
            })?;
        let mut ready = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut ready)?;
        }
        Ok(Self { child, ready })
    }

    /// The value behind a name in the line.
    pub(crate) fn field(&self, name: &str) -> io::Result<&str> {
        self.ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
            .ok_or_else(|| io::Error::other(format!("no {name} in {:?}", self.ready)))
    }

    /// An address of the line.
    pub(crate) fn address(&self, name: &str) -> io::Result<SocketAddr> {
        self.field(name)?.parse().map_err(io::Error::other)
    }

    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .map(|kib| kib * 1024)
            .ok_or_else(|| io::Error::other("no VmRSS in the status of a program"))
    }

    /// What it has used so far.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        cpu_seconds(self.child.id())
    }
}

/// What a process has used so far, in the kernel and outside; counted in
/// hundredths on Linux.
pub(crate) fn cpu_seconds(process: u32) -> io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks: u64 = stat
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / 100.0)
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("cannot end a program: {error}");
        }
    }
}

/// Ten thousand conversations need as many descriptors and more. The programs
/// that are started inherit the limit.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}
